package history

import (
	"context"
	"slices"

	"orrery/internal/access"
	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Readable tells, by the HDA, which datasets of a history the actor may look
// into: all of an own one, else those that no role closes.
func (s *Service) Readable(ctx context.Context, a *galaxy.Actor, h *store.History, hdas []*store.HDA) (map[int64]bool, error) {
	readable := make(map[int64]bool, len(hdas))
	mine := access.ChangeHistory(a, dataset.HistoryAccess(h)) == nil
	var open map[int64]bool
	if !mine {
		ids := make([]int64, len(hdas))
		for i := range hdas {
			ids[i] = hdas[i].Dataset.ID
		}
		var err error
		if open, err = access.ReadableDatasets(ctx, s.DB, a, ids); err != nil {
			return nil, err
		}
	}
	for i := range hdas {
		readable[hdas[i].ID] = mine || open[hdas[i].Dataset.ID]
	}
	return readable, nil
}

// Contents lists contents of a history that the actor may see.
func (s *Service) Contents(ctx context.Context, a *galaxy.Actor, q store.ContentQuery) (*store.History, []store.Content, error) {
	h, err := s.See(ctx, a, q.HistoryID)
	if err != nil {
		return nil, nil, err
	}
	contents, err := store.Contents(ctx, s.DB, q)
	return h, contents, err
}

// CopyDataset puts a copy of a dataset that the actor may see into a history of
// the actor's. The dataset's own history must be open to the actor too.
func (s *Service) CopyDataset(ctx context.Context, a *galaxy.Actor, historyID, hdaID int64) (*store.HDA, error) {
	if _, err := s.Mutable(ctx, a, historyID); err != nil {
		return nil, err
	}
	item, err := s.Datasets.Get(ctx, a, hdaID)
	if err != nil {
		return nil, err
	}
	if err := access.SeeHistory(ctx, s.DB, a, dataset.HistoryAccess(&item.History)); err != nil {
		return nil, err
	}
	if item.Purged {
		return nil, galaxy.Errorf(galaxy.Invalid, "The dataset was purged: there is nothing to copy.")
	}
	copies, err := s.copyInto(ctx, a, historyID, []store.HDA{item.HDA})
	if err != nil {
		return nil, err
	}
	return &copies[0], nil
}

func (s *Service) copyInto(ctx context.Context, a *galaxy.Actor, historyID int64, originals []store.HDA) (copies []store.HDA, err error) {
	annotations, err := store.Annotations(ctx, s.DB, store.TagHDA, hdaIDs(originals))
	if err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		made, err := store.CopyHDAs(ctx, tx, historyID, originals, false)
		if err != nil {
			return err
		}
		for i, o := range originals {
			if text := annotations[o.ID]; text != "" {
				if err := store.SetAnnotation(ctx, tx, store.TagHDA, made[i].ID, a.UserID(), text); err != nil {
					return err
				}
			}
		}
		copies = made
		return nil
	})
	return copies, err
}

// CopyContents copies datasets of one history of the actor's into others, or
// into a new one when targetName is not empty, and gives the targets.
func (s *Service) CopyContents(ctx context.Context, a *galaxy.Actor, sourceID int64, hdas []int64, targetIDs []int64, targetName string) ([]int64, error) {
	if a.UserID() == 0 {
		return nil, access.LoginRequired("Please login to copy datasets between histories.")
	}
	if _, err := s.Owned(ctx, a, sourceID); err != nil {
		return nil, err
	}
	if len(hdas) == 0 {
		return nil, galaxy.Errorf(galaxy.Invalid, "Select at least one item to copy.")
	}
	rows, err := store.HDAs(ctx, s.DB, hdas)
	if err != nil {
		return nil, err
	}
	if len(rows) != len(hdas) || slices.ContainsFunc(rows, func(h store.HDA) bool { return h.HistoryID != sourceID }) {
		return nil, galaxy.Errorf(galaxy.Invalid, "You tried to copy a dataset not in the source history.")
	}
	slices.SortFunc(rows, func(x, y store.HDA) int { return int(x.HID - y.HID) })
	if targetName != "" {
		h, err := s.Create(ctx, a, targetName)
		if err != nil {
			return nil, err
		}
		targetIDs = []int64{h.ID}
	} else if len(targetIDs) == 0 {
		return nil, galaxy.Errorf(galaxy.Invalid, "Select a destination history or provide a target history name.")
	}
	for _, id := range targetIDs {
		if h, err := s.Mutable(ctx, a, id); err != nil {
			return nil, err
		} else if h.UserID != a.UserID() {
			return nil, galaxy.Errorf(galaxy.Forbidden, "You lack permission for one or more destination histories.")
		}
	}
	for _, id := range targetIDs {
		if _, err := s.copyInto(ctx, a, id, rows); err != nil {
			return nil, err
		}
	}
	return targetIDs, nil
}

func hdaIDs(hdas []store.HDA) []int64 {
	ids := make([]int64, len(hdas))
	for i := range hdas {
		ids[i] = hdas[i].ID
	}
	return ids
}

// Operations are the operations of a bulk change, by Galaxy's names.
var Operations = []string{"hide", "unhide", "delete", "undelete", "purge", "change_datatype", "change_dbkey", "add_tags", "remove_tags"}

// Bulk is one operation on many contents of a history.
type Bulk struct {
	Operation string
	// HDAs and HDCAs are what it is done to; when both are nil, all that Filters
	// let through.
	HDAs, HDCAs []int64
	Filters     []store.Filter
	DecodeID    func(string) (int64, error)
	// Datatype, GenomeBuild and Tags are the operation's parameter.
	Datatype, GenomeBuild string
	Tags                  []string
}

// BulkError tells why the operation was not done to one item.
type BulkError struct {
	Type string // store.ContentDataset or store.ContentCollection
	ID   int64
	Err  error
}

// Apply does one operation to many contents of a history of the actor's. It
// gives how many it was done to, and why not to the others.
func (s *Service) Apply(ctx context.Context, a *galaxy.Actor, historyID int64, b Bulk) (done int, failed []BulkError, err error) {
	if _, err := s.Mutable(ctx, a, historyID); err != nil {
		return 0, nil, err
	}
	if !slices.Contains(Operations, b.Operation) {
		return 0, nil, galaxy.Errorf(galaxy.Invalid, "%q is no operation; it must be one of %v", b.Operation, Operations)
	}
	if b.Operation == "change_datatype" && b.Datatype != "auto" {
		if _, ok := s.Datasets.Types.Lookup(b.Datatype); !ok {
			return 0, nil, galaxy.Errorf(galaxy.Invalid, "Data type '%s' is not registered", b.Datatype)
		}
	}
	q := store.ContentQuery{HistoryID: historyID, Filters: b.Filters, DecodeID: b.DecodeID}
	var contents []store.Content
	if b.HDAs != nil || b.HDCAs != nil {
		if contents, err = s.named(ctx, q, b); err != nil {
			return 0, nil, err
		}
	} else if contents, err = store.Contents(ctx, s.DB, q); err != nil {
		return 0, nil, err
	}
	var hdas []store.HDA
	var hdcas []int64
	for _, c := range contents {
		if c.HDA != nil {
			hdas = append(hdas, *c.HDA)
		} else {
			hdcas = append(hdcas, c.HDCA.ID)
		}
	}
	failed, err = s.apply(ctx, a, historyID, b, hdas, hdcas)
	return len(contents) - len(failed), failed, err
}

// named reads the contents that a bulk change names; those of other histories
// are left out.
func (s *Service) named(ctx context.Context, q store.ContentQuery, b Bulk) ([]store.Content, error) {
	q.Filters = nil
	var out []store.Content
	for _, one := range []struct {
		kind string
		ids  []int64
	}{{store.ContentDataset, b.HDAs}, {store.ContentCollection, b.HDCAs}} {
		if len(one.ids) == 0 {
			continue
		}
		q.Types, q.IDs = []string{one.kind}, one.ids
		found, err := store.Contents(ctx, s.DB, q)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (s *Service) apply(ctx context.Context, a *galaxy.Actor, historyID int64, b Bulk, hdas []store.HDA, hdcas []int64) (failed []BulkError, err error) {
	both := func(hda, hdca func(tx *store.Tx) error) error {
		return s.DB.Write(ctx, func(tx *store.Tx) error {
			if len(hdas) > 0 {
				if err := hda(tx); err != nil {
					return err
				}
			}
			if len(hdcas) > 0 {
				return hdca(tx)
			}
			return nil
		})
	}
	set := func(column string, value bool) error {
		return both(
			func(tx *store.Tx) error { return store.UpdateHDAs(ctx, tx, hdaIDs(hdas), store.Values{column: value}) },
			func(tx *store.Tx) error { return store.UpdateHDCAs(ctx, tx, hdcas, store.Values{column: value}) })
	}
	inside := func() ([]int64, error) { // the datasets, also those in the collections
		ids := hdaIDs(hdas)
		if len(hdcas) == 0 {
			return ids, nil
		}
		more, err := store.CollectionHDAs(ctx, s.DB, hdcas)
		if err != nil {
			return nil, err
		}
		rows, err := store.HDAs(ctx, s.DB, more)
		for _, h := range rows {
			// A collection may hold others' datasets, which stay as they are.
			if h.HistoryID == historyID && !slices.Contains(ids, h.ID) {
				ids = append(ids, h.ID)
			}
		}
		return ids, err
	}
	tag := func(change func(tx *store.Tx, k store.TagKind, ids []int64) error) error {
		return both(
			func(tx *store.Tx) error {
				if err := change(tx, store.TagHDA, hdaIDs(hdas)); err != nil {
					return err
				}
				return store.UpdateHDAs(ctx, tx, hdaIDs(hdas), store.Values{})
			},
			func(tx *store.Tx) error {
				if err := change(tx, store.TagHDCA, hdcas); err != nil {
					return err
				}
				return store.UpdateHDCAs(ctx, tx, hdcas, store.Values{})
			})
	}
	switch b.Operation {
	case "hide":
		return nil, set("visible", false)
	case "unhide":
		return nil, set("visible", true)
	case "delete":
		ids, err := inside()
		if err == nil {
			err = s.Datasets.Delete(ctx, ids, true)
		}
		if err != nil {
			return nil, err
		}
		return nil, s.DB.Write(ctx, func(tx *store.Tx) error {
			return store.UpdateHDCAs(ctx, tx, hdcas, store.Values{"deleted": true})
		})
	case "undelete":
		hdas = slices.DeleteFunc(hdas, func(h store.HDA) bool {
			if h.Purged {
				failed = append(failed, BulkError{store.ContentDataset, h.ID,
					galaxy.Errorf(galaxy.Invalid, "This item has been permanently deleted and cannot be recovered.")})
			}
			return h.Purged
		})
		return failed, set("deleted", false)
	case "purge":
		ids, err := inside()
		if err == nil {
			err = s.Datasets.Purge(ctx, ids)
		}
		if err != nil {
			return nil, err
		}
		return nil, s.DB.Write(ctx, func(tx *store.Tx) error {
			return store.UpdateHDCAs(ctx, tx, hdcas, store.Values{"deleted": true})
		})
	case "change_dbkey":
		ids, err := inside()
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		return nil, s.DB.Write(ctx, func(tx *store.Tx) error { return store.SetGenomeBuild(ctx, tx, ids, b.GenomeBuild) })
	case "change_datatype":
		ids, err := inside()
		if err != nil {
			return nil, err
		}
		for _, id := range ids { // each reads a file
			if err := s.Datasets.Retype(ctx, id, b.Datatype); err != nil {
				failed = append(failed, BulkError{store.ContentDataset, id, err})
			}
		}
		return failed, nil
	case "add_tags":
		return nil, tag(func(tx *store.Tx, k store.TagKind, ids []int64) error {
			return store.AddTags(ctx, tx, k, ids, a.UserID(), b.Tags)
		})
	}
	return nil, tag(func(tx *store.Tx, k store.TagKind, ids []int64) error {
		return store.RemoveTags(ctx, tx, k, ids, b.Tags)
	})
}
