package upload

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"orrery/internal/galaxy"
)

func TestLook(t *testing.T) {
	content := bytes.Repeat([]byte("x"), lookBytes+1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "galaxysession=stolen")
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/script":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		}
	}))
	defer web.Close()
	allowed := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, test := range []struct {
		name, method, address, wanted string
		allowlist                     []netip.Prefix
		status, bytes                 int
		problem                       string
	}{
		{name: "the beginning only", method: "GET", address: web.URL + "/file", allowlist: allowed, status: 200, bytes: lookBytes},
		{name: "headers only", method: "HEAD", address: web.URL + "/file", allowlist: allowed, status: 200},
		{name: "a range", method: "GET", address: web.URL + "/file", wanted: "bytes=3-7", allowlist: allowed, status: 206, bytes: 5},
		{name: "another method is a GET", method: "DELETE", address: web.URL + "/file", wanted: "bytes=0-0", allowlist: allowed, status: 206, bytes: 1},
		{name: "a redirect", method: "GET", address: web.URL + "/elsewhere", wanted: "bytes=0-1", allowlist: allowed, status: 206, bytes: 2},
		{name: "a redirect to a file of the server", method: "GET", address: web.URL + "/script", allowlist: allowed, problem: "cannot be fetched"},
		{name: "inside of the network", method: "GET", address: web.URL + "/file", problem: "fetch_url_allowlist"},
		{name: "a file of the server", method: "GET", address: "file:///etc/passwd", problem: "begins with http"},
		{name: "a header smuggled in", method: "GET", address: web.URL + "/file", wanted: "bytes=0-1\r\nX: y", allowlist: allowed, problem: "Range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			err := (&Service{Allowlist: test.allowlist}).Look(context.Background(), w, test.method, test.address, test.wanted)
			if test.problem != "" {
				if galaxy.KindOf(err) != galaxy.Invalid || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("%v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || w.Body.Len() != test.bytes {
				t.Errorf("status %d with %d bytes, want %d with %d", w.Code, w.Body.Len(), test.status, test.bytes)
			}
			if w.Header().Get("Set-Cookie") != "" || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("headers: %v", w.Header())
			}
		})
	}
}
