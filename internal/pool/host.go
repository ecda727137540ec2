package pool

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/internal/store"
	"orrery/internal/wake"
)

// hostRole is that of the process of each host that renews the leases of all and
// looks into the database for all.
const hostRole = "pool"

// renewRequest asks the process that has the role to renew a lease.
type renewRequest struct {
	ID      string
	Lease   time.Duration
	Claims  int64
	Rate    float64
	Counted bool
}

type renewAnswer struct {
	// Lost says that the lease had ended; otherwise it is renewed.
	Lost bool `json:",omitempty"`
	// Failed says that the database did not answer whoever renews.
	Failed bool `json:",omitempty"`
}

// waitingRenewal is a request with the way to answer it.
type waitingRenewal struct {
	store.Renewal
	answer func(renewAnswer)
}

// host is what a member does for all processes of its host while it has the role:
// one statement renews many leases, and one look finds what is to do for any.
type host struct {
	m        *Member
	requests chan waitingRenewal
	// drained are the names that were told of their drain.
	drained map[string]bool
	gone    map[store.UUID]time.Time
}

// serve takes part in sharing the role with the other processes of this host.
func (m *Member) serve(ctx context.Context) {
	h := &host{m: m, requests: make(chan waitingRenewal, 1024), drained: map[string]bool{}, gone: map[store.UUID]time.Time{}}
	m.opts.Wake.Serve(hostRole, func(payload []byte, answer func([]byte)) {
		var r renewRequest
		if json.Unmarshal(payload, &r) != nil {
			return
		}
		id, err := store.ParseUUID(r.ID)
		if err != nil || r.Lease <= 0 || r.Lease > time.Hour {
			return
		}
		select {
		case h.requests <- waitingRenewal{
			Renewal: store.Renewal{ID: id, Lease: r.Lease, Claims: r.Claims, Rate: r.Rate, Counted: r.Counted},
			answer:  func(a renewAnswer) { text, _ := json.Marshal(a); answer(text) }, // a boolean always marshals
		}:
		default: // whoever asked does it alone
		}
	})
	m.opts.Wake.Hold(ctx, hostRole, h.lead)
}

// lead does the host's work until ctx ends.
func (h *host) lead(ctx context.Context) {
	var looking = make(chan struct{})
	go func() {
		defer close(looking)
		h.watch(ctx)
	}()
	defer func() { <-looking }()
	touched := time.Now()
	for {
		var batch []waitingRenewal
		select {
		case <-ctx.Done():
			return
		case r := <-h.requests:
			batch = append(batch, r)
		}
		// Those who come meanwhile share the statement. They have two thirds of a lease
		// left.
		gather := time.NewTimer(batch[0].Lease / 20)
	more:
		for {
			select {
			case r := <-h.requests:
				batch = append(batch, r)
			case <-gather.C:
				break more
			case <-ctx.Done():
				gather.Stop()
				return
			}
		}
		h.renew(ctx, batch)
		if time.Since(touched) > time.Minute {
			touched = time.Now()
			ids := make([]store.UUID, len(batch))
			for i, r := range batch {
				ids[i] = r.ID
			}
			if err := store.TouchProcesses(ctx, h.m.db, ids); err != nil && ctx.Err() == nil {
				h.m.opts.Log.Warn("keeping Galaxy's table of processes fresh failed", "error", err)
			}
		}
	}
}

// renew renews the leases of a batch. Who gets none renewed does it alone.
func (h *host) renew(ctx context.Context, batch []waitingRenewal) {
	byLease := map[time.Duration][]waitingRenewal{}
	for _, r := range batch {
		byLease[r.Lease] = append(byLease[r.Lease], r)
	}
	for lease, some := range byLease { // one, unless the configuration was changed
		renewals := make([]store.Renewal, len(some))
		for i, r := range some {
			renewals[i] = r.Renewal
		}
		attempt, cancel := context.WithTimeout(ctx, lease/12) // they wait for a sixth of it
		alive, err := store.RenewLeases(attempt, h.m.db, lease, renewals)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				h.m.opts.Log.Warn("renewing the leases of this host failed", "processes", len(some), "error", err)
			}
			for _, r := range some {
				r.answer(renewAnswer{Failed: true})
			}
			continue
		}
		for _, r := range some {
			r.answer(renewAnswer{Lost: !slices.Contains(alive, r.ID)})
		}
	}
}

// watch looks into the database at a third of a lease, and when the lease of an
// instance is about to end.
func (h *host) watch(ctx context.Context) {
	quick := h.m.db.Engine() == store.MySQL // other hosts cannot tell this one of new jobs
	timer := time.NewTimer(h.m.opts.Lease/30 + rand.N(h.m.opts.Lease/30+1))
	defer timer.Stop()
	next, pause := time.Time{}, quickLeast
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if now := time.Now(); !now.Before(next) {
			wait, err := h.look(ctx)
			if err != nil {
				if ctx.Err() != nil {
					return
				}
				h.m.opts.Log.Warn("looking for jobs that nobody was told of failed; trying again", "error", err)
				wait = h.m.opts.Lease / 6
			}
			next = now.Add(wait)
		} else if quick {
			if h.glance(ctx) {
				pause = quickLeast
			} else {
				pause = min(pause*3/2, quickMost)
			}
		}
		wait := time.Until(next)
		if quick {
			wait = min(wait, pause)
		}
		timer.Reset(max(wait, time.Millisecond))
	}
}

// The look for new jobs of other hosts, where nobody can tell of them: often while
// there are some, rarely when there are none.
const (
	quickLeast = 20 * time.Millisecond
	quickMost  = time.Second
)

// tags are those that processes of this host serve.
func (h *host) tags(instances []store.Instance) []string {
	var tags []string
	for _, in := range instances {
		if h.local(in) && !in.Lapsed && !in.Drained {
			for _, tag := range in.Pools {
				if !slices.Contains(tags, tag) {
					tags = append(tags, tag)
				}
			}
		}
	}
	return tags
}

func (h *host) local(in store.Instance) bool { return in.Hostname == h.m.host && in.Place == h.m.place }

// glance tells those who are idle of new jobs.
func (h *host) glance(ctx context.Context) bool {
	idle := h.m.opts.Wake.Idle(wake.Jobs)
	if len(idle) == 0 {
		return false
	}
	ready, err := store.ReadyPools(ctx, h.m.db, idle)
	if err != nil {
		return false // the next look says so
	}
	for _, pool := range ready {
		h.m.opts.Wake.WakeHost(wake.Jobs(pool))
	}
	return len(ready) > 0
}

// look tells the processes of this host of everything that there is to do for
// them, and says when to look again.
func (h *host) look(ctx context.Context) (time.Duration, error) {
	db, bus := h.m.db, h.m.opts.Wake
	instances, err := store.AllInstances(ctx, db)
	if err != nil {
		return 0, err
	}
	wait := h.m.opts.Lease / 3
	var dead, gone, mine []store.UUID
	for _, in := range instances {
		switch {
		case in.Left || in.Lapsed:
			gone = append(gone, in.ID)
		case h.m.isDead(in):
			dead, gone = append(dead, in.ID), append(gone, in.ID)
		default:
			// A lease that nobody renews ends then, and its jobs are to be taken at once.
			wait = min(wait, in.Expires.Sub(in.Now)+10*time.Millisecond)
			if h.local(in) {
				mine = append(mine, in.ID)
				if in.Drained != h.drained[in.ServerName] {
					h.drained[in.ServerName] = in.Drained
					bus.WakeHost(drainTopic(in.ServerName, in.Drained))
				}
			}
		}
	}
	if len(instances)-len(gone) <= fewProcesses {
		bus.WakeHost(warmTopic)
	}
	if len(dead) > 0 {
		if err := db.Write(ctx, func(tx *store.Tx) error { return store.RetireInstances(ctx, tx, dead) }); err != nil {
			return 0, err
		}
	}
	tags := h.tags(instances)
	ready, err := store.ReadyPools(ctx, db, tags)
	if err != nil {
		return 0, err
	}
	for _, pool := range ready {
		bus.WakeHost(wake.Jobs(pool))
	}
	orphans, err := store.OrphanPools(ctx, db, gone)
	if err != nil {
		return 0, err
	}
	moved, err := store.MovedPools(ctx, db, tags)
	if err != nil {
		return 0, err
	}
	for _, pool := range append(orphans, moved...) {
		bus.WakeHost(wake.Orphans(pool))
	}
	troubled, err := store.NeedAttention(ctx, db, mine)
	if err != nil {
		return 0, err
	}
	for _, id := range troubled {
		bus.WakeHost(attentionTopic(id))
	}
	if err := store.Sweep(ctx, db); err != nil {
		return 0, err
	}
	// Those that it lets go are found at the next look, or before by who gets free.
	released, err := store.ReleaseStale(ctx, db)
	if err == nil && released > 0 {
		wait = 0
	}
	return max(wait, 10*time.Millisecond), err
}

// warmTopic has a process use its connection, so that it is not closed. Where there
// are few processes, the database has a connection for each, and a job that comes
// after a quiet time need not wait for a new one.
const (
	warmTopic    = "warm"
	fewProcesses = 30
)

func attentionTopic(id store.UUID) string { return "attention " + id.Hex() }

func drainTopic(name string, drained bool) string {
	if drained {
		return "drain " + name
	}
	return "undrain " + name
}

// renewOnce renews the lease of an instance, by the process of this host that does
// it for all, or alone. lost says that the lease had ended, alone that nobody
// looks into the database for this process now.
func (m *Member) renewOnce(ctx context.Context, r store.Renewal) (lost, alone bool, err error) {
	if m.opts.Wake != nil {
		payload, err := json.Marshal(renewRequest{ID: r.ID.Hex(), Lease: r.Lease, Claims: r.Claims, Rate: r.Rate, Counted: r.Counted})
		if err != nil {
			return false, false, err
		}
		asking, cancel := context.WithTimeout(ctx, m.opts.Lease/6)
		text, err := m.opts.Wake.Ask(asking, hostRole, payload)
		cancel()
		var answer renewAnswer
		if err == nil {
			if err = json.Unmarshal(text, &answer); err == nil && !answer.Failed {
				return answer.Lost, false, nil
			}
		}
		if ctx.Err() != nil {
			return false, false, ctx.Err()
		}
		if err != nil && !errors.Is(err, wake.ErrNobody) {
			m.opts.Log.Debug("the process that renews the leases of this host does not answer; this one does it alone", "error", err)
		}
	}
	attempt, cancel := context.WithTimeout(ctx, m.opts.Lease/4)
	defer cancel()
	alive, err := store.RenewLeases(attempt, m.db, m.opts.Lease, []store.Renewal{r})
	return err == nil && len(alive) == 0, true, err
}
