package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// site is a folder like /srv/galaxy, in which commands are typed as its user.
type site struct {
	*testenv.Site
	t    *testing.T
	root bool // type as root
}

func newSite(t *testing.T, configuration string) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	s := &site{Site: testenv.NewSite(t), t: t}
	for _, name := range []string{"run.sh", "scripts/common_startup.sh"} {
		text, err := os.ReadFile(filepath.Join(testenv.Root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Dir, "server", name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"server/bin", "server/config", "server/.venv"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"server/bin/orrery": "../../venv/bin/orrery", "server/.venv/bin": "../../venv/bin"} {
		if err := os.Symlink(target, filepath.Join(s.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s.Write("server/config/galaxy.yml", configuration+testenv.GalaxySection)
	s.Own()
	if out, err := exec.Command(filepath.Join(s.Dir, "venv/bin/orrery"), "links", filepath.Join(s.Dir, "venv/bin")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Logs())
		}
	})
	return s
}

// typed is what a command said, and its exit status.
type typed struct {
	line, out, errors string
	status            int
}

// command is a line of a shell, in the server's folder.
func (s *site) command(line string, env ...string) *exec.Cmd {
	cmd := s.Command("sh", "-c", s.Here(line))
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "PATH" || strings.HasPrefix(name, "GALAXY_") || strings.HasPrefix(name, "GRAVITY_") || name == "GUNICORN_CMD_ARGS"
	})
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(s.Dir, "venv/bin")+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	if os.Getuid() == 0 && !s.root {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.Credential()}
	}
	return cmd
}

// run types a line and waits for its end.
func (s *site) run(line string, env ...string) typed {
	s.t.Helper()
	cmd := s.command(line, env...)
	var out, failures bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failures
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	// Whatever goes into the background must let go of the terminal.
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("%s: %v\n%s%s", line, err, out.String(), failures.String())
	}
	return typed{line, out.String(), failures.String(), cmd.ProcessState.ExitCode()}
}

// must types a line that has to end well and say something.
func (s *site) must(line string, says ...string) typed {
	s.t.Helper()
	return s.want(line, 0, says...)
}

// want types a line that has to end with a status and to say something, in
// either stream.
func (s *site) want(line string, status int, says ...string) typed {
	s.t.Helper()
	got := s.run(line)
	if got.status != status {
		s.t.Fatalf("%s: status %d, want %d\n%s%s", line, got.status, status, got.out, got.errors)
	}
	for _, text := range says {
		if !strings.Contains(got.out+got.errors, s.Here(text)) {
			s.t.Fatalf("%s: it does not say %q but\n%s%s", line, s.Here(text), got.out, got.errors)
		}
	}
	return got
}

// states are the processes of the running server by their names, with their
// states, and the pids.
func (s *site) states() (states map[string]string, pids map[string]int) {
	s.t.Helper()
	got := s.run("orrery status --json")
	var reports []struct {
		Processes []struct {
			Name, State string
			PID         int
		}
	}
	if err := json.Unmarshal([]byte(got.out), &reports); err != nil {
		s.t.Fatalf("orrery status --json: %v: %s%s", err, got.out, got.errors)
	}
	states, pids = map[string]string{}, map[string]int{}
	for _, r := range reports {
		for _, p := range r.Processes {
			if p.State != "draining" {
				states[p.Name], pids[p.Name] = p.State, p.PID
			}
		}
	}
	return states, pids
}

// printed are the commands in a document's fragment, without their prompts.
func printed(t *testing.T, name string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if len(line) > 2 && (line[0] == '$' || line[0] == '#') {
			lines = append(lines, strings.TrimSpace(line[2:]))
		}
	}
	return lines
}

// pidOf reads a pid file of the site.
func (s *site) pidOf(name string) int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return pid
}

// gone waits until a process is.
func (s *site) gone(pid int) {
	s.t.Helper()
	s.WaitFor(fmt.Sprintf("process %d to end", pid), func() error {
		if _, running := s.Processes()[pid]; running {
			return errors.New("it runs")
		}
		return nil
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
