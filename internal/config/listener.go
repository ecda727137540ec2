package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Protocol is what is spoken on a socket. The words are those of internal/listen.
type Protocol string

// The protocols.
const (
	HTTP     Protocol = "http"
	HTTPS    Protocol = "https"
	UWSGI    Protocol = "uwsgi"    // uWSGI's own, for uwsgi_pass and mod_proxy_uwsgi
	Redirect Protocol = "redirect" // HTTP that answers each request with its https:// address
	Stats    Protocol = "stats"    // uWSGI's stats server
	Admin    Protocol = "admin"    // HTTP for the administrator: metrics, health
)

// Listener is one address to listen on, as the files ask for it.
type Listener struct {
	Bind     string // HOST:PORT, :PORT, unix:PATH or fd://N; paths are absolute
	Protocol Protocol
	// CertFile and KeyFile are PEM files for HTTPS, absolute; a file with both is named twice.
	CertFile, KeyFile string
	// Mode is the mode of a UNIX socket; 0 is 0777 less Umask. A Umask of -1 is the one that the server is started with.
	Mode  fs.FileMode
	Umask int
	// Owner and Group are whom a UNIX socket is given to; "" leaves it as made.
	Owner, Group string
	// HTTPSPort is where a Redirect sends to; "" is 443.
	HTTPSPort string
	// Backlog is how many connections may wait to be accepted; 0 is what the system allows.
	Backlog int
	// At is where the file says so, as FILE:LINE:COLUMN; "" when it does not.
	At string
}

// String says the address with what is spoken there, unless that is HTTP.
func (l Listener) String() string {
	switch l.Protocol {
	case HTTP:
		return l.Bind
	case HTTPS:
		return l.Bind + " (https)"
	case Redirect:
		return l.Bind + " (redirects to https)"
	}
	return l.Bind + " (" + string(l.Protocol) + ")"
}

// RequestLimits are what a web worker allows a request to be, and what it believes of it. The zero value is the
// server's own rules.
type RequestLimits struct {
	Line      int // bytes of the request line
	Fields    int // header fields
	FieldSize int // bytes of one header field
	KeepAlive int // seconds that an idle connection is kept
	Timeout   int // seconds that a request may be silent
	// ForwardedAllowIPs are the proxies whose X-Forwarded headers are believed: addresses, networks or “*”. None is
	// 127.0.0.1 and ::1; peers on UNIX sockets are always believed.
	ForwardedAllowIPs []string
	// AccessLog is a file for a line per request, “-” the process's own log, "" none of its own.
	AccessLog string
}

// listeners completes what is known of listeners once the directories are known.
func (l *loader) listeners() {
	c := l.config
	l.gunicornCommandLine()
	c.Gravity.Virtualenv = l.under(c.Root, c.Gravity.Virtualenv)
	for i := range c.Gravity.Gunicorn {
		l.finishGunicorn(&c.Gravity.Gunicorn[i])
	}
	l.finishUwsgi()
	for _, s := range c.Servers {
		for i := range s.Listeners {
			one := &s.Listeners[i]
			one.CertFile, one.KeyFile = l.under(c.Root, one.CertFile), l.under(c.Root, one.KeyFile)
		}
		l.checkCertificates(&node{file: c.Path}, s.Listeners)
	}
}

// checkProxies reports entries that are neither an address nor a network: whoever is meant would not be believed.
func (l *loader) checkProxies(at *node, what string, entries []string) {
	for _, entry := range entries {
		if entry == "*" {
			continue
		}
		if _, err := netip.ParsePrefix(entry); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(entry); err == nil {
			continue
		}
		l.report.add(Error, at, "%s takes addresses and networks such as 10.0.0.0/8, or “*” for everybody, not %q", what, clip(entry, 60))
	}
}

// checkCertificates warns of files that do not exist. It is no error: only the process that opens the socket needs them,
// and it may run on another host or as another user.
func (l *loader) checkCertificates(at *node, listeners []Listener) {
	said := map[string]bool{}
	for _, listener := range listeners {
		for _, file := range []string{listener.CertFile, listener.KeyFile} {
			if file == "" || said[file] {
				continue
			}
			said[file] = true
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				l.report.add(Warning, at, "there is no file %s, which HTTPS at %s needs", file, listener.Bind)
			}
		}
	}
}

// isUnixBind tells whether a bind string is a path.
func isUnixBind(bind string) bool {
	return strings.HasPrefix(bind, "unix:") || strings.HasPrefix(bind, "/") || strings.HasPrefix(bind, ".")
}

// absoluteBind makes the path of a UNIX socket start from base, as a process that runs there would have it.
func absoluteBind(base, bind string) string {
	path, unix := strings.CutPrefix(bind, "unix:")
	switch {
	case !unix && !strings.HasPrefix(bind, "."), strings.HasPrefix(path, "/"), path == "":
		return bind
	}
	return "unix:" + filepath.Join(base, path)
}
