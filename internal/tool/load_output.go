package tool

import (
	"strconv"
	"strings"
)

// namedPatterns are the words that stand for a regular expression in discover_datasets.
var namedPatterns = map[string]string{
	"__default__":             `primary_DATASET_ID_(?P<designation>[^_]+)_(?P<visible>[^_]+)_(?P<ext>[^_]+)(_(?P<dbkey>[^_]+))?`,
	"__name__":                `(?P<name>.*)`,
	"__designation__":         `(?P<designation>.*)`,
	"__name_and_ext__":        `(?P<name>.*)\.(?P<ext>[^\.]+)?`,
	"__designation_and_ext__": `(?P<designation>.*)\.(?P<ext>[^\._]+)?`,
}

func (l *loader) outputs(legacy bool) error {
	t := l.tool
	t.OutputsByName = map[string]*Output{}
	t.ProvidedMetadataFile, t.ProvidedMetadataStyle = "galaxy.json", "default"
	if !t.ProfileAtLeast("17.09") {
		t.ProvidedMetadataStyle = "legacy"
	}
	e := l.root.Find("outputs")
	if e == nil {
		return nil
	}
	if v, ok := e.Lookup("provided_metadata_file"); ok {
		t.ProvidedMetadataFile, t.ProvidedMetadataExplicit = v, true
	}
	if v, ok := e.Lookup("provided_metadata_style"); ok {
		if v != "legacy" && v != "default" {
			return errorAt(e, "provided_metadata_style %q is unknown; use default or legacy", v)
		}
		t.ProvidedMetadataStyle, t.ProvidedMetadataExplicit = v, true
	}
	// Galaxy lists collections before datasets, and expressions last.
	var collections, data, expressions []*Output
	for _, c := range e.Children {
		var o *Output
		var err error
		switch c.Tag {
		case "data":
			o, err = l.dataOutput(c, legacy, Output{Format: "data"})
		case "collection":
			o, err = l.collectionOutput(c, legacy, c.Get("type", ""), c.Get("type_source", ""))
		case "output":
			switch typ := c.Get("type", ""); typ {
			case "data":
				o, err = l.dataOutput(c, legacy, Output{Format: "data"})
			case "collection":
				o, err = l.collectionOutput(c, legacy, c.Get("collection_type", ""), c.Get("collection_type_source", ""))
			default:
				o = &Output{Kind: OutputExpression, Name: c.Get("name", ""), Line: c.Line, ValueType: typ, FromExpression: c.Get("from", ""),
					ValuePath: c.Get("value", ""), Format: "expression.json", Label: textPointer(c, "label"), Hidden: stringBool(c.Get("hidden", "")),
					Filters: outputFilters(c), Count: 1}
				if a := c.Find("actions"); a != nil {
					o.Actions = a.Children
				}
			}
		default:
			l.warn(c, "<%s> in <outputs> is unknown; use data, collection or output", c.Tag)
			continue
		}
		if err != nil {
			return err
		}
		if o.Name == "" {
			return errorAt(c, "<%s> in <outputs> has no name", c.Tag)
		}
		if earlier := t.OutputsByName[o.Name]; earlier != nil {
			l.warn(c, "output %q was already defined in line %d; the later one counts", o.Name, earlier.Line)
			collections, data, expressions = without(collections, earlier), without(data, earlier), without(expressions, earlier)
		}
		t.OutputsByName[o.Name] = o
		switch o.Kind {
		case OutputCollection:
			collections = append(collections, o)
		case OutputData:
			data = append(data, o)
		default:
			expressions = append(expressions, o)
		}
	}
	t.OutputCollections = collections
	t.Outputs = append(append(append(t.Outputs, collections...), data...), expressions...)
	return nil
}

func without(os []*Output, o *Output) []*Output {
	for i := range os {
		if os[i] == o {
			return append(os[:i:i], os[i+1:]...)
		}
	}
	return os
}

// dataOutput reads a <data>; inherited holds the defaults that a collection gives its elements.
func (l *loader) dataOutput(e *Element, legacy bool, inherited Output) (*Output, error) {
	o := &Output{Kind: OutputData, Name: e.Get("name", ""), Line: e.Line, Label: textPointer(e, "label"), Hidden: stringBool(e.Get("hidden", "")),
		Filters: outputFilters(e), FromExpression: e.Get("from", ""), Format: e.Get("format", inherited.Format),
		FormatSource: e.Get("format_source", inherited.FormatSource), MetadataSource: e.Get("metadata_source", inherited.MetadataSource),
		DefaultIdentifierSource: e.Get("default_identifier_source", "None"), FromWorkDir: e.Get("from_work_dir", ""),
		ParentName: e.Get("parent", ""), Count: 1}
	o.PrecreateDirectory = stringBool(e.Get("precreate_directory", ""))
	if stringBool(e.Get("auto_format", "")) {
		if o.Format != "data" {
			return nil, errorAt(e, "output %q has both format and auto_format; use one of them", o.Name)
		}
		o.Format = "_sniff_"
	}
	if !l.tool.ProfileAtLeast("21.09") {
		o.FromWorkDir = strings.TrimSpace(o.FromWorkDir)
	}
	if v, ok := e.Lookup("count"); ok {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return nil, errorAt(e, "count of output %q has to be a whole number, not %q", o.Name, v)
		}
		o.Count = n
	}
	for _, c := range e.FindAll("change_format") {
		for _, w := range c.FindAll("when") {
			cf := ChangeFormat{Value: w.Get("value", ""), Format: w.Get("format", "")}
			if in, ok := w.Lookup("input"); ok {
				if !strings.Contains(in, "$") {
					in = "$" + in
				}
				cf.Input = in
			} else {
				cf.InputDataset, cf.Attribute = w.Get("input_dataset", ""), w.Get("attribute", "")
			}
			o.ChangeFormat = append(o.ChangeFormat, cf)
		}
	}
	if a := e.Find("actions"); a != nil {
		o.Actions = a.Children
	}
	var err error
	o.Discover, err = l.discover(e, legacy)
	return o, err
}

func (l *loader) collectionOutput(e *Element, legacy bool, typ, typeSource string) (*Output, error) {
	o := &Output{Kind: OutputCollection, Name: e.Get("name", ""), Line: e.Line, Label: textPointer(e, "label"), Filters: outputFilters(e),
		Format: e.Get("format", "data"), FormatSource: e.Get("format_source", ""), MetadataSource: e.Get("metadata_source", ""),
		CollectionType: typ, CollectionTypeSource: typeSource, CollectionTypeRules: e.Get("type_from_rules", ""),
		StructuredLike: e.Get("structured_like", ""), Count: 1}
	if o.Name == "" {
		return nil, errorAt(e, "<%s> in <outputs> has no name", e.Tag)
	}
	if o.CollectionType == "" && o.CollectionTypeSource == "" && o.CollectionTypeRules == "" && o.StructuredLike == "" {
		return nil, errorAt(e, "output collection %q says no type; give it type, type_source, type_from_rules or structured_like", o.Name)
	}
	if o.StructuredLike != "" {
		o.InheritFormat, o.InheritMetadata = stringBool(e.Get("inherit_format", "")), stringBool(e.Get("inherit_metadata", ""))
	}
	var err error
	if o.Discover, err = l.discover(e, false); err != nil {
		return nil, err
	}
	for _, c := range e.FindAll("data") {
		d, err := l.dataOutput(c, legacy, Output{Format: o.Format, FormatSource: o.FormatSource, MetadataSource: o.MetadataSource})
		if err != nil {
			return nil, err
		}
		if d.Name == "" {
			return nil, errorAt(c, "<data> of collection %q has no name", o.Name)
		}
		o.Elements = append(o.Elements, d)
	}
	return o, nil
}

func outputFilters(e *Element) []OutputFilter {
	var r []OutputFilter
	for _, f := range e.FindAll("filter") {
		r = append(r, OutputFilter{Expression: strings.TrimSpace(f.Text), Line: f.Line})
	}
	return r
}

func textPointer(e *Element, name string) *string {
	if v := xmlText(e, name, "\x00"); v != "\x00" {
		return &v
	}
	return nil
}

// discover reads <discover_datasets>. Tools of profile 16.01 look for Galaxy's oldest file name pattern without saying so.
func (l *loader) discover(e *Element, legacy bool) ([]DiscoverDatasets, error) {
	elems := e.FindAll("discover_datasets")
	if len(elems) == 0 && legacy {
		return []DiscoverDatasets{{Via: "pattern", Pattern: namedPatterns["__default__"], DBKey: "__input__", SortKey: "filename", SortComp: "lexical"}}, nil
	}
	inherited := e.Get("format", "")
	if e.Tag == "collection" && e.Get("format_source", "") != "" {
		inherited = ""
	}
	var r []DiscoverDatasets
	for _, c := range elems {
		d := DiscoverDatasets{Via: "pattern", DBKey: c.Get("dbkey", "__input__"), Format: c.Get("ext", c.Get("format", inherited)),
			Directory: c.Get("directory", ""), SortKey: "filename", SortComp: "lexical"}
		for _, b := range []struct {
			name string
			to   *bool
		}{{"visible", &d.Visible}, {"assign_primary_output", &d.AssignPrimaryOutput}, {"recurse", &d.Recurse}, {"match_relative_path", &d.MatchRelativePath}} {
			if v, ok := c.Lookup(b.name); ok {
				if *b.to, ok = looseBool(v); !ok {
					return nil, errorAt(c, "%s of <discover_datasets> has to be true or false, not %q", b.name, v)
				}
			}
		}
		if provided, _ := looseBool(c.Get("from_provided_metadata", "false")); provided {
			d.Via = "tool_provided_metadata"
		}
		d.Via = c.Get("discover_via", d.Via)
		if d.Via == "tool_provided_metadata" {
			d.SortKey, d.SortComp, d.Recurse = "", "", false
			if c.Get("pattern", "") != "" || c.Get("sort_by", "") != "" {
				return nil, errorAt(c, "<discover_datasets from_provided_metadata=\"true\"> can have neither pattern nor sort_by")
			}
			if len(elems) > 1 {
				return nil, errorAt(c, "<discover_datasets from_provided_metadata=\"true\"> has to be the only one of its output")
			}
		} else if err := l.discoverPattern(c, &d); err != nil {
			return nil, err
		}
		r = append(r, d)
	}
	return r, nil
}

func (l *loader) discoverPattern(c *Element, d *DiscoverDatasets) error {
	d.Pattern = c.Get("pattern", "__default__")
	if p, ok := namedPatterns[d.Pattern]; ok {
		d.Pattern = p
	}
	by := c.Get("sort_by", "filename")
	by, d.SortReverse = strings.CutPrefix(by, "reverse_")
	if comp, key, ok := strings.Cut(by, "_"); ok {
		d.SortComp, by = comp, key
	}
	d.SortKey = by
	switch d.SortComp {
	case "lexical", "numeric":
	default:
		return errorAt(c, "sort_by %q: the order has to be lexical or numeric", c.Get("sort_by", ""))
	}
	switch d.SortKey {
	case "filename", "name", "designation", "dbkey":
	default:
		return errorAt(c, "sort_by %q: it can sort by filename, name, designation or dbkey", c.Get("sort_by", ""))
	}
	return nil
}
