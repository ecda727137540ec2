package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// place is where a handler runs.
type place int

const (
	here place = iota
	there
)

// placeOf puts every third handler on the second host.
func placeOf(i, _ int) place {
	if i%3 == 2 {
		return there
	}
	return here
}

// handler is one handler process, with its own way to the database.
type handler struct {
	name  string
	place place
	proxy *testenv.Proxy // nil on SQLite
	conf  string
	log   string

	mu    sync.Mutex
	busy  bool // a fault is happening to it
	gone  bool // it is not to be started again
	pid   int
	door  int // the process to signal too when it is paused: see testenv.Host
	ended chan struct{}
}

// fleet are the handlers.
type fleet struct {
	t    *testing.T
	site *site
	size size
	host *testenv.Host
	// way is the second host's way to the database.
	way *testenv.Proxy

	mu       sync.Mutex
	handlers []*handler
	number   int
	told     []string
	had      map[kind]bool
	wantKind []kind
	began    time.Time
	outage   time.Time // the last one of the cluster
	faults   sync.WaitGroup
}

func newFleet(t *testing.T, s *site, sz size) *fleet {
	t.Helper()
	f := &fleet{t: t, site: s, size: sz, had: map[kind]bool{}, began: time.Now(), wantKind: kindsOn(s.engine, sz)}
	run := filepath.Join(s.DataDir, "run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	var ways []testenv.Way
	if s.engine != "sqlite" {
		// Each handler of the second host would need a socket of its own to be cut off alone; they share one.
		socket := filepath.Join(s.Dir, "way")
		f.way = testenv.NewProxy(t, socket, "tcp", s.databaseAddress(t))
		ways = append(ways, testenv.Way{Socket: socket})
	}
	if s.slurm != nil {
		// The cluster's commands know its controller by the port that their configuration names.
		port := s.slurmPort(t)
		socket := filepath.Join(s.Dir, "slurm")
		testenv.NewProxy(t, socket, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		ways = append(ways, testenv.Way{Socket: socket, Port: port})
	}
	f.host = testenv.NewHost(t, "second-host", []string{run}, ways...)
	return f
}

// databaseAddress is HOST:PORT of the database server.
func (s *site) databaseAddress(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(s.Connector)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// tellf writes down what was done.
func (f *fleet) tellf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, fmt.Sprintf("%8.3f  ", time.Since(f.began).Seconds())+fmt.Sprintf(format, args...))
}

func (f *fleet) history() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

// launch adds a handler.
func (f *fleet) launch(where place) {
	f.mu.Lock()
	f.number++
	h := &handler{name: fmt.Sprintf("h%d", f.number), place: where}
	f.mu.Unlock()
	h.conf, h.log = filepath.Join(f.site.Dir, h.name+".yml"), filepath.Join(f.site.Dir, h.name+".out")
	address := ""
	switch {
	case f.site.engine == "sqlite":
	case where == there:
		h.proxy, address = f.way, f.host.Forwards[0]
	default:
		h.proxy = testenv.NewProxy(f.t, "", "tcp", f.site.databaseAddress(f.t))
		address = h.proxy.Address
	}
	if err := f.site.configure(h.conf, address); err != nil {
		f.t.Errorf("configuring %s: %v", h.name, err)
		return
	}
	f.mu.Lock()
	f.handlers = append(f.handlers, h)
	f.mu.Unlock()
	f.start(h)
}

// configure writes a galaxy.yml that differs in the way to the database.
func (s *site) configure(file, address string) error {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return err
	}
	var all map[string]map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if address != "" {
		u, err := url.Parse(s.Connector)
		if err != nil {
			return err
		}
		u.Host = address
		all["galaxy"]["database_connection"] = u.String()
	}
	if text, err = json.Marshal(all); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// start starts the process of a handler. When that ends and nobody wanted it, it is started again, as a supervisor does.
func (f *fleet) start(h *handler) {
	args := []string{"handler", "-c", h.conf, "--server-name", h.name, "--attach-to-pool", "job-handlers"}
	cmd := f.site.Command(args...)
	if h.place == there {
		entered := f.host.Command(cmd.Path, args...)
		entered.Dir, entered.Env = cmd.Dir, cmd.Env
		cmd = entered
	}
	out, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		f.t.Error(err)
		return
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_ = out.Close()
	if err != nil {
		f.t.Errorf("starting %s: %v", h.name, err)
		return
	}
	pid, door := cmd.Process.Pid, 0
	if h.place == there {
		door = pid
		if pid, err = f.host.Inner(cmd); err != nil {
			f.tellf("%s ended at once: %v", h.name, err)
			pid = 0
		}
	}
	ended := make(chan struct{})
	h.mu.Lock()
	h.pid, h.door, h.ended = pid, door, ended
	h.mu.Unlock()
	f.tellf("%s runs as process %d", h.name, pid)
	go func() {
		err := cmd.Wait()
		h.mu.Lock()
		h.pid = 0
		again := !h.busy && !h.gone
		h.mu.Unlock()
		close(ended)
		if again && f.t.Context().Err() == nil {
			f.tellf("%s ended by itself (%v) and is started again", h.name, err)
			time.Sleep(200 * time.Millisecond)
			f.start(h)
		}
	}()
}

// signal sends a signal to a handler, if it runs.
func (h *handler) signal(s syscall.Signal) {
	h.mu.Lock()
	pid, door := h.pid, h.door
	h.mu.Unlock()
	if pid == 0 {
		return
	}
	if s == syscall.SIGCONT && door != 0 { // its door stopped with it
		_ = syscall.Kill(door, s)
	}
	_ = syscall.Kill(pid, s)
}

func (h *handler) wait() {
	h.mu.Lock()
	ended := h.ended
	h.mu.Unlock()
	<-ended
}

// stopsWithin is how long a handler may take to stop, though the database may be away meanwhile.
const stopsWithin = 30 * time.Second

// stop stops a handler as an administrator does.
func (f *fleet) stop(h *handler) {
	h.signal(syscall.SIGTERM)
	h.mu.Lock()
	ended := h.ended
	h.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(stopsWithin):
		f.t.Errorf("%s did not stop within %v; its log says what it was doing", h.name, stopsWithin)
		h.signal(syscall.SIGQUIT)
		<-ended
	}
}

// take gives the handler that a number stands for, or the next one, to a fault; nil when too few are well.
func (f *fleet) take(target int, fits func(*handler) bool) *handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	var well []*handler
	for _, h := range f.handlers {
		h.mu.Lock()
		if !h.busy && !h.gone && h.pid != 0 {
			well = append(well, h)
		}
		h.mu.Unlock()
	}
	if len(well) < 2 { // one is left alone, so that there is always somebody
		return nil
	}
	for i := range well {
		h := well[(target+i)%len(well)]
		if fits(h) {
			h.mu.Lock()
			h.busy = true
			h.mu.Unlock()
			return h
		}
	}
	return nil
}

func (h *handler) release() {
	h.mu.Lock()
	h.busy = false
	h.mu.Unlock()
}

// most is how many handlers there may be.
func (f *fleet) most() int { return f.size.handlers + 3 }

// trouble makes the faults of a plan until it is told to stop, and waits for those that last.
func (f *fleet) trouble(ctx context.Context, p *plan) {
	defer f.faults.Wait()
	for _, fault := range p.faults {
		select {
		case <-ctx.Done():
			return
		case <-time.After(fault.after):
		}
		f.strike(fault)
	}
}

// outageApart is how long the cluster is left alone: for a minute after its start the controller schedules nothing.
const outageApart = 3 * time.Minute

func (f *fleet) mark(k kind) {
	f.mu.Lock()
	f.had[k] = true
	f.mu.Unlock()
}

// hadEach tells whether each kind of fault has happened.
func (f *fleet) hadEach() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.had) == len(f.wantKind)
}

func (f *fleet) strike(fault fault) {
	lasts := time.Duration(fault.length * float64(f.size.lease) * float64(time.Second))
	anyone := func(*handler) bool { return true }
	switch fault.kind {
	case restart, crash:
		mode := map[kind]string{restart: "fast", crash: "immediate"}[fault.kind]
		f.tellf("the database stops: %s", mode)
		testenv.RestartPostgres(f.t, mode)
		f.tellf("the database is there again")
		f.mark(fault.kind)
		return
	case outage:
		if time.Since(f.outage) < outageApart {
			return
		}
		f.outage = time.Now()
		f.tellf("Slurm's controller stops")
		// Not SIGKILL: it forgets what came in the last seconds then, gives the numbers of those jobs to others, cancels
		// these when it finds the first still running, and drains the node.
		f.site.slurm.StopController()
		time.Sleep(lasts)
		f.site.slurm.StartController()
		f.tellf("Slurm's controller is there again")
		f.mark(outage)
		return
	case add:
		f.mu.Lock()
		alive := 0
		for _, h := range f.handlers {
			if !h.gone {
				alive++
			}
		}
		f.mu.Unlock()
		if alive < f.most() {
			f.launch(placeOf(fault.target, 0))
		}
		f.mark(add)
		return
	case move:
		f.moveByHand(fault)
		return
	}
	h := f.take(fault.target, anyone)
	if h == nil {
		return
	}
	f.mark(fault.kind)
	f.faults.Go(func() {
		defer h.release()
		switch fault.kind {
		case kill:
			f.tellf("%s is killed", h.name)
			h.signal(syscall.SIGKILL)
			h.wait()
			f.start(h)
		case replace:
			f.tellf("%s is killed for good", h.name)
			h.mu.Lock()
			h.gone = true
			h.mu.Unlock()
			h.signal(syscall.SIGKILL)
			h.wait()
			f.launch(placeOf(fault.target, 0))
		case stop:
			f.tellf("%s is asked to stop", h.name)
			f.stop(h)
			f.tellf("%s has stopped", h.name)
			f.start(h)
		case pause, blink:
			f.tellf("%s is paused for %v", h.name, lasts)
			h.signal(syscall.SIGSTOP)
			time.Sleep(lasts) // also when no more faults are to begin
			h.signal(syscall.SIGCONT)
			f.tellf("%s goes on", h.name)
			f.revive(h)
		case cut:
			f.tellf("%s is cut off for %v", h.name, lasts)
			h.proxy.Cut()
			time.Sleep(lasts) // also when no more faults are to begin
			h.proxy.Heal()
			f.tellf("%s is in contact again", h.name)
			f.revive(h)
		case reset:
			f.tellf("the connections of %s break", h.name)
			h.proxy.Reset()
			f.revive(h)
		}
	})
}

// revive starts a handler again that has given up meanwhile, which is its right.
func (f *fleet) revive(h *handler) {
	h.mu.Lock()
	ended, dead := h.ended, h.pid == 0
	h.mu.Unlock()
	if dead {
		<-ended
		f.tellf("%s had ended and is started again", h.name)
		f.start(h)
	}
}

// moveByHand is what the documents tell administrators to do: an UPDATE of the job table.
func (f *fleet) moveByHand(fault fault) {
	f.mu.Lock()
	name := f.handlers[fault.target%len(f.handlers)].name
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	result, err := f.site.db.ExecContext(ctx, "UPDATE job SET handler = '_default_' WHERE handler = '"+name+"' AND state IN ('new', 'queued', 'running')")
	if err != nil {
		f.tellf("the jobs of %s could not be moved: %v", name, err)
		return
	}
	n, _ := result.RowsAffected()
	f.tellf("%d jobs of %s are moved to the pool by hand", n, name)
	f.mark(move)
}

// mend ends all trouble.
func (f *fleet) mend() {
	f.faults.Wait()
	f.tellf("no more faults")
}

// await waits until few enough jobs are left, for as long as any ends every now and then.
func (f *fleet) await(t *testing.T, what string, enough func(left int) bool) {
	t.Helper()
	patience := time.Duration(20*f.size.lease+30) * time.Second
	if f.size.slurm > 0 {
		patience += 2 * time.Minute // see outageApart
	}
	last, since := -1, time.Now()
	for {
		left, all, err := f.left()
		if err == nil && all >= f.size.jobs && enough(left) {
			return
		}
		if err == nil && left+(f.size.jobs-all) != last {
			last, since = left+(f.size.jobs-all), time.Now()
		}
		if time.Since(since) > patience {
			t.Errorf("waiting for %s: for %v nothing has ended; left are %d of %d jobs (%v)", what, patience, left, all, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// left counts the jobs that have not ended, and all.
func (f *fleet) left() (left, all int, err error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	err = f.site.db.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN state IN ('ok', 'error', 'deleted') THEN 0 ELSE 1 END), 0), count(*)
		FROM job WHERE tool_id IN ('fault', 'fault_slurm')`).Scan(&left, &all)
	return left, all, err
}

// stopAll stops every handler as an administrator does.
func (f *fleet) stopAll() {
	f.mu.Lock()
	handlers := slices.Clone(f.handlers)
	f.mu.Unlock()
	for _, h := range handlers {
		h.mu.Lock()
		h.gone = true
		h.mu.Unlock()
	}
	var all sync.WaitGroup
	for _, h := range handlers {
		all.Go(func() { f.stop(h) })
	}
	all.Wait()
}

// tell shows what the handlers logged.
func (f *fleet) tell() {
	dir := os.Getenv("FAULTS_LOGS")
	if dir != "" && f.site.slurm != nil {
		for _, name := range []string{"slurmctld.log", "slurmd.log"} {
			text, err := os.ReadFile(filepath.Join(f.site.slurm.Dir, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
			}
			if err != nil {
				f.t.Error(err)
			}
		}
	}
	for _, h := range f.handlers {
		text, err := os.ReadFile(h.log)
		if err != nil {
			text = []byte(err.Error())
		}
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, h.name+".log"), text, 0o644); err != nil {
				f.t.Error(err)
			}
		}
		if len(text) > 6000 {
			text = text[len(text)-6000:]
		}
		f.t.Logf("--- %s\n%s", h.name, text)
	}
}

// panics are the handlers' panics.
func (f *fleet) panics() []string {
	var found []string
	for _, h := range f.handlers {
		text, err := os.ReadFile(h.log)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
				found = append(found, h.name+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}
