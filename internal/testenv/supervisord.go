package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var supervisordComponent = component{name: "supervisord", find: onPath("supervisord"), packages: []string{"supervisor"}}

// Supervisord is a running supervisord with a folder of its own.
type Supervisord struct {
	Dir    string // has supervisord.conf, its log and its socket
	Config string

	t   testing.TB
	cmd *exec.Cmd
}

// SupervisordStart runs Debian's supervisord with programs, which are the lines of sections [program:…] and [group:…], or
// an [include] of files that have them. It is stopped, with all that it runs, at the end of the test.
func SupervisordStart(t testing.TB, programs string, env ...string) *Supervisord {
	t.Helper()
	external(t)
	path := need(t, supervisordComponent)
	// Not t.TempDir: the path of its socket would be too long.
	dir, err := os.MkdirTemp("", "orrery-supervisord-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Supervisord{Dir: dir, Config: filepath.Join(dir, "supervisord.conf"), t: t}
	text := `[unix_http_server]
file = %(here)s/supervisor.sock

[supervisord]
logfile = %(here)s/supervisord.log
pidfile = %(here)s/supervisord.pid
childlogdir = %(here)s
nodaemon = true
` + rootIfRoot() + `
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://%(here)s/supervisor.sock

` + programs
	if err := os.WriteFile(s.Config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	mark := strings.ReplaceAll(filepath.Base(dir), "-", "_")
	stopWatching, err := watchdog(killMarked(markVariable, mark) + "rm -rf " + quote(dir) + "\n")
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := stopWatching(); err != nil {
			t.Logf("cleaning up: %v", err)
		}
	})
	s.cmd = exec.Command(path, "-c", s.Config)
	s.cmd.Env = append(append(os.Environ(), markVariable+"="+mark), env...)
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = output, output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = output.Close() // it has it
	ended := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended is told by what it has done
		close(ended)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("supervisord:\n%s", s.Log())
		}
		if _, err := s.Control("shutdown"); err != nil {
			_ = s.cmd.Process.Kill() // the watchdog kills what it ran
		}
		select {
		case <-ended:
		case <-time.After(90 * time.Second):
			t.Error("supervisord did not end within 90 s")
			_ = s.cmd.Process.Kill()
		}
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join(dir, "supervisor.sock")); err == nil {
			return s
		}
		select {
		case <-ended:
			t.Fatalf("supervisord does not run:\n%s", s.Log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("supervisord does not listen:\n%s", s.Log())
		}
	}
}

func rootIfRoot() string {
	if os.Getuid() == 0 {
		return "user = root\n"
	}
	return ""
}

// Log is what supervisord and its programs say.
func (s *Supervisord) Log() string {
	var b strings.Builder
	logs, err := filepath.Glob(filepath.Join(s.Dir, "*.log"))
	if err != nil {
		return err.Error()
	}
	for _, name := range append([]string{filepath.Join(s.Dir, "output")}, logs...) {
		fmt.Fprintf(&b, "--- %s\n%s\n", name, tail(name, 100))
	}
	return b.String()
}

// Control runs supervisorctl and gives what it prints. Its status is an error: for status itself 3 says that something
// does not run.
func (s *Supervisord) Control(args ...string) (string, error) {
	out, err := s.Command(args...).CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

// Command is a supervisorctl that is not run yet.
func (s *Supervisord) Command(args ...string) *exec.Cmd {
	return exec.Command("supervisorctl", append([]string{"-c", s.Config}, args...)...)
}

// States are the states of all programs, by the names that supervisorctl shows (GROUP:PROCESS), with their process ids, 0
// where there is none.
func (s *Supervisord) States() (states map[string]string, pids map[string]int) {
	s.t.Helper()
	text, err := s.Control("status")
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
		s.t.Fatalf("supervisorctl status: %v\n%s", err, text)
	}
	states, pids = map[string]string{}, map[string]int{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		states[words[0]] = words[1]
		if len(words) > 3 && words[2] == "pid" {
			pids[words[0]], _ = strconv.Atoi(strings.TrimSuffix(words[3], ","))
		}
	}
	return states, pids
}

// Await waits until the programs have these states, at most for a minute.
func (s *Supervisord) Await(want map[string]string) map[string]int {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		states, pids := s.States()
		same := len(states) == len(want)
		for name, state := range want {
			same = same && states[name] == state
		}
		if same {
			return pids
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("supervisord has %v, not %v\n%s", states, want, s.Log())
		}
		time.Sleep(50 * time.Millisecond)
	}
}
