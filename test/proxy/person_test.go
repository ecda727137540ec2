package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// address is where people find the server, whatever stands behind the name.
const address = "https://" + testenv.SiteName

const password = "correct horse battery"

// person is somebody with a browser, or a script with an API key.
type person struct {
	t      testing.TB
	client *http.Client
	base   string // address and prefix
	key    string
	// header is sent with each request.
	header http.Header
}

func through(t testing.TB, client *http.Client, base string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client.Jar = jar
	return &person{t: t, client: client, base: base, header: http.Header{}}
}

// answer is a response whose body is read.
type answer struct {
	*http.Response
	body string
}

func (p *person) try(method, path string, header map[string]string, body io.Reader) (*answer, error) {
	if !strings.Contains(path, "://") {
		path = p.base + path
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range p.header {
		request.Header[name] = values
	}
	if p.key != "" {
		request.Header.Set("X-Api-Key", p.key)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return &answer{response, string(text)}, nil
}

// do makes a request; header holds names and values in turn.
func (p *person) do(method, path string, body io.Reader, header ...string) *answer {
	p.t.Helper()
	named := map[string]string{}
	for i := 0; i+1 < len(header); i += 2 {
		named[header[i]] = header[i+1]
	}
	a, err := p.try(method, path, named, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// get fails the test unless the answer has this status.
func (p *person) get(path string, status int, header ...string) *answer {
	p.t.Helper()
	a := p.do(http.MethodGet, path, nil, header...)
	if a.StatusCode != status {
		p.t.Fatalf("GET %s answers %s, want %d\n%.500s", path, a.Status, status, a.body)
	}
	return a
}

// call makes a request with and for JSON, which has to succeed; into may be nil.
func (p *person) call(method, path string, body, into any) {
	p.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	a := p.do(method, path, content, "Content-Type", "application/json")
	if a.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s: %s %.1000s", method, path, a.Status, a.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			p.t.Fatalf("%s %s: %v in\n%.1000s", method, path, err, a.body)
		}
	}
}

// register makes an account by the administrator's key and logs in as the client's form does. It returns the cookie.
func (p *person) register(name string) *http.Cookie {
	p.t.Helper()
	admin := &person{t: p.t, client: &http.Client{Transport: p.client.Transport}, base: p.base, key: testenv.AdminKey}
	admin.call("POST", "/api/users", map[string]any{"username": name, "email": name + "@example.org", "password": password}, nil)
	return p.logIn(name)
}

func (p *person) logIn(name string) *http.Cookie {
	p.t.Helper()
	page := p.get("/login/start", 200)
	token := regexp.MustCompile(`session_csrf_token = "([^"]*)"`).FindStringSubmatch(page.body)
	if token == nil {
		p.t.Fatalf("the login page has no token:\n%.500s", page.body)
	}
	text := fmt.Sprintf(`{"login": %q, "password": %q, "session_csrf_token": %q}`, name, password, token[1])
	// As a browser says where the form came from.
	origin := regexp.MustCompile(`^https?://[^/]*`).FindString(p.base)
	a := p.do("POST", "/user/login", strings.NewReader(text), "Content-Type", "application/json", "Origin", origin)
	if a.StatusCode != http.StatusOK {
		p.t.Fatalf("logging in: %s %s", a.Status, a.body)
	}
	for _, cookie := range a.Cookies() {
		if cookie.Name == "galaxysession" {
			return cookie
		}
	}
	p.t.Fatal("logging in gives no cookie")
	return nil
}

func (p *person) history() string {
	p.t.Helper()
	var h struct{ ID string }
	p.call("POST", "/api/histories", map[string]any{"name": "Behind a proxy"}, &h)
	return h.ID
}

const uploads = "/api/upload/resumable_upload/"

// begin announces an upload and returns its address.
func (p *person) begin(size int) string {
	p.t.Helper()
	a := p.do("POST", uploads, nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size),
		"Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte("lines.txt")))
	if a.StatusCode != http.StatusCreated {
		p.t.Fatalf("an upload cannot be begun: %s %s", a.Status, a.body)
	}
	at, err := a.Request.URL.Parse(a.Header.Get("Location"))
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.HasPrefix(at.String(), p.base+uploads) {
		p.t.Fatalf("the upload is at %s, which is not below %s", at, p.base+uploads)
	}
	return at.String()
}

func patchHeader(offset int) map[string]string {
	return map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Offset": strconv.Itoa(offset), "Content-Type": "application/offset+octet-stream",
	}
}

// patch sends a chunk.
func (p *person) patch(at string, offset int, chunk io.Reader) {
	p.t.Helper()
	a, err := p.try("PATCH", at, patchHeader(offset), chunk)
	if err != nil {
		p.t.Fatal(err)
	}
	if a.StatusCode != http.StatusNoContent {
		p.t.Fatalf("a chunk at %d answers %s %s", offset, a.Status, a.body)
	}
}

// use makes a dataset of a finished upload and returns its id.
func (p *person) use(history, at string) string {
	p.t.Helper()
	id := at[strings.LastIndexByte(at, '/')+1:]
	return p.made("/api/tools/fetch", map[string]any{
		"history_id": history, "files_0|file_data": map[string]any{"session_id": id, "name": "lines.txt"},
		"targets": []any{map[string]any{"destination": map[string]any{"type": "hdas"},
			"elements": []any{map[string]any{"src": "files", "name": "lines.txt", "ext": "txt", "to_posix_lines": false}}}},
	})
}

// run runs a tool on a dataset.
func (p *person) run(history, tool, dataset string) string {
	p.t.Helper()
	return p.made("/api/tools", map[string]any{
		"history_id": history, "tool_id": tool, "inputs": map[string]any{"input1": map[string]any{"src": "hda", "id": dataset}},
	})
}

// made asks for something that makes one dataset and returns its id.
func (p *person) made(path string, body any) string {
	p.t.Helper()
	var m struct{ Outputs []struct{ ID string } }
	p.call("POST", path, body, &m)
	if len(m.Outputs) != 1 {
		p.t.Fatalf("%s made %d datasets", path, len(m.Outputs))
	}
	return m.Outputs[0].ID
}

// ok waits until a dataset is ok.
func (p *person) ok(dataset string) {
	p.t.Helper()
	var d struct {
		State string
		Info  string `json:"misc_info"`
	}
	testenv.Poll(p.t, "dataset "+dataset+" to end", 60*time.Second, func() bool {
		p.call("GET", "/api/datasets/"+dataset, nil, &d)
		return d.State == "ok" || d.State == "error"
	})
	if d.State != "ok" {
		p.t.Fatalf("dataset %s is %s: %s", dataset, d.State, d.Info)
	}
}

// lines is a text of so many bytes in which every line is another.
func lines(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d of a text\n", i)
	}
	return b.String()[:size-1] + "\n"
}
