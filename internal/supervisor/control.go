package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// controlSuffix ends the names of control sockets in the run folder.
const controlSuffix = ".control"

// maxOrder bounds an order, in bytes.
const maxOrder = 64 << 10

// controlled is what a control socket tells.
type controlled interface {
	Report() Report
	// take carries an order out in its own time; to is told that it is taken, gets the progress and is closed at the end.
	take(order Order, to *answer)
}

// control is the control socket of one supervisor: HTTP over a UNIX socket that answers its owner and root alone.
type control struct {
	name string // of the supervisor's sockets and files: NAME, or NAME-HOST where another host has NAME
	dir  string
	lock *os.File // held, by flock, while this supervisor lives
	sock *net.UnixListener
	http *http.Server
}

// RunningError says that another supervisor of the same name runs on the same run folder.
type RunningError struct {
	Name string
	PID  int
}

// Error names the other one.
func (e *RunningError) Error() string {
	return fmt.Sprintf("it runs already, as process %d; stop that one first, or restart it gracefully", e.PID)
}

// holder is what the lock file holds.
type holder struct {
	Host string `json:"host"`
	PID  int    `json:"pid"`
}

// takeName takes the supervisor's name in a run folder, which it makes if need be. Where a run folder is shared by
// several hosts, the second host's supervisor is named NAME-HOST.
func takeName(dir, name string) (*control, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the run folder: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name: %w", err)
	}
	lock, by, err := lockName(dir, name, host)
	if err == nil && lock == nil && by.Host != "" && by.Host != host {
		name += "-" + strings.Map(fileChar, host)
		lock, by, err = lockName(dir, name, host)
	}
	if err != nil {
		return nil, err
	}
	if lock == nil {
		return nil, &RunningError{Name: name, PID: by.PID}
	}
	return &control{name: name, dir: dir, lock: lock}, nil
}

// bind opens the socket. The lock says that nobody serves on one that is there.
func (c *control) bind() error {
	path := c.path()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an old control socket: %w", err)
	}
	return shortPath(path, func(short string) error {
		// The folder is its owner's alone; the mode says so once more.
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: short})
		if err != nil {
			return fmt.Errorf("opening the control socket %s: %w", path, err)
		}
		l.SetUnlinkOnClose(false)
		c.sock = l
		return os.Chmod(path, 0o600)
	})
}

func (c *control) path() string { return filepath.Join(c.dir, c.name+controlSuffix) }

// lockName takes the lock of a name; lock is nil when another process has it.
func lockName(dir, name, host string) (lock *os.File, by holder, err error) {
	path := filepath.Join(dir, name+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, by, fmt.Errorf("opening %s: %w", path, err)
	}
	// Another name of some other file, which the folder's owner could have given it for root to write into.
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return nil, by, errors.Join(fmt.Errorf("%s is no lock file; remove it", path), err, f.Close())
	}
	err = syscall.Flock(rawFD(f), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		if data, err := io.ReadAll(io.LimitReader(f, 4096)); err == nil {
			// Whoever has just taken it may not have written yet; then nothing is known of it.
			_ = json.Unmarshal(data, &by)
		}
		return nil, by, nil
	}
	if err == nil {
		var data []byte
		if data, err = json.Marshal(holder{Host: host, PID: os.Getpid()}); err == nil {
			if err = f.Truncate(0); err == nil {
				_, err = f.WriteAt(data, 0)
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, by, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, by, nil
}

// fileChar keeps a host's name a file's name.
func fileChar(r rune) rune {
	if r == '/' || r <= ' ' {
		return '_'
	}
	return r
}

// rawFD is a file's descriptor without making it blocking, as File.Fd may.
func rawFD(f syscall.Conn) int {
	fd := -1
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(n uintptr) { fd = int(n) })
	}
	return fd
}

// shortPath calls f with a path that fits into a socket's address: a long one is reached through its folder's descriptor.
func shortPath(path string, f func(string) error) error {
	if len(path) <= 107 {
		return f(path)
	}
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

// serve answers until close.
func (c *control) serve(s controlled, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(s.Report()); err != nil {
			log.Info("a report was not taken", "error", err)
		}
	})
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		var order Order
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&order); err != nil {
			http.Error(w, "this is no order: "+err.Error(), http.StatusBadRequest)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.take(order, &answer{conn: conn})
	})
	c.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelInfo)}
	go func() {
		if err := c.http.Serve(&ownersOnly{UnixListener: c.sock, log: log}); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			log.Error("the control socket answers no more", "error", err)
		}
	}()
}

// close ends the control socket and gives the name back.
func (c *control) close() error {
	if c == nil {
		return nil
	}
	err := os.Remove(c.path())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if c.http != nil {
		err = errors.Join(err, c.http.Close())
	}
	if c.sock != nil {
		if e := c.sock.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, c.lock.Close())
}

// ownersOnly lets in whom the kernel says is this process's user, or root.
type ownersOnly struct {
	*net.UnixListener
	log *slog.Logger
}

// Accept returns the next connection of somebody who may give orders.
func (l *ownersOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		err = listen.CheckPeer(conn)
		if err == nil {
			return conn, nil
		}
		l.log.Warn("somebody was refused at the control socket", "error", err)
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis socket answers its owner and root alone.\n")
		conn.Close()
	}
}

// answer takes the progress of an order. One without a connection drops it.
type answer struct {
	mu   sync.Mutex
	conn net.Conn
}

func (a *answer) say(p Progress) {
	if a == nil {
		return
	}
	if p.Level == "" {
		p.Level = "info"
	}
	if p.Time.IsZero() {
		p.Time = time.Now()
	}
	line, err := json.Marshal(p)
	if err != nil {
		return
	}
	a.write(append(line, '\n'))
}

// write gives up on whoever does not read.
func (a *answer) write(data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return
	}
	_ = a.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := a.conn.Write(data); err != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// taken says that the order is accepted. Plain lines follow, without chunks, so that the connection can be handed over
// when the supervisor replaces itself.
func (a *answer) taken() {
	if a != nil {
		a.write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"))
	}
}

// done says the last line and closes.
func (a *answer) done(err error) {
	if a == nil {
		return
	}
	p := Progress{Done: true}
	if err != nil {
		p.Level, p.Error = "error", err.Error()
	}
	a.say(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}
