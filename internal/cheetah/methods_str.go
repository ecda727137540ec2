package cheetah

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodTables holds the methods of each builtin type.
var methodTables map[*Type]map[string]method

func init() {
	methodTables = map[*Type]map[string]method{
		typStr: strMethods, typBytes: bytesMethods, typList: listMethods, typTuple: tupleMethods, typDict: dictMethods,
		typSet: setMethods, typFrozen: setMethods, typInt: intMethods, typFloat: floatMethods,
		typPattern: patternMethods, typMatch: matchMethods, typCounter: counterMethods, typOrdered: orderedMethods,
		typDateTime: dateTimeMethods,
	}
}

// sm makes a method of str.
func sm(f func(r *runtime, s string, args []Value, kw []kwarg) Value) method {
	return func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		s := self.(string)
		r.charge(len(s) >> 8)
		return f(r, s, args, kw)
	}
}

// keep pays for a new string.
func (r *runtime) keep(s string) Value {
	r.grow(len(s))
	return s
}

const asciiSpace = " \t\n\r\f\v"

func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

func cased(name string, f func(string) string) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		r.args(name, args, kw, 0)
		return r.keep(f(s))
	})
}

func is(name string, ok func(rune) bool) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		r.args(name, args, kw, 0)
		for _, c := range s {
			if !ok(c) {
				return false
			}
		}
		return s != ""
	})
}

func strip(name string, left, right bool) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 0, "chars")
		f := isSpace
		if given(a[0]) && a[0] != nil {
			set := r.needStr(name, a[0])
			f = func(c rune) bool { return strings.ContainsRune(set, c) }
		}
		if left {
			s = strings.TrimLeftFunc(s, f)
		}
		if right {
			s = strings.TrimRightFunc(s, f)
		}
		return s
	})
}

// window cuts s to s[start:end] by code points, and tells where it begins.
func (r *runtime) window(s string, a []Value) (string, int, bool) {
	if !given(a[0]) && !given(a[1]) {
		return s, 0, true
	}
	sl := &sliceVal{}
	if given(a[0]) {
		sl.lo = a[0]
	}
	if given(a[1]) {
		sl.hi = a[1]
	}
	n := strLen(s)
	lo, hi, _ := r.bounds(sl, n)
	if given(a[0]) && a[0] != nil {
		if i, ok := intOf(a[0]); ok && i > int64(n) {
			return "", lo, false
		}
	}
	return r.sliceOf(s, &sliceVal{lo: int64(lo), hi: int64(max(lo, hi))}).(string), lo, true
}

func finder(name string, last, must bool) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 1, "sub", "start", "end")
		sub := r.needStr(name, a[0])
		w, off, ok := r.window(s, a[1:])
		i := -1
		if ok {
			if last {
				i = strings.LastIndex(w, sub)
			} else {
				i = strings.Index(w, sub)
			}
		}
		if i < 0 {
			if must {
				r.raise(excValue, "substring not found")
			}
			return int64(-1)
		}
		return int64(off + strLen(w[:i]))
	})
}

func affix(name string, f func(s, t string) bool) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 1, "prefix", "start", "end")
		w, _, ok := r.window(s, a[1:])
		if !ok {
			return false
		}
		if t, isTuple := a[0].(*Tuple); isTuple {
			for _, x := range t.Items {
				if f(w, r.needStr(name, x)) {
					return true
				}
			}
			return false
		}
		return f(w, r.needStr(name, a[0]))
	})
}

func justify(name string, align byte) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 1, "width", "fillchar")
		p := spec{fill: " ", align: align}
		n := r.needInt(name, a[0])
		if n > int64(r.lim.Value) {
			r.grow(r.lim.Value + 1)
		}
		p.width = int(max(0, n))
		if given(a[1]) {
			p.fill = r.needStr(name, a[1])
			if strLen(p.fill) != 1 {
				r.raise(excType, "The fill character must be exactly one character long")
			}
		}
		if gap := p.width - strLen(s); align == '^' && gap > 0 && gap%2 == 1 && p.width%2 == 1 {
			// Python's center leans the other way when both are odd
			return r.keep(p.fill + r.pad(s, spec{fill: p.fill, align: '^', width: p.width - 1}, '^'))
		}
		return r.pad(s, p, align)
	})
}

func (r *runtime) strList(parts []string) Value {
	n := 0
	for _, p := range parts {
		n += 16 + len(p)/8
	}
	r.grow(n)
	l := &List{Items: make([]Value, len(parts))}
	for i, p := range parts {
		l.Items[i] = p
	}
	return l
}

func splitter(name string, fromRight bool) method {
	return sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 0, "sep", "maxsplit")
		limit := int64(-1)
		if given(a[1]) {
			limit = r.needInt(name, a[1])
		}
		if !given(a[0]) || a[0] == nil {
			return r.strList(splitSpace(s, limit, fromRight))
		}
		sep := r.needStr(name, a[0])
		if sep == "" {
			r.raise(excValue, "empty separator")
		}
		r.growList(strings.Count(s, sep) + 1)
		parts := strings.Split(s, sep)
		if limit >= 0 && int64(len(parts)) > limit+1 {
			n := int(limit)
			if fromRight {
				cut := len(parts) - n
				parts = append([]string{strings.Join(parts[:cut], sep)}, parts[cut:]...)
			} else {
				parts = append(parts[:n:n], strings.Join(parts[n:], sep))
			}
		}
		return r.strList(parts)
	})
}

func splitSpace(s string, limit int64, fromRight bool) []string {
	if limit < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var out []string
	if fromRight {
		s = strings.TrimRightFunc(s, isSpace)
		for s != "" {
			i := strings.LastIndexFunc(s, isSpace)
			if int64(len(out)) == limit {
				out = append(out, s)
				break
			}
			_, n := utf8.DecodeRuneInString(s[max(0, i):])
			if i < 0 {
				n = 0
			}
			out = append(out, s[i+max(1, n):])
			if i < 0 {
				break
			}
			s = strings.TrimRightFunc(s[:i], isSpace)
		}
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
		return out
	}
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" {
		i := strings.IndexFunc(s, isSpace)
		if i < 0 || int64(len(out)) == limit {
			if i >= 0 && int64(len(out)) == limit {
				out = append(out, strings.TrimRightFunc(s, func(rune) bool { return false }))
			} else {
				out = append(out, s)
			}
			break
		}
		out = append(out, s[:i])
		s = strings.TrimLeftFunc(s[i:], isSpace)
	}
	return out
}

func splitLines(s string, keep bool) []string {
	var out []string
	for s != "" {
		i := strings.IndexFunc(s, func(c rune) bool {
			return c == '\n' || c == '\r' || c == '\v' || c == '\f' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029
		})
		if i < 0 {
			return append(out, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			out = append(out, s[:i+n])
		} else {
			out = append(out, s[:i])
		}
		s = s[i+n:]
	}
	return out
}

func title(s string) string {
	var b strings.Builder
	up := true
	for _, c := range s {
		switch {
		case !unicode.IsLetter(c):
			up = true
			b.WriteRune(c)
		case up:
			b.WriteRune(unicode.ToTitle(c))
			up = false
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	c, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToTitle(c)) + strings.ToLower(s[n:])
}

func (r *runtime) replace(s, old, repl string, n int) string {
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if grow := len(repl) - len(old); grow > 0 && count > 0 && grow > r.lim.Value/count {
		r.grow(r.lim.Value + 1)
	}
	r.grow(max(0, len(s)+count*(len(repl)-len(old))))
	return strings.Replace(s, old, repl, n)
}

func (r *runtime) join(sep string, v Value) string {
	items := r.slice(v)
	n := 0
	parts := make([]string, len(items))
	for i, e := range items {
		s, ok := e.(string)
		if !ok {
			if s, ok = r.deref(e).(string); !ok {
				r.raise(excType, "sequence item %d: expected str instance, %s found", i, typeName(e))
			}
		}
		parts[i] = s
		n += len(s) + len(sep)
		if n > r.lim.Value {
			r.grow(n)
		}
	}
	r.grow(n)
	return strings.Join(parts, sep)
}

func caseState(s string) (up, low bool) {
	for _, c := range s {
		if unicode.IsUpper(c) || unicode.IsTitle(c) {
			up = true
		} else if unicode.IsLower(c) {
			low = true
		}
	}
	return
}

var strMethods = map[string]method{
	"upper":      cased("upper", strings.ToUpper),
	"lower":      cased("lower", strings.ToLower),
	"casefold":   cased("casefold", strings.ToLower),
	"title":      cased("title", title),
	"capitalize": cased("capitalize", capitalize),
	"swapcase": cased("swapcase", func(s string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsUpper(c) {
				return unicode.ToLower(c)
			}
			return unicode.ToUpper(c)
		}, s)
	}),
	"strip":     strip("strip", true, true),
	"lstrip":    strip("lstrip", true, false),
	"rstrip":    strip("rstrip", false, true),
	"isdigit":   is("isdigit", unicode.IsDigit),
	"isdecimal": is("isdecimal", unicode.IsDigit),
	"isnumeric": is("isnumeric", unicode.IsNumber),
	"isalpha":   is("isalpha", unicode.IsLetter),
	"isalnum":   is("isalnum", func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
	"isspace":   is("isspace", isSpace),
	"isupper": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value {
		up, low := caseState(s)
		return up && !low
	}),
	"islower": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value {
		up, low := caseState(s)
		return low && !up
	}),
	"istitle": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value {
		up, low := caseState(s)
		return (up || low) && title(s) == s
	}),
	"isascii": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value { return isASCII(s) }),
	"isidentifier": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value {
		for i, c := range s {
			if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
				return false
			}
		}
		return s != ""
	}),
	"isprintable": sm(func(r *runtime, s string, _ []Value, _ []kwarg) Value {
		for _, c := range s {
			if !unicode.IsPrint(c) {
				return false
			}
		}
		return true
	}),
	"find":       finder("find", false, false),
	"rfind":      finder("rfind", true, false),
	"index":      finder("index", false, true),
	"rindex":     finder("rindex", true, true),
	"startswith": affix("startswith", strings.HasPrefix),
	"endswith":   affix("endswith", strings.HasSuffix),
	"ljust":      justify("ljust", '<'),
	"rjust":      justify("rjust", '>'),
	"center":     justify("center", '^'),
	"split":      splitter("split", false),
	"rsplit":     splitter("rsplit", true),
	"zfill": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("zfill", args, kw, 1, "width")
		n := r.needInt("zfill", a[0])
		if n > int64(r.lim.Value) {
			r.grow(r.lim.Value + 1)
		}
		gap := int(n) - strLen(s)
		if gap <= 0 {
			return s
		}
		r.grow(gap + len(s))
		if s != "" && (s[0] == '+' || s[0] == '-') {
			return s[:1] + strings.Repeat("0", gap) + s[1:]
		}
		return strings.Repeat("0", gap) + s
	}),
	"count": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("count", args, kw, 1, "sub", "start", "end")
		w, _, ok := r.window(s, a[1:])
		if !ok {
			return int64(0)
		}
		return int64(strings.Count(w, r.needStr("count", a[0])))
	}),
	"replace": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("replace", args, kw, 2, "old", "new", "count")
		n := -1
		if given(a[2]) {
			n = int(max(-1, min(r.needInt("replace", a[2]), 1<<31)))
		}
		return r.replace(s, r.needStr("replace() argument 1", a[0]), r.needStr("replace() argument 2", a[1]), n)
	}),
	"join": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		return r.join(s, r.args("join", args, kw, 1, "iterable")[0])
	}),
	"partition": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		sep := r.needStr("partition", r.args("partition", args, kw, 1, "sep")[0])
		if sep == "" {
			r.raise(excValue, "empty separator")
		}
		if a, b, ok := strings.Cut(s, sep); ok {
			return NewTuple(a, sep, b)
		}
		return NewTuple(s, "", "")
	}),
	"rpartition": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		sep := r.needStr("rpartition", r.args("rpartition", args, kw, 1, "sep")[0])
		if sep == "" {
			r.raise(excValue, "empty separator")
		}
		if i := strings.LastIndex(s, sep); i >= 0 {
			return NewTuple(s[:i], sep, s[i+len(sep):])
		}
		return NewTuple("", "", s)
	}),
	"splitlines": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("splitlines", args, kw, 0, "keepends")
		return r.strList(splitLines(s, given(a[0]) && truth(a[0])))
	}),
	"expandtabs": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("expandtabs", args, kw, 0, "tabsize")
		size := 8
		if given(a[0]) {
			size = int(max(0, min(r.needInt("expandtabs", a[0]), 1<<20)))
		}
		var b strings.Builder
		col := 0
		for _, c := range s {
			switch c {
			case '\t':
				n := 0
				if size > 0 {
					n = size - col%size
				}
				r.grow(b.Len() + n)
				b.WriteString(strings.Repeat(" ", n))
				col += n
			case '\n', '\r':
				b.WriteRune(c)
				col = 0
			default:
				b.WriteRune(c)
				col++
			}
		}
		return b.String()
	}),
	"removeprefix": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		return strings.TrimPrefix(s, r.needStr("removeprefix", r.args("removeprefix", args, kw, 1, "prefix")[0]))
	}),
	"removesuffix": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		return strings.TrimSuffix(s, r.needStr("removesuffix", r.args("removesuffix", args, kw, 1, "suffix")[0]))
	}),
	"format": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		auto := 0
		return r.strFormat(s, args, kw, nil, &auto, 0)
	}),
	"format_map": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		auto := 0
		return r.strFormat(s, nil, nil, r.args("format_map", args, kw, 1, "mapping")[0], &auto, 0)
	}),
	"encode": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("encode", args, kw, 0, "encoding", "errors")
		return r.encode(s, a)
	}),
	// a str of Python 2 also had decode; templates use it to no effect
	"decode": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value { return s }),
	"translate": sm(func(r *runtime, s string, args []Value, kw []kwarg) Value {
		a := r.args("translate", args, kw, 1, "table", "deletechars")
		var b strings.Builder
		for _, c := range s {
			r.step()
			d, ok := a[0].(*Dict)
			if !ok {
				if a[0] == nil && given(a[1]) {
					if !strings.ContainsRune(r.needStr("translate", a[1]), c) {
						b.WriteRune(c)
					}
					continue
				}
				r.raise(excType, "translate() needs a table from str.maketrans()")
			}
			v, ok := d.get(r, int64(c))
			switch {
			case !ok:
				b.WriteRune(c)
			case v == nil:
			default:
				if n, isInt := intOf(v); isInt {
					b.WriteRune(rune(n))
				} else {
					t := r.str(v)
					r.grow(b.Len() + len(t))
					b.WriteString(t)
				}
			}
		}
		return r.keep(b.String())
	}),
}

func (r *runtime) encode(s string, a []Value) Value {
	enc, errs := "utf-8", "strict"
	if given(a[0]) {
		enc = strings.ToLower(r.needStr("encode", a[0]))
	}
	if given(a[1]) {
		errs = r.needStr("encode", a[1])
	}
	limit := rune(utf8.MaxRune)
	switch strings.ReplaceAll(enc, "_", "-") {
	case "utf-8", "utf8":
	case "ascii", "us-ascii":
		limit = 0x7f
	case "latin-1", "latin1", "iso-8859-1":
		limit = 0xff
	default:
		r.raise(excLookup, "unknown encoding: %s", enc)
	}
	r.grow(len(s))
	if limit == utf8.MaxRune {
		return Bytes(s)
	}
	var b []byte
	for i, c := range s {
		switch {
		case c <= limit:
			b = append(b, byte(c))
		case errs == "ignore":
		case errs == "replace":
			b = append(b, '?')
		default:
			r.raise(excUnicodeEnc, "'%s' codec can't encode character in position %d: ordinal not in range", enc, i)
		}
	}
	return Bytes(b)
}

var bytesMethods = map[string]method{
	"decode": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		a := r.args("decode", args, kw, 0, "encoding", "errors")
		s := string(self.(Bytes))
		r.grow(len(s) * 2)
		enc := "utf-8"
		if given(a[0]) {
			enc = strings.ToLower(r.needStr("decode", a[0]))
		}
		if strings.HasPrefix(enc, "latin") || enc == "iso-8859-1" {
			var b strings.Builder
			for i := 0; i < len(s); i++ {
				b.WriteRune(rune(s[i]))
			}
			return b.String()
		}
		if !utf8.ValidString(s) {
			if given(a[1]) && a[1] != "strict" {
				repl := "\uFFFD"
				if a[1] == "ignore" {
					repl = ""
				}
				return strings.ToValidUTF8(s, repl)
			}
			r.raise(excUnicodeDec, "'utf-8' codec can't decode the bytes")
		}
		return s
	},
	"hex": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		return r.keep(hexText(string(self.(Bytes))))
	},
	"strip": func(r *runtime, self Value, args []Value, kw []kwarg) Value {
		return Bytes(strings.Trim(string(self.(Bytes)), asciiSpace))
	},
}
