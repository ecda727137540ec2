package cheetah

import (
	"context"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Value is any Python value. Its Go types: nil (None), bool, int64 and
// *big.Int (int), float64, string (str), Bytes, *List, *Tuple, *Dict, *Set,
// the engine's own functions, types, modules, iterators and exceptions, and
// whatever a caller supplies as an Object (see object.go).
type Value = any

// Bytes is a Python bytes value.
type Bytes string

// List is a mutable Python list.
type List struct{ Items []Value }

// Tuple is an immutable Python tuple.
type Tuple struct{ Items []Value }

// NewList makes a list of the values given.
func NewList(items ...Value) *List { return &List{Items: items} }

// NewTuple makes a tuple of the values given.
func NewTuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// table is an insertion-ordered hash table, the body of Dict and Set.
type table struct {
	index map[any]int
	ents  []entry
	live  int
}

type entry struct {
	key  Value
	val  Value
	hash any
	dead bool
}

func (t *table) find(h any) (*entry, bool) {
	i, ok := t.index[h]
	if !ok {
		return nil, false
	}
	return &t.ents[i], true
}

func (t *table) put(h any, k, v Value) {
	if i, ok := t.index[h]; ok {
		t.ents[i].val = v
		return
	}
	if t.index == nil {
		t.index = make(map[any]int)
	}
	t.index[h] = len(t.ents)
	t.ents = append(t.ents, entry{key: k, val: v, hash: h})
	t.live++
}

func (t *table) drop(h any) (Value, bool) {
	i, ok := t.index[h]
	if !ok {
		return nil, false
	}
	v := t.ents[i].val
	delete(t.index, h)
	t.ents[i] = entry{dead: true}
	t.live--
	if len(t.ents) > 32 && t.live < len(t.ents)/2 {
		t.compact()
	}
	return v, true
}

func (t *table) compact() {
	kept := make([]entry, 0, t.live)
	for _, e := range t.ents {
		if !e.dead {
			t.index[e.hash] = len(kept)
			kept = append(kept, e)
		}
	}
	t.ents = kept
}

func (t *table) clear() { t.index, t.ents, t.live = nil, nil, 0 }

func (t *table) copyTable() table {
	n := table{index: make(map[any]int, t.live), ents: make([]entry, 0, t.live)}
	for _, e := range t.ents {
		if !e.dead {
			n.put(e.hash, e.key, e.val)
		}
	}
	return n
}

// Dict is a Python dict, in order of insertion. It also serves as
// OrderedDict, defaultdict and Counter.
type Dict struct {
	table
	typ     *Type // nil: dict
	factory Value // defaultdict's
}

// NewDict makes an empty dict.
func NewDict() *Dict { return &Dict{} }

// Len is the number of keys.
func (d *Dict) Len() int { return d.live }

// Get returns the value under a key; a key that cannot be hashed is absent.
func (d *Dict) Get(key Value) (v Value, ok bool) {
	defer func() {
		if recover() != nil {
			v, ok = nil, false
		}
	}()
	return d.get(newRuntime(context.Background(), nil, Limits{}), key)
}

// Set stores a value. Keys that Python cannot hash (lists, dicts) are ignored.
func (d *Dict) Set(key, val Value) {
	defer func() { _ = recover() }()
	d.set(newRuntime(context.Background(), nil, Limits{}), key, val)
}

// Each calls f for each key and value, in order, until it returns false.
func (d *Dict) Each(f func(key, val Value) bool) {
	for i := 0; i < len(d.ents); i++ {
		if e := d.ents[i]; !e.dead && !f(e.key, e.val) {
			return
		}
	}
}

func (d *Dict) get(r *runtime, k Value) (Value, bool) {
	if s, ok := k.(string); ok {
		if i, ok := d.index[s]; ok {
			return d.ents[i].val, true
		}
		return nil, false
	}
	if e, ok := d.find(r.hash(k)); ok {
		return e.val, true
	}
	return nil, false
}

func (d *Dict) set(r *runtime, k, v Value) {
	r.grow(64)
	if s, ok := k.(string); ok {
		d.put(s, k, v)
		return
	}
	d.put(r.hash(k), k, v)
}

// Set is a Python set or frozenset. It keeps the order of insertion (Python
// promises none).
type Set struct {
	table
	frozen bool
}

// NewSet makes a set of the values given.
func NewSet(items ...Value) *Set {
	s := &Set{}
	r := newRuntime(context.Background(), nil, Limits{})
	for _, v := range items {
		s.add(r, v)
	}
	return s
}

// Len is the number of members.
func (s *Set) Len() int { return s.live }

func (s *Set) add(r *runtime, v Value) {
	h := r.hash(v)
	if _, ok := s.index[h]; !ok {
		r.grow(48)
		s.put(h, v, nil)
	}
}

func (s *Set) has(r *runtime, v Value) bool {
	_, ok := s.find(r.hash(v))
	return ok
}

func (s *Set) items() []Value { return s.keys() }

func (t *table) keys() []Value {
	out := make([]Value, 0, t.live)
	for _, e := range t.ents {
		if !e.dead {
			out = append(out, e.key)
		}
	}
	return out
}

// view is what dict.keys(), .values() and .items() give.
type view struct {
	d    *Dict
	kind byte // k, v, i
}

func (w *view) items(r *runtime) []Value {
	r.grow(w.d.live * 16)
	out := make([]Value, 0, w.d.live)
	for _, e := range w.d.ents {
		if e.dead {
			continue
		}
		switch w.kind {
		case 'k':
			out = append(out, e.key)
		case 'v':
			out = append(out, e.val)
		default:
			r.grow(48)
			out = append(out, NewTuple(e.key, e.val))
		}
	}
	return out
}

type (
	noneKey struct{}
	bigKey  string
	tupKey  string
	setKey  string
)

// hash gives a comparable Go value that is equal exactly for keys that
// Python holds equal; it raises TypeError for what cannot be a key.
func (r *runtime) hash(v Value) any { return r.hashDepth(v, 0) }

func (r *runtime) hashDepth(v Value, depth int) any {
	switch x := v.(type) {
	case string:
		return x
	case int64:
		return x
	case nil:
		return noneKey{}
	case bool:
		if x {
			return int64(1)
		}
		return int64(0)
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x)
		}
		return x
	case *big.Int:
		r.charge(x.BitLen() >> 4)
		return bigKey(x.Text(62))
	case Bytes:
		return x
	case *Tuple:
		if depth > maxDataDepth {
			r.raise(excRecursion, "maximum recursion depth exceeded")
		}
		var b strings.Builder
		for _, e := range x.Items {
			r.step()
			k := r.hashDepth(e, depth+1)
			s := keyText(k)
			r.grow(len(s) + 8)
			b.WriteString(strconv.Itoa(len(s)))
			b.WriteByte(':')
			b.WriteString(s)
		}
		return tupKey(b.String())
	case *Set:
		if x.frozen {
			var parts []string
			for _, e := range x.ents {
				if !e.dead {
					r.step()
					parts = append(parts, keyText(e.hash))
				}
			}
			sortStrings(parts)
			s := strings.Join(parts, "\x00")
			r.grow(len(s))
			return setKey(s)
		}
	case Hashable:
		return x.HashKey()
	case Object:
		if comparable_(x) {
			return x
		}
	case *Type, *Builtin, *Function, *HostFunc, *Module, *Exc, *pattern, *match, *rangeVal:
		return x
	}
	r.raise(excType, "unhashable type: '%s'", typeName(v))
	return nil
}

// comparable_ tells whether using v as a map key would panic.
func comparable_(v any) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	_ = map[any]bool{v: true}
	return true
}
