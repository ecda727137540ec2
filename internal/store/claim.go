package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"orrery/internal/galaxy"
)

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

// poolJobs are the oldest new jobs of one pool that wait for nothing. The pool is
// asked for as a range, and the order begins with it, because only the index
// orrery_job_new gives that order: asked for in a simpler way, PostgreSQL may walk
// past all finished jobs by their ids.
const poolJobs = `SELECT * FROM (SELECT id, handler, user_id, session_id FROM job WHERE state = 'new' AND handler BETWEEN ? AND ?
		AND NOT EXISTS (SELECT 1 FROM orrery_wait w WHERE w.job_id = job.id) ORDER BY handler, id LIMIT 2000) p`

// claimedJobs is the part of a claim that picks the jobs: turn by turn between
// their owners and in the order of creation within each.
const claimedJobs = `SELECT c.id, c.handler, c.turn FROM (
		SELECT j.id, j.handler, row_number() OVER (PARTITION BY j.user_id, j.session_id ORDER BY j.id) AS turn FROM (%POOLS%) j) c
	ORDER BY c.turn, c.id LIMIT ?`

// claimQuery picks at most n jobs of distinct pools, locked.
func claimQuery(engine Engine, pools []string, n int) (query string, args []any) {
	parts := make([]string, len(pools))
	for i, pool := range pools {
		parts[i], args = poolJobs, append(args, pool, pool)
	}
	query = replaceOnce(claimedJobs, "%POOLS%", strings.Join(parts, " UNION ALL "))
	if engine != PostgreSQL {
		return query, append(args, n)
	}
	// The window cannot be locked, so more candidates than needed are read and
	// those that another handler is just taking are skipped. A row that changed
	// meanwhile is judged anew by the outer conditions.
	return `WITH candidate AS MATERIALIZED (` + query + `)
		SELECT job.id, job.handler, c.turn FROM candidate c JOIN job ON job.id = c.id
		WHERE job.state = 'new' AND job.handler = c.handler ORDER BY c.turn, c.id LIMIT ? FOR UPDATE OF job SKIP LOCKED`, append(args, n+64, n)
}

// ClaimJobs gives an instance at most n new jobs of its pools (job.handler
// holds the pool's tag, `_default_`, or the server's own name), and marks them
// queued. Any number of instances may claim at once: each job goes to one.
func ClaimJobs(ctx context.Context, tx *Tx, instance UUID, serverName string, pools []string, n int) ([]Claim, error) {
	if len(pools) == 0 {
		return nil, nil
	}
	query, args := claimQuery(tx.Engine(), slices.Compact(slices.Sorted(slices.Values(pools))), n)
	taken, err := Collect(ctx, tx, func(r *Rows) (c Claim, err error) {
		var turn int64
		return c, r.Scan(&c.JobID, &c.Pool, &turn)
	}, query, args...)
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	ids := make([]int64, len(taken))
	for i, c := range taken {
		ids[i] = c.JobID
	}
	cond, arg := AnyOf(tx, "id", ids)
	write := tx.Later()
	if _, err := write.Exec(ctx, "UPDATE job SET handler = ?, state = ?, update_time = ? WHERE "+cond,
		serverName, string(galaxy.JobQueued), tx.Now(), arg); err != nil {
		return nil, err
	}
	if err := addJobHistory(ctx, write, galaxy.JobQueued, "", ids...); err != nil {
		return nil, err
	}
	// Nobody is told of this state alone: the next change comes in a moment.
	if err := setDatasetState(ctx, write, galaxy.DatasetQueued, ids); err != nil {
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
	claims, err := Collect(ctx, tx, scanClaim, query+` ON CONFLICT (job_id) DO UPDATE SET instance = excluded.instance, epoch = orrery_claim.epoch + 1
		RETURNING job_id, instance, epoch, attempt, pool`, args...)
	if err != nil {
		return nil, err
	}
	order := make(map[int64]int, len(jobs)) // RETURNING promises no order
	for i, c := range jobs {
		order[c.JobID] = i
	}
	slices.SortFunc(claims, func(a, b Claim) int { return order[a.JobID] - order[b.JobID] })
	return claims, nil
}

func scanClaim(r *Rows) (c Claim, err error) {
	return c, r.Scan(&c.JobID, &c.Instance, &c.Epoch, &c.Attempt, &c.Pool)
}

// ClaimsOf lists the claims of an instance on jobs that still hold: what it has
// to see through, whatever became of its earlier tries.
func ClaimsOf(ctx context.Context, q Querier, instance UUID, serverName string) ([]Claim, error) {
	return Collect(ctx, q, scanClaim, `SELECT c.job_id, c.instance, c.epoch, c.attempt, c.pool FROM orrery_claim c
		JOIN job j ON j.id = c.job_id WHERE c.instance = ? AND j.handler = ? ORDER BY c.job_id`, instance, serverName)
}

// AdoptJobs gives an instance the unfinished jobs of its own name that no living
// instance of that name has: alive lists those that live. A job that was never
// claimed by us (Galaxy's own handler had it), or that an administrator moved
// here from another handler, is adopted too, and so is one that a person ended
// while nobody was there to stop it.
func AdoptJobs(ctx context.Context, tx *Tx, instance UUID, serverName string, alive []string) ([]Claim, error) {
	cond, arg := AnyOfText(tx, "c.instance", append([]string{instance.Hex()}, alive...))
	found, err := Column[int64](ctx, tx, `SELECT j.id FROM job j LEFT JOIN orrery_claim c ON c.job_id = j.id
		WHERE j.handler = ? AND j.state IN ('queued', 'running') AND (c.job_id IS NULL OR NOT (`+cond+`))
		UNION ALL SELECT j.id FROM orrery_claim c JOIN job j ON j.id = c.job_id
		WHERE j.handler = ? AND j.state = 'deleting' AND NOT (`+cond+`) ORDER BY 1`, serverName, arg, serverName, arg)
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
	if errors.Is(err, ErrNoRows) {
		return "", ErrClaimLost
	}
	return galaxy.JobState(state), err
}

// guardUnended is guard for what only a job that nobody has ended may undergo;
// an error of kind galaxy.Conflict if somebody has.
func (c Claim) guardUnended(ctx context.Context, tx *Tx, serverName string) (galaxy.JobState, error) {
	state, err := c.guard(ctx, tx, serverName)
	if err == nil && state.Terminal() {
		err = galaxy.Errorf(galaxy.Conflict, "job %d is already %s", c.JobID, state)
	}
	return state, err
}
