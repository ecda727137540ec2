package tool

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func loadString(t *testing.T, src string) *Tool {
	t.Helper()
	tool, err := LoadBytes("/t/tool.xml", []byte(src), files{}.read)
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// withBody makes a tool of one profile.
func withBody(profile, body string) string {
	return `<tool id="t" name="T" version="1" profile="` + profile + `">` + body + `</tool>`
}

func inputsOf(t *testing.T, inputs string) []*Param {
	t.Helper()
	return loadString(t, withBody("24.0", "<inputs>"+inputs+"</inputs>")).Inputs
}

func TestLoadDefaultsFollowTheProfile(t *testing.T) {
	for _, c := range []struct {
		profile        string
		strict         bool
		home, metadata string
		python         string
		codes          int
		discover       int
	}{
		{"16.01", false, "shared_home", "legacy", "2.7", 0, 1},
		{"16.04", false, "shared_home", "legacy", "2.7", 2, 0},
		{"17.09", false, "shared_home", "default", "2.7", 2, 0},
		{"18.01", false, "job_home", "default", "2.7", 2, 0},
		{"19.05", false, "job_home", "default", "3.5", 2, 0},
		{"20.09", true, "job_home", "default", "3.5", 2, 0},
		{"26.1", true, "job_home", "default", "3.5", 2, 0},
	} {
		tool := loadString(t, withBody(c.profile, `<command>x</command><outputs><data name="o"/></outputs>`))
		if tool.Command.Strict != c.strict || tool.HomeTarget != c.home || tool.ProvidedMetadataStyle != c.metadata || tool.PythonTemplateVersion != c.python ||
			len(tool.Stdio.ExitCodes) != c.codes || len(tool.Outputs[0].Discover) != c.discover {
			t.Errorf("profile %s: strict %v home %s metadata %s python %s codes %d discover %d", c.profile, tool.Command.Strict, tool.HomeTarget,
				tool.ProvidedMetadataStyle, tool.PythonTemplateVersion, len(tool.Stdio.ExitCodes), len(tool.Outputs[0].Discover))
		}
	}
	tool := loadString(t, `<tool id="old"><command interpreter="python">x.py</command></tool>`)
	if tool.Name != "old" || tool.Version != "1.0.0" || tool.Command.Interpreter != "python" || !tool.Stdio.Legacy() {
		t.Errorf("a tool without profile: %+v", tool)
	}
}

func TestLoadStdio(t *testing.T) {
	tool := loadString(t, withBody("24.0", `<command detect_errors="exit_code" oom_exit_code="137">x</command>
		<stdio><exit_code range="2:4" level="warning" description="two"/><exit_code value="7"/><exit_code range=":-3" level="log"/><exit_code range="x"/>
		<regex match="a" source="stderr" level="fatal_oom"/><regex match="b" src="both" level="qc"/></stdio>`))
	want := []ExitCodeRule{{2, 4, LevelWarning, "two"}, {7, 7, LevelFatal, ""}, {math.MinInt, -3, LevelLog, ""}, {137, 137, LevelFatalOOM, ""},
		{math.MinInt, -1, LevelFatal, ""}, {1, math.MaxInt, LevelFatal, ""}}
	if !reflect.DeepEqual(tool.Stdio.ExitCodes, want) {
		t.Errorf("exit codes: %+v", tool.Stdio.ExitCodes)
	}
	if want := []RegexRule{{"a", false, true, LevelFatalOOM, ""}, {"b", true, true, LevelQC, ""}}; !reflect.DeepEqual(tool.Stdio.Regexes, want) {
		t.Errorf("regexes: %+v", tool.Stdio.Regexes)
	}
	if len(tool.Warnings) != 1 || !strings.Contains(tool.Warnings[0], `exit code range "x"`) {
		t.Errorf("warnings: %v", tool.Warnings)
	}
	tool = loadString(t, withBody("24.0", `<command detect_errors="aggressive">x</command>`))
	if len(tool.Stdio.ExitCodes) != 2 || len(tool.Stdio.Regexes) != 6 {
		t.Errorf("aggressive: %+v", tool.Stdio)
	}
	tool = loadString(t, withBody("24.0", `<command>x</command><stdio/>`))
	if !tool.Stdio.Legacy() {
		t.Errorf("an empty <stdio> switches the exit code off: %+v", tool.Stdio)
	}
}

func TestLoadParamNamesAndTexts(t *testing.T) {
	ps := inputsOf(t, `<param argument="--min-len" type="integer" value="3"><label>Minimal
 length</label><help format="x"> h </help></param>`)
	p := ps[0]
	if p.Name != "min_len" || p.Label != "Minimal length" || p.Help != "h" || *p.Value != "3" || p.HelpFormat != "html" {
		t.Errorf("%+v", p)
	}
}

func TestLoadOptional(t *testing.T) {
	for src, want := range map[string]bool{
		`type="text"`:                                 true, // nothing demands a value
		`type="text" optional="false"`:                false,
		`type="integer" value="1"`:                    false,
		`type="select"`:                               false,
		`type="select" multiple="true"`:               true,
		`type="select" multiple="1" optional="false"`: false,
		`type="data"`:                                 false,
		`type="data_column" data_ref="d"`:             false,
		`type="data_column" force_select="false"`:     true,
		`type="data_column" accept_default="true"`:    true,
		`type="file"`:                                 true,
	} {
		if p := inputsOf(t, `<param name="p" `+src+`/>`)[0]; p.Optional != want {
			t.Errorf("%s: optional is %v", src, p.Optional)
		}
	}
	for validator, want := range map[string]bool{
		`<validator type="regex">^[a-z]*$</validator>`:               true,
		`<validator type="regex">[a-z]+</validator>`:                 false,
		`<validator type="regex" negate="true">^x</validator>`:       true,
		`<validator type="length" min="1"/>`:                         false,
		`<validator type="length" max="5"/>`:                         true,
		`<validator type="expression">len(value) > 0</validator>`:    false,
		`<validator type="expression">len(value) &lt; 9</validator>`: true,
		`<validator type="expression">value.nope()</validator>`:      false,
		`<validator type="regex">(?P&lt;a>x)*$</validator>`:          true,
		`<validator type="empty_field"/>`:                            false,
		`<validator type="in_range" min="1"/>`:                       true,
		`<validator type="empty_field" negate="true"/>`:              true,
	} {
		p := inputsOf(t, `<param name="p" type="text">`+validator+`</param>`)[0]
		if p.Optional != want || p.OptionalInferred != want {
			t.Errorf("text with %s: optional is %v", validator, p.Optional)
		}
	}
}

func TestLoadSelect(t *testing.T) {
	p := inputsOf(t, `<param name="p" type="select" display="radio"><option value="a">A</option><option value="b"/><option value="a" selected="true">again</option></param>`)[0]
	if want := []Option{{"again", "a", true}, {"b", "b", false}}; !reflect.DeepEqual(p.Options, want) || p.Display != "radio" || p.Separator != "," {
		t.Errorf("%+v", p)
	}
	p = inputsOf(t, `<param name="p" type="select"><options from_data_table="fasta"><column name="value" index="0"/><column name="name" index="1"/>
		<filter type="sort_by" column="1"/><validator type="no_options" message="none"/></options></param>`)[0]
	d := p.Dynamic
	if d == nil || d.FromDataTable != "fasta" || len(d.Columns) != 2 || d.Columns[1] != (OptionColumn{"name", 1}) || d.Filters[0].Type != "sort_by" || d.Filters[0].Attrs["column"] != "1" || len(d.Validators) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestLoadGroups(t *testing.T) {
	ps := inputsOf(t, `<repeat name="r" title="R" min="1" max="3" default="9"><param name="x" type="text"/></repeat>
		<section name="s" title="S" expanded="true" help="h"><param name="y" type="float" value="1e3"/></section>
		<conditional name="c"><param name="t" type="boolean" truevalue="-t" falsevalue="" checked="true" optional="true"/><when value="-t"><param name="z" type="color"/></when></conditional>
		<conditional name="d"><param name="k" type="select"><option value="1"/><option value="2"/></param><when value="2"/><when value="3"/></conditional>`)
	r, s, c, d := ps[0], ps[1], ps[2], ps[3]
	if r.Kind != KindRepeat || r.RepeatMin != 1 || r.RepeatMax != 3 || r.RepeatDefault != 3 || r.Children[0].Parent != r || r.Children[0].Line != 1 {
		t.Errorf("repeat: %+v", r)
	}
	if s.Label != "S" || !s.Expanded || s.Help != "h" || *s.Children[0].Value != "1e3" {
		t.Errorf("section: %+v", s)
	}
	if c.Test.Name != "t" || !c.Test.RefreshOnChange || c.Test.Optional || !*c.Test.Checked || len(c.Cases) != 2 || *c.Cases[0].Inputs[0].Value != "#000000" || c.Cases[1].Value != "" {
		t.Errorf("conditional: %+v", c)
	}
	var values []string
	for _, w := range d.Cases {
		values = append(values, w.Value)
	}
	if !reflect.DeepEqual(values, []string{"2", "3", "1"}) {
		t.Errorf("a case that is not written has no inputs and comes last: %v", values)
	}
	tool := loadString(t, withBody("24.0", `<inputs><repeat name="r" title="r"><param name="a" type="text"/></repeat><param name="b" type="text"/></inputs>`))
	var names []string
	tool.WalkInputs(func(p *Param) bool { names = append(names, p.Name); return true })
	if !reflect.DeepEqual(names, []string{"r", "a", "b"}) {
		t.Errorf("walk: %v", names)
	}
}

func TestLoadData(t *testing.T) {
	ps := inputsOf(t, `<param name="d" type="data" format="BAM, sam" multiple="true" min="2"><conversion name="bai" type="bai"/></param>
		<param name="c" type="data_collection" collection_type="list, paired" format="txt"/>
		<param name="e" type="data"><default location="https://example.org/x.txt"/></param>`)
	if p := ps[0]; !reflect.DeepEqual(p.Formats, []string{"bam", "sam"}) || !p.Multiple || *p.Min != "2" || p.Conversions[0] != (Conversion{"bai", "bai"}) {
		t.Errorf("data: %+v", p)
	}
	if p := ps[1]; !reflect.DeepEqual(p.CollectionTypes, []string{"list", "paired"}) {
		t.Errorf("collection: %+v", p)
	}
	if p := ps[2]; p.DefaultObject["location"] != "https://example.org/x.txt" || !reflect.DeepEqual(p.Formats, []string{"data"}) {
		t.Errorf("default: %+v", p)
	}
}

func TestLoadSanitizer(t *testing.T) {
	p := inputsOf(t, `<param name="p" type="text"><sanitizer invalid_char=""><valid initial="string.letters"><add value="_-"/><remove preset="default"/></valid>
		<mapping initial="none"><add source="'" target="&quot;"/></mapping></sanitizer></param>`)[0]
	s := p.Sanitizer
	if s == nil || !s.Sanitize || s.InvalidChar != "" || s.Valid[0].Initial != "string.letters" || s.Valid[0].Actions[0].Value != "_-" || !s.Valid[0].Actions[1].Remove ||
		*s.Mapping[0].Actions[0].Target != `"` {
		t.Errorf("%+v", s)
	}
}

func TestLoadOutputs(t *testing.T) {
	tool := loadString(t, withBody("20.09", `<outputs provided_metadata_file="m.json">
		<data name="a" format="txt" label="${tool.name}" from_work_dir=" out.txt " hidden="true"><filter>x == 1</filter>
			<change_format><when input="p" value="1" format="csv"/><when input_dataset="d" attribute="ext" value="bam" format="bam"/></change_format></data>
		<data name="b" auto_format="true"/>
		<collection name="c" type="paired" format_source="in"><data name="forward"/><data name="reverse" format="fasta"/></collection>
		<collection name="l" type="list"><discover_datasets pattern="__name_and_ext__" directory="d" sort_by="reverse_numeric_name" visible="true" ext="bed"/></collection>
		<output name="n" type="integer" from="output"/></outputs>`))
	var order []string
	for _, o := range tool.Outputs {
		order = append(order, o.Name)
	}
	if !reflect.DeepEqual(order, []string{"c", "l", "a", "b", "n"}) {
		t.Errorf("collections come first, expressions last: %v", order)
	}
	a := tool.OutputsByName["a"]
	if *a.Label != "${tool.name}" || a.FromWorkDir != "out.txt" || !a.Hidden || a.Filters[0].Expression != "x == 1" || a.Count != 1 ||
		a.ChangeFormat[0].Input != "$p" || a.ChangeFormat[1].InputDataset != "d" || a.ChangeFormat[1].Attribute != "ext" {
		t.Errorf("data: %+v", a)
	}
	if b := tool.OutputsByName["b"]; b.Format != "_sniff_" || b.Label != nil {
		t.Errorf("auto_format: %+v", b)
	}
	if c := tool.OutputsByName["c"]; len(c.Elements) != 2 || c.Elements[0].FormatSource != "in" || c.Elements[1].Format != "fasta" {
		t.Errorf("collection: %+v", c)
	}
	want := DiscoverDatasets{Via: "pattern", Pattern: namedPatterns["__name_and_ext__"], Directory: "d", Format: "bed", DBKey: "__input__", Visible: true, SortKey: "name", SortComp: "numeric", SortReverse: true}
	if d := tool.OutputsByName["l"].Discover; !reflect.DeepEqual(d, []DiscoverDatasets{want}) {
		t.Errorf("discover: %+v", d)
	}
	if n := tool.OutputsByName["n"]; n.Kind != OutputExpression || n.ValueType != "integer" || n.Format != "expression.json" {
		t.Errorf("expression: %+v", n)
	}
	if tool.ProvidedMetadataFile != "m.json" || !tool.ProvidedMetadataExplicit {
		t.Errorf("metadata file: %q", tool.ProvidedMetadataFile)
	}
}

func TestLoadTheRest(t *testing.T) {
	tool := loadString(t, withBody("24.0", `<description>d</description><xrefs><xref type="bio.tools"> bwa </xref><xref>x</xref></xrefs>
		<edam_topics><edam_topic>topic_1</edam_topic></edam_topics>
		<requirements><requirement type="package" version="1">a</requirement><container type="docker">b:1</container><resource type="cores_min">2</resource></requirements>
		<version_command> a --version </version_command><command use_shared_home="true">x</command>
		<environment_variables><environment_variable name="E" strip="true">$x</environment_variable></environment_variables>
		<configfiles><inputs name="in" filename="in.json" data_style="paths"/><configfile name="c">text</configfile></configfiles>
		<help format="markdown"># H</help><citations><citation type="doi">10.1/x</citation><citation type="bibtex">@misc{a}</citation></citations>
		<creator><person name="P"/></creator><uihints minwidth="800"/>`))
	if tool.Description != "d" || !reflect.DeepEqual(tool.Xrefs, []Xref{{"bwa", "bio.tools"}}) || tool.EdamTopics[0] != "topic_1" || tool.VersionCommand != "a --version" ||
		tool.HomeTarget != "shared_home" || !tool.Command.UseSharedHome || tool.EnvironmentVariables[0] != (EnvironmentVariable{Name: "E", Template: "$x", Strip: true, Line: tool.EnvironmentVariables[0].Line}) ||
		tool.HelpFormat != "markdown" || len(tool.Citations) != 2 || tool.Creators[0]["class"] != "Person" || tool.ResourceRequirements[0].Value != "2" {
		t.Errorf("%+v", tool)
	}
	if len(tool.ConfigFiles) != 2 || tool.ConfigFiles[0].Kind != "inputs" || tool.ConfigFiles[0].DataStyle != "paths" || tool.ConfigFiles[1].Text != "text" {
		t.Errorf("config files: %+v", tool.ConfigFiles)
	}
}

func TestLoadDataSource(t *testing.T) {
	tool := loadString(t, `<tool id="ucsc 1" name="U" version="1" tool_type="data_source"><inputs action="https://example.org/"/>
		<request_param_translation><request_param galaxy_name="data_type" remote_name="t" missing="auto"><value_translation><value galaxy_value="bed" remote_value="b"/></value_translation></request_param></request_param_translation></tool>`)
	if tool.ModelClass != "DataSourceTool" || tool.Target != "_top" || tool.CheckValues || tool.WorkflowCompatible || tool.Inputs[0].Name != "GALAXY_URL" ||
		tool.RequestParamTranslation[0].Translate["b"] != "bed" {
		t.Errorf("%+v", tool)
	}
}

func TestLoadErrorsSayWhereAndWhat(t *testing.T) {
	in := func(s string) string { return withBody("24.2", "<inputs>\n"+s+"</inputs>") }
	out := func(s string) string { return withBody("24.2", "<outputs>\n"+s+"</outputs>") }
	for _, c := range []struct{ src, want string }{
		{`<macros/>`, "the file holds <macros>, not <tool>"},
		{`<tool name="x"/>`, "has no id"},
		{`<tool id="x" profile="24.0"/>`, "has no version"},
		{`<tool id="x" profile="new"/>`, "is not a Galaxy release"},
		{`<tool id="x" version="1" profile="30.0"/>`, "the newest that is known here is 26.1"},
		{`<tool id="x" tool_type="other"/>`, `tool_type "other" is unknown`},
		{`<tool id="x"><type class="Evil"/></tool>`, "is not one of Galaxy's"},
		{in(`<param name="p"/>`), "/t/tool.xml:2: <param name=\"p\"> has no type; it may be text, integer"},
		{in(`<param name="p" type="string"/>`), `unknown type "string"`},
		{in(`<param type="text"/>`), "neither name nor argument"},
		{in(`<param name="p" type="integer" value="x"/>`), "has to be a whole number"},
		{in(`<param name="p" type="float" max="x"/>`), "has to be a number"},
		{in(`<param name="p" type="boolean" truevalue="x" falsevalue="x"/>`), "are the same"},
		{in(`<param name="p" type="data" min="1"/>`), `multiple="true"`},
		{in(`<param name="p" type="data" optional="true"><default location="x"/></param>`), "cannot be optional"},
		{in(`<param name="p" type="data_column"/>`), "needs data_ref"},
		{in(`<param name="p" type="hidden_data"/>`), `optional="true"`},
		{in(`<param name="p" type="drill_down"/>`), "has no <options>"},
		{in(`<param name="p" type="text"><validator type="x"/></param>`), `unknown type "x"`},
		{in(`<param name="p" type="text"><validator type="regex">(</validator></param>`), "is not valid"},
		{in(`<repeat name="r" min="3" max="2"/>`), "min 3 is larger than max 2"},
		{in(`<repeat name="r" min="x"/>`), "whole number from 0 on"},
		{in(`<repeat/>`), "<repeat> has no name"},
		{in(`<conditional name="c"/>`), "has no <param>"},
		{in(`<conditional name="c"><param name="p" type="text"/></conditional>`), "of type select or boolean, not text"},
		{out(`<data/>`), "has no name"},
		{out(`<data name="o" format="txt" auto_format="true"/>`), "use one of them"},
		{out(`<collection name="c"/>`), "says no type"},
		{out(`<data name="o"><discover_datasets pattern="x" from_provided_metadata="true"/></data>`), "neither pattern nor sort_by"},
		{out(`<data name="o"><discover_datasets pattern="x" sort_by="size"/></data>`), "it can sort by filename"},
		{out(`<data name="o"><discover_datasets pattern="x" visible="perhaps"/></data>`), "true or false"},
		{withBody("24.0", `<command detect_errors="never">x</command>`), "use default, exit_code or aggressive"},
		{withBody("24.0", `<expression type="python">x</expression>`), "has to be ecma5.1"},
		{withBody("24.0", `<environment_variables><environment_variable name="x" inject="password"/></environment_variables>`), "inject may be api_key"},
	} {
		_, err := LoadBytes("/t/tool.xml", []byte(c.src), files{}.read)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.src, err, c.want)
		}
	}
}

func TestLoadWarnsAboutOddities(t *testing.T) {
	tool := loadString(t, withBody("24.0", `<inputs><param name="p" type="text"/>
		<param name="p" type="integer" value="1"/></inputs><outputs><data name="o"/><data name="o" format="txt"/><other/></outputs>`))
	if len(tool.Warnings) != 3 || !strings.Contains(tool.Warnings[0], `/t/tool.xml:2: input "p" was already defined in line 1`) {
		t.Errorf("%v", tool.Warnings)
	}
	if len(tool.Inputs) != 1 || tool.Inputs[0].Kind != KindInteger || len(tool.Outputs) != 1 || tool.Outputs[0].Format != "txt" {
		t.Errorf("the later of two counts: %+v %+v", tool.Inputs, tool.Outputs)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0.0", 0}, {"0.9", "0.10", -1}, {"2", "1.9.9", 1}, {"0.1", "0.1+galaxy6", -1}, {"0.1+galaxy6", "0.2", -1},
		{"1.0rc1", "1.0", -1}, {"16.04", "16.4", 0}, {"24.1", "26.1", -1}, {"", "1", -1}, {"1.0a", "1.0b", -1},
	} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("CompareVersions(%q, %q) is %d, not %d", c.a, c.b, got, c.want)
		}
		if got := CompareVersions(c.b, c.a); got != -c.want {
			t.Errorf("CompareVersions(%q, %q) is %d, not %d", c.b, c.a, got, -c.want)
		}
	}
}
