package e2e

import (
	"bytes"
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

	"github.com/jackc/pgx/v5"

	"orrery/internal/testenv"
)

// dynamicConf has no handler of its own: whoever attaches to a pool takes jobs.
const dynamicConf = `
runners:
  local: {load: "galaxy.jobs.runners.local:LocalJobRunner", workers: 4}
handling: {assign: [db-skip-locked]}
execution:
  default: local
  environments: {local: {runner: local}}
`

// leaseSeconds is the lease of these tests' handlers.
const leaseSeconds = 3

// fleet is a server whose handlers the test starts by hand.
type fleet struct {
	*gated
	handlers map[string]*exec.Cmd
}

func startFleet(t *testing.T, handlers ...string) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	f := &fleet{handlers: map[string]*exec.Cmd{}, gated: startGated(t, testenv.Options{
		Postgres: true, WebWorkers: 1, Files: map[string]string{"job_conf.yml": dynamicConf},
		Settings: map[string]any{"job_config_file": "@DIR@/job_conf.yml", "orrery_handler_lease": leaseSeconds},
	})}
	for _, name := range handlers {
		f.launch(name, "job-handlers")
	}
	f.waitFor("the handlers to register", time.Minute, func() bool {
		return !slices.ContainsFunc(handlers, func(name string) bool { return f.handler(name).State != "alive" })
	})
	return f
}

// launch starts a handler as an administrator does on any host.
func (f *fleet) launch(name string, pools ...string) {
	f.t.Helper()
	args := []string{"handler", "-c", f.own.Config, "--server-name", name}
	for _, p := range pools {
		args = append(args, "--attach-to-pool", p)
	}
	log, err := os.OpenFile(filepath.Join(f.own.DataDir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	cmd := f.own.Command(args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.handlers[name] = cmd
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
}

// signal sends a signal to a handler; SIGKILL and SIGTERM are waited for.
func (f *fleet) signal(name string, s syscall.Signal) {
	f.t.Helper()
	cmd := f.handlers[name]
	if err := cmd.Process.Signal(s); err != nil {
		f.t.Fatalf("%s to %s: %v", s, name, err)
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		_ = cmd.Wait()
	}
}

// pool runs `orrery pool` and gives what it prints and its exit status.
func (f *fleet) pool(args ...string) (out, complaint string, status int) {
	f.t.Helper()
	cmd := f.own.Command(append([]string{"pool", "-c", f.own.Config}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// done runs `orrery pool` and wants it to succeed.
func (f *fleet) done(args ...string) string {
	f.t.Helper()
	out, complaint, status := f.pool(args...)
	if status != 0 {
		f.t.Fatalf("orrery pool %s: status %d\n%s%s", strings.Join(args, " "), status, out, complaint)
	}
	return out
}

// refused wants `orrery pool` to fail with a status and to say something.
func (f *fleet) refused(status int, says string, args ...string) {
	f.t.Helper()
	out, complaint, got := f.pool(args...)
	if got != status || !strings.Contains(complaint, says) {
		f.t.Errorf("orrery pool %s: status %d, want %d; it says %q, want %q\n%s", strings.Join(args, " "), got, status, complaint, says, out)
	}
}

// poolHandler is a handler as `orrery pool --json` shows it.
type poolHandler struct {
	Name, State, Instance string
	Drained               bool
	Slots, Claimed        int
	Running               int
	Pools                 []string
}

type poolReport struct {
	Handlers []poolHandler
	Waiting  []struct {
		Target, Why string
		New         int
	}
}

func (f *fleet) report() (r poolReport) {
	f.t.Helper()
	f.decode([]byte(f.done("--json")), &r)
	return r
}

// handler gives one handler; without a state if it is not known.
func (f *fleet) handler(name string) poolHandler {
	f.t.Helper()
	for _, h := range f.report().Handlers {
		if h.Name == name {
			return h
		}
	}
	return poolHandler{}
}

// on counts the unfinished jobs by their handler.
func (f *fleet) on() map[string]int {
	f.t.Helper()
	var list struct {
		Jobs []struct{ Handler, State string }
	}
	f.decode([]byte(f.done("jobs", "--json")), &list)
	count := map[string]int{}
	for _, j := range list.Jobs {
		count[j.Handler]++
	}
	return count
}

// started waits until so many runs have begun.
func (f *fleet) started(n int) {
	f.t.Helper()
	f.waitFor(fmt.Sprint(n, " jobs to run"), time.Minute, func() bool { return len(f.ledger()) == n })
}

// has waits until a handler or a tag has so many unfinished jobs.
func (f *fleet) has(name string, n int) {
	f.t.Helper()
	f.waitFor(fmt.Sprint(name, " to have ", n, " jobs"), time.Minute, func() bool { return f.on()[name] == n })
}

// sql runs a statement in the server's database, as an administrator may, and gives the first column of its rows.
func (f *fleet) sql(query string) (column []string) {
	f.t.Helper()
	ctx := f.t.Context()
	conn, err := pgx.Connect(ctx, f.own.Database.URL())
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, query)
	if err == nil {
		column, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return column
}

// handlerOf is who has or had a job, as the API tells an administrator.
func (f *fleet) handlerOf(n int) string {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.server.URL+"/api/jobs/"+f.jobs[n]+"?full=true", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", testenv.AdminKey)
	_, body := f.do(f.t, request)
	var j struct{ Handler string }
	f.decode(body, &j)
	return j.Handler
}

// TestThePoolIsOperatedWithoutSQL drains, undrains, reassigns and removes handlers by `orrery pool` while they work.
func TestThePoolIsOperatedWithoutSQL(t *testing.T) {
	f := startFleet(t, "one", "two")
	text := f.done()
	for _, want := range []string{"HANDLER", "CLAIMS/S", "one", "two", "alive", "_default_"} {
		if !strings.Contains(text, want) {
			t.Errorf("orrery pool does not show %q:\n%s", want, text)
		}
	}
	f.done("--check")
	f.refused(3, `"one" "two"`, "drain", "three")
	f.refused(3, "alive", "remove", "one")
	f.refused(2, "--to", "reassign", "--from", "one")
	f.refused(2, "no command", "dance")

	f.done("drain", "one")
	for n := range 3 {
		f.submit(n)
	}
	f.started(3)
	if on := f.on(); on["two"] != 3 {
		t.Errorf("of three jobs with one handler drained, the other has %v", on)
	}
	if h := f.handler("one"); h.State != "drained" || h.Claimed != 0 {
		t.Errorf("drained, it is %+v", h)
	}
	f.done("undrain", "one")
	for n := 3; n < 7; n++ {
		f.submit(n)
	}
	f.started(7)
	if on := f.on(); on["one"] < 3 || on["one"]+on["two"] != 7 {
		t.Errorf("undrained, the jobs are with %v", on)
	}

	// Nobody takes new ones: they wait, and the pool says for whom.
	f.done("drain", "one", "two")
	f.submit(7)
	f.submit(8)
	if r := f.report(); len(r.Waiting) != 1 || r.Waiting[0].Target != "_default_" || r.Waiting[0].New != 2 || !strings.Contains(r.Waiting[0].Why, "drained") {
		t.Errorf("with everybody drained, this waits: %+v", r.Waiting)
	}
	f.refused(4, "", "--check")
	// Waiting jobs go to a tag that somebody serves later.
	f.done("reassign", "--from", "_default_", "--tool", "gated", "--to", "special")
	f.launch("three", "job-handlers.special")
	f.started(9)
	if on := f.on(); on["three"] != 2 {
		t.Errorf("reassigned, the jobs are with %v", on)
	}
	// Running ones go to another handler, and go on.
	one := f.on()["one"]
	if out := f.done("reassign", "--from", "one", "--to", "three", "--json"); !strings.Contains(out, fmt.Sprintf(`"moved": %d`, one)) {
		t.Errorf("reassigning %d jobs says %s", one, out)
	}
	f.refused(3, "no such", "reassign", "--from", "one", "--to", "three")
	f.done("reassign", "--job", f.jobs[0], "--to", "three")
	f.done("undrain", "one", "two")
	f.openGate()
	f.eachOnce()
	if h := f.handlerOf(0); h != "three" {
		t.Errorf("the job that was sent to three ended with %s", h)
	}

	// One that is silent for longer than its lease is lost, until it is removed.
	f.signal("three", syscall.SIGSTOP)
	f.waitFor("the silent handler to be lost", time.Minute, func() bool { return f.handler("three").State == "lost" })
	f.refused(4, "lost", "--check")
	f.done("remove", "three")
	if h := f.handler("three"); h.Name != "" {
		t.Errorf("removed, it is still %+v", h)
	}
	f.done("--check")
}

// TestAnUpdateByHandMovesAJob: the documents' way, for a job that runs and for one that waits.
func TestAnUpdateByHandMovesAJob(t *testing.T) {
	f := startFleet(t, "one")
	for n := range 6 {
		f.submit(n) // one takes four
	}
	f.started(4)
	f.launch("two") // attached to no pool: takes what is sent to its name
	f.waitFor("the second handler", time.Minute, func() bool { return f.handler("two").State == "alive" })
	f.sql("UPDATE job SET handler = 'two' WHERE state = 'new'")
	f.started(6)
	f.sql("UPDATE job SET handler = 'two' WHERE id = (SELECT min(id) FROM job WHERE state = 'running' AND handler = 'one')")
	f.waitFor("the handler to see the running job through", time.Minute, func() bool {
		one, two := f.handler("one"), f.handler("two")
		return one.Claimed == 3 && two.Claimed == 3
	})
	f.openGate()
	f.eachOnce()
	byHandler := map[string]int{}
	for n := range f.jobs {
		byHandler[f.handlerOf(n)]++
	}
	if byHandler["one"] != 3 || byHandler["two"] != 3 {
		t.Errorf("the jobs ended with %v", byHandler)
	}
}

// TestAKilledHandlersJobsAreTakenOver: nobody starts it again, and another goes on with what it had.
func TestAKilledHandlersJobsAreTakenOver(t *testing.T) {
	f := startFleet(t, "one")
	for n := range 3 {
		f.submit(n)
	}
	f.started(3)
	f.launch("two", "job-handlers")
	f.signal("one", syscall.SIGKILL)
	f.has("two", 3)
	f.openGate()
	f.eachOnce()
	for n := range f.jobs {
		if h := f.handlerOf(n); h != "two" {
			t.Errorf("job %d ended with %s", n, h)
		}
	}
}

// TestAPausedHandlerThatWakesUpWritesNothing pauses a handler for longer than its lease.
func TestAPausedHandlerThatWakesUpWritesNothing(t *testing.T) {
	f := startFleet(t, "one")
	for n := range 3 {
		f.submit(n)
	}
	f.started(3)
	was := f.handler("one").Instance
	f.signal("one", syscall.SIGSTOP)
	f.launch("two", "job-handlers")
	f.has("two", 3)
	f.openGate()
	f.eachOnce()
	rows := func() string {
		t.Helper()
		lines := f.sql(`SELECT concat_ws(' ', j.id, j.handler, j.state, j.update_time,
			(SELECT count(*) FROM job_state_history s WHERE s.job_id = j.id), d.state, h.update_time, h.version) FROM job j
			JOIN job_to_output_dataset o ON o.job_id = j.id JOIN history_dataset_association h ON h.id = o.dataset_id JOIN dataset d ON d.id = h.dataset_id
			ORDER BY j.id LIMIT 3`)
		if len(lines) != 3 {
			t.Fatalf("%d rows", len(lines))
		}
		return strings.Join(lines, "\n")
	}
	before := rows()
	f.signal("one", syscall.SIGCONT)
	f.waitFor("the paused handler to join anew", time.Minute, func() bool {
		h := f.handler("one")
		return h.State == "alive" && h.Instance != was
	})
	// It works again.
	f.done("drain", "two")
	f.submit(3)
	f.eachOnce()
	if h := f.handlerOf(3); h != "one" {
		t.Errorf("the next job ended with %s", h)
	}
	if after := rows(); after != before {
		t.Errorf("the paused handler changed\n%s\nto\n%s", before, after)
	}
}

// staticConf has handlers of its own, which orrery run starts.
func staticConf(handlers string) string {
	return strings.Replace(dynamicConf, "handling: {assign: [db-skip-locked]}", "handling: {assign: [db-skip-locked], processes: "+handlers+"}", 1)
}

// TestAHandlerMovedToTheTagDrain: the documents' way to drain a handler is to give it a tag that nothing is sent to,
// and to restart it. It finishes what it has.
func TestAHandlerMovedToTheTagDrain(t *testing.T) {
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	g := startGated(t, testenv.Options{Postgres: true, WebWorkers: 1, Files: map[string]string{"job_conf.yml": staticConf("{handler0: {}}")},
		Settings: map[string]any{"job_config_file": "@DIR@/job_conf.yml", "orrery_handler_lease": leaseSeconds}})
	f := &fleet{gated: g, handlers: map[string]*exec.Cmd{}}
	for n := range 3 {
		f.submit(n)
	}
	f.started(3)
	f.own.Stop()
	conf := []byte(staticConf("{handler0: {tags: [drain]}, handler1: {}}"))
	if err := os.WriteFile(filepath.Join(f.own.Dir, "job_conf.yml"), conf, 0o644); err != nil {
		t.Fatal(err)
	}
	f.own.Start()
	for n := 3; n < 6; n++ {
		f.submit(n)
	}
	f.waitFor("a new job to run beside the old ones", time.Minute, func() bool { return len(f.ledger()) >= 4 })
	if h := f.handler("handler0"); h.State != "alive" || !slices.Equal(h.Pools, []string{"drain"}) {
		t.Errorf("the handler that is drained is %+v", h)
	}
	f.openGate()
	f.eachOnce()
	for n := 3; n < 6; n++ {
		if h := f.handlerOf(n); h != "handler1" {
			t.Errorf("new job %d ended with %s", n, h)
		}
	}
}

// TestLimitsOnConcurrentJobs: two handlers keep to one limit together, nobody else is held up, and a higher limit lets
// go of jobs once the handlers are started again.
func TestLimitsOnConcurrentJobs(t *testing.T) {
	f := startFleet(t)
	limit := func(n int) {
		conf := dynamicConf + fmt.Sprintf("limits:\n- {type: registered_user_concurrent_jobs, value: %d}\n", n)
		if err := os.WriteFile(filepath.Join(f.own.Dir, "job_conf.yml"), []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"one", "two"} {
			f.launch(name, "job-handlers")
		}
	}
	limit(2)
	for n := range 6 {
		f.submit(n)
	}
	f.waitFor("two jobs to run and four to wait in the pool", time.Minute, func() bool {
		on := f.on()
		return len(f.ledger()) == 2 && on["one"]+on["two"] == 2 && on["_default_"] == 4
	})
	var user, history struct{ ID string }
	f.decode(f.post(t, "/api/users", testenv.AdminKey, map[string]any{"username": "other", "email": "other@example.org", "password": password}), &user)
	var key string
	f.decode(f.post(t, "/api/users/"+user.ID+"/api_key", testenv.AdminKey, nil), &key)
	f.decode(f.post(t, "/api/histories", key, map[string]any{"name": "Theirs"}), &history)
	f.post(t, "/api/tools", key, map[string]any{"history_id": history.ID, "tool_id": "gated", "inputs": map[string]any{"n": 100}})
	f.started(3)
	if on := f.on(); on["_default_"] != 4 {
		t.Errorf("after somebody else's job began, the jobs are with %v", on)
	}
	for _, name := range []string{"one", "two"} {
		f.signal(name, syscall.SIGTERM)
	}
	limit(4)
	f.started(5)
	f.waitFor("four jobs of one and one of the other to run", time.Minute, func() bool {
		on := f.on()
		return on["one"]+on["two"] == 5 && on["_default_"] == 2
	})
	f.openGate()
	f.eachOnce()
}

// TestAdministratorsSeeTheHandlerOfAJob in the client: in the list of jobs and beside a dataset that a job makes.
func TestAdministratorsSeeTheHandlerOfAJob(t *testing.T) {
	f := startFleet(t, "one")
	f.submit(0)
	f.started(1)
	w := newWalk(t, f.server)
	w.register()
	w.Open(f.server.URL + "/admin/jobs")
	w.See(".job-filter-link-handler has one")
	w.Screenshot("the list of jobs")
	w.Open(f.server.URL + "/datasets/" + f.outputs[0] + "/details")
	w.See("#destination_parameters has Handler")
	w.See("#destination_parameters has one")
	w.Screenshot("a dataset and its job")
	f.openGate()
	f.eachOnce()
}
