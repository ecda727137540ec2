package tool

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"orrery/internal/cheetah"
)

// paramKinds are the types that <param type> may have.
var paramKinds = map[Kind]bool{
	KindText: true, KindInteger: true, KindFloat: true, KindBoolean: true, KindGenomeBuild: true, KindSelect: true,
	KindColor: true, KindGroupTag: true, KindDataColumn: true, KindHidden: true, KindHiddenData: true, KindBaseURL: true,
	KindFile: true, KindFTPFile: true, KindData: true, KindDataCollection: true, KindRules: true, KindDirectoryURI: true,
	KindDrillDown: true,
}

const paramKindList = "text, integer, float, boolean, select, data, data_collection, data_column, genomebuild, color, hidden, " +
	"hidden_data, baseurl, file, ftpfile, drill_down, group_tag, directory_uri or rules"

func (l *loader) inputs() error {
	t := l.tool
	t.Action, t.Method, t.Target, t.CheckValues = "/tool_runner/index", "post", "galaxy_main", true
	if e := l.root.Find("inputs"); e != nil {
		t.InputsDefined = true
		t.Action, t.Method, t.Target = e.Get("action", t.Action), e.Get("method", t.Method), e.Get("target", t.Target)
		if v, ok := e.Lookup("check_values"); ok {
			t.CheckValues = stringBool(v)
		}
		t.NginxUpload = stringBool(e.Get("nginx_upload", ""))
		pages := e.FindAll("page")
		t.HasPages = len(pages) > 1
		if len(pages) == 0 {
			pages = []*Element{e}
		}
		for i, page := range pages {
			if d := page.Find("display"); d != nil && i == 0 {
				t.Display = d.xmlString()
			}
			ps, err := l.params(page, nil, t.Inputs)
			if err != nil {
				return err
			}
			t.Inputs = append(t.Inputs, ps...)
		}
	}
	if strings.HasPrefix(t.ToolType, "data_source") {
		// Such tools leave Galaxy's window and come back by themselves.
		t.Target, t.CheckValues = "_top", false
		if findParam(t.Inputs, "GALAXY_URL") == nil {
			url := "/tool_runner?tool_id=" + t.ID
			if t.ToolType == "data_source_async" {
				url = "/async/" + t.ID
			}
			t.Inputs = append(t.Inputs, &Param{Kind: KindBaseURL, Name: "GALAXY_URL", Value: &url, HelpFormat: "html", Line: l.root.Line, File: l.root.File})
		}
	}
	return nil
}

func findParam(ps []*Param, name string) *Param {
	for _, p := range ps {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// params reads the inputs directly below e. before are those that come earlier in the same group.
func (l *loader) params(e *Element, parent *Param, before []*Param) ([]*Param, error) {
	var ps []*Param
	for _, c := range e.Children {
		var p *Param
		var err error
		switch c.Tag {
		case "param":
			p, err = l.param(c)
		case "repeat":
			p, err = l.repeat(c)
		case "conditional":
			p, err = l.conditional(c, append(before[:len(before):len(before)], ps...))
		case "section":
			p, err = l.section(c)
		case "upload_dataset":
			p, err = l.uploadDataset(c)
			if err == nil {
				if typ := findParam(ps, p.FileTypeName); typ != nil {
					typ.RefreshOnChange = true
				}
			}
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if p.Name == "" {
			return nil, errorAt(c, "<%s> has no name", c.Tag)
		}
		p.Parent, p.Line, p.File = parent, c.Line, c.File
		if earlier := findParam(ps, p.Name); earlier != nil {
			// Galaxy keeps the later of two; an author means two different inputs.
			l.warn(c, "input %q was already defined in line %d; the later one counts", p.Name, earlier.Line)
			for i := range ps {
				if ps[i] == earlier {
					ps[i] = p
				}
			}
			continue
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (l *loader) repeat(e *Element) (*Param, error) {
	p := &Param{Kind: KindRepeat, Name: e.Get("name", ""), Label: e.Get("title", ""), Help: e.Get("help", ""), RepeatMax: -1}
	for _, a := range []struct {
		name string
		to   *int
	}{{"default", &p.RepeatDefault}, {"min", &p.RepeatMin}, {"max", &p.RepeatMax}} {
		if v, ok := e.Lookup(a.name); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil && a.name == "max" {
				if f, ferr := strconv.ParseFloat(strings.TrimSpace(v), 64); ferr == nil {
					if f > 1e9 {
						continue // inf
					}
					n, err = int(f), nil
				}
			}
			if err != nil || n < 0 {
				return nil, errorAt(e, "attribute %s of <repeat name=%q> has to be a whole number from 0 on, not %q", a.name, p.Name, v)
			}
			*a.to = n
		}
	}
	if p.RepeatMax >= 0 && p.RepeatMin > p.RepeatMax {
		return nil, errorAt(e, "<repeat name=%q>: min %d is larger than max %d", p.Name, p.RepeatMin, p.RepeatMax)
	}
	p.RepeatDefault = max(p.RepeatDefault, p.RepeatMin)
	if p.RepeatMax >= 0 {
		p.RepeatDefault = min(p.RepeatDefault, p.RepeatMax)
	}
	var err error
	p.Children, err = l.params(e, p, nil)
	return p, err
}

func (l *loader) section(e *Element) (*Param, error) {
	p := &Param{Kind: KindSection, Name: e.Get("name", ""), Label: e.Get("title", ""), Help: e.Get("help", ""), Expanded: stringBool(e.Get("expanded", ""))}
	var err error
	p.Children, err = l.params(e, p, nil)
	return p, err
}

func (l *loader) uploadDataset(e *Element) (*Param, error) {
	p := &Param{Kind: KindUploadDataset, Name: e.Get("name", ""), Label: e.Get("title", ""), FileTypeName: e.Get("file_type_name", "file_type"),
		DefaultFileType: e.Get("default_file_type", "auto"), MetadataRef: e.Get("metadata_ref", "files_metadata")}
	var err error
	p.Children, err = l.params(e, p, nil)
	return p, err
}

func (l *loader) conditional(e *Element, before []*Param) (*Param, error) {
	p := &Param{Kind: KindConditional, Name: e.Get("name", ""), ValueRef: e.Get("value_ref", ""), ValueFrom: e.Get("value_from", "")}
	if p.Name == "" {
		return nil, errorAt(e, "<conditional> has no name")
	}
	p.ValueRefInGroup = stringBool(e.Get("value_ref_in_group", "true"))
	if p.ValueFrom != "" {
		// The cases come from Galaxy's Python; only the old upload tool does it, and its cases are empty here.
		p.Test = findParam(before, p.ValueRef)
		if p.Test == nil {
			return nil, errorAt(e, "<conditional name=%q>: value_ref %q is no earlier input", p.Name, p.ValueRef)
		}
		p.Test.RefreshOnChange = true
		return p, nil
	}
	te := e.Find("param")
	if te == nil {
		return nil, errorAt(e, "<conditional name=%q> has no <param>, which decides between its cases", p.Name)
	}
	test, err := l.param(te)
	if err != nil {
		return nil, err
	}
	if test.Kind != KindSelect && test.Kind != KindBoolean && test.Kind != KindGenomeBuild {
		return nil, errorAt(te, "the <param> that decides a <conditional> has to be of type select or boolean, not %s", test.Kind)
	}
	test.Optional, test.RefreshOnChange, test.Parent, test.Line, test.File = false, true, p, te.Line, te.File
	p.Test = test
	possible := map[string]bool{}
	var order []string
	add := func(v string) {
		if !possible[v] {
			possible[v] = true
			order = append(order, v)
		}
	}
	if test.Kind == KindBoolean {
		add(test.TrueValue)
		add(test.FalseValue)
	} else {
		for _, o := range test.Options {
			add(o.Value)
		}
	}
	for _, w := range e.FindAll("when") {
		c := Case{Value: w.Get("value", "")}
		if c.Inputs, err = l.params(w, p, nil); err != nil {
			return nil, err
		}
		if _, dup := p.Case(c.Value); dup {
			l.warn(w, "<when value=%q> is given twice in <conditional name=%q>; the first counts", c.Value, p.Name)
		}
		if !possible[c.Value] && test.Dynamic == nil && test.DynamicCode == "" {
			l.warn(w, "<when value=%q> can never be chosen: %s", c.Value, known("the values are", order))
		}
		delete(possible, c.Value)
		p.Cases = append(p.Cases, c)
	}
	for _, v := range order {
		if possible[v] {
			p.Cases = append(p.Cases, Case{Value: v})
		}
	}
	return p, nil
}

// param reads a <param>.
func (l *loader) param(e *Element) (*Param, error) {
	p := &Param{Kind: Kind(e.Get("type", "")), Name: e.Get("name", ""), Argument: e.Get("argument", ""), Line: e.Line, File: e.File}
	if p.Name == "" {
		if p.Argument == "" {
			return nil, errorAt(e, "<param> has neither name nor argument")
		}
		p.Name = strings.ReplaceAll(strings.TrimLeft(p.Argument, "-"), "-", "_")
	}
	if p.Kind == "" {
		return nil, errorAt(e, "<param name=%q> has no type; it may be %s", p.Name, paramKindList)
	}
	if !paramKinds[p.Kind] {
		return nil, errorAt(e, "<param name=%q> is of the unknown type %q; it may be %s", p.Name, p.Kind, paramKindList)
	}
	p.Label, p.Help, p.HelpFormat = xmlText(e, "label", ""), xmlText(e, "help", ""), "html"
	if v := e.Get("help_format", ""); v != "" {
		p.HelpFormat = v
	}
	p.Hidden, p.RefreshOnChange = stringBool(e.Get("hidden", "")), stringBool(e.Get("refresh_on_change", ""))
	_, p.OptionalWritten = e.Lookup("optional")
	p.Optional = stringBool(e.Get("optional", ""))
	p.Value = attrPointer(e, "value")
	var err error
	if p.Validators, err = l.validators(e); err != nil {
		return nil, err
	}
	if s := e.Find("sanitizer"); s != nil {
		p.Sanitizer = sanitizer(s)
	}
	if o := e.Find("options"); o != nil && p.Kind != KindDrillDown {
		if p.Dynamic, err = l.dynamicOptions(o); err != nil {
			return nil, err
		}
	}
	p.DynamicCode = e.Get("dynamic_options", "")
	p.Min, p.Max = attrPointer(e, "min"), attrPointer(e, "max")
	p.Display, p.Separator = e.Get("display", ""), e.Get("separator", ",")
	p.Multiple = stringBool(e.Get("multiple", ""))
	switch p.Kind {
	case KindText:
		p.Area, p.Size = stringBool(e.Get("area", "")), e.Get("size", "")
		p.Datalist = staticOptions(e)
		if !p.OptionalWritten {
			p.OptionalInferred = emptyIsValid(p.Validators)
			p.Optional = p.OptionalInferred
		}
	case KindInteger, KindFloat:
		return p, l.number(e, p)
	case KindBoolean:
		p.TrueValue, p.FalseValue = e.Get("truevalue", "true"), e.Get("falsevalue", "false")
		checked := stringBool(e.Get("checked", ""))
		p.Checked = &checked
		if l.tool.ProfileAtLeast("23.1") {
			switch {
			case p.TrueValue == p.FalseValue:
				return nil, errorAt(e, "<param name=%q>: truevalue and falsevalue are the same", p.Name)
			case strings.EqualFold(p.TrueValue, "false"), strings.EqualFold(p.FalseValue, "true"):
				return nil, errorAt(e, "<param name=%q>: truevalue %q and falsevalue %q are turned round", p.Name, p.TrueValue, p.FalseValue)
			}
		}
	case KindSelect, KindGenomeBuild:
		if !p.OptionalWritten {
			p.Optional = p.Multiple
		}
		if p.Dynamic == nil && p.DynamicCode == "" {
			p.Options = staticOptions(e)
		}
	case KindDataColumn, KindGroupTag:
		if p.Kind == KindDataColumn {
			if v, ok := e.Lookup("force_select"); ok {
				p.ForceSelect = stringBool(v)
				p.Optional = !p.ForceSelect
			} else {
				p.ForceSelect = !p.Optional
			}
		}
		p.DataRef, p.Numerical = e.Get("data_ref", ""), stringBool(e.Get("numerical", ""))
		p.UseHeaderNames, p.AcceptDefault = stringBool(e.Get("use_header_names", "")), stringBool(e.Get("accept_default", ""))
		p.Optional = p.Optional || p.AcceptDefault
		if p.DefaultValue = attrPointer(e, "default_value"); p.DefaultValue == nil {
			p.DefaultValue = p.Value
		}
		if p.Kind == KindDataColumn && p.DataRef == "" && l.tool.ProfileAtLeast("24.2") {
			return nil, errorAt(e, "<param name=%q type=\"data_column\"> needs data_ref, the name of the data input whose columns it offers", p.Name)
		}
	case KindColor:
		p.RGB = stringBool(e.Get("rgb", ""))
		if p.Value == nil {
			black := "#000000"
			p.Value = &black
		}
	case KindHidden:
		p.Hidden = true
	case KindBaseURL:
		if p.Value == nil {
			empty := ""
			p.Value = &empty
		}
	case KindFile, KindFTPFile:
		if !p.OptionalWritten {
			p.Optional = true
		}
		p.Multiple = stringBool(e.Get("multiple", "true"))
	case KindDrillDown:
		return p, l.drillDown(e, p)
	case KindData, KindHiddenData, KindDataCollection:
		return p, l.dataParam(e, p)
	}
	return p, nil
}

func (l *loader) number(e *Element, p *Param) error {
	what := "a whole number"
	if p.Kind == KindFloat {
		what = "a number"
	}
	for _, a := range []struct {
		name string
		v    *string
	}{{"value", p.Value}, {"min", p.Min}, {"max", p.Max}} {
		if a.v == nil || *a.v == "" {
			continue
		}
		s := strings.TrimSpace(*a.v)
		var err error
		if p.Kind == KindInteger {
			_, err = strconv.ParseInt(s, 10, 64)
		} else {
			_, err = strconv.ParseFloat(s, 64)
		}
		if err != nil {
			return errorAt(e, "attribute %s of <param name=%q type=%q> has to be %s, not %q", a.name, p.Name, p.Kind, what, *a.v)
		}
	}
	return nil
}

func (l *loader) dataParam(e *Element, p *Param) error {
	for _, f := range strings.Split(e.Get("format", "data"), ",") {
		p.Formats = append(p.Formats, strings.ToLower(strings.TrimSpace(f)))
	}
	p.Tag, p.NoValidation = e.Get("tag", ""), stringBool(e.Get("no_validation", ""))
	if v := e.Get("load_contents", ""); v != "" {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < 0 {
			return errorAt(e, "load_contents of <param name=%q> has to be a number of bytes, not %q", p.Name, v)
		}
		p.LoadContents = n
	}
	for _, c := range e.FindAll("conversion") {
		conv := Conversion{Name: c.Get("name", ""), Extension: c.Get("type", "")}
		if conv.Name == "" || conv.Extension == "" {
			return errorAt(c, "<conversion> needs name and type")
		}
		p.Conversions = append(p.Conversions, conv)
	}
	if v := e.Get("allow_uri_if_protocol", ""); v != "" {
		p.AllowURI = strings.Split(v, ",")
	}
	if p.Kind == KindDataCollection {
		if v := e.Get("collection_type", ""); v != "" {
			for _, c := range strings.Split(v, ",") {
				p.CollectionTypes = append(p.CollectionTypes, strings.TrimSpace(c))
			}
		}
		p.Multiple = false
		p.Fields, p.ColumnDefinition = e.Get("fields", ""), e.Get("column_definitions", "")
	} else if !p.Multiple && (p.Min != nil || p.Max != nil) {
		return errorAt(e, "<param name=%q>: min and max are for data inputs with multiple=\"true\"", p.Name)
	}
	if d := e.Find("default"); d != nil {
		if p.Kind == KindDataCollection {
			p.DefaultObject = map[string]any{"class": "Collection", "name": d.Get("name", p.Name),
				"collection_type": d.Get("collection_type", ""), "elements": defaultElements(d)}
		} else {
			p.DefaultObject = map[string]any{"class": "File", "location": d.Get("location", "")}
		}
		if p.Optional {
			return errorAt(e, "<param name=%q> cannot be optional and have a <default>", p.Name)
		}
	}
	if p.Kind == KindHiddenData {
		p.Hidden = true
		if !p.Optional {
			return errorAt(e, "<param name=%q type=\"hidden_data\"> has to be optional=\"true\"", p.Name)
		}
	}
	return nil
}

func defaultElements(e *Element) []any {
	elements := []any{}
	for _, c := range e.FindAll("element") {
		if sub := c.Find("collection"); sub != nil {
			elements = append(elements, map[string]any{"class": "Collection", "identifier": c.Get("name", ""),
				"collection_type": sub.Get("collection_type", ""), "elements": defaultElements(sub)})
			continue
		}
		elements = append(elements, map[string]any{"class": "File", "identifier": c.Get("name", ""), "location": c.Get("location", "")})
	}
	return elements
}

func (l *loader) drillDown(e *Element, p *Param) error {
	p.Hierarchy, p.FromFile = e.Get("hierarchy", "exact"), e.Get("from_file", "")
	if p.DynamicCode != "" || p.FromFile != "" {
		return nil
	}
	o := e.Find("options")
	if o == nil {
		return errorAt(e, "<param name=%q type=\"drill_down\"> has no <options>", p.Name)
	}
	var err error
	p.DrillDown, err = drillOptions(o)
	return err
}

func drillOptions(e *Element) ([]*DrillOption, error) {
	var r []*DrillOption
	for _, c := range e.FindAll("option") {
		o := &DrillOption{Name: c.Get("name", ""), Value: c.Get("value", ""), Selected: stringBool(c.Get("selected", ""))}
		if o.Value == "" {
			return nil, errorAt(c, "<option> has no value")
		}
		var err error
		if o.Options, err = drillOptions(c); err != nil {
			return nil, err
		}
		r = append(r, o)
	}
	return r, nil
}

// staticOptions reads <option>s; of several with one value the last one's text counts, at the first one's place.
func staticOptions(e *Element) []Option {
	var r []Option
	at := map[string]int{}
	for _, c := range e.Children {
		if c.Tag != "option" {
			continue
		}
		o := Option{Value: c.Get("value", ""), Text: c.Text, Selected: stringBool(c.Get("selected", ""))}
		if o.Text == "" {
			o.Text = o.Value
		}
		if i, ok := at[o.Value]; ok {
			r[i] = o
			continue
		}
		at[o.Value] = len(r)
		r = append(r, o)
	}
	return r
}

func (l *loader) dynamicOptions(e *Element) (*DynamicOptions, error) {
	d := &DynamicOptions{FromDataTable: e.Get("from_data_table", ""), FromFile: strings.TrimSpace(e.Get("from_file", "")), FromDataset: e.Get("from_dataset", ""),
		FromParameter: e.Get("from_parameter", ""), FromURL: e.Get("from_url", ""), OptionsFilter: e.Get("options_filter_attribute", ""),
		Separator: e.Get("separator", ""), StartsWith: e.Get("startswith", ""), Meta: e.Get("meta_file_key", ""),
		TransformList: e.Get("transform_lines", ""), RequestMethod: e.Get("request_method", ""), Options: staticOptions(e), Element: e}
	for _, c := range e.Children {
		switch c.Tag {
		case "column":
			col := OptionColumn{Name: c.Get("name", ""), Index: -1}
			if v, ok := c.Lookup("index"); ok {
				n, err := strconv.Atoi(strings.TrimSpace(v))
				if err != nil || n < 0 {
					return nil, errorAt(c, "index of <column name=%q> has to be a whole number from 0 on, not %q", col.Name, v)
				}
				col.Index = n
			}
			if col.Name == "" {
				return nil, errorAt(c, "<column> has no name")
			}
			d.Columns = append(d.Columns, col)
		case "filter":
			f := OptionFilter{Type: c.Get("type", ""), Attrs: attrMap(c)}
			if f.Type == "" {
				return nil, errorAt(c, "<filter> has no type")
			}
			delete(f.Attrs, "type")
			d.Filters = append(d.Filters, f)
		case "file":
			d.Files = append(d.Files, elementText(c))
		case "postprocess_expression":
			d.Postprocess = c.Text
		case "request_body":
			d.RequestBody = c.Text
		case "request_headers":
			d.RequestHeader = map[string]string{}
			for _, h := range c.FindAll("header") {
				d.RequestHeader[h.Get("name", "")] = h.Get("value", "")
			}
		}
	}
	var err error
	d.Validators, err = l.validators(e)
	return d, err
}

var validatorTypes = map[string]bool{
	"expression": true, "regex": true, "in_range": true, "length": true, "metadata": true, "dataset_metadata_equal": true,
	"unspecified_build": true, "no_options": true, "empty_field": true, "empty_dataset": true, "empty_extra_files_path": true,
	"dataset_metadata_in_data_table": true, "dataset_metadata_not_in_data_table": true, "dataset_metadata_in_range": true,
	"value_in_data_table": true, "value_not_in_data_table": true, "dataset_ok_validator": true, "dataset_metadata_in_file": true,
}

func (l *loader) validators(e *Element) ([]Validator, error) {
	var r []Validator
	for _, c := range e.Children {
		if c.Tag != "validator" {
			continue
		}
		v := Validator{Type: c.Get("type", ""), Message: attrPointer(c, "message"), Expression: c.Text, Line: c.Line,
			MetadataName: c.Get("metadata_name", ""), MetadataColumn: c.Get("metadata_column", "0"), TableName: c.Get("table_name", ""),
			Filename: c.Get("filename", ""), LineStartsWith: c.Get("line_startswith", ""), Split: c.Get("split", "\t"),
			Value: attrPointer(c, "value"), ValueJSON: attrPointer(c, "value_json")}
		if !validatorTypes[v.Type] {
			return nil, errorAt(c, "<validator> is of the unknown type %q", v.Type)
		}
		for _, b := range []struct {
			name string
			to   *bool
		}{{"negate", &v.Negate}, {"exclude_min", &v.ExcludeMin}, {"exclude_max", &v.ExcludeMax}} {
			if s, ok := c.Lookup(b.name); ok {
				if *b.to, ok = looseBool(s); !ok {
					return nil, errorAt(c, "%s of <validator> has to be true or false, not %q", b.name, s)
				}
			}
		}
		for _, n := range []struct {
			name string
			to   **string
		}{{"min", &v.Min}, {"max", &v.Max}} {
			s := c.Get(n.name, "")
			if s == "" {
				continue
			}
			if _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err != nil {
				return nil, errorAt(c, "%s of <validator> has to be a number, not %q", n.name, s)
			}
			*n.to = &s
		}
		v.Check, v.Skip = commaList(c.Get("check", "")), commaList(c.Get("skip", ""))
		if v.Type == "regex" {
			if _, err := regexp2.Compile(pyPattern(v.Expression), regexp2.None); err != nil {
				return nil, errorAt(c, "the regular expression of <validator> is not valid: %v", err)
			}
		}
		r = append(r, v)
	}
	return r, nil
}

func commaList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func sanitizer(e *Element) *Sanitizer {
	s := &Sanitizer{Sanitize: stringBool(e.Get("sanitize", "True")), InvalidChar: e.Get("invalid_char", "X")}
	set := func(c *Element) SanitizerSet {
		r := SanitizerSet{Initial: c.Get("initial", "default")}
		for _, a := range c.Children {
			tag := strings.ToLower(a.Tag)
			if tag != "add" && tag != "remove" {
				continue
			}
			r.Actions = append(r.Actions, SanitizerAction{Remove: tag == "remove", Preset: a.Get("preset", "none"), Value: a.Get("value", ""),
				Source: attrPointer(a, "source"), Target: attrPointer(a, "target")})
		}
		return r
	}
	for _, c := range e.Children {
		switch c.Tag {
		case "valid":
			s.Valid = append(s.Valid, set(c))
		case "mapping":
			s.Mapping = append(s.Mapping, set(c))
		}
	}
	return s
}

// emptyIsValid says whether the validators that need nothing but the value accept an empty text, which makes a text
// parameter optional that does not say whether it is.
func emptyIsValid(vs []Validator) bool {
	for i := range vs {
		v := &vs[i]
		ok := true
		switch v.Type {
		case "regex":
			ok = pyMatch(v.Expression, "", false) != nil
		case "length":
			if v.Min != nil {
				f, _ := strconv.ParseFloat(strings.TrimSpace(*v.Min), 64)
				ok = f <= 0
			}
			if v.Max != nil {
				f, _ := strconv.ParseFloat(strings.TrimSpace(*v.Max), 64)
				ok = ok && f >= 0
			}
		case "empty_field":
			ok = false
		case "no_options":
			ok = true
		case "expression":
			ok = expressionAcceptsEmpty(v.Expression)
		default:
			continue
		}
		if ok == v.Negate {
			return false
		}
	}
	return true
}

// expressionAcceptsEmpty evaluates an expression validator for the empty text. An expression that cannot be evaluated
// rejects, as in Galaxy.
func expressionAcceptsEmpty(expression string) bool {
	expr, err := cheetah.CompileExpr(strings.TrimSpace(expression))
	if err != nil {
		return false
	}
	v, err := expr.Eval(context.Background(), cheetah.MapScope{"value": ""}, cheetah.Limits{Steps: 100_000, Duration: time.Second})
	return err == nil && cheetah.Truth(v)
}
