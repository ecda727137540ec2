package job

import (
	"context"
	"encoding/json"
	"slices"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
	"orrery/internal/store"
	"orrery/internal/tool"
)

// Datasets finds datasets for a tool's form or request, on behalf of one person
// and for one history. What the person may not see is not found.
type Datasets struct {
	DB      *store.DB
	Objects *objectstore.Disk
	IDs     *galaxy.IDCodec
	Actor   *galaxy.Actor // nil: the job handler, which sees the datasets of its jobs
	// History is one that the person may see, which whoever makes a Datasets has
	// made sure of; 0 for none.
	History int64
}

var _ tool.Datasets = (*Datasets)(nil)

// Lookup finds those of the datasets that the person may see.
func (d *Datasets) Lookup(ctx context.Context, refs []tool.DatasetRef) (map[tool.DatasetRef]*tool.DatasetInfo, error) {
	var ids []int64
	for _, r := range refs {
		if r.Src == "" || r.Src == "hda" {
			ids = append(ids, r.ID)
		}
	}
	found := make(map[tool.DatasetRef]*tool.DatasetInfo, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	hdas, err := store.HDAs(ctx, d.DB, ids)
	if err != nil {
		return nil, err
	}
	if d.Actor != nil {
		if hdas, err = d.visible(ctx, hdas); err != nil {
			return nil, err
		}
	}
	for i := range hdas {
		info, err := d.Info(&hdas[i])
		if err != nil {
			return nil, err
		}
		found[tool.DatasetRef{Src: "hda", ID: info.ID}] = info
	}
	return found, nil
}

// visible keeps the datasets that the person may see: those of histories they
// may see, unless a role closes them.
func (d *Datasets) visible(ctx context.Context, hdas []store.HDA) ([]store.HDA, error) {
	var historyIDs, datasetIDs []int64
	for _, h := range hdas {
		if h.HistoryID != d.History && !slices.Contains(historyIDs, h.HistoryID) {
			historyIDs = append(historyIDs, h.HistoryID)
		}
		datasetIDs = append(datasetIDs, h.Dataset.ID)
	}
	histories, err := store.Histories(ctx, d.DB, historyIDs)
	if err != nil {
		return nil, err
	}
	open := map[int64]bool{d.History: d.History != 0}
	for i := range histories {
		h := &histories[i]
		err := access.SeeHistory(ctx, d.DB, d.Actor, access.History{
			ID: h.ID, OwnerID: h.UserID, Importable: h.Importable, Published: h.Published,
		})
		switch {
		case err == nil:
			open[h.ID] = true
		case galaxy.KindOf(err) == galaxy.Internal:
			return nil, err
		}
	}
	readable, err := access.ReadableDatasets(ctx, d.DB, d.Actor, datasetIDs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(hdas, func(h store.HDA) bool { return !open[h.HistoryID] || !readable[h.Dataset.ID] }), nil
}

// Candidates gives the datasets of the history that data parameters offer.
func (d *Datasets) Candidates(ctx context.Context, queries []tool.CandidateQuery) ([]tool.CandidatePage, error) {
	pages := make([]tool.CandidatePage, len(queries))
	for i, q := range queries { // one per data parameter of the form
		hdas, total, err := store.CandidateHDAs(ctx, d.DB, store.CandidateFilter{
			HistoryID: d.History, Extensions: q.Extensions, States: tool.CandidateStates,
			Tag: q.Tag, Search: q.Search, Offset: q.Offset, Limit: q.Limit,
		})
		if err != nil {
			return nil, err
		}
		pages[i].Total = total
		for j := range hdas {
			info, err := d.Info(&hdas[j])
			if err != nil {
				return nil, err
			}
			pages[i].Datasets = append(pages[i].Datasets, info)
		}
	}
	return pages, nil
}

// Info is what a tool sees of a dataset.
func (d *Datasets) Info(h *store.HDA) (*tool.DatasetInfo, error) {
	name := dataset.StoreRef(&h.Dataset)
	path, err := d.Objects.Path(name)
	if err != nil {
		return nil, err
	}
	extra, err := d.Objects.ExtraFilesPath(name)
	if err != nil {
		return nil, err
	}
	metadata := map[string]any{}
	if len(h.Metadata) > 0 {
		if err := json.Unmarshal(h.Metadata, &metadata); err != nil {
			metadata = map[string]any{} // a broken row of an old server must not stop the tool
		}
	}
	uuid := ""
	if !h.Dataset.UUID.IsZero() {
		uuid = h.Dataset.UUID.String()
	}
	return &tool.DatasetInfo{
		Src: "hda", ID: h.ID, EncodedID: d.IDs.Encode(h.ID), DatasetID: h.Dataset.ID, HistoryID: h.HistoryID, HID: h.HID,
		UUID: uuid, Name: h.Name, Ext: h.Extension, State: h.State(), Metadata: metadata, Deleted: h.Deleted || h.Dataset.Deleted,
		Visible: h.Visible, Size: h.Dataset.FileSize, TotalSize: h.Dataset.TotalSize, Info: h.Info, Blurb: h.Blurb, Peek: h.Peek,
		CreatedFromBasename: h.Dataset.CreatedFromBasename, Path: path, ExtraFilesPath: extra,
	}, nil
}
