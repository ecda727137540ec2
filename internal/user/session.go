package user

import (
	"context"
	"errors"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Visitor says where a request came from.
type Visitor struct{ RemoteAddr, Referer string }

// Session is a session as a request sees it.
type Session struct {
	ID int64
	// Key is the secret that the cookie holds, not encoded.
	Key string
	// User is nil for a visitor who is not logged in.
	User *galaxy.User
	// HistoryID is the current history, 0 for none.
	HistoryID int64
}

// SessionActor is who asks through a session.
func (s *Service) SessionActor(session *Session) *galaxy.Actor {
	a := s.Actor(session.User)
	a.SessionID, a.HistoryID = session.ID, session.HistoryID
	return a
}

// touchEvery is how often the use of a session is written down, when idle
// sessions end: often enough for settings in minutes, rare enough not to write
// with each request.
const touchEvery = 30 * time.Second

// Resume finds the valid session of a key, in one query. It gives nil for a
// session that does not exist or that ended: by logging out, by being idle too
// long, or because its account was deleted or logs in elsewhere.
func (s *Service) Resume(ctx context.Context, key string) (*Session, error) {
	row, err := store.SessionByKey(ctx, s.db, key)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if row.User != nil && (row.User.Deleted || row.User.External) {
		return nil, s.end(ctx, row.ID)
	}
	if limit := s.opts.SessionDuration; limit > 0 {
		idle := s.db.Now().Sub(row.LastAction)
		if !row.LastAction.IsZero() && idle > limit {
			return nil, s.end(ctx, row.ID)
		}
		if idle > min(touchEvery, limit/4) {
			err := s.db.Write(ctx, func(tx *store.Tx) error { return store.TouchSession(ctx, tx, row.ID) })
			if err != nil {
				return nil, err
			}
		}
	}
	return fromRow(row), nil
}

func fromRow(row *store.Session) *Session {
	session := &Session{ID: row.ID, Key: row.Key, HistoryID: row.HistoryID}
	if row.User != nil {
		session.User = &row.User.User
	}
	return session
}

func (s *Service) end(ctx context.Context, sessionID int64) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return store.InvalidateSession(ctx, tx, sessionID) })
}

// Begin starts a session for a visitor, or for the user of that id. It has no
// history yet, see EnsureHistory.
func (s *Service) Begin(ctx context.Context, v Visitor, userID int64) (session *Session, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		session, err = s.begin(ctx, tx, v, userID, 0)
		return err
	})
	return session, err
}

func (s *Service) begin(ctx context.Context, tx *store.Tx, v Visitor, userID, previousID int64) (*Session, error) {
	id, err := store.CreateSession(ctx, tx, store.NewSession{
		Key: galaxy.NewGUID(), UserID: userID, PreviousID: previousID, RemoteAddr: v.RemoteAddr, Referer: v.Referer,
	})
	if err != nil {
		return nil, err
	}
	row, err := store.SessionByID(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	return fromRow(row), nil
}

// EnsureHistory gives a session a current history if it has none: an empty one
// that the user has, or a new one. Visitors get none where everybody must log
// in.
func (s *Service) EnsureHistory(ctx context.Context, session *Session) error {
	if session.HistoryID != 0 || (session.User == nil && s.opts.RequireLogin) {
		return nil
	}
	return s.db.Write(ctx, func(tx *store.Tx) (err error) {
		session.HistoryID, err = store.EnsureSessionHistory(ctx, tx, session.ID)
		return err
	})
}

// LogIn replaces a session (0 for none) by a new one of the user, so that a
// key that somebody else put into the browser is worth nothing. What the
// visitor did before goes with the user: the history, if there is something in
// it.
func (s *Service) LogIn(ctx context.Context, previousID, userID int64, v Visitor) (session *Session, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if _, err := store.EnsureRoles(ctx, tx, userID, s.opts.PrivateDatasets); err != nil {
			return err
		}
		historyID, err := store.AdoptHistory(ctx, tx, previousID, userID)
		if err != nil {
			return err
		}
		if session, err = s.begin(ctx, tx, v, userID, previousID); err != nil {
			return err
		}
		if historyID != 0 {
			session.HistoryID, err = historyID, store.SetSessionHistory(ctx, tx, session.ID, historyID)
		} else {
			session.HistoryID, err = store.EnsureSessionHistory(ctx, tx, session.ID)
		}
		if err != nil {
			return err
		}
		return store.LogEvent(ctx, tx, userID, session.ID, session.HistoryID, "User logged in")
	})
	return session, err
}

// LogOut ends a session, and with everywhere all others of its user, and gives
// a new one of a visitor.
func (s *Service) LogOut(ctx context.Context, sessionID, userID int64, everywhere bool, v Visitor) (session *Session, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if err := store.LogEvent(ctx, tx, userID, sessionID, 0, "User logged out"); err != nil {
			return err
		}
		if everywhere && userID != 0 {
			if err := store.InvalidateSessions(ctx, tx, userID, sessionID); err != nil {
				return err
			}
		}
		session, err = s.begin(ctx, tx, v, 0, sessionID)
		return err
	})
	return session, err
}
