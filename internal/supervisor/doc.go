// Package supervisor starts the server processes that the configuration asks for, watches them, starts one again that
// crashed, and stops them in good order. It opens the listeners once and hands them to every web worker.
//
// It may import internal/config and internal/listen. Begin reading at [NewPlan] in plan.go, which says what processes there
// are; handling.go says which assignment methods hold and who takes which job, table.go prints it; supervisor.go keeps them running, process.go is one of them, child.go is the other side of the pipes: what a
// process does to say «ready» and to notice that its supervisor is gone. reap.go takes care of orphans when the
// supervisor is the first process of a container.
package supervisor
