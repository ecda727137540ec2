package supervisor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// configuration is what a supervisor under test reads.
type configuration struct {
	mu     sync.Mutex
	wanted Wanted
	err    error
}

func (c *configuration) set(err error, specs ...Spec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted, c.err = Wanted{Specs: specs}, err
}

func (c *configuration) load() (Wanted, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Wanted{Specs: slices.Clone(c.wanted.Specs)}, c.err
}

// reloading runs a supervisor with a control socket and a configuration that can change.
func reloading(t *testing.T, elapse func(time.Duration) bool, specs ...Spec) (*harness, *configuration, *Client) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	c := &configuration{}
	c.set(nil, specs...)
	h := runWith(t, elapse, func(o *Options) { o.RunDir, o.Load, o.Name = dir, c.load, "orrery" }, specs...)
	h.wait(AllReady)
	clients, err := Dial(dir)
	if err != nil || len(clients) != 1 || clients[0].Name != "orrery" {
		t.Fatalf("Dial: %v, %v", clients, err)
	}
	return h, c, clients[0]
}

// do gives an order and returns what was said.
func do(t *testing.T, c *Client, order Order) (said []string, err error) {
	t.Helper()
	err = c.Do(t.Context(), order, func(p Progress) {
		said = append(said, strings.TrimSpace(p.Process+": "+p.Message))
	})
	return said, err
}

func must(t *testing.T, c *Client, order Order) []string {
	t.Helper()
	said, err := do(t, c, order)
	if err != nil {
		t.Fatalf("%v: %v\n%s", order, err, strings.Join(said, "\n"))
	}
	return said
}

// state is a process in a report, without those that drain.
func state(t *testing.T, c *Client, name string) ProcessReport {
	t.Helper()
	r, err := c.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Processes {
		if p.Name == name && p.State != "draining" {
			return p
		}
	}
	return ProcessReport{}
}

func problem(t *testing.T, c *Client) string {
	t.Helper()
	r, err := c.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Problem
}

// clients connect without a pause until stopped, and give the number of answers and the failures.
func connecting(t *testing.T, a listen.Address) (stop func() (answers int, failures []error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		answers  int
		failures []error
	}
	done := make(chan result)
	go func() {
		var r result
		for ctx.Err() == nil {
			c, err := net.Dial(a.Network, a.Name)
			if err == nil {
				var n int
				buffer := make([]byte, 16)
				n, err = c.Read(buffer)
				if n > 0 {
					err = nil
				}
				c.Close()
			}
			if err != nil {
				r.failures = append(r.failures, err)
			} else {
				r.answers++
			}
		}
		done <- r
	}()
	return func() (int, []error) {
		cancel()
		r := <-done
		return r.answers, r.failures
	}
}

func TestGracefulRestart(t *testing.T) {
	web, handler := spec(t, "main.1", "serve"), spec(t, "handler_0", "serve")
	web.Kind, handler.Kind = deployment.Web, deployment.Handler
	web.Listen = []listen.Spec{{Bind: "127.0.0.1:0", Protocol: listen.HTTP}}
	h, _, c := reloading(t, never, web, handler)
	before := state(t, c, "main.1")
	stop := connecting(t, h.address("main.1"))
	for range 3 {
		must(t, c, Order{Verb: VerbGraceful})
	}
	answers, failures := stop()
	if len(failures) > 0 || answers == 0 {
		t.Errorf("%d answers, %d failures, the first is %v", answers, len(failures), failures)
	}
	after := state(t, c, "main.1")
	if after.PID == before.PID || after.State != "ready" || after.Generation != 3 || after.Restarts != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	must(t, c, Order{Verb: VerbGraceful, Names: []string{"handlers"}})
	if now := state(t, c, "main.1"); now.PID != after.PID {
		t.Errorf("a restart of the handlers replaced the web worker: %+v", now)
	}
	if got := state(t, c, "handler_0").Generation; got != 4 {
		t.Errorf("the handler was replaced %d times, want 4", got)
	}
	if _, err := do(t, c, Order{Verb: VerbGraceful, Names: []string{"nobody"}}); err == nil || !strings.Contains(err.Error(), "there is no process, group or service named nobody; the processes are main.1, handler_0") {
		t.Errorf("an unknown name: %v", err)
	}
	if h.signals <- syscall.SIGHUP; h.wait(Replaced).Name == "" {
		t.Error("SIGHUP replaces nothing")
	}
	h.wait(Taken)
	h.stop()
	noChildren(t)
}

func TestUpdateTouchesWhatChanged(t *testing.T) {
	same, other, old := spec(t, "main.1", "serve"), spec(t, "main.2", "serve"), spec(t, "main.3", "serve")
	path := filepath.Join(t.TempDir(), "s")
	old.Listen = []listen.Spec{{Bind: path, Protocol: listen.HTTP}}
	h, config, c := reloading(t, never, same, other, old)
	first, second := state(t, c, "main.1"), state(t, c, "main.2")
	changed, added := other, spec(t, "handler_0", "serve")
	changed.Stamp = "other files"
	config.set(nil, same, changed, added)

	said := must(t, c, Order{Verb: VerbUpdate, DryRun: true})
	want := []string{"main.1: unchanged", "main.2: replace changed: files that it reads", "handler_0: start the configuration asks for it now", "main.3: stop nothing asks for it any more"}
	if !slices.Equal(said, want) {
		t.Errorf("would do %q, want %q", said, want)
	}
	if state(t, c, "handler_0").PID != 0 || state(t, c, "main.2").PID != second.PID {
		t.Error("a dry run has done something")
	}
	must(t, c, Order{Verb: VerbUpdate})
	// The last of those that drain takes the path of a socket with it that nobody has any more.
	for left := []string{"main.2", "main.3"}; len(left) > 0; {
		ended := h.wait(Ended).Name
		left = slices.DeleteFunc(left, func(name string) bool { return name == ended })
	}
	if now := state(t, c, "main.1"); now.PID != first.PID {
		t.Errorf("main.1 was replaced: %+v", now)
	}
	if now := state(t, c, "main.2"); now.PID == second.PID || now.Generation != 1 {
		t.Errorf("main.2: %+v", now)
	}
	if now := state(t, c, "handler_0"); now.State != "ready" {
		t.Errorf("handler_0: %+v", now)
	}
	if now := state(t, c, "main.3"); now.PID != 0 {
		t.Errorf("main.3: %+v", now)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of main.3: %v", err)
	}
	if said := must(t, c, Order{Verb: VerbUpdate}); !slices.Equal(said, []string{": nothing changes"}) {
		t.Errorf("once more: %q", said)
	}
	h.stop()
	noChildren(t)
}

func TestWhatCannotBeTakenLeavesTheOldOnes(t *testing.T) {
	socket, err := listen.Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	web := spec(t, "main.1", "serve")
	web.Listen = []listen.Spec{{Bind: "127.0.0.1:0", Protocol: listen.HTTP}}
	wrong, mute, taken := web, web, web
	wrong.Env, wrong.LogFile = spec(t, "", "wrong configuration").Env, filepath.Join(t.TempDir(), "wrong.log")
	mute.Env, mute.RestartTimeout = spec(t, "", "mute").Env, 11*time.Minute
	taken.Listen = []listen.Spec{{Bind: socket.Address.String(), Protocol: listen.HTTP, At: "galaxy.yml:7"}}
	h, config, c := reloading(t, func(d time.Duration) bool { return d == mute.RestartTimeout }, web)
	before := state(t, c, "main.1")
	for name, try := range map[string]struct {
		err   error
		spec  Spec
		words []string
	}{
		"does not load":     {errors.New("galaxy.yml:3: what is this"), web, []string{"the configuration cannot be taken, and all stays as it is: galaxy.yml:3: what is this"}},
		"is refused":        {nil, wrong, []string{"the old processes go on", "it ended with status 78", "which ends with\ngalaxy.yml:3: what is this"}},
		"is never ready":    {nil, mute, []string{"the old processes go on", "was not ready within 11m0s and was killed"}},
		"an address in use": {nil, taken, []string{"galaxy.yml:7", "another program listens there"}},
	} {
		config.set(try.err, try.spec, spec(t, "handler_0", "serve"))
		_, err := do(t, c, Order{Verb: VerbGraceful})
		for _, words := range try.words {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := problem(t, c); err != nil && got != err.Error() {
			t.Errorf("%s: the report says %q", name, got)
		}
		if now := state(t, c, "main.1"); now.PID != before.PID || now.State != "ready" || ask(t, h.address("main.1")) != before.PID {
			t.Errorf("%s: %+v", name, now)
		}
	}
	config.set(nil, web)
	must(t, c, Order{Verb: VerbGraceful})
	if got := problem(t, c); got != "" {
		t.Errorf("the report still says %q", got)
	}
	h.stop()
	noChildren(t)
}

func TestStopStartRestart(t *testing.T) {
	web, handler := spec(t, "main.1", "serve"), spec(t, "handler_0", "serve")
	web.Kind, handler.Kind, handler.Group = deployment.Web, deployment.Handler, "handler"
	h, _, c := reloading(t, never, web, handler)
	before := state(t, c, "main.1")
	said := must(t, c, Order{Verb: VerbStop, Names: []string{"handler"}})
	if now := state(t, c, "handler_0"); now.State != "stopped" || now.PID != 0 || !slices.Equal(said, []string{"handler_0: stopped: it ended with status 0"}) {
		t.Errorf("stopped: %+v, %q", now, said)
	}
	must(t, c, Order{Verb: VerbGraceful})
	if now := state(t, c, "handler_0"); now.State != "stopped" {
		t.Errorf("a graceful restart starts what was stopped: %+v", now)
	}
	if now := state(t, c, "main.1"); now.PID == before.PID {
		t.Errorf("it was not replaced: %+v", now)
	}
	must(t, c, Order{Verb: VerbStart})
	if now := state(t, c, "handler_0"); now.State != "ready" {
		t.Errorf("started: %+v", now)
	}
	before = state(t, c, "main.1")
	must(t, c, Order{Verb: VerbRestart, Names: []string{"gunicorn"}})
	if now := state(t, c, "main.1"); now.PID == before.PID || now.State != "ready" || now.Restarts != 0 {
		t.Errorf("restarted: %+v", now)
	}
	must(t, c, Order{Verb: VerbStop})
	must(t, c, Order{Verb: VerbShutdown})
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := c.Report(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a report of nobody: %v", err)
	}
	noChildren(t)
}

// clock is a clock of the test's: timers of a given length fire when it says so.
type clock struct {
	mu     sync.Mutex
	timers map[time.Duration][]chan time.Time
	made   chan time.Duration
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := make(chan time.Time, 1)
	c.timers[d] = append(c.timers[d], timer)
	select {
	case c.made <- d:
	default:
	}
	return timer
}

// fire lets all timers of a length that were made so far elapse.
func (c *clock) fire(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, timer := range c.timers[d] {
		timer <- time.Time{}
	}
	c.timers[d] = nil
}

// await waits until a timer of a length is made.
func (c *clock) await(d time.Duration) {
	for made := range c.made {
		if made == d {
			return
		}
	}
}

func TestWhoMovesBytesIsNotKilled(t *testing.T) {
	const mercy = 17 * time.Minute
	path, _ := fifo(t)
	web := spec(t, "main.1", "busy")
	web.Env = append(web.Env, childFile+"="+path)
	web.StopTimeout = mercy
	config := &configuration{}
	config.set(nil, web)
	time17 := &clock{timers: map[time.Duration][]chan time.Time{}, made: make(chan time.Duration, 100000)}
	h := runWith(t, never, func(o *Options) { o.Load, o.After = config.load, time17.after }, web)
	h.wait(AllReady)
	h.signals <- syscall.SIGHUP
	first := h.wait(Replaced)
	// Each time that it says that bytes move, its time begins anew; only the last timer counts.
	for range 5 {
		time17.await(mercy)
	}
	time17.mu.Lock()
	old := time17.timers[mercy]
	time17.timers[mercy] = nil
	time17.mu.Unlock()
	for _, timer := range old[:len(old)-1] {
		timer <- time.Time{}
	}
	time17.await(mercy)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if e := h.wait(Ended); e.PID != first.Old || e.Detail != "ended with status 0" {
		t.Errorf("%+v, want the end of %d", e, first.Old)
	}
	// The next one moves nothing: a FIFO that nobody opens, and the limit for moving bytes is over.
	h.signals <- syscall.SIGHUP
	second := h.wait(Replaced)
	time17.await(defaultDrainLimit)
	time17.fire(defaultDrainLimit)
	if e := h.wait(Killed); e.PID != second.Old {
		t.Errorf("killed: %+v, want %d", e, second.Old)
	}
	h.signals <- syscall.SIGQUIT
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	noChildren(t)
}

func TestWhoMovesNothingIsKilled(t *testing.T) {
	web := spec(t, "main.1", "stubborn")
	web.StopTimeout = time.Hour + time.Minute
	config := &configuration{}
	config.set(nil, web)
	h := runWith(t, func(d time.Duration) bool { return d == web.StopTimeout }, func(o *Options) { o.Load = config.load }, web)
	h.wait(AllReady)
	h.signals <- syscall.SIGHUP
	replaced := h.wait(Replaced)
	if e := h.wait(Killed); e.PID != replaced.Old {
		t.Errorf("killed: %+v", e)
	}
	h.stop()
	noChildren(t)
}

func TestCrashLoopIsReportedAndStopsNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	web, bad := spec(t, "main.1", "serve"), spec(t, "handler_0", "crash later")
	bad.Env = append(bad.Env, childFile+"="+file)
	h, _, c := reloading(t, pausesOnlyUpTo(2*time.Second), web, bad)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(state(t, c, "handler_0").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	for range 4 {
		pauses = append(pauses, h.wait(Restarting).Pause)
	}
	if want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
	if now := state(t, c, "handler_0"); now.State != "crashing" || now.Detail != "ended with status 3, 4 times in a row" || now.Restarts != 3 {
		t.Errorf("%+v", now)
	}
	if now := state(t, c, "main.1"); now.State != "ready" || now.Restarts != 0 {
		t.Errorf("%+v", now)
	}
	if got := problem(t, c); !strings.HasPrefix(got, "handler_0 crashes again and again: it ended with status 3") {
		t.Errorf("the problem is %q", got)
	}
	if log := h.log.String(); !strings.Contains(log, "the process crashes again and again") {
		t.Errorf("log: %s", log)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	must(t, c, Order{Verb: VerbStart})
	if now := state(t, c, "handler_0"); now.State != "ready" {
		t.Errorf("started by hand: %+v", now)
	}
	h.stop()
	noChildren(t)
}

func pausesOnlyUpTo(most time.Duration) func(time.Duration) bool {
	return func(d time.Duration) bool { return d <= most }
}

func TestMemoryLimit(t *testing.T) {
	web, free := spec(t, "main.1", "serve"), spec(t, "main.2", "serve")
	web.MemoryLimit = 100 << 20
	uses := map[int]int64{}
	var mu sync.Mutex
	ticks := &clock{timers: map[time.Duration][]chan time.Time{}, made: make(chan time.Duration, 1000)}
	h := runWith(t, never, func(o *Options) {
		o.After = ticks.after
		o.Memory = func(pid int) int64 {
			mu.Lock()
			defer mu.Unlock()
			return uses[pid]
		}
	}, web, free)
	h.wait(AllReady)
	var first int
	mu.Lock()
	for _, p := range h.s.slots {
		uses[p.current.r.pid] = 100 << 20
		if p.spec.Name == "main.1" {
			first = p.current.r.pid
		}
	}
	mu.Unlock()
	ticks.await(memoryEvery)
	ticks.fire(memoryEvery)
	ticks.await(memoryEvery) // it was looked at, and nothing is to be done
	mu.Lock()
	for pid := range uses {
		uses[pid]++
	}
	mu.Unlock()
	ticks.fire(memoryEvery)
	if e := h.wait(Replaced); e.Name != "main.1" || e.Old != first {
		t.Errorf("%+v, want main.1 in place of %d", e, first)
	}
	h.wait(Ended)
	if log := h.log.String(); !strings.Contains(log, "uses more memory than it may") {
		t.Errorf("log: %s", log)
	}
	h.stop()
	noChildren(t)
}

func TestMemoryOfAProcess(t *testing.T) {
	if n := memoryOf(os.Getpid()); n < 1<<20 || n > 1<<32 {
		t.Errorf("this process uses %d bytes", n)
	}
	if n := memoryOf(1 << 30); n != 0 {
		t.Errorf("no process uses %d bytes", n)
	}
}

func TestChanges(t *testing.T) {
	base := Spec{Name: "a", Args: []string{"worker"}, Env: []string{"X=1", "Y=2"}, Listen: []listen.Spec{{Bind: ":1", At: "galaxy.yml:1"}}, Stamp: "s", Program: "p"}
	for why, change := range map[string]func(*Spec){
		"the program":         func(s *Spec) { s.Program = "q" },
		"its arguments":       func(s *Spec) { s.Args = []string{"worker", "--tag", "x"} },
		"its environment":     func(s *Spec) { s.Env = []string{"X=1"} },
		"its listeners":       func(s *Spec) { s.Listen = []listen.Spec{{Bind: ":2"}} },
		"files that it reads": func(s *Spec) { s.Stamp = "t" },
		"its folder":          func(s *Spec) { s.Dir = "/" },
		"its log":             func(s *Spec) { s.LogFile = "x" },
		"its umask":           func(s *Spec) { s.Umask = 0o77 },
		"":                    func(s *Spec) { s.StopTimeout, s.MemoryLimit, s.Env = 1, 1, []string{"Y=2", "X=1"} },
	} {
		changed := base
		changed.Listen = []listen.Spec{{Bind: ":1", At: "galaxy.yml:2"}}
		change(&changed)
		want := Change{Process: "a", Kind: ChangeReplace, Why: "changed: " + why}
		if why == "" {
			want = Change{Process: "a", Kind: ChangeNone}
		}
		if got := Changes(Wanted{Specs: []Spec{base}}, Wanted{Specs: []Spec{changed}}); !slices.Equal(got, []Change{want}) {
			t.Errorf("%s: %+v", why, got)
		}
	}
}

func TestOnlyOneSupervisor(t *testing.T) {
	h, _, _ := reloading(t, never, spec(t, "main.1", "serve"))
	err := New(Options{RunDir: h.s.options.RunDir, Name: "orrery", Wanted: h.s.options.Wanted}).Run(t.Context(), nil)
	var running *RunningError
	if !errors.As(err, &running) || running.PID != os.Getpid() {
		t.Errorf("a second one: %v", err)
	}
	h.stop()
	if clients, err := Dial(h.s.options.RunDir); len(clients) > 0 || err != nil {
		t.Errorf("Dial: %v, %v", clients, err)
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	h, _, c := reloading(t, never, spec(t, "main.1", "serve"))
	for _, order := range []Order{{Verb: "dance"}, {Verb: VerbShutdown, Names: []string{"main.1"}}, {Verb: VerbStop, DryRun: true}} {
		if _, err := do(t, c, order); err == nil {
			t.Errorf("%+v was carried out", order)
		}
	}
	must(t, c, Order{Verb: VerbReopen})
	h.stop()
}

func TestGroupAfterGroup(t *testing.T) {
	var specs []Spec
	for _, name := range []string{"main.1", "main.2", "main.3", "handler_0"} {
		s := spec(t, name, "serve")
		s.Kind, s.Group = deployment.Web, "0"
		if name == "main.3" {
			s.Group = "1"
		}
		if name == "handler_0" {
			s.Kind = deployment.Handler
		}
		specs = append(specs, s)
	}
	h, config, c := reloading(t, never, specs...)
	must(t, c, Order{Verb: VerbGraceful})
	var order []string
	for len(order) < 4 {
		order = append(order, h.wait(Replaced).Name)
	}
	slices.Sort(order[:2])
	if !slices.Equal(order, []string{"main.1", "main.2", "main.3", "handler_0"}) {
		t.Errorf("replaced in the order %v", order)
	}
	// One of a group that does not serve keeps its whole group, and what comes after it, as it was.
	before := map[string]int{}
	for _, s := range specs {
		before[s.Name] = state(t, c, s.Name).PID
	}
	specs[1].Env = spec(t, "", "wrong configuration").Env
	specs[1].Group, specs[0].Group = "1", "0"
	config.set(nil, specs...)
	if _, err := do(t, c, Order{Verb: VerbGraceful}); err == nil {
		t.Error("a process that does not start is no error")
	}
	for name, want := range map[string]bool{"main.1": true, "main.2": false, "main.3": false, "handler_0": false} {
		if now := state(t, c, name); now.State != "ready" || (now.PID != before[name]) != want {
			t.Errorf("%s: %+v, was process %d, replaced should be %v", name, now, before[name], want)
		}
	}
	h.stop()
	noChildren(t)
}

func TestSignalsAreTheConfigurations(t *testing.T) {
	web := spec(t, "main.1", "serve")
	meant := map[os.Signal]deployment.Action{syscall.SIGTERM: deployment.Reload, syscall.SIGINT: deployment.StopGracefully, syscall.SIGWINCH: deployment.StopAtOnce}
	h := runWith(t, never, func(o *Options) { o.Wanted.Signals = meant }, web)
	h.wait(AllReady)
	h.signals <- syscall.SIGHUP // means nothing there
	h.signals <- syscall.SIGTERM
	h.wait(Replaced)
	h.signals <- syscall.SIGINT
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	h = runWith(t, never, func(o *Options) { o.Wanted.Signals = meant }, spec(t, "main.1", "stubborn"))
	h.wait(AllReady)
	h.signals <- syscall.SIGWINCH
	h.wait(Killed)
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	noChildren(t)
}
