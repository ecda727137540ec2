package store

import (
	"context"
	"time"

	"orrery/internal/galaxy"
)

// StoredItem is a dataset or a history that takes space.
type StoredItem struct {
	ID         int64
	Name       string
	Bytes      int64
	UpdateTime time.Time
}

// StoredItemQuery picks the items that a person may want to be rid of.
type StoredItemQuery struct {
	UserID int64
	// Kind is one of DiscardedDatasets, DiscardedHistories, ArchivedHistories.
	Kind          StoredKind
	Order         string // name, size or update_time with -asc or -dsc; "" for the order of ids
	Limit, Offset int    // a Limit of 0 means 1,000
}

// StoredKind says which items take space needlessly.
type StoredKind int

// What is deleted but not removed from disk yet, and what was put away.
const (
	DiscardedDatasets StoredKind = iota
	DiscardedHistories
	ArchivedHistories
)

// historyBytes is the size of a history h: that of the different datasets in it.
const historyBytes = `(SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d WHERE d.purged = FALSE AND EXISTS (
	SELECT 1 FROM history_dataset_association a WHERE a.dataset_id = d.id AND a.history_id = h.id AND a.purged = FALSE))`

// items is the query of one kind, with the columns id, name, bytes and
// update_time; its one argument is the user.
func (k StoredKind) items() string {
	const histories = `SELECT h.id, h.name, ` + historyBytes + ` AS bytes, h.update_time FROM history h
		WHERE h.user_id = ? AND h.purged = FALSE AND `
	switch k {
	case DiscardedHistories:
		return histories + `h.deleted = TRUE`
	case ArchivedHistories:
		return histories + `h.archived = TRUE AND h.deleted = FALSE`
	default:
		return `SELECT a.id, a.name, COALESCE(d.total_size, d.file_size, 0) AS bytes, a.update_time FROM history_dataset_association a
			JOIN dataset d ON d.id = a.dataset_id JOIN history h ON h.id = a.history_id
			WHERE h.user_id = ? AND a.deleted = TRUE AND a.purged = FALSE`
	}
}

// storedOrders are the orders that a list may be asked in.
var storedOrders = map[string]string{
	"": "id", "name-asc": "name, id", "name-dsc": "name DESC, id DESC", "size-asc": "bytes, id", "size-dsc": "bytes DESC, id DESC",
	"update_time-asc": "update_time, id", "update_time-dsc": "update_time DESC, id DESC",
}

// StoredItems lists items; an order that is none is an error of kind
// galaxy.Invalid.
func StoredItems(ctx context.Context, q Querier, sq StoredItemQuery) ([]StoredItem, error) {
	order, ok := storedOrders[sq.Order]
	if !ok {
		return nil, galaxy.Errorf(galaxy.Invalid, "The order must be name, size or update_time, followed by -asc or -dsc, not %q", sq.Order)
	}
	if sq.Limit <= 0 {
		sq.Limit = 1000
	}
	return Collect(ctx, q, func(r *Rows) (i StoredItem, err error) { return i, r.Scan(&i.ID, &i.Name, &i.Bytes, &i.UpdateTime) },
		`SELECT id, name, bytes, update_time FROM (`+sq.Kind.items()+`) items ORDER BY `+order+` LIMIT ? OFFSET ?`,
		sq.UserID, sq.Limit, sq.Offset)
}

// StoredSummary gives the number of items of a kind, and the bytes they take.
func StoredSummary(ctx context.Context, q Querier, userID int64, kind StoredKind) (items int, bytes int64, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM (`+kind.items()+`) items`, userID).Scan(&items, &bytes)
	return items, bytes, err
}
