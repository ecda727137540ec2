package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startedVariable names the descriptor by which a process in the background
// tells whoever started it that it serves, or why it does not.
const startedVariable = "ORRERY_STARTED_FD"

// inBackground is a process of this program that goes on without a terminal.
type inBackground struct {
	args []string
	// log takes what the process prints; "" drops it.
	log string
	// ready, if given, is asked from time to time whether the process serves;
	// one that says so itself, by tellStarter, needs none.
	ready func(pid int) bool
}

// start starts it in a session of its own and returns when it serves. The error
// is the reason why it does not, with the exit status it ended with.
func (b inBackground) start(ctx context.Context) (pid int, note string, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, "", err
	}
	output, err := openLog(b.log)
	if err != nil {
		return 0, "", err
	}
	defer output.Close()
	said, tell, err := os.Pipe()
	if err != nil {
		return 0, "", err
	}
	defer said.Close()
	cmd := exec.Command(strings.TrimSuffix(program, " (deleted)"), b.args...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, output, []*os.File{tell}
	cmd.Env = append(os.Environ(), startedVariable+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if err = errors.Join(err, tell.Close()); err != nil {
		return 0, "", err
	}
	pid = cmd.Process.Pid
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(said, 64<<10)).ReadString(0)
		answer <- strings.TrimSuffix(line, "\x00")
	}()
	var end error // once ended is closed
	ended := make(chan struct{})
	go func() {
		end = cmd.Wait()
		close(ended)
	}()
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case text := <-answer:
			if note, ready := strings.CutPrefix(text, "ready"); ready {
				return pid, strings.TrimSpace(note), nil
			}
			if text != "" {
				<-ended
				return pid, "", failedStart(text)
			}
			answer = nil // it has closed its end without a word
		case <-ended:
			reason := fmt.Sprintf("it ended at once (%s)", endOf(end))
			select {
			case text := <-answer:
				if text != "" && !strings.HasPrefix(text, "ready") {
					return pid, "", failedStart(text)
				}
			case <-time.After(time.Second):
			}
			if b.log != "" {
				reason += "; " + b.log + " says why"
			}
			return pid, "", errors.New(reason)
		case <-ticks.C:
			if b.ready != nil && b.ready(pid) {
				return pid, "", nil
			}
		case <-ctx.Done():
			return pid, "", fmt.Errorf("process %d is not ready yet; it goes on starting", pid)
		}
	}
}

func endOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// failedStart takes apart what tellStarter wrote: the status and the reason.
func failedStart(text string) error {
	status, reason, _ := strings.Cut(text, " ")
	code, err := strconv.Atoi(status)
	if err != nil || code <= 0 {
		code = exitFailed
	}
	return &statusError{errors.New(reason), code}
}

// openLog opens a file for what a process prints, or what drops it.
func openLog(path string) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return file, nil
}

// starter is the pipe to whoever started this process in the background.
var starter = sync.OnceValue(func() *os.File {
	text := os.Getenv(startedVariable)
	if text == "" {
		return nil
	}
	_ = os.Unsetenv(startedVariable)
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "starter")
})

// starterNote is what whoever started this process should be told besides that
// it serves.
var starterNote string

// tellStarter says that this process serves (err is nil), or why it ends.
// Nobody may be there to be told.
func tellStarter(status int, err error) {
	pipe := starter()
	if pipe == nil {
		return
	}
	text := "ready " + starterNote
	if err != nil {
		text = strconv.Itoa(status) + " " + err.Error()
	}
	// Whoever waited has gone, or has been told already: then nobody is to be told.
	_, _ = pipe.WriteString(text + "\x00")
	_ = pipe.Close()
}

// pidFile is a file with a process id. The process holds a lock on it as long
// as it lives, so that a file that a crash left behind, and an id that another
// program has got meanwhile, are told from a living process.
type pidFile struct {
	path string
	file *os.File
}

// writePID takes a pid file for this process.
func writePID(path string) (*pidFile, error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, fmt.Errorf("opening the pid file: %w", err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			pid, _ := readPID(file)
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("process %d has the pid file %s and runs; stop it first, or name another file", pid, path)
			}
			return nil, fmt.Errorf("locking the pid file %s: %w", path, err)
		}
		// Whoever had it before may have removed it between opening and locking.
		at, atErr := os.Stat(path)
		is, isErr := file.Stat()
		if atErr != nil || isErr != nil || !os.SameFile(at, is) {
			_ = file.Close()
			continue
		}
		// A slip of the finger must not cost somebody a file.
		if _, err := readPID(file); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w; name another file", path, err), file.Close())
		}
		if err = file.Truncate(0); err == nil {
			_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("writing the pid file: %w", err), file.Close())
		}
		return &pidFile{path, file}, nil
	}
}

// remove gives it back.
func (p *pidFile) remove() error {
	if p == nil {
		return nil
	}
	err := os.Remove(p.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, p.file.Close())
}

// readPID reads a process id; 0 when it is empty, or the id of no process that
// could be ours. What holds anything else is no pid file.
func readPID(r io.Reader) (int, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64))
	if err != nil {
		return 0, err
	}
	word := strings.TrimSpace(string(text))
	if word == "" {
		return 0, nil
	}
	pid, err := strconv.Atoi(word)
	if err != nil {
		return 0, fmt.Errorf("this is no pid file, for it begins with %q", text[:min(len(text), 20)])
	}
	if pid <= 1 {
		return 0, nil
	}
	return pid, nil
}

// pidIn reads the process id in a file; 0 when there is no such file, or none in
// it.
func pidIn(path string) (int, error) {
	if path == "" {
		return 0, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	pid, err := readPID(file)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}

// absolute makes a path one that a process in another folder can use too.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
