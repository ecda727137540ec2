package web

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// parkAfter is how long a connection is idle before net/http has to give back what it holds for one: a goroutine with
// two buffers, about 18 kB, as long as the client stays. Thousands of browsers that look at a page would cost as much
// as a worker.
const parkAfter = 2 * time.Second

// lease is a connection that net/http serves until it has been idle for a while. Net/http is told then that the client
// has left; in truth a small goroutine waits for the next request, with which the connection is accepted once more.
type lease struct {
	*connection
	parking *parking

	empty    int         // how many bytes net/http reads at a time when it holds none that it has not looked at
	between  atomic.Bool // between two requests
	deadline time.Time   // of reads, then
	parked   bool
}

// SetReadDeadline implements net.Conn.
func (l *lease) SetReadDeadline(t time.Time) error {
	if !l.between.Load() {
		return l.Conn.SetReadDeadline(t)
	}
	l.deadline = t
	if soon := time.Now().Add(l.parking.after); t.IsZero() || t.After(soon) {
		t = soon
	}
	return l.Conn.SetReadDeadline(t)
}

// Read implements net.Conn.
func (l *lease) Read(p []byte) (int, error) {
	if l.empty == 0 {
		l.empty = len(p)
	}
	if !l.between.Load() {
		return l.connection.Read(p)
	}
	l.between.Store(false)
	if len(p) != l.empty {
		// A part of the next request has been read, and would be lost.
		_ = l.Conn.SetReadDeadline(l.deadline)
		return l.connection.Read(p)
	}
	n, err := l.connection.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && (l.deadline.IsZero() || time.Now().Before(l.deadline)) {
		l.parked = true
		return 0, io.EOF
	}
	if 0 < n && n < 4 { // net/http looks for that many
		_ = l.Conn.SetReadDeadline(l.deadline)
	}
	return n, err
}

// Close implements net.Conn.
func (l *lease) Close() error {
	if !l.parked {
		return l.connection.Close()
	}
	go l.parking.wait(l.connection, l.deadline)
	return nil
}

// parking is a listener that gives back connections on which a request comes in after a while.
type parking struct {
	after time.Duration
	again chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newParking(after time.Duration) *parking {
	return &parking{after: after, again: make(chan net.Conn), ended: make(chan struct{})}
}

// wait waits for the next request. Nothing is read: whether bytes have come in is all that is asked.
func (p *parking) wait(c *connection, until time.Time) {
	ready := false
	err := c.Conn.SetReadDeadline(until)
	if err == nil {
		err = c.readable(func(fd int) bool {
			n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			ready = err == nil && n > 0
			return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
		})
	}
	if err != nil || !ready || !c.state.CompareAndSwap(idle, active) {
		_ = c.Close()
		return
	}
	_ = c.Conn.SetReadDeadline(time.Time{})
	select {
	case p.again <- &lease{connection: c, parking: p}:
	case <-p.ended:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (p *parking) Accept() (net.Conn, error) {
	select {
	case c := <-p.again:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *parking) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

// Addr implements net.Listener.
func (p *parking) Addr() net.Addr { return &net.UnixAddr{Name: "parked", Net: "unix"} }

// leasing is a listener whose connections are parked when they are idle.
type leasing struct {
	net.Listener
	parking *parking
}

// Accept implements net.Listener.
func (l leasing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lease{connection: c.(*connection), parking: l.parking}, nil
}
