package cheetah

import "strings"

// ctl says how a block ended.
type ctl int

const (
	ctlNone ctl = iota
	ctlBreak
	ctlContinue
	ctlReturn
	ctlStop
)

// stmt is a compiled part of a template.
type stmt interface{ exec(f *frame) ctl }

func execBlock(f *frame, body []stmt) ctl {
	for _, s := range body {
		if c := s.exec(f); c != ctlNone {
			return c
		}
	}
	return ctlNone
}

type textStmt struct{ text string }

func (s *textStmt) exec(f *frame) ctl {
	f.r.write(s.text)
	return ctlNone
}

// outStmt prints a value; None prints nothing.
type outStmt struct {
	line   int
	expr   node
	silent bool // $!x: a missing name prints nothing
}

func (s *outStmt) exec(f *frame) ctl {
	f.r.line = s.line
	f.r.step()
	if s.silent {
		f.r.attempt(func() { s.print(f) }, func(e *Exc) bool { return e.Typ.isA(excNotFound) })
		return ctlNone
	}
	s.print(f)
	return ctlNone
}

func (s *outStmt) print(f *frame) {
	if v := s.expr.eval(f); v != nil {
		f.r.write(f.r.str(v))
	}
}

// attempt runs f; an exception that handle takes is swallowed.
func (r *runtime) attempt(f func(), handle func(*Exc) bool) {
	depth, pulls, out := r.depth, r.pulls, r.out
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		e, ok := p.(*Exc)
		if !ok {
			panic(p)
		}
		r.depth, r.pulls, r.out = depth, pulls, out
		if !handle(e) {
			panic(p)
		}
	}()
	f()
}

type exprStmt struct {
	line int
	expr node
}

func (s *exprStmt) exec(f *frame) ctl {
	f.r.line = s.line
	f.r.step()
	s.expr.eval(f)
	return ctlNone
}

type setStmt struct {
	line   int
	target target
	op     string
	expr   node
}

func (s *setStmt) exec(f *frame) ctl {
	f.r.line = s.line
	f.r.step()
	if s.op == "" || s.op == "=" {
		s.target.assign(f, s.expr.eval(f))
		return ctlNone
	}
	op := strings.TrimSuffix(s.op, "=")
	old := s.target.load(f)
	v := s.expr.eval(f)
	if l, ok := old.(*List); ok && op == "+" { // += extends in place
		l.Items = append(l.Items, f.r.slice(v)...)
		s.target.assign(f, l)
		return ctlNone
	}
	s.target.assign(f, f.r.binary(op, old, v))
	return ctlNone
}

// bothTarget is a = b = value.
type bothTarget struct{ a, b target }

func (t *bothTarget) assign(f *frame, v Value) { t.a.assign(f, v); t.b.assign(f, v) }
func (t *bothTarget) del(f *frame)             {}
func (t *bothTarget) load(f *frame) Value      { return t.a.load(f) }

type ifStmt struct {
	line    int
	cond    node
	body    []stmt
	elif    *ifStmt
	els     []stmt
	hasElse bool
}

func (s *ifStmt) exec(f *frame) ctl {
	for {
		f.r.line = s.line
		f.r.step()
		if truth(s.cond.eval(f)) {
			return execBlock(f, s.body)
		}
		if s.elif == nil {
			return execBlock(f, s.els)
		}
		s = s.elif
	}
}

type forStmt struct {
	line   int
	target target
	iter   node
	body   []stmt
	els    []stmt
}

func (s *forStmt) exec(f *frame) ctl {
	f.r.line = s.line
	c, broke := ctlNone, false
	f.r.each(s.iter.eval(f), func(v Value) bool {
		f.r.line = s.line
		s.target.assign(f, v)
		switch c = execBlock(f, s.body); c {
		case ctlNone, ctlContinue:
			c = ctlNone
			return true
		case ctlBreak:
			c, broke = ctlNone, true
		}
		return false
	})
	if c == ctlNone && !broke {
		return execBlock(f, s.els)
	}
	return c
}

type whileStmt struct {
	line int
	cond node
	body []stmt
	els  []stmt
}

func (s *whileStmt) exec(f *frame) ctl {
	for {
		f.r.line = s.line
		f.r.step()
		if !truth(s.cond.eval(f)) {
			return execBlock(f, s.els)
		}
		switch c := execBlock(f, s.body); c {
		case ctlBreak:
			return ctlNone
		case ctlReturn, ctlStop:
			return c
		}
	}
}

type handler struct {
	line int
	typ  node
	name target
	body []stmt
}

type tryStmt struct {
	body       []stmt
	handlers   []*handler
	els        []stmt
	final      []stmt
	hasFinally bool
}

func (s *tryStmt) exec(f *frame) (c ctl) {
	if s.hasFinally {
		raised := true
		depth, pulls, out := f.r.depth, f.r.pulls, f.r.out
		defer func() {
			if raised {
				p := recover()
				if _, ok := p.(*Exc); !ok {
					panic(p) // a limit of the box: nothing more may run
				}
				f.r.depth, f.r.pulls, f.r.out = depth, pulls, out
				if c2 := execBlock(f, s.final); c2 != ctlNone {
					c = c2
					return
				}
				panic(p)
			}
			if c2 := execBlock(f, s.final); c2 != ctlNone {
				c = c2
			}
		}()
		c = s.guarded(f)
		raised = false
		return c
	}
	return s.guarded(f)
}

func (s *tryStmt) guarded(f *frame) ctl {
	if len(s.handlers) == 0 {
		return execBlock(f, s.body)
	}
	c := ctlNone
	var caught *Exc
	var by *handler
	f.r.attempt(func() { c = execBlock(f, s.body) }, func(e *Exc) bool {
		for _, h := range s.handlers {
			f.r.line = h.line
			if h.typ == nil || f.r.excMatches(e, h.typ.eval(f)) {
				caught, by = e, h
				return true
			}
		}
		return false
	})
	if caught != nil {
		if by.name != nil {
			by.name.assign(f, caught)
		}
		old := f.handle
		f.handle = caught
		defer func() { f.handle = old }()
		return execBlock(f, by.body)
	}
	if c == ctlNone {
		return execBlock(f, s.els)
	}
	return c
}

func (r *runtime) excMatches(e *Exc, typ Value) bool {
	switch t := typ.(type) {
	case *Type:
		return e.Typ.isA(t)
	case *Tuple:
		for _, x := range t.Items {
			if xt, ok := x.(*Type); ok && e.Typ.isA(xt) {
				return true
			}
		}
		return false
	}
	r.raise(excType, "catching classes that do not inherit from BaseException is not allowed")
	return false
}

type raiseStmt struct {
	line int
	expr node
}

func (s *raiseStmt) exec(f *frame) ctl {
	r := f.r
	r.line = s.line
	if s.expr == nil {
		if f.handle == nil {
			r.raise(excRuntime, "No active exception to reraise")
		}
		panic(f.handle)
	}
	switch x := s.expr.eval(f).(type) {
	case *Exc:
		r.throw(x)
	case *Type:
		if x.exc {
			r.throw(&Exc{Typ: x})
		}
	}
	r.raise(excType, "exceptions must derive from BaseException")
	return ctlNone
}

type assertStmt struct {
	line      int
	cond, msg node
}

func (s *assertStmt) exec(f *frame) ctl {
	f.r.line = s.line
	f.r.step()
	if truth(s.cond.eval(f)) {
		return ctlNone
	}
	e := &Exc{Typ: excAssertion}
	if s.msg != nil {
		e.Args = []Value{s.msg.eval(f)}
	}
	f.r.throw(e)
	return ctlNone
}

type delStmt struct {
	line    int
	targets []target
}

func (s *delStmt) exec(f *frame) ctl {
	f.r.line = s.line
	for _, t := range s.targets {
		t.del(f)
	}
	return ctlNone
}

type ctlStmt struct{ c ctl }

func (s *ctlStmt) exec(f *frame) ctl {
	f.r.step()
	return s.c
}

type returnStmt struct {
	line int
	expr node
}

func (s *returnStmt) exec(f *frame) ctl {
	f.r.line = s.line
	if s.expr != nil {
		f.result = s.expr.eval(f)
	}
	return ctlReturn
}

type importItem struct{ mod, attr, as string }

type importStmt struct {
	line  int
	items []importItem
}

func (s *importStmt) exec(f *frame) ctl {
	r := f.r
	r.line = s.line
	if r.imports == nil {
		r.imports = make(map[string]Value)
	}
	for _, it := range s.items {
		m := r.importModule(it.mod)
		switch {
		case it.attr == "*":
			for k, v := range m.Attrs {
				r.imports[k] = v
			}
		case it.attr != "":
			v, ok := m.Attrs[it.attr]
			if !ok {
				r.raise(excImport, "cannot import name '%s' from '%s'", it.attr, it.mod)
			}
			name := it.as
			if name == "" {
				name = it.attr
			}
			r.imports[name] = v
		case it.as != "":
			r.imports[it.as] = m
		default:
			top, _, dotted := strings.Cut(it.mod, ".")
			if dotted {
				m = r.importModule(top)
			}
			r.imports[top] = m
		}
	}
	return ctlNone
}

// defStmt is a #def; nested ones are made where they stand.
type defStmt struct {
	line   int
	name   string
	params []param
	body   []stmt
	nested bool
}

func (s *defStmt) evalDefaults(f *frame) []Value {
	f.r.line = s.line
	return evalDefaults(f, s.params)
}

func (s *defStmt) exec(f *frame) ctl {
	f.bind(s.name, &Function{name: s.name, params: s.params, defaults: s.evalDefaults(f), body: s.body, closure: f})
	return ctlNone
}

type captureStmt struct {
	line   int
	target target
	body   []stmt
}

func (s *captureStmt) exec(f *frame) ctl {
	c := ctlNone
	text := f.r.capture(func() { c = execBlock(f, s.body) })
	f.r.line = s.line
	s.target.assign(f, text)
	return c
}

type callStmt struct {
	line int
	fn   node
	args callNode
	body []stmt
}

func (s *callStmt) exec(f *frame) ctl {
	c := ctlNone
	text := f.r.capture(func() { c = execBlock(f, s.body) })
	if c != ctlNone {
		return c
	}
	f.r.line = s.line
	call := &callNode{fn: s.fn, args: append([]argNode{{val: &constNode{text}}}, s.args.args...)}
	if v := call.eval(f); v != nil {
		f.r.write(f.r.str(v))
	}
	return ctlNone
}

type groupStmt struct{ body []stmt }

func (s *groupStmt) exec(f *frame) ctl { return execBlock(f, s.body) }
