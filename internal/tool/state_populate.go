package tool

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"orrery/internal/galaxy"
)

// State is the checked state of a tool's inputs: for one job, or for a form.
type State struct {
	Tool   *Tool
	Values Values
}

// scope is where a parameter finds the values of others: its own level, then the levels around it.
type scope struct {
	values Values
	parent *scope
}

func (s *scope) lookup(name string) (any, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// unsettled tells whether a dataset is in sight that is not ready, so that options made from it are unknown yet.
func (s *scope) unsettled() bool {
	for ; s != nil; s = s.parent {
		for _, v := range s.values {
			for _, d := range datasetsOf(v) {
				if d != nil && d.State != galaxy.DatasetOK {
					return true
				}
			}
		}
	}
	return false
}

func datasetsOf(v any) []*DatasetInfo {
	switch x := v.(type) {
	case *DatasetInfo:
		if x == nil {
			return nil
		}
		return []*DatasetInfo{x}
	case []*DatasetInfo:
		return x
	}
	return nil
}

// populator builds a state out of a request.
type populator struct {
	ctx    context.Context
	env    *Env
	tool   *Tool
	found  map[DatasetRef]*DatasetInfo
	errors *StateErrors
	// newest is the dataset each kind of data parameter offers first; it is fetched when one is first needed.
	newest map[string]*DatasetInfo
	err    error // of the server, not of the request
	steps  int
}

// maxStates bounds how many parameter values one request may make.
const maxStates = 200_000

// Populate checks the inputs of one job (see Expand) and fills in defaults. What is wrong with them comes back as
// StateErrors; the error is a failure of the server, or an id that is none.
//
// As in Galaxy, a required data parameter that the request does not mention gets the newest dataset that fits.
func Populate(ctx context.Context, env *Env, t *Tool, inputs map[string]any, format string) (*State, *StateErrors, error) {
	p := &populator{ctx: ctx, env: env, tool: t, errors: &StateErrors{}}
	if inputs == nil {
		inputs = map[string]any{}
	}
	if !t.CheckValues {
		return &State{Tool: t, Values: inputs}, p.errors, nil
	}
	found, err := lookupAll(ctx, env, t, inputs)
	if err != nil {
		return nil, nil, err
	}
	p.found = found
	var values Values
	switch format {
	case "", FormatLegacy:
		keys := sortedKeys(inputs)
		values = p.legacy(t.Inputs, &flatInputs{inputs, keys}, "", Values{}, &scope{values: nestInputs(inputs)})
	case FormatNested:
		values = p.nested(t.Inputs, inputs, "", Values{}, nil)
	default:
		return nil, nil, galaxy.Errorf(galaxy.Invalid, "input_format invalid %s", format)
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	return &State{Tool: t, Values: values}, p.errors, nil
}

// step counts one value made; it is false once the request has become too large.
func (p *populator) step() bool {
	p.steps++
	if p.steps > maxStates && p.err == nil {
		p.err = galaxy.Errorf(galaxy.TooLarge, "The inputs are too large: more than %d values.", maxStates)
	}
	if p.steps%1000 == 0 && p.err == nil {
		p.err = p.ctx.Err()
	}
	return p.err == nil
}

type flatInputs struct {
	m    map[string]any
	keys []string // sorted
}

func (f *flatInputs) hasPrefix(prefix string) bool {
	i := sort.SearchStrings(f.keys, prefix)
	return i < len(f.keys) && strings.HasPrefix(f.keys[i], prefix)
}

// nestInputs turns flat keys into nested values, for parameters that look at later ones.
func nestInputs(inputs map[string]any) Values {
	v := make(Values, len(inputs))
	for k, e := range inputs {
		if !strings.Contains(k, "|") {
			v[k] = e
		}
	}
	return v
}

func repeatDefault(p *Param) int { return max(p.RepeatDefault, p.RepeatMin) }

func (p *populator) legacy(inputs []*Param, in *flatInputs, prefix string, state Values, parent *scope) Values {
	sc := &scope{values: state, parent: parent}
	for _, par := range inputs {
		if !p.step() {
			return state
		}
		key := prefix + par.Name
		switch par.Kind {
		case KindRepeat:
			list := []Values{}
			for i := 0; ; i++ {
				rep := key + "_" + strconv.Itoa(i)
				if (i >= repeatDefault(par) && !in.hasPrefix(rep)) || !p.step() {
					break
				}
				if par.RepeatMax >= 0 && i >= par.RepeatMax {
					continue
				}
				v := Values{indexKey: int64(i)}
				list = append(list, v)
				state[par.Name] = list
				p.legacy(par.Children, in, rep+"|", v, sc)
			}
			state[par.Name] = list
		case KindSection:
			v := Values{}
			state[par.Name] = v
			p.legacy(par.Children, in, key+"|", v, sc)
		case KindConditional:
			testKey := key + "|" + par.Test.Name
			if par.ValueRef != "" && !par.ValueRefInGroup {
				testKey = prefix + par.Test.Name
			}
			raw, given := in.m[testKey]
			p.conditional(par, raw, given, testKey, state, sc, func(c *Case, v Values) {
				p.legacy(c.Inputs, in, key+"|", v, sc)
			})
		default:
			raw, given := in.m[key]
			p.leaf(par, raw, given, key, state, sc)
		}
	}
	return state
}

func (p *populator) nested(inputs []*Param, in map[string]any, prefix string, state Values, parent *scope) Values {
	sc := &scope{values: state, parent: parent}
	for _, par := range inputs {
		if !p.step() {
			return state
		}
		key := prefix + par.Name
		raw, given := in[par.Name]
		group, isMap := raw.(map[string]any)
		switch par.Kind {
		case KindRepeat:
			items, ok := raw.([]any)
			if pyTruth(raw) && !ok {
				p.errors.add(key, plainErr(fmt.Sprintf("Parameter '%s': a list of objects is required", par.Name)))
			}
			list := []Values{}
			state[par.Name] = list
			if n := len(items); n > 0 && (n < par.RepeatMin || par.RepeatMax >= 0 && n > par.RepeatMax) {
				p.errors.add(key, plainErr("The number of repeat elements is outside the range specified by the tool."))
				continue
			}
			if len(items) == 0 {
				// Galaxy makes no elements here, which the tool then misses: the smallest number it asks for is made.
				items = make([]any, repeatDefault(par))
			}
			for i, item := range items {
				v := Values{indexKey: int64(i)}
				list = append(list, v)
				state[par.Name] = list
				m, _ := item.(map[string]any)
				p.nested(par.Children, m, key+"_"+strconv.Itoa(i)+"|", v, sc)
			}
		case KindSection:
			if pyTruth(raw) && !isMap {
				p.errors.add(key, plainErr(fmt.Sprintf("Parameter '%s': an object is required", par.Name)))
			}
			v := Values{}
			state[par.Name] = v
			p.nested(par.Children, group, key+"|", v, sc)
		case KindConditional:
			if pyTruth(raw) && !isMap {
				p.errors.add(key, plainErr(fmt.Sprintf("Invalid value '%s' submitted for conditional parameter '%s'.", pyStr(raw), par.Name)))
			}
			test, testGiven := group[par.Test.Name]
			p.conditional(par, test, testGiven, key+"|"+par.Test.Name, state, sc, func(c *Case, v Values) {
				p.nested(c.Inputs, group, key+"|", v, sc)
			})
		default:
			p.leaf(par, raw, given, key, state, sc)
		}
	}
	return state
}

// conditional reads the test parameter and fills the case it selects.
func (p *populator) conditional(par *Param, raw any, given bool, testKey string, state Values, sc *scope, fill func(*Case, Values)) {
	if !given {
		raw = p.initial(par.Test, sc)
	}
	v, perr := p.check(par.Test, raw, sc)
	if perr != nil {
		p.errors.add(testKey, perr)
	} else if i, ok := par.caseOf(v); ok {
		group := Values{par.Test.Name: v, currentCase: int64(i)}
		state[par.Name] = group
		fill(par.caseAt(i), group)
		return
	} else {
		p.errors.add(testKey, plainErr("The selected case is unavailable/invalid."))
	}
	group := p.initialGroup(par, sc)
	group[par.Test.Name] = v
	state[par.Name] = group
}

// caseOf finds the index of the case that a value of the test parameter selects. A select's options that have no <when>
// select empty cases behind the written ones, in the order of the options, as Galaxy adds them.
func (p *Param) caseOf(test any) (int, bool) {
	v := paramText(p.Test, test)
	for i := range p.Cases {
		if p.Cases[i].Value == v {
			return i, true
		}
	}
	n := len(p.Cases)
	for _, o := range p.Test.legalStatic() {
		if _, written := p.Case(o); written {
			continue
		}
		if o == v {
			return n, true
		}
		n++
	}
	return 0, false
}

// caseAt is the case of an index that caseOf gave.
func (p *Param) caseAt(i int) *Case {
	if i >= 0 && i < len(p.Cases) {
		return &p.Cases[i]
	}
	return &Case{}
}

// legalStatic lists the values that a test parameter can have by itself.
func (p *Param) legalStatic() []string {
	if p.Kind == KindBoolean {
		return []string{p.TrueValue, p.FalseValue}
	}
	var l []string
	for _, o := range p.Options {
		l = append(l, o.Value)
	}
	return l
}

func (p *populator) leaf(par *Param, raw any, given bool, key string, state Values, sc *scope) {
	if !given {
		raw = p.initial(par, sc)
	}
	v, perr := p.check(par, raw, sc)
	if perr != nil {
		p.errors.add(key, perr)
	}
	state[par.Name] = v
}

// check converts a raw value and validates it. On an error the value is the raw one.
func (p *populator) check(par *Param, raw any, sc *scope) (any, *ParamError) {
	v, perr := p.convert(par, raw, sc)
	if perr != nil {
		return keepable(raw), perr
	}
	return v, p.validate(par, v)
}

// keepable makes a refused value safe to keep in a state: groups and data parameters rely on the types of their values.
func keepable(raw any) any {
	switch raw.(type) {
	case nil, string, bool, int64, float64, *DatasetInfo, []*DatasetInfo:
		return raw
	}
	return nil
}

// initialGroup is the state of a group that a request says nothing about.
func (p *populator) initialGroup(par *Param, parent *scope) Values {
	group := Values{}
	sc := &scope{values: group, parent: parent}
	inputs := par.Children
	if par.Kind == KindConditional {
		test := p.initial(par.Test, sc)
		group[par.Test.Name] = test
		if i, ok := par.caseOf(test); ok {
			group[currentCase] = int64(i)
			inputs = par.caseAt(i).Inputs
		}
	}
	p.fillInitial(inputs, group, sc)
	return group
}

func (p *populator) fillInitial(inputs []*Param, state Values, sc *scope) {
	for _, c := range inputs {
		if !p.step() {
			return
		}
		switch c.Kind {
		case KindRepeat:
			list := []Values{}
			for i := range repeatDefault(c) {
				v := Values{indexKey: int64(i)}
				p.fillInitial(c.Children, v, &scope{values: v, parent: sc})
				list = append(list, v)
			}
			state[c.Name] = list
		case KindConditional, KindSection:
			state[c.Name] = p.initialGroup(c, sc)
		default:
			state[c.Name] = p.initial(c, sc)
		}
	}
}
