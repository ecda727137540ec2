// Package supervisor starts the server processes that the configuration asks for, watches them, starts one again that
// crashed, replaces them by successors that start beside them, and stops them in good order. It opens the listeners once and
// hands them to every web worker. It replaces itself by exec in place, and takes over what a supervisor that died left.
//
// It may import internal/config and internal/listen. Begin reading at [NewPlan] in plan.go, which says what processes there
// are; handling.go says which assignment methods hold and who takes which job, listeners.go what is listened on, table.go
// prints it.
//
// [Supervisor.Run] in supervisor.go keeps them running: slot.go is one process with its instances, process.go starts one,
// orders.go carries out what it is told over the control socket (control.go, client.go), changes.go compares what runs with
// what is wanted, sockets.go holds the listeners, report.go says how everything is. reexec.go is the exec in place, offer.go
// the way of listeners from the processes of a dead supervisor to the next one. child.go is the other side of the pipes: what
// a process does to say «ready» and to notice that its supervisor is gone. reap.go takes care of orphans when the supervisor
// is the first process of a container.
package supervisor
