package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
	"orrery/internal/wake"
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
func instance(t *testing.T, db *store.DB, in store.Instance, lease time.Duration) store.UUID {
	t.Helper()
	in.ID, in.Kind = store.NewUUID(), "handler"
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return store.RegisterInstance(t.Context(), tx, in, lease) }); err != nil {
		t.Fatal(err)
	}
	return in.ID
}

// claimFor gives a job to an invented process.
func claimFor(t *testing.T, db *store.DB, id store.UUID, job int64, pool string) {
	t.Helper()
	exec1(t, db, "INSERT INTO orrery_claim (job_id, instance, epoch, attempt, pool) VALUES (?, ?, 1, 1, ?)", job, id, pool)
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
		testenv.Poll(t, "the lease to be renewed", time.Minute, func() bool {
			live, err := store.Instances(t.Context(), db)
			if err != nil || len(live) != 1 {
				t.Fatalf("instances %+v, %v", live, err)
			}
			return live[0].Expires.After(first)
		})
		exec1(t, db, "UPDATE worker_process SET update_time = NULL")
		if err := store.TouchProcesses(t.Context(), db, []store.UUID{m.ID()}); err != nil {
			t.Fatal(err)
		}
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

func TestTakeOver(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	here := pool.Here()
	dead := here
	dead.ProcessStart++ // the process id was given again
	elsewhere := store.InstanceProcess{Place: "another boot", ProcessStart: 1}
	cases := []struct {
		what  string
		owner store.Instance
		lease time.Duration
		left  bool
		pool  string
		moved string // what an administrator wrote into job.handler
		state string // running unless it says otherwise
		taken bool
		// early: also by a member that has only just joined
		early bool
		pool2 string // the pool afterwards
	}{
		{what: "its process died", owner: store.Instance{ServerName: "h2", Hostname: host, PID: deadPID(t), InstanceProcess: here}, lease: time.Hour, pool: "_default_", taken: true, early: true},
		{what: "its process id is another's now", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: dead}, lease: time.Hour, pool: "_default_", taken: true, early: true},
		{what: "its owner left", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: here}, lease: time.Hour, left: true, pool: "_default_", taken: true, early: true},
		{what: "its lease ran out", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1, InstanceProcess: elsewhere}, lease: -time.Second, pool: "_default_", taken: true},
		{what: "its lease ran out while it was queued", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", state: "queued", taken: true},
		{what: "its lease ran out while it was claimed", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", state: "new", taken: true},
		{what: "its lease ran out while a person ended it", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", state: "deleting", taken: true},
		{what: "its lease ran out after it was resubmitted", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", state: "resubmitted", taken: true},
		{what: "it has ended", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", state: "ok"},
		{what: "its owner lives", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: here}, lease: time.Hour, pool: "_default_"},
		{what: "its owner lives elsewhere", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: deadPID(t), InstanceProcess: elsewhere}, lease: time.Hour, pool: "_default_"},
		{what: "its owner lives in a container of the same name", owner: store.Instance{ServerName: "h2", Hostname: host, PID: deadPID(t), InstanceProcess: elsewhere}, lease: time.Hour, pool: "_default_"},
		{what: "it is of another pool", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "special"},
		{what: "it waits for its handler's name", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "h2"},
		{what: "it waited for this name", owner: store.Instance{ServerName: "h1", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "h1", taken: true, pool2: "h1"},
		{what: "an earlier process of this name took it from a pool that this one left", owner: store.Instance{ServerName: "h1", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "special", taken: true, pool2: "special"},
		{what: "it was moved to this name from a living handler", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: here}, lease: time.Hour, pool: "special", moved: "h1", taken: true, early: true, pool2: "h1"},
		{what: "it was moved to a tag of this member from a living handler", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: here}, lease: time.Hour, pool: "special", moved: "_default_", taken: true, early: true},
		{what: "it was moved within its pool", owner: store.Instance{ServerName: "h2", Hostname: host, PID: os.Getpid(), InstanceProcess: here}, lease: time.Hour, pool: "_default_", moved: "h1", taken: true, early: true},
		{what: "it was moved away from a dead handler", owner: store.Instance{ServerName: "h2", Hostname: "elsewhere", PID: 1}, lease: -time.Second, pool: "_default_", moved: "h3"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		jobs := make([]int64, len(cases)+2)
		for i, c := range cases {
			state, handler := c.state, c.owner.ServerName
			if state == "" {
				state = "running"
			}
			if c.moved != "" {
				handler = c.moved
			}
			jobs[i] = job(t, db, handler, state)
			id := instance(t, db, c.owner, c.lease)
			claimFor(t, db, id, jobs[i], c.pool)
			if c.left {
				if err := db.Write(t.Context(), func(tx *store.Tx) error { return store.EndInstance(t.Context(), tx, id) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		jobs[len(cases)] = job(t, db, "h1", "running")      // Galaxy's own handler of this name had it
		jobs[len(cases)+1] = job(t, db, "galaxy", "queued") // and another one this
		m := join(t, db, "h1", time.Minute)
		check := func(early bool) {
			t.Helper()
			claims, err := m.TakeOver(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			got := map[int64]store.Claim{}
			for _, c := range claims {
				got[c.JobID] = c
			}
			for i, c := range cases {
				claim, taken := got[jobs[i]]
				if want := c.taken && c.early == early; taken != want {
					t.Errorf("early %v: a job of which %s: taken %v, want %v", early, c.what, taken, want)
				} else if taken {
					if want := c.pool2; want != "" && claim.Pool != want || want == "" && claim.Pool != "_default_" {
						t.Errorf("a job of which %s is of the pool %q now", c.what, claim.Pool)
					}
					if claim.Epoch != 2 || claim.Instance != m.ID() || claim.Attempt != 1 {
						t.Errorf("a job of which %s: claim %+v", c.what, claim)
					}
				}
			}
			if _, taken := got[jobs[len(cases)]]; taken != early {
				t.Errorf("early %v: the job that Galaxy left: taken %v", early, taken)
			}
			if _, taken := got[jobs[len(cases)+1]]; taken {
				t.Error("a job that Galaxy left to another name was taken")
			}
		}
		check(true)
		m.Mature()
		check(false)
		held, err := m.Held(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if claims, err := m.TakeOver(t.Context(), 100); err != nil || len(claims) != 0 {
			t.Errorf("taken over again: %v, %v", claims, err)
		}
		var handlers int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM job WHERE handler = 'h1'").Scan(&handlers); err != nil || handlers != len(held) {
			t.Errorf("holds %d jobs, and %d say so, %v", len(held), handlers, err)
		}
	})
}

func TestTakeOverTakesNoMoreThanIsFree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		first, second := join(t, db, "h1", time.Minute), join(t, db, "h2", time.Minute)
		for range 5 {
			job(t, db, "_default_", "new")
		}
		if claims, err := first.Claim(t.Context(), 5); err != nil || len(claims) != 5 {
			t.Fatalf("claimed %v, %v", claims, err)
		}
		if claims, err := second.TakeOver(t.Context(), 5); err != nil || len(claims) != 0 {
			t.Errorf("taken from a living process: %v, %v", claims, err)
		}
		if err := first.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{2, 0, 3} {
			if claims, err := second.TakeOver(t.Context(), want); err != nil || len(claims) != want || want > 0 && claims[0].Epoch != 2 {
				t.Errorf("taken over %+v, %v, want %d", claims, err, want)
			}
		}
		// Nothing is left of the first.
		var rows int
		if err := db.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM orrery_instance) + (SELECT count(*) FROM orrery_process)").Scan(&rows); err != nil || rows > 4 {
			t.Errorf("%d rows of instances, %v", rows, err)
		}
	})
}

func TestAMemberThatLostItsLeaseRejoins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := join(t, db, "h1", time.Minute)
		kept, taken := job(t, db, "_default_", "new"), job(t, db, "_default_", "new")
		claims, err := m.Claim(t.Context(), 2)
		if err != nil || len(claims) != 2 {
			t.Fatalf("claimed %v, %v", claims, err)
		}
		old, lost := m.ID(), m.Lost()
		exec1(t, db, "UPDATE orrery_instance SET expires = started")
		finish := func(c store.Claim) error {
			return db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := store.FinishJob(t.Context(), tx, c, "h1", store.Finished{State: "ok"})
				return err
			})
		}
		for _, c := range claims {
			if err := finish(c); !errors.Is(err, store.ErrClaimLost) {
				t.Errorf("finishing after the lease ended: %v", err)
			}
		}
		if claims, err := m.Claim(t.Context(), 2); err != nil || len(claims) != 0 {
			t.Errorf("claimed after the lease ended: %v, %v", claims, err)
		}
		if _, err := m.TakeOver(t.Context(), 2); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("took over after the lease ended: %v", err)
		}
		exec1(t, db, "UPDATE job SET handler = 'h2' WHERE id = ?", taken)
		if err := m.Rejoin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.ID() == old || m.Lost() == lost {
			t.Error("the member is still the old instance")
		}
		held, err := m.Held(t.Context())
		if err != nil || len(held) != 1 || held[0].JobID != kept || held[0].Epoch != 2 {
			t.Fatalf("holds %+v, %v", held, err)
		}
		if err := finish(claims[0]); !errors.Is(err, store.ErrClaimLost) {
			t.Errorf("finishing with the old claim: %v", err)
		}
		if err := finish(held[0]); err != nil {
			t.Errorf("finishing with the new claim: %v", err)
		}
	})
}

// A member whose database does not answer gives up before its lease ends.
func TestAMemberStopsByItsOwnClock(t *testing.T) {
	db := storetest.SQLite(t)
	other, err := store.Open(t.Context(), db.Options())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	m := join(t, db, "h1", 400*time.Millisecond)
	if err := other.Write(t.Context(), func(*store.Tx) error { // nobody else can write meanwhile
		<-m.Lost()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesOfAHostShareTheirRenewals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		members := make([]*pool.Member, 6)
		for i := range members {
			members[i] = joinBus(t, db, dir, fmt.Sprintf("h%d", i), 5*time.Second)
		}
		expires := func() map[string]time.Time {
			live, err := store.Instances(t.Context(), db)
			if err != nil || len(live) != len(members) {
				t.Fatalf("%d live, %v", len(live), err)
			}
			at := map[string]time.Time{}
			for _, in := range live {
				at[in.ServerName] = in.Expires
			}
			return at
		}
		before := expires()
		testenv.Poll(t, "every lease to be renewed", time.Minute, func() bool {
			for name, at := range expires() {
				if !at.After(before[name]) {
					return false
				}
			}
			return true
		})
		// Whoever renews for all leaves; the others go on.
		if err := members[0].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		members = members[1:]
		before = expires()
		testenv.Poll(t, "the others' leases to be renewed", time.Minute, func() bool {
			for name, at := range expires() {
				if !at.After(before[name]) {
					return false
				}
			}
			return true
		})
	})
}

// joinBus is join with wake-ups.
func joinBus(t *testing.T, db *store.DB, dir, name string, lease time.Duration) *pool.Member {
	t.Helper()
	bus, err := wake.Open(dir, name, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	m, err := pool.Join(t.Context(), db, pool.Options{ServerName: name, Kind: "handler", Tags: []string{"_default_"}, Lease: lease, Version: "1", Wake: bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Leave(context.Background()) })
	return m
}

func TestTheLookFindsWhatNobodyTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := joinBus(t, db, t.TempDir(), "h1", 5*time.Second)
		id := job(t, db, "_default_", "new") // without a wake-up
		<-m.Work()
		if claims, err := m.Claim(t.Context(), 1); err != nil || len(claims) != 1 {
			t.Fatalf("claimed %v, %v", claims, err)
		}
		exec1(t, db, "UPDATE job SET state = 'deleting' WHERE id = ?", id)
		<-m.Attention()
		exec1(t, db, "DELETE FROM orrery_claim")
		exec1(t, db, "UPDATE job SET state = 'queued', handler = '_default_'")
		for { // the first may be that of the member's coming of age
			<-m.Orphans()
			if claims, err := m.TakeOver(t.Context(), 1); err != nil || len(claims) == 1 {
				if err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
}

// The process that renews for all is stopped, as by SIGSTOP: its lease ends, the
// others' do not, and they learn of its jobs in time.
func TestTheProcessThatRenewsForAllMayStop(t *testing.T) {
	db := storetest.SQLite(t)
	const lease = 6 * time.Second
	dir := t.TempDir()
	bus, err := wake.Open(dir, "stopped", true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	// It has the role, and does nothing.
	held := make(chan struct{})
	go bus.Hold(t.Context(), pool.HostRole, func(ctx context.Context) {
		select {
		case <-held:
		default:
			close(held)
		}
		<-ctx.Done()
	})
	<-held
	id := job(t, db, "stopped", "queued")
	claimFor(t, db, instance(t, db, store.Instance{ServerName: "stopped", Hostname: "h", PID: 1}, lease), id, "_default_")
	members := []*pool.Member{joinBus(t, db, dir, "h1", lease), joinBus(t, db, dir, "h2", lease)}
	for taken := false; !taken; {
		var m *pool.Member
		select {
		case <-members[0].Orphans():
			m = members[0]
		case <-members[1].Orphans():
			m = members[1]
		case <-members[0].Lost():
			t.Fatal("the first lost its lease")
		case <-members[1].Lost():
			t.Fatal("the second lost its lease")
		}
		claims, err := m.TakeOver(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		taken = len(claims) == 1
	}
}
