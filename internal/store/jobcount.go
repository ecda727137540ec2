package store

import (
	"context"
	"strings"
	"time"
)

// JobCount says which jobs are counted. What is empty does not narrow.
type JobCount struct {
	// Tool is a tool's id, ToolPrefix what it begins with.
	Tool, ToolPrefix string
	// UserID and UserEmail are of the jobs' owner; Registered leaves out jobs of
	// nobody.
	UserID     int64
	UserEmail  string
	Registered bool
	// Destinations and States are any of which a job has.
	Destinations []string
	States       []string
	// CreatedAfter and UpdatedAfter leave out what is older.
	CreatedAfter, UpdatedAfter time.Time
}

// CountJobs counts jobs, for rules that choose a destination by what is there.
func CountJobs(ctx context.Context, q Querier, c JobCount) (n int, err error) {
	var where []string
	var args []any
	and := func(condition string, arg ...any) {
		where, args = append(where, condition), append(args, arg...)
	}
	from := "FROM job j"
	if c.UserEmail != "" {
		from += " JOIN galaxy_user u ON u.id = j.user_id"
		and("u.email = ?", c.UserEmail)
	}
	if c.Tool != "" {
		and("j.tool_id = ?", c.Tool)
	}
	if c.ToolPrefix != "" {
		and(`j.tool_id LIKE ? ESCAPE '\'`, strings.TrimPrefix(contains(c.ToolPrefix), "%"))
	}
	if c.UserID != 0 {
		and("j.user_id = ?", c.UserID)
	}
	if c.Registered {
		and("j.user_id IS NOT NULL")
	}
	if len(c.Destinations) > 0 {
		condition, arg := AnyOfText(q, "j.destination_id", c.Destinations)
		and(condition, arg)
	}
	if len(c.States) > 0 {
		condition, arg := AnyOfText(q, "j.state", c.States)
		and(condition, arg)
	}
	if !c.CreatedAfter.IsZero() {
		and("j.create_time >= ?", c.CreatedAfter)
	}
	if !c.UpdatedAfter.IsZero() {
		and("j.update_time >= ?", c.UpdatedAfter)
	}
	query := "SELECT count(*) " + from
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	err = q.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}
