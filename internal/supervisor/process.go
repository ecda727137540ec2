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

	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// Spec says how one process is started.
type Spec struct {
	Name string `json:"name"`
	// Group, Service and Kind are what orders call it by, besides its name; see [deployment.Planned].
	Group   string          `json:"group,omitempty"`
	Service string          `json:"service,omitempty"`
	Kind    deployment.Kind `json:"kind,omitempty"`
	// Path is the program; "" is the one on disk that this process was started from.
	Path string `json:"path,omitempty"`
	// Args are its arguments, without the program's name.
	Args []string `json:"args,omitempty"`
	// Env are variables (NAME=value) beyond this process's own, which they replace.
	Env []string `json:"env,omitempty"`
	Dir string   `json:"dir,omitempty"` // "" is this process's directory
	// LogFile takes its standard output and standard error; "" leaves them where this process's are.
	LogFile string `json:"log,omitempty"`
	// Listen are the sockets that it gets, from descriptor 3 on; see [listen.Inherit]. The supervisor opens each address
	// once for all that name it.
	Listen []listen.Spec `json:"listen,omitempty"`
	Umask  int           `json:"umask"` // 0 or negative: as this process's. Set it with an argument of the child's where 0 is meant
	// ReadyTimeout is how long it may take from its start to its Ready; 0 is 5 minutes. Then it is killed and started again.
	ReadyTimeout time.Duration `json:"ready_timeout,omitempty"`
	// RestartTimeout is the same for a successor; 0 is ReadyTimeout. Then it is killed and its predecessor stays.
	RestartTimeout time.Duration `json:"restart_timeout,omitempty"`
	// StopTimeout is how long it may take from SIGTERM to its end; then it is killed. 0 is 65 seconds, as in gravity.
	StopTimeout time.Duration `json:"stop_timeout,omitempty"`
	// MemoryLimit is in bytes; a process that uses more is replaced gracefully. 0 is no limit.
	MemoryLimit int64 `json:"memory_limit,omitempty"`
	// Stamp stands for the files that it reads: another stamp is a reason to replace it.
	Stamp string `json:"stamp,omitempty"`
	// Program stands for the program that it was started from. The supervisor sets it.
	Program string `json:"program,omitempty"`
}

func (s *Spec) readyTimeout() time.Duration {
	if s.ReadyTimeout > 0 {
		return s.ReadyTimeout
	}
	return deployment.DefaultReadyTimeout
}

func (s *Spec) stopTimeout() time.Duration {
	if s.StopTimeout > 0 {
		return s.StopTimeout
	}
	return deployment.DefaultStopTimeout
}

// running is one started process.
type running struct {
	pid    int
	ready  chan struct{} // closed when it has said «ready»
	busy   chan struct{} // told, without waiting, when it says that it still moves bytes
	ended  chan struct{} // closed when it has ended; status is set then
	status syscall.WaitStatus
	said   *os.File // the end of the pipe by which it says so

	mu        sync.Mutex
	collected bool // its id may be another's now
}

// started says what start needs beyond the Spec.
type started struct {
	sockets []*listen.Socket
	alive   int    // the end of the pipe by which the process notices this one's death
	output  int    // where its output goes in place of Spec.LogFile; 0 is there
	owner   string // the supervisor's name
}

// start starts a process.
//
// It uses the bare system calls: os/exec would make the shared listening sockets blocking for every process that has
// them, and a worker that is to stop would then hang in accept.
func start(s Spec, with started) (*running, error) {
	path := s.Path
	if path == "" {
		path = Program()
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	output := [2]int{1, 2}
	switch {
	case with.output > 0:
		output[0], output[1] = with.output, with.output
	case s.LogFile != "":
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
	for _, socket := range with.sockets {
		fd := socket.FD()
		if fd < 0 {
			readyRead.Close()
			return nil, fmt.Errorf("the socket %s is closed", socket.Address)
		}
		files = append(files, uintptr(fd))
	}
	files = append(files, readyWrite.Fd(), uintptr(with.alive))
	env := mergeEnv(os.Environ(), append(append([]string{
		envReady + "=" + strconv.Itoa(len(files)-2),
		envAlive + "=" + strconv.Itoa(len(files)-1),
		envName + "=" + s.Name,
		envOwner + "=" + with.owner,
	}, listen.Environment(with.sockets)...), s.Env...))
	pid, err := forkExec(path, append([]string{programName}, s.Args...), &syscall.ProcAttr{
		Dir: s.Dir, Env: env, Files: files,
		// A process group of its own: Ctrl-C in the terminal reaches this process alone, which then stops them in order.
		// Handlers have a session of their own, since the kernel shares processors out between sessions, and they are to
		// take less than web workers. Those share this one's: between more sessions clients wait longer for their turn
		// while processes start (measured: 36 ms at most in one session, 110 in several).
		Sys: &syscall.SysProcAttr{Setpgid: s.Kind != deployment.Handler, Setsid: s.Kind == deployment.Handler},
	}, s.Umask)
	for _, socket := range with.sockets {
		runtime.KeepAlive(socket)
	}
	if err != nil {
		readyRead.Close()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return follow(pid, readyRead, false), nil
}

// programName is what processes are called: the program may have been called by another of its names.
const programName = "orrery"

// follow listens to a child process and waits for its end.
func follow(pid int, said *os.File, isReady bool) *running {
	r := &running{pid: pid, ready: make(chan struct{}), busy: make(chan struct{}, 1), ended: make(chan struct{}), said: said}
	if isReady {
		close(r.ready)
	}
	heard := make(chan struct{})
	go func() {
		r.hear(isReady)
		close(heard)
	}()
	go func() {
		r.awaitEnd()
		// What it said before it ended comes first. The deadline is for a program started from it that holds the pipe open.
		_ = said.SetReadDeadline(time.Now())
		<-heard
		said.Close()
		close(r.ended)
	}()
	return r
}

// hear reads the lines that a process writes: «ready» when it serves, then «busy N» while it drains. It returns when the
// pipe is closed or its deadline is over.
func (r *running) hear(isReady bool) {
	buffer := make([]byte, 256)
	n := 0
	for {
		m, err := r.said.Read(buffer[n:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			m = readNow(r.said, buffer[n:])
		}
		n += m
		for {
			line, rest, whole := bytes.Cut(buffer[:n], []byte("\n"))
			if !whole {
				break
			}
			switch word, number, _ := strings.Cut(string(line), " "); {
			case word == "ready" && !isReady:
				isReady = true
				close(r.ready)
			case word == "busy" && number != "0":
				select {
				case r.busy <- struct{}{}:
				default:
				}
			}
			n = copy(buffer, rest)
		}
		if n == len(buffer) {
			n = 0 // no line is that long
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
