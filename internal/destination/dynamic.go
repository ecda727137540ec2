package destination

import (
	"orrery/internal/config"
)

// rule makes the rule of a dynamic destination.
func (r *Router) rule(d config.Destination) (rule, error) {
	kind := d.Params["type"]
	if kind == nil {
		kind = "python"
	}
	switch text(kind) {
	case "python":
		return r.python(d)
	case "dtd":
		return r.dtd(d)
	case "choose_one":
		return r.chooseOne(d)
	case "burst":
		return r.burst(d)
	case "docker_dispatch":
		return r.dockerDispatch(d)
	}
	return nil, r.problem("the dynamic destination %s has the type “%s”; there are python (with Total Perspective Vortex), dtd, choose_one, burst and docker_dispatch", d.ID, text(kind))
}

// python takes the one rule written in Python that is known by its name, and refuses the others.
func (r *Router) python(d config.Destination) (rule, error) {
	function, module := text(d.Params["function"]), text(d.Params["rules_module"])
	if module == "" {
		module = text(r.cfg.DynamicParams["rules_module"])
	}
	if function == "map_tool_to_destination" && module == "tpv.rules" {
		return r.tpvRouter(d)
	}
	what := "the function " + function
	if function == "" {
		what = "a function named after the tool"
	}
	if module != "" {
		what += " in the module " + module
	}
	return nil, r.problem("the dynamic destination %s is decided by %s, and rules written in Python are not run here; write them as a rule file of Total Perspective Vortex (function: map_tool_to_destination, rules_module: tpv.rules, tpv_config_files), as a tool_destinations.yml (type: dtd), or with the types choose_one, burst and docker_dispatch", d.ID, what)
}
