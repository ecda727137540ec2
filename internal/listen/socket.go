package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Socket is a listening socket that this process holds and does not accept on.
type Socket struct {
	// Address is where the socket listens; with port 0 the port that the system chose.
	Address Address
	// Spec says what is spoken on it.
	Spec Spec
	// Name is the name that systemd gave it (FileDescriptorName=), "" otherwise.
	Name string

	mu sync.Mutex
	fd int // -1 once closed
}

// Open listens on a bind string, for HTTP. See [OpenSpec].
func Open(bind string) (*Socket, error) {
	return OpenSpec(Spec{Bind: bind, Protocol: HTTP})
}

// OpenSpec listens where a spec says. A UNIX socket that nobody listens on any more is replaced, one in use is an error.
// Without Mode or Umask a UNIX socket's mode is 0777 as under gunicorn, since a proxy of another user connects to it: the
// directory's mode is what protects it then.
func OpenSpec(spec Spec) (*Socket, error) {
	if spec.Protocol == "" {
		spec.Protocol = HTTP
	}
	a, err := Parse(spec.Bind)
	if err != nil {
		return nil, err
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	if spec.Protocol == HTTPS {
		// What cannot be served is said now, by who may be root, and not at the first handshake.
		if _, _, err := loadPair(spec); err != nil {
			return nil, fmt.Errorf("cannot listen on %s: %w", a, err)
		}
	}
	var s *Socket
	switch a.Network {
	case "fd":
		fd, err := strconv.Atoi(a.Name)
		if err != nil {
			return nil, err
		}
		s, err = take(fd)
		if err != nil {
			return nil, err
		}
	case "unix":
		s, err = openUnix(a, spec)
	default:
		s, err = openTCP(a, spec)
	}
	if err != nil {
		return nil, err
	}
	s.Spec = spec
	return s, nil
}

// openTCP binds an address. The port may be bound again at once after its last holder ended (SO_REUSEADDR), and the
// connections that come in have TCP keep-alive: both are what the net package does.
func openTCP(a Address, spec Spec) (*Socket, error) {
	network := "tcp"
	if at, err := netip.ParseAddrPort(a.Name); err == nil && at.Addr().Is4() {
		network = "tcp4" // else 0.0.0.0 would be every address of IPv6, too
	}
	l, err := net.Listen(network, a.Name)
	if err != nil {
		return nil, explain(a, err)
	}
	s, err := fromListener(l, Address{Network: "tcp", Name: l.Addr().String()})
	if err != nil {
		return nil, err
	}
	if spec.Backlog > 0 {
		// Listening a second time changes the length of the queue and nothing else.
		if err := syscall.Listen(s.fd, spec.Backlog); err != nil {
			s.Close()
			return nil, explain(a, err)
		}
	}
	return s, nil
}

// OpenSpecs opens several specs; when one fails, none stays open. An error begins with where the configuration asks for
// the one that failed.
func OpenSpecs(specs []Spec) ([]*Socket, error) {
	var out []*Socket
	for _, spec := range specs {
		s, err := OpenSpec(spec)
		if err != nil {
			if spec.At != "" {
				err = fmt.Errorf("%s: %w", spec.At, err)
			}
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
	case errors.Is(err, fs.ErrNotExist) && a.Network == "unix":
		return fmt.Errorf("cannot listen on %s: the directory %s does not exist", a, filepath.Dir(a.Name))
	}
	return fmt.Errorf("cannot listen on %s: %w", a, err)
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
	if s.Address.Network == "unix" && !s.Address.abstract() {
		if e := os.Remove(s.Address.Name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
