package jobhandler

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// resubmit sends a failed job again where a rule of its destination says so.
func (h *Handler) resubmit(ctx context.Context, a *active, p *prepared, v verdict) (step, error) {
	rules := p.route.Resubmit
	if len(rules) == 0 || v.final {
		return done, nil
	}
	times, err := store.TimesOfJob(ctx, h.DB, p.claim.JobID)
	if err != nil {
		return done, err
	}
	now := time.Now()
	state := destination.ResubmitState{Failure: v.failure, Attempt: times.Resubmitted + 1}
	if begun := p.dir.Begun(p.claim.Attempt); !begun.IsZero() {
		state.Running = now.Sub(begun)
	}
	if !times.Queued.IsZero() {
		state.Queued = now.Sub(times.Queued)
	}
	rule, delay, err := h.Router.ResubmitFor(rules, state)
	if err != nil {
		h.Log.Warn("a job is not sent again because its destination's rule failed", "job", p.claim.JobID, "destination", p.route.ID, "error", err)
		return done, nil
	}
	if rule == nil {
		return done, nil
	}
	failed := p.claim.Attempt
	p.previous = &destination.Previous{ID: p.route.ID, Runner: p.route.Runner, Params: p.route.Params}
	p.to, p.tries, p.next = rule.Destination, state.Attempt, nil
	next, err := h.choose(ctx, p)
	if err != nil {
		if ctx.Err() != nil || store.Outage(err) {
			return done, err
		}
		h.Log.Warn("a job is not sent again because it has nowhere to go", "job", p.claim.JobID, "to", rule.Destination, "error", err)
		return done, nil
	}
	next.Params = maps.Clone(next.Params)
	if next.Params == nil {
		next.Params = map[string]string{}
	}
	delete(next.Params, delayParam)
	if delay > 0 {
		next.Params[delayParam] = strconv.FormatFloat(delay.Seconds(), 'f', -1, 64)
	}
	info := fmt.Sprintf("This job was sent again, to %s, because %s.", next.ID, state.Reason())
	h.Log.Info("a job is sent again", "job", p.claim.JobID, "attempt", failed, "from", p.route.ID, "to", next.ID, "because", state.Reason(), "delay", delay)
	// In this order: an attempt that is closed is never taken for the job's outcome.
	if err := p.dir.Close(failed, "resubmitted"); err != nil {
		return done, err
	}
	err = h.DB.Write(ctx, func(tx *store.Tx) error {
		return store.ResubmitJob(ctx, tx, p.claim, h.Member.ServerName(), store.Resubmission{
			Info: info, Runner: next.Runner, DestinationID: next.ID, Destination: store.JSON(next.Params), Attempt: failed + 1, Handler: rule.Handler,
		})
	})
	if galaxy.KindOf(err) == galaxy.Conflict { // a person ended it meanwhile
		return done, h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted})
	}
	if err != nil {
		return done, err
	}
	if rule.Handler != "" {
		h.Wake.WakeOne(wake.Jobs(rule.Handler))
		return done, errSettled
	}
	p.claim.Attempt, p.next, p.job.ExternalID, p.job.State = failed+1, &next, "", galaxy.JobResubmitted
	h.park(a)
	return anotherAttempt, h.delay(ctx, a, delay)
}

// delay waits before a job is sent again; it ends early when a person gives the
// job up.
func (h *Handler) delay(ctx context.Context, a *active, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	h.park(a)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.stopping:
		return errStopping
	case <-a.gaveUp:
	case <-t.C:
	}
	return nil
}
