package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"--file a word -v":           "file=a verbose words=word",
		"word --file=a --verbose":    "file=a verbose words=word",
		"-fa -v":                     "file=a verbose words=",
		"-vf a":                      "file=a verbose words=",
		"-vf=a":                      "file=a verbose words=",
		"-file a":                    "file=a words=",
		"-verbose -- --file a":       "verbose words=--file,a",
		"--verb -":                   "verbose words=-",
		"--verbose=false":            "words=",
		"--file -":                   "file=- words=",
		"--file=":                    "words=",
		"--nonsense":                 "error: there is no option --nonsense",
		"-x":                         "error: there is no option -x",
		"--file":                     "error: --file needs a value",
		"-f":                         "error: -f needs a value",
		"--fi a":                     "error: --fi may be --file or --fill",
		"--fill a":                   "error: --fill=a: parse error",
		"-h":                         "error: flag: help requested",
		"word --help --nonsense":     "error: flag: help requested",
		"--file one --file two -v w": "file=two verbose words=w",
	} {
		fs := newFlags("test")
		var file string
		var verbose bool
		fs.StringVar(&file, "f", "", "")
		fs.StringVar(&file, "file", "", "")
		fs.BoolVar(&verbose, "v", false, "")
		fs.BoolVar(&verbose, "verbose", false, "")
		fs.Int("fill", 0, "")
		words, err := parse(fs, strings.Fields(line))
		got := ""
		if file != "" {
			got += "file=" + file + " "
		}
		if verbose {
			got += "verbose "
		}
		got += "words=" + strings.Join(words, ",")
		if err != nil {
			got = "error: " + err.Error()
			var status *statusError
			if !errors.Is(err, flag.ErrHelp) && (!errors.As(err, &status) || status.status != exitUsage) {
				t.Errorf("%s: %v is no error of usage", line, err)
			}
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"-c\x00file", "--bind=a\x00word\x00-w4", "-\x00--\x00-x", "--=\x00-=\x00---", "-vvv\x00-f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		fs := newFlags("fuzz")
		fs.String("f", "", "")
		fs.Bool("v", false, "")
		fs.String("bind", "", "")
		args := strings.Split(line, "\x00")
		words, err := parse(fs, args)
		if err == nil && len(words) > len(args) {
			t.Errorf("%q became %q", args, words)
		}
	})
}

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string][]string{
		"":                               nil,
		"  -b :80   -w 4 ":               {"-b", ":80", "-w", "4"},
		`--env 'A=b c' --bind="x y"z`:    {"--env", "A=b c", "--bind=x yz"},
		`a\ b '' "\""`:                   {"a b", "", `"`},
		`'galaxy.webapps:factory()' --p`: {"galaxy.webapps:factory()", "--p"},
	} {
		if got, err := splitCommand(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`'a`, `"a`, `a\`} {
		if got, err := splitCommand(line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`--env 'A=b c' --bind="x y"z \`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitCommand(line)
		if err == nil && len(strings.Join(words, "")) > len(line) {
			t.Errorf("%q became %q", line, words)
		}
	})
}

// Every page has its sections and every option of its command, and no option is
// without a word about it.
func TestPages(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		for _, name := range append([]string{c.name}, c.aliases...) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if c.hidden {
			continue
		}
		if c.group == "" || c.summary == "" || len(c.synopsis) == 0 || len(c.about) == 0 {
			t.Errorf("%s has no group, summary, synopsis or description", c.name)
		}
		fs, err := flagsOf(c)
		if err != nil || fs == nil {
			t.Errorf("%s does not tell its options: %v", c.name, err)
			continue
		}
		var page bytes.Buffer
		if err := c.page(&page, "orrery", fs); err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"NAME\n", "\nSYNOPSIS\n", "\nDESCRIPTION\n", "\nEXIT STATUS\n", "\nFILES\n"} {
			if !strings.Contains(page.String(), section) {
				t.Errorf("the page of %s has no section %q", c.name, section)
			}
		}
		for _, o := range optionsOf(fs) {
			if strings.TrimSpace(o.Usage) == "" || strings.HasPrefix(o.Usage, "the same as") {
				t.Errorf("%s: nothing is said about %v", c.name, o.names)
			}
			for _, name := range o.names {
				if !strings.Contains(page.String(), dashed(name)) {
					t.Errorf("the page of %s does not mention %s", c.name, dashed(name))
				}
			}
		}
		for line := range strings.Lines(page.String()) {
			if n := len([]rune(strings.TrimSpace(line))); n > pageWidth && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "orrery") && !strings.Contains(line, "$ ") {
				t.Errorf("%s: a line of %d: %s", c.name, n, line)
			}
		}
	}
}

// The document of commands names every command.
func TestDocumentNamesCommands(t *testing.T) {
	text, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		if !c.hidden && !strings.Contains(string(text), "`orrery "+c.name) {
			t.Errorf("docs/commands.md does not name orrery %s", c.name)
		}
	}
}

func TestOtherNames(t *testing.T) {
	for line, want := range map[string]string{
		"galaxyctl -c f status":            "status -c f",
		"galaxyctl --config-file=f reload": "graceful -c f",
		"galaxyctl --state-dir d -d list":  "list --state-dir d --debug",
		"galaxyctl --user configs":         "list",
		"galaxyctl --version":              "version",
		"galaxy -c f":                      "galaxy -c f",
		"galaxy galaxy -c f":               "galaxy -c f",
		"galaxy-main -c f":                 "handler -c f",
		"galaxy-main worker -c f":          "worker -c f",
		"uwsgi --yaml f":                   "uwsgi --yaml f",
		"uwsgi probe 1 uwsgi --yaml f":     "probe 1 uwsgi --yaml f",
		"whatever get":                     "show",
		"orrery --debug run":               "run",
		"orrery -c":                        "2 -c needs a value",
		"orrery -x run":                    "2 there is no option -x before a command",
	} {
		words := strings.Fields(line)
		c, args, status, err := choose(words[0], words[1:])
		got := ""
		switch {
		case c != nil:
			got = strings.Join(append([]string{c.name}, args...), " ")
		default:
			got = strconv.Itoa(status) + " " + err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
}

// sink is a writer that tests wait on.
type sink struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	select {
	case s.grew <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *sink) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		s.mu.Lock()
		got := s.text.String()
		s.mu.Unlock()
		if strings.Contains(got, text) {
			return
		}
		select {
		case <-s.grew:
		case <-deadline:
			t.Fatalf("%q never came, only:\n%s", text, got)
		}
	}
}

func TestFollowSurvivesRotation(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.log"), filepath.Join(dir, "two.log")
	add := func(path, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = io.WriteString(f, text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add(one, "long ago\nfirst\nsecond\n")
	ctx, cancel := context.WithCancel(t.Context())
	out := &sink{grew: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() { done <- follow(ctx, out, []string{one, two}, 2) }()
	out.await(t, "==> "+one+" <==\nfirst\nsecond\n")
	add(two, "it is there now\n")
	out.await(t, "==> "+two+" <==\nit is there now\n")
	add(one, "half ")
	add(one, "a line\n")
	out.await(t, "half a line\n")
	if err := os.Rename(one, one+".1"); err != nil {
		t.Fatal(err)
	}
	add(one+".1", "the last of the old\n")
	add(one, "the first of the new\n")
	out.await(t, "the first of the new\n")
	if err := os.Truncate(one, 0); err != nil {
		t.Fatal(err)
	}
	add(one, "cut\n")
	out.await(t, "cut\n")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	text := out.text.String()
	if strings.Contains(text, "long ago") || !strings.Contains(text, "the last of the old\n") || strings.Count(text, "second\n") != 1 {
		t.Errorf("what was followed is\n%s", text)
	}
}

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "galaxy.pid")
	// What a crash left behind, with the id of a living process of others.
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := writePID(path)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := pidIn(path); err != nil || pid != os.Getpid() {
		t.Errorf("it holds %d, %v", pid, err)
	}
	if _, err := writePID(path); err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second one: %v", err)
	}
	if err := first.remove(); err != nil {
		t.Fatal(err)
	}
	if pid, err := pidIn(path); err != nil || pid != 0 {
		t.Errorf("after its removal: %d, %v", pid, err)
	}
	if err := os.WriteFile(path, []byte("my thesis"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := writePID(path); err == nil {
		t.Error("a file that is no pid file was overwritten")
	}
	if err := removeStale(path); err == nil {
		t.Error("a file that is no pid file was removed")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "my thesis" {
		t.Errorf("it holds %q, %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := writePID(path); err == nil {
		t.Error("a link was followed")
	}
}

func TestStatusInWords(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	reports := []supervisor.Report{{Name: "orrery", PID: 7, Version: "1", Since: at, Processes: []supervisor.ProcessReport{
		{Name: "main.1", Kind: deployment.Web, State: "ready", PID: 8, Since: at.Add(time.Minute), Memory: 15_400_000},
		{Name: "handler_0", Kind: deployment.Handler, State: "crashing", Restarts: 5, Detail: "it ended with status 1"},
	}}}
	for _, c := range []struct {
		names  []string
		status int
		lines  []string
	}{
		{nil, exitFailed, []string{"PROCESS STATE PID UPTIME RESTARTS MEMORY DETAIL", "orrery running 7 1h0m supervisor, version 1",
			"main.1 ready 8 59m0s 0 15 MB", "handler_0 crashing 5 it ended with status 1"}},
		{[]string{"gunicorn"}, exitOK, []string{"PROCESS STATE PID UPTIME RESTARTS MEMORY DETAIL", "orrery running 7 1h0m supervisor, version 1", "main.1 ready 8 59m0s 0 15 MB"}},
		{[]string{"nobody"}, exitUsage, nil},
	} {
		var out bytes.Buffer
		control := &control{out: &out, errors: io.Discard, reports: reports}
		err := control.status(c.names, at.Add(time.Hour))
		status := exitOK
		var with *statusError
		switch {
		case errors.As(err, &with):
			status = with.status
		case err != nil:
			status = exitFailed
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		if status != c.status || !reflect.DeepEqual(lines, c.lines) {
			t.Errorf("status %v: %d, %v\n%s", c.names, status, err, strings.Join(lines, "\n"))
		}
	}
}

func TestCompleteWithoutServer(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("galaxy.yml", []byte("gravity:\n  handlers:\n    special:\n      processes: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"orrery gra":                    "graceful",
		"galaxyctl -c galaxy.yml st":    "start status stop",
		"orrery -c ":                    ":files",
		"orrery stop sp":                "special_0 special_1",
		"orrery stop g":                 "gunicorn",
		"orrery completion ":            "bash zsh fish",
		"orrery start --log-f":          "--log-file",
		"orrery start --log-file ":      ":files",
		"orrery start --log-file=x":     ":files",
		"orrery links ":                 ":folders",
		"orrery pool dr":                "drain",
		"orrery pool jobs --state q":    "queued",
		"galaxy-main --attach-to-pool ": "job-handlers job-handlers.",
		"uwsgi --zer":                   "--zerg --zerg-pool",
		"orrery nonsense ":              "",
		"orrery help sta":               "start status",
	} {
		words := strings.Split(line, " ")
		var got []string
		for _, one := range complete(words[0], words[1:]) {
			name, _, _ := strings.Cut(one, "\t")
			got = append(got, name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", line, got, want)
		}
	}
}
