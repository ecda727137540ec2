package user_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/user"
)

func begin(t *testing.T, s *user.Service) *user.Session {
	t.Helper()
	session, err := s.Begin(t.Context(), user.Visitor{RemoteAddr: "192.0.2.1", Referer: "https://example.org/"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureHistory(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

// addDataset puts a dataset of some size into a history.
func addDataset(t *testing.T, db *store.DB, historyID, bytes int64) (datasetID int64) {
	t.Helper()
	ctx := t.Context()
	err := db.Write(ctx, func(tx *store.Tx) (err error) {
		datasetID, err = store.Insert(ctx, tx, "dataset", store.Values{
			"create_time": tx.Now(), "update_time": tx.Now(), "state": "ok", "deleted": false, "purged": false,
			"purgable": true, "file_size": bytes, "total_size": bytes,
		})
		if err != nil {
			return err
		}
		if _, err = store.Insert(ctx, tx, "history_dataset_association", store.Values{
			"history_id": historyID, "dataset_id": datasetID, "create_time": tx.Now(), "update_time": tx.Now(),
			"hid": 1, "version": 1, "validated_state": "unknown", "deleted": false, "purged": false,
		}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE history SET hid_counter = 2 WHERE id = ?`, historyID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return datasetID
}

func TestVisitorsHistoryGoesWithTheUser(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		before := begin(t, s)
		dataset := addDataset(t, db, before.HistoryID, 42)
		after, err := s.LogIn(ctx, before.ID, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		if after.HistoryID != before.HistoryID || after.Key == before.Key || after.User.ID != u.ID {
			t.Errorf("the session became %+v, it was %+v", after, before)
		}
		if old, err := s.Resume(ctx, before.Key); old != nil || err != nil {
			t.Errorf("the visitor's session goes on: %v, %v", old, err)
		}
		var owner, usage, previous int64
		if err := db.QueryRow(ctx, `SELECT h.user_id, u.disk_usage, s.prev_session_id FROM history h, galaxy_user u, galaxy_session s
			WHERE h.id = ? AND u.id = ? AND s.id = ?`, after.HistoryID, u.ID, after.ID).Scan(&owner, &usage, &previous); err != nil {
			t.Fatal(err)
		}
		if owner != u.ID || usage != 42 || previous != before.ID {
			t.Errorf("the history's owner is %d, the disk usage %d, the session before %d", owner, usage, previous)
		}
		role, err := store.PrivateRole(ctx, db, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		granted, err := store.Column[int64](ctx, db, `SELECT role_id FROM dataset_permissions WHERE dataset_id = ? AND action = 'manage permissions'`, dataset)
		if err != nil || len(granted) != 1 || granted[0] != role {
			t.Errorf("the dataset is managed by the roles %v, %v, want %d", granted, err, role)
		}
	})
}

func TestEmptyHistoryStaysBehind(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		first, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil || first.HistoryID == 0 {
			t.Fatalf("logging in gives %+v, %v", first, err)
		}
		visitor := begin(t, s)
		if visitor.HistoryID == first.HistoryID {
			t.Fatal("a visitor got a user's history")
		}
		second, err := s.LogIn(ctx, visitor.ID, u.ID, user.Visitor{})
		if err != nil || second.HistoryID != first.HistoryID {
			t.Errorf("logging in again gives the history %d, %v, want %d", second.HistoryID, err, first.HistoryID)
		}
		perms, err := store.DefaultHistoryPermissions(ctx, db, first.HistoryID)
		if err != nil || len(perms) != 1 {
			t.Errorf("the history's default permissions are %v, %v", perms, err)
		}
	})
}

func TestAnothersHistoryIsNotTaken(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		ann, bob := register(t, db, s, "ann"), register(t, db, s, "bob")
		hers, err := s.LogIn(ctx, 0, ann.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		addDataset(t, db, hers.HistoryID, 1)
		his, err := s.LogIn(ctx, hers.ID, bob.ID, user.Visitor{})
		if err != nil || his.HistoryID == hers.HistoryID {
			t.Errorf("bob got the history %d, %v; ann's is %d", his.HistoryID, err, hers.HistoryID)
		}
	})
}

func TestOneHistoryForRequestsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		session, err := s.Begin(t.Context(), user.Visitor{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				own := *session
				if err := s.EnsureHistory(context.WithoutCancel(t.Context()), &own); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if ids, err := store.Column[int64](t.Context(), db, `SELECT id FROM history`); err != nil || len(ids) != 1 {
			t.Errorf("the histories are %v, %v", ids, err)
		}
	})
}

func TestLogOut(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		here, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		there, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		after, err := s.LogOut(ctx, here.ID, u.ID, false, user.Visitor{})
		if err != nil || after.User != nil || after.HistoryID != 0 {
			t.Fatalf("logging out gives %+v, %v", after, err)
		}
		if old, _ := s.Resume(ctx, here.Key); old != nil {
			t.Error("the session goes on")
		}
		if other, err := s.Resume(ctx, there.Key); err != nil || other == nil || other.User == nil || other.User.ID != u.ID {
			t.Errorf("the other session is %+v, %v", other, err)
		}
		if _, err := s.LogOut(ctx, after.ID, u.ID, true, user.Visitor{}); err != nil {
			t.Fatal(err)
		}
		if other, _ := s.Resume(ctx, there.Key); other != nil {
			t.Error("logging out everywhere left a session")
		}
	})
}

func TestIdleSessionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), store.Options{Engine: store.SQLite, Path: t.TempDir() + "/db", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := service(t, db, func(o *user.Options) { o.SessionDuration = 10 * time.Minute })
	session := begin(t, s)
	for range 3 { // each use starts the time anew
		now = now.Add(9 * time.Minute)
		if got, err := s.Resume(t.Context(), session.Key); got == nil || err != nil {
			t.Fatalf("a session in use ended: %v", err)
		}
	}
	now = now.Add(11 * time.Minute)
	if got, err := s.Resume(t.Context(), session.Key); got != nil || err != nil {
		t.Errorf("an idle session goes on: %v, %v", got, err)
	}
}

func TestVisitorsGetNoHistoryWhereLoginIsRequired(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := service(t, db, func(o *user.Options) { o.RequireLogin = true })
		if session := begin(t, s); session.HistoryID != 0 {
			t.Errorf("the visitor got the history %d", session.HistoryID)
		}
	})
}

func TestUnknownKeyIsNoSession(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		if got, err := s.Resume(t.Context(), "00000000000000000000000000000000"); got != nil || err != nil {
			t.Errorf("an unknown key gives %v, %v", got, err)
		}
	})
}
