package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// runner is what *sql.DB and *sql.Tx share.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// querier runs queries written with `?` on one engine.
type querier struct {
	run     runner
	pool    *sql.DB
	dialect *dialect
}

func (q querier) Engine() Engine { return q.dialect.engine }

func (q querier) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := q.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return n, explain(query, err)
}

func (q querier) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	text, args := q.dialect.prepare(query, args)
	res, err := q.run.ExecContext(ctx, text, args...)
	return res, explain(query, err)
}

func (q querier) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	text, args := q.dialect.prepare(query, args)
	rows, err := q.run.QueryContext(ctx, text, args...) //nolint:rowserrcheck // whoever reads Rows asks for Rows.Err
	if err != nil {
		return nil, explain(query, err)
	}
	return &Rows{rows: rows}, nil
}

func (q querier) QueryRow(ctx context.Context, query string, args ...any) *Row {
	rows, err := q.Query(ctx, query, args...)
	return &Row{rows: rows, err: err}
}

// explain adds the statement's beginning to a database error.
func explain(query string, err error) error {
	if err == nil {
		return nil
	}
	head := strings.Join(strings.Fields(query), " ")
	if len(head) > 80 {
		head = head[:80] + "…"
	}
	return fmt.Errorf("%s: %w", head, err)
}

// Rows are the rows of a query.
type Rows struct{ rows *sql.Rows }

// Next moves to the next row; false at the end or on an error (see Err).
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan copies the row's columns. A NULL leaves the zero value, unless the
// destination is a pointer to a pointer, which then becomes nil.
func (r *Rows) Scan(dest ...any) error { return r.rows.Scan(decodeAll(dest)...) }

// Err is the error that ended the rows early.
func (r *Rows) Err() error { return r.rows.Err() }

// Close ends the query.
func (r *Rows) Close() error { return r.rows.Close() }

// Row is the result of QueryRow.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the columns of the first row, or returns ErrNoRows.
func (r *Row) Scan(dest ...any) (err error) {
	if r.err != nil {
		return r.err
	}
	defer func() {
		if cerr := r.rows.Close(); err == nil {
			err = cerr
		}
	}()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	return r.rows.Scan(dest...)
}

// Collect runs a query and gathers what scan makes of each row.
func Collect[T any](ctx context.Context, q Querier, scan func(*Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, explain(query, err)
		}
		out = append(out, v)
	}
	return out, explain(query, rows.Err())
}

// Column runs a query of one column and gathers it.
func Column[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	return Collect(ctx, q, func(r *Rows) (v T, err error) { return v, r.Scan(&v) }, query, args...)
}

// AnyOf is the condition that column is one of ids, and its one argument. It
// is the same text whatever the number of ids, so that it is prepared once
// (except on MySQL, which prepares nothing).
func AnyOf(q Querier, column string, ids []int64) (condition string, arg any) {
	switch q.Engine() {
	case PostgreSQL:
		return column + " = ANY(?)", nonNil(ids)
	case MySQL:
		return column + " IN (?)", idList(ids)
	}
	text, _ := json.Marshal(nonNil(ids)) // integers always marshal
	return column + " IN (SELECT value FROM json_each(?))", string(text)
}

// AnyOfText is AnyOf for strings.
func AnyOfText(q Querier, column string, values []string) (condition string, arg any) {
	switch q.Engine() {
	case PostgreSQL:
		return column + " = ANY(?)", nonNil(values)
	case MySQL:
		return column + " IN (?)", textList(values)
	}
	text, _ := json.Marshal(nonNil(values)) // strings always marshal
	return column + " IN (SELECT value FROM json_each(?))", string(text)
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Values names the columns of a row to insert.
type Values map[string]any

// Insert adds one row to a table with a serial id and returns that id.
func Insert(ctx context.Context, q Querier, table string, row Values) (int64, error) {
	columns := sortedColumns(row)
	args := make([]any, len(columns))
	for i, c := range columns {
		args[i] = row[c]
	}
	ids, err := InsertMany(ctx, q, table, columns, [][]any{args})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// inserter is a Querier on MySQL, which tells the serial id of the first row
// that a statement inserted. Those of the others follow: InnoDB takes the ids for
// a list of rows in one piece in its lock modes 1 and 2, the defaults of MariaDB
// and MySQL; mode 0 holds the table for the length of the statement.
type inserter interface {
	insert(ctx context.Context, query string, args ...any) (first, step int64, err error)
}

func (q querier) insert(ctx context.Context, query string, args ...any) (first, step int64, err error) {
	res, err := q.exec(ctx, query, args...)
	if err != nil {
		return 0, 0, err
	}
	first, err = res.LastInsertId()
	return first, q.dialect.increment, explain(query, err)
}

// maxInsertArgs keeps a multi-row insert below the engines' limits on the
// number of arguments (SQLite's 32,766 is the smallest).
const maxInsertArgs = 16000

// InsertMany adds rows to a table with a serial id, in few statements, and
// returns their ids in the order of the rows.
func InsertMany(ctx context.Context, q Querier, table string, columns []string, rows [][]any) ([]int64, error) {
	ids := make([]int64, 0, len(rows))
	for chunk := range slices.Chunk(rows, max(1, maxInsertArgs/max(1, len(columns)))) {
		query, args := insertSQL(table, columns, chunk)
		if q.Engine() == MySQL {
			first, step, err := q.(inserter).insert(ctx, query, args...)
			if err != nil {
				return nil, err
			}
			for i := range chunk {
				ids = append(ids, first+int64(i)*step)
			}
			continue
		}
		got, err := Column[int64](ctx, q, query+" RETURNING id", args...)
		if err != nil {
			return nil, err
		}
		if len(got) != len(chunk) {
			return nil, fmt.Errorf("inserting into %s: %d ids for %d rows", table, len(got), len(chunk))
		}
		// Serial ids follow the order of the rows, but RETURNING need not.
		slices.Sort(got)
		ids = append(ids, got...)
	}
	return ids, nil
}

// InsertRows adds rows to a table, without asking for their ids.
func InsertRows(ctx context.Context, q Querier, table string, columns []string, rows [][]any) error {
	for chunk := range slices.Chunk(rows, max(1, maxInsertArgs/max(1, len(columns)))) {
		query, args := insertSQL(table, columns, chunk)
		if _, err := q.Exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

func insertSQL(table string, columns []string, rows [][]any) (string, []any) {
	var b strings.Builder
	b.WriteString("INSERT INTO ")
	b.WriteString(table)
	b.WriteString(" (")
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteColumn(c))
	}
	b.WriteString(") VALUES ")
	place := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	args := make([]any, 0, len(rows)*len(columns))
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(place)
		args = append(args, row...)
	}
	return b.String(), args
}

// quoteColumn quotes the few column names that are keywords.
func quoteColumn(c string) string {
	switch c {
	case "key", "order", "user", "values", "index", "action", "type", "name", "desc", "groups", "rank", "condition":
		return `"` + c + `"`
	}
	return c
}

func sortedColumns(row Values) []string {
	columns := make([]string, 0, len(row))
	for c := range row {
		columns = append(columns, c)
	}
	slices.Sort(columns)
	return columns
}

// replaceOnce fills a named place in a constant query.
func replaceOnce(query, place, with string) string { return strings.Replace(query, place, with, 1) }
