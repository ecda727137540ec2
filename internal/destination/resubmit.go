package destination

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery/internal/cheetah"
)

// Failure is why a job ended badly, as far as resubmission tells them apart.
type Failure int

// The failures, with the name that conditions know each by.
const (
	UnknownError       Failure = iota // unknown_error
	WalltimeReached                   // walltime_reached
	MemoryLimitReached                // memory_limit_reached
	ToolDetected                      // tool_detected_failure (tool_detected, too): the tool's exit code or output said so
	ToolTimeLimit                     // tool_timelimit_reached
	OutputNotReturned                 // a cluster lost the output; only any_failure holds
)

// ResubmitState is what conditions and delays are computed from.
type ResubmitState struct {
	Failure Failure
	// Attempt is the number of the attempt that failed, from 1.
	Attempt int
	// Running is how long the attempt has run; Queued is the time since it was queued.
	Running, Queued time.Duration
}

// variables are the names that conditions may use.
func (s ResubmitState) variables() cheetah.MapScope {
	return cheetah.MapScope{
		"walltime_reached":          s.Failure == WalltimeReached,
		"memory_limit_reached":      s.Failure == MemoryLimitReached,
		"unknown_error":             s.Failure == UnknownError,
		"tool_detected_failure":     s.Failure == ToolDetected,
		"tool_detected":             s.Failure == ToolDetected,
		"tool_timelimit_reached":    s.Failure == ToolTimeLimit,
		"any_failure":               true,
		"any_potential_job_failure": true,
		"attempt":                   int64(max(s.Attempt, 1)),
		"seconds_running":           s.Running.Seconds(),
		"seconds_since_queued":      s.Queued.Seconds(),
	}
}

// Reason says in words why a job is sent again.
func (s ResubmitState) Reason() string {
	switch s.Failure {
	case WalltimeReached:
		return "it reached the walltime"
	case MemoryLimitReached:
		return "it needed more memory than it was given"
	case ToolDetected:
		return "its tool reported an error"
	case ToolTimeLimit:
		return "it ran for longer than its tool allows"
	case OutputNotReturned:
		return "its output did not come back from the cluster"
	}
	return "of an unknown error"
}

// maxDelay is the longest delay of a resubmission.
const maxDelay = 30 * 24 * time.Hour

// ResubmitFor finds the first rule of a choice whose condition holds; nil when the job is not sent again. The delay is
// zero or more, at most 30 days. An error names the expression that failed; the job then fails as if there were no rule.
func (r *Router) ResubmitFor(rules []Resubmit, state ResubmitState) (*Resubmit, time.Duration, error) {
	for i := range rules {
		rule := rules[i]
		if rule.Condition != "" {
			v, err := r.resub.eval(rule.Condition, state)
			if err != nil {
				return nil, 0, err
			}
			if !cheetah.Truth(v) {
				continue
			}
		}
		var delay time.Duration
		if strings.TrimSpace(rule.Delay) != "" {
			v, err := r.resub.eval(rule.Delay, state)
			if err != nil {
				return nil, 0, err
			}
			seconds, ok := number(v)
			if !ok || math.IsNaN(seconds) {
				return nil, 0, fmt.Errorf("the delay %q of a resubmission gives %s, not a number of seconds", clip(rule.Delay, 200), clip(cheetah.Repr(v), 80))
			}
			delay = time.Duration(min(max(seconds, 0), maxDelay.Seconds()) * float64(time.Second))
		}
		return &rule, delay, nil
	}
	return nil, 0, nil
}

// expressions are those of resubmissions, each compiled once.
type expressions struct {
	mu       sync.Mutex
	compiled map[string]*cheetah.Expr
}

// maxExpressions bounds the memory of expressions that rules make up job by job.
const maxExpressions = 1000

// resubmitNames are the names that an expression may hold besides its variables.
var (
	word         = regexp.MustCompile(`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[0-9][0-9A-Za-z_.]*|[A-Za-z_][A-Za-z0-9_]*`)
	resubmitWord = map[string]bool{
		"and": true, "or": true, "not": true, "in": true, "is": true, "if": true, "else": true, "True": true, "False": true, "None": true,
		"abs": true, "all": true, "any": true, "bool": true, "divmod": true, "float": true, "int": true, "len": true, "max": true, "min": true,
		"pow": true, "range": true, "round": true, "sorted": true, "str": true, "sum": true,
	}
)

// check compiles an expression and looks at the names in it; "" is none.
func (e *expressions) check(source string) error {
	if strings.TrimSpace(source) == "" {
		return nil
	}
	_, err := e.compile(source)
	if err != nil {
		return err
	}
	known := ResubmitState{}.variables()
	for _, name := range word.FindAllString(source, -1) {
		if _, ok := known[name]; ok || resubmitWord[name] || name[0] < 'A' {
			continue
		}
		return fmt.Errorf("“%s” is not known there; there are walltime_reached, memory_limit_reached, unknown_error, tool_detected_failure, tool_timelimit_reached, any_failure, any_potential_job_failure, attempt, seconds_running and seconds_since_queued", clip(name, 60))
	}
	return nil
}

func (e *expressions) compile(source string) (*cheetah.Expr, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x, ok := e.compiled[source]; ok {
		return x, nil
	}
	x, err := cheetah.CompileExpr(strings.TrimSpace(source))
	if err != nil {
		return nil, fmt.Errorf("“%s” is not an expression: %w", clip(source, 200), err)
	}
	if e.compiled == nil || len(e.compiled) >= maxExpressions {
		e.compiled = map[string]*cheetah.Expr{}
	}
	e.compiled[source] = x
	return x, nil
}

func (e *expressions) eval(source string, state ResubmitState) (cheetah.Value, error) {
	if err := e.check(source); err != nil {
		return nil, err
	}
	x, err := e.compile(source)
	if err != nil {
		return nil, err
	}
	v, err := x.Eval(context.Background(), state.variables(), cheetah.Limits{Steps: 100_000, Duration: time.Second, Value: 1 << 16, Memory: 1 << 20})
	if err != nil {
		return nil, fmt.Errorf("the expression %q of a resubmission failed: %w", clip(source, 200), err)
	}
	return v, nil
}

func number(v cheetah.Value) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// clip shortens s to at most n bytes for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
