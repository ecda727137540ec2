package supervisor

import (
	"time"

	"orrery/internal/deployment"
)

// Verb is what a supervisor is told over its control socket.
type Verb string

// The verbs, those of gravity.
const (
	VerbStart    Verb = "start"    // what was stopped
	VerbStop     Verb = "stop"     // gracefully; the supervisor stays
	VerbRestart  Verb = "restart"  // stop, then start
	VerbGraceful Verb = "graceful" // new beside old, of changed files and a changed program
	VerbUpdate   Verb = "update"   // as graceful, for what changed only
	VerbShutdown Verb = "shutdown" // stop everything and the supervisor
	VerbReopen   Verb = "reopen"   // open the logs anew
)

// Order is one thing that a supervisor is told to do.
type Order struct {
	Verb Verb `json:"verb"`
	// Names are server names, names of groups, or services (gunicorn, web, handler); none is all.
	Names []string `json:"names,omitempty"`
	// DryRun only says, as Progress, what an update would do.
	DryRun bool `json:"dry_run,omitempty"`
}

// Progress is one line of the answer to an Order.
type Progress struct {
	Time    time.Time `json:"time"`
	Process string    `json:"process,omitempty"` // "" when it is about the supervisor or all
	Message string    `json:"message,omitempty"`
	Level   string    `json:"level,omitempty"` // "info", "warning" or "error"
	// Change is set in an update's lines that say what changes.
	Change *Change `json:"change,omitempty"`
	// Done is set in the last line, together with Error when the order failed.
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// ChangeKind says what an update does with a process.
type ChangeKind string

// The kinds of changes.
const (
	ChangeStart   ChangeKind = "start"   // a process that the configuration newly asks for
	ChangeReplace ChangeKind = "replace" // its files, program, arguments, variables or sockets changed
	ChangeStop    ChangeKind = "stop"    // nothing asks for it any more
	ChangeNone    ChangeKind = "unchanged"
)

// Change is what an update does with one process.
type Change struct {
	Process string     `json:"process"`
	Kind    ChangeKind `json:"kind"`
	// Why says in words what is different.
	Why string `json:"why,omitempty"`
}

// Report is what a supervisor says of itself.
type Report struct {
	Name    string    `json:"name"` // which supervisor: “orrery”, “web” or “uwsgi”
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Config  string    `json:"config"` // the configuration file; "" when there is none
	// ConfigChanged tells whether the files are others than those that it runs by.
	ConfigChanged bool `json:"config_changed"`
	// Problem says why the last change was not taken, or what is wrong now; "" when nothing is.
	Problem   string          `json:"problem,omitempty"`
	Processes []ProcessReport `json:"processes"`
}

// ProcessReport is one process in a Report. A process that is being replaced has several: the one that serves, its
// successor and those that drain.
type ProcessReport struct {
	Name  string          `json:"name"`
	Group string          `json:"group"`
	Kind  deployment.Kind `json:"kind"`
	// State is “starting”, “ready”, “waiting” (to be started again), “crashing” (waiting, after several failures in a
	// row), “stopping”, “stopped”, or “draining” for one whose successor serves.
	State      string    `json:"state"`
	PID        int       `json:"pid,omitempty"`
	Since      time.Time `json:"since"`
	Restarts   int       `json:"restarts"`
	Generation int       `json:"generation"` // how many times it was replaced gracefully
	Memory     int64     `json:"memory"`     // bytes of its own, without jobs
	LogFile    string    `json:"log,omitempty"`
	Detail     string    `json:"detail,omitempty"`
}
