package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Changes are what somebody may change of an account; nil leaves a value as it
// is.
type Changes struct {
	Email, Username        *string
	Active                 *bool
	PreferredObjectStoreID *string // "" for the server's choice
	// Addresses replaces all addresses.
	Addresses *[]store.Address
}

// Update changes an account.
func (s *Service) Update(ctx context.Context, userID int64, c Changes) (updated *store.UserRow, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		tx.AfterCommit(s.keys.forget)
		u, err := store.UserByID(ctx, tx, userID)
		if errors.Is(err, store.ErrNoRows) {
			return galaxy.Errorf(galaxy.NotFound, "There is no user with this id")
		}
		if err != nil {
			return err
		}
		set := store.Values{}
		if c.Email != nil && *c.Email != u.Email {
			if err := s.checkNewEmail(ctx, tx, u, *c.Email); err != nil {
				return err
			}
			set["email"] = *c.Email
		}
		if c.Username != nil && *c.Username != u.Username {
			if message := usernameProblem(*c.Username); message != "" {
				return galaxy.Errorf(galaxy.Invalid, "%s", message)
			}
			set["username"] = *c.Username
		}
		if c.Active != nil {
			set["active"] = *c.Active
		}
		if id := c.PreferredObjectStoreID; id != nil {
			if *id != "" && !slices.Contains(s.opts.SelectableObjectStores, *id) {
				return galaxy.Errorf(galaxy.Invalid, "This server offers no object store %q to choose", *id)
			}
			set["preferred_object_store_id"] = store.OrNull(*id)
		}
		if len(set) > 0 {
			err := store.UpdateUser(ctx, tx, userID, set)
			if store.IsUnique(err) {
				return galaxy.Errorf(galaxy.Invalid, "%s", nameTaken)
			}
			if err != nil {
				return err
			}
		}
		if c.Addresses != nil {
			if err := store.ReplaceAddresses(ctx, tx, userID, *c.Addresses); err != nil {
				return err
			}
		}
		updated, err = store.UserByID(ctx, tx, userID)
		return err
	})
	return updated, err
}

func (s *Service) checkNewEmail(ctx context.Context, tx *store.Tx, u *store.UserRow, email string) error {
	if message := s.emailProblem(email); message != "" {
		return galaxy.Errorf(galaxy.Invalid, "%s", message)
	}
	free, err := store.ReserveEmail(ctx, tx, email)
	if err != nil || free {
		return err
	}
	other, err := store.UserByEmail(ctx, tx, email)
	if err != nil {
		return err
	}
	if other.ID != u.ID { // changing only the case of one's own address is fine
		return galaxy.Errorf(galaxy.Invalid, "%s", emailTaken(email))
	}
	return nil
}

// Delete marks an account deleted: its sessions end and its jobs are stopped.
// People may delete their own account, administrators any, if the
// administrator's settings allow it at all.
func (s *Service) Delete(ctx context.Context, a *galaxy.Actor, userID int64) (*store.UserRow, error) {
	if !a.Admin && a.UserID() != userID {
		return nil, access.Denied("You may only delete your own account.")
	}
	return s.setDeleted(ctx, userID, func(tx *store.Tx, _ *store.UserRow) error {
		if err := store.UpdateUser(ctx, tx, userID, store.Values{"deleted": true}); err != nil {
			return err
		}
		if err := store.InvalidateSessions(ctx, tx, userID, 0); err != nil {
			return err
		}
		if s.StopJobs != nil {
			return s.StopJobs(ctx, tx, userID)
		}
		return nil
	})
}

// Undelete restores an account that was deleted and not purged.
func (s *Service) Undelete(ctx context.Context, a *galaxy.Actor, userID int64) (*store.UserRow, error) {
	if err := access.Admin(a); err != nil {
		return nil, err
	}
	return s.setDeleted(ctx, userID, func(tx *store.Tx, u *store.UserRow) error {
		if u.Purged {
			return access.Denied("A purged user cannot be restored")
		}
		return store.UpdateUser(ctx, tx, userID, store.Values{"deleted": false})
	})
}

// Purge removes for good what is known of a deleted account: its address and
// name become hashes, its histories and datasets are marked deleted, its keys,
// groups, addresses and sessions end. It cannot be undone.
func (s *Service) Purge(ctx context.Context, a *galaxy.Actor, userID int64) (*store.UserRow, error) {
	if err := access.Admin(a); err != nil {
		return nil, err
	}
	return s.setDeleted(ctx, userID, func(tx *store.Tx, u *store.UserRow) error {
		if !u.Deleted {
			return galaxy.Errorf(galaxy.Invalid, "User '%s' has not been deleted, so they cannot be purged.", u.Email)
		}
		if err := store.DeleteUserLinks(ctx, tx, userID); err != nil {
			return err
		}
		// The salt is thrown away, so that nobody can try addresses.
		salt := galaxy.NewGUID()
		return store.UpdateUser(ctx, tx, userID, store.Values{
			"email": redact(u.Email + salt), "username": redact(u.Username + salt), "purged": true, "password": "",
		})
	})
}

func redact(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *Service) setDeleted(ctx context.Context, userID int64, change func(*store.Tx, *store.UserRow) error) (u *store.UserRow, err error) {
	if !s.opts.AllowDeletion {
		return nil, access.ConfigForbids("This server's configuration (allow_user_deletion) does not allow to delete or restore users.")
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		tx.AfterCommit(s.keys.forget)
		u, err = store.UserByID(ctx, tx, userID)
		if errors.Is(err, store.ErrNoRows) {
			return galaxy.Errorf(galaxy.NotFound, "There is no user with this id")
		}
		if err != nil {
			return err
		}
		if err := change(tx, u); err != nil {
			return err
		}
		u, err = store.UserByID(ctx, tx, userID)
		return err
	})
	return u, err
}

// Addresses gives a user's addresses.
func (s *Service) Addresses(ctx context.Context, userID int64) ([]store.Address, error) {
	return store.Addresses(ctx, s.db, userID)
}
