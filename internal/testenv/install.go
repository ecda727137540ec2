package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// component is one program of the system that tests need.
type component struct {
	name     string
	find     func() (path string, ok bool)
	packages []string // of Debian
}

func (c component) command() string {
	return "apt-get update && apt-get install -y --no-install-recommends " + strings.Join(c.packages, " ")
}

// external skips the test under -short; every function that starts something calls it.
func external(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
}

// need returns the path of a component, after installing it if necessary and possible.
func need(t testing.TB, c component) string {
	t.Helper()
	path, err := locate(c)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var installing sync.Mutex

func locate(c component) (string, error) {
	if path, ok := c.find(); ok {
		return path, nil
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("%s is not installed; as root run: %s", c.name, c.command())
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("%s is not installed, and there is no apt-get to install it with; on Debian the command is: %s", c.name, c.command())
	}
	// Several test binaries run at once, and apt lets only one in.
	installing.Lock()
	defer installing.Unlock()
	unlock, err := lockFile(filepath.Join(os.TempDir(), "orrery-test-install.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := c.find(); ok {
		return path, nil
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, c.packages...)} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s is not installed and could not be; run: %s\n%w\n%s", c.name, c.command(), err, lastLines(string(output), 20))
		}
	}
	path, ok := c.find()
	if !ok {
		return "", fmt.Errorf("%s is still not found after: %s", c.name, c.command())
	}
	return path, nil
}

// lockFile waits until this process holds the lock of a file; the kernel gives it back when the process ends.
func lockFile(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { _ = file.Close() }, nil
}

// onPath finds a program by one of several names.
func onPath(names ...string) func() (string, bool) {
	return func() (string, bool) {
		for _, name := range names {
			if path, err := exec.LookPath(name); err == nil {
				return path, true
			}
		}
		return "", false
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Root is the folder of the checkout: the nearest one above the test that has a go.mod.
func Root(t testing.TB) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// cacheDir is the git-ignored folder of the checkout for what is slow to make.
func cacheDir() (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache")
	return dir, os.MkdirAll(dir, 0o755)
}
