package pool_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

func join(t *testing.T, db *store.DB, name string, lease time.Duration) *pool.Member {
	t.Helper()
	m, err := pool.Join(t.Context(), db, pool.Options{ServerName: name, Kind: "handler", Tags: []string{"_default_", name}, Lease: lease, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Leave(context.Background()) })
	return m
}

func exec1(t *testing.T, db *store.DB, query string, args ...any) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), query, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// job inserts a bare job and gives its id.
func job(t *testing.T, db *store.DB, handler, state string) (id int64) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
		id, err = store.Insert(t.Context(), tx, "job", store.Values{
			"create_time": tx.Now(), "update_time": tx.Now(), "tool_id": "cat1", "state": state, "handler": handler, "imported": false,
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

// instance registers a process that tests invent.
func instance(t *testing.T, db *store.DB, name, host string, pid int, lease time.Duration) store.UUID {
	t.Helper()
	id := store.NewUUID()
	if err := db.Write(t.Context(), func(tx *store.Tx) error {
		return store.RegisterInstance(t.Context(), tx, store.Instance{ID: id, ServerName: name, Hostname: host, PID: pid, Kind: "handler"}, lease)
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

// claimFor gives a job to an invented process.
func claimFor(t *testing.T, db *store.DB, id store.UUID, job int64) {
	t.Helper()
	exec1(t, db, "INSERT INTO orrery_claim (job_id, instance, epoch, attempt, pool) VALUES (?, ?, 1, 1, '_default_')", job, id)
}

func TestALeaseIsRenewed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := join(t, db, "h1", 5*time.Second)
		if got := m.Tags(); !slices.Equal(got, []string{"h1", "_default_"}) {
			t.Errorf("tags %v", got)
		}
		live, err := store.Instances(t.Context(), db)
		if err != nil || len(live) != 1 || live[0].ID != m.ID() || live[0].PID != os.Getpid() || live[0].Kind != "handler" {
			t.Fatalf("instances %+v, %v", live, err)
		}
		first := live[0].Expires
		exec1(t, db, "UPDATE worker_process SET update_time = NULL")
		testenv.Poll(t, "the lease to be renewed", time.Minute, func() bool {
			live, err := store.Instances(t.Context(), db)
			if err != nil || len(live) != 1 {
				t.Fatalf("instances %+v, %v", live, err)
			}
			return live[0].Expires.After(first)
		})
		var rows int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM worker_process WHERE app_type IS NULL AND update_time IS NOT NULL AND server_name = 'h1'").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d rows of worker_process are up to date, %v", rows, err)
		}
		select {
		case <-m.Lost():
			t.Error("the member thinks it is lost")
		default:
		}
	})
}

func TestALostLeaseIsNoticed(t *testing.T) {
	for what, query := range map[string]string{
		"removed": "DELETE FROM orrery_instance", "expired": "UPDATE orrery_instance SET expires = started",
	} {
		t.Run(what, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				m := join(t, db, "h1", 300*time.Millisecond)
				exec1(t, db, query)
				<-m.Lost()
				if err := m.Leave(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestLeaveEndsTheLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := join(t, db, "h1", time.Minute)
		if err := m.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if live, err := store.Instances(t.Context(), db); err != nil || len(live) != 0 {
			t.Errorf("instances %+v, %v", live, err)
		}
		var rows int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM worker_process").Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows of worker_process are left, %v", rows, err)
		}
		select {
		case <-m.Lost():
			t.Error("leaving is no loss")
		default:
		}
	})
}

// deadPID is the process id of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestAdoption(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		cases := []struct {
			what    string
			owner   func() store.UUID
			adopted bool
		}{
			{"its process died", func() store.UUID { return instance(t, db, "h1", host, deadPID(t), time.Hour) }, true},
			{"its lease ran out on another host", func() store.UUID { return instance(t, db, "h1", "elsewhere", 1, -time.Second) }, true},
			{"its lease ran out here", func() store.UUID { return instance(t, db, "h1", host, os.Getpid(), -time.Second) }, true},
			{"it left", store.NewUUID, true},
			{"it was moved from a living handler", func() store.UUID { return instance(t, db, "h2", host, os.Getpid(), time.Hour) }, true},
			{"its process lives", func() store.UUID { return instance(t, db, "h1", host, os.Getpid(), time.Hour) }, false},
			{"it lives on another host", func() store.UUID { return instance(t, db, "h1", "elsewhere", 1, time.Hour) }, false},
		}
		want, jobs := []int64{}, map[int64]string{}
		for _, c := range cases {
			id := job(t, db, "h1", "running")
			claimFor(t, db, c.owner(), id)
			if c.adopted {
				want = append(want, id)
			}
			jobs[id] = c.what
		}
		foreign := job(t, db, "h2", "running")
		claimFor(t, db, instance(t, db, "h2", host, deadPID(t), time.Hour), foreign)
		m := join(t, db, "h1", time.Minute)
		claims, err := m.Adopt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := []int64{}
		for _, c := range claims {
			got = append(got, c.JobID)
		}
		for id, what := range jobs {
			if slices.Contains(got, id) != slices.Contains(want, id) {
				t.Errorf("a job of which %s: adopted %v", what, slices.Contains(got, id))
			}
		}
		if slices.Contains(got, foreign) {
			t.Error("another handler's job was adopted")
		}
		held, err := m.Held(t.Context())
		if err != nil || len(held) != len(want) {
			t.Errorf("holds %v, %v", held, err)
		}
		// Only the dead of this name and host are forgotten.
		names, err := store.Column[string](t.Context(), db, "SELECT server_name FROM orrery_instance ORDER BY server_name")
		if err != nil || strings.Join(names, " ") != "h1 h1 h1 h1 h2 h2" {
			t.Errorf("registered are still %v, %v", names, err)
		}
		if claims, err = m.Adopt(t.Context()); err != nil || len(claims) != 0 {
			t.Errorf("adopted again: %v, %v", claims, err)
		}
	})
}

func TestTheNextProcessOfANameAdopts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		first := join(t, db, "h1", time.Minute)
		for range 3 {
			job(t, db, "_default_", "new")
		}
		if claims, err := first.Claim(t.Context(), 0); err != nil || len(claims) != 0 {
			t.Errorf("claiming nothing gave %v, %v", claims, err)
		}
		claims, err := first.Claim(t.Context(), 2)
		if err != nil || len(claims) != 2 {
			t.Fatalf("claimed %v, %v", claims, err)
		}
		second := join(t, db, "h1", time.Minute)
		if claims, err := second.Adopt(t.Context()); err != nil || len(claims) != 0 {
			t.Errorf("adopted from a living process: %v, %v", claims, err)
		}
		if err := first.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if claims, err := second.Adopt(t.Context()); err != nil || len(claims) != 2 || claims[0].Epoch != 2 {
			t.Errorf("adopted %+v, %v", claims, err)
		}
		if got := fmt.Sprint(len(first.Tags())); got != "2" {
			t.Errorf("%s tags", got)
		}
	})
}
