package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Outage tells whether an error says that the database cannot serve now
// (it restarts, is out of reach, busy or full), so that the same transaction may
// well succeed later.
func Outage(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") || strings.HasPrefix(pg.Code, "57P") ||
			pg.Code == "25P03" || retryable(err) // 25P03: this process was paused in a transaction
	}
	switch mysqlNumber(err) {
	case 0:
	case mysqlTooManyConnections, mysqlShutdown, mysqlNormalShutdown, mysqlTooManyUserConnections, mysqlDiskFull, mysqlTableFull, mysqlReadOnly,
		mysqlKilled, mysqlInterrupted:
		return true
	default:
		return retryable(err)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
			return true
		}
		return false
	}
	var connecting *pgconn.ConnectError
	var network *net.OpError // not net.Error, which every error of the file system is too
	return errors.As(err, &connecting) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// crowded tells whether an error says that the database has as many connections
// as it allows.
func crowded(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "53300" // too_many_connections
	}
	switch mysqlNumber(err) {
	case mysqlTooManyConnections, mysqlTooManyUserConnections:
		return true
	}
	return false
}

// Full tells whether an error says that the database's disk is full.
func Full(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "53100" // disk_full
	}
	if n := mysqlNumber(err); n != 0 {
		return n == mysqlDiskFull || n == mysqlTableFull
	}
	var lite *sqlite.Error
	// The index of the log is written to byte by byte, and says so in its own way.
	return errors.As(err, &lite) && (lite.Code()&0xff == sqlite3.SQLITE_FULL || lite.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
}
