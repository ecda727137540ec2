package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal with a program in it, as a person would have it.
type Terminal struct {
	t      testing.TB
	master *os.File
	cmd    *exec.Cmd
	ended  chan struct{}

	mu     sync.Mutex
	output strings.Builder
	more   chan struct{} // gets a value after output
	err    error
}

// StartTerminal runs a program in a terminal of a size in characters. It is killed at the end of the test at the latest.
func StartTerminal(t testing.TB, cmd *exec.Cmd, columns, rows int) *Terminal {
	t.Helper()
	external(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	terminal := &Terminal{t: t, master: master, cmd: cmd, ended: make(chan struct{}), more: make(chan struct{}, 1)}
	terminal.size(columns, rows)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	go terminal.read()
	go func() {
		err := cmd.Wait()
		terminal.mu.Lock()
		terminal.err = err
		terminal.mu.Unlock()
		close(terminal.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-terminal.ended
		_ = master.Close()
	})
	return terminal
}

func (t *Terminal) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := t.master.Read(buffer)
		t.mu.Lock()
		t.output.Write(buffer[:n])
		t.mu.Unlock()
		select {
		case t.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (t *Terminal) size(columns, rows int) {
	t.t.Helper()
	if err := unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)}); err != nil {
		t.t.Fatal(err)
	}
}

// Resize changes the size, which the program is told by SIGWINCH. What was written before is forgotten.
func (t *Terminal) Resize(columns, rows int) {
	t.t.Helper()
	t.Forget()
	t.size(columns, rows)
}

// Forget forgets what was written.
func (t *Terminal) Forget() {
	t.mu.Lock()
	t.output.Reset()
	t.mu.Unlock()
}

// Type sends what a person types.
func (t *Terminal) Type(keys string) {
	t.t.Helper()
	if _, err := t.master.WriteString(keys); err != nil {
		t.t.Fatal(err)
	}
}

// WaitFor waits until the program has written all of some texts, and returns all that it wrote, control characters
// included.
func (t *Terminal) WaitFor(texts ...string) string {
	t.t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for {
		t.mu.Lock()
		output := t.output.String()
		t.mu.Unlock()
		missing := ""
		for _, text := range texts {
			if !strings.Contains(output, text) {
				missing = text
			}
		}
		if missing == "" {
			return output
		}
		select {
		case <-t.more:
		case <-patience.C:
			t.t.Fatalf("the terminal does not show %q but\n%q", missing, output)
		}
	}
}

// WaitEnd waits until the program has ended by itself and returns its error, and all that it wrote.
func (t *Terminal) WaitEnd() (string, error) {
	t.t.Helper()
	select {
	case <-t.ended:
	case <-time.After(30 * time.Second):
		t.t.Fatal("the program in the terminal does not end")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.output.String(), t.err
}
