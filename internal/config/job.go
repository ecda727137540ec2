package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultHandlerTag is the tag of handlers that have no tag of their own: they handle what is not mapped elsewhere.
const DefaultHandlerTag = "_default_"

// AssignMethods are the ways to assign a job to a handler.
var AssignMethods = []string{"mem-self", "db-self", "db-preassign", "db-transaction-isolation", "db-skip-locked", "uwsgi-mule-message"}

// JobConfig is the job configuration: job_conf.yml, job_conf.xml or the inline job_config.
type JobConfig struct {
	// Source is the file it was read from, "inline" for job_config, or "" for Galaxy's default: one local runner with 4
	// workers and one destination named local.
	Source string

	Runners []Runner // the enabled ones, without `dynamic`
	// DynamicParams are the parameters of the dynamic runner, such as rules_module.
	DynamicParams map[string]any

	Handling Handling

	// Destinations are the enabled ones in the file's order; `environments` in YAML.
	Destinations       []Destination
	DefaultDestination string // an id or a tag

	Tools     []ToolMapping
	Resources Resources
	Limits    Limits
}

// Place is where something is written; Line and Column count from 1, 0 is unknown.
type Place struct {
	File         string
	Line, Column int
}

// ParsePlace reads a place that is written as FILE:LINE:COLUMN; what has no numbers is a file.
func ParsePlace(s string) Place {
	p := Place{File: s}
	for _, number := range []*int{&p.Column, &p.Line} {
		i := strings.LastIndexByte(p.File, ':')
		if i < 0 {
			return Place{File: s}
		}
		n, err := strconv.Atoi(p.File[i+1:])
		if err != nil {
			return Place{File: s}
		}
		p.File, *number = p.File[:i], n
	}
	return p
}

// Runner is one runner plugin.
type Runner struct {
	ID      string
	Load    string // Galaxy's module and class, such as galaxy.jobs.runners.local:LocalJobRunner
	Workers int
	Params  map[string]any
}

// Handling says who handles jobs.
type Handling struct {
	// Declared tells whether the configuration has a handlers section at all, even an empty one: then web workers run no
	// job code of their own accord.
	Declared bool
	// Assign are the explicitly configured assignment methods, to be tried in order; none means the default.
	Assign          []string
	Default         string // an id or tag; "" means DefaultHandlerTag
	MaxGrab         int    // jobs claimed at once; 0 is no limit
	ReadyWindowSize int    // jobs of one user looked at per round
	Handlers        []Handler
	At              Place
}

// Handler is a statically declared job handler.
type Handler struct {
	ID          string
	Tags        []string // DefaultHandlerTag alone when none is written
	Plugins     []string // the runners it loads; empty means all
	Environment map[string]string
	At          Place
}

// Destination is where jobs run.
type Destination struct {
	ID     string
	Runner string
	Tags   []string
	// Params are as written: text in XML; text, numbers, booleans, lists and mappings in YAML.
	Params   map[string]any
	Env      []EnvEntry
	Resubmit []Resubmit
	Shell    string
	// Metrics says what is measured of its jobs: nil is the server's default, false is nothing, a string is the absolute
	// path of a job_metrics_conf file, and a list has a mapping per plugin, with its type and options.
	Metrics any
}

// EnvEntry is one step of preparing a job's environment: exactly one of Name, File and Execute is set.
type EnvEntry struct {
	Name, Value string
	Raw         bool // Value goes into the script without quotes
	File        string
	Execute     string
}

// Resubmit is one rule for sending a failed job elsewhere.
type Resubmit struct {
	Condition   string // "" is any failure
	Destination string // "" is the same one
	Handler     string
	Delay       string // an expression in seconds
}

// ToolMapping sends a tool, or a class of tools, to a handler or a destination.
type ToolMapping struct {
	ID          string // "" when Class is set
	Class       string // local, requires_galaxy or user_defined
	Handler     string // an id or a tag; "" is the default
	Destination string // an id or a tag; "" is the default
	Resources   string
	Params      map[string]any
	At          Place
}

// Resources groups parameters of job_resource_params_conf.xml.
type Resources struct {
	Default string
	Groups  map[string][]string
}

// Limits bound what users may run at once and how long.
type Limits struct {
	RegisteredUserConcurrentJobs int // 0 is no limit
	AnonymousUserConcurrentJobs  int
	// DestinationUserConcurrentJobs and DestinationTotalConcurrentJobs are by destination id or tag.
	DestinationUserConcurrentJobs  map[string]int
	DestinationTotalConcurrentJobs map[string]int
	Walltime                       time.Duration // 0 is no limit
	TotalWalltime                  time.Duration // of a user's finished jobs within TotalWalltimeWindow
	TotalWalltimeWindow            time.Duration
	OutputSize                     int64 // bytes; 0 is no limit
}

// defaultJobConfig is what Galaxy does without a job configuration.
func defaultJobConfig() *JobConfig {
	return &JobConfig{
		Runners:            []Runner{{ID: "local", Load: "galaxy.jobs.runners.local:LocalJobRunner", Workers: 4, Params: map[string]any{}}},
		DynamicParams:      map[string]any{},
		Handling:           Handling{ReadyWindowSize: 100},
		Destinations:       []Destination{{ID: "local", Runner: "local", Params: map[string]any{}}},
		DefaultDestination: "local",
		Resources:          Resources{Groups: map[string][]string{}},
		Limits:             Limits{DestinationUserConcurrentJobs: map[string]int{}, DestinationTotalConcurrentJobs: map[string]int{}},
	}
}

// RunnerByID finds a runner.
func (j *JobConfig) RunnerByID(id string) (Runner, bool) {
	for _, r := range j.Runners {
		if r.ID == id {
			return r, true
		}
	}
	return Runner{}, false
}

// DestinationsFor returns the destination with this id, or all that have it as a tag, in the file's order.
func (j *JobConfig) DestinationsFor(idOrTag string) []Destination {
	var tagged []Destination
	for _, d := range j.Destinations {
		if d.ID == idOrTag {
			return []Destination{d}
		}
		if slices.Contains(d.Tags, idOrTag) {
			tagged = append(tagged, d)
		}
	}
	return tagged
}

// HandlersFor returns the ids of the declared handlers that an id or a tag stands for.
func (j *JobConfig) HandlersFor(idOrTag string) []string {
	var tagged []string
	for _, h := range j.Handling.Handlers {
		if h.ID == idOrTag {
			return []string{h.ID}
		}
		if slices.Contains(h.Tags, idOrTag) {
			tagged = append(tagged, h.ID)
		}
	}
	return tagged
}

// IsHandlerID tells whether a name is a declared handler, as opposed to a tag.
func (j *JobConfig) IsHandlerID(name string) bool {
	return slices.ContainsFunc(j.Handling.Handlers, func(h Handler) bool { return h.ID == name })
}

// TagsOf returns the tags that a server process claims jobs of: those of its declaration and those of the pools it is
// attached to, where job-handlers stands for DefaultHandlerTag and job-handlers.TAG for TAG. No tag means that the
// process claims only what is assigned to its name.
func (j *JobConfig) TagsOf(serverName string, pools []string) []string {
	var tags []string
	add := func(tag string) {
		if tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	for _, h := range j.Handling.Handlers {
		if h.ID == serverName {
			for _, tag := range h.Tags {
				add(tag)
			}
		}
	}
	for _, pool := range pools {
		add(TagOfPool(pool))
	}
	return tags
}

// TagOfPool is the tag that a pool of job handlers serves: DefaultHandlerTag for job-handlers, TAG for job-handlers.TAG,
// and "" for pools of other kinds, such as workflow-schedulers.
func TagOfPool(pool string) string {
	if pool == "job-handlers" {
		return DefaultHandlerTag
	}
	tag, ok := strings.CutPrefix(pool, "job-handlers.")
	if !ok {
		return ""
	}
	return tag
}

// KnownPool tells whether a name is a pool's: job-handlers or workflow-schedulers, alone or with “.TAG”.
func KnownPool(pool string) bool {
	base, tag, tagged := strings.Cut(pool, ".")
	return (base == "job-handlers" || base == "workflow-schedulers") && (!tagged || tag != "")
}

// SelfAssigns tells whether an explicitly configured method makes every process handle the jobs it creates.
func (j *JobConfig) SelfAssigns() bool {
	return slices.Contains(j.Handling.Assign, "db-self") || slices.Contains(j.Handling.Assign, "mem-self")
}

// MappingsFor returns the mappings of a tool, given its ids from the most to the least particular and its class. As in
// Galaxy the first id with any mapping wins, and the class counts only when no id has one.
func (j *JobConfig) MappingsFor(ids []string, class string) []ToolMapping {
	for _, id := range ids {
		var found []ToolMapping
		id = ToolKey(id)
		for _, t := range j.Tools {
			if t.ID != "" && ToolKey(t.ID) == id {
				found = append(found, t)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	var found []ToolMapping
	for _, t := range j.Tools {
		if class != "" && t.Class == class {
			found = append(found, t)
		}
	}
	return found
}

// ToolKey is the form in which the ids of tools are compared in mappings.
func ToolKey(id string) string { return strings.TrimRight(strings.ToLower(id), "/") }
