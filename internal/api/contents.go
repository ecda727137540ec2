package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/history"
	"orrery/internal/store"
)

func (h *Histories) registerContents(rt *Router) {
	const base = " /api/histories/{id}/contents"
	rt.Handle("GET"+base, h.contents)
	rt.Handle("POST"+base, h.createContent)
	rt.Handle("PUT"+base, h.updateContents)
	rt.Handle("PUT"+base+"/bulk", h.bulk)
	rt.Handle("POST /api/histories/{id}/copy_contents", h.copyContents)
	for _, kind := range []string{"datasets", "dataset_collections"} {
		rt.Handle("GET"+base+"/"+kind, h.contentsOf(strings.TrimSuffix(kind, "s")))
		rt.Handle("POST"+base+"/"+kind, h.createContent)
	}
	rt.Handle("GET"+base+"/{content}", h.showContent)
	rt.Handle("PUT"+base+"/{content}", h.updateContent)
	rt.Handle("DELETE"+base+"/{content}", h.deleteContent)
	// {type}s/{id} and {id}/display overlap, so that one pattern stands for both.
	rt.Handle("GET"+base+"/{content}/{part}", h.contentPart)
	rt.Handle("PUT"+base+"/{content}/{part}", h.contentPart)
	rt.Handle("DELETE"+base+"/{content}/{part}", h.contentPart)
	rt.Handle("GET"+base+"/{content}/tags/{tag}", h.contentTag)
	rt.Handle("POST"+base+"/{content}/tags/{tag}", h.contentTag)
	rt.Handle("PUT"+base+"/{content}/tags/{tag}", h.contentTag)
	rt.Handle("DELETE"+base+"/{content}/tags/{tag}", h.contentTag)
}

// statsType asks for the number of matches beside the contents.
const statsType = "application/vnd.galaxy.history.contents.stats+json"

func (h *Histories) contents(r *Request) (any, error) { return h.listContents(r, nil) }

func (h *Histories) contentsOf(kind string) Handler {
	return func(r *Request) (any, error) { return h.listContents(r, []string{kind}) }
}

func (h *Histories) listContents(r *Request, types []string) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	q, how, err := h.contentQuery(r, types)
	if err != nil {
		return nil, err
	}
	q.HistoryID = id
	q.Slim = slimKeys(how.all())
	found, contents, err := h.Service.Contents(r.Ctx(), r.Actor, q)
	if err != nil {
		return nil, err
	}
	hdas := make([]*store.HDA, 0, len(contents))
	for _, c := range contents {
		if c.HDA != nil {
			hdas = append(hdas, c.HDA)
		}
	}
	readable, err := h.Service.Readable(r.Ctx(), r.Actor, found, hdas)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{first: true}
	stats := r.Header.Get("Accept") == statsType
	if stats {
		total, err := store.CountContentsMatching(r.Ctx(), h.Service.DB, q)
		if err != nil {
			return nil, err
		}
		w.raw(`{"stats":{"total_matches":`)
		w.int(int64(total))
		w.raw(`},"contents":`)
	}
	if err := h.Printer.contents(r, &w, contents, how, readable, owns(r.Actor, found)); err != nil {
		return nil, err
	}
	kind := "application/json"
	if stats {
		w.raw("}")
	}
	return Raw{ContentType: kind, Body: w.buf}, nil
}

// contentQuery reads the parameters of a list of contents: the newer list with
// v=dev, or the older one.
func (h *Histories) contentQuery(r *Request, types []string) (store.ContentQuery, printing, error) {
	values := r.URL.Query()
	q := store.ContentQuery{Types: types, DecodeID: r.DecodeID}
	how := printing{keys: hdaSummary}
	details := values.Get("details")
	if details == "" {
		details = values.Get("dataset_details")
	}
	if details == "all" {
		how.allDetails = true
	} else {
		ids, err := r.idList(details)
		if err != nil {
			return q, how, err
		}
		how.details = ids
	}
	if values.Get("v") == "dev" {
		how.typedURLs = true
		var err error
		if how.keys, err = hdaKeys(values.Get("view"), values.Get("keys"), "summary"); err != nil {
			return q, how, err
		}
		q.Filters, q.Order = store.ParseFilters(values["q"], values["qv"]), values.Get("order")
		if q.Limit, err = r.Int("limit", 0, 1); err != nil {
			return q, how, err
		}
		q.Offset, err = r.Int("offset", 0, 0)
		return q, how, err
	}
	if values.Has("ids") {
		ids, err := r.idList(values.Get("ids"))
		if err != nil {
			return q, how, err
		}
		q.IDs = ids
		if q.IDs == nil {
			q.IDs = []int64{}
		}
		// Those that are named are shown in full, as always.
		how.allDetails = how.allDetails || len(how.details) == 0
	}
	if types == nil {
		for _, list := range append(values["types"], values["type"]...) {
			for one := range strings.SplitSeq(list, ",") {
				if one = strings.TrimSuffix(strings.TrimSpace(one), "s"); one == store.ContentDataset || one == store.ContentCollection {
					q.Types = append(q.Types, one)
				}
			}
		}
	}
	for name, dst := range map[string]**bool{"deleted": &q.Deleted, "visible": &q.Visible} {
		if values.Get(name) == "" {
			continue
		}
		v, err := r.Bool(name, false)
		if err != nil {
			return q, how, err
		}
		*dst = &v
	}
	return q, how, nil
}

// idList decodes ids with commas between them; nil for none.
func (r *Request) idList(s string) ([]int64, error) {
	var ids []int64
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		id, err := r.DecodeID(one)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// contentType is the kind of content that a request is about: named in the
// address, or by the parameter type, or else a dataset.
func (r *Request) contentType() (string, error) {
	kind := r.PathValue("content")
	if r.PathValue("part") == "" {
		kind = r.Param("type")
	}
	switch strings.TrimSuffix(kind, "s") {
	case "", store.ContentDataset:
		return store.ContentDataset, nil
	case store.ContentCollection:
		return store.ContentCollection, nil
	}
	return "", galaxy.Errorf(galaxy.Invalid, "Unknown contents type: %s", kind)
}

// contentID is the content that a request is about.
func (r *Request) contentID() (int64, error) {
	switch strings.TrimSuffix(r.PathValue("content"), "s") {
	case store.ContentDataset, store.ContentCollection:
		return r.ID("part")
	}
	return r.ID("content")
}

// contentPart serves both {type}s/{id} and {id}/{part}.
func (h *Histories) contentPart(r *Request) (any, error) {
	switch strings.TrimSuffix(r.PathValue("content"), "s") {
	case store.ContentDataset, store.ContentCollection:
		switch r.Method {
		case "PUT":
			return h.updateContent(r)
		case "DELETE":
			return h.deleteContent(r)
		}
		return h.showContent(r)
	}
	d := &Datasets{Service: h.Service.Datasets, Printer: h.Printer, Offload: h.Offload}
	switch part := r.PathValue("part"); {
	case r.Method == "PUT" && part == "validate":
		return h.validate(r)
	case r.Method == "PUT" || r.Method == "DELETE":
	case part == "display":
		return d.display(r, "content", r.Param("filename"))
	case part == "extra_files":
		return d.extraFiles(r, "content")
	case part == "metadata_file":
		return d.metadataFile(r)
	case part == "tags":
		return h.contentTags(r)
	}
	return nil, noRoute(r)
}

func (h *Histories) validate(r *Request) (any, error) {
	id, err := r.ID("content")
	if err != nil {
		return nil, err
	}
	item, err := h.Service.Datasets.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, h.Service.Datasets.Retype(r.Ctx(), id, item.Extension)
}

func (h *Histories) showContent(r *Request) (any, error) {
	id, err := r.contentID()
	if err != nil {
		return nil, err
	}
	kind, err := r.contentType()
	if err != nil {
		return nil, err
	}
	if kind == store.ContentCollection {
		return h.showCollection(r, id)
	}
	item, err := h.Service.Datasets.Get(r.Ctx(), r.Actor, id)
	return h.printOne(r, item, err)
}

func (h *Histories) printOne(r *Request, item *dataset.Item, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	keys, err := hdaKeys(r.Param("view"), r.Param("keys"), "detailed")
	if err != nil {
		return nil, err
	}
	return h.Printer.one(r, item, keys)
}

func (h *Histories) showCollection(r *Request, id int64) (any, error) {
	found, err := h.collection(r, id)
	if err != nil {
		return nil, err
	}
	lists, err := h.Printer.collections(r, []int64{id})
	return r.hdca(found, lists, false), err
}

// collection reads a collection whose history the actor may see.
func (h *Histories) collection(r *Request, id int64) (*store.HDCA, error) {
	found, err := store.HDCAs(r.Ctx(), h.Service.DB, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "HistoryDatasetCollectionAssociation not found")
	}
	_, err = h.Service.See(r.Ctx(), r.Actor, found[0].HistoryID)
	return &found[0], err
}

// change reads what a body changes of a dataset.
func (p payload) change() (c dataset.Change, err error) {
	for name, dst := range map[string]**string{"name": &c.Name, "genome_build": &c.GenomeBuild, "datatype": &c.Datatype} {
		if *dst, err = p.text(name); err != nil {
			return c, err
		}
	}
	if c.GenomeBuild == nil {
		if c.GenomeBuild, err = p.text("dbkey"); err != nil {
			return c, err
		}
	}
	for name, dst := range map[string]**string{"annotation": &c.Annotation, "misc_info": &c.Info} {
		if *dst, err = p.textOrEmpty(name); err != nil {
			return c, err
		}
	}
	if c.Info == nil {
		if c.Info, err = p.textOrEmpty("info"); err != nil {
			return c, err
		}
	}
	if c.Tags, err = p.texts("tags"); err != nil {
		return c, err
	}
	if p.has("metadata") {
		if json.Unmarshal(p["metadata"], &c.Metadata) != nil {
			return c, invalidField("metadata", "a valid dictionary")
		}
	}
	return c, p.flags(map[string]**bool{"visible": &c.Visible, "deleted": &c.Deleted, "purged": &c.Purged})
}

func (h *Histories) updateContent(r *Request) (any, error) {
	historyID, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	id, err := r.contentID()
	if err != nil {
		return nil, err
	}
	kind, err := r.contentType()
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.Mutable(r.Ctx(), r.Actor, historyID); err != nil {
		return nil, err
	}
	c, err := p.change()
	if err != nil {
		return nil, err
	}
	if kind == store.ContentCollection {
		return h.updateCollection(r, historyID, id, c)
	}
	hda, err := store.HDAByID(r.Ctx(), h.Service.DB, id)
	if err != nil {
		return nil, err
	}
	if hda.HistoryID != historyID {
		return nil, galaxy.Errorf(galaxy.NotFound, "HistoryDatasetAssociation not found in this history")
	}
	item, err := h.Service.Datasets.Update(r.Ctx(), r.Actor, id, c)
	return h.printOne(r, item, err)
}

func (h *Histories) updateCollection(r *Request, historyID, id int64, c dataset.Change) (any, error) {
	found, err := h.collection(r, id)
	if err != nil {
		return nil, err
	}
	if found.HistoryID != historyID {
		return nil, galaxy.Errorf(galaxy.NotFound, "HistoryDatasetCollectionAssociation not found in this history")
	}
	set := store.Values{}
	if c.Name != nil {
		set["name"] = store.Clip(*c.Name, 255)
	}
	if c.Visible != nil {
		set["visible"] = *c.Visible
	}
	if c.Deleted != nil {
		set["deleted"] = *c.Deleted
	}
	err = h.Service.DB.Write(r.Ctx(), func(tx *store.Tx) error {
		if c.Tags != nil {
			if err := store.SetTags(r.Ctx(), tx, store.TagHDCA, []int64{id}, r.Actor.UserID(), *c.Tags); err != nil {
				return err
			}
		}
		return store.UpdateHDCAs(r.Ctx(), tx, []int64{id}, set)
	})
	if err != nil {
		return nil, err
	}
	return h.showCollection(r, id)
}

func (h *Histories) deleteContent(r *Request) (any, error) {
	id, err := r.contentID()
	if err != nil {
		return nil, err
	}
	kind, err := r.contentType()
	if err != nil {
		return nil, err
	}
	purge, p, err := r.purgeAsked()
	if err != nil {
		return nil, err
	}
	if kind == store.ContentCollection {
		found, err := h.collection(r, id)
		if err != nil {
			return nil, err
		}
		operation := "delete"
		if purge {
			operation = "purge"
		}
		recursive, err := r.Bool("recursive", false)
		if err != nil {
			return nil, err
		}
		if recursive || purge {
			_, _, err = h.Service.Apply(r.Ctx(), r.Actor, found.HistoryID, history.Bulk{Operation: operation, HDCAs: []int64{id}})
		} else if _, err = h.Service.Mutable(r.Ctx(), r.Actor, found.HistoryID); err == nil {
			err = h.Service.DB.Write(r.Ctx(), func(tx *store.Tx) error {
				return store.UpdateHDCAs(r.Ctx(), tx, []int64{id}, store.Values{"deleted": true})
			})
		}
		return NoContent, err
	}
	stop, err := r.Bool("stop_job", false)
	if err != nil {
		return nil, err
	}
	if flag, err := p.flag("stop_job"); err != nil {
		return nil, err
	} else if flag != nil {
		stop = stop || *flag
	}
	return NoContent, deleteDataset(r, h.Service.Datasets, id, purge, stop)
}

// deleteDataset deletes one dataset of the actor's.
func deleteDataset(r *Request, s *dataset.Service, id int64, purge, stop bool) error {
	item, err := s.Owned(r.Ctx(), r.Actor, id)
	if err != nil {
		return err
	}
	if item.State() == galaxy.DatasetUpload {
		return galaxy.Errorf(galaxy.Conflict, "Please wait until this dataset finishes uploading")
	}
	if purge {
		return s.Purge(r.Ctx(), []int64{id})
	}
	return s.Delete(r.Ctx(), []int64{id}, stop)
}

func (h *Histories) createContent(r *Request) (any, error) {
	historyID, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.Mutable(r.Ctx(), r.Actor, historyID); err != nil {
		return nil, err
	}
	source, err := p.text("source")
	if err != nil {
		return nil, err
	}
	kind, err := p.text("type")
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/dataset_collections") || (kind != nil && *kind == store.ContentCollection) {
		return nil, galaxy.Errorf(galaxy.NotImplemented, "This server cannot make collections yet.")
	}
	if source == nil || (*source != "hda" && *source != "library") {
		given := "None"
		if source != nil {
			given = *source
		}
		return nil, badRequest("'source' must be either 'library' or 'hda': %s", given)
	}
	if *source == "library" {
		return nil, galaxy.Errorf(galaxy.NotImplemented, "This server has no data libraries yet.")
	}
	content, err := p.text("content")
	if err != nil {
		return nil, err
	}
	if content == nil {
		return nil, access.Missing("'content' id of lda or hda is missing")
	}
	id, err := r.DecodeID(*content)
	if err != nil {
		return nil, err
	}
	made, err := h.Service.CopyDataset(r.Ctx(), r.Actor, historyID, id)
	if err != nil {
		return nil, err
	}
	item, err := h.Service.Datasets.Get(r.Ctx(), r.Actor, made.ID)
	return h.printOne(r, item, err)
}

// contentRef names one content in a body.
type contentRef struct {
	ID   string `json:"id"`
	Type string `json:"history_content_type"`
	// Kind is the name that copy_contents gives the same.
	Kind string `json:"type"`
}

// items decodes the contents that a body names, datasets and collections.
func (r *Request) items(p payload, field string) (hdas, hdcas []int64, err error) {
	if !p.has(field) {
		return nil, nil, nil
	}
	var refs []contentRef
	if json.Unmarshal(p[field], &refs) != nil {
		return nil, nil, invalidField(field, "a valid list")
	}
	hdas, hdcas = []int64{}, []int64{}
	for _, ref := range refs {
		id, err := r.DecodeID(ref.ID)
		if err != nil {
			return nil, nil, err
		}
		switch kind := cmp.Or(ref.Type, ref.Kind); kind {
		case store.ContentDataset:
			hdas = append(hdas, id)
		case store.ContentCollection:
			hdcas = append(hdcas, id)
		default:
			return nil, nil, badRequest("Unknown content type %q; it must be dataset or dataset_collection", kind)
		}
	}
	return hdas, hdcas, nil
}

func (h *Histories) updateContents(r *Request) (any, error) {
	historyID, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	found, err := h.Service.Mutable(r.Ctx(), r.Actor, historyID)
	if err != nil {
		return nil, err
	}
	hdas, hdcas, err := r.items(p, "items")
	if err != nil {
		return nil, err
	}
	c, err := p.change()
	if err != nil {
		return nil, err
	}
	rows, err := store.HDAs(r.Ctx(), h.Service.DB, hdas)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(x store.HDA) bool { return x.HistoryID != historyID })
	if err := h.Service.Datasets.Apply(r.Ctx(), r.Actor, rows, c); err != nil {
		return nil, err
	}
	for _, id := range hdcas {
		if _, err := h.updateCollection(r, historyID, id, c); err != nil {
			return nil, err
		}
	}
	q := store.ContentQuery{HistoryID: historyID}
	var contents []store.Content
	for kind, ids := range map[string][]int64{store.ContentDataset: hdas, store.ContentCollection: hdcas} {
		if len(ids) == 0 {
			continue
		}
		q.Types, q.IDs = []string{kind}, ids
		some, err := store.Contents(r.Ctx(), h.Service.DB, q)
		if err != nil {
			return nil, err
		}
		contents = append(contents, some...)
	}
	readable := map[int64]bool{}
	for _, id := range hdas {
		readable[id] = true // the history is the actor's
	}
	keys, err := hdaKeys(r.Param("view"), r.Param("keys"), "summary")
	if err != nil {
		return nil, err
	}
	w := jsonWriter{first: true}
	err = h.Printer.contents(r, &w, contents, printing{keys: keys}, readable, owns(r.Actor, found))
	return Raw{ContentType: "application/json", Body: w.buf}, err
}

// bulkErrorJSON says why an operation was not done to an item.
type bulkErrorJSON struct {
	Item  contentItemJSON `json:"item"`
	Error string          `json:"error"`
}

type contentItemJSON struct {
	Type string `json:"history_content_type"`
	ID   string `json:"id"`
}

func (h *Histories) bulk(r *Request) (any, error) {
	historyID, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	operation, err := p.text("operation")
	if err != nil {
		return nil, err
	}
	if operation == nil || !slices.Contains(history.Operations, *operation) {
		return nil, invalidField("operation", "'"+strings.Join(history.Operations[:len(history.Operations)-1], "', '")+"' or 'remove_tags'")
	}
	b := history.Bulk{Operation: *operation, Filters: store.ParseFilters(r.URL.Query()["q"], r.URL.Query()["qv"]), DecodeID: r.DecodeID}
	if b.HDAs, b.HDCAs, err = r.items(p, "items"); err != nil {
		return nil, err
	}
	if len(b.HDAs)+len(b.HDCAs) == 0 {
		b.HDAs, b.HDCAs = nil, nil
	}
	var params struct {
		DBKey    *string  `json:"dbkey"`
		Datatype *string  `json:"datatype"`
		Tags     []string `json:"tags"`
	}
	if p.has("params") && json.Unmarshal(p["params"], &params) != nil {
		return nil, invalidField("params", "a valid dictionary")
	}
	switch {
	case *operation == "change_dbkey" && params.DBKey == nil:
		return nil, badRequest("Field required in ('body', 'params', 'dbkey')")
	case *operation == "change_datatype" && params.Datatype == nil:
		return nil, badRequest("Field required in ('body', 'params', 'datatype')")
	case strings.HasSuffix(*operation, "_tags") && params.Tags == nil:
		return nil, badRequest("Field required in ('body', 'params', 'tags')")
	}
	b.Tags = params.Tags
	if params.DBKey != nil {
		b.GenomeBuild = *params.DBKey
	}
	if params.Datatype != nil {
		b.Datatype = *params.Datatype
	}
	done, failed, err := h.Service.Apply(r.Ctx(), r.Actor, historyID, b)
	if err != nil {
		return nil, err
	}
	problems := []bulkErrorJSON{}
	for _, f := range failed {
		message := "The server failed at this item; its log says more."
		var ge *galaxy.Error
		if errors.As(f.Err, &ge) {
			message = ge.Message
		} else {
			r.router.log.ErrorContext(r.Context(), "a bulk operation failed", "operation", *operation, "item", f.ID, "error", f.Err)
		}
		problems = append(problems, bulkErrorJSON{contentItemJSON{f.Type, r.EncodeID(f.ID)}, message})
	}
	return struct {
		Done   int             `json:"success_count"`
		Errors []bulkErrorJSON `json:"errors"`
	}{done, problems}, nil
}

func (h *Histories) copyContents(r *Request) (any, error) {
	historyID, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	hdas, hdcas, err := r.items(p, "source_content")
	if err != nil {
		return nil, err
	}
	if len(hdcas) > 0 {
		return nil, galaxy.Errorf(galaxy.NotImplemented, "This server cannot copy collections yet.")
	}
	name, err := p.text("target_history_name")
	if err != nil {
		return nil, err
	}
	encoded, err := p.texts("target_history_ids")
	if err != nil {
		return nil, err
	}
	var targets []int64
	if encoded != nil {
		if targets, err = r.decodeIDs(*encoded); err != nil {
			return nil, err
		}
	}
	text := ""
	if name != nil {
		text = *name
	}
	targets, err = h.Service.CopyContents(r.Ctx(), r.Actor, historyID, hdas, targets, text)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, id := range targets {
		out = append(out, r.EncodeID(id))
	}
	return map[string]any{"history_ids": out}, nil
}

const hdaTagClass = "HistoryDatasetAssociationTagAssociation"

func (h *Histories) contentTags(r *Request) (any, error) {
	id, err := r.ID("content")
	if err != nil {
		return nil, err
	}
	if _, err := h.Service.Datasets.Get(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	tags, err := store.TagRows(r.Ctx(), h.Service.DB, store.TagHDA, id)
	return printTags(r, hdaTagClass, tags), err
}

func (h *Histories) contentTag(r *Request) (any, error) {
	id, err := r.ID("content")
	if err != nil {
		return nil, err
	}
	db, name := h.Service.DB, r.PathValue("tag")
	if r.Method == "GET" || r.Method == "HEAD" {
		_, err = h.Service.Datasets.Get(r.Ctx(), r.Actor, id)
	} else {
		_, err = h.Service.Datasets.Owned(r.Ctx(), r.Actor, id)
	}
	if err != nil {
		return nil, err
	}
	tags, err := store.TagRows(r.Ctx(), db, store.TagHDA, id)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case "POST", "PUT":
		tags, err = changeTags(r, db, store.TagHDA, id, func(tx *store.Tx, tag string) error {
			if err := store.AddTags(r.Ctx(), tx, store.TagHDA, []int64{id}, r.Actor.UserID(), []string{tag}); err != nil {
				return err
			}
			return store.UpdateHDAs(r.Ctx(), tx, []int64{id}, store.Values{})
		})
	case "DELETE":
		named := namedTags(tags, name)
		if len(named) == 0 {
			return nil, galaxy.Errorf(galaxy.NotFound, "Failed to find tag with name: %s", name)
		}
		_, err = changeTags(r, db, store.TagHDA, id, func(tx *store.Tx, _ string) error {
			if err := store.RemoveTags(r.Ctx(), tx, store.TagHDA, []int64{id}, named); err != nil {
				return err
			}
			return store.UpdateHDAs(r.Ctx(), tx, []int64{id}, store.Values{})
		})
		return true, err
	}
	if err != nil {
		return nil, err
	}
	return oneTag(r, hdaTagClass, tags, name)
}
