package cheetah

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v).
func (r *runtime) str(v Value) string {
	switch x := v.(type) {
	case string:
		return x
	case int64:
		return strconv.FormatInt(x, 10)
	case *Exc:
		switch {
		case len(x.Args) == 0:
			return ""
		case len(x.Args) == 1 && x.Typ.isA(excKey):
			return r.repr(x.Args[0])
		case len(x.Args) == 1:
			return r.str(x.Args[0])
		}
		return r.repr(&Tuple{Items: x.Args})
	case Object:
		if s, ok := x.(Strer); ok {
			t := s.Str()
			r.grow(len(t))
			return t
		}
		if p, ok := x.(Plainer); ok {
			return r.str(r.plain(x, p))
		}
	}
	return r.repr(v)
}

// plain gives an object's plain value, which must not be an object again.
func (r *runtime) plain(o Object, p Plainer) Value {
	v := p.Plain()
	if _, ok := v.(Object); ok {
		r.raise(excType, "%s stands for another object", o.TypeName())
	}
	return v
}

// repr is Python's repr(v).
func (r *runtime) repr(v Value) string {
	w := reprWriter{r: r}
	w.write(v, 0)
	return w.b.String()
}

type reprWriter struct {
	r *runtime
	b strings.Builder
}

func (w *reprWriter) put(s string) {
	if w.b.Len()+len(s) > w.r.lim.Value {
		w.r.grow(w.b.Len() + len(s))
	}
	w.r.grow(len(s))
	w.b.WriteString(s)
}

func (w *reprWriter) seq(open, shut string, items []Value, depth int) {
	w.put(open)
	for i, e := range items {
		if i > 0 {
			w.put(", ")
		}
		w.write(e, depth+1)
	}
	w.put(shut)
}

func (w *reprWriter) write(v Value, depth int) {
	w.r.step()
	if depth > maxDataDepth {
		w.r.raise(excRecursion, "maximum recursion depth exceeded while getting the repr of an object")
	}
	switch x := v.(type) {
	case nil:
		w.put("None")
	case bool:
		if x {
			w.put("True")
		} else {
			w.put("False")
		}
	case int64:
		w.put(strconv.FormatInt(x, 10))
	case *big.Int:
		w.put(w.r.bigText(x, 10))
	case float64:
		w.put(floatRepr(x))
	case string:
		w.put(quote(x))
	case Bytes:
		w.put(quoteBytes(string(x)))
	case *List:
		w.seq("[", "]", x.Items, depth)
	case *Tuple:
		if len(x.Items) == 1 {
			w.seq("(", ",)", x.Items, depth)
		} else {
			w.seq("(", ")", x.Items, depth)
		}
	case *Dict:
		shut := "}"
		switch x.typ {
		case typOrdered:
			if x.live == 0 {
				w.put("OrderedDict()")
				return
			}
			w.put("OrderedDict([")
			first := true
			for _, e := range x.ents {
				if !e.dead {
					if !first {
						w.put(", ")
					}
					first = false
					w.seq("(", ")", []Value{e.key, e.val}, depth)
				}
			}
			w.put("])")
			return
		case typDefault:
			w.put("defaultdict(")
			w.write(x.factory, depth+1)
			w.put(", {")
			shut = "})"
		case typCounter:
			if x.live == 0 {
				w.put("Counter()")
				return
			}
			w.put("Counter({")
			shut = "})"
		default:
			w.put("{")
		}
		first := true
		for _, e := range counterOrder(w.r, x) {
			if e.dead {
				continue
			}
			if !first {
				w.put(", ")
			}
			first = false
			w.write(e.key, depth+1)
			w.put(": ")
			w.write(e.val, depth+1)
		}
		w.put(shut)
	case *Set:
		switch {
		case x.frozen && x.live == 0:
			w.put("frozenset()")
		case x.frozen:
			w.seq("frozenset({", "})", x.items(), depth)
		case x.live == 0:
			w.put("set()")
		default:
			w.seq("{", "}", x.items(), depth)
		}
	case *view:
		w.put(typeName(x) + "(")
		w.seq("[", "]", x.items(w.r), depth)
		w.put(")")
	case *rangeVal:
		w.put(fmt.Sprintf("range(%d, %d", x.start, x.stop))
		if x.step != 1 {
			w.put(fmt.Sprintf(", %d", x.step))
		}
		w.put(")")
	case *Type:
		w.put("<class '" + x.Name + "'>")
	case *Module:
		w.put("<module '" + x.Name + "'>")
	case *Function:
		w.put("<function " + x.name + ">")
	case *Builtin:
		w.put("<built-in function " + x.name + ">")
	case *HostFunc:
		w.put("<function " + x.Name + ">")
	case *Exc:
		if len(x.Args) == 1 {
			w.seq(x.Typ.Name+"(", ")", x.Args, depth)
		} else {
			w.put(x.Typ.Name)
			w.seq("(", ")", x.Args, depth)
		}
	case *pattern:
		w.put("re.compile(" + quote(x.source) + ")")
	case *match:
		w.put("<re.Match object; span=(" + strconv.Itoa(x.span(0)[0]) + ", " + strconv.Itoa(x.span(0)[1]) + "), match=" + quote(w.r.str(x.group(w.r, 0))) + ">")
	case *sliceVal:
		w.seq("slice(", ")", []Value{x.lo, x.hi, x.step}, depth)
	case Object:
		switch o := x.(type) {
		case Reprer:
			w.put(o.Repr())
		case Plainer:
			w.write(w.r.plain(x, o), depth+1)
		default:
			w.put("<" + x.TypeName() + " object>")
		}
	default:
		w.put("<" + typeName(v) + " object>")
	}
}

// floatRepr is Python's repr of a float: the shortest digits that read back
// the same, in scientific form below 1e-4 and from 1e16.
func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a str: single quotes unless only those occur.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte(q)
	for i, c := range s {
		switch {
		case c == rune(q) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == utf8.RuneError && s[i] != 0xEF:
			fmt.Fprintf(&b, `\udc%02x`, s[i])
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x7f || unicode.IsPrint(c):
			b.WriteRune(c)
		case c <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func quoteBytes(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte('b')
	b.WriteByte(q)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == q || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// strLen is len(str): code points.
func strLen(s string) int {
	if isASCII(s) {
		return len(s)
	}
	return utf8.RuneCountInString(s)
}

// truth is Python's bool(v).
func truth(v Value) bool {
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case Bytes:
		return x != ""
	case *big.Int:
		return x.Sign() != 0
	case *List:
		return len(x.Items) > 0
	case *Tuple:
		return len(x.Items) > 0
	case *Dict:
		return x.live > 0
	case *Set:
		return x.live > 0
	case *view:
		return x.d.live > 0
	case *rangeVal:
		return x.len() > 0
	case Object:
		switch o := x.(type) {
		case Truther:
			return o.Truth()
		case Lener:
			return o.Len() > 0
		case Plainer:
			if p := o.Plain(); !isObject(p) {
				return truth(p)
			}
		}
	}
	return true
}

func isObject(v Value) bool { _, ok := v.(Object); return ok }
