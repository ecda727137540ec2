package pool_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
	"orrery/internal/wake"
)

// One who takes what it can wakes the next, and nobody is woken who is full or
// drained.
func TestNewJobsFindThoseThatAreIdle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		web, err := wake.Open(dir, "web", false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer web.Close()
		topic := wake.Jobs("_default_")
		drained := joinBus(t, db, dir, "drained", time.Hour)
		if err := pool.Drain(t.Context(), db, web, "drained"); err != nil {
			t.Fatal(err)
		}
		members := []*pool.Member{joinBus(t, db, dir, "h1", time.Hour), joinBus(t, db, dir, "h2", time.Hour), joinBus(t, db, dir, "h3", time.Hour)}
		for range 4 {
			job(t, db, "_default_", "new")
		}
		testenv.Poll(t, "the drained one to hear of it", time.Minute, func() bool { return !slices.Contains(web.Idle(wake.Jobs), "drained") })
		web.WakeOne(topic)
		woken := map[string]bool{}
		for range members {
			var m *pool.Member
			select {
			case <-members[0].Work():
				m = members[0]
			case <-members[1].Work():
				m = members[1]
			case <-members[2].Work():
				m = members[2]
			}
			if claims, err := m.Claim(t.Context(), 1); err != nil || len(claims) != 1 || woken[m.ServerName()] {
				t.Errorf("%s claimed %v, %v; woken before: %v", m.ServerName(), claims, err, woken)
			}
			woken[m.ServerName()] = true
		}
		for _, m := range append(members, drained) {
			if len(m.Work()) > 0 {
				t.Errorf("%s was woken although it is full or drained", m.ServerName())
			}
		}
		// Who has room again looks for itself.
		if claims, err := members[0].Claim(t.Context(), 1); err != nil || len(claims) != 1 {
			t.Errorf("claimed %v, %v", claims, err)
		}
	})
}
