package access

import (
	"orrery/internal/galaxy"
)

// coded is an error with one of Galaxy's finer error codes.
func coded(kind galaxy.Kind, code int, format string, args ...any) error {
	e := galaxy.Errorf(kind, format, args...)
	e.Details = map[string]any{"err_code": code}
	return e
}

// LoginRequired is the answer to a visitor who asks for what needs an account
// (403, code 403001).
func LoginRequired(format string, args ...any) error {
	return coded(galaxy.Forbidden, 403001, format, args...)
}

// Denied is the answer to somebody who lacks the right (403, code 403005).
func Denied(format string, args ...any) error {
	return coded(galaxy.Forbidden, 403005, format, args...)
}

// ConfigForbids is the answer to what the administrator switched off (403, code
// 403004).
func ConfigForbids(format string, args ...any) error {
	return coded(galaxy.Forbidden, 403004, format, args...)
}

// Missing is the answer to a request that lacks something (400, code 400007).
func Missing(format string, args ...any) error {
	return coded(galaxy.Invalid, 400007, format, args...)
}

// Admin is an error unless the actor administers the server (code 403006).
func Admin(a *galaxy.Actor) error {
	if !a.Admin {
		return coded(galaxy.Forbidden, 403006, "You must be logged in as an administrator to access this feature.")
	}
	return nil
}

// Account is an error unless the actor has an account or is the bootstrap
// administrator.
func Account(a *galaxy.Actor) error {
	if a.Anonymous() {
		return LoginRequired("API authentication required for this request")
	}
	return nil
}

// ActFor is an error unless the actor is the user of that id or an
// administrator.
func ActFor(a *galaxy.Actor, userID int64) error {
	if a.Admin || (userID != 0 && a.UserID() == userID) {
		return nil
	}
	return Denied("Access denied.")
}
