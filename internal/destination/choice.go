package destination

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"orrery/internal/config"
)

// Choice is where a job goes.
type Choice struct {
	ID     string // the destination's, or the name that a rule gave it
	Runner string
	// Params are the destination's parameters as text: lists and mappings as JSON, booleans as true and false. What is
	// null is left out.
	Params map[string]string
	Env    []Env
	Tags   []string
	// Resubmit are the rules for the case that the job fails there, for [Router.ResubmitFor].
	Resubmit []Resubmit
	// Limits are the concurrency limits that hold there: first those of the id, then those of its tags.
	Limits []Limit
	Shell  string
	// Metrics is as config.Destination has it.
	Metrics any
	// Via are the dynamic destinations that led here, outermost first.
	Via []string
}

// Env is one step of preparing the job's environment.
type Env = config.EnvEntry

// Resubmit is one rule for sending a failed job elsewhere. Condition and Delay are expressions, Destination an id or a
// tag ("" is the same one), Handler the handler or tag that takes it ("" leaves it).
type Resubmit = config.Resubmit

// Limit bounds what runs at once at destinations of one id or tag. 0 is no limit.
type Limit struct {
	Key         string // the id or tag
	User, Total int    // jobs of one user, and of all
}

// Refused says that a job cannot go anywhere. The message is for the person whose job it is.
type Refused struct {
	Message string
	// Cause is what went wrong in a rule, for the log; nil when the rule meant it.
	Cause error
}

func (r *Refused) Error() string { return r.Message }

func (r *Refused) Unwrap() error { return r.Cause }

// NotReady says that a rule wants the job to wait; it is asked again later.
type NotReady struct{ Message string }

func (n *NotReady) Error() string { return n.Message }

// choice makes the outcome for a destination of the configuration.
func (r *Router) choice(d config.Destination) Choice {
	return r.limited(Choice{
		ID: d.ID, Runner: d.Runner, Params: texts(d.Params), Env: slices.Clone(d.Env), Tags: slices.Clone(d.Tags),
		Resubmit: slices.Clone(d.Resubmit), Shell: d.Shell, Metrics: d.Metrics,
	})
}

// limited adds the limits that hold for the choice's id and tags.
func (r *Router) limited(c Choice) Choice {
	c.Limits = nil
	seen := map[string]bool{}
	for _, key := range append([]string{c.ID}, c.Tags...) {
		user, total := r.cfg.Limits.DestinationUserConcurrentJobs[key], r.cfg.Limits.DestinationTotalConcurrentJobs[key]
		if !seen[key] && (user > 0 || total > 0) {
			c.Limits = append(c.Limits, Limit{Key: key, User: user, Total: total})
		}
		seen[key] = true
	}
	return c
}

// texts turns parameters into text.
func texts(params map[string]any) map[string]string {
	out := make(map[string]string, len(params))
	for name, v := range params {
		if v != nil {
			out[name] = text(v)
		}
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case float64:
		return floatText(v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// floatText prints a number as Python does for usual sizes, so that 8.0 stays 8.0.
func floatText(f float64) string {
	if f == float64(int64(f)) && f > -1e15 && f < 1e15 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
