package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	var out bytes.Buffer
	log, err := Open(Options{Process: "main.1", Mirror: &out, Level: slog.LevelDebug})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		say  func()
		want string
	}{
		{func() { log.Info("ready", "url", "http://localhost:8080") }, "INFO  main.1: ready url=http://localhost:8080"},
		{func() { log.Error("it failed", "error", errors.New("no such file")) }, `ERROR main.1: it failed error="no such file"`},
		{func() { log.Warn("late", "after", 1234567*time.Microsecond, "n", 3, "empty", "") }, `WARN  main.1: late after=1.235s n=3 empty=""`},
		{func() { log.Debug("x\ny", "a b", "c\nd") }, `DEBUG main.1: x\ny "a b"="c\nd"`},
		{func() { log.With("job", 7).WithGroup("g").Info("m", "k", "v") }, "INFO  main.1: m job=7 g.k=v"},
		{func() { log.Info("m", slog.Group("g", "a", 1, slog.Group("h", "b", 2))) }, "INFO  main.1: m g.a=1 g.h.b=2"},
		{func() { log.Log(t.Context(), LevelTrace, "not at this level") }, ""},
		{func() { log.Info(`says "hello"`, "list", []int{1, 2}) }, `INFO  main.1: says "hello" list="[1 2]"`},
	} {
		out.Reset()
		test.say()
		line := strings.TrimSuffix(out.String(), "\n")
		stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} `)
		if test.want != "" && !stamp.MatchString(line) {
			t.Errorf("no time at the beginning of %q", line)
		}
		if got := stamp.ReplaceAllString(line, ""); got != test.want {
			t.Errorf("\n got %s\nwant %s", got, test.want)
		}
	}
	out.Reset()
	log.Info("long", "value", strings.Repeat("x", 100_000))
	if out.Len() > maxValue+200 {
		t.Errorf("a line of %d bytes", out.Len())
	}
}

func TestFileMirrorAndReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "main.log")
	var mirror bytes.Buffer
	log, err := Open(Options{File: path, Mirror: &mirror, MirrorLevel: slog.LevelWarn})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("one")
	log.Warn("two")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := log.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("three")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log.Info("four")
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if old, now := read(path+".1"), read(path); strings.Count(old, "\n") != 2 || !strings.HasSuffix(now, " three\n") || strings.Count(now, "\n") != 1 {
		t.Errorf("before: %q, after: %q", old, now)
	}
	if got := mirror.String(); !strings.HasSuffix(got, "WARN  two\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("mirror: %q", got)
	}
	if _, err := Open(Options{File: "/dev/null/x/y.log"}); err == nil {
		t.Error("a log that cannot be opened is no error")
	}
}

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]slog.Level{"TRACE": LevelTrace, "debug": slog.LevelDebug, "INFO": slog.LevelInfo, "WARNING": slog.LevelWarn, "ERROR": slog.LevelError, "CRITICAL": LevelCritical, "": slog.LevelInfo} {
		if got := ParseLevel(name); got != want {
			t.Errorf("ParseLevel(%q) = %v, want %v", name, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("message\n", "key", "va\"lue\x00")
	f.Add("\xff\u2028", "", "=")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		var out bytes.Buffer
		log, err := Open(Options{Mirror: &out})
		if err != nil {
			t.Fatal(err)
		}
		log.With(key, value).Info(message, key, value)
		if line := out.String(); strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || strings.ContainsAny(line, "\r\x00\x1b") {
			t.Fatalf("not one line: %q", line)
		}
	})
}
