package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Socket is a listening socket that this process holds and does not accept on.
type Socket struct {
	// Address is where the socket listens; with port 0 the port that the system chose.
	Address Address

	mu sync.Mutex
	fd int // -1 once closed
}

// Open listens on a bind string. A UNIX socket that nobody listens on any more is replaced, one in use is an error; its
// mode is 0777 as under gunicorn, since a proxy of another user connects to it: the directory's mode is what protects it.
func Open(bind string) (*Socket, error) {
	a, err := Parse(bind)
	if err != nil {
		return nil, err
	}
	switch a.Network {
	case "fd":
		fd, err := strconv.Atoi(a.Name)
		if err != nil {
			return nil, err
		}
		return take(fd)
	case "unix":
		return openUnix(a)
	default:
		l, err := net.Listen("tcp", a.Name)
		if err != nil {
			return nil, explain(a, err)
		}
		return fromListener(l, Address{Network: "tcp", Name: l.Addr().String()})
	}
}

// OpenAll opens several bind strings; when one fails, none stays open.
func OpenAll(binds []string) ([]*Socket, error) {
	var out []*Socket
	for _, bind := range binds {
		s, err := Open(bind)
		if err != nil {
			CloseAll(out)
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// CloseAll closes sockets. A UNIX socket's path stays, for other processes may hold the socket still.
func CloseAll(sockets []*Socket) {
	for _, s := range sockets {
		s.Close()
	}
}

// explain says what a person can do about an address that cannot be opened.
func explain(a Address, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program listens there; stop it or choose another address", a)
	case errors.Is(err, syscall.EACCES) && a.Network == "tcp":
		return fmt.Errorf("cannot listen on %s: ports below 1024 need root or the capability CAP_NET_BIND_SERVICE", a)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this host does not have that address", a)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot listen on %s: the directory %s does not exist", a, filepath.Dir(a.Name))
	}
	return fmt.Errorf("cannot listen on %s: %w", a, err)
}

// openUnix binds a UNIX socket, one process at a time: between finding a dead socket, removing it and binding anew,
// another process must not do the same.
func openUnix(a Address) (*Socket, error) {
	lock, err := os.OpenFile(a.Name+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, explain(a, err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, explain(a, err)
	}
	switch info, err := os.Lstat(a.Name); {
	case err == nil && info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("cannot listen on %s: there is a file at that path which is no socket; remove it or choose another path", a)
	case err == nil:
		c, err := net.DialTimeout("unix", a.Name, time.Second)
		if err == nil {
			c.Close()
			return nil, explain(a, syscall.EADDRINUSE)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, explain(a, err)
		}
		if err := os.Remove(a.Name); err != nil {
			return nil, explain(a, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, explain(a, err)
	}
	l, err := net.Listen("unix", a.Name)
	if err != nil {
		return nil, explain(a, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(a.Name, 0o777); err != nil {
		l.Close()
		return nil, explain(a, err)
	}
	return fromListener(l, a)
}

// fromListener keeps a listener's descriptor and lets go of the listener, which the runtime would poll.
func fromListener(l net.Listener, a Address) (*Socket, error) {
	defer l.Close()
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, explain(a, err)
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(n uintptr) { fd, dupErr = duplicate(int(n)) }); err != nil {
		return nil, explain(a, err)
	}
	if dupErr != nil {
		return nil, explain(a, dupErr)
	}
	return &Socket{Address: a, fd: fd}, nil
}

// duplicate makes a second descriptor that a program started from here does not inherit by accident.
func duplicate(fd int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// FD returns the descriptor, to hand over to a child process; -1 when the socket is closed. It stays the Socket's.
func (s *Socket) FD() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fd
}

// Listener returns a listener on the socket with a descriptor of its own: closing one leaves the other open, and a UNIX
// socket's path stays.
func (s *Socket) Listener() (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil, fmt.Errorf("%s: %w", s.Address, net.ErrClosed)
	}
	fd, err := duplicate(s.fd)
	if err != nil {
		return nil, explain(s.Address, err)
	}
	f := os.NewFile(uintptr(fd), s.Address.String())
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, explain(s.Address, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, nil
}

// Close lets go of the socket. It goes on listening while another process holds it.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return syscall.Close(fd)
}

// Remove closes the socket and removes the path of a UNIX socket: for the last process that holds it.
func (s *Socket) Remove() error {
	err := s.Close()
	if s.Address.Network == "unix" {
		for _, path := range []string{s.Address.Name, s.Address.Name + ".lock"} {
			if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}
