package user

import (
	"context"
	"errors"
	"slices"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Roles lists the roles that the actor may know of: all for an administrator,
// else the own ones and those that are neither private nor for sharing.
func (s *Service) Roles(ctx context.Context, a *galaxy.Actor, search string, limit, offset int) ([]store.Role, error) {
	return store.Roles(ctx, s.db, store.RoleFilter{ViewerID: a.UserID(), All: a.Admin, Search: search, Limit: limit, Offset: offset})
}

// RolesOf lists all roles that a user has, also through groups.
func (s *Service) RolesOf(ctx context.Context, userID int64) ([]store.Role, error) {
	return store.RolesOf(ctx, s.db, userID)
}

// RolesAssignedTo lists the roles that a user was given directly.
func (s *Service) RolesAssignedTo(ctx context.Context, userID int64) ([]store.Role, error) {
	return store.RolesAssignedTo(ctx, s.db, userID)
}

func noRole() error {
	return galaxy.Errorf(galaxy.NotFound, "No accessible role found with the id provided.")
}

// Role finds a role that the actor may know of.
func (s *Service) Role(ctx context.Context, a *galaxy.Actor, id int64) (store.Role, error) {
	role, err := store.RoleByID(ctx, s.db, id)
	if errors.Is(err, store.ErrNoRows) {
		return role, noRole()
	}
	if err != nil || a.Admin {
		return role, err
	}
	if role.Type == store.RolePrivate || role.Type == store.RoleSharing {
		own, err := store.RolesOf(ctx, s.db, a.UserID())
		if err != nil {
			return store.Role{}, err
		}
		if !slices.ContainsFunc(own, func(r store.Role) bool { return r.ID == id }) {
			return store.Role{}, noRole()
		}
	}
	return role, nil
}

// CreateRole makes a role and gives it to users and groups.
func (s *Service) CreateRole(ctx context.Context, r store.Role, userIDs, groupIDs []int64) (made store.Role, err error) {
	if r.Name == "" || len(r.Name) > maxNameLength {
		return made, galaxy.Errorf(galaxy.Invalid, "A role needs a name of at most %d bytes", maxNameLength)
	}
	if !slices.Contains([]string{store.RoleAdmin, store.RoleSystem, store.RoleSharing}, r.Type) {
		return made, galaxy.Errorf(galaxy.Invalid, "A role of type %q cannot be made; use admin, system or sharing", r.Type)
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		taken, err := store.RoleNameTaken(ctx, tx, r.Name)
		if err != nil {
			return err
		}
		if taken {
			return galaxy.Errorf(galaxy.Conflict, "A role with that name already exists [%s]", r.Name)
		}
		id, err := store.CreateRole(ctx, tx, r, userIDs, groupIDs)
		if err != nil {
			return err
		}
		made, err = store.RoleByID(ctx, tx, id)
		return err
	})
	return made, err
}

// RoleChange is one of DeleteRole, UndeleteRole and PurgeRole: it changes the
// role of an id and gives it as it is then, or, when purged, as it was.
type RoleChange func(ctx context.Context, id int64) (store.Role, error)

// DeleteRole marks a role deleted.
func (s *Service) DeleteRole(ctx context.Context, id int64) (store.Role, error) {
	return s.changeRole(ctx, id, func(tx *store.Tx, r store.Role) error {
		if r.Type == store.RolePrivate {
			return galaxy.Errorf(galaxy.Invalid, "The private role of a user cannot be deleted")
		}
		return store.SetRoleDeleted(ctx, tx, id, true)
	})
}

// UndeleteRole restores a deleted role.
func (s *Service) UndeleteRole(ctx context.Context, id int64) (store.Role, error) {
	return s.changeRole(ctx, id, func(tx *store.Tx, r store.Role) error {
		if !r.Deleted {
			return galaxy.Errorf(galaxy.Invalid, "Role '%s' has not been deleted, so it cannot be undeleted.", r.Name)
		}
		return store.SetRoleDeleted(ctx, tx, id, false)
	})
}

// PurgeRole removes a deleted role and every permission that names it.
func (s *Service) PurgeRole(ctx context.Context, id int64) (store.Role, error) {
	return s.changeRole(ctx, id, func(tx *store.Tx, r store.Role) error {
		if !r.Deleted {
			return galaxy.Errorf(galaxy.Invalid, "Role '%s' has not been deleted, so it cannot be purged.", r.Name)
		}
		return store.PurgeRole(ctx, tx, id)
	})
}

func (s *Service) changeRole(ctx context.Context, id int64, change func(*store.Tx, store.Role) error) (role store.Role, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		role, err = store.RoleByID(ctx, tx, id)
		if errors.Is(err, store.ErrNoRows) {
			return noRole()
		}
		if err != nil {
			return err
		}
		return change(tx, role)
	})
	return role, err
}

// DefaultPermissions gives the permissions that a user's new datasets get.
func (s *Service) DefaultPermissions(ctx context.Context, userID int64) ([]store.Permission, error) {
	return store.DefaultUserPermissions(ctx, s.db, userID)
}

// SetDefaultPermissions replaces the permissions that a user's new datasets
// get. They may name only roles that the user has, and somebody must be able to
// manage them.
func (s *Service) SetDefaultPermissions(ctx context.Context, userID int64, perms []store.Permission) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		roles, err := store.RolesOf(ctx, tx, userID)
		if err != nil {
			return err
		}
		managed := false
		for _, p := range perms {
			if !slices.ContainsFunc(roles, func(r store.Role) bool { return r.ID == p.RoleID }) {
				return galaxy.Errorf(galaxy.Invalid, "You do not have one of these roles")
			}
			managed = managed || p.Action == store.ActionManagePermissions
		}
		if !managed {
			return galaxy.Errorf(galaxy.Invalid, "At least one role must be able to manage permissions")
		}
		return store.SetDefaultUserPermissions(ctx, tx, userID, perms)
	})
}
