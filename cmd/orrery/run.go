package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery/internal/admin"
	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/listen"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// runOptions say what superviseServer runs.
type runOptions struct {
	// Name is that of the control socket: “orrery” for `orrery run`, “web”, “uwsgi”.
	Name string
	// Scope is which of the configuration's processes are started.
	Scope deployment.Scope
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

// server is a supervisor with what cmd adds to it.
type server struct {
	o     runOptions
	log   *telemetry.Log
	known kept
	// cfg and plan are those of the configuration that was read last. Once the supervisor runs, mu guards them.
	mu   sync.Mutex
	cfg  *config.Config
	plan *deployment.Plan
	// zerg are the addresses of sockets that a Zerg pool gave.
	zerg []listen.Spec
	// given are the addresses of sockets that systemd gave and that the configuration does not name.
	given []listen.Spec

	supervisor *supervisor.Supervisor
	signals    chan os.Signal

	pid, pid2 *pidFile
	own       func() // ends what serves on the supervisor's own sockets
}

// kept is what the program that takes this one's place has to know before it can read the configuration, which may be
// wrong by then.
type kept struct {
	DataDir, LogFile  string
	Level             slog.Level
	Format            telemetry.Format
	Streams           bool
	DrainLimit        time.Duration
	PIDFile, PIDFile2 string
	// Zerg and Given are as in server; Replaced are addresses of the configuration that systemd's sockets stand for.
	Zerg, Given []listen.Spec
	Replaced    []string
	// Admin is the admin socket's name, where another server of the same run folder has the ordinary one.
	Admin string
}

// runProbe is `orrery probe VERSION COMMAND ...`: the supervisor asks the program on disk whether it could take its
// place.
func runProbe(args []string) error {
	if len(args) < 2 || args[0] != strconv.Itoa(supervisor.StateVersion) {
		return fmt.Errorf("this program takes over from supervisors of version %d only; stop the server and start it again", supervisor.StateVersion)
	}
	probing = true
	if status := dispatch(programName, args[1:]); status != 0 {
		return &statusError{errors.New(""), status}
	}
	return nil
}

// probing is set in a probe: what would start a server only says whether it could.
var probing bool

const programName = "orrery"

// superviseServer runs a supervisor with its processes until it is told to stop.
func superviseServer(o runOptions) (err error) {
	if probing {
		return probe(o)
	}
	state, err := supervisor.Inherited()
	if err != nil {
		return err
	}
	if state != nil {
		return takeOver(o, state)
	}
	background := starter() != nil // taken out of the environment before anything is started
	if o.Daemon && !background {
		return daemonize(o)
	}
	defer func() {
		if err != nil {
			tellStarter(exitFailed, err)
		}
	}()
	r := &server{o: o}
	// Before anything is opened, for descriptors are handed over by their numbers.
	given, err := listen.Inherit()
	if err != nil {
		return err
	}
	cfg, problems, err := o.Load()
	if err != nil {
		return err
	}
	if len(cfg.Uwsgi.Zerg) > 0 {
		zerg, err := attachZerg(cfg)
		if err != nil {
			return err
		}
		for _, s := range zerg {
			r.zerg = append(r.zerg, s.Spec)
		}
		given = append(given, zerg...)
	}
	r.chooseAdmin(cfg)
	wanted, err := r.wanted(cfg, given)
	if err != nil {
		return err
	}
	r.known.Streams = background
	if err := r.prepare(problems); err != nil {
		return err
	}
	defer r.log.Close()
	return r.run(wanted, given, nil)
}

// probe checks all that can be checked without disturbing the server that runs.
func probe(o runOptions) error {
	child, err := supervisor.FromEnvironment()
	if err != nil {
		return err
	}
	cfg, _, err := o.Load()
	if err != nil {
		return err
	}
	if _, err := (&server{o: o}).wanted(cfg, nil); err != nil {
		return err
	}
	return child.Ready()
}

// takeOver goes on as the supervisor that this program was a moment ago.
func takeOver(o runOptions, state *supervisor.State) (err error) {
	r := &server{o: o}
	if err := json.Unmarshal(state.Extra(), &r.known); err != nil {
		return fmt.Errorf("the predecessor's state: %w", err)
	}
	r.zerg, r.given = r.known.Zerg, r.known.Given
	if files := state.Kept(); r.known.PIDFile != "" && len(files) > 0 {
		r.pid = &pidFile{r.known.PIDFile, files[0]}
	}
	if err := r.openLog(); err != nil {
		return err
	}
	defer r.log.Close()
	if r.known.PIDFile2 != "" {
		if r.pid2, err = writePID(r.known.PIDFile2); err != nil {
			r.log.Info("the second pid file stays as it is", "error", err)
		}
	}
	return r.run(supervisor.Wanted{}, nil, state)
}

// daemonize starts the server in the background and waits until it serves. What it prints goes into its log by then.
func daemonize(o runOptions) error {
	_, note, err := inBackground{args: o.Args}.start(context.Background())
	if err == nil && note != "" {
		fmt.Println(note)
	}
	return err
}

// chooseAdmin finds a name for the admin socket where another server of the same run folder, of this or of another host,
// serves at the ordinary one.
func (r *server) chooseAdmin(cfg *config.Config) {
	conn, err := net.DialTimeout("unix", filepath.Join(runDir(cfg), adminSocket), time.Second)
	if err != nil {
		return
	}
	conn.Close()
	host, err := os.Hostname()
	if err != nil || strings.ContainsRune(host, '/') {
		host = "other"
	}
	r.known.Admin = "admin-" + r.o.Name + "-" + host + ".sock"
}

// adminSocket is the ordinary name of the admin socket in the run folder.
const adminSocket = "admin.sock"

// attachZerg takes the sockets of the Zerg pools that the configuration names.
func attachZerg(cfg *config.Config) (sockets []*listen.Socket, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), zergPatience)
	defer cancel()
	for _, path := range cfg.Uwsgi.Zerg {
		more, err := listen.AttachZerg(ctx, path)
		if err != nil {
			listen.CloseAll(sockets)
			return nil, err
		}
		for _, s := range more {
			if p := cfg.Uwsgi.ZergProtocol; p != "" {
				s.Spec.Protocol = listen.Protocol(p)
			}
		}
		sockets = append(sockets, more...)
	}
	return sockets, nil
}

// zergPatience is how long a Zerg pool is waited for.
const zergPatience = 30 * time.Second

// wanted makes of a configuration what the supervisor is to run, or says why it cannot.
func (r *server) wanted(cfg *config.Config, given []*listen.Socket) (supervisor.Wanted, error) {
	var none supervisor.Wanted
	plan, err := deployment.NewPlan(cfg, deployment.EngineOf(cfg.Database))
	if err != nil {
		return none, err
	}
	plan = plan.Only(r.o.Scope)
	if err := checkRules(cfg); err != nil {
		return none, err
	}
	if r.known.DataDir != "" && cfg.DataDir != r.known.DataDir {
		return none, fmt.Errorf("data_dir is %s now and was %s: that takes a stop and a start", cfg.DataDir, r.known.DataDir)
	}
	plan.Warnings = append(plan.Warnings, unserved(cfg.Jobs)...)
	r.listenersOf(plan, given)
	for i, spec := range plan.Own {
		if r.known.Admin != "" && spec.Bind == "unix:"+filepath.Join(runDir(cfg), adminSocket) {
			plan.Own[i].Bind = "unix:" + filepath.Join(runDir(cfg), r.known.Admin)
		}
	}
	wanted := supervisor.Wanted{Config: cfg.Path, Files: filesOf(cfg), Own: slices.Clone(plan.Own), Signals: map[os.Signal]deployment.Action{}, DrainLimit: cfg.DrainLimit}
	for sig, action := range plan.Signals {
		wanted.Signals[sig] = action
	}
	if len(wanted.Signals) == 0 {
		wanted.Signals = nil
	}
	for _, pool := range plan.ZergPools {
		wanted.Own = append(append(wanted.Own, pool.Socket), pool.Listeners...)
	}
	wanted.Specs, err = specsOf(cfg, plan)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg, r.plan = cfg, plan
	return wanted, err
}

// listenersOf sets what web workers listen on besides what their part of the configuration says: a Zerg pool's sockets,
// and, as gunicorn does it, systemd's in place of their own.
func (r *server) listenersOf(plan *deployment.Plan, given []*listen.Socket) {
	first := ""
	var specs []listen.Spec
	for _, p := range plan.Processes {
		if p.Kind == deployment.Web {
			if first == "" {
				first = p.Group
			}
			specs = append(specs, p.Listeners...)
		}
	}
	if len(given) > len(r.zerg) {
		sockets := given[:len(given)-len(r.zerg)]
		missing := listen.Match(sockets, uniqueSpecs(append(specs, plan.Own...)))
		named := map[string]bool{}
		for _, spec := range append(specs, plan.Own...) {
			named[spec.Bind] = true
		}
		r.given = nil
		for _, s := range sockets {
			if !named[s.Spec.Bind] {
				r.given = append(r.given, s.Spec)
			}
		}
		if len(r.given) > 0 {
			for _, spec := range missing {
				if !slices.ContainsFunc(plan.Own, func(own listen.Spec) bool { return own.Bind == spec.Bind }) {
					r.known.Replaced = append(r.known.Replaced, spec.Bind)
				}
			}
		}
	}
	for i := range plan.Processes {
		p := &plan.Processes[i]
		if p.Kind != deployment.Web {
			continue
		}
		p.Listeners = slices.DeleteFunc(slices.Clone(p.Listeners), func(s listen.Spec) bool { return slices.Contains(r.known.Replaced, s.Bind) })
		if p.Group == first {
			p.Listeners = uniqueSpecs(slices.Concat(p.Listeners, r.given, r.zerg))
		}
	}
}

func uniqueSpecs(specs []listen.Spec) (out []listen.Spec) {
	for _, s := range specs {
		if !slices.ContainsFunc(out, func(o listen.Spec) bool { return o.Bind == s.Bind }) {
			out = append(out, s)
		}
	}
	return out
}

// prepare makes the folders, opens the log and writes the pid file.
func (r *server) prepare(problems []config.Problem) (err error) {
	for _, dir := range []string{r.cfg.DataDir, r.cfg.LogDir, runDir(r.cfg)} {
		mode := fs.FileMode(0o755)
		if dir == runDir(r.cfg) {
			mode = 0o700
		}
		if err := r.makeFolder(dir, mode); err != nil {
			return fmt.Errorf("making the folder %s: %w", dir, err)
		}
	}
	r.known.DataDir, r.known.LogFile, r.known.Level = r.cfg.DataDir, filepath.Join(r.cfg.LogDir, "orrery.log"), logLevel(r.cfg)
	r.known.Format, r.known.DrainLimit = telemetry.Format(r.cfg.LogFormat), r.cfg.DrainLimit
	r.known.Zerg, r.known.Given = r.zerg, r.given
	if r.o.LogFile != "" {
		r.known.Streams = true
		if r.known.LogFile, err = absolute(r.o.LogFile); err != nil {
			return err
		}
	}
	if err := r.openLog(); err != nil {
		return err
	}
	r.describe(problems)
	if r.o.PIDFile != "" {
		if r.known.PIDFile, err = absolute(r.o.PIDFile); err == nil {
			err = r.asUser(r.known.PIDFile, func() error {
				r.pid, err = writePID(r.known.PIDFile)
				return err
			})
		}
	}
	return err
}

func (r *server) openLog() (err error) {
	options := telemetry.Options{Process: "supervisor", File: r.known.LogFile, Level: r.known.Level, Format: r.known.Format, Streams: r.known.Streams}
	if !r.known.Streams {
		options.Mirror, options.MirrorLevel = os.Stderr, slog.LevelWarn
	}
	return r.asUser(options.File, func() error {
		r.log, err = telemetry.Open(options)
		return err
	})
}

// describe logs what was read.
func (r *server) describe(problems []config.Problem) {
	for _, p := range problems {
		level := slog.LevelInfo
		if p.Severity == config.Warning {
			level = slog.LevelWarn
		}
		r.log.Log(context.Background(), level, p.String())
	}
	for _, line := range r.plan.Table() {
		r.log.Info(line)
	}
	for _, w := range r.plan.Warnings {
		r.log.Warn(w)
	}
	if os.Geteuid() == 0 && r.plan.User == "" {
		r.log.Warn("the server runs as root, and whoever finds a hole in it or in a tool is root, too; name a user (gravity: galaxy_user, or uwsgi: uid)")
	}
}

// load is a reload.
func (r *server) load() (supervisor.Wanted, error) {
	cfg, problems, err := r.o.Load()
	if err != nil {
		return supervisor.Wanted{}, err
	}
	wanted, err := r.wanted(cfg, nil)
	if err == nil {
		r.describe(problems)
	}
	return wanted, err
}

// run runs the supervisor to its end.
func (r *server) run(wanted supervisor.Wanted, given []*listen.Socket, state *supervisor.State) (err error) {
	if state == nil && r.o.PIDFile2 != "" {
		if r.known.PIDFile2, err = absolute(r.o.PIDFile2); err != nil {
			return err
		}
	}
	extra, err := json.Marshal(r.known)
	if err != nil {
		return err
	}
	options := supervisor.Options{
		Name: r.o.Name, Version: Version, RunDir: filepath.Join(r.known.DataDir, "run"), Wanted: wanted, Load: r.load, Given: given, State: state,
		Probe: append([]string{"probe", strconv.Itoa(supervisor.StateVersion)}, r.o.Args...), Args: r.o.Args, Extra: extra, DrainLimit: r.known.DrainLimit,
		Log: r.log.Logger, Reopen: r.log.Reopen, OnEvent: r.happened, ServeOwn: r.serveOwn,
	}
	if r.pid != nil {
		options.Keep = append(options.Keep, r.pid.file)
	}
	options.Opened = r.becomeUser
	meant := wanted.Signals
	if state != nil {
		meant = state.Signals()
	}
	r.signals = supervisor.CatchSignals(meant)
	options.Catch = r.catch
	r.supervisor = supervisor.New(options)
	err = r.supervisor.Run(context.Background(), r.signals)
	r.removePID(r.pid)
	r.removePID(r.pid2)
	_ = os.Remove(r.ownPID())
	return err
}

// read is what was read last; nil when this program has just taken its predecessor's place.
func (r *server) read() (*config.Config, *deployment.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg, r.plan
}

// catch has all signals that may mean something come to the supervisor.
func (r *server) catch() {
	meant := map[os.Signal]deployment.Action{}
	if _, plan := r.read(); plan != nil {
		for sig, action := range plan.Signals {
			meant[sig] = action
		}
	}
	supervisor.CatchAgain(r.signals, meant)
}

// ownPID is the supervisor's file among those of its processes.
func (r *server) ownPID() string { return filepath.Join(r.known.DataDir, "run", r.o.Name+".pid") }

// removePID removes a pid file, or empties one in a folder of root's.
func (r *server) removePID(p *pidFile) {
	if p == nil {
		return
	}
	if err := p.file.Truncate(0); err != nil {
		r.log.Warn("emptying the pid file", "error", err)
	}
	if err := p.remove(); err != nil {
		r.log.Info("the pid file stays, empty", "error", err)
	}
}

// happened follows what the supervisor does.
func (r *server) happened(e supervisor.Event) {
	switch e.Kind {
	case supervisor.AllReady:
		if cfg, plan := r.read(); plan != nil {
			greet(os.Stdout, cfg, plan.Processes)
		}
		if r.known.PIDFile2 != "" && r.pid2 == nil {
			var err error
			if r.pid2, err = writePID(r.known.PIDFile2); err != nil {
				r.log.Error("the second pid file", "error", err)
			}
		}
		if err := supervisor.NotifyReady(""); err != nil {
			r.log.Warn("systemd", "error", err)
		}
		tellStarter(exitOK, nil)
		// What the start needed is not needed any more.
		debug.FreeOSMemory()
	case supervisor.Stopping:
		fmt.Println("Stopping. Jobs that run go on, and are taken up again at the next start.")
		if err := supervisor.NotifyStopping(); err != nil {
			r.log.Warn("systemd", "error", err)
		}
	case supervisor.Taken:
		r.catch()
		debug.FreeOSMemory()
	}
	r.notePID(e)
}

// notePID keeps the process ids of the server's processes in files, for administrators' scripts. A process that is told to
// stop finds another's id in its file when it has a successor.
func (r *server) notePID(e supervisor.Event) {
	if e.Name == "" {
		return
	}
	path := filepath.Join(r.known.DataDir, "run", e.Name+".pid")
	switch e.Kind {
	case supervisor.Started:
		if _, err := os.Stat(path); err == nil && pidAlive(path) {
			return // a successor, which does not count before it serves
		}
		r.writeSmall(path, e.PID)
	case supervisor.Replaced:
		r.writeSmall(path, e.PID)
	case supervisor.Ended:
		if text, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(e.PID) {
			_ = os.Remove(path)
		}
	}
}

// pidAlive tells whether a file names a process of this supervisor.
func pidAlive(path string) bool {
	pid, err := pidIn(path)
	if err != nil || pid == 0 {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	return len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid())
}

func (r *server) writeSmall(path string, pid int) {
	if err := os.WriteFile(path, []byte(strconv.Itoa(pid)+"\n"), 0o644); err != nil {
		r.log.Warn("writing a pid file", "error", err)
	}
}

// becomeUser gives root up for good, when the configuration says for whom. Ports, logs and pid files are open by now.
func (r *server) becomeUser() error {
	defer r.writeSmall(r.ownPID(), os.Getpid())
	if r.plan.User == "" && r.plan.Group == "" {
		return nil
	}
	if os.Geteuid() == 0 && r.plan.User != "" {
		if err := r.handFolders(); err != nil {
			return err
		}
	}
	return listen.DropPrivileges(r.plan.User, r.plan.Group)
}

// handFolders gives the user, whom the server becomes, what root made for it.
func (r *server) handFolders() error {
	uid, gid, err := r.becomes()
	if err != nil {
		return err
	}
	run := runDir(r.cfg)
	paths := []string{r.cfg.DataDir, r.cfg.LogDir, run, r.known.LogFile}
	if entries, err := os.ReadDir(run); err == nil {
		for _, e := range entries {
			paths = append(paths, filepath.Join(run, e.Name()))
		}
	}
	for _, path := range paths {
		if err := giveTo(path, uid, gid); err != nil {
			return fmt.Errorf("giving a file to the user %s: %w", r.plan.User, err)
		}
	}
	return nil
}

// runDir is where process ids and the sockets of wake-ups are.
func runDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "run") }

// serveOwn serves on the supervisor's own sockets, and hands those of Zerg pools to whoever attaches.
func (r *server) serveOwn(sockets []*listen.Socket) {
	if r.own != nil {
		r.own()
		r.own = nil
	}
	if len(sockets) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var pools, handed, told []*listen.Socket
	for _, s := range sockets {
		switch s.Spec.Protocol {
		case listen.Zerg:
			pools = append(pools, s)
		case listen.Stats, listen.Admin:
			told = append(told, s)
		default:
			handed = append(handed, s)
		}
	}
	if len(told) > 0 {
		all.Go(func() {
			o := admin.Options{RunDir: filepath.Join(r.known.DataDir, "run"), Report: r.supervisor.Report, Listening: r.listening, Log: r.log.Logger}
			if err := admin.Serve(ctx, told, o); err != nil {
				r.log.Error("metrics and statistics are not served", "error", err)
			}
		})
	}
	for _, pool := range pools {
		all.Go(func() {
			report := func(err error) { r.log.Warn("a Zerg pool", "error", err) }
			if err := listen.ServeZerg(ctx, pool, handed, report); err != nil {
				r.log.Error("the Zerg pool hands out no more sockets", "error", err)
			}
		})
	}
	r.own = func() { cancel(); all.Wait() }
}

// listening are the sockets of the web workers, each once.
func (r *server) listening() (sockets []*listen.Socket) {
	seen := map[*listen.Socket]bool{}
	for _, p := range r.supervisor.Report().Processes {
		for _, s := range r.supervisor.Sockets(p.Name) {
			if !seen[s] {
				seen[s] = true
				sockets = append(sockets, s)
			}
		}
	}
	return sockets
}
