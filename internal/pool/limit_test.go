package pool_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/config"
	"orrery/internal/galaxy"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/wake"
)

// ring tells a worker of jobs in the pool that was let go.
type ring struct{ bus *wake.Bus }

func newRing(t *testing.T) *ring {
	t.Helper()
	bus, err := wake.Open(t.TempDir(), "test", false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ring{bus: bus}
}

// next gives a channel that gets a value after the next wake-up.
func (r *ring) next() <-chan struct{} { return r.bus.Subscribe(wake.Jobs("_default_")) }

// worker is a handler that tests drive by hand.
type worker struct {
	t      *testing.T
	db     *store.DB
	id     store.UUID
	name   string
	limits *pool.Limits
	ring   *ring
}

func newWorker(t *testing.T, db *store.DB, name string, limits config.Limits, ring *ring) *worker {
	t.Helper()
	w := &worker{t: t, db: db, name: name, id: store.NewUUID(), ring: ring}
	if err := db.Write(t.Context(), func(tx *store.Tx) error {
		return store.RegisterInstance(t.Context(), tx, store.Instance{ID: w.id, ServerName: name, Hostname: "here", PID: 1, Kind: "handler",
			Pools: []string{name, "_default_"}}, time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	w.open(limits)
	return w
}

// open starts the worker's limits, again if it had some.
func (w *worker) open(limits config.Limits) {
	w.t.Helper()
	if w.limits != nil {
		w.limits.Close()
	}
	l, err := pool.OpenLimits(context.Background(), w.db, pool.LimitOptions{Limits: limits, ServerName: w.name, Bus: w.ring.bus,
		TagsOf: func(id string) []string { return strings.Split(id, "-")[1:] }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.limits = l
	w.t.Cleanup(l.Close)
}

func (w *worker) claim(n int) []store.Claim {
	w.t.Helper()
	got, err := store.ClaimJobs(context.Background(), w.db, store.Claimant{Instance: w.id, ServerName: w.name, Pools: []string{w.name, "_default_"}}, n)
	if err != nil {
		w.t.Error(err)
	}
	return got.Jobs
}

// must claims one job and takes its places, which there have to be.
func (w *worker) must(owner pool.Owner, destination string, tags ...string) store.Claim {
	w.t.Helper()
	claims := w.claim(1)
	if len(claims) != 1 {
		w.t.Fatalf("claimed %v", claims)
	}
	if ok, err := w.limits.Reserve(w.t.Context(), claims[0], owner, destination, tags); err != nil || !ok {
		w.t.Fatalf("job %d: reserved %v, %v", claims[0].JobID, ok, err)
	}
	return claims[0]
}

func (w *worker) finish(c store.Claim) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := store.FinishJob(context.Background(), tx, c, w.name, store.Finished{State: galaxy.JobOK, Messages: store.JSON([]any{})})
		return err
	}); err != nil {
		w.t.Errorf("finishing job %d: %v", c.JobID, err)
	}
	w.limits.Ended()
}

// jobsOf inserts new jobs of an owner and gives their ids.
func jobsOf(t *testing.T, db *store.DB, n int, owner pool.Owner) (ids []int64) {
	t.Helper()
	if owner.User != 0 {
		ensureRow(t, db, "galaxy_user", owner.User, store.Values{"email": fmt.Sprintf("u%d@example.org", owner.User), "password": "", "deleted": false,
			"purged": false, "external": false, "active": true})
	}
	if owner.Session != 0 {
		ensureRow(t, db, "galaxy_session", owner.Session, store.Values{"is_valid": true})
	}
	if err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
		rows := make([][]any, n)
		for i := range rows {
			rows[i] = []any{tx.Now(), tx.Now(), "cat1", "new", "_default_", false, store.OrNull(owner.User), store.OrNull(owner.Session)}
		}
		ids, err = store.InsertMany(t.Context(), tx, "job", []string{"create_time", "update_time", "tool_id", "state", "handler", "imported", "user_id", "session_id"}, rows)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func ensureRow(t *testing.T, db *store.DB, table string, id int64, values store.Values) {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" WHERE id = ?", id).Scan(&n); err != nil {
		t.Fatal(err)
	} else if n > 0 {
		return
	}
	values["id"] = id
	if err := db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := store.Insert(t.Context(), tx, table, values)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *store.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// gauge counts what runs at once, as the jobs themselves would.
type gauge struct {
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
	max  map[string]int
	over []string
}

func (g *gauge) begin(keys []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		g.now[k]++
		g.max[k] = max(g.max[k], g.now[k])
		if g.now[k] > g.most[k] {
			g.over = append(g.over, fmt.Sprintf("%s: %d of %d", k, g.now[k], g.most[k]))
		}
	}
}

func (g *gauge) end(keys []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		g.now[k]--
	}
}

func TestLimitsHoldAcrossHandlers(t *testing.T) {
	limits := config.Limits{
		RegisteredUserConcurrentJobs: 4, AnonymousUserConcurrentJobs: 1,
		DestinationUserConcurrentJobs:  map[string]int{"fast-big": 2, "big": 3},
		DestinationTotalConcurrentJobs: map[string]int{"slow-big": 3, "big": 7},
	}
	destinations := []string{"fast-big", "slow-big", "free"}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		owners := map[int64]pool.Owner{}
		total := 0
		for user := int64(1); user <= 5; user++ {
			n := 20
			if user == 1 {
				n = 100
			}
			for _, id := range jobsOf(t, db, n, pool.Owner{User: user}) {
				owners[id] = pool.Owner{User: user}
			}
			total += n
		}
		for _, id := range jobsOf(t, db, 10, pool.Owner{Session: 9}) {
			owners[id] = pool.Owner{Session: 9}
		}
		total += 10
		g := &gauge{now: map[string]int{}, max: map[string]int{}, most: map[string]int{
			"total slow-big": 3, "total big": 7, "session 9": 1}}
		keys := func(o pool.Owner, destination string) (keys []string) {
			add := func(most int, key string) {
				g.mu.Lock()
				g.most[key] = most
				g.mu.Unlock()
				keys = append(keys, key)
			}
			if o.User == 0 {
				add(1, "session 9")
			} else {
				add(4, fmt.Sprint("user ", o.User))
			}
			if destination == "free" {
				return keys
			}
			if destination == "slow-big" {
				keys = append(keys, "total slow-big")
			}
			keys = append(keys, "total big")
			if o.User != 0 {
				if destination == "fast-big" {
					add(2, fmt.Sprint("fast of ", o.User))
				}
				add(3, fmt.Sprint("big of ", o.User))
			}
			return keys
		}
		const members = 8
		r := newRing(t)
		var done sync.WaitGroup
		var mu sync.Mutex
		left := total
		finished := make(chan struct{})
		for i := range members {
			w := newWorker(t, db, fmt.Sprint("h", i), limits, r)
			done.Go(func() {
				var running []store.Claim
				runs := map[int64][]string{}
				next := r.next()
				for round := 0; ; round++ {
					claims := w.claim(4 - len(running))
					for _, c := range claims {
						destination := destinations[int(c.JobID)%len(destinations)]
						o := owners[c.JobID]
						ok, err := w.limits.Reserve(context.Background(), c, o, destination, strings.Split(destination, "-")[1:])
						if err != nil {
							t.Errorf("job %d: %v", c.JobID, err)
							return
						}
						if ok {
							runs[c.JobID] = keys(o, destination)
							g.begin(runs[c.JobID])
							running = append(running, c)
							r.bus.Wake("begun")
						}
					}
					if len(running) > 0 && (len(claims) == 0 || round%2 == 0) {
						c := running[0]
						running = running[1:]
						g.end(runs[c.JobID])
						w.finish(c)
						mu.Lock()
						if left--; left == 0 {
							close(finished)
						}
						mu.Unlock()
						continue
					}
					if len(claims) > 0 || len(running) > 0 {
						continue
					}
					select {
					case <-finished:
						return
					case <-next:
					}
				}
			})
		}
		// An observer that sees only what is committed.
		watching, stop := context.WithCancel(t.Context())
		var observer sync.WaitGroup
		observer.Go(func() {
			begun := r.bus.Subscribe("begun")
			for {
				select {
				case <-watching.Done():
					return
				case <-begun:
				}
				over, err := store.Column[string](watching, db, `SELECT h.name FROM orrery_held h JOIN orrery_limit l ON l.name = h.name
					GROUP BY h.name, l.most HAVING count(*) > l.most`)
				if watching.Err() == nil && (err != nil || len(over) > 0) {
					t.Errorf("over their limits: %v, %v", over, err)
					return
				}
			}
		})
		done.Wait()
		stop()
		observer.Wait()
		if len(g.over) > 0 {
			t.Errorf("more at once than allowed: %v", g.over[:min(10, len(g.over))])
		}
		if n := count(t, db, "SELECT count(*) FROM job WHERE state = 'ok'"); n != total {
			t.Errorf("%d of %d jobs ended", n, total)
		}
		for _, table := range []string{"orrery_held", "orrery_limit_wait", "orrery_claim"} {
			if n := count(t, db, "SELECT count(*) FROM "+table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		if g.max["total slow-big"] < 2 || g.max["session 9"] != 1 {
			t.Errorf("the test did not try the limits: %v", g.max)
		}
	})
}

func TestLimits(t *testing.T) {
	tests := map[string]func(t *testing.T, db *store.DB){
		"nothing limited touches nothing":            nothingLimitedTouchesNothing,
		"a job without a place waits unclaimed":      aJobWithoutAPlaceWaitsUnclaimed,
		"one user's queue does not hold up another":  oneUsersQueueDoesNotHoldUpAnother,
		"a user's other jobs wait unasked":           aUsersOtherJobsWaitUnasked,
		"reserving again changes nothing":            reservingAgainChangesNothing,
		"a place that nobody takes goes to the next": aPlaceNobodyTakesGoesToTheNext,
		"what is served by nobody keeps no place":    whatIsServedByNobodyKeepsNoPlace,
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, what := range slices.Sorted(maps.Keys(tests)) {
			clearJobs(t, db)
			t.Run(what, func(t *testing.T) { tests[what](t, db) })
		}
	})
}

func clearJobs(t *testing.T, db *store.DB) {
	t.Helper()
	for _, table := range []string{"orrery_limit_wait", "orrery_claim", "orrery_limit", "orrery_instance", "job_state_history", "job"} {
		exec1(t, db, "DELETE FROM "+table)
	}
}

func nothingLimitedTouchesNothing(t *testing.T, db *store.DB) {
	w := newWorker(t, db, "h1", config.Limits{}, newRing(t))
	jobsOf(t, db, 1, pool.Owner{User: 1})
	w.must(pool.Owner{User: 1}, "local")
	if n := count(t, db, "SELECT count(*) FROM orrery_held") + count(t, db, "SELECT count(*) FROM orrery_limit"); n != 0 {
		t.Errorf("%d rows", n)
	}
	var none *pool.Limits
	if ok, err := none.Reserve(t.Context(), store.Claim{}, pool.Owner{}, "", nil); !ok || err != nil {
		t.Errorf("no limits: %v, %v", ok, err)
	}
	none.Ended()
	none.Close()
}

// denied claims a job for which there must be no place.
func (w *worker) denied(owner pool.Owner, destination string) int64 {
	w.t.Helper()
	claims := w.claim(1)
	if len(claims) != 1 {
		w.t.Fatalf("claimed %v", claims)
	}
	if ok, err := w.limits.Reserve(w.t.Context(), claims[0], owner, destination, nil); err != nil || ok {
		w.t.Fatalf("job %d: reserved %v, %v", claims[0].JobID, ok, err)
	}
	return claims[0].JobID
}

func aJobWithoutAPlaceWaitsUnclaimed(t *testing.T, db *store.DB) {
	alice := pool.Owner{User: 1}
	r := newRing(t)
	w := newWorker(t, db, "h1", config.Limits{DestinationTotalConcurrentJobs: map[string]int{"local": 1}}, r)
	ids := jobsOf(t, db, 3, alice)
	first := w.must(alice, "local")
	for _, id := range ids[1:] {
		if got := w.denied(alice, "local"); got != id {
			t.Errorf("claimed %d, want %d", got, id)
		}
	}
	if again := w.claim(5); len(again) != 0 {
		t.Fatalf("claimed %v although they wait", again)
	}
	if n := count(t, db, "SELECT count(*) FROM job WHERE state = 'new' AND handler = '_default_'"); n != 2 {
		t.Errorf("%d jobs are back in the pool", n)
	}
	// Several holding cycles: strictly by age.
	for i, id := range ids[1:] {
		next := r.next()
		w.finish(first)
		<-next
		first = w.must(alice, "local")
		if first.JobID != id {
			t.Errorf("%d. let go is %d, want %d", i+1, first.JobID, id)
		}
	}
}

func oneUsersQueueDoesNotHoldUpAnother(t *testing.T, db *store.DB) {
	alice, bob := pool.Owner{User: 1}, pool.Owner{User: 2}
	r := newRing(t)
	w := newWorker(t, db, "h1", config.Limits{DestinationTotalConcurrentJobs: map[string]int{"local": 2}}, r)
	jobsOf(t, db, 6, alice)
	running := []store.Claim{w.must(alice, "local"), w.must(alice, "local")}
	for range 4 {
		w.denied(alice, "local")
	}
	bobs := jobsOf(t, db, 1, bob)[0]
	w.denied(bob, "local")
	next := r.next()
	w.finish(running[0])
	<-next
	if c := w.must(bob, "local"); c.JobID != bobs {
		t.Errorf("job %d was let go before the other user's only one", c.JobID)
	}
}

func aUsersOtherJobsWaitUnasked(t *testing.T, db *store.DB) {
	alice, bob := pool.Owner{User: 1}, pool.Owner{User: 2}
	w := newWorker(t, db, "h1", config.Limits{RegisteredUserConcurrentJobs: 1}, newRing(t))
	jobsOf(t, db, 50, alice)
	w.must(alice, "local")
	w.denied(alice, "local")
	mine := jobsOf(t, db, 1, bob)[0]
	if c := w.must(bob, "local"); c.JobID != mine {
		t.Errorf("claimed %d", c.JobID)
	}
	if more := w.claim(10); len(more) != 0 {
		t.Errorf("asked for %v, whose owner has no place", more)
	}
}

func TestPlacesGoWithTheClaim(t *testing.T) {
	alice := pool.Owner{User: 1}
	ways := map[string]func(t *testing.T, w *worker, c store.Claim){
		"the job ends": func(_ *testing.T, w *worker, c store.Claim) { w.finish(c) },
		"it is put back": func(t *testing.T, w *worker, c store.Claim) {
			if err := w.db.Write(t.Context(), func(tx *store.Tx) error { return store.RequeueJob(t.Context(), tx, c, w.name) }); err != nil {
				t.Fatal(err)
			}
		},
		"it is paused": func(t *testing.T, w *worker, c store.Claim) {
			if err := w.db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := store.PauseJob(t.Context(), tx, c, w.name, "so")
				return err
			}); err != nil {
				t.Fatal(err)
			}
		},
		"somebody ends it by hand": func(t *testing.T, w *worker, c store.Claim) {
			exec1(t, w.db, "UPDATE job SET state = 'error' WHERE id = ?", c.JobID)
			if err := store.SweepPlaces(t.Context(), w.db); err != nil {
				t.Fatal(err)
			}
		},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, what := range slices.Sorted(maps.Keys(ways)) {
			t.Run(what, func(t *testing.T) {
				w := newWorker(t, db, "h1", config.Limits{RegisteredUserConcurrentJobs: 5}, newRing(t))
				jobsOf(t, db, 1, alice)
				c := w.must(alice, "local")
				if n := count(t, db, "SELECT count(*) FROM orrery_held"); n != 1 {
					t.Fatalf("%d places", n)
				}
				ways[what](t, w, c)
				if n := count(t, db, "SELECT count(*) FROM orrery_held"); n != 0 {
					t.Errorf("%d places are left", n)
				}
			})
		}
	})
}

func reservingAgainChangesNothing(t *testing.T, db *store.DB) {
	alice := pool.Owner{User: 1}
	w := newWorker(t, db, "h1", config.Limits{DestinationTotalConcurrentJobs: map[string]int{"a": 1, "b": 1}}, newRing(t))
	jobsOf(t, db, 1, alice)
	c := w.must(alice, "a")
	for _, destination := range []string{"a", "b"} { // b: the rules chose otherwise after a take-over
		if ok, err := w.limits.Reserve(t.Context(), c, alice, destination, nil); !ok || err != nil {
			t.Fatalf("again: %v, %v", ok, err)
		}
		names, err := store.Column[string](t.Context(), db, "SELECT name FROM orrery_held")
		if err != nil || len(names) != 1 || names[0] != "destination_total:"+destination {
			t.Errorf("places %v, %v", names, err)
		}
	}
	stolen := c
	stolen.Epoch--
	if _, err := w.limits.Reserve(t.Context(), stolen, alice, "a", nil); err == nil {
		t.Error("a claim that is over reserved a place")
	}
}

func TestLimitsChangeWithARestart(t *testing.T) {
	alice := pool.Owner{User: 1}
	total := func(n int) config.Limits {
		return config.Limits{DestinationTotalConcurrentJobs: map[string]int{"local": n}}
	}
	cases := []struct {
		what          string
		before, after config.Limits
		running       int // jobs that run before
		claimable     int // of the others, after the restart
	}{
		{"raised", total(2), total(4), 2, 2},
		{"taken away", total(2), config.Limits{}, 2, 5},
		{"as before", total(2), total(2), 2, 0},
		{"lowered", total(2), total(1), 2, 0},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range cases {
			t.Run(c.what, func(t *testing.T) {
				clearJobs(t, db)
				r := newRing(t)
				w := newWorker(t, db, "h1", c.before, r)
				jobsOf(t, db, c.running+5, alice)
				for range c.running {
					w.must(alice, "local")
				}
				for range 5 {
					w.denied(alice, "local")
				}
				next := r.next()
				w.open(c.after)
				if c.claimable > 0 {
					<-next
				}
				got := 0
				for _, claim := range w.claim(10) {
					if ok, err := w.limits.Reserve(t.Context(), claim, alice, "local", nil); ok && err == nil {
						got++
					}
				}
				if got != c.claimable {
					t.Errorf("%d jobs were let go, want %d", got, c.claimable)
				}
			})
		}
		t.Run("set where none was", func(t *testing.T) {
			clearJobs(t, db)
			w := newWorker(t, db, "h1", config.Limits{}, newRing(t))
			jobsOf(t, db, 2, alice)
			c := w.must(alice, "x-local")
			exec1(t, db, "UPDATE job SET state = 'running', destination_id = 'x-local' WHERE id = ?", c.JobID)
			w.open(total(1)) // of the tag, which the destination x-local has
			if n := count(t, db, "SELECT count(*) FROM orrery_held WHERE job_id = ?", c.JobID); n != 1 {
				t.Fatalf("the job that runs has %d places", n)
			}
			claims := w.claim(1)
			if ok, err := w.limits.Reserve(t.Context(), claims[0], alice, "y", []string{"local"}); ok || err != nil {
				t.Errorf("reserved %v, %v", ok, err)
			}
		})
	})
}

func aPlaceNobodyTakesGoesToTheNext(t *testing.T, db *store.DB) {
	alice, bob := pool.Owner{User: 1}, pool.Owner{User: 2}
	r := newRing(t)
	w := newWorker(t, db, "h1", config.Limits{DestinationTotalConcurrentJobs: map[string]int{"local": 1}}, r)
	first := jobsOf(t, db, 1, alice)[0]
	running := w.must(alice, "local")
	second := jobsOf(t, db, 1, alice)[0]
	w.denied(alice, "local")
	third := jobsOf(t, db, 1, bob)[0]
	exec1(t, db, "UPDATE job SET user_id = 1 WHERE id = ?", third)
	w.denied(alice, "local")
	next := r.next()
	w.finish(running)
	<-next
	// The one that was let go is ended by a person, and its offer runs out.
	exec1(t, db, "UPDATE job SET state = 'deleted' WHERE id = ?", second)
	exec1(t, db, "UPDATE orrery_limit_wait SET let_go = '2001-01-01 00:00:00.000000' WHERE job_id = ?", second)
	if targets, err := store.LetGo(t.Context(), db); err != nil || len(targets) != 1 || targets[0] != "_default_" {
		t.Fatalf("let go %v, %v", targets, err)
	}
	if c := w.must(alice, "local"); c.JobID != third || first == third {
		t.Errorf("job %d goes on", c.JobID)
	}
	if err := store.SweepPlaces(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM orrery_limit_wait"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func whatIsServedByNobodyKeepsNoPlace(t *testing.T, db *store.DB) {
	alice, bob := pool.Owner{User: 1}, pool.Owner{User: 2}
	r := newRing(t)
	w := newWorker(t, db, "h1", config.Limits{DestinationTotalConcurrentJobs: map[string]int{"local": 1}}, r)
	moved := jobsOf(t, db, 2, alice)[1]
	running := w.must(alice, "local")
	w.denied(alice, "local")
	mine := jobsOf(t, db, 1, bob)[0]
	w.denied(bob, "local")
	exec1(t, db, "UPDATE job SET handler = 'nobody' WHERE id = ?", moved)
	next := r.next()
	w.finish(running)
	<-next
	if c := w.must(bob, "local"); c.JobID != mine {
		t.Errorf("job %d goes on", c.JobID)
	}
}
