package store

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

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
	// Pool is what job.handler held before the claim: where the job goes back to,
	// and whose members take it over.
	Pool string
}

// Claimant is who claims jobs, and how.
type Claimant struct {
	Instance   UUID
	ServerName string
	// Pools are the values of job.handler whose jobs it takes: tags, `_default_`,
	// its own name.
	Pools []string
	// After is the owner whose turn was the last: the next one begins. Owners are
	// the ids of users, and the negative ones of visitors' sessions.
	After int64
	// Window is the most jobs of one owner that are looked at in one round (Galaxy's
	// ready_window_size); 0 is no bound but the number asked for.
	Window int
	// Serialize claims without skipping what others have locked, in a transaction
	// that the database isolates (db-transaction-isolation).
	Serialize bool
	// Full are the runners that have no place now: jobs that are known to need one
	// of them are left to others.
	Full []string
}

// Claimed is what a claim gave.
type Claimed struct {
	Jobs []Claim
	// After is the owner that was served last, for the next Claimant.
	After int64
	// More says that there may be more jobs to claim.
	More bool
}

// spare is how many more candidates than needed are read, since other handlers
// may be just taking them.
const spare = 64

// ClaimJobs gives an instance at most n new jobs of its pools, and marks them
// queued. They are taken in turns between their owners and in the order of
// creation within each. Any number of instances may claim at once: each job goes
// to one. An instance whose lease has ended and one that is drained get none.
//
// Its cost does not grow with the number of jobs that wait, but for those that
// wait for inputs or for a place under a limit.
func ClaimJobs(ctx context.Context, db *DB, who Claimant, n int) (got Claimed, err error) {
	who.Pools = slices.Compact(slices.Sorted(slices.Values(who.Pools)))
	if len(who.Pools) == 0 || n <= 0 {
		return Claimed{After: who.After}, nil
	}
	if db.Engine() == PostgreSQL {
		if !who.Serialize {
			return claimPostgreSQL(ctx, db, who, n)
		}
		return claimSerialized(ctx, db, who, n)
	}
	err = db.Write(ctx, func(tx *Tx) error {
		got, err = claimInTurn(ctx, tx, who, n)
		return err
	})
	if err != nil && who.Serialize && retryable(err) {
		return Claimed{After: who.After, More: true}, nil // others came first, again and again
	}
	return got, err
}

// claimSerialized lets PostgreSQL find out which of those who claim at the same
// time comes first. The others begin anew, after a random moment; one that never
// comes first within reason is told that there is more.
func claimSerialized(ctx context.Context, db *DB, who Claimant, n int) (got Claimed, err error) {
	for try := range 8 {
		err = db.Write(ctx, func(tx *Tx) error {
			if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
				return err
			}
			got, err = claimPostgreSQL(ctx, tx, who, n)
			return err
		})
		if err == nil || !retryable(err) {
			return got, err
		}
		select {
		case <-ctx.Done():
			return Claimed{After: who.After}, ctx.Err()
		case <-time.After(rand.N(time.Duration(try+1) * 5 * time.Millisecond)):
		}
	}
	return Claimed{After: who.After, More: true}, nil
}

// mayClaim is the condition that an instance (one argument) may claim.
func mayClaim(engine Engine) string {
	return `EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = ? AND i.expires > ` + clock(engine, 0) + `
		AND NOT EXISTS (SELECT 1 FROM orrery_drain d WHERE d.server_name = i.server_name))`
}

// jobOwner is whose turn a job takes. The index orrery_job_turn has this
// expression.
const jobOwner = "(COALESCE(user_id, -session_id, 0))"

// ready is the condition that a new job waits neither for inputs nor for a place
// under a limit. It is written so that it is asked job by job, until there are
// enough: as a NOT EXISTS, PostgreSQL may read all that wait before the first.
const ready = `(SELECT count(*) FROM orrery_wait w WHERE w.job_id = job.id) = 0
	AND (SELECT count(*) FROM orrery_limit_wait l WHERE l.job_id = job.id AND l.let_go IS NULL) = 0`

// claimStatement claims in one statement, and so in one round trip. It walks from
// owner to owner along orrery_job_turn, from the one after the last and around,
// and looks at a few jobs of each. The order of each walk begins with the
// handler, because only that index gives it: asked for in a simpler way,
// PostgreSQL may walk past all finished jobs.
//
// Arguments: pools, after, instance, n, window.
const claimStatement = `WITH RECURSIVE arg AS (
		SELECT $1::text[] AS pools, $2::bigint AS after, $4::bigint AS n, $5::bigint AS win WHERE %MAYCLAIM%),
	walk(pool, owner, around, step) AS (
		SELECT p.pool, f.owner, f.around, 1 FROM (SELECT unnest(pools) AS pool, after FROM arg) p CROSS JOIN LATERAL (
			(SELECT OWNER AS owner, false AS around FROM job WHERE state = 'new' AND handler = p.pool AND OWNER > p.after ORDER BY handler, OWNER LIMIT 1)
			UNION ALL
			(SELECT OWNER, true FROM job WHERE state = 'new' AND handler = p.pool AND OWNER <= p.after ORDER BY handler, OWNER LIMIT 1)
			ORDER BY 2 LIMIT 1) f
		UNION ALL
		SELECT o.pool, f.owner, f.around, o.step + 1 FROM walk o CROSS JOIN (SELECT after AS a FROM arg) g CROSS JOIN LATERAL (
			(SELECT OWNER AS owner, false AS around FROM job WHERE NOT o.around AND state = 'new' AND handler = o.pool AND OWNER > o.owner ORDER BY handler, OWNER LIMIT 1)
			UNION ALL
			(SELECT OWNER, true FROM job WHERE NOT o.around AND state = 'new' AND handler = o.pool AND OWNER <= g.a ORDER BY handler, OWNER LIMIT 1)
			UNION ALL
			(SELECT OWNER, true FROM job WHERE o.around AND state = 'new' AND handler = o.pool AND OWNER > o.owner AND OWNER <= g.a ORDER BY handler, OWNER LIMIT 1)
			ORDER BY 2 LIMIT 1) f),
	owners AS MATERIALIZED (SELECT pool, owner, step FROM walk LIMIT $4::bigint + SPARE),
	bound AS MATERIALIZED (SELECT LEAST((SELECT win FROM arg), ($4::bigint + SPARE + count(*) - 1) / GREATEST(count(*), 1)) AS each FROM owners),
	candidate AS MATERIALIZED (
		SELECT c.id, o.pool, o.owner, o.step, row_number() OVER (PARTITION BY o.owner ORDER BY c.id) AS turn FROM owners o CROSS JOIN LATERAL (
			SELECT id FROM job WHERE state = 'new' AND handler BETWEEN o.pool AND o.pool AND OWNER BETWEEN o.owner AND o.owner AND READY
			ORDER BY handler, OWNER, id LIMIT (SELECT each FROM bound)) c),
	taken AS MATERIALIZED (
		SELECT job.id, c.pool, c.owner, c.turn, c.step FROM candidate c JOIN job ON job.id = c.id
		WHERE job.id = ANY(ARRAY(SELECT id FROM candidate)) AND job.state = 'new' AND job.handler = c.pool ORDER BY c.turn, c.step, c.id LIMIT $4::bigint FOR UPDATE OF job %SKIP%),
	moved AS (UPDATE job SET handler = $6::varchar, state = 'queued', update_time = $7::timestamp FROM taken WHERE job.id = taken.id),
	told AS (INSERT INTO job_state_history (create_time, job_id, state) SELECT $7::timestamp, id, 'queued' FROM taken),
	shown AS (UPDATE dataset SET state = 'queued', update_time = $7::timestamp WHERE state NOT IN ('ok', 'error', 'discarded', 'empty') AND id IN (
		SELECT h.dataset_id FROM taken t JOIN job_to_output_dataset o ON o.job_id = t.id JOIN history_dataset_association h ON h.id = o.dataset_id)),
	claimed AS (INSERT INTO orrery_claim (job_id, instance, epoch, attempt, pool) SELECT id, $3::char(32), 1, 1, pool FROM taken
		ON CONFLICT (job_id) DO UPDATE SET instance = excluded.instance, epoch = orrery_claim.epoch + 1, pool = excluded.pool
		RETURNING job_id, instance, epoch, attempt, pool)
	SELECT c.job_id, c.instance, c.epoch, c.attempt, c.pool, t.owner,
		(SELECT count(*) FROM candidate) > (SELECT count(*) FROM taken) OR (SELECT max(turn) FROM candidate) >= (SELECT each FROM bound)
	FROM claimed c JOIN taken t ON t.id = c.job_id ORDER BY t.turn, t.step, t.id`

// claimKind tells the texts of a claim apart.
type claimKind struct{ serialize, full bool }

var claimTexts = func() map[claimKind]string {
	build := func(skip, ready string) string {
		return strings.NewReplacer("OWNER", jobOwner, "READY", ready, "SPARE", "64", "%SKIP%", skip,
			"%MAYCLAIM%", replaceOnce(mayClaim(PostgreSQL), "?", "$3::char(32)")).Replace(claimStatement)
	}
	placed := ready + ` AND COALESCE(job_runner_name, '') <> ALL($8::text[])`
	return map[claimKind]string{
		{false, false}: build("SKIP LOCKED", ready), {true, false}: build("", ready),
		{false, true}: build("SKIP LOCKED", placed), {true, true}: build("", placed),
	}
}()

func claimPostgreSQL(ctx context.Context, q Querier, who Claimant, n int) (Claimed, error) {
	got := Claimed{After: who.After}
	window := who.Window
	if window <= 0 {
		window = math.MaxInt32
	}
	args := []any{who.Pools, who.After, who.Instance, n, window, who.ServerName, q.Now()}
	if len(who.Full) > 0 {
		args = append(args, who.Full)
	}
	var err error
	got.Jobs, err = Collect(ctx, q, func(r *Rows) (c Claim, err error) {
		return c, r.Scan(&c.JobID, &c.Instance, &c.Epoch, &c.Attempt, &c.Pool, &got.After, &got.More)
	}, claimTexts[claimKind{who.Serialize, len(who.Full) > 0}], args...)
	return got, err
}

// turn is an owner with new jobs in a pool.
type turn struct {
	pool  string
	owner int64
}

// claimInTurn is the claim where a statement costs no round trip worth saving,
// or cannot do it all.
func claimInTurn(ctx context.Context, tx *Tx, who Claimant, n int) (Claimed, error) {
	got := Claimed{After: who.After}
	var may bool
	if err := tx.QueryRow(ctx, "SELECT "+mayClaim(tx.Engine()), who.Instance).Scan(&may); err != nil || !may {
		return got, err
	}
	owners, err := ownersInTurn(ctx, tx, who, n+spare)
	if err != nil || len(owners) == 0 {
		return got, err
	}
	each := (n + spare + len(owners) - 1) / len(owners)
	if who.Window > 0 {
		each = min(each, who.Window)
	}
	type candidate struct {
		Claim
		owner      int64
		turn, step int
	}
	var candidates []candidate
	turns := map[int64]int{}
	steps := map[turn]int{}
	for i, o := range owners {
		steps[o] = i
	}
	if who.Serialize {
		// Those who wait for each other's locks take them in the same order.
		slices.SortFunc(owners, func(a, b turn) int {
			return cmp.Or(strings.Compare(a.pool, b.pool), cmp.Compare(a.owner, b.owner))
		})
	}
	for _, o := range owners {
		// Few: as many as there are jobs to take, and each reads its own few rows.
		query, args := ownerJobs(tx, o, each, who)
		ids, err := Column[int64](ctx, tx, query, args...)
		if err != nil {
			return got, err
		}
		for _, id := range ids {
			turns[o.owner]++
			candidates = append(candidates, candidate{Claim{JobID: id, Pool: o.pool}, o.owner, turns[o.owner], steps[o]})
		}
		got.More = got.More || len(ids) >= each
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		if a.turn != b.turn {
			return a.turn - b.turn
		}
		return a.step - b.step
	})
	got.More = got.More || len(candidates) > n
	candidates = candidates[:min(n, len(candidates))]
	if len(candidates) == 0 {
		return got, nil
	}
	ids := make([]int64, len(candidates))
	jobs := make([]Claim, len(candidates))
	for i, c := range candidates {
		ids[i], jobs[i] = c.JobID, c.Claim
	}
	got.After = candidates[len(candidates)-1].owner
	cond, arg := AnyOf(tx, "id", ids)
	if _, err := tx.Exec(ctx, "UPDATE job SET handler = ?, state = ?, update_time = ? WHERE "+cond,
		who.ServerName, string(galaxy.JobQueued), tx.Now(), arg); err != nil {
		return got, err
	}
	if err := addJobHistory(ctx, tx, galaxy.JobQueued, "", ids...); err != nil {
		return got, err
	}
	// Nobody is told of this state alone: the next change comes in a moment.
	if err := setDatasetState(ctx, tx, galaxy.DatasetQueued, ids); err != nil {
		return got, err
	}
	got.Jobs, err = takeClaims(ctx, tx, who.Instance, jobs)
	return got, err
}

// ownersInTurn lists at most n owners with new jobs, pool by pool in the order of
// their turns: those after the last one served, then those before.
func ownersInTurn(ctx context.Context, tx *Tx, who Claimant, n int) ([]turn, error) {
	var owners []turn
	for _, pool := range who.Pools { // few: a process's tags
		after, err := ownersBetween(ctx, tx, pool, who.After, math.MaxInt64, n)
		if err != nil {
			return nil, err
		}
		if len(after) < n {
			before, err := ownersBetween(ctx, tx, pool, math.MinInt64, who.After, n-len(after))
			if err != nil {
				return nil, err
			}
			after = append(after, before...)
		}
		owners = append(owners, after...)
	}
	return owners, nil
}

// ownersBetween lists at most n owners with new jobs in a pool, above one and up
// to another, by one look into the index for each.
func ownersBetween(ctx context.Context, tx *Tx, pool string, above, upTo int64, n int) ([]turn, error) {
	var query string
	if tx.Engine() == MySQL {
		// NULL, the visitors, sorts first and counts as 0.
		// NULL, the visitors, sorts first and counts as 0. The grouping by all of the
		// index's first columns makes MariaDB and MySQL jump from owner to owner
		// (“Using index for group-by”); asked for the next owner of each in a recursion,
		// as the others are, they read all of an owner's jobs at each step.
		query = `(SELECT 0 FROM job WHERE ? < 0 AND ? >= 0 AND state = 'new' AND handler = ? AND user_id IS NULL LIMIT 1)
			UNION ALL (SELECT user_id FROM job FORCE INDEX (orrery_job_turn) WHERE state = 'new' AND handler = ? AND user_id > GREATEST(?, 0) AND user_id <= ?
				GROUP BY state, handler, user_id ORDER BY user_id LIMIT ?) LIMIT ?`
		return Collect(ctx, tx, func(r *Rows) (turn, error) { t := turn{pool: pool}; return t, r.Scan(&t.owner) },
			query, above, upTo, pool, pool, above, upTo, n, n)
	}
	query = `WITH RECURSIVE walk(owner) AS (
			SELECT (SELECT OWNER FROM job WHERE state = 'new' AND handler = ? AND OWNER > ? AND OWNER <= ? ORDER BY handler, OWNER LIMIT 1)
			UNION ALL
			SELECT (SELECT OWNER FROM job WHERE state = 'new' AND handler = ? AND OWNER > walk.owner AND OWNER <= ? ORDER BY handler, OWNER LIMIT 1)
			FROM walk WHERE walk.owner IS NOT NULL LIMIT ?)
		SELECT owner FROM walk WHERE owner IS NOT NULL`
	return Collect(ctx, tx, func(r *Rows) (turn, error) { t := turn{pool: pool}; return t, r.Scan(&t.owner) },
		strings.ReplaceAll(query, "OWNER", jobOwner), pool, above, upTo, pool, upTo, n)
}

// ownerJobs asks for the oldest ready jobs of an owner, locked.
func ownerJobs(tx *Tx, o turn, n int, who Claimant) (string, []any) {
	isReady, args := ready, []any{o.pool}
	var full []any
	if len(who.Full) > 0 {
		cond, arg := AnyOfText(tx, "COALESCE(job_runner_name, '')", who.Full)
		isReady, full = ready+" AND NOT ("+cond+")", []any{arg}
	}
	if tx.Engine() != MySQL {
		return strings.NewReplacer("OWNER", jobOwner, "READY", isReady).Replace(`SELECT id FROM job WHERE state = 'new' AND handler = ?
			AND OWNER = ? AND READY ORDER BY handler, OWNER, id LIMIT ?`), append(append(args, o.owner), append(full, n)...)
	}
	lock := " FOR UPDATE"
	if !who.Serialize {
		lock += " SKIP LOCKED"
	}
	owner := "user_id IS NULL"
	if o.owner != 0 {
		owner, args = "user_id = ?", append(args, o.owner)
	}
	return `SELECT id FROM job WHERE state = 'new' AND handler = ? AND ` + owner + ` AND ` + isReady + ` ORDER BY id LIMIT ?` + lock, append(append(args, full...), n)
}

// takeClaims makes an instance the owner of jobs, in a new epoch.
func takeClaims(ctx context.Context, tx *Tx, instance UUID, jobs []Claim) ([]Claim, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	rows := make([][]any, len(jobs))
	ids := make([]int64, len(jobs))
	order := make(map[int64]int, len(jobs)) // RETURNING promises no order
	for i, c := range jobs {
		rows[i] = []any{c.JobID, instance, 1, 1, c.Pool}
		ids[i], order[c.JobID] = c.JobID, i
	}
	query, args := insertSQL("orrery_claim", []string{"job_id", "instance", "epoch", "attempt", "pool"}, rows)
	var claims []Claim
	var err error
	if tx.Engine() == MySQL {
		if _, err = tx.Exec(ctx, query+` ON DUPLICATE KEY UPDATE instance = VALUES(instance), epoch = epoch + 1, pool = VALUES(pool)`, args...); err != nil {
			return nil, err
		}
		cond, arg := AnyOf(tx, "job_id", ids)
		claims, err = Collect(ctx, tx, scanClaim, "SELECT job_id, instance, epoch, attempt, pool FROM orrery_claim WHERE "+cond, arg)
	} else {
		claims, err = Collect(ctx, tx, scanClaim, query+` ON CONFLICT (job_id) DO UPDATE SET instance = excluded.instance, epoch = orrery_claim.epoch + 1,
			pool = excluded.pool RETURNING job_id, instance, epoch, attempt, pool`, args...)
	}
	if err != nil {
		return nil, err
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

// unfinished are the states of jobs that somebody has to see through.
const unfinished = "('new', 'resubmitted', 'upload', 'waiting', 'queued', 'running', 'deleting', 'stop')"

// TakeOverJobs gives an instance at most n unfinished jobs that are nobody's, and
// writes its name into job.handler:
//
//   - those of its pools whose owner is one of gone, or is not registered;
//   - those that an administrator moved to its name or to one of its tags, whoever
//     had them;
//   - those that Galaxy itself left with its name.
//
// A job keeps its pool, unless it was moved out of the pools of this instance.
func TakeOverJobs(ctx context.Context, tx *Tx, who Claimant, gone []UUID, n int) ([]Claim, error) {
	if len(who.Pools) == 0 || n <= 0 {
		return nil, nil
	}
	texts := make([]string, len(gone))
	for i, id := range gone {
		texts[i] = id.Hex()
	}
	if len(texts) == 0 {
		texts = []string{""} // no list is empty on every engine
	}
	isGone, goneArg := AnyOfText(tx, "c.instance", texts)
	inPool, poolArg := AnyOfText(tx, "c.pool", who.Pools)
	here, hereArg := AnyOfText(tx, "j.handler", who.Pools)
	lock, lockOwn := "", ""
	switch {
	case tx.Engine() == PostgreSQL:
		lock, lockOwn = " FOR UPDATE OF j SKIP LOCKED", " FOR UPDATE OF c, j SKIP LOCKED"
	case tx.Engine() == MySQL && who.Serialize: // MariaDB before 10.6 cannot skip
		lock, lockOwn = " FOR UPDATE", " FOR UPDATE"
	case tx.Engine() == MySQL:
		lock, lockOwn = " FOR UPDATE SKIP LOCKED", " FOR UPDATE SKIP LOCKED"
	}
	scan := func(r *Rows) (c Claim, err error) { return c, r.Scan(&c.JobID, &c.Pool) }
	// Of owners that are gone. A job that was moved meanwhile is not theirs any more.
	found, err := Collect(ctx, tx, scan, `SELECT j.id, c.pool FROM orrery_claim c JOIN job j ON j.id = c.job_id
		WHERE `+isGone+` AND (`+inPool+` OR j.handler = ?) AND j.state IN `+unfinished+`
		AND j.handler IN (SELECT i.server_name FROM orrery_instance i WHERE i.id = c.instance)
		ORDER BY c.job_id LIMIT ?`+lockOwn, goneArg, poolArg, who.ServerName, n)
	if err != nil {
		return nil, err
	}
	if len(found) < n {
		// Moved here by hand, or left here by Galaxy or by an instance nobody knows.
		moved, err := Collect(ctx, tx, scan, `SELECT j.id, COALESCE((SELECT c.pool FROM orrery_claim c WHERE c.job_id = j.id AND `+inPool+`), j.handler)
			FROM job j WHERE j.state IN ('queued', 'running', 'resubmitted', 'deleting', 'stop') AND `+here+`
			AND NOT EXISTS (SELECT 1 FROM orrery_claim c JOIN orrery_instance i ON i.id = c.instance
				WHERE c.job_id = j.id AND i.server_name = j.handler)
			ORDER BY j.id LIMIT ?`+lock, poolArg, hereArg, n-len(found))
		if err != nil {
			return nil, err
		}
		found = append(found, moved...)
	}
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(found))
	for i, c := range found {
		ids[i] = c.JobID
	}
	cond, arg := AnyOf(tx, "id", ids)
	if _, err := tx.Exec(ctx, "UPDATE job SET handler = ?, update_time = ? WHERE "+cond, who.ServerName, tx.Now(), arg); err != nil {
		return nil, err
	}
	return takeClaims(ctx, tx, who.Instance, found)
}

// MoveClaims gives the claims of one instance to another of the same process, in
// a new epoch.
func MoveClaims(ctx context.Context, tx *Tx, from, to UUID) error {
	_, err := tx.Exec(ctx, "UPDATE orrery_claim SET instance = ?, epoch = epoch + 1 WHERE instance = ?", to, from)
	return err
}

// ErrClaimLost says that the job is no longer this instance's: someone else has
// it, an administrator moved it, or the lease of this instance ended.
var ErrClaimLost = errors.New("the job belongs to another handler now")

// guard locks a claim and checks that it still holds; every transaction of a
// handler begins with it.
func (c Claim) guard(ctx context.Context, tx *Tx, serverName string) (galaxy.JobState, error) {
	query := `SELECT j.state FROM orrery_claim c JOIN job j ON j.id = c.job_id
		WHERE c.job_id = ? AND c.instance = ? AND c.epoch = ? AND j.handler = ?
		AND EXISTS (SELECT 1 FROM orrery_instance i WHERE i.id = c.instance AND i.expires > ` + dbNow(tx) + `)`
	if tx.Engine() != SQLite {
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
