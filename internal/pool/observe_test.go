package pool_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// seen is an observer that writes down what it is told.
type seen struct {
	mu      sync.Mutex
	words   []string
	renewed chan struct{}
}

func (s *seen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = append(s.words, fmt.Sprintf(format, args...))
}

func (s *seen) Claimed(jobs int, took time.Duration) { s.say("claimed %d %v", jobs, took > 0) }
func (s *seen) TookOver(jobs int)                    { s.say("took over %d", jobs) }
func (s *seen) LeaseLost()                           { s.say("lost") }
func (s *seen) Renewed(err error) {
	if err == nil {
		select {
		case s.renewed <- struct{}{}:
		default:
		}
	}
}

func TestWhatAMemberDoesIsObserved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := &seen{renewed: make(chan struct{}, 1)}
		m, err := pool.Join(t.Context(), db, pool.Options{ServerName: "h1", Kind: "handler", Tags: []string{"_default_"}, Lease: 3 * time.Second, Observe: o})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Leave(t.Context()) }()
		job(t, db, "_default_", "new")
		job(t, db, "_default_", "new")
		orphan := job(t, db, "old", "running")
		claimFor(t, db, instance(t, db, store.Instance{ServerName: "old", Hostname: "elsewhere", PID: 1, Pools: []string{"old", "_default_"}}, -time.Second), orphan, "_default_")
		if _, err := m.Claim(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		m.Mature()
		if _, err := m.TakeOver(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		<-o.renewed
		exec1(t, db, "DELETE FROM orrery_instance WHERE server_name = 'h1'")
		<-m.Lost()
		o.mu.Lock()
		defer o.mu.Unlock()
		got := strings.Join(o.words, ", ")
		if !strings.HasPrefix(got, "claimed 2 true") || !strings.Contains(got, "took over 1") || !strings.HasSuffix(got, "lost") {
			t.Errorf("observed: %s", got)
		}
	})
}

func TestLoadCountsTheJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h1 := instance(t, db, store.Instance{ServerName: "h1", Hostname: "here", PID: 1, Pools: []string{"h1", "_default_"}}, time.Minute)
		running := job(t, db, "h1", "running")
		claimFor(t, db, h1, running, "_default_")
		job(t, db, "_default_", "new")
		job(t, db, "_default_", "new")
		job(t, db, "special", "new")
		job(t, db, "h1", "ok")
		load, err := (&pool.Operator{DB: db}).Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, j := range load.Jobs {
			got = append(got, fmt.Sprintf("%s:%s:%s:%d", j.State, j.Handler, j.Pool, j.Jobs))
		}
		if text := strings.Join(got, " "); text != "new:_default_::2 new:special::1 running:h1:_default_:1" {
			t.Errorf("jobs: %s", text)
		}
		if len(load.Report.Handlers) != 1 || len(load.Report.Waiting) != 1 || load.Report.Waiting[0].Target != "special" {
			t.Errorf("the report: %+v", load.Report)
		}
		if s := db.PoolStats(); s.Open < 1 || s.Most < s.Open {
			t.Errorf("connections: %+v", s)
		}
	})
}
