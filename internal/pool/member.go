package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orrery/internal/store"
	"orrery/internal/wake"
)

// DefaultLease is how long a process may be silent before others take over.
const DefaultLease = 20 * time.Second

// Options describe one server process.
type Options struct {
	ServerName string
	// Kind is "web", "handler" or "all".
	Kind string
	// Tags are the values of job.handler whose new jobs it claims besides those
	// that hold its own name; for most handlers that is `_default_`.
	Tags    []string
	Version string
	// Methods are the assignment methods in force. They say what is written into
	// job.handler; every process claims what holds its name or one of its tags, so
	// that a job moved by hand is found under each of them.
	Methods []string
	// Slots is how many jobs it takes at once; shown to administrators.
	Slots int
	// MaxGrab is the most jobs of one claim, ReadyWindow the most jobs of one owner
	// that one claim looks at (max_grab, ready_window_size); 0 is no bound.
	MaxGrab, ReadyWindow int
	// Lease is DefaultLease if zero.
	Lease time.Duration
	// Wake tells of new jobs at once; without it the member only looks at every
	// renewal of its lease.
	Wake *wake.Bus
	Log  *slog.Logger
	// Observe is told what the member does; it may be nil.
	Observe Observer
}

// Member is this process's membership: one instance with a lease that it renews
// until it leaves. When the lease is lost, Rejoin makes it a new instance.
type Member struct {
	db    *store.DB
	opts  Options
	host  string
	place string
	tags  []string
	// topics are those for which others choose this member when it is idle.
	topics []string
	// What the accessors of the same names give.
	work, orphans, attention chan struct{}
	claims                   atomic.Int64
	serving                  sync.WaitGroup
	unserve                  context.CancelFunc

	mu       sync.Mutex
	id       store.UUID
	lost     chan struct{}
	isLost   bool
	deadline *time.Timer // ends the lease by this process's own clock
	renewed  time.Time   // when the request that last renewed the lease was sent
	contact  time.Time   // since when the database has answered without a break
	after    int64       // the owner whose jobs were claimed last
	leftOut  []string    // runners without a place
	full     bool        // no slot was free after the last claim
	more     bool        // there may have been more jobs then
	drained  bool
	seen     map[store.UUID]time.Time // since when instances of other hosts are known to be gone

	stop context.CancelFunc
	done chan struct{}
}

// Join registers this process and begins to renew its lease.
func Join(ctx context.Context, db *store.DB, opts Options) (*Member, error) {
	if opts.Lease == 0 {
		opts.Lease = DefaultLease
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Observe == nil {
		opts.Observe = unobserved{}
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for this host's name: %w", err)
	}
	m := &Member{
		db: db, opts: opts, host: host, place: place(), seen: map[store.UUID]time.Time{},
		work: make(chan struct{}, 1), orphans: make(chan struct{}, 1), attention: make(chan struct{}, 1),
		after: rand.Int64N(1 << 20), // so that those who start together do not begin with the same owner
	}
	for _, tag := range append([]string{opts.ServerName}, opts.Tags...) {
		if tag != "" && !slices.Contains(m.tags, tag) {
			m.tags = append(m.tags, tag)
		}
	}
	if err := m.insist(ctx, opts.Lease, func(ctx context.Context) error { return m.enter(ctx, store.UUID{}) }); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.unserve = stop
	if opts.Wake != nil {
		m.listen(background)
		m.serving.Go(func() { m.serve(background) })
	}
	return m, nil
}

// margin is how long before the end of its lease a process stops by itself, for
// what is on its way to the database.
func (m *Member) margin() time.Duration { return m.opts.Lease / 10 }

// enter registers a new instance, which has the claims of the one before it, and
// begins to renew its lease.
func (m *Member) enter(ctx context.Context, before store.UUID) error {
	id, sent := store.NewUUID(), time.Now()
	start, _ := processStart(os.Getpid())
	err := m.db.Write(ctx, func(tx *store.Tx) error {
		sent = time.Now()
		if err := store.RegisterInstance(ctx, tx, store.Instance{
			ID: id, ServerName: m.opts.ServerName, Hostname: m.host, PID: os.Getpid(), Kind: m.opts.Kind, Pools: m.tags, Version: m.opts.Version,
			InstanceProcess: store.InstanceProcess{Place: m.place, ProcessStart: start, Methods: m.opts.Methods, Slots: m.opts.Slots},
		}, m.opts.Lease); err != nil || before.IsZero() {
			return err
		}
		if err := store.MoveClaims(ctx, tx, before, id); err != nil {
			return err
		}
		return store.EndInstance(ctx, tx, before)
	})
	if err != nil {
		return err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.mu.Lock()
	m.id, m.lost, m.isLost, m.renewed, m.contact = id, make(chan struct{}), false, sent, sent
	m.stop, m.done = stop, make(chan struct{})
	m.deadline = time.AfterFunc(time.Until(sent.Add(m.opts.Lease-m.margin())), func() { m.lose(id, errors.New("the database did not answer in time")) })
	m.mu.Unlock()
	if m.opts.Wake != nil {
		m.opts.Wake.SubscribeTo(attentionTopic(id), m.attention)
	}
	// From then on it may take over from those whose lease has ended.
	time.AfterFunc(m.opts.Lease+m.opts.Lease/100, func() { signal(m.orphans) })
	go m.renew(renewing, id)
	return nil
}

// Rejoin makes a member that lost its lease a new instance, once the database
// serves again; it tries until ctx ends. What the lost instance had and nobody
// took over is this one's, in a new epoch: see Held. Whoever worked for the lost
// instance must have stopped.
func (m *Member) Rejoin(ctx context.Context) error {
	m.halt()
	before := m.ID()
	err := m.insist(ctx, math.MaxInt64, func(ctx context.Context) error { return m.enter(ctx, before) })
	if err == nil {
		m.opts.Log.Info("this process has a new lease", "handler", m.opts.ServerName)
	}
	return err
}

// insist repeats f while the database cannot serve, for a while.
func (m *Member) insist(ctx context.Context, most time.Duration, f func(ctx context.Context) error) error {
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, m.opts.Lease/4+time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, m.opts.Lease)
		err := f(attempt)
		cancel()
		if err == nil || time.Since(began) >= most || !store.Outage(err) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.opts.Log.Warn("the database cannot register this process; trying again", "handler", m.opts.ServerName, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// lose gives up the lease of an instance.
func (m *Member) lose(id store.UUID, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isLost || m.id != id {
		return
	}
	m.isLost = true
	m.deadline.Stop()
	m.opts.Observe.LeaseLost()
	m.opts.Log.Error("this process lost its lease and gives up its jobs; others take them over", "error", why)
	close(m.lost)
}

// renew extends the lease at a third of its length. Once the lease has ended, by
// the database's word or by this process's own clock, the member is lost.
func (m *Member) renew(ctx context.Context, id store.UUID) {
	defer close(m.done)
	count := counter{at: time.Now()}
	lost := m.Lost()
	for turn := 1; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-lost:
			return
		case <-time.After(m.opts.Lease/3 - rand.N(m.opts.Lease/30+1)):
		}
		sent := time.Now()
		r := store.Renewal{ID: id, Lease: m.opts.Lease}
		r.Claims, r.Rate, r.Counted = count.count(m.claims.Load(), sent)
		gone, alone, err := m.renewOnce(ctx, r)
		switch {
		case ctx.Err() != nil:
			return
		case gone:
			m.lose(id, store.ErrLeaseLost)
			return
		case err != nil:
			m.broken()
			m.opts.Observe.Renewed(err)
			m.opts.Log.Warn("renewing the lease failed; trying again", "error", err)
			continue
		}
		m.extend(id, sent)
		m.opts.Observe.Renewed(nil)
		if !alone {
			continue // the process that looks for all tells
		}
		for _, ch := range []chan struct{}{m.work, m.orphans, m.attention} {
			signal(ch)
		}
		if turn%9 == 0 {
			if err := store.TouchProcesses(ctx, m.db, []store.UUID{id}); err != nil && ctx.Err() == nil {
				m.opts.Log.Warn("keeping Galaxy's table of processes fresh failed", "error", err)
			}
		}
	}
}

// extend notes that a renewal that was sent at a time succeeded.
func (m *Member) extend(id store.UUID, sent time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isLost || m.id != id {
		return
	}
	if m.contact.IsZero() {
		m.contact = sent
	}
	m.renewed = sent
	m.deadline.Reset(time.Until(sent.Add(m.opts.Lease - m.margin())))
}

// broken notes that the database did not answer.
func (m *Member) broken() {
	m.mu.Lock()
	m.contact = time.Time{}
	m.mu.Unlock()
}

// mature tells whether this member was in unbroken contact with the database for
// a whole lease, so that it may judge that others were not.
func (m *Member) mature() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.isLost && !m.contact.IsZero() && time.Since(m.contact) >= m.opts.Lease
}

// counter makes a rate of a count.
type counter struct {
	at   time.Time
	last int64
	rate float64
}

// count gives the count with its rate since the last call, and whether there is
// anything new to write down.
func (c *counter) count(n int64, now time.Time) (int64, float64, bool) {
	rate := 0.0
	if passed := now.Sub(c.at).Seconds(); passed > 0 {
		rate = float64(n-c.last) / passed
	}
	changed := n != c.last || rate != c.rate
	c.at, c.last, c.rate = now, n, rate
	return n, rate, changed
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Lost is closed when the lease has ended against this process's will: before
// others may take over. Nothing may be written for this instance after that.
func (m *Member) Lost() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// ID is this instance's; Rejoin changes it.
func (m *Member) ID() store.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

// ServerName is what job.handler holds for this process's jobs.
func (m *Member) ServerName() string { return m.opts.ServerName }

// Tags are the values of job.handler whose new jobs this process claims.
func (m *Member) Tags() []string { return m.tags }

// Work gets a value whenever there may be new jobs to Claim: by a wake-up, or
// because the slow look into the database found some. Nobody needs to poll
// beside it.
func (m *Member) Work() <-chan struct{} { return m.work }

// Orphans gets a value whenever there may be jobs to TakeOver.
func (m *Member) Orphans() <-chan struct{} { return m.orphans }

// Attention gets a value when jobs of this instance may have been ended by people,
// or moved to others by an administrator: see Held and store.DeletingJobs.
func (m *Member) Attention() <-chan struct{} { return m.attention }

// listen lets wake-ups for this member in.
func (m *Member) listen(ctx context.Context) {
	bus := m.opts.Wake
	for _, tag := range m.tags {
		m.topics = append(m.topics, wake.Jobs(tag), wake.Orphans(tag))
		bus.SubscribeTo(wake.Jobs(tag), m.work)
		bus.SubscribeTo(wake.Orphans(tag), m.orphans)
	}
	drain, undrain := bus.Subscribe(drainTopic(m.opts.ServerName, true)), bus.Subscribe(drainTopic(m.opts.ServerName, false))
	warm := bus.Subscribe(warmTopic)
	m.serving.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-warm:
				if err := m.db.Ping(ctx); err != nil && ctx.Err() == nil {
					m.opts.Log.Debug("the database did not answer", "error", err)
				}
			case <-drain:
				m.setDrained(true)
			case <-undrain:
				m.setDrained(false)
			}
		}
	})
}

// setDrained notes whether this server takes anything new. The database decides;
// this only keeps others from choosing it.
func (m *Member) setDrained(drained bool) {
	m.mu.Lock()
	m.drained = drained
	m.mu.Unlock()
	m.showIdle()
	if !drained {
		signal(m.work)
		signal(m.orphans)
	}
}

// setFull notes whether there is room for more jobs.
func (m *Member) setFull(full bool) {
	m.mu.Lock()
	changed := m.full != full
	m.full = full
	m.mu.Unlock()
	if changed {
		m.showIdle()
	}
}

func (m *Member) showIdle() {
	if m.opts.Wake == nil {
		return
	}
	m.mu.Lock()
	idle := !m.full && !m.drained
	m.mu.Unlock()
	m.opts.Wake.SetIdle(m.topics, idle)
}

func (m *Member) claimant() store.Claimant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return store.Claimant{
		Instance: m.id, ServerName: m.opts.ServerName, Pools: m.tags, After: m.after, Window: m.opts.ReadyWindow,
		Serialize: len(m.opts.Methods) > 0 && m.opts.Methods[0] == TransactionIsolation, Full: m.leftOut,
	}
}

// LeaveOut makes claims leave jobs to others that are known to need one of these
// runners, which have no place here now.
func (m *Member) LeaveOut(runners []string) {
	m.mu.Lock()
	m.leftOut = runners
	m.mu.Unlock()
}

// Claim takes at most n new jobs of this member's pools, in turns between their
// owners; fewer if max_grab says so. None while an administrator has drained
// this server.
//
// n is how many slots are free: call it with 0 too, since others are woken then,
// until it is called with more.
func (m *Member) Claim(ctx context.Context, n int) (claims []store.Claim, err error) {
	if n <= 0 {
		m.setFull(true)
		return nil, nil
	}
	// First, so that what comes while the database is asked is not told to nobody.
	m.setFull(false)
	most := n
	if m.opts.MaxGrab > 0 {
		most = min(n, m.opts.MaxGrab)
	}
	for most > len(claims) {
		began := time.Now()
		got, err := store.ClaimJobs(ctx, m.db, m.claimant(), most-len(claims))
		if err != nil {
			return claims, err
		}
		m.opts.Observe.Claimed(len(got.Jobs), time.Since(began))
		m.mu.Lock()
		m.after, m.more = got.After, got.More
		m.mu.Unlock()
		m.claims.Add(int64(len(got.Jobs)))
		claims = append(claims, got.Jobs...)
		if len(got.Jobs) == 0 && got.More {
			// Others were quicker each time.
			time.AfterFunc(50*time.Millisecond, func() { signal(m.work) })
		}
		if len(got.Jobs) == 0 || !got.More {
			break
		}
	}
	if len(claims) == n {
		m.setFull(true)
		m.passOn(claims)
	}
	return claims, nil
}

// passOn tells another that there may be more of the jobs of which this member
// has taken what it can.
func (m *Member) passOn(claims []store.Claim) {
	if m.opts.Wake == nil {
		return
	}
	m.mu.Lock()
	more := m.more
	m.mu.Unlock()
	if !more {
		return
	}
	var told []string
	for _, c := range claims {
		if !slices.Contains(told, c.Pool) && c.Pool != m.opts.ServerName {
			told = append(told, c.Pool)
			m.opts.Wake.WakeNext(wake.Jobs(c.Pool))
		}
	}
}

// TakeOver takes at most free unfinished jobs that are nobody's any more: of
// processes that left or are dead, or, once this member has been in unbroken
// contact with the database for a whole lease, whose lease has ended; if they
// came from a pool of this member. Jobs that an administrator moved to its name
// or one of its tags are taken whoever had them, and so are jobs of its name that
// Galaxy left. Their epoch rises, and job.handler becomes this server's name.
func (m *Member) TakeOver(ctx context.Context, free int) (claims []store.Claim, err error) {
	if free <= 0 {
		return nil, nil
	}
	instances, err := store.AllInstances(ctx, m.db)
	if err != nil {
		return nil, err
	}
	who, mature := m.claimant(), m.mature()
	var gone, dead []store.UUID
	for _, in := range instances {
		switch {
		case in.ID == who.Instance:
			if in.Lapsed {
				return nil, store.ErrLeaseLost
			}
			if in.Drained { // it finishes what is its own, and takes nothing of others
				who.Pools = []string{who.ServerName}
			}
		case in.Left:
			gone = append(gone, in.ID)
		case m.isDead(in):
			gone, dead = append(gone, in.ID), append(dead, in.ID)
		case in.Lapsed && mature:
			gone = append(gone, in.ID)
		}
	}
	gone = m.afterNeighbours(instances, gone)
	err = m.db.Write(ctx, func(tx *store.Tx) error {
		if claims, err = store.TakeOverJobs(ctx, tx, who, gone, free); err != nil {
			return err
		}
		return store.RetireInstances(ctx, tx, dead)
	})
	if err == nil && len(claims) > 0 {
		m.opts.Observe.TookOver(len(claims))
	}
	if err == nil && len(claims) == free {
		m.setFull(true)
	}
	return claims, err
}

// afterNeighbours leaves those instances out whose own host has others that can
// take over from them, for a moment: what runs there is best seen through there.
func (m *Member) afterNeighbours(instances []store.Instance, gone []store.UUID) []store.UUID {
	const moment = time.Second
	now, later := time.Now(), time.Duration(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[store.UUID]time.Time{}
	var ready []store.UUID
	for _, id := range gone {
		in := instances[slices.IndexFunc(instances, func(in store.Instance) bool { return in.ID == id })]
		first, known := m.seen[id]
		if !known {
			first = now
		}
		seen[id] = first
		left := first.Add(min(moment, m.opts.Lease/10)).Sub(now)
		if left > 0 && in.Place != m.place && slices.ContainsFunc(instances, func(other store.Instance) bool {
			return !other.Left && !other.Lapsed && !other.Drained && other.Place == in.Place && other.Hostname == in.Hostname &&
				slices.ContainsFunc(other.Pools, func(tag string) bool { return tag != other.ServerName && slices.Contains(in.Pools, tag) })
		}) {
			later = max(later, left)
			continue
		}
		ready = append(ready, id)
	}
	m.seen = seen
	if later > 0 {
		time.AfterFunc(later, func() { signal(m.orphans) })
	}
	return ready
}

// isDead tells whether the process of an instance can be seen to be dead from
// here.
func (m *Member) isDead(in store.Instance) bool {
	if in.Place == "" || in.Place != m.place || in.Hostname != m.host {
		return false
	}
	start, ok := processStart(in.PID)
	return !ok || start != in.ProcessStart
}

// Held lists the jobs that are this instance's by the database's word.
func (m *Member) Held(ctx context.Context) ([]store.Claim, error) {
	return store.ClaimsOf(ctx, m.db, m.ID(), m.opts.ServerName)
}

// halt ends the renewals.
func (m *Member) halt() {
	m.mu.Lock()
	stop, done := m.stop, m.done
	m.deadline.Stop()
	m.mu.Unlock()
	stop()
	<-done
}

// Leave ends the lease. Others of the pools take over at once what still runs.
func (m *Member) Leave(ctx context.Context) error {
	m.halt()
	m.unserve()
	m.serving.Wait()
	if m.opts.Wake != nil {
		m.opts.Wake.SetIdle(m.topics, false)
	}
	id := m.ID()
	return m.insist(ctx, m.opts.Lease/4, func(ctx context.Context) error { return m.end(ctx, id) })
}

func (m *Member) end(ctx context.Context, id store.UUID) error {
	return m.db.Write(ctx, func(tx *store.Tx) error {
		if m.opts.Wake != nil {
			tx.AfterCommit(func() {
				for _, tag := range m.tags {
					m.opts.Wake.Wake(wake.Orphans(tag))
				}
			})
		}
		return store.EndInstance(ctx, tx, id)
	})
}
