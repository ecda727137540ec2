package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"orrery/internal/store"
	"orrery/internal/testenv"
)

// Each runs test on SQLite and, unless the run is short, on PostgreSQL and
// MariaDB.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, PostgreSQL(t)) })
	t.Run("mariadb", func(t *testing.T) { test(t, MariaDB(t)) })
}

// SQLite makes a new SQLite database with Galaxy's tables in it.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return open(t, store.Options{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "universe.sqlite")})
}

// PostgreSQL makes a new PostgreSQL database with Galaxy's tables in it.
func PostgreSQL(t testing.TB) *store.DB {
	t.Helper()
	database := testenv.PostgresWith(t, "galaxy", func(url string) error {
		db, err := store.Open(context.Background(), store.Options{Engine: store.PostgreSQL, DSN: url})
		if err != nil {
			return err
		}
		defer db.Close()
		return db.EnsureSchema(context.Background())
	})
	return open(t, store.Options{Engine: store.PostgreSQL, DSN: database.URL()})
}

// MariaDB makes a MariaDB database with Galaxy's tables in it.
func MariaDB(t testing.TB) *store.DB {
	t.Helper()
	database := testenv.MariaDBWith(t, "galaxy", func(url string) error {
		db, err := store.Open(context.Background(), store.Options{Engine: store.MySQL, DSN: url})
		if err != nil {
			return err
		}
		defer db.Close()
		return db.EnsureSchema(context.Background())
	})
	return open(t, store.Options{Engine: store.MySQL, DSN: database.URL()})
}

func open(t testing.TB, opts store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}
