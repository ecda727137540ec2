package api

import (
	"net/http"
	"net/url"
	"strings"

	"orrery/internal/dataset"
)

// Offload lets the proxy in front of this server send datasets' files, after this server has found out that the visitor
// may have them.
type Offload struct {
	// AccelBase is nginx_x_accel_redirect_base: what nginx is to put before a file's path to reach its location with
	// «internal; alias /;». "" when nginx sends no files.
	AccelBase string
	// Sendfile is apache_xsendfile. AccelBase goes before it, as in Galaxy.
	Sendfile bool
	// Proxied tells whether a proxy passed a request on; a visitor who came past it would get the header and an empty
	// file. nil: all did.
	Proxied func(r *http.Request) bool
}

// handOver answers with the header that makes the proxy send the file, and nothing else; false when the file is not for
// the proxy to send.
func (o Offload) handOver(r *Request, body *dataset.Body) bool {
	if (o.AccelBase == "" && !o.Sendfile) || (o.Proxied != nil && !o.Proxied(r.Request)) {
		return false
	}
	file := body.Handover()
	if file == "" {
		return false
	}
	header := r.W.Header()
	// Both proxies decode what they are told, so a name with % in it would be another file's.
	escaped := (&url.URL{Path: file}).EscapedPath()
	if o.AccelBase != "" {
		header.Set("X-Accel-Redirect", strings.TrimSuffix(o.AccelBase, "/")+escaped)
	} else {
		header.Set("X-Sendfile", escaped)
		header.Set("Accept-Ranges", "bytes") // nginx says so itself
	}
	r.W.WriteHeader(http.StatusOK)
	return true
}
