package slurm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// Options are what a runner is made of.
type Options struct {
	// Load is the plugin's `load` line, one that Loads knows.
	Load string
	// Params are the plugin's parameters.
	Params map[string]string
	// Environ is the environment of Slurm's commands, and with it, as sbatch does it,
	// of the jobs; nil is this process's, less what is the server's own.
	Environ []string
	// Log is told what an administrator should know; nil is the default logger.
	Log *slog.Logger
}

// Runner runs jobs on Slurm clusters.
type Runner struct {
	load    string
	environ []string
	log     *slog.Logger
	submits chan struct{} // as many as may submit at once
	times   times

	// intercept, for tests, is told of each command that begins; done is called at
	// its end.
	intercept func(t target, name string, args []string) (done func(), err error)

	mu      sync.Mutex
	engines map[target]*engine
}

var (
	_ runner.Runner   = (*Runner)(nil)
	_ runner.Queueing = (*Runner)(nil)
	_ runner.Scripted = (*Runner)(nil)
)

// submitters is how many sbatch run at once: the controller takes jobs one by one.
const submitters = 4

// New makes a runner for a plugin of the job configuration. The cluster need not
// be up.
func New(o Options) (*Runner, error) {
	load := whole(o.Load)
	if load == "" {
		return nil, fmt.Errorf("load=%q is not a runner for Slurm", o.Load)
	}
	if library := strings.ToLower(o.Params["drmaa_library_path"]); load == loadDRMAA {
		for _, other := range []string{"gridengine", "sge", "uge", "pbs", "torque", "lsf", "condor"} {
			if strings.Contains(library, other) {
				return nil, fmt.Errorf("the drmaa_library_path %s is not Slurm's; of DRMAA's clusters, Slurm is served", o.Params["drmaa_library_path"])
			}
		}
	}
	own := o.Environ
	if own == nil {
		own = jobdir.Environ(os.Environ())
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Runner{
		load: load, environ: environ(own), log: o.Log, submits: make(chan struct{}, submitters), times: usual, engines: map[target]*engine{},
	}, nil
}

// Queues tells that Slurm has a queue of its own.
func (r *Runner) Queues() bool { return true }

// Script adds what tells a job how much it was granted: processors, and memory in
// MB, by the rules of Galaxy's own scripts for Slurm.
func (r *Runner) Script(runner.Job) (jobdir.Part, error) {
	return jobdir.Part{ID: `"${SLURM_JOB_ID:--}"`, Grant: []string{
		`if [ -n "$SLURM_CPUS_ON_NODE" ]; then GALAXY_SLOTS=$SLURM_CPUS_ON_NODE`,
		`elif [ -n "$SLURM_NTASKS$SLURM_CPUS_PER_TASK" ]; then GALAXY_SLOTS=$((${SLURM_NTASKS:-1} * ${SLURM_CPUS_PER_TASK:-1})); fi`,
		`export GALAXY_SLOTS OMP_NUM_THREADS="$GALAXY_SLOTS"`,
		`if [ -z "$GALAXY_MEMORY_MB" ]; then`,
		`  if [ "${SLURM_MEM_PER_NODE:-0}" -gt 0 ] 2>/dev/null; then GALAXY_MEMORY_MB=$SLURM_MEM_PER_NODE`,
		`  elif [ "${SLURM_MEM_PER_CPU:-0}" -gt 0 ] 2>/dev/null; then GALAXY_MEMORY_MB=$((SLURM_MEM_PER_CPU * GALAXY_SLOTS))`,
		// Where nobody asked for memory, only the controller knows what was granted.
		`  elif [[ "$(scontrol -do show job "$SLURM_JOB_ID" 2>/dev/null)" =~ (^|\ )Mem=([0-9]+)(\ |$) ]]; then GALAXY_MEMORY_MB=${BASH_REMATCH[2]}; fi`,
		`fi`,
		`if [ "${GALAXY_MEMORY_MB:-0}" -gt 0 ] 2>/dev/null; then export GALAXY_MEMORY_MB GALAXY_MEMORY_MB_PER_SLOT=$((GALAXY_MEMORY_MB / GALAXY_SLOTS))`,
		`else unset GALAXY_MEMORY_MB; fi`,
	}}, nil
}

// Submit hands an attempt to sbatch and gives its id in Slurm: «12», or
// «12.cluster» when the destination names clusters. An attempt that may have been
// handed over before is looked for first.
func (r *Runner) Submit(ctx context.Context, job runner.Job) (string, error) {
	q, err := read(r.load, job.Params, r.log)
	if err != nil {
		return "", err
	}
	rec, fresh, err := openRecord(job)
	if err != nil {
		return "", fmt.Errorf("noting that the job is handed over: %w", err)
	}
	if fresh {
		// What Slurm wrote about an earlier attempt would be taken for this one's.
		for _, path := range []string{job.Dir.JobStdout(), job.Dir.JobStderr()} {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				return "", err
			}
		}
	} else if id, found, err := r.earlier(ctx, job, q.target, rec); found || err != nil {
		return id, err
	}
	select {
	case r.submits <- struct{}{}:
		defer func() { <-r.submits }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	tag := rec.tag(job)
	asked := time.Now()
	output, err := r.run(ctx, q.target, "sbatch", r.arguments(job, q, tag)...)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if unavailable(err) {
			return "", fmt.Errorf("%w: %w", runner.ErrUnavailable, err)
		}
		return "", fmt.Errorf("the cluster refused the job: %w", err)
	}
	id, ok := parseSubmitted(output)
	if !ok { // a plugin of the site says more than the id
		l, err := r.engine(q.target).fresh(ctx, asked)
		if err != nil {
			return "", fmt.Errorf("%w: %w", runner.ErrUnavailable, err)
		}
		if id = l.choose(tag); id == "" {
			return "", fmt.Errorf("%w: sbatch gave no number for the job but said %.200q", runner.ErrUnavailable, output)
		}
	}
	if err := addRecord(job, id); err != nil {
		r.log.Warn("the number of a job in Slurm could not be written into its folder", "job", job.Dir.JobID, "slurm", id, "error", err)
	}
	return id, nil
}

// earlier looks for a submission of an attempt whose record is there already.
func (r *Runner) earlier(ctx context.Context, job runner.Job, t target, rec record) (id string, found bool, err error) {
	l, err := r.engine(t).fresh(ctx, time.Now())
	if err != nil {
		if ctx.Err() != nil {
			return "", false, ctx.Err()
		}
		return "", false, fmt.Errorf("%w: %w", runner.ErrUnavailable, err)
	}
	if id = l.choose(rec.tag(job)); id != "" {
		if !slices.Contains(rec.ids, id) {
			err = addRecord(job, id)
		}
		return id, true, err
	}
	if n := len(rec.ids); n > 0 { // Slurm has forgotten it; Watch finds out what that means
		return rec.ids[n-1], true, nil
	}
	if run, ok := job.Dir.ReadRun(job.Attempt); ok {
		return run.ID, true, nil
	}
	return "", job.Dir.Started(job.Attempt), nil
}

// choose gives one of an attempt's submissions: one that lives, if there is one.
func (l *listing) choose(tag string) string {
	id := ""
	for _, one := range l.tagged[tag] {
		if id == "" || l.jobs[id].over() {
			id = one
		}
	}
	return id
}

// arguments are sbatch's. What this runner relies on comes last and so holds.
func (r *Runner) arguments(job runner.Job, q request, tag string) []string {
	comment := tag
	if q.comment != "" {
		comment += " " + q.comment
	}
	name := job.Name
	if name == "" {
		name = fmt.Sprintf("g%d", job.Dir.JobID)
	}
	if r.load == loadDRMAA && len(name) > 15 { // as Galaxy's
		name = name[:15]
	}
	// In names of files Slurm puts other things for «%j» and the like.
	file := func(path string) string { return strings.ReplaceAll(path, "%", "%%") }
	return append(slices.Clone(q.args), "--parsable", "--job-name="+name, "--comment="+comment,
		"--output="+file(job.Dir.JobStdout()), "--error="+file(job.Dir.JobStderr()), "--open-mode=append", "--chdir="+job.Dir.Path,
		"--no-requeue", // a second start would end at once and hide how the first ended
		job.Dir.Script(job.Attempt))
}

// Watch waits until an attempt has ended. An outage of the cluster only makes it
// wait.
func (r *Runner) Watch(ctx context.Context, job runner.Job, externalID string) (runner.Ending, error) {
	if outcome, err := job.Dir.ReadOutcome(job.Attempt); err == nil && outcome.ExitCode == 0 {
		return runner.Ending{End: runner.Finished}, nil
	}
	e, t, err := r.entry(job, externalID)
	if err != nil {
		return runner.Ending{End: runner.Unknown}, err
	}
	en := r.engine(t)
	en.enter(e)
	defer en.leave(e)
	select {
	case <-e.done:
		return e.ending, e.err
	case <-ctx.Done():
		return runner.Ending{End: runner.Unknown}, ctx.Err()
	}
}

// entry gathers what is known of an attempt's submissions, and where to ask.
func (r *Runner) entry(job runner.Job, externalID string) (*entry, target, error) {
	q, err := read(r.load, job.Params, r.log)
	if err != nil {
		return nil, target{}, err
	}
	e := &entry{job: job, times: r.times, done: make(chan struct{})}
	if id, cluster, ok := split(externalID); ok {
		e.ids = append(e.ids, id)
		if cluster != "" {
			q.cluster = cluster
		}
	}
	rec, ok, err := readRecord(job)
	if err != nil {
		return nil, target{}, err
	}
	if ok {
		e.tag, e.stopped = rec.tag(job), rec.stopped
	}
	for _, one := range rec.ids {
		if id, _, _ := split(one); !slices.Contains(e.ids, id) {
			e.ids = append(e.ids, id)
		}
	}
	return e, q.target, nil
}

// Stop cancels every submission of an attempt.
func (r *Runner) Stop(ctx context.Context, job runner.Job, externalID string) error {
	e, t, err := r.entry(job, externalID)
	if err != nil {
		return err
	}
	en := r.engine(t)
	if _, err := job.Dir.ReadOutcome(job.Attempt); !errors.Is(err, jobdir.ErrUnfinished) {
		return nil
	}
	if e.tag != "" && !e.stopped { // for whoever watches it later
		if err := addRecord(job, stoppedLine); err != nil {
			return fmt.Errorf("noting that the job is stopped: %w", err)
		}
	}
	l, err := en.fresh(ctx, time.Now())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", runner.ErrUnavailable, err)
	}
	ids := slices.DeleteFunc(e.submissions(l), func(id string) bool {
		row, known := l.row(t, id)
		return !known || row.over()
	})
	en.stopping(job)
	if len(ids) == 0 {
		return nil
	}
	if _, err := r.run(ctx, t, "scancel", append([]string{"--quiet"}, ids...)...); err != nil {
		var refused *commandError
		if errors.As(err, &refused) && (strings.Contains(refused.stderr, "Invalid job id") || strings.Contains(refused.stderr, "already completing or completed")) {
			return nil
		}
		if unavailable(err) {
			return fmt.Errorf("%w: %w", runner.ErrUnavailable, err)
		}
		return fmt.Errorf("cancelling the job on the cluster: %w", err)
	}
	en.stopping(job)
	return nil
}

// engine gives the one that asks a target.
func (r *Runner) engine(t target) *engine {
	r.mu.Lock()
	defer r.mu.Unlock()
	en := r.engines[t]
	if en == nil {
		en = newEngine(r, t)
		r.engines[t] = en
	}
	return en
}
