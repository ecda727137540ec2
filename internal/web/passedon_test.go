package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPassedOn(t *testing.T) {
	trusted, err := ParseTrusted(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what, peer string
		header     map[string]string
		want       bool
	}{
		{"a proxy on this host", "127.0.0.1:4711", map[string]string{"X-Forwarded-For": "192.0.2.1"}, true},
		{"a proxy by a UNIX socket", "@", map[string]string{"X-Forwarded-For": "192.0.2.1"}, true},
		{"a proxy that tells of HTTPS only", "127.0.0.1:4711", map[string]string{"X-Forwarded-Proto": "https"}, true},
		{"a visitor on this host", "127.0.0.1:4711", nil, false},
		{"a visitor by a UNIX socket", "@", nil, false},
		{"a visitor from elsewhere", "192.0.2.1:4711", nil, false},
		{"a visitor from elsewhere who lies", "192.0.2.1:4711", map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}, false},
		{"a proxy that says nonsense", "127.0.0.1:4711", map[string]string{"X-Forwarded-For": "somebody"}, false},
	} {
		t.Run(test.what, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			for name, value := range test.header {
				r.Header.Set(name, value)
			}
			got := !test.want
			Forwarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = PassedOn(r) }), trusted).ServeHTTP(httptest.NewRecorder(), r)
			if got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
