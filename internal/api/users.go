package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/user"
)

// FavoriteFinder knows what can be marked as a favorite.
type FavoriteFinder interface {
	// FavoriteID gives the id under which a thing of one of user.FavoriteTypes is
	// kept ("cat1" for the tool that somebody calls "cat1/1.0.0"). An error of
	// kind NotFound when there is none, of kind Forbidden when the actor may not
	// use it.
	FavoriteID(ctx context.Context, a *galaxy.Actor, kind, id string) (string, error)
}

// Users are the routes about accounts.
type Users struct {
	users     *user.Service
	favorites FavoriteFinder
}

// NewUsers makes the routes about accounts.
func NewUsers(users *user.Service, favorites FavoriteFinder) *Users {
	return &Users{users: users, favorites: favorites}
}

// Register adds the routes.
func (u *Users) Register(rt *Router) {
	rt.Handle("GET /api/whoami", u.whoami)
	rt.Handle("GET /api/authenticate/baseauth", u.baseauth)
	rt.Handle("GET /admin/users_list", u.table)
	rt.Handle("GET /api/users", u.index)
	rt.Handle("POST /api/users", u.create)
	rt.Handle("GET /api/users/{id}", u.show)
	rt.Handle("PUT /api/users/{id}", u.update)
	rt.Handle("DELETE /api/users/{id}", u.delete)
	rt.Handle("GET /api/users/deleted", u.indexDeleted)
	// The mux holds "deleted/{id}" to be as particular as "{id}/usage", so that
	// the less particular form stands for it.
	rt.Handle("GET /api/users/{state}/{id}", u.showDeleted)
	rt.Handle("POST /api/users/deleted/{id}/undelete", u.undelete)
	rt.Handle("PUT /api/users/recalculate_disk_usage", u.recalculate)
	rt.Handle("PUT /api/users/{id}/recalculate_disk_usage", u.recalculate)
	rt.Handle("GET /api/users/{id}/usage", u.usage)
	rt.Handle("GET /api/users/{id}/usage/{label}", u.usageOf)
	rt.Handle("GET /api/users/{id}/objectstore_usage", u.usageByObjectStore)
	rt.Handle("GET /api/users/{id}/api_key", u.apiKey)
	rt.Handle("GET /api/users/{id}/api_key/detailed", u.apiKeyDetailed)
	rt.Handle("POST /api/users/{id}/api_key", u.createAPIKey)
	rt.Handle("DELETE /api/users/{id}/api_key", u.deleteAPIKey)
	rt.Handle("GET /api/users/{id}/beacon", u.beacon)
	rt.Handle("POST /api/users/{id}/beacon", u.setBeacon)
	rt.Handle("PUT /api/users/{id}/theme/{theme}", u.setTheme)
	rt.Handle("PUT /api/users/{id}/favorites/order", u.orderFavorites)
	rt.Handle("PUT /api/users/{id}/favorites/{type}", u.addFavorite)
	rt.Handle("DELETE /api/users/{id}/favorites/{type}/{object...}", u.removeFavorite)
	u.registerForms(rt)
}

// userJSON is an account in lists and after it is made.
type userJSON struct {
	Class              string  `json:"model_class"`
	ID                 string  `json:"id"`
	Username           string  `json:"username"`
	Email              string  `json:"email"`
	Deleted            bool    `json:"deleted"`
	Active             bool    `json:"active"`
	LastPasswordChange *string `json:"last_password_change"`
}

// timeForm is how Galaxy's API writes times: naive UTC.
const timeForm = "2006-01-02T15:04:05.000000"

func summary(r *Request, u *store.UserRow) userJSON {
	out := userJSON{"User", r.EncodeID(u.ID), u.Username, u.Email, u.Deleted, u.Active, nil}
	if !u.LastPasswordChange.IsZero() {
		changed := u.LastPasswordChange.Format(timeForm)
		out.LastPasswordChange = &changed
	}
	return out
}

// createdJSON is the answer to POST /api/users.
type createdJSON struct {
	userJSON
	TotalDiskUsage         float64 `json:"total_disk_usage"`
	NiceTotalDiskUsage     string  `json:"nice_total_disk_usage"`
	PreferredObjectStoreID *string `json:"preferred_object_store_id"`
}

// usageJSON is the part that visitors have, too.
type usageJSON struct {
	TotalDiskUsage     float64  `json:"total_disk_usage"`
	NiceTotalDiskUsage string   `json:"nice_total_disk_usage"`
	QuotaPercent       *float64 `json:"quota_percent"`
}

// detailedJSON is an account as itself and administrators see it.
type detailedJSON struct {
	usageJSON
	ID                     string            `json:"id"`
	Username               string            `json:"username"`
	Email                  string            `json:"email"`
	Deleted                bool              `json:"deleted"`
	IsAdmin                bool              `json:"is_admin"`
	Purged                 bool              `json:"purged"`
	Preferences            map[string]string `json:"preferences"`
	PreferredObjectStoreID *string           `json:"preferred_object_store_id"`
	Quota                  string            `json:"quota"`
	QuotaBytes             *int64            `json:"quota_bytes"`
}

func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func percent(u user.Usage) *float64 {
	if !u.Limited {
		return nil
	}
	p := float64(u.Percent)
	return &p
}

func quotaBytes(u user.Usage) *int64 {
	if !u.Limited {
		return nil
	}
	return &u.Quota
}

func (u *Users) detailed(r *Request, row *store.UserRow) (any, error) {
	usage, err := u.users.Usage(r.Ctx(), row)
	if err != nil {
		return nil, err
	}
	prefs, err := u.users.Preferences(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	return detailedJSON{
		usageJSON: usageJSON{float64(usage.Bytes), user.NiceSize(usage.Bytes), percent(usage)},
		ID:        r.EncodeID(row.ID), Username: row.Username, Email: row.Email, Deleted: row.Deleted,
		IsAdmin: u.users.IsAdmin(&row.User), Purged: row.Purged, Preferences: prefs,
		PreferredObjectStoreID: orNil(row.PreferredObjectStoreID), Quota: usage.Nice(), QuotaBytes: quotaBytes(usage),
	}, nil
}

// visitor is the answer to whoever asks for the current user without being one.
func (u *Users) visitor(r *Request) (any, error) {
	usage, err := u.users.VisitorUsage(r.Ctx(), r.Actor.HistoryID)
	if err != nil {
		return nil, err
	}
	out := usageJSON{float64(usage.Bytes), user.NiceSize(usage.Bytes), percent(usage)}
	if r.Actor.HistoryID == 0 {
		out.QuotaPercent = new(float64)
	}
	return out, nil
}

func (u *Users) whoami(r *Request) (any, error) {
	if r.Actor.User == nil {
		return nil, nil
	}
	row, err := u.users.ByID(r.Ctx(), r.Actor.UserID())
	if err != nil {
		return nil, err
	}
	return summary(r, row), nil
}

func (u *Users) baseauth(r *Request) (any, error) {
	request := r.Request
	if line := r.Header.Get("Authorization"); line != "" && !strings.Contains(strings.TrimSpace(line), " ") {
		// BioBlend leaves out the scheme.
		request = &http.Request{Header: http.Header{"Authorization": {"Basic " + strings.TrimSpace(line)}}}
	}
	identity, password, ok := request.BasicAuth()
	if !ok {
		return nil, galaxy.Errorf(galaxy.Unauthenticated, "Send the e-mail address and password by HTTP Basic authentication.")
	}
	// Some clients encode what they put in, as Galaxy allows them to.
	if decoded, err := url.QueryUnescape(identity); err == nil && strings.Contains(identity, "%") {
		identity = decoded
	}
	found, err := u.users.CheckPassword(r.Ctx(), identity, password)
	if err != nil {
		if galaxy.KindOf(err) == galaxy.Invalid {
			return nil, galaxy.Errorf(galaxy.Unauthenticated, "%s", err.Error())
		}
		return nil, err
	}
	if found.Expired {
		return nil, galaxy.Errorf(galaxy.Unauthenticated, "Your password has expired. Log in with a browser to change it.")
	}
	key, err := u.users.APIKeyOrNew(r.Ctx(), found.User.ID)
	if err != nil {
		return nil, err
	}
	return map[string]string{"api_key": key.Key}, nil
}

func (u *Users) index(r *Request) (any, error) {
	deleted, err := r.Bool("deleted", false)
	if err != nil {
		return nil, err
	}
	return u.list(r, deleted)
}

func (u *Users) indexDeleted(r *Request) (any, error) { return u.list(r, true) }

func (u *Users) list(r *Request, deleted bool) (any, error) {
	limit, err := r.Int("limit", 0, 1)
	if err != nil {
		return nil, err
	}
	offset, err := r.Int("offset", 0, 0)
	if err != nil {
		return nil, err
	}
	rows, err := u.users.List(r.Ctx(), r.Actor, user.ListFilter{
		Deleted: deleted, Email: r.Param("f_email"), Username: r.Param("f_name"), EmailOrUsername: r.Param("f_any"),
		Limit: limit, Offset: offset,
	})
	if err != nil {
		return nil, err
	}
	out := make([]any, len(rows))
	for i, row := range rows {
		name, email := u.users.Exposes(r.Actor, row)
		if name && email {
			out[i] = summary(r, row)
			continue
		}
		limited := map[string]any{"id": r.EncodeID(row.ID)}
		if name {
			limited["username"] = row.Username
		}
		if email {
			limited["email"] = row.Email
		}
		out[i] = limited
	}
	return out, nil
}

func (u *Users) create(r *Request) (any, error) {
	if err := access.Admin(r.Actor); err != nil {
		return nil, err
	}
	var body struct{ Email, Username, Password *string }
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	for name, value := range map[string]*string{"email": body.Email, "username": body.Username, "password": body.Password} {
		if value == nil {
			return nil, access.Missing("Field required in ('body', 'UserCreationPayload', '%s')", name)
		}
	}
	row, err := u.users.Register(r.Ctx(), r.Actor, user.Registration{
		Email: *body.Email, Username: *body.Username, Password: *body.Password, Confirm: *body.Password,
	})
	if err != nil {
		return nil, err
	}
	return createdJSON{
		userJSON: summary(r, row), TotalDiskUsage: float64(row.DiskUsage), NiceTotalDiskUsage: user.NiceSize(row.DiskUsage),
		PreferredObjectStoreID: orNil(row.PreferredObjectStoreID),
	}, nil
}

// account finds the account that the path's {id} names, which may be "current".
// It gives nil for a visitor who asks for "current".
func (u *Users) account(r *Request, deleted bool) (*store.UserRow, error) {
	invalid := galaxy.Errorf(galaxy.Invalid, "Invalid user id specified")
	if r.PathValue("id") == "current" {
		if r.Actor.User == nil {
			return nil, nil
		}
		return u.users.ByID(r.Ctx(), r.Actor.UserID())
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if access.ActFor(r.Actor, id) != nil {
		return nil, invalid
	}
	row, err := u.users.ByID(r.Ctx(), id)
	switch {
	case err != nil:
		return nil, err
	case deleted && !row.Deleted:
		return nil, galaxy.Errorf(galaxy.Invalid, "This user is not deleted")
	case !deleted && row.Deleted:
		return nil, galaxy.Errorf(galaxy.Invalid, "This user is deleted")
	}
	return row, nil
}

// own finds the account of the path's {id}, for the routes that know no
// "current": the actor's own, or any for an administrator.
func (u *Users) own(r *Request) (*store.UserRow, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return u.users.ForActor(r.Ctx(), r.Actor, id)
}

func (u *Users) show(r *Request) (any, error) {
	deleted, err := r.Bool("deleted", false)
	if err != nil {
		return nil, err
	}
	return u.showOne(r, deleted)
}

func (u *Users) showDeleted(r *Request) (any, error) {
	if r.PathValue("state") != "deleted" {
		return nil, galaxy.Errorf(galaxy.NotFound, "No route for %s", r.URL.Path)
	}
	return u.showOne(r, true)
}

func (u *Users) showOne(r *Request, deleted bool) (any, error) {
	row, err := u.account(r, deleted)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return u.visitor(r)
	}
	return u.detailed(r, row)
}

func (u *Users) update(r *Request) (any, error) {
	deleted, err := r.Bool("deleted", false)
	if err != nil {
		return nil, err
	}
	row, err := u.account(r, deleted)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, access.LoginRequired("You need to be logged in.")
	}
	var body struct {
		Username *string `json:"username"`
		Active   *bool   `json:"active"`
		// Null takes the preference away, which absence does not.
		PreferredObjectStoreID maybe[string] `json:"preferred_object_store_id"`
	}
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	changes := user.Changes{Username: body.Username, PreferredObjectStoreID: body.PreferredObjectStoreID.value}
	if r.Actor.Admin { // an account waiting for activation must not activate itself
		changes.Active = body.Active
	}
	if row, err = u.users.Update(r.Ctx(), row.ID, changes); err != nil {
		return nil, err
	}
	return u.detailed(r, row)
}

func (u *Users) delete(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	purge, err := r.Bool("purge", false)
	if err != nil {
		return nil, err
	}
	var body struct{ Purge bool }
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	remove := u.users.Delete
	if (purge || body.Purge) && r.Actor.Admin {
		remove = u.users.Purge
	}
	row, err := remove(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return u.detailed(r, row)
}

func (u *Users) undelete(r *Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	row, err := u.users.Undelete(r.Ctx(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	return u.detailed(r, row)
}

func (u *Users) recalculate(r *Request) (any, error) {
	id := r.Actor.UserID()
	switch name := r.PathValue("id"); name {
	case "", "current":
		if id == 0 {
			return nil, access.LoginRequired("Only registered users can recalculate disk usage.")
		}
	default:
		if err := access.Admin(r.Actor); err != nil {
			return nil, err
		}
		row, err := u.own(r)
		if err != nil {
			return nil, err
		}
		id = row.ID
	}
	return NoContent, u.users.RecalculateUsage(r.Ctx(), id)
}

// sourceJSON is what a user uses of the stores of one label.
type sourceJSON struct {
	Label          *string  `json:"quota_source_label"`
	TotalDiskUsage float64  `json:"total_disk_usage"`
	QuotaPercent   *float64 `json:"quota_percent"`
	QuotaBytes     *int64   `json:"quota_bytes"`
	Quota          string   `json:"quota"`
}

func source(u user.Usage) sourceJSON {
	return sourceJSON{orNil(u.Label), float64(u.Bytes), percent(u), quotaBytes(u), u.Nice()}
}

func (u *Users) usage(r *Request) (any, error) {
	row, err := u.account(r, false)
	if err != nil || row == nil {
		return []any{}, err
	}
	usages, err := u.users.Usages(r.Ctx(), row)
	if err != nil {
		return nil, err
	}
	out := make([]sourceJSON, len(usages))
	for i, usage := range usages {
		out[i] = source(usage)
	}
	return out, nil
}

func (u *Users) usageOf(r *Request) (any, error) {
	row, err := u.account(r, false)
	if err != nil || row == nil {
		return nil, err
	}
	label := r.PathValue("label")
	if label == "__null__" {
		label = ""
	}
	usage, err := u.users.UsageOf(r.Ctx(), row, label)
	if err != nil {
		return nil, err
	}
	return source(usage), nil
}

func (u *Users) usageByObjectStore(r *Request) (any, error) {
	row, err := u.account(r, false)
	if err != nil || row == nil {
		return []any{}, err
	}
	usages, err := u.users.UsageByObjectStore(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(usages))
	for i, usage := range usages {
		out[i] = map[string]any{"object_store_id": usage.Label, "total_disk_usage": float64(usage.Bytes)}
	}
	return out, nil
}

func (u *Users) apiKey(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	key, err := u.users.APIKeyOrNew(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	return key.Key, nil
}

func (u *Users) apiKeyDetailed(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	key, ok, err := u.users.APIKey(r.Ctx(), row.ID)
	if err != nil || !ok {
		return NoContent, err
	}
	return map[string]string{"key": key.Key, "create_time": key.CreateTime.Format(timeForm)}, nil
}

func (u *Users) createAPIKey(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	key, err := u.users.CreateAPIKey(r.Ctx(), row.ID)
	if err != nil {
		return nil, err
	}
	return key.Key, nil
}

func (u *Users) deleteAPIKey(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	return NoContent, u.users.DeleteAPIKeys(r.Ctx(), row.ID)
}

type beaconJSON struct {
	Enabled *bool `json:"enabled"`
}

func (u *Users) beacon(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	value, err := u.users.Preference(r.Ctx(), row.ID, "beacon_enabled")
	enabled := strings.EqualFold(value, "true") || value == "1"
	return beaconJSON{&enabled}, err
}

func (u *Users) setBeacon(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	var body beaconJSON
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	if body.Enabled == nil {
		return nil, access.Missing("Field required in ('body', 'enabled')")
	}
	value := "false"
	if *body.Enabled {
		value = "true"
	}
	return body, u.users.SetPreference(r.Ctx(), row.ID, "beacon_enabled", value)
}

func (u *Users) setTheme(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	theme := r.PathValue("theme")
	return theme, u.users.SetPreference(r.Ctx(), row.ID, "theme", theme)
}

func (u *Users) addFavorite(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		ID string `json:"object_id"`
	}
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	kind := r.PathValue("type")
	id := strings.TrimSpace(body.ID)
	if id == "" {
		return nil, access.Missing("Field required in ('body', 'object_id')")
	}
	if id, err = u.favorites.FavoriteID(r.Ctx(), r.Actor, kind, id); err != nil {
		return nil, err
	}
	return answer(u.users.AddFavorite(r.Ctx(), row.ID, kind, id))
}

func (u *Users) removeFavorite(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	return answer(u.users.RemoveFavorite(r.Ctx(), row.ID, r.PathValue("type"), r.PathValue("object")))
}

func (u *Users) orderFavorites(r *Request) (any, error) {
	row, err := u.own(r)
	if err != nil {
		return nil, err
	}
	var body struct{ Order []user.Favorite }
	if err := r.JSON(&body); err != nil {
		return nil, err
	}
	return answer(u.users.OrderFavorites(r.Ctx(), row.ID, body.Order))
}

// answer makes a service's result a handler's.
func answer[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Current is the account of whoever asks, for the page that starts the client.
func (u *Users) Current(r *Request) (any, error) {
	if r.Actor.User == nil {
		return u.visitor(r)
	}
	row, err := u.users.ByID(r.Ctx(), r.Actor.UserID())
	if err != nil {
		return nil, err
	}
	return u.detailed(r, row)
}
