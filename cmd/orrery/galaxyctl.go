package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

// The verbs of galaxyctl, on the supervisors of this program.

// runList is `orrery list`, or configs: the instances. A configuration is one.
func runList(args []string) error {
	fs := newFlags("list")
	c := controlFlags(fs)
	var version bool
	fs.BoolVar(&version, "v", false, "print the version of Galaxy too")
	fs.BoolVar(&version, "version", false, "the same as -v")
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	type row struct {
		Name    string `json:"instance_name"`
		Config  string `json:"config_file"`
		Version string `json:"galaxy_version"`
		DataDir string `json:"data_dir"`
		Running bool   `json:"running"`
	}
	var rows []row
	names, _ := instancesOf(command{instances: true, run: runList}, args)
	if len(names) == 0 {
		names = []string{os.Getenv(instanceVariable)}
	}
	for _, name := range names {
		if err := os.Setenv(instanceVariable, name); err != nil {
			return err
		}
		if err := c.open(); err != nil {
			return err
		}
		c.notices()
		rows = append(rows, row{c.cfg.Gravity.InstanceName, c.cfg.Path, galaxyVersion, c.cfg.DataDir, len(c.reports) > 0})
	}
	if c.json {
		return printJSON(c.out, rows)
	}
	w := tabwriter.NewWriter(c.out, 18, 0, 2, ' ', 0)
	head := "INSTANCE NAME\tCONFIG PATH\n"
	if version {
		head = "INSTANCE NAME\tVERSION\tCONFIG PATH\n"
	}
	fmt.Fprint(w, head)
	for _, r := range rows {
		if r.Config == "" {
			r.Config = "(none: defaults)"
		}
		if version {
			r.Name += "\t" + r.Version
		}
		fmt.Fprintf(w, "%s\t%s\n", r.Name, r.Config)
	}
	return w.Flush()
}

// instance is what `orrery show` prints.
type instance struct {
	Name           string             `json:"instance_name"`
	Config         string             `json:"config_file"`
	Version        string             `json:"galaxy_version"`
	Edition        string             `json:"edition"`
	ProcessManager string             `json:"process_manager"`
	Root           string             `json:"galaxy_root"`
	DataDir        string             `json:"data_dir"`
	LogDir         string             `json:"log_dir"`
	RunDir         string             `json:"run_dir"`
	User           string             `json:"galaxy_user,omitempty"`
	Group          string             `json:"galaxy_group,omitempty"`
	Plan           *deployment.Plan   `json:"plan"`
	Changed        bool               `json:"config_changed"`
	Supervisors    []supervisorOfShow `json:"supervisors"`
}

type supervisorOfShow struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// runShow is `orrery show`, or get: what an instance's configuration amounts
// to. galaxyctl prints JSON here, and so does this.
func runShow(args []string) error {
	fs := newFlags("show")
	c := controlFlags(fs)
	words, err := parseWords(fs, args, 1)
	if err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	if rest := c.withoutInstance(words); len(rest) > 0 {
		return usageError("there is no instance %q; this configuration is the instance %s", rest[0], c.cfg.Gravity.InstanceName)
	}
	defer c.notices()
	plan, err := deployment.NewPlan(c.cfg, deployment.EngineOf(c.cfg.Database))
	if err != nil {
		return err
	}
	manager := "orrery"
	if m := c.cfg.Gravity.ProcessManager; m != "" {
		manager = m
	}
	out := instance{
		Name: c.cfg.Gravity.InstanceName, Config: c.cfg.Path, Version: galaxyVersion, Edition: c.cfg.Edition.String(), ProcessManager: manager,
		Root: c.cfg.Root, DataDir: c.cfg.DataDir, LogDir: c.cfg.LogDir, RunDir: runDir(c.cfg), User: plan.User, Group: plan.Group, Plan: plan,
		Supervisors: []supervisorOfShow{},
	}
	for _, r := range c.reports {
		out.Changed = out.Changed || r.ConfigChanged
		out.Supervisors = append(out.Supervisors, supervisorOfShow{r.Name, r.PID})
	}
	return printJSON(c.out, out)
}

// runStatus is `orrery status`.
func runStatus(args []string) error {
	fs := newFlags("status")
	c := controlFlags(fs)
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	return c.status(names, time.Now())
}

// status prints the processes. Nothing running is exit status 3, something that
// should run and does not is 1.
func (c *control) status(names []string, now time.Time) error {
	if len(c.reports) == 0 {
		if c.json {
			if err := printJSON(c.out, []supervisor.Report{}); err != nil {
				return err
			}
		}
		return c.errNotRunning()
	}
	defer c.notices()
	found, err := c.meant(names)
	if err != nil {
		return err
	}
	shown, running, amiss := []supervisor.Report{}, 0, []string{}
	for i, r := range c.reports {
		if len(names) > 0 && len(found[i]) == 0 {
			continue
		}
		r.Processes = found[i]
		shown = append(shown, r)
		for _, p := range r.Processes {
			switch p.State {
			case "ready", "starting", "draining", "stopping":
				running++
			case "stopped":
			default:
				amiss = append(amiss, p.Name)
			}
		}
	}
	if c.json {
		err = printJSON(c.out, shown)
	} else if !c.quiet {
		err = printStatus(c.out, shown, now)
	}
	switch {
	case err != nil:
		return err
	case len(amiss) > 0:
		return fmt.Errorf("%s: not running", strings.Join(slices.Compact(amiss), ", "))
	case running == 0:
		return &statusError{errors.New("every process is stopped; `orrery start` starts them"), exitNotRunning}
	}
	return nil
}

// printStatus writes the table of processes.
func printStatus(out io.Writer, reports []supervisor.Report, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROCESS\tSTATE\tPID\tUPTIME\tRESTARTS\tMEMORY\tDETAIL")
	for _, r := range reports {
		fmt.Fprintf(w, "%s\trunning\t%d\t%s\t\t\tsupervisor, version %s\n", supervisorName(r), r.PID, inWords(now.Sub(r.Since)), r.Version)
		for _, p := range r.Processes {
			pid, uptime, memory := "", "", ""
			if p.PID > 0 {
				pid, uptime = fmt.Sprint(p.PID), inWords(now.Sub(p.Since))
			}
			if p.Memory > 0 {
				memory = fmt.Sprintf("%.0f MB", float64(p.Memory)/1e6)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.Name, p.State, pid, uptime, p.Restarts, memory, p.Detail)
		}
	}
	return w.Flush()
}

func supervisorName(r supervisor.Report) string {
	if r.Name == "orrery" {
		return "orrery"
	}
	return "orrery " + r.Name
}

// orderCommand makes a command out of a verb that takes names.
func orderCommand(verb supervisor.Verb) func(args []string) error {
	return func(args []string) error {
		fs := newFlags(string(verb))
		c := controlFlags(fs)
		names, err := c.openFor(fs, args)
		if err != nil {
			return err
		}
		defer c.notices()
		return c.order(supervisor.Order{Verb: verb, Names: names})
	}
}

// runGraceful is `orrery graceful`, or reload.
func runGraceful(args []string) error {
	fs := newFlags("graceful")
	c := controlFlags(fs)
	startIfStopped := fs.Bool("start-if-stopped", false, "start what does not run, or the server when none does, instead of refusing")
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	if len(c.supervisors) == 0 && *startIfStopped {
		return c.startServer(names, startOptions{})
	}
	// What was known before says that the files changed; that is why one does this.
	if err := c.order(supervisor.Order{Verb: supervisor.VerbGraceful, Names: names}); err != nil {
		return err
	}
	if *startIfStopped {
		return c.order(supervisor.Order{Verb: supervisor.VerbStart, Names: names})
	}
	return nil
}

// runStop is `orrery stop`: the processes, and the supervisor with the last of
// them, as gravity does.
func runStop(args []string) error {
	fs := newFlags("stop")
	c := controlFlags(fs)
	pidPath := fs.String("pid-file", "", "`FILE` is where the process id was written; it is removed")
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	if len(c.supervisors) == 0 {
		return c.notRunningAnyway(*pidPath)
	}
	if len(names) == 0 {
		return errors.Join(c.shutdown(), removeStale(*pidPath))
	}
	defer c.notices()
	if err := c.order(supervisor.Order{Verb: supervisor.VerbStop, Names: names}); err != nil {
		return err
	}
	if err := c.ask(context.Background()); err != nil {
		return err
	}
	for _, r := range c.reports {
		if slices.ContainsFunc(r.Processes, func(p supervisor.ProcessReport) bool { return p.State != "stopped" }) {
			return nil
		}
	}
	c.sayf("nothing is left to supervise")
	return errors.Join(c.shutdown(), removeStale(*pidPath))
}

// notRunningAnyway is what stopping a server means that does not run: nothing
// to do. A file with the id of a process that is none of this server's is never
// a reason to send that process a signal.
func (c *control) notRunningAnyway(pidPath string) error {
	pid, err := pidIn(pidPath)
	if err != nil {
		return err
	}
	if pid > 0 && alive(pid) {
		c.sayf("no server runs on %s; process %d in %s is another program's and is left alone", c.cfg.DataDir, pid, pidPath)
	} else {
		c.sayf("no server runs on %s", c.cfg.DataDir)
	}
	return removeStale(pidPath)
}

// removeStale removes a pid file after the server's end. One that names a
// living server of this program stays, and so does what is no pid file.
func removeStale(path string) error {
	if path == "" {
		return nil
	}
	pid, err := pidIn(path)
	if err != nil || pid > 0 && isOurs(pid) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// alive tells whether there is a process of an id.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// isOurs tells whether a process runs this program, or one that was in its
// place before an upgrade.
func isOurs(pid int) bool {
	own, err := os.Executable()
	if err != nil {
		return false
	}
	other, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(pid), "exe"))
	trim := func(path string) string { return strings.TrimSuffix(path, " (deleted)") }
	return err == nil && trim(own) == trim(other)
}

// runShutdown is `orrery shutdown`.
func runShutdown(args []string) error {
	fs := newFlags("shutdown")
	c := controlFlags(fs)
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	if len(c.supervisors) == 0 {
		return c.notRunningAnyway("")
	}
	return c.shutdown()
}

// shutdown ends the supervisors and waits until they are gone.
func (c *control) shutdown() error {
	reports := c.reports
	if err := c.order(supervisor.Order{Verb: supervisor.VerbShutdown}); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, r := range reports {
		for alive(r.PID) && isOurs(r.PID) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d has stopped everything, and does not end", r.PID)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	c.sayf("stopped")
	return nil
}

// runRestart is `orrery restart`: stop, then start. What does not run is
// started.
func runRestart(args []string) error {
	fs := newFlags("restart")
	c := controlFlags(fs)
	o := startFlags(fs)
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	if len(c.supervisors) == 0 && len(names) == 0 {
		c.sayf("no server runs; starting one")
		return c.startServer(nil, *o)
	}
	defer c.notices()
	return c.order(supervisor.Order{Verb: supervisor.VerbRestart, Names: names})
}

// runExec is `orrery exec`: one service in the foreground, in place of this
// process.
func runExec(args []string) error {
	fs := newFlags("exec")
	c := controlFlags(fs)
	var noExec bool
	var number int
	fs.BoolVar(&noExec, "n", false, "print the command that would be run, and run nothing")
	fs.BoolVar(&noExec, "no-exec", false, "the same as -n")
	fs.IntVar(&number, "i", -1, "which process of a service with several: `NUMBER` counts from 0")
	fs.IntVar(&number, "service-instance", -1, "the same as -i")
	words, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	plan, err := deployment.NewPlan(c.cfg, deployment.EngineOf(c.cfg.Database))
	if err != nil {
		return err
	}
	names := c.withoutInstance(words)
	if len(names) != 1 {
		return usageError("say which one service: %s", strings.Join(serviceNames(plan), ", "))
	}
	command, environment, err := serviceCommand(c.cfg, plan, names[0], number)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if !c.quiet {
		fmt.Fprintf(c.errors, "Working directory: %s\nExecuting: %s\n", c.cfg.Root, strings.Join(append(slices.Clone(environment), append([]string{program}, command...)...), " "))
	}
	if noExec {
		return nil
	}
	return syscall.Exec(program, append([]string{program}, command...), append(os.Environ(), environment...))
}

// serviceNames are what exec can run.
func serviceNames(plan *deployment.Plan) []string {
	var out []string
	for _, p := range plan.Processes {
		name := p.ServerName
		if p.Kind == deployment.Web {
			name = "gunicorn"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// serviceCommand is the command of a service, as the supervisor itself would
// start it, with what it adds to the environment.
func serviceCommand(cfg *config.Config, plan *deployment.Plan, name string, number int) (command, environment []string, err error) {
	var found []deployment.Planned
	for _, p := range plan.Processes {
		if named(supervisor.ProcessReport{Name: p.ServerName, Group: p.Group, Kind: p.Kind}, name) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, nil, usageError("the configuration has no service %q; it has %s", name, strings.Join(serviceNames(plan), ", "))
	}
	at := []string{"-c", cfg.Path}
	if cfg.Path == "" {
		at = nil
	}
	if found[0].Kind == deployment.Web {
		return append([]string{"web"}, at...), nil, nil
	}
	switch {
	case len(found) > 1 && number < 0:
		return nil, nil, usageError("%s has %d processes: say which one by --service-instance 0 to %d", name, len(found), len(found)-1)
	case number >= len(found):
		return nil, nil, usageError("%s has %d processes: --service-instance counts from 0 to %d", name, len(found), len(found)-1)
	}
	p := found[max(number, 0)]
	command = append(append([]string{"handler"}, at...), "--server-name", p.ServerName)
	for _, tag := range p.Tags {
		command = append(command, "--tag", tag)
	}
	for key, value := range p.Environment {
		environment = append(environment, key+"="+value)
	}
	slices.Sort(environment)
	return command, environment, nil
}
