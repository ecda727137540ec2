package pool_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// oracle knows what was granted to whom, and what was finished.
type oracle struct {
	mu       sync.Mutex
	granted  map[int64]int // the newest epoch of each job
	finished map[int64][]int
}

func (o *oracle) grant(t *testing.T, claims []store.Claim) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range claims {
		if len(o.finished[c.JobID]) > 0 {
			t.Errorf("job %d was given away in epoch %d after it had been finished in %v", c.JobID, c.Epoch, o.finished[c.JobID])
		}
		o.granted[c.JobID] = max(o.granted[c.JobID], c.Epoch)
	}
}

// simulated is a process that behaves badly: it goes on with its claims when its
// lease has ended, dies without a word, comes back.
type simulated struct {
	t    *testing.T
	db   *store.DB
	rng  *rand.Rand
	o    *oracle
	name string
	tags []string
	m    *pool.Member
	has  []store.Claim
}

func (s *simulated) check(what string, err error) {
	if err != nil {
		s.t.Errorf("%s of %s: %v", what, s.name, err)
	}
}

func (s *simulated) join() {
	m, err := pool.Join(s.t.Context(), s.db, pool.Options{ServerName: s.name, Kind: "handler", Tags: s.tags, Lease: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	m.Mature()
	s.m, s.has = m, nil
}

// lapse ends the lease of this process, which does not know it yet.
func (s *simulated) lapse() {
	s.check("lapse", s.db.Write(s.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(s.t.Context(), "UPDATE orrery_instance SET expires = started WHERE id = ? AND expires > started", s.m.ID())
		return err
	}))
}

// end finishes the i-th job that the process believes to have.
func (s *simulated) end(i int) {
	c := s.has[i]
	s.has = append(s.has[:i:i], s.has[i+1:]...)
	err := s.db.Write(s.t.Context(), func(tx *store.Tx) error {
		if s.rng.IntN(2) == 0 {
			if err := store.StartJob(s.t.Context(), tx, c, s.name, store.Started{Runner: "local"}); err != nil {
				return err
			}
		}
		_, err := store.FinishJob(s.t.Context(), tx, c, s.name, store.Finished{State: galaxy.JobOK})
		return err
	})
	switch {
	case err == nil:
		s.o.mu.Lock()
		s.o.finished[c.JobID] = append(s.o.finished[c.JobID], c.Epoch)
		s.o.mu.Unlock()
	case !errors.Is(err, store.ErrClaimLost) && !store.Outage(err):
		s.check("finish", err)
	}
}

func (s *simulated) step() {
	ctx := s.t.Context()
	switch n := s.rng.IntN(100); {
	case n < 30:
		claims, err := s.m.Claim(ctx, 1+s.rng.IntN(3))
		s.check("claim", err)
		s.o.grant(s.t, claims)
		s.has = append(s.has, claims...)
	case n < 50:
		claims, err := s.m.TakeOver(ctx, 1+s.rng.IntN(3))
		if !errors.Is(err, store.ErrLeaseLost) {
			s.check("take-over", err)
		}
		s.o.grant(s.t, claims)
		s.has = append(s.has, claims...)
	case n < 75:
		if len(s.has) > 0 {
			s.end(s.rng.IntN(len(s.has)))
		}
	case n < 80: // paused for longer than the lease; goes on as if nothing had been
		s.lapse()
	case n < 84: // and notices it
		s.lapse()
		s.check("rejoin", s.m.Rejoin(ctx))
		s.m.Mature()
		held, err := s.m.Held(ctx)
		s.check("held", err)
		s.o.grant(s.t, held)
		s.has = held
	case n < 88: // killed
		s.m.Stop()
		s.lapse()
		s.join()
	case n < 92: // stopped
		s.check("leave", s.m.Leave(ctx))
		s.join()
	case n < 96: // given back
		if len(s.has) > 0 {
			c := s.has[0]
			s.has = s.has[1:]
			err := s.db.Write(ctx, func(tx *store.Tx) error { return store.RequeueJob(ctx, tx, c, s.name) })
			if err == nil {
				s.o.mu.Lock()
				s.o.granted[c.JobID] = 0 // its claim is gone, and epochs begin anew
				s.o.mu.Unlock()
			} else if !errors.Is(err, store.ErrClaimLost) && !store.Outage(err) {
				s.check("requeue", err)
			}
		}
	default: // moved by hand
		to := []string{"_default_", "special", "p0", "p1"}[s.rng.IntN(4)]
		_, err := pool.Reassign(ctx, s.db, nil, pool.Selection{Jobs: []int64{int64(1 + s.rng.IntN(40))}}, to)
		s.check("reassign", err)
	}
}

// Whatever happens to the processes, each job is finished exactly once, by the
// one to whom it was given last. ORRERY_SEED repeats a run as far as the engine's
// own timing does.
func TestEachJobIsFinishedOnceByItsLastOwner(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("ORRERY_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Logf("ORRERY_SEED=%d", seed)
		const jobs = 40
		for i := range jobs {
			job(t, db, []string{"_default_", "special", "p2"}[i%3], "new")
		}
		o := &oracle{granted: map[int64]int{}, finished: map[int64][]int{}}
		var all sync.WaitGroup
		processes := make([]*simulated, 4)
		for i := range processes {
			s := &simulated{t: t, db: db, rng: rand.New(rand.NewPCG(seed, uint64(i))), o: o, name: fmt.Sprintf("p%d", i), tags: []string{"_default_"}}
			if i%2 == 1 {
				s.tags = []string{"_default_", "special"}
			}
			processes[i] = s
			s.join()
			all.Go(func() {
				for range 60 {
					s.step()
				}
			})
		}
		all.Wait()
		// In the end everybody recovers, and nothing may be left behind.
		for _, s := range processes {
			s.lapse()
			s.check("rejoin", s.m.Rejoin(t.Context()))
			s.m.Mature()
			s.has = nil
		}
		for range 20 {
			for _, s := range processes {
				held, err := s.m.Held(t.Context())
				s.check("held", err)
				more, err := s.m.TakeOver(t.Context(), 10)
				s.check("take-over", err)
				fresh, err := s.m.Claim(t.Context(), 10)
				s.check("claim", err)
				s.has = append(append(held, more...), fresh...)
				o.grant(t, s.has)
				for len(s.has) > 0 {
					s.end(0)
				}
			}
		}
		if len(o.finished) != jobs {
			t.Errorf("%d of %d jobs were finished", len(o.finished), jobs)
		}
		for id, epochs := range o.finished {
			if len(epochs) != 1 || epochs[0] < o.granted[id] {
				t.Errorf("job %d was finished in the epochs %v; its last one was %d", id, epochs, o.granted[id])
			}
		}
		for _, query := range []string{"SELECT count(*) FROM orrery_claim", "SELECT count(*) FROM job WHERE state <> 'ok'"} {
			var n int
			if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d, %v", query, n, err)
			}
		}
		for _, s := range processes {
			s.check("leave", s.m.Leave(t.Context()))
		}
	})
}
