package upload

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bench is a place to carry orders out.
type bench struct {
	t     *testing.T
	dir   string
	order Order
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	b.order = Order{Uploads: filepath.Join(b.dir, "uploads"), Temp: filepath.Join(b.dir, "temp"), CheckContent: true, Report: filepath.Join(b.dir, "report")}
	for _, d := range []string{b.order.Uploads, b.order.Temp, filepath.Join(b.dir, "objects")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// fetch brings elements in and gives what became of them.
func (b *bench) fetch(elements ...Element) []Result {
	b.t.Helper()
	b.order.Items = nil
	for i, e := range elements {
		if e.Ext == "" {
			e.Ext = "auto"
		}
		b.order.Items = append(b.order.Items, Item{Element: e, Output: fmt.Sprintf("output%d", i), Dataset: filepath.Join(b.dir, "objects", fmt.Sprint(i))})
	}
	text, err := json.Marshal(b.order)
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.dir, "order")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := Fetch(b.t.Context(), file, io.Discard); err != nil {
		b.t.Fatal(err)
	}
	if text, err = os.ReadFile(b.order.Report); err != nil {
		b.t.Fatal(err)
	}
	var results []Result
	if err := json.Unmarshal(text, &results); err != nil || len(results) != len(elements) {
		b.t.Fatalf("the report %s: %v", text, err)
	}
	left, err := os.ReadDir(b.order.Temp)
	if err != nil || len(left) > 0 {
		b.t.Errorf("left behind: %v, %v", left, err)
	}
	return results
}

func (b *bench) data(i int) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "objects", fmt.Sprint(i)))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *bench) upload(id, text string) Element {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.order.Uploads, id), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return Element{Src: "files", Upload: id}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const fastq = "@r1\nACGT\n+\nIIII\n"

func TestFetchedData(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(b.dir, "outside.txt")
	if err := os.WriteFile(outside, []byte("a b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		e         Element
		ext, text string
	}{
		{"pasted", Element{Src: "pasted", PasteContent: "a\tb\nc\td\n"}, "tabular", "a\tb\nc\td\n"},
		{"DOS lines", Element{Src: "pasted", PasteContent: "a\r\nb", ToPosixLines: true}, "txt", "a\nb\n"},
		{"spaces", Element{Src: "pasted", PasteContent: "a b\nc d\n", SpaceToTab: true}, "tabular", "a\tb\nc\td\n"},
		{"a type", Element{Src: "pasted", PasteContent: "a\tb\n", Ext: "txt"}, "txt", "a\tb\n"},
		{"nothing", Element{Src: "pasted"}, "data", ""},
		{"an empty file", b.upload("empty", ""), "data", ""},
		{"a file", b.upload("one", "x\ty\n1\t2\n"), "tabular", "x\ty\n1\t2\n"},
		{"gzip of text", func() Element { e := b.upload("gz", gzipped(t, "x\ty\n1\t2\n")); e.AutoDecompress = true; return e }(), "tabular", "x\ty\n1\t2\n"},
		{"gzip of fastq", func() Element { e := b.upload("fq", gzipped(t, fastq)); e.AutoDecompress = true; return e }(), "fastqsanger.gz", gzipped(t, fastq)},
		{"gzip kept", b.upload("kept", gzipped(t, "x\ty\n1\t2\n")), "binary", gzipped(t, "x\ty\n1\t2\n")},
		{"a path", Element{Src: "path", Path: outside}, "txt", "a b\n"},
	} {
		r := b.fetch(c.e)[0]
		if r.Error != "" || r.Ext != c.ext && c.ext != "data" {
			t.Errorf("%s: %+v, want %s", c.name, r, c.ext)
		}
		if r.Error == "" && b.data(0) != c.text {
			t.Errorf("%s holds %q, want %q", c.name, b.data(0), c.text)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a file that is not ours was taken away: %v", err)
	}
	if left, err := os.ReadDir(b.order.Uploads); err != nil || len(left) > 0 {
		t.Errorf("uploads are left: %v, %v", left, err)
	}
}

func TestOneFailureLeavesTheOthers(t *testing.T) {
	b := newBench(t)
	fifo := filepath.Join(b.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	b.order.MaxBytes = 100
	results := b.fetch(
		Element{Src: "pasted", PasteContent: "first\n"},
		Element{Src: "files", Upload: "missing"},
		Element{Src: "files", Upload: "../report"},
		Element{Src: "pasted", PasteContent: strings.Repeat("x", 101)},
		Element{Src: "path", Path: fifo},
		Element{Src: "path", Path: "/dev/zero"},
		Element{Src: "pasted", PasteContent: "<html><script>alert(1)</script></html>"},
		Element{Src: "other"},
		func() Element {
			e := b.upload("bomb", gzipped(t, strings.Repeat("x\n", 100000)))
			e.AutoDecompress = true
			return e
		}(),
		Element{Src: "pasted", PasteContent: "last\n"},
	)
	for i, want := range []string{"", "send it again", "malformed", "larger than", "not a file", "not a file", "HTML", "unknown source", "", ""} {
		switch {
		case i == 8: // any clear refusal
			if results[i].Error == "" {
				t.Error("a file that is huge when decompressed was accepted")
			}
		case want == "" && results[i].Error != "", want != "" && !strings.Contains(results[i].Error, want):
			t.Errorf("element %d: %q, want %q", i, results[i].Error, want)
		}
	}
	if b.data(0) != "first\n" || b.data(9) != "last\n" {
		t.Error("what was right did not arrive")
	}
}

func TestAddressesInsideAreNotFetched(t *testing.T) {
	var hits int
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hits++; _, _ = io.WriteString(w, "inner\n") }))
	defer inside.Close()
	u, err := url.Parse(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Port()
	b := newBench(t)
	var elements []Element
	hosts := []string{"127.0.0.1", "[::1]", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "[::]",
		"169.254.169.254", "10.0.0.1", "user:pw@127.0.0.1", "LOCALHOST.", "127.0.0.1.nip.invalid"}
	for _, h := range hosts {
		elements = append(elements, Element{Src: "url", URL: "http://" + h + ":" + port + "/"})
	}
	for i, r := range b.fetch(elements...) {
		if r.Error == "" || !strings.Contains(r.Error, "cannot be fetched") {
			t.Errorf("%s was fetched: %+v", hosts[i], r)
		}
	}
	if hits != 0 {
		t.Errorf("the server inside was asked %d times", hits)
	}
	// Only what the administrator allows, also behind a redirect.
	b.order.Allowlist = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"/v6": "http://[::1]:" + port, "/two": "http://127.0.0.2:" + port, "/file": "file:///etc/passwd", "/ok": inside.URL}[r.URL.Path]
		if r.URL.Path == "/loop" {
			to = "/loop"
		}
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "part")
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer outer.Close()
	results := b.fetch(Element{Src: "url", URL: inside.URL + "/x"}, Element{Src: "url", URL: outer.URL + "/ok"}, Element{Src: "url", URL: outer.URL + "/v6"},
		Element{Src: "url", URL: outer.URL + "/two"}, Element{Src: "url", URL: outer.URL + "/file"}, Element{Src: "url", URL: outer.URL + "/loop"},
		Element{Src: "url", URL: outer.URL + "/missing"}, Element{Src: "url", URL: outer.URL + "/cut"})
	for i, want := range []string{"", "", "inside of the server's own network", "inside of the server's own network", "http", "too often", "404", "cannot be fetched"} {
		if want == "" && (results[i].Error != "" || b.data(i) != "inner\n") || !strings.Contains(results[i].Error, want) {
			t.Errorf("result %d: %+v, want %q", i, results[i], want)
		}
	}
	if hits != 2 {
		t.Errorf("the server inside was asked %d times, want 2", hits)
	}
}

func TestTooLargeDownloadsEnd(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", "1000000")
		}
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	b := newBench(t)
	b.order.MaxBytes = 10000
	b.order.Allowlist = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for _, r := range b.fetch(Element{Src: "url", URL: endless.URL}, Element{Src: "url", URL: endless.URL + "/known"}) {
		if !strings.Contains(r.Error, "accepts") {
			t.Errorf("%+v", r)
		}
	}
}

// A large upload must not be held in memory.
func TestALargeUploadKeepsMemoryFlat(t *testing.T) {
	b := newBench(t)
	for name, gz := range map[string]bool{"plain": false, "gzip": true} {
		f, err := os.Create(filepath.Join(b.order.Uploads, name))
		if err != nil {
			t.Fatal(err)
		}
		var w io.WriteCloser = f
		if gz {
			w, _ = gzip.NewWriterLevel(f, gzip.BestSpeed) // the level is valid
		}
		line := []byte(strings.Repeat("chr1\t100\t200\tname with spaces\r\n", 1000))
		for range 200 << 20 / len(line) {
			if _, err := w.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r := b.fetch(Element{Src: "files", Upload: name, ToPosixLines: true, SpaceToTab: true, AutoDecompress: true})[0]
		runtime.ReadMemStats(&after)
		if r.Error != "" {
			t.Fatalf("%s: %+v", name, r)
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
			t.Errorf("%s: the heap grew by %d MB", name, grown>>20)
		}
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 100 {
			t.Errorf("%s: %d MB were allocated in all", name, allocated)
		}
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	b := newBench(t)
	err := ExplainLocal(fmt.Errorf("writing: %w", &os.PathError{Op: "write", Path: "x", Err: unix.ENOSPC}))
	if !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%v", err)
	}
	if os.Geteuid() != 0 || unix.Mount("tmpfs", b.order.Temp, "tmpfs", 0, "size=64k") != nil {
		return // a small disk cannot be mounted here
	}
	defer func() { _ = unix.Unmount(b.order.Temp, unix.MNT_DETACH) }()
	results := b.fetch(Element{Src: "pasted", PasteContent: strings.Repeat("x\n", 100000)}, Element{Src: "pasted", PasteContent: "x\n"})
	if !strings.Contains(results[0].Error, "disk is full") || results[1].Error != "" {
		t.Errorf("%+v", results)
	}
}
