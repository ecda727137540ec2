package store

import (
	"context"
	"fmt"

	"orrery/internal/galaxy"
)

// CandidateFilter selects the datasets of a history that a tool's data
// parameter offers: visible, not deleted, in one of the states, newest first.
type CandidateFilter struct {
	HistoryID int64
	// Extensions are the accepted datatypes; nil means any.
	Extensions []string
	States     []galaxy.DatasetState
	// Tag is the value of a tag, or empty.
	Tag string
	// Search is a part of the name or the whole number, or empty.
	Search        string
	Offset, Limit int
}

// CandidateHDAs gives one page of candidates and the number of all.
func CandidateHDAs(ctx context.Context, q Querier, f CandidateFilter) (page []HDA, total int, err error) {
	states := make([]string, len(f.States))
	for i, s := range f.States {
		states[i] = string(s)
	}
	where := hdaFrom + ` WHERE h.history_id = ? AND h.deleted = ? AND h.visible = ?`
	args := []any{f.HistoryID, false, true}
	add := func(cond string, arg ...any) {
		where += " AND " + cond
		args = append(args, arg...)
	}
	cond, arg := AnyOfText(q, "COALESCE(h.state, d.state)", states)
	add(cond, arg)
	if f.Extensions != nil {
		cond, arg := AnyOfText(q, "h.extension", f.Extensions)
		add(cond, arg)
	}
	if f.Tag != "" {
		add(`EXISTS (SELECT 1 FROM history_dataset_association_tag_association t WHERE t.history_dataset_association_id = h.id
			AND (t.user_tname = ? OR t.user_tname || ':' || COALESCE(t.user_value, '') = ?))`, f.Tag, f.Tag)
	}
	if f.Search != "" {
		add("(lower(h.name) LIKE lower(?) ESCAPE '\\' OR "+q.Engine().text("h.hid")+" = ?)", contains(f.Search), f.Search)
	}
	page, err = Collect(ctx, q, scanHDA, "SELECT "+hdaColumns+where+fmt.Sprintf(" ORDER BY h.hid DESC, h.id DESC LIMIT %d OFFSET %d", max(1, f.Limit), max(0, f.Offset)), args...)
	if err != nil {
		return nil, 0, err
	}
	if len(page) < f.Limit && f.Offset == 0 {
		return page, len(page), nil
	}
	err = q.QueryRow(ctx, "SELECT count(*)"+where, args...).Scan(&total)
	return page, total, err
}
