package tool

import (
	"encoding/json"
	"strings"
	"testing"
)

func testsOf(t *testing.T, profile, inputs, tests string) []map[string]any {
	t.Helper()
	tool := loadString(t, withBody(profile, "<inputs>"+inputs+"</inputs><tests>"+tests+"</tests>"))
	data, err := tool.TestsJSON()
	if err != nil {
		t.Fatal(err)
	}
	var r []map[string]any
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestTestInputs(t *testing.T) {
	const inputs = `<param name="d" type="data"/><param name="n" type="integer" value="1"/><param name="x" type="text"/>
		<param name="b" type="boolean" truevalue="-b" falsevalue=""/><param name="s" type="select" multiple="true"><option value="1">One</option><option value="2">Two</option></param>
		<repeat name="r" title="R"><param name="y" type="text"/></repeat>
		<section name="sec" title="S"><param name="z" type="text"/></section>
		<conditional name="c"><param name="k" type="select"><option value="p">P</option><option value="q">Q</option></param><when value="p"/><when value="q"><param name="w" type="float" value="1"/></when></conditional>
		<param name="col" type="data_collection"/>`
	for name, c := range map[string]struct{ profile, test, want string }{
		"simple values":      {"24.2", `<param name="d" value="a.txt"/><param name="n" value="3"/><param name="x" value="a,b"/><param name="b" value="-b"/><param name="s" value="1,2"/>`, `{"b":[true],"d":["a.txt"],"n":["3"],"s":["1","2"],"x":"a,b"}`},
		"groups":             {"24.2", `<repeat name="r"><param name="y" value="1"/></repeat><repeat name="r"><param name="y" value="2"/></repeat><section name="sec"><param name="z" value="3"/></section>`, `{"r_0|y":"1","r_1|y":"2","sec|z":"3"}`},
		"a conditional":      {"24.2", `<conditional name="c"><param name="k" value="q"/><param name="w" value="2"/></conditional>`, `{"c|k":["q"],"c|w":["2"]}`},
		"short names, texts": {"24.1", `<param name="w" value="2"/><param name="k" value="q"/><param name="z" value="3"/><param name="s" value="Two"/>`, `{"c|k":["q"],"c|w":["2"],"s":["2"],"sec|z":"3"}`},
		"no short names":     {"24.2", `<param name="z" value="3"/><param name="s" value="Two"/>`, `{"s":["Two"]}`},
		"JSON values":        {"24.2", `<param name="n" value_json="3"/><param name="b" value_json="null"/>`, `{"b":null,"n":3}`},
		"a collection": {"24.2", `<param name="col"><collection type="list"><element name="e" value="f.txt"/></collection></param>`,
			`{"col":{"attributes":{"type":"list"},"collection_type":"list","elements":[{"element_definition":{"attributes":{"composite_data":[],"edit_attributes":[],"metadata":{},"value":"f.txt"},"name":"e","value":"f.txt"},"element_identifier":"e"}],"fields":null,"model_class":"TestCollectionDef","name":"Unnamed Collection"}}`},
	} {
		got := testsOf(t, c.profile, inputs, "<test>"+c.test+"</test>")[0]
		if s := asJSON(got["inputs"]); s != c.want || got["error"] != false {
			t.Errorf("%s: %s, want %s (%v)", name, s, c.want, got["exception"])
		}
	}
}

func TestTestDescription(t *testing.T) {
	got := testsOf(t, "24.2", `<param name="d" type="data"/>`, `<test/><test expect_num_outputs="2" expect_exit_code="3" expect_failure="true" maxseconds="9">
		<param name="d" value="a.bed" ftype="bed"><metadata name="m" value="v"/></param>
		<output name="o" file="b.txt" ftype="txt" lines_diff="2" sort="true"><assert_contents><has_text text="x"/><has_size value="1"/></assert_contents></output>
		<output_collection name="l" type="list" count="1"><element name="e" value_json="[1]"/></output_collection>
		<assert_command><has_text text="c"/></assert_command></test>`)
	d := got[1]
	for key, want := range map[string]string{
		"name": `"Test-2"`, "test_index": "1", "tool_id": `"t"`, "num_outputs": "2", "expect_exit_code": "3", "expect_failure": "true", "maxseconds": "9", "exception": "null",
		"required_files": `[["a.bed",{"composite_data":[],"edit_attributes":[],"ftype":"bed","metadata":{"m":"v"},"value":"a.bed"}]]`,
		"command_line":   `[{"attributes":{"text":"c"},"children":[],"tag":"has_text"}]`, "stdout": "null",
	} {
		if s := asJSON(d[key]); s != want {
			t.Errorf("%s: %s, want %s", key, s, want)
		}
	}
	out := asJSON(d["outputs"])
	for _, want := range []string{`"value":"b.txt"`, `"ftype":"txt"`, `"lines_diff":2`, `"sort":true`, `"delta":10000`, `"tag":"has_size"`} {
		if !strings.Contains(out, want) {
			t.Errorf("outputs lack %s: %s", want, out)
		}
	}
	if s := asJSON(d["output_collections"]); !strings.Contains(s, `"element_count":1`) || !strings.Contains(s, `"expected_sort_order":0`) || !strings.Contains(s, `"object":[1]`) {
		t.Errorf("output collections: %s", s)
	}
}

func TestBrokenTestsCarryTheirError(t *testing.T) {
	for test, want := range map[string]string{
		`<test expect_exit_code="x"/>`:                                    "has to be a whole number",
		`<test><output name="o"/></test>`:                                 "checks nothing",
		`<test><output file="f"/></test>`:                                 "has no name",
		`<test><param name="d" value_json="{"/></test>`:                   "is not JSON",
		`<test><param name="d"/></test>`:                                  "is not optional",
		`<test><output name="o"><extra_files value="x"/></output></test>`: "has no name",
	} {
		got := testsOf(t, "24.0", `<param name="d" type="data"/>`, test)[0]
		if s, _ := got["exception"].(string); got["error"] != true || !strings.Contains(s, want) {
			t.Errorf("%s: %v", test, got["exception"])
		}
	}
}

func TestCitations(t *testing.T) {
	tool := loadString(t, withBody("24.0", `<citations><citation type="doi">doi:10.1/x</citation><citation type="bibtex"> @misc{a} </citation><citation type="other">x</citation></citations>`))
	got, err := tool.CitationsJSON()
	if want := `[{"format":"bibtex","content":"@misc{10.1/x,\n  doi = {10.1/x},\n  url = {https://doi.org/10.1/x},\n}"},{"format":"bibtex","content":"@misc{a}"}]`; err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
}
