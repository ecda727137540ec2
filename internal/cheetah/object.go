package cheetah

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strings"
)

// Object is a value of the caller's own, such as the wrapper around a tool's
// parameter or dataset. TypeName is what error messages and type() call it.
// What else it can do is said by implementing the interfaces below; whatever
// it does not implement falls back to the value Plainer gives, if any.
type Object interface{ TypeName() string }

// ErrNoAttr is what Attr returns (or wraps) for a name it does not have.
var ErrNoAttr = errors.New("no such attribute")

// ErrNoKey is what Item returns (or wraps) for a key it does not have: a
// KeyError in the template.
var ErrNoKey = errors.New("no such key")

type (
	// Attrer has attributes: x.name, $x.name.
	Attrer interface {
		Attr(name string) (Value, error)
	}
	// AttrSetter takes assignments: #set $x.name = v.
	AttrSetter interface {
		SetAttr(name string, v Value) error
	}
	// Itemer is indexed: x[key]. Slices arrive on the plain value only.
	Itemer interface {
		Item(key Value) (Value, error)
	}
	// ItemSetter takes x[key] = v.
	ItemSetter interface {
		SetItem(key, v Value) error
	}
	// Iterer is looped over.
	Iterer interface {
		Iter() ([]Value, error)
	}
	// Lener has a length.
	Lener interface{ Len() int }
	// Strer is what str(x) and $x print.
	Strer interface{ Str() string }
	// Reprer is what repr(x) gives; without it Python's <Name object>.
	Reprer interface{ Repr() string }
	// Truther decides «if x»; without it Len, then the plain value, then true.
	Truther interface{ Truth() bool }
	// Caller is called: x(…). Unlike a HostFunc, $x alone does not call it.
	Caller interface {
		Call(ctx context.Context, args []Value, kwargs map[string]Value) (Value, error)
	}
	// Equaler decides x == other, from either side.
	Equaler interface{ Equal(other Value) bool }
	// Container decides «key in x»; without it the plain value, then Iter.
	Container interface{ Contains(key Value) bool }
	// Hashable lets the object be a key: HashKey returns a string, an int64
	// or another comparable Go value; equal keys are equal objects.
	Hashable interface{ HashKey() any }
	// Plainer gives the plain value (a string, say) that stands in wherever the
	// object itself has no answer: arithmetic, comparison, int(x), methods.
	Plainer interface{ Plain() Value }
)

// HostFunc is a Go function callable from templates.
type HostFunc struct {
	Name string
	Fn   func(ctx context.Context, args []Value, kwargs map[string]Value) (Value, error)
}

// Func makes a callable out of a Go function. As with Python functions, a
// bare $name calls it without arguments.
func Func(name string, fn func(ctx context.Context, args []Value, kwargs map[string]Value) (Value, error)) *HostFunc {
	return &HostFunc{Name: name, Fn: fn}
}

// RaiseError is returned by host functions and objects to raise a Python
// exception of a named type ("ValueError") that templates can catch.
type RaiseError struct{ Type, Msg string }

func (e *RaiseError) Error() string { return e.Type + ": " + e.Msg }

// hostError raises what a host function returned.
func (r *runtime) hostError(err error) {
	var re *RaiseError
	var le *limitError
	switch {
	case errors.As(err, &re):
		t := excTypes[re.Type]
		if t == nil {
			t = excException
		}
		r.throw(&Exc{Typ: t, Args: []Value{re.Msg}})
	case errors.As(err, &le):
		panic(le)
	case errors.Is(err, ErrNoKey):
		r.throw(&Exc{Typ: excKey, Args: []Value{err.Error()}})
	case errors.Is(err, ErrNoAttr):
		r.throw(&Exc{Typ: excAttribute, Args: []Value{err.Error()}})
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		panic(&limitError{kind: "Timeout", msg: err.Error()})
	}
	r.throw(&Exc{Typ: excRuntime, Args: []Value{err.Error()}})
}

// FromGo turns Go data (maps, slices, numbers, strings, JSON numbers, structs
// by way of their JSON form) into Values. Maps with string keys come out with
// their keys sorted. Values, Objects and functions pass unchanged. What has no
// meaning as data (channels, …) becomes its printed form.
func FromGo(v any) Value { return fromGo(v, 0) }

func fromGo(v any, depth int) Value {
	if depth > maxDataDepth {
		return nil
	}
	switch x := v.(type) {
	case nil, bool, int64, float64, string, Bytes, *List, *Tuple, *Dict, *Set, Object, *HostFunc, *Type, *Builtin, *Function, *Module:
		return x
	case *big.Int:
		if x == nil {
			return nil
		}
		return normBig(x)
	case int:
		return int64(x)
	case json.Number:
		return jsonNumber(string(x))
	case json.RawMessage:
		var any_ any
		d := json.NewDecoder(strings.NewReader(string(x)))
		d.UseNumber()
		if d.Decode(&any_) != nil {
			return string(x)
		}
		return fromGo(any_, depth+1)
	case map[string]any:
		d := NewDict()
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			d.put(k, k, fromGo(x[k], depth+1))
		}
		return d
	case []any:
		l := &List{Items: make([]Value, len(x))}
		for i, e := range x {
			l.Items[i] = fromGo(e, depth+1)
		}
		return l
	case []byte:
		return Bytes(x)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Bool:
		return rv.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := rv.Uint(); u <= math.MaxInt64 {
			return int64(u)
		}
		return new(big.Int).SetUint64(rv.Uint())
	case reflect.Float32, reflect.Float64:
		return rv.Float()
	case reflect.String:
		return rv.String()
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return nil
		}
		if rv.Elem().Kind() != reflect.Struct {
			return fromGo(rv.Elem().Interface(), depth+1)
		}
	case reflect.Slice, reflect.Array:
		l := &List{Items: make([]Value, rv.Len())}
		for i := range l.Items {
			l.Items[i] = fromGo(rv.Index(i).Interface(), depth+1)
		}
		return l
	case reflect.Map:
		d := NewDict()
		keys := rv.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
		for _, k := range keys {
			d.Set(fromGo(k.Interface(), depth+1), fromGo(rv.MapIndex(k).Interface(), depth+1))
		}
		return d
	}
	if b, err := json.Marshal(v); err == nil {
		return fromGo(json.RawMessage(b), depth+1)
	}
	return fmt.Sprint(v)
}

func jsonNumber(s string) Value {
	if !strings.ContainsAny(s, ".eE") && len(s) <= maxIntDigits {
		if n, ok := new(big.Int).SetString(s, 10); ok {
			return normBig(n)
		}
	}
	return parseFloat(s)
}
