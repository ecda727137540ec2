package api

import (
	"errors"

	"orrery/internal/dataset"
	"orrery/internal/galaxy"
	"orrery/internal/history"
	"orrery/internal/store"
)

// Storage is the API of the page where people free the space that their
// discarded data take.
type Storage struct {
	Datasets  *dataset.Service
	Histories *history.Service
}

// Register adds the routes.
func (s *Storage) Register(rt *Router) {
	for path, kind := range map[string]store.StoredKind{
		"/api/storage/datasets/discarded": store.DiscardedDatasets, "/api/storage/histories/discarded": store.DiscardedHistories,
		"/api/storage/histories/archived": store.ArchivedHistories,
	} {
		rt.Handle("GET "+path, func(r *Request) (any, error) { return s.list(r, kind) })
		rt.Handle("GET "+path+"/summary", func(r *Request) (any, error) { return s.summary(r, kind) })
	}
	rt.Handle("DELETE /api/storage/datasets", s.removeDatasets)
	rt.Handle("DELETE /api/storage/histories", s.removeHistories)
}

func (s *Storage) summary(r *Request, kind store.StoredKind) (any, error) {
	if err := r.RequireUser(); err != nil {
		return nil, err
	}
	items, bytes, err := store.StoredSummary(r.Ctx(), s.Datasets.DB, r.Actor.UserID(), kind)
	return map[string]int64{"total_size": bytes, "total_items": int64(items)}, err
}

type storedItemJSON struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Bytes      int64  `json:"size"`
	UpdateTime string `json:"update_time"`
}

func (s *Storage) list(r *Request, kind store.StoredKind) (any, error) {
	if err := r.RequireUser(); err != nil {
		return nil, err
	}
	q := store.StoredItemQuery{UserID: r.Actor.UserID(), Kind: kind, Order: r.Param("order")}
	var err error
	if q.Limit, err = r.Int("limit", 0, 0); err != nil {
		return nil, err
	}
	if q.Offset, err = r.Int("offset", 0, 0); err != nil {
		return nil, err
	}
	items, err := store.StoredItems(r.Ctx(), s.Datasets.DB, q)
	if err != nil {
		return nil, err
	}
	of := "history"
	if kind == store.DiscardedDatasets {
		of = "dataset"
	}
	out := make([]storedItemJSON, len(items))
	for i, item := range items {
		out[i] = storedItemJSON{r.EncodeID(item.ID), item.Name, of, item.Bytes, apiTime(item.UpdateTime)}
	}
	return out, nil
}

type cleanupError struct {
	ID      string `json:"item_id"`
	Message string `json:"error"`
}

type cleanup struct {
	Total  int            `json:"total_item_count"`
	Done   int            `json:"success_item_count"`
	Freed  int64          `json:"total_free_bytes"`
	Errors []cleanupError `json:"errors"`
}

func (s *Storage) removeDatasets(r *Request) (any, error) {
	return s.remove(r, func(id int64) error {
		if _, err := s.Datasets.Owned(r.Ctx(), r.Actor, id); err != nil {
			return err
		}
		return s.Datasets.Purge(r.Ctx(), []int64{id})
	})
}

func (s *Storage) removeHistories(r *Request) (any, error) {
	return s.remove(r, func(id int64) error {
		_, err := s.Histories.Delete(r.Ctx(), r.Actor, []int64{id}, true)
		return err
	})
}

// remove purges items one by one, so that one that may not be purged keeps none
// of the others, and tells how much the person's usage went down.
func (s *Storage) remove(r *Request, purge func(id int64) error) (any, error) {
	if err := r.RequireUser(); err != nil {
		return nil, err
	}
	p, err := r.payload()
	if err != nil {
		return nil, err
	}
	encoded, err := p.texts("item_ids")
	if err != nil || encoded == nil {
		return nil, badRequest("Say with item_ids what to remove.")
	}
	ids, err := r.decodeIDs(*encoded)
	if err != nil {
		return nil, err
	}
	before, err := store.UserByID(r.Ctx(), s.Datasets.DB, r.Actor.UserID())
	if err != nil {
		return nil, err
	}
	out := cleanup{Total: len(ids), Errors: []cleanupError{}}
	for i, id := range ids {
		err := purge(id)
		var ge *galaxy.Error
		switch {
		case err == nil:
			out.Done++
		case errors.As(err, &ge):
			out.Errors = append(out.Errors, cleanupError{(*encoded)[i], ge.Message})
		default:
			return nil, err
		}
	}
	after, err := store.UserByID(r.Ctx(), s.Datasets.DB, r.Actor.UserID())
	if err != nil {
		return nil, err
	}
	out.Freed = max(0, before.DiskUsage-after.DiskUsage)
	return out, nil
}
