package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// person is somebody with an account of their own, who uses the API with their key.
type person struct {
	t        *testing.T
	server   server
	id, name string
	key      string // "" for a visitor
	client   *http.Client
}

// newPerson makes an account.
func newPerson(t *testing.T, s server, name string) *person {
	t.Helper()
	p := &person{t: t, server: s, name: name, client: http.DefaultClient, key: s.Key}
	var user struct{ ID string }
	p.must("POST", "/api/users", map[string]any{"username": name, "email": p.email(), "password": password}, &user)
	p.id = user.ID
	var key string
	p.must("POST", "/api/users/"+user.ID+"/api_key", nil, &key)
	p.key = key
	return p
}

func (p *person) email() string { return p.name + "@example.org" }

// withCookie is the same person in a browser, without the key.
func (p *person) withCookie() *person {
	p.t.Helper()
	with := *p
	with.key, with.client = "", logIn(p.t, p.server, p.email(), password).Client
	return &with
}

// call makes a request with a JSON body, unless body is nil, and returns the answer.
func (p *person) call(method, path string, body any) (status int, answer []byte) {
	p.t.Helper()
	status, answer, err := p.request(method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, answer
}

func (p *person) request(method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.server.URL+path, content)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return p.send(request)
}

func (p *person) send(request *http.Request) (status int, answer []byte, err error) {
	if p.key != "" {
		request.Header.Set("X-Api-Key", p.key)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// try is must for goroutines, which may not end the test: what fails goes into a channel.
func (p *person) try(failures chan<- string, method, path string, body, into any) {
	status, answer, err := p.request(method, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %.1000s", status, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		failures <- fmt.Sprintf("%s %s: %v", method, path, err)
	}
}

// must fails the test unless the answer is 200; into may be nil.
func (p *person) must(method, path string, body, into any) {
	p.t.Helper()
	status, answer := p.call(method, path, body)
	if status != http.StatusOK {
		p.t.Fatalf("%s %s: %d %.1000s", method, path, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		p.t.Fatalf("%s %s: %v in\n%.1000s", method, path, err, answer)
	}
}

// refused fails the test unless the answer is an error in Galaxy's form with one of the statuses; it returns the message.
func (p *person) refused(method, path string, body any, statuses ...int) string {
	p.t.Helper()
	status, answer := p.call(method, path, body)
	for _, want := range statuses {
		if status == want {
			return message(p.t, answer)
		}
	}
	p.t.Fatalf("%s %s: %d %.1000s, want %d", method, path, status, answer, statuses)
	return ""
}

// message reads an error in Galaxy's form.
func message(t *testing.T, answer []byte) string {
	t.Helper()
	var e struct {
		Message string `json:"err_msg"`
		Code    int    `json:"err_code"`
	}
	if err := json.Unmarshal(answer, &e); err != nil || e.Message == "" || e.Code == 0 {
		t.Errorf("not an error in Galaxy's form: %.1000s", answer)
	}
	return e.Message
}

// newHistory makes a history and returns its id.
func (p *person) newHistory(name string) string {
	p.t.Helper()
	var h struct{ ID string }
	p.must("POST", "/api/histories", map[string]any{"name": name}, &h)
	return h.ID
}

// made is the answer to a request that makes a job.
type made struct {
	Jobs    []struct{ ID string }
	Outputs []struct {
		ID  string
		HID int
	}
}

// paste uploads a text and returns the dataset's id.
func (p *person) paste(history, name, text string) string {
	p.t.Helper()
	return p.fetch(history, map[string]any{"src": "pasted", "paste_content": text, "name": name, "ext": "auto"})
}

// fetch uploads one element and returns the dataset's id.
func (p *person) fetch(history string, element map[string]any) string {
	p.t.Helper()
	var m made
	p.must("POST", "/api/tools/fetch", fetchRequest(history, element), &m)
	if len(m.Outputs) != 1 {
		p.t.Fatalf("an upload of one element makes %d datasets", len(m.Outputs))
	}
	return m.Outputs[0].ID
}

func fetchRequest(history string, element map[string]any) map[string]any {
	return map[string]any{"history_id": history, "targets": []any{map[string]any{
		"destination": map[string]any{"type": "hdas"}, "elements": []any{element},
	}}}
}

// run runs a tool.
func (p *person) run(history, tool string, inputs map[string]any) made {
	p.t.Helper()
	var m made
	p.must("POST", "/api/tools", map[string]any{"history_id": history, "tool_id": tool, "inputs": inputs}, &m)
	if len(m.Jobs) != 1 || len(m.Outputs) == 0 {
		p.t.Fatalf("%s made %+v", tool, m)
	}
	return m
}

// shown is what a dataset tells of itself.
type shown struct {
	ID       string
	HID      int
	Name     string
	State    string
	Info     string `json:"misc_info"`
	Blurb    string `json:"misc_blurb"`
	Ext      string `json:"file_ext"`
	Size     int64  `json:"file_size"`
	Lines    int    `json:"metadata_data_lines"`
	Deleted  bool
	FileName string `json:"file_name"`
}

func (p *person) show(dataset string) shown {
	p.t.Helper()
	var d shown
	p.must("GET", "/api/datasets/"+dataset, nil, &d)
	return d
}

// ended waits until a dataset is in a state that it does not leave by itself.
func (p *person) ended(dataset string) shown {
	p.t.Helper()
	return p.endedWithin(dataset, jobPatience)
}

func (p *person) endedWithin(dataset string, patience time.Duration) shown {
	p.t.Helper()
	var d shown
	testenv.Poll(p.t, "dataset "+dataset+" to end", patience, func() bool {
		d = p.show(dataset)
		switch d.State {
		case "new", "upload", "queued", "running", "setting_metadata":
			return false
		}
		return true
	})
	return d
}

// ok waits until a dataset is ok and has this content.
func (p *person) ok(dataset, content string) {
	p.t.Helper()
	if d := p.ended(dataset); d.State != "ok" {
		p.t.Fatalf("dataset %d «%s» is %s: %s", d.HID, d.Name, d.State, d.Info)
	}
	if got := p.content(dataset); got != content {
		p.t.Errorf("dataset %s holds %.200q, want %.200q", dataset, got, content)
	}
}

// content downloads a small dataset.
func (p *person) content(dataset string) string {
	p.t.Helper()
	status, content := p.call("GET", "/api/datasets/"+dataset+"/display", nil)
	if status != http.StatusOK {
		p.t.Fatalf("dataset %s cannot be downloaded: %d %.300s", dataset, status, content)
	}
	return string(content)
}

// downloadName is the file name that a browser gives to a downloaded dataset.
func (p *person) downloadName(dataset string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.URL+"/api/datasets/"+dataset+"/display?to_ext=txt", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", p.key)
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.t.Errorf("downloading dataset %s answers %s", dataset, response.Status)
	}
	_, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Disposition"))
	if err != nil {
		p.t.Errorf("Content-Disposition %q: %v", response.Header.Get("Content-Disposition"), err)
	}
	return parameters["filename"]
}

// hda refers to a dataset in a tool's inputs.
func hda(id string) map[string]any { return map[string]any{"src": "hda", "id": id} }

// contains fails the test unless a text has each part.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s says %q, without %q", what, text, part)
		}
	}
}
