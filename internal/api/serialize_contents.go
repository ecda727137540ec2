package api

import (
	"slices"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/store"
)

// hdcaJSON is a collection of a history in its summary.
type hdcaJSON struct {
	Class            string           `json:"model_class"`
	ID               string           `json:"id"`
	Name             string           `json:"name"`
	HistoryID        string           `json:"history_id"`
	HID              int64            `json:"hid"`
	Deleted          bool             `json:"deleted"`
	Visible          bool             `json:"visible"`
	TypeID           string           `json:"type_id"`
	Type             string           `json:"type"`
	CreateTime       string           `json:"create_time"`
	UpdateTime       string           `json:"update_time"`
	URL              string           `json:"url"`
	Tags             []string         `json:"tags"`
	ContentType      string           `json:"history_content_type"`
	CollectionType   string           `json:"collection_type"`
	PopulatedState   string           `json:"populated_state"`
	PopulatedMessage *string          `json:"populated_state_message"`
	ElementCount     int64            `json:"element_count"`
	Datatypes        []string         `json:"elements_datatypes"`
	States           map[string]int64 `json:"elements_states"`
	ElementsDeleted  int64            `json:"elements_deleted"`
	JobSourceID      any              `json:"job_source_id"`
	JobSourceType    *string          `json:"job_source_type"`
	JobStates        any              `json:"job_state_summary"`
	ContentsURL      string           `json:"contents_url"`
	CollectionID     string           `json:"collection_id"`
	StoreTimes       any              `json:"store_times_summary"`
}

func (r *Request) hdca(h *store.HDCA, sum store.CollectionSummary, tags []string) hdcaJSON {
	id, historyID := r.EncodeID(h.ID), r.EncodeID(h.HistoryID)
	out := hdcaJSON{
		Class: "HistoryDatasetCollectionAssociation", ID: id, Name: h.Name, HistoryID: historyID, HID: h.HID, Deleted: h.Deleted,
		Visible: h.Visible, TypeID: store.ContentCollection + "-" + id, Type: "collection", CreateTime: apiTime(h.CreateTime),
		UpdateTime: apiTime(h.UpdateTime), URL: "/api/histories/" + historyID + "/contents/dataset_collections/" + id, Tags: tags,
		ContentType: store.ContentCollection, CollectionType: h.CollectionType, PopulatedState: h.PopulatedState,
		PopulatedMessage: orNil(h.PopulatedMessage), ElementCount: h.ElementCount, Datatypes: sum.Extensions, States: sum.States,
		ElementsDeleted: sum.Deleted, ContentsURL: "/api/dataset_collections/" + id + "/contents/" + r.EncodeID(h.CollectionID),
		CollectionID: r.EncodeID(h.CollectionID), StoreTimes: []any{},
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
	sums, err := store.CollectionSummaries(r.Ctx(), p.DB, hdcas)
	if err != nil {
		return err
	}
	tags, err := store.Tags(r.Ctx(), p.DB, store.TagHDCA, hdcas)
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
			err = w.any(r.hdca(c.HDCA, sums[c.HDCA.ID], tags[c.HDCA.ID]))
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
