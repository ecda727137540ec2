package testenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets this test binary also play the part of the server, so that what is tested here is testenv alone.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "run":
			os.Exit(fakeServer(os.Args[len(os.Args)-1]))
		case "handler":
			select {} // until it is killed
		}
	}
	if err := os.Setenv("ORRERY_BINARY", os.Args[0]); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// fakeServer answers every request at the address of galaxy.yml, keeps one handler running, and ends on SIGINT.
func fakeServer(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var configuration struct {
		Gravity struct{ Gunicorn struct{ Bind string } }
		Galaxy  struct {
			Broken bool
			Note   string
		}
	}
	if err := json.Unmarshal(text, &configuration); err != nil {
		fmt.Println(err)
		return 1
	}
	if configuration.Galaxy.Broken {
		fmt.Println("galaxy.yml is broken: " + configuration.Galaxy.Note)
		return 1
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	go func() {
		for {
			handler := exec.Command(os.Args[0], "handler", "--server-name=handler_0")
			handler.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			_ = handler.Run() // it is killed again and again
		}
	}()
	go func() {
		fmt.Println(http.ListenAndServe(configuration.Gravity.Gunicorn.Bind, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"version_major":"26.1","version_minor":"2"}`)
		})))
	}()
	<-interrupted
	return 0
}

func answers(s *Instance) bool {
	response, err := http.Get(s.URL + "/api/version")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func TestServerIsStartedStoppedAndKilled(t *testing.T) {
	s := Server(t, Options{
		WebWorkers: 2, Handlers: 1, Files: map[string]string{"conf/tool_conf.xml": "<toolbox tool_path='@DIR@'/>"},
		Settings: map[string]any{"tool_config_file": "@DIR@/conf/tool_conf.xml", "brand": "Test"},
	})
	if text, err := os.ReadFile(filepath.Join(s.Dir, "conf", "tool_conf.xml")); err != nil || string(text) != "<toolbox tool_path='"+s.Dir+"'/>" {
		t.Errorf("the written file: %s, %v", text, err)
	}
	text, err := os.ReadFile(s.Config)
	if err != nil || !strings.Contains(string(text), `"tool_config_file": "`+s.Dir+`/conf/tool_conf.xml"`) || !strings.Contains(string(text), `"workers": 2`) {
		t.Errorf("galaxy.yml: %s, %v", text, err)
	}
	Poll(t, "the handler", Patience, func() bool { _, err := s.PID("handler_0"); return err == nil })
	s.WaitRestarted("handler_0", s.KillProcess("handler_0"))
	s.Stop()
	if answers(s) {
		t.Error("it answers after Stop")
	}
	s.Start()
	if !answers(s) {
		t.Error("it does not answer after Start")
	}
	s.Crash()
	if answers(s) {
		t.Error("it answers after Crash")
	}
	s.Start()
	s.Kill()
	if answers(s) {
		t.Error("it answers after Kill")
	}
	if _, err := s.PID("handler_0"); err == nil {
		t.Error("its handler lives after Kill")
	}
}

func TestServerThatDoesNotStartShowsItsLogs(t *testing.T) {
	external(t)
	inner := &recorder{TB: t}
	ended := make(chan struct{})
	go func() { // FailNow ends the goroutine of a test
		defer close(ended)
		defer inner.end()
		Server(inner, Options{Settings: map[string]any{"broken": true, "note": "line 7"}})
	}()
	<-ended
	all := strings.Join(append(inner.errors, inner.logs...), "\n")
	for _, want := range []string{"does not answer", "the process has ended", "galaxy.yml is broken: line 7"} {
		if !strings.Contains(all, want) {
			t.Errorf("no «%s» in\n%s", want, all)
		}
	}
}

func TestPIDFileComesFirst(t *testing.T) {
	s := &Instance{DataDir: t.TempDir(), mark: "nobody has this mark"}
	if _, err := s.PID("handler_0"); err == nil || !strings.Contains(err.Error(), "no process handler_0") {
		t.Errorf("nothing there: %v", err)
	}
	run := filepath.Join(s.DataDir, "run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]int{"1234\n": 1234, "": 0, "x": 0, "-1": 0, "1": 0} {
		if err := os.WriteFile(filepath.Join(run, "handler_0.pid"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if pid, err := s.PID("handler_0"); pid != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", content, pid, err)
		}
	}
	if names := s.Processes(); len(names) != 1 || names[0] != "handler_0" {
		t.Errorf("processes %q", names)
	}
}
