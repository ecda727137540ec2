package listen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newCertificate makes a certificate for localhost, in PEM.
func newCertificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

func write(t *testing.T, path string, parts ...[]byte) string {
	t.Helper()
	if err := os.WriteFile(path, bytes.Join(parts, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCertificatesThatChange(t *testing.T) {
	dir := t.TempDir()
	cert, key := newCertificate(t, "first")
	spec := Spec{Bind: "127.0.0.1:0", Protocol: HTTPS, CertFile: write(t, dir+"/crt", cert), KeyFile: write(t, dir+"/key", key)}
	now := time.Unix(1_000_000_000, 0)
	var problems []string
	c, err := tlsConfig(spec, func(err error) { problems = append(problems, err.Error()) }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		got, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.Subject.CommonName
	}
	replace := func(cert, key []byte) {
		for path, data := range map[string][]byte{dir + "/crt": cert, dir + "/key": key} {
			if err := os.Rename(write(t, path+".new", data), path); err != nil {
				t.Fatal(err)
			}
		}
	}
	second, secondKey := newCertificate(t, "second")
	replace(second, secondKey)
	if got := name(); got != "first" {
		t.Errorf("within a second: %s", got)
	}
	now = now.Add(checkEvery)
	if got := name(); got != "second" {
		t.Errorf("after a second: %s", got)
	}
	// The certificate is new and the key not yet: the old pair stays, and that is said once.
	third, thirdKey := newCertificate(t, "third")
	replace(third, secondKey)
	for range 3 {
		now = now.Add(checkEvery)
		if got := name(); got != "second" {
			t.Errorf("half-way: %s", got)
		}
	}
	if len(problems) != 1 || !strings.Contains(problems[0], "does not belong to the certificate") {
		t.Errorf("problems: %q", problems)
	}
	replace(third, thirdKey)
	now = now.Add(checkEvery)
	if got := name(); got != "third" {
		t.Errorf("in the end: %s", got)
	}
	if err := os.Remove(spec.KeyFile); err != nil {
		t.Fatal(err)
	}
	now = now.Add(checkEvery)
	if got := name(); got != "third" || len(problems) != 2 || !strings.Contains(problems[1], "does not exist") {
		t.Errorf("without a file: %s, %q", got, problems)
	}
}

func TestCertificatesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	cert, key := newCertificate(t, "a")
	_, other := newCertificate(t, "b")
	crt := write(t, dir+"/crt", cert)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for want, spec := range map[string]Spec{
		"does not belong to the certificate": {CertFile: crt, KeyFile: write(t, dir+"/other", other)},
		"the key " + dir + "/none does not":  {CertFile: crt, KeyFile: dir + "/none"},
		"the certificate " + dir + "/none":   {CertFile: dir + "/none", KeyFile: crt},
		"holds no key":                       {CertFile: crt},
		"holds no certificate":               {CertFile: write(t, dir+"/key", key), KeyFile: dir + "/key"},
		"without a passphrase":               {CertFile: crt, KeyFile: write(t, dir+"/encrypted", encrypted)},
		"is no file":                         {CertFile: dir, KeyFile: crt},
		"too long":                           {CertFile: crt, KeyFile: write(t, dir+"/long", make([]byte, maxPEM+1))},
		"needs a certificate":                {},
	} {
		spec.Bind, spec.Protocol = "127.0.0.1:0", HTTPS
		if s, err := OpenSpec(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", s, err, want)
		}
	}
	// One file may hold both.
	s, err := OpenSpec(Spec{Bind: "127.0.0.1:0", Protocol: HTTPS, CertFile: write(t, dir+"/both", key, cert)})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestHTTPS(t *testing.T) {
	dir := t.TempDir()
	cert, key := newCertificate(t, "localhost")
	s, err := OpenSpec(Spec{Bind: "127.0.0.1:0", Protocol: HTTPS, CertFile: write(t, dir+"/crt", cert), KeyFile: write(t, dir+"/key", key)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	config, err := TLSConfig(s.Spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listener()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })}
	defer server.Close()
	go server.ServeTLS(l, "", "")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	_, port, _ := net.SplitHostPort(s.Address.Name)
	answer, err := client.Get("https://localhost:" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "HTTP/2.0" {
		t.Errorf("%q, %v", body, err)
	}
	_, err = tls.Dial("tcp", s.Address.Name, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestRedirect(t *testing.T) {
	for _, test := range []struct {
		spec               Spec
		method, uri, host  string
		status             int
		location, wantBody string
	}{
		{Spec{}, "GET", "/", "example.org", 301, "https://example.org/", ""},
		{Spec{}, "HEAD", "/a%2Fb//c?d=%20&e", "example.org:80", 301, "https://example.org/a%2Fb//c?d=%20&e", ""},
		{Spec{HTTPSPort: "443"}, "POST", "/", "example.org:8080", 308, "https://example.org/", ""},
		{Spec{HTTPSPort: "8443"}, "GET", "/?", "example.org:8080", 301, "https://example.org:8443/?", ""},
		{Spec{HTTPSPort: "8443"}, "GET", "/", "[::1]:8080", 301, "https://[::1]:8443/", ""},
		{Spec{}, "GET", "/", "192.0.2.1", 301, "https://192.0.2.1/", ""},
		{Spec{}, "GET", "//evil.example/x", "example.org", 301, "https://example.org//evil.example/x", ""},
		{Spec{}, "GET", "/\\evil.example", "example.org", 301, "https://example.org/%5Cevil.example", ""},
		{Spec{}, "GET", "http://example.org/a", "example.org", 301, "https://example.org/a", ""},
		{Spec{}, "OPTIONS", "*", "example.org", 400, "", ""},
		{Spec{}, "GET", "/", "", 400, "", ""},
		{Spec{}, "GET", "/", "example.org/@evil.example", 400, "", ""},
		{Spec{}, "GET", "/", "user@evil.example", 400, "", ""},
		{Spec{}, "GET", "/", "example.org:80@evil.example", 400, "", ""},
		{Spec{}, "GET", "/", "evil.example\\x", 400, "", ""},
		{Spec{}, "GET", "/", "evil.example?x", 400, "", ""},
		{Spec{}, "GET", "/", "evil.example#", 400, "", ""},
		{Spec{}, "GET", "/", "[::1", 400, "", ""},
		{Spec{}, "GET", "/", "[::1]evil.example", 400, "", ""},
		{Spec{}, "GET", "/", "a b", 400, "", ""},
		{Spec{}, "GET", "/", "example.org:x", 400, "", ""},
		{Spec{}, "GET", "/", strings.Repeat("a", 300), 400, "", ""},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		if test.uri != "/" {
			r = httptest.NewRequest(test.method, test.uri, nil)
		}
		r.Host = test.host
		w := httptest.NewRecorder()
		RedirectHandler(test.spec).ServeHTTP(w, r)
		if w.Code != test.status || w.Header().Get("Location") != test.location {
			t.Errorf("%s %s of %q: %d %q, want %d %q", test.method, test.uri, test.host, w.Code, w.Header().Get("Location"), test.status, test.location)
		}
	}
}

// FuzzRedirect: wherever a request leads, it is the host that it names.
func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{"example.org", "[::1]:80", "a@b", "a:1@b", "[fe80::1%25x]", "a..b:"} {
		f.Add(seed)
	}
	h := RedirectHandler(Spec{HTTPSPort: "8443"})
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusBadRequest {
			return
		}
		u, err := w.Result().Location()
		if err != nil || u.Scheme != "https" || u.User != nil || u.Path != "/x" || u.Port() != "8443" || !strings.HasPrefix(strings.Trim(host, "["), u.Hostname()) {
			t.Fatalf("%q leads to %v, %v", host, u, err)
		}
	})
}

func TestHTTPSFilesAreFoundUnderRelativeNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	cert, key := newCertificate(t, "localhost")
	write(t, filepath.Join(dir, "server.crt"), cert)
	write(t, filepath.Join(dir, "server.key"), key)
	if _, err := TLSConfig(Spec{Protocol: HTTPS, CertFile: "server.crt", KeyFile: "server.key"}, nil); err != nil {
		t.Error(err)
	}
}
