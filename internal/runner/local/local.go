package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// Runner runs jobs on this machine.
type Runner struct {
	environ []string

	mu      sync.Mutex
	running map[string]chan struct{} // lock file → closed when the process was reaped
}

var _ runner.Runner = (*Runner)(nil)

// New makes a runner whose jobs start with this process's environment, less
// what is the server's own.
func New() *Runner {
	return &Runner{environ: jobdir.Environ(os.Environ()), running: map[string]chan struct{}{}}
}

// Submit starts the job's script. The external id is its process id.
func (r *Runner) Submit(_ context.Context, job runner.Job) (string, error) {
	lock, err := os.OpenFile(job.Dir.Lock(job.Attempt), os.O_CREATE|os.O_RDWR, 0o644)
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
	stdout, err := os.Create(job.Dir.JobStdout())
	if err != nil {
		return "", err
	}
	defer stdout.Close()
	stderr, err := os.Create(job.Dir.JobStderr())
	if err != nil {
		return "", err
	}
	defer stderr.Close()
	cmd := exec.Command("/bin/bash", job.Dir.Script())
	cmd.Dir, cmd.Env = job.Dir.Path, r.environ
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// Descriptors 3 to 8 stay closed, 9 is the lock (see jobdir.Dir.Write).
	cmd.ExtraFiles = []*os.File{6: lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting the job: %w", err)
	}
	reaped := make(chan struct{})
	r.mu.Lock()
	r.running[lock.Name()] = reaped
	r.mu.Unlock()
	go func() {
		_ = cmd.Wait() // its status is in the exit code file
		close(reaped)
	}()
	return strconv.Itoa(cmd.Process.Pid), nil
}

// Watch waits for the end of a job: for the process when it is this process's
// child, else for the lock.
func (r *Runner) Watch(ctx context.Context, job runner.Job, _ string) (runner.Ending, error) {
	path := job.Dir.Lock(job.Attempt)
	r.mu.Lock()
	reaped := r.running[path]
	r.mu.Unlock()
	if reaped != nil {
		select {
		case <-reaped:
			r.mu.Lock()
			delete(r.running, path)
			r.mu.Unlock()
		case <-ctx.Done():
			return runner.Ending{End: runner.Unknown}, ctx.Err()
		}
	} else if err := waitUnlocked(ctx, path); err != nil {
		return runner.Ending{End: runner.Unknown}, err
	}
	_, err := job.Dir.ReadOutcome(job.Attempt)
	if errors.Is(err, jobdir.ErrUnfinished) {
		return runner.Ending{End: runner.Died}, nil
	}
	return runner.Ending{End: runner.Finished}, err
}

// waitUnlocked waits until nobody holds a lock file. The lock ends with the last
// process that has it open, however that ends.
func waitUnlocked(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never began
	}
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer f.Close()
		for {
			err := unix.Flock(int(f.Fd()), unix.LOCK_SH)
			if !errors.Is(err, unix.EINTR) {
				done <- err
				return
			}
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop kills the job's whole session: the script's process group, then every
// process that the tool started in it.
func (r *Runner) Stop(_ context.Context, job runner.Job, externalID string) error {
	pid := job.Dir.RunPID(job.Attempt)
	if pid == 0 {
		pid, _ = strconv.Atoi(externalID)
	}
	if pid <= 1 || !locked(job.Dir.Lock(job.Attempt)) {
		return nil // it has ended; its process id may be another's by now
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
