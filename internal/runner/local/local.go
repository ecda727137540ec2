package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// Runner runs jobs on this machine.
type Runner struct {
	environ []string
	// poll is how often to look whether a job that another process started has left
	// its exit code.
	poll time.Duration

	mu      sync.Mutex
	running map[string]*child // by lock file
}

// child is a run that this process started.
type child struct {
	pid    int
	reaped chan struct{}
}

var (
	_ runner.Runner    = (*Runner)(nil)
	_ runner.HostBound = (*Runner)(nil)
)

// New makes a runner whose jobs start with this process's environment, less
// what is the server's own.
func New() *Runner {
	return &Runner{environ: jobdir.Environ(os.Environ()), poll: 200 * time.Millisecond, running: map[string]*child{}}
}

// Submit starts the job's script. The external id is its process id.
func (r *Runner) Submit(_ context.Context, job runner.Job) (string, error) {
	here, err := jobdir.Here()
	if err != nil {
		return "", err
	}
	lock, err := os.OpenFile(job.Dir.Lock(job.Attempt), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return "", fmt.Errorf("opening the job's lock: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) { // it runs already
			return strconv.Itoa(job.Dir.RunPID(job.Attempt)), nil
		}
		return "", fmt.Errorf("locking the job: %w", err)
	}
	// Before anything runs: whoever finds the lock free has to know on which host
	// that means something.
	if _, err := lock.WriteString(here.Line()); err != nil {
		return "", fmt.Errorf("writing the job's lock: %w", err)
	}
	// Appended to: an earlier run of this attempt may still write.
	stdout, err := os.OpenFile(job.Dir.JobStdout(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return "", err
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(job.Dir.JobStderr(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return "", err
	}
	defer stderr.Close()
	cmd := exec.Command("/bin/bash", job.Dir.Script(job.Attempt))
	cmd.Dir, cmd.Env = job.Dir.Path, r.environ
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// Descriptors 3 to 8 stay closed, 9 is the lock (see jobdir.Dir.Write).
	cmd.ExtraFiles = []*os.File{6: lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting the job: %w", err)
	}
	giveWay(cmd.Process.Pid)
	c := &child{pid: cmd.Process.Pid, reaped: make(chan struct{})}
	r.mu.Lock()
	r.running[lock.Name()] = c
	r.mu.Unlock()
	go func() {
		_ = cmd.Wait() // its status is in the exit code file
		close(c.reaped)
	}()
	return strconv.Itoa(c.pid), nil
}

// Watch waits for the end of a job: for the process when it is this process's
// child, else for the lock. That an attempt is dead is known only on the host
// that it was started on; a host of that name that was started again since is
// proof too.
func (r *Runner) Watch(ctx context.Context, job runner.Job, _ string) (runner.Ending, error) {
	path := job.Dir.Lock(job.Attempt)
	r.mu.Lock()
	mine := r.running[path]
	r.mu.Unlock()
	if mine != nil {
		select {
		case <-mine.reaped:
			r.mu.Lock()
			delete(r.running, path)
			r.mu.Unlock()
		case <-ctx.Done():
			return runner.Ending{End: runner.Unknown}, ctx.Err()
		}
		if ending, err := finished(job); ending.End == runner.Finished || err != nil {
			return ending, err
		}
		// It may have found that the attempt had begun already; then another process
		// is the run to wait for.
	}
	here, err := jobdir.Here()
	if err != nil {
		return runner.Ending{End: runner.Unknown}, err
	}
	if host, elsewhere := away(job, here); elsewhere {
		if ending, err := finished(job); ending.End == runner.Finished || err != nil {
			return ending, err
		}
		return runner.Ending{End: runner.Unknown, Message: fmt.Sprintf(
			"This job runs on the host %s, which cannot be asked from here. It is waited for.", host)}, nil
	}
	if err := r.waitUnlocked(ctx, job); err != nil {
		return runner.Ending{End: runner.Unknown}, err
	}
	if ending, err := finished(job); ending.End == runner.Finished || err != nil {
		return ending, err
	}
	ending := runner.Ending{End: runner.Died}
	if places := job.Dir.Places(job.Attempt); len(places) > 0 && !slices.Contains(places, here) {
		ending.Cause, ending.Message = runner.NodeFailure, "The machine that ran this job was restarted."
	}
	return ending, nil
}

// finished tells whether an attempt left an exit code.
func finished(job runner.Job) (runner.Ending, error) {
	_, err := job.Dir.ReadOutcome(job.Attempt)
	if errors.Is(err, jobdir.ErrUnfinished) {
		return runner.Ending{End: runner.Unknown}, nil
	}
	return runner.Ending{End: runner.Finished}, err
}

// Elsewhere tells on which other host an attempt may still run.
func (r *Runner) Elsewhere(job runner.Job) (host string, elsewhere bool) {
	here, err := jobdir.Here()
	if err != nil {
		return "", false
	}
	return away(job, here)
}

// away gives a host other than this one that an attempt was started on, and where
// it may run. What it says itself counts more than who tried to start it.
func away(job runner.Job, here jobdir.Place) (host string, elsewhere bool) {
	if run, ok := job.Dir.ReadRun(job.Attempt); ok {
		return run.Host, run.Host != here.Host
	}
	for _, p := range job.Dir.Places(job.Attempt) {
		if p.Host != here.Host {
			return p.Host, true
		}
	}
	return "", false
}

// waitUnlocked waits until nobody holds the lock of an attempt, or until it has
// left its exit code: the lock ends with the last process that has it open,
// however that ends, and a handler that was paused while it started the job has
// it open too.
func (r *Runner) waitUnlocked(ctx context.Context, job runner.Job) error {
	f, err := os.Open(job.Dir.Lock(job.Attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never began
	}
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(r.poll)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("asking for the job's lock: %w", err)
		}
		if ending, err := finished(job); ending.End == runner.Finished || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop kills the job's whole session: the script's process group, then every
// process that the tool started in it.
func (r *Runner) Stop(_ context.Context, job runner.Job, externalID string) error {
	here, err := jobdir.Here()
	if err != nil {
		return err
	}
	if host, elsewhere := away(job, here); elsewhere {
		return fmt.Errorf("the job runs on the host %s and can be stopped only there: %w", host, runner.ErrUnavailable)
	}
	pid := job.Dir.RunPID(job.Attempt)
	if pid == 0 {
		pid, _ = strconv.Atoi(externalID)
	}
	if pid <= 1 || !locked(job.Dir.Lock(job.Attempt)) {
		return nil // it has ended; its process id may be another's by now
	}
	if command, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil && len(command) > 0 &&
		!strings.Contains(string(command), job.Dir.Script(job.Attempt)) {
		return nil // the lock is held by a handler that was paused
	}
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stopping process group %d: %w", pid, err)
	}
	return nil
}

// locked tells whether somebody holds a lock file.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return errors.Is(err, unix.EWOULDBLOCK)
	}
	return false
}
