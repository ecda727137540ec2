package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Gravity is the `gravity:` section: which processes run.
type Gravity struct {
	// Present tells whether the file has the section.
	Present bool

	ProcessManager string  // "supervisor", "systemd" or "multiprocessing"; "" when unset. Orrery is its own manager
	InstanceName   string  // "_default_" when unset
	Umask          string  // octal digits; "022" in a section that does not set it, as in gravity, and "" without one
	MemoryLimit    float64 // GB, for services that set none of their own; 0 is none
	MemoryHigh     float64 // GB
	GalaxyRoot     string
	GalaxyUser     string
	GalaxyGroup    string
	LogDir         string // as written; [Config.LogDir] is resolved
	AppServer      string
	// For the files that `orrery update` writes for supervisord and systemd.
	ServiceCommandStyle string // "gravity" or "direct": whether command lines say what the file says, or only where it is
	UseServiceInstances bool   // one template unit for handlers that differ in their number only
	Virtualenv          string // Galaxy's virtualenv, "" when unset; jobs find its programs
	LogNamespace        string // of systemd's journal
	// MasterHooks are lines hook-master-start, which the documentation of 22.01 still prints: what signals do.
	MasterHooks []SignalHook

	// Gunicorn are the groups of web workers; there is one unless `gunicorn:` is a list. A disabled one is left out, so
	// that none means no web workers.
	Gunicorn []Gunicorn
	// Handlers are the groups of job handlers, in the file's order.
	Handlers []HandlerGroup
}

// HandlerGroup is one entry of `handlers:`, which becomes Processes job handlers.
type HandlerGroup struct {
	Name         string
	Processes    int
	Pools        []string // such as job-handlers or job-handlers.special
	NameTemplate string   // "" for gravity's own rule
	ServerName   string   // of a single process; "" for what the template gives
	StartTimeout int      // seconds
	StopTimeout  int      // seconds
	Umask        string
	MemoryLimit  float64
	MemoryHigh   float64
	Environment  map[string]string
}

// ProcessNames are the server names of the group's processes. As in gravity the template is {name}_{process}, counted
// from 0, and a single process whose name ends in a digit keeps that name.
func (h HandlerGroup) ProcessNames(instance string) []string {
	if h.ServerName != "" && h.Processes == 1 {
		return []string{h.ServerName}
	}
	template := strings.TrimSpace(h.NameTemplate)
	if h.NameTemplate == "" {
		if n := len(h.Name); h.Processes == 1 && n > 0 && h.Name[n-1] >= '0' && h.Name[n-1] <= '9' {
			return []string{h.Name}
		}
		template = "{name}_{process}"
	}
	names := make([]string, h.Processes)
	for i := range names {
		names[i] = strings.NewReplacer("{name}", h.Name, "{process}", fmt.Sprint(i), "{instance_name}", instance,
			"{{", "{", "}}", "}").Replace(template)
	}
	return names
}

// maxProcesses bounds what one typing error may start.
const maxProcesses = 1000

// serviceKeys are the settings that every service of gravity has.
const serviceKeys = " enable extra_args umask start_timeout stop_timeout memory_limit memory_high environment "

var (
	gravityKeys = wordSet(`process_manager service_command_style use_service_instances umask memory_limit memory_high
		galaxy_config_file galaxy_root galaxy_user galaxy_group log_dir log_namespace virtualenv app_server
		instance_name gunicorn celery gx_it_proxy tusd reports handlers die-on-term hook-master-start`)
	handlerKeys = wordSet(serviceKeys + `processes pools name_template server_name server_pools`)
	// otherServices are services of Galaxy that Orrery has no process for.
	otherServices = map[string]map[string]bool{
		"celery":      wordSet(serviceKeys + `enable_beat concurrency loglevel queues pool`),
		"gx_it_proxy": wordSet(serviceKeys + `version ip port sessions verbose forward_ip forward_port reverse_proxy`),
		"tusd":        wordSet(serviceKeys + `tusd_path host port upload_dir hooks_http hooks_enabled_events`),
		"reports":     wordSet(serviceKeys + `config_file bind workers timeout url_prefix`),
	}
)

// instead says what replaces gravity's other services.
var instead = map[string]string{
	"celery":      "what Celery does for Galaxy, the web workers and job handlers do themselves",
	"gx_it_proxy": "interactive tools are not served, so that there is nothing to send to them",
	"tusd":        "the web workers speak the tus protocol themselves, at /api/upload/resumable_upload, and keep what is unfinished in tus_upload_store; the proxy sends that path to them like any other",
	"reports":     "there is no reports server; “orrery top”, “orrery pool” and the metrics of the admin listener say what runs",
}

// gravityReader reads the section's values, reporting what is wrong with them.
type gravityReader struct {
	report *report
}

// readGravity reads the `gravity:` section; n may be nil.
func readGravity(n *node, r *report, env map[string]string) Gravity {
	g := Gravity{InstanceName: "_default_", AppServer: "gunicorn", Present: n != nil, ServiceCommandStyle: "gravity", UseServiceInstances: true}
	if g.Present {
		g.Umask = "022"
	}
	in := gravityReader{report: r}
	if n.isNull() {
		n = &node{kind: mapNode}
	}
	if n.kind != mapNode {
		r.add(Error, n, "gravity takes a mapping (indented lines of “name: value”), not %s", n.describe())
		return g
	}
	in.keys(n, "gravity", gravityKeys)
	top := func(name string) *node {
		if v := n.get(name); !v.isNull() {
			return v
		}
		if v := env["GRAVITY_"+strings.ToUpper(name)]; v != "" {
			return &node{kind: scalarNode, plain: true, text: v, file: "environment variable GRAVITY_" + strings.ToUpper(name)}
		}
		return nil
	}
	g.ProcessManager = in.oneOf(top("process_manager"), "process_manager", "", "supervisor", "systemd", "multiprocessing")
	g.ServiceCommandStyle = in.oneOf(top("service_command_style"), "service_command_style", "gravity", "gravity", "direct", "_exec")
	g.UseServiceInstances = in.boolean(top("use_service_instances"), "use_service_instances", true) && g.ServiceCommandStyle == "gravity"
	g.Umask = in.umask(top("umask"), g.Umask)
	g.MemoryLimit = in.number(top("memory_limit"), "memory_limit", 0)
	g.MemoryHigh = in.number(top("memory_high"), "memory_high", 0)
	g.GalaxyRoot = in.text(top("galaxy_root"), "galaxy_root", "")
	g.GalaxyUser = in.text(top("galaxy_user"), "galaxy_user", "")
	g.GalaxyGroup = in.text(top("galaxy_group"), "galaxy_group", "")
	g.LogDir = in.text(top("log_dir"), "log_dir", "")
	g.Virtualenv = in.text(top("virtualenv"), "virtualenv", "")
	g.LogNamespace = in.text(top("log_namespace"), "log_namespace", "")
	g.AppServer = in.oneOf(top("app_server"), "app_server", g.AppServer, "gunicorn", "unicornherder")
	if v := top("instance_name"); v != nil {
		g.InstanceName = in.text(v, "instance_name", g.InstanceName)
	}

	web := top("gunicorn")
	switch {
	case web != nil && web.kind == listNode:
		for _, item := range web.items {
			if group, enabled := in.gunicorn(item); enabled {
				g.Gunicorn = append(g.Gunicorn, group)
			}
		}
	default:
		if group, enabled := in.gunicorn(web); enabled {
			g.Gunicorn = append(g.Gunicorn, group)
		}
	}
	for i := range g.Gunicorn {
		fillLimits(&g.Gunicorn[i].Umask, &g.Gunicorn[i].MemoryLimit, &g.Gunicorn[i].MemoryHigh, g.Umask, g.MemoryLimit, g.MemoryHigh)
	}

	if handlers := n.get("handlers"); !handlers.isNull() {
		if handlers.kind != mapNode {
			r.add(Error, handlers, "handlers takes a mapping of names to settings, such as “handler: {processes: 2, pools: [job-handlers]}”, not %s", handlers.describe())
		} else {
			in.repeated(handlers, "handlers")
			for _, p := range handlers.pairs {
				if group, enabled := in.handler(p); enabled {
					fillLimits(&group.Umask, &group.MemoryLimit, &group.MemoryHigh, g.Umask, g.MemoryLimit, g.MemoryHigh)
					g.Handlers = append(g.Handlers, group)
				}
			}
		}
	}
	in.handlerNames(n.get("handlers"), g)

	hooks := uwsgiReader{gravityReader: in}
	for _, p := range n.pairs {
		if p.key == "hook-master-start" && p.value.kind == scalarNode {
			hooks.hook(p.value)
		}
	}
	g.MasterHooks = hooks.u.MasterHooks
	for _, name := range slices.Sorted(maps.Keys(otherServices)) {
		in.otherService(n.get(name), name)
	}
	return g
}

func fillLimits(umask *string, limit, high *float64, topUmask string, topLimit, topHigh float64) {
	if *umask == "" {
		*umask = topUmask
	}
	if *limit == 0 {
		*limit = topLimit
	}
	if *high == 0 {
		*high = topHigh
	}
}

func (in gravityReader) handler(p pair) (h HandlerGroup, enabled bool) {
	h = HandlerGroup{Name: p.key, Processes: 1, StartTimeout: 20, StopTimeout: 65, Environment: map[string]string{}}
	n := p.value
	if n.isNull() {
		return h, true
	}
	if n.kind != mapNode {
		in.report.add(Error, n, "the handler group %s takes a mapping such as “{processes: 2, pools: [job-handlers]}”, not %s", p.key, n.describe())
		return h, true
	}
	in.keys(n, "gravity: handlers: "+p.key, handlerKeys)
	h.Processes = in.count(n.get("processes"), "processes", 1, 0, maxProcesses)
	pools := n.get("pools")
	if pools.isNull() {
		pools = n.get("server_pools")
	}
	h.Pools = in.list(pools, "pools")
	for _, pool := range h.Pools {
		if base, _, _ := strings.Cut(pool, "."); !KnownPool(pool) {
			in.report.add(Warning, pools, "the pool “%s” is none that Galaxy serves: pools are named job-handlers, job-handlers.TAG or workflow-schedulers%s",
				pool, didYouMean(base, []string{"job-handlers", "workflow-schedulers"}))
		}
	}
	h.NameTemplate = in.text(n.get("name_template"), "name_template", "")
	h.ServerName = in.text(n.get("server_name"), "server_name", "")
	if h.ServerName != "" && h.Processes > 1 {
		in.report.add(Warning, n.get("server_name"), "the handler group %s has %d processes, which cannot all be named %s; name_template names them (%s and so on)", p.key, h.Processes, clip(h.ServerName, 60),
			h.ProcessNames("")[0])
	}
	h.StartTimeout = in.count(n.get("start_timeout"), "start_timeout", h.StartTimeout, 0, 1<<30)
	h.StopTimeout = in.count(n.get("stop_timeout"), "stop_timeout", h.StopTimeout, 0, 1<<30)
	h.Umask = in.umask(n.get("umask"), "")
	h.MemoryLimit = in.number(n.get("memory_limit"), "memory_limit", 0)
	h.MemoryHigh = in.number(n.get("memory_high"), "memory_high", 0)
	h.Environment = in.environment(n.get("environment"))
	return h, in.boolean(n.get("enable"), "enable", true)
}

// handlerNames reports process names that cannot be used or that two groups share.
func (in gravityReader) handlerNames(at *node, g Gravity) {
	seen := map[string]string{}
	for _, group := range g.Handlers {
		for _, name := range group.ProcessNames(g.InstanceName) {
			if !validServerName(name) {
				in.report.add(Error, at, "“%s” cannot be a server's name: use letters, digits, “.”, “_” and “-”", clip(name, 80))
				return
			}
			if other, taken := seen[name]; taken {
				in.report.add(Error, at, "the handler groups %s and %s both make a process named %s; give one another name or name_template", other, group.Name, name)
				return
			}
			seen[name] = group.Name
		}
	}
}

// ValidServerName tells whether a name can be a server's: letters, digits and a few signs, no path.
func ValidServerName(name string) bool { return validServerName(name) }

// validServerName tells whether a name can be a server's: it becomes a file name, a column's value and a word in logs.
func validServerName(name string) bool {
	if name == "" || len(name) > 200 || strings.Trim(name, ".") == "" {
		return false
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-@:+", c)) {
			return false
		}
	}
	return true
}

func (in gravityReader) otherService(n *node, name string) {
	if n.isNull() {
		return
	}
	instances := []*node{n}
	if n.kind == listNode {
		instances = n.items
	}
	for _, item := range instances {
		if item.kind != mapNode {
			in.report.add(Error, item, "%s takes a mapping, not %s", name, item.describe())
			continue
		}
		in.keys(item, "gravity: "+name, otherServices[name])
		enable := item.get("enable")
		// Celery is on where it is mentioned at all, as in gravity; the others have to be enabled.
		if in.boolean(enable, "enable", name == "celery") {
			in.report.add(Notice, item, "gravity: %s: nothing is started: %s", name, instead[name])
		}
	}
}

// keys reports unknown and repeated keys of a mapping.
func (in gravityReader) keys(n *node, where string, known map[string]bool) {
	in.repeated(n, where)
	for _, p := range n.pairs {
		if !known[p.key] {
			in.report.add(Warning, p.at, "%s: nobody knows the setting “%s”%s", where, clip(p.key, 80), didYouMean(p.key, sortedKeys(known)))
		}
	}
}

// repeated reports keys that are written twice.
func (in gravityReader) repeated(n *node, where string) { reportRepeated(in.report, n, where) }

func reportRepeated(r *report, n *node, where string) {
	first := map[string]*node{}
	for _, p := range n.pairs {
		if p.merged || p.key == "hook-master-start" { // uWSGI's, which is repeated
			continue
		}
		if at, again := first[p.key]; again {
			r.add(Error, p.at, "%s: “%s” is given twice, here and in line %d; keep one", where, clip(p.key, 80), at.line)
			continue
		}
		first[p.key] = p.at
	}
}

func (in gravityReader) text(n *node, name, def string) string {
	if n.isNull() {
		return def
	}
	if n.kind != scalarNode {
		in.report.add(Error, n, "%s takes a text, not %s", name, n.describe())
		return def
	}
	return n.text
}

func (in gravityReader) oneOf(n *node, name, def string, values ...string) string {
	s := in.text(n, name, def)
	if n.isNull() || n.kind != scalarNode || slices.Contains(values, s) {
		return s
	}
	in.report.add(Error, n, "%s is one of %s, not %s", name, strings.Join(values, ", "), n.describe())
	return def
}

func (in gravityReader) boolean(n *node, name string, def bool) bool {
	if n.isNull() {
		return def
	}
	v, ok := (&option{name: name, kind: kindBool}).typed(n, in.report)
	if !ok {
		return def
	}
	return v.(bool)
}

func (in gravityReader) count(n *node, name string, def, lowest, highest int) int {
	if n.isNull() {
		return def
	}
	v, ok := (&option{name: name, kind: kindInt, def: int64(def)}).typed(n, in.report)
	if !ok {
		return def
	}
	if i := v.(int64); i < int64(lowest) || i > int64(highest) {
		in.report.add(Error, n, "%s is a number from %d to %d, not %d", name, lowest, highest, i)
		return def
	}
	return int(v.(int64))
}

func (in gravityReader) number(n *node, name string, def float64) float64 {
	if n.isNull() {
		return def
	}
	v, ok := (&option{name: name, kind: kindFloat, def: def}).typed(n, in.report)
	if !ok {
		return def
	}
	return v.(float64)
}

func (in gravityReader) umask(n *node, def string) string {
	s := in.text(n, "umask", def)
	if s != "" && (len(s) > 5 || strings.Trim(strings.TrimPrefix(s, "0o"), "01234567") != "") {
		in.report.add(Error, n, "umask takes octal digits in quotes such as \"022\", not %s", n.describe())
		return def
	}
	return strings.TrimPrefix(s, "0o")
}

func (in gravityReader) list(n *node, name string) []string {
	switch {
	case n.isNull():
		return nil
	case n.kind == scalarNode:
		return asList(n.text)
	case n.kind == listNode:
		var out []string
		for _, item := range n.items {
			if item.kind != scalarNode {
				in.report.add(Error, item, "%s takes a list of names, not %s in it", name, item.describe())
				return nil
			}
			out = append(out, item.text)
		}
		return out
	}
	in.report.add(Error, n, "%s takes a list of names, not %s", name, n.describe())
	return nil
}

func (in gravityReader) environment(n *node) map[string]string {
	out := map[string]string{}
	if n.isNull() {
		return out
	}
	if n.kind != mapNode {
		in.report.add(Error, n, "environment takes a mapping of variables to values, not %s", n.describe())
		return out
	}
	in.repeated(n, "environment")
	for _, p := range n.pairs {
		if p.value.kind == listNode || p.value.kind == mapNode {
			in.report.add(Error, p.value, "the environment variable %s takes a text, not %s", p.key, p.value.describe())
			continue
		}
		if p.key == "" || strings.ContainsAny(p.key, "=\x00") || strings.ContainsRune(p.value.text, 0) {
			in.report.add(Error, p.at, "“%s” cannot be an environment variable", clip(p.key, 80))
			continue
		}
		out[p.key] = p.value.text
	}
	return out
}

// splitWords splits a command line as a shell does, without expansions.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false
	var quote rune
	escaped := false
	for _, c := range s {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, started = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if started {
				words = append(words, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote is not closed in %q", clip(s, 80))
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}
