package testenv

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
)

// Proxy passes connections on to a server, and is the place where the network between the two can be cut.
type Proxy struct {
	// Address is where it listens: HOST:PORT, or the path of a UNIX socket.
	Address string

	network, target string
	listener        net.Listener

	mu     sync.Mutex
	healed *sync.Cond
	cut    bool
	closed bool
	open   map[net.Conn]bool
	pumps  sync.WaitGroup
}

// NewProxy listens on a free TCP port of the loopback address or, if it is given a path, on a UNIX socket, and passes
// what comes on to a server, until the end of the test.
func NewProxy(t testing.TB, socket, targetNetwork, target string) *Proxy {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if socket != "" {
		network, address = "unix", socket
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), network: targetNetwork, target: target, listener: l, open: map[net.Conn]bool{}}
	p.healed = sync.NewCond(&p.mu)
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Cut lets nothing through any more, silently: nobody is told, connections stay open, new ones seem to be made and
// then say nothing, as when a cable is pulled.
func (p *Proxy) Cut() { p.setCut(true) }

// Heal lets everything through again, also what was sent while the network was cut.
func (p *Proxy) Heal() { p.setCut(false) }

func (p *Proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	p.healed.Broadcast()
}

// Reset breaks every connection, as a firewall that was restarted does. New ones are accepted.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Heal()
	p.Reset()
	p.pumps.Wait()
}

// passable waits until the network is whole; false if the proxy ends.
func (p *Proxy) passable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.cut && !p.closed {
		p.healed.Wait()
	}
	return !p.closed
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // that connection is gone again
		}
		p.pumps.Go(func() { p.serve(c) })
	}
}

// keep notes a connection, so that it can be broken; false if the proxy ends.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	_ = c.Close()
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.drop(client)
	if !p.passable() {
		return
	}
	server, err := net.Dial(p.network, p.target)
	if err != nil {
		return
	}
	if !p.keep(server) {
		return
	}
	defer p.drop(server)
	var both sync.WaitGroup
	both.Go(func() { p.pump(server, client) })
	both.Go(func() { p.pump(client, server) })
	both.Wait()
}

// pump passes on what comes from one side, its end included.
func (p *Proxy) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.passable() {
			return
		}
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if half, ok := to.(interface{ CloseWrite() error }); ok && !errors.Is(err, os.ErrDeadlineExceeded) {
				_ = half.CloseWrite()
			}
			return
		}
	}
}
