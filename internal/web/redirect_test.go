package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOlderAddressesLeadToThePage(t *testing.T) {
	for _, test := range []struct{ name, prefix, method, from, to string }{
		{"after logging out", "", "GET", "/root/login?is_logout_redirect=true", "/login/start"},
		{"below a prefix", "/galaxy", "GET", "/login", "/galaxy/login/start"},
		{"keeping what was asked for", "", "GET", "/login?redirect=%2Fuser", "/login/start?redirect=%2Fuser"},
		{"a tool", "", "GET", "/tool_runner?tool_id=cat1", "/?tool_id=cat1"},
		{"a job to run again", "", "GET", "/tool_runner/rerun?job_id=abc", "/?job_id=abc"},
		{"a history", "", "GET", "/history/view/f2db41e1fa331b3e", "/histories/view?id=f2db41e1fa331b3e"},
		{"a history's id cannot change the address", "", "GET", "/history/view/a&x=%0d%0aSet-Cookie:1", "/histories/view?id=a%26x%3D%0D%0ASet-Cookie%3A1"},
		{"something unknown", "", "GET", "/history/frobnicate", ""},
		{"not a visit", "", "POST", "/login", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			done := (&Site{Prefix: test.prefix}).redirect(w, httptest.NewRequest(test.method, test.from, nil))
			if done != (test.to != "") {
				t.Fatalf("redirected: %v", done)
			}
			if done && (w.Code != http.StatusFound || w.Header().Get("Location") != test.to) {
				t.Errorf("%d to %q, want %q", w.Code, w.Header().Get("Location"), test.to)
			}
		})
	}
}
