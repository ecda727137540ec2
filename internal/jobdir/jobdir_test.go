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
