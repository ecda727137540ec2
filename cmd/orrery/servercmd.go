package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

// startOptions are files of a server that goes into the background.
type startOptions struct{ pidFile, logFile string }

func startFlags(fs *flag.FlagSet) *startOptions {
	o := &startOptions{}
	fs.StringVar(&o.pidFile, "pid-file", "", "`FILE` gets the process id of a server that is started in the background")
	fs.StringVar(&o.logFile, "log-file", "", "`FILE` gets what a server that is started in the background prints (default: orrery.log in the log folder)")
	return o
}

// runCommand is `orrery run`: the supervisor with all processes, in the
// foreground.
func runCommand(args []string) error {
	fs := newFlags("run")
	path := configFlag(fs)
	o := startFlags(fs)
	daemon := fs.Bool("daemon", false, "go into the background; the command ends when the server is ready, or says why it is not")
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	return superviseAll(*path, *o, *daemon, append([]string{"run"}, args...))
}

// superviseAll runs a supervisor with everything that the configuration asks
// for.
func superviseAll(path string, files startOptions, daemon bool, args []string) error {
	o := runOptions{
		Name: "orrery", Scope: deployment.ScopeAll, Load: loader(path), PIDFile: files.pidFile, LogFile: files.logFile, Daemon: daemon, Args: args,
	}
	// What is wrong with the configuration is said by superviseServer.
	if cfg, _, _ := o.Load(); cfg != nil {
		o.follow(cfg)
	}
	return superviseServer(o)
}

// loader reads a configuration, at each reload again.
func loader(path string) func() (*config.Config, []config.Problem, error) {
	return func() (*config.Config, []config.Problem, error) { return load(path) }
}

// runGalaxy is `orrery galaxy`, gravity's galaxy: the server in the foreground
// with the logs of all its processes.
func runGalaxy(args []string) error {
	fs := newFlags("galaxy")
	c := controlFlags(fs)
	o := startFlags(fs)
	var single string
	fs.StringVar(&single, "s", "", "serve only the user with the address `EMAIL`, who is an administrator and need not log in")
	fs.StringVar(&single, "single-user", "", "the same as -s")
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	if single != "" {
		for _, name := range []string{"GALAXY_CONFIG_SINGLE_USER", "GALAXY_CONFIG_ADMIN_USERS"} {
			if err := os.Setenv(name, single); err != nil {
				return err
			}
		}
	}
	return c.foreground(append([]string{"galaxy"}, args...), *o)
}

// foreground runs the server here and prints its logs, unless only the
// supervisor is to be heard.
func (c *control) foreground(args []string, o startOptions) error {
	if err := c.read(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !c.quiet && !probing {
		// What is wrong with the configuration is the supervisor's to say.
		if logs, err := c.logs(nil); err == nil {
			// The supervisor's own log is on the terminal already where it matters.
			logs = slices.DeleteFunc(logs, func(path string) bool { return filepath.Base(path) == "orrery.log" })
			shown := make(chan struct{})
			defer func() { cancel(); <-shown }()
			go func() {
				defer close(shown)
				if err := follow(ctx, os.Stdout, logs, 0); err != nil {
					fmt.Fprintf(os.Stderr, "the logs cannot be shown here: %v\n", err)
				}
			}()
		}
	}
	return superviseAll(c.config, o, false, args)
}

// runStart is `orrery start`: in the background, or what was stopped.
func runStart(args []string) error {
	fs := newFlags("start")
	c := controlFlags(fs)
	o := startFlags(fs)
	var foreground bool
	fs.BoolVar(&foreground, "f", false, "stay in the foreground and print the logs of all processes")
	fs.BoolVar(&foreground, "foreground", false, "the same as -f")
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	if len(c.supervisors) == 0 {
		if foreground && len(names) == 0 {
			// As galaxy, for the supervisor calls the program by these arguments again
			// when it replaces itself: then it runs, and there is nothing to start.
			again := append([]string{"galaxy"}, configArgs(c.config)...)
			if c.quiet {
				again = append(again, "--quiet")
			}
			return c.foreground(again, *o)
		}
		return c.startServer(names, *o)
	}
	if foreground {
		return fmt.Errorf("it runs already, as process %d; `orrery follow` shows its logs", c.reports[0].PID)
	}
	defer c.notices()
	return c.order(supervisor.Order{Verb: supervisor.VerbStart, Names: names})
}

// startPatience is how long a start in the background is waited for. Then it
// goes on by itself.
const startPatience = 5 * time.Minute

// startServer starts a server in the background.
func (c *control) startServer(names []string, o startOptions) error {
	if len(names) > 0 {
		return &statusError{fmt.Errorf("no server runs that could start %s alone; `orrery start` starts one with all processes, `orrery exec %s` that one in the foreground",
			strings.Join(names, " "), names[0]), exitNotRunning}
	}
	// What would keep it from starting is said here and now.
	if _, _, err := load(c.config); err != nil {
		return err
	}
	if warning := deployment.DaemonWarning(c.cfg); warning != "" {
		fmt.Fprintln(c.errors, "warning: "+warning)
	}
	if err := c.refuseOther(o.pidFile); err != nil {
		return err
	}
	args := []string{"run"}
	if c.cfg.Path != "" {
		args = append(args, "-c", c.cfg.Path)
	}
	if o.pidFile != "" {
		args = append(args, "--pid-file", o.pidFile)
	}
	if o.logFile != "" {
		args = append(args, "--log-file", o.logFile)
	}
	output := o.logFile
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	pid, _, err := inBackground{args: args, log: output}.start(ctx)
	if err != nil {
		return err
	}
	c.sayf("started: process %d", pid)
	if o.logFile != "" {
		c.sayf("Its log is %s; those of its processes are in %s", o.logFile, c.cfg.LogDir)
	} else {
		c.sayf("Log files are in %s", c.cfg.LogDir)
	}
	return nil
}

// refuseOther refuses a pid file that belongs to a living server of this
// program, which is another's: this one does not run. One that a crash left, or
// whose id another program has by now, is replaced.
func (c *control) refuseOther(path string) error {
	pid, err := pidIn(path)
	switch {
	case err != nil:
		return fmt.Errorf("%w; name another file", err)
	case pid == 0:
		return nil
	case isOurs(pid):
		return fmt.Errorf("%s names process %d, which is another server of this program; stop that one, or choose another --pid-file", path, pid)
	case alive(pid):
		c.sayf("%s names process %d, which is another program: the file is stale and is replaced", path, pid)
	default:
		c.sayf("%s names process %d, which does not run: the file is stale and is replaced", path, pid)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
