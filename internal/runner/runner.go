package runner

import (
	"context"

	"orrery/internal/jobdir"
)

// Job is one attempt to run a job.
type Job struct {
	Dir     jobdir.Dir
	Attempt int
	// Params are the destination's parameters.
	Params map[string]string
}

// End is how an attempt ended.
type End int

// The ways an attempt ends.
const (
	// Finished left an exit code.
	Finished End = iota
	// Died left none: it was killed, or the machine went down.
	Died
	// Unknown cannot be told now; the job has to wait.
	Unknown
)

// Runner runs jobs whose folder is written.
type Runner interface {
	// Submit hands an attempt over and gives its id in the engine. Submitting an
	// attempt that has begun already is harmless (see jobdir.Dir.Write).
	Submit(ctx context.Context, job Job) (externalID string, err error)
	// Watch waits until an attempt that was submitted, by this process or an
	// earlier one, has ended. It returns Unknown when ctx ends first.
	Watch(ctx context.Context, job Job, externalID string) (End, error)
	// Stop ends an attempt early. It does not wait for its end.
	Stop(ctx context.Context, job Job, externalID string) error
}
