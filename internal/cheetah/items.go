package cheetah

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// index is v[key].
func (r *runtime) index(v, key Value) Value {
	if s, ok := key.(*sliceVal); ok {
		return r.sliceOf(r.deref(v), s)
	}
	switch x := v.(type) {
	case *Dict:
		key = r.keyed(key)
		if e, ok := x.get(r, key); ok {
			return e
		}
		if x.typ == typCounter {
			return int64(0)
		}
		if x.factory != nil {
			d := r.call(x.factory, nil, nil)
			x.set(r, key, d)
			return d
		}
		r.throw(&Exc{Typ: excKey, Args: []Value{key}})
	case *List:
		return x.Items[r.position(key, len(x.Items), "list")]
	case *Tuple:
		return x.Items[r.position(key, len(x.Items), "tuple")]
	case string:
		if isASCII(x) {
			i := r.position(key, len(x), "string")
			return x[i : i+1]
		}
		n := utf8.RuneCountInString(x)
		i := r.position(key, n, "string")
		r.charge(len(x) >> 6)
		for at, c := range x {
			if i == 0 {
				return x[at : at+max(1, utf8.RuneLen(c))]
			}
			i--
		}
	case Bytes:
		return int64(x[r.position(key, len(x), "bytes")])
	case *rangeVal:
		n := x.len()
		return x.start + int64(r.position(key, int(n), "range object"))*x.step
	case *view:
		items := x.items(r)
		return items[r.position(key, len(items), typeName(x))]
	case *iter:
		items := x.list(r)
		return items[r.position(key, len(items), "list")]
	case *match:
		return x.groupBy(r, key)
	case Object:
		if o, ok := x.(Itemer); ok {
			e, err := o.Item(key)
			if err != nil {
				r.hostError(err)
			}
			return e
		}
		if p, ok := x.(Plainer); ok {
			return r.index(r.plain(x, p), key)
		}
	}
	r.raise(excType, "'%s' object is not subscriptable", typeName(v))
	return nil
}

func (r *runtime) position(key Value, n int, what string) int {
	i, ok := intOf(r.deref(key))
	if !ok {
		r.raise(excType, "%s indices must be integers or slices, not %s", what, typeName(key))
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		r.raise(excIndex, "%s index out of range", what)
	}
	return int(i)
}

// bounds resolves a slice against a length: Python's slice.indices.
func (r *runtime) bounds(s *sliceVal, n int) (start, stop, step int) {
	num := func(v Value, def int) int {
		if v == nil {
			return def
		}
		i, ok := intOf(r.deref(v))
		if !ok {
			r.raise(excType, "slice indices must be integers or None or have an __index__ method")
		}
		const far = 1 << 40
		return int(max(-far, min(far, i)))
	}
	step = num(s.step, 1)
	if step == 0 {
		r.raise(excValue, "slice step cannot be zero")
	}
	lo, hi := 0, n
	if step < 0 {
		lo, hi = -1, n-1
	}
	clip := func(i int) int {
		if i < 0 {
			i += n
		}
		return max(lo, min(hi, i))
	}
	if step > 0 {
		start, stop = lo, hi
	} else {
		start, stop = hi, lo
	}
	if s.lo != nil {
		start = clip(num(s.lo, 0))
	}
	if s.hi != nil {
		stop = clip(num(s.hi, 0))
	}
	return start, stop, step
}

func (r *runtime) sliceOf(v Value, s *sliceVal) Value {
	pick := func(items []Value) []Value {
		a, z, st := r.bounds(s, len(items))
		var out []Value
		for i := a; st > 0 && i < z || st < 0 && i > z; i += st {
			out = append(out, items[i])
		}
		r.growList(len(out))
		return out
	}
	switch x := v.(type) {
	case string:
		if isASCII(x) {
			a, z, st := r.bounds(s, len(x))
			if st == 1 {
				return x[a:max(a, z)]
			}
			r.grow(len(x))
			var b strings.Builder
			for i := a; st > 0 && i < z || st < 0 && i > z; i += st {
				b.WriteByte(x[i])
			}
			return b.String()
		}
		r.grow(len(x) * 4)
		runes := []rune(x)
		a, z, st := r.bounds(s, len(runes))
		var b strings.Builder
		for i := a; st > 0 && i < z || st < 0 && i > z; i += st {
			b.WriteRune(runes[i])
		}
		return b.String()
	case Bytes:
		return Bytes(r.sliceOf(latin(x), s).(string))
	case *List:
		return &List{Items: pick(x.Items)}
	case *Tuple:
		return &Tuple{Items: pick(x.Items)}
	case *view:
		return &List{Items: pick(x.items(r))}
	case *iter:
		return &List{Items: pick(x.list(r))}
	case *rangeVal:
		return &List{Items: pick(r.slice(x))}
	}
	r.raise(excType, "'%s' object is not subscriptable", typeName(v))
	return nil
}

// latin is the bytes as they are, seen as ASCII by sliceOf when they are.
func latin(b Bytes) string { return string(b) }

func (r *runtime) setIndex(v, key, val Value) {
	switch x := v.(type) {
	case *Dict:
		x.set(r, r.keyed(key), val)
		return
	case *List:
		if s, ok := key.(*sliceVal); ok {
			a, z, st := r.bounds(s, len(x.Items))
			items := r.slice(val)
			if st == 1 {
				z = max(a, z)
				r.growList(len(x.Items) + len(items))
				x.Items = append(append(append([]Value(nil), x.Items[:a]...), items...), x.Items[z:]...)
				return
			}
			var at []int
			for i := a; st > 0 && i < z || st < 0 && i > z; i += st {
				at = append(at, i)
			}
			if len(at) != len(items) {
				r.raise(excValue, "attempt to assign sequence of size %d to extended slice of size %d", len(items), len(at))
			}
			for j, i := range at {
				x.Items[i] = items[j]
			}
			return
		}
		x.Items[r.position(key, len(x.Items), "list assignment")] = val
		return
	case ItemSetter:
		if err := x.SetItem(key, val); err != nil {
			r.hostError(err)
		}
		return
	}
	r.raise(excType, "'%s' object does not support item assignment", typeName(v))
}

func (r *runtime) delIndex(v, key Value) {
	switch x := v.(type) {
	case *Dict:
		if _, ok := x.drop(r.hash(r.keyed(key))); !ok {
			r.throw(&Exc{Typ: excKey, Args: []Value{key}})
		}
		return
	case *List:
		if s, ok := key.(*sliceVal); ok {
			a, z, st := r.bounds(s, len(x.Items))
			gone := map[int]bool{}
			for i := a; st > 0 && i < z || st < 0 && i > z; i += st {
				gone[i] = true
			}
			var kept []Value
			for i, e := range x.Items {
				if !gone[i] {
					kept = append(kept, e)
				}
			}
			x.Items = kept
			return
		}
		i := r.position(key, len(x.Items), "list assignment")
		x.Items = append(x.Items[:i], x.Items[i+1:]...)
		return
	}
	r.raise(excType, "'%s' object doesn't support item deletion", typeName(v))
}

// length is len(v).
func (r *runtime) length(v Value) int64 {
	switch x := v.(type) {
	case string:
		return int64(strLen(x))
	case Bytes:
		return int64(len(x))
	case *List:
		return int64(len(x.Items))
	case *Tuple:
		return int64(len(x.Items))
	case *Dict:
		return int64(x.live)
	case *Set:
		return int64(x.live)
	case *view:
		return int64(x.d.live)
	case *rangeVal:
		return x.len()
	case *iter: // a list in Python 2
		if x.kind == "map" || x.kind == "filter" || x.kind == "zip" {
			return int64(len(x.list(r)))
		}
	case Object:
		switch o := x.(type) {
		case Lener:
			return int64(o.Len())
		case Iterer:
			items, err := o.Iter()
			if err != nil {
				r.hostError(err)
			}
			return int64(len(items))
		case Plainer:
			return r.length(r.plain(x, o))
		}
	}
	r.raise(excType, "object of type '%s' has no len()", typeName(v))
	return 0
}

// attr is v.name.
func (r *runtime) attr(v Value, name string) Value {
	x, ok := r.lookupAttr(v, name)
	if !ok {
		if m, isMod := v.(*Module); isMod {
			r.raise(excAttribute, "module '%s' has no attribute '%s'", m.Name, name)
		}
		if t, isType := v.(*Type); isType {
			r.raise(excAttribute, "type object '%s' has no attribute '%s'", t.Name, name)
		}
		r.raise(excAttribute, "'%s' object has no attribute '%s'", typeName(v), name)
	}
	return x
}

func (r *runtime) setAttr(v Value, name string, val Value) {
	if o, ok := v.(AttrSetter); ok {
		if err := o.SetAttr(name, val); err != nil {
			r.hostError(err)
		}
		return
	}
	r.raise(excAttribute, "'%s' object has no attribute '%s'", typeName(v), name)
}

func (r *runtime) bindMethod(v Value, name string, m method) Value {
	return &Builtin{name: name, fn: func(r *runtime, args []Value, kw []kwarg) Value {
		return m(r, v, args, kw)
	}}
}

// method is a method of a builtin type.
type method func(r *runtime, self Value, args []Value, kw []kwarg) Value

func (r *runtime) lookupAttr(v Value, name string) (Value, bool) {
	if o, ok := v.(Object); ok {
		if a, ok := v.(Attrer); ok {
			x, err := a.Attr(name)
			if err == nil {
				return x, true
			}
			if !isNoAttr(err) {
				r.hostError(err)
			}
		}
		if p, ok := v.(Plainer); ok {
			return r.lookupAttr(r.plain(o, p), name)
		}
		return nil, false
	}
	switch x := v.(type) {
	case *Module:
		a, ok := x.Attrs[name]
		return a, ok
	case *Type:
		for t := x; t != nil; t = t.Parent {
			if a, ok := t.attrs[name]; ok {
				return a, true
			}
			if ms := methodTables[t]; ms != nil {
				if m, ok := ms[name]; ok {
					return &Builtin{name: name, fn: func(r *runtime, args []Value, kw []kwarg) Value {
						if len(args) == 0 || !typeOf(args[0]).isA(x) {
							r.raise(excType, "%s.%s() needs a %s to work on", x.Name, name, x.Name)
						}
						return m(r, args[0], args[1:], kw)
					}}, true
				}
			}
		}
		if name == "__name__" {
			return x.Name, true
		}
		return nil, false
	case *Exc:
		switch name {
		case "args":
			return &Tuple{Items: x.Args}, true
		case "message":
			return r.str(x), true
		}
	case *match:
		if name == "string" {
			return x.text, true
		}
		if name == "lastindex" {
			return x.lastIndex(), true
		}
		if name == "re" {
			return x.pat, true
		}
	case *pattern:
		switch name {
		case "pattern":
			return x.source, true
		case "groups":
			return int64(x.ngroups), true
		}
	case *Function:
		if name == "__name__" {
			return x.name, true
		}
	case int64, bool, *big.Int:
		n, _ := bigOf(x)
		switch name {
		case "real", "numerator":
			return normBig(n), true
		case "imag":
			return int64(0), true
		case "denominator":
			return int64(1), true
		}
	case float64:
		switch name {
		case "real":
			return x, true
		case "imag":
			return 0.0, true
		}
	}
	t := typeOf(v)
	if name == "__class__" {
		return t, true
	}
	for c := t; c != nil; c = c.Parent {
		if m, ok := methodTables[c][name]; ok {
			return r.bindMethod(v, name, m), true
		}
	}
	switch name {
	case "__str__":
		return r.bindMethod(v, name, func(r *runtime, self Value, _ []Value, _ []kwarg) Value { return r.str(self) }), true
	case "__len__":
		switch v.(type) {
		case string, *List, *Dict, *Tuple, *Set:
			return r.bindMethod(v, name, func(r *runtime, self Value, _ []Value, _ []kwarg) Value { return r.length(self) }), true
		}
	case "__contains__":
		switch v.(type) {
		case string, *List, *Dict, *Tuple, *Set:
			return r.bindMethod(v, name, func(r *runtime, self Value, args []Value, _ []kwarg) Value {
				a := r.args("__contains__", args, nil, 1, "key")
				return r.contains(self, a[0])
			}), true
		}
	case "__getitem__":
		switch v.(type) {
		case string, *List, *Dict, *Tuple:
			return r.bindMethod(v, name, func(r *runtime, self Value, args []Value, _ []kwarg) Value {
				a := r.args("__getitem__", args, nil, 1, "key")
				return r.index(self, a[0])
			}), true
		}
	}
	return nil, false
}

// unset marks an argument that was not given.
type unset struct{}

// args sorts the arguments of a builtin into the parameters named; the first
// need must be given, the others come as unset{} when absent.
func (r *runtime) args(fn string, args []Value, kw []kwarg, need int, names ...string) []Value {
	if len(args) > len(names) {
		r.raise(excType, "%s() takes at most %d arguments (%d given)", fn, len(names), len(args))
	}
	out := make([]Value, len(names))
	copy(out, args)
	for i := len(args); i < len(names); i++ {
		out[i] = unset{}
	}
next:
	for _, k := range kw {
		for i, n := range names {
			if n == k.name {
				if i < len(args) {
					r.raise(excType, "%s() got multiple values for argument '%s'", fn, n)
				}
				out[i] = k.val
				continue next
			}
		}
		r.raise(excType, "%s() got an unexpected keyword argument '%s'", fn, k.name)
	}
	for i := 0; i < need; i++ {
		if _, ok := out[i].(unset); ok {
			r.raise(excType, "%s() missing required argument '%s' (pos %d)", fn, names[i], i+1)
		}
	}
	return out
}

func given(v Value) bool { _, no := v.(unset); return !no }

// needStr, needInt read an argument of a type.
func (r *runtime) needStr(fn string, v Value) string {
	switch x := r.deref(v).(type) {
	case string:
		return x
	case Bytes:
		return string(x)
	default:
		r.raise(excType, "%s: a str is expected, not %s", fn, typeName(x))
	}
	return ""
}

func (r *runtime) needInt(fn string, v Value) int64 {
	i, ok := intOf(r.deref(v))
	if !ok {
		if _, isBig := v.(interface{ BitLen() int }); isBig {
			r.raise(excOverflow, "Python int too large to convert to C ssize_t")
		}
		r.raise(excType, "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return i
}

func (r *runtime) needFloat(fn string, v Value) float64 {
	f, ok := r.floatOf(r.deref(v))
	if !ok {
		r.raise(excType, "must be real number, not %s", typeName(v))
	}
	return f
}

func (r *runtime) ascii(v Value) string {
	s := r.repr(v)
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < 0x80:
			b.WriteRune(c)
		case c <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	return b.String()
}
