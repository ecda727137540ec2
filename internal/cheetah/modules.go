package cheetah

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
)

// modules are what #import and __import__ give. Nothing else can be imported,
// save what the caller adds in Limits.Modules.
var modules map[string]*Module

func (r *runtime) importModule(name string) *Module {
	if m, ok := r.lim.Modules[name]; ok {
		return m
	}
	if m, ok := modules[name]; ok {
		return m
	}
	if name == "random" {
		return r.randomModule()
	}
	r.raise(excImport, "the module '%s' cannot be imported in a tool template", name)
	return nil
}

func fnAttrs(fns map[string]native) map[string]Value {
	out := make(map[string]Value, len(fns))
	for n, f := range fns {
		out[n] = &Builtin{n, f}
	}
	return out
}

// strFn makes a function of one string.
func strFn(name string, f func(r *runtime, s string) Value) native {
	return one(name, func(r *runtime, v Value) Value { return f(r, r.pathText(v)) })
}

// pathText reads a path argument: a str, or an object that prints as one.
func (r *runtime) pathText(v Value) string {
	switch x := r.deref(v).(type) {
	case string:
		return x
	case Bytes:
		return string(x)
	case Object:
		if s, ok := x.(Strer); ok {
			return s.Str()
		}
	}
	r.raise(excType, "expected str, bytes or os.PathLike object, not %s", typeName(v))
	return ""
}

func splitExt(s string) (string, string) {
	base := s[strings.LastIndexByte(s, '/')+1:]
	lead := len(base) - len(strings.TrimLeft(base, "."))
	i := strings.LastIndexByte(base, '.')
	if i <= lead-1 || i < 0 || i < lead {
		return s, ""
	}
	cut := len(s) - len(base) + i
	return s[:cut], s[cut:]
}

func splitPath(s string) (head, tail string) {
	i := strings.LastIndexByte(s, '/') + 1
	head, tail = s[:i], s[i:]
	if strings.Trim(head, "/") != "" {
		head = strings.TrimRight(head, "/")
	}
	return head, tail
}

func normPath(s string) string {
	if s == "" {
		return "."
	}
	two := strings.HasPrefix(s, "//") && !strings.HasPrefix(s, "///")
	s = path.Clean(s)
	if two {
		return "/" + s
	}
	return s
}

func (r *runtime) fileInfo(fn string, v Value) FileInfo {
	p := r.pathText(v)
	if r.lim.File == nil {
		r.raise(excPermission, "%s(%s): a tool template has no access to files", fn, quote(truncate(p, 200)))
	}
	r.charge(1000)
	fi, err := r.lim.File(p)
	if err != nil {
		r.hostError(err)
	}
	return fi
}

func pathModule() *Module {
	return &Module{Name: "os.path", Attrs: fnAttrs(map[string]native{
		"basename": strFn("basename", func(r *runtime, s string) Value { _, t := splitPath(s); return t }),
		"dirname":  strFn("dirname", func(r *runtime, s string) Value { h, _ := splitPath(s); return h }),
		"split":    strFn("split", func(r *runtime, s string) Value { h, t := splitPath(s); return NewTuple(h, t) }),
		"splitext": strFn("splitext", func(r *runtime, s string) Value { h, t := splitExt(s); return NewTuple(h, t) }),
		"normpath": strFn("normpath", func(r *runtime, s string) Value { return normPath(s) }),
		"isabs":    strFn("isabs", func(r *runtime, s string) Value { return strings.HasPrefix(s, "/") }),
		"abspath": strFn("abspath", func(r *runtime, s string) Value {
			if !strings.HasPrefix(s, "/") {
				r.raise(excPermission, "os.path.abspath of a relative path: a tool template has no working directory")
			}
			return normPath(s)
		}),
		"exists": one("exists", func(r *runtime, v Value) Value { return r.fileInfo("os.path.exists", v).Exists }),
		"isfile": one("isfile", func(r *runtime, v Value) Value {
			fi := r.fileInfo("os.path.isfile", v)
			return fi.Exists && !fi.Dir
		}),
		"isdir":   one("isdir", func(r *runtime, v Value) Value { return r.fileInfo("os.path.isdir", v).Dir }),
		"getsize": one("getsize", func(r *runtime, v Value) Value { return r.fileInfo("os.path.getsize", v).Size }),
		"join": func(r *runtime, args []Value, kw []kwarg) Value {
			out := ""
			for i, a := range args {
				s := r.pathText(a)
				switch {
				case strings.HasPrefix(s, "/") || i == 0:
					out = s
				case out == "" || strings.HasSuffix(out, "/"):
					out += s
				default:
					out += "/" + s
				}
				r.grow(len(out))
			}
			return out
		},
		"commonprefix": one("commonprefix", func(r *runtime, v Value) Value {
			items := r.slice(v)
			if len(items) == 0 {
				return ""
			}
			p := []rune(r.pathText(items[0]))
			for _, it := range items[1:] {
				q := []rune(r.pathText(it))
				i := 0
				for i < len(p) && i < len(q) && p[i] == q[i] {
					i++
				}
				p = p[:i]
			}
			return r.keep(string(p))
		}),
		"relpath": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("relpath", args, kw, 2, "path", "start")
			from := strings.Split(strings.Trim(normPath(r.pathText(a[1])), "/"), "/")
			to := strings.Split(strings.Trim(normPath(r.pathText(a[0])), "/"), "/")
			i := 0
			for i < len(from) && i < len(to) && from[i] == to[i] {
				i++
			}
			var out []string
			for range from[i:] {
				out = append(out, "..")
			}
			out = append(out, to[i:]...)
			if len(out) == 0 {
				return "."
			}
			return r.keep(strings.Join(out, "/"))
		},
	})}
}

func hexText(s string) string { return hex.EncodeToString([]byte(s)) }

// shellQuote is shlex.quote.
func shellQuote(s string) string {
	if s == "" {
		return "''"
	}
	for i := 0; i < len(s); i++ {
		if !isIdentChar(s[i]) && strings.IndexByte("@%+=:,./-", s[i]) < 0 {
			return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
		}
	}
	return s
}

func quoteFn() Value {
	return &Builtin{"quote", strFn("quote", func(r *runtime, s string) Value {
		r.grow(len(s) * 2)
		return r.keep(shellQuote(s))
	})}
}

// hashObject is what hashlib.md5() and its kin give.
type hashObject struct {
	kind string
	data []byte
	sum  func([]byte) []byte
}

// TypeName implements Object.
func (h *hashObject) TypeName() string { return "_hashlib.HASH" }

// Attr implements Attrer.
func (h *hashObject) Attr(name string) (Value, error) {
	switch name {
	case "hexdigest":
		return &Builtin{name, func(r *runtime, args []Value, kw []kwarg) Value { return hex.EncodeToString(h.digest(r)) }}, nil
	case "digest":
		return &Builtin{name, func(r *runtime, args []Value, kw []kwarg) Value { return Bytes(h.digest(r)) }}, nil
	case "update":
		return &Builtin{name, func(r *runtime, args []Value, kw []kwarg) Value {
			h.add(r, r.args("update", args, kw, 1, "data")[0])
			return nil
		}}, nil
	case "name":
		return h.kind, nil
	}
	return nil, ErrNoAttr
}

func (h *hashObject) digest(r *runtime) []byte {
	r.charge(len(h.data) >> 6)
	return h.sum(h.data)
}

func (h *hashObject) add(r *runtime, v Value) {
	var s string
	switch x := v.(type) {
	case Bytes:
		s = string(x)
	case string: // Python 2 templates hash plain strings
		s = x
	default:
		r.raise(excType, "object supporting the buffer API required")
	}
	r.grow(len(h.data) + len(s))
	h.data = append(h.data, s...)
}

func hashModule() *Module {
	m := &Module{Name: "hashlib", Attrs: map[string]Value{}}
	mk := func(name string, sum func([]byte) []byte) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			h := &hashObject{kind: name, sum: sum}
			for i, a := range args {
				if i == 0 {
					h.add(r, a)
				}
			}
			return h
		}
	}
	kinds := map[string]func([]byte) []byte{
		"md5":    func(b []byte) []byte { s := md5.Sum(b); return s[:] },
		"sha1":   func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
		"sha256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"sha512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	}
	for n, f := range kinds {
		m.Attrs[n] = &Builtin{n, mk(n, f)}
	}
	m.Attrs["new"] = &Builtin{"new", func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("new", args, kw, 1, "name", "data")
		name := strings.ToLower(r.needStr("new", a[0]))
		f, ok := kinds[name]
		if !ok {
			r.raise(excValue, "unsupported hash type %s", name)
		}
		if given(a[1]) {
			return mk(name, f)(r, a[1:], nil)
		}
		return mk(name, f)(r, nil, nil)
	}}
	return m
}

func mathModule() *Module {
	f1 := func(name string, f func(float64) float64) native {
		return one(name, func(r *runtime, v Value) Value {
			x := r.needFloat(name, v)
			y := f(x)
			if math.IsNaN(y) && !math.IsNaN(x) || math.IsInf(y, 0) && !math.IsInf(x, 0) && name != "exp" {
				r.raise(excValue, "math domain error")
			}
			if math.IsInf(y, 0) && !math.IsInf(x, 0) {
				r.raise(excOverflow, "math range error")
			}
			return y
		})
	}
	toInt := func(name string, f func(float64) float64) native {
		return one(name, func(r *runtime, v Value) Value {
			v = r.deref(v)
			if n, ok := bigOf(v); ok {
				return normBig(n)
			}
			return r.floatToInt(f(r.needFloat(name, v)))
		})
	}
	fns := map[string]native{
		"ceil": toInt("ceil", math.Ceil), "floor": toInt("floor", math.Floor), "trunc": toInt("trunc", math.Trunc),
		"isnan": one("isnan", func(r *runtime, v Value) Value { return math.IsNaN(r.needFloat("isnan", v)) }),
		"isinf": one("isinf", func(r *runtime, v Value) Value { return math.IsInf(r.needFloat("isinf", v), 0) }),
		"isfinite": one("isfinite", func(r *runtime, v Value) Value {
			f := r.needFloat("isfinite", v)
			return !math.IsNaN(f) && !math.IsInf(f, 0)
		}),
		"log": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("log", args, kw, 1, "x", "base")
			x := r.needFloat("log", a[0])
			if x <= 0 {
				r.raise(excValue, "math domain error")
			}
			if !given(a[1]) {
				return math.Log(x)
			}
			b := r.needFloat("log", a[1])
			if b <= 0 {
				r.raise(excValue, "math domain error")
			}
			if b == 1 {
				r.raise(excZeroDivision, "float division by zero")
			}
			return math.Log(x) / math.Log(b)
		},
		"pow": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("pow", args, kw, 2, "x", "y")
			return math.Pow(r.needFloat("pow", a[0]), r.needFloat("pow", a[1]))
		},
		"fmod": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("fmod", args, kw, 2, "x", "y")
			return math.Mod(r.needFloat("fmod", a[0]), r.needFloat("fmod", a[1]))
		},
		"atan2": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("atan2", args, kw, 2, "y", "x")
			return math.Atan2(r.needFloat("atan2", a[0]), r.needFloat("atan2", a[1]))
		},
		"hypot": func(r *runtime, args []Value, kw []kwarg) Value {
			s := 0.0
			for _, a := range args {
				s = math.Hypot(s, r.needFloat("hypot", a))
			}
			return s
		},
		"modf": one("modf", func(r *runtime, v Value) Value {
			i, f := math.Modf(r.needFloat("modf", v))
			return NewTuple(f, i)
		}),
		"gcd": func(r *runtime, args []Value, kw []kwarg) Value {
			g := new(big.Int)
			for _, a := range args {
				n, ok := bigOf(r.deref(a))
				if !ok {
					r.raise(excType, "'%s' object cannot be interpreted as an integer", typeName(a))
				}
				g.GCD(nil, nil, g, new(big.Int).Abs(n))
			}
			return normBig(g)
		},
		"factorial": one("factorial", func(r *runtime, v Value) Value {
			n := r.needInt("factorial", v)
			if n < 0 {
				r.raise(excValue, "factorial() not defined for negative values")
			}
			if n > 2000 {
				panic(&limitError{"LimitExceeded", "factorial() of more than 2000"})
			}
			return normBig(new(big.Int).MulRange(1, n))
		}),
	}
	for n, f := range map[string]func(float64) float64{"sqrt": math.Sqrt, "exp": math.Exp, "log2": math.Log2, "log10": math.Log10, "log1p": math.Log1p,
		"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "asin": math.Asin, "acos": math.Acos, "atan": math.Atan, "fabs": math.Abs,
		"degrees": func(x float64) float64 { return x * 180 / math.Pi }, "radians": func(x float64) float64 { return x * math.Pi / 180 }} {
		fns[n] = f1(n, f)
	}
	m := &Module{Name: "math", Attrs: fnAttrs(fns)}
	m.Attrs["pi"], m.Attrs["e"], m.Attrs["inf"], m.Attrs["nan"] = math.Pi, math.E, math.Inf(1), math.NaN()
	return m
}

func itertoolsModule() *Module {
	gather := func(r *runtime, args []Value) [][]Value {
		out := make([][]Value, len(args))
		for i, a := range args {
			out[i] = r.slice(a)
		}
		return out
	}
	pick := func(r *runtime, pool []Value, idx []int) Value {
		r.grow(24 + 16*len(idx))
		t := &Tuple{Items: make([]Value, len(idx))}
		for i, j := range idx {
			t.Items[i] = pool[j]
		}
		return t
	}
	// subsets walks index tuples of length k in Python's order.
	subsets := func(r *runtime, pool []Value, k int, ok func(idx []int, i, v int) bool) Value {
		idx := make([]int, 0, k)
		next := 0
		return &iter{kind: "itertools", next: func() (Value, bool) {
			if len(idx) == k && next >= 0 {
				if k == 0 {
					next = -1
					return pick(r, pool, idx), true
				}
			}
			if next < 0 {
				return nil, false
			}
			if len(idx) == k { // step back from the last one given
				next = idx[k-1] + 1
				idx = idx[:k-1]
			}
			for {
				r.step()
				for next < len(pool) && !ok(idx, len(idx), next) {
					r.step()
					next++
				}
				if next >= len(pool) {
					if len(idx) == 0 {
						next = -1
						return nil, false
					}
					next = idx[len(idx)-1] + 1
					idx = idx[:len(idx)-1]
					continue
				}
				idx = append(idx, next)
				next = 0
				if len(idx) == k {
					return pick(r, pool, idx), true
				}
			}
		}}
	}
	subsetFn := func(name string, ok func(idx []int, i, v int) bool) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args(name, args, kw, 1, "iterable", "r")
			pool := r.slice(a[0])
			k := int64(len(pool))
			if given(a[1]) && a[1] != nil {
				k = r.needInt(name, a[1])
			}
			if k < 0 {
				r.raise(excValue, "r must be non-negative")
			}
			if k > 10000 {
				r.grow(r.lim.Value + 1)
			}
			return subsets(r, pool, int(k), ok)
		}
	}
	return &Module{Name: "itertools", Attrs: fnAttrs(map[string]native{
		"chain": func(r *runtime, args []Value, kw []kwarg) Value { return chain(r, sliceIter(args)) },
		"count": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("count", args, kw, 0, "start", "step")
			var cur, step Value = int64(0), int64(1)
			if given(a[0]) {
				cur = a[0]
			}
			if given(a[1]) {
				step = a[1]
			}
			return &iter{kind: "itertools.count", next: func() (Value, bool) {
				v := cur
				cur = r.binary("+", cur, step)
				return v, true
			}}
		},
		"repeat": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("repeat", args, kw, 1, "object", "times")
			n := int64(math.MaxInt64)
			if given(a[1]) {
				n = r.needInt("repeat", a[1])
			}
			return &iter{kind: "itertools.repeat", next: func() (Value, bool) { n--; return a[0], n >= 0 }}
		},
		"cycle": one("cycle", func(r *runtime, v Value) Value {
			items := r.slice(v)
			i := -1
			return &iter{kind: "itertools.cycle", next: func() (Value, bool) {
				if len(items) == 0 {
					return nil, false
				}
				i = (i + 1) % len(items)
				return items[i], true
			}}
		}),
		"islice": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("islice", args, kw, 2, "iterable", "stop", "end", "step")
			lo, hi, step := int64(0), int64(math.MaxInt64), int64(1)
			num := func(v Value, def int64) int64 {
				if !given(v) || v == nil {
					return def
				}
				return r.needInt("islice", v)
			}
			if given(a[2]) {
				lo, hi, step = num(a[1], 0), num(a[2], hi), num(a[3], 1)
			} else {
				hi = num(a[1], hi)
			}
			if lo < 0 || hi < 0 || step < 1 {
				r.raise(excValue, "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.")
			}
			it := r.iterate(a[0])
			at, want := int64(0), lo
			return &iter{kind: "itertools.islice", next: func() (Value, bool) {
				for want < hi {
					v, ok := it.pull(r)
					if !ok {
						return nil, false
					}
					r.step()
					at++
					if at-1 == want {
						if want > math.MaxInt64-step {
							want = hi
						} else {
							want += step
						}
						return v, true
					}
				}
				return nil, false
			}}
		},
		"zip_longest": zipLongest, "izip_longest": zipLongest,
		"izip": func(r *runtime, args []Value, kw []kwarg) Value { return r.zip(args, false, nil) },
		"product": func(r *runtime, args []Value, kw []kwarg) Value {
			pools := gather(r, args)
			for _, k := range kw {
				if k.name == "repeat" {
					n := r.needInt("product", k.val)
					if n < 0 || n > 1000 {
						r.raise(excValue, "repeat argument out of range")
					}
					base := pools
					pools = nil
					for ; n > 0; n-- {
						pools = append(pools, base...)
					}
				}
			}
			idx := make([]int, len(pools))
			done := false
			for _, p := range pools {
				done = done || len(p) == 0
			}
			return &iter{kind: "itertools.product", next: func() (Value, bool) {
				if done {
					return nil, false
				}
				r.grow(24 + 16*len(pools))
				r.charge(len(pools))
				t := &Tuple{Items: make([]Value, len(pools))}
				for i, p := range pools {
					t.Items[i] = p[idx[i]]
				}
				done = true
				for i := len(idx) - 1; i >= 0; i-- {
					if idx[i]++; idx[i] < len(pools[i]) {
						done = false
						break
					}
					idx[i] = 0
				}
				return t, true
			}}
		},
		"combinations":                  subsetFn("combinations", func(idx []int, i, v int) bool { return i == 0 || v > idx[i-1] }),
		"combinations_with_replacement": subsetFn("combinations_with_replacement", func(idx []int, i, v int) bool { return i == 0 || v >= idx[i-1] }),
		"permutations": subsetFn("permutations", func(idx []int, i, v int) bool {
			for _, x := range idx {
				if x == v {
					return false
				}
			}
			return true
		}),
		"groupby": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("groupby", args, kw, 1, "iterable", "key")
			it := r.iterate(a[0])
			var held, heldKey Value
			have, end := false, false
			pull := func() {
				v, ok := it.pull(r)
				if end = !ok; ok {
					held, heldKey, have = v, v, true
					if given(a[1]) && a[1] != nil {
						heldKey = r.call(a[1], []Value{v}, nil)
					}
				}
			}
			return &iter{kind: "itertools.groupby", next: func() (Value, bool) {
				if !have && !end {
					pull()
				}
				if end {
					return nil, false
				}
				key := heldKey
				var group []Value
				for !end && r.equal(heldKey, key) {
					r.step()
					r.growList(1)
					group = append(group, held)
					pull()
				}
				return NewTuple(key, sliceIter(group)), true
			}}
		},
		"takewhile": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("takewhile", args, kw, 2, "predicate", "iterable")
			it := r.iterate(a[1])
			return &iter{next: func() (Value, bool) {
				v, ok := it.pull(r)
				return v, ok && truth(r.call(a[0], []Value{v}, nil))
			}}
		},
		"dropwhile": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("dropwhile", args, kw, 2, "predicate", "iterable")
			it := r.iterate(a[1])
			dropping := true
			return &iter{next: func() (Value, bool) {
				for {
					v, ok := it.pull(r)
					if !ok {
						return nil, false
					}
					r.step()
					if dropping && truth(r.call(a[0], []Value{v}, nil)) {
						continue
					}
					dropping = false
					return v, true
				}
			}}
		},
		"accumulate": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("accumulate", args, kw, 1, "iterable", "func")
			it := r.iterate(a[0])
			var acc Value = unset{}
			return &iter{next: func() (Value, bool) {
				v, ok := it.pull(r)
				if !ok {
					return nil, false
				}
				switch {
				case !given(acc):
					acc = v
				case given(a[1]):
					acc = r.call(a[1], []Value{acc, v}, nil)
				default:
					acc = r.binary("+", acc, v)
				}
				return acc, true
			}}
		},
	})}
}

func chain(r *runtime, outer *iter) Value {
	var cur *iter
	return &iter{kind: "itertools.chain", next: func() (Value, bool) {
		for {
			if cur != nil {
				if v, ok := cur.pull(r); ok {
					return v, true
				}
			}
			r.step()
			o, ok := outer.pull(r)
			if !ok {
				return nil, false
			}
			cur = r.iterate(o)
		}
	}}
}

func zipLongest(r *runtime, args []Value, kw []kwarg) Value {
	var fill Value
	for _, k := range kw {
		if k.name == "fillvalue" {
			fill = k.val
		}
	}
	return r.zip(args, true, fill)
}

func textwrapModule() *Module {
	wrap := func(r *runtime, text string, width int) []string {
		var lines []string
		cur := ""
		for _, w := range strings.Fields(text) {
			r.step()
			for strLen(w) > width {
				room := width - strLen(cur)
				if cur != "" {
					room--
				}
				if room <= 0 {
					lines = append(lines, cur)
					cur = ""
					continue
				}
				head := truncate(w, room)
				w = w[len(head):]
				if cur != "" {
					cur += " "
				}
				lines = append(lines, cur+head)
				cur = ""
			}
			switch {
			case w == "":
			case cur == "":
				cur = w
			case strLen(cur)+1+strLen(w) <= width:
				cur += " " + w
			default:
				lines = append(lines, cur)
				cur = w
			}
		}
		if cur != "" {
			lines = append(lines, cur)
		}
		r.growList(len(lines))
		return lines
	}
	mk := func(name string) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args(name, args, kw, 1, "text", "width")
			w := int64(70)
			if given(a[1]) {
				w = r.needInt(name, a[1])
			}
			if w <= 0 || w > int64(r.lim.Value) {
				r.raise(excValue, "invalid width %d (must be > 0)", w)
			}
			lines := wrap(r, r.needStr(name, a[0]), int(w))
			if name == "fill" {
				return r.keep(strings.Join(lines, "\n"))
			}
			return r.strList(lines)
		}
	}
	return &Module{Name: "textwrap", Attrs: fnAttrs(map[string]native{
		"wrap": mk("wrap"), "fill": mk("fill"),
		"dedent": one("dedent", func(r *runtime, v Value) Value {
			lines := strings.Split(r.needStr("dedent", v), "\n")
			margin, have := "", false
			for i, l := range lines {
				t := strings.TrimLeft(l, " \t")
				if t == "" {
					lines[i] = ""
					continue
				}
				ind := l[:len(l)-len(t)]
				if !have {
					margin, have = ind, true
				}
				for !strings.HasPrefix(ind, margin) {
					margin = margin[:len(margin)-1]
				}
			}
			for i, l := range lines {
				lines[i] = strings.TrimPrefix(l, margin)
			}
			return r.keep(strings.Join(lines, "\n"))
		}),
		"indent": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("indent", args, kw, 2, "text", "prefix")
			p := r.needStr("indent", a[1])
			text := r.needStr("indent", a[0])
			lines := splitLines(text, true)
			if len(p) > 0 && len(lines) > r.lim.Value/len(p) {
				r.grow(r.lim.Value + 1)
			}
			r.grow(len(text) + len(p)*len(lines))
			for i, l := range lines {
				if strings.TrimSpace(l) != "" {
					lines[i] = p + l
				}
			}
			return strings.Join(lines, "")
		},
	})}
}

func base64Module() *Module {
	raw := func(r *runtime, v Value) []byte {
		switch x := v.(type) {
		case Bytes:
			return []byte(x)
		case string: // Python 2 templates pass plain strings
			return []byte(x)
		}
		r.raise(excType, "a bytes-like object is required, not '%s'", typeName(v))
		return nil
	}
	enc := func(name string, e *base64.Encoding) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			b := raw(r, r.args(name, args, kw, 1, "s", "altchars")[0])
			r.grow(2 * len(b))
			return Bytes(e.EncodeToString(b))
		}
	}
	dec := func(name string, e *base64.Encoding) native {
		return func(r *runtime, args []Value, kw []kwarg) Value {
			b := raw(r, r.args(name, args, kw, 1, "s", "altchars", "validate")[0])
			r.grow(len(b))
			out, err := e.DecodeString(strings.TrimSpace(string(b)))
			if err != nil {
				r.raise(excValue, "Incorrect padding or invalid base64 text")
			}
			return Bytes(out)
		}
	}
	return &Module{Name: "base64", Attrs: fnAttrs(map[string]native{
		"b64encode": enc("b64encode", base64.StdEncoding), "standard_b64encode": enc("standard_b64encode", base64.StdEncoding),
		"urlsafe_b64encode": enc("urlsafe_b64encode", base64.URLEncoding), "b64decode": dec("b64decode", base64.StdEncoding),
		"standard_b64decode": dec("standard_b64decode", base64.StdEncoding), "urlsafe_b64decode": dec("urlsafe_b64decode", base64.URLEncoding),
		"encodestring": enc("encodestring", base64.StdEncoding), "decodestring": dec("decodestring", base64.StdEncoding),
	})}
}

func operatorModule() *Module {
	fns := map[string]native{
		"itemgetter": func(r *runtime, keys []Value, kw []kwarg) Value {
			return &Builtin{"itemgetter", one("itemgetter", func(r *runtime, v Value) Value {
				if len(keys) == 1 {
					return r.index(v, keys[0])
				}
				t := &Tuple{}
				for _, k := range keys {
					t.Items = append(t.Items, r.index(v, k))
				}
				return t
			})}
		},
		"attrgetter": one("attrgetter", func(r *runtime, name Value) Value {
			n := r.needStr("attrgetter", name)
			return &Builtin{"attrgetter", one("attrgetter", func(r *runtime, v Value) Value {
				for _, p := range strings.Split(n, ".") {
					v = r.attr(v, p)
				}
				return v
			})}
		}),
	}
	for n, op := range map[string]string{"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "and_": "&", "or_": "|", "xor": "^"} {
		fns[n] = func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args(n, args, kw, 2, "a", "b")
			return r.binary(op, a[0], a[1])
		}
	}
	for n, op := range map[string]string{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="} {
		fns[n] = func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args(n, args, kw, 2, "a", "b")
			return r.compare(op, a[0], a[1])
		}
	}
	return &Module{Name: "operator", Attrs: fnAttrs(fns)}
}

func uuidModule() *Module {
	mk := func(f func() uuid.UUID) native {
		return func(r *runtime, args []Value, kw []kwarg) Value { return &uuidObject{f()} }
	}
	return &Module{Name: "uuid", Attrs: fnAttrs(map[string]native{
		"uuid4": mk(uuid.New),
		"uuid1": mk(uuid.New), // no clock or host address leaves the box
		"UUID": strFn("UUID", func(r *runtime, s string) Value {
			u, err := uuid.Parse(s)
			if err != nil {
				r.raise(excValue, "badly formed hexadecimal UUID string")
			}
			return &uuidObject{u}
		}),
	})}
}

type uuidObject struct{ u uuid.UUID }

// TypeName implements Object.
func (u *uuidObject) TypeName() string { return "UUID" }

// Str implements Strer.
func (u *uuidObject) Str() string { return u.u.String() }

// Equal implements Equaler.
func (u *uuidObject) Equal(o Value) bool { v, ok := o.(*uuidObject); return ok && v.u == u.u }

// Attr implements Attrer.
func (u *uuidObject) Attr(name string) (Value, error) {
	if name == "hex" {
		return strings.ReplaceAll(u.u.String(), "-", ""), nil
	}
	return nil, ErrNoAttr
}

func makeModules() map[string]*Module {
	osPath := pathModule()
	osM := &Module{Name: "os", Attrs: map[string]Value{"sep": "/", "linesep": "\n", "path": osPath, "extsep": ".", "pathsep": ":", "name": "posix"}}
	stringM := &Module{Name: "string", Attrs: map[string]Value{
		"ascii_lowercase": "abcdefghijklmnopqrstuvwxyz", "ascii_uppercase": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"ascii_letters": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "letters": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"lowercase": "abcdefghijklmnopqrstuvwxyz", "uppercase": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"digits": "0123456789", "hexdigits": "0123456789abcdefABCDEF", "octdigits": "01234567",
		"punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "whitespace": " \t\n\r\v\f",
		"printable": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\r\v\f",
		"maketrans": &Builtin{"maketrans", maketrans},
		"capwords": &Builtin{"capwords", strFn("capwords", func(r *runtime, s string) Value {
			w := strings.Fields(s)
			for i := range w {
				w[i] = capitalize(w[i])
			}
			return r.keep(strings.Join(w, " "))
		})},
		"join": &Builtin{"join", func(r *runtime, args []Value, kw []kwarg) Value { // Python 2
			a := r.args("join", args, kw, 1, "words", "sep")
			if !given(a[1]) {
				a[1] = " "
			}
			return r.join(r.needStr("join", a[1]), a[0])
		}},
	}}
	sysM := &Module{Name: "sys", Attrs: map[string]Value{"maxsize": int64(math.MaxInt64), "maxint": int64(math.MaxInt64),
		"version_info": NewTuple(int64(3), int64(11), int64(0), "final", int64(0)), "byteorder": "little", "platform": "linux"}}
	timeM := &Module{Name: "time", Attrs: fnAttrs(map[string]native{
		"time": func(r *runtime, args []Value, kw []kwarg) Value { return float64(r.lim.Now().UnixMicro()) / 1e6 },
		"strftime": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("strftime", args, kw, 1, "format", "t")
			return (&dateTime{r.lim.Now()}).strftime(r, r.needStr("strftime", a[0]))
		},
	})}
	collM := &Module{Name: "collections", Attrs: map[string]Value{"OrderedDict": typOrdered, "defaultdict": typDefault, "Counter": typCounter}}
	shlexM := &Module{Name: "shlex", Attrs: map[string]Value{"quote": quoteFn(), "split": &Builtin{"split", strFn("split", shellSplit)}}}
	funcM := &Module{Name: "functools", Attrs: map[string]Value{"reduce": builtins["reduce"], "partial": &Builtin{"partial",
		func(r *runtime, args []Value, kw []kwarg) Value {
			if len(args) == 0 {
				r.raise(excType, "type 'partial' takes at least one argument")
			}
			return &Builtin{"partial", func(r *runtime, more []Value, kw2 []kwarg) Value {
				return r.call(args[0], append(append([]Value(nil), args[1:]...), more...), append(append([]kwarg(nil), kw...), kw2...))
			}}
		}}}}
	itM := itertoolsModule()
	itM.Attrs["chain"] = &Type{Name: "itertools.chain", make: itM.Attrs["chain"].(*Builtin).fn, attrs: map[string]Value{
		"from_iterable": &Builtin{"from_iterable", one("from_iterable", func(r *runtime, v Value) Value { return chain(r, r.iterate(v)) })}}}
	builtinsM := &Module{Name: "builtins", Attrs: builtins}
	return map[string]*Module{
		"os": osM, "os.path": osPath, "posixpath": osPath, "string": stringM, "sys": sysM, "time": timeM, "collections": collM,
		"shlex": shlexM, "pipes": {Name: "pipes", Attrs: map[string]Value{"quote": quoteFn()}}, "functools": funcM, "itertools": itM,
		"operator": operatorModule(), "math": mathModule(), "json": jsonModule(), "simplejson": jsonModule(), "re": reModule(),
		"base64": base64Module(), "hashlib": hashModule(), "textwrap": textwrapModule(), "datetime": dateModule(), "uuid": uuidModule(),
		"builtins": builtinsM, "__builtin__": builtinsM,
	}
}

// shellSplit is shlex.split.
func shellSplit(r *runtime, s string) Value {
	var out []string
	var b strings.Builder
	in := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				r.raise(excValue, "No closing quotation")
			}
			b.WriteString(s[i+1 : i+1+end])
			i += end + 1
			in = true
		case c == '"':
			in = true
			for i++; ; i++ {
				if i >= len(s) {
					r.raise(excValue, "No closing quotation")
				}
				if s[i] == '"' {
					break
				}
				if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
					i++
				}
				b.WriteByte(s[i])
			}
		case c == '\\':
			if i+1 >= len(s) {
				r.raise(excValue, "No escaped character")
			}
			i++
			b.WriteByte(s[i])
			in = true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			if in {
				out = append(out, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		out = append(out, b.String())
	}
	return r.strList(out)
}

func sortStrings(s []string) { sort.Strings(s) }

func keyText(k any) string {
	switch x := k.(type) {
	case string:
		return "s" + x
	case int64:
		return "i" + Str(x)
	case float64:
		return "f" + floatRepr(x)
	case noneKey:
		return "n"
	case bigKey:
		return "b" + string(x)
	case tupKey:
		return "t" + string(x)
	case setKey:
		return "z" + string(x)
	case Bytes:
		return "y" + string(x)
	}
	return "p" + pointerText(k)
}

func clockNow(r *runtime) time.Time { return r.lim.Now() }
