package slurm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// times are how long an entry waits for what comes late.
type times struct {
	// late is how long after the end of a job in Slurm its exit code may be seen: the
	// folder may be on a file system that keeps what it knew. After a job that Slurm
	// killed it is lateKilled.
	late, lateKilled time.Duration
	// cause is how long after a failed tool's exit code Slurm may tell what it did to
	// the job.
	cause time.Duration
	// absent is how long Slurm must not have known a job.
	absent time.Duration
}

var usual = times{late: 20 * time.Second, lateKilled: 2 * time.Second, cause: 10 * time.Second, absent: 15 * time.Second}

// entry is an attempt that is watched.
type entry struct {
	job   runner.Job
	tag   string   // in the comment of its submissions; empty if this server made none
	ids   []string // of its submissions, numbers only
	times times

	entered  time.Time // when the watch began
	fresh    time.Time // since when it is worth to look often
	next     time.Time // when to look next
	begun    bool
	stopped  bool
	accounts map[string]row // what sacct said of ids that squeue does not know
	ask      []string       // the ids that sacct is being asked for; under the engine's lock

	codeSeen   time.Time // since when it has the exit code of a failed tool
	overSeen   time.Time // since when Slurm says that it is over
	absentSeen time.Time // since when Slurm does not know it
	absentIn   int       // in so many listings
	absentLast time.Time // the last of them

	done   chan struct{}
	ended  bool
	ending runner.Ending
	err    error
}

// row gives what Slurm knows of one job.
func (l *listing) row(t target, id string) (row, bool) {
	r, ok := l.jobs[id]
	if !ok && t.cluster != "" {
		r, ok = l.jobs[id+"."+t.cluster]
	}
	return r, ok
}

// submissions are the numbers of the jobs in Slurm that may be the attempt's run.
// Once a run has said which it is, that one alone counts: any other ends at once.
func (e *entry) submissions(l *listing) []string {
	if run, ok := e.job.Dir.ReadRun(e.job.Attempt); ok && isJobID(run.ID) {
		return []string{run.ID}
	}
	ids := slices.Clone(e.ids)
	if e.tag != "" {
		for _, tagged := range l.tagged[e.tag] {
			if id, _, _ := split(tagged); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// absent are the submissions that neither squeue nor sacct knew.
func (e *entry) absent(t target, l *listing) []string {
	known := func(id string) bool {
		_, listed := l.row(t, id)
		_, told := e.accounts[id]
		return listed || told
	}
	if len(e.ids) > 0 && !slices.ContainsFunc(e.ids, func(id string) bool { return !known(id) }) {
		return nil // nearly always, and without reading the folder
	}
	return slices.DeleteFunc(e.submissions(l), known)
}

// look tells whether the attempt has ended, from its folder and the latest
// listing, which may be nil.
func (e *entry) look(now time.Time, t target, l *listing) (ended bool, ending runner.Ending, err error) {
	outcome, err := e.job.Dir.ReadOutcome(e.job.Attempt)
	switch {
	case err == nil:
		return e.failed(now, t, l, outcome)
	case !errors.Is(err, jobdir.ErrUnfinished):
		return true, runner.Ending{End: runner.Finished}, err
	}
	started := e.job.Dir.Started(e.job.Attempt) && !e.job.Dir.Voided(e.job.Attempt)
	if started {
		e.begin()
	}
	if l == nil || l.asked.Before(e.entered) {
		return false, runner.Ending{}, nil
	}
	ids := e.submissions(l)
	var over []row
	missing := len(ids) == 0
	for _, id := range ids {
		r, known := l.row(t, id)
		if !known {
			r, known = e.accounts[id]
		}
		switch {
		case !known:
			missing = true
		case r.over():
			over = append(over, r)
		default:
			if r.runs() {
				e.begin()
			}
			e.overSeen, e.absentSeen, e.absentIn = time.Time{}, time.Time{}, 0
			return false, runner.Ending{}, nil
		}
	}
	if missing {
		return e.forgotten(now, l, ids, started)
	}
	if e.overSeen.IsZero() {
		e.overSeen, e.fresh = now, now
	}
	r := worst(over)
	late := e.times.late
	if r.killed() {
		late = e.times.lateKilled
	}
	if e.stopped {
		late = 0
	}
	if now.Sub(e.overSeen) < late {
		// Reading the folder makes a network file system look again.
		_, _ = os.ReadDir(filepath.Dir(recordFile(e.job)))
		return false, runner.Ending{}, nil
	}
	cause, message := r.cause(printed(e.job))
	if !started {
		// Another submission may be under way still. It must not begin what is said to
		// be dead.
		void, err := e.job.Dir.Void(e.job.Attempt)
		if err != nil || !void {
			return false, runner.Ending{}, err
		}
		if cause == runner.NoCause { // what did not begin did not fail by itself
			cause = runner.NodeFailure
			if r.state == "FAILED" {
				message = "The cluster could not start the job." + r.because()
			}
		}
	}
	return true, runner.Ending{End: runner.Died, Cause: cause, Message: message}, nil
}

// begin says once that the attempt runs.
func (e *entry) begin() {
	if !e.begun && e.job.Begun != nil {
		e.job.Begun()
	}
	e.begun = true
}

// failed concludes about an attempt that left an exit code: one of a failed tool
// may be explained by what Slurm did.
func (e *entry) failed(now time.Time, t target, l *listing, outcome jobdir.Outcome) (bool, runner.Ending, error) {
	e.begin()
	ending := runner.Ending{End: runner.Finished}
	switch {
	case outcome.ExitCode == 0:
		return true, ending, nil
	case e.stopped: // by this server, whose signal the tool's end tells of
		ending.Cause, ending.Message = runner.Cancelled, "The job was stopped."
		return true, ending, nil
	}
	if e.codeSeen.IsZero() {
		e.codeSeen, e.fresh = now, now
	}
	r := row{state: "COMPLETED"}
	if l != nil {
		for _, id := range e.submissions(l) {
			if known, ok := l.row(t, id); ok && known.over() {
				ending.Cause, ending.Message = known.cause(printed(e.job))
				switch ending.Cause {
				case runner.NoCause:
					ending.Message = ""
				case runner.NodeFailure:
					// The exit code is that of the signal by which the tool was ended, and says
					// nothing about the tool.
					ending.End = runner.Died
				}
				return true, ending, nil
			}
		}
	}
	if now.Sub(e.codeSeen) < e.times.cause {
		return false, ending, nil
	}
	if ending.Cause, ending.Message = r.cause(printed(e.job)); ending.Cause == runner.NoCause {
		ending.Message = ""
	}
	return true, ending, nil
}

// forgotten concludes about an attempt of which Slurm does not know every
// submission.
func (e *entry) forgotten(now time.Time, l *listing, ids []string, started bool) (bool, runner.Ending, error) {
	if e.absentSeen.IsZero() {
		e.absentSeen = now
	}
	if !l.asked.Equal(e.absentLast) {
		e.absentIn++
		e.absentLast = l.asked
	}
	if e.absentIn < 2 || now.Sub(e.absentSeen) < e.times.absent {
		_, _ = os.ReadDir(filepath.Dir(recordFile(e.job)))
		return false, runner.Ending{}, nil
	}
	if started && e.stopped { // nobody waits for what it would have left
		return true, runner.Ending{End: runner.Died, Cause: runner.Cancelled, Message: "The job was stopped, and the cluster does not know it any more."}, nil
	}
	if started {
		id := "not known"
		if len(ids) > 0 {
			id = ids[len(ids)-1]
		}
		return true, runner.Ending{End: runner.Unknown, Message: lost(id)}, nil
	}
	void, err := e.job.Dir.Void(e.job.Attempt)
	if err != nil || !void {
		return false, runner.Ending{}, err
	}
	return true, runner.Ending{End: runner.Died, Cause: runner.NodeFailure, Message: "The cluster does not know this job any more. It had not begun, and will not: whatever became of it there, it never ran."}, nil
}

// worst is the state that says most about why nothing is left.
func worst(over []row) row {
	for _, r := range over {
		if r.killed() {
			return r
		}
	}
	return over[0]
}
