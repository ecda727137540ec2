package store

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// Filter is one of the filters that Galaxy's lists take as the query parameters
// q (attribute and operation) and qv (value).
type Filter struct {
	Attr, Op, Value string
}

// ParseFilters pairs the q parameters with the qv parameters. An operation
// stands behind the last dash; without one it is eq. What has no partner is
// left out, as Galaxy leaves it.
func ParseFilters(q, qv []string) []Filter {
	var out []Filter
	for i := range min(len(q), len(qv)) {
		f := Filter{Attr: q[i], Op: "eq", Value: qv[i]}
		if dash := strings.LastIndexByte(q[i], '-'); dash >= 0 {
			f.Attr, f.Op = q[i][:dash], q[i][dash+1:]
		}
		out = append(out, f)
	}
	return out
}

// maxFilterValues bounds a list in one filter.
const maxFilterValues = 10_000

// bad is the error for an attribute or operation that the list does not have.
func (f Filter) bad() error {
	return &galaxy.Error{Kind: galaxy.Invalid, Message: "bad filter", Details: map[string]any{"column": f.Attr, "operation": f.Op}}
}

// unparsable is the error for a value of the wrong form.
func (f Filter) unparsable(err error) error {
	return &galaxy.Error{Kind: galaxy.Invalid, Message: "unparsable value for filter", Details: map[string]any{
		"column": f.Attr, "operation": f.Op, "value": f.Value, "ValueError": err.Error(),
	}}
}

// refused is the error for a value that is not one of those allowed.
func (f Filter) refused(value, message string) error {
	return &galaxy.Error{Kind: galaxy.Invalid, Message: message, Details: map[string]any{
		"column": f.Attr, "operation": f.Op, "val": value,
	}}
}

// condition is a piece of a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

func (c *condition) and(sql string, args ...any) {
	if c.sql != "" {
		c.sql += " AND "
	}
	c.sql += sql
	c.args = append(c.args, args...)
}

// text compares a column of text; ok is false when the operation does not
// exist for it.
func (f Filter) text(column string) (sql string, arg any, ok bool) {
	switch f.Op {
	case "eq":
		return column + " = ?", f.Value, true
	case "contains":
		return "lower(" + column + `) LIKE ? ESCAPE '\'`, contains(strings.ToLower(f.Value)), true
	case "like":
		return column + ` LIKE ? ESCAPE '\'`, f.Value, true
	}
	return "", nil, false
}

// order compares a column of times or numbers.
func (f Filter) order(column string) (string, bool) {
	op, ok := map[string]string{"ge": ">=", "le": "<=", "gt": ">", "lt": "<", "eq": "="}[f.Op]
	return column + " " + op + " ?", ok
}

func (f Filter) bool() (bool, error) {
	switch strings.ToLower(f.Value) {
	case "true", "t", "1", "yes", "y", "on":
		return true, nil
	case "false", "f", "0", "no", "n", "off":
		return false, nil
	}
	return false, f.unparsable(fmt.Errorf("invalid boolean: %s", f.Value))
}

func (f Filter) list() ([]string, error) {
	var out []string
	for v := range strings.SplitSeq(f.Value, ",") {
		if v != "" {
			out = append(out, v)
		}
	}
	if len(out) > maxFilterValues {
		return nil, f.unparsable(fmt.Errorf("more than %d values", maxFilterValues))
	}
	return out, nil
}

func (f Filter) date() (time.Time, error) {
	t, err := ParseDate(f.Value)
	if err != nil {
		return t, f.unparsable(err)
	}
	return t, nil
}

var datePattern = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[T ]?(?:(\d{2}:\d{2}:\d{2})(?:\.\d{1,6})?)?Z?$`)

// ParseDate reads a time as Galaxy's filters take it: seconds since 1970, with
// or without a fraction, or an ISO 8601 date in UTC with or without a time.
func ParseDate(s string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(seconds) < 1e11 {
		return stamp(time.UnixMicro(int64(math.Round(seconds * 1e6)))), nil
	}
	if len(s) > 40 || !datePattern.MatchString(s) {
		return time.Time{}, errors.New("datetime strings must be in the ISO 8601 format and in the UTC")
	}
	day, clock := s[:10], strings.TrimSuffix(strings.TrimLeft(s[10:], "T "), "Z")
	if clock == "" {
		clock = "00:00:00"
	}
	t, err := time.Parse("2006-01-02 15:04:05", day+" "+clock)
	if err != nil {
		return t, errors.New("datetime strings must be in the ISO 8601 format and in the UTC")
	}
	return stamp(t), nil
}

// tagCondition is the filter `tag` for rows whose id is in column.
func (f Filter) tagCondition(k TagKind, column string) (string, any, error) {
	value := strings.ToLower(f.Value)
	full := "lower(t.user_tname || ':' || COALESCE(t.user_value, ''))"
	exists := "EXISTS (SELECT 1 FROM " + k.tags + " t WHERE t." + k.column + " = " + column + " AND "
	switch f.Op {
	case "eq":
		if !strings.Contains(value, ":") {
			return exists + "lower(t.user_tname) = ?)", value, nil
		}
		return exists + full + " = ?)", value, nil
	case "contains", "has":
		return exists + full + ` LIKE ? ESCAPE '\')`, contains(value), nil
	}
	return "", nil, f.refused(f.Value, "bad op in filter")
}

// annotationCondition is the filter `annotation` for rows whose id is in
// column.
func (f Filter) annotationCondition(k TagKind, column string) (string, any, error) {
	if f.Op != "has" && f.Op != "contains" {
		return "", nil, f.bad()
	}
	return "EXISTS (SELECT 1 FROM " + k.annotations + " n WHERE n." + k.column + " = " + column +
		` AND n.annotation LIKE ? ESCAPE '\')`, contains(f.Value), nil
}
