package units

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orrery/internal/config"
	"orrery/internal/deployment"
)

var update = flag.Bool("update", false, "write the golden files anew")

// site derives the services of a configuration in testdata, which lies in /srv/galaxy/server as far as they can tell.
func site(t *testing.T, name string, o Options) (s *Site, dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.*ml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no configuration: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "config", filepath.Base(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return derive(t, dir, o), dir
}

func derive(t *testing.T, dir string, o Options) *Site {
	t.Helper()
	c, _, err := config.Load("config/galaxy.yml", nil, config.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := deployment.NewPlan(c, deployment.EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	if o.Program == "" {
		o.Program = "/usr/local/bin/orrery"
	}
	o.Lookup = func(host string) ([]string, error) {
		if host != "localhost" {
			return nil, fmt.Errorf("%s is not known", host)
		}
		return []string{"::1", "127.0.0.1"}, nil
	}
	s, err := Derive(c, plan, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFilesOfConfigurations(t *testing.T) {
	for _, name := range []string{"dynamic", "static", "mules", "apart"} {
		t.Run(name, func(t *testing.T) {
			s, dir := site(t, name, Options{User: "galaxy"})
			files, err := s.Systemd()
			if err != nil {
				t.Fatal(err)
			}
			conf, err := s.Supervisord()
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, f := range append(files, conf) {
				if owner, ours := Owner(f.Content); !ours || owner != s.Owner || !MayBeOurs(f.Name) {
					t.Errorf("%s is not known as one of ours", f.Name)
				}
				fmt.Fprintf(&b, "==> %s\n%s\n", f.Name, f.Content)
			}
			got := strings.ReplaceAll(b.String(), dir, "/srv/galaxy/server")
			golden := filepath.Join("testdata", name, "units.golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := Diff(golden, string(want), got); d != "" {
				t.Errorf("the files differ (go test ./internal/units -update takes the new ones):\n%s", d)
			}
		})
	}
}

func TestUserModeGivesNobodyElsesRights(t *testing.T) {
	s, _ := site(t, "dynamic", Options{UserMode: true})
	files, err := s.Systemd()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, word := range []string{"\nUser=", "\nGroup=", "ProtectSystem", "SocketUser", "multi-user.target", "CapabilityBoundingSet"} {
			if strings.Contains(f.Content, word) {
				t.Errorf("%s has %q, which the manager of one user refuses", f.Name, word)
			}
		}
	}
}

func TestUnitsNeedAUser(t *testing.T) {
	s, _ := site(t, "static", Options{})
	if _, err := s.Systemd(); err == nil || !strings.Contains(err.Error(), "galaxy_user") {
		t.Errorf("units for root: %v", err)
	}
}

func TestNoValueBringsASettingOfItsOwn(t *testing.T) {
	for _, gravity := range []string{`galaxy_user: "galaxy\nExecStartPre=/bin/evil"`, `galaxy_group: "galaxy\nUser=root"`, `log_namespace: "a\nUser=root"`, `log_dir: "/srv/log\nUser=root"`} {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "config"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config/galaxy.yml"), []byte("gravity:\n  "+gravity+"\ngalaxy:\n  id_secret: a secret of tests\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c, _, err := config.Load("config/galaxy.yml", nil, config.WorkDir(dir))
		if err != nil {
			continue // refused even earlier
		}
		plan, err := deployment.NewPlan(c, deployment.EngineOf(c.Database))
		if err != nil {
			continue
		}
		if s, err := Derive(c, plan, Options{Program: "/usr/local/bin/orrery", User: "galaxy"}); err == nil {
			t.Errorf("%s is taken: %+v", gravity, s)
		}
	}
}

func TestHandlersAreOneServiceWhenTheirNumberIsAllThatDiffers(t *testing.T) {
	for _, test := range []struct {
		name string
		want string
	}{
		{"dynamic", "web[] handler[0 1 2 3] special[0 1]"},
		// handler4 has other tags, which the job configuration says; bigmem and gpu have no number.
		{"static", "web[] handler[1 2 4] job-handler[][bigmem gpu]"},
		{"mules", "web[]"}, // which has the mules
		{"apart", "web[] handler_0[][handler_0] handler_1[][handler_1]"},
	} {
		s, _ := site(t, test.name, Options{User: "galaxy"})
		var got []string
		for _, service := range s.Services {
			one := fmt.Sprint(service.Name, service.Numbers)
			if len(service.Names) > 0 {
				one += fmt.Sprint(service.Names)
			}
			got = append(got, one)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %s, want %s", test.name, strings.Join(got, " "), test.want)
		}
	}
}

func TestStopsTakeAsLongAsTheMerciesSay(t *testing.T) {
	s, _ := site(t, "static", Options{User: "galaxy"})
	for _, service := range s.Services {
		// Two plugins with 60 s each, and margins of our supervisor and of this; the web workers' own is shorter.
		want := 130 * time.Second
		if service.Name == "web" {
			want = 70 * time.Second
		}
		if service.Stop != want {
			t.Errorf("%s has %v to stop, want %v", service.Name, service.Stop, want)
		}
	}
	s, _ = site(t, "mules", Options{User: "galaxy"})
	if web := s.Services[0]; web.Stop != 65*time.Second || signalName(web.StopSignal) != "INT" {
		t.Errorf("uwsgi has %v after SIG%s, want 65s after SIGINT: SIGTERM restarts it", web.Stop, signalName(web.StopSignal))
	}
}

func TestDiff(t *testing.T) {
	before := "a\nb\nc\nd\ne\nf\ng\nh\ni\n"
	after := "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\n"
	want := `--- x
+++ x
@@ -1,5 +1,5 @@
 a
-b
+B
 c
 d
 e
@@ -7,3 +7,4 @@
 g
 h
 i
+j
`
	if got := Diff("x", before, after); got != want {
		t.Errorf("Diff:\n%s\nwant:\n%s", got, want)
	}
	if got := Diff("x", "", "a\n"); got != "--- x\n+++ x\n@@ -1,0 +1,1 @@\n+a\n" {
		t.Errorf("a new file: %q", got)
	}
	if got := Diff("x", before, before); got != "" {
		t.Errorf("nothing changed: %q", got)
	}
}

func TestOwner(t *testing.T) {
	s := &Site{Owner: "/srv/galaxy/config/galaxy.yml"}
	for _, mark := range []string{"#", ";"} {
		if owner, ours := Owner(s.head(mark) + "[x]\n"); !ours || owner != s.Owner {
			t.Errorf("with %q: %q, %v", mark, owner, ours)
		}
	}
	for _, text := range []string{"", "[Unit]\nDescription=x\n", "# Configuration: /x\n# y\nz\n"} {
		if _, ours := Owner(text); ours {
			t.Errorf("%q counts as ours", text)
		}
	}
}

func TestQuotes(t *testing.T) {
	for _, test := range []struct{ word, systemd, shell string }{
		{"plain", "plain", "plain"},
		{"", `""`, "''"},
		{"two words", `"two words"`, "'two words'"},
		{`a"b`, `"a\"b"`, `'a"b'`},
		{`it's`, `"it's"`, `'it'"'"'s'`},
		{"100%", "100%%", "100%"},
		{"$HOME", "$$HOME", "'$HOME'"},
		{"a ;b #c", `"a ;b #c"`, "'a '';b ''#c'"},
		{"x" + number, "x%i", "x" + number},
	} {
		if got := systemdWord(test.word, true); got != test.systemd {
			t.Errorf("systemd: %q is written %s, want %s", test.word, got, test.systemd)
		}
		if got := shellWord(test.word); got != test.shell {
			t.Errorf("shell: %q is written %s, want %s", test.word, got, test.shell)
		}
	}
}

// FuzzWords: whatever a word is, systemd and a shell read it as it was meant.
func FuzzWords(f *testing.F) {
	for _, word := range []string{"", "plain", `a "b" 'c' \ %i $HOME ; #`, "100%", "a\tb\nc", " ;x", "ä€"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.Contains(word, number) {
			return // no argument of a program holds it
		}
		if got := unquoteSystemd(t, systemdWord(word, true)); got != word {
			t.Errorf("systemd reads %q for %q", got, word)
		}
		if strings.ContainsAny(word, "\n\r") {
			return // which no line of supervisord holds; see program
		}
		written := percent(shellWord(word))
		if strings.Contains(written, " ;") || strings.Contains(written, " #") || strings.Contains(written, "\t;") || strings.Contains(written, "\t#") {
			t.Errorf("%q is written %s, of which supervisord cuts a part off", word, written)
		}
		if got := unquoteShell(t, strings.ReplaceAll(written, "%%", "%")); got != word {
			t.Errorf("a shell reads %q for %q", got, word)
		}
	})
}

// unquoteSystemd reads one word as systemd.syntax(7) says.
func unquoteSystemd(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	quoted := strings.HasPrefix(text, `"`)
	if quoted {
		if len(text) < 2 || !strings.HasSuffix(text, `"`) {
			t.Fatalf("%s has an open quote", text)
		}
		text = text[1 : len(text)-1]
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.HasPrefix(text[i:], `\x`):
			n, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c = byte(n)
			i += 3
		case c == '\\', c == '%', c == '$':
			i++
			if i == len(text) || c != '\\' && text[i] != c {
				t.Fatalf("%s: %c means something to systemd", text, c)
			}
			c = text[i]
		case c == '"', !quoted && strings.ContainsRune(" \t'\"", rune(c)):
			t.Fatalf("%s: %q stands bare", text, c)
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unquoteShell reads one word as a POSIX shell does, and Python's shlex.
func unquoteShell(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	quote := byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
		case c == ' ' || c == '\t' || c == '\\' || c == '#' || c == ';':
			t.Fatalf("%s: %q stands bare", text, c)
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		t.Fatalf("%s has an open quote", text)
	}
	return b.String()
}
