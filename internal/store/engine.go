package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Engine is a kind of database.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
	MySQL      Engine = "mysql" // MariaDB too
)

// dialect is what differs between the engines for one statement.
type dialect struct {
	engine Engine
	// rebound keeps the statements that were rewritten for this engine. Its
	// size is bounded by the number of statements in the program, since
	// statements are constant texts.
	rebound sync.Map
	// increment is the step between two serial ids of one statement (MySQL).
	increment int64
}

// prepare turns a statement and its arguments into what the engine's driver
// takes. It may change args.
func (d *dialect) prepare(query string, args []any) (string, []any) {
	args = d.encodeAll(args)
	if d.engine == MySQL {
		return spread(query, args)
	}
	return d.rebind(query), args
}

// rebind rewrites `?` to the engine's placeholders. A `?` inside a quoted text
// stays.
func (d *dialect) rebind(query string) string {
	if d.engine != PostgreSQL {
		return query
	}
	if q, ok := d.rebound.Load(query); ok {
		return q.(string)
	}
	var b strings.Builder
	n, quoted := 0, false
	for i := range len(query) {
		switch c := query[i]; {
		case c == '\'':
			quoted = !quoted
			b.WriteByte(c)
		case c == '?' && !quoted:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	if len(query) < 4096 {
		d.rebound.Store(query, b.String())
	}
	return b.String()
}

// text makes a short text of an expression.
func (e Engine) text(expression string) string {
	if e == MySQL {
		return "CAST(" + expression + " AS CHAR(64))"
	}
	return "CAST(" + expression + " AS VARCHAR(64))"
}

// forUpdate ends a query whose rows no other transaction may change or lock until
// this one ends; SQLite's follow each other anyway.
func forUpdate(q Querier) string {
	if q.Engine() == SQLite {
		return ""
	}
	return " FOR UPDATE"
}

// forShare ends a query whose rows no other transaction may change until this
// one ends.
func forShare(q Querier) string {
	switch q.Engine() {
	case PostgreSQL:
		return " FOR SHARE"
	case MySQL: // MariaDB does not know FOR SHARE
		return " LOCK IN SHARE MODE"
	}
	return ""
}

// among is the condition that column is one of what a subquery finds, for an
// UPDATE or DELETE. MariaDB would ask the subquery for every row of the table,
// so there it is asked first.
func among(ctx context.Context, q Querier, column, subquery string, args ...any) (string, []any, error) {
	if q.Engine() != MySQL {
		return column + " IN (" + subquery + ")", args, nil
	}
	ids, err := Column[int64](ctx, q, subquery, args...)
	if err != nil {
		return "", nil, err
	}
	cond, arg := AnyOf(q, column, ids)
	return cond, []any{arg}, nil
}

func (db *DB) openPostgreSQL(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(db.opts.DSN)
	if err != nil {
		return fmt.Errorf("database_connection: %w", err)
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "orrery"
	}
	pool := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(settle))
	pool.SetMaxOpenConns(db.opts.MaxConns)
	pool.SetMaxIdleConns(db.opts.MaxConns)
	pool.SetConnMaxIdleTime(db.opts.IdleTime)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	db.querier = querier{run: pool, pool: pool, dialect: &dialect{engine: PostgreSQL}}
	db.write = pool
	return nil
}

// pausedSeconds is for how long a transaction may do nothing before the database
// ends it. A process that is paused, or cut off, in the middle of one would keep
// what it has locked, and nobody could take over its jobs. SQLite, which has its
// lock in a file, cannot take it from a paused process.
const pausedSeconds = "10"

// settle prepares a connection to PostgreSQL.
func settle(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout TO '"+pausedSeconds+"s'")
	var pg *pgconn.PgError
	if err != nil && !(errors.As(err, &pg) && pg.Code == "42704") { // PostgreSQL 9.5 does not know it
		return err
	}
	return genericPlans(ctx, conn)
}

// genericPlans has PostgreSQL plan each prepared statement once and not at every
// execution: our statements are few and find rows by their keys, so that a plan
// made for the values at hand is not better, and planning took longer than
// executing.
func genericPlans(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET plan_cache_mode TO force_generic_plan")
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42704" { // PostgreSQL 11 and older do not know it
		return nil
	}
	return err
}

func (db *DB) openSQLite(ctx context.Context) error {
	path, err := filepath.Abs(db.opts.Path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the database's folder: %w", err)
	}
	// The path is percent-encoded so that a `?` or `#` in it stays a path.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-4000)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(min(db.opts.MaxConns, 4))
	pool.SetMaxIdleConns(2)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return fmt.Errorf("opening %s: %w", path, err)
	}
	writer, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		_ = pool.Close()
		return err
	}
	writer.SetMaxOpenConns(1)
	lock, err := openWriteLock(path + ".lock")
	if err != nil {
		_, _ = pool.Close(), writer.Close()
		return err
	}
	db.querier = querier{run: pool, pool: pool, dialect: &dialect{engine: SQLite}}
	db.write, db.lock = writer, lock
	return nil
}

// writeLock lets one writer in at a time: SQLite has a single writer, and
// waiting for a file lock is fairer and quicker than SQLite's own polling.
type writeLock struct {
	turn chan struct{} // within this process
	file *os.File      // between processes
}

func openWriteLock(path string) (*writeLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the database's lock file: %w", err)
	}
	return &writeLock{turn: make(chan struct{}, 1), file: f}, nil
}

func (l *writeLock) acquire(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			<-l.turn
			return fmt.Errorf("locking the database for writing: %w", err)
		}
	}
}

func (l *writeLock) release() {
	_ = unix.Flock(int(l.file.Fd()), unix.LOCK_UN)
	<-l.turn
}

func (l *writeLock) close() error { return l.file.Close() }

// retryable tells whether a transaction failed only because of others.
func retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	switch mysqlNumber(err) {
	case 0:
	case mysqlDeadlock, mysqlLockTimeout, mysqlChangedSinceRead:
		return true
	default:
		return false
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	return false
}

// IsUnique tells whether err is a violated unique index or primary key.
func IsUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	if n := mysqlNumber(err); n == mysqlDuplicateKey || n == mysqlDuplicateEntryOfKey {
		return true
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}
