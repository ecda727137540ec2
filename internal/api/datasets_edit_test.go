package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"orrery/internal/api"
	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/history"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// expect makes a request and fails the test unless the answer has the status and holds the texts.
func (s *shelf) expect(actor, method, path, body string, status int, holds ...string) []byte {
	s.t.Helper()
	w := s.ask(actor, method, path, body)
	if w.Code != status {
		s.t.Errorf("%s %s %s as %s: %d %s, want %d", method, path, body, actor, w.Code, w.Body, status)
	}
	for _, text := range holds {
		if !strings.Contains(w.Body.String(), text) {
			s.t.Errorf("%s %s %s as %s: no %s in %s", method, path, body, actor, text, w.Body)
		}
	}
	return w.Body.Bytes()
}

func TestEditPageOffersWhatADatasetHas(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	h := s.history("ann", "h")
	id := s.dataset(h, "regions", "bed", "chr1\t5\t10\nchr2\t7\t9\n")
	path := "/dataset/get_edit?dataset_id=" + id
	var form struct {
		Name       string `json:"display_name"`
		Disabled   bool   `json:"metadata_disable"`
		Attributes []struct {
			Type, Name string
			Value      any
			Options    [][]any
		} `json:"attribute_inputs"`
		Types []struct {
			Value   any
			Options [][]string
		} `json:"datatype_inputs"`
		NoConversion bool `json:"conversion_disable"`
	}
	if err := json.Unmarshal(s.expect("ann", "GET", path, "", 200), &form); err != nil {
		t.Fatal(err)
	}
	if form.Name != "regions" || form.Disabled || !form.NoConversion {
		t.Errorf("%+v", form)
	}
	values := map[string]string{}
	for _, input := range form.Attributes {
		values[input.Name] = fmt.Sprintf("%v %d", input.Value, len(input.Options))
	}
	for name, want := range map[string]string{
		"name": "regions 0", "annotation": "<nil> 0", "dbkey": "? 1", "chromCol": "1 3", "startCol": "2 3", "endCol": "3 3", "comment_lines": "0 0",
	} {
		if values[name] != want {
			t.Errorf("%s: %s, want %s", name, values[name], want)
		}
	}
	if len(form.Types) != 1 || form.Types[0].Value != "bed" || len(form.Types[0].Options) < 100 {
		t.Errorf("types: %+v", form.Types)
	}
	s.expect("bob", "GET", path, "", 403)
	s.expect("", "GET", path, "", 403)
	s.expect("ann", "GET", "/dataset/get_edit?dataset_id=nonsense", "", 400)
}

func TestEditPageTakesChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h := s.history("ann", "h")
		id := s.dataset(h, "regions", "bed", "chr1\t5\t10\nchr2\t7\t9\n")
		path := "/api/datasets/" + id
		for _, c := range []struct {
			what, body string
			status     int
			answer     string
			then       []string
		}{
			{"attributes", `"operation": "attributes", "name": "peaks", "info": "of May", "annotation": "by hand", "chromCol": "1", "startCol": 3, "endCol": 2, "dbkey": "hg38", "comment_lines": "1"`,
				200, `"Attributes updated."`, []string{`"name":"peaks"`, `"misc_info":"of May"`, `"annotation":"by hand"`, `"metadata_startCol":3`, `"metadata_endCol":2`,
					`"genome_build":"hg38"`, `"metadata_comment_lines":1`}},
			{"no column", `"operation": "attributes", "name": "peaks", "chromCol": "first"`, 400, "whole number", []string{`"metadata_chromCol":1`}},
			{"no name", `"operation": "attributes", "name": " "`, 400, "needs a name", []string{`"name":"peaks"`}},
			{"what may not be changed", `"operation": "attributes", "name": "peaks", "columns": 99, "nosuch": 1`, 200, "", []string{`"metadata_columns":3`}},
			{"a notes field emptied", `"operation": "attributes", "name": "peaks", "annotation": null`, 200, "", nil},
			{"another type", `"operation": "datatype", "datatype": "tabular"`, 200, "Changed the type to tabular.", []string{`"extension":"tabular"`}},
			{"no type", `"operation": "datatype", "datatype": "nosuch"`, 400, "does not exist", []string{`"extension":"tabular"`}},
			{"the type that the file tells", `"operation": "datatype_detect"`, 200, "changed the datatype to bed", []string{`"extension":"bed"`, `"metadata_startCol":2`}},
			{"metadata from the file", `"operation": "autodetect"`, 200, "", []string{`"metadata_columns":3`}},
			{"conversion", `"operation": "conversion", "target_type": "gff"`, 400, "no converters", nil},
			{"nonsense", `"operation": "explode"`, 400, "explode", nil},
			{"nothing", `"name": "x"`, 400, "operation", nil},
		} {
			t.Run(c.what, func(t *testing.T) {
				s.t = t
				s.expect("ann", "PUT", "/dataset/set_edit", `{"dataset_id": "`+id+`", `+c.body+`}`, c.status, c.answer)
				s.expect("ann", "GET", path, "", 200, c.then...)
			})
		}
		s.t = t
		s.expect("bob", "PUT", "/dataset/set_edit", `{"dataset_id": "`+id+`", "operation": "attributes", "name": "mine"}`, 403)
		s.expect("ann", "PUT", "/dataset/set_edit", `{"operation": "attributes", "name": "mine"}`, 400)
	})
}

func TestDatasetPermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		id := s.dataset(s.history("ann", "h"), "d", "txt", "hello\n")
		role := func(name string) string {
			id, err := store.PrivateRole(context.Background(), db, s.actors[name].UserID())
			if err != nil {
				t.Fatal(err)
			}
			return s.ids.Encode(id)
		}
		ann, bob := role("ann"), role("bob")
		path := "/api/datasets/" + id
		set := func(manage, access string) string {
			return `{"dataset_id": "` + id + `", "operation": "permission", "DATASET_MANAGE_PERMISSIONS": [` + manage + `], "DATASET_ACCESS": [` + access + `]}`
		}
		s.expect("bob", "GET", path, "", 200)
		s.expect("ann", "PUT", "/dataset/set_edit", set(`"`+ann+`"`, `"`+ann+`"`), 200, "completed")
		s.expect("bob", "GET", path, "", 403)
		s.expect("ann", "GET", "/dataset/get_edit?dataset_id="+id, "", 200, `"permission_disable":false`, `"value":["`+ann+`"]`)
		s.expect("ann", "PUT", "/dataset/set_edit", set(`"`+ann+`"`, `"`+bob+`"`), 400, "you would lose the dataset")
		s.expect("ann", "PUT", "/dataset/set_edit", set("", `"`+ann+`"`), 400, "At least one role")
		s.expect("ann", "PUT", path+"/permissions", `{"action": "remove_restrictions"}`, 200, `"access_dataset_roles":[]`, `"manage_dataset_roles":[["ann@example.org","`+ann+`"]]`)
		s.expect("bob", "GET", path, "", 200)
		s.expect("ann", "PUT", path+"/permissions", `{"action": "make_private"}`, 200, `"access_dataset_roles":[["ann@example.org","`+ann+`"]]`)
		s.expect("bob", "GET", path, "", 403)
		s.expect("ann", "PUT", path+"/permissions", `{"access_ids[]": [], "manage_ids[]": ["`+ann+`"]}`, 200, `"access_dataset_roles":[]`)
		s.expect("bob", "PUT", path+"/permissions", `{"action": "make_private"}`, 403)
		s.expect("", "PUT", path+"/permissions", `{"action": "make_private"}`, 401)
		s.expect("ann", "PUT", path+"/permissions", `{"action": "nonsense"}`, 400)
	})
}

func TestStorageIsFreed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		datasets := &dataset.Service{DB: db, Objects: s.objects, Types: datatype.Default(), Log: slog.New(slog.DiscardHandler)}
		(&api.Storage{Datasets: datasets, Histories: &history.Service{DB: db, Datasets: datasets}}).Register(s.router)
		h, others := s.history("ann", "kept"), s.history("bob", "others'")
		small, large, kept := s.dataset(h, "small", "txt", "a\n"), s.dataset(h, "large", "txt", "a longer line\n"), s.dataset(h, "kept", "txt", "b\n")
		foreign := s.dataset(others, "foreign", "txt", "c\n")
		discarded := s.history("ann", "discarded")
		s.expect("ann", "DELETE", "/api/datasets/"+small, "", 204)
		s.expect("ann", "DELETE", "/api/datasets/"+large, "", 204)
		s.expect("bob", "DELETE", "/api/datasets/"+foreign, "", 204)
		s.expect("ann", "DELETE", "/api/histories/"+discarded, "", 200)

		s.expect("ann", "GET", "/api/storage/datasets/discarded/summary", "", 200, `"total_items":2`, `"total_size":16`)
		first := string(s.expect("ann", "GET", "/api/storage/datasets/discarded?order=size-dsc&limit=1", "", 200, `"name":"large"`, `"type":"dataset"`, `"size":14`))
		if strings.Contains(first, "small") {
			t.Errorf("a limit of 1 gives %s", first)
		}
		s.expect("ann", "GET", "/api/storage/datasets/discarded?order=size-dsc&limit=1&offset=1", "", 200, `"name":"small"`)
		s.expect("ann", "GET", "/api/storage/datasets/discarded?order=id", "", 400)
		s.expect("ann", "GET", "/api/storage/histories/discarded", "", 200, `"name":"discarded"`, `"type":"history"`)
		s.expect("ann", "GET", "/api/storage/histories/archived/summary", "", 200, `"total_items":0`)
		s.expect("", "GET", "/api/storage/datasets/discarded", "", 401)

		s.expect("ann", "DELETE", "/api/storage/datasets", `{"item_ids": ["`+small+`", "`+foreign+`"]}`, 200,
			`"total_item_count":2,"success_item_count":1`, `"item_id":"`+foreign+`"`)
		s.expect("ann", "DELETE", "/api/storage/histories", `{"item_ids": ["`+discarded+`"]}`, 200, `"success_item_count":1`)
		s.expect("ann", "GET", "/api/storage/datasets/discarded/summary", "", 200, `"total_items":1`, `"total_size":14`)
		s.expect("bob", "GET", "/api/storage/datasets/discarded/summary", "", 200, `"total_items":1`)
		s.expect("ann", "GET", "/api/datasets/"+kept+"/display", "", 200, "b")
		s.expect("ann", "DELETE", "/api/storage/datasets", `{}`, 400)
	})
}

func TestDetailsOfTheCatalogue(t *testing.T) {
	s := newShelf(t, storetest.SQLite(t))
	c := &api.Catalogue{Datatypes: datatype.Default()}
	c.Register(s.router)
	(&api.AdminTables{Catalogue: c, DB: s.db}).Register(s.router)
	s.expect("", "GET", "/api/datatypes/tabular", "", 200, `"extension":"tabular"`, `"mimetype":"text/plain"`, `"display_behavior":"inline"`)
	s.expect("", "GET", "/api/datatypes/nosuch", "", 404, "nosuch")
	encoded := s.ids.Encode(17)
	s.expect("root", "GET", "/api/configuration/decode/"+encoded, "", 200, `{"decoded_id":17}`)
	s.expect("root", "GET", "/api/configuration/encode/17", "", 200, encoded)
	s.expect("root", "GET", "/api/configuration/encode/-1", "", 400)
	s.expect("ann", "GET", "/api/configuration/decode/"+encoded, "", 403)
	s.expect("", "GET", "/api/licenses/mit", "", 200, `"licenseId":"MIT"`)
	s.expect("", "GET", "/api/licenses/nosuch", "", 404)
	s.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := store.CreateRole(ctx, tx, store.Role{Name: "curators", Description: "who curate", Type: "admin"}, []int64{s.actors["ann"].UserID()}, nil)
		return err
	})
	s.expect("root", "GET", "/admin/roles_list?sort_by=users&sort_desc=true", "", 200, `"rows_total":1`, `"name":"curators"`, `"users":1`, `"groups":0`)
	s.expect("root", "GET", "/admin/roles_list?search=cura", "", 200, `"rows_total":1`)
	s.expect("root", "GET", "/admin/roles_list?search=name:'nobody'", "", 200, `"rows_total":0`)
	s.expect("root", "GET", "/admin/roles_list?search=is:deleted", "", 200, `"rows_total":0`)
	s.expect("root", "GET", "/admin/groups_list?search=x", "", 200, `"rows_total":0`)
	s.expect("root", "GET", "/admin/data_types_list", "", 200, `"extension":"bed"`)
	s.expect("ann", "GET", "/admin/roles_list", "", 403)
}
