package upload

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestReadURL(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
		_, _ = io.WriteString(w, "tools: {}")
	}))
	defer site.Close()
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	text, err := ReadURL(t.Context(), site.URL+"/rules.yml", here, 9)
	if err != nil || string(text) != "tools: {}" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := ReadURL(t.Context(), site.URL, nil, 9); !errors.Is(err, ErrInternal) {
		t.Errorf("an address of this machine: %v", err)
	}
	for address, want := range map[string]string{
		site.URL: "longer than 8 bytes", site.URL + "/gone": "410", "file:///etc/passwd": "only http and https",
	} {
		if _, err := ReadURL(t.Context(), address, here, 8); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
