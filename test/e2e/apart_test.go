package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"orrery/internal/testenv"
)

// isApart is set in the environment of a test that runs in namespaces of its own.
const isApart = "ORRERY_TEST_APART"

// apart runs a test once more in a process with namespaces of its own (CLONE_NEWNS for mounts, CLONE_NEWNET for the
// network), which go when it ends, however it ends; and tells whether it is that process.
func apart(t *testing.T, namespaces uintptr) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	if os.Getenv(isApart) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.timeout=15m")
	// The server has been built already.
	cmd.Env = append(os.Environ(), isApart+"=yes", "ORRERY_BINARY="+testenv.Binary(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: namespaces}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) {
		t.Fatalf("%v: this test needs namespaces; run it as root or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)", err)
	}
	if err != nil || !strings.Contains(output.String(), "PASS") {
		t.Errorf("%v\n%s", err, &output)
	}
	return false
}
