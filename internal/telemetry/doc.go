// Package telemetry is what the server says about itself: one log file per process, in lines that a person or a program
// reads; what each process counts, on a socket of its own in the run folder.
//
// It may import internal/galaxy and nothing else of ours. Begin reading at [Open] in log.go and [ServeProcess] in
// process.go; line.go and json.go render one line, carried.go takes the ids of the request and of the job from the
// context, access.go writes the lines about requests in bulk, meter.go, request.go and work.go count, find.go finds the
// sockets of a run folder.
package telemetry
