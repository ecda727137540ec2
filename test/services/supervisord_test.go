package services

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// jobConf declares the handlers that the documents' program starts.
const jobConf = `<job_conf>
  <plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner" workers="4"/></plugins>
  <handlers default="handlers"><handler id="handler0" tags="handlers"/><handler id="handler1" tags="handlers"/><handler id="handler2" tags="handlers"/></handlers>
  <destinations><destination id="local" runner="local"/></destinations>
</job_conf>`

// documentYml goes with it.
const documentYml = "uwsgi:\n  http: 127.0.0.1:@PORT@\n  master: true\n  processes: 2\n" + testenv.GalaxySection + "  job_config_file: /srv/galaxy/server/job_conf.xml\n"

// TestSupervisordRunsTheDocumentsPrograms: the programs and the group as the documents print them, with a start that
// fails at first, a job that outlives `supervisorctl restart galaxy:`, and each process with the user and umask that is
// written.
func TestSupervisordRunsTheDocumentsPrograms(t *testing.T) {
	t.Parallel()
	s := testenv.NewSite(t)
	text, err := os.ReadFile("testdata/supervisord.conf")
	if err != nil {
		t.Fatal(err)
	}
	s.Write("server/job_conf.xml", jobConf)
	s.Write("config/galaxy.yml", strings.Replace(documentYml, "  id_secret", "   id_secret", 1)) // one blank too many
	s.Own()
	d := testenv.SupervisordStart(t, s.Here(string(text)))
	// Its log says so at once; supervisorctl may be so slow as to miss it.
	s.WaitFor("a start to fail", func() error {
		if log := d.Log(); !strings.Contains(log, "exited: web") {
			return fmt.Errorf("supervisord says\n%s", log)
		}
		return nil
	})
	s.Write("config/galaxy.yml", documentYml)
	running := map[string]string{"galaxy:web": "RUNNING", "galaxy:handler0": "RUNNING", "galaxy:handler1": "RUNNING", "galaxy:handler2": "RUNNING"}
	before := d.Await(running)
	s.Answers()
	job := s.Submit()
	handler := s.Await(job, "running")
	if !slices.Contains([]string{"handler0", "handler1", "handler2"}, handler) {
		t.Errorf("the job is handled by %s", handler)
	}
	for name, pid := range before {
		if got := s.Status(pid, "Uid"); got != s.UIDs() {
			t.Errorf("%s runs as %s, want %s", name, got, s.UIDs())
		}
		if got := s.Status(pid, "Umask"); got != "0022" {
			t.Errorf("%s has the umask %s", name, got)
		}
	}
	for _, name := range []string{"handler0", "handler1", "handler2"} {
		if _, err := os.Stat(filepath.Join(s.Dir, "log", name+".log")); err != nil {
			t.Error(err)
		}
		pid, err := os.ReadFile(filepath.Join(s.Dir, "var", name+".pid"))
		if err != nil || strings.TrimSpace(string(pid)) != fmt.Sprint(before["galaxy:"+name]) {
			t.Errorf("the file of %s says process %s (%v), supervisord %d", name, pid, err, before["galaxy:"+name])
		}
	}
	// The command itself waits until all have been up for startsecs once more; this test does not.
	restart := d.Command("restart", "galaxy:")
	if err := restart.Start(); err != nil {
		t.Fatal(err)
	}
	s.WaitFor("supervisorctl restart galaxy:", func() error {
		states, _ := d.States()
		for name := range running {
			// Which process it is supervisord says only later.
			if old := fmt.Sprintf("/proc/%d", before[name]); states[name] != "STARTING" && states[name] != "RUNNING" || exists(old) {
				return fmt.Errorf("%s is %s; %s is there: %v", name, states[name], old, exists(old))
			}
		}
		return nil
	})
	_ = restart.Process.Kill() // it may be done
	_ = restart.Wait()
	s.Answers()
	s.Open()
	s.Await(job, "ok")
	if log := d.Log(); strings.Contains(log, "SIGKILL") {
		t.Errorf("a process did not stop in its time:\n%s", log)
	}
}

// TestSupervisordRunsTheGeneratedPrograms: what `orrery update` writes runs jobs, and a changed number of handlers is
// taken by another update.
func TestSupervisordRunsTheGeneratedPrograms(t *testing.T) {
	t.Parallel()
	s := testenv.NewSite(t)
	const yml = `gravity:
  galaxy_user: "@USER@"
  galaxy_root: /srv/galaxy/server
  log_dir: /srv/galaxy/log
  umask: "027"
  gunicorn:
    bind: 127.0.0.1:@PORT@
    start_timeout: 1
  handlers:
    handler:
      processes: 2
      pools: [job-handlers]
      start_timeout: 1
      environment:
        AWKWARD: 100% "quoted"
` + testenv.GalaxySection
	s.Write("config/galaxy.yml", yml)
	config := filepath.Join(s.Dir, "config/galaxy.yml")
	update := func(want int, args ...string) string {
		t.Helper()
		out, status := s.Orrery(append([]string{"update", "-c", config, "--supervisord", filepath.Join(s.Dir, "conf.d")}, args...)...)
		if status != want {
			t.Fatalf("orrery update %s ends with %d, want %d:\n%s", strings.Join(args, " "), status, want, out)
		}
		return out
	}
	update(4, "--dry-run")
	if files, err := os.ReadDir(filepath.Join(s.Dir, "conf.d")); err != nil || len(files) > 0 {
		t.Fatalf("a rehearsal wrote %v, %v", files, err)
	}
	update(0)
	update(0, "--dry-run")
	s.Own()
	d := testenv.SupervisordStart(t, "[include]\nfiles = "+s.Dir+"/conf.d/*.conf\n")
	running := map[string]string{"galaxy:web": "RUNNING", "galaxy:handler_0": "RUNNING", "galaxy:handler_1": "RUNNING"}
	pids := d.Await(running)
	s.Answers()
	s.Open()
	if handler := s.Await(s.Submit(), "ok"); handler != "handler_0" && handler != "handler_1" {
		t.Errorf("the job was handled by %s", handler)
	}
	for name, pid := range pids {
		if got := s.Status(pid, "Uid"); got != s.UIDs() {
			t.Errorf("%s runs as %s, want %s", name, got, s.UIDs())
		}
		if got := s.Status(pid, "Umask"); got != "0027" {
			t.Errorf("%s has the umask %s", name, got)
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pids["galaxy:handler_0"]))
	if err != nil || !strings.Contains(string(environ), "AWKWARD=100% \"quoted\"\x00") {
		t.Errorf("the handler's environment is %q, %v", environ, err)
	}

	s.Write("config/galaxy.yml", strings.Replace(yml, "processes: 2", "processes: 3", 1))
	s.Own()
	if out := update(4, "--dry-run"); !strings.Contains(out, "-numprocs        = 2\n+numprocs        = 3\n") {
		t.Errorf("the update does not show what changes:\n%s", out)
	}
	update(0)
	if out, err := d.Control("update"); err != nil {
		t.Fatalf("supervisorctl update: %v\n%s", err, out)
	}
	running["galaxy:handler_2"] = "RUNNING"
	d.Await(running)
	s.Answers()

	update(0, "--clean")
	if files, err := os.ReadDir(filepath.Join(s.Dir, "conf.d")); err != nil || len(files) > 0 {
		t.Errorf("--clean leaves %v, %v", files, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
