package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"orrery/internal/galaxy"
)

// Instance is one start of one server process. It lives as long as it renews
// its lease.
type Instance struct {
	ID         UUID
	ServerName string
	Hostname   string
	PID        int
	// Kind is "web", "handler" or "all".
	Kind    string
	Pools   []string
	Version string
	// Started and Expires are by the database's clock.
	Started, Expires time.Time
}

// dbNow is the database's clock, plus a number of seconds given as argument.
func dbNow(q Querier) string {
	if q.Engine() == PostgreSQL {
		return "(clock_timestamp() AT TIME ZONE 'UTC' + ? * interval '1 second')"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000', 'now', ? || ' seconds')"
}

// RegisterInstance adds a server process with a lease, and keeps Galaxy's
// worker_process table as Galaxy does.
func RegisterInstance(ctx context.Context, tx *Tx, in Instance, lease time.Duration) error {
	if _, err := tx.Exec(ctx, `INSERT INTO orrery_instance (id, server_name, hostname, pid, kind, pools, version, started, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, `+dbNow(tx)+`, `+dbNow(tx)+`)`,
		in.ID, in.ServerName, in.Hostname, in.PID, in.Kind, string(JSON(in.Pools)), in.Version, 0, lease.Seconds()); err != nil {
		return err
	}
	appType := "webapp"
	if in.Kind == "handler" {
		appType = "job_handler"
	}
	n, err := tx.Exec(ctx, "UPDATE worker_process SET pid = ?, update_time = ?, app_type = ? WHERE server_name = ? AND hostname = ?",
		in.PID, tx.Now(), appType, in.ServerName, in.Hostname)
	if err != nil || n > 0 {
		return err
	}
	_, err = Insert(ctx, tx, "worker_process", Values{
		"server_name": in.ServerName, "hostname": in.Hostname, "pid": in.PID, "update_time": tx.Now(), "app_type": appType,
	})
	return err
}

// ErrLeaseLost says that an instance is no longer registered or its lease ran
// out, so that it must not touch jobs any more.
var ErrLeaseLost = errors.New("the lease of this server process has ended")

// RenewLease extends an instance's lease; ErrLeaseLost when it had ended.
func RenewLease(ctx context.Context, tx *Tx, id UUID, lease time.Duration) error {
	n, err := tx.Exec(ctx, "UPDATE orrery_instance SET expires = "+dbNow(tx)+" WHERE id = ? AND expires > "+dbNow(tx),
		lease.Seconds(), id, 0)
	if err == nil && n == 0 {
		return ErrLeaseLost
	}
	return err
}

// RemoveInstance ends an instance's lease.
func RemoveInstance(ctx context.Context, q Querier, id UUID) error {
	_, err := q.Exec(ctx, "DELETE FROM orrery_instance WHERE id = ?", id)
	return err
}

// Instances lists the server processes whose lease lasts.
func Instances(ctx context.Context, q Querier) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, `SELECT id, server_name, hostname, pid, kind, pools, version, started, expires
		FROM orrery_instance WHERE expires > `+dbNow(q)+` ORDER BY server_name, started`, 0)
}

// InstancesNamed lists every registered instance of a name on a host, also
// those whose lease ran out.
func InstancesNamed(ctx context.Context, q Querier, serverName, hostname string) ([]Instance, error) {
	return Collect(ctx, q, scanInstance, `SELECT id, server_name, hostname, pid, kind, pools, version, started, expires
		FROM orrery_instance WHERE server_name = ? AND hostname = ?`, serverName, hostname)
}

func scanInstance(r *Rows) (in Instance, err error) {
	var pools string
	if err = r.Scan(&in.ID, &in.ServerName, &in.Hostname, &in.PID, &in.Kind, &pools, &in.Version, &in.Started, &in.Expires); err != nil {
		return in, err
	}
	return in, json.Unmarshal([]byte(pools), &in.Pools)
}

// Claim is a job that an instance owns.
type Claim struct {
	JobID    int64
	Instance UUID
	// Epoch rises with each change of the owner.
	Epoch int
	// Attempt is the number of the run, from 1.
	Attempt int
	// Pool is what job.handler held before the claim: where the job goes back to.
	Pool string
}

// claimedJobs is the part of a claim that picks the jobs: new ones of the given
// pools that wait for nothing, turn by turn between their owners and in the
// order of creation within each.
const claimedJobs = `SELECT c.id, c.handler FROM (
		SELECT j.id, j.handler, row_number() OVER (PARTITION BY j.user_id, j.session_id ORDER BY j.id) AS turn
		FROM (SELECT id, handler, user_id, session_id FROM job WHERE state = 'new' AND %POOLS%
			AND NOT EXISTS (SELECT 1 FROM orrery_wait w WHERE w.job_id = job.id)
			ORDER BY id LIMIT 2000) j) c
	ORDER BY c.turn, c.id`

// ClaimJobs gives an instance at most n new jobs of its pools (job.handler
// holds the pool's tag, `_default_`, or the server's own name), and marks them
// queued. Any number of instances may claim at once: each job goes to one.
func ClaimJobs(ctx context.Context, tx *Tx, instance UUID, serverName string, pools []string, n int) ([]Claim, error) {
	cond, arg := AnyOfText(tx, "handler", pools)
	query, args := replaceOnce(claimedJobs, "%POOLS%", cond)+" LIMIT ?", []any{arg, n}
	if tx.Engine() == PostgreSQL {
		// The window cannot be locked, so more candidates than needed are read
		// and those that another handler is just taking are skipped.
		query = `WITH candidate AS MATERIALIZED (` + query + `)
			SELECT id, handler FROM job WHERE id IN (SELECT id FROM candidate) AND state = 'new' LIMIT ? FOR UPDATE SKIP LOCKED`
		args = []any{arg, n + 64, n}
	}
	taken, err := Collect(ctx, tx, func(r *Rows) (c Claim, err error) { return c, r.Scan(&c.JobID, &c.Pool) }, query, args...)
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	ids := make([]int64, len(taken))
	for i, c := range taken {
		ids[i] = c.JobID
	}
	cond, arg = AnyOf(tx, "id", ids)
	if _, err := tx.Exec(ctx, "UPDATE job SET handler = ?, state = ?, update_time = ? WHERE "+cond,
		serverName, string(galaxy.JobQueued), tx.Now(), arg); err != nil {
		return nil, err
	}
	if err := addJobHistory(ctx, tx, galaxy.JobQueued, "", ids...); err != nil {
		return nil, err
	}
	if err := setOutputState(ctx, tx, galaxy.DatasetQueued, ids); err != nil {
		return nil, err
	}
	return takeClaims(ctx, tx, instance, taken)
}

// takeClaims makes an instance the owner of jobs, in a new epoch. A claim that
// exists keeps the pool it came from.
func takeClaims(ctx context.Context, tx *Tx, instance UUID, jobs []Claim) ([]Claim, error) {
	rows := make([][]any, len(jobs))
	for i, c := range jobs {
		rows[i] = []any{c.JobID, instance, 1, 1, c.Pool}
	}
	query, args := insertSQL("orrery_claim", []string{"job_id", "instance", "epoch", "attempt", "pool"}, rows)
	return Collect(ctx, tx, func(r *Rows) (c Claim, err error) {
		return c, r.Scan(&c.JobID, &c.Instance, &c.Epoch, &c.Attempt, &c.Pool)
	}, query+` ON CONFLICT (job_id) DO UPDATE SET instance = excluded.instance, epoch = orrery_claim.epoch + 1
		RETURNING job_id, instance, epoch, attempt, pool`, args...)
}

// AdoptJobs gives an instance the unfinished jobs of its own name whose owner
// no longer lives: alive lists the instances that do. A job that was never
// claimed by us (Galaxy's own handler had it) is adopted too.
func AdoptJobs(ctx context.Context, tx *Tx, instance UUID, serverName string, alive []string) ([]Claim, error) {
	query := `SELECT j.id FROM job j LEFT JOIN orrery_claim c ON c.job_id = j.id
		WHERE j.handler = ? AND j.state IN ('queued', 'running') AND (c.job_id IS NULL OR NOT (`
	cond, arg := AnyOfText(tx, "c.instance", append([]string{instance.Hex()}, alive...))
	found, err := Column[int64](ctx, tx, query+cond+`)) ORDER BY j.id`, serverName, arg)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	jobs := make([]Claim, len(found))
	for i, id := range found {
		jobs[i] = Claim{JobID: id, Pool: serverName}
	}
	return takeClaims(ctx, tx, instance, jobs)
}

// ErrClaimLost says that the job is no longer this instance's: someone else has
// it, or an administrator moved it.
var ErrClaimLost = errors.New("the job belongs to another handler now")

// guard locks a claim and checks that it still holds; every transaction of a
// handler begins with it.
func (c Claim) guard(ctx context.Context, tx *Tx, serverName string) (galaxy.JobState, error) {
	query := `SELECT j.state FROM orrery_claim c JOIN job j ON j.id = c.job_id
		WHERE c.job_id = ? AND c.instance = ? AND c.epoch = ? AND j.handler = ?`
	if tx.Engine() == PostgreSQL {
		query += " FOR UPDATE"
	}
	var state string
	err := tx.QueryRow(ctx, query, c.JobID, c.Instance, c.Epoch, serverName).Scan(&state)
	if err == ErrNoRows {
		return "", ErrClaimLost
	}
	return galaxy.JobState(state), err
}

// Started is what is known of a job once it was handed to its runner.
type Started struct {
	CommandLine   string
	Runner        string
	ExternalID    string
	DestinationID string
	Destination   json.RawMessage
}

// StartJob marks a claimed job running. ErrClaimLost when it is not the
// instance's any more; an error of kind galaxy.Conflict when someone ended the
// job in the meantime.
func StartJob(ctx context.Context, tx *Tx, c Claim, serverName string, s Started) error {
	state, err := c.guard(ctx, tx, serverName)
	if err != nil {
		return err
	}
	if state.Terminal() {
		return galaxy.Errorf(galaxy.Conflict, "job %d is already %s", c.JobID, state)
	}
	if _, err := tx.Exec(ctx, `UPDATE job SET state = ?, update_time = ?, command_line = ?, job_runner_name = ?,
		job_runner_external_id = ?, destination_id = ?, destination_params = ? WHERE id = ?`,
		string(galaxy.JobRunning), tx.Now(), noNUL(s.CommandLine), s.Runner, s.ExternalID, s.DestinationID, s.Destination, c.JobID); err != nil {
		return err
	}
	if state != galaxy.JobRunning {
		if err := addJobHistory(ctx, tx, galaxy.JobRunning, "", c.JobID); err != nil {
			return err
		}
	}
	return setOutputState(ctx, tx, galaxy.DatasetRunning, []int64{c.JobID})
}

// setOutputState moves the unfinished outputs of jobs to a state.
func setOutputState(ctx context.Context, tx *Tx, state galaxy.DatasetState, jobs []int64) error {
	cond, arg := AnyOf(tx, "o.job_id", jobs)
	outputs := "(SELECT h.dataset_id FROM job_to_output_dataset o JOIN history_dataset_association h ON h.id = o.dataset_id WHERE " + cond + ")"
	_, err := tx.Exec(ctx, "UPDATE dataset SET state = ?, update_time = ? WHERE state NOT IN ('ok', 'error', 'discarded', 'empty') AND id IN "+outputs,
		string(state), tx.Now(), arg)
	if err != nil {
		return err
	}
	// Touching the association lets the triggers tell the history's watchers.
	cond, arg = AnyOf(tx, "o.job_id", jobs)
	_, err = tx.Exec(ctx, "UPDATE history_dataset_association SET update_time = ? WHERE id IN (SELECT o.dataset_id FROM job_to_output_dataset o WHERE "+cond+")",
		tx.Now(), arg)
	return err
}

// Finished is the outcome of a job.
type Finished struct {
	State                  galaxy.JobState
	Info                   string
	ExitCode               *int64
	ToolStdout, ToolStderr string
	JobStdout, JobStderr   string
	Messages               json.RawMessage
	Traceback              string
	Version                string // what the tool's version command printed
	Outputs                []FinishedHDA
	Metrics                []JobMetric
}

// FinishJob writes down the outcome of a job and of its outputs, ends the claim,
// and lets go of the jobs that waited for the outputs, all in one transaction.
// It tells how many jobs waited. Repeating it changes nothing.
func FinishJob(ctx context.Context, tx *Tx, c Claim, serverName string, f Finished) (released int, err error) {
	state, err := c.guard(ctx, tx, serverName)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID); err != nil {
		return 0, err
	}
	if state.Terminal() && state != galaxy.JobDeleting && state != galaxy.JobStopping {
		return 0, nil
	}
	if state == galaxy.JobDeleting {
		f.State = galaxy.JobDeleted
	}
	if _, err := tx.Exec(ctx, `UPDATE job SET state = ?, update_time = ?, info = ?, exit_code = ?, tool_stdout = ?, tool_stderr = ?,
		job_stdout = ?, job_stderr = ?, job_messages = ?, traceback = ? WHERE id = ?`,
		string(f.State), tx.Now(), OrNull(Clip(f.Info, 255)), f.ExitCode, noNUL(f.ToolStdout), noNUL(f.ToolStderr),
		noNUL(f.JobStdout), noNUL(f.JobStderr), f.Messages, OrNull(noNUL(f.Traceback)), c.JobID); err != nil {
		return 0, err
	}
	if err := addJobHistory(ctx, tx, f.State, "", c.JobID); err != nil {
		return 0, err
	}
	if err := insertMetrics(ctx, tx, c.JobID, f.Metrics); err != nil {
		return 0, err
	}
	if err := FinishHDAs(ctx, tx, f.Outputs); err != nil {
		return 0, err
	}
	return releaseWaiting(ctx, tx, c.JobID)
}

func insertMetrics(ctx context.Context, tx *Tx, job int64, metrics []JobMetric) error {
	var numbers, texts [][]any
	for _, m := range metrics {
		row := []any{job, m.Plugin, m.Name, m.Value}
		if m.Number {
			numbers = append(numbers, row)
		} else {
			texts = append(texts, row)
		}
	}
	columns := []string{"job_id", "plugin", "metric_name", "metric_value"}
	if err := InsertRows(ctx, tx, "job_metric_numeric", columns, numbers); err != nil {
		return err
	}
	return InsertRows(ctx, tx, "job_metric_text", columns, texts)
}

// releaseWaiting lets go of the jobs that wait for a job's outputs, whatever
// the outputs have become: the handler looks at their states itself.
func releaseWaiting(ctx context.Context, tx *Tx, job int64) (int, error) {
	n, err := tx.Exec(ctx, `DELETE FROM orrery_wait WHERE dataset_id IN (SELECT h.dataset_id FROM job_to_output_dataset o
		JOIN history_dataset_association h ON h.id = o.dataset_id WHERE o.job_id = ?)`, job)
	return int(n), err
}

// RequeueJob gives a claimed job back, unstarted, to the pool it came from.
func RequeueJob(ctx context.Context, tx *Tx, c Claim, serverName string) error {
	if _, err := c.guard(ctx, tx, serverName); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE job SET state = ?, handler = ?, update_time = ? WHERE id = ?",
		string(galaxy.JobNew), c.Pool, tx.Now(), c.JobID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID); err != nil {
		return err
	}
	return addJobHistory(ctx, tx, galaxy.JobNew, "", c.JobID)
}

// WaitForInputs puts a claimed job back until the given datasets are finished.
// Those that finished in the meantime are left out; the job is then claimable
// at once.
func WaitForInputs(ctx context.Context, tx *Tx, c Claim, serverName string, hdas []int64) error {
	if err := RequeueJob(ctx, tx, c, serverName); err != nil {
		return err
	}
	pending, _, err := lockPendingInputs(ctx, tx, hdas)
	if err != nil {
		return err
	}
	rows := make([][]any, len(pending))
	for i, d := range pending {
		rows[i] = []any{c.JobID, d}
	}
	return InsertRows(ctx, tx, "orrery_wait", []string{"job_id", "dataset_id"}, rows)
}

// PauseJob pauses a claimed job and its outputs, with a reason people see.
func PauseJob(ctx context.Context, tx *Tx, c Claim, serverName, reason string) error {
	if _, err := c.guard(ctx, tx, serverName); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE job SET state = ?, info = ?, update_time = ? WHERE id = ?",
		string(galaxy.JobPaused), Clip(reason, 255), tx.Now(), c.JobID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID); err != nil {
		return err
	}
	if err := addJobHistory(ctx, tx, galaxy.JobPaused, reason, c.JobID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE history_dataset_association SET info = ? WHERE id IN (SELECT dataset_id FROM job_to_output_dataset WHERE job_id = ?)`,
		Clip(reason, 255), c.JobID); err != nil {
		return err
	}
	return setOutputState(ctx, tx, galaxy.DatasetPaused, []int64{c.JobID})
}

// ResumeJobs makes paused jobs new again, for a pool to claim.
func ResumeJobs(ctx context.Context, tx *Tx, jobs []int64, pool string) error {
	cond, arg := AnyOf(tx, "id", jobs)
	resumed, err := Column[int64](ctx, tx, "UPDATE job SET state = 'new', handler = ?, info = NULL, update_time = ? WHERE state = 'paused' AND "+cond+" RETURNING id",
		pool, tx.Now(), arg)
	if err != nil || len(resumed) == 0 {
		return err
	}
	if err := addJobHistory(ctx, tx, galaxy.JobNew, "", resumed...); err != nil {
		return err
	}
	return setOutputState(ctx, tx, galaxy.DatasetNew, resumed)
}

// CancelJob ends a job on a person's behalf: one that nobody has started is
// deleted at once; one that a handler has is marked deleting, and its handler
// is to stop it. It tells the job's new state.
func CancelJob(ctx context.Context, tx *Tx, job int64, message string) (galaxy.JobState, error) {
	query := "SELECT j.state, (SELECT count(*) FROM orrery_claim c WHERE c.job_id = j.id) FROM job j WHERE j.id = ?"
	if tx.Engine() == PostgreSQL {
		query += " FOR UPDATE"
	}
	var text string
	var claimed int
	if err := tx.QueryRow(ctx, query, job).Scan(&text, &claimed); err != nil {
		return "", err
	}
	state := galaxy.JobState(text)
	if state.Terminal() {
		return state, nil
	}
	to := galaxy.JobDeleted
	if claimed > 0 {
		to = galaxy.JobDeleting
	}
	if _, err := tx.Exec(ctx, "UPDATE job SET state = ?, info = ?, update_time = ? WHERE id = ?", string(to), Clip(message, 255), tx.Now(), job); err != nil {
		return "", err
	}
	if err := addJobHistory(ctx, tx, to, message, job); err != nil {
		return "", err
	}
	if err := discardOutputs(ctx, tx, job, message); err != nil {
		return "", err
	}
	_, err := releaseWaiting(ctx, tx, job)
	return to, err
}

// discardOutputs marks the unfinished outputs of a cancelled job deleted.
func discardOutputs(ctx context.Context, tx *Tx, job int64, message string) error {
	if _, err := tx.Exec(ctx, `UPDATE dataset SET state = 'discarded', deleted = ?, update_time = ?
		WHERE job_id = ? AND state NOT IN ('ok', 'error')`, true, tx.Now(), job); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE history_dataset_association SET deleted = ?, info = ?, update_time = ?, blurb = 'deleted', peek = 'Job deleted'
		WHERE id IN (SELECT dataset_id FROM job_to_output_dataset WHERE job_id = ?)`, true, Clip(message, 255), tx.Now(), job)
	return err
}

// DeletingJobs lists the claimed jobs of an instance that people cancelled.
func DeletingJobs(ctx context.Context, q Querier, instance UUID) ([]int64, error) {
	return Column[int64](ctx, q, `SELECT j.id FROM orrery_claim c JOIN job j ON j.id = c.job_id WHERE c.instance = ? AND j.state = 'deleting'`, instance)
}

// CancelJobsOf ends all unfinished jobs of a user.
func CancelJobsOf(ctx context.Context, tx *Tx, userID int64) error {
	jobs, err := Column[int64](ctx, tx, `SELECT id FROM job WHERE user_id = ?
		AND state IN ('new', 'resubmitted', 'upload', 'waiting', 'queued', 'running', 'paused')`, userID)
	if err != nil {
		return err
	}
	for _, id := range jobs { // few: what one person has under way
		if _, err := CancelJob(ctx, tx, id, "The account was deleted."); err != nil {
			return err
		}
	}
	return nil
}
