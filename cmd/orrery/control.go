package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

// control is a command that has to do with the running server: the options
// that all of these share, the configuration, and the supervisors that live on
// its run folder. There may be several: web workers and uWSGI's can run by
// themselves.
type control struct {
	config, stateDir   string
	json, quiet, debug bool
	out, errors        io.Writer
	cfg                *config.Config
	supervisors        []*supervisor.Client
	reports            []supervisor.Report
}

// controlFlags adds the options that galaxyctl has for every command.
func controlFlags(fs *flag.FlagSet) *control {
	c := &control{out: os.Stdout, errors: os.Stderr}
	fs.StringVar(&c.config, "c", "", "`FILE` is the configuration (default: $GALAXY_CONFIG_FILE or $GRAVITY_CONFIG_FILE, else the first of those under FILES)")
	fs.StringVar(&c.config, "config-file", "", "the same as -c")
	fs.StringVar(&c.config, "config", "", "the same as -c")
	fs.StringVar(&c.stateDir, "state-dir", os.Getenv("GRAVITY_STATE_DIR"), "`DIR` is read as gravity does and has no effect: the state of a running server is in DATA_DIR/run")
	fs.BoolVar(&c.debug, "d", false, "say which files are read and whom is spoken to")
	fs.BoolVar(&c.debug, "debug", false, "the same as -d")
	fs.BoolVar(&c.quiet, "q", false, "say errors only")
	fs.BoolVar(&c.quiet, "quiet", false, "the same as -q")
	fs.BoolVar(&c.json, "json", false, "print JSON, for programs")
	return c
}

// open reads the configuration and finds who runs by it.
func (c *control) open() error {
	if err := c.read(); err != nil {
		return err
	}
	return c.dial()
}

// openFor does what every verb that takes names begins with: it reads the command
// line, opens, and gives the names of processes, groups and services.
func (c *control) openFor(fs *flag.FlagSet, args []string) (names []string, err error) {
	words, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	return c.withoutInstance(words), nil
}

// read reads the configuration. One with mistakes still tells where the
// running server is: that is how one stops it.
func (c *control) read() error {
	cfg, _, err := load(c.config)
	var invalid *config.InvalidError
	if err != nil && (!errors.As(err, &invalid) || cfg == nil || cfg.DataDir == "" || cfg.Path == "" || !readable(cfg.Path)) {
		return err
	}
	if err != nil && !c.quiet {
		fmt.Fprintf(c.errors, "warning: the configuration has mistakes now, and would not start:\n%v\n", err)
	}
	c.cfg = cfg
	c.debugf("configuration: %s; run folder: %s", cfg.Path, runDir(cfg))
	return nil
}

// readable tells whether a file is there at all.
func readable(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// dial finds the supervisors and asks them how they are.
func (c *control) dial() (err error) {
	if c.supervisors, err = supervisor.Dial(runDir(c.cfg)); err != nil {
		return err
	}
	return c.ask(context.Background())
}

// ask asks all supervisors how they are. One that ended meanwhile is left out.
func (c *control) ask(ctx context.Context) error {
	c.reports = nil
	var living []*supervisor.Client
	for _, client := range c.supervisors {
		report, err := client.Report(ctx)
		if errors.Is(err, supervisor.ErrNotRunning) {
			continue
		}
		if err != nil {
			return fmt.Errorf("asking the supervisor %s: %w", client.Name, err)
		}
		c.debugf("supervisor %s: process %d, version %s", client.Name, report.PID, report.Version)
		living, c.reports = append(living, client), append(c.reports, report)
	}
	c.supervisors = living
	return nil
}

func (c *control) debugf(format string, args ...any) {
	if c.debug {
		fmt.Fprintf(c.errors, "debug: "+format+"\n", args...)
	}
}

func (c *control) sayf(format string, args ...any) {
	if !c.quiet && !c.json {
		fmt.Fprintf(c.out, format+"\n", args...)
	}
}

// errNotRunning is the answer of commands that need a running server.
func (c *control) errNotRunning() error {
	return &statusError{fmt.Errorf("no server runs on %s; `orrery start` starts one", c.cfg.DataDir), exitNotRunning}
}

// notices tells what is amiss with the running server, whatever was asked.
func (c *control) notices() {
	for _, r := range c.reports {
		if r.ConfigChanged {
			fmt.Fprintf(c.errors, "%s: the configuration files have changed since the running server read them; `orrery update` shows what would change and applies it\n", c.label(r))
		}
		if r.Version != Version {
			fmt.Fprintf(c.errors, "%s: it runs version %s, this is %s; `orrery graceful` replaces it\n", c.label(r), r.Version, Version)
		}
		if r.Problem != "" {
			fmt.Fprintf(c.errors, "%s: %s\n", c.label(r), r.Problem)
		}
	}
}

// label names a supervisor where there may be others.
func (c *control) label(r supervisor.Report) string {
	if r.Name == "orrery" {
		return "server"
	}
	return "server " + r.Name
}

// services are names for all processes of a kind, as gravity has them.
var services = map[string]deployment.Kind{
	"gunicorn": deployment.Web, "web": deployment.Web, "uwsgi": deployment.Web,
	"handler": deployment.Handler, "handlers": deployment.Handler,
}

// named tells whether a process is meant by a name.
func named(p supervisor.ProcessReport, name string) bool {
	kind, ok := services[name]
	return p.Name == name || p.Group == name || ok && p.Kind == kind
}

// withoutInstance leaves out the name of the instance, which gravity's commands
// accept before those of services: here a configuration is one instance.
func (c *control) withoutInstance(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return w == c.cfg.Gravity.InstanceName || w == "_default_" || w == "all"
	})
}

// meant are the processes that names stand for, by the place of their
// supervisor in c.reports; all without names.
func (c *control) meant(names []string) (map[int][]supervisor.ProcessReport, error) {
	found := map[int][]supervisor.ProcessReport{}
	used := map[string]bool{}
	var all []string
	for i, r := range c.reports {
		for _, p := range r.Processes {
			all = append(all, p.Name)
			hit := len(names) == 0
			for _, name := range names {
				if named(p, name) {
					used[name], hit = true, true
				}
			}
			if hit {
				found[i] = append(found[i], p)
			}
		}
	}
	for _, name := range names {
		if !used[name] {
			slices.Sort(all)
			return nil, usageError("there is no process or service %q; there are gunicorn, handlers, %s", name, strings.Join(slices.Compact(all), ", "))
		}
	}
	return found, nil
}

// order gives an order to every supervisor that it is for, and prints what they
// say of it.
func (c *control) order(order supervisor.Order) error {
	if len(c.supervisors) == 0 {
		return c.errNotRunning()
	}
	found, err := c.meant(order.Names)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var failed error
	for i, client := range c.supervisors {
		if len(order.Names) > 0 && len(found[i]) == 0 {
			continue
		}
		mine := order
		mine.Names = nil
		for _, name := range order.Names {
			if slices.ContainsFunc(found[i], func(p supervisor.ProcessReport) bool { return named(p, name) }) {
				mine.Names = append(mine.Names, name)
			}
		}
		err := client.Do(ctx, mine, c.progress)
		if ctx.Err() != nil {
			return fmt.Errorf("not waited for: %s goes on in the server", order.Verb)
		}
		if err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// progress prints one line of what a supervisor does.
func (c *control) progress(p supervisor.Progress) {
	if c.json {
		_ = json.NewEncoder(c.out).Encode(p)
		return
	}
	out := c.out
	if p.Level == "warning" || p.Level == "error" {
		out = c.errors
	} else if c.quiet {
		return
	}
	text := p.Message
	if p.Change != nil && text == "" {
		text = string(p.Change.Kind)
		if p.Change.Why != "" {
			text += ": " + p.Change.Why
		}
	}
	if p.Process != "" {
		text = p.Process + ": " + text
	}
	fmt.Fprintln(out, text)
}

// printJSON writes one value, indented.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
