package tool

import (
	"sync"

	"orrery/internal/datatype"
)

// registryTypes answers for tools out of the datatype registry.
type registryTypes struct {
	r        *datatype.Registry
	accepted sync.Map // formats, joined, to []string
}

// RegistryDatatypes makes the registry usable by tools.
func RegistryDatatypes(r *datatype.Registry) Datatypes { return &registryTypes{r: r} }

func (t *registryTypes) Known(ext string) bool { _, ok := t.r.Lookup(ext); return ok }

func (t *registryTypes) Matches(ext string, formats ...string) bool { return t.r.Matches(ext, formats) }

func (t *registryTypes) Accepted(formats []string) []string {
	key := pyJSON(formats)
	if l, ok := t.accepted.Load(key); ok {
		return l.([]string)
	}
	var out []string
	for _, ext := range t.r.Extensions() {
		if t.r.Matches(ext, formats) {
			out = append(out, ext)
		}
	}
	t.accepted.Store(key, out)
	return out
}

func (t *registryTypes) EDAM(ext string) (format, data string) {
	if typ, ok := t.r.Lookup(ext); ok {
		return typ.EdamFormat, typ.EdamData
	}
	return "", ""
}

func (t *registryTypes) MetadataElement(ext, name string) (MetadataElement, bool) {
	for _, e := range t.r.MetadataSpec(ext) {
		if e.Name == name {
			return MetadataElement{Kind: elementKinds[e.Param], Default: e.Default, NoValue: e.NoValue, Optional: e.Optional, Required: e.CheckRequired}, true
		}
	}
	return MetadataElement{}, false
}

func (t *registryTypes) MetadataElements(ext string) []string {
	spec := t.r.MetadataSpec(ext)
	names := make([]string, len(spec))
	for i, e := range spec {
		names[i] = e.Name
	}
	return names
}

// elementKinds turns the registry's names of metadata parameter classes into ours.
var elementKinds = map[string]string{
	"DBKey": "dbkey", "Select": "select", "Column": "column", "ColumnTypes": "column_types", "List": "list", "Dict": "dict", "File": "file",
}
