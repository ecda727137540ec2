package supervisor

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{filepath.Join(dir, "socket"), "@" + filepath.Base(dir)} {
		t.Run(name[:1], func(t *testing.T) {
			systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer systemd.Close()
			t.Setenv(envNotify, name)
			pid := "MAINPID=" + strconv.Itoa(os.Getpid())
			for _, step := range []struct {
				say  func() error
				want string
			}{
				{func() error { return NotifyReady("") }, "READY=1\n" + pid},
				{func() error { return NotifyReady("kept:\nline 2") }, "READY=1\nSTATUS=kept:; line 2\n" + pid},
				{NotifyReloading, "RELOADING=1\nMONOTONIC_USEC="},
				{NotifyStopping, "STOPPING=1"},
			} {
				if err := step.say(); err != nil {
					t.Fatal(err)
				}
				buffer := make([]byte, 1000)
				if err := systemd.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				n, err := systemd.Read(buffer)
				if err != nil {
					t.Fatal(err)
				}
				got := string(buffer[:n])
				if got != step.want && !(strings.HasSuffix(step.want, "=") && strings.HasPrefix(got, step.want)) {
					t.Errorf("systemd hears %q, not %q", got, step.want)
				}
			}
		})
	}
}

func TestNotifyWithoutSystemd(t *testing.T) {
	t.Setenv(envNotify, "")
	if err := NotifyReady("up"); err != nil {
		t.Errorf("without systemd: %v", err)
	}
	t.Setenv(envNotify, "relative")
	if err := NotifyReady("up"); err == nil {
		t.Error("a name that is no socket is taken")
	}
	t.Setenv(envNotify, "/nonexistent/socket")
	if err := NotifyStopping(); err == nil {
		t.Error("that nobody listens is not told")
	}
}
