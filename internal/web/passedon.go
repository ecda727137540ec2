package web

import (
	"net/http"
	"strings"

	"orrery/internal/listen"
)

// PassedOn tells whether a trusted proxy passed a request on, so that a file may be left to it to send. To a visitor who
// came past the proxy, who has only the program itself to answer, it is false.
//
// It relies on Forwarded, which leaves the port 0 to visitors that a trusted proxy told of, and takes X-Forwarded-Proto
// from all others. The uwsgi protocol is spoken by proxies only.
func PassedOn(r *http.Request) bool {
	if _, ok := listen.UWSGIFrom(r.Context()); ok {
		return true
	}
	return strings.HasSuffix(r.RemoteAddr, ":0") || r.Header.Get("X-Forwarded-Proto") != "" || r.Header.Get("X-Forwarded-Prefix") != ""
}
