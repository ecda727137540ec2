package listen

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"
)

// Match finds sockets that this process was given (by systemd, a Zerg pool or its former self) among those that the
// configuration asks for, by address, and gives each the spec that it answers to. It returns the specs that no socket is
// for, which are to be opened; sockets that no spec asks for keep what they have.
func Match(sockets []*Socket, specs []Spec) (missing []Spec) {
	taken := make([]bool, len(sockets))
	for _, spec := range specs {
		found := -1
		if a, err := Parse(spec.Bind); err == nil {
			for i, s := range sockets {
				if !taken[i] && s.listensAt(a) {
					found = i
					break
				}
			}
		}
		if found < 0 {
			missing = append(missing, spec)
			continue
		}
		taken[found] = true
		sockets[found].describe(spec)
	}
	return missing
}

// listensAt tells whether a socket listens where an address asks for.
func (s *Socket) listensAt(a Address) bool {
	switch {
	case a.Network == "fd":
		return strconv.Itoa(s.FD()) == a.Name
	case a.Network != s.Address.Network:
		return false
	case a.Network == "unix":
		return samePath(a, s.Address)
	}
	host, port, err := net.SplitHostPort(a.Name)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddrPort(s.Address.Name)
	if err != nil || strconv.Itoa(int(at.Port())) != port {
		return false
	}
	if host == "" {
		return at.Addr().IsUnspecified()
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap() == at.Addr().Unmap() || ip.IsUnspecified() && at.Addr().IsUnspecified()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// A name that is not found is found missing when it is opened, which says so.
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if ip.Unmap() == at.Addr().Unmap() {
			return true
		}
	}
	return false
}

func samePath(a, b Address) bool {
	if a.Name == b.Name {
		return true
	}
	if a.abstract() || b.abstract() {
		return false
	}
	x, err1 := filepath.Abs(a.Name)
	y, err2 := filepath.Abs(b.Name)
	return err1 == nil && err2 == nil && x == y
}
