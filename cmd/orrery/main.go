// Command orrery is a Galaxy server: `orrery run` starts it, the other
// commands are its processes and its administrator's tools.
//
// table.go lists the commands, help.go shows their pages, flags.go reads their
// command lines; each has a file of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orrery/internal/config"
	"orrery/internal/supervisor"
)

// Version is set when a release is built.
var Version = "dev"

// The statuses with which the program ends, besides those of `orrery pool`.
const (
	exitOK         = 0
	exitFailed     = 1
	exitNotRunning = 3 // as systemctl and init scripts say it
)

func main() {
	starter() // so that no process that is started from here has its end of the pipe
	os.Exit(dispatch(filepath.Base(os.Args[0]), os.Args[1:]))
}

// dispatch runs a command and gives the exit status. The name by which the
// program was called may be a command of its own: uwsgi, galaxy-main.
func dispatch(program string, args []string) int {
	c, args, status, err := choose(program, args)
	if c == nil {
		return complain(program, status, err)
	}
	if names[program] == "" {
		program = "orrery"
	}
	err = runInstances(*c, args)
	if errors.Is(err, flag.ErrHelp) {
		err = c.page(os.Stdout, program, lastFlags)
	}
	if err == nil {
		return exitOK
	}
	label := program
	if program != c.name && names[program] != c.name {
		label += " " + c.name
	}
	return complain(label, exitFailed, err)
}

// complain says what is wrong and gives the status for it.
func complain(label string, status int, err error) int {
	var invalid *config.InvalidError
	var exits interface{ ExitStatus() int }
	switch {
	case err == nil:
		return status
	case errors.As(err, &invalid):
		tellStarter(supervisor.ExitConfig, err)
		fmt.Fprintln(os.Stderr, err)
		return supervisor.ExitConfig
	case errors.As(err, &exits):
		status = exits.ExitStatus()
	case misread:
		status = exitUsage
	}
	tellStarter(status, err)
	if text := err.Error(); text != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", label, text)
	}
	if status == exitUsage {
		fmt.Fprintf(os.Stderr, "`%s --help` tells how it is used.\n", label)
	}
	return status
}

// names are the other names of the program and the commands they stand for.
var names = map[string]string{
	"galaxyctl": "galaxyctl", "galaxy": "galaxy", "galaxy-main": "handler", "uwsgi": "uwsgi",
}

// choose finds the command. Without one the answer is a status and what is to
// be said about it.
func choose(program string, args []string) (c *command, rest []string, status int, err error) {
	own := len(args) > 0 && internal(args[0])
	if name := names[program]; name != "" && name != "galaxyctl" && !own {
		found, _ := find(name)
		if len(args) > 0 && args[0] == found.name {
			args = args[1:] // a copy of the program under that name calls itself so
		}
		return &found, args, 0, nil
	}
	if program != "galaxyctl" {
		program = "orrery"
	}
	args, before, err := globalOptions(args)
	switch {
	case errors.Is(err, flag.ErrHelp) || err == nil && len(args) == 0:
		return nil, nil, exitOK, overview(os.Stdout, program)
	case err != nil:
		return nil, nil, exitUsage, err
	}
	found, ok := find(args[0])
	if !ok {
		return nil, nil, exitUsage, noCommand(args[0])
	}
	return &found, slices.Concat(known(found, before), args[1:]), 0, nil
}

// known leaves out the options before a command that it has not.
func known(c command, before []string) []string {
	if len(before) == 0 {
		return nil
	}
	fs, err := flagsOf(c)
	if err != nil || fs == nil {
		return before
	}
	var out []string
	for i := 0; i < len(before); i++ {
		f := fs.Lookup(strings.TrimLeft(before[i], "-"))
		n := 2
		if before[i] == "--debug" {
			n = 1
		}
		if f != nil {
			out = append(out, before[i:i+n]...)
		}
		i += n - 1
	}
	return out
}

// internal tells whether this is a command that the server calls itself by,
// under whatever name it runs.
func internal(name string) bool {
	c, ok := find(name)
	return ok && (c.hidden || os.Getenv(supervisedVariable) != "")
}

// supervisedVariable is set for the processes of a supervisor.
const supervisedVariable = "ORRERY_READY_FD"

// globalOptions takes the options before the command, as galaxyctl has them,
// and gives them back as options of the command.
func globalOptions(args []string) (rest, before []string, err error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, joined := strings.Cut(args[0], "=")
		switch name {
		case "-h", "--help", "-help":
			return args, nil, flag.ErrHelp
		case "--version":
			return append([]string{"version"}, args[1:]...), before, nil
		case "-c", "--config-file", "--config", "--state-dir":
			if !joined {
				if len(args) == 1 {
					return nil, nil, usageError("%s needs a value", name)
				}
				value, args = args[1], args[1:]
			}
			if name == "--state-dir" {
				before = append(before, "--state-dir", value)
			} else {
				before = append(before, "-c", value)
			}
		case "-d", "--debug":
			before = append(before, "--debug")
		case "--user", "--no-user":
			// Whose systemd is meant; that is update's matter, and it finds out by itself.
		default:
			return nil, nil, usageError("there is no option %s before a command", name)
		}
		args = args[1:]
	}
	return args, before, nil
}

// find finds a command by its name or another name for it.
func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name || slices.Contains(c.aliases, name) {
			return c, true
		}
	}
	return command{}, false
}

func noCommand(name string) error {
	var all []string
	for _, c := range commands() {
		if !c.hidden {
			all = append(all, c.name)
		}
	}
	return usageError("there is no command %q; there are %s", name, strings.Join(all, ", "))
}

func printVersion(args []string) error {
	fs := newFlags("version")
	c := controlFlags(fs)
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	if c.json {
		return printJSON(os.Stdout, map[string]string{"version": Version, "galaxy": galaxyVersion})
	}
	_, err := fmt.Printf("orrery %s (Galaxy %s)\n", Version, galaxyVersion)
	return err
}

// galaxyVersion is the Galaxy whose files, database and API these are.
const galaxyVersion = "26.1"
