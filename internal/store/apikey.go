package store

import (
	"context"
	"time"
)

// APIKey is a row of api_keys.
type APIKey struct {
	Key        string
	CreateTime time.Time
}

// KeyOwner is what one look-up of an API key finds.
type KeyOwner struct {
	UserRow
	// Expired tells that the user has made a newer key.
	Expired bool
}

// UserByAPIKey finds the owner of an API key that was not deleted; ErrNoRows
// without one.
func UserByAPIKey(ctx context.Context, q Querier, key string) (*KeyOwner, error) {
	o := new(KeyOwner)
	err := q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM api_keys n WHERE n.user_id = k.user_id AND n.deleted = FALSE
			AND (n.create_time > k.create_time OR (n.create_time = k.create_time AND n.id > k.id))), `+userColumns+`
		FROM api_keys k JOIN galaxy_user u ON u.id = k.user_id WHERE k."key" = ? AND k.deleted = FALSE`, key).
		Scan(append([]any{&o.Expired}, o.fields()...)...)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// NewestAPIKey gives the key that a user may use now, the newest that was not
// deleted; ErrNoRows without one.
func NewestAPIKey(ctx context.Context, q Querier, userID int64) (k APIKey, err error) {
	err = q.QueryRow(ctx, `SELECT "key", create_time FROM api_keys WHERE user_id = ? AND deleted = FALSE
		ORDER BY create_time DESC, id DESC LIMIT 1`, userID).Scan(&k.Key, &k.CreateTime)
	return k, err
}

// CreateAPIKey gives a user a key; older ones stop working.
func CreateAPIKey(ctx context.Context, tx *Tx, userID int64, key string) (APIKey, error) {
	_, err := Insert(ctx, tx, "api_keys", Values{"create_time": tx.Now(), "user_id": userID, "key": key, "deleted": false})
	return APIKey{Key: key, CreateTime: tx.Now()}, err
}

// DeleteAPIKeys takes all keys from a user.
func DeleteAPIKeys(ctx context.Context, tx *Tx, userID int64) error {
	_, err := tx.Exec(ctx, `UPDATE api_keys SET deleted = TRUE WHERE user_id = ? AND deleted = FALSE`, userID)
	return err
}
