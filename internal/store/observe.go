package store

import (
	"context"
	"time"
)

// PoolStats are this process's connections to the database.
type PoolStats struct {
	// Open are those that there are, InUse those of them that work; Most is the
	// bound.
	Open, InUse, Most int
	// Waits counts how often one was waited for, Waited is for how long in all.
	Waits  int64
	Waited time.Duration
}

// PoolStats reads them. SQLite's one connection for writing is counted too.
func (db *DB) PoolStats() PoolStats {
	s := db.pool.Stats()
	sum := PoolStats{Open: s.OpenConnections, InUse: s.InUse, Most: s.MaxOpenConnections, Waits: s.WaitCount, Waited: s.WaitDuration}
	if db.write != nil && db.write != db.pool {
		w := db.write.Stats()
		sum.Open, sum.InUse, sum.Most = sum.Open+w.OpenConnections, sum.InUse+w.InUse, sum.Most+w.MaxOpenConnections
		sum.Waits, sum.Waited = sum.Waits+w.WaitCount, sum.Waited+w.WaitDuration
	}
	return sum
}

// JobLoad is how many unfinished jobs have the same state, handler and pool.
type JobLoad struct {
	State string `json:"state"`
	// Handler is what job.handler holds: a tag while nobody has claimed the job.
	Handler string `json:"handler"`
	// Pool is where a claimed job came from; "" while nobody has claimed it.
	Pool string `json:"pool"`
	Jobs int    `json:"jobs"`
}

// CountLoad counts the unfinished jobs.
func CountLoad(ctx context.Context, q Querier) ([]JobLoad, error) {
	return Collect(ctx, q, func(r *Rows) (l JobLoad, err error) {
		return l, r.Scan(&l.State, &l.Handler, &l.Pool, &l.Jobs)
	}, `SELECT j.state, j.handler, c.pool, count(*) FROM job j LEFT JOIN orrery_claim c ON c.job_id = j.id
		WHERE j.state IN ('new', 'queued', 'running', 'deleting', 'stop') AND j.handler IS NOT NULL GROUP BY j.state, j.handler, c.pool ORDER BY j.state, j.handler, c.pool`)
}
