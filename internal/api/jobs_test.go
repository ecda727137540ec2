package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/api"
	"orrery/internal/datatype"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
	"orrery/internal/tool"
	"orrery/internal/upload"
	"orrery/internal/wake"
)

// workshop is a shelf with our tools, jobs and uploads.
type workshop struct {
	*shelf
	jobs *job.Service
	tus  *upload.Tus
}

// openLock is a job lock that nobody sets.
type openLock struct{ locked bool }

func (l *openLock) Locked() bool           { return l.locked }
func (l *openLock) SetLocked(b bool) error { l.locked = b; return nil }

func newWorkshop(t *testing.T, db *store.DB) *workshop {
	t.Helper()
	w := &workshop{shelf: newShelf(t, db)}
	dir := t.TempDir()
	conf := filepath.Join(testenv.Root(t), "tools", "tool_conf.xml")
	box, err := tool.Open(tool.Options{Files: []string{conf}, ToolPath: filepath.Dir(conf)})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := wake.Open(filepath.Join(dir, "run"), "test", false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	types := datatype.Default()
	w.jobs = &job.Service{
		DB: db, Objects: w.objects, IDs: w.ids, Datatypes: tool.RegistryDatatypes(types), Wake: bus,
		Assign: func(context.Context, string) (string, error) { return "_default_", nil }, ChromInfo: func(string) string { return "" }, JobsDir: filepath.Join(dir, "jobs"),
	}
	w.tus, err = upload.NewTus(upload.TusOptions{Dir: filepath.Join(dir, "tus"), Authenticate: w.actors.Authenticate, Fail: w.router.WriteError})
	if err != nil {
		t.Fatal(err)
	}
	uploads := &api.Uploads{Service: &upload.Service{Jobs: w.jobs, Tus: w.tus, MaxBytes: 1 << 20}, Datatypes: types}
	uploads.Register(w.router)
	(&api.Tools{Toolbox: box, Jobs: w.jobs, Datatypes: types, Uploads: uploads}).Register(w.router)
	(&api.Jobs{Service: w.jobs, Lock: &openLock{}}).Register(w.router)
	(&api.Catalogue{Datatypes: types, Toolbox: box}).Register(w.router)
	return w
}

// run runs cat1 and gives the encoded ids of its job and output.
func (w *workshop) run(actor, history, input string) (jobID, output string) {
	w.t.Helper()
	answer := w.object(actor, "POST", "/api/tools", fmt.Sprintf(`{"tool_id":"cat1","history_id":%q,"inputs":{"input1":{"src":"hda","id":%q}}}`, history, input))
	first := func(list string) string { return answer[list].([]any)[0].(map[string]any)["id"].(string) }
	return first("jobs"), first("outputs")
}

// refused checks that an answer is an error in Galaxy's form, and that none of
// the secrets is in it.
func (w *workshop) refused(actor, method, path, body string, statuses []int, secrets ...string) {
	w.t.Helper()
	res := w.ask(actor, method, path, body)
	ok := false
	for _, s := range statuses {
		ok = ok || res.Code == s
	}
	var e struct {
		Message string `json:"err_msg"`
		Code    int    `json:"err_code"`
	}
	if err := json.Unmarshal(res.Body.Bytes(), &e); !ok || err != nil || e.Message == "" || e.Code == 0 {
		w.t.Errorf("%q: %s %s answers %d %s, want %v", actor, method, path, res.Code, res.Body, statuses)
	}
	for _, s := range secrets {
		if strings.Contains(res.Body.String(), s) {
			w.t.Errorf("%q: %s %s tells %q: %s", actor, method, path, s, res.Body)
		}
	}
}

func TestStrangersLearnNothingOfJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorkshop(t, db)
		history := w.history("ann", "private")
		input := w.dataset(history, "topsecret", "txt", "classified\n")
		id, output := w.run("ann", history, input)
		w.object("ann", "GET", "/api/jobs/"+id, "")
		denied := []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized}
		for _, actor := range []string{"bob", ""} {
			for _, route := range []string{
				"GET /api/jobs/{job}", "GET /api/jobs/{job}?full=true", "DELETE /api/jobs/{job}", "PUT /api/jobs/{job}/resume", "GET /api/jobs/{job}/inputs",
				"GET /api/jobs/{job}/outputs", "GET /api/jobs/{job}/metrics", "GET /api/jobs/{job}/common_problems",
				"GET /api/jobs/{job}/destination_params", "GET /api/jobs/{job}/console_output?stdout_length=9", "GET /api/jobs/{job}/build_for_rerun",
				"GET /api/jobs/{job}/parameters_display", "GET /api/datasets/{output}/parameters_display", "GET /api/job_lock", "PUT /api/job_lock",
				"GET /api/jobs?history_id={history}", "PUT /api/configuration/toolbox", "GET /api/tools/cat1/build?history_id={history}",
				"POST /api/tools/cat1/build", "POST /api/tools", "POST /api/tools/fetch", "GET /api/jobs?view=admin_job_list",
				"GET /api/jobs?user_id={ann}", "GET /api/tools/cat1/requirements",
			} {
				method, path, _ := strings.Cut(route, " ")
				path = strings.NewReplacer("{job}", id, "{output}", output, "{history}", history, "{ann}", w.ids.Encode(w.actors["ann"].UserID())).Replace(path)
				body := ""
				switch route {
				case "POST /api/tools/cat1/build":
					body = fmt.Sprintf(`{"history_id":%q}`, history)
				case "POST /api/tools":
					body = fmt.Sprintf(`{"tool_id":"cat1","history_id":%q,"inputs":{"input1":{"src":"hda","id":%q}}}`, history, input)
				case "POST /api/tools/fetch":
					body = fmt.Sprintf(`{"history_id":%q,"targets":[{"destination":{"type":"hdas"},"elements":[{"src":"pasted","paste_content":"x"}]}]}`, history)
				}
				w.refused(actor, method, path, body, denied, "topsecret", "classified", "ann@example.org")
			}
		}
		// A stranger's own history does not open ann's dataset.
		own := w.history("bob", "own")
		w.refused("bob", "POST", "/api/tools", fmt.Sprintf(`{"tool_id":"cat1","history_id":%q,"inputs":{"input1":{"src":"hda","id":%q}}}`, own, input),
			append(denied, http.StatusBadRequest), "topsecret")
		if list := w.list("bob", "/api/jobs"); len(list) != 0 {
			t.Errorf("bob sees jobs: %v", list)
		}
		if list := w.list("", "/api/jobs"); len(list) != 0 {
			t.Errorf("a visitor sees jobs: %v", list)
		}
		if n := len(w.list("ann", "/api/jobs")); n < 1 {
			t.Errorf("ann sees %d jobs", n)
		}
		if state := w.object("ann", "GET", "/api/jobs/"+id, "")["state"]; state != "new" {
			t.Errorf("a stranger changed the job: %v", state)
		}
		// An administrator may look.
		w.object("root", "GET", "/api/jobs/"+id, "")
		if n := len(w.list("root", "/api/jobs?view=admin_job_list")); n < 1 {
			t.Errorf("the administrator sees %d jobs", n)
		}
	})
}

func TestRequestsThatCannotBeServed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorkshop(t, db)
		history := w.history("ann", "h")
		input := w.dataset(history, "d", "txt", "x\n")
		deletedHistory := w.history("ann", "deleted")
		w.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE history SET deleted = ? WHERE id = ?", true, w.decode(deletedHistory))
			return err
		})
		nowhere := w.ids.Encode(999999)
		in := func(s string) string {
			return fmt.Sprintf(`{"tool_id":"cat1","history_id":%q,"inputs":%s}`, history, s)
		}
		const bad, missing = http.StatusBadRequest, http.StatusNotFound
		for _, c := range []struct {
			method, path, body string
			status             int
		}{
			{"GET", "/api/jobs/" + nowhere, "", missing},
			{"GET", "/api/jobs/xyz", "", bad},
			{"GET", "/api/jobs/%00", "", bad},
			{"GET", "/api/jobs/'%20OR%201=1", "", bad},
			{"DELETE", "/api/jobs/xyz", "", bad},
			{"DELETE", "/api/jobs/" + nowhere, "{", bad},
			{"PUT", "/api/jobs/" + nowhere + "/resume", "", missing},
			{"GET", "/api/jobs?limit=-1", "", bad},
			{"GET", "/api/jobs?limit=x", "", bad},
			{"GET", "/api/jobs?history_id=zz", "", bad},
			{"GET", "/api/jobs?history_id=" + nowhere, "", missing},
			{"GET", "/api/jobs?date_range_min=yesterday", "", bad},
			{"GET", "/api/jobs?state=%00", "", bad},
			{"GET", "/api/jobs?search=%00", "", bad},
			{"GET", "/api/jobs?tool_id=%ff", "", bad},
			{"GET", "/api/jobs?search=%00&x=%zz", "", bad},
			{"GET", "/api/jobs?tool_id_like=a%00", "", bad},
			{"GET", "/api/tools/nothing", "", missing},
			{"GET", "/api/tools/nothing/build", "", missing},
			{"GET", "/api/tools/cat1/build?history_id=zz", "", bad},
			{"GET", "/api/tools/cat1/build?history_id=" + nowhere, "", missing},
			{"POST", "/api/tools/cat1/build", "[", bad},
			{"POST", "/api/tools", "", bad},
			{"POST", "/api/tools", "{", bad},
			{"POST", "/api/tools", "[]", bad},
			{"POST", "/api/tools", "null", bad},
			{"POST", "/api/tools", `"cat1"`, bad},
			{"POST", "/api/tools", `{"tool_id":"nothing","history_id":"` + history + `"}`, missing},
			{"POST", "/api/tools", `{"tool_id":"cat1","tool_version":"0.0.99","history_id":"` + history + `"}`, missing},
			{"POST", "/api/tools", `{"tool_id":{"a":1},"history_id":"` + history + `"}`, missing},
			{"POST", "/api/tools", `{"tool_id":"cat1","history_id":"zz"}`, bad},
			{"POST", "/api/tools", `{"tool_id":"cat1","history_id":5}`, bad},
			{"POST", "/api/tools", `{"tool_id":"cat1","history_id":"` + nowhere + `"}`, missing},
			{"POST", "/api/tools", `{"tool_id":"cat1","history_id":"` + deletedHistory + `"}`, bad},
			{"POST", "/api/tools", in(`[]`), bad},
			{"POST", "/api/tools", in(`"x"`), bad},
			{"POST", "/api/tools", in(`{"input1":null}`), bad},
			{"POST", "/api/tools", in(`{"input1":"zz"}`), bad},
			{"POST", "/api/tools", in(`{"input1":{"src":"hda"}}`), bad},
			{"POST", "/api/tools", in(`{"input1":{"src":"hda","id":"` + nowhere + `"}}`), bad},
			{"POST", "/api/tools", in(`{"input1":{"src":"wonder","id":"` + input + `"}}`), bad},
			{"POST", "/api/tools/fetch", "", bad},
			{"POST", "/api/tools/fetch", "{", bad},
			{"POST", "/api/tools/fetch", `{"targets":[]}`, bad},
			{"POST", "/api/tools/fetch", `{"history_id":"zz","targets":[{"destination":{"type":"hdas"},"elements":[{"src":"pasted"}]}]}`, bad},
			{"POST", "/api/tools/fetch", `{"history_id":"` + history + `","targets":[{"destination":{"type":"hdas"},"elements":[{"src":"pasted","ext":"nonsense"}]}]}`, bad},
			{"POST", "/api/tools/fetch", `{"history_id":"` + history + `","targets":[{"destination":{"type":"hdas"},"elements":[{"src":"path","path":"/etc/passwd"}]}]}`, http.StatusForbidden},
			{"POST", "/api/tools/fetch", `{"history_id":"` + history + `","files_0|file_data":{"session_id":"../../x"},"targets":[{"destination":{"type":"hdas"},"elements":[{"src":"files"}]}]}`, missing},
			{"POST", "/api/tools/fetch", `{"history_id":"` + history + `","targets":[{"destination":{"type":"hdas"},"elements":[{"src":"pasted","paste_content":"` + strings.Repeat("x", 1<<20+1) + `"}]}]}`, http.StatusRequestEntityTooLarge},
			{"POST", "/api/tools", `{"tool_id":"upload1","history_id":"` + history + `","inputs":{}}`, bad},
			{"POST", "/api/tools", `{"tool_id":"upload1","history_id":"` + history + `","inputs":"{"}`, bad},
			{"POST", "/api/tools", `{"tool_id":"upload1","history_id":"zz","inputs":{"files_0|url_paste":"x"}}`, bad},
			{"PATCH", "/api/tools", "", http.StatusMethodNotAllowed},
			{"GET", "/api/object_stores?selectable=maybe", "", bad},
			{"GET", "/api/datatypes?extension_only=maybe", "", bad},
		} {
			if len(c.body) > 300 {
				t.Logf("a body of %d bytes", len(c.body))
			}
			w.refused("ann", c.method, c.path, c.body, []int{c.status})
		}
		var jobs int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM job WHERE state = 'new'").Scan(&jobs); err != nil || jobs != 0 {
			t.Errorf("%d jobs were made by requests that were refused, %v", jobs, err)
		}
	})
}

// order reads the elements that an upload job is to bring in.
func (w *workshop) order(answer map[string]any) []upload.Element {
	w.t.Helper()
	id := w.decode(answer["jobs"].([]any)[0].(map[string]any)["id"].(string))
	params, err := store.JobParameters(w.t.Context(), w.db, id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range params {
		if p.Name != "request_json" {
			continue
		}
		var text string
		var r struct{ Elements []upload.Element }
		if err := json.Unmarshal([]byte(*p.Value), &text); err != nil {
			w.t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			w.t.Fatal(err)
		}
		return r.Elements
	}
	w.t.Fatal("the job has no request")
	return nil
}

func TestUploadsOfOlderClients(t *testing.T) {
	w := newWorkshop(t, storetest.SQLite(t))
	history := w.history("ann", "h")
	post := func(inputs string) []upload.Element {
		t.Helper()
		return w.order(w.object("ann", "POST", "/api/tools", fmt.Sprintf(`{"tool_id":"upload1","history_id":%q,"inputs":%s}`, history, inputs)))
	}
	// As BioBlend's paste_content and put_url send it.
	e := post(`{"file_type":"auto","dbkey":"?","files_0|type":"upload_dataset","files_0|url_paste":"a\tb","files_0|NAME":"../n","files_0|to_posix_lines":false}`)
	if len(e) != 1 || e[0].Src != "pasted" || e[0].PasteContent != "a\tb" || e[0].Name != "../n" || e[0].ToPosixLines || e[0].SpaceToTab {
		t.Errorf("pasted: %+v", e)
	}
	e = w.order(w.object("ann", "POST", "/api/tools", fmt.Sprintf(
		`{"tool_id":"upload1","history_id":%q,"inputs":{"file_type":"txt","dbkey":"hg38","files_0|space_to_tab":"Yes"},"files_0|url_paste":"http://a.org/x\nhttps://b.org/y\n"}`, history)))
	if len(e) != 2 || e[1].URL != "https://b.org/y" || e[0].Ext != "txt" || e[0].DBKey != "hg38" || !e[0].SpaceToTab || !e[0].ToPosixLines {
		t.Errorf("addresses: %+v", e)
	}
	long := strings.Repeat("long line\n", 20000)
	text, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	e = post(`{"files_0|url_paste":` + string(text) + `}`)
	if len(e) != 1 || e[0].Src != "files" || e[0].PasteContent != "" {
		t.Fatalf("a long text: %+v", e)
	}
	if kept, err := os.ReadFile(filepath.Join(w.tus.Dir(), e[0].Upload)); err != nil || string(kept) != long {
		t.Errorf("a long text is kept as %d bytes, %v", len(kept), err)
	}
}

// form is a multipart body with fields and files.
func form(t *testing.T, fields map[string]string, files map[string][2]string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, value := range fields {
		if err := m.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range files {
		part, err := m.CreateFormFile(name, f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), m.FormDataContentType()
}

func TestUploadsByForm(t *testing.T) {
	w := newWorkshop(t, storetest.SQLite(t))
	history := w.history("ann", "h")
	fields := map[string]string{"tool_id": "upload1", "history_id": history, "inputs": `{"file_type":"txt","dbkey":"?","files_0|type":"upload_dataset"}`}
	body, kind := form(t, fields, map[string][2]string{"files_0|file_data": {"../../my file.txt", "contents\n"}})
	res := w.ask("ann", "POST", "/api/tools", body, "Content-Type", kind)
	var answer map[string]any
	if err := json.Unmarshal(res.Body.Bytes(), &answer); err != nil || res.Code != http.StatusOK {
		t.Fatalf("%d %s", res.Code, res.Body)
	}
	e := w.order(answer)
	if len(e) != 1 || e[0].Src != "files" || e[0].Name != "my file.txt" || e[0].Ext != "txt" {
		t.Fatalf("%+v", e)
	}
	if kept, err := os.ReadFile(filepath.Join(w.tus.Dir(), e[0].Upload)); err != nil || string(kept) != "contents\n" {
		t.Errorf("kept %q, %v", kept, err)
	}
	// bob cannot use ann's file.
	w.refused("bob", "POST", "/api/tools/fetch", fmt.Sprintf(
		`{"files_0|file_data":{"session_id":%q,"name":"x"},"history_id":%q,"targets":[{"destination":{"type":"hdas"},"elements":[{"src":"files"}]}]}`,
		e[0].Upload, w.history("bob", "h")), []int{http.StatusNotFound})
	for name, c := range map[string]struct {
		actor, body, kind string
		status            int
	}{
		"too large":    {"ann", "", "", http.StatusRequestEntityTooLarge},
		"cut off":      {"ann", body[:len(body)-40], kind, http.StatusBadRequest},
		"no boundary":  {"ann", body, "multipart/form-data", http.StatusBadRequest},
		"no session":   {"", body, kind, http.StatusUnauthorized},
		"odd encoding": {"ann", "%zz", "application/x-www-form-urlencoded", http.StatusBadRequest},
	} {
		if name == "too large" {
			c.body, c.kind = form(t, fields, map[string][2]string{"files_0|file_data": {"x", strings.Repeat("x", 1<<20+1)}})
		}
		res := w.ask(c.actor, "POST", "/api/tools", c.body, "Content-Type", c.kind)
		if res.Code != c.status || !strings.Contains(res.Body.String(), "err_msg") {
			t.Errorf("%s: %d %s", name, res.Code, res.Body)
		}
	}
	left, err := filepath.Glob(filepath.Join(w.tus.Dir(), "form-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestJobsOfVisitors(t *testing.T) {
	w := newWorkshop(t, storetest.SQLite(t))
	var historyID, sessionID, otherSession int64
	w.write(func(ctx context.Context, tx *store.Tx) (err error) {
		if historyID, err = store.CreateHistory(ctx, tx, store.History{Name: "visitor's"}); err != nil {
			return err
		}
		if sessionID, err = store.CreateSession(ctx, tx, store.NewSession{Key: galaxy.NewGUID()}); err != nil {
			return err
		}
		otherSession, err = store.CreateSession(ctx, tx, store.NewSession{Key: galaxy.NewGUID()})
		return err
	})
	w.actors["visitor"] = &galaxy.Actor{SessionID: sessionID, HistoryID: historyID}
	w.actors["other"] = &galaxy.Actor{SessionID: otherSession}
	history := w.ids.Encode(historyID)
	input := w.dataset(history, "d", "txt", "x\n")
	id, _ := w.run("visitor", history, input)
	w.object("visitor", "GET", "/api/jobs/"+id, "")
	for _, actor := range []string{"other", "bob", ""} {
		w.refused(actor, "GET", "/api/jobs/"+id, "", []int{http.StatusForbidden})
		w.refused(actor, "DELETE", "/api/jobs/"+id, "", []int{http.StatusForbidden, http.StatusUnauthorized})
	}
	if res := w.ask("visitor", "DELETE", "/api/jobs/"+id, ""); res.Code != http.StatusOK || res.Body.String() != "true" {
		t.Errorf("cancelling answers %d %s", res.Code, res.Body)
	}
	if res := w.ask("visitor", "DELETE", "/api/jobs/"+id, ""); res.Body.String() != "false" {
		t.Errorf("cancelling again answers %s", res.Body)
	}
}
