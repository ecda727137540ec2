package web

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connections are those that a process holds: who is idle, whose bytes move.
type connections struct {
	timeout time.Duration // see ServeOptions.Timeout
	began   time.Time
	places  chan struct{} // one per connection, and per listener that waits for one
	closed  chan struct{} // closed with the listeners

	mu        sync.Mutex
	all       map[*connection]struct{}
	listeners []net.Listener
	// left is signalled when a connection leaves during a drain.
	left chan struct{}
}

// newConnections makes an empty set of at most so many connections; 0 is as many as the limit of open files allows.
func newConnections(most int, timeout time.Duration) *connections {
	if most <= 0 {
		most = maxConnections()
	}
	return &connections{
		timeout: timeout, began: time.Now(), places: make(chan struct{}, most), closed: make(chan struct{}),
		all: map[*connection]struct{}{}, left: make(chan struct{}, 1),
	}
}

// maxConnections leaves a quarter of the files that this process may open to the database, datasets and uploads.
func maxConnections() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 768
	}
	return int(min(limit.Cur/4*3, 20000))
}

// The states of a connection. An idle one is between two requests, or before its first.
const (
	idle int32 = iota
	active
	closing
)

// connection is one that is counted.
type connection struct {
	net.Conn
	of      *connections
	state   atomic.Int32
	since   atomic.Int64 // when it became idle, in nanoseconds since connections.began
	in, out atomic.Int64 // bytes moved
	until   atomic.Int64 // the deadline of writes, as since
	gone    sync.Once

	moved [3]int64 // what movement saw last
}

func (c *connections) now() int64 { return int64(time.Since(c.began)) }

// listener counts the connections of a listener.
func (c *connections) listener(l net.Listener) net.Listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, l)
	return &countingListener{Listener: l, of: c}
}

// closeListeners ends the accepting. What was accepted is served.
func (c *connections) closeListeners() {
	close(c.closed)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		_ = l.Close()
	}
}

type countingListener struct {
	net.Listener
	of *connections
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
	c := l.of
	if !c.place() {
		return nil, net.ErrClosed
	}
	accepted, err := l.Listener.Accept()
	if err != nil {
		<-c.places
		return nil, err
	}
	conn := &connection{Conn: accepted, of: c}
	conn.since.Store(c.now())
	c.mu.Lock()
	c.all[conn] = struct{}{}
	c.mu.Unlock()
	return conn, nil
}

// place waits for a place for one more connection; when there is none, idle ones give way. It is false once the
// listeners are closed.
func (c *connections) place() bool {
	for {
		select {
		case c.places <- struct{}{}:
			return true
		case <-c.closed:
			return false
		default:
		}
		c.giveWay()
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case c.places <- struct{}{}:
			again.Stop()
			return true
		case <-c.closed:
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

// giveWay closes some of the connections that are idle for the longest, so that one look at all serves several.
func (c *connections) giveWay() {
	c.mu.Lock()
	var idlers []*connection
	for conn := range c.all {
		if conn.state.Load() == idle {
			idlers = append(idlers, conn)
		}
	}
	c.mu.Unlock()
	slices.SortFunc(idlers, func(a, b *connection) int { return cmp.Compare(a.since.Load(), b.since.Load()) })
	for _, conn := range idlers[:min(len(idlers), 1+len(idlers)/64)] {
		conn.closeIdle(0)
	}
}

// state learns from net/http when a connection's request is answered. When one begins, the connection sees by itself,
// and earlier.
func (c *connections) state(conn net.Conn, state http.ConnState) {
	if encrypted, is := conn.(*tls.Conn); is {
		conn = encrypted.NetConn()
	}
	counted, ok := conn.(*connection)
	if leased, is := conn.(*lease); is {
		counted, ok = leased.connection, true
		leased.between.Store(state == http.StateIdle)
	}
	if !ok {
		return // over the uwsgi protocol a connection has one request
	}
	switch state {
	case http.StateActive: // also by bytes that were read with the request before
		counted.state.CompareAndSwap(idle, active)
	case http.StateIdle:
		counted.since.Store(c.now())
		counted.state.CompareAndSwap(active, idle)
	}
}

// Read implements net.Conn.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.in.Add(int64(n))
		if c.state.Load() != active && !c.state.CompareAndSwap(idle, active) && c.state.Load() == closing {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// patience puts the deadline of writes off. Not at every one: it would cost more than many an answer.
func (c *connection) patience(renew bool) {
	timeout := c.of.timeout
	if timeout <= 0 {
		return
	}
	now := c.of.now()
	if left := c.until.Load() - now; renew || left < int64(timeout)*7/8 {
		c.until.Store(now + int64(timeout))
		_ = c.Conn.SetWriteDeadline(time.Now().Add(timeout))
	}
}

// Write implements net.Conn. A client has to read something within the timeout, not everything.
func (c *connection) Write(p []byte) (written int, err error) {
	c.patience(false)
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		c.out.Add(int64(n))
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		c.patience(true)
	}
}

// fileChunk is what has to go out within one timeout when the kernel copies a file, in bytes.
const fileChunk = 64 << 10

// ReadFrom implements io.ReaderFrom: over TCP the kernel copies files.
func (c *connection) ReadFrom(from io.Reader) (int64, error) {
	to, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, from)
	}
	var total int64
	limited, bounded := from.(*io.LimitedReader)
	for {
		chunk := &io.LimitedReader{R: from, N: fileChunk}
		if bounded {
			chunk.R, chunk.N = limited.R, min(limited.N, fileChunk)
		}
		asked := chunk.N
		if asked <= 0 {
			return total, nil
		}
		c.patience(false)
		n, err := to.ReadFrom(chunk)
		total += n
		c.out.Add(n)
		if bounded {
			limited.N -= n
		}
		if err != nil || n < asked {
			return total, err
		}
	}
}

// CloseWrite tells the client that nothing more comes; net/http does so before it closes.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetWriteDeadline implements net.Conn.
func (c *connection) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && c.of.timeout > 0 {
		return nil // as net/http wants it after each answer: the next write sets its own
	}
	c.until.Store(0) // whoever sets one ends ours
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *connection) SetDeadline(t time.Time) error {
	c.until.Store(0)
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *connection) Close() error {
	err := c.Conn.Close()
	c.gone.Do(func() {
		c.of.mu.Lock()
		delete(c.of.all, c)
		c.of.mu.Unlock()
		<-c.of.places
		select {
		case c.of.left <- struct{}{}:
		default:
		}
	})
	return err
}

// closeIdle closes the connection if it has been idle for that long, and nothing has come in on it that is not read
// yet.
func (c *connection) closeIdle(linger time.Duration) {
	if c.state.Load() != idle || c.of.now()-c.since.Load() < int64(linger) || c.pending() || !c.state.CompareAndSwap(idle, closing) {
		return
	}
	_ = c.Close()
}

// control runs a function with the connection's descriptor.
func (c *connection) control(f func(fd int)) {
	if direct, ok := c.Conn.(syscall.Conn); ok {
		if raw, err := direct.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { f(int(fd)) })
		}
	}
}

// readable calls a function with the connection's descriptor, now and whenever bytes come in, until it returns true, the
// deadline for reads has passed or the connection is closed.
func (c *connection) readable(f func(fd int) bool) error {
	direct, ok := c.Conn.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := direct.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return f(int(fd)) })
}

// pending tells whether bytes have come in that nobody has read yet.
func (c *connection) pending() (is bool) {
	c.control(func(fd int) {
		n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		is = err == nil && n > 0
	})
	return is
}

// movement tells whether bytes moved since the last call. What the kernel has not sent yet counts too: a slow client
// empties its queue while the process waits to add to it.
func (c *connection) movement() bool {
	now := [3]int64{c.in.Load(), c.out.Load()}
	c.control(func(fd int) {
		if queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			now[2] = int64(queued)
		}
	})
	moved := now != c.moved
	c.moved = now
	return moved
}

// list are the connections of this moment.
func (c *connections) list() []*connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*connection, 0, len(c.all))
	for conn := range c.all {
		out = append(out, conn)
	}
	return out
}

// drain returns when no connection is left: requests are waited for, idle connections closed when they have been idle
// for as long as linger. Busy is told each second how many requests move bytes. When none has for the time of mercy,
// the rest is closed; 0 waits for ever.
func (c *connections) drain(linger, mercy time.Duration, busy func(requests int)) {
	// Idle before the drain counts: nobody was told to come back until now.
	for _, conn := range c.list() {
		if linger > 0 && conn.state.Load() == idle {
			conn.since.Store(c.now())
		}
		conn.movement()
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	moved := time.Now()
	for {
		rest := c.list()
		if len(rest) == 0 {
			return
		}
		for _, conn := range rest {
			conn.closeIdle(linger)
		}
		select {
		case <-look.C:
		case <-c.left:
		case <-second.C:
			requests := 0
			for _, conn := range c.list() {
				if conn.movement() && conn.state.Load() == active {
					requests++
				}
			}
			switch {
			case requests > 0:
				moved = time.Now()
				if busy != nil {
					busy(requests)
				}
			case mercy > 0 && time.Since(moved) > mercy:
				for _, conn := range c.list() {
					_ = conn.Close()
				}
			}
		}
	}
}
