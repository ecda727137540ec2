package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var python3 = component{name: "Python 3", packages: []string{"python3", "python3-venv", "python3-pip"}, find: onPath("python3")}

// pythonVenv counts as found when the module can make an environment with pip in it: Debian ships it apart from Python.
var pythonVenv = component{name: "Python's venv", packages: []string{"python3-venv", "python3-pip"}, find: func() (string, bool) {
	path, err := exec.LookPath("python3")
	return path, err == nil && exec.Command(path, "-c", "import venv, ensurepip").Run() == nil
}}

// BioBlend is the release that the tests are written for.
const BioBlend = "bioblend==1.9.0"

// Python returns the interpreter of a virtual environment with the given requirements (of PyPI, pinned), which is made
// at the first call and kept in the checkout's .cache folder.
func Python(t testing.TB, requirements ...string) string {
	t.Helper()
	external(t)
	need(t, python3)
	system := need(t, pythonVenv)
	interpreter, err := environment(t.Context(), system, requirements)
	if err != nil {
		t.Fatal(err)
	}
	return interpreter
}

func environment(ctx context.Context, system string, requirements []string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(system + "\n" + strings.Join(requirements, "\n")))
	dir := filepath.Join(cache, "python-"+hex.EncodeToString(sum[:6]))
	interpreter, complete := filepath.Join(dir, "bin", "python"), filepath.Join(dir, ".complete")
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(complete); err == nil {
		return interpreter, nil
	}
	if err := os.RemoveAll(dir); err != nil { // an earlier attempt that did not finish
		return "", err
	}
	install := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, requirements...)
	for _, command := range [][]string{{system, "-m", "venv", dir}, append([]string{interpreter}, install...)} {
		if output, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("a Python environment with %s could not be made; the command was: %s\n%w\n%s",
				strings.Join(requirements, ", "), strings.Join(command, " "), err, lastLines(string(output), 20))
		}
	}
	return interpreter, errors.Join(os.WriteFile(complete, nil, 0o644))
}
