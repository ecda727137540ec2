package tool

import (
	"context"
	"strconv"

	"orrery/internal/cheetah"
)

// rawScope gives filters the values as they are, not wrapped: numbers are numbers, text is not cleaned.
func rawScope(s *State, x JobExtras, dt Datatypes) cheetah.MapScope {
	wrap := func(d *DatasetInfo) cheetah.Value { return newDatasetValue(d, dt, s.Tool, false) }
	m := make(cheetah.MapScope, len(s.Values)+3)
	for k, v := range s.Values {
		m[k] = toCheetah(v, wrap)
	}
	m["chromInfo"], m["dbkey"], m["__input_ext"] = x.ChromInfo, x.DBKey, x.InputExt
	return m
}

// templateScope holds the names a template may use.
type templateScope struct {
	names  map[string]cheetah.Value
	tree   *State // to find names inside conditionals and sections
	inside map[string]cheetah.Value
}

// Lookup returns the value of a name.
func (s *templateScope) Lookup(name string) (cheetah.Value, bool) {
	v, ok := s.names[name]
	return v, ok
}

// inner maps the names inside conditionals and sections, first come first served: tools may use them without naming the
// group.
func (s *templateScope) inner() map[string]cheetah.Value {
	if s.inside == nil && s.tree != nil {
		s.inside = map[string]cheetah.Value{}
		var walk func(inputs []*Param, group cheetah.Value)
		walk = func(inputs []*Param, group cheetah.Value) {
			d, ok := group.(*cheetah.Dict)
			if !ok {
				return
			}
			for _, p := range inputs {
				v, ok := d.Get(p.Name)
				if !ok {
					continue
				}
				if _, taken := s.inside[p.Name]; !taken {
					s.inside[p.Name] = v
				}
				walk(insideOf(p, v), v)
			}
		}
		for _, p := range s.tree.Tool.Inputs {
			if p.Kind == KindConditional || p.Kind == KindSection {
				walk(insideOf(p, s.names[p.Name]), s.names[p.Name])
			}
		}
	}
	return s.inside
}

// insideOf lists the inputs that a conditional's or section's value holds.
func insideOf(p *Param, v cheetah.Value) []*Param {
	switch p.Kind {
	case KindSection:
		return p.Children
	case KindConditional:
		if d, ok := v.(*cheetah.Dict); ok {
			if i, ok := d.Get(currentCase); ok {
				if n, ok := i.(int64); ok {
					return append([]*Param{p.Test}, p.caseAt(int(n)).Inputs...)
				}
			}
		}
		return []*Param{p.Test}
	}
	return nil
}

// fallbackScope also finds the names inside groups.
type fallbackScope struct{ s *templateScope }

// Lookup returns the value of a name.
func (f fallbackScope) Lookup(name string) (cheetah.Value, bool) {
	if v, ok := f.s.names[name]; ok {
		return v, true
	}
	v, ok := f.s.inner()[name]
	return v, ok
}

// wrapper turns the values of a state into what templates see.
type wrapper struct {
	tool   *Tool
	dt     Datatypes
	tables DataTables
	extra  map[string]any
	root   Values
}

// values wraps the inputs of one level into a dict; extra keys such as __index__ come along.
func (w *wrapper) values(inputs []*Param, v Values, prefix string) *cheetah.Dict {
	d := cheetah.NewDict()
	for _, k := range []string{indexKey, currentCase} {
		if n, ok := v[k]; ok {
			d.Set(k, cheetah.FromGo(n))
		}
	}
	for _, p := range inputs {
		val, ok := v[p.Name]
		if !ok {
			continue
		}
		d.Set(p.Name, w.value(p, val, prefix+p.Name))
	}
	return d
}

func (w *wrapper) value(p *Param, v any, name string) cheetah.Value {
	switch p.Kind {
	case KindRepeat:
		l := cheetah.NewList()
		items, _ := v.([]Values)
		for i, e := range items {
			l.Items = append(l.Items, w.values(p.Children, e, name+"_"+strconv.Itoa(i)+"|"))
		}
		return l
	case KindSection:
		g, _ := v.(Values)
		return w.values(p.Children, g, name+"|")
	case KindConditional:
		g, _ := v.(Values)
		inputs := []*Param{p.Test}
		if i, ok := p.caseOf(g[p.Test.Name]); ok {
			inputs = append(inputs, p.caseAt(i).Inputs...)
		}
		return w.values(inputs, g, name+"|")
	case KindData, KindHiddenData:
		if p.Multiple {
			list := &datasetList{}
			items, isList := v.([]*DatasetInfo)
			if !isList {
				d, _ := v.(*DatasetInfo)
				items = []*DatasetInfo{d}
			}
			for _, d := range items {
				list.items = append(list.items, newDatasetValue(d, w.dt, w.tool, true))
			}
			return list
		}
		d, _ := v.(*DatasetInfo)
		dv := newDatasetValue(d, w.dt, w.tool, true)
		if id, ok := w.extra[name+"|__identifier__"].(string); ok && id != "" {
			dv.identifier = id
		}
		return dv
	case KindSelect, KindGenomeBuild, KindDataColumn, KindGroupTag, KindDrillDown:
		return newSelectValue(w.tool, p, v, w.fields(p, v))
	case KindText, KindInteger, KindFloat, KindBoolean, KindHidden, KindColor, KindBaseURL, KindDirectoryURI:
		return newInputValue(w.tool, p, v)
	}
	return safeValue(v)
}

// fields answers $param.fields.x: the columns of the row of a data table, or of another source, that was chosen.
func (w *wrapper) fields(p *Param, v any) func(string) (string, bool) {
	if p.Dynamic == nil {
		return nil
	}
	return func(name string) (string, bool) {
		pop := &populator{ctx: context.Background(), tool: w.tool, env: &Env{Tables: w.tables, Datatypes: w.dt}}
		columns, rows, _ := pop.optionRows(p.Dynamic, &scope{values: w.root})
		valueAt, ok := columns["value"]
		if !ok {
			return "", false
		}
		at, ok := columns[name]
		if !ok {
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 {
				return "", false
			}
			at = n
		}
		var out string
		for i, want := range texts(v) {
			for _, r := range rows {
				if valueAt < len(r) && at < len(r) && r[valueAt] == want {
					if i > 0 {
						out += separatorOf(p)
					}
					out += r[at]
					break
				}
			}
		}
		return out, true
	}
}

// labelScopeOf makes the names for labels and change_format: the wrapped inputs, tool and on_string.
func labelScopeOf(s *State, plan *OutputPlan, in PlanInput) *templateScope {
	w := &wrapper{tool: s.Tool, dt: in.Datatypes, tables: in.Tables, root: s.Values}
	names := map[string]cheetah.Value{}
	for _, p := range s.Tool.Inputs {
		if v, ok := s.Values[p.Name]; ok {
			names[p.Name] = w.value(p, v, p.Name)
		}
	}
	names["chromInfo"], names["dbkey"], names["__input_ext"] = plan.Extras.ChromInfo, plan.Extras.DBKey, plan.Extras.InputExt
	names["tool"] = toolObject{s.Tool}
	names["on_string"] = plan.OnString
	return &templateScope{names: names, tree: s}
}

// toolObject is $tool.
type toolObject struct{ t *Tool }

func (o toolObject) TypeName() string { return "Tool" }
func (o toolObject) Str() string      { return o.t.ID }
func (o toolObject) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "id":
		return o.t.ID, nil
	case "old_id":
		return o.t.OldID, nil
	case "name":
		return o.t.Name, nil
	case "version":
		return o.t.Version, nil
	case "description":
		return o.t.Description, nil
	case "profile":
		return o.t.Profile, nil
	case "tool_dir":
		return o.t.Dir, nil
	}
	return nil, cheetah.ErrNoAttr
}
