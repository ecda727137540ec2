package cheetah

import (
	"regexp"
	"strings"
)

// builder turns the text of a template into statements, by Cheetah's rules
// for what is a placeholder, a directive, a comment and plain text, and for
// which line ends and indents vanish with a directive.
type builder struct {
	*source
	tmpl   *Template
	open   []*openBlock
	block  *[]stmt
	pend   []string // text not yet a statement; its last line may still be cut
	inLoop int      // one-line loops being read
	inDef  int      // one-line #def being read
}

// openBlock is a directive that awaits its #end.
type openBlock struct {
	name  string
	pos   int
	outer *[]stmt
	st    stmt
}

func compileTemplate(name, src string) (t *Template, err error) {
	defer catchSyntax(&err)
	b := &builder{source: newSource(name, src), tmpl: &Template{name: name}}
	if len(src) > maxSource {
		b.fail(0, "template too long")
	}
	b.block = &b.tmpl.body
	b.parse()
	if n := len(b.open); n > 0 {
		b.fail(b.open[n-1].pos, "#"+b.open[n-1].name+" without its #end "+b.open[n-1].name)
	}
	b.commit()
	return b.tmpl, nil
}

func (b *builder) commit() {
	if len(b.pend) == 0 {
		return
	}
	if s := strings.Join(b.pend, ""); s != "" {
		*b.block = append(*b.block, &textStmt{s})
	}
	b.pend = nil
}

func (b *builder) add(s stmt) {
	b.commit()
	*b.block = append(*b.block, s)
}

// cutIndent removes what stands before a directive on its line.
func (b *builder) cutIndent() {
	if n := len(b.pend); n > 0 {
		t := b.pend[n-1]
		b.pend[n-1] = t[:strings.LastIndexAny(t, "\r\n")+1]
	}
}

func (b *builder) lineClear(pos int) bool {
	bol := strings.LastIndexAny(b.src[:pos], "\r\n") + 1
	return strings.TrimSpace(b.src[bol:pos]) == ""
}

func (b *builder) eol(pos int) int {
	if i := strings.IndexAny(b.src[pos:], "\r\n"); i >= 0 {
		return pos + i
	}
	return len(b.src)
}

// toEOL skips the rest of the line; with its end if gobble.
func (b *builder) toEOL(gobble bool) string {
	e := b.eol(b.pos)
	s := b.src[b.pos:e]
	b.pos = e
	if gobble {
		b.pos += eolLen(b.src[e:])
	}
	return s
}

func (b *builder) atEOL() bool { return !b.done() && (b.src[b.pos] == '\n' || b.src[b.pos] == '\r') }

var (
	varStart  = regexp.MustCompile(`^!?(?:\*[0-9.]+[smhdw]?\*|\*)?(?:[{(\[][ \t\f]*)?[A-Za-z_]`)
	exprStart = regexp.MustCompile(`^(?:\*[0-9.]+[smhdw]?\*|\*)?[{(\[][ \t\f]*[^)}\]]`)
	cacheTok  = regexp.MustCompile(`^(?:\*[0-9.]+[smhdw]?\*|\*)`)
)

func (b *builder) atPlaceholder() bool {
	if !b.at(b.varTok) || b.escaped(b.pos) {
		return false
	}
	rest := b.src[b.pos+len(b.varTok):]
	if rest != "" && isIdentStart(rest[0]) {
		return true
	}
	if rest == "" || strings.IndexByte("!*{([", rest[0]) < 0 {
		return false
	}
	return varStart.MatchString(rest) || exprStart.MatchString(rest)
}

var directiveNames = map[string]bool{}

func init() {
	for _, n := range strings.Fields(`import from extends implements super slurp raw include cache filter echo silent transform call arg
		capture attr def block defmacro closure set del if while for else elif pass break continue stop return yield repeat unless
		assert raise try except finally errorCatcher breakpoint compiler compiler-settings shBang encoding end i18n`) {
		directiveNames[n] = true
	}
}

// directive names the directive that begins here, or "".
func (b *builder) directive() string {
	if !b.at(b.dirTok) || b.escaped(b.pos) {
		return ""
	}
	p := b.pos + len(b.dirTok)
	e := p
	for e < len(b.src) && (isIdentChar(b.src[e]) || b.src[e] == '-' || b.src[e] == '@') {
		e++
	}
	name := b.src[p:e]
	if strings.HasPrefix(name, "@") && len(name) > 1 && isIdentStart(name[1]) {
		return "@"
	}
	if directiveNames[name] {
		return name
	}
	return ""
}

func (b *builder) atComment() bool { return b.at(b.comment) && !b.escaped(b.pos) }
func (b *builder) atMulti() bool   { return b.at(b.mlOpen) && !b.escaped(b.pos) }

func (b *builder) atSlurp() bool {
	if !b.at(b.slurp) {
		return false
	}
	rest := strings.TrimLeft(b.src[b.pos+len(b.slurp):], " \t\f")
	return eolLen(rest) > 0
}

func (b *builder) atPSP() bool { return b.at("<%") && !b.escaped(b.pos) }

// parse reads up to the end of the source.
func (b *builder) parse() {
	b.deeper()
	defer func() { b.nest-- }()
	special := "<" + b.varTok[:1] + b.dirTok[:1] + first(b.comment) + first(b.mlOpen) + first(b.slurp)
	start := b.pos
	flush := func() {
		if start < b.pos {
			t := b.src[start:b.pos]
			if strings.Contains(t, "\\") {
				t = strings.ReplaceAll(t, "\\"+b.varTok, b.varTok)
				t = strings.ReplaceAll(t, "\\"+b.dirTok, b.dirTok)
			}
			b.pend = append(b.pend, t)
		}
	}
	for !b.done() {
		i := strings.IndexAny(b.src[b.pos:], special)
		if i < 0 {
			b.pos = len(b.src)
			break
		}
		b.pos += i
		var eat func()
		switch {
		case b.atComment():
			eat = b.eatComment
		case b.atMulti():
			eat = b.eatMulti
		case b.atPlaceholder():
			eat = b.eatPlaceholder
		case b.directive() != "":
			eat = b.eatDirective
		case b.atPSP():
			eat = b.eatPSP
		case b.atSlurp():
			eat = b.eatSlurp
		default:
			b.pos++
			continue
		}
		flush()
		tok := b.varTok + b.dirTok
		eat()
		start = b.pos
		if b.varTok+b.dirTok != tok { // #compiler-settings
			special = "<" + b.varTok[:1] + b.dirTok[:1] + first(b.comment) + first(b.mlOpen) + first(b.slurp)
		}
	}
	flush()
}

func first(s string) string {
	if s == "" {
		return ""
	}
	return s[:1]
}

func (b *builder) eatComment() {
	clear := b.lineClear(b.pos)
	if clear {
		b.cutIndent()
	}
	b.toEOL(clear)
	b.commit()
}

func (b *builder) eatMulti() {
	clear := b.lineClear(b.pos)
	eol := b.eol(b.pos)
	b.pos += len(b.mlOpen)
	for level := 1; !b.done(); {
		switch {
		case b.atMulti():
			b.pos += len(b.mlOpen)
			level++
			continue
		case b.at(b.mlShut) && !b.escaped(b.pos):
			b.pos += len(b.mlShut)
			level--
		default:
			b.pos++
		}
		if level == 0 {
			break
		}
	}
	if !b.done() {
		if strings.TrimSpace(b.src[b.pos:b.eol(b.pos)]) == "" {
			b.toEOL(clear)
		}
		if clear && (b.done() || b.pos > eol) {
			b.cutIndent()
		}
	}
	b.commit()
}

func (b *builder) eatSlurp() {
	if b.lineClear(b.pos) {
		b.cutIndent()
	}
	b.commit()
	b.toEOL(true)
}

// eatPSP reads <%= expression %>, and <% %> around plain statements: imports,
// assignments and calls, one to a line.
func (b *builder) eatPSP() {
	at := b.pos
	end := strings.Index(b.src[at+2:], "%>") + 2
	if end < 2 {
		b.fail(at, "<% without its %>; write \\<% for the text")
	}
	code := b.src[at+2 : at+end]
	line := b.lineAt(at)
	b.pos += end + 2
	sub := func(text string, ln int) *source {
		s := newSource(b.name, text)
		s.baseLn = ln - 1
		return s
	}
	if strings.HasPrefix(code, "=") {
		b.add(&outStmt{line: line, expr: sub(code[1:], line).wholeExpr()})
		return
	}
	b.commit()
	for i, text := range strings.Split(code, "\n") {
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		t := tag{pos: at, line: line + i}
		s := sub(text, t.line)
		toks := s.lex(lexMode{plain: true})
		p := &parser{s: s, toks: toks}
		switch w := toks[0]; {
		case w.kind == tokName && (w.text == "import" || w.text == "from"):
			p.i++
			b.add(b.importTag(p, w.text, t))
		case w.kind == tokName && reserved[w.text] && w.text != "not" && w.text != "lambda":
			b.fail(at, "<% %> may hold imports, assignments and calls, not '"+w.text+"'; use the # directives")
		default:
			b.add(b.simple(p, t))
		}
	}
}

func (b *builder) eatPlaceholder() {
	line := b.lineAt(b.pos)
	st := &outStmt{line: line}
	b.pos += len(b.varTok)
	if b.at("!") {
		st.silent = true
		b.pos++
	}
	if m := cacheTok.FindString(b.src[b.pos:]); m != "" {
		b.pos += len(m)
	}
	if isIdentStart(b.src[b.pos]) {
		st.expr = b.cheetahVar()
		b.add(st)
		return
	}
	start := b.pos
	open := b.src[b.pos]
	b.pos++
	b.skipSpace()
	var toks []token
	if !b.done() && isIdentStart(b.src[b.pos]) {
		at := b.pos
		n := b.cheetahVar()
		toks = append(toks, token{kind: tokVar, text: b.src[at:b.pos], pos: at, node: n})
		b.skipSpace()
		if !b.done() && b.src[b.pos] == openers[open] {
			b.pos++
			st.expr = n
			b.add(st)
			return
		}
		if b.at(",") { // arguments of a filter, which the default one ignores
			b.lex(lexMode{enclosed: true, single: true, open: string(open)})
			st.expr = n
			b.add(st)
			return
		}
	}
	rest := b.lex(lexMode{enclosed: true, single: true, open: string(open)})
	toks = append(toks, rest...)
	// the closing bracket becomes the end of the expression
	toks = append(toks[:len(toks)-2], token{kind: tokEnd, pos: b.pos})
	if len(toks) == 1 {
		b.fail(start, "an empty placeholder")
	}
	p := &parser{s: b.source, toks: toks}
	st.expr = p.exprList()
	p.end()
	b.add(st)
}

// tag remembers where a directive began, for the rules of white space.
type tag struct {
	pos   int
	line  int
	clear bool
	eol   int
}

// tagEnd finishes a directive: a comment behind it, its closing #, or the end
// of its line, which vanishes if nothing else stood on it.
func (b *builder) tagEnd(t tag) {
	found := false
	if b.atComment() {
		at := b.pos
		b.pos++
		if b.directive() == "" {
			b.pos = at
			found = true
			b.eatCommentText()
		} else {
			b.pos = at
		}
	}
	if !found && b.atEnder() {
		b.pos += len(b.endTok)
	} else if t.clear && b.atEOL() {
		b.toEOL(true)
	}
	if t.clear && (b.done() || b.pos > t.eol) {
		b.cutIndent()
	}
}

// eatCommentText skips a comment behind a directive, without committing the
// text before the directive, whose indent is still to be cut.
func (b *builder) eatCommentText() { b.toEOL(false) }

// shortForm tells whether «: text» follows on the same line.
func (b *builder) shortForm() bool {
	if !b.at(":") {
		return false
	}
	rest := strings.TrimSpace(b.src[b.pos+1 : b.eol(b.pos)])
	return rest != "" && !strings.HasPrefix(rest, b.comment)
}

// oneSpace skips at most one blank.
func (b *builder) oneSpace() {
	if !b.done() && (b.src[b.pos] == ' ' || b.src[b.pos] == '\t' || b.src[b.pos] == '\f') {
		b.pos++
	}
}

// parseTo parses up to pos as a block of its own.
func (b *builder) parseTo(pos int, into *[]stmt) {
	b.commit()
	full, outer, open := b.src, b.block, b.open
	b.src = full[:pos]
	b.block = into
	b.open = nil
	b.parse()
	if n := len(b.open); n > 0 {
		b.fail(b.open[n-1].pos, "#"+b.open[n-1].name+" without its #end "+b.open[n-1].name)
	}
	b.commit()
	b.src, b.block, b.open = full, outer, open
}

func (b *builder) push(name string, t tag, st stmt, body *[]stmt) {
	b.commit()
	if len(b.open) >= maxNesting {
		b.fail(t.pos, "nested too deeply")
	}
	b.open = append(b.open, &openBlock{name: name, pos: t.pos, outer: b.block, st: st})
	*b.block = append(*b.block, st)
	b.block = body
}

var colonStop = map[string]bool{":": true}
var assignStop = map[string]bool{"=": true, "+=": true, "-=": true, "*=": true, "/=": true, "//=": true, "%=": true, "**=": true,
	"&=": true, "|=": true, "^=": true, ">>=": true, "<<=": true}

func (b *builder) parser(toks []token) *parser { return &parser{s: b.source, toks: toks} }

func (b *builder) whole(toks []token) node {
	p := b.parser(toks)
	n := p.exprList()
	p.end()
	return n
}

func (b *builder) eatDirective() {
	name := b.directive()
	t := tag{pos: b.pos, line: b.lineAt(b.pos), clear: b.lineClear(b.pos), eol: b.eol(b.pos)}
	b.pos += len(b.dirTok) + len(name)
	switch name {
	case "if", "unless", "for", "while", "repeat", "try":
		b.eatBlock(name, t)
	case "else", "elif", "except", "finally":
		b.eatBranch(name, t)
	case "end":
		b.eatEnd(t)
	case "set":
		b.eatSet(t)
	case "silent", "echo":
		b.skipSpace()
		toks := b.lex(lexMode{})
		b.tagEnd(t)
		if name == "echo" {
			b.add(&outStmt{line: t.line, expr: b.whole(toks)})
		} else {
			b.add(b.simple(b.parser(toks), t))
		}
	case "del":
		p := b.parser(b.lex(lexMode{}))
		st := &delStmt{line: t.line}
		for {
			st.targets = append(st.targets, p.toTarget(p.binary(0)))
			if !p.takeOp(",") {
				break
			}
		}
		p.end()
		b.tagEnd(t)
		b.add(st)
	case "pass", "break", "continue", "stop":
		b.lexRest()
		b.tagEnd(t)
		if name == "break" || name == "continue" {
			b.needLoop(name, t)
		}
		if c := map[string]ctl{"break": ctlBreak, "continue": ctlContinue, "stop": ctlStop}[name]; c != ctlNone {
			b.add(&ctlStmt{c})
		}
	case "return":
		toks := b.lex(lexMode{})
		st := &returnStmt{line: t.line}
		if len(toks) > 1 {
			st.expr = b.whole(toks)
		}
		b.tagEnd(t)
		b.add(st)
	case "assert":
		p := b.parser(b.lex(lexMode{}))
		st := &assertStmt{line: t.line, cond: p.test()}
		if p.takeOp(",") {
			st.msg = p.test()
		}
		p.end()
		b.tagEnd(t)
		b.add(st)
	case "raise":
		p := b.parser(b.lex(lexMode{}))
		st := &raiseStmt{line: t.line}
		if p.cur().kind != tokEnd {
			st.expr = p.test()
			if p.takeOp(",") { // Python 2: raise X, "message"
				st.expr = &callNode{fn: st.expr, args: []argNode{{val: p.test()}}}
			}
			if p.takeWord("from") {
				p.test()
			}
		}
		p.end()
		b.tagEnd(t)
		b.add(st)
	case "import", "from":
		st := b.importTag(b.parser(b.lex(lexMode{})), name, t)
		b.tagEnd(t)
		b.tmpl.imports = append(b.tmpl.imports, st)
		b.commit()
	case "attr":
		b.skipSpace()
		target, expr, op := b.assignment()
		nt, ok := target.(*nameTarget)
		if !ok || op != "=" {
			b.fail(t.pos, "#attr needs a plain name and =")
		}
		b.tagEnd(t)
		b.tmpl.attrs = append(b.tmpl.attrs, &setStmt{line: t.line, target: &globalTarget{nt.name}, expr: expr})
		b.commit()
	case "def", "block", "closure":
		b.eatDef(name, t)
	case "raw":
		b.eatRaw(t)
	case "slurp":
		b.pos = t.pos
		b.eatSlurp()
	case "compiler-settings", "compiler":
		b.eatSettings(name, t)
	case "capture":
		b.eatCapture(t)
	case "call":
		b.eatCall(t)
	case "cache":
		b.lexRest()
		b.tagEnd(t)
		st := &groupStmt{}
		b.push("cache", t, st, &st.body)
	case "filter":
		b.skipSpace()
		if f := b.identAt(b.pos); f != "None" && f != "Filter" && f != "EncodeUnicode" && f != "RawOrEncodedUnicode" {
			b.fail(t.pos, "#filter "+f+" is not supported")
		}
		b.lexRest()
		b.tagEnd(t)
		st := &groupStmt{}
		b.push("filter", t, st, &st.body)
	case "encoding", "shBang", "implements", "breakpoint":
		b.toEOL(t.clear)
		if t.clear {
			b.cutIndent()
		}
	default:
		b.fail(t.pos, "the #"+name+" directive is not supported")
	}
}

// lexRest skips what is left of a directive.
func (b *builder) lexRest() {
	for !b.done() && !b.atEOL() && !b.atEnder() {
		b.pos++
	}
}

func (b *builder) needLoop(name string, t tag) {
	for i := len(b.open) - 1; i >= 0; i-- {
		switch b.open[i].name {
		case "for", "while", "repeat":
			return
		case "def", "block", "closure":
			i = 0
		}
	}
	if b.inLoop > 0 {
		return
	}
	b.fail(t.pos, "#"+name+" outside a loop")
}

// simple is the statement of #silent: an expression or an assignment.
func (b *builder) simple(p *parser, t tag) stmt {
	n := p.exprList()
	if p.cur().kind == tokOp && assignStop[p.cur().text] {
		st := &setStmt{line: t.line, target: p.toTarget(n), op: p.cur().text}
		p.i++
		st.expr = p.exprList()
		p.end()
		return st
	}
	p.end()
	return &exprStmt{t.line, n}
}

func (b *builder) eatBlock(name string, t tag) {
	b.skipSpace()
	toks := b.lex(lexMode{breakAt: colonStop})
	var st stmt
	var body *[]stmt
	switch name {
	case "if":
		if n := b.ternary(toks, t); n != nil {
			b.tagEnd(t)
			b.add(&outStmt{line: t.line, expr: n})
			return
		}
		s := &ifStmt{line: t.line, cond: b.whole(toks)}
		st, body = s, &s.body
	case "unless":
		s := &ifStmt{line: t.line, cond: &notNode{b.whole(toks)}}
		st, body = s, &s.body
	case "while":
		s := &whileStmt{line: t.line, cond: b.whole(toks)}
		st, body = s, &s.body
	case "repeat":
		s := &forStmt{line: t.line, target: &nameTarget{" repeat"}, iter: &callNode{fn: &constNode{builtins["range"]}, args: []argNode{{val: b.whole(toks)}}}}
		st, body = s, &s.body
	case "for":
		p := b.parser(toks)
		s := &forStmt{line: t.line, target: p.targetList()}
		if !p.takeWord("in") {
			p.fail("invalid syntax: 'in' is expected" + p.found())
		}
		s.iter = p.exprList()
		p.end()
		st, body = s, &s.body
	case "try":
		if len(toks) > 1 {
			b.fail(t.pos, "invalid syntax after #try")
		}
		s := &tryStmt{}
		st, body = s, &s.body
	}
	if b.shortForm() {
		b.pos++
		b.oneSpace()
		b.add(st)
		e := b.eol(b.pos)
		loop := name == "for" || name == "while" || name == "repeat"
		if loop {
			b.inLoop++
		}
		b.parseTo(e+eolLen(b.src[e:]), body)
		if loop {
			b.inLoop--
		}
		return
	}
	if b.at(":") {
		b.pos++
	}
	b.skipSpace()
	b.tagEnd(t)
	b.push(name, t, st, body)
}

// ternary reads «#if x then a else b», which prints a or b.
func (b *builder) ternary(toks []token, t tag) node {
	then, els, depth := -1, -1, 0
	for i, k := range toks {
		switch {
		case k.kind == tokOp && len(k.text) == 1 && openers[k.text[0]] != 0:
			depth++
		case k.kind == tokOp && len(k.text) == 1 && closers[k.text[0]] != 0:
			depth--
		case depth == 0 && k.kind == tokName && k.text == "then" && then < 0:
			then = i
		case depth == 0 && k.kind == tokName && k.text == "else":
			els = i
		}
	}
	if then < 0 || els < then {
		return nil
	}
	part := func(a, z int) node {
		return b.whole(append(append([]token(nil), toks[a:z]...), token{kind: tokEnd, pos: toks[z].pos}))
	}
	return &condNode{part(0, then), part(then+1, els), part(els+1, len(toks)-1)}
}

func (b *builder) eatBranch(name string, t tag) {
	b.skipSpace()
	toks := b.lex(lexMode{breakAt: colonStop})
	short := b.shortForm()
	var owner stmt
	if short {
		// a one-line branch continues the one-line block just before it
		b.commit()
		if n := len(*b.block); n > 0 {
			owner = (*b.block)[n-1]
		}
		if _, isText := owner.(*textStmt); owner == nil || isText {
			b.fail(t.pos, "#"+name+" without the directive it belongs to; a one-line #"+name+": must follow a one-line block")
		}
	} else {
		if len(b.open) == 0 {
			b.fail(t.pos, "#"+name+" without the directive it belongs to")
		}
		owner = b.open[len(b.open)-1].st
	}
	if name == "else" && toks[0].kind == tokName && toks[0].text == "if" {
		name = "elif"
		toks = toks[1:]
	}
	var body *[]stmt
	bad := func() { b.fail(t.pos, "#"+name+" cannot stand here") }
	switch s := owner.(type) {
	case *ifStmt:
		last := s
		for last.elif != nil {
			last = last.elif
		}
		if last.hasElse {
			bad()
		}
		switch name {
		case "elif":
			last.elif = &ifStmt{line: t.line, cond: b.whole(toks)}
			body = &last.elif.body
		case "else":
			last.hasElse = true
			body = &last.els
		default:
			bad()
		}
	case *forStmt:
		if name != "else" {
			bad()
		}
		body = &s.els
	case *whileStmt:
		if name != "else" {
			bad()
		}
		body = &s.els
	case *tryStmt:
		if s.hasFinally {
			bad()
		}
		switch name {
		case "except":
			h := &handler{line: t.line}
			if len(toks) > 1 {
				p := b.parser(toks)
				h.typ = p.test()
				if p.takeWord("as") || p.takeOp(",") {
					h.name = p.toTarget(p.binary(0))
				}
				p.end()
			}
			s.handlers = append(s.handlers, h)
			body = &h.body
		case "else":
			body = &s.els
		case "finally":
			s.hasFinally = true
			body = &s.final
		default:
			bad()
		}
	default:
		bad()
	}
	if (name == "else" || name == "finally") && len(toks) > 1 {
		b.fail(toks[0].pos, "invalid syntax after #"+name)
	}
	if short {
		b.pos++
		b.oneSpace()
		e := b.eol(b.pos)
		b.parseTo(e+eolLen(b.src[e:]), body)
		return
	}
	if b.at(":") {
		b.pos++
	}
	b.skipSpace()
	b.tagEnd(t)
	b.commit()
	b.block = body
}

var endNames = strings.Fields("def block closure cache call capture filter errorCatcher while for if try repeat unless")

func (b *builder) eatEnd(t tag) {
	b.skipSpace()
	name := ""
	for _, n := range endNames {
		if b.at(n) {
			name = n
			break
		}
	}
	if name == "" {
		b.fail(t.pos, "#end without the name of a directive")
	}
	t.eol = b.eol(b.pos)
	b.pos += len(name)
	b.lexRest()
	b.tagEnd(t)
	if len(b.open) == 0 {
		b.fail(t.pos, "#end "+name+" found, but there is nothing to end")
	}
	top := b.open[len(b.open)-1]
	if top.name != name {
		b.fail(t.pos, "#end "+name+" found, #end "+top.name+" expected")
	}
	b.commit()
	if s, ok := top.st.(*tryStmt); ok && len(s.handlers) == 0 && !s.hasFinally {
		b.fail(t.pos, "#try without #except or #finally")
	}
	b.open = b.open[:len(b.open)-1]
	b.block = top.outer
}

func (b *builder) assignment() (target, node, string) {
	toks := b.lex(lexMode{breakAt: assignStop})
	p := b.parser(toks)
	n := p.exprList()
	p.end()
	op := ""
	for o := range assignStop {
		if b.at(o) && len(o) > len(op) {
			op = o
		}
	}
	if op == "" {
		b.fail(b.pos, "an assignment operator is expected")
	}
	b.pos += len(op)
	tgt := p.toTarget(n)
	p = b.parser(b.lex(lexMode{}))
	expr := p.exprList()
	// a = b = c
	for p.isOp("=") {
		p.i++
		tgt = &bothTarget{tgt, p.toTarget(expr)}
		expr = p.exprList()
	}
	p.end()
	return tgt, expr, op
}

func (b *builder) eatSet(t tag) {
	b.skipSpace()
	global := false
	switch w := b.identAt(b.pos); w {
	case "local", "global", "module":
		rest := strings.TrimLeft(b.src[b.pos+len(w):], " \t\f")
		if rest != "" && (isIdentStart(rest[0]) || strings.HasPrefix(rest, b.varTok)) {
			b.pos += len(w)
			b.skipSpace()
			global = w != "local"
		}
	}
	tgt, expr, op := b.assignment()
	if global {
		tgt = globalize(tgt)
	}
	b.tagEnd(t)
	b.add(&setStmt{line: t.line, target: tgt, op: op, expr: expr})
}

func globalize(t target) target {
	var root func(n node) node
	root = func(n node) node {
		switch x := n.(type) {
		case *nameNode:
			return &globalTarget{x.name}
		case *attrNode:
			return &attrNode{root(x.obj), x.name}
		case *indexNode:
			return &indexNode{root(x.obj), x.key}
		case *varNode:
			if x.base == nil && len(x.names) == 1 {
				return &globalTarget{x.names[0]}
			}
		}
		return n
	}
	switch x := t.(type) {
	case *nameTarget:
		return &globalTarget{x.name}
	case *indexTarget:
		return &indexTarget{root(x.obj), x.key}
	case *attrTarget:
		return &attrTarget{root(x.obj), x.name}
	}
	return t
}

func (b *builder) importTag(p *parser, name string, t tag) stmt {
	dotted := func() string {
		var s []string
		for {
			k := p.cur()
			if k.kind == tokVar {
				s = append(s, strings.TrimPrefix(k.text, b.varTok))
			} else if k.kind == tokName {
				s = append(s, k.text)
			} else {
				p.fail("invalid syntax in #" + name)
			}
			p.i++
			if !p.takeOp(".") {
				return strings.Join(s, ".")
			}
		}
	}
	st := &importStmt{line: t.line}
	as := func() string {
		if p.takeWord("as") {
			return dotted()
		}
		return ""
	}
	if name == "from" {
		mod := dotted()
		if !p.takeWord("import") {
			p.fail("invalid syntax: 'import' is expected" + p.found())
		}
		paren := p.takeOp("(")
		for {
			if p.takeOp("*") {
				st.items = append(st.items, importItem{mod: mod, attr: "*"})
			} else {
				a := dotted()
				st.items = append(st.items, importItem{mod: mod, attr: a, as: as()})
			}
			if !p.takeOp(",") {
				break
			}
		}
		if paren {
			p.needOp(")")
		}
	} else {
		for {
			m := dotted()
			st.items = append(st.items, importItem{mod: m, as: as()})
			if !p.takeOp(",") {
				break
			}
		}
	}
	p.end()
	return st
}

func (b *builder) eatDef(kind string, t tag) {
	b.skipSpace()
	if b.at(b.varTok) {
		b.pos += len(b.varTok)
	}
	d := &defStmt{line: t.line, name: b.identAt(b.pos)}
	if d.name == "" {
		b.fail(t.pos, "#"+kind+" without a name")
	}
	b.pos += len(d.name)
	b.skipSpace()
	if b.at("(") {
		toks := b.lex(lexMode{enclosed: true, single: true})
		p := b.parser(toks[1:])
		d.params = p.params(")")
		p.needOp(")")
		p.end()
		if len(d.params) > 0 && d.params[0].name == "self" {
			d.params = d.params[1:]
		}
	}
	nested := kind == "closure"
	for _, o := range b.open {
		if o.name == "def" {
			nested = true
		}
	}
	if b.inDef > 0 {
		nested = true
	}
	place := func() {
		b.commit()
		if !nested {
			b.tmpl.defs = append(b.tmpl.defs, d)
		} else {
			d.nested = true
			*b.block = append(*b.block, d)
		}
		if kind == "block" {
			*b.block = append(*b.block, &outStmt{line: t.line, expr: &varNode{names: []string{d.name}, full: d.name}})
		}
	}
	if b.shortForm() {
		b.pos++
		b.oneSpace()
		place()
		b.inDef++
		b.parseTo(t.eol, &d.body)
		b.inDef--
		b.tagEnd(t)
		return
	}
	if b.at(":") {
		b.pos++
	}
	b.lexRest()
	t.eol = b.eol(b.pos)
	b.tagEnd(t)
	place()
	b.open = append(b.open, &openBlock{name: kind, pos: t.pos, outer: b.block, st: d})
	if len(b.open) > maxNesting {
		b.fail(t.pos, "nested too deeply")
	}
	b.block = &d.body
}

// rawTo reads up to «#end name» and past it.
func (b *builder) rawTo(name string, from tag) string {
	start := b.pos
	for ; !b.done(); b.pos++ {
		if b.src[b.pos] != b.dirTok[0] || b.directive() != "end" {
			continue
		}
		at := b.pos
		b.pos += len(b.dirTok) + 3
		b.skipSpace()
		if !b.at(name) {
			b.pos = at
			continue
		}
		clear := b.lineClear(at)
		end := at
		if clear {
			end = strings.LastIndexAny(b.src[:at], "\r\n") + 1
		}
		b.pos += len(name)
		b.skipSpace()
		if b.atEnder() {
			b.pos += len(b.endTok)
		} else if clear && b.atEOL() {
			b.toEOL(true)
		}
		return b.src[start:max(start, end)]
	}
	b.fail(from.pos, "#"+name+" without its #end "+name)
	return ""
}

func (b *builder) eatRaw(t tag) {
	b.skipSpace()
	if b.shortForm() {
		b.pos++
		b.oneSpace()
		b.pend = append(b.pend, b.toEOL(false))
		return
	}
	if b.at(":") {
		b.pos++
	}
	b.skipSpace()
	b.tagEnd(t)
	b.pend = append(b.pend, b.rawTo("raw", t))
}

func (b *builder) eatSettings(name string, t tag) {
	var lines []string
	if name == "compiler" {
		b.skipSpace()
		lines = []string{b.toEOL(t.clear)}
		if t.clear {
			b.cutIndent()
		}
	} else {
		reset := strings.TrimSpace(b.toEOL(false)) == "reset"
		b.tagEnd(t)
		if reset {
			b.resetTokens()
			return
		}
		lines = strings.Split(b.rawTo("compiler-settings", t), "\n")
	}
	b.commit()
	for _, l := range lines {
		key, val, ok := strings.Cut(l, "=")
		key, val = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(val), `"'`)
		if !ok {
			if key == "reset" {
				b.resetTokens()
			}
			continue
		}
		if tok := map[string]*string{"cheetahVarStartToken": &b.varTok, "directiveStartToken": &b.dirTok, "directiveEndToken": &b.endTok,
			"commentStartToken": &b.comment, "multiLineCommentStartToken": &b.mlOpen, "multiLineCommentEndToken": &b.mlShut,
			"EOLSlurpToken": &b.slurp}[key]; tok != nil {
			if val == "" && key != "EOLSlurpToken" {
				b.fail(t.pos, "the compiler setting "+key+" needs a value")
			}
			*tok = val
		}
	}
}

func (b *builder) resetTokens() {
	f := newSource("", "")
	b.varTok, b.dirTok, b.endTok, b.comment, b.mlOpen, b.mlShut, b.slurp = f.varTok, f.dirTok, f.endTok, f.comment, f.mlOpen, f.mlShut, f.slurp
}

func (b *builder) eatCapture(t tag) {
	b.skipSpace()
	p := b.parser(b.lex(lexMode{breakAt: colonStop}))
	st := &captureStmt{line: t.line, target: p.toTarget(p.binary(0))}
	p.end()
	b.bodyOf("capture", t, st, &st.body)
}

func (b *builder) eatCall(t tag) {
	b.skipSpace()
	if b.at(b.varTok) {
		b.pos += len(b.varTok)
	}
	st := &callStmt{line: t.line, fn: b.cheetahVar()}
	if v, ok := st.fn.(*varNode); ok {
		v.call = true
	}
	b.skipSpace()
	toks := b.lex(lexMode{breakAt: colonStop})
	if len(toks) > 1 {
		p := b.parser(append(append([]token(nil), toks[:len(toks)-1]...), token{kind: tokOp, text: ")", pos: b.pos}, token{kind: tokEnd, pos: b.pos}))
		p.args(&st.args)
		p.end()
	}
	b.bodyOf("call", t, st, &st.body)
}

func (b *builder) bodyOf(name string, t tag, st stmt, body *[]stmt) {
	if b.shortForm() {
		b.pos++
		b.oneSpace()
		b.add(st)
		b.parseTo(b.eol(b.pos), body)
		return
	}
	if b.at(":") {
		b.pos++
	}
	b.skipSpace()
	b.tagEnd(t)
	b.push(name, t, st, body)
}
