package store

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// sqliteTime is how SQLAlchemy writes a DateTime on SQLite: naive UTC with
// exactly six fractional digits.
const sqliteTime = "2006-01-02 15:04:05.000000"

// stamp makes a time one that every engine keeps unchanged.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// UUID is a column of Galaxy's UUIDType: 32 hex digits without dashes. The zero
// value is NULL.
type UUID uuid.UUID

// NewUUID makes a random UUID.
func NewUUID() UUID { return UUID(uuid.New()) }

// ParseUUID reads a UUID with or without dashes.
func ParseUUID(s string) (UUID, error) {
	u, err := uuid.Parse(s)
	return UUID(u), err
}

// String gives the form with dashes, as Galaxy's API prints it.
func (u UUID) String() string { return uuid.UUID(u).String() }

// Hex gives the form without dashes.
func (u UUID) Hex() string { return hex.EncodeToString(u[:]) }

// IsZero tells whether the column was NULL.
func (u UUID) IsZero() bool { return u == UUID{} }

// encodeAll turns arguments into what the engine's driver keeps as Galaxy
// keeps it.
func (d *dialect) encodeAll(args []any) []any {
	for i, a := range args {
		args[i] = d.encode(a)
	}
	return args
}

func (d *dialect) encode(a any) any {
	switch v := a.(type) {
	case time.Time:
		if v.IsZero() {
			return nil
		}
		if d.engine == SQLite {
			return stamp(v).Format(sqliteTime)
		}
		return stamp(v)
	case *time.Time:
		if v == nil {
			return nil
		}
		return d.encode(*v)
	case UUID:
		if v.IsZero() {
			return nil
		}
		return v.Hex()
	case json.RawMessage:
		if v == nil {
			return nil
		}
		if d.engine == MySQL { // its JSON columns refuse bytes
			return string(v)
		}
		return []byte(v)
	}
	return a
}

// JSON encodes v for one of Galaxy's JSON columns, which hold the text's bytes.
func JSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // only for values that JSON cannot express: a programming error
		panic(fmt.Sprintf("store: not JSON: %v", err))
	}
	return b
}

// OrNull is v, or NULL when v is its type's zero value.
func OrNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// decodeAll wraps scan destinations so that a NULL leaves the zero value.
func decodeAll(dest []any) []any {
	out := make([]any, len(dest))
	for i, d := range dest {
		out[i] = decoder(d)
	}
	return out
}

func decoder(dest any) any {
	switch d := dest.(type) {
	case *string:
		return zeroOnNull[string]{d}
	case *int64:
		return zeroOnNull[int64]{d}
	case *int:
		return zeroOnNull[int]{d}
	case *bool:
		return zeroOnNull[bool]{d}
	case *float64:
		return zeroOnNull[float64]{d}
	case *time.Time:
		return timeScanner{d}
	case **time.Time:
		return timePtrScanner{d}
	case *UUID:
		return uuidScanner{d}
	case *json.RawMessage:
		return jsonScanner{d}
	}
	return dest
}

// zeroOnNull scans a column that may be NULL.
type zeroOnNull[T any] struct{ dest *T }

func (z zeroOnNull[T]) Scan(src any) error {
	var n sql.Null[T]
	if err := n.Scan(src); err != nil {
		return err
	}
	*z.dest = n.V
	return nil
}

type timeScanner struct{ dest *time.Time }

func (s timeScanner) Scan(src any) error {
	t, err := decodeTime(src)
	*s.dest = t
	return err
}

type timePtrScanner struct{ dest **time.Time }

func (s timePtrScanner) Scan(src any) error {
	if src == nil {
		*s.dest = nil
		return nil
	}
	t, err := decodeTime(src)
	*s.dest = &t
	return err
}

func decodeTime(src any) (time.Time, error) {
	switch v := src.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v.UTC(), nil
	case []byte:
		return decodeTime(string(v))
	case string:
		// Fractional digits are accepted after the seconds without being named.
		t, err := time.Parse("2006-01-02 15:04:05", strings.Replace(v, "T", " ", 1))
		if err != nil {
			return t, fmt.Errorf("not a time of Galaxy's: %q", v)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("not a time: %T", src)
}

type uuidScanner struct{ dest *UUID }

func (s uuidScanner) Scan(src any) error {
	var text string
	switch v := src.(type) {
	case nil:
		*s.dest = UUID{}
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("not a UUID: %T", src)
	}
	u, err := ParseUUID(strings.TrimSpace(text))
	*s.dest = u
	return err
}

type jsonScanner struct{ dest *json.RawMessage }

func (s jsonScanner) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s.dest = nil
	case string:
		*s.dest = json.RawMessage(v)
	case []byte:
		*s.dest = json.RawMessage(append([]byte(nil), v...))
	default:
		return fmt.Errorf("not JSON: %T", src)
	}
	return nil
}
