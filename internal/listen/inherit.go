package listen

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstFD is the first descriptor that is handed over, by systemd's convention.
const firstFD = 3

// The environment variables of a hand-over. Systemd's LISTEN_PID names the process that the sockets are for; our
// supervisor cannot know a child's process id before it starts it, so it uses a variable of its own, which no other
// program takes for systemd's.
const (
	envOwn     = "ORRERY_LISTEN_FDS"
	envSpecs   = "ORRERY_LISTEN_SPECS"
	envCount   = "LISTEN_FDS"
	envPID     = "LISTEN_PID"
	envNames   = "LISTEN_FDNAMES"
	maxSockets = 1000
)

// Environment returns the variables that tell a child process about sockets which are its descriptors from 3 on, and what
// is spoken on each.
func Environment(sockets []*Socket) []string {
	env := []string{envOwn + "=" + strconv.Itoa(len(sockets))}
	if specs, err := encodeSpecs(sockets); err == nil && len(sockets) > 0 {
		env = append(env, envSpecs+"="+string(specs))
	}
	return env
}

// Inherit takes over the sockets that systemd or the supervisor handed to this process; none is no error. From the
// supervisor they come with their specs; systemd's are for HTTP until [Match] finds them in the configuration, or for what
// their name says (FileDescriptorName=uwsgi). The variables are removed and the descriptors marked, so that programs started
// from here, jobs above all, do not get them. It is called once, early.
func Inherit() ([]*Socket, error) {
	own, specs := os.Getenv(envOwn), os.Getenv(envSpecs)
	systemd, pid, names := os.Getenv(envCount), os.Getenv(envPID), os.Getenv(envNames)
	for _, name := range []string{envOwn, envSpecs, envCount, envPID, envNames} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if err := learnKept(own != ""); err != nil {
		return nil, err
	}
	count := own
	if own == "" {
		specs = ""
		if systemd == "" || pid != strconv.Itoa(os.Getpid()) {
			return nil, nil // none, or meant for another process
		}
		count = systemd
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("the environment says that %q sockets were handed over, which is no number up to %d", count, maxSockets)
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
	if specs != "" {
		read, err := decodeSpecs([]byte(specs), n)
		if err != nil {
			CloseAll(out)
			return nil, err
		}
		for i, s := range out {
			s.describe(read[i])
		}
		return out, nil
	}
	if own == "" && names != "" {
		for i, name := range strings.Split(names, ":") {
			if i < len(out) {
				out[i].Name = name
				if p := Protocol(name); p == UWSGI || p == Redirect || p == Stats || p == Admin {
					out[i].Spec.Protocol = p
				}
			}
		}
	}
	return out, nil
}

// describe says what a socket is that was taken over. The path of a UNIX socket is as the spec has it, since the kernel
// tells only what was bound, which may be relative to another directory.
func (s *Socket) describe(spec Spec) {
	s.Spec = spec
	if spec.Protocol == HTTPS && os.Geteuid() == 0 {
		// As when it is opened; whoever serves says what is wrong with it.
		_, _, _ = loadPair(spec)
	}
	if a, err := Parse(spec.Bind); err == nil && a.Network == "unix" && s.Address.Network == "unix" {
		s.Address = a
	}
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
	defer func() { s.Spec = Spec{Bind: s.Address.String(), Protocol: HTTP} }()
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
