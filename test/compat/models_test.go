//go:build compat

package compat

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

const idSecret = "the secret of these tests"

// found is what Galaxy's models read, as read_database.py prints it.
type found struct {
	Migrations map[string]bool
	Missing    []string
	Rows       map[string]int
	User       struct {
		ID, Username     string
		Password         bool
		WrongPassword    bool `json:"wrong password"`
		Active, Deleted  bool
		External         bool
		Keys, Roles      []string
		DiskUsage        int `json:"disk usage"`
		CountedDiskUsage int `json:"counted disk usage"`
	}
	Histories map[string]foundHistory
	Jobs      []foundJob
}

type foundHistory struct {
	Name        string
	Deleted     bool
	HIDCounter  int `json:"hid_counter"`
	Tags        []string
	Annotations []string
	Datasets    map[string]foundDataset
}

type foundDataset struct {
	HID                          int
	Name, State, Extension, Peek string
	Blurb, DBKey, Content        string
	Visible, Deleted             bool
	Metadata                     map[string]any
	FileSize                     int `json:"file_size"`
	TotalSize                    int `json:"total_size"`
}

type foundJob struct {
	ID, Tool, Version, State, User, History string
	Stdout, Stderr, Command                 string
	Runner, Destination                     string
	ExitCode                                *int `json:"exit_code"`
	Parameters                              map[string]any
	Inputs, Outputs                         map[string]string
	Handler, Ordered                        bool
	HistoryOfStates                         []string `json:"history_of_states"`
}

// readDatabase opens a database with Galaxy's own models.
func readDatabase(t *testing.T, url, files string) (f found) {
	t.Helper()
	command := exec.CommandContext(t.Context(), python(t), "read_database.py", url, files, email, password, idSecret)
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("Galaxy's models cannot read the database: %v\n%s", err, complaints.String())
	}
	if err := json.Unmarshal(output, &f); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return f
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// TestGalaxysModelsReadOurDatabase works in an Orrery, and lets Galaxy's models read what it wrote.
func TestGalaxysModelsReadOurDatabase(t *testing.T) {
	for _, engine := range []struct {
		name    string
		options testenv.Options
	}{
		{"SQLite", testenv.Options{}},
		{"PostgreSQL", testenv.Options{Postgres: true, WebWorkers: 2, Handlers: 2}},
		{"MariaDB", testenv.Options{MariaDB: true, WebWorkers: 2, Handlers: 2}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			engine.options.Settings = map[string]any{"id_secret": idSecret}
			server := testenv.Server(t, engine.options)
			w := site{t: t, name: "Orrery", url: server.URL, key: testenv.AdminKey}.firstDay()
			server.Stop()
			url := strings.TrimSuffix(server.Connector, "?isolation_level=IMMEDIATE")
			url = strings.Replace(url, "mysql://", "mysql+pymysql://", 1)
			f := readDatabase(t, url, filepath.Join(server.DataDir, "objects"))
			wantSchema(t, f)
			wantPerson(t, f, w)
			wantHistories(t, f, w)
			wantJobs(t, f, w)
		})
	}
}

func wantSchema(t *testing.T, f found) {
	t.Helper()
	equal(t, "what Galaxy's migrations think", f.Migrations, map[string]bool{"gxy": true, "tsi": true})
	if len(f.Missing) > 0 {
		t.Errorf("tables and columns that the database lacks: %q", f.Missing)
	}
	if f.Rows["job"] != 3 || f.Rows["history_dataset_association"] != 3 {
		t.Errorf("rows read by table: %v", f.Rows)
	}
}

func wantPerson(t *testing.T, f found, w work) {
	t.Helper()
	u := f.User
	equal(t, "the user's encoded id", u.ID, w.user)
	equal(t, "the user's name", u.Username, username)
	equal(t, "the right and a wrong password", []bool{u.Password, u.WrongPassword}, []bool{true, false})
	equal(t, "active, deleted, external", []bool{u.Active, u.Deleted, u.External}, []bool{true, false, false})
	equal(t, "the user's keys", u.Keys, []string{w.key})
	equal(t, "the user's roles", u.Roles, []string{"private"})
	equal(t, "the user's disk usage", u.DiskUsage, u.CountedDiskUsage)
	equal(t, "the size of the user's datasets", u.DiskUsage, 2*len(planets+moons))
}

func wantHistories(t *testing.T, f found, w work) {
	t.Helper()
	if len(f.Histories) != 2 {
		t.Errorf("%d histories", len(f.Histories))
	}
	other, sky := f.Histories[w.other], f.Histories[w.history]
	equal(t, "the deleted history", []any{other.Name, other.Deleted, len(other.Datasets)}, []any{"Set aside", true, 0})
	equal(t, "the history", []any{sky.Name, sky.Deleted, sky.HIDCounter}, []any{"The sky", false, 4})
	equal(t, "the history's tags", sky.Tags, []string{"name:sky", "night"})
	equal(t, "the history's annotations", sky.Annotations, []string{"of March"})
	for id, want := range map[string]struct {
		hid           int
		name, content string
		lines         int
	}{
		w.planets: {1, "planets", planets, 3},
		w.moons:   {2, "moons", moons, 2},
		w.both:    {3, "Concatenate datasets on data 1 and data 2", planets + moons, 5},
	} {
		d, ok := sky.Datasets[id]
		if !ok {
			t.Errorf("the dataset %s is not in the history", want.name)
			continue
		}
		equal(t, want.name+": number and state", []any{d.HID, d.State, d.Visible, d.Deleted}, []any{want.hid, "ok", true, false})
		equal(t, want.name+": format and build", []any{d.Extension, d.DBKey}, []any{"tabular", "?"})
		equal(t, want.name+": the file", d.Content, want.content)
		equal(t, want.name+": sizes", []int{d.FileSize, d.TotalSize}, []int{len(want.content), len(want.content)})
		equal(t, want.name+": columns", d.Metadata["columns"], 4.0)
		equal(t, want.name+": lines", d.Metadata["data_lines"], float64(want.lines))
		equal(t, want.name+": delimiter", d.Metadata["delimiter"], "\t")
		if types, ok := d.Metadata["column_types"].([]any); !ok || len(types) != 4 || types[0] != "str" {
			t.Errorf("%s: column types %v", want.name, d.Metadata["column_types"])
		}
		if !strings.Contains(d.Peek, strings.SplitN(want.content, "\t", 2)[0]) {
			t.Errorf("%s: peek %q", want.name, d.Peek)
		}
		equal(t, want.name+": blurb", strings.HasPrefix(d.Blurb, fmt.Sprint(want.lines, " lines")), true)
	}
}

func wantJobs(t *testing.T, f found, w work) {
	t.Helper()
	if len(f.Jobs) != 3 {
		t.Fatalf("%d jobs", len(f.Jobs))
	}
	for i, j := range f.Jobs {
		equal(t, fmt.Sprintf("job %d: state", i), j.State, "ok")
		equal(t, fmt.Sprintf("job %d: user and history", i), []string{j.User, j.History}, []string{email, w.history})
		if j.ExitCode == nil || *j.ExitCode != 0 || !j.Handler || !j.Ordered || j.Runner == "" || j.Destination == "" {
			t.Errorf("job %d: %+v", i, j)
		}
		states := strings.Join(j.HistoryOfStates, " ")
		if !strings.HasPrefix(states, "new") || !strings.HasSuffix(states, "ok") {
			t.Errorf("job %d went through %q", i, states)
		}
	}
	equal(t, "the tools of the uploads", []string{f.Jobs[0].Tool, f.Jobs[1].Tool}, []string{"__DATA_FETCH__", "__DATA_FETCH__"})
	cat := f.Jobs[2]
	equal(t, "the job", []string{cat.ID, cat.Tool}, []string{w.job, "cat1"})
	equal(t, "its inputs", cat.Inputs, map[string]string{"input1": w.planets, "queries_0|input2": w.moons})
	equal(t, "its outputs", cat.Outputs, map[string]string{"out_file1": w.both})
	if !strings.Contains(cat.Command, "cat ") {
		t.Errorf("its command %q", cat.Command)
	}
	for _, name := range []string{"input1", "queries"} {
		if _, ok := cat.Parameters[name]; !ok {
			t.Errorf("the parameter %s is not among %v", name, cat.Parameters)
		}
	}
}
