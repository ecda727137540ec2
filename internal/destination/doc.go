// Package destination decides where a job goes: the destination (`environment` in job_conf.yml) that a tool is mapped
// to, the rules of a dynamic destination, and where a failed job is sent again.
//
// Rules are data here, never programs: the stock rules of Galaxy (choose_one, burst, docker_dispatch), its declarative
// tool_destinations.yml, and the rule files of Total Perspective Vortex, whose Python expressions are evaluated boxed in
// by internal/cheetah. A rule that is a Python function is refused when the server starts.
//
// The package may import internal/galaxy, internal/config and internal/cheetah. Begin reading at [New] and
// [Router.Choose] in router.go; request.go says what a rule may know of a job, choice.go what comes out. static.go is
// the mapping of tools, dynamic.go the kinds of dynamic destinations, stock.go and the files dtd*.go and tpv*.go those
// kinds, python*.go the statements that TPV's files may contain, resubmit.go what happens after a failure, and yaml.go
// reads files so that each problem carries its line.
package destination
