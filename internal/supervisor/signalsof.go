package supervisor

import (
	"syscall"

	"orrery/internal/config"
)

// signalsOf says what the supervisor does at each signal: gunicorn's ways for 22.01 and for galaxy.ini's own servers,
// uWSGI's where there is a uwsgi section.
func signalsOf(c *config.Config) map[syscall.Signal]Action {
	if c.Edition == config.Edition1901 && c.Uwsgi.Present {
		return UwsgiSignals(c.Uwsgi.DieOnTerm, c.Uwsgi.MasterHooks)
	}
	return DefaultSignals()
}

// UwsgiSignals are those of uWSGI's master: without die-on-term SIGTERM restarts gracefully; SIGINT and SIGQUIT stop
// gracefully here, since nothing is gained by being abrupt. Hooks decide for their own signals.
func UwsgiSignals(dieOnTerm bool, hooks []config.SignalHook) map[syscall.Signal]Action {
	out := map[syscall.Signal]Action{
		syscall.SIGTERM: Reload, syscall.SIGINT: StopGracefully, syscall.SIGQUIT: StopGracefully,
		syscall.SIGHUP: Reload, syscall.SIGUSR1: ReopenLogs,
	}
	if dieOnTerm {
		out[syscall.SIGTERM] = StopGracefully
	}
	for _, hook := range hooks {
		switch hook.Action {
		case "gracefully_kill_them_all":
			out[syscall.Signal(hook.Signal)] = StopGracefully
		case "kill_them_all":
			out[syscall.Signal(hook.Signal)] = StopAtOnce
		}
	}
	return out
}
