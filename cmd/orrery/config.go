package main

import (
	"flag"
	"fmt"
	"os"

	"orrery/internal/config"
)

// configFlag adds the option that names galaxy.yml.
func configFlag(fs *flag.FlagSet) *string {
	path := new(string)
	fs.StringVar(path, "c", "", "galaxy.yml (default: config/galaxy.yml or galaxy.yml, if one exists)")
	fs.StringVar(path, "config", "", "the same as -c")
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
	fs := flag.NewFlagSet("orrery config check", flag.ContinueOnError)
	path := configFlag(fs)
	all := fs.Bool("all", false, "show every option, also those that have their default")
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg, problems, err := load(*path)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	return cfg.Render(os.Stdout, *all)
}
