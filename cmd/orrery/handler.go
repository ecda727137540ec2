package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orrery/internal/config"
	"orrery/internal/destination"
	"orrery/internal/jobhandler"
	"orrery/internal/pool"
	"orrery/internal/runner"
	"orrery/internal/runner/local"
	"orrery/internal/runner/slurm"
	"orrery/internal/store"
	"orrery/internal/tool"
	"orrery/internal/upload"
)

// handle runs this process's job handler until ctx ends. It says «ready» once
// jobs are taken, unless a web worker says so. A lease that is lost is asked for
// again: jobs that others did not take over meanwhile are gone on with.
func (p *process) handle(ctx context.Context, kind string) error {
	runners, err := p.runners()
	if err != nil {
		return err
	}
	slots := 0
	for _, r := range runners {
		slots += r.Workers
	}
	member, err := pool.Join(ctx, p.db, pool.Options{
		ServerName: p.flags.serverName, Kind: kind, Tags: p.flags.tags, Version: Version, Log: p.log.Logger, Wake: p.bus, Slots: slots, Observe: p.seen,
		Methods: p.plan.Handling.MethodNames(), MaxGrab: p.cfg.Jobs.Handling.MaxGrab, ReadyWindow: p.cfg.Jobs.Handling.ReadyWindowSize, Lease: p.cfg.HandlerLease,
	})
	if err != nil {
		return err
	}
	h, err := p.handler(ctx, member, runners)
	if err == nil {
		p.seen.Handles(slots, slices.Collect(maps.Keys(runners)), h.InHand)
	}
	if err == nil && kind == "handler" {
		// It has no listener, but the next supervisor has to be able to stop it.
		var withdraw func()
		if withdraw, err = p.child.Offer(runDir(p.cfg), nil); err == nil {
			defer withdraw()
			err = p.ready()
		}
	}
	if err != nil {
		return errors.Join(err, member.Leave(context.WithoutCancel(ctx)))
	}
	defer h.Limits.Close()
	p.log.Info("taking jobs", "handler", p.flags.serverName, "of", strings.Join(member.Tags(), ", "), "slots", slots)
	for {
		err = h.Run(ctx)
		if !errors.Is(err, store.ErrLeaseLost) || ctx.Err() != nil {
			break
		}
		if err = member.Rejoin(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	return errors.Join(err, member.Leave(context.WithoutCancel(ctx)))
}

// localLoad is Galaxy's name of the runner for this machine.
const localLoad = "galaxy.jobs.runners.local:LocalJobRunner"

// runners opens the runners that this handler has: all of the job configuration,
// or those that its declaration names.
func (p *process) runners() (map[string]jobhandler.Runner, error) {
	runners := map[string]jobhandler.Runner{}
	for _, r := range p.cfg.Jobs.Runners {
		if r.ID == "dynamic" || !hasRunner(p.cfg.Jobs, p.flags.serverName, r.ID) || !served(r) {
			continue // orrery run and config check warn of runners that are not served
		}
		opened, err := p.openRunner(r)
		if err != nil {
			return nil, fmt.Errorf("the runner %s of the job configuration: %w", r.ID, err)
		}
		runners[r.ID] = jobhandler.Runner{Runner: opened, Workers: max(1, r.Workers)}
	}
	if len(runners) == 0 {
		return nil, fmt.Errorf("the handler %s has no runner that this server knows", p.flags.serverName)
	}
	return runners, nil
}

// served tells whether this server has a runner like that.
func served(r config.Runner) bool {
	module, class, _ := strings.Cut(r.Load, ":")
	return r.Load == localLoad || module == "galaxy.jobs.runners.local" && class == "" || slurm.Loads(r.Load)
}

// unserved are warnings of what the job configuration names and this server does
// not have: runners, and one limit.
func unserved(jobs *config.JobConfig) (warnings []string) {
	if jobs.Limits.TotalWalltime > 0 {
		warnings = append(warnings, "the limit total_walltime is not acted upon yet: jobs start however long their owner's others ran")
	}
	for _, r := range jobs.Runners {
		if served(r) {
			continue
		}
		var used []string
		for _, d := range jobs.Destinations {
			if d.Runner == r.ID {
				used = append(used, d.ID)
			}
		}
		text := fmt.Sprintf("the runner %s (%s) is none that this server has; there are %s and those of Slurm", r.ID, r.Load, localLoad)
		if len(used) > 0 {
			text += "; jobs sent to " + strings.Join(used, ", ") + " will wait"
		}
		warnings = append(warnings, text)
	}
	return warnings
}

func (p *process) openRunner(r config.Runner) (runner.Runner, error) {
	switch module, class, _ := strings.Cut(r.Load, ":"); {
	case r.Load == localLoad, module == "galaxy.jobs.runners.local" && class == "":
		return local.New(), nil
	case slurm.Loads(r.Load):
		return slurm.New(slurm.Options{Load: r.Load, Params: textParams(r.Params), Log: p.log.Logger})
	default:
		return nil, fmt.Errorf("there is no runner for load=%q here; there are %s and those of Slurm", r.Load, localLoad)
	}
}

// hasRunner tells whether the handler of a name has a runner: one that the job
// configuration declares with plugins has those alone.
func hasRunner(jobs *config.JobConfig, serverName, runnerID string) bool {
	for _, h := range jobs.Handling.Handlers {
		if h.ID == serverName && len(h.Plugins) > 0 {
			return slices.Contains(h.Plugins, runnerID)
		}
	}
	return true
}

func (p *process) handler(ctx context.Context, member *pool.Member, runners map[string]jobhandler.Runner) (*jobhandler.Handler, error) {
	jobs := p.cfg.Jobs
	router, err := destination.New(jobs, p.routing())
	if err != nil {
		return nil, err
	}
	metrics, err := p.metrics()
	if err != nil {
		return nil, err
	}
	limits, err := pool.OpenLimits(ctx, p.db, pool.LimitOptions{
		Limits: jobs.Limits, ServerName: p.flags.serverName, Bus: p.bus, Log: p.log.Logger, Cached: p.cfg.CacheUserJobCount,
		TagsOf: func(id string) []string {
			for _, d := range jobs.Destinations {
				if d.ID == id {
					return d.Tags
				}
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	h := &jobhandler.Handler{
		DB: p.db, Member: member, Wake: p.bus, Toolbox: toolSource{p.toolbox}, Objects: p.objects, IDs: p.ids, Datatypes: p.types,
		ToolDatatypes: p.toolTypes, Runners: runners, Router: router, Limits: limits, Walltime: jobs.Limits.Walltime, OutputSize: jobs.Limits.OutputSize,
		Known:     func(name string) bool { return len(jobs.DestinationsFor(name)) > 0 },
		HasRunner: func(serverName, runnerID string) bool { return hasRunner(jobs, serverName, runnerID) },
		Detailed: slices.ContainsFunc(jobs.Destinations, func(d config.Destination) bool { return d.Runner == "dynamic" }) ||
			slices.ContainsFunc(jobs.Tools, func(t config.ToolMapping) bool { return len(t.Params) > 0 }),
		MetricsOf: metrics, JobsDir: p.cfg.JobWorkingDirectory, Cleanup: p.cfg.CleanupJob, Locked: p.locked.Locked, Observe: p.seen,
		Internal: map[string]jobhandler.InternalTool{upload.ToolID: p.uploads}, Log: p.log.Logger,
		Grace: p.cfg.MonitorThreadJoinTimeout * time.Duration(len(runners)),
		Evaluate: tool.EvalInput{
			Dir:       tool.EvalDirs{Root: p.cfg.Root, Data: p.cfg.ToolDataPath, NewFile: p.cfg.NewFilePath},
			GalaxyURL: p.cfg.InfrastructureURL, AdminUsers: strings.Join(p.cfg.AdminUsers, ","),
		},
	}
	if condition := p.cfg.String("default_job_resubmission_condition"); condition != "" {
		h.DefaultResubmit = []destination.Resubmit{{Condition: condition}}
	}
	return h, nil
}

// metrics gives what is measured of jobs, by destination. All that the
// configuration names is read now, so that what is wrong shows at the start.
func (p *process) metrics() (func(destination.Choice) []jobhandler.Metric, error) {
	standard := jobhandler.CoreMetrics
	var err error
	switch {
	case p.cfg.IsSet("job_metrics") && p.cfg.Value("job_metrics") != nil:
		standard, err = jobhandler.ListMetrics(p.cfg.Value("job_metrics"))
	case p.cfg.IsSet("job_metrics_config_file"):
		standard, err = jobhandler.ReadMetrics(p.cfg.String("job_metrics_config_file"))
	}
	if err != nil {
		return nil, fmt.Errorf("the job metrics: %w", err)
	}
	byID := map[string][]jobhandler.Metric{}
	for _, d := range p.cfg.Jobs.Destinations {
		m, own, err := p.metricsOf(d.Metrics)
		if err != nil {
			return nil, fmt.Errorf("the metrics of the destination %s: %w", d.ID, err)
		}
		if own {
			byID[d.ID] = m
		}
	}
	return func(c destination.Choice) []jobhandler.Metric {
		if m, own := byID[c.ID]; own {
			return m
		}
		return standard
	}, nil
}

// metricsOf reads a destination's own metrics; own is false when it has none.
func (p *process) metricsOf(setting any) (m []jobhandler.Metric, own bool, err error) {
	switch v := setting.(type) {
	case nil:
		return nil, false, nil
	case bool:
		return nil, !v, nil // true is the default, false is none
	case string:
		switch strings.ToLower(v) {
		case "":
			return nil, false, nil
		case "false", "no", "off", "0", "none":
			return nil, true, nil
		}
		m, err = jobhandler.ReadMetrics(p.rooted(v))
		return m, true, err
	case []any:
		m, err = jobhandler.ListMetrics(v)
		return m, true, err
	case map[string]any:
		switch source := fmt.Sprint(v["src"]); source {
		case "default", "<nil>":
			return nil, false, nil
		case "disabled":
			return nil, true, nil
		case "path":
			m, err = jobhandler.ReadMetrics(p.rooted(fmt.Sprint(v["path"])))
			return m, true, err
		}
	}
	return nil, false, fmt.Errorf("%v is neither a path, a list of metrics nor false", setting)
}

// rooted is a path of the configuration, which begins at Galaxy's root.
func (p *process) rooted(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.cfg.Root, path)
}
