package web

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestForwarded(t *testing.T) {
	type headers map[string]string
	for name, c := range map[string]struct {
		peer    string
		trusted []string
		headers headers
		// what the site sees
		remote, host, prefix string
		https                bool
	}{
		"no proxy": {peer: "192.0.2.7:5", remote: "192.0.2.7:5", host: "g.test"},
		"a proxy on this host": {
			peer: "127.0.0.1:5", headers: headers{"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "galaxy.example.org:8443", "X-Forwarded-Prefix": "/galaxy/"},
			remote: "192.0.2.9:0", host: "galaxy.example.org:8443", https: true, prefix: "/galaxy",
		},
		"the same over IPv6":       {peer: "[::1]:5", headers: headers{"X-Forwarded-For": "2001:db8::1"}, remote: "[2001:db8::1]:0", host: "g.test"},
		"an address with a port":   {peer: "[::1]:5", headers: headers{"X-Forwarded-For": "192.0.2.9:77"}, remote: "192.0.2.9:0", host: "g.test"},
		"IPv4 in IPv6":             {peer: "[::ffff:127.0.0.1]:5", headers: headers{"X-Forwarded-For": "192.0.2.9"}, remote: "192.0.2.9:0", host: "g.test"},
		"over a UNIX socket":       {peer: "@", headers: headers{"X-Forwarded-For": "192.0.2.9"}, remote: "192.0.2.9:0", host: "g.test"},
		"a stranger":               {peer: "192.0.2.7:5", headers: headers{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Prefix": "/x"}, remote: "192.0.2.7:5", host: "g.test"},
		"this host, not trusted":   {peer: "127.0.0.1:5", trusted: []string{"192.0.2.1"}, headers: headers{"X-Forwarded-For": "192.0.2.9"}, remote: "127.0.0.1:5", host: "g.test"},
		"a forged hop":             {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-For": "198.51.100.1, 192.0.2.9"}, remote: "192.0.2.9:0", host: "g.test"},
		"two proxies":              {peer: "127.0.0.1:5", trusted: []string{"127.0.0.1", "10.0.0.0/8"}, headers: headers{"X-Forwarded-For": "198.51.100.1, 192.0.2.9, 10.1.2.3"}, remote: "192.0.2.9:0", host: "g.test"},
		"everyone":                 {peer: "192.0.2.7:5", trusted: []string{"*"}, headers: headers{"X-Forwarded-For": "198.51.100.1, 192.0.2.9"}, remote: "198.51.100.1:0", host: "g.test"},
		"an unknown hop":           {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-For": "unknown"}, remote: "127.0.0.1:5", host: "g.test"},
		"a hop of nonsense":        {peer: "127.0.0.1:5", trusted: []string{"*"}, headers: headers{"X-Forwarded-For": "<x>, 192.0.2.9"}, remote: "192.0.2.9:0", host: "g.test"},
		"a host of nonsense":       {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-Host": "evil.example/x?y"}, remote: "127.0.0.1:5", host: "g.test"},
		"several hosts":            {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-Host": "galaxy.example.org, inner"}, remote: "127.0.0.1:5", host: "galaxy.example.org"},
		"Galaxy's own header":      {peer: "127.0.0.1:5", headers: headers{"X-Url-Scheme": "https"}, remote: "127.0.0.1:5", host: "g.test", https: true},
		"gunicorn's":               {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-Ssl": "on"}, remote: "127.0.0.1:5", host: "g.test", https: true},
		"HTTP before the proxy":    {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-Proto": "http"}, remote: "127.0.0.1:5", host: "g.test"},
		"a prefix that is no path": {peer: "127.0.0.1:5", headers: headers{"X-Forwarded-Prefix": "galaxy"}, remote: "127.0.0.1:5", host: "g.test"},
	} {
		trusted, err := ParseTrusted(c.trusted)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/x", nil)
		r.RemoteAddr, r.Host = c.peer, "g.test"
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		Forwarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.RemoteAddr != c.remote || r.Host != c.host || overHTTPS(r) != c.https || r.Header.Get("X-Forwarded-Prefix") != c.prefix {
				t.Errorf("%s: %s, %s, HTTPS %v, prefix %q", name, r.RemoteAddr, r.Host, overHTTPS(r), r.Header.Get("X-Forwarded-Prefix"))
			}
			for _, gone := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Url-Scheme"} {
				if r.Header.Get(gone) != "" {
					t.Errorf("%s: %s is left", name, gone)
				}
			}
		}), trusted).ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestRequestIDsAreThoseOfProxies(t *testing.T) {
	for peer, want := range map[string]string{"127.0.0.1:5": "abc", "192.0.2.7:5": ""} {
		trusted, err := ParseTrusted(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/x", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Request-Id", "abc")
		Forwarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Request-Id"); got != want {
				t.Errorf("%s: the id is %q", peer, got)
			}
		}), trusted).ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestHTTPSWithoutAProxy(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{}
	if !overHTTPS(r) {
		t.Error("a connection over TLS is not taken for HTTPS")
	}
}

func TestParseTrusted(t *testing.T) {
	trusted, err := ParseTrusted([]string{" 192.0.2.1 ", "10.1.0.0/16", "::ffff:192.0.2.2"})
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]bool{"192.0.2.1": true, "192.0.2.2": true, "192.0.2.3": false, "10.1.255.1": true, "10.2.0.1": false} {
		if trusted.has(netip.MustParseAddr(a)) != want {
			t.Errorf("%s is trusted: %v", a, !want)
		}
	}
	for _, bad := range []string{"", "galaxy.example.org", "10.0.0.0/99"} {
		if _, err := ParseTrusted([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("192.0.2.9, 10.0.0.1", "a.example", "/x", "https")
	f.Add("[::1]:80,,", "a/b", "//", "HTTPS,http")
	f.Fuzz(func(t *testing.T, hops, host, prefix, proto string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header = http.Header{"X-Forwarded-For": {hops}, "X-Forwarded-Host": {host}, "X-Forwarded-Prefix": {prefix}, "X-Forwarded-Proto": {proto}}
		Forwarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, ok := address(r.RemoteAddr); !ok {
				t.Errorf("the address is %q", r.RemoteAddr)
			}
			if !plainHost(r.Host) {
				t.Errorf("the host is %q", r.Host)
			}
			if scheme := r.Header.Get("X-Forwarded-Proto"); scheme != "" && scheme != "https" {
				t.Errorf("the scheme is %q", scheme)
			}
		}), Trusted{All: true}).ServeHTTP(httptest.NewRecorder(), r)
	})
}
