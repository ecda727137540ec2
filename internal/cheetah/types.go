package cheetah

import (
	"fmt"
	"math/big"
)

// Type is a Python class: a builtin type or an exception class.
type Type struct {
	Name   string
	Parent *Type
	exc    bool
	make   native
	attrs  map[string]Value // class attributes, such as str.join
}

type kwarg struct {
	name string
	val  Value
}

type native func(r *runtime, args []Value, kw []kwarg) Value

// Builtin is a function of the engine's own, or a method bound to its value.
type Builtin struct {
	name string
	fn   native
}

// Function is a lambda or a #def.
type Function struct {
	name     string
	params   []param
	defaults []Value
	closure  *frame
	expr     node   // lambda
	body     []stmt // #def
	method   bool   // #def of the template: its own output, no outer names
}

// Module is an importable module: names to values.
type Module struct {
	Name  string
	Attrs map[string]Value
}

// Exc is a Python exception instance.
type Exc struct {
	Typ  *Type
	Args []Value
	line int
}

var (
	typNone     = &Type{Name: "NoneType"}
	typObject   = &Type{Name: "object"}
	typType     = &Type{Name: "type"}
	typInt      = &Type{Name: "int"}
	typBool     = &Type{Name: "bool", Parent: typInt}
	typFloat    = &Type{Name: "float"}
	typStr      = &Type{Name: "str"}
	typBytes    = &Type{Name: "bytes"}
	typList     = &Type{Name: "list"}
	typTuple    = &Type{Name: "tuple"}
	typDict     = &Type{Name: "dict"}
	typSet      = &Type{Name: "set"}
	typFrozen   = &Type{Name: "frozenset"}
	typRange    = &Type{Name: "range"}
	typFunction = &Type{Name: "function"}
	typBuiltin  = &Type{Name: "builtin_function_or_method"}
	typModule   = &Type{Name: "module"}
	typIter     = &Type{Name: "iterator"}
	typSlice    = &Type{Name: "slice"}
	typOrdered  = &Type{Name: "OrderedDict", Parent: typDict}
	typDefault  = &Type{Name: "defaultdict", Parent: typDict}
	typCounter  = &Type{Name: "Counter", Parent: typDict}
	typPattern  = &Type{Name: "re.Pattern"}
	typMatch    = &Type{Name: "re.Match"}
)

var excTypes = map[string]*Type{}

// aliases of Python 2
var _ = func() bool {
	excTypes["IOError"], excTypes["EnvironmentError"], excTypes["StandardError"] = excOS, excOS, excException
	return true
}()

func newExc(name string, parent *Type) *Type {
	t := &Type{Name: name, Parent: parent, exc: true}
	t.make = func(r *runtime, args []Value, kw []kwarg) Value {
		return &Exc{Typ: t, Args: append([]Value(nil), args...)}
	}
	excTypes[name] = t
	return t
}

var (
	excBase         = newExc("BaseException", nil)
	excException    = newExc("Exception", excBase)
	_               = newExc("SystemExit", excBase)
	excArithmetic   = newExc("ArithmeticError", excException)
	excZeroDivision = newExc("ZeroDivisionError", excArithmetic)
	excOverflow     = newExc("OverflowError", excArithmetic)
	_               = newExc("FloatingPointError", excArithmetic)
	excAssertion    = newExc("AssertionError", excException)
	excAttribute    = newExc("AttributeError", excException)
	excImport       = newExc("ImportError", excException)
	_               = newExc("ModuleNotFoundError", excImport)
	excLookup       = newExc("LookupError", excException)
	excIndex        = newExc("IndexError", excLookup)
	excKey          = newExc("KeyError", excLookup)
	excNotFound     = newExc("NotFound", excLookup)
	excName         = newExc("NameError", excException)
	_               = newExc("UnboundLocalError", excName)
	excOS           = newExc("OSError", excException)
	_               = newExc("FileNotFoundError", excOS)
	excPermission   = newExc("PermissionError", excOS)
	excRuntime      = newExc("RuntimeError", excException)
	excRecursion    = newExc("RecursionError", excRuntime)
	_               = newExc("NotImplementedError", excRuntime)
	excStop         = newExc("StopIteration", excException)
	excType         = newExc("TypeError", excException)
	excValue        = newExc("ValueError", excException)
	excUnicode      = newExc("UnicodeError", excValue)
	excUnicodeDec   = newExc("UnicodeDecodeError", excUnicode)
	excUnicodeEnc   = newExc("UnicodeEncodeError", excUnicode)
	excSyntax       = newExc("SyntaxError", excException)
	_               = newExc("Warning", excException)
	_               = newExc("MemoryError", excException)
	_               = newExc("EOFError", excException)
	excReError      = &Type{Name: "re.error", Parent: excException, exc: true}
	excJSON         = &Type{Name: "json.decoder.JSONDecodeError", Parent: excValue, exc: true}
)

func (t *Type) isA(other *Type) bool {
	for c := t; c != nil; c = c.Parent {
		if c == other {
			return true
		}
	}
	return other == typObject
}

// raise raises a Python exception with a message.
func (r *runtime) raise(t *Type, format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	r.throw(&Exc{Typ: t, Args: []Value{msg}})
}

func (r *runtime) throw(e *Exc) {
	r.step()
	if e.line == 0 {
		e.line = r.line
	}
	panic(e)
}

func typeOf(v Value) *Type {
	switch x := v.(type) {
	case nil:
		return typNone
	case bool:
		return typBool
	case int64, *big.Int:
		return typInt
	case float64:
		return typFloat
	case string:
		return typStr
	case Bytes:
		return typBytes
	case *List:
		return typList
	case *Tuple:
		return typTuple
	case *Dict:
		if x.typ != nil {
			return x.typ
		}
		return typDict
	case *Set:
		if x.frozen {
			return typFrozen
		}
		return typSet
	case *rangeVal:
		return typRange
	case *Type:
		return typType
	case *Function:
		return typFunction
	case *Builtin, *HostFunc:
		return typBuiltin
	case *Module:
		return typModule
	case *Exc:
		return x.Typ
	case *view:
		return &Type{Name: map[byte]string{'k': "dict_keys", 'v': "dict_values", 'i': "dict_items"}[x.kind]}
	case *iter:
		if x.kind != "" {
			return &Type{Name: x.kind}
		}
		return typIter
	case *pattern:
		return typPattern
	case *match:
		return typMatch
	case *sliceVal:
		return typSlice
	case Object:
		return &Type{Name: x.TypeName()}
	}
	return typObject
}

func typeName(v Value) string { return typeOf(v).Name }
