package deployment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/config"
)

// planOf plans for a galaxy.yml and an optional job_conf.xml, and renders each process as one line.
func planOf(t *testing.T, yml, jobConf string) (lines, warnings []string, err error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "galaxy.yml"), []byte(yml), 0o600); err != nil {
		t.Fatal(err)
	}
	if jobConf != "" {
		jobConf = "<job_conf><plugins><plugin id='local' type='runner' load='x:Y'/></plugins><destinations><destination id='local' runner='local'/></destinations>" + jobConf + "</job_conf>"
		if err := os.WriteFile(filepath.Join(dir, "job_conf.xml"), []byte(jobConf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Load("galaxy.yml", nil, config.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(c, EngineOf(c.Database))
	if plan == nil {
		return nil, nil, err
	}
	for _, p := range plan.Processes {
		line := p.ServerName + " " + string(p.Kind)
		if p.HandleJobs {
			line += " jobs"
		}
		if len(p.Tags) > 0 {
			line += " " + strings.Join(p.Tags, ",")
		}
		if len(p.Binds) > 0 {
			line += " @" + strings.Join(p.Binds, ",")
		}
		lines = append(lines, line)
		if want := filepath.Join(dir, "database/gravity/log", p.ServerName+".log"); p.LogFile != want {
			t.Errorf("the log of %s is %s, want %s", p.ServerName, p.LogFile, want)
		}
	}
	return lines, plan.Warnings, err
}

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name, yml, jobConf string
		want               string
		warning            string
	}{
		{"nothing configured: all in one", "", "", "main.1 web jobs _default_ @localhost:8080", ""},
		{"several all-in-one workers", "gravity: {gunicorn: {workers: 3}}", "",
			"main.1 web jobs _default_ @localhost:8080\nmain.2 web jobs _default_ @localhost:8080\nmain.3 web jobs _default_ @localhost:8080", ""},
		{"workers and handlers", "gravity: {gunicorn: {workers: 2, bind: ':80'}, handlers: {handler: {processes: 2, pools: [job-handlers, workflow-schedulers]}}}", "",
			"main.1 web @:80\nmain.2 web @:80\nhandler_0 handler jobs _default_\nhandler_1 handler jobs _default_", ""},
		{"pools and tags", "gravity: {handlers: {handler0: {pools: [job-handlers]}, handler1: {pools: [job-handlers.special]}, handler2: {pools: [job-handlers, job-handlers.special]}}}",
			"<handlers assign_with='db-skip-locked'/><tools><tool id='test1' handler='special'/></tools>",
			"main.1 web @localhost:8080\nhandler0 handler jobs _default_\nhandler1 handler jobs special\nhandler2 handler jobs _default_,special", ""},
		{"static handlers", "", "<handlers><handler id='handler1'/><handler id='handler3' tags='nodefault'/><handler id='handler4' tags='special'/></handlers>",
			"main.1 web @localhost:8080\nhandler1 handler jobs _default_\nhandler3 handler jobs nodefault\nhandler4 handler jobs special", ""},
		{"an empty handlers section", "", "<handlers assign_with='db-skip-locked'/>", "main.1 web @localhost:8080", "no process handles jobs"},
		{"self assignment", "", "<handlers assign_with='db-self'/>", "main.1 web jobs @localhost:8080", ""},
		{"a web worker that job_conf declares", "gravity: {gunicorn: {workers: 2}}", "<handlers><handler id='main.2' tags='special,_default_'/></handlers>",
			"main.1 web @localhost:8080\nmain.2 web jobs special,_default_ @localhost:8080", ""},
		{"job_conf and gravity name the same handler", "gravity: {handlers: {handler0: {pools: [job-handlers.extra]}}}", "<handlers assign_with='db-skip-locked'><handler id='handler0'/></handlers>",
			"main.1 web @localhost:8080\nhandler0 handler jobs _default_,extra", ""},
		{"a handler without pools", "gravity: {handlers: {handler0: }}", "", "main.1 web @localhost:8080\nhandler0 handler jobs", "handler0 will claim no jobs"},
		{"a tool mapped to nobody", "gravity: {handlers: {handler0: {pools: [job-handlers]}}}", "<tools><tool id='cat1' handler='big'/></tools>",
			"main.1 web @localhost:8080\nhandler0 handler jobs _default_", "the tool cat1 is mapped to the handler big, which no process"},
		{"handlers only", "gravity: {gunicorn: {enable: false}, handlers: {handler0: {pools: [job-handlers]}}}", "", "handler0 handler jobs _default_", ""},
		{"groups of web workers", "gravity: {gunicorn: [{bind: ':1', workers: 2}, {bind: ':2'}, {bind: ':3', environment: {GALAXY_CONFIG_SERVER_NAME: other}}]}", "",
			"main.1 web jobs _default_ @:1\nmain.2 web jobs _default_ @:1\nmain.3 web jobs _default_ @:2\nother.1 web jobs _default_ @:3", ""},
		{"another base name", "galaxy: {server_name: east}", "", "east.1 web jobs _default_ @localhost:8080", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, warnings, err := planOf(t, test.yml, test.jobConf)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
			if all := strings.Join(warnings, "\n"); test.warning == "" && all != "" || !strings.Contains(all, test.warning) {
				t.Errorf("warnings: %q, want %q", all, test.warning)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, test := range []struct{ name, yml, jobConf, want string }{
		{"no process", "gravity: {gunicorn: {enable: false}}", "", "asks for no process at all"},
		{"pools without a method that knows them", "gravity: {handlers: {h: {pools: [job-handlers]}}}", "<handlers assign_with='db-preassign'/>", "needs the assignment method db-skip-locked or db-transaction-isolation, and the job configuration names db-preassign"},
		{"a handler named as a web worker", "gravity: {handlers: {main.1: {pools: [job-handlers]}}}", "", "two processes are named main.1"},
	} {
		if _, _, err := planOf(t, test.yml, test.jobConf); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestPlanCarriesSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "g.yml"), []byte("gravity:\n  umask: '027'\n  log_dir: /var/log/galaxy\n  handlers:\n    h0: {pools: [job-handlers], stop_timeout: 7, environment: {A: b}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load("g.yml", nil, config.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(c, EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(Planned{Virtualenv: "/venv", Environment: map[string]string{"B": "2", "A": "1"}}.Variables("/bin"), " "); got != "A=1 B=2 PATH=/venv/bin:/bin VIRTUAL_ENV=/venv" {
		t.Error(got)
	}
	h := plan.Processes[1]
	if h.ServerName != "h0" || h.Umask != 0o027 || h.StopTimeout != 7*time.Second || h.Environment["A"] != "b" || h.LogFile != "/var/log/galaxy/h0.log" || h.Group != "h0" {
		t.Errorf("%+v", h)
	}
}
