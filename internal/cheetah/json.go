package cheetah

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
)

func isNoAttr(err error) bool {
	var re *RaiseError
	return errors.Is(err, ErrNoAttr) || errors.As(err, &re) && re.Type == "AttributeError"
}

func pointerText(k any) string { return fmt.Sprintf("%T%p", k, k) }

type jsonWriter struct {
	r        *runtime
	b        strings.Builder
	indent   string
	pretty   bool
	item     string
	key      string
	sortKeys bool
	ascii    bool
	def      Value
}

func jsonModule() *Module {
	dumps := func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("dumps", args, kw, 1, "obj", "indent", "separators", "sort_keys", "ensure_ascii", "default", "skipkeys", "allow_nan", "cls", "check_circular")
		w := &jsonWriter{r: r, item: ", ", key: ": ", ascii: true}
		if given(a[1]) && a[1] != nil {
			w.pretty, w.item = true, ","
			if s, ok := a[1].(string); ok {
				w.indent = s
			} else {
				w.indent = strings.Repeat(" ", int(max(0, min(r.needInt("dumps", a[1]), 100))))
			}
		}
		if given(a[2]) && a[2] != nil {
			sep := r.slice(a[2])
			if len(sep) != 2 {
				r.raise(excValue, "separators must be a pair")
			}
			w.item, w.key = r.needStr("dumps", sep[0]), r.needStr("dumps", sep[1])
		}
		w.sortKeys = given(a[3]) && truth(a[3])
		if given(a[4]) {
			w.ascii = truth(a[4])
		}
		if given(a[5]) {
			w.def = a[5]
		}
		w.write(a[0], 0)
		return w.b.String()
	}
	loads := func(r *runtime, args []Value, kw []kwarg) Value {
		a := r.args("loads", args, kw, 1, "s", "object_pairs_hook", "object_hook", "parse_float", "parse_int")
		return r.jsonLoads(r.needStr("the JSON object must be str, bytes or bytearray", a[0]))
	}
	m := &Module{Name: "json", Attrs: fnAttrs(map[string]native{"dumps": dumps, "loads": loads})}
	m.Attrs["JSONDecodeError"] = excJSON
	return m
}

func (w *jsonWriter) put(s string) {
	if w.b.Len()+len(s) > w.r.lim.Value {
		w.r.grow(w.b.Len() + len(s))
	}
	w.r.grow(len(s))
	w.b.WriteString(s)
}

func (w *jsonWriter) line(depth int) {
	if w.pretty {
		w.put("\n" + strings.Repeat(w.indent, depth))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatRepr(f)
}

func (w *jsonWriter) write(v Value, depth int) {
	r := w.r
	r.step()
	if depth > maxDataDepth {
		r.raise(excRecursion, "maximum recursion depth exceeded while encoding a JSON object")
	}
	switch x := v.(type) {
	case nil:
		w.put("null")
	case bool:
		w.put(strconv.FormatBool(x))
	case int64:
		w.put(strconv.FormatInt(x, 10))
	case *big.Int:
		w.put(r.bigText(x, 10))
	case float64:
		w.put(jsonFloat(x))
	case string:
		w.put(jsonQuote(x, w.ascii))
	case *List:
		w.list(x.Items, depth)
	case *Tuple:
		w.list(x.Items, depth)
	case *Dict:
		w.dict(x, depth)
	default:
		if w.def != nil {
			w.write(r.call(w.def, []Value{v}, nil), depth+1)
			return
		}
		if o, ok := v.(Object); ok {
			if p, ok := v.(Plainer); ok {
				w.write(r.plain(o, p), depth+1)
				return
			}
		}
		r.raise(excType, "Object of type %s is not JSON serializable", typeName(v))
	}
}

func (w *jsonWriter) list(items []Value, depth int) {
	if len(items) == 0 {
		w.put("[]")
		return
	}
	w.put("[")
	for i, e := range items {
		if i > 0 {
			w.put(w.item)
		}
		w.line(depth + 1)
		w.write(e, depth+1)
	}
	w.line(depth)
	w.put("]")
}

func (w *jsonWriter) dict(d *Dict, depth int) {
	if d.live == 0 {
		w.put("{}")
		return
	}
	type kv struct {
		k string
		v Value
	}
	var items []kv
	for _, e := range d.ents {
		if e.dead {
			continue
		}
		k := ""
		switch x := e.key.(type) {
		case string:
			k = x
		case nil:
			k = "null"
		case bool:
			k = strconv.FormatBool(x)
		case int64, *big.Int:
			k = w.r.str(x)
		case float64:
			k = jsonFloat(x)
		default:
			w.r.raise(excType, "keys must be str, int, float, bool or None, not %s", typeName(x))
		}
		w.r.grow(32)
		items = append(items, kv{k, e.val})
	}
	if w.sortKeys {
		sort.SliceStable(items, func(i, j int) bool { return items[i].k < items[j].k })
	}
	w.put("{")
	for i, e := range items {
		if i > 0 {
			w.put(w.item)
		}
		w.line(depth + 1)
		w.put(jsonQuote(e.k, w.ascii) + w.key)
		w.write(e.v, depth+1)
	}
	w.line(depth)
	w.put("}")
}

func jsonQuote(s string, ascii bool) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < ' ' || ascii && c > 0x7e && c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		case ascii && c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (r *runtime) jsonLoads(s string) Value {
	r.grow(len(s))
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.UseNumber()
	fail := func(err error) {
		r.throw(&Exc{Typ: excJSON, Args: []Value{"not valid JSON: " + err.Error()}})
	}
	v, err := r.jsonValue(dec, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the text ends too early")
		}
		fail(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		fail(errors.New("extra data behind the value"))
	}
	return v
}

func (r *runtime) jsonValue(dec *json.Decoder, depth int) (Value, error) {
	r.step()
	if depth > maxDataDepth {
		r.raise(excRecursion, "maximum recursion depth exceeded while decoding a JSON object")
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Number:
		return jsonNumber(string(t)), nil
	case string:
		return r.keep(t), nil
	case json.Delim:
		if t == '[' {
			l := &List{}
			for dec.More() {
				v, err := r.jsonValue(dec, depth+1)
				if err != nil {
					return nil, err
				}
				r.growList(1)
				l.Items = append(l.Items, v)
			}
			_, err := dec.Token()
			return l, err
		}
		d := NewDict()
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := r.jsonValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			d.set(r, k.(string), v)
		}
		_, err := dec.Token()
		return d, err
	}
	return tok, nil // nil, bool
}
