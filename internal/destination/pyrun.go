package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orrery/internal/cheetah"
)

// pyFlow is how a statement ended.
type pyFlow int

const (
	pyOn pyFlow = iota
	pyBreak
	pyContinue
	pyBack // a return
)

// Bounds on one block. An expression has the engine's own besides.
const (
	maxPySteps = 20_000 // statements run
	maxPyCalls = 40     // nested calls of functions that the block defines
	maxPyItems = 100_000
)

// pyRun is the state of one run.
type pyRun struct {
	ctx   context.Context
	lim   cheetah.Limits
	steps int
	calls int
	// raised is what a function of the block raised, which the engine's own error does not carry.
	raised error
	// caught is the exception being handled, for a bare raise.
	caught error
}

// pyFrame is the names of a block or of a call of one of its functions.
type pyFrame struct {
	run    *pyRun
	vars   map[string]cheetah.Value
	up     *pyFrame
	scope  cheetah.Scope // below everything
	result cheetah.Value
}

// Lookup implements cheetah.Scope.
func (f *pyFrame) Lookup(name string) (cheetah.Value, bool) {
	for g := f; g != nil; g = g.up {
		if v, ok := g.vars[name]; ok {
			return v, true
		}
		if g.up == nil && g.scope != nil {
			return g.scope.Lookup(name)
		}
	}
	return nil, false
}

// pyException is an exception that is not the engine's.
type pyException struct {
	typ     string
	message string
	value   cheetah.Value
}

func (e *pyException) Error() string { return e.typ + ": " + e.message }

// lined adds the line to an error on its way out.
type lined struct {
	line int
	err  error
}

func (l *lined) Error() string { return l.err.Error() }
func (l *lined) Unwrap() error { return l.err }

func atLine(line int, err error) error {
	var l *lined
	if err == nil || errors.As(err, &l) {
		return err
	}
	return &lined{line, err}
}

// run runs the block. What goes wrong is a [*Problem] that wraps nothing, a *pyException that the block raised, or the
// context's error.
func (b *pyBlock) run(ctx context.Context, scope cheetah.Scope, lim cheetah.Limits) (cheetah.Value, error) {
	f := &pyFrame{run: &pyRun{ctx: ctx, lim: lim}, vars: map[string]cheetah.Value{}, scope: scope}
	_, err := runSteps(f, b.steps)
	var v cheetah.Value
	if err == nil && b.last != nil {
		v, err = f.eval(b.last)
	}
	if err == nil {
		return v, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var raised *pyException
	if errors.As(err, &raised) {
		return nil, raised
	}
	line := 1
	var l *lined
	if errors.As(err, &l) {
		line, err = l.line, l.err
	}
	return nil, b.at.problem(line, "%v", err)
}

func (f *pyFrame) eval(e *pyExpr) (cheetah.Value, error) {
	f.run.lim.Seed++ // each expression has a random generator of its own
	v, err := e.expr.Eval(f.run.ctx, f, f.run.lim)
	if err == nil {
		return v, nil
	}
	if raised := f.run.raised; raised != nil {
		f.run.raised = nil
		return nil, raised
	}
	line := e.line
	var ev *cheetah.EvalError
	if errors.As(err, &ev) {
		line += max(ev.Line, 1) - 1
		err = &cheetah.EvalError{Type: ev.Type, Msg: ev.Msg}
	}
	return nil, atLine(line, err)
}

func runSteps(f *pyFrame, steps []pyStep) (pyFlow, error) {
	for _, s := range steps {
		if f.run.steps++; f.run.steps > maxPySteps {
			return pyOn, &cheetah.EvalError{Type: "LimitExceeded", Msg: fmt.Sprintf("more than %d statements; the block probably loops without end", maxPySteps)}
		}
		if err := f.run.ctx.Err(); err != nil {
			return pyOn, err
		}
		flow, err := s.run(f)
		if err != nil || flow != pyOn {
			return flow, err
		}
	}
	return pyOn, nil
}

type (
	pyDo struct{ expr *pyExpr }
	pyIf struct {
		tests  []*pyExpr
		bodies [][]pyStep
		other  []pyStep
	}
	pyLoop struct {
		line        int
		target      pyTarget // nil: while
		over        *pyExpr
		body, other []pyStep
	}
	pyTry struct {
		body, other, finally []pyStep
		handlers             []pyHandler
	}
	pyHandler struct {
		types []string // none: all
		name  string
		body  []pyStep
	}
	pyDef struct {
		name   string
		params []pyParam
		body   []pyStep
	}
	pyParam struct {
		name  string
		value *pyExpr
	}
	pyJump   pyFlow
	pyReturn struct{ value *pyExpr }
	pyRaise  struct {
		line  int
		value *pyExpr
	}
	pyAssert struct {
		line          int
		test, message *pyExpr
	}
	pyDel struct{ targets []pyTarget }
	pySet struct {
		targets []pyTarget
		value   *pyExpr
	}
	pyImport struct {
		names  []string
		values []cheetah.Value
	}
)

func (s *pyDo) run(f *pyFrame) (pyFlow, error) {
	_, err := f.eval(s.expr)
	return pyOn, err
}

func (s *pyIf) run(f *pyFrame) (pyFlow, error) {
	for i, test := range s.tests {
		v, err := f.eval(test)
		if err != nil {
			return pyOn, err
		}
		if cheetah.Truth(v) {
			return runSteps(f, s.bodies[i])
		}
	}
	return runSteps(f, s.other)
}

var listOf = mustExpr("list(v)")

func mustExpr(source string) *cheetah.Expr {
	e, err := cheetah.CompileExpr(source)
	if err != nil {
		panic(err)
	}
	return e
}

func (s *pyLoop) run(f *pyFrame) (pyFlow, error) {
	once := func() (stop bool, flow pyFlow, err error) {
		if flow, err = runSteps(f, s.body); err != nil || flow == pyBack {
			return true, flow, err
		}
		return flow == pyBreak, pyOn, nil
	}
	if s.target == nil {
		for {
			if f.run.steps++; f.run.steps > maxPySteps {
				return runSteps(f, []pyStep{pyJump(pyOn)})
			}
			v, err := f.eval(s.over)
			if err != nil {
				return pyOn, err
			}
			if !cheetah.Truth(v) {
				return runSteps(f, s.other)
			}
			if stop, flow, err := once(); stop {
				return flow, err
			}
		}
	}
	v, err := f.eval(s.over)
	if err != nil {
		return pyOn, err
	}
	items, err := itemsOf(f, v)
	if err != nil {
		return pyOn, atLine(s.line, err)
	}
	for _, item := range items {
		if err := s.target.assign(f, item); err != nil {
			return pyOn, err
		}
		if stop, flow, err := once(); stop {
			return flow, err
		}
	}
	return runSteps(f, s.other)
}

// itemsOf are the items of any value that can be looped over.
func itemsOf(f *pyFrame, v cheetah.Value) ([]cheetah.Value, error) {
	switch v := v.(type) {
	case *cheetah.List:
		return slices.Clone(v.Items), nil
	case *cheetah.Tuple:
		return v.Items, nil
	}
	all, err := listOf.Eval(f.run.ctx, cheetah.MapScope{"v": v}, f.run.lim)
	if err != nil {
		return nil, err
	}
	items := all.(*cheetah.List).Items
	if len(items) > maxPyItems {
		return nil, fmt.Errorf("a loop over more than %d items", maxPyItems)
	}
	return items, nil
}

func (s *pyTry) run(f *pyFrame) (flow pyFlow, err error) {
	if s.finally != nil {
		defer func() {
			after, finalErr := runSteps(f, s.finally)
			if finalErr != nil || after != pyOn {
				flow, err = after, finalErr
			}
		}()
	}
	flow, err = runSteps(f, s.body)
	if err == nil {
		if flow != pyOn {
			return flow, nil
		}
		return runSteps(f, s.other)
	}
	for _, h := range s.handlers {
		if !h.takes(err) {
			continue
		}
		if h.name != "" {
			f.vars[h.name] = exceptionValue(err)
		}
		before := f.run.caught
		f.run.caught = err
		flow, err = runSteps(f, h.body)
		f.run.caught = before
		return flow, err
	}
	return flow, err
}

// parents are the exceptions above those that rules meet; all are Exceptions.
var parents = map[string][]string{
	"KeyError": {"LookupError"}, "IndexError": {"LookupError"}, "NotFound": {"LookupError", "KeyError"},
	"ZeroDivisionError": {"ArithmeticError"}, "OverflowError": {"ArithmeticError"}, "JSONDecodeError": {"ValueError"},
	"json.decoder.JSONDecodeError": {"ValueError", "JSONDecodeError"}, "UnicodeDecodeError": {"ValueError", "UnicodeError"},
	"ModuleNotFoundError": {"ImportError"}, "RecursionError": {"RuntimeError"}, "re.error": {"error"},
	// What requests raises is an OSError, too, and nothing else in a rule is.
	"OSError": {"IOError", "RequestException", "ConnectionError", "Timeout", "HTTPError"},
}

func (h pyHandler) takes(err error) bool {
	var raised *pyException
	var ev *cheetah.EvalError
	name := ""
	switch {
	case errors.As(err, &raised):
		name = raised.typ
	case errors.As(err, &ev):
		name = ev.Type
	}
	if name == "" || name == "LimitExceeded" || ev != nil && (ev.Type == "Timeout" || ev.Type == "InternalError") {
		return false // a limit of the box, or the context's end
	}
	if len(h.types) == 0 {
		return true
	}
	for _, t := range h.types {
		if t == name || t == "Exception" || t == "BaseException" || slices.Contains(parents[name], t) {
			return true
		}
	}
	return false
}

// exceptionValue is what `except … as e` gives a name.
func exceptionValue(err error) cheetah.Value {
	var raised *pyException
	if errors.As(err, &raised) && raised.value != nil {
		return raised.value
	}
	var ev *cheetah.EvalError
	if errors.As(err, &ev) {
		return &exception{typ: ev.Type, args: []cheetah.Value{ev.Msg}}
	}
	return &exception{typ: "Exception", args: []cheetah.Value{err.Error()}}
}

func (s *pyDef) run(f *pyFrame) (pyFlow, error) {
	fn := &pyFunc{def: s, up: f}
	for _, p := range s.params {
		var v cheetah.Value
		if p.value != nil {
			var err error
			if v, err = f.eval(p.value); err != nil {
				return pyOn, err
			}
		}
		fn.defaults = append(fn.defaults, v)
	}
	f.vars[s.name] = fn
	return pyOn, nil
}

// pyFunc is a function that a block defines.
type pyFunc struct {
	def      *pyDef
	up       *pyFrame
	defaults []cheetah.Value
}

// TypeName implements cheetah.Object.
func (p *pyFunc) TypeName() string { return "function" }

// Call implements cheetah.Caller.
func (p *pyFunc) Call(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
	run := p.up.run
	fail := func(format string, a ...any) (cheetah.Value, error) {
		return nil, &cheetah.RaiseError{Type: "TypeError", Msg: p.def.name + "() " + fmt.Sprintf(format, a...)}
	}
	if len(args) > len(p.def.params) {
		return fail("takes %d arguments but %d were given", len(p.def.params), len(args))
	}
	f := &pyFrame{run: run, vars: map[string]cheetah.Value{}, up: p.up}
	used := 0
	for i, param := range p.def.params {
		if i < len(args) {
			f.vars[param.name] = args[i]
		} else if v, ok := kwargs[param.name]; ok {
			f.vars[param.name] = v
			used++
		} else if param.value != nil {
			f.vars[param.name] = p.defaults[i]
		} else {
			return fail("lacks the argument %q", param.name)
		}
	}
	if used < len(kwargs) {
		return fail("was given an argument that it does not have, or one twice")
	}
	if run.calls++; run.calls > maxPyCalls {
		run.calls--
		return nil, &cheetah.RaiseError{Type: "RecursionError", Msg: "functions call one another too deep"}
	}
	defer func() { run.calls-- }()
	if _, err := runSteps(f, p.def.body); err != nil {
		run.raised = err
		return nil, err
	}
	return f.result, nil
}

func (s pyJump) run(*pyFrame) (pyFlow, error) { return pyFlow(s), nil }

func (s *pyReturn) run(f *pyFrame) (pyFlow, error) {
	f.result = nil
	if s.value != nil {
		v, err := f.eval(s.value)
		if err != nil {
			return pyOn, err
		}
		f.result = v
	}
	return pyBack, nil
}

func (s *pyRaise) run(f *pyFrame) (pyFlow, error) {
	if s.value == nil {
		if f.run.caught != nil {
			return pyOn, f.run.caught
		}
		return pyOn, atLine(s.line, errors.New("“raise” has nothing to raise again"))
	}
	v, err := f.eval(s.value)
	if err != nil {
		return pyOn, err
	}
	switch v := v.(type) {
	case *exception:
		return pyOn, atLine(s.line, &pyException{v.typ, v.Str(), v})
	case *exceptionType:
		return pyOn, atLine(s.line, &pyException{v.name, "", &exception{typ: v.name}})
	case *cheetah.Exc:
		message := ""
		if len(v.Args) > 0 {
			message = cheetah.Str(v.Args[0])
		}
		return pyOn, atLine(s.line, &pyException{v.Typ.Name, message, v})
	case *cheetah.Type:
		return pyOn, atLine(s.line, &pyException{v.Name, "", nil})
	}
	return pyOn, atLine(s.line, &cheetah.EvalError{Type: "TypeError", Msg: "exceptions must derive from BaseException"})
}

func (s *pyAssert) run(f *pyFrame) (pyFlow, error) {
	v, err := f.eval(s.test)
	if err != nil || cheetah.Truth(v) {
		return pyOn, err
	}
	message := cheetah.Value("")
	if s.message != nil {
		if message, err = f.eval(s.message); err != nil {
			return pyOn, err
		}
	}
	return pyOn, atLine(s.line, &cheetah.EvalError{Type: "AssertionError", Msg: cheetah.Str(message)})
}

func (s *pyDel) run(f *pyFrame) (pyFlow, error) {
	for _, t := range s.targets {
		if err := t.del(f); err != nil {
			return pyOn, err
		}
	}
	return pyOn, nil
}

func (s *pySet) run(f *pyFrame) (pyFlow, error) {
	v, err := f.eval(s.value)
	if err != nil {
		return pyOn, err
	}
	for _, t := range s.targets {
		if err := t.assign(f, v); err != nil {
			return pyOn, atLine(s.value.line, err)
		}
	}
	return pyOn, nil
}

func (s *pyImport) run(f *pyFrame) (pyFlow, error) {
	for i, name := range s.names {
		f.vars[name] = s.values[i]
	}
	return pyOn, nil
}

// pyTarget is what can be assigned to.
type pyTarget interface {
	assign(f *pyFrame, v cheetah.Value) error
	del(f *pyFrame) error
}

type (
	pyName  string
	pyTuple struct {
		line  int
		items []pyTarget
	}
	pyIndex struct{ base, key *pyExpr }
	pyAttr  struct {
		base *pyExpr
		name string
	}
)

func (t pyName) assign(f *pyFrame, v cheetah.Value) error {
	f.vars[string(t)] = v
	return nil
}

func (t pyName) del(f *pyFrame) error {
	if _, ok := f.vars[string(t)]; !ok {
		return &cheetah.EvalError{Type: "NameError", Msg: fmt.Sprintf("name '%s' is not defined", string(t))}
	}
	delete(f.vars, string(t))
	return nil
}

func (t *pyTuple) assign(f *pyFrame, v cheetah.Value) error {
	items, err := itemsOf(f, v)
	if err != nil {
		return atLine(t.line, err)
	}
	if len(items) != len(t.items) {
		return atLine(t.line, &cheetah.EvalError{Type: "ValueError", Msg: fmt.Sprintf("%d values for %d names", len(items), len(t.items))})
	}
	for i, item := range items {
		if err := t.items[i].assign(f, item); err != nil {
			return err
		}
	}
	return nil
}

func (t *pyTuple) del(f *pyFrame) error {
	for _, item := range t.items {
		if err := item.del(f); err != nil {
			return err
		}
	}
	return nil
}

func (t *pyIndex) parts(f *pyFrame) (base, key cheetah.Value, err error) {
	if base, err = f.eval(t.base); err != nil {
		return nil, nil, err
	}
	key, err = f.eval(t.key)
	return base, key, err
}

var (
	hashOf = mustExpr("hash(v) is None")
	dictOf = mustExpr("d.pop(k)")
)

func (t *pyIndex) assign(f *pyFrame, v cheetah.Value) error {
	base, key, err := t.parts(f)
	if err != nil {
		return err
	}
	switch b := base.(type) {
	case *cheetah.Dict:
		if _, err := hashOf.Eval(f.run.ctx, cheetah.MapScope{"v": key}, f.run.lim); err != nil {
			return atLine(t.base.line, err)
		}
		b.Set(key, v)
		return nil
	case *cheetah.List:
		if i, ok := key.(int64); ok {
			if i < 0 {
				i += int64(len(b.Items))
			}
			if i < 0 || i >= int64(len(b.Items)) {
				return atLine(t.base.line, &cheetah.EvalError{Type: "IndexError", Msg: "list assignment index out of range"})
			}
			b.Items[i] = v
			return nil
		}
	case cheetah.ItemSetter:
		return atLine(t.base.line, b.SetItem(key, v))
	}
	return atLine(t.base.line, &cheetah.EvalError{Type: "TypeError", Msg: "this object does not support item assignment"})
}

func (t *pyIndex) del(f *pyFrame) error {
	base, key, err := t.parts(f)
	if err != nil {
		return err
	}
	_, err = dictOf.Eval(f.run.ctx, cheetah.MapScope{"d": base, "k": key}, f.run.lim)
	return atLine(t.base.line, err)
}

func (t *pyAttr) assign(f *pyFrame, v cheetah.Value) error {
	base, err := f.eval(t.base)
	if err != nil {
		return err
	}
	if o, ok := base.(cheetah.AttrSetter); ok {
		if err := o.SetAttr(t.name, v); err != nil {
			return atLine(t.base.line, &cheetah.EvalError{Type: "AttributeError", Msg: err.Error()})
		}
		return nil
	}
	return atLine(t.base.line, &cheetah.EvalError{Type: "AttributeError", Msg: fmt.Sprintf("the attribute %q of this object cannot be set in a rule", t.name)})
}

func (t *pyAttr) del(*pyFrame) error {
	return atLine(t.base.line, &cheetah.EvalError{Type: "AttributeError", Msg: fmt.Sprintf("the attribute %q cannot be deleted", t.name)})
}

// exceptionType is an exception class that a rule imports.
type exceptionType struct{ name string }

// TypeName implements cheetah.Object.
func (e *exceptionType) TypeName() string { return "type" }

// Call implements cheetah.Caller.
func (e *exceptionType) Call(_ context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
	return &exception{typ: e.name, args: args}, nil
}

// exception is an instance of one.
type exception struct {
	typ  string
	args []cheetah.Value
}

// TypeName implements cheetah.Object.
func (e *exception) TypeName() string { return e.typ }

// Str implements cheetah.Strer.
func (e *exception) Str() string {
	switch len(e.args) {
	case 0:
		return ""
	case 1:
		return cheetah.Str(e.args[0])
	}
	return cheetah.Str(cheetah.NewTuple(e.args...))
}

// Attr implements cheetah.Attrer.
func (e *exception) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "args":
		return cheetah.NewTuple(e.args...), nil
	case "failure_message", "message":
		return e.Str(), nil
	}
	return nil, cheetah.ErrNoAttr
}

// pyLimits bound one expression of a rule.
func (r *Router) pyLimits() cheetah.Limits {
	return cheetah.Limits{Steps: 5_000_000, Duration: 5 * time.Second, Value: 4 << 20, Memory: 32 << 20, Now: r.opts.Now, Seed: int64(r.opts.Intn(1<<52)) + 1, File: r.opts.File}
}
