// Package jobhandler is the life of a job from its claim to its end: its inputs,
// its destination, its folder and command, the runner, the outputs.
//
// handler.go is the loop that claims and takes over jobs; each job then has a
// goroutine of its own. attempt.go is the way of one attempt, and what follows when
// it ends: nothing but a proof that an attempt is dead, or void, lets another one
// begin. run.go reads a job and writes its folder, route.go asks where it goes,
// resubmit.go sends it again, police.go holds it to limits, collect.go takes what
// it made, sweep.go removes what a crash left.
//
// Any handler may die, or be paused for hours and wake up, at any step. The steps
// have names (fault.go), at which tests, and programs built with the tag «faults»
// and ORRERY_FAULT in their environment, crash or pause.
package jobhandler
