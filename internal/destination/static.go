package destination

import (
	"reflect"
	"strings"

	"orrery/internal/config"
)

// target is the id or tag of the destination that a job is to go to, before any rule.
func (r *Router) target(req *Request) string {
	switch {
	case req.To != "":
		return req.To
	case req.attempt() > 1 && req.Previous != nil:
		for _, d := range r.cfg.Destinations {
			if d.ID == req.Previous.ID {
				return d.ID
			}
		}
		// What a rule made up is decided by the rule again.
	}
	mappings := r.cfg.MappingsFor(IDs(req.Tool), "")
	for _, class := range classes(req.Tool) {
		if len(mappings) > 0 {
			break
		}
		mappings = r.cfg.MappingsFor(nil, class)
	}
	if m, ok := mapping(mappings, req); ok && m.Destination != "" {
		return m.Destination
	}
	return r.cfg.DefaultDestination
}

// mapping chooses among the mappings of one tool: with parameters, as `source: workflow`, the first whose parameters all
// hold for the job, else the last without.
func mapping(all []config.ToolMapping, req *Request) (config.ToolMapping, bool) {
	var found config.ToolMapping
	ok := false
	for _, m := range all {
		if len(m.Params) == 0 {
			found, ok = m, true
			continue
		}
		matches := true
		for name, want := range m.Params {
			got, has := req.Params[name]
			matches = matches && has && (reflect.DeepEqual(got, want) || text(got) == text(want))
		}
		if matches {
			return m, true
		}
	}
	if !ok && len(all) == 1 {
		return all[0], true
	}
	return found, ok
}

// pick finds a destination by its id, or one at random of those with a tag.
func (r *Router) pick(target string) (config.Destination, bool) {
	found := r.cfg.DestinationsFor(target)
	switch len(found) {
	case 0:
		return config.Destination{}, false
	case 1:
		return found[0], true
	}
	return found[r.opts.Intn(len(found))], true
}

// IDs are the names that a mapping may use for a tool, from the most to the least particular: its full id, that without
// the version, and its short one.
func IDs(t Tool) []string {
	ids := []string{t.ID}
	old := t.OldID
	if i := strings.LastIndexByte(t.ID, '/'); i > 0 && strings.Count(t.ID, "/") >= 5 {
		ids = append(ids, t.ID[:i])
		if old == "" {
			rest := t.ID[:i]
			old = rest[strings.LastIndexByte(rest, '/')+1:]
		}
	}
	if old != "" && old != t.ID {
		ids = append(ids, old)
	}
	return ids
}

// classes are the tool classes that a mapping may name.
func classes(t Tool) []string {
	var out []string
	if short := IDs(t); t.Local || short[len(short)-1] == "upload1" || short[len(short)-1] == "__DATA_FETCH__" {
		out = append(out, "local")
	}
	if t.RequiresGalaxy {
		out = append(out, "requires_galaxy")
	}
	if t.Type == "user_defined" {
		out = append(out, "user_defined")
	}
	return out
}
