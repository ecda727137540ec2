package deployment

import "slices"

// Scope is which processes of a plan one supervisor runs.
type Scope string

// The scopes.
const (
	ScopeAll   Scope = "all"   // `orrery run`: everything
	ScopeWeb   Scope = "web"   // `orrery web`: the web workers
	ScopeUwsgi Scope = "uwsgi" // `uwsgi --yaml FILE`: what uWSGI itself would start, web workers and mules
)

// Only returns the plan with the processes of a scope. Who handles which job stays what it is: other supervisors and
// administrators start the others.
func (p *Plan) Only(scope Scope) *Plan {
	out := *p
	out.Processes = slices.Clone(p.Processes)
	if scope == ScopeAll || scope == "" {
		return &out
	}
	out.Processes = slices.DeleteFunc(out.Processes, func(one Planned) bool {
		switch {
		case one.Kind == Web:
			return scope == ScopeUwsgi && isServerSection(one)
		default:
			return scope != ScopeUwsgi || !isFarm(one)
		}
	})
	return &out
}
