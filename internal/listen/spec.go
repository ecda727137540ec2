package listen

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// Protocol is what is spoken on a socket.
type Protocol string

// The protocols.
const (
	HTTP     Protocol = "http"
	HTTPS    Protocol = "https"
	UWSGI    Protocol = "uwsgi"    // uWSGI's own, for uwsgi_pass and mod_proxy_uwsgi
	Redirect Protocol = "redirect" // HTTP that answers each request with its https:// address
	Stats    Protocol = "stats"    // uWSGI's stats server: one JSON document per connection
	Admin    Protocol = "admin"    // HTTP for the administrator: metrics, health
	Zerg     Protocol = "zerg"     // sockets for who attaches, see [ServeZerg]
)

// Spec says where to listen and what is spoken there.
type Spec struct {
	Bind     string   `json:"bind"` // see [Parse]
	Protocol Protocol `json:"protocol"`
	// CertFile and KeyFile are PEM files, for HTTPS. KeyFile may be "" when CertFile holds both.
	CertFile string `json:"cert,omitempty"`
	KeyFile  string `json:"key,omitempty"`
	// Mode is the mode of a UNIX socket; 0 is 0777 less Umask.
	Mode  fs.FileMode `json:"mode,omitempty"`
	Umask fs.FileMode `json:"umask,omitempty"`
	// Owner and Group are names or numbers that a UNIX socket is given to; "" leaves it as made.
	Owner string `json:"owner,omitempty"`
	Group string `json:"group,omitempty"`
	// HTTPSPort is where a Redirect sends to; "" is 443.
	HTTPSPort string `json:"https_port,omitempty"`
	// Backlog is how many connections may wait to be accepted; 0 is what the system allows (net.core.somaxconn).
	Backlog int `json:"backlog,omitempty"`
	// At is where the configuration says so, for messages; "" when it does not.
	At string `json:"-"`
}

// check tells whether the words of a spec, apart from its address, make sense.
func (s Spec) check() error {
	switch s.Protocol {
	case HTTP, UWSGI, Redirect, Stats, Admin, Zerg:
	case HTTPS:
		if s.CertFile == "" {
			return fmt.Errorf("cannot listen on %s: HTTPS needs a certificate", s.Bind)
		}
	default:
		return fmt.Errorf("cannot listen on %s: %q is no protocol that is spoken here", s.Bind, string(s.Protocol))
	}
	if s.Mode&^0o777 != 0 || s.Umask&^0o777 != 0 {
		return fmt.Errorf("cannot listen on %s: the mode %o and umask %o are at most 777", s.Bind, s.Mode, s.Umask)
	}
	if s.Backlog < 0 {
		return fmt.Errorf("cannot listen on %s: the backlog %d is negative", s.Bind, s.Backlog)
	}
	return nil
}

// mode is the mode that a UNIX socket gets.
func (s Spec) mode() fs.FileMode {
	if s.Mode != 0 {
		return s.Mode
	}
	return 0o777 &^ s.Umask
}

// maxSpecs bounds what a hand-over says about its sockets, in bytes.
const maxSpecs = 1 << 20

// encodeSpecs writes what each socket is for, in order.
func encodeSpecs(sockets []*Socket) ([]byte, error) {
	specs := make([]Spec, len(sockets))
	for i, s := range sockets {
		specs[i] = s.Spec
	}
	return json.Marshal(specs)
}

// decodeSpecs reads what [encodeSpecs] wrote for n sockets.
func decodeSpecs(text []byte, n int) ([]Spec, error) {
	if len(text) > maxSpecs {
		return nil, fmt.Errorf("what is said about the sockets that were handed over is too long (%d bytes)", len(text))
	}
	var specs []Spec
	if err := json.Unmarshal(text, &specs); err != nil {
		return nil, fmt.Errorf("what is said about the sockets that were handed over cannot be read: %w", err)
	}
	if len(specs) != n {
		return nil, fmt.Errorf("%d sockets were handed over and %d described", n, len(specs))
	}
	return specs, nil
}
