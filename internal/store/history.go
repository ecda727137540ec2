package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// History is a row of history with its owner's name.
type History struct {
	ID int64
	// UserID is 0 for a visitor's history.
	UserID int64
	// Username is the owner's public name, or empty.
	Username string
	Name     string
	// CreateTime and UpdateTime are UTC; the latter is the last change of the
	// history or anything in it.
	CreateTime, UpdateTime time.Time
	// HIDCounter is the number that the next content gets.
	HIDCounter int64
	// GenomeBuild is nil when it was never set.
	GenomeBuild           *string
	Deleted, Purged       bool
	Importable, Published bool
	Archived              bool
	// Slug is the last part of the address of an importable history, or empty.
	Slug                   string
	PreferredObjectStoreID string
}

// Count is the number of contents that the history ever had.
func (h *History) Count() int64 { return max(h.HIDCounter-1, 0) }

// historyUpdated is the last change of history h, from the audit that triggers
// keep.
const historyUpdated = `COALESCE((SELECT MAX(a.update_time) FROM history_audit a WHERE a.history_id = h.id), h.update_time)`

const historyColumns = `h.id, h.user_id, u.username, h.name, h.create_time, ` + historyUpdated + `, h.hid_counter, h.genome_build,
	h.deleted, h.purged, h.importable, h.published, h.archived, h.slug, h.preferred_object_store_id`

const historyFrom = ` FROM history h LEFT JOIN galaxy_user u ON u.id = h.user_id`

func scanHistory(r *Rows) (h History, err error) {
	return h, r.Scan(&h.ID, &h.UserID, &h.Username, &h.Name, &h.CreateTime, &h.UpdateTime, &h.HIDCounter, &h.GenomeBuild,
		&h.Deleted, &h.Purged, &h.Importable, &h.Published, &h.Archived, &h.Slug, &h.PreferredObjectStoreID)
}

// HistorySeen is the last change of a history as a client that polls is told it.
// A change bears the time at which it was made and is seen once its transaction
// is committed, so that a later one can be seen first; who asks for what is newer
// than that would never hear of the earlier one. So each change of the last
// seconds adds a microsecond: whatever comes to light makes the answer later.
func HistorySeen(ctx context.Context, q Querier, h *History) (time.Time, error) {
	const longest = 10 * time.Second // that a transaction may take
	var changes int64
	err := q.QueryRow(ctx, "SELECT count(*) FROM history_audit WHERE history_id = ? AND update_time > ?", h.ID, h.UpdateTime.Add(-longest)).Scan(&changes)
	return h.UpdateTime.Add(time.Duration(changes) * time.Microsecond), err
}

// HistoryByID reads one history; an error of kind galaxy.NotFound without it.
func HistoryByID(ctx context.Context, q Querier, id int64) (*History, error) {
	found, err := Histories(ctx, q, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "History not found")
	}
	return &found[0], nil
}

// Histories reads histories by their ids, in the order of the ids. An id that
// does not exist is left out.
func Histories(ctx context.Context, q Querier, ids []int64) ([]History, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", ids)
	found, err := Collect(ctx, q, scanHistory, "SELECT "+historyColumns+historyFrom+" WHERE "+cond, arg)
	if err != nil {
		return nil, err
	}
	at := make(map[int64]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(found, func(a, b History) int { return cmp.Compare(at[a.ID], at[b.ID]) })
	return found, nil
}

// HistoryQuery selects histories for a list.
type HistoryQuery struct {
	// OwnerID limits the list to one user's histories unless 0.
	OwnerID int64
	// Published and SharedWith widen the list: with OwnerID or each other, a
	// history that fits one of them is listed.
	Published  bool
	SharedWith int64
	// Everyone lists all histories, whatever stands above.
	Everyone bool
	// Deleted, Purged and Archived limit the list unless nil.
	Deleted, Purged, Archived *bool
	Filters                   []Filter
	// Search are the terms of a search, all of which must fit.
	Search []SearchTerm
	// Order is for example "update_time-dsc"; empty means newest first.
	Order string
	// Limit is 0 for none.
	Limit, Offset int
	// DecodeID decodes the ids of the filter encoded_id.
	DecodeID func(string) (int64, error)
}

// SearchTerm is one term of a search: a text, or a text that one field must
// hold.
type SearchTerm struct {
	// Field is empty or one of those that the list can be searched by.
	Field, Text string
	// Exact is set for a text in quotes.
	Exact bool
}

var historyOrders = map[string]string{
	"create_time": "h.create_time", "update_time": historyUpdated, "name": "h.name", "username": "u.username",
	"size": `(SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d WHERE d.purged = FALSE AND EXISTS (
		SELECT 1 FROM history_dataset_association x WHERE x.dataset_id = d.id AND x.purged = FALSE AND x.history_id = h.id))`,
}

// orderBy turns Galaxy's `order` parameter into SQL: one or more attributes,
// each with -asc or -dsc (the default).
func orderBy(q Querier, order string, columns map[string]string, available []string) (string, error) {
	var parts []string
	for one := range strings.SplitSeq(order, ",") {
		name, direction := strings.TrimSpace(one), " DESC"
		if n, ok := strings.CutSuffix(name, "-asc"); ok {
			name, direction = n, " ASC"
		} else {
			name = strings.TrimSuffix(name, "-dsc")
		}
		column, ok := columns[name]
		if !ok || len(parts) == 8 {
			return "", &galaxy.Error{Kind: galaxy.Invalid, Message: "Unknown order_by",
				Details: map[string]any{"order_by": one, "available": available}}
		}
		if name == "size" && q.Engine() == PostgreSQL {
			// A size that is not known yet counts as the smallest, as the others have it
			// by themselves.
			direction += map[string]string{" DESC": " NULLS LAST", " ASC": " NULLS FIRST"}[direction]
		}
		parts = append(parts, column+direction)
	}
	return strings.Join(parts, ", "), nil
}

func (hq *HistoryQuery) where(q Querier) (condition, error) {
	var w condition
	if !hq.Everyone {
		var some condition
		or := func(sql string, args ...any) {
			if some.sql != "" {
				some.sql += " OR "
			}
			some.sql += sql
			some.args = append(some.args, args...)
		}
		if hq.OwnerID != 0 {
			or("h.user_id = ?", hq.OwnerID)
		}
		if hq.Published {
			or("h.published = TRUE")
		}
		if hq.SharedWith != 0 {
			or("h.id IN (SELECT s.history_id FROM history_user_share_association s WHERE s.user_id = ?)", hq.SharedWith)
		}
		if some.sql == "" {
			some.sql = "1 = 0"
		}
		w.and("("+some.sql+")", some.args...)
	}
	for _, flag := range []struct {
		column string
		want   *bool
	}{{"h.deleted", hq.Deleted}, {"h.purged", hq.Purged}, {"h.archived", hq.Archived}} {
		if flag.want != nil {
			w.and(flag.column+" = ?", *flag.want)
		}
	}
	for _, f := range hq.Filters {
		if err := hq.filter(q, &w, f); err != nil {
			return w, err
		}
	}
	for _, term := range hq.Search {
		text := contains(strings.ToLower(term.Text))
		name := `lower(h.name) LIKE ? ESCAPE '\'`
		user := `lower(u.username) LIKE ? ESCAPE '\'`
		tag := `EXISTS (SELECT 1 FROM history_tag_association t WHERE t.history_id = h.id
			AND lower(t.user_tname || ':' || COALESCE(t.user_value, '')) LIKE ? ESCAPE '\')`
		switch term.Field {
		case "name":
			w.and(name, text)
		case "user":
			w.and(user, text)
		case "tag":
			w.and(tag, text)
		default:
			w.and("("+name+" OR "+user+" OR "+tag+")", text, text, text)
		}
	}
	if w.sql == "" {
		w.sql = "1 = 1"
	}
	return w, nil
}

func (hq *HistoryQuery) filter(q Querier, w *condition, f Filter) error {
	switch f.Attr {
	case "deleted", "purged", "importable", "published":
		if f.Op != "eq" {
			return f.bad()
		}
		v, err := f.bool()
		if err != nil {
			return err
		}
		w.and("h."+f.Attr+" = ?", v)
	case "name", "genome_build", "slug":
		sql, arg, ok := f.text("h." + f.Attr)
		if !ok {
			return f.bad()
		}
		w.and(sql, arg)
	case "username":
		if f.Op != "eq" && f.Op != "contains" {
			return f.bad()
		}
		f.Value = strings.ToLower(f.Value)
		sql, arg, _ := f.text("lower(u.username)")
		w.and(sql, arg)
	case "create_time", "update_time":
		column := "h.create_time"
		if f.Attr == "update_time" {
			column = historyUpdated
		}
		sql, ok := f.order(column)
		if !ok || f.Op == "eq" {
			return f.bad()
		}
		t, err := f.date()
		if err != nil {
			return err
		}
		w.and(sql, t)
	case "tag":
		sql, arg, err := f.tagCondition(TagHistory, "h.id")
		if err != nil {
			return err
		}
		w.and(sql, arg)
	case "annotation":
		sql, arg, err := f.annotationCondition(TagHistory, "h.id")
		if err != nil {
			return err
		}
		w.and(sql, arg)
	case "encoded_id", "id":
		ids, err := f.ids(hq.DecodeID)
		if err != nil {
			return err
		}
		cond, arg := AnyOf(q, "h.id", ids)
		w.and(cond, arg)
	default:
		return f.bad()
	}
	return nil
}

// ids decodes a list of encoded ids.
func (f Filter) ids(decode func(string) (int64, error)) ([]int64, error) {
	if f.Op != "in" || decode == nil {
		return nil, f.bad()
	}
	texts, err := f.list()
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(texts))
	for i, t := range texts {
		if ids[i], err = decode(t); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// ListHistories gives a page of a list of histories.
func ListHistories(ctx context.Context, q Querier, hq HistoryQuery) ([]History, error) {
	w, err := hq.where(q)
	if err != nil {
		return nil, err
	}
	order, err := orderBy(q, cmp.Or(hq.Order, "create_time-dsc"), historyOrders, []string{"create_time", "update_time", "name", "size"})
	if err != nil {
		return nil, err
	}
	query, args := page("SELECT "+historyColumns+historyFrom+" WHERE "+w.sql+" ORDER BY "+order+", h.id DESC", w.args, hq.Limit, hq.Offset)
	return Collect(ctx, q, scanHistory, query, args...)
}

// CountHistories counts what ListHistories would list without limit.
func CountHistories(ctx context.Context, q Querier, hq HistoryQuery) (n int, err error) {
	w, err := hq.where(q)
	if err != nil {
		return 0, err
	}
	return n, q.QueryRow(ctx, "SELECT COUNT(*)"+historyFrom+" WHERE "+w.sql, w.args...).Scan(&n)
}

// MostRecentHistory gives the user's history that changed last and is not
// deleted; ErrNoRows without one.
func MostRecentHistory(ctx context.Context, q Querier, userID int64) (*History, error) {
	found, err := Collect(ctx, q, scanHistory, "SELECT "+historyColumns+historyFrom+` WHERE h.user_id = ? AND h.deleted = FALSE
		ORDER BY `+historyUpdated+` DESC, h.id DESC LIMIT 1`, userID)
	if err == nil && len(found) == 0 {
		err = ErrNoRows
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

// CreateHistory adds a history with its owner's default permissions and gives
// its id. UserID (0 for a visitor), Name, GenomeBuild and
// PreferredObjectStoreID are taken from h.
func CreateHistory(ctx context.Context, tx *Tx, h History) (int64, error) {
	id, err := Insert(ctx, tx, "history", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "user_id": OrNull(h.UserID), "name": Clip(cmp.Or(h.Name, UnnamedHistory), 255),
		"hid_counter": 1, "deleted": false, "purged": false, "importing": false, "genome_build": h.GenomeBuild,
		"importable": false, "published": false, "archived": false,
		"preferred_object_store_id": OrNull(h.PreferredObjectStoreID),
	})
	if err != nil || h.UserID == 0 {
		return id, err
	}
	return id, CopyUserPermissionsToHistory(ctx, tx, h.UserID, id)
}

// UpdateHistories sets columns of histories.
func UpdateHistories(ctx context.Context, tx *Tx, ids []int64, set Values) error {
	set["update_time"] = tx.Now()
	assignments, args := assign(set)
	cond, arg := AnyOf(tx, "id", ids)
	_, err := tx.Exec(ctx, "UPDATE history SET "+assignments+" WHERE "+cond, append(args, arg)...)
	return err
}

// SlugTaken tells whether a user has another history with that slug.
func SlugTaken(ctx context.Context, q Querier, userID, historyID int64, slug string) (bool, error) {
	ids, err := Column[int64](ctx, q, `SELECT id FROM history WHERE user_id = ? AND slug = ? AND id <> ? LIMIT 1`, userID, slug, historyID)
	return len(ids) > 0, err
}

// HistorySizes sums, by history, the bytes of the datasets that are in it, each
// counted once. One query.
func HistorySizes(ctx context.Context, q Querier, ids []int64) (map[int64]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "a.history_id", ids)
	return int64Map(ctx, q, `SELECT x.history_id, SUM(COALESCE(d.total_size, d.file_size, 0)) FROM (
		SELECT DISTINCT a.history_id, a.dataset_id FROM history_dataset_association a WHERE `+cond+` AND a.purged = FALSE) x
		JOIN dataset d ON d.id = x.dataset_id WHERE d.purged = FALSE GROUP BY x.history_id`, arg)
}

func int64Map(ctx context.Context, q Querier, query string, args ...any) (map[int64]int64, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]int64{}
	for rows.Next() {
		var k, v int64
		if err := rows.Scan(&k, &v); err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, rows.Err()
}

// ContentCounts tells how many contents of a history are deleted, hidden, or
// neither; one that is both counts in both.
type ContentCounts struct {
	Active  int64 `json:"active"`
	Hidden  int64 `json:"hidden"`
	Deleted int64 `json:"deleted"`
}

// CountContents counts the contents of histories, by history. One query.
func CountContents(ctx context.Context, q Querier, ids []int64) (map[int64]ContentCounts, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	one := func(table string) (string, any) {
		cond, arg := AnyOf(q, "history_id", ids)
		return `SELECT history_id, SUM(CASE WHEN deleted THEN 1 ELSE 0 END) AS deleted, SUM(CASE WHEN visible THEN 0 ELSE 1 END) AS hidden,
			SUM(CASE WHEN visible AND NOT deleted THEN 1 ELSE 0 END) AS active FROM ` + table + ` WHERE ` + cond + ` GROUP BY history_id`, arg
	}
	datasets, arg := one("history_dataset_association")
	collections, arg2 := one("history_dataset_collection_association")
	rows, err := q.Query(ctx, datasets+" UNION ALL "+collections, arg, arg2)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]ContentCounts{}
	for rows.Next() {
		var id int64
		var c ContentCounts
		if err := rows.Scan(&id, &c.Deleted, &c.Hidden, &c.Active); err != nil {
			return nil, err
		}
		sum := out[id]
		out[id] = ContentCounts{Active: sum.Active + c.Active, Hidden: sum.Hidden + c.Hidden, Deleted: sum.Deleted + c.Deleted}
	}
	return out, rows.Err()
}

// ContentState is the state of one dataset of a history.
type ContentState struct {
	HDAID   int64
	State   galaxy.DatasetState
	Deleted bool
}

// StatesByHistory reads the states of all datasets of histories, in the order
// of their numbers. One query.
func StatesByHistory(ctx context.Context, q Querier, ids []int64) (map[int64][]ContentState, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.history_id", ids)
	rows, err := q.Query(ctx, `SELECT h.history_id, h.id, COALESCE(h.state, d.state), h.deleted`+hdaFrom+` WHERE `+cond+` ORDER BY h.hid, h.id`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64][]ContentState{}
	for rows.Next() {
		var id int64
		var s ContentState
		var state string
		if err := rows.Scan(&id, &s.HDAID, &state, &s.Deleted); err != nil {
			return nil, err
		}
		s.State = galaxy.DatasetState(state)
		out[id] = append(out[id], s)
	}
	return out, rows.Err()
}

// ActiveStates counts the contents of histories that are neither deleted nor
// hidden, by history and state. One query.
func ActiveStates(ctx context.Context, q Querier, ids []int64) (map[int64]map[string]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.history_id", ids)
	const active = " AND h.deleted = FALSE AND h.visible = TRUE"
	rows, err := q.Query(ctx, `SELECT id, s, COUNT(*) FROM (
		SELECT h.history_id AS id, d.state AS s`+hdaFrom+` WHERE `+cond+active+`
		UNION ALL SELECT h.history_id AS id, c.populated_state AS s`+hdcaFrom+` WHERE `+cond+active+`) x GROUP BY id, s`, arg, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]map[string]int64{}
	for rows.Next() {
		var id, n int64
		var state string
		if err := rows.Scan(&id, &state, &n); err != nil {
			return nil, err
		}
		if out[id] == nil {
			out[id] = map[string]int64{}
		}
		out[id][state] = n
	}
	return out, rows.Err()
}
