package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// Dataset is a row of dataset: bytes in the object store, shared by all copies
// that people have of them.
type Dataset struct {
	ID    int64
	JobID int64 // the job that made it; 0 if none
	// CreateTime and UpdateTime are UTC.
	CreateTime, UpdateTime time.Time
	State                  galaxy.DatasetState
	Deleted, Purged        bool
	Purgable               bool
	ObjectStoreID          string
	// ExternalFilename is the path of a file outside of the object store.
	ExternalFilename    string
	ExtraFilesPath      string
	CreatedFromBasename string
	// FileSize and TotalSize (with the extra files) are in bytes.
	FileSize, TotalSize int64
	// Sized tells whether FileSize is known.
	Sized bool
	UUID  UUID
}

// HDA is a row of history_dataset_association, a dataset in a history, together
// with its dataset's row.
type HDA struct {
	ID                     int64
	HistoryID              int64
	HID                    int64
	CreateTime, UpdateTime time.Time
	// OwnState overrides the dataset's state; empty for almost all.
	OwnState galaxy.DatasetState
	// CopiedFromHDA and CopiedFromLDDA are 0 for an original.
	CopiedFromHDA, CopiedFromLDDA int64
	Name                          string
	// Info is what the tool printed, Blurb the one-line summary, Peek the first
	// lines; each may be empty.
	Info, Blurb, Peek string
	// Informed tells that Info was set, be it to nothing.
	Informed    bool
	ToolVersion string
	Extension   string
	// Metadata is a JSON object, or nil.
	Metadata         json.RawMessage
	MetadataDeferred bool
	Designation      string
	Deleted, Purged  bool
	Visible          bool
	Version          int64
	ValidatedState   string
	ValidatedMessage string
	Dataset          Dataset
}

// State is the state that people see: the association's own one if it has one,
// else the dataset's.
func (h *HDA) State() galaxy.DatasetState {
	if h.OwnState != "" {
		return h.OwnState
	}
	return h.Dataset.State
}

// The actions of dataset_permissions and default_history_permissions.
const (
	ActionManagePermissions = "manage permissions"
	ActionAccess            = "access"
)

// Permission says that the holders of a role may do an action with a dataset.
type Permission struct {
	Action string
	RoleID int64
}

// NewHDA is a dataset to be made in a history.
type NewHDA struct {
	Name string
	// Extension is the datatype; empty means "data".
	Extension string
	// State is the dataset's state; empty means new.
	State galaxy.DatasetState
	// JobID is the job that makes the dataset; 0 if it is not known yet.
	JobID int64
	// Hidden leaves it out of the history's ordinary view.
	Hidden bool
	// Designation is the output's name in the tool.
	Designation string
	Info        string
	// Blurb and Peek describe contents that are known already.
	Blurb, Peek string
	// Metadata is a JSON object; nil means that only the genome build is known.
	Metadata json.RawMessage
	// DBKey is the genome build, used when Metadata is nil; empty means unknown.
	DBKey               string
	CreatedFromBasename string
	// ObjectStoreID is empty for the only object store.
	ObjectStoreID string
	// UUID is the dataset's; the zero value means a new random one.
	UUID UUID
	// Permissions replace the history's default permissions unless nil.
	Permissions []Permission
}

// newHDAVersion and newHDAValidated are what Galaxy writes into new rows.
const (
	newHDAVersion   = 1
	newHDAValidated = "unknown"
)

// CreateHDAs adds datasets to a history, in the order given, with the next
// numbers of the history (hid) and its default permissions. It takes few
// statements whatever the number of datasets, and locks the history's row until
// the transaction ends. A history that does not exist is an error of kind
// galaxy.NotFound.
func CreateHDAs(ctx context.Context, tx *Tx, historyID int64, items []NewHDA) ([]HDA, error) {
	placed := make([]placedHDA, len(items))
	for i, n := range items {
		placed[i] = placedHDA{NewHDA: n, history: historyID}
	}
	return createHDAs(ctx, tx, placed)
}

// placedHDA is a dataset to be made in some history.
type placedHDA struct {
	NewHDA
	history int64
}

// createHDAs is CreateHDAs for several histories at once. The histories are
// locked last, since others wait for them.
func createHDAs(ctx context.Context, tx *Tx, items []placedHDA) ([]HDA, error) {
	if len(items) == 0 {
		return nil, nil
	}
	now := tx.Now()
	out := make([]HDA, len(items))
	datasets := make([][]any, len(items))
	for i := range items {
		out[i] = items[i].row(items[i].history, now)
		d := &out[i].Dataset
		datasets[i] = []any{
			OrNull(d.JobID), now, now, string(d.State), false, false, true, OrNull(d.ObjectStoreID),
			OrNull(d.CreatedFromBasename), d.UUID,
		}
	}
	ids, err := InsertMany(ctx, tx, "dataset", []string{
		"job_id", "create_time", "update_time", "state", "deleted", "purged", "purgable", "object_store_id",
		"created_from_basename", "uuid",
	}, datasets)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Dataset.ID = ids[i]
	}
	if err := insertNewPermissions(ctx, tx, items, out); err != nil {
		return nil, err
	}
	// What can be written before the history is locked is.
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	if err := numberHDAs(ctx, tx, out); err != nil {
		return nil, err
	}
	hdas := make([][]any, len(items))
	for i := range out {
		h := &out[i]
		hdas[i] = []any{
			h.HistoryID, h.Dataset.ID, now, now, h.Name, OrNull(h.Info), OrNull(h.Blurb), OrNull(h.Peek), h.Extension, h.Metadata,
			false, OrNull(h.Designation), false, h.Visible, h.Version, h.HID, false, h.ValidatedState,
		}
	}
	ids, err = InsertMany(ctx, tx, "history_dataset_association", []string{
		"history_id", "dataset_id", "create_time", "update_time", "name", "info", "blurb", "peek", "extension", "metadata",
		"metadata_deferred", "designation", "deleted", "visible", "version", "hid", "purged", "validated_state",
	}, hdas)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].ID = ids[i]
	}
	return out, nil
}

// numberHDAs gives new datasets the next numbers of their histories. Histories
// are taken in the order of their ids, so that two transactions do not wait for
// each other.
func numberHDAs(ctx context.Context, tx *Tx, hdas []HDA) error {
	counts := map[int64]int{}
	for i := range hdas {
		counts[hdas[i].HistoryID]++
	}
	next := make(map[int64]int64, len(counts))
	for _, history := range slices.Sorted(maps.Keys(counts)) { // nearly always one
		first, err := nextHIDs(ctx, tx, history, counts[history])
		if err != nil {
			return err
		}
		next[history] = first
	}
	for i := range hdas {
		hdas[i].HID = next[hdas[i].HistoryID]
		next[hdas[i].HistoryID]++
	}
	return nil
}

func (n *NewHDA) row(historyID int64, now time.Time) HDA {
	metadata := n.Metadata
	if metadata == nil {
		metadata = initialMetadata(n.DBKey)
	}
	u := n.UUID
	if u.IsZero() {
		u = NewUUID()
	}
	return HDA{
		HistoryID: historyID, CreateTime: now, UpdateTime: now,
		Name: Clip(n.Name, 255), Info: Clip(n.Info, 255), Blurb: Clip(n.Blurb, 255), Peek: noNUL(n.Peek),
		Extension: Clip(cmp.Or(n.Extension, "data"), 64), Metadata: metadata, Designation: Clip(n.Designation, 255),
		Visible: !n.Hidden, Version: newHDAVersion, ValidatedState: newHDAValidated,
		Dataset: Dataset{
			JobID: n.JobID, CreateTime: now, UpdateTime: now, State: cmp.Or(n.State, galaxy.DatasetNew), Purgable: true,
			ObjectStoreID: n.ObjectStoreID, CreatedFromBasename: noNUL(n.CreatedFromBasename), UUID: u,
		},
	}
}

// initialMetadata is the metadata of a dataset of which nothing is known but
// the genome build, in the bytes that Galaxy writes.
func initialMetadata(dbkey string) json.RawMessage {
	if dbkey == "" || dbkey == "?" {
		return json.RawMessage(`{"dbkey": ["?"]}`)
	}
	return json.RawMessage(`{"dbkey": ` + string(JSON([]string{dbkey})) + `}`)
}

// nextHIDs reserves n numbers of a history and gives the first.
func nextHIDs(ctx context.Context, tx *Tx, historyID int64, n int) (int64, error) {
	const reserve = `UPDATE history SET hid_counter = hid_counter + ?, update_time = ? WHERE id = ?`
	var next int64
	var err error
	if tx.Engine() == MySQL {
		if _, err = tx.Exec(ctx, reserve, n, tx.Now(), historyID); err == nil {
			err = tx.QueryRow(ctx, `SELECT hid_counter FROM history WHERE id = ?`, historyID).Scan(&next)
		}
	} else {
		err = tx.QueryRow(ctx, reserve+` RETURNING hid_counter`, n, tx.Now(), historyID).Scan(&next)
	}
	if errors.Is(err, ErrNoRows) {
		return 0, galaxy.Errorf(galaxy.NotFound, "History not found")
	}
	return next - int64(n), err
}

func insertNewPermissions(ctx context.Context, tx *Tx, items []placedHDA, made []HDA) error {
	byDefault := map[int64][]int64{} // dataset ids by history
	var own [][]any
	for i, n := range items {
		if n.Permissions == nil {
			byDefault[n.history] = append(byDefault[n.history], made[i].Dataset.ID)
			continue
		}
		for _, p := range n.Permissions {
			own = append(own, []any{tx.Now(), tx.Now(), p.Action, made[i].Dataset.ID, p.RoleID})
		}
	}
	write := tx.Later()
	for _, history := range slices.Sorted(maps.Keys(byDefault)) { // nearly always one
		cond, arg := AnyOf(tx, "d.id", byDefault[history])
		_, err := write.Exec(ctx, `INSERT INTO dataset_permissions (create_time, update_time, action, dataset_id, role_id)
			SELECT d.create_time, d.create_time, p.action, d.id, p.role_id
			FROM dataset d, default_history_permissions p WHERE `+cond+` AND p.history_id = ? ORDER BY d.id, p.id`, arg, history)
		if err != nil {
			return err
		}
	}
	return InsertRows(ctx, write, "dataset_permissions", []string{"create_time", "update_time", "action", "dataset_id", "role_id"}, own)
}

// DerivePermissions gives the permissions of what a job makes of input datasets
// (their dataset ids): all roles that restrict any of them, and, when none
// restricts access, the history's own default. Without inputs the answer is
// nil, which CreateHDAs takes as the history's defaults.
func DerivePermissions(ctx context.Context, q Querier, historyID int64, datasetIDs []int64) ([]Permission, error) {
	if len(datasetIDs) == 0 {
		return nil, nil
	}
	// One round trip: the inputs' roles, then the history's default for access.
	cond, arg := AnyOf(q, "dataset_id", datasetIDs)
	type origin struct {
		Permission
		history bool
	}
	rows, err := Collect(ctx, q, func(r *Rows) (o origin, err error) { return o, r.Scan(&o.Action, &o.RoleID, &o.history) },
		`SELECT DISTINCT action, role_id, 1 = 0 FROM dataset_permissions WHERE `+cond+`
		UNION ALL SELECT action, role_id, 1 = 1 FROM default_history_permissions WHERE history_id = ? AND action = ?
		ORDER BY 3, 1, 2`, arg, historyID, ActionAccess)
	if err != nil {
		return nil, err
	}
	var perms []Permission
	restricted := false
	for _, o := range rows {
		switch {
		case !o.history:
			restricted = restricted || o.Action == ActionAccess
			perms = append(perms, o.Permission)
		case perms != nil && !restricted:
			perms = append(perms, o.Permission)
		}
	}
	return perms, nil
}

func scanPermission(r *Rows) (p Permission, err error) { return p, r.Scan(&p.Action, &p.RoleID) }

// FinishedHDA is what is known of a dataset once its bytes are in place.
type FinishedHDA struct {
	ID    int64 // the HDA's
	State galaxy.DatasetState
	// Name replaces the name unless empty.
	Name  string
	Info  string
	Blurb string
	Peek  string
	// Metadata replaces the metadata unless nil.
	Metadata json.RawMessage
	// Extension replaces the datatype unless empty.
	Extension string
	// FileSize and TotalSize (with the extra files) are in bytes.
	FileSize, TotalSize int64
	// CreatedFromBasename, ObjectStoreID and ToolVersion are set unless empty.
	CreatedFromBasename string
	ObjectStoreID       string
	ToolVersion         string
	// Hide takes the dataset out of the history's ordinary view.
	Hide bool
}

// finishedJSON is a FinishedHDA as the bulk statements read it.
type finishedJSON struct {
	ID        int64  `json:"id"`
	DatasetID int64  `json:"did"`
	State     string `json:"state"`
	Name      string `json:"name"`
	Info      string `json:"info"`
	Blurb     string `json:"blurb"`
	Peek      string `json:"peek"`
	Metadata  string `json:"meta"`
	Extension string `json:"ext"`
	FileSize  int64  `json:"size"`
	TotalSize int64  `json:"total"`
	Basename  string `json:"base"`
	Store     string `json:"store"`
	Tool      string `json:"tool"`
	Hide      bool   `json:"hide"`

	rowID int64 // of the table that is being written (MySQL)
}

// SQLite and PostgreSQL read a JSON array of objects as rows in their own ways.
const (
	finishedPostgreSQL = `json_to_recordset(?::json) AS v(id integer, did integer, state text, name text, info text, blurb text,
		peek text, meta text, ext text, size bigint, total bigint, base text, store text, tool text, hide boolean)`
	finishedSQLite = `(SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.did') AS did,
		json_extract(value, '$.state') AS state, json_extract(value, '$.name') AS name, json_extract(value, '$.info') AS info,
		json_extract(value, '$.blurb') AS blurb, json_extract(value, '$.peek') AS peek, json_extract(value, '$.meta') AS meta,
		json_extract(value, '$.ext') AS ext, json_extract(value, '$.size') AS size, json_extract(value, '$.total') AS total,
		json_extract(value, '$.base') AS base, json_extract(value, '$.store') AS store, json_extract(value, '$.tool') AS tool,
		json_extract(value, '$.hide') AS hide FROM json_each(?)) AS v`
	metaPostgreSQL = `convert_to(v.meta, 'UTF8')`
	metaSQLite     = `CAST(v.meta AS BLOB)`
)

// FinishHDAs writes down the outcome of datasets in bulk and books their sizes
// on their owners' disk usage. It can be repeated: only the difference to what
// was booked before is added. A purged dataset stays empty and costs nothing.
func FinishHDAs(ctx context.Context, tx *Tx, finished []FinishedHDA) error {
	return finishHDAs(ctx, tx, tx, finished)
}

// finishHDAs reads with q and writes with write.
func finishHDAs(ctx context.Context, q, write Querier, finished []FinishedHDA) error {
	if len(finished) == 0 {
		return nil
	}
	ids := make([]int64, len(finished))
	for i, f := range finished {
		ids[i] = f.ID
	}
	type before struct {
		hda, dataset, user, total int64
		purged                    bool
	}
	cond, arg := AnyOf(q, "h.id", ids)
	rows, err := Collect(ctx, q, func(r *Rows) (b before, err error) {
		return b, r.Scan(&b.hda, &b.dataset, &b.user, &b.total, &b.purged)
	}, `SELECT h.id, h.dataset_id, hi.user_id, COALESCE(d.total_size, 0), COALESCE(d.purged, ?) OR COALESCE(h.purged, ?)
		FROM history_dataset_association h JOIN dataset d ON d.id = h.dataset_id
		LEFT JOIN history hi ON hi.id = h.history_id WHERE `+cond, false, false, arg)
	if err != nil {
		return err
	}
	known := make(map[int64]before, len(rows))
	for _, b := range rows {
		known[b.hda] = b
	}
	usage := map[int64]int64{}
	values := make([]finishedJSON, 0, len(finished))
	for _, f := range finished {
		b, ok := known[f.ID]
		if !ok {
			return fmt.Errorf("finishing dataset %d: it is not in the database", f.ID)
		}
		if b.purged {
			f.FileSize, f.TotalSize = 0, 0
		} else if b.user != 0 {
			usage[b.user] += max(f.TotalSize, f.FileSize) - b.total
		}
		values = append(values, finishedJSON{
			ID: f.ID, DatasetID: b.dataset, State: string(f.State), Name: Clip(f.Name, 255), Info: Clip(f.Info, 255),
			Blurb: Clip(f.Blurb, 255), Peek: noNUL(f.Peek), Metadata: noNUL(string(f.Metadata)), Extension: Clip(f.Extension, 64),
			FileSize: f.FileSize, TotalSize: max(f.TotalSize, f.FileSize), Basename: noNUL(f.CreatedFromBasename),
			Store: Clip(f.ObjectStoreID, 255), Tool: noNUL(f.ToolVersion), Hide: f.Hide,
		})
	}
	if err := writeFinished(ctx, write, values); err != nil {
		return err
	}
	return addDiskUsage(ctx, write, usage)
}

func writeFinished(ctx context.Context, q Querier, values []finishedJSON) error {
	from, meta := finishedSQLite, metaSQLite
	if q.Engine() == PostgreSQL {
		from, meta = finishedPostgreSQL, metaPostgreSQL
	}
	for chunk := range slices.Chunk(values, 1000) {
		if q.Engine() == MySQL {
			for few := range slices.Chunk(chunk, 50) {
				if err := writeFinishedMySQL(ctx, q, few); err != nil {
					return err
				}
			}
			continue
		}
		text := string(JSON(chunk))
		hdas, datasets := make([]int64, len(chunk)), make([]int64, len(chunk))
		for i, v := range chunk {
			hdas[i], datasets[i] = v.ID, v.DatasetID
		}
		// The ids are named a second time, so that PostgreSQL, which cannot know how
		// many rows the JSON has, does not read the whole table for them.
		byID, ids := AnyOf(q, "dataset.id", datasets)
		if _, err := q.Exec(ctx, `UPDATE dataset SET state = v.state, file_size = v.size, total_size = v.total, update_time = ?,
			created_from_basename = COALESCE(NULLIF(v.base, ''), created_from_basename),
			object_store_id = COALESCE(NULLIF(v.store, ''), object_store_id)
			FROM `+from+` WHERE dataset.id = v.did AND `+byID, q.Now(), text, ids); err != nil {
			return err
		}
		byID, ids = AnyOf(q, "history_dataset_association.id", hdas)
		if _, err := q.Exec(ctx, `UPDATE history_dataset_association SET
			name = COALESCE(NULLIF(v.name, ''), history_dataset_association.name), info = v.info,
			blurb = NULLIF(v.blurb, ''), peek = NULLIF(v.peek, ''),
			extension = COALESCE(NULLIF(v.ext, ''), extension), metadata = CASE WHEN v.meta = '' THEN metadata ELSE `+meta+` END,
			tool_version = COALESCE(NULLIF(v.tool, ''), tool_version),
			visible = CASE WHEN v.hide THEN NOT v.hide ELSE visible END, update_time = ?
			FROM `+from+` WHERE history_dataset_association.id = v.id AND `+byID, q.Now(), text, ids); err != nil {
			return err
		}
	}
	return nil
}

// writeFinishedMySQL writes a few rows of writeFinished. Each column is a CASE of
// the values: a join with the rows would be a table on the server's disk, and
// would lock them in no order.
func writeFinishedMySQL(ctx context.Context, q Querier, values []finishedJSON) error {
	var set []string
	var args []any
	// column sets a column for the rows whose value counts.
	column := func(name string, counts func(v *finishedJSON) bool, value func(v *finishedJSON) any) {
		var b strings.Builder
		for i := range values {
			if v := &values[i]; counts(v) {
				b.WriteString(" WHEN ? THEN ?")
				args = append(args, v.rowID, value(v))
			}
		}
		if b.Len() > 0 {
			set = append(set, name+" = CASE id"+b.String()+" ELSE "+name+" END")
		}
	}
	always := func(*finishedJSON) bool { return true }
	text := func(name string, value func(v *finishedJSON) string) {
		column(name, func(v *finishedJSON) bool { return value(v) != "" }, func(v *finishedJSON) any { return value(v) })
	}
	write := func(table string) error {
		ids := make([]int64, len(values))
		for i := range values {
			ids[i] = values[i].rowID
		}
		cond, arg := AnyOf(q, "id", ids)
		_, err := q.Exec(ctx, "UPDATE "+table+" SET "+strings.Join(set, ", ")+", update_time = ? WHERE "+cond, append(args, q.Now(), arg)...)
		set, args = nil, nil
		return err
	}
	for i := range values {
		values[i].rowID = values[i].DatasetID
	}
	column("state", always, func(v *finishedJSON) any { return v.State })
	column("file_size", always, func(v *finishedJSON) any { return v.FileSize })
	column("total_size", always, func(v *finishedJSON) any { return v.TotalSize })
	text("created_from_basename", func(v *finishedJSON) string { return v.Basename })
	text("object_store_id", func(v *finishedJSON) string { return v.Store })
	if err := write("dataset"); err != nil {
		return err
	}
	for i := range values {
		values[i].rowID = values[i].ID
	}
	text("name", func(v *finishedJSON) string { return v.Name })
	column("info", always, func(v *finishedJSON) any { return v.Info })
	column("blurb", always, func(v *finishedJSON) any { return OrNull(v.Blurb) })
	column("peek", always, func(v *finishedJSON) any { return OrNull(v.Peek) })
	text("extension", func(v *finishedJSON) string { return v.Extension })
	text("metadata", func(v *finishedJSON) string { return v.Metadata })
	text("tool_version", func(v *finishedJSON) string { return v.Tool })
	column("visible", func(v *finishedJSON) bool { return v.Hide }, func(*finishedJSON) any { return false })
	return write("history_dataset_association")
}

// addDiskUsage books bytes on people's disk usage, in the order of their ids so
// that two transactions cannot wait for each other.
func addDiskUsage(ctx context.Context, q Querier, usage map[int64]int64) error {
	users := make([]int64, 0, len(usage))
	for user, bytes := range usage {
		if bytes != 0 {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	for _, user := range users { // nearly always one
		if _, err := q.Exec(ctx, `UPDATE galaxy_user SET disk_usage = CASE WHEN COALESCE(disk_usage, 0) + ? < 0 THEN 0
			ELSE COALESCE(disk_usage, 0) + ? END WHERE id = ?`, usage[user], usage[user], user); err != nil {
			return err
		}
	}
	return nil
}

// SetHDAStates sets the state of the datasets behind HDAs, with the line of
// information beside it, and marks their histories as changed.
func SetHDAStates(ctx context.Context, tx *Tx, hdaIDs []int64, state galaxy.DatasetState, info string) error {
	if len(hdaIDs) == 0 {
		return nil
	}
	cond, arg := AnyOf(tx, "id", hdaIDs)
	theirs, args, err := among(ctx, tx, "id", `SELECT dataset_id FROM history_dataset_association WHERE `+cond, arg)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE dataset SET state = ?, update_time = ? WHERE `+theirs,
		append([]any{string(state), tx.Now()}, args...)...); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE history_dataset_association SET info = ?, update_time = ? WHERE `+cond,
		OrNull(Clip(info, 255)), tx.Now(), arg)
	return err
}

// hdaColumns are the columns of scanHDA, from history_dataset_association h
// joined with dataset d.
const hdaColumns = `h.id, h.history_id, h.hid, h.create_time, h.update_time, h.state,
	h.copied_from_history_dataset_association_id, h.copied_from_library_dataset_dataset_association_id,
	h.name, h.info, h.info IS NOT NULL, h.blurb, h.peek, h.tool_version, h.extension, h.metadata, h.metadata_deferred, h.designation,
	h.deleted, h.purged, h.visible, h.version, h.validated_state, h.validated_state_message,
	d.id, d.job_id, d.create_time, d.update_time, d.state, d.deleted, d.purged, d.purgable, d.object_store_id,
	d.external_filename, d._extra_files_path, d.created_from_basename, d.file_size, d.total_size, d.file_size IS NOT NULL, d.uuid`

const hdaFrom = ` FROM history_dataset_association h JOIN dataset d ON d.id = h.dataset_id`

func scanHDA(r *Rows) (h HDA, err error) {
	d := &h.Dataset
	var state, dstate string
	err = r.Scan(&h.ID, &h.HistoryID, &h.HID, &h.CreateTime, &h.UpdateTime, &state,
		&h.CopiedFromHDA, &h.CopiedFromLDDA,
		&h.Name, &h.Info, &h.Informed, &h.Blurb, &h.Peek, &h.ToolVersion, &h.Extension, &h.Metadata, &h.MetadataDeferred, &h.Designation,
		&h.Deleted, &h.Purged, &h.Visible, &h.Version, &h.ValidatedState, &h.ValidatedMessage,
		&d.ID, &d.JobID, &d.CreateTime, &d.UpdateTime, &dstate, &d.Deleted, &d.Purged, &d.Purgable, &d.ObjectStoreID,
		&d.ExternalFilename, &d.ExtraFilesPath, &d.CreatedFromBasename, &d.FileSize, &d.TotalSize, &d.Sized, &d.UUID)
	h.OwnState, d.State = galaxy.DatasetState(state), galaxy.DatasetState(dstate)
	return h, err
}

// HDAs reads datasets in histories by their ids, in the order of the ids. An id
// that does not exist is left out.
func HDAs(ctx context.Context, q Querier, ids []int64) ([]HDA, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cond, arg := AnyOf(q, "h.id", ids)
	rows, err := Collect(ctx, q, scanHDA, `SELECT `+hdaColumns+hdaFrom+` WHERE `+cond, arg)
	if err != nil {
		return nil, err
	}
	at := make(map[int64]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(rows, func(a, b HDA) int { return cmp.Compare(at[a.ID], at[b.ID]) })
	return rows, nil
}

// HDAByID reads one dataset in a history; an error of kind galaxy.NotFound
// without it.
func HDAByID(ctx context.Context, q Querier, id int64) (*HDA, error) {
	rows, err := HDAs(ctx, q, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "HistoryDatasetAssociation not found")
	}
	return &rows[0], nil
}

// Clip shortens a text to n characters, as the database's columns demand, and
// takes out NUL characters, which PostgreSQL cannot keep.
func Clip(s string, n int) string {
	s = noNUL(s)
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func noNUL(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
