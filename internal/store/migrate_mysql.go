package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orrery/internal/store/schema"
)

// ensureMySQL is EnsureSchema on MariaDB and MySQL, which commit each statement
// that changes the schema. An interrupted run is therefore completed by the next:
// orrery_schema, made first, tells that the tables are ours, and the heads,
// written last, that all are there.
func (db *DB) ensureMySQL(ctx context.Context) (err error) {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting to MariaDB or MySQL: %w", err)
	}
	defer conn.Close()
	q := session{querier{run: conn, pool: db.pool, dialect: db.dialect}, db.Now()}
	// The lock belongs to the connection; the server gives it back if that ends.
	const lock = "CONCAT('orrery.', MD5(DATABASE()))"
	var got int
	if err := q.QueryRow(ctx, "SELECT GET_LOCK("+lock+", 600)").Scan(&got); err != nil {
		return err
	}
	if got != 1 {
		return fmt.Errorf("another process has been preparing the database for ten minutes; look at SHOW PROCESSLIST for GET_LOCK")
	}
	defer func() {
		_, uerr := q.Exec(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+lock+")")
		if err == nil {
			err = uerr
		}
	}()
	if ok, err := db.schemaCurrent(ctx, q); err != nil || ok {
		return err
	}
	if err := makeMySQL(ctx, q); err != nil {
		return err
	}
	for _, statement := range schema.Own(string(MySQL)) {
		if _, err := q.Exec(ctx, statement); err != nil && !madeBefore(err) {
			return err
		}
	}
	if _, err := q.Exec(ctx, versionTable); err != nil {
		return err
	}
	_, err = q.Exec(ctx, "INSERT IGNORE INTO orrery_schema (version) VALUES (?)", db.ownVersion())
	return err
}

// session is a Querier on one connection, outside of a transaction.
type session struct {
	querier
	now time.Time
}

func (s session) Now() time.Time { return s.now }

// makeMySQL makes Galaxy's tables unless they are there.
func makeMySQL(ctx context.Context, q Querier) (err error) {
	there, err := tableExists(ctx, q, "alembic_version")
	if err != nil {
		return err
	}
	ours, err := tableExists(ctx, q, "orrery_schema")
	if err != nil {
		return err
	}
	if there {
		heads, err := Column[string](ctx, q, "SELECT version_num FROM alembic_version")
		if err != nil {
			return err
		}
		if len(heads) > 0 || !ours {
			return checkHeads(ctx, q)
		}
	}
	if !ours {
		if err := refuseOld(ctx, q); err != nil {
			return err
		}
		if _, err := q.Exec(ctx, versionTable); err != nil {
			return err
		}
	}
	if _, err := q.Exec(ctx, "SET SESSION foreign_key_checks = 0"); err != nil {
		return err
	}
	defer func() {
		_, cerr := q.Exec(context.WithoutCancel(ctx), "SET SESSION foreign_key_checks = 1")
		err = errors.Join(err, cerr)
	}()
	for _, statement := range schema.Statements() {
		if _, err := q.Exec(ctx, statement); err != nil {
			if mysqlNumber(err) == mysqlNeedsSuper {
				err = fmt.Errorf("%w; the server keeps a binary log and lets only its administrator make triggers: "+
					"run SET GLOBAL log_bin_trust_function_creators = 1 there, start this server, and set it back if you like", err)
			}
			return fmt.Errorf("creating the tables: %w", err)
		}
	}
	return nil
}

// madeBefore tells whether a statement failed only because what it makes is
// there.
func madeBefore(err error) bool {
	n := mysqlNumber(err)
	return n == mysqlDuplicateColumn || n == mysqlDuplicateIndex
}
