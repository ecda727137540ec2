package api

import (
	"fmt"
	"time"

	"orrery/internal/store"
	"orrery/internal/user"
)

// table is the administrator's table of accounts.
func (u *Users) table(r *Request) (any, error) {
	if err := r.RequireAdmin(); err != nil {
		return nil, err
	}
	t := store.UserTable{Sort: r.Param("sort_by")}
	if t.Sort == "" {
		t.Sort = "email"
	}
	var err error
	if t.Descending, err = r.Bool("sort_desc", false); err != nil {
		return nil, err
	}
	if t.Limit, err = r.Int("limit", 1000, 1); err != nil {
		return nil, err
	}
	if t.Offset, err = r.Int("offset", 0, 0); err != nil {
		return nil, err
	}
	for _, term := range searchTerms(r.Param("search"), "email", "username", "is") {
		switch {
		case term.Field != "is":
			t.Search = append(t.Search, term)
		case term.Text == "deleted":
			t.Deleted = true
		case term.Text == "purged":
			t.Purged = true
		}
	}
	rows, total, err := u.users.Table(r.Ctx(), r.Actor, t)
	if err != nil {
		return nil, err
	}
	lines, now := make([]any, len(rows)), time.Now()
	for i, row := range rows {
		status := "Available"
		switch {
		case row.Purged:
			status = "Purged"
		case row.Deleted:
			status = "Deleted"
		}
		lines[i] = map[string]any{
			"id": r.EncodeID(row.ID), "email": row.Email, "username": row.Username, "last_login": timeAgo(row.LastLogin, now),
			"disk_usage": user.NiceSize(row.DiskUsage), "status": status,
			"create_time": row.CreateTime.UTC().Format("2006-01-02 15:04:05.000000"), "active": row.Active,
			"groups": row.Groups, "roles": row.Roles, "external": row.External, "deleted": row.Deleted, "purged": row.Purged,
		}
	}
	return map[string]any{"rows": lines, "rows_total": total}, nil
}

// timeAgo writes a moment as the tables do: «3 hours ago», or the day when it
// is more than a week ago.
func timeAgo(at, now time.Time) string {
	if at.IsZero() {
		return "never"
	}
	ago := max(now.Sub(at), 0)
	if ago > 7*24*time.Hour {
		return at.UTC().Format("Jan 02, 2006")
	}
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if ago < unit.length && unit.length > time.Second {
			continue
		}
		n := max(int(ago.Round(unit.length)/unit.length), 1)
		if n == 1 {
			return "1 " + unit.name + " ago"
		}
		return fmt.Sprintf("%d %ss ago", n, unit.name)
	}
	return ""
}
