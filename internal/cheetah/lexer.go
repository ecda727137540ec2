package cheetah

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of token.
const (
	tokEnd = iota
	tokName
	tokNumber
	tokString // node is set: a constant or an f-string
	tokOp
	tokVar // a Cheetah $name with what hangs on it; node is set
)

type token struct {
	kind int
	text string
	pos  int
	node node
}

// source is a text being read, with what the directives and the lexer share.
type source struct {
	name    string
	src     string
	pos     int
	nest    int
	lines   []int // offsets at which lines begin
	baseLn  int   // added to line numbers (expressions inside f-strings)
	varTok  string
	dirTok  string
	endTok  string
	comment string
	mlOpen  string
	mlShut  string
	slurp   string
}

func newSource(name, src string) *source {
	s := &source{name: name, src: src, varTok: "$", dirTok: "#", endTok: "#", comment: "##", mlOpen: "#*", mlShut: "*#", slurp: "#"}
	s.lines = append(s.lines, 0)
	for i := 0; i < len(src); i++ {
		if src[i] == '\n' || (src[i] == '\r' && (i+1 >= len(src) || src[i+1] != '\n')) {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

func (s *source) lineAt(pos int) int {
	lo, hi := 0, len(s.lines)
	for hi-lo > 1 {
		if m := (lo + hi) / 2; s.lines[m] <= pos {
			lo = m
		} else {
			hi = m
		}
	}
	return lo + 1 + s.baseLn
}

// fail ends parsing with a SyntaxError, by panic; see catchSyntax.
func (s *source) fail(pos int, msg string) {
	panic(&SyntaxError{Name: s.name, Line: s.lineAt(pos), Msg: msg})
}

// catchSyntax turns what parsing raised into an error; a failure of the
// parser itself too, since a tool's text must not end the server.
func catchSyntax(err *error) {
	switch p := recover().(type) {
	case nil:
	case *SyntaxError:
		*err = p
	default:
		*err = &SyntaxError{Msg: fmt.Sprint(parserFailed, p)}
	}
}

const parserFailed = "the template parser failed: "

func (s *source) deeper() {
	s.nest++
	if s.nest > maxNesting {
		s.fail(s.pos, "nested too deeply")
	}
}

func (s *source) at(p string) bool { return p != "" && strings.HasPrefix(s.src[s.pos:], p) }

func (s *source) done() bool { return s.pos >= len(s.src) }

func (s *source) skipSpace() {
	for s.pos < len(s.src) && (s.src[s.pos] == ' ' || s.src[s.pos] == '\t' || s.src[s.pos] == '\f') {
		s.pos++
	}
}

func isIdentStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isIdentChar(c byte) bool { return isIdentStart(c) || c >= '0' && c <= '9' }

func (s *source) identAt(pos int) string {
	if pos >= len(s.src) || !isIdentStart(s.src[pos]) {
		return ""
	}
	e := pos + 1
	for e < len(s.src) && isIdentChar(s.src[e]) {
		e++
	}
	return s.src[pos:e]
}

// escaped tells whether a backslash stands before pos.
func (s *source) escaped(pos int) bool { return pos > 0 && s.src[pos-1] == '\\' }

func (s *source) atEnder() bool { return s.at(s.endTok) && !s.escaped(s.pos) }

// lexMode says where an expression ends.
type lexMode struct {
	enclosed bool            // ends where the brackets it begins with close
	open     string          // brackets already open, as "({["
	single   bool            // enclosed: ends at the first group's close
	breakAt  map[string]bool // ends before these tokens, outside brackets
	plain    bool            // a whole Python text: newlines are only space
}

var closers = map[byte]byte{')': '(', ']': '[', '}': '{'}
var openers = map[byte]byte{'(': ')', '[': ']', '{': '}'}

var operators3 = []string{"**=", "//=", ">>=", "<<=", "...", "!=", "<>", "**", "//", ">>", "<<", "<=", ">=", "==", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", ":=", "->"}

const maxTokens = 200_000

// lex reads the tokens of one expression from pos and leaves pos after it.
// It keeps Cheetah's rules for where an expression ends: at the end of the
// line or a closing # outside brackets, or as mode says.
func (s *source) lex(mode lexMode) []token {
	var toks []token
	type bracket struct {
		c   byte
		pos int
	}
	var open []bracket
	for i := 0; i < len(mode.open); i++ {
		open = append(open, bracket{mode.open[i], s.pos})
	}
	began := len(open) > 0
	add := func(kind int, text string, pos int, n node) {
		if len(toks) > maxTokens {
			s.fail(pos, "expression too long")
		}
		toks = append(toks, token{kind, text, pos, n})
	}
	for {
		if s.done() {
			if len(open) > 0 {
				b := open[len(open)-1]
				s.fail(b.pos, "the end was reached before a matching '"+string(openers[b.c])+"' for the '"+string(b.c)+"'")
			}
			break
		}
		if mode.enclosed && mode.single && began && len(open) == 0 {
			break
		}
		c := s.src[s.pos]
		if openers[c] != 0 {
			if len(open) > maxNesting {
				s.fail(s.pos, "nested too deeply")
			}
			open = append(open, bracket{c, s.pos})
			began = true
			add(tokOp, string(c), s.pos, nil)
			s.pos++
			continue
		}
		if mode.enclosed && len(open) == 0 {
			break
		}
		switch {
		case closers[c] != 0:
			if len(open) == 0 {
				s.fail(s.pos, "unmatched '"+string(c)+"'")
			}
			b := open[len(open)-1]
			if b.c != closers[c] {
				s.fail(s.pos, "a '"+string(c)+"' was found before a matching '"+string(openers[b.c])+"' for the '"+string(b.c)+"'")
			}
			open = open[:len(open)-1]
			add(tokOp, string(c), s.pos, nil)
			s.pos++
			continue
		case c == ' ' || c == '\t' || c == '\f':
			s.pos++
			continue
		case len(open) == 0 && !mode.plain && s.atEnder():
			return append(toks, token{kind: tokEnd, pos: s.pos})
		case c == '\\':
			n := eolLen(s.src[s.pos+1:])
			if n == 0 {
				s.fail(s.pos, "a line end is expected after '\\'")
			}
			s.pos += 1 + n
			continue
		case c == '\r' || c == '\n':
			if len(open) == 0 && !mode.plain {
				return append(toks, token{kind: tokEnd, pos: s.pos})
			}
			s.pos++
			continue
		case c == '#':
			for !s.done() && s.src[s.pos] != '\n' && s.src[s.pos] != '\r' {
				s.pos++
			}
			continue
		}
		start := s.pos
		if s.at(s.varTok) {
			p := s.pos + len(s.varTok)
			if p < len(s.src) && isIdentStart(s.src[p]) {
				s.pos = p
				n := s.cheetahVar()
				add(tokVar, s.src[start:s.pos], start, n)
				continue
			}
			if p < len(s.src) && strings.IndexByte("{([!*", s.src[p]) >= 0 {
				s.fail(start, "long placeholders such as ${x} are not valid inside an expression; write $x")
			}
			s.fail(start, "a '"+s.varTok+"' without a name in an expression")
		}
		if n, ok := s.lexString(); ok {
			add(tokString, s.src[start:s.pos], start, n)
			continue
		}
		if c >= '0' && c <= '9' || c == '.' && s.pos+1 < len(s.src) && s.src[s.pos+1] >= '0' && s.src[s.pos+1] <= '9' {
			s.lexNumber()
			add(tokNumber, s.src[start:s.pos], start, nil)
			continue
		}
		if isIdentStart(c) || c >= utf8.RuneSelf {
			for !s.done() {
				ch, n := utf8.DecodeRuneInString(s.src[s.pos:])
				if ch != '_' && !unicode.IsLetter(ch) && !unicode.IsDigit(ch) && !unicode.Is(unicode.Mn, ch) {
					break
				}
				s.pos += n
			}
			word := s.src[start:s.pos]
			if word == "" {
				s.fail(start, "invalid character in an expression")
			}
			if len(open) == 0 && mode.breakAt[word] {
				s.pos = start
				return append(toks, token{kind: tokEnd, pos: s.pos})
			}
			add(tokName, word, start, nil)
			continue
		}
		op := ""
		for _, o := range operators3 {
			if s.at(o) {
				op = o
				break
			}
		}
		if op == "" {
			if strings.IndexByte("+-*/%&|^~<>=.,:;@", c) < 0 {
				s.fail(s.pos, "invalid character '"+string(rune(c))+"' in an expression")
			}
			op = string(c)
		}
		if len(open) == 0 && mode.breakAt[op] {
			return append(toks, token{kind: tokEnd, pos: s.pos})
		}
		s.pos += len(op)
		add(tokOp, op, start, nil)
	}
	return append(toks, token{kind: tokEnd, pos: s.pos})
}

func eolLen(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return 2
	case s != "" && (s[0] == '\n' || s[0] == '\r'):
		return 1
	}
	return 0
}

func (s *source) lexNumber() {
	rest := s.src[s.pos:]
	i := 0
	if len(rest) > 1 && rest[0] == '0' && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		i = 2
		for i < len(rest) && (rest[i] == '_' || rest[i] >= '0' && rest[i] <= '9' || rest[i] >= 'a' && rest[i] <= 'f' || rest[i] >= 'A' && rest[i] <= 'F') {
			i++
		}
	} else {
		digits := func() {
			for i < len(rest) && (rest[i] >= '0' && rest[i] <= '9' || rest[i] == '_') {
				i++
			}
		}
		digits()
		if i < len(rest) && rest[i] == '.' {
			i++
			digits()
		}
		if i < len(rest) && (rest[i] == 'e' || rest[i] == 'E') {
			j := i + 1
			if j < len(rest) && (rest[j] == '+' || rest[j] == '-') {
				j++
			}
			if j < len(rest) && rest[j] >= '0' && rest[j] <= '9' {
				i = j
				digits()
			}
		}
	}
	if i < len(rest) && (rest[i] == 'L' || rest[i] == 'l') { // Python 2's long
		i++
	}
	if i < len(rest) && (isIdentChar(rest[i])) {
		// 1if x else y is Python; 1abc is not
		if w := s.identAt(s.pos + i); !keywordAfterNumber[w] {
			s.fail(s.pos, "invalid number")
		}
	}
	s.pos += i
}

var keywordAfterNumber = map[string]bool{"if": true, "else": true, "and": true, "or": true, "in": true, "is": true, "for": true, "not": true}

// lexString reads a string literal, if one begins here.
func (s *source) lexString() (node, bool) {
	start := s.pos
	p := start
	raw, bytes, format := false, false, false
	for n := 0; n < 3 && p < len(s.src); n++ {
		switch s.src[p] {
		case 'r', 'R':
			raw = true
		case 'b', 'B':
			bytes = true
		case 'f', 'F':
			format = true
		case 'u', 'U':
		default:
			n = 3
			continue
		}
		p++
	}
	if p >= len(s.src) || (s.src[p] != '\'' && s.src[p] != '"') {
		return nil, false
	}
	q := s.src[p : p+1]
	if strings.HasPrefix(s.src[p:], q+q+q) {
		q = q + q + q
	}
	p += len(q)
	body := p
	for {
		if p >= len(s.src) {
			s.fail(start, "unterminated string")
		}
		if s.src[p] == '\\' && p+1 < len(s.src) {
			p += 2
			continue
		}
		if len(q) == 1 && (s.src[p] == '\n' || s.src[p] == '\r') {
			s.fail(start, "unterminated string")
		}
		if strings.HasPrefix(s.src[p:], q) {
			break
		}
		p++
	}
	text := s.src[body:p]
	s.pos = p + len(q)
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	if format {
		return s.formatString(text, raw, start), true
	}
	if !raw {
		text = s.unescape(text, bytes, start)
	}
	if bytes {
		return &constNode{Bytes(text)}, true
	}
	return &constNode{text}, true
}

func (s *source) unescape(t string, bytes bool, pos int) string {
	if !strings.Contains(t, "\\") {
		return t
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 >= len(t) {
			b.WriteByte(t[i])
			continue
		}
		i++
		hex := func(n int) (rune, bool) {
			if i+n >= len(t) {
				return 0, false
			}
			var v rune
			for _, c := range t[i+1 : i+1+n] {
				d := strings.IndexRune("0123456789abcdef", unicode.ToLower(c))
				if d < 0 {
					return 0, false
				}
				v = v<<4 | rune(d)
			}
			i += n
			return v, true
		}
		switch c := t[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'a':
			b.WriteByte(7)
		case 'b':
			b.WriteByte(8)
		case 'f':
			b.WriteByte(12)
		case 'v':
			b.WriteByte(11)
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v := rune(0)
			j := i
			for ; j < len(t) && j < i+3 && t[j] >= '0' && t[j] <= '7'; j++ {
				v = v<<3 | rune(t[j]-'0')
			}
			i = j - 1
			if bytes {
				b.WriteByte(byte(v))
			} else {
				b.WriteRune(v)
			}
		case 'x':
			v, ok := hex(2)
			if !ok {
				s.fail(pos, `truncated \xXX escape`)
			}
			if bytes {
				b.WriteByte(byte(v))
			} else {
				b.WriteRune(v)
			}
		case 'u', 'U':
			if bytes {
				b.WriteByte('\\')
				b.WriteByte(c)
				continue
			}
			n := 4
			if c == 'U' {
				n = 8
			}
			v, ok := hex(n)
			if !ok || v < 0 || v > unicode.MaxRune {
				s.fail(pos, `bad \u escape`)
			}
			b.WriteRune(v)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// formatString parses the inside of an f-string.
func (s *source) formatString(t string, raw bool, pos int) node {
	s.deeper()
	defer func() { s.nest-- }()
	out := &joinNode{}
	lit := func(part string) {
		if part == "" {
			return
		}
		if !raw {
			part = s.unescape(part, false, pos)
		}
		out.parts = append(out.parts, &constNode{part})
	}
	start := 0
	for i := 0; i < len(t); {
		switch {
		case t[i] == '{' && i+1 < len(t) && t[i+1] == '{', t[i] == '}' && i+1 < len(t) && t[i+1] == '}':
			lit(t[start : i+1])
			i += 2
			start = i
		case t[i] == '}':
			s.fail(pos, "f-string: single '}' is not allowed")
		case t[i] == '{':
			lit(t[start:i])
			depth, j := 0, i+1
			var quoteCh byte
		scan:
			for ; j < len(t); j++ {
				c := t[j]
				switch {
				case quoteCh != 0:
					if c == quoteCh {
						quoteCh = 0
					}
				case c == '\'' || c == '"':
					quoteCh = c
				case openers[c] != 0:
					depth++
				case c == '}' && depth == 0:
					break scan
				case closers[c] != 0:
					depth--
				case depth == 0 && (c == ':' || c == '!' && !(j+1 < len(t) && t[j+1] == '=')):
					break scan
				}
			}
			if j >= len(t) {
				s.fail(pos, "f-string: expecting '}'")
			}
			text := t[i+1 : j]
			fv := &formatNode{}
			if trimmed := strings.TrimRight(text, " \t"); strings.HasSuffix(trimmed, "=") && !strings.HasSuffix(trimmed, "==") && !strings.HasSuffix(trimmed, "!=") && !strings.HasSuffix(trimmed, "<=") && !strings.HasSuffix(trimmed, ">=") {
				lit(text)
				text = strings.TrimSuffix(trimmed, "=")
				fv.conv = 'r'
			}
			sub := newSource(s.name, text)
			sub.baseLn = s.lineAt(pos) - 1
			sub.nest = s.nest
			fv.expr = sub.wholeExpr()
			if t[j] == '!' {
				if j+1 >= len(t) || strings.IndexByte("rsa", t[j+1]) < 0 {
					s.fail(pos, "f-string: invalid conversion character")
				}
				fv.conv = t[j+1]
				j += 2
			}
			if j < len(t) && t[j] == ':' {
				depth = 0
				k := j + 1
				for ; k < len(t); k++ {
					if t[k] == '{' {
						depth++
					} else if t[k] == '}' {
						if depth == 0 {
							break
						}
						depth--
					}
				}
				fv.spec = s.formatString(t[j+1:min(k, len(t))], raw, pos)
				j = k
			}
			if j >= len(t) || t[j] != '}' {
				s.fail(pos, "f-string: expecting '}'")
			}
			out.parts = append(out.parts, fv)
			i = j + 1
			start = i
		default:
			i++
		}
	}
	lit(t[start:])
	return out
}

// wholeExpr parses all of the source as one expression.
func (s *source) wholeExpr() node {
	toks := s.lex(lexMode{plain: true})
	p := &parser{s: s, toks: toks}
	n := p.exprList()
	p.end()
	return n
}

// cheetahVar reads what follows the $ of a placeholder: dotted names, and the
// calls and subscripts that stand directly behind them.
func (s *source) cheetahVar() node {
	s.deeper()
	defer func() { s.nest-- }()
	var n node
	links := 0
	for !s.done() {
		if s.src[s.pos] == '.' {
			if s.pos+1 >= len(s.src) || !isIdentStart(s.src[s.pos+1]) {
				break
			}
			s.pos++
		} else if !isIdentStart(s.src[s.pos]) {
			break
		}
		if links++; links > maxChain/4 {
			s.fail(s.pos, "name too long")
		}
		start := s.pos
		var names []string
		for {
			id := s.identAt(s.pos)
			names = append(names, id)
			s.pos += len(id)
			if s.pos+1 < len(s.src) && s.src[s.pos] == '.' && isIdentStart(s.src[s.pos+1]) {
				s.pos++
				continue
			}
			break
		}
		if len(names) > maxChain {
			s.fail(start, "name too long")
		}
		call := !s.done() && s.src[s.pos] == '('
		m := &varNode{names: names, call: call, base: n, full: strings.Join(names, ".")}
		n = m
		if call {
			toks := s.lex(lexMode{enclosed: true, single: true})
			p := &parser{s: s, toks: toks}
			n = p.postfix(n)
			p.end()
		} else if !s.done() && s.src[s.pos] == '[' {
			toks := s.lex(lexMode{enclosed: true})
			p := &parser{s: s, toks: toks}
			n = p.postfix(n)
			p.end()
		}
	}
	if n == nil {
		s.fail(s.pos, "a name is expected")
	}
	return n
}
