package store

import (
	"context"
	"time"

	"orrery/internal/galaxy"
)

// HandlerCount is how many jobs an instance has.
type HandlerCount struct {
	Claimed, Running int
}

// CountClaims counts the jobs of each instance: those that it has, and those of
// them that run.
func CountClaims(ctx context.Context, q Querier) (map[UUID]HandlerCount, error) {
	counts := map[UUID]HandlerCount{}
	_, err := Collect(ctx, q, func(r *Rows) (struct{}, error) {
		var id UUID
		var c HandlerCount
		err := r.Scan(&id, &c.Claimed, &c.Running)
		counts[id] = c
		return struct{}{}, err
	}, `SELECT c.instance, count(*), sum(CASE WHEN j.state = 'running' THEN 1 ELSE 0 END) FROM orrery_claim c
		JOIN job j ON j.id = c.job_id JOIN orrery_instance i ON i.id = c.instance AND i.server_name = j.handler GROUP BY c.instance`)
	return counts, err
}

// DrainServer has a server name take nothing new, whatever process bears it.
func DrainServer(ctx context.Context, tx *Tx, name string) error {
	if err := UndrainServer(ctx, tx, name); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO orrery_drain (server_name, since) VALUES (?, "+dbNow(tx)+")", name)
	return err
}

// UndrainServer ends a drain.
func UndrainServer(ctx context.Context, tx *Tx, name string) error {
	_, err := tx.Exec(ctx, "DELETE FROM orrery_drain WHERE server_name = ?", name)
	return err
}

// DrainedServers lists the names that are drained.
func DrainedServers(ctx context.Context, q Querier) ([]string, error) {
	return Column[string](ctx, q, "SELECT server_name FROM orrery_drain ORDER BY server_name")
}

// JobSelection selects unfinished jobs: those that meet all that is set.
type JobSelection struct {
	Handler string
	IDs     []int64
	Tool    string
	State   galaxy.JobState
	// States limits the states unless State is set; nil means every unfinished one.
	States []string
}

func (s JobSelection) condition(q Querier) (string, []any) {
	states := s.States
	if s.State != "" {
		states = []string{string(s.State)}
	}
	cond, args := "j.state IN ('new', 'resubmitted', 'upload', 'waiting', 'queued', 'running', 'deleting', 'stop', 'paused')", []any{}
	if states != nil {
		c, arg := AnyOfText(q, "j.state", states)
		cond, args = c, append(args, arg)
	}
	if s.Handler != "" {
		cond, args = cond+" AND j.handler = ?", append(args, s.Handler)
	}
	if s.Tool != "" {
		// The id, in any version, of a tool of the tool shed too.
		cond, args = cond+" AND (j.tool_id = ? OR j.tool_id LIKE ? ESCAPE '!')", append(args, s.Tool, likePrefix(s.Tool)+"/%")
	}
	if s.IDs != nil {
		c, arg := AnyOf(q, "j.id", s.IDs)
		cond, args = cond+" AND "+c, append(args, arg)
	}
	return cond, args
}

// likePrefix makes a text stand for itself in a LIKE with the escape character !.
func likePrefix(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '%' || s[i] == '_' || s[i] == '!' {
			out = append(out, '!')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// MoveJobs writes a handler or tag into job.handler of unfinished jobs, as an
// administrator's UPDATE does, and tells how many. What runs goes on and is seen
// through by who takes it over.
func MoveJobs(ctx context.Context, tx *Tx, s JobSelection, to string) (int, error) {
	cond, args := s.condition(tx)
	ids, err := Column[int64](ctx, tx, "SELECT j.id FROM job j WHERE "+cond+" AND (j.handler IS NULL OR j.handler <> ?)", append(args, to)...)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	in, arg := AnyOf(tx, "id", ids)
	n, err := tx.Exec(ctx, "UPDATE job SET handler = ?, update_time = ? WHERE "+in, to, tx.Now(), arg)
	return int(n), err
}

// HandlerJob is an unfinished job as administrators look at it.
type HandlerJob struct {
	ID                     int64
	Handler, ToolID        string
	State                  galaxy.JobState
	User                   string // e-mail address; "" for a visitor
	Destination, External  string
	CreateTime, UpdateTime time.Time
	// Pool, Epoch and Attempt are its claim's; Pool is "" if it was never claimed.
	Pool           string
	Epoch, Attempt int
	// Server is the name of the instance that claimed it, "" if that is gone;
	// Alive tells whether that instance's lease lasts.
	Server string
	Alive  bool
}

// JobsOfHandlers lists at most limit unfinished jobs, oldest first.
func JobsOfHandlers(ctx context.Context, q Querier, s JobSelection, limit int) ([]HandlerJob, error) {
	cond, args := s.condition(q)
	return Collect(ctx, q, func(r *Rows) (j HandlerJob, err error) {
		var state string
		err = r.Scan(&j.ID, &j.Handler, &j.ToolID, &state, &j.User, &j.Destination, &j.External, &j.CreateTime, &j.UpdateTime,
			&j.Pool, &j.Epoch, &j.Attempt, &j.Server, &j.Alive)
		j.State = galaxy.JobState(state)
		return j, err
	}, `SELECT j.id, j.handler, j.tool_id, j.state, u.email, j.destination_id, j.job_runner_external_id, j.create_time, j.update_time,
		c.pool, c.epoch, c.attempt, i.server_name, COALESCE(i.expires > `+dbNow(q)+`, 1 = 0)
		FROM job j LEFT JOIN galaxy_user u ON u.id = j.user_id LEFT JOIN orrery_claim c ON c.job_id = j.id
		LEFT JOIN orrery_instance i ON i.id = c.instance WHERE `+cond+` ORDER BY j.id LIMIT ?`, append(args, limit)...)
}

// TargetCount is how many unfinished jobs a value of job.handler has.
type TargetCount struct {
	Target string
	// New are those that nobody has claimed; Held those under way.
	New, Held int
	// Oldest is when the first of them was created.
	Oldest time.Time
}

// CountTargets counts the unfinished jobs by job.handler.
func CountTargets(ctx context.Context, q Querier) ([]TargetCount, error) {
	return Collect(ctx, q, func(r *Rows) (t TargetCount, err error) {
		return t, r.Scan(&t.Target, &t.New, &t.Held, &t.Oldest)
	}, `SELECT j.handler, sum(CASE WHEN j.state = 'new' THEN 1 ELSE 0 END), sum(CASE WHEN j.state = 'new' THEN 0 ELSE 1 END), min(j.create_time)
		FROM job j WHERE j.state IN ('new', 'queued', 'running', 'deleting', 'stop') AND j.handler IS NOT NULL GROUP BY j.handler ORDER BY j.handler`)
}

// ReturnJobs sends the unfinished jobs of an instance back to the pools they came
// from, for the members of those to take over.
func ReturnJobs(ctx context.Context, tx *Tx, instance UUID) (int, error) {
	theirs, args, err := among(ctx, tx, "id", "SELECT c.job_id FROM orrery_claim c JOIN orrery_instance i ON i.id = c.instance WHERE c.instance = ?", instance)
	if err != nil {
		return 0, err
	}
	n, err := tx.Exec(ctx, `UPDATE job SET handler = (SELECT c.pool FROM orrery_claim c WHERE c.job_id = job.id), update_time = ?
		WHERE `+theirs+` AND handler = (SELECT i.server_name FROM orrery_instance i WHERE i.id = ?)`,
		append(append([]any{tx.Now()}, args...), instance)...)
	return int(n), err
}

// ForgetInstance removes the row of an instance that is gone.
func ForgetInstance(ctx context.Context, tx *Tx, id UUID) error {
	for _, query := range []string{
		"DELETE FROM worker_process WHERE " + workerProcessOf("i.id = ?"), "DELETE FROM orrery_process WHERE instance = ?", "DELETE FROM orrery_instance WHERE id = ?",
	} {
		if _, err := tx.Exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}
