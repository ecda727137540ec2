package supervisor

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// envState is the environment variable by which a program learns of the memory file with its predecessor's state.
const envState = "ORRERY_STATE_FD"

// StateVersion is the format of what a supervisor hands over when it replaces itself. A program that knows another one
// refuses as a probe, and the old supervisor goes on.
const StateVersion = 1

// probeTimeout is how long a probe may take to read the configuration.
const probeTimeout = time.Minute

// State is what a supervisor hands over to the program that takes its place, by exec in the same process: its children
// stay its children, and all descriptors that are named here are open.
type State struct {
	saved savedState
	tasks []*task
}

type savedState struct {
	Version int                       `json:"version"`
	Since   time.Time                 `json:"since"`
	Extra   json.RawMessage           `json:"extra,omitempty"`
	Config  string                    `json:"config,omitempty"`
	Files   map[string]string         `json:"files,omitempty"` // path: hash
	Own     []listen.Spec             `json:"own,omitempty"`
	Signals map[int]deployment.Action `json:"signals"`
	Pending []int                     `json:"pending,omitempty"`
	Begun   bool                      `json:"begun"`
	Problem string                    `json:"problem,omitempty"`
	Alive   [2]int                    `json:"alive"`
	Control *savedControl             `json:"control,omitempty"`
	Sockets []savedSocket             `json:"sockets,omitempty"`
	Paths   []string                  `json:"paths,omitempty"`
	Slots   []savedSlot               `json:"slots"`
	Tasks   []savedTask               `json:"tasks,omitempty"`
	Keep    []int                     `json:"keep,omitempty"`
}

// savedTask is an order on its way; the first is the one for which the program is replaced.
type savedTask struct {
	Order    Order `json:"order"`
	AnswerFD int   `json:"answer_fd"` // -1 when nobody waits for the answer
}

type savedControl struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	Lock int    `json:"lock"`
	Sock int    `json:"sock"`
}

type savedSocket struct {
	Bind  string      `json:"bind"`
	Spec  listen.Spec `json:"spec"`
	FD    int         `json:"fd"`
	Given bool        `json:"given,omitempty"`
}

type savedSlot struct {
	Spec       Spec            `json:"spec"`
	Stopped    bool            `json:"stopped,omitempty"`
	Removed    bool            `json:"removed,omitempty"`
	EverReady  bool            `json:"ever_ready"`
	Failures   int             `json:"failures"`
	Restarts   int             `json:"restarts"`
	Generation int             `json:"generation"`
	Current    *savedInstance  `json:"current,omitempty"`
	Draining   []savedInstance `json:"draining,omitempty"`
}

type savedInstance struct {
	PID        int       `json:"pid"`
	Said       int       `json:"said"`
	Spec       Spec      `json:"spec"`
	Generation int       `json:"generation"`
	Began      time.Time `json:"began"`
	Since      time.Time `json:"since"`
	Ready      bool      `json:"ready"`
	Stopping   bool      `json:"stopping,omitempty"`
	Drains     bool      `json:"drains,omitempty"`
}

// Inherited reads what this program's predecessor handed over; nil when it was started in the ordinary way. It is called
// once, early, before anything is started from here.
func Inherited() (*State, error) {
	number := os.Getenv(envState)
	if number == "" {
		return nil, nil
	}
	if err := os.Unsetenv(envState); err != nil {
		return nil, err
	}
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("the predecessor's state is said to be in descriptor %q, which is no number from 3", number)
	}
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "state")
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the predecessor's state: %w", err)
	}
	st := &State{}
	if err := json.NewDecoder(f).Decode(&st.saved); err != nil {
		return nil, fmt.Errorf("reading the predecessor's state: %w", err)
	}
	if st.saved.Version != StateVersion {
		return nil, fmt.Errorf("the predecessor's state has the version %d, and this program knows %d", st.saved.Version, StateVersion)
	}
	for _, fd := range st.saved.descriptors() {
		syscall.CloseOnExec(fd)
	}
	return st, nil
}

// Extra is what the predecessor's [Options.Extra] was.
func (st *State) Extra() json.RawMessage { return st.saved.Extra }

// Signals are what signals meant to the predecessor.
func (st *State) Signals() map[os.Signal]deployment.Action {
	out := map[os.Signal]deployment.Action{}
	for n, action := range st.saved.Signals {
		out[syscall.Signal(n)] = action
	}
	return out
}

// Kept are the predecessor's [Options.Keep], in their order.
func (st *State) Kept() []*os.File {
	var out []*os.File
	for _, fd := range st.saved.Keep {
		out = append(out, os.NewFile(uintptr(fd), "kept"))
	}
	return out
}

// descriptors are all that stay open over the exec, without the state's own.
func (s *savedState) descriptors() []int {
	fds := append([]int{s.Alive[0], s.Alive[1]}, s.Keep...)
	if s.Control != nil {
		fds = append(fds, s.Control.Lock, s.Control.Sock)
	}
	for _, socket := range s.Sockets {
		fds = append(fds, socket.FD)
	}
	for _, sl := range s.Slots {
		if sl.Current != nil {
			fds = append(fds, sl.Current.Said)
		}
		for _, i := range sl.Draining {
			fds = append(fds, i.Said)
		}
	}
	for _, t := range s.Tasks {
		if t.AnswerFD >= 0 {
			fds = append(fds, t.AnswerFD)
		}
	}
	return fds
}

// probe asks the program on disk whether it could take this one's place with the configuration as it is.
func (s *Supervisor) probe() error {
	memory, err := unix.MemfdCreate("orrery-probe", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("making room for the probe's words: %w", err)
	}
	words := os.NewFile(uintptr(memory), "probe")
	defer words.Close()
	spec := Spec{Name: "probe", Args: s.options.Probe}
	s.mu.Lock()
	r, err := start(spec, started{alive: rawFD(s.aliveRead), output: memory, owner: s.options.Name})
	if err == nil {
		s.others[r.pid] = true
		defer func() {
			s.mu.Lock()
			delete(s.others, r.pid)
			s.mu.Unlock()
			s.reaper.again()
		}()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	late := false
	select {
	case <-r.ended:
	case <-s.stop:
		r.signal(syscall.SIGKILL)
		<-r.ended
		return errStopping
	case <-s.options.After(probeTimeout):
		late = true
		r.signal(syscall.SIGKILL)
		<-r.ended
	}
	select {
	case <-r.ready:
		if r.status.Exited() && r.status.ExitStatus() == 0 {
			return nil
		}
	default:
	}
	how := describe(r.status)
	if late {
		how = fmt.Sprintf("did not answer within %v", probeTimeout)
	}
	said := make([]byte, 8<<10)
	n, err := words.ReadAt(said, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	text := strings.TrimSpace(string(said[:n]))
	if text == "" {
		text = "it said nothing"
	}
	return fmt.Errorf("%s, asked whether it could take over, %s:\n%s", Program(), how, text)
}

// replaceSelf makes the program on disk take this one's place, in the same process. It returns only when that fails; the
// new program then goes on with the task.
func (s *Supervisor) replaceSelf(t *task) error {
	if err := s.probe(); err != nil {
		return fmt.Errorf("the restart is not taken, and all stays as it is: %w", err)
	}
	s.say(t, "", "the program and its configuration are fine; the supervisor replaces itself")
	err := s.execute(t)
	return fmt.Errorf("the supervisor cannot replace itself, and all stays as it is: %w", err)
}

func (s *Supervisor) execute(t *task) error {
	// From here on nothing may change: no process is started or collected, no line is written.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return errStopping
	}
	if t.to != nil {
		t.to.mu.Lock()
		defer t.to.mu.Unlock()
	}
	starting.Lock()
	defer starting.Unlock()
	for _, sl := range s.slots {
		for _, inst := range sl.instances() {
			inst.r.mu.Lock()
			defer inst.r.mu.Unlock()
		}
	}
	// Orders that wait are the new program's. A graceful restart that nobody waits for is this one.
	var waiting, dropped []*task
	for more := true; more; {
		select {
		case other := <-s.queue:
			if other.to != nil {
				other.to.mu.Lock()
				defer other.to.mu.Unlock()
				waiting = append(waiting, other)
			} else {
				dropped = append(dropped, other)
			}
		default:
			more = false
		}
	}
	saved := s.saveLocked(t, waiting)
	memory, err := unix.MemfdCreate("orrery-state", 0)
	if err != nil {
		return fmt.Errorf("making room for the state: %w", err)
	}
	file := os.NewFile(uintptr(memory), "state")
	defer file.Close()
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Signals that come while the programs change: SIGHUP and SIGINT are ignored until the new one listens, which reads the
	// configuration later than that anyway. SIGUSR1 and SIGUSR2 wait. SIGTERM and SIGQUIT, which Go's runtime does not
	// leave blocked, end the process in the few milliseconds until its first statement runs: that is a stop, if a hard one,
	// for the processes follow when they find themselves alone.
	var blocked, before unix.Sigset_t
	for _, sig := range caught(s.signals) {
		if n, ok := sig.(syscall.Signal); ok && n > 0 && n < 32 {
			blocked.Val[0] |= 1 << (n - 1)
		}
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		return err
	}
	defer setMask(&before)
	for more := true; more && s.incoming != nil; {
		select {
		case sig := <-s.incoming:
			if n, ok := sig.(syscall.Signal); ok {
				saved.Pending = append(saved.Pending, int(n))
			}
		default:
			more = false
		}
	}
	if s.options.Catch != nil {
		signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	}
	restore := func(err error) error {
		if s.options.Catch != nil {
			s.options.Catch()
		}
		for _, fd := range saved.descriptors() {
			syscall.CloseOnExec(fd)
		}
		for _, other := range slices.Concat(waiting, dropped) {
			s.enqueue(other)
		}
		for _, n := range saved.Pending {
			go s.signalled(syscall.Signal(n))
		}
		return err
	}
	if err := json.NewEncoder(file).Encode(saved); err != nil {
		return restore(fmt.Errorf("writing the state: %w", err))
	}
	for _, fd := range saved.descriptors() {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return restore(fmt.Errorf("keeping descriptor %d: %w", fd, err))
		}
	}
	env := mergeEnv(os.Environ(), []string{envState + "=" + strconv.Itoa(memory)})
	args := os.Args
	if s.options.Args != nil {
		args = append([]string{os.Args[0]}, s.options.Args...)
	}
	err = syscall.Exec(Program(), args, env) //nolint:gosec // this same program, with its own arguments
	return restore(fmt.Errorf("%s: %w", Program(), err))
}

// saveLocked puts the state into words. Everything is locked.
func (s *Supervisor) saveLocked(t *task, waiting []*task) *savedState {
	saved := &savedState{Version: StateVersion, Since: s.since, Extra: s.options.Extra, Config: s.config, Files: map[string]string{}, Own: s.own,
		Signals: map[int]deployment.Action{}, Begun: s.begun, Problem: s.problem, Alive: [2]int{rawFD(s.aliveRead), rawFD(s.aliveEnd)},
		Paths: s.paths}
	for _, f := range s.options.Keep {
		saved.Keep = append(saved.Keep, rawFD(f))
	}
	for path, sum := range s.files.content {
		saved.Files[path] = hex.EncodeToString(sum[:])
	}
	for sig, action := range s.signals {
		if n, ok := sig.(syscall.Signal); ok {
			saved.Signals[int(n)] = action
		}
	}
	if s.control != nil {
		saved.Control = &savedControl{Name: s.control.name, Dir: s.control.dir, Lock: rawFD(s.control.lock), Sock: rawFD(s.control.sock)}
	}
	s.sockets.mu.Lock()
	for bind, h := range s.sockets.held {
		saved.Sockets = append(saved.Sockets, savedSocket{Bind: bind, Spec: h.socket.Spec, FD: h.socket.FD(), Given: h.given})
	}
	s.sockets.mu.Unlock()
	for _, sl := range s.slots {
		one := savedSlot{Spec: sl.spec, Stopped: sl.stopped, Removed: sl.removed, EverReady: sl.everReady, Failures: sl.failures,
			Restarts: sl.restarts, Generation: sl.generation}
		if sl.current != nil && !sl.current.r.collected {
			i := sl.current.saved()
			one.Current = &i
		}
		for _, inst := range sl.draining {
			if !inst.r.collected {
				one.Draining = append(one.Draining, inst.saved())
			}
		}
		saved.Slots = append(saved.Slots, one)
	}
	for _, t := range append([]*task{t}, waiting...) {
		one := savedTask{Order: t.order, AnswerFD: -1}
		if t.to != nil {
			if conn, ok := t.to.conn.(syscall.Conn); ok {
				one.AnswerFD = rawFD(conn)
			}
		}
		saved.Tasks = append(saved.Tasks, one)
	}
	return saved
}

func (i *instance) saved() savedInstance {
	return savedInstance{PID: i.r.pid, Said: rawFD(i.r.said), Spec: i.spec, Generation: i.generation, Began: i.began, Since: i.since,
		Ready: i.ready, Stopping: i.stopping, Drains: i.drains}
}

// resume takes over from this program's predecessor.
func (s *Supervisor) resume(st *State) error {
	saved := &st.saved
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.config, s.own, s.problem, s.begun, s.paths = saved.Since, saved.Config, saved.Own, saved.Problem, saved.Begun, saved.Paths
	s.files = &fileStamps{content: map[string][32]byte{}}
	for path, text := range saved.Files {
		var sum [32]byte
		if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
			return fmt.Errorf("the predecessor's state: %w", err)
		}
		s.files.content[path] = sum
	}
	s.signals = st.Signals()
	for _, n := range saved.Pending {
		s.pending = append(s.pending, syscall.Signal(n))
	}
	s.aliveRead, s.aliveEnd = os.NewFile(uintptr(saved.Alive[0]), "alive"), os.NewFile(uintptr(saved.Alive[1]), "alive")
	if c := saved.Control; c != nil {
		sock, err := listenerOf(c.Sock)
		if err != nil {
			return fmt.Errorf("taking the control socket over: %w", err)
		}
		s.control = &control{name: c.Name, dir: c.Dir, lock: os.NewFile(uintptr(c.Lock), "lock"), sock: sock}
	}
	byFD := map[int]*held{}
	for _, one := range saved.Sockets {
		h := byFD[one.FD]
		if h == nil {
			socket, err := takeSocket(one.FD, one.Spec)
			if err != nil {
				return fmt.Errorf("taking the socket for %s over: %w", one.Bind, err)
			}
			h = &held{socket: socket, given: one.Given}
			byFD[one.FD] = h
		}
		s.sockets.held[one.Bind] = h
	}
	s.slots = nil
	for _, one := range saved.Slots {
		sl := s.newSlot(one.Spec)
		sl.stopped, sl.removed, sl.everReady, sl.failures = one.Stopped, one.Removed, one.EverReady, one.Failures
		sl.restarts, sl.generation = one.Restarts, one.Generation
		s.slots = append(s.slots, sl)
		if one.Current != nil {
			sl.current = s.follow(sl, one.Current)
			state := "starting"
			if sl.current.ready {
				state = "ready"
			}
			sl.set(state, "", sl.current.since)
			if one.Current.Stopping {
				s.goOnStopping(sl.current, false)
			}
		}
		for _, i := range one.Draining {
			inst := s.follow(sl, &i)
			sl.draining = append(sl.draining, inst)
			s.goOnStopping(inst, i.Drains)
		}
	}
	for i, one := range saved.Tasks {
		t := &task{order: one.Order, resumed: i == 0}
		st.tasks = append(st.tasks, t)
		if one.AnswerFD >= 0 {
			f := os.NewFile(uintptr(one.AnswerFD), "answer")
			conn, err := net.FileConn(f)
			f.Close()
			if err == nil { // else whoever asked is gone
				t.to = &answer{conn: conn}
			}
		}
	}
	return nil
}

// listenerOf makes a listener of a descriptor.
func listenerOf(fd int) (*net.UnixListener, error) {
	f := os.NewFile(uintptr(fd), "control")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, errors.New("it is no UNIX socket")
	}
	u.SetUnlinkOnClose(false)
	return u, nil
}

// follow takes a child over.
func (s *Supervisor) follow(sl *slot, saved *savedInstance) *instance {
	r := follow(saved.PID, os.NewFile(uintptr(saved.Said), "supervisor"), saved.Ready)
	inst := s.instanceOf(sl, saved.Spec, r)
	inst.generation, inst.began, inst.since, inst.ready = saved.Generation, saved.Began, saved.Since, saved.Ready
	if inst.ready {
		close(inst.serves)
	}
	s.followers = append(s.followers, func() { s.watch(inst, saved.Spec.readyTimeout()) })
	return inst
}

// goOnStopping counts the time of a process that has been told to stop.
func (s *Supervisor) goOnStopping(inst *instance, drains bool) {
	inst.stopping, inst.drains = true, drains
	left := max(0, s.options.DrainLimit-s.options.Now().Sub(inst.since))
	s.followers = append(s.followers, func() { s.awaitStop(inst, drains, left) })
}

// removePath removes the path of a UNIX socket on which nobody serves any more.
func removePath(path string) error {
	var err error
	for _, p := range []string{path, path + ".lock"} {
		if e := os.Remove(p); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// CatchSignals makes a channel of the signals that may mean something to a supervisor.
func CatchSignals(also map[os.Signal]deployment.Action) chan os.Signal {
	c := earlySignals
	if c == nil {
		c = make(chan os.Signal, 16)
	}
	CatchAgain(c, also)
	return c
}

// CatchAgain makes the signals arrive at the channel of [CatchSignals] again, and others that may mean something by now.
func CatchAgain(c chan<- os.Signal, also map[os.Signal]deployment.Action) {
	signal.Notify(c, caught(also)...)
}

// earlySignals catches signals as early as can be in a program that takes its predecessor's place.
var earlySignals = func() chan os.Signal {
	if os.Getenv(envState) == "" {
		return nil
	}
	c := make(chan os.Signal, 16)
	signal.Notify(c, caught(nil)...)
	return c
}()

// caught are the signals that a supervisor does not leave to the system.
func caught(also map[os.Signal]deployment.Action) []os.Signal {
	out := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
	for sig := range also {
		out = append(out, sig)
	}
	return out
}
