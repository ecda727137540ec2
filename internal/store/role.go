package store

import (
	"context"
	"errors"
)

// The types of a role.
const (
	RolePrivate = "private"
	RoleSharing = "sharing"
	RoleSystem  = "system"
	RoleAdmin   = "admin"
)

// Role is a row of the role table.
type Role struct {
	ID                      int64
	Name, Description, Type string
	Deleted                 bool
	// OwnerEmail is, for a private role, the address of the user it belongs to.
	OwnerEmail string
}

const roleColumns = `r.id, r.name, r.description, r.type, r.deleted,
	(SELECT u.email FROM user_role_association p JOIN galaxy_user u ON u.id = p.user_id
	 WHERE p.role_id = r.id AND r.type = 'private' ORDER BY p.id LIMIT 1)`

func scanRole(rows *Rows) (r Role, err error) {
	return r, rows.Scan(&r.ID, &r.Name, &r.Description, &r.Type, &r.Deleted, &r.OwnerEmail)
}

// RoleByID finds a role, deleted or not; ErrNoRows without it.
func RoleByID(ctx context.Context, q Querier, id int64) (Role, error) {
	roles, err := Collect(ctx, q, scanRole, "SELECT "+roleColumns+" FROM role r WHERE r.id = ?", id)
	if err == nil && len(roles) == 0 {
		err = ErrNoRows
	}
	if err != nil {
		return Role{}, err
	}
	return roles[0], nil
}

// RoleFilter selects roles for a list.
type RoleFilter struct {
	// ViewerID is the user who looks, who sees no private and sharing roles but
	// the own ones; All lifts that.
	ViewerID int64
	All      bool
	// Search is a part of the name or, for a private role, of its owner's
	// address; case does not matter.
	Search        string
	Limit, Offset int
}

// Roles lists roles that are not deleted, oldest first.
func Roles(ctx context.Context, q Querier, f RoleFilter) ([]Role, error) {
	where, args := "r.deleted = FALSE", []any{}
	if !f.All {
		where += ` AND (r.type NOT IN ('private', 'sharing')
			OR r.id IN (SELECT role_id FROM user_role_association WHERE user_id = ?))`
		args = append(args, f.ViewerID)
	}
	if f.Search != "" {
		where += ` AND lower(COALESCE((SELECT u.email FROM user_role_association p JOIN galaxy_user u ON u.id = p.user_id
			WHERE p.role_id = r.id AND r.type = 'private' ORDER BY p.id LIMIT 1), r.name)) LIKE lower(?) ESCAPE '\'`
		args = append(args, contains(f.Search))
	}
	query, args := page("SELECT "+roleColumns+" FROM role r WHERE "+where+" ORDER BY r.id", args, f.Limit, f.Offset)
	return Collect(ctx, q, scanRole, query, args...)
}

// RolesAssignedTo lists the roles that a user was given directly, the private
// one among them.
func RolesAssignedTo(ctx context.Context, q Querier, userID int64) ([]Role, error) {
	return Collect(ctx, q, scanRole, "SELECT "+roleColumns+` FROM role r
		JOIN user_role_association a ON a.role_id = r.id WHERE a.user_id = ? ORDER BY a.id`, userID)
}

// RolesOf lists all roles that a user has: directly, and through groups.
func RolesOf(ctx context.Context, q Querier, userID int64) ([]Role, error) {
	return Collect(ctx, q, scanRole, "SELECT "+roleColumns+` FROM role r WHERE r.deleted = FALSE AND r.id IN (
		SELECT role_id FROM user_role_association WHERE user_id = ?
		UNION SELECT gr.role_id FROM group_role_association gr JOIN user_group_association ug ON ug.group_id = gr.group_id
		JOIN galaxy_group g ON g.id = ug.group_id WHERE ug.user_id = ? AND g.deleted = FALSE)
		ORDER BY r.id`, userID, userID)
}

// PrivateRole gives a user's private role, the oldest if there are several;
// ErrNoRows without one.
func PrivateRole(ctx context.Context, q Querier, userID int64) (id int64, err error) {
	err = q.QueryRow(ctx, `SELECT r.id FROM role r JOIN user_role_association a ON a.role_id = r.id
		WHERE a.user_id = ? AND r.type = 'private' ORDER BY r.id LIMIT 1`, userID).Scan(&id)
	return id, err
}

// EnsureRoles gives a user what every account needs: a private role, and
// default permissions for new datasets, where the private role manages them and,
// with private, is also needed to see them. What is there already stays.
func EnsureRoles(ctx context.Context, tx *Tx, userID int64, private bool) (roleID int64, err error) {
	if err := lockUser(ctx, tx, userID); err != nil {
		return 0, err
	}
	roleID, err = PrivateRole(ctx, tx, userID)
	if errors.Is(err, ErrNoRows) {
		roleID, err = createPrivateRole(ctx, tx, userID)
	}
	if err != nil {
		return 0, err
	}
	perms, err := DefaultUserPermissions(ctx, tx, userID)
	if err != nil || len(perms) > 0 {
		return roleID, err
	}
	perms = []Permission{{ActionManagePermissions, roleID}}
	if private {
		perms = append(perms, Permission{ActionAccess, roleID})
	}
	return roleID, SetDefaultUserPermissions(ctx, tx, userID, perms)
}

func createPrivateRole(ctx context.Context, tx *Tx, userID int64) (int64, error) {
	roleID, err := Insert(ctx, tx, "role", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "name": "private role", "type": RolePrivate, "deleted": false,
	})
	if err != nil {
		return 0, err
	}
	_, err = Insert(ctx, tx, "user_role_association", Values{
		"user_id": userID, "role_id": roleID, "create_time": tx.Now(), "update_time": tx.Now(),
	})
	return roleID, err
}

// DefaultUserPermissions gives the permissions that a user's new histories get.
func DefaultUserPermissions(ctx context.Context, q Querier, userID int64) ([]Permission, error) {
	return Collect(ctx, q, scanPermission, `SELECT action, role_id FROM default_user_permissions WHERE user_id = ? ORDER BY id`, userID)
}

// DefaultHistoryPermissions gives the permissions that a history's new datasets
// get.
func DefaultHistoryPermissions(ctx context.Context, q Querier, historyID int64) ([]Permission, error) {
	return Collect(ctx, q, scanPermission, `SELECT action, role_id FROM default_history_permissions WHERE history_id = ? ORDER BY id`, historyID)
}

// SetDefaultUserPermissions replaces the permissions that a user's new
// histories get.
func SetDefaultUserPermissions(ctx context.Context, tx *Tx, userID int64, perms []Permission) error {
	return replacePermissions(ctx, tx, "default_user_permissions", "user_id", userID, perms)
}

// SetDefaultHistoryPermissions replaces the permissions that a history's new
// datasets get.
func SetDefaultHistoryPermissions(ctx context.Context, tx *Tx, historyID int64, perms []Permission) error {
	return replacePermissions(ctx, tx, "default_history_permissions", "history_id", historyID, perms)
}

func replacePermissions(ctx context.Context, tx *Tx, table, owner string, ownerID int64, perms []Permission) error {
	if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE "+owner+" = ?", ownerID); err != nil {
		return err
	}
	rows := make([][]any, len(perms))
	for i, p := range perms {
		rows[i] = []any{ownerID, p.Action, p.RoleID}
	}
	return InsertRows(ctx, tx, table, []string{owner, "action", "role_id"}, rows)
}

// CopyUserPermissionsToHistory gives a history its owner's default permissions,
// as every new history of a user gets them.
func CopyUserPermissionsToHistory(ctx context.Context, tx *Tx, userID, historyID int64) error {
	if _, err := tx.Exec(ctx, `DELETE FROM default_history_permissions WHERE history_id = ?`, historyID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO default_history_permissions (history_id, action, role_id)
		SELECT h.id, p.action, p.role_id FROM default_user_permissions p JOIN history h ON h.id = ?
		WHERE p.user_id = ? ORDER BY p.id`, historyID, userID)
	return err
}

// GrantHistoryDatasets gives the datasets of a history that was anonymous its
// default permissions, those that are in no other owner's history and in no
// library.
func GrantHistoryDatasets(ctx context.Context, tx *Tx, userID, historyID int64) error {
	const mine = `SELECT a.dataset_id FROM history_dataset_association a WHERE a.history_id = ? AND NOT EXISTS (
			SELECT 1 FROM history_dataset_association o JOIN history h ON h.id = o.history_id
			WHERE o.dataset_id = a.dataset_id AND (h.user_id IS NULL OR h.user_id <> ?))
		AND NOT EXISTS (SELECT 1 FROM library_dataset_dataset_association l WHERE l.dataset_id = a.dataset_id)`
	cond, args, err := among(ctx, tx, "dataset_id", mine, historyID, userID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM dataset_permissions WHERE `+cond, args...); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO dataset_permissions (create_time, update_time, action, dataset_id, role_id)
		SELECT h.update_time, h.update_time, p.action, d.id, p.role_id
		FROM default_history_permissions p JOIN history h ON h.id = p.history_id
		JOIN dataset d ON d.id IN (`+mine+`) AND d.purged = FALSE WHERE p.history_id = ?`,
		historyID, userID, historyID)
	return err
}

// CreateRole adds a role and gives it to users and groups. Its name must be
// free among the roles that are not private.
func CreateRole(ctx context.Context, tx *Tx, r Role, userIDs, groupIDs []int64) (int64, error) {
	id, err := Insert(ctx, tx, "role", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "name": r.Name, "description": r.Description,
		"type": r.Type, "deleted": false,
	})
	if err != nil {
		return 0, err
	}
	link := func(table, column string, ids []int64) error {
		rows := make([][]any, len(ids))
		for i, other := range ids {
			rows[i] = []any{other, id, tx.Now(), tx.Now()}
		}
		return InsertRows(ctx, tx, table, []string{column, "role_id", "create_time", "update_time"}, rows)
	}
	if err := link("user_role_association", "user_id", userIDs); err != nil {
		return 0, err
	}
	return id, link("group_role_association", "group_id", groupIDs)
}

// RoleNameTaken tells whether a role of that name exists.
func RoleNameTaken(ctx context.Context, q Querier, name string) (bool, error) {
	ids, err := Column[int64](ctx, q, `SELECT id FROM role WHERE name = ? LIMIT 1`, name)
	return len(ids) > 0, err
}

// SetRoleDeleted marks a role deleted, or not.
func SetRoleDeleted(ctx context.Context, tx *Tx, id int64, deleted bool) error {
	_, err := tx.Exec(ctx, `UPDATE role SET deleted = ?, update_time = ? WHERE id = ?`, deleted, tx.Now(), id)
	return err
}

// PurgeRole removes a role and every permission that names it.
func PurgeRole(ctx context.Context, tx *Tx, id int64) error {
	for _, table := range []string{
		"default_user_permissions", "default_history_permissions", "dataset_permissions", "library_permissions",
		"library_folder_permissions", "library_dataset_permissions", "library_dataset_dataset_association_permissions",
		"user_role_association", "group_role_association",
	} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE role_id = ?", id); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `DELETE FROM role WHERE id = ?`, id)
	return err
}
