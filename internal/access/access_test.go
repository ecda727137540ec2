package access_test

import (
	"testing"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func actor(id int64) *galaxy.Actor { return &galaxy.Actor{User: &galaxy.User{ID: id}} }

func TestOwns(t *testing.T) {
	visitor := &galaxy.Actor{SessionID: 3, HistoryID: 7}
	for _, c := range []struct {
		name string
		a    *galaxy.Actor
		h    access.History
		want bool
	}{
		{"own", actor(1), access.History{ID: 7, OwnerID: 1}, true},
		{"another's", actor(2), access.History{ID: 7, OwnerID: 1}, false},
		{"a visitor's current", visitor, access.History{ID: 7}, true},
		{"a visitor's other", visitor, access.History{ID: 8}, false},
		{"a user's, for a visitor", visitor, access.History{ID: 7, OwnerID: 1}, false},
		{"a visitor's, for a user", actor(1), access.History{ID: 7}, false},
		{"none's, for nobody", &galaxy.Actor{}, access.History{}, false},
		{"another's, for an administrator", &galaxy.Actor{Admin: true}, access.History{ID: 7, OwnerID: 1}, false},
	} {
		if got := access.Owns(c.a, c.h); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if access.ChangeHistory(&galaxy.Actor{Admin: true}, access.History{ID: 7, OwnerID: 1}) != nil {
		t.Error("an administrator may not change a history")
	}
}

func TestActFor(t *testing.T) {
	if access.ActFor(actor(1), 1) != nil || access.ActFor(&galaxy.Actor{Admin: true}, 1) != nil {
		t.Error("one may not act for oneself, or an administrator for others")
	}
	for _, a := range []*galaxy.Actor{actor(2), {}} {
		for _, id := range []int64{1, 0} {
			if galaxy.KindOf(access.ActFor(a, id)) != galaxy.Forbidden {
				t.Errorf("%+v may act for %d", a, id)
			}
		}
	}
}

func insert(t *testing.T, db *store.DB, table string, row store.Values) (id int64) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
		id, err = store.Insert(t.Context(), tx, table, row)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newUser(t *testing.T, db *store.DB, name string) (id int64) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
		id, err = store.CreateUser(t.Context(), tx, &store.UserRow{User: galaxy.User{Email: name, Username: name, Active: true}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSharedHistories(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, bob, eve := newUser(t, db, "ann"), newUser(t, db, "bob"), newUser(t, db, "eve")
		h := access.History{ID: insert(t, db, "history", store.Values{"name": "h", "user_id": ann}), OwnerID: ann}
		insert(t, db, "history_user_share_association", store.Values{"history_id": h.ID, "user_id": bob})
		for id, want := range map[int64]bool{ann: true, bob: true, eve: false} {
			if err := access.SeeHistory(t.Context(), db, actor(id), h); (err == nil) != want {
				t.Errorf("user %d: %v", id, err)
			}
		}
		if access.SeeHistory(t.Context(), db, &galaxy.Actor{}, h) == nil {
			t.Error("a visitor sees a history that is not open")
		}
		h.Importable = true
		if err := access.SeeHistory(t.Context(), db, &galaxy.Actor{}, h); err != nil {
			t.Errorf("a visitor does not see an open history: %v", err)
		}
	})
}

func TestReadableDatasets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, bob := newUser(t, db, "ann"), newUser(t, db, "bob")
		lab := insert(t, db, "role", store.Values{"name": "lab", "type": "admin", "deleted": false})
		team := insert(t, db, "role", store.Values{"name": "team", "type": "admin", "deleted": false})
		insert(t, db, "user_role_association", store.Values{"user_id": ann, "role_id": lab})
		insert(t, db, "user_role_association", store.Values{"user_id": bob, "role_id": lab})
		group := insert(t, db, "galaxy_group", store.Values{"name": "g", "deleted": false})
		insert(t, db, "user_group_association", store.Values{"user_id": ann, "group_id": group})
		insert(t, db, "group_role_association", store.Values{"role_id": team, "group_id": group})
		open, closed := insert(t, db, "dataset", store.Values{"state": "ok"}), insert(t, db, "dataset", store.Values{"state": "ok"})
		for _, role := range []int64{lab, team} {
			insert(t, db, "dataset_permissions", store.Values{"dataset_id": closed, "role_id": role, "action": store.ActionAccess})
		}
		insert(t, db, "dataset_permissions", store.Values{"dataset_id": open, "role_id": team, "action": store.ActionManagePermissions})
		for name, c := range map[string]struct {
			a    *galaxy.Actor
			want bool
		}{
			"all roles": {actor(ann), true}, "one role of two": {actor(bob), false}, "visitor": {&galaxy.Actor{}, false},
			"administrator": {&galaxy.Actor{Admin: true}, true},
		} {
			got, err := access.ReadableDatasets(t.Context(), db, c.a, []int64{open, closed})
			if err != nil || !got[open] || got[closed] != c.want {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			if err := access.SeeDataset(t.Context(), db, c.a, closed); (err == nil) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
