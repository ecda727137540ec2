package store

import (
	"context"
	"encoding/json"
	"time"

	"orrery/internal/galaxy"
)

// HoldsClaim tells with a nil error that a claim holds at this moment; ErrClaimLost
// when it does not. It locks nothing: whoever asks has to know what may happen
// after that.
func HoldsClaim(ctx context.Context, q Querier, c Claim, serverName string) error {
	var n int
	err := q.QueryRow(ctx, `SELECT COUNT(*) FROM orrery_claim c JOIN job j ON j.id = c.job_id JOIN orrery_instance i ON i.id = c.instance
		WHERE c.job_id = ? AND c.instance = ? AND c.epoch = ? AND j.handler = ? AND i.expires > `+dbNow(q),
		c.JobID, c.Instance, c.Epoch, serverName).Scan(&n)
	if err == nil && n == 0 {
		err = ErrClaimLost
	}
	return err
}

// SetAttempt writes down that the next run of a claimed job has another number.
// The errors are those of StartJob.
func SetAttempt(ctx context.Context, tx *Tx, c Claim, serverName string, attempt int) error {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE orrery_claim SET attempt = ? WHERE job_id = ?", attempt, c.JobID)
	return err
}

// SubmitJob writes down that a claimed job was handed to an engine, in whose
// queue it is. The errors are those of StartJob.
func SubmitJob(ctx context.Context, tx *Tx, c Claim, serverName string, s Started) error {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE job SET update_time = ?, command_line = ?, job_runner_name = ?, job_runner_external_id = ?,
		destination_id = ?, destination_params = ? WHERE id = ?`,
		tx.Now(), noNUL(s.CommandLine), s.Runner, s.ExternalID, s.DestinationID, s.Destination, c.JobID)
	return err
}

// ExplainJob writes beside a claimed job and its outputs what it waits for; ""
// takes that away. The errors are those of StartJob.
func ExplainJob(ctx context.Context, tx *Tx, c Claim, serverName, info string) error {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE job SET info = ?, update_time = ? WHERE id = ?", OrNull(Clip(info, 255)), tx.Now(), c.JobID); err != nil {
		return err
	}
	if err := setOutputInfo(ctx, tx, info, []int64{c.JobID}); err != nil {
		return err
	}
	cond, args, err := among(ctx, tx, "id", "SELECT o.dataset_id FROM job_to_output_dataset o WHERE o.job_id = ?", c.JobID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE history_dataset_association SET update_time = ? WHERE "+cond, append([]any{tx.Now()}, args...)...)
	return err
}

// Resubmission is how a failed job is sent again.
type Resubmission struct {
	// Info tells people why.
	Info string
	// Runner, DestinationID and Destination are where it goes.
	Runner, DestinationID string
	Destination           json.RawMessage
	// Attempt is the number of its next run.
	Attempt int
	// Handler, unless empty, is the name or tag of who handles it from now on.
	Handler string
}

// ResubmitJob marks a claimed job resubmitted, and with that its attempt failed.
// It stays the instance's, unless another handler is named: then it is new again.
// The errors are those of StartJob.
func ResubmitJob(ctx context.Context, tx *Tx, c Claim, serverName string, r Resubmission) error {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return err
	}
	state, handler := galaxy.JobResubmitted, serverName
	if err := addJobHistory(ctx, tx, state, Clip(r.Info, 255), c.JobID); err != nil {
		return err
	}
	query, arg := "UPDATE orrery_claim SET attempt = ? WHERE job_id = ?", []any{r.Attempt, c.JobID}
	if r.Handler != "" {
		state, handler = galaxy.JobNew, r.Handler
		query, arg = "DELETE FROM orrery_claim WHERE job_id = ?", []any{c.JobID}
		if err := addJobHistory(ctx, tx, state, "", c.JobID); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, query, arg...); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE job SET state = ?, handler = ?, info = ?, update_time = ?, job_runner_name = ?, job_runner_external_id = NULL,
		destination_id = ?, destination_params = ? WHERE id = ?`,
		string(state), handler, OrNull(Clip(r.Info, 255)), tx.Now(), r.Runner, r.DestinationID, r.Destination, c.JobID); err != nil {
		return err
	}
	return setOutputState(ctx, tx, galaxy.DatasetQueued, []int64{c.JobID})
}

// RequeueUnsent gives a claimed job back, unstarted, to the pool it came from,
// with the runner that it needs written down. The errors are those of StartJob.
func RequeueUnsent(ctx context.Context, tx *Tx, c Claim, serverName, runner string) error {
	if err := RequeueJob(ctx, tx, c, serverName); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE job SET job_runner_name = ? WHERE id = ?", runner, c.JobID)
	return err
}

// HandClaim gives a claimed job to another living instance, with its server
// name, in a new epoch. It tells whether that instance was there to take it.
// The errors are those of StartJob.
func HandClaim(ctx context.Context, tx *Tx, c Claim, serverName string, to Instance) (bool, error) {
	if _, err := c.guard(ctx, tx, serverName); err != nil {
		return false, err
	}
	n, err := tx.Exec(ctx, `UPDATE orrery_claim SET instance = ?, epoch = epoch + 1 WHERE job_id = ?
		AND EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = ? AND i.expires > `+dbNow(tx)+`)`, to.ID, c.JobID, to.ID)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, "UPDATE job SET handler = ?, update_time = ? WHERE id = ?", to.ServerName, tx.Now(), c.JobID)
	return true, err
}

// JobTimes is when a job came into its states, as far as sending it again is
// concerned.
type JobTimes struct {
	// Queued, Running and SentAgain are when it last came into these states; zero if
	// never.
	Queued, Running, SentAgain time.Time
	// Resubmitted is how often it was sent again.
	Resubmitted int
}

// TimesOfJob reads a job's state history.
func TimesOfJob(ctx context.Context, q Querier, job int64) (t JobTimes, err error) {
	type change struct {
		state string
		at    time.Time
	}
	changes, err := Collect(ctx, q, func(r *Rows) (c change, err error) { return c, r.Scan(&c.state, &c.at) },
		"SELECT state, create_time FROM job_state_history WHERE job_id = ? AND state IN ('queued', 'running', 'resubmitted') ORDER BY id", job)
	for _, c := range changes {
		switch galaxy.JobState(c.state) {
		case galaxy.JobQueued:
			t.Queued = c.at
		case galaxy.JobRunning:
			t.Running = c.at
		case galaxy.JobResubmitted:
			t.Resubmitted++
			t.SentAgain = c.at
		}
	}
	return t, err
}

// EndedJobs tells which of some jobs have ended and are nobody's any more, with
// their states.
func EndedJobs(ctx context.Context, q Querier, ids []int64) (map[int64]galaxy.JobState, error) {
	cond, arg := AnyOf(q, "j.id", ids)
	ended := make(map[int64]galaxy.JobState)
	type row struct {
		id    int64
		state string
	}
	rows, err := Collect(ctx, q, func(r *Rows) (x row, err error) { return x, r.Scan(&x.id, &x.state) },
		"SELECT j.id, j.state FROM job j WHERE "+cond+" AND NOT EXISTS (SELECT 1 FROM orrery_claim c WHERE c.job_id = j.id)", arg)
	for _, x := range rows {
		if state := galaxy.JobState(x.state); state.Terminal() && state != galaxy.JobDeleting && state != galaxy.JobStopping {
			ended[x.id] = state
		}
	}
	return ended, err
}
