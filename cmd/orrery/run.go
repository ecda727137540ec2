package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"orrery/internal/config"
	"orrery/internal/listen"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
	"orrery/internal/web/client"
)

// runOptions say what superviseServer runs.
type runOptions struct {
	// Name is that of the control socket: “orrery” for `orrery run`, “web”, “uwsgi”.
	Name string
	// Scope is which of the configuration's processes are started.
	Scope supervisor.Scope
	// Load reads the configuration; it is called again at each reload, and by the probe of a new program.
	Load func() (*config.Config, []config.Problem, error)
	// PIDFile is written early, PIDFile2 once every process is ready; "" is none. Relative ones begin at the folder that
	// the command was started in.
	PIDFile, PIDFile2 string
	// LogFile gets the supervisor's log and what it would print; "" is orrery.log in the log folder, and the terminal.
	LogFile string
	// Daemon puts the supervisor into the background; the command ends when the server is ready, or says why it is not.
	Daemon bool
	// Args are the command and its arguments (“run”, “-c”, FILE), with which the supervisor starts the program on disk
	// as a probe and to become a daemon.
	Args []string
}

// runServer is `orrery run`: the supervisor with all processes.
func runServer(args []string) error {
	fs := flag.NewFlagSet("orrery run", flag.ContinueOnError)
	path := configFlag(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	return superviseServer(runOptions{
		Name: "orrery", Scope: supervisor.ScopeAll, Args: append([]string{"run"}, args...),
		Load: func() (*config.Config, []config.Problem, error) { return load(*path) },
	})
}

// superviseServer runs a supervisor with its processes until it is told to stop.
func superviseServer(o runOptions) error {
	cfg, problems, err := o.Load()
	if err != nil {
		return err
	}
	planned, err := supervisor.NewPlan(cfg, supervisor.EngineOf(cfg.Database))
	if err != nil {
		return err
	}
	planned = planned.Only(o.Scope)
	if err := checkRules(cfg); err != nil {
		return err
	}
	planned.Warnings = append(planned.Warnings, unserved(cfg.Jobs)...)
	plan := planned.Processes
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return fmt.Errorf("making data_dir: %w", err)
	}
	log, err := telemetry.Open(telemetry.Options{
		Process: "supervisor", File: filepath.Join(cfg.LogDir, "orrery.log"), Level: logLevel(cfg),
		Mirror: os.Stderr, MirrorLevel: slog.LevelWarn,
	})
	if err != nil {
		return err
	}
	defer log.Close()
	for _, p := range problems {
		level := slog.LevelInfo
		if p.Severity == config.Warning {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, p.String())
	}
	for _, line := range planned.Table() {
		log.Info(line)
	}
	for _, w := range planned.Warnings {
		log.Warn(w)
	}
	sockets, err := listenFor(cfg, plan)
	if err != nil {
		return err
	}
	specs, err := specsOf(cfg, plan, sockets)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	s := supervisor.New(supervisor.Options{Specs: specs, Log: log.Logger, OnEvent: func(e supervisor.Event) {
		switch e.Kind {
		case supervisor.AllReady:
			greet(os.Stdout, cfg, plan, sockets)
			// What the start needed is not needed any more.
			debug.FreeOSMemory()
		case supervisor.Stopping:
			fmt.Println("Stopping. Jobs that run go on, and are taken up again at the next start.")
		}
		notePID(cfg, e)
	}})
	err = s.Run(context.Background(), signals)
	for _, group := range sockets {
		for _, socket := range group {
			err = errors.Join(err, socket.Remove())
		}
	}
	return err
}

// listenFor opens each group's addresses once.
func listenFor(cfg *config.Config, plan []supervisor.Planned) (map[string][]*listen.Socket, error) {
	sockets := map[string][]*listen.Socket{}
	for _, p := range plan {
		if p.Kind != supervisor.Web || sockets[p.Group] != nil {
			continue
		}
		opened, err := listen.OpenAll(p.Binds)
		if err != nil {
			return nil, bindError(cfg, p, err)
		}
		sockets[p.Group] = opened
	}
	return sockets, nil
}

// bindError says where a process's addresses are set, or could be.
func bindError(cfg *config.Config, p supervisor.Planned, err error) error {
	if p.BindAt != "" {
		return fmt.Errorf("%s: %w", p.BindAt, err)
	}
	file := cfg.Path
	if file == "" {
		file = "config/galaxy.yml"
	}
	where := "gravity: gunicorn: bind"
	if cfg.Edition == config.Edition1901 {
		where = "uwsgi: http"
	}
	return fmt.Errorf("%w (in %s that is %s)", err, file, where)
}

// specsOf says how each planned process is started.
func specsOf(cfg *config.Config, plan []supervisor.Planned, sockets map[string][]*listen.Socket) ([]supervisor.Spec, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var specs []supervisor.Spec
	for _, p := range plan {
		command := string(p.Kind)
		if p.Kind == supervisor.Web {
			command = "worker"
		}
		args := []string{command, "-c", cfg.Path, "--server-name", p.ServerName}
		if cfg.Path == "" {
			args = []string{command, "--no-config", "--server-name", p.ServerName}
		}
		args = append(args, "--base-name", cfg.ServerName)
		if p.HandleJobs && p.Kind == supervisor.Web {
			args = append(args, "--handle-jobs")
		}
		for _, tag := range p.Tags {
			args = append(args, "--tag", tag)
		}
		var env []string
		for name, value := range p.Environment {
			env = append(env, name+"="+value)
		}
		if !slices.ContainsFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GOGC=") }) {
			// Memory is dearer than time here: the heaps are small.
			env = append(env, "GOGC=60")
		}
		specs = append(specs, supervisor.Spec{
			Name: p.ServerName, Args: args, Env: env, Dir: wd, LogFile: p.LogFile, Sockets: sockets[groupOf(p)],
			Umask: p.Umask, StopTimeout: p.StopTimeout,
		})
	}
	return specs, nil
}

// groupOf is the group whose listeners a process gets; handlers get none.
func groupOf(p supervisor.Planned) string {
	if p.Kind != supervisor.Web {
		return "no listeners"
	}
	return p.Group
}

// runDir is where process ids and the sockets of wake-ups are.
func runDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "run") }

// notePID keeps the process ids of the server's processes in files, for
// administrators' scripts.
func notePID(cfg *config.Config, e supervisor.Event) {
	if e.Name == "" {
		return
	}
	path := filepath.Join(runDir(cfg), e.Name+".pid")
	switch e.Kind {
	case supervisor.Started:
		if err := os.MkdirAll(runDir(cfg), 0o700); err == nil {
			_ = os.WriteFile(path, []byte(strconv.Itoa(e.PID)+"\n"), 0o644)
		}
	case supervisor.Ended:
		_ = os.Remove(path)
	}
}

// greet says in a few lines that the server is up, and what to do next.
func greet(w io.Writer, cfg *config.Config, plan []supervisor.Planned, sockets map[string][]*listen.Socket) {
	var addresses []string
	for _, p := range plan {
		for _, s := range sockets[groupOf(p)] {
			if url := s.Address.URL(); url != "" && !slices.Contains(addresses, url) {
				addresses = append(addresses, url)
			}
		}
	}
	web, handlers := 0, 0
	for _, p := range plan {
		if p.Kind == supervisor.Web {
			web++
		} else {
			handlers++
		}
	}
	fmt.Fprintf(w, "Orrery serves Galaxy at %s\n", strings.Join(addresses, " and "))
	fmt.Fprintf(w, "  processes  %s\n", processes(web, handlers))
	fmt.Fprintf(w, "  database   %s\n", cfg.Database.Redacted())
	fmt.Fprintf(w, "  toolbox    %s\n", strings.Join(toolboxFiles(cfg), ", "))
	if _, err := os.Stat(filepath.Join(clientDir(cfg.Root, cfg.StaticDir), "dist")); web > 0 && err != nil {
		fmt.Fprintf(w, "  client     missing, only the API is served: %s\n", client.HowToGet)
	}
	fmt.Fprintf(w, "  logs       %s\n", cfg.LogDir)
	switch {
	case len(cfg.AdminUsers) > 0:
		fmt.Fprintf(w, "  admins     %s (register with that address to become one)\n", strings.Join(cfg.AdminUsers, ", "))
	default:
		where := cfg.Path
		if where == "" {
			where = "config/galaxy.yml"
		}
		fmt.Fprintf(w, "  admins     none yet: register in the browser, then put that address into %s:\n", where)
		fmt.Fprint(w, "               galaxy:\n                 admin_users: you@example.org\n             and start again\n")
	}
	fmt.Fprintln(w, "Ctrl-C stops it.")
}

func processes(web, handlers int) string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return strconv.Itoa(n) + " " + what + "s"
	}
	if handlers == 0 {
		return count(web, "web worker") + " that run the jobs too"
	}
	return count(web, "web worker") + ", " + count(handlers, "job handler")
}
