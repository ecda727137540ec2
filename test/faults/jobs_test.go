package faults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"orrery/internal/testenv"
)

// faultTool writes its number and its job's into the ledger at the one moment that counts, and then an output that tells
// which job made it of what.
const faultTool = `<tool id="%s" name="Fault" version="1.0">
  <command><![CDATA[
    echo "$number \$(basename "\$_GALAXY_JOB_DIR")" >> '@DIR@/ledger';
    sleep $seconds;
    #if $before
      cat '$before' > '$out';
    #end if
    echo 'result $number' >> '$out'
  ]]></command>
  <inputs>
    <param name="number" type="integer" value="0" label="Number"/>
    <param name="seconds" type="float" value="0" label="Seconds"/>
    <param name="before" type="data" format="txt" optional="true" label="Before"/>
  </inputs>
  <outputs><data name="out" format="txt"/></outputs>
</tool>
`

const toolConf = `<toolbox><section id="test" name="Test"><tool file="@DIR@/fault.xml"/><tool file="@DIR@/fault_slurm.xml"/></section></toolbox>
`

const jobConf = `runners:
  local:
    load: galaxy.jobs.runners.local:LocalJobRunner
    workers: %d
%shandling:
  assign: [db-skip-locked]
execution:
  default: local
  environments:
    local:
      runner: local
`

const slurmRunner = `  slurm:
    load: galaxy.jobs.runners.slurm:SlurmJobRunner
    workers: 4
`

const slurmEnvironment = `    slurm:
      runner: slurm
      native_specification: --ntasks=1 --mem=10
tools:
- id: fault_slurm
  environment: slurm
`

// site is the server with its database.
type site struct {
	*testenv.Instance
	engine string
	db     *sql.DB
	slurm  *testenv.SlurmCluster // nil without
}

// start starts the web worker; handlers come by themselves.
func start(t *testing.T, engine string, sz size) *site {
	t.Helper()
	s := &site{engine: engine}
	conf := fmt.Sprintf(jobConf, sz.slots, "")
	var env []string
	if sz.slurm > 0 {
		s.slurm = testenv.Slurm(t)
		env = s.slurm.Env()
		conf = fmt.Sprintf(jobConf, sz.slots, slurmRunner) + slurmEnvironment
	}
	s.Instance = testenv.Server(t, testenv.Options{
		Postgres: engine == "postgresql", MariaDB: engine == "mariadb", WebWorkers: 1, Env: env,
		Files: map[string]string{
			"fault.xml": fmt.Sprintf(faultTool, "fault"), "fault_slurm.xml": fmt.Sprintf(faultTool, "fault_slurm"),
			"tool_conf.xml": toolConf, "job_conf.yml": conf,
		},
		Settings: map[string]any{
			"tool_config_file": "@DIR@/tool_conf.xml", "job_config_file": "@DIR@/job_conf.yml", "orrery_handler_lease": sz.lease,
			"cleanup_job": "always",
		},
	})
	driver, dsn := "sqlite", "file:"+filepath.Join(s.DataDir, "universe.sqlite")+"?_pragma=busy_timeout(20000)"
	switch engine {
	case "postgresql":
		driver, dsn = "pgx", s.Connector
	case "mariadb":
		u, err := url.Parse(s.Connector)
		if err != nil {
			t.Fatal(err)
		}
		driver, dsn = "mysql", fmt.Sprintf("%s@tcp(%s)%s", u.User, u.Host, u.Path)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	if engine == "postgresql" {
		// The tests' PostgreSQL forgets the last moments when it crashes, unless it is told not to.
		if _, err := db.ExecContext(t.Context(), "ALTER DATABASE "+s.Database.Name+" SET synchronous_commit = on"); err != nil {
			t.Fatal(err)
		}
		// Connections from before do not know of it.
		testenv.RestartPostgres(t, "fast")
		s.WaitAnswers()
	}
	return s
}

// slurmPort is the port of the cluster's controller.
func (s *site) slurmPort(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(s.slurm.Conf)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "SlurmctldPort="); found {
			port, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatalf("%s names no port", s.slurm.Conf)
	return 0
}

// person is somebody with jobs.
type person struct{ key, history string }

func (s *site) people(t *testing.T, n int) []person {
	t.Helper()
	people := make([]person, n)
	for i := range people {
		var user, history struct{ ID string }
		name := fmt.Sprintf("person%d", i)
		body := map[string]any{"username": name, "email": name + "@example.org", "password": "a long enough one"}
		s.must(t, "/api/users", testenv.AdminKey, body, &user)
		s.must(t, "/api/users/"+user.ID+"/api_key", testenv.AdminKey, nil, &people[i].key)
		s.must(t, "/api/histories", people[i].key, map[string]any{"name": "Faults"}, &history)
		people[i].history = history.ID
	}
	return people
}

// must makes a request until it is answered well: the database may be away.
func (s *site) must(t *testing.T, path, key string, body, answer any) {
	t.Helper()
	var last error
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && t.Context().Err() == nil; time.Sleep(100 * time.Millisecond) {
		if last = s.post(t.Context(), path, key, body, answer); last == nil {
			return
		}
	}
	t.Fatalf("POST %s: %v", path, last)
}

func (s *site) post(ctx context.Context, path, key string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %.300s", response.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// submission is a job that the server said it has.
type submission struct {
	wanted
	output string // the encoded id
}

// submit submits all jobs, those of one person in turn. What the server did not confirm is submitted again, so there may
// be more jobs than wanted, never fewer.
func (s *site) submit(ctx context.Context, t *testing.T, people []person, jobs []wanted) []submission {
	const lanes = 4
	made := make([]submission, len(jobs))
	began := time.Now()
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for _, w := range jobs {
				if w.user%lanes != lane || ctx.Err() != nil {
					continue
				}
				time.Sleep(time.Until(began.Add(w.at)))
				inputs := map[string]any{"number": w.number, "seconds": fmt.Sprintf("%.3f", w.seconds)}
				if w.parent >= 0 && made[w.parent].output != "" {
					inputs["before"] = map[string]any{"src": "hda", "id": made[w.parent].output}
				}
				var answer struct{ Outputs []struct{ ID string } }
				tool := "fault"
				if w.slurm {
					tool = "fault_slurm"
				}
				body := map[string]any{"history_id": people[w.user].history, "tool_id": tool, "inputs": inputs}
				for {
					err := s.post(ctx, "/api/tools", people[w.user].key, body, &answer)
					if err == nil && len(answer.Outputs) == 1 {
						break
					}
					if ctx.Err() != nil {
						return
					}
					if err != nil && strings.HasPrefix(err.Error(), "4") {
						t.Errorf("job %d was refused: %v", w.number, err)
						break
					}
					time.Sleep(100 * time.Millisecond) // the database is away
				}
				if len(answer.Outputs) == 1 {
					made[w.number] = submission{w, answer.Outputs[0].ID}
				}
			}
		})
	}
	all.Wait()
	return made
}
