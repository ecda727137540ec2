package jobdir_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/jobdir"
)

func TestFoldersAreLaidOutAsGalaxyDoes(t *testing.T) {
	for _, c := range []struct {
		job  int64
		want string
	}{
		{7, "/j/000/7"}, {999, "/j/000/999"}, {1000, "/j/001/1000"}, {12345, "/j/012/12345"},
		{999999, "/j/999/999999"}, {1000000, "/j/001/000/1000000"}, {1234567, "/j/001/234/1234567"},
	} {
		if got := jobdir.Of("/j", c.job).Path; got != c.want {
			t.Errorf("job %d: %s, want %s", c.job, got, c.want)
		}
	}
}

func TestQuoteKeepsAnyTextOneWord(t *testing.T) {
	for _, s := range []string{"", "a b", "it's", "$(id)", "`id`", "a\nb", `\`, "''", "*"} {
		out, err := exec.Command("bash", "-c", "printf %s "+jobdir.Quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q (%v)", s, out, err)
		}
	}
}

func TestLongOutputKeepsBothEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	text := "begin" + strings.Repeat("x", 1000) + "end"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := jobdir.ReadBounded(path, 100)
	if err != nil || !strings.HasPrefix(got, "begin") || !strings.HasSuffix(got, "end") || len(got) > 200 {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := jobdir.ReadBounded(path+"missing", 100); got != "" || err != nil {
		t.Errorf("a missing file gave %q, %v", got, err)
	}
}

func TestANULByteIsRefused(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 1)
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(1, jobdir.Script{Command: "echo \x00"}); err == nil {
		t.Error("a script with a NUL byte was written")
	}
}

func TestOnlyTheServersOwnVariablesAreKeptFromJobs(t *testing.T) {
	got := jobdir.Environ([]string{"PATH=/bin", "ORRERY_READY_FD=3", "LISTEN_FDS=1", "GALAXY_CONFIG_OVERRIDE_ID_SECRET=x"})
	if len(got) != 1 || got[0] != "PATH=/bin" {
		t.Errorf("got %v", got)
	}
}

func attempt(t *testing.T, d jobdir.Dir, n int, s jobdir.Script) {
	t.Helper()
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(n, s); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, d jobdir.Dir, n int) {
	t.Helper()
	if out, err := exec.Command("bash", d.Script(n)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestAVoidAttemptNeverRuns(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 7)
	attempt(t, d, 1, jobdir.Script{Command: "echo ran >>../count"})
	for range 2 { // the second time it is void already
		if void, err := d.Void(1); err != nil || !void {
			t.Fatalf("void %v, %v", void, err)
		}
	}
	run(t, d, 1)
	if _, err := os.Stat(filepath.Join(d.Path, "count")); !os.IsNotExist(err) {
		t.Error("it ran")
	}
	attempt(t, d, 2, jobdir.Script{Command: "echo ran >>../count"})
	run(t, d, 2)
	if void, err := d.Void(2); err != nil || void || d.Voided(2) || !d.Voided(1) {
		t.Errorf("what has run was made void: %v, %v", void, err)
	}
	if text, err := os.ReadFile(filepath.Join(d.Path, "count")); err != nil || string(text) != "ran\n" {
		t.Errorf("it ran %q, %v", text, err)
	}
}

func TestALaterAttemptStartsAfresh(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 7)
	output, config := filepath.Join(t.TempDir(), "out"), filepath.Join(d.Path, "conf")
	s := jobdir.Script{Command: "ls; echo x >> '" + output + "'; touch left; mkdir locked; touch locked/f; chmod 0 locked",
		Outputs: []string{output}, Links: []jobdir.Link{{Name: "conf", Target: config}}}
	attempt(t, d, 1, s)
	run(t, d, 1)
	attempt(t, d, 2, s)
	run(t, d, 2)
	if text, err := os.ReadFile(output); err != nil || string(text) != "x\n" {
		t.Errorf("the output is %q, %v", text, err)
	}
	if text, err := os.ReadFile(d.ToolStdout()); err != nil || string(text) != "conf\n" {
		t.Errorf("the second attempt found %q, %v", text, err)
	}
	if _, err := d.ReadOutcome(2); err != nil {
		t.Error(err)
	}
}

func TestARunSaysWhereItIs(t *testing.T) {
	here, err := jobdir.Here()
	if err != nil {
		t.Fatal(err)
	}
	d := jobdir.Of(t.TempDir(), 7)
	if _, ok := d.ReadRun(1); ok {
		t.Error("a run that has not begun says where it is")
	}
	attempt(t, d, 1, jobdir.Script{Command: "true", Part: jobdir.Part{
		Head: []string{"#CLUSTER --what"}, ID: `"${NO_SUCH_ID:--}"`, Grant: []string{"export GALAXY_SLOTS=5 GALAXY_MEMORY_MB=77"},
	}})
	run(t, d, 1)
	if at, ok := d.ReadRun(1); !ok || at.Host != here.Host || at.Boot != here.Boot || at.PID < 2 || at.ID != "" {
		t.Errorf("it says %+v, %v; here is %+v", at, ok, here)
	}
	if o, err := d.ReadOutcome(1); err != nil || o.Slots != 5 || o.MemoryMB != 77 {
		t.Errorf("outcome %+v, %v", o, err)
	}
	if text, err := os.ReadFile(d.Script(1)); err != nil || !strings.HasPrefix(string(text), "#!/bin/bash\n#CLUSTER --what\n") {
		t.Errorf("the script begins %.60q, %v", text, err)
	}
}

func TestOnlyAnotherJobsFolderIsPutAside(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 7)
	for i, c := range []struct {
		mark  string
		known bool
	}{{"a", false}, {"a", true}, {"b", false}, {"b", true}} {
		known, err := d.Claim(c.mark)
		if err != nil || known != c.known {
			t.Fatalf("%d: known %v, %v", i, known, err)
		}
		file := filepath.Join(d.Working(), c.mark)
		if _, err := os.Stat(file); (err == nil) != c.known {
			t.Errorf("%d: what the job left: %v", i, err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if others, err := filepath.Glob(d.Path + ".*"); err != nil || len(others) > 0 {
		t.Errorf("left beside it: %v, %v", others, err)
	}
}

func TestWhatIsMeasuredDoesNotHarmTheJob(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 7)
	attempt(t, d, 1, jobdir.Script{Command: "cat; exit 3", Before: []string{"false", "cat"}, After: []string{"echo spoilt; false"}})
	run(t, d, 1)
	if o, err := d.ReadOutcome(1); err != nil || o.ExitCode != 3 {
		t.Errorf("outcome %+v, %v", o, err)
	}
}

func TestTheFirstReasonToStopStays(t *testing.T) {
	d := jobdir.Of(t.TempDir(), 7)
	attempt(t, d, 1, jobdir.Script{Command: "true"})
	for _, r := range []string{"time", "size"} {
		if err := d.MarkStopped(1, jobdir.Stopped{Reason: r, Message: "Why\nso"}); err != nil {
			t.Fatal(err)
		}
	}
	if s, ok := d.ReadStopped(1); !ok || s.Reason != "time" || s.Message != "Why\nso" {
		t.Errorf("got %+v, %v", s, ok)
	}
}
