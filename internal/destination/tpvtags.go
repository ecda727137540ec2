package destination

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"orrery/internal/cheetah"
)

// tagType is how much an entity wants a tag. The number is its weight in scores.
type tagType int64

const (
	tagReject  tagType = -1
	tagAccept  tagType = 1
	tagPrefer  tagType = 2
	tagRequire tagType = 3
)

// tagTypes in the order in which tags are listed, and mergeOrder in which they override one another.
var (
	tagTypes   = []tagType{tagRequire, tagPrefer, tagAccept, tagReject}
	mergeOrder = []tagType{tagAccept, tagPrefer, tagRequire, tagReject}
	tagNames   = map[tagType]string{tagRequire: "require", tagPrefer: "prefer", tagAccept: "accept", tagReject: "reject"}
)

// tags are the scheduling tags of an entity. A list is nil where the file says null.
type tags struct{ lists map[tagType]*cheetah.List }

func newTags() *tags {
	t := &tags{lists: map[tagType]*cheetah.List{}}
	for _, typ := range tagTypes {
		t.lists[typ] = cheetah.NewList()
	}
	return t
}

// of are the tags of one type as text.
func (t *tags) of(typ tagType) []string {
	l := t.lists[typ]
	if l == nil {
		return nil
	}
	out := make([]string, len(l.Items))
	for i, v := range l.Items {
		out[i] = cheetah.Str(v)
	}
	return out
}

// all are the tags of all types.
func (t *tags) all() []string {
	var out []string
	for _, typ := range tagTypes {
		out = append(out, t.of(typ)...)
	}
	return out
}

func (t *tags) clone() *tags {
	c := newTags()
	for typ, l := range t.lists {
		if l == nil {
			c.lists[typ] = nil
			continue
		}
		c.lists[typ] = cheetah.NewList(slices.Clone(l.Items)...)
	}
	return c
}

// override moves a tag to a type, away from every other.
func (t *tags) override(typ tagType, tag string) {
	for _, other := range tagTypes {
		if l := t.lists[other]; l != nil {
			if i := slices.IndexFunc(l.Items, func(v cheetah.Value) bool { return cheetah.Str(v) == tag }); i >= 0 {
				l.Items = slices.Delete(slices.Clone(l.Items), i, i+1)
			}
		}
	}
	if t.lists[typ] == nil {
		t.lists[typ] = cheetah.NewList()
	}
	t.lists[typ] = cheetah.NewList(append(slices.Clone(t.lists[typ].Items), cheetah.Value(tag))...)
}

// inherit are the tags of an entity below another: its own override the other's.
func (t *tags) inherit(parent *tags) *tags {
	out := parent.clone()
	for _, typ := range mergeOrder {
		for _, tag := range t.of(typ) {
			out.override(typ, tag)
		}
	}
	return out
}

// combine joins the tags of two entities that both have a say; t is the one with less.
func (t *tags) combine(other *tags) (*tags, error) {
	for _, pair := range [][2]*tags{{t, other}, {other, t}} {
		for _, tag := range pair[0].of(tagRequire) {
			if slices.Contains(pair[1].of(tagReject), tag) {
				return nil, &pyException{typ: "IncompatibleTagsException", message: fmt.Sprintf("the tag “%s” is required by one and rejected by another of the entities that the job matches", tag)}
			}
		}
	}
	out := newTags()
	for _, typ := range mergeOrder {
		for _, tag := range other.of(typ) {
			out.override(typ, tag)
		}
		for _, tag := range t.of(typ) {
			out.override(typ, tag)
		}
	}
	return out, nil
}

// match tells whether a job with these tags can run at a destination with those.
func (t *tags) match(other *tags) bool {
	mine, theirs := t.all(), other.all()
	for _, pair := range []struct {
		from *tags
		to   []string
	}{{t, theirs}, {other, mine}} {
		for _, tag := range pair.from.of(tagRequire) {
			if !slices.Contains(pair.to, tag) {
				return false
			}
		}
		for _, tag := range pair.from.of(tagReject) {
			if slices.Contains(pair.to, tag) {
				return false
			}
		}
	}
	return true
}

// score says how well tags fit: common tags count by the product of their weights, tags the other lacks against it.
func (t *tags) score(other *tags) int64 {
	var score int64
	theirs := other.all()
	for _, typ := range tagTypes {
		for _, tag := range t.of(typ) {
			for _, otherType := range tagTypes {
				for _, o := range other.of(otherType) {
					if o == tag {
						score += int64(typ) * int64(otherType)
					}
				}
			}
			if !slices.Contains(theirs, tag) {
				score -= int64(typ)
			}
		}
	}
	return score
}

// TypeName implements cheetah.Object.
func (t *tags) TypeName() string { return "SchedulingTags" }

// Str implements cheetah.Strer.
func (t *tags) Str() string {
	var parts []string
	for _, typ := range tagTypes {
		var v cheetah.Value
		if l := t.lists[typ]; l != nil {
			v = l
		}
		parts = append(parts, tagNames[typ]+"="+cheetah.Repr(v))
	}
	return strings.Join(parts, " ")
}

// Attr implements cheetah.Attrer.
func (t *tags) Attr(name string) (cheetah.Value, error) {
	for typ, n := range tagNames {
		if n == name {
			if t.lists[typ] == nil {
				return nil, nil
			}
			return t.lists[typ], nil
		}
	}
	fn := func(f func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error)) (cheetah.Value, error) {
		return method{name, f}, nil
	}
	switch name {
	case "tags":
		return t.filter(nil, nil)
	case "all_tag_values":
		return fn(func([]cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
			l := cheetah.NewList()
			for _, tag := range t.all() {
				l.Items = append(l.Items, tag)
			}
			return stream{l.Items}, nil
		})
	case "filter":
		return fn(func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			return t.filter(argument(args, kwargs, 0, "tag_type"), argument(args, kwargs, 1, "tag_value"))
		})
	case "add_tag_override":
		return fn(func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			typ, ok := tagTypeOf(argument(args, kwargs, 0, "tag_type"))
			if !ok {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "add_tag_override takes a TagType and a tag"}
			}
			t.override(typ, cheetah.Str(argument(args, kwargs, 1, "tag_value")))
			return nil, nil
		})
	case "inherit", "combine", "match", "score", "can_combine":
		return fn(func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			other, ok := argument(args, kwargs, 0, "other").(*tags)
			if !ok {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: name + " takes SchedulingTags"}
			}
			switch name {
			case "inherit":
				return t.inherit(other), nil
			case "match":
				return t.match(other), nil
			case "score":
				return t.score(other), nil
			}
			combined, err := t.combine(other)
			if name == "can_combine" {
				return err == nil, nil
			}
			if err != nil {
				return nil, &cheetah.RaiseError{Type: "ValueError", Msg: err.Error()}
			}
			return combined, nil
		})
	}
	return nil, cheetah.ErrNoAttr
}

// SetAttr implements cheetah.AttrSetter.
func (t *tags) SetAttr(name string, v cheetah.Value) error {
	for typ, n := range tagNames {
		if n != name {
			continue
		}
		switch v := v.(type) {
		case nil:
			t.lists[typ] = nil
			return nil
		case *cheetah.List:
			t.lists[typ] = v
			return nil
		}
		return fmt.Errorf("%s takes a list", name)
	}
	return fmt.Errorf("scheduling tags have no %q", name)
}

// filter are the tags of some types and of one value, as TPV's generator: true even when there is none.
func (t *tags) filter(types, value cheetah.Value) (cheetah.Value, error) {
	var wanted []tagType
	switch types := types.(type) {
	case nil:
	case *cheetah.List:
		for _, v := range types.Items {
			if typ, ok := tagTypeOf(v); ok {
				wanted = append(wanted, typ)
			}
		}
	default:
		typ, ok := tagTypeOf(types)
		if !ok {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "tag_type is a TagType or a list of them"}
		}
		wanted = append(wanted, typ)
	}
	var out stream
	for _, typ := range tagTypes {
		if len(wanted) > 0 && !slices.Contains(wanted, typ) {
			continue
		}
		for _, tag := range t.of(typ) {
			if !cheetah.Truth(value) || value == cheetah.Value(tag) {
				out.items = append(out.items, &record{"Tag", map[string]cheetah.Value{"value": tag, "tag_type": tagTypeValue(typ)}})
			}
		}
	}
	return out, nil
}

// tagTypeValue is a member of TPV's TagType, an enumeration of ints.
type tagTypeValue tagType

// TypeName implements cheetah.Object.
func (t tagTypeValue) TypeName() string { return "TagType" }

// Plain implements cheetah.Plainer.
func (t tagTypeValue) Plain() cheetah.Value { return int64(t) }

// Attr implements cheetah.Attrer.
func (t tagTypeValue) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "name":
		return strings.ToUpper(tagNames[tagType(t)]), nil
	case "value":
		return int64(t), nil
	}
	return nil, cheetah.ErrNoAttr
}

func tagTypeOf(v cheetah.Value) (tagType, bool) {
	switch v := v.(type) {
	case tagTypeValue:
		return tagType(v), true
	case int64:
		_, ok := tagNames[tagType(v)]
		return tagType(v), ok
	}
	return 0, false
}

// stream is what a Python generator gives: it can be looped over, and it is true.
type stream struct{ items []cheetah.Value }

// TypeName implements cheetah.Object.
func (s stream) TypeName() string { return "generator" }

// Iter implements cheetah.Iterer.
func (s stream) Iter() ([]cheetah.Value, error) { return s.items, nil }

// record is an object with fixed attributes.
type record struct {
	typ   string
	attrs map[string]cheetah.Value
}

// TypeName implements cheetah.Object.
func (r *record) TypeName() string { return r.typ }

// Attr implements cheetah.Attrer.
func (r *record) Attr(name string) (cheetah.Value, error) {
	if v, ok := r.attrs[name]; ok {
		return v, nil
	}
	return nil, cheetah.ErrNoAttr
}

// method is a Go function that is called as a method.
type method struct {
	name string
	call func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error)
}

// TypeName implements cheetah.Object.
func (m method) TypeName() string { return "method" }

// Call implements cheetah.Caller.
func (m method) Call(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
	return m.call(args, kwargs)
}

// argument is one argument of a call, by its place or name; nil when it is not given.
func argument(args []cheetah.Value, kwargs map[string]cheetah.Value, i int, name string) cheetah.Value {
	if i < len(args) {
		return args[i]
	}
	return kwargs[name]
}
