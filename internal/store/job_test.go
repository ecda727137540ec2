package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// submission describes a job to create in a test.
type submission struct {
	user, history int64
	handler       string
	inputs        []int64
	outputs       int
}

func createJob(ctx context.Context, tx *store.Tx, s submission) (*store.Job, []store.HDA, error) {
	if s.handler == "" {
		s.handler = "_default_"
	}
	n := store.NewJob{ToolID: "cat1", ToolVersion: "1.0.0", HistoryID: s.history, UserID: s.user, Handler: s.handler}
	for i, hda := range s.inputs {
		n.Inputs = append(n.Inputs, store.JobInput{Name: fmt.Sprintf("input%d", i+1), HDA: hda})
	}
	for i := range max(1, s.outputs) {
		n.Outputs = append(n.Outputs, store.NewHDA{Name: fmt.Sprintf("out %d", i+1)})
		n.OutputNames = append(n.OutputNames, fmt.Sprintf("out_file%d", i+1))
	}
	return store.CreateJob(ctx, tx, n)
}

// newJob creates a job and gives its id and its first output.
func newJob(t *testing.T, db *store.DB, s submission) (job, output int64) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		j, outputs, err := createJob(ctx, tx, s)
		if err == nil {
			job, output = j.ID, outputs[0].ID
		}
		return err
	})
	return job, output
}

// server is an instance with a name, as tests need it.
type server struct {
	id   store.UUID
	name string
}

func newServer(t *testing.T, db *store.DB, name string) server {
	t.Helper()
	s := server{store.NewUUID(), name}
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		return store.RegisterInstance(ctx, tx, store.Instance{ID: s.id, ServerName: name, Hostname: "h", PID: 1, Kind: "handler"}, time.Minute)
	})
	return s
}

func claim(t *testing.T, db *store.DB, s server, n int, pools ...string) (claims []store.Claim) {
	t.Helper()
	if pools == nil {
		pools = []string{"_default_"}
	}
	got, err := store.ClaimJobs(t.Context(), db, store.Claimant{Instance: s.id, ServerName: s.name, Pools: append([]string{s.name}, pools...)}, n)
	if err != nil {
		t.Fatal(err)
	}
	return got.Jobs
}

func jobIDs(claims []store.Claim) []int64 {
	ids := []int64{}
	for _, c := range claims {
		ids = append(ids, c.JobID)
	}
	return ids
}

func jobState(t *testing.T, db *store.DB, job int64) galaxy.JobState {
	t.Helper()
	return galaxy.JobState(one[string](t, db, "SELECT state FROM job WHERE id = ?", job))
}

func hdaState(t *testing.T, db *store.DB, hda int64) galaxy.DatasetState {
	t.Helper()
	h, err := store.HDAByID(t.Context(), db, hda)
	if err != nil {
		t.Fatal(err)
	}
	return h.State()
}

func finish(t *testing.T, db *store.DB, s server, c store.Claim, state galaxy.JobState, output int64) (released int) {
	t.Helper()
	dataset := galaxy.DatasetOK
	if state == galaxy.JobError {
		dataset = galaxy.DatasetError
	}
	write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		released, err = store.FinishJob(ctx, tx, c, s.name, store.Finished{
			State: state, Outputs: []store.FinishedHDA{{ID: output, State: dataset, FileSize: 10}},
		})
		return err
	})
	return released
}

// history lists a job's states in order.
func history(t *testing.T, db *store.DB, job int64) string {
	t.Helper()
	states, err := store.Column[string](t.Context(), db, "SELECT state FROM job_state_history WHERE job_id = ? ORDER BY id", job)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(states, " ")
}

func waits(t *testing.T, db *store.DB) int64 {
	t.Helper()
	return one[int64](t, db, "SELECT count(*) FROM orrery_wait")
}

func TestCreateJobWritesGalaxysRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		_, first := newJob(t, db, submission{user: user, history: hist})
		write(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE history_dataset_association SET version = 4 WHERE id = ?", first)
			return err
		})
		a, b := `"a"`, "null"
		var job *store.Job
		var outputs []store.HDA
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			job, outputs, err = store.CreateJob(ctx, tx, store.NewJob{
				ToolID: "cat1", ToolVersion: "1.0.0", HistoryID: hist, UserID: user, Handler: "_default_",
				Parameters: []store.JobParameter{{Name: "a", Value: &a}, {Name: "b", Value: &b}, {Name: "c"}},
				Inputs:     []store.JobInput{{Name: "input1", HDA: first}, {Name: "queries_0|input2", HDA: first}},
				Outputs:    []store.NewHDA{{Name: "x"}, {Name: "y", Hidden: true}}, OutputNames: []string{"out1", "out2"},
			})
			return err
		})
		var nulls int64
		for _, column := range []string{
			"library_folder_id", "dynamic_tool_id", "info", "copied_from_job_id", "command_line", "param_filename", "tool_stdout",
			"tool_stderr", "exit_code", "traceback", "session_id", "job_runner_name", "job_runner_external_id", "object_store_id",
		} {
			nulls = one[int64](t, db, "SELECT count(*) FROM job WHERE id = ? AND "+column+" IS NULL", job.ID)
			if nulls != 1 {
				t.Errorf("job.%s is not NULL", column)
			}
		}
		read, err := store.JobByID(t.Context(), db, job.ID)
		if err != nil {
			t.Fatal(err)
		}
		if read.GalaxyVersion != "26.1" || read.State != galaxy.JobNew || string(read.Dependencies) != "[]" || string(read.DestinationParam) != "{}" ||
			read.Handler != "_default_" || read.UserID != user || read.HistoryID != hist || !read.CreateTime.Equal(read.UpdateTime) {
			t.Errorf("wrong job: %+v", read)
		}
		params, err := store.JobParameters(t.Context(), db, job.ID)
		if err != nil || len(params) != 3 || *params[0].Value != a || *params[1].Value != b || params[2].Value != nil {
			t.Errorf("parameters %+v, %v", params, err)
		}
		inputs, err := store.JobInputs(t.Context(), db, job.ID)
		if want := []store.JobInput{{"input1", first, 4}, {"queries_0|input2", first, 4}}; err != nil || !slices.Equal(inputs, want) {
			t.Errorf("inputs %+v, %v", inputs, err)
		}
		outs, err := store.JobOutputs(t.Context(), db, job.ID)
		if want := []store.JobOutput{{"out1", outputs[0].ID}, {"out2", outputs[1].ID}}; err != nil || !slices.Equal(outs, want) {
			t.Errorf("outputs %+v, %v", outs, err)
		}
		if outputs[0].HID != 2 || outputs[1].HID != 3 || outputs[0].Dataset.JobID != job.ID {
			t.Errorf("hids %d %d, job %d", outputs[0].HID, outputs[1].HID, outputs[0].Dataset.JobID)
		}
		if got := one[int64](t, db, "SELECT count(*) FROM dataset WHERE job_id = ?", job.ID); got != 2 {
			t.Errorf("%d datasets name the job", got)
		}
		if got := history(t, db, job.ID); got != "new" {
			t.Errorf("state history %q", got)
		}
		if got := waits(t, db); got != 1 { // both inputs are one dataset
			t.Errorf("the job waits for %d datasets", got)
		}
	})
}

func TestAJobWaitsForItsInputs(t *testing.T) {
	for _, end := range []galaxy.JobState{galaxy.JobOK, galaxy.JobError} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			user, _, hist := person(t, db, "ann")
			s := newServer(t, db, "h1")
			first, out := newJob(t, db, submission{user: user, history: hist})
			second, _ := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out, out}})
			claims := claim(t, db, s, 10)
			if got := jobIDs(claims); !slices.Equal(got, []int64{first}) {
				t.Fatalf("claimed %v, want only %d", got, first)
			}
			if got := finish(t, db, s, claims[0], end, out); got != 1 {
				t.Errorf("%d jobs were let go, want 1", got)
			}
			if got := jobIDs(claim(t, db, s, 10)); !slices.Equal(got, []int64{second}) {
				t.Errorf("then claimed %v, want %d", got, second)
			}
			third, _ := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out}})
			if got := jobIDs(claim(t, db, s, 10)); !slices.Equal(got, []int64{third}) {
				t.Errorf("a finished input keeps a job back: %v", got)
			}
		})
	}
}

func TestWaitsThatNobodyEndedAreReleased(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		_, out := newJob(t, db, submission{user: user, history: hist})
		_, other := newJob(t, db, submission{user: user, history: hist})
		newJob(t, db, submission{user: user, history: hist, inputs: []int64{out, other}})
		exec(t, db, "UPDATE dataset SET state = 'ok' WHERE id = (SELECT dataset_id FROM history_dataset_association WHERE id = ?)", out)
		for _, want := range []int{1, 0} {
			if n, err := store.ReleaseStale(t.Context(), db); err != nil || n != want {
				t.Errorf("released %d, %v, want %d", n, err, want)
			}
		}
		if waits(t, db) != 1 {
			t.Errorf("%d waits are left, want the one for the unfinished dataset", waits(t, db))
		}
	})
}

// A job is created while its input is being finished: whichever transaction
// comes first, the job must not wait for what has happened already.
func TestCreatingWhileTheInputFinishes(t *testing.T) {
	db := storetest.PostgreSQL(t)
	user, _, hist := person(t, db, "ann")
	_, _, other := person(t, db, "bob")
	s := newServer(t, db, "h1")
	for _, finisherFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("finisherFirst=%v", finisherFirst), func(t *testing.T) {
			_, out := newJob(t, db, submission{user: user, history: hist})
			c := claim(t, db, s, 1)[0]
			ctx := t.Context()
			create := func(tx *store.Tx) error {
				_, _, err := createJob(ctx, tx, submission{user: user, history: other, inputs: []int64{out}})
				return err
			}
			end := func(tx *store.Tx) error {
				_, err := store.FinishJob(ctx, tx, c, s.name, store.Finished{State: galaxy.JobOK, Outputs: []store.FinishedHDA{{ID: out, State: galaxy.DatasetOK}}})
				return err
			}
			first, second := create, end
			if finisherFirst {
				first, second = end, create
			}
			blocked := make(chan error, 1)
			if err := db.Write(ctx, func(tx *store.Tx) error {
				if err := first(tx); err != nil {
					return err
				}
				go func() { blocked <- db.Write(ctx, second) }()
				return untilBlocked(ctx, db, blocked)
			}); err != nil {
				t.Fatal(err)
			}
			if err := <-blocked; err != nil {
				t.Fatal(err)
			}
			if got := waits(t, db); got != 0 {
				t.Errorf("%d waits are left for a dataset that is finished", got)
			}
			if got := len(claim(t, db, s, 10)); got != 1 {
				t.Errorf("%d jobs can be claimed, want 1", got)
			}
		})
	}
}

// untilBlocked waits until another transaction waits for a lock of this one.
func untilBlocked(ctx context.Context, db *store.DB, ended chan error) error {
	for {
		var n int
		if err := db.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n); err != nil || n > 0 {
			return err
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the other transaction did not wait (%w)", err)
		default:
		}
	}
}

func TestClaims(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, _, annHist := person(t, db, "ann")
		bob, _, bobHist := person(t, db, "bob")
		s := newServer(t, db, "h1")
		var a, b []int64
		for range 5 {
			id, _ := newJob(t, db, submission{user: ann, history: annHist})
			a = append(a, id)
		}
		for range 3 {
			id, _ := newJob(t, db, submission{user: bob, history: bobHist})
			b = append(b, id)
		}
		special, _ := newJob(t, db, submission{user: ann, history: annHist, handler: "special"})
		own, out := newJob(t, db, submission{user: ann, history: annHist, handler: "h1"})
		// Turn by turn between the two, oldest first; another pool's are left.
		if got, want := jobIDs(claim(t, db, s, 4)), []int64{a[0], b[0], a[1], b[1]}; !slices.Equal(got, want) {
			t.Errorf("claimed %v, want %v", got, want)
		}
		if got, want := jobIDs(claim(t, db, s, 100)), []int64{a[2], b[2], a[3], a[4], own}; !slices.Equal(got, want) {
			t.Errorf("then claimed %v, want %v", got, want)
		}
		claims := claim(t, db, s, 100, "special")
		if got := jobIDs(claims); !slices.Equal(got, []int64{special}) || claims[0].Pool != "special" {
			t.Errorf("by its tag claimed %v of pool %q", got, claims[0].Pool)
		}
		if got := claim(t, db, s, 100, "special"); len(got) != 0 {
			t.Errorf("claimed twice: %v", got)
		}
		if got := history(t, db, own); got != "new queued" || jobState(t, db, own) != galaxy.JobQueued || hdaState(t, db, out) != galaxy.DatasetQueued {
			t.Errorf("after the claim: history %q, state %s, output %s", got, jobState(t, db, own), hdaState(t, db, out))
		}
		if got := one[string](t, db, "SELECT handler FROM job WHERE id = ?", special); got != "h1" {
			t.Errorf("a claimed job's handler is %q", got)
		}
	})
}

func TestManyClaimersShareTheJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var all []int64
		for i := range 4 {
			user, _, hist := person(t, db, fmt.Sprintf("u%d", i))
			for range 25 {
				id, _ := newJob(t, db, submission{user: user, history: hist})
				all = append(all, id)
			}
		}
		var mu sync.Mutex
		var got []int64
		var wg sync.WaitGroup
		for i := range 8 {
			s := newServer(t, db, fmt.Sprintf("h%d", i))
			wg.Go(func() {
				for misses := 0; misses < 3; {
					n := 1 + rand.IntN(5)
					got1, err := store.ClaimJobs(t.Context(), db, store.Claimant{Instance: s.id, ServerName: s.name, Pools: []string{s.name, "_default_"}, Serialize: i%2 == 1}, n)
					if err != nil && !store.Outage(err) { // PostgreSQL may give up a serialized one
						t.Error(err)
						return
					}
					claims := got1.Jobs
					if len(claims) > n {
						t.Errorf("claimed %d of %d", len(claims), n)
					}
					if len(claims) == 0 {
						misses++
					}
					mu.Lock()
					got = append(got, jobIDs(claims)...)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(got)
		slices.Sort(all)
		if !slices.Equal(got, all) {
			t.Errorf("%d claims for %d jobs", len(got), len(all))
		}
		if n := one[int64](t, db, "SELECT count(*) FROM orrery_claim"); n != int64(len(all)) {
			t.Errorf("%d rows of claims", n)
		}
	})
}

func TestAdoptJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		old, live, fresh := newServer(t, db, "h1"), newServer(t, db, "h1"), newServer(t, db, "h1")
		other := newServer(t, db, "h2")
		ids := map[string]int64{}
		for _, name := range []string{"queued", "running", "deleting", "live", "elsewhere", "moved", "galaxys", "done", "untouched"} {
			ids[name], _ = newJob(t, db, submission{user: user, history: hist, handler: name})
		}
		take := func(s server, name string) store.Claim { return claim(t, db, s, 1, name)[0] }
		take(old, "queued")
		start(t, db, old, take(old, "running"))
		take(old, "deleting")
		cancel(t, db, ids["deleting"])
		take(live, "live")
		take(other, "elsewhere")
		take(other, "moved")
		finish(t, db, old, take(old, "done"), galaxy.JobOK, one[int64](t, db, "SELECT dataset_id FROM job_to_output_dataset WHERE job_id = ?", ids["done"]))
		exec(t, db, "UPDATE job SET handler = 'h1' WHERE id = ?", ids["moved"])
		exec(t, db, "UPDATE job SET handler = 'h1', state = 'running' WHERE id = ?", ids["galaxys"])
		var claims []store.Claim
		adopt := func() {
			write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				claims, err = store.TakeOverJobs(ctx, tx, store.Claimant{Instance: fresh.id, ServerName: "h1", Pools: []string{"h1"}}, []store.UUID{old.id}, 100)
				return err
			})
		}
		adopt()
		want := []int64{ids["queued"], ids["running"], ids["deleting"], ids["moved"], ids["galaxys"]}
		if got := jobIDs(claims); !slices.Equal(got, want) {
			t.Errorf("adopted %v, want %v", got, want)
		}
		for _, c := range claims {
			wantEpoch := 2
			if c.JobID == ids["galaxys"] {
				wantEpoch = 1
			}
			if c.Epoch != wantEpoch || c.Instance != fresh.id || c.Attempt != 1 {
				t.Errorf("claim %+v, want epoch %d", c, wantEpoch)
			}
		}
		if claims[0].Pool != "queued" {
			t.Errorf("an adopted job forgot its pool: %q", claims[0].Pool)
		}
		if mine, err := store.ClaimsOf(t.Context(), db, fresh.id, "h1"); err != nil || !slices.Equal(jobIDs(mine), want) {
			t.Errorf("the claims of the adopter are %v, %v", jobIDs(mine), err)
		}
		adopt()
		if len(claims) != 0 {
			t.Errorf("adopted its own jobs again: %v", jobIDs(claims))
		}
	})
}

func exec(t *testing.T, db *store.DB, query string, args ...any) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

func start(t *testing.T, db *store.DB, s server, c store.Claim) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		return store.StartJob(ctx, tx, c, s.name, store.Started{CommandLine: "x", Runner: "local", ExternalID: "1", DestinationID: "local"})
	})
}

func cancel(t *testing.T, db *store.DB, job int64) (state galaxy.JobState) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		state, err = store.CancelJob(ctx, tx, job, "enough")
		return err
	})
	return state
}

// writes are all that a handler can do with its claim.
var writes = map[string]func(ctx context.Context, tx *store.Tx, c store.Claim, name string) error{
	"start": func(ctx context.Context, tx *store.Tx, c store.Claim, name string) error {
		return store.StartJob(ctx, tx, c, name, store.Started{})
	},
	"finish": func(ctx context.Context, tx *store.Tx, c store.Claim, name string) error {
		_, err := store.FinishJob(ctx, tx, c, name, store.Finished{State: galaxy.JobOK})
		return err
	},
	"requeue": store.RequeueJob,
	"wait": func(ctx context.Context, tx *store.Tx, c store.Claim, name string) error {
		return store.WaitForInputs(ctx, tx, c, name, nil)
	},
	"pause": func(ctx context.Context, tx *store.Tx, c store.Claim, name string) error {
		_, err := store.PauseJob(ctx, tx, c, name, "r")
		return err
	},
}

func TestALostClaimCanWriteNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		s, heir := newServer(t, db, "h1"), newServer(t, db, "h1")
		for what, lose := range map[string]func(c store.Claim){
			"taken over": func(store.Claim) {
				write(t, db, func(ctx context.Context, tx *store.Tx) error {
					_, err := store.TakeOverJobs(ctx, tx, store.Claimant{Instance: heir.id, ServerName: "h1", Pools: []string{"h1"}}, []store.UUID{s.id}, 100)
					return err
				})
			},
			"moved by hand": func(c store.Claim) { exec(t, db, "UPDATE job SET handler = 'h2' WHERE id = ?", c.JobID) },
			"taken twice": func(c store.Claim) {
				exec(t, db, "UPDATE orrery_claim SET epoch = epoch + 1 WHERE job_id = ?", c.JobID)
			},
			"released": func(c store.Claim) { exec(t, db, "DELETE FROM orrery_claim WHERE job_id = ?", c.JobID) },
		} {
			job, _ := newJob(t, db, submission{user: user, history: hist})
			c := claim(t, db, s, 1)[0]
			lose(c)
			before := history(t, db, job)
			for name, f := range writes {
				err := db.Write(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx, c, s.name) })
				if !errors.Is(err, store.ErrClaimLost) {
					t.Errorf("%s after the job was %s: %v", name, what, err)
				}
			}
			if jobState(t, db, job) != galaxy.JobQueued || history(t, db, job) != before {
				t.Errorf("a job that was %s changed: %s", what, history(t, db, job))
			}
		}
	})
}

func TestFinishJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		s := newServer(t, db, "h1")
		job, out := newJob(t, db, submission{user: user, history: hist})
		c := claim(t, db, s, 1)[0]
		start(t, db, s, c)
		start(t, db, s, c) // repeating it adds nothing
		code := int64(3)
		end := func() error {
			return db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := store.FinishJob(t.Context(), tx, c, s.name, store.Finished{
					State: galaxy.JobOK, ExitCode: &code, ToolStdout: "a\x00b\xff", Messages: store.JSON([]any{}), Info: strings.Repeat("é", 300),
					Metrics: []store.JobMetric{{Plugin: "core", Name: "runtime_seconds", Value: "12", Number: true}, {Plugin: "env", Name: "HOME", Value: "/root"}},
					Outputs: []store.FinishedHDA{{ID: out, State: galaxy.DatasetOK, FileSize: 10, Extension: "txt"}},
				})
				return err
			})
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := end(); !errors.Is(err, store.ErrClaimLost) {
			t.Errorf("finishing again: %v", err)
		}
		j, err := store.JobByID(t.Context(), db, job)
		if err != nil {
			t.Fatal(err)
		}
		if j.State != galaxy.JobOK || *j.ExitCode != 3 || j.ToolStdout != "ab\uFFFD" || j.ExternalID != "1" || len([]rune(j.Info)) != 255 {
			t.Errorf("finished as %+v", j)
		}
		if got := history(t, db, job); got != "new queued running ok" {
			t.Errorf("state history %q", got)
		}
		metrics, err := store.JobMetrics(t.Context(), db, job)
		if err != nil || len(metrics) != 2 || !metrics[0].Number || !strings.HasPrefix(metrics[0].Value, "12") || metrics[1] != (store.JobMetric{Plugin: "env", Name: "HOME", Value: "/root"}) {
			t.Errorf("metrics %+v, %v", metrics, err)
		}
		if got := one[int64](t, db, "SELECT disk_usage FROM galaxy_user WHERE id = ?", user); got != 10 {
			t.Errorf("disk usage %d, want 10", got)
		}
		if got := one[int64](t, db, "SELECT count(*) FROM orrery_claim"); got != 0 {
			t.Errorf("%d claims are left", got)
		}
	})
}

func TestPausedJobsPauseWhatDependsOnThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		s := newServer(t, db, "h1")
		pause := func(c store.Claim) (released int) {
			write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				released, err = store.PauseJob(ctx, tx, c, s.name, "the input failed")
				return err
			})
			return released
		}
		job, out := newJob(t, db, submission{user: user, history: hist})
		dependent, out2 := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out}})
		last, out3 := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out2}})
		if n := pause(claim(t, db, s, 9)[0]); n != 1 || hdaState(t, db, out) != galaxy.DatasetPaused {
			t.Fatalf("pausing let %d jobs go; the output is %s", n, hdaState(t, db, out))
		}
		claims := claim(t, db, s, 9)
		if got := jobIDs(claims); !slices.Equal(got, []int64{dependent}) {
			t.Fatalf("the job that depends on a paused one is left waiting: claimed %v", got)
		}
		// The handler sees a paused input and asks to wait; there is nothing to wait for.
		pause(claims[0])
		claims = claim(t, db, s, 9)
		pause(claims[0])
		late, out4 := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out}})
		if claims = claim(t, db, s, 9); len(claims) != 1 || claims[0].JobID != late {
			t.Fatalf("a job on a paused input waits for ever: %v", jobIDs(claims))
		}
		pause(claims[0])
		stranger, _ := newJob(t, db, submission{user: user, history: hist})
		pause(claim(t, db, s, 9)[0])

		write(t, db, func(ctx context.Context, tx *store.Tx) error {
			return store.ResumeJobs(ctx, tx, []int64{job}, "_default_")
		})
		for _, c := range []struct{ job, out int64 }{{job, out}, {dependent, out2}, {last, out3}, {late, out4}} {
			h, err := store.HDAByID(t.Context(), db, c.out)
			if err != nil {
				t.Fatal(err)
			}
			if jobState(t, db, c.job) != galaxy.JobNew || h.State() != galaxy.DatasetNew || h.Info != "" {
				t.Errorf("after resuming, job %d is %s, its output %s (%q)", c.job, jobState(t, db, c.job), h.State(), h.Info)
			}
		}
		if jobState(t, db, stranger) != galaxy.JobPaused {
			t.Error("a job that does not depend on it was resumed")
		}
		if got := history(t, db, job); got != "new queued paused new" {
			t.Errorf("state history %q", got)
		}
		// Its dependents are claimed too early, and wait when their handler says so.
		for _, c := range claim(t, db, s, 9) {
			if c.JobID == dependent {
				write(t, db, func(ctx context.Context, tx *store.Tx) error {
					return store.WaitForInputs(ctx, tx, c, s.name, []int64{out})
				})
			}
		}
		if waits(t, db) != 1 || hdaState(t, db, out2) != galaxy.DatasetNew || len(claim(t, db, s, 9)) != 0 {
			t.Errorf("%d waits, the output is %s", waits(t, db), hdaState(t, db, out2))
		}
	})
}

func TestCancelJobInEachState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		s := newServer(t, db, "h1")
		take := func(id int64) store.Claim { return claim(t, db, s, 1)[0] }
		for name, c := range map[string]struct {
			prepare func(id, out int64)
			want    galaxy.JobState
			out     galaxy.DatasetState
			handler bool // it is the handler that ends it
		}{
			"new":     {func(int64, int64) {}, galaxy.JobDeleted, galaxy.DatasetDiscarded, false},
			"queued":  {func(id, _ int64) { take(id) }, galaxy.JobDeleting, galaxy.DatasetDiscarded, true},
			"running": {func(id, _ int64) { start(t, db, s, take(id)) }, galaxy.JobDeleting, galaxy.DatasetDiscarded, true},
			"paused": {func(id, _ int64) {
				k := take(id)
				write(t, db, func(ctx context.Context, tx *store.Tx) error {
					_, err := store.PauseJob(ctx, tx, k, s.name, "r")
					return err
				})
			}, galaxy.JobDeleted, galaxy.DatasetDiscarded, false},
			"ok":    {func(id, out int64) { finish(t, db, s, take(id), galaxy.JobOK, out) }, galaxy.JobOK, galaxy.DatasetOK, false},
			"error": {func(id, out int64) { finish(t, db, s, take(id), galaxy.JobError, out) }, galaxy.JobError, galaxy.DatasetError, false},
		} {
			job, out := newJob(t, db, submission{user: user, history: hist})
			c.prepare(job, out)
			dependent, _ := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out}})
			if got := cancel(t, db, job); got != c.want {
				t.Errorf("a job that was %s became %s, want %s", name, got, c.want)
			}
			if got := cancel(t, db, job); got != c.want {
				t.Errorf("cancelled again, a job that was %s became %s", name, got)
			}
			if got := hdaState(t, db, out); got != c.out {
				t.Errorf("the output of a job that was %s is %s, want %s", name, got, c.out)
			}
			if waits(t, db) != 0 {
				t.Errorf("a job waits for the output of one that was cancelled when %s", name)
			}
			if c.handler {
				deleting, err := store.DeletingJobs(t.Context(), db, s.id)
				if err != nil || !slices.Equal(deleting, []int64{job}) {
					t.Errorf("the handler is to stop %v, %v", deleting, err)
				}
				mine, err := store.ClaimsOf(t.Context(), db, s.id, s.name)
				if err != nil || len(mine) != 1 {
					t.Fatalf("claims %v, %v", mine, err)
				}
				for what, f := range writes {
					if what == "finish" {
						continue
					}
					err := db.Write(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx, mine[0], s.name) })
					if galaxy.KindOf(err) != galaxy.Conflict {
						t.Errorf("%s brings a cancelled job back: %v", what, err)
					}
				}
				finish(t, db, s, mine[0], galaxy.JobError, out)
				if jobState(t, db, job) != galaxy.JobDeleted || hdaState(t, db, out) != galaxy.DatasetDiscarded {
					t.Errorf("ended by its handler, the job is %s and its output %s", jobState(t, db, job), hdaState(t, db, out))
				}
				if got := one[string](t, db, "SELECT info FROM job WHERE id = ?", job); got != "enough" {
					t.Errorf("the reason became %q", got)
				}
			}
			if got := cancel(t, db, dependent); got != galaxy.JobDeleted {
				t.Errorf("the dependent became %s", got)
			}
		}
		waiting, _ := newJob(t, db, submission{user: user, history: hist})
		_ = waiting
		_, out := newJob(t, db, submission{user: user, history: hist})
		dependent, _ := newJob(t, db, submission{user: user, history: hist, inputs: []int64{out}})
		cancel(t, db, dependent)
		if waits(t, db) != 0 {
			t.Error("a cancelled job goes on waiting")
		}
	})
}

func TestRequeuedJobsGoBackToTheirPool(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, hist := person(t, db, "ann")
		s := newServer(t, db, "h1")
		job, out := newJob(t, db, submission{user: user, history: hist, handler: "special"})
		c := claim(t, db, s, 1, "special")[0]
		write(t, db, func(ctx context.Context, tx *store.Tx) error { return store.RequeueJob(ctx, tx, c, s.name) })
		if got := one[string](t, db, "SELECT handler FROM job WHERE id = ?", job); got != "special" || hdaState(t, db, out) != galaxy.DatasetNew {
			t.Errorf("handler %q, output %s", got, hdaState(t, db, out))
		}
		again := claim(t, db, newServer(t, db, "h2"), 1, "special")
		if len(again) != 1 || again[0].Epoch != 1 {
			t.Errorf("claimed again: %+v", again)
		}
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return store.RequeueJob(t.Context(), tx, c, s.name) }); !errors.Is(err, store.ErrClaimLost) {
			t.Errorf("the earlier claim still works: %v", err)
		}
	})
}

// The claim must not read finished jobs, nor those of other pools, whatever part
// of all jobs is new: it is run for each wake-up.
func TestClaimingUsesItsIndex(t *testing.T) {
	for name, done := range map[string]int{"mostly finished": 99, "half finished": 50, "all new": 0} {
		t.Run(name, func(t *testing.T) {
			db := storetest.PostgreSQL(t)
			user, _, hist := person(t, db, "ann")
			jobs := 20000
			if done == 99 {
				jobs = 100000
			}
			exec(t, db, `INSERT INTO job (create_time, update_time, history_id, user_id, tool_id, tool_version, state, imported, handler)
				SELECT now(), now(), ?, ?, 'cat1', '1', CASE WHEN i % 100 < ? THEN 'ok' ELSE 'new' END, false, CASE WHEN i % 100 < ? THEN 'h1' ELSE '_default_' END
				FROM generate_series(1, ?) i`, hist, user, done, done, jobs)
			if _, err := db.Exec(t.Context(), "ANALYZE job"); err != nil {
				t.Fatal(err)
			}
			server := newServer(t, db, "h1")
			query, args := store.ClaimQuery(store.Claimant{Instance: server.id, ServerName: "h1", Pools: []string{"_default_", "h1"}}, 10)
			plan, err := store.Column[string](t.Context(), db, "EXPLAIN "+query, args...)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(plan, "\n")
			if strings.Count(text, "using orrery_job_turn on job") != 6 || strings.Contains(text, "Seq Scan on job ") || strings.Contains(text, "Bitmap Heap Scan on job ") {
				t.Errorf("the claim does not use orrery_job_turn:\n%s", text)
			}
			if got := len(claim(t, db, server, 10, "_default_", "h1")); got != 10 {
				t.Errorf("claimed %d jobs, want 10", got)
			}
		})
	}
}
