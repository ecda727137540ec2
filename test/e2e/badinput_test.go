package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orrery/internal/testenv"
)

// TestBrokenConfiguration starts the server on files that cannot be meant so. It says where and what would be right,
// ends with a status, and leaves nothing behind.
func TestBrokenConfiguration(t *testing.T) {
	binary := testenv.Binary(t)
	for _, test := range []struct {
		name, text string
		says       []string
	}{
		{"not YAML", "galaxy:\n  admin_users: [me@example.org\n", []string{"galaxy.yml:2:", "not valid YAML"}},
		{"a tab", "gravity:\n  gunicorn:\n\tworkers: 2\n", []string{"galaxy.yml:3:", "tab"}},
		{"a list", "- galaxy\n", []string{"galaxy.yml:1:", "galaxy:"}},
		{"a wrong type", "galaxy:\n  brand: X\n  require_login: perhaps\n", []string{"galaxy.yml:3:", "require_login takes true or false", `"perhaps"`}},
		{"a wrong number", "gravity:\n  gunicorn:\n    workers: many\n", []string{"galaxy.yml:3:", "workers takes a whole number", `"many"`}},
		{"an impossible port", "gravity:\n  gunicorn:\n    bind: localhost:99999\n", []string{"galaxy.yml:3:", "localhost:99999", "65535"}},
		{"an unknown database", "galaxy:\n  database_connection: oracle://x\n", []string{"galaxy.yml:2:", "postgresql://"}},
		{"no such toolbox", "galaxy:\n  tool_config_file: nowhere.xml\n", []string{"galaxy.yml:2:", "tool_config_file", "nowhere.xml"}},
		{"a wrong id secret", "galaxy:\n  id_secret: x\n", []string{"galaxy.yml:2:", "id_secret", "5 to 56"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "galaxy.yml")
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, "run", "-c", file)
			cmd.Dir = dir
			output, err := cmd.CombinedOutput()
			var status *exec.ExitError
			if !errors.As(err, &status) || !status.Exited() {
				t.Fatalf("the server ended with %v, want an exit status; it said\n%s", err, output)
			}
			contains(t, "the server", string(output), test.says...)
			if _, err := os.Stat(filepath.Join(dir, "database", "universe.sqlite")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a database was made: %v", err)
			}
		})
	}
}

const brokenToolConf = `<toolbox>
  <section id="test" name="Test">
    <tool file="@DIR@/missing.xml"/>
    <tool file="@DIR@/malformed.xml"/>
    <tool file="@DIR@/syntax.xml"/>
    <tool file="@DIR@/unset.xml"/>
    <tool file="@DIR@/absent.xml"/>
    <tool file="@DIR@/good.xml"/>
  </section>
</toolbox>
`

func oneOutput(id, command string) string {
	return `<tool id="` + id + `" name="` + id + `" version="1.0">
  <command detect_errors="exit_code"><![CDATA[` + command + `]]></command>
  <inputs><param name="word" type="text" value="hello" label="Word"/></inputs>
  <outputs><data name="out" format="txt"/></outputs>
</tool>
`
}

// TestBrokenTools starts the server on a toolbox with tools that cannot work. It runs, says in its log which file is
// wrong, and a job of such a tool ends with a message that tells its author what to mend.
func TestBrokenTools(t *testing.T) {
	for _, layout := range layouts() {
		t.Run(layout.name, func(t *testing.T) {
			layout.options.Files = map[string]string{
				"tool_conf.xml": brokenToolConf,
				"malformed.xml": "<tool id=\"malformed\" name=\"M\">\n  <command>x</commando>\n</tool>\n",
				"syntax.xml":    oneOutput("syntax", "echo begin\n#if $word\necho '$word' > '$out'\n"),
				"unset.xml":     oneOutput("unset", "echo '$wrod' > '$out'"),
				"absent.xml":    oneOutput("absent", "no_such_program_at_all '$word' > '$out'"),
				"good.xml":      oneOutput("good", "echo '$word' > '$out'"),
			}
			layout.options.Settings = map[string]any{"tool_config_file": "@DIR@/tool_conf.xml"}
			own := testenv.Server(t, layout.options)
			p := newPerson(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own}, "author")
			contains(t, "the log", own.Logs(), "missing.xml", "malformed.xml")
			p.refused("GET", "/api/tools/missing", nil, 404)
			p.refused("GET", "/api/tools/malformed", nil, 404)
			history := p.newHistory("Broken tools")
			p.refused("POST", "/api/tools", map[string]any{"history_id": history, "tool_id": "malformed", "inputs": map[string]any{}}, 404)
			for _, test := range []struct {
				tool string
				says []string
			}{
				{"syntax", []string{"#if", "line 2"}},
				{"unset", []string{"wrod"}},
				{"absent", []string{"no_such_program_at_all", "not found"}},
			} {
				m := p.run(history, test.tool, map[string]any{"word": "well"})
				d := p.ended(m.Outputs[0].ID)
				if d.State != "error" {
					t.Errorf("the output of %s is %s, want error", test.tool, d.State)
				}
				contains(t, "the output of "+test.tool, d.Info, test.says...)
				var job struct{ State string }
				p.must("GET", "/api/jobs/"+m.Jobs[0].ID, nil, &job)
				if job.State != "error" {
					t.Errorf("the job of %s is %s, want error", test.tool, job.State)
				}
			}
			p.ok(p.run(history, "good", map[string]any{"word": "well"}).Outputs[0].ID, "well\n")
		})
	}
}

// TestNames uploads files under names that are paths, hold a NUL or are longer than the database's column.
func TestNames(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		p := newPerson(t, s, "namer")
		history := p.newHistory("Names")
		long := strings.Repeat("ü", 300)
		for i, test := range []struct{ name, want string }{
			{"../../../../etc/passwd", "passwd"},
			{`..\..\boot.ini`, `boot.ini`},
			{"/etc/shadow", "shadow"},
			{"a\x00b.txt", "b.txt"},
			{long, strings.Repeat("ü", 230)},
			{"<script>alert(1)</script>", "script"},
			{"new\nline\r.txt", "line"},
			{"\u202egpj.exe", "gpj.exe"},
		} {
			content := strings.Repeat("x", i+1) + "\n"
			check := func(way, dataset string) {
				t.Helper()
				p.ok(dataset, content)
				d := p.show(dataset)
				contains(t, way+" of "+test.name, d.Name, test.want)
				if strings.ContainsRune(d.Name, 0) || utf8.RuneCountInString(d.Name) > 255 || !utf8.ValidString(d.Name) {
					t.Errorf("%s: the dataset is called %q", way, d.Name)
				}
				// The file that a browser makes of it is in the folder for downloads.
				file := p.downloadName(dataset)
				if file == "" || strings.ContainsAny(file, "/\\\x00\n\r\u202e") || len(file) > 255 {
					t.Errorf("%s: a browser would save %q as %q", way, d.Name, file)
				}
			}
			check("paste", p.paste(history, test.name, content))
			check("chunks", p.fetchUploaded(history, test.name, p.sendFile(test.name, content)))
		}
	})
}
