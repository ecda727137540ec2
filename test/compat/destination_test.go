//go:build compat

package compat

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"orrery/internal/testenv"
)

var record = flag.Bool("record", false, "record what Galaxy and Total Perspective Vortex decide about destinations")

// TestDestinations asks Total Perspective Vortex and Galaxy itself where jobs go by our rule files, and compares with the
// decisions that are recorded beside the files; the plain tests of internal/destination hold ours against the same. With
// -record the decisions are written anew.
func TestDestinations(t *testing.T) {
	interpreter := python(t)
	for _, asked := range []struct{ script, folder string }{{"tpv_decide.py", "tpv"}, {"dtd_decide.py", "dtd"}} {
		folder := filepath.Join(testenv.Root(t), "internal", "destination", "testdata", asked.folder)
		recorded, err := filepath.Glob(filepath.Join(folder, "*.decisions.json"))
		if err != nil || len(recorded) == 0 {
			t.Fatalf("%s holds no decisions: %v", folder, err)
		}
		into := t.TempDir()
		if *record {
			into = folder
		}
		arguments := []string{filepath.Join(testenv.Root(t), "test", "compat", asked.script), into}
		for _, path := range recorded {
			arguments = append(arguments, path[:len(path)-len(".decisions.json")]+".json")
		}
		command := exec.Command(interpreter, arguments...)
		command.Dir = t.TempDir()
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", asked.script, err, output)
		}
		for _, path := range recorded {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(into, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s decides otherwise than %s says:\n%s", asked.script, filepath.Base(path), difference(want, got))
			}
		}
	}
}

// difference is the first line in which two texts differ.
func difference(want, got []byte) string {
	w, g := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := range min(len(w), len(g)) {
		if !bytes.Equal(w[i], g[i]) {
			return "recorded " + string(w[i]) + "\nnow      " + string(g[i])
		}
	}
	return "one is longer than the other"
}
