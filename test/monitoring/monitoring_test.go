package monitoring

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// uwsgitop is the release that the test is written for.
const uwsgitop = "uwsgitop==0.12"

// section is that of a server with two web workers, two mules and a stats server.
const section = `    processes: 2
    mule: lib/galaxy/main.py
    mule: lib/galaxy/main.py
    farm: job-handlers:1,2
    stats: @DIR@/stats.sock`

// server is a running server with a person on it.
type server struct {
	*testenv.Instance
	t     *testing.T
	key   string
	admin *http.Client
}

func TestMonitoring(t *testing.T) {
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	s := &server{Instance: testenv.Server(t, testenv.Options{Uwsgi: section}), t: t}
	s.admin = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.DataDir, "run", "admin.sock"))
	}}}
	s.runAJob()
	t.Run("metrics", s.metrics)
	t.Run("health", s.health)
	t.Run("top", s.top)
	t.Run("uwsgitop", s.uwsgitop)
	t.Run("logrotate", s.logrotate)
}

// api sends a request to the server and decodes its answer.
func (s *server) api(t *testing.T, method, path, key string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("x-api-key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, answer.Status, said)
	}
	if err := json.Unmarshal(said, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, said)
	}
}

// runAJob uploads a text and waits until it is there.
func (s *server) runAJob() {
	var user, history struct{ ID string }
	s.api(s.t, "POST", "/api/users", testenv.AdminKey, map[string]string{"email": testenv.AdminEmail, "username": "admin", "password": "a long password"}, &user)
	s.api(s.t, "POST", "/api/users/"+user.ID+"/api_key", testenv.AdminKey, nil, &s.key)
	s.api(s.t, "POST", "/api/histories", s.key, map[string]string{"name": "seen"}, &history)
	var made struct{ Outputs []struct{ ID string } }
	s.api(s.t, "POST", "/api/tools/fetch", s.key, map[string]any{"history_id": history.ID, "targets": []any{map[string]any{
		"destination": map[string]any{"type": "hdas"}, "elements": []any{map[string]any{"src": "pasted", "paste_content": "seen\n", "ext": "txt"}},
	}}}, &made)
	s.until("the dataset is made", func() bool {
		var dataset struct{ State string }
		s.api(s.t, "GET", "/api/datasets/"+made.Outputs[0].ID, s.key, nil, &dataset)
		if dataset.State == "error" {
			s.t.Fatal("the upload failed")
		}
		return dataset.State == "ok"
	})
}

// until asks again until something holds.
func (s *server) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited a minute until %s", what)
		}
	}
}

// ask asks the supervisor.
func (s *server) ask(t *testing.T, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://galaxy"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.admin.Do(request)
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

// metrics finds each metric of the dashboard and of the page in a scrape, and each of a scrape on the page.
func (s *server) metrics(t *testing.T) {
	status, text := s.ask(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:\{| )`).FindAllStringSubmatch(text, -1) {
		there[m[1]] = true
	}
	for _, want := range []string{
		`orrery_job_duration_seconds_count\{process="main\.job-handlers\.\d",destination="[^"]*",state="ok"\} 1`,
		`orrery_jobs_claimed_total\{process="main\.job-handlers\.\d"\} 1`,
		`orrery_http_requests_total\{process="main\.web\.\d",route="api/tools",method="POST",status="200"\} 1`,
		`orrery_process_up\{process="main\.web\.2",kind="web"\} 1`,
		`orrery_process_up\{process="main\.job-handlers\.2",kind="handler"\} 1`,
		`orrery_pool_handlers\{state="alive"\} 2`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	docs := filepath.Join(testenv.Root(t), "docs")
	file, err := os.ReadFile(filepath.Join(docs, "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b(?:orrery|process|go)_[a-z_]+[a-z]`)
	used := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, metric := range name.FindAllString(target.Expr, -1) {
				used++
				if !there[metric] {
					t.Errorf("the panel %q asks for %s, which the server does not have", p.Title, metric)
				}
			}
		}
	}
	if used < 40 {
		t.Errorf("the dashboard has %d metrics", used)
	}
	options := map[string]bool{"orrery_admin_listen": true, "orrery_log_format": true}
	family := func(metric string) bool {
		return there[metric] || there[metric+"_bucket"]
	}
	for _, metric := range regexp.MustCompile(`\borrery_[a-z_]+[a-z]`).FindAllString(string(page), -1) {
		if !family(metric) && !options[metric] && metric != "orrery_handler_jobs" {
			t.Errorf("the page names %s, which the server does not have", metric)
		}
	}
	for metric := range there {
		metric = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(metric, "_bucket"), "_count"), "_sum")
		if strings.HasPrefix(metric, "orrery_") && !bytes.Contains(page, []byte("`"+metric+"`")) && !bytes.Contains(page, []byte("`…_"+metric[strings.LastIndexByte(metric, '_')+1:]+"`")) &&
			metric != "orrery_db_connections_in_use" {
			t.Errorf("the page does not name %s", metric)
		}
	}
}

func (s *server) health(t *testing.T) {
	for _, path := range []string{"/healthz", "/readyz", "/readyz?kind=handler"} {
		if status, text := s.ask(t, path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	status, text := s.ask(t, "/report")
	var report struct {
		Processes []struct{ Name string }
		Load      struct{ Jobs []any }
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil || status != http.StatusOK || len(report.Processes) != 4 {
		t.Errorf("the report: %d, %v, %s", status, err, text)
	}
}

func (s *server) top(t *testing.T) {
	var view struct {
		Web []struct {
			Name     string
			Requests int
			Memory   int
		} `json:"web_workers"`
		Handlers []struct {
			Name  string
			Slots int
		}
		Pools []struct{ Pool string }
	}
	output, err := s.Command("top", "-c", s.Config, "--json", "--interval", "100ms").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, &view); err != nil {
		t.Fatalf("%v in %s", err, output)
	}
	if len(view.Web) != 2 || len(view.Handlers) != 2 || view.Web[0].Requests+view.Web[1].Requests == 0 || view.Web[0].Memory == 0 || view.Handlers[1].Slots == 0 || len(view.Pools) == 0 {
		t.Errorf("the view: %s", output)
	}
	if output, err = s.Command("top", "-c", s.Config, "--once", "--interval", "100ms").Output(); err != nil || !bytes.Contains(output, []byte(" main.job-handlers.2 ready")) || bytes.ContainsRune(output, 27) {
		t.Errorf("once: %v, %q", err, output)
	}
	terminal := testenv.StartTerminal(t, s.Command("top", "-c", s.Config, "--interval", "200ms"), 120, 40)
	terminal.WaitFor("\x1b[?1049h", "WEB WORKER", "main.web.2", "JOB HANDLER", "main.job-handlers.1", "q quit", "sorted by name")
	terminal.Type("m")
	terminal.WaitFor("sorted by memory")
	terminal.Resize(60, 20)
	// A view of the size before may have been on its way.
	longest := 1000
	for range 5 {
		if longest = widest(terminal.WaitFor("WEB WORKER", "\x1b[?2026l")); longest <= 60 {
			break
		}
		terminal.Forget()
	}
	if longest > 60 {
		t.Errorf("on a terminal of 60 characters a line has %d", longest)
	}
	terminal.Type("q")
	if output, err := terminal.WaitEnd(); err != nil || !strings.Contains(output, "\x1b[?1049l") {
		t.Errorf("the end: %v", err)
	}
}

// widest is the length of the longest line of the last view that is complete.
func widest(output string) (most int) {
	end := strings.LastIndex(output, "\x1b[?2026l")
	view := output[strings.LastIndex(output[:end], "\x1b[H")+1 : end]
	for line := range strings.Lines(view) {
		text := regexp.MustCompile(`\x1b?\[[0-9;?]*[a-zA-Z]`).ReplaceAllString(strings.TrimRight(line, "\r\n"), "")
		most = max(most, len([]rune(text)))
	}
	return most
}

// uwsgitop runs PyPI's on the socket of the section.
func (s *server) uwsgitop(t *testing.T) {
	python := testenv.Python(t, uwsgitop)
	program := filepath.Join(filepath.Dir(python), "uwsgitop")
	terminal := testenv.StartTerminal(t, exec.Command(program, filepath.Join(s.Dir, "stats.sock")), 160, 40)
	var pids []string
	for _, name := range []string{"main.web.1", "main.web.2"} {
		pid, err := s.PID(name)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, strconv.Itoa(pid))
	}
	terminal.WaitFor(append(pids, "uwsgi-orrery", "masterpid", "WID", "idle", "RSS")...)
	terminal.Type("q")
	if output, err := terminal.WaitEnd(); err != nil {
		t.Errorf("%v: %q", err, output)
	}
}

// logrotate moves the logs away with the page's file, again and again while requests come in, and finds each line.
func (s *server) logrotate(t *testing.T) {
	program := testenv.Logrotate(t)
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```logrotate\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no file for logrotate")
	}
	logs := filepath.Join(s.DataDir, "gravity", "log")
	if err := os.Chmod(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "logrotate.conf")
	if err := os.WriteFile(file, bytes.ReplaceAll(block[1], []byte("/srv/galaxy/database"), []byte(s.DataDir)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	counts := make([]int, 4)
	for c := range counts {
		clients.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequest(http.MethodGet, s.URL+"/api/histories", nil)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("X-Request-Id", fmt.Sprintf("line-%d.%d-", c, counts[c]))
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
				counts[c]++
			}
		})
	}
	for range 5 {
		if output, err := exec.Command(program, "--force", "--state", filepath.Join(s.Dir, "logrotate.state"), file).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		s.until("the logs are there again", func() bool {
			for _, name := range []string{"main.web.1", "main.web.2", "orrery"} {
				if _, err := os.Stat(filepath.Join(logs, name+".log")); err != nil {
					return false
				}
			}
			return true
		})
	}
	stop()
	clients.Wait()
	found := map[string]int{}
	mark := regexp.MustCompile(`request=(line-\d+\.\d+-)`)
	wanted := 0
	for _, n := range counts {
		wanted += n
	}
	s.until("the last lines are written", func() bool {
		clear(found)
		files, err := filepath.Glob(filepath.Join(logs, "main.web.*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			for _, m := range mark.FindAllStringSubmatch(string(read(t, name)), -1) {
				found[m[1]]++
			}
		}
		return len(found) >= wanted
	})
	for id, n := range found {
		if n != 1 {
			t.Errorf("the line %s is there %d times", id, n)
		}
	}
	t.Logf("%d lines in 6 files of each process", wanted)
}

// read reads a log, compressed or not.
func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return data
	}
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(unzip); err != nil {
		t.Fatal(err)
	}
	return data
}
