package deployment

import (
	"fmt"
	"strings"
	"time"

	"orrery/internal/config"
)

// What a process has that its configuration gives no other time to.
const (
	DefaultReadyTimeout = 5 * time.Minute  // from its start until it serves
	DefaultStopTimeout  = 65 * time.Second // from SIGTERM to its end, as in gravity
)

// stopNeeds is how long a process that handles jobs may need to stop: each runner plugin is stopped after the other. 0
// means that nothing is waited for.
func stopNeeds(c *config.Config, plugins []string) time.Duration {
	n := len(c.Jobs.Runners)
	if len(plugins) > 0 {
		n = len(plugins)
	}
	return max(0, c.MonitorThreadJoinTimeout) * time.Duration(n)
}

// enoughToStop is the time of processes for which no file says one.
func enoughToStop(c *config.Config) time.Duration {
	return max(DefaultStopTimeout, stopNeeds(c, nil)+5*time.Second)
}

// warnOfMercy tells, once for each setting, where processes that handle jobs are killed before they can have stopped.
func (p *Plan) warnOfMercy(c *config.Config) {
	said := map[string]bool{}
	for _, process := range p.Processes {
		needs := stopNeeds(c, process.Plugins)
		if !process.HandleJobs || process.StopTimeout >= needs {
			continue
		}
		setting := "stop_timeout of gunicorn"
		switch {
		case c.Edition == config.Edition1901 && process.Kind == Web:
			setting = "worker-reload-mercy"
		case c.Edition == config.Edition1901:
			setting = "mule-reload-mercy"
		case process.Kind == Handler:
			setting = "stop_timeout of the handler " + process.Service
		}
		if said[setting] {
			continue
		}
		said[setting] = true
		n := int(needs / max(1, c.MonitorThreadJoinTimeout))
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s is %d s, and handling of jobs may take %d s to stop (monitor_thread_join_timeout × %d runner %s): what is not done by then is killed; set it to more than %d",
			setting, int(process.StopTimeout.Seconds()), int(needs.Seconds()), n, strings.TrimSuffix("plugins", map[bool]string{true: "s"}[n == 1]), int(needs.Seconds())))
	}
}

// DaemonWarning is what to say when the server is put into the background by a command and the configuration does so
// too; "" when it does not.
func DaemonWarning(c *config.Config) string {
	for _, option := range []struct{ name, value string }{{"daemonize", c.Uwsgi.Daemonize}, {"daemonize2", c.Uwsgi.Daemonize2}} {
		if option.value != "" {
			return fmt.Sprintf("uwsgi: %s is set, and run.sh --daemon does the same: use one of them; the log is %s", option.name, option.value)
		}
	}
	return ""
}
