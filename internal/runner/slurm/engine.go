package slurm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery/internal/runner"
)

// How often is asked. A job that is young or about to end is looked at often, and
// seldom once it is old; with many jobs squeue comes less often, since what ends
// well is noticed by its exit code. A slow controller is spared.
const (
	quickestFile = 50 * time.Millisecond
	slowestFile  = 2 * time.Second
	quickestAsk  = 200 * time.Millisecond
	slowestAsk   = 10 * time.Second
	slowestRetry = 15 * time.Second
	accountsEach = 10 * time.Second
	accountsOff  = 10 * time.Minute // how long «there are no accounts» is believed
)

// engine asks one Slurm for all jobs that are watched there. One goroutine looks
// after the entries for as long as there are any, and one command asks at a time.
type engine struct {
	r *Runner
	t target

	mu      sync.Mutex
	entries map[*entry]struct{}
	stops   []runner.Job // were cancelled, which the loop has to be told
	looping bool
	wake    chan struct{}

	last     *listing      // the latest that came
	asking   chan struct{} // closed when the squeue that runs has ended; nil if none does
	asked    time.Time     // when the latest that has ended began
	err      error         // of that one
	took     time.Duration // by it
	failures int           // in a row
	news     bool          // it has ended, which the loop has to be told
	accounts map[string]row
	nextAsk  time.Time

	nextAccounts time.Time
}

func newEngine(r *Runner, t target) *engine {
	return &engine{r: r, t: t, entries: map[*entry]struct{}{}, wake: make(chan struct{}, 1)}
}

// enter begins to watch.
func (en *engine) enter(e *entry) {
	now := time.Now()
	en.mu.Lock()
	defer en.mu.Unlock()
	e.entered, e.fresh, e.next = now, now, now
	en.entries[e] = struct{}{}
	if en.failures == 0 {
		if soon := now.Add(en.quick()); en.nextAsk.IsZero() || en.nextAsk.After(soon) {
			en.nextAsk = soon
		}
	}
	if !en.looping {
		en.looping = true
		go en.loop()
	}
	en.rouse()
}

// leave ends a watch.
func (en *engine) leave(e *entry) {
	en.mu.Lock()
	defer en.mu.Unlock()
	delete(en.entries, e)
	en.rouse()
}

// stopping tells the watches of an attempt that it was cancelled.
func (en *engine) stopping(job runner.Job) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if len(en.entries) > 0 {
		en.stops = append(en.stops, job)
		en.rouse()
	}
}

func (en *engine) rouse() {
	select {
	case en.wake <- struct{}{}:
	default:
	}
}

// quick is the shortest time between two squeue.
func (en *engine) quick() time.Duration {
	return max(quickestAsk*time.Duration(1+len(en.entries)/5), 5*en.took)
}

// loop looks after the entries until there are none. What an entry remembers is
// the loop's alone; folders are read without the lock, for they may be slow.
func (en *engine) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		en.mu.Lock()
		if len(en.entries) == 0 {
			en.looping, en.stops = false, nil
			en.mu.Unlock()
			return
		}
		now := time.Now()
		en.hear(now)
		last := en.last
		var due []*entry
		for e := range en.entries {
			if !e.next.After(now) {
				due = append(due, e)
			}
		}
		en.mu.Unlock()

		happened := false
		for _, e := range due {
			happened = e.attend(now, en.t, last) || happened
		}

		en.mu.Lock()
		for _, e := range due {
			if e.ended {
				delete(en.entries, e)
				close(e.done)
			}
		}
		if soon := now.Add(en.quick()); happened && en.failures == 0 && en.nextAsk.After(soon) {
			en.nextAsk = soon
		}
		next := now.Add(slowestFile)
		if en.asking == nil {
			if en.nextAsk.After(now) {
				next = earlier(next, en.nextAsk)
			} else if len(en.entries) > 0 {
				en.ask(now)
			}
		}
		for e := range en.entries {
			next = earlier(next, e.next)
		}
		en.mu.Unlock()
		timer.Reset(max(10*time.Millisecond, time.Until(next)))
		select {
		case <-timer.C:
		case <-en.wake:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// hear lets the entries know what happened meanwhile, under the lock.
func (en *engine) hear(now time.Time) {
	for _, job := range en.stops {
		for e := range en.entries {
			if e.job.Dir == job.Dir && e.job.Attempt == job.Attempt {
				e.stopped, e.fresh, e.next = true, now, now
			}
		}
		en.nextAsk = earlier(en.nextAsk, now.Add(en.quick()))
	}
	en.stops = nil
	if !en.news {
		return
	}
	en.news = false
	if en.err != nil {
		en.nextAsk = now.Add(min(slowestRetry, 500*time.Millisecond<<min(en.failures, 6)))
		return
	}
	youngest := slowestAsk * 10
	for e := range en.entries {
		youngest, e.next = min(youngest, now.Sub(e.fresh)), now
		for _, id := range e.ask {
			if r, ok := en.accounts[id]; ok {
				if e.accounts == nil {
					e.accounts = map[string]row{}
				}
				e.accounts[id] = r
			}
		}
		e.ask = nil
	}
	en.accounts = nil
	en.nextAsk = now.Add(min(slowestAsk, max(en.quick(), youngest/10)))
}

// attend looks at the entry when its time has come. It tells whether something
// has happened, so that Slurm should be asked soon.
func (e *entry) attend(now time.Time, t target, l *listing) bool {
	ended, ending, err := e.look(now, t, l)
	var trouble *fs.PathError
	var linking *os.LinkError
	switch {
	case errors.As(err, &trouble), errors.As(err, &linking): // nothing is known to be wrong with the job
		ended, err, ending = true, nil, runner.Ending{End: runner.Unknown, Message: fmt.Sprintf("The job's folder cannot be read now: %v. The job is waited for.", err)}
	case err != nil && !ended:
		ended, ending = true, runner.Ending{End: runner.Unknown}
	}
	e.ended, e.ending, e.err = ended, ending, err
	e.next = now.Add(min(slowestFile, max(quickestFile, now.Sub(e.fresh)/20)))
	return e.fresh.Equal(now)
}

// ask begins a squeue, under the lock; none runs.
func (en *engine) ask(now time.Time) {
	en.asking = make(chan struct{})
	go en.list(now)
}

// list runs squeue, and sacct for what squeue does not know.
func (en *engine) list(asked time.Time) {
	// Every job of ours at once; the controller picks them out by their owner.
	output, err := en.r.run(context.Background(), en.t, "squeue", en.t.own(), "--all", "--noheader", "--states=all", squeueFormat)
	took := time.Since(asked)
	var l *listing
	var accounts map[string]row
	if err == nil {
		l = parseListing(output, asked)
		accounts = en.account(l)
	}
	en.mu.Lock()
	defer en.mu.Unlock()
	en.asked, en.err, en.took, en.news = asked, err, took, true
	if err != nil {
		en.failures++
		if en.failures == 3 {
			en.r.log.Warn("Slurm does not answer; jobs are waited for", "error", err)
		}
	} else {
		if en.failures >= 3 {
			en.r.log.Info("Slurm answers again")
		}
		en.failures, en.last, en.accounts = 0, l, accounts
	}
	close(en.asking)
	en.asking = nil
	en.rouse()
}

// own is squeue's option for the jobs of the account that submits them.
func (t target) own() string {
	if t.way != "" {
		return "--me"
	}
	return "--user=" + strconv.Itoa(os.Geteuid())
}

// account asks sacct, where there are accounts, for jobs that squeue does not
// know: it forgets them some minutes after their end.
func (en *engine) account(l *listing) map[string]row {
	now := time.Now()
	var ids []string
	en.mu.Lock()
	if !en.nextAccounts.After(now) && !strings.Contains(en.t.cluster, ",") {
		for e := range en.entries {
			// A command line has an end; the others' turn comes next time.
			if e.entered.Before(l.asked) && len(ids) < 5000 {
				e.ask = e.absent(en.t, l)
				ids = append(ids, e.ask...)
			}
		}
	}
	en.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	output, err := en.r.run(context.Background(), en.t, "sacct", "--parsable2", "--noheader", "--allocations",
		"--format=JobIDRaw,State", "--jobs="+strings.Join(slices.Compact(ids), ","))
	en.mu.Lock()
	defer en.mu.Unlock()
	en.nextAccounts = now.Add(accountsEach)
	if err != nil { // then nothing is known of them, as before
		var failed *commandError
		if errors.As(err, &failed) && strings.Contains(failed.stderr, "accounting storage is disabled") {
			en.nextAccounts = now.Add(accountsOff)
		}
		return nil
	}
	jobs := parseAccounts(output)
	// An account that was left open says nothing: squeue does not know the job.
	maps.DeleteFunc(jobs, func(_ string, r row) bool { return !r.over() })
	return jobs
}

// fresh gives a listing that was asked for no earlier than a moment.
func (en *engine) fresh(ctx context.Context, after time.Time) (*listing, error) {
	for {
		en.mu.Lock()
		if en.last != nil && !en.last.asked.Before(after) {
			defer en.mu.Unlock()
			return en.last, nil
		}
		if en.err != nil && !en.asked.Before(after) {
			defer en.mu.Unlock()
			return nil, fmt.Errorf("asking for earlier submissions: %w", en.err)
		}
		if en.asking == nil {
			en.ask(time.Now())
		}
		asking := en.asking
		en.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
