package main

import (
	"context"
	"errors"
	"time"

	"orrery/internal/config"
	"orrery/internal/destination"
	"orrery/internal/store"
	"orrery/internal/upload"
)

// routing are the options of the rules that choose destinations.
func (p *process) routing() destination.Options {
	options := routingOptions(p.cfg)
	options.Counts = jobCounts{p.db}
	options.Warn = func(message string) { p.log.Warn("a destination rule: " + message) }
	return options
}

func routingOptions(cfg *config.Config) destination.Options {
	const longest = 8 << 20 // bytes of a rule file
	return destination.Options{
		Dir: cfg.Root, ToolDestinations: cfg.String("tool_destinations_config_file"), Config: cfg.Shown(),
		Fetch: func(ctx context.Context, address string) ([]byte, error) {
			return upload.ReadURL(ctx, address, cfg.FetchURLAllowlist, longest)
		},
	}
}

// checkRules reads the rules that choose destinations as the handlers will, and
// gives what keeps them from it: an InvalidError.
func checkRules(cfg *config.Config) error {
	options := routingOptions(cfg)
	options.Counts = jobCounts{}
	_, err := destination.New(cfg.Jobs, options)
	if err == nil {
		return nil
	}
	invalid := &config.InvalidError{}
	for _, one := range separate(err) {
		problem := config.Problem{Severity: config.Error, File: cfg.Jobs.Source, Message: one.Error()}
		var known *destination.Problem
		if errors.As(one, &known) {
			problem.Line, problem.Message = known.Line, known.Message
			if known.File != "" {
				problem.File = known.File
			}
		}
		invalid.Problems = append(invalid.Problems, problem)
	}
	return invalid
}

// separate lists the errors that errors.Join put together.
func separate(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, separate(one)...)
	}
	return all
}

// jobCounts counts jobs in the database for rules that look at other jobs.
type jobCounts struct{ db *store.DB }

// Count counts the jobs for which everything that is set in f holds.
func (c jobCounts) Count(ctx context.Context, f destination.JobFilter) (int, error) {
	if c.db == nil {
		return 0, errors.New("jobs are counted by handlers only")
	}
	count := store.JobCount{
		Tool: f.Tool, ToolPrefix: f.ToolPrefix, UserID: f.UserID, UserEmail: f.UserEmail, Registered: f.RegisteredOnly,
		Destinations: f.Destinations, States: f.States,
	}
	now := time.Now()
	if f.CreatedIn > 0 {
		count.CreatedAfter = now.Add(-f.CreatedIn)
	}
	if f.UpdatedIn > 0 {
		count.UpdatedAfter = now.Add(-f.UpdatedIn)
	}
	return store.CountJobs(ctx, c.db, count)
}
