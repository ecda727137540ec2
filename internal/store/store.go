package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Options say which database to open.
type Options struct {
	Engine Engine
	// Path is the database file (SQLite).
	Path string
	// DSN is the connection string: for PostgreSQL in libpq's URL or key=value
	// form, for MySQL and MariaDB a URL in SQLAlchemy's form.
	DSN string
	// MaxConns bounds the connections of this process; 0 means 10.
	MaxConns int
	// IdleTime is how long a connection that nobody uses is kept; 0 means 10
	// minutes. Many processes that do little keep theirs for seconds, so that all of
	// them need fewer connections than the database allows.
	IdleTime time.Duration
	// Now is the clock that stamps rows; nil means the system's.
	Now func() time.Time
}

// DB is one open database. It reads without a transaction; Write opens one.
type DB struct {
	querier
	opts  Options
	write *sql.DB // the same as querier's pool except on SQLite
	lock  *writeLock
	now   func() time.Time
}

// Tx is a transaction opened by DB.Write.
type Tx struct {
	querier
	tx  *sql.Tx
	db  *DB
	now time.Time
	// afterCommit is run, in order, once the transaction is durable.
	afterCommit []func()
	// conn is the connection that the transaction is on, deferred what Flush runs
	// on it (PostgreSQL).
	conn     *sql.Conn
	deferred []deferred
}

// Querier is what DB and Tx share, so that one function serves both.
type Querier interface {
	// Engine tells the database's kind.
	Engine() Engine
	// Exec runs a statement and returns the number of rows it touched.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	// Query runs a query; the caller must close the rows.
	Query(ctx context.Context, query string, args ...any) (*Rows, error)
	// QueryRow runs a query of one row; Scan gives ErrNoRows without it.
	QueryRow(ctx context.Context, query string, args ...any) *Row
	// Now is the time that rows written through this Querier carry: UTC, in
	// whole microseconds, the same for all rows of a transaction.
	Now() time.Time
}

// ErrNoRows is what Scan returns when a query found nothing.
var ErrNoRows = sql.ErrNoRows

// Open connects to the database, without creating or changing anything in it.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.MaxConns == 0 {
		opts.MaxConns = 10
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.IdleTime == 0 {
		// A connection costs the database as much as some hundred statements before it
		// has read its catalogue.
		opts.IdleTime = 10 * time.Minute
	}
	db := &DB{opts: opts, now: opts.Now}
	// Where many processes start at once, the first give their connections back soon.
	for deadline := time.Now().Add(time.Minute); ; {
		err := db.open(ctx)
		if err == nil {
			return db, nil
		}
		if !crowded(err) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200*time.Millisecond + rand.N(800*time.Millisecond)):
		}
	}
}

func (db *DB) open(ctx context.Context) error {
	switch db.opts.Engine {
	case SQLite:
		return db.openSQLite(ctx)
	case PostgreSQL:
		return db.openPostgreSQL(ctx)
	case MySQL:
		return db.openMySQL(ctx)
	}
	return fmt.Errorf("unknown database engine %q", db.opts.Engine)
}

// Options gives what the database was opened with.
func (db *DB) Options() Options { return db.opts }

// Now is the time that a row written now carries.
func (db *DB) Now() time.Time { return stamp(db.now()) }

// Close ends every connection.
func (db *DB) Close() error {
	var err error
	if db.write != nil && db.write != db.pool {
		err = db.write.Close()
	}
	if db.lock != nil {
		err = errors.Join(err, db.lock.close())
	}
	return errors.Join(err, db.pool.Close())
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.pool.PingContext(ctx) }

// Now is the time that all rows of this transaction carry.
func (tx *Tx) Now() time.Time { return tx.now }

// AfterCommit has f run once the transaction is durable; not at all when it is
// rolled back. Wake-ups are sent this way.
func (tx *Tx) AfterCommit(f func()) { tx.afterCommit = append(tx.afterCommit, f) }

// Relax lets the commit of this transaction return before it has reached the
// disk. It is for changes that can be found out again: they may be lost when the
// database's machine crashes, but never in part and never when only this process
// does. PostgreSQL keeps the order of commits, so a later one that is durable
// makes this one durable too.
func (tx *Tx) Relax(ctx context.Context) error {
	if tx.Engine() != PostgreSQL {
		return nil
	}
	_, err := tx.Later().Exec(ctx, "SET LOCAL synchronous_commit TO off")
	return err
}

// maxAttempts bounds how often Write repeats a transaction that the database
// gave up because of others (a deadlock, a serialisation failure).
const maxAttempts = 5

// Write runs f in a transaction and commits it; an error of f rolls everything
// back and is returned. When the database asks for it, f is run again from the
// beginning, so f must not change anything outside the transaction except
// through AfterCommit.
func (db *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	var err error
	attempts := maxAttempts
	if db.Engine() == MySQL {
		// InnoDB's foreign keys lock the rows they name, so that transactions which do
		// not touch the same rows may meet too.
		attempts *= 3
	}
	for attempt := range attempts {
		err = db.writeOnce(ctx, f)
		if err == nil || !retryable(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return err
}

// pause waits a moment, longer after each attempt and never the same for two, so
// that those who got in each other's way do not do so again.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	timer := time.NewTimer(rand.N(time.Millisecond << min(attempt, 7)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) writeOnce(ctx context.Context, f func(tx *Tx) error) error {
	if db.lock != nil {
		if err := db.lock.acquire(ctx); err != nil {
			return err
		}
		defer db.lock.release()
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer conn.Close()
	sqlTx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	tx := &Tx{
		querier: querier{run: sqlTx, pool: db.pool, dialect: db.dialect},
		tx:      sqlTx, db: db, now: db.Now(), conn: conn,
	}
	done := false
	defer func() {
		if !done { // an error or a panic of f
			_ = sqlTx.Rollback()
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	done = true
	for _, after := range tx.afterCommit {
		after()
	}
	return nil
}
