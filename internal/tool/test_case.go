package tool

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// tests reads <tests>. A mistake in a test does not keep the tool from loading: the test carries it in Error.
func (l *loader) tests() error {
	e := l.root.Find("tests")
	if e == nil {
		return nil
	}
	for i, te := range e.FindAll("test") {
		tc := &TestCase{Index: i, Line: te.Line}
		if err := tc.read(l.tool, te); err != nil {
			*tc = TestCase{Index: i, Line: te.Line, Error: err.Error()}
		}
		l.tool.Tests = append(l.tool.Tests, tc)
	}
	return nil
}

func (tc *TestCase) read(t *Tool, e *Element) error {
	tc.ExpectFailure, tc.ExpectTestFailure = stringBool(e.Get("expect_failure", "")), stringBool(e.Get("expect_test_failure", ""))
	for _, n := range []struct {
		name string
		to   **int
	}{{"expect_num_outputs", &tc.ExpectNumOutputs}, {"expect_exit_code", &tc.ExpectExitCode}, {"maxseconds", &tc.MaxSeconds}} {
		if err := intAttr(e, n.name, n.to); err != nil {
			return err
		}
	}
	tc.Command, tc.CommandVersion = assertions(e.Find("assert_command")), assertions(e.Find("assert_command_version"))
	tc.Stdout, tc.Stderr = assertions(e.Find("assert_stdout")), assertions(e.Find("assert_stderr"))
	if err := tc.readInputs(e, ""); err != nil {
		return err
	}
	for _, o := range e.FindAll("output") {
		to, err := testOutput(o, "name", false, true)
		if err != nil {
			return err
		}
		tc.Outputs = append(tc.Outputs, to)
	}
	for _, o := range e.FindAll("output_collection") {
		c := TestOutputCollection{Name: o.Get("name", ""), Type: o.Get("type", ""), Attrs: attrMap(o)}
		if c.Name == "" {
			return errorAt(o, "<output_collection> has no name")
		}
		delete(c.Attrs, "name")
		if err := intAttr(o, "count", &c.Count); err != nil {
			return err
		}
		var err error
		if c.Elements, err = testElements(o); err != nil {
			return err
		}
		tc.OutputCollections = append(tc.OutputCollections, c)
	}
	return nil
}

func intAttr(e *Element, name string, to **int) error {
	v, ok := e.Lookup(name)
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil {
		return errorAt(e, "%s has to be a whole number, not %q", name, v)
	}
	*to = &n
	return nil
}

// readInputs flattens the params of a test: those directly here, then those of repeats, conditionals and sections.
func (tc *TestCase) readInputs(e *Element, prefix string) error {
	for _, p := range e.FindAll("param") {
		in, err := testInput(p)
		if err != nil {
			return err
		}
		in.Name = joinName(prefix, in.Name)
		tc.Inputs = append(tc.Inputs, *in)
	}
	index := map[string]int{}
	for _, r := range e.FindAll("repeat") {
		name := r.Get("name", "")
		if err := tc.readInputs(r, joinName(prefix, fmt.Sprintf("%s_%d", name, index[name]))); err != nil {
			return err
		}
		index[name]++
	}
	for _, tag := range []string{"conditional", "section"} {
		for _, c := range e.FindAll(tag) {
			if err := tc.readInputs(c, joinName(prefix, c.Get("name", ""))); err != nil {
				return err
			}
		}
	}
	return nil
}

func joinName(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "|" + name
}

func testInput(e *Element) (*TestInput, error) {
	in := &TestInput{Name: e.Get("name", ""), Attrs: attrMap(e), Metadata: map[string]string{}}
	if in.Name == "" {
		return nil, errorAt(e, "<%s> of a test has no name", e.Tag)
	}
	delete(in.Attrs, "name")
	switch {
	case has(in.Attrs, "values"):
		in.Value = strings.Split(in.Attrs["values"], ",")
	case has(in.Attrs, "value"):
		in.Value = in.Attrs["value"]
	case has(in.Attrs, "value_json"):
		if err := json.Unmarshal([]byte(in.Attrs["value_json"]), &in.Value); err != nil {
			return nil, errorAt(e, "value_json is not JSON: %v", err)
		}
	}
	if in.Value == nil && in.Attrs["location"] != "" {
		in.Value = path.Base(in.Attrs["location"])
	}
	for _, c := range e.Children {
		switch c.Tag {
		case "metadata":
			in.Metadata[c.Get("name", "")] = c.Get("value", "")
		case "composite_data":
			in.CompositeData = append(in.CompositeData, c.Get("value", ""))
		case "collection":
			col, err := testCollection(c)
			if err != nil {
				return nil, err
			}
			in.Collection = col
		}
	}
	return in, nil
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

func testCollection(e *Element) (*TestCollection, error) {
	c := &TestCollection{Type: e.Get("type", ""), Name: e.Get("name", "Unnamed Collection"), Attrs: attrMap(e)}
	if f := e.Find("fields"); f != nil && strings.TrimSpace(f.Text) != "" {
		if !json.Valid([]byte(f.Text)) {
			return nil, errorAt(f, "<fields> is not JSON")
		}
		c.Fields = f.Text
	}
	if c.Type == "" {
		return nil, errorAt(e, "<collection> of a test has no type")
	}
	for _, el := range e.FindAll("element") {
		te := TestCollectionElement{Identifier: el.Get("name", "")}
		if sub := el.Find("collection"); sub != nil {
			var err error
			if te.Collection, err = testCollection(sub); err != nil {
				return nil, err
			}
		} else {
			in, err := testInput(el)
			if err != nil {
				return nil, err
			}
			te.Dataset = in
		}
		c.Elements = append(c.Elements, te)
	}
	return c, nil
}

func assertions(e *Element) []TestAssertion {
	if e == nil {
		return nil
	}
	r := []TestAssertion{}
	for _, c := range e.Children {
		r = append(r, TestAssertion{Tag: c.Tag, Attrs: attrMap(c), Children: assertions(c)})
	}
	return r
}

func testElements(e *Element) ([]TestOutput, error) {
	var r []TestOutput
	for _, c := range e.FindAll("element") {
		o, err := testOutput(c, "name", true, false)
		if err != nil {
			return nil, err
		}
		r = append(r, o)
	}
	return r, nil
}

// testOutput reads what an output has to be. nameAttr is the attribute that names it, "" for extra files.
func testOutput(e *Element, nameAttr string, elements, discovered bool) (TestOutput, error) {
	o := TestOutput{Compare: strings.ToLower(e.Get("compare", "diff")), Delta: 10000, Attrs: attrMap(e), FType: e.Get("ftype", ""),
		Sort: stringBool(e.Get("sort", "")), Decompress: stringBool(e.Get("decompress", "")), Location: e.Get("location", ""),
		MD5: e.Get("md5", ""), Checksum: e.Get("checksum", ""), Metadata: map[string]string{}, Assertions: assertions(e.Find("assert_contents"))}
	if nameAttr != "" {
		o.Name = e.Get(nameAttr, "")
		if o.Name == "" {
			return o, errorAt(e, "<%s> of a test has no %s", e.Tag, nameAttr)
		}
		delete(o.Attrs, nameAttr)
	}
	o.File = e.Get("file", e.Get("value", ""))
	if o.File == "" && o.Location != "" {
		o.File = path.Base(o.Location)
	}
	if v, ok := e.Lookup("value_json"); ok {
		if !json.Valid([]byte(v)) {
			return o, errorAt(e, "value_json is not JSON")
		}
		o.ValueJSON = &v
	}
	var lines, delta *int
	for _, n := range []struct {
		name string
		to   **int
	}{{"lines_diff", &lines}, {"delta", &delta}, {"count", &o.Count}, {"min", &o.Min}, {"max", &o.Max}} {
		if err := intAttr(e, n.name, n.to); err != nil {
			return o, err
		}
	}
	if lines != nil {
		o.LinesDiff = *lines
	}
	if delta != nil {
		o.Delta = *delta
	}
	if v, ok := e.Lookup("delta_frac"); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return o, errorAt(e, "delta_frac has to be a number, not %q", v)
		}
		o.DeltaFrac = &f
	}
	for _, m := range e.FindAll("metadata") {
		o.Metadata[m.Get("name", "")] = m.Get("value", "")
	}
	for _, x := range e.FindAll("extra_files") {
		xo, err := testOutput(x, "", false, false)
		if err != nil {
			return o, err
		}
		xo.Name = x.Get("name", "")
		ef := TestExtraFile{Type: x.Get("type", "file"), TestOutput: xo}
		if ef.Type != "directory" && ef.Name == "" {
			return o, errorAt(x, "<extra_files type=%q> has no name", ef.Type)
		}
		o.ExtraFiles = append(o.ExtraFiles, ef)
	}
	var err error
	if elements {
		if o.Elements, err = testElements(e); err != nil {
			return o, err
		}
	}
	if discovered {
		for _, d := range e.FindAll("discovered_dataset") {
			do, err := testOutput(d, "designation", false, false)
			if err != nil {
				return o, err
			}
			o.Discovered = append(o.Discovered, do)
		}
	}
	if len(o.Assertions) == 0 && o.File == "" && len(o.Metadata) == 0 && o.FType == "" && o.MD5 == "" && o.Checksum == "" &&
		len(o.ExtraFiles) == 0 && len(o.Elements) == 0 && len(o.Discovered) == 0 && o.ValueJSON == nil && o.Count == nil && o.Min == nil && o.Max == nil {
		return o, errorAt(e, "<%s name=%q> of a test checks nothing; give it a file, assertions, metadata or a checksum", e.Tag, o.Name)
	}
	return o, nil
}

// TestsJSON is the answer of GET /api/tools/{id}/test_data: an array with the tool's tests.
func (t *Tool) TestsJSON() ([]byte, error) {
	list := []any{}
	for _, tc := range t.Tests {
		list = append(list, t.testDescription(tc))
	}
	return json.Marshal(list)
}

// testDescription is one test in the form that Galaxy's test tools read.
func (t *Tool) testDescription(tc *TestCase) ordered {
	x := &testExpansion{raw: append([]TestInput(nil), tc.Inputs...), byText: CompareVersions(t.Profile, "24.1") <= 0}
	inputs := ordered{}
	problem := tc.Error
	if problem == "" {
		if err := x.expand(t.Inputs, "", []string{""}, &inputs); err != nil {
			problem, inputs = err.Error(), ordered{}
		}
	}
	var exception any
	if problem != "" {
		exception = problem
		x.files, x.tables, x.locFiles = nil, nil, nil
		tc = &TestCase{Index: tc.Index}
	}
	outputs, collections := []any{}, []any{}
	for i := range tc.Outputs {
		o := &tc.Outputs[i]
		outputs = append(outputs, ordered{{"name", o.Name}, {"value", nullable(o.File)}, {"attributes", o.attributes(false)}})
	}
	for i := range tc.OutputCollections {
		c := &tc.OutputCollections[i]
		collections = append(collections, ordered{{"name", c.Name}, {"attributes", c.Attrs}, {"element_tests", elementTests(c.Elements, t.ProfileAtLeast("20.09"))}, {"element_count", c.Count}})
	}
	numOutputs := tc.ExpectNumOutputs
	if numOutputs != nil && *numOutputs == 0 {
		numOutputs = nil
	}
	d := ordered{
		{"inputs", inputs}, {"outputs", outputs}, {"output_collections", collections}, {"num_outputs", numOutputs},
		{"command_line", assertionList(tc.Command)}, {"command_version", assertionList(tc.CommandVersion)},
		{"stdout", assertionList(tc.Stdout)}, {"stderr", assertionList(tc.Stderr)}, {"expect_exit_code", tc.ExpectExitCode},
		{"expect_failure", tc.ExpectFailure}, {"expect_test_failure", tc.ExpectTestFailure}, {"name", fmt.Sprintf("Test-%d", tc.Index+1)},
		{"test_index", tc.Index}, {"tool_id", t.ID}, {"tool_version", t.Version}, {"required_files", x.requiredFiles(tc.Index)},
		{"required_data_tables", stringList(x.tables)}, {"required_loc_files", stringList(x.locFiles)}, {"request", nil}, {"request_schema", nil},
		{"request_unavailable_reason", "parameter models are not published"}, {"error", problem != ""}, {"exception", exception},
		{"value_state_representation", "test_case_xml"},
	}
	if tc.MaxSeconds != nil {
		d = append(d, field{"maxseconds", *tc.MaxSeconds})
	}
	return d
}

func assertionList(as []TestAssertion) any {
	if as == nil {
		return nil
	}
	list := []any{}
	for _, a := range as {
		list = append(list, ordered{{"tag", a.Tag}, {"attributes", a.Attrs}, {"children", assertionList(a.Children)}})
	}
	return list
}

func (o *TestOutput) attributes(sorted bool) ordered {
	discovered := ordered{}
	for i := range o.Discovered {
		d := &o.Discovered[i]
		discovered = append(discovered, field{d.Name, []any{nullable(d.File), d.attributes(false)}})
	}
	extra := []any{}
	for i := range o.ExtraFiles {
		e := &o.ExtraFiles[i]
		extra = append(extra, ordered{{"value", nullable(e.File)}, {"name", nullable(e.Name)}, {"type", e.Type}, {"attributes", e.attributes(false)}})
	}
	metric, eps := "mae", 0.01
	if v := o.Attrs["metric"]; v != "" {
		metric = v
	}
	if f, err := strconv.ParseFloat(o.Attrs["eps"], 64); err == nil {
		eps = f
	}
	r := ordered{
		{"ftype", nullable(o.FType)}, {"compare", o.Compare}, {"lines_diff", o.LinesDiff}, {"delta", o.Delta}, {"delta_frac", o.DeltaFrac},
		{"sort", o.Sort}, {"decompress", o.Decompress}, {"metric", metric}, {"eps", eps}, {"pin_labels", nullable(o.Attrs["pin_labels"])},
		{"location", nullable(o.Location)}, {"count", o.Count}, {"min", o.Min}, {"max", o.Max}, {"metadata", o.Metadata},
		{"md5", nullable(o.MD5)}, {"checksum", nullable(o.Checksum)}, {"primary_datasets", discovered},
		{"elements", elementTests(o.Elements, sorted)}, {"assert_list", assertionList(o.Assertions)}, {"extra_files", extra},
	}
	if o.ValueJSON != nil {
		r = append(r, field{"object", json.RawMessage(*o.ValueJSON)})
	}
	return r
}

func elementTests(es []TestOutput, sorted bool) ordered {
	r := ordered{}
	for i := range es {
		a := es[i].attributes(sorted)
		if sorted {
			a = append(a, field{"expected_sort_order", i})
		}
		r = append(r, field{es[i].Name, []any{nullable(es[i].File), a}})
	}
	return r
}

// testExpansion matches the params of a test with the tool's inputs.
type testExpansion struct {
	raw    []TestInput // not used yet
	byText bool        // up to profile 24.1: short names, and options by their text
	files  []TestInput
	tables []string
	// locFiles are the from_file files that selects of the test need.
	locFiles []string
}

// take removes and returns the test's value for an input; names are the forms under which it may be written.
func (x *testExpansion) take(names []string) *TestInput {
	for _, n := range names {
		for i := len(x.raw) - 1; i >= 0; i-- {
			if x.raw[i].Name == n {
				in := x.raw[i]
				x.raw = append(x.raw[:i:i], x.raw[i+1:]...)
				return &in
			}
		}
	}
	return nil
}

// names of an input below a group: with all of the group's names before it, and up to profile 24.1 alone.
func (x *testExpansion) names(prefixes []string, name string) []string {
	var r []string
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			r = append(r, s)
		}
	}
	for _, p := range prefixes {
		if p != "" || !x.byText {
			add(joinName(p, name))
		}
		if !x.byText {
			break
		}
	}
	if x.byText {
		add(name)
	}
	return r
}

func (x *testExpansion) expand(ps []*Param, state string, prefixes []string, out *ordered) error {
	for _, p := range ps {
		name := joinName(state, p.Name)
		names := x.names(prefixes, p.Name)
		switch p.Kind {
		case KindConditional:
			if err := x.conditional(p, name, names, out); err != nil {
				return err
			}
		case KindSection, KindUploadDataset:
			if err := x.expand(p.Children, name, names, out); err != nil {
				return err
			}
		case KindRepeat:
			for i := 0; ; i++ {
				before := len(*out)
				n := fmt.Sprintf("%s_%d", p.Name, i)
				if err := x.expand(p.Children, joinName(state, n), x.names(prefixes, n), out); err != nil {
					return err
				}
				if len(*out) == before || i > 10_000 {
					break
				}
			}
		default:
			in := x.take(names)
			if in == nil {
				continue
			}
			v, err := x.value(p, in, name)
			if err != nil {
				return err
			}
			out.set(name, v)
		}
	}
	return nil
}

func (x *testExpansion) conditional(p *Param, name string, names []string, out *ordered) error {
	if p.Test == nil {
		return nil
	}
	testName := joinName(name, p.Test.Name)
	in := x.take(x.names(names, p.Test.Name))
	var chosen *Case
	if p.Test.Kind == KindBoolean {
		want := any(p.Test.Checked != nil && *p.Test.Checked)
		if in != nil {
			want = testBool(p.Test, in.Value)
		}
		for i := range p.Cases {
			if testBool(p.Test, p.Cases[i].Value) == want {
				chosen = &p.Cases[i]
				break
			}
		}
	} else {
		var value string
		switch {
		case in != nil:
			value, _ = in.Value.(string)
		case len(p.Test.Options) > 0:
			value = p.Test.Options[0].Value
			for _, o := range p.Test.Options {
				if o.Selected {
					value = o.Value
				}
			}
		default:
			return fmt.Errorf("the test gives no value for %s, which decides a conditional", testName)
		}
		chosen, _ = p.Case(value)
	}
	if chosen == nil {
		return nil
	}
	if err := x.expand(chosen.Inputs, name, names, out); err != nil {
		return err
	}
	if in != nil {
		v, err := x.value(p.Test, &TestInput{Value: chosen.Value}, testName)
		if err != nil {
			return err
		}
		out.set(testName, v)
	}
	return nil
}

func (x *testExpansion) value(p *Param, in *TestInput, name string) (any, error) {
	list := testValues(in.Value)
	// What was JSON in the test and no list stays what it is.
	same := func() any {
		switch in.Value.(type) {
		case string, []string, []any:
			return list
		}
		return list[0]
	}
	switch p.Kind {
	case KindText:
		return in.Value, nil
	case KindData, KindHiddenData:
		for _, v := range list {
			s, ok := v.(string)
			if !ok {
				if !p.Optional && len(in.CompositeData) == 0 {
					return nil, fmt.Errorf("%s is not optional; the test has to name a file", name)
				}
				continue
			}
			f := *in
			f.Name = s
			x.require(f)
		}
		return list, nil
	case KindDataCollection:
		if in.Collection == nil {
			return nil, fmt.Errorf("%s needs a <collection> in the test", name)
		}
		x.requireCollection(in.Collection)
		return in.Collection.json(), nil
	case KindSelect:
		for i, v := range list {
			if d := p.Dynamic; d != nil {
				if d.FromDataTable != "" {
					x.tables = append(x.tables, d.FromDataTable)
				} else if d.FromFile != "" {
					x.locFiles = append(x.locFiles, d.FromFile)
				}
			}
			if s, ok := v.(string); ok && x.byText {
				list[i] = optionValue(p.Options, s)
			}
		}
	case KindBoolean:
		for i, v := range list {
			list[i] = testBool(p, v)
		}
	}
	return same(), nil
}

// optionValue finds an option by its value or else by its text.
func optionValue(os []Option, s string) string {
	for _, o := range os {
		if o.Value == s {
			return s
		}
	}
	for _, o := range os {
		if o.Text == s {
			return o.Value
		}
	}
	return s
}

// testBool reads a boolean of a test, which may be written as the tool's truevalue and falsevalue.
func testBool(p *Param, v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	switch {
	case s == p.TrueValue:
		return true
	case s == p.FalseValue:
		return false
	}
	return stringBool(s)
}

func testValues(v any) []any {
	switch v := v.(type) {
	case string:
		var r []any
		for _, s := range strings.Split(v, ",") {
			r = append(r, s)
		}
		return r
	case []string:
		r := []any{}
		for _, s := range v {
			r = append(r, s)
		}
		return r
	case []any:
		return append([]any(nil), v...)
	}
	return []any{v}
}

func (x *testExpansion) require(f TestInput) {
	for i := range x.files {
		if x.files[i].Name == f.Name && fmt.Sprint(x.files[i].Attrs, x.files[i].Metadata, x.files[i].CompositeData) == fmt.Sprint(f.Attrs, f.Metadata, f.CompositeData) {
			return
		}
	}
	x.files = append(x.files, f)
}

func (x *testExpansion) requireCollection(c *TestCollection) {
	for _, e := range c.Elements {
		if e.Collection != nil {
			x.requireCollection(e.Collection)
			continue
		}
		if s, ok := e.Dataset.Value.(string); ok {
			f := *e.Dataset
			f.Name = s
			x.require(f)
		}
	}
}

func (x *testExpansion) requiredFiles(index int) []any {
	r := []any{}
	for _, f := range x.files {
		r = append(r, []any{f.Name, f.attributes(index)})
	}
	return r
}

func (in *TestInput) attributes(index int) ordered {
	var a ordered
	for _, k := range sortedKeys(in.Attrs) {
		a = append(a, field{k, in.Attrs[k]})
	}
	edit := []any{}
	if len(in.CompositeData) > 0 {
		edit = append(edit, ordered{{"type", "name"}, {"value", fmt.Sprintf("_COMPOSITE_RENAMED_t%d_%s", index, in.Name)}})
	}
	return append(a, field{"metadata", in.Metadata}, field{"composite_data", stringList(in.CompositeData)}, field{"edit_attributes", edit})
}

func (c *TestCollection) json() ordered {
	elements := []any{}
	for _, e := range c.Elements {
		var def any
		if e.Collection != nil {
			def = e.Collection.json()
		} else {
			def = ordered{{"name", e.Dataset.Name}, {"value", e.Dataset.Value}, {"attributes", e.Dataset.attributes(0)}}
		}
		elements = append(elements, ordered{{"element_identifier", e.Identifier}, {"element_definition", def}})
	}
	fields := json.RawMessage("null")
	if c.Fields != "" {
		fields = json.RawMessage(c.Fields)
	}
	return ordered{{"model_class", "TestCollectionDef"}, {"attributes", c.Attrs}, {"collection_type", c.Type},
		{"elements", elements}, {"name", c.Name}, {"fields", fields}}
}
