package cheetah

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// bigText writes an int in a base, refusing what Python refuses.
func (r *runtime) bigText(n *big.Int, base int) string {
	if base == 10 && n.BitLen() > maxIntDigits*34/10 {
		r.raise(excValue, "Exceeds the limit (4300 digits) for integer string conversion")
	}
	r.charge(n.BitLen() >> 4)
	s := n.Text(base)
	r.grow(len(s))
	return s
}

// spec is a format specification: [[fill]align][sign][#][0][width][,][.prec][type].
type spec struct {
	fill   string
	align  byte
	sign   byte
	alt    bool
	width  int
	comma  byte
	prec   int
	verb   byte
	zero   bool
	hasPrc bool
}

func (r *runtime) width(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n > r.lim.Value {
		panic(&limitError{"LimitExceeded", "a format width of more than " + strconv.Itoa(r.lim.Value)})
	}
	return n
}

func digitsAt(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

func (r *runtime) parseSpec(s string) spec {
	p := spec{fill: " ", prec: -1}
	full := s
	if s != "" {
		_, n := utf8.DecodeRuneInString(s)
		if n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0 {
			p.fill, p.align = s[:n], s[n]
			s = s[n+1:]
		} else if strings.IndexByte("<>=^", s[0]) >= 0 {
			p.align = s[0]
			s = s[1:]
		}
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		p.sign = s[0]
		s = s[1:]
	}
	if strings.HasPrefix(s, "#") {
		p.alt = true
		s = s[1:]
	}
	if strings.HasPrefix(s, "0") {
		p.zero = true
		s = s[1:]
	}
	if n := digitsAt(s, 0); n > 0 {
		p.width = r.width(s[:n])
		s = s[n:]
	}
	if s != "" && (s[0] == ',' || s[0] == '_') {
		p.comma = s[0]
		s = s[1:]
	}
	if strings.HasPrefix(s, ".") {
		n := digitsAt(s, 1)
		if n == 1 {
			r.raise(excValue, "Format specifier missing precision")
		}
		p.prec, p.hasPrc = r.width(s[1:n]), true
		s = s[n:]
	}
	if len(s) == 1 {
		p.verb = s[0]
		s = ""
	}
	if s != "" {
		r.raise(excValue, "Invalid format specifier '%s'", full)
	}
	return p
}

// format is format(v, text): what f"{v:text}" and str.format do.
func (r *runtime) format(v Value, text string) string {
	if text == "" {
		return r.str(v)
	}
	if o, ok := v.(Object); ok {
		if p, ok := v.(Plainer); ok {
			v = r.plain(o, p)
		} else {
			v = r.str(v)
		}
	}
	if t, ok := v.(*dateTime); ok {
		return t.strftime(r, text)
	}
	p := r.parseSpec(text)
	switch x := v.(type) {
	case string:
		if p.verb != 0 && p.verb != 's' {
			r.raise(excValue, "Unknown format code '%c' for object of type 'str'", p.verb)
		}
		if p.sign != 0 {
			r.raise(excValue, "Sign not allowed in string format specifier")
		}
		if p.align == '=' {
			r.raise(excValue, "'=' alignment not allowed in string format specifier")
		}
		if p.hasPrc {
			x = truncate(x, p.prec)
		}
		if p.zero && p.align == 0 {
			p.fill = "0"
		}
		return r.pad(x, p, '<')
	case int64, bool, *big.Int:
		if b, ok := x.(bool); ok && p.verb == 0 {
			_ = b
		}
		if strings.IndexByte("eEfFgG%", p.verb) >= 0 && p.verb != 0 {
			f, _ := r.floatOf(v)
			return r.formatFloat(f, p)
		}
		return r.formatInt(v, p)
	case float64:
		return r.formatFloat(x, p)
	}
	r.raise(excType, "unsupported format string passed to %s.__format__", typeName(v))
	return ""
}

func truncate(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func (r *runtime) pad(s string, p spec, def byte) string {
	gap := p.width - strLen(s)
	if gap <= 0 {
		return s
	}
	r.grow(gap*len(p.fill) + len(s))
	a := p.align
	if a == 0 {
		a = def
	}
	switch a {
	case '<':
		return s + strings.Repeat(p.fill, gap)
	case '^':
		return strings.Repeat(p.fill, gap/2) + s + strings.Repeat(p.fill, gap-gap/2)
	}
	return strings.Repeat(p.fill, gap) + s
}

// number puts sign, grouping and padding around the digits of a number.
func (r *runtime) number(neg bool, prefix, digits string, p spec) string {
	sign := ""
	switch {
	case neg:
		sign = "-"
	case p.sign == '+':
		sign = "+"
	case p.sign == ' ':
		sign = " "
	}
	whole, tail := digits, ""
	if i := strings.IndexAny(digits, ".e%"); i >= 0 && prefix == "" {
		whole, tail = digits[:i], digits[i:]
	}
	if p.zero && p.align == 0 {
		p.fill, p.align = "0", '='
	}
	group := func(w string) string {
		if p.comma == 0 {
			return w
		}
		n := 3
		if prefix != "" || p.verb == 'x' || p.verb == 'b' || p.verb == 'o' {
			n = 4
		}
		r.grow(2 * len(w))
		var b strings.Builder
		for i := 0; i < len(w); i++ {
			if i > 0 && (len(w)-i)%n == 0 {
				b.WriteByte(p.comma)
			}
			b.WriteByte(w[i])
		}
		return b.String()
	}
	if p.align == '=' {
		gap := p.width - len(sign) - len(prefix) - len(group(whole)) - len(tail)
		if gap > 0 {
			r.grow(p.width * len(p.fill))
			if p.comma != 0 && p.fill == "0" {
				for len(sign)+len(prefix)+len(group(whole))+len(tail) < p.width && gap > 0 {
					whole = "0" + whole
					gap--
					r.step()
				}
				return sign + prefix + group(whole) + tail
			}
			return sign + prefix + strings.Repeat(p.fill, gap) + group(whole) + tail
		}
		return sign + prefix + group(whole) + tail
	}
	return r.pad(sign+prefix+group(whole)+tail, p, '>')
}

func (r *runtime) formatInt(v Value, p spec) string {
	n, _ := bigOf(v)
	base, prefix := 10, ""
	switch p.verb {
	case 0, 'd', 'n':
	case 'x', 'X':
		base, prefix = 16, "0x"
	case 'o':
		base, prefix = 8, "0o"
	case 'b':
		base, prefix = 2, "0b"
	case 'c':
		c, ok := intOf(v)
		if !ok || c < 0 || c > utf8.MaxRune {
			r.raise(excOverflow, "%%c arg not in range(0x110000)")
		}
		return r.pad(string(rune(c)), p, '<')
	default:
		r.raise(excValue, "Unknown format code '%c' for object of type '%s'", p.verb, typeName(v))
	}
	if p.hasPrc {
		r.raise(excValue, "Precision not allowed in integer format specifier")
	}
	s := r.bigText(new(big.Int).Abs(n), base)
	if !p.alt {
		prefix = ""
	}
	if p.verb == 'X' {
		s, prefix = strings.ToUpper(s), strings.ToUpper(prefix)
	}
	return r.number(n.Sign() < 0, prefix, s, p)
}

func (r *runtime) formatFloat(f float64, p spec) string {
	neg := math.Signbit(f) && !math.IsNaN(f)
	a := math.Abs(f)
	verb := p.verb
	prec := p.prec
	if prec < 0 && verb != 0 {
		prec = 6
	}
	if prec > 5000 {
		panic(&limitError{"LimitExceeded", "a precision of more than 5000 digits"})
	}
	upper := false
	if verb == 'E' || verb == 'F' || verb == 'G' {
		upper = true
		verb += 'a' - 'A'
	}
	var s string
	switch {
	case math.IsInf(a, 0):
		s = "inf"
	case math.IsNaN(a):
		s = "nan"
	default:
		switch verb {
		case 'f':
			s = strconv.FormatFloat(a, 'f', prec, 64)
		case 'e':
			s = strconv.FormatFloat(a, 'e', prec, 64)
		case '%':
			s = strconv.FormatFloat(a*100, 'f', prec, 64)
		case 'g', 'n':
			s = generalFloat(a, prec, p.alt)
		case 0:
			if p.hasPrc {
				s = generalFloat(a, prec, false)
				if !strings.ContainsAny(s, ".e") && len(s) >= max(1, prec) && prec > 0 {
					// as Python: at least one digit behind the point, if there is room
					s = strconv.FormatFloat(a, 'e', prec-1, 64)
					if m, e, ok := strings.Cut(s, "e"); ok {
						if x, _ := strconv.Atoi(e); x < prec {
							s = generalFloat(a, prec, false)
							if x+1 < prec {
								s += ".0"
							} else {
								s = trimMantissa(m) + "e" + e
							}
						} else {
							s = trimMantissa(m) + "e" + e
						}
					}
				} else if !strings.ContainsAny(s, ".e") {
					s += ".0"
				}
			} else {
				s = floatRepr(a)
			}
		default:
			r.raise(excValue, "Unknown format code '%c' for object of type 'float'", p.verb)
		}
	}
	if p.verb == '%' && !math.IsInf(a, 0) && !math.IsNaN(a) {
		s += "%"
	}
	if upper {
		s = strings.ToUpper(s)
	}
	if math.IsInf(a, 0) || math.IsNaN(a) {
		p.zero = false
	}
	return r.number(neg, "", s, p)
}

func trimMantissa(m string) string {
	if strings.Contains(m, ".") {
		m = strings.TrimRight(strings.TrimRight(m, "0"), ".")
	}
	return m
}

// generalFloat is C's %g.
func generalFloat(a float64, prec int, alt bool) string {
	if prec == 0 {
		prec = 1
	}
	e := strconv.FormatFloat(a, 'e', prec-1, 64)
	m, ex, _ := strings.Cut(e, "e")
	x, _ := strconv.Atoi(ex)
	if x < -4 || x >= prec {
		if !alt {
			m = trimMantissa(m)
		}
		return m + "e" + ex
	}
	s := strconv.FormatFloat(a, 'f', max(0, prec-1-x), 64)
	if !alt {
		s = trimMantissa(s)
	}
	return s
}

// percent is text % args.
func (r *runtime) percent(text string, args Value, bytes bool) Value {
	items, isTuple := []Value{args}, false
	if t, ok := args.(*Tuple); ok {
		items, isTuple = t.Items, true
	}
	used := 0
	next := func() Value {
		if used >= len(items) {
			r.raise(excType, "not enough arguments for format string")
		}
		used++
		return items[used-1]
	}
	var b strings.Builder
	put := func(s string) {
		r.grow(b.Len() + len(s))
		b.WriteString(s)
	}
	mapped := false
	for i := 0; i < len(text); i++ {
		r.step()
		j := strings.IndexByte(text[i:], '%')
		if j < 0 {
			put(text[i:])
			break
		}
		if j > 0 {
			put(text[i : i+j])
		}
		i += j + 1
		if i >= len(text) {
			r.raise(excValue, "incomplete format")
		}
		if text[i] == '%' {
			put("%")
			continue
		}
		var v Value
		have := false
		if text[i] == '(' {
			depth, k := 1, i+1
			for ; k < len(text) && depth > 0; k++ {
				if text[k] == '(' {
					depth++
				} else if text[k] == ')' {
					depth--
				}
			}
			if depth > 0 {
				r.raise(excValue, "incomplete format key")
			}
			d := args
			if _, ok := d.(*Dict); !ok && !isObject(d) {
				r.raise(excType, "format requires a mapping")
			}
			v, have, mapped = r.index(d, text[i+1:k-1]), true, true
			i = k
		}
		p := spec{fill: " ", prec: -1}
		left := false
		for ; i < len(text) && strings.IndexByte("-+ #0", text[i]) >= 0; i++ {
			switch text[i] {
			case '-':
				left = true
			case '+':
				p.sign = '+'
			case ' ':
				if p.sign == 0 {
					p.sign = ' '
				}
			case '#':
				p.alt = true
			case '0':
				p.zero = true
			}
		}
		star := func() int {
			n := r.needInt("%", next())
			if n > int64(r.lim.Value) || n < -int64(r.lim.Value) {
				r.grow(r.lim.Value + 1)
			}
			return int(n)
		}
		if i < len(text) && text[i] == '*' {
			p.width = star()
			if p.width < 0 {
				left = true
				p.width = -p.width
			}
			i++
		} else if n := digitsAt(text, i); n > i {
			p.width = r.width(text[i:n])
			i = n
		}
		if i < len(text) && text[i] == '.' {
			i++
			p.hasPrc, p.prec = true, 0
			if i < len(text) && text[i] == '*' {
				p.prec = max(0, star())
				i++
			} else if n := digitsAt(text, i); n > i {
				p.prec = r.width(text[i:n])
				i = n
			}
		}
		for i < len(text) && strings.IndexByte("hlL", text[i]) >= 0 {
			i++
		}
		if i >= len(text) {
			r.raise(excValue, "incomplete format")
		}
		if left {
			p.align, p.zero = '<', false
		}
		if !have {
			v = next()
		}
		c := text[i]
		switch c {
		case 's', 'r', 'a':
			var s string
			switch {
			case c == 's' && bytes:
				s = r.needStr("%s", v)
			case c == 's':
				s = r.str(v)
			case c == 'r':
				s = r.repr(v)
			default:
				s = r.ascii(v)
			}
			if p.hasPrc {
				s = truncate(s, p.prec)
			}
			p.zero = false
			put(r.pad(s, p, '>'))
		case 'd', 'i', 'u', 'x', 'X', 'o':
			n := r.deref(v)
			if f, ok := n.(float64); ok && (c == 'd' || c == 'i' || c == 'u') {
				n = r.floatToInt(f)
			}
			if _, ok := bigOf(n); !ok {
				r.raise(excType, "%%%c format: a real number is required, not %s", c, typeName(n))
			}
			prec := p.prec
			hasPrec := p.hasPrc
			p.hasPrc = false
			p.verb = c
			if c == 'i' || c == 'u' {
				p.verb = 'd'
			}
			if hasPrec {
				q := spec{fill: "0", align: '=', width: prec, verb: p.verb, alt: p.alt, sign: p.sign}
				if m, _ := bigOf(n); m.Sign() < 0 || p.sign != 0 {
					q.width++
				}
				p.zero = false
				put(r.pad(r.formatInt(n, q), p, '>'))
			} else {
				put(r.formatInt(n, p))
			}
		case 'e', 'E', 'f', 'F', 'g', 'G':
			f, ok := r.floatOf(r.deref(v))
			if !ok {
				r.raise(excType, "must be real number, not %s", typeName(v))
			}
			p.verb = c
			put(r.formatFloat(f, p))
		case 'c':
			if s, ok := r.deref(v).(string); ok && strLen(s) == 1 {
				put(r.pad(s, p, '>'))
			} else if n, ok := intOf(v); ok && n >= 0 && n <= utf8.MaxRune {
				put(r.pad(string(rune(n)), p, '>'))
			} else {
				r.raise(excType, "%%c requires int or char")
			}
		default:
			r.raise(excValue, "unsupported format character '%s' (0x%x) at index %d", truncate(text[i:], 1), c, i)
		}
	}
	if used < len(items) && !mapped {
		if _, isMap := args.(*Dict); !isMap || isTuple {
			r.raise(excType, "not all arguments converted during string formatting")
		}
	}
	return b.String()
}

// strFormat is text.format(*args, **kw).
func (r *runtime) strFormat(text string, args []Value, kw []kwarg, mapping Value, auto *int, depth int) string {
	if depth > 2 {
		r.raise(excValue, "Max string recursion exceeded")
	}
	var b strings.Builder
	put := func(s string) {
		r.grow(b.Len() + len(s))
		b.WriteString(s)
	}
	for i := 0; i < len(text); {
		r.step()
		c := text[i]
		if c != '{' && c != '}' {
			j := strings.IndexAny(text[i:], "{}")
			if j < 0 {
				j = len(text) - i
			}
			put(text[i : i+j])
			i += j
			continue
		}
		if i+1 < len(text) && text[i+1] == c {
			put(string(c))
			i += 2
			continue
		}
		if c == '}' {
			r.raise(excValue, "Single '}' encountered in format string")
		}
		level, j := 1, i+1
		for ; j < len(text) && level > 0; j++ {
			if text[j] == '{' {
				level++
			} else if text[j] == '}' {
				level--
			}
		}
		if level > 0 {
			if j == i+1 {
				r.raise(excValue, "Single '{' encountered in format string")
			}
			r.raise(excValue, "expected '}' before end of string")
		}
		field := text[i+1 : j-1]
		i = j
		name, sp := field, ""
		// a : or ! inside [] belongs to the name
		inSub := false
		var conv byte
		for k := 0; k < len(field); k++ {
			if field[k] == '[' {
				inSub = true
			} else if field[k] == ']' {
				inSub = false
			} else if !inSub && (field[k] == ':' || field[k] == '!') {
				name = field[:k]
				rest := field[k:]
				if rest[0] == '!' {
					if len(rest) < 2 {
						r.raise(excValue, "end of string while looking for conversion specifier")
					}
					conv = rest[1]
					rest = rest[2:]
					if rest != "" && rest[0] != ':' {
						r.raise(excValue, "expected ':' after conversion specifier")
					}
				}
				if rest != "" {
					sp = rest[1:]
				}
				break
			}
		}
		v := r.fieldValue(name, args, kw, mapping, auto)
		switch conv {
		case 0:
		case 'r':
			v = r.repr(v)
		case 's':
			v = r.str(v)
		case 'a':
			v = r.ascii(v)
		default:
			r.raise(excValue, "Unknown conversion specifier '%c'", conv)
		}
		if strings.ContainsAny(sp, "{}") {
			sp = r.strFormat(sp, args, kw, mapping, auto, depth+1)
		}
		put(r.format(v, sp))
	}
	return b.String()
}

func (r *runtime) fieldValue(name string, args []Value, kw []kwarg, mapping Value, auto *int) Value {
	end := strings.IndexAny(name, ".[")
	head, rest := name, ""
	if end >= 0 {
		head, rest = name[:end], name[end:]
	}
	var v Value
	if head == "" {
		if *auto < 0 {
			r.raise(excValue, "cannot switch from manual field specification to automatic field numbering")
		}
		head = strconv.Itoa(*auto)
		*auto++
	} else if digitsAt(head, 0) == len(head) {
		if *auto > 0 {
			r.raise(excValue, "cannot switch from automatic field numbering to manual field specification")
		}
		*auto = -1
	}
	if digitsAt(head, 0) == len(head) {
		n, err := strconv.Atoi(head)
		if err != nil || n >= len(args) {
			r.raise(excIndex, "Replacement index %s out of range for positional args tuple", head)
		}
		v = args[n]
	} else {
		found := false
		for _, k := range kw {
			if k.name == head {
				v, found = k.val, true
			}
		}
		if !found {
			if mapping == nil {
				r.throw(&Exc{Typ: excKey, Args: []Value{head}})
			}
			v = r.index(mapping, head)
		}
	}
	for rest != "" {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			v = r.attr(v, rest[1:1+n])
			rest = rest[1+n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if rest[0] != '[' || n < 0 {
			r.raise(excValue, "Only '.' or '[' may follow ']' in format field specifier")
		}
		key := rest[1:n]
		if key != "" && digitsAt(key, 0) == len(key) && len(key) < 18 {
			k, _ := strconv.ParseInt(key, 10, 64)
			v = r.index(v, k)
		} else {
			v = r.index(v, key)
		}
		rest = rest[n+1:]
	}
	return v
}
