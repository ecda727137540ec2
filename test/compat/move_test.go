//go:build compat

package compat

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// TestTheServersTakeTurns lets one server begin, the other one go on with the same database and files, and the first one
// again: whoever comes next knows the person, shows everything under the same ids and addresses, and runs jobs on it.
func TestTheServersTakeTurns(t *testing.T) {
	const galaxy, orrery = "Galaxy", "Orrery"
	for _, c := range []struct {
		name     string
		database func(t *testing.T) (url string) // nil for SQLite
		turns    []string
		looks    bool // Galaxy shows everything there, and can do no more
	}{
		{"a Galaxy's database on PostgreSQL", onPostgreSQL, []string{galaxy, orrery, galaxy}, false},
		{"a Galaxy's database on SQLite", nil, []string{galaxy, orrery, galaxy}, false},
		{"an Orrery's database on SQLite", nil, []string{orrery, galaxy, orrery}, false},
		// Galaxy 26.1 can neither make its tables on MariaDB nor number a history's datasets, with UPDATE … RETURNING.
		{"an Orrery's database on MariaDB", onMariaDB, []string{orrery, galaxy, orrery}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place{data: t.TempDir()}
			p.url = "sqlite:///" + filepath.Join(p.data, "universe.sqlite") + "?isolation_level=IMMEDIATE"
			if c.database != nil {
				p.url = c.database(t)
			}
			var w work
			var before memory
			for i, turn := range c.turns {
				with := p.withGalaxy
				if turn == orrery {
					with = p.withOrrery
				}
				with(t, func(s site) {
					if i == 0 {
						w = s.firstDay()
						w.browser = newBrowser(t)
						s.logIn(w.browser)
					} else {
						s.knows(w)
						before.sameAs(t, turn, s.as(w.key).remember(w))
						if turn == orrery || !c.looks {
							w = s.goOn(w)
						}
					}
					before = s.as(w.key).remember(w)
				})
			}
		})
	}
}

func onPostgreSQL(t *testing.T) string { return testenv.Postgres(t).URL() }

// onMariaDB names the driver that Galaxy uses; Orrery takes no notice of it.
func onMariaDB(t *testing.T) string {
	return strings.Replace(testenv.MariaDB(t).URL(), "mysql://", "mysql+pymysql://", 1) + "?charset=utf8mb4"
}

// memory is what a server shows of a person's work: by the question asked, the members of the answer that matter.
type memory map[string]object

// remember asks for everything that has to be the same in the next server.
func (s site) remember(w work) memory {
	m := memory{}
	keep := func(path string, shown object, names ...string) {
		kept := object{}
		for _, name := range names {
			kept[name] = shown[name]
		}
		m[path] = kept
	}
	one := func(path string, names ...string) {
		s.t.Helper()
		keep(path, answer[object](s, http.MethodGet, path, nil), names...)
	}
	one("/api/users/current", "id", "email", "username", "deleted", "total_disk_usage")
	one("/api/histories/"+w.other, "id", "name", "deleted", "url", "create_time")
	one("/api/histories/"+w.history, "id", "name", "deleted", "url", "annotation", "tags", "size", "state", "create_time", "user_id",
		"published", "importable", "slug", "username_and_slug", "state_ids")
	for _, shown := range answer[[]object](s, http.MethodGet, "/api/histories/"+w.history+"/contents?v=dev", nil) {
		path := "/api/histories/" + w.history + "/contents/datasets/" + shown["id"].(string)
		one(path, "id", "hid", "name", "state", "extension", "file_ext", "deleted", "visible", "purged", "url", "uuid", "create_time",
			"file_size", "peek", "misc_blurb", "misc_info", "genome_build", "creating_job", "dataset_id", "metadata_columns",
			"metadata_column_types", "metadata_data_lines", "metadata_delimiter", "metadata_comment_lines", "tags", "permissions",
			"data_type", "download_url", "type_id", "history_content_type", "created_from_basename", "resubmitted", "validated_state")
		m["the file of "+path] = object{"content": s.content(w.history, shown["id"].(string))}
	}
	for _, shown := range answer[[]object](s, http.MethodGet, "/api/jobs?history_id="+w.history, nil) {
		path := "/api/jobs/" + shown["id"].(string) + "?full=true"
		one(path, "id", "state", "tool_id", "tool_version", "exit_code", "history_id", "user_id", "inputs", "outputs", "create_time",
			"tool_stdout", "tool_stderr", "params", "copied_from_job_id", "galaxy_version")
	}
	rerun := "/api/jobs/" + w.job + "/build_for_rerun"
	form := answer[object](s, http.MethodGet, rerun, nil)
	keep(rerun, form, "id", "version", "state_inputs")
	return m
}

// sameAs compares what the server before showed with what this one shows.
func (m memory) sameAs(t *testing.T, turn string, now memory) {
	t.Helper()
	for path := range now {
		if _, ok := m[path]; !ok {
			t.Errorf("%s shows %s, which was not there before", turn, path)
		}
	}
	for path, then := range m {
		shown, ok := now[path]
		if !ok {
			t.Errorf("%s does not show %s", turn, path)
			continue
		}
		for name, value := range then {
			if !reflect.DeepEqual(value, shown[name]) {
				t.Errorf("%s: %s: %s\n was %s\n  is %s", turn, path, name, text(value), text(shown[name]))
			}
		}
	}
}

func text(value any) string {
	out, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// knows checks that the person gets in with what another server gave out: key, password, histories.
func (s site) knows(w work) {
	s.t.Helper()
	if got := s.login(email, password); got != w.key {
		s.t.Errorf("%s: the password gives the key %q, want %q", s.name, got, w.key)
	}
	if got := s.login(username, password+"x"); got != "" {
		s.t.Errorf("%s: a wrong password gives the key %q", s.name, got)
	}
	before := s.current(w.browser)
	s.logIn(w.browser)
	if after := s.current(w.browser); before != email || after != email {
		s.t.Errorf("%s: with the other server's cookie the user is %q, after logging in %q", s.name, before, after)
	}
}

// newBrowser is a browser without cookies. They do not depend on the port, so it takes one server's to the next.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// logIn is what the client's login page does.
func (s site) logIn(browser *http.Client) {
	s.t.Helper()
	s.visit(browser)
	context := answerOf[struct {
		Token string `json:"session_csrf_token"`
	}](s, browser, "/context", nil)
	answerOf[object](s, browser, "/user/login", object{"login": email, "password": password, "session_csrf_token": context.Token})
}

// visit asks for the first page, which gives a session to those who have none.
func (s site) visit(browser *http.Client) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := browser.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close() // Galaxy's is an error without the client's files
}

// current is the address of the user that a browser is logged in as.
func (s site) current(browser *http.Client) string {
	s.t.Helper()
	return answerOf[struct{ Email string }](s, browser, "/api/users/current", nil).Email
}

// answerOf sends a browser's request, a POST if there is a body.
func answerOf[T any](s site, browser *http.Client, path string, body any) (value T) {
	s.t.Helper()
	method, content := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		var err error
		if content, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := browser.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		s.t.Fatalf("%s: %s %s answers %s\n%s", s.name, method, path, response.Status, text)
	}
	if err := json.NewDecoder(response.Body).Decode(&value); err != nil {
		s.t.Fatalf("%s: %s %s: %v", s.name, method, path, err)
	}
	return value
}

// login gives a password and returns the API key that it opens; none when it is wrong.
func (s site) login(user, password string) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/api/authenticate/baseauth", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var got struct {
		Key string `json:"api_key"`
	}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		s.t.Fatalf("%s: baseauth: %v", s.name, err)
	}
	return got.Key
}

// goOn works with what another server left: runs its datasets through a job, uploads one more, and makes a history.
func (s site) goOn(w work) work {
	s.t.Helper()
	s = s.as(w.key)
	more := s.upload(w.history, "more planets", strings.ToUpper(planets))
	w.both, w.job = s.cat(w.history, w.both, more)
	if got, want := s.content(w.history, w.both), strings.ToUpper(planets); !strings.HasSuffix(got, want) || !strings.HasPrefix(got, planets) {
		s.t.Errorf("%s: cat1 over another server's dataset made %q", s.name, got)
	}
	histories := answer[[]struct{ ID, Name string }](s, http.MethodGet, "/api/histories", nil)
	if len(histories) == 0 || histories[0].Name != "The sky" && histories[len(histories)-1].Name != "The sky" {
		s.t.Errorf("%s: the histories are %v", s.name, histories)
	}
	return w
}
