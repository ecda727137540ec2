package web

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/listen"
)

// certificate makes one for localhost.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

func openedAs(t *testing.T, spec listen.Spec) *listen.Socket {
	t.Helper()
	s, err := listen.OpenSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// mirror tells what the site sees of a request.
var mirror = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s %v %s", r.Method, r.URL.Path, r.Host, overHTTPS(r), peer(r))
})

func TestHTTPSDrains(t *testing.T) {
	certFile, keyFile := certificate(t)
	server := serve(t, openedAs(t, listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.HTTPS, CertFile: certFile, KeyFile: keyFile}), mirror, ServeOptions{Linger: lingering(time.Hour)})
	c, err := tls.Dial("tcp", server.socket.Address.Name, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client := &caller{c, bufio.NewReader(c)}
	if answer, body, err := client.get("/x"); err != nil || body != "GET /x test true 127.0.0.1" || answer.Close {
		t.Fatalf("%q, %v", body, err)
	}
	server.drain()
	for {
		answer, body, err := client.get("/x")
		if err != nil || body != "GET /x test true 127.0.0.1" {
			t.Fatalf("%q, %v", body, err)
		}
		if answer.Close {
			break
		}
	}
	server.wait(t)
}

func TestRedirects(t *testing.T) {
	server := serve(t, openedAs(t, listen.Spec{Bind: "127.0.0.1:0", Protocol: listen.Redirect, HTTPSPort: "8443"}), mirror, ServeOptions{Linger: lingering(0)})
	c := dial(t, server.socket.Address)
	if answer, _, err := c.get("/x?y"); err != nil || answer.Header.Get("Location") != "https://test:8443/x?y" {
		t.Errorf("%v, %v", answer, err)
	}
}

// packet is a request of the uwsgi protocol.
func packet(vars ...string) []byte {
	var body []byte
	for _, text := range vars {
		body = binary.LittleEndian.AppendUint16(body, uint16(len(text)))
		body = append(body, text...)
	}
	head := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(body)))
	return append(append(head, 0), body...)
}

func TestUWSGI(t *testing.T) {
	for name, c := range map[string]struct {
		vars []string
		want string
	}{
		"a visitor":                 {[]string{"REMOTE_ADDR", "192.0.2.9"}, "GET /x g.test false 192.0.2.9"},
		"over HTTPS":                {[]string{"REMOTE_ADDR", "192.0.2.9", "HTTPS", "on"}, "GET /x g.test true 192.0.2.9"},
		"a visitor's own headers":   {[]string{"REMOTE_ADDR", "192.0.2.9", "HTTP_X_FORWARDED_FOR", "192.0.2.1", "HTTP_X_FORWARDED_PROTO", "https"}, "GET /x g.test false 192.0.2.9"},
		"those of a trusted proxy":  {[]string{"REMOTE_ADDR", "127.0.0.1", "HTTP_X_FORWARDED_FOR", "192.0.2.1"}, "GET /x g.test false 192.0.2.1"},
		"without a visitor's place": {[]string{"HTTP_X_FORWARDED_PROTO", "https"}, "GET /x g.test false "},
	} {
		t.Run(name, func(t *testing.T) {
			trusted, err := ParseTrusted(nil)
			if err != nil {
				t.Fatal(err)
			}
			server := serve(t, openedAs(t, listen.Spec{Bind: "unix:" + filepath.Join(t.TempDir(), "s"), Protocol: listen.UWSGI}), mirror,
				ServeOptions{Trusted: trusted, Linger: lingering(time.Hour)})
			fresh, err := net.Dial("unix", server.socket.Address.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			request := packet(append([]string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/x", "PATH_INFO", "/x", "SERVER_PROTOCOL", "HTTP/1.1", "HTTP_HOST", "g.test"}, c.vars...)...)
			other, err := net.Dial("unix", server.socket.Address.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if _, err := other.Write(request); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(other); err != nil || !strings.HasSuffix(string(answer), "\r\n\r\n"+c.want) {
				t.Fatalf("%q, %v", answer, err)
			}
			// The first connection was accepted before: it is served still.
			server.drain()
			if _, err := fresh.Write(request); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(fresh); err != nil || !strings.HasSuffix(string(answer), c.want) {
				t.Fatalf("draining: %q, %v", answer, err)
			}
			server.wait(t)
		})
	}
}
