package cheetah

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// builtins are Python's builtin names, with those of Python 2 that tools use.
var builtins map[string]Value

// templateGlobals are the names a compiled Cheetah template has besides.
var templateGlobals map[string]Value

func init() {
	fn := func(name string, f native) { builtins[name] = &Builtin{name, f} }
	builtins = map[string]Value{
		"True": true, "False": false, "None": nil, "NotImplemented": nil, "Ellipsis": nil,
		"str": typStr, "unicode": typStr, "basestring": typStr, "int": typInt, "long": typInt, "float": typFloat, "bool": typBool,
		"list": typList, "tuple": typTuple, "dict": typDict, "set": typSet, "frozenset": typFrozen, "bytes": typBytes,
		"object": typObject, "type": typType, "slice": typSlice, "range": typRange, "xrange": typRange,
	}
	for n, t := range excTypes {
		if n != "NotFound" {
			builtins[n] = t
		}
	}
	initTypes()
	for n, f := range fillBuiltins() {
		fn(n, f)
	}
	modules = makeModules()
	templateGlobals = map[string]Value{"NotFound": excNotFound, "sys": modules["sys"], "os": modules["os"], "time": modules["time"],
		"exists": modules["os.path"].Attrs["exists"]}
}

func initTypes() {
	typStr.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("str", args, kw, 0, "object", "encoding", "errors")
		if !given(a[0]) {
			return ""
		}
		if b, ok := a[0].(Bytes); ok && given(a[1]) {
			return bytesMethods["decode"](r, b, args[1:], kw)
		}
		return r.str(a[0])
	}
	typStr.attrs = map[string]Value{"maketrans": &Builtin{"maketrans", maketrans}}
	typInt.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("int", args, kw, 0, "x", "base")
		if !given(a[0]) {
			return int64(0)
		}
		if given(a[1]) {
			return r.parseInt(r.needStr("int() with a base", a[0]), int(max(-1, min(r.needInt("int", a[1]), 99))))
		}
		switch x := r.deref(a[0]).(type) {
		case bool, int64, *big.Int:
			n, _ := bigOf(x)
			return normBig(n)
		case float64:
			return r.floatToInt(x)
		case string:
			return r.parseInt(x, 10)
		case Bytes:
			return r.parseInt(string(x), 10)
		case Strer:
			return r.parseInt(x.Str(), 10)
		default:
			r.raise(excType, "int() argument must be a string, a bytes-like object or a real number, not '%s'", typeName(x))
			return nil
		}
	}
	typFloat.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("float", args, kw, 0, "x")
		if !given(a[0]) {
			return 0.0
		}
		x := r.deref(a[0])
		if f, ok := r.floatOf(x); ok {
			return f
		}
		text, ok := x.(string)
		if !ok {
			s, isStr := x.(Strer)
			if !isStr {
				r.raise(excType, "float() argument must be a string or a real number, not '%s'", typeName(x))
			}
			text = s.Str()
		}
		f, ok := readFloat(text)
		if !ok {
			r.raise(excValue, "could not convert string to float: %s", quote(truncate(text, 200)))
		}
		return f
	}
	typBool.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("bool", args, kw, 0, "x")
		return given(a[0]) && truth(a[0])
	}
	typList.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("list", args, kw, 0, "iterable")
		if !given(a[0]) {
			return &List{}
		}
		return &List{Items: r.slice(a[0])}
	}
	typTuple.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("tuple", args, kw, 0, "iterable")
		if !given(a[0]) {
			return &Tuple{}
		}
		return &Tuple{Items: r.slice(a[0])}
	}
	makeDict := func(t *Type) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			d := &Dict{typ: t}
			if t == typDefault && len(args) > 0 {
				if args[0] != nil {
					d.factory = args[0]
				}
				args = args[1:]
			}
			a := r.args("dict", args, nil, 0, "mapping")
			if given(a[0]) && !(a[0] == nil && t == typCounter) {
				if t == typCounter {
					r.counterAdd(d, a[0], 1)
				} else {
					r.dictUpdate(d, r.deref(a[0]))
				}
			}
			for _, k := range kw {
				d.set(r, k.name, k.val)
			}
			return d
		}
	}
	typDict.make = makeDict(nil)
	typOrdered.make = makeDict(typOrdered)
	typDefault.make = makeDict(typDefault)
	typCounter.make = makeDict(typCounter)
	typDict.attrs = map[string]Value{"fromkeys": &Builtin{"fromkeys", func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("fromkeys", args, kw, 1, "iterable", "value")
		var v Value
		if given(a[1]) {
			v = a[1]
		}
		d := NewDict()
		r.each(a[0], func(k Value) bool { d.set(r, r.keyed(k), v); return true })
		return d
	}}}
	makeSet := func(frozen bool) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("set", args, kw, 0, "iterable")
			s := &Set{}
			if given(a[0]) {
				r.each(a[0], func(v Value) bool { s.add(r, r.keyed(v)); return true })
			}
			s.frozen = frozen
			return s
		}
	}
	typSet.make, typFrozen.make = makeSet(false), makeSet(true)
	typBytes.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("bytes", args, kw, 0, "source", "encoding", "errors")
		switch x := a[0].(type) {
		case unset:
			return Bytes("")
		case string:
			if !given(a[1]) {
				r.raise(excType, "string argument without an encoding")
			}
			return r.encode(x, a[1:])
		case Bytes:
			return x
		case int64:
			if x < 0 || x > int64(r.lim.Value) {
				r.grow(r.lim.Value + 1)
			}
			r.grow(int(x))
			return Bytes(strings.Repeat("\x00", int(x)))
		}
		var b []byte
		r.each(a[0], func(v Value) bool {
			n := r.needInt("bytes", v)
			if n < 0 || n > 255 {
				r.raise(excValue, "bytes must be in range(0, 256)")
			}
			r.grow(1)
			b = append(b, byte(n))
			return true
		})
		return Bytes(b)
	}
	typType.make = func(r *runtime, args []Value, kw []kwarg) Value {
		if len(args) != 1 {
			r.raise(excType, "type() takes 1 argument here; classes cannot be made")
		}
		return typeOf(args[0])
	}
	typObject.make = func(r *runtime, args []Value, kw []kwarg) Value { return &Module{Name: "object"} }
	typRange.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("range", args, kw, 1, "start", "stop", "step")
		x := &rangeVal{step: 1}
		if !given(a[1]) {
			x.stop = r.needInt("range", a[0])
		} else {
			x.start, x.stop = r.needInt("range", a[0]), r.needInt("range", a[1])
			if given(a[2]) {
				x.step = r.needInt("range", a[2])
			}
		}
		if x.step == 0 {
			r.raise(excValue, "range() arg 3 must not be zero")
		}
		if x.step == math.MinInt64 {
			x.step++
		}
		return x
	}
	typSlice.make = func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("slice", args, kw, 1, "start", "stop", "step")
		for i := range a {
			if !given(a[i]) {
				a[i] = nil
			}
		}
		if len(args) == 1 {
			return &sliceVal{hi: a[0]}
		}
		return &sliceVal{a[0], a[1], a[2]}
	}
}

func readFloat(text string) (float64, bool) {
	t := strings.ToLower(strings.TrimFunc(text, isSpace))
	if len(t) > 10000 || strings.HasPrefix(t, "0x") || strings.Contains(t, "p") || strings.Contains(t, "__") || strings.HasPrefix(t, "_") || strings.HasSuffix(t, "_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func parseFloat(s string) Value {
	f, _ := readFloat(s)
	return f
}

func (r *runtime) parseInt(text string, base int) Value {
	t := strings.TrimFunc(text, isSpace)
	bad := func() {
		r.raise(excValue, "invalid literal for int() with base %d: %s", base, quote(truncate(text, 200)))
	}
	if base != 0 && (base < 2 || base > 36) {
		r.raise(excValue, "int() base must be >= 2 and <= 36, or 0")
	}
	if len(t) > maxIntDigits+2 {
		r.raise(excValue, "Exceeds the limit (%d digits) for integer string conversion: value has %d digits", maxIntDigits, len(t))
	}
	neg := false
	body := t
	if body != "" && (body[0] == '-' || body[0] == '+') {
		neg = body[0] == '-'
		body = body[1:]
	}
	low := strings.ToLower(body)
	for _, p := range []struct {
		pre  string
		base int
	}{{"0x", 16}, {"0o", 8}, {"0b", 2}} {
		if strings.HasPrefix(low, p.pre) && (base == p.base || base == 0) {
			body, base = body[2:], p.base
			break
		}
	}
	if base == 0 {
		base = 10
	}
	if body == "" || strings.HasPrefix(body, "_") || strings.HasSuffix(body, "_") || strings.Contains(body, "__") || strings.ContainsAny(body, "+-") {
		bad()
	}
	n, ok := new(big.Int).SetString(strings.ReplaceAll(body, "_", ""), base)
	if !ok {
		bad()
	}
	if neg {
		n.Neg(n)
	}
	return normBig(n)
}

func maketrans(r *runtime, args []Value, kw []kwarg) Value {
	a := r.args("maketrans", args, kw, 1, "x", "y", "z")
	d := NewDict()
	if m, ok := a[0].(*Dict); ok && !given(a[1]) {
		m.Each(func(k, v Value) bool {
			if s, ok := k.(string); ok {
				c, _ := utf8.DecodeRuneInString(s)
				k = int64(c)
			}
			d.set(r, k, v)
			return true
		})
		return d
	}
	x, y := []rune(r.needStr("maketrans", a[0])), []rune("")
	if given(a[1]) {
		y = []rune(r.needStr("maketrans", a[1]))
	}
	if len(x) != len(y) {
		r.raise(excValue, "the first two maketrans arguments must have equal length")
	}
	for i := range x {
		d.set(r, int64(x[i]), int64(y[i]))
	}
	if given(a[2]) {
		for _, c := range r.needStr("maketrans", a[2]) {
			d.set(r, int64(c), nil)
		}
	}
	return d
}

func (r *runtime) isInstance(v Value, t Value, depth int) bool {
	if depth > maxDataDepth {
		r.raise(excRecursion, "maximum recursion depth exceeded")
	}
	switch x := t.(type) {
	case *Type:
		return typeOf(v).isA(x)
	case *Tuple:
		for _, e := range x.Items {
			r.step()
			if r.isInstance(v, e, depth+1) {
				return true
			}
		}
		return false
	}
	r.raise(excType, "isinstance() arg 2 must be a type or a tuple of types")
	return false
}

func (r *runtime) extreme(fn string, args []Value, kw []kwarg, sign int) Value {
	var key, def Value = nil, unset{}
	for _, k := range kw {
		switch k.name {
		case "key":
			key = k.val
		case "default":
			def = k.val
		default:
			r.raise(excType, "%s() got an unexpected keyword argument '%s'", fn, k.name)
		}
	}
	var from Value
	switch len(args) {
	case 0:
		r.raise(excType, "%s expected at least 1 argument, got 0", fn)
	case 1:
		from = args[0]
	default:
		from = &Tuple{Items: args}
	}
	var best, bestKey Value
	found := false
	r.each(from, func(v Value) bool {
		k := v
		if key != nil {
			k = r.call(key, []Value{v}, nil)
		}
		if !found || sign < 0 && r.compare("<", k, bestKey) || sign > 0 && r.compare(">", k, bestKey) {
			best, bestKey, found = v, k, true
		}
		return true
	})
	if !found {
		if !given(def) {
			r.raise(excValue, "%s() arg is an empty sequence", fn)
		}
		return def
	}
	return best
}

func (r *runtime) round(x Value, n Value) Value {
	x = r.deref(x)
	if f, ok := x.(float64); ok {
		if !given(n) || n == nil {
			return r.floatToInt(math.RoundToEven(f))
		}
		d := r.needInt("round", n)
		if d > 300 || math.IsNaN(f) || math.IsInf(f, 0) {
			return f
		}
		if d < -308 {
			return 0.0
		}
		if d >= 0 {
			v, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(d), 64), 64)
			return v
		}
		p := math.Pow(10, float64(-d))
		return math.RoundToEven(f/p) * p
	}
	i, ok := bigOf(x)
	if !ok {
		r.raise(excType, "type %s doesn't define __round__ method", typeName(x))
	}
	if !given(n) || n == nil {
		return normBig(i)
	}
	d := r.needInt("round", n)
	if d >= 0 {
		return normBig(i)
	}
	if d < -maxIntDigits {
		return int64(0)
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(-d), nil)
	q, m := new(big.Int).DivMod(i, p, new(big.Int))
	twice := new(big.Int).Lsh(m, 1).Cmp(p)
	if twice > 0 || twice == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return normBig(q.Mul(q, p))
}

func baseText(name string, verb byte) native {
	return func(r *runtime, args []Value, kw []kwarg) Value {
		v := r.deref(r.args(name, args, kw, 1, "number")[0])
		if _, ok := bigOf(v); !ok {
			r.raise(excType, "'%s' object cannot be interpreted as an integer", typeName(v))
		}
		return r.formatInt(v, spec{fill: " ", alt: true, verb: verb})
	}
}

func one(name string, f func(r *runtime, v Value) Value) native {
	return func(r *runtime, args []Value, kw []kwarg) Value { return f(r, r.args(name, args, kw, 1, "x")[0]) }
}

func fillBuiltins() map[string]native {
	return map[string]native{
		"len":      one("len", func(r *runtime, v Value) Value { return r.length(v) }),
		"repr":     one("repr", func(r *runtime, v Value) Value { return r.repr(v) }),
		"ascii":    one("ascii", func(r *runtime, v Value) Value { return r.ascii(v) }),
		"callable": one("callable", func(r *runtime, v Value) Value { return callable(v) }),
		"hash":     one("hash", func(r *runtime, v Value) Value { return hashNumber(keyText(r.hash(v))) }),
		"id":       one("id", func(r *runtime, v Value) Value { return hashNumber(typeName(v)) }),
		"hex":      baseText("hex", 'x'),
		"oct":      baseText("oct", 'o'),
		"bin":      baseText("bin", 'b'),
		"abs": one("abs", func(r *runtime, v Value) Value {
			v = r.deref(v)
			if f, ok := v.(float64); ok {
				return math.Abs(f)
			}
			n, ok := bigOf(v)
			if !ok {
				r.raise(excType, "bad operand type for abs(): '%s'", typeName(v))
			}
			return normBig(new(big.Int).Abs(n))
		}),
		"ord": one("ord", func(r *runtime, v Value) Value {
			s := r.needStr("ord", v)
			if strLen(s) != 1 {
				r.raise(excType, "ord() expected a character, but string of length %d found", strLen(s))
			}
			c, _ := utf8.DecodeRuneInString(s)
			return int64(c)
		}),
		"chr": chrFunc, "unichr": chrFunc,
		"iter": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("iter", args, kw, 1, "object", "sentinel")
			if !given(a[1]) {
				return r.iterate(a[0])
			}
			return &iter{next: func() (Value, bool) {
				v := r.call(a[0], nil, nil)
				return v, !r.equal(v, a[1])
			}}
		},
		"next": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("next", args, kw, 1, "iterator", "default")
			it, ok := a[0].(*iter)
			if !ok {
				r.raise(excType, "'%s' object is not an iterator", typeName(a[0]))
			}
			if v, ok := it.pull(r); ok {
				return v
			}
			if !given(a[1]) {
				r.throw(&Exc{Typ: excStop})
			}
			return a[1]
		},
		"enumerate": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("enumerate", args, kw, 1, "iterable", "start")
			n := int64(0)
			if given(a[1]) {
				n = r.needInt("enumerate", a[1])
			}
			it := r.iterate(a[0])
			return &iter{kind: "enumerate", next: func() (Value, bool) {
				v, ok := it.pull(r)
				if !ok {
					return nil, false
				}
				n++
				r.grow(48)
				return NewTuple(n-1, v), true
			}}
		},
		"zip": func(r *runtime, args []Value, kw []kwarg) Value { return r.zip(args, false, nil) },
		"map": func(r *runtime, args []Value, kw []kwarg) Value {
			if len(args) < 2 {
				r.raise(excType, "map() must have at least two arguments.")
			}
			its := make([]*iter, len(args)-1)
			for i, a := range args[1:] {
				its[i] = r.iterate(a)
			}
			fn := args[0]
			return &iter{kind: "map", next: func() (Value, bool) {
				vals := make([]Value, len(its))
				for i, it := range its {
					v, ok := it.pull(r)
					if !ok {
						return nil, false
					}
					vals[i] = v
				}
				if fn == nil && len(vals) == 1 {
					return vals[0], true
				}
				return r.call(fn, vals, nil), true
			}}
		},
		"filter": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("filter", args, kw, 2, "function", "iterable")
			it := r.iterate(a[1])
			return &iter{kind: "filter", next: func() (Value, bool) {
				for {
					v, ok := it.pull(r)
					if !ok {
						return nil, false
					}
					r.step()
					if a[0] == nil && truth(v) || a[0] != nil && truth(r.call(a[0], []Value{v}, nil)) {
						return v, true
					}
				}
			}}
		},
		"reduce": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("reduce", args, kw, 2, "function", "iterable", "initial")
			acc := a[2]
			r.each(a[1], func(v Value) bool {
				if !given(acc) {
					acc = v
				} else {
					acc = r.call(a[0], []Value{acc, v}, nil)
				}
				return true
			})
			if !given(acc) {
				r.raise(excType, "reduce() of empty iterable with no initial value")
			}
			return acc
		},
		"sorted": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("sorted", args, kw, 1, "iterable", "cmp", "key", "reverse")
			var key, cmp Value
			if given(a[1]) {
				cmp = a[1]
			}
			if given(a[2]) {
				key = a[2]
			}
			items := r.slice(a[0])
			r.sortValues(items, key, given(a[3]) && truth(a[3]), cmp)
			return &List{Items: items}
		},
		"reversed": one("reversed", func(r *runtime, v Value) Value {
			switch v.(type) {
			case *Set, *iter:
				r.raise(excType, "'%s' object is not reversible", typeName(v))
			}
			items := r.slice(v)
			for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
				items[i], items[j] = items[j], items[i]
			}
			return sliceIter(items)
		}),
		"min": func(r *runtime, args []Value, kw []kwarg) Value { return r.extreme("min", args, kw, -1) },
		"max": func(r *runtime, args []Value, kw []kwarg) Value { return r.extreme("max", args, kw, 1) },
		"sum": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("sum", args, kw, 1, "iterable", "start")
			var acc Value = int64(0)
			if given(a[1]) {
				acc = a[1]
			}
			if _, ok := acc.(string); ok {
				r.raise(excType, "sum() can't sum strings [use ''.join(seq) instead]")
			}
			r.each(a[0], func(v Value) bool { acc = r.binary("+", acc, v); return true })
			return acc
		},
		"any": one("any", func(r *runtime, v Value) Value {
			found := false
			r.each(v, func(e Value) bool { found = truth(e); return !found })
			return found
		}),
		"all": one("all", func(r *runtime, v Value) Value {
			ok := true
			r.each(v, func(e Value) bool { ok = truth(e); return ok })
			return ok
		}),
		"round": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("round", args, kw, 1, "number", "ndigits")
			return r.round(a[0], a[1])
		},
		"divmod": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("divmod", args, kw, 2, "x", "y")
			return NewTuple(r.binary("//", a[0], a[1]), r.binary("%", a[0], a[1]))
		},
		"pow": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("pow", args, kw, 2, "base", "exp", "mod")
			if !given(a[2]) || a[2] == nil {
				return r.binary("**", a[0], a[1])
			}
			b, ok1 := bigOf(a[0])
			e, ok2 := bigOf(a[1])
			m, ok3 := bigOf(a[2])
			if !ok1 || !ok2 || !ok3 || e.Sign() < 0 || m.Sign() <= 0 {
				r.raise(excValue, "pow() with three arguments needs ints, the second not negative, the third positive")
			}
			if e.BitLen() > 4096 || m.BitLen() > 4096 {
				panic(&limitError{"LimitExceeded", "pow() of ints of more than 4096 bits"})
			}
			r.charge(e.BitLen() * m.BitLen() >> 6)
			return r.big(new(big.Int).Exp(b, e, m))
		},
		"format": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("format", args, kw, 1, "value", "spec")
			if !given(a[1]) {
				return r.str(a[0])
			}
			return r.format(a[0], r.needStr("format", a[1]))
		},
		"isinstance": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("isinstance", args, kw, 2, "obj", "type")
			return r.isInstance(a[0], a[1], 0)
		},
		"issubclass": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("issubclass", args, kw, 2, "cls", "type")
			t, ok := a[0].(*Type)
			u, ok2 := a[1].(*Type)
			if !ok || !ok2 {
				r.raise(excType, "issubclass() needs classes")
			}
			return t.isA(u)
		},
		"hasattr": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("hasattr", args, kw, 2, "obj", "name")
			_, ok := r.lookupAttr(a[0], r.needStr("hasattr", a[1]))
			return ok
		},
		"getattr": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("getattr", args, kw, 2, "obj", "name", "default")
			name := r.needStr("getattr", a[1])
			if given(a[2]) {
				if v, ok := r.lookupAttr(a[0], name); ok {
					return v
				}
				return a[2]
			}
			return r.attr(a[0], name)
		},
		"print": func(r *runtime, args []Value, kw []kwarg) Value { return nil },
		"__import__": func(r *runtime, args []Value, kw []kwarg) Value {
			if len(args) == 0 {
				r.raise(excType, "__import__() missing required argument 'name'")
			}
			name := r.needStr("__import__", args[0])
			top, _, _ := strings.Cut(name, ".")
			r.importModule(name)
			return r.importModule(top)
		},
		"cmp": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("cmp", args, kw, 2, "x", "y")
			if r.equal(a[0], a[1]) {
				return int64(0)
			}
			if r.compare("<", a[0], a[1]) {
				return int64(-1)
			}
			return int64(1)
		},
	}
}

func chrFunc(r *runtime, args []Value, kw []kwarg) Value {
	n := r.needInt("chr", r.args("chr", args, kw, 1, "i")[0])
	if n < 0 || n > utf8.MaxRune {
		r.raise(excValue, "chr() arg not in range(0x110000)")
	}
	return string(rune(n))
}

func callable(v Value) bool {
	switch v.(type) {
	case *Builtin, *Function, *HostFunc, *Type, Caller:
		return true
	}
	return false
}

// hashNumber is FNV-1a: the same for the same text on every run.
func hashNumber(s string) Value {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return int64(h >> 2)
}

func (r *runtime) zip(args []Value, longest bool, fill Value) Value {
	its := make([]*iter, len(args))
	for i, a := range args {
		its[i] = r.iterate(a)
	}
	return &iter{kind: "zip", next: func() (Value, bool) {
		vals := make([]Value, len(its))
		live := false
		for i, it := range its {
			v, ok := it.pull(r)
			if !ok {
				if !longest {
					return nil, false
				}
				v = fill
			} else {
				live = true
			}
			vals[i] = v
		}
		if !live {
			return nil, false
		}
		r.grow(24 + 16*len(vals))
		return &Tuple{Items: vals}, true
	}}
}

// templateMethods are what every Cheetah template offers on itself.
var templateMethods map[string]func(f *frame, args []Value, kw []kwarg) Value

func init() {
	has := func(f *frame, args []Value, kw []kwarg) Value {
		name := f.r.needStr("varExists", f.r.args("varExists", args, kw, 1, "varName", "autoCall")[0])
		_, ok := f.find(name)
		return ok
	}
	get := func(f *frame, args []Value, kw []kwarg) Value {
		a := f.r.args("getVar", args, kw, 1, "varName", "default", "autoCall")
		name := f.r.needStr("getVar", a[0])
		if v, ok := f.find(name); ok {
			return v
		}
		if !given(a[1]) {
			f.r.raise(excNotFound, "cannot find '%s'", name)
		}
		return a[1]
	}
	templateMethods = map[string]func(f *frame, args []Value, kw []kwarg) Value{"varExists": has, "hasVar": has, "getVar": get}
}

// find looks a dotted name up as getVar does: not among local names.
func (f *frame) find(name string) (Value, bool) {
	parts := strings.Split(name, ".")
	g := &frame{r: f.r}
	v, ok := g.r.globalSet[parts[0]]
	if !ok {
		v, ok = g.r.defs[parts[0]]
	}
	if !ok {
		v, ok = g.r.scope0(parts[0])
	}
	for _, p := range parts[1:] {
		if !ok {
			return nil, false
		}
		v, ok = f.r.mappedAttr(v, p)
	}
	return v, ok
}
