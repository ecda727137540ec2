package store

import (
	"context"
	"strings"
	"time"
)

// RoleTableRow is a line of the administrator's table of roles, or of that of
// groups.
type RoleTableRow struct {
	ID                      int64
	Name, Description, Type string // groups have a name only
	Deleted                 bool
	UpdateTime              time.Time
	// Others is how many groups have a role, or how many roles a group has.
	Others, Users int
}

// RoleTable says which lines to give, and in which order.
type RoleTable struct {
	// Groups gives groups instead of roles. Private roles are not listed.
	Groups  bool
	Deleted bool
	// Search are terms with the fields name and description, all of which must
	// fit; groups have a name only.
	Search []SearchTerm
	// Sort is a key of an order; anything else gives the order of names.
	Sort       string
	Descending bool
	// Limit is the most to give; Offset skips that many.
	Limit, Offset int
}

// roleTables are the columns, by the keys to sort by, and the rest of the
// queries.
var roleTables = map[bool]struct {
	from    string
	columns map[string]string
}{
	false: {`role t WHERE COALESCE(t.type, '') <> 'private'`, map[string]string{
		"name": "t.name", "description": "t.description", "type": "t.type", "deleted": "t.deleted", "update_time": "t.update_time",
		"groups": "(SELECT COUNT(*) FROM group_role_association a WHERE a.role_id = t.id)",
		"users":  "(SELECT COUNT(*) FROM user_role_association a WHERE a.role_id = t.id)",
	}},
	true: {`galaxy_group t WHERE 1 = 1`, map[string]string{
		"name": "t.name", "description": "''", "type": "''", "deleted": "t.deleted", "update_time": "t.update_time",
		"groups": "(SELECT COUNT(*) FROM group_role_association a WHERE a.group_id = t.id)",
		"users":  "(SELECT COUNT(*) FROM user_group_association a WHERE a.group_id = t.id)",
	}},
}

// Rows gives the lines, and how many there are in all.
func (t RoleTable) Rows(ctx context.Context, q Querier) (rows []RoleTableRow, total int, err error) {
	table := roleTables[t.Groups]
	where, args := " AND COALESCE(t.deleted, ?) = ?", []any{false, t.Deleted}
	for _, term := range t.Search {
		text := contains(strings.ToLower(term.Text))
		fields := []string{"name", "description"}
		if term.Field != "" {
			fields = []string{term.Field}
		}
		var fits []string
		for _, field := range fields {
			if column, ok := table.columns[field]; ok {
				fits, args = append(fits, "lower(COALESCE("+column+`, '')) LIKE ? ESCAPE '\'`), append(args, text)
			}
		}
		if len(fits) > 0 {
			where += " AND (" + strings.Join(fits, " OR ") + ")"
		}
	}
	counted := append([]any(nil), args...) // the query turns its arguments into the engine's form
	if err := q.QueryRow(ctx, "SELECT COUNT(*) FROM "+table.from+where, counted...).Scan(&total); err != nil {
		return nil, 0, err
	}
	order, ok := table.columns[t.Sort]
	if !ok {
		order = "t.name"
	}
	if t.Descending {
		order += " DESC"
	}
	c := table.columns
	query, args := page("SELECT t.id, t.name, "+c["description"]+", "+c["type"]+", t.deleted, t.update_time, "+c["groups"]+", "+c["users"]+
		" FROM "+table.from+where+" ORDER BY "+order+", t.id", args, t.Limit, t.Offset)
	rows, err = Collect(ctx, q, func(r *Rows) (l RoleTableRow, err error) {
		return l, r.Scan(&l.ID, &l.Name, &l.Description, &l.Type, &l.Deleted, &l.UpdateTime, &l.Others, &l.Users)
	}, query, args...)
	return rows, total, err
}
