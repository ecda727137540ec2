package destination

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"orrery/internal/cheetah"
)

// pyBlock is a compiled block of Python: statements, and the value of the last if that is an expression.
type pyBlock struct {
	at    place
	steps []pyStep
	last  *pyExpr // nil: the block has no value
}

// place is where a block stands, for messages.
type place struct {
	file string
	line int // of the block's first line
	what string
}

func (p place) problem(line int, format string, args ...any) *Problem {
	e := pyErrorf(0, format, args...)
	return &Problem{File: p.file, Line: p.line + max(line, 1) - 1, Message: p.what + ": " + e.message}
}

// pyExpr is an expression and its line.
type pyExpr struct {
	line int
	expr *cheetah.Expr
}

type pyStep interface {
	run(f *pyFrame) (pyFlow, error)
}

// pyModules tells what can be imported: a module's value, or one name of it.
type pyModules interface {
	module(name string) (cheetah.Value, bool)
}

// pyCompiler compiles one block.
type pyCompiler struct {
	modules pyModules
	lines   []pyLine
	i       int
	depth   int
	loops   int
	defs    int
}

// compilePython compiles a block. With value set its last statement has to be an expression, whose value is the
// block's; so it is with TPV's properties.
func compilePython(at place, source string, value bool, modules pyModules) (*pyBlock, error) {
	lines, err := pySplit(source)
	c := &pyCompiler{modules: modules, lines: lines}
	var b *pyBlock
	if err == nil {
		b, err = c.block(value)
	}
	if err != nil {
		line := 1
		var e *pyError
		if errors.As(err, &e) {
			line = e.line
		}
		return nil, at.problem(line, "%v", err)
	}
	b.at = at
	return b, nil
}

func (c *pyCompiler) block(value bool) (*pyBlock, error) {
	b := &pyBlock{}
	if len(c.lines) == 0 {
		if value {
			return nil, pyErrorf(1, "an expression is expected here, and there is none")
		}
		return b, nil
	}
	if value {
		last := c.lines[len(c.lines)-1]
		if last.indent != c.lines[0].indent || pyIsStatement(last.text) {
			return nil, pyErrorf(last.line, "the last line has to be an expression, which is the value of the whole")
		}
		expr, err := c.expr(last.line, last.text)
		if err != nil {
			return nil, err
		}
		b.last = expr
		c.lines = c.lines[:len(c.lines)-1]
		if len(c.lines) == 0 {
			return b, nil
		}
	}
	steps, err := c.suite(c.lines[0].indent)
	if err != nil {
		return nil, err
	}
	if c.i < len(c.lines) {
		return nil, pyErrorf(c.lines[c.i].line, "this line is indented less than the block's first")
	}
	b.steps = steps
	return b, nil
}

var pyStatements = map[string]bool{"if": true, "for": true, "while": true, "try": true, "def": true, "class": true, "with": true, "raise": true,
	"import": true, "from": true, "pass": true, "break": true, "continue": true, "return": true, "del": true, "assert": true, "global": true,
	"nonlocal": true, "async": true, "else": true, "elif": true, "except": true, "finally": true}

func pyIsStatement(text string) bool {
	word, _ := pyWord(text)
	if pyStatements[word] {
		return true
	}
	at, _ := pyAssign(text)
	return at >= 0
}

// expr compiles an expression. Line ends in brackets are as good as spaces.
func (c *pyCompiler) expr(line int, text string) (*pyExpr, error) {
	if strings.TrimSpace(text) == "" {
		return nil, pyErrorf(line, "an expression is missing here")
	}
	e, err := cheetah.CompileExpr(text)
	if err != nil {
		var s *cheetah.SyntaxError
		if errors.As(err, &s) {
			return nil, pyErrorf(line+max(s.Line, 1)-1, "“%s” cannot be done: %s", clip(strings.Join(strings.Fields(text), " "), 80), s.Msg)
		}
		return nil, pyErrorf(line, "%v", err)
	}
	return &pyExpr{line, e}, nil
}

// suite compiles the statements of one indentation.
func (c *pyCompiler) suite(indent int) ([]pyStep, error) {
	if c.depth++; c.depth > 50 {
		return nil, pyErrorf(c.lines[c.i].line, "statements are nested more than 50 levels deep")
	}
	defer func() { c.depth-- }()
	var out []pyStep
	for c.i < len(c.lines) && c.lines[c.i].indent >= indent {
		l := c.lines[c.i]
		if l.indent > indent {
			return nil, pyErrorf(l.line, "this line is indented more than the one before, without a reason")
		}
		step, err := c.statement(l)
		if err != nil {
			return nil, err
		}
		if step != nil {
			out = append(out, step)
		}
	}
	return out, nil
}

// body compiles what belongs to a head: what stands behind its colon, or the deeper lines that follow.
func (c *pyCompiler) body(head pyLine, rest string) ([]pyStep, error) {
	if rest != "" {
		step, err := c.simple(pyLine{head.indent, head.line, rest})
		if err != nil {
			return nil, err
		}
		out := []pyStep{}
		if step != nil {
			out = append(out, step)
		}
		// Semicolons behind a colon make further statements of the same line.
		for c.i < len(c.lines) && c.lines[c.i].line == head.line {
			l := c.lines[c.i]
			c.i++
			if step, err = c.simple(l); err != nil {
				return nil, err
			} else if step != nil {
				out = append(out, step)
			}
		}
		return out, nil
	}
	if c.i >= len(c.lines) || c.lines[c.i].indent <= head.indent {
		return nil, pyErrorf(head.line, "an indented block is expected below this line")
	}
	return c.suite(c.lines[c.i].indent)
}

// head cuts a compound statement at its colon.
func (c *pyCompiler) head(l pyLine, word string) (condition, rest string, err error) {
	i := pyColon(l.text)
	if i < 0 {
		return "", "", pyErrorf(l.line, "“%s” needs a colon at its end", word)
	}
	return strings.TrimSpace(l.text[len(word):i]), strings.TrimSpace(l.text[i+1:]), nil
}

func (c *pyCompiler) statement(l pyLine) (pyStep, error) {
	word, _ := pyWord(l.text)
	switch word {
	case "if", "while", "for", "try", "def":
	default:
		c.i++
		return c.simple(l)
	}
	condition, rest, err := c.head(l, word)
	if err != nil {
		return nil, err
	}
	c.i++
	switch word {
	case "if":
		return c.ifStep(l, condition, rest)
	case "while", "for":
		return c.loop(l, word, condition, rest)
	case "try":
		return c.try(l, condition, rest)
	default:
		return c.def(l, condition, rest)
	}
}

// next tells whether the next line is one of these words at the same indentation.
func (c *pyCompiler) next(l pyLine, words ...string) (pyLine, string, bool) {
	if c.i >= len(c.lines) || c.lines[c.i].indent != l.indent {
		return pyLine{}, "", false
	}
	word, _ := pyWord(c.lines[c.i].text)
	for _, w := range words {
		if w == word {
			return c.lines[c.i], word, true
		}
	}
	return pyLine{}, "", false
}

func (c *pyCompiler) ifStep(l pyLine, condition, rest string) (pyStep, error) {
	s := &pyIf{}
	for {
		test, err := c.expr(l.line, condition)
		if err != nil {
			return nil, err
		}
		body, err := c.body(l, rest)
		if err != nil {
			return nil, err
		}
		s.tests, s.bodies = append(s.tests, test), append(s.bodies, body)
		next, word, ok := c.next(l, "elif", "else")
		if !ok {
			return s, nil
		}
		if condition, rest, err = c.head(next, word); err != nil {
			return nil, err
		}
		c.i++
		if word == "else" {
			if condition != "" {
				return nil, pyErrorf(next.line, "“else” takes no condition")
			}
			s.other, err = c.body(next, rest)
			return s, err
		}
		l.line = next.line
	}
}

func (c *pyCompiler) loop(l pyLine, word, condition, rest string) (pyStep, error) {
	s := &pyLoop{line: l.line}
	if word == "for" {
		in := pyWordAt(condition, "in")
		if in < 0 {
			return nil, pyErrorf(l.line, "“for” needs “in”")
		}
		target, err := c.target(l.line, condition[:in])
		if err != nil {
			return nil, err
		}
		s.target, condition = target, condition[in+2:]
	}
	var err error
	if s.over, err = c.expr(l.line, condition); err != nil {
		return nil, err
	}
	c.loops++
	s.body, err = c.body(l, rest)
	c.loops--
	if err != nil {
		return nil, err
	}
	if next, word, ok := c.next(l, "else"); ok {
		_, rest, err := c.head(next, word)
		if err != nil {
			return nil, err
		}
		c.i++
		if s.other, err = c.body(next, rest); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (c *pyCompiler) try(l pyLine, condition, rest string) (pyStep, error) {
	if condition != "" {
		return nil, pyErrorf(l.line, "“try” takes no condition")
	}
	s := &pyTry{}
	var err error
	if s.body, err = c.body(l, rest); err != nil {
		return nil, err
	}
	for {
		next, word, ok := c.next(l, "except", "else", "finally")
		if !ok {
			break
		}
		condition, rest, err := c.head(next, word)
		if err != nil {
			return nil, err
		}
		c.i++
		body, err := c.body(next, rest)
		if err != nil {
			return nil, err
		}
		switch word {
		case "else":
			s.other = body
		case "finally":
			s.finally = body
		default:
			h := pyHandler{body: body}
			if as := pyWordAt(condition, "as"); as >= 0 {
				h.name, condition = strings.TrimSpace(condition[as+2:]), strings.TrimSpace(condition[:as])
				if !isName(h.name) {
					return nil, pyErrorf(next.line, "“as” needs a name")
				}
			}
			condition = strings.TrimSuffix(strings.TrimPrefix(condition, "("), ")")
			if condition != "" {
				names, _ := pyParts(condition)
				for _, name := range names {
					short := name[strings.LastIndexByte(name, '.')+1:]
					if !isName(short) {
						return nil, pyErrorf(next.line, "“except” needs names of exceptions")
					}
					h.types = append(h.types, short)
				}
			}
			s.handlers = append(s.handlers, h)
		}
	}
	if len(s.handlers) == 0 && s.finally == nil {
		return nil, pyErrorf(l.line, "“try” needs “except” or “finally”")
	}
	return s, nil
}

func (c *pyCompiler) def(l pyLine, head, rest string) (pyStep, error) {
	// The colon may be that of an annotation; those stand in brackets, so it is the head's.
	name, rest2 := pyWord(head)
	if i := strings.Index(rest2, "->"); i >= 0 {
		rest2 = strings.TrimSpace(rest2[:i])
	}
	if !isName(name) || !strings.HasPrefix(rest2, "(") || !strings.HasSuffix(rest2, ")") {
		return nil, pyErrorf(l.line, "this is not the head of a function")
	}
	f := &pyDef{name: name}
	if inner := strings.TrimSpace(rest2[1 : len(rest2)-1]); inner != "" {
		parts, _ := pyParts(inner)
		for _, p := range parts {
			var param pyParam
			if i, op := pyAssign(p); i >= 0 && op == "=" {
				value, err := c.expr(l.line, p[i+1:])
				if err != nil {
					return nil, err
				}
				param.value, p = value, strings.TrimSpace(p[:i])
			}
			if i := pyColon(p); i >= 0 {
				p = strings.TrimSpace(p[:i])
			}
			if !isName(p) {
				return nil, pyErrorf(l.line, "the parameter “%s” of the function %s is of a form that is not done here; write plain names, with defaults if you like", clip(p, 40), name)
			}
			param.name = p
			f.params = append(f.params, param)
		}
	}
	loops := c.loops
	c.loops = 0
	c.defs++
	body, err := c.body(l, rest)
	c.defs--
	c.loops = loops
	f.body = body
	return f, err
}

// refusals say what replaces what is not done.
var refusals = map[string]string{
	"class":    "classes cannot be defined in a rule; use functions (def) and dicts",
	"with":     "“with” is not done in a rule, which has no files to open",
	"async":    "a rule is not asynchronous; leave “async” out",
	"await":    "a rule is not asynchronous; leave “await” out",
	"global":   "“global” is not done in a rule; return the value from the function",
	"nonlocal": "“nonlocal” is not done in a rule; return the value from the function",
	"yield":    "generators are not done in a rule; return a list",
	"elif":     "“elif” without an “if” of the same indentation",
	"else":     "“else” without an “if”, “for”, “while” or “try” of the same indentation",
	"except":   "“except” without a “try” of the same indentation",
	"finally":  "“finally” without a “try” of the same indentation",
}

// caching are decorators that change nothing but speed.
var caching = regexp.MustCompile(`^@(?:functools\.)?(?:lru_cache|cache)(?:\(.*\))?$`)

// simple compiles a statement without a body.
func (c *pyCompiler) simple(l pyLine) (pyStep, error) {
	word, rest := pyWord(l.text)
	if why, no := refusals[word]; no {
		return nil, pyErrorf(l.line, "%s", why)
	}
	if strings.HasPrefix(l.text, "@") {
		if !caching.MatchString(l.text) {
			return nil, pyErrorf(l.line, "decorators are not done in a rule, save those that cache (functools.lru_cache, functools.cache), which have no effect; call the function")
		}
		if next, _, ok := c.next(l, "def"); !ok {
			return nil, pyErrorf(max(l.line, next.line), "a decorator without a function below it")
		}
		return nil, nil
	}
	switch word {
	case "if", "for", "while", "try", "def":
		return nil, pyErrorf(l.line, "“%s” has to begin a line of its own", word)
	case "pass":
		return nil, nil
	case "break", "continue":
		if c.loops == 0 {
			return nil, pyErrorf(l.line, "“%s” outside of a loop", word)
		}
		if word == "break" {
			return pyJump(pyBreak), nil
		}
		return pyJump(pyContinue), nil
	case "return":
		if c.defs == 0 {
			return nil, pyErrorf(l.line, "“return” outside of a function")
		}
		s := &pyReturn{}
		var err error
		if rest != "" {
			s.value, err = c.expr(l.line, rest)
		}
		return s, err
	case "raise":
		s := &pyRaise{line: l.line}
		if from := pyWordAt(rest, "from"); from >= 0 {
			rest = strings.TrimSpace(rest[:from])
		}
		var err error
		if rest != "" {
			s.value, err = c.expr(l.line, rest)
		}
		return s, err
	case "assert":
		parts, _ := pyParts(rest)
		s := &pyAssert{line: l.line}
		var err error
		if s.test, err = c.expr(l.line, parts[0]); err == nil && len(parts) > 1 {
			s.message, err = c.expr(l.line, parts[1])
		}
		return s, err
	case "del":
		parts, _ := pyParts(rest)
		s := &pyDel{}
		for _, p := range parts {
			t, err := c.target(l.line, p)
			if err != nil {
				return nil, err
			}
			s.targets = append(s.targets, t)
		}
		return s, nil
	case "import", "from":
		return c.imports(l, word, rest)
	}
	at, op := pyAssign(l.text)
	if at < 0 {
		e, err := c.expr(l.line, l.text)
		if err != nil {
			return nil, err
		}
		return &pyDo{e}, nil
	}
	return c.assign(l, at, op)
}

func (c *pyCompiler) assign(l pyLine, at int, op string) (pyStep, error) {
	left, right := l.text[:at], l.text[at+len(op):]
	if op != "=" {
		target, err := c.target(l.line, left)
		if err != nil {
			return nil, err
		}
		if _, tuple := target.(*pyTuple); tuple {
			return nil, pyErrorf(l.line, "“%s” takes one target", op)
		}
		// x op= v is x op (v), with what stands left evaluated twice; rules have no effects there.
		e, err := c.expr(l.line, strings.TrimSpace(left)+" "+strings.TrimSuffix(op, "=")+" ("+right+"\n)")
		if err != nil {
			return nil, err
		}
		return &pySet{[]pyTarget{target}, e}, nil
	}
	if i := pyColon(left); i >= 0 { // an annotation
		left = left[:i]
	}
	s := &pySet{}
	for {
		target, err := c.target(l.line, left)
		if err != nil {
			return nil, err
		}
		s.targets = append(s.targets, target)
		next, op := pyAssign(right)
		if next < 0 {
			break
		}
		if op != "=" {
			return nil, pyErrorf(l.line, "“=” and “%s” in one statement", op)
		}
		left, right = right[:next], right[next+1:]
	}
	var err error
	s.value, err = c.expr(l.line, right)
	return s, err
}

// target compiles what stands left of “=”.
func (c *pyCompiler) target(line int, text string) (pyTarget, error) {
	text = strings.TrimSpace(text)
	parts, trailing := pyParts(text)
	if len(parts) > 1 || trailing {
		t := &pyTuple{line: line}
		for _, p := range parts {
			item, err := c.target(line, p)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, item)
		}
		return t, nil
	}
	if c.depth++; c.depth > 100 {
		return nil, pyErrorf(line, "the target of an assignment is nested too deep")
	}
	defer func() { c.depth-- }()
	switch {
	case pyStatements[text]:
	case isName(text):
		return pyName(text), nil
	case len(text) > 2 && (text[0] == '(' && text[len(text)-1] == ')' || text[0] == '[' && text[len(text)-1] == ']') && pyWrapped(text):
		return c.target(line, text[1:len(text)-1])
	case strings.HasSuffix(text, "]"):
		opens := pyTop(text, func(i int) bool { return text[i] == '[' })
		if len(opens) == 0 || opens[len(opens)-1] == 0 {
			break
		}
		open := opens[len(opens)-1]
		base, err := c.expr(line, text[:open])
		if err != nil {
			return nil, err
		}
		inner := text[open+1 : len(text)-1]
		if pyColon(inner) >= 0 {
			return nil, pyErrorf(line, "a slice (“%s”) cannot be assigned to in a rule; build the list anew", clip(text, 60))
		}
		key, err := c.expr(line, inner)
		if err != nil {
			return nil, err
		}
		return &pyIndex{base, key}, nil
	default:
		dots := pyTop(text, func(i int) bool { return text[i] == '.' })
		if len(dots) == 0 {
			break
		}
		dot := dots[len(dots)-1]
		name := strings.TrimSpace(text[dot+1:])
		if !isName(name) {
			break
		}
		base, err := c.expr(line, text[:dot])
		if err != nil {
			return nil, err
		}
		return &pyAttr{base, name}, nil
	}
	return nil, pyErrorf(line, "“%s” cannot be assigned to", clip(text, 60))
}

// pyWrapped tells whether the first bracket closes at the end.
func pyWrapped(text string) bool {
	return len(pyTop(text, func(i int) bool { return i > 0 && i < len(text)-1 && strings.IndexByte("([{", text[i]) < 0 })) == 0
}

func (c *pyCompiler) imports(l pyLine, word, rest string) (pyStep, error) {
	unknown := func(name string) error {
		return pyErrorf(l.line, "the module %s cannot be imported in a rule; there are re, json, math, random, datetime, time, os.path, collections, itertools, functools, operator, hashlib, typing, logging, tpv.core.helpers, and of galaxy.jobs.mapper, galaxy.jobs.rule_helper and tpv.core.entities what rules use%s", clip(name, 60), requestsHint(name))
	}
	s := &pyImport{}
	if word == "import" {
		parts, _ := pyParts(rest)
		for _, p := range parts {
			fields := strings.Fields(p)
			if len(fields) != 1 && (len(fields) != 3 || fields[1] != "as" || !isName(fields[2])) {
				return nil, pyErrorf(l.line, "this import cannot be read")
			}
			v, ok := c.modules.module(fields[0])
			if !ok {
				return nil, unknown(fields[0])
			}
			name := fields[len(fields)-1]
			if top, _, dotted := strings.Cut(fields[0], "."); dotted && len(fields) == 1 {
				if v, ok = c.modules.module(top); !ok {
					return nil, pyErrorf(l.line, "write “from %s import …”, or “import %[1]s as …”", fields[0])
				}
				name = top
			}
			s.names, s.values = append(s.names, name), append(s.values, v)
		}
		return s, nil
	}
	at := pyWordAt(rest, "import")
	if at < 0 {
		return nil, pyErrorf(l.line, "“from” needs “import”")
	}
	from := strings.TrimSpace(rest[:at])
	list := strings.TrimSpace(rest[at+len("import"):])
	list = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(list, "("), ")"))
	v, ok := c.modules.module(from)
	if !ok {
		return nil, unknown(from)
	}
	parts, _ := pyParts(list)
	for _, p := range parts {
		fields := strings.Fields(p)
		if len(fields) != 1 && (len(fields) != 3 || fields[1] != "as") || !isName(fields[0]) || !isName(fields[len(fields)-1]) {
			return nil, pyErrorf(l.line, "“from %s import %s” cannot be read; name what is imported", clip(from, 60), clip(p, 40))
		}
		attr, err := cheetah.CompileExpr("m." + fields[0])
		if err != nil {
			return nil, pyErrorf(l.line, "%v", err)
		}
		item, err := attr.Eval(context.Background(), cheetah.MapScope{"m": v}, cheetah.Limits{})
		if err != nil {
			sub, isModule := c.modules.module(from + "." + fields[0])
			if !isModule {
				return nil, pyErrorf(l.line, "“%s” of the module %s is not there in a rule", fields[0], from)
			}
			item = sub
		}
		s.names, s.values = append(s.names, fields[len(fields)-1]), append(s.values, item)
	}
	return s, nil
}

func requestsHint(name string) string {
	if name == "requests" {
		return "; requests needs the server's guarded access to other servers, which is off"
	}
	return ""
}
