package user_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/user"
)

const adminEmail = "admin@example.org"

func service(t *testing.T, db *store.DB, change ...func(*user.Options)) *user.Service {
	t.Helper()
	ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		t.Fatal(err)
	}
	opts := user.Options{AdminUsers: []string{adminEmail}, AllowCreation: true, AllowDeletion: true, BootstrapKey: "boot", Quotas: true}
	for _, c := range change {
		c(&opts)
	}
	return user.New(db, ids, opts)
}

func each(t *testing.T, test func(t *testing.T, db *store.DB, s *user.Service)) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { test(t, db, service(t, db)) })
}

// hashedPassword is "password1"; making it anew for each account would be most
// of the tests' time.
var hashedPassword = galaxy.HashPassword("password1")

// register makes an account as Register does.
func register(t *testing.T, db *store.DB, s *user.Service, name string) (u *store.UserRow) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		id, err := store.CreateUser(t.Context(), tx, &store.UserRow{
			User: galaxy.User{Email: name + "@example.org", Username: name, Active: true}, Password: hashedPassword,
		})
		if err != nil {
			return err
		}
		if _, err := store.EnsureRoles(t.Context(), tx, id, s.Options().PrivateDatasets); err != nil {
			return err
		}
		u, err = store.UserByID(t.Context(), tx, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func wantKind(t *testing.T, err error, kind galaxy.Kind, part string) {
	t.Helper()
	if err == nil || galaxy.KindOf(err) != kind || !strings.Contains(err.Error(), part) {
		t.Errorf("the error is %v, want one of kind %d with %q", err, kind, part)
	}
}

func TestRegister(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		u, err := s.Register(t.Context(), &galaxy.Actor{}, user.Registration{
			Email: "ann@example.org", Username: "ann", Password: "password1", Confirm: "password1",
		})
		if err != nil {
			t.Fatal(err)
		}
		if u.ID == 0 || !u.Active || u.Deleted || u.LastPasswordChange.IsZero() {
			t.Errorf("the account is %+v", u)
		}
		role, err := store.PrivateRole(t.Context(), db, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		perms, err := s.DefaultPermissions(t.Context(), u.ID)
		if want := []store.Permission{{Action: store.ActionManagePermissions, RoleID: role}}; err != nil || !slices.Equal(perms, want) {
			t.Errorf("the default permissions are %v, %v, want %v", perms, err, want)
		}
		found, err := s.CheckPassword(t.Context(), "ANN@example.ORG", "password1")
		if err != nil || found.User.ID != u.ID {
			t.Errorf("logging in by address gives %v, %v", found, err)
		}
		if found, err = s.CheckPassword(t.Context(), "ann", "password1"); err != nil || found.User.ID != u.ID {
			t.Errorf("logging in by name gives %v, %v", found, err)
		}
		_, err = s.CheckPassword(t.Context(), "ann", "password2")
		wantKind(t, err, galaxy.Invalid, "Invalid password.")
		_, err = s.CheckPassword(t.Context(), "bob", "password1")
		wantKind(t, err, galaxy.Invalid, "No such user")
	})
}

func TestRegisterSaysAllThatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		register(t, db, s, "ann")
		for _, c := range []struct {
			reg  user.Registration
			want string
		}{
			{user.Registration{Email: "ANN@Example.org", Username: "ann", Password: "password1", Confirm: "password1"},
				"User with email 'ANN@Example.org' already exists.\n\nPublic name is taken; please choose another."},
			{user.Registration{Email: "bad", Username: "U U", Password: "x", Confirm: "x"},
				"The format of the email address is not correct.\nUse a password of at least 6 characters.\nPublic name must contain"},
			{user.Registration{Email: "b@example.org", Username: "b", Password: "password1", Confirm: "password2"}, "Passwords do not match."},
			{user.Registration{Username: "b", Password: "password1", Confirm: "password1"}, "No email address"},
			{user.Registration{Email: strings.Repeat("x", 250) + "@example.org", Username: "b", Password: "password1", Confirm: "password1"}, "more than 255"},
		} {
			_, err := s.Register(t.Context(), &galaxy.Actor{}, c.reg)
			wantKind(t, err, galaxy.Invalid, c.want)
		}
	})
}

func TestRegisterOneAddressAtATime(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for i, email := range []string{"ann@example.org", "ANN@example.org", "Ann@example.org"} {
			wg.Go(func() {
				_, err := s.Register(context.WithoutCancel(t.Context()), &galaxy.Actor{}, user.Registration{
					Email: email, Username: string(rune('a' + i)), Password: "password1", Confirm: "password1",
				})
				if err == nil {
					mu.Lock()
					made++
					mu.Unlock()
				} else if k := galaxy.KindOf(err); k != galaxy.Invalid && k != galaxy.Conflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%d accounts were made for one address", made)
		}
	})
}

func TestRegistrationSwitchedOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := service(t, db, func(o *user.Options) { o.AllowCreation = false })
		reg := user.Registration{Email: "a@example.org", Username: "a", Password: "password1", Confirm: "password1"}
		_, err := s.Register(t.Context(), &galaxy.Actor{}, reg)
		wantKind(t, err, galaxy.Forbidden, "administrator")
		if _, err = s.Register(t.Context(), &galaxy.Actor{Admin: true}, reg); err != nil {
			t.Errorf("an administrator could not: %v", err)
		}
	})
}

func TestPrivateDatasetsByDefault(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := service(t, db, func(o *user.Options) { o.PrivateDatasets = true })
		u := register(t, db, s, "ann")
		perms, err := s.DefaultPermissions(t.Context(), u.ID)
		if err != nil || len(perms) != 2 || perms[1].Action != store.ActionAccess {
			t.Errorf("the default permissions are %v, %v", perms, err)
		}
	})
}

func TestAPIKeys(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "admin")
		if _, ok, err := s.APIKey(ctx, u.ID); ok || err != nil {
			t.Errorf("a new account has a key: %v, %v", ok, err)
		}
		first, err := s.APIKeyOrNew(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.APIKeyOrNew(ctx, u.ID); err != nil || again.Key != first.Key {
			t.Errorf("asking again gives %v, %v", again, err)
		}
		a, err := s.ByAPIKey(ctx, first.Key)
		if err != nil || a.UserID() != u.ID || !a.Admin || !a.ByAPIKey {
			t.Errorf("the key belongs to %+v, %v", a, err)
		}
		second, err := s.CreateAPIKey(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ByAPIKey(ctx, first.Key)
		wantKind(t, err, galaxy.Unauthenticated, "expired")
		if err := s.DeleteAPIKeys(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{first.Key, second.Key, "", "nonsense"} {
			_, err = s.ByAPIKey(ctx, key)
			wantKind(t, err, galaxy.Unauthenticated, "not valid")
		}
		if a, err := s.ByAPIKey(ctx, "boot"); err != nil || !a.Admin || !a.Bootstrap || a.User != nil {
			t.Errorf("the bootstrap key gives %+v, %v", a, err)
		}
	})
}

func TestDeletedAccountsAreLockedOut(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u, other := register(t, db, s, "ann"), register(t, db, s, "bob")
		admin := s.Actor(&register(t, db, s, "admin").User)
		key, err := s.CreateAPIKey(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		session, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Delete(ctx, s.Actor(&other.User), u.ID)
		wantKind(t, err, galaxy.Forbidden, "own account")
		stopped := false
		s.StopJobs = func(context.Context, *store.Tx, int64) error { stopped = true; return nil }
		if gone, err := s.Delete(ctx, s.Actor(&u.User), u.ID); err != nil || !gone.Deleted || !stopped {
			t.Fatalf("deleting gives %+v, %v; jobs stopped: %v", gone, err, stopped)
		}
		if got, err := s.Resume(ctx, session.Key); got != nil || err != nil {
			t.Errorf("the session goes on: %v, %v", got, err)
		}
		_, err = s.ByAPIKey(ctx, key.Key)
		wantKind(t, err, galaxy.Unauthenticated, "deactivated")
		_, err = s.CheckPassword(ctx, "ann", "password1")
		wantKind(t, err, galaxy.Invalid, "deleted")
		_, err = s.Undelete(ctx, s.Actor(&other.User), u.ID)
		wantKind(t, err, galaxy.Forbidden, "administrator")
		if back, err := s.Undelete(ctx, admin, u.ID); err != nil || back.Deleted {
			t.Fatalf("restoring gives %+v, %v", back, err)
		}
		_, err = s.Purge(ctx, admin, u.ID)
		wantKind(t, err, galaxy.Invalid, "not been deleted")
		if _, err := s.Delete(ctx, admin, u.ID); err != nil {
			t.Fatal(err)
		}
		purged, err := s.Purge(ctx, admin, u.ID)
		if err != nil || !purged.Purged || strings.Contains(purged.Email+purged.Username, "ann") {
			t.Errorf("purging gives %+v, %v", purged, err)
		}
		_, err = s.Undelete(ctx, admin, u.ID)
		wantKind(t, err, galaxy.Forbidden, "purged")
	})
}

func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		register(t, db, s, "bob")
		text := func(s string) *string { return &s }
		for _, c := range []struct {
			change user.Changes
			want   string
		}{
			{user.Changes{Email: text("BOB@example.org")}, "already exists"},
			{user.Changes{Email: text("bad")}, "format"},
			{user.Changes{Username: text("bob")}, "taken"},
			{user.Changes{Username: text("Bad Name")}, "lower-case"},
			{user.Changes{PreferredObjectStoreID: text("x")}, "object store"},
		} {
			_, err := s.Update(ctx, u.ID, c.change)
			wantKind(t, err, galaxy.Invalid, c.want)
		}
		got, err := s.Update(ctx, u.ID, user.Changes{
			Email: text("Ann@Example.org"), Username: text("ann2"), Addresses: &[]store.Address{{Desc: "home", City: "Basel"}},
		})
		if err != nil || got.Email != "Ann@Example.org" || got.Username != "ann2" {
			t.Fatalf("updating gives %+v, %v", got, err)
		}
		if a, err := s.Addresses(ctx, u.ID); err != nil || len(a) != 1 || a[0].City != "Basel" {
			t.Errorf("the addresses are %v, %v", a, err)
		}
		_, err = s.Update(ctx, 999, user.Changes{})
		wantKind(t, err, galaxy.NotFound, "no user")
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		here, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := s.LogIn(ctx, 0, u.ID, user.Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ChangePassword(ctx, u.ID, "wrong", "password2", "password2", here.ID)
		wantKind(t, err, galaxy.Invalid, "Invalid current password.")
		_, err = s.ChangePassword(ctx, u.ID, "password1", "password2", "password3", here.ID)
		wantKind(t, err, galaxy.Invalid, "do not match")
		if _, err = s.ChangePassword(ctx, u.ID, "password1", "password2", "password2", here.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CheckPassword(ctx, "ann", "password2"); err != nil {
			t.Errorf("the new password is refused: %v", err)
		}
		if got, err := s.Resume(ctx, here.Key); err != nil || got == nil {
			t.Errorf("this session ended: %v", err)
		}
		if got, err := s.Resume(ctx, elsewhere.Key); err != nil || got != nil {
			t.Errorf("the other session goes on: %v", err)
		}
	})
}

func TestExpiredPassword(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), store.Options{Engine: store.SQLite, Path: t.TempDir() + "/db", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	s := service(t, db, func(o *user.Options) { o.PasswordExpiration = 10 * day })
	register(t, db, s, "ann")
	for _, c := range []struct {
		after   time.Duration
		expired bool
		in      int
	}{{0, false, 0}, {3 * day, false, 7}, {10 * day, true, 0}} {
		now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(c.after)
		found, err := s.CheckPassword(t.Context(), "ann", "password1")
		if err != nil || found.Expired != c.expired || found.ExpiresIn != c.in {
			t.Errorf("after %v: %+v, %v", c.after, found, err)
		}
	}
}

func TestFavorites(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		for _, id := range []string{"cat1", "Cut1", "cat1"} {
			if _, err := s.AddFavorite(ctx, u.ID, "tools", id); err != nil {
				t.Fatal(err)
			}
		}
		f, err := s.Favorites(ctx, u.ID)
		if err != nil || !slices.Equal(f.Tools, []string{"cat1", "Cut1"}) || len(f.Order) != 2 {
			t.Fatalf("the favorites are %+v, %v", f, err)
		}
		_, err = s.OrderFavorites(ctx, u.ID, []user.Favorite{{Type: "tools", ID: "cat1"}})
		wantKind(t, err, galaxy.Invalid, "exactly once")
		f, err = s.OrderFavorites(ctx, u.ID, []user.Favorite{{Type: "tools", ID: "Cut1"}, {Type: "tools", ID: "cat1"}})
		if err != nil || !slices.Equal(f.Tools, []string{"Cut1", "cat1"}) {
			t.Errorf("ordering gives %+v, %v", f, err)
		}
		if f, err = s.RemoveFavorite(ctx, u.ID, "tools", "Cut1"); err != nil || len(f.Order) != 1 {
			t.Errorf("removing gives %+v, %v", f, err)
		}
		_, err = s.RemoveFavorite(ctx, u.ID, "tools", "Cut1")
		wantKind(t, err, galaxy.NotFound, "not in the list")
		_, err = s.AddFavorite(ctx, u.ID, "nonsense", "x")
		wantKind(t, err, galaxy.Invalid, "nonsense")
	})
}

func TestPreferences(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		for _, v := range []string{"dark", "light"} {
			if err := s.SetPreference(ctx, u.ID, "theme", v); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := s.Preferences(ctx, u.ID); err != nil || len(p) != 1 || p["theme"] != "light" {
			t.Errorf("the preferences are %v, %v", p, err)
		}
		wantKind(t, s.SetPreference(ctx, u.ID, "big", strings.Repeat("x", 2<<20)), galaxy.Invalid, "too large")
	})
}

func TestList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		s := service(t, db)
		admin, ann := register(t, db, s, "admin"), register(t, db, s, "ann")
		register(t, db, s, "a_n")
		names := func(s *user.Service, a *galaxy.Actor, f user.ListFilter) []string {
			t.Helper()
			rows, err := s.List(ctx, a, f)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, u := range rows {
				out = append(out, u.Username)
			}
			return out
		}
		open := service(t, db, func(o *user.Options) { o.ExposeNames = true })
		for _, c := range []struct {
			s    *user.Service
			a    *galaxy.Actor
			f    user.ListFilter
			want []string
		}{
			{s, s.Actor(&admin.User), user.ListFilter{}, []string{"a_n", "admin", "ann"}},
			{s, s.Actor(&admin.User), user.ListFilter{Username: "a_n"}, []string{"a_n"}},
			{s, s.Actor(&admin.User), user.ListFilter{EmailOrUsername: "nn@"}, []string{"ann"}},
			{s, s.Actor(&admin.User), user.ListFilter{Limit: 1, Offset: 1}, []string{"admin"}},
			{s, s.Actor(&admin.User), user.ListFilter{Deleted: true}, nil},
			{s, s.Actor(&ann.User), user.ListFilter{Email: "admin"}, []string{"ann"}},
			{s, s.Actor(&ann.User), user.ListFilter{Deleted: true}, nil},
			{open, open.Actor(&ann.User), user.ListFilter{EmailOrUsername: "adm"}, []string{"admin"}},
			{open, open.Actor(&ann.User), user.ListFilter{EmailOrUsername: "example.org"}, nil},
		} {
			if got := names(c.s, c.a, c.f); !slices.Equal(got, c.want) {
				t.Errorf("%+v lists %v, want %v", c.f, got, c.want)
			}
		}
		_, err := s.List(ctx, &galaxy.Actor{}, user.ListFilter{})
		wantKind(t, err, galaxy.Forbidden, "registered")
	})
}

func TestQuota(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		u := register(t, db, s, "ann")
		if got, err := s.Usage(ctx, u); err != nil || got.Limited || got.Nice() != "unlimited" {
			t.Errorf("without quotas: %+v, %v", got, err)
		}
		add := func(operation string, bytes int64, link string) {
			t.Helper()
			err := db.Write(ctx, func(tx *store.Tx) error {
				id, err := store.Insert(ctx, tx, "quota", store.Values{
					"create_time": tx.Now(), "update_time": tx.Now(), "name": fmt.Sprint(operation, bytes), "bytes": bytes, "operation": operation, "deleted": false,
				})
				if err != nil {
					return err
				}
				row := store.Values{"quota_id": id, "create_time": tx.Now(), "update_time": tx.Now()}
				if link == "user_quota_association" {
					row["user_id"] = u.ID
				} else {
					row["type"] = "registered"
				}
				_, err = store.Insert(ctx, tx, link, row)
				return errors.Join(err, store.UpdateUser(ctx, tx, u.ID, store.Values{"disk_usage": 600}))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			operation string
			bytes     int64
			link      string
			quota     int64
			percent   int
		}{
			{"=", 1000, "default_quota_association", 1000, 60},
			{"+", 200, "user_quota_association", 1200, 50},
			{"=", 500, "user_quota_association", 700, 85},
			{"-", 300, "user_quota_association", 400, 100},
		} {
			add(c.operation, c.bytes, c.link)
			row, err := s.ByID(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Usage(ctx, row)
			if err != nil || !got.Limited || got.Quota != c.quota || got.Percent != c.percent {
				t.Errorf("after %s%d: %+v, %v; want %d, %d%%", c.operation, c.bytes, got, err, c.quota, c.percent)
			}
		}
		wantKind(t, s.CheckQuota(ctx, s.Actor(&u.User)), galaxy.InsufficientStorage, "400 bytes")
		add("=", -1, "user_quota_association")
		if got, err := s.Usage(ctx, u); err != nil || got.Limited {
			t.Errorf("an unlimited quota gives %+v, %v", got, err)
		}
	})
}

func TestNiceSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 bytes", 906: "906 bytes", 1000: "1.0 KB", 1_550_000: "1.6 MB", 3 << 30: "3.2 GB"} {
		if got := user.NiceSize(bytes); got != want {
			t.Errorf("NiceSize(%d) = %q, want %q", bytes, got, want)
		}
	}
}

func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, s *user.Service) {
		ctx := t.Context()
		ann, bob := register(t, db, s, "ann"), register(t, db, s, "bob")
		made, err := s.CreateRole(ctx, store.Role{Name: "lab", Type: store.RoleAdmin}, []int64{ann.ID}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.CreateRole(ctx, store.Role{Name: "lab", Type: store.RoleAdmin}, nil, nil)
		wantKind(t, err, galaxy.Conflict, "lab")
		list := func(a *galaxy.Actor, search string) (out []string) {
			roles, err := s.Roles(ctx, a, search, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range roles {
				out = append(out, max(r.OwnerEmail, r.Name))
			}
			return out
		}
		if got, want := list(s.Actor(&bob.User), ""), []string{"private role", "lab"}; !slices.Equal(got, want) {
			t.Errorf("bob sees %v, want %v", got, want)
		}
		if got := list(&galaxy.Actor{Admin: true}, "ANN@"); len(got) != 1 {
			t.Errorf("searching for ann's private role finds %v", got)
		}
		annRole, err := s.RolesOf(ctx, ann.ID)
		if err != nil || len(annRole) != 2 {
			t.Fatalf("ann has %v, %v", annRole, err)
		}
		_, err = s.Role(ctx, s.Actor(&bob.User), annRole[0].ID)
		wantKind(t, err, galaxy.NotFound, "No accessible role")
		wantKind(t, s.SetDefaultPermissions(ctx, bob.ID, []store.Permission{{Action: store.ActionManagePermissions, RoleID: made.ID}}), galaxy.Invalid, "do not have")
		if _, err := s.DeleteRole(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PurgeRole(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		if rest, err := s.RolesOf(ctx, ann.ID); err != nil || len(rest) != 1 {
			t.Errorf("after purging ann has %v, %v", rest, err)
		}
	})
}

func FuzzIsEmail(f *testing.F) {
	for _, s := range []string{"a@b", "ü@ü.de", "a@b.", "@", "a@-b", strings.Repeat("a@", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if user.IsEmail(s) && (strings.Count(s, "@") != 1 || strings.ContainsAny(s, " \n\x00<>\"")) {
			t.Errorf("%q is taken for an address", s)
		}
	})
}
