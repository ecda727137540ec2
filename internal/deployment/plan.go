package deployment

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery/internal/config"
	"orrery/internal/listen"
)

// Kind is what a planned process is.
type Kind string

// The kinds of processes.
const (
	Web     Kind = "web"     // a web worker, which may handle jobs as well
	Handler Kind = "handler" // a job handler without a web server
)

// Planned is one server process that the configuration asks for.
type Planned struct {
	// ServerName is what Galaxy would call it: main.1, main.2 for web workers, handler_0 or an id of job_conf for handlers;
	// main.web.1 and main.job-handlers.1 with uWSGI, and the section's name with galaxy.ini.
	ServerName string `json:"name"`
	Kind       Kind   `json:"kind"`
	// Group is what shares listeners: the web workers' number in gravity's list (0 for the first), or their section's
	// name. For handlers it is where they come from: their name in gravity, a farm, or “job_conf”.
	Group string `json:"group"`
	// Binds are the addresses that a web worker listens on; all of a group share them. BindAt is where they are
	// written, "" when they are the default.
	Binds  []string `json:"binds,omitempty"`
	BindAt string   `json:"-"`
	// Listeners are the same with what is spoken there; Binds is what a person is told.
	Listeners []listen.Spec `json:"-"`
	// HandleJobs tells whether the process runs job code: always for handlers, for web workers in all-in-one.
	HandleJobs bool `json:"handles_jobs"`
	// Pools are the pools it is attached to, as gravity writes them (job-handlers, job-handlers.TAG).
	Pools []string `json:"pools,omitempty"`
	// Tags are the tags whose jobs it takes besides those assigned to its name. In all-in-one it is the default tag.
	Tags []string `json:"tags,omitempty"`
	// Plugins are the runners it loads; none means all.
	Plugins     []string          `json:"plugins,omitempty"`
	Environment map[string]string `json:"-"`
	// Virtualenv is gravity's, whose programs jobs are to find first; "" is none. See [Planned.Variables].
	Virtualenv string `json:"-"`
	Umask      int    `json:"-"` // -1 when unset
	// Service is what gravity's commands call it: “gunicorn” for web workers, the group's name for handlers.
	Service string `json:"service"`
	// StartTimeout is how long gravity's units let a start take; ReadyTimeout how long a process may take until it
	// serves, and RestartTimeout the same when it is to take over from another. StopTimeout is the time from SIGTERM to SIGKILL.
	StartTimeout   time.Duration `json:"-"`
	ReadyTimeout   time.Duration `json:"-"`
	RestartTimeout time.Duration `json:"-"`
	StopTimeout    time.Duration `json:"-"`
	// MemoryLimit is in GB; a process above it is replaced. 0 is none. MemoryHigh is for units alone.
	MemoryLimit float64 `json:"-"`
	MemoryHigh  float64 `json:"-"`
	// Limits are for web workers.
	Limits  config.RequestLimits `json:"-"`
	LogFile string               `json:"log"`
}

// Variables are the environment variables of the process besides those of the supervisor, whose PATH is path, as
// NAME=VALUE in order.
func (p Planned) Variables(path string) []string {
	all := map[string]string{}
	if p.Virtualenv != "" {
		all["VIRTUAL_ENV"] = p.Virtualenv
		all["PATH"] = strings.TrimSuffix(filepath.Join(p.Virtualenv, "bin")+":"+path, ":")
	}
	maps.Copy(all, p.Environment)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}

// Plan is what the configuration asks for: the processes, and who of them handles which job.
type Plan struct {
	Processes []Planned `json:"processes"`
	Handling  Handling  `json:"handling"`
	// Warnings are about jobs that may wait and processes that may idle, Notices what is worth knowing.
	Warnings []string `json:"warnings,omitempty"`
	// Own are the sockets of the supervisor itself: for statistics and for the administrator.
	Own []listen.Spec `json:"-"`
	// Signals says what the supervisor does at each signal.
	Signals map[syscall.Signal]Action `json:"-"`
	// ZergPools are sockets that the supervisor holds for other servers, which it serves nothing on.
	ZergPools []ZergPool `json:"-"`
	// Zerg are the pools, by the paths of their sockets, whose listeners uWSGI's web workers get besides their own.
	// ZergProtocol is what is spoken on those, "" as the pool says.
	Zerg         []string        `json:"-"`
	ZergProtocol listen.Protocol `json:"-"`
	// User and Group are whom a server that is started as root serves as; "" stays root.
	User    string   `json:"user,omitempty"`
	Group   string   `json:"group,omitempty"`
	Notices []string `json:"notices,omitempty"`
}

// ZergPool is a socket over which listeners are handed to whoever attaches.
type ZergPool struct {
	Socket    listen.Spec
	Listeners []listen.Spec
}

// Process finds a planned process.
func (p *Plan) Process(name string) (Planned, bool) {
	for _, process := range p.Processes {
		if process.ServerName == name {
			return process, true
		}
	}
	return Planned{}, false
}

// NewPlan derives the processes and the handling of jobs from the configuration. An error stops the start: the
// configuration asks for what cannot be, or would leave some job waiting for ever.
//
// As in Galaxy 22.01 and later: nothing configured is one process that does everything; gunicorn's workers are web
// workers, which handle jobs as well unless there are handlers or job_conf has a handlers section; gravity's handlers and
// those that job_conf declares are processes of their own. As in 19.01: uWSGI's processes are web workers, the mules of
// its farms are handlers, and web workers handle jobs unless there are mules or a default handler.
func NewPlan(c *config.Config, engine Engine) (*Plan, error) {
	plan, err := newPlan(c, engine)
	if err == nil {
		return plan, nil
	}
	// What cannot be planned is a mistake in the files, like any other.
	invalid := &config.InvalidError{}
	var several mistakes
	if !errors.As(err, &several) {
		several = mistakes{{at: config.Place{File: c.Path}, message: err.Error()}}
	}
	for _, m := range several {
		invalid.Problems = append(invalid.Problems, config.Problem{Severity: config.Error, File: m.at.File, Line: m.at.Line, Column: m.at.Column, Message: m.message})
	}
	return plan, invalid
}

// mistakes are what a plan is refused for, each with its place.
type mistakes []mistake

type mistake struct {
	at      config.Place
	message string
}

func (m mistakes) Error() string {
	var lines []string
	for _, one := range m {
		lines = append(lines, one.message)
	}
	return strings.Join(lines, "\n")
}

func newPlan(c *config.Config, engine Engine) (*Plan, error) {
	plan := &Plan{Own: own(c), Signals: signalsOf(c), ZergPools: zergPools(c), Zerg: c.Uwsgi.Zerg, ZergProtocol: listen.Protocol(c.Uwsgi.ZergProtocol)}
	plan.User, plan.Group, plan.Warnings = servesAs(c)
	webs := webWorkers(c)
	handlers, notices, err := handlers(c, webs)
	if err != nil {
		return nil, err
	}
	plan.Notices = notices
	if len(webs)+len(handlers)+len(plan.ZergPools) == 0 {
		return nil, errors.New("the configuration asks for no process at all: gunicorn is disabled and there are no handlers")
	}
	h := &plan.Handling
	h.Edition, h.EditionReason = c.Edition.String(), c.EditionReason
	h.index(c.Jobs.Tools)
	anyHandlers := slices.ContainsFunc(handlers, func(p Planned) bool { return !schedulesOnly(p) })
	h.AllInOne = !anyHandlers && !c.Jobs.Handling.Declared
	farms := slices.ContainsFunc(handlers, func(p Planned) bool { return isFarm(p) && len(p.Tags) > 0 })
	if h.Methods, notices, err = methods(c, engine, farms, anyHandlers); err != nil {
		return nil, err
	}
	plan.Notices = append(plan.Notices, notices...)
	for i := range webs {
		webs[i].Virtualenv = c.Gravity.Virtualenv
	}
	for i := range handlers {
		handlers[i].Virtualenv = c.Gravity.Virtualenv
	}
	for _, p := range webs {
		declared := c.Jobs.IsHandlerID(p.ServerName)
		p.HandleJobs = h.AllInOne || declared || h.SelfAssigns()
		switch {
		case declared:
			p.Tags, p.Plugins = c.Jobs.TagsOf(p.ServerName, nil), pluginsOf(c, p.ServerName)
		case h.AllInOne && !h.SelfAssigns():
			p.Tags = []string{config.DefaultHandlerTag}
		}
		plan.Processes = append(plan.Processes, p)
	}
	plan.Processes = append(plan.Processes, handlers...)
	seen := map[string]bool{}
	for _, p := range plan.Processes {
		if seen[p.ServerName] {
			return nil, fmt.Errorf("two processes are named %s; give the handler another name, or set server_name", p.ServerName)
		}
		seen[p.ServerName] = true
		if !isFarm(p) {
			if err := h.CanAttach(p.Pools); err != nil {
				return nil, fmt.Errorf("the handler %s: %w", p.ServerName, err)
			}
		}
	}
	plan.ownSockets()
	plan.assign(c)
	plan.warnOfMercy(c)
	err = plan.check(c)
	if problems := plan.checkListeners(); len(problems) > 0 {
		var found mistakes
		errors.As(err, &found)
		found = append(found, problems...)
		err = found
	}
	return plan, err
}

// webWorkers are the processes with a web server.
func webWorkers(c *config.Config) []Planned {
	if c.Edition == config.Edition1901 {
		return append(uwsgiWorkers(c), iniServers(c, true)...)
	}
	var out []Planned
	number := 0
	for i, g := range c.Gravity.Gunicorn {
		base, first := c.ServerName, number
		for _, name := range []string{"GALAXY_CONFIG_SERVER_NAME", "GALAXY_CONFIG_OVERRIDE_SERVER_NAME"} {
			if own := g.Environment[name]; own != "" {
				base, first = own, 0
			}
		}
		for w := 1; w <= g.Workers; w++ {
			name := base + "." + strconv.Itoa(first+w)
			out = append(out, Planned{ServerName: name, Kind: Web, Group: strconv.Itoa(i), Service: gunicornService, Binds: g.Binds, BindAt: g.BindAt,
				Listeners: listenSpecs(g.Listeners), Environment: g.Environment, Umask: umask(g.Umask), StartTimeout: seconds(g.StartTimeout),
				ReadyTimeout: readyTimeout(g.StartTimeout, g.RestartTimeout), RestartTimeout: seconds(g.RestartTimeout), StopTimeout: seconds(g.StopTimeout),
				MemoryLimit: g.MemoryLimit, MemoryHigh: g.MemoryHigh, Limits: g.Limits, LogFile: cmp.Or(g.ErrorLog, logFile(c, name))})
		}
		if base == c.ServerName {
			number += g.Workers
		}
	}
	return out
}

// uwsgiWorkers are uWSGI's processes: main.web.1 and so on.
func uwsgiWorkers(c *config.Config) []Planned {
	var out []Planned
	if !c.Uwsgi.Present {
		return nil
	}
	specs := listenSpecs(c.Uwsgi.Listeners)
	for n := 1; n <= c.Uwsgi.Processes; n++ {
		name := fmt.Sprintf("%s.web.%d", c.ServerName, n)
		p := uwsgiProcess(c, name)
		p.Kind, p.Group, p.Service, p.Binds, p.BindAt = Web, "uwsgi", gunicornService, c.Uwsgi.Binds, c.Uwsgi.BindAt
		p.Listeners, p.StopTimeout, p.Limits, p.MemoryLimit = specs, seconds(c.Uwsgi.WorkerMercy), c.Uwsgi.Limits, c.Uwsgi.MemoryLimit
		out = append(out, p)
	}
	return out
}

// uwsgiProcess has what web workers and mules have in common.
func uwsgiProcess(c *config.Config, name string) Planned {
	return Planned{ServerName: name, Environment: c.Uwsgi.Environment, Umask: umask(c.Uwsgi.Umask), StartTimeout: defaultStartTimeout, ReadyTimeout: DefaultReadyTimeout,
		RestartTimeout: DefaultReadyTimeout, LogFile: logFile(c, name)}
}

// iniServers are the sections [server:NAME] of galaxy.ini: those with a web server, or those without. uWSGI, where it is
// configured, serves in place of [server:main].
func iniServers(c *config.Config, web bool) []Planned {
	var out []Planned
	for _, s := range c.Servers {
		if (s.Bind != "") != web || s.Name == "main" && c.Uwsgi.Present {
			continue
		}
		p := uwsgiProcess(c, s.Name)
		p.Kind, p.Group, p.Service, p.HandleJobs, p.StopTimeout = Handler, "galaxy.ini", s.Name, true, enoughToStop(c)
		if web {
			p.Kind, p.Group, p.Service, p.Binds, p.BindAt, p.HandleJobs = Web, serverGroup+s.Name, gunicornService, []string{s.Bind}, s.At, false
			p.Listeners, p.Limits = listenSpecs(s.Listeners), s.Limits
		} else {
			p.Tags, p.Plugins = c.Jobs.TagsOf(s.Name, nil), pluginsOf(c, s.Name)
		}
		out = append(out, p)
	}
	return out
}

// handlers are the processes without a web server. A handler of job_conf that is a web worker, a mule or a process of
// gravity by its name is that process.
func handlers(c *config.Config, webs []Planned) (out []Planned, notices []string, err error) {
	if c.Edition == config.Edition1901 {
		if out, notices, err = mules(c); err != nil {
			return nil, nil, err
		}
		out = append(out, iniServers(c, false)...)
	}
	for _, g := range c.Gravity.Handlers {
		for _, name := range g.ProcessNames(c.Gravity.InstanceName) {
			out = append(out, Planned{ServerName: name, Kind: Handler, Group: g.Name, Service: g.Name, HandleJobs: true, Pools: g.Pools,
				Tags: c.Jobs.TagsOf(name, g.Pools), Plugins: pluginsOf(c, name), Environment: environmentOf(c, name, g.Environment), Umask: umask(g.Umask),
				StartTimeout: seconds(g.StartTimeout), ReadyTimeout: readyTimeout(g.StartTimeout), RestartTimeout: readyTimeout(g.StartTimeout),
				StopTimeout: seconds(g.StopTimeout), MemoryLimit: g.MemoryLimit, MemoryHigh: g.MemoryHigh, LogFile: logFile(c, name)})
		}
	}
	named := map[string]bool{}
	for _, p := range slices.Concat(webs, out) {
		named[p.ServerName] = true
	}
	for _, h := range c.Jobs.Handling.Handlers {
		if named[h.ID] || placeOf(c, h.ID) != "" {
			continue
		}
		out = append(out, Planned{ServerName: h.ID, Kind: Handler, Group: "job_conf", Service: h.ID, HandleJobs: true, Tags: c.Jobs.TagsOf(h.ID, nil),
			Plugins: h.Plugins, Environment: h.Environment, Umask: umask(c.Gravity.Umask), StartTimeout: defaultStartTimeout, ReadyTimeout: DefaultReadyTimeout,
			RestartTimeout: DefaultReadyTimeout, StopTimeout: enoughToStop(c), MemoryLimit: c.Gravity.MemoryLimit, MemoryHigh: c.Gravity.MemoryHigh,
			LogFile: logFile(c, h.ID)})
	}
	return out, notices, nil
}

// schedulesOnly tells whether a process is there for workflows and not for jobs.
func schedulesOnly(p Planned) bool {
	return p.Kind == Handler && len(p.Tags) == 0 && len(p.Pools) > 0
}

const (
	farmGroup   = "farm "
	serverGroup = "server:"
)

// isServerSection tells whether a web worker is a [server:NAME] of galaxy.ini.
func isServerSection(p Planned) bool { return strings.HasPrefix(p.Group, serverGroup) }

func isFarm(p Planned) bool { return strings.HasPrefix(p.Group, farmGroup) }

// mules are the members of uWSGI's farms, named by their place in the farm: main.job-handlers.1 and so on. A mule of
// several farms has the name that the first gives it and serves them all.
func mules(c *config.Config) (out []Planned, notices []string, err error) {
	u := c.Uwsgi
	names := map[int]string{}
	pools := map[int][]string{}
	group := map[int]string{}
	var order []int
	for _, f := range u.Farms {
		if !config.KnownPool(f.Name) {
			notices = append(notices, fmt.Sprintf("the farm %s is none of Galaxy's, which are named job-handlers, job-handlers.TAG and workflow-schedulers; nothing is sent to it", f.Name))
			continue
		}
		for i, mule := range f.Mules {
			if !u.RunsGalaxy(mule) {
				return nil, nil, fmt.Errorf("%s: mule %d of the farm %s runs %q; a job handler is lib/galaxy/main.py", f.At, mule, f.Name, u.Mules[mule-1])
			}
			if names[mule] == "" {
				names[mule], group[mule] = fmt.Sprintf("%s.%s.%d", c.ServerName, f.Name, i+1), farmGroup+f.Name
				order = append(order, mule)
			}
			pools[mule] = append(pools[mule], f.Name)
		}
	}
	for _, mule := range order {
		name := names[mule]
		// In a farm the mule serves what the farm does; a declaration in job_conf adds its tags.
		tags := c.Jobs.TagsOf(name, pools[mule])
		p := uwsgiProcess(c, name)
		p.Kind, p.Group, p.Service, p.HandleJobs, p.StopTimeout = Handler, group[mule], strings.TrimPrefix(group[mule], farmGroup), true, seconds(u.MuleMercy)
		p.Pools, p.Tags, p.Plugins = pools[mule], tags, pluginsOf(c, name)
		out = append(out, p)
	}
	for mule := 1; mule <= len(u.Mules); mule++ {
		if names[mule] == "" {
			notices = append(notices, fmt.Sprintf("mule %d (%s) is in no farm of job handlers and is not started", mule, u.Mules[mule-1]))
		}
	}
	if len(out) > 0 && u.SeveralMasters != "" {
		notices = append(notices, fmt.Sprintf("a farm of mules together with %s: the documentation of 19.01 advises against it; here leases keep every job with one handler", u.SeveralMasters))
	}
	return out, notices, nil
}

// placeOf tells what a declared handler is by its name, when it names a place among web workers or mules: such a process
// is never started on its own. "" for all other names.
func placeOf(c *config.Config, id string) string {
	rest, ok := strings.CutPrefix(id, c.ServerName+".")
	if !ok {
		return ""
	}
	if c.Edition == config.Edition2201 {
		if number.MatchString(rest) {
			return fmt.Sprintf("a web worker, and gravity's gunicorn has fewer workers (%d)", len(webWorkers(c)))
		}
		return ""
	}
	i := strings.LastIndexByte(rest, '.')
	if !c.Uwsgi.Present || i < 0 || !number.MatchString(rest[i+1:]) {
		return ""
	}
	switch farm := rest[:i]; {
	case farm == "web":
		return fmt.Sprintf("a web worker, and uwsgi has fewer processes (%d)", c.Uwsgi.Processes)
	case config.KnownPool(farm):
		return "a mule, and the farm " + farm + " has no such place"
	}
	return ""
}

var number = regexp.MustCompile(`^[0-9]+$`)

func pluginsOf(c *config.Config, id string) []string {
	for _, h := range c.Jobs.Handling.Handlers {
		if h.ID == id {
			return h.Plugins
		}
	}
	return nil
}

// environmentOf adds the variables that job_conf.yml gives a handler to those of gravity, which win.
func environmentOf(c *config.Config, id string, environment map[string]string) map[string]string {
	for _, h := range c.Jobs.Handling.Handlers {
		if h.ID == id && len(h.Environment) > 0 {
			both := maps.Clone(h.Environment)
			maps.Copy(both, environment)
			return both
		}
	}
	return environment
}

// assign fills in who takes what.
func (p *Plan) assign(c *config.Config) {
	h := &p.Handling
	h.Members, h.Farms, h.ids = map[string][]string{}, map[string][]string{}, map[string]bool{}
	add := func(to map[string][]string, key, name string) {
		if !slices.Contains(to[key], name) {
			to[key] = append(to[key], name)
		}
	}
	for _, declared := range c.Jobs.Handling.Handlers {
		h.ids[declared.ID] = true
	}
	for _, process := range p.Processes {
		h.ids[process.ServerName] = true
		if !process.HandleJobs {
			continue
		}
		add(h.Members, process.ServerName, process.ServerName)
		for _, tag := range process.Tags {
			add(h.Members, tag, process.ServerName)
		}
		if isFarm(process) {
			for _, pool := range process.Pools {
				if tag := config.TagOfPool(pool); tag != "" {
					add(h.Farms, tag, process.ServerName)
				}
			}
		}
	}
	h.Default = c.Jobs.Handling.Default
	if h.Default == "" {
		h.Default = config.DefaultHandlerTag
	}
	if h.Default != config.DefaultHandlerTag && h.Methods[0].Name == MuleMessage && len(h.Farms[config.DefaultHandlerTag]) > 0 {
		p.Notices = append(p.Notices, fmt.Sprintf("the default handler %s is not used: messages of unmapped tools go to the farm job-handlers", h.Default))
		h.Default = config.DefaultHandlerTag
	}
	h.DefaultIsID = h.ids[h.Default]
	h.Unmapped = append([]string{}, h.takers("", false)...)
	if h.AllInOne && h.Locks() {
		h.Unmapped = append([]string{Creator}, h.Unmapped...)
	}
	for _, t := range c.Jobs.Tools {
		if t.Handler == "" {
			continue
		}
		m := Mapping{Tool: t.ID, Class: t.Class, Target: t.Handler, IsID: h.ids[t.Handler], Ignored: h.ignoresMappings(h.ids[t.Handler]), at: t.At}
		m.Takers = append([]string{}, h.takers(m.Target, m.IsID)...)
		p.Handling.Mappings = append(p.Handling.Mappings, m)
	}
}

// check refuses what would leave jobs waiting for ever, and warns of what may.
func (p *Plan) check(c *config.Config) error {
	h := &p.Handling
	warn := func(format string, args ...any) { p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...)) }
	// More handlers can come at any time where handlers find jobs by their tags. A configuration that lists handlers and
	// names no such method is taken to be complete, so that its default has to be somebody's.
	dynamic := h.Locks() && (h.Methods[0].Configured || len(c.Jobs.Handling.Handlers) == 0)
	var found mistakes
	refuse := func(at config.Place, format string, args ...any) {
		found = append(found, mistake{at, fmt.Sprintf(format, args...)})
	}
	anyone := slices.ContainsFunc(p.Processes, func(p Planned) bool { return p.HandleJobs })
	targeted := map[string]bool{h.Default: true}
	for _, m := range h.Mappings {
		targeted[m.Target] = true
		if len(m.Takers) > 0 {
			continue
		}
		what := "the tool " + m.Tool
		if m.Class != "" {
			what = "the tool class " + m.Class
		}
		_, planned := p.Process(m.Target)
		switch place := placeOf(c, m.Target); {
		case planned:
			refuse(m.at, "%s is mapped to the handler %s, which runs no job code: it is a web worker, and there are handlers", what, m.Target)
		case place != "":
			refuse(m.at, "%s is mapped to the handler %s, which nothing starts: it is %s", what, m.Target, place)
		case h.Locks():
			warn("%s is mapped to the handler %s, which no process that is started here is or has as a tag; its jobs will wait for a handler that attaches to job-handlers.%s", what, m.Target, m.Target)
		default:
			refuse(m.at, "%s is mapped to the handler %s, which no handler is or has as a tag, so its jobs would never run; declare <handler id=\"…\" tags=\"%s\"/>", what, m.Target, m.Target)
		}
	}
	if len(h.Unmapped) == 0 {
		name := "the tag " + h.Default
		if h.DefaultIsID {
			name = "the handler " + h.Default
		}
		switch place := placeOf(c, h.Default); {
		case place != "":
			refuse(c.Jobs.Handling.At, "the default handler %s is one that nothing starts: it is %s", h.Default, place)
		case !dynamic:
			said := "no default is set, and " + name + ", which untagged handlers have, is nobody's"
			if c.Jobs.Handling.Default != "" {
				said = "the default is " + name + ", which no handler is or has as a tag"
			}
			refuse(c.Jobs.Handling.At, "jobs of tools that are not mapped would never run: %s; declare a handler for it%s", said, elseAttach(h))
		case !anyone:
			warn("no process handles jobs: the job configuration has a handlers section, so web workers run no jobs, and there are no handlers; jobs will wait until a handler starts")
		default:
			warn("no process that is started here handles jobs of tools that are not mapped (%s); they will wait until one attaches to a pool that does", name)
		}
	}
	for _, declared := range c.Jobs.Handling.Handlers {
		if _, planned := p.Process(declared.ID); !planned && !targeted[declared.ID] {
			warn("the handler %s, which the job configuration declares, is started by nothing: it is %s", declared.ID, placeOf(c, declared.ID))
		}
	}
	for _, process := range p.Processes {
		switch {
		case schedulesOnly(process):
			p.Notices = append(p.Notices, process.ServerName+" schedules workflows only: it is attached to no pool of job handlers")
		case process.Kind == Handler && len(process.Tags) == 0:
			warn("%s will claim no jobs: it is attached to no pool of job handlers, and the job configuration does not declare it; only jobs assigned to its name are its own", process.ServerName)
		}
	}
	if webs := p.count(Web); h.Has(MemSelf) && webs > 1 {
		warn("mem-self with %d web workers: each keeps the jobs it creates to itself, and mappings of tools to handlers are ignored; it is meant for a single process", webs)
	}
	for _, m := range h.Mappings {
		if m.Ignored {
			warn("mem-self ignores that the tool %s%s is mapped to %s", m.Tool, m.Class, m.Target)
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

func (p *Plan) count(kind Kind) int {
	n := 0
	for _, process := range p.Processes {
		if process.Kind == kind {
			n++
		}
	}
	return n
}

// elseAttach adds to an error what makes the configuration dynamic.
func elseAttach(h *Handling) string {
	if h.Locks() {
		return ", or, if handlers will attach to pools, say so with assign_with=\"" + SkipLocked + "\""
	}
	return ""
}

func logFile(c *config.Config, name string) string { return filepath.Join(c.LogDir, name+".log") }

// gunicornService is what gravity's commands call the web workers.
const gunicornService = "gunicorn"

// defaultStartTimeout is that of a handler in gravity.
const defaultStartTimeout = 20 * time.Second

// readyTimeout is how long a process may take until it serves: what was configured, but never less than the default,
// since gravity's own start_timeout is the time after which a process that still runs counts as started.
func readyTimeout(configured ...int) time.Duration {
	longest := DefaultReadyTimeout
	for _, n := range configured {
		longest = max(longest, seconds(n))
	}
	return longest
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// umask reads octal digits; -1 stands for none.
func umask(s string) int {
	n, err := strconv.ParseInt(s, 8, 32)
	if err != nil {
		return -1
	}
	return int(n)
}
