package runner

import (
	"context"
	"errors"

	"orrery/internal/jobdir"
)

// Job is one attempt to run a job.
type Job struct {
	Dir     jobdir.Dir
	Attempt int
	// Params are the destination's parameters.
	Params map[string]string
	// Name is for the engine's listings, such as "g42_cat1_ann_example_org". It
	// holds letters, digits and underscores only.
	Name string
	// Begun, unless nil, is to be called by Watch of a Queueing runner once the
	// engine says that the attempt runs. Calling it again is harmless.
	Begun func()
}

// End is whether and how an attempt ended.
type End int

// The ways an attempt ends.
const (
	// Finished left an exit code.
	Finished End = iota
	// Died left none and is proved dead: it was killed, or the machine went down.
	Died
	// Unknown cannot be told now; the job has to wait.
	Unknown
)

// Cause is why an attempt ended early, as far as it is known.
type Cause int

// The causes of an early end.
const (
	// NoCause: nothing ended it early, or nobody knows what did.
	NoCause Cause = iota
	// MemoryLimit: it used more memory than it was granted.
	MemoryLimit
	// WalltimeLimit: it ran longer than it was allowed.
	WalltimeLimit
	// OutputLimit: it wrote more than it was allowed.
	OutputLimit
	// NodeFailure: the machine it ran on, or the engine, lost it through no fault of
	// the job's.
	NodeFailure
	// Cancelled: somebody ended it in the engine.
	Cancelled
)

// Ending is what became of an attempt. An engine may say both that a job left an
// exit code and that it was killed for a limit.
type Ending struct {
	End   End
	Cause Cause
	// Message is for the scientist, in words; with Unknown, why it cannot be told.
	Message string
}

// Runner runs jobs whose folder is written.
type Runner interface {
	// Submit hands an attempt over and gives its id in the engine. Submitting an
	// attempt again that was submitted before, by this process or an earlier one, is
	// harmless and gives the same run (see jobdir.Dir.Write). An error that wraps
	// ErrUnavailable says that the job has to wait for the engine; any other fails
	// the job.
	Submit(ctx context.Context, job Job) (externalID string, err error)
	// Watch waits until an attempt that was submitted, by this process or an
	// earlier one, has ended. It returns Unknown with ctx's error when ctx ends first,
	// and Unknown with a message when it cannot be told for now: it is then called
	// again later.
	Watch(ctx context.Context, job Job, externalID string) (Ending, error)
	// Stop ends an attempt early. It does not wait for its end. An attempt that has
	// ended is left alone.
	Stop(ctx context.Context, job Job, externalID string) error
}

// ErrUnavailable says that a runner's engine cannot be reached now: nothing is
// known to be wrong with the job, which waits and is tried again.
var ErrUnavailable = errors.New("the cluster cannot be reached")

// Queueing is a Runner whose engine has a queue of its own: a job that was handed
// over is shown as queued until Watch calls its Begun.
type Queueing interface{ Queues() bool }

// Scripted is a Runner that adds lines to a job's script.
type Scripted interface {
	Script(job Job) (jobdir.Part, error)
}

// HostBound is a Runner whose jobs can be asked after only on the host that they
// run on.
type HostBound interface {
	// Elsewhere gives the other host that an attempt may run on; false when this host
	// can tell what became of it.
	Elsewhere(job Job) (host string, elsewhere bool)
}
