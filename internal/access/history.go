package access

import (
	"context"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// History is what the rules ask of a history.
type History struct {
	ID int64
	// OwnerID is 0 for a visitor's history.
	OwnerID int64
	// Importable and Published open a history to everyone; the first only to
	// those who know its address.
	Importable, Published bool
}

// Owns tells whether a history is the actor's own: the user's, or the current
// one of a visitor's session. An administrator does not own others' histories.
func Owns(a *galaxy.Actor, h History) bool {
	if h.OwnerID != 0 {
		return a.UserID() == h.OwnerID
	}
	return a.UserID() == 0 && a.SessionID != 0 && h.ID != 0 && a.HistoryID == h.ID
}

// ChangeHistory is an error unless the actor may change a history: the owner,
// or an administrator.
func ChangeHistory(a *galaxy.Actor, h History) error {
	if Owns(a, h) || a.Admin {
		return nil
	}
	return coded(galaxy.Forbidden, 403003, "History is not owned by user")
}

// SeeHistory is an error unless the actor may see a history: who may change it,
// everyone if it is open, and those it was shared with.
func SeeHistory(ctx context.Context, q store.Querier, a *galaxy.Actor, h History) error {
	if h.Importable || h.Published || ChangeHistory(a, h) == nil {
		return nil
	}
	if a.UserID() != 0 {
		shared, err := store.Column[int64](ctx, q, `SELECT id FROM history_user_share_association
			WHERE history_id = ? AND user_id = ? LIMIT 1`, h.ID, a.UserID())
		if err != nil || len(shared) > 0 {
			return err
		}
	}
	return coded(galaxy.Forbidden, 403002, "History is not accessible by user")
}
