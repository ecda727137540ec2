package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/galaxy"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// The exit statuses of `orrery pool` besides 0 and 1, for scripts.
const (
	exitUsage   = 2 // the command line cannot be understood
	exitUnknown = 3 // no such handler or job, or it is not in a state for this
	exitAmiss   = 4 // --check: a handler is lost, or jobs wait for nobody
)

// statusError ends the program with a status of its own.
type statusError struct {
	error
	status int
}

// ExitStatus is what the program ends with.
func (e *statusError) ExitStatus() int { return e.status }

func (e *statusError) Unwrap() error { return e.error }

func usageError(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), exitUsage}
}

// poolCommand is `orrery pool` with its options.
type poolCommand struct {
	json, check    bool
	handler, state string
	from, tool, to string
	jobs           texts
	set            map[string]bool // the options that were given
	words          []string        // the subcommand and its arguments
	out            io.Writer
	cfg            *config.Config
	db             *store.DB
	bus            *wake.Bus
	ids            *galaxy.IDCodec
}

// runPool is `orrery pool`: what administrators do with handlers and their jobs,
// on the database that galaxy.yml names.
func runPool(args []string) error {
	c := &poolCommand{out: os.Stdout, set: map[string]bool{}}
	fs := newFlags("pool")
	path := configFlag(fs)
	fs.BoolVar(&c.json, "json", false, "print JSON")
	fs.BoolVar(&c.check, "check", false, "with list: exit status 4 if a handler is lost or something is served by nobody")
	fs.StringVar(&c.handler, "handler", "", "with jobs: those of this handler or tag")
	fs.StringVar(&c.state, "state", "", "with jobs: those in this state")
	fs.StringVar(&c.from, "from", "", "with reassign: the jobs of this handler or tag")
	fs.Var(&c.jobs, "job", "with reassign: the job of this id, as the web client shows it or as in the database (repeatable)")
	fs.StringVar(&c.tool, "tool", "", "with reassign: the jobs of this tool")
	fs.StringVar(&c.to, "to", "", "with reassign: the handler or tag that they go to")
	var err error
	if c.words, err = parse(fs, args); err != nil {
		return err
	}
	fs.Visit(func(f *flag.Flag) { c.set[f.Name] = true })
	if len(c.words) == 0 {
		c.words = []string{"list"}
	}
	run, err := c.command()
	if err != nil {
		return err
	}
	if c.cfg, _, err = load(*path); err != nil {
		return err
	}
	if c.ids, err = galaxy.NewIDCodec(c.cfg.IDSecret); err != nil {
		return err
	}
	ctx := context.Background()
	return asStatus(c.open(ctx, run))
}

// command finds what to do, and refuses options and arguments that mean nothing
// there.
func (c *poolCommand) command() (func(context.Context) error, error) {
	commands := map[string]struct {
		run     func(context.Context) error
		options string
		names   bool
	}{
		"list":     {c.list, "check", false},
		"jobs":     {c.listJobs, "handler state", false},
		"drain":    {c.drain, "", true},
		"undrain":  {c.undrain, "", true},
		"reassign": {c.reassign, "from job tool to", false},
		"remove":   {c.remove, "", true},
	}
	found, ok := commands[c.words[0]]
	if !ok {
		return nil, usageError("there is no command %q; there are list, jobs, drain, undrain, reassign and remove", c.words[0])
	}
	for name := range c.set {
		if !slices.Contains(strings.Fields(found.options+" c config config-file json"), name) {
			return nil, usageError("--%s means nothing to `orrery pool %s`", name, c.words[0])
		}
	}
	switch {
	case found.names && len(c.words) == 1:
		return nil, usageError("say which handler: orrery pool %s HANDLER", c.words[0])
	case !found.names && len(c.words) > 1:
		return nil, usageError("what is %q for? `orrery pool %s` takes options only", c.words[1], c.words[0])
	}
	if c.words[0] == "reassign" {
		if c.to == "" {
			return nil, usageError("say where the jobs go: --to HANDLER or --to TAG")
		}
		if c.from == "" && c.tool == "" && len(c.jobs) == 0 {
			return nil, usageError("say which jobs to reassign: --from HANDLER, --tool ID or --job ID")
		}
	}
	if c.state != "" && !slices.Contains(pool.UnfinishedStates, galaxy.JobState(c.state)) {
		return nil, usageError("--state is one of %v, not %q", pool.UnfinishedStates, c.state)
	}
	return found.run, nil
}

// open runs a command with the database open.
func (c *poolCommand) open(ctx context.Context, run func(context.Context) error) (err error) {
	options := databaseOptions(c.cfg)
	options.MaxConns = 2
	if options.Engine == store.SQLite {
		// Opening it would make it.
		if _, err := os.Stat(options.Path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no database %s yet; starting the server makes it (is galaxy.yml the right one? -c names another)", options.Path)
		}
	}
	if c.db, err = store.Open(ctx, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.db.Close()) }()
	if err := c.db.EnsureSchema(ctx); err != nil {
		return err
	}
	if c.bus, err = wake.Open(runDir(c.cfg), "pool", false, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.bus.Close()) }()
	flush := func(context.Context) error { return nil }
	if c.db.Engine() == store.PostgreSQL {
		flush = c.bus.ForOnce(c.cfg.Database.DSN())
	}
	if err := run(ctx); err != nil {
		return err
	}
	if err := flush(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "orrery pool: done; but other hosts could not be told at once and will see it a little later: %v\n", err)
	}
	return nil
}

// asStatus gives errors that an administrator caused a status of their own.
func asStatus(err error) error {
	switch galaxy.KindOf(err) {
	case galaxy.NotFound, galaxy.Conflict, galaxy.Invalid, galaxy.MalformedID:
		return &statusError{err, exitUnknown}
	}
	return err
}

func (c *poolCommand) print(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *poolCommand) list(ctx context.Context) error {
	targets, tools, err := c.targets(ctx)
	if err != nil {
		return err
	}
	report, err := pool.Overview(ctx, c.db, targets)
	if err != nil {
		return err
	}
	if c.json {
		err = c.print(report)
	} else {
		err = printPool(c.out, report, tools)
	}
	lost := slices.ContainsFunc(report.Handlers, func(h pool.HandlerReport) bool { return h.State == pool.Lost })
	if err == nil && c.check && (lost || len(report.Waiting) > 0) {
		err = &statusError{errors.New("a handler is lost, or something is served by nobody"), exitAmiss}
	}
	return err
}

// targets are targetsOf the configuration's plan. A configuration that does not
// hold together is no reason not to show the handlers.
func (c *poolCommand) targets(ctx context.Context) (targets []string, tools map[string][]string, err error) {
	engine, err := engineOf(ctx, c.db)
	if err != nil {
		return nil, nil, err
	}
	plan, err := deployment.NewPlan(c.cfg, engine)
	if err != nil {
		fmt.Fprintf(os.Stderr, "orrery pool: what the configuration says of handlers is left out: %v\n", err)
		return nil, nil, nil
	}
	targets, tools = targetsOf(&plan.Handling)
	return targets, tools, nil
}

// targetsOf gives the values of job.handler that jobs are sent to, and for each
// what is sent there.
func targetsOf(h *deployment.Handling) (targets []string, tools map[string][]string) {
	tools = map[string][]string{}
	add := func(target, what string) {
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
		tools[target] = append(tools[target], what)
	}
	if !h.SelfAssigns() && h.Default != "" {
		add(h.Default, "all tools that are not mapped")
	}
	for _, m := range h.Mappings {
		switch {
		case m.Ignored:
		case m.Tool != "":
			add(m.Target, m.Tool)
		default:
			add(m.Target, "the class "+m.Class)
		}
	}
	return targets, tools
}

// printPool writes the handlers, and what nobody serves.
func printPool(out io.Writer, report pool.Report, tools map[string][]string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if len(report.Handlers) == 0 {
		fmt.Fprintln(w, "No handler has registered in this database.")
	} else {
		fmt.Fprintln(w, "HANDLER\tSTATE\tHOST\tPROCESS\tVERSION\tUPTIME\tTAKES\tSLOTS\tCLAIMED\tRUNNING\tCLAIMS/S")
	}
	for _, h := range report.Handlers {
		state := string(h.State)
		if h.Drained && h.State == pool.Lost {
			state += ", drained"
		}
		takes := strings.Join(h.Pools, ", ")
		if takes == "" {
			takes = "only what is sent to its name"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%.1f\n", h.Name, state, h.Host, h.PID, h.Version,
			inWords(time.Duration(h.UptimeSeconds)*time.Second), takes, h.Slots, h.Claimed, h.Running, h.ClaimsPerSecond)
	}
	if len(report.Waiting) > 0 {
		fmt.Fprintln(w, "\nServed by nobody:")
		fmt.Fprintln(w, "TARGET\tNEW\tUNDER WAY\tOLDEST\tWHY\tSENT THERE")
	}
	for _, t := range report.Waiting {
		oldest := ""
		if t.Oldest != nil {
			oldest = t.Oldest.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\n", t.Target, t.New, t.UnderWay, oldest, t.Why, someOf(tools[t.Target]))
	}
	return w.Flush()
}

// someOf names the first few of a list.
func someOf(list []string) string {
	const most = 4
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// inWords is a duration in its two largest units.
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", max(0, d/time.Second))
}

func (c *poolCommand) listJobs(ctx context.Context) error {
	jobs, err := pool.ReportJobs(ctx, c.db, c.ids, c.handler, galaxy.JobState(c.state))
	if err != nil {
		return err
	}
	if len(jobs) == pool.MaxJobs {
		fmt.Fprintf(os.Stderr, "orrery pool: only the oldest %d jobs are shown\n", pool.MaxJobs)
	}
	if c.json {
		return c.print(map[string]any{"jobs": jobs})
	}
	w := tabwriter.NewWriter(c.out, 0, 8, 2, ' ', 0)
	if len(jobs) == 0 {
		fmt.Fprintln(w, "There are no such jobs.")
	} else {
		fmt.Fprintln(w, "JOB\tID\tTOOL\tSTATE\tUSER\tHANDLER\tFROM\tDESTINATION\tEXTERNAL\tCREATED")
	}
	for _, j := range jobs {
		handler := j.Handler
		if j.Pool != "" && !j.Alive {
			handler += " (lost)"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.Number, j.ID, j.ToolID, j.State, j.User, handler, j.Pool, j.Destination,
			j.ExternalID, j.Created.Local().Format(time.DateTime))
	}
	return w.Flush()
}

// each does something to every handler that is named. One that cannot be does not
// keep it from the others.
func (c *poolCommand) each(do func(name string) (said string, err error)) error {
	type result struct {
		Handler string `json:"handler"`
		Done    bool   `json:"done"`
		Message string `json:"message"`
	}
	var results []result
	var failed error
	for _, name := range c.words[1:] {
		said, err := do(name)
		if err != nil {
			said = err.Error()
			failed = errors.Join(failed, err)
		} else if !c.json {
			fmt.Fprintln(c.out, said)
		}
		results = append(results, result{Handler: name, Done: err == nil, Message: said})
	}
	if c.json {
		return errors.Join(failed, c.print(results))
	}
	return failed
}

func (c *poolCommand) drain(ctx context.Context) error {
	return c.each(func(name string) (string, error) {
		return name + " is drained: it finishes what it has and takes nothing new, also after a restart", pool.Drain(ctx, c.db, c.bus, name)
	})
}

func (c *poolCommand) undrain(ctx context.Context) error {
	return c.each(func(name string) (string, error) {
		return name + " takes new jobs again", pool.Undrain(ctx, c.db, c.bus, name)
	})
}

func (c *poolCommand) remove(ctx context.Context) error {
	return c.each(func(name string) (string, error) {
		n, err := pool.Remove(ctx, c.db, c.bus, name)
		return fmt.Sprintf("%s is removed; jobs that went back to their pools: %d", name, n), err
	})
}

func (c *poolCommand) reassign(ctx context.Context) error {
	s := pool.Selection{From: c.from, Tool: c.tool}
	for _, text := range c.jobs {
		id, err := c.jobID(text)
		if err != nil {
			return err
		}
		s.Jobs = append(s.Jobs, id)
	}
	n, err := pool.Reassign(ctx, c.db, c.bus, s, c.to)
	if err != nil {
		return err
	}
	if n == 0 {
		err = &statusError{errors.New("there is no such unfinished job that is not there already"), exitUnknown}
	}
	report, failed := pool.Overview(ctx, c.db, []string{c.to})
	if failed != nil {
		return failed
	}
	var warning string
	if i := slices.IndexFunc(report.Waiting, func(w pool.WaitingReport) bool { return w.Target == c.to }); i >= 0 {
		warning = report.Waiting[i].Why
	}
	if c.json {
		return errors.Join(err, c.print(map[string]any{"moved": n, "to": c.to, "warning": warning}))
	}
	if warning != "" {
		fmt.Fprintf(os.Stderr, "orrery pool: %s: %s, so the jobs wait there\n", c.to, warning)
	}
	if err == nil {
		fmt.Fprintf(c.out, "%d jobs were sent to %s\n", n, c.to)
	}
	return err
}

// jobID reads a job's id: a number of the database, or as the web client shows
// it.
func (c *poolCommand) jobID(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && len(text) < 16 {
		return n, nil
	}
	id, err := c.ids.Decode(text)
	if err != nil {
		return 0, usageError("--job %s is neither a job's number nor its id in this server", text)
	}
	return id, nil
}
