package jobhandler

import (
	"time"

	"orrery/internal/galaxy"
)

// Observer is told what becomes of jobs, for metrics. Its methods must not block.
type Observer interface {
	// JobEnded tells of a job that ended: where it ran ("" when it did not), its last
	// state, and how long this handler had it.
	JobEnded(destination, state string, took time.Duration)
	// RunnerFailed tells that a runner could not take a job, or lost sight of it.
	RunnerFailed(runner string)
}

// The stages of the jobs in a handler's hands.
const (
	stagePreparing  = "preparing"   // claimed; its destination is not chosen yet
	stageWaiting    = "waiting"     // for a limit, an engine or a place
	stageStarting   = "starting"    // has a place; its folder and script are made
	stageHandedOver = "handed over" // to its runner: it runs or is in the engine's queue
)

// InHand counts the jobs that this handler has, by stage.
func (h *Handler) InHand() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := map[string]int{}
	for _, a := range h.active {
		switch {
		case a.stop != nil:
			count[stageHandedOver]++
		case a.unplaced:
			count[stagePreparing]++
		case a.place == "":
			count[stageWaiting]++
		default:
			count[stageStarting]++
		}
	}
	return count
}

// observeEnd tells the observer of a job that ended.
func (h *Handler) observeEnd(p *prepared, state galaxy.JobState) {
	if h.Observe == nil {
		return
	}
	h.mu.Lock()
	a := h.active[p.claim.JobID]
	h.mu.Unlock()
	if a != nil {
		h.Observe.JobEnded(p.route.ID, string(state), time.Since(a.begun))
	}
}

// observeFailure tells the observer of a runner that failed.
func (h *Handler) observeFailure(p *prepared) {
	if h.Observe != nil {
		h.Observe.RunnerFailed(p.route.Runner)
	}
}
