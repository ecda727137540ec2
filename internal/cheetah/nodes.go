package cheetah

import (
	"context"
	"errors"
	"strings"
)

// node is a compiled Python expression.
type node interface{ eval(f *frame) Value }

// frame holds the local names of a template, #def, lambda or comprehension.
type frame struct {
	r      *runtime
	vars   map[string]Value
	parent *frame // the names around a lambda or comprehension
	handle *Exc   // what a bare #raise raises again
	result Value  // #return
}

func (f *frame) local(name string) (Value, bool) {
	for g := f; g != nil; g = g.parent {
		if v, ok := g.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (f *frame) bind(name string, v Value) {
	if f.vars == nil {
		f.vars = make(map[string]Value)
	}
	f.vars[name] = v
}

// plain looks a Python name up.
func (f *frame) plain(name string) (Value, bool) {
	if v, ok := f.local(name); ok {
		return v, true
	}
	r := f.r
	if r.exprMode && r.scope != nil {
		if v, ok := r.scope.Lookup(name); ok {
			return v, true
		}
	}
	if v, ok := r.imports[name]; ok {
		return v, true
	}
	if v, ok := builtins[name]; ok {
		return v, true
	}
	if v, ok := r.globalSet[name]; ok {
		return v, true
	}
	if v, ok := r.defs[name]; ok {
		return v, true
	}
	if !r.exprMode {
		if v, ok := r.scope0(name); ok {
			return v, true
		}
		if v, ok := templateGlobals[name]; ok {
			return v, true
		}
		if v, ok := templateMethods[name]; ok {
			return &Builtin{name: name, fn: func(r *runtime, args []Value, kw []kwarg) Value { return v(f, args, kw) }}, true
		}
	}
	return nil, false
}

func (r *runtime) scope0(name string) (Value, bool) {
	if r.scope == nil {
		return nil, false
	}
	return r.scope.Lookup(name)
}

// mapped looks a $name up: local names, #set global, the template's own
// methods, the scope, imported modules, builtins.
func (f *frame) mapped(name string) (Value, bool) {
	if v, ok := f.local(name); ok {
		return v, true
	}
	r := f.r
	if v, ok := r.globalSet[name]; ok {
		return v, true
	}
	if v, ok := r.defs[name]; ok {
		return v, true
	}
	if m, ok := templateMethods[name]; ok {
		return &Builtin{name: name, fn: func(r *runtime, args []Value, kw []kwarg) Value { return m(f, args, kw) }}, true
	}
	if v, ok := r.scope0(name); ok {
		return v, true
	}
	if v, ok := r.imports[name]; ok {
		return v, true
	}
	if v, ok := templateGlobals[name]; ok {
		return v, true
	}
	v, ok := builtins[name]
	return v, ok
}

type constNode struct{ val Value }

func (n *constNode) eval(f *frame) Value { return n.val }

type nameNode struct{ name string }

func (n *nameNode) eval(f *frame) Value {
	v, ok := f.plain(n.name)
	if !ok {
		f.r.raise(excName, "name '%s' is not defined", n.name)
	}
	return v
}

// varNode is a $name: dotted names looked up as keys or attributes, functions
// met on the way called, unless arguments follow.
type varNode struct {
	base  node // nil: names[0] is looked up
	names []string
	call  bool
	full  string
}

func (n *varNode) eval(f *frame) Value {
	var v Value
	names := n.names
	if n.base != nil {
		v = n.base.eval(f)
	} else {
		var ok bool
		if v, ok = f.mapped(names[0]); !ok {
			if len(names) > 1 {
				f.r.raise(excNotFound, "cannot find '%s' while searching for '%s'", names[0], n.full)
			}
			f.r.raise(excNotFound, "cannot find '%s'", names[0])
		}
		names = names[1:]
		v = n.auto(f, v, len(names) == 0)
	}
	for i, name := range names {
		next, ok := f.r.mappedAttr(v, name)
		if !ok {
			f.r.raise(excNotFound, "cannot find '%s' while searching for '%s'", name, n.full)
		}
		v = n.auto(f, next, i == len(names)-1)
	}
	return v
}

func (n *varNode) auto(f *frame, v Value, last bool) Value {
	if last && n.call {
		return v
	}
	switch v.(type) {
	case *Builtin, *Function, *HostFunc:
		return f.r.call(v, nil, nil)
	}
	return v
}

type attrNode struct {
	obj  node
	name string
}

func (n *attrNode) eval(f *frame) Value { return f.r.attr(n.obj.eval(f), n.name) }

type indexNode struct{ obj, key node }

func (n *indexNode) eval(f *frame) Value { return f.r.index(n.obj.eval(f), n.key.eval(f)) }

type sliceNode struct{ lo, hi, step node }

type sliceVal struct{ lo, hi, step Value }

func (n *sliceNode) eval(f *frame) Value {
	s := &sliceVal{}
	if n.lo != nil {
		s.lo = n.lo.eval(f)
	}
	if n.hi != nil {
		s.hi = n.hi.eval(f)
	}
	if n.step != nil {
		s.step = n.step.eval(f)
	}
	return s
}

type argNode struct {
	name string
	star int // 1: *args, 2: **kwargs
	val  node
}

type callNode struct {
	fn   node
	args []argNode
}

func (n *callNode) eval(f *frame) Value {
	r := f.r
	fn := n.fn.eval(f)
	args := make([]Value, 0, len(n.args))
	var kw []kwarg
	for i := range n.args {
		a := &n.args[i]
		v := a.val.eval(f)
		switch {
		case a.star == 1:
			args = append(args, r.slice(v)...)
		case a.star == 2:
			d, ok := v.(*Dict)
			if !ok {
				r.raise(excType, "argument after ** must be a mapping, not %s", typeName(v))
			}
			for _, e := range d.ents {
				if e.dead {
					continue
				}
				k, ok := e.key.(string)
				if !ok {
					r.raise(excType, "keywords must be strings")
				}
				kw = append(kw, kwarg{k, e.val})
			}
		case a.name != "":
			kw = append(kw, kwarg{a.name, v})
		default:
			args = append(args, v)
		}
	}
	return r.call(fn, args, kw)
}

// call calls any callable.
func (r *runtime) call(fn Value, args []Value, kw []kwarg) Value {
	r.enter()
	defer r.leave()
	switch x := fn.(type) {
	case *Builtin:
		return x.fn(r, args, kw)
	case *Type:
		if x.make == nil {
			r.raise(excType, "cannot create '%s' instances", x.Name)
		}
		return x.make(r, args, kw)
	case *Function:
		return r.callFunction(x, args, kw)
	case *HostFunc:
		return r.callHost(x.Fn, args, kw)
	case Caller:
		return r.callHost(x.Call, args, kw)
	}
	r.raise(excType, "'%s' object is not callable", typeName(fn))
	return nil
}

func (r *runtime) callHost(fn func(context.Context, []Value, map[string]Value) (Value, error), args []Value, kw []kwarg) Value {
	r.checkTime()
	var m map[string]Value
	if len(kw) > 0 {
		m = make(map[string]Value, len(kw))
		for _, k := range kw {
			m[k.name] = k.val
		}
	}
	v, err := fn(r.ctx, args, m)
	if err != nil {
		r.hostError(err)
	}
	if s, ok := v.(string); ok {
		r.grow(len(s))
	}
	return v
}

type param struct {
	name   string
	star   int
	kwOnly bool
	def    node
}

func (r *runtime) callFunction(fn *Function, args []Value, kw []kwarg) Value {
	g := &frame{r: r, parent: fn.closure, vars: make(map[string]Value, len(fn.params))}
	pos, used := 0, 0
	for i, p := range fn.params {
		switch {
		case p.star == 1:
			g.vars[p.name] = &Tuple{Items: append([]Value(nil), args[min(pos, len(args)):]...)}
			pos = len(args)
		case p.star == 2:
			d := NewDict()
			for _, k := range kw {
				if !hasParam(fn.params, k.name) {
					d.set(r, k.name, k.val)
					used++
				}
			}
			g.vars[p.name] = d
		default:
			given := false
			if pos < len(args) && !p.kwOnly {
				g.vars[p.name] = args[pos]
				pos++
				given = true
			}
			for _, k := range kw {
				if k.name == p.name {
					if given {
						r.raise(excType, "%s() got multiple values for argument '%s'", fn.name, p.name)
					}
					g.vars[p.name] = k.val
					used++
					given = true
				}
			}
			if !given {
				if p.def == nil {
					r.raise(excType, "%s() missing 1 required positional argument: '%s'", fn.name, p.name)
				}
				g.vars[p.name] = fn.defaults[i]
			}
		}
	}
	if pos < len(args) {
		r.raise(excType, "%s() takes %d positional arguments but %d were given", fn.name, len(fn.params), len(args))
	}
	if used < len(kw) && !fn.method {
		for _, k := range kw {
			if !hasParam(fn.params, k.name) {
				r.raise(excType, "%s() got an unexpected keyword argument '%s'", fn.name, k.name)
			}
		}
	}
	if fn.expr != nil {
		return fn.expr.eval(g)
	}
	if !fn.method { // a nested #def writes where it is called
		if execBlock(g, fn.body) == ctlReturn {
			return g.result
		}
		return nil
	}
	line := r.line
	c := ctlNone
	text := r.capture(func() { c = execBlock(g, fn.body) })
	r.line = line
	if c == ctlReturn {
		return g.result
	}
	return text
}

func hasParam(ps []param, name string) bool {
	for _, p := range ps {
		if p.star == 0 && p.name == name {
			return true
		}
	}
	return false
}

func evalDefaults(f *frame, ps []param) []Value {
	out := make([]Value, len(ps))
	for i, p := range ps {
		if p.def != nil {
			out[i] = p.def.eval(f)
		}
	}
	return out
}

type lambdaNode struct {
	params []param
	body   node
}

func (n *lambdaNode) eval(f *frame) Value {
	return &Function{name: "<lambda>", params: n.params, defaults: evalDefaults(f, n.params), closure: f, expr: n.body}
}

type binNode struct {
	op   string
	a, b node
}

func (n *binNode) eval(f *frame) Value {
	a := n.a.eval(f)
	return f.r.binary(n.op, a, n.b.eval(f))
}

type unaryNode struct {
	op string
	x  node
}

func (n *unaryNode) eval(f *frame) Value { return f.r.unary(n.op, n.x.eval(f)) }

type notNode struct{ x node }

func (n *notNode) eval(f *frame) Value { return !truth(n.x.eval(f)) }

type logicNode struct {
	and  bool
	a, b node
}

func (n *logicNode) eval(f *frame) Value {
	a := n.a.eval(f)
	if truth(a) != n.and {
		return a
	}
	return n.b.eval(f)
}

type condNode struct{ cond, yes, no node }

func (n *condNode) eval(f *frame) Value {
	if truth(n.cond.eval(f)) {
		return n.yes.eval(f)
	}
	return n.no.eval(f)
}

type cmpNode struct {
	first node
	ops   []string
	rest  []node
}

func (n *cmpNode) eval(f *frame) Value {
	a := n.first.eval(f)
	for i, op := range n.ops {
		b := n.rest[i].eval(f)
		if !f.r.compare(op, a, b) {
			return false
		}
		a = b
	}
	return true
}

type walrusNode struct {
	name string
	val  node
}

func (n *walrusNode) eval(f *frame) Value {
	v := n.val.eval(f)
	f.bind(n.name, v)
	return v
}

type starNode struct{ val node }

func (n *starNode) eval(f *frame) Value { return n.val.eval(f) }

// seqNode is a tuple (t), list (l) or set (s) display.
type seqNode struct {
	kind  byte
	items []node
}

func (n *seqNode) eval(f *frame) Value {
	f.r.growList(len(n.items))
	items := make([]Value, 0, len(n.items))
	for _, i := range n.items {
		if s, ok := i.(*starNode); ok {
			items = append(items, f.r.slice(s.val.eval(f))...)
		} else {
			items = append(items, i.eval(f))
		}
	}
	switch n.kind {
	case 't':
		return &Tuple{Items: items}
	case 'l':
		return &List{Items: items}
	}
	s := &Set{}
	for _, v := range items {
		s.add(f.r, v)
	}
	return s
}

type dictNode struct{ keys, vals []node }

func (n *dictNode) eval(f *frame) Value {
	d := NewDict()
	for i, k := range n.keys {
		if k == nil {
			f.r.dictUpdate(d, n.vals[i].eval(f))
			continue
		}
		key := k.eval(f)
		d.set(f.r, key, n.vals[i].eval(f))
	}
	return d
}

type compFor struct {
	target target
	iter   node
	conds  []node
}

// compNode is a comprehension: list (l), set (s), dict (d), generator (g).
type compNode struct {
	kind      byte
	item, val node
	fors      []compFor
}

func (n *compNode) eval(f *frame) Value {
	r := f.r
	g := &frame{r: r, parent: f, vars: make(map[string]Value, 2)}
	switch n.kind {
	case 'g':
		return n.generator(g)
	case 'd':
		d := NewDict()
		n.run(g, 0, func() bool {
			k := n.item.eval(g)
			d.set(r, k, n.val.eval(g))
			return true
		})
		return d
	case 's':
		s := &Set{}
		n.run(g, 0, func() bool { s.add(r, n.item.eval(g)); return true })
		return s
	}
	l := &List{}
	n.run(g, 0, func() bool {
		r.growList(1)
		if len(l.Items) > r.lim.Value/16 {
			r.grow(r.lim.Value + 1)
		}
		l.Items = append(l.Items, n.item.eval(g))
		return true
	})
	return l
}

func (n *compNode) run(g *frame, i int, emit func() bool) bool {
	if i == len(n.fors) {
		return emit()
	}
	c := &n.fors[i]
	// the first iterable belongs to the frame around the comprehension
	ef := g
	if i == 0 {
		ef = g.parent
	}
	more := true
	g.r.each(c.iter.eval(ef), func(v Value) bool {
		c.target.assign(g, v)
		for _, cond := range c.conds {
			if !truth(cond.eval(g)) {
				return true
			}
		}
		more = n.run(g, i+1, emit)
		return more
	})
	return more
}

// generator runs the loops one step at a time, holding an iterator per for.
func (n *compNode) generator(g *frame) Value {
	its := make([]*iter, len(n.fors))
	its[0] = g.r.iterate(n.fors[0].iter.eval(g.parent))
	level := 0
	return &iter{kind: "generator", next: func() (Value, bool) {
	loop:
		for level >= 0 {
			g.r.step()
			v, ok := its[level].pull(g.r)
			if !ok {
				level--
				continue
			}
			c := &n.fors[level]
			c.target.assign(g, v)
			for _, cond := range c.conds {
				if !truth(cond.eval(g)) {
					continue loop
				}
			}
			if level == len(its)-1 {
				return n.item.eval(g), true
			}
			level++
			its[level] = g.r.iterate(n.fors[level].iter.eval(g))
		}
		return nil, false
	}}
}

type joinNode struct{ parts []node }

func (n *joinNode) eval(f *frame) Value {
	var b strings.Builder
	for _, p := range n.parts {
		s := f.r.str(p.eval(f))
		f.r.grow(b.Len() + len(s))
		b.WriteString(s)
	}
	return b.String()
}

type formatNode struct {
	expr node
	conv byte
	spec node
}

func (n *formatNode) eval(f *frame) Value {
	v := n.expr.eval(f)
	switch n.conv {
	case 'r':
		v = f.r.repr(v)
	case 's':
		v = f.r.str(v)
	case 'a':
		v = f.r.ascii(v)
	}
	spec := ""
	if n.spec != nil {
		spec = n.spec.eval(f).(string)
	}
	return f.r.format(v, spec)
}

// target is what an assignment or for stores into.
type target interface {
	assign(f *frame, v Value)
	del(f *frame)
	load(f *frame) Value
}

type nameTarget struct{ name string }

func (t *nameTarget) assign(f *frame, v Value) { f.bind(t.name, v) }

func (t *nameTarget) del(f *frame) {
	if _, ok := f.vars[t.name]; !ok {
		f.r.raise(excName, "name '%s' is not defined", t.name)
	}
	delete(f.vars, t.name)
}

func (t *nameTarget) load(f *frame) Value {
	v, ok := f.plain(t.name)
	if !ok {
		f.r.raise(excName, "name '%s' is not defined", t.name)
	}
	return v
}

type globalTarget struct{ name string }

func (t *globalTarget) assign(f *frame, v Value) {
	if f.r.globalSet == nil {
		f.r.globalSet = make(map[string]Value)
	}
	f.r.globalSet[t.name] = v
}

func (t *globalTarget) del(f *frame) { delete(f.r.globalSet, t.name) }

func (t *globalTarget) load(f *frame) Value {
	v, ok := f.r.globalSet[t.name]
	if !ok {
		f.r.throw(&Exc{Typ: excKey, Args: []Value{t.name}})
	}
	return v
}

func (t *globalTarget) eval(f *frame) Value { return t.load(f) }

type attrTarget struct {
	obj  node
	name string
}

func (t *attrTarget) assign(f *frame, v Value) { f.r.setAttr(t.obj.eval(f), t.name, v) }
func (t *attrTarget) del(f *frame) {
	f.r.raise(excAttribute, "attribute '%s' cannot be deleted", t.name)
}
func (t *attrTarget) load(f *frame) Value { return f.r.attr(t.obj.eval(f), t.name) }

type indexTarget struct{ obj, key node }

func (t *indexTarget) assign(f *frame, v Value) { f.r.setIndex(t.obj.eval(f), t.key.eval(f), v) }
func (t *indexTarget) del(f *frame)             { f.r.delIndex(t.obj.eval(f), t.key.eval(f)) }
func (t *indexTarget) load(f *frame) Value      { return f.r.index(t.obj.eval(f), t.key.eval(f)) }

type starTarget struct{ t target }

func (t *starTarget) assign(f *frame, v Value) { t.t.assign(f, v) }
func (t *starTarget) del(f *frame)             { t.t.del(f) }
func (t *starTarget) load(f *frame) Value      { return t.t.load(f) }

type tupleTarget struct{ items []target }

func (t *tupleTarget) del(f *frame) {
	for _, i := range t.items {
		i.del(f)
	}
}

func (t *tupleTarget) load(f *frame) Value {
	f.r.raise(excSyntax, "illegal expression for augmented assignment")
	return nil
}

func (t *tupleTarget) assign(f *frame, v Value) {
	r := f.r
	star := -1
	for i, x := range t.items {
		if _, ok := x.(*starTarget); ok {
			star = i
		}
	}
	var vals []Value
	if star >= 0 {
		vals = r.slice(v)
	} else {
		r.each(v, func(e Value) bool {
			vals = append(vals, e)
			return len(vals) <= len(t.items)
		})
	}
	switch {
	case star < 0 && len(vals) > len(t.items):
		r.raise(excValue, "too many values to unpack (expected %d)", len(t.items))
	case star < 0 && len(vals) < len(t.items):
		r.raise(excValue, "not enough values to unpack (expected %d, got %d)", len(t.items), len(vals))
	case star >= 0 && len(vals) < len(t.items)-1:
		r.raise(excValue, "not enough values to unpack (expected at least %d, got %d)", len(t.items)-1, len(vals))
	}
	j := 0
	for i, x := range t.items {
		if i == star {
			n := len(vals) - (len(t.items) - 1)
			x.assign(f, &List{Items: append([]Value(nil), vals[j:j+n]...)})
			j += n
			continue
		}
		x.assign(f, vals[j])
		j++
	}
}

// mappedAttr is one dotted step of a $name: a key of a dict, or an attribute.
func (r *runtime) mappedAttr(v Value, name string) (Value, bool) {
	if d, ok := v.(*Dict); ok {
		if x, ok := d.get(r, name); ok {
			return x, true
		}
	}
	if x, ok := r.lookupAttr(v, name); ok {
		return x, true
	}
	if o, ok := v.(Itemer); ok {
		x, err := o.Item(name)
		if err == nil {
			return x, true
		}
		if !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrNoAttr) {
			var re *RaiseError
			if !errors.As(err, &re) {
				r.hostError(err)
			}
		}
	}
	return nil, false
}
