package cheetah

import (
	"math/big"
	"strconv"
	"strings"
)

// parser turns tokens into nodes, by Python's grammar of expressions.
type parser struct {
	s    *source
	toks []token
	i    int
}

func (p *parser) cur() token { return p.toks[p.i] }

func (p *parser) fail(msg string) { p.s.fail(p.cur().pos, msg) }

func (p *parser) isOp(op string) bool {
	t := p.toks[p.i]
	return t.kind == tokOp && t.text == op
}

func (p *parser) isWord(w string) bool {
	t := p.toks[p.i]
	return t.kind == tokName && t.text == w
}

func (p *parser) takeOp(op string) bool {
	if p.isOp(op) {
		p.i++
		return true
	}
	return false
}

func (p *parser) takeWord(w string) bool {
	if p.isWord(w) {
		p.i++
		return true
	}
	return false
}

func (p *parser) needOp(op string) {
	if !p.takeOp(op) {
		p.fail("invalid syntax: '" + op + "' is expected" + p.found())
	}
}

func (p *parser) found() string {
	t := p.cur()
	if t.kind == tokEnd {
		return " before the end of the expression"
	}
	return ", not '" + t.text + "'"
}

func (p *parser) end() {
	if t := p.cur(); t.kind != tokEnd {
		p.fail("invalid syntax near '" + t.text + "'")
	}
}

var reserved = map[string]bool{"and": true, "or": true, "not": true, "in": true, "is": true, "if": true, "else": true, "for": true,
	"lambda": true, "as": true, "assert": true, "break": true, "class": true, "continue": true, "def": true, "del": true, "elif": true,
	"except": true, "finally": true, "from": true, "global": true, "import": true, "nonlocal": true, "pass": true, "raise": true,
	"return": true, "try": true, "while": true, "with": true, "yield": true, "await": true, "async": true}

// exprList is an expression, or a tuple without parentheses.
func (p *parser) exprList() node {
	n := p.starOrTest()
	if !p.isOp(",") {
		if _, ok := n.(*starNode); ok {
			p.fail("a starred expression cannot stand here")
		}
		return n
	}
	items := []node{n}
	for p.takeOp(",") {
		if p.atExprEnd() {
			break
		}
		items = append(items, p.starOrTest())
	}
	return &seqNode{kind: 't', items: items}
}

func (p *parser) atExprEnd() bool {
	t := p.cur()
	if t.kind == tokEnd {
		return true
	}
	if t.kind == tokOp {
		switch t.text {
		case ")", "]", "}", "=", ":", ";":
			return true
		}
		return strings.HasSuffix(t.text, "=") && t.text != "==" && t.text != "!=" && t.text != "<=" && t.text != ">="
	}
	return t.kind == tokName && (t.text == "in" || t.text == "for")
}

func (p *parser) starOrTest() node {
	if p.takeOp("*") {
		return &starNode{p.binary(0)}
	}
	return p.namedTest()
}

// namedTest is a test, or name := test.
func (p *parser) namedTest() node {
	n := p.test()
	if p.isOp(":=") {
		name, ok := n.(*nameNode)
		if !ok {
			p.fail("cannot use := with this target")
		}
		p.i++
		return &walrusNode{name.name, p.test()}
	}
	return n
}

// test is a conditional expression or a lambda.
func (p *parser) test() node {
	p.s.deeper()
	defer func() { p.s.nest-- }()
	if p.takeWord("lambda") {
		params := p.params(":")
		p.needOp(":")
		return &lambdaNode{params: params, body: p.test()}
	}
	n := p.orTest()
	if p.takeWord("if") {
		cond := p.orTest()
		if !p.takeWord("else") {
			p.fail("invalid syntax: 'else' is expected" + p.found())
		}
		return &condNode{cond, n, p.test()}
	}
	return n
}

func (p *parser) orTest() node {
	n := p.andTest()
	for c := 0; p.takeWord("or"); c++ {
		p.chain(c)
		n = &logicNode{false, n, p.andTest()}
	}
	return n
}

func (p *parser) chain(c int) {
	if c > maxChain {
		p.fail("expression too long")
	}
}

func (p *parser) andTest() node {
	n := p.notTest()
	for c := 0; p.takeWord("and"); c++ {
		p.chain(c)
		n = &logicNode{true, n, p.notTest()}
	}
	return n
}

func (p *parser) notTest() node {
	if p.takeWord("not") {
		p.s.deeper()
		defer func() { p.s.nest-- }()
		return &notNode{p.notTest()}
	}
	return p.comparison()
}

func (p *parser) comparison() node {
	first := p.binary(0)
	var c *cmpNode
	for {
		op := ""
		t := p.cur()
		switch {
		case t.kind == tokOp:
			switch t.text {
			case "<", ">", "==", "<=", ">=", "!=":
				op = t.text
			case "<>":
				op = "!="
			}
			if op != "" {
				p.i++
			}
		case p.takeWord("in"):
			op = "in"
		case p.takeWord("is"):
			op = "is"
			if p.takeWord("not") {
				op = "is not"
			}
		case p.isWord("not") && p.i+1 < len(p.toks) && p.toks[p.i+1].kind == tokName && p.toks[p.i+1].text == "in":
			p.i += 2
			op = "not in"
		}
		if op == "" {
			break
		}
		if c == nil {
			c = &cmpNode{first: first}
		}
		p.chain(len(c.ops))
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, p.binary(0))
	}
	if c != nil {
		return c
	}
	return first
}

var precedence = []map[string]bool{
	{"|": true}, {"^": true}, {"&": true}, {"<<": true, ">>": true}, {"+": true, "-": true}, {"*": true, "/": true, "//": true, "%": true, "@": true},
}

func (p *parser) binary(level int) node {
	if level == len(precedence) {
		return p.unary()
	}
	n := p.binary(level + 1)
	for c := 0; p.cur().kind == tokOp && precedence[level][p.cur().text]; c++ {
		p.chain(c)
		op := p.cur().text
		p.i++
		n = &binNode{op, n, p.binary(level + 1)}
	}
	return n
}

func (p *parser) unary() node {
	t := p.cur()
	if t.kind == tokOp && (t.text == "-" || t.text == "+" || t.text == "~") {
		p.s.deeper()
		defer func() { p.s.nest-- }()
		p.i++
		return &unaryNode{t.text, p.unary()}
	}
	n := p.postfix(p.atom())
	if p.takeOp("**") {
		p.s.deeper()
		defer func() { p.s.nest-- }()
		return &binNode{"**", n, p.unary()}
	}
	return n
}

// postfix reads the calls, subscripts and attributes that follow n.
func (p *parser) postfix(n node) node {
	for c := 0; ; c++ {
		p.chain(c)
		switch {
		case p.takeOp("("):
			call := &callNode{fn: n}
			p.args(call)
			n = call
		case p.takeOp("["):
			n = &indexNode{n, p.subscript()}
			p.needOp("]")
		case p.isOp(".") && p.i+1 < len(p.toks) && p.toks[p.i+1].kind == tokName:
			n = &attrNode{n, p.toks[p.i+1].text}
			p.i += 2
		case p.isOp("."):
			p.fail("invalid syntax: a name is expected after '.'")
		default:
			return n
		}
	}
}

func (p *parser) args(call *callNode) {
	for !p.takeOp(")") {
		switch {
		case p.takeOp("*"):
			call.args = append(call.args, argNode{star: 1, val: p.test()})
		case p.takeOp("**"):
			call.args = append(call.args, argNode{star: 2, val: p.test()})
		default:
			n := p.namedTest()
			if p.isOp("=") {
				name := ""
				switch x := n.(type) {
				case *nameNode:
					name = x.name
				case *varNode:
					if x.base == nil && len(x.names) == 1 {
						name = x.names[0]
					}
				}
				if name == "" {
					p.fail("a keyword argument needs a plain name")
				}
				p.i++
				call.args = append(call.args, argNode{name: name, val: p.test()})
			} else if p.isWord("for") || p.isWord("async") {
				call.args = append(call.args, argNode{val: p.comp('g', n, nil)})
			} else {
				call.args = append(call.args, argNode{val: n})
			}
		}
		if !p.takeOp(",") {
			p.needOp(")")
			return
		}
	}
}

func (p *parser) subscript() node {
	n := p.sliceItem()
	if !p.isOp(",") {
		return n
	}
	items := []node{n}
	for p.takeOp(",") {
		if p.isOp("]") {
			break
		}
		items = append(items, p.sliceItem())
	}
	return &seqNode{kind: 't', items: items}
}

func (p *parser) sliceItem() node {
	var lo node
	if !p.isOp(":") {
		lo = p.namedTest()
		if !p.isOp(":") {
			return lo
		}
	}
	sl := &sliceNode{lo: lo}
	p.needOp(":")
	if !p.isOp(":") && !p.isOp("]") && !p.isOp(",") {
		sl.hi = p.test()
	}
	if p.takeOp(":") && !p.isOp("]") && !p.isOp(",") {
		sl.step = p.test()
	}
	return sl
}

func (p *parser) atom() node {
	t := p.cur()
	switch t.kind {
	case tokVar:
		p.i++
		return t.node
	case tokString:
		p.i++
		return p.strings(t.node)
	case tokNumber:
		p.i++
		return p.number(t.text)
	case tokName:
		switch t.text {
		case "True":
			p.i++
			return &constNode{true}
		case "False":
			p.i++
			return &constNode{false}
		case "None":
			p.i++
			return &constNode{nil}
		}
		if reserved[t.text] {
			p.fail("invalid syntax near '" + t.text + "'")
		}
		p.i++
		return &nameNode{t.text}
	case tokOp:
		p.s.deeper()
		defer func() { p.s.nest-- }()
		switch t.text {
		case "(":
			p.i++
			if p.takeOp(")") {
				return &seqNode{kind: 't'}
			}
			n := p.starOrTest()
			if p.isWord("for") {
				n = p.comp('g', n, nil)
			} else if p.isOp(",") {
				items := []node{n}
				for p.takeOp(",") {
					if p.isOp(")") {
						break
					}
					items = append(items, p.starOrTest())
				}
				n = &seqNode{kind: 't', items: items}
			} else if _, ok := n.(*starNode); ok {
				p.fail("a starred expression cannot stand here")
			}
			p.needOp(")")
			return n
		case "[":
			p.i++
			list := &seqNode{kind: 'l'}
			for !p.takeOp("]") {
				n := p.starOrTest()
				if len(list.items) == 0 && p.isWord("for") {
					c := p.comp('l', n, nil)
					p.needOp("]")
					return c
				}
				list.items = append(list.items, n)
				if !p.takeOp(",") {
					p.needOp("]")
					break
				}
			}
			return list
		case "{":
			p.i++
			return p.braces()
		case "...":
			p.i++
			return &constNode{nil}
		}
	}
	if t.kind == tokEnd {
		p.fail("invalid syntax: an expression is expected")
	}
	p.fail("invalid syntax near '" + t.text + "'")
	return nil
}

func (p *parser) braces() node {
	d := &dictNode{}
	if p.takeOp("}") {
		return d
	}
	set := &seqNode{kind: 's'}
	for first := true; ; first = false {
		if p.takeOp("**") {
			d.keys = append(d.keys, nil)
			d.vals = append(d.vals, p.binary(0))
		} else {
			k := p.starOrTest()
			if p.takeOp(":") {
				v := p.test()
				if first && p.isWord("for") {
					c := p.comp('d', k, v)
					p.needOp("}")
					return c
				}
				d.keys = append(d.keys, k)
				d.vals = append(d.vals, v)
			} else {
				if first && p.isWord("for") {
					c := p.comp('s', k, nil)
					p.needOp("}")
					return c
				}
				set.items = append(set.items, k)
			}
		}
		if p.takeOp(",") {
			if p.takeOp("}") {
				break
			}
			continue
		}
		p.needOp("}")
		break
	}
	if len(set.items) > 0 && len(d.keys) > 0 {
		p.fail("invalid syntax: a set and a dict in one")
	}
	if len(set.items) > 0 {
		return set
	}
	return d
}

func (p *parser) comp(kind byte, item, val node) node {
	c := &compNode{kind: kind, item: item, val: val}
	for p.takeWord("for") {
		f := compFor{target: p.targetList()}
		if !p.takeWord("in") {
			p.fail("invalid syntax: 'in' is expected" + p.found())
		}
		f.iter = p.orTest()
		if p.isOp(",") && kind == 'l' { // Python 2: [x for x in 1, 2]
			items := []node{f.iter}
			for p.takeOp(",") {
				items = append(items, p.orTest())
			}
			f.iter = &seqNode{kind: 't', items: items}
		}
		for p.takeWord("if") {
			n := p.orTest()
			if p.isWord("lambda") {
				n = p.test()
			}
			f.conds = append(f.conds, n)
		}
		c.fors = append(c.fors, f)
		if len(c.fors) > 20 {
			p.fail("too many 'for' in a comprehension")
		}
	}
	return c
}

// targetList is what stands between for and in.
func (p *parser) targetList() target {
	one := func() target {
		if p.takeOp("*") {
			return &starTarget{p.toTarget(p.binary(0))}
		}
		return p.toTarget(p.binary(0))
	}
	t := one()
	if _, star := t.(*starTarget); !p.isOp(",") && !star {
		return t
	}
	tt := &tupleTarget{items: []target{t}}
	for p.takeOp(",") {
		if p.atExprEnd() {
			break
		}
		tt.items = append(tt.items, one())
	}
	p.checkStars(tt)
	return tt
}

func (p *parser) checkStars(t *tupleTarget) {
	n := 0
	for _, i := range t.items {
		if _, ok := i.(*starTarget); ok {
			n++
		}
	}
	if n > 1 {
		p.fail("more than one starred name in an assignment")
	}
}

// toTarget reads a parsed expression as something assigned to. In Cheetah
// $x and x are the same target.
func (p *parser) toTarget(n node) target {
	switch x := n.(type) {
	case *nameNode:
		return &nameTarget{x.name}
	case *varNode:
		if x.base == nil && len(x.names) == 1 {
			return &nameTarget{x.names[0]}
		}
		obj := x.base
		names := x.names
		if x.base == nil {
			obj = &nameNode{names[0]}
			names = names[1:]
		}
		for _, a := range names[:len(names)-1] {
			obj = &attrNode{obj, a}
		}
		return &attrTarget{obj, names[len(names)-1]}
	case *attrNode:
		return &attrTarget{x.obj, x.name}
	case *indexNode:
		return &indexTarget{x.obj, x.key}
	case *starNode:
		return &starTarget{p.toTarget(x.val)}
	case *seqNode:
		if x.kind == 's' {
			break
		}
		t := &tupleTarget{}
		for _, i := range x.items {
			t.items = append(t.items, p.toTarget(i))
		}
		p.checkStars(t)
		return t
	}
	p.fail("cannot assign to this expression")
	return nil
}

// params reads the parameters of a lambda or #def, up to the token stop.
func (p *parser) params(stop string) []param {
	var out []param
	seen := map[string]bool{}
	kwOnly := false
	for !p.isOp(stop) && p.cur().kind != tokEnd {
		var q param
		if p.takeOp("**") {
			q.star = 2
		} else if p.takeOp("*") {
			q.star = 1
			if p.takeOp(",") {
				kwOnly = true
				continue
			}
		}
		t := p.cur()
		switch {
		case t.kind == tokName && !reserved[t.text]:
			q.name = t.text
		case t.kind == tokVar:
			if v, ok := t.node.(*varNode); ok && v.base == nil && len(v.names) == 1 {
				q.name = v.names[0]
			}
		}
		if q.name == "" || seen[q.name] {
			p.fail("invalid parameter '" + t.text + "'")
		}
		seen[q.name] = true
		p.i++
		if p.takeOp("=") {
			q.def = p.test()
		}
		q.kwOnly = kwOnly && q.star == 0
		if q.star == 1 {
			kwOnly = true
		}
		out = append(out, q)
		if !p.takeOp(",") {
			break
		}
	}
	return out
}

func (p *parser) strings(n node) node {
	for p.cur().kind == tokString {
		m := p.cur().node
		p.i++
		a, okA := n.(*constNode)
		b, okB := m.(*constNode)
		if okA && okB {
			sa, sokA := a.val.(string)
			sb, sokB := b.val.(string)
			ba, bokA := a.val.(Bytes)
			bb, bokB := b.val.(Bytes)
			switch {
			case sokA && sokB:
				n = &constNode{sa + sb}
			case bokA && bokB:
				n = &constNode{ba + bb}
			default:
				p.fail("cannot mix bytes and nonbytes literals")
			}
			continue
		}
		j := &joinNode{}
		for _, part := range []node{n, m} {
			if jn, ok := part.(*joinNode); ok {
				j.parts = append(j.parts, jn.parts...)
			} else {
				j.parts = append(j.parts, part)
			}
		}
		n = j
	}
	return n
}

func (p *parser) number(text string) node {
	t := strings.TrimRight(strings.ReplaceAll(text, "_", ""), "lL")
	low := strings.ToLower(t)
	if len(low) > maxIntDigits {
		p.s.fail(p.toks[p.i-1].pos, "number too long")
	}
	if strings.HasPrefix(low, "0x") || strings.HasPrefix(low, "0o") || strings.HasPrefix(low, "0b") {
		if n, ok := new(big.Int).SetString(low, 0); ok {
			return &constNode{normBig(n)}
		}
		p.s.fail(p.toks[p.i-1].pos, "invalid number '"+text+"'")
	}
	if !strings.ContainsAny(low, ".e") {
		base := 10
		if len(low) > 1 && low[0] == '0' && strings.Trim(low, "0") != "" {
			base = 8 // Python 2's octal, such as 0755
		}
		if n, ok := new(big.Int).SetString(low, base); ok {
			return &constNode{normBig(n)}
		}
	} else if f, err := strconv.ParseFloat(low, 64); err == nil || f != 0 {
		return &constNode{f}
	}
	p.s.fail(p.toks[p.i-1].pos, "invalid number '"+text+"'")
	return nil
}

func compileExpr(src string) (e *Expr, err error) {
	defer catchSyntax(&err)
	s := newSource("", src)
	if len(src) > maxSource {
		s.fail(0, "expression too long")
	}
	return &Expr{source: src, root: s.wholeExpr()}, nil
}
