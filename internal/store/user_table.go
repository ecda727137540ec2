package store

import (
	"context"
	"strings"
	"time"
)

// UserTableRow is a line of the administrator's table of accounts.
type UserTableRow struct {
	UserRow
	// LastLogin is zero for an account that never had a session.
	LastLogin     time.Time
	Groups, Roles int
}

// UserTable says which lines of the table of accounts to give, and in which
// order.
type UserTable struct {
	// Deleted lists the deleted accounts instead of the others, Purged the purged
	// ones.
	Deleted, Purged bool
	// Search are terms with the fields email and username, all of which must fit.
	Search []SearchTerm
	// Sort is a key of userTableOrders; anything else gives no particular order.
	Sort       string
	Descending bool
	// Limit is the most to give; Offset skips that many.
	Limit, Offset int
}

// lastLogin and its siblings are about one account; there is an index for each.
const (
	lastLogin  = "(SELECT MAX(s.update_time) FROM galaxy_session s WHERE s.user_id = u.id)"
	groupsOf   = "(SELECT COUNT(*) FROM user_group_association g WHERE g.user_id = u.id)"
	rolesOf    = "(SELECT COUNT(*) FROM user_role_association r WHERE r.user_id = u.id)"
	statusRank = "CASE WHEN u.purged = TRUE THEN 2 WHEN u.deleted = TRUE THEN 1 ELSE 0 END"
)

var userTableOrders = map[string]string{
	"email": "u.email", "username": "u.username", "create_time": "u.create_time", "disk_usage": "COALESCE(u.disk_usage, 0)",
	"active": "u.active", "external": "u.external", "deleted": "u.deleted", "purged": "u.purged", "status": statusRank,
	"groups": groupsOf, "roles": rolesOf, "last_login": lastLogin,
}

// Users gives one page of the table and the number of lines it has in all.
func (t UserTable) Users(ctx context.Context, q Querier) (rows []UserTableRow, total int, err error) {
	where, args := "u.deleted = ?", []any{t.Deleted}
	if t.Purged {
		where, args = "u.purged = ?", []any{true}
	}
	for _, term := range t.Search {
		email, name := `lower(u.email) LIKE ? ESCAPE '\'`, `lower(u.username) LIKE ? ESCAPE '\'`
		text := contains(strings.ToLower(term.Text))
		if term.Exact {
			email, name, text = "u.email = ?", "u.username = ?", term.Text
		}
		switch term.Field {
		case "email":
			where, args = where+" AND "+email, append(args, text)
		case "username":
			where, args = where+" AND "+name, append(args, text)
		default:
			text = contains(strings.ToLower(term.Text))
			where += ` AND (lower(u.email) LIKE ? ESCAPE '\' OR lower(u.username) LIKE ? ESCAPE '\')`
			args = append(args, text, text)
		}
	}
	counted := append([]any(nil), args...) // the query turns its arguments into the engine's form
	if err := q.QueryRow(ctx, "SELECT COUNT(*) FROM galaxy_user u WHERE "+where, counted...).Scan(&total); err != nil {
		return nil, 0, err
	}
	order := "u.id"
	if by, ok := userTableOrders[t.Sort]; ok {
		direction := ""
		if t.Descending {
			direction = " DESC"
		}
		// The engines disagree where NULLs go; here they are the least.
		nulls := map[bool]string{true: " IS NULL", false: " IS NOT NULL"}[t.Descending]
		order = "(" + by + ")" + nulls + ", " + by + direction + ", u.id"
	}
	query, args := page("SELECT "+userColumns+", "+lastLogin+", "+groupsOf+", "+rolesOf+" FROM galaxy_user u WHERE "+where+
		" ORDER BY "+order, args, t.Limit, t.Offset)
	rows, err = Collect(ctx, q, func(r *Rows) (u UserTableRow, err error) {
		return u, r.Scan(append(u.fields(), &u.LastLogin, &u.Groups, &u.Roles)...)
	}, query, args...)
	return rows, total, err
}
