package jobhandler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/jobdir"
	"orrery/internal/pool"
	"orrery/internal/runner"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// handle sees a job through all of its attempts.
func (h *Handler) handle(ctx context.Context, a *active, adopted bool) error {
	if h.isStopping() {
		return errStopping
	}
	p, err := h.prepare(ctx, a.claim)
	if err != nil {
		return err
	}
	switch {
	case p.job.Handler != h.Member.ServerName():
		return store.ErrClaimLost
	case p.job.State == galaxy.JobDeleting:
		h.giveUp(a)
	case p.job.State.Terminal():
		return errSettled
	}
	handed, err := h.settleAttempt(ctx, a, p, adopted)
	if err != nil {
		return err
	}
	for {
		next, err := h.attempt(ctx, a, p, handed)
		if err != nil || next == done {
			return err
		}
		if h.isStopping() {
			return errStopping
		}
		handed = next == sameAttempt
	}
}

// step is what follows the end of an attempt.
type step int

const (
	done           step = iota
	anotherAttempt      // a new one, which is not handed over yet
	sameAttempt         // it runs after all
)

// mark tells a job from one of the same number in another database.
func mark(j *store.Job) string {
	return fmt.Sprintf("job %d of %s", j.ID, j.CreateTime.UTC().Format("2006-01-02T15:04:05.000000"))
}

// settleAttempt finds out at which attempt a claimed job is, and whether that was
// handed to a runner, so that it runs or may still run. A claim that was another
// handler's may be so at any moment, since that handler may only be paused: its
// attempt is made void first.
func (h *Handler) settleAttempt(ctx context.Context, a *active, p *prepared, adopted bool) (handed bool, err error) {
	n := p.claim.Attempt
	known := true
	if !adopted || !p.dir.Started(n) { // else it may run right now, and has its folder
		if known, err = p.dir.Claim(mark(p.job)); err != nil {
			return false, err
		}
	}
	if !known && !adopted {
		return false, nil
	}
	for p.dir.Closed(n) != "" || p.dir.Voided(n) {
		n++
	}
	p.claim.Attempt = n
	switch route, sent := readRoute(p); {
	case p.dir.Started(n):
		handed = true
	case !adopted:
	case sent && h.Runners[route.Runner].Runner != nil && queues(h.Runners[route.Runner].Runner):
		handed = true // it is in the engine's queue, or being put there is harmless
	default:
		void, err := p.dir.Void(n)
		if err != nil {
			return false, err
		}
		if handed = !void; void {
			n++
		}
	}
	p.claim.Attempt = n
	if n != a.claim.Attempt && p.job.State != galaxy.JobDeleting {
		if err := h.setAttempt(ctx, p, n); err != nil {
			return false, err
		}
	}
	if !handed && (p.job.State == galaxy.JobResubmitted || p.job.DestinationID != "" && known) && p.job.State != galaxy.JobDeleting {
		return false, h.takeUpResubmission(ctx, a, p)
	}
	return handed, nil
}

// takeUpResubmission goes on with a job that another handler, or this one before,
// sent again.
func (h *Handler) takeUpResubmission(ctx context.Context, a *active, p *prepared) error {
	times, err := store.TimesOfJob(ctx, h.DB, p.claim.JobID)
	if err != nil || times.Resubmitted == 0 {
		return err
	}
	route, _ := readRoute(p)
	p.tries = times.Resubmitted
	p.previous = &destination.Previous{ID: route.ID, Runner: route.Runner, Params: route.Params}
	if h.Known != nil && h.Known(route.ID) {
		p.to = route.ID
	}
	return h.delay(ctx, a, delayLeft(times.SentAgain, route.Params, time.Now()))
}

// giveUp marks a job as ended by a person.
func (h *Handler) giveUp(a *active) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !a.told {
		a.told = true
		close(a.gaveUp)
	}
}

func (a *active) isGivenUp() bool {
	select {
	case <-a.gaveUp:
		return true
	default:
		return false
	}
}

// errGivenUp says that a person ended the job while it waited.
var errGivenUp = errors.New("the job was given up")

// attempt sees one attempt through; handed says that it was handed over before.
func (h *Handler) attempt(ctx context.Context, a *active, p *prepared, handed bool) (step, error) {
	c := p.claim
	if !handed {
		if a.isGivenUp() {
			return done, h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted})
		}
		reached(AfterClaim, c.JobID)
		if err := h.ready(ctx, p); err != nil {
			return done, err
		}
	}
	r, err := h.place(ctx, a, p, handed)
	if errors.Is(err, errGivenUp) {
		return done, h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted})
	}
	if err != nil {
		return done, err
	}
	run := runner.Job{Dir: p.dir, Attempt: c.Attempt, Params: p.route.Params, Name: jobName(p.job)}
	begun := make(chan struct{}, 1)
	if queues(r) {
		run.Begun = func() {
			select {
			case begun <- struct{}{}:
			default:
			}
		}
	}
	var unwritten *store.Started
	var external string
	if handed {
		if external, unwritten, err = h.handedBefore(ctx, a, p, r, run); err != nil {
			return done, err
		}
	} else {
		reached(AfterDestination, c.JobID)
		ev, err := h.write(ctx, p, r, run)
		if err != nil {
			return done, err
		}
		// Another handler may have finished this job while this one was paused, and
		// taken the folder away with all that keeps an attempt from running: then what
		// was written just now would run again. From here on nothing makes a folder, so
		// that there is nothing to run if that happens later.
		if err := store.HoldsClaim(ctx, h.DB, p.claim, h.Member.ServerName()); err != nil {
			return done, err
		}
		reached(BeforeSubmit, c.JobID)
		if a.isGivenUp() {
			return done, h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted})
		}
		if external, err = h.submit(ctx, a, p, r, run); err != nil {
			return done, err
		}
		reached(AfterSubmit, c.JobID)
		unwritten = howStarted(p, ev.Command, external)
		if queues(r) {
			if err := h.submitted(ctx, a, p, *unwritten); err != nil {
				return done, err
			}
			h.park(a) // from here on it is the engine that has the job
		}
	}
	h.stoppable(a, r, run, external)
	ending, unwritten, err := h.follow(ctx, a, p, r, run, external, unwritten, begun)
	if err != nil {
		return done, err
	}
	reached(AfterEnd, c.JobID)
	return h.conclude(ctx, a, p, ending, unwritten)
}

// place decides where a job goes and gets it a place there.
func (h *Handler) place(ctx context.Context, a *active, p *prepared, handed bool) (runner.Runner, error) {
	if handed {
		p.route, _ = readRoute(p)
	}
	wait := h.waiting(a, p)
	for {
		if !handed {
			var notReady *destination.NotReady
			var err error
			switch p.route, err = h.choose(ctx, p); {
			case errors.As(err, &notReady):
				h.park(a)
				if err := wait.more(ctx, notReady.Message); err != nil {
					return nil, err
				}
				continue
			case err != nil:
				return nil, err
			}
		}
		r, here := h.Runners[p.route.Runner]
		if here {
			return r.Runner, h.placeHere(ctx, a, p, handed, wait)
		}
		given, err := h.handOn(ctx, p, func(in store.Instance) bool {
			return h.HasRunner != nil && h.HasRunner(in.ServerName, p.route.Runner)
		})
		if err != nil {
			return nil, err
		}
		if given {
			return nil, errSettled
		}
		h.park(a)
		if err := wait.more(ctx, fmt.Sprintf("This job waits for a job handler that can run it: none that is running has the runner %s.", p.route.Runner)); err != nil {
			return nil, err
		}
	}
}

// placeHere takes a place of a runner of this handler, and places under the
// limits.
func (h *Handler) placeHere(ctx context.Context, a *active, p *prepared, handed bool, wait *waiting) error {
	if !h.takePlace(a, p.route.Runner, handed) {
		err := h.DB.Write(ctx, func(tx *store.Tx) error {
			return store.RequeueUnsent(ctx, tx, p.claim, h.Member.ServerName(), p.route.Runner)
		})
		if err == nil {
			h.Wake.WakeOne(wake.Jobs(p.claim.Pool))
			err = errSettled
		}
		return err
	}
	if handed {
		return nil
	}
	ok, err := h.Limits.Reserve(ctx, p.claim, pool.Owner{User: p.job.UserID, Session: p.job.SessionID}, p.route.ID, p.route.Tags)
	if err == nil && !ok {
		err = errSettled
	}
	if err != nil {
		return err
	}
	return wait.over(ctx)
}

// handOn gives a job to another living handler of its pool that is right for it.
func (h *Handler) handOn(ctx context.Context, p *prepared, right func(store.Instance) bool) (bool, error) {
	instances, err := store.Instances(ctx, h.DB)
	if err != nil {
		return false, err
	}
	for _, in := range instances {
		if in.ID == h.Member.ID() || in.Kind == "web" || in.Drained || in.Left || in.Lapsed || !slices.Contains(in.Pools, p.claim.Pool) || !right(in) {
			continue
		}
		var given bool
		err := h.DB.Write(ctx, func(tx *store.Tx) (err error) {
			given, err = store.HandClaim(ctx, tx, p.claim, h.Member.ServerName(), in)
			return err
		})
		if err != nil {
			return false, err
		}
		if given {
			h.Log.Info("a job was given to another handler", "job", p.claim.JobID, "handler", in.ServerName, "host", in.Hostname)
			h.Wake.Wake(MovedTopic)
			return true, nil
		}
	}
	return false, nil
}

// jobName is how an engine lists a job.
func jobName(j *store.Job) string {
	id := j.ToolID
	if i := strings.LastIndexByte(id, '/'); i >= 0 && strings.Count(id, "/") >= 5 {
		id = strings.TrimSuffix(id, id[i:])
		id = id[strings.LastIndexByte(id, '/')+1:]
	}
	return fmt.Sprintf("g%d_%s", j.ID, strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, id))
}

// handedBefore takes up an attempt that was handed over by an earlier handler, or
// by this one before an outage. It gives the id in the engine, and how the
// attempt started if that was not written down.
func (h *Handler) handedBefore(ctx context.Context, a *active, p *prepared, r runner.Runner, run runner.Job) (string, *store.Started, error) {
	external, known := p.job.ExternalID, p.job.ExternalID != ""
	if p.job.State != galaxy.JobRunning && p.job.State != galaxy.JobQueued {
		known = false // what the row says is of an earlier attempt
	}
	if !known {
		if at, ok := p.dir.ReadRun(run.Attempt); ok && at.ID != "" {
			external = at.ID
		} else if queues(r) {
			var err error
			if external, err = h.submit(ctx, a, p, r, run); err != nil {
				return "", nil, err
			}
		} else {
			external = fmt.Sprint(at.PID)
		}
	}
	if p.job.State == galaxy.JobRunning || p.job.State == galaxy.JobDeleting {
		h.parkQueueing(a, r)
		return external, nil, nil
	}
	command := p.job.CommandLine
	if command == "" {
		// The earlier process died between handing the job over and saying so. It runs
		// whether its command can be told again or not.
		switch ev, err := h.evaluate(ctx, p); {
		case err == nil:
			command = ev.Command
		case ctx.Err() != nil || store.Outage(err):
			return "", nil, err
		default:
			h.Log.Warn("the command of a running job cannot be told", "job", p.claim.JobID, "error", err)
		}
	}
	unwritten := howStarted(p, command, external)
	if queues(r) && !known {
		if err := h.submitted(ctx, a, p, *unwritten); err != nil {
			return "", nil, err
		}
	}
	h.parkQueueing(a, r)
	return external, unwritten, nil
}

func (h *Handler) parkQueueing(a *active, r runner.Runner) {
	if queues(r) {
		h.park(a)
	}
}

// submit hands an attempt over, and waits for an engine that is out of reach.
func (h *Handler) submit(ctx context.Context, a *active, p *prepared, r runner.Runner, run runner.Job) (string, error) {
	wait := h.waiting(a, p)
	wait.stubborn = true // it may be there already, and then has to be stopped
	for {
		external, err := r.Submit(ctx, run)
		if err == nil {
			return external, wait.over(ctx)
		}
		h.observeFailure(p)
		if !errors.Is(err, runner.ErrUnavailable) {
			return "", err
		}
		h.Log.Warn("a job waits for its engine", "job", p.claim.JobID, "runner", p.route.Runner, "error", err)
		if err := wait.more(ctx, "This job waits because the cluster that is to run it cannot be reached now. It is sent again by itself."); err != nil {
			return "", err
		}
		if err := store.HoldsClaim(ctx, h.DB, p.claim, h.Member.ServerName()); err != nil {
			return "", err
		}
		if a.isGivenUp() {
			void, err := p.dir.Void(run.Attempt)
			if err != nil {
				return "", err
			}
			if void {
				return "", errors.Join(h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted}), errSettled)
			}
		}
	}
}

// submitted writes down that a job is in an engine's queue.
func (h *Handler) submitted(ctx context.Context, a *active, p *prepared, s store.Started) error {
	err := h.DB.Write(ctx, func(tx *store.Tx) error { return store.SubmitJob(ctx, tx, p.claim, h.Member.ServerName(), s) })
	if galaxy.KindOf(err) == galaxy.Conflict { // a person was quicker
		h.giveUp(a)
		return nil
	}
	return err
}

// watched is how a run ended, or why that cannot be told.
type watched struct {
	ending runner.Ending
	err    error
	// panicked is what the runner panicked with, to be raised again where a panic
	// fails this job alone.
	panicked any
}

// watch waits for the end of a run on the side.
func (h *Handler) watch(ctx context.Context, r runner.Runner, run runner.Job, external string) <-chan watched {
	ended := make(chan watched, 1)
	h.jobs.Go(func() {
		var w watched
		defer func() {
			w.panicked = recover()
			ended <- w
		}()
		w.ending, w.err = r.Watch(ctx, run, external)
	})
	return ended
}

// follow waits for the end of an attempt, writes down that it began, and stops it
// when a person gave it up. It gives how the attempt started if that is still to be
// written down.
func (h *Handler) follow(ctx context.Context, a *active, p *prepared, r runner.Runner, run runner.Job, external string,
	unwritten *store.Started, begun <-chan struct{}) (runner.Ending, *store.Started, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.police(ctx, p, r, run, external)
	wait := h.waiting(a, p)
	ended := h.watch(ctx, r, run, external)
	var blink <-chan time.Time
	if unwritten != nil && !queues(r) {
		t := time.NewTimer(h.Blink)
		defer t.Stop()
		blink = t.C
	}
	gaveUp := a.gaveUp
	var stopAgain <-chan time.Time
	stop := func() {
		if err := r.Stop(ctx, run, external); err != nil {
			h.Log.Warn("stopping a cancelled job failed; it is tried again", "job", p.claim.JobID, "error", err)
			stopAgain = time.After(h.Retry)
		}
	}
	start := func() error {
		err := h.started(ctx, p.claim, *unwritten)
		if galaxy.KindOf(err) == galaxy.Conflict { // a person ended it meanwhile
			h.giveUp(a)
			err = nil
		}
		if err == nil {
			unwritten = nil
			reached(AfterStart, p.claim.JobID)
		}
		return err
	}
	for {
		select {
		case w := <-ended:
			if w.panicked != nil {
				panic(w.panicked)
			}
			if w.err != nil && ctx.Err() == nil {
				h.observeFailure(p)
			}
			if w.err != nil && !errors.Is(w.err, runner.ErrUnavailable) {
				return w.ending, unwritten, w.err
			}
			if w.err == nil && w.ending.End != runner.Unknown {
				if wait.said != "" {
					return w.ending, unwritten, wait.over(ctx)
				}
				return w.ending, unwritten, nil
			}
			if w.err != nil && w.ending.Message == "" {
				w.ending.Message = "The cluster that runs this job cannot be reached now; the job is waited for."
			}
			if unwritten != nil && p.dir.Started(run.Attempt) && !p.dir.Voided(run.Attempt) {
				if err := start(); err != nil {
					return w.ending, unwritten, err
				}
			}
			if b, ok := r.(runner.HostBound); ok {
				if host, elsewhere := b.Elsewhere(run); elsewhere {
					h.park(a)
					given, err := h.handOn(ctx, p, func(in store.Instance) bool { return in.Hostname == host })
					if err != nil {
						return w.ending, unwritten, err
					}
					if given {
						return w.ending, unwritten, errSettled
					}
				}
			}
			if err := wait.pause(ctx, w.ending.Message); err != nil {
				return w.ending, unwritten, err
			}
			ended = h.watch(ctx, r, run, external)
		case <-h.stopping:
			if unwritten != nil && (!queues(r) || p.dir.Started(run.Attempt) && !p.dir.Voided(run.Attempt)) {
				if err := start(); err != nil {
					return runner.Ending{}, unwritten, err
				}
			}
			return runner.Ending{}, unwritten, errStopping
		case <-blink:
			blink = nil
			// What ends in the blink of an eye is written down with its end.
			if err := start(); err != nil {
				return runner.Ending{}, unwritten, err
			}
		case <-begun:
			if unwritten != nil {
				if err := start(); err != nil {
					return runner.Ending{}, unwritten, err
				}
			}
		case <-gaveUp:
			gaveUp = nil
			stop()
		case <-stopAgain:
			stop()
		}
	}
}

// stoppable tells how to end a job that was handed over.
func (h *Handler) stoppable(a *active, r runner.Runner, run runner.Job, external string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.stop = func(ctx context.Context) error { return r.Stop(ctx, run, external) }
}

// maxLost bounds how often an attempt may be lost through no fault of the job's
// before the job fails.
const maxLost = 3

// conclude deals with the end of an attempt: the job's outcome is written down, or
// another attempt is made.
func (h *Handler) conclude(ctx context.Context, a *active, p *prepared, ending runner.Ending, unwritten *store.Started) (step, error) {
	n := p.claim.Attempt
	if a.isGivenUp() {
		return done, h.finish(ctx, p, store.Finished{State: galaxy.JobDeleted})
	}
	stopped, byUs := p.dir.ReadStopped(n)
	if byUs {
		ending = runner.Ending{End: runner.Died, Cause: causeOf[stopped.Reason], Message: stopped.Message}
	} else if ending.End == runner.Died {
		if next, err := h.lost(ctx, p, &ending); err != nil || next != done {
			return next, err
		}
	}
	v, err := h.judge(p, ending, stopped.Reason)
	if err != nil {
		return done, err
	}
	if v.State == galaxy.JobError {
		if next, err := h.resubmit(ctx, a, p, v); err != nil || next != done {
			return next, err
		}
	}
	if err := h.collectOutputs(ctx, p, &v.Finished, v.made); err != nil {
		return done, err
	}
	reached(AfterCollect, p.claim.JobID)
	v.Started = unwritten
	return done, h.finish(ctx, p, v.Finished)
}

// lost makes a new attempt when the last one is proved dead through no fault of
// the job's: its machine went down, or it never began. After a few of those the
// job fails, with a message that ending then has.
func (h *Handler) lost(ctx context.Context, p *prepared, ending *runner.Ending) (step, error) {
	n := p.claim.Attempt
	reason := ""
	switch {
	case ending.Cause == runner.NodeFailure:
		reason = "node"
		if ending.Message == "" {
			ending.Message = "The machine that ran this job failed."
		}
	case ending.Cause == runner.NoCause && p.dir.Voided(n):
		return anotherAttempt, h.setAttempt(ctx, p, n+1)
	case ending.Cause == runner.NoCause && !p.dir.Started(n):
		void, err := p.dir.Void(n)
		if err != nil {
			return done, err
		}
		if !void {
			return sameAttempt, nil // it began just now
		}
		reason = "lost"
		if ending.Message == "" {
			ending.Message = "This job was handed over, but never began."
		}
	default:
		return done, nil
	}
	lost := 1
	for i := range n {
		if r := p.dir.Closed(i); r == "node" || r == "lost" {
			lost++
		}
	}
	if lost > maxLost {
		ending.Message += fmt.Sprintf(" That happened %d times, so it is not tried again.", lost)
		return done, nil
	}
	h.Log.Warn("an attempt of a job was lost; another is made", "job", p.claim.JobID, "attempt", n, "why", reason)
	if err := p.dir.Close(n, reason); err != nil {
		return done, err
	}
	return anotherAttempt, h.setAttempt(ctx, p, n+1)
}

// setAttempt goes on to another attempt.
func (h *Handler) setAttempt(ctx context.Context, p *prepared, n int) error {
	err := h.DB.Write(ctx, func(tx *store.Tx) error {
		return store.SetAttempt(ctx, tx, p.claim, h.Member.ServerName(), n)
	})
	p.claim.Attempt, p.job.ExternalID = n, ""
	return err
}

// causeOf maps the word that an attempt is stopped with.
var causeOf = map[string]runner.Cause{
	stoppedWalltime: runner.WalltimeLimit, stoppedOwnWalltime: runner.WalltimeLimit, stoppedOutput: runner.OutputLimit,
}

// howStarted is what is written down about a run that was handed over.
func howStarted(p *prepared, command, external string) *store.Started {
	return &store.Started{
		CommandLine: command, Runner: p.route.Runner, ExternalID: external, DestinationID: p.route.ID, Destination: store.JSON(p.route.Params),
	}
}

// waiting is the wait of a job for something that is not its own fault. People see
// what it waits for.
type waiting struct {
	h     *Handler
	a     *active
	p     *prepared
	said  string
	after time.Duration
	// stubborn waits on although a person gave the job up.
	stubborn bool
}

func (h *Handler) waiting(a *active, p *prepared) *waiting {
	return &waiting{h: h, a: a, p: p, after: h.Retry}
}

// more waits, a little longer each time; errGivenUp when a person ends the job.
func (w *waiting) more(ctx context.Context, message string) error {
	if err := w.say(ctx, message); err != nil {
		return err
	}
	gaveUp := w.a.gaveUp
	if w.stubborn && w.a.isGivenUp() {
		gaveUp = nil
	}
	t := time.NewTimer(w.next())
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.h.stopping:
		return errStopping
	case <-gaveUp:
		if !w.stubborn {
			return errGivenUp
		}
	case <-t.C:
	}
	return nil
}

// pause is more for a job that runs, whatever people want of it.
func (w *waiting) pause(ctx context.Context, message string) error {
	if err := w.say(ctx, message); err != nil {
		return err
	}
	t := time.NewTimer(w.next())
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.h.stopping:
		return errStopping
	case <-t.C:
		return nil
	}
}

func (w *waiting) next() time.Duration {
	d := w.after
	w.after = min(2*w.after, max(30*time.Second, w.h.Retry))
	return d
}

func (w *waiting) say(ctx context.Context, message string) error {
	if message == w.said {
		return nil
	}
	err := w.h.DB.Write(ctx, func(tx *store.Tx) error {
		return store.ExplainJob(ctx, tx, w.p.claim, w.h.Member.ServerName(), message)
	})
	if galaxy.KindOf(err) == galaxy.Conflict {
		w.h.giveUp(w.a)
		err = nil
	}
	if err == nil {
		w.said = message
	}
	return err
}

// over says that the wait has ended.
func (w *waiting) over(ctx context.Context) error {
	if w.said == "" && !strings.HasPrefix(w.p.job.Info, "This job waits") {
		return nil
	}
	w.p.job.Info, w.said = "", "-"
	return w.say(ctx, "")
}

// script is what the runner and the destination add to a job's script.
func (h *Handler) script(p *prepared, r runner.Runner, run runner.Job, s *jobdir.Script) (err error) {
	if s.Setup, err = setup(p.route.Env); err != nil {
		return err
	}
	s.Slots = jobdir.Slots(p.route.Params)
	s.Before, s.After = instrument(h.metricsOf(p.route), p.dir.Path)
	if scripted, ok := r.(runner.Scripted); ok {
		s.Part, err = scripted.Script(run)
	}
	return err
}
