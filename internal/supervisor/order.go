package supervisor

import "time"

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
}

// Report is what a supervisor says of itself.
type Report struct {
	Name    string    `json:"name"` // which supervisor: “orrery”, “web” or “uwsgi”
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

// ProcessReport is one process in a Report.
type ProcessReport struct {
	Name       string    `json:"name"`
	Group      string    `json:"group"`
	Kind       Kind      `json:"kind"`
	State      string    `json:"state"` // of [Status], and “draining” for one whose successor serves
	PID        int       `json:"pid,omitempty"`
	Since      time.Time `json:"since"`
	Restarts   int       `json:"restarts"`
	Generation int       `json:"generation"` // how many times it was replaced gracefully
	Memory     int64     `json:"memory"`     // bytes of its own, without jobs
	Detail     string    `json:"detail,omitempty"`
}
