package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"orrery/internal/cheetah"
)

// tpv is a dynamic destination that Total Perspective Vortex's rules decide.
type tpv struct {
	router *Router
	id     string
	cfg    *tpvConfig
	code   *tpvCode
	names  map[string][]pattern // by section
	offers []*entity            // the destinations over their defaults

	mu    sync.Mutex
	found map[string][]string // entities that match a name, by section and name
}

// maxFound bounds the names whose entities are remembered.
const maxFound = 5000

// tpvJob is the mapping of one job.
type tpvJob struct {
	*tpv
	ctx  context.Context
	req  *Request
	vars map[string]cheetah.Value // what TPV calls the context
	base map[string]cheetah.Value // names that are always there
}

// Lookup implements cheetah.Scope.
func (j *tpvJob) Lookup(name string) (cheetah.Value, bool) {
	switch name {
	case "helpers":
		return j.base["helpers"], true
	case "input_size":
		return inputSize(j.req.Inputs), true
	case "locals", "globals":
		all := cheetah.NewDict()
		for _, m := range []map[string]cheetah.Value{j.base, j.vars} {
			for name, v := range m {
				all.Set(name, v)
			}
		}
		return constant(name, all), true
	}
	if v, ok := j.vars[name]; ok {
		return v, true
	}
	v, ok := j.base[name]
	return v, ok
}

// maxMapping is the longest that rules may take for one job.
const maxMapping = 30 * time.Second

func (t *tpv) choose(ctx context.Context, req *Request) (Choice, error) {
	bounded, cancel := context.WithTimeout(ctx, maxMapping)
	defer cancel()
	counting := &counts{}
	bounded = context.WithValue(bounded, countsKey{}, counting)
	j := &tpvJob{tpv: t, ctx: bounded, req: req, vars: map[string]cheetah.Value{}}
	c, err := j.choose()
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return Choice{}, ctx.Err()
	}
	if counting.err != nil {
		return Choice{}, counting.err
	}
	var raised *pyException
	var refusal *Refused
	var wait *NotReady
	switch {
	case errors.As(err, &refusal), errors.As(err, &wait):
		return Choice{}, err
	case errors.As(err, &raised) && raised.typ == "JobMappingException":
		return Choice{}, &Refused{Message: orElse(raised.message, "The rules of this server refuse this job.")}
	case errors.As(err, &raised) && raised.typ == "JobNotReadyException":
		return Choice{}, &NotReady{orElse(raised.message, "The rules of this server let this job wait.")}
	}
	return Choice{}, &Refused{
		Message: "The server could not decide where this job should run, since one of its rules failed. Please tell its administrators.",
		Cause:   fmt.Errorf("the rules of the dynamic destination %s: %w", t.id, err),
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (j *tpvJob) choose() (Choice, error) {
	if d, ok := j.cfg.context.(*cheetah.Dict); ok {
		j.update(deepCopy(d, 0))
	}
	j.names()
	list, err := j.entities()
	if err != nil {
		return Choice{}, err
	}
	combined := list[0]
	for _, e := range list[1:] {
		if combined, err = e.combine(combined); err != nil {
			return Choice{}, err
		}
	}
	j.vars["entity"], j.vars["self"] = combined, combined
	evaluated, err := j.rules(combined)
	if err != nil {
		return Choice{}, err
	}
	j.vars["entity"], j.vars["self"] = evaluated, evaluated
	evaluated.rules = nil

	ranked, err := j.ranked(evaluated)
	if err != nil {
		return Choice{}, err
	}
	wait := ""
	waits := false
	for _, d := range ranked {
		c, err := j.at(d, evaluated)
		var raised *pyException
		switch {
		case err == nil:
			return c, nil
		case errors.As(err, &raised) && raised.typ == "TryNextDestinationOrFail":
		case errors.As(err, &raised) && raised.typ == "TryNextDestinationOrWait":
			wait, waits = raised.message, true
		default:
			return Choice{}, err
		}
	}
	if waits {
		return Choice{}, &NotReady{orElse(wait, "Every destination that could take this job asks it to wait.")}
	}
	return Choice{}, refused("No destination of this server can take this job: none has what the tool %s needs (cores %s, memory %s GB, GPUs %s; %s).", j.req.Tool.ID,
		amount(evaluated, "cores"), amount(evaluated, "mem"), amount(evaluated, "gpus"), evaluated.tags.Str())
}

// amount is a resource for a message; expressions were not kept.
func amount(e *entity, name string) string {
	if _, ok := number(e.vals[name]); ok {
		return e.text(name)
	}
	return "as its rules say"
}

func (j *tpvJob) update(v cheetah.Value) {
	if d, ok := v.(*cheetah.Dict); ok {
		d.Each(func(key, val cheetah.Value) bool {
			j.vars[cheetah.Str(key)] = val
			return true
		})
	}
}

func (j *tpvJob) eval(v cheetah.Value, mode codeMode) (cheetah.Value, error) {
	return j.code.eval(j.ctx, cheetah.Str(v), mode, j)
}

// entities finds the entities of the job's tool, of the first of its user's roles that has one, and of the user.
func (j *tpvJob) entities() ([]*entity, error) {
	tool := j.req.Tool
	name := tool.ID
	if tool.UUID != "" {
		name = orElse(tool.Type, "default") + "-" + tool.UUID
	}
	provided := newEntity(toolEntity, "tool_provided_resources_"+orElse(tool.UUID, tool.ID))
	provided.tags.override(tagAccept, "tool_type_"+orElse(tool.Type, "default"))
	for field, v := range toolResources(tool) {
		provided.vals[field] = v
	}
	e, err := j.matching("tools", name, provided)
	if err != nil {
		return nil, err
	}
	list := []*entity{e}
	if j.req.User == nil {
		return list, nil
	}
	for _, role := range j.req.User.Roles {
		if e, err = j.matching("roles", role, nil); err != nil {
			return nil, err
		} else if e != nil {
			list = append(list, e)
			break
		}
	}
	if e, err = j.matching("users", j.req.User.Email, nil); err != nil {
		return nil, err
	} else if e != nil {
		list = append(list, e)
	}
	return list, nil
}

// matching lays all entities that match a name over one another, the defaults below; nil when there is none.
func (j *tpvJob) matching(section, name string, provided *entity) (*entity, error) {
	list := j.cfg.lists[section]
	var stack []*entity
	if d, ok := list.by[j.cfg.defaultInherits]; ok {
		stack = append(stack, d)
	}
	if provided != nil {
		stack = append(stack, provided)
	}
	ids, err := j.matches(section, name)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		e := list.by[id]
		if cheetah.Truth(e.vals["abstract"]) {
			return nil, refused("This job cannot be sent anywhere: its tool, user or role matches “%s” of the server's rules, which is abstract. Please tell its administrators.", id)
		}
		stack = append(stack, e)
	}
	if len(stack) == 0 {
		return nil, nil
	}
	out := stack[0]
	for _, e := range stack[1:] {
		out = e.inherit(out)
	}
	return out, nil
}

func (t *tpv) matches(section, name string) ([]string, error) {
	key := section + "\x00" + name
	t.mu.Lock()
	ids, ok := t.found[key]
	t.mu.Unlock()
	if ok {
		return ids, nil
	}
	lim := t.router.pyLimits()
	for _, p := range t.names[section] {
		ok, err := p.match(context.Background(), name, lim)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, p.id)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil || len(t.found) >= maxFound {
		t.found = map[string][]string{}
	}
	t.found[key] = ids
	return ids, nil
}

// rules applies the rules of an entity, each to what the ones before it made.
func (j *tpvJob) rules(e *entity) (*entity, error) {
	out := e.clone()
	j.update(out.vals["context"])
	for _, r := range e.rules {
		holds, err := j.eval(r.vals["if_condition"], codeValue)
		if err != nil {
			return nil, err
		}
		if !cheetah.Truth(holds) {
			continue
		}
		applied := r
		if fail := r.vals["fail"]; cheetah.Truth(fail) {
			message, err := j.eval(fail, codeText)
			if err != nil {
				return nil, err
			}
			return nil, &pyException{typ: "JobMappingException", message: cheetah.Str(message)}
		}
		if execute := r.vals["execute"]; cheetah.Truth(execute) {
			if _, err := j.eval(execute, codeBlock); err != nil {
				return nil, err
			}
			changed, ok := j.vars["entity"].(*entity)
			if !ok {
				return nil, errors.New("a rule replaced “entity” by something else")
			}
			applied = changed
		}
		merged := applied.inherit(out)
		for _, name := range []string{"gpus", "cores", "mem"} {
			if v := applied.vals[name]; cheetah.Truth(v) {
				merged.vals[name] = v
			}
		}
		out = merged
		out.id = fmt.Sprintf("%s, Rule: %s", out.id, applied.id)
		j.vars["entity"] = out
	}
	return out, nil
}

var (
	largest  = mustExpr("max(a or 0, b or 0)")
	smallest = mustExpr("min(a or 0, b or 0)")
)

// resources evaluates cores, mem and gpus within their bounds.
func (j *tpvJob) resources(e *entity) (*entity, error) {
	out := e.clone()
	j.update(out.vals["context"])
	for _, name := range resourceOrder {
		v := e.vals[name]
		if v == nil {
			continue
		}
		v, err := j.eval(v, codeValue)
		if err != nil {
			return nil, err
		}
		out.vals[name] = v
		if name == "gpus" || name == "cores" || name == "mem" {
			for _, bound := range []struct {
				prefix string
				expr   *cheetah.Expr
			}{{"min_", largest}, {"max_", smallest}} {
				if b := out.vals[bound.prefix+name]; cheetah.Truth(b) {
					if v, err = bound.expr.Eval(j.ctx, cheetah.MapScope{"a": b, "b": v}, j.router.pyLimits()); err != nil {
						return nil, fmt.Errorf("%s of %s and its bound cannot be compared: %w", name, e.id, err)
					}
				}
			}
			out.vals[name] = v
		}
		j.vars[name] = v
	}
	return out, nil
}

// offer lays the destinations over what holds for all of them.
func (t *tpv) offer() {
	list := t.cfg.lists["destinations"]
	// A tool that a user defined runs only where a destination says that it takes those.
	below := newEntity(destinationEntity, "tool_type_secure_defaults")
	below.destTags.override(tagReject, "tool_type_user_defined")
	if d, ok := list.by[t.cfg.defaultInherits]; ok {
		below = below.inherit(d)
	}
	for _, id := range list.order {
		t.offers = append(t.offers, list.by[id].inherit(below))
	}
}

// ranked are the destinations that can take the job, the best first.
func (j *tpvJob) ranked(e *entity) ([]*entity, error) {
	evaluated, err := j.resources(e)
	if err != nil {
		return nil, err
	}
	candidates := cheetah.NewList()
	for _, d := range j.offers {
		ok, err := d.accepts(evaluated)
		if err != nil {
			return nil, err
		}
		if ok {
			candidates.Items = append(candidates.Items, d.clone()) // rules may change it
		}
	}
	var order []cheetah.Value
	if rank := e.vals["rank"]; cheetah.Truth(rank) {
		j.vars["candidate_destinations"] = candidates
		v, err := j.eval(rank, codeValue)
		if err != nil {
			return nil, err
		}
		f := &pyFrame{run: &pyRun{ctx: j.ctx, lim: j.router.pyLimits()}}
		if v != nil {
			if order, err = itemsOf(f, v); err != nil {
				return nil, fmt.Errorf("rank has to give a list of destinations: %w", err)
			}
		}
	} else {
		order = slices.Clone(candidates.Items)
		scores := make(map[cheetah.Value]int64, len(order))
		for _, d := range order {
			scores[d] = d.(*entity).destTags.score(e.tags)
		}
		sort.SliceStable(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
	}
	var out []*entity
	for _, v := range order {
		d, ok := v.(*entity)
		if !ok || d.kind != destinationEntity {
			return nil, fmt.Errorf("rank gave %s, which is not a destination", clip(cheetah.Repr(v), 80))
		}
		out = append(out, d)
	}
	return out, nil
}

// at evaluates everything that was left until the destination is known.
func (j *tpvJob) at(d, job *entity) (Choice, error) {
	combined, err := d.combine(job)
	if err != nil {
		return Choice{}, err
	}
	ruled, err := j.rules(combined)
	if err != nil {
		return Choice{}, err
	}
	e, err := j.resources(ruled)
	if err != nil {
		return Choice{}, err
	}
	for _, name := range []string{"env", "params", "resubmit"} {
		if v := ruled.vals[name]; cheetah.Truth(v) {
			if e.vals[name], err = j.code.evalTexts(j.ctx, v, j, 0); err != nil {
				return Choice{}, err
			}
			j.vars[name] = e.vals[name]
		}
	}
	if v := combined.vals["dest_name"]; v != nil {
		if e.vals["dest_name"], err = j.eval(v, codeText); err != nil {
			return Choice{}, err
		}
		j.vars["dest_name"] = e.vals["dest_name"]
	}
	if v := combined.vals["handler_tags"]; v != nil {
		if e.vals["handler_tags"], err = j.code.evalTexts(j.ctx, v, j, 0); err != nil {
			return Choice{}, err
		}
	}
	return j.outcome(e)
}

// outcome turns the evaluated destination into a choice.
func (j *tpvJob) outcome(e *entity) (Choice, error) {
	c := Choice{ID: e.text("dest_name"), Runner: e.text("runner"), Params: map[string]string{}}
	if c.Runner == "" {
		return Choice{}, fmt.Errorf("the destination %s has no runner", quoted(c.ID))
	}
	if _, ok := j.router.cfg.RunnerByID(c.Runner); !ok && c.Runner != "dynamic" {
		return Choice{}, fmt.Errorf("the destination %s has the runner %s, which the job configuration does not declare", quoted(c.ID), quoted(c.Runner))
	}
	each := func(v cheetah.Value, f func(key string, val cheetah.Value)) {
		if dict, ok := v.(*cheetah.Dict); ok {
			dict.Each(func(key, val cheetah.Value) bool {
				f(cheetah.Str(key), val)
				return true
			})
		}
	}
	each(e.vals["params"], func(key string, val cheetah.Value) {
		if val != nil {
			c.Params[key] = valueText(val)
		}
	})
	str := func(v cheetah.Value) string {
		if v == nil {
			return ""
		}
		return cheetah.Str(v)
	}
	if l, ok := e.vals["env"].(*cheetah.List); ok {
		for _, item := range l.Items {
			var env Env
			each(item, func(key string, val cheetah.Value) {
				switch key {
				case "name":
					env.Name = str(val)
				case "value":
					env.Value = str(val)
				case "file":
					env.File = str(val)
				case "execute", "exec":
					env.Execute = str(val)
				case "raw":
					env.Raw = asBool(val)
				}
			})
			c.Env = append(c.Env, env)
		}
	}
	each(e.vals["resubmit"], func(_ string, val cheetah.Value) {
		var r Resubmit
		each(val, func(key string, val cheetah.Value) {
			switch key {
			case "condition":
				r.Condition = str(val)
			case "destination", "environment":
				r.Destination = str(val)
			case "handler":
				r.Handler = str(val)
			case "delay":
				r.Delay = str(val)
			}
		})
		c.Resubmit = append(c.Resubmit, r)
	})
	if l, ok := e.vals["handler_tags"].(*cheetah.List); ok {
		for _, item := range l.Items {
			c.Tags = append(c.Tags, str(item))
		}
	}
	return c, nil
}

// quoted is a name for a message.
func quoted(name string) string { return "“" + clip(name, 80) + "”" }

// valueText is a parameter as text.
func valueText(v cheetah.Value) string {
	switch v.(type) {
	case *cheetah.Dict, *cheetah.List, *cheetah.Tuple:
		return text(plain(v, 0))
	case bool, int64, float64, string, nil:
		return text(v)
	}
	return cheetah.Str(v)
}

// plain turns a value into Go's own data.
func plain(v cheetah.Value, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case *cheetah.Dict:
		out := map[string]any{}
		v.Each(func(key, val cheetah.Value) bool {
			out[cheetah.Str(key)] = plain(val, depth+1)
			return true
		})
		return out
	case *cheetah.List:
		out := make([]any, len(v.Items))
		for i, item := range v.Items {
			out[i] = plain(item, depth+1)
		}
		return out
	case *cheetah.Tuple:
		return plain(cheetah.NewList(v.Items...), depth)
	case nil, bool, int64, float64, string:
		return v
	}
	return cheetah.Str(v)
}
