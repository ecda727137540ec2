package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// serverFor runs a server of the kind that the administrator of these sites has: for HTTP by gravity's section, for uWSGI's
// protocol by uWSGI's.
func serverFor(t testing.TB, proxy, protocol string, more map[string]any) *testenv.Instance {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	options := testenv.Options{Settings: map[string]any{"nginx_x_accel_redirect_base": "/_x_accel_redirect"}}
	if proxy == "apache" {
		options.Settings = map[string]any{"apache_xsendfile": true}
	}
	for name, value := range more {
		options.Settings[name] = value
	}
	if protocol == "uwsgi" {
		options.Uwsgi = "    socket: @DIR@/uwsgi.sock\n    chmod-socket: 660"
	} else {
		options.Gravity = map[string]any{"umask": "007", "gunicorn": map[string]any{
			"bind": "127.0.0.1:@PORT@", "extra_args": "--bind unix:@DIR@/gunicorn.sock",
		}}
	}
	server := testenv.Server(t, options)
	// The folders of a test are the test's alone.
	if err := os.Chmod(server.Dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return server
}

// TestBehind runs the server behind each site of docs/proxy.
func TestBehind(t *testing.T) {
	for _, proxy := range []string{"nginx", "apache"} {
		for _, protocol := range []string{"http", "uwsgi"} {
			t.Run(proxy+" "+protocol, func(t *testing.T) {
				server := serverFor(t, proxy, protocol, nil)
				sites := []string{proxy + "-uwsgi.conf"}
				if protocol == "http" {
					sites = []string{proxy + "-http.conf", proxy + "-unix.conf"}
				}
				for _, name := range sites {
					t.Run(name, func(t *testing.T) {
						b := &behind{t: t, server: server, proxy: readSite(t, name).start(server), base: address}
						b.check(strings.NewReplacer(".conf", "", "-", "").Replace(name))
					})
				}
			})
		}
	}
}

// behind is a server behind a proxy.
type behind struct {
	t      testing.TB
	server *testenv.Instance
	proxy  *testenv.WebProxy
	base   string
}

func (b *behind) person() *person { return through(b.t, b.proxy.Client(), b.base) }

func (b *behind) check(user string) {
	b.pages()
	p := b.person()
	cookie := p.register(user)
	if !cookie.Secure || !cookie.HttpOnly {
		b.t.Errorf("the session's cookie is %v", cookie)
	}
	var me struct{ Username string }
	p.call("GET", "/api/users/current", nil, &me)
	if me.Username != user {
		b.t.Errorf("logged in as %q", me.Username)
	}
	history := p.history()
	text := lines(3 << 20)
	dataset := b.upload(p, history, text)
	output := p.run(history, "cat1", dataset)
	p.ok(output)
	b.download(p, output, text)
	b.inside(p, output)
	b.spoof(p, user)
}

// pages are what a browser loads first, over HTTP/2 and TLS.
func (b *behind) pages() {
	t, p := b.t, b.person()
	plain := "http://" + testenv.SiteName
	if a := p.get(plain+"/histories/list?x=1", 301); a.Header.Get("Location") != address+"/histories/list?x=1" {
		t.Errorf("plain HTTP leads to %q", a.Header.Get("Location"))
	}
	page := p.get("/", 200)
	if page.Proto != "HTTP/2.0" || !strings.Contains(page.body, `<div id="app">`) || page.Header.Get("X-Frame-Options") == "" {
		t.Errorf("the page by %s with %v:\n%.300s", page.Proto, page.Header, page.body)
	}
	static := p.get("/static/dist/"+onlyProxy, 200)
	if static.body != "the proxy's own\n" || !strings.Contains(static.Header.Get("Cache-Control"), "immutable") ||
		static.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a static file: %q with %v", static.body, static.Header)
	}
	if style := p.get("/static/dist/base.css", 200); style.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(style.Header.Get("Content-Type"), "text/css") {
		t.Errorf("a static file that may change: %v", style.Header)
	}
	p.get("/static/favicon.svg", 200) // which only the server has
	for _, path := range []string{"/static/dist/../../../../../../../etc/passwd", "/static/dist/%2e%2e/.version", "/static/dist/..%2f.version"} {
		if a := p.do("GET", path, nil); a.StatusCode != 400 && a.StatusCode != 404 {
			t.Errorf("%s answers %s %.100q", path, a.Status, a.body)
		}
	}
	version := p.get("/api/version", 200)
	if !strings.Contains(version.body, "version_major") {
		t.Errorf("/api/version: %s", version.body)
	}
}

// upload sends a text in chunks; the first bytes of a chunk are on the server's disk before the last ones are sent.
func (b *behind) upload(p *person, history, text string) string {
	t := b.t
	at := p.begin(len(text))
	third := len(text) / 3
	p.patch(at, 0, strings.NewReader(text[:third]))
	id := at[strings.LastIndexByte(at, '/')+1:]
	kept := func() int64 {
		var size int64
		_ = filepath.WalkDir(b.server.DataDir, func(name string, entry os.DirEntry, err error) error {
			if err == nil && entry.Name() == id {
				if info, err := entry.Info(); err == nil {
					size = info.Size()
				}
			}
			return nil
		})
		return size
	}
	if kept() != int64(third) {
		t.Fatalf("after the first chunk %d bytes are kept, want %d", kept(), third)
	}
	read, write := io.Pipe()
	sent := make(chan *answer, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), "PATCH", at, read)
		if err == nil {
			request.ContentLength = int64(third) // as of a browser
			for name, value := range patchHeader(third) {
				request.Header.Set(name, value)
			}
			var response *http.Response
			if response, err = p.client.Do(request); err == nil {
				_ = response.Body.Close()
				sent <- &answer{Response: response}
				return
			}
		}
		_ = read.CloseWithError(err)
		sent <- &answer{Response: &http.Response{Status: err.Error()}}
	}()
	if _, err := io.WriteString(write, text[third:third+third/2]); err != nil {
		t.Fatal(err)
	}
	testenv.Poll(t, "half a chunk to come to the server while the rest is not sent yet", 10*time.Second, func() bool {
		return kept() > int64(third)+int64(third)/4
	})
	if _, err := io.WriteString(write, text[third+third/2:2*third]); err != nil {
		t.Fatal(err)
	}
	_ = write.Close() // it never fails
	if a := <-sent; a.StatusCode != http.StatusNoContent {
		t.Fatalf("a slow chunk answers %s", a.Status)
	}
	p.patch(at, 2*third, strings.NewReader(text[2*third:]))
	dataset := p.use(history, at)
	p.ok(dataset)
	return dataset
}

// download gets a dataset whole and in part, and makes sure that the proxy sent it.
func (b *behind) download(p *person, dataset, text string) {
	t := b.t
	path := "/api/datasets/" + dataset + "/display?to_ext=data"
	whole := p.get(path, 200)
	if whole.body != text {
		t.Fatalf("the download has %d bytes, want %d: %.200q", len(whole.body), len(text), whole.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes",
		"Content-Length": fmt.Sprint(len(text)), "X-Accel-Redirect": "", "X-Sendfile": "",
	} {
		if got := strings.Join(whole.Header.Values(name), " and "); got != want {
			t.Errorf("a download's %s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(whole.Header.Get("Content-Disposition"), `attachment; filename="Galaxy2-[`) {
		t.Errorf("a download's name is %q", whole.Header.Get("Content-Disposition"))
	}
	shown := p.get("/datasets/"+dataset+"/display", 200)
	if shown.body != text || !strings.HasPrefix(shown.Header.Get("Content-Type"), "text/plain") ||
		!strings.HasPrefix(shown.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("shown, it has %d bytes and %v", len(shown.body), shown.Header)
	}
	if a := p.get(path, 206, "Range", "bytes=1000-1999"); a.body != text[1000:2000] ||
		a.Header.Get("Content-Range") != fmt.Sprintf("bytes 1000-1999/%d", len(text)) {
		t.Errorf("a range: %q %.100q", a.Header.Get("Content-Range"), a.body)
	}
	if a := p.get(path, 206, "Range", "bytes=-5"); a.body != text[len(text)-5:] {
		t.Errorf("the end: %.100q", a.body)
	}
	p.get(path, 416, "Range", "bytes=99999999-")
	if a := p.do("HEAD", path, nil); a.StatusCode != 200 || a.ContentLength != int64(len(text)) || a.body != "" {
		t.Errorf("HEAD: %s, %d bytes", a.Status, a.ContentLength)
	}
	tag := whole.Header.Get("Etag")
	if tag == "" || p.do("GET", path, nil, "If-None-Match", tag).StatusCode != http.StatusNotModified {
		t.Errorf("what is kept is not known by its tag %q", tag)
	}
	if a := p.do("GET", path, nil, "Range", "bytes=0-9", "If-Range", tag); a.StatusCode != 206 || a.body != text[:10] {
		t.Errorf("going on with what is kept: %s", a.Status)
	}
	// Past the proxy, the server sends it itself; its tag is another than the file's that the proxy sent.
	past := &person{t: t, client: &http.Client{}, base: strings.Replace(b.base, address, b.server.URL, 1), key: testenv.AdminKey}
	own := past.get(path, 200)
	if own.body != text || own.Header.Get("X-Accel-Redirect")+own.Header.Get("X-Sendfile") != "" || own.Header.Get("Etag") == tag {
		t.Errorf("past the proxy: %d bytes with %v, and the tag %s", len(own.body), own.Header, tag)
	}
	if b.isNginx() {
		b.logged("every byte of a download to be nginx's", fmt.Sprintf("200 %d upstream=", len(text)), "/200/0 GET ")
	}
}

func (b *behind) isNginx() bool { return strings.Contains(b.proxy.Dir, "nginx") }

// logged waits for a line of the proxy's access log with all parts.
func (b *behind) logged(what string, parts ...string) {
	b.t.Helper()
	testenv.Poll(b.t, what, 5*time.Second, func() bool {
		for line := range strings.Lines(b.proxy.Log("access")) {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(line, part)
			}
			if found {
				return true
			}
		}
		return false
	})
}

// inside makes sure that what is between server and proxy stays there, and that the server is asked before each download.
func (b *behind) inside(p *person, dataset string) {
	t := b.t
	for _, path := range []string{"/_x_accel_redirect/etc/passwd", "/_x_accel_redirect" + b.server.Config} {
		if a := p.do("GET", address+path, nil); a.StatusCode < 300 || strings.Contains(a.body, "root:") {
			t.Errorf("%s answers %s %.100q", path, a.Status, a.body)
		}
	}
	stranger := b.person()
	var permissions struct{ ID string }
	p.call("GET", "/api/users/current", nil, &permissions)
	p.call("PUT", "/api/datasets/"+dataset+"/permissions", map[string]any{"action": "make_private"}, nil)
	a := stranger.do("GET", "/api/datasets/"+dataset+"/display?to_ext=data", nil)
	if a.StatusCode != 403 && a.StatusCode != 401 || a.Header.Get("X-Accel-Redirect")+a.Header.Get("X-Sendfile") != "" || len(a.body) > 10_000 {
		t.Errorf("a stranger's download answers %s with %d bytes and %v", a.Status, len(a.body), a.Header)
	}
}

// lies are headers by which somebody pretends to be a proxy.
var lies = http.Header{
	"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example.com"}, "X-Forwarded-Port": {"1"},
	"X-Forwarded-Prefix": {"/evil"}, "X-Forwarded-Ssl": {"on"}, "X-Url-Scheme": {"https"}, "X-Forwarded-Protocol": {"ssl"},
	"Forwarded": {"for=203.0.113.7;proto=https;host=evil.example.com"}, "X-Forwarded-Server": {"evil.example.com"},
}

// spoof sends lies through the proxy, and past it from an address that is not trusted.
func (b *behind) spoof(p *person, user string) {
	t := b.t
	p.header = lies
	defer func() { p.header = http.Header{} }()
	if a := p.get("/root/login", 302); !strings.HasPrefix(a.Header.Get("Location"), strings.TrimPrefix(b.base, address)+"/login/start") {
		t.Errorf("a redirection leads to %q", a.Header.Get("Location"))
	}
	p.begin(1) // which checks the address
	// 127.0.0.2 is on this host, too, but not the one that is trusted.
	other := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer other.CloseIdleConnections()
	liar := through(t, other, strings.Replace(b.base, address, b.server.URL, 1))
	liar.header = lies
	if cookie := liar.logIn(user); cookie.Secure {
		t.Errorf("who is not believed gets the cookie %v", cookie)
	}
	liar.begin(1)
	var log string
	testenv.Poll(t, "the address of who is not believed to be in the log", 5*time.Second, func() bool {
		log = b.server.Logs() // lines about requests are written together
		return strings.Contains(log, "from=127.0.0.2")
	})
	if strings.Contains(log, "203.0.113.7") || strings.Contains(log, "evil.example.com") {
		t.Errorf("lies are in the log:\n%s", log)
	}
}
