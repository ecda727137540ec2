package listen

import "io/fs"

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
)

// Spec says where to listen and what is spoken there.
type Spec struct {
	Bind     string   `json:"bind"` // see [Parse]
	Protocol Protocol `json:"protocol"`
	// CertFile and KeyFile are PEM files, for HTTPS.
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
	// At is where the configuration says so, for messages; "" when it does not.
	At string `json:"-"`
}
