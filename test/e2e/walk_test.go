package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"orrery/internal/testenv"
)

// TestBrowserWalk is a scientist's first visit: everything is done with mouse and keyboard in Galaxy's own client.
func TestBrowserWalk(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		w := newWalk(t, s)
		w.register()
		w.logOutAndIn()
		w.uploadByPaste()
		w.uploadByFile()
		w.uploadByURL()
		w.runTool()
		w.runAgain()
		w.lookAt()
		w.download()
		w.jobInformation()
		w.deleteAndRestore()
		w.histories()
	})
}

// newWalk opens a browser. allowed are failures that are none, beyond those that every visit has.
func newWalk(t *testing.T, s server, allowed ...string) *walk {
	w := &walk{t: t, s: s, name: "walker-" + strings.ToLower(rand.Text()[:8])}
	w.email = w.name + "@example.org"
	if s.Own != nil {
		w.email = testenv.AdminEmail // whoever registers with it is an administrator
	}
	// The client asks for a user's own tools and lives with not being allowed to.
	allowed = append(allowed, `^GET .*/api/unprivileged_tools\S* answers 403$`)
	if s.Own == nil {
		// A Galaxy as it comes asks another site which tools are used in trainings.
		allowed = append(allowed, `^GET https://training\.galaxyproject\.org/\S* fails: `)
	}
	w.Browser = testenv.OpenBrowser(t, allowed...)
	return w
}

type walk struct {
	*testenv.Browser
	t     *testing.T
	s     server
	name  string // the user's public name
	email string
	last  int // hid of the newest dataset
}

const (
	password = "correct horse 1"
	pasted   = "gene1\t10\ngene2\t20\ngene3\t30\n"
	chosen   = "alpha beta\ngamma delta\n"
	fetched  = "chr1\t5\t10\nchr2\t7\t9\n"
)

// jobPatience is how long a small job may take. A busy Galaxy needs much of it.
const jobPatience = 4 * time.Minute

// item names a dataset of the current history by its number and, unless it is "", its state.
func item(hid int, state string) string {
	if state != "" {
		state = fmt.Sprintf(`[data-state="%s"]`, state)
	}
	return fmt.Sprintf(`#current-history-panel .content-item[data-hid="%d"]%s`, hid, state)
}

// ok waits until the newest dataset is green.
func (w *walk) ok() {
	w.t.Helper()
	w.See(item(w.last, ""))
	w.Await(fmt.Sprintf("dataset %d to be ok", w.last), jobPatience, fmt.Sprintf(
		`document.querySelector('%s') || (() => { if (document.querySelector('%s')) throw new Error("it is in error") })()`,
		item(w.last, "ok"), item(w.last, "error")))
}

// expand opens a dataset's details in the history. A panel that is just being drawn anew may lose a click; a person
// clicks again then.
func (w *walk) expand(hid int) {
	w.t.Helper()
	details := item(hid, "") + " .details"
	for range 3 {
		if w.Shows(details, 100*time.Millisecond) {
			return
		}
		w.Click(item(hid, "") + " .content-title")
		if w.Shows(details, 20*time.Second) {
			return
		}
	}
	w.See(details)
}

func (w *walk) register() {
	w.t.Helper()
	w.Open(w.s.URL + "/")
	w.See("#masthead")
	w.See(`[data-description="register masthead button"]`)
	w.Screenshot("home")
	w.Click(`[data-description="register masthead button"]`)
	w.Fill("#register-form-email", w.email)
	w.Fill("#register-form-password", password)
	w.Fill("#register-form-confirm", password)
	w.Fill("#register-form-username", w.name)
	w.Screenshot("register")
	w.Click("button[name=create]")
	w.See("#user has " + w.name)
	w.See("#current-history-panel has Unnamed history")
	w.Screenshot("registered")
}

func (w *walk) logOutAndIn() {
	w.t.Helper()
	w.Click("#user > a")
	w.Click(`[data-description="user sign out"]`)
	w.See(`[data-description="login masthead button"]`)
	w.Screenshot("logged out")
	w.Click(`[data-description="login masthead button"]`)
	w.Fill("#login-form-name", w.name)
	w.Fill("#login-form-password", password)
	w.Screenshot("log in")
	w.Click("button[name=login]")
	w.See("#user has " + w.name)
	w.See("#current-history-panel has Unnamed history")
	w.Screenshot("logged in")
}

// uploadRow is the only row of the upload dialogue, which goes on counting after it was emptied.
const uploadRow = `[id^="upload-row-"]`

// openUpload opens the upload dialogue, and empties it of what was uploaded before.
func (w *walk) openUpload() {
	w.t.Helper()
	w.Click("#activity-upload")
	w.See("#regular #btn-new")
	w.Quiet() // until it has the lists it shows, it forgets what was added
	if w.last > 0 {
		w.Click("#regular #btn-reset")
		w.Gone(uploadRow)
	}
}

// paste types into the upload dialogue's text field and starts the upload.
func (w *walk) paste(text string) {
	w.t.Helper()
	w.openUpload()
	w.Click("#regular #btn-new")
	w.Click(uploadRow + " .upload-text-content")
	// Typing a tab would leave the field; the clipboard does not.
	w.Do("paste the text", testenv.Patience, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`document.execCommand("insertText", false, %q)`, text)))
	w.upload()
}

func (w *walk) upload() {
	w.t.Helper()
	w.Screenshot("upload chosen")
	w.Click("#regular #btn-start")
	w.last++
	w.Click("#regular #btn-close")
	w.Gone("#regular #btn-close")
	w.Screenshot("uploading")
	w.ok()
}

func (w *walk) uploadByPaste() {
	w.t.Helper()
	w.paste(pasted)
	w.expand(w.last)
	w.See(item(w.last, "ok") + " .blurb has 3 lines")
	w.See(item(w.last, "ok") + " .dataset-peek has gene2")
	w.See(item(w.last, "ok") + " .datatype has tabular")
	w.Screenshot("pasted dataset")
}

func (w *walk) uploadByFile() {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "words of a file.txt")
	if err := os.WriteFile(file, []byte(chosen), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.openUpload()
	w.See("#btn-local")
	w.Do("choose a file", testenv.Patience, chromedp.SetUploadFiles(chromedp.CSS(`#regular input[type="file"]`), []string{file}))
	w.See(uploadRow)
	w.upload()
	w.See(item(w.last, "ok") + " has words of a file.txt")
	w.expand(w.last)
	w.See(item(w.last, "ok") + " .blurb has 2 lines")
	w.Screenshot("dataset of a file")
}

func (w *walk) uploadByURL() {
	w.t.Helper()
	if w.s.Own == nil {
		w.t.Log("not fetching by URL: a server started by somebody else does not allow addresses of this machine")
		return
	}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, fetched)
	}))
	defer web.Close()
	w.paste(web.URL + "/regions.bed")
	w.expand(w.last)
	w.See(item(w.last, "ok") + " has regions.bed")
	w.See(item(w.last, "ok") + " .dataset-peek has chr2")
	w.Screenshot("dataset of an address")
}

// tool opens a tool's form by searching for it, as one does who does not know where it is.
func (w *walk) tool(search, id string) {
	w.t.Helper()
	const field = `[data-description="panel toolbox"] input`
	if w.Eval(`!!document.querySelector('`+field+`')`) == "false" {
		w.Click("#activity-tools")
	}
	w.Fill(field, search)
	w.Click(`a[href$="tool_id=` + id + `&version=latest"]`)
	w.See("button#execute")
}

// parameter names the form element of a tool's parameter.
func parameter(name string) string { return `div.ui-form-element[id="form-element-` + name + `"]` }

// choose sets a data parameter to the dataset whose name is given.
func (w *walk) choose(name, dataset string) {
	w.t.Helper()
	w.Click(parameter(name) + " .multiselect")
	w.Click(parameter(name) + " .multiselect__element has " + dataset)
	w.See(parameter(name) + " .multiselect__single has " + dataset)
}

func (w *walk) execute() {
	w.t.Helper()
	w.Click("button#execute")
	w.last++
	w.See(item(w.last, ""))
	w.Screenshot("running")
	w.ok()
}

func (w *walk) runTool() {
	w.t.Helper()
	w.tool("Concatenate datasets", "cat1")
	w.choose("input1", "Pasted Entry")
	w.Screenshot("tool form")
	w.execute()
	w.expand(w.last)
	w.See(item(w.last, "ok") + " .blurb has 3 lines")
	w.Screenshot("tool output")
}

// runAgain presses the output's button for that, and concatenates one dataset more.
func (w *walk) runAgain() {
	w.t.Helper()
	w.expand(w.last)
	w.Click(item(w.last, "ok") + " .rerun-btn")
	w.See(parameter("input1") + " .multiselect__single has Pasted Entry")
	w.Click(`[data-description="repeat insert"]`)
	w.choose("queries_0|input2", "words of a file.txt")
	w.Screenshot("run again")
	w.execute()
	w.expand(w.last)
	w.See(item(w.last, "ok") + " .blurb has 5 lines")
	w.Screenshot("output of the second run")
}

func (w *walk) lookAt() {
	w.t.Helper()
	w.Click(item(w.last, "ok") + " .display-btn")
	w.See("td:not(#current-history-panel td) has gamma")
	w.Screenshot("looking at the output")
}

func (w *walk) download() {
	w.t.Helper()
	w.expand(w.last)
	w.Click(item(w.last, "ok") + " .download-btn")
	name, file := w.Download(testenv.Patience)
	content, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	if want := pasted + chosen; string(content) != want {
		w.t.Errorf("downloaded %q, want %q", content, want)
	}
	if !strings.HasPrefix(name, "Galaxy") || !strings.Contains(name, "Concatenate") {
		w.t.Errorf("the download is called %q", name)
	}
}

func (w *walk) jobInformation() {
	w.t.Helper()
	w.Click(item(w.last, "ok") + ` .dataset-actions a[href$="/details"]`)
	w.See("table#dataset-details")
	w.Screenshot("job information")
	w.See("#stdout has Standard Output")
	w.See("#stderr has Standard Error")
	w.See("#exit-code has 0")
	if w.s.Own != nil { // what only administrators are shown
		w.See("#command-line has cat")
		w.See("tr has Handler")
	}
}

func (w *walk) deleteAndRestore() {
	w.t.Helper()
	w.Click(item(w.last, "ok") + " .delete-btn")
	w.Gone(item(w.last, ""))
	w.Screenshot("deleted")
	w.Click(`[data-description="include deleted items button"]`)
	w.See(item(w.last, ""))
	w.Screenshot("deleted datasets shown")
	w.Click(item(w.last, "") + " .undelete-btn")
	w.Gone(item(w.last, ""))
	w.Click(`[data-description="show active items button"]`)
	w.See(item(w.last, "ok"))
	w.Screenshot("restored")
}

func (w *walk) histories() {
	w.t.Helper()
	w.Click(`[data-description="create new history"]`)
	w.Gone(item(w.last, ""))
	w.See("#current-history-panel has This history is empty")
	w.Screenshot("new history")
	w.Click(`#current-history-panel [data-description="editor toggle"]`)
	w.Fill(`#current-history-panel [data-description="name input"]`, "Second thoughts")
	w.Screenshot("renaming")
	w.Click(`#current-history-panel [data-description="editor save button"]`)
	w.See(`#current-history-panel [data-description="name display"] has Second thoughts`)
	w.Screenshot("renamed")
	w.Click(`[data-description="switch to another history"]`)
	w.See(".g-card has Unnamed history")
	w.Screenshot("switching")
	w.Click(".g-card has Unnamed history")
	w.See(item(w.last, "ok"))
	w.Screenshot("switched")
}
