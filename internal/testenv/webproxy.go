package testenv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// WebProxy is a running nginx or Apache with one site.
type WebProxy struct {
	Dir string // a folder of its own, which its user can read
	// HTTP and HTTPS are the ports of 127.0.0.1 that stand for 80 and 443.
	HTTP, HTTPS int
	// User is whom it runs as: when the test is root, www-data, as a member of the test's group.
	User string

	t       testing.TB
	program proxyProgram
	process *exec.Cmd
	ended   chan struct{}
	logs    []string
	roots   *x509.CertPool
}

// SiteName is the name that the proxies' certificate is for.
const SiteName = "galaxy.example.org"

// Client is an HTTP client to which the proxy is the whole Internet: whatever address is asked for, ports 80 and 443 are
// the proxy's. It trusts the proxy's certificate, speaks HTTP/2 where the proxy does, and follows no redirections.
func (p *WebProxy) Client() *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: p.roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			port := p.HTTPS
			if strings.HasSuffix(address, ":80") {
				port = p.HTTP
			}
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+strconv.Itoa(port))
		},
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Log returns the end of a log: "access" or "error".
func (p *WebProxy) Log(name string) string { return tail(filepath.Join(p.Dir, name+".log"), 1000) }

// Stop ends the proxy as an administrator does.
func (p *WebProxy) Stop() {
	p.t.Helper()
	if err := p.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("stopping the proxy: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		p.t.Error("the proxy did not stop within 15 s of SIGTERM")
		_ = p.process.Process.Kill()
		<-p.ended
	}
}

// Reload gives the proxy another site, as an administrator does, and waits until nobody is served by the old one any more.
func (p *WebProxy) Reload(site string) {
	p.t.Helper()
	if _, err := p.program.configure(p, p.fill(site)); err != nil {
		p.t.Fatal(err)
	}
	workers := func() []string {
		pid := p.process.Process.Pid
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			p.t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
	old := workers()
	if err := p.process.Process.Signal(p.program.reload); err != nil {
		p.t.Fatal(err)
	}
	Poll(p.t, "the proxy to have read its configuration again", 30*time.Second, func() bool {
		now := workers()
		return len(now) > 0 && !slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(old, pid) })
	})
}

// fill puts in what a site leaves open.
func (p *WebProxy) fill(site string) string {
	return strings.NewReplacer("@DIR@", p.Dir, "@HTTP@", strconv.Itoa(p.HTTP), "@HTTPS@", strconv.Itoa(p.HTTPS)).Replace(site)
}

// proxyProgram is what differs between the proxies.
type proxyProgram struct {
	// configure writes the configuration around the site's and returns the command line.
	configure func(p *WebProxy, site string) ([]string, error)
	env       func(p *WebProxy) []string
	reload    syscall.Signal
}

// startWebProxy fills in a site's placeholders, starts the proxy and waits until it listens. In the site, @DIR@ is the
// proxy's folder, with cert.pem and key.pem for SiteName, and @HTTP@ and @HTTPS@ are its ports.
func startWebProxy(t testing.TB, name, site string, program proxyProgram) *WebProxy {
	t.Helper()
	p := &WebProxy{t: t, program: program}
	dir, err := os.MkdirTemp("", "orrery-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	p.Dir = dir
	// Its processes are found by the folder they work in, which no others have: nginx writes over its environment.
	stopWatching, err := watchdog(`for p in /proc/[0-9]*; do
	if [ "$(readlink "$p/cwd" 2>/dev/null)" = ` + quote(dir) + ` ]; then kill -9 "${p#/proc/}" 2>/dev/null; fi
done
rm -rf ` + quote(dir) + "\n")
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := stopWatching(); err != nil {
			t.Logf("cleaning up: %v", err)
		}
	})
	attributes, err := asWebUser(p)
	if err == nil {
		err = p.certify()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.process != nil {
			p.Stop()
		}
		if t.Failed() {
			for _, log := range p.logs {
				t.Logf("--- %s of %s\n%s", log, name, tail(filepath.Join(dir, log), 60))
			}
		}
	})
	p.logs = []string{"output", "error.log", "access.log"}
	// Another process may take a port between our look and the proxy's: try again with others.
	for attempt := 1; ; attempt++ {
		err := p.start(site, attributes)
		if err == nil {
			return p
		}
		if attempt == 5 || !strings.Contains(p.Log("error")+tail(filepath.Join(dir, "output"), 20), "ddress already in use") {
			t.Fatalf("%s does not start: %v\n%s", name, err, tail(filepath.Join(dir, "output"), 20))
		}
	}
}

func (p *WebProxy) start(site string, attributes *syscall.SysProcAttr) error {
	var err1, err2 error
	p.HTTP, err1 = freePort()
	p.HTTPS, err2 = freePort()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	args, err := p.program.configure(p, p.fill(site))
	if err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(p.Dir, "output"))
	if err != nil {
		return err
	}
	defer output.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.Dir, output, output, attributes
	cmd.Env = append(os.Environ(), p.program.env(p)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // that it ended is what counts; its output says why
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	err = poll(ctx, ended, func() error {
		for _, port := range []int{p.HTTP, p.HTTPS} {
			c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
			if err != nil {
				return err
			}
			_ = c.Close()
		}
		return nil
	})
	if err == nil {
		p.process, p.ended = cmd, ended
		return nil
	}
	_ = cmd.Process.Kill()
	<-ended
	return err
}

// asWebUser gives the proxy's folder to the user that Debian's web servers have, when this process may.
func asWebUser(p *WebProxy) (*syscall.SysProcAttr, error) {
	p.User = strconv.Itoa(os.Getuid())
	if err := os.Chmod(p.Dir, 0o755); err != nil || os.Getuid() != 0 {
		return &syscall.SysProcAttr{Setpgid: true}, err
	}
	for _, name := range []string{"www-data", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(found.Uid)
		gid, err2 := strconv.Atoi(found.Gid)
		p.User = name
		// As after «usermod -aG galaxy www-data»: the servers under test run as this user.
		credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(os.Getgid())}}
		return &syscall.SysProcAttr{Setpgid: true, Credential: credential}, errors.Join(err1, err2, os.Chown(p.Dir, uid, gid))
	}
	return nil, errors.New("there is neither a user www-data nor nobody to run a web server as")
}

// certify makes a certificate for SiteName.
func (p *WebProxy) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: SiteName}, DNSNames: []string{SiteName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.roots = x509.NewCertPool()
	if !p.roots.AppendCertsFromPEM(certificate) {
		return fmt.Errorf("the test's certificate cannot be read back")
	}
	keyFile := filepath.Join(p.Dir, "key.pem")
	return errors.Join(
		os.WriteFile(filepath.Join(p.Dir, "cert.pem"), certificate, 0o644),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		p.own(keyFile),
	)
}

// own gives a file to the proxy's user, when this process may.
func (p *WebProxy) own(name string) error {
	info, err := os.Stat(p.Dir)
	if err != nil || os.Getuid() != 0 {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	return os.Chown(name, int(stat.Uid), int(stat.Gid))
}
