package listen

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// RedirectHandler answers each request with the https:// address of what was asked for: the same host, path and query, at
// the spec's HTTPSPort. A GET or HEAD gets 301, anything else 308, which keeps the method. A Host that is not simply a name
// or an IP address is refused, so that nothing in it changes where the answer leads.
func RedirectHandler(spec Spec) http.Handler {
	port := spec.HTTPSPort
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := bareHost(r.Host)
		if !ok || !strings.HasPrefix(r.URL.Path, "/") {
			http.Error(w, "This address answers https:// only, and the request names no host that it could be sent to.", http.StatusBadRequest)
			return
		}
		if port != "" && port != "443" {
			host += ":" + port
		}
		code := http.StatusPermanentRedirect
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			code = http.StatusMovedPermanently
		}
		// What was asked for as the client wrote it, but for what an absolute address has before the path.
		uri := r.URL.EscapedPath()
		if r.URL.RawQuery != "" || r.URL.ForceQuery {
			uri += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, "https://"+host+uri, code) //nolint:gosec // bareHost lets a host pass and nothing else; it is where the client came
	})
}

// bareHost is a Host header without its port, if it is a name or an IP address; an IPv6 address has brackets.
func bareHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !port(host[end+1:]) {
			return "", false
		}
		ip, err := netip.ParseAddr(host[1:end])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		return host[:end+1], true
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		if !port(host[i:]) {
			return "", false
		}
		host = host[:i]
	}
	if host == "" || len(host) > 253 || host[0] == '.' || host[0] == '-' {
		return "", false
	}
	for _, c := range []byte(host) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return "", false
		}
	}
	return host, true
}

// port tells whether a string is nothing or a port after a colon.
func port(s string) bool {
	if s == "" {
		return true
	}
	_, err := net.LookupPort("tcp", strings.TrimPrefix(s, ":"))
	return s[0] == ':' && (s == ":" || err == nil && s[1] >= '0' && s[1] <= '9')
}
