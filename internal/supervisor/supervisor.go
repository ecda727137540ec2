package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// Defaults and rules of starting again.
const (
	defaultDrainLimit = time.Hour
	// A process that ran this long before it crashed is started again at once.
	steadyAfter = 10 * time.Second
	// Otherwise the pauses grow from shortestPause to longestPause.
	shortestPause = 500 * time.Millisecond
	longestPause  = 30 * time.Second
	// A process that has never been ready and fails this often makes the start fail; later it is called a crash loop.
	startAttempts = 3
	killGrace     = 5 * time.Second // how long the kernel gets to end a killed process before that is logged
	memoryEvery   = 10 * time.Second
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
	Replaced   EventKind = "replaced"   // PID, which is ready, has taken over from Old, which drains
	AllReady   EventKind = "all ready"  // every process has been ready at least once; Name is empty
	Stopping   EventKind = "stopping"   // the stop has begun; Name is empty
	Reaped     EventKind = "reaped"     // an orphan that had come to this process was collected; Name is empty
	Taken      EventKind = "taken"      // a changed configuration serves now; Name is empty
	Resumed    EventKind = "resumed"    // this program has taken its predecessor's place; Name is empty
)

// Event is something that happened; see [Options.OnEvent].
type Event struct {
	Kind   EventKind
	Name   string
	PID    int
	Old    int
	Pause  time.Duration
	Detail string
}

// Options say how a [Supervisor] works.
type Options struct {
	// Wanted is what to run first.
	Wanted Wanted
	// Load reads the configuration anew, for reloads; nil takes none.
	Load func() (Wanted, error)
	// Name is the supervisor's, Version the program's, for reports.
	Name, Version string
	// RunDir has the control socket and the offers of processes; "" has none.
	RunDir string
	// Given are listeners that this process was started with.
	Given []*listen.Socket
	// Opened is called when the listeners are open and before anything is started or answered: for giving up privileges.
	Opened func() error
	// ServeOwn gets the sockets of Wanted.Own, at the start and whenever they change.
	ServeOwn func([]*listen.Socket)
	// Probe are the arguments with which the program on disk is asked whether it could take this one's place; it then says
	// so by [Child.Ready] and ends with status 0. With none, a graceful restart replaces the processes alone.
	Probe []string
	// Args are the arguments with which the program on disk takes this one's place; nil are those that it was started with.
	Args []string
	// Catch makes the signals arrive again at the channel that Run was given: they are ignored at the moment of the exec, and
	// one that fails brings them back. Without it they are not ignored.
	Catch func()
	// Extra is the caller's own, for whoever takes this program's place.
	Extra json.RawMessage
	// Keep are files that stay open for it, as [State.Kept].
	Keep []*os.File
	// State is what this program's predecessor handed over; see [Inherited].
	State *State
	// DrainLimit is [Wanted.DrainLimit] until a configuration is read.
	DrainLimit time.Duration
	// Log is the supervisor's own log; Reopen, which may be nil, opens it anew.
	Log    *slog.Logger
	Reopen func() error
	// OnEvent is told what happens, one event at a time; it must not block. It may be nil.
	OnEvent func(Event)
	// Now and After are the clock; nil is the real one.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Memory tells how much a process uses, in bytes; nil asks the kernel.
	Memory func(pid int) int64
}

// Supervisor keeps processes running. It is used for one Run.
type Supervisor struct {
	options Options
	program string // stamp of the program that this process was started from

	reaper    *reaper
	control   *control
	sockets   *sockets
	adopted   *Adopted
	aliveRead *os.File // what every child gets: it reads an end of file there when this process dies
	aliveEnd  *os.File // the other end, which nobody else has

	stop  chan struct{} // closed: stop gracefully
	kill  chan struct{} // closed: stop at once
	fail  chan error    // a process that cannot be started
	done  chan struct{} // closed: the last process has ended after the stop
	queue chan *task

	eventMu sync.Mutex

	mu        sync.Mutex
	since     time.Time
	slots     []*slot
	live      int          // instances that run
	others    map[int]bool // further children, probes
	stopping  bool
	begun     bool // every process has been ready once
	signals   map[os.Signal]deployment.Action
	incoming  <-chan os.Signal
	pending   []os.Signal // that came while this program took its predecessor's place
	problem   string
	config    string
	files     *fileStamps
	own       []listen.Spec
	lastWords []*answer // of those who ordered the shutdown
	followers []func()  // what is to run for processes that were taken over
	paths     []string  // closed UNIX sockets whose paths draining processes may serve on
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
	if options.Memory == nil {
		options.Memory = memoryOf
	}
	if options.Name == "" {
		options.Name = "orrery"
	}
	s := &Supervisor{
		options: options, program: programStamp(""), sockets: newSockets(), others: map[int]bool{}, since: options.Now(),
		stop: make(chan struct{}), kill: make(chan struct{}), fail: make(chan error, 100), done: make(chan struct{}), queue: make(chan *task, 100),
	}
	if s.options.DrainLimit == 0 {
		s.options.DrainLimit = defaultDrainLimit
	}
	s.adopt(options.Wanted)
	for _, spec := range options.Wanted.Specs {
		s.slots = append(s.slots, s.newSlot(spec))
	}
	return s
}

// adopt notes what a configuration says of the supervisor itself.
func (s *Supervisor) adopt(w Wanted) {
	if w.DrainLimit > 0 {
		s.options.DrainLimit = w.DrainLimit
	}
	s.config, s.own, s.signals = w.Config, w.Own, w.Signals
	s.files = stampFiles(w.Files)
	if s.signals == nil {
		s.signals = map[os.Signal]deployment.Action{}
		for sig, action := range deployment.DefaultSignals() {
			s.signals[sig] = action
		}
	}
}

// Run starts the processes and keeps them running until ctx ends or it is told to stop, by a signal or an order; then it
// stops them and returns when the last one has ended. What signals mean, [Wanted.Signals] says; a second one that stops
// gracefully stops at once. signals may be nil.
//
// The error is nil after a stop that was asked for, and says what to do when a process cannot be started.
func (s *Supervisor) Run(ctx context.Context, signals <-chan os.Signal) (err error) {
	s.incoming = signals
	defer func() {
		for _, to := range s.lastWords {
			to.done(err)
		}
	}()
	resumed := s.options.State
	if resumed == nil && len(s.slots) == 0 && len(s.own) == 0 {
		return errors.New("there is no process to run")
	}
	if resumed != nil {
		err = s.resume(resumed)
	} else {
		err = s.open()
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	s.reaper = startReaper(s.options.Log, s.isChild, func(pid int) { s.event(Event{Kind: Reaped, PID: pid}) })
	defer s.reaper.stop()
	for _, f := range s.followers {
		go f()
	}
	if s.control != nil {
		s.control.serve(s, s.options.Log)
	}
	s.serveOwn()
	s.launchAll()
	quit := make(chan struct{})
	defer close(quit)
	go s.work(quit)
	go s.watchMemory(quit)
	if resumed != nil {
		s.event(Event{Kind: Resumed})
		for _, t := range resumed.tasks {
			s.enqueue(t)
		}
		for _, sig := range s.pending {
			s.signalled(sig)
		}
	}
	var failure error
	cancelled := ctx.Done()
	for {
		select {
		case <-s.done:
			return failure
		case <-cancelled:
			cancelled = nil
			s.begin("it was told to")
		case err := <-s.fail:
			if failure == nil {
				failure = err
			}
			s.begin("a process cannot be started")
		case sig := <-signals:
			s.signalled(sig)
		}
	}
}

// open prepares the first start: the name, the sockets of a supervisor that died, and all others.
func (s *Supervisor) open() (err error) {
	if s.options.RunDir != "" {
		if s.control, err = takeName(s.options.RunDir, s.options.Name); err != nil {
			return err
		}
		if s.adopted, err = Adopt(s.options.RunDir, s.options.Name); err != nil {
			return err
		}
		if n := len(s.adopted.Processes); n > 0 {
			s.options.Log.Warn("the last supervisor died; its processes serve until these are ready", "processes", n, "listeners", len(s.adopted.Sockets))
		}
		s.sockets.offer(s.adopted.Sockets, false)
	}
	s.sockets.offer(s.options.Given, true)
	if err := s.sockets.open(s.options.Wanted.listens()); err != nil {
		return err
	}
	s.sockets.keep(s.options.Wanted.listens())
	if s.options.Opened != nil {
		if err := s.options.Opened(); err != nil {
			return err
		}
	}
	if s.control != nil {
		if err := s.control.bind(); err != nil {
			return err
		}
	}
	// The write end stays with this process alone. When it dies, however it dies, every child reads an end of file.
	if s.aliveRead, s.aliveEnd, err = os.Pipe(); err != nil {
		return fmt.Errorf("making the processes' pipe: %w", err)
	}
	return nil
}

func (s *Supervisor) close() error {
	err := s.sockets.remove()
	s.mu.Lock()
	for _, path := range s.paths {
		err = errors.Join(err, removePath(path))
	}
	s.mu.Unlock()
	if s.options.ServeOwn != nil {
		s.options.ServeOwn(nil)
	}
	for _, f := range []*os.File{s.aliveRead, s.aliveEnd} {
		if f != nil {
			f.Close()
		}
	}
	// Those that a dead supervisor left go on if this one could not start.
	if s.adopted != nil {
		for _, conn := range s.adopted.conns {
			conn.Close()
		}
	}
	return errors.Join(err, s.control.close())
}

func (s *Supervisor) serveOwn() {
	if s.options.ServeOwn == nil {
		return
	}
	own, err := s.sockets.of(s.own)
	if err != nil {
		s.options.Log.Error("the supervisor's own sockets", "error", err)
		return
	}
	s.options.ServeOwn(own)
}

// signalled does what a signal means.
func (s *Supervisor) signalled(sig os.Signal) {
	s.mu.Lock()
	action, known := s.signals[sig]
	stopping := s.stopping
	s.mu.Unlock()
	log := s.options.Log.With("signal", sig.String())
	switch {
	case !known || action == deployment.Ignore:
		log.Debug("a signal that means nothing")
	case action == deployment.StopAtOnce, stopping && action == deployment.StopGracefully:
		log.Warn("stopping at once")
		s.begin(sig.String())
		s.killAll()
	case action == deployment.StopGracefully:
		s.begin(sig.String())
	case stopping:
		log.Info("the server is stopping; the signal is too late")
	case action == deployment.Reload:
		log.Info("restarting gracefully")
		s.enqueue(&task{order: Order{Verb: VerbGraceful}})
	case action == deployment.ReopenLogs:
		s.reopen(nil)
	}
}

// begin begins to stop everything.
func (s *Supervisor) begin(why string) {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return
	}
	s.stopping = true
	close(s.stop)
	var all []*instance
	for _, sl := range s.slots {
		if sl.current == nil {
			sl.set("stopped", "", s.options.Now())
		}
		all = append(all, sl.instances()...)
	}
	for _, inst := range all {
		s.stopLocked(inst, false)
	}
	s.doneLocked()
	s.mu.Unlock()
	s.options.Log.Info("stopping", "because", why)
	s.event(Event{Kind: Stopping, Detail: why})
}

// killAll ends all processes at once.
func (s *Supervisor) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.kill:
	default:
		close(s.kill)
	}
}

// doneLocked notes the end of the last process after the stop.
func (s *Supervisor) doneLocked() {
	if s.stopping && s.live == 0 {
		select {
		case <-s.done:
		default:
			close(s.done)
		}
	}
}

// isChild tells whether a process id is one of ours.
func (s *Supervisor) isChild(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.others[pid] {
		return true
	}
	return slices.ContainsFunc(s.slots, func(sl *slot) bool {
		return slices.ContainsFunc(sl.instances(), func(i *instance) bool { return i.r.pid == pid })
	})
}

func (s *Supervisor) event(e Event) {
	if s.options.OnEvent == nil {
		return
	}
	s.eventMu.Lock()
	defer s.eventMu.Unlock()
	s.options.OnEvent(e)
}

// Sockets returns the open listeners of a process, in its order.
func (s *Supervisor) Sockets(name string) []*listen.Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sl := range s.slots {
		if sl.spec.Name == name {
			out, err := s.sockets.of(sl.spec.Listen)
			if err != nil {
				return nil
			}
			return out
		}
	}
	return nil
}

// reopen opens the logs anew: this process's, and by SIGUSR1 those of the others.
func (s *Supervisor) reopen(to *answer) {
	var err error
	if s.options.Reopen != nil {
		err = s.options.Reopen()
	}
	s.mu.Lock()
	n := 0
	for _, sl := range s.slots {
		for _, inst := range sl.instances() {
			if inst.ready { // before that the signal would end it
				inst.r.signal(syscall.SIGUSR1)
				n++
			}
		}
	}
	s.mu.Unlock()
	if err != nil {
		s.options.Log.Error("the log cannot be opened anew", "error", err)
	} else {
		s.options.Log.Info("logs are opened anew", "processes", n)
		to.say(Progress{Message: "logs are opened anew"})
	}
	to.done(err)
}
