// Package supervisor starts server processes, watches them, starts one again that crashed, replaces them beside those that
// serve, and stops them in good order. It opens the listeners once and hands them to every web worker.
//
// It may import internal/deployment, which says what processes there are, and internal/listen. Begin reading at
// [Supervisor.Run] in supervisor.go. slot.go is one process with its predecessors and its successor, orders.go what the
// supervisor is told, changes.go how a changed configuration differs, reexec.go how the supervisor replaces itself in place.
// process.go is a child seen from here, child.go the other side of the pipes: what a process does to say «ready» and to
// notice that its supervisor is gone. offer.go hands listeners to the next supervisor when one has died. control.go and
// client.go are the two ends of the control socket. reap.go takes care of orphans when the supervisor is the first
// process of a container.
package supervisor
