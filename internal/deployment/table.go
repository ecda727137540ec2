package deployment

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"orrery/internal/config"
)

// Table says in lines who will handle what: the methods and why they hold, each process with its pools and tags, each
// mapping of a tool, and what to be warned of. It is for the start-up log and `orrery config check`.
func (p *Plan) Table() []string {
	var b strings.Builder
	h := &p.Handling
	fmt.Fprintf(&b, "Who handles jobs, by the rules of %s (%s):\n", h.Edition, h.EditionReason)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) }
	for i, m := range h.Methods {
		name := "method"
		if i > 0 {
			name = "then"
		}
		row(name, m.Name, m.Why)
	}
	switch {
	case !slices.Contains(h.Unmapped, Creator):
		row("unmapped tools", h.target(h.Default, h.DefaultIsID), "taken by "+h.names(h.Unmapped, h.Default))
	case len(h.Unmapped) > 1:
		row("unmapped tools", h.target(h.Default, h.DefaultIsID), "taken by "+Creator+"; by another when that one is busy")
	default:
		row("unmapped tools", "", "taken by "+Creator)
	}
	for _, m := range h.Mappings {
		what := "tool " + m.Tool
		if m.Class != "" {
			what = "tool class " + m.Class
		}
		takers := "taken by " + h.names(m.Takers, m.Target)
		if m.Ignored {
			takers = "ignored: " + MemSelf + " keeps each job where it is created"
		}
		row(what, h.target(m.Target, m.IsID), takers)
	}
	_ = w.Flush() // a strings.Builder takes everything
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row("PROCESS", "KIND", "HANDLES JOBS OF", "POOLS", "RUNNERS", "LISTENS AT")
	for _, process := range p.Processes {
		row(process.ServerName, string(process.Kind), h.serves(process), list(process.Pools, "-"), plugins(process), list(tellListeners(process, false), "-"))
	}
	_ = w.Flush() // a strings.Builder takes everything
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", warning)
	}
	for _, notice := range p.Notices {
		fmt.Fprintf(&b, "  notice: %s\n", notice)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// target names what jobs are sent to.
func (h *Handling) target(name string, isID bool) string {
	switch {
	case isID:
		return "the handler " + name
	case name == config.DefaultHandlerTag:
		return "the tag " + name + " (untagged handlers)"
	default:
		return "the tag " + name
	}
}

// names lists who takes jobs of a target, and who else may.
func (h *Handling) names(takers []string, tag string) string {
	const most = 12
	switch {
	case len(takers) == 0 && h.Locks():
		pool := "job-handlers"
		if tag != config.DefaultHandlerTag {
			pool += "." + tag
		}
		return "nobody yet; a handler may attach to " + pool
	case len(takers) == 0:
		return "nobody"
	case len(takers) > most:
		return strings.Join(takers[:most], ", ") + fmt.Sprintf(" and %d more", len(takers)-most)
	}
	return strings.Join(takers, ", ")
}

// serves lists the tags of a process as they are read: untagged jobs, tags, its own name.
func (h *Handling) serves(p Planned) string {
	if !p.HandleJobs {
		return "-"
	}
	var out []string
	if h.SelfAssigns() && p.Kind == Web {
		out = append(out, "its own")
	}
	for _, tag := range p.Tags {
		if tag == config.DefaultHandlerTag {
			tag = "unmapped tools"
			if h.Default != config.DefaultHandlerTag || h.SelfAssigns() {
				continue // nothing is sent to that tag
			}
		}
		out = append(out, tag)
	}
	if slices.ContainsFunc(h.Mappings, func(m Mapping) bool { return m.Target == p.ServerName }) || h.Default == p.ServerName {
		out = append(out, "its name")
	}
	return list(out, "its name only")
}

func plugins(p Planned) string {
	if !p.HandleJobs {
		return "-"
	}
	return list(p.Plugins, "all")
}

func list(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}
