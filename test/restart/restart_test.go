package restart

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/bench/traffic"
	"orrery/internal/testenv"
)

// server is one with a listener of each kind.
type server struct {
	*testenv.Site
	t          *testing.T
	supervisor traffic.Supervisor
	listeners  []traffic.Listener
	program    string
}

func start(t *testing.T) *server {
	t.Helper()
	site := testenv.NewSite(t)
	s := &server{Site: site, t: t, program: filepath.Join(site.Dir, "venv/bin/orrery"),
		supervisor: traffic.Supervisor{Control: filepath.Join(site.Dir, "var/database/run/orrery.control")}}
	certify(t, filepath.Join(site.Dir, "config"))
	https := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	s.configure("2", https)
	s.Own()
	s.listeners = []traffic.Listener{
		{Name: "TCP", Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", site.Port)},
		{Name: "HTTPS", Network: "tcp", Address: https, TLS: &tls.Config{InsecureSkipVerify: true}},
		{Name: "UNIX", Network: "unix", Address: filepath.Join(site.Dir, "var/http.sock")},
		{Name: "uwsgi", Network: "unix", Address: filepath.Join(site.Dir, "var/uwsgi.sock"), UWSGI: true},
	}
	return s
}

// configure writes galaxy.yml.
func (s *server) configure(processes, https string) {
	s.t.Helper()
	as := ""
	if os.Getuid() == 0 {
		as = "\n    uid: @USER@"
	}
	s.Write("config/galaxy.yml", `uwsgi:
    http: 127.0.0.1:@PORT@
    https: `+https+`,@DIR@/config/cert.pem,@DIR@/config/key.pem
    http-socket: @DIR@/var/http.sock
    socket: @DIR@/var/uwsgi.sock
    master: true
    processes: `+processes+as+`
`+testenv.GalaxySection+"  tus_upload_store: @DIR@/var/uploads\n")
}

// certify makes a certificate.
func certify(t *testing.T, dir string) {
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
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// run starts the supervisor; the returned process is killed by the test, or stops at its end.
func (s *server) command() *exec.Cmd {
	return s.Command(s.program, "run", "-c", filepath.Join(s.Dir, "config/galaxy.yml"))
}

// traffic begins with all clients, at every listener.
func (s *server) traffic(ctx context.Context) *traffic.Traffic {
	s.t.Helper()
	person, err := traffic.NewPerson(ctx, s.listeners[0], testenv.AdminKey, "traveller")
	if err != nil {
		s.t.Fatal(err)
	}
	person.Step, person.Pause = 16<<10, 20*time.Millisecond
	text := traffic.Text(2 << 20)
	quick := person
	quick.Step, quick.Pause = 1<<20, 0
	dataset, err := quick.SendForm(ctx, text)
	if err != nil {
		s.t.Fatal(err)
	}
	t := traffic.Start(ctx)
	for _, l := range s.listeners {
		t.Asks(l, "/api/version", true)
		t.Asks(l, "/api/version", false)
		if l.UWSGI {
			continue
		}
		at := person
		at.Listener = l
		t.Repeats("a resumable upload over "+l.Name, func(ctx context.Context) error { return at.SendChunk(ctx, text, s.arrived) })
		t.Repeats("a download over "+l.Name, func(ctx context.Context) error { return at.Fetch(ctx, dataset, text) })
	}
	t.Repeats("an upload as a form", func(ctx context.Context) error { _, err := person.SendForm(ctx, text); return err })
	return t
}

// arrived compares the file of an upload with what was sent.
func (s *server) arrived(id string, text []byte) error {
	got, err := os.ReadFile(filepath.Join(s.Dir, "var/uploads", filepath.Base(id)))
	if err == nil && string(got) != string(text) {
		err = fmt.Errorf("%d bytes have arrived that are not the %d that were sent", len(got), len(text))
	}
	return err
}

// serving waits for a generation of processes.
func (s *server) serving(generation int) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	reached, err := s.supervisor.Serving(ctx, generation)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.Logs())
	}
	return reached
}

// drained waits until processes are gone, but for those named.
func (s *server) drained(old map[int]bool) {
	s.t.Helper()
	s.WaitFor("the replaced processes to end", func() error {
		for pid := range s.Processes() {
			if old[pid] {
				return fmt.Errorf("process %d is still there", pid)
			}
		}
		return nil
	})
}

// workers are the process ids of those that serve.
func (s *server) workers() map[int]bool {
	s.t.Helper()
	state, err := s.supervisor.State(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	pids := map[int]bool{}
	for _, p := range state.Processes {
		if p.State == "ready" {
			pids[p.PID] = true
		}
	}
	return pids
}

func (s *server) check(r traffic.Report) {
	s.t.Helper()
	s.t.Log(r)
	if r.Failed > 0 || r.Broken > 0 || r.Requests < 200 || r.Outlasted == 0 {
		s.t.Errorf("clients noticed something:\n%s", s.Logs())
	}
}

// TestNobodyNoticesARestart restarts a server three times, the last time with another program on disk, and asks it to restart
// with a configuration that is none.
func TestNobodyNoticesARestart(t *testing.T) {
	s := start(t)
	cmd := s.command()
	s.Start(cmd)
	s.serving(0)
	load := s.traffic(t.Context())
	replaced := s.workers()
	restart := func(generation int) {
		t.Helper()
		load.Mark()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.serving(generation)
		t.Logf("generation %d serves: %v", generation, load.Report())
		for pid := range s.workers() {
			replaced[pid] = true
		}
	}
	restart(1)
	restart(2)

	// A program that takes the place of the one that runs is taken, by the supervisor too.
	program, err := os.ReadFile(s.program)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(s.program+".new", program, 0o755), os.Rename(s.program+".new", s.program)); err != nil {
		t.Fatal(err)
	}
	if runs := s.runs(cmd.Process.Pid); !strings.HasSuffix(runs, " (deleted)") {
		t.Errorf("before the restart the supervisor runs %s", runs)
	}
	restart(3)
	if runs := s.runs(cmd.Process.Pid); runs != s.program {
		t.Errorf("after the restart the supervisor runs %s", runs)
	}
	living := s.workers()
	for pid := range living {
		delete(replaced, pid)
		if runs := s.runs(pid); runs != s.program {
			t.Errorf("after the restart process %d runs %s", pid, runs)
		}
	}

	// One that does not load leaves all as it is, and says why.
	whole, err := os.ReadFile(filepath.Join(s.Dir, "config/galaxy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	s.Write("config/galaxy.yml", strings.Replace(string(whole), "data_dir:", "data_dirr: [", 1))
	load.Mark()
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.WaitFor("the problem to be told", func() error {
		state, err := s.supervisor.State(t.Context())
		if err == nil && !strings.Contains(state.Problem, "galaxy.yml") {
			err = fmt.Errorf("the problem is %q", state.Problem)
		}
		return err
	})
	s.Write("config/galaxy.yml", string(whole))
	if got := s.serving(3); got != 3 {
		t.Errorf("generation %d serves", got)
	}
	s.check(load.Stop())
	s.drained(replaced)
	for pid := range living {
		if s.Processes()[pid] == "" {
			t.Errorf("process %d, which serves, is gone", pid)
		}
	}
}

func (s *server) runs(pid int) string {
	s.t.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestNobodyNoticesThatTheSupervisorDies kills the supervisor; the next one takes the listeners over from the processes that
// it left.
func TestNobodyNoticesThatTheSupervisorDies(t *testing.T) {
	s := start(t)
	first := s.command()
	output, err := os.Create(filepath.Join(s.Dir, "log", "first.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	first.Stdout, first.Stderr = output, output
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	s.serving(0)
	orphans := s.workers()
	load := s.traffic(t.Context())
	load.Mark()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	s.Start(s.command())
	s.WaitFor("the successor to serve", func() error {
		state, err := s.supervisor.State(t.Context())
		if err == nil {
			_, err = state.Serving(0)
		}
		return err
	})
	load.Mark()
	s.check(load.Stop())
	s.drained(orphans)
}
