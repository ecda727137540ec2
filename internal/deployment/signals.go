package deployment

import "syscall"

// Action is what a supervisor does at a signal.
type Action string

// The actions.
const (
	StopGracefully Action = "stop"     // a second one of the kind stops at once
	StopAtOnce     Action = "kill"     // SIGKILL to every process
	Reload         Action = "graceful" // new processes beside the old ones, from new files, by a new program if there is one
	ReopenLogs     Action = "reopen"   // for logrotate
	Ignore         Action = "ignore"
)

// DefaultSignals are those of 22.01: gunicorn's, for its supervisor and its workers alike.
func DefaultSignals() map[syscall.Signal]Action {
	return map[syscall.Signal]Action{
		syscall.SIGTERM: StopGracefully, syscall.SIGINT: StopGracefully, syscall.SIGQUIT: StopAtOnce,
		syscall.SIGHUP: Reload, syscall.SIGUSR1: ReopenLogs,
	}
}
