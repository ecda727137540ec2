package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// AdminKey is the bootstrap key of servers started by Server, AdminEmail the address that becomes an administrator.
const (
	AdminKey   = "test-bootstrap-admin-key"
	AdminEmail = "admin@example.org"
)

// Options say how the server under test is set up. The zero value is SQLite, all in one process.
type Options struct {
	Postgres   bool           // keep the data in a PostgreSQL database of its own
	MariaDB    bool           // keep the data in a MariaDB database of its own
	WebWorkers int            // web worker processes; 0 for what the server does by default
	Handlers   int            // job handler processes; 0 for none of their own: web workers run the jobs
	Settings   map[string]any // further settings of the galaxy: section
	Gravity    map[string]any // further settings of the gravity: section
	Uwsgi      string         // the lines of a uwsgi: section, in place of gravity:; http is added
	// Files are written into the server's folder before it starts, by their names in it. In them, and in settings that
	// are texts, @DIR@ stands for that folder, and @PORT@ for the server's port.
	Files map[string]string
	Env   []string      // further environment variables, NAME=value
	Start time.Duration // how long the start may take, 60 s when 0
}

// Instance is a running Orrery with its own folder, database and port.
type Instance struct {
	URL       string // no slash at its end
	Dir       string // has galaxy.yml, the files of Options.Files and data/
	DataDir   string
	Config    string // path of galaxy.yml
	Database  Database
	Connector string // the database_connection of galaxy.yml

	t      testing.TB
	binary string
	mark   string
	env    []string
	port   int
	start  time.Duration

	mu      sync.Mutex
	process *exec.Cmd
	ended   chan struct{}
	failure error
	output  *os.File
}

// markVariable marks every process that a server starts, so that none outlives the test binary.
const markVariable = "SERVER_UNDER_TEST"

var built = sync.OnceValues(build)

// Binary returns the path of the orrery program built from this checkout, or what the variable ORRERY_BINARY names.
func Binary(t testing.TB) string {
	t.Helper()
	external(t)
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func build() (string, error) {
	if named := os.Getenv("ORRERY_BINARY"); named != "" {
		return filepath.Abs(named)
	}
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "orrery-binary-")
	if err != nil {
		return "", err
	}
	if _, err := watchdog("rm -rf " + quote(dir)); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	binary := filepath.Join(dir, "orrery")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/orrery")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("orrery could not be built: %w\n%s", err, output)
	}
	return binary, nil
}

// Server builds Orrery, writes a galaxy.yml for it, runs it and returns when it answers. It is stopped at the end of
// the test; when the test has failed, its logs are printed.
func Server(t testing.TB, options Options) *Instance {
	t.Helper()
	external(t)
	s, err := prepare(t, options)
	if err != nil {
		t.Fatal(err)
	}
	// Registered before the start, so that a start that fails shows its logs, too.
	t.Cleanup(s.finish)
	s.Start()
	return s
}

func prepare(t testing.TB, options Options) (*Instance, error) {
	s := &Instance{t: t, binary: Binary(t), mark: rand.Text(), start: options.Start}
	if s.start == 0 {
		s.start = time.Minute
	}
	// Not t.TempDir: its name holds the test's, and UNIX sockets below it would have too long a path.
	dir, err := os.MkdirTemp("", "orrery-test-")
	if err != nil {
		return nil, err
	}
	kill := killMarked(markVariable, s.mark)
	stopWatching, err := watchdog(kill + "rm -rf " + quote(dir) + "\n")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	t.Cleanup(func() {
		if err := stopWatching(); err != nil {
			t.Logf("cleaning up: %v", err)
		}
	})
	s.Dir, s.DataDir, s.Config = dir, filepath.Join(dir, "data"), filepath.Join(dir, "galaxy.yml")
	s.Connector = "sqlite:///" + filepath.Join(s.DataDir, "universe.sqlite") + "?isolation_level=IMMEDIATE"
	if options.Postgres {
		s.Database = Postgres(t)
		s.Connector = s.Database.URL()
	}
	if options.MariaDB {
		database := MariaDB(t)
		s.Database, s.Connector = database.Database, database.URL()
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.port, s.URL = port, "http://127.0.0.1:"+strconv.Itoa(port)
	s.env = append(append(os.Environ(), markVariable+"="+s.mark), options.Env...)
	for name, content := range options.Files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(s.inDir(content)), 0o644)); err != nil {
			return nil, err
		}
	}
	configuration := s.configuration(options, port)
	uwsgi := ""
	if options.Uwsgi != "" {
		delete(configuration, "gravity")
		uwsgi = fmt.Sprintf("uwsgi:\n%s\n    http: 127.0.0.1:%d\n", s.inDir(options.Uwsgi), port)
	}
	// JSON is YAML, and quotes everything rightly.
	text, err := json.MarshalIndent(configuration["galaxy"], "", "  ")
	if uwsgi == "" {
		text, err = json.MarshalIndent(configuration, "", "  ")
	} else {
		text = append([]byte(uwsgi+"galaxy: "), text...)
	}
	if err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.Config, append(text, '\n'), 0o644)
}

func (s *Instance) configuration(options Options, port int) map[string]any {
	gunicorn := map[string]any{"bind": "127.0.0.1:" + strconv.Itoa(port)}
	if options.WebWorkers > 0 {
		gunicorn["workers"] = options.WebWorkers
	}
	gravity := map[string]any{"gunicorn": gunicorn}
	if options.Handlers > 0 {
		gravity["handlers"] = map[string]any{
			"handler": map[string]any{"processes": options.Handlers, "pools": []string{"job-handlers", "workflow-schedulers"}},
		}
	}
	for name, value := range options.Gravity {
		gravity[name] = s.inSetting(value)
	}
	galaxy := map[string]any{
		"data_dir":                s.DataDir,
		"database_connection":     s.Connector,
		"admin_users":             AdminEmail,
		"bootstrap_admin_api_key": AdminKey,
		"id_secret":               "the secret of a test's server",
	}
	for name, value := range options.Settings {
		galaxy[name] = s.inSetting(value)
	}
	return map[string]any{"gravity": gravity, "galaxy": galaxy}
}

func (s *Instance) inDir(text string) string {
	return strings.NewReplacer("@DIR@", s.Dir, "@PORT@", strconv.Itoa(s.port)).Replace(text)
}

func (s *Instance) inSetting(value any) any {
	switch value := value.(type) {
	case string:
		return s.inDir(value)
	case map[string]any:
		within := make(map[string]any, len(value))
		for name, value := range value {
			within[name] = s.inSetting(value)
		}
		return within
	}
	return value
}

// Command is another process of the same program with the same environment and working folder, such as a job handler
// that somebody starts by hand. It is killed at the end of the test at the latest.
func (s *Instance) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, args...)
	cmd.Dir, cmd.Env = Root(s.t), s.env
	return cmd
}

// Start runs the server and waits until it answers; after Stop or Kill it is the same server again.
func (s *Instance) Start() {
	s.t.Helper()
	output, err := os.OpenFile(filepath.Join(s.Dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	root := Root(s.t)
	cmd := exec.Command(s.binary, "run", "-c", s.Config)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = root, s.env, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = output.Close()
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	s.mu.Lock()
	s.process, s.ended, s.output = cmd, ended, output
	s.mu.Unlock()
	go func() {
		err := cmd.Wait()
		s.mu.Lock()
		s.failure = err
		s.mu.Unlock()
		_ = output.Close()
		close(ended)
	}()
	s.WaitAnswers()
}

// WaitAnswers waits until the server answers requests, as it does again some time after its web workers were killed.
func (s *Instance) WaitAnswers() {
	s.t.Helper()
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.start)
	defer cancel()
	err := poll(ctx, ended, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/version", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET /api/version answers %s", response.Status)
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("orrery run -c galaxy.yml does not answer: %v", err)
	}
}

// errEnded is returned by poll when what it waits for can happen no more.
var errEnded = errors.New("the process has ended")

// poll calls a function until it returns nil, at growing intervals.
func poll(ctx context.Context, ended <-chan struct{}, try func() error) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer: %w", ctx.Err(), err)
		case <-ended:
			return fmt.Errorf("%w; the last answer: %w", errEnded, err)
		case <-time.After(pause):
		}
	}
}

// Stop ends the server as Ctrl-C does and waits for it. It fails the test when the server takes longer than 30 s or
// does not end with exit code 0.
func (s *Instance) Stop() {
	s.t.Helper()
	s.mu.Lock()
	process, ended := s.process, s.ended
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return
	}
	if err := process.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("stopping the server: %v", err)
	}
	select {
	case <-ended:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failure != nil {
			s.t.Errorf("the server ended with: %v", s.failure)
		}
	case <-time.After(30 * time.Second):
		s.t.Error("the server did not stop within 30 s of SIGINT")
		_ = process.Process.Kill()
		<-ended
	}
}

// Kill ends every process of the server with SIGKILL, jobs included, as a power cut does.
func (s *Instance) Kill() {
	s.t.Helper()
	s.mu.Lock()
	process, ended := s.process, s.ended
	s.process = nil
	s.mu.Unlock()
	if err := runScript(killMarked(markVariable, s.mark)); err != nil {
		s.t.Logf("killing: %v", err)
	}
	if process != nil {
		<-ended
	}
}

// Crash ends the server's own processes with SIGKILL and leaves its jobs alone, which outlive it on purpose. Start then
// starts it again.
func (s *Instance) Crash() {
	s.t.Helper()
	s.mu.Lock()
	process, ended := s.process, s.ended
	s.process = nil
	s.mu.Unlock()
	if process == nil {
		return
	}
	// The supervisor first: it would start its children again.
	if err := process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("killing the server: %v", err)
	}
	<-ended
	for _, name := range s.Processes() {
		pid, err := s.PID(name)
		if err != nil {
			s.t.Errorf("killing %s: %v", name, err)
			continue
		}
		// A pid file may be left from a process that ended long ago: only what has our mark is ours.
		environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
		if err != nil || !bytes.Contains(environ, []byte(markVariable+"="+s.mark)) {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Errorf("killing %s: %v", name, err)
		}
	}
}

func (s *Instance) finish() {
	s.t.Helper()
	s.Stop()
	if s.t.Failed() {
		s.t.Logf("galaxy.yml and the logs of the failed test:\n%s", s.Logs())
	}
	s.Kill() // what outlives the server on purpose: jobs
}

// Logs returns galaxy.yml, the server's output and the end of each log file.
func (s *Instance) Logs() string {
	var b strings.Builder
	names := []string{s.Config, filepath.Join(s.Dir, "output")}
	var logs []string
	_ = filepath.WalkDir(s.DataDir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".log") {
			logs = append(logs, name)
		}
		return nil // an unreadable folder has no logs to show
	})
	sort.Strings(logs)
	for _, name := range append(names, logs...) {
		fmt.Fprintf(&b, "--- %s\n%s\n", name, tail(name, 200))
	}
	return b.String()
}

// tail returns the last lines of a file that may be large.
func tail(name string, lines int) string {
	file, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	const most = 64 << 10
	if info, err := file.Stat(); err == nil && info.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), lines)
}

// PID returns the process id of one of the server's processes by its name, e.g. "handler_0": as its pid file in
// <data_dir>/run says or, when there is none, of the process that was started with this name as an argument.
func (s *Instance) PID(name string) (int, error) {
	file := filepath.Join(s.DataDir, "run", name+".pid")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return s.findProcess(name)
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s has no process id: %q", file, text)
	}
	return pid, nil
}

// findProcess looks among the processes that have the server's mark.
func (s *Instance) findProcess(name string) (int, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !bytes.Contains(environ, []byte(markVariable+"="+s.mark)) {
			continue // ended meanwhile, or not ours
		}
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil {
			continue
		}
		for argument := range strings.SplitSeq(string(line), "\x00") {
			if argument == name || strings.HasSuffix(argument, "="+name) {
				return strconv.Atoi(filepath.Base(folder))
			}
		}
	}
	return 0, fmt.Errorf("no process %s: neither is there a %s/run/%s.pid, nor was a process started with this name", name, s.DataDir, name)
}

// Processes returns the names of the server's processes that have a pid file, sorted.
func (s *Instance) Processes() []string {
	files, err := filepath.Glob(filepath.Join(s.DataDir, "run", "*.pid"))
	if err != nil {
		return nil
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".pid")
	}
	sort.Strings(names)
	return names
}

// KillProcess ends one process with SIGKILL and returns the id it had. A process that is just being started is waited for.
func (s *Instance) KillProcess(name string) int {
	s.t.Helper()
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.start)
	defer cancel()
	var pid int
	err := poll(ctx, ended, func() (err error) {
		if pid, err = s.PID(name); err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("killing %s: %v", name, err)
	}
	return pid
}

// WaitRestarted waits until a process has another id than the one it had, and is alive.
func (s *Instance) WaitRestarted(name string, had int) {
	s.t.Helper()
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.start)
	defer cancel()
	err := poll(ctx, ended, func() error {
		pid, err := s.PID(name)
		if err != nil {
			return err
		}
		if pid == had {
			return fmt.Errorf("%s is still process %d", name, pid)
		}
		return syscall.Kill(pid, 0)
	})
	if err != nil {
		s.t.Fatalf("%s was not started again: %v", name, err)
	}
}

// Poll calls a function until it returns true, at growing intervals, and fails the test when that takes too long.
func Poll(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	err := poll(ctx, nil, func() error {
		if !holds() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}
