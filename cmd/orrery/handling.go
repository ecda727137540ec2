package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/pool"
	"orrery/internal/store"
)

// decide derives who handles which job, as every process of this configuration
// does from the same files, and what this process's part in it is.
func (p *process) decide(ctx context.Context) error {
	f := p.flags
	engine, err := engineOf(ctx, p.db)
	if err != nil {
		return err
	}
	cfg := *p.cfg
	if f.baseName != "" {
		// A group's own environment may give it another server_name; the names of
		// all processes follow from the supervisor's.
		cfg.ServerName = f.baseName
	}
	if p.plan, err = deployment.NewPlan(&cfg, engine); err != nil {
		return err
	}
	own, planned := p.plan.Process(f.serverName)
	var attached []string
	for _, name := range f.pools {
		if !config.KnownPool(name) {
			return fmt.Errorf("--attach-to-pool %s: pools are named job-handlers, job-handlers.TAG and workflow-schedulers", name)
		}
		if !slices.Contains(own.Pools, name) {
			attached = append(attached, name)
		}
	}
	if err := p.plan.Handling.CanAttach(attached); err != nil {
		return err
	}
	f.tags = append(append(f.tags, own.Tags...), p.cfg.Jobs.TagsOf(f.serverName, f.pools)...)
	slices.Sort(f.tags)
	f.tags = slices.Compact(f.tags)
	f.handleJobs = f.handleJobs || planned && own.HandleJobs
	p.own = own
	if engine.NoSkipLocked && !f.foreground {
		// The supervisor took the database to be recent.
		for _, notice := range p.plan.Notices {
			p.log.Warn(notice)
		}
	}
	if f.foreground {
		for _, line := range p.plan.Table() {
			p.log.Info(line)
		}
		if !planned && f.handleJobs {
			p.log.Info("this process is not one that the configuration starts", "name", f.serverName, "pools", strings.Join(f.pools, ", "))
		}
	}
	options := assignOptions(p.plan, f.serverName)
	options.DB, options.Log = p.db, p.log.Logger
	p.assigner = pool.NewAssigner(options)
	return nil
}

// assignOptions are how a process of the plan assigns the jobs it creates.
func assignOptions(plan *deployment.Plan, serverName string) pool.AssignOptions {
	h := &plan.Handling
	farms := make([]string, 0, len(h.Farms))
	for tag := range h.Farms {
		farms = append(farms, tag)
	}
	return pool.AssignOptions{
		Methods: h.MethodNames(), Default: h.Default, Mapping: h.Target, Handlers: h.Members, Farms: farms, ServerName: serverName,
	}
}

// assign says where a new job is sent.
func (p *process) assign(ctx context.Context, toolID string) (string, error) {
	return p.assigner.Assign(ctx, toolID)
}

// engineOf asks the database what it is able to do for assigning jobs.
func engineOf(ctx context.Context, db *store.DB) (deployment.Engine, error) {
	var version string
	switch db.Engine() {
	case store.PostgreSQL:
		if err := db.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
			return deployment.Engine{}, err
		}
		return postgreSQL(version), nil
	case store.MySQL:
		if err := db.QueryRow(ctx, "SELECT VERSION()").Scan(&version); err != nil {
			return deployment.Engine{}, err
		}
		return mySQL(version), nil
	default:
		// Claims are made under the lock of the one writer, which does the same.
		return deployment.Engine{Name: "SQLite"}, nil
	}
}

func postgreSQL(version string) deployment.Engine {
	number, _, _ := strings.Cut(version, " ")
	return deployment.Engine{Name: "PostgreSQL " + number, NoSkipLocked: before(number, 9, 5)}
}

// mySQL reads the answer to VERSION(): 8.0.36, 10.11.6-MariaDB-0+deb12u1, or
// 5.5.5-10.11.6-MariaDB as some servers say for the sake of old clients.
func mySQL(version string) deployment.Engine {
	number, rest, _ := strings.Cut(version, "-")
	if !strings.Contains(version, "MariaDB") {
		return deployment.Engine{Name: "MySQL " + number, NoSkipLocked: before(number, 8, 0)}
	}
	if number == "5.5.5" && !strings.HasPrefix(rest, "MariaDB") {
		number, _, _ = strings.Cut(rest, "-")
	}
	return deployment.Engine{Name: "MariaDB " + number, NoSkipLocked: before(number, 10, 6)}
}

// before tells whether a version is older than major.minor. What is no version is
// taken to be recent.
func before(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	a, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	b := 0
	if len(parts) > 1 {
		if b, err = strconv.Atoi(parts[1]); err != nil {
			return a < major
		}
	}
	return a < major || a == major && b < minor
}
