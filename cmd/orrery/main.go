// Command orrery is a Galaxy server: `orrery run` starts it, the other
// subcommands are its processes and its administrator's tools.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"orrery/internal/config"
	"orrery/internal/supervisor"
)

// Version is set when a release is built.
var Version = "dev"

// command is one subcommand.
type command struct {
	name    string
	summary string
	// hidden commands are called by the server itself.
	hidden bool
	run    func(args []string) error
}

func commands() []command {
	return []command{
		{name: "run", summary: "start the server: its web workers and job handlers, as galaxy.yml says", run: runServer},
		{name: "config", summary: "check the configuration and show what it means", run: checkConfig},
		{name: "pool", summary: "show the job handlers and their jobs; drain, reassign, remove", run: runPool},
		{name: "version", summary: "print the version", run: printVersion},
		{name: "web", hidden: true, run: runWeb},
		{name: "handler", summary: "run one job handler in the foreground", run: runHandler},
		{name: "data-fetch", hidden: true, run: runDataFetch},
	}
}

func main() {
	os.Exit(dispatch(os.Args[1:]))
}

// dispatch runs a subcommand and gives the exit status.
func dispatch(args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage()
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(args[1:])
		var invalid *config.InvalidError
		switch {
		case err == nil:
			return 0
		case errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, &invalid):
			fmt.Fprintln(os.Stderr, err)
			return supervisor.ExitConfig
		}
		fmt.Fprintf(os.Stderr, "orrery %s: %v\n", c.name, err)
		var status interface{ ExitStatus() int }
		if errors.As(err, &status) {
			return status.ExitStatus()
		}
		return 1
	}
	fmt.Fprintf(os.Stderr, "orrery: there is no command %q\n\n", args[0])
	usage()
	return 2
}

func usage() {
	var b strings.Builder
	b.WriteString("Orrery is a Galaxy server in one program.\n\nUsage: orrery COMMAND [ARGUMENTS]\n\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.summary)
		}
	}
	b.WriteString("\n`orrery COMMAND -h` tells a command's arguments.\n")
	fmt.Fprint(os.Stderr, b.String())
}

func printVersion([]string) error {
	_, err := fmt.Printf("orrery %s (Galaxy %s)\n", Version, "26.1")
	return err
}
