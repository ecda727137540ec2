package access

import (
	"context"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// ReadableDatasets tells which of the datasets (ids of the dataset table) the
// actor's roles open: a dataset with `access` permissions is open only to those
// who have every role they name. It says nothing about the history a dataset is
// in. One query, whatever the number of datasets.
func ReadableDatasets(ctx context.Context, q store.Querier, a *galaxy.Actor, datasetIDs []int64) (map[int64]bool, error) {
	readable := make(map[int64]bool, len(datasetIDs))
	for _, id := range datasetIDs {
		readable[id] = true
	}
	if a.Admin || len(datasetIDs) == 0 {
		return readable, nil
	}
	cond, arg := store.AnyOf(q, "p.dataset_id", datasetIDs)
	closed, err := store.Column[int64](ctx, q, `SELECT DISTINCT p.dataset_id FROM dataset_permissions p
		WHERE `+cond+` AND p.action = '`+store.ActionAccess+`' AND p.role_id NOT IN (
			SELECT role_id FROM user_role_association WHERE user_id = ? AND role_id IS NOT NULL
			UNION SELECT gr.role_id FROM group_role_association gr
			JOIN user_group_association ug ON ug.group_id = gr.group_id
			JOIN galaxy_group g ON g.id = ug.group_id
			WHERE ug.user_id = ? AND g.deleted = FALSE AND gr.role_id IS NOT NULL)`, arg, a.UserID(), a.UserID())
	if err != nil {
		return nil, err
	}
	for _, id := range closed {
		readable[id] = false
	}
	return readable, nil
}

// SeeDataset is an error unless the actor's roles open a dataset.
func SeeDataset(ctx context.Context, q store.Querier, a *galaxy.Actor, datasetID int64) error {
	readable, err := ReadableDatasets(ctx, q, a, []int64{datasetID})
	if err != nil || readable[datasetID] {
		return err
	}
	return coded(galaxy.Forbidden, 403002, "You are not allowed to access this dataset")
}
