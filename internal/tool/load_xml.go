package tool

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits that keep a hostile tool file from filling the memory. Galaxy's largest own tool has about 3,000 elements.
const (
	maxXMLBytes    = 8 << 20  // of one file
	maxXMLDepth    = 200      // nested elements
	maxXMLElements = 200_000  // of a tool, after macros
	maxExpanded    = 32 << 20 // bytes of text and attributes of a tool, after macros and tokens
	maxEntities    = 1000     // <!ENTITY> declarations
)

// FileError is a problem in a tool file, macro file or toolbox file: where it is, what is wrong and what would be right.
type FileError struct {
	File string
	Line int // 0 when it belongs to no line
	Msg  string
}

func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
	}
	return e.File + ": " + e.Msg
}

func errorAt(e *Element, format string, args ...any) *FileError {
	return &FileError{File: e.File, Line: e.Line, Msg: fmt.Sprintf(format, args...)}
}

// xmlParser reads XML 1.0 without namespaces, DTDs or anything outside the document. The standard library's decoder does
// not normalise white space in attributes (Galaxy's parser does, and `value="&#10;"` has to differ from a line break), and
// a tool file's lines have to be known for every element, so it is written here.
type xmlParser struct {
	file     string
	src      []byte
	pos      int
	line     int
	linePos  int // up to where line was counted
	elements int
	entities map[string]string
}

// parseXML parses one document. Comments and processing instructions are dropped and the text around them is joined.
func parseXML(file string, src []byte) (*Element, error) {
	if len(src) > maxXMLBytes {
		return nil, &FileError{File: file, Msg: fmt.Sprintf("the file has %d bytes, more than the %d a tool file may have", len(src), maxXMLBytes)}
	}
	src, err := decodeXML(file, src)
	if err != nil {
		return nil, err
	}
	p := &xmlParser{file: file, src: src, line: 1}
	return p.document()
}

// decodeXML turns the bytes into UTF-8 by the encoding that the XML declaration names.
func decodeXML(file string, src []byte) ([]byte, error) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	enc := "utf-8"
	if bytes.HasPrefix(src, []byte("<?xml")) {
		end := bytes.Index(src, []byte("?>"))
		if end < 0 {
			return nil, &FileError{File: file, Line: 1, Msg: "the XML declaration is not closed with ?>"}
		}
		decl := string(src[:end])
		if i := strings.Index(decl, "encoding"); i >= 0 {
			rest := strings.TrimLeft(decl[i+len("encoding"):], " \t\r\n=")
			if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
				if j := strings.IndexByte(rest[1:], rest[0]); j >= 0 {
					enc = strings.ToLower(rest[1 : 1+j])
				}
			}
		}
	}
	switch enc {
	case "utf-8", "utf8", "us-ascii", "ascii":
	case "iso-8859-1", "latin-1", "latin1", "windows-1252":
		var b bytes.Buffer
		b.Grow(len(src) + len(src)/8)
		for _, c := range src {
			b.WriteRune(rune(c))
		}
		src = b.Bytes()
	default:
		return nil, &FileError{File: file, Line: 1, Msg: fmt.Sprintf("encoding %q is not supported; save the file as UTF-8", enc)}
	}
	if !utf8.Valid(src) {
		bad := 0
		for bad < len(src) {
			r, n := utf8.DecodeRune(src[bad:])
			if r == utf8.RuneError && n <= 1 {
				break
			}
			bad += n
		}
		return nil, &FileError{File: file, Line: 1 + bytes.Count(src[:bad], []byte("\n")), Msg: "not valid UTF-8; save the file as UTF-8 or name its encoding in the XML declaration"}
	}
	return src, nil
}

func (p *xmlParser) lineAt(pos int) int {
	if pos > p.linePos {
		p.line += bytes.Count(p.src[p.linePos:pos], []byte("\n"))
		p.linePos = pos
		return p.line
	}
	return p.line - bytes.Count(p.src[pos:p.linePos], []byte("\n"))
}

func (p *xmlParser) fail(pos int, format string, args ...any) error {
	if pos > len(p.src) {
		pos = len(p.src)
	}
	return &FileError{File: p.file, Line: p.lineAt(pos), Msg: "not well-formed XML: " + fmt.Sprintf(format, args...)}
}

func (p *xmlParser) hasPrefix(s string) bool {
	return len(p.src)-p.pos >= len(s) && string(p.src[p.pos:p.pos+len(s)]) == s
}

// skipTo moves behind the next occurrence of end.
func (p *xmlParser) skipTo(end, what string) error {
	i := bytes.Index(p.src[p.pos:], []byte(end))
	if i < 0 {
		return p.fail(p.pos, "%s is not closed with %s", what, end)
	}
	p.pos += i + len(end)
	return nil
}

func (p *xmlParser) document() (*Element, error) {
	var root *Element
	for {
		p.space()
		if p.pos >= len(p.src) {
			break
		}
		switch {
		case p.hasPrefix("<?"):
			if err := p.skipTo("?>", "a processing instruction"); err != nil {
				return nil, err
			}
		case p.hasPrefix("<!--"):
			if err := p.comment(); err != nil {
				return nil, err
			}
		case p.hasPrefix("<!DOCTYPE") && root == nil:
			if err := p.doctype(); err != nil {
				return nil, err
			}
		case p.src[p.pos] == '<' && root == nil:
			e, err := p.tree()
			if err != nil {
				return nil, err
			}
			root = e
		case root != nil:
			return nil, p.fail(p.pos, "there is something after </%s>, the end of the document", root.Tag)
		default:
			return nil, p.fail(p.pos, "the file does not start with an element")
		}
	}
	if root == nil {
		return nil, p.fail(p.pos, "the file has no element")
	}
	return root, nil
}

func (p *xmlParser) comment() error {
	p.pos += len("<!--")
	return p.skipTo("-->", "a comment")
}

func (p *xmlParser) space() {
	for p.pos < len(p.src) && isXMLSpace(p.src[p.pos]) {
		p.pos++
	}
}

func isXMLSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// doctype reads a DOCTYPE. Internal entities of plain text are kept; external ones are never opened.
func (p *xmlParser) doctype() error {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] != '[' && p.src[p.pos] != '>' {
		p.pos++
	}
	if p.pos >= len(p.src) {
		return p.fail(start, "<!DOCTYPE is not closed")
	}
	if p.src[p.pos] == '>' {
		p.pos++
		return nil
	}
	p.pos++
	p.entities = map[string]string{}
	for {
		p.space()
		switch {
		case p.pos >= len(p.src):
			return p.fail(start, "<!DOCTYPE is not closed")
		case p.src[p.pos] == ']':
			p.pos++
			p.space()
			if p.pos >= len(p.src) || p.src[p.pos] != '>' {
				return p.fail(start, "<!DOCTYPE is not closed with ]>")
			}
			p.pos++
			return nil
		case p.hasPrefix("<!--"):
			if err := p.comment(); err != nil {
				return err
			}
		case p.hasPrefix("<!ENTITY"):
			if err := p.entity(); err != nil {
				return err
			}
		case p.hasPrefix("<"):
			if err := p.skipTo(">", "a declaration"); err != nil {
				return err
			}
		default:
			return p.fail(p.pos, "unexpected text in <!DOCTYPE")
		}
	}
}

func (p *xmlParser) entity() error {
	start := p.pos
	p.pos += len("<!ENTITY")
	p.space()
	name := p.name()
	p.space()
	if name == "" || p.pos >= len(p.src) || (p.src[p.pos] != '"' && p.src[p.pos] != '\'') {
		return p.fail(start, "only entities of the form <!ENTITY name \"text\"> are read; external entities never are")
	}
	quote := p.src[p.pos]
	p.pos++
	end := bytes.IndexByte(p.src[p.pos:], quote)
	if end < 0 {
		return p.fail(start, "the text of entity %s is not closed", name)
	}
	text := string(p.src[p.pos : p.pos+end])
	p.pos += end + 1
	if strings.ContainsAny(text, "<&%") {
		return p.fail(start, "entity %s is not plain text; write it out", name)
	}
	if len(p.entities) >= maxEntities || len(text) > 10_000 {
		return p.fail(start, "too many or too long entities")
	}
	if _, dup := p.entities[name]; !dup {
		p.entities[name] = text
	}
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '>' {
		return p.fail(start, "<!ENTITY is not closed with >")
	}
	p.pos++
	return nil
}

func isNameByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= 0x80:
		return true
	case c >= '0' && c <= '9', c == '-', c == '.':
		return !first
	}
	return false
}

func (p *xmlParser) name() string {
	start := p.pos
	for p.pos < len(p.src) && isNameByte(p.src[p.pos], p.pos == start) {
		p.pos++
	}
	return internName(p.src[start:p.pos])
}

// tree reads an element and everything in it, without recursion so that depth costs no stack.
func (p *xmlParser) tree() (*Element, error) {
	root, closed, err := p.startTag()
	if err != nil || closed {
		return root, err
	}
	stack := []*Element{root}
	var text []byte // text since the last tag
	flush := func() {
		if len(text) == 0 {
			return
		}
		top := stack[len(stack)-1]
		if n := len(top.Children); n > 0 {
			top.Children[n-1].Tail += string(text)
		} else {
			top.Text += string(text)
		}
		text = text[:0]
	}
	for {
		i := bytes.IndexByte(p.src[p.pos:], '<')
		if i < 0 {
			return nil, p.fail(len(p.src), "<%s> of line %d is never closed", stack[len(stack)-1].Tag, stack[len(stack)-1].Line)
		}
		if text, err = p.text(text, p.pos, p.pos+i, false); err != nil {
			return nil, err
		}
		p.pos += i
		switch {
		case p.hasPrefix("<!--"):
			if err := p.comment(); err != nil {
				return nil, err
			}
		case p.hasPrefix("<![CDATA["):
			start := p.pos + len("<![CDATA[")
			end := bytes.Index(p.src[start:], []byte("]]>"))
			if end < 0 {
				return nil, p.fail(p.pos, "<![CDATA[ is not closed with ]]>")
			}
			text = appendNormalised(text, p.src[start:start+end])
			p.pos = start + end + len("]]>")
		case p.hasPrefix("<?"):
			if err := p.skipTo("?>", "a processing instruction"); err != nil {
				return nil, err
			}
		case p.hasPrefix("</"):
			flush()
			at := p.pos
			p.pos += 2
			name := p.name()
			p.space()
			top := stack[len(stack)-1]
			if name != top.Tag {
				return nil, p.fail(at, "</%s> closes <%s> of line %d", name, top.Tag, top.Line)
			}
			if p.pos >= len(p.src) || p.src[p.pos] != '>' {
				return nil, p.fail(at, "</%s is not closed with >", name)
			}
			p.pos++
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return root, nil
			}
		default:
			flush()
			e, closed, err := p.startTag()
			if err != nil {
				return nil, err
			}
			top := stack[len(stack)-1]
			top.Children = append(top.Children, e)
			if !closed {
				if len(stack) >= maxXMLDepth {
					return nil, p.fail(p.pos, "elements are nested deeper than %d", maxXMLDepth)
				}
				stack = append(stack, e)
			}
		}
	}
}

func (p *xmlParser) startTag() (e *Element, closed bool, err error) {
	at := p.pos
	p.pos++
	tag := p.name()
	if tag == "" {
		return nil, false, p.fail(at, "a bare '<'; write &lt; or put the text into <![CDATA[ … ]]>")
	}
	if p.elements++; p.elements > maxXMLElements {
		return nil, false, p.fail(at, "more than %d elements", maxXMLElements)
	}
	e = &Element{Tag: tag, Line: p.lineAt(at), File: p.file}
	for {
		before := p.pos
		p.space()
		if p.pos >= len(p.src) {
			return nil, false, p.fail(at, "<%s is not closed with >", tag)
		}
		switch p.src[p.pos] {
		case '>':
			p.pos++
			return e, false, nil
		case '/':
			if !p.hasPrefix("/>") {
				return nil, false, p.fail(p.pos, "a '/' inside <%s>", tag)
			}
			p.pos += 2
			return e, true, nil
		}
		if before == p.pos {
			return nil, false, p.fail(p.pos, "attributes of <%s> have to be separated by spaces", tag)
		}
		name := p.name()
		if name == "" {
			return nil, false, p.fail(p.pos, "unexpected %q in <%s>", p.src[p.pos], tag)
		}
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != '=' {
			return nil, false, p.fail(p.pos, "attribute %s of <%s> has no value; write %s=\"…\"", name, tag, name)
		}
		p.pos++
		p.space()
		if p.pos >= len(p.src) || (p.src[p.pos] != '"' && p.src[p.pos] != '\'') {
			return nil, false, p.fail(p.pos, "the value of attribute %s of <%s> is not quoted", name, tag)
		}
		quote := p.src[p.pos]
		p.pos++
		end := bytes.IndexByte(p.src[p.pos:], quote)
		if end < 0 {
			return nil, false, p.fail(p.pos, "the value of attribute %s of <%s> is not closed", name, tag)
		}
		if i := bytes.IndexByte(p.src[p.pos:p.pos+end], '<'); i >= 0 {
			return nil, false, p.fail(p.pos+i, "'<' in attribute %s of <%s>; write &lt;, or close the value before it", name, tag)
		}
		value, err := p.text(nil, p.pos, p.pos+end, true)
		if err != nil {
			return nil, false, err
		}
		p.pos += end + 1
		if _, dup := e.Lookup(name); dup {
			return nil, false, p.fail(p.pos, "attribute %s is given twice in <%s>", name, tag)
		}
		e.Attrs = append(e.Attrs, Attr{name, string(value)})
	}
}

// appendNormalised appends text with XML's line ends: \r\n and \r become \n.
func appendNormalised(dst, s []byte) []byte {
	if bytes.IndexByte(s, '\r') < 0 {
		return append(dst, s...)
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '\r' {
			dst = append(dst, '\n')
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// text appends the characters from..to with references resolved. In attributes white space becomes spaces, but white space
// written as a reference stays what it is.
func (p *xmlParser) text(dst []byte, from, to int, attr bool) ([]byte, error) {
	s := p.src[from:to]
	for len(s) > 0 {
		amp := bytes.IndexByte(s, '&')
		plain := s
		if amp >= 0 {
			plain = s[:amp]
		}
		n := len(dst)
		dst = appendNormalised(dst, plain)
		if attr {
			for i := n; i < len(dst); i++ {
				if isXMLSpace(dst[i]) {
					dst[i] = ' '
				}
			}
		}
		if amp < 0 {
			break
		}
		at := to - len(s) + amp
		s = s[amp+1:]
		semi := bytes.IndexByte(s, ';')
		if semi < 0 || semi > 64 {
			return nil, p.fail(at, "a bare '&'; write &amp; or put the text into <![CDATA[ … ]]>")
		}
		ref := string(s[:semi])
		s = s[semi+1:]
		switch ref {
		case "lt":
			dst = append(dst, '<')
		case "gt":
			dst = append(dst, '>')
		case "amp":
			dst = append(dst, '&')
		case "quot":
			dst = append(dst, '"')
		case "apos":
			dst = append(dst, '\'')
		default:
			if strings.HasPrefix(ref, "#") {
				r, ok := charReference(ref[1:])
				if !ok {
					return nil, p.fail(at, "&%s; is no character", ref)
				}
				dst = utf8.AppendRune(dst, r)
				continue
			}
			v, ok := p.entities[ref]
			if !ok {
				return nil, p.fail(at, "unknown entity &%s;; write the character itself, or &amp; for an ampersand", ref)
			}
			if len(dst)+len(v) > maxXMLBytes {
				return nil, p.fail(at, "entities make the text too long")
			}
			dst = append(dst, v...)
		}
	}
	return dst, nil
}

func charReference(s string) (rune, bool) {
	base := 10
	if strings.HasPrefix(s, "x") {
		s, base = s[1:], 16
	}
	n, err := strconv.ParseUint(s, base, 32)
	if err != nil {
		return 0, false
	}
	r := rune(n)
	switch {
	case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, n >= 0x10000 && n <= 0x10FFFF:
		return r, true
	}
	return 0, false
}

// internName shares the strings of the names that occur thousands of times in a toolbox.
func internName(b []byte) string {
	if s, ok := commonNames[string(b)]; ok {
		return s
	}
	return string(b)
}

var commonNames = func() map[string]string {
	m := map[string]string{}
	for _, s := range strings.Fields(`param option name value type label help format when conditional repeat section test
		tests output outputs data collection discover_datasets inputs tool macros import expand macro token xml yield
		argument optional min max selected multiple truevalue falsevalue checked filter options column index validator
		sanitizer valid add remove assert_contents has_text has_line has_n_lines file ftype text requirement version
		citation command stdio exit_code regex range level description expression element element_identifier source
		target initial preset invalid_char mapping message id title default key ref`) {
		m[s] = s
	}
	return m
}()

// xmlString writes an element back as XML, without its tail.
func (e *Element) xmlString() string {
	var b strings.Builder
	e.writeXML(&b)
	return b.String()
}

var (
	xmlTextEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	xmlAttrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")
)

func (e *Element) writeXML(b *strings.Builder) {
	b.WriteString("<" + e.Tag)
	for _, a := range e.Attrs {
		b.WriteString(" " + a.Name + `="` + xmlAttrEscaper.Replace(a.Value) + `"`)
	}
	if e.Text == "" && len(e.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">" + xmlTextEscaper.Replace(e.Text))
	for _, c := range e.Children {
		c.writeXML(b)
		b.WriteString(xmlTextEscaper.Replace(c.Tail))
	}
	b.WriteString("</" + e.Tag + ">")
}
