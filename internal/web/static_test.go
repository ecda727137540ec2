package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

func TestStaticMaps(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"static/a.txt": "a", "static/style/base.css": "old", "blue/base.css": "blue", "icon": "icon", "secret": "secret", "static/.hidden": "h",
	} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "static", "link")); err != nil {
		t.Fatal(err)
	}
	maps := SortStaticMaps([]StaticMap{
		{"/static", filepath.Join(dir, "static")}, {"/static/style/", filepath.Join(dir, "blue")}, {"/favicon.ico", filepath.Join(dir, "icon")},
		{"/nowhere", filepath.Join(dir, "nowhere")},
	})
	for path, want := range map[string]string{
		"/static/a.txt": "a", "/static/style/base.css": "blue", "/favicon.ico": "icon", "/static/./style/../a.txt": "a",
		// The site's, or nobody's:
		"/static": "", "/static/": "", "/static/style": "", "/staticfoo": "", "/favicon.ico/x": "", "/static/none": "", "/nowhere/x": "",
		"/static/../secret": "", "/static/..": "", "/static/link": "", "/static/a.txt\x00": "", "/static/..\\secret": "", "/static//a.txt": "a",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		if served := serveFile(maps, w, r); served != (want != "") || w.Body.String() != want {
			t.Errorf("%q: served %v, %q", path, served, w.Body)
		}
	}
	if serveFile(maps, httptest.NewRecorder(), httptest.NewRequest("POST", "/static/a.txt", nil)) {
		t.Error("a file is posted to")
	}
}

func TestHealth(t *testing.T) {
	var draining atomic.Bool
	var pings atomic.Int64
	var broken error
	h := &Health{Draining: draining.Load, Ping: func(context.Context) error { pings.Add(1); return broken }}
	ask := func(path string) int {
		w := httptest.NewRecorder()
		if !h.serve(w, httptest.NewRequest("GET", path, nil), path) {
			return 0
		}
		return w.Code
	}
	for range 5 {
		if live, ready, other := ask("/healthz"), ask("/readyz"), ask("/"); live != 200 || ready != 200 || other != 0 {
			t.Fatalf("%d, %d, %d", live, ready, other)
		}
	}
	if pings.Load() != 1 {
		t.Errorf("the database is asked %d times", pings.Load())
	}
	h.asked, broken = h.asked.Add(-pingAge), errors.New("away")
	if got := ask("/readyz"); got != 503 {
		t.Errorf("without the database: %d", got)
	}
	h.asked, broken = h.asked.Add(-pingAge), nil
	if got := ask("/readyz"); got != 200 {
		t.Errorf("the database is back: %d", got)
	}
	draining.Store(true)
	if live, ready := ask("/healthz"), ask("/readyz"); live != 200 || ready != 503 {
		t.Errorf("draining: %d, %d", live, ready)
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		path, header, want string
		ok                 bool
	}{
		{"/galaxy/api/x", "", "/api/x", true}, {"/galaxy", "", "", true}, {"/galaxyx", "", "/galaxyx", false}, {"/api/x", "", "/api/x", false},
		{"/api/x", "/galaxy", "/api/x", true}, {"/api/x", "/other", "/api/x", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = c.path
		if c.header != "" {
			r.Header = http.Header{"X-Forwarded-Prefix": {c.header}}
		}
		if ok := strip(r, "/galaxy"); ok != c.ok || r.URL.Path != c.want {
			t.Errorf("%s, %q: %s, %v", c.path, c.header, r.URL.Path, ok)
		}
	}
}
