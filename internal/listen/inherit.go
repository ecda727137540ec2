package listen

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstFD is the first descriptor that is handed over, by systemd's convention.
const firstFD = 3

// The environment variables of a hand-over. Systemd's LISTEN_PID names the process that the sockets are for; our
// supervisor cannot know a child's process id before it starts it, so it uses a variable of its own, which no other
// program takes for systemd's.
const (
	envOwn     = "ORRERY_LISTEN_FDS"
	envCount   = "LISTEN_FDS"
	envPID     = "LISTEN_PID"
	envNames   = "LISTEN_FDNAMES"
	maxSockets = 1000
)

// Environment returns the variables that tell a child process about sockets which are its descriptors from 3 on.
func Environment(sockets []*Socket) []string {
	return []string{envOwn + "=" + strconv.Itoa(len(sockets))}
}

// Inherit takes over the sockets that systemd or the supervisor handed to this process; none is no error. The variables
// are removed and the descriptors marked, so that programs started from here, jobs above all, do not get them. It is
// called once, early.
func Inherit() ([]*Socket, error) {
	own, systemd, pid := os.Getenv(envOwn), os.Getenv(envCount), os.Getenv(envPID)
	for _, name := range []string{envOwn, envCount, envPID, envNames} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	count := own
	if own == "" {
		if systemd == "" || pid != strconv.Itoa(os.Getpid()) {
			return nil, nil // none, or meant for another process
		}
		count = systemd
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("the environment says that %q sockets were handed over, which is no number", count)
	}
	var out []*Socket
	for fd := firstFD; fd < firstFD+n; fd++ {
		s, err := take(fd)
		if err != nil {
			CloseAll(out)
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// take makes a Socket of a descriptor that this process was given.
func take(fd int) (*Socket, error) {
	listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d was to be a socket to listen on: %w", fd, err)
	}
	if listening == 0 {
		return nil, fmt.Errorf("descriptor %d is a socket that does not listen", fd)
	}
	syscall.CloseOnExec(fd)
	s := &Socket{fd: fd, Address: Address{Network: "fd", Name: strconv.Itoa(fd)}}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	switch name := name.(type) {
	case *syscall.SockaddrInet4:
		s.Address = Address{Network: "tcp", Name: net.JoinHostPort(net.IP(name.Addr[:]).String(), strconv.Itoa(name.Port))}
	case *syscall.SockaddrInet6:
		s.Address = Address{Network: "tcp", Name: net.JoinHostPort(net.IP(name.Addr[:]).String(), strconv.Itoa(name.Port))}
	case *syscall.SockaddrUnix:
		s.Address = Address{Network: "unix", Name: name.Name}
	}
	return s, nil
}
