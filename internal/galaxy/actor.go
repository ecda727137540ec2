package galaxy

// User is a person with an account.
type User struct {
	ID       int64
	Email    string
	Username string
	Active   bool
	Deleted  bool
	Purged   bool
	External bool
	// DiskUsage is in bytes.
	DiskUsage int64
	// PreferredObjectStoreID is empty for the server's default.
	PreferredObjectStoreID string
}

// Actor is who asks for something: a user, an anonymous visitor with a session,
// or the bootstrap administrator, who has neither.
type Actor struct {
	// User is nil for a visitor who is not logged in, and for the bootstrap
	// administrator.
	User *User
	// Admin tells whether the actor administers the server.
	Admin bool
	// Bootstrap tells that bootstrap_admin_api_key was used.
	Bootstrap bool
	// SessionID is the row in galaxy_session; 0 with an API key.
	SessionID int64
	// HistoryID is the session's current history; 0 if there is none. It is the
	// only history that an anonymous visitor owns.
	HistoryID int64
	// ByAPIKey tells that the request carried an API key rather than a cookie.
	ByAPIKey bool
}

// UserID is the user's row, or 0 for anyone without an account.
func (a *Actor) UserID() int64 {
	if a == nil || a.User == nil {
		return 0
	}
	return a.User.ID
}

// Anonymous tells whether nobody is logged in.
func (a *Actor) Anonymous() bool { return a.UserID() == 0 && !a.Bootstrap }
