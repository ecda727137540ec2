package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/datatype"
)

// ownData holds the input files of one test as datasets; the id is the place in the list, from 1.
type ownData []*DatasetInfo

func (d ownData) Lookup(_ context.Context, refs []DatasetRef) (map[DatasetRef]*DatasetInfo, error) {
	r := map[DatasetRef]*DatasetInfo{}
	for _, ref := range refs {
		for _, x := range d {
			if x.Ref() == ref {
				r[ref] = x
			}
		}
	}
	return r, nil
}

func (d ownData) Candidates(_ context.Context, q []CandidateQuery) ([]CandidatePage, error) {
	return make([]CandidatePage, len(q)), nil
}

type ownIDs struct{}

func (ownIDs) Encode(id int64) string { return fmt.Sprintf("%016d", id) }
func (ownIDs) Decode(s string) (id int64, err error) {
	_, err = fmt.Sscanf(s, "%d", &id)
	return id, err
}

// TestOwnToolsPassTheirTests runs the commands of our tools, as they come out of the evaluation, for each test in their files.
func TestOwnToolsPassTheirTests(t *testing.T) {
	if testing.Short() {
		t.Skip("runs sh, awk, sort and grep")
	}
	s := openBox(t, ownToolbox, Options{}).Snapshot()
	for _, e := range s.Entries() {
		tool, err := s.Tool(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range tool.Tests {
			t.Run(fmt.Sprintf("%s-%d", e.ID, tc.Index+1), func(t *testing.T) { runOwnTest(t, tool, tc) })
		}
	}
}

func runOwnTest(t *testing.T, tool *Tool, tc *TestCase) {
	x := &testExpansion{raw: append([]TestInput(nil), tc.Inputs...)}
	flat := ordered{}
	if err := x.expand(tool.Inputs, "", []string{""}, &flat); err != nil {
		t.Fatal(err)
	}
	var data ownData
	inputs := map[string]any{}
	for _, f := range flat {
		values, isList := f.value.([]any)
		if !isList {
			inputs[f.key] = f.value
			continue
		}
		if file, _ := values[0].(string); strings.Contains(file, ".") {
			path, err := filepath.Abs(filepath.Join(ownToolbox, "test-data", file))
			if err != nil {
				t.Fatal(err)
			}
			d := &DatasetInfo{ID: int64(len(data) + 1), HID: int64(len(data) + 1), HistoryID: 1, DatasetID: int64(len(data) + 1), Name: file, Ext: strings.TrimPrefix(filepath.Ext(file), "."),
				State: "ok", Visible: true, Size: 1, TotalSize: 1, Path: path, Metadata: map[string]any{"columns": 3.0, "column_types": []any{"str", "str", "str"}}}
			data = append(data, d)
			inputs[f.key] = map[string]any{"src": "hda", "id": ownIDs{}.Encode(d.ID)}
			continue
		}
		inputs[f.key] = values[0]
		if len(values) > 1 {
			inputs[f.key] = values
		}
	}
	env := &Env{IDs: ownIDs{}, HistoryID: 1, Datasets: data, Datatypes: RegistryDatatypes(datatype.Default())}
	state, errs, err := Populate(t.Context(), env, tool, inputs, FormatLegacy)
	if err != nil {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Fatal(errs.Messages())
	}
	job, err := DecodeJob(t.Context(), tool, state.Parameters(state.JobExtras(nil)), data)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out.dat")
	toolDir, err := filepath.Abs(tool.Dir)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := Evaluate(t.Context(), EvalInput{Tool: tool, Job: job, Inputs: state.Inputs(), Outputs: []JobInput{{tool.Outputs[0].Name, &DatasetInfo{ID: 99, Ext: "txt", Path: out}}},
		Datatypes: env.Datatypes, Dir: EvalDirs{Tool: toolDir, Job: dir, Root: dir, Data: dir, NewFile: dir}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ev.Files {
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-e", "-c", ev.Command)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	code := 0
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	want := 0
	if tc.ExpectExitCode != nil {
		want = *tc.ExpectExitCode
	}
	if code != want || (code != 0) != tc.ExpectFailure {
		t.Fatalf("exit code %d, want %d: %s\n%s", code, want, stderr.String(), ev.Command)
	}
	for _, a := range tc.Stderr {
		if a.Tag == "has_text" && !strings.Contains(stderr.String(), a.Attrs["text"]) {
			t.Errorf("standard error is %q, without %q", stderr.String(), a.Attrs["text"])
		}
	}
	for _, o := range tc.Outputs {
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if o.File != "" {
			file, err := os.ReadFile(filepath.Join(ownToolbox, "test-data", o.File))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(file) {
				t.Errorf("the output is\n%s\nwith\n%s", got, ev.Command)
			}
		}
		for _, a := range o.Assertions {
			switch {
			case a.Tag == "has_size" && fmt.Sprint(len(got)) != a.Attrs["value"], a.Tag == "has_line" && !strings.Contains("\n"+string(got), "\n"+a.Attrs["line"]+"\n"):
				t.Errorf("%s %v does not hold for %q", a.Tag, a.Attrs, got)
			}
		}
	}
}
