package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/listen"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// fixture is a server of two processes that are both this one.
type fixture struct {
	web, handler *telemetry.Meter
	report       supervisor.Report
	admin, stats string // paths of sockets
	stop         func()
}

func serve(t *testing.T) *fixture {
	t.Helper()
	run := t.TempDir()
	f := &fixture{web: telemetry.NewMeter("main.1", "web"), handler: telemetry.NewMeter("handler_0", "handler")}
	var load Load
	load.Jobs = []Jobs{{State: "new", Handler: "_default_", Jobs: 3}, {State: "running", Handler: "handler_0", Pool: "_default_", Jobs: 2}}
	load.Report.Handlers = []Handler{{Name: "handler_0", State: "alive"}}
	load.Report.Waiting = []Waiting{{Target: "special", New: 4, UnderWay: 1}}
	for _, m := range []*telemetry.Meter{f.web, f.handler} {
		stop, err := telemetry.ServeProcess(run, m, map[string]telemetry.Question{"load": func(context.Context) (any, error) { return load, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stop() })
	}
	f.handler.Handles(4, nil, func() map[string]int { return nil })
	since := time.Unix(1700000000, 0)
	f.report = supervisor.Report{Name: "orrery", PID: os.Getpid(), Version: "1", Since: since, Processes: []supervisor.ProcessReport{
		{Name: "handler_0", Kind: deployment.Handler, State: "ready", PID: os.Getpid(), Since: since, Memory: 1 << 20},
		{Name: "main.1", Kind: deployment.Web, State: "draining", PID: 1, Since: since},
		{Name: "main.1", Kind: deployment.Web, State: "ready", PID: os.Getpid(), Since: since, Restarts: 2, Generation: 1},
		{Name: "main.2", Kind: deployment.Web, State: "starting", PID: 2, Since: since},
	}}
	var sockets []*listen.Socket
	for _, protocol := range []listen.Protocol{listen.Admin, listen.Stats} {
		path := filepath.Join(run, string(protocol)+".sock")
		s, err := listen.OpenSpec(listen.Spec{Bind: "unix:" + path, Protocol: protocol})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		sockets = append(sockets, s)
	}
	f.admin, f.stats = sockets[0].Address.Name, sockets[1].Address.Name
	tcp, err := listen.OpenSpec(listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() })
	waiting, err := net.Dial("tcp", tcp.Address.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = waiting.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, sockets, Options{RunDir: run, Report: func() supervisor.Report { return f.report }, Log: slog.New(slog.DiscardHandler),
			Listening: func() []*listen.Socket { return []*listen.Socket{tcp} }})
	}()
	f.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return f
}

// get asks the admin socket.
func (f *fixture) get(t *testing.T, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", f.admin)
	}}}
	answer, err := client.Get("http://x" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

var sample = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\\n])*",? ?)*\})? (NaN|[+-]?Inf|[-+0-9.eE]+)$`)

// checkMetrics checks what Prometheus demands: samples of one form, none twice, a family's together after its type.
func checkMetrics(t *testing.T, text string) (names map[string]bool) {
	t.Helper()
	names = map[string]bool{}
	seen, done, last := map[string]bool{}, map[string]bool{}, ""
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no sample: %s", line)
			continue
		}
		key := line[:strings.LastIndexByte(line, ' ')]
		if seen[key] {
			t.Errorf("twice: %s", key)
		}
		seen[key] = true
		names[m[1]] = true
		family := m[1]
		for _, s := range suffixes {
			family = strings.TrimSuffix(family, s)
		}
		if family != last {
			if done[family] {
				t.Errorf("%s is not together", family)
			}
			done[family], last = true, family
		}
	}
	return names
}

func TestMetricsOfAllProcesses(t *testing.T) {
	f := serve(t)
	defer f.stop()
	r := telemetry.Request{Method: "GET", Path: "/api/jobs", Begun: time.Now()}
	f.web.Begin(&r)
	f.web.End(&r, 200, time.Millisecond, 0, 10)
	f.handler.Claimed(2, time.Millisecond)
	status, text := f.get(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	checkMetrics(t, text)
	for _, want := range []string{
		"# TYPE orrery_http_request_duration_seconds histogram",
		"# TYPE orrery_http_requests_total counter",
		`orrery_http_requests_total{process="main.1",route="api/jobs",method="GET",status="200"} 1`,
		`orrery_jobs_claimed_total{process="handler_0"} 2`,
		`orrery_process_up{process="main.1",kind="web"} 1`,
		`orrery_process_up{process="main.1/1",kind="web"} 0`,
		`orrery_process_state{process="main.2",kind="web",state="starting"} 1`,
		`orrery_process_restarts_total{process="main.1"} 2`,
		`orrery_process_memory_bytes{process="handler_0"} 1.048576e+06`,
		`orrery_jobs{state="new",handler="_default_",pool="_default_"} 3`,
		`orrery_jobs{state="running",handler="handler_0",pool="_default_"} 2`,
		`orrery_jobs_unserved{target="special"} 5`,
		`orrery_pool_handlers{state="alive"} 1`,
		"orrery_supervisor_problem 0",
		"orrery_database_answers 1",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if !regexp.MustCompile(`orrery_listen_queue\{socket="127\.0\.0\.1:\d+"\} 1\n`).MatchString(text) {
		t.Error("the connection that waits is not told of")
	}
}

func TestHealth(t *testing.T) {
	f := serve(t)
	defer f.stop()
	for path, want := range map[string]string{
		"/healthz": "200 ok\n", "/readyz": "503 main.2 is starting\n", "/readyz?kind=handler": "200 ok\n", "/readyz?kind=x": "503 there are no such processes\n",
	} {
		status, text := f.get(t, path)
		if got := telemetry.Number(float64(status)) + " " + text; got != want {
			t.Errorf("%s answers %q, want %q", path, got, want)
		}
	}
	f.report.Processes = f.report.Processes[:3]
	if status, text := f.get(t, "/readyz"); status != http.StatusOK {
		t.Errorf("with one that drains: %d %s", status, text)
	}
	status, text := f.get(t, "/report")
	var snapshot Snapshot
	if err := json.Unmarshal([]byte(text), &snapshot); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	if len(snapshot.Processes) != 2 || snapshot.Load == nil || len(snapshot.Load.Jobs) != 2 || snapshot.Supervisors[0].Name != "orrery" {
		t.Errorf("the report: %s", text)
	}
}

// TestStatsAreAsUwsgiWrites compares with the keys of what uWSGI 2.0.21 writes.
func TestStatsAreAsUwsgiWrites(t *testing.T) {
	f := serve(t)
	defer f.stop()
	r := telemetry.Request{Method: "GET", Path: "/api/jobs", Begun: time.Now()}
	f.web.Begin(&r)
	defer f.web.End(&r, 200, time.Millisecond, 0, 10)
	c, err := net.Dial("unix", f.stats)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile(filepath.Join("testdata", "uwsgi-2.0.21-stats.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs map[string]any
	for text, into := range map[*map[string]any][]byte{&ours: text, &theirs: reference} {
		if err := json.NewDecoder(bytes.NewReader(into)).Decode(text); err != nil {
			t.Fatal(err)
		}
	}
	compareKeys(t, "", ours, theirs)
	workers := ours["workers"].([]any)
	if len(workers) != 2 {
		t.Fatalf("%d workers", len(workers))
	}
	for i, want := range []map[string]any{
		{"id": 1.0, "pid": float64(os.Getpid()), "status": "busy", "accepting": 1.0, "respawn_count": 4.0},
		{"id": 2.0, "pid": 2.0, "status": "cheap", "accepting": 0.0, "respawn_count": 1.0},
	} {
		for key, value := range want {
			if got := workers[i].(map[string]any)[key]; got != value {
				t.Errorf("worker %d: %s is %v, want %v", i+1, key, got, value)
			}
		}
	}
	if ours["listen_queue"] != 1.0 {
		t.Errorf("the listen queue is %v", ours["listen_queue"])
	}
}

// compareKeys finds the keys of the reference, with values of the same kind, in the document.
func compareKeys(t *testing.T, at string, ours, theirs map[string]any) {
	t.Helper()
	for key, want := range theirs {
		got, has := ours[key]
		if !has {
			t.Errorf("%s.%s is missing", at, key)
			continue
		}
		switch want := want.(type) {
		case []any:
			list, ok := got.([]any)
			if !ok {
				t.Errorf("%s.%s is no list", at, key)
			}
			if len(want) == 0 || len(list) == 0 {
				continue
			}
			if w, ok := want[0].(map[string]any); ok {
				compareKeys(t, at+"."+key, list[0].(map[string]any), w)
			}
		case float64:
			if _, ok := got.(float64); !ok {
				t.Errorf("%s.%s is %T", at, key, got)
			}
		case string:
			if _, ok := got.(string); !ok {
				t.Errorf("%s.%s is %T", at, key, got)
			}
		}
	}
}

func TestNaturally(t *testing.T) {
	names := []string{"main.10", "main.2", "handler_0", "main.1", "main.02", "main"}
	sortNaturally(names)
	if got := strings.Join(names, " "); got != "handler_0 main main.1 main.2 main.02 main.10" && got != "handler_0 main main.1 main.02 main.2 main.10" {
		t.Error(got)
	}
	if !slices.IsSortedFunc(names, naturally) {
		t.Error("not sorted")
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a_total{x=\"}\"} 1\nb 2\n# c\n")
	f.Add("{} 1\nx{ 3")
	f.Fuzz(func(t *testing.T, text string) {
		all := families{}
		all.addText("p\"\n", []byte(text))
		for line := range bytes.Lines(all.write()) {
			if !bytes.HasPrefix(line, []byte("#")) && !bytes.Contains(line, []byte(`process="p\"\n"`)) {
				t.Fatalf("a line without its process: %q", line)
			}
		}
	})
}
