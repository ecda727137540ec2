package tool

import (
	"fmt"
	"strings"
)

// convert turns a raw value into the value of a parameter, or says why it cannot be one.
func (p *populator) convert(par *Param, raw any, sc *scope) (any, *ParamError) {
	switch par.Kind {
	case KindInteger:
		if n, ok := pyInt(raw); ok {
			return n, nil
		}
		return emptyNumber(par, raw)
	case KindFloat:
		if f, ok := pyFloat(raw); ok {
			return f, nil
		}
		return emptyNumber(par, raw)
	case KindBoolean:
		if par.Optional {
			return asOptionalBool(raw), nil
		}
		return asBool(raw), nil
	case KindSelect, KindGenomeBuild:
		return p.selectValue(par, raw, sc, true)
	case KindGroupTag:
		if par.Multiple {
			if l := splitMultiple(raw); len(l) > 0 {
				return p.selectValue(par, l, sc, false)
			}
			return p.selectValue(par, nil, sc, false)
		}
		if !pyTruth(raw) {
			raw = nil
		}
		return p.selectValue(par, raw, sc, false)
	case KindDataColumn:
		return p.columnValue(par, raw, sc)
	case KindDrillDown:
		return p.drillValue(par, raw)
	case KindData, KindHiddenData:
		return p.dataValue(par, raw)
	case KindDataCollection:
		if !pyTruth(raw) || raw == "None" {
			if par.Optional {
				return nil, nil
			}
			return nil, paramErr(par, "specify a dataset collection of the correct type")
		}
		if d, ok := raw.(*DatasetInfo); ok {
			return d, nil
		}
		return nil, paramErr(par, "dataset collections are not available on this server yet")
	case KindBaseURL:
		return p.initial(par, sc), nil
	case KindText, KindHidden, KindColor, KindDirectoryURI:
		switch raw.(type) {
		case nil, string:
			return raw, nil
		}
		return pyStr(raw), nil
	}
	return raw, nil
}

func emptyNumber(par *Param, raw any) (any, *ParamError) {
	if !pyTruth(raw) && par.Optional {
		return "", nil
	}
	return nil, paramErr(par, "the attribute 'value' must be set for non optional parameters").withValue(raw)
}

func (p *Param) isDynamic() bool {
	switch p.Kind {
	case KindGenomeBuild, KindDataColumn, KindGroupTag:
		return true
	case KindDrillDown:
		return p.DynamicCode != ""
	}
	return p.Dynamic != nil || p.DynamicCode != ""
}

// selectValue checks a choice against the options; the label of an option is taken for its value.
func (p *populator) selectValue(par *Param, raw any, sc *scope, mustBeLegal bool) (any, *ParamError) {
	options := p.options(par, sc)
	legal := map[string]bool{}
	byName := map[string]string{}
	var all []string
	for _, o := range options {
		if !legal[o.Value] {
			all = append(all, o.Value)
		}
		legal[o.Value] = true
		byName[o.Text] = o.Value
	}
	if par.Kind == KindDataColumn && raw != nil {
		// A file without columns accepts any: it may have them once it has content.
		var extra []string
		missing := false
		for _, v := range columnTexts(raw) {
			if !legal[v] {
				missing = true
			}
			extra = append(extra, v)
		}
		if missing && p.emptyFile(par, sc) {
			for _, v := range extra {
				legal[v] = true
			}
		}
	}
	fail := func(suffix string) *ParamError { return paramErr(par, suffix).dynamic(par.isDynamic()) }
	switch {
	case (len(legal) == 0 || !mustBeLegal) && sc.unsettled():
		if s, ok := raw.(string); ok && par.Multiple {
			if s == "" {
				return nil, nil
			}
			var l []any
			for _, f := range strings.Fields(s) {
				l = append(l, f)
			}
			return l, nil
		}
		return raw, nil
	case raw == nil:
		if par.Optional {
			return nil, nil
		}
		return nil, fail("an invalid option (None) was selected, please verify").withValue(nil)
	case len(legal) == 0:
		if par.Optional && !p.tool.ProfileAtLeast("18.09") {
			return nil, nil
		}
		return nil, fail("requires a value, but no legal values defined")
	}
	if l, ok := raw.([]any); ok {
		if !par.Multiple {
			return nil, fail("multiple values provided but parameter is not expecting multiple values")
		}
		allLegal, allNames := true, true
		var invalid []string
		for _, v := range l {
			s, isText := v.(string)
			if !isText || !legal[s] {
				allLegal = false
				invalid = append(invalid, pyStr(v))
			}
			if _, named := byName[s]; !isText || !named {
				allNames = false
			}
		}
		switch {
		case allLegal:
			return l, nil
		case allNames:
			values := make([]any, len(l))
			for i, v := range l {
				values[i] = byName[v.(string)]
			}
			return values, nil
		}
		return nil, fail(fmt.Sprintf("invalid options (%s) were selected (valid options: %s)", pyRepr(strings.Join(invalid, ",")), strings.Join(all, ",")))
	}
	if (!pyTruth(raw) || raw == "None" && !legal["None"]) && par.Multiple {
		if par.Optional {
			return []any{}, nil
		}
		return nil, fail("no option was selected for non optional parameter")
	}
	if s, ok := raw.(string); ok {
		if legal[s] {
			return s, nil
		}
		if v, named := byName[s]; named {
			return v, nil
		}
		if !mustBeLegal {
			return s, nil
		}
	}
	return nil, fail(fmt.Sprintf("an invalid option (%s) was selected (valid options: %s)", pyRepr(raw), strings.Join(all, ","))).withValue(raw)
}

func columnTexts(raw any) []string {
	var l []string
	for _, v := range listify(raw) {
		l = append(l, strings.TrimSpace(pyStr(v)))
	}
	return l
}

// stripC removes the c of a column's name: c2 is column 2.
func stripC(v any) string {
	s := strings.TrimSpace(pyStr(v))
	if len(s) > 1 && s[0] == 'c' && strings.Trim(s[1:], "0123456789") == "" {
		return s[1:]
	}
	return s
}

func (p *populator) columnValue(par *Param, raw any, sc *scope) (any, *ParamError) {
	var v any
	if par.Multiple {
		var l []any
		for _, c := range splitMultiple(raw) {
			l = append(l, stripC(c))
		}
		if len(l) > 0 {
			v = l
		}
	} else if pyTruth(raw) {
		if l, ok := raw.([]any); ok {
			v = l
		} else {
			v = stripC(raw)
		}
	}
	if v == nil && par.AcceptDefault {
		def := "1"
		if par.DefaultValue != nil && *par.DefaultValue != "" {
			def = stripC(*par.DefaultValue)
		}
		if par.Multiple {
			return []any{def}, nil
		}
		return def, nil
	}
	if _, ok := sc.lookup(par.DataRef); !ok {
		return nil, plainErr("Value for associated data reference not found (data_ref).")
	}
	return p.selectValue(par, v, sc, true)
}

func (p *populator) drillValue(par *Param, raw any) (any, *ParamError) {
	legal := map[string]bool{}
	var all []string
	var walk func([]*DrillOption)
	walk = func(options []*DrillOption) {
		for _, o := range options {
			legal[o.Value] = true
			all = append(all, o.Value)
			walk(o.Options)
		}
	}
	walk(par.DrillDown)
	if raw == nil {
		if par.Optional {
			return nil, nil
		}
		return nil, paramErr(par, "an invalid option (None) was selected").withValue(nil)
	}
	if len(legal) == 0 {
		return nil, paramErr(par, "requires a value, but no legal values defined")
	}
	l, ok := raw.([]any)
	if !ok {
		l = []any{raw}
	}
	if len(l) > 1 && !par.Multiple {
		return nil, paramErr(par, "multiple values provided but parameter is not expecting multiple values")
	}
	for _, v := range l {
		if s, ok := v.(string); !ok || !legal[s] {
			return nil, paramErr(par, fmt.Sprintf("an invalid option (%s) was selected (valid options: %s)", pyRepr(v), strings.Join(all, ","))).withValue(v)
		}
	}
	return l, nil
}

// dataValue finds the dataset or datasets of a data parameter among those looked up.
func (p *populator) dataValue(par *Param, raw any) (any, *ParamError) {
	if d, ok := raw.(*DatasetInfo); ok && d != nil { // a default
		if par.Multiple {
			return []*DatasetInfo{d}, p.usable(par, d)
		}
		return d, p.usable(par, d)
	}
	if l, ok := raw.([]*DatasetInfo); ok {
		return l, nil
	}
	if !pyTruth(raw) && !par.Optional && par.DefaultObject == nil {
		return nil, paramErr(par, "specify a dataset of the required format / build for parameter")
	}
	if raw == nil || raw == "" || raw == "None" {
		return nil, nil
	}
	if m, ok := raw.(map[string]any); ok {
		if values, ok := m["values"].([]any); ok {
			if len(values) > 1 && !par.Multiple {
				values = values[:1] // only while a form is built: Expand has replaced this for jobs
			}
			raw = values
		}
	}
	var items []any
	switch x := raw.(type) {
	case []any:
		items = x
	case string:
		if i := strings.IndexByte(x, ','); i > 0 {
			for _, s := range strings.Split(x, ",") {
				items = append(items, s)
			}
		} else {
			items = []any{x}
		}
	default:
		items = []any{raw}
	}
	var list []*DatasetInfo
	for _, item := range items {
		if item == nil || item == "" || item == "None" {
			continue
		}
		d, perr := p.oneDataset(par, item)
		if perr != nil {
			return nil, perr
		}
		if perr := p.usable(par, d); perr != nil {
			return nil, perr
		}
		list = append(list, d)
	}
	if par.Multiple {
		for _, d := range list {
			if d.Collection() {
				return nil, paramErr(par, "dataset collections cannot be used on this server yet; select the datasets themselves")
			}
		}
		return list, nil
	}
	switch len(list) {
	case 0:
		return nil, paramErr(par, "invalid dataset supplied to single input dataset parameter")
	case 1:
		if list[0].Src == "hdca" {
			return nil, paramErr(par, "dataset collection supplied to single input dataset parameter; to run the tool over each element of the collection, use the map-over option")
		}
		return list[0], nil
	}
	return nil, paramErr(par, "more than one dataset supplied to single input dataset parameter")
}

func (p *populator) oneDataset(par *Param, item any) (*DatasetInfo, *ParamError) {
	ref := DatasetRef{Src: "hda"}
	switch x := item.(type) {
	case map[string]any:
		src, _ := x["src"].(string)
		id := x["id"]
		if src == "" || id == nil {
			return nil, paramErr(par, fmt.Sprintf("invalid dataset id %s", pyRepr(item)))
		}
		switch src {
		case "hda", "ldda", "hdca", "dce":
		default:
			return nil, plainErr(fmt.Sprintf("Unknown input source %s passed to job submission API.", src))
		}
		n, err := decodeRequestID(p.env.IDs, id)
		if err != nil {
			return nil, plainErr(err.Error())
		}
		ref = DatasetRef{Src: src, ID: n}
	case int64:
		ref.ID = x
	case string:
		id, ok := bareID(p.env.IDs, x)
		if !ok {
			return nil, paramErr(par, fmt.Sprintf("invalid dataset id %s", pyRepr(x)))
		}
		ref.ID = id
	default:
		return nil, paramErr(par, fmt.Sprintf("invalid dataset id %s", pyRepr(item)))
	}
	if d := p.found[ref]; d != nil {
		return d, nil
	}
	return nil, plainErr("Invalid input id passed to job submission API.")
}

// usable refuses datasets that no job can read any more.
func (p *populator) usable(par *Param, d *DatasetInfo) *ParamError {
	switch {
	case d.Deleted && d.Collection():
		return paramErr(par, "the previously selected dataset collection has been deleted.")
	case d.Deleted:
		return paramErr(par, "the previously selected dataset has been deleted.")
	case d.State == "error" || d.State == "discarded":
		return paramErr(par, "the previously selected dataset has entered an unusable state")
	}
	return nil
}

// initial is the value of a parameter before anyone has said anything about it.
func (p *populator) initial(par *Param, sc *scope) any {
	switch par.Kind {
	case KindText, KindHidden:
		if par.Value != nil {
			return *par.Value
		}
		return nil
	case KindDirectoryURI:
		if par.Optional {
			return nil
		}
		return ""
	case KindInteger:
		if par.Value == nil || *par.Value == "" {
			return nil
		}
		n, _ := pyInt(*par.Value)
		return n
	case KindFloat:
		if par.Value == nil {
			return nil
		}
		if f, ok := pyFloat(*par.Value); ok {
			return f
		}
		return nil
	case KindBoolean:
		if par.Checked == nil {
			return nil
		}
		return *par.Checked
	case KindColor:
		if par.Value == nil {
			return "#000000"
		}
		return strings.ToLower(*par.Value)
	case KindBaseURL:
		if par.Value == nil {
			return ""
		}
		if p.env != nil && strings.HasPrefix(*par.Value, "/") {
			return strings.TrimRight(p.env.BaseURL, "/") + *par.Value
		}
		return *par.Value
	case KindDataColumn, KindGroupTag:
		if par.DefaultValue != nil {
			return stripC(*par.DefaultValue)
		}
		return p.initialOption(par, sc)
	case KindSelect, KindGenomeBuild:
		return p.initialOption(par, sc)
	case KindDrillDown:
		var l []any
		var walk func([]*DrillOption)
		walk = func(options []*DrillOption) {
			for _, o := range options {
				if o.Selected {
					l = append(l, o.Value)
				}
				walk(o.Options)
			}
		}
		walk(par.DrillDown)
		if l == nil {
			return nil
		}
		return l
	case KindData, KindHiddenData:
		if par.Optional {
			return nil
		}
		if d := p.newestFor(par); d != nil {
			return d
		}
		return nil
	}
	return nil
}

// initialOption is the option selected by default, or the first where there has to be one.
func (p *populator) initialOption(par *Param, sc *scope) any {
	options := p.options(par, sc)
	if len(options) == 0 {
		return nil
	}
	var selected []any
	for _, o := range options {
		if o.Selected {
			selected = append(selected, o.Value)
		}
	}
	switch {
	case len(selected) == 0:
		if !par.Optional && !par.Multiple {
			return options[0].Value
		}
		return nil
	case len(selected) == 1 || !par.Multiple:
		return selected[0]
	}
	return selected
}

// newestFor is the dataset that a data parameter offers first.
func (p *populator) newestFor(par *Param) *DatasetInfo {
	if p.newest == nil {
		if p.env == nil || p.env.Datasets == nil || p.err != nil {
			return nil
		}
		p.newest = map[string]*DatasetInfo{}
		keys, queries := candidateQueries(p.env, p.tool, 1)
		if len(queries) > 0 {
			pages, err := p.env.Datasets.Candidates(p.ctx, queries)
			if err != nil {
				p.err = err
				return nil
			}
			for i, k := range keys {
				if i < len(pages) && len(pages[i].Datasets) > 0 {
					p.newest[k] = pages[i].Datasets[0]
				}
			}
		}
	}
	return p.newest[candidateKey(par)]
}

// candidateKey tells data parameters apart that offer different datasets.
func candidateKey(par *Param) string {
	return strings.Join(par.Formats, ",") + "\x00" + par.Tag
}

// candidateQueries makes one query for each different kind of data parameter of the tool.
func candidateQueries(env *Env, t *Tool, limit int) (keys []string, queries []CandidateQuery) {
	seen := map[string]bool{}
	t.WalkInputs(func(par *Param) bool {
		if par.Kind != KindData && par.Kind != KindHiddenData {
			return true
		}
		k := candidateKey(par)
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
			queries = append(queries, candidateQuery(env, par, 0, limit, ""))
		}
		return true
	})
	return keys, queries
}

func candidateQuery(env *Env, par *Param, offset, limit int, search string) CandidateQuery {
	return CandidateQuery{Extensions: acceptedExtensions(env.Datatypes, par), Tag: par.Tag, Search: search, Offset: offset, Limit: limit}
}

// acceptedExtensions lists the extensions that a data parameter takes; nil means any.
func acceptedExtensions(dt Datatypes, par *Param) []string {
	var known []string
	for _, f := range par.Formats {
		if f == "data" {
			return nil
		}
		if dt != nil && dt.Known(f) {
			known = append(known, f)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return dt.Accepted(known)
}
