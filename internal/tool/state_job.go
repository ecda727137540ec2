package tool

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"orrery/internal/galaxy"
)

// JobParameter is a row of job_parameter. A nil Value is SQL's NULL.
type JobParameter struct {
	Name  string
	Value *string
}

// JobInput is a row of job_to_input_dataset. A nil Dataset is the row, with no dataset in it, that Galaxy keeps for an
// optional input that was not given.
type JobInput struct {
	Name    string
	Dataset *DatasetInfo
}

// JobExtras are the parameters that Galaxy stores with each job beside the tool's own.
type JobExtras struct {
	ChromInfo string // path of the file with the lengths of the build's chromosomes
	DBKey     string // of the last input that has one; "?" when none does
	InputExt  string // see InputExtension
}

// Parameters gives the job's rows in Galaxy's order and form: those of the tool's inputs, then chromInfo, dbkey and
// __input_ext.
func (s *State) Parameters(x JobExtras) []JobParameter {
	out := make([]JobParameter, 0, len(s.Values)+3)
	done := map[string]bool{}
	for _, p := range s.Tool.Inputs {
		v, ok := s.Values[p.Name]
		if !ok || done[p.Name] {
			continue
		}
		done[p.Name] = true
		if p.Name == "dbkey" { // the tool's own parameter of that name holds the build
			v = x.DBKey
		}
		out = append(out, jobParameter(p.Name, basicValue(p, v, nil)))
	}
	for _, k := range sortedKeys(s.Values) { // a data source tool's unchecked values
		if !done[k] && k != "chromInfo" && k != "dbkey" && k != "__input_ext" {
			out = append(out, jobParameter(k, s.Values[k]))
		}
	}
	for _, in := range s.Inputs() {
		if d := in.Dataset; d != nil && d.ElementIdentifier != "" {
			out = append(out, jobParameter(in.Name+"|__identifier__", d.ElementIdentifier))
		}
	}
	out = append(out, jobParameter("chromInfo", x.ChromInfo))
	if !done["dbkey"] {
		out = append(out, jobParameter("dbkey", x.DBKey))
	}
	return append(out, jobParameter("__input_ext", x.InputExt))
}

func jobParameter(name string, v any) JobParameter {
	if v == nil {
		return JobParameter{Name: name}
	}
	s := pyJSON(v)
	return JobParameter{Name: name, Value: &s}
}

// basicValue is a value in the plain form that is stored: numbers as text, datasets as {"values": [{"id", "src"}]}. With
// ids the datasets' ids are encoded, for the API.
func basicValue(p *Param, v any, ids IDCodec) any {
	switch p.Kind {
	case KindRepeat:
		l, _ := v.([]Values)
		out := make([]any, 0, len(l))
		for _, e := range l {
			m := basicGroup(p.Children, e, ids)
			if i, ok := e[indexKey]; ok {
				m[indexKey] = i
			}
			out = append(out, m)
		}
		return out
	case KindSection:
		g, _ := v.(Values)
		return basicGroup(p.Children, g, ids)
	case KindConditional:
		g, _ := v.(Values)
		test := g[p.Test.Name]
		var inputs []*Param
		i, ok := p.caseOf(test)
		if ok {
			inputs = p.caseAt(i).Inputs
		}
		m := basicGroup(inputs, g, ids)
		if ok {
			m[currentCase] = int64(i)
		}
		m[p.Test.Name] = basicValue(p.Test, test, ids)
		return m
	case KindBoolean:
		if p.Optional {
			return asOptionalBool(v)
		}
		return asBool(v)
	case KindSelect, KindGenomeBuild, KindGroupTag, KindDrillDown:
		if d, ok := v.(*DatasetInfo); ok && d != nil {
			return datasetID(d, ids)
		}
		return v
	case KindDataColumn:
		if s, ok := v.(string); ok {
			return strings.TrimSpace(s)
		}
		return v
	case KindData, KindHiddenData, KindDataCollection:
		list := datasetsOf(v)
		if len(list) == 0 {
			return nil
		}
		values := make([]any, 0, len(list))
		for _, d := range list {
			if d != nil {
				values = append(values, datasetID(d, ids))
			}
		}
		return map[string]any{"values": values}
	case KindRules, KindUploadDataset, KindFile, KindFTPFile:
		return v
	}
	if v == nil {
		return nil
	}
	return pyStr(v)
}

func basicGroup(inputs []*Param, g Values, ids IDCodec) map[string]any {
	m := make(map[string]any, len(inputs)+1)
	for _, p := range inputs {
		if v, ok := g[p.Name]; ok {
			m[p.Name] = basicValue(p, v, ids)
		}
	}
	return m
}

func datasetID(d *DatasetInfo, ids IDCodec) map[string]any {
	if ids == nil {
		return map[string]any{"id": d.ID, "src": d.src()}
	}
	return map[string]any{"id": ids.Encode(d.ID), "src": d.src()}
}

// Basic gives the state in plain form with encoded ids: the API's state_inputs.
func (s *State) Basic(ids IDCodec) map[string]any {
	m := make(map[string]any, len(s.Values))
	for _, p := range s.Tool.Inputs {
		if v, ok := s.Values[p.Name]; ok {
			m[p.Name] = basicValue(p, v, ids)
		}
	}
	return m
}

// Inputs lists the datasets of the state by the names under which Galaxy joins them to the job: "cond|input1",
// "queries_0|input2"; for a multiple parameter f its first dataset as f and then all of them as f1, f2, ….
func (s *State) Inputs() []JobInput {
	var out []JobInput
	if s.Tool.CheckValues {
		collectInputs(s.Tool.Inputs, s.Values, "", &out)
	}
	return out
}

func collectInputs(inputs []*Param, values Values, prefix string, out *[]JobInput) {
	for _, p := range inputs {
		name := prefix + p.Name
		v := values[p.Name]
		switch p.Kind {
		case KindRepeat:
			l, _ := v.([]Values)
			for i, e := range l {
				collectInputs(p.Children, e, name+"_"+strconv.Itoa(i)+"|", out)
			}
		case KindSection:
			g, _ := v.(Values)
			collectInputs(p.Children, g, name+"|", out)
		case KindConditional:
			g, _ := v.(Values)
			if i, ok := p.caseOf(g[p.Test.Name]); ok {
				collectInputs(p.caseAt(i).Inputs, g, name+"|", out)
			}
		case KindData, KindHiddenData:
			if l, ok := v.([]*DatasetInfo); ok {
				for i, d := range l {
					if i == 0 {
						*out = append(*out, JobInput{name, d})
					}
					*out = append(*out, JobInput{name + strconv.Itoa(i+1), d})
				}
				continue
			}
			d, _ := v.(*DatasetInfo)
			*out = append(*out, JobInput{name, d})
		}
	}
}

// JobExtras works out what is stored with the job: the build of the inputs and the extension that outputs with
// format="input" get. chromInfo is the path of the build's chromosome lengths, made by the caller's rule.
func (s *State) JobExtras(chromInfo func(dbkey string) string) JobExtras {
	x := JobExtras{DBKey: "?"}
	if v, ok := s.Values["dbkey"].(string); ok && v != "" {
		x.DBKey = v
	}
	inputs := s.Inputs()
	for i := len(inputs) - 1; i >= 0; i-- { // so that the first one wins
		if d := inputs[i].Dataset; d != nil && d.dbkey() != "?" {
			x.DBKey = d.dbkey()
		}
	}
	x.InputExt = s.inputExtension(inputs)
	if chromInfo != nil {
		x.ChromInfo = chromInfo(x.DBKey)
	}
	return x
}

// inputExtension is the extension that tools older than profile 16.04 give outputs with format="input": the first
// input's. Later tools keep the word "input".
func (s *State) inputExtension(inputs []JobInput) string {
	if s.Tool.ProfileAtLeast("16.04") {
		return "input"
	}
	for _, in := range inputs {
		if in.Dataset != nil {
			return in.Dataset.Ext
		}
	}
	return "data"
}

// JobState is a job's parameters, read back.
type JobState struct {
	State
	// Extra holds what is no input of the tool: chromInfo, dbkey, __input_ext, "x|__identifier__", …
	Extra map[string]any
	// Lost names the parameters whose stored value the tool cannot read any more; they have no value.
	Lost []string
}

func decodeJSON(text string) (any, error) {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, galaxy.Errorf(galaxy.Invalid, "something follows the value")
	}
	return normalize(v, 0)
}

// storedValue reads a stored value as Galaxy does: text that is no JSON, and lone numbers and booleans, stay text.
func storedValue(text string) any {
	v, err := decodeJSON(text)
	if err != nil {
		return text
	}
	switch v.(type) {
	case nil, string, map[string]any, []any:
		return v
	}
	return text
}

// DecodeJob reads a job's parameters back. The datasets named in them are looked up in one query; those that are gone are
// nil. It never fails on what is stored, only on the lookup.
func DecodeJob(ctx context.Context, t *Tool, params []JobParameter, datasets Datasets) (*JobState, error) {
	raw := make(map[string]any, len(params))
	r := requestRefs{ids: noIDs{}}
	for _, jp := range params {
		if jp.Value == nil {
			raw[jp.Name] = nil
			continue
		}
		if p := inputNamed(t.Inputs, jp.Name); p != nil && p.Kind == KindText && *jp.Value == "null" {
			raw[jp.Name] = "null"
			continue
		}
		v := storedValue(*jp.Value)
		raw[jp.Name] = v
		_ = r.walk(v) // stored ids are numbers; what is none of ours is left alone
	}
	legacy := map[string]bool{}
	t.WalkInputs(func(p *Param) bool {
		if p.Kind == KindData || p.Kind == KindHiddenData {
			legacy[p.Name] = true
		}
		return true
	})
	r.walkBare(raw, legacy)
	d := decoder{}
	if len(r.list) > 0 && datasets != nil {
		found, err := datasets.Lookup(ctx, r.list)
		if err != nil {
			return nil, err
		}
		d.found = found
	}
	js := &JobState{State: State{Tool: t, Values: Values{}}, Extra: map[string]any{}}
	for name, v := range raw {
		p := inputNamed(t.Inputs, name)
		if p == nil {
			js.Extra[name] = v
			continue
		}
		if val, ok := d.value(p, v, 0); ok {
			js.Values[name] = val
		} else {
			js.Lost = append(js.Lost, name)
		}
	}
	return js, nil
}

// noIDs reads no encoded ids: job parameters hold numbers.
type noIDs struct{}

func (noIDs) Encode(id int64) string { return strconv.FormatInt(id, 10) }
func (noIDs) Decode(s string) (int64, error) {
	return strconv.ParseInt(s, 10, 64)
}

func inputNamed(inputs []*Param, name string) *Param {
	for _, p := range inputs {
		if p.Name == name {
			return p
		}
	}
	return nil
}

type decoder struct {
	found map[DatasetRef]*DatasetInfo
}

// value turns a stored value into one of a state; false when the tool's parameter cannot have it.
func (d *decoder) value(p *Param, v any, depth int) (any, bool) {
	if depth > maxRequestDepth {
		return nil, false
	}
	switch p.Kind {
	case KindRepeat:
		l, ok := v.([]any)
		if !ok {
			return []Values{}, v == nil
		}
		out := make([]Values, 0, len(l))
		for i, e := range l {
			m, ok := e.(map[string]any)
			if !ok {
				return nil, false
			}
			g := d.group(p.Children, m, depth)
			g[indexKey] = int64(i)
			if n, ok := m[indexKey].(int64); ok {
				g[indexKey] = n
			}
			out = append(out, g)
		}
		return out, true
	case KindSection:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		return d.group(p.Children, m, depth), true
	case KindConditional:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		test, ok := d.value(p.Test, m[p.Test.Name], depth+1)
		if !ok {
			return nil, false
		}
		i, ok := p.caseOf(test)
		if !ok {
			return nil, false
		}
		g := d.group(p.caseAt(i).Inputs, m, depth)
		g[p.Test.Name] = test
		g[currentCase] = int64(i)
		return g, true
	case KindInteger:
		if n, ok := pyInt(v); ok {
			return n, true
		}
		return nil, !pyTruth(v) && p.Optional
	case KindFloat:
		if f, ok := pyFloat(v); ok {
			return f, true
		}
		return nil, !pyTruth(v) && p.Optional
	case KindBoolean:
		if p.Optional {
			return asOptionalBool(v), true
		}
		return asBool(v), true
	case KindData, KindHiddenData, KindDataCollection:
		return d.data(p, v)
	case KindText, KindHidden, KindColor, KindBaseURL, KindDirectoryURI:
		switch v.(type) {
		case nil, string:
			return v, true
		}
		return pyStr(v), true
	}
	return v, true
}

func (d *decoder) group(inputs []*Param, m map[string]any, depth int) Values {
	g := Values{}
	for _, p := range inputs {
		raw, ok := m[p.Name]
		if !ok {
			continue
		}
		if v, ok := d.value(p, raw, depth+1); ok {
			g[p.Name] = v
		}
	}
	return g
}

func (d *decoder) data(p *Param, v any) (any, bool) {
	var refs []any
	switch x := v.(type) {
	case nil:
		return nil, true
	case map[string]any:
		if l, ok := x["values"].([]any); ok {
			refs = l
		} else {
			refs = []any{x}
		}
	case []any:
		refs = x
	case string: // as Galaxy stored them long ago
		if x == "" || x == "None" {
			return nil, true
		}
		for _, s := range strings.Split(x, ",") {
			refs = append(refs, s)
		}
	case int64:
		refs = []any{x}
	default:
		return nil, false
	}
	var list []*DatasetInfo
	for _, e := range refs {
		ref := DatasetRef{Src: "hda"}
		switch x := e.(type) {
		case map[string]any:
			ref.Src, _ = x["src"].(string)
			id, ok := x["id"].(int64)
			if !ok {
				continue
			}
			ref.ID = id
		case string:
			id, ok := bareID(noIDs{}, x)
			if !ok {
				continue
			}
			ref.ID = id
		case int64:
			ref.ID = x
		default:
			continue
		}
		list = append(list, d.found[ref])
	}
	if p.Multiple {
		if list == nil {
			return nil, true
		}
		return list, true
	}
	if len(list) == 0 || list[0] == nil {
		return nil, true
	}
	return list[0], true
}
