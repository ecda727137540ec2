package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

func TestOutage(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("x"), false},
		{store.ErrNoRows, false},
		{unix.ENOSPC, false}, // a full disk for datasets, not for the database
		{context.Canceled, false},
		{galaxy.Errorf(galaxy.Invalid, "no"), false},
		{&pgconn.PgError{Code: "23505"}, false},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "53300"}, true},
		{&pgconn.PgError{Code: "40P01"}, true},
		{&mysql.MySQLError{Number: 1062}, false}, // a duplicate key
		{&mysql.MySQLError{Number: 1064}, false}, // wrong syntax
		{&mysql.MySQLError{Number: 1040}, true},  // too many connections
		{&mysql.MySQLError{Number: 1053}, true},  // it is shutting down
		{&mysql.MySQLError{Number: 1213}, true},  // a deadlock
		{mysql.ErrInvalidConn, true},
		{fmt.Errorf("committing: %w", driver.ErrBadConn), true},
		{&net.OpError{Op: "dial", Err: unix.ECONNREFUSED}, true},
	} {
		if got := store.Outage(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
