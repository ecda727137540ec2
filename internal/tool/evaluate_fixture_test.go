package tool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
)

// fixtureTool parses a tool out of its inputs, command and outputs.
func fixtureTool(t testing.TB, profile, body string) *Tool {
	t.Helper()
	src := fmt.Sprintf(`<tool id="fixture" name="Fixture" version="1.0" profile="%s">%s</tool>`, profile, body)
	tool, err := LoadBytes("/tools/fixture.xml", []byte(src), func(string) ([]byte, error) { return nil, fmt.Errorf("no such file") })
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// memoryDatasets is a history in memory.
type memoryDatasets struct {
	list    []*DatasetInfo
	lookups int
	queries int
}

func (m *memoryDatasets) Lookup(_ context.Context, refs []DatasetRef) (map[DatasetRef]*DatasetInfo, error) {
	m.lookups++
	out := map[DatasetRef]*DatasetInfo{}
	for _, d := range m.list {
		if slices.Contains(refs, d.Ref()) {
			out[d.Ref()] = d
		}
	}
	return out, nil
}

func (m *memoryDatasets) Candidates(_ context.Context, queries []CandidateQuery) ([]CandidatePage, error) {
	m.queries++
	pages := make([]CandidatePage, len(queries))
	for i, q := range queries {
		for _, d := range slices.Backward(m.list) {
			fits := d.Visible && !d.Deleted && d.Src == "" && slices.Contains(CandidateStates, d.State)
			if fits && (q.Extensions == nil || slices.Contains(q.Extensions, d.Ext)) {
				pages[i].Total++
				if pages[i].Total > q.Offset && len(pages[i].Datasets) < q.Limit {
					pages[i].Datasets = append(pages[i].Datasets, d)
				}
			}
		}
	}
	return pages, nil
}

// fixtureEnv is a history with a text file (1), a table (2), a bed file of build hg17 (3), a queued table (4), a failed
// one (5) and a deleted one (6). Their ids are «id» and the number.
func fixtureEnv() (*Env, *memoryDatasets) {
	data := &memoryDatasets{}
	add := func(id int64, name, ext string, state galaxy.DatasetState, metadata map[string]any) *DatasetInfo {
		d := &DatasetInfo{
			ID: id, HID: id, HistoryID: 1, DatasetID: id + 100, Name: name, Ext: ext, State: state, Visible: true, Size: 10, TotalSize: 10, Metadata: metadata,
			Path: fmt.Sprintf("/data/dataset_%d.dat", id), ExtraFilesPath: fmt.Sprintf("/data/dataset_%d_files", id),
		}
		data.list = append(data.list, d)
		return d
	}
	add(1, "it's $(text)", "txt", "ok", map[string]any{"data_lines": 2.0})
	add(2, "table", "tabular", "ok", map[string]any{"columns": 3.0, "column_types": []any{"str", "int", "float"}, "column_names": []any{}})
	add(3, "regions", "bed", "ok", map[string]any{"dbkey": []any{"hg17"}, "columns": 6.0, "column_types": []any{"str", "int", "int", "str", "int", "str"}, "chromCol": 1.0, "startCol": 2.0, "endCol": 3.0, "strandCol": 6.0})
	add(4, "later", "tabular", "queued", map[string]any{})
	add(5, "failed", "txt", "error", nil)
	add(6, "gone", "txt", "ok", nil).Deleted = true
	return &Env{
		IDs: fixtureIDs{}, HistoryID: 1, Datasets: data, Datatypes: RegistryDatatypes(datatype.Default()),
		Builds: []GenomeBuild{{"?", "unspecified (?)"}, {"hg17", "Human (hg17)"}},
	}, data
}

// fixtureIDs encodes 1 as "id00000000000001".
type fixtureIDs struct{}

func (fixtureIDs) Encode(id int64) string { return fmt.Sprintf("id%014d", id) }
func (fixtureIDs) Decode(s string) (int64, error) {
	var id int64
	if len(s) != 16 || !strings.HasPrefix(s, "id") {
		return 0, fmt.Errorf("malformed")
	}
	_, err := fmt.Sscanf(s[2:], "%d", &id)
	return id, err
}

func hda(id int64) map[string]any {
	return map[string]any{"src": "hda", "id": fixtureIDs{}.Encode(id)}
}

// fixtureState checks inputs and requires that they pass.
func fixtureState(t testing.TB, tool *Tool, inputs map[string]any) *State {
	t.Helper()
	env, _ := fixtureEnv()
	jobs, err := Expand(tool, inputs, FormatLegacy)
	if err != nil {
		t.Fatal(err)
	}
	s, errs, err := Populate(t.Context(), env, tool, jobs[0], FormatLegacy)
	if err != nil {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Fatal(errs.Messages())
	}
	return s
}

// fixtureCommand runs a request through everything: state, job parameters, back, command.
func fixtureCommand(t testing.TB, tool *Tool, inputs map[string]any) (*Evaluated, error) {
	t.Helper()
	env, data := fixtureEnv()
	s := fixtureState(t, tool, inputs)
	job, err := DecodeJob(t.Context(), tool, s.Parameters(s.JobExtras(nil)), data)
	if err != nil {
		t.Fatal(err)
	}
	var outputs []JobInput
	for i, o := range tool.Outputs {
		outputs = append(outputs, JobInput{o.Name, &DatasetInfo{ID: int64(50 + i), Ext: o.Format, Path: fmt.Sprintf("/data/out_%s.dat", o.Name)}})
	}
	return Evaluate(t.Context(), EvalInput{
		Tool: tool, Job: job, Inputs: s.Inputs(), Outputs: outputs, Datatypes: env.Datatypes,
		User: &EvalUser{ID: 7, Email: "ann@example.org", Name: "ann"}, HistoryID: "id00000000000001",
		Dir:    EvalDirs{Tool: "/tools", Job: "/jobs/1", Root: "/srv/galaxy", Data: "/srv/tool-data", NewFile: "/tmp"},
		APIKey: func(context.Context) (string, error) { return "secret", nil },
	})
}
