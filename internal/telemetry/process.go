package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// suffix ends the names of the sockets on which processes tell of themselves: NAME-PID@HOST.telemetry in the run folder,
// which hosts may share.
const suffix = ".telemetry"

// SocketName is the name of a process's socket in the run folder.
func SocketName(process string, pid int) (string, error) {
	host, err := hostPart()
	return filepath.Base(process) + "-" + strconv.Itoa(pid) + host, err
}

// hostPart is how the names of this host's sockets end.
func hostPart() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("asking for this host's name: %w", err)
	}
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, host)
	return "@" + safe + suffix, nil
}

// Question is asked of a process on its socket: something that one process answers for all, such as what is in the
// database. The answer is written as JSON.
type Question func(ctx context.Context) (any, error)

// ServeProcess tells of this process on the UNIX socket NAME-PID@HOST.telemetry of the run folder, which its owner alone
// may open: GET /metrics (Prometheus's text format), /stats ([Stats] as JSON), each of questions under /NAME, and Go's
// profiles, which tell what the process works on:
//
//	curl --unix-socket run/main.1-4711@node1.telemetry 'http://x/debug/pprof/profile?seconds=5' >cpu
//
// stop ends it and removes the socket.
func ServeProcess(runDir string, m *Meter, questions map[string]Question) (stop func() error, err error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the run folder: %w", err)
	}
	name, err := SocketName(m.name, os.Getpid())
	if err != nil {
		return nil, err
	}
	l, err := listenPrivately(runDir, name)
	if err != nil {
		return nil, fmt.Errorf("opening the socket for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", PrometheusType)
		m.WritePrometheus(w)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, m.Stats()) })
	for name, ask := range questions {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			answer, err := ask(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			answerJSON(w, answer)
		})
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // until it is closed
	return func() error {
		err := server.Close()
		if e := os.Remove(filepath.Join(runDir, name)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// PrometheusType is the content type of Prometheus's text format.
const PrometheusType = "text/plain; version=0.0.4; charset=utf-8"

func answerJSON(w http.ResponseWriter, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}

// listenPrivately opens a UNIX socket of a folder for its owner alone. It appears under its name only once it listens
// and has its mode, so that whoever finds it may take one that refuses for dead. The path may be longer than the 107
// bytes that a socket's address has.
func listenPrivately(dir, name string) (net.Listener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	hidden := "." + name
	if len(hidden) > 80 {
		hidden = "." + strconv.Itoa(os.Getpid()) + suffix
	}
	if err := os.Remove(filepath.Join(dir, hidden)); err != nil && !errors.Is(err, os.ErrNotExist) { // of a crash
		return nil, err
	}
	l, err := net.Listen("unix", throughFolder(folder, hidden))
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	err = os.Chmod(filepath.Join(dir, hidden), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(dir, hidden), filepath.Join(dir, name))
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(filepath.Join(dir, hidden)))
	}
	return l, nil
}

// throughFolder names a file of an open folder in few bytes.
func throughFolder(folder *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), name)
}

// dialIn connects to a socket of a folder, however long its path is.
func dialIn(ctx context.Context, dir, name string) (net.Conn, error) {
	if path := filepath.Join(dir, name); len(path) < len(syscall.RawSockaddrUnix{}.Path) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return (&net.Dialer{}).DialContext(ctx, "unix", throughFolder(folder, name))
}
