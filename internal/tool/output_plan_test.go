package tool

import (
	"strings"
	"testing"

	"orrery/internal/datatype"
	"orrery/internal/galaxy"
)

func planOf(t *testing.T, profile, inputs, outputs string, request map[string]any) (*OutputPlan, error) {
	t.Helper()
	tool := fixtureTool(t, profile, "<command>x</command>"+inputs+"<outputs>"+outputs+"</outputs>")
	s := fixtureState(t, tool, request)
	return PlanOutputs(t.Context(), s, PlanInput{Datatypes: RegistryDatatypes(datatype.Default()), ChromInfo: func(k string) string { return "/len/" + k + ".len" }})
}

func TestOutputsArePlannedAsGalaxyPlansThem(t *testing.T) {
	tests := []struct {
		name, outputs string
		inputs        map[string]any
		want          string // name ext label, joined
	}{
		{"default label", `<data name="o" format="txt"/>`, nil, "o txt Fixture on dataset 1"},
		{"two inputs", `<data name="o" format="txt"/>`, map[string]any{"table": hda(3)}, "o txt Fixture on dataset 1 and 3"},
		{"a run of inputs", `<data name="o" format="txt"/>`, map[string]any{"table": hda(2), "many": []any{hda(3)}}, "o txt Fixture on dataset 1-3"},
		{"label with values", `<data name="o" format="txt" label="${tool.name} $choice of ${on_string}: $file.name"/>`, nil, "o txt Fixture b of dataset 1: it__sq__s X(text)"},
		{"label with a short name", `<data name="o" format="txt" label="$inner"/>`, nil, "o txt deep"},
		{"format of an input", `<data name="o" format="txt" format_source="table"/>`, map[string]any{"table": hda(3)}, "o bed Fixture on dataset 1 and 3"},
		{"format of an input inside a case", `<data name="o" format="fasta" format_source="other"/>`, map[string]any{"cond|mode": "two", "cond|other": hda(1)}, "o txt Fixture on dataset 1"},
		{"format of a missing input", `<data name="o" format="tabular" format_source="table"/>`, nil, "o tabular Fixture on dataset 1"},
		{"change_format", `<data name="o" format="txt"><change_format><when input="choice" value="b" format="csv"/></change_format></data>`, nil, "o csv Fixture on dataset 1"},
		{"change_format inside a case", `<data name="o" format="txt"><change_format><when input="cond.mode" value="one" format="csv"/></change_format></data>`, nil, "o csv Fixture on dataset 1"},
		{"change_format that does not hold", `<data name="o" format="txt"><change_format><when input="choice" value="a" format="csv"/></change_format></data>`, nil, "o txt Fixture on dataset 1"},
		{"sniffed", `<data name="o" auto_format="true"/>`, nil, "o _sniff_ Fixture on dataset 1"},
		{"filter holds", `<data name="o" format="txt"><filter>number == 3 and cond['mode'] == 'one'</filter></data>`, nil, "o txt Fixture on dataset 1"},
		{"filter does not hold", `<data name="o" format="txt"><filter>flag</filter></data><data name="p" format="txt"/>`, nil, "p txt Fixture on dataset 1"},
		{"one of two filters", `<data name="o" format="txt"><filter>number</filter><filter>flag</filter></data>`, nil, ""},
		{"a filter that fails keeps the output", `<data name="o" format="txt"><filter>nothing['x']</filter></data>`, nil, "o txt Fixture on dataset 1"},
		{"filter over choices", `<data name="o" format="txt"><filter>'x' in several</filter></data>`, map[string]any{"several": []any{"x"}}, "o txt Fixture on dataset 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := map[string]any{"file": hda(1)}
			for k, v := range tt.inputs {
				in[k] = v
			}
			plan, err := planOf(t, "21.01", anyInputs, tt.outputs, in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range plan.Outputs {
				got = append(got, o.Name+" "+o.Ext+" "+o.Label)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutputDetails(t *testing.T) {
	plan, err := planOf(t, "21.01", anyInputs, `<data name="o" format="bed" hidden="true" from_work_dir="sub/out.bed" metadata_source="table"/>`, map[string]any{"file": hda(1), "table": hda(3)})
	if err != nil {
		t.Fatal(err)
	}
	o := plan.Outputs[0]
	if o.Visible || o.FromWorkDir != "sub/out.bed" || o.CreatedFromBasename != "out.bed" || o.DBKey != "hg17" || o.MetadataFrom == nil || o.MetadataFrom.ID != 3 {
		t.Errorf("got %+v", o)
	}
	if plan.Extras.ChromInfo != "/len/hg17.len" {
		t.Errorf("chromInfo %s", plan.Extras.ChromInfo)
	}
}

func TestInputFormatOfOldTools(t *testing.T) {
	plan, err := planOf(t, "16.01", anyInputs, `<data name="o" format="input"/>`, map[string]any{"file": hda(1), "table": hda(3)})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Outputs[0].Ext != "txt" || plan.Extras.InputExt != "txt" {
		t.Errorf("got %s and %s", plan.Outputs[0].Ext, plan.Extras.InputExt)
	}
}

func TestCollectionsAreRefusedClearly(t *testing.T) {
	_, err := planOf(t, "21.01", anyInputs, `<collection name="c" type="list"><discover_datasets pattern="__name__"/></collection>`, map[string]any{"file": hda(1)})
	if galaxy.KindOf(err) != galaxy.NotImplemented || !strings.Contains(err.Error(), "collection") {
		t.Errorf("got %v", err)
	}
}

func TestOnString(t *testing.T) {
	for _, tt := range []struct {
		hids []int64
		want string
	}{
		{nil, ""}, {[]int64{4}, "dataset 4"}, {[]int64{4, 4}, "dataset 4"}, {[]int64{5, 4}, "dataset 4 and 5"}, {[]int64{1, 3}, "dataset 1 and 3"},
		{[]int64{1, 2, 3}, "dataset 1-3"}, {[]int64{1, 3, 5}, "dataset 1, 3, and 5"}, {[]int64{1, 2, 3, 7}, "dataset 1-3 and 7"},
		{[]int64{1, 3, 5, 7}, "dataset 1, 3, and others"},
	} {
		var in []JobInput
		for _, h := range tt.hids {
			in = append(in, JobInput{"x", &DatasetInfo{HID: h}})
		}
		if got := onString(in); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.hids, got, tt.want)
		}
	}
}
