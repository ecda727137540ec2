package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// ZergSpec is the spec of the socket of a Zerg pool: a path, or @NAME in the abstract namespace. Its mode is 0600.
func ZergSpec(path string) Spec {
	spec := Spec{Bind: "unix:" + path, Protocol: Zerg, Mode: 0o600}
	if len(path) > 0 && path[0] == '@' {
		spec.Bind, spec.Mode = path, 0 // there is no mode; who connects is looked at
	}
	return spec
}

const (
	zergWait    = 10 * time.Second       // for one who attaches to take what it is sent
	zergAtOnce  = 16                     // how many may attach at the same time
	zergRetry   = 200 * time.Millisecond // between two tries to attach
	acceptPause = 50 * time.Millisecond  // when this process has no descriptor left
)

// ServeZerg hands sockets, with their specs, to each process that attaches to a Zerg pool's socket and is root's or this
// user's, until the context ends. The pool itself serves nothing: connections wait in the sockets' queues while nobody is
// attached. What goes wrong with one who attaches is reported.
func ServeZerg(ctx context.Context, pool *Socket, sockets []*Socket, report func(error)) error {
	l, err := pool.Listener()
	if err != nil {
		return err
	}
	return serveZerg(ctx, l, sockets, func(err error) { report(fmt.Errorf("the Zerg pool at %s: %w", pool.Address, err)) })
}

func serveZerg(ctx context.Context, l net.Listener, sockets []*Socket, report func(error)) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	var attached sync.WaitGroup
	defer attached.Wait()
	places := make(chan struct{}, zergAtOnce)
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case err != nil:
			if !passing(err) {
				return fmt.Errorf("the Zerg pool at %s: %w", l.Addr(), err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return nil
		}
		attached.Add(1)
		go func() {
			defer attached.Done()
			defer func() { <-places }()
			defer conn.Close()
			if err := attach(conn, sockets); err != nil {
				report(err)
			}
		}()
	}
}

// passing tells whether accepting may work again soon: the process or the host has no descriptors or memory left, or the
// other side went away.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func attach(conn net.Conn, sockets []*Socket) error {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("it is no UNIX socket, over which nothing can be handed")
	}
	if err := CheckPeer(u); err != nil {
		return err
	}
	if err := u.SetDeadline(time.Now().Add(zergWait)); err != nil {
		return err
	}
	return SendSockets(u, sockets)
}

// AttachZerg takes the sockets of the Zerg pool at a path or @NAME. While no pool is there it tries again, until the context
// ends. The sockets speak what the pool's configuration says, the uwsgi protocol as a rule; [Match] gives one the protocol
// that the configuration of who attaches declares for its address.
func AttachZerg(ctx context.Context, path string) ([]*Socket, error) {
	a, err := Parse(ZergSpec(path).Bind)
	if err != nil {
		return nil, err
	}
	for {
		sockets, err := attachOnce(ctx, a)
		if err == nil {
			return sockets, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EAGAIN) && ctx.Err() == nil {
			return nil, fmt.Errorf("attaching to the Zerg pool at %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("attaching to the Zerg pool at %s: nobody answers there (%w); start the process with the option zerg-pool first", path, err)
		case <-time.After(zergRetry):
		}
	}
}

func attachOnce(ctx context.Context, a Address) ([]*Socket, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", a.Name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("it is no UNIX socket")
	}
	// Whoever answers decides what is served here. Root takes it from the user that it is to become.
	if err := CheckPeer(u); err != nil && os.Geteuid() != 0 {
		return nil, err
	}
	if err := u.SetDeadline(time.Now().Add(zergWait)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = u.SetDeadline(time.Unix(1, 0)) })()
	return ReceiveSockets(u)
}
