package datatype

import (
	"errors"
	"fmt"
	"os"
)

// Element describes one piece of metadata that datasets of a type have.
type Element struct {
	Name          string
	Desc          string // shown beside it
	Default       any    // its value when it is not set
	NoValue       any    // the value that counts as not set
	Param         string // "Metadata", "DBKey", "Column", "ColumnTypes", "Select", "List", "Dict", "File", "Python…"
	ReadOnly      bool   // people may not change it
	Visible       bool   // offered in the edit form
	Optional      bool   // a dataset is complete without it
	Multiple      bool   // a list of values
	SetInUpload   bool
	FileExt       string // for File: the extension of the file
	CheckRequired bool   // a dataset without it is reported as incomplete
}

// Metadata is what the metadata column of a dataset holds, by name; what is
// not there has its element's default. Numbers are int64, lists []any or a
// slice of a plain type, so that encoding/json writes what Galaxy writes.
type Metadata map[string]any

// MetadataSpec returns the elements of the extension's type in Galaxy's order.
// The slice is shared: do not change it.
func (r *Registry) MetadataSpec(ext string) []Element { return r.Type(ext).spec }

// stored is the form in which a value is kept: columns and build names are lists.
func (e *Element) stored(v any) any {
	switch e.Param {
	case "Column", "Range", "Select", "DBKey":
		switch v := v.(type) {
		case nil:
			return []any{}
		case []any:
			return v
		case []int64:
			return v
		case []string:
			return v
		}
		return []any{v}
	}
	return v
}

// Wrap returns the value that the API and tools see for a stored one: the first
// of a list that holds a single choice.
func (e *Element) Wrap(v any) any {
	switch e.Param {
	case "Column", "Range", "Select", "DBKey":
		list, ok := asList(v)
		if !ok {
			if v == nil {
				list = nil
			} else {
				list = []any{v}
			}
		}
		if e.Multiple {
			if list == nil {
				return []any{}
			}
			return list
		}
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	return v
}

func asList(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out, true
	case []int64:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out, true
	}
	return nil, false
}

// Value returns the metadata's value for the element, or the element's
// default, in the form that the API prints as metadata_<name>.
func (m Metadata) Value(e *Element) any {
	if v, ok := m[e.Name]; ok {
		return e.Wrap(v)
	}
	return e.Wrap(e.Default)
}

// APIMetadata returns the metadata_<name> members of a dataset's answer: every
// element of its type, with the default of those that are not set; files, and
// optional elements without a value, are left out.
func (r *Registry) APIMetadata(ext string, md Metadata) map[string]any {
	t := r.Type(ext)
	out := make(map[string]any, len(t.spec))
	for i := range t.spec {
		e := &t.spec[i]
		if e.Param == "File" {
			continue
		}
		if v := md.Value(e); v != nil || !e.Optional {
			out["metadata_"+e.Name] = v
		}
	}
	return out
}

// MetadataOptions are the circumstances of setting metadata.
type MetadataOptions struct {
	// DBKey is the genome build; empty means unspecified, "?".
	DBKey string
	// MaxOptionalSize is the size in bytes from which some types leave out what
	// needs the whole file read. 0 means Galaxy's default of 1 MiB, negative no limit.
	MaxOptionalSize int64
	// Base holds what is set already, by a person or a tool; it is kept where
	// the file does not say otherwise.
	Base Metadata
}

// DefaultMaxOptionalSize is Galaxy's limit, in bytes.
const DefaultMaxOptionalSize = 1 << 20

// ErrNotText is returned when a type of text is set on a file that is not UTF-8.
var ErrNotText = errors.New("the file is not UTF-8 text")

// SetMetadata reads the file's metadata as the type of the extension asks. On
// an error the metadata that was found up to there is returned with it, and the
// dataset counts as one whose metadata could not be set.
//
// Index files that some types have beside their metadata (of BAM, bgzipped VCF,
// MAF) are not made here.
func (r *Registry) SetMetadata(path, ext string, opts MetadataOptions) (Metadata, error) {
	m := Metadata{}
	for k, v := range opts.Base {
		m[k] = v
	}
	dbkey := opts.DBKey
	if dbkey == "" {
		dbkey = "?"
	}
	m["dbkey"] = []string{dbkey}
	t := r.Type(ext)
	rule := metaRules[t.metaRule]
	for _, a := range t.Ancestors {
		if rule != nil {
			break
		}
		rule = metaRules[a]
	}
	if rule == nil {
		return m, nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return m, fmt.Errorf("set metadata: %w", err)
	}
	if !st.Mode().IsRegular() {
		return m, fmt.Errorf("set metadata: %s is not a regular file", path)
	}
	limit := opts.MaxOptionalSize
	if limit == 0 {
		limit = DefaultMaxOptionalSize
	}
	f := &metaFile{path: path, size: st.Size(), large: limit > 0 && st.Size() > limit, typ: t, md: m}
	if err := rule(f); err != nil {
		return m, fmt.Errorf("set %s metadata: %w", t.Ext, err)
	}
	return m, nil
}

// metaFile is a file whose metadata is being set.
type metaFile struct {
	path  string
	size  int64
	large bool // larger than what optional metadata is read from
	typ   *Type
	md    Metadata
}

func (f *metaFile) set(name string, v any) {
	for i := range f.typ.spec {
		if e := &f.typ.spec[i]; e.Name == name {
			f.md[name] = e.stored(v)
			return
		}
	}
	f.md[name] = v
}

func (f *metaFile) lines() (*lineReader, error) { return openLines(f.path, true) }

// metaRules is by Galaxy's class that has the rule. A class that is not here
// has the rule of its nearest ancestor.
var metaRules map[string]func(*metaFile) error

func init() {
	metaRules = map[string]func(*metaFile) error{
		"data.Data":                 func(*metaFile) error { return nil },
		"data.Text":                 textMeta,
		"text.Ipynb":                func(*metaFile) error { return nil },
		"text.ExpressionJson":       expressionMeta,
		"text.Arff":                 arffMeta,
		"tabular.Tabular":           func(f *metaFile) error { return tabularMeta(f, tabularOptions{skip: -1, maxLines: maxDataLines}) },
		"tabular.SraManifest":       sraMeta,
		"tabular.Sam":               samMeta,
		"tabular.BaseVcf":           vcfMeta,
		"tabular.VcfGz":             vcfMeta,
		"tabular.BaseCSV":           csvMeta,
		"tabular.ConnectivityTable": allLinesMeta,
		"tabular.MatrixMarket":      matrixMarketMeta,
		"interval.Interval":         intervalMeta,
		"interval.IntervalTabix":    func(f *metaFile) error { return tabularMeta(f, tabularOptions{maxLines: maxDataLines}) },
		"interval.Bed":              bedMeta,
		"interval.BedStrict":        bedStrictMeta,
		"interval.Gff":              func(f *metaFile) error { return gffMeta(f, gffStart) },
		"interval.Gff3":             func(f *metaFile) error { return gffMeta(f, gff3Start) },
		"interval.Wiggle":           wiggleMeta,
		"interval.CustomTrack":      func(f *metaFile) error { return tabularMeta(f, tabularOptions{skip: 1, maxLines: maxDataLines}) },
		"sequence.Sequence":         sequenceMeta,
		"sequence.Fasta":            fastaMeta,
		"sequence.csFasta":          unlessLarge(sequenceMeta),
		"sequence.BaseFastq":        unlessLarge(fastqMeta),
		"sequence.DotBracket":       unlessLarge(dotBracketMeta),
		"sequence.Maf":              mafMeta,
		"images.Image":              imageMeta,
		"images.Png":                pngMeta,
		"images.Tiff":               tiffMeta,
		"binary.BamNative":          bamMeta,
		"binary.Bam":                bamMeta,
		"binary.Binary":             func(*metaFile) error { return nil },
	}
}
