package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Place is one under a limit on jobs that run at once.
type Place struct {
	// Name is the limit's, unique among all limits of the database.
	Name string
	// Most is how many places there are.
	Most int
	// Whose says that the limit concerns every job of an owner, wherever it is
	// sent.
	Whose bool
}

// Reservation is the outcome of ReservePlaces.
type Reservation struct {
	// OK tells whether the job has its places; if not, it was given back and
	// waits.
	OK bool
	// Look says that others may be let go now.
	Look bool
}

// OfferLife is how long the places of a job that was let go are kept for it.
const OfferLife = 10 * time.Second

// limitUse is how much of a limit is in use.
type limitUse struct {
	Place
	held    int // by other jobs
	offered int // kept for other jobs that were let go
	mine    bool
}

func (u limitUse) free() int { return u.Most - u.held - u.offered }

// ReservePlaces takes places for a claimed job, all or none. When one is lacking,
// the job is given back to its pool and waits until LetGo lets it go. Exactness
// comes from the lock on each limit's row: who counts places has it, and sees
// what was committed before. Limits are locked in the order of their names, so
// that nobody waits in a circle.
//
// Places end with the claim: the database removes them in the transaction that
// removes the claim.
func ReservePlaces(ctx context.Context, tx *Tx, c Claim, serverName, owner string, places []Place) (Reservation, error) {
	if _, err := c.guardUnended(ctx, tx, serverName); err != nil {
		return Reservation{}, err
	}
	if err := lockLimits(ctx, tx, places); err != nil {
		return Reservation{}, err
	}
	uses, err := limitUses(ctx, tx, places, c.JobID)
	if err != nil {
		return Reservation{}, err
	}
	fits, offered := true, false
	for _, u := range uses {
		offered = offered || u.mine
		if u.mine {
			u.offered = 0 // what is kept for others was kept beside what is kept for this one
		}
		fits = fits && u.free() > 0
	}
	if !fits {
		return Reservation{Look: offered}, waitForPlaces(ctx, tx, c, serverName, owner, uses)
	}
	write := tx.Later()
	names := make([]string, len(places))
	rows := make([][]any, len(places))
	for i, p := range places {
		names[i], rows[i] = p.Name, []any{p.Name, c.JobID, owner}
	}
	// An earlier try, of this handler or the one before, may have left some, also
	// for another destination.
	n, err := tx.Exec(ctx, "DELETE FROM orrery_held WHERE job_id = ?", c.JobID)
	if err != nil {
		return Reservation{}, err
	}
	if _, err := write.Exec(ctx, "DELETE FROM orrery_limit_wait WHERE job_id = ?", c.JobID); err != nil {
		return Reservation{}, err
	}
	return Reservation{OK: true, Look: n > 0}, InsertRows(ctx, write, "orrery_held", []string{"name", "job_id", "owner"}, rows)
}

// waitForPlaces gives a job back to its pool, to wait for places.
func waitForPlaces(ctx context.Context, tx *Tx, c Claim, serverName, owner string, uses []limitUse) error {
	if _, err := tx.Exec(ctx, "DELETE FROM orrery_limit_wait WHERE job_id = ?", c.JobID); err != nil {
		return err
	}
	rows := make([][]any, len(uses))
	for i, u := range uses {
		// Also those that have a place now: the job is let go once all have.
		rows[i] = []any{c.JobID, u.Name, owner}
	}
	if err := InsertRows(ctx, tx, "orrery_limit_wait", []string{"job_id", "name", "owner"}, rows); err != nil {
		return err
	}
	for _, u := range uses {
		if !u.Whose || u.free() > 0 {
			continue
		}
		// Whoever has no place anywhere need not be asked job by job.
		whose := "user_id = (SELECT user_id FROM job WHERE id = ?)"
		if owner[0] == 's' {
			whose = "user_id IS NULL AND session_id = (SELECT session_id FROM job WHERE id = ?)"
		}
		if _, err := tx.Exec(ctx, `INSERT INTO orrery_limit_wait (job_id, name, owner)
			SELECT j.id, ?, ? FROM job j WHERE j.state = 'new' AND j.handler = ? AND j.`+whose+` AND j.id <> ?
			AND NOT EXISTS (SELECT 1 FROM orrery_wait d WHERE d.job_id = j.id)
			AND NOT EXISTS (SELECT 1 FROM orrery_limit_wait w WHERE w.job_id = j.id)`,
			u.Name, owner, c.Pool, c.JobID, c.JobID); err != nil {
			return err
		}
	}
	return RequeueJob(ctx, tx, c, serverName)
}

// lockLimits locks the rows of limits, and makes those that are missing. What
// they say about the number of places is brought up to date.
func lockLimits(ctx context.Context, tx *Tx, places []Place) error {
	slices.SortFunc(places, func(a, b Place) int { return cmp.Compare(a.Name, b.Name) })
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Name
	}
	for range 2 {
		known, err := lockNamed(ctx, tx, names)
		if err != nil {
			return err
		}
		var missing [][]any
		for _, p := range places {
			most, there := known[p.Name]
			switch {
			case !there:
				missing = append(missing, []any{p.Name, p.Most})
			case most != p.Most:
				if _, err := tx.Exec(ctx, "UPDATE orrery_limit SET most = ? WHERE name = ?", p.Most, p.Name); err != nil {
					return err
				}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if err := insertNew(ctx, tx, "orrery_limit", []string{"name", "most"}, missing); err != nil {
			return err
		}
		// Those that somebody else has just made are locked by the second round.
	}
	return nil
}

// lockNamed locks limits in the order of their names and tells what each lets in.
func lockNamed(ctx context.Context, tx *Tx, names []string) (map[string]int, error) {
	cond, arg := AnyOfText(tx, "name", names)
	query := "SELECT name, most FROM orrery_limit WHERE " + cond + " ORDER BY name"
	if tx.Engine() != SQLite { // which has one writer
		query += " FOR UPDATE"
	}
	known := map[string]int{}
	_, err := Collect(ctx, tx, func(r *Rows) (p Place, err error) {
		if err = r.Scan(&p.Name, &p.Most); err == nil {
			known[p.Name] = p.Most
		}
		return p, err
	}, query, arg)
	return known, err
}

// insertNew adds the rows whose key is not there yet.
func insertNew(ctx context.Context, tx *Tx, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	query, args := insertSQL(table, columns, rows)
	if tx.Engine() == MySQL {
		query = replaceOnce(query, "INSERT INTO", "INSERT IGNORE INTO")
	} else {
		query += " ON CONFLICT DO NOTHING"
	}
	_, err := tx.Exec(ctx, query, args...)
	return err
}

// limitUses counts the places of limits that jobs other than one have.
func limitUses(ctx context.Context, q Querier, places []Place, job int64) ([]limitUse, error) {
	names := make([]string, len(places))
	by := map[string]*limitUse{}
	uses := make([]limitUse, len(places))
	for i, p := range places {
		names[i] = p.Name
		uses[i].Place = p
		by[p.Name] = &uses[i]
	}
	cond, arg := AnyOfText(q, "l.name", names)
	offer := "w.let_go > " + dbAfter(q, -OfferLife)
	_, err := Collect(ctx, q, func(r *Rows) (u limitUse, err error) {
		if err = r.Scan(&u.Name, &u.held, &u.offered, &u.mine); err == nil {
			use := by[u.Name]
			use.held, use.offered, use.mine = u.held, u.offered, u.mine
		}
		return u, err
	}, `SELECT l.name, (SELECT count(*) FROM orrery_held h WHERE h.name = l.name AND h.job_id <> ?),
		(SELECT count(*) FROM orrery_limit_wait w WHERE w.name = l.name AND w.job_id <> ? AND `+offer+`),
		EXISTS (SELECT 1 FROM orrery_limit_wait w WHERE w.name = l.name AND w.job_id = ? AND `+offer+`)
		FROM orrery_limit l WHERE `+cond, job, job, job, arg)
	return uses, err
}

// PlacesFree tells whether there is a place under every one of some limits.
func PlacesFree(ctx context.Context, q Querier, places []Place) (bool, error) {
	uses, err := limitUses(ctx, q, places, 0)
	for _, u := range uses {
		if u.free() <= 0 {
			return false, err
		}
	}
	return true, err
}

// candidateJob is a job that waits only for limits that have places.
type candidateJob struct {
	job    int64
	owner  string
	target string // job.handler
	turn   int
	names  []string
}

const (
	// letGoOwner and letGoMost bound what one round of LetGo looks at: jobs of one
	// owner, and of all.
	letGoOwner = 200
	letGoMost  = 1000
	// letGoRounds bounds one call; what is left is found by the next.
	letGoRounds = 20
)

// LetGo lets go of waiting jobs for which there are places, the oldest first,
// and of owners who have fewer before those who have more. The places are kept
// for them for OfferLife. It tells the job.handler of those that were let go.
func LetGo(ctx context.Context, db *DB) (targets []string, err error) {
	for range letGoRounds {
		chosen, more, err := chooseWaiting(ctx, db)
		if err != nil || len(chosen) == 0 {
			return targets, err
		}
		goes, err := offerPlaces(ctx, db, chosen)
		for _, c := range goes {
			if !slices.Contains(targets, c.target) {
				targets = append(targets, c.target)
			}
		}
		if err != nil || len(goes) == 0 || !more && len(goes) == len(chosen) {
			return targets, err
		}
	}
	return targets, nil
}

// chooseWaiting picks jobs for the places that are free, without a lock. There may
// be more that it did not look at.
func chooseWaiting(ctx context.Context, db *DB) (chosen []candidateJob, more bool, err error) {
	places, err := Collect(ctx, db, func(r *Rows) (p Place, err error) { return p, r.Scan(&p.Name, &p.Most) },
		`SELECT l.name, l.most FROM orrery_limit l WHERE EXISTS (SELECT 1 FROM orrery_limit_wait w WHERE w.name = l.name AND w.let_go IS NULL)`)
	if err != nil || len(places) == 0 {
		return nil, false, err
	}
	uses, err := limitUses(ctx, db, places, 0)
	if err != nil {
		return nil, false, err
	}
	free := map[string]int{}
	var names []string
	for _, u := range uses {
		if n := u.free(); n > 0 {
			free[u.Name] = n
			names = append(names, u.Name)
		}
	}
	if len(names) == 0 {
		return nil, false, nil
	}
	candidates, err := waitingFor(ctx, db, names)
	if err != nil || len(candidates) == 0 {
		return nil, false, err
	}
	has, err := placesOfOwners(ctx, db, names)
	if err != nil {
		return nil, false, err
	}
	// Owners take turns by what they have, where they have most of it.
	rank := func(c candidateJob) int {
		n := 0
		for _, name := range c.names {
			n = max(n, has[[2]string{name, c.owner}])
		}
		return n + c.turn
	}
	slices.SortFunc(candidates, func(a, b candidateJob) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.job, b.job))
	})
	more = len(candidates) == letGoMost || slices.ContainsFunc(candidates, func(c candidateJob) bool { return c.turn == letGoOwner })
	return slices.DeleteFunc(candidates, func(c candidateJob) bool { return !takePlaces(free, c.names) }), more, nil
}

// takePlaces counts one place of each name, if all have one.
func takePlaces(free map[string]int, names []string) bool {
	if len(names) == 0 {
		return false // it was let go meanwhile
	}
	for _, name := range names {
		if free[name] <= 0 {
			return false
		}
	}
	for _, name := range names {
		free[name]--
	}
	return true
}

// waitingFor lists waiting jobs that some handler would take and that wait for
// nothing but the named limits.
func waitingFor(ctx context.Context, db *DB, names []string) ([]candidateJob, error) {
	served, err := servedPools(ctx, db)
	if err != nil || len(served) == 0 {
		return nil, err
	}
	inNames, namesArg := AnyOfText(db, "w.name", names)
	otherNames, otherArg := AnyOfText(db, "o.name", names)
	pools, poolsArg := AnyOfText(db, "j.handler", served)
	candidates, err := Collect(ctx, db, func(r *Rows) (c candidateJob, err error) { return c, r.Scan(&c.job, &c.owner, &c.target, &c.turn) },
		`SELECT c.job_id, c.owner, c.handler, c.turn FROM (
			SELECT d.job_id, d.owner, d.handler, row_number() OVER (PARTITION BY d.owner ORDER BY d.job_id) AS turn FROM (
				SELECT DISTINCT w.job_id, w.owner, j.handler FROM orrery_limit_wait w JOIN job j ON j.id = w.job_id
				WHERE w.let_go IS NULL AND `+inNames+` AND j.state = 'new' AND `+pools+`
				AND NOT EXISTS (SELECT 1 FROM orrery_limit_wait o WHERE o.job_id = w.job_id AND o.let_go IS NULL AND NOT (`+otherNames+`))
			) d) c WHERE c.turn <= ? ORDER BY c.turn, c.job_id LIMIT ?`, namesArg, poolsArg, otherArg, letGoOwner, letGoMost)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	ids := make([]int64, len(candidates))
	place := make(map[int64]int, len(candidates))
	for i, c := range candidates {
		ids[i], place[c.job] = c.job, i
	}
	cond, arg := AnyOf(db, "job_id", ids)
	_, err = Collect(ctx, db, func(r *Rows) (name string, err error) {
		var job int64
		if err = r.Scan(&job, &name); err == nil {
			c := &candidates[place[job]]
			c.names = append(c.names, name)
		}
		return name, err
	}, "SELECT job_id, name FROM orrery_limit_wait WHERE let_go IS NULL AND "+cond, arg)
	return candidates, err
}

// servedPools are the values of job.handler whose new jobs somebody takes.
func servedPools(ctx context.Context, q Querier) ([]string, error) {
	instances, err := Instances(ctx, q)
	if err != nil {
		return nil, err
	}
	var served []string
	for _, in := range instances {
		if !in.Drained {
			served = append(served, append(in.Pools, in.ServerName)...)
		}
	}
	slices.Sort(served)
	return slices.Compact(served), nil
}

// placesOfOwners counts, by name and owner, the places that owners have or that
// are kept for them.
func placesOfOwners(ctx context.Context, q Querier, names []string) (map[[2]string]int, error) {
	has := map[[2]string]int{}
	cond, arg := AnyOfText(q, "name", names)
	_, err := Collect(ctx, q, func(r *Rows) (key [2]string, err error) {
		var n int
		if err = r.Scan(&key[0], &key[1], &n); err == nil {
			has[key] += n
		}
		return key, err
	}, `SELECT name, owner, count(*) FROM orrery_held WHERE `+cond+` GROUP BY name, owner
		UNION ALL SELECT name, owner, count(*) FROM orrery_limit_wait WHERE `+cond+` AND let_go > `+dbAfter(q, -OfferLife)+` GROUP BY name, owner`,
		arg, arg)
	return has, err
}

// offerPlaces lets go of the chosen ones for which there are still places.
func offerPlaces(ctx context.Context, db *DB, chosen []candidateJob) (goes []candidateJob, err error) {
	var names []string
	for _, c := range chosen {
		names = append(names, c.names...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	err = db.Write(ctx, func(tx *Tx) error {
		goes = nil
		most, err := lockNamed(ctx, tx, names)
		if err != nil {
			return err
		}
		var places []Place
		for name, m := range most {
			places = append(places, Place{Name: name, Most: m})
		}
		uses, err := limitUses(ctx, tx, places, 0)
		if err != nil {
			return err
		}
		free := map[string]int{}
		for _, u := range uses {
			free[u.Name] = u.free()
		}
		ids := make([]int64, len(chosen))
		for i, c := range chosen {
			ids[i] = c.job
		}
		cond, arg := AnyOf(tx, "job_id", ids)
		// Under the lock: who waits for one of these limits is changed by nobody
		// else.
		still := map[int64]int{}
		if _, err := Collect(ctx, tx, func(r *Rows) (job int64, err error) {
			var rows int
			if err = r.Scan(&job, &rows); err == nil {
				still[job] = rows
			}
			return job, err
		}, "SELECT job_id, count(*) FROM orrery_limit_wait WHERE let_go IS NULL AND "+cond+" GROUP BY job_id", arg); err != nil {
			return err
		}
		ids = nil
		for _, c := range chosen {
			if still[c.job] == len(c.names) && takePlaces(free, c.names) {
				goes, ids = append(goes, c), append(ids, c.job)
			}
		}
		if len(goes) == 0 {
			return nil
		}
		cond, arg = AnyOf(tx, "job_id", ids)
		_, err = tx.Exec(ctx, "UPDATE orrery_limit_wait SET let_go = "+dbNow(tx)+" WHERE "+cond, arg)
		return err
	})
	return goes, err
}

// SweepPlaces removes the places of jobs that have ended without their handler's
// doing (by somebody's SQL), and the waiting of those that are not new any more.
func SweepPlaces(ctx context.Context, db *DB) error {
	const over = ` FROM orrery_held WHERE NOT EXISTS (SELECT 1 FROM job j JOIN orrery_claim c ON c.job_id = j.id
		WHERE j.id = orrery_held.job_id AND j.state NOT IN ('ok', 'error', 'failed', 'deleted', 'stopped', 'skipped'))`
	const past = ` FROM orrery_limit_wait WHERE NOT EXISTS (SELECT 1 FROM job j WHERE j.id = orrery_limit_wait.job_id AND j.state IN ('new', 'queued'))`
	for _, rows := range []string{over, past} {
		var there bool
		if err := db.QueryRow(ctx, "SELECT EXISTS (SELECT 1"+rows+")").Scan(&there); err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := db.Write(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, "DELETE"+rows)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// SetLimits brings the places in line with a configuration: most tells how many
// jobs the limit of a name lets in, if there is such a limit; places tells which
// ones a job that has begun needs, and whose it is. Jobs that wait for a limit
// that is no more are let go: freed are the values of job.handler that anybody
// serves.
func SetLimits(ctx context.Context, db *DB, most func(name string) (int, bool), places func(user, session int64, destination string) (owner string, places []Place)) (freed []string, err error) {
	// The usual start, and the only queries where nothing is limited.
	change, err := limitsChange(ctx, db, most)
	if err != nil {
		return nil, err
	}
	uncounted, err := uncountedPlaces(ctx, db, places, false)
	if err != nil || len(change.gone)+len(change.most)+len(uncounted) == 0 {
		return nil, err
	}
	waited := false
	err = db.Write(ctx, func(tx *Tx) error {
		waited = false
		if len(uncounted) > 0 {
			rows, err := uncountedPlaces(ctx, tx, places, true)
			if err != nil {
				return err
			}
			if err := insertNew(ctx, tx, "orrery_held", []string{"name", "job_id", "owner"}, rows); err != nil {
				return err
			}
		}
		for _, p := range change.most { // as many as there are limits, once at a start
			if _, err := tx.Later().Exec(ctx, "UPDATE orrery_limit SET most = ? WHERE name = ?", p.Most, p.Name); err != nil {
				return err
			}
		}
		if len(change.gone) == 0 {
			return tx.Flush(ctx)
		}
		cond, arg := AnyOfText(tx, "name", change.gone)
		for _, table := range []string{"orrery_limit", "orrery_held", "orrery_limit_wait"} {
			n, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE "+cond, arg)
			if err != nil {
				return err
			}
			waited = waited || table == "orrery_limit_wait" && n > 0
		}
		return tx.Flush(ctx)
	})
	if err != nil || !waited {
		return nil, err
	}
	return servedPools(ctx, db)
}

// limitChange is what is different from a configuration.
type limitChange struct {
	most []Place
	gone []string
}

func limitsChange(ctx context.Context, q Querier, most func(name string) (int, bool)) (c limitChange, err error) {
	_, err = Collect(ctx, q, func(r *Rows) (p Place, err error) {
		if err = r.Scan(&p.Name, &p.Most); err != nil {
			return p, err
		}
		switch n, limited := most(p.Name); {
		case !limited:
			c.gone = append(c.gone, p.Name)
		case n != p.Most:
			c.most = append(c.most, Place{Name: p.Name, Most: n})
		}
		return p, nil
	}, "SELECT name, most FROM orrery_limit")
	slices.Sort(c.gone)
	slices.SortFunc(c.most, func(a, b Place) int { return cmp.Compare(a.Name, b.Name) })
	return c, err
}

// uncountedPlaces are the rows of places that jobs which have begun need and do
// not have, since the limits came later. The claims are locked if asked.
func uncountedPlaces(ctx context.Context, q Querier, places func(user, session int64, destination string) (string, []Place), lock bool) (rows [][]any, err error) {
	query := `SELECT c.job_id, j.user_id, j.session_id, j.destination_id FROM orrery_claim c JOIN job j ON j.id = c.job_id
		WHERE j.state = 'running' AND j.destination_id IS NOT NULL ORDER BY c.job_id`
	if lock && q.Engine() != SQLite {
		query += " FOR UPDATE"
	}
	if _, err = Collect(ctx, q, func(r *Rows) (job int64, err error) {
		var user, session int64
		var destination string
		if err = r.Scan(&job, &user, &session, &destination); err != nil {
			return job, err
		}
		owner, needs := places(user, session, destination)
		for _, p := range needs {
			rows = append(rows, []any{p.Name, job, owner})
		}
		return job, nil
	}, query); err != nil || len(rows) == 0 {
		return nil, err
	}
	has := map[[2]any]bool{}
	if _, err = Collect(ctx, q, func(r *Rows) (name string, err error) {
		var job int64
		if err = r.Scan(&name, &job); err == nil {
			has[[2]any{name, job}] = true
		}
		return name, err
	}, "SELECT name, job_id FROM orrery_held"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(row []any) bool { return has[[2]any{row[0], row[1]}] }), nil
}
