package local_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
	"orrery/internal/runner/local"
)

func prepare(t *testing.T, command string) runner.Job {
	t.Helper()
	job := runner.Job{Dir: jobdir.Of(t.TempDir(), 7), Attempt: 1}
	if err := job.Dir.Create(); err != nil {
		t.Fatal(err)
	}
	if err := job.Dir.Write(1, jobdir.Script{Command: command, Version: "echo 1.2"}); err != nil {
		t.Fatal(err)
	}
	return job
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAJobLeavesItsOutcome(t *testing.T) {
	r := local.New()
	job := prepare(t, `echo "slots $GALAXY_SLOTS"; pwd; echo oops >&2; exit 3`)
	id, err := r.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	end, err := r.Watch(t.Context(), job, id)
	if err != nil || end.End != runner.Finished {
		t.Fatalf("ended %v, %v", end, err)
	}
	outcome, err := job.Dir.ReadOutcome(1)
	if err != nil || outcome.ExitCode != 3 || outcome.Slots != 1 || outcome.Start == 0 || outcome.End < outcome.Start {
		t.Errorf("outcome %+v, %v", outcome, err)
	}
	if got, want := read(t, job.Dir.ToolStdout()), "slots 1\n"+job.Dir.Working()+"\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if got := read(t, job.Dir.ToolStderr()); got != "oops\n" {
		t.Errorf("stderr %q", got)
	}
	if got := read(t, job.Dir.VersionFile()); got != "1.2\n" {
		t.Errorf("version %q", got)
	}
}

// TestAJobsSessionGivesWay: where the kernel shares processors out between sessions, a job's weighs less than others.
func TestAJobsSessionGivesWay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("an ordinary user may lower ten sessions in a second; this one may be the eleventh")
		return
	}
	r := local.New()
	job := prepare(t, `while [ ! -e ../submitted ]; do sleep 0.01; done; cat /proc/self/autogroup 2>/dev/null || echo nice 15`)
	id, err := r.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(job.Dir.Path, "submitted"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if end, err := r.Watch(t.Context(), job, id); err != nil || end.End != runner.Finished {
		t.Fatalf("ended %v, %v", end, err)
	}
	if got := read(t, job.Dir.ToolStdout()); !strings.HasSuffix(got, "nice 15\n") {
		t.Errorf("the job's session is %q", got)
	}
}

func TestSubmittingTwiceRunsOnce(t *testing.T) {
	job := prepare(t, "echo ran >>../count")
	for range 3 {
		r := local.New() // as after a restart of the handler
		id, err := r.Submit(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if end, err := r.Watch(t.Context(), job, id); err != nil || end.End != runner.Finished {
			t.Fatalf("ended %v, %v", end, err)
		}
	}
	if got := read(t, filepath.Join(job.Dir.Path, "count")); got != "ran\n" {
		t.Errorf("it ran %d times", strings.Count(got, "\n"))
	}
}

func TestAnotherHandlerWaitsForARunningJob(t *testing.T) {
	job := prepare(t, "cat <../gate >/dev/null; echo done")
	gate := filepath.Join(job.Dir.Path, "gate")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := local.New().Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	second := local.New()
	again, err := second.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.OpenFile(gate, os.O_WRONLY, 0) // returns when the job reads
	if err != nil {
		t.Fatal(err)
	}
	if pid := job.Dir.RunPID(1); id != again && pid == 0 {
		t.Errorf("submitted as %s, then as %s", id, again)
	}
	if end, err := second.Watch(canceled(), job, id); end.End != runner.Unknown || err == nil {
		t.Errorf("a job that runs was said to have ended: %v, %v", end, err)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	if end, err := second.Watch(t.Context(), job, id); err != nil || end.End != runner.Finished {
		t.Errorf("ended %v, %v", end, err)
	}
}

func TestStopKillsWhatTheToolStarted(t *testing.T) {
	job := prepare(t, "mkfifo up; (echo up >up; exec cat <../never) & cat up; echo started >../up; wait")
	never := filepath.Join(job.Dir.Path, "never")
	up := filepath.Join(job.Dir.Path, "up")
	for _, path := range []string{never, up} {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := local.New()
	id, err := r.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(up)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(f).ReadString('\n'); err != nil || line != "started\n" {
		t.Fatalf("the job said %q, %v", line, err)
	}
	if err := r.Stop(t.Context(), job, id); err != nil {
		t.Fatal(err)
	}
	if end, err := r.Watch(t.Context(), job, id); err != nil || end.End != runner.Died {
		t.Errorf("ended %v, %v", end, err)
	}
}

func TestAnUnstartedJobHasDied(t *testing.T) {
	job := prepare(t, "true")
	if end, err := local.New().Watch(t.Context(), job, "1"); err != nil || end.End != runner.Died {
		t.Errorf("ended %v, %v", end, err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// place writes into a job's folder that an attempt was started somewhere.
func place(t *testing.T, job runner.Job, p jobdir.Place) {
	t.Helper()
	if err := os.WriteFile(job.Dir.Lock(1), []byte(p.Line()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAnAttemptOfAnotherHostIsNotJudged(t *testing.T) {
	job := prepare(t, "true")
	place(t, job, jobdir.Place{Boot: "b", Host: "elsewhere"})
	r := local.New()
	end, err := r.Watch(t.Context(), job, "1")
	if err != nil || end.End != runner.Unknown || !strings.Contains(end.Message, "elsewhere") {
		t.Errorf("ended %+v, %v", end, err)
	}
	if host, elsewhere := r.Elsewhere(job); !elsewhere || host != "elsewhere" {
		t.Errorf("it runs on %q, %v", host, elsewhere)
	}
	if err := r.Stop(t.Context(), job, "1"); !errors.Is(err, runner.ErrUnavailable) {
		t.Errorf("stopped: %v", err)
	}
}

func TestARestartedHostHasLostItsAttempts(t *testing.T) {
	here, err := jobdir.Here()
	if err != nil {
		t.Fatal(err)
	}
	job := prepare(t, "true")
	place(t, job, jobdir.Place{Boot: "earlier", Host: here.Host})
	end, err := local.New().Watch(t.Context(), job, "1")
	if err != nil || end.End != runner.Died || end.Cause != runner.NodeFailure || end.Message == "" {
		t.Errorf("ended %+v, %v", end, err)
	}
}

// A handler that was paused while it started a job holds the lock too; the exit
// code tells that the job has ended.
func TestALockThatAHandlerHolds(t *testing.T) {
	job := prepare(t, "true")
	id, err := local.New().Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(job.Dir.Lock(1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	second := local.New()
	if end, err := second.Watch(t.Context(), job, id); err != nil || end.End != runner.Finished {
		t.Errorf("ended %+v, %v", end, err)
	}
	if err := second.Stop(t.Context(), job, "1"); err != nil {
		t.Error(err)
	}
}
