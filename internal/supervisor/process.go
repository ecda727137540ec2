package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// Spec says how one process is started.
type Spec struct {
	Name string
	// Path is the program; "" is this one.
	Path string
	// Args are its arguments, without the program's name.
	Args []string
	// Env are variables (NAME=value) beyond this process's own, which they replace.
	Env []string
	Dir string // "" is this process's directory
	// LogFile takes its standard output and standard error; "" leaves them where this process's are.
	LogFile string
	// Sockets are handed over from descriptor 3 on; see [listen.Inherit].
	Sockets []*listen.Socket
	Umask   int // 0 or negative: as this process's. Set it with an argument of the child's where 0 is meant
	// ReadyTimeout is how long it may take from its start to its Ready; 0 is 5 minutes. Then it is killed and started again.
	ReadyTimeout time.Duration
	// StopTimeout is how long it may take from SIGTERM to its end; then it is killed. 0 is 65 seconds, as in gravity.
	StopTimeout time.Duration
}

// running is one started process.
type running struct {
	pid    int
	ready  chan struct{} // closed when it has said «ready»
	ended  chan struct{} // closed when it has ended; status is set then
	status syscall.WaitStatus

	mu        sync.Mutex
	collected bool // its id may be another's now
}

// start starts a process. alive is the end of the pipe by which it notices this process's death.
//
// It uses the bare system calls: os/exec would make the shared listening sockets blocking for every process that has
// them, and a worker that is to stop would then hang in accept.
func start(s Spec, alive int) (*running, error) {
	path := s.Path
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding this program: %w", err)
		}
		// A program that was replaced on disk while it runs.
		path = strings.TrimSuffix(path, " (deleted)")
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	output := [2]int{1, 2}
	if s.LogFile != "" {
		if err := os.MkdirAll(filepath.Dir(s.LogFile), 0o755); err != nil {
			return nil, fmt.Errorf("making the directory of the log: %w", err)
		}
		log, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("opening the log: %w", err)
		}
		defer log.Close()
		output[0], output[1] = int(log.Fd()), int(log.Fd())
	}
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer readyWrite.Close()
	files := []uintptr{null.Fd(), uintptr(output[0]), uintptr(output[1])}
	for _, socket := range s.Sockets {
		fd := socket.FD()
		if fd < 0 {
			readyRead.Close()
			return nil, fmt.Errorf("the socket %s is closed", socket.Address)
		}
		files = append(files, uintptr(fd))
	}
	files = append(files, readyWrite.Fd(), uintptr(alive))
	env := mergeEnv(os.Environ(), append(append([]string{
		envReady + "=" + strconv.Itoa(len(files)-2),
		envAlive + "=" + strconv.Itoa(len(files)-1),
	}, listen.Environment(s.Sockets)...), s.Env...))
	pid, err := forkExec(path, append([]string{path}, s.Args...), &syscall.ProcAttr{
		Dir: s.Dir, Env: env, Files: files,
		// A process group of its own: Ctrl-C in the terminal reaches this process alone, which then stops them in order.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	}, s.Umask)
	for _, socket := range s.Sockets {
		runtime.KeepAlive(socket)
	}
	if err != nil {
		readyRead.Close()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	r := &running{pid: pid, ready: make(chan struct{}), ended: make(chan struct{})}
	heard := make(chan struct{})
	go func() {
		r.awaitReady(readyRead)
		close(heard)
	}()
	go func() {
		r.awaitEnd()
		// What it said before it ended comes first. The deadline is for a program started from it that holds the pipe open.
		_ = readyRead.SetReadDeadline(time.Now())
		<-heard
		readyRead.Close()
		close(r.ended)
	}()
	return r, nil
}

// awaitReady reads the one line that a process writes when it serves. Without one it returns when the pipe is closed or
// its deadline is over.
func (r *running) awaitReady(pipe *os.File) {
	line := make([]byte, 64)
	n := 0
	for n < len(line) {
		m, err := pipe.Read(line[n:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			m = readNow(pipe, line[n:])
		}
		n += m
		if bytes.Contains(line[:n], []byte("ready\n")) {
			close(r.ready)
			return
		}
		if err != nil {
			return
		}
	}
}

// readNow reads what a pipe holds, whatever its deadline.
func readNow(pipe *os.File, into []byte) (n int) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0
	}
	// The descriptor does not block: with nothing there the read is an error and counts as nothing.
	if err := raw.Control(func(fd uintptr) { n, err = syscall.Read(int(fd), into) }); err != nil {
		return 0
	}
	return max(n, 0)
}

// awaitEnd collects the process when it has ended.
//
// It first waits without collecting, so that collecting, which frees the process id, can exclude sending a signal.
func (r *running) awaitEnd() {
	for {
		err := unix.Waitid(unix.P_PID, r.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collected = true
	for {
		_, err := syscall.Wait4(r.pid, &r.status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			r.status = syscall.WaitStatus(0x7f00) // cannot be while nobody else waits for it; counts as exit status 127
		}
		return
	}
}

// signal sends a signal unless the process has been collected: its id may belong to another process then.
func (r *running) signal(sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.collected {
		// ESRCH cannot be: a process that has ended and is not collected still takes signals, without effect.
		_ = syscall.Kill(r.pid, sig)
	}
}

// describe says how a process ended.
func describe(status syscall.WaitStatus) string {
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return "was killed (by signal 9: by an administrator, or by the kernel when memory ran out)"
	case status.Signaled():
		return fmt.Sprintf("was ended by signal %d (%v)", status.Signal(), status.Signal())
	default:
		return fmt.Sprintf("ended with status %d", status.ExitStatus())
	}
}

// mergeEnv returns base with further variables, of which the last wins.
func mergeEnv(base, further []string) []string {
	place := map[string]int{}
	var out []string
	for _, entry := range append(append([]string{}, base...), further...) {
		name, _, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		if i, again := place[name]; again {
			out[i] = entry
			continue
		}
		place[name] = len(out)
		out = append(out, entry)
	}
	return out
}

// tailOf returns the last lines of a log, for a message about a process that does not start.
func tailOf(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
