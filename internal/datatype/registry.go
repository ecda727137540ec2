package datatype

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed table.json
var tableJSON []byte

// Fallback is the extension that an unknown extension is treated as.
const Fallback = "data"

// Binary tells whether files of a type hold text.
type Binary uint8

// The three answers Galaxy's types give.
const (
	IsText Binary = iota
	IsBinary
	MaybeBinary // an archive that may hold either
)

// Type is one datatype, known by its extension.
type Type struct {
	Ext         string
	Class       string   // Galaxy's class, as "binary.Bam" (module below galaxy.datatypes, then the name)
	Ancestors   []string // the class and those it descends from, nearest first
	Mime        string   // the registered MIME type; empty when Galaxy registers none
	Binary      Binary
	Compressed  bool   // the file stays compressed in the object store
	Compression string // "gzip", "bz2", or empty when any will do
	LineClass   string // what one line is called in the summary, as "region"
	LineOffset  int    // lines of a tabular file above its data, for the client's table
	Chunkable   bool   // shown in chunks of lines
	Composite   string // "auto_primary_file", "basic" or empty
	Display     string // "inline" or "download"
	Track       string // kind of genome browser track, or empty
	ExportAlias string // extension used for downloads in place of Ext, or empty
	EdamFormat  string
	EdamData    string
	// Fixed is false when people may not change a dataset to or from this type.
	ChangeAllowed  bool
	Description    string
	DescriptionURL string
	UploadWarning  string
	Upload         bool            // offered in the upload form
	DisplayApps    []string        // built-in display applications
	CompositeFiles json.RawMessage // as the API lists them; nil when there are none
	Visualization  string          // preferred visualization, or empty

	own      string // identity of the class: configured subclasses of one class are distinct
	lineage  map[string]bool
	isGz     bool // a compressed form of another registered type
	spec     []Element
	metaRule string
	peekRule string
	peekText *fixedPeek
	html     htmlRule
}

type fixedPeek struct {
	Peek  []string `json:"p"`
	Blurb []string `json:"b"`
}

type htmlRule struct {
	Table   bool              `json:"t"`
	Raw     bool              `json:"raw"`
	Columns []string          `json:"column_names"`
	Alias   map[string]string `json:"column_parameter_alias"`
	Skip    []string          `json:"skipchars"`
	noHead  bool
}

// Is reports whether the type is, or descends from, the class, as "tabular.Tabular".
func (t *Type) Is(class string) bool { return t.lineage[class] }

// Registry is the set of datatypes a server knows. It does not change after
// it was made, so that any number of goroutines may read it.
type Registry struct {
	types      map[string]*Type
	order      []*Type
	info       []*Type
	upload     []string
	sniffers   []sniffer
	sniffNames []string
	converters []Converter
	edam       map[string]string
}

// Converter is a tool that turns datasets of one type into another.
type Converter struct {
	Source string `json:"source"`
	Target string `json:"target"`
	ToolID string `json:"tool_id"`
}

// Default returns the registry of Galaxy 26.1's own datatypes.
var Default = sync.OnceValue(func() *Registry {
	r, err := parseTable(tableJSON)
	if err != nil {
		// The table is part of the program; a test reads it.
		panic(err)
	}
	return r
})

type tableFile struct {
	Elements []tableElement `json:"elements"`
	Specs    [][]int        `json:"specs"`
	Classes  []string       `json:"classes"`
	Types    []tableType    `json:"types"`
	Info     []int          `json:"info_order"`
	Upload   []int          `json:"upload"`
	Sniffers [][]any        `json:"sniffers"`
	Names    []string       `json:"sniffer_names"`
	Convert  [][3]string    `json:"converters"`
	Edam     map[string]string
	Viz      map[string]string `json:"visualizations"`
}

type tableElement struct {
	Name     string `json:"n"`
	Desc     string `json:"d"`
	Default  any    `json:"v"`
	NoValue  any    `json:"nv"`
	Param    string `json:"p"`
	ReadOnly int    `json:"ro"`
	Hidden   int    `json:"hid"`
	Optional int    `json:"opt"`
	Multiple int    `json:"mul"`
	Upload   int    `json:"up"`
	FileExt  string `json:"fx"`
	Required int    `json:"req"`
}

type tableType struct {
	Ext     string          `json:"e"`
	Classes []int           `json:"c"`
	Binary  Binary          `json:"bin"`
	Spec    int             `json:"spec"`
	Meta    string          `json:"meta"`
	Peek    json.RawMessage `json:"peek"`
	Mime    string          `json:"mime"`
	Zipped  int             `json:"z"`
	ZFormat string          `json:"zf"`
	Line    string          `json:"lc"`
	Offset  int             `json:"dlo"`
	Chunk   int             `json:"ck"`
	Comp    string          `json:"comp"`
	NoChg   int             `json:"nochg"`
	Alias   string          `json:"alias"`
	Track   string          `json:"track"`
	Unc     int             `json:"unc"`
	HTML    htmlRule        `json:"disp"`
	NoHead  int             `json:"nohdr"`
	Display string          `json:"db"`
	Apps    []string        `json:"apps"`
	Format  string          `json:"ef"`
	Data    string          `json:"ed"`
	Info    struct {
		Description    string          `json:"description"`
		DescriptionURL string          `json:"description_url"`
		Upload         bool            `json:"display_in_upload"`
		Warning        string          `json:"upload_warning"`
		Composite      json.RawMessage `json:"composite_files"`
	} `json:"i"`
}

func parseTable(data []byte) (*Registry, error) {
	var f tableFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("datatype table: %w", err)
	}
	elements := make([]Element, len(f.Elements))
	for i, e := range f.Elements {
		elements[i] = Element{
			Name: e.Name, Desc: e.Desc, Default: integral(e.Default), NoValue: integral(e.NoValue), Param: e.Param,
			ReadOnly: e.ReadOnly == 1, Visible: e.Hidden == 0, Optional: e.Optional == 1, Multiple: e.Multiple == 1,
			SetInUpload: e.Upload == 1, FileExt: e.FileExt, CheckRequired: e.Required == 1,
		}
	}
	specs := make([][]Element, len(f.Specs))
	for i, s := range f.Specs {
		specs[i] = make([]Element, len(s))
		for j, n := range s {
			if n < 0 || n >= len(elements) {
				return nil, fmt.Errorf("datatype table: spec %d names element %d of %d", i, n, len(elements))
			}
			specs[i][j] = elements[n]
		}
	}
	r := &Registry{types: make(map[string]*Type, len(f.Types)), sniffNames: f.Names, edam: f.Edam}
	for _, row := range f.Types {
		if len(row.Classes) == 0 || row.Spec < 0 || row.Spec >= len(specs) {
			return nil, fmt.Errorf("datatype table: type %q is incomplete", row.Ext)
		}
		t := &Type{
			Ext: row.Ext, Mime: row.Mime, Binary: row.Binary, Compressed: row.Zipped == 1, Compression: row.ZFormat,
			LineClass: row.Line, LineOffset: row.Offset, Chunkable: row.Chunk == 1, Composite: row.Comp,
			Display: row.Display, Track: row.Track, ExportAlias: row.Alias, EdamFormat: row.Format, EdamData: row.Data,
			ChangeAllowed: row.NoChg == 0, Description: row.Info.Description, DescriptionURL: row.Info.DescriptionURL,
			UploadWarning: row.Info.Warning, Upload: row.Info.Upload, DisplayApps: row.Apps,
			Visualization: f.Viz[row.Ext], spec: specs[row.Spec], metaRule: row.Meta, html: row.HTML, isGz: row.Unc == 1,
		}
		if len(row.Info.Composite) > 0 && string(row.Info.Composite) != "null" {
			t.CompositeFiles = row.Info.Composite
		}
		t.html.noHead = row.NoHead == 1
		if t.LineClass == "" {
			t.LineClass = "line"
		}
		t.lineage = make(map[string]bool, len(row.Classes))
		for i, c := range row.Classes {
			if c < 0 || c >= len(f.Classes) {
				return nil, fmt.Errorf("datatype table: type %q names class %d of %d", row.Ext, c, len(f.Classes))
			}
			name := f.Classes[c]
			t.lineage[name] = true
			if i == 0 {
				t.own = name
			}
			short, _, _ := strings.Cut(name, "#")
			t.Ancestors = append(t.Ancestors, short)
		}
		t.Class = t.Ancestors[0]
		if len(row.Peek) > 0 && row.Peek[0] == '"' {
			if err := json.Unmarshal(row.Peek, &t.peekRule); err != nil {
				return nil, fmt.Errorf("datatype table: type %q: %w", row.Ext, err)
			}
		} else {
			t.peekText = new(fixedPeek)
			if err := json.Unmarshal(row.Peek, t.peekText); err != nil {
				return nil, fmt.Errorf("datatype table: type %q: %w", row.Ext, err)
			}
		}
		r.types[t.Ext] = t
		r.order = append(r.order, t)
	}
	if r.types[Fallback] == nil {
		return nil, fmt.Errorf("datatype table: the type %q is missing", Fallback)
	}
	for _, i := range f.Info {
		r.info = append(r.info, r.order[i])
	}
	for _, i := range f.Upload {
		r.upload = append(r.upload, r.order[i].Ext)
	}
	for _, c := range f.Convert {
		r.converters = append(r.converters, Converter{c[0], c[1], c[2]})
	}
	r.sniffers = buildSniffers(f.Sniffers)
	return r, nil
}

// integral turns JSON's floats without a fraction into int64, all the way down.
func integral(v any) any {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case []any:
		for i := range v {
			v[i] = integral(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = integral(v[k])
		}
	}
	return v
}

// Lookup returns the type registered under the extension, in any case.
func (r *Registry) Lookup(ext string) (*Type, bool) {
	t, ok := r.types[ext]
	if !ok {
		t, ok = r.types[strings.ToLower(ext)]
	}
	return t, ok
}

// Type returns the type for the extension, or that of [Fallback].
func (r *Registry) Type(ext string) *Type {
	if t, ok := r.Lookup(ext); ok {
		return t
	}
	return r.types[Fallback]
}

// Extensions returns every extension in the order of Galaxy's configuration.
func (r *Registry) Extensions() []string {
	out := make([]string, len(r.order))
	for i, t := range r.order {
		out[i] = t.Ext
	}
	return out
}

// UploadExtensions returns the sorted extensions that the upload form offers.
func (r *Registry) UploadExtensions() []string { return slices.Clone(r.upload) }

// MimeType returns the MIME type that datasets of the extension are served
// with; Galaxy's default, application/octet-stream, when none is registered.
func (r *Registry) MimeType(ext string) string {
	if t, ok := r.Lookup(ext); ok && t.Mime != "" {
		return t.Mime
	}
	return "application/octet-stream"
}

// IsBinary reports whether files of the extension are never converted as text.
func (r *Registry) IsBinary(ext string) bool { return r.Type(ext).Binary != IsText }

// IsText reports whether files of the extension are uncompressed text.
func (r *Registry) IsText(ext string) bool {
	t := r.Type(ext)
	return t.Binary == IsText && !t.Compressed
}

// IsComposite reports whether datasets of the extension are made of several files.
func (r *Registry) IsComposite(ext string) bool { return r.Type(ext).Composite != "" }

// Matches reports whether a dataset of type ext may be used where one of the
// accepted extensions is asked for, by Galaxy's inheritance: "tabular" accepts
// bed, "data" everything. Accepted extensions that are not registered are
// passed over, as Galaxy does when it loads a tool.
func (r *Registry) Matches(ext string, accepted []string) bool {
	t := r.Type(ext)
	for _, a := range accepted {
		want, ok := r.Lookup(a)
		if ok && r.typeMatches(t, want) {
			return true
		}
	}
	return false
}

func (r *Registry) typeMatches(t, want *Type) bool {
	if !t.isGz {
		return t.lineage[want.own]
	}
	// A compressed form of a type takes part in two ways: as what it holds,
	// against the same compression of another type, and as an archive.
	if want.isGz && want.Compression == t.Compression {
		plain, ok1 := r.Lookup(uncompressedExt(t.Ext))
		target, ok2 := r.Lookup(uncompressedExt(want.Ext))
		return ok1 && ok2 && r.typeMatches(plain, target)
	}
	return archiveLineage[want.own]
}

var archiveLineage = map[string]bool{"binary.CompressedArchive": true, "binary.Binary": true, "data.Data": true}

func uncompressedExt(ext string) string {
	return strings.TrimSuffix(strings.TrimSuffix(ext, ".gz"), ".bz2")
}

// Known reports which of the extensions are registered, in their order.
func (r *Registry) Known(exts []string) []string {
	var out []string
	for _, e := range exts {
		if _, ok := r.Lookup(e); ok {
			out = append(out, e)
		}
	}
	return out
}

// FromFileName guesses the extension from the end of a file's name, longest
// first ("x.fastq.gz" is fastq.gz), or returns [Fallback].
func (r *Registry) FromFileName(name string) string {
	parts := strings.Split(name, ".")
	for n := min(3, len(parts)-1); n > 0; n-- {
		if t, ok := r.Lookup(strings.Join(parts[len(parts)-n:], ".")); ok {
			return t.Ext
		}
	}
	return Fallback
}
