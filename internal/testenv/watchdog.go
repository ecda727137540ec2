package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// watchdog starts a shell that waits for this process to end, in whatever way, and then runs a script. It notices by a
// pipe whose other end only this process has: the kernel closes it at a panic or a SIGKILL, too.
//
// Calling the returned function runs the script now and waits until it is done.
func watchdog(script string) (stop func() error, err error) {
	cmd := exec.Command("/bin/sh", "-c", "trap '' HUP INT TERM; cat >/dev/null\n"+script)
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	// Its output goes nowhere: a process that holds the test's output open keeps «go test» waiting.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	cmd.Dir = "/"
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	// A pipe that nothing refers to is closed by the garbage collector, which would look like the end of the process.
	held.mu.Lock()
	held.pipes = append(held.pipes, pipe)
	held.mu.Unlock()
	return func() error {
		if err := pipe.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return err
		}
		return cmd.Wait()
	}, nil
}

// held keeps the pipes of all watchdogs open until the process ends.
var held struct {
	mu    sync.Mutex
	pipes []io.Closer
}

// quote makes one word for the shell of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// killMarked is a script that kills every process that has a variable in the environment it was started with. Process
// ids alone may have been given to someone else meanwhile.
func killMarked(variable, value string) string {
	return `for p in /proc/[0-9]*; do
	if tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qxF ` + quote(variable+"="+value) + `; then kill -9 "${p#/proc/}" 2>/dev/null; fi
done
`
}

// runScript runs a script of the kind a watchdog gets, now.
func runScript(script string) error {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	return cmd.Run()
}
