package cheetah

import (
	"math"
	"math/big"
	"math/bits"
	"strings"
)

// normBig gives an int64 where the number fits one.
func normBig(n *big.Int) Value {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// bigOf reads an int or bool as a big.Int.
func bigOf(v Value) (*big.Int, bool) {
	switch x := v.(type) {
	case int64:
		return big.NewInt(x), true
	case bool:
		if x {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case *big.Int:
		return x, true
	}
	return nil, false
}

func intOf(v Value) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// floatOf reads any number as a float.
func (r *runtime) floatOf(v Value) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		if math.IsInf(f, 0) {
			r.raise(excOverflow, "int too large to convert to float")
		}
		return f, true
	}
	if i, ok := intOf(v); ok {
		return float64(i), true
	}
	return 0, false
}

func isNumber(v Value) bool {
	switch v.(type) {
	case int64, bool, float64, *big.Int:
		return true
	}
	return false
}

// deref replaces an object by its plain value, if it has one.
func (r *runtime) deref(v Value) Value {
	if o, ok := v.(Object); ok {
		if p, ok := v.(Plainer); ok {
			return r.plain(o, p)
		}
	}
	return v
}

func (r *runtime) big(n *big.Int) Value {
	if n.BitLen() > maxIntBits {
		panic(&limitError{"LimitExceeded", "an int of more than 131072 bits"})
	}
	r.grow(n.BitLen() / 8)
	r.charge(n.BitLen() >> 8)
	return normBig(n)
}

func (r *runtime) binary(op string, a, b Value) Value {
	r.step()
	a, b = r.deref(a), r.deref(b)
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if v, ok := smallInts(op, x, y); ok {
				return v
			}
		}
	}
	if s, ok := a.(string); ok {
		switch op {
		case "+":
			if t, ok := b.(string); ok {
				r.grow(len(s) + len(t))
				return s + t
			}
			r.raise(excType, `can only concatenate str (not "%s") to str`, typeName(b))
		case "%":
			return r.percent(s, b, false)
		}
	}
	if isNumber(a) && isNumber(b) {
		return r.arith(op, a, b)
	}
	switch op {
	case "+":
		switch x := a.(type) {
		case *List:
			if y, ok := b.(*List); ok {
				r.growList(len(x.Items) + len(y.Items))
				return &List{Items: append(append(make([]Value, 0, len(x.Items)+len(y.Items)), x.Items...), y.Items...)}
			}
			switch b.(type) {
			case *view, *iter, *rangeVal: // lists in Python 2
				return &List{Items: append(r.slice(x), r.slice(b)...)}
			}
			r.raise(excType, `can only concatenate list (not "%s") to list`, typeName(b))
		case *Tuple:
			if y, ok := b.(*Tuple); ok {
				r.growList(len(x.Items) + len(y.Items))
				return &Tuple{Items: append(append(make([]Value, 0, len(x.Items)+len(y.Items)), x.Items...), y.Items...)}
			}
			r.raise(excType, `can only concatenate tuple (not "%s") to tuple`, typeName(b))
		case *view, *iter, *rangeVal:
			switch b.(type) {
			case *List, *view, *iter, *rangeVal:
				return &List{Items: append(r.slice(x), r.slice(b)...)}
			}
		case Bytes:
			if y, ok := b.(Bytes); ok {
				r.grow(len(x) + len(y))
				return x + y
			}
		case *Dict:
			if y, ok := b.(*Dict); ok && x.typ == typCounter {
				return r.counterMerge(x, y, 1)
			}
		}
	case "*":
		if n, ok := intOf(b); ok {
			if v, ok := r.repeat(a, n); ok {
				return v
			}
		}
		if n, ok := intOf(a); ok {
			if v, ok := r.repeat(b, n); ok {
				return v
			}
		}
	case "%":
		if x, ok := a.(Bytes); ok {
			return Bytes(r.percent(string(x), b, true).(string))
		}
	case "|", "&", "-", "^":
		x, okX := asSet(a)
		y, okY := asSet(b)
		if okX && okY {
			return r.setOp(op, x, y)
		}
		if dx, ok := a.(*Dict); ok {
			if dy, ok := b.(*Dict); ok {
				if op == "|" {
					d := &Dict{table: dx.copyTable(), typ: dx.typ, factory: dx.factory}
					r.grow(64 * dx.live)
					r.dictUpdate(d, dy)
					return d
				}
				if op == "-" && dx.typ == typCounter {
					return r.counterMerge(dx, dy, -1)
				}
			}
		}
	}
	name := op
	if op == "**" {
		name = "** or pow()"
	}
	r.raise(excType, "unsupported operand type(s) for %s: '%s' and '%s'", name, typeName(a), typeName(b))
	return nil
}

func asSet(v Value) (*Set, bool) {
	switch x := v.(type) {
	case *Set:
		return x, true
	case *view:
		s := &Set{}
		if x.kind == 'k' {
			for _, e := range x.d.ents {
				if !e.dead {
					s.put(e.hash, e.key, nil)
				}
			}
			return s, true
		}
	}
	return nil, false
}

func (r *runtime) setOp(op string, x, y *Set) Value {
	r.grow((x.live + y.live) * 48)
	out := &Set{frozen: x.frozen}
	for _, e := range x.ents {
		if e.dead {
			continue
		}
		_, in := y.find(e.hash)
		if op == "|" || op == "&" && in || (op == "-" || op == "^") && !in {
			out.put(e.hash, e.key, nil)
		}
	}
	if op == "|" || op == "^" {
		for _, e := range y.ents {
			if e.dead {
				continue
			}
			if _, in := x.find(e.hash); !in {
				out.put(e.hash, e.key, nil)
			}
		}
	}
	return out
}

func (r *runtime) repeat(v Value, n int64) (Value, bool) {
	if n < 0 {
		n = 0
	}
	size := func(unit, each int) int {
		if unit == 0 || n == 0 {
			return 0
		}
		if n > int64(r.lim.Value) || int64(unit)*int64(each) > int64(r.lim.Value)/n {
			r.grow(r.lim.Value + 1)
		}
		r.grow(unit * each * int(n))
		return unit * int(n)
	}
	items := func(in []Value) []Value {
		total := size(len(in), 16)
		out := make([]Value, 0, total)
		for len(out) < total {
			out = append(out, in...)
		}
		return out
	}
	switch x := v.(type) {
	case string:
		size(len(x), 1)
		if x == "" {
			return "", true
		}
		return strings.Repeat(x, int(n)), true
	case Bytes:
		size(len(x), 1)
		if x == "" {
			return x, true
		}
		return Bytes(strings.Repeat(string(x), int(n))), true
	case *List:
		return &List{Items: items(x.Items)}, true
	case *Tuple:
		return &Tuple{Items: items(x.Items)}, true
	}
	return nil, false
}

func smallInts(op string, x, y int64) (Value, bool) {
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s, true
		}
	case "-":
		if s := x - y; (s < x) == (y > 0) {
			return s, true
		}
	case "*":
		hi, lo := bits.Mul64(absU(x), absU(y))
		if hi == 0 && lo < 1<<63 {
			return x * y, true
		}
	case "&":
		return x & y, true
	case "|":
		return x | y, true
	case "^":
		return x ^ y, true
	}
	return nil, false
}

func absU(x int64) uint64 {
	if x < 0 {
		return uint64(-x)
	}
	return uint64(x)
}

func (r *runtime) arith(op string, a, b Value) Value {
	x, okX := bigOf(a)
	y, okY := bigOf(b)
	if okX && okY && op != "/" {
		return r.bigArith(op, x, y, a, b)
	}
	if okX && okY && y.Sign() != 0 { // true division, exact for big ints
		q, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(q, 0) {
			r.raise(excOverflow, "integer division result too large for a float")
		}
		return q
	}
	f, _ := r.floatOf(a)
	g, _ := r.floatOf(b)
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "/":
		if g == 0 {
			if okX && okY {
				r.raise(excZeroDivision, "division by zero")
			}
			r.raise(excZeroDivision, "float division by zero")
		}
		return f / g
	case "//":
		if g == 0 {
			r.raise(excZeroDivision, "float floor division by zero")
		}
		q, _ := floatDivmod(f, g)
		return q
	case "%":
		if g == 0 {
			r.raise(excZeroDivision, "float modulo")
		}
		_, m := floatDivmod(f, g)
		return m
	case "**":
		if f == 0 && g < 0 {
			r.raise(excZeroDivision, "0.0 cannot be raised to a negative power")
		}
		p := math.Pow(f, g)
		if math.IsInf(p, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
			r.raise(excOverflow, "(34, 'Numerical result out of range')")
		}
		if math.IsNaN(p) && !math.IsNaN(f) && !math.IsNaN(g) {
			r.raise(excValue, "complex numbers are not supported")
		}
		return p
	}
	r.raise(excType, "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

func floatDivmod(f, g float64) (q, m float64) {
	m = math.Mod(f, g)
	q = (f - m) / g
	if m != 0 {
		if (g < 0) != (m < 0) {
			m += g
			q--
		}
	} else {
		m = math.Copysign(0, g)
	}
	if q != 0 {
		fl := math.Floor(q)
		if q-fl > 0.5 {
			fl++
		}
		q = fl
	}
	return q, m
}

func (r *runtime) bigArith(op string, x, y *big.Int, a, b Value) Value {
	z := new(big.Int)
	switch op {
	case "+":
		return r.big(z.Add(x, y))
	case "-":
		return r.big(z.Sub(x, y))
	case "*":
		if x.BitLen()+y.BitLen() > maxIntBits+64 {
			return r.big(z.Lsh(big.NewInt(1), maxIntBits+1))
		}
		return r.big(z.Mul(x, y))
	case "//", "%":
		if y.Sign() == 0 {
			r.raise(excZeroDivision, "integer division or modulo by zero")
		}
		m := new(big.Int)
		z.DivMod(x, y, m) // Euclidean: the remainder is never negative
		if y.Sign() < 0 && m.Sign() != 0 {
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			return r.big(m)
		}
		return r.big(z)
	case "**":
		if y.Sign() < 0 {
			f, _ := r.floatOf(a)
			g, _ := r.floatOf(b)
			if f == 0 {
				r.raise(excZeroDivision, "0.0 cannot be raised to a negative power")
			}
			return math.Pow(f, g)
		}
		if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxIntBits || int64(x.BitLen()-1)*y.Int64() > maxIntBits) {
			return r.big(z.Lsh(big.NewInt(1), maxIntBits+1))
		}
		if x.BitLen() <= 1 { // 0, 1, -1
			if y.Sign() == 0 || x.Sign() == 0 {
				if y.Sign() == 0 {
					return int64(1)
				}
				return int64(0)
			}
			if x.Sign() > 0 || y.Bit(0) == 0 {
				return int64(1)
			}
			return int64(-1)
		}
		return r.big(z.Exp(x, y, nil))
	case "<<", ">>":
		if y.Sign() < 0 {
			r.raise(excValue, "negative shift count")
		}
		if op == ">>" {
			if !y.IsInt64() || y.Int64() > maxIntBits*2 {
				if x.Sign() < 0 {
					return int64(-1)
				}
				return int64(0)
			}
			return r.big(z.Rsh(x, uint(y.Int64())))
		}
		if x.Sign() == 0 {
			return int64(0)
		}
		if !y.IsInt64() || y.Int64() > maxIntBits {
			return r.big(z.Lsh(big.NewInt(1), maxIntBits+1))
		}
		return r.big(z.Lsh(x, uint(y.Int64())))
	case "&":
		return r.big(z.And(x, y))
	case "|":
		return r.big(z.Or(x, y))
	case "^":
		return r.big(z.Xor(x, y))
	}
	r.raise(excType, "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

func (r *runtime) unary(op string, v Value) Value {
	v = r.deref(v)
	if f, ok := v.(float64); ok && op != "~" {
		if op == "-" {
			return -f
		}
		return f
	}
	n, ok := bigOf(v)
	if !ok {
		r.raise(excType, "bad operand type for unary %s: '%s'", op, typeName(v))
	}
	switch op {
	case "-":
		return normBig(new(big.Int).Neg(n))
	case "~":
		return normBig(new(big.Int).Not(n))
	}
	return normBig(n)
}

func (r *runtime) compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	case "is":
		return r.same(a, b)
	case "is not":
		return !r.same(a, b)
	}
	a, b = r.deref(a), r.deref(b)
	if x, ok := asSet(a); ok {
		if y, ok := asSet(b); ok {
			switch op {
			case "<":
				return x.live < y.live && subset(x, y)
			case "<=":
				return subset(x, y)
			case ">":
				return y.live < x.live && subset(y, x)
			default:
				return subset(y, x)
			}
		}
	}
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		return false
	}
	if f, ok := b.(float64); ok && math.IsNaN(f) {
		return false
	}
	c := r.order(a, b, op, 0)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func subset(x, y *Set) bool {
	for _, e := range x.ents {
		if !e.dead {
			if _, ok := y.find(e.hash); !ok {
				return false
			}
		}
	}
	return true
}

func (r *runtime) same(a, b Value) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case int64, string, float64:
		return typeOf(a) == typeOf(b) && r.equal(a, b)
	case Bytes:
		y, ok := b.(Bytes)
		return ok && x == y
	case Object:
		return comparable_(a) && comparable_(b) && a == b
	case *big.Int:
		return r.equal(a, b)
	}
	return comparable_(b) && a == b
}

func (r *runtime) equal(a, b Value) bool { return r.equalDepth(a, b, 0) }

func (r *runtime) equalDepth(a, b Value, depth int) bool {
	r.step()
	if depth > maxDataDepth {
		r.raise(excRecursion, "maximum recursion depth exceeded in comparison")
	}
	if o, ok := a.(Equaler); ok {
		return o.Equal(b)
	}
	if o, ok := b.(Equaler); ok {
		return o.Equal(a)
	}
	a, b = r.deref(a), r.deref(b)
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case Bytes:
		y, ok := b.(Bytes)
		return ok && x == y
	case int64, bool, float64, *big.Int:
		if !isNumber(b) {
			return false
		}
		if f, ok := a.(float64); ok && math.IsNaN(f) {
			return false
		}
		if f, ok := b.(float64); ok && math.IsNaN(f) {
			return false
		}
		return compareNumbers(a, b) == 0
	case *List:
		y, ok := b.(*List)
		return ok && r.equalItems(x.Items, y.Items, depth)
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && r.equalItems(x.Items, y.Items, depth)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || x.live != y.live {
			return false
		}
		for _, e := range x.ents {
			if e.dead {
				continue
			}
			f, ok := y.find(e.hash)
			if !ok || !r.equalDepth(e.val, f.val, depth+1) {
				return false
			}
		}
		return true
	case *Set, *view:
		s, ok := asSet(a)
		t, ok2 := asSet(b)
		if ok && ok2 {
			return s.live == t.live && subset(s, t)
		}
		return a == b
	case *rangeVal:
		y, ok := b.(*rangeVal)
		return ok && x.len() == y.len() && (x.len() == 0 || x.start == y.start && (x.len() == 1 || x.step == y.step))
	}
	return comparable_(a) && comparable_(b) && a == b
}

func (r *runtime) equalItems(a, b []Value, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !r.equalDepth(a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

func compareNumbers(a, b Value) int {
	x, okX := intOf(a)
	y, okY := intOf(b)
	if okX && okY {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return bigFloat(a).Cmp(bigFloat(b))
}

func bigFloat(v Value) *big.Float {
	switch x := v.(type) {
	case float64:
		return big.NewFloat(x)
	case *big.Int:
		return new(big.Float).SetPrec(uint(x.BitLen()) + 64).SetInt(x)
	}
	i, _ := intOf(v)
	return new(big.Float).SetPrec(64).SetInt64(i)
}

// order compares for <, >, sorting; it raises TypeError where Python does.
func (r *runtime) order(a, b Value, op string, depth int) int {
	r.step()
	if depth > maxDataDepth {
		r.raise(excRecursion, "maximum recursion depth exceeded in comparison")
	}
	a, b = r.deref(a), r.deref(b)
	if isNumber(a) && isNumber(b) {
		if f, ok := a.(float64); ok && math.IsNaN(f) {
			return 0
		}
		if f, ok := b.(float64); ok && math.IsNaN(f) {
			return 0
		}
		return compareNumbers(a, b)
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return strings.Compare(string(x), string(y))
		}
	case *List:
		if y, ok := b.(*List); ok {
			return r.orderItems(x.Items, y.Items, op, depth)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return r.orderItems(x.Items, y.Items, op, depth)
		}
	}
	r.raise(excType, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	return 0
}

func (r *runtime) orderItems(a, b []Value, op string, depth int) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if !r.equalDepth(a[i], b[i], depth+1) {
			return r.order(a[i], b[i], op, depth+1)
		}
	}
	return len(a) - len(b)
}

func (r *runtime) contains(c, key Value) bool {
	switch x := c.(type) {
	case string:
		k, ok := r.deref(key).(string)
		if !ok {
			r.raise(excType, "'in <string>' requires string as left operand, not %s", typeName(key))
		}
		r.charge(len(x) >> 8)
		return strings.Contains(x, k)
	case Bytes:
		switch k := key.(type) {
		case Bytes:
			return strings.Contains(string(x), string(k))
		case int64:
			return k >= 0 && k < 256 && strings.IndexByte(string(x), byte(k)) >= 0
		}
	case *Dict:
		_, ok := x.get(r, r.keyed(key))
		return ok
	case *Set:
		return x.has(r, r.keyed(key))
	case *view:
		if x.kind == 'k' {
			_, ok := x.d.get(r, r.keyed(key))
			return ok
		}
	case *rangeVal:
		if k, ok := intOf(key); ok {
			n := x.len()
			return n > 0 && (k-x.start)%x.step == 0 && (x.step > 0 && k >= x.start && k < x.stop || x.step < 0 && k <= x.start && k > x.stop)
		}
	case Container:
		return x.Contains(key)
	case Object:
		if p, ok := x.(Plainer); ok {
			if _, it := x.(Iterer); !it {
				return r.contains(r.plain(x, p), key)
			}
		}
	case nil:
		r.raise(excType, "argument of type 'NoneType' is not iterable")
	}
	found := false
	r.each(c, func(v Value) bool {
		found = r.equal(v, key)
		return !found
	})
	return found
}

// keyed lets an object that has no hash of its own serve as a key by its
// plain value.
func (r *runtime) keyed(k Value) Value {
	if _, ok := k.(Hashable); ok {
		return k
	}
	return r.deref(k)
}
