package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs beside the bench until it is stopped.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error
}

// start runs a program with its output in a file. It gets a signal when the bench dies without stopping it.
func start(cmd *exec.Cmd, logFile string, atDeath syscall.Signal) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = atDeath
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for the bench, which stops them in order
	// An ended context asks first, so that what the program started ends too.
	cmd.Cancel = func() error { return cmd.Process.Signal(atDeath) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: logFile, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop asks the program to end and waits for it.
func (p *process) stop(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not stop within 30 s and was killed", filepath.Base(p.cmd.Path))
	}
}

// tail is the end of what the program printed.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// usage is what a process used of the processors so far, in seconds.
type usage struct {
	own float64
	// children is what its ended and waited-for children used.
	children float64
}

// clockTicks is the unit of the times in /proc: USER_HZ, which is 100 on every Linux.
const clockTicks = 100

// parseStat reads the process times and the parent of a line of /proc/PID/stat.
func parseStat(line string) (parent int, u usage, err error) {
	// The program's name is in parentheses and may hold anything.
	i := strings.LastIndexByte(line, ')')
	if i < 0 {
		return 0, u, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	fields := strings.Fields(line[i+1:])
	if len(fields) < 15 {
		return 0, u, fmt.Errorf("a short line of /proc/PID/stat: %q", line)
	}
	numbers := make([]int, 5)
	for n, field := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		if numbers[n], err = strconv.Atoi(fields[field]); err != nil {
			return 0, u, fmt.Errorf("/proc/PID/stat: %w", err)
		}
	}
	u.own = float64(numbers[1]+numbers[2]) / clockTicks
	u.children = float64(numbers[3]+numbers[4]) / clockTicks
	return numbers[0], u, nil
}

// family gives a process and its living descendants, each with what it used.
func family(pid int) (map[int]usage, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	used, children := map[int]usage{}, map[int][]int{}
	for _, name := range lines {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		parent, u, err := parseStat(string(text))
		if err != nil {
			return nil, err
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		used[id] = u
		children[parent] = append(children[parent], id)
	}
	members := map[int]usage{}
	for next := []int{pid}; len(next) > 0; {
		id := next[0]
		next = append(next[1:], children[id]...)
		members[id] = used[id]
	}
	return members, nil
}

// parsePSS reads the proportional set size of a /proc/PID/smaps_rollup, in MB of 1,000,000 bytes.
func parsePSS(text string) (float64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kib * 1024 / 1e6, err
		}
	}
	return 0, errors.New("smaps_rollup has no line Pss")
}
