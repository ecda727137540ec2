package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// TestStrangers asks for everything of one user's as another user, with a key and with a cookie, as a visitor with and
// without a cookie. Nobody is told or can change anything. The server makes new datasets private: as Galaxy comes, who
// knows a dataset's id may look at it.
func TestStrangers(t *testing.T) {
	for _, layout := range layouts() {
		t.Run(layout.name, func(t *testing.T) {
			layout.options.Settings = map[string]any{"new_user_dataset_access_role_default_private": true}
			own := testenv.Server(t, layout.options)
			strangers(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own})
		})
	}
}

func strangers(t *testing.T, s server) {
	owner := newPerson(t, s, "owner")
	history := owner.newHistory("My secret history")
	dataset := owner.paste(history, "My secret dataset", "secret\tbytes\n")
	owner.ok(dataset, "secret\tbytes\n")
	m := owner.run(history, "cat1", map[string]any{"input1": hda(dataset)})
	output, job := m.Outputs[0].ID, m.Jobs[0].ID
	owner.ok(output, "secret\tbytes\n")
	owner.must("PUT", "/api/histories/"+history, map[string]any{"annotation": "My secret annotation", "tags": []string{"secrettag"}}, nil)

	stranger := newPerson(t, s, "stranger")
	own := stranger.newHistory("Another")
	visitor := &person{t: t, server: s, name: "visitor", client: &http.Client{}}
	withCookie := &person{t: t, server: s, name: "visitor with a cookie", client: visitorClient(t, s)}
	people := []*person{stranger, stranger.withCookie(), visitor, withCookie}

	reads := []string{
		"/api/histories/" + history, "/api/histories/" + history + "?view=detailed", "/api/histories/" + history + "/contents",
		"/api/histories/" + history + "/contents?v=dev&view=summary", "/api/histories/" + history + "/contents/" + dataset,
		"/api/histories/" + history + "/contents/datasets/" + dataset, "/api/histories/" + history + "/contents/" + dataset + "/display",
		"/api/datasets/" + dataset, "/api/datasets/" + dataset + "/display", "/api/datasets/" + dataset + "/display?preview=true",
		"/datasets/" + dataset + "/display", "/api/datasets/" + dataset + "/get_content_as_text", "/api/datasets/" + dataset + "/storage",
		"/api/datasets/" + output + "/parameters_display",
		"/api/jobs/" + job, "/api/jobs/" + job + "?full=true", "/api/jobs/" + job + "/inputs", "/api/jobs/" + job + "/outputs",
		"/api/jobs/" + job + "/parameters_display", "/api/jobs/" + job + "/metrics", "/api/jobs/" + job + "/common_problems",
		"/api/users/" + owner.id, "/api/users/" + owner.id + "/usage", "/api/users/" + owner.id + "/api_key", "/api/users/" + owner.id + "/information/inputs",
	}
	for _, path := range reads {
		if status, answer := owner.call("GET", path, nil); status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status >= 500 {
			t.Errorf("GET %s answers its owner %d %.300s", path, status, answer)
		}
		for _, p := range people {
			status, answer := p.call("GET", path, nil)
			p.learned(t, "GET "+path, answer)
			if !refusal(status) {
				t.Errorf("GET %s answers the %s %d %.300s", path, p.name, status, answer)
			}
		}
	}
	// Lists of things are the asker's own.
	for _, path := range []string{
		"/api/histories", "/api/histories?all=true", "/api/histories?keys=name,id&q=deleted&qv=False", "/api/datasets", "/api/datasets?history_id=" + history,
		"/api/jobs", "/api/jobs?history_id=" + history, "/api/jobs?user_id=" + owner.id, "/api/users", "/api/histories/published", "/api/histories/shared_with_me",
		"/history/current_history_json", "/history/set_as_current?id=" + history, "/api/users?f_any=owner", "/admin/users_list",
		"/api/tools/cat1/build?history_id=" + history, "/api/tools/cat1/build?job_id=" + job, "/api/jobs/" + job + "/build_for_rerun",
	} {
		for _, p := range people {
			_, answer := p.call("GET", path, nil)
			p.learned(t, "GET "+path, answer)
		}
	}
	type change struct {
		method, path string
		body         any
	}
	for _, c := range []change{
		{"PUT", "/api/histories/" + history, map[string]any{"name": "Stolen"}},
		{"PUT", "/api/histories/" + history, map[string]any{"deleted": true}},
		{"PUT", "/api/histories/" + history + "/contents/" + dataset, map[string]any{"name": "Stolen"}},
		{"PUT", "/api/histories/" + history + "/contents/datasets/" + dataset, map[string]any{"deleted": true}},
		{"PUT", "/api/histories/" + history + "/contents/bulk", map[string]any{"operation": "delete", "items": []any{map[string]any{"id": dataset, "history_content_type": "dataset"}}}},
		{"PUT", "/api/datasets/" + dataset, map[string]any{"name": "Stolen"}},
		{"POST", "/api/histories", map[string]any{"history_id": history, "name": "Copy"}},
		{"POST", "/api/histories/" + own + "/contents", map[string]any{"source": "hda", "content": dataset}},
		{"POST", "/api/histories/" + own + "/contents/datasets", map[string]any{"source": "hda", "content": dataset, "type": "dataset"}},
		{"POST", "/api/tools", map[string]any{"tool_id": "cat1", "history_id": own, "inputs": map[string]any{"input1": hda(dataset)}}},
		{"POST", "/api/tools", map[string]any{"tool_id": "cat1", "history_id": history, "inputs": map[string]any{"input1": hda(dataset)}}},
		{"POST", "/api/tools/fetch", fetchRequest(history, map[string]any{"src": "pasted", "paste_content": "x", "name": "Intruder"})},
		{"PUT", "/api/jobs/" + job + "/resume", nil},
		{"DELETE", "/api/jobs/" + job, nil},
		{"DELETE", "/api/histories/" + history + "/contents/" + dataset, nil},
		{"DELETE", "/api/histories/" + history + "/contents/" + dataset + "?purge=true", nil},
		{"DELETE", "/api/datasets/" + dataset, nil},
		{"DELETE", "/api/histories/" + history, nil},
		{"DELETE", "/api/histories/" + history + "?purge=true", nil},
		{"POST", "/api/histories/deleted/" + history + "/undelete", nil},
		{"POST", "/api/users/" + owner.id + "/api_key", nil},
		{"PUT", "/api/users/" + owner.id, map[string]any{"username": "stolen"}},
		{"DELETE", "/api/users/" + owner.id, nil},
		{"PUT", "/api/users/" + owner.id + "/information/inputs", map[string]any{"username": "stolen"}},
	} {
		for _, p := range people {
			status, answer := p.call(c.method, c.path, c.body)
			p.learned(t, c.method+" "+c.path, answer)
			if !refusal(status) {
				t.Errorf("%s %s %v answers the %s %d %.300s", c.method, c.path, c.body, p.name, status, answer)
			}
		}
	}
	// These answer with how many, which is none.
	for _, p := range people {
		_, _ = p.call("DELETE", "/api/datasets", map[string]any{"purge": true, "datasets": []any{map[string]any{"id": dataset, "src": "hda"}}})
		_, _ = p.call("PUT", "/api/histories/batch/delete", map[string]any{"ids": []string{history}})
	}

	var after struct {
		Name    string
		Deleted bool
		Tags    []string
	}
	owner.must("GET", "/api/histories/"+history, nil, &after)
	if after.Name != "My secret history" || after.Deleted || !slices.Equal(after.Tags, []string{"secrettag"}) {
		t.Errorf("the history is %+v now", after)
	}
	if d := owner.show(dataset); d.Name != "My secret dataset" || d.Deleted || d.State != "ok" {
		t.Errorf("the dataset is %+v now", d)
	}
	owner.ok(dataset, "secret\tbytes\n")
	var contents []struct{ Name string }
	owner.must("GET", "/api/histories/"+history+"/contents", nil, &contents)
	if len(contents) != 2 {
		t.Errorf("the history has %d datasets now: %+v", len(contents), contents)
	}
	stranger.must("GET", "/api/histories/"+own+"/contents", nil, &contents)
	if len(contents) != 0 {
		t.Errorf("the stranger has got %+v", contents)
	}
}

// visitorClient is a browser that has opened the first page.
func visitorClient(t *testing.T, s server) *http.Client {
	t.Helper()
	p := &person{t: t, server: s, client: newBrowser(t)}
	if status, _ := p.call("GET", "/login/start", nil); status != http.StatusOK {
		t.Fatalf("the first page answers %d", status)
	}
	return p.client
}

// refusal tells whether a status says that one may not, or that there is nothing.
func refusal(status int) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, status)
}

// learned fails the test if an answer holds anything of the owner's.
func (p *person) learned(t *testing.T, what string, answer []byte) {
	t.Helper()
	for _, secret := range []string{"secret", "owner@example.org"} {
		if strings.Contains(string(answer), secret) {
			t.Errorf("%s tells the %s %.500s", what, p.name, answer)
		}
	}
}
