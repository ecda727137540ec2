package store

import (
	"context"
	"encoding/json"

	"orrery/internal/galaxy"
)

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
	state, err := c.guardUnended(ctx, tx, serverName)
	if err != nil {
		return err
	}
	write := tx.Later()
	if err := writeStart(ctx, tx, write, c.JobID, state, s); err != nil {
		return err
	}
	return setOutputState(ctx, write, galaxy.DatasetRunning, []int64{c.JobID})
}

// writeStart writes down how a job began; state is the one it had.
func writeStart(ctx context.Context, tx *Tx, write Querier, job int64, state galaxy.JobState, s Started) error {
	if _, err := write.Exec(ctx, `UPDATE job SET state = ?, update_time = ?, command_line = ?, job_runner_name = ?,
		job_runner_external_id = ?, destination_id = ?, destination_params = ? WHERE id = ?`,
		string(galaxy.JobRunning), tx.Now(), noNUL(s.CommandLine), s.Runner, s.ExternalID, s.DestinationID, s.Destination, job); err != nil {
		return err
	}
	if state == galaxy.JobRunning {
		return nil
	}
	return addJobHistory(ctx, write, galaxy.JobRunning, "", job)
}

// setDatasetState moves the unfinished outputs of jobs to a state.
func setDatasetState(ctx context.Context, q Querier, state galaxy.DatasetState, jobs []int64) error {
	cond, arg := AnyOf(q, "o.job_id", jobs)
	outputs, args, err := among(ctx, q, "id",
		"SELECT h.dataset_id FROM job_to_output_dataset o JOIN history_dataset_association h ON h.id = o.dataset_id WHERE "+cond, arg)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, "UPDATE dataset SET state = ?, update_time = ? WHERE state NOT IN ('ok', 'error', 'discarded', 'empty') AND "+outputs,
		append([]any{string(state), q.Now()}, args...)...)
	return err
}

// setOutputState is setDatasetState, and lets the triggers tell the histories'
// watchers by touching the associations.
func setOutputState(ctx context.Context, q Querier, state galaxy.DatasetState, jobs []int64) error {
	if err := setDatasetState(ctx, q, state, jobs); err != nil {
		return err
	}
	cond, arg := AnyOf(q, "o.job_id", jobs)
	outputs, args, err := among(ctx, q, "id", "SELECT o.dataset_id FROM job_to_output_dataset o WHERE "+cond, arg)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, "UPDATE history_dataset_association SET update_time = ? WHERE "+outputs, append([]any{q.Now()}, args...)...)
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
	// Started is how the job began, if that was not written down before.
	Started *Started
}

// FinishJob writes down the outcome of a job and of its outputs, ends the claim,
// and lets go of the jobs that waited for the outputs, all in one transaction.
// It tells how many jobs waited. Repeating it changes nothing.
func FinishJob(ctx context.Context, tx *Tx, c Claim, serverName string, f Finished) (released int, err error) {
	state, err := c.guard(ctx, tx, serverName)
	if err != nil {
		return 0, err
	}
	write := tx.Later()
	if _, err := write.Exec(ctx, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID); err != nil {
		return 0, err
	}
	if state.Terminal() && state != galaxy.JobDeleting && state != galaxy.JobStopping {
		return 0, nil
	}
	if state == galaxy.JobDeleting {
		// The outputs were given up when the person ended the job, and its info
		// says so.
		f.State, f.Outputs, f.Info = galaxy.JobDeleted, nil, ""
	}
	if f.Started != nil {
		if err := writeStart(ctx, tx, write, c.JobID, state, *f.Started); err != nil {
			return 0, err
		}
	}
	if _, err := write.Exec(ctx, `UPDATE job SET state = ?, update_time = ?, info = COALESCE(?, info), exit_code = ?, tool_stdout = ?, tool_stderr = ?,
		job_stdout = ?, job_stderr = ?, job_messages = ?, traceback = ? WHERE id = ?`,
		string(f.State), tx.Now(), OrNull(Clip(f.Info, 255)), f.ExitCode, noNUL(f.ToolStdout), noNUL(f.ToolStderr),
		noNUL(f.JobStdout), noNUL(f.JobStderr), f.Messages, OrNull(noNUL(f.Traceback)), c.JobID); err != nil {
		return 0, err
	}
	if err := addJobHistory(ctx, write, f.State, "", c.JobID); err != nil {
		return 0, err
	}
	if err := insertMetrics(ctx, write, c.JobID, f.Metrics); err != nil {
		return 0, err
	}
	if err := finishHDAs(ctx, tx, write, f.Outputs); err != nil {
		return 0, err
	}
	// After the datasets' states, as what is created meanwhile looks at those.
	query, args, err := releaseWaits(ctx, tx, c.JobID)
	if err != nil {
		return 0, err
	}
	if err := tx.execLater(ctx, func(n int64) { released = int(n) }, query, args...); err != nil {
		return 0, err
	}
	err = tx.Flush(ctx)
	return released, err
}

func insertMetrics(ctx context.Context, q Querier, job int64, metrics []JobMetric) error {
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
	if err := InsertRows(ctx, q, "job_metric_numeric", columns, numbers); err != nil {
		return err
	}
	return InsertRows(ctx, q, "job_metric_text", columns, texts)
}

// releaseWaits ends the waits for a job's outputs.
func releaseWaits(ctx context.Context, q Querier, job int64) (query string, args []any, err error) {
	outputs, args, err := among(ctx, q, "dataset_id", `SELECT h.dataset_id FROM job_to_output_dataset o
		JOIN history_dataset_association h ON h.id = o.dataset_id WHERE o.job_id = ?`, job)
	return "DELETE FROM orrery_wait WHERE " + outputs, args, err
}

// releaseWaiting lets go of the jobs that wait for a job's outputs, whatever
// the outputs have become: the handler looks at their states itself.
func releaseWaiting(ctx context.Context, tx *Tx, job int64) (int, error) {
	query, args, err := releaseWaits(ctx, tx, job)
	if err != nil {
		return 0, err
	}
	n, err := tx.Exec(ctx, query, args...)
	return int(n), err
}

// staleWait are the waits for datasets that nothing will finish any more.
const staleWait = ` FROM orrery_wait WHERE NOT EXISTS (SELECT 1 FROM dataset d WHERE d.id = orrery_wait.dataset_id
	AND d.state NOT IN ('ok', 'empty', 'error', 'deferred', 'discarded', 'failed_metadata', 'paused'))`

// ReleaseStale lets go of jobs that wait for datasets which were finished by
// somebody who knows nothing of waiting: Galaxy itself on the same database, or
// an administrator's SQL. It tells how many waits ended.
func ReleaseStale(ctx context.Context, db *DB) (released int, err error) {
	if err := db.QueryRow(ctx, "SELECT count(*)"+staleWait).Scan(&released); err != nil || released == 0 {
		return 0, err
	}
	err = db.Write(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, "DELETE"+staleWait)
		released = int(n)
		return err
	})
	return released, err
}

// RequeueJob gives a claimed job back, unstarted, to the pool it came from. A job
// that a person ended meanwhile stays ended (galaxy.Conflict).
func RequeueJob(ctx context.Context, tx *Tx, c Claim, serverName string) error {
	if err := c.giveBack(ctx, tx, serverName, galaxy.JobNew, c.Pool, ""); err != nil {
		return err
	}
	return setOutputState(ctx, tx, galaxy.DatasetNew, []int64{c.JobID})
}

// giveBack ends a claim without an outcome.
func (c Claim) giveBack(ctx context.Context, tx *Tx, serverName string, state galaxy.JobState, handler, info string) error {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE job SET state = ?, handler = ?, info = ?, update_time = ? WHERE id = ?",
		string(state), handler, OrNull(Clip(info, 255)), tx.Now(), c.JobID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID); err != nil {
		return err
	}
	return addJobHistory(ctx, tx, state, Clip(info, 255), c.JobID)
}

// WaitForInputs puts a claimed job back until the given datasets are finished.
// Those that finished in the meantime are left out; the job is then claimable
// at once.
func WaitForInputs(ctx context.Context, tx *Tx, c Claim, serverName string, hdas []int64) error {
	if err := RequeueJob(ctx, tx, c, serverName); err != nil {
		return err
	}
	_, pending, err := lockPendingInputs(ctx, tx, hdas)
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(pending))
	for d := range pending {
		rows = append(rows, []any{c.JobID, d})
	}
	return InsertRows(ctx, tx, "orrery_wait", []string{"job_id", "dataset_id"}, rows)
}

// PauseJob pauses a claimed job and its outputs, with a reason people see. Jobs
// that waited for the outputs are let go, so that they are paused in their turn;
// it tells how many.
func PauseJob(ctx context.Context, tx *Tx, c Claim, serverName, reason string) (released int, err error) {
	if err := c.giveBack(ctx, tx, serverName, galaxy.JobPaused, serverName, reason); err != nil {
		return 0, err
	}
	if err := setOutputInfo(ctx, tx, reason, []int64{c.JobID}); err != nil {
		return 0, err
	}
	if err := setOutputState(ctx, tx, galaxy.DatasetPaused, []int64{c.JobID}); err != nil {
		return 0, err
	}
	return releaseWaiting(ctx, tx, c.JobID)
}

// setOutputInfo sets the line beside the outputs of jobs.
func setOutputInfo(ctx context.Context, tx *Tx, info string, jobs []int64) error {
	cond, arg := AnyOf(tx, "job_id", jobs)
	outputs, args, err := among(ctx, tx, "id", "SELECT dataset_id FROM job_to_output_dataset WHERE "+cond, arg)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE history_dataset_association SET info = ? WHERE "+outputs, append([]any{OrNull(Clip(info, 255))}, args...)...)
	return err
}

// resumable are the paused ones of some jobs, with all paused jobs that wait,
// directly or not, for what they make.
const resumable = `WITH RECURSIVE resumable(id) AS (
		SELECT id FROM job WHERE state = 'paused' AND %JOBS%
		UNION SELECT j.id FROM resumable r JOIN job_to_output_dataset o ON o.job_id = r.id
			JOIN job_to_input_dataset i ON i.dataset_id = o.dataset_id JOIN job j ON j.id = i.job_id WHERE j.state = 'paused')
	SELECT id FROM job WHERE state = 'paused' AND id IN (SELECT id FROM resumable) ORDER BY id`

// ResumeJobs makes paused jobs new again, for a pool to claim, and with them the
// paused jobs that depend on them, as Galaxy does.
func ResumeJobs(ctx context.Context, tx *Tx, jobs []int64, pool string) error {
	cond, arg := AnyOf(tx, "id", jobs)
	query := replaceOnce(resumable, "%JOBS%", cond)
	if tx.Engine() != SQLite {
		query += " FOR UPDATE" // two that resume the same job take it in turns
	}
	resumed, err := Column[int64](ctx, tx, query, arg)
	if err != nil || len(resumed) == 0 {
		return err
	}
	cond, arg = AnyOf(tx, "id", resumed)
	if _, err := tx.Exec(ctx, "UPDATE job SET state = 'new', handler = ?, info = NULL, update_time = ? WHERE "+cond, pool, tx.Now(), arg); err != nil {
		return err
	}
	if err := addJobHistory(ctx, tx, galaxy.JobNew, "", resumed...); err != nil {
		return err
	}
	if err := setOutputInfo(ctx, tx, "", resumed); err != nil {
		return err
	}
	return setOutputState(ctx, tx, galaxy.DatasetNew, resumed)
}

// CancelJob ends a job on a person's behalf: one that nobody has started is
// deleted at once; one that a handler has is marked deleting, and its handler
// is to stop it. It tells the job's new state.
func CancelJob(ctx context.Context, tx *Tx, job int64, message string) (galaxy.JobState, error) {
	query := "SELECT j.state FROM job j WHERE j.id = ?"
	if tx.Engine() != SQLite {
		query += " FOR UPDATE"
	}
	var text string
	var claimed int
	if err := tx.QueryRow(ctx, query, job).Scan(&text); err != nil {
		return "", err
	}
	// After the job is locked: whoever was just claiming it has done so by now.
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM orrery_claim WHERE job_id = ?", job).Scan(&claimed); err != nil {
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
	if err := addJobHistory(ctx, tx, to, Clip(message, 255), job); err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_wait WHERE job_id = ?", job); err != nil {
		return "", err
	}
	if err := discardOutputs(ctx, tx, job, message); err != nil {
		return "", err
	}
	_, err := releaseWaiting(ctx, tx, job)
	return to, err
}

// discardOutputs gives up the unfinished outputs of a cancelled job. Copies that
// people made of them go with them, as in Galaxy.
func discardOutputs(ctx context.Context, tx *Tx, job int64, message string) error {
	const outputs = `(SELECT h.dataset_id FROM job_to_output_dataset o JOIN history_dataset_association h ON h.id = o.dataset_id WHERE o.job_id = ?)`
	if _, err := tx.Exec(ctx, `UPDATE dataset SET state = 'discarded', update_time = ? WHERE state NOT IN ('ok', 'error') AND id IN `+outputs,
		tx.Now(), job); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE history_dataset_association SET deleted = ?, info = ?, update_time = ?, blurb = 'deleted', peek = 'Job deleted'
		WHERE dataset_id IN `+outputs, true, OrNull(Clip(message, 255)), tx.Now(), job)
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
