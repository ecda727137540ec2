package web

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/galaxy"
	"orrery/internal/telemetry"
)

// watched is a handler that is observed, with what is told of it.
type watched struct {
	http.Handler
	log   *telemetry.Log
	meter *telemetry.Meter
	lines *bytes.Buffer
}

func watch(t testing.TB, prefix string, level slog.Level, h http.HandlerFunc) *watched {
	t.Helper()
	o := &watched{lines: &bytes.Buffer{}, meter: telemetry.NewMeter("main.1", "web")}
	var err error
	if o.log, err = telemetry.Open(telemetry.Options{Process: "main.1", Mirror: o.lines, Format: telemetry.JSON, Level: level}); err != nil {
		t.Fatal(err)
	}
	access, err := o.log.OpenAccess("")
	if err != nil {
		t.Fatal(err)
	}
	o.Handler = Forwarded(Observe(h, ObserveOptions{Meter: o.meter, Access: access, Prefix: prefix}), Trusted{})
	return o
}

// logged closes the log and gives its lines.
func (o *watched) logged(t *testing.T) (lines []map[string]any) {
	t.Helper()
	if err := o.log.Close(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(o.lines.String()) {
		var values map[string]any
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, values)
	}
	return lines
}

func TestARequestIsToldOf(t *testing.T) {
	var o *watched
	o = watch(t, "/galaxy", slog.LevelInfo, func(w http.ResponseWriter, r *http.Request) {
		noteUser(r.Context(), &galaxy.Actor{User: &galaxy.User{ID: 7}})
		o.log.WarnContext(r.Context(), "within")
		r.URL.Path = "/changed" // as Site does
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "tea")
	})
	r := httptest.NewRequest(http.MethodPost, "/galaxy/api/histories?key=secret&limit=5", strings.NewReader("12345"))
	r.Header.Set("Referer", "http://x/y?token=secret")
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	id := w.Header().Get(RequestIDHeader)
	if len(id) != 32 {
		t.Errorf("the answer's id is %q", id)
	}
	lines := o.logged(t)
	if len(lines) != 2 || lines[0]["message"] != "within" || lines[0]["request"] != id {
		t.Fatalf("lines: %v", lines)
	}
	for key, want := range map[string]any{"method": "POST", "path": "/galaxy/api/histories?key=***&limit=5", "status": 418.0, "bytes": 3.0, "user": 7.0,
		"from": "192.0.2.1", "request": id, "referer": "http://x/y", "level": "INFO"} {
		if lines[1][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[1][key], want)
		}
	}
	var text bytes.Buffer
	o.meter.WritePrometheus(&text)
	for _, want := range []string{`orrery_http_requests_total{route="api/histories",method="POST",status="400"} 1`, "orrery_http_response_bytes_total 3\n",
		"orrery_http_request_bytes_total 5\n", "orrery_http_requests_in_flight 0\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestIdsThatComeIn(t *testing.T) {
	for _, test := range []struct {
		name, peer, id string
		kept           bool
	}{
		{"of a trusted proxy", "@", "abc-1.2", true},
		{"of anyone", "192.0.2.1:5", "abc", false},
		{"with a line's end", "@", "a\nb", false},
		{"too long", "@", strings.Repeat("a", 200), false},
	} {
		o := watch(t, "", slog.LevelInfo, func(http.ResponseWriter, *http.Request) {})
		r := httptest.NewRequest(http.MethodGet, "/api/jobs", nil)
		r.RemoteAddr = test.peer
		r.Header[RequestIDHeader] = []string{test.id}
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		got := w.Header().Get(RequestIDHeader)
		if (got == test.id) != test.kept || got == "" {
			t.Errorf("%s: the id is %q", test.name, got)
		}
		if lines := o.logged(t); len(lines) != 1 || lines[0]["request"] != got {
			t.Errorf("%s: %v", test.name, lines)
		}
	}
}

func TestWhatIsAskedForAllTheTimeIsQuiet(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 1, slog.LevelDebug: 3, slog.LevelWarn: 0} {
		o := watch(t, "", level, func(http.ResponseWriter, *http.Request) {})
		for _, path := range []string{"/api/version", "/static/x.js", "/api/users/current"} {
			o.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		}
		if lines := o.logged(t); len(lines) != want {
			t.Errorf("at %v: %d lines, want %d", level, len(lines), want)
		}
		if o.meter.Stats().Requests != 3 {
			t.Errorf("at %v: %d requests", level, o.meter.Stats().Requests)
		}
	}
}

func TestAPanicIsCounted(t *testing.T) {
	o := watch(t, "", slog.LevelInfo, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the panic is gone")
			}
		}()
		o.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/datasets/1/display", nil))
	}()
	if lines := o.logged(t); len(lines) != 1 || lines[0]["status"] != 499.0 || o.meter.Stats().Active != 0 {
		t.Errorf("%v, %+v", lines, o.meter.Stats())
	}
}

// TestObservedFilesGoFromDiskToNetwork makes sure that a writer's ReadFrom is reached, which sends files by the kernel.
func TestObservedFilesGoFromDiskToNetwork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	o := watch(t, "", slog.LevelInfo, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	w := &readFrom{ResponseRecorder: httptest.NewRecorder()}
	o.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/datasets/1/display", nil))
	if lines := o.logged(t); !w.used || lines[0]["bytes"] != 100_000.0 {
		t.Errorf("ReadFrom used: %v; %v", w.used, lines)
	}
}

type readFrom struct {
	*httptest.ResponseRecorder
	used bool
}

func (r *readFrom) ReadFrom(from io.Reader) (int64, error) {
	r.used = true
	return io.Copy(r.ResponseRecorder, from)
}

func TestHostOf(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "2001:db8::1": "2001:db8::1", "@": "unix", "": "unix"} {
		if got := hostOf(address); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", address, got, want)
		}
	}
}

func BenchmarkObserveVersion(b *testing.B) {
	o := watch(b, "", slog.LevelInfo, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	r := httptest.NewRequest(http.MethodGet, "/api/version", nil)
	w := httptest.NewRecorder()
	w.Body = nil
	b.ReportAllocs()
	for b.Loop() {
		o.ServeHTTP(w, r)
	}
}
