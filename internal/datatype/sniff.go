package datatype

import "fmt"

// SniffOptions change how a file is recognised. The zero value looks through
// compression, as Galaxy does.
type SniffOptions struct {
	// KeepCompressed is set when the upload asked not to decompress: a
	// compressed file of no known type is then binary, whatever it holds.
	KeepCompressed bool
}

// sniffer is one step of the order in which types are tried.
type sniffer struct {
	ext         string
	binary      Binary
	compressed  bool
	compression string
	match       func(*prefix) bool
}

// buildSniffers joins the table's order with the rules of this package. Types
// whose rule is not written yet are left out: their files are recognised as
// something more general.
func buildSniffers(rows [][]any) []sniffer {
	var out []sniffer
	for _, row := range rows {
		if len(row) != 5 {
			continue
		}
		ext, _ := row[0].(string)
		rule, _ := row[1].(string)
		bin, _ := row[2].(float64)
		zip, _ := row[3].(float64)
		format, _ := row[4].(string)
		match := ruleByExt[ext]
		if match == nil {
			match = ruleByClass[rule]
		}
		if match == nil {
			continue
		}
		out = append(out, sniffer{ext, Binary(bin), zip != 0, format, match})
	}
	return out
}

// Sniff recognises the file's type and returns its extension: "tabular" or
// "txt" for text of no special type, "data" for text in an encoding that is
// not UTF-8, "binary" for anything else. At most [HeaderSize] bytes of content
// are read (two types look at the end of the file as well).
func (r *Registry) Sniff(path string, opts SniffOptions) (string, error) {
	p, err := readPrefix(path)
	if err != nil {
		return "", fmt.Errorf("recognise the file's type: %w", err)
	}
	return r.sniffPrefix(p, opts), nil
}

// IsType reports whether the file looks like the given type. known is false
// when the type cannot be recognised from contents at all.
func (r *Registry) IsType(path, ext string) (matches, known bool, err error) {
	for _, s := range r.sniffers {
		if s.ext != ext {
			continue
		}
		p, err := readPrefix(path)
		if err != nil {
			return false, true, err
		}
		return p.fits(&s) && s.match(p), true, nil
	}
	return false, false, nil
}

func (r *Registry) sniffPrefix(p *prefix, opts SniffOptions) string {
	if opts.KeepCompressed && p.format != "" {
		p.binary = true
	}
	ext := r.runSniffers(p, false)
	switch {
	case ext == "tsv" && p.columnBased("\t", 1):
		return "tabular" // preferred, though it has no rule of its own
	case ext != "":
		return ext
	case p.binary:
		return "binary"
	case p.notText:
		return Fallback
	case p.columnBased("\t", 1):
		return "tabular"
	}
	return "txt"
}

func (r *Registry) runSniffers(p *prefix, compressedOnly bool) string {
	for i := range r.sniffers {
		s := &r.sniffers[i]
		if compressedOnly && !s.compressed {
			continue
		}
		if p.fits(s) && s.match(p) {
			return s.ext
		}
	}
	return ""
}

// fits leaves out types whose files are of another sort: text or binary,
// compressed in this way or not.
func (p *prefix) fits(s *sniffer) bool {
	isTar := len(s.ext) > 4 && s.ext[len(s.ext)-4:] == ".tar"
	if s.compressed && p.format == "" && !isTar {
		return false
	}
	if !s.compressed && p.format != "" {
		return false
	}
	if s.binary != MaybeBinary && p.binary != (s.binary == IsBinary) {
		compressedText := p.binary && p.format != "" && s.compressed && s.binary == IsText
		if !compressedText {
			return false
		}
	}
	return p.format == "" || s.compression == "" || s.compression == p.format
}

// ruleByExt holds rules that differ between types of one class, and
// ruleByClass the rule of each of Galaxy's classes.
var ruleByExt, ruleByClass = map[string]func(*prefix) bool{}, map[string]func(*prefix) bool{}

func init() {
	for _, set := range []map[string]func(*prefix) bool{
		tableRules, intervalRules, sequenceRules, markupRules, textRules, chemistryRules, mothurRules, binaryRules,
	} {
		for class, rule := range set {
			ruleByClass[class] = rule
		}
	}
	for _, set := range []map[string]func(*prefix) bool{xmlRoots, imageRules, sqliteRules, fastqRules} {
		for ext, rule := range set {
			ruleByExt[ext] = rule
		}
	}
}
