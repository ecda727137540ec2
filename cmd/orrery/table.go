package main

import "orrery/internal/supervisor"

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
	// instances tells that one of several instances in a file is named before
	// its other arguments, or all are meant.
	instances bool
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

const namesHelp = "NAME is a process (main.1, handler_0), a group of them as the configuration names it, or a service: gunicorn (or web) for all web workers, handlers for all job handlers. The name of the instance (gravity: instance_name) may stand before them, as galaxyctl has it. Without names all are meant."

// commands is the table of commands.
func commands() []command {
	return []command{
		{
			name: "run", group: groupServe, summary: "start the server: its web workers and job handlers, as galaxy.yml says",
			synopsis: []string{"orrery run [-c FILE] [--daemon] [--pid-file FILE] [--log-file FILE]"},
			about: []string{
				"Starts a supervisor in the foreground with every process that the configuration asks for: web workers, mules, gravity's handlers and those that job_conf declares. A process that crashes is started again.",
				signalsHelp,
			},
			examples: []item{{"orrery run -c /srv/galaxy/config/galaxy.yml", ""}, {"kill -HUP $(cat /srv/galaxy/database/run/orrery.pid)", "the same as orrery graceful"}},
			run:      runCommand,
		},
		{
			name: "start", group: groupServe, summary: "start the server in the background, or what was stopped of it",
			synopsis: []string{"orrery start [-f] [-c FILE] [--pid-file FILE] [--log-file FILE] [INSTANCE] [NAME]..."},
			about: []string{
				"Starts a server in the background when none runs, and ends when every process is ready, or says why it is not. When one runs it starts what was stopped in it.",
				namesHelp,
			},
			examples:  []item{{"orrery start", ""}, {"orrery start handler_1", "starts a handler that was stopped"}},
			instances: true,
			completes: processWords, run: runStart,
		},
		{
			name: "galaxy", group: groupServe, summary: "start the server in the foreground, with the logs of all its processes",
			synopsis: []string{"orrery galaxy [-c FILE] [-q] [-s EMAIL]"},
			about:    []string{"What `galaxy` of gravity does, and what run.sh calls. Ctrl-C stops it gracefully, a second one at once.", "It answers to the name galaxy, too."},
			examples: []item{{"orrery galaxy --single-user me@example.org", "a server of one's own"}},
			run:      runGalaxy,
		},
		{
			name: "web", group: groupServe, summary: "run web workers alone in the foreground; takes Gunicorn's command line",
			synopsis: []string{"orrery web [-c FILE] [OPTIONS] [APPLICATION]"},
			about: []string{
				"Runs a supervisor with the web workers of the configuration, and nothing else: job handlers are left to others. This is what units of systemd and programs of supervisord call. Every option of Gunicorn's is accepted and wins over the configuration; one without a meaning here is said once. So is the name of the application, which is always Galaxy.",
				"$GUNICORN_CMD_ARGS holds further options, as for Gunicorn; the command line wins over them.",
				signalsHelp,
			},
			examples: []item{
				{"orrery web 'galaxy.webapps.galaxy.fast_factory:factory()' --workers 2 --bind 127.0.0.1:8080", "a unit's line for Gunicorn, taken over"},
				{"orrery web -b unix:/srv/galaxy/var/gunicorn.sock -m 007 -w 4 -t 300", ""},
			},
			run: runWebCommand,
		},
		{
			name: "uwsgi", group: groupServe, summary: "run what uWSGI would: web workers and mules; takes its command line",
			synopsis: []string{"orrery uwsgi --yaml FILE | --ini FILE | FILE [OPTIONS]", "orrery uwsgi --zerg-pool PATH:ADDRESS[,ADDRESS]..."},
			about: []string{
				"Runs a supervisor with what uWSGI itself would start of galaxy.yml's uwsgi section or galaxy.ini's [uwsgi]: web workers and mules. Job handlers of job_conf and sections [server:NAME] are left to others. Every option of uWSGI's may stand on the command line, as if it stood below those of the section; one that only concerns Python is accepted and without effect. With a gravity section uwsgi's is ignored, as in Galaxy.",
				"With --zerg-pool it holds sockets and serves nothing; servers with --zerg PATH take them, so that one may be stopped when the next one serves.",
				"It answers to the name uwsgi, too: `orrery links DIR` makes that name.",
				signalsHelp,
			},
			examples: []item{
				{"uwsgi --yaml config/galaxy.yml", "also as root, with uid and gid in the section"},
				{"uwsgi --ini config/galaxy.ini --plugin python --pidfile /run/galaxy.pid", ""},
			},
			run: runUwsgi,
		},
		{
			name: "handler", aliases: []string{"galaxy-main"}, group: groupServe, summary: "run one job handler; takes galaxy-main's command line",
			synopsis: []string{"orrery handler [-c FILE] --server-name NAME [--attach-to-pool POOL]...", "orrery handler [-c FILE] --server-name NAME -d [--pid-file FILE] [--log-file FILE] [--daemon-log-file FILE]"},
			about: []string{
				"Runs one job handler, in the foreground or, with --daemonize, in the background: the command then ends when the handler takes jobs, or with the reason why it does not. Any number of them may run beside a server or without one, on any host that shares the database and the files.",
				"Which jobs it takes follows from the job configuration's entry of its name, from gravity's handlers, and from the pools it is attached to: job-handlers is that of jobs which are sent nowhere in particular, job-handlers.TAG that of a tag. A handler that none of these gives any jobs says so loudly.",
				"SIGTERM, SIGINT and SIGHUP stop it: it takes nothing new, finishes the step that it is in, and hands its jobs over. SIGUSR1 opens its log anew.",
				"It answers to the name galaxy-main, too; scripts/galaxy-main calls it.",
			},
			examples: []item{
				{"./scripts/galaxy-main -c config/galaxy.yml --server-name handler0 --daemonize", ""},
				{"./scripts/galaxy-main -c config/galaxy.yml --server-name handler2 --attach-to-pool job-handlers --attach-to-pool job-handlers.special --daemonize", ""},
			},
			run: runHandler,
		},
		{
			name: "exec", group: groupServe, summary: "run one service in the foreground, in place of this process",
			synopsis:  []string{"orrery exec [-n] [-i NUMBER] [INSTANCE] SERVICE"},
			about:     []string{"Becomes the command that runs one service alone: gunicorn for the web workers, or a job handler by its name or its group's. What it runs is printed first."},
			examples:  []item{{"orrery exec gunicorn", ""}, {"orrery exec --no-exec --service-instance 1 handler", "prints the command of the group's second handler"}},
			instances: true,
			completes: processWords, run: runExec,
		},
		{
			name: "status", group: groupRunning, summary: "show the processes and their states",
			synopsis: []string{"orrery status [-c FILE] [--json] [INSTANCE] [NAME]..."},
			about: []string{
				"Prints one line for each process: starting, ready, draining (its successor serves), stopping, stopped, waiting (to be started again) or crashing.",
				namesHelp,
			},
			exits: []item{
				{"0", "what was asked for runs"}, {"1", "some of it does not run although it should: it crashes, or waits to be started again"},
				{"2", "the command line cannot be understood"}, {"3", "no server runs, or all of it is stopped"}, {"78", "the configuration cannot be used"},
			},
			examples:  []item{{"orrery status", ""}, {"orrery status --json | jq '.[].processes[] | select(.state != \"ready\")'", ""}},
			instances: true,
			completes: processWords, run: runStatus,
		},
		{
			name: "stop", group: groupRunning, summary: "stop processes, or the whole server",
			synopsis: []string{"orrery stop [-c FILE] [INSTANCE] [NAME]..."},
			about: []string{
				"Stops gracefully: requests are finished, handlers finish the step they are in and hand their jobs over; jobs go on. Without names, or when nothing is left to supervise, the supervisor ends, too. That nothing runs is no error.",
				namesHelp,
			},
			examples:  []item{{"orrery stop handlers", "stops all job handlers; the web workers go on"}},
			instances: true,
			completes: processWords, run: runStop,
		},
		{
			name: "restart", group: groupRunning, summary: "stop and start processes; clients wait meanwhile",
			synopsis:  []string{"orrery restart [-c FILE] [INSTANCE] [NAME]..."},
			about:     []string{"Stops, then starts. `orrery graceful` does the same without anyone noticing. When no server runs, one is started in the background.", namesHelp},
			instances: true,
			completes: processWords, run: runRestart,
		},
		{
			name: "graceful", aliases: []string{"reload"}, group: groupRunning, summary: "replace processes by new ones that nobody notices",
			synopsis: []string{"orrery graceful [-c FILE] [--start-if-stopped] [INSTANCE] [NAME]..."},
			about: []string{
				"Starts new processes beside the old ones, by the files and the program that are on disk now, and lets each old one finish what it has when its successor is ready. A configuration that does not load, or processes that do not become ready, leave the old ones serving; the exit status is 1 and the reason is printed.",
				namesHelp,
			},
			examples:  []item{{"orrery graceful", "takes a changed configuration or a new version of the program"}},
			instances: true,
			completes: processWords, run: runGraceful,
		},
		{
			name: "shutdown", group: groupRunning, summary: "stop everything and the supervisor",
			synopsis:  []string{"orrery shutdown [-c FILE]"},
			about:     []string{"Stops gracefully, and returns when all is gone. That nothing runs is no error."},
			instances: true,
			run:       runShutdown,
		},
		{
			name: "follow", group: groupRunning, summary: "show the logs as they grow",
			synopsis: []string{"orrery follow [-c FILE] [-n LINES] [-q] [INSTANCE] [NAME]..."},
			about: []string{
				"Prints the last lines of the logs and what is added to them, across rotation, until Ctrl-C. With --quiet only the supervisor's log.",
				namesHelp,
			},
			examples:  []item{{"orrery follow handlers", ""}},
			instances: true,
			completes: processWords, run: runFollow,
		},
		{
			name: "reopen", group: groupRunning, summary: "open the logs anew, after logrotate renamed them",
			synopsis:  []string{"orrery reopen [-c FILE]"},
			about:     []string{"Every process opens its log by its name again, as at SIGUSR1."},
			examples:  []item{{"postrotate orrery reopen -c /srv/galaxy/config/galaxy.yml", "a line for logrotate's configuration"}},
			instances: true,
			run:       orderCommand(supervisor.VerbReopen),
		},
		everyInstance(updateCommand()),
		{
			name: "pm", aliases: []string{"supervisorctl"}, group: groupRunning, summary: "speak to the process manager, which is Orrery itself",
			synopsis: []string{"orrery pm [-c FILE] [COMMAND] [ARGUMENTS]"},
			about: []string{
				"galaxyctl passes this on to supervisorctl or systemctl. Behind Orrery stands its own supervisor; the commands of these two that mean something to it are understood. Without a command it says what manages the processes.",
			},
			verbs: []item{
				{"status", "list-units, avail: as orrery status"}, {"start", "stop, restart NAME...: as those commands; all is everything"},
				{"reload", "graceful, update: as those commands"}, {"reread", "as orrery config check"}, {"tail", "[-f] NAME: the log of a process"},
				{"pid", "[NAME]: the process id of the supervisor, or of a process"}, {"signal", "HUP|TERM|INT|USR1 [NAME]: what the supervisor does at that signal"}, {"shutdown", "as that command"},
			},
			completes: processWords, run: runPM,
		},
		{
			name: "list", aliases: []string{"configs"}, group: groupAdmin, summary: "list the instance that the configuration is",
			synopsis: []string{"orrery list [-c FILE] [-v] [--json]"},
			about:    []string{"galaxyctl can know several instances; here each configuration is one, named by gravity: instance_name."},
			run:      runList,
		},
		{
			name: "show", aliases: []string{"get"}, group: groupAdmin, summary: "show what the configuration amounts to, as JSON",
			synopsis:  []string{"orrery show [-c FILE] [INSTANCE]"},
			about:     []string{"Prints the instance with its folders and the processes that would run. `orrery config` shows the options."},
			instances: true,
			run:       runShow,
		},
		{
			name: "config", group: groupAdmin, summary: "check the configuration and show what it means",
			synopsis: []string{"orrery config [check] [-c FILE] [--all] [--json]"},
			about:    []string{"Reads galaxy.yml and the job configuration as a start would, names every mistake with its file and line, and prints who handles which job and the options in force."},
			examples: []item{{"orrery config check -c galaxy.yml && orrery graceful", "takes a changed file only when it is right (graceful refuses a wrong one by itself, too)"}},
			verbs:    []item{{"check", "the same, said in a word"}},
			run:      checkConfig,
		},
		{
			name: "top", group: groupRunning, summary: "show live what the server does: requests, jobs, memory, by process and pool",
			synopsis: []string{"orrery top [-c FILE] [--interval TIME] [--sort ORDER]", "orrery top [-c FILE] --once|--json"},
			about: []string{
				"Shows web workers, job handlers and pools with their rates, in the terminal: q quits; n, r, m and l sort by name, rate, memory, and latency or jobs. With --once it prints one view, with --json the same for programs; both take the interval, for the rates.",
				"It asks the processes on their sockets in DATA_DIR/run, which their owner and root alone may open.",
			},
			examples: []item{{"orrery top --sort memory", ""}, {"orrery top --json | jq '.pools[] | select(.handlers == 0)'", "pools that nobody serves"}},
			run:      runTop,
		},
		{
			name: "pool", group: groupAdmin, summary: "show the job handlers and their jobs; drain, reassign, remove",
			synopsis: []string{"orrery pool [-c FILE] [--json] [COMMAND]"},
			about:    []string{"Works on the database that the configuration names, from any host that reaches it, without a server."},
			exits:    poolExits, verbs: poolVerbs,
			run: runPool,
		},
		{
			name: "links", group: groupAdmin, summary: "make the names that the program answers to",
			synopsis:  []string{"orrery links [--force] DIR"},
			about:     []string{"Makes links to this program in a folder under the names galaxyctl, galaxy, galaxy-main and uwsgi, so that command lines and units which call these go on working. What is there under such a name and is no link of ours stays, unless --force is given."},
			examples:  []item{{"orrery links /srv/galaxy/venv/bin --force", "units that call /srv/galaxy/venv/bin/uwsgi run Orrery from now on"}},
			completes: folderWords, run: runLinks,
		},
		{
			name: "completion", group: groupAdmin, summary: "print a script with which a shell completes commands",
			synopsis:  []string{"orrery completion bash|zsh|fish"},
			about:     []string{"Completes commands, options, names of running processes, and files after options that take one."},
			examples:  []item{{"source <(orrery completion bash)", "for this shell"}, {"orrery completion bash > /etc/bash_completion.d/orrery", "for all"}},
			completes: shellWords, run: runCompletion,
		},
		{
			name: "version", group: groupAdmin, summary: "print the version",
			synopsis: []string{"orrery version [--json]"},
			about:    []string{"Prints this program's version and that of the Galaxy whose files, database and API it understands."},
			run:      printVersion,
		},
		{
			name: "help", group: groupAdmin, summary: "show the page of a command",
			synopsis: []string{"orrery help [COMMAND]"},
			about:    []string{"Shows what `orrery COMMAND --help` shows; without a command the list of commands."},
			run:      runHelp, completes: commandWords,
		},
		{name: "worker", hidden: true, summary: "one web worker, started by a supervisor", run: runWorker},
		{name: "probe", hidden: true, summary: "say whether this program could take a supervisor's place", run: runProbe},
		{name: "data-fetch", hidden: true, summary: "fetch one upload, started by a job handler", run: runDataFetch},
		{name: "__complete", hidden: true, summary: "the words that may follow, for completion", run: runComplete},
	}
}

const signalsHelp = "Signals: SIGTERM and SIGINT (Ctrl-C) stop gracefully, a second one at once; SIGQUIT stops at once; SIGHUP replaces all processes, and the supervisor itself, by new ones without a request lost; SIGUSR1 opens the logs anew. With a uwsgi section uWSGI's rules hold (die-on-term, hook-master-start)."

var poolVerbs = []item{
	{"list", "[--check]: show the handlers, and what nobody serves (this is meant when no command is given)"},
	{"jobs", "[--handler NAME|TAG] [--state STATE]: show the unfinished jobs"},
	{"drain", "HANDLER...: finish what it has, take nothing new"},
	{"undrain", "HANDLER...: take new jobs again"},
	{"reassign", "(--from NAME|TAG | --job ID | --tool ID)... --to NAME|TAG: send elsewhere the unfinished jobs for which all that is given holds"},
	{"remove", "HANDLER...: forget a handler that is lost; its jobs go back to the pools they came from"},
}

var poolExits = []item{
	{"0", "done"}, {"1", "it failed"}, {"2", "the command line cannot be understood"},
	{"3", "there is no such handler or job, or its state does not allow it"},
	{"4", "with --check, when a handler is lost or something is served by nobody"}, {"78", "the configuration cannot be used"},
}
