package api_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/api"
	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/history"
	"orrery/internal/objectstore"
	"orrery/internal/store/storetest"
)

func TestOffload(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	var err error
	// Names that both proxies would take for something else if they were not encoded.
	root := filepath.Join(t.TempDir(), "ob jects%41?é#+")
	if s.objects, err = objectstore.Open(objectstore.Options{Root: root}); err != nil {
		t.Fatal(err)
	}
	h := s.history("ann", "h")
	text := s.dataset(h, "text", "txt", "hello\n")
	page := s.dataset(h, "page", "html", "<p>hello</p>")
	svg := s.dataset(h, "picture", "svg", "<svg/>")
	deleted := s.dataset(h, "deleted", "txt", "secret\n")
	if w := s.ask("ann", "DELETE", "/api/datasets/"+deleted, ""); w.Code != http.StatusNoContent {
		t.Fatal(w.Code, w.Body)
	}
	const ours, direct = "X-Forwarded-For: 192.0.2.1", ""
	passedOn := func(r *http.Request) bool { return r.Header.Get("X-Forwarded-For") != "" }
	nginx, apache := api.Offload{AccelBase: "/_x_accel_redirect/", Proxied: passedOn}, api.Offload{Sendfile: true, Proxied: passedOn}
	for _, test := range []struct {
		what    string
		offload api.Offload
		who     string
		header  string
		path    string
		status  int
		by      string // the header that hands the file over
		headers map[string]string
	}{
		{"nginx", nginx, "ann", ours, "/api/datasets/" + text + "/display?to_ext=data", 200, "X-Accel-Redirect",
			map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
				"Content-Disposition": `attachment; filename="Galaxy1-[text].txt"; filename*=UTF-8''Galaxy1-%5Btext%5D.txt`}},
		{"Apache", apache, "ann", ours, "/api/datasets/" + text + "/display", 200, "X-Sendfile",
			map[string]string{"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"}},
		{"SVG is text, and may be handed over", apache, "ann", ours, "/api/datasets/" + svg + "/display", 200, "X-Sendfile",
			map[string]string{"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"}},
		{"the old address", nginx, "ann", ours, "/datasets/" + text + "/display?to_ext=data", 200, "X-Accel-Redirect", nil},
		{"of a history", nginx, "ann", ours, "/api/histories/" + h + "/contents/" + text + "/display", 200, "X-Accel-Redirect", nil},
		{"past the proxy", nginx, "ann", direct, "/api/datasets/" + text + "/display", 200, "", nil},
		{"a preview of HTML", nginx, "ann", ours, "/api/datasets/" + page + "/display?preview=true", 200, "", nil},
		{"a piece of a table", nginx, "ann", ours, "/api/datasets/" + text + "/get_content_as_text", 200, "", nil},
		{"what others may not see", nginx, "bob", ours, "/api/datasets/" + deleted + "/display", 400, "", nil},
		{"what is not there", nginx, "ann", ours, "/api/datasets/" + text + "/display?filename=x", 404, "", nil},
		{"no proxy sends files", api.Offload{}, "ann", ours, "/api/datasets/" + text + "/display", 200, "", nil},
	} {
		t.Run(test.what, func(t *testing.T) {
			service := &dataset.Service{DB: s.db, Objects: s.objects, Types: datatype.Default(), Log: slog.New(slog.DiscardHandler)}
			s.router = api.NewRouter(s.actors, s.ids, service.Log)
			printer := &api.Printer{DB: s.db, Types: service.Types, Objects: s.objects}
			(&api.Datasets{Service: service, Printer: printer, Offload: test.offload}).Register(s.router)
			(&api.Histories{Service: &history.Service{DB: s.db, Datasets: service}, Printer: printer, Offload: test.offload}).Register(s.router)
			var header []string
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				header = []string{name, value}
			}
			w := s.ask(test.who, "GET", test.path, "", header...)
			if w.Code != test.status {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			for _, name := range []string{"X-Accel-Redirect", "X-Sendfile"} {
				if (w.Header().Get(name) != "") != (name == test.by) {
					t.Errorf("%s is %q", name, w.Header().Get(name))
				}
			}
			for name, want := range test.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if test.by == "" {
				return
			}
			if w.Body.Len() != 0 || w.Header().Get("Etag") != "" || w.Header().Get("Last-Modified") != "" {
				t.Errorf("besides there are %d bytes and %v", w.Body.Len(), w.Header())
			}
			sent := strings.TrimPrefix(w.Header().Get(test.by), "/_x_accel_redirect")
			file, err := url.PathUnescape(sent)
			if err != nil || !strings.HasPrefix(file, root+"/") || strings.ContainsAny(sent, " ?#") || !strings.Contains(sent, "%2541") {
				t.Errorf("the path is %q: %v", sent, err)
			}
		})
	}
}
