package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"orrery/internal/galaxy"
)

// UserRow is a row of galaxy_user.
type UserRow struct {
	galaxy.User
	CreateTime, UpdateTime time.Time
	// LastPasswordChange is zero when it was never noted.
	LastPasswordChange time.Time
	// Password is the hash, see galaxy.CheckPassword.
	Password string
	// ActivationToken is empty unless the account waits for it.
	ActivationToken string
}

// userColumns are what scanUser reads, of a galaxy_user that the query calls u.
const userColumns = `u.id, u.email, u.username, u.active, u.deleted, u.purged, u.external, u.disk_usage,
	u.preferred_object_store_id, u.create_time, u.update_time, u.last_password_change, u.password, u.activation_token`

func (u *UserRow) fields() []any {
	return []any{
		&u.ID, &u.Email, &u.Username, &u.Active, &u.Deleted, &u.Purged, &u.External, &u.DiskUsage,
		&u.PreferredObjectStoreID, &u.CreateTime, &u.UpdateTime, &u.LastPasswordChange, &u.Password, &u.ActivationToken,
	}
}

func scanUser(r *Rows) (*UserRow, error) {
	u := new(UserRow)
	return u, r.Scan(u.fields()...)
}

func oneUser(ctx context.Context, q Querier, where string, args ...any) (*UserRow, error) {
	u := new(UserRow)
	err := q.QueryRow(ctx, "SELECT "+userColumns+" FROM galaxy_user u WHERE "+where, args...).Scan(u.fields()...)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// UserByID finds an account, deleted or not; ErrNoRows without it.
func UserByID(ctx context.Context, q Querier, id int64) (*UserRow, error) {
	return oneUser(ctx, q, "u.id = ?", id)
}

// UsersByID finds accounts by their ids, in no particular order.
func UsersByID(ctx context.Context, q Querier, ids []int64) ([]*UserRow, error) {
	cond, arg := AnyOf(q, "u.id", ids)
	return Collect(ctx, q, scanUser, "SELECT "+userColumns+" FROM galaxy_user u WHERE "+cond, arg)
}

// UserByEmail finds an account by its address: the same letters first, then
// the same but for case. ErrNoRows without one.
func UserByEmail(ctx context.Context, q Querier, email string) (*UserRow, error) {
	return oneUser(ctx, q, "lower(u.email) = lower(?) ORDER BY CASE WHEN u.email = ? THEN 0 ELSE 1 END, u.id LIMIT 1", email, email)
}

// UserByUsername finds an account by its public name; ErrNoRows without one.
func UserByUsername(ctx context.Context, q Querier, username string) (*UserRow, error) {
	return oneUser(ctx, q, "u.username = ? LIMIT 1", username)
}

// UserFilter selects accounts for a list.
type UserFilter struct {
	Deleted bool
	// Email, Username and EmailOrUsername are parts to be contained; "" for any.
	Email, Username, EmailOrUsername string
	// Limit is the most to list, 0 for all; Offset skips that many.
	Limit, Offset int
}

// Users lists accounts, ordered by address.
func Users(ctx context.Context, q Querier, f UserFilter) ([]*UserRow, error) {
	where := "u.deleted = ?"
	args := []any{f.Deleted}
	if f.Email != "" {
		where += ` AND u.email LIKE ? ESCAPE '\'`
		args = append(args, contains(f.Email))
	}
	if f.Username != "" {
		where += ` AND u.username LIKE ? ESCAPE '\'`
		args = append(args, contains(f.Username))
	}
	if f.EmailOrUsername != "" {
		where += ` AND (u.email LIKE ? ESCAPE '\' OR u.username LIKE ? ESCAPE '\')`
		args = append(args, contains(f.EmailOrUsername), contains(f.EmailOrUsername))
	}
	query, args := page("SELECT "+userColumns+" FROM galaxy_user u WHERE "+where+" ORDER BY u.email", args, f.Limit, f.Offset)
	return Collect(ctx, q, scanUser, query, args...)
}

// contains is the LIKE pattern for a part, which may itself hold wildcards.
func contains(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(part) + "%"
}

// page adds LIMIT and OFFSET to a query; a limit of 0 is none.
func page(query string, args []any, limit, offset int) (string, []any) {
	if limit > 0 || offset > 0 {
		if limit <= 0 {
			limit = 1 << 31 // SQLite knows no OFFSET without LIMIT
		}
		return query + " LIMIT ? OFFSET ?", append(args, limit, offset)
	}
	return query, args
}

// CreateUser adds an account and gives its id. Email, Username, Password,
// Active and External are taken from u. A taken address or public name is an
// error for which IsUnique holds.
func CreateUser(ctx context.Context, tx *Tx, u *UserRow) (int64, error) {
	return Insert(ctx, tx, "galaxy_user", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "email": u.Email, "username": OrNull(u.Username),
		"password": u.Password, "last_password_change": tx.Now(), "external": u.External, "deleted": false,
		"purged": false, "active": u.Active, "activation_token": OrNull(u.ActivationToken),
		"preferred_object_store_id": OrNull(u.PreferredObjectStoreID),
	})
}

// UpdateUser sets columns of an account.
func UpdateUser(ctx context.Context, tx *Tx, id int64, set Values) error {
	set["update_time"] = tx.Now()
	assignments, args := assign(set)
	_, err := tx.Exec(ctx, "UPDATE galaxy_user SET "+assignments+" WHERE id = ?", append(args, id)...)
	return err
}

// assign writes the SET part of an UPDATE.
func assign(set Values) (string, []any) {
	columns := sortedColumns(set)
	args := make([]any, len(columns))
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i], args[i] = quoteColumn(c)+" = ?", set[c]
	}
	return strings.Join(parts, ", "), args
}

// Preferences gives a user's preferences.
func Preferences(ctx context.Context, q Querier, userID int64) (map[string]string, error) {
	rows, err := q.Query(ctx, `SELECT name, value FROM user_preference WHERE user_id = ? ORDER BY id`, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	prefs := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		prefs[name] = value
	}
	return prefs, rows.Err()
}

// Preference gives one preference; ok tells whether it is set.
func Preference(ctx context.Context, q Querier, userID int64, name string) (value string, ok bool, err error) {
	values, err := Column[string](ctx, q, `SELECT value FROM user_preference WHERE user_id = ? AND name = ? ORDER BY id DESC LIMIT 1`, userID, name)
	if err != nil || len(values) == 0 {
		return "", false, err
	}
	return values[0], true, nil
}

// SetPreference sets one preference.
func SetPreference(ctx context.Context, tx *Tx, userID int64, name, value string) error {
	if err := lockUser(ctx, tx, userID); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `UPDATE user_preference SET value = ? WHERE user_id = ? AND name = ?`, value, userID, name)
	if err != nil || n > 0 {
		return err
	}
	_, err = Insert(ctx, tx, "user_preference", Values{"user_id": userID, "name": name, "value": value})
	return err
}

// lockUser makes transactions about one account follow each other.
func lockUser(ctx context.Context, tx *Tx, userID int64) error {
	return lockRow(ctx, tx, "galaxy_user", userID)
}

// lockRow holds a row until the transaction ends. SQLite's transactions follow
// each other anyway. ErrNoRows without the row.
func lockRow(ctx context.Context, tx *Tx, table string, id int64) error {
	return tx.QueryRow(ctx, "SELECT id FROM "+table+" WHERE id = ?"+forUpdate(tx), id).Scan(&id)
}

// SourceUsage is what a user's datasets take on the stores of one quota label.
type SourceUsage struct {
	// Label is empty for the stores without a label.
	Label string
	// Bytes is the sum of the sizes.
	Bytes int64
}

// UsageBySource gives a user's disk usage per quota label; the unlabelled
// usage, which is a column of the account itself, is not among them.
func UsageBySource(ctx context.Context, q Querier, userID int64) ([]SourceUsage, error) {
	return Collect(ctx, q, func(r *Rows) (s SourceUsage, err error) { return s, r.Scan(&s.Label, &s.Bytes) },
		`SELECT quota_source_label, disk_usage FROM user_quota_source_usage
		WHERE user_id = ? AND quota_source_label IS NOT NULL ORDER BY id`, userID)
}

// UsageByObjectStore sums the sizes of a user's datasets per object store,
// counting each dataset once however often it is in the user's histories.
func UsageByObjectStore(ctx context.Context, q Querier, userID int64) ([]SourceUsage, error) {
	return Collect(ctx, q, func(r *Rows) (s SourceUsage, err error) { return s, r.Scan(&s.Label, &s.Bytes) },
		`SELECT object_store_id, SUM(COALESCE(total_size, file_size, 0)) FROM dataset d
		WHERE d.purged = FALSE AND object_store_id IS NOT NULL AND EXISTS (
			SELECT 1 FROM history_dataset_association a JOIN history h ON h.id = a.history_id
			WHERE a.dataset_id = d.id AND a.purged = FALSE AND h.user_id = ?)
		GROUP BY object_store_id ORDER BY object_store_id`, userID)
}

// RecalculateDiskUsage sets a user's unlabelled disk usage to the sum of the
// sizes of the datasets in the user's histories, each counted once.
func RecalculateDiskUsage(ctx context.Context, tx *Tx, userID int64) error {
	_, err := tx.Exec(ctx, `UPDATE galaxy_user SET disk_usage = (
		SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d
		WHERE d.purged = FALSE AND EXISTS (
			SELECT 1 FROM history_dataset_association a JOIN history h ON h.id = a.history_id
			WHERE a.dataset_id = d.id AND a.purged = FALSE AND h.user_id = ?)
		AND NOT EXISTS (
			SELECT 1 FROM library_dataset_dataset_association l WHERE l.dataset_id = d.id))
		WHERE id = ?`, userID, userID)
	return err
}

// HistoryDiskUsage sums the sizes of the datasets in one history: what an
// anonymous visitor uses.
func HistoryDiskUsage(ctx context.Context, q Querier, historyID int64) (bytes int64, err error) {
	err = q.QueryRow(ctx, `SELECT COALESCE(SUM(COALESCE(d.total_size, d.file_size, 0)), 0) FROM dataset d
		WHERE d.purged = FALSE AND EXISTS (
			SELECT 1 FROM history_dataset_association a WHERE a.dataset_id = d.id AND a.purged = FALSE AND a.history_id = ?)`,
		historyID).Scan(&bytes)
	return bytes, err
}

// quotaRow is one quota that applies to a user.
type quotaRow struct {
	bytes     int64
	operation string
}

// Quota gives how many bytes a user may use on the stores of a quota label ("" for
// those without one), and whether there is a limit at all. The greatest of the
// user's own and groups' `=` quotas counts, else the default; `+` and `-`
// quotas change it; one `=` quota without limit (-1) lifts it. With userID 0 it
// is the default for visitors.
func Quota(ctx context.Context, q Querier, userID int64, label string) (bytes int64, limited bool, err error) {
	labelled, kind := "quota_source_label IS NULL", "registered"
	var labelArgs []any
	if label != "" {
		labelled, labelArgs = "quota_source_label = ?", []any{label}
	}
	scan := func(r *Rows) (v quotaRow, err error) { return v, r.Scan(&v.operation, &v.bytes) }
	if userID == 0 {
		kind = "unregistered"
	}
	args := append([]any{kind}, labelArgs...)
	query := `SELECT 'default', q.bytes FROM quota q JOIN default_quota_association a ON a.quota_id = q.id
		WHERE a.type = ? AND q.deleted = FALSE AND q.` + labelled
	if userID != 0 {
		query += `
		UNION ALL SELECT q.operation, q.bytes FROM quota q JOIN user_quota_association a ON a.quota_id = q.id
		WHERE q.deleted = FALSE AND q.` + labelled + ` AND a.user_id = ?
		UNION ALL SELECT q.operation, q.bytes FROM quota q JOIN group_quota_association a ON a.quota_id = q.id
		JOIN user_group_association g ON g.group_id = a.group_id
		WHERE q.deleted = FALSE AND q.` + labelled + ` AND g.user_id = ?`
		args = append(append(append(append(args, labelArgs...), userID), labelArgs...), userID)
	}
	rows, err := Collect(ctx, q, scan, query, args...)
	if err != nil {
		return 0, false, err
	}
	return sumQuotas(rows)
}

func sumQuotas(rows []quotaRow) (bytes int64, limited bool, err error) {
	var standard, own, change int64
	hasStandard, hasOwn := false, false
	for _, row := range rows {
		switch row.operation {
		case "default":
			standard, hasStandard = row.bytes, true
		case "=":
			if row.bytes == -1 {
				return 0, false, nil
			}
			own, hasOwn = max(own, row.bytes), true
		case "+":
			change += row.bytes
		case "-":
			change -= row.bytes
		}
	}
	switch {
	case hasOwn:
		return own + change, true, nil
	case hasStandard && standard >= 0:
		return standard + change, true, nil
	}
	return 0, false, nil
}

// Address is a row of user_address, in the form that the API shows.
type Address struct {
	ID          int64  `json:"-"`
	Desc        string `json:"desc"`
	Name        string `json:"name"`
	Institution string `json:"institution"`
	Address     string `json:"address"`
	City        string `json:"city"`
	State       string `json:"state"`
	PostalCode  string `json:"postal_code"`
	Country     string `json:"country"`
	Phone       string `json:"phone"`
}

// Addresses gives a user's addresses.
func Addresses(ctx context.Context, q Querier, userID int64) ([]Address, error) {
	return Collect(ctx, q, func(r *Rows) (a Address, err error) {
		return a, r.Scan(&a.ID, &a.Desc, &a.Name, &a.Institution, &a.Address, &a.City, &a.State, &a.PostalCode, &a.Country, &a.Phone)
	}, `SELECT id, "desc", name, institution, address, city, state, postal_code, country, phone FROM user_address
		WHERE user_id = ? AND deleted = FALSE ORDER BY id`, userID)
}

// PasswordResetUser gives the user whom an unexpired reset token was made for;
// ErrNoRows without one.
func PasswordResetUser(ctx context.Context, q Querier, token string) (userID int64, err error) {
	err = q.QueryRow(ctx, `SELECT user_id FROM password_reset_token WHERE token = ? AND expiration_time > ?`, token, q.Now()).Scan(&userID)
	return userID, err
}

// ExpirePasswordReset makes a reset token worthless.
func ExpirePasswordReset(ctx context.Context, tx *Tx, token string) error {
	_, err := tx.Exec(ctx, `UPDATE password_reset_token SET expiration_time = ? WHERE token = ?`, tx.Now(), token)
	return err
}

// DeleteUserLinks removes what ties a purged account to others: its groups,
// its addresses, its API keys and valid sessions, and the datasets and
// histories it still had are marked deleted.
func DeleteUserLinks(ctx context.Context, tx *Tx, userID int64) error {
	cond, args, err := among(ctx, tx, "history_id", `SELECT id FROM history WHERE user_id = ? AND deleted = FALSE`, userID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE history_dataset_association SET deleted = TRUE WHERE deleted = FALSE AND `+cond, args...); err != nil {
		return err
	}
	for _, stmt := range []string{
		`UPDATE history SET deleted = TRUE WHERE user_id = ? AND deleted = FALSE`,
		`DELETE FROM user_group_association WHERE user_id = ?`,
		`DELETE FROM user_address WHERE user_id = ?`,
		`UPDATE api_keys SET deleted = TRUE WHERE user_id = ?`,
		`UPDATE galaxy_session SET is_valid = FALSE WHERE user_id = ? AND is_valid = TRUE`,
		`DELETE FROM user_role_association WHERE user_id = ? AND role_id IN (SELECT id FROM role WHERE type <> 'private')`,
	} {
		if _, err := tx.Exec(ctx, stmt, userID); err != nil {
			return err
		}
	}
	return nil
}

// LogEvent notes what a user did in the event table, as Galaxy's log_event
// does. Zero ids are left out.
func LogEvent(ctx context.Context, tx *Tx, userID, sessionID, historyID int64, message string) error {
	_, err := Insert(ctx, tx, "event", Values{
		"create_time": tx.Now(), "update_time": tx.Now(), "user_id": OrNull(userID), "session_id": OrNull(sessionID),
		"history_id": OrNull(historyID), "message": message,
	})
	return err
}

// RawJSON reads a preference that holds JSON; def when it is not set or broken.
func RawJSON[T any](text string, def T) T {
	v := def
	if text == "" || json.Unmarshal([]byte(text), &v) != nil {
		return def
	}
	return v
}

// ReserveEmail makes transactions that are about to take the same address,
// whatever its case, follow each other, and tells whether it is free.
func ReserveEmail(ctx context.Context, tx *Tx, email string) (free bool, err error) {
	switch tx.Engine() {
	case PostgreSQL:
		_, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(lower(?), 20260122))`, email)
	case MySQL: // its advisory locks do not end with the transaction
		_, err = Column[string](ctx, tx, "SELECT version FROM orrery_schema ORDER BY version FOR UPDATE")
	}
	if err != nil {
		return false, err
	}
	_, err = UserByEmail(ctx, tx, email)
	if errors.Is(err, ErrNoRows) {
		return true, nil
	}
	return false, err
}

// ReplaceAddresses sets a user's addresses.
func ReplaceAddresses(ctx context.Context, tx *Tx, userID int64, addresses []Address) error {
	if _, err := tx.Exec(ctx, `DELETE FROM user_address WHERE user_id = ?`, userID); err != nil {
		return err
	}
	rows := make([][]any, len(addresses))
	for i, a := range addresses {
		rows[i] = []any{tx.Now(), tx.Now(), userID, a.Desc, a.Name, a.Institution, a.Address, a.City, a.State, a.PostalCode, a.Country, a.Phone, false, false}
	}
	return InsertRows(ctx, tx, "user_address", []string{
		"create_time", "update_time", "user_id", `"desc"`, "name", "institution", "address", "city", "state",
		"postal_code", "country", "phone", "deleted", "purged",
	}, rows)
}
