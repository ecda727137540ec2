package user

import (
	"context"
	"errors"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// slot waits for leave to hash a password; the caller must call release.
func (s *Service) slot(ctx context.Context) (release func(), err error) {
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) hash(ctx context.Context, password string) (string, error) {
	release, err := s.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return galaxy.HashPassword(password), nil
}

func (s *Service) check(ctx context.Context, password, hashed string) (bool, error) {
	if len(password) > 4*maxPasswordLength {
		return false, nil
	}
	release, err := s.slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	return galaxy.CheckPassword(password, hashed), nil
}

// byIdentity finds an account by address or public name.
func (s *Service) byIdentity(ctx context.Context, identity string) (*store.UserRow, error) {
	if IsEmail(identity) {
		return store.UserByEmail(ctx, s.db, identity)
	}
	return store.UserByUsername(ctx, s.db, identity)
}

// Credentials is the outcome of a correct password.
type Credentials struct {
	User *store.UserRow
	// Expired tells that the password must be changed before it lets in.
	Expired bool
	// ExpiresIn is the number of days after which it must be, when that is
	// near; 0 otherwise.
	ExpiresIn int
}

// CheckPassword finds the account of an address or public name and checks its
// password. What is wrong is an error of kind Invalid that says so.
func (s *Service) CheckPassword(ctx context.Context, identity, password string) (*Credentials, error) {
	refuse := func(message string) (*Credentials, error) { return nil, galaxy.Errorf(galaxy.Invalid, "%s", message) }
	if identity == "" || password == "" {
		return refuse("Please specify a username and password.")
	}
	u, err := s.byIdentity(ctx, identity)
	switch {
	case errors.Is(err, store.ErrNoRows):
		return refuse("No such user or invalid password.")
	case err != nil:
		return nil, err
	case u.Purged:
		return refuse("This account has been permanently deleted.")
	case u.Deleted:
		return refuse("This account has been deleted; the administrator can restore it." + s.contact())
	case u.External:
		return refuse("This account logs in by another way than a password; ask the administrator." + s.contact())
	}
	ok, err := s.check(ctx, password, u.Password)
	if err != nil {
		return nil, err
	}
	if !ok {
		return refuse("Invalid password.")
	}
	c := &Credentials{User: u}
	if period := s.opts.PasswordExpiration; period > 0 {
		left := u.LastPasswordChange.Add(period).Sub(s.db.Now())
		switch {
		case left <= 0:
			c.Expired = true
		case left < period-period/10:
			c.ExpiresIn = int(left / (24 * time.Hour))
		}
	}
	return c, nil
}

// ChangePassword replaces the password of the account of that id, which the
// one who asks must know. All its sessions end but keepSession (0 for none).
func (s *Service) ChangePassword(ctx context.Context, userID int64, current, password, confirm string, keepSession int64) (*store.UserRow, error) {
	u, err := s.ByID(ctx, userID)
	if err != nil {
		return nil, galaxy.Errorf(galaxy.Invalid, "User not found.")
	}
	ok, err := s.check(ctx, current, u.Password)
	if err != nil {
		return nil, err
	}
	if !ok || u.External || u.Deleted {
		return nil, galaxy.Errorf(galaxy.Invalid, "Invalid current password.")
	}
	return u, s.setPassword(ctx, u.ID, password, confirm, keepSession, nil)
}

// ResetPassword replaces the password of the user a reset token was made for,
// and uses the token up.
func (s *Service) ResetPassword(ctx context.Context, token, password, confirm string, keepSession int64) (*store.UserRow, error) {
	userID, err := store.PasswordResetUser(ctx, s.db, token)
	if errors.Is(err, store.ErrNoRows) {
		return nil, galaxy.Errorf(galaxy.Invalid, "This password reset link is invalid or expired; request a new one.")
	}
	if err != nil {
		return nil, err
	}
	u, err := s.ByID(ctx, userID)
	if err != nil {
		return nil, err
	}
	if u.Deleted || u.External {
		return nil, galaxy.Errorf(galaxy.Invalid, "This account cannot log in with a password; ask the administrator.%s", s.contact())
	}
	return u, s.setPassword(ctx, userID, password, confirm, keepSession, func(tx *store.Tx) error {
		return store.ExpirePasswordReset(ctx, tx, token)
	})
}

func (s *Service) setPassword(ctx context.Context, userID int64, password, confirm string, keepSession int64, also func(*store.Tx) error) error {
	if password == "" {
		return galaxy.Errorf(galaxy.Invalid, "Please provide a new password.")
	}
	if message := passwordProblem(password, confirm); message != "" {
		return galaxy.Errorf(galaxy.Invalid, "%s", message)
	}
	hashed, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := store.UpdateUser(ctx, tx, userID, store.Values{"password": hashed, "last_password_change": tx.Now()}); err != nil {
			return err
		}
		if err := store.InvalidateSessions(ctx, tx, userID, keepSession); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return store.LogEvent(ctx, tx, userID, keepSession, 0, "User change password")
	})
}
