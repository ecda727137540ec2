package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// The two kinds of contents of a history, by Galaxy's names.
const (
	ContentDataset    = "dataset"
	ContentCollection = "dataset_collection"
)

// HDCA is a dataset collection in a history: a row of
// history_dataset_collection_association with its collection's.
type HDCA struct {
	ID, HistoryID, HID     int64
	CollectionID           int64
	Name                   string
	CreateTime, UpdateTime time.Time
	// CollectionCreated and CollectionUpdated are the times of the collection
	// itself, which newer lists show.
	CollectionCreated, CollectionUpdated time.Time
	Deleted, Visible                     bool
	CollectionType                       string
	PopulatedState                       string
	PopulatedMessage                     string
	ElementCount                         int64
	// JobID and ImplicitJobsID name what makes the collection; 0 if nothing.
	JobID, ImplicitJobsID int64
}

const hdcaColumns = `h.id, h.history_id, h.hid, h.collection_id, h.name, h.create_time, h.update_time, h.deleted, h.visible,
	c.create_time, c.update_time, c.collection_type, c.populated_state, c.populated_state_message, c.element_count, h.job_id,
	h.implicit_collection_jobs_id`

const hdcaFrom = ` FROM history_dataset_collection_association h JOIN dataset_collection c ON c.id = h.collection_id`

func scanHDCA(r *Rows) (h HDCA, err error) {
	return h, r.Scan(&h.ID, &h.HistoryID, &h.HID, &h.CollectionID, &h.Name, &h.CreateTime, &h.UpdateTime, &h.Deleted, &h.Visible,
		&h.CollectionCreated, &h.CollectionUpdated, &h.CollectionType, &h.PopulatedState, &h.PopulatedMessage, &h.ElementCount, &h.JobID, &h.ImplicitJobsID)
}

// HDCAs reads collections in histories by their ids. An id that does not exist
// is left out.
func HDCAs(ctx context.Context, q Querier, ids []int64) ([]HDCA, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", ids)
	return Collect(ctx, q, scanHDCA, "SELECT "+hdcaColumns+hdcaFrom+" WHERE "+cond, arg)
}

// Content is one item of a history: exactly one of its fields is set.
type Content struct {
	HDA  *HDA
	HDCA *HDCA
}

// Type is ContentDataset or ContentCollection.
func (c Content) Type() string {
	if c.HDCA != nil {
		return ContentCollection
	}
	return ContentDataset
}

// ContentQuery selects contents of a history, or of all histories of a user.
type ContentQuery struct {
	HistoryID int64
	// UserID is used when HistoryID is 0.
	UserID  int64
	Filters []Filter
	// Order is for example "hid-dsc"; empty means "hid-asc".
	Order string
	// Limit is 0 for none.
	Limit, Offset int
	// IDs, when not nil, and Types, when not empty, limit the contents to some
	// (ids of either kind), Deleted and Visible to those with that mark.
	IDs              []int64
	Types            []string
	Deleted, Visible *bool
	// DecodeID decodes the ids of the filters encoded_id and type_id.
	DecodeID func(string) (int64, error)
	// Slim leaves out what a summary does not show: peek, info, blurb and the
	// metadata but for the genome build.
	Slim bool
}

// branch is one half of the union of datasets and collections.
type branch struct {
	kind    string
	from    string
	columns map[string]string // what filters and orders name
	tags    TagKind
	where   condition
}

func newBranches() [2]branch {
	shared := func(more map[string]string) map[string]string {
		for _, c := range []string{"history_id", "hid", "name", "deleted", "visible", "create_time", "update_time"} {
			more[c] = "h." + c
		}
		return more
	}
	return [2]branch{
		{kind: ContentDataset, from: hdaFrom, tags: TagHDA, columns: shared(map[string]string{
			"extension": "h.extension", "state": "d.state", "object_store_id": "d.object_store_id", "purged": "h.purged",
			"size": "d.file_size",
		})},
		{kind: ContentCollection, from: hdcaFrom, tags: TagHDCA, columns: shared(map[string]string{
			"extension": "NULL", "state": "c.populated_state", "object_store_id": "NULL", "purged": "FALSE", "size": "NULL",
		})},
	}
}

// unseen is added to «what has changed since»: a row carries the time at which
// its transaction began, and is seen only once that is committed. The client
// asks for what changed since it asked last, and would miss for ever what was
// under way at that moment.
const unseen = 3 * time.Second

var contentOrders = []string{"create_time", "extension", "hid", "history_id", "name", "update_time", "size"}

// never is a condition that nothing fulfils.
const never = "1 = 0"

func (cq *ContentQuery) branches(q Querier) ([]branch, error) {
	both := newBranches()
	var out []branch
	for i := range both {
		b := &both[i]
		if len(cq.Types) > 0 && !slices.Contains(cq.Types, b.kind) {
			continue
		}
		if cq.HistoryID != 0 {
			b.where.and("h.history_id = ?", cq.HistoryID)
		} else {
			b.where.and("h.history_id IN (SELECT id FROM history WHERE user_id = ?)", cq.UserID)
		}
		if cq.IDs != nil {
			cond, arg := AnyOf(q, "h.id", cq.IDs)
			b.where.and(cond, arg)
		}
		if cq.Deleted != nil {
			b.where.and("h.deleted = ?", *cq.Deleted)
		}
		if cq.Visible != nil {
			b.where.and("h.visible = ?", *cq.Visible)
		}
		for _, f := range cq.Filters {
			if err := cq.filter(q, b, f); err != nil {
				return nil, err
			}
		}
		if !strings.Contains(b.where.sql, never) {
			out = append(out, *b)
		}
	}
	return out, nil
}

// filter adds one filter to a branch.
func (cq *ContentQuery) filter(q Querier, b *branch, f Filter) error {
	column := b.columns[f.Attr]
	switch f.Attr {
	case "history_content_type":
		if f.Op != "eq" || (f.Value != ContentDataset && f.Value != ContentCollection) {
			return f.refused(f.Value, "bad op in filter")
		}
		if f.Value != b.kind {
			b.where.and(never)
		}
	case "deleted", "visible", "purged":
		if f.Op != "eq" {
			return f.bad()
		}
		if strings.EqualFold(f.Value, "none") {
			return nil
		}
		v, err := f.bool()
		if err != nil {
			return err
		}
		b.where.and(column+" = ?", v)
	case "name":
		sql, arg, ok := f.text(column)
		if !ok {
			return f.bad()
		}
		b.where.and(sql, arg)
	case "hid":
		return cq.filterHID(q, b, f)
	case "related":
		return cq.filterRelated(b, f)
	case "create_time", "update_time":
		sql, ok := f.order(column)
		if !ok || f.Op == "eq" {
			return f.refused(f.Value, "bad op in filter")
		}
		t, err := f.date()
		if err != nil {
			return err
		}
		if f.Attr == "update_time" && f.Op == "ge" {
			t = t.Add(-unseen)
		}
		b.where.and(sql, t)
	case "state":
		return f.oneOf(q, b, column, func(v string) bool { return slices.Contains(galaxy.DatasetStates, galaxy.DatasetState(v)) })
	case "object_store_id":
		return f.oneOf(q, b, column, nil)
	case "quota_source_label":
		if f.Op != "eq" {
			return f.refused(f.Value, "bad op in filter")
		}
		if f.Value != "__null__" { // no object store of this server has a label
			b.where.and(never)
		}
	case "extension":
		return cq.filterExtension(q, b, f)
	case "type_id":
		return cq.filterTypeID(q, b, f)
	case "encoded_id", "id":
		ids, err := f.ids(cq.DecodeID)
		if err != nil {
			return err
		}
		cond, arg := AnyOf(q, "h.id", ids)
		b.where.and(cond, arg)
	case "tag":
		sql, arg, err := f.tagCondition(b.tags, "h.id")
		if err != nil {
			return err
		}
		b.where.and(sql, arg)
	case "annotation":
		sql, arg, err := f.annotationCondition(b.tags, "h.id")
		if err != nil {
			return err
		}
		b.where.and(sql, arg)
	case "genome_build":
		return f.genomeBuild(q, b)
	case "tool_id":
		return f.tool(b)
	default:
		return f.bad()
	}
	return nil
}

// oneOf is an equal-to or in-list filter, with the values checked by valid
// unless it is nil.
func (f Filter) oneOf(q Querier, b *branch, column string, valid func(string) bool) error {
	values := []string{f.Value}
	if f.Op == "in" {
		var err error
		if values, err = f.list(); err != nil {
			return err
		}
	} else if f.Op != "eq" {
		return f.refused(f.Value, "bad op in filter")
	}
	for _, v := range values {
		if valid != nil && !valid(v) {
			return f.refused(v, "invalid "+f.Attr+" in filter")
		}
	}
	if column == "NULL" {
		b.where.and(never)
		return nil
	}
	cond, arg := AnyOfText(q, column, values)
	b.where.and(cond, arg)
	return nil
}

func (cq *ContentQuery) filterHID(q Querier, b *branch, f Filter) error {
	if f.Op == "in" {
		texts, err := f.list()
		if err != nil {
			return err
		}
		hids := make([]int64, len(texts))
		for i, t := range texts {
			if hids[i], err = strconv.ParseInt(strings.TrimSpace(t), 10, 32); err != nil {
				return f.unparsable(errors.New("a number is needed"))
			}
		}
		cond, arg := AnyOf(q, "h.hid", hids)
		b.where.and(cond, arg)
		return nil
	}
	sql, ok := f.order("h.hid")
	if !ok {
		return f.bad()
	}
	n, err := strconv.ParseInt(strings.TrimSpace(f.Value), 10, 32)
	if err != nil {
		return f.unparsable(fmt.Errorf("invalid literal for int() with base 10: %q", f.Value))
	}
	b.where.and(sql, n)
	return nil
}

// filterRelated keeps what a job connects with the content of that number: what
// it was made from, what was made from it, and itself.
func (cq *ContentQuery) filterRelated(b *branch, f Filter) error {
	if f.Op != "eq" {
		return f.refused(f.Value, "bad op in filter")
	}
	hid, err := strconv.ParseInt(f.Value, 10, 32)
	if err != nil {
		return f.unparsable(errors.New("invalid type in filter"))
	}
	const root = `(SELECT r.id FROM history_dataset_association r WHERE r.history_id = ? AND r.hid = ?)`
	b.where.and(`(h.hid = ? OR h.hid IN (SELECT x.hid FROM history_dataset_association x WHERE x.history_id = ? AND x.id IN (
		SELECT i.dataset_id FROM job_to_input_dataset i JOIN job_to_output_dataset o ON o.job_id = i.job_id WHERE o.dataset_id IN `+root+`
		UNION SELECT o.dataset_id FROM job_to_output_dataset o JOIN job_to_input_dataset i ON o.job_id = i.job_id WHERE i.dataset_id IN `+root+`)))`,
		hid, cq.HistoryID, cq.HistoryID, hid, cq.HistoryID, hid)
	return nil
}

func (cq *ContentQuery) filterExtension(q Querier, b *branch, f Filter) error {
	values := []string{f.Value}
	switch f.Op {
	case "eq":
	case "in":
		var err error
		if values, err = f.list(); err != nil {
			return err
		}
		if len(values) == 0 {
			return f.refused(f.Value, "empty extension list")
		}
	case "like":
		if b.kind == ContentCollection {
			b.where.and(never)
			return nil
		}
		b.where.and(`h.extension LIKE ? ESCAPE '\'`, f.Value)
		return nil
	default:
		return f.bad()
	}
	if b.kind == ContentDataset {
		cond, arg := AnyOfText(q, "h.extension", values)
		b.where.and(cond, arg)
		return nil
	}
	// A collection fits when every dataset in it does, at any depth.
	scope, of := "x.history_id = ?", cq.HistoryID
	if of == 0 {
		scope, of = "x.history_id IN (SELECT id FROM history WHERE user_id = ?)", cq.UserID
	}
	leaves := `WITH RECURSIVE inside(root, id) AS (SELECT x.collection_id, x.collection_id
			FROM history_dataset_collection_association x WHERE x.collection_id IS NOT NULL AND ` + scope + ` UNION
		SELECT inside.root, e.child_collection_id FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		WHERE e.child_collection_id IS NOT NULL)
		SELECT inside.root FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		JOIN history_dataset_association l ON l.id = e.hda_id`
	cond, arg := AnyOfText(q, "l.extension", values)
	b.where.and("h.collection_id IN ("+leaves+") AND h.collection_id NOT IN ("+leaves+" WHERE NOT ("+cond+"))", of, of, arg)
	return nil
}

func (cq *ContentQuery) filterTypeID(q Querier, b *branch, f Filter) error {
	if f.Op != "eq" && f.Op != "in" {
		return f.refused(f.Value, "bad op in filter")
	}
	texts, err := f.list()
	if err != nil {
		return err
	}
	var ids []int64
	for _, t := range texts {
		kind, encoded, _ := strings.Cut(t, "-")
		if cq.DecodeID == nil {
			return f.bad()
		}
		id, err := cq.DecodeID(encoded)
		if err != nil {
			return err
		}
		if kind == b.kind {
			ids = append(ids, id)
		}
	}
	cond, arg := AnyOf(q, "h.id", ids)
	b.where.and(cond, arg)
	return nil
}

// genomeBuild looks for the genome build where it is kept, in the metadata: a
// text or a list of one.
func (f Filter) genomeBuild(q Querier, b *branch) error {
	if f.Op != "eq" && f.Op != "contains" && f.Op != "has" {
		return f.refused(f.Value, "bad op in filter")
	}
	if b.kind == ContentCollection {
		b.where.and(never)
		return nil
	}
	column := `json_extract(CAST(h.metadata AS TEXT), '$.dbkey')`
	switch q.Engine() {
	case PostgreSQL:
		column = `convert_from(h.metadata, 'UTF8')::json ->> 'dbkey'`
	case MySQL:
		const text = `CONVERT(h.metadata USING utf8mb4)`
		column = `CASE WHEN JSON_VALID(` + text + `) THEN JSON_UNQUOTE(JSON_EXTRACT(` + text + `, '$.dbkey')) END COLLATE utf8mb4_bin`
	}
	if f.Op == "eq" {
		b.where.and("("+column+" = ? OR "+column+" = ?)", f.Value, string(JSON([]string{f.Value})))
		return nil
	}
	b.where.and("lower("+column+`) LIKE ? ESCAPE '\'`, contains(strings.ToLower(f.Value)))
	return nil
}

func (f Filter) tool(b *branch) error {
	condition, arg := "j.tool_id = ?", any(f.Value)
	switch f.Op {
	case "eq":
	case "contains", "has":
		condition, arg = `lower(j.tool_id) LIKE ? ESCAPE '\'`, contains(strings.ToLower(f.Value))
	default:
		return f.bad()
	}
	if b.kind == ContentDataset {
		b.where.and(`EXISTS (SELECT 1 FROM job_to_output_dataset o JOIN job j ON j.id = o.job_id WHERE o.dataset_id = h.id AND `+condition+`)`, arg)
	} else {
		b.where.and(`EXISTS (SELECT 1 FROM job j WHERE j.id = h.job_id AND `+condition+`)`, arg)
	}
	return nil
}

// key is one item found, before it is read.
type contentKey struct {
	kind string
	id   int64
}

// Contents gives a page of the contents of a history, in two or three queries.
func Contents(ctx context.Context, q Querier, cq ContentQuery) ([]Content, error) {
	keys, err := contentKeys(ctx, q, cq)
	if err != nil {
		return nil, err
	}
	var datasets, collections []int64
	for _, k := range keys {
		if k.kind == ContentDataset {
			datasets = append(datasets, k.id)
		} else {
			collections = append(collections, k.id)
		}
	}
	hdas, err := hdaRows(ctx, q, datasets, cq.Slim)
	if err != nil {
		return nil, err
	}
	hdcas, err := HDCAs(ctx, q, collections)
	if err != nil {
		return nil, err
	}
	found := make(map[contentKey]Content, len(keys))
	for i := range hdas {
		found[contentKey{ContentDataset, hdas[i].ID}] = Content{HDA: &hdas[i]}
	}
	for i := range hdcas {
		found[contentKey{ContentCollection, hdcas[i].ID}] = Content{HDCA: &hdcas[i]}
	}
	out := make([]Content, 0, len(keys))
	for _, k := range keys {
		if c, ok := found[k]; ok { // else it went away between the queries
			out = append(out, c)
		}
	}
	return out, nil
}

func contentKeys(ctx context.Context, q Querier, cq ContentQuery) ([]contentKey, error) {
	branches, err := cq.branches(q)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for _, name := range contentOrders {
		named[name] = name
	}
	order, err := orderBy(q, cmp.Or(cq.Order, "hid-asc"), named, contentOrders)
	if err != nil || len(branches) == 0 {
		return nil, err
	}
	tie := " ASC"
	if strings.Contains(order, " DESC") {
		tie = " DESC"
	}
	order += ", id" + tie
	var names []string // the columns that the order uses
	for _, name := range contentOrders {
		if slices.ContainsFunc(strings.Split(order, ", "), func(part string) bool { return strings.HasPrefix(part, name+" ") }) {
			names = append(names, name)
		}
	}
	// Each half is cut to what the page can hold, so that an index in that order
	// serves it without reading the whole history.
	var query strings.Builder
	var args []any
	for i, b := range branches {
		if i > 0 {
			query.WriteString(" UNION ALL ")
		}
		half := "SELECT '" + b.kind + "' AS kind, h.id AS id"
		for _, name := range names {
			half += ", " + castNull(q.Engine(), b.columns[name], name) + " AS " + name
		}
		half += b.from + " WHERE " + b.where.sql
		args = append(args, b.where.args...)
		if cq.Limit > 0 {
			half, args = page(half+" ORDER BY "+order, args, cq.Limit+cq.Offset, 0)
		}
		query.WriteString("SELECT * FROM (" + half + ") b" + strconv.Itoa(i))
	}
	text, args := page("SELECT kind, id FROM ("+query.String()+") x ORDER BY "+order, args, cq.Limit, cq.Offset)
	return Collect(ctx, q, func(r *Rows) (k contentKey, err error) { return k, r.Scan(&k.kind, &k.id) }, text, args...)
}

// castNull gives a NULL of a union the type of the other half's column.
func castNull(engine Engine, expression, name string) string {
	if expression != "NULL" {
		return expression
	}
	if name == "size" {
		return "CAST(NULL AS DECIMAL)"
	}
	return engine.text("NULL")
}

// CountContentsMatching counts what Contents would give without limit.
func CountContentsMatching(ctx context.Context, q Querier, cq ContentQuery) (int, error) {
	branches, err := cq.branches(q)
	if err != nil || len(branches) == 0 {
		return 0, err
	}
	var parts []string
	var args []any
	for _, b := range branches {
		parts = append(parts, "SELECT COUNT(*) AS n"+b.from+" WHERE "+b.where.sql)
		args = append(args, b.where.args...)
	}
	var n int
	err = q.QueryRow(ctx, "SELECT SUM(n) FROM ("+strings.Join(parts, " UNION ALL ")+") x", args...).Scan(&n)
	return n, err
}

// slimColumns are what a summary shows of a dataset. The metadata is cut to the
// genome build where that is cheaper than reading it.
func slimColumns(engine Engine) string {
	dbkey := `CAST(json_object('dbkey', json_extract(CAST(h.metadata AS TEXT), '$.dbkey')) AS BLOB)`
	if engine != SQLite {
		dbkey = "h.metadata"
	}
	return `SELECT h.id, h.history_id, h.hid, h.create_time, h.update_time, h.state, h.name, h.extension, ` + dbkey + `,
		h.deleted, h.purged, h.visible, d.id, d.state, d.object_store_id` + hdaFrom + ` WHERE `
}

var (
	slimSQLite = slimColumns(SQLite)
	slimServer = slimColumns(PostgreSQL) // MySQL too
)

func scanSlim(r *Rows, h *HDA) error {
	var state, dstate string
	err := r.Scan(&h.ID, &h.HistoryID, &h.HID, &h.CreateTime, &h.UpdateTime, &state, &h.Name, &h.Extension, &h.Metadata,
		&h.Deleted, &h.Purged, &h.Visible, &h.Dataset.ID, &dstate, &h.Dataset.ObjectStoreID)
	h.OwnState, h.Dataset.State = galaxy.DatasetState(state), galaxy.DatasetState(dstate)
	return err
}

// hdaRows reads datasets by their ids, in no order.
func hdaRows(ctx context.Context, q Querier, ids []int64, slim bool) ([]HDA, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", ids)
	if !slim {
		return Collect(ctx, q, scanHDA, "SELECT "+hdaColumns+hdaFrom+" WHERE "+cond, arg)
	}
	query := slimSQLite
	if q.Engine() != SQLite {
		query = slimServer
	}
	rows, err := q.Query(ctx, query+cond, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := make([]HDA, 0, len(ids))
	for rows.Next() {
		out = append(out, HDA{})
		if err := scanSlim(rows, &out[len(out)-1]); err != nil {
			return nil, err
		}
	}
	return out, rows.Err()
}

// CreatingJob is the job that made a dataset, as much as a list shows of it.
type CreatingJob struct {
	ID     int64
	ToolID string
	// Imported tells that the job ran on another server.
	Imported bool
	// Resubmitted tells that the job was sent to another destination once.
	Resubmitted bool
}

// CreatingJobs finds, by the HDA, the jobs that made datasets: for a copy, the
// job that made its original. One query.
func CreatingJobs(ctx context.Context, q Querier, hdas []*HDA) (map[int64]CreatingJob, error) {
	if len(hdas) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(hdas))
	byDataset := map[int64][]int64{}
	for i, h := range hdas {
		ids[i] = h.ID
		byDataset[h.Dataset.ID] = append(byDataset[h.Dataset.ID], h.ID)
	}
	// A copy shares its dataset with the original, which is the only one of
	// them that a job names as its output.
	datasets := make([]int64, 0, len(byDataset))
	for id := range byDataset {
		datasets = append(datasets, id)
	}
	slices.Sort(datasets)
	cond, arg := AnyOf(q, "x.dataset_id", datasets)
	rows, err := q.Query(ctx, `SELECT x.dataset_id, x.id, j.id, j.tool_id, j.imported, EXISTS (SELECT 1 FROM job_state_history s
			WHERE s.job_id = j.id AND s.state = 'resubmitted')
		FROM history_dataset_association x JOIN job_to_output_dataset o ON o.dataset_id = x.id JOIN job j ON j.id = o.job_id
		WHERE `+cond+` ORDER BY j.id`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	own := map[int64]bool{} // HDAs whose own job is known
	out := make(map[int64]CreatingJob, len(ids))
	for rows.Next() {
		var dataset, hda int64
		var j CreatingJob
		if err := rows.Scan(&dataset, &hda, &j.ID, &j.ToolID, &j.Imported, &j.Resubmitted); err != nil {
			return nil, err
		}
		for _, id := range byDataset[dataset] {
			switch _, known := out[id]; {
			case id == hda:
				out[id], own[id] = j, true
			case !own[id] && !known:
				j := j
				j.Resubmitted = false // that is the original's
				out[id] = j
			}
		}
	}
	return out, rows.Err()
}

// DatasetHash is a checksum of a dataset's file or one of its extra files.
type DatasetHash struct {
	ID                         int64
	Function, Value, ExtraPath string
}

// DatasetSource is where a dataset's bytes came from.
type DatasetSource struct {
	ID             int64
	URI, ExtraPath string
	// Transform is a JSON list, or nil.
	Transform json.RawMessage
}

// Provenance is what is recorded of the bytes of a dataset.
type Provenance struct {
	Hashes  []DatasetHash
	Sources []DatasetSource
}

// DatasetProvenance reads hashes and sources of datasets, by the dataset's id.
// Two queries.
func DatasetProvenance(ctx context.Context, q Querier, datasetIDs []int64) (map[int64]Provenance, error) {
	if len(datasetIDs) == 0 {
		return nil, nil
	}
	out := map[int64]Provenance{}
	cond, arg := AnyOf(q, "dataset_id", datasetIDs)
	hashes, err := q.Query(ctx, `SELECT dataset_id, id, hash_function, hash_value, extra_files_path FROM dataset_hash WHERE `+cond+` ORDER BY id`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = hashes.Close() }()
	for hashes.Next() {
		var id int64
		var h DatasetHash
		if err := hashes.Scan(&id, &h.ID, &h.Function, &h.Value, &h.ExtraPath); err != nil {
			return nil, err
		}
		p := out[id]
		p.Hashes = append(p.Hashes, h)
		out[id] = p
	}
	if err := hashes.Err(); err != nil {
		return nil, err
	}
	cond, arg = AnyOf(q, "dataset_id", datasetIDs)
	sources, err := q.Query(ctx, `SELECT dataset_id, id, source_uri, extra_files_path, transform FROM dataset_source WHERE `+cond+` ORDER BY id`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sources.Close() }()
	for sources.Next() {
		var id int64
		var s DatasetSource
		if err := sources.Scan(&id, &s.ID, &s.URI, &s.ExtraPath, &s.Transform); err != nil {
			return nil, err
		}
		p := out[id]
		p.Sources = append(p.Sources, s)
		out[id] = p
	}
	return out, sources.Err()
}

// DatasetPermissions reads the permissions of datasets, by the dataset's id.
func DatasetPermissions(ctx context.Context, q Querier, datasetIDs []int64) (map[int64][]Permission, error) {
	if len(datasetIDs) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "dataset_id", datasetIDs)
	rows, err := q.Query(ctx, `SELECT dataset_id, action, role_id FROM dataset_permissions WHERE `+cond+` AND role_id IS NOT NULL ORDER BY id`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64][]Permission{}
	for rows.Next() {
		var id int64
		var p Permission
		if err := rows.Scan(&id, &p.Action, &p.RoleID); err != nil {
			return nil, err
		}
		out[id] = append(out[id], p)
	}
	return out, rows.Err()
}

// UpdateHDAs sets columns of datasets in histories, after keeping the version
// that each had, as Galaxy does for those that are ok and not deleted.
func UpdateHDAs(ctx context.Context, tx *Tx, ids []int64, set Values) error {
	if len(ids) == 0 {
		return nil
	}
	if keepsVersion(set) {
		cond, arg := AnyOf(tx, "h.id", ids)
		if _, err := tx.Exec(ctx, `INSERT INTO history_dataset_association_history
			(history_dataset_association_id, update_time, version, name, extension, metadata, extended_metadata_id)
			SELECT h.id, h.update_time, COALESCE(h.version, 1), h.name, h.extension, h.metadata, h.extended_metadata_id`+hdaFrom+`
			WHERE `+cond+` AND COALESCE(h.state, d.state) = 'ok' AND h.deleted = FALSE ORDER BY h.id`, arg); err != nil {
			return err
		}
		cond, arg = AnyOf(tx, "id", ids)
		if _, err := tx.Exec(ctx, `UPDATE history_dataset_association SET version = COALESCE(version, 0) + 1 WHERE `+cond+` AND deleted = FALSE
			AND COALESCE(state, (SELECT d.state FROM dataset d WHERE d.id = dataset_id)) = 'ok'`, arg); err != nil {
			return err
		}
	}
	set["update_time"] = tx.Now()
	assignments, args := assign(set)
	cond, arg := AnyOf(tx, "id", ids)
	_, err := tx.Exec(ctx, "UPDATE history_dataset_association SET "+assignments+" WHERE "+cond, append(args, arg)...)
	return err
}

// keepsVersion tells whether a change touches what a version consists of.
func keepsVersion(set Values) bool {
	for _, c := range []string{"name", "extension", "metadata"} {
		if _, ok := set[c]; ok {
			return true
		}
	}
	return false
}

// UpdateHDCAs sets columns of collections in histories.
func UpdateHDCAs(ctx context.Context, tx *Tx, ids []int64, set Values) error {
	if len(ids) == 0 {
		return nil
	}
	set["update_time"] = tx.Now()
	assignments, args := assign(set)
	cond, arg := AnyOf(tx, "id", ids)
	_, err := tx.Exec(ctx, "UPDATE history_dataset_collection_association SET "+assignments+" WHERE "+cond, append(args, arg)...)
	return err
}

// CollectionHDAs gives the datasets in collections, at any depth.
func CollectionHDAs(ctx context.Context, q Querier, hdcaIDs []int64) ([]int64, error) {
	cond, arg := AnyOf(q, "h.id", hdcaIDs)
	return Column[int64](ctx, q, `WITH RECURSIVE inside(id) AS (
		SELECT h.collection_id FROM history_dataset_collection_association h WHERE `+cond+`
		UNION SELECT e.child_collection_id FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		WHERE e.child_collection_id IS NOT NULL)
		SELECT DISTINCT e.hda_id FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		WHERE e.hda_id IS NOT NULL ORDER BY 1`, arg)
}

// PurgeHDAs marks datasets in histories as deleted and purged, takes their
// sizes from their owners' disk usage unless the owner still has another copy,
// and gives the datasets that nobody has any more, marked purged, whose files
// the caller removes after the commit.
func PurgeHDAs(ctx context.Context, tx *Tx, ids []int64) ([]Dataset, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// Of two who purge the same at once, only one gets the rows back and books
	// their sizes.
	ids, err := markPurged(ctx, tx, ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	type item struct{ dataset, user, size int64 }
	cond, arg := AnyOf(tx, "h.id", ids)
	items, err := Collect(ctx, tx, func(r *Rows) (i item, err error) { return i, r.Scan(&i.dataset, &i.user, &i.size) },
		`SELECT DISTINCT d.id, hi.user_id, COALESCE(d.total_size, d.file_size, 0)`+hdaFrom+`
		LEFT JOIN history hi ON hi.id = h.history_id
		WHERE `+cond+` AND d.purged = FALSE
		AND NOT EXISTS (SELECT 1 FROM library_dataset_dataset_association l WHERE l.dataset_id = d.id)`, arg)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	datasets := make([]int64, len(items))
	for i, it := range items {
		datasets[i] = it.dataset
	}
	// Who still has a copy that is not purged.
	type holder struct{ dataset, user int64 }
	cond, arg = AnyOf(tx, "h.dataset_id", datasets)
	left, err := Collect(ctx, tx, func(r *Rows) (h holder, err error) { return h, r.Scan(&h.dataset, &h.user) },
		`SELECT DISTINCT h.dataset_id, hi.user_id FROM history_dataset_association h LEFT JOIN history hi ON hi.id = h.history_id
		WHERE `+cond+` AND h.purged = FALSE`, arg)
	if err != nil {
		return nil, err
	}
	held, anyone := map[holder]bool{}, map[int64]bool{}
	for _, h := range left {
		held[h], anyone[h.dataset] = true, true
	}
	usage := map[int64]int64{}
	var gone []int64
	for _, it := range items {
		if it.user != 0 && !held[holder{it.dataset, it.user}] {
			usage[it.user] -= it.size
		}
		if !anyone[it.dataset] && !slices.Contains(gone, it.dataset) {
			gone = append(gone, it.dataset)
		}
	}
	if err := addDiskUsage(ctx, tx, usage); err != nil || len(gone) == 0 {
		return nil, err
	}
	slices.Sort(gone)
	cond, arg = AnyOf(tx, "id", gone)
	if _, err := tx.Exec(ctx, `UPDATE dataset SET deleted = ?, purged = ?, total_size = 0, update_time = ? WHERE `+cond,
		true, true, tx.Now(), arg); err != nil {
		return nil, err
	}
	cond, arg = AnyOf(tx, "d.id", gone)
	return Collect(ctx, tx, func(r *Rows) (d Dataset, err error) {
		return d, r.Scan(&d.ID, &d.UUID, &d.ObjectStoreID, &d.ExternalFilename, &d.ExtraFilesPath)
	}, `SELECT d.id, d.uuid, d.object_store_id, d.external_filename, d._extra_files_path FROM dataset d WHERE `+cond+` ORDER BY d.id`, arg)
}

// markPurged marks datasets in histories, and gives those that were not marked
// before.
func markPurged(ctx context.Context, tx *Tx, ids []int64) ([]int64, error) {
	const mark = `UPDATE history_dataset_association SET deleted = ?, purged = ?, update_time = ? WHERE `
	const unmarked = ` AND COALESCE(purged, FALSE) = FALSE`
	cond, arg := AnyOf(tx, "id", ids)
	if tx.Engine() != MySQL {
		return Column[int64](ctx, tx, mark+cond+unmarked+` RETURNING id`, true, true, tx.Now(), arg)
	}
	ids, err := Column[int64](ctx, tx, `SELECT id FROM history_dataset_association WHERE `+cond+unmarked+` ORDER BY id FOR UPDATE`, arg)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	cond, arg = AnyOf(tx, "id", ids)
	_, err = tx.Exec(ctx, mark+cond, true, true, tx.Now(), arg)
	return ids, err
}

// CopyHDAs adds copies of datasets to a history: the same bytes under the next
// numbers, or under the numbers of their originals, with the tags. It gives the
// copies in the order of the originals, and books their sizes on the owner of
// the history for what the owner did not have.
func CopyHDAs(ctx context.Context, tx *Tx, historyID int64, originals []HDA, keepHIDs bool) ([]HDA, error) {
	if len(originals) == 0 {
		return nil, nil
	}
	target, err := HistoryByID(ctx, tx, historyID)
	if err != nil {
		return nil, err
	}
	if err := addDiskUsageOfCopies(ctx, tx, target, originals); err != nil {
		return nil, err
	}
	first := int64(0)
	if !keepHIDs {
		if first, err = nextHIDs(ctx, tx, historyID, len(originals)); err != nil {
			return nil, err
		}
	}
	now := tx.Now()
	out := make([]HDA, len(originals))
	rows := make([][]any, len(originals))
	for i, o := range originals {
		c := o
		c.HistoryID, c.CreateTime, c.UpdateTime, c.CopiedFromHDA, c.CopiedFromLDDA, c.Version = historyID, now, now, o.ID, 0, newHDAVersion
		if !keepHIDs {
			c.HID = first + int64(i)
		}
		out[i] = c
		rows[i] = []any{
			historyID, c.Dataset.ID, now, now, OrNull(string(c.OwnState)), o.ID, c.Name, orNullUnless(c.Informed, c.Info), OrNull(c.Blurb), OrNull(c.Peek),
			OrNull(c.ToolVersion), c.Extension, c.Metadata, c.MetadataDeferred, OrNull(c.Designation), c.Deleted, c.Visible, c.Version, c.HID,
			c.Purged, cmp.Or(c.ValidatedState, newHDAValidated), OrNull(c.ValidatedMessage),
		}
	}
	ids, err := InsertMany(ctx, tx, "history_dataset_association", []string{
		"history_id", "dataset_id", "create_time", "update_time", "state", "copied_from_history_dataset_association_id", "name", "info",
		"blurb", "peek", "tool_version", "extension", "metadata", "metadata_deferred", "designation", "deleted", "visible", "version", "hid",
		"purged", "validated_state", "validated_state_message",
	}, rows)
	if err != nil {
		return nil, err
	}
	copies := map[int64][]int64{}
	for i := range out {
		out[i].ID = ids[i]
		copies[originals[i].ID] = append(copies[originals[i].ID], ids[i])
	}
	return out, copyTags(ctx, tx, TagHDA, copies, target.UserID)
}

func addDiskUsageOfCopies(ctx context.Context, tx *Tx, target *History, originals []HDA) error {
	if target.UserID == 0 {
		return nil
	}
	var ids []int64
	for _, o := range originals {
		if !o.Purged {
			ids = append(ids, o.Dataset.ID)
		}
	}
	var bytes int64
	cond, arg := AnyOf(tx, "d.id", ids)
	err := tx.QueryRow(ctx, `SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d WHERE `+cond+` AND d.purged = FALSE
		AND NOT EXISTS (SELECT 1 FROM history_dataset_association h JOIN history hi ON hi.id = h.history_id
			WHERE h.dataset_id = d.id AND h.purged = FALSE AND hi.user_id = ?)
		AND NOT EXISTS (SELECT 1 FROM library_dataset_dataset_association l WHERE l.dataset_id = d.id)`, arg, target.UserID).Scan(&bytes)
	if err != nil {
		return err
	}
	return addDiskUsage(ctx, tx, map[int64]int64{target.UserID: bytes})
}

// orNullUnless is the text if it is set, else NULL.
func orNullUnless(set bool, text string) any {
	if !set {
		return OrNull(text)
	}
	return text
}

// HDAIDs lists the datasets of a history that are not purged, in the order of
// their numbers.
func HDAIDs(ctx context.Context, q Querier, historyID int64) ([]int64, error) {
	return Column[int64](ctx, q, `SELECT id FROM history_dataset_association WHERE history_id = ? AND purged = FALSE ORDER BY hid, id`, historyID)
}

// InUse tells which datasets in histories are the input or output of a job that
// has not ended.
func InUse(ctx context.Context, q Querier, hdaIDs []int64) (map[int64]bool, error) {
	cond, arg := AnyOf(q, "o.dataset_id", hdaIDs)
	cond2, arg2 := AnyOf(q, "i.dataset_id", hdaIDs)
	const ended = ` AND j.state NOT IN ('ok', 'error', 'failed', 'deleted', 'deleting', 'stopped', 'skipped', 'deleted_new')`
	ids, err := Column[int64](ctx, q, `SELECT o.dataset_id FROM job_to_output_dataset o JOIN job j ON j.id = o.job_id WHERE `+cond+ended+`
		UNION SELECT i.dataset_id FROM job_to_input_dataset i JOIN job j ON j.id = i.job_id WHERE `+cond2+ended, arg, arg2)
	out := make(map[int64]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// SourceChain gives the datasets that one was copied from, nearest first.
func SourceChain(ctx context.Context, q Querier, hdaID int64) ([]HDA, error) {
	ids, err := Column[int64](ctx, q, `WITH RECURSIVE chain(id, source, depth) AS (
		SELECT h.id, h.copied_from_history_dataset_association_id, 0 FROM history_dataset_association h WHERE h.id = ?
		UNION ALL SELECT h.id, h.copied_from_history_dataset_association_id, chain.depth + 1
		FROM history_dataset_association h JOIN chain ON h.id = chain.source WHERE chain.depth < 100)
		SELECT id FROM chain WHERE depth > 0 ORDER BY depth`, hdaID)
	if err != nil {
		return nil, err
	}
	return HDAs(ctx, q, ids)
}

// UnwantedJobs lists the unfinished jobs behind datasets in histories all of
// whose outputs are deleted.
func UnwantedJobs(ctx context.Context, q Querier, hdaIDs []int64) ([]int64, error) {
	cond, arg := AnyOf(q, "o.dataset_id", hdaIDs)
	return Column[int64](ctx, q, `SELECT DISTINCT j.id FROM job_to_output_dataset o JOIN job j ON j.id = o.job_id WHERE `+cond+`
		AND j.state NOT IN ('ok', 'error', 'failed', 'deleted', 'deleting', 'stopped', 'skipped', 'deleted_new')
		AND NOT EXISTS (SELECT 1 FROM job_to_output_dataset x JOIN history_dataset_association h ON h.id = x.dataset_id
			WHERE x.job_id = j.id AND h.deleted = FALSE) ORDER BY j.id`, arg)
}

// SetGenomeBuild sets the genome build in the metadata of datasets in
// histories.
func SetGenomeBuild(ctx context.Context, tx *Tx, ids []int64, dbkey string) error {
	metadata := `CAST(json_set(CAST(COALESCE(metadata, '{}') AS TEXT), '$.dbkey', json(?)) AS BLOB)`
	switch tx.Engine() {
	case PostgreSQL:
		metadata = `convert_to(jsonb_set(convert_from(COALESCE(metadata, '{}'), 'UTF8')::jsonb, '{dbkey}', ?::jsonb)::text, 'UTF8')`
	case MySQL:
		metadata = `CONVERT(JSON_SET(CONVERT(COALESCE(metadata, '{}') USING utf8mb4), '$.dbkey', JSON_EXTRACT(?, '$')) USING binary)`
	}
	cond, arg := AnyOf(tx, "id", ids)
	_, err := tx.Exec(ctx, "UPDATE history_dataset_association SET metadata = "+metadata+", update_time = ? WHERE "+cond,
		string(JSON([]string{noNUL(dbkey)})), tx.Now(), arg)
	return err
}

// CollectionSummary is what a list shows of the datasets in a collection.
type CollectionSummary struct {
	Extensions []string
	States     map[string]int64
	Deleted    int64
}

// CollectionSummaries sums up the datasets in collections, at any depth, by the
// HDCA. One query.
func CollectionSummaries(ctx context.Context, q Querier, hdcaIDs []int64) (map[int64]CollectionSummary, error) {
	if len(hdcaIDs) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", hdcaIDs)
	rows, err := q.Query(ctx, `WITH RECURSIVE inside(root, id) AS (
		SELECT h.id, h.collection_id FROM history_dataset_collection_association h WHERE `+cond+`
		UNION SELECT inside.root, e.child_collection_id FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		WHERE e.child_collection_id IS NOT NULL)
		SELECT inside.root, a.extension, d.state, SUM(CASE WHEN a.deleted THEN 1 ELSE 0 END), COUNT(*)
		FROM dataset_collection_element e JOIN inside ON e.dataset_collection_id = inside.id
		JOIN history_dataset_association a ON a.id = e.hda_id JOIN dataset d ON d.id = a.dataset_id
		GROUP BY inside.root, a.extension, d.state ORDER BY 1, 2, 3`, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]CollectionSummary{}
	for rows.Next() {
		var root, deleted, n int64
		var ext, state string
		if err := rows.Scan(&root, &ext, &state, &deleted, &n); err != nil {
			return nil, err
		}
		s := out[root]
		if s.States == nil {
			s.States = map[string]int64{}
		}
		if !slices.Contains(s.Extensions, ext) {
			s.Extensions = append(s.Extensions, ext)
		}
		s.States[state] += n
		s.Deleted += deleted
		out[root] = s
	}
	return out, rows.Err()
}

// Converted gives, by the extension, the datasets that one was converted to.
func Converted(ctx context.Context, q Querier, hdaID int64) (map[string]int64, error) {
	rows, err := q.Query(ctx, `SELECT c.type, c.hda_id FROM implicitly_converted_dataset_association c
		WHERE c.hda_parent_id = ? AND c.hda_id IS NOT NULL AND c.deleted = FALSE ORDER BY c.id`, hdaID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[string]int64{}
	for rows.Next() {
		var ext string
		var id int64
		if err := rows.Scan(&ext, &id); err != nil {
			return nil, err
		}
		out[ext] = id
	}
	return out, rows.Err()
}

// CollectionJobStates counts, by the HDCA and the state, the jobs that make
// collections. One query.
func CollectionJobStates(ctx context.Context, q Querier, hdcaIDs []int64) (map[int64]map[galaxy.JobState]int64, error) {
	if len(hdcaIDs) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", hdcaIDs)
	rows, err := q.Query(ctx, `SELECT id, state, COUNT(*) FROM (
		SELECT h.id AS id, j.id AS job, j.state AS state FROM history_dataset_collection_association h JOIN job j ON j.id = h.job_id WHERE `+cond+`
		UNION SELECT h.id, j.id, j.state FROM history_dataset_collection_association h
		JOIN implicit_collection_jobs_job_association a ON a.implicit_collection_jobs_id = h.implicit_collection_jobs_id
		JOIN job j ON j.id = a.job_id WHERE `+cond+`) x GROUP BY id, state`, arg, arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]map[galaxy.JobState]int64{}
	for rows.Next() {
		var id, n int64
		var state string
		if err := rows.Scan(&id, &state, &n); err != nil {
			return nil, err
		}
		if out[id] == nil {
			out[id] = map[galaxy.JobState]int64{}
		}
		out[id][galaxy.JobState(state)] = n
	}
	return out, rows.Err()
}
