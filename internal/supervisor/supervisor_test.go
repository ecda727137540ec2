package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// childMode makes the test binary a process under supervision; childFile is a path that some modes use.
const (
	childMode = "SUPERVISOR_TEST"
	childFile = "SUPERVISOR_TEST_FILE"
	// childRun makes a process offer its listeners in a run folder, childOrphan is how long it outlives its supervisor.
	childRun    = "SUPERVISOR_TEST_RUN"
	childOrphan = "SUPERVISOR_TEST_ORPHAN"
)

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	os.Exit(child(mode))
}

// child is what the processes under supervision do.
func child(mode string) int {
	switch mode {
	case "supervise", "subreaper":
		return supervise(mode)
	case "outer":
		return outerSupervisor()
	case "stranger":
		return stranger()
	}
	if d, err := time.ParseDuration(os.Getenv(childOrphan)); err == nil {
		orphanTime = d
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	sockets, err := listen.Inherit()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := FromEnvironment()
	if err != nil || c == nil {
		fmt.Println("no supervisor:", err)
		return 1
	}
	switch mode {
	case "no database":
		fmt.Println("the database does not answer")
		return 5
	case "wrong configuration":
		fmt.Println("galaxy.yml:3: what is this")
		return ExitConfig
	case "mute":
		<-c.Gone()
		return 0
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	case "serve":
		signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	case "crash once":
		if _, err := os.Stat(os.Getenv(childFile)); err != nil {
			if err := os.WriteFile(os.Getenv(childFile), nil, 0o600); err != nil {
				return 1
			}
			if err := c.Ready(); err != nil {
				return 1
			}
			return 3
		}
	case "crash later":
		if _, err := os.Stat(os.Getenv(childFile)); err == nil {
			return 3
		}
	case "report":
		report()
	case "orphan":
		// The shell ends at once and leaves cat behind, which ends when the test closes the FIFO.
		if err := exec.Command("sh", "-c", `cat "$0" >/dev/null & echo "orphan $!" > "$0.pid"`, os.Getenv(childFile)).Run(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	var serving sync.WaitGroup
	var listeners []net.Listener
	for _, s := range sockets {
		l, err := s.Listener()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		listeners = append(listeners, l)
		serving.Go(func() { serve(l) })
	}
	// What was accepted is answered.
	finish := func() {
		for _, l := range listeners {
			l.Close()
		}
		serving.Wait()
	}
	if dir := os.Getenv(childRun); dir != "" {
		end, err := c.Offer(dir, sockets)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer end()
	}
	if err := c.Ready(); err != nil {
		fmt.Println(err)
		return 1
	}
	select {
	case <-terminated:
		if mode == "busy" {
			return busy(c)
		}
		finish()
		fmt.Println("stopping gracefully")
		return 0
	case <-c.Gone():
		finish()
		return gone()
	}
}

// busy moves bytes until the test closes the FIFO.
func busy(c *Child) int {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.Open(os.Getenv(childFile))
		if err == nil {
			_, _ = io.ReadAll(f)
		}
	}()
	for {
		if err := c.Busy(1); err != nil {
			return 1
		}
		select {
		case <-done:
			fmt.Println("all is moved")
			return 0
		case <-time.After(time.Millisecond):
		}
	}
}

// serve answers each connection with the process id.
func serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(conn, os.Getpid())
		conn.Close()
	}
}

// gone tells the test, over a FIFO if there is one, that the supervisor has died.
func gone() int {
	if info, err := os.Stat(os.Getenv(childFile)); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return 0
	}
	f, err := os.OpenFile(os.Getenv(childFile), os.O_WRONLY, 0)
	if err != nil {
		return 1
	}
	defer f.Close()
	fmt.Fprintln(f, "gone")
	return 0
}

// report prints what the process was given.
func report() {
	var given []string
	for fd := range 6 {
		target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil {
			target = err.Error()
		}
		target, _, _ = strings.Cut(target, ":")
		given = append(given, target)
	}
	old := syscall.Umask(0)
	fmt.Printf("files %s\numask %03o\nvariable %s\ngroup %v\nleft %q\n", strings.Join(given, " "), old, os.Getenv("REPORT"),
		syscall.Getpgrp() == os.Getpid(), os.Getenv(envReady)+os.Getenv(envAlive)+os.Getenv("ORRERY_LISTEN_FDS"))
	fmt.Println("a job has", descriptors())
}

// descriptors counts what a program that is started from this process gets.
func descriptors() string {
	out, err := exec.Command("sh", "-c", "ls /proc/self/fd | wc -l").Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// supervise is a supervisor in a process of its own, which prints its events.
func supervise(mode string) int {
	inner := "serve"
	if mode == "subreaper" {
		inner = "orphan"
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	s := New(Options{
		Wanted:  Wanted{Specs: []Spec{{Name: "inner", Env: []string{childMode + "=" + inner}}}},
		OnEvent: func(e Event) { fmt.Println(e.Kind, e.PID) },
	})
	if err := s.Run(context.Background(), signals); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// harness runs a supervisor inside the test.
type harness struct {
	t       *testing.T
	s       *Supervisor
	events  chan Event
	signals chan os.Signal
	result  chan error
	log     logBuffer

	mu     sync.Mutex
	pauses []time.Duration
}

// spec is a process in one of child's modes, with its log.
func spec(t *testing.T, name, mode string) Spec {
	return Spec{Name: name, Env: []string{childMode + "=" + mode, childFile + "=" + filepath.Join(t.TempDir(), "file")}, LogFile: filepath.Join(t.TempDir(), name+".log")}
}

// run starts a supervisor. Timeouts and pauses listed in elapse are over at once, others never.
func run(t *testing.T, elapse func(time.Duration) bool, specs ...Spec) *harness {
	t.Helper()
	return runWith(t, elapse, func(*Options) {}, specs...)
}

// runWith is run with further options.
func runWith(t *testing.T, elapse func(time.Duration) bool, further func(*Options), specs ...Spec) *harness {
	t.Helper()
	h := &harness{t: t, events: make(chan Event, 10000), signals: make(chan os.Signal, 4), result: make(chan error, 1)}
	options := Options{
		Wanted:  Wanted{Specs: specs},
		Log:     slog.New(slog.NewTextHandler(&h.log, nil)),
		OnEvent: func(e Event) { h.events <- e },
		After: func(d time.Duration) <-chan time.Time {
			h.mu.Lock()
			h.pauses = append(h.pauses, d)
			h.mu.Unlock()
			c := make(chan time.Time, 1)
			if elapse(d) {
				c <- time.Time{}
			}
			return c
		},
	}
	further(&options)
	h.s = New(options)
	go func() { h.result <- h.s.Run(t.Context(), h.signals) }()
	t.Cleanup(func() {
		if t.Failed() {
			for _, s := range specs {
				t.Logf("%s:\n%s", s.Name, tailOf(s.LogFile, 50))
			}
		}
	})
	return h
}

func never(time.Duration) bool { return false }

// pausesOnly lets the pauses before a new start elapse, and no timeout.
func pausesOnly(d time.Duration) bool { return d <= longestPause }

// wait returns the next event of a kind; others are passed over.
func (h *harness) wait(kind EventKind) Event {
	h.t.Helper()
	for {
		select {
		case e := <-h.events:
			if e.Kind == kind {
				return e
			}
		case err := <-h.result:
			h.result <- err
			for {
				select {
				case e := <-h.events:
					if e.Kind == kind {
						return e
					}
				default:
					h.t.Fatalf("Run returned %v before the event %q; log:\n%s", err, kind, h.log.String())
				}
			}
		}
	}
}

// address is where a process listens.
func (h *harness) address(name string) listen.Address { return h.s.Sockets(name)[0].Address }

// end waits for Run's result.
func (h *harness) end() error {
	h.t.Helper()
	return <-h.result
}

// stop stops gracefully.
func (h *harness) stop() {
	h.t.Helper()
	h.signals <- syscall.SIGTERM
	if err := h.end(); err != nil {
		h.t.Fatalf("Run: %v", err)
	}
}

// noChildren checks that no process is left, ended or not.
func noChildren(t *testing.T) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func logOf(t *testing.T, s Spec) string {
	t.Helper()
	data, err := os.ReadFile(s.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func ask(t *testing.T, a listen.Address) int {
	t.Helper()
	c, err := net.Dial(a.Network, a.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(answer))
	if err != nil {
		t.Fatalf("the answer is %q", answer)
	}
	return pid
}

func TestStartServeStop(t *testing.T) {
	port := listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.HTTP}
	web, handler := spec(t, "main.1", "serve"), spec(t, "handler_0", "serve")
	web.Listen = []listen.Spec{port}
	h := run(t, never, web, handler)
	h.wait(AllReady)
	pids := map[int]string{}
	for _, st := range h.s.Report().Processes {
		if st.State != "ready" || st.PID == 0 || st.Restarts != 0 {
			t.Errorf("%+v", st)
		}
		pids[st.PID] = st.Name
	}
	if got := pids[ask(t, h.address("main.1"))]; got != "main.1" {
		t.Errorf("%q answers, want main.1", got)
	}
	h.stop()
	for _, s := range []Spec{web, handler} {
		if got := logOf(t, s); got != "stopping gracefully\n" {
			t.Errorf("the log of %s: %q", s.Name, got)
		}
	}
	for _, st := range h.s.Report().Processes {
		if st.State != "stopped" || st.PID != 0 {
			t.Errorf("%+v", st)
		}
	}
	noChildren(t)
}

func TestWorkersShareListeners(t *testing.T) {
	path := listen.Spec{Bind: filepath.Join(t.TempDir(), "s"), Protocol: listen.HTTP}
	first, second := spec(t, "main.1", "serve"), spec(t, "main.2", "serve")
	first.Listen, second.Listen = []listen.Spec{path}, []listen.Spec{path}
	h := run(t, pausesOnly, first, second)
	h.wait(AllReady)
	before := ask(t, h.address("main.1"))
	// The one that is killed is started again with the same socket, and connections never fail meanwhile.
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := h.wait(Ended)
	if again.PID != before || !strings.Contains(again.Detail, "was killed") {
		t.Errorf("ended: %+v", again)
	}
	h.wait(Ready)
	ask(t, h.address("main.1"))
	h.stop()
	noChildren(t)
}

func TestCrashIsStartedAgain(t *testing.T) {
	once := spec(t, "handler_0", "crash once")
	h := run(t, pausesOnly, once)
	first := h.wait(Ready)
	if e := h.wait(Ended); e.Detail != "ended with status 3" {
		t.Errorf("ended: %+v", e)
	}
	if e := h.wait(Restarting); e.Pause != shortestPause {
		t.Errorf("restarting: %+v", e)
	}
	second := h.wait(Ready)
	if first.PID == second.PID {
		t.Error("the process id is the same")
	}
	if st := h.s.Report().Processes[0]; st.Restarts != 1 || st.PID != second.PID {
		t.Errorf("%+v", st)
	}
	h.stop()
	if !strings.Contains(h.log.String(), "the process ended with status 3; starting it again") {
		t.Errorf("log: %s", h.log.String())
	}
}

func TestBackoff(t *testing.T) {
	want := []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	for failures, pause := range want {
		if got := backoff(failures); got != pause {
			t.Errorf("backoff(%d) = %v, want %v", failures, got, pause)
		}
	}
	if got := backoff(1 << 30); got != longestPause {
		t.Errorf("backoff of very many = %v", got)
	}
}

func TestStartThatFails(t *testing.T) {
	for mode, want := range map[string]struct {
		starts int
		words  string
	}{
		"no database":         {startAttempts, "could not be started: it ended with status 5"},
		"wrong configuration": {1, "could not be started: it ended with status 78"},
	} {
		t.Run(mode, func(t *testing.T) {
			bad, good := spec(t, "main.1", mode), spec(t, "handler_0", "serve")
			h := run(t, pausesOnly, bad, good)
			err := h.end()
			if err == nil || !strings.Contains(err.Error(), "main.1 "+want.words) || !strings.Contains(err.Error(), bad.LogFile) {
				t.Fatalf("Run: %v", err)
			}
			if last := logOf(t, bad); !strings.HasSuffix(err.Error(), strings.TrimSpace(last)) || strings.Count(last, "\n") != want.starts {
				t.Errorf("the log %q, the error %v", last, err)
			}
			noChildren(t)
		})
	}
}

func TestProgramThatDoesNotExist(t *testing.T) {
	s := spec(t, "main.1", "serve")
	s.Path = "/nowhere/orrery"
	if err := run(t, pausesOnly, s).end(); err == nil || !strings.Contains(err.Error(), "/nowhere/orrery") {
		t.Errorf("Run: %v", err)
	}
	if err := New(Options{}).Run(t.Context(), nil); err == nil {
		t.Error("nothing to run is no error")
	}
}

func TestNotReadyInTime(t *testing.T) {
	s := spec(t, "main.1", "mute")
	s.ReadyTimeout = time.Hour
	h := run(t, func(d time.Duration) bool { return d == time.Hour || pausesOnly(d) }, s)
	if err := h.end(); err == nil || !strings.Contains(err.Error(), "was not ready within 1h0m0s and was killed") {
		t.Errorf("Run: %v", err)
	}
	noChildren(t)
}

func TestStubbornProcessIsKilledAfterItsTime(t *testing.T) {
	s := spec(t, "main.1", "stubborn")
	s.StopTimeout = time.Hour
	h := run(t, func(d time.Duration) bool { return d == time.Hour }, s)
	h.wait(AllReady)
	h.stop()
	if e := h.wait(Killed); e.Name != "main.1" {
		t.Errorf("%+v", e)
	}
	noChildren(t)
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	h := run(t, never, spec(t, "main.1", "stubborn"))
	h.wait(AllReady)
	h.signals <- syscall.SIGUSR2 // means nothing
	h.signals <- syscall.SIGINT
	h.wait(Stopping)
	h.signals <- syscall.SIGINT
	if e := h.wait(Killed); e.Name != "main.1" {
		t.Errorf("%+v", e)
	}
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	noChildren(t)
}

func TestContextStops(t *testing.T) {
	s := spec(t, "main.1", "serve")
	events := make(chan Event, 100)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- New(Options{Wanted: Wanted{Specs: []Spec{s}}, OnEvent: func(e Event) { events <- e }}).Run(ctx, nil)
	}()
	for e := range events {
		if e.Kind == AllReady {
			break
		}
	}
	cancel()
	if err := <-result; err != nil {
		t.Errorf("Run: %v", err)
	}
	noChildren(t)
}

func TestStopWhileWaitingToStartAgain(t *testing.T) {
	h := run(t, never, spec(t, "main.1", "crash once"))
	h.wait(Restarting)
	h.stop()
	noChildren(t)
}

func TestWhatAProcessIsGiven(t *testing.T) {
	port := listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.HTTP}
	s := spec(t, "main.1", "report")
	s.Listen, s.Umask, s.Env = []listen.Spec{port}, 0o027, append(s.Env, "REPORT=yes")
	t.Setenv("REPORT", "no")
	before := openFiles(t)
	h := run(t, never, s)
	h.wait(AllReady)
	h.stop()
	want := fmt.Sprintf("files /dev/null %s %s socket pipe pipe\numask 027\nvariable yes\ngroup true\nleft \"\"\na job has %s\nstopping gracefully\n", s.LogFile, s.LogFile, descriptors())
	if got := logOf(t, s); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// openFiles counts this process's descriptors, without the runtime's own.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.Contains(target, "anon_inode") {
			n++
		}
	}
	return n
}

func TestRestartsLeakNoDescriptors(t *testing.T) {
	s := spec(t, "main.1", "serve")
	h := run(t, pausesOnly, s)
	pid := h.wait(Ready).PID
	before := openFiles(t)
	for range 5 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		pid = h.wait(Ready).PID
	}
	// The pipe of the last «ready» is closed just after the event may have been sent.
	h.stop()
	after := openFiles(t)
	if after > before {
		t.Errorf("%d descriptors before 5 restarts, %d after them", before, after)
	}
}

// fifo makes a FIFO and opens it for reading; the reading end sees an end of file after the last writer.
func fifo(t *testing.T) (path string, open func() *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() *os.File {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}

// outer starts a supervisor in a process of its own and returns the events it prints.
func outer(t *testing.T, mode, file string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode, childFile+"="+file, childOrphan+"=1ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), string(AllReady)) {
	}
	return cmd, lines
}

func TestProcessesNoticeTheSupervisorsDeath(t *testing.T) {
	path, open := fifo(t)
	cmd, _ := outer(t, "supervise", path)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f := open()
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != "gone\n" {
		t.Errorf("the process says %q, %v", got, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the supervisor was not killed")
	}
}

func TestOrphansAreCollected(t *testing.T) {
	path, _ := fifo(t)
	cmd, lines := outer(t, "subreaper", path)
	orphan, err := os.ReadFile(path + ".pid")
	if err != nil {
		t.Fatal(err)
	}
	// Writing and closing ends the orphan.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	want := string(Reaped) + strings.TrimPrefix(strings.TrimSpace(string(orphan)), "orphan")
	found := false
	for !found && lines.Scan() {
		found = lines.Text() == want
	}
	if !found {
		t.Errorf("no event %q", want)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the supervisor: %v", err)
	}
}

func TestChildWithoutSupervisor(t *testing.T) {
	c, err := FromEnvironment()
	if c != nil || err != nil {
		t.Fatalf("FromEnvironment: %v, %v", c, err)
	}
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	if c.Gone() != nil {
		t.Error("Gone of nobody")
	}
	t.Setenv(envReady, "x")
	t.Setenv(envAlive, "4")
	if _, err := FromEnvironment(); err == nil {
		t.Error("a descriptor that is no number is no error")
	}
}
