package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// listenServer is a server with its addresses.
type listenServer struct {
	*process
	name string
	// command starts it, and stopBy ends it.
	command func(ctx context.Context) *exec.Cmd
	stopBy  syscall.Signal
	// tcp is where it speaks HTTP, unix, uwsgi and uwsgiTCP where the same over a UNIX socket and the uwsgi protocol.
	tcp, unix, uwsgi, uwsgiTCP string
	url, https                 string
}

func (s *listenServer) stop() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	return p.stop(s.stopBy)
}

// twoLines is the application that Gunicorn and uWSGI serve. What it answers is what Orrery answers.
const twoLines = `BODY = open(%q, "rb").read()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
`

// startServers writes the configurations, starts Orrery, Gunicorn and uWSGI several times, and leaves them running.
func (b *listenBench) startServers(ctx context.Context) error {
	var ports [5]int
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return err
		}
	}
	local := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	in := func(name string) string { return filepath.Join(b.dir, name) }
	if err := writeCertificate(in("cert.pem"), in("key.pem")); err != nil {
		return err
	}
	yaml := fmt.Sprintf(`uwsgi:
  master: true
  processes: 2
  http: %s
  http-socket: %s
  https: %s,%s,%s
  socket: %s
  socket: %s
  chmod-socket: 666
  mule: lib/galaxy/main.py
  farm: job-handlers:1
galaxy:
  data_dir: %s
  tool_config_file: %s
  id_secret: the bench's
`, local(0), in("http.sock"), local(1), in("cert.pem"), in("key.pem"), in("uwsgi.sock"), local(2), in("data"), filepath.Join(b.root, "tools", "tool_conf.xml"))
	if err := os.WriteFile(in("galaxy.yml"), []byte(yaml), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(in("app.py"), fmt.Appendf(nil, twoLines, in("answer")), 0o644); err != nil {
		return err
	}
	command := func(args ...string) func(context.Context) *exec.Cmd {
		return func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Dir = b.dir
			return cmd
		}
	}
	b.servers = []*listenServer{
		{
			name: "Orrery", stopBy: syscall.SIGINT, tcp: local(0), unix: in("http.sock"), uwsgi: in("uwsgi.sock"), uwsgiTCP: local(2),
			url: "http://" + local(0) + "/api/version", https: "https://" + local(1) + "/api/version", command: command(b.orrery, "run", "-c", in("galaxy.yml")),
		},
		{
			name: "Gunicorn", stopBy: syscall.SIGTERM, tcp: local(3), unix: in("gunicorn.sock"), url: "http://" + local(3) + "/api/version",
			command: command("gunicorn", "--workers", "2", "--bind", local(3), "--bind", "unix:"+in("gunicorn.sock"), "app:application"),
		},
		{
			// It closes connections that it says nothing about, and it logs each request unless told not to, which the others
			// do not. A worker of it may outlast every other signal by a minute.
			name: "uWSGI", stopBy: syscall.SIGKILL, tcp: local(4), uwsgi: in("uwsgi-itself.sock"), url: "http://" + local(4) + "/api/version",
			command: command("uwsgi", "--plugin", "python3", "--master", "--no-orphans", "--processes", "2", "--http-socket", local(4), "--socket", in("uwsgi-itself.sock"),
				"--chmod-socket=666", "--wsgi-file", in("app.py"), "--add-header", "Connection: close", "--disable-logging"),
		},
	}
	for i, s := range b.servers {
		for n := range b.starts + 1 {
			if err := s.stop(); err != nil {
				return err
			}
			seconds, answer, err := b.startOne(ctx, s)
			if err != nil {
				return err
			}
			if n > 0 { // the first makes a database
				b.starting.add(s.name, seconds)
			}
			if i == 0 {
				if err := b.noteProcesses(n > 0); err != nil {
					return err
				}
				if err := os.WriteFile(in("answer"), answer, 0o644); err != nil {
					return err
				}
			}
		}
		log.Printf("%s starts in %.3f s", s.name, median(b.starting.values[s.name]))
	}
	return nil
}

// startOne starts a server and tells how long it took until its first answer.
func (b *listenBench) startOne(ctx context.Context, s *listenServer) (seconds float64, answer []byte, err error) {
	began := time.Now()
	p, err := start(s.command(ctx), filepath.Join(b.dir, s.name+".log"), s.stopBy)
	if err != nil {
		return 0, nil, err
	}
	s.process = p
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for time.Since(began) < time.Minute {
		select {
		case <-p.ended:
			return 0, nil, fmt.Errorf("%s ended: %w\n%s", s.name, p.err, p.tail())
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		default:
		}
		if got, err := client.Get(s.url); err == nil {
			answer, err = io.ReadAll(io.LimitReader(got.Body, 1<<20))
			err = errors.Join(err, got.Body.Close())
			if err == nil && got.StatusCode == http.StatusOK {
				return time.Since(began).Seconds(), answer, nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0, nil, fmt.Errorf("%s does not answer:\n%s", s.name, p.tail())
}

// noteProcesses reads out of Orrery's log how long each kind of process took from its start until it was ready.
func (b *listenBench) noteProcesses(counts bool) error {
	path := filepath.Join(b.dir, "data", "gravity", "log", "orrery.log")
	var text []byte
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return err
		}
		if strings.Count(string(text), " ready process=") == strings.Count(string(text), " started process=") {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("the processes are not ready:\n%s", text)
		}
	}
	if counts {
		for name, took := range startTimes(string(text)) {
			kind := "worker"
			if strings.Contains(name, "job-handlers") {
				kind = "handler"
			}
			b.starting.add("Orrery's "+kind, took.Seconds())
		}
	}
	return os.Truncate(path, 0) // the next start is counted alone
}

// startTimes reads a supervisor's log: the time between “started” and “ready” of each process.
func startTimes(log string) map[string]time.Duration {
	started, took := map[string]time.Time{}, map[string]time.Duration{}
	for line := range strings.Lines(log) {
		const stamp = "2006-01-02 15:04:05.000"
		if len(line) < len(stamp) {
			continue
		}
		at, err := time.Parse(stamp, line[:len(stamp)])
		if err != nil {
			continue
		}
		if _, rest, ok := strings.Cut(line, " started process="); ok {
			name, _, _ := strings.Cut(rest, " ")
			started[name] = at
		} else if _, rest, ok := strings.Cut(line, " ready process="); ok {
			name, _, _ := strings.Cut(rest, " ")
			took[name] = at.Sub(started[name])
		}
	}
	return took
}

// memoryOf is what the processes of a server use when they are idle.
type memoryOf struct {
	server    string
	total     float64            // MB
	processes map[string]float64 // MB of one process of each kind, the largest
}

// measureMemory reads the memory of servers that have nothing to do.
func (b *listenBench) measureMemory(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(b.idle) * time.Second):
	}
	for _, s := range b.servers {
		members, err := family(s.cmd.Process.Pid)
		if err != nil {
			return err
		}
		m := memoryOf{server: s.name, processes: map[string]float64{}}
		for pid := range members {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
			if err != nil {
				return err
			}
			pss, err := parsePSS(string(text))
			if err != nil {
				return err
			}
			kind := "worker"
			if pid == s.cmd.Process.Pid {
				kind = "master"
			} else if s == b.servers[0] {
				line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if err != nil {
					return err
				}
				kind = kindOf(string(line))
			}
			m.total += pss
			m.processes[kind] = max(m.processes[kind], pss)
		}
		b.memory = append(b.memory, m)
		log.Printf("%s: %.1f MB", s.name, m.total)
	}
	return nil
}

// kinds are the kinds of processes in a table's cell.
func (m memoryOf) kinds() string {
	var parts []string
	for kind := range m.processes {
		parts = append(parts, kind)
	}
	slices.Sort(parts)
	for i, kind := range parts {
		parts[i] = fmt.Sprintf("%s %s MB", kind, number(m.processes[kind]))
	}
	return strings.Join(parts, ", ")
}

// writeCertificate makes a certificate for localhost.
func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}
