package deployment

import (
	"fmt"
	"slices"
	"strings"

	"orrery/internal/config"
)

// The names of the assignment methods, as job_conf writes them.
const (
	SkipLocked  = "db-skip-locked"
	Isolation   = "db-transaction-isolation"
	DBSelf      = "db-self"
	MemSelf     = "mem-self"
	Preassign   = "db-preassign"
	MuleMessage = "uwsgi-mule-message"
)

// Engine says what the database can do for assigning jobs.
type Engine struct {
	// Name is the database with its version as far as it is known, such as “MariaDB 10.5”, for messages.
	Name string
	// NoSkipLocked tells that it has no SELECT … FOR UPDATE SKIP LOCKED and nothing that does the same.
	NoSkipLocked bool
	// Assumed tells that nobody has asked the database yet, and that its version decides.
	Assumed bool
}

// EngineOf is what can be said before the database has been asked: every engine is taken to be recent.
func EngineOf(db config.Database) Engine {
	switch db.Engine {
	case config.PostgreSQL:
		return Engine{Name: "PostgreSQL"}
	case config.MySQL:
		return Engine{Name: "MariaDB/MySQL", Assumed: true}
	default:
		return Engine{Name: "SQLite"}
	}
}

// Handling says who handles which job.
type Handling struct {
	Edition       string `json:"edition"` // "22.01" or "19.01"
	EditionReason string `json:"edition_reason"`
	// Methods are tried in order for each job.
	Methods []Method `json:"methods"`
	// AllInOne tells that nothing but web workers handle jobs.
	AllInOne bool `json:"all_in_one"`
	// Default is the tag or the handler's id that jobs of unmapped tools are sent to; methods of self-assignment take
	// no notice of it.
	Default     string `json:"default"`
	DefaultIsID bool   `json:"default_is_id"`
	// Unmapped says who takes jobs of unmapped tools: names of processes, or [Creator] first where it is the process
	// that creates the job.
	Unmapped []string  `json:"unmapped"`
	Mappings []Mapping `json:"mappings"`
	// Members are, by tag and by name, the planned processes that take its jobs; others may attach later.
	Members map[string][]string `json:"members"`
	// Farms are, by tag, the members of uWSGI's farms, which mule messages are sent to.
	Farms map[string][]string `json:"farms,omitempty"`

	ids map[string]bool
	// byTool and byClass are what tools and classes are mapped to, "" for those whose mapping names no handler.
	byTool, byClass map[string]string
}

// Creator stands for the process that creates a job, in lists of who takes it.
const Creator = "the process that creates the job"

// Method is one assignment method that holds.
type Method struct {
	Name string `json:"name"`
	// Why says in words where it comes from.
	Why string `json:"why"`
	// Configured tells that the administrator named it.
	Configured bool `json:"configured"`
}

// Mapping is a tool, or a class of tools, that the job configuration maps to a handler.
type Mapping struct {
	Tool   string `json:"tool,omitempty"`
	Class  string `json:"class,omitempty"`
	Target string `json:"target"`
	// IsID tells a handler's id from a tag.
	IsID bool `json:"is_id"`
	// Ignored tells that the assignment method takes no notice of mappings.
	Ignored bool `json:"ignored,omitempty"`
	// Takers are the planned processes that take its jobs.
	Takers []string `json:"takers"`

	at config.Place
}

// Has tells whether a method holds.
func (h *Handling) Has(methods ...string) bool {
	return slices.ContainsFunc(h.Methods, func(m Method) bool { return slices.Contains(methods, m.Name) })
}

// Locks tells whether handlers find their jobs by their tags in the database, so that more of them can attach to pools
// at any time.
func (h *Handling) Locks() bool { return h.Has(SkipLocked, Isolation) }

// SelfAssigns tells whether every process handles jobs that it creates.
func (h *Handling) SelfAssigns() bool { return h.Has(DBSelf, MemSelf) }

// MethodNames lists the methods in order.
func (h *Handling) MethodNames() []string {
	names := make([]string, len(h.Methods))
	for i, m := range h.Methods {
		names[i] = m.Name
	}
	return names
}

// Target returns what the job configuration maps a tool to: a handler's id or a tag, or "" when it maps it to nobody.
// A tool of the Tool Shed is looked up with its version, without it, and by its short id.
func (h *Handling) Target(toolID string) (target string, isID bool) {
	for _, id := range toolIDs(toolID) {
		if target, mapped := h.byTool[config.ToolKey(id)]; mapped {
			return target, h.ids[target]
		}
	}
	target = h.byClass[toolClass(toolID)]
	return target, h.ids[target]
}

// index notes what tools are mapped to. A tool may have several mappings, for different parameters; the first that names a
// handler counts.
func (h *Handling) index(tools []config.ToolMapping) {
	h.byTool, h.byClass = map[string]string{}, map[string]string{}
	for _, t := range tools {
		to, key := h.byTool, config.ToolKey(t.ID)
		if t.Class != "" {
			to, key = h.byClass, t.Class
		}
		if to[key] == "" {
			to[key] = t.Handler
		}
	}
}

// toolIDs are the ids by which a mapping may name a tool, the most particular first.
func toolIDs(id string) []string {
	ids := []string{id}
	// HOST/repos/OWNER/REPOSITORY/TOOL/VERSION
	if parts := strings.Split(id, "/"); len(parts) >= 6 && parts[len(parts)-5] == "repos" {
		ids = append(ids, strings.Join(parts[:len(parts)-1], "/"), parts[len(parts)-2])
	}
	return ids
}

// toolClass is the class that Galaxy puts a tool into: its own upload tools are local.
func toolClass(id string) string {
	switch id {
	case "upload1", "__DATA_FETCH__":
		return "local"
	}
	return ""
}

// Takers says which planned processes may take a job of a tool that the process creator creates. None means that
// nobody does, and that the job would wait.
func (h *Handling) Takers(toolID, creator string) []string {
	target, isID := h.Target(toolID)
	out := h.takers(target, isID)
	for i, name := range out {
		if name == Creator {
			out[i] = creator
		}
	}
	// In all-in-one the creator is one of them.
	return slices.Compact(out)
}

// ignoresMappings tells that mem-self comes before a mapping: before one to a tag if it is the first method, before one to
// an id if it is the only one.
func (h *Handling) ignoresMappings(isID bool) bool {
	return h.Methods[0].Name == MemSelf && (!isID || len(h.Methods) == 1)
}

// takers goes through the methods as assigning does.
func (h *Handling) takers(target string, isID bool) []string {
	if h.ignoresMappings(isID) {
		return []string{Creator}
	}
	if isID {
		return slices.Clone(h.Members[target])
	}
	tag := target
	if tag == "" {
		tag = h.Default
	}
	for _, m := range h.Methods {
		switch m.Name {
		case SkipLocked, Isolation:
			return slices.Clone(h.Members[tag])
		case MemSelf:
			return []string{Creator}
		case DBSelf:
			if target == "" {
				return []string{Creator}
			}
			if members := h.Members[tag]; len(members) > 0 {
				return slices.Clone(members)
			}
		case MuleMessage:
			if members := h.Farms[tag]; len(members) > 0 {
				return slices.Clone(members)
			}
		case Preassign:
			if members := h.Members[tag]; len(members) > 0 {
				return slices.Clone(members)
			}
		}
	}
	return nil
}

// methods says which assignment methods hold, or why the configured ones cannot.
func methods(c *config.Config, engine Engine, farms, anyHandlers bool) (out []Method, notices []string, err error) {
	declared := c.Jobs.Handling
	where := "the job configuration"
	switch c.Jobs.Source {
	case "", "inline":
	default:
		where = c.Jobs.Source
	}
	if len(declared.Assign) > 0 {
		out, notices, err = configuredMethods(declared.Assign, where, engine, farms)
		if err != nil {
			err = mistakes{{declared.At, err.Error()}}
		}
		return out, notices, err
	}
	add := func(name, why string) { out = append(out, Method{Name: name, Why: why}) }
	allInOne := !anyHandlers && !declared.Declared
	if !c.TrackJobsInDatabase {
		if allInOne {
			add(MemSelf, "track_jobs_in_database is false, and there are no handlers")
			return out, nil, nil
		}
		notices = append(notices, "track_jobs_in_database: false has a meaning without handlers only, and is ignored")
	}
	if c.Edition == config.Edition1901 {
		switch {
		case farms:
			add(MuleMessage, "the default of 19.01 with a farm of mules")
			add(Preassign, "for tags that no farm serves")
		case declared.Default != "":
			add(Preassign, "the default of 19.01 with a default handler")
		case declared.Declared:
			add(DBSelf, "the default of 19.01 when handlers have no default: jobs of unmapped tools stay where they are created")
		default:
			add(DBSelf, "the default of 19.01 without handlers")
		}
		return out, notices, nil
	}
	which := "the default of 22.01 without handlers"
	if !allInOne {
		which = "the default of 22.01 with handlers and no method named"
	}
	if engine.NoSkipLocked {
		add(Isolation, which+" on "+engine.Name+", which has no SKIP LOCKED")
		notices = append(notices, fmt.Sprintf("no assignment method is configured, and %s has no SKIP LOCKED: taking %s", engine.Name, Isolation))
	} else {
		if engine.Assumed {
			which += ", if it is MariaDB 10.6 or MySQL 8.0 or later, which is asked at the start; else " + Isolation
		}
		add(SkipLocked, which)
	}
	return out, notices, nil
}

// configuredMethods checks what the administrator named.
func configuredMethods(names []string, where string, engine Engine, farms bool) (out []Method, notices []string, err error) {
	for i, name := range names {
		why := where + " names it"
		if len(names) > 1 {
			why += fmt.Sprintf(", as number %d of %d", i+1, len(names))
		}
		switch {
		case slices.Contains(names[:i], name):
			continue
		case name == SkipLocked && engine.NoSkipLocked:
			if !slices.Contains(names, Isolation) {
				return nil, nil, fmt.Errorf("%s names the assignment method %s, which %s cannot do: it has no SKIP LOCKED (PostgreSQL has it since 9.5, MySQL since 8.0, MariaDB since 10.6); name %s instead",
					where, name, engine.Name, Isolation)
			}
			notices = append(notices, fmt.Sprintf("%s has no SKIP LOCKED: %s is left out, and %s, which %s names too, holds", engine.Name, name, Isolation, where))
			continue
		case name == MuleMessage && !farms:
			if len(names) == 1 {
				return nil, nil, fmt.Errorf("%s names the assignment method %s, which needs mules in a farm named job-handlers or job-handlers.TAG in the uwsgi section; without them there are %s", where, name,
					strings.Join([]string{SkipLocked, Isolation, DBSelf, Preassign, MemSelf}, ", "))
			}
			notices = append(notices, fmt.Sprintf("there is no farm of mules named job-handlers: %s is left out", name))
			continue
		}
		out = append(out, Method{Name: name, Why: why, Configured: true})
	}
	return out, notices, nil
}

// CanAttach tells whether a process may attach itself to pools; the error names the methods that allow it.
func (h *Handling) CanAttach(pools []string) error {
	pools = slices.DeleteFunc(slices.Clone(pools), func(pool string) bool { return config.TagOfPool(pool) == "" })
	if len(pools) == 0 || h.Locks() {
		return nil
	}
	whose := "the job configuration names"
	if len(h.Methods) > 0 && !h.Methods[0].Configured {
		whose = "what holds here is"
	}
	return fmt.Errorf("attaching to a pool (%s) needs the assignment method %s or %s, and %s %s; set for example <handlers assign_with=%q/> in job_conf.xml, or handling: {assign: [%s]} in job_conf.yml",
		strings.Join(pools, ", "), SkipLocked, Isolation, whose, strings.Join(h.MethodNames(), ", "), SkipLocked, SkipLocked)
}
