package datatype

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// looksLikeYAML reports whether the beginning of the file is one YAML document
// that holds a mapping or a sequence.
func (p *prefix) looksLikeYAML() bool {
	if p.isYAML == nil {
		v := p.sniffYAML()
		p.isYAML = &v
	}
	return *p.isYAML
}

func (p *prefix) sniffYAML() bool {
	if p.notText {
		return false
	}
	s := p.text
	if p.size >= jsonWhole || p.truncated {
		// The last line may be cut off: leave it out.
		s = pyStrip(strings.ToValidUTF8(p.start(jsonWhole), ""))
		if i := strings.LastIndexByte(s, '\n'); i >= 0 {
			s = s[:i]
		}
	}
	return mayBeYAML(s) && parsesAsYAML(s)
}

// mayBeYAML is a quick look that spares most text the parser.
func mayBeYAML(s string) bool {
	if strings.Contains(s, "\t") && !strings.ContainsAny(s, "\"'#|>") {
		return false // a tab ends plain text and begins nothing
	}
	first := strings.TrimLeft(s, " \r\n\ufeff")
	if first == "" {
		return false
	}
	switch first[0] {
	case '{', '[', '-', '?', '!', '&', '%':
		return true
	case '#':
		return strings.ContainsAny(s, ":-{[?")
	case '\t', '*', '>', '|', '@', '`', '(', '<', '+', ';':
		return first[0] != '\t' && strings.Contains(firstRow(first), ":")
	}
	return strings.Contains(s, ":\n") || strings.Contains(s, ": ") || strings.Contains(s, ":\r") || strings.HasSuffix(s, ":") || strings.Contains(s, ":\t")
}

func firstRow(s string) string {
	row, _, _ := strings.Cut(s, "\n")
	return row
}

func parsesAsYAML(s string) (ok bool) {
	if !plausibleDepth(s) {
		return false
	}
	defer func() {
		// A parser's own failure on odd text must not stop an upload.
		if recover() != nil {
			ok = false
		}
	}()
	f, err := parser.ParseBytes([]byte(s), 0)
	if err != nil || f == nil {
		return false
	}
	var body ast.Node
	n := 0
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if n++; n > 1 {
			return false
		}
		body = doc.Body
	}
	if a, isAnchor := body.(*ast.AnchorNode); isAnchor {
		body = a.Value
	}
	switch body.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		return true
	}
	return false
}

// plausibleDepth refuses text whose nesting would only test the parser's stack.
func plausibleDepth(s string) bool {
	depth, most, dashes := 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			if depth++; depth > most {
				most = depth
			}
		case '}', ']':
			depth--
		case '-', '?':
			if dashes++; dashes > 200 {
				return false
			}
			continue
		case ' ':
			continue
		case '\n':
			dashes = 0
			continue
		}
		if s[i] != '-' && s[i] != '?' {
			dashes = 0
		}
	}
	return most <= 200
}
