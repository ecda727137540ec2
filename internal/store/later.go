package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// deferred is a statement whose result nothing waits for.
type deferred struct {
	query string
	args  []any
	// rows, if not nil, is told how many rows it touched.
	rows func(n int64)
}

// later is a Tx whose Exec only notes the statement.
type later struct{ *Tx }

// Later gives a Querier whose Exec leaves a statement for Flush, or for the
// commit, which send all of them in one round trip and in their order; the
// number of rows it returns means nothing. What fails fails there. Statements
// that are not left run before those that are.
//
// SQLite, which has no round trips, and MySQL, whose driver sends one statement
// at a time, run each at once.
func (tx *Tx) Later() Querier {
	if tx.Engine() != PostgreSQL {
		return tx
	}
	return later{tx}
}

func (l later) Exec(_ context.Context, query string, args ...any) (int64, error) {
	l.Tx.deferred = append(l.Tx.deferred, deferred{query: query, args: args})
	return 0, nil
}

// execLater is Exec of Later, which tells the number of rows once it is known.
func (tx *Tx) execLater(ctx context.Context, rows func(n int64), query string, args ...any) error {
	if tx.Engine() == PostgreSQL {
		tx.deferred = append(tx.deferred, deferred{query: query, args: args, rows: rows})
		return nil
	}
	n, err := tx.Exec(ctx, query, args...)
	if err == nil {
		rows(n)
	}
	return err
}

// Flush runs the statements that were left for later.
func (tx *Tx) Flush(ctx context.Context) error {
	if len(tx.deferred) == 0 {
		return nil
	}
	statements := tx.deferred
	tx.deferred = nil
	return tx.conn.Raw(func(driver any) error {
		connection, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of PostgreSQL is a %T", driver)
		}
		batch := &pgx.Batch{}
		for _, d := range statements {
			batch.Queue(tx.dialect.rebind(d.query), tx.dialect.encodeAll(d.args)...)
		}
		results := connection.Conn().SendBatch(ctx, batch)
		for _, d := range statements {
			tag, err := results.Exec()
			if err != nil {
				_ = results.Close() // it repeats the error
				return explain(d.query, err)
			}
			if d.rows != nil {
				d.rows(tag.RowsAffected())
			}
		}
		return results.Close()
	})
}
