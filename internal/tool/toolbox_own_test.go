package tool

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const ownToolbox = "../../tools"

func TestOwnToolbox(t *testing.T) {
	b := openBox(t, ownToolbox, Options{})
	s := b.Snapshot()
	for _, n := range s.Notices {
		t.Error(n)
	}
	if got := outline(t, s, "", AudienceAnonymous); got != "getext(upload1@1.1.7) textutil(cat1@1.0.0 Cut1@1.0.2 Show beginning1@1.0.2 Show tail1@1.0.1 random_lines1@2.0.2 wc_gnu@1.0.0) filter(Grep1@1.0.4 sort1@1.2.0) group(join_columns@1.0.0) checks(fail_on_purpose@1.0.0)" {
		t.Error(got)
	}
	if _, ok := s.Lookup("__DATA_FETCH__", "", false); !ok {
		t.Error("__DATA_FETCH__ cannot be run")
	}
	for _, e := range s.Entries() {
		tool, err := s.Tool(e)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range tool.Warnings {
			t.Error(w)
		}
		if e.OldID == "upload1" || e.OldID == "__DATA_FETCH__" {
			continue
		}
		if len(tool.Tests) == 0 || tool.Help == "" {
			t.Errorf("%s has no test or no help", e.ID)
		}
		for _, tc := range tool.Tests {
			d := tool.testDescription(tc)
			for _, f := range d {
				if f.key == "exception" && f.value != nil {
					t.Errorf("%s, test %d: %v", e.ID, tc.Index+1, f.value)
				}
			}
			var names []string
			for _, in := range tc.Inputs {
				if in.Attrs["ftype"] != "" {
					names = append(names, in.Value.(string))
				}
			}
			for _, o := range tc.Outputs {
				if o.File != "" {
					names = append(names, o.File)
				}
			}
			for _, n := range names {
				if _, err := os.Stat(filepath.Join(ownToolbox, "test-data", n)); err != nil {
					t.Errorf("%s, test %d: %v", e.ID, tc.Index+1, err)
				}
			}
		}
	}
}

// TestOwnScripts runs the awk programs of the tools as their commands do.
func TestOwnScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("runs awk")
	}
	data := func(name string) string { return filepath.Join(ownToolbox, "test-data", name) }
	for name, c := range map[string]struct {
		script, input, want string
		env                 []string
		fails               string
	}{
		"cut":                 {script: "cut.awk", input: "planets.tabular", want: "cut_three_one.tabular", env: []string{"COLUMN_LIST=C3,c1", "DELIMITER=T"}},
		"cut by comma":        {script: "cut.awk", input: "planets.csv", want: "cut_comma.tabular", env: []string{"COLUMN_LIST=c1-c2, c9", "DELIMITER=C"}},
		"cut column 0":        {script: "cut.awk", input: "planets.tabular", env: []string{"COLUMN_LIST=c0", "DELIMITER=T"}, fails: "counted from 1"},
		"cut nothing":         {script: "cut.awk", input: "planets.tabular", env: []string{"COLUMN_LIST=", "DELIMITER=T"}, fails: "no column is named"},
		"cut far too much":    {script: "cut.awk", input: "planets.tabular", env: []string{"COLUMN_LIST=c1-c999999999", "DELIMITER=T"}, fails: "too long"},
		"cut with an attack":  {script: "cut.awk", input: "planets.tabular", env: []string{`COLUMN_LIST=c1"; system("id"); "`, "DELIMITER=T"}, fails: "is no column"},
		"join":                {script: "join.awk", input: "planets.tabular", want: "join_moons.tabular", env: []string{"SECOND=" + data("moons.tabular"), "FIRST_COLUMN=1", "SECOND_COLUMN=2", "UNMATCHED=no"}},
		"join, all":           {script: "join.awk", input: "planets.tabular", want: "join_all.tabular", env: []string{"SECOND=" + data("moons.tabular"), "FIRST_COLUMN=1", "SECOND_COLUMN=2", "UNMATCHED=yes"}},
		"join without second": {script: "join.awk", input: "planets.tabular", env: []string{"SECOND=/nowhere", "FIRST_COLUMN=1", "SECOND_COLUMN=2"}, fails: "cannot be read"},
		"random":              {script: "random_lines.awk", input: "planets.tabular", want: "random_three.tabular", env: []string{"SEED_TEXT=orrery", "LINES_WANTED=3", "LINES_TOTAL=9", "LC_ALL=C"}},
		"random, all":         {script: "random_lines.awk", input: "planets.tabular", want: "planets.tabular", env: []string{"SEED_TEXT=", "LINES_WANTED=9", "LINES_TOTAL=9"}},
		"random, too many":    {script: "random_lines.awk", input: "planets.tabular", env: []string{"SEED_TEXT=a", "LINES_WANTED=10", "LINES_TOTAL=9"}, fails: "the dataset has 9"},
	} {
		in, err := os.Open(data(c.input))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("awk", "-f", filepath.Join(ownToolbox, "text", c.script))
		cmd.Stdin, cmd.Env = in, append(os.Environ(), c.env...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		in.Close()
		if c.fails != "" {
			if err == nil || !strings.Contains(stderr.String(), c.fails) {
				t.Errorf("%s: %v, %s", name, err, stderr.String())
			}
			continue
		}
		want, rerr := os.ReadFile(data(c.want))
		if rerr != nil {
			t.Fatal(rerr)
		}
		if err != nil || string(out) != string(want) {
			t.Errorf("%s: %v %s\n%s", name, err, stderr.String(), out)
		}
	}
}
