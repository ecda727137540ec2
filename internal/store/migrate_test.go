package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

func TestManyProcessesMakeTheTablesAtOnce(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) store.Options{
		"sqlite": func(t *testing.T) store.Options {
			return store.Options{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "new?.sqlite")}
		},
		"postgresql": func(t *testing.T) store.Options {
			return store.Options{Engine: store.PostgreSQL, DSN: testenv.Postgres(t).URL()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					db, err := store.Open(t.Context(), o)
					if err != nil {
						t.Error(err)
						return
					}
					defer db.Close()
					if err := db.EnsureSchema(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestDatabasesOfGalaxy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		// One that Galaxy itself made: without our tables.
		exec(t, db, "DROP TABLE orrery_schema")
		exec(t, db, "DROP TABLE orrery_wait")
		if err := db.EnsureSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waits(t, db) != 0 {
			t.Error("our tables were not made")
		}
		// One on which another version of this server ran.
		exec(t, db, "UPDATE orrery_schema SET version = 'older'")
		dropIndex := "DROP INDEX orrery_hda_history_hid"
		if db.Engine() == store.MySQL {
			dropIndex += " ON history_dataset_association"
		}
		exec(t, db, dropIndex)
		if err := db.EnsureSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec(t, db, dropIndex) // fails if it is not there
		// One that is too old for Alembic, and changes nothing.
		exec(t, db, "DROP TABLE orrery_schema")
		exec(t, db, "DROP TABLE alembic_version")
		if err := db.EnsureSchema(t.Context()); err == nil || !strings.Contains(err.Error(), "manage_db.sh upgrade") {
			t.Errorf("an old database: %v", err)
		}
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(context.Background(), "SELECT 1 FROM orrery_schema")
			return err
		}); err == nil {
			t.Error("a refused database was changed")
		}
	})
}
