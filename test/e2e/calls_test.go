package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// session is an HTTP client with a login, as a browser has it.
type session struct {
	*http.Client
	server server
}

// logIn logs in as the client's form does.
func logIn(t *testing.T, s server, login, password string) *session {
	t.Helper()
	in := &session{server: s, Client: newBrowser(t)}
	status, body := in.get(t, "/login/start")
	token := regexp.MustCompile(`session_csrf_token = "([^"]*)"`).FindSubmatch(body)
	if status != http.StatusOK || token == nil {
		t.Fatalf("the login page: %d, no token in\n%s", status, body)
	}
	in.post(t, "/user/login", "", map[string]any{"login": login, "password": password, "session_csrf_token": string(token[1])})
	return in
}

// newBrowser is a client that keeps cookies and follows no redirection.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// logInAdmin logs in as the administrator, who is made first on a server of the test's own.
func logInAdmin(t *testing.T, s server) *session {
	t.Helper()
	if s.Own == nil {
		return logIn(t, s, testenv.AdminEmail, os.Getenv("ORRERY_E2E_ADMIN_PASSWORD"))
	}
	(&session{server: s, Client: http.DefaultClient}).post(t, "/api/users", s.Key, map[string]any{
		"username": "admin", "email": testenv.AdminEmail, "password": password,
	})
	return logIn(t, s, testenv.AdminEmail, password)
}

func (in *session) get(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, in.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return in.do(t, request)
}

// post fails the test unless the answer is 200.
func (in *session) post(t *testing.T, path, key string, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.server.URL+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("X-Api-Key", key)
	}
	status, body := in.do(t, request)
	if status != http.StatusOK {
		t.Fatalf("POST %s: %d %s", path, status, body)
	}
	return body
}

func (in *session) do(t *testing.T, request *http.Request) (status int, body []byte) {
	t.Helper()
	response, err := in.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// TestClientCalls makes each request that the client makes while its main pages are opened.
func TestClientCalls(t *testing.T) {
	recorded, err := os.ReadFile("testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var calls []struct {
		Path   string
		Status int
	}
	if err := json.Unmarshal(recorded, &calls); err != nil {
		t.Fatal(err)
	}
	onEachServer(t, func(t *testing.T, s server) {
		in := logInAdmin(t, s)
		_, body := in.get(t, "/history/current_history_json")
		var history struct{ ID string }
		if err := json.Unmarshal(body, &history); err != nil || history.ID == "" {
			t.Fatalf("no current history: %v\n%s", err, body)
		}
		for _, call := range calls {
			path := strings.ReplaceAll(call.Path, ":id", history.ID)
			t.Run("GET "+call.Path, func(t *testing.T) {
				status, body := in.get(t, path)
				if status != call.Status {
					t.Fatalf("status %d, want %d\n%.1000s", status, call.Status, body)
				}
				if status == http.StatusOK && strings.HasPrefix(path, "/api/") {
					if err := conforms(path, body); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
}

// mainPages are what a visitor opens; the client then asks for whatever it needs.
var mainPages = []string{
	"/", "/?tool_id=cat1", "/histories/list", "/datasets/list", "/workflows/list", "/workflows/invocations", "/libraries", "/pages/list",
	"/visualizations/list", "/tools/list", "/user", "/histories/view_multiple", "/user/information",
}

// TestMainPages opens the client's main pages in a browser, as a user and with a dataset in the history, and checks
// every JSON answer that the client got: each request is made again and validated.
func TestMainPages(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		w := newWalk(t, s)
		w.register()
		w.paste("a\tb\n")
		w.checkPages()
	})
}

func (w *walk) checkPages() {
	t, s := w.t, w.s
	seen := make(map[string]bool)
	before := len(w.Requests()) // made by the visitor who was not logged in yet, whose history is another
	for _, page := range mainPages {
		w.Open(s.URL + page)
		w.See("#masthead")
		w.Quiet()
		w.Screenshot("page " + page)
	}
	jar := w.Cookies(s.URL)
	in := &session{server: s, Client: &http.Client{Jar: jar}}
	for _, request := range w.Requests()[before:] {
		method, address, _ := strings.Cut(request, " ")
		path, ours := strings.CutPrefix(address, s.URL)
		if method != http.MethodGet || !ours || !strings.HasPrefix(path, "/api/") || seen[path] || strings.Contains(path, "unprivileged_tools") {
			continue
		}
		seen[path] = true
		t.Run(fmt.Sprintf("GET %.120s", path), func(t *testing.T) {
			status, body := in.get(t, path)
			if status != http.StatusOK {
				t.Fatalf("status %d\n%.1000s", status, body)
			}
			if strings.Contains(path, "/display") { // a dataset's bytes
				return
			}
			if err := conforms(path, body); err != nil {
				t.Error(err)
			}
		})
	}
	if len(seen) < 15 {
		t.Errorf("the client asked for %d things only", len(seen))
	}
}

// TestDescription makes sure that the validation validates.
func TestDescription(t *testing.T) {
	for _, test := range []struct {
		name, path, body string
		ok               bool
	}{
		{"right", "/api/version", `{"version_major":"26.1","version_minor":"2"}`, true},
		{"no route of the description", "/api/nosuch", `[1]`, true},
		{"wrong type", "/api/histories/count", `"many"`, false},
		{"no JSON", "/api/version", `<html>`, false},
		{"wrong type inside of a list", "/api/datatypes", `["txt", 7]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := conforms(test.path, []byte(test.body)); (err == nil) != test.ok {
				t.Errorf("%v", err)
			}
		})
	}
}
