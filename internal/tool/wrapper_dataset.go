package tool

import (
	"context"
	"path"
	"slices"
	"strings"

	"orrery/internal/cheetah"
)

// datasetValue is a dataset in a template: it prints as its path. Without a dataset it stands for an input that was not
// given, or an output that was filtered away.
type datasetValue struct {
	data *DatasetInfo // nil: none
	dt   Datatypes
	tool *Tool
	// identifier is the name in a collection; "" falls back to the dataset's name.
	identifier string
	// plain gives text as it is: for expressions, whose results never reach a shell.
	plain bool
}

func newDatasetValue(d *DatasetInfo, dt Datatypes, t *Tool, safe bool) *datasetValue {
	w := &datasetValue{data: d, dt: dt, tool: t, plain: !safe}
	if d != nil {
		w.identifier = d.ElementIdentifier
	}
	return w
}

func (w *datasetValue) text(s string) cheetah.Value {
	if w.plain {
		return s
	}
	return newSafeText(s)
}

func (w *datasetValue) TypeName() string { return "DatasetFilenameWrapper" }
func (w *datasetValue) Truth() bool      { return w.data != nil }

// Str is the path. Paths are the server's own and need no cleaning, except when a server keeps its files below a folder
// whose name a shell would read.
func (w *datasetValue) Str() string {
	if w.data == nil {
		return "None"
	}
	if w.data.Path == "" && w.data.SourceURI != "" {
		return w.data.SourceURI
	}
	return w.data.Path
}

// Equal is identity, as in Galaxy: a dataset equals no text, not even its path.
func (w *datasetValue) Equal(o cheetah.Value) bool {
	other, ok := o.(*datasetValue)
	if !ok {
		return false
	}
	return other == w || w.data != nil && other.data != nil && w.data.Ref() == other.data.Ref()
}

func (w *datasetValue) HashKey() any {
	if w.data == nil {
		return DatasetRef{}
	}
	return w.data.Ref()
}

// Plain is the path: for str() methods such as $input.endswith.
func (w *datasetValue) Plain() cheetah.Value { return w.Str() }

func (w *datasetValue) fileExt() string {
	return w.data.Ext
}

func (w *datasetValue) elementIdentifier() string {
	if w.identifier != "" {
		return w.identifier
	}
	return w.data.Name
}

func noArgs(name string, v func() cheetah.Value) *cheetah.HostFunc {
	return cheetah.Func(name, func(context.Context, []cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
		return v(), nil
	})
}

// Attr gives what Galaxy's wrapper and the dataset below it have. Text that people chose is cleaned.
func (w *datasetValue) Attr(name string) (cheetah.Value, error) {
	if strings.HasPrefix(name, "__") {
		return nil, cheetah.ErrNoAttr
	}
	switch name {
	case "is_of_type":
		return cheetah.Func(name, w.isOfType), nil
	case "is_collection":
		return false, nil
	case "has_single_item":
		return true, nil
	case "single_item", "dataset", "unsanitized", "hda":
		return w, nil
	case "file_name":
		return w.Str(), nil
	case "get_file_name":
		return noArgs(name, func() cheetah.Value { return w.Str() }), nil
	case "metadata":
		return metadataValue{w}, nil
	}
	if w.data == nil {
		return w.noneAttr(name)
	}
	d := w.data
	switch name {
	case "ext", "extension":
		return w.text(d.Ext), nil
	case "file_ext":
		return w.text(w.fileExt()), nil
	case "name":
		return w.text(d.Name), nil
	case "display_name":
		return noArgs(name, func() cheetah.Value { return w.text(d.Name) }), nil
	case "element_identifier":
		if w.identifier != "" {
			if w.plain {
				return w.identifier, nil
			}
			return guard(w.identifier), nil
		}
		return w.text(d.Name), nil
	case "name_and_ext":
		return w.text(w.elementIdentifier() + "." + w.fileExt()), nil
	case "get_staging_path":
		return noArgs(name, func() cheetah.Value { return w.text(stagingPath(w.elementIdentifier(), w.fileExt())) }), nil
	case "extra_files_path", "files_path":
		return d.ExtraFilesPath, nil
	case "extra_files_path_name":
		return w.text(path.Base(d.ExtraFilesPath)), nil
	case "has_extra_files", "extra_files_path_exists":
		return noArgs(name, func() cheetah.Value { return d.TotalSize > d.Size }), nil
	case "dbkey", "genome_build":
		return w.text(d.dbkey()), nil
	case "get_dbkey":
		return noArgs(name, func() cheetah.Value { return w.text(d.dbkey()) }), nil
	case "hid":
		return d.HID, nil
	case "id":
		return d.ID, nil
	case "dataset_id":
		return d.DatasetID, nil
	case "history_id":
		return d.HistoryID, nil
	case "uuid":
		return w.text(d.UUID), nil
	case "state":
		return string(d.State), nil
	case "is_ok":
		return d.State == "ok", nil
	case "is_pending":
		return !d.State.Terminal(), nil
	case "deleted":
		return d.Deleted, nil
	case "visible":
		return d.Visible, nil
	case "info", "display_info":
		return w.text(d.Info), nil
	case "blurb":
		return w.text(d.Blurb), nil
	case "peek":
		return w.text(d.Peek), nil
	case "created_from_basename":
		if d.CreatedFromBasename == "" {
			return nil, nil
		}
		return w.text(d.CreatedFromBasename), nil
	case "get_size":
		return noArgs(name, func() cheetah.Value { return d.Size }), nil
	case "file_size", "size":
		return d.Size, nil
	case "get_total_size":
		return noArgs(name, func() cheetah.Value { return d.TotalSize }), nil
	case "total_size":
		return d.TotalSize, nil
	case "has_data":
		return noArgs(name, func() cheetah.Value { return d.Size > 0 }), nil
	case "is_deferred", "has_deferred_data":
		return d.State == "deferred", nil
	case "datatype":
		return datatypeValue{w}, nil
	case "tags":
		l := cheetah.NewList()
		for _, t := range d.Tags {
			l.Items = append(l.Items, w.text(t))
		}
		return l, nil
	case "groups":
		s := cheetah.NewSet()
		var items []cheetah.Value
		for _, t := range d.Tags {
			if g, ok := strings.CutPrefix(t, "group:"); ok {
				items = append(items, textOf(w, strings.ToLower(g)))
			}
		}
		if items != nil {
			s = cheetah.NewSet(items...)
		}
		return s, nil
	case "all_metadata_files":
		l := cheetah.NewList()
		for _, k := range sortedKeys(d.MetadataFiles) {
			l.Items = append(l.Items, cheetah.NewTuple(k, d.MetadataFiles[k]))
		}
		return l, nil
	case "serialize":
		return noArgs(name, func() cheetah.Value { return cheetah.FromGo(serializeDataset(w)) }), nil
	case "missing_meta":
		return noArgs(name, func() cheetah.Value {
			if m := missingMetadata(w.dt, d, nil, nil); m != "" {
				return m
			}
			return false
		}), nil
	case "history_content_type":
		return "dataset", nil
	}
	return nil, cheetah.ErrNoAttr
}

func textOf(w *datasetValue, s string) cheetah.Value {
	if w.plain {
		return s
	}
	return textChars.clean(s)
}

// noneAttr is what an absent dataset answers: "None" for everything it has no better answer for.
func (w *datasetValue) noneAttr(name string) (cheetah.Value, error) {
	switch name {
	case "ext", "extension", "file_ext":
		return "data", nil
	case "dbkey":
		return "?", nil
	case "is_deferred", "has_data", "missing_meta":
		return false, nil
	case "datatype":
		return datatypeValue{w}, nil
	}
	return "None", nil
}

// isOfType is $input.is_of_type("fasta", "fastq").
func (w *datasetValue) isOfType(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
	ext := "data"
	if w.data != nil {
		ext = w.data.Ext
	}
	var formats []string
	for _, a := range args {
		f := strings.ToLower(cheetah.Str(a))
		if w.dt == nil || w.dt.Known(f) {
			formats = append(formats, f)
		}
	}
	if w.dt == nil {
		return slices.Contains(formats, ext), nil
	}
	return w.dt.Matches(ext, formats...), nil
}

// stagingPath makes a file name out of a dataset's name: no leading dots, no slashes, not too long.
func stagingPath(name, ext string) string {
	return fileSafe(name, 254-len(ext)) + "." + ext
}

func fileSafe(s string, limit int) string {
	s = strings.TrimLeft(strings.ReplaceAll(s, "\x00", ""), ".")
	s = strings.ReplaceAll(s, "/", "_")
	if r := []rune(s); len(r) > limit && limit > 2 {
		s = string(r[:limit-2]) + ".."
	}
	return s
}

// serializeDataset is one dataset in the JSON of staged inputs.
func serializeDataset(w *datasetValue) map[string]any {
	if w.data == nil {
		return map[string]any{}
	}
	staging := stagingPath(w.elementIdentifier(), w.fileExt())
	files := []any{}
	for _, k := range sortedKeys(w.data.MetadataFiles) {
		files = append(files, map[string]any{"staging_path": staging + "." + k, "source_path": w.data.MetadataFiles[k]})
	}
	return map[string]any{
		"element_identifier": w.elementIdentifier(), "ext": w.fileExt(), "staging_path": staging,
		"source_path": w.Str(), "metadata_files": files,
	}
}

// datatypeValue is $input.datatype.
type datatypeValue struct{ w *datasetValue }

func (t datatypeValue) TypeName() string { return "Data" }
func (t datatypeValue) ext() string {
	if t.w.data == nil {
		return "data"
	}
	return t.w.data.Ext
}
func (t datatypeValue) Str() string { return t.ext() }
func (t datatypeValue) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "file_ext":
		return t.ext(), nil
	case "matches_any":
		return cheetah.Func(name, t.w.isOfType), nil
	}
	return nil, cheetah.ErrNoAttr
}

// metadataValue is $input.metadata: elements as text, those not set as their datatype's «no value».
type metadataValue struct{ w *datasetValue }

func (m metadataValue) TypeName() string { return "MetadataWrapper" }
func (m metadataValue) Truth() bool      { return m.w.data != nil && len(m.w.data.Metadata) > 0 }

// Attr gives one element. A name that the datatype does not have is None, as in Galaxy.
func (m metadataValue) Attr(name string) (cheetah.Value, error) {
	if strings.HasPrefix(name, "__") {
		return nil, cheetah.ErrNoAttr
	}
	switch name {
	case "get":
		return cheetah.Func(name, func(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
			if len(args) == 0 {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "get() needs the name of a metadata element"}
			}
			v := m.element(cheetah.Str(args[0]))
			if v == nil && len(args) > 1 {
				return args[1], nil
			}
			return v, nil
		}), nil
	case "element_is_set":
		return cheetah.Func(name, func(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
			return len(args) > 0 && m.w.data != nil && metadataSet(m.w.dt, m.w.data, cheetah.Str(args[0])), nil
		}), nil
	case "items":
		return noArgs(name, func() cheetah.Value {
			l := cheetah.NewList()
			for _, k := range m.names() {
				l.Items = append(l.Items, cheetah.NewTuple(k, m.element(k)))
			}
			return l
		}), nil
	case "keys":
		return noArgs(name, func() cheetah.Value {
			l := cheetah.NewList()
			for _, k := range m.names() {
				l.Items = append(l.Items, k)
			}
			return l
		}), nil
	}
	if m.w.data == nil {
		return "None", nil
	}
	return m.element(name), nil
}

// Iter gives the names of the elements.
func (m metadataValue) Iter() ([]cheetah.Value, error) {
	var l []cheetah.Value
	for _, k := range m.names() {
		l = append(l, k)
	}
	return l, nil
}

func (m metadataValue) names() []string {
	if m.w.data == nil {
		return nil
	}
	if m.w.dt != nil {
		return m.w.dt.MetadataElements(m.w.data.Ext)
	}
	return sortedKeys(m.w.data.Metadata)
}

func (m metadataValue) element(name string) cheetah.Value {
	d := m.w.data
	if d == nil {
		return nil
	}
	var e MetadataElement
	known := m.w.dt == nil
	if m.w.dt != nil {
		e, known = m.w.dt.MetadataElement(d.Ext, name)
	}
	if name == "dbkey" {
		return textOf(m.w, d.dbkey())
	}
	v := d.Metadata[name]
	if v == nil {
		v = e.Default
	}
	if m.w.plain {
		if v == nil {
			v = e.NoValue
		}
		return cheetah.FromGo(wholeNumbers(v))
	}
	if !known {
		return safeValue(v)
	}
	if e.Kind == "file" {
		if p := d.MetadataFiles[name]; p != "" {
			return p
		}
		return textChars.clean(pyStr(e.NoValue))
	}
	if v == nil {
		v = e.NoValue
	}
	return textChars.clean(metadataText(e, v))
}

// metadataText is a metadata value as text; lists of columns and choices are joined with commas.
func metadataText(e MetadataElement, v any) string {
	v = wholeNumbers(v)
	switch e.Kind {
	case "select", "dbkey", "column", "column_types", "list":
		l, ok := v.([]any)
		if !ok {
			if v == nil {
				return pyStr(e.NoValue)
			}
			return pyStr(v)
		}
		if len(l) == 0 && (e.Kind == "select" || e.Kind == "dbkey" || e.Kind == "column") {
			return pyStr(e.NoValue)
		}
		parts := make([]string, len(l))
		for i, x := range l {
			parts[i] = pyStr(x)
		}
		return strings.Join(parts, ",")
	case "dict":
		return pyJSON(v)
	}
	return pyStr(v)
}

// wholeNumbers makes the whole numbers that encoding/json reads as floats whole again.
func wholeNumbers(v any) any {
	switch x := v.(type) {
	case float64:
		if x == float64(int64(x)) && x < 1<<53 && x > -(1<<53) {
			return int64(x)
		}
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			l[i] = wholeNumbers(e)
		}
		return l
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, e := range x {
			m[k] = wholeNumbers(e)
		}
		return m
	}
	return v
}

// datasetList is a data parameter with multiple="true".
type datasetList struct{ items []*datasetValue }

func (l *datasetList) TypeName() string { return "DatasetListWrapper" }
func (l *datasetList) Len() int         { return len(l.items) }
func (l *datasetList) Str() string {
	parts := make([]string, len(l.items))
	for i, d := range l.items {
		parts[i] = d.Str()
	}
	return strings.Join(parts, ",")
}

// Truth is false when the input was not given.
func (l *datasetList) Truth() bool {
	return slices.ContainsFunc(l.items, func(d *datasetValue) bool { return d.Truth() })
}

func (l *datasetList) Iter() ([]cheetah.Value, error) {
	out := make([]cheetah.Value, len(l.items))
	for i, d := range l.items {
		out[i] = d
	}
	return out, nil
}

func (l *datasetList) Plain() cheetah.Value {
	items, _ := l.Iter()
	return cheetah.NewList(items...)
}

func (l *datasetList) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "serialize":
		return noArgs(name, func() cheetah.Value {
			out := make([]any, len(l.items))
			for i, d := range l.items {
				out[i] = serializeDataset(d)
			}
			return cheetah.FromGo(out)
		}), nil
	case "get_datasets_for_group":
		return cheetah.Func(name, func(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
			out := cheetah.NewList()
			for _, d := range l.items {
				if d.data == nil || len(args) == 0 {
					continue
				}
				for _, t := range d.data.Tags {
					if strings.EqualFold(t, "group:"+cheetah.Str(args[0])) {
						out.Items = append(out.Items, d)
						break
					}
				}
			}
			return out, nil
		}), nil
	}
	return nil, cheetah.ErrNoAttr
}
