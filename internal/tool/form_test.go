package tool

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// at follows a path such as "inputs.0.options.hda.1.name" into JSON.
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for _, p := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			e, ok := x[p]
			if !ok {
				t.Fatalf("%s: no %s", path, p)
			}
			v = e
		case []any:
			i, ok := pyInt(p)
			n, _ := i.(int64)
			if !ok || int(n) >= len(x) {
				t.Fatalf("%s: no element %s of %d", path, p, len(x))
			}
			v = x[n]
		default:
			t.Fatalf("%s: nothing below %v", path, v)
		}
	}
	return v
}

func formJSON(t *testing.T, tool *Tool, in FormInput) (any, *memoryDatasets) {
	t.Helper()
	env, data := fixtureEnv()
	form, err := BuildForm(t.Context(), env, tool, in)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(form.Model)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v, data
}

func TestFormHasWhatTheClientReads(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/><help>Some *help*</help>`)
	form, data := formJSON(t, tool, FormInput{HistoryID: "id00000000000001", Inputs: map[string]any{"file": hda(1)}})
	for path, want := range map[string]any{
		"id": "fixture", "model_class": "Tool", "form_style": "regular", "method": "post", "action": "/tool_runner/index", "display": true,
		"history_id": "id00000000000001", "job_id": nil, "warnings": nil, "message": "", "help_format": "restructuredtext",
		"inputs.0.model_class": "DataToolParameter", "inputs.0.options.hda.3.name": "it's $(text)", "inputs.0.options.hda.0.hid": 4.0,
		"inputs.0.options_meta.hda.total_estimate": 4.0, "inputs.0.value.values.0.id": "id00000000000001", "inputs.0.text_value": "No dataset.",
		"inputs.0.extensions.0": "txt", "inputs.0.edam.edam_formats.0": "format_2330", "inputs.0.is_dynamic": false, "inputs.0.refresh_on_change": true,
		"inputs.1.value": nil, "inputs.1.optional": true, "inputs.2.multiple": true, "inputs.2.min": nil,
		"inputs.3.model_class": "TextToolParameter", "inputs.3.value": "plain", "inputs.3.default_value": "plain", "inputs.3.area": false,
		"inputs.5.value": "3", "inputs.5.min": 0.0, "inputs.5.max": 100.0, "inputs.6.value": "0.5", "inputs.7.value": "",
		"inputs.8.value": false, "inputs.8.truevalue": "--yes", "inputs.8.text_value": "False",
		"inputs.9.options.1.0": "Second", "inputs.9.options.1.2": true, "inputs.9.value": "b", "inputs.9.text_value": "Second", "inputs.9.textable": false,
		"inputs.11.data_ref": "table", "inputs.11.numerical": false, "inputs.12.hidden": true, "inputs.13.value": "#ff0011",
		"inputs.14.model_class": "Conditional", "inputs.14.test_param.value": "one", "inputs.14.test_param.text_value": "1",
		"inputs.14.cases.0.value": "one", "inputs.14.cases.0.inputs.0.value": "deep", "inputs.14.cases.1.inputs.0.model_class": "DataToolParameter",
		"inputs.15.model_class": "Repeat", "inputs.15.max": nil, "inputs.15.title": "Rep", "inputs.15.inputs.0.name": "item",
		"inputs.16.model_class": "Section", "inputs.16.expanded": false, "inputs.16.inputs.0.default_value": "9",
		"state_inputs.number": "3", "state_inputs.cond.mode": "one", "state_inputs.sec.level": "9",
	} {
		if got := at(t, form, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if got := at(t, form, "errors"); !reflect.DeepEqual(got, map[string]any{}) {
		t.Errorf("errors %v", got)
	}
	if data.queries > 2 {
		t.Errorf("%d queries for candidates", data.queries)
	}
}

func TestFormShowsWhatTheRequestSays(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	form, _ := formJSON(t, tool, FormInput{HistoryID: "id00000000000001", Inputs: map[string]any{
		"file": map[string]any{"batch": false, "values": []any{hda(1)}}, "table": map[string]any{"values": []any{hda(2)}},
		"number": "abc", "cond|mode": "two", "rep_0|item": "x", "rep_1|item": "y", "column": "2",
	}})
	for path, want := range map[string]any{
		"errors.number":  "Parameter 'number': the attribute 'value' must be set for non optional parameters",
		"inputs.5.value": "abc", "inputs.11.value": "2", "inputs.11.options.2.0": "Column: 3",
		"inputs.14.test_param.value": "two", "inputs.14.cases.1.inputs.0.value.values.0.id": "id00000000000004",
		"inputs.15.cache.1.0.value": "y", "state_inputs.rep.1.__index__": 1.0,
	} {
		if got := at(t, form, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestRerunCarriesTheInputsAlong(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	env, data := fixtureEnv()
	s := fixtureState(t, tool, map[string]any{"file": hda(1), "table": hda(2), "number": "7", "cond|mode": "two", "cond|other": hda(1)})
	params := s.Parameters(s.JobExtras(nil))
	data.list[1].HistoryID = 9 // meanwhile the table is in another history, and the text file is deleted
	data.list[1].Visible = false
	data.list[0].Deleted = true
	job, err := DecodeJob(t.Context(), tool, params, data)
	if err != nil {
		t.Fatal(err)
	}
	form, err := BuildForm(t.Context(), env, tool, FormInput{HistoryID: "id00000000000001", Job: &FormJob{ID: "id00000000000042", State: job, Message: "older"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(form.Model)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"job_id": "id00000000000042", "job_remap": false, "message": "older", "inputs.5.value": "7",
		"inputs.1.options.hda.2.name": "(hidden) table", "inputs.1.options.hda.2.keep": true, "inputs.14.test_param.value": "two",
	} {
		if got := at(t, v, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if w, _ := at(t, v, "warnings").(map[string]any)["file"].(string); !strings.Contains(w, "has been deleted") {
		t.Errorf("warnings %v", at(t, v, "warnings"))
	}
}

func TestPagesOfDatasets(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command><inputs><param name="a" type="data" format="data"/></inputs><outputs/>`)
	form, _ := formJSON(t, tool, FormInput{HistoryID: "id00000000000001", Pages: map[string]FormPage{"a": {Offset: 1, Limit: 1}}})
	meta := at(t, form, "inputs.0.options_meta.hda")
	want := map[string]any{"offset": 1.0, "limit": 1.0, "total_estimate": 4.0, "has_more": true}
	if !reflect.DeepEqual(meta, want) {
		t.Errorf("got %v, want %v", meta, want)
	}
	if got := at(t, form, "inputs.0.pinned.hda.0.hid"); got != 4.0 {
		t.Errorf("the chosen dataset outside of the page is not pinned: %v", got)
	}
}
