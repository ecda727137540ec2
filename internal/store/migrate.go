package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"orrery/internal/store/schema"
)

// EnsureSchema makes the database ready: an empty one gets Galaxy's tables, one
// of Galaxy 26.1 is taken as it is, and both get the tables and indexes that
// are Orrery's own. A database of another Galaxy release is refused with what
// to do. Several processes may call it at once.
func (db *DB) EnsureSchema(ctx context.Context) error {
	// The usual start: everything is there, and one query says so.
	if ok, err := db.schemaCurrent(ctx, db); err != nil || ok {
		return err
	}
	if db.Engine() == MySQL {
		return db.ensureMySQL(ctx)
	}
	return db.Write(ctx, func(tx *Tx) error {
		if db.Engine() == PostgreSQL {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7235946)"); err != nil {
				return err
			}
		}
		return db.ensureSchema(ctx, tx)
	})
}

// ownVersion names the set of our own tables and indexes.
func (db *DB) ownVersion() string {
	sum := sha256.Sum256([]byte(strings.Join(schema.Own(string(db.Engine())), ";")))
	return hex.EncodeToString(sum[:8])
}

func (db *DB) schemaCurrent(ctx context.Context, q Querier) (bool, error) {
	there, err := tableExists(ctx, q, "orrery_schema")
	if err != nil || !there {
		return false, err
	}
	versions, err := Column[string](ctx, q, "SELECT version FROM orrery_schema")
	if err != nil || !slices.Contains(versions, db.ownVersion()) {
		return false, err
	}
	return true, checkHeads(ctx, q)
}

func (db *DB) ensureSchema(ctx context.Context, tx *Tx) error {
	if ok, err := db.schemaCurrent(ctx, tx); err != nil || ok {
		return err
	}
	there, err := tableExists(ctx, tx, "alembic_version")
	if err != nil {
		return err
	}
	if there {
		if err := checkHeads(ctx, tx); err != nil {
			return err
		}
		for _, statement := range schema.Own(string(db.Engine())) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
	} else {
		if err := refuseOld(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, schema.SQL(string(db.Engine()))); err != nil {
			return fmt.Errorf("creating the tables: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, versionTable); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO orrery_schema (version) VALUES (?)", db.ownVersion())
	return err
}

// versionTable remembers which set of our own tables and indexes was made.
const versionTable = "CREATE TABLE IF NOT EXISTS orrery_schema (version VARCHAR(64) NOT NULL PRIMARY KEY)"

// refuseOld refuses a database of a Galaxy from before the present migrations.
func refuseOld(ctx context.Context, q Querier) error {
	there, err := tableExists(ctx, q, "galaxy_user")
	if err == nil && there {
		err = fmt.Errorf("the database holds a Galaxy older than 22.05; bring it up to 26.1 with Galaxy's own `manage_db.sh upgrade` first")
	}
	return err
}

func checkHeads(ctx context.Context, q Querier) error {
	heads, err := Column[string](ctx, q, "SELECT version_num FROM alembic_version")
	if err != nil {
		return err
	}
	for _, want := range schema.Heads() {
		if !slices.Contains(heads, want) {
			return fmt.Errorf("the database is at revision %s, and this server needs Galaxy 26.1's (%s); upgrade it with Galaxy's own `manage_db.sh upgrade`, or point database_connection at another database",
				strings.Join(heads, ", "), strings.Join(schema.Heads(), ", "))
		}
	}
	return nil
}

func tableExists(ctx context.Context, q Querier, name string) (bool, error) {
	query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	switch q.Engine() {
	case PostgreSQL:
		query = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass(?)"
	case MySQL:
		query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
	}
	var n int
	err := q.QueryRow(ctx, query, name).Scan(&n)
	return n > 0, err
}
