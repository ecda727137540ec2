package upload

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/galaxy"
)

// receiver is a server that receives uploads; the header X-Who says who asks.
type receiver struct {
	t   *testing.T
	tus *Tus
	srv *httptest.Server
}

func who(name string) *galaxy.Actor {
	switch name {
	case "ann":
		return &galaxy.Actor{User: &galaxy.User{ID: 1}}
	case "bob":
		return &galaxy.Actor{User: &galaxy.User{ID: 2}}
	case "visitor":
		return &galaxy.Actor{SessionID: 1}
	}
	return &galaxy.Actor{}
}

func newReceiver(t *testing.T, limit int64) *receiver {
	t.Helper()
	tus, err := NewTus(TusOptions{
		Dir: filepath.Join(t.TempDir(), "tus"), MaxBytes: limit,
		Authenticate: func(_ http.ResponseWriter, r *http.Request) (*galaxy.Actor, error) {
			return who(r.Header.Get("X-Who")), nil
		},
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(map[galaxy.Kind]int{galaxy.NotFound: 404, galaxy.Unauthenticated: 401}[galaxy.KindOf(err)])
			_, _ = io.WriteString(w, err.Error())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, tus: tus, srv: httptest.NewServer(tus)}
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) do(name, method, id, body string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.srv.URL+Endpoint+id, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Who", name)
	req.Header.Set("Tus-Resumable", "1.0.0")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

func (r *receiver) create(name string, size int, header ...string) string {
	r.t.Helper()
	res := r.do(name, http.MethodPost, "", "", append([]string{"Upload-Length", fmt.Sprint(size)}, header...)...)
	if res.StatusCode != http.StatusCreated {
		r.t.Fatalf("creating answers %s", res.Status)
	}
	return path.Base(res.Header.Get("Location"))
}

func TestAnUploadInChunksIsResumed(t *testing.T) {
	r := newReceiver(t, 0)
	id := r.create("ann", 10, "Upload-Metadata", ownerKey+" "+base64.StdEncoding.EncodeToString([]byte("user 2")))
	if res := r.do("ann", http.MethodPatch, id, "01234", "Upload-Offset", "0"); res.StatusCode != http.StatusNoContent {
		t.Fatalf("the first chunk: %s", res.Status)
	}
	if _, err := r.tus.Finished(who("ann"), id); err == nil || !strings.Contains(err.Error(), "5 of 10") {
		t.Errorf("an incomplete upload can be used: %v", err)
	}
	// The second chunk is cut off after one byte.
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PATCH %s%s HTTP/1.1\r\nHost: x\r\nX-Who: ann\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 5\r\n"+
		"Content-Type: application/offset+octet-stream\r\nContent-Length: 5\r\n\r\n5", Endpoint, id)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	res := r.do("ann", http.MethodHead, id, "")
	if got := res.Header.Get("Upload-Offset"); got != "6" {
		t.Fatalf("after the cut the offset is %q (%s)", got, res.Status)
	}
	if res := r.do("ann", http.MethodPatch, id, "x", "Upload-Offset", "3"); res.StatusCode != http.StatusConflict {
		t.Errorf("a wrong offset answers %s", res.Status)
	}
	if res := r.do("ann", http.MethodPatch, id, "6789", "Upload-Offset", "6"); res.StatusCode != http.StatusNoContent {
		t.Fatalf("the rest: %s", res.Status)
	}
	if n, err := r.tus.Finished(who("ann"), id); err != nil || n != 10 {
		t.Errorf("finished with %d, %v", n, err)
	}
	if text, err := os.ReadFile(filepath.Join(r.tus.Dir(), id)); err != nil || string(text) != "0123456789" {
		t.Errorf("received %q, %v", text, err)
	}
}

func TestAnEmptyUploadIsComplete(t *testing.T) {
	r := newReceiver(t, 0)
	id := r.create("visitor", 0)
	if n, err := r.tus.Finished(who("visitor"), id); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestUploadsAreTheirOwners(t *testing.T) {
	r := newReceiver(t, 0)
	id := r.create("ann", 4)
	for _, other := range []string{"bob", "visitor", ""} {
		want := http.StatusNotFound
		if other == "" {
			want = http.StatusUnauthorized
		}
		for _, c := range []struct{ method, override string }{
			{"HEAD", ""}, {"PATCH", ""}, {"DELETE", ""}, {"GET", ""}, {"POST", "HEAD"}, {"POST", "PATCH"}, {"POST", "DELETE"},
		} {
			res := r.do(other, c.method, id, "evil", "Upload-Offset", "0", "X-HTTP-Method-Override", c.override,
				"Content-Type", "application/offset+octet-stream", ownerHeader, "user 1")
			if res.StatusCode != want {
				t.Errorf("%q %s %s answers %s", other, c.method, c.override, res.Status)
			}
		}
		if _, err := r.tus.Finished(who(other), id); galaxy.KindOf(err) != galaxy.NotFound {
			t.Errorf("%q may use it: %v", other, err)
		}
	}
	if stat, err := os.Stat(filepath.Join(r.tus.Dir(), id)); err != nil || stat.Size() != 0 {
		t.Errorf("a stranger wrote: %v, %v", stat, err)
	}
	// Joining is not offered: it would read uploads by their ids.
	part := r.create("ann", 0, "Upload-Concat", "partial")
	res := r.do("bob", http.MethodPost, "", "", "Upload-Concat", "final;"+Endpoint+part)
	if res.StatusCode < 400 {
		t.Errorf("joining answers %s", res.Status)
	}
	if res := r.do("", http.MethodPost, "", "", "Upload-Length", "4"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("someone without a session may upload: %s", res.Status)
	}
}

func TestWrongUploadIDs(t *testing.T) {
	r := newReceiver(t, 0)
	for _, id := range []string{"nothing", "..%2f..%2fetc%2fpasswd", "a.info", "a%00b", strings.Repeat("a", 300), "a/b", "%2e%2e"} {
		for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
			if res := r.do("ann", method, id, "", "Upload-Offset", "0"); res.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s answers %s", method, id, res.Status)
			}
		}
	}
	for _, id := range []string{"", "../x", "a.info", "a\x00", "/etc/passwd", strings.Repeat("a", 300)} {
		if _, err := r.tus.Finished(who("ann"), id); galaxy.KindOf(err) != galaxy.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestUploadsBeyondTheLimit(t *testing.T) {
	r := newReceiver(t, 10)
	if res := r.do("ann", http.MethodPost, "", "", "Upload-Length", "11"); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %s", res.Status)
	}
	r = newReceiver(t, 0)
	if res := r.do("ann", http.MethodPost, "", "", "Upload-Length", "9000000000000000"); res.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("larger than the disk: %s", res.Status)
	}
	if left, err := os.ReadDir(r.tus.Dir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeepAndSweep(t *testing.T) {
	r := newReceiver(t, 0)
	kept, err := r.tus.Keep(who("ann"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.tus.Finished(who("ann"), kept); err != nil || n != 4 {
		t.Errorf("kept %d, %v", n, err)
	}
	if _, err := r.tus.Finished(who("bob"), kept); galaxy.KindOf(err) != galaxy.NotFound {
		t.Errorf("another's: %v", err)
	}
	used, fresh := r.create("ann", 0), r.create("ann", 5)
	if err := os.Remove(filepath.Join(r.tus.Dir(), used)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.tus.Finished(who("ann"), used); err == nil || !strings.Contains(err.Error(), "used already") {
		t.Errorf("a used upload: %v", err)
	}
	now := time.Now()
	old := now.Add(-48 * time.Hour)
	for _, name := range []string{kept, kept + ".info", used + ".info", fresh + ".info"} {
		if err := os.Chtimes(filepath.Join(r.tus.Dir(), name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.tus.Sweep(now, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(r.tus.Dir(), "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("after sweeping there are %v, %v", left, err)
	}
}
