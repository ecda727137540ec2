package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// slurmConf sends every job to a Slurm cluster, as a Galaxy administrator writes it.
const slurmConf = `<?xml version="1.0"?>
<job_conf>
  <plugins workers="4">
    <plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/>
    <plugin id="slurm" type="runner" load="galaxy.jobs.runners.slurm:SlurmJobRunner"/>
  </plugins>
  <destinations default="cluster">
    <destination id="cluster" runner="slurm">
      <param id="nativeSpecification">--mem=100 --cpus-per-task=2 --time=10</param>
    </destination>
    <destination id="small" runner="slurm">
      <param id="nativeSpecification">--mem=30</param>
    </destination>
  </destinations>
  <tools>
    <tool id="hungry" destination="small"/>
  </tools>
</job_conf>
`

// hungryTool uses more memory than it is granted.
const hungryTool = `<tool id="hungry" name="Hungry" version="1.0">
  <command><![CDATA[
    python3 -c "import time; kept = bytearray(200000000); time.sleep(120)" > '$out'
  ]]></command>
  <inputs/>
  <outputs><data name="out" format="txt"/></outputs>
</tool>
`

// startOnSlurm is a server whose jobs go to a cluster of its own.
func startOnSlurm(t *testing.T, options testenv.Options) (*gated, *testenv.SlurmCluster) {
	t.Helper()
	cluster := testenv.Slurm(t)
	options.Env = append(options.Env, cluster.Env()...)
	options.Files = map[string]string{
		"job_conf.xml": slurmConf, "hungry.xml": hungryTool,
		"tool_conf.xml": strings.Replace(gatedToolConf, "</section>", `<tool file="@DIR@/hungry.xml"/></section>`, 1),
	}
	options.Settings = map[string]any{"job_config_file": "@DIR@/job_conf.xml"}
	return startGated(t, options), cluster
}

// job reads a job, of which administrators see more.
func (g *gated) job(id string) (j struct {
	State      string
	ExternalID string `json:"external_id"`
	Info       string `json:"info"`
}) {
	g.t.Helper()
	g.decode(g.read("/api/jobs/"+id+"?full=true"), &j)
	return j
}

// TestJobsOnSlurm kills the whole server while its jobs run on a cluster, whose controller is down when the server
// comes back. Each job is run once, on the cluster, and ends ok.
func TestJobsOnSlurm(t *testing.T) {
	for _, layout := range layouts() {
		t.Run(layout.name, func(t *testing.T) {
			g, cluster := startOnSlurm(t, layout.options)
			const first, second = 4, 3
			for n := range first {
				g.submit(n)
			}
			g.waitFor("the jobs to run on the cluster", time.Minute, func() bool { return len(g.ledger()) == first })
			g.waitFor("the jobs to be shown as running", time.Minute, func() bool {
				for _, id := range g.jobs {
					if g.job(id).State != "running" {
						return false
					}
				}
				return true
			})
			g.own.Crash()
			cluster.StopController()
			g.own.Start()
			for n := range second {
				g.submit(first + n)
			}
			g.openGate()
			cluster.StartController()
			g.eachOnce()
			if got := strings.Count(cluster.Run("squeue", "--noheader", "--states=all", "--format=%A"), "\n"); got != first+second {
				t.Errorf("the cluster was given %d jobs, want %d", got, first+second)
			}
		})
	}
}

// TestHandlersKilledWhileTheyTalkToSlurm kills handlers at any moment of short jobs' lives, such as between sbatch and
// its answer. No job is lost, none is run twice.
func TestHandlersKilledWhileTheyTalkToSlurm(t *testing.T) {
	g, _ := startOnSlurm(t, testenv.Options{Postgres: true, WebWorkers: 1, Handlers: 2})
	g.openGate()
	const rounds, each = 4, 8
	for round := range rounds {
		for i := range each {
			g.submit(round*each + i)
		}
		g.waitFor("some jobs of the round to run", time.Minute, func() bool { return len(g.ledger()) >= round*each+1 })
		handler := fmt.Sprintf("handler_%d", round%2)
		g.own.WaitRestarted(handler, g.own.KillProcess(handler))
	}
	g.eachOnce()
}

// TestAJobOnSlurmIsCancelled deletes one job that runs and one that waits in the cluster's queue.
func TestAJobOnSlurmIsCancelled(t *testing.T) {
	g, cluster := startOnSlurm(t, testenv.Options{})
	g.submit(0)
	g.waitFor("the job to run", time.Minute, func() bool { return len(g.ledger()) == 1 })
	cluster.Run("scontrol", "update", "PartitionName=main", "State=DOWN") // it takes jobs and starts none
	g.submit(1)
	states := func() string { return cluster.Run("squeue", "--noheader", "--states=all", "--sort=i", "--format=%T") }
	g.waitFor("the second job to wait", time.Minute, func() bool { return states() == "RUNNING\nPENDING\n" })
	for _, id := range g.jobs {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, g.server.URL+"/api/jobs/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Api-Key", g.server.Key)
		if status, body := g.do(t, request); status != http.StatusOK {
			t.Fatalf("DELETE: %d %s", status, body)
		}
	}
	g.waitFor("the cluster to have ended both", time.Minute, func() bool { return states() == "CANCELLED\nCANCELLED\n" })
	for _, id := range g.jobs {
		g.waitFor("the job to be deleted", time.Minute, func() bool { return g.job(id).State == "deleted" })
	}
	if runs := g.ledger(); len(runs) != 1 {
		t.Errorf("runs %v, want the first job's alone", runs)
	}
}

// TestAJobThatIsTooLargeForSlurmSaysSo has a tool use more memory than its destination asks for.
func TestAJobThatIsTooLargeForSlurmSaysSo(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("needs python3")
	}
	g, _ := startOnSlurm(t, testenv.Options{})
	var made struct{ Jobs, Outputs []struct{ ID string } }
	g.decode(g.post(t, "/api/tools", g.server.Key, map[string]any{"history_id": g.history, "tool_id": "hungry", "inputs": map[string]any{}}), &made)
	g.waitFor("the job to end", time.Minute, func() bool { return g.job(made.Jobs[0].ID).State == "error" })
	var output struct {
		Info string `json:"misc_info"`
	}
	g.decode(g.read("/api/histories/"+g.history+"/contents/"+made.Outputs[0].ID), &output)
	if !strings.Contains(output.Info, "memory") {
		t.Errorf("the person is told %q", output.Info)
	}
}
