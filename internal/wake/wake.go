package wake

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// suffix ends the names of the sockets in the run folder.
const suffix = ".wake"

// Bus is this process's end of the wake-ups.
type Bus struct {
	dir  string
	name string
	log  *slog.Logger
	conn *net.UnixConn // receives; nil in a process that is never woken
	send *net.UnixConn

	mu          sync.Mutex
	subscribers map[string][]chan struct{}
	remote      func(topic string) // tells other hosts
	done        chan struct{}
}

// Open joins the wake-ups of a run folder under a process name. A process that
// listens gets a socket there; a name's earlier socket is replaced.
func Open(dir, name string, listen bool, log *slog.Logger) (*Bus, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the run folder: %w", err)
	}
	b := &Bus{dir: dir, name: name, log: log, subscribers: map[string][]chan struct{}{}, done: make(chan struct{})}
	fd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"}) // unnamed: only sends
	if err != nil {
		return nil, fmt.Errorf("opening a socket for wake-ups: %w", err)
	}
	b.send = fd
	if !listen {
		close(b.done)
		return b, nil
	}
	path := b.path(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	conn, err := listenShort(path)
	if err != nil {
		_ = b.send.Close()
		return nil, fmt.Errorf("opening the socket for wake-ups: %w", err)
	}
	b.conn = conn
	go b.receive()
	return b, nil
}

func (b *Bus) path(name string) string { return filepath.Join(b.dir, filepath.Base(name)+suffix) }

// Subscribe gives a channel that gets a value after each wake-up for the topic;
// wake-ups that nobody took yet are merged into one.
func (b *Bus) Subscribe(topic string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	b.SubscribeTo(topic, ch)
	return ch
}

// SubscribeTo is Subscribe with a channel of the caller's, which has room for one
// value; several topics may share it.
func (b *Bus) SubscribeTo(topic string, ch chan struct{}) {
	b.mu.Lock()
	b.subscribers[topic] = append(b.subscribers[topic], ch)
	b.mu.Unlock()
}

// WakeOne is Wake for what one listener is enough for, such as a new job: this
// process if it listens, else one of this host, else one of each other host.
func (b *Bus) WakeOne(topic string) { b.Wake(topic) }

// Wake sends a wake-up for a topic to every process, this one included. It
// never blocks and never fails: a lost wake-up costs only time.
func (b *Bus) Wake(topic string) {
	b.deliver(topic)
	names, err := filepath.Glob(filepath.Join(b.dir, "*"+suffix))
	if err != nil {
		return
	}
	own := b.path(b.name)
	for _, path := range names {
		if path != own || b.conn == nil {
			b.sendTo(path, topic)
		}
	}
	b.mu.Lock()
	remote := b.remote
	b.mu.Unlock()
	if remote != nil {
		remote(topic)
	}
}

// sendTo drops a datagram into a socket, without waiting for room in it.
func (b *Bus) sendTo(path, topic string) {
	raw, err := b.send.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Write(func(fd uintptr) bool {
		addr, cleanup := shortAddr(path)
		defer cleanup()
		err := syscall.Sendto(int(fd), []byte(topic), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, &syscall.SockaddrUnix{Name: addr})
		if errors.Is(err, syscall.ECONNREFUSED) { // its owner died without removing it
			b.log.Debug("a process that listened for wake-ups is gone", "socket", path)
		}
		return true
	})
}

func (b *Bus) receive() {
	defer close(b.done)
	buf := make([]byte, 256)
	for {
		n, _, err := b.conn.ReadFromUnix(buf)
		if err != nil {
			return // closed
		}
		b.deliver(string(buf[:n]))
	}
}

// Deliver passes on a wake-up that came from another host.
func (b *Bus) Deliver(topic string) { b.deliver(topic) }

func (b *Bus) deliver(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.subscribers[topic] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Close leaves the wake-ups.
func (b *Bus) Close() error {
	err := b.send.Close()
	if b.conn != nil {
		err = errors.Join(err, os.Remove(b.path(b.name)), b.conn.Close())
	}
	<-b.done
	return err
}

// maxSocketPath is the longest path of a UNIX socket, in bytes.
const maxSocketPath = 107

// shortAddr gives a name of at most maxSocketPath bytes for a socket's path: the
// path itself, or one through a descriptor of its folder.
func shortAddr(path string) (addr string, cleanup func()) {
	if len(path) <= maxSocketPath {
		return path, func() {}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return path, func() {}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }
}

func listenShort(path string) (*net.UnixConn, error) {
	addr, cleanup := shortAddr(path)
	defer cleanup()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil && strings.Contains(err.Error(), "invalid argument") {
		return nil, fmt.Errorf("%w (the run folder's path may be too long for a socket)", err)
	}
	return conn, err
}
