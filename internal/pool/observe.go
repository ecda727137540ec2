package pool

import (
	"context"
	"time"

	"orrery/internal/store"
)

// Observer is told what a member does, for metrics. Its methods must not block.
type Observer interface {
	// Claimed tells of one claim: how many jobs it got, and how long the database
	// took.
	Claimed(jobs int, took time.Duration)
	// TookOver tells of jobs that were another's.
	TookOver(jobs int)
	// Renewed tells of a renewal of the lease; err is why it failed.
	Renewed(err error)
	// LeaseLost tells that the lease ended though the process lives.
	LeaseLost()
}

// unobserved is the Observer of those who have none.
type unobserved struct{}

func (unobserved) Claimed(int, time.Duration) {}
func (unobserved) TookOver(int)               {}
func (unobserved) Renewed(error)              {}
func (unobserved) LeaseLost()                 {}

// Load is what a pool has to do, counted in the database: one process asks for
// all, since the answer is the same for each.
type Load struct {
	// Jobs are the unfinished jobs, by state, handler and pool.
	Jobs []store.JobLoad `json:"jobs"`
	// Report is what the Overview says.
	Report Report `json:"report"`
}

// Load counts what there is to do.
func (o *Operator) Load(ctx context.Context) (l Load, err error) {
	if l.Report, err = o.Overview(ctx); err != nil {
		return l, err
	}
	l.Jobs, err = store.CountLoad(ctx, o.DB)
	return l, err
}
