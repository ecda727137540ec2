package cheetah

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// pattern is a compiled Python regular expression. regexp2 searches for it;
// all groups are numbered as Python numbers them, names are kept here.
type pattern struct {
	source  string
	flags   int64
	names   map[string]int
	order   []string
	ngroups int
	search  *regexp2.Regexp
	anchor  *regexp2.Regexp // match
	full    *regexp2.Regexp // fullmatch
}

type match struct {
	pat    *pattern
	text   string
	runes  []rune
	groups [][2]int // code points; -1: did not take part
}

const (
	reIgnore  = 2
	reLocale  = 4
	reMulti   = 8
	reDotAll  = 16
	reUnicode = 32
	reVerbose = 64
	reASCII   = 256
)

var patterns struct {
	sync.Mutex
	m map[patternKey]*pattern
}

type patternKey struct {
	source string
	flags  int64
	limit  time.Duration
}

// matchTime bounds one search, besides the deadline of the rendering.
const matchTime = 2 * time.Second

func (r *runtime) regex(src string, flags int64) *pattern {
	if len(src) > maxRegexLen {
		panic(&limitError{"LimitExceeded", "a regular expression of more than " + strconv.Itoa(maxRegexLen) + " bytes"})
	}
	limit := min(matchTime, r.lim.Duration)
	key := patternKey{src, flags &^ (reUnicode | reLocale), limit}
	patterns.Lock()
	p := patterns.m[key]
	patterns.Unlock()
	if p != nil {
		return p
	}
	r.charge(100 + len(src))
	p = &pattern{source: src, flags: flags, names: map[string]int{}}
	text := r.translateRegex(p, src)
	var o regexp2.RegexOptions
	for f, opt := range map[int64]regexp2.RegexOptions{reIgnore: regexp2.IgnoreCase, reMulti: regexp2.Multiline, reDotAll: regexp2.Singleline, reVerbose: regexp2.IgnorePatternWhitespace} {
		if p.flags&f != 0 {
			o |= opt
		}
	}
	if p.flags&reVerbose != 0 {
		text += "\n"
	}
	build := func(t string) *regexp2.Regexp {
		re, err := regexp2.Compile(t, o)
		if err != nil {
			msg := err.Error()
			if i := strings.Index(msg, " in `"); i > 0 {
				msg = msg[:i]
			}
			r.raise(excReError, "%s in the pattern %s", strings.TrimPrefix(msg, "error parsing regexp: "), quote(truncate(src, 200)))
		}
		re.MatchTimeout = limit
		return re
	}
	p.search = build(text)
	p.anchor = build(`\G(?:` + text + `)`)
	p.full = build(`\G(?:` + text + `)\z`)
	patterns.Lock()
	if len(patterns.m) >= 512 {
		patterns.m = nil
	}
	if patterns.m == nil {
		patterns.m = make(map[patternKey]*pattern)
	}
	patterns.m[key] = p
	patterns.Unlock()
	return p
}

// translateRegex rewrites Python's syntax for regexp2: named groups become
// numbered ones, and escapes and brackets mean what they mean in Python.
func (r *runtime) translateRegex(p *pattern, s string) string {
	var b strings.Builder
	bad := func(msg string) { r.raise(excReError, "%s in the pattern %s", msg, quote(truncate(s, 200))) }
	depth := 0
	inClass, classStart := false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			if i+1 >= len(s) {
				bad("bad escape (end of pattern)")
			}
			i++
			e := s[i]
			switch {
			case e == 'Z' && !inClass:
				b.WriteString(`\z`)
			case e == '0':
				j := i
				for j < len(s) && j < i+3 && s[j] >= '0' && s[j] <= '7' {
					j++
				}
				n, _ := strconv.ParseInt(s[i:j], 8, 32)
				b.WriteString(`\u` + hex4(int(n)))
				i = j - 1
			case e >= '1' && e <= '9':
				j := digitsAt(s, i)
				if j > i+2 {
					j = i + 2
				}
				n, _ := strconv.Atoi(s[i:j])
				if inClass {
					b.WriteString(`\u` + hex4(n))
				} else {
					b.WriteString(`(?:\` + strconv.Itoa(n) + `)`)
				}
				i = j - 1
			case strings.IndexByte("AbBdDsSwWnrtfvaxu", e) >= 0:
				if e == 'u' && i+4 >= len(s) {
					bad("incomplete escape \\u")
				}
				b.WriteByte('\\')
				b.WriteByte(e)
			case e >= 'a' && e <= 'z' || e >= 'A' && e <= 'Z':
				bad("bad escape \\" + string(e))
			case e == '_' || e >= 0x80 || e == '<' || e == '>':
				b.WriteByte(e)
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
			classStart = false
			continue
		}
		if inClass {
			switch {
			case c == ']' && !classStart:
				inClass = false
				b.WriteByte(c)
			case c == ']' || c == '[':
				b.WriteByte('\\')
				b.WriteByte(c)
			default:
				b.WriteByte(c)
			}
			if c != '^' || s[i-1] != '[' {
				classStart = false
			}
			continue
		}
		switch c {
		case '[':
			inClass, classStart = true, true
			b.WriteByte(c)
		case '#':
			if p.flags&reVerbose != 0 { // a comment: nothing in it counts
				for i < len(s) && s[i] != '\n' {
					i++
				}
				b.WriteByte('\n')
				continue
			}
			b.WriteByte(c)
		case '{':
			if j := strings.IndexByte(s[i:], '}'); j > 1 && s[i+1] == ',' && digitsAt(s, i+2) == i+j && j > 2 {
				b.WriteString("{0")
				continue
			}
			b.WriteByte(c)
		case '(':
			depth++
			if depth > maxRegexNested {
				bad("groups nested too deeply")
			}
			if !strings.HasPrefix(s[i:], "(?") {
				p.ngroups++
				b.WriteByte(c)
				continue
			}
			rest := s[i+2:]
			switch {
			case strings.HasPrefix(rest, "P<"):
				end := strings.IndexByte(rest, '>')
				name := ""
				if end > 0 {
					name = rest[2:end]
				}
				if name == "" || !isIdentStart(name[0]) {
					bad("bad character in group name")
				}
				if _, dup := p.names[name]; dup {
					bad("redefinition of group name " + quote(name))
				}
				p.ngroups++
				p.names[name] = p.ngroups
				p.order = append(p.order, name)
				b.WriteByte('(')
				i += 2 + end
			case strings.HasPrefix(rest, "P="):
				end := strings.IndexByte(rest, ')')
				n, ok := 0, false
				if end > 0 {
					n, ok = p.names[rest[2:end]]
				}
				if !ok {
					bad("unknown group name")
				}
				b.WriteString(`(?:\` + strconv.Itoa(n) + `)`)
				i += 2 + end
				depth--
			case strings.HasPrefix(rest, "("): // (?(1)a|b), (?(name)a|b)
				end := strings.IndexByte(rest, ')')
				if end < 0 {
					bad("missing ), unterminated name")
				}
				ref := rest[1:end]
				if n, ok := p.names[ref]; ok {
					ref = strconv.Itoa(n)
				}
				b.WriteString("(?(" + ref + ")")
				i += 2 + end
			case strings.HasPrefix(rest, "#"):
				end := strings.IndexByte(rest, ')')
				if end < 0 {
					bad("missing ), unterminated comment")
				}
				i += 2 + end
				depth--
			default:
				j := 0
				for j < len(rest) && strings.IndexByte("aiLmsux-", rest[j]) >= 0 {
					j++
				}
				if j > 0 && j < len(rest) && (rest[j] == ')' || rest[j] == ':') {
					if rest[j] == ')' { // Python's inline flags are global
						for _, f := range rest[:j] {
							p.flags |= map[rune]int64{'i': reIgnore, 'm': reMulti, 's': reDotAll, 'x': reVerbose, 'a': reASCII, 'u': reUnicode, 'L': reLocale}[f]
						}
						depth--
					} else {
						keep := strings.Map(func(c rune) rune {
							if c == 'a' || c == 'L' || c == 'u' {
								return -1
							}
							return c
						}, rest[:j])
						b.WriteString("(?" + keep + ":")
					}
					i += 2 + j
					continue
				}
				if j < len(rest) && strings.IndexByte(":=!>", rest[0]) < 0 && !strings.HasPrefix(rest, "<=") && !strings.HasPrefix(rest, "<!") {
					bad("unknown extension ?" + rest[:1])
				}
				b.WriteByte(c)
			}
		case ')':
			depth--
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func hex4(n int) string {
	s := strconv.FormatInt(int64(n), 16)
	return strings.Repeat("0", max(0, 4-len(s))) + s
}

func (r *runtime) find(p *pattern, re *regexp2.Regexp, text string, runes []rune, at int) *match {
	r.checkTime()
	r.charge(1 + len(runes)>>8)
	m, err := re.FindRunesMatchStartingAt(runes, at)
	if err != nil {
		if strings.Contains(err.Error(), "timeout") {
			panic(&limitError{"Timeout", "the regular expression " + quote(truncate(p.source, 200)) + " takes too long on this text"})
		}
		r.raise(excReError, "%s", err.Error())
	}
	if m == nil {
		return nil
	}
	r.grow(64 + 16*p.ngroups)
	out := &match{pat: p, text: text, runes: runes, groups: make([][2]int, p.ngroups+1)}
	for i := range out.groups {
		out.groups[i] = [2]int{-1, -1}
		if g := m.GroupByNumber(i); g != nil && len(g.Captures) > 0 {
			out.groups[i] = [2]int{g.Index, g.Index + g.Length}
		}
	}
	return out
}

func (m *match) span(i int) [2]int { return m.groups[i] }

func (m *match) group(r *runtime, i int) Value {
	g := m.groups[i]
	if g[0] < 0 {
		return nil
	}
	return r.keep(string(m.runes[g[0]:g[1]]))
}

func (m *match) lastIndex() Value {
	last, end := Value(nil), -1
	for i := 1; i < len(m.groups); i++ {
		if m.groups[i][1] > end {
			last, end = int64(i), m.groups[i][1]
		}
	}
	return last
}

func (m *match) number(r *runtime, key Value) int {
	if s, ok := key.(string); ok {
		if n, ok := m.pat.names[s]; ok {
			return n
		}
	} else if n, ok := intOf(key); ok && n >= 0 && n < int64(len(m.groups)) {
		return int(n)
	}
	r.raise(excIndex, "no such group")
	return 0
}

func (m *match) groupBy(r *runtime, key Value) Value { return m.group(r, m.number(r, key)) }

func mm(f func(r *runtime, m *match, args []Value, kw []kwarg) Value) method {
	return func(r *runtime, self Value, args []Value, kw []kwarg) Value { return f(r, self.(*match), args, kw) }
}

func spanPart(name string, f func([2]int) Value) method {
	return mm(func(r *runtime, m *match, args []Value, kw []kwarg) Value {
		a := r.args(name, args, kw, 0, "group")
		if !given(a[0]) {
			a[0] = int64(0)
		}
		return f(m.groups[m.number(r, a[0])])
	})
}

var matchMethods = map[string]method{
	"group": mm(func(r *runtime, m *match, args []Value, kw []kwarg) Value {
		if len(args) == 0 {
			return m.group(r, 0)
		}
		if len(args) == 1 {
			return m.groupBy(r, args[0])
		}
		t := &Tuple{}
		for _, a := range args {
			t.Items = append(t.Items, m.groupBy(r, a))
		}
		return t
	}),
	"groups": mm(func(r *runtime, m *match, args []Value, kw []kwarg) Value {
		a := r.args("groups", args, kw, 0, "default")
		t := &Tuple{}
		for i := 1; i < len(m.groups); i++ {
			v := m.group(r, i)
			if v == nil && given(a[0]) {
				v = a[0]
			}
			t.Items = append(t.Items, v)
		}
		return t
	}),
	"groupdict": mm(func(r *runtime, m *match, args []Value, kw []kwarg) Value {
		a := r.args("groupdict", args, kw, 0, "default")
		d := NewDict()
		for _, n := range m.pat.order {
			v := m.group(r, m.pat.names[n])
			if v == nil && given(a[0]) {
				v = a[0]
			}
			d.set(r, n, v)
		}
		return d
	}),
	"start": spanPart("start", func(s [2]int) Value { return int64(s[0]) }),
	"end":   spanPart("end", func(s [2]int) Value { return int64(s[1]) }),
	"span":  spanPart("span", func(s [2]int) Value { return NewTuple(int64(s[0]), int64(s[1])) }),
	"expand": mm(func(r *runtime, m *match, args []Value, kw []kwarg) Value {
		t := r.needStr("expand", r.args("expand", args, kw, 1, "template")[0])
		return r.keep(m.expand(r, t))
	}),
}

// expand fills \1, \g<name> and the usual escapes of a replacement.
func (m *match) expand(r *runtime, t string) string {
	if !strings.Contains(t, "\\") {
		return t
	}
	var b strings.Builder
	put := func(n int) {
		if n >= len(m.groups) {
			r.raise(excReError, "invalid group reference %d", n)
		}
		if g := m.groups[n]; g[0] >= 0 {
			r.grow(b.Len() + g[1] - g[0])
			b.WriteString(string(m.runes[g[0]:g[1]]))
		}
	}
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' {
			b.WriteByte(t[i])
			continue
		}
		i++
		if i >= len(t) {
			r.raise(excReError, "bad escape (end of pattern)")
		}
		switch c := t[i]; {
		case c == 'g':
			end := strings.IndexByte(t[i:], '>')
			if i+1 >= len(t) || t[i+1] != '<' || end < 0 {
				r.raise(excReError, "missing group name")
			}
			name := t[i+2 : i+end]
			if n, err := strconv.Atoi(name); err == nil && n >= 0 {
				put(n)
			} else if n, ok := m.pat.names[name]; ok {
				put(n)
			} else {
				r.raise(excIndex, "unknown group name %s", quote(name))
			}
			i += end
		case c == '0':
			n := 0
			j := i
			for j < len(t) && j < i+3 && t[j] >= '0' && t[j] <= '7' {
				n = n*8 + int(t[j]-'0')
				j++
			}
			b.WriteRune(rune(n))
			i = j - 1
		case c >= '1' && c <= '9':
			j := min(digitsAt(t, i), i+2)
			n, _ := strconv.Atoi(t[i:j])
			put(n)
			i = j - 1
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		case c == 'a':
			b.WriteByte(7)
		case c == 'b':
			b.WriteByte(8)
		case c == 'f':
			b.WriteByte(12)
		case c == 'v':
			b.WriteByte(11)
		case c == '\\':
			b.WriteByte('\\')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			r.raise(excReError, "bad escape \\%c", c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (r *runtime) runes(s string) []rune {
	r.grow(len(s) * 4)
	return []rune(s)
}

// findAll walks the matches as re.finditer does.
func (r *runtime) findAll(p *pattern, text string, f func(*match) bool) {
	runes := r.runes(text)
	at := 0
	empty := -1 // where the last match was, if it was empty
	for at <= len(runes) {
		m := r.find(p, p.search, text, runes, at)
		if m != nil && m.span(0)[1] == empty {
			// not the same empty match again
			if at++; at > len(runes) {
				return
			}
			m = r.find(p, p.search, text, runes, at)
		}
		if m == nil || !f(m) {
			return
		}
		s := m.span(0)
		empty = -1
		if s[0] == s[1] {
			empty = s[1]
		}
		at = s[1]
	}
}

func (r *runtime) sub(p *pattern, repl Value, text string, n int64) (string, int64) {
	var b strings.Builder
	runes := r.runes(text)
	done, count := 0, int64(0)
	tmpl, isStr := r.deref(repl).(string)
	r.findAll(p, text, func(m *match) bool {
		s := m.span(0)
		b.WriteString(string(runes[done:s[0]]))
		var out string
		if isStr {
			out = m.expand(r, tmpl)
		} else {
			v := r.call(repl, []Value{m}, nil)
			if out, isStr = v.(string); !isStr {
				r.raise(excType, "expected str instance, %s found", typeName(v))
			}
			isStr = false
		}
		r.grow(len(out))
		if b.Len()+len(out) > r.lim.Value {
			r.grow(r.lim.Value + 1)
		}
		b.WriteString(out)
		done = s[1]
		count++
		return n <= 0 || count < n
	})
	b.WriteString(string(runes[done:]))
	return b.String(), count
}

func (r *runtime) findList(p *pattern, text string) Value {
	l := &List{}
	r.findAll(p, text, func(m *match) bool {
		r.growList(1)
		strOrEmpty := func(i int) Value {
			if v := m.group(r, i); v != nil {
				return v
			}
			return ""
		}
		switch p.ngroups {
		case 0:
			l.Items = append(l.Items, m.group(r, 0))
		case 1:
			l.Items = append(l.Items, strOrEmpty(1))
		default:
			t := &Tuple{}
			for i := 1; i <= p.ngroups; i++ {
				t.Items = append(t.Items, strOrEmpty(i))
			}
			l.Items = append(l.Items, t)
		}
		return true
	})
	return l
}

func (r *runtime) reSplit(p *pattern, text string, limit int64) Value {
	l := &List{}
	runes := r.runes(text)
	done, n := 0, int64(0)
	r.findAll(p, text, func(m *match) bool {
		s := m.span(0)
		r.growList(1 + p.ngroups)
		l.Items = append(l.Items, r.keep(string(runes[done:s[0]])))
		for i := 1; i <= p.ngroups; i++ {
			l.Items = append(l.Items, m.group(r, i))
		}
		done = s[1]
		n++
		return limit <= 0 || n < limit
	})
	l.Items = append(l.Items, r.keep(string(runes[done:])))
	return l
}

// reOp runs one of the functions that re and compiled patterns share. rest
// are the arguments after the pattern.
func (r *runtime) reOp(op string, p *pattern, rest []Value, kw []kwarg) Value {
	switch op {
	case "sub", "subn":
		a := r.args(op, rest, kw, 2, "repl", "string", "count")
		n := int64(0)
		if given(a[2]) {
			n = r.needInt(op, a[2])
		}
		s, c := r.sub(p, a[0], r.needStr(op, a[1]), n)
		if op == "subn" {
			return NewTuple(s, c)
		}
		return s
	case "split":
		a := r.args(op, rest, kw, 1, "string", "maxsplit")
		n := int64(0)
		if given(a[1]) {
			n = r.needInt(op, a[1])
		}
		return r.reSplit(p, r.needStr(op, a[0]), n)
	}
	a := r.args(op, rest, kw, 1, "string", "pos", "endpos")
	text := r.needStr(op, a[0])
	switch op {
	case "findall":
		return r.findList(p, text)
	case "finditer":
		var out []Value
		r.findAll(p, text, func(m *match) bool { r.growList(1); out = append(out, m); return true })
		return sliceIter(out)
	}
	runes := r.runes(text)
	at := 0
	if given(a[1]) {
		at = int(max(0, min(r.needInt(op, a[1]), int64(len(runes)))))
	}
	if given(a[2]) {
		runes = runes[:max(int64(at), min(r.needInt(op, a[2]), int64(len(runes))))]
	}
	re := p.search
	switch op {
	case "match":
		re = p.anchor
	case "fullmatch":
		re = p.full
	}
	if m := r.find(p, re, text, runes, at); m != nil {
		return m
	}
	return nil
}

var patternMethods = map[string]method{}

var reOps = []string{"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}

func init() {
	for _, op := range reOps {
		patternMethods[op] = func(r *runtime, self Value, args []Value, kw []kwarg) Value {
			return r.reOp(op, self.(*pattern), args, kw)
		}
	}
}

func (r *runtime) asPattern(v Value, flags int64) *pattern {
	if p, ok := v.(*pattern); ok {
		return p
	}
	return r.regex(r.needStr("re", v), flags)
}

func reModule() *Module {
	m := &Module{Name: "re", Attrs: map[string]Value{
		"I": int64(reIgnore), "IGNORECASE": int64(reIgnore), "M": int64(reMulti), "MULTILINE": int64(reMulti), "S": int64(reDotAll),
		"DOTALL": int64(reDotAll), "X": int64(reVerbose), "VERBOSE": int64(reVerbose), "U": int64(reUnicode), "UNICODE": int64(reUnicode),
		"A": int64(reASCII), "ASCII": int64(reASCII), "L": int64(reLocale), "LOCALE": int64(reLocale), "error": excReError,
		"compile": &Builtin{"compile", func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("compile", args, kw, 1, "pattern", "flags")
			f := int64(0)
			if given(a[1]) {
				f = r.needInt("compile", a[1])
			}
			return r.asPattern(a[0], f)
		}},
		"escape": &Builtin{"escape", func(r *runtime, args []Value, kw []kwarg) Value {
			s := r.needStr("escape", r.args("escape", args, kw, 1, "pattern")[0])
			r.grow(2 * len(s))
			var b strings.Builder
			for _, c := range s {
				if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", c) {
					b.WriteByte('\\')
				}
				b.WriteRune(c)
			}
			return b.String()
		}},
		"purge": &Builtin{"purge", func(*runtime, []Value, []kwarg) Value { return nil }},
	}}
	for _, op := range reOps {
		m.Attrs[op] = &Builtin{op, func(r *runtime, args []Value, kw []kwarg) Value {
			flags := int64(0)
			var pat Value = unset{}
			var rest []kwarg
			for _, k := range kw {
				switch k.name {
				case "flags":
					flags = r.needInt(op, k.val)
				case "pattern":
					pat = k.val
				default:
					rest = append(rest, k)
				}
			}
			if !given(pat) {
				if len(args) == 0 {
					r.raise(excType, "%s() missing required argument 'pattern'", op)
				}
				pat, args = args[0], args[1:]
			}
			// flags are also the last positional argument
			last := map[string]int{"sub": 3, "subn": 3, "split": 2}[op]
			if last == 0 {
				last = 1
			}
			if len(args) > last {
				flags = r.needInt(op, args[last])
				args = args[:last]
			}
			return r.reOp(op, r.asPattern(pat, flags), args, rest)
		}}
	}
	return m
}
