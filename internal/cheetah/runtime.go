package cheetah

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// runtime is the box around one rendering: its names, budgets and output.
type runtime struct {
	ctx      context.Context
	lim      Limits
	steps    int64
	memory   int64
	depth    int
	pulls    int // iterators drawing from one another just now
	line     int
	deadline time.Time

	scope     Scope
	exprMode  bool             // names are the scope's before they are builtins
	imports   map[string]Value // #import
	globalSet map[string]Value // #set global, #attr
	defs      map[string]Value // #def
	out       *strings.Builder
	written   int
	random    *twister
}

func newRuntime(ctx context.Context, scope Scope, lim Limits) *runtime {
	if ctx == nil {
		ctx = context.Background()
	}
	r := &runtime{ctx: ctx, lim: lim.withDefaults(), scope: scope}
	r.deadline = time.Now().Add(r.lim.Duration)
	if d, ok := ctx.Deadline(); ok && d.Before(r.deadline) {
		r.deadline = d
	}
	return r
}

// limitError ends the rendering; templates cannot catch it.
type limitError struct{ kind, msg string }

func (e *limitError) Error() string { return e.msg }

func (r *runtime) step() {
	r.steps++
	if r.steps > r.lim.Steps {
		panic(&limitError{"LimitExceeded", fmt.Sprintf("more than %d steps; the template probably loops without end", r.lim.Steps)})
	}
	if r.steps&0x3ff == 0 {
		r.checkTime()
	}
}

// charge counts n steps at once, for work done in one go.
func (r *runtime) charge(n int) {
	r.steps += int64(n)
	r.step()
}

func (r *runtime) checkTime() {
	select {
	case <-r.ctx.Done():
		panic(&limitError{"Timeout", "evaluation was stopped: " + context.Cause(r.ctx).Error()})
	default:
	}
	if time.Now().After(r.deadline) {
		panic(&limitError{"Timeout", fmt.Sprintf("evaluation took longer than %s", r.lim.Duration)})
	}
}

// grow pays for a value of n bytes before it is built.
func (r *runtime) grow(n int) {
	if n < 0 || n > r.lim.Value {
		panic(&limitError{"LimitExceeded", fmt.Sprintf("a value of more than %d bytes", r.lim.Value)})
	}
	r.memory += int64(n)
	if r.memory > int64(r.lim.Memory) {
		panic(&limitError{"LimitExceeded", fmt.Sprintf("more than %d bytes of values", r.lim.Memory)})
	}
	if n > 4096 {
		r.charge(n >> 10)
	}
}

// growList pays for a list of n items; n may come from the template.
func (r *runtime) growList(n int) {
	if n > r.lim.Value/16 {
		n = r.lim.Value/16 + 1
	}
	r.grow(n * 16)
}

func (r *runtime) write(s string) {
	r.written += len(s)
	if r.written > r.lim.Output {
		panic(&limitError{"LimitExceeded", fmt.Sprintf("more than %d bytes of output", r.lim.Output)})
	}
	r.out.WriteString(s)
}

// enter and leave bracket a call.
func (r *runtime) enter() {
	r.step()
	r.depth++
	if r.depth > r.lim.Depth {
		r.raise(excRecursion, "maximum recursion depth exceeded")
	}
}

func (r *runtime) leave() { r.depth-- }

// capture runs f with a fresh output and gives back what it wrote.
func (r *runtime) capture(f func()) string {
	old := r.out
	var b strings.Builder
	r.out = &b
	defer func() { r.out = old }()
	f()
	r.grow(b.Len())
	return b.String()
}

// guard runs f and turns whatever it raises into an error.
func (r *runtime) guard(name string, f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *Exc:
			line := p.line
			if line == 0 {
				line = r.line
			}
			err = &EvalError{Name: name, Line: line, Type: p.Typ.Name, Msg: excText(p)}
		case *limitError:
			err = &EvalError{Name: name, Line: r.line, Type: p.kind, Msg: p.msg}
		default:
			err = &EvalError{Name: name, Line: r.line, Type: "InternalError", Msg: fmt.Sprint("the template engine failed: ", p)}
		}
	}()
	f()
	return nil
}

func excText(e *Exc) (s string) {
	defer func() {
		if recover() != nil {
			s = e.Typ.Name
		}
	}()
	s = newRuntime(context.Background(), nil, Limits{}).str(e)
	if s == "" {
		s = e.Typ.Name
	}
	return s
}
