// Package jobhandler is the life of a job from its claim to its end: it makes
// the command, hands it to a runner, waits, collects the outputs and writes the
// outcome down.
//
// It imports job, pool, tool, datatype, objectstore, jobdir and runner. Begin
// reading at handler.go; run.go follows one job.
package jobhandler
