package services

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// TestTheDocumentsUnitsAreRight: the units as the documents print them, and their command lines as systemd would run them
// after `systemctl start galaxy-web galaxy-handler@{0..3}`.
func TestTheDocumentsUnitsAreRight(t *testing.T) {
	t.Parallel()
	s := testenv.NewSite(t)
	as := s.User
	s.User = "galaxy" // systemd does not look it up here
	for _, name := range []string{"galaxy-web.service", "galaxy-handler@.service"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		s.Write("units/"+name, string(text))
	}
	verify(t, s)

	s.User = as
	s.Write("server/job_conf.xml", strings.Replace(jobConf, `<handler id="handler0"`, `<handler id="handler3" tags="handlers"/><handler id="handler0"`, 1))
	s.Write("config/galaxy.yml", documentYml)
	web := unit(t, s, "galaxy-web.service", "")
	command := words(t, web["ExecStart"][0])
	run(t, s, words(t, web["Environment"][0]), command[0], command[1:]...)
	s.Answers()
	for n := range 4 {
		handler := unit(t, s, "galaxy-handler@.service", strconv.Itoa(n))
		command := words(t, handler["ExecStart"][0])
		run(t, s, words(t, web["Environment"][0]), command[0], command[1:]...)
	}
	s.Open()
	handlers := map[string]bool{}
	for range 8 {
		handlers[s.Await(s.Submit(), "ok")] = true
	}
	for name := range handlers {
		if !strings.HasPrefix(name, "handler") {
			t.Errorf("a job was handled by %s", name)
		}
		if _, err := os.Stat(filepath.Join(s.Dir, "log", name+".log")); err != nil {
			t.Error(err)
		}
	}
}

// verify has systemd check all units of the site.
func verify(t *testing.T, s *testenv.Site) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "units", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no units: %v", err)
	}
	// A template is checked as one of its instances.
	for i, file := range files {
		files[i] = strings.Replace(file, "@.", "@0.", 1)
	}
	out, err := exec.Command(testenv.SystemdAnalyze(t), append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		// Of the documents' units; it had an effect once.
		if !strings.Contains(line, "PermissionsStartOnly") {
			t.Errorf("systemd-analyze verify warns: %s", line)
		}
	}
}

// unitsYml is a site with all that units can be made of: two addresses, numbered handlers, and some of other names.
const unitsYml = `gravity:
  process_manager: systemd
  galaxy_user: galaxy
  galaxy_group: galaxy
  galaxy_root: /srv/galaxy/server
  log_dir: /srv/galaxy/log
  memory_limit: 4
  gunicorn:
    bind: 127.0.0.1:@PORT@
    extra_args: --bind unix:/srv/galaxy/var/galaxy.sock
    workers: 2
  handlers:
    handler:
      processes: 2
      pools: [job-handlers]
    special:
      pools: [job-handlers.special]
      environment:
        AWKWARD: 100% "quoted" $HOME
` + testenv.GalaxySection

// TestTheGeneratedUnitsAreRightAndTight: systemd takes them without a word, and finds them well shut.
func TestTheGeneratedUnitsAreRightAndTight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, yml string
	}{
		{"22.01", unitsYml},
		{"an instance with handlers one by one", strings.Replace(unitsYml, "gravity:\n", "gravity:\n  instance_name: second\n  use_service_instances: false\n  service_command_style: direct\n", 1)},
		{"19.01", "uwsgi:\n  http: 127.0.0.1:@PORT@\n  socket: /srv/galaxy/var/uwsgi.sock\n  chmod-socket: 660\n  uid: galaxy\n  processes: 2\n  mule: lib/galaxy/main.py\n  farm: job-handlers:1\n" + testenv.GalaxySection},
		{"all in one", "gravity:\n  galaxy_user: galaxy\n" + testenv.GalaxySection},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := testenv.NewSite(t)
			s.Write("config/galaxy.yml", test.yml)
			// What the units write is looked at in the folder, as the words of this test are not to be replaced there.
			if out, status := s.Orrery("update", "-c", filepath.Join(s.Dir, "config/galaxy.yml"), "--systemd", filepath.Join(s.Dir, "units")); status != 0 {
				t.Fatalf("orrery update --systemd ends with %d:\n%s", status, out)
			}
			verify(t, s)
			services, err := filepath.Glob(filepath.Join(s.Dir, "units", "*.service"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range services {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				// In tenths: what serves pages has next to nothing; jobs are let do what people may.
				threshold := 20
				if strings.Contains(string(text), "OOMPolicy=continue") {
					threshold = 50
				}
				out, err := exec.Command(testenv.SystemdAnalyze(t), "security", "--offline=true", fmt.Sprintf("--threshold=%d", threshold), file).CombinedOutput()
				if err != nil {
					t.Errorf("systemd-analyze security --threshold=%d %s: %v\n%s", threshold, filepath.Base(file), err, out)
				}
			}
		})
	}
}

// TestTheGeneratedUnitsRun: the command lines of the units, run as systemd runs them: the web workers get the sockets of
// the socket unit and serve on them, they and the handler say that they are ready, and a job is handled.
func TestTheGeneratedUnitsRun(t *testing.T) {
	t.Parallel()
	activate := testenv.SystemdSocketActivate(t)
	s := testenv.NewSite(t)
	s.Write("config/galaxy.yml", strings.ReplaceAll(unitsYml, "galaxy_user: galaxy\n  galaxy_group: galaxy\n", "galaxy_user: \"@USER@\"\n"))
	config := filepath.Join(s.Dir, "config/galaxy.yml")
	if out, status := s.Orrery("update", "-c", config, "--systemd", filepath.Join(s.Dir, "units")); status != 0 {
		t.Fatalf("orrery update --systemd ends with %d:\n%s", status, out)
	}
	socket := unit(t, s, "galaxy-web.socket", "")
	web := unit(t, s, "galaxy-web.service", "")
	if want := []string{fmt.Sprintf("127.0.0.1:%d", s.Port), s.Dir + "/var/galaxy.sock"}; !slices.Equal(socket["ListenStream"], want) {
		t.Fatalf("the socket unit listens on %v, want %v", socket["ListenStream"], want)
	}
	args := []string{}
	for _, stream := range socket["ListenStream"] {
		args = append(args, "-l", stream)
	}
	systemd := listenForNotices(t, s)
	path := filepath.Join(s.Dir, "var/galaxy.sock")
	t.Cleanup(func() { // when all have ended
		if !exists(path) {
			t.Error("the service took away the UNIX socket, which is systemd's")
		}
	})
	notify := []string{"NOTIFY_SOCKET=" + filepath.Join(s.Dir, "var/notify")}
	service := run(t, s, notify, activate, append(append(args, "-E", "NOTIFY_SOCKET", "--"), words(t, web["ExecStart"][0])...)...)
	// It starts what it was told with the first connection, which is then served.
	s.WaitFor("the sockets to be open", func() error {
		c, err := net.Dial("unix", path)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	systemd.await("READY=1")
	s.Answers()
	viaUnix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	response, err := viaUnix.Get("http://galaxy/api/version")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("over the UNIX socket: %v %v", response, err)
	} else {
		_ = response.Body.Close()
	}

	// systemctl reload galaxy-web
	if err := service.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	systemd.await("RELOADING=1")
	systemd.await("READY=1")
	s.Answers()

	handler := unit(t, s, "galaxy-handler@.service", "1")
	command := words(t, handler["ExecStart"][0])
	run(t, s, notify, command[0], command[1:]...)
	systemd.await("READY=1")
	s.Open()
	if by := s.Await(s.Submit(), "ok"); by != "handler_1" {
		t.Errorf("the job was handled by %s", by)
	}
	special := unit(t, s, "galaxy-special@.service", "0")
	if got := words(t, special["Environment"][0]); len(got) != 1 || got[0] != `AWKWARD=100% "quoted" $HOME` {
		t.Errorf("the environment is %q", got)
	}
}

// unit reads a unit: its settings, an instance put in for %i.
func unit(t *testing.T, s *testenv.Site, name, instance string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "units", name))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "="); found && key[0] != '#' {
			out[key] = append(out[key], strings.NewReplacer("%%", "%", "%i", instance, "%I", instance).Replace(value))
		}
	}
	return out
}

// words splits a command line as systemd does, variables apart.
func words(t *testing.T, line string) (out []string) {
	t.Helper()
	var word strings.Builder
	quoted, open := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, open = !quoted, true
		case c == ' ' && !quoted:
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		case c == '$' && strings.HasPrefix(line[i:], "$$"):
			i++
			word.WriteByte('$')
			open = true
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if quoted {
		t.Fatalf("a quote is open in %s", line)
	}
	if open {
		out = append(out, word.String())
	}
	return out
}

// run starts a program in the site's server folder as its user; it is stopped at the end of the test.
func run(t *testing.T, s *testenv.Site, environment []string, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := s.Command(program, args...)
	cmd.Env = append(cmd.Env, environment...)
	s.Own()
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.Credential()}
	}
	s.Start(cmd)
	return cmd
}

// notices are what services tell systemd.
type notices struct {
	t     *testing.T
	lines chan string
}

func listenForNotices(t *testing.T, s *testenv.Site) *notices {
	t.Helper()
	path := filepath.Join(s.Dir, "var/notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // systemd's own is open to all
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	n := &notices{t, make(chan string, 100)}
	go func() {
		buffer := make([]byte, 4096)
		for {
			read, err := socket.Read(buffer)
			if err != nil {
				return
			}
			for line := range strings.SplitSeq(string(buffer[:read]), "\n") {
				n.lines <- line
			}
		}
	}()
	return n
}

// await waits for a line.
func (n *notices) await(want string) {
	n.t.Helper()
	var heard []string
	late := time.After(time.Minute)
	for {
		select {
		case line := <-n.lines:
			if line == want {
				return
			}
			heard = append(heard, line)
		case <-late:
			n.t.Fatalf("systemd was not told %s, but %s", want, strconv.Quote(strings.Join(heard, "; ")))
		}
	}
}
