package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orrery/internal/api"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/user"
)

// byKey knows an actor by the API key alone.
type byKey struct{ users *user.Service }

func (b byKey) Authenticate(_ http.ResponseWriter, r *http.Request) (*galaxy.Actor, error) {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return b.users.ByAPIKey(r.Context(), key)
	}
	return &galaxy.Actor{}, nil
}

// oneTool is a toolbox with the tool cat1 in it.
type oneTool struct{}

func (oneTool) FavoriteID(_ context.Context, _ *galaxy.Actor, kind, id string) (string, error) {
	if kind == "tools" && (id == "cat1" || id == "cat1/1.0.0") {
		return "cat1", nil
	}
	return "", galaxy.Errorf(galaxy.NotFound, "Could not find it")
}

// accounts is an API with the administrator «admin» and the user «ann».
type accounts struct {
	t                  *testing.T
	db                 *store.DB
	rt                 *api.Router
	users              *user.Service
	ids                *galaxy.IDCodec
	admin, ann         *store.UserRow
	adminKey, annKey   string
	adminPath, annPath string
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	t.Parallel()
	ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.SQLite(t)
	a := &accounts{t: t, db: db, ids: ids}
	a.users = user.New(db, ids, user.Options{AdminUsers: []string{"admin@example.org"}, AllowCreation: true, AllowDeletion: true, BootstrapKey: "boot"})
	a.rt = api.NewRouter(byKey{a.users}, ids, slog.New(slog.DiscardHandler))
	api.NewUsers(a.users, oneTool{}).Register(a.rt)
	api.NewRoles(a.users).Register(a.rt)
	a.admin, a.adminKey = a.account("admin")
	a.ann, a.annKey = a.account("ann")
	a.adminPath, a.annPath = "/api/users/"+ids.Encode(a.admin.ID), "/api/users/"+ids.Encode(a.ann.ID)
	return a
}

func (a *accounts) account(name string) (*store.UserRow, string) {
	a.t.Helper()
	u, err := a.users.Register(a.t.Context(), &galaxy.Actor{}, user.Registration{
		Email: name + "@example.org", Username: name, Password: "password1", Confirm: "password1",
	})
	if err != nil {
		a.t.Fatal(err)
	}
	key, err := a.users.CreateAPIKey(a.t.Context(), u.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	return u, key.Key
}

func (a *accounts) do(key, method, path, body string) (int, string) {
	a.t.Helper()
	req := httptest.NewRequestWithContext(a.t.Context(), method, path, strings.NewReader(body))
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	w := httptest.NewRecorder()
	a.rt.ServeHTTP(w, req)
	text, err := io.ReadAll(w.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return w.Code, string(text)
}

// want checks an answer's status and that each part is in it.
func (a *accounts) want(key, method, path, body string, status int, parts ...string) string {
	a.t.Helper()
	got, text := a.do(key, method, path, body)
	if got != status {
		a.t.Errorf("%s %s %s answers %d %s, want %d", method, path, body, got, text, status)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			a.t.Errorf("%s %s %s answers %s, without %s", method, path, body, text, part)
		}
	}
	return text
}

func keysOf(t *testing.T, text string) []string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The keys were taken from the answers of Galaxy 26.1.2.
func TestAccountsHaveGalaxysShape(t *testing.T) {
	a := newAccounts(t)
	detailed := []string{"deleted", "email", "id", "is_admin", "nice_total_disk_usage", "preferences", "preferred_object_store_id",
		"purged", "quota", "quota_bytes", "quota_percent", "total_disk_usage", "username"}
	summary := []string{"active", "deleted", "email", "id", "last_password_change", "model_class", "username"}
	for _, c := range []struct {
		key, path string
		keys      []string
	}{
		{a.annKey, "/api/users/current", detailed},
		{a.annKey, a.annPath, detailed},
		{a.adminKey, a.annPath, detailed},
		{"", "/api/users/current", []string{"nice_total_disk_usage", "quota_percent", "total_disk_usage"}},
		{"boot", "/api/users/current", []string{"nice_total_disk_usage", "quota_percent", "total_disk_usage"}},
		{a.annKey, "/api/whoami", summary},
		{a.annKey, a.annPath + "/information/inputs", []string{"addresses", "email", "inputs", "username"}},
		{a.annKey, a.annPath + "/usage/__null__", []string{"quota", "quota_bytes", "quota_percent", "quota_source_label", "total_disk_usage"}},
		{a.annKey, a.annPath + "/api_key/detailed", []string{"create_time", "key"}},
		{a.annKey, a.annPath + "/toolbox_filters/inputs", []string{"errors", "inputs"}},
	} {
		text := a.want(c.key, "GET", c.path, "", 200)
		if got := keysOf(t, text); !slices.Equal(got, c.keys) {
			t.Errorf("%s has %v, want %v", c.path, got, c.keys)
		}
	}
	made := a.want("boot", "POST", "/api/users", `{"username":"new","email":"new@example.org","password":"password1"}`, 200)
	if got, want := keysOf(t, made), slices.Sorted(slices.Values(append(summary, "nice_total_disk_usage", "preferred_object_store_id", "total_disk_usage"))); !slices.Equal(got, want) {
		t.Errorf("a new account has %v, want %v", got, want)
	}
	a.want(a.annKey, "GET", "/api/users", "", 200, `[{"model_class":"User","id":"`+a.ids.Encode(a.ann.ID)+`"`)
	a.want("", "GET", "/api/whoami", "", 200, "null")
}

func TestWhoMaySeeAccounts(t *testing.T) {
	a := newAccounts(t)
	for _, c := range []struct {
		key, method, path, body string
		status                  int
		part                    string
	}{
		{"", "GET", "/api/users", "", 403, `403001`},
		{"", "GET", a.annPath, "", 400, "Invalid user id"},
		{a.annKey, "GET", a.adminPath, "", 400, "Invalid user id"},
		{a.annKey, "GET", "/api/users/zz", "", 400, "400009"},
		{a.annKey, "GET", "/api/users/deleted", "", 200, "[]"},
		{"", "GET", a.annPath + "/api_key", "", 403, "Access denied."},
		{a.annKey, "GET", a.adminPath + "/api_key", "", 403, "403005"},
		{a.annKey, "POST", a.adminPath + "/api_key", "", 403, "403005"},
		{a.annKey, "DELETE", a.adminPath + "/api_key", "", 403, "403005"},
		{a.annKey, "GET", a.adminPath + "/information/inputs", "", 403, "403005"},
		{"", "GET", a.annPath + "/information/inputs", "", 403, "403001"},
		{a.annKey, "PUT", a.adminPath + "/information/inputs", `{"email":"x@example.org"}`, 403, "403005"},
		{a.annKey, "PUT", a.adminPath + "/password/inputs", `{}`, 403, "403005"},
		{a.annKey, "PUT", a.adminPath + "/theme/dark", "", 403, "403005"},
		{a.annKey, "PUT", a.adminPath, `{"username":"x"}`, 400, "Invalid user id"},
		{a.annKey, "DELETE", a.adminPath, "", 403, "own account"},
		{a.annKey, "POST", "/api/users", `{}`, 403, "403006"},
		{a.annKey, "GET", a.annPath + "/roles", "", 403, "403006"},
		{a.annKey, "POST", "/api/users/deleted/" + a.ids.Encode(a.ann.ID) + "/undelete", "", 403, "403006"},
		{a.annKey, "GET", "/api/users/nonsense/x", "", 404, "No route"},
		{a.annKey, "POST", "/api/roles", `{"name":"x"}`, 403, "403006"},
		{"", "PUT", "/api/users/current", `{}`, 403, "403001"},
		{"", "PUT", "/api/users/current/recalculate_disk_usage", "", 403, "403001"},
		{a.annKey, "PUT", a.adminPath + "/recalculate_disk_usage", "", 403, "403006"},
		{"nonsense", "GET", "/api/users/current", "", 401, "401001"},
	} {
		a.want(c.key, c.method, c.path, c.body, c.status, c.part)
	}
}

func TestAccountRoutes(t *testing.T) {
	a := newAccounts(t)
	k := a.annKey
	a.want("boot", "POST", "/api/users", `{"username":"uu","email":"uu@example.org"}`, 400, "Field required", "400007")
	a.want("boot", "POST", "/api/users", `{"username":"ann","email":"ANN@example.org","password":"password1"}`, 400, `exists.\n\nPublic name is taken`)
	a.want(k, "PUT", a.annPath, `{"username":"ann-2","active":false}`, 200, `"username":"ann-2"`)
	a.want(k, "PUT", a.annPath, `{"username":"Bad Name"}`, 400, "lower-case")
	a.want(k, "PUT", a.annPath, `{"preferred_object_store_id":null}`, 200, `"preferred_object_store_id":null`)
	a.want(k, "PUT", a.annPath+"/theme/dark", "", 200, `"dark"`)
	a.want(k, "POST", a.annPath+"/beacon", `{"enabled":true}`, 200, `{"enabled":true}`)
	a.want(k, "GET", a.annPath+"/beacon", "", 200, `{"enabled":true}`)
	a.want(k, "GET", "/api/users/current", "", 200, `"theme":"dark"`, `"beacon_enabled":"true"`)
	a.want(k, "PUT", a.annPath+"/favorites/tools", `{"object_id":"cat1/1.0.0"}`, 200, `{"tools":["cat1"],"tags":[],"edam_operations":[],"edam_topics":[],"order":[{"object_type":"tools","object_id":"cat1"}]}`)
	a.want(k, "PUT", a.annPath+"/favorites/tools", `{"object_id":"nope"}`, 404)
	a.want(k, "PUT", a.annPath+"/favorites/tools", `{}`, 400)
	a.want(k, "PUT", a.annPath+"/favorites/order", `{"order":[]}`, 400, "exactly once")
	a.want(k, "DELETE", a.annPath+"/favorites/tools/cat1", "", 200, `"tools":[]`)
	a.want(k, "DELETE", a.annPath+"/favorites/tools/a/b%2Fc", "", 404)
	a.want(k, "GET", a.annPath+"/usage", "", 200, `[{"quota_source_label":null,"total_disk_usage":0,"quota_percent":null,"quota_bytes":null,"quota":"unlimited"}]`)
	a.want(k, "GET", a.annPath+"/usage/foo", "", 200, `"quota_source_label":"foo"`)
	a.want(k, "GET", a.annPath+"/objectstore_usage", "", 200, `[]`)
	a.want("", "GET", "/api/users/current/usage", "", 200, `[]`)
	a.want(k, "PUT", "/api/users/current/recalculate_disk_usage", "", 204)
	a.want(k, "PUT", a.annPath+"/information/inputs", `{"email":"ann2@example.org","address_0|desc":"home","address_0|city":"Basel"}`, 200, "saved")
	a.want(k, "GET", a.annPath+"/information/inputs", "", 200, "ann2@example.org", `"city":"Basel"`)
	a.want(k, "PUT", a.annPath+"/information/inputs", `{"address_0|city":"Basel"}`, 400, "desc")
	a.want(k, "PUT", a.annPath+"/information/inputs", `{"address_999999999|desc":"x"}`, 400)
	a.want(k, "PUT", a.annPath+"/information/inputs", `{"email":7}`, 400)
	a.want(k, "PUT", a.annPath+"/password/inputs", `{"current":"bad","password":"password2","confirm":"password2"}`, 403, "Invalid current password.", "403001")
	a.want(k, "PUT", a.annPath+"/password/inputs", `{"current":"password1","password":"password2","confirm":"password2"}`, 200, "has been changed")
	a.want(k, "GET", a.annPath+"/permissions/inputs", "", 200, `"name":"DATASET_ACCESS"`, `"ann2@example.org"`)
	a.want(k, "GET", a.annPath+"/custom_builds", "", 200, `[]`)
	a.want(k, "DELETE", a.annPath+"/custom_builds/x", "", 404)
	a.want(k, "DELETE", a.annPath+"/api_key", "", 204)
	a.want(k, "GET", "/api/users/current", "", 401)
	a.want(a.adminKey, "GET", a.annPath+"/api_key/detailed", "", 204)
	a.want(a.adminKey, "DELETE", a.annPath, "", 200, `"deleted":true`)
	a.want(a.adminKey, "GET", a.annPath, "", 400)
	a.want(a.adminKey, "GET", a.annPath+"?deleted=true", "", 200, `"deleted":true`)
	a.want(a.adminKey, "GET", "/api/users/deleted", "", 200, `"username":"ann-2"`)
	a.want(a.adminKey, "GET", strings.Replace(a.annPath, "users", "users/deleted", 1), "", 200, `"username":"ann-2"`)
	a.want(a.adminKey, "POST", strings.Replace(a.annPath, "users", "users/deleted", 1)+"/undelete", "", 200, `"deleted":false`)
	a.want(a.adminKey, "DELETE", a.annPath, `{"purge":true}`, 400, "not been deleted")
}

func TestPermissionsForm(t *testing.T) {
	a := newAccounts(t)
	roles, err := a.users.RolesOf(t.Context(), a.ann.ID)
	if err != nil || len(roles) != 1 {
		t.Fatal(roles, err)
	}
	own, err := json.Marshal(roles[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	path := a.annPath + "/permissions/inputs"
	a.want(a.annKey, "PUT", path, `{"DATASET_MANAGE_PERMISSIONS":[`+string(own)+`],"DATASET_ACCESS":["`+string(own)+`"]}`, 200, "saved")
	perms, err := a.users.DefaultPermissions(t.Context(), a.ann.ID)
	if err != nil || len(perms) != 2 {
		t.Errorf("the permissions are %v, %v", perms, err)
	}
	a.want(a.annKey, "PUT", path, `{"DATASET_ACCESS":[`+string(own)+`]}`, 400, "manage permissions")
	a.want(a.annKey, "PUT", path, `{"DATASET_MANAGE_PERMISSIONS":[1]}`, 400, "do not have")
	a.want(a.annKey, "PUT", path, `{"DATASET_MANAGE_PERMISSIONS":"x"}`, 400, "list of roles")
}

func TestRoleRoutes(t *testing.T) {
	a := newAccounts(t)
	ann := a.ids.Encode(a.ann.ID)
	made := a.want(a.adminKey, "POST", "/api/roles", `{"name":"lab","description":"of Ann","user_ids":["`+ann+`"]}`, 200, `"model_class":"Role"`, `"type":"admin"`, `"description":"of Ann"`)
	var role struct{ ID, URL string }
	if err := json.Unmarshal([]byte(made), &role); err != nil || role.URL != "role?id="+role.ID {
		t.Fatalf("%s: %v", made, err)
	}
	a.want(a.adminKey, "POST", "/api/roles", `{"name":"lab"}`, 409, "already exists")
	a.want(a.annKey, "GET", "/api/roles", "", 200, `"name":"ann@example.org"`, `"name":"lab"`)
	a.want("", "GET", "/api/roles", "", 200, `"name":"lab"`)
	a.want(a.adminKey, "GET", "/api/roles?search=ADMIN@", "", 200, `"name":"admin@example.org"`)
	a.want(a.adminKey, "GET", a.annPath+"/roles", "", 200, `"name":"private role"`, `"name":"lab"`)
	a.want(a.annKey, "GET", "/api/roles/"+role.ID, "", 200, `"lab"`)
	a.want(a.adminKey, "POST", "/api/roles/"+role.ID+"/purge", "", 400, "not been deleted")
	a.want(a.adminKey, "DELETE", "/api/roles/"+role.ID, "", 200)
	a.want(a.adminKey, "POST", "/api/roles/"+role.ID+"/undelete", "", 200)
	a.want(a.adminKey, "DELETE", "/api/roles/"+role.ID, "", 200)
	a.want(a.adminKey, "POST", "/api/roles/"+role.ID+"/purge", "", 200)
	a.want(a.adminKey, "GET", "/api/roles/"+role.ID, "", 404)
}

func TestBaseAuth(t *testing.T) {
	a := newAccounts(t)
	ask := func(name, password string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/authenticate/baseauth", nil)
		req.SetBasicAuth(name, password)
		w := httptest.NewRecorder()
		a.rt.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	for _, name := range []string{"ann", "ann@example.org", "ann%40example.org"} {
		if status, text := ask(name, "password1"); status != 200 || text != `{"api_key":"`+a.annKey+`"}` {
			t.Errorf("%s is answered %d %s", name, status, text)
		}
	}
	if status, text := ask("ann", "password2"); status != 401 || !strings.Contains(text, "401001") {
		t.Errorf("a wrong password is answered %d %s", status, text)
	}
	a.want("", "GET", "/api/authenticate/baseauth", "", 401)

	// As BioBlend sends it.
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/authenticate/baseauth", nil)
	req.Header.Set("Authorization", base64.StdEncoding.EncodeToString([]byte("ann@example.org:password1")))
	w := httptest.NewRecorder()
	a.rt.ServeHTTP(w, req)
	if w.Code != 200 || w.Body.String() != `{"api_key":"`+a.annKey+`"}` {
		t.Errorf("without a scheme it is answered %d %s", w.Code, w.Body)
	}
}

func TestUsersTable(t *testing.T) {
	a := newAccounts(t)
	_, bobKey := a.account("bob")
	a.want(a.adminKey, "DELETE", a.annPath, "", 200)
	emails := func(query string) string {
		t.Helper()
		var answer struct {
			Rows  []struct{ Email string }
			Total int `json:"rows_total"`
		}
		text := a.want(a.adminKey, "GET", "/admin/users_list?"+query, "", 200)
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := strconv.Itoa(answer.Total)
		for _, row := range answer.Rows {
			got += " " + strings.TrimSuffix(row.Email, "@example.org")
		}
		return got
	}
	for _, test := range []struct{ query, want string }{
		{"", "2 admin bob"},
		{"sort_by=email&sort_desc=true", "2 bob admin"},
		{"sort_by=email&limit=1&offset=1", "2 bob"},
		{"sort_by=last_login&sort_desc=true", "2 admin bob"},
		{"sort_by=disk_usage", "2 admin bob"},
		{"search=is:deleted", "1 ann"},
		{"search=is:purged", "0"},
		{"search=BO", "1 bob"},
		{"search=email:%25", "0"},
		{"search=username:bob", "1 bob"},
		{"search=username:'bo'", "0"},
		{"sort_by=password", "2 admin bob"},
	} {
		if got := emails(test.query); got != test.want {
			t.Errorf("?%s gives %s, want %s", test.query, got, test.want)
		}
	}
	a.want(a.adminKey, "GET", "/admin/users_list?search=bob", "", 200, `"status":"Available"`, `"last_login":"never"`,
		`"disk_usage":"0 bytes"`, `"roles":1`, `"groups":0`, `"deleted":false`, `"active":true`, `"external":false`)
	a.want(bobKey, "GET", "/admin/users_list", "", 403, "administrator")
	a.want("", "GET", "/admin/users_list", "", 403, "administrator")
}
