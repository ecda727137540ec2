package listen

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// defaultPort is the port of a bind string that has none, as in gunicorn.
const defaultPort = "8000"

// Address is a parsed bind string.
type Address struct {
	// Network is "tcp", "unix" or "fd".
	Network string
	// Name is HOST:PORT, the socket's path (or @NAME in the abstract namespace) or the descriptor's number.
	Name string
}

// Parse reads a bind string as gravity, gunicorn and uWSGI write it: HOST:PORT, HOST, :PORT, [IPV6]:PORT, tcp://HOST:PORT,
// unix:PATH, a path that begins with “/” or “.”, @NAME for a name in the abstract namespace, which has no file, or fd://N.
func Parse(bind string) (Address, error) {
	s := strings.TrimSpace(bind)
	switch {
	case s == "":
		return Address{}, errors.New("the address to listen on is empty; use for example localhost:8080")
	case strings.ContainsAny(s, "\x00\n"):
		return Address{}, fmt.Errorf("the address %q holds a character that no address has", bind)
	case strings.HasPrefix(s, "unix:"):
		path := strings.TrimPrefix(s, "unix:")
		if strings.HasPrefix(path, "//") {
			path = "/" + strings.TrimLeft(path, "/")
		}
		return unixAddress(bind, path)
	case strings.HasPrefix(s, "/") || strings.HasPrefix(s, "."):
		return unixAddress(bind, s)
	case strings.HasPrefix(s, "@"):
		if len(s) == 1 || len(s) > 107 {
			return Address{}, fmt.Errorf("%s: a name in the abstract namespace has from 1 to 106 bytes, as in @galaxy", bind)
		}
		return Address{Network: "unix", Name: s}, nil
	case strings.HasPrefix(s, "fd://"):
		n, err := strconv.Atoi(strings.TrimPrefix(s, "fd://"))
		if err != nil || n < 3 {
			return Address{}, fmt.Errorf("%s: a descriptor is a number from 3, as in fd://3", bind)
		}
		return Address{Network: "fd", Name: strconv.Itoa(n)}, nil
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "tcp://"), "http://")
	s = strings.TrimSuffix(s, "/")
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return Address{}, fmt.Errorf("%s: a port alone is ambiguous; write localhost:%s, or :%s for all interfaces", bind, s, s)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if ip := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"); net.ParseIP(ip) != nil {
			host, port, err = ip, defaultPort, nil
		} else if !strings.Contains(s, ":") {
			host, port, err = s, defaultPort, nil
		}
	}
	if err != nil {
		return Address{}, fmt.Errorf("%s: this is no address to listen on; use for example localhost:8080, :80 or unix:/run/galaxy.sock", bind)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return Address{}, fmt.Errorf("%s: the port is a number up to 65535", bind)
	}
	if host == "*" {
		host = ""
	}
	if strings.HasPrefix(host, ".") {
		return Address{}, fmt.Errorf("%s: %q is no host", bind, host)
	}
	for _, c := range host {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_:%", c)) {
			return Address{}, fmt.Errorf("%s: %q is no host", bind, host)
		}
	}
	return Address{Network: "tcp", Name: net.JoinHostPort(host, port)}, nil
}

func unixAddress(bind, path string) (Address, error) {
	if path == "" {
		return Address{}, fmt.Errorf("%s: a UNIX socket needs a path, as in unix:/run/galaxy.sock", bind)
	}
	path = filepath.Clean(path)
	if strings.HasPrefix(path, "@") {
		path = "./" + path // a file, not an abstract name
	}
	// The kernel's limit is 108 bytes with the final NUL.
	if len(path) > 107 {
		return Address{}, fmt.Errorf("%s: the path of a UNIX socket has at most 107 bytes", bind)
	}
	return Address{Network: "unix", Name: path}, nil
}

// abstract tells whether this is a name of the abstract namespace, which is not in the file system.
func (a Address) abstract() bool { return a.Network == "unix" && strings.HasPrefix(a.Name, "@") }

// String returns the address as a bind string.
func (a Address) String() string {
	switch a.Network {
	case "unix":
		if a.abstract() {
			return a.Name
		}
		return "unix:" + a.Name
	case "fd":
		return "fd://" + a.Name
	default:
		if strings.HasPrefix(a.Name, "unix:") {
			return "tcp://" + a.Name // a host of that name
		}
		return a.Name
	}
}

// URL returns what a person on this host opens in a browser, or the bind string for a UNIX socket.
func (a Address) URL() string {
	if a.Network != "tcp" {
		return a.String()
	}
	host, port, err := net.SplitHostPort(a.Name)
	if err != nil {
		return a.Name
	}
	if ip := net.ParseIP(host); host == "" || host == "127.0.0.1" || host == "::1" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	if port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "http://" + host
	}
	return "http://" + net.JoinHostPort(host, port)
}
