package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"orrery/internal/supervisor"
)

// runPM is `orrery pm`: what galaxyctl passes on to the process manager.
func runPM(args []string) error {
	// Options after the command are the process manager's.
	own, rest := args, []string(nil)
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			own, rest = args[:i], args[i:]
			break
		}
		if slices.Contains([]string{"-c", "--config-file", "--config", "--state-dir"}, args[i]) {
			i++
		}
	}
	fs := newFlags("pm")
	c := controlFlags(fs)
	if _, err := parseWords(fs, own, 0); err != nil {
		return err
	}
	if len(rest) > 0 && rest[0] == "reread" {
		return checkConfig(configArgs(c.config))
	}
	if err := c.open(); err != nil {
		return err
	}
	if len(rest) == 0 {
		return c.whoManages()
	}
	return c.pm(rest[0], rest[1:])
}

func configArgs(path string) []string {
	if path == "" {
		return nil
	}
	return []string{"-c", path}
}

// whoManages says what stands behind the processes.
func (c *control) whoManages() error {
	defer c.notices()
	if c.json {
		return printJSON(c.out, c.reports)
	}
	c.sayf("The process manager is Orrery's own supervisor; there is no supervisord or systemd behind it, unless units that `orrery update` wrote start it.")
	for _, r := range c.reports {
		c.sayf("%s: process %d on %s, control socket %s", supervisorName(r), r.PID, r.Host, filepath.Join(runDir(c.cfg), r.Name+".control"))
	}
	if len(c.reports) == 0 {
		c.sayf("It does not run now.")
	}
	return nil
}

// pm carries out a command of supervisorctl's or systemctl's.
func (c *control) pm(command string, args []string) error {
	at := configArgs(c.config)
	names := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") || a == "all" })
	for i, name := range names {
		// galaxy:handler0 and galaxy-handler@0.service are what these call them.
		if _, process, ok := strings.Cut(name, ":"); ok && process != "" && process != "*" {
			names[i] = process
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, ":*") || strings.HasSuffix(n, ":") })
	with := func(run func([]string) error) error { return run(slices.Concat(at, names)) }
	switch command {
	case "status", "list-units", "avail":
		return with(runStatus)
	case "start":
		return with(runStart)
	case "stop":
		return with(runStop)
	case "restart":
		return with(runRestart)
	case "reload", "graceful":
		return with(runGraceful)
	case "update":
		return c.order(supervisor.Order{Verb: supervisor.VerbUpdate})
	case "shutdown":
		return c.shutdown()
	case "tail":
		return runFollow(slices.Concat(at, names))
	case "pid":
		return c.printPIDs(names)
	case "signal", "kill":
		if len(args) == 0 {
			return usageError("say which signal: orrery pm signal HUP")
		}
		return c.signal(args[0], names)
	}
	return usageError("the process manager has no command %q; it has status, start, stop, restart, reload, update, reread, tail, pid, signal and shutdown", command)
}

// printPIDs prints the process ids of the supervisors, or of processes.
func (c *control) printPIDs(names []string) error {
	if len(c.reports) == 0 {
		return c.errNotRunning()
	}
	if len(names) == 0 {
		for _, r := range c.reports {
			fmt.Fprintln(c.out, r.PID)
		}
		return nil
	}
	found, err := c.meant(names)
	if err != nil {
		return err
	}
	for i := range c.reports {
		for _, p := range found[i] {
			fmt.Fprintln(c.out, p.PID)
		}
	}
	return nil
}

// signal does what a signal to the supervisor does, for all processes or some.
func (c *control) signal(name string, names []string) error {
	verbs := map[string]supervisor.Verb{
		"HUP": supervisor.VerbGraceful, "USR1": supervisor.VerbReopen, "TERM": supervisor.VerbStop, "INT": supervisor.VerbStop,
	}
	verb, ok := verbs[strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(name), "--SIGNAL="), "SIG")]
	if !ok {
		return usageError("the signal %q means nothing here; HUP, USR1, TERM and INT do", name)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == name })
	return c.order(supervisor.Order{Verb: verb, Names: names})
}
