package deployment

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orrery/internal/config"
)

// document reads a fragment of the scaling documents.
func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// site is a configuration under test: fragments of the documents, and what they leave out.
type site struct {
	galaxy  string // galaxy.yml
	ini     string // galaxy.ini, in place of galaxy.yml
	jobConf string // job_conf.xml; a local runner and destination are added
	plugins string // the beginning of job_conf.xml up to </plugins>; "" for a local runner
	engine  Engine
}

func (s site) load(t *testing.T) *config.Config {
	t.Helper()
	dir, name := t.TempDir(), "galaxy.yml"
	files := map[string]string{name: s.galaxy}
	if s.ini != "" {
		name = "galaxy.ini"
		files = map[string]string{name: s.ini}
	}
	if s.jobConf != "" {
		plugins, runner := `<job_conf>
    <plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/></plugins>`, "local"
		if s.plugins != "" {
			plugins, runner = s.plugins, "p0"
		}
		files["job_conf.xml"] = strings.Replace(s.jobConf, "<job_conf>", plugins+`
    <destinations><destination id="local" runner="`+runner+`"/></destinations>`, 1)
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Load(name, nil, config.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s site) plan(t *testing.T) (*Plan, error) {
	t.Helper()
	c := s.load(t)
	engine := s.engine
	if engine.Name == "" {
		engine = EngineOf(c.Database)
	}
	return NewPlan(c, engine)
}

// taken says who may take a job: the tool, the process that creates the job, and the takers, by comma.
type taken struct{ tool, creator, takers string }

// TestWhoHandlesAJob has the documents' examples, by the edition's rules.
func TestWhoHandlesAJob(t *testing.T) {
	const all = "" // whoever creates it
	uwsgi := document(t, "scaling-19.01/common.yml")
	for _, test := range []struct {
		name      string
		site      site
		methods   string
		runJobs   string // the processes that run job code
		processes int
		jobs      []taken
		warning   string // in the warnings or notices; none else means no warning
	}{
		{"22.01: no handlers anywhere", site{galaxy: document(t, "scaling-22.01/all-in-one.yml")}, "db-skip-locked",
			"main.1,main.2,main.3,main.4", 4, []taken{{"test1", "main.2", "main.1,main.2,main.3,main.4"}}, ""},
		{"22.01: no file at all", site{}, "db-skip-locked", "main.1", 1, []taken{{"test1", "main.1", "main.1"}}, ""},
		{"22.01: one worker, a key without a value", site{galaxy: document(t, "scaling-22.01/common.yml")}, "db-skip-locked", "main.1", 1, nil, ""},
		{"22.01: an empty handlers section", site{galaxy: document(t, "scaling-22.01/all-in-one.yml"), jobConf: `<job_conf><handlers assign_with="db-skip-locked" /></job_conf>`},
			"db-skip-locked", "", 4, []taken{{"test1", "main.1", ""}}, "no process handles jobs"},
		{"22.01: static handlers", site{galaxy: document(t, "scaling-22.01/common.yml"), jobConf: document(t, "scaling-22.01/static.xml")}, "db-skip-locked",
			"handler1,handler2,handler3,handler4,handler5", 6,
			[]taken{{"other", all, "handler1,handler2"}, {"test1", all, "handler3"}, {"test2", all, "handler4,handler5"}, {"test3", all, "handler2"}}, ""},
		{"22.01: dynamic handlers", site{galaxy: document(t, "scaling-22.01/common.yml") + `
  handlers:
    handler0: {pools: [job-handlers]}
    handler1: {pools: [job-handlers.special]}
    handler2: {pools: [job-handlers, job-handlers.special]}
`, jobConf: document(t, "scaling-22.01/dynamic.xml")}, "db-skip-locked", "handler0,handler1,handler2", 4,
			[]taken{{"other", all, "handler0,handler2"}, {"test1", all, "handler1,handler2"}}, ""},
		{"22.01: nobody has attached yet", site{galaxy: document(t, "scaling-22.01/common.yml"), jobConf: document(t, "scaling-22.01/dynamic.xml")},
			"db-skip-locked", "", 1, []taken{{"test1", all, ""}}, "the tool test1 is mapped to the handler special"},
		{"22.01: a drained handler", site{jobConf: `<job_conf><handlers><handler id="handler4"/><handler id="handler5" tags="drain" /></handlers></job_conf>`}, "db-skip-locked",
			"handler4,handler5", 3, []taken{{"other", all, "handler4"}}, ""},

		{"19.01: all in one", site{galaxy: uwsgi}, "db-self", "main.web.1,main.web.2", 2,
			[]taken{{"test1", "main.web.1", "main.web.1"}, {"test1", "main.web.2", "main.web.2"}}, ""},
		{"19.01: all in one, not tracked", site{galaxy: strings.Replace(uwsgi, "processes: 2", "processes: 1", 1) + "galaxy:\n  track_jobs_in_database: false\n"},
			"mem-self", "main.web.1", 1, []taken{{"test1", "main.web.1", "main.web.1"}}, ""},
		{"19.01: a tool for the third worker", site{galaxy: strings.Replace(uwsgi, "processes: 2", "processes: 4", 1), jobConf: document(t, "scaling-19.01/web3.xml")},
			"db-self", "main.web.1,main.web.2,main.web.3,main.web.4", 4,
			[]taken{{"test1", "main.web.1", "main.web.3"}, {"other", "main.web.1", "main.web.1"}, {"other", "main.web.3", "main.web.3"}}, ""},
		{"19.01: one mule", site{galaxy: uwsgi + document(t, "scaling-19.01/mule.yml")}, "uwsgi-mule-message,db-preassign", "main.job-handlers.1", 3,
			[]taken{{"test1", "main.web.1", "main.job-handlers.1"}}, ""},
		{"19.01: mules", site{galaxy: uwsgi + document(t, "scaling-19.01/mules.yml")}, "uwsgi-mule-message,db-preassign",
			"main.job-handlers.1,main.job-handlers.2,main.job-handlers.3", 5,
			[]taken{{"test1", "main.web.1", "main.job-handlers.1,main.job-handlers.2,main.job-handlers.3"}}, ""},
		{"19.01: a tool for the second mule", site{galaxy: uwsgi + document(t, "scaling-19.01/mules.yml"), jobConf: document(t, "scaling-19.01/mule2.xml")},
			"uwsgi-mule-message,db-preassign", "main.job-handlers.1,main.job-handlers.2,main.job-handlers.3", 5,
			[]taken{{"test1", "main.web.1", "main.job-handlers.2"}, {"other", "main.web.1", "main.job-handlers.1,main.job-handlers.2,main.job-handlers.3"}}, ""},
		{"19.01: the place in the farm names a mule", site{galaxy: uwsgi + "    mule: lib/galaxy/main.py\n    mule: lib/galaxy/main.py\n    farm: job-handlers.big:2\n    farm: job-handlers:1\n"},
			"uwsgi-mule-message,db-preassign", "main.job-handlers.big.1,main.job-handlers.1", 4, []taken{{"other", all, "main.job-handlers.1"}}, ""},
		{"19.01: webless handlers", site{galaxy: uwsgi, jobConf: document(t, "scaling-19.01/webless.xml")}, "db-preassign", "handler1,handler2,handler3", 5,
			[]taken{{"other", "main.web.1", "handler1,handler2"}, {"test1", "main.web.1", "handler3"}}, ""},
		{"19.01: a farm and zerg mode", site{galaxy: uwsgi + document(t, "scaling-19.01/mules.yml") + "    zerg: /srv/galaxy/var/zerg.sock\n"}, "uwsgi-mule-message,db-preassign",
			"main.job-handlers.1,main.job-handlers.2,main.job-handlers.3", 5, nil, "a farm of mules together with zerg"},
		{"19.01: the same with a method that is named", site{galaxy: uwsgi, jobConf: strings.Replace(document(t, "scaling-19.01/webless.xml"), "default=", `assign_with="db-skip-locked" default=`, 1)},
			"db-skip-locked", "handler1,handler2,handler3", 5, []taken{{"other", all, "handler1,handler2"}, {"test1", all, "handler3"}}, ""},

		{"galaxy.ini with uwsgi", site{ini: document(t, "scaling-19.01/galaxy.ini")}, "db-self", "main.web.1,main.web.2,main.web.3,main.web.4", 4, nil, ""},
		{"galaxy.ini, one server", site{ini: "[server:main]\nuse = egg:Paste#http\nport = 8080\nhost = 127.0.0.1\n[app:main]\n"}, "db-self", "main", 1,
			[]taken{{"test1", "main", "main"}}, ""},
		{"galaxy.ini, several servers", site{ini: "[server:web0]\nport = 8080\n[server:web1]\nport = 8081\n[server:handler0]\nport = 8090\n[server:handler1]\n[app:main]\n",
			jobConf: `<job_conf><handlers default="handlers"><handler id="handler0" tags="handlers"/><handler id="handler1" tags="handlers"/></handlers></job_conf>`},
			"db-preassign", "handler0,handler1", 4, []taken{{"test1", "web0", "handler0,handler1"}}, ""},

		{"both sections: gravity wins", site{galaxy: uwsgi + document(t, "scaling-19.01/mules.yml") + document(t, "scaling-22.01/common.yml")}, "db-skip-locked", "main.1", 1, nil, ""},
		{"self-assignment by name", site{galaxy: document(t, "scaling-22.01/all-in-one.yml"), jobConf: `<job_conf><handlers assign_with="db-self"/></job_conf>`},
			"db-self", "main.1,main.2,main.3,main.4", 4, []taken{{"test1", "main.3", "main.3"}}, ""},
		{"mappings under db-self", site{jobConf: strings.Replace(document(t, "scaling-22.01/static.xml"), "<handlers>", `<handlers assign_with="db-self">`, 1)},
			"db-self", "main.1,handler1,handler2,handler3,handler4,handler5", 6,
			[]taken{{"other", "main.1", "main.1"}, {"test1", "main.1", "handler3"}, {"test2", "main.1", "handler4,handler5"}}, ""},
		{"mappings under db-preassign", site{jobConf: strings.Replace(document(t, "scaling-22.01/static.xml"), "<handlers>", `<handlers assign_with="db-preassign">`, 1)},
			"db-preassign", "handler1,handler2,handler3,handler4,handler5", 6,
			[]taken{{"other", "main.1", "handler1,handler2"}, {"test1", "main.1", "handler3"}, {"test2", "main.1", "handler4,handler5"}}, ""},
		{"mem-self with several web workers", site{galaxy: document(t, "scaling-22.01/all-in-one.yml"), jobConf: `<job_conf><handlers assign_with="mem-self"/></job_conf>`},
			"mem-self", "main.1,main.2,main.3,main.4", 4, []taken{{"test1", "main.3", "main.3"}}, "mem-self with 4 web workers"},
		{"mem-self and a mapping", site{jobConf: strings.Replace(document(t, "scaling-22.01/dynamic.xml"), "db-skip-locked", "mem-self", 1)},
			"mem-self", "main.1", 1, []taken{{"test1", "main.1", "main.1"}}, "mem-self ignores that the tool test1 is mapped to special"},
		{"several methods", site{jobConf: `<job_conf><handlers assign_with="db-preassign, db-skip-locked"><handler id="h1"/></handlers><tools><tool id="t" handler="later"/></tools></job_conf>`},
			"db-preassign,db-skip-locked", "h1", 2, []taken{{"other", all, "h1"}, {"t", all, ""}}, "the tool t is mapped to the handler later"},
		{"not tracked, with handlers", site{galaxy: "galaxy:\n  track_jobs_in_database: false\n", jobConf: `<job_conf><handlers><handler id="h1"/></handlers></job_conf>`},
			"db-skip-locked", "h1", 2, nil, "track_jobs_in_database: false has a meaning without handlers only"},
		{"a database without SKIP LOCKED", site{engine: Engine{Name: "MariaDB 10.5", NoSkipLocked: true}}, "db-transaction-isolation", "main.1", 1, nil, "MariaDB 10.5 has no SKIP LOCKED"},
		{"two methods, one of which cannot be", site{engine: Engine{Name: "MariaDB 10.5", NoSkipLocked: true}, jobConf: `<job_conf><handlers assign_with="db-skip-locked,db-transaction-isolation"><handler id="h"/></handlers></job_conf>`},
			"db-transaction-isolation", "h", 2, nil, "is left out"},
		{"a default that is an id", site{jobConf: `<job_conf><handlers default="h2"><handler id="h1"/><handler id="h2"/></handlers></job_conf>`}, "db-skip-locked", "h1,h2", 3,
			[]taken{{"other", all, "h2"}}, ""},
		{"a tool of the Tool Shed", site{jobConf: `<job_conf><handlers><handler id="h1"/><handler id="h2"/></handlers><tools><tool id="toolshed.g2.bx.psu.edu/repos/devteam/bwa/bwa" handler="h2"/><tool id="sort1" handler="h2"/></tools></job_conf>`},
			"db-skip-locked", "h1,h2", 3, []taken{{"toolshed.g2.bx.psu.edu/repos/devteam/bwa/bwa/0.7.17", all, "h2"}, {"toolshed.g2.bx.psu.edu/repos/x/y/sort1/1", all, "h2"}}, ""},
		{"only a scheduler of workflows", site{galaxy: "gravity: {handlers: {s0: {pools: [workflow-schedulers]}}}"}, "db-skip-locked", "main.1,s0", 2,
			[]taken{{"cat1", "main.1", "main.1"}}, "s0 schedules workflows only"},
		{"mappings for different parameters", site{jobConf: `<job_conf><handlers><handler id="h1"/><handler id="h2"/></handlers><tools><tool id="t" destination="local"><param id="source">x</param></tool><tool id="T/" handler="h2"/></tools></job_conf>`},
			"db-skip-locked", "h1,h2", 3, []taken{{"t", all, "h2"}}, ""},
		{"a class of tools", site{jobConf: `<job_conf><handlers><handler id="h1"/><handler id="h2" tags="up"/></handlers><tools><tool class="local" handler="up"/></tools></job_conf>`},
			"db-skip-locked", "h1,h2", 3, []taken{{"__DATA_FETCH__", all, "h2"}, {"cat1", all, "h1"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := test.site.plan(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(plan.Handling.MethodNames(), ","); got != test.methods {
				t.Errorf("methods %s, want %s", got, test.methods)
			}
			var runJobs []string
			for _, p := range plan.Processes {
				if p.HandleJobs {
					runJobs = append(runJobs, p.ServerName)
				}
			}
			if got := strings.Join(runJobs, ","); got != test.runJobs || len(plan.Processes) != test.processes {
				t.Errorf("%d processes, of which %s run jobs; want %d and %s", len(plan.Processes), got, test.processes, test.runJobs)
			}
			for _, job := range test.jobs {
				if got := strings.Join(plan.Handling.Takers(job.tool, job.creator), ","); got != job.takers {
					t.Errorf("%s, created by %q, is taken by %s; want %s", job.tool, job.creator, got, job.takers)
				}
			}
			said := strings.Join(slices.Concat(plan.Warnings, plan.Notices), "\n")
			if test.warning == "" && len(plan.Warnings) > 0 || !strings.Contains(said, test.warning) {
				t.Errorf("said %q, want %q", said, test.warning)
			}
		})
	}
}

// TestNeverRuns has configurations under which some job would wait for ever, or that ask for what cannot be.
func TestNeverRuns(t *testing.T) {
	uwsgi := document(t, "scaling-19.01/common.yml")
	for _, test := range []struct {
		name string
		site site
		want string
	}{
		{"the third of two web workers", site{galaxy: uwsgi, jobConf: document(t, "scaling-19.01/web3.xml")},
			"the tool test1 is mapped to the handler main.web.3, which nothing starts: it is a web worker, and uwsgi has fewer processes (2)"},
		{"the second of one mule", site{galaxy: uwsgi + document(t, "scaling-19.01/mule.yml"), jobConf: document(t, "scaling-19.01/mule2.xml")},
			"the tool test1 is mapped to the handler main.job-handlers.2, which nothing starts: it is a mule, and the farm job-handlers has no such place"},
		{"a web worker of gunicorn that is not there", site{jobConf: `<job_conf><handlers default="main.4"><handler id="main.4"/></handlers></job_conf>`},
			"the default handler main.4 is one that nothing starts: it is a web worker, and gravity's gunicorn has fewer workers (1)"},
		{"a web worker that runs no jobs", site{jobConf: `<job_conf><handlers><handler id="h"/></handlers><tools><tool id="t" handler="main.1"/></tools></job_conf>`},
			"the tool t is mapped to the handler main.1, which runs no job code"},
		{"no default in a static configuration", site{jobConf: `<job_conf><handlers><handler id="h" tags="special"/></handlers></job_conf>`},
			"jobs of tools that are not mapped would never run: no default is set, and the tag _default_, which untagged handlers have, is nobody's"},
		{"a default that is nobody's", site{jobConf: `<job_conf><handlers default="handlers"><handler id="h"/></handlers></job_conf>`},
			"the default is the tag handlers, which no handler is or has as a tag"},
		{"a tag that preassignment cannot serve", site{jobConf: `<job_conf><handlers assign_with="db-preassign"><handler id="h"/></handlers><tools><tool id="t" handler="later"/></tools></job_conf>`},
			"the tool t is mapped to the handler later, which no handler is or has as a tag, so its jobs would never run"},
		{"preassignment without handlers", site{jobConf: `<job_conf><handlers assign_with="db-preassign"/></job_conf>`}, "would never run"},
		{"a tag under db-self", site{jobConf: strings.Replace(document(t, "scaling-22.01/dynamic.xml"), "db-skip-locked", "db-self", 1)}, "the tool test1 is mapped to the handler special"},
		{"a method that the database cannot do", site{engine: Engine{Name: "MariaDB 10.5.29", NoSkipLocked: true}, jobConf: document(t, "scaling-22.01/dynamic.xml")},
			"names the assignment method db-skip-locked, which MariaDB 10.5.29 cannot do"},
		{"mule messages without mules", site{jobConf: `<job_conf><handlers assign_with="uwsgi-mule-message"/></job_conf>`}, "needs mules in a farm named job-handlers"},
		{"a mule that is not Galaxy's", site{galaxy: uwsgi + "    mule: other.py\n    farm: job-handlers:1\n"}, `runs "other.py"; a job handler is lib/galaxy/main.py`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.site.plan(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestMethodOfADatabaseThatNobodyAsked(t *testing.T) {
	plan, err := site{galaxy: "galaxy:\n  database_connection: mysql://g:g@localhost/galaxy\n"}.plan(t)
	if err != nil {
		t.Fatal(err)
	}
	if m := plan.Handling.Methods[0]; m.Name != SkipLocked || !strings.Contains(m.Why, "if it is MariaDB 10.6 or MySQL 8.0 or later") {
		t.Errorf("%+v", m)
	}
}

func TestCanAttach(t *testing.T) {
	for _, test := range []struct {
		name string
		site site
		want string
	}{
		{"all in one of 22.01", site{}, ""},
		{"dynamic", site{jobConf: document(t, "scaling-22.01/dynamic.xml")}, ""},
		{"static", site{jobConf: document(t, "scaling-22.01/static.xml")}, ""},
		{"preassigned", site{jobConf: strings.Replace(document(t, "scaling-22.01/static.xml"), "<handlers>", `<handlers assign_with="db-preassign">`, 1)},
			"attaching to a pool (job-handlers.special) needs the assignment method db-skip-locked or db-transaction-isolation, and the job configuration names db-preassign"},
		{"19.01 without a method named", site{galaxy: document(t, "scaling-19.01/common.yml")}, "what holds here is db-self"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := test.site.plan(t)
			if err != nil {
				t.Fatal(err)
			}
			err = plan.Handling.CanAttach([]string{"workflow-schedulers", "job-handlers.special"})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err := plan.Handling.CanAttach([]string{"workflow-schedulers"}); err != nil {
				t.Errorf("a scheduler of workflows cannot attach: %v", err)
			}
		})
	}
}

func FuzzPlan(f *testing.F) {
	for _, seed := range [][2]string{
		{"gravity: {gunicorn: {workers: 2}, handlers: {h: {processes: 2, pools: [job-handlers.x]}}}", "handling: {assign: db-skip-locked, default: x}\ntools: [{id: a, handler: b}]"},
		{"uwsgi:\n  processes: 2\n  mule: lib/galaxy/main.py\n  farm: job-handlers:1\n", "handling: {processes: {main.job-handlers.1: , main.web.9: {tags: a}}}\ntools: [{id: a, handler: main.web.9}, {class: local, handler: a}]"},
		{"galaxy: {track_jobs_in_database: false}", "handling: {assign: [mem-self, db-preassign], processes: {main.1: {tags: [_default_]}}}"},
		{"gravity: {gunicorn: {enable: false}}", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, galaxy, handling string) {
		if len(galaxy)+len(handling) > 1<<14 {
			return
		}
		jobs := "runners: {local: {load: 'a:b'}}\nexecution: {environments: {local: {runner: local}}}\n" + handling
		for name, content := range map[string]string{"galaxy.yml": galaxy, "job_conf.yml": jobs} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, _, err := config.Load("galaxy.yml", nil, config.WorkDir(dir))
		if err != nil {
			return
		}
		plan, err := NewPlan(c, EngineOf(c.Database))
		if err != nil {
			return
		}
		if len(plan.Table()) < 4 || len(plan.Handling.Methods) == 0 {
			t.Fatalf("%+v", plan)
		}
		names := map[string]bool{}
		for _, p := range plan.Processes {
			if names[p.ServerName] {
				t.Fatalf("two processes are named %s", p.ServerName)
			}
			names[p.ServerName] = true
		}
		// What is accepted has somebody for every job, or says who has to come.
		h := &plan.Handling
		if len(h.Unmapped) == 0 && len(plan.Warnings) == 0 {
			t.Fatalf("nobody takes jobs of unmapped tools, and nothing was said: %+v", h)
		}
		for _, m := range h.Mappings {
			if len(m.Takers) == 0 && len(plan.Warnings) == 0 {
				t.Fatalf("nobody takes jobs of %s%s, and nothing was said", m.Tool, m.Class)
			}
		}
	})
}
