package deployment

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"orrery/internal/config"
)

// signalsOf says what the supervisor does at each signal: gunicorn's ways for 22.01 and for galaxy.ini's own servers,
// uWSGI's where there is a uwsgi section.
func signalsOf(c *config.Config) map[syscall.Signal]Action {
	if c.Edition == config.Edition1901 && c.Uwsgi.Present {
		return UwsgiSignals(c.Uwsgi.DieOnTerm, c.Uwsgi.MasterHooks)
	}
	return hooked(DefaultSignals(), c.Gravity.MasterHooks)
}

// UwsgiSignals are those of uWSGI's master: without die-on-term SIGTERM restarts gracefully; SIGINT and SIGQUIT stop.
// hook-master-start decides for the signals that it names.
func UwsgiSignals(dieOnTerm bool, hooks []config.SignalHook) map[syscall.Signal]Action {
	signals := map[syscall.Signal]Action{
		syscall.SIGTERM: Reload, syscall.SIGINT: StopGracefully, syscall.SIGQUIT: StopGracefully,
		syscall.SIGHUP: Reload, syscall.SIGUSR1: ReopenLogs,
	}
	if dieOnTerm {
		signals[syscall.SIGTERM] = StopGracefully
	}
	return hooked(signals, hooks)
}

// hooked lets lines hook-master-start decide.
func hooked(signals map[syscall.Signal]Action, hooks []config.SignalHook) map[syscall.Signal]Action {
	for _, hook := range hooks {
		var action Action
		switch hook.Action {
		case "gracefully_kill_them_all":
			action = StopGracefully
		case "kill_them_all":
			action = StopAtOnce
		case "grace_them_all", "reap_them_all":
			action = Reload
		default:
			continue
		}
		signals[syscall.Signal(hook.Signal)] = action
	}
	return signals
}

// signalNames are those of the signals that a server is sent.
var signalNames = map[syscall.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGTERM: "SIGTERM",
	syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2",
}

// tellSignals says in one line what each signal does.
func tellSignals(signals map[syscall.Signal]Action) string {
	said := map[Action]string{StopGracefully: "stop, a second one at once", StopAtOnce: "stop at once", Reload: "restart gracefully",
		ReopenLogs: "open the logs anew", Ignore: "nothing"}
	var out []string
	for _, action := range []Action{StopGracefully, StopAtOnce, Reload, ReopenLogs, Ignore} {
		var names []string
		for _, signal := range slices.Sorted(maps.Keys(signals)) {
			if signals[signal] == action {
				names = append(names, cmp.Or(signalNames[signal], "signal "+strconv.Itoa(int(signal))))
			}
		}
		if len(names) > 0 {
			out = append(out, strings.Join(names, ", ")+": "+said[action])
		}
	}
	return strings.Join(out, "; ")
}
