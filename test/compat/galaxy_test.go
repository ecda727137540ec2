//go:build compat

package compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// place is where a server keeps everything: the folder and the database that Galaxy and Orrery use in turn.
type place struct {
	data string // data_dir
	url  string // database_connection
}

// settings are those of the galaxy: section that both servers get.
func (p place) settings() map[string]any {
	return map[string]any{
		"data_dir":                p.data,
		"database_connection":     p.url,
		"id_secret":               idSecret,
		"admin_users":             testenv.AdminEmail,
		"bootstrap_admin_api_key": testenv.AdminKey,
	}
}

// withGalaxy runs a real Galaxy on a place, in one process as gunicorn's only worker and with Orrery's toolbox, for as
// long as visit takes.
func (p place) withGalaxy(t *testing.T, visit func(s site)) {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	var config strings.Builder
	config.WriteString("galaxy:\n")
	settings := p.settings()
	settings["tool_config_file"] = filepath.Join(testenv.Root(t), "tools", "tool_conf.xml")
	settings["conda_auto_init"], settings["static_enabled"] = false, false
	for name, value := range settings {
		fmt.Fprintf(&config, "  %s: %#v\n", name, value)
	}
	file, logName := filepath.Join(dir, "galaxy.yml"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(logName)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	bin := filepath.Dir(python(t))
	command := exec.Command(filepath.Join(bin, "gunicorn"), "galaxy.webapps.galaxy.fast_factory:factory()",
		"-k", "galaxy.webapps.galaxy.workers.Worker", "-b", "127.0.0.1:"+strconv.Itoa(port), "--workers=1", "--timeout=600",
		"--config", "python:galaxy.web_stack.gunicorn_config", "--no-control-socket")
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	command.Env = append(os.Environ(), "GALAXY_CONFIG_FILE="+file, "PATH="+bin+":"+os.Getenv("PATH"))
	// Its workers and jobs are in its process group, and do not outlive this test's process.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer func() {
		stop(t, command.Process.Pid, ended)
		if t.Failed() {
			t.Logf("the end of Galaxy's log:\n%s", tail(logName))
		}
	}()
	s := site{t: t, name: "Galaxy", url: "http://127.0.0.1:" + strconv.Itoa(port), key: testenv.AdminKey}
	began := time.Now()
	if err := s.answers(ended); err != nil {
		t.Fatalf("Galaxy does not start: %v", err)
	}
	t.Logf("Galaxy answers after %s", time.Since(began).Round(time.Second))
	visit(s)
}

// withOrrery runs Orrery on a place for as long as visit takes.
func (p place) withOrrery(t *testing.T, visit func(s site)) {
	t.Helper()
	server := testenv.Server(t, testenv.Options{Settings: p.settings(), Handlers: 1})
	visit(site{t: t, name: "Orrery", url: server.URL, key: testenv.AdminKey})
	server.Stop()
}

// answers waits until the server answers.
func (s site) answers(ended <-chan error) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/version", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			status := response.StatusCode
			_ = response.Body.Close()
			if status == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended: %w", errors.Join(err, errors.New("its log says why")))
		case <-ticks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends a process group in good order, and by force after a minute.
func stop(t *testing.T, group int, ended <-chan error) {
	_ = syscall.Kill(group, syscall.SIGTERM) // gunicorn tells its worker
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Log("Galaxy did not stop within a minute")
	}
	_ = syscall.Kill(-group, syscall.SIGKILL) // what is left of the group; often nothing
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// tail is the end of a log.
func tail(name string) string {
	file, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > 16<<10 {
		if _, err := file.Seek(-16<<10, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, 16<<10))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
