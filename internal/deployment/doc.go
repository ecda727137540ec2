// Package deployment derives from the configuration which server processes there are, what each listens on, who handles
// which job, and what happens at which signal. Galaxy's documents call the ways to arrange them deployment strategies.
//
// Nothing is started here; package supervisor runs what a [Plan] says. It may import internal/config and internal/listen.
// Begin reading at [NewPlan] in plan.go; handling.go says which assignment methods hold and who takes which job,
// listeners.go what is spoken where, signalsof.go what signals do, mercy.go how long processes have to stop. table.go and
// running.go print it all.
package deployment
