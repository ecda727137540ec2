package listening

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// place is one configuration, and where the server listens then.
type place struct {
	name, yml string
	// user tells that root has to start it, and that it is somebody else's then.
	user bool
	// ports are all on which it listens for TCP.
	ports []string
	// answers are what is got from each address, asked as [ask] reads it.
	answers map[string]string
	// modes are those of UNIX sockets.
	modes map[string]os.FileMode
}

const (
	ok      = "200 version"
	uwsgi   = "400 uwsgi" // to whom speaks HTTP
	nothing = "nobody"
)

var places = []place{
	{
		name: "nothing", ports: []string{"127.0.0.1:8080"},
		answers: map[string]string{"http://127.0.0.1:8080": ok},
	},
	{
		name: "22.01, a path", yml: `gravity:
  app_server: gunicorn
  gunicorn:
    # listening options
    bind: '/srv/galaxy/var/gunicorn.sock'
`,
		answers: map[string]string{"unix /srv/galaxy/var/gunicorn.sock": ok, "http://127.0.0.1:8080": nothing},
		modes:   map[string]os.FileMode{"/srv/galaxy/var/gunicorn.sock": 0o777},
	},
	{
		name: "22.01, a path with --bind in the extra arguments", yml: `gravity:
  app_server: gunicorn
  gunicorn:
    # listening options
    bind: '/srv/galaxy/var/gunicorn.sock'
    gunicorn_extra_args: '--bind 127.0.0.1:8080 --umask 007'
`,
		ports:   []string{"127.0.0.1:8080"},
		answers: map[string]string{"unix /srv/galaxy/var/gunicorn.sock": ok, "http://127.0.0.1:8080": ok},
		modes:   map[string]os.FileMode{"/srv/galaxy/var/gunicorn.sock": 0o770},
	},
	{
		name: "22.01, a port", yml: `gravity:
  app_server: gunicorn
  gunicorn:
    # listening options
    bind: '127.0.0.1:4001'
`,
		ports:   []string{"127.0.0.1:4001"},
		answers: map[string]string{"http://127.0.0.1:4001": ok},
	},
	{
		name: "22.01, HTTPS", yml: `gravity:
  # listening options
  gunicorn:
    # listening options
    bind: '0.0.0.0:443'
    keyfile: server.key
    certfile: server.crt
`,
		ports:   []string{"0.0.0.0:443"},
		answers: map[string]string{"https://127.0.0.1:443": ok, "http://127.0.0.1:443": "400 "},
	},
	{
		name: "19.01, neither socket nor http", yml: "uwsgi:\n    processes: 2\n", ports: []string{"127.0.0.1:8080"},
		answers: map[string]string{"http://127.0.0.1:8080": ok},
	},
	{
		name: "19.01, a path", yml: `uwsgi:
    # listening options
    socket: /srv/galaxy/var/uwsgi.sock
    chmod-socket: 660
`,
		answers: map[string]string{"uwsgi unix /srv/galaxy/var/uwsgi.sock": ok, "unix /srv/galaxy/var/uwsgi.sock": uwsgi, "http://127.0.0.1:8080": nothing},
		modes:   map[string]os.FileMode{"/srv/galaxy/var/uwsgi.sock": 0o660},
	},
	{
		name: "19.01, a port, and http", yml: `uwsgi:
    # listening options
    socket: 127.0.0.1:4001
    http: :8080
`,
		ports:   []string{"127.0.0.1:4001", ":8080"},
		answers: map[string]string{"uwsgi tcp 127.0.0.1:4001": ok, "http://127.0.0.1:8080": ok, "http://[::1]:8080": ok},
	},
	{
		name: "19.01, without a proxy server", yml: `uwsgi:
    # listening options
    http: :8080
    https: :8443,server.crt,server.key
    static-map: /static/style=static/style/blue
    static-map: /static=static
`,
		ports: []string{":8080", ":8443"},
		answers: map[string]string{
			"http://127.0.0.1:8080": ok, "https://127.0.0.1:8443": ok, "https://127.0.0.1:8443/static/style/which": "200 blue", "http://127.0.0.1:8080/static/which": "200 plain",
		},
	},
	{
		name: "19.01, ports below 1024", user: true, yml: `uwsgi:
    # listening options
    shared-socket: :80
    shared-socket: :443,server.crt,server.key
    http: =0
    https: =1
    uid: @USER@
    gid: @GROUP@
    static-map: /static/style=static/style/blue
    static-map: /static=static
`,
		ports:   []string{":80", ":443"},
		answers: map[string]string{"http://127.0.0.1:80": ok, "https://127.0.0.1:443": ok, "https://127.0.0.1:443/static/style/which": "200 blue"},
	},
	{
		name: "19.01, redirected", user: true, yml: `uwsgi:
    # listening options
    shared-socket: :80
    shared-socket: :443,server.crt,server.key
    http-to-https: =0
    https: =1
    uid: @USER@
    gid: @GROUP@
`,
		ports:   []string{":80", ":443"},
		answers: map[string]string{"http://127.0.0.1:80/a?b": "301 https://127.0.0.1/a?b", "https://127.0.0.1:443": ok},
	},
	{
		name: "Zerg Mode's pool alone", yml: `uwsgi:
    master: true
    zerg-pool: /srv/galaxy/var/zergpool.sock:127.0.0.1:4001
`,
		ports: []string{"127.0.0.1:4001"},
		modes: map[string]os.FileMode{"/srv/galaxy/var/zergpool.sock": 0o600},
	},
}

// TestPlaces starts the server in each place, one after the other.
func TestPlaces(t *testing.T) {
	s := testenv.NewSite(t)
	if os.Getuid() != 0 {
		t.Fatal("only root can bind ports below 1024 and become somebody else: run this test as root, or leave it out by -short")
	}
	host := testenv.NewHost(t, "listening", nil)
	for name, content := range map[string]string{"static/style/blue/which": "blue", "static/style/which": "wrong", "static/which": "plain"} {
		for _, root := range []string{"", "server/"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Dir, root+name)), 0o755); err != nil {
				t.Fatal(err)
			}
			s.Write(root+name, content)
		}
	}
	cert, key := certificate(t)
	for _, root := range []string{"", "server/"} {
		s.Write(root+"server.crt", cert)
		s.Write(root+"server.key", key)
	}
	// The files of earlier places are the next one's user's.
	for _, user := range []bool{false, true} {
		if user {
			s.Own()
		}
		for _, root := range []string{"", "server/"} {
			// As openssl makes it: root's alone.
			key := filepath.Join(s.Dir, root+"server.key")
			if err := errors.Join(os.Chown(key, 0, 0), os.Chmod(key, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range places {
			if p.user == user {
				t.Run(p.name, func(t *testing.T) { p.test(t, s, host) })
			}
		}
	}
}

func (p place) test(t *testing.T, s *testenv.Site, host *testenv.Host) {
	group := fmt.Sprint(s.Credential().Gid)
	s.Write("config/galaxy.yml", strings.ReplaceAll(p.yml, "@GROUP@", group)+testenv.GalaxySection)
	serve(t, s, host)
	if p.ports == nil {
		p.ports = []string{}
	}
	slices.Sort(p.ports)
	var got []string
	waitFor(t, s, "the server to listen", func() error {
		got = strings.Fields(asked(t, host, "ports"))
		if slices.Sort(got); !slices.Equal(got, p.ports) {
			return fmt.Errorf("it listens on the ports %v, want %v", got, p.ports)
		}
		return nil
	})
	p.answer(t, s, host)
	if p.user {
		// What root opened and read has to last.
		if out, err := orrery(s, host, "graceful").CombinedOutput(); err != nil {
			t.Errorf("orrery graceful: %v\n%s", err, out)
		}
		p.answer(t, s, host)
	}
	for path, want := range p.modes {
		info, err := os.Stat(s.Here(path))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %o", path, info.Mode(), want)
		}
	}
	if p.user {
		for pid, line := range s.Processes() {
			uid := fmt.Sprint(s.Credential().Uid)
			if got := s.Status(pid, "Uid"); !strings.Contains(line, "nsenter") && got != strings.Join([]string{uid, uid, uid, uid}, " ") {
				t.Errorf("process %d (%s) has Uid %s, want %s", pid, line, got, uid)
			}
		}
	}
}

// answer asks at each address.
func (p place) answer(t *testing.T, s *testenv.Site, host *testenv.Host) {
	t.Helper()
	for address, want := range p.answers {
		waitFor(t, s, address+" to answer", func() error {
			if got := asked(t, host, s.Here(address)); got != want && !(strings.HasSuffix(want, " ") && strings.HasPrefix(got, want)) {
				return fmt.Errorf("the answer is %q, want %q", got, want)
			}
			return nil
		})
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, s *testenv.Site, what string, try func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waiting for %s: %v\n%s", what, err, s.Logs())
		}
	}
}

// orrery is a command of the program on a host.
func orrery(s *testenv.Site, host *testenv.Host, name string) *exec.Cmd {
	// Where a host is entered, the folder is another.
	cmd := host.Command("sh", "-c", `cd "$0" && exec "$@"`, filepath.Join(s.Dir, "server"), filepath.Join(s.Dir, "venv/bin/orrery"), name, "-c", filepath.Join(s.Dir, "config/galaxy.yml"))
	cmd.Env = s.Command("true").Env
	return cmd
}

// serve runs the server on a host until the end of the test, when it has to end well and to leave no socket's path.
func serve(t *testing.T, s *testenv.Site, host *testenv.Host) {
	t.Helper()
	cmd := orrery(s, host, "run")
	output, err := os.OpenFile(filepath.Join(s.Dir, "log", "output.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	pid, err := host.Inner(cmd)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Logs())
	}
	t.Cleanup(func() {
		// By the rules of 19.01, SIGTERM restarts.
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v\n%s", err, s.Logs())
			}
		case <-time.After(30 * time.Second):
			t.Errorf("the server did not stop within 30 s\n%s", s.Logs())
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if left, err := filepath.Glob(filepath.Join(s.Dir, "var", "*.sock*")); err != nil || len(left) != 0 {
			t.Errorf("after its end there are %v, %v", left, err)
		}
	})
}

// asked asks on a host.
func asked(t *testing.T, host *testenv.Host, what string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := host.Command(program)
	cmd.Env = append(os.Environ(), askVariable+"="+what)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("asking %s: %v\n%s", what, err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// certificate makes one for 127.0.0.1, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
