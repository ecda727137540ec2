package slurm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
	"orrery/internal/testenv"
)

// quickly are the waits of a local disk.
var quickly = times{late: 500 * time.Millisecond, lateKilled: 100 * time.Millisecond, cause: 10 * time.Second, absent: 500 * time.Millisecond}

// TestMain lets more tests run at once than there are processors: they wait for Slurm nearly all the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func newRunner(t *testing.T, c *testenv.SlurmCluster) *Runner {
	t.Helper()
	r, err := New(Options{Load: loadSlurm, Environ: append(os.Environ(), c.Env()...), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	r.times = quickly
	return r
}

var jobs atomic.Int64

// prepare writes the folder of a job as the handler does.
func prepare(t *testing.T, r *Runner, command, spec string) runner.Job {
	t.Helper()
	job := runner.Job{
		Dir: jobdir.Of(t.TempDir(), jobs.Add(1)), Attempt: 1, Name: "g1_cat1_ann",
		Params: map[string]string{"nativeSpecification": spec},
	}
	part, err := r.Script(job)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(job.Dir.Create(), job.Dir.Write(1, jobdir.Script{Command: command, Part: part})); err != nil {
		t.Fatal(err)
	}
	return job
}

func submit(t *testing.T, r *Runner, job runner.Job) string {
	t.Helper()
	id, err := r.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func watch(t *testing.T, r *Runner, job runner.Job, id string) runner.Ending {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	ending, err := r.Watch(ctx, job, id)
	if err != nil {
		t.Fatal(err)
	}
	return ending
}

func read1(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// untilStarted waits until a job's tool runs.
func untilStarted(t *testing.T, job runner.Job) {
	t.Helper()
	testenv.Poll(t, "the job", testenv.Patience, func() bool { _, ok := job.Dir.ReadRun(job.Attempt); return ok })
}

func TestJobsOnACluster(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)

	t.Run("a job leaves its outcome", func(t *testing.T) {
		job := prepare(t, r, `echo "$GALAXY_SLOTS $GALAXY_MEMORY_MB $GALAXY_MEMORY_MB_PER_SLOT"; pwd; exit 3`, "--cpus-per-task=4 --mem=1000")
		var begun atomic.Int32
		job.Begun = func() { begun.Add(1) }
		id := submit(t, r, job)
		if ending := watch(t, r, job, id); ending != (runner.Ending{End: runner.Finished}) {
			t.Errorf("ended %+v", ending)
		}
		outcome, err := job.Dir.ReadOutcome(1)
		if err != nil || outcome.ExitCode != 3 || outcome.Slots != 4 {
			t.Errorf("outcome %+v, %v", outcome, err)
		}
		if got, want := read1(t, job.Dir.ToolStdout()), "4 1000 250\n"+job.Dir.Working()+"\n"; got != want {
			t.Errorf("the tool printed %q, want %q", got, want)
		}
		if run, _ := job.Dir.ReadRun(1); run.ID != id {
			t.Errorf("the run says that it is %q, and sbatch %q", run.ID, id)
		}
		if begun.Load() != 1 {
			t.Errorf("it was said %d times to have begun", begun.Load())
		}
		if got := c.Run("squeue", "--noheader", "--states=all", "--jobs="+id, "--format=%j|%Z|%o"); got != "g1_cat1_ann|"+job.Dir.Path+"|"+job.Dir.Script(1)+"\n" {
			t.Errorf("Slurm lists %q", got)
		}
	})
	t.Run("memory is known though nobody asked for it", func(t *testing.T) {
		job := prepare(t, r, `echo "$GALAXY_SLOTS $GALAXY_MEMORY_MB"`, "--mem-per-cpu=200 -n 1 -c 3")
		whole := prepare(t, r, `echo "$GALAXY_SLOTS $GALAXY_MEMORY_MB"`, "")
		for job, want := range map[*runner.Job]string{&job: "3 600\n", &whole: "1 64000\n"} {
			watch(t, r, *job, submit(t, r, *job))
			if got := read1(t, job.Dir.ToolStdout()); got != want {
				t.Errorf("it was granted %q, want %q", got, want)
			}
		}
	})
	t.Run("too much memory", func(t *testing.T) {
		job := prepare(t, r, `python3 -c "import time; x = bytearray(200_000_000); time.sleep(60)"`, "--mem=50")
		if ending := watch(t, r, job, submit(t, r, job)); ending.Cause != runner.MemoryLimit || ending.Message == "" {
			t.Errorf("ended %+v; Slurm printed %q", ending, read1(t, job.Dir.JobStderr()))
		}
	})
	t.Run("stopped", func(t *testing.T) {
		job := prepare(t, r, `sleep 60`, "--mem=50")
		id := submit(t, r, job)
		untilStarted(t, job)
		if err := r.Stop(t.Context(), job, id); err != nil {
			t.Fatal(err)
		}
		// Its script may have seen the end of the tool before its own.
		if ending := watch(t, r, job, id); ending.End == runner.Unknown || ending.Cause != runner.Cancelled {
			t.Errorf("ended %+v", ending)
		}
	})
	t.Run("cancelled before it began", func(t *testing.T) {
		job := prepare(t, r, `true`, "--hold")
		id := submit(t, r, job)
		c.Run("scancel", id)
		if ending := watch(t, r, job, id); ending.End != runner.Died || ending.Cause != runner.Cancelled {
			t.Errorf("ended %+v", ending)
		}
		if !job.Dir.Voided(1) {
			t.Error("it could still begin")
		}
	})
	t.Run("refused", func(t *testing.T) {
		job := prepare(t, r, `true`, "--partition=nowhere")
		if _, err := r.Submit(t.Context(), job); err == nil || errors.Is(err, runner.ErrUnavailable) || !strings.Contains(err.Error(), "partition") {
			t.Errorf("Submit says %v", err)
		}
	})
	t.Run("submitted twice", func(t *testing.T) {
		job := prepare(t, r, `echo ran >>../count`, "--mem=50")
		id := submit(t, r, job)
		if again := submit(t, newRunner(t, c), job); again != id {
			t.Errorf("submitted as %s, then as %s", id, again)
		}
		watch(t, r, job, id)
		if got := read1(t, filepath.Join(job.Dir.Path, "count")); got != "ran\n" {
			t.Errorf("it ran %d times", strings.Count(got, "\n"))
		}
	})
	t.Run("the handler ended before sbatch answered", func(t *testing.T) {
		job := prepare(t, r, `echo ran >>../count`, "--hold")
		id := submit(t, r, job)
		// All that is left is the word that was written before.
		rec, _, err := readRecord(job)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recordFile(job), []byte(rec.nonce+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		later := newRunner(t, c)
		if again := submit(t, later, job); again != id {
			t.Errorf("submitted as %s, then as %s", id, again)
		}
		c.Run("scontrol", "release", id)
		if ending := watch(t, later, job, id); ending.End != runner.Finished {
			t.Errorf("ended %+v", ending)
		}
	})
	t.Run("two submissions are one run", func(t *testing.T) {
		job := prepare(t, r, `echo ran >>../count; sleep 60`, "--mem=50")
		id := submit(t, r, job)
		untilStarted(t, job)
		rec, _, err := readRecord(job)
		if err != nil {
			t.Fatal(err)
		}
		// As if an sbatch of an earlier handler came through late.
		q, err := read(r.load, job.Params, r.log)
		if err != nil {
			t.Fatal(err)
		}
		late, err := r.run(t.Context(), target{}, "sbatch", r.arguments(job, q, rec.tag(job))...)
		if err != nil {
			t.Fatal(err)
		}
		late = strings.TrimSpace(late)
		testenv.Poll(t, "the second", testenv.Patience, func() bool {
			return c.Run("squeue", "--noheader", "--states=all", "--jobs="+late, "--format=%T") == "COMPLETED\n"
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*quickly.late)
		defer cancel()
		if ending, err := r.Watch(ctx, job, late); err == nil {
			t.Errorf("a job whose second submission ended was said to have ended: %+v", ending)
		}
		if err := r.Stop(t.Context(), job, late); err != nil {
			t.Fatal(err)
		}
		// Its script may have seen the end of the tool before its own.
		if ending := watch(t, r, job, late); ending.End == runner.Unknown || ending.Cause != runner.Cancelled {
			t.Errorf("ended %+v", ending)
		}
		if got := read1(t, filepath.Join(job.Dir.Path, "count")); got != "ran\n" {
			t.Errorf("it ran %d times as %s and %s", strings.Count(got, "\n"), id, late)
		}
	})
	t.Run("through another shell", func(t *testing.T) {
		shell := filepath.Join(t.TempDir(), "shell")
		if err := os.WriteFile(shell, []byte("#!/bin/sh\nfor line; do :; done\nexec sh -c \"$line\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		far, err := New(Options{Load: loadCLI, Environ: append(os.Environ(), c.Env()...)})
		if err != nil {
			t.Fatal(err)
		}
		job := prepare(t, far, `echo $GALAXY_SLOTS $GALAXY_MEMORY_MB`, "")
		job.Params = map[string]string{"shell_plugin": "SecureShell", "shell_rsh": shell, "shell_hostname": "head",
			"job_plugin": "Slurm", "job_ncpus": "2", "job_--mem": "70"}
		if ending := watch(t, far, job, submit(t, far, job)); ending.End != runner.Finished {
			t.Errorf("ended %+v", ending)
		}
		if got := read1(t, job.Dir.ToolStdout()); got != "2 70\n" {
			t.Errorf("it was granted %q", got)
		}
		held := prepare(t, far, `true`, "")
		held.Params = maps.Clone(job.Params)
		held.Params["job_--hold"] = ""
		id := submit(t, far, held)
		if err := far.Stop(t.Context(), held, id); err != nil {
			t.Fatal(err)
		}
		if ending := watch(t, far, held, id); ending.End != runner.Died || ending.Cause != runner.Cancelled {
			t.Errorf("ended %+v", ending)
		}
	})
	t.Run("the node fails", func(t *testing.T) {
		job := prepare(t, r, `sleep 60`, "--mem=50")
		id := submit(t, r, job)
		untilStarted(t, job)
		c.FailNode()
		if ending := watch(t, r, job, id); ending.End == runner.Unknown || ending.Cause != runner.NodeFailure || !strings.Contains(ending.Message, "no fault") {
			t.Errorf("ended %+v", ending)
		}
	})
}

func TestFiftyJobsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)
	var mu sync.Mutex
	counts, now, most := map[string]int{}, map[string]int{}, map[string]int{}
	r.intercept = func(_ target, name string, _ []string) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		counts[name]++
		now[name]++
		most[name] = max(most[name], now[name])
		return func() { mu.Lock(); defer mu.Unlock(); now[name]-- }, nil
	}
	start := time.Now()
	var all sync.WaitGroup
	for i := range 50 {
		job := prepare(t, r, fmt.Sprintf("exit %d", i%2), "--mem=10")
		all.Go(func() {
			id, err := r.Submit(t.Context(), job)
			if err != nil {
				t.Error(err)
				return
			}
			if ending, err := r.Watch(t.Context(), job, id); err != nil || ending != (runner.Ending{End: runner.Finished}) {
				t.Errorf("ended %+v, %v", ending, err)
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	t.Logf("50 jobs in %v: %v", took, counts)
	if most["squeue"] > 1 || counts["sbatch"] != 50 || counts["squeue"] > 2+int(took/quickestAsk) || most["sbatch"] > submitters {
		t.Errorf("commands %v, at once %v, in %v", counts, most, took)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, en := range r.engines {
		testenv.Poll(t, "the end of the loop", testenv.Patience, func() bool { en.mu.Lock(); defer en.mu.Unlock(); return !en.looping })
	}
}

func TestAnOutageOfTheControllerFailsNoJob(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)
	r.times.cause = quickly.late // there is nobody to tell it
	running := prepare(t, r, `sleep 60`, "--mem=50")
	ends := prepare(t, r, `cat ../gate; exit 4`, "--mem=50")
	waits := prepare(t, r, `true`, "--mem=50")
	mkfifo(t, filepath.Join(ends.Dir.Path, "gate"))
	id, endsID := submit(t, r, running), submit(t, r, ends)
	untilStarted(t, running)
	untilStarted(t, ends)
	c.StopController()
	if _, err := r.Submit(t.Context(), waits); !errors.Is(err, runner.ErrUnavailable) {
		t.Errorf("Submit says %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if ending, err := r.Watch(ctx, running, id); !errors.Is(err, context.DeadlineExceeded) || ending.End != runner.Unknown {
		t.Errorf("Watch says %+v, %v", ending, err)
	}
	open(t, filepath.Join(ends.Dir.Path, "gate"))
	if ending := watch(t, r, ends, endsID); ending != (runner.Ending{End: runner.Finished}) {
		t.Errorf("the one that ended meanwhile: %+v", ending)
	}
	if err := r.Stop(t.Context(), running, id); !errors.Is(err, runner.ErrUnavailable) {
		t.Errorf("Stop says %v", err)
	}
	c.StartController()
	if ending := watch(t, r, waits, submit(t, r, waits)); ending.End != runner.Finished {
		t.Errorf("the one that waited: %+v", ending)
	}
	if err := r.Stop(t.Context(), running, id); err != nil {
		t.Fatal(err)
	}
	if ending := watch(t, r, running, id); ending.End == runner.Unknown || ending.Cause != runner.Cancelled {
		t.Errorf("the one that ran: %+v", ending)
	}
}

func TestWhatSlurmForgotIsNotGuessed(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)
	held := prepare(t, r, `true`, "--hold")
	begun := prepare(t, r, `true`, "--hold")
	heldID, begunID := submit(t, r, held), submit(t, r, begun)
	c.ForgetJobs()
	// One has begun, by its own word.
	started := filepath.Join(filepath.Dir(begun.Dir.Lock(1)), "started")
	if err := os.WriteFile(started, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if ending := watch(t, r, begun, begunID); ending.End != runner.Unknown || !strings.Contains(ending.Message, begunID) {
		t.Errorf("the one that had begun: %+v", ending)
	}
	if err := r.Stop(t.Context(), begun, begunID); err != nil {
		t.Fatal(err)
	}
	if ending := watch(t, r, begun, begunID); ending.End != runner.Died || ending.Cause != runner.Cancelled {
		t.Errorf("the one that had begun, stopped: %+v", ending)
	}
	if ending := watch(t, r, held, heldID); ending.End != runner.Died || ending.Cause != runner.NodeFailure || !held.Dir.Voided(1) {
		t.Errorf("the one that had not: %+v", ending)
	}
}

func TestAnAnswerThatDoesNotComeLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)
	job := prepare(t, r, `echo ran >>../count`, "--mem=50")
	c.PauseController()
	if _, err := r.Submit(t.Context(), job); !errors.Is(err, runner.ErrUnavailable) {
		t.Errorf("Submit says %v", err)
	}
	c.ResumeController() // and it takes the job that sbatch has given up
	testenv.Poll(t, "the job", testenv.Patience, func() bool {
		return strings.Count(c.Run("squeue", "--noheader", "--states=all"), "\n") > 0
	})
	id := submit(t, r, job)
	if ending := watch(t, r, job, id); ending.End != runner.Finished {
		t.Errorf("ended %+v", ending)
	}
	if got := c.Run("squeue", "--noheader", "--states=all", "--format=%A"); got != id+"\n" {
		t.Errorf("Slurm has the jobs %q", got)
	}
	if got := read1(t, filepath.Join(job.Dir.Path, "count")); got != "ran\n" {
		t.Errorf("it ran %d times", strings.Count(got, "\n"))
	}
}

func TestAJobThatTakesTooLong(t *testing.T) {
	t.Parallel()
	c := testenv.Slurm(t)
	r := newRunner(t, c)
	job := prepare(t, r, `exec sleep 300`, "--time=1")
	id := submit(t, r, job)
	untilStarted(t, job)
	c.Run("scontrol", "update", "JobId="+id, "EndTime="+time.Now().Add(4*time.Second).Format("2006-01-02T15:04:05"))
	// Slurm looks at the times of its jobs every half minute.
	if ending := watch(t, r, job, id); ending.End == runner.Unknown || ending.Cause != runner.WalltimeLimit {
		t.Errorf("ended %+v", ending)
	}
}

func TestAccountsTellOfJobsThatTheControllerForgot(t *testing.T) {
	t.Parallel()
	c := testenv.SlurmWithAccounts(t)
	r := newRunner(t, c)
	job := prepare(t, r, `exec sleep 300`, "--mem=50")
	id := submit(t, r, job)
	untilStarted(t, job)
	c.Run("scancel", "--signal=KILL", "--full", id) // and the script leaves nothing
	c.Run("scancel", id)
	testenv.Poll(t, "the job's account", testenv.Patience, func() bool {
		return strings.HasPrefix(c.Run("sacct", "--noheader", "--parsable2", "--allocations", "--format=State", "--jobs="+id), "CANCELLED")
	})
	c.ForgetJobs()
	if ending := watch(t, r, job, id); ending.End == runner.Unknown || ending.Cause != runner.Cancelled {
		t.Errorf("ended %+v", ending)
	}
}
