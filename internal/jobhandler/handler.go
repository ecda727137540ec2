package jobhandler

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"orrery/internal/datatype"
	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/objectstore"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/tool"
	"orrery/internal/wake"
)

// Toolbox finds tools by id and version.
type Toolbox interface {
	// Get gives the tool of that id; version "" is the newest.
	Get(id, version string) (*tool.Tool, error)
}

// Handler claims jobs and sees them through.
type Handler struct {
	DB        *store.DB
	Member    *pool.Member
	Wake      *wake.Bus
	Toolbox   Toolbox
	Objects   *objectstore.Disk
	IDs       *galaxy.IDCodec
	Datatypes *datatype.Registry
	// ToolDatatypes is the registry as tools see it.
	ToolDatatypes tool.Datatypes
	Tables        tool.DataTables
	// Runners are those that this handler has, by the plugin's id.
	Runners map[string]Runner
	Router  *destination.Router
	// Known tells whether the configuration has a destination or a tag of a name.
	Known func(string) bool
	// Detailed says that there are rules which look at more than a job's tool.
	Detailed bool
	// DefaultResubmit is what happens to a failed job whose destination does not say.
	DefaultResubmit []destination.Resubmit
	// HasRunner tells whether the handler of a name has a runner. Nil: all have all.
	HasRunner func(serverName, runner string) bool
	// Limits are those on concurrent jobs; nil: none.
	Limits *pool.Limits
	// Walltime is how long a job may run, OutputSize how many bytes one of its
	// outputs may have; 0 is no limit.
	Walltime   time.Duration
	OutputSize int64
	// MetricsOf gives what is measured of jobs of a destination. Nil: CoreMetrics.
	MetricsOf func(destination.Choice) []Metric
	// JobsDir is job_working_directory.
	JobsDir string
	// Cleanup is cleanup_job: "always", "onsuccess" or "never".
	Cleanup string
	// Evaluate holds what templates see of the server; the job's own part is
	// filled in for each.
	Evaluate tool.EvalInput
	// Internal are tools that the server runs itself, by tool id.
	Internal map[string]InternalTool
	// Poll is how often to look for what no wake-up told; 5 s if zero.
	Poll time.Duration
	// Blink is how long a run may last and be written down as begun only together
	// with its end; 100 ms if zero. Until then the job is shown as queued. The
	// job's folder tells what happened, should this process die meanwhile.
	Blink time.Duration
	// Locked tells whether new jobs must wait (the administrator's job lock).
	Locked func() bool
	// Observe is told what becomes of jobs; it may be nil.
	Observe Observer
	Log     *slog.Logger

	// Retry is the first wait before something that failed for a reason of its own
	// is tried again; it doubles up to 30 s. 1 s if zero.
	Retry time.Duration
	// Stuck is how long the handler's loop may take for one turn; 90 s if zero.
	Stuck time.Duration
	// Police is how often the outputs of a running job are looked at, if their size is
	// limited; 5 s if zero.
	Police time.Duration
	// Sweep is how often folders of ended jobs are looked for; an hour if zero.
	Sweep time.Duration
	// Grace is how long the steps that jobs are in may take once the handler is to
	// stop (monitor_thread_join_timeout for each runner); 0 breaks them off.
	Grace time.Duration

	// stopping is closed when the handler is to stop: jobs that wait are left then.
	stopping <-chan struct{}
	// work is what jobs' steps run under, a little longer.
	work context.Context
	// graceOver is a clock for tests.
	graceOver func(time.Duration) <-chan time.Time

	mu     sync.Mutex
	active map[int64]*active
	busy   map[string]int // places taken, by runner
	freed  chan struct{}
	// again says that a job was claimed again while its goroutine was ending.
	again  chan struct{}
	jobs   sync.WaitGroup
	starts *store.Group[*start]
	ends   *store.Group[*end]
	pulse  pulse
	panics atomic.Int64
	// interrupted says that a job is held that no goroutine handles.
	interrupted atomic.Bool
}

// Panics is how often a job made this handler panic.
func (h *Handler) Panics() int64 { return h.panics.Load() }

// MovedTopic wakes handlers to which a job was given, or that may take over those
// of a handler that left.
const MovedTopic = "job-moved"

// Run handles jobs until ctx ends, the lease is lost (store.ErrLeaseLost) or the
// loop makes no progress (ErrStuck). It returns when no transaction of this
// handler is open any more, except with ErrStuck; jobs that run go on and are
// taken over by others, or by the next process of this name.
//
// When ctx ends, no job is taken any more, from that moment. A step that a job is
// in (being prepared and handed over, being collected) is finished, within Grace.
func (h *Handler) Run(ctx context.Context) error {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&h.Poll, 5 * time.Second}, {&h.Blink, 100 * time.Millisecond}, {&h.Retry, time.Second}, {&h.Stuck, 90 * time.Second}, {&h.Police, 5 * time.Second}, {&h.Sweep, time.Hour}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	h.active, h.busy, h.freed = map[int64]*active{}, map[string]int{}, make(chan struct{}, 1)
	h.again = make(chan struct{}, 1)
	h.starts = &store.Group[*start]{DB: h.DB, Run: h.runStarts}
	h.ends = &store.Group[*end]{DB: h.DB, Run: h.runEnds}
	work, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.work, h.stopping = work, ctx.Done()
	ticker := time.NewTicker(h.Stuck / 2) // between two ticks that saw no beat lies half of the time at least
	defer ticker.Stop()
	looped, stuck := make(chan error, 1), make(chan bool, 1)
	go func() {
		select {
		case <-h.Member.Lost(): // whoever waits for the database waits no longer
			breakOff()
			cancel()
		case <-work.Done():
		}
	}()
	go func() { stuck <- h.pulse.watch(ctx, ticker.C) }()
	heard := topics{h.Wake.Subscribe(job.NewTopic), h.Wake.Subscribe(job.CancelTopic), h.Wake.Subscribe(MovedTopic)}
	go func() { looped <- h.loop(ctx, heard) }()
	for {
		select {
		case err := <-looped:
			cancel()
			h.windUp(err == nil, breakOff)
			return err
		case is := <-stuck:
			if is {
				h.Log.Error("the handler's loop makes no progress", "for", h.Stuck, "stacks", stacks())
				return ErrStuck
			}
		}
	}
}

// windUp waits for the steps that jobs are in, within Grace if there is any, and
// breaks off what is left then.
func (h *Handler) windUp(graceful bool, breakOff func()) {
	if graceful && h.Grace > 0 {
		// Others are woken for new jobs from now on.
		if _, err := h.Member.Claim(h.work, 0); err != nil {
			h.Log.Warn("saying that this handler takes no more jobs failed", "error", err)
		}
		over := time.After
		if h.graceOver != nil {
			over = h.graceOver
		}
		finished := make(chan struct{})
		go func() {
			h.jobs.Wait()
			close(finished)
		}()
		select {
		case <-finished:
		case <-over(h.Grace):
			h.Log.Warn("steps of jobs were broken off, since they take longer than the handler may take to stop", "after", h.Grace, "jobs", h.has())
		}
	}
	breakOff()
	h.jobs.Wait()
}

// errStopping says that a job is left because the handler is to stop. The next
// one goes on with it.
var errStopping = errors.New("the handler stops")

func (h *Handler) isStopping() bool {
	select {
	case <-h.stopping:
		return true
	default:
		return false
	}
}

// loop is the handler's one loop. Nothing in it may take long: jobs have
// goroutines of their own. An idle handler asks the database for next to nothing.
func (h *Handler) loop(ctx context.Context, topics topics) error {
	tick := time.NewTicker(h.Poll)
	defer tick.Stop()
	slow := time.NewTimer(h.slow())
	defer slow.Stop()
	sweep := time.NewTimer(min(h.Sweep, time.Minute))
	defer sweep.Stop()
	h.resume(ctx)
	orphans, look := true, true
	for {
		h.pulse.beat()
		if orphans {
			orphans = h.takeOver(ctx)
		}
		// The member tells of new jobs, so an idle handler does not ask for them by
		// itself; only what failed, or was held back, is tried again.
		retry := look && !h.claim(ctx)
		look = true
		select {
		case <-ctx.Done():
			select {
			case <-h.Member.Lost():
				return store.ErrLeaseLost
			default:
				return nil
			}
		case <-topics.fresh:
		case <-h.Member.Work():
		case <-h.freed:
		case <-h.Member.Orphans():
			orphans = true
		case <-topics.moved:
			h.resume(ctx)
		case <-h.again:
			h.resume(ctx)
		case <-topics.canceled:
			h.stopDeleted(ctx)
		case <-tick.C:
			look = retry
			if h.interrupted.Load() {
				h.resume(ctx)
			}
			if h.has() > 0 {
				h.stopDeleted(ctx)
			}
		case <-slow.C:
			look = retry
			h.resume(ctx)
			h.releaseStale(ctx)
			slow.Reset(h.slow())
		case <-sweep.C:
			h.jobs.Go(func() { h.sweep(ctx) })
			sweep.Reset(h.Sweep)
		}
	}
}

// slow is the time until what no wake-up told is looked for, a little different
// each time, so that handlers do not do it together. It is long, since one member
// of each host looks for all of them at a third of a lease.
func (h *Handler) slow() time.Duration { return 40*h.Poll + rand.N(16*h.Poll) }

// topics are the wake-ups that a handler listens to.
type topics struct{ fresh, canceled, moved <-chan struct{} }

// has is how many jobs this handler has.
func (h *Handler) has() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.active)
}

// claim takes as many new jobs as there are free slots. It tells whether it could
// look for them.
func (h *Handler) claim(ctx context.Context) (looked bool) {
	if h.Locked != nil && h.Locked() {
		return false
	}
	free := h.free()
	if len(h.Runners) > 1 {
		h.Member.LeaveOut(h.full())
	}
	claims, err := h.Member.Claim(ctx, free)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("claiming jobs failed; the next wake-up tries again", "error", err)
		}
		return false
	}
	for _, c := range claims {
		h.start(c, false)
	}
	return true
}

// takeOver takes over jobs that are nobody's any more, no more than there are
// places. It tells whether there may be more of them.
func (h *Handler) takeOver(ctx context.Context) (more bool) {
	free := h.free()
	if free <= 0 {
		return true
	}
	claims, err := h.Member.TakeOver(ctx, free)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("looking for jobs to take over failed", "error", err)
		}
		return false // the member tells again
	}
	for _, c := range claims {
		h.Log.Info("taking over a job", "job", c.JobID, "pool", c.Pool, "epoch", c.Epoch)
		h.start(c, true)
	}
	return len(claims) == free
}

// resume takes up the jobs of this process that no goroutine handles: those that
// the database could not serve for a while, and those that another handler gave
// to it.
func (h *Handler) resume(ctx context.Context) {
	h.interrupted.Store(false)
	h.mu.Lock()
	handled := make(map[int64]bool, len(h.active))
	for id := range h.active {
		handled[id] = true
	}
	h.mu.Unlock()
	// Read after that: jobs are begun by this goroutine alone, so what is held and
	// was not handled is nobody's.
	claims, err := h.Member.Held(ctx)
	if err != nil {
		h.interrupted.Store(true)
		if ctx.Err() == nil {
			h.Log.Error("looking for jobs to go on with failed", "error", err)
		}
		return
	}
	for _, c := range claims {
		if !handled[c.JobID] {
			h.start(c, true)
		}
	}
}

// releaseStale lets go of jobs that wait for inputs which somebody finished who
// knows nothing of waiting.
func (h *Handler) releaseStale(ctx context.Context) {
	n, err := store.ReleaseStale(ctx, h.DB)
	if err != nil && ctx.Err() == nil {
		h.Log.Error("looking for jobs that wait in vain failed", "error", err)
	}
	if n > 0 {
		h.Wake.Wake(job.NewTopic)
	}
}

// start sees one job through in a goroutine of its own. A panic fails that job
// alone.
func (h *Handler) start(c store.Claim, adopted bool) {
	ctx, cancel := context.WithCancel(h.work)
	a := &active{claim: c, cancel: cancel, gaveUp: make(chan struct{}), begun: time.Now(), unplaced: true}
	h.mu.Lock()
	if before, mine := h.active[c.JobID]; mine {
		// It was given back, and claimed again before the goroutine that gave it back
		// has ended.
		before.again = true
		h.mu.Unlock()
		cancel()
		return
	}
	h.active[c.JobID] = a
	h.mu.Unlock()
	h.jobs.Go(func() {
		defer func() {
			cancel()
			h.mu.Lock()
			h.leavePlace(a)
			delete(h.active, c.JobID)
			again := a.again
			h.mu.Unlock()
			if again {
				select {
				case h.again <- struct{}{}:
				default:
				}
			}
			h.notifyFree()
		}()
		defer func() {
			if p := recover(); p != nil {
				h.panics.Add(1)
				h.Log.Error("a job made the handler panic", "job", c.JobID, "panic", p, "stack", string(debug.Stack()))
				h.abandon(ctx, a)
				h.fail(ctx, c, "The server failed while it handled this job; its log says more.", nil)
			}
		}()
		h.run(ctx, a, adopted)
	})
}

// abandon stops the process of a job that cannot be handled further.
func (h *Handler) abandon(ctx context.Context, a *active) {
	h.mu.Lock()
	stop := a.stop
	h.mu.Unlock()
	if stop == nil {
		return
	}
	if err := stop(ctx); err != nil {
		h.Log.Error("stopping a failed job failed", "job", a.claim.JobID, "error", err)
	}
}

// stopDeleted tells the goroutines of jobs that people ended.
func (h *Handler) stopDeleted(ctx context.Context) {
	ids, err := store.DeletingJobs(ctx, h.DB, h.Member.ID())
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("looking for cancelled jobs failed", "error", err)
		}
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if a := h.active[id]; a != nil && !a.told {
			a.told = true
			close(a.gaveUp)
		}
	}
}
