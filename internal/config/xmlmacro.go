package config

import (
	"encoding/xml"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds on macros: a file that imports itself, or macros that multiply, end in an error.
const maxImports = 100

// macroSet is what a file's <macros> define.
type macroSet struct {
	xml     map[string]*element
	tokens  map[string]string
	imports int
	nodes   int
	grown   int // bytes that tokens added
}

// expandMacros replaces <expand macro="…"/> and tokens in a document, as Galaxy's XML files allow.
func expandMacros(root *element, dir string) error {
	defined := root.child("macros")
	if defined == nil {
		return nil
	}
	m := &macroSet{xml: map[string]*element{}, tokens: map[string]string{}}
	if err := m.collect(defined, dir); err != nil {
		return err
	}
	root.children = slices.DeleteFunc(root.children, func(e *element) bool { return e.name == "macros" })
	children, err := m.expand(root.children, nil)
	if err != nil {
		return err
	}
	root.children = children
	return m.replace(root, m.tokens)
}

// collect takes in the macros of an element and of the files it imports; its own win over imported ones.
func (m *macroSet) collect(defined *element, dir string) error {
	for _, e := range defined.all("import") {
		if m.imports++; m.imports > maxImports {
			return e.problem("more than %d files are imported; does one import itself?", maxImports)
		}
		path := strings.TrimSpace(e.text)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		data, err := readBounded(path)
		if err != nil {
			return e.problem("importing %s: %s", path, fileProblem(err))
		}
		imported, err := parseXML(path, data)
		if err != nil {
			return err
		}
		if err := m.collect(imported, dir); err != nil {
			return err
		}
	}
	for _, e := range defined.children {
		kind := e.name
		if kind == "macro" {
			if kind = e.get("type"); kind == "" {
				kind = "xml"
			}
		}
		name := e.get("name")
		if kind != "xml" && kind != "token" {
			continue
		}
		if name == "" {
			return e.problem("a macro needs a name")
		}
		if kind == "xml" {
			m.xml[name] = e
		} else {
			m.tokens[name] = e.text
		}
	}
	return nil
}

// expand returns the elements with every <expand> replaced. open are the macros that are being expanded.
func (m *macroSet) expand(in []*element, open []string) ([]*element, error) {
	var out []*element
	for _, e := range in {
		if m.nodes++; m.nodes > maxNodes {
			return nil, e.problem("the macros make too many elements")
		}
		if e.name != "expand" {
			children, err := m.expand(e.children, open)
			if err != nil {
				return nil, err
			}
			e.children = children
			out = append(out, e)
			continue
		}
		name := e.get("macro")
		macro, ok := m.xml[name]
		if !ok {
			return nil, e.problem("there is no macro named “%s”%s", clip(name, 60), didYouMean(name, sortedKeys(m.xml)))
		}
		if slices.Contains(open, name) {
			return nil, e.problem("the macro “%s” expands itself", clip(name, 60))
		}
		tokens, err := macroTokens(macro, e)
		if err != nil {
			return nil, err
		}
		var body []*element
		for _, c := range macro.children {
			copied, err := m.copy(c)
			if err != nil {
				return nil, err
			}
			body = append(body, copied)
		}
		if body, err = m.yield(body, e); err != nil {
			return nil, err
		}
		for _, c := range body {
			if err := m.replace(c, tokens); err != nil {
				return nil, err
			}
		}
		if body, err = m.expand(body, append(slices.Clone(open), name)); err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	return out, nil
}

// yield puts what stands inside an <expand> in the place of its macro's <yield>s.
func (m *macroSet) yield(body []*element, call *element) ([]*element, error) {
	var out []*element
	for _, e := range body {
		if e.name != "yield" {
			children, err := m.yield(e.children, call)
			if err != nil {
				return nil, err
			}
			e.children = children
			out = append(out, e)
			continue
		}
		inside := call.children
		if name, named := e.attr("name"); named {
			inside = nil
			for _, token := range call.all("token") {
				if token.get("name") == name {
					inside = token.children
				}
			}
		} else {
			inside = slices.DeleteFunc(slices.Clone(inside), func(c *element) bool { return c.name == "token" })
		}
		for _, c := range inside {
			copied, err := m.copy(c)
			if err != nil {
				return nil, err
			}
			out = append(out, copied)
		}
	}
	return out, nil
}

func (m *macroSet) copy(e *element) (*element, error) {
	if m.nodes++; m.nodes > maxNodes {
		return nil, e.problem("the macros make too many elements")
	}
	c := *e
	c.attrs, c.children = slices.Clone(e.attrs), make([]*element, 0, len(e.children))
	for _, child := range e.children {
		copied, err := m.copy(child)
		if err != nil {
			return nil, err
		}
		c.children = append(c.children, copied)
	}
	return &c, nil
}

// macroTokens are the values of a macro's parameters: `tokens="a,b"` are required, `token_c="…"` has a default.
func macroTokens(macro, call *element) (map[string]string, error) {
	quote := "@"
	values := map[string]string{}
	var required []string
	for _, a := range macro.attrs {
		switch name := a.Name.Local; {
		case name == "token_quote":
			quote = a.Value
		case name == "tokens":
			for _, token := range strings.Split(a.Value, ",") {
				required = append(required, strings.TrimSpace(token))
			}
		case strings.HasPrefix(name, "token_"):
			values[strings.TrimPrefix(name, "token_")] = a.Value
		}
	}
	for _, token := range required {
		if _, ok := call.attr(token); !ok {
			return nil, call.problem("the macro “%s” needs the attribute “%s”", clip(macro.get("name"), 60), clip(token, 60))
		}
		values[token] = ""
	}
	out := map[string]string{}
	for name, value := range values {
		if given, ok := call.attr(name); ok {
			value = given
		}
		if name != "" {
			out[quote+strings.ToUpper(name)+quote] = value
		}
	}
	return out, nil
}

// replace puts tokens' values into an element's text, attributes and children.
func (m *macroSet) replace(e *element, tokens map[string]string) error {
	if len(tokens) == 0 {
		return nil
	}
	var ok bool
	if e.text, ok = m.replaceIn(e.text, tokens); !ok {
		return e.problem("the tokens make too much text; does one stand in its own value?")
	}
	for i, a := range e.attrs {
		value, ok := m.replaceIn(a.Value, tokens)
		if !ok {
			return e.problem("the tokens make too much text; does one stand in its own value?")
		}
		e.attrs[i] = xml.Attr{Name: a.Name, Value: value}
	}
	for _, c := range e.children {
		if err := m.replace(c, tokens); err != nil {
			return err
		}
	}
	return nil
}

// maxTokenRounds is how deep tokens may stand in other tokens' values.
const maxTokenRounds = 10

// replaceIn is false when the tokens of the whole document have added more than a file may hold.
func (m *macroSet) replaceIn(s string, tokens map[string]string) (string, bool) {
	for range maxTokenRounds {
		before := s
		for _, name := range sortedKeys(tokens) {
			if name == "" || !strings.Contains(s, name) {
				continue
			}
			if m.grown += strings.Count(s, name) * len(tokens[name]); m.grown > maxFileSize {
				return s, false
			}
			s = strings.ReplaceAll(s, name, tokens[name])
		}
		if s == before {
			return s, true
		}
	}
	return s, false
}
