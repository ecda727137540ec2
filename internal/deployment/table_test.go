package deployment

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	for _, test := range []struct {
		name string
		site site
		want string
	}{
		{"static handlers", site{galaxy: document(t, "scaling-22.01/common.yml"), jobConf: document(t, "scaling-22.01/static.xml")}, `
Who handles jobs, by the rules of 22.01 (there is a gravity section):
  method          db-skip-locked                         the default of 22.01 with handlers and no method named
  unmapped tools  the tag _default_ (untagged handlers)  taken by handler1, handler2
  tool test1      the handler handler3                   taken by handler3
  tool test2      the tag special                        taken by handler4, handler5
  tool test3      the handler handler2                   taken by handler2
  PROCESS   KIND     HANDLES JOBS OF           POOLS  RUNNERS  LISTENS AT
  main.1    web      -                         -      -        127.0.0.1:8080
  handler1  handler  unmapped tools            -      all      -
  handler2  handler  unmapped tools, its name  -      all      -
  handler3  handler  nodefault, its name       -      all      -
  handler4  handler  special                   -      all      -
  handler5  handler  special                   -      all      -`},
		{"a tool for the second mule", site{galaxy: document(t, "scaling-19.01/common.yml") + document(t, "scaling-19.01/mules.yml"), jobConf: document(t, "scaling-19.01/mule2.xml")}, `
Who handles jobs, by the rules of 19.01 (there is a uwsgi section and no gravity section):
  method          uwsgi-mule-message                     the default of 19.01 with a farm of mules
  then            db-preassign                           for tags that no farm serves
  unmapped tools  the tag _default_ (untagged handlers)  taken by main.job-handlers.1, main.job-handlers.2, main.job-handlers.3
  tool test1      the handler main.job-handlers.2        taken by main.job-handlers.2
  PROCESS              KIND     HANDLES JOBS OF           POOLS         RUNNERS  LISTENS AT
  main.web.1           web      -                         -             -        127.0.0.1:8080
  main.web.2           web      -                         -             -        127.0.0.1:8080
  main.job-handlers.1  handler  unmapped tools            job-handlers  all      -
  main.job-handlers.2  handler  unmapped tools, its name  job-handlers  all      -
  main.job-handlers.3  handler  unmapped tools            job-handlers  all      -`},
		{"nobody attached", site{jobConf: document(t, "scaling-22.01/dynamic.xml")}, `
Who handles jobs, by the rules of 22.01 (there is neither a gravity nor a uwsgi section):
  method          db-skip-locked                         JOBCONF names it
  unmapped tools  the tag _default_ (untagged handlers)  taken by nobody yet; a handler may attach to job-handlers
  tool test1      the tag special                        taken by nobody yet; a handler may attach to job-handlers.special
  PROCESS  KIND  HANDLES JOBS OF  POOLS  RUNNERS  LISTENS AT
  main.1   web   -                -      -        localhost:8080
  warning: the tool test1 is mapped to the handler special, which no process that is started here is or has as a tag; its jobs will wait for a handler that attaches to job-handlers.special
  warning: no process handles jobs: the job configuration has a handlers section, so web workers run no jobs, and there are no handlers; jobs will wait until a handler starts`},
		{"all in one", site{}, `
Who handles jobs, by the rules of 22.01 (there is neither a gravity nor a uwsgi section):
  method          db-skip-locked                         the default of 22.01 without handlers
  unmapped tools  the tag _default_ (untagged handlers)  taken by the process that creates the job; by another when that one is busy
  PROCESS  KIND  HANDLES JOBS OF  POOLS  RUNNERS  LISTENS AT
  main.1   web   unmapped tools   -      all      localhost:8080`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.site.load(t)
			plan, err := NewPlan(c, EngineOf(c.Database))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(plan.Table(), "\n")
			if c.Jobs.Source != "" {
				got = strings.ReplaceAll(got, c.Jobs.Source, "JOBCONF")
			}
			if want := strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if _, err := json.Marshal(plan); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRunningTable(t *testing.T) {
	for _, test := range []struct {
		name string
		site site
		want string
	}{
		{"22.01", site{galaxy: "gravity: {galaxy_user: galaxy, gunicorn: {bind: '127.0.0.1:8080', workers: 3, memory_limit: 2}, handlers: {handler: {processes: 2, pools: [job-handlers], umask: '027'}}}"}, `
What runs, as galaxy when root starts it:
  SERVICE   PROCESSES                  LISTENS AT      READY WITHIN  STOPS WITHIN  MEMORY  UMASK
  gunicorn  main.1 … main.3 (3)        127.0.0.1:8080  300 s         65 s          2 GB    022
  handler   handler_0 … handler_1 (2)  -               300 s         65 s          -       027
  signals: SIGINT, SIGTERM: stop, a second one at once; SIGQUIT: stop at once; SIGHUP: restart gracefully; SIGUSR1: open the logs anew`},
		{"19.01", site{galaxy: document(t, "scaling-19.01/common.yml") + strings.Replace(document(t, "scaling-19.01/root.yml"), "http: =0", "http-to-https: =0", 1)}, `
What runs, as galaxy:galaxy when root starts it:
  SERVICE   PROCESSES                    LISTENS AT                              READY WITHIN  STOPS WITHIN  MEMORY  UMASK
  gunicorn  main.web.1 … main.web.2 (2)  :80 (redirects to https), :443 (https)  300 s         60 s          -       -
  signals: SIGINT, SIGQUIT, SIGTERM: stop, a second one at once; SIGHUP: restart gracefully; SIGUSR1: open the logs anew`},
		{"a Zerg pool", site{galaxy: "uwsgi:\n  master: true\n  zerg-pool: /run/pool.sock:127.0.0.1:4001\n"}, `
What runs:
  SERVICE  PROCESSES  LISTENS AT  READY WITHIN  STOPS WITHIN  MEMORY  UMASK
  the Zerg pool unix:/run/pool.sock holds 127.0.0.1:4001 (uwsgi)
  signals: SIGINT, SIGQUIT: stop, a second one at once; SIGHUP, SIGTERM: restart gracefully; SIGUSR1: open the logs anew`},
	} {
		c := test.site.load(t)
		plan, err := NewPlan(c, EngineOf(c.Database))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, line := range plan.RunningTable() {
			if !strings.Contains(line, "admin.sock") {
				lines = append(lines, line)
			}
		}
		if got, want := strings.Join(lines, "\n"), strings.TrimPrefix(test.want, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, want)
		}
		if _, err := json.Marshal(plan.Running()); err != nil {
			t.Error(err)
		}
	}
}

// TestDocumentationShowsWhatIsPrinted keeps the example of docs/configuration.md true.
func TestDocumentationShowsWhatIsPrinted(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "```yaml\n")
	yml, rest, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "$ orrery config check\n")
	shown, _, _ := strings.Cut(rest, "```")
	c := site{galaxy: yml}.load(t)
	plan, err := NewPlan(c, EngineOf(c.Database))
	if err != nil {
		t.Fatal(err)
	}
	// Whose sockets are is said to root alone, and makes a column wider.
	plain := func(line string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(line, ", of galaxy:galaxy", "")), " ")
	}
	printed := map[string]bool{}
	for _, line := range slices.Concat(plan.RunningTable(), plan.Table()) {
		printed[plain("# "+strings.ReplaceAll(line, c.Root, "/srv/galaxy/server"))] = true
	}
	n := 0
	for line := range strings.Lines(shown) {
		if line = plain(line); strings.HasPrefix(line, "#") {
			if n++; !printed[line] {
				t.Errorf("this is not printed: %s", line)
			}
		}
	}
	if n < 8 {
		t.Errorf("the example has %d lines", n)
	}
}
