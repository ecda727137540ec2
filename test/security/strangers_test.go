package security

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// strangers is a server on the open Internet: HTTPS, HTTP, and a port that sends visitors to HTTPS.
type strangers struct {
	*testenv.Site
	t                        *testing.T
	config                   string
	plain, secure, redirects string // HOST:PORT
}

func startForStrangers(t *testing.T) *strangers {
	t.Helper()
	s := &strangers{Site: testenv.NewSite(t), t: t}
	s.plain = "127.0.0.1:" + strconv.Itoa(s.Port)
	for _, to := range []*string{&s.secure, &s.redirects} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*to = l.Addr().String()
		defer l.Close() // all at once, so that no port is found twice
	}
	s.certificate(1)
	s.config = filepath.Join(s.Dir, "config/galaxy.yml")
	s.Write("config/galaxy.yml", fmt.Sprintf(`uwsgi:
  http: %s
  https: %s,/srv/galaxy/config/server.crt,/srv/galaxy/config/server.key
  http-to-https: %s
  http-timeout: 5
  processes: 1
`, s.plain, s.secure, s.redirects)+testenv.GalaxySection)
	s.Own()
	return s
}

func (s *strangers) start() {
	s.t.Helper()
	cmd := s.Command(filepath.Join(s.Dir, "venv/bin/orrery"), "run", "-c", s.config)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.Credential()}
	}
	s.Start(cmd)
	s.Answers()
}

// certificate writes a certificate with a serial number, and its key.
func (s *strangers) certificate(serial int64) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "galaxy.example.org"}, DNSNames: []string{"galaxy.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.key": {Type: "PRIVATE KEY", Bytes: private}, "server.crt": {Type: "CERTIFICATE", Bytes: der}} {
		// As renewal programs do: beside the old one, and then in its place.
		path := filepath.Join(s.Dir, "config", name)
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o644); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			s.t.Fatal(err)
		}
	}
}

// handshake connects with certain versions of TLS and gives the certificate's serial number.
func (s *strangers) handshake(lowest, highest uint16) (serial int64, err error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	c, err := tls.DialWithDialer(dialer, "tcp", s.secure, &tls.Config{InsecureSkipVerify: true, MinVersion: lowest, MaxVersion: highest}) // whose it is is told by its number
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// TestStrangers: a server meets clients that nobody asked for.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := startForStrangers(t)
	s.start()
	before := s.Processes()

	t.Run("group", func(t *testing.T) {
		t.Run("slow headers and bodies are cut", func(t *testing.T) {
			t.Parallel()
			s.slow(t)
		})
		t.Run("TLS", func(t *testing.T) {
			t.Parallel()
			s.tls(t)
		})
		t.Run("headers have a limit", func(t *testing.T) {
			t.Parallel()
			s.large(t)
		})
	})
	for pid, line := range before {
		if s.Processes()[pid] == "" {
			t.Errorf("process %d (%s) did not live through it", pid, line)
		}
	}
}

// tls: versions that are broken are refused, a new certificate is taken without a new process, and plain HTTP is sent
// to HTTPS.
func (s *strangers) tls(t *testing.T) {
	for version, accepted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		serial, err := s.handshake(version, version)
		if accepted && (err != nil || serial != 1) {
			t.Errorf("%s: certificate %d, %v", tls.VersionName(version), serial, err)
		}
		if !accepted && (err == nil || !strings.Contains(err.Error(), "protocol version")) {
			t.Errorf("%s is answered: %v", tls.VersionName(version), err)
		}
	}
	client := &http.Client{
		Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + s.secure + "/api/version")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("over TLS: %v, %v", response, err)
	} else {
		_ = response.Body.Close()
	}
	response, err = client.Get("http://" + s.redirects + "/histories/list?a=b")
	if err != nil {
		t.Error(err)
	} else {
		_ = response.Body.Close()
		_, port, _ := net.SplitHostPort(s.secure)
		to := response.Header.Get("Location")
		if response.StatusCode < 300 || response.StatusCode > 399 || (to != "https://127.0.0.1:"+port+"/histories/list?a=b") {
			t.Errorf("plain HTTP is answered %s, to %q", response.Status, to)
		}
	}

	s.certificate(2)
	s.WaitFor("the new certificate", func() error {
		serial, err := s.handshake(tls.VersionTLS12, tls.VersionTLS13)
		if err == nil && serial != 2 {
			err = fmt.Errorf("certificate %d is shown", serial)
		}
		return err
	})
	// One that is broken is not taken.
	if err := os.WriteFile(filepath.Join(s.Dir, "config/server.crt"), []byte("no certificate"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if serial, err := s.handshake(tls.VersionTLS12, tls.VersionTLS13); err != nil || serial != 2 {
			t.Errorf("with a broken file: certificate %d, %v", serial, err)
		}
	}
}

// slow: connections that send their header, or their body, one byte now and then.
func (s *strangers) slow(t *testing.T) {
	var all sync.WaitGroup
	for what, begin := range map[string]string{
		"header":         "GET /api/version HTTP/1.1\r\nHost: galaxy\r\nX-Slow: ",
		"nothing at all": "",
		"body":           "POST /api/histories HTTP/1.1\r\nHost: galaxy\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		all.Go(func() {
			c, err := net.Dial("tcp", s.plain)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := io.WriteString(c, begin); err != nil {
				t.Error(err)
				return
			}
			// A byte each half second, for ever; a body may go on as long as it moves, and this one stops.
			stop := make(chan struct{})
			defer close(stop)
			if what == "header" {
				go func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(500 * time.Millisecond):
							if _, err := io.WriteString(c, "a"); err != nil {
								return
							}
						}
					}
				}()
			}
			limit := 60 * time.Second
			if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
				t.Error(err)
				return
			}
			if answer, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection is still open after %v, with %q", what, limit, answer)
			}
		})
	}
	all.Wait()
	s.Answers()
}

// large: a header, a request line and header fields without end are refused, whatever is sent after them.
func (s *strangers) large(t *testing.T) {
	for what, begin := range map[string]string{
		"a field":      "GET /api/version HTTP/1.1\r\nHost: galaxy\r\nX-Large: ",
		"many fields":  "GET /api/version HTTP/1.1\r\nHost: galaxy\r\n",
		"request line": "GET /",
	} {
		c, err := net.Dial("tcp", s.plain)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Error(err)
		}
		more := bytes.Repeat([]byte("a"), 64<<10)
		if what == "many fields" {
			more = bytes.Repeat([]byte("X-Field: value\r\n"), 4<<10)
		}
		sent := 0
		_, err = io.WriteString(c, begin)
		for err == nil && sent < 64<<20 {
			var n int
			n, err = c.Write(more)
			sent += n
		}
		if err == nil {
			t.Errorf("%s: %d MB of it are read", what, sent>>20)
		}
		// What is answered may be lost with the connection.
		if response, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			if response.StatusCode < 400 || response.StatusCode > 499 {
				t.Errorf("%s: the answer is %s", what, response.Status)
			}
			_ = response.Body.Close()
		}
		_ = c.Close()
	}
	s.Answers()
}

// TestManyIdleConnections: ten thousand connections that do nothing cost memory in proportion, and others are answered
// meanwhile.
func TestManyIdleConnections(t *testing.T) {
	t.Parallel()
	s := startForStrangers(t)
	s.start()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	count := min(10_000, int(limit.Cur)-500)
	memory := func() (bytes int64) {
		for pid := range s.Processes() {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(s.Status(pid, "VmRSS"), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			bytes += kilobytes << 10
		}
		return bytes
	}
	before := memory()
	connections := make([]net.Conn, 0, count)
	defer func() {
		for _, c := range connections {
			_ = c.Close()
		}
	}()
	buffer := make([]byte, 4096)
	for i := range count {
		c, err := net.Dial("tcp", s.plain)
		if err != nil {
			t.Fatalf("connection %d of %d: %v", i+1, count, err)
		}
		connections = append(connections, c)
		// Half of them have been answered once, the others never said a word.
		if i%2 == 0 {
			continue
		}
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: galaxy\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buffer); err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 ")) {
			t.Fatalf("connection %d is answered %q, %v", i+1, buffer[:n], err)
		}
	}
	after := memory()
	s.Answers()
	each := (after - before) / int64(count)
	t.Logf("%d idle connections: %d MB before, %d MB with them, %d bytes each", count, before>>20, after>>20, each)
	if each > 32<<10 {
		t.Errorf("an idle connection costs %d bytes, more than 32 KiB", each)
	}
}
