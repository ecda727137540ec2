package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/store"
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
	// Lease is DefaultLease if zero.
	Lease time.Duration
	Log   *slog.Logger
}

// Member is this process's membership: one instance with a lease that it renews
// until it leaves.
type Member struct {
	db   *store.DB
	opts Options
	id   store.UUID
	host string
	tags []string
	lost chan struct{}
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
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for this host's name: %w", err)
	}
	m := &Member{db: db, opts: opts, id: store.NewUUID(), host: host, lost: make(chan struct{}), done: make(chan struct{})}
	for _, tag := range append([]string{opts.ServerName}, opts.Tags...) {
		if !slices.Contains(m.tags, tag) {
			m.tags = append(m.tags, tag)
		}
	}
	if err := m.register(ctx); err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	go m.renew(renewing)
	return m, nil
}

func (m *Member) register(ctx context.Context) error {
	return m.db.Write(ctx, func(tx *store.Tx) error {
		return store.RegisterInstance(ctx, tx, store.Instance{
			ID: m.id, ServerName: m.opts.ServerName, Hostname: m.host, PID: os.Getpid(), Kind: m.opts.Kind,
			Pools: m.tags, Version: m.opts.Version,
		}, m.opts.Lease)
	})
}

// renew extends the lease at a third of its length. Once the lease has ended, by
// the database's word or by this process's own clock, the member is lost.
func (m *Member) renew(ctx context.Context) {
	defer close(m.done)
	ticker := time.NewTicker(m.opts.Lease / 3)
	defer ticker.Stop()
	renewed := time.Now() // monotonic: a changed system clock does not matter
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		began := time.Now()
		attempt, cancel := context.WithDeadline(ctx, renewed.Add(m.opts.Lease))
		err := m.db.Write(attempt, func(tx *store.Tx) error { return store.RenewLease(attempt, tx, m.id, m.opts.Lease) })
		cancel()
		switch {
		case err == nil:
			renewed = began
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrLeaseLost) || time.Since(renewed) >= m.opts.Lease:
			m.opts.Log.Error("this process lost its lease and gives up its jobs; others take them over", "error", err)
			close(m.lost)
			return
		default:
			m.opts.Log.Warn("renewing the lease failed; trying again", "error", err)
		}
	}
}

// Lost is closed when the lease has ended against this process's will.
func (m *Member) Lost() <-chan struct{} { return m.lost }

// ID is this instance's.
func (m *Member) ID() store.UUID { return m.id }

// ServerName is what job.handler holds for this process's jobs.
func (m *Member) ServerName() string { return m.opts.ServerName }

// Tags are the values of job.handler whose new jobs this process claims.
func (m *Member) Tags() []string { return m.tags }

// Claim takes at most n new jobs of this member's pools.
func (m *Member) Claim(ctx context.Context, n int) (claims []store.Claim, err error) {
	if n <= 0 {
		return nil, nil
	}
	err = m.db.Write(ctx, func(tx *store.Tx) (err error) {
		claims, err = store.ClaimJobs(ctx, tx, m.id, m.opts.ServerName, m.tags, n)
		return err
	})
	return claims, err
}

// Adopt takes the unfinished jobs of this server name whose process is gone: a
// process of this host that no longer runs, or one whose lease has ended. A job
// that an administrator moved here from another name is taken too, whether its
// former process lives or not.
func (m *Member) Adopt(ctx context.Context) (claims []store.Claim, err error) {
	instances, err := store.Instances(ctx, m.db)
	if err != nil {
		return nil, err
	}
	var alive []string
	for _, in := range instances {
		if in.ServerName != m.opts.ServerName || in.Hostname == m.host && !running(in.PID) {
			continue
		}
		alive = append(alive, in.ID.Hex())
	}
	err = m.db.Write(ctx, func(tx *store.Tx) (err error) {
		claims, err = store.AdoptJobs(ctx, tx, m.id, m.opts.ServerName, alive)
		if err != nil {
			return err
		}
		return m.forgetDead(ctx, tx, alive)
	})
	return claims, err
}

// Held lists the jobs that are this instance's by the database's word.
func (m *Member) Held(ctx context.Context) ([]store.Claim, error) {
	return store.ClaimsOf(ctx, m.db, m.id, m.opts.ServerName)
}

// forgetDead removes the rows of this name's instances that live no more.
func (m *Member) forgetDead(ctx context.Context, tx *store.Tx, alive []string) error {
	cond, arg := store.AnyOfText(tx, "id", append([]string{m.id.Hex()}, alive...))
	_, err := tx.Exec(ctx, "DELETE FROM orrery_instance WHERE server_name = ? AND hostname = ? AND NOT ("+cond+")",
		m.opts.ServerName, m.host, arg)
	return err
}

func running(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// Leave ends the lease. Jobs that still run stay with this server name, for its
// next process.
func (m *Member) Leave(ctx context.Context) error {
	m.stop()
	<-m.done
	return m.db.Write(ctx, func(tx *store.Tx) error { return store.RemoveInstance(ctx, tx, m.id) })
}
