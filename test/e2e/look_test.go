package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"orrery/internal/testenv"
)

// TestBrowserLooks goes to the corners of the client that a scientist meets in the first days, and looks at what is there.
func TestBrowserLooks(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		if s.Own == nil {
			t.Log("needs a server of its own, whose administrator registers first")
			return
		}
		w := newWalk(t, s)
		w.visitor()
		w.register()
		ids := w.bring()
		w.viewers(ids)
		w.editPage(ids["a table"])
		w.failedJob()
		w.labels()
		w.deletedForGood(ids["a text"])
		w.sideBySide()
		w.pages()
	})
}

// TestBrowserMistakes makes a visitor's mistakes. Each is answered with a sentence that says what is wrong.
func TestBrowserMistakes(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		bob := newPerson(t, s, "bob")
		var history struct{ ID string }
		bob.must("POST", "/api/histories", map[string]any{"name": "Bob's secrets"}, &history)
		w := newWalk(t, s, `^POST \S*/user/(login|create) answers 4\d\d$`, `^GET \S*/api/histories/`+history.ID+`\S* answers 403$`)
		w.name, w.email = "alice", "alice@example.org"

		w.Open(s.URL + "/login/start")
		w.Fill("#login-form-name", "bob")
		w.Fill("#login-form-password", "not his password")
		w.Click("button[name=login]")
		w.See(".alert-danger has Invalid password")
		w.Screenshot("wrong password")

		w.Open(s.URL + "/register/start")
		w.Fill("#register-form-email", bob.email())
		w.Fill("#register-form-password", password)
		w.Fill("#register-form-confirm", password)
		w.Fill("#register-form-username", "another-bob")
		w.Click("button[name=create]")
		w.See(".alert-danger has already")
		w.Screenshot("an address that is taken")

		w.register()
		w.Open(s.URL + "/histories/view?id=" + history.ID)
		w.Quiet()
		w.Screenshot("the history of somebody else")
		w.Gone("body has Bob's secrets")
		if status, _ := w.session().get(t, "/api/histories/"+history.ID); status != http.StatusForbidden {
			t.Errorf("the history of somebody else: status %d", status)
		}
	})
}

// visitor is somebody without an account.
func (w *walk) visitor() {
	w.t.Helper()
	w.Open(w.s.URL + "/")
	w.See("#masthead")
	w.See(`[data-description="panel toolbox"] input`)
	w.Quiet()
	w.Screenshot("anonymous home")
	w.openUpload()
	w.Screenshot("anonymous upload")
	w.Click("#regular #btn-close")
}

// session is the browser's login outside of the browser.
func (w *walk) session() *session {
	return &session{server: w.s, Client: &http.Client{Jar: w.Cookies(w.s.URL)}}
}

// bring uploads one dataset of each of several kinds, and gives their ids by name.
func (w *walk) bring() map[string]string {
	w.t.Helper()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		w.t.Fatal(err)
	}
	const pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
		"3 0 obj<</Type/Page/MediaBox[0 0 200 200]/Parent 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
	files := map[string][]byte{"/a picture.png": picture.Bytes(), "/a document.pdf": []byte(pdf)}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := rw.Write(files[r.URL.Path]); err != nil {
			w.t.Error(err)
		}
	}))
	defer web.Close()
	var table strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&table, "chr%d\t%d\tgene %d\n", i%22+1, i*100, i)
	}
	paste := func(name, ext, content string) map[string]any {
		return map[string]any{"src": "pasted", "paste_content": content, "name": name, "ext": ext}
	}
	items := []any{
		paste("a text", "txt", "Some lines\nof text.\n"),
		paste("a table", "tabular", table.String()),
		paste("a page", "html", "<html><body><h1>A heading</h1><p onclick='act()'>A paragraph</p></body></html>\n"),
		map[string]any{"src": "url", "url": web.URL + "/a%20picture.png", "name": "a picture", "ext": "auto"},
		map[string]any{"src": "url", "url": web.URL + "/a%20document.pdf", "name": "a document", "ext": "auto"},
	}
	in := w.session()
	_, body := in.get(w.t, "/history/current_history_json")
	var history struct{ ID string }
	if err := json.Unmarshal(body, &history); err != nil {
		w.t.Fatal(err)
	}
	body = in.post(w.t, "/api/tools/fetch", "", map[string]any{
		"history_id": history.ID, "targets": []any{map[string]any{"destination": map[string]any{"type": "hdas"}, "items": items}},
	})
	var made struct{ Outputs []struct{ ID, Name string } }
	if err := json.Unmarshal(body, &made); err != nil {
		w.t.Fatal(err)
	}
	ids := make(map[string]string)
	for _, output := range made.Outputs {
		ids[output.Name] = output.ID
		w.last++
		w.ok()
	}
	w.Screenshot("datasets of several kinds")
	return ids
}

// frame is a JavaScript expression of the document inside of the page's frame.
const frame = `document.querySelector("iframe#frame")?.contentDocument`

func (w *walk) viewers(ids map[string]string) {
	w.t.Helper()
	for _, look := range []struct{ name, until string }{
		{"a text", frame + `.body.innerText.includes("of text.")`},
		{"a table", `document.body.innerText.includes("gene 17")`},
		{"a page", frame + `.body.innerText.includes("A heading") && !` + frame + `.querySelector("[onclick]")`},
		{"a picture", `[document, ` + frame + `].some(d => [...(d?.querySelectorAll("img") ?? [])].some(i => i.naturalWidth === 40))`},
		{"a document", frame + `?.contentType === "application/pdf"`},
	} {
		w.Open(w.s.URL + "/datasets/" + ids[look.name])
		w.Until("to see "+look.name, look.until)
		w.Quiet()
		w.Screenshot("view " + look.name)
	}
}

// editPage changes the attributes of a dataset, its type and back, and who may see it.
func (w *walk) editPage(id string) {
	w.t.Helper()
	w.Open(w.s.URL + "/datasets/" + id + "/edit")
	w.Fill(`[id="form-element-name"] input, input#name`, "a table of genes")
	w.Screenshot("edit attributes")
	w.Click("#dataset-attributes-default-save")
	w.See(".alert has Attributes updated")
	w.See(item(2, "ok") + " has a table of genes")
	w.Screenshot("attributes saved")
	// The client makes the form anew when the history tells of the change, and forgets which tab was open.
	w.Open(w.s.URL + "/datasets/" + id + "/edit")
	w.See("#dataset-attributes-default-save")
	w.Quiet()
	w.Click("a[role=tab] has Datatypes")
	w.Screenshot("edit datatypes")
	w.Click("#dataset-attributes-autodetect-datatype, button has Auto-detect")
	w.See(".alert has Detection was finished")
	w.Screenshot("datatype detected")
	w.Click("a[role=tab] has Permissions")
	w.Quiet()
	w.Screenshot("edit permissions")
}

func (w *walk) failedJob() {
	w.t.Helper()
	w.Open(w.s.URL + "/?tool_id=fail_on_purpose&version=latest")
	w.Click("button#execute")
	w.last++
	w.Await("the job to fail", jobPatience, `document.querySelector('`+item(w.last, "error")+`')`)
	w.expand(w.last)
	w.Screenshot("failed dataset")
	w.Click(item(w.last, "error") + ` a[href$="/error"]`)
	w.See("body has This job fails because it was asked to.")
	w.Quiet()
	w.Screenshot("error page")
}

// labels gives a dataset a tag and its history a tag and an annotation.
func (w *walk) labels() {
	w.t.Helper()
	w.Open(w.s.URL + "/")
	w.expand(1)
	w.Click(item(1, "ok") + " .stateless-tags button has Add Tags")
	w.Screenshot("adding a tag")
	w.Do("type a tag", testenv.Patience, chromedp.KeyEvent("first\r"))
	w.See(item(1, "ok") + " .tag has first")
	w.Click(`#current-history-panel [data-description="editor toggle"]`)
	w.Fill(`#current-history-panel [data-description="annotation input"]`, "What was measured in May")
	w.Click(`#current-history-panel [data-description="editor save button"]`)
	w.See(`#current-history-panel has What was measured in May`)
	w.Screenshot("tag and annotation")
}

// deletedForGood deletes the first dataset and purges it.
func (w *walk) deletedForGood(id string) {
	w.t.Helper()
	w.Click(item(1, "ok") + " .delete-btn")
	w.Gone(item(1, ""))
	w.Click(`[data-description="include deleted items button"]`)
	w.expand(1)
	w.Screenshot("deleted dataset")
	w.Open(w.s.URL + "/storage/management")
	w.Quiet()
	w.Screenshot("one dataset to clean up")
	w.Click("a has Review and clear")
	w.See("td has a text")
	w.Quiet()
	w.Screenshot("reviewing what to clean up")
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, w.s.URL+"/api/storage/datasets",
		strings.NewReader(`{"item_ids": ["`+id+`"]}`))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	status, body := w.session().do(w.t, request)
	if want := `{"total_item_count":1,"success_item_count":1,"total_free_bytes":20,"errors":[]}`; status != http.StatusOK || string(body) != want {
		w.t.Errorf("cleaning up: %d %s, want %s", status, body, want)
	}
	w.Open(w.s.URL + "/storage/management")
	w.Quiet()
	w.Gone("a has Review and clear")
	w.Screenshot("cleaned up")
}

// sideBySide shows the histories beside each other.
func (w *walk) sideBySide() {
	w.t.Helper()
	w.Open(w.s.URL + "/histories/view_multiple")
	w.See("body has Unnamed history")
	w.Quiet()
	w.Screenshot("side by side")
}

// pages opens what is left.
func (w *walk) pages() {
	w.t.Helper()
	for _, page := range []string{
		"/storage", "/storage/management", "/storage/history/", "/histories/archived", "/histories/list_published", "/histories/list_shared", "/datasets/list",
		"/user/api_key", "/user/permissions", "/user/external_ids", "/user/notifications", "/custom_builds", "/user/toolbox_filters", "/user/password",
		"/admin", "/admin/users", "/admin/jobs", "/admin/data_types", "/admin/data_tables", "/admin/roles", "/admin/groups", "/admin/quotas",
		"/admin/forms", "/admin/display_applications", "/admin/reset_metadata", "/admin/sanitize_allow", "/admin/toolbox_dependencies",
		"/admin/data_manager", "/admin/error_stack", "/admin/invocations", "/admin/notifications",
		"/about", "/tours", "/datatypes", "/visualizations", "/workflows/import", "/workflows/create", "/histories/import", "/tools/list/ontologies",
		"/import/zip", "/interactivetool_entry_points/list",
	} {
		w.Open(w.s.URL + page)
		w.See("#masthead")
		w.Quiet()
		w.Screenshot("page " + page)
		w.Gone(".alert-danger:not(#current-history-panel *)")
	}
}
