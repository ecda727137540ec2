package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

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
}

func parseProcess(name string, args []string) (*processFlags, error) {
	fs := flag.NewFlagSet("orrery "+name, flag.ContinueOnError)
	f := &processFlags{config: configFlag(fs)}
	fs.StringVar(&f.serverName, "server-name", "", "the name under which jobs are assigned to this process")
	fs.Var(&f.pools, "attach-to-pool", "a pool of handlers to join, such as job-handlers or job-handlers.TAG (repeatable)")
	fs.Var(&f.tags, "tag", "a tag whose jobs to take (repeatable; what --attach-to-pool means, without its prefix)")
	if name == "web" {
		fs.BoolVar(&f.handleJobs, "handle-jobs", false, "run jobs in this process too")
	}
	fs.StringVar(&f.baseName, "base-name", "", "the server_name that the names of all processes follow from (set by orrery run)")
	fs.BoolVar(&f.noConfig, "no-config", false, "use the defaults, without looking for a galaxy.yml")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("what is %q for? This command takes options only", fs.Arg(0))
	}
	if f.serverName == "" {
		return nil, errors.New("give the process a name: --server-name NAME")
	}
	if !config.ValidServerName(f.serverName) {
		return nil, fmt.Errorf("--server-name %q: use letters, digits, “.”, “_” and “-”", f.serverName)
	}
	f.onlyHandler = name == "handler"
	f.handleJobs = f.handleJobs || f.onlyHandler
	return f, nil
}

// runHandler is `orrery handler`.
func runHandler(args []string) error {
	f, err := parseProcess("handler", args)
	if err != nil {
		return err
	}
	p, err := open(context.Background(), f)
	if err != nil {
		return err
	}
	if err := giveWay(); err != nil {
		p.log.Warn("the handler and its jobs have the same priority as the web workers", "error", err)
	}
	ctx, stop := p.stopSignal()
	defer stop()
	if len(f.tags) == 0 {
		p.log.Warn("THIS HANDLER CLAIMS NO JOBS: it is attached to no pool (--attach-to-pool job-handlers), and the job configuration "+
			"declares no handler of its name; it takes only jobs that are assigned to its name", "name", f.serverName)
	}
	err = p.handle(ctx, "handler")
	return errors.Join(err, p.close())
}
