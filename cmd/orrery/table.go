package main

import "errors"

// command is one command of the program.
type command struct {
	name    string
	aliases []string
	// group is the heading that it stands under in the overview.
	group   string
	summary string
	// synopsis, about, examples, exits and files are its page; see page in
	// help.go. Options are not listed here: they are those that run declares.
	synopsis, about []string
	examples        []item
	exits, files    []item
	// verbs are the words that may come first after it.
	verbs []item
	// completes is what its arguments name.
	completes wordKind
	// hidden commands are called by the server itself.
	hidden bool
	run    func(args []string) error
}

// wordKind is what a command's arguments name, for shells that complete them.
type wordKind string

const (
	processWords wordKind = "process"
	commandWords wordKind = "command"
	shellWords   wordKind = "shell"
	folderWords  wordKind = "folder"
)

// The headings of the overview.
const (
	groupServe   = "Start a server"
	groupRunning = "Talk to a running server"
	groupAdmin   = "Look after it"
)

var groups = []string{groupServe, groupRunning, groupAdmin}

// notHere is run by commands that the table only describes.
var errNotHere = errors.New("this program was built without that command")

const namesHelp = "NAME is a process (main.1, handler_0), a group of them as the configuration names it, or a service: gunicorn (or web) for all web workers, handlers for all job handlers. The name of the instance (gravity: instance_name) may stand before them, as galaxyctl has it. Without names all are meant."

// commands is the table of commands.
func commands() []command {
	return []command{
		{
			name: "run", group: groupServe, summary: "start the server: its web workers and job handlers, as galaxy.yml says",
			synopsis: []string{"orrery run [-c FILE]"},
			about: []string{
				"Starts a supervisor in the foreground with every process that the configuration asks for: web workers, mules, gravity's handlers and those that job_conf declares. Crashed processes are started again.",
				"Signals: SIGTERM and SIGINT (Ctrl-C) stop gracefully, a second one at once; SIGHUP replaces all processes, and the supervisor itself, by new ones without a request lost; SIGUSR1 opens the logs anew. A uwsgi section follows uWSGI's rules (die-on-term, hook-master-start).",
			},
			examples: []item{{"orrery run -c /srv/galaxy/config/galaxy.yml", ""}},
			run:      runServer,
		},
		{
			name: "version", group: groupAdmin, summary: "print the version",
			synopsis: []string{"orrery version [--json]"},
			about:    []string{"Prints this program's version and that of the Galaxy whose files, database and API it understands."},
			run:      printVersion,
		},
		{
			name: "config", group: groupAdmin, summary: "check the configuration and show what it means",
			synopsis: []string{"orrery config [check] [-c FILE] [--all] [--json]"},
			about:    []string{"Reads galaxy.yml and the job configuration as a start would, names every mistake with its file and line, and prints who handles which job and the options in force."},
			examples: []item{{"orrery config check -c galaxy.yml && orrery graceful", "takes a changed file only when it is right (graceful refuses it by itself, too)"}},
			verbs:    []item{{"check", "the same, said in a word"}},
			run:      checkConfig,
		},
		{
			name: "pool", group: groupAdmin, summary: "show the job handlers and their jobs; drain, reassign, remove",
			synopsis: []string{"orrery pool [-c FILE] [--json] [COMMAND]"},
			about:    []string{"Works on the database that the configuration names, from any host that reaches it, without a server."},
			run:      runPool,
		},
		{
			name: "handler", aliases: []string{"galaxy-main"}, group: groupServe, summary: "run one job handler; takes galaxy-main's command line",
			synopsis: []string{"orrery handler --server-name NAME [-c FILE] [--attach-to-pool POOL]... [--daemonize]"},
			about:    []string{"Runs one job handler."},
			run:      runHandler,
		},
		{
			name: "help", group: groupAdmin, summary: "show the page of a command",
			synopsis: []string{"orrery help [COMMAND]"},
			about:    []string{"Shows what `orrery COMMAND --help` shows; without a command the list of commands."},
			run:      runHelp, completes: commandWords,
		},
		{name: "worker", hidden: true, summary: "one web worker, started by a supervisor", run: runWeb},
		{name: "data-fetch", hidden: true, summary: "fetch one upload, started by a job handler", run: runDataFetch},
	}
}
