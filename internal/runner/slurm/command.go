package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"orrery/internal/runner"
)

// patience is how long a command of Slurm's may take. With the defaults, Slurm's
// own time for an answer is 10 s, and sbatch tries more than once.
const patience = 90 * time.Second

// largest is how much a command may print: a million jobs.
const largest = 256 << 20

// commandError is a command of Slurm's that failed.
type commandError struct {
	name   string
	stderr string
	err    error
	remote bool
}

func (e *commandError) Error() string {
	var lines []string
	for _, line := range strings.Split(e.stderr, "\n") {
		line = strings.TrimSpace(line)
		line = strings.TrimSpace(strings.TrimPrefix(line, e.name+":"))
		if line = strings.TrimSpace(strings.TrimPrefix(line, "error:")); line != "" && len(lines) < 20 {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return fmt.Sprintf("%s: %v", e.name, e.err)
	}
	return e.name + ": " + strings.Join(lines, "; ")
}

func (e *commandError) Unwrap() error { return e.err }

// passing are parts of messages, in lower case, which say nothing against the job.
var passing = []string{
	"unable to contact slurm controller", "socket timed out", "connection refused", "connection timed out", "connection reset",
	"no route to host", "network is unreachable", "temporarily unable", "temporarily unavailable", "standby", "transport endpoint",
	"zero bytes were transmitted", "munge", "authentication", "credential", "message receive failure", "unexpected message",
	"insane message", "configuration source", "name resolution", "name or service not known", "could not resolve", "slurmdbd",
	"i/o error writing", "slurm_msg_sendto", "missing socket", "maxsubmit", "maximum job count", "inactive or drain", "reconfigur", "cannot allocate memory", "no space left",
	"stale file handle", "too many open files",
}

// unavailable tells whether an error is the cluster's, so that the job waits.
func unavailable(err error) bool {
	var e *commandError
	if !errors.As(err, &e) {
		return errors.Is(err, runner.ErrUnavailable)
	}
	var exit *exec.ExitError
	if !errors.As(e.err, &exit) { // it did not begin, or not end
		return true
	}
	if exit.ExitCode() < 0 || e.remote && exit.ExitCode() == 255 { // it was killed; ssh's own failure
		return true
	}
	text := strings.ToLower(e.stderr)
	for _, part := range passing {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// run runs a command of Slurm's and gives what it printed.
func (r *Runner) run(ctx context.Context, t target, name string, args ...string) (string, error) {
	if r.intercept != nil {
		done, err := r.intercept(t, name, args)
		if err != nil {
			return "", err
		}
		defer done()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	line := t.line(name, args)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env, cmd.Dir = r.environ, "/"
	cmd.WaitDelay = 5 * time.Second
	stdout, stderr := bounded{max: largest}, bounded{max: 64 << 10}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil && stdout.cut {
		err = fmt.Errorf("it printed more than %d bytes", largest)
	}
	if ctx.Err() != nil && err != nil {
		err = ctx.Err() // rather than «killed»
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("it gave no answer within %v", patience)
		}
	}
	if err != nil {
		return stdout.String(), &commandError{name: name, stderr: stderr.String(), err: err, remote: t.way != ""}
	}
	return stdout.String(), nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	max int
	cut bool
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := p
	if room := b.max - b.Len(); len(p) > room {
		keep, b.cut = p[:room], true
	}
	_, _ = b.Buffer.Write(keep)
	return len(p), nil
}

// environ is the environment of the commands: variables that would change what
// they list are left out.
func environ(own []string) []string {
	var kept []string
	for _, kv := range own {
		name, _, _ := strings.Cut(kv, "=")
		switch prefix, _, _ := strings.Cut(name, "_"); prefix {
		case "SQUEUE", "SACCT", "SCANCEL":
			continue
		}
		if name == "SLURM_TIME_FORMAT" || name == "SLURM_BITSTR_LEN" {
			continue
		}
		kept = append(kept, kv)
	}
	return kept
}
