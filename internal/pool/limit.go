package pool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"orrery/internal/config"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// LimitOptions say what may run at once.
type LimitOptions struct {
	// Limits are those of the job configuration; only the numbers of jobs at once
	// concern this package.
	Limits config.Limits
	// ServerName is the handler's, whose claims reserve places.
	ServerName string
	// TagsOf gives the tags of a destination of the configuration: jobs that ran
	// before a limit was set count too. Nil when destinations have no tags.
	TagsOf func(destinationID string) []string
	// Cached says that cache_user_job_count is set: counting is exact here and needs
	// no cache, and the log says so.
	Cached bool
	// Bus wakes those who serve jobs that are let go; nil wakes nobody.
	Bus *wake.Bus
	Log *slog.Logger
}

// Limits keeps the numbers of jobs that run at once within the job
// configuration's, exactly and across all handlers of a database. A job takes a
// place under each limit that concerns it before it is handed to its runner, and
// gives the places back when its claim ends, however that comes about. A job for
// which there is no place goes back to its pool and waits, unclaimed, until it is
// let go.
//
// Where nothing is limited, and for a nil *Limits, no method touches the
// database.
type Limits struct {
	db     *store.DB
	opts   LimitOptions
	none   bool
	ended  chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

// sweepEvery is how often a process looks for places whose end nobody told.
const sweepEvery = 20 * time.Second

// Owner is who has a job: a registered user, or else a visitor's session. Both
// are 0 for a job of nobody.
type Owner struct{ User, Session int64 }

// text is the owner as rows of places keep it.
func (o Owner) text() string {
	switch {
	case o.User != 0:
		return "u" + strconv.FormatInt(o.User, 10)
	case o.Session != 0:
		return "s" + strconv.FormatInt(o.Session, 10)
	}
	return ""
}

// OpenLimits makes the limits of a job configuration hold: what they were before
// is replaced, jobs that run take their places, and those that waited for what
// is free now are let go.
func OpenLimits(ctx context.Context, db *store.DB, opts LimitOptions) (*Limits, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.TagsOf == nil {
		opts.TagsOf = func(string) []string { return nil }
	}
	if opts.Cached {
		opts.Log.Info("cache_user_job_count has no effect: jobs are counted exactly, and without looking at all of them")
	}
	l := &Limits{db: db, opts: opts, ended: make(chan struct{}, 1), done: make(chan struct{})}
	c := opts.Limits
	l.none = c.RegisteredUserConcurrentJobs <= 0 && c.AnonymousUserConcurrentJobs <= 0 &&
		len(c.DestinationUserConcurrentJobs) == 0 && len(c.DestinationTotalConcurrentJobs) == 0
	freed, err := store.SetLimits(ctx, db, l.most, l.placesOf)
	if err != nil {
		return nil, fmt.Errorf("setting the limits on concurrent jobs: %w", err)
	}
	l.wake(freed)
	if l.none {
		close(l.done)
		return l, nil
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.Ended()
	go l.run(running)
	return l, nil
}

// Close ends what runs on the side. Places that jobs have stay theirs.
func (l *Limits) Close() {
	if l == nil || l.none {
		return
	}
	l.cancel()
	<-l.done
}

// Reserve takes a place for a claimed job under each limit that concerns it: its
// owner's, and those of the destination it is to be sent to, by its id and its
// tags. When there is none, the job is given back to its pool in the same
// transaction (ok is false, and the claim is over). Reserving again, also after
// a take-over, is harmless. The errors are those of store's RequeueJob.
func (l *Limits) Reserve(ctx context.Context, c store.Claim, owner Owner, destinationID string, tags []string) (ok bool, err error) {
	if l == nil || l.none {
		return true, nil
	}
	places := l.places(owner, destinationID, tags)
	if len(places) == 0 {
		return true, nil
	}
	var r store.Reservation
	err = l.db.Write(ctx, func(tx *store.Tx) (err error) {
		r, err = store.ReservePlaces(ctx, tx, c, l.opts.ServerName, owner.text(), places)
		return err
	})
	if err != nil {
		return false, err
	}
	if r.Look {
		l.Ended()
	} else if !r.OK {
		// What ended between counting and writing down that this job waits did not
		// see it waiting.
		free, err := store.PlacesFree(ctx, l.db, places)
		if err != nil || free {
			l.Ended()
		}
	}
	return r.OK, nil
}

// Ended says that a job which may have had places has ended or was given back:
// those who waited for them are let go. It does not wait for that.
func (l *Limits) Ended() {
	if l == nil || l.none {
		return
	}
	select {
	case l.ended <- struct{}{}:
	default: // somebody is about to look
	}
}

// run lets go of waiting jobs whenever places are free.
func (l *Limits) run(ctx context.Context) {
	defer close(l.done)
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		sweep := false
		select {
		case <-ctx.Done():
			return
		case <-l.ended:
		case <-timer.C:
			sweep = true
		}
		again := sweepEvery
		some, err := l.look(ctx, sweep)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.opts.Log.Warn("looking for jobs that a limit may let go failed; trying again", "error", err)
			again = time.Second
		case some:
			// A place that nobody takes in time is offered to the next.
			again = store.OfferLife + time.Second
		}
		timer.Reset(again)
	}
}

func (l *Limits) look(ctx context.Context, sweep bool) (some bool, err error) {
	if sweep {
		if err := store.SweepPlaces(ctx, l.db); err != nil {
			return false, err
		}
	}
	targets, err := store.LetGo(ctx, l.db)
	l.wake(targets)
	return len(targets) > 0, err
}

func (l *Limits) wake(targets []string) {
	if l.opts.Bus == nil {
		return
	}
	for _, t := range targets {
		l.opts.Bus.Wake(wake.Jobs(t))
	}
}

// The names of limits: what is limited, then whose, then where.
const (
	userLimit        = "user"
	sessionLimit     = "session"
	destinationUser  = "destination_user"
	destinationTotal = "destination_total"
)

// places are the limits that concern a job. Visitors without an account have
// their own limit and share the totals of destinations; limits per user and
// destination are for registered users only, as in Galaxy.
func (l *Limits) places(owner Owner, destinationID string, tags []string) []store.Place {
	c := l.opts.Limits
	var places []store.Place
	switch {
	case owner.User != 0 && c.RegisteredUserConcurrentJobs > 0:
		places = append(places, store.Place{Name: limitName(userLimit, owner.User, ""), Most: c.RegisteredUserConcurrentJobs, Whose: true})
	case owner.User == 0 && owner.Session != 0 && c.AnonymousUserConcurrentJobs > 0:
		places = append(places, store.Place{Name: limitName(sessionLimit, owner.Session, ""), Most: c.AnonymousUserConcurrentJobs, Whose: true})
	}
	seen := map[string]bool{}
	for _, where := range append([]string{destinationID}, tags...) {
		if where == "" || seen[where] {
			continue
		}
		seen[where] = true
		if most, limited := c.DestinationUserConcurrentJobs[where]; limited && owner.User != 0 {
			places = append(places, store.Place{Name: limitName(destinationUser, owner.User, where), Most: most})
		}
		if most, limited := c.DestinationTotalConcurrentJobs[where]; limited {
			places = append(places, store.Place{Name: limitName(destinationTotal, 0, where), Most: most})
		}
	}
	return places
}

// placesOf is places for a job that runs already.
func (l *Limits) placesOf(user, session int64, destinationID string) (owner string, places []store.Place) {
	o := Owner{User: user, Session: session}
	return o.text(), l.places(o, destinationID, l.opts.TagsOf(destinationID))
}

// limitName is the name of a limit in the database. A long or an unusual name of
// a destination is replaced by its hash.
func limitName(kind string, id int64, where string) string {
	name := kind
	if id != 0 {
		name += ":" + strconv.FormatInt(id, 10)
	}
	if where == "" {
		return name
	}
	return name + ":" + placeName(where)
}

func placeName(where string) string {
	plain := len(where) <= 150 && strings.IndexFunc(where, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	if plain && !strings.HasPrefix(where, "#") {
		return where
	}
	sum := sha256.Sum256([]byte(where))
	return "#" + hex.EncodeToString(sum[:16])
}

// most is how many jobs the limit of a name lets in, if this configuration has
// such a limit.
func (l *Limits) most(name string) (most int, limited bool) {
	kind, rest, _ := strings.Cut(name, ":")
	c := l.opts.Limits
	var by map[string]int
	switch kind {
	case userLimit:
		return c.RegisteredUserConcurrentJobs, c.RegisteredUserConcurrentJobs > 0
	case sessionLimit:
		return c.AnonymousUserConcurrentJobs, c.AnonymousUserConcurrentJobs > 0
	case destinationUser:
		_, rest, _ = strings.Cut(rest, ":")
		by = c.DestinationUserConcurrentJobs
	case destinationTotal:
		by = c.DestinationTotalConcurrentJobs
	}
	for where, most := range by {
		if placeName(where) == rest {
			return most, true
		}
	}
	return 0, false
}
