package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/telemetry"
)

func TestEngines(t *testing.T) {
	for _, test := range []struct {
		version string
		mysql   bool
		name    string
		lacks   bool
	}{
		{"15.14 (Debian 15.14-0+deb12u1)", false, "PostgreSQL 15.14", false},
		{"9.4.26", false, "PostgreSQL 9.4.26", true},
		{"9.5.0", false, "PostgreSQL 9.5.0", false},
		{"17beta1", false, "PostgreSQL 17beta1", false},
		{"10.11.6-MariaDB-0+deb12u1", true, "MariaDB 10.11.6", false},
		{"10.5.29-MariaDB", true, "MariaDB 10.5.29", true},
		{"5.5.5-10.3.39-MariaDB-1:10.3", true, "MariaDB 10.3.39", true},
		{"8.0.36-0ubuntu0.22.04.1", true, "MySQL 8.0.36", false},
		{"5.7.44-log", true, "MySQL 5.7.44", true},
	} {
		engine := postgreSQL(test.version)
		if test.mysql {
			engine = mySQL(test.version)
		}
		if engine.Name != test.name || engine.NoSkipLocked != test.lacks {
			t.Errorf("%s: %+v, want %s, lacking SKIP LOCKED: %t", test.version, engine, test.name, test.lacks)
		}
	}
}

// TestAssignedJobsAreTaken has the documents' configurations assigned by the
// assigner that runs, from each process, and looks at which processes claim what
// it wrote: the plan's word and what happens are the same.
func TestAssignedJobsAreTaken(t *testing.T) {
	documents := "../../internal/deployment/testdata/"
	read := func(name string) string {
		data, err := os.ReadFile(documents + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	uwsgi := read("scaling-19.01/common.yml")
	static := read("scaling-22.01/static.xml")
	for name, files := range map[string][2]string{
		"22.01 all in one":    {read("scaling-22.01/all-in-one.yml"), ""},
		"22.01 static":        {read("scaling-22.01/common.yml"), static},
		"22.01 dynamic":       {read("scaling-22.01/common.yml") + "  handlers: {handler0: {pools: [job-handlers]}, handler1: {pools: [job-handlers.special]}, handler2: {pools: [job-handlers, job-handlers.special]}}\n", read("scaling-22.01/dynamic.xml")},
		"22.01 db-self":       {read("scaling-22.01/all-in-one.yml"), strings.Replace(static, "<handlers>", `<handlers assign_with="db-self">`, 1)},
		"22.01 mem-self":      {read("scaling-22.01/all-in-one.yml"), strings.Replace(static, "<handlers>", `<handlers assign_with="mem-self">`, 1)},
		"22.01 db-preassign":  {read("scaling-22.01/common.yml"), strings.Replace(static, "<handlers>", `<handlers assign_with="db-preassign">`, 1)},
		"22.01 two methods":   {read("scaling-22.01/common.yml"), strings.Replace(static, "<handlers>", `<handlers assign_with="uwsgi-mule-message, db-transaction-isolation">`, 1)},
		"19.01 all in one":    {uwsgi, ""},
		"19.01 third worker":  {strings.Replace(uwsgi, "processes: 2", "processes: 3", 1), read("scaling-19.01/web3.xml")},
		"19.01 mules":         {uwsgi + read("scaling-19.01/mules.yml"), ""},
		"19.01 second mule":   {uwsgi + read("scaling-19.01/mules.yml"), read("scaling-19.01/mule2.xml")},
		"19.01 webless":       {uwsgi, read("scaling-19.01/webless.xml")},
		"19.01 farm and tags": {uwsgi + read("scaling-19.01/mules.yml") + "    farm: job-handlers.special:3\n", `<job_conf><tools><tool id="test1" handler="special"/></tools></job_conf>`},
	} {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, files[0], files[1])
			h := &plan.Handling
			for _, creator := range plan.Processes {
				if creator.Kind != deployment.Web {
					continue
				}
				assigner := pool.NewAssigner(assignOptions(plan, creator.ServerName))
				for _, tool := range []string{"test1", "test2", "test3", "cat1"} {
					want := h.Takers(tool, creator.ServerName)
					got := map[string]bool{}
					for range 200 { // methods that choose at random show every choice
						handler, err := assigner.Assign(t.Context(), tool)
						if err != nil {
							t.Fatal(err)
						}
						for _, p := range plan.Processes {
							if p.HandleJobs && (p.ServerName == handler || slices.Contains(p.Tags, handler)) {
								got[p.ServerName] = true
							}
						}
					}
					if len(got) != len(want) || slices.ContainsFunc(want, func(name string) bool { return !got[name] }) {
						t.Errorf("a job of %s, created by %s, is taken by %v, and the plan says %v", tool, creator.ServerName, got, want)
					}
				}
			}
		})
	}
}

// TestPartOfAProcess is what a process that is started by hand takes part in.
func TestPartOfAProcess(t *testing.T) {
	static, dynamic := "static.xml", "dynamic.xml"
	for _, test := range []struct {
		name, galaxy, jobConf, server string
		pools                         []string
		tags                          string
		refused                       string
	}{
		{name: "a handler that is declared", jobConf: static, server: "handler1", tags: "_default_"},
		{name: "a declared one with a tag", jobConf: static, server: "handler4", tags: "special"},
		{name: "one that nobody declares and without a pool", jobConf: static, server: "handler0"},
		{name: "attached", jobConf: dynamic, server: "handler0", pools: []string{"job-handlers"}, tags: "_default_"},
		{name: "attached to a tag", jobConf: dynamic, server: "handler1", pools: []string{"job-handlers.special"}, tags: "special"},
		{name: "attached to two", jobConf: dynamic, server: "handler2", pools: []string{"job-handlers", "job-handlers.special"}, tags: "_default_,special"},
		{name: "declared and attached", jobConf: static, server: "handler3", pools: []string{"job-handlers.special"}, tags: "nodefault,special"},
		{name: "a scheduler of workflows", jobConf: dynamic, server: "scheduler0", pools: []string{"workflow-schedulers"}},
		{name: "a pool that is none", jobConf: dynamic, server: "handler0", pools: []string{"job-handler"}, refused: "pools are named job-handlers, job-handlers.TAG and workflow-schedulers"},
		{name: "a method without pools", galaxy: "uwsgi:\n  processes: 2\n", server: "handler0", pools: []string{"job-handlers"}, refused: "needs the assignment method db-skip-locked or db-transaction-isolation"},
		{name: "a mule", galaxy: "uwsgi:\n  mule: lib/galaxy/main.py\n  farm: job-handlers:1\n", server: "main.job-handlers.1", tags: "_default_"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"galaxy.yml": test.galaxy}
			if test.jobConf != "" {
				data, err := os.ReadFile("../../internal/deployment/testdata/scaling-22.01/" + test.jobConf)
				if err != nil {
					t.Fatal(err)
				}
				files["job_conf.xml"] = withLocal(string(data))
			}
			for name, content := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, _, err := config.Load("galaxy.yml", nil, config.WorkDir(dir))
			if err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(t.Context(), store.Options{Engine: store.SQLite, Path: filepath.Join(dir, "x.sqlite")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			log, err := telemetry.Open(telemetry.Options{Process: test.server, File: filepath.Join(dir, "log")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = log.Close() })
			p := &process{flags: &processFlags{serverName: test.server, pools: test.pools}, cfg: cfg, db: db, log: log}
			err = p.decide(t.Context())
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%v, want %s", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.flags.tags, ","); got != test.tags {
				t.Errorf("it takes jobs of %q, want %q", got, test.tags)
			}
		})
	}
}

// withLocal adds a local runner and destination to a job_conf.xml.
func withLocal(jobConf string) string {
	return strings.Replace(jobConf, "<job_conf>", `<job_conf><plugins><plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/></plugins>
		<destinations><destination id="local" runner="local"/></destinations>`, 1)
}

// planOf plans for a galaxy.yml and a job_conf.xml, to which a local runner and
// destination are added.
func planOf(t *testing.T, galaxy, jobConf string) *deployment.Plan {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "galaxy.yml"), []byte(galaxy), 0o600); err != nil {
		t.Fatal(err)
	}
	if jobConf != "" {
		if err := os.WriteFile(filepath.Join(dir, "job_conf.xml"), []byte(withLocal(jobConf)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Load("galaxy.yml", nil, config.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := deployment.NewPlan(c, deployment.EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
