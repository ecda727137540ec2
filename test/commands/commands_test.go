package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// one web worker and two handlers.
const oneAndTwo = `
gravity:
  instance_name: main_instance
  log_dir: /srv/galaxy/log
  gunicorn:
    bind: 127.0.0.1:@PORT@
    workers: 1
  handlers:
    handler:
      processes: 2
      pools: [job-handlers]
`

func TestExitStatuses(t *testing.T) {
	s := newSite(t, oneAndTwo)
	s.Write("server/wrong.yml", "gravity:\n  gunicorn: [\n")
	s.Write("server/unfit.yml", "gravity:\n  gunicorn:\n    workers: many\ngalaxy:\n  data_dir: /srv/galaxy/var/database\n")
	for _, c := range []struct {
		line   string
		status int
		says   string
	}{
		{"orrery", 0, "Talk to a running server"},
		{"orrery help", 0, "Exit status"},
		{"orrery --help", 0, "Usage: orrery"},
		{"orrery help status", 0, "EXIT STATUS"},
		{"orrery status --help", 0, "SYNOPSIS"},
		{"galaxyctl", 0, "Usage: galaxyctl"},
		{"galaxyctl reload -h", 0, "galaxyctl graceful, reload"},
		{"galaxy --help", 0, "NAME"},
		{"galaxy-main --help", 0, "--attach-to-pool POOL"},
		{"uwsgi --help", 0, "--zerg-pool PATH:ADDRESS"},
		{"orrery web --help", 0, "-w, --workers INT"},
		{"galaxyctl --version", 0, "orrery"},
		{"orrery version --json", 0, `"galaxy"`},
		{"orrery dance", 2, "there is no command \"dance\""},
		{"orrery help dance", 2, "there is no command"},
		{"orrery status --nonsense", 2, "there is no option --nonsense"},
		{"orrery status -c", 2, "-c needs a value"},
		{"orrery -x", 2, "there is no option -x"},
		{"orrery handler", 2, "--server-name"},
		{"orrery handler --server-name 'a b'", 2, "use letters"},
		{"orrery handler --server-name a --app reports", 2, "--app reports"},
		{"orrery exec", 2, "gunicorn, handler_0, handler_1"},
		{"orrery exec nobody", 2, "no service \"nobody\""},
		{"orrery exec handler", 2, "--service-instance"},
		{"orrery exec -i 2 handler", 2, "counts from 0 to 1"},
		{"orrery completion tcsh", 2, "bash, zsh or fish"},
		{"orrery pm dance", 2, "no command \"dance\""},
		{"orrery show other", 2, "no instance \"other\""},
		{"orrery web nonsense.yml", 2, "what is \"nonsense.yml\" for"},
		{"orrery web --certainly", 2, "there is no option --certainly"},
		{"GUNICORN_CMD_ARGS='--bind \"x' orrery web", 2, "not closed"},
		{"uwsgi", 2, "--yaml"},
		{"uwsgi --nonsense", 2, "there is no option --nonsense"},
		{"orrery status", 3, "no server runs"},
		{"orrery status --json", 3, "[]"},
		{"galaxyctl status main_instance", 3, "no server runs"},
		{"galaxyctl start handler_0", 3, "orrery exec handler_0"},
		{"galaxyctl restart handler_0", 3, "no server runs"},
		{"galaxyctl graceful", 3, "no server runs"},
		{"galaxyctl reopen", 3, "no server runs"},
		{"galaxyctl pm pid", 3, "no server runs"},
		{"galaxyctl stop", 0, "no server runs"},
		{"galaxyctl shutdown", 0, "no server runs"},
		{"galaxyctl pm", 0, "It does not run now"},
		{"galaxyctl follow nobody", 2, "no process or service \"nobody\""},
		{"galaxyctl list", 0, "main_instance"},
		{"galaxyctl -c wrong.yml status", 3, "has mistakes now"},
		{"galaxyctl -c unfit.yml start", 78, "workers"},
		{"orrery run -c unfit.yml", 78, "workers"},
		{"orrery config -c nosuch.yml", 78, "no such file"},
		{"orrery status -c nosuch.yml", 78, "no such file"},
		{"orrery web -c unfit.yml", 78, "workers"},
		{"uwsgi --yaml unfit.yml", 78, "workers"},
		{"uwsgi --yaml unfit.yml --daemonize /srv/galaxy/log/d.log", 78, "workers"},
		{"galaxy-main -c nosuch.yml --server-name h --daemonize", 78, "no such file"},
		{"galaxy-main -c config/galaxy.yml --server-name h --attach-to-pool dances --daemonize", 1, "--attach-to-pool dances"},
		{"galaxy-main -c config/galaxy.yml --server-name h --pid-file /nowhere/h.pid -d", 1, "/nowhere/h.pid"},
		{"sh run.sh --dance", 2, "no option --dance"},
		{"sh run.sh --log-file", 2, "needs a value"},
		{"sh run.sh --status", 3, "no server runs"},
		{"sh run.sh --stop-daemon", 0, "no server runs"},
		{"sh run.sh --help", 0, "--stop-daemon"},
		{"sh ./scripts/common_startup.sh", 0, "nothing to set up"},
		{"sh ./scripts/common_startup.sh --skip-venv --no-create-venv", 0, "nothing to set up"},
		{"mkdir -p ../var/bare/scripts && cp run.sh ../var/bare && cp scripts/galaxy-main ../var/bare/scripts", 0, ""},
		{"PATH=/usr/bin:/bin sh ../var/bare/run.sh --status", 1, "make build"},
		{"PATH=/usr/bin:/bin ../var/bare/scripts/galaxy-main", 1, "make build"},
		{"PATH=/usr/bin:/bin python3 ../var/bare/scripts/galaxy-main", 1, "make build"},
	} {
		if got := s.run(c.line); got.status != c.status || !strings.Contains(got.out+got.errors, c.says) {
			t.Errorf("%s: status %d, want %d and %q:\n%s%s", c.line, got.status, c.status, c.says, got.out, got.errors)
		}
	}
}

func TestGravitysCommands(t *testing.T) {
	s := newSite(t, oneAndTwo)
	s.must("galaxyctl start", "started: process", "Log files are in /srv/galaxy/log")
	s.Answers()
	s.must("galaxyctl list -v", "main_instance", "26.1", "/srv/galaxy/server/config/galaxy.yml")
	if got := s.must("galaxyctl configs --json"); !strings.Contains(got.out, `"running": true`) {
		t.Error(got.out)
	}
	var shown struct {
		Name        string `json:"instance_name"`
		Supervisors []struct{ PID int }
		Plan        struct{ Processes []struct{ Name string } }
	}
	if got := s.must("galaxyctl get main_instance"); json.Unmarshal([]byte(got.out), &shown) != nil || shown.Name != "main_instance" || len(shown.Supervisors) != 1 || len(shown.Plan.Processes) != 3 {
		t.Errorf("galaxyctl get: %s", got.out)
	}
	s.must("galaxyctl status", "main.1", "handler_0", "handler_1", "ready")
	s.must("galaxyctl start", "")

	// One service, and one process of another.
	s.must("galaxyctl stop main_instance handlers", "handler_0: stopped", "handler_1: stopped")
	states, first := s.states()
	if want := map[string]string{"main.1": "ready", "handler_0": "stopped", "handler_1": "stopped"}; !maps.Equal(states, want) {
		t.Errorf("after stop handlers: %v", states)
	}
	s.want("galaxyctl status handlers", 3, "stopped")
	s.must("galaxyctl start handler_1")
	s.must("galaxyctl restart gunicorn")
	states, second := s.states()
	if states["handler_1"] != "ready" || states["handler_0"] != "stopped" || states["main.1"] != "ready" || second["main.1"] == first["main.1"] {
		t.Errorf("after start handler_1 and restart gunicorn: %v", states)
	}
	s.Answers()
	s.must("galaxyctl graceful --start-if-stopped")
	states, third := s.states()
	if third["main.1"] == second["main.1"] || states["main.1"] != "ready" {
		t.Errorf("after graceful: %v %v, before it %v", states, third, second)
	}
	s.must("galaxyctl start")
	s.want("galaxyctl stop nobody", 2, "no process or service \"nobody\"")

	// The process manager behind it is Orrery.
	s.must("galaxyctl pm", "own supervisor", "/srv/galaxy/var/database/run/orrery.control")
	if got := s.must("galaxyctl pm pid handler_1"); strings.TrimSpace(got.out) != fmt.Sprint(third["handler_1"]) {
		t.Errorf("pm pid: %s, not %d", got.out, third["handler_1"])
	}
	s.must("galaxyctl pm status", "handler_1")
	s.must("galaxyctl pm restart main_instance:handler_1", "handler_1")
	s.must("galaxyctl pm reread", "127.0.0.1")
	s.must("galaxyctl pm signal HUP handler_1", "handler_1")

	// What exec would run.
	s.must("galaxyctl exec --no-exec main_instance gunicorn", "Executing:", "orrery web -c /srv/galaxy/server/config/galaxy.yml")
	s.must("galaxyctl exec -n -i 1 handler", "orrery handler -c /srv/galaxy/server/config/galaxy.yml --server-name handler_1")

	// logrotate: the logs are renamed, and opened anew.
	logs, err := filepath.Glob(filepath.Join(s.Dir, "log", "*.log"))
	if err != nil || len(logs) < 3 {
		t.Fatal(logs, err)
	}
	for _, log := range logs {
		if err := os.Rename(log, log+".1"); err != nil {
			t.Fatal(err)
		}
	}
	s.must("galaxyctl reopen")
	s.WaitFor("the logs to be opened anew", func() error {
		for _, log := range logs {
			if _, err := os.Stat(log); err != nil {
				return err
			}
		}
		return nil
	})

	// A changed file is told about by whatever one asks; shells complete names.
	s.completes("galaxyctl stop hand", "handler_0", "handler_1", "handlers")
	s.Write("server/config/galaxy.yml", strings.Replace(oneAndTwo, "workers: 1", "workers: 2", 1)+configurationOf(s))
	for _, line := range []string{"galaxyctl status", "galaxyctl list", "galaxyctl get", "galaxyctl pm", "galaxyctl start", "timeout 1 galaxyctl follow || true"} {
		s.must(line, "the configuration files have changed")
	}
	s.must("galaxyctl update", "main.2")
	if got := s.must("galaxyctl status", "main.2"); strings.Contains(got.errors, "have changed") {
		t.Errorf("after update: %s", got.errors)
	}
	// One that is wrong leaves the server as it is, and can still be stopped.
	s.Write("server/config/galaxy.yml", strings.Replace(oneAndTwo, "workers: 1", "workers: many", 1)+configurationOf(s))
	s.want("galaxyctl graceful", 1, "many")
	s.Answers()
	_, pids := s.states()
	s.must("galaxyctl shutdown", "stopped")
	for _, pid := range pids {
		s.gone(pid)
	}
	s.want("galaxyctl status", 3)
}

// configurationOf is the section that every configuration here has, from the file as it is.
func configurationOf(s *site) string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "server/config/galaxy.yml"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\ngalaxy:")
	return "\ngalaxy:" + section
}

// completes asks bash what it would complete a line with.
func (s *site) completes(line string, want ...string) {
	s.t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		s.t.Fatal("bash is not installed: apt-get install -y bash")
	}
	words := strings.Split(line, " ")
	script := "source <(orrery completion bash); COMP_WORDS=(" + strings.Join(words[:len(words)-1], " ") + " '" + words[len(words)-1] + "'); COMP_CWORD=" +
		fmt.Sprint(len(words)-1) + "; _orrery; printf '%s\\n' \"${COMPREPLY[@]}\""
	got := s.must("bash -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'")
	lines := strings.Fields(got.out)
	slices.Sort(lines)
	if !slices.Equal(lines, want) {
		s.t.Errorf("bash completes %q with %v, not %v\n%s", line, lines, want, got.errors)
	}
}

func TestRunSh(t *testing.T) {
	s := newSite(t, oneAndTwo)
	if os.Getuid() == 0 {
		s.root = true
		s.want("sh run.sh", 1, "do not run this as root")
		s.want("sh run.sh --daemon", 1, "do not run this as root")
		s.root = false
	}
	pid, log := filepath.Join(s.Dir, "server/galaxy.pid"), filepath.Join(s.Dir, "server/galaxy.log")
	// A file with the id of a process that is another program's: it is not touched.
	other := exec.Command("sleep", "600")
	if os.Getuid() == 0 {
		other.SysProcAttr = &syscall.SysProcAttr{Credential: s.Credential()}
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(other.Process.Kill()); err != nil {
			t.Errorf("the other program was ended: %v", err)
		}
		_ = other.Wait()
	}()
	foreign := fmt.Sprint(other.Process.Pid) + "\n"
	s.Write("server/galaxy.pid", foreign)
	s.Own()
	s.must("sh run.sh --stop-daemon", "is another program's and is left alone")
	if exists(pid) {
		t.Error("the stale pid file is still there")
	}
	s.Write("server/galaxy.pid", foreign)
	s.Own()
	s.must("sh run.sh --skip-venv --skip-client-build --no-create-venv --daemon", "is another program", "galaxy.log")
	server := s.pidOf("server/galaxy.pid")
	if line := s.Processes()[server]; !strings.Contains(line, "orrery") {
		t.Errorf("galaxy.pid names process %d: %q", server, line)
	}
	if text, err := os.ReadFile(log); err != nil || !bytes.Contains(text, []byte("started")) {
		t.Errorf("galaxy.log: %v %s", err, text)
	}
	s.Answers()
	s.must("sh run.sh --status", "main.1", "ready")
	_, before := s.states()
	s.must("sh run.sh --restart")
	_, after := s.states()
	if before["main.1"] == after["main.1"] || s.pidOf("server/galaxy.pid") != server {
		t.Errorf("--restart: %v, then %v", before, after)
	}
	s.must("sh run.sh start", "")
	if s.pidOf("server/galaxy.pid") != server {
		t.Error("a second --daemon made another server")
	}
	// The server dies of a power cut; its file is left behind.
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.gone(server)
	s.must("sh run.sh --daemon --pid-file=/srv/galaxy/var/other.pid --log-file /srv/galaxy/log/other.log", "started")
	if again := s.pidOf("var/other.pid"); again == server {
		t.Errorf("process %d again", again)
	}
	if !exists(filepath.Join(s.Dir, "log/other.log")) {
		t.Error("there is no log/other.log")
	}
	s.Answers()
	s.must("sh run.sh stop --pid-file=/srv/galaxy/var/other.pid")
	if exists(filepath.Join(s.Dir, "var/other.pid")) {
		t.Error("the pid file stayed")
	}
	s.want("sh run.sh --status", 3)

	// In the foreground it shows the logs of its processes; Ctrl-C ends it.
	cmd := s.command("exec sh run.sh")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Answers()
	s.WaitFor("the server to be ready", func() error {
		if got := s.run("sh run.sh --status"); got.status != 0 || strings.Count(got.out, "ready") != 3 {
			return errors.New(got.out)
		}
		return nil
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("run.sh after Ctrl-C: %v\n%s", err, out.String())
	}
	for _, text := range []string{"Orrery serves Galaxy at", "handler_1: taking jobs", "Stopping."} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("run.sh did not say %q but\n%s", text, out.String())
		}
	}
}

// The handlers of the 22.01 document, by its own commands.
func TestGalaxyMainAsPrinted(t *testing.T) {
	for _, c := range []struct {
		name, jobConf, python string
		takes                 map[string][]string
	}{
		{"static", `<handlers><handler id="handler0"/><handler id="handler1" tags="special"/></handlers>`, "",
			map[string][]string{"handler0": {"_default_"}, "handler1": {"special"}, "handler2": {}}},
		{"dynamic", `<handlers assign_with="db-skip-locked" />`, "python ",
			map[string][]string{"handler0": {"_default_"}, "handler1": {"special"}, "handler2": {"_default_", "special"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, "gravity:\n  gunicorn:\n    bind: 127.0.0.1:@PORT@\n")
			s.Write("server/config/job_conf.xml", `<job_conf><plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner" workers="2"/></plugins>
				<destinations><destination id="local" runner="local"/></destinations>`+c.jobConf+`</job_conf>`)
			s.Own()
			var directory, said string
			for _, line := range printed(t, c.name+".console") {
				if directory == "" {
					directory = line
					continue
				}
				got := s.must(directory + " && " + c.python + line)
				said += got.out + got.errors
			}
			if loud := strings.Contains(said, "handler2: THIS HANDLER CLAIMS NO JOBS"); loud != (len(c.takes["handler2"]) == 0) {
				t.Errorf("said:\n%s", said)
			}
			var pool struct {
				Handlers []struct {
					Name, State string
					Pools       []string
				}
			}
			got := s.must("orrery pool --json")
			if err := json.Unmarshal([]byte(got.out), &pool); err != nil || len(pool.Handlers) != 3 {
				t.Fatalf("%v: %s", err, got.out)
			}
			for _, h := range pool.Handlers {
				slices.Sort(h.Pools)
				if want := c.takes[h.Name]; h.State != "alive" || !slices.Equal(h.Pools, want) {
					t.Errorf("%s is %s and takes %v, not %v", h.Name, h.State, h.Pools, want)
				}
			}
			// The same command again is refused, as is a file that a living process has.
			s.want("./scripts/galaxy-main -c config/galaxy.yml --server-name handler0 --daemonize", 1, "runs")
			for name := range c.takes {
				pid := s.pidOf("var/database/run/" + name + ".pid")
				if err := syscall.Kill(pid, syscall.SIGHUP); err != nil { // galaxy-main stops at it
					t.Fatal(err)
				}
				s.gone(pid)
				if exists(filepath.Join(s.Dir, "var/database/run", name+".pid")) {
					t.Errorf("the pid file of %s stayed", name)
				}
			}
		})
	}
}

// The program [program:handler] of both documents: in the foreground, with a log
// and a pid file of its own.
func TestGalaxyMainUnderSupervisord(t *testing.T) {
	s := newSite(t, "")
	text, err := os.ReadFile("testdata/handler.ini")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "= ")
	s.Write("config/galaxy.yml", configurationOf(s))
	cmd := s.command("exec " + strings.ReplaceAll(line, "%(process_num)s", "0") + " --attach-to-pool job-handlers")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.WaitFor("the handler's log", func() error {
		text, err := os.ReadFile(filepath.Join(s.Dir, "log/handler0.log"))
		if err == nil && !bytes.Contains(text, []byte("taking jobs")) {
			err = errors.New(string(text))
		}
		return err
	})
	if pid := s.pidOf("var/handler0.pid"); pid != cmd.Process.Pid {
		t.Errorf("the pid file names %d, the handler is %d", pid, cmd.Process.Pid)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// uWSGI's lines of the 19.01 document, by the name uwsgi.
func TestUwsgiAsPrinted(t *testing.T) {
	s := newSite(t, `
uwsgi:
    module: galaxy.webapps.galaxy.buildapp:uwsgi_app()
    master: true
    processes: 1
    die-on-term: true
    http: 127.0.0.1:@PORT@
    mule: lib/galaxy/main.py
    farm: job-handlers:1
`)
	lines := printed(t, "uwsgi.console")
	cmd := s.command(lines[0] + " && exec " + lines[1] + " --plugin python --pidfile /srv/galaxy/var/uwsgi.pid")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Answers()
	s.WaitFor("the mule", func() error {
		if states, _ := s.states(); states["main.web.1"] != "ready" || states["main.job-handlers.1"] != "ready" {
			return fmt.Errorf("%v", states)
		}
		return nil
	})
	if pid := s.pidOf("var/uwsgi.pid"); pid != cmd.Process.Pid {
		t.Errorf("the pid file names %d, uwsgi is %d", pid, cmd.Process.Pid)
	}
	// The program is exchanged in place, under the name that it was called by.
	_, before := s.states()
	s.must("galaxyctl graceful")
	if _, after := s.states(); after["main.web.1"] == before["main.web.1"] || s.pidOf("var/uwsgi.pid") != cmd.Process.Pid {
		t.Errorf("after graceful: %v, before it %v", after, before)
	}
	s.Answers()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	// In the background, by the other ways to name the file.
	s.must("uwsgi --daemonize2 /srv/galaxy/log/uwsgi.log config/galaxy.yml")
	s.Answers()
	s.must("galaxyctl stop")
	if !exists(filepath.Join(s.Dir, "log/uwsgi.log")) {
		t.Error("there is no log/uwsgi.log")
	}
}

// As root, with uid and gid: the processes are that user's.
func TestUwsgiAsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		if testing.Short() {
			t.Skip("needs root")
		}
		t.Fatal("this test has to be run by root, as in CI")
	}
	s := newSite(t, "uwsgi:\n    processes: 1\n    http: 127.0.0.1:@PORT@\n    uid: @USER@\n    die-on-term: true\n")
	s.root = true
	lines := printed(t, "root.console")
	cmd := s.command(lines[0] + " && exec " + lines[1])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Answers()
	_, pids := s.states()
	for _, pid := range []int{cmd.Process.Pid, pids["main.web.1"]} {
		if uids := s.Status(pid, "Uid"); uids != s.UIDs() {
			t.Errorf("process %d runs as %s, not %s", pid, uids, s.UIDs())
		}
	}
	// Root may speak to it, too.
	s.must("galaxyctl status", "main.web.1")
	s.must("galaxyctl stop")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A line that a unit has for Gunicorn, taken over: web workers alone.
func TestGunicornsLine(t *testing.T) {
	s := newSite(t, strings.Replace(oneAndTwo, "workers: 1", "workers: 5", 1))
	socket := filepath.Join(s.Dir, "var/gunicorn.sock")
	line := "orrery web 'galaxy.webapps.galaxy.fast_factory:factory()' --timeout 300 --pythonpath lib -k galaxy.webapps.galaxy.workers.Worker" +
		" -b 127.0.0.1:@PORT@ -b unix:/srv/galaxy/var/gunicorn.sock -w2 -m 007 --config python:galaxy.web_stack.gunicorn_config --preload" +
		" --forwarded-allow-ips='*' -p /srv/galaxy/var/gunicorn.pid --log-file /srv/galaxy/log/gunicorn.log --chdir /srv/galaxy/server"
	s.must(line + " --check-config")
	s.must(line + " -D")
	s.Answers()
	states, before := s.states()
	if !maps.Equal(states, map[string]string{"main.1": "ready", "main.2": "ready"}) {
		t.Errorf("the processes are %v", states)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("the socket: %v %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(filepath.Join(s.Dir, "log/gunicorn.log")); err != nil || strings.Count(string(text), "--pythonpath lib") != 1 {
		t.Errorf("what has no effect is said once: %v\n%s", err, text)
	}
	pid := s.pidOf("var/gunicorn.pid")
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.WaitFor("new workers", func() error {
		states, after := s.states()
		if states["main.1"] != "ready" || states["main.2"] != "ready" || after["main.1"] == before["main.1"] || after["main.2"] == before["main.2"] {
			return fmt.Errorf("%v %v, before %v", states, after, before)
		}
		return nil
	})
	s.Answers()
	if s.pidOf("var/gunicorn.pid") != pid {
		t.Error("another supervisor")
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.gone(pid)
	if exists(filepath.Join(s.Dir, "var/gunicorn.pid")) {
		t.Error("the pid file stayed")
	}
}

// Gravity's file of several instances: each is a server of its own, named first.
func TestSeveralInstances(t *testing.T) {
	s := newSite(t, "")
	galaxy := configurationOf(s)
	s.Write("server/config/galaxy.yml", `
gravity:
- {instance_name: east, galaxy_config_file: east.yml, log_dir: /srv/galaxy/log, gunicorn: {bind: '127.0.0.1:@PORT@'}}
- {instance_name: west, galaxy_config_file: west.yml, log_dir: /srv/galaxy/log, gunicorn: {bind: 'unix:/srv/galaxy/var/west.sock'}}
`)
	for _, name := range []string{"east", "west"} {
		s.Write("server/config/"+name+".yml", strings.ReplaceAll(galaxy, s.Dir+"/var/", s.Dir+"/var/"+name+"-"))
	}
	s.must("galaxyctl list", "east", "west")
	s.must("galaxyctl start")
	s.Answers()
	if !exists(filepath.Join(s.Dir, "var/west.sock")) {
		t.Error("west does not listen")
	}
	s.must("galaxyctl stop west main.1", "stopped")
	s.must("galaxyctl status east", "ready")
	s.want("galaxyctl status west", 3)
	s.want("galaxyctl status", 3, "ready", "west")
	s.want("galaxyctl restart north", 2, "east, west")
	s.want("galaxyctl follow", 2, "east, west")
	s.must("galaxyctl shutdown")
	s.want("galaxyctl status east", 3)
}
