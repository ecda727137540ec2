package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"orrery/internal/config"
	"orrery/internal/deployment"
)

// runUwsgi is `orrery uwsgi`, and what the program does under the name uwsgi:
// what uWSGI itself would start of a configuration, web workers and mules.
func runUwsgi(args []string) error {
	a, err := config.ReadUwsgiArgs(args)
	switch {
	case err != nil:
		newFlags("uwsgi")
		return usageError("%s", strings.TrimPrefix(err.Error(), "uwsgi: "))
	case a.Help:
		uwsgiFlags(newFlags("uwsgi"))
		return flag.ErrHelp
	case a.Version:
		return printVersion(nil)
	}
	if a.File, err = absolute(a.File); err != nil {
		return err
	}
	if err := os.Setenv(config.UwsgiArgsVariable, config.ArgsValue(a.Options)); err != nil {
		return err
	}
	o := runOptions{Name: "uwsgi", Scope: deployment.ScopeUwsgi, Load: loader(a.File), Args: []string{"uwsgi"}}
	switch {
	case a.File != "":
		o.Args = append(o.Args, "--yaml", a.File)
	case isZergPool(a.Options):
		// It holds sockets and serves nothing: no galaxy.yml that lies about is meant.
		o.Load = func() (*config.Config, []config.Problem, error) { return config.Load("", os.Environ()) }
	case len(a.Options) == 0:
		return usageError("name the configuration: uwsgi --yaml config/galaxy.yml")
	}
	for _, option := range a.Options {
		o.Args = append(o.Args, "--"+option)
	}
	// What is wrong with the configuration is said by superviseServer; a supervisor
	// that has just replaced itself goes on whatever it says.
	if cfg, _, _ := o.Load(); cfg != nil {
		o.follow(cfg)
	}
	return superviseServer(o)
}

// isZergPool tells whether a command line without a file is that of a Zerg
// pool.
func isZergPool(options []string) bool {
	for _, option := range options {
		if name, _, _ := strings.Cut(option, "="); name == "zerg-pool" || name == "zergpool" {
			return true
		}
	}
	return false
}

// follow takes from a configuration what it says of the supervisor's own files
// and whether it goes into the background, where the command line did not.
func (o *runOptions) follow(cfg *config.Config) {
	first := func(into *string, values ...string) {
		for _, v := range values {
			if *into == "" {
				*into = v
			}
		}
	}
	if !cfg.Uwsgi.Present {
		if !cfg.Gravity.Present {
			return
		}
		for _, g := range cfg.Gravity.Gunicorn {
			first(&o.PIDFile, g.PIDFile)
			if g.ErrorLog != "-" {
				first(&o.LogFile, g.ErrorLog)
			}
		}
		return
	}
	u := cfg.Uwsgi
	first(&o.PIDFile, u.PIDFile)
	first(&o.PIDFile2, u.PIDFile2)
	first(&o.LogFile, u.LogTo2, u.LogTo, u.Daemonize2, u.Daemonize)
	o.Daemon = o.Daemon || u.Daemonize != "" || u.Daemonize2 != ""
	if o.Name == "uwsgi" && len(u.Zerg)+len(u.ZergPools) > 0 {
		// Several live beside each other: that is what Zerg Mode is for.
		o.Name += "-" + strconv.Itoa(os.Getpid())
	}
}

// uwsgiFlags are the options that help and completion show. Every other one of
// uWSGI's is accepted, too.
func uwsgiFlags(fs *flag.FlagSet) {
	for _, o := range []struct{ name, also, value, about string }{
		{"yaml", "y", "FILE", "the configuration: the uwsgi section of galaxy.yml"},
		{"ini", "", "FILE", "the configuration: the section [uwsgi] of galaxy.ini"},
		{"http", "", "ADDRESS", "speak HTTP at an address (repeatable)"},
		{"https", "", "ADDRESS,CRT,KEY", "speak HTTPS at an address (repeatable)"},
		{"http-to-https", "", "ADDRESS", "answer HTTP there with the https address"},
		{"socket", "s", "ADDRESS", "speak the uwsgi protocol at an address or a path (repeatable)"},
		{"shared-socket", "", "ADDRESS", "open a socket as root; =N in http, https and socket means the Nth"},
		{"chmod-socket", "C", "MODE", "the mode of UNIX sockets, octal"},
		{"processes", "p", "NUMBER", "how many web workers"},
		{"mule", "", "FILE", "one more job handler beside the web workers (repeatable)"},
		{"farm", "", "NAME:1,2", "a pool of mules"},
		{"uid", "", "USER", "whom a server that is started as root serves as"},
		{"gid", "", "GROUP", "the same for the group"},
		{"static-map", "", "MOUNT=DIR", "serve a folder as it is (repeatable)"},
		{"stats", "", "ADDRESS", "where uwsgitop asks"},
		{"zerg-pool", "", "PATH:ADDRESS", "hold sockets for others and serve nothing"},
		{"zerg", "", "PATH", "take the sockets of a pool"},
		{"die-on-term", "", "", "stop at SIGTERM instead of restarting gracefully"},
		{"daemonize", "d", "FILE", "go into the background and log to a file"},
		{"daemonize2", "", "FILE", "the same, once the server is ready"},
		{"logto", "", "FILE", "log to a file"},
		{"pidfile", "", "FILE", "gets the process id"},
		{"pidfile2", "", "FILE", "gets it once the server is ready"},
		{"chdir", "", "DIR", "what relative paths start from"},
		{"master", "M", "", "without effect: there always is one"},
		{"plugin", "", "NAME", "without effect: Python is not needed"},
		{"threads", "", "NUMBER", "without effect: a worker serves as many requests at once as come"},
	} {
		f := &shownFlag{o.value}
		fs.Var(f, o.name, o.about)
		if o.also != "" {
			fs.Var(f, o.also, "the same as --"+o.name)
		}
	}
}

// shownFlag is an option that is shown and read elsewhere.
type shownFlag struct{ value string }

func (f *shownFlag) String() string { return "" }

// Set is not called: config.ReadUwsgiArgs reads the command line.
func (f *shownFlag) Set(string) error { return fmt.Errorf("it is read elsewhere") }

// IsBoolFlag tells whether it has no value.
func (f *shownFlag) IsBoolFlag() bool { return f.value == "" }

// Placeholder is what stands for its value in help.
func (f *shownFlag) Placeholder() string { return f.value }
