package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on a file. They are far above any real configuration; a file beyond them is refused rather than allowed to use
// up the stack or the memory.
const (
	maxFileSize = 4 << 20 // bytes
	maxDepth    = 64      // nested mappings and sequences
	maxNodes    = 200_000 // after aliases are followed
)

// nodeKind tells what a node is.
type nodeKind int

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
)

// node is one value of a YAML file. Unlike a decoded value it remembers where it stands and keeps repeated keys.
type node struct {
	kind         nodeKind
	file         string
	line, column int
	text         string // a scalar as it is written, without quotes
	plain        bool   // a scalar without quotes, which may be a number or a boolean
	items        []*node
	pairs        []pair
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	at    *node // the key itself, for its position
	value *node
	// merged marks an entry that `<<` brought in; a key written out replaces it, which is not a repetition.
	merged bool
}

// get returns the value of the last entry with this key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.pairs) - 1; i >= 0; i-- {
		if n.pairs[i].key == key {
			return n.pairs[i].value
		}
	}
	return nil
}

func (n *node) place() Place { return Place{n.file, n.line, n.column} }

// isNull tells whether the value is absent or written without a value, which both mean unset.
func (n *node) isNull() bool { return n == nil || n.kind == nullNode }

// describe names the value for messages, such as `the text "abc"` or "a list".
func (n *node) describe() string {
	switch {
	case n.isNull():
		return "nothing"
	case n.kind == listNode:
		return "a list"
	case n.kind == mapNode:
		return "a mapping"
	default:
		return fmt.Sprintf("%q", clip(n.text, 60))
	}
}

// clip shortens s to at most n bytes for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// scalar returns the value of a scalar as PyYAML would type it: string, bool, int64, float64 or nil.
func (n *node) scalar() any {
	if n.isNull() {
		return nil
	}
	if !n.plain {
		return n.text
	}
	switch strings.ToLower(n.text) {
	case "true", "yes", "on":
		return true
	case "false", "no", "off":
		return false
	}
	if i, ok := parseInt(n.text); ok {
		return i
	}
	if f, ok := parseFloat(n.text); ok {
		return f
	}
	return n.text
}

// plainValue converts the node into maps, slices and scalars.
func (n *node) plainValue() any {
	switch {
	case n.isNull():
		return nil
	case n.kind == listNode:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.plainValue()
		}
		return out
	case n.kind == mapNode:
		out := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			out[p.key] = p.value.plainValue()
		}
		return out
	default:
		return n.scalar()
	}
}

// parseInt reads an integer as YAML 1.1 writes it, underscores and hexadecimal included.
func parseInt(s string) (int64, bool) {
	if s == "" || s[0] == '_' {
		return 0, false
	}
	t := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(t, 10, 64); err == nil {
		return i, true
	}
	low := strings.ToLower(t)
	if strings.HasPrefix(low, "0x") || strings.HasPrefix(low, "0o") || strings.HasPrefix(low, "0b") {
		if i, err := strconv.ParseInt(low, 0, 64); err == nil {
			return i, true
		}
	}
	return 0, false
}

// parseFloat reads a finite decimal number.
func parseFloat(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "+-.0123456789eE_") != "" || !strings.ContainsAny(s, "0123456789") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// parseYAML reads the first document of a YAML file. Repeated keys are kept: whether they are a mistake depends on the
// section. An empty file is a null node.
func parseYAML(file string, data []byte) (root *node, problem *Problem) {
	fail := func(line, column int, format string, args ...any) *Problem {
		return &Problem{Severity: Error, File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}
	// The parser has panicked on malformed input before; an administrator's typing error must not look like a crash.
	defer func() {
		if r := recover(); r != nil {
			root, problem = nil, fail(0, 0, "this is not valid YAML, and the parser gave up on it: %v", r)
		}
	}()
	if len(data) > maxFileSize {
		return nil, fail(0, 0, "the file is larger than %d MiB, which no configuration needs", maxFileSize>>20)
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\ufeff"))
	if at := tooDeep(tokens); at != nil {
		return nil, fail(at.Line, at.Column, "values are nested more than %d levels deep", maxDepth)
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
			at := syntax.GetToken().Position
			return nil, fail(at.Line, at.Column, "this is not valid YAML: %s%s", syntax.GetMessage(), yamlHint(data, at.Line))
		}
		return nil, fail(0, 0, "this is not valid YAML: %s", clip(err.Error(), 300))
	}
	c := &converter{file: file, anchors: map[string]ast.Node{}}
	empty := &node{kind: nullNode, file: file, line: 1, column: 1}
	found := false
	for _, doc := range parsed.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if found {
			at := doc.Body.GetToken().Position
			return nil, fail(at.Line, at.Column, "the file holds more than one YAML document; keep one and remove the “---” between them")
		}
		found = true
		if empty, err = c.convert(doc.Body, 0); err != nil {
			return nil, fail(c.line, c.column, "%v", err)
		}
	}
	return empty, nil
}

// yamlHint recognises the mistakes that the parser's own message explains badly.
func yamlHint(data []byte, line int) string {
	lines := strings.Split(string(data), "\n")
	for _, i := range []int{line - 1, line} {
		if i < 0 || i >= len(lines) {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(lines[i], " "), "\t") {
			return " (indent with spaces: YAML does not allow tabs)"
		}
	}
	return ""
}

// tooDeep finds the token at which nesting passes maxDepth, before the recursive parser meets it.
func tooDeep(tokens token.Tokens) *token.Position {
	flow := 0
	entries, entriesLine := 0, 0
	var columns []int // of the block mappings and sequences that are open
	for _, tk := range tokens {
		if tk == nil || tk.Position == nil {
			continue
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			if tk.Position.Line != entriesLine {
				entries, entriesLine = 0, tk.Position.Line
			}
			entries++
		}
		if flow == 0 {
			column := tk.Position.Column
			for len(columns) > 0 && columns[len(columns)-1] > column {
				columns = columns[:len(columns)-1]
			}
			if len(columns) == 0 || columns[len(columns)-1] < column {
				if first := tk.Prev == nil || tk.Prev.Position == nil || tk.Prev.Position.Line != tk.Position.Line; first {
					columns = append(columns, column)
				}
			}
		}
		if flow > maxDepth || entries > maxDepth || len(columns) > maxDepth {
			return tk.Position
		}
	}
	return nil
}

// converter turns the parser's tree into nodes, following aliases within bounds.
type converter struct {
	file         string
	anchors      map[string]ast.Node
	nodes        int
	line, column int // of the latest node, for messages
}

func (c *converter) convert(in ast.Node, depth int) (*node, error) {
	if in == nil {
		return &node{kind: nullNode, file: c.file, line: c.line, column: c.column}, nil
	}
	if tk := in.GetToken(); tk != nil && tk.Position != nil {
		c.line, c.column = tk.Position.Line, tk.Position.Column
	}
	if c.nodes++; c.nodes > maxNodes {
		return nil, errors.New("the file describes too many values (aliases that repeat aliases?)")
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("values are nested more than %d levels deep", maxDepth)
	}
	out := &node{file: c.file, line: c.line, column: c.column}
	switch n := in.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.StringNode:
		out.kind, out.text = scalarNode, n.Value
		out.plain = n.Token != nil && n.Token.Type == token.StringType
		return out, nil
	case *ast.LiteralNode:
		out.kind = scalarNode
		if n.Value != nil {
			out.text = n.Value.Value
		}
		return out, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		// What it is as a number depends on the option: keep what the administrator wrote.
		out.kind, out.plain, out.text = scalarNode, true, in.GetToken().Value
		return out, nil
	case *ast.SequenceNode:
		out.kind = listNode
		for _, v := range n.Values {
			item, err := c.convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case *ast.MappingNode:
		out.kind = mapNode
		for _, v := range n.Values {
			if err := c.addPair(out, v, depth); err != nil {
				return nil, err
			}
		}
		if len(out.pairs) > 0 && !n.IsFlowStyle {
			out.line, out.column = out.pairs[0].at.line, out.pairs[0].at.column
		}
		return out, nil
	case *ast.MappingValueNode:
		out.kind = mapNode
		if err := c.addPair(out, n, depth); err != nil {
			return nil, err
		}
		return out, nil
	case *ast.AnchorNode:
		value, err := c.convert(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Name != nil && n.Name.GetToken() != nil {
			c.anchors[n.Name.GetToken().Value] = n.Value
		}
		return value, nil
	case *ast.AliasNode:
		name := ""
		if n.Value != nil && n.Value.GetToken() != nil {
			name = n.Value.GetToken().Value
		}
		target, ok := c.anchors[name]
		if !ok {
			return nil, fmt.Errorf("the alias *%s has no anchor &%s before it", clip(name, 60), clip(name, 60))
		}
		line, column := c.line, c.column
		value, err := c.convert(target, depth+1)
		c.line, c.column = line, column
		return value, err
	case *ast.TagNode:
		tag := ""
		if n.Start != nil {
			tag = n.Start.Value
		}
		value, err := c.convert(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		switch tag {
		case "!!str":
			if value.kind == scalarNode {
				value.plain = false
			}
		case "!!int", "!!float", "!!bool", "!!map", "!!seq", "!!null", "!!omap":
		default:
			return nil, fmt.Errorf("the tag %s is not known; write the value without it", clip(tag, 60))
		}
		return value, nil
	default:
		return nil, fmt.Errorf("a value of this form (%s) is not expected in a configuration", in.Type())
	}
}

func (c *converter) addPair(out *node, v *ast.MappingValueNode, depth int) error {
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		return c.merge(out, v.Value, depth)
	}
	var keyNode ast.Node = v.Key
	if k, ok := keyNode.(*ast.MappingKeyNode); ok {
		keyNode = k.Value
	}
	key, err := c.convert(keyNode, depth+1)
	if err != nil {
		return err
	}
	if key.kind == listNode || key.kind == mapNode {
		return errors.New("a key has to be a name, not a list or a mapping")
	}
	value, err := c.convert(v.Value, depth+1)
	if err != nil {
		return err
	}
	if value.kind == nullNode {
		value.line, value.column = key.line, key.column
	}
	out.pairs = append(out.pairs, pair{key: key.text, at: key, value: value})
	return nil
}

// merge adds what `<<` refers to, below the keys that are written out.
func (c *converter) merge(out *node, value ast.Node, depth int) error {
	merged, err := c.convert(value, depth+1)
	if err != nil {
		return err
	}
	sources := []*node{merged}
	if merged.kind == listNode {
		sources = merged.items
	}
	var pairs []pair
	for i := len(sources) - 1; i >= 0; i-- {
		if sources[i].kind != mapNode {
			return errors.New("“<<” takes a mapping, or a list of mappings")
		}
		pairs = append(pairs, sources[i].pairs...)
	}
	// Earlier in the list loses against later: written keys come after these, and get reads from the end.
	for i := range pairs {
		pairs[i].merged = true
	}
	out.pairs = append(pairs, out.pairs...)
	return nil
}
