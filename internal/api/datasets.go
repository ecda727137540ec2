package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Datasets are the routes about single datasets.
type Datasets struct {
	Service *dataset.Service
	Printer *Printer
	// StoreName and StoreDescription are shown as where a dataset is kept;
	// empty when the administrator gave none.
	StoreName, StoreDescription string
	// Builds are the genome builds that a dataset may be said to be of.
	Builds []datatype.Build
	// Offload says which files a proxy sends.
	Offload Offload
}

// Register adds the routes.
func (d *Datasets) Register(rt *Router) {
	rt.Handle("GET /api/datasets", d.list)
	rt.Handle("DELETE /api/datasets", d.deleteMany)
	rt.Handle("PUT /api/datasets", d.deleteMany)
	rt.Handle("GET /api/datasets/{id}", d.show)
	rt.Handle("PUT /api/datasets/{id}", d.update)
	rt.Handle("DELETE /api/datasets/{id}", d.delete)
	rt.Handle("GET /api/datasets/{id}/display", func(r *Request) (any, error) { return d.display(r, "id", r.Param("filename")) })
	rt.Handle("GET /api/datasets/{id}/content/{type}", d.structured)
	rt.Handle("GET /api/datasets/{id}/get_content_as_text", d.text)
	rt.Handle("GET /api/datasets/{id}/storage", d.storage)
	rt.Handle("GET /api/datasets/{id}/inheritance_chain", d.chain)
	rt.Handle("GET /api/datasets/{id}/converted", d.converted)
	rt.Handle("GET /api/datasets/{id}/extra_files", func(r *Request) (any, error) { return d.extraFiles(r, "id") })
	rt.Handle("GET /api/datasets/{id}/extra_files/raw/{filename...}", d.extraFile)
	rt.Handle("GET /api/datasets/{id}/metadata_file", d.metadataFile)
	rt.Handle("PUT /api/datasets/{id}/object_store_id", d.setObjectStore)
	rt.Handle("GET /dataset/display", d.oldDisplay)
	d.registerEdit(rt)
	rt.Handle("GET /datasets/{id}/display", func(r *Request) (any, error) { return d.display(r, "id", r.Param("filename")) })
	rt.Handle("GET /datasets/{id}/display/{filename...}", func(r *Request) (any, error) { return d.display(r, "id", r.PathValue("filename")) })
}

// defaultDatasets is how many datasets a list has that names no limit.
const defaultDatasets = 500

func (d *Datasets) list(r *Request) (any, error) {
	if r.Actor.User == nil && !r.Actor.Bootstrap {
		return nil, access.LoginRequired("API authentication required for this request")
	}
	values := r.URL.Query()
	q := store.ContentQuery{
		UserID: r.Actor.UserID(), Filters: store.ParseFilters(values["q"], values["qv"]), Order: values.Get("order"), DecodeID: r.DecodeID,
	}
	if q.Order == "" {
		q.Order = "create_time-dsc"
	}
	var err error
	if q.Limit, err = r.Int("limit", defaultDatasets, 1); err != nil {
		return nil, err
	}
	if q.Offset, err = r.Int("offset", 0, 0); err != nil {
		return nil, err
	}
	keys, err := hdaKeys(values.Get("view"), values.Get("keys"), "summary")
	if err != nil {
		return nil, err
	}
	q.Slim = slimKeys(keys)
	mine := func(int64) bool { return true } // the user's own histories
	var one *store.History
	if encoded := values.Get("history_id"); encoded != "" {
		if q.HistoryID, err = r.DecodeID(encoded); err != nil {
			return nil, err
		}
		if one, err = store.HistoryByID(r.Ctx(), d.Service.DB, q.HistoryID); err != nil {
			return nil, err
		}
		if err := access.SeeHistory(r.Ctx(), d.Service.DB, r.Actor, dataset.HistoryAccess(one)); err != nil {
			return nil, err
		}
		mine = owns(r.Actor, one)
	}
	contents, err := store.Contents(r.Ctx(), d.Service.DB, q)
	if err != nil {
		return nil, err
	}
	total, err := store.CountContentsMatching(r.Ctx(), d.Service.DB, q)
	if err != nil {
		return nil, err
	}
	readable, err := d.readable(r, contents, mine)
	if err != nil {
		return nil, err
	}
	r.W.Header().Set("total_matches", strconv.Itoa(total))
	w := jsonWriter{first: true}
	err = d.Printer.contents(r, &w, contents, printing{keys: keys}, readable, mine)
	return Raw{ContentType: "application/json", Body: w.buf}, err
}

func (d *Datasets) readable(r *Request, contents []store.Content, mine func(int64) bool) (map[int64]bool, error) {
	readable := map[int64]bool{}
	var others []int64
	for _, c := range contents {
		switch {
		case c.HDA == nil:
		case mine(c.HDA.HistoryID):
			readable[c.HDA.ID] = true
		default:
			others = append(others, c.HDA.Dataset.ID)
		}
	}
	open, err := access.ReadableDatasets(r.Ctx(), d.Service.DB, r.Actor, others)
	for _, c := range contents {
		if c.HDA != nil && open[c.HDA.Dataset.ID] {
			readable[c.HDA.ID] = true
		}
	}
	return readable, err
}

// item reads the dataset in the address that the actor may see.
func (d *Datasets) item(r *Request) (*dataset.Item, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if src := r.Param("hda_ldda"); src != "" && src != "hda" {
		return nil, galaxy.Errorf(galaxy.NotImplemented, "This server has no data libraries yet.")
	}
	return d.Service.Get(r.Ctx(), r.Actor, id)
}

func (d *Datasets) show(r *Request) (any, error) {
	item, err := d.item(r)
	if err != nil {
		return nil, err
	}
	switch r.Param("data_type") {
	case "state", "converted_datasets_state":
		switch item.State() {
		case galaxy.DatasetOK:
			return "data", nil
		case galaxy.DatasetError:
			return "error", nil
		}
		return "pending", nil
	case "in_use_state":
		used, err := store.InUse(r.Ctx(), d.Service.DB, []int64{item.ID})
		return used[item.ID], err
	}
	return d.print(r, item, nil)
}

func (d *Datasets) print(r *Request, item *dataset.Item, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	keys, err := hdaKeys(r.Param("view"), r.Param("keys"), "detailed")
	if err != nil {
		return nil, err
	}
	return d.Printer.one(r, item, keys)
}

func (d *Datasets) update(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	c, err := p.change()
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Update(r.Ctx(), r.Actor, id, c)
	return d.print(r, item, err)
}

func (d *Datasets) delete(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	purge, _, err := r.purgeAsked()
	if err != nil {
		return nil, err
	}
	stop, err := r.Bool("stop_job", false)
	if err != nil {
		return nil, err
	}
	return NoContent, deleteDataset(r, d.Service, id, purge, stop)
}

// sourceRef names a dataset by its kind of association and id.
type sourceRef struct {
	Src string `json:"src"`
	ID  string `json:"id"`
}

type deleteErrorJSON struct {
	Dataset sourceRef `json:"dataset"`
	Message string    `json:"error_message"`
}

func (d *Datasets) deleteMany(r *Request) (any, error) {
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	var refs []sourceRef
	if !p.has("datasets") || json.Unmarshal(p["datasets"], &refs) != nil {
		return nil, badRequest("Field required in ('body', 'datasets')")
	}
	purge, err := p.flag("purge")
	if err != nil {
		return nil, err
	}
	problems := []deleteErrorJSON{}
	var ids []int64
	for _, ref := range refs {
		id, err := r.DecodeID(ref.ID)
		if err != nil {
			return nil, err
		}
		if ref.Src != "hda" {
			err = galaxy.Errorf(galaxy.NotImplemented, "This server has no data libraries yet.")
		} else if err = d.mayDelete(r, id); err == nil {
			ids = append(ids, id)
		}
		var ge *galaxy.Error
		if err != nil && !errors.As(err, &ge) {
			return nil, err
		}
		if err != nil {
			problems = append(problems, deleteErrorJSON{ref, ge.Message})
		}
	}
	if purge != nil && *purge {
		err = d.Service.Purge(r.Ctx(), ids)
	} else {
		err = d.Service.Delete(r.Ctx(), ids, false)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		Done   int               `json:"success_count"`
		Errors []deleteErrorJSON `json:"errors"`
	}{len(ids), problems}, nil
}

func (d *Datasets) mayDelete(r *Request, id int64) error {
	item, err := d.Service.Owned(r.Ctx(), r.Actor, id)
	if err == nil && item.State() == galaxy.DatasetUpload {
		err = galaxy.Errorf(galaxy.Conflict, "Please wait until this dataset finishes uploading")
	}
	return err
}

// display sends a dataset's contents.
func (d *Datasets) display(r *Request, param, filename string) (any, error) {
	id, err := r.ID(param)
	if err != nil {
		return nil, err
	}
	v := dataset.View{Filename: filename, ToExt: r.Param("to_ext")}
	if v.Preview, err = r.Bool("preview", false); err != nil {
		return nil, err
	}
	if v.Raw, err = r.Bool("raw", false); err != nil {
		return nil, err
	}
	if r.Param("offset") != "" {
		offset, err := strconv.ParseInt(r.Param("offset"), 10, 64)
		if err != nil || offset < 0 {
			return nil, invalidQuery("offset", "a whole number of at least 0")
		}
		v.Offset = &offset
	}
	if v.ChunkSize, err = r.Int("ck_size", 0, 0); err != nil {
		return nil, err
	}
	body, err := d.Service.Display(r.Ctx(), r.Actor, id, v)
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, err
	}
	defer body.Close()
	return d.send(r, body)
}

func (d *Datasets) send(r *Request, body *dataset.Body) (any, error) {
	header := r.W.Header()
	for name, value := range body.Header {
		header.Set(name, value)
	}
	header.Set("Content-Type", body.ContentType)
	switch {
	case d.Offload.handOver(r, body):
		// The proxy has the file's length, time and ETag, and answers to ranges and conditions.
	case body.Chunk != nil:
		return body.Chunk, nil
	case body.File != nil:
		info, err := body.File.Stat()
		if err != nil {
			return nil, err
		}
		header.Set("Etag", `"`+strconv.FormatInt(info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(info.Size(), 36)+`"`)
		http.ServeContent(r.W, r.Request, "", body.ModTime, body.File)
	default:
		http.ServeContent(r.W, r.Request, "", body.ModTime, bytes.NewReader(body.Data))
	}
	return Written{}, nil
}

func (d *Datasets) structured(r *Request) (any, error) {
	if _, err := d.item(r); err != nil {
		return nil, err
	}
	return nil, badRequest("Only available for structured datatypes")
}

func (d *Datasets) text(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	item, text, err := d.Service.Text(r.Ctx(), r.Actor, id, r.Param("filename"))
	if err != nil {
		return nil, err
	}
	return struct {
		Data      *string `json:"item_data"`
		Truncated bool    `json:"truncated"`
		URL       string  `json:"item_url"`
	}{text.Data, text.Truncated, "/u/" + item.History.Username + "/d/" + r.EncodeID(id) + "?preview=False"}, nil
}

func (d *Datasets) storage(r *Request) (any, error) {
	item, err := d.item(r)
	if err != nil {
		return nil, err
	}
	free, total, err := d.Service.Objects.Free()
	if err != nil {
		return nil, err
	}
	provenance, err := store.DatasetProvenance(r.Ctx(), d.Service.DB, []int64{item.Dataset.ID})
	if err != nil {
		return nil, err
	}
	var used *float64
	if total > 0 {
		percent := 100 * float64(total-free) / float64(total)
		used = &percent
	}
	p := provenance[item.Dataset.ID]
	return map[string]any{
		"object_store_id": orNil(item.Dataset.ObjectStoreID), "name": orNil(d.StoreName), "description": orNil(d.StoreDescription),
		"percent_used": used, "dataset_state": item.Dataset.State, "hashes": r.hashes(p), "sources": r.sources(p), "shareable": true,
		"quota": map[string]any{"source": nil, "enabled": true}, "badges": []any{}, "relocatable": false, "private": false,
	}, nil
}

func (d *Datasets) chain(r *Request) (any, error) {
	item, err := d.item(r)
	if err != nil {
		return nil, err
	}
	sources, err := store.SourceChain(r.Ctx(), d.Service.DB, item.ID)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, s := range sources {
		if !slices.Contains(ids, s.HistoryID) {
			ids = append(ids, s.HistoryID)
		}
	}
	histories, err := store.Histories(r.Ctx(), d.Service.DB, ids)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, s := range sources {
		i := slices.IndexFunc(histories, func(h store.History) bool { return h.ID == s.HistoryID })
		if i < 0 {
			continue
		}
		h := &histories[i]
		// The names of others' histories and datasets are theirs.
		switch err := access.SeeHistory(r.Ctx(), d.Service.DB, r.Actor, dataset.HistoryAccess(h)); {
		case galaxy.KindOf(err) == galaxy.Forbidden:
			continue
		case err != nil:
			return nil, err
		}
		out = append(out, map[string]any{
			"id": r.EncodeID(s.ID), "name": s.Name, "dep": "Copied from history '" + h.Name + "'", "user_id": r.EncodeIDOrNil(h.UserID),
		})
	}
	return out, nil
}

func (d *Datasets) converted(r *Request) (any, error) {
	item, err := d.item(r)
	if err != nil {
		return nil, err
	}
	found, err := store.Converted(r.Ctx(), d.Service.DB, item.ID)
	out := map[string]string{}
	for ext, id := range found {
		out[ext] = r.EncodeID(id)
	}
	return out, err
}

func (d *Datasets) extraFiles(r *Request, param string) (any, error) {
	id, err := r.ID(param)
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Get(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	if !item.State().Terminal() || item.Dataset.Purged {
		return out, nil
	}
	files, err := d.Service.Objects.ExtraFiles(dataset.StoreRef(&item.Dataset))
	for _, f := range files {
		class := "File"
		if f.Dir {
			class = "Directory"
		}
		out = append(out, map[string]string{"class": class, "path": f.Path})
	}
	return out, err
}

func (d *Datasets) extraFile(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	body, err := d.Service.Display(r.Ctx(), r.Actor, id, dataset.View{Raw: true, Filename: r.PathValue("filename")})
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, err
	}
	defer body.Close()
	return d.send(r, body)
}

// metadataFile would send an index file; this server makes none yet.
func (d *Datasets) metadataFile(r *Request) (any, error) {
	param := "id"
	if r.PathValue("content") != "" {
		param = "content"
	}
	id, err := r.ID(param)
	if err != nil {
		return nil, err
	}
	item, err := d.Service.Get(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	name := r.Param("metadata_file")
	for _, e := range d.Service.Types.MetadataSpec(item.Extension) {
		if e.Name == name && e.Param == "File" {
			return nil, badRequest("Metadata file %s is not set for this dataset", name)
		}
	}
	return nil, badRequest("Unknown metadata file: %s", name)
}

func (d *Datasets) setObjectStore(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := d.Service.Owned(r.Ctx(), r.Actor, id); err != nil {
		return nil, err
	}
	return nil, badRequest("This server has one object store: there is nowhere to move the dataset.")
}
