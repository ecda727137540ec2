package supervisor

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery/internal/config"
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
	// ServerName is what Galaxy would call it: main.1, main.2 for web workers, handler_0 or an id of job_conf for handlers.
	ServerName string
	Kind       Kind
	// Group is the web workers' number in gravity's list (0 for the first), or the handlers' name there; handlers that
	// only job_conf declares are in the group "job_conf".
	Group string
	// Binds are the addresses that a web worker listens on; all of a group share them.
	Binds []string
	// HandleJobs tells whether the process runs job code: always for handlers, for web workers in all-in-one.
	HandleJobs bool
	// Pools are the pools it is attached to, as gravity writes them (job-handlers, job-handlers.TAG).
	Pools []string
	// Tags are the tags whose jobs it claims besides those assigned to its name. In all-in-one it is the default tag.
	Tags []string
	// Plugins are the runners it loads; none means all.
	Plugins     []string
	Environment map[string]string
	Umask       int // -1 when unset
	StopTimeout time.Duration
	LogFile     string
}

// Plan derives the processes from the configuration. The warnings are for the log; the error stops the start.
//
// As in Galaxy 22.01 and later: nothing configured is one process that does everything; gunicorn's workers are web
// workers, which handle jobs as well unless there are handlers or job_conf has a handlers section; gravity's handlers and
// those that job_conf declares are processes of their own.
func Plan(c *config.Config) (plan []Planned, warnings []string, err error) {
	declared := c.Jobs.Handling
	// A web worker whose name job_conf declares is that handler.
	webNames := map[string]bool{}
	for _, p := range webWorkers(c) {
		webNames[p.ServerName] = true
	}
	handlers, err := handlers(c, webNames)
	if err != nil {
		return nil, nil, err
	}
	allInOne := !declared.Declared && len(c.Gravity.Handlers) == 0
	for _, p := range webWorkers(c) {
		isDeclared := c.Jobs.IsHandlerID(p.ServerName)
		p.HandleJobs = allInOne || isDeclared || c.Jobs.SelfAssigns()
		switch {
		case isDeclared:
			p.Tags, p.Plugins = c.Jobs.TagsOf(p.ServerName, nil), pluginsOf(c, p.ServerName)
		case allInOne && !c.Jobs.SelfAssigns():
			p.Tags = []string{config.DefaultHandlerTag}
		}
		plan = append(plan, p)
	}
	plan = append(plan, handlers...)
	if len(plan) == 0 {
		return nil, nil, errors.New("the configuration asks for no process at all: gunicorn is disabled and there are no handlers")
	}
	seen := map[string]bool{}
	for _, p := range plan {
		if seen[p.ServerName] {
			return nil, nil, fmt.Errorf("two processes are named %s; give the handler another name, or set server_name", p.ServerName)
		}
		seen[p.ServerName] = true
	}
	return plan, planWarnings(c, plan), nil
}

func webWorkers(c *config.Config) []Planned {
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
			out = append(out, Planned{ServerName: name, Kind: Web, Group: strconv.Itoa(i), Binds: g.Binds, Environment: g.Environment,
				Umask: umask(g.Umask), StopTimeout: seconds(g.StopTimeout), LogFile: logFile(c, name)})
		}
		if base == c.ServerName {
			number += g.Workers
		}
	}
	return out
}

func handlers(c *config.Config, webNames map[string]bool) ([]Planned, error) {
	var out []Planned
	byName := map[string]bool{}
	for _, g := range c.Gravity.Handlers {
		for _, name := range g.ProcessNames(c.Gravity.InstanceName) {
			p := Planned{ServerName: name, Kind: Handler, Group: g.Name, HandleJobs: true, Pools: g.Pools, Tags: c.Jobs.TagsOf(name, g.Pools),
				Plugins: pluginsOf(c, name), Environment: g.Environment, Umask: umask(g.Umask), StopTimeout: seconds(g.StopTimeout), LogFile: logFile(c, name)}
			out = append(out, p)
			byName[name] = true
		}
		if len(g.Pools) > 0 && len(c.Jobs.Handling.Assign) > 0 && !slices.ContainsFunc(c.Jobs.Handling.Assign, locksDatabase) {
			return nil, fmt.Errorf("the handlers %s are attached to pools (%s), which needs the assignment method db-skip-locked or db-transaction-isolation, but the job configuration says %s",
				g.Name, strings.Join(g.Pools, ", "), strings.Join(c.Jobs.Handling.Assign, ", "))
		}
	}
	for _, h := range c.Jobs.Handling.Handlers {
		if webNames[h.ID] || byName[h.ID] {
			continue
		}
		out = append(out, Planned{ServerName: h.ID, Kind: Handler, Group: "job_conf", HandleJobs: true, Tags: c.Jobs.TagsOf(h.ID, nil), Plugins: h.Plugins,
			Environment: h.Environment, Umask: umask(c.Gravity.Umask), StopTimeout: 65 * time.Second, LogFile: logFile(c, h.ID)})
	}
	return out, nil
}

func locksDatabase(method string) bool {
	return method == "db-skip-locked" || method == "db-transaction-isolation"
}

func pluginsOf(c *config.Config, id string) []string {
	for _, h := range c.Jobs.Handling.Handlers {
		if h.ID == id {
			return h.Plugins
		}
	}
	return nil
}

// planWarnings finds what would run and silently do nothing.
func planWarnings(c *config.Config, plan []Planned) []string {
	var out []string
	handled := map[string]bool{}
	anyone := false
	for _, p := range plan {
		anyone = anyone || p.HandleJobs
		for _, tag := range p.Tags {
			handled[tag] = true
		}
		if p.Kind == Handler && len(p.Tags) == 0 {
			out = append(out, fmt.Sprintf("%s will claim no jobs: it has no pools in gravity's handlers, and the job configuration does not declare it; only jobs assigned to its name are its own", p.ServerName))
		}
	}
	defaultTag := c.Jobs.Handling.Default
	if defaultTag == "" {
		defaultTag = config.DefaultHandlerTag
	}
	selfAssigned := c.Jobs.SelfAssigns()
	switch {
	case !anyone:
		out = append(out, "no process handles jobs: the job configuration has a handlers section, so web workers run no jobs, and there are no handlers; jobs will wait until a handler starts")
	case !selfAssigned && !handled[defaultTag] && !c.Jobs.IsHandlerID(defaultTag):
		out = append(out, fmt.Sprintf("no process that is started here handles jobs of tools that are not mapped (the tag %s); they will wait until one does", defaultTag))
	}
	for _, t := range c.Jobs.Tools {
		if t.Handler != "" && !handled[t.Handler] && !slices.ContainsFunc(plan, func(p Planned) bool { return p.ServerName == t.Handler && p.HandleJobs }) {
			out = append(out, fmt.Sprintf("the tool %s%s is mapped to the handler %s, which no process that is started here is or has as a tag; its jobs will wait", t.ID, t.Class, t.Handler))
		}
	}
	return out
}

func logFile(c *config.Config, name string) string { return filepath.Join(c.LogDir, name+".log") }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// umask reads octal digits; -1 stands for none.
func umask(s string) int {
	n, err := strconv.ParseInt(s, 8, 32)
	if err != nil {
		return -1
	}
	return int(n)
}
