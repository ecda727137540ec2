package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// GalaxyVersion is what job.galaxy_version says: the Galaxy whose tables and
// answers these are.
const GalaxyVersion = "26.1"

// Job is a row of job.
type Job struct {
	ID                     int64
	CreateTime, UpdateTime time.Time
	HistoryID              int64
	UserID                 int64 // 0 for an anonymous visitor
	SessionID              int64
	ToolID, ToolVersion    string
	GalaxyVersion          string
	State                  galaxy.JobState
	Info                   string
	CopiedFromJobID        int64
	CommandLine            string
	Dependencies           json.RawMessage
	JobMessages            json.RawMessage
	ToolStdout, ToolStderr string
	JobStdout, JobStderr   string
	// ExitCode is nil until the tool has ended.
	ExitCode         *int64
	Traceback        string
	RunnerName       string // job_runner_name
	ExternalID       string // job_runner_external_id
	DestinationID    string
	DestinationParam json.RawMessage
	// Handler is who has the job: a server name, a tag, or `_default_`.
	Handler string
}

const jobColumns = `j.id, j.create_time, j.update_time, j.history_id, j.user_id, j.session_id, j.tool_id, j.tool_version,
	j.galaxy_version, j.state, j.info, j.copied_from_job_id, j.command_line, j.dependencies, j.job_messages, j.tool_stdout,
	j.tool_stderr, j.job_stdout, j.job_stderr, j.exit_code, j.traceback, j.job_runner_name, j.job_runner_external_id,
	j.destination_id, j.destination_params, j.handler`

func scanJob(r *Rows) (*Job, error) {
	j := &Job{}
	var state string
	err := r.Scan(&j.ID, &j.CreateTime, &j.UpdateTime, &j.HistoryID, &j.UserID, &j.SessionID, &j.ToolID, &j.ToolVersion,
		&j.GalaxyVersion, &state, &j.Info, &j.CopiedFromJobID, &j.CommandLine, &j.Dependencies, &j.JobMessages, &j.ToolStdout,
		&j.ToolStderr, &j.JobStdout, &j.JobStderr, &j.ExitCode, &j.Traceback, &j.RunnerName, &j.ExternalID,
		&j.DestinationID, &j.DestinationParam, &j.Handler)
	j.State = galaxy.JobState(state)
	return j, err
}

// JobByID reads one job; galaxy.NotFound if there is none.
func JobByID(ctx context.Context, q Querier, id int64) (*Job, error) {
	jobs, err := JobsByID(ctx, q, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, galaxy.Errorf(galaxy.NotFound, "Job not found")
	}
	return jobs[0], nil
}

// JobsByID reads jobs, in the order of their ids.
func JobsByID(ctx context.Context, q Querier, ids []int64) ([]*Job, error) {
	cond, arg := AnyOf(q, "j.id", ids)
	return Collect(ctx, q, scanJob, "SELECT "+jobColumns+" FROM job j WHERE "+cond+" ORDER BY j.id", arg)
}

// JobParameter is a row of job_parameter; Value is JSON text, nil is NULL.
type JobParameter struct {
	Name  string
	Value *string
}

// JobInput is a row of job_to_input_dataset.
type JobInput struct {
	Name    string
	HDA     int64
	Version int64
}

// JobOutput is a row of job_to_output_dataset.
type JobOutput struct {
	Name string
	HDA  int64
}

// NewJob is a job to be created.
type NewJob struct {
	ToolID, ToolVersion string
	HistoryID           int64
	UserID, SessionID   int64
	// Handler is where the job is sent: a tag, a server name, or `_default_`.
	Handler         string
	CopiedFromJobID int64
	Parameters      []JobParameter
	Inputs          []JobInput
	Outputs         []NewHDA
	// OutputNames are the outputs' names in the tool, one per Outputs.
	OutputNames []string
}

// CreateJob adds a job with its outputs, parameters and associations. If inputs
// are still being made, the job waits for them (see FinishJob).
func CreateJob(ctx context.Context, tx *Tx, n NewJob) (*Job, []HDA, error) {
	jobs, outputs, err := CreateJobs(ctx, tx, []NewJob{n})
	if err != nil {
		return nil, nil, err
	}
	return jobs[0], outputs[0], nil
}

// CreateJobs is CreateJob for several jobs, of any histories and users, in about
// ten statements whatever their number. It gives each job and its outputs in the
// order of the jobs.
//
// The statements are ordered so that the history's row, which all submitters to
// one history share, is locked for as short as possible.
func CreateJobs(ctx context.Context, tx *Tx, news []NewJob) ([]*Job, [][]HDA, error) {
	found, pending, err := lockPendingInputs(ctx, tx, distinctHDAs(news))
	if err != nil {
		return nil, nil, err
	}
	if err := lockHistories(ctx, tx, news); err != nil {
		return nil, nil, err
	}
	now := tx.Now()
	jobs := make([]*Job, len(news))
	rows := make([][]any, len(news))
	for i, n := range news {
		jobs[i] = &Job{
			CreateTime: now, UpdateTime: now, HistoryID: n.HistoryID, UserID: n.UserID, SessionID: n.SessionID,
			ToolID: n.ToolID, ToolVersion: n.ToolVersion, GalaxyVersion: GalaxyVersion, State: galaxy.JobNew,
			CopiedFromJobID: n.CopiedFromJobID, Handler: n.Handler,
		}
		rows[i] = []any{
			now, now, OrNull(n.HistoryID), OrNull(n.UserID), OrNull(n.SessionID), n.ToolID, n.ToolVersion, GalaxyVersion,
			string(galaxy.JobNew), OrNull(n.CopiedFromJobID), false, n.Handler, JSON([]any{}), JSON(map[string]any{}),
		}
	}
	ids, err := InsertMany(ctx, tx, "job", []string{
		"create_time", "update_time", "history_id", "user_id", "session_id", "tool_id", "tool_version", "galaxy_version",
		"state", "copied_from_job_id", "imported", "handler", "dependencies", "destination_params",
	}, rows)
	if err != nil {
		return nil, nil, err
	}
	var parameters, inputs, waits [][]any
	for i, n := range news {
		jobs[i].ID = ids[i]
		for _, p := range n.Parameters {
			parameters = append(parameters, []any{ids[i], p.Name, p.Value})
		}
		waited := map[int64]bool{}
		for _, in := range n.Inputs {
			source := found[in.HDA]
			inputs = append(inputs, []any{ids[i], in.Name, in.HDA, source.version})
			if pending[source.dataset] && !waited[source.dataset] {
				waited[source.dataset] = true
				waits = append(waits, []any{ids[i], source.dataset})
			}
		}
	}
	write := tx.Later()
	if err := InsertRows(ctx, write, "job_parameter", []string{"job_id", "name", "value"}, parameters); err != nil {
		return nil, nil, err
	}
	if err := InsertRows(ctx, write, "job_to_input_dataset", []string{"job_id", "name", "dataset_id", "dataset_version"}, inputs); err != nil {
		return nil, nil, err
	}
	if err := InsertRows(ctx, write, "orrery_wait", []string{"job_id", "dataset_id"}, waits); err != nil {
		return nil, nil, err
	}
	if err := addJobHistory(ctx, write, galaxy.JobNew, "", ids...); err != nil {
		return nil, nil, err
	}
	outputs, err := createOutputs(ctx, tx, news, ids)
	return jobs, outputs, err
}

// lockHistories locks the histories of jobs before anything names them, on MySQL:
// there a row that names another by a foreign key shares a lock on it until the
// transaction ends, and two that have both shared it cannot count its datasets.
func lockHistories(ctx context.Context, tx *Tx, news []NewJob) error {
	if tx.Engine() != MySQL {
		return nil
	}
	ids := make([]int64, len(news))
	for i, n := range news {
		ids[i] = n.HistoryID
	}
	slices.Sort(ids)
	cond, arg := AnyOf(tx, "id", slices.Compact(ids))
	_, err := Column[int64](ctx, tx, "SELECT id FROM history WHERE "+cond+" ORDER BY id"+forUpdate(tx), arg)
	return err
}

// createOutputs adds the outputs of jobs.
func createOutputs(ctx context.Context, tx *Tx, news []NewJob, ids []int64) ([][]HDA, error) {
	var items []placedHDA
	for i, n := range news {
		for o := range n.Outputs {
			n.Outputs[o].JobID = ids[i]
			items = append(items, placedHDA{NewHDA: n.Outputs[o], history: n.HistoryID})
		}
	}
	hdas, err := createHDAs(ctx, tx, items)
	if err != nil {
		return nil, err
	}
	outputs := make([][]HDA, len(news))
	rows := make([][]any, 0, len(hdas))
	next := 0
	for i, n := range news {
		outputs[i] = hdas[next : next+len(n.Outputs) : next+len(n.Outputs)]
		next += len(n.Outputs)
		for o := range outputs[i] {
			rows = append(rows, []any{ids[i], outputs[i][o].ID, n.OutputNames[o]})
		}
	}
	return outputs, InsertRows(ctx, tx.Later(), "job_to_output_dataset", []string{"job_id", "dataset_id", "name"}, rows)
}

func distinctHDAs(news []NewJob) []int64 {
	seen := map[int64]bool{}
	var ids []int64
	for _, n := range news {
		for _, in := range n.Inputs {
			if !seen[in.HDA] {
				seen[in.HDA] = true
				ids = append(ids, in.HDA)
			}
		}
	}
	return ids
}

// inputSource is the present version of an HDA, and its dataset.
type inputSource struct{ version, dataset int64 }

// lockPendingInputs gives the sources of HDAs, and those of their datasets that
// are not finished, locked so that they do not finish before this transaction
// has said what waits for them.
func lockPendingInputs(ctx context.Context, tx *Tx, hdas []int64) (found map[int64]inputSource, pending map[int64]bool, err error) {
	if len(hdas) == 0 {
		return nil, nil, nil
	}
	found = make(map[int64]inputSource, len(hdas))
	var unfinished []int64
	cond, arg := AnyOf(tx, "h.id", hdas)
	rows, err := tx.Query(ctx, `SELECT h.id, h.version, d.id, d.state FROM history_dataset_association h
		JOIN dataset d ON d.id = h.dataset_id WHERE `+cond, arg)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var hda int64
		var source inputSource
		var state string
		if err := rows.Scan(&hda, &source.version, &source.dataset, &state); err != nil {
			return nil, nil, err
		}
		found[hda] = source
		if awaited(state) {
			unfinished = append(unfinished, source.dataset)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if len(unfinished) == 0 {
		return found, nil, nil
	}
	query := "SELECT id, state FROM dataset WHERE "
	cond, arg = AnyOf(tx, "id", unfinished)
	query += cond
	query += " ORDER BY id" + forShare(tx)
	locked, err := tx.Query(ctx, query, arg)
	if err != nil {
		return nil, nil, err
	}
	defer locked.Close()
	pending = map[int64]bool{}
	for locked.Next() {
		var dataset int64
		var state string
		if err := locked.Scan(&dataset, &state); err != nil {
			return nil, nil, err
		}
		if awaited(state) {
			pending[dataset] = true
		}
	}
	return found, pending, locked.Err()
}

// awaited tells whether a job waits for a dataset in this state. A paused one may
// never come: the job that needs it is not left waiting but paused too, by the
// handler that takes it.
func awaited(state string) bool {
	s := galaxy.DatasetState(state)
	return !s.Terminal() && s != galaxy.DatasetPaused
}

func addJobHistory(ctx context.Context, q Querier, state galaxy.JobState, info string, jobs ...int64) error {
	rows := make([][]any, len(jobs))
	for i, id := range jobs {
		rows[i] = []any{q.Now(), id, string(state), OrNull(info)}
	}
	return InsertRows(ctx, q, "job_state_history", []string{"create_time", "job_id", "state", "info"}, rows)
}

// JobParameters reads the parameters of a job in the order they were written.
func JobParameters(ctx context.Context, q Querier, job int64) ([]JobParameter, error) {
	return Collect(ctx, q, func(r *Rows) (p JobParameter, err error) { return p, r.Scan(&p.Name, &p.Value) },
		"SELECT name, value FROM job_parameter WHERE job_id = ? ORDER BY id", job)
}

// JobInputs reads the inputs of a job in the order they were written.
func JobInputs(ctx context.Context, q Querier, job int64) ([]JobInput, error) {
	return Collect(ctx, q, func(r *Rows) (i JobInput, err error) { return i, r.Scan(&i.Name, &i.HDA, &i.Version) },
		"SELECT name, dataset_id, dataset_version FROM job_to_input_dataset WHERE job_id = ? ORDER BY id", job)
}

// JobOutputs reads the outputs of a job in the order they were written.
func JobOutputs(ctx context.Context, q Querier, job int64) ([]JobOutput, error) {
	return Collect(ctx, q, func(r *Rows) (o JobOutput, err error) { return o, r.Scan(&o.Name, &o.HDA) },
		"SELECT name, dataset_id FROM job_to_output_dataset WHERE job_id = ? ORDER BY id", job)
}

// JobMetric is a row of job_metric_numeric or job_metric_text.
type JobMetric struct {
	Plugin, Name string
	// Value is the number or the text.
	Value string
	// Number tells which of the two tables it is in.
	Number bool
}

// JobMetrics reads the metrics of a job.
func JobMetrics(ctx context.Context, q Querier, job int64) ([]JobMetric, error) {
	return Collect(ctx, q, func(r *Rows) (m JobMetric, err error) { return m, r.Scan(&m.Plugin, &m.Name, &m.Value, &m.Number) },
		`SELECT plugin, metric_name, `+q.Engine().text("metric_value")+`, 1=1 FROM job_metric_numeric WHERE job_id = ?
		UNION ALL SELECT plugin, metric_name, metric_value, 1=0 FROM job_metric_text WHERE job_id = ?`, job, job)
}

// JobFilter selects jobs for a list.
type JobFilter struct {
	UserID    int64 // 0: everybody's
	HistoryID int64
	States    []string
	ToolIDs   []string
	ToolLike  []string // patterns with `%`
	// After and Before bound update_time.
	After, Before *time.Time
	Handler       string
	Limit, Offset int
	// OrderByCreate orders by create_time rather than update_time, newest first.
	OrderByCreate bool
	// Search are terms that must all hold: of the fields tool, handler, runner and
	// user (the owner's address), or in any of them.
	Search []SearchTerm
	// SearchTools looks for terms without a field in tools' ids alone.
	SearchTools bool
}

// jobSearched are the columns of the fields that jobs can be searched by.
var jobSearched = map[string]string{"tool": "j.tool_id", "handler": "j.handler", "runner": "j.job_runner_name", "user": "u.email"}

// ListJobs lists jobs, newest first.
func ListJobs(ctx context.Context, q Querier, f JobFilter) ([]*Job, error) {
	query := "SELECT " + jobColumns + " FROM job j LEFT JOIN galaxy_user u ON u.id = j.user_id WHERE 1=1"
	var args []any
	add := func(cond string, arg ...any) {
		query += " AND " + cond
		args = append(args, arg...)
	}
	if f.UserID != 0 {
		add("j.user_id = ?", f.UserID)
	}
	if f.HistoryID != 0 {
		add("j.history_id = ?", f.HistoryID)
	}
	if len(f.States) > 0 {
		cond, arg := AnyOfText(q, "j.state", f.States)
		add(cond, arg)
	}
	if len(f.ToolIDs) > 0 {
		cond, arg := AnyOfText(q, "j.tool_id", f.ToolIDs)
		add(cond, arg)
	}
	for _, p := range f.ToolLike {
		add("j.tool_id LIKE ?", p)
	}
	if f.After != nil {
		add("j.update_time >= ?", *f.After)
	}
	if f.Before != nil {
		add("j.update_time <= ?", *f.Before)
	}
	if f.Handler != "" {
		add("j.handler = ?", f.Handler)
	}
	for _, term := range f.Search {
		columns := []string{"j.tool_id"}
		switch {
		case term.Field != "":
			columns[0] = jobSearched[term.Field]
		case !f.SearchTools:
			columns = append(columns, "j.handler", "j.job_runner_name", "u.email")
		}
		var either []string
		var arg []any
		for _, column := range columns {
			if term.Exact && term.Field != "" {
				either, arg = append(either, column+" = ?"), append(arg, term.Text)
			} else {
				either, arg = append(either, "lower("+column+`) LIKE ? ESCAPE '\'`), append(arg, contains(strings.ToLower(term.Text)))
			}
		}
		add("("+strings.Join(either, " OR ")+")", arg...)
	}
	if f.OrderByCreate {
		query += " ORDER BY j.create_time DESC, j.id DESC"
	} else {
		query += " ORDER BY j.update_time DESC, j.id DESC"
	}
	if f.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit)
	} else if f.Offset > 0 {
		query += " LIMIT 9223372036854775807"
	}
	if f.Offset > 0 {
		query += fmt.Sprintf(" OFFSET %d", f.Offset)
	}
	return Collect(ctx, q, scanJob, query, args...)
}
