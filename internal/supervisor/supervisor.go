package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Defaults and rules of starting again.
const (
	defaultReadyTimeout = 5 * time.Minute
	defaultStopTimeout  = 65 * time.Second
	// A process that ran this long before it crashed is started again at once.
	steadyAfter = 10 * time.Second
	// Otherwise the pauses grow from shortestPause to longestPause.
	shortestPause = 500 * time.Millisecond
	longestPause  = 30 * time.Second
	// A process that has never been ready and fails this often makes the start fail.
	startAttempts = 3
	killGrace     = 5 * time.Second // how long the kernel gets to end a killed process before that is logged
)

// EventKind says what happened to a process.
type EventKind string

// What happens to processes.
const (
	Started    EventKind = "started"    // it has a process id
	Ready      EventKind = "ready"      // it serves
	Ended      EventKind = "ended"      // Detail says how
	Restarting EventKind = "restarting" // after Pause
	Killed     EventKind = "killed"     // it did not become ready, or did not stop, in time
	AllReady   EventKind = "all ready"  // every process has been ready at least once; Name is empty
	Stopping   EventKind = "stopping"   // the stop has begun; Name is empty
	Reaped     EventKind = "reaped"     // an orphan that had come to this process was collected; Name is empty
)

// Event is something that happened; see [Options.OnEvent].
type Event struct {
	Kind   EventKind
	Name   string
	PID    int
	Pause  time.Duration
	Detail string
}

// Options say how a [Supervisor] works.
type Options struct {
	Specs []Spec
	// Log is the supervisor's own log.
	Log *slog.Logger
	// OnEvent is told what happens, one event at a time; it must not block. It may be nil.
	OnEvent func(Event)
	// Now and After are the clock; nil is the real one.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Status is the state of one process.
type Status struct {
	Name     string
	PID      int       // 0 while it does not run
	State    string    // "starting", "ready", "waiting" (to be started again), "stopping" or "stopped"
	Since    time.Time // of the state
	Restarts int       // starts after the first
}

// Supervisor keeps processes running. It is used for one Run.
type Supervisor struct {
	options Options

	reaper *reaper

	stop chan struct{} // closed: stop gracefully
	kill chan struct{} // closed: stop at once
	fail chan error    // a process that cannot be started

	eventMu sync.Mutex

	mu       sync.Mutex
	statuses []Status
	ready    map[string]bool // those that were ready at least once
}

// New prepares a supervisor.
func New(options Options) *Supervisor {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.After == nil {
		options.After = time.After
	}
	s := &Supervisor{options: options, stop: make(chan struct{}), kill: make(chan struct{}), fail: make(chan error, len(options.Specs)), ready: map[string]bool{}}
	for _, spec := range options.Specs {
		s.statuses = append(s.statuses, Status{Name: spec.Name, State: "stopped", Since: options.Now()})
	}
	return s
}

// Statuses returns the state of every process, in the order of the specs.
func (s *Supervisor) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Status{}, s.statuses...)
}

// Run starts the processes and keeps them running until ctx ends or a signal arrives; then it stops them and returns
// when the last one has ended. The first SIGTERM or SIGINT stops gracefully, a second one at once. SIGHUP is ignored, so
// that closing the terminal does not tear the processes apart. signals may be nil.
//
// The error is nil after a stop that was asked for, and says what to do when a process cannot be started.
func (s *Supervisor) Run(ctx context.Context, signals <-chan os.Signal) error {
	if len(s.options.Specs) == 0 {
		return errors.New("there is no process to run")
	}
	// The write end stays with this process alone. When it dies, however it dies, every child reads an end of file.
	aliveRead, aliveWrite, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making the processes' pipe: %w", err)
	}
	defer aliveRead.Close()
	defer aliveWrite.Close()
	alive := int(aliveRead.Fd())

	s.reaper = startReaper(s.options.Log, s.isChild, func(pid int) { s.event(Event{Kind: Reaped, PID: pid}) })
	defer s.reaper.stop()

	var all sync.WaitGroup
	for i := range s.options.Specs {
		all.Go(func() { s.keep(i, alive) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()

	var failure error
	stopping, killing := false, false
	begin := func(why string) {
		if !stopping {
			stopping = true
			s.options.Log.Info("stopping", "because", why)
			s.event(Event{Kind: Stopping, Detail: why})
			close(s.stop)
		}
	}
	cancelled := ctx.Done()
	for {
		select {
		case <-done:
			if failure == nil && !stopping {
				failure = <-s.fail
			}
			return failure
		case <-cancelled:
			cancelled = nil
			begin("it was told to")
		case err := <-s.fail:
			if failure == nil {
				failure = err
			}
			begin("a process cannot be started")
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				continue
			}
			if stopping && !killing {
				killing = true
				s.options.Log.Warn("stopping at once", "signal", sig.String())
				close(s.kill)
			}
			begin(sig.String())
		}
	}
}

// isChild tells whether a process id is one of ours.
func (s *Supervisor) isChild(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.statuses {
		if st.PID == pid {
			return true
		}
	}
	return false
}

func (s *Supervisor) event(e Event) {
	if s.options.OnEvent == nil {
		return
	}
	s.eventMu.Lock()
	defer s.eventMu.Unlock()
	s.options.OnEvent(e)
}

func (s *Supervisor) setState(i int, state string, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.statuses[i]
	st.State, st.PID, st.Since = state, pid, s.options.Now()
}

// keep runs one process, and again when it crashes, until the stop.
func (s *Supervisor) keep(i, alive int) {
	spec := s.options.Specs[i]
	log := s.options.Log.With("process", spec.Name)
	defer s.setState(i, "stopped", 0)
	failures := 0 // in a row, each soon after the start
	for attempt := 0; ; attempt++ {
		if attempt > 0 {
			s.mu.Lock()
			s.statuses[i].Restarts++
			s.mu.Unlock()
		}
		began := s.options.Now()
		how, wasReady, permanent := s.once(i, spec, alive, log)
		if s.isStopping() {
			return
		}
		lasted := s.options.Now().Sub(began)
		if wasReady && lasted >= steadyAfter {
			failures = 0
		} else {
			failures++
		}
		if !s.everReady(spec.Name) && (permanent || failures >= startAttempts) {
			s.fail <- startError(spec, how)
			return
		}
		pause := backoff(failures)
		log.Warn("the process "+how+"; starting it again", "after", pause, "it ran", lasted)
		s.event(Event{Kind: Restarting, Name: spec.Name, Pause: pause, Detail: how})
		if pause > 0 {
			s.setState(i, "waiting", 0)
			select {
			case <-s.options.After(pause):
			case <-s.stop:
				return
			}
		}
	}
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
	message := fmt.Sprintf("%s could not be started: it %s", spec.Name, how)
	if spec.LogFile != "" {
		message += "; its log is " + spec.LogFile
		if tail := tailOf(spec.LogFile, 10); tail != "" {
			message += ", which ends with\n" + tail
		}
	}
	return errors.New(message)
}

func (s *Supervisor) isStopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *Supervisor) everReady(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready[name]
}

// becameReady notes a process that serves, and tells whether it was the last one that was missing.
func (s *Supervisor) becameReady(name string) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready[name] {
		return false
	}
	s.ready[name] = true
	return len(s.ready) == len(s.options.Specs)
}

// once runs one process from its start to its end. permanent means that starting it again with the same configuration is
// of no use.
func (s *Supervisor) once(i int, spec Spec, alive int, log *slog.Logger) (how string, wasReady, permanent bool) {
	if s.isStopping() {
		return "was not started", false, false
	}
	// Starting and noting the id is one step for isChild.
	s.mu.Lock()
	r, err := start(spec, alive)
	if err == nil {
		st := &s.statuses[i]
		st.State, st.PID, st.Since = "starting", r.pid, s.options.Now()
	}
	s.mu.Unlock()
	if err != nil {
		log.Error("the process cannot be started", "error", err)
		return "cannot be started: " + err.Error(), false, false
	}
	log.Info("started", "pid", r.pid)
	s.event(Event{Kind: Started, Name: spec.Name, PID: r.pid})

	readyTimeout := spec.ReadyTimeout
	if readyTimeout == 0 {
		readyTimeout = defaultReadyTimeout
	}
	ready, late := r.ready, s.options.After(readyTimeout)
	killedBecause := ""
	serves := func() {
		ready, late, wasReady = nil, nil, true
		s.setState(i, "ready", r.pid)
		log.Info("ready", "pid", r.pid)
		s.event(Event{Kind: Ready, Name: spec.Name, PID: r.pid})
		if s.becameReady(spec.Name) {
			s.event(Event{Kind: AllReady})
		}
	}
	for running := true; running; {
		select {
		case <-ready:
			serves()
		case <-late:
			late = nil
			killedBecause = fmt.Sprintf("was not ready within %v and was killed", readyTimeout)
			log.Error("the process is not ready in time and is killed", "pid", r.pid, "limit", readyTimeout)
			s.event(Event{Kind: Killed, Name: spec.Name, PID: r.pid})
			r.signal(syscall.SIGKILL)
		case <-s.stop:
			s.setState(i, "stopping", r.pid)
			s.stopProcess(spec, r, log)
			running = false
		case <-r.ended:
			running = false
		}
	}
	<-r.ended
	s.reaper.again()
	select {
	case <-ready: // it was ready and ended at once
		if !s.isStopping() {
			serves()
		}
	default:
	}
	how = describe(r.status)
	if killedBecause != "" {
		how = killedBecause
	}
	if s.isStopping() {
		log.Info("stopped", "pid", r.pid, "how", how)
	}
	s.setState(i, "stopped", 0)
	s.event(Event{Kind: Ended, Name: spec.Name, PID: r.pid, Detail: how})
	return how, wasReady, r.status.Exited() && r.status.ExitStatus() == ExitConfig
}

// stopProcess ends a process: SIGTERM, and SIGKILL after its time or at once when that is asked for.
func (s *Supervisor) stopProcess(spec Spec, r *running, log *slog.Logger) {
	timeout := spec.StopTimeout
	if timeout == 0 {
		timeout = defaultStopTimeout
	}
	r.signal(syscall.SIGTERM)
	select {
	case <-r.ended:
		return
	case <-s.kill:
	case <-s.options.After(timeout):
		log.Warn("the process did not stop in time and is killed", "pid", r.pid, "limit", timeout)
	}
	s.event(Event{Kind: Killed, Name: spec.Name, PID: r.pid})
	r.signal(syscall.SIGKILL)
	select {
	case <-r.ended:
	case <-s.options.After(killGrace):
		log.Warn("the process was killed and has not ended: it waits for a device or a network file system", "pid", r.pid)
		<-r.ended
	}
}
