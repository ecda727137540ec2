package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var answered = Access{
	Time: time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC), Method: "GET", Target: "/api/histories?limit=5", Proto: "HTTP/1.1", Remote: "192.0.2.7",
	Request: "abc", User: 3, Status: 200, Bytes: 1234, Took: 1234567 * time.Nanosecond, Agent: `cu"rl` + "\n",
}

func TestAccessLines(t *testing.T) {
	for _, test := range []struct {
		format Format
		file   bool
		want   string
	}{
		{Text, false, "2026-03-04 05:06:07.089 INFO  main.1: GET /api/histories?limit=5 status=200 bytes=1234 ms=1.234 user=3 from=192.0.2.7 request=abc\n"},
		{Text, true, `192.0.2.7 - 3 [04/Mar/2026:05:06:07 +0000] "GET /api/histories?limit=5 HTTP/1.1" 200 1234 "-" "cu\x22rl\x0a"` + "\n"},
		{JSON, false, `{"time":"2026-03-04T05:06:07.089000Z","level":"INFO","process":"main.1","message":"request","method":"GET","path":"/api/histories?limit=5",` +
			`"status":200,"bytes":1234,"ms":1.234,"user":3,"from":"192.0.2.7","request":"abc","agent":"cu\"rl\n"}` + "\n"},
	} {
		var out bytes.Buffer
		log, err := Open(Options{Process: "main.1", Mirror: &out, Format: test.format})
		if err != nil {
			t.Fatal(err)
		}
		path := ""
		if test.file {
			path = filepath.Join(t.TempDir(), "log", "access.log")
		}
		access, err := log.OpenAccess(path)
		if err != nil {
			t.Fatal(err)
		}
		access.Write(&answered)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		if test.file {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got = string(data)
		}
		if got != test.want {
			t.Errorf("\n got %s\nwant %s", got, test.want)
		}
		if access.Wants(slog.LevelDebug) != test.file {
			t.Errorf("file %v: wants lines of no weight: %v", test.file, !test.file)
		}
	}
}

func TestNoSecretsInTheLog(t *testing.T) {
	for query, want := range map[string]string{
		"":                                "/p",
		"limit=5&offset=1":                "/p?limit=5&offset=1",
		"key=0123&limit=5":                "/p?key=***&limit=5",
		"limit=5&KEY=0123":                "/p?limit=5&KEY=***",
		"limit=5;key=0123":                "/p?limit=5&key=***",
		"k%65y=0123":                      "/p?k%65y=***",
		"key":                             "/p?key",
		"code=abc&state=def&x=1":          "/p?code=***&state=***&x=1",
		"token=" + strings.Repeat("a", 9): "/p?token=***",
	} {
		if got := Redacted("/p", query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}

// TestNoLineIsLost moves the files away again and again, as logrotate does, while lines are written.
func TestNoLineIsLost(t *testing.T) {
	dir := t.TempDir()
	log, err := Open(Options{Process: "main.1", File: filepath.Join(dir, "main.log")})
	if err != nil {
		t.Fatal(err)
	}
	access, err := log.OpenAccess(filepath.Join(dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	stop := log.ReopenOn(syscall.SIGUSR1)
	defer stop()
	const lines = 2000
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range lines {
				log.Info("line", "n", fmt.Sprintf("<%d.%d>", w, i))
				e := answered
				e.Target = fmt.Sprintf("/<%d.%d>", w, i)
				access.Write(&e)
			}
		})
	}
	for i := range 10 {
		for _, name := range []string{"main.log", "access.log"} {
			path := filepath.Join(dir, name)
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"main.log", "access.log"} {
			for { // until it is there again
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	writers.Wait()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(filepath.Base(file), ".")
		for _, mark := range regexp.MustCompile(`<\d+\.\d+>`).FindAllString(string(data), -1) {
			found[kind+mark]++
		}
	}
	for mark, n := range found {
		if n != 1 {
			t.Errorf("%s is there %d times", mark, n)
		}
	}
	if len(found) != 2*4*lines {
		t.Errorf("%d lines of %d", len(found), 2*4*lines)
	}
}

func BenchmarkAccess(b *testing.B) {
	log, err := Open(Options{Process: "main.1", File: "/dev/null"})
	if err != nil {
		b.Fatal(err)
	}
	access, err := log.OpenAccess("")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	e := answered
	for b.Loop() {
		access.Write(&e)
	}
}

func BenchmarkCount(b *testing.B) {
	m := NewMeter("main.1", "web")
	b.ReportAllocs()
	for b.Loop() {
		r := Request{Method: "GET", Path: "/api/version"}
		m.Begin(&r)
		m.End(&r, 200, 50*time.Microsecond, 0, 50)
	}
}
