package config

import (
	"io/fs"
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
	// At is where the file says so, as FILE:LINE:COLUMN; "" when it does not.
	At string
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
	// ProxyProtocol tells whether connections from ProxyAllowIPs begin with the line of the PROXY protocol.
	ProxyProtocol bool
	ProxyAllowIPs []string
	// AccessLog is a file for a line per request, “-” the process's own log, "" none of its own.
	AccessLog string
}

// listeners completes what is known of listeners once the directories are known.
func (l *loader) listeners() {
	c := l.config
	for i := range c.Gravity.Gunicorn {
		g := &c.Gravity.Gunicorn[i]
		for _, bind := range g.Binds {
			g.Listeners = append(g.Listeners, Listener{Bind: absoluteBind(c.Root, bind), Protocol: HTTP, At: g.BindAt})
		}
	}
	for _, bind := range c.Uwsgi.Binds {
		c.Uwsgi.Listeners = append(c.Uwsgi.Listeners, Listener{Bind: bind, Protocol: HTTP, At: c.Uwsgi.BindAt, Umask: -1})
	}
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
