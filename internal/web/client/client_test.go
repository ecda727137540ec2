package client

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// folder writes an unpacked client as fetch-client leaves it, with files of our own making.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(".version", "galaxy-web-client==26.1.2 sha256:00 \n")
	write("secret", "outside of dist")
	write("dist/base.css", strings.Repeat("body{color:red}", 200))
	write("dist/libs.bundled.js", "export {}")
	write("dist/analysis.bundled.js", strings.Repeat("let a=1;", 1000))
	write("dist/GLink-bXMHPSVb.js", strings.Repeat("let b=1;", 1000))
	write("dist/GLink-bXMHPSVb.js.gz", string(gzipped(t, "from disk")))
	write("dist/assets/font-BQhdFMY1.woff2", strings.Repeat("x", 4000))
	write("dist/.vite/manifest.json", "{}")
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "dist", "link.js")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, dir string) *Client {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(c *Client, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	r.URL.Path = target // as it is, also what no URL parser would let through
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeStatic(w, r)
	return w
}

func TestStaticFiles(t *testing.T) {
	c := open(t, folder(t))
	if c.Missing() != "" || c.Version() != "26.1.2" {
		t.Fatalf("missing %q, version %q", c.Missing(), c.Version())
	}
	for _, test := range []struct{ path, contentType, cache string }{
		{"/static/dist/base.css", "text/css; charset=utf-8", "no-cache"},
		{"/static/dist/analysis.bundled.js", "text/javascript; charset=utf-8", "no-cache"},
		{"/static/dist/GLink-bXMHPSVb.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/static/dist/assets/font-BQhdFMY1.woff2", "font/woff2", "public, max-age=31536000, immutable"},
		{"/static/favicon.svg", "image/svg+xml", "no-cache"},
		{"/favicon.ico", "image/vnd.microsoft.icon", "no-cache"},
		{"/static/favicon.ico", "image/vnd.microsoft.icon", "no-cache"},
		{"/static/welcome.html", "text/html; charset=utf-8", "no-cache"},
		{"/robots.txt", "text/plain; charset=utf-8", "no-cache"},
	} {
		t.Run(test.path, func(t *testing.T) {
			w := get(c, test.path)
			if w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Fatalf("status %d, %d bytes", w.Code, w.Body.Len())
			}
			if got := w.Header().Get("Content-Type"); got != test.contentType {
				t.Errorf("content type %q, want %q", got, test.contentType)
			}
			if got := w.Header().Get("Cache-Control"); got != test.cache {
				t.Errorf("cache control %q, want %q", got, test.cache)
			}
			tag := w.Header().Get("Etag")
			if again := get(c, test.path, "If-None-Match", tag); tag == "" || again.Code != http.StatusNotModified {
				t.Errorf("with its own tag %q: status %d, want 304", tag, again.Code)
			}
		})
	}
}

func TestNothingElseIsServed(t *testing.T) {
	c := open(t, folder(t))
	for _, path := range []string{
		"/static/", "/static", "/static/dist", "/static/dist/", "/static/dist/assets", "/static/dist/assets/",
		"/static/../secret", "/static/dist/../../secret", "/static/dist/..%2f..%2fsecret", "/static/dist/./base.css",
		"/static//dist/base.css", "/static/dist/base.css/", "/static/dist/base.css\x00", "/static/.version",
		"/static/dist/.vite/manifest.json", "/static/dist/link.js", "/static/dist/GLink-bXMHPSVb.js.gz", "/static//etc/passwd",
	} {
		if w := get(c, path); w.Code != http.StatusNotFound {
			t.Errorf("%q: status %d, want 404", path, w.Code)
		}
	}
}

func TestCompression(t *testing.T) {
	c := open(t, folder(t))
	for _, test := range []struct{ path, accept, encoding string }{
		{"/static/dist/GLink-bXMHPSVb.js", "gzip, deflate, br", "gzip"}, // the copy on disk
		{"/static/dist/base.css", "gzip", "gzip"},                       // compressed here
		{"/static/dist/base.css", "gzip", "gzip"},                       // and kept
		{"/static/dist/base.css", "gzip;q=0", ""},
		{"/static/dist/base.css", "", ""},
		{"/static/dist/libs.bundled.js", "gzip", ""},            // too small to gain anything
		{"/static/dist/assets/font-BQhdFMY1.woff2", "gzip", ""}, // is compressed already
	} {
		w := get(c, test.path, "Accept-Encoding", test.accept)
		if got := w.Header().Get("Content-Encoding"); w.Code != 200 || got != test.encoding {
			t.Errorf("%s accepting %q: status %d, encoding %q, want %q", test.path, test.accept, w.Code, got, test.encoding)
			continue
		}
		if test.encoding == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			want := get(c, test.path).Body.String()
			if strings.HasSuffix(test.path, "GLink-bXMHPSVb.js") {
				want = "from disk"
			}
			if string(plain) != want {
				t.Errorf("%s: the compressed form is of another content", test.path)
			}
		}
	}
	if w := get(c, "/static/dist/base.css", "Accept-Encoding", "gzip", "Range", "bytes=0-3"); w.Code != 206 || w.Body.String() != "body" {
		t.Errorf("a range: status %d, body %q", w.Code, w.Body)
	}
}

func TestOldCompressedCopyIsIgnored(t *testing.T) {
	dir := folder(t)
	packed := filepath.Join(dir, "dist", "GLink-bXMHPSVb.js.gz")
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(packed, long, long); err != nil {
		t.Fatal(err)
	}
	w := get(open(t, dir), "/static/dist/GLink-bXMHPSVb.js", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := io.ReadAll(z); !strings.HasPrefix(string(plain), "let b=1;") {
		t.Errorf("served %q", plain)
	}
}

func TestClientReplacedWhileServing(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "dist")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/static/dist/base.css", "/static/dist/GLink-bXMHPSVb.js"} {
		w := get(c, path)
		if w.Code != 500 || !strings.Contains(w.Body.String(), "Restart the server") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, %v, %q", path, w.Code, w.Header(), w.Body)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	c := open(t, folder(t))
	w := httptest.NewRecorder()
	c.ServeStatic(w, httptest.NewRequest(http.MethodPost, "/static/dist/base.css", nil))
	if w.Code != 405 {
		t.Errorf("POST of a file: %d", w.Code)
	}
	w = httptest.NewRecorder()
	c.ServePage(w, httptest.NewRequest(http.MethodPost, "/", nil), Page{})
	if w.Code != 405 {
		t.Errorf("POST of a page: %d", w.Code)
	}
}

func page(c *Client, target string, p Page) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServePage(w, httptest.NewRequest(http.MethodGet, target, nil), p)
	return w
}

func TestPage(t *testing.T) {
	c := open(t, folder(t))
	w := page(c, "/", Page{Root: "/", Brand: "Our <lab>", SessionCSRFToken: "0123abcd"})
	body := w.Body.String()
	for _, want := range []string{
		`<title>Galaxy | Our &lt;lab&gt;</title>`,
		`const session_csrf_token = "0123abcd";`,
		`<div id="app"></div>`,
		`<link rel="index" href="/">`,
		`href="/static/dist/base.css?v=26.1.2"`,
		`<script type="module" src="/static/dist/libs.bundled.js"></script>`,
		`<script type="module" src="/static/dist/analysis.bundled.js"></script>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s:\n%s", want, body)
		}
	}
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
	if w := page(c, "/", Page{Root: "/galaxy/"}); !strings.Contains(w.Body.String(), `src="/galaxy/static/dist/libs.bundled.js"`) {
		t.Errorf("under a prefix:\n%s", w.Body)
	}
}

func TestPageCannotBeBrokenOutOf(t *testing.T) {
	c := open(t, folder(t))
	for _, evil := range []string{`</script><script>alert(1)</script>`, `"-alert(1)-"`, "\u2028alert(1)", `'><img src=x onerror=alert(1)>`} {
		body := page(c, "/", Page{Root: "/" + evil, Brand: evil, SessionCSRFToken: evil}).Body.String()
		if n := strings.Count(body, "<script"); n != 3 {
			t.Errorf("%q: %d script elements in\n%s", evil, n, body)
		}
		if strings.Contains(body, "<img") || strings.Contains(body, "\"\u2028alert") {
			t.Errorf("%q: not escaped in\n%s", evil, body)
		}
	}
}

func TestWithoutClient(t *testing.T) {
	unfinished := t.TempDir()
	if err := os.MkdirAll(filepath.Join(unfinished, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	notFolder := t.TempDir()
	if err := os.WriteFile(filepath.Join(notFolder, "dist"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, says string }{
		"nothing":      {filepath.Join(t.TempDir(), "client"), "there is no folder"},
		"unfinished":   {unfinished, "has no dist/base.css"},
		"not a folder": {notFolder, "is not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, test.dir)
			if !strings.Contains(c.Missing(), test.says) {
				t.Fatalf("missing: %q, want %q", c.Missing(), test.says)
			}
			w := page(c, "/", Page{Root: "/"})
			if w.Code != 503 || !strings.Contains(w.Body.String(), "make client") || !strings.Contains(w.Body.String(), "/api/version") {
				t.Errorf("status %d\n%s", w.Code, w.Body)
			}
			if w := get(c, "/static/dist/base.css"); w.Code != 404 || !strings.Contains(w.Body.String(), "make client") {
				t.Errorf("a file: status %d, %s", w.Code, w.Body)
			}
			if w := get(c, "/favicon.ico"); w.Code != 200 {
				t.Errorf("our own pictures: status %d", w.Code)
			}
		})
	}
}

func TestWelcome(t *testing.T) {
	for _, test := range []struct{ configured, location string }{
		{"", "/galaxy/static/welcome.html"},
		{"/static/our.html", "/galaxy/static/our.html"},
		{"https://example.org/news", "https://example.org/news"},
		{"//example.org/news", "//example.org/news"},
		{"javascript:alert(1)", "/galaxy/static/welcome.html"},
		{"://", "/galaxy/static/welcome.html"},
	} {
		w := httptest.NewRecorder()
		RedirectToWelcome(w, httptest.NewRequest(http.MethodGet, "/welcome", nil), "/galaxy", test.configured)
		if w.Code != 302 || w.Header().Get("Location") != test.location {
			t.Errorf("%q: status %d to %q, want %q", test.configured, w.Code, w.Header().Get("Location"), test.location)
		}
	}
}

func TestContext(t *testing.T) {
	answers, err := NewAnswers(DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	ServeContext(w, Context{Config: answers.For(false), User: Anonymous{NiceTotalDiskUsage: "0 bytes"}})
	var got struct {
		Config map[string]any `json:"config"`
		Token  *string        `json:"session_csrf_token"`
		User   map[string]any `json:"user"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Config["is_admin_user"] != false || got.Token != nil || got.User["id"] != nil || len(got.User) != 4 {
		t.Errorf("token %v, user %v", got.Token, got.User)
	}
}

func TestIsPage(t *testing.T) {
	for _, path := range []string{
		"/", "/login/start", "/register/start", "/histories/list", "/histories/list/", "/datasets/f2db41e1fa331b3e/details",
		"/datasets/f2db41e1fa331b3e", "/datasets/list", "/workflows/list", "/workflows/invocations", "/workflows/invocations/abc",
		"/workflows/invocations/abc/steps/1", "/workflows/abc/invocations", "/admin", "/admin/users", "/admin/data_manager",
		"/admin/data_manager/jobs/x", "/admin/notifications", "/user", "/user/information", "/user/notifications/preferences",
		"/libraries", "/libraries/folders/F1/dataset/2", "/jobs/abc/view", "/histories/abc/pages/def", "/tours/core.history",
		"/visualizations/display", "/upload/links", "/published/history", "/storage/history/abc", "/root",
	} {
		if !IsPage(path) {
			t.Errorf("%s is a page of the client", path)
		}
	}
	for _, path := range []string{
		"", "//", "login/start", "/api/version", "/static/dist/base.css", "/datasets/f2db41e1fa331b3e/display", "/welcome",
		"/login/start/x", "/nosuch", "/nosuch/x", "/histories//export", "/admin/nosuch", "/context", "/history/current_history_json",
		"/jobs/abc", "/" + strings.Repeat("user/", 2000),
	} {
		if IsPage(path) {
			t.Errorf("%s is no page of the client", path)
		}
	}
}

func TestConfigurationHasGalaxysKeys(t *testing.T) {
	recorded, err := os.ReadFile("testdata/configuration.json") // keys and Python types of a Galaxy 26.1.2
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]string
	if err := json.Unmarshal(recorded, &want); err != nil {
		t.Fatal(err)
	}
	configuration := DefaultConfiguration()
	configuration.VersionMajor, configuration.VersionMinor = "26.1", "2"
	configuration.ServerStartTime = 1795341435
	answers, err := NewAnswers(configuration)
	if err != nil {
		t.Fatal(err)
	}
	for who, admin := range map[string]bool{"anonymous": false, "admin": true} {
		var got map[string]any
		if err := json.Unmarshal(answers.For(admin), &got); err != nil {
			t.Fatal(err)
		}
		for key, typeName := range want[who] {
			value, ok := got[key]
			if !ok {
				t.Errorf("%s: no %s", who, key)
				continue
			}
			if value == nil || typeName == "NoneType" {
				continue // either may be unset
			}
			if python := pythonType(value); python != typeName {
				t.Errorf("%s: %s is a %s, Galaxy's is a %s", who, key, python, typeName)
			}
		}
		for key := range got {
			if _, ok := want[who][key]; !ok {
				t.Errorf("%s: Galaxy has no %s", who, key)
			}
		}
		if got["is_admin_user"] != admin {
			t.Errorf("%s: is_admin_user is %v", who, got["is_admin_user"])
		}
	}
}

func pythonType(value any) string {
	switch value := value.(type) {
	case bool:
		return "bool"
	case string:
		return "str"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	case float64:
		if value == float64(int64(value)) && value != 475 && value != 0 {
			return "int"
		}
		return "float"
	}
	return fmt.Sprintf("%T", value)
}

func TestConfigurationByKeys(t *testing.T) {
	configuration := DefaultConfiguration()
	configuration.Brand = "Lab"
	configuration.LibraryImportDir = "/data/import"
	answers, err := NewAnswers(configuration)
	if err != nil {
		t.Fatal(err)
	}
	got, err := answers.Only(false, []string{"brand", "library_import_dir", "nosuch", "terms_url"})
	if err != nil || string(got) != `{"brand":"Lab","terms_url":null}` {
		t.Errorf("everyone: %s, %v", got, err)
	}
	got, err = answers.Only(true, []string{"library_import_dir"})
	if err != nil || string(got) != `{"library_import_dir":"/data/import"}` {
		t.Errorf("admin: %s, %v", got, err)
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true,
		"*;q=0": false, "*, gzip;q=0": false, "br": false, "gzip;q=x": false, "identity": false, "x-gzip": true,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func FuzzServeStatic(f *testing.F) {
	for _, seed := range []string{"/static/dist/base.css", "/static/../secret", "/static/dist/\x00", "/favicon.ico", "/static//"} {
		f.Add(seed, "gzip", "bytes=0-1")
	}
	c := open(f, folder(f))
	f.Fuzz(func(t *testing.T, path, accept, ranges string) {
		w := get(c, path, "Accept-Encoding", accept, "Range", ranges)
		if w.Code == http.StatusInternalServerError || strings.Contains(w.Body.String(), "outside of dist") {
			t.Fatalf("%q: %d %s", path, w.Code, w.Body)
		}
	})
}

func FuzzIsPage(f *testing.F) {
	for _, seed := range pages {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if IsPage(path) && strings.HasPrefix(path, "/api/") {
			t.Fatalf("%q hides the API", path)
		}
	})
}
