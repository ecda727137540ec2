package dataset

import (
	"context"
	"slices"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Permissions are a dataset's permissions, and what the actor can do about them.
type Permissions struct {
	Set []store.Permission
	// Roles are those that the actor can name.
	Roles []store.Role
	// Manageable tells whether the actor may change them.
	Manageable bool
}

// Permissions reads the permissions of a dataset that the actor owns.
func (s *Service) Permissions(ctx context.Context, a *galaxy.Actor, item *Item) (Permissions, error) {
	var p Permissions
	if a.UserID() == 0 {
		return p, nil
	}
	set, err := store.DatasetPermissions(ctx, s.DB, []int64{item.Dataset.ID})
	if err != nil {
		return p, err
	}
	p.Set = set[item.Dataset.ID]
	if p.Roles, err = store.RolesOf(ctx, s.DB, a.UserID()); err != nil {
		return p, err
	}
	p.Manageable = manages(p.Roles, p.Set)
	return p, nil
}

// manages tells whether one of the roles manages a dataset with these
// permissions. One that nobody manages is its owner's, as in Galaxy.
func manages(roles []store.Role, set []store.Permission) bool {
	orphan := true
	for _, p := range set {
		if p.Action == store.ActionManagePermissions {
			orphan = false
			if holds(roles, p.RoleID) {
				return true
			}
		}
	}
	return orphan
}

func holds(roles []store.Role, id int64) bool {
	return slices.ContainsFunc(roles, func(r store.Role) bool { return r.ID == id })
}

// SetPermissions replaces the permissions of a dataset that the actor owns and
// manages. Nobody can lock themselves out: they must name roles that the actor
// has, and one that manages.
func (s *Service) SetPermissions(ctx context.Context, a *galaxy.Actor, id int64, set []store.Permission) error {
	item, err := s.Owned(ctx, a, id)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		roles, err := store.RolesOf(ctx, tx, a.UserID())
		if err != nil {
			return err
		}
		before, err := store.DatasetPermissions(ctx, tx, []int64{item.Dataset.ID})
		if err != nil {
			return err
		}
		if a.UserID() == 0 || !manages(roles, before[item.Dataset.ID]) {
			return galaxy.Errorf(galaxy.Forbidden, "The dataset's permissions are managed by others.")
		}
		managed := false
		for _, p := range set {
			if !holds(roles, p.RoleID) {
				return galaxy.Errorf(galaxy.Invalid, "You do not have one of these roles, so that you would lose the dataset.")
			}
			managed = managed || p.Action == store.ActionManagePermissions
		}
		if !managed {
			return galaxy.Errorf(galaxy.Invalid, "At least one role must be able to manage the dataset's permissions.")
		}
		return store.SetDatasetPermissions(ctx, tx, item.Dataset.ID, set)
	})
}

// MakePrivate lets nobody but the actor see a dataset that the actor owns;
// MakePublic takes the restriction away.
func (s *Service) MakePrivate(ctx context.Context, a *galaxy.Actor, id int64) error {
	role, err := store.PrivateRole(ctx, s.DB, a.UserID())
	if err != nil {
		return err
	}
	return s.SetPermissions(ctx, a, id, []store.Permission{
		{Action: store.ActionManagePermissions, RoleID: role}, {Action: store.ActionAccess, RoleID: role},
	})
}

// MakePublic lets everyone see a dataset that the actor owns, who knows where
// it is.
func (s *Service) MakePublic(ctx context.Context, a *galaxy.Actor, id int64) error {
	item, err := s.Owned(ctx, a, id)
	if err != nil {
		return err
	}
	p, err := s.Permissions(ctx, a, item)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(p.Set), func(p store.Permission) bool { return p.Action == store.ActionAccess })
	return s.SetPermissions(ctx, a, id, kept)
}
