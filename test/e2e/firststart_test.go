package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/testenv"
)

// TestFirstStart starts the server as `make run` does in a fresh checkout: without any configuration. Ctrl-C ends every
// process, the second start finds everything as it was, and a third one beside it says that the port is taken.
func TestFirstStart(t *testing.T) {
	if !apart(t, syscall.CLONE_NEWNET) {
		return
	}
	loopbackUp(t)
	binary, checkout := testenv.Binary(t), t.TempDir()
	for _, folder := range []string{"tools", "client"} {
		if err := os.Symlink(filepath.Join(testenv.Root(t), folder), filepath.Join(checkout, folder)); err != nil {
			t.Fatal(err)
		}
	}
	s := server{URL: "http://localhost:8080"}

	stop := startIn(t, binary, checkout)
	visitor := &person{t: t, server: s, name: "newcomer", client: newBrowser(t)}
	_, page := visitor.call("GET", "/login/start", nil)
	_, token, _ := strings.Cut(string(page), `session_csrf_token = "`)
	token, _, _ = strings.Cut(token, `"`)
	visitor.must("POST", "/user/create", map[string]any{
		"email": visitor.email(), "username": visitor.name, "password": password, "confirm": password, "session_csrf_token": token,
	}, nil)
	var history struct{ ID string }
	visitor.must("GET", "/history/current_history_json", nil, &history)
	dataset := visitor.paste(history.ID, "mine", "still here\n")
	visitor.ok(dataset, "still here\n")
	said := stop()
	contains(t, "the first start", said, "http://localhost:8080", "sqlite:", "tool_conf.xml", "logs", "admin_users", "Ctrl-C")

	stop = startIn(t, binary, checkout)
	again := &person{t: t, server: s, name: "newcomer"}
	again = again.withCookie()
	again.ok(dataset, "still here\n")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	beside := exec.CommandContext(ctx, binary, "run")
	beside.Dir = t.TempDir()
	output, err := beside.CombinedOutput()
	if err == nil {
		t.Error("a second server on the same port has started")
	}
	contains(t, "a second server", string(output), "localhost:8080", "another program listens there", "bind")
	stop()
}

// startIn runs `orrery run` in a folder and waits until it answers. The returned function presses Ctrl-C, makes sure that
// no process is left and returns what the server printed.
func startIn(t *testing.T, binary, dir string) (stop func() string) {
	t.Helper()
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "run")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil { // the test has failed before it stopped the server
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	ready := &person{t: t, server: server{URL: "http://localhost:8080"}, client: newBrowser(t)}
	testenv.Poll(t, "the server to answer", time.Minute, func() bool {
		status, _, err := ready.request("GET", "/api/version", nil)
		return err == nil && status == 200
	})
	return func() string {
		t.Helper()
		// As the terminal does: to the whole group.
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends with %v\n%s", err, &output)
		}
		if err := syscall.Kill(-cmd.Process.Pid, 0); err != syscall.ESRCH {
			t.Errorf("looking for a process that is left: %v", err)
		}
		return output.String()
	}
}

func loopbackUp(t *testing.T) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}
