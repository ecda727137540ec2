package tool

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// FormInput is what BuildForm needs to know beside the tool and its surroundings.
type FormInput struct {
	Inputs    map[string]any // from the request, flat; nil for the defaults
	HistoryID string         // encoded; "" for none
	Job       *FormJob       // the job to run again; nil for a fresh form
	// Pages asks for other pages of datasets than the first, by the full name of the parameter.
	Pages map[string]FormPage

	// Entry adds what the toolbox knows: versions and the place in the panel. nil leaves them empty.
	Entry          *Entry
	Versions       []string
	HiddenVersions []string
	// StaticPath and HostURL are where the help's pictures and links lead: "/static" and "http://host/".
	StaticPath, HostURL string
	ShowPath            bool // whether the tool's file is named: for administrators
}

// FormJob is the job that a form repeats.
type FormJob struct {
	ID      string // encoded
	State   *JobState
	Message string // about a tool version that differs
	// Remap is the API's job_remap: whether jobs wait for this one's outputs; nil is false.
	Remap any
}

// FormPage is one page of a parameter's datasets.
type FormPage struct {
	Offset, Limit int // Limit is 50 when 0, 500 at most
	Search        string
}

const (
	formPageSize = 50
	formPageMax  = 500
)

// Form is a built form: Model is the answer of GET /api/tools/{id}/build.
type Form struct {
	Model  map[string]any
	State  *State
	Errors *StateErrors
}

// BuildForm makes the form of a tool: its inputs with their values and choices, as the web client reads it. With a job it
// is the answer of GET /api/jobs/{id}/build_for_rerun.
func BuildForm(ctx context.Context, env *Env, t *Tool, in FormInput) (*Form, error) {
	inputs := map[string]any{}
	maps.Copy(inputs, in.Inputs)
	var warnings any
	message := ""
	if in.Job != nil {
		message = in.Job.Message
		w, err := rerunInputs(ctx, env, t, in.Job, inputs)
		if err != nil {
			return nil, err
		}
		warnings = w
	}
	state, errs, err := Populate(ctx, env, t, inputs, FormatLegacy)
	if err != nil {
		return nil, err
	}
	b := &formBuilder{p: &populator{ctx: ctx, env: env, tool: t, errors: &StateErrors{}}, in: in}
	if err := b.fetch(); err != nil {
		return nil, err
	}
	stateJSON := state.Basic(env.IDs)
	model := formHead(t, in)
	model["inputs"] = b.inputs(t.Inputs, state.Values, nil, "")
	if b.p.err != nil {
		return nil, b.p.err
	}
	model["errors"] = errs.Messages()
	model["state_inputs"] = stateJSON
	model["message"] = message
	model["warnings"] = warnings
	model["job_id"], model["job_remap"] = nil, nil
	if in.Job != nil {
		model["job_id"], model["job_remap"] = in.Job.ID, in.Job.Remap
		if in.Job.Remap == nil {
			model["job_remap"] = false
		}
	}
	return &Form{Model: model, State: state, Errors: errs}, nil
}

// rerunInputs adds the values of a job to the inputs. Values that cannot be used any more give way to defaults, with a
// warning.
func rerunInputs(ctx context.Context, env *Env, t *Tool, job *FormJob, inputs map[string]any) (map[string]string, error) {
	flat := map[string]any{}
	flattenState(t.Inputs, job.State.Values, "", flat)
	for k, v := range flat {
		if _, ok := inputs[k]; !ok {
			inputs[k] = v
		}
	}
	warnings := map[string]string{}
	for _, k := range job.State.Lost {
		warnings[k] = fmt.Sprintf("The value of '%s' is not one that this version of the tool takes. Using the default.", k)
	}
	_, errs, err := Populate(ctx, env, t, inputs, FormatLegacy)
	if err != nil {
		return nil, err
	}
	for _, k := range errs.keys {
		e, _ := errs.Get(k)
		warnings[k] = e.Message
		if _, ok := flat[k]; ok {
			delete(inputs, k)
		}
	}
	if errs.Len() > 0 {
		state, _, err := Populate(ctx, env, t, inputs, FormatLegacy)
		if err != nil {
			return nil, err
		}
		now := map[string]any{}
		flattenState(t.Inputs, state.Values, "", now)
		for _, k := range errs.keys {
			if v, ok := now[k]; ok {
				warnings[k] += " Using default: '" + pyStr(v) + "'."
			}
		}
	}
	return warnings, nil
}

// flattenState turns a state into flat inputs of a request.
func flattenState(inputs []*Param, v Values, prefix string, out map[string]any) {
	for _, p := range inputs {
		val, ok := v[p.Name]
		if !ok {
			continue
		}
		name := prefix + p.Name
		switch p.Kind {
		case KindRepeat:
			l, _ := val.([]Values)
			for i, e := range l {
				flattenState(p.Children, e, name+"_"+strconv.Itoa(i)+"|", out)
			}
		case KindSection:
			g, _ := val.(Values)
			flattenState(p.Children, g, name+"|", out)
		case KindConditional:
			g, _ := val.(Values)
			out[name+"|"+p.Test.Name] = g[p.Test.Name]
			if i, ok := p.caseOf(g[p.Test.Name]); ok {
				flattenState(p.caseAt(i).Inputs, g, name+"|", out)
			}
		default:
			out[name] = val
		}
	}
}

// formHead is the part of the form that does not depend on values.
func formHead(t *Tool, in FormInput) map[string]any {
	requirements := []any{}
	for _, r := range t.Requirements {
		requirements = append(requirements, map[string]any{"name": r.Name, "version": nullable(r.Version)})
	}
	creator := any(nil)
	if len(t.Creators) > 0 {
		creator = t.Creators
	}
	xrefs := any([]Xref{})
	if len(t.Xrefs) > 0 {
		xrefs = t.Xrefs
	}
	hidden := any("")
	if t.Hidden {
		hidden = true
	}
	m := map[string]any{
		"model_class": t.ModelClass, "id": t.ID, "name": t.Name, "version": t.Version, "description": t.Description,
		"labels": stringList(t.Labels), "icon": nullable(t.Icon),
		"edam_operations": stringList(t.EdamOperations), "edam_topics": stringList(t.EdamTopics),
		"hidden": hidden, "is_workflow_compatible": t.WorkflowCompatible, "xrefs": xrefs,
		"versions": stringList(in.Versions), "hidden_versions": stringList(in.HiddenVersions),
		"has_parameters": hasParameterModels(t), "panel_section_id": "", "panel_section_name": "",
		"form_style": "special", "citations": len(t.Citations) > 0, "sharable_url": nil,
		"requirements": requirements, "credentials": []any{}, "tool_errors": nil, "job_credentials_context": nil,
		"history_id": nullable(in.HistoryID), "display": t.DisplayInterface, "action": t.Action, "license": nullable(t.License),
		"creator": creator, "method": t.Method, "enctype": "application/x-www-form-urlencoded",
	}
	switch t.ModelClass {
	case "Tool", "DatabaseOperationTool", "InteractiveTool":
		m["form_style"] = "regular"
	}
	t.WalkInputs(func(p *Param) bool {
		if p.Kind == KindFile || p.Kind == KindUploadDataset {
			m["enctype"] = "multipart/form-data"
			return false
		}
		return true
	})
	if len(in.Versions) == 0 {
		m["versions"] = []string{t.Version}
	}
	if e := in.Entry; e != nil {
		m["panel_section_id"], m["panel_section_name"] = e.SectionID, e.SectionName
		m["labels"] = stringList(e.Labels)
	}
	if in.ShowPath {
		m["config_file"] = t.Path
	}
	text, format := t.HelpHTML(in.StaticPath, in.HostURL)
	m["help"], m["help_format"] = text, format
	if format == "" {
		m["help_format"] = "restructuredtext"
	}
	return m
}

// formBuilder makes the tree of inputs.
type formBuilder struct {
	p     *populator
	in    FormInput
	refs  map[string]bool
	pages map[string]formCandidates // by candidateKey, or by full name where the request asks for a page
}

type formCandidates struct {
	query CandidateQuery
	page  CandidatePage
}

// fetch gets the datasets of all data parameters at once.
func (b *formBuilder) fetch() error {
	keys, queries := candidateQueries(b.p.env, b.p.tool, formPageSize)
	for _, name := range sortedKeys(b.in.Pages) {
		par := b.p.tool.inputByFullName(name)
		if par == nil || par.Kind != KindData && par.Kind != KindHiddenData {
			continue
		}
		pg := b.in.Pages[name]
		limit := min(max(pg.Limit, 0), formPageMax)
		if limit == 0 {
			limit = formPageSize
		}
		keys = append(keys, "="+name)
		queries = append(queries, candidateQuery(b.p.env, par, max(pg.Offset, 0), limit, strings.TrimSpace(pg.Search)))
	}
	b.pages = make(map[string]formCandidates, len(keys))
	b.p.newest = map[string]*DatasetInfo{}
	if len(queries) == 0 || b.in.HistoryID == "" {
		return nil
	}
	pages, err := b.p.env.Datasets.Candidates(b.p.ctx, queries)
	if err != nil {
		return err
	}
	for i, k := range keys {
		if i >= len(pages) {
			break
		}
		b.pages[k] = formCandidates{queries[i], pages[i]}
		if len(pages[i].Datasets) > 0 && !strings.HasPrefix(k, "=") {
			b.p.newest[k] = pages[i].Datasets[0]
		}
	}
	return nil
}

// inputByFullName finds an input by a name such as "cond|rep_0|x".
func (t *Tool) inputByFullName(name string) *Param {
	inputs := t.Inputs
	parts := strings.Split(name, "|")
	for i, part := range parts {
		var found *Param
		for _, p := range inputs {
			if p.Name == part || p.Kind == KindRepeat && looksLikeRepeat(part) && p.Name == part[:strings.LastIndexByte(part, '_')] {
				found = p
				break
			}
		}
		if found == nil {
			return nil
		}
		if i == len(parts)-1 {
			return found
		}
		inputs = found.Children
		if found.Kind == KindConditional {
			inputs = []*Param{found.Test}
			for j := range found.Cases {
				inputs = append(inputs, found.Cases[j].Inputs...)
			}
		}
	}
	return nil
}

// inputs makes the models of one level. Inputs that have no value yet get their default, which later ones may look at.
func (b *formBuilder) inputs(inputs []*Param, state Values, parent *scope, prefix string) []any {
	out := make([]any, 0, len(inputs))
	sc := &scope{values: state, parent: parent}
	for _, p := range inputs {
		full := prefix + p.Name
		switch p.Kind {
		case KindRepeat:
			m := b.definition(p, sc, full)
			cache := []any{}
			list, _ := state[p.Name].([]Values)
			for i, e := range list {
				cache = append(cache, b.inputs(p.Children, e, sc, full+"_"+strconv.Itoa(i)+"|"))
			}
			m["cache"] = cache
			out = append(out, m)
		case KindConditional:
			group, _ := state[p.Name].(Values)
			if group == nil {
				group = Values{}
			}
			test := b.definition(p.Test, sc, full+"|"+p.Test.Name)
			v, ok := group[p.Test.Name]
			if !ok {
				v = b.p.initial(p.Test, sc)
			}
			basic := basicValue(p.Test, v, b.p.env.IDs)
			test["value"] = basic
			test["text_value"] = displayText(p.Test, basic)
			current := -1
			if i, ok := group[currentCase].(int64); ok {
				current = int(i)
			}
			cases := []any{}
			for i := range p.allCases() {
				c := p.allCases()[i]
				values := Values{}
				if i == current {
					values = group
				}
				cases = append(cases, map[string]any{
					"model_class": "ConditionalWhen", "value": c.Value, "inputs": b.inputs(c.Inputs, values, sc, full+"|"),
				})
			}
			out = append(out, map[string]any{
				"model_class": "Conditional", "name": p.Name, "type": "conditional", "cases": cases, "test_param": test,
			})
		case KindSection:
			group, _ := state[p.Name].(Values)
			if group == nil {
				group = Values{}
			}
			m := sectionHead(p)
			m["inputs"] = b.inputs(p.Children, group, sc, full+"|")
			out = append(out, m)
		case KindUploadDataset:
			out = append(out, b.definition(p, sc, full))
		default:
			initial := b.p.initial(p, sc)
			if _, ok := state[p.Name]; !ok {
				state[p.Name] = initial
			}
			m := b.definition(p, sc, full)
			value := basicValue(p, state[p.Name], b.p.env.IDs)
			m["value"] = value
			m["default_value"] = basicValue(p, initial, b.p.env.IDs)
			m["text_value"] = displayText(p, value)
			out = append(out, m)
		}
	}
	return out
}

// allCases lists the cases of a conditional with those of options that have no <when>.
func (p *Param) allCases() []Case {
	cases := slices.Clone(p.Cases)
	for _, v := range p.Test.legalStatic() {
		if _, ok := p.Case(v); !ok {
			cases = append(cases, Case{Value: v})
		}
	}
	return cases
}

func sectionHead(p *Param) map[string]any {
	return map[string]any{
		"model_class": "Section", "name": p.Name, "type": "section", "title": p.Label, "help": nullable(p.Help), "expanded": p.Expanded,
	}
}

// definition describes an input without the values of the state: Galaxy's to_dict of the parameter.
func (b *formBuilder) definition(p *Param, sc *scope, full string) map[string]any {
	switch p.Kind {
	case KindRepeat:
		limit := any(p.RepeatMax)
		if p.RepeatMax < 0 {
			limit = nil
		}
		return map[string]any{
			"model_class": "Repeat", "name": p.Name, "type": "repeat", "title": p.Label, "help": nullable(p.Help),
			"default": p.RepeatDefault, "min": p.RepeatMin, "max": limit, "inputs": b.definitions(p.Children, full+"|"),
		}
	case KindSection:
		m := sectionHead(p)
		m["inputs"] = b.definitions(p.Children, full+"|")
		return m
	case KindConditional:
		cases := []any{}
		for _, c := range p.allCases() {
			cases = append(cases, map[string]any{"model_class": "ConditionalWhen", "value": c.Value, "inputs": b.definitions(c.Inputs, full+"|")})
		}
		return map[string]any{
			"model_class": "Conditional", "name": p.Name, "type": "conditional", "cases": cases,
			"test_param": b.definition(p.Test, &scope{values: Values{}}, full+"|"+p.Test.Name),
		}
	case KindUploadDataset:
		return map[string]any{"model_class": "UploadDataset", "name": p.Name, "type": "upload_dataset"}
	}
	m := map[string]any{
		"model_class": modelClasses[p.Kind], "name": p.Name, "argument": nullable(p.Argument), "type": string(p.Kind),
		"label": p.Label, "help": p.Help, "help_format": p.HelpFormat, "refresh_on_change": p.RefreshOnChange || b.referenced()[p.Name],
		"optional": p.Optional, "hidden": p.Hidden, "is_dynamic": p.isDynamic(),
		"value": basicValue(p, b.p.initial(p, sc), b.p.env.IDs),
	}
	if m["help_format"] == "" {
		m["help_format"] = "html"
	}
	switch p.Kind {
	case KindText, KindInteger, KindFloat:
		m["area"] = p.Area
		list := []any{}
		for _, o := range p.Datalist {
			list = append(list, map[string]any{"label": o.Text, "value": o.Value})
		}
		m["datalist"] = list
		if p.Kind != KindText {
			m["min"], m["max"] = numberBound(p, p.Min), numberBound(p, p.Max)
		}
	case KindBoolean:
		m["truevalue"], m["falsevalue"] = p.TrueValue, p.FalseValue
	case KindHidden, KindBaseURL:
		m["hidden"] = true
	case KindFTPFile:
		m["multiple"] = p.Multiple
	case KindSelect, KindDataColumn, KindGroupTag, KindGenomeBuild:
		options := b.p.options(p, sc)
		list := make([]any, len(options))
		for i, o := range options {
			list[i] = []any{o.Text, o.Value, o.Selected}
		}
		m["options"] = list
		m["display"] = nullable(p.Display)
		m["multiple"] = p.Multiple
		if p.Kind == KindGenomeBuild {
			if len(options) > 0 {
				m["value"] = options[0].Value
				for _, o := range options {
					if o.Selected {
						m["value"] = o.Value
					}
				}
			}
		} else {
			m["textable"] = sc.unsettled()
		}
		if p.Kind == KindDataColumn || p.Kind == KindGroupTag {
			m["data_ref"] = nullable(p.DataRef)
		}
		if p.Kind == KindDataColumn {
			m["numerical"] = p.Numerical
		}
	case KindDrillDown:
		m["options"] = drillModels(p.DrillDown)
		m["display"] = nullable(p.Display)
		m["multiple"] = p.Multiple
	case KindData, KindHiddenData:
		b.dataOptions(p, m, sc, full)
	case KindDataCollection:
		m["refresh_on_change"] = true
		m["extensions"] = stringList(p.Formats)
		m["multiple"] = p.Multiple
		m["collection_types"], m["fields"], m["column_definitions"] = nil, nil, nil
		if len(p.CollectionTypes) > 0 {
			m["collection_types"] = p.CollectionTypes
		}
		m["tag"] = nullable(p.Tag)
		empty := func() map[string]any { return map[string]any{"dce": []any{}, "hda": []any{}, "hdca": []any{}} }
		m["options"], m["pinned"] = empty(), empty()
		m["options_meta"] = map[string]any{"hdca": pageMeta(0, formPageSize, 0, false)}
	}
	return m
}

// referenced names the inputs that the choices of others depend on: the form is built anew when they change.
func (b *formBuilder) referenced() map[string]bool {
	if b.refs == nil {
		b.refs = map[string]bool{}
		b.p.tool.WalkInputs(func(p *Param) bool {
			b.refs[p.DataRef] = true
			if p.Dynamic != nil {
				b.refs[p.Dynamic.FromDataset] = true
				for _, f := range p.Dynamic.Filters {
					b.refs[f.Attrs["ref"]] = true
				}
			}
			return true
		})
		delete(b.refs, "")
	}
	return b.refs
}

// Definitions describes the tool's inputs without any state: the "inputs" of GET /api/tools/{id}?io_details=true. The
// environment's history may be empty.
func Definitions(ctx context.Context, env *Env, t *Tool, historyID string) ([]any, error) {
	b := &formBuilder{p: &populator{ctx: ctx, env: env, tool: t, errors: &StateErrors{}}, in: FormInput{HistoryID: historyID}}
	if err := b.fetch(); err != nil {
		return nil, err
	}
	out := b.definitions(t.Inputs, "")
	return out, b.p.err
}

// definitions describes inputs that have no state: those that a repeat would add.
func (b *formBuilder) definitions(inputs []*Param, prefix string) []any {
	out := make([]any, 0, len(inputs))
	for _, p := range inputs {
		out = append(out, b.definition(p, &scope{values: Values{}}, prefix+p.Name))
	}
	return out
}

func numberBound(p *Param, s *string) any {
	if s == nil {
		return nil
	}
	if p.Kind == KindFloat {
		if f, ok := pyFloat(*s); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		return *s
	}
	if n, ok := pyInt(*s); ok {
		return n
	}
	return *s
}

var modelClasses = map[Kind]string{
	KindText: "TextToolParameter", KindInteger: "IntegerToolParameter", KindFloat: "FloatToolParameter", KindBoolean: "BooleanToolParameter",
	KindSelect: "SelectToolParameter", KindGenomeBuild: "GenomeBuildParameter", KindColor: "ColorToolParameter",
	KindDataColumn: "ColumnListParameter", KindHidden: "HiddenToolParameter", KindHiddenData: "HiddenDataToolParameter",
	KindBaseURL: "BaseURLToolParameter", KindFile: "FileToolParameter", KindFTPFile: "FTPFileToolParameter", KindData: "DataToolParameter",
	KindDataCollection: "DataCollectionToolParameter", KindLibraryData: "LibraryDatasetToolParameter", KindRules: "RulesListToolParameter",
	KindDrillDown: "DrillDownSelectToolParameter", KindGroupTag: "SelectTagParameter", KindDirectoryURI: "DirectoryUriToolParameter",
}

func drillModels(options []*DrillOption) []any {
	out := make([]any, 0, len(options))
	for _, o := range options {
		out = append(out, map[string]any{"name": o.Name, "value": o.Value, "options": drillModels(o.Options), "selected": o.Selected})
	}
	return out
}

func (b *formBuilder) edam(p *Param) map[string]any {
	formats, data := []any{}, []any{}
	for _, ext := range p.Formats {
		var f, d string
		if b.p.env.Datatypes != nil {
			f, d = b.p.env.Datatypes.EDAM(ext)
		}
		formats = append(formats, nullable(f))
		data = append(data, nullable(d))
	}
	return map[string]any{"edam_formats": formats, "edam_data": data}
}

func pageMeta(offset, limit, total int, more bool) map[string]any {
	return map[string]any{"offset": offset, "limit": limit, "total_estimate": total, "has_more": more}
}

// dataOptions adds the datasets that a data parameter offers, and those already chosen that are not among them.
func (b *formBuilder) dataOptions(p *Param, m map[string]any, sc *scope, full string) {
	m["refresh_on_change"] = true
	m["extensions"], m["edam"] = stringList(p.Formats), b.edam(p)
	m["multiple"] = p.Multiple
	if p.Multiple {
		m["min"], m["max"] = intBound(p.Min), intBound(p.Max)
	}
	m["tag"] = nullable(p.Tag)

	c, ok := b.pages["="+full]
	if !ok {
		c = b.pages[candidateKey(p)]
	}
	chosen := []*DatasetInfo{}
	if v, ok := sc.lookup(p.Name); ok {
		chosen = append(chosen, datasetsOf(v)...)
	}
	options := []any{}
	shown := map[DatasetRef]bool{}
	for _, d := range c.page.Datasets {
		shown[d.Ref()] = true
		options = append(options, b.option(d, d.Name, false))
	}
	pinned := []any{}
	carried := map[string][]any{"hda": {}, "ldda": {}, "dce": {}, "hdca": {}}
	for _, d := range chosen {
		if d == nil || shown[d.Ref()] {
			continue
		}
		shown[d.Ref()] = true
		switch {
		case d.src() != "hda":
			carried[d.src()] = append(carried[d.src()], b.option(d, d.Name, true))
		case d.Deleted:
			options = append(options, b.option(d, "(deleted) "+d.Name, true))
		case !d.Visible:
			options = append(options, b.option(d, "(hidden) "+d.Name, true))
		case d.HistoryID != b.p.env.HistoryID:
			options = append(options, b.option(d, "(not in current history) "+d.Name, true))
		default:
			pinned = append(pinned, b.option(d, d.Name, true))
		}
	}
	byHID := func(x, y any) int {
		h := func(v any) int64 { n, _ := v.(map[string]any)["hid"].(int64); return n }
		return int(h(y) - h(x))
	}
	slices.SortStableFunc(options, byHID)
	slices.SortStableFunc(pinned, byHID)
	m["options"] = map[string]any{"dce": carried["dce"], "ldda": carried["ldda"], "hda": options, "hdca": carried["hdca"]}
	m["pinned"] = map[string]any{"dce": []any{}, "ldda": []any{}, "hda": pinned, "hdca": []any{}}
	if b.in.HistoryID == "" {
		m["options_meta"] = map[string]any{}
		return
	}
	limit := c.query.Limit
	if limit == 0 {
		limit = formPageSize
	}
	m["options_meta"] = map[string]any{
		"hda":  pageMeta(c.query.Offset, limit, c.page.Total, c.query.Offset+len(c.page.Datasets) < c.page.Total),
		"hdca": pageMeta(0, formPageSize, 0, false),
	}
}

func intBound(s *string) any {
	if s == nil {
		return nil
	}
	if n, ok := pyInt(*s); ok {
		return n
	}
	return *s
}

func (b *formBuilder) option(d *DatasetInfo, name string, keep bool) map[string]any {
	id := d.EncodedID
	if id == "" && b.p.env.IDs != nil {
		id = b.p.env.IDs.Encode(d.ID)
	}
	hid := d.HID
	if hid == 0 {
		hid = -1
	}
	return map[string]any{"id": id, "hid": hid, "name": name, "tags": stringList(d.Tags), "src": d.src(), "keep": keep}
}
