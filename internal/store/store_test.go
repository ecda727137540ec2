package store_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func TestColumnsSurviveARoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("somewhere", 3600))
		uuid := store.NewUUID()
		err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := store.Insert(ctx, tx, "dataset", store.Values{
				"create_time": at, "state": "ok", "deleted": true, "purged": false, "file_size": int64(1) << 40, "uuid": uuid,
			})
			if err != nil {
				return err
			}
			_, err = store.Insert(ctx, tx, "dataset_source", store.Values{"transform": store.JSON(map[string]any{"é": 1})})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var (
			gotAt, never    time.Time
			deleted, purged bool
			size            int64
			gotUUID         store.UUID
			transform, none json.RawMessage
		)
		err = db.QueryRow(ctx, "SELECT create_time, update_time, deleted, purged, file_size, uuid FROM dataset").
			Scan(&gotAt, &never, &deleted, &purged, &size, &gotUUID)
		if err != nil {
			t.Fatal(err)
		}
		if !gotAt.Equal(at) || gotAt.Location() != time.UTC {
			t.Errorf("time: got %v, want %v in UTC", gotAt, at)
		}
		if !never.IsZero() || !deleted || purged || size != 1<<40 || gotUUID != uuid {
			t.Errorf("got %v %v %v %d %v", never, deleted, purged, size, gotUUID)
		}
		if err := db.QueryRow(ctx, "SELECT transform, requested_transform FROM dataset_source").Scan(&transform, &none); err != nil {
			t.Fatal(err)
		}
		if string(transform) != `{"é":1}` || none != nil {
			t.Errorf("JSON: got %q and %q", transform, none)
		}
	})
}

func TestSQLiteTimesAreWrittenAsSQLAlchemyDoes(t *testing.T) {
	db := storetest.SQLite(t)
	ctx := t.Context()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := db.Write(ctx, func(tx *store.Tx) error {
		_, err := store.Insert(ctx, tx, "dataset", store.Values{"create_time": at})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := db.QueryRow(ctx, "SELECT CAST(create_time AS TEXT) || '' FROM dataset").Scan(&text); err != nil {
		t.Fatal(err)
	}
	if want := "2026-01-02 03:04:05.000000"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestAnErrorRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		stop := errors.New("stop")
		called := false
		err := db.Write(ctx, func(tx *store.Tx) error {
			tx.AfterCommit(func() { called = true })
			if _, err := store.Insert(ctx, tx, "history", store.Values{"name": "h"}); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) || called {
			t.Fatalf("got error %v, after-commit run: %v", err, called)
		}
		var n int
		if err := db.QueryRow(ctx, "SELECT count(*) FROM history").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows stayed (%v)", n, err)
		}
	})
}

func TestWritersTakeTurns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		var id int64
		if err := db.Write(ctx, func(tx *store.Tx) (err error) {
			id, err = store.Insert(ctx, tx, "history", store.Values{"name": "h", "hid_counter": 0})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := db.Write(ctx, func(tx *store.Tx) error {
					_, err := tx.Exec(ctx, "UPDATE history SET hid_counter = hid_counter + 1 WHERE id = ?", id)
					return err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var n int
		if err := db.QueryRow(ctx, "SELECT hid_counter FROM history WHERE id = ?", id).Scan(&n); err != nil || n != 20 {
			t.Errorf("counter is %d (%v), want 20", n, err)
		}
	})
}

func TestSchemaOfAnotherReleaseIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE alembic_version SET version_num = 'c716ee82337b' WHERE version_num = 'fac9c76612f9'")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.EnsureSchema(ctx); err == nil {
			t.Error("a database of another release was accepted")
		}
	})
}
