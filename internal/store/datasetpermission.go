package store

import "context"

// SetDatasetPermissions replaces the permissions of one dataset.
func SetDatasetPermissions(ctx context.Context, tx *Tx, datasetID int64, perms []Permission) error {
	if _, err := tx.Exec(ctx, `DELETE FROM dataset_permissions WHERE dataset_id = ?`, datasetID); err != nil {
		return err
	}
	rows := make([][]any, len(perms))
	for i, p := range perms {
		rows[i] = []any{tx.Now(), tx.Now(), p.Action, datasetID, p.RoleID}
	}
	return InsertRows(ctx, tx, "dataset_permissions", []string{"create_time", "update_time", "action", "dataset_id", "role_id"}, rows)
}
