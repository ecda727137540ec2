package tool

import (
	"context"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"orrery/internal/cheetah"
)

// paramText is a parameter's value as a command sees it: sanitized, true or false value, choices joined.
func paramText(par *Param, v any) string { return paramTextOf(nil, par, v) }

func paramTextOf(t *Tool, par *Param, v any) string {
	clean := func(s string) string {
		if t == nil {
			return paramChars.clean(s)
		}
		return t.sanitizeParam(par, s)
	}
	switch par.Kind {
	case KindBoolean:
		var on bool
		if par.Optional {
			on = asOptionalBool(v) == true
		} else {
			on = asBool(v)
		}
		if on {
			return par.TrueValue
		}
		return par.FalseValue
	case KindSelect, KindGenomeBuild, KindDataColumn, KindGroupTag:
		l, isList := v.([]any)
		if v == nil || isList && len(l) == 0 {
			return "None"
		}
		if !isList {
			return clean(pyStr(v))
		}
		parts := make([]string, len(l))
		for i, e := range l {
			parts[i] = clean(pyStr(e))
		}
		return strings.Join(parts, separatorOf(par))
	case KindDrillDown:
		return drillText(par, v, clean)
	case KindColor:
		s := pyStr(v)
		if !par.RGB {
			return guard(s)
		}
		return rgbText(s)
	case KindData, KindHiddenData:
		if d, ok := v.(*DatasetInfo); ok && d != nil {
			return d.Path
		}
		return "None"
	}
	if v == nil {
		return clean("")
	}
	return clean(pyStr(v))
}

func separatorOf(par *Param) string {
	if par.Separator == "" {
		return ","
	}
	return par.Separator
}

// rgbText is a color such as "#ff0011" as "(255, 0, 17)".
func rgbText(s string) string {
	h := strings.TrimLeft(s, "#")
	if len(h) < 6 {
		return "(0, 0, 0)"
	}
	var rgb [3]uint64
	for i := range rgb {
		n, err := strconv.ParseUint(h[2*i:2*i+2], 16, 8)
		if err != nil {
			return "(0, 0, 0)"
		}
		rgb[i] = n
	}
	return fmt.Sprintf("(%d, %d, %d)", rgb[0], rgb[1], rgb[2])
}

// drillText joins the choices of a drill_down; with hierarchy="recurse" a choice stands for the leaves below it.
func drillText(par *Param, v any, clean func(string) string) string {
	l, ok := v.([]any)
	if v == nil {
		return "None"
	}
	if !ok {
		l = []any{v}
	}
	var out []string
	seen := map[string]bool{}
	var find func([]*DrillOption, string) *DrillOption
	find = func(options []*DrillOption, value string) *DrillOption {
		for _, o := range options {
			if o.Value == value {
				return o
			}
			if f := find(o.Options, value); f != nil {
				return f
			}
		}
		return nil
	}
	var leaves func(*DrillOption)
	add := func(s string) {
		if par.Hierarchy != "recurse" || !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	leaves = func(o *DrillOption) {
		if len(o.Options) == 0 {
			add(o.Value)
		}
		for _, c := range o.Options {
			leaves(c)
		}
	}
	for _, e := range l {
		s := pyStr(e)
		if o := find(par.DrillDown, s); par.Hierarchy == "recurse" && o != nil {
			leaves(o)
		} else {
			add(s)
		}
	}
	return clean(strings.Join(out, separatorOf(par)))
}

// displayText is a parameter's value as people read it.
func displayText(par *Param, v any) string {
	switch par.Kind {
	case KindSelect, KindGenomeBuild, KindDataColumn, KindGroupTag:
		l, ok := v.([]any)
		if !ok {
			l = []any{v}
		}
		var lines []string
		if par.isDynamic() {
			for _, e := range l {
				lines = append(lines, pyStr(e))
			}
		} else {
			for _, o := range par.Options {
				for _, e := range l {
					if s, ok := e.(string); ok && s == o.Value {
						lines = append(lines, o.Text)
						break
					}
				}
			}
		}
		if len(lines) > 0 {
			return strings.Join(lines, "\n")
		}
		return "Nothing selected."
	case KindDrillDown:
		l, ok := v.([]any)
		if !ok && pyTruth(v) {
			l = []any{v}
		}
		var lines []string
		var find func([]*DrillOption, string) string
		find = func(options []*DrillOption, value string) string {
			for _, o := range options {
				if o.Value == value {
					return o.Name
				}
				if n := find(o.Options, value); n != "" {
					return n
				}
			}
			return ""
		}
		for _, e := range l {
			name := find(par.DrillDown, pyStr(e))
			if name == "" {
				name = "None"
			}
			lines = append(lines, name)
		}
		if len(lines) > 0 {
			return strings.Join(lines, "\n")
		}
		return "Nothing selected."
	case KindData, KindHiddenData:
		var parts []string
		for _, d := range datasetsOf(v) {
			if d != nil {
				parts = append(parts, fmt.Sprintf("%d: %s", d.HID, d.Name))
			}
		}
		if len(parts) > 0 {
			return strings.Join(parts, ", ")
		}
		return "No dataset."
	case KindDataCollection:
		return "No dataset collection."
	}
	if v == nil {
		return "Not available."
	}
	if s := pyStr(v); s != "" {
		return s
	}
	return "Empty."
}

// safeText is text that prints cleaned but compares as it is.
type safeText struct {
	raw   string
	clean func(string) string
}

func newSafeText(s string) cheetah.Value {
	if textChars.clean(s) == s {
		return s // nothing in it to clean: plain text
	}
	return &safeText{raw: s, clean: textChars.clean}
}

func (s *safeText) TypeName() string     { return "str" }
func (s *safeText) Str() string          { return s.clean(s.raw) }
func (s *safeText) Repr() string         { return cheetah.Repr(s.Str()) }
func (s *safeText) Plain() cheetah.Value { return s.Str() }
func (s *safeText) Truth() bool          { return s.raw != "" }
func (s *safeText) Len() int             { return len([]rune(s.raw)) }
func (s *safeText) HashKey() any         { return s.raw }
func (s *safeText) Contains(v cheetah.Value) bool {
	return strings.Contains(s.raw, rawText(v))
}
func (s *safeText) Equal(o cheetah.Value) bool {
	switch x := o.(type) {
	case string:
		return x == s.raw
	case *safeText:
		return x.raw == s.raw
	}
	return false
}

func rawText(v cheetah.Value) string {
	if s, ok := v.(*safeText); ok {
		return s.raw
	}
	return cheetah.Str(v)
}

// safeValue wraps plain data for templates: all text in it prints cleaned.
func safeValue(v any) cheetah.Value {
	switch x := v.(type) {
	case string:
		return newSafeText(x)
	case []any:
		l := cheetah.NewList()
		for _, e := range x {
			l.Items = append(l.Items, safeValue(e))
		}
		return l
	case map[string]any:
		d := cheetah.NewDict()
		for _, k := range sortedKeys(x) {
			d.Set(textChars.clean(k), safeValue(x[k]))
		}
		return d
	}
	return cheetah.FromGo(v)
}

// inputValue is a text, integer, float, boolean, hidden or color parameter in a template.
type inputValue struct {
	tool  *Tool
	param *Param
	value any
}

func newInputValue(t *Tool, par *Param, v any) *inputValue {
	if v == nil && par.Kind == KindText && par.Optional && par.OptionalInferred && !t.ProfileAtLeast("23.0") {
		v = ""
	}
	return &inputValue{t, par, v}
}

func (w *inputValue) TypeName() string { return "InputValueWrapper" }
func (w *inputValue) Str() string      { return paramTextOf(w.tool, w.param, w.value) }
func (w *inputValue) Truth() bool      { return pyTruth(w.value) }
func (w *inputValue) Iter() ([]cheetah.Value, error) {
	return []cheetah.Value{w.Str()}, nil
}
func (w *inputValue) Contains(v cheetah.Value) bool { return cheetah.Str(v) == w.Str() }

// Plain is the number or text that arithmetic and comparison work on.
func (w *inputValue) Plain() cheetah.Value {
	if w.value == nil && w.param.Optional {
		return nil
	}
	switch w.param.Kind {
	case KindInteger:
		if f, ok := pyFloat(w.value); ok {
			if n, isInt := w.value.(*big.Int); isInt {
				return n
			}
			n, _ := pyInt(f)
			if exact, ok := w.value.(int64); ok {
				return exact
			}
			return n
		}
	case KindFloat:
		if f, ok := pyFloat(w.value); ok {
			return f
		}
	case KindBoolean:
		return pyTruth(w.value)
	}
	return w.Str()
}

// Equal compares as the parameter's type: numbers with numbers, booleans also with their true and false values.
func (w *inputValue) Equal(o cheetah.Value) bool {
	if other, ok := o.(*inputValue); ok {
		o = other.Plain()
	}
	if other, ok := o.(*selectValue); ok {
		o = other.Str()
	}
	s, isText := o.(string)
	if st, ok := o.(*safeText); ok {
		s, isText = st.raw, true
	}
	if w.param.Kind == KindBoolean && isText {
		if s == w.param.TrueValue || s == w.param.FalseValue {
			return w.Str() == s
		}
		return pyTruth(w.value) == asBool(s)
	}
	if w.param.Optional && w.value == nil {
		if isText {
			return w.Str() == s
		}
		return o == nil
	}
	switch w.param.Kind {
	case KindInteger, KindFloat:
		a, ok := pyFloat(w.value)
		b, number := pyFloat(o)
		return ok && !isText && number && a == b
	case KindBoolean:
		b, number := pyFloat(o)
		return number && (b == 1) == pyTruth(w.value) && (b == 0 || b == 1)
	}
	return isText && w.Str() == s
}

// Attr gives value, and what else tools ask of a parameter.
func (w *inputValue) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "value":
		if s, ok := w.value.(string); ok {
			if clean := w.tool.sanitizeParam(w.param, s); clean != s {
				return &safeText{raw: s, clean: func(s string) string { return w.tool.sanitizeParam(w.param, s) }}, nil
			}
		}
		return cheetah.FromGo(w.value), nil
	case "input":
		return paramObject{w.param}, nil
	case "get_display_text":
		return displayFunc(w.param, w.value), nil
	}
	return nil, cheetah.ErrNoAttr
}

// displayFunc is get_display_text(quote=True).
func displayFunc(par *Param, v any) *cheetah.HostFunc {
	return cheetah.Func("get_display_text", func(_ context.Context, args []cheetah.Value, kw map[string]cheetah.Value) (cheetah.Value, error) {
		text := displayText(par, v)
		quote := cheetah.Value(true)
		if len(args) > 0 {
			quote = args[0]
		}
		if q, ok := kw["quote"]; ok {
			quote = q
		}
		if cheetah.Truth(quote) {
			return shellQuote(text), nil
		}
		return newSafeText(text), nil
	})
}

// shellQuote makes one word of a POSIX shell out of any text.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, letters+digits+"@%+=:,./-_") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// paramObject shows the definition of a parameter.
type paramObject struct{ param *Param }

func (p paramObject) TypeName() string { return "ToolParameter" }
func (p paramObject) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "name":
		return p.param.Name, nil
	case "label":
		return p.param.Label, nil
	case "type":
		return string(p.param.Kind), nil
	case "optional":
		return p.param.Optional, nil
	case "multiple":
		return p.param.Multiple, nil
	case "separator":
		return separatorOf(p.param), nil
	case "is_dynamic":
		return p.param.isDynamic(), nil
	case "display":
		if p.param.Display == "" {
			return nil, nil
		}
		return p.param.Display, nil
	case "truevalue":
		return p.param.TrueValue, nil
	case "falsevalue":
		return p.param.FalseValue, nil
	}
	return nil, cheetah.ErrNoAttr
}

// selectValue is a select, genomebuild, data_column, group_tag or drill_down parameter in a template.
type selectValue struct {
	tool   *Tool
	param  *Param
	value  any
	fields func(name string) (string, bool) // of the chosen row of dynamic options
}

func newSelectValue(t *Tool, par *Param, v any, fields func(string) (string, bool)) *selectValue {
	if par.Multiple {
		l := listify(v)
		if l == nil {
			l = []any{}
		}
		v = l
	}
	return &selectValue{t, par, v, fields}
}

func (w *selectValue) TypeName() string     { return "SelectToolParameterWrapper" }
func (w *selectValue) Str() string          { return paramTextOf(w.tool, w.param, w.value) }
func (w *selectValue) Truth() bool          { return pyTruth(w.value) }
func (w *selectValue) Plain() cheetah.Value { return w.Str() }

// Equal compares text; nothing chosen equals "" too.
func (w *selectValue) Equal(o cheetah.Value) bool {
	var s string
	switch x := o.(type) {
	case string:
		s = x
	case *safeText:
		s = x.raw
	case *inputValue:
		s = x.Str()
	case *selectValue:
		return x == w || x.Str() == w.Str()
	default:
		return false
	}
	if s == "" {
		if l, ok := w.value.([]any); w.value == nil || ok && len(l) == 0 {
			return true
		}
	}
	return w.Str() == s
}

// Iter gives the values chosen of a multiple parameter.
func (w *selectValue) Iter() ([]cheetah.Value, error) {
	if !w.param.Multiple {
		return nil, &cheetah.RaiseError{Type: "Exception", Msg: "Tried to iterate over a non-multiple parameter."}
	}
	l := listify(w.value)
	out := make([]cheetah.Value, len(l))
	for i, v := range l {
		out[i] = guard(pyStr(v))
	}
	return out, nil
}

// Contains tells whether a value is chosen.
func (w *selectValue) Contains(v cheetah.Value) bool {
	s := cheetah.Str(v)
	if !w.param.Multiple {
		return strings.Contains(w.Str(), s)
	}
	for _, e := range listify(w.value) {
		if pyStr(e) == s {
			return true
		}
	}
	return false
}

// Attr gives value, value_label, fields and the attributes of the parameter.
func (w *selectValue) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "value":
		if l, ok := w.value.([]any); ok {
			out := cheetah.NewList()
			for _, v := range l {
				out.Items = append(out.Items, guardValue(v))
			}
			return out, nil
		}
		return guardValue(w.value), nil
	case "value_label":
		return guard(displayText(w.param, w.value)), nil
	case "fields":
		return selectFields{w}, nil
	case "input":
		return paramObject{w.param}, nil
	case "get_display_text":
		return displayFunc(w.param, w.value), nil
	}
	return paramObject{w.param}.Attr(name)
}

func guardValue(v any) cheetah.Value {
	if s, ok := v.(string); ok {
		return guard(s)
	}
	return cheetah.FromGo(v)
}

// selectFields is $param.fields: the columns of the chosen row.
type selectFields struct{ w *selectValue }

func (f selectFields) TypeName() string { return "SelectToolParameterFieldWrapper" }
func (f selectFields) Attr(name string) (cheetah.Value, error) {
	if f.w.fields != nil {
		if s, ok := f.w.fields(name); ok {
			return guard(s), nil
		}
	}
	return nil, cheetah.ErrNoAttr
}
