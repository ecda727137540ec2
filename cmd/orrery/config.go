package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"orrery/internal/config"
	"orrery/internal/deployment"
)

// configFlag adds the option that names galaxy.yml.
func configFlag(fs *flag.FlagSet) *string {
	path := new(string)
	fs.StringVar(path, "c", "", "`FILE` is the configuration (default: $GALAXY_CONFIG_FILE or $GRAVITY_CONFIG_FILE, else the first of those under FILES)")
	fs.StringVar(path, "config", "", "the same as -c")
	fs.StringVar(path, "config-file", "", "the same as -c")
	return path
}

// load reads the configuration, from the place where it is looked for unless a
// path is given.
func load(path string) (*config.Config, []config.Problem, error) {
	if path == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, nil, err
		}
		path = config.Find(dir, os.Environ())
	}
	return config.Load(path, os.Environ())
}

// checkConfig is `orrery config [check]`.
func checkConfig(args []string) error {
	if len(args) > 0 && args[0] == "check" {
		args = args[1:]
	}
	fs := newFlags("orrery config check")
	path := configFlag(fs)
	all := fs.Bool("all", false, "show every option, also those that have their default")
	asJSON := fs.Bool("json", false, "print the problems, what runs and who handles jobs as JSON, and nothing else")
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	cfg, problems, err := load(*path)
	var plan *deployment.Plan
	if err == nil {
		if plan, err = deployment.NewPlan(cfg, deployment.EngineOf(cfg.Database)); plan != nil {
			plan.Warnings = append(plan.Warnings, unserved(cfg.Jobs)...)
		}
		err = together(err, checkRules(cfg))
	}
	if *asJSON {
		return errors.Join(printCheck(os.Stdout, problems, plan, err), err)
	}
	for _, p := range problems {
		if p.Severity != config.Error { // the errors come at the end
			fmt.Fprintln(os.Stderr, p)
		}
	}
	if plan != nil {
		// As comments, so that what is printed stays YAML.
		for _, line := range slices.Concat(plan.RunningTable(), plan.Table()) {
			fmt.Println("# " + line)
		}
	}
	if plan == nil {
		return err
	}
	return together(cfg.Render(os.Stdout, *all), err)
}

// together joins two errors, so that all that is wrong with the files is told at
// once.
func together(a, b error) error {
	var first, second *config.InvalidError
	if errors.As(a, &first) && errors.As(b, &second) {
		return &config.InvalidError{Problems: slices.Concat(first.Problems, second.Problems)}
	}
	return errors.Join(a, b)
}

// printCheck writes what `orrery config check --json` says: the problems of the
// files, those that keep the server from starting included, and the plan if
// there is one.
func printCheck(w io.Writer, problems []config.Problem, plan *deployment.Plan, err error) error {
	type problem struct {
		Severity string `json:"severity"`
		File     string `json:"file,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Message  string `json:"message"`
	}
	out := struct {
		OK       bool                `json:"ok"`
		Problems []problem           `json:"problems"`
		Running  *deployment.Running `json:"running,omitempty"`
		Plan     *deployment.Plan    `json:"plan,omitempty"`
	}{OK: err == nil, Problems: []problem{}, Plan: plan}
	if plan != nil {
		running := plan.Running()
		out.Running = &running
	}
	add := func(p config.Problem) {
		out.Problems = append(out.Problems, problem{p.Severity.String(), p.File, p.Line, p.Column, p.Message})
	}
	for _, p := range problems {
		add(p)
	}
	var invalid *config.InvalidError
	if plan != nil && errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			add(p)
		}
	}
	return printJSON(w, out)
}
