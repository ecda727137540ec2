package cheetah

import (
	"context"
	"fmt"
	"strings"
)

// Scope supplies the names a template may use.
type Scope interface {
	Lookup(name string) (Value, bool)
}

// MapScope is a Scope over a Go map. Its values must be Values (see FromGo).
type MapScope map[string]Value

// Lookup returns the value under the name.
func (m MapScope) Lookup(name string) (Value, bool) { v, ok := m[name]; return v, ok }

// SyntaxError says what is wrong with a template or expression, and where.
type SyntaxError struct {
	Name string
	Line int // from 1
	Msg  string
}

func (e *SyntaxError) Error() string { return where(e.Name, e.Line) + e.Msg }

// EvalError is a failure while rendering. Type is the Python exception
// ("NameError", "NotFound", …), or "LimitExceeded", "Timeout" when a limit of
// the box was hit.
type EvalError struct {
	Name string
	Line int // from 1; 0 when there is none
	Type string
	Msg  string
}

func (e *EvalError) Error() string {
	s := where(e.Name, e.Line)
	switch e.Type {
	case "NameError", "NotFound":
		return s + e.Msg
	}
	return s + e.Type + ": " + e.Msg
}

func where(name string, line int) string {
	s := ""
	if name != "" {
		s = name + ": "
	}
	if line > 0 {
		s += fmt.Sprintf("line %d: ", line)
	}
	return s
}

// Template is a compiled template. It never changes, so that any number of
// goroutines may render it at the same time.
type Template struct {
	name    string
	body    []stmt
	imports []stmt
	attrs   []stmt
	defs    []*defStmt
}

// Compile parses a template. name appears in messages. The error is a
// *SyntaxError.
func Compile(name, source string) (*Template, error) { return compileTemplate(name, source) }

// Render fills the template. The error is an *EvalError.
func (t *Template) Render(ctx context.Context, scope Scope, lim Limits) (string, error) {
	r := newRuntime(ctx, scope, lim)
	var b strings.Builder
	r.out = &b
	err := r.guard(t.name, func() {
		if r.ctx.Err() != nil {
			r.checkTime()
		}
		f := &frame{r: r}
		for _, s := range t.imports {
			s.exec(f)
		}
		if len(t.defs) > 0 {
			r.defs = make(map[string]Value, len(t.defs))
			for _, d := range t.defs {
				r.defs[d.name] = &Function{name: d.name, params: d.params, defaults: d.evalDefaults(f), body: d.body, method: true}
			}
		}
		for _, s := range t.attrs {
			s.exec(f)
		}
		execBlock(f, t.body)
	})
	if err != nil {
		return "", err
	}
	return b.String(), nil
}

// Expr is a compiled Python expression, such as a tool's <filter>. Any number
// of goroutines may evaluate it at the same time.
type Expr struct {
	source string
	root   node
}

// CompileExpr parses a Python expression. The error is a *SyntaxError.
func CompileExpr(source string) (*Expr, error) { return compileExpr(source) }

// Eval evaluates the expression. The error is an *EvalError.
func (e *Expr) Eval(ctx context.Context, scope Scope, lim Limits) (v Value, err error) {
	r := newRuntime(ctx, scope, lim)
	var b strings.Builder
	r.out = &b
	r.exprMode = true
	err = r.guard("", func() {
		if r.ctx.Err() != nil {
			r.checkTime()
		}
		v = e.root.eval(&frame{r: r})
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Str is Python's str(v).
func Str(v Value) string {
	s, ok := v.(string)
	if ok {
		return s
	}
	r := newRuntime(context.Background(), nil, Limits{})
	if err := r.guard("", func() { s = r.str(v) }); err != nil {
		return "<" + typeName(v) + ">"
	}
	return s
}

// Repr is Python's repr(v).
func Repr(v Value) (s string) {
	r := newRuntime(context.Background(), nil, Limits{})
	if err := r.guard("", func() { s = r.repr(v) }); err != nil {
		return "<" + typeName(v) + ">"
	}
	return s
}

// Truth is Python's bool(v).
func Truth(v Value) bool { return truth(v) }
