package tool

import (
	"fmt"
	"strings"

	"orrery/internal/cheetah"
)

// orderedJSON is an object whose keys keep their order.
type orderedJSON struct {
	keys   []string
	values map[string]any
}

func (o *orderedJSON) set(k string, v any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	if _, ok := o.values[k]; !ok {
		o.keys = append(o.keys, k)
	}
	o.values[k] = v
}

// unsortedJSON is json.dumps(v).
func unsortedJSON(v any) string {
	var b strings.Builder
	writeOrdered(&b, v)
	return b.String()
}

func writeOrdered(b *strings.Builder, v any) {
	switch x := v.(type) {
	case *orderedJSON:
		b.WriteByte('{')
		for i, k := range x.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSONString(b, k)
			b.WriteString(": ")
			writeOrdered(b, x.values[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			writeOrdered(b, e)
		}
		b.WriteByte(']')
	default:
		writeJSON(b, v, 0)
	}
}

// jsonInputs makes the object of a <configfiles><inputs>: the parameters as JSON, text cleaned as in the command. style
// says what becomes of datasets: "" leaves them out, "paths" gives paths, "staging_path_and_source_path" all about them.
func jsonInputs(t *Tool, scope *templateScope, style string) (*orderedJSON, error) {
	return jsonLevel(t, t.Inputs, func(name string) (cheetah.Value, bool) { v, ok := scope.names[name]; return v, ok }, style)
}

func jsonLevel(t *Tool, inputs []*Param, get func(string) (cheetah.Value, bool), style string) (*orderedJSON, error) {
	o := &orderedJSON{}
	for _, p := range inputs {
		v, ok := get(p.Name)
		if !ok {
			continue
		}
		j, skip, err := jsonInput(t, p, v, style)
		if err != nil {
			return nil, err
		}
		if !skip {
			o.set(p.Name, j)
		}
	}
	return o, nil
}

func dictGet(v cheetah.Value) func(string) (cheetah.Value, bool) {
	d, ok := v.(*cheetah.Dict)
	return func(name string) (cheetah.Value, bool) {
		if !ok {
			return nil, false
		}
		return d.Get(name)
	}
}

func jsonInput(t *Tool, p *Param, v cheetah.Value, style string) (value any, skip bool, err error) {
	switch p.Kind {
	case KindRepeat:
		out := []any{}
		if l, ok := v.(*cheetah.List); ok {
			for _, e := range l.Items {
				o, err := jsonLevel(t, p.Children, dictGet(e), style)
				if err != nil {
					return nil, false, err
				}
				out = append(out, o)
			}
		}
		return out, false, nil
	case KindSection:
		o, err := jsonLevel(t, p.Children, dictGet(v), style)
		return o, false, err
	case KindConditional:
		o, err := jsonLevel(t, insideOf(p, v)[1:], dictGet(v), style)
		if err != nil {
			return nil, false, err
		}
		if test, ok := dictGet(v)(p.Test.Name); ok {
			j, _, err := jsonInput(t, p.Test, test, style)
			if err != nil {
				return nil, false, err
			}
			o.set(p.Test.Name, j)
		}
		return o, false, nil
	case KindData, KindHiddenData:
		switch style {
		case "":
			return nil, true, nil
		case "paths":
			if l, ok := v.(*datasetList); ok {
				out := []any{}
				for _, d := range l.items {
					out = append(out, jsonPath(d))
				}
				return out, false, nil
			}
			if d, ok := v.(*datasetValue); ok {
				return jsonPath(d), false, nil
			}
		case "staging_path_and_source_path":
			if l, ok := v.(*datasetList); ok {
				out := []any{}
				for _, d := range l.items {
					out = append(out, stagedJSON(d))
				}
				return out, false, nil
			}
			if d, ok := v.(*datasetValue); ok {
				return stagedJSON(d), false, nil
			}
		}
		return nil, false, fmt.Errorf("datasets as %q are not known", style)
	}
	if sv, ok := v.(*selectValue); ok {
		return jsonSelect(t, p, sv), false, nil
	}
	iv, ok := v.(*inputValue)
	if !ok {
		return nil, false, fmt.Errorf("parameter %s of type %s cannot be given as JSON", p.Name, p.Kind)
	}
	switch p.Kind {
	case KindInteger, KindFloat:
		if iv.Str() == "" {
			return nil, false, nil
		}
		if p.Kind == KindFloat {
			f, ok := pyFloat(iv.value)
			if !ok {
				return nil, false, fmt.Errorf("parameter %s is no number", p.Name)
			}
			return f, false, nil
		}
		n, _ := pyInt(iv.value)
		return n, false, nil
	case KindBoolean:
		if p.Optional && iv.value == nil {
			return nil, false, nil
		}
		return iv.Truth(), false, nil
	}
	if p.Optional && iv.value == nil {
		return nil, false, nil
	}
	return iv.Str(), false, nil
}

func jsonPath(d *datasetValue) any {
	if d.data == nil {
		return nil
	}
	return d.Str()
}

func stagedJSON(d *datasetValue) any {
	if d.data == nil {
		return map[string]any{}
	}
	m := serializeDataset(d)
	o := &orderedJSON{}
	for _, k := range []string{"element_identifier", "ext", "staging_path", "source_path", "metadata_files"} {
		o.set(k, m[k])
	}
	return o
}

// jsonSelect is a choice: text before profile 20.05, then a list for multiple parameters and null for nothing chosen.
func jsonSelect(t *Tool, p *Param, v *selectValue) any {
	if p.Kind == KindDataColumn {
		if v.value == nil && !p.Multiple {
			return []any{nil}
		}
		out := []any{}
		for _, e := range listify(v.value) {
			if n, ok := pyInt(e); ok {
				out = append(out, n)
			}
		}
		return out
	}
	if !t.ProfileAtLeast("20.05") {
		return v.Str()
	}
	if p.Multiple {
		out := []any{}
		for _, e := range listify(v.value) {
			out = append(out, pyStr(e))
		}
		return out
	}
	if v.value == nil {
		return nil
	}
	return pyStr(v.value)
}
