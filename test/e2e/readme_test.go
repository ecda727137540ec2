package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// TestTheREADMEsConfiguration: what a newcomer copies from the README is understood without a complaint, and means two
// web workers and two handlers. (The other tests of this package run servers of that shape.)
func TestTheREADMEsConfiguration(t *testing.T) {
	binary := testenv.Binary(t)
	readme, err := os.ReadFile(filepath.Join(testenv.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no example in YAML")
	}
	file := filepath.Join(t.TempDir(), "galaxy.yml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, "config", "check", "-c", file)
	var complaints strings.Builder
	command.Stderr = &complaints
	meaning, err := command.Output()
	if err != nil || complaints.String() != "" {
		t.Errorf("orrery config check: %v\n%s", err, complaints.String())
	}
	for _, want := range []string{"workers: 2", "# handler_0 handler_1\n", `"postgresql://galaxy:***@localhost/galaxy"`} {
		if !strings.Contains(string(meaning), want) {
			t.Errorf("no %q in what it means:\n%s", want, meaning)
		}
	}
}
