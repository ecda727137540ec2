package cheetah

import "unicode/utf8"

// iter is a Python iterator.
type iter struct {
	kind string
	next func() (Value, bool)
	// seen holds what indexing (a courtesy to Python 2 templates, where map,
	// filter and zip give lists) has drawn so far.
	seen []Value
}

func (it *iter) pull(r *runtime) (Value, bool) {
	if len(it.seen) > 0 {
		v := it.seen[0]
		it.seen = it.seen[1:]
		return v, true
	}
	if it.next == nil {
		return nil, false
	}
	// iterators over iterators nest; the Go stack must not
	r.pulls++
	if r.pulls > 500 {
		r.raise(excRecursion, "iterators are nested too deeply")
	}
	v, ok := it.next()
	r.pulls--
	if !ok {
		it.next = nil
	}
	return v, ok
}

// list draws what is left and keeps it, so that it can be indexed.
func (it *iter) list(r *runtime) []Value {
	seen := it.seen
	it.seen = nil
	for {
		v, ok := it.pull(r)
		if !ok {
			break
		}
		r.step()
		r.growList(1)
		seen = append(seen, v)
	}
	it.seen = seen
	return it.seen
}

type rangeVal struct{ start, stop, step int64 }

func (x *rangeVal) len() int64 {
	// unsigned arithmetic, since stop-start may exceed an int64
	var n uint64
	switch {
	case x.step > 0 && x.start < x.stop:
		n = (uint64(x.stop)-uint64(x.start)-1)/uint64(x.step) + 1
	case x.step < 0 && x.start > x.stop:
		n = (uint64(x.start)-uint64(x.stop)-1)/uint64(-x.step) + 1
	}
	if n > 1<<62 {
		n = 1 << 62
	}
	return int64(n)
}

func sliceIter(items []Value) *iter {
	i := 0
	return &iter{next: func() (Value, bool) {
		if i >= len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}}
}

// iterate is Python's iter(v).
func (r *runtime) iterate(v Value) *iter {
	switch x := v.(type) {
	case *iter:
		return x
	case *List:
		i := 0
		return &iter{kind: "list_iterator", next: func() (Value, bool) {
			if i >= len(x.Items) {
				return nil, false
			}
			i++
			return x.Items[i-1], true
		}}
	case *Tuple:
		return sliceIter(x.Items)
	case string:
		rest := x
		return &iter{kind: "str_iterator", next: func() (Value, bool) {
			if rest == "" {
				return nil, false
			}
			_, n := utf8.DecodeRuneInString(rest)
			c := rest[:n]
			rest = rest[n:]
			return c, true
		}}
	case Bytes:
		i := 0
		return &iter{next: func() (Value, bool) {
			if i >= len(x) {
				return nil, false
			}
			i++
			return int64(x[i-1]), true
		}}
	case *Dict:
		return r.iterTable(&x.table, "dictionary")
	case *Set:
		return r.iterTable(&x.table, "Set")
	case *view:
		i, live := 0, x.d.live
		return &iter{next: func() (Value, bool) {
			if x.d.live != live {
				r.raise(excRuntime, "dictionary changed size during iteration")
			}
			for ; i < len(x.d.ents); i++ {
				if e := x.d.ents[i]; !e.dead {
					i++
					switch x.kind {
					case 'k':
						return e.key, true
					case 'v':
						return e.val, true
					}
					r.grow(48)
					return NewTuple(e.key, e.val), true
				}
			}
			return nil, false
		}}
	case *rangeVal:
		n, cur := x.len(), x.start
		return &iter{kind: "range_iterator", next: func() (Value, bool) {
			if n <= 0 {
				return nil, false
			}
			n--
			c := cur
			cur += x.step
			return c, true
		}}
	case Object:
		if o, ok := x.(Iterer); ok {
			items, err := o.Iter()
			if err != nil {
				r.hostError(err)
			}
			r.growList(len(items))
			return sliceIter(items)
		}
		if p, ok := x.(Plainer); ok {
			return r.iterate(r.plain(x, p))
		}
	}
	r.raise(excType, "'%s' object is not iterable", typeName(v))
	return nil
}

func (r *runtime) iterTable(t *table, what string) *iter {
	i, live := 0, t.live
	return &iter{kind: "dict_keyiterator", next: func() (Value, bool) {
		if t.live != live {
			r.raise(excRuntime, "%s changed size during iteration", what)
		}
		for ; i < len(t.ents); i++ {
			if !t.ents[i].dead {
				i++
				return t.ents[i-1].key, true
			}
		}
		return nil, false
	}}
}

// each calls f with every element until it returns false.
func (r *runtime) each(v Value, f func(Value) bool) {
	switch x := v.(type) {
	case *List:
		for i := 0; i < len(x.Items); i++ {
			r.step()
			if !f(x.Items[i]) {
				return
			}
		}
		return
	case *Tuple:
		for _, e := range x.Items {
			r.step()
			if !f(e) {
				return
			}
		}
		return
	}
	it := r.iterate(v)
	for {
		e, ok := it.pull(r)
		if !ok {
			return
		}
		r.step()
		if !f(e) {
			return
		}
	}
}

// slice is list(v), as a Go slice the caller may keep and change.
func (r *runtime) slice(v Value) []Value {
	switch x := v.(type) {
	case *List:
		r.growList(len(x.Items))
		return append([]Value(nil), x.Items...)
	case *Tuple:
		r.growList(len(x.Items))
		return append([]Value(nil), x.Items...)
	case *rangeVal:
		n := x.len()
		if n > int64(r.lim.Value) {
			n = int64(r.lim.Value)
		}
		r.growList(int(n))
	}
	var out []Value
	r.each(v, func(e Value) bool {
		r.growList(1)
		if len(out) > r.lim.Value/16 {
			r.grow(r.lim.Value + 1)
		}
		out = append(out, e)
		return true
	})
	return out
}
