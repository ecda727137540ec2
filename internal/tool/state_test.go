package tool

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
)

func TestRequestsThatGalaxyRefuses(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	strict := fixtureTool(t, "21.01", `<command>x</command><inputs>
		<param name="word" type="text"><validator type="regex" message="only letters">^[a-z]+$</validator></param>
		<param name="short" type="text" value="ab"><validator type="length" min="2" max="4"/></param>
		<param name="filled" type="text" value="x"><validator type="empty_field"/></param>
		<param name="even" type="integer" value="2"><validator type="expression" message="%s is odd">int(value) % 2 == 0</validator></param>
		<param name="near" type="float" value="1" min="0.5" max="2"/>
		<param name="build" type="data" format="bed" optional="true"><validator type="unspecified_build"/></param>
		<param name="two" type="data" format="txt,tabular" multiple="true" optional="true" min="2" max="2"/>
	</inputs><outputs/>`)
	const lead = "Parameter '"
	tests := []struct {
		name   string
		tool   *Tool
		inputs map[string]any
		key    string
		want   string
	}{
		{"no dataset", tool, map[string]any{"file": ""}, "file", lead + "file': specify a dataset of the required format / build for parameter"},
		{"null", tool, map[string]any{"file": nil}, "file", lead + "file': specify a dataset of the required format / build for parameter"},
		{"no id", tool, map[string]any{"file": "garbage"}, "file", lead + "file': invalid dataset id 'garbage'"},
		{"unknown dataset", tool, map[string]any{"file": hda(99)}, "file", "Invalid input id passed to job submission API."},
		{"unknown source", tool, map[string]any{"file": map[string]any{"src": "xx", "id": "id00000000000001"}}, "file", "Unknown input source xx passed to job submission API."},
		{"two for one", tool, map[string]any{"file": []any{hda(1), hda(2)}}, "file", lead + "file': more than one dataset supplied to single input dataset parameter"},
		{"deleted", tool, map[string]any{"file": hda(6)}, "file", lead + "file': the previously selected dataset has been deleted."},
		{"failed", tool, map[string]any{"file": hda(5)}, "file", lead + "file': the previously selected dataset has entered an unusable state"},
		{"no number", tool, map[string]any{"number": "abc"}, "number", lead + "number': the attribute 'value' must be set for non optional parameters"},
		{"no whole number", tool, map[string]any{"number": "1.5"}, "number", lead + "number': the attribute 'value' must be set for non optional parameters"},
		{"too large", tool, map[string]any{"number": "101"}, "number", lead + "number': Value ('101') must fulfill (0 <= value <= 100)"},
		{"no option", tool, map[string]any{"choice": "q"}, "choice", lead + "choice': an invalid option ('q') was selected (valid options: a,b)"},
		{"several for one", tool, map[string]any{"choice": []any{"a", "b"}}, "choice", lead + "choice': multiple values provided but parameter is not expecting multiple values"},
		{"one of several wrong", tool, map[string]any{"several": []any{"x", "q"}}, "several", lead + "several': invalid options ('q') were selected (valid options: x,y,z)"},
		{"no such case", tool, map[string]any{"cond|mode": "three"}, "cond|mode", lead + "mode': an invalid option ('three') was selected (valid options: one,two)"},
		{"inside a case", tool, map[string]any{"cond|mode": "two", "cond|other": ""}, "cond|other", lead + "other': specify a dataset of the required format / build for parameter"},
		{"no such column", tool, map[string]any{"table": hda(2), "column": "9"}, "column", lead + "column': an invalid option ('9') was selected (valid options: 1,2,3)"},
		{"regex", strict, map[string]any{"word": "a1"}, "word", lead + "word': only letters"},
		{"length", strict, map[string]any{"short": "abcde"}, "short", lead + "short': Must have length of at least 2 and at most 4"},
		{"empty", strict, map[string]any{"filled": ""}, "filled", lead + "filled': Field requires a value"},
		{"expression", strict, map[string]any{"even": 3}, "even", lead + "even': 3 is odd"},
		{"float range", strict, map[string]any{"near": "2.5"}, "near", lead + "near': Value ('2.5') must fulfill (0.5 <= value <= 2.0)"},
		{"build", strict, map[string]any{"build": hda(2)}, "build", lead + "build': Unspecified genome build, click the pencil icon in the history item to set the genome build"},
		{"too few", strict, map[string]any{"two": []any{hda(1)}}, "two", lead + "two': at least 2 datasets are required"},
		{"too many", strict, map[string]any{"two": []any{hda(1), hda(2), hda(3)}}, "two", lead + "two': at most 2 datasets are required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := fixtureEnv()
			in := map[string]any{"word": "abc", "two": []any{hda(1), hda(2)}}
			if tt.tool == tool {
				in = map[string]any{"file": hda(1)}
			}
			maps.Copy(in, tt.inputs)
			n, err := normalize(in, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, errs, err := Populate(t.Context(), env, tt.tool, intsOf(n.(map[string]any)), FormatLegacy)
			if err != nil {
				t.Fatal(err)
			}
			got := errs.Messages()
			if len(got) != 1 || got[tt.key] != tt.want {
				t.Errorf("got %v, want %s: %s", got, tt.key, tt.want)
			}
		})
	}
}

// intsOf makes int64 of the ints written in tests.
func intsOf(m map[string]any) map[string]any {
	for k, v := range m {
		if n, ok := v.(int); ok {
			m[k] = int64(n)
		}
	}
	return m
}

func TestErrorsHaveGalaxysShape(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	env, _ := fixtureEnv()
	_, errs, err := Populate(t.Context(), env, tool, map[string]any{"file": hda(1), "number": "abc", "choice": "q"}, FormatLegacy)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := errs.Err().(*galaxy.Error)
	if !ok || e.Kind != galaxy.Invalid {
		t.Fatalf("got %v", errs.Err())
	}
	got, err := json.Marshal(e.Details)
	if err != nil {
		t.Fatal(err)
	}
	number := `Parameter 'number': the attribute 'value' must be set for non optional parameters`
	choice := `Parameter 'choice': an invalid option ('q') was selected (valid options: a,b)`
	want := `{"err_data":{"choice":"` + choice + `","number":"` + number + `"},"param_errors":{` +
		`"choice":{"is_dynamic":false,"message":"` + choice + `","message_suffix":"an invalid option ('q') was selected (valid options: a,b)","parameter_name":"choice","parameter_value":"q"},` +
		`"number":{"message":"` + number + `","message_suffix":"the attribute 'value' must be set for non optional parameters","parameter_name":"number","parameter_value":"abc"}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if e.Message != number+", "+choice {
		t.Errorf("message %q", e.Message)
	}
}

func TestMalformedIDIsItsOwnError(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	env, _ := fixtureEnv()
	_, _, err := Populate(t.Context(), env, tool, map[string]any{"file": map[string]any{"src": "hda", "id": "zz"}}, FormatLegacy)
	if galaxy.KindOf(err) != galaxy.MalformedID || !strings.Contains(err.Error(), "unable to decode") {
		t.Errorf("got %v", err)
	}
}

func TestFlatAndNestedRequestsMeanTheSame(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	env, data := fixtureEnv()
	flat, errs, err := Populate(t.Context(), env, tool, map[string]any{
		"file": hda(1), "cond|mode": "two", "cond|other": hda(1), "rep_0|item": "a", "rep_1|item": "b", "sec|level": "4",
	}, FormatLegacy)
	if err != nil || errs.Len() > 0 {
		t.Fatal(err, errs.Messages())
	}
	nested, errs, err := Populate(t.Context(), env, tool, map[string]any{
		"file": hda(1), "cond": map[string]any{"mode": "two", "other": hda(1)},
		"rep": []any{map[string]any{"item": "a"}, map[string]any{"item": "b"}}, "sec": map[string]any{"level": "4"},
	}, FormatNested)
	if err != nil || errs.Len() > 0 {
		t.Fatal(err, errs.Messages())
	}
	a, b := flat.Parameters(JobExtras{}), nested.Parameters(JobExtras{})
	if !reflect.DeepEqual(a, b) {
		t.Errorf("flat   %s\nnested %s", showParameters(a), showParameters(b))
	}
	if data.lookups != 2 {
		t.Errorf("%d lookups for two requests, want one each", data.lookups)
	}
}

func showParameters(params []JobParameter) string {
	var l []string
	for _, p := range params {
		if p.Value == nil {
			l = append(l, p.Name+"=NULL")
		} else {
			l = append(l, p.Name+"="+*p.Value)
		}
	}
	return strings.Join(l, "; ")
}

func TestRequiredDataDefaultsToTheNewestThatFits(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command><inputs><param name="a" type="data" format="tabular"/><param name="b" type="data" format="bed"/></inputs><outputs/>`)
	env, data := fixtureEnv()
	s, errs, err := Populate(t.Context(), env, tool, nil, FormatLegacy)
	if err != nil || errs.Len() > 0 {
		t.Fatal(err, errs.Messages())
	}
	if a, b := s.Values["a"].(*DatasetInfo), s.Values["b"].(*DatasetInfo); a.ID != 4 || b.ID != 3 {
		t.Errorf("got %d and %d", a.ID, b.ID)
	}
	if data.queries != 1 {
		t.Errorf("%d queries, want 1", data.queries)
	}
}

func TestBatches(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	batch := func(values ...any) map[string]any {
		return map[string]any{"file": map[string]any{"batch": true, "values": values}}
	}
	one, err := Expand(tool, batch(hda(1)), FormatLegacy)
	if err != nil || len(one) != 1 || !reflect.DeepEqual(one[0]["file"], hda(1)) {
		t.Errorf("one value: %v, %v", one, err)
	}
	if none, err := Expand(tool, batch(), FormatLegacy); err != nil || len(none) != 0 {
		t.Errorf("no values: %v, %v", none, err)
	}
	if _, err := Expand(tool, batch(hda(1), hda(2)), FormatLegacy); galaxy.KindOf(err) != galaxy.NotImplemented || !strings.Contains(err.Error(), "one dataset") {
		t.Errorf("two values: %v", err)
	}
	if _, err := Expand(tool, batch(map[string]any{"src": "hdca", "id": "id00000000000001"}), FormatLegacy); galaxy.KindOf(err) != galaxy.NotImplemented {
		t.Errorf("a collection: %v", err)
	}
	if _, err := Expand(tool, nil, "zz"); galaxy.KindOf(err) != galaxy.Invalid {
		t.Errorf("unknown format: %v", err)
	}
}

func TestParseInputs(t *testing.T) {
	got, err := ParseInputs([]byte(`{"a": 1, "b": 2.5, "c": [3, "x"], "d": 12345678901234567890}`))
	if err != nil || got["a"] != int64(1) || got["b"] != 2.5 || pyStr(got["d"]) != "12345678901234567890" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParseInputs([]byte(`"{\"a\": \"b\"}"`)); err != nil || got["a"] != "b" {
		t.Errorf("text: %v, %v", got, err)
	}
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for _, bad := range []string{`[1]`, `{`, `3`, `{} {}`, deep} {
		if _, err := ParseInputs([]byte(bad)); galaxy.KindOf(err) != galaxy.Invalid {
			t.Errorf("%.20s: %v", bad, err)
		}
	}
}

// galaxyJobs are jobs that a real Galaxy 26.1.2 stored, of tools that the toolbox has too.
type galaxyJobs struct {
	Datasets []struct {
		ID, HID   int64
		Name, Ext string
		Metadata  map[string]any
	}
	Runs []struct {
		Tool       string
		Inputs     json.RawMessage
		Parameters [][2]string
		Datasets   [][2]string
		Outputs    [][3]string
	}
}

func TestJobsAreStoredAsGalaxyStoresThem(t *testing.T) {
	raw, err := os.ReadFile("testdata/eval/galaxy_jobs.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden galaxyJobs
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	ids, err := galaxy.NewIDCodec("USING THE DEFAULT IS NOT SECURE!")
	if err != nil {
		t.Fatal(err)
	}
	data := &memoryDatasets{}
	for _, d := range golden.Datasets {
		data.list = append(data.list, &DatasetInfo{ID: d.ID, HID: d.HID, Name: d.Name, Ext: d.Ext, State: "ok", Visible: true, Size: 1, Metadata: d.Metadata})
	}
	env := &Env{IDs: ids, Datasets: data, Datatypes: RegistryDatatypes(datatype.Default())}
	tools := toolsByID(t, "../../tools")
	compared := 0
	for _, run := range golden.Runs {
		tool := tools[run.Tool]
		if tool == nil {
			continue
		}
		in, err := ParseInputs(run.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := Expand(tool, in, FormatLegacy)
		if err != nil {
			t.Fatal(err)
		}
		s, errs, err := Populate(t.Context(), env, tool, jobs[0], FormatLegacy)
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: %v %v", run.Tool, err, errs.Messages())
			continue
		}
		stored := map[string]string{}
		for _, p := range s.Parameters(s.JobExtras(func(k string) string { return "/galaxy/tool-data/shared/ucsc/chrom/" + k + ".len" })) {
			if p.Value != nil {
				stored[p.Name] = *p.Value
			}
		}
		for _, p := range run.Parameters {
			if got, ok := stored[p[0]]; ok && p[0] != "__input_ext" && got != p[1] {
				t.Errorf("%s: %s is %s, Galaxy has %s", run.Tool, p[0], got, p[1])
			}
			if _, ok := stored[p[0]]; ok {
				compared++
			}
		}
		var names [][2]string
		for _, i := range s.Inputs() {
			names = append(names, [2]string{i.Name, pyStr(i.Dataset.ID)})
		}
		if !reflect.DeepEqual(names, run.Datasets) {
			t.Errorf("%s: inputs %v, Galaxy has %v", run.Tool, names, run.Datasets)
		}
	}
	if compared < 40 {
		t.Errorf("only %d parameters were compared", compared)
	}
}

// toolsByID loads every tool file below a folder.
func toolsByID(t testing.TB, dir string) map[string]*Tool {
	t.Helper()
	tools := map[string]*Tool{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" || filepath.Base(path) == "tool_conf.xml" {
			return err
		}
		if tool, err := LoadFile(path); err == nil {
			tools[tool.ID] = tool
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

func TestStoredParametersAreReadBack(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	env, data := fixtureEnv()
	s := fixtureState(t, tool, map[string]any{
		"file": hda(1), "many": []any{hda(1), hda(2)}, "text": "ünï\"\\\n\x7f😀", "flag": true, "several": []any{"x"},
		"cond|mode": "two", "cond|other": hda(1), "rep_0|item": "p", "maybe": "5",
	})
	params := s.Parameters(s.JobExtras(nil))
	job, err := DecodeJob(t.Context(), tool, params, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(job.Lost) > 0 {
		t.Errorf("lost %v", job.Lost)
	}
	if again := job.Parameters(job.JobExtras(nil)); !reflect.DeepEqual(params, again) {
		t.Errorf("got  %s\nwant %s", showParameters(again), showParameters(params))
	}
	for _, p := range params {
		if p.Name == "text" && *p.Value != `"\u00fcn\u00ef\"\\\n\u007f\ud83d\ude00"` {
			t.Errorf("text is stored as %s", *p.Value)
		}
	}
	if got := job.Basic(env.IDs)["file"]; !reflect.DeepEqual(got, map[string]any{"values": []any{map[string]any{"id": "id00000000000001", "src": "hda"}}}) {
		t.Errorf("state input %v", got)
	}
}

func TestInputNamesOfMultipleParameters(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command>`+anyInputs+`<outputs/>`)
	s := fixtureState(t, tool, map[string]any{"file": hda(1), "many": []any{hda(2), hda(3)}, "cond|mode": "two", "cond|other": hda(1)})
	var got []string
	for _, i := range s.Inputs() {
		if i.Dataset == nil {
			got = append(got, i.Name+"=none")
		} else {
			got = append(got, i.Name+"="+pyStr(i.Dataset.ID))
		}
	}
	want := "file=1 table=none many=2 many1=2 many2=3 cond|other=1"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	x := s.JobExtras(nil)
	if x.DBKey != "hg17" || x.InputExt != "input" {
		t.Errorf("got %+v", x)
	}
}

func TestDisplayedParameters(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>x</command><inputs><param name="n" type="integer" value="3" label="Number"/>
		<conditional name="c"><param name="m" type="select" label="Mode"><option value="one">1st</option></param><when value="one"><param name="f" type="data" format="txt" label="File"/></when></conditional></inputs><outputs/>`)
	_, data := fixtureEnv()
	s := fixtureState(t, tool, map[string]any{"c|f": hda(1)})
	job, err := DecodeJob(t.Context(), tool, s.Parameters(JobExtras{}), data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(job.Display(fixtureIDs{}))
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"text":"Number","depth":1,"value":3,"notes":""},{"text":"Mode","depth":1,"value":"one","notes":null},` +
		`{"text":"File","depth":2,"value":[{"id":"id00000000000001","src":"hda","hid":1,"name":"it's $(text)"}],"notes":null}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNumbersAreReadAsPythonReadsThem(t *testing.T) {
	for in, want := range map[string]string{"5": "5", " 7\n": "7", "-3": "-3", "1_000": "1000", "+2": "2"} {
		if n, ok := pyInt(in); !ok || pyStr(n) != want {
			t.Errorf("int(%q) = %v", in, n)
		}
	}
	for _, in := range []any{"", "1.5", "abc", "1__0", "_1", "0x10", nil, []any{}, "1e3"} {
		if n, ok := pyInt(in); ok {
			t.Errorf("int(%v) = %v", in, n)
		}
	}
	for in, want := range map[string]string{"1e3": "1000.0", ".5": "0.5", "1e16": "1e+16", "-inf": "-inf", "1_0.5": "10.5"} {
		if f, ok := pyFloat(in); !ok || pyStr(f) != want {
			t.Errorf("float(%q) = %s, want %s", in, pyStr(f), want)
		}
	}
	for _, in := range []string{"", "x", "1e", "--1", "0x1p3"} {
		if f, ok := pyFloat(in); ok {
			t.Errorf("float(%q) = %v", in, f)
		}
	}
}

func FuzzPopulate(f *testing.F) {
	for _, s := range []string{
		`{"file": {"src": "hda", "id": "id00000000000001"}}`, `{"cond|mode": "two", "rep_0|item": 3, "rep_1|item": null}`,
		`{"file": {"batch": true, "values": [{"src": "hda", "id": 1}]}, "several": ["x"]}`, `{"cond": {"mode": []}, "rep": {"a": 1}, "sec": 3}`,
		`{"rep_99999999|item": 1, "number": 1e400, "many": "id00000000000001,2", "column": {"a": []}}`, `{"text": {"a": [1, {"b": null}]}}`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	tool := fixtureTool(f, "21.01", `<command>echo '$text' $number $several $cond.mode</command>`+anyInputs+`<outputs/>`)
	env, data := fixtureEnv()
	f.Fuzz(func(t *testing.T, raw []byte, flat bool) {
		format := FormatNested
		if flat {
			format = FormatLegacy
		}
		in, err := ParseInputs(raw)
		if err != nil {
			return
		}
		jobs, err := Expand(tool, in, format)
		if err != nil || len(jobs) == 0 {
			return
		}
		s, errs, err := Populate(t.Context(), env, tool, jobs[0], format)
		if err != nil {
			return
		}
		_ = errs.Err()
		job, err := DecodeJob(t.Context(), tool, s.Parameters(s.JobExtras(nil)), data)
		if err != nil {
			t.Fatal(err)
		}
		if errs.Len() == 0 && len(job.Lost) > 0 {
			t.Errorf("a checked state loses %v", job.Lost)
		}
		job.Display(env.IDs)
		if _, err := json.Marshal(s.Basic(env.IDs)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzDecodeJob(f *testing.F) {
	for _, s := range []string{`{"values": [{"id": 1, "src": "hda"}]}`, `"3"`, `null`, `[{"__index__": 0, "item": "x"}]`, `{"__current_case__": 1, "mode": "two"}`, `[[]]`, `1`, `{"values": 3}`, "nonsense", `"id00000000000001"`} {
		f.Add("file", s)
		f.Add("cond", s)
		f.Add("rep", s)
		f.Add("number", s)
	}
	tool := fixtureTool(f, "21.01", `<command>echo '$text'</command>`+anyInputs+`<outputs><data name="o" format="input" label="$text on ${on_string}"/></outputs>`)
	env, data := fixtureEnv()
	f.Fuzz(func(t *testing.T, name, value string) {
		job, err := DecodeJob(t.Context(), tool, []JobParameter{{name, &value}, {"dbkey", &value}}, data)
		if err != nil {
			t.Fatal(err)
		}
		job.Display(env.IDs)
		job.Inputs()
		for _, p := range job.Parameters(job.JobExtras(nil)) {
			if p.Value != nil && !json.Valid([]byte(*p.Value)) {
				t.Errorf("%s is stored as %q", p.Name, *p.Value)
			}
		}
		_, _ = PlanOutputs(t.Context(), &job.State, PlanInput{Datatypes: env.Datatypes})
		_, _ = Evaluate(t.Context(), EvalInput{Tool: tool, Job: job, Datatypes: env.Datatypes})
		if _, err := BuildForm(t.Context(), env, tool, FormInput{HistoryID: "id00000000000001", Job: &FormJob{State: job}}); err != nil {
			t.Error(err)
		}
	})
}
