package api

import (
	"encoding/json"
	"slices"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// hdcaJSON is a collection of a history in its summary. Older and newer lists
// differ in some fields.
type hdcaJSON struct {
	Class             string           `json:"model_class,omitempty"`
	ID                string           `json:"id"`
	Name              string           `json:"name"`
	HistoryID         string           `json:"history_id"`
	HID               int64            `json:"hid"`
	Deleted           bool             `json:"deleted"`
	Visible           bool             `json:"visible"`
	TypeID            string           `json:"type_id,omitempty"`
	Type              string           `json:"type"`
	CreateTime        string           `json:"create_time"`
	UpdateTime        string           `json:"update_time"`
	URL               string           `json:"url"`
	Tags              []string         `json:"tags"`
	ContentType       string           `json:"history_content_type"`
	CollectionType    string           `json:"collection_type"`
	PopulatedState    string           `json:"populated_state"`
	PopulatedMessage  *string          `json:"populated_state_message"`
	ElementCount      int64            `json:"element_count"`
	Datatypes         []string         `json:"elements_datatypes"`
	States            map[string]int64 `json:"elements_states"`
	ElementsDeleted   int64            `json:"elements_deleted"`
	JobSourceID       any              `json:"job_source_id"`
	JobSourceType     *string          `json:"job_source_type"`
	JobStates         jobStatesJSON    `json:"job_state_summary"`
	ContentsURL       string           `json:"contents_url"`
	CollectionID      string           `json:"collection_id"`
	StoreTimes        any              `json:"store_times_summary,omitempty"`
	Populated         *bool            `json:"populated,omitempty"`
	ColumnDefinitions json.RawMessage  `json:"column_definitions,omitempty"`
}

// jobStatesJSON counts the jobs that make a collection.
type jobStatesJSON struct {
	All         int64 `json:"all_jobs"`
	New         int64 `json:"new"`
	Waiting     int64 `json:"waiting"`
	Running     int64 `json:"running"`
	Error       int64 `json:"error"`
	Paused      int64 `json:"paused"`
	Skipped     int64 `json:"skipped"`
	Resubmitted int64 `json:"resubmitted"`
	Queued      int64 `json:"queued"`
	OK          int64 `json:"ok"`
	Failed      int64 `json:"failed"`
	Deleted     int64 `json:"deleted"`
	Upload      int64 `json:"upload"`
}

func jobStates(counts map[galaxy.JobState]int64) jobStatesJSON {
	out := jobStatesJSON{
		New: counts[galaxy.JobNew], Waiting: counts[galaxy.JobWaiting], Running: counts[galaxy.JobRunning], Error: counts[galaxy.JobError],
		Paused: counts[galaxy.JobPaused], Skipped: counts[galaxy.JobSkipped], Resubmitted: counts[galaxy.JobResubmitted],
		Queued: counts[galaxy.JobQueued], OK: counts[galaxy.JobOK], Failed: counts[galaxy.JobFailed], Deleted: counts[galaxy.JobDeleted],
		Upload: counts[galaxy.JobUpload],
	}
	for _, n := range counts {
		out.All += n
	}
	return out
}

// collections is what is read at once to print many collections.
type collections struct {
	sums map[int64]store.CollectionSummary
	tags map[int64][]string
	jobs map[int64]map[galaxy.JobState]int64
}

func (p *Printer) collections(r *Request, ids []int64) (c collections, err error) {
	if c.sums, err = store.CollectionSummaries(r.Ctx(), p.DB, ids); err != nil {
		return c, err
	}
	if c.tags, err = store.Tags(r.Ctx(), p.DB, store.TagHDCA, ids); err != nil {
		return c, err
	}
	c.jobs, err = store.CollectionJobStates(r.Ctx(), p.DB, ids)
	return c, err
}

// hdca prints one collection, in the form of newer lists or of older ones.
func (r *Request) hdca(h *store.HDCA, c collections, newer bool) hdcaJSON {
	id, historyID, sum := r.EncodeID(h.ID), r.EncodeID(h.HistoryID), c.sums[h.ID]
	out := hdcaJSON{
		ID: id, Name: h.Name, HistoryID: historyID, HID: h.HID, Deleted: h.Deleted, Visible: h.Visible, Type: "collection",
		URL: "/api/histories/" + historyID + "/contents/dataset_collections/" + id, Tags: c.tags[h.ID], ContentType: store.ContentCollection,
		CollectionType: h.CollectionType, PopulatedState: h.PopulatedState, PopulatedMessage: orNil(h.PopulatedMessage),
		ElementCount: h.ElementCount, Datatypes: sum.Extensions, States: sum.States, ElementsDeleted: sum.Deleted,
		JobStates:    jobStates(c.jobs[h.ID]),
		ContentsURL:  "/api/dataset_collections/" + id + "/contents/" + r.EncodeID(h.CollectionID),
		CollectionID: r.EncodeID(h.CollectionID),
	}
	if newer {
		out.TypeID, out.StoreTimes = store.ContentCollection+"-"+id, []any{}
		out.CreateTime, out.UpdateTime = apiTime(h.CollectionCreated), apiTime(h.CollectionUpdated)
	} else {
		populated := h.PopulatedState == "ok"
		out.Class, out.Populated, out.ColumnDefinitions = "HistoryDatasetCollectionAssociation", &populated, json.RawMessage("null")
		out.CreateTime, out.UpdateTime = apiTime(h.CreateTime), apiTime(h.UpdateTime)
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if out.Datatypes == nil {
		out.Datatypes = []string{}
	}
	if out.States == nil {
		out.States = map[string]int64{}
	}
	switch {
	case h.ImplicitJobsID != 0:
		out.JobSourceID, out.JobSourceType = r.EncodeID(h.ImplicitJobsID), orNil("ImplicitCollectionJobs")
	case h.JobID != 0:
		out.JobSourceID, out.JobSourceType = r.EncodeID(h.JobID), orNil("Job")
	}
	return out
}

// printing says how contents are printed.
type printing struct {
	// keys are those of a dataset; detailed those of the datasets in details, or
	// of all with allDetails.
	keys       []string
	details    []int64
	allDetails bool
	// typedURLs is the form of addresses in newer lists.
	typedURLs bool
}

func (p printing) of(h *store.HDA) []string {
	if p.allDetails || slices.Contains(p.details, h.ID) {
		return hdaDetailed
	}
	return p.keys
}

// all are the keys that at least one of the datasets needs.
func (p printing) all() []string {
	if p.allDetails || len(p.details) > 0 {
		return append(slices.Clip(hdaDetailed), p.keys...)
	}
	return p.keys
}

// contents prints contents of histories as a JSON list. readable is what the
// actor may look into, by the HDA.
func (p *Printer) contents(r *Request, w *jsonWriter, contents []store.Content, how printing, readable map[int64]bool, mine func(int64) bool) error {
	hdas := make([]*store.HDA, 0, len(contents))
	var hdcas []int64
	for _, c := range contents {
		if c.HDA != nil {
			hdas = append(hdas, c.HDA)
		} else {
			hdcas = append(hdcas, c.HDCA.ID)
		}
	}
	page, err := p.newPage(r, hdas, how.all(), readable, mine)
	if err != nil {
		return err
	}
	page.typedURLs = how.typedURLs
	lists, err := p.collections(r, hdcas)
	if err != nil {
		return err
	}
	w.buf = slices.Grow(w.buf, len(contents)*700)
	w.open('[')
	for _, c := range contents {
		w.next()
		if c.HDA != nil {
			err = page.write(w, c.HDA, how.of(c.HDA))
		} else {
			err = w.any(r.hdca(c.HDCA, lists, how.typedURLs))
		}
		if err != nil {
			return err
		}
		w.first = false
	}
	w.close(']')
	return nil
}

// one prints one dataset.
func (p *Printer) one(r *Request, item *dataset.Item, keys []string) (any, error) {
	mine := access.ChangeHistory(r.Actor, dataset.HistoryAccess(&item.History)) == nil
	page, err := p.newPage(r, []*store.HDA{&item.HDA}, keys, map[int64]bool{item.ID: true}, func(int64) bool { return mine })
	if err != nil {
		return nil, err
	}
	w := jsonWriter{first: true}
	if err := page.write(&w, &item.HDA, keys); err != nil {
		return nil, err
	}
	return Raw{ContentType: "application/json", Body: w.buf}, nil
}
