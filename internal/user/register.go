package user

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Registration is what somebody enters to get an account.
type Registration struct {
	Email, Username, Password, Confirm string
}

// Register makes an account for whom asks: a visitor if the administrator
// allows it, or an administrator for somebody else. The new account gets its
// private role and default permissions. All that is wrong is said at once.
func (s *Service) Register(ctx context.Context, a *galaxy.Actor, r Registration) (*store.UserRow, error) {
	if !s.opts.AllowCreation && !a.Admin {
		return nil, access.ConfigForbids("This server does not let people register; ask its administrator for an account.%s", s.contact())
	}
	r.Email, r.Username = strings.TrimSpace(r.Email), strings.TrimSpace(r.Username)
	emailMessage, nameMessage := s.emailProblem(r.Email), usernameProblem(r.Username)
	passwordMessage := passwordProblem(r.Password, r.Confirm)
	if emailMessage == "" {
		switch _, err := store.UserByEmail(ctx, s.db, r.Email); {
		case err == nil:
			emailMessage = emailTaken(r.Email)
		case !errors.Is(err, store.ErrNoRows):
			return nil, err
		}
	}
	if nameMessage == "" {
		switch _, err := store.UserByUsername(ctx, s.db, r.Username); {
		case err == nil:
			nameMessage = nameTaken
		case !errors.Is(err, store.ErrNoRows):
			return nil, err
		}
	}
	if message := strings.TrimRight(emailMessage+"\n"+passwordMessage+"\n"+nameMessage, "\n"); message != "" {
		return nil, galaxy.Errorf(galaxy.Invalid, "%s", message)
	}
	hashed, err := s.hash(ctx, r.Password)
	if err != nil {
		return nil, err
	}
	return s.create(ctx, &store.UserRow{
		User: galaxy.User{Email: r.Email, Username: r.Username, Active: true}, Password: hashed,
	})
}

const nameTaken = "Public name is taken; please choose another."

func emailTaken(email string) string {
	return fmt.Sprintf("User with email '%s' already exists.", email)
}

// contact is the end of a message that sends people to the administrator.
func (s *Service) contact() string {
	if s.opts.ErrorEmailTo == "" {
		return ""
	}
	return " Contact: " + s.opts.ErrorEmailTo
}

// create adds an account with what belongs to it.
func (s *Service) create(ctx context.Context, u *store.UserRow) (made *store.UserRow, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		switch free, err := store.ReserveEmail(ctx, tx, u.Email); {
		case err != nil:
			return err
		case !free:
			return galaxy.Errorf(galaxy.Conflict, "%s", emailTaken(u.Email))
		}
		id, err := store.CreateUser(ctx, tx, u)
		if store.IsUnique(err) {
			return galaxy.Errorf(galaxy.Conflict, "%s", nameTaken)
		}
		if err != nil {
			return err
		}
		if _, err := store.EnsureRoles(ctx, tx, id, s.opts.PrivateDatasets); err != nil {
			return err
		}
		made, err = store.UserByID(ctx, tx, id)
		return err
	})
	return made, err
}

// EnsureSingleUser makes the account of the option single_user if it does not
// exist, with a password that nobody knows.
func (s *Service) EnsureSingleUser(ctx context.Context) (*store.UserRow, error) {
	email := s.opts.SingleUser
	if !IsEmail(email) {
		return nil, fmt.Errorf("single_user: %q is not an e-mail address", email)
	}
	u, err := store.UserByEmail(ctx, s.db, email)
	if !errors.Is(err, store.ErrNoRows) {
		return u, err
	}
	base := strings.Trim(usernameUnsafe.ReplaceAllString(strings.ToLower(email[:strings.IndexByte(email, '@')]), "-"), "-")
	if base == "" {
		base = "user"
	}
	for i := range 100 {
		name := base
		if i > 0 {
			name = fmt.Sprintf("%s-%d", base, i)
		}
		u, err = s.create(ctx, &store.UserRow{
			User: galaxy.User{Email: email, Username: name, Active: true}, Password: galaxy.HashPassword(galaxy.NewGUID()),
		})
		if galaxy.KindOf(err) != galaxy.Conflict {
			return u, err
		}
		// Another process may have made it at the same moment.
		if u, err := store.UserByEmail(ctx, s.db, email); !errors.Is(err, store.ErrNoRows) {
			return u, err
		}
	}
	return nil, err
}
