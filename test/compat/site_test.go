//go:build compat

package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// galaxyPackages are what a Galaxy server is made of; drivers of PostgreSQL and MariaDB are not among its own requirements, nor is
// Total Perspective Vortex, by which many servers choose destinations.
var galaxyPackages = []string{"galaxy-app==26.1.2", "galaxy-web-apps==26.1.2", "psycopg2-binary==2.9.13", "pymysql==1.2.4",
	"total-perspective-vortex==3.3.0"}

// python is the interpreter of an environment with Galaxy's packages.
func python(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("ORRERY_COMPAT_PYTHON"); named != "" {
		return named
	}
	return testenv.Python(t, galaxyPackages...)
}

// site is a running server, Orrery or Galaxy, as the holder of an API key sees it.
type site struct {
	t    *testing.T
	name string
	url  string
	key  string
}

// as is the same server for somebody else.
func (s site) as(key string) site { s.key = key; return s }

// do sends a request, with JSON unless the body is nil.
func (s site) do(method, path string, body any) *http.Response {
	s.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		request.Header.Set("x-api-key", s.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatalf("%s: %s %s: %v", s.name, method, path, err)
	}
	return response
}

// text sends a request that has to succeed and returns the answer's body.
func (s site) text(method, path string, body any) string {
	s.t.Helper()
	response := s.do(method, path, body)
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<24))
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode/100 != 2 {
		s.t.Fatalf("%s: %s %s answers %s\n%.2000s", s.name, method, path, response.Status, text)
	}
	return string(text)
}

// answer sends a request that has to succeed and reads its answer as JSON.
func answer[T any](s site, method, path string, body any) (value T) {
	s.t.Helper()
	text := s.text(method, path, body)
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		s.t.Fatalf("%s: %s %s: %v\n%.2000s", s.name, method, path, err, text)
	}
	return value
}

// object is an answer of the API of which a few members are looked at.
type object = map[string]any

// patience is how long a job may take; a Galaxy needs some seconds for each.
const patience = 3 * time.Minute

// ended waits until a dataset's job has ended, and returns the dataset.
func (s site) ended(dataset string) object {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for {
		shown := answer[object](s, http.MethodGet, "/api/datasets/"+dataset, nil)
		switch shown["state"] {
		case "ok", "error", "empty", "paused", "discarded", "failed_metadata":
			return shown
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			s.t.Fatalf("%s: the dataset %s is still %s after %s", s.name, dataset, shown["state"], patience)
		}
	}
}

// made is what a tool's or an upload's request answers.
type made struct {
	Outputs []struct{ ID string }
	Jobs    []struct{ ID string }
}

// upload pastes a text into a history and waits for its dataset, whose id is returned.
func (s site) upload(history, name, content string) string {
	s.t.Helper()
	m := answer[made](s, http.MethodPost, "/api/tools/fetch", object{
		"history_id": history,
		"targets": []object{{
			"destination": object{"type": "hdas"},
			"elements":    []object{{"src": "pasted", "paste_content": content, "name": name, "ext": "auto", "dbkey": "?"}},
		}},
	})
	if len(m.Outputs) != 1 {
		s.t.Fatalf("%s: the upload made %d outputs", s.name, len(m.Outputs))
	}
	s.wantOK(m.Outputs[0].ID)
	return m.Outputs[0].ID
}

// cat runs cat1 over datasets and waits for its output.
func (s site) cat(history string, inputs ...string) (output, job string) {
	s.t.Helper()
	parameters := object{"input1": object{"src": "hda", "id": inputs[0]}}
	for i, more := range inputs[1:] {
		parameters[fmt.Sprintf("queries_%d|input2", i)] = object{"src": "hda", "id": more}
	}
	m := answer[made](s, http.MethodPost, "/api/tools", object{"history_id": history, "tool_id": "cat1", "inputs": parameters})
	if len(m.Outputs) != 1 || len(m.Jobs) != 1 {
		s.t.Fatalf("%s: cat1 made %d outputs and %d jobs", s.name, len(m.Outputs), len(m.Jobs))
	}
	s.wantOK(m.Outputs[0].ID)
	return m.Outputs[0].ID, m.Jobs[0].ID
}

func (s site) wantOK(dataset string) {
	s.t.Helper()
	if shown := s.ended(dataset); shown["state"] != "ok" {
		s.t.Fatalf("%s: the dataset %s is %v: %v", s.name, dataset, shown["state"], shown["misc_info"])
	}
}

// content is a dataset's file.
func (s site) content(history, dataset string) string {
	s.t.Helper()
	return s.text(http.MethodGet, "/api/histories/"+history+"/contents/"+dataset+"/display?to_ext=data", nil)
}

// The person of these tests.
const (
	email    = "vera@example.org"
	username = "vera"
	password = "correct horse 2"
)

// Two tables that are uploaded.
const (
	planets = "mercury\trocky\t0.39\t0\nvenus\trocky\t0.72\t0\njupiter\tgas\t5.20\t95\n"
	moons   = "moon\tearth\t1\t1969\nphobos\tmars\t2\tnever\n"
)

// person makes the account of these tests with the administrator's key and returns its id and API key.
func (s site) person() (id, key string) {
	s.t.Helper()
	user := answer[struct{ ID string }](s, http.MethodPost, "/api/users", object{"email": email, "username": username, "password": password})
	return user.ID, answer[string](s, http.MethodPost, "/api/users/"+user.ID+"/api_key", nil)
}

// work is what the person has in the server after a first day.
type work struct {
	user, key      string
	history, other string
	planets, moons string
	both           string // planets and moons through cat1
	job            string // that made both
	browser        *http.Client
}

// firstDay makes an account and histories, uploads two files and runs a job over them.
func (s site) firstDay() (w work) {
	s.t.Helper()
	w.user, w.key = s.person()
	s = s.as(w.key)
	w.history = answer[struct{ ID string }](s, http.MethodPost, "/api/histories", object{"name": "The sky"}).ID
	s.text(http.MethodPut, "/api/histories/"+w.history, object{"annotation": "of March", "tags": []string{"night", "name:sky"}})
	w.other = answer[struct{ ID string }](s, http.MethodPost, "/api/histories", object{"name": "Set aside"}).ID
	s.text(http.MethodDelete, "/api/histories/"+w.other, nil)
	w.planets = s.upload(w.history, "planets", planets)
	w.moons = s.upload(w.history, "moons", moons)
	w.both, w.job = s.cat(w.history, w.planets, w.moons)
	return w
}
