package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// envNotify is the environment variable by which systemd tells a service of Type=notify where to report to.
const envNotify = "NOTIFY_SOCKET"

// NotifyReady tells systemd, if it started this process, that the service serves. It is said again after a reload, whether
// the reload was taken or not, since systemd waits for it. status is what `systemctl status` shows; it may be empty.
func NotifyReady(status string) error {
	return notify("READY=1", statusLine(status), fmt.Sprintf("MAINPID=%d", os.Getpid()))
}

// NotifyReloading tells systemd that the service is taking a changed configuration or program; [NotifyReady] ends it.
func NotifyReloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	return notify("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// NotifyStopping tells systemd that the service ends.
func NotifyStopping() error { return notify("STOPPING=1") }

func statusLine(text string) string {
	if text == "" {
		return ""
	}
	return "STATUS=" + strings.ReplaceAll(text, "\n", "; ")
}

// notify sends assignments to systemd; without systemd it does nothing. The variable stays set, for the program that takes
// this one's place keeps the process id and reports likewise. Children may have it too: systemd hears the main process only.
func notify(assignments ...string) error {
	name := os.Getenv(envNotify)
	if name == "" {
		return nil
	}
	if name[0] != '/' && name[0] != '@' {
		return fmt.Errorf("%s=%s is no UNIX socket", envNotify, name)
	}
	var lines []string
	for _, a := range assignments {
		if a != "" {
			lines = append(lines, a)
		}
	}
	// net takes a name that begins with “@” for an abstract one, as systemd writes it.
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling systemd: %w", err)
	}
	// systemd reads what comes soon; a full socket must not stop the server.
	err = connection.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if err == nil {
		_, err = connection.Write([]byte(strings.Join(lines, "\n")))
	}
	if err = errors.Join(err, connection.Close()); err != nil {
		return fmt.Errorf("telling systemd: %w", err)
	}
	return nil
}
