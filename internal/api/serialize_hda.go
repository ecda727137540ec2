package api

import (
	"context"
	"slices"
	"strings"

	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
	"orrery/internal/store"
)

// Printer writes datasets and collections of histories as the API prints them.
type Printer struct {
	DB      *store.DB
	Types   *datatype.Registry
	Objects *objectstore.Disk
	// Rerunnable tells whether a tool can be run again from its output; nil
	// means every one but the upload.
	Rerunnable func(toolID string) bool
	// ExposePaths shows everyone where files are (expose_dataset_path).
	ExposePaths bool
}

// The keys of each view, in the order that Galaxy prints them.
var (
	hdaSummary = []string{"id", "name", "history_id", "hid", "deleted", "visible", "type_id", "type", "create_time", "update_time", "url",
		"tags", "history_content_type", "dataset_id", "state", "extension", "purged", "genome_build", "object_store_id", "quota_source_label"}
	hdaDetailed = []string{"model_class", "id", "name", "history_id", "hid", "deleted", "visible", "type_id", "type", "create_time",
		"update_time", "url", "tags", "history_content_type", "copied_from_ldda_id", "dataset_id", "state", "extension", "purged",
		"genome_build", "object_store_id", "hda_ldda", "accessible", "misc_info", "misc_blurb", "file_ext", "file_size", "resubmitted",
		"meta_files", "data_type", "peek", "creating_job", "rerunnable", "uuid", "permissions", "file_name", "display_apps",
		"display_types", "validated_state", "validated_state_message", "annotation", "download_url", "api_type", "created_from_basename",
		"hashes", "drs_id", "sources", "quota_source_label", "metadata"}
	hdaExtended = append(slices.Clone(hdaDetailed), "tool_version", "parent_id", "designation")
	// hdaInaccessible is what is shown of a dataset that a role closes.
	hdaInaccessible = []string{"id", "name", "history_id", "hid", "deleted", "visible", "type_id", "type", "create_time", "update_time",
		"url", "no tags", "history_content_type", "accessible", "state"}
	// hdaExtra are keys that are printed only when they are asked for.
	hdaExtra = []string{"copied_from_history_dataset_association_id", "copied_from_library_dataset_dataset_association_id", "size",
		"nice_size", "info", "blurb", "designation", "parent_id", "tool_version"}
)

// hdaKeys gives the keys to print for the parameters view and keys.
func hdaKeys(view, keys, defaultView string) ([]string, error) {
	if view == "" {
		view = defaultView
	}
	var base []string
	switch view {
	case "summary":
		base = hdaSummary
	case "detailed":
		base = hdaDetailed
	case "extended":
		base = hdaExtended
	case "inaccessible":
		base = hdaInaccessible
	case "dev-detailed", "element", "collection", "element-reference", "betawebclient": // of other kinds
		base = hdaDetailed
	default:
		return nil, galaxy.Errorf(galaxy.Invalid, "unknown view: %s", view)
	}
	for key := range strings.SplitSeq(keys, ",") {
		key = strings.TrimSpace(key)
		if !slices.Contains(base, key) && (slices.Contains(hdaDetailed, key) || slices.Contains(hdaExtra, key)) {
			base = append(slices.Clip(base), key)
		}
	}
	return base, nil
}

// slimKeys tells whether the keys can be printed of rows read with
// store.ContentQuery.Slim.
func slimKeys(keys []string) bool {
	for _, k := range keys {
		if !slices.Contains(hdaSummary, k) {
			return false
		}
	}
	return true
}

// hdaPage is what is read at once to print many datasets.
type hdaPage struct {
	r           *Request
	p           *Printer
	admin       bool
	typedURLs   bool
	readable    map[int64]bool
	mine        func(historyID int64) bool
	tags        map[int64][]string
	annotations map[int64]string
	jobs        map[int64]store.CreatingJob
	permissions map[int64][]store.Permission
	provenance  map[int64]store.Provenance
	historyIDs  map[int64]string // encoded
}

// newPage reads what printing the keys of the datasets needs, one query for
// each kind of thing.
func (p *Printer) newPage(r *Request, hdas []*store.HDA, keys []string, readable map[int64]bool, mine func(historyID int64) bool) (*hdaPage, error) {
	ctx := r.Ctx()
	page := &hdaPage{r: r, p: p, admin: r.Actor.Admin, readable: readable, mine: mine, historyIDs: map[int64]string{}}
	ids := make([]int64, len(hdas))
	datasets := make([]int64, len(hdas))
	for i := range hdas {
		ids[i], datasets[i] = hdas[i].ID, hdas[i].Dataset.ID
	}
	for _, load := range []struct {
		key string
		run func(context.Context) error
	}{
		{"tags", func(ctx context.Context) (err error) {
			page.tags, err = store.Tags(ctx, p.DB, store.TagHDA, ids)
			return err
		}},
		{"annotation", func(ctx context.Context) (err error) {
			page.annotations, err = store.Annotations(ctx, p.DB, store.TagHDA, ids)
			return err
		}},
		{"creating_job", func(ctx context.Context) (err error) {
			page.jobs, err = store.CreatingJobs(ctx, p.DB, hdas)
			return err
		}},
		{"permissions", func(ctx context.Context) (err error) {
			page.permissions, err = store.DatasetPermissions(ctx, p.DB, datasets)
			return err
		}},
		{"hashes", func(ctx context.Context) (err error) {
			page.provenance, err = store.DatasetProvenance(ctx, p.DB, datasets)
			return err
		}},
	} {
		if slices.Contains(keys, load.key) {
			if err := load.run(ctx); err != nil {
				return nil, err
			}
		}
	}
	return page, nil
}

func (page *hdaPage) historyID(id int64) string {
	s, ok := page.historyIDs[id]
	if !ok {
		s = page.r.EncodeID(id)
		page.historyIDs[id] = s
	}
	return s
}

// write prints one dataset.
func (page *hdaPage) write(w *jsonWriter, h *store.HDA, keys []string) error {
	if !page.readable[h.ID] {
		keys = hdaInaccessible
	}
	one := hdaValue{page: page, h: h, id: page.r.EncodeID(h.ID), historyID: page.historyID(h.HistoryID)}
	w.open('{')
	for _, key := range keys {
		if err := one.write(w, key); err != nil {
			return err
		}
	}
	w.close('}')
	return nil
}

// hdaValue is one dataset while it is printed.
type hdaValue struct {
	page          *hdaPage
	h             *store.HDA
	id, historyID string
	metadata      datatype.Metadata // decoded when it is first needed
}

func (v *hdaValue) md() (datatype.Metadata, error) {
	if v.metadata == nil {
		md, err := dataset.DecodeMetadata(v.h.Metadata)
		if err != nil {
			return nil, err
		}
		v.metadata = md
	}
	return v.metadata, nil
}

// write prints one key of the dataset.
func (v *hdaValue) write(w *jsonWriter, key string) error {
	h, page := v.h, v.page
	switch key {
	case "permissions":
		if !page.mine(h.HistoryID) && !page.admin {
			return nil
		}
	case "file_name":
		if (!page.admin && !page.p.ExposePaths) || h.Dataset.Purged {
			return nil
		}
	case "metadata":
		return v.writeMetadata(w)
	case "no tags":
		w.key("tags")
		w.raw("[]")
		return nil
	}
	w.key(key)
	switch key {
	case "model_class":
		w.raw(`"HistoryDatasetAssociation"`)
	case "id":
		w.id(v.id)
	case "name":
		w.string(h.Name)
	case "history_id":
		w.id(v.historyID)
	case "hid":
		w.int(h.HID)
	case "deleted":
		w.bool(h.Deleted)
	case "visible":
		w.bool(h.Visible)
	case "purged":
		w.bool(h.Purged)
	case "type_id":
		w.raw(`"dataset-`)
		w.raw(v.id)
		w.raw(`"`)
	case "type", "api_type":
		w.raw(`"file"`)
	case "create_time":
		w.time(h.CreateTime)
	case "update_time":
		w.time(h.UpdateTime)
	case "url":
		w.raw(`"/api/histories/`)
		w.raw(v.historyID)
		w.raw(`/contents/`)
		if page.typedURLs {
			w.raw(`datasets/`)
		}
		w.raw(v.id)
		w.raw(`"`)
	case "download_url":
		w.raw(`"/api/histories/` + v.historyID + `/contents/` + v.id + `/display"`)
	case "tags":
		w.strings(page.tags[h.ID])
	case "history_content_type":
		w.raw(`"dataset"`)
	case "hda_ldda":
		w.raw(`"hda"`)
	case "dataset_id":
		w.id(page.r.EncodeID(h.Dataset.ID))
	case "state":
		w.id(string(h.State()))
	case "extension", "file_ext":
		w.string(h.Extension)
	case "genome_build":
		return v.writeGenomeBuild(w)
	case "object_store_id":
		w.stringOrNull(h.Dataset.ObjectStoreID)
	case "quota_source_label":
		w.raw("null")
	case "accessible":
		w.bool(page.readable[h.ID])
	case "misc_info", "info":
		if h.Informed {
			w.string(strings.TrimSpace(h.Info))
		} else {
			w.raw("null")
		}
	case "misc_blurb", "blurb":
		w.stringOrNull(h.Blurb)
	case "file_size", "size":
		w.int(h.Dataset.FileSize)
	case "nice_size":
		w.string(datatype.NiceSize(h.Dataset.FileSize))
	case "resubmitted":
		w.bool(page.jobs[h.ID].Resubmitted)
	case "data_type":
		w.string("galaxy.datatypes." + page.p.Types.Type(h.Extension).Class)
	case "peek":
		return v.writePeek(w)
	case "creating_job":
		w.encoded(page.r, page.jobs[h.ID].ID)
	case "rerunnable":
		w.bool(page.p.rerunnable(page.jobs[h.ID].ToolID))
	case "uuid":
		w.id(h.Dataset.UUID.String())
	case "permissions":
		page.writePermissions(w, h.Dataset.ID)
	case "file_name":
		return v.writeFileName(w)
	case "display_apps", "display_types":
		w.raw("[]")
	case "validated_state":
		w.string(h.ValidatedState)
	case "validated_state_message":
		w.stringOrNull(h.ValidatedMessage)
	case "annotation":
		w.stringOrNull(page.annotations[h.ID])
	case "created_from_basename":
		w.stringOrNull(h.Dataset.CreatedFromBasename)
	case "drs_id":
		w.id("hda-" + page.r.router.ids.EncodeKind(h.ID, galaxy.KindDRS))
	case "copied_from_ldda_id", "copied_from_library_dataset_dataset_association_id":
		w.encoded(page.r, h.CopiedFromLDDA)
	case "copied_from_history_dataset_association_id":
		w.encoded(page.r, h.CopiedFromHDA)
	case "designation":
		w.stringOrNull(h.Designation)
	case "tool_version":
		w.stringOrNull(h.ToolVersion)
	case "hashes":
		return w.any(page.hashes(h.Dataset.ID))
	case "sources":
		return w.any(page.sources(h.Dataset.ID))
	case "meta_files":
		return v.writeMetaFiles(w)
	default: // parent_id and what else nothing is known of
		w.raw("null")
	}
	return nil
}

// encoded writes an encoded id, or null for 0.
func (w *jsonWriter) encoded(r *Request, id int64) {
	if id == 0 {
		w.raw("null")
		return
	}
	w.id(r.EncodeID(id))
}

func (p *Printer) rerunnable(toolID string) bool {
	switch {
	case toolID == "" || toolID == "__DATA_FETCH__" || toolID == "upload1":
		return false
	case p.Rerunnable == nil:
		return true
	}
	return p.Rerunnable(toolID)
}

// unknownBuild is the metadata of most datasets in lists.
const unknownBuild = `{"dbkey": ["?"]}`

func (v *hdaValue) writeGenomeBuild(w *jsonWriter) error {
	if raw := v.h.Metadata; len(raw) == 0 || string(raw) == unknownBuild || string(raw) == `{"dbkey":["?"]}` {
		w.raw(`"?"`)
		return nil
	}
	md, err := v.md()
	if err != nil {
		return err
	}
	w.string(dataset.DBKey(md))
	return nil
}

func (v *hdaValue) writePeek(w *jsonWriter) error {
	if v.h.Peek == "" || v.h.Peek == "no peek" {
		w.raw("null")
		return nil
	}
	md, err := v.md()
	if err != nil {
		return err
	}
	w.string(v.page.p.Types.PeekHTML(v.h.Extension, v.h.Peek, md))
	return nil
}

func (v *hdaValue) writeMetadata(w *jsonWriter) error {
	md, err := v.md()
	if err != nil {
		return err
	}
	spec := v.page.p.Types.MetadataSpec(v.h.Extension)
	for i := range spec {
		e := &spec[i]
		if e.Param == "File" {
			continue
		}
		value := md.Value(e)
		if value == nil && e.Optional {
			continue
		}
		w.key("metadata_" + e.Name)
		if err := w.any(value); err != nil {
			return err
		}
	}
	return nil
}

func (v *hdaValue) writeMetaFiles(w *jsonWriter) error {
	md, err := v.md()
	if err != nil {
		return err
	}
	w.open('[')
	spec := v.page.p.Types.MetadataSpec(v.h.Extension)
	for i := range spec {
		if e := &spec[i]; e.Param == "File" && md[e.Name] != nil {
			w.next()
			w.open('{')
			w.key("file_type")
			w.string(e.Name)
			w.key("download_url")
			w.string("/api/histories/" + v.historyID + "/contents/" + v.id + "/metadata_file?metadata_file=" + e.Name)
			w.close('}')
		}
	}
	w.close(']')
	return nil
}

func (v *hdaValue) writeFileName(w *jsonWriter) error {
	path, err := v.page.p.Objects.Path(dataset.StoreRef(&v.h.Dataset))
	if err != nil {
		w.raw("null")
		return nil
	}
	w.string(path)
	return nil
}

func (page *hdaPage) writePermissions(w *jsonWriter, datasetID int64) {
	w.open('{')
	for _, kind := range [][2]string{{"manage", store.ActionManagePermissions}, {"access", store.ActionAccess}} {
		w.key(kind[0])
		w.open('[')
		for _, p := range page.permissions[datasetID] {
			if p.Action == kind[1] {
				w.next()
				w.id(page.r.EncodeID(p.RoleID))
			}
		}
		w.close(']')
	}
	w.close('}')
}

// datasetHashJSON and datasetSourceJSON are how hashes and sources are printed.
type datasetHashJSON struct {
	Class     string  `json:"model_class"`
	ID        string  `json:"id"`
	Function  string  `json:"hash_function"`
	Value     string  `json:"hash_value"`
	ExtraPath *string `json:"extra_files_path"`
}

type datasetSourceJSON struct {
	Class     string  `json:"model_class"`
	ID        string  `json:"id"`
	URI       string  `json:"source_uri"`
	ExtraPath *string `json:"extra_files_path"`
	Transform any     `json:"transform"`
}

func (page *hdaPage) hashes(id int64) []datasetHashJSON { return page.r.hashes(page.provenance[id]) }

func (page *hdaPage) sources(id int64) []datasetSourceJSON {
	return page.r.sources(page.provenance[id])
}

func (r *Request) hashes(p store.Provenance) []datasetHashJSON {
	out := []datasetHashJSON{}
	for _, h := range p.Hashes {
		out = append(out, datasetHashJSON{"DatasetHash", r.EncodeID(h.ID), h.Function, h.Value, orNil(h.ExtraPath)})
	}
	return out
}

func (r *Request) sources(p store.Provenance) []datasetSourceJSON {
	out := []datasetSourceJSON{}
	for _, s := range p.Sources {
		one := datasetSourceJSON{Class: "DatasetSource", ID: r.EncodeID(s.ID), URI: s.URI, ExtraPath: orNil(s.ExtraPath)}
		if s.Transform != nil {
			one.Transform = s.Transform
		}
		out = append(out, one)
	}
	return out
}
