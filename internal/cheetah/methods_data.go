package cheetah

import (
	"math"
	"math/big"
	"sort"
)

func lm(f func(r *runtime, l *List, args []Value, kw []kwarg) Value) method {
	return func(r *runtime, self Value, args []Value, kw []kwarg) Value { return f(r, self.(*List), args, kw) }
}

func dm(f func(r *runtime, d *Dict, args []Value, kw []kwarg) Value) method {
	return func(r *runtime, self Value, args []Value, kw []kwarg) Value { return f(r, self.(*Dict), args, kw) }
}

func setm(f func(r *runtime, s *Set, args []Value, kw []kwarg) Value) method {
	return func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		return f(r, self.(*Set), args, kw)
	}
}

func (r *runtime) indexOf(items []Value, a []Value, what string) int64 {
	lo, hi := 0, len(items)
	if given(a[1]) {
		sl := &sliceVal{lo: a[1]}
		if given(a[2]) {
			sl.hi = a[2]
		}
		lo, hi, _ = r.bounds(sl, len(items))
	}
	for i := lo; i < hi; i++ {
		if r.equal(items[i], a[0]) {
			return int64(i)
		}
	}
	r.raise(excValue, "%s is not in %s", r.repr(a[0]), what)
	return 0
}

func (r *runtime) count(items []Value, v Value) int64 {
	n := int64(0)
	for _, e := range items {
		if r.equal(e, v) {
			n++
		}
	}
	return n
}

// sortValues sorts in place, stably, by key and in reverse as list.sort does.
func (r *runtime) sortValues(items []Value, key Value, reverse bool, cmp Value) {
	keys := items
	if key != nil {
		r.growList(len(items))
		keys = make([]Value, len(items))
		for i, v := range items {
			keys[i] = r.call(key, []Value{v}, nil)
		}
	}
	idx := make([]int, len(items))
	for i := range idx {
		idx[i] = i
	}
	less := func(a, b Value) bool {
		if cmp != nil {
			n, _ := intOf(r.call(cmp, []Value{a, b}, nil))
			return n < 0
		}
		return r.compare("<", a, b)
	}
	sort.SliceStable(idx, func(i, j int) bool {
		if reverse {
			return less(keys[idx[j]], keys[idx[i]])
		}
		return less(keys[idx[i]], keys[idx[j]])
	})
	out := make([]Value, len(items))
	for i, j := range idx {
		out[i] = items[j]
	}
	copy(items, out)
}

var listMethods = map[string]method{
	"append": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("append", args, kw, 1, "object")
		r.growList(1)
		l.Items = append(l.Items, a[0])
		return nil
	}),
	"extend": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("extend", args, kw, 1, "iterable")
		l.Items = append(l.Items, r.slice(a[0])...)
		return nil
	}),
	"insert": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("insert", args, kw, 2, "index", "object")
		i, _, _ := r.bounds(&sliceVal{lo: a[0]}, len(l.Items))
		r.charge(len(l.Items) >> 6)
		r.growList(1)
		l.Items = append(l.Items, nil)
		copy(l.Items[i+1:], l.Items[i:])
		l.Items[i] = a[1]
		return nil
	}),
	"pop": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("pop", args, kw, 0, "index")
		if len(l.Items) == 0 {
			r.raise(excIndex, "pop from empty list")
		}
		i := len(l.Items) - 1
		if given(a[0]) {
			i = r.position(a[0], len(l.Items), "pop")
		}
		r.charge((len(l.Items) - i) >> 6)
		v := l.Items[i]
		l.Items = append(l.Items[:i], l.Items[i+1:]...)
		return v
	}),
	"remove": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("remove", args, kw, 1, "value")
		for i, e := range l.Items {
			if r.equal(e, a[0]) {
				l.Items = append(l.Items[:i], l.Items[i+1:]...)
				return nil
			}
		}
		r.raise(excValue, "list.remove(x): x not in list")
		return nil
	}),
	"index": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		return r.indexOf(l.Items, r.args("index", args, kw, 1, "value", "start", "stop"), "list")
	}),
	"count": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		return r.count(l.Items, r.args("count", args, kw, 1, "value")[0])
	}),
	"sort": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		a := r.args("sort", args, kw, 0, "cmp", "key", "reverse")
		var key, cmp Value
		if given(a[0]) {
			cmp = a[0]
		}
		if given(a[1]) {
			key = a[1]
		}
		items := l.Items
		l.Items = nil // as Python: empty while it is being sorted
		defer func() { l.Items = items }()
		r.sortValues(items, key, given(a[2]) && truth(a[2]), cmp)
		return nil
	}),
	"reverse": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value {
		r.charge(len(l.Items) >> 6)
		for i, j := 0, len(l.Items)-1; i < j; i, j = i+1, j-1 {
			l.Items[i], l.Items[j] = l.Items[j], l.Items[i]
		}
		return nil
	}),
	"clear": lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value { l.Items = nil; return nil }),
	"copy":  lm(func(r *runtime, l *List, args []Value, kw []kwarg) Value { return &List{Items: r.slice(l)} }),
}

var tupleMethods = map[string]method{
	"index": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		return r.indexOf(self.(*Tuple).Items, r.args("index", args, kw, 1, "value", "start", "stop"), "tuple")
	},
	"count": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		return r.count(self.(*Tuple).Items, r.args("count", args, kw, 1, "value")[0])
	},
}

// dictUpdate is d.update(v).
func (r *runtime) dictUpdate(d *Dict, v Value) {
	if s, ok := v.(*Dict); ok {
		r.growList(s.live * 4)
		for _, e := range s.ents {
			if !e.dead {
				d.put(e.hash, e.key, e.val)
			}
		}
		return
	}
	r.each(v, func(e Value) bool {
		pair := r.slice(e)
		if len(pair) != 2 {
			r.raise(excValue, "dictionary update sequence element has length %d; 2 is required", len(pair))
		}
		d.set(r, r.keyed(pair[0]), pair[1])
		return true
	})
}

func viewOf(kind byte) method {
	return dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value { return &view{d, kind} })
}

var dictMethods = map[string]method{
	"keys": viewOf('k'), "values": viewOf('v'), "items": viewOf('i'),
	"iterkeys": viewOf('k'), "itervalues": viewOf('v'), "iteritems": viewOf('i'),
	"viewkeys": viewOf('k'), "viewvalues": viewOf('v'), "viewitems": viewOf('i'),
	"get": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("get", args, kw, 1, "key", "default")
		if v, ok := d.get(r, r.keyed(a[0])); ok {
			return v
		}
		if given(a[1]) {
			return a[1]
		}
		return nil
	}),
	"has_key": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		_, ok := d.get(r, r.keyed(r.args("has_key", args, kw, 1, "key")[0]))
		return ok
	}),
	"setdefault": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("setdefault", args, kw, 1, "key", "default")
		if v, ok := d.get(r, r.keyed(a[0])); ok {
			return v
		}
		var v Value
		if given(a[1]) {
			v = a[1]
		}
		d.set(r, r.keyed(a[0]), v)
		return v
	}),
	"pop": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("pop", args, kw, 1, "key", "default")
		if v, ok := d.drop(r.hash(r.keyed(a[0]))); ok {
			return v
		}
		if !given(a[1]) {
			r.throw(&Exc{Typ: excKey, Args: []Value{a[0]}})
		}
		return a[1]
	}),
	"popitem": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		for i := len(d.ents) - 1; i >= 0; i-- {
			if e := d.ents[i]; !e.dead {
				d.drop(e.hash)
				return NewTuple(e.key, e.val)
			}
		}
		r.raise(excKey, "popitem(): dictionary is empty")
		return nil
	}),
	"update": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("update", args, nil, 0, "other")
		if given(a[0]) {
			if d.typ == typCounter {
				r.counterAdd(d, a[0], 1)
			} else {
				r.dictUpdate(d, a[0])
			}
		}
		for _, k := range kw {
			d.set(r, k.name, k.val)
		}
		return nil
	}),
	"clear": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value { d.clear(); return nil }),
	"copy": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		r.grow(64 * d.live)
		return &Dict{table: d.copyTable(), typ: d.typ, factory: d.factory}
	}),
}

var orderedMethods = map[string]method{
	"move_to_end": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("move_to_end", args, kw, 1, "key", "last")
		v, ok := d.drop(r.hash(a[0]))
		if !ok {
			r.throw(&Exc{Typ: excKey, Args: []Value{a[0]}})
		}
		d.set(r, a[0], v)
		if given(a[1]) && !truth(a[1]) {
			d.compact()
			n := len(d.ents) - 1
			e := d.ents[n]
			copy(d.ents[1:], d.ents[:n])
			d.ents[0] = e
			for i, e := range d.ents {
				d.index[e.hash] = i
			}
		}
		return nil
	}),
}

// counterOrder lists the entries as a Counter shows them: most common first.
func counterOrder(r *runtime, d *Dict) []entry {
	if d.typ != typCounter {
		return d.ents
	}
	out := make([]entry, 0, d.live)
	for _, e := range d.ents {
		if !e.dead {
			out = append(out, e)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		return isNumber(out[i].val) && isNumber(out[j].val) && compareNumbers(out[i].val, out[j].val) > 0
	})
	return out
}

func (r *runtime) counterAdd(d *Dict, v Value, sign int64) {
	add := func(k, n Value) {
		old, ok := d.get(r, k)
		if !ok {
			old = int64(0)
		}
		if sign < 0 {
			d.set(r, k, r.binary("-", old, n))
		} else {
			d.set(r, k, r.binary("+", old, n))
		}
	}
	if s, ok := v.(*Dict); ok {
		s.Each(func(k, n Value) bool { r.step(); add(k, n); return true })
		return
	}
	r.each(v, func(k Value) bool { add(r.keyed(k), int64(1)); return true })
}

func (r *runtime) counterMerge(x, y *Dict, sign int64) Value {
	d := &Dict{typ: typCounter}
	r.counterAdd(d, x, 1)
	r.counterAdd(d, y, sign)
	out := &Dict{typ: typCounter}
	d.Each(func(k, n Value) bool {
		if isNumber(n) && compareNumbers(n, int64(0)) > 0 {
			out.set(r, k, n)
		}
		return true
	})
	return out
}

var counterMethods = map[string]method{
	"most_common": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		a := r.args("most_common", args, kw, 0, "n")
		ents := counterOrder(r, d)
		if given(a[0]) && a[0] != nil {
			ents = ents[:max(0, min(int64(len(ents)), r.needInt("most_common", a[0])))]
		}
		l := &List{}
		for _, e := range ents {
			r.growList(3)
			l.Items = append(l.Items, NewTuple(e.key, e.val))
		}
		return l
	}),
	"elements": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		l := &List{}
		d.Each(func(k, n Value) bool {
			c, _ := intOf(n)
			for ; c > 0; c-- {
				r.step()
				r.growList(1)
				l.Items = append(l.Items, k)
			}
			return true
		})
		return l
	}),
	"subtract": dm(func(r *runtime, d *Dict, args []Value, kw []kwarg) Value {
		r.counterAdd(d, r.args("subtract", args, kw, 1, "other")[0], -1)
		return nil
	}),
}

func (r *runtime) toSet(v Value) *Set {
	if s, ok := asSet(v); ok {
		return s
	}
	s := &Set{}
	r.each(v, func(e Value) bool { s.add(r, r.keyed(e)); return true })
	return s
}

func setOpMethod(op string) method {
	return setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		out := s
		if len(args) == 0 {
			return r.setOp("|", s, &Set{})
		}
		for _, a := range args {
			out = r.setOp(op, out, r.toSet(a)).(*Set)
		}
		return out
	})
}

func setUpdate(op string) method {
	return setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		r.thawed(s)
		for _, a := range args {
			s.table = r.setOp(op, s, r.toSet(a)).(*Set).table
		}
		return nil
	})
}

func (r *runtime) thawed(s *Set) {
	if s.frozen {
		r.raise(excAttribute, "a frozenset cannot be changed")
	}
}

var setMethods = map[string]method{
	"add": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		r.thawed(s)
		s.add(r, r.keyed(r.args("add", args, kw, 1, "elem")[0]))
		return nil
	}),
	"discard": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		r.thawed(s)
		s.drop(r.hash(r.keyed(r.args("discard", args, kw, 1, "elem")[0])))
		return nil
	}),
	"remove": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		r.thawed(s)
		a := r.args("remove", args, kw, 1, "elem")
		if _, ok := s.drop(r.hash(r.keyed(a[0]))); !ok {
			r.throw(&Exc{Typ: excKey, Args: []Value{a[0]}})
		}
		return nil
	}),
	"pop": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		r.thawed(s)
		for _, e := range s.ents {
			if !e.dead {
				s.drop(e.hash)
				return e.key
			}
		}
		r.raise(excKey, "pop from an empty set")
		return nil
	}),
	"clear": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value { r.thawed(s); s.clear(); return nil }),
	"copy":  setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value { return r.setOp("|", s, &Set{}) }),
	"union": setOpMethod("|"), "intersection": setOpMethod("&"), "difference": setOpMethod("-"), "symmetric_difference": setOpMethod("^"),
	"update": setUpdate("|"), "intersection_update": setUpdate("&"), "difference_update": setUpdate("-"), "symmetric_difference_update": setUpdate("^"),
	"issubset": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		return subset(s, r.toSet(r.args("issubset", args, kw, 1, "other")[0]))
	}),
	"issuperset": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		return subset(r.toSet(r.args("issuperset", args, kw, 1, "other")[0]), s)
	}),
	"isdisjoint": setm(func(r *runtime, s *Set, args []Value, kw []kwarg) Value {
		return r.setOp("&", s, r.toSet(r.args("isdisjoint", args, kw, 1, "other")[0])).(*Set).live == 0
	}),
}

var intMethods = map[string]method{
	"bit_length": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		n, _ := bigOf(self)
		return int64(n.BitLen())
	},
	"conjugate":  func(r *runtime, self Value, args []Value, kw []kwarg) Value { return self },
	"is_integer": func(r *runtime, self Value, args []Value, kw []kwarg) Value { return true },
}

var floatMethods = map[string]method{
	"is_integer": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		f := self.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0)
	},
}

func (r *runtime) floatToInt(f float64) Value {
	switch {
	case math.IsNaN(f):
		r.raise(excValue, "cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		r.raise(excOverflow, "cannot convert float infinity to integer")
	}
	n, _ := big.NewFloat(f).Int(nil)
	return normBig(n)
}
