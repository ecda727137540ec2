package destination

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"orrery/internal/cheetah"
)

// Bounds on a rule file, far above any real one.
const (
	maxFileSize = 8 << 20 // bytes
	maxDepth    = 64      // nested mappings and sequences
	maxNodes    = 400_000 // after aliases are followed
)

type nodeKind int

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
)

// node is one value of a rule file with its place.
type node struct {
	kind  nodeKind
	file  string
	line  int
	body  int    // the line at which a block scalar's text begins; else line
	text  string // a scalar as it is written, without quotes
	plain bool   // a scalar without quotes, which may be a number or a boolean
	items []*node
	pairs []pair
}

type pair struct {
	key, value *node
}

// get returns the value of the last entry with this key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.pairs) - 1; i >= 0; i-- {
		if n.pairs[i].key.text == key {
			return n.pairs[i].value
		}
	}
	return nil
}

// entries are the pairs with each key once, its last value at its first place, as Python's dict keeps them.
func (n *node) entries() []pair {
	if n == nil {
		return nil
	}
	at := make(map[string]int, len(n.pairs))
	out := make([]pair, 0, len(n.pairs))
	for _, p := range n.pairs {
		if i, again := at[p.key.text]; again {
			out[i].value = p.value
			continue
		}
		at[p.key.text] = len(out)
		out = append(out, p)
	}
	return out
}

func (n *node) isNull() bool { return n == nil || n.kind == nullNode }

func (n *node) problem(format string, args ...any) *Problem {
	return &Problem{File: n.file, Line: n.line, Message: fmt.Sprintf(format, args...)}
}

// describe names the value for messages.
func (n *node) describe() string {
	switch {
	case n.isNull():
		return "nothing"
	case n.kind == listNode:
		return "a list"
	case n.kind == mapNode:
		return "a mapping"
	}
	return fmt.Sprintf("%q", clip(n.text, 60))
}

// edition is a version of YAML, which decides what a plain scalar is.
type edition int

const (
	yaml11 edition = iota // PyYAML: yes and no are booleans
	yaml12                // ruamel.yaml: true and false alone are
)

var (
	int11   = regexp.MustCompile(`^[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	int12   = regexp.MustCompile(`^[-+]?(?:0b[0-1_]+|0o?[0-7_]+|[0-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	float11 = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$`)
	float12 = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?)$`)
)

// scalar types a plain scalar.
func (n *node) scalar(e edition) cheetah.Value {
	if !n.plain {
		return n.text
	}
	switch n.text {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	case "yes", "Yes", "YES", "on", "On", "ON":
		if e == yaml11 {
			return true
		}
	case "no", "No", "NO", "off", "Off", "OFF":
		if e == yaml11 {
			return false
		}
	case "", "~", "null", "Null", "NULL":
		return nil
	}
	ints, floats := int11, float11
	if e == yaml12 {
		ints, floats = int12, float12
	}
	s := strings.ReplaceAll(n.text, "_", "")
	if ints.MatchString(n.text) {
		base := 0
		digits := strings.TrimLeft(s, "+-")
		switch {
		case e == yaml12 && !strings.ContainsAny(digits, "box"):
			base = 10
		case strings.HasPrefix(digits, "0o"), strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0b"):
		case strings.HasPrefix(digits, "0") && len(digits) > 1:
			base = 8
		}
		if i, ok := new(big.Int).SetString(s, base); ok && len(s) < 400 {
			return cheetah.FromGo(i)
		}
	}
	if floats.MatchString(n.text) {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	return n.text
}

// value converts the node into what Python would hold.
func (n *node) value(e edition) cheetah.Value {
	switch {
	case n.isNull():
		return nil
	case n.kind == listNode:
		out := cheetah.NewList()
		for _, item := range n.items {
			out.Items = append(out.Items, item.value(e))
		}
		return out
	case n.kind == mapNode:
		out := cheetah.NewDict()
		for _, p := range n.entries() {
			out.Set(p.key.scalar(e), p.value.value(e))
		}
		return out
	}
	return n.scalar(e)
}

// parseYAML reads the first document of a file. Repeated keys are kept. An empty file is a null node.
func parseYAML(file string, data []byte) (root *node, err error) {
	fail := func(line int, format string, args ...any) error {
		return &Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)}
	}
	// The parser has panicked on malformed input before; a typing error must not look like a crash.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fail(0, "this is not valid YAML, and the parser gave up on it: %v", r)
		}
	}()
	if len(data) > maxFileSize {
		return nil, fail(0, "the file is larger than %d MiB, which no rule file needs", maxFileSize>>20)
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\ufeff"))
	if line := tooDeep(tokens); line > 0 {
		return nil, fail(line, "values are nested more than %d levels deep", maxDepth)
	}
	parsed, parseErr := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if parseErr != nil {
		var syntax yaml.Error
		if errors.As(parseErr, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
			return nil, fail(syntax.GetToken().Position.Line, "this is not valid YAML: %s", syntax.GetMessage())
		}
		return nil, fail(0, "this is not valid YAML: %s", clip(parseErr.Error(), 300))
	}
	c := &converter{file: file, anchors: map[string]ast.Node{}}
	for _, doc := range parsed.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return nil, fail(doc.Body.GetToken().Position.Line, "the file holds more than one YAML document; keep one and remove the “---” between them")
		}
		if root, err = c.convert(doc.Body, 0); err != nil {
			return nil, fail(c.line, "%v", err)
		}
	}
	if root == nil {
		root = &node{file: file, line: 1, body: 1}
	}
	return root, nil
}

// tooDeep finds the line at which nesting passes maxDepth, before the recursive parser meets it; 0 if none does.
func tooDeep(tokens token.Tokens) int {
	flow, entries, entriesLine := 0, 0, 0
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
			first := tk.Prev == nil || tk.Prev.Position == nil || tk.Prev.Position.Line != tk.Position.Line
			if first && (len(columns) == 0 || columns[len(columns)-1] < column) {
				columns = append(columns, column)
			}
		}
		if flow > maxDepth || entries > maxDepth || len(columns) > maxDepth {
			return tk.Position.Line
		}
	}
	return 0
}

// converter turns the parser's tree into nodes, following aliases within bounds.
type converter struct {
	file    string
	anchors map[string]ast.Node
	nodes   int
	line    int // of the latest node
}

func (c *converter) convert(in ast.Node, depth int) (*node, error) {
	if in == nil {
		return &node{file: c.file, line: c.line, body: c.line}, nil
	}
	if tk := in.GetToken(); tk != nil && tk.Position != nil {
		c.line = tk.Position.Line
	}
	if c.nodes++; c.nodes > maxNodes {
		return nil, errors.New("the file describes too many values (aliases that repeat aliases?)")
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("values are nested more than %d levels deep", maxDepth)
	}
	out := &node{file: c.file, line: c.line, body: c.line}
	switch n := in.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = scalarNode, n.Value
		out.plain = n.Token != nil && n.Token.Type == token.StringType
	case *ast.LiteralNode:
		out.kind = scalarNode
		out.body = out.line + 1
		if n.Value != nil {
			out.text = n.Value.Value
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.plain, out.text = scalarNode, true, in.GetToken().Value
	case *ast.SequenceNode:
		out.kind = listNode
		for _, v := range n.Values {
			item, err := c.convert(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
	case *ast.MappingNode:
		out.kind = mapNode
		for _, v := range n.Values {
			if err := c.add(out, v, depth); err != nil {
				return nil, err
			}
		}
		if len(out.pairs) > 0 && !n.IsFlowStyle {
			out.line = out.pairs[0].key.line
		}
	case *ast.MappingValueNode:
		out.kind = mapNode
		if err := c.add(out, n, depth); err != nil {
			return nil, err
		}
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
			return nil, fmt.Errorf("the alias *%s has no anchor &%[1]s before it", clip(name, 60))
		}
		line := c.line
		value, err := c.convert(target, depth+1)
		c.line = line
		return value, err
	case *ast.TagNode:
		value, err := c.convert(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		tag := ""
		if n.Start != nil {
			tag = n.Start.Value
		}
		switch tag {
		case "!!str":
			value.plain = false
		case "!!int", "!!float", "!!bool", "!!map", "!!seq", "!!null", "!!omap":
		default:
			return nil, fmt.Errorf("the tag %s is not known; write the value without it", clip(tag, 60))
		}
		return value, nil
	default:
		return nil, fmt.Errorf("a value of this form (%s) is not expected in a rule file", in.Type())
	}
	return out, nil
}

func (c *converter) add(out *node, v *ast.MappingValueNode, depth int) error {
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
		value.line = key.line
	}
	out.pairs = append(out.pairs, pair{key: key, value: value})
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
	out.pairs = append(pairs, out.pairs...)
	return nil
}
