package jobhandler

import (
	"context"
	"time"

	"orrery/internal/runner"
	"orrery/internal/store"
)

// Runner is a runner with its places.
type Runner struct {
	runner.Runner
	// Workers is how many jobs it takes at once: jobs that run, or, where an engine
	// has a queue of its own, jobs that are being handed over.
	Workers int
}

// queues tells whether a runner's engine has a queue of its own.
func queues(r runner.Runner) bool {
	q, ok := r.(runner.Queueing)
	return ok && q.Queues()
}

// active is a job that this handler has.
type active struct {
	claim  store.Claim
	cancel context.CancelFunc
	// gaveUp is closed once a person has ended the job.
	gaveUp chan struct{}
	begun  time.Time // when this handler got it

	// What follows is guarded by the handler's mutex.

	// place is the runner whose place the job has; "" when it has none.
	place string
	// unplaced says that its runner is not known yet, so that it may need any.
	unplaced bool
	// again says that the job was claimed once more while this was ending.
	again bool
	// told says that gaveUp is closed.
	told bool
	// stop ends the job's process, once it has one.
	stop func(context.Context) error
}

// free is how many more jobs may be taken now.
func (h *Handler) free() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for name, r := range h.Runners {
		n += max(0, r.Workers-h.busy[name])
	}
	for _, a := range h.active {
		if a.unplaced {
			n--
		}
	}
	return max(0, n)
}

// full lists the runners that have no place.
func (h *Handler) full() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for name, r := range h.Runners {
		if h.busy[name] >= r.Workers {
			names = append(names, name)
		}
	}
	return names
}

// takePlace gives a job a place of a runner; false when there is none, unless the
// job has to have one.
func (h *Handler) takePlace(a *active, name string, must bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.place == name {
		return true
	}
	if !must && h.busy[name] >= h.Runners[name].Workers {
		return false
	}
	h.leavePlace(a)
	a.place = name
	h.busy[name]++
	return true
}

// leavePlace takes a job's place away; the caller holds the mutex.
func (h *Handler) leavePlace(a *active) {
	a.unplaced = false
	if a.place != "" {
		h.busy[a.place]--
		a.place = ""
	}
}

// park takes a job's place away while it waits for something else.
func (h *Handler) park(a *active) {
	h.mu.Lock()
	h.leavePlace(a)
	h.mu.Unlock()
	h.notifyFree()
}

func (h *Handler) notifyFree() {
	select {
	case h.freed <- struct{}{}:
	default:
	}
}
