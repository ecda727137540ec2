package destination

import (
	"fmt"
	"slices"
	"strings"

	"orrery/internal/cheetah"
)

// entityKind is what an entity of TPV stands for. The order is that of precedence.
type entityKind int

const (
	ruleEntity entityKind = iota
	plainEntity
	toolEntity
	roleEntity
	userEntity
	destinationEntity
)

var kindNames = map[entityKind]string{ruleEntity: "Rule", plainEntity: "EntityWithRules", toolEntity: "Tool", roleEntity: "Role", userEntity: "User", destinationEntity: "Destination"}

// Properties of entities: those that an entity overrides one by one, those that destinations and rules have besides,
// and those that are code.
var (
	plainFields = []string{"abstract", "cores", "mem", "gpus", "min_cores", "min_mem", "min_gpus", "max_cores", "max_mem", "max_gpus",
		"max_concurrent_cores", "max_concurrent_mem", "max_concurrent_gpus", "rank", "inherits"}
	destinationFields = []string{"runner", "dest_name", "min_accepted_cores", "min_accepted_mem", "min_accepted_gpus",
		"max_accepted_cores", "max_accepted_mem", "max_accepted_gpus", "handler_tags"}
	ruleFields = []string{"if_condition", "execute", "fail"}
	// resourceOrder is the order in which resources are evaluated: later ones may use earlier ones.
	resourceOrder = []string{"min_gpus", "min_cores", "min_mem", "max_gpus", "max_cores", "max_mem", "gpus", "cores", "mem"}
)

// entity is a tool, user, role, destination or rule of a TPV configuration, or what became of several.
type entity struct {
	kind     entityKind
	id       string
	at       *node                    // where it stands; nil for what was made up
	vals     map[string]cheetah.Value // properties; absent is None
	source   map[string]*node         // where properties stand, by code
	tags     *tags                    // what it asks of destinations
	destTags *tags                    // destinations: what they offer
	rules    []*entity
}

func newEntity(kind entityKind, id string) *entity {
	e := &entity{kind: kind, id: id, vals: map[string]cheetah.Value{"abstract": false}, source: map[string]*node{}, tags: newTags(), destTags: newTags()}
	if kind == destinationEntity {
		e.vals["dest_name"] = id
		e.vals["handler_tags"] = cheetah.NewList()
	}
	return e
}

func (e *entity) rule(id string) int {
	return slices.IndexFunc(e.rules, func(r *entity) bool { return r.id == id })
}

// clone copies an entity with all that belongs to it.
func (e *entity) clone() *entity {
	c := e.shallow()
	for name, v := range c.vals {
		c.vals[name] = deepCopy(v, 0)
	}
	c.tags, c.destTags = e.tags.clone(), e.destTags.clone()
	c.rules = make([]*entity, len(e.rules))
	for i, r := range e.rules {
		c.rules[i] = r.clone()
	}
	return c
}

func (e *entity) shallow() *entity {
	c := *e
	c.vals = make(map[string]cheetah.Value, len(e.vals))
	for name, v := range e.vals {
		c.vals[name] = v
	}
	return &c
}

// deepCopy copies lists and dicts; everything else is never changed.
func deepCopy(v cheetah.Value, depth int) cheetah.Value {
	if depth > maxDepth {
		return v
	}
	switch v := v.(type) {
	case *cheetah.List:
		out := cheetah.NewList()
		for _, item := range v.Items {
			out.Items = append(out.Items, deepCopy(item, depth+1))
		}
		return out
	case *cheetah.Dict:
		out := cheetah.NewDict()
		v.Each(func(key, val cheetah.Value) bool {
			out.Set(key, deepCopy(val, depth+1))
			return true
		})
		return out
	}
	return v
}

// override lays an entity over another: what it sets replaces what the other sets. Which properties there are is a
// matter of the upper one's kind; the outcome is of the kind with more precedence.
func (e *entity) override(lower *entity) *entity {
	out := e.shallow()
	if lower.kind > e.kind {
		out = lower.shallow()
	}
	if e.id != "" {
		out.id = e.id
	} else {
		out.id = lower.id
	}
	fields := plainFields
	switch {
	case e.kind == destinationEntity:
		fields = append(slices.Clip(fields), destinationFields...)
	case e.kind == ruleEntity && lower.kind == ruleEntity:
		fields = append(slices.Clip(fields), ruleFields...)
	}
	for _, name := range fields {
		v := e.vals[name]
		if v == nil {
			v = lower.vals[name]
		}
		if v == nil {
			delete(out.vals, name)
		} else {
			out.vals[name] = v
		}
	}
	out.vals["env"] = mergeEnv(lower.vals["env"], e.vals["env"])
	for _, name := range []string{"params", "resubmit", "context"} {
		out.vals[name] = mergeDicts(lower.vals[name], e.vals[name])
	}
	if e.kind != ruleEntity {
		out.rules = nil
		for _, r := range lower.rules {
			out.rules = append(out.rules, r.clone())
		}
		for _, r := range e.rules {
			i := out.rule(r.id)
			switch {
			case i >= 0:
				out.rules[i] = r.inherit(lower.rules[lower.rule(r.id)])
			default:
				out.rules = append(out.rules, r)
			}
		}
	}
	return out
}

// inherit lays an entity over its parent.
func (e *entity) inherit(parent *entity) *entity {
	out := e.override(parent)
	out.tags = e.tags.inherit(parent.tags)
	if e.kind == destinationEntity {
		out.destTags = e.destTags.inherit(parent.destTags)
	}
	return out
}

// combine lays an entity over one of another kind with which it has a say together.
func (e *entity) combine(lower *entity) (*entity, error) {
	combined, err := lower.tags.combine(e.tags)
	if err != nil {
		return nil, err
	}
	out := e.override(lower)
	out.id = fmt.Sprintf("%s: %s, %s: %s", kindNames[e.kind], e.id, kindNames[lower.kind], lower.id)
	out.tags = combined
	return out, nil
}

func mergeDicts(lower, upper cheetah.Value) cheetah.Value {
	out := cheetah.NewDict()
	for _, v := range []cheetah.Value{lower, upper} {
		if d, ok := v.(*cheetah.Dict); ok {
			d.Each(func(key, val cheetah.Value) bool {
				out.Set(key, deepCopy(val, 0))
				return true
			})
		}
	}
	return out
}

// mergeEnv replaces variables of the same name where they stand, and adds the others.
func mergeEnv(lower, upper cheetah.Value) cheetah.Value {
	items := func(v cheetah.Value) []cheetah.Value {
		if l, ok := deepCopy(v, 0).(*cheetah.List); ok {
			return l.Items
		}
		return nil
	}
	name := func(v cheetah.Value) (string, bool) {
		if d, ok := v.(*cheetah.Dict); ok {
			if n, ok := d.Get("name"); ok {
				return cheetah.Str(n), true
			}
		}
		return "", false
	}
	original, replace := items(lower), items(upper)
	for i, o := range original {
		for j, r := range replace {
			oldName, oldHas := name(o)
			newName, newHas := name(r)
			if newHas && oldHas && newName == oldName || cheetah.Repr(o) == cheetah.Repr(r) {
				original[i] = r
				replace = slices.Delete(replace, j, j+1)
				break
			}
		}
	}
	return cheetah.NewList(append(original, replace...)...)
}

// text is a property as text, "" when it is None.
func (e *entity) text(name string) string {
	if v := e.vals[name]; v != nil {
		return cheetah.Str(v)
	}
	return ""
}

// accepts tells whether a destination takes a job of these resources and tags.
func (e *entity) accepts(job *entity) (bool, error) {
	if cheetah.Truth(e.vals["abstract"]) {
		return false, nil
	}
	for _, name := range []string{"cores", "mem", "gpus"} {
		for _, bound := range []string{"max_accepted_", "min_accepted_"} {
			limit := e.vals[bound+name]
			wanted := job.vals[name]
			if limit == nil || wanted == nil {
				continue
			}
			l, ok := number(limit)
			w, ok2 := number(wanted)
			if !ok || !ok2 {
				return false, fmt.Errorf("%s%s of the destination %s, or %s of the job, is not a number: %s, %s", bound, name, e.id, name, cheetah.Repr(limit), cheetah.Repr(wanted))
			}
			if bound == "max_accepted_" && l < w || bound == "min_accepted_" && l > w {
				return false, nil
			}
		}
	}
	return job.tags.match(e.destTags), nil
}

// TypeName implements cheetah.Object.
func (e *entity) TypeName() string { return kindNames[e.kind] }

// Str implements cheetah.Strer.
func (e *entity) Str() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(id=%s", kindNames[e.kind], cheetah.Repr(e.id))
	for _, name := range []string{"cores", "mem", "gpus", "env", "params", "resubmit", "context"} {
		fmt.Fprintf(&b, ", %s=%s", name, cheetah.Repr(e.vals[name]))
	}
	b.WriteString(", tpv_tags=" + e.tags.Str() + ")")
	return b.String()
}

// Repr implements cheetah.Reprer.
func (e *entity) Repr() string { return e.Str() }

// Attr implements cheetah.Attrer.
func (e *entity) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "id":
		return e.id, nil
	case "tpv_tags":
		return e.tags, nil
	case "tpv_dest_tags":
		if e.kind == destinationEntity {
			return e.destTags, nil
		}
		return nil, cheetah.ErrNoAttr
	case "rules":
		d := cheetah.NewDict()
		for _, r := range e.rules {
			d.Set(r.id, r)
		}
		return d, nil
	case "score", "matches":
		if e.kind != destinationEntity {
			return nil, cheetah.ErrNoAttr
		}
		return method{name, func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			other, ok := argument(args, kwargs, 0, "entity").(*entity)
			if !ok {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: name + " takes an entity"}
			}
			if name == "score" {
				return e.destTags.score(other.tags), nil
			}
			ok, err := e.accepts(other)
			if err != nil {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: err.Error()}
			}
			return ok, nil
		}}, nil
	}
	if v, ok := e.vals[name]; ok {
		return v, nil
	}
	if e.knows(name) {
		return nil, nil
	}
	return nil, cheetah.ErrNoAttr
}

// knows tells whether a property exists for the entity's kind.
func (e *entity) knows(name string) bool {
	return slices.Contains(plainFields, name) || slices.Contains([]string{"env", "params", "resubmit", "context"}, name) ||
		e.kind == destinationEntity && slices.Contains(destinationFields, name) || e.kind == ruleEntity && slices.Contains(ruleFields, name)
}

// SetAttr implements cheetah.AttrSetter.
func (e *entity) SetAttr(name string, v cheetah.Value) error {
	switch name {
	case "id":
		e.id = cheetah.Str(v)
		return nil
	case "tpv_tags", "tpv_dest_tags":
		t, ok := v.(*tags)
		if !ok {
			return fmt.Errorf("%s takes SchedulingTags", name)
		}
		if name == "tpv_tags" {
			e.tags = t
		} else {
			e.destTags = t
		}
		return nil
	case "rules", "evaluator":
		return fmt.Errorf("%s of an entity cannot be set in a rule", name)
	}
	e.vals[name] = v
	return nil
}
