package strategies

import (
	"errors"
	"fmt"
	"net/http"
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

// fragment reads a fragment of the documents.
func fragment(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "internal/deployment/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const (
	port8080 = "    http: 127.0.0.1:@PORT@\n"
	bind8080 = "    bind: 127.0.0.1:@PORT@\n"
	galaxy   = testenv.GalaxySection
	// ini is [app:main] as GalaxySection is galaxy.
	ini = `[app:main]
paste.app_factory = galaxy.web.buildapp:app_factory
data_dir = /srv/galaxy/var/database
database_connection = sqlite:////srv/galaxy/var/universe.sqlite?isolation_level=IMMEDIATE
tool_config_file = /srv/galaxy/server/tool_conf.xml
admin_users = ` + testenv.AdminEmail + `
master_api_key = ` + testenv.AdminKey + `
id_secret = a secret of tests
`
	paste = "use = egg:Paste#http\nhost = 127.0.0.1\nuse_threadpool = True\nthreadpool_workers = 10\n"
)

// strategy is one way to run a server.
type strategy struct {
	name string
	// yml or ini is the configuration, in config/galaxy.yml or config/galaxy.ini; jobConf is without runners.
	yml, ini, jobConf string
	// start are command lines for the shell, in the server's folder; the last one runs until it is interrupted, unless
	// stop has one.
	start []string
	stop  string
	// who may handle the jobs of each tool.
	who map[string][]string
	// answer are further ports that answer HTTP.
	answer map[string]bool
}

func TestStrategies(t *testing.T) {
	common := strings.TrimPrefix(fragment(t, "scaling-19.01/common.yml"), "uwsgi:\n")
	for _, s := range []strategy{
		{
			name: "22.01 all-in-one", yml: fragment(t, "scaling-22.01/all-in-one.yml") + bind8080 + galaxy,
			start: []string{"sh run.sh"}, who: map[string][]string{"test0": {"main.1", "main.2", "main.3", "main.4"}},
		},
		{
			name: "22.01 static handlers", jobConf: fragment(t, "scaling-22.01/static.xml"),
			yml:   strings.Replace(fragment(t, "scaling-22.01/common.yml"), "127.0.0.1:8080", "127.0.0.1:@PORT@", 1) + galaxy,
			start: []string{"sh run.sh --daemon"}, stop: "sh run.sh --stop-daemon",
			who: map[string][]string{"test0": {"handler1", "handler2"}, "test1": {"handler3"}, "test2": {"handler4", "handler5"}, "test3": {"handler2"}},
		},
		{
			name: "22.01 dynamic handlers", jobConf: fragment(t, "scaling-22.01/dynamic.xml"),
			yml: strings.Replace(fragment(t, "scaling-22.01/common.yml"), "127.0.0.1:8080", "127.0.0.1:@PORT@", 1) + galaxy,
			start: []string{
				"galaxyctl update", "galaxyctl start",
				"./scripts/galaxy-main -c config/galaxy.yml --server-name handler0 --attach-to-pool job-handlers --daemonize --pid-file h0.pid",
				"./scripts/galaxy-main -c config/galaxy.yml --server-name handler1 --attach-to-pool job-handlers.special --daemonize --pid-file h1.pid",
				"./scripts/galaxy-main -c config/galaxy.yml --server-name handler2 --attach-to-pool job-handlers --attach-to-pool job-handlers.special --daemonize --pid-file h2.pid",
			},
			stop: "kill $(cat h0.pid h1.pid h2.pid) && galaxyctl shutdown",
			who:  map[string][]string{"test0": {"handler0", "handler2"}, "test1": {"handler1", "handler2"}},
		},
		{
			name: "19.01 all-in-one, a tool for the third web worker", jobConf: fragment(t, "scaling-19.01/web3.xml"),
			yml:   "uwsgi:\n" + strings.Replace(common, "processes: 2", "processes: 3", 1) + port8080 + galaxy,
			start: []string{"uwsgi --yaml config/galaxy.yml"},
			who:   map[string][]string{"test0": {"main.web.1", "main.web.2", "main.web.3"}, "test1": {"main.web.3"}},
		},
		{
			name: "19.01 mules, a tool for the second", jobConf: fragment(t, "scaling-19.01/mule2.xml"),
			yml:   "uwsgi:\n" + common + fragment(t, "scaling-19.01/mules.yml") + port8080 + galaxy,
			start: []string{"uwsgi --yaml config/galaxy.yml"},
			who:   map[string][]string{"test0": {"main.job-handlers.1", "main.job-handlers.2", "main.job-handlers.3"}, "test1": {"main.job-handlers.2"}},
		},
		{
			name: "19.01 webless handlers", jobConf: fragment(t, "scaling-19.01/webless.xml"),
			yml: "uwsgi:\n" + common + port8080 + galaxy,
			start: []string{
				"python ./scripts/galaxy-main -c config/galaxy.yml --server-name handler1 --daemonize --pid-file h1.pid",
				"python ./scripts/galaxy-main -c config/galaxy.yml --server-name handler2 --daemonize --pid-file h2.pid",
				"python ./scripts/galaxy-main -c config/galaxy.yml --server-name handler3 --daemonize --pid-file h3.pid",
				"uwsgi --plugin python --yaml config/galaxy.yml",
			},
			who: map[string][]string{"test0": {"handler1", "handler2"}, "test1": {"handler3"}},
		},
		{
			name:  "legacy: one process for all",
			ini:   "[server:main]\n" + paste + "port = @PORT@\n\n" + ini,
			start: []string{"sh run.sh"}, who: map[string][]string{"test0": {"main"}},
		},
		{
			name: "legacy: uWSGI, handlers with a web server of their own",
			ini: "[uwsgi]\nprocesses = 2\nhttp = 127.0.0.1:@PORT@\nmaster = true\n\n[server:handler1]\n" + paste + "port = @PORT1@\n\n[server:handler2]\n" + paste +
				"port = @PORT2@\n\n" + ini,
			jobConf: `<job_conf><handlers default="handlers"><handler id="handler1" tags="handlers"/><handler id="handler2" tags="handlers"/></handlers></job_conf>`,
			start:   []string{"sh run.sh --daemon"}, stop: "sh run.sh --stop-daemon",
			who: map[string][]string{"test0": {"handler1", "handler2"}}, answer: map[string]bool{"@PORT1@": true, "@PORT2@": true},
		},
		{
			name: "legacy: Paste's web servers, handlers with and without one",
			ini:  "[server:web0]\n" + paste + "port = @PORT@\n\n[server:web1]\n" + paste + "port = @PORT2@\n\n[server:handler0]\n" + paste + "port = @PORT1@\n\n[server:handler1]\n\n" + ini,
			jobConf: `<job_conf><handlers default="handlers"><handler id="handler0" tags="handlers"/><handler id="handler1" tags="handlers"/></handlers>
				<tools><tool id="test1" handler="handler1"/></tools></job_conf>`,
			start: []string{"GALAXY_RUN_ALL=1 sh run.sh --daemon"}, stop: "sh run.sh --stop-daemon",
			who: map[string][]string{"test0": {"handler0", "handler1"}, "test1": {"handler1"}}, answer: map[string]bool{"@PORT1@": true, "@PORT2@": true},
		},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t) })
	}
}

// site is a folder with the program under all the names that the documents call.
func site(t *testing.T) *testenv.Site {
	t.Helper()
	s := testenv.NewSite(t)
	server := filepath.Join(s.Dir, "server")
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "run.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(server, "run.sh"), text, 0o755),
		os.Symlink("../config", filepath.Join(server, "config")),
		os.Symlink("../venv/bin", filepath.Join(server, "bin")),
		os.Symlink("orrery", filepath.Join(s.Dir, "venv/bin/galaxyctl")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	toolConf := "<toolbox>"
	for _, tool := range []string{"test0", "test1", "test2", "test3"} {
		s.Write("server/"+tool+".xml", `<tool id="`+tool+`" name="`+tool+`" version="1"><command>echo done &gt; '$out'</command>`+
			`<inputs><param name="n" type="integer" value="0"/></inputs><outputs><data name="out" format="txt"/></outputs></tool>`)
		toolConf += `<tool file="@DIR@/server/` + tool + `.xml"/>`
	}
	s.Write("server/tool_conf.xml", toolConf+"</toolbox>")
	return s
}

// withRunner adds to a job configuration what the documents leave out.
func withRunner(jobConf string) string {
	return strings.Replace(jobConf, "<job_conf>", `<job_conf>
    <plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/></plugins>
    <destinations><destination id="local" runner="local"/></destinations>`, 1)
}

// shell is a command line as its user types it in the server's folder.
func shell(s *testenv.Site, line string) *exec.Cmd {
	cmd := s.Command("sh", "-c", line)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(s.Dir, "venv/bin")+":"+os.Getenv("PATH"), "HOME="+filepath.Join(s.Dir, "var"))
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.Credential()}
	}
	return cmd
}

func (w strategy) run(t *testing.T) {
	s := site(t)
	ports := strings.NewReplacer("@PORT1@", fmt.Sprint(testenv.FreePort(t)), "@PORT2@", fmt.Sprint(testenv.FreePort(t)))
	if w.jobConf != "" {
		s.Write("config/job_conf.xml", withRunner(w.jobConf))
	}
	if w.yml != "" {
		s.Write("config/galaxy.yml", ports.Replace(w.yml))
	} else {
		s.Write("config/galaxy.ini", ports.Replace(w.ini))
	}
	s.Own()
	lines := w.start
	if w.stop == "" {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		if out, err := shell(s, line).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", line, err, out, s.Logs())
		}
	}
	var foreground *exec.Cmd
	ended := make(chan error, 1)
	if w.stop == "" {
		foreground = shell(s, "exec "+w.start[len(w.start)-1])
		output, err := os.Create(filepath.Join(s.Dir, "log/output.log"))
		if err != nil {
			t.Fatal(err)
		}
		defer output.Close()
		foreground.Stdout, foreground.Stderr = output, output
		if err := foreground.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- foreground.Wait() }()
	}
	s.Answers()
	for port := range w.answer {
		answer, err := http.Get("http://127.0.0.1:" + ports.Replace(port) + "/api/version")
		if err != nil {
			t.Fatalf("a handler with a port of its own: %v", err)
		}
		answer.Body.Close()
	}
	const each = 3
	jobs := map[string][]string{}
	for tool := range w.who {
		for range each {
			jobs[tool] = append(jobs[tool], s.SubmitTo(tool))
		}
	}
	for tool, ids := range jobs {
		for _, job := range ids {
			if handler := s.Await(job, "ok"); !slices.Contains(w.who[tool], handler) {
				t.Errorf("a job of %s was handled by %s, want one of %v", tool, handler, w.who[tool])
			}
		}
	}
	if foreground != nil {
		if err := foreground.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("it ended with %v\n%s", err, s.Logs())
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("it did not stop\n%s", s.Logs())
		}
		for _, line := range w.start[:len(w.start)-1] { // handlers that were started by hand are stopped so
			_, file, _ := strings.Cut(line, "--pid-file ")
			if out, err := shell(s, "kill $(cat "+file+")").CombinedOutput(); err != nil {
				t.Errorf("stopping a handler: %v %s", err, out)
			}
		}
	} else if out, err := shell(s, w.stop).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", w.stop, err, out, s.Logs())
	}
	s.WaitFor("the last process to end", func() error {
		if left := s.Processes(); len(left) > 0 {
			return fmt.Errorf("these run still: %v", left)
		}
		return nil
	})
	if w.stop != "" && strings.HasPrefix(w.stop, "sh run.sh") {
		if _, err := os.Stat(filepath.Join(s.Dir, "server/galaxy.pid")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("galaxy.pid is left behind: %v", err)
		}
		if text, err := os.ReadFile(filepath.Join(s.Dir, "server/galaxy.log")); err != nil || len(text) == 0 {
			t.Errorf("galaxy.log: %q, %v", text, err)
		}
	}
}
