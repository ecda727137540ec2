package jobhandler

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/objectstore"
	"orrery/internal/pool"
	"orrery/internal/runner"
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
	Runner        runner.Runner
	// RunnerName and DestinationID are written into the job.
	RunnerName, DestinationID string
	DestinationParams         map[string]string
	// Setup are lines of the destination that a job's script begins with.
	Setup []string
	// Slots is how many jobs this handler runs at once.
	Slots int
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
	Log    *slog.Logger

	mu     sync.Mutex
	active map[int64]*active
	freed  chan struct{}
	jobs   sync.WaitGroup
	starts *store.Group[*start]
	ends   *store.Group[*end]
}

// active is a job that this handler has.
type active struct {
	claim  store.Claim
	cancel context.CancelFunc
	// stop ends the job's process, once it has one.
	stop func(context.Context) error
	// deleting says that a person ended the job.
	deleting bool
}

// Run handles jobs until ctx ends or the lease is lost. It returns when no
// transaction of this handler is open any more; jobs that run go on and are
// adopted by the next process of this name.
func (h *Handler) Run(ctx context.Context) error {
	if h.Poll == 0 {
		h.Poll = 5 * time.Second
	}
	if h.Blink == 0 {
		h.Blink = 100 * time.Millisecond
	}
	h.active, h.freed = map[int64]*active{}, make(chan struct{}, 1)
	h.starts = &store.Group[*start]{DB: h.DB, Run: h.runStarts}
	h.ends = &store.Group[*end]{DB: h.DB, Run: h.runEnds}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer h.jobs.Wait()
	defer cancel()
	fresh, canceled := h.Wake.Subscribe(job.NewTopic), h.Wake.Subscribe(job.CancelTopic)
	tick := time.NewTicker(h.Poll)
	defer tick.Stop()
	h.adopt(ctx)
	for {
		h.claim(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-h.Member.Lost():
			return store.ErrLeaseLost
		case <-fresh:
		case <-h.freed:
		case <-canceled:
			h.stopDeleted(ctx)
		case <-tick.C:
			h.resume(ctx)
			h.adopt(ctx)
			h.stopDeleted(ctx)
		}
	}
}

// claim takes as many new jobs as there are free slots.
func (h *Handler) claim(ctx context.Context) {
	if h.Locked != nil && h.Locked() {
		return
	}
	h.mu.Lock()
	free := h.Slots - len(h.active)
	h.mu.Unlock()
	if free <= 0 {
		return
	}
	claims, err := h.Member.Claim(ctx, free)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("claiming jobs failed; the next wake-up tries again", "error", err)
		}
		return
	}
	for _, c := range claims {
		h.start(ctx, c, false)
	}
}

// adopt takes over what earlier processes of this name left unfinished.
func (h *Handler) adopt(ctx context.Context) {
	claims, err := h.Member.Adopt(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("looking for jobs to adopt failed", "error", err)
		}
		return
	}
	for _, c := range claims {
		h.Log.Info("adopting a job of an earlier process", "job", c.JobID)
		h.start(ctx, c, true)
	}
}

// resume takes up the jobs of this process that no goroutine handles: those that
// the database could not serve for a while.
func (h *Handler) resume(ctx context.Context) {
	h.mu.Lock()
	handled := make(map[int64]bool, len(h.active))
	for id := range h.active {
		handled[id] = true
	}
	h.mu.Unlock()
	// Read after that: jobs are begun by this goroutine alone, so what is held and
	// was not handled is nobody's.
	claims, err := h.Member.Held(ctx)
	if err == nil {
		// Those that it lets go are claimed right after this.
		_, err = store.ReleaseStale(ctx, h.DB)
	}
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("looking for jobs to go on with failed", "error", err)
		}
		return
	}
	for _, c := range claims {
		if !handled[c.JobID] {
			h.start(ctx, c, true)
		}
	}
}

// start sees one job through in a goroutine of its own. A panic fails that job
// alone.
func (h *Handler) start(ctx context.Context, c store.Claim, adopted bool) {
	ctx, cancel := context.WithCancel(ctx)
	a := &active{claim: c, cancel: cancel}
	h.mu.Lock()
	if _, mine := h.active[c.JobID]; mine {
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
			delete(h.active, c.JobID)
			h.mu.Unlock()
			select {
			case h.freed <- struct{}{}:
			default:
			}
		}()
		defer func() {
			if p := recover(); p != nil {
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

// stopDeleted stops the jobs that people ended.
func (h *Handler) stopDeleted(ctx context.Context) {
	ids, err := store.DeletingJobs(ctx, h.DB, h.Member.ID())
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error("looking for cancelled jobs failed", "error", err)
		}
		return
	}
	for _, id := range ids {
		h.mu.Lock()
		a := h.active[id]
		var stop func(context.Context) error
		if a != nil {
			a.deleting = true
			stop = a.stop
		}
		h.mu.Unlock()
		if stop == nil {
			continue // the job looks at its state before it starts
		}
		if err := stop(ctx); err != nil {
			h.Log.Error("stopping a cancelled job failed", "job", id, "error", err)
		}
	}
}
