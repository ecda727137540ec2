package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// person makes a user with a history and the default permissions that Galaxy
// gives both.
func person(t *testing.T, db *store.DB, name string) (userID, roleID, historyID int64) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		if userID, err = store.Insert(ctx, tx, "galaxy_user", store.Values{
			"email": name + "@example.org", "username": name, "password": "x", "active": true, "deleted": false, "purged": false,
		}); err != nil {
			return err
		}
		if roleID, err = store.Insert(ctx, tx, "role", store.Values{"name": name, "type": "private", "deleted": false}); err != nil {
			return err
		}
		if historyID, err = store.Insert(ctx, tx, "history", store.Values{
			"user_id": userID, "name": "h", "hid_counter": 1, "deleted": false, "purged": false, "importing": false,
			"importable": false, "published": false, "archived": false, "create_time": tx.Now(), "update_time": tx.Now(),
		}); err != nil {
			return err
		}
		_, err = store.Insert(ctx, tx, "default_history_permissions", store.Values{
			"history_id": historyID, "action": store.ActionManagePermissions, "role_id": roleID,
		})
		return err
	})
	return userID, roleID, historyID
}

func write(t *testing.T, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	ctx := t.Context()
	if err := db.Write(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
}

func one[T any](t *testing.T, db *store.DB, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestCreateHDAsNumbersAndPermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, role, history := person(t, db, "ann")
		var made []store.HDA
		create := func(items ...store.NewHDA) {
			write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				made, err = store.CreateHDAs(ctx, tx, history, items)
				return err
			})
		}
		create(store.NewHDA{Name: "first", Extension: "txt", JobID: 0})
		create(store.NewHDA{Name: "a", DBKey: "hg38"}, store.NewHDA{Name: "b\x00c", Extension: "bed", Hidden: true, State: galaxy.DatasetQueued,
			Permissions: []store.Permission{{Action: store.ActionAccess, RoleID: role}}})
		if got := []int64{made[0].HID, made[1].HID}; !slices.Equal(got, []int64{2, 3}) {
			t.Errorf("hids %v, want 2 and 3", got)
		}
		rows, err := store.HDAs(t.Context(), db, []int64{made[1].ID, made[0].ID})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 2 || rows[0].Name != "bc" || rows[1].Name != "a" {
			t.Fatalf("read back %+v", rows)
		}
		a, b := rows[1], rows[0]
		if string(a.Metadata) != `{"dbkey": ["hg38"]}` || string(b.Metadata) != `{"dbkey": ["?"]}` {
			t.Errorf("metadata %s and %s", a.Metadata, b.Metadata)
		}
		if a.Extension != "data" || !a.Visible || b.Visible || a.State() != galaxy.DatasetNew || b.State() != galaxy.DatasetQueued {
			t.Errorf("wrong fields: %+v %+v", a, b)
		}
		if a.Dataset.UUID != made[0].Dataset.UUID || a.Dataset.UUID.IsZero() || a.Dataset.Sized {
			t.Errorf("wrong dataset: %+v", a.Dataset)
		}
		for _, c := range []struct {
			dataset int64
			action  string
		}{{a.Dataset.ID, store.ActionManagePermissions}, {b.Dataset.ID, store.ActionAccess}} {
			if got := one[string](t, db, "SELECT action FROM dataset_permissions WHERE dataset_id = ? AND role_id = ?", c.dataset, role); got != c.action {
				t.Errorf("dataset %d has action %q, want %q", c.dataset, got, c.action)
			}
		}
	})
}

func TestCreateHDAsInNoHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := store.CreateHDAs(t.Context(), tx, 99, []store.NewHDA{{Name: "x"}})
			return err
		})
		if galaxy.KindOf(err) != galaxy.NotFound {
			t.Errorf("got %v, want NotFound", err)
		}
	})
}

func TestFinishHDAsBooksTheDifference(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user, _, history := person(t, db, "ann")
		var made []store.HDA
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			made, err = store.CreateHDAs(ctx, tx, history, []store.NewHDA{{Name: "a"}, {Name: "b", Extension: "auto"}})
			return err
		})
		finish := func(size int64) {
			write(t, db, func(ctx context.Context, tx *store.Tx) error {
				return store.FinishHDAs(ctx, tx, []store.FinishedHDA{
					{ID: made[0].ID, State: galaxy.DatasetOK, Peek: "it's\n", Blurb: "1 line", FileSize: size, TotalSize: size + 5,
						Metadata: json.RawMessage(`{"data_lines": 1, "dbkey": ["?"], "x": "é\u0000"}`)},
					{ID: made[1].ID, State: galaxy.DatasetError, Info: "bad", Extension: "tabular", Name: "new", Hide: true},
				})
			})
		}
		finish(10)
		finish(20)
		if got := one[int64](t, db, "SELECT disk_usage FROM galaxy_user WHERE id = ?", user); got != 25 {
			t.Errorf("disk usage is %d, want 25", got)
		}
		rows, err := store.HDAs(t.Context(), db, []int64{made[0].ID, made[1].ID})
		if err != nil {
			t.Fatal(err)
		}
		a, b := rows[0], rows[1]
		if a.State() != galaxy.DatasetOK || a.Peek != "it's\n" || a.Blurb != "1 line" || a.Name != "a" || a.Extension != "data" ||
			!a.Visible || a.Dataset.FileSize != 20 || a.Dataset.TotalSize != 25 || !a.Dataset.Sized {
			t.Errorf("first: %+v", a)
		}
		if string(a.Metadata) != `{"data_lines": 1, "dbkey": ["?"], "x": "é\u0000"}` {
			t.Errorf("metadata: %s", a.Metadata)
		}
		if b.State() != galaxy.DatasetError || b.Info != "bad" || b.Extension != "tabular" || b.Name != "new" || b.Visible ||
			string(b.Metadata) != `{"dbkey": ["?"]}` {
			t.Errorf("second: %+v", b)
		}
	})
}

func TestDerivePermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, ann, history := person(t, db, "ann")
		_, bob, _ := person(t, db, "bob")
		var made []store.HDA
		write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
			made, err = store.CreateHDAs(ctx, tx, history, []store.NewHDA{{Name: "public"}, {Name: "private", Permissions: []store.Permission{
				{Action: store.ActionManagePermissions, RoleID: bob}, {Action: store.ActionAccess, RoleID: bob}}}})
			return err
		})
		public, private := made[0].Dataset.ID, made[1].Dataset.ID
		manage, access := store.ActionManagePermissions, store.ActionAccess
		for _, c := range []struct {
			name   string
			inputs []int64
			want   []store.Permission
		}{
			{"no inputs", nil, nil},
			{"public", []int64{public}, []store.Permission{{Action: manage, RoleID: ann}}},
			{"both", []int64{public, private}, []store.Permission{
				{Action: access, RoleID: bob}, {Action: manage, RoleID: ann}, {Action: manage, RoleID: bob}}},
		} {
			got, err := store.DerivePermissions(t.Context(), db, history, c.inputs)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
			}
		}
	})
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"äöüß", 3, "äöü"}, {"a\x00b", 3, "ab"}, {"\xff", 3, "\uFFFD"}, {"", 0, ""}} {
		if got := store.Clip(c.in, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
