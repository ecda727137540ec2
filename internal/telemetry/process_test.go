package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProcessTellsOfItself(t *testing.T) {
	// Longer than the address of a socket may be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "run")
	m := NewMeter("main.1", "web")
	stop, err := ServeProcess(dir, m, map[string]Question{
		"pool":   func(context.Context) (any, error) { return map[string]int{"handlers": 2}, nil },
		"broken": func(context.Context) (any, error) { return nil, errors.New("the database does not answer") },
	})
	if err != nil {
		t.Fatal(err)
	}
	name, err := SocketName("main.1", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, name)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v, %v", info, err)
	}
	peers := FindPeers(dir)
	list, err := peers.List()
	if err != nil || len(list) != 1 || list[0].Name != "main.1" || list[0].PID != os.Getpid() {
		t.Fatalf("found %v, %v", list, err)
	}
	r := Request{Method: "GET", Path: "/api/histories/1", Begun: time.Now()}
	m.Begin(&r)
	stats, err := peers.Stats(t.Context())
	if err != nil || len(stats) != 1 || stats[0].Status != "busy" || stats[0].Active != 1 || stats[0].Current[0].Path != "/api/histories/1" {
		t.Fatalf("stats: %+v, %v", stats, err)
	}
	m.End(&r, 500, 3*time.Millisecond, 7, 100)
	m.Handles(4, nil, func() map[string]int { return map[string]int{"running": 3} })
	m.Claimed(5, time.Millisecond)
	m.JobEnded(`a"b`, "ok", 7*time.Second)
	m.RunnerFailed("local")
	if stats, err = peers.Stats(t.Context()); err != nil || stats[0].Requests != 1 || stats[0].Exceptions != 1 || stats[0].Sent != 100 || stats[0].AverageTime != 3000 ||
		stats[0].Slots != 4 || stats[0].Jobs["running"] != 3 || stats[0].Claimed != 5 || stats[0].Ended != 1 || stats[0].RSS <= 0 || stats[0].VSZ < stats[0].RSS {
		t.Errorf("stats: %+v, %v", stats, err)
	}
	text, err := peers.Get(t.Context(), list[0], "metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`orrery_http_requests_total{route="api/histories",method="GET",status="500"} 1`,
		`orrery_http_request_duration_seconds_bucket{route="api/histories",le="0.0025"} 0`,
		`orrery_http_request_duration_seconds_bucket{route="api/histories",le="0.005"} 1`,
		`orrery_http_request_duration_seconds_sum{route="api/histories"} 0.003`,
		`orrery_job_duration_seconds_count{destination="a\"b",state="ok"} 1`,
		`orrery_runner_errors_total{runner="local"} 1`, "orrery_jobs_claimed_total 5", "orrery_handler_slots 4", "process_resident_memory_bytes ",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the metrics lack %s:\n%s", want, text)
		}
	}
	var pool struct{ Handlers int }
	if err := peers.Ask(t.Context(), "pool", &pool); err != nil || pool.Handlers != 2 {
		t.Errorf("asked: %+v, %v", pool, err)
	}
	if err := peers.Ask(t.Context(), "broken", &pool); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a question that fails: %v", err)
	}
	if _, err := peers.Get(t.Context(), list[0], "debug/pprof/goroutine?debug=1"); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if list, err := peers.List(); err != nil || len(list) != 0 {
		t.Errorf("after the end: %v, %v", list, err)
	}
}

func TestSocketsOfDeadProcessesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	name, err := SocketName("main.1", 4711)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, other := range []string{"main.1.pid", "x.telemetry", "-7.telemetry", "main.1-7@another.telemetry"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := FindPeers(dir).List()
	if err != nil || len(list) != 0 {
		t.Errorf("found %v, %v", list, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead socket is still there: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 4 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLinesCarryTheIdsOfTheirContext(t *testing.T) {
	for format, want := range map[Format]string{
		Text: "INFO  main.1: done request=abc job=7 n=1\nINFO  main.1: other request=abc job=8\n",
		JSON: `"level":"INFO","process":"main.1","message":"done","request":"abc","job":7,"n":1}` + "\n" +
			`"level":"INFO","process":"main.1","message":"other","request":"abc","job":8}` + "\n",
	} {
		var out bytes.Buffer
		log, err := Open(Options{Process: "main.1", Mirror: &out, Format: format})
		if err != nil {
			t.Fatal(err)
		}
		ctx := With(WithRequest(t.Context(), "abc"), "job", 7)
		log.InfoContext(ctx, "done", "n", 1)
		log.InfoContext(ctx, "other", "job", 8)
		got := out.String()
		for _, part := range strings.SplitAfter(strings.TrimSuffix(want, "\n"), "\n") {
			if !strings.Contains(got, strings.TrimSuffix(part, "\n")+"\n") {
				t.Errorf("%s:\n%s\nlacks %s", format, got, part)
			}
		}
	}
}

func FuzzJSONLine(f *testing.F) {
	f.Add("message\n", "key", "va\"lue\x00")
	f.Add("\xff\u2028", "", "=")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		var out bytes.Buffer
		log, err := Open(Options{Mirror: &out, Format: JSON, Process: "p"})
		if err != nil {
			t.Fatal(err)
		}
		access, err := log.OpenAccess("")
		if err != nil {
			t.Fatal(err)
		}
		log.With(key, value).Info(message, key, value)
		access.Write(&Access{Time: time.Now(), Method: message, Target: value, Remote: key, Agent: value})
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(out.String(), "\n")
		if len(lines) != 3 || lines[2] != "" {
			t.Fatalf("not two lines: %q", out.String())
		}
		for _, line := range lines[:2] {
			if !json.Valid([]byte(line)) {
				t.Fatalf("no JSON: %q", line)
			}
		}
	})
}
