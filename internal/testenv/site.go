package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Site is a folder that is laid out as /srv/galaxy is in Galaxy's documents: server is what is started in, config has
// galaxy.yml, and venv/bin the program under the names that the documents call.
type Site struct {
	t    testing.TB
	Dir  string
	User string // whom the server runs as
	Port int

	key, history string
	mark         string
}

// NewSite makes the folder. When the test runs as root it belongs to another user, as whom the server runs.
func NewSite(t testing.TB) *Site {
	t.Helper()
	binary := Binary(t)
	dir, err := os.MkdirTemp("", "orrery-srv-")
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Base(dir)
	stopWatching, err := watchdog(killMarked(markVariable, mark) + "rm -rf " + quote(dir) + "\n")
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := stopWatching(); err != nil {
			t.Logf("cleaning up: %v", err)
		}
	})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{t: t, Dir: dir, User: me.Username, mark: mark}
	if s.Port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"server/scripts", "config", "venv/bin", "var", "log", "conf.d", "units"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is not installed, with which the documents start galaxy-main: apt-get install -y python3")
	}
	launcher, err := os.ReadFile(filepath.Join(Root(t), "scripts", "galaxy-main"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Chmod(dir, 0o755),
		BringProgram(binary, filepath.Join(dir, "venv/bin/orrery")),
		os.Symlink("orrery", filepath.Join(dir, "venv/bin/uwsgi")),
		os.Symlink(python, filepath.Join(dir, "venv/bin/python")),
		os.WriteFile(filepath.Join(dir, "server/scripts/galaxy-main"), launcher, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Write("server/tool_conf.xml", `<toolbox><tool file="@DIR@/server/gated.xml"/></toolbox>`)
	// It runs until the gate is open.
	s.Write("server/gated.xml", `<tool id="gated" name="gated" version="1">
  <command>while [ ! -e '@DIR@/var/gate' ]; do sleep 0.05; done; id -u &gt; '$out'; umask &gt;&gt; '$out'</command>
  <inputs><param name="n" type="integer" value="0"/></inputs><outputs><data name="out" format="txt"/></outputs></tool>`)
	if os.Getuid() == 0 {
		s.User = "nobody"
	}
	s.Own()
	return s
}

// BringProgram makes a program another name, or a copy where that cannot be. A copy is another process's work: a file that this
// one has open for writing, and so whatever it starts meanwhile, could not be run yet.
func BringProgram(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the program: %w\n%s", err, out)
	}
	return os.Chmod(to, 0o755)
}

// Own gives all files, the programs apart, to the server's user.
func (s *Site) Own() {
	s.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	as := s.Credential()
	err := filepath.WalkDir(s.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(s.Dir, "venv") {
			return filepath.SkipDir // the program may be the one of other tests, too
		}
		return os.Lchown(path, int(as.Uid), int(as.Gid))
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Credential is the server's user.
func (s *Site) Credential() *syscall.Credential {
	s.t.Helper()
	u, err := user.Lookup(s.User)
	if err != nil {
		s.t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		s.t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Here puts this folder in the place of /srv/galaxy, and what tests need in that of other words.
func (s *Site) Here(text string) string {
	return strings.NewReplacer("/srv/galaxy", s.Dir, "@DIR@", s.Dir, "@PORT@", strconv.Itoa(s.Port), "@USER@", s.User, "User=galaxy", "User="+s.User,
		"Group=galaxy", "", "= galaxy\n", "= "+s.User+"\n").Replace(text)
}

func (s *Site) Write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(s.Here(content)), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// GalaxySection is the part of galaxy.yml that every test has.
const GalaxySection = `
galaxy:
  data_dir: /srv/galaxy/var/database
  database_connection: sqlite:////srv/galaxy/var/universe.sqlite?isolation_level=IMMEDIATE
  tool_config_file: /srv/galaxy/server/tool_conf.xml
  admin_users: ` + AdminEmail + `
  bootstrap_admin_api_key: ` + AdminKey + `
  id_secret: a secret of tests
`

// Orrery runs a command of the program to its end.
func (s *Site) Orrery(args ...string) (output string, status int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.Dir, "venv/bin/orrery"), args...)
	cmd.Dir = filepath.Join(s.Dir, "server")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Command is a program that runs in the server's folder, as the user of the test. What it starts is killed at the end of
// the test at the latest.
func (s *Site) Command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(s.Dir, "server")
	cmd.Env = append(os.Environ(), markVariable+"="+s.mark)
	return cmd
}

// Start runs a command until the end of the test, when it is interrupted as by Ctrl-C and has to end well.
func (s *Site) Start(cmd *exec.Cmd) {
	s.t.Helper()
	output, err := os.OpenFile(filepath.Join(s.Dir, "log", "output.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	name := filepath.Base(cmd.Path)
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("%s ended with %v\n%s", name, err, s.Logs())
			}
		case <-time.After(30 * time.Second):
			s.t.Errorf("%s did not stop within 30 s\n%s", name, s.Logs())
			_ = cmd.Process.Kill()
		}
	})
}

// Processes are the ids of all processes that have the site's mark, with their command lines.
func (s *Site) Processes() map[int]string {
	s.t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[int]string{}
	for _, folder := range folders {
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !bytes.Contains(environ, []byte(markVariable+"="+s.mark)) {
			continue // ended meanwhile, or not ours
		}
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		pid, atoi := strconv.Atoi(filepath.Base(folder))
		if err == nil && atoi == nil && len(line) > 0 {
			out[pid] = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// Call sends a request to the server and reads its answer into a value.
func (s *Site) Call(method, path, key string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, path), bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, into)
}

// Must is Call for requests that have to succeed.
func (s *Site) Must(method, path, key string, body, into any) {
	s.t.Helper()
	if err := s.Call(method, path, key, body, into); err != nil {
		s.t.Fatal(err)
	}
}

// Answers waits until the server does.
func (s *Site) Answers() {
	s.t.Helper()
	var version any
	s.WaitFor("the server to answer", func() error { return s.Call(http.MethodGet, "/api/version", "", nil, &version) })
}

// WaitFor waits until something is so, at most a minute.
func (s *Site) WaitFor(what string, try func() error) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waiting for %s: %v\n%s", what, err, s.Logs())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Logs are the ends of all logs of the site.
func (s *Site) Logs() string {
	var b strings.Builder
	_ = filepath.WalkDir(s.Dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".out")) {
			if text, err := os.ReadFile(path); err == nil {
				fmt.Fprintf(&b, "--- %s\n%s\n", path, text[max(0, len(text)-6000):])
			}
		}
		return nil // what cannot be read has nothing to show
	})
	return b.String()
}

// Submit makes a job of the gated tool.
func (s *Site) Submit() (job string) {
	s.t.Helper()
	return s.SubmitTo("gated")
}

// SubmitTo makes a job of a tool, with a user of its own the first time.
func (s *Site) SubmitTo(tool string) (job string) {
	s.t.Helper()
	if s.key == "" {
		var made, history struct{ ID string }
		s.Must(http.MethodPost, "/api/users", AdminKey, map[string]any{"username": "scientist", "email": "s@example.org", "password": "long enough"}, &made)
		s.Must(http.MethodPost, "/api/users/"+made.ID+"/api_key", AdminKey, nil, &s.key)
		s.Must(http.MethodPost, "/api/histories", s.key, map[string]any{"name": "Here"}, &history)
		s.history = history.ID
	}
	var answer struct{ Jobs []struct{ ID string } }
	s.Must(http.MethodPost, "/api/tools", s.key, map[string]any{"history_id": s.history, "tool_id": tool, "inputs": map[string]any{}}, &answer)
	if len(answer.Jobs) != 1 {
		s.t.Fatalf("no job was made: %+v", answer)
	}
	return answer.Jobs[0].ID
}

// Open lets the jobs end, those that run and those to come.
func (s *Site) Open() {
	s.t.Helper()
	s.Write("var/gate", "")
}

// Await waits until a job has a state, and tells who handled it.
func (s *Site) Await(job, state string) (handler string) {
	s.t.Helper()
	s.WaitFor("the job to be "+state, func() error {
		var jobs []struct{ ID, State, Handler string }
		if err := s.Call(http.MethodGet, "/api/jobs?view=admin_job_list&limit=50", AdminKey, nil, &jobs); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID == job && j.State == state {
				handler = j.Handler
				return nil
			}
		}
		return fmt.Errorf("the jobs are %+v", jobs)
	})
	return handler
}

// Status reads a line of /proc/PID/status.
func (s *Site) Status(pid int, field string) string {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	s.t.Fatalf("/proc/%d/status has no %s", pid, field)
	return ""
}

// UIDs is what the line Uid is for the server's user.
func (s *Site) UIDs() string {
	s.t.Helper()
	u, err := user.Lookup(s.User)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join([]string{u.Uid, u.Uid, u.Uid, u.Uid}, " ")
}

// FreePort is a port of the loopback address that nobody listens on right now.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
