package store

import (
	"context"
	"errors"
	"time"
)

// UnnamedHistory is the name that a history has until somebody names it.
const UnnamedHistory = "Unnamed history"

// Session is a row of galaxy_session with what a request needs to know of its
// user and history.
type Session struct {
	ID  int64
	Key string
	// UserID is 0 for a visitor.
	UserID int64
	// User is nil for a visitor.
	User *UserRow
	// HistoryID is the current history; 0 if there is none or it was deleted.
	HistoryID int64
	// LastAction is zero when it was never noted.
	LastAction time.Time
}

// SessionByKey finds a valid session and its user in one query; ErrNoRows
// without one.
func SessionByKey(ctx context.Context, q Querier, key string) (*Session, error) {
	return oneSession(ctx, q, "s.session_key = ? AND s.is_valid = TRUE", key)
}

// SessionByID finds a session, valid or not; ErrNoRows without one.
func SessionByID(ctx context.Context, q Querier, id int64) (*Session, error) {
	return oneSession(ctx, q, "s.id = ?", id)
}

func oneSession(ctx context.Context, q Querier, where string, arg any) (*Session, error) {
	s, u := new(Session), new(UserRow)
	fields := append([]any{&s.ID, &s.Key, &s.UserID, &s.HistoryID, &s.LastAction}, u.fields()...)
	err := q.QueryRow(ctx, `SELECT s.id, s.session_key, s.user_id, h.id, s.last_action, `+userColumns+`
		FROM galaxy_session s LEFT JOIN galaxy_user u ON u.id = s.user_id
		LEFT JOIN history h ON h.id = s.current_history_id AND h.deleted = FALSE
		WHERE `+where, arg).Scan(fields...)
	if err != nil {
		return nil, err
	}
	if u.ID != 0 {
		s.User = u
	}
	return s, nil
}

// NewSession is a session to be made.
type NewSession struct {
	Key string
	// UserID is 0 for a visitor; PreviousID is 0 unless the session follows
	// another, which it makes invalid.
	UserID, PreviousID int64
	// RemoteAddr and Referer say where the visitor came from; longer texts than
	// their columns are cut.
	RemoteAddr, Referer string
}

// maxReferer bounds what is kept of a text that any visitor may send.
const maxReferer = 2000

// CreateSession adds a valid session and gives its id.
func CreateSession(ctx context.Context, tx *Tx, n NewSession) (int64, error) {
	if n.PreviousID != 0 {
		if err := InvalidateSession(ctx, tx, n.PreviousID); err != nil {
			return 0, err
		}
	}
	addr := Clip(n.RemoteAddr, 255)
	return Insert(ctx, tx, "galaxy_session", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "user_id": OrNull(n.UserID), "remote_host": OrNull(addr),
		"remote_addr": OrNull(addr), "referer": OrNull(Clip(n.Referer, maxReferer)), "session_key": n.Key,
		"is_valid": true, "prev_session_id": OrNull(n.PreviousID), "last_action": tx.Now(),
	})
}

// InvalidateSession ends a session.
func InvalidateSession(ctx context.Context, tx *Tx, id int64) error {
	_, err := tx.Exec(ctx, `UPDATE galaxy_session SET is_valid = FALSE, update_time = ? WHERE id = ?`, tx.Now(), id)
	return err
}

// InvalidateSessions ends all sessions of a user but one (0 for none).
func InvalidateSessions(ctx context.Context, tx *Tx, userID, except int64) error {
	_, err := tx.Exec(ctx, `UPDATE galaxy_session SET is_valid = FALSE, update_time = ? WHERE user_id = ? AND is_valid = TRUE AND id <> ?`,
		tx.Now(), userID, except)
	return err
}

// TouchSession notes that a session was used now.
func TouchSession(ctx context.Context, tx *Tx, id int64) error {
	_, err := tx.Exec(ctx, `UPDATE galaxy_session SET last_action = ?, update_time = ? WHERE id = ?`, tx.Now(), tx.Now(), id)
	return err
}

// SetSessionHistory makes a history the current one of a session.
func SetSessionHistory(ctx context.Context, tx *Tx, sessionID, historyID int64) error {
	if _, err := tx.Exec(ctx, `UPDATE galaxy_session SET current_history_id = ?, update_time = ? WHERE id = ?`,
		historyID, tx.Now(), sessionID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO galaxy_session_to_history (create_time, session_id, history_id)
		SELECT h.create_time, s.id, h.id FROM galaxy_session s, history h WHERE s.id = ? AND h.id = ?
		AND NOT EXISTS (SELECT 1 FROM galaxy_session_to_history l WHERE l.session_id = s.id AND l.history_id = h.id)`,
		sessionID, historyID)
	return err
}

// EnsureSessionHistory gives the current history of a session. Without one it
// takes an empty unnamed history of the user, or else makes one. Requests that
// ask at the same time get the same history.
func EnsureSessionHistory(ctx context.Context, tx *Tx, sessionID int64) (historyID int64, err error) {
	if err := lockRow(ctx, tx, "galaxy_session", sessionID); err != nil {
		return 0, err
	}
	s, err := SessionByID(ctx, tx, sessionID)
	if err != nil || s.HistoryID != 0 {
		if s != nil {
			historyID = s.HistoryID
		}
		return historyID, err
	}
	if s.UserID != 0 {
		err = tx.QueryRow(ctx, `SELECT id FROM history WHERE user_id = ? AND name = ? AND deleted = FALSE AND hid_counter = 1
			ORDER BY id LIMIT 1`, s.UserID, UnnamedHistory).Scan(&historyID)
		if err != nil && !errors.Is(err, ErrNoRows) {
			return 0, err
		}
	}
	if historyID == 0 {
		if historyID, err = insertUnnamedHistory(ctx, tx, s.UserID); err != nil {
			return 0, err
		}
	}
	return historyID, SetSessionHistory(ctx, tx, sessionID, historyID)
}

// insertUnnamedHistory adds an empty history with its owner's default
// permissions; userID is 0 for a visitor's.
func insertUnnamedHistory(ctx context.Context, tx *Tx, userID int64) (int64, error) {
	id, err := Insert(ctx, tx, "history", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "user_id": OrNull(userID), "name": UnnamedHistory,
		"hid_counter": 1, "deleted": false, "purged": false, "importing": false, "genome_build": "?",
		"importable": false, "published": false, "archived": false,
	})
	if err != nil || userID == 0 {
		return id, err
	}
	return id, CopyUserPermissionsToHistory(ctx, tx, userID, id)
}

// AdoptHistory finds the history that a user continues in after logging in: the
// visitor's history of the session before if it has contents (which becomes the
// user's, with its datasets' permissions and sizes), else the current one of
// the user's last session. 0 if there is none of these.
func AdoptHistory(ctx context.Context, tx *Tx, previousSessionID, userID int64) (historyID int64, err error) {
	var owner int64
	var contents int
	err = tx.QueryRow(ctx, `SELECT h.id, h.user_id, h.hid_counter FROM galaxy_session s JOIN history h ON h.id = s.current_history_id
		WHERE s.id = ? AND h.deleted = FALSE`, previousSessionID).Scan(&historyID, &owner, &contents)
	switch {
	case errors.Is(err, ErrNoRows):
	case err != nil:
		return 0, err
	case contents > 1 && owner == userID:
		return historyID, nil
	case contents > 1 && owner == 0:
		return historyID, giveHistory(ctx, tx, historyID, userID)
	}
	err = tx.QueryRow(ctx, `SELECT h.id FROM galaxy_session s LEFT JOIN history h ON h.id = s.current_history_id AND h.deleted = FALSE AND h.user_id = s.user_id
		WHERE s.user_id = ? ORDER BY s.update_time DESC LIMIT 1`, userID).Scan(&historyID)
	if errors.Is(err, ErrNoRows) {
		return 0, nil
	}
	return historyID, err
}

// giveHistory makes a visitor's history a user's.
func giveHistory(ctx context.Context, tx *Tx, historyID, userID int64) error {
	// What the user already has elsewhere is not counted twice.
	if _, err := tx.Exec(ctx, `UPDATE galaxy_user SET disk_usage = COALESCE(disk_usage, 0) + (
		SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d
		WHERE d.purged = FALSE AND EXISTS (SELECT 1 FROM history_dataset_association a
			WHERE a.dataset_id = d.id AND a.history_id = ? AND a.purged = FALSE)
		AND NOT EXISTS (SELECT 1 FROM history_dataset_association a JOIN history h ON h.id = a.history_id
			WHERE a.dataset_id = d.id AND a.purged = FALSE AND h.user_id = ?))
		WHERE id = ?`, historyID, userID, userID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE history SET user_id = ?, update_time = ? WHERE id = ? AND user_id IS NULL`,
		userID, tx.Now(), historyID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE job SET user_id = ? WHERE history_id = ? AND user_id IS NULL`, userID, historyID); err != nil {
		return err
	}
	if err := CopyUserPermissionsToHistory(ctx, tx, userID, historyID); err != nil {
		return err
	}
	return GrantHistoryDatasets(ctx, tx, userID, historyID)
}
