package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"orrery/internal/config"
)

// texts is an option that may be given several times.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

// processFlags are what the supervisor, or an administrator, tells one process.
type processFlags struct {
	config     *string
	noConfig   bool
	serverName string
	tags       texts
	pools      texts
	handleJobs bool
	// onlyHandler says that this process serves no page.
	onlyHandler bool
	// baseName is the server_name by which the supervisor named all processes.
	baseName string
	// foreground says that nobody supervises this process.
	foreground bool
	// What an administrator says of a handler that nobody supervises.
	daemonize                       bool
	logFile, daemonLogFile, pidFile string
}

// parseProcess reads the command line of one process: galaxy-main's, with what
// the supervisor says besides.
func parseProcess(name string, args []string) (*processFlags, error) {
	fs := newFlags(name)
	f := &processFlags{config: configFlag(fs)}
	fs.StringVar(&f.serverName, "server-name", "", "`NAME` is what jobs are assigned to, and what the job configuration calls this process")
	fs.Var(&f.pools, "attach-to-pool", "join a `POOL` of handlers: job-handlers, or job-handlers.TAG (repeatable)")
	fs.Var(&f.tags, "tag", "take the jobs of a `TAG` (repeatable; what --attach-to-pool means, without its prefix)")
	if name != "handler" {
		fs.BoolVar(&f.handleJobs, "handle-jobs", false, "run jobs in this process too")
	}
	fs.StringVar(&f.baseName, "base-name", "", "`NAME` is the server_name that the names of all processes follow from (set by orrery run)")
	fs.BoolVar(&f.noConfig, "no-config", false, "use the defaults, without looking for a galaxy.yml")
	var section string
	if name == "handler" {
		fs.StringVar(f.config, "ini-path", "", "the same as -c")
		fs.BoolVar(&f.daemonize, "d", false, "go into the background; the command ends when the handler takes jobs, or with the reason why it does not")
		fs.BoolVar(&f.daemonize, "daemonize", false, "the same as -d")
		fs.StringVar(&f.pidFile, "pid-file", "", "`FILE` gets the process id (default with --daemonize: DATA_DIR/run/NAME.pid, so that each handler has its own)")
		fs.StringVar(&f.logFile, "log-file", "", "`FILE` gets the log (default: standard error; with --daemonize LOG_DIR/NAME.log)")
		fs.StringVar(&f.daemonLogFile, "daemon-log-file", "", "`FILE` gets what a handler in the background prints besides its log")
		fs.StringVar(&section, "app", "", "the `SECTION` of the configuration; only Galaxy's own is there to be read")
		fs.StringVar(&section, "config-section", "", "the same as --app")
	}
	if _, err := parseWords(fs, args, 0); err != nil {
		return nil, err
	}
	if section = strings.TrimPrefix(section, "app:"); section != "" && section != "galaxy" && section != "main" {
		return nil, usageError("--app %s: the section that is read is galaxy in YAML and app:main in INI files; name another file by -c instead", section)
	}
	if f.serverName == "" {
		return nil, usageError("give the process a name: --server-name NAME")
	}
	if !config.ValidServerName(f.serverName) {
		return nil, usageError("--server-name %q: use letters, digits, “.”, “_” and “-”", f.serverName)
	}
	f.onlyHandler = name == "handler"
	f.handleJobs = f.handleJobs || f.onlyHandler
	return f, nil
}

// runHandler is `orrery handler`, and galaxy-main.
func runHandler(args []string) error {
	f, err := parseProcess("handler", args)
	if err != nil {
		return err
	}
	if f.daemonize && starter() == nil {
		return f.background(args)
	}
	// A relative path is one of the folder that the command was started in,
	// before and after anything else.
	if f.logFile, err = absolute(f.logFile); err != nil {
		return err
	}
	var pid *pidFile
	if f.pidFile != "" {
		if pid, err = writePID(f.pidFile); err != nil {
			return err
		}
	}
	return errors.Join(f.handle(), pid.remove())
}

// handle runs the handler until it is told to stop.
func (f *processFlags) handle() error {
	noWay := giveWay() // before the work of starting, which web workers are not to notice either
	p, err := open(context.Background(), f)
	if err != nil {
		return err
	}
	if noWay != nil {
		p.log.Warn("the handler and its jobs have the same priority as the web workers", "error", noWay)
	}
	ctx, stop := p.stopSignal()
	defer stop()
	if p.child == nil {
		// galaxy-main stops at SIGHUP, too; with a supervisor that is the supervisor's to act on.
		var hangup context.CancelFunc
		ctx, hangup = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer hangup()
	}
	if len(f.tags) == 0 {
		p.log.Warn(claimsNothing, "name", f.serverName)
		starterNote = f.serverName + ": " + claimsNothing
	}
	// Should the supervisor die, the next one tells this handler when its own serves.
	withdraw, err := p.child.Offer(runDir(p.cfg), nil)
	if err != nil {
		return errors.Join(err, p.close())
	}
	defer withdraw()
	err = p.handle(ctx, "handler")
	return errors.Join(err, p.close())
}

const claimsNothing = "THIS HANDLER CLAIMS NO JOBS: it is attached to no pool (--attach-to-pool job-handlers), and the job configuration " +
	"declares no handler of its name; it takes only jobs that are assigned to its name"

// background starts the same command again without a terminal, and returns when
// the handler takes jobs.
func (f *processFlags) background(args []string) error {
	cfg, _, err := load(*f.config)
	if err != nil {
		return err
	}
	if f.pidFile == "" {
		f.pidFile = filepath.Join(runDir(cfg), f.serverName+".pid")
		args = append(slices.Clone(args), "--pid-file", f.pidFile)
		if err := os.MkdirAll(runDir(cfg), 0o700); err != nil {
			return fmt.Errorf("making the run folder: %w", err)
		}
	}
	if f.logFile == "" {
		if err := os.MkdirAll(cfg.LogDir, 0o755); err != nil {
			return fmt.Errorf("making the log folder: %w", err)
		}
		args = append(slices.Clone(args), "--log-file", filepath.Join(cfg.LogDir, f.serverName+".log"))
	}
	if pid, err := pidIn(f.pidFile); err == nil && pid > 0 && isOurs(pid) {
		return fmt.Errorf("%s names process %d, which runs; stop it first (kill %d), or give this handler another --pid-file", f.pidFile, pid, pid)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	pid, note, err := inBackground{args: append([]string{"handler"}, args...), log: f.daemonLogFile}.start(ctx)
	if err != nil {
		return err
	}
	if note != "" {
		fmt.Fprintln(os.Stderr, note)
	}
	fmt.Printf("%s: process %d takes jobs\n", f.serverName, pid)
	return nil
}
