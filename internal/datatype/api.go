package datatype

import "encoding/json"

const classPrefix = "galaxy.datatypes."

// Info is one datatype as GET /api/datatypes?extension_only=false lists it.
type Info struct {
	Extension       string          `json:"extension"`
	Description     *string         `json:"description"`
	DescriptionURL  *string         `json:"description_url"`
	DisplayInUpload bool            `json:"display_in_upload"`
	CompositeFiles  json.RawMessage `json:"composite_files"`
	UploadWarning   *string         `json:"upload_warning"`
	DisplayBehavior *string         `json:"display_behavior"` // null for the compressed forms of other types
}

// Index is the answer of GET /api/datatypes: []string when extensionOnly, else
// []Info; only what the upload form offers when uploadOnly.
func (r *Registry) Index(extensionOnly, uploadOnly bool) any {
	if extensionOnly {
		if uploadOnly {
			return r.UploadExtensions()
		}
		return r.Extensions()
	}
	out := make([]Info, 0, len(r.info))
	for _, t := range r.info {
		if uploadOnly && !t.Upload {
			continue
		}
		var behavior *string
		if !t.isGz {
			behavior = &t.Display
		}
		out = append(out, Info{
			Extension: t.Ext, Description: orNull(t.Description), DescriptionURL: orNull(t.DescriptionURL),
			DisplayInUpload: t.Upload, CompositeFiles: t.CompositeFiles, UploadWarning: orNull(t.UploadWarning),
			DisplayBehavior: behavior,
		})
	}
	return out
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Mapping is the answer of GET /api/datatypes/mapping.
type Mapping struct {
	ExtToClassName map[string]string          `json:"ext_to_class_name"`
	ClassToClasses map[string]map[string]bool `json:"class_to_classes"`
}

// Mapping returns each extension's class and each class's ancestors. The
// client uses it to match inputs without asking the server.
func (r *Registry) Mapping() Mapping {
	m := Mapping{map[string]string{}, map[string]map[string]bool{}}
	for _, t := range r.order {
		name := classPrefix + t.Class
		m.ExtToClassName[t.Ext] = name
		up := make(map[string]bool, len(t.Ancestors))
		for _, a := range t.Ancestors {
			up[classPrefix+a] = true
		}
		m.ClassToClasses[name] = up // configured subclasses share names; the last one stays, as in Galaxy
	}
	return m
}

// TypesAndMapping is the answer of GET /api/datatypes/types_and_mapping.
type TypesAndMapping struct {
	Datatypes any     `json:"datatypes"`
	Mapping   Mapping `json:"datatypes_mapping"`
}

// TypesAndMapping returns [Registry.Index] and [Registry.Mapping] in one answer.
func (r *Registry) TypesAndMapping(extensionOnly, uploadOnly bool) TypesAndMapping {
	return TypesAndMapping{r.Index(extensionOnly, uploadOnly), r.Mapping()}
}

// SnifferNames is the answer of GET /api/datatypes/sniffers.
func (r *Registry) SnifferNames() []string {
	out := make([]string, len(r.sniffNames))
	for i, s := range r.sniffNames {
		out[i] = classPrefix + s
	}
	return out
}

// Converters is the answer of GET /api/datatypes/converters.
func (r *Registry) Converters() []Converter { return append([]Converter{}, r.converters...) }

// EdamFormats is the answer of GET /api/datatypes/edam_formats.
func (r *Registry) EdamFormats() map[string]string {
	return r.edamMap(func(t *Type) string { return t.EdamFormat })
}

// EdamData is the answer of GET /api/datatypes/edam_data.
func (r *Registry) EdamData() map[string]string {
	return r.edamMap(func(t *Type) string { return t.EdamData })
}

func (r *Registry) edamMap(of func(*Type) string) map[string]string {
	out := make(map[string]string, len(r.order))
	for _, t := range r.order {
		if v := of(t); v != "" {
			out[t.Ext] = v
		}
	}
	return out
}

// EdamDetail is one entry of the detailed EDAM answers. The definition is
// always null: the ontology's own sentences are not part of the table.
type EdamDetail struct {
	IRI        string  `json:"prefix_IRI"`
	Label      *string `json:"label"`
	Definition *string `json:"definition"`
}

// EdamFormatsDetailed is the answer of GET /api/datatypes/edam_formats/detailed.
func (r *Registry) EdamFormatsDetailed() map[string]EdamDetail { return r.detailed(r.EdamFormats()) }

// EdamDataDetailed is the answer of GET /api/datatypes/edam_data/detailed.
func (r *Registry) EdamDataDetailed() map[string]EdamDetail { return r.detailed(r.EdamData()) }

func (r *Registry) detailed(m map[string]string) map[string]EdamDetail {
	out := make(map[string]EdamDetail, len(m))
	for ext, iri := range m {
		out[ext] = EdamDetail{IRI: iri, Label: orNull(r.edam[iri])}
	}
	return out
}

// Visualization is one entry of GET /api/datatypes/{datatype}/visualizations.
type Visualization struct {
	Datatype      string `json:"datatype"`
	Visualization string `json:"visualization"`
}

// Visualizations returns the preferred visualization of the extension, a list
// of none or one.
func (r *Registry) Visualizations(ext string) []Visualization {
	out := []Visualization{}
	if t, ok := r.Lookup(ext); ok && t.Visualization != "" {
		out = append(out, Visualization{t.Ext, t.Visualization})
	}
	return out
}

// Detail is the answer of GET /api/datatypes/{datatype}.
type Detail struct {
	Extension       string          `json:"extension"`
	Description     *string         `json:"description"`
	DisplayInUpload bool            `json:"display_in_upload"`
	MimeType        string          `json:"mimetype"`
	IsBinary        any             `json:"is_binary"` // true, false or "maybe"
	DisplayBehavior string          `json:"display_behavior"`
	CompositeFiles  json.RawMessage `json:"composite_files,omitempty"`
	EdamFormat      string          `json:"edam_format,omitempty"`
	EdamData        string          `json:"edam_data,omitempty"`
	Converters      []string        `json:"converters,omitempty"`
}

// Detail describes one type; false when the extension is not registered.
func (r *Registry) Detail(ext string) (Detail, bool) {
	t, ok := r.types[ext]
	if !ok {
		return Detail{}, false
	}
	d := Detail{
		Extension: t.Ext, DisplayInUpload: t.Upload, MimeType: r.MimeType(ext), DisplayBehavior: t.Display,
		CompositeFiles: t.CompositeFiles, EdamFormat: t.EdamFormat, EdamData: t.EdamData,
	}
	switch t.Binary {
	case IsText:
		d.IsBinary = false
	case IsBinary:
		d.IsBinary = true
	case MaybeBinary:
		d.IsBinary = "maybe"
	}
	d.Converters = r.ConvertersFrom(ext)
	return d, true
}

// ConvertersFrom returns the extensions that datasets of ext can be converted to.
func (r *Registry) ConvertersFrom(ext string) []string {
	t := r.Type(ext)
	var out []string
	seen := map[string]bool{}
	for _, c := range r.converters {
		source, ok := r.Lookup(c.Source)
		if ok && t.lineage[source.own] && !seen[c.Target] && c.Target != ext {
			seen[c.Target] = true
			out = append(out, c.Target)
		}
	}
	return out
}
