package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// outerConfig is what a supervisor in a process of its own reads.
type outerConfig struct {
	RunDir string
	Specs  []Spec
	Wrong  string // why it cannot be taken
}

// outerSupervisor is a supervisor in a process of its own, which replaces itself. It prints its events.
func outerSupervisor() int {
	path := os.Getenv(childFile)
	read := func() (outerConfig, error) {
		var c outerConfig
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err == nil && c.Wrong != "" {
			err = errors.New(c.Wrong)
		}
		return c, err
	}
	if len(os.Args) > 1 && os.Args[1] == "probe" {
		c, err := FromEnvironment()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		if _, err := read(); err != nil {
			fmt.Println(err)
			return ExitConfig
		}
		if err := c.Ready(); err != nil {
			return 1
		}
		return 0
	}
	state, err := Inherited()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	o := Options{
		State: state, Name: "outer", Probe: []string{"probe"}, Extra: json.RawMessage(`"extra"`), Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
		Load: func() (Wanted, error) {
			c, err := read()
			return Wanted{Specs: c.Specs}, err
		},
		OnEvent: func(e Event) { fmt.Println("event", e.Kind, e.Name, e.PID) },
	}
	if state == nil {
		c, err := read()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		o.RunDir, o.Wanted = c.RunDir, Wanted{Specs: c.Specs}
		kept, err := os.Open(path)
		if err != nil {
			return 1
		}
		o.Keep = []*os.File{kept}
	} else {
		kept := state.Kept()
		if len(kept) != 1 || string(state.Extra()) != `"extra"` {
			fmt.Println("kept", kept, string(state.Extra()))
			return 1
		}
		if _, err := kept[0].Stat(); err != nil {
			fmt.Println(err)
			return 1
		}
		o.Keep = kept
	}
	signals := CatchSignals(nil)
	o.Catch = func() { CatchAgain(signals, nil) }
	if err := New(o).Run(context.Background(), signals); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// outside is a supervisor in a process of its own.
type outside struct {
	t       *testing.T
	program string // a file of its own, which can be replaced
	path    string // of its outerConfig
	config  outerConfig
	output  string
	cmd     *exec.Cmd
}

func startOutside(t *testing.T, specs ...Spec) *outside {
	t.Helper()
	dir := t.TempDir()
	o := &outside{t: t, program: filepath.Join(dir, "program"), path: filepath.Join(dir, "config"), output: filepath.Join(dir, "output")}
	o.install(os.Args[0])
	o.config = outerConfig{RunDir: filepath.Join(dir, "run"), Specs: specs}
	for i := range o.config.Specs {
		o.config.Specs[i].Env = append(o.config.Specs[i].Env, childRun+"="+o.config.RunDir)
	}
	o.write()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the supervisor:\n%s", tailOf(o.output, 100))
		}
	})
	o.start()
	return o
}

// install puts a program into the place of the one on disk, as a package manager does it.
func (o *outside) install(from string) {
	o.t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(o.program+".new", data, 0o755)
	}
	if err == nil {
		err = os.Rename(o.program+".new", o.program)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outside) write() {
	o.t.Helper()
	data, err := json.Marshal(o.config)
	if err == nil {
		err = os.WriteFile(o.path, data, 0o644)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// start starts the supervisor and waits until it is ready.
func (o *outside) start() {
	o.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		o.t.Fatal(err)
	}
	o.cmd = exec.Command(o.program)
	o.cmd.Env = append(os.Environ(), childMode+"=outer", childFile+"="+o.path)
	o.cmd.Stdout, o.cmd.Stderr = write, write
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	write.Close()
	ready := make(chan bool, 1)
	go func() {
		defer read.Close()
		f, err := os.OpenFile(o.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			ready <- false
			return
		}
		defer f.Close()
		said, told := "", false
		buffer := make([]byte, 4096)
		for {
			n, err := read.Read(buffer)
			f.Write(buffer[:n])
			if said += string(buffer[:n]); !told && strings.Contains(said, "event "+string(AllReady)) {
				told = true
				ready <- true
			}
			if err != nil {
				ready <- false
				return
			}
		}
	}()
	if !<-ready {
		o.t.Fatalf("the supervisor did not start:\n%s", tailOf(o.output, 50))
	}
}

func (o *outside) client() *Client {
	o.t.Helper()
	clients, err := Dial(o.config.RunDir)
	if err != nil || len(clients) != 1 {
		o.t.Fatalf("Dial: %v, %v", clients, err)
	}
	return clients[0]
}

func (o *outside) stop() {
	o.t.Helper()
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		o.t.Fatal(err)
	}
	if err := o.cmd.Wait(); err != nil {
		o.t.Errorf("the supervisor: %v", err)
	}
}

// unixSpec is a web worker on a UNIX socket and on a port of the test's choice.
func serving(t *testing.T, name string) (Spec, []listen.Address) {
	t.Helper()
	free, err := listen.Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Address
	free.Close()
	path := filepath.Join(t.TempDir(), "s")
	s := spec(t, name, "serve")
	s.Listen = []listen.Spec{{Bind: port.String(), Protocol: listen.HTTP}, {Bind: "unix:" + path, Protocol: listen.UWSGI}}
	return s, []listen.Address{port, {Network: "unix", Name: path}}
}

func TestTheSupervisorReplacesItself(t *testing.T) {
	web, addresses := serving(t, "main.1")
	handler := spec(t, "handler_0", "serve")
	o := startOutside(t, web, handler)
	c := o.client()
	must(t, c, Order{Verb: VerbStop, Names: []string{"handler_0"}})
	before, err := c.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var stops []func() (int, []error)
	for _, a := range addresses {
		stops = append(stops, connecting(t, a))
	}
	for range 3 {
		o.install(os.Args[0])
		said := must(t, c, Order{Verb: VerbGraceful})
		if !slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, "main.1: process ") }) {
			t.Errorf("said: %q", said)
		}
	}
	for i, stop := range stops {
		if answers, failures := stop(); len(failures) > 0 || answers == 0 {
			t.Errorf("%s: %d answers, failures %v", addresses[i], answers, failures)
		}
	}
	var together sync.WaitGroup
	for _, verb := range []Verb{VerbGraceful, VerbReopen, VerbGraceful, VerbStart, VerbUpdate} {
		together.Go(func() {
			if err := c.Do(t.Context(), Order{Verb: verb, Names: map[Verb][]string{VerbStart: {"main.1"}}[verb]}, nil); err != nil {
				t.Errorf("%s together with others: %v", verb, err)
			}
		})
	}
	together.Wait()
	after, err := c.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.PID != before.PID || !after.Since.Equal(before.Since) || after.PID != o.cmd.Process.Pid {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", after.PID)); err != nil || exe != o.program {
		t.Errorf("it runs %s, %v", exe, err)
	}
	if now := state(t, c, "main.1"); now.Generation < 4 || now.State != "ready" {
		t.Errorf("%+v", now)
	}
	if now := state(t, c, "handler_0"); now.State != "stopped" {
		t.Errorf("what was stopped stays stopped: %+v", now)
	}
	// A crash is noticed by the new one, which did not start the process.
	pid := state(t, c, "main.1").PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for state(t, c, "main.1").PID == pid {
	}
	must(t, c, Order{Verb: VerbStart})
	if now := state(t, c, "main.1"); now.PID == pid || now.State != "ready" {
		t.Errorf("after a crash: %+v", now)
	}
	pid = state(t, c, "main.1").PID
	for name, spoil := range map[string]func(){
		"configuration": func() { o.config.Wrong = "galaxy.yml:3: what is this"; o.write() },
		"program": func() {
			o.config.Wrong = ""
			o.write()
			script := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(script, []byte("#!/bin/sh\necho galaxy.yml:3: what is this\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			o.install(script)
		},
	} {
		spoil()
		_, err := do(t, c, Order{Verb: VerbGraceful})
		if err == nil || !strings.Contains(err.Error(), "all stays as it is") || !strings.Contains(err.Error(), "galaxy.yml:3: what is this") {
			t.Errorf("%s: %v", name, err)
		}
		if now := state(t, c, "main.1"); now.PID != pid || ask(t, addresses[0]) != pid || problem(t, c) != err.Error() {
			t.Errorf("%s: %+v, %q", name, now, problem(t, c))
		}
		o.install(os.Args[0])
		o.config.Wrong = ""
		o.write()
	}
	// However many come, and whenever.
	for range 50 {
		if err := o.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Report(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	must(t, c, Order{Verb: VerbGraceful})
	if err := o.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	o.stop() // a SIGTERM that comes while it replaces itself is not lost
	if _, err := os.Stat(addresses[1].Name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the UNIX socket is left: %v", err)
	}
}

func TestListenersSurviveTheSupervisorsDeath(t *testing.T) {
	web, addresses := serving(t, "main.1")
	o := startOutside(t, web, spec(t, "handler_0", "serve"))
	old := []int{state(t, o.client(), "main.1").PID, state(t, o.client(), "handler_0").PID}
	var stops []func() (int, []error)
	for _, a := range addresses {
		stops = append(stops, connecting(t, a))
	}
	var ends []int
	for _, pid := range old {
		fd, err := pidfd(pid)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, fd)
	}
	if err := o.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = o.cmd.Wait()
	o.start()
	for _, fd := range ends {
		awaitPidfd(t, fd) // the old ones are told to stop, and do
	}
	for i, stop := range stops {
		if answers, failures := stop(); len(failures) > 0 || answers == 0 {
			t.Errorf("%s: %d answers, failures %v", addresses[i], answers, failures)
		}
	}
	now := state(t, o.client(), "main.1")
	if slices.Contains(old, now.PID) || ask(t, addresses[0]) != now.PID || ask(t, addresses[1]) != now.PID {
		t.Errorf("before %v, now %+v", old, now)
	}
	o.stop()
	left, err := filepath.Glob(filepath.Join(o.config.RunDir, "*"+offerSuffix))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestTheControlSocketRefusesOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test becomes another user: run it as root, or with -short")
	}
	h, _, c := reloading(t, never, spec(t, "main.1", "serve"))
	// What protects it besides: the folder's mode. It is opened for this test.
	for dir := filepath.Dir(c.path); dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(c.path, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childMode+"=stranger", childFile+"="+c.path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "403 Forbidden") {
		t.Errorf("a stranger gets %q, %v", out, err)
	}
	if !strings.Contains(h.log.String(), "refused at the control socket") {
		t.Errorf("log: %s", h.log.String())
	}
	h.stop()
}

// stranger asks at a control socket.
func stranger() int {
	conn, err := net.Dial("unix", os.Getenv(childFile))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(conn, "GET /report HTTP/1.0\r\n\r\n")
	if _, err := io.Copy(os.Stdout, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		fmt.Println(err)
		return 1
	}
	return 0
}

// pidfd is a descriptor that becomes readable when a process ends, though it is no child of ours.
func pidfd(pid int) (int, error) { return unix.PidfdOpen(pid, 0) }

func awaitPidfd(t *testing.T, fd int) {
	t.Helper()
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n != 1 {
			t.Fatalf("waiting for a process: %d, %v", n, err)
		}
		return
	}
}
