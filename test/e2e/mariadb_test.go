package e2e

import (
	"testing"

	"orrery/internal/testenv"
)

// TestOnMariaDB brings data, runs a tool on it and on what it made, and looks at the results, with web workers and job
// handlers of their own on MariaDB. The server that comes after it goes on with the same database.
func TestOnMariaDB(t *testing.T) {
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	s := testenv.Server(t, testenv.Options{MariaDB: true, WebWorkers: 2, Handlers: 2})
	p := newPerson(t, server{URL: s.URL, Key: testenv.AdminKey, Own: s}, "maria")
	history := p.newHistory("On MariaDB 🧬")
	first := p.paste(history, "it's \"first\" \\", "a\tb\nc\td\n")
	p.ok(first, "a\tb\nc\td\n")
	// The second job waits for the first one's output.
	both := p.run(history, "cat1", map[string]any{"input1": hda(first), "queries_0|input2": hda(first)})
	again := p.run(history, "cat1", map[string]any{"input1": hda(both.Outputs[0].ID)})
	p.ok(again.Outputs[0].ID, "a\tb\nc\td\na\tb\nc\td\n")
	var contents []shown
	look := func() {
		t.Helper()
		p.must("GET", "/api/histories/"+history+"/contents?v=dev&order=hid-asc&q=name-contains&qv=IRST", nil, &contents)
		if len(contents) != 1 || contents[0].Name != "it's \"first\" \\" || contents[0].State != "ok" {
			t.Errorf("the history shows %+v", contents)
		}
	}
	look()
	s.Stop()
	s.Start()
	look()
	p.ok(p.run(history, "cat1", map[string]any{"input1": hda(again.Outputs[0].ID)}).Outputs[0].ID, "a\tb\nc\td\na\tb\nc\td\n")
}
