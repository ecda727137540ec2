package pool_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// states gives each server's name with its state and numbers of jobs.
func states(t *testing.T, db *store.DB) string {
	t.Helper()
	list, err := pool.List(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, h := range list {
		out = append(out, fmt.Sprintf("%s:%s:%s:%d:%d", h.Name, h.State, strings.Join(h.Pools, "+"), h.Claimed, h.Running))
	}
	return strings.Join(out, " ")
}

func waitingFor(t *testing.T, db *store.DB) string {
	t.Helper()
	list, err := pool.Waiting(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, w := range list {
		out = append(out, fmt.Sprintf("%s:%d:%d:%v", w.Target, w.New, w.Held, w.Drained))
	}
	return strings.Join(out, " ")
}

func TestOperating(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		h1 := join(t, db, "h1", time.Minute)
		alone, err := pool.Join(ctx, db, pool.Options{ServerName: "alone", Kind: "handler"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = alone.Leave(ctx) }()
		lost := instance(t, db, store.Instance{ServerName: "old", Hostname: "elsewhere", PID: 1, Pools: []string{"old", "_default_"}}, -time.Second)
		running, queued := job(t, db, "old", "running"), job(t, db, "old", "queued")
		claimFor(t, db, lost, running, "_default_")
		claimFor(t, db, lost, queued, "old")
		job(t, db, "_default_", "new")
		job(t, db, "special", "new")
		job(t, db, "special", "new")
		if got, want := states(t, db), "alone:alive::0:0 h1:alive:_default_:0:0 old:lost:_default_:2:1"; got != want {
			t.Errorf("handlers %q, want %q", got, want)
		}
		if got, want := waitingFor(t, db), "old:0:2:false special:2:0:false"; got != want {
			t.Errorf("waiting for %q, want %q", got, want)
		}

		// A drained handler keeps what it has and takes nothing new.
		if err := pool.Drain(ctx, db, nil, "h1"); err != nil {
			t.Fatal(err)
		}
		if claims, err := h1.Claim(ctx, 5); err != nil || len(claims) != 0 {
			t.Errorf("a drained handler claimed %v, %v", claims, err)
		}
		h1.Mature()
		if claims, err := h1.TakeOver(ctx, 5); err != nil || len(claims) != 0 {
			t.Errorf("a drained handler took over %v, %v", claims, err)
		}
		if got, want := waitingFor(t, db), "_default_:1:0:true old:0:2:false special:2:0:false"; got != want {
			t.Errorf("while drained waiting for %q, want %q", got, want)
		}
		if got := states(t, db); !strings.Contains(got, "h1:drained:_default_") {
			t.Errorf("while drained: %q", got)
		}
		// Also after a restart.
		if err := h1.Leave(ctx); err != nil {
			t.Fatal(err)
		}
		h1 = join(t, db, "h1", time.Minute)
		if claims, err := h1.Claim(ctx, 5); err != nil || len(claims) != 0 {
			t.Errorf("a drained handler claimed %v after its restart, %v", claims, err)
		}
		if err := pool.Undrain(ctx, db, nil, "h1"); err != nil {
			t.Fatal(err)
		}
		if claims, err := h1.Claim(ctx, 5); err != nil || len(claims) != 1 {
			t.Errorf("after the drain claimed %v, %v", claims, err)
		}
		for _, err := range []error{pool.Undrain(ctx, db, nil, "h1"), pool.Drain(ctx, db, nil, "nobody")} {
			if galaxy.KindOf(err) != galaxy.NotFound {
				t.Errorf("draining what is not there: %v", err)
			}
		}

		// A handler that lives is not removed; one that is lost gives its jobs back.
		if _, err := pool.Remove(ctx, db, nil, "h1"); galaxy.KindOf(err) != galaxy.Conflict {
			t.Errorf("removing a living handler: %v", err)
		}
		if n, err := pool.Remove(ctx, db, nil, "old"); err != nil || n != 2 {
			t.Errorf("removing gave %d jobs back, %v", n, err)
		}
		if _, err := pool.Remove(ctx, db, nil, "old"); galaxy.KindOf(err) != galaxy.NotFound {
			t.Errorf("removing it again: %v", err)
		}
		claims, err := h1.TakeOver(ctx, 5)
		if err != nil || len(claims) != 1 || claims[0].JobID != running || claims[0].Epoch != 2 {
			t.Errorf("the jobs that were given back: %+v, %v", claims, err)
		}

		// Jobs are reassigned by handler, tool and id; a running one goes to a living
		// member of the tag.
		if n, err := pool.Reassign(ctx, db, nil, pool.Selection{From: "old"}, "_default_"); err != nil || n != 1 {
			t.Errorf("reassigned %d from the old handler, %v", n, err)
		}
		if n, err := pool.Reassign(ctx, db, nil, pool.Selection{Jobs: []int64{running}}, "alone"); err != nil || n != 1 {
			t.Errorf("reassigned %d by id, %v", n, err)
		}
		if got, err := alone.TakeOver(ctx, 5); err != nil || len(got) != 1 || got[0].JobID != running || got[0].Epoch != 3 {
			t.Errorf("the job that was reassigned to a name: %+v, %v", got, err)
		}
		if got, err := h1.TakeOver(ctx, 5); err != nil || len(got) != 1 || got[0].JobID != queued {
			t.Errorf("the job that was reassigned to a tag: %+v, %v", got, err)
		}
		if n, err := pool.Reassign(ctx, db, nil, pool.Selection{Tool: "cat1", From: "special"}, "h1"); err != nil || n != 2 {
			t.Errorf("reassigned %d of a tool, %v", n, err)
		}
		if n, err := pool.Reassign(ctx, db, nil, pool.Selection{Tool: "cat"}, "h1"); err != nil || n != 0 {
			t.Errorf("reassigned %d of a tool that has none, %v", n, err)
		}
		for _, bad := range []pool.Selection{{}, {From: "h1"}} {
			if _, err := pool.Reassign(ctx, db, nil, bad, strings.Repeat("x", 256)); galaxy.KindOf(err) != galaxy.Invalid {
				t.Errorf("reassigning %+v: %v", bad, err)
			}
		}
		jobs, err := pool.Jobs(ctx, db, "h1", "")
		if err != nil || len(jobs) != 4 {
			t.Fatalf("the jobs of h1: %+v, %v", jobs, err)
		}
		if i := slices.IndexFunc(jobs, func(j pool.Job) bool { return j.ID == queued }); i < 0 || !jobs[i].Alive || jobs[i].Server != "h1" || jobs[i].Pool != "_default_" {
			t.Errorf("the jobs of h1: %+v", jobs)
		}
		if jobs, err = pool.Jobs(ctx, db, "", galaxy.JobNew); err != nil || len(jobs) != 2 {
			t.Errorf("new jobs: %+v, %v", jobs, err)
		}
	})
}

// One user's many jobs, and one who asks for one job at a time, hold up nobody.
func TestOwnersTakeTurns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := join(t, db, "h1", time.Minute)
		insert := func(user, n int) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *store.Tx) error {
				rows := make([][]any, n)
				for i := range rows {
					rows[i] = []any{"cat1", "new", "_default_", user, false}
				}
				return store.InsertRows(t.Context(), tx, "job", []string{"tool_id", "state", "handler", "user_id", "imported"}, rows)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			return store.InsertRows(t.Context(), tx, "galaxy_user", []string{"id", "email", "password", "active"}, [][]any{{1, "a@x.org", "x", true}, {2, "b@x.org", "x", true}, {3, "c@x.org", "x", true}})
		}); err != nil {
			t.Fatal(err)
		}
		insert(1, 5000)
		insert(2, 1)
		insert(3, 3)
		owners := map[int64]int{}
		take := func(n int) {
			t.Helper()
			claims, err := m.Claim(t.Context(), n)
			if err != nil || len(claims) != n {
				t.Fatalf("claimed %d, %v", len(claims), err)
			}
			for _, c := range claims {
				var owner int64
				if err := db.QueryRow(t.Context(), "SELECT user_id FROM job WHERE id = ?", c.JobID).Scan(&owner); err != nil {
					t.Fatal(err)
				}
				owners[owner]++
			}
		}
		for range 3 {
			take(1)
		}
		if owners[1] != 1 || owners[2] != 1 || owners[3] != 1 {
			t.Errorf("after three claims of one job: %v", owners)
		}
		take(5)
		if owners[1] != 4 || owners[3] != 3 {
			t.Errorf("after a claim of five: %v", owners)
		}
		take(500) // all of one, more than is looked at in one go
	})
}
