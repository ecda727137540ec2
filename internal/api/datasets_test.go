package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/dataset"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func TestDisplay(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	text := s.dataset(h, "plain é/x", "txt", "hello\n")
	table := s.dataset(h, "table", "tabular", "1\t2\n3\t4\n")
	svg := s.dataset(h, "picture", "svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
	page := s.dataset(h, "page", "html", `<html><body onload="x()"><h1>Title</h1><script>alert(1)</script><a href="javascript:x()">l</a></body></html>`)
	binary := s.dataset(h, "bin", "data", "\x00\x01\xff")
	big := s.dataset(h, "big", "txt", strings.Repeat("0123456789\n", 200_000))
	for _, c := range []struct {
		what    string
		path    string
		headers []string
		status  int
		want    map[string]string // headers
		body    string            // all of it, unless empty
		lacks   string
	}{
		{"text", "/api/datasets/" + text + "/display", nil, 200, map[string]string{"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes"}, "hello\n", ""},
		{"download", "/api/datasets/" + text + "/display?to_ext=data", nil, 200, map[string]string{"Content-Type": "application/octet-stream", "Content-Length": "6",
			"Content-Disposition": `attachment; filename="Galaxy1-[plain___x].txt"; filename*=UTF-8''Galaxy1-%5Bplain%20%C3%A9_x%5D.txt`}, "hello\n", ""},
		{"other extension", "/datasets/" + text + "/display?to_ext=fasta", nil, 200, map[string]string{
			"Content-Disposition": `attachment; filename="Galaxy1-[plain___x].fasta"; filename*=UTF-8''Galaxy1-%5Bplain%20%C3%A9_x%5D.fasta`}, "hello\n", ""},
		{"range", "/api/histories/" + h + "/contents/" + text + "/display?to_ext=data", []string{"Range", "bytes=1-2"}, 206, map[string]string{"Content-Range": "bytes 1-2/6"}, "el", ""},
		{"a range beyond", "/api/datasets/" + text + "/display", []string{"Range", "bytes=99-"}, 416, nil, "", ""},
		{"raw", "/api/datasets/" + text + "/display?raw=true", nil, 200, map[string]string{"Content-Type": "application/octet-stream"}, "hello\n", ""},
		{"table in a page", "/api/datasets/" + table + "/display?preview=true", nil, 200, map[string]string{"Content-Type": "application/json", "X-Content-Chunked": "true"}, `{"ck_data":"1\t2\n3\t4\n","offset":8,"data_line_offset":0}`, ""},
		{"chunk", "/api/datasets/" + table + "/display?offset=4&ck_size=2", nil, 200, nil, `{"ck_data":"3\t4\n","offset":8,"data_line_offset":0}`, ""},
		{"a wrong offset", "/api/datasets/" + table + "/display?offset=-4", nil, 400, nil, "", ""},
		{"table", "/api/datasets/" + table + "/display", nil, 200, map[string]string{"Content-Type": "application/octet-stream"}, "1\t2\n3\t4\n", ""},
		{"svg", "/api/datasets/" + svg + "/display", nil, 200, map[string]string{"Content-Type": "text/plain"}, "", ""},
		{"html", "/api/datasets/" + page + "/display?preview=true", nil, 200, map[string]string{"Content-Type": "text/html; charset=utf-8", "X-Sanitized-Tool-Id": "cat1"}, "", "alert"},
		{"binary in a page", "/api/datasets/" + binary + "/display?preview=true", nil, 200, map[string]string{"Content-Type": "text/plain; charset=utf-8"}, "\x00\x01\uFFFD", ""},
		{"big in a page", "/api/datasets/" + big + "/display?preview=true", nil, 200, map[string]string{"X-Content-Truncated": "1000000", "Content-Length": "1000000"}, "", ""},
		{"extra files", "/api/datasets/" + text + "/display?filename=../../x", nil, 404, nil, "", ""},
	} {
		w := s.ask("ann", "GET", c.path, "", c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
			continue
		}
		for k, v := range c.want {
			if w.Header().Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", c.what, k, w.Header().Get(k), v)
			}
		}
		if c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s: %q, want %q", c.what, w.Body, c.body)
		}
		if c.lacks != "" && strings.Contains(w.Body.String(), c.lacks) {
			t.Errorf("%s holds %q: %s", c.what, c.lacks, w.Body)
		}
		head := s.ask("ann", "HEAD", c.path, "", c.headers...)
		if head.Code != c.status || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
			t.Errorf("%s: HEAD gives %d and length %s, GET %d and %s", c.what, head.Code, head.Header().Get("Content-Length"), w.Code, w.Header().Get("Content-Length"))
		}
	}
	csp := func(id string) string {
		return s.ask("ann", "GET", "/api/datasets/"+id+"/display", "").Header().Get("Content-Security-Policy")
	}
	for _, id := range []string{text, svg, page} {
		if !strings.HasPrefix(csp(id), "sandbox") {
			t.Errorf("no sandbox for %s: %q", id, csp(id))
		}
	}
	s.trust["cat1"] = true
	if w := s.ask("ann", "GET", "/api/datasets/"+page+"/display", ""); !strings.Contains(w.Body.String(), "alert") || w.Header().Get("X-Sanitized-Tool-Id") != "" {
		t.Errorf("a trusted tool's HTML was changed: %s", w.Body)
	}
}

func TestDisplayReadsThroughCompression(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	var z bytes.Buffer
	gz := gzip.NewWriter(&z)
	_, _ = gz.Write([]byte("hello\n"))
	_ = gz.Close()
	id := s.dataset(h, "a", "txt", z.String())
	var got struct {
		Data      string `json:"item_data"`
		Truncated bool   `json:"truncated"`
	}
	s.get("ann", "GET", "/api/datasets/"+id+"/get_content_as_text", "", &got)
	if got.Data != "hello\n" || got.Truncated {
		t.Errorf("text %+v", got)
	}
}

func TestExtraFiles(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	id := s.dataset(h, "a", "html", "<p>see</p>")
	row, err := store.HDAByID(t.Context(), s.db, s.decode(id))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := s.objects.ExtraFilesPath(dataset.StoreRef(&row.Dataset))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a.txt": "one", "sub/b.html": "<script>x</script>ok"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.list("ann", "/api/datasets/"+id+"/extra_files"); len(got) != 3 || got[2]["path"] != "sub/b.html" || got[1]["class"] != "Directory" {
		t.Errorf("extra files: %v", got)
	}
	for path, want := range map[string]string{
		"/datasets/" + id + "/display/a.txt":                          "one",
		"/api/datasets/" + id + "/display?filename=/sub/b.html":       "ok",
		"/api/datasets/" + id + "/extra_files/raw/sub/b.html":         "<script>x</script>ok",
		"/api/datasets/" + id + "/display?filename=a.txt&raw=true":    "one",
		"/api/datasets/" + id + "/get_content_as_text?filename=a.txt": `{"item_data":"one","truncated":false,"item_url":"/u/ann/d/` + id + `?preview=False"}`,
	} {
		if w := s.ask("ann", "GET", path, ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
		}
	}
	for _, name := range []string{"..%2F..%2Fx", "sub", "missing", "%2Fetc%2Fpasswd"} {
		if w := s.ask("ann", "GET", "/api/datasets/"+id+"/display?filename="+name, ""); w.Code != 404 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestDatasetsWithoutContents(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	id := s.dataset(h, "a", "txt", "x\n")
	for _, c := range []struct {
		state  string
		status int
	}{{"new", 409}, {"upload", 409}, {"paused", 409}, {"discarded", 400}, {"deferred", 409}, {"ok", 200}} {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE dataset SET state = ?", c.state)
			return err
		})
		if w := s.ask("ann", "GET", "/api/datasets/"+id+"/display", ""); w.Code != c.status {
			t.Errorf("%s: %d %s", c.state, w.Code, w.Body)
		}
	}
	row, err := store.HDAByID(t.Context(), s.db, s.decode(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.objects.Purge(dataset.StoreRef(&row.Dataset)); err != nil {
		t.Fatal(err)
	}
	if w := s.ask("ann", "GET", "/api/datasets/"+id+"/display", ""); w.Code != http.StatusNotFound {
		t.Errorf("a missing file: %d %s", w.Code, w.Body)
	}
}

func TestDeletingDatasetsStopsTheirJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h := s.history("ann", "h")
		a, b := s.dataset(h, "a", "txt", "x\n"), s.dataset(h, "b", "txt", "y\n")
		var job int64
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			if job, err = store.Insert(ctx, tx, "job", store.Values{"tool_id": "slow", "state": "new"}); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "UPDATE job_to_output_dataset SET job_id = ?", job)
			return err
		})
		state := func() (v string) {
			if err := db.QueryRow(t.Context(), "SELECT state FROM job WHERE id = ?", job).Scan(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		s.ask("ann", "DELETE", "/api/datasets/"+a+"?stop_job=true", "")
		if state() != "new" {
			t.Errorf("the job was stopped while one output is wanted: %s", state())
		}
		s.ask("ann", "DELETE", "/api/datasets/"+b+"?stop_job=true", "")
		if state() != "deleted" {
			t.Errorf("the job is %s, want deleted", state())
		}
	})
}

func TestDatasetAnswers(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	id := s.dataset(h, "a", "txt", "x\n")
	storage := s.object("ann", "GET", "/api/datasets/"+id+"/storage", "")
	check(t, "storage", storage, map[string]any{"dataset_state": "ok", "shareable": true, "quota": map[string]any{"source": nil, "enabled": true}, "hashes": []any{}})
	for path, want := range map[string]string{
		"/converted": "{}", "/inheritance_chain": "[]", "?data_type=state": `"data"`, "?data_type=in_use_state": "false",
	} {
		if w := s.ask("ann", "GET", "/api/datasets/"+id+path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
	for _, path := range []string{"/content/meta", "/metadata_file?metadata_file=bam_index", "?view=foo"} {
		if w := s.ask("ann", "GET", "/api/datasets/"+id+path, ""); w.Code != 400 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	got := s.object("ann", "DELETE", "/api/datasets", `{"datasets":[{"src":"hda","id":"`+id+`"}],"purge":true}`)
	check(t, "batch", got, map[string]any{"success_count": 1, "errors": []any{}})
	check(t, "purged", s.object("ann", "GET", "/api/datasets/"+id, ""), map[string]any{"purged": true})
}

// BenchmarkContents reads a page of 100 of a history of 10,000 datasets.
func BenchmarkContents(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.DB{"sqlite": storetest.SQLite, "postgresql": storetest.PostgreSQL} {
		b.Run(name, func(b *testing.B) {
			s := newShelf(b, open(b))
			h := s.history("ann", "h")
			items := make([]store.NewHDA, 10_000)
			for i := range items {
				items[i] = store.NewHDA{Name: fmt.Sprintf("Concatenate datasets on dataset %d", i), Extension: "tabular", State: "ok", Peek: "a\tb\n", Blurb: "1 line"}
			}
			s.write(func(ctx context.Context, tx *store.Tx) error {
				_, err := store.CreateHDAs(ctx, tx, s.decode(h), items)
				return err
			})
			s.write(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, "CREATE INDEX IF NOT EXISTS orrery_hda_history_hid ON history_dataset_association (history_id, hid, id)")
				if err == nil {
					_, err = tx.Exec(ctx, "ANALYZE")
				}
				return err
			})
			path := "/api/histories/" + h + "/contents?v=dev&limit=100&offset=0&order=hid-dsc&q=deleted&qv=false&q=visible&qv=true"
			var page []json.RawMessage
			s.get("ann", "GET", path, "", &page)
			if len(page) != 100 {
				b.Fatalf("%d items", len(page))
			}
			b.ReportAllocs()
			for b.Loop() {
				if w := s.ask("ann", "GET", path, ""); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
