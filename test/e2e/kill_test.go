package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// gatedTool writes its number into a ledger when it starts, and ends when a file is there. So the test decides how long
// jobs run, and the ledger tells how often each was run.
const gatedTool = `<tool id="gated" name="Gated" version="1.0">
  <command><![CDATA[
    echo '$n' >> '@DIR@/ledger';
    while [ ! -e '@DIR@/gate' ]; do sleep 0.05; done;
    echo 'result $n' > '$out'
  ]]></command>
  <inputs><param name="n" type="integer" value="0" label="Number"/></inputs>
  <outputs><data name="out" format="txt"/></outputs>
</tool>
`

const gatedToolConf = `<toolbox>
  <section id="test" name="Test"><tool file="@DIR@/gated.xml"/></section>
</toolbox>
`

// gated is a server with the gated tool.
type gated struct {
	*session
	t       *testing.T
	own     *testenv.Instance
	history string
	jobs    []string
	outputs []string
}

func startGated(t *testing.T, options testenv.Options) *gated {
	t.Helper()
	files := map[string]string{"gated.xml": gatedTool, "tool_conf.xml": gatedToolConf}
	settings := map[string]any{"tool_config_file": "@DIR@/tool_conf.xml"}
	maps.Copy(files, options.Files)
	maps.Copy(settings, options.Settings)
	options.Files, options.Settings = files, settings
	own := testenv.Server(t, options)
	g := &gated{t: t, own: own, session: &session{server: server{URL: own.URL, Key: testenv.AdminKey, Own: own}, Client: http.DefaultClient}}
	var user, history struct{ ID string }
	g.decode(g.post(t, "/api/users", testenv.AdminKey, map[string]any{
		"username": "killer", "email": "killer@example.org", "password": password,
	}), &user)
	var key string
	g.decode(g.post(t, "/api/users/"+user.ID+"/api_key", testenv.AdminKey, nil), &key)
	g.server.Key = key
	g.decode(g.post(t, "/api/histories", key, map[string]any{"name": "Gated"}), &history)
	g.history = history.ID
	return g
}

func (g *gated) decode(body []byte, into any) {
	g.t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		g.t.Fatalf("%v in\n%s", err, body)
	}
}

func (g *gated) submit(n int) {
	g.t.Helper()
	var answer struct {
		Jobs    []struct{ ID string }
		Outputs []struct{ ID string }
	}
	g.decode(g.post(g.t, "/api/tools", g.server.Key, map[string]any{
		"history_id": g.history, "tool_id": "gated", "inputs": map[string]any{"n": n},
	}), &answer)
	if len(answer.Jobs) != 1 || len(answer.Outputs) != 1 {
		g.t.Fatalf("job %d was not made: %+v", n, answer)
	}
	g.jobs, g.outputs = append(g.jobs, answer.Jobs[0].ID), append(g.outputs, answer.Outputs[0].ID)
}

func (g *gated) openGate() {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.own.Dir, "gate"), nil, 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// ledger counts how often each job was run so far.
func (g *gated) ledger() map[string]int {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.own.Dir, "ledger"))
	if err != nil && !os.IsNotExist(err) {
		g.t.Fatal(err)
	}
	runs := make(map[string]int)
	for _, n := range strings.Fields(string(text)) {
		runs[n]++
	}
	return runs
}

// waitFor polls until a condition holds.
func (g *gated) waitFor(what string, within time.Duration, holds func() bool) {
	g.t.Helper()
	testenv.Poll(g.t, what, within, holds)
}

// eachOnce waits until every job is ok, and checks that each was run once and has its own output.
func (g *gated) eachOnce() {
	g.t.Helper()
	states := make(map[string]string)
	g.waitFor("every job to end", 3*time.Minute, func() bool {
		for _, id := range g.jobs {
			if states[id] == "ok" || states[id] == "error" {
				continue
			}
			var job struct{ State string }
			g.decode(g.read("/api/jobs/"+id), &job)
			states[id] = job.State
			if job.State != "ok" && job.State != "error" {
				return false
			}
		}
		return true
	})
	runs := g.ledger()
	for n, id := range g.jobs {
		if states[id] != "ok" {
			g.t.Errorf("job %d ended %s, want ok", n, states[id])
		}
		if times := runs[fmt.Sprint(n)]; times != 1 {
			g.t.Errorf("job %d was run %d times, want once", n, times)
		}
		content := g.read("/api/histories/" + g.history + "/contents/" + g.outputs[n] + "/display")
		if want := fmt.Sprintf("result %d\n", n); string(content) != want {
			g.t.Errorf("the output of job %d is %q, want %q", n, content, want)
		}
	}
}

func (g *gated) read(path string) []byte {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.server.URL+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", g.server.Key)
	status, body := g.do(g.t, request)
	if status != http.StatusOK {
		g.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

// TestHandlersKilledWhileJobsRun kills both job handlers with SIGKILL while they have jobs running and waiting. The
// supervisor starts them again, and each job ends ok after having been run once.
func TestHandlersKilledWhileJobsRun(t *testing.T) {
	g := startGated(t, testenv.Options{Postgres: true, WebWorkers: 2, Handlers: 2})
	for n := range 12 {
		g.submit(n)
	}
	g.waitFor("jobs to run", time.Minute, func() bool { return len(g.ledger()) >= 2 })
	for _, handler := range []string{"handler_0", "handler_1"} {
		had := g.own.KillProcess(handler)
		g.own.WaitRestarted(handler, had)
	}
	g.openGate()
	g.eachOnce()
}

// TestHandlersKilledAgainAndAgain kills handlers at every moment of many short jobs' lives.
func TestHandlersKilledAgainAndAgain(t *testing.T) {
	g := startGated(t, testenv.Options{Postgres: true, WebWorkers: 2, Handlers: 2})
	g.openGate()
	const rounds, each = 6, 8
	for round := range rounds {
		for i := range each {
			g.submit(round*each + i)
		}
		// Some of this round's jobs have run when the handler is killed, some are between any two steps.
		g.waitFor("some jobs of the round to run", time.Minute, func() bool { return len(g.ledger()) >= round*each+2 })
		handler := fmt.Sprintf("handler_%d", round%2)
		g.own.WaitRestarted(handler, g.own.KillProcess(handler))
	}
	g.eachOnce()
}

// TestServerKilledWhileJobsRun ends every process of the server, in both layouts; the jobs go on without it, and the
// server adopts them when it is started again.
func TestServerKilledWhileJobsRun(t *testing.T) {
	for _, layout := range layouts() {
		t.Run(layout.name, func(t *testing.T) {
			g := startGated(t, layout.options)
			for n := range 6 {
				g.submit(n)
			}
			g.waitFor("jobs to run", time.Minute, func() bool { return len(g.ledger()) >= 2 })
			g.own.Crash()
			g.own.Start()
			g.openGate()
			g.eachOnce()
		})
	}
}
