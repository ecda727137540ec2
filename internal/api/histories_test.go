package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/api"
	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/history"
	"orrery/internal/objectstore"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// byHeader takes the actor from a header of the test's.
type byHeader map[string]*galaxy.Actor

func (b byHeader) Authenticate(_ http.ResponseWriter, r *http.Request) (*galaxy.Actor, error) {
	if a := b[r.Header.Get("X-Test-Actor")]; a != nil {
		return a, nil
	}
	return &galaxy.Actor{}, nil
}

// shelf is a server of histories and datasets with two users.
type shelf struct {
	t       testing.TB
	db      *store.DB
	objects *objectstore.Disk
	ids     *galaxy.IDCodec
	actors  byHeader
	router  *api.Router
	// trust lists the tools whose HTML is shown as it is.
	trust map[string]bool
}

func newShelf(t testing.TB, db *store.DB) *shelf {
	t.Helper()
	objects, err := objectstore.Open(objectstore.Options{Root: filepath.Join(t.TempDir(), "objects")})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, db: db, objects: objects, ids: ids, actors: byHeader{}, trust: map[string]bool{}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.router = api.NewRouter(s.actors, ids, log)
	types := datatype.Default()
	datasets := &dataset.Service{DB: db, Objects: objects, Types: types, Log: log, TrustTool: func(id string) bool { return s.trust[id] }}
	printer := &api.Printer{DB: db, Types: types, Objects: objects}
	(&api.Histories{Service: &history.Service{DB: db, Datasets: datasets}, Printer: printer}).Register(s.router)
	(&api.Datasets{Service: datasets, Printer: printer}).Register(s.router)
	for _, name := range []string{"ann", "bob", "root"} {
		s.addUser(name)
	}
	s.actors["root"].Admin = true
	return s
}

func (s *shelf) write(f func(ctx context.Context, tx *store.Tx) error) {
	s.t.Helper()
	ctx := context.Background()
	if err := s.db.Write(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) addUser(name string) {
	s.t.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error {
		id, err := store.CreateUser(ctx, tx, &store.UserRow{User: galaxy.User{Email: name + "@example.org", Username: name, Active: true}})
		if err != nil {
			return err
		}
		if _, err := store.EnsureRoles(ctx, tx, id, false); err != nil {
			return err
		}
		session, err := store.CreateSession(ctx, tx, store.NewSession{Key: galaxy.NewGUID(), UserID: id})
		s.actors[name] = &galaxy.Actor{User: &galaxy.User{ID: id, Username: name}, SessionID: session}
		return err
	})
}

// history makes a history and gives its encoded id.
func (s *shelf) history(owner, name string) string {
	s.t.Helper()
	var id int64
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = store.CreateHistory(ctx, tx, store.History{UserID: s.actors[owner].UserID(), Name: name})
		return err
	})
	return s.ids.Encode(id)
}

func (s *shelf) decode(encoded string) int64 {
	s.t.Helper()
	id, err := s.ids.Decode(encoded)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// dataset makes a finished dataset with contents and gives its encoded id.
func (s *shelf) dataset(historyID, name, ext, contents string) string {
	s.t.Helper()
	var id int64
	s.write(func(ctx context.Context, tx *store.Tx) error {
		made, err := store.CreateHDAs(ctx, tx, s.decode(historyID), []store.NewHDA{{Name: name, Extension: ext}})
		if err != nil {
			return err
		}
		id = made[0].ID
		path, err := s.objects.Create(dataset.StoreRef(&made[0].Dataset))
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(contents), 0o666); err != nil {
			return err
		}
		types := datatype.Default()
		md, err := types.SetMetadata(path, ext, datatype.MetadataOptions{})
		if err != nil {
			return err
		}
		peek, blurb, err := types.Peek(path, ext, md)
		if err != nil {
			return err
		}
		job, err := store.Insert(ctx, tx, "job", store.Values{"tool_id": "cat1", "state": "ok", "imported": false})
		if err != nil {
			return err
		}
		if _, err := store.Insert(ctx, tx, "job_to_output_dataset", store.Values{"job_id": job, "dataset_id": id, "name": "out"}); err != nil {
			return err
		}
		return store.FinishHDAs(ctx, tx, []store.FinishedHDA{{ID: id, State: galaxy.DatasetOK, Peek: peek, Blurb: blurb, Metadata: store.JSON(md),
			FileSize: int64(len(contents)), TotalSize: int64(len(contents))}})
	})
	return s.ids.Encode(id)
}

// ask makes a request as the actor of that name ("" for a visitor).
func (s *shelf) ask(actor, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("X-Test-Actor", actor)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, req)
	return w
}

// get decodes the answer to a request that must succeed.
func (s *shelf) get(actor, method, path, body string, into any) {
	s.t.Helper()
	w := s.ask(actor, method, path, body)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
}

func (s *shelf) object(actor, method, path, body string) map[string]any {
	s.t.Helper()
	var v map[string]any
	s.get(actor, method, path, body, &v)
	return v
}

func (s *shelf) list(actor, path string) []map[string]any {
	s.t.Helper()
	var v []map[string]any
	s.get(actor, "GET", path, "", &v)
	return v
}

// check compares fields of an object, each by its printed form.
func check(t *testing.T, what string, got map[string]any, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if g, w := fmt.Sprint(got[k]), fmt.Sprint(v); g != w {
			t.Errorf("%s: %s is %s, want %s", what, k, g, w)
		}
	}
}

func TestHistoryLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		made := s.object("ann", "POST", "/api/histories", `{"name":"first"}`)
		id := made["id"].(string)
		check(t, "made", made, map[string]any{"model_class": "History", "name": "first", "count": 0, "size": 0, "state": "new",
			"username": "ann", "genome_build": nil, "update_time": made["update_time"], "contents_url": "/api/histories/" + id + "/contents"})
		changed := s.object("ann", "PUT", "/api/histories/"+id, `{"name":"My first!","annotation":"hi","tags":["b","name:a"],"published":true,"genome_build":"hg38"}`)
		check(t, "changed", changed, map[string]any{"name": "My first!", "annotation": "hi", "tags": []any{"name:a", "b"}, "published": true,
			"importable": true, "genome_build": "hg38", "slug": "my-first", "username_and_slug": "u/ann/h/my-first"})
		if got := s.list("", "/api/histories/published"); len(got) != 1 || got[0]["name"] != "My first!" {
			t.Errorf("published: %v", got)
		}
		check(t, "dev-detailed", s.object("ann", "GET", "/api/histories/"+id+"?view=dev-detailed", ""), map[string]any{
			"contents_active": map[string]any{"active": 0, "hidden": 0, "deleted": 0}})
		if got := s.object("ann", "GET", "/api/histories/"+id+"?keys=nice_size,name", ""); len(got) != 2 || got["nice_size"] != "0 bytes" {
			t.Errorf("keys: %v", got)
		}
		check(t, "deleted", s.object("ann", "DELETE", "/api/histories/"+id, ""), map[string]any{"deleted": true, "purged": false})
		if got := s.list("ann", "/api/histories"); len(got) != 0 {
			t.Errorf("a deleted history is listed: %v", got)
		}
		if got := s.list("ann", "/api/histories/deleted"); len(got) != 1 {
			t.Errorf("deleted: %v", got)
		}
		check(t, "undeleted", s.object("ann", "POST", "/api/histories/deleted/"+id+"/undelete", ""), map[string]any{"deleted": false})
		s.dataset(id, "a", "txt", "hello\n")
		check(t, "purged", s.object("ann", "DELETE", "/api/histories/"+id+"?purge=true", ""), map[string]any{"deleted": true, "purged": true, "size": 0})
		if w := s.ask("ann", "PUT", "/api/histories/"+id, `{"name":"x"}`); w.Code != 403 || !strings.Contains(w.Body.String(), "immutable") {
			t.Errorf("changing a purged history: %d %s", w.Code, w.Body)
		}
	})
}

func TestCurrentHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		first := s.object("ann", "GET", "/history/current_history_json", "")
		check(t, "first", first, map[string]any{"name": "Unnamed history", "hid_counter": 1, "genome_build": "?"})
		if again := s.object("ann", "GET", "/history/current_history_json", ""); again["id"] != first["id"] {
			t.Error("each request made a history of its own")
		}
		since := "/history/current_history_json?since=" + first["update_time"].(string)
		if w := s.ask("ann", "GET", since, ""); strings.TrimSpace(w.Body.String()) != "null" {
			t.Errorf("nothing changed, but the answer is %s", w.Body)
		}
		// A change that was made before the one that was seen may come to light after it.
		before := first["update_time"].(string)
		seen, err := time.Parse("2006-01-02T15:04:05.000000", before)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO history_audit (history_id, update_time) VALUES (?, ?)", s.decode(first["id"].(string)), seen.Add(-time.Second))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		late := s.object("ann", "GET", since, "")
		if late["id"] != first["id"] || late["update_time"].(string) <= before {
			t.Errorf("after a late change: %v", late)
		}
		second := s.object("ann", "POST", "/history/create_new_current?name=two", "")
		check(t, "second", second, map[string]any{"name": "two"})
		check(t, "switched", s.object("ann", "GET", "/history/set_as_current?id="+first["id"].(string), ""), map[string]any{"id": first["id"]})
		session, err := store.SessionByID(t.Context(), db, s.actors["ann"].SessionID)
		if err != nil || session.HistoryID != s.decode(first["id"].(string)) {
			t.Errorf("the session's history: %+v, %v", session, err)
		}
		if w := s.ask("bob", "GET", "/history/set_as_current?id="+first["id"].(string), ""); w.Code != 403 {
			t.Errorf("another's history became current: %d", w.Code)
		}
	})
}

func TestContentsLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h := s.history("ann", "h")
		a := s.dataset(h, "a.txt", "txt", "hello\nworld\n")
		b := s.dataset(h, "b\"<é>", "tabular", "1\t2\n3\t4\n")
		got := s.list("ann", "/api/histories/"+h+"/contents?v=dev&order=hid-asc")
		if len(got) != 2 {
			t.Fatalf("contents: %v", got)
		}
		check(t, "first", got[0], map[string]any{"id": a, "hid": 1, "name": "a.txt", "state": "ok", "extension": "txt", "genome_build": "?",
			"type_id": "dataset-" + a, "history_content_type": "dataset", "url": "/api/histories/" + h + "/contents/datasets/" + a,
			"tags": []any{}, "visible": true, "purged": false, "history_id": h, "object_store_id": nil})
		check(t, "second", got[1], map[string]any{"id": b, "name": "b\"<é>"})
		full := s.list("ann", "/api/histories/"+h+"/contents?v=dev&view=detailed&q=hid&qv=2")
		check(t, "in full", full[0], map[string]any{"file_size": 8, "metadata_columns": 2, "metadata_column_types": []any{"int", "int"},
			"data_type": "galaxy.datatypes.tabular.Tabular", "accessible": true, "rerunnable": true, "creating_job": full[0]["creating_job"],
			"misc_info": "", "download_url": "/api/histories/" + h + "/contents/" + b + "/display", "annotation": nil})
		if _, ok := full[0]["file_name"]; ok {
			t.Error("a user who is no administrator sees where the file is")
		}
		if peek := fmt.Sprint(full[0]["peek"]); !strings.Contains(peek, "<td>4</td>") {
			t.Errorf("peek %s", peek)
		}
		if some := s.list("ann", "/api/histories/"+h+"/contents?v=dev&details="+b); some[0]["peek"] != nil || some[1]["peek"] == nil {
			t.Error("details were not given for the one dataset that they were asked for")
		}
		if named := s.list("ann", "/api/histories/"+h+"/contents?ids="+a); len(named) != 1 || named[0]["peek"] == nil {
			t.Errorf("by id: %v", named)
		}
		var stats struct {
			Stats    map[string]int   `json:"stats"`
			Contents []map[string]any `json:"contents"`
		}
		w := s.ask("ann", "GET", "/api/histories/"+h+"/contents?v=dev&limit=1", "", "Accept", "application/vnd.galaxy.history.contents.stats+json")
		if err := json.Unmarshal(w.Body.Bytes(), &stats); err != nil || stats.Stats["total_matches"] != 2 || len(stats.Contents) != 1 {
			t.Errorf("stats: %v %s", err, w.Body)
		}
		if all := s.list("ann", "/api/datasets?order=name-asc"); len(all) != 2 || all[0]["id"] != a {
			t.Errorf("all datasets: %v", all)
		}
		check(t, "history", s.object("ann", "GET", "/api/histories/"+h, ""), map[string]any{"count": 2, "size": 20, "state": "ok"})
		for _, c := range []struct{ query, message string }{
			{"v=dev&q=foo&qv=1", "bad filter"}, {"v=dev&order=foo", "Unknown order_by"}, {"v=dev&view=foo", "unknown view: foo"},
			{"v=dev&limit=-1", "Parameter limit"}, {"ids=zz", "unable to decode"},
		} {
			if w := s.ask("ann", "GET", "/api/histories/"+h+"/contents?"+c.query, ""); w.Code != 400 || !strings.Contains(w.Body.String(), c.message) {
				t.Errorf("%s: %d %s", c.query, w.Code, w.Body)
			}
		}
	})
}

func TestChangingADataset(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h := s.history("ann", "h")
		d := s.dataset(h, "a", "txt", "1\t2\n3\t4\n")
		base := "/api/histories/" + h + "/contents/"
		for i, c := range []struct {
			path, body string
			want       map[string]any
		}{
			{base + d, `{"name":"new","annotation":"ann","tags":["#x","group:a:b"],"visible":false,"genome_build":"hg38"}`,
				map[string]any{"name": "new", "annotation": "ann", "tags": []any{"name:x", "group:a:b"}, "visible": false, "genome_build": "hg38", "metadata_dbkey": "hg38"}},
			{base + "datasets/" + d, `{"visible":true,"misc_info":"note"}`, map[string]any{"visible": true, "misc_info": "note", "name": "new"}},
			{"/api/datasets/" + d, `{"datatype":"tabular"}`, map[string]any{"extension": "tabular", "metadata_columns": 2, "metadata_dbkey": "hg38", "state": "ok"}},
			{base + d, `{"metadata":{"columns":9,"column_names":["a","b"],"nonsense":1}}`, map[string]any{"metadata_columns": 2, "metadata_nonsense": nil}},
			{base + d, `{"deleted":true}`, map[string]any{"deleted": true}},
			{base + d, `{"deleted":false}`, map[string]any{"deleted": false}},
		} {
			check(t, fmt.Sprint("step ", i), s.object("ann", "PUT", c.path, c.body), c.want)
		}
		for _, c := range []struct {
			body, message string
			status        int
		}{
			{`{"name":7}`, "valid string", 400}, {`{"visible":"maybe"}`, "valid boolean", 400}, {`{"datatype":"foo"}`, "target datatype does not exist", 400},
			{`[1]`, "not the JSON", 400}, {`{"tags":[1]}`, "valid list", 400},
		} {
			if w := s.ask("ann", "PUT", base+d, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.message) {
				t.Errorf("%s: %d %s", c.body, w.Code, w.Body)
			}
		}
		if w := s.ask("ann", "DELETE", base+d+"?purge=true", ""); w.Code != 204 {
			t.Errorf("purging: %d %s", w.Code, w.Body)
		}
		check(t, "purged", s.object("ann", "GET", base+d, ""), map[string]any{"purged": true, "deleted": true})
		if w := s.ask("ann", "GET", base+d+"/display", ""); w.Code != 400 || !strings.Contains(w.Body.String(), "has been purged") {
			t.Errorf("displaying what was purged: %d %s", w.Code, w.Body)
		}
		if w := s.ask("ann", "PUT", base+d, `{"deleted":false}`); w.Code != 403 {
			t.Errorf("a purged dataset came back: %d %s", w.Code, w.Body)
		}
	})
}

func TestBulk(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h, other := s.history("ann", "h"), s.history("bob", "his")
		a, b := s.dataset(h, "a", "txt", "x\n"), s.dataset(h, "b", "txt", "y\n")
		foreign := s.dataset(other, "c", "txt", "z\n")
		items := func(ids ...string) string {
			var out []string
			for _, id := range ids {
				out = append(out, `{"id":"`+id+`","history_content_type":"dataset"}`)
			}
			return "[" + strings.Join(out, ",") + "]"
		}
		path := "/api/histories/" + h + "/contents/bulk"
		for i, c := range []struct {
			query, body string
			done        int
			want        map[string]any
		}{
			{"", `{"operation":"hide","items":` + items(a, foreign) + `}`, 1, map[string]any{"visible": false}},
			{"?q=visible&qv=false", `{"operation":"unhide"}`, 1, map[string]any{"visible": true}},
			{"", `{"operation":"add_tags","params":{"tags":["#n","t"]},"items":` + items(a) + `}`, 1, map[string]any{"tags": []any{"name:n", "t"}}},
			{"", `{"operation":"remove_tags","params":{"tags":["t"]},"items":` + items(a, b) + `}`, 2, map[string]any{"tags": []any{"name:n"}}},
			{"", `{"operation":"change_dbkey","params":{"dbkey":"hg19"},"items":` + items(a) + `}`, 1, map[string]any{"genome_build": "hg19", "metadata_data_lines": 1}},
			{"", `{"operation":"change_datatype","params":{"datatype":"tabular"},"items":` + items(a) + `}`, 1, map[string]any{"extension": "tabular", "genome_build": "hg19"}},
			{"", `{"operation":"delete","items":` + items(a) + `}`, 1, map[string]any{"deleted": true}},
			{"", `{"operation":"undelete","items":` + items(a) + `}`, 1, map[string]any{"deleted": false}},
			{"", `{"operation":"purge","items":` + items(a) + `}`, 1, map[string]any{"purged": true}},
			{"", `{"operation":"undelete","items":` + items(a) + `}`, 0, map[string]any{"deleted": true}},
		} {
			got := s.object("ann", "PUT", path+c.query, c.body)
			if fmt.Sprint(got["success_count"]) != fmt.Sprint(c.done) {
				t.Errorf("step %d: %v", i, got)
			}
			check(t, fmt.Sprint("step ", i), s.object("ann", "GET", "/api/datasets/"+a, ""), c.want)
		}
		check(t, "the other's", s.object("bob", "GET", "/api/datasets/"+foreign, ""), map[string]any{"visible": true})
		if w := s.ask("ann", "PUT", path, `{"operation":"nonsense"}`); w.Code != 400 {
			t.Errorf("nonsense: %d %s", w.Code, w.Body)
		}
		var changed []map[string]any
		s.get("ann", "PUT", "/api/histories/"+h+"/contents", `{"visible":false,"items":`+items(b, foreign)+`}`, &changed)
		if len(changed) != 1 || changed[0]["visible"] != false {
			t.Errorf("batch: %v", changed)
		}
	})
}

func TestNobodySeesOrChangesWhatIsAnothers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h, mine := s.history("ann", "secret"), s.history("bob", "mine")
		d := s.dataset(h, "secret.txt", "txt", "secret\n")
		s.write(func(ctx context.Context, tx *store.Tx) error { // closed by a role
			role, err := store.PrivateRole(ctx, tx, s.actors["ann"].UserID())
			if err != nil {
				return err
			}
			row, err := store.HDAByID(ctx, tx, s.decode(d))
			if err != nil {
				return err
			}
			_, err = store.Insert(ctx, tx, "dataset_permissions", store.Values{"action": store.ActionAccess, "dataset_id": row.Dataset.ID, "role_id": role})
			return err
		})
		hd, dd := "/api/histories/"+h, "/api/datasets/"+d
		item := `{"id":"` + d + `","history_content_type":"dataset","type":"dataset","src":"hda"}`
		for _, c := range []struct{ method, path, body string }{
			{"GET", hd, ""}, {"GET", hd + "/contents", ""}, {"GET", hd + "/contents?v=dev", ""}, {"GET", hd + "/contents/" + d, ""},
			{"GET", hd + "/contents/datasets/" + d, ""}, {"GET", hd + "/contents/" + d + "/display", ""}, {"GET", hd + "/tags", ""},
			{"GET", hd + "/contents/" + d + "/tags", ""}, {"GET", hd + "/contents/" + d + "/extra_files", ""},
			{"PUT", hd, `{"name":"x"}`}, {"DELETE", hd, ""}, {"DELETE", hd + "?purge=true", ""}, {"POST", "/api/histories/deleted/" + h + "/undelete", ""},
			{"PUT", "/api/histories/batch/delete", `{"ids":["` + h + `"]}`}, {"POST", hd + "/archive", ""}, {"POST", hd + "/tags/x", ""},
			{"PUT", hd + "/contents/" + d, `{"name":"x"}`}, {"PUT", hd + "/contents", `{"items":[` + item + `],"deleted":true}`},
			{"PUT", hd + "/contents/bulk", `{"operation":"purge","items":[` + item + `]}`}, {"DELETE", hd + "/contents/" + d, ""},
			{"POST", hd + "/contents", `{"source":"hda","content":"` + d + `"}`}, {"POST", "/api/histories/" + mine + "/contents", `{"source":"hda","content":"` + d + `"}`},
			{"POST", hd + "/copy_contents", `{"source_content":[` + item + `],"target_history_name":"x"}`}, {"POST", "/api/histories", `{"history_id":"` + h + `"}`},
			{"GET", dd, ""}, {"GET", dd + "/display", ""}, {"GET", "/datasets/" + d + "/display?to_ext=txt", ""}, {"GET", dd + "/get_content_as_text", ""},
			{"GET", dd + "/storage", ""}, {"GET", dd + "/extra_files", ""}, {"PUT", dd, `{"name":"x"}`}, {"DELETE", dd, ""}, {"PUT", "/api/histories/" + mine + "/contents/" + d, `{"name":"x"}`},
			{"POST", hd + "/contents/" + d + "/tags/x", ""}, {"GET", "/api/datasets?history_id=" + h, ""}, {"GET", "/history/set_as_current?id=" + h, ""},
		} {
			for _, who := range []string{"bob", ""} {
				w := s.ask(who, c.method, c.path, c.body)
				if w.Code != 403 && w.Code != 404 || bytes.Contains(w.Body.Bytes(), []byte("secret")) {
					t.Errorf("%q %s %s: %d %s", who, c.method, c.path, w.Code, w.Body)
				}
			}
		}
		got := s.object("bob", "DELETE", "/api/datasets", `{"datasets":[`+item+`],"purge":true}`)
		if fmt.Sprint(got["success_count"]) != "0" || !strings.Contains(fmt.Sprint(got["errors"]), "not owned") {
			t.Errorf("batch: %v", got)
		}
		check(t, "untouched", s.object("ann", "GET", dd, ""), map[string]any{"name": "secret.txt", "deleted": false, "tags": []any{}})
		// Shared, the history opens; the dataset stays closed.
		s.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := store.Insert(ctx, tx, "history_user_share_association", store.Values{"history_id": s.decode(h), "user_id": s.actors["bob"].UserID()})
			return err
		})
		list := s.list("bob", hd+"/contents?v=dev&view=detailed")
		check(t, "shared", list[0], map[string]any{"accessible": false, "peek": nil})
		if _, ok := list[0]["uuid"]; ok {
			t.Error("a closed dataset was printed in full")
		}
		if w := s.ask("bob", "GET", dd+"/display", ""); w.Code != 403 {
			t.Errorf("a closed dataset was displayed: %d", w.Code)
		}
		if got := s.list("bob", "/api/histories/shared_with_me"); len(got) != 1 {
			t.Errorf("shared with me: %v", got)
		}
		check(t, "an administrator", s.object("root", "GET", dd, ""), map[string]any{"name": "secret.txt"})
		for _, path := range []string{"/api/histories/zzzz", "/api/datasets/adb5f5c93f827949", hd[:len(hd)-2]} {
			if w := s.ask("ann", "GET", path, ""); w.Code != 400 && w.Code != 404 {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

func TestCopying(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h, target := s.history("ann", "source"), s.history("ann", "target")
		a := s.dataset(h, "a", "txt", "x\n")
		s.object("ann", "PUT", "/api/datasets/"+a, `{"annotation":"note","tags":["t"]}`)
		one := s.object("ann", "POST", "/api/histories/"+target+"/contents", `{"source":"hda","content":"`+a+`"}`)
		check(t, "copy", one, map[string]any{"name": "a", "hid": 1, "history_id": target, "annotation": "note", "tags": []any{"t"}, "peek": one["peek"]})
		chain := s.list("ann", "/api/datasets/"+one["id"].(string)+"/inheritance_chain")
		if len(chain) != 1 || chain[0]["dep"] != "Copied from history 'source'" {
			t.Errorf("chain: %v", chain)
		}
		made := s.object("ann", "POST", "/api/histories", `{"history_id":"`+h+`"}`)
		check(t, "history", made, map[string]any{"name": "Copy of 'source'", "count": 1})
		if got := s.list("ann", "/api/histories/"+made["id"].(string)+"/contents"); len(got) != 1 || got[0]["hid"] != 1.0 {
			t.Errorf("copied contents: %v", got)
		}
		s.object("ann", "POST", "/api/histories/"+h+"/copy_contents", `{"source_content":[{"id":"`+a+`","type":"dataset"}],"target_history_ids":["`+target+`"]}`)
		if got := s.list("ann", "/api/histories/"+target+"/contents"); len(got) != 2 {
			t.Errorf("contents: %v", got)
		}
		// Somebody else imports the history once it is published.
		s.object("ann", "PUT", "/api/histories/"+h, `{"published":true}`)
		imported := s.object("bob", "POST", "/api/histories", `{"history_id":"`+h+`","name":"mine"}`)
		check(t, "imported", imported, map[string]any{"name": "mine", "username": "bob", "size": 2, "published": false})
	})
}

func TestHistoryTags(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		h := s.history("ann", "h")
		d := s.dataset(h, "a", "txt", "x\n")
		for _, base := range []string{"/api/histories/" + h, "/api/histories/" + h + "/contents/" + d} {
			check(t, "added", s.object("ann", "POST", base+"/tags/group", `{"value":"a"}`), map[string]any{"user_tname": "group", "user_value": "a"})
			check(t, "shown", s.object("ann", "GET", base+"/tags/group", ""), map[string]any{"user_tname": "group"})
			if got := s.list("ann", base+"/tags"); len(got) != 1 {
				t.Errorf("tags: %v", got)
			}
			if w := s.ask("ann", "DELETE", base+"/tags/group", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "true" {
				t.Errorf("removing: %d %s", w.Code, w.Body)
			}
			if w := s.ask("ann", "DELETE", base+"/tags/group", ""); w.Code != 404 {
				t.Errorf("removing again: %d %s", w.Code, w.Body)
			}
		}
	})
}

func TestSearchingHistories(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShelf(t, db)
		s.history("ann", "alpha one")
		b := s.history("ann", "beta")
		s.object("ann", "PUT", "/api/histories/"+b, `{"published":true,"tags":["rna"]}`)
		for _, c := range []struct {
			who, query, total string
		}{
			{"ann", "search=", "2"}, {"ann", "search=alpha", "1"}, {"ann", "search=tag:rna", "1"}, {"ann", "search=name:'alpha%20one'", "1"},
			{"ann", "search=is:published", "1"}, {"ann", "search=is:deleted", "0"}, {"bob", "search=", "0"},
			{"bob", "search=&show_own=false&show_published=true", "1"}, {"", "search=&show_own=false&show_published=true", "1"},
			{"bob", "search=user:ann&show_own=false&show_published=true", "1"},
		} {
			w := s.ask(c.who, "GET", "/api/histories?"+c.query, "")
			if w.Code != 200 || w.Header().Get("total_matches") != c.total {
				t.Errorf("%s asks %s: %d, %s matches; want %s", c.who, c.query, w.Code, w.Header().Get("total_matches"), c.total)
			}
		}
		if w := s.ask("", "GET", "/api/histories?search=", ""); w.Code != 400 {
			t.Errorf("a visitor's search: %d", w.Code)
		}
		if w := s.ask("ann", "GET", "/api/histories?search=&sort_by=hid", ""); w.Code != 400 {
			t.Errorf("sorting by hid: %d", w.Code)
		}
		if w := s.ask("ann", "GET", "/api/histories/count", ""); strings.TrimSpace(w.Body.String()) != "2" {
			t.Errorf("count: %s", w.Body)
		}
	})
}
