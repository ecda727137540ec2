package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// slot is one process that the configuration asks for, with what runs for it. All fields are guarded by Supervisor.mu.
type slot struct {
	spec Spec // what current runs as, or would be started as
	// current serves, or starts to where nothing serves; successor starts beside it; draining are those that were
	// replaced and finish what they have.
	current, successor *instance
	draining           []*instance

	stopped bool // by an order: it is not started again
	removed bool // nothing asks for it any more
	state   string
	detail  string
	since   time.Time

	everReady  bool
	failures   int // in a row, each soon after the start
	restarts   int
	generation int
	waiting    chan struct{} // of the pause before the next start; closed when that is not to come
	overLimit  time.Time     // when it was last replaced for its memory
	memory     int64
}

// instance is one started process. The fields that change are guarded by Supervisor.mu.
type instance struct {
	slot       *slot
	spec       Spec
	r          *running
	generation int
	began      time.Time
	since      time.Time
	ready      bool
	stopping   bool
	drains     bool
	giveUp     chan struct{} // closed: kill it
	killed     string        // why it was killed
	how        string        // how it ended
	serves     chan struct{} // closed when it is ready and that has been dealt with
	gone       chan struct{} // closed when it has ended and that has been dealt with
}

func (s *Supervisor) newSlot(spec Spec) *slot {
	return &slot{spec: spec, state: "stopped", since: s.options.Now()}
}

// instances are those that run, the oldest first.
func (sl *slot) instances() []*instance {
	out := slices.Clone(sl.draining)
	for _, i := range []*instance{sl.current, sl.successor} {
		if i != nil {
			out = append(out, i)
		}
	}
	return out
}

func (sl *slot) set(state, detail string, now time.Time) {
	sl.state, sl.detail, sl.since = state, detail, now
}

// cancelWait gives up the next start after a crash.
func (sl *slot) cancelWait() {
	if sl.waiting != nil {
		close(sl.waiting)
		sl.waiting = nil
	}
}

// errStopping is the answer to whoever wants to start something while everything stops.
var errStopping = errors.New("the server is stopping")

// startLocked starts an instance. The caller makes it the slot's current or successor before it lets go of s.mu.
func (s *Supervisor) startLocked(sl *slot, spec Spec, limit time.Duration) (*instance, error) {
	if s.stopping {
		return nil, errStopping
	}
	sockets, err := s.sockets.of(spec.Listen)
	if err != nil {
		return nil, err
	}
	spec.Program = programStamp(spec.Path)
	r, err := start(spec, started{sockets: sockets, alive: rawFD(s.aliveRead), owner: s.options.Name})
	if err != nil {
		return nil, err
	}
	inst := s.instanceOf(sl, spec, r)
	inst.generation = sl.generation
	go s.watch(inst, limit)
	return inst, nil
}

func (s *Supervisor) instanceOf(sl *slot, spec Spec, r *running) *instance {
	s.live++
	now := s.options.Now()
	return &instance{slot: sl, spec: spec, r: r, began: now, since: now, giveUp: make(chan struct{}), serves: make(chan struct{}), gone: make(chan struct{})}
}

// launchAll starts what does not run.
func (s *Supervisor) launchAll() {
	s.mu.Lock()
	slots := slices.Clone(s.slots)
	s.mu.Unlock()
	for _, sl := range slots {
		s.launch(sl)
	}
	s.checkAllReady()
}

// launch starts a process that does not run; when that fails it is tried again later, as after a crash.
func (s *Supervisor) launch(sl *slot) *instance {
	s.mu.Lock()
	if sl.current != nil || sl.stopped || sl.removed || s.stopping {
		s.mu.Unlock()
		return nil
	}
	sl.waiting = nil
	inst, err := s.startLocked(sl, sl.spec, sl.spec.readyTimeout())
	if err == nil {
		sl.current, sl.spec.Program = inst, inst.spec.Program
		sl.set("starting", sl.detail, inst.began)
	}
	s.mu.Unlock()
	if err != nil {
		s.options.Log.Error("the process cannot be started", "process", sl.spec.Name, "error", err)
		s.failed(sl, "cannot be started: "+err.Error(), false, 0)
		return nil
	}
	s.options.Log.Info("started", "process", sl.spec.Name, "pid", inst.r.pid)
	s.event(Event{Kind: Started, Name: sl.spec.Name, PID: inst.r.pid})
	return inst
}

// watch follows an instance to its end. It is killed when it is not ready within the limit.
func (s *Supervisor) watch(inst *instance, limit time.Duration) {
	var late <-chan time.Time
	ready := inst.r.ready
	if inst.ready {
		ready = nil
	} else {
		late = s.options.After(limit)
	}
	for {
		select {
		case <-ready:
			ready, late = nil, nil
			s.becameReady(inst)
		case <-late:
			late = nil
			s.mu.Lock()
			stopping := inst.stopping
			if !stopping {
				inst.killed = fmt.Sprintf("was not ready within %v and was killed", limit)
			}
			s.mu.Unlock()
			if !stopping {
				s.options.Log.Error("the process is not ready in time and is killed", "process", inst.spec.Name, "pid", inst.r.pid, "limit", limit)
				s.event(Event{Kind: Killed, Name: inst.spec.Name, PID: inst.r.pid})
				inst.r.signal(syscall.SIGKILL)
			}
		case <-inst.r.ended:
			select {
			case <-ready: // it was ready and ended at once
				s.becameReady(inst)
			default:
			}
			s.ended(inst)
			return
		}
	}
}

func (s *Supervisor) becameReady(inst *instance) {
	s.mu.Lock()
	if inst.stopping {
		s.mu.Unlock()
		return
	}
	inst.ready, inst.since = true, s.options.Now()
	sl := inst.slot
	if sl.current == inst {
		sl.everReady = true
		sl.set("ready", "", inst.since)
	}
	close(inst.serves)
	s.mu.Unlock()
	s.options.Log.Info("ready", "process", inst.spec.Name, "pid", inst.r.pid)
	s.event(Event{Kind: Ready, Name: inst.spec.Name, PID: inst.r.pid})
	s.checkAllReady()
}

// checkAllReady notes the moment when every process has been ready once.
func (s *Supervisor) checkAllReady() {
	s.mu.Lock()
	all := !s.begun && !s.stopping
	for _, sl := range s.slots {
		all = all && (sl.everReady || sl.stopped)
	}
	if all {
		s.begun = true
	}
	s.mu.Unlock()
	if all {
		// Those that a dead supervisor left have done their part.
		s.adopted.Release()
		s.event(Event{Kind: AllReady})
	}
}

// ended deals with the end of an instance.
func (s *Supervisor) ended(inst *instance) {
	sl, now := inst.slot, s.options.Now()
	s.mu.Lock()
	s.live--
	inst.how = describe(inst.r.status)
	if inst.killed != "" {
		inst.how = inst.killed
	}
	crashed := false
	switch inst {
	case sl.current:
		sl.current = nil
		if crashed = !inst.stopping && !s.stopping && !sl.stopped && !sl.removed; !crashed {
			sl.set("stopped", "", now)
		}
	case sl.successor:
		sl.successor = nil
	default:
		sl.draining = slices.DeleteFunc(sl.draining, func(i *instance) bool { return i == inst })
	}
	if sl.removed && len(sl.instances()) == 0 {
		s.slots = slices.DeleteFunc(s.slots, func(other *slot) bool { return other == sl })
	}
	orderly := inst.stopping
	paths := s.idlePathsLocked()
	s.mu.Unlock()
	s.removePaths(paths)
	s.reaper.again()
	if orderly {
		s.options.Log.Info("stopped", "process", inst.spec.Name, "pid", inst.r.pid, "how", inst.how)
	}
	s.event(Event{Kind: Ended, Name: inst.spec.Name, PID: inst.r.pid, Detail: inst.how})
	if crashed {
		lasted := now.Sub(inst.began)
		permanent := inst.r.status.Exited() && inst.r.status.ExitStatus() == ExitConfig
		if inst.ready && lasted >= steadyAfter {
			s.mu.Lock()
			sl.failures = -1
			s.mu.Unlock()
		}
		s.failed(sl, inst.how, permanent, lasted)
	}
	close(inst.gone)
	s.mu.Lock()
	s.doneLocked()
	s.mu.Unlock()
}

// idlePathsLocked are the paths of UNIX sockets that are closed and that no draining process serves on any more.
func (s *Supervisor) idlePathsLocked() (paths []string) {
	if len(s.paths) == 0 || slices.ContainsFunc(s.slots, func(sl *slot) bool { return len(sl.draining) > 0 }) {
		return nil
	}
	paths, s.paths = s.paths, nil
	return paths
}

func (s *Supervisor) removePaths(paths []string) {
	for _, path := range paths {
		if err := removePath(path); err != nil {
			s.options.Log.Warn("removing a UNIX socket that is not used any more", "error", err)
		}
	}
}

// failed arranges the next start of a process that crashed or could not be started, or fails the server's start.
func (s *Supervisor) failed(sl *slot, how string, permanent bool, lasted time.Duration) {
	s.mu.Lock()
	sl.failures++
	if !s.begun && !sl.everReady && (permanent || sl.failures >= startAttempts) {
		sl.set("stopped", how, s.options.Now())
		err := startError(sl.spec, how)
		s.mu.Unlock()
		select {
		case s.fail <- err:
		default: // the first ones are enough
		}
		return
	}
	pause := backoff(sl.failures)
	state := "waiting"
	if sl.failures >= startAttempts {
		state = "crashing"
		how = fmt.Sprintf("%s, %d times in a row", how, sl.failures)
	}
	sl.set(state, how, s.options.Now())
	cancel := make(chan struct{})
	sl.waiting = cancel
	s.mu.Unlock()
	log := s.options.Log.With("process", sl.spec.Name)
	if state == "crashing" {
		log.Error("the process crashes again and again: it "+how+"; starting it again", "after", pause, "log", sl.spec.LogFile)
	} else {
		log.Warn("the process "+how+"; starting it again", "after", pause, "it ran", lasted)
	}
	s.event(Event{Kind: Restarting, Name: sl.spec.Name, Pause: pause, Detail: how})
	go func() {
		if pause > 0 {
			select {
			case <-s.options.After(pause):
			case <-cancel:
				return
			case <-s.stop:
				return
			}
		}
		s.mu.Lock()
		wanted := sl.waiting == cancel
		if wanted {
			sl.restarts++
		}
		s.mu.Unlock()
		if wanted {
			s.launch(sl)
		}
	}()
}

// backoff is the pause before a process is started again after so many failures in a row.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	pause := shortestPause
	for n := 1; n < failures && pause < longestPause; n++ {
		pause *= 2
	}
	return min(pause, longestPause)
}

// startError says why a start failed, with the end of the process's log.
func startError(spec Spec, how string) error {
	return fmt.Errorf("%s could not be started: it %s%s", spec.Name, how, lastWords(spec))
}

// lastWords is the end of a process's log, for a message.
func lastWords(spec Spec) string {
	if spec.LogFile == "" {
		return ""
	}
	message := "; its log is " + spec.LogFile
	if tail := tailOf(spec.LogFile, 10); tail != "" {
		message += ", which ends with\n" + tail
	}
	return message
}

// stopLocked begins to stop an instance: SIGTERM, and SIGKILL after its time. One that drains because a successor serves
// has the time from when it last said that it still moves bytes.
func (s *Supervisor) stopLocked(inst *instance, drains bool) {
	if inst.stopping {
		return
	}
	inst.stopping, inst.drains, inst.since = true, drains, s.options.Now()
	if inst.slot.current == inst {
		inst.slot.set("stopping", "", inst.since)
	}
	inst.r.signal(syscall.SIGTERM)
	go s.awaitStop(inst, drains, s.options.DrainLimit)
}

// awaitStop waits for the end of an instance that was told to stop, and kills it when its time is over. most bounds how
// long one that drains may move bytes.
func (s *Supervisor) awaitStop(inst *instance, drains bool, most time.Duration) {
	limit := inst.spec.stopTimeout()
	log := s.options.Log.With("process", inst.spec.Name, "pid", inst.r.pid)
	timer := s.options.After(limit)
	var whole <-chan time.Time
	var busy, stop chan struct{}
	if drains {
		whole, busy, stop = s.options.After(most), inst.r.busy, s.stop
	}
	for waiting := true; waiting; {
		select {
		case <-inst.r.ended:
			return
		case <-busy:
			timer = s.options.After(limit)
		case <-stop: // everything stops: now the ordinary time holds
			busy, stop, whole = nil, nil, nil
			timer = s.options.After(limit)
		case <-timer:
			log.Warn("the process did not stop in time and is killed", "limit", limit)
			waiting = false
		case <-whole:
			log.Warn("the process still moves bytes and is killed", "limit", most)
			waiting = false
		case <-inst.giveUp:
			waiting = false
		case <-s.kill:
			waiting = false
		}
	}
	s.event(Event{Kind: Killed, Name: inst.spec.Name, PID: inst.r.pid})
	inst.r.signal(syscall.SIGKILL)
	select {
	case <-inst.r.ended:
	case <-s.options.After(killGrace):
		log.Warn("the process was killed and has not ended: it waits for a device or a network file system")
	}
}
