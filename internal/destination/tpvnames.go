package destination

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"orrery/internal/cheetah"
)

// gibibyte is the unit of TPV's sizes.
const gibibyte = 1 << 30

// inputSize is the size of the inputs in GiB, each dataset once.
func inputSize(inputs []Input) float64 {
	total := 0.0
	for _, in := range distinct(inputs) {
		total += float64(in.Size)
	}
	return total / gibibyte
}

// distinct are the inputs with each dataset once.
func distinct(inputs []Input) []Input {
	seen := map[int64]bool{}
	var out []Input
	for _, in := range inputs {
		if !seen[in.DatasetID] {
			seen[in.DatasetID] = true
			out = append(out, in)
		}
	}
	return out
}

// resourceFields are the resource requirements of tools that TPV takes over.
var resourceFields = map[string]string{"cores_min": "cores", "cores_max": "max_cores", "ram_min": "mem", "ram_max": "max_mem",
	"cuda_device_count_min": "gpus", "cuda_device_count_max": "max_gpus"}

// toolResources are a tool's requirements by TPV's names; memory becomes GiB.
func toolResources(t Tool) map[string]cheetah.Value {
	out := map[string]cheetah.Value{}
	for typ, field := range resourceFields {
		v, ok := t.Resources[typ]
		switch {
		case !ok:
		case strings.HasPrefix(typ, "ram_"):
			out[field] = v / 1024
		default:
			out[field] = v // a float, as Galaxy gives it, so that `{cores}` is 4.0
		}
	}
	return out
}

// names sets what the rules know of the job.
func (j *tpvJob) names() {
	req := j.req
	var user cheetah.Value
	if u := req.User; u != nil {
		roles := cheetah.NewList()
		for _, name := range u.Roles {
			roles.Items = append(roles.Items, &record{"Role", map[string]cheetah.Value{"name": name, "deleted": false}})
		}
		user = &record{"User", map[string]cheetah.Value{
			"id": u.ID, "email": u.Email, "username": u.Username, "roles": roles, "deleted": false,
			"preferences": textDict(u.Preferences), "extra_preferences": textDict(u.Preferences),
			"all_roles": constant("all_roles", roles),
		}}
	}
	tool := toolRecord(req.Tool)
	job := jobRecord(req, user)
	options := &record{"Config", map[string]cheetah.Value{}}
	for name, v := range j.router.opts.Config {
		options.attrs[name] = cheetah.FromGo(v)
	}
	app := &record{"UniverseApplication", map[string]cheetah.Value{"config": options, "tool_data_tables": j.router.tables()}}
	wrapper := &record{"JobWrapper", map[string]cheetah.Value{"job_id": req.Job.ID, "tool": tool, "user": "", "app": app, "get_job": constant("get_job", job)}}
	if req.User != nil {
		wrapper.attrs["user"] = req.User.Email
	}
	var workflow cheetah.Value
	if req.Job.WorkflowInvocation != "" {
		workflow = req.Job.WorkflowInvocation
	}
	for name, v := range map[string]cheetah.Value{
		"app": app, "tool": tool, "user": user, "job": job, "job_wrapper": wrapper,
		"resource_params":          cheetah.FromGo(orEmpty(req.Resources)),
		"workflow_invocation_uuid": workflow,
		"mapper":                   mapperValue{j.cfg},
	} {
		j.vars[name] = v
	}
	j.base = j.code.modules.(*tpvModules).globals
}

// tables are app.tool_data_tables.
func (r *Router) tables() cheetah.Value {
	return &record{"ToolDataTableManager", map[string]cheetah.Value{"get": method{"get", func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		name := cheetah.Str(argument(args, kwargs, 0, "key"))
		if r.opts.DataTables == nil || !r.opts.DataTables.Has(name) {
			return nil, nil
		}
		return &record{"TabularToolDataTable", map[string]cheetah.Value{"name": name, "get_entry": method{"get_entry", func(args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			entry, found := r.opts.DataTables.Entry(name, cheetah.Str(argument(args, kwargs, 0, "query_attr")), cheetah.Str(argument(args, kwargs, 1, "query_val")), cheetah.Str(argument(args, kwargs, 2, "return_attr")))
			if !found {
				return nil, nil
			}
			return entry, nil
		}}}}, nil
	}}}}
}

// mapperValue is TPV's mapper as rules see it.
type mapperValue struct{ cfg *tpvConfig }

// TypeName implements cheetah.Object.
func (m mapperValue) TypeName() string { return "EntityToDestinationMapper" }

// Attr implements cheetah.Attrer. The destinations are copies, made when a rule asks.
func (m mapperValue) Attr(name string) (cheetah.Value, error) {
	switch name {
	case "default_inherits":
		return m.cfg.defaultInherits, nil
	case "destinations":
		all := cheetah.NewDict()
		for _, id := range m.cfg.lists["destinations"].order {
			all.Set(id, m.cfg.lists["destinations"].by[id].clone())
		}
		return all, nil
	}
	return nil, cheetah.ErrNoAttr
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func textDict(m map[string]string) cheetah.Value {
	d := cheetah.NewDict()
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		d.Set(k, m[k])
	}
	return d
}

// constant is a method that gives one value whatever its arguments.
func constant(name string, v cheetah.Value) cheetah.Value {
	return method{name, func([]cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) { return v, nil }}
}

func toolRecord(t Tool) cheetah.Value {
	attrs := map[string]cheetah.Value{
		"id": t.ID, "old_id": orElse(t.OldID, t.ID), "name": t.Name, "tool_type": orElse(t.Type, "default"), "version": nil, "dynamic_tool": nil,
		"requires_galaxy_python_environment": t.RequiresGalaxy,
	}
	if t.Version != "" {
		attrs["version"] = t.Version
	}
	if t.UUID != "" {
		attrs["dynamic_tool"] = &record{"DynamicTool", map[string]cheetah.Value{"uuid": t.UUID}}
	}
	ids := cheetah.NewList()
	for _, id := range IDs(t) {
		ids.Items = append(ids.Items, id)
	}
	attrs["all_ids"] = ids
	containers := cheetah.NewList()
	for _, c := range t.Containers {
		containers.Items = append(containers.Items, &record{"ContainerDescription", map[string]cheetah.Value{"type": c.Type, "identifier": c.Identifier}})
	}
	attrs["containers"] = containers
	requirements := cheetah.NewList()
	types := make([]string, 0, len(t.Resources))
	for typ := range t.Resources {
		types = append(types, typ)
	}
	sort.Strings(types)
	for _, typ := range types {
		requirements.Items = append(requirements.Items, &record{"ResourceRequirement", map[string]cheetah.Value{
			"resource_type": typ, "get_value": constant("get_value", t.Resources[typ])}})
	}
	attrs["resource_requirements"] = requirements
	return &toolValue{record{"Tool", attrs}, toolResources(t)}
}

// toolValue is a tool as rules see it; helpers find its resources.
type toolValue struct {
	record
	resources map[string]cheetah.Value
}

// jobValue is a job as rules see it; helpers find its inputs.
type jobValue struct {
	record
	inputs []Input
	params map[string]any
	sets   []cheetah.Value // the datasets of inputs, in their order
}

func jobRecord(req *Request, user cheetah.Value) cheetah.Value {
	j := &jobValue{inputs: req.Inputs, params: req.Params}
	historyTags := cheetah.NewList()
	for _, t := range req.Job.HistoryTags {
		historyTags.Items = append(historyTags.Items, &record{"HistoryTagAssociation", map[string]cheetah.Value{"user_tname": t}})
	}
	inputs := cheetah.NewList()
	for _, in := range req.Inputs {
		set := datasetRecord(in)
		j.sets = append(j.sets, set)
		inputs.Items = append(inputs.Items, &record{"JobToInputDatasetAssociation", map[string]cheetah.Value{"name": in.Name, "dataset": set}})
	}
	previous := map[string]string{}
	var previousID cheetah.Value
	if req.Previous != nil {
		previous, previousID = req.Previous.Params, req.Previous.ID
	}
	params := cheetah.FromGo(orEmpty(req.Params))
	var session, userID cheetah.Value
	if req.Job.SessionID != 0 {
		session = req.Job.SessionID
	}
	if req.User != nil {
		userID = req.User.ID
	}
	raw := cheetah.NewDict()
	parameters := cheetah.NewList()
	names := make([]string, 0, len(req.Params))
	for name := range req.Params {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		b, err := json.Marshal(req.Params[name])
		if err != nil {
			continue
		}
		raw.Set(name, string(b))
		parameters.Items = append(parameters.Items, &record{"JobParameter", map[string]cheetah.Value{"name": name, "value": string(b)}})
	}
	if req.Job.WorkflowInvocation != "" {
		raw.Set("__workflow_invocation_uuid__", req.Job.WorkflowInvocation)
	}
	state := orElse(req.Job.State, "new")
	j.record = record{"Job", map[string]cheetah.Value{
		"id": req.Job.ID, "tool_id": req.Tool.ID, "tool_version": req.Tool.Version, "state": state, "get_state": constant("get_state", state),
		"user": user, "user_id": userID, "session_id": session, "history_id": req.Job.HistoryID,
		"history":        &record{"History", map[string]cheetah.Value{"id": req.Job.HistoryID, "name": "", "tags": historyTags}},
		"input_datasets": inputs, "input_library_datasets": cheetah.NewList(), "output_datasets": cheetah.NewList(),
		"parameters": parameters, "raw_param_dict": constant("raw_param_dict", raw), "get_param_values": constant("get_param_values", params),
		"param_values": params, "destination_params": textDict(previous), "destination_id": previousID,
	}}
	return j
}

func datasetRecord(in Input) cheetah.Value {
	size := constant("get_size", in.Size)
	var path, store cheetah.Value
	if in.Path != "" {
		path = in.Path
	}
	if in.ObjectStoreID != "" {
		store = in.ObjectStoreID
	}
	file := &record{"Dataset", map[string]cheetah.Value{"id": in.DatasetID, "file_size": in.Size, "total_size": in.Size, "get_size": size,
		"object_store_id": store, "file_name": path, "get_file_name": constant("get_file_name", path)}}
	metadata := &record{"MetadataCollection", map[string]cheetah.Value{"dbkey": in.DBKey}}
	for name, v := range in.Metadata {
		metadata.attrs[name] = cheetah.FromGo(v)
	}
	return &record{"HistoryDatasetAssociation", map[string]cheetah.Value{"id": in.HDAID, "name": in.Title, "extension": in.Ext, "ext": in.Ext,
		"dataset": file, "dataset_id": in.DatasetID, "get_size": size, "dbkey": in.DBKey, "metadata": metadata}}
}

// countsKey is the context's key of the counts that a choice makes.
type countsKey struct{}

// counts asks for counts of jobs and remembers that it failed, which is no mistake of the rule.
type counts struct {
	asked int
	err   error
}

// maxCounts bounds the questions to the database for one job.
const maxCounts = 100

func (r *Router) count(ctx context.Context, f JobFilter) (cheetah.Value, error) {
	c, _ := ctx.Value(countsKey{}).(*counts)
	if c == nil {
		c = &counts{}
	}
	if r.opts.Counts == nil {
		return nil, &cheetah.RaiseError{Type: "RuntimeError", Msg: "this server does not count jobs for rules"}
	}
	if c.asked++; c.asked > maxCounts {
		return nil, &cheetah.RaiseError{Type: "RuntimeError", Msg: "a rule counts jobs more than 100 times for one job"}
	}
	n, err := r.opts.Counts.Count(ctx, f)
	if err != nil {
		c.err = err
		return nil, &cheetah.RaiseError{Type: "RuntimeError", Msg: err.Error()}
	}
	return int64(n), nil
}

// tpvModules are the modules that rules may import, and the names that they have without.
type tpvModules struct {
	router  *Router
	named   map[string]*cheetah.Module
	globals map[string]cheetah.Value
}

// enginesModules are those of the template engine that rules may use.
var enginesModules = []string{"os", "os.path", "string", "sys", "time", "collections", "functools", "itertools", "operator", "math", "json", "re",
	"base64", "hashlib", "textwrap", "datetime", "uuid", "random", "shlex", "copy"}

var importExpr = mustExpr("__import__(name)")

// module implements pyModules.
func (m *tpvModules) module(name string) (cheetah.Value, bool) {
	if v, ok := m.named[name]; ok {
		return v, true
	}
	if !slices.Contains(enginesModules, name) {
		return nil, false
	}
	v, err := importExpr.Eval(context.Background(), cheetah.MapScope{"name": name}, cheetah.Limits{})
	return v, err == nil
}

type hostFunc = func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error)

func newTPVModules(r *Router) *tpvModules {
	m := &tpvModules{router: r, named: map[string]*cheetah.Module{}}
	add := func(name string, attrs map[string]cheetah.Value) *cheetah.Module {
		mod := &cheetah.Module{Name: name, Attrs: attrs}
		m.named[name] = mod
		return mod
	}
	helpers := add("tpv.core.helpers", r.helpers())
	exceptions := func(names ...string) map[string]cheetah.Value {
		out := map[string]cheetah.Value{}
		for _, name := range names {
			out[name] = &exceptionType{name}
		}
		return out
	}
	entities := exceptions("TryNextDestinationOrFail", "TryNextDestinationOrWait", "IncompatibleTagsException")
	types := &record{"EnumType", map[string]cheetah.Value{}}
	for typ, name := range tagNames {
		types.attrs[strings.ToUpper(name)] = tagTypeValue(typ)
	}
	entities["TagType"] = types
	entities["SchedulingTags"] = cheetah.Func("SchedulingTags", makeTags)
	entities["Tag"] = cheetah.Func("Tag", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		return &record{"Tag", map[string]cheetah.Value{"value": argument(args, kwargs, 0, "value"), "tag_type": argument(args, kwargs, 1, "tag_type")}}, nil
	})
	core := add("tpv.core", map[string]cheetah.Value{"helpers": helpers, "entities": add("tpv.core.entities", entities)})
	add("tpv", map[string]cheetah.Value{"core": core})
	mapper := add("galaxy.jobs.mapper", exceptions("JobMappingException", "JobNotReadyException"))
	rules := add("galaxy.jobs.rule_helper", map[string]cheetah.Value{"RuleHelper": cheetah.Func("RuleHelper", r.ruleHelper)})
	jobs := add("galaxy.jobs", map[string]cheetah.Value{"mapper": mapper, "rule_helper": rules})
	add("galaxy", map[string]cheetah.Value{"jobs": jobs})
	log := r.logger()
	logging := add("logging", map[string]cheetah.Value{"getLogger": cheetah.Func("getLogger", func(context.Context, []cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
		return log, nil
	}), "DEBUG": int64(10), "INFO": int64(20), "WARNING": int64(30), "ERROR": int64(40)})
	for name, v := range log.attrs {
		logging.Attrs[name] = v
	}
	if r.opts.Fetch != nil {
		add("requests", r.requests())
	}
	m.extend()
	m.globals = map[string]cheetah.Value{"helpers": helpers, "log": log, "logging": logging, "__name__": "tpv.core.loader"}
	if v, ok := m.module("functools"); ok {
		m.globals["functools"] = v
	}
	return m
}

// extend adds what rules use of modules that the template engine has not, or not all of.
func (m *tpvModules) extend() {
	types := map[string]cheetah.Value{"cast": cheetah.Func("cast", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		return argument(args, kwargs, 1, "val"), nil
	})}
	for _, name := range []string{"Any", "Callable", "Dict", "Iterable", "List", "Optional", "Sequence", "Set", "Tuple", "Union"} {
		types[name] = &record{"typing", nil} // for annotations, which have no effect
	}
	m.named["typing"] = &cheetah.Module{Name: "typing", Attrs: types}
	if number, err := numberExpr.Eval(context.Background(), cheetah.MapScope{}, cheetah.Limits{}); err == nil {
		m.named["numbers"] = &cheetah.Module{Name: "numbers", Attrs: map[string]cheetah.Value{"Number": number, "Real": number}}
	}
	if v, ok := m.module("datetime"); ok {
		dates := &cheetah.Module{Name: "datetime", Attrs: maps.Clone(v.(*cheetah.Module).Attrs)}
		dates.Attrs["timedelta"] = cheetah.Func("timedelta", timedelta)
		m.named["datetime"] = dates
	}
	if v, ok := m.module("random"); ok {
		random := &cheetah.Module{Name: "random", Attrs: maps.Clone(v.(*cheetah.Module).Attrs)}
		for _, name := range []string{"SystemRandom", "Random"} {
			random.Attrs[name] = cheetah.Func(name, func(context.Context, []cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
				return random, nil
			})
		}
		m.named["random"] = random
	}
}

// timedelta makes a span of time: it has a length, and RuleHelper.job_count takes it; dates cannot be moved by it.
func timedelta(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
	seconds := 0.0
	for i, unit := range []struct {
		name    string
		seconds float64
	}{{"days", 86400}, {"seconds", 1}, {"microseconds", 1e-6}, {"milliseconds", 1e-3}, {"minutes", 60}, {"hours", 3600}, {"weeks", 604800}} {
		n, _ := number(argument(args, kwargs, i, unit.name))
		seconds += n * unit.seconds
	}
	days := math.Floor(seconds / 86400)
	if math.Abs(days) > 999_999_999 {
		return nil, &cheetah.RaiseError{Type: "OverflowError", Msg: "days are out of range"}
	}
	return &record{"timedelta", map[string]cheetah.Value{"days": int64(days), "seconds": int64(seconds - days*86400), "total_seconds": constant("total_seconds", seconds)}}, nil
}

// spanOf is the length of what timedelta made.
func spanOf(v cheetah.Value) (time.Duration, bool) {
	r, ok := v.(*record)
	if !ok || r.typ != "timedelta" {
		return 0, false
	}
	days, _ := r.attrs["days"].(int64)
	seconds, _ := r.attrs["seconds"].(int64)
	return time.Duration(min(days, 36500))*24*time.Hour + time.Duration(seconds)*time.Second, true
}

var numberExpr = mustExpr("(int, float)")

func makeTags(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
	t := newTags()
	for name, v := range kwargs {
		if err := t.SetAttr(name, v); err != nil {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: err.Error()}
		}
	}
	return t, nil
}

// logger is what rules write messages to: warnings and worse reach the server's log.
func (r *Router) logger() *record {
	log := &record{"Logger", map[string]cheetah.Value{}}
	for _, level := range []string{"debug", "info", "warning", "warn", "error", "exception", "critical"} {
		quiet := level == "debug" || level == "info"
		log.attrs[level] = cheetah.Func(level, func(ctx context.Context, args []cheetah.Value, _ map[string]cheetah.Value) (cheetah.Value, error) {
			if !quiet && len(args) > 0 {
				message := cheetah.Str(args[0])
				for _, a := range args[1:] {
					message += " " + cheetah.Str(a)
				}
				r.opts.Warn("a rule says: " + clip(message, 2000))
			}
			return nil, nil
		})
	}
	return log
}

// requests is the part of the requests module that rules use to ask other servers, over the guarded fetcher.
func (r *Router) requests() map[string]cheetah.Value {
	failure := &exceptionType{"RequestException"}
	get := func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		address := cheetah.Str(argument(args, kwargs, 0, "url"))
		if params, ok := argument(args, kwargs, 1, "params").(*cheetah.Dict); ok {
			q := url.Values{}
			params.Each(func(key, val cheetah.Value) bool {
				q.Add(cheetah.Str(key), cheetah.Str(val))
				return true
			})
			if strings.Contains(address, "?") {
				address += "&" + q.Encode()
			} else {
				address += "?" + q.Encode()
			}
		}
		body, err := r.opts.Fetch(ctx, address)
		if err != nil {
			return nil, &cheetah.RaiseError{Type: "OSError", Msg: err.Error()}
		}
		if len(body) > maxFileSize {
			return nil, &cheetah.RaiseError{Type: "OSError", Msg: "the answer is too large"}
		}
		return &record{"Response", map[string]cheetah.Value{
			"status_code": int64(200), "ok": true, "text": string(body), "content": cheetah.Bytes(body), "raise_for_status": constant("raise_for_status", nil),
			"json": method{"json", func([]cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
				if !json.Valid(body) {
					return nil, &cheetah.RaiseError{Type: "ValueError", Msg: "the answer is not JSON"}
				}
				return cheetah.FromGo(json.RawMessage(body)), nil
			}},
		}}, nil
	}
	inner := &cheetah.Module{Name: "requests.exceptions", Attrs: map[string]cheetah.Value{"RequestException": failure, "ConnectionError": failure, "Timeout": failure, "HTTPError": failure}}
	return map[string]cheetah.Value{"get": cheetah.Func("get", get), "exceptions": inner, "RequestException": failure}
}

// ruleHelper is Galaxy's RuleHelper as far as rules count jobs with it.
func (r *Router) ruleHelper(context.Context, []cheetah.Value, map[string]cheetah.Value) (cheetah.Value, error) {
	texts := func(v cheetah.Value) []string {
		switch v := v.(type) {
		case nil:
			return nil
		case *cheetah.List:
			var out []string
			for _, item := range v.Items {
				out = append(out, cheetah.Str(item))
			}
			return out
		}
		return listify(cheetah.Str(v))
	}
	count := func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		f := JobFilter{RegisteredOnly: true}
		for name, v := range kwargs {
			switch name {
			case "for_user_email":
				if v != nil {
					f.UserEmail = cheetah.Str(v)
				}
			case "for_destination", "for_destinations":
				f.Destinations = append(f.Destinations, texts(v)...)
			case "for_job_states":
				f.States = texts(v)
			case "created_in_last", "updated_in_last":
				span, ok := spanOf(v)
				if !ok && v != nil {
					return nil, &cheetah.RaiseError{Type: "TypeError", Msg: name + " takes a timedelta"}
				}
				if name == "created_in_last" {
					f.CreatedIn = span
				} else {
					f.UpdatedIn = span
				}
			default:
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: fmt.Sprintf("job_count has no argument %q in a rule", name)}
			}
		}
		return r.count(ctx, f)
	}
	burst := func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		states := texts(argument(args, kwargs, 2, "job_states"))
		if states == nil {
			states = []string{"queued", "running"}
		}
		n, err := r.count(ctx, JobFilter{RegisteredOnly: true, Destinations: texts(argument(args, kwargs, 0, "destination_ids")), States: states})
		if err != nil {
			return nil, err
		}
		limit, _ := number(argument(args, kwargs, 1, "num_jobs"))
		return float64(n.(int64)+1) > limit, nil
	}
	container := func(kind string) cheetah.Value {
		return cheetah.Func("supports_"+kind, func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			t, ok := argument(args, kwargs, 0, "job_or_tool").(*toolValue)
			if !ok {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "supports_" + kind + " takes the tool in a rule"}
			}
			for _, c := range t.attrs["containers"].(*cheetah.List).Items {
				if c.(*record).attrs["type"] == kind {
					return true, nil
				}
			}
			return false, nil
		})
	}
	return &record{"RuleHelper", map[string]cheetah.Value{"job_count": cheetah.Func("job_count", count), "should_burst": cheetah.Func("should_burst", burst),
		"supports_docker": container("docker"), "supports_singularity": container("singularity")}}, nil
}

// listify cuts text at commas, as Galaxy does.
func listify(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		out = append(out, strings.TrimSpace(item))
	}
	if s == "" {
		return nil
	}
	return out
}

// helpers are the functions of TPV's module of that name.
func (r *Router) helpers() map[string]cheetah.Value {
	out := map[string]cheetah.Value{"GIGABYTES": float64(gibibyte), "DEFAULT_COMPRESSION_FACTOR": 3.4}
	add := func(name string, f hostFunc) { out[name] = cheetah.Func(name, f) }
	job := func(name string, v cheetah.Value) (*jobValue, error) {
		if j, ok := v.(*jobValue); ok {
			return j, nil
		}
		return nil, &cheetah.RaiseError{Type: "TypeError", Msg: name + " takes the job"}
	}
	add("input_size", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		j, err := job("input_size", argument(args, kwargs, 0, "job"))
		if err != nil {
			return nil, err
		}
		return inputSize(j.inputs), nil
	})
	add("get_dataset_size", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		v, err := sizeExpr.Eval(ctx, cheetah.MapScope{"d": argument(args, kwargs, 0, "dataset")}, cheetah.Limits{})
		return v, err
	})
	add("get_input_datasets", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		j, err := job("get_input_datasets", argument(args, kwargs, 0, "job"))
		if err != nil {
			return nil, err
		}
		return cheetah.NewList(j.named(argument(args, kwargs, 1, "param_name"))...), nil
	})
	add("get_input_dataset", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		j, err := job("get_input_dataset", argument(args, kwargs, 0, "job"))
		if err != nil {
			return nil, err
		}
		if all := j.named(argument(args, kwargs, 1, "param_name")); len(all) > 0 {
			return all[0], nil
		}
		return nil, nil
	})
	add("get_input_size", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		j, err := job("get_input_size", argument(args, kwargs, 0, "job"))
		if err != nil {
			return nil, err
		}
		estimate, factor := cheetah.Value(true), 3.4
		if len(args) > 2 || kwargs["estimate_uncompressed_size"] != nil {
			estimate = argument(args, kwargs, 2, "estimate_uncompressed_size")
		}
		if f, ok := number(argument(args, kwargs, 3, "compression_factor")); ok {
			factor = f
		}
		total := 0.0
		for _, i := range j.indexes(argument(args, kwargs, 1, "param_name")) {
			size := float64(j.inputs[i].Size)
			if ext := j.inputs[i].Ext; cheetah.Truth(estimate) && (strings.HasSuffix(ext, ".gz") || strings.HasSuffix(ext, ".bz2")) {
				size *= factor
			}
			total += size
		}
		return total / gibibyte, nil
	})
	add("calculate_dataset_total", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		v, err := totalExpr.Eval(ctx, cheetah.MapScope{"ds": argument(args, kwargs, 0, "datasets")}, cheetah.Limits{})
		return v, err
	})
	add("get_dataset_attributes", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		v, err := attributesExpr.Eval(ctx, cheetah.MapScope{"ds": argument(args, kwargs, 0, "datasets")}, cheetah.Limits{})
		return v, err
	})
	add("job_args_match", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		j, err := job("job_args_match", argument(args, kwargs, 0, "job"))
		if err != nil {
			return nil, err
		}
		want, ok := argument(args, kwargs, 2, "args").(*cheetah.Dict)
		if !ok || want.Len() == 0 {
			return false, nil
		}
		return argumentsMatch(cheetah.FromGo(orEmpty(j.params)), want), nil
	})
	add("concurrent_job_count_for_tool", func(ctx context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		t, ok := argument(args, kwargs, 1, "tool").(*toolValue)
		if !ok {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "concurrent_job_count_for_tool takes app, tool and user"}
		}
		f := JobFilter{States: []string{"queued", "running"}}
		id := cheetah.Str(t.attrs["id"])
		if i := strings.LastIndexByte(id, '/'); i >= 0 {
			f.ToolPrefix = id[:i+1]
		} else {
			f.Tool = id
		}
		if u, ok := argument(args, kwargs, 2, "user").(*record); ok {
			f.UserID, _ = u.attrs["id"].(int64)
		}
		return r.count(ctx, f)
	})
	add("tag_values_match", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		e, ok := argument(args, kwargs, 0, "entity").(*entity)
		if !ok {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "tag_values_match takes an entity"}
		}
		has := e.tags.all()
		contains := func(v cheetah.Value, want bool) bool {
			if l, ok := v.(*cheetah.List); ok {
				for _, item := range l.Items {
					if slices.Contains(has, cheetah.Str(item)) != want {
						return false
					}
				}
			}
			return true
		}
		return contains(argument(args, kwargs, 1, "match_tag_values"), true) && contains(argument(args, kwargs, 2, "exclude_tag_values"), false), nil
	})
	for name, holds := range map[string]func(int) bool{
		"tool_version_eq": func(c int) bool { return c == 0 }, "tool_version_lt": func(c int) bool { return c < 0 }, "tool_version_lte": func(c int) bool { return c <= 0 },
		"tool_version_gt": func(c int) bool { return c > 0 }, "tool_version_gte": func(c int) bool { return c >= 0 },
	} {
		add(name, func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
			t, ok := argument(args, kwargs, 0, "tool").(*toolValue)
			if !ok {
				return nil, &cheetah.RaiseError{Type: "TypeError", Msg: name + " takes the tool and a version"}
			}
			other := argument(args, kwargs, 1, "version")
			if t.attrs["version"] == nil || other == nil {
				return nil, nil
			}
			return holds(compareVersions(cheetah.Str(t.attrs["version"]), cheetah.Str(other))), nil
		})
	}
	add("get_tool_resource_field", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		if t, ok := argument(args, kwargs, 0, "tool").(*toolValue); ok {
			return t.resources[cheetah.Str(argument(args, kwargs, 1, "field_name"))], nil
		}
		return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "get_tool_resource_field takes the tool and a field's name"}
	})
	add("weighted_random_sampling", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		l, ok := argument(args, kwargs, 0, "destinations").(*cheetah.List)
		if !ok {
			return nil, &cheetah.RaiseError{Type: "TypeError", Msg: "weighted_random_sampling takes a list of destinations"}
		}
		weights := make([]float64, len(l.Items))
		for i, item := range l.Items {
			weights[i] = 1
			if e, ok := item.(*entity); ok {
				if params, ok := e.vals["params"].(*cheetah.Dict); ok {
					if w, ok := params.Get("weight"); ok {
						weights[i], _ = number(w)
					}
				}
			}
		}
		return cheetah.NewList(r.draw(l.Items, weights, len(l.Items))...), nil
	})
	add("weighted_choice", func(_ context.Context, args []cheetah.Value, kwargs map[string]cheetah.Value) (cheetah.Value, error) {
		l, ok := argument(args, kwargs, 0, "items").(*cheetah.List)
		if !ok || len(l.Items) == 0 {
			return nil, &cheetah.RaiseError{Type: "ValueError", Msg: "weighted_choice requires a non-empty list of items"}
		}
		weights := make([]float64, len(l.Items))
		for i, item := range l.Items {
			weights[i] = 1
			if item, ok := item.(*cheetah.Dict); ok {
				if w, ok := item.Get("weight"); ok {
					weights[i], _ = number(w)
				}
			}
		}
		return r.draw(l.Items, weights, 1)[0], nil
	})
	return out
}

var (
	sizeExpr       = mustExpr("float(d.get_size(nice_size=False, calculate_size=False))")
	totalExpr      = mustExpr("float(sum({d.dataset.dataset.id: d.dataset.dataset.get_size() for d in ds or []}.values()))")
	attributesExpr = mustExpr("{i.dataset.dataset.id: {'object_store_id': i.dataset.dataset.object_store_id, 'size': float(i.dataset.dataset.get_size())} for i in ds or []}")
)

// indexes are the inputs of one parameter, each dataset once; nil is all.
func (j *jobValue) indexes(param cheetah.Value) []int {
	seen := map[int64]bool{}
	var out []int
	var own *regexp.Regexp
	if param != nil {
		own = regexp.MustCompile(`^` + regexp.QuoteMeta(cheetah.Str(param)) + `[0-9]*$`)
	}
	for i, in := range j.inputs {
		if own != nil && !own.MatchString(in.Name) || seen[in.DatasetID] {
			continue
		}
		seen[in.DatasetID] = true
		out = append(out, i)
	}
	return out
}

func (j *jobValue) named(param cheetah.Value) []cheetah.Value {
	var out []cheetah.Value
	for _, i := range j.indexes(param) {
		out = append(out, j.sets[i])
	}
	return out
}

// argumentsMatch tells whether the job's parameters hold what args says, each by the path that its keys make.
func argumentsMatch(params cheetah.Value, args *cheetah.Dict) bool {
	matched := true
	args.Each(func(key, want cheetah.Value) bool {
		have := params
		for depth := 0; depth < maxDepth; depth++ {
			d, ok := have.(*cheetah.Dict)
			if !ok {
				matched = false
				return false
			}
			if have, ok = d.Get(key); !ok {
				matched = false
				return false
			}
			inner, ok := want.(*cheetah.Dict)
			if !ok || inner.Len() == 0 {
				break
			}
			inner.Each(func(k, v cheetah.Value) bool { key, want = k, v; return false })
		}
		equal, err := equalExpr.Eval(context.Background(), cheetah.MapScope{"a": want, "b": have}, cheetah.Limits{})
		matched = matched && err == nil && equal == true
		return matched
	})
	return matched
}

var equalExpr = mustExpr("a == b")

// draw takes k items at random: by weight, with repetition, if any weight differs from 1, else each at most once.
func (r *Router) draw(items []cheetah.Value, weights []float64, k int) []cheetah.Value {
	total, weighted := 0.0, false
	for i, w := range weights {
		weights[i] = max(w, 0)
		total += weights[i]
		weighted = weighted || weights[i] != 1
	}
	if !weighted || total <= 0 {
		out := slices.Clone(items)
		for i := range out {
			j := i + r.opts.Intn(len(out)-i)
			out[i], out[j] = out[j], out[i]
		}
		return out[:min(k, len(out))]
	}
	out := make([]cheetah.Value, 0, k)
	for range k {
		at := float64(r.opts.Intn(1<<52)) / (1 << 52) * total
		pick := -1
		for i, w := range weights {
			if w == 0 {
				continue
			}
			pick = i
			if at -= w; at < 0 {
				break
			}
		}
		out = append(out, items[pick])
	}
	return out
}
