package config

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loadJobs finds and reads the job configuration: job_config, else job_config_file, else job_conf.yml or job_conf.xml
// in the configuration's directory, else Galaxy's default.
func (l *loader) loadJobs() {
	c := l.config
	if l.jobConfig != nil {
		if at := l.set["job_config_file"]; at != nil {
			l.report.add(Warning, at, "job_config_file is ignored, since job_config is given")
		}
		c.Jobs = l.readJobs(l.jobConfig, "inline")
		return
	}
	path := c.String("job_config_file")
	if !exists(path) {
		if at := l.set["job_config_file"]; at != nil {
			l.missing(at, "job_config_file", path)
		}
		path = filepath.Join(c.ConfigDir, "job_conf.xml")
		if !exists(path) {
			c.Jobs = defaultJobConfig()
			return
		}
	}
	c.Jobs = l.readJobFile(path)
}

func (l *loader) readJobFile(path string) *JobConfig {
	if !strings.Contains(filepath.Base(path), ".xml") {
		return l.readJobs(l.readYAML(path), path)
	}
	data, err := readBounded(path)
	if err != nil {
		l.report.file(Error, path, "%s", fileProblem(err))
		return defaultJobConfig()
	}
	n := l.jobXML(path, data)
	if n == nil {
		return defaultJobConfig()
	}
	return l.readJobs(n, path)
}

// jobReader turns the nodes of a job configuration in YAML's form into a JobConfig.
type jobReader struct {
	gravityReader // its readers of typed values serve here as well
	jobs          *JobConfig
	root          string // where relative paths start
}

var (
	jobKeys       = wordSet("runners handling execution tools resources limits dynamic")
	handlingKeys  = wordSet("assign default max_grab ready_window_size processes")
	processKeys   = wordSet("tags plugins environment")
	executionKeys = wordSet("default environments")
)

func (l *loader) readJobs(n *node, source string) *JobConfig {
	in := jobReader{gravityReader{report: l.report}, defaultJobConfig(), l.config.Root}
	if n.isNull() {
		return in.jobs
	}
	if n.kind != mapNode {
		l.report.add(Error, n, "a job configuration takes a mapping with runners, handling and execution, not %s", n.describe())
		return in.jobs
	}
	in.jobs.Source = source
	in.keys(n, "the job configuration", jobKeys)
	in.runners(n)
	in.handling(section(n, "handling"))
	in.execution(n)
	in.tools(n.get("tools"))
	in.resources(n.get("resources"))
	in.limits(n.get("limits"))
	return in.jobs
}

// mapping checks that a value is a mapping without repeated keys; ok is false when it is absent or not one.
func (in jobReader) mapping(n *node, where string) bool {
	if n.isNull() {
		return false
	}
	if n.kind != mapNode {
		in.report.add(Error, n, "%s takes a mapping, not %s", where, n.describe())
		return false
	}
	in.repeated(n, where)
	return true
}

func (in jobReader) runners(n *node) {
	j := in.jobs
	if dynamic := n.get("dynamic"); in.mapping(dynamic, "dynamic") {
		j.DynamicParams = params(dynamic)
	}
	runners := n.get("runners")
	if runners.isNull() {
		in.report.add(Error, n, "the job configuration has no runners; a local one is “runners: {local: {load: \"galaxy.jobs.runners.local:LocalJobRunner\", workers: 4}}”")
		return
	}
	if !in.mapping(runners, "runners") {
		return
	}
	j.Runners = nil
	for _, p := range runners.pairs {
		r := Runner{ID: p.key, Workers: 4, Params: map[string]any{}}
		if p.value.isNull() {
			p.value = &node{kind: mapNode, file: p.at.file, line: p.at.line, column: p.at.column}
		}
		if !in.mapping(p.value, "the runner "+p.key) {
			continue
		}
		if kwds := p.value.get("kwds"); in.mapping(kwds, "kwds") {
			r.Params = params(kwds)
		} else {
			r.Params = params(p.value, "id", "load", "workers", "kwds")
		}
		if !enabled(r.Params) {
			continue
		}
		if r.ID == "dynamic" {
			j.DynamicParams = r.Params
			continue
		}
		r.Workers = in.count(p.value.get("workers"), "workers", r.Workers, 0, 10000)
		if r.Load = in.text(p.value.get("load"), "load", ""); r.Load == "" {
			in.report.add(Error, p.at, "the runner %s does not say what it is; add for example “load: galaxy.jobs.runners.local:LocalJobRunner”", r.ID)
		}
		j.Runners = append(j.Runners, r)
	}
}

// params converts a mapping's entries, without those named.
func params(n *node, without ...string) map[string]any {
	out := map[string]any{}
	for _, p := range n.pairs {
		if !slices.Contains(without, p.key) {
			out[p.key] = p.value.plainValue()
		}
	}
	return out
}

// enabled takes the parameter `enabled` out and tells its value, which is true when it is absent.
func enabled(params map[string]any) bool {
	v, ok := params["enabled"]
	delete(params, "enabled")
	return !ok || asBool(v)
}

func (in jobReader) handling(n *node) {
	h := &in.jobs.Handling
	h.Declared = n != nil
	if n != nil {
		h.At = n.place()
	}
	if !in.mapping(n, "handling") {
		return
	}
	in.keys(n, "handling", handlingKeys)
	for _, method := range in.list(n.get("assign"), "assign") {
		method = strings.ToLower(strings.TrimSpace(method))
		if !slices.Contains(AssignMethods, method) {
			in.report.add(Error, n.get("assign"), "“%s” is no way to assign jobs; there are %s%s", clip(method, 60), strings.Join(AssignMethods, ", "), didYouMean(method, AssignMethods))
			continue
		}
		h.Assign = append(h.Assign, method)
	}
	h.Default = in.text(n.get("default"), "default", "")
	h.MaxGrab = in.count(n.get("max_grab"), "max_grab", 0, 1, 1<<30)
	h.ReadyWindowSize = in.count(n.get("ready_window_size"), "ready_window_size", h.ReadyWindowSize, 1, 1<<30)
	processes := n.get("processes")
	if !in.mapping(processes, "processes") {
		return
	}
	for _, p := range processes.pairs {
		handler := Handler{ID: p.key, Tags: []string{DefaultHandlerTag}, Environment: map[string]string{}, At: p.at.place()}
		if !validServerName(p.key) {
			in.report.add(Error, p.at, "“%s” cannot be a handler's id: use letters, digits, “.”, “_” and “-”", clip(p.key, 80))
			continue
		}
		if in.mapping(p.value, "the handler "+p.key) {
			in.keys(p.value, "the handler "+p.key, processKeys)
			if tags := in.list(p.value.get("tags"), "tags"); len(tags) > 0 {
				handler.Tags = tags
			}
			handler.Plugins = in.list(p.value.get("plugins"), "plugins")
			handler.Environment = in.environment(p.value.get("environment"))
			for _, plugin := range handler.Plugins {
				if _, ok := in.jobs.RunnerByID(plugin); !ok {
					in.report.add(Warning, p.value.get("plugins"), "the handler %s is to load the runner “%s”, which is not declared%s", p.key, clip(plugin, 60), didYouMean(plugin, in.runnerIDs()))
				}
			}
		}
		h.Handlers = append(h.Handlers, handler)
	}
}

func (in jobReader) runnerIDs() []string {
	ids := []string{"dynamic"}
	for _, r := range in.jobs.Runners {
		ids = append(ids, r.ID)
	}
	return ids
}

func (in jobReader) execution(n *node) {
	j := in.jobs
	execution := n.get("execution")
	if !in.mapping(execution, "execution") {
		if execution.isNull() {
			in.report.add(Error, n, "the job configuration has no execution section; a local one is “execution: {default: local, environments: {local: {runner: local}}}”")
		}
		return
	}
	in.keys(execution, "execution", executionKeys)
	environments := execution.get("environments")
	var entries []pair
	switch {
	case environments.isNull():
	case environments.kind == listNode:
		for _, item := range environments.items {
			if id := item.get("id"); item.kind != mapNode || id.isNull() || id.kind != scalarNode {
				in.report.add(Error, item, "an entry in the list of environments needs an “id”")
			} else {
				entries = append(entries, pair{key: id.text, at: item, value: item})
			}
		}
	case in.mapping(environments, "environments"):
		entries = environments.pairs
	}
	j.Destinations = nil
	seen := map[string]*node{}
	for _, p := range entries {
		if first, again := seen[p.key]; again {
			if environments.kind == listNode {
				in.report.add(Error, p.at, "the destination %s is given twice, here and in line %d", p.key, first.line)
			}
			continue
		}
		seen[p.key] = p.at
		if d, ok := in.destination(p); ok {
			j.Destinations = append(j.Destinations, d)
		}
	}
	j.DefaultDestination = in.text(execution.get("default"), "default", "")
	switch {
	case len(j.Destinations) == 0:
		in.report.add(Error, execution, "execution declares no environment (destination) that is enabled, so no job could run")
	case j.DefaultDestination == "" && len(j.Destinations) == 1:
		j.DefaultDestination = j.Destinations[0].ID
	case j.DefaultDestination == "":
		in.report.add(Error, execution, "execution has several environments and no default; add for example “default: %s”", j.Destinations[0].ID)
	case len(j.DestinationsFor(j.DefaultDestination)) == 0:
		in.report.add(Error, execution.get("default"), "the default “%s” is neither an environment's (destination's) id nor a tag%s", clip(j.DefaultDestination, 60), didYouMean(j.DefaultDestination, in.destinationNames()))
	}
}

func (in jobReader) destinationNames() []string {
	var names []string
	for _, d := range in.jobs.Destinations {
		names = append(append(names, d.ID), d.Tags...)
	}
	return names
}

func (in jobReader) destination(p pair) (Destination, bool) {
	d := Destination{ID: p.key, Params: map[string]any{}}
	n := p.value
	if n.isNull() {
		in.report.add(Error, p.at, "the environment %s does not say its runner; add for example “runner: local”", p.key)
		return d, false
	}
	if !in.mapping(n, "the environment "+p.key) {
		return d, false
	}
	if own := n.get("params"); in.mapping(own, "params") {
		d.Params = params(own)
	} else {
		d.Params = params(n, "id", "tags", "runner", "shell", "env", "resubmit", "params", "metrics")
	}
	if !enabled(d.Params) {
		return d, false
	}
	d.Runner = in.text(n.get("runner"), "runner", "")
	switch d.Runner {
	case "":
		in.report.add(Error, p.at, "the environment %s does not say its runner; add for example “runner: local”", p.key)
	case "dynamic":
	case "dynamic_tpv":
		d.Runner = "dynamic"
		d.Params["type"], d.Params["function"], d.Params["rules_module"] = "python", "map_tool_to_destination", "tpv.rules"
	default:
		if _, ok := in.jobs.RunnerByID(d.Runner); !ok {
			in.report.add(Warning, p.at, "the environment %s uses the runner “%s”, which is not declared%s; jobs sent there will fail", p.key, clip(d.Runner, 60), didYouMean(d.Runner, in.runnerIDs()))
		}
	}
	d.Tags = in.list(n.get("tags"), "tags")
	d.Shell = in.text(n.get("shell"), "shell", "")
	d.Metrics = in.metrics(n.get("metrics"))
	for _, item := range in.entries(n.get("env"), "env") {
		d.Env = in.env(d.Env, item)
	}
	for _, item := range in.entries(n.get("resubmit"), "resubmit") {
		in.keys(item, "resubmit", wordSet("condition environment destination handler delay"))
		r := Resubmit{Condition: in.text(item.get("condition"), "condition", ""), Handler: in.text(item.get("handler"), "handler", ""),
			Delay: in.text(item.get("delay"), "delay", ""), Destination: in.text(item.get("environment"), "environment", "")}
		if r.Destination == "" {
			r.Destination = in.text(item.get("destination"), "destination", "")
		}
		d.Resubmit = append(d.Resubmit, r)
	}
	return d, true
}

// metrics reads what is measured of a destination's jobs: a list of plugins, {src: disabled}, {src: path, path: …}, or
// as in XML a path, “on” or “off”.
func (in jobReader) metrics(n *node) any {
	path := func(at *node) any {
		p := in.text(at, "metrics", "")
		if p == "" {
			return nil
		}
		if !filepath.IsAbs(p) {
			p = filepath.Join(in.root, p)
		}
		if !exists(p) {
			in.report.add(Warning, at, "metrics: there is no file %s; nothing is measured there", p)
		}
		return p
	}
	switch {
	case n.isNull():
		return nil
	case n.kind == listNode:
		in.entries(n, "metrics")
		return n.plainValue()
	case n.kind == mapNode:
		in.keys(n, "metrics", wordSet("src path"))
		switch in.oneOf(n.get("src"), "src", "default", "default", "disabled", "path") {
		case "disabled":
			return false
		case "path":
			return path(n.get("path"))
		}
		return nil
	}
	switch strings.ToLower(strings.TrimSpace(n.text)) {
	case "off", "false", "no", "0", "none":
		return false
	case "on", "true", "yes", "1", "":
		return nil
	}
	return path(n)
}

// entries returns a list's mappings and reports everything else in it.
func (in jobReader) entries(n *node, name string) []*node {
	if n.isNull() {
		return nil
	}
	if n.kind != listNode {
		in.report.add(Error, n, "%s takes a list (lines that begin with “- ”), not %s", name, n.describe())
		return nil
	}
	var out []*node
	for _, item := range n.items {
		if item.kind == mapNode {
			out = append(out, item)
		} else {
			in.report.add(Error, item, "%s takes a list of mappings, not %s in it", name, item.describe())
		}
	}
	return out
}

// env adds one entry of `env`: name and value, file, execute, or several variables in one mapping.
func (in jobReader) env(list []EnvEntry, n *node) []EnvEntry {
	e := EnvEntry{Name: in.text(n.get("name"), "name", ""), File: in.text(n.get("file"), "file", ""), Execute: in.text(n.get("execute"), "execute", "")}
	if e.Execute == "" {
		e.Execute = in.text(n.get("exec"), "exec", "")
	}
	e.Value, e.Raw = in.text(n.get("value"), "value", ""), in.boolean(n.get("raw"), "raw", false)
	switch {
	case e.Name != "" && e.File == "" && e.Execute == "":
		if !variable.MatchString(e.Name) {
			in.report.add(Error, n, "“%s” cannot be an environment variable", clip(e.Name, 60))
			return list
		}
		return append(list, e)
	case e.Name == "" && (e.File == "") != (e.Execute == ""):
		return append(list, e)
	}
	in.report.add(Error, n, "an entry of env has either name and value, or file, or execute")
	return list
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (in jobReader) tools(n *node) {
	for _, item := range in.entries(n, "tools") {
		t := ToolMapping{ID: in.text(item.get("id"), "id", ""), Class: in.text(item.get("class"), "class", ""),
			Handler: in.text(item.get("handler"), "handler", ""), Resources: in.text(item.get("resources"), "resources", ""),
			Destination: in.text(item.get("environment"), "environment", ""), At: item.place()}
		if t.Destination == "" {
			t.Destination = in.text(item.get("destination"), "destination", "")
		}
		if (t.ID == "") == (t.Class == "") {
			in.report.add(Error, item, "an entry of tools has either the tool's id or a class")
			continue
		}
		classes := []string{"local", "requires_galaxy", "user_defined"}
		if t.Class != "" && !slices.Contains(classes, t.Class) {
			in.report.add(Error, item.get("class"), "class is one of %s, not %q", strings.Join(classes, ", "), clip(t.Class, 60))
			continue
		}
		if own := item.get("params"); in.mapping(own, "params") {
			t.Params = params(own)
		} else {
			t.Params = params(item, "environment", "destination", "handler", "id", "class", "resources", "params")
		}
		if t.Destination != "" && len(in.jobs.DestinationsFor(t.Destination)) == 0 {
			in.report.add(Warning, item, "the tool %s is mapped to “%s”, which is no environment (destination) and no tag%s; its jobs will fail", t.ID+t.Class, clip(t.Destination, 60), didYouMean(t.Destination, in.destinationNames()))
		}
		in.jobs.Tools = append(in.jobs.Tools, t)
	}
}

func (in jobReader) resources(n *node) {
	if !in.mapping(n, "resources") {
		return
	}
	in.keys(n, "resources", wordSet("default groups"))
	in.jobs.Resources.Default = in.text(n.get("default"), "default", "")
	if groups := n.get("groups"); in.mapping(groups, "groups") {
		for _, p := range groups.pairs {
			in.jobs.Resources.Groups[p.key] = in.list(p.value, "the group "+p.key)
		}
	}
}

var limitTypes = []string{"registered_user_concurrent_jobs", "anonymous_user_concurrent_jobs",
	"destination_user_concurrent_jobs", "destination_total_concurrent_jobs", "environment_user_concurrent_jobs",
	"environment_total_concurrent_jobs", "concurrent_jobs", "walltime", "total_walltime", "output_size"}

func (in jobReader) limits(n *node) {
	limits := &in.jobs.Limits
	for _, item := range in.entries(n, "limits") {
		kind := in.text(item.get("type"), "type", "")
		if !slices.Contains(limitTypes, kind) {
			in.report.add(Error, item, "“%s” is no type of limit; there are %s%s", clip(kind, 60), strings.Join(limitTypes, ", "), didYouMean(kind, limitTypes))
			continue
		}
		value := item.get("value")
		if value.isNull() || value.kind == scalarNode && strings.TrimSpace(value.text) == "" {
			continue
		}
		number := func() int { return in.count(value, kind, 0, 0, math.MaxInt32) }
		target := in.text(item.get("tag"), "tag", in.text(item.get("id"), "id", ""))
		switch kind {
		case "registered_user_concurrent_jobs":
			limits.RegisteredUserConcurrentJobs = number()
		case "anonymous_user_concurrent_jobs":
			limits.AnonymousUserConcurrentJobs = number()
		case "walltime":
			limits.Walltime = in.duration(value, kind)
		case "total_walltime":
			limits.TotalWalltime = in.duration(value, kind)
			limits.TotalWalltimeWindow = time.Duration(in.count(item.get("window"), "window", 30, 1, 36500)) * 24 * time.Hour
		case "output_size":
			size, ok := ParseSize(in.text(value, kind, ""))
			if !ok {
				in.report.add(Error, value, "output_size takes a size such as 10GB, not %s", value.describe())
			}
			limits.OutputSize = size
		default:
			if target == "" {
				in.report.add(Error, item, "the limit %s needs the id or the tag of a destination", kind)
			} else if strings.Contains(kind, "total") {
				limits.DestinationTotalConcurrentJobs[target] = number()
			} else {
				limits.DestinationUserConcurrentJobs[target] = number()
			}
		}
	}
}

// duration reads HOURS:MINUTES:SECONDS.
func (in jobReader) duration(n *node, name string) time.Duration {
	var total time.Duration
	parts := strings.Split(strings.TrimSpace(in.text(n, name, "")), ":")
	ok := len(parts) == 3
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if !ok {
			break
		}
		v, err := strconv.ParseUint(strings.TrimSpace(parts[i]), 10, 20)
		ok = err == nil
		total += time.Duration(v) * unit
	}
	if !ok {
		in.report.add(Error, n, "%s takes hours:minutes:seconds in quotes, such as \"24:00:00\", not %s", name, n.describe())
		return 0
	}
	return total
}

var sizeForm = regexp.MustCompile(`^((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)\s*(?:([kmgtpe])(i?)(?:b|bytes?|ilobytes?|egabytes?|igabytes?|erabytes?|etabytes?|xabytes?|bibytes?|ebibytes?|xbibytes?)?|b|bytes?)?$`)

// ParseSize reads a number of bytes as Galaxy does: "10GB", "10 g", "1.5 MiB", "1024". Units count in thousands, those
// with an i in 1024s.
func ParseSize(s string) (int64, bool) {
	m := sizeForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	base := 1000.0
	if m[3] != "" {
		base = 1024
	}
	if m[2] != "" {
		v *= math.Pow(base, float64(strings.Index("kmgtpe", m[2])+1))
	}
	if v >= math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}
