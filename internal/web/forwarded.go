package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Trusted are the proxies whose X-Forwarded headers are believed. The zero value is no one over TCP.
type Trusted struct {
	// All believes whoever connects.
	All      bool
	Networks []netip.Prefix
}

// ParseTrusted reads gunicorn's forwarded_allow_ips: addresses, networks or “*”; none is this very host.
func ParseTrusted(list []string) (Trusted, error) {
	if len(list) == 0 {
		list = []string{"127.0.0.1", "::1"}
	}
	var t Trusted
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "*" {
			t.All = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err == nil {
				network, err = one.Unmap().Prefix(one.Unmap().BitLen())
			}
		}
		if err != nil {
			return t, fmt.Errorf("--forwarded-allow-ips: %q is neither an address, nor a network, nor “*”", text)
		}
		t.Networks = append(t.Networks, network.Masked())
	}
	return t, nil
}

func (t Trusted) has(a netip.Addr) bool {
	return t.All || slices.ContainsFunc(t.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// Forwarded makes requests that came through a proxy what they were before: r.RemoteAddr is the visitor's address,
// r.Host what the browser asked for. Afterwards the header X-Forwarded-Proto says nothing but “https”, when the browser
// spoke that to the proxy, and X-Forwarded-Prefix the path that a proxy removed; all else that proxies say of themselves
// is gone; the request's id in X-Request-Id stays. From whoever is not trusted, nothing of it is believed. Peers on UNIX sockets always are: the socket's mode
// says who may connect.
//
// It is to be the first handler, so that every other may take the request's fields for what they say.
func Forwarded(next http.Handler, trusted Trusted) http.Handler {
	return &forwarded{next: next, trusted: trusted, nameless: true}
}

type forwarded struct {
	next    http.Handler
	trusted Trusted
	// nameless tells whether peers without an address are trusted.
	nameless bool
}

// proxyHeaders are those by which proxies tell of the request that they got.
var proxyHeaders = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Port",
	"X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Url-Scheme", "Forwarded", RequestIDHeader}

// ServeHTTP implements http.Handler.
func (f *forwarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, has := r.Header[RequestIDHeader]; has && !f.believes(r.RemoteAddr) {
		delete(r.Header, RequestIDHeader)
	}
	for _, name := range proxyHeaders {
		if _, has := r.Header[name]; has {
			f.apply(r)
			break
		}
	}
	f.next.ServeHTTP(w, r)
}

// believes tells whether a peer is a proxy to be trusted.
func (f *forwarded) believes(peer string) bool {
	a, known := address(peer)
	return known && f.trusted.has(a) || !known && f.nameless
}

func (f *forwarded) apply(r *http.Request) {
	h := r.Header
	hops, host, prefix := h.Values("X-Forwarded-For"), first(h.Values("X-Forwarded-Host")), first(h.Values("X-Forwarded-Prefix"))
	secure, id := encrypted(h), h[RequestIDHeader]
	for _, name := range proxyHeaders {
		delete(h, name)
	}
	if !f.believes(r.RemoteAddr) {
		return
	}
	if id != nil {
		h[RequestIDHeader] = id
	}
	if visitor, ok := f.visitor(hops); ok {
		r.RemoteAddr = net.JoinHostPort(visitor.String(), "0")
	}
	if plainHost(host) {
		r.Host = host
	}
	if secure {
		h["X-Forwarded-Proto"] = []string{"https"}
	}
	if strings.HasPrefix(prefix, "/") {
		h["X-Forwarded-Prefix"] = []string{strings.TrimRight(prefix, "/")}
	}
}

// encrypted tells whether the browser speaks HTTPS with the proxy, by any of the headers that Galaxy and gunicorn read.
func encrypted(h http.Header) bool {
	for _, is := range []struct{ header, word string }{
		{"X-Url-Scheme", "https"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Protocol", "ssl"}, {"X-Forwarded-Ssl", "on"},
	} {
		if word := first(h.Values(is.header)); word != "" {
			return strings.EqualFold(word, is.word)
		}
	}
	return false
}

// visitor is who stands before the last of our own proxies: what stands before that anyone can write.
func (f *forwarded) visitor(headers []string) (visitor netip.Addr, found bool) {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, ok := address(strings.TrimSpace(hop))
		if !ok {
			break
		}
		visitor, found = a, true
		if !f.trusted.has(a) {
			break
		}
	}
	return visitor, found
}

// address reads an address with or without a port.
func address(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// first is the first of a list in headers, which the proxy that is nearest to the browser wrote.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	text, _, _ := strings.Cut(values[0], ",")
	return strings.TrimSpace(text)
}

// plainHost tells whether a text is a host, with or without a port, and nothing that could change what is built of it.
func plainHost(host string) bool {
	if host == "" || len(host) > 260 {
		return false
	}
	for _, c := range []byte(host) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_:[]", c) >= 0) {
			return false
		}
	}
	return true
}
