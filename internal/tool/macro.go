package tool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// maxImports bounds the macro files of one tool.
const maxImports = 200

// macroFrame says inside which macros' expansion an element was made, to find macros that expand themselves.
type macroFrame struct {
	name  string
	outer *macroFrame
	depth int
}

func (f *macroFrame) contains(name string) bool {
	for ; f != nil; f = f.outer {
		if f.name == name {
			return true
		}
	}
	return false
}

func (f *macroFrame) String() string {
	if f == nil {
		return ""
	}
	if f.outer == nil {
		return f.name
	}
	return f.outer.String() + " → " + f.name
}

// macroSet is what the <macros> of a tool and of the files it imports define.
type macroSet struct {
	dir       string // imports are relative to the tool's folder, in macro files too
	read      func(string) ([]byte, error)
	xml       map[string]*Element
	tokens    []token // in the order of their first definition
	templates []*Element
	paths     []string
	elements  int // made by expansion so far
	bytes     int
	frames    map[*Element]*macroFrame // of <expand> elements that came out of a macro
}

type token struct{ name, value string }

// expandMacros replaces <expand>, <yield> and tokens below root. It returns the imported files, as far as it came also
// with an error, and the template macros.
func expandMacros(root *Element, path string, read func(string) ([]byte, error)) (paths []string, templates map[string]string, err error) {
	el := root.Find("macros")
	if el == nil {
		return nil, nil, nil
	}
	s := &macroSet{dir: filepath.Dir(path), read: read, xml: map[string]*Element{}, frames: map[*Element]*macroFrame{}}
	if err := s.load(el, []string{filepath.Clean(path)}); err != nil {
		return s.paths, nil, err
	}
	el.Children, el.Text = nil, ""
	if err := s.expandNestedTokens(el); err != nil {
		return s.paths, nil, err
	}
	if err := s.expandBelow(root, 0); err != nil {
		return s.paths, nil, err
	}
	el.Children = s.templates
	if err := s.applyTokens(root, s.tokens); err != nil {
		return s.paths, nil, err
	}
	if len(s.templates) > 0 {
		templates = map[string]string{}
		for _, t := range s.templates {
			templates[t.Get("name", "")] = t.Text
		}
	}
	el.Children = nil
	return s.paths, templates, nil
}

// load takes the definitions of a <macros> element: imports first, so that what is written here wins. chain holds the
// files that import each other down to this one.
func (s *macroSet) load(el *Element, chain []string) error {
	for _, imp := range el.FindAll("import") {
		if err := s.importFile(imp, chain); err != nil {
			return err
		}
	}
	// The generic element first, then the short forms: Galaxy's order, which decides between equal names.
	for _, m := range el.FindAll("macro") {
		if err := s.define(m, m.Get("type", "xml")); err != nil {
			return err
		}
	}
	for _, tag := range []string{"template", "xml", "token"} {
		for _, m := range el.FindAll(tag) {
			if err := s.define(m, tag); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *macroSet) importFile(imp *Element, chain []string) error {
	name := imp.Text
	if strings.TrimSpace(name) == "" {
		return errorAt(imp, "<import> is empty; write the macro file's path, relative to the tool's folder")
	}
	if filepath.IsAbs(name) || strings.ContainsRune(name, 0) {
		return errorAt(imp, "<import>%s</import> has to be relative to the tool's folder", name)
	}
	path := filepath.Join(s.dir, name)
	for _, c := range chain {
		if c == path {
			return errorAt(imp, "%s imports itself: %s", name, strings.Join(append(chain, path), " → "))
		}
	}
	if len(s.paths) >= maxImports {
		return errorAt(imp, "more than %d macro files are imported", maxImports)
	}
	s.paths = append(s.paths, path)
	src, err := s.read(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return errorAt(imp, "macro file %s does not exist; imports are relative to the tool's folder %s, in macro files too", name, s.dir)
		}
		return errorAt(imp, "macro file %s cannot be read: %v", name, err)
	}
	root, err := parseXML(path, src)
	if err != nil {
		return err
	}
	return s.load(root, append(chain[:len(chain):len(chain)], path))
}

func (s *macroSet) define(m *Element, kind string) error {
	name, ok := m.Lookup("name")
	if !ok || name == "" {
		return errorAt(m, "<%s> in <macros> has no name", m.Tag)
	}
	switch kind {
	case "xml":
		s.xml[name] = m
	case "template":
		s.templates = append(s.templates, m)
	case "token":
		for i := range s.tokens {
			if s.tokens[i].name == name {
				s.tokens[i].value = m.Text
				return nil
			}
		}
		s.tokens = append(s.tokens, token{name, m.Text})
	default:
		return errorAt(m, "macro type %q is unknown; use xml, token or template", kind)
	}
	return nil
}

// expandNestedTokens replaces tokens inside the values of tokens.
func (s *macroSet) expandNestedTokens(el *Element) error {
	total := 0
	for i := range s.tokens {
		t := s.tokens[i].name
		for j := range s.tokens {
			if !strings.Contains(s.tokens[j].value, t) {
				continue
			}
			if i == j {
				return errorAt(el, "token %s contains itself", t)
			}
			n := strings.Count(s.tokens[j].value, t)
			total += n * len(s.tokens[i].value)
			if total > maxExpanded {
				return errorAt(el, "tokens that contain tokens grow beyond %d bytes", maxExpanded)
			}
			s.tokens[j].value = strings.ReplaceAll(s.tokens[j].value, t, s.tokens[i].value)
		}
	}
	return nil
}

// expandBelow replaces every <expand> below el.
func (s *macroSet) expandBelow(el *Element, depth int) error {
	if depth > maxXMLDepth {
		return errorAt(el, "macros nest elements deeper than %d", maxXMLDepth)
	}
	if !hasTag(el.Children, "expand") {
		for _, c := range el.Children {
			if err := s.expandBelow(c, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	var done []*Element
	if err := s.expandList(el.Children, &done, depth); err != nil {
		return err
	}
	el.Children = done
	return nil
}

// expandList appends the elements of list to done, with expansions, which may hold <expand> again, in place of <expand>.
func (s *macroSet) expandList(list []*Element, done *[]*Element, depth int) error {
	for _, c := range list {
		if c.Tag != "expand" {
			if err := s.expandBelow(c, depth+1); err != nil {
				return err
			}
			*done = append(*done, c)
			continue
		}
		body, err := s.expandOne(c)
		if err != nil {
			return err
		}
		if err := s.expandList(body, done, depth); err != nil {
			return err
		}
	}
	return nil
}

func hasTag(es []*Element, tag string) bool {
	for _, e := range es {
		if e.Tag == tag {
			return true
		}
	}
	return false
}

// expandOne returns the elements that take an <expand>'s place.
func (s *macroSet) expandOne(ex *Element) ([]*Element, error) {
	name, ok := ex.Lookup("macro")
	if !ok {
		return nil, errorAt(ex, "<expand> has no attribute macro")
	}
	def := s.xml[name]
	if def == nil {
		return nil, errorAt(ex, "there is no macro %q; %s", name, known("the tool and its imports define", s.xmlNames()))
	}
	outer := s.frames[ex]
	delete(s.frames, ex)
	if outer.contains(name) {
		return nil, errorAt(ex, "macro %q expands itself: %s → %s", name, outer, name)
	}
	frame := &macroFrame{name: name, outer: outer}
	if outer != nil {
		frame.depth = outer.depth + 1
	}
	if frame.depth > maxXMLDepth {
		return nil, errorAt(ex, "macros are nested deeper than %d", maxXMLDepth)
	}
	body := &Element{Tag: "macro", Line: def.Line, File: def.File}
	for _, c := range def.Children {
		cc, err := s.copyOf(c, frame, false)
		if err != nil {
			return nil, err
		}
		body.Children = append(body.Children, cc)
	}
	// Named yields take the content of the <token> of that name, the others everything else inside <expand>.
	for _, t := range ex.FindAll("token") {
		tn, ok := t.Lookup("name")
		if !ok {
			return nil, errorAt(t, "<token> inside <expand> has no name")
		}
		n, err := s.replaceYields(body, &tn, t.Children)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errorAt(t, "macro %q has no <yield name=%q/>", name, tn)
		}
	}
	var rest []*Element
	for _, c := range ex.Children {
		if c.Tag != "token" {
			rest = append(rest, c)
		}
	}
	if _, err := s.replaceYields(body, nil, rest); err != nil {
		return nil, err
	}
	params, err := macroTokens(def, ex)
	if err != nil {
		return nil, err
	}
	for _, c := range body.Children {
		if err := s.applyTokens(c, params); err != nil {
			return nil, err
		}
	}
	return body.Children, nil
}

func (s *macroSet) xmlNames() []string {
	var names []string
	for n := range s.xml {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// known makes the end of a message: what may be written instead.
func known(intro string, names []string) string {
	if len(names) == 0 {
		return intro + " none"
	}
	if len(names) > 20 {
		return fmt.Sprintf("%s %s and %d more", intro, strings.Join(names[:20], ", "), len(names)-20)
	}
	return intro + " " + strings.Join(names, ", ")
}

// macroTokens are the parameters of a macro: tokens="a,b" have to be given, token_a="x" has a default.
func macroTokens(def, ex *Element) ([]token, error) {
	quote := def.Get("token_quote", "@")
	var r []token
	add := func(key string, dflt *string) error {
		v, ok := ex.Lookup(key)
		if !ok {
			if dflt == nil {
				return errorAt(ex, "<expand macro=%q> needs the attribute %s", def.Get("name", ""), key)
			}
			v = *dflt
		}
		name := quote + strings.ToUpper(key) + quote
		for i := range r {
			if r[i].name == name {
				r[i].value = v
				return nil
			}
		}
		r = append(r, token{name, v})
		return nil
	}
	for i := range def.Attrs {
		a := &def.Attrs[i]
		switch {
		case a.Name == "token_quote":
		case a.Name == "tokens":
			for _, k := range strings.Split(a.Value, ",") {
				if err := add(k, nil); err != nil {
					return nil, err
				}
			}
		case strings.HasPrefix(a.Name, "token_"):
			if err := add(strings.TrimPrefix(a.Name, "token_"), &a.Value); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// copyOf copies an element deeply. <expand> elements in it get the frame, or with keep the one they have.
func (s *macroSet) copyOf(e *Element, frame *macroFrame, keep bool) (*Element, error) {
	s.elements++
	s.bytes += len(e.Tag) + len(e.Text) + len(e.Tail)
	c := &Element{Tag: e.Tag, Text: e.Text, Tail: e.Tail, Line: e.Line, File: e.File}
	if len(e.Attrs) > 0 {
		c.Attrs = append([]Attr(nil), e.Attrs...)
		for _, a := range e.Attrs {
			s.bytes += len(a.Name) + len(a.Value)
		}
	}
	if s.elements > maxXMLElements || s.bytes > maxExpanded {
		return nil, errorAt(e, "macros expand to more than %d elements or %d bytes", maxXMLElements, maxExpanded)
	}
	if e.Tag == "expand" {
		f := frame
		if keep {
			f = s.frames[e]
		}
		if f != nil {
			s.frames[c] = f
		}
	}
	if len(e.Children) > 0 {
		c.Children = make([]*Element, 0, len(e.Children))
		for _, ch := range e.Children {
			cc, err := s.copyOf(ch, frame, keep)
			if err != nil {
				return nil, err
			}
			c.Children = append(c.Children, cc)
		}
	}
	return c, nil
}

// replaceYields puts copies of content in place of the yields below el: those of one name, or with nil all of them.
func (s *macroSet) replaceYields(el *Element, name *string, content []*Element) (int, error) {
	n := 0
	out := el.Children[:0:0]
	changed := false
	for _, c := range el.Children {
		if c.Tag == "yield" {
			yn, named := c.Lookup("name")
			if name == nil || (named && yn == *name) {
				n++
				changed = true
				for _, x := range content {
					cc, err := s.copyOf(x, nil, true)
					if err != nil {
						return n, err
					}
					out = append(out, cc)
				}
				continue
			}
		}
		m, err := s.replaceYields(c, name, content)
		if err != nil {
			return n, err
		}
		n += m
		out = append(out, c)
	}
	if changed {
		el.Children = out
	}
	return n, nil
}

// applyTokens replaces tokens in the texts, attribute names and values of el and everything below it.
func (s *macroSet) applyTokens(el *Element, tokens []token) error {
	if len(tokens) == 0 {
		return nil
	}
	if err := s.applyTo(el, &el.Text, tokens); err != nil {
		return err
	}
	for i := range el.Attrs {
		if err := s.applyTo(el, &el.Attrs[i].Value, tokens); err != nil {
			return err
		}
		if err := s.applyTo(el, &el.Attrs[i].Name, tokens); err != nil {
			return err
		}
	}
	for _, c := range el.Children {
		if err := s.applyTokens(c, tokens); err != nil {
			return err
		}
	}
	return nil
}

func (s *macroSet) applyTo(el *Element, text *string, tokens []token) error {
	if *text == "" {
		return nil
	}
	for _, t := range tokens {
		if t.name == "" || !strings.Contains(*text, t.name) {
			continue
		}
		s.bytes += strings.Count(*text, t.name) * len(t.value)
		if s.bytes > maxExpanded {
			return errorAt(el, "tokens expand to more than %d bytes", maxExpanded)
		}
		*text = strings.ReplaceAll(*text, t.name, t.value)
	}
	return nil
}
