package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"orrery/internal/config"
	"orrery/internal/datatype"
	"orrery/internal/deployment"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/listen"
	"orrery/internal/objectstore"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
	"orrery/internal/tool"
	"orrery/internal/upload"
	"orrery/internal/user"
	"orrery/internal/wake"
)

// process is one server process with what its web worker and its handler share.
type process struct {
	flags     *processFlags
	cfg       *config.Config
	log       *telemetry.Log
	seen      *seen
	child     *supervisor.Child
	plan      *deployment.Plan
	own       deployment.Planned // this process in the plan, if it is one of it
	assigner  *pool.Assigner
	sockets   []*listen.Socket
	ids       *galaxy.IDCodec
	db        *store.DB
	bus       *wake.Bus
	users     *user.Service
	objects   *objectstore.Disk
	types     *datatype.Registry
	toolTypes tool.Datatypes
	builds    []datatype.Build
	toolbox   *tool.Toolbox
	jobs      *job.Service
	uploads   *upload.Tool
	locked    *jobLock
	tus       *upload.Tus
	closers   []func() error
}

// open prepares a process: configuration, log, database, toolbox and services.
func open(ctx context.Context, f *processFlags) (p *process, err error) {
	p = &process{flags: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.child, err = supervisor.FromEnvironment(); err != nil {
		return p, err
	}
	f.foreground = p.child == nil
	if p.sockets, err = listen.Inherit(); err != nil {
		return p, err
	}
	if f.noConfig {
		p.cfg, _, err = config.Load("", os.Environ())
	} else {
		p.cfg, _, err = load(*f.config)
	}
	if err != nil {
		return p, err
	}
	defer p.modestly()()
	options := telemetry.Options{Process: f.serverName, Level: logLevel(p.cfg), Format: telemetry.Format(p.cfg.LogFormat)}
	if !f.foreground {
		options.File, options.Streams = filepath.Join(p.cfg.LogDir, f.serverName+".log"), true
	} else if f.logFile != "" {
		options.File, options.Streams = f.logFile, f.daemonize && f.daemonLogFile == ""
	}
	if p.log, err = telemetry.Open(options); err != nil {
		return p, err
	}
	p.closers = append(p.closers, p.log.Close)
	// From the first line on, so that a process which is starting follows logrotate too.
	reopens := p.log.ReopenOn(syscall.SIGUSR1)
	p.closers = append(p.closers, func() error { reopens(); return nil })
	silent, err := tell(p)
	if err != nil {
		return p, err
	}
	p.closers = append(p.closers, silent)
	if p.ids, err = galaxy.NewIDCodec(p.cfg.IDSecret); err != nil {
		return p, err
	}
	if err := p.openStores(ctx); err != nil {
		return p, err
	}
	p.seen.opened(p)
	return p, nil
}

// modestly leaves the processors to the process that this one replaces, if it
// does, until the returned function is called: half a second of starting on all of
// them is what clients of the others would notice.
func (p *process) modestly() (done func()) {
	// Who serves offers its listeners.
	serving, err := filepath.Glob(filepath.Join(runDir(p.cfg), p.flags.serverName+"-*.offer"))
	if p.child == nil || err != nil || len(serving) == 0 {
		return func() {}
	}
	most := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(most) }
}

func (p *process) openStores(ctx context.Context) (err error) {
	// The toolbox takes the longest to read; the database is opened meanwhile.
	type opened struct {
		box *tool.Toolbox
		err error
	}
	boxes := make(chan opened, 1)
	go func() {
		box, err := p.openToolbox()
		boxes <- opened{box, err}
	}()
	options := databaseOptions(p.cfg)
	if p.flags.onlyHandler {
		options.IdleTime = idleTime
	}
	if p.db, err = store.Open(ctx, options); err != nil {
		return err
	}
	p.closers = append(p.closers, p.db.Close)
	if err := p.decide(ctx); err != nil {
		return err
	}
	if err := p.db.EnsureSchema(ctx); err != nil {
		return err
	}
	if p.bus, err = wake.Open(runDir(p.cfg), p.flags.serverName, p.flags.handleJobs, p.log.Logger); err != nil {
		return err
	}
	p.closers = append(p.closers, p.bus.Close)
	if p.db.Engine() == store.PostgreSQL {
		joined, leave := context.WithCancel(ctx)
		p.closers = append(p.closers, func() error { leave(); return nil }) // before the bus is closed
		p.bus.JoinPostgreSQL(joined, p.cfg.Database.DSN())
	}
	if p.objects, err = objectstore.Open(objectstore.Options{
		Root: p.cfg.FilePath, StoreBy: objectstore.StoreBy(p.cfg.ObjectStoreStoreBy), CheckOldStyle: p.cfg.Bool("object_store_check_old_style"),
	}); err != nil {
		return err
	}
	p.types = datatype.Default()
	p.toolTypes = tool.RegistryDatatypes(p.types)
	p.builds = p.genomeBuilds()
	p.users = user.New(p.db, p.ids, userOptions(p.cfg))
	p.locked = &jobLock{path: filepath.Join(runDir(p.cfg), "job_lock")}
	box := <-boxes
	if box.err != nil {
		return box.err
	}
	p.toolbox = box.box
	builds := make([]tool.GenomeBuild, len(p.builds))
	for i, b := range p.builds {
		builds[i] = tool.GenomeBuild{Key: b.Key, Name: b.Name}
	}
	p.jobs = &job.Service{
		DB: p.db, Objects: p.objects, IDs: p.ids, Datatypes: p.toolTypes, Wake: p.bus, Assign: p.assign, Builds: builds,
		ChromInfo: func(dbkey string) string {
			return filepath.Join(p.cfg.ToolDataPath, "shared", "ucsc", "chrom", dbkey+".len")
		},
		JobsDir: p.cfg.JobWorkingDirectory, ExposeCommand: p.cfg.Bool("expose_potentially_sensitive_job_metrics"),
		ShowMetrics: p.cfg.Bool("expose_potentially_sensitive_job_metrics"), Quota: p.users.CheckQuota, BaseURL: p.cfg.InfrastructureURL,
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p.uploads = &upload.Tool{
		Program: strings.TrimSuffix(program, " (deleted)"), Uploads: p.cfg.TusUploadStore, Temp: p.cfg.NewFilePath,
		Allowlist: append([]netip.Prefix{}, p.cfg.FetchURLAllowlist...), CheckContent: p.cfg.CheckUploadContent, MaxBytes: p.cfg.MaximumUploadFileSize,
	}
	return nil
}

// toolboxFiles are the toolbox files to read: the administrator's, or the tools
// that come with the program.
func toolboxFiles(cfg *config.Config) []string {
	if len(cfg.ToolConfigFiles) > 0 {
		return cfg.ToolConfigFiles
	}
	return []string{filepath.Join(cfg.Root, "tools", "tool_conf.xml")}
}

func (p *process) openToolbox() (*tool.Toolbox, error) {
	files := toolboxFiles(p.cfg)
	options := tool.Options{
		Files: files, Root: p.cfg.Root, ToolPath: p.cfg.ToolPath, CacheDir: filepath.Join(p.cfg.DataDir, "cache"),
	}
	if len(p.cfg.ToolConfigFiles) == 0 {
		options.ToolPath = filepath.Dir(files[0])
	}
	box, err := tool.Open(options)
	if err != nil {
		return nil, err
	}
	for _, n := range box.Snapshot().Notices {
		p.log.Warn("toolbox: " + n.String())
	}
	p.log.Info("toolbox read", "tools", box.Snapshot().Len())
	return box, nil
}

// logLevel is log_level, or INFO: Galaxy's default, DEBUG, is for its developers.
func logLevel(cfg *config.Config) slog.Level {
	if !cfg.IsSet("log_level") {
		return slog.LevelInfo
	}
	return telemetry.ParseLevel(cfg.LogLevel)
}

// maxConns bounds one process's connections to the database. More would not make
// it quicker: each has to read the database's catalogue for itself, and whoever
// writes to one history or books on one user waits for the others anyway.
const maxConns = 5

// idleTime is how long a handler keeps a connection that it does not use: there
// may be more handlers than the database allows connections. Where there are few,
// they use theirs at every third of a lease, so that it is kept.
const idleTime = 10 * time.Second

func databaseOptions(cfg *config.Config) store.Options {
	return store.Options{
		Engine: store.Engine(cfg.Database.Engine), Path: cfg.Database.Path, DSN: cfg.Database.DSN(), MaxConns: maxConns,
	}
}

func userOptions(cfg *config.Config) user.Options {
	return user.Options{
		AdminUsers: cfg.AdminUsers, BootstrapKey: cfg.BootstrapAdminAPIKey, SingleUser: cfg.SingleUser, AllowCreation: cfg.AllowUserCreation,
		AllowDeletion: cfg.AllowUserDeletion, RequireLogin: cfg.RequireLogin, ExposeNames: cfg.ExposeUserName, ExposeEmails: cfg.ExposeUserEmail,
		PrivateDatasets: cfg.NewDatasetsPrivate, Quotas: cfg.EnableQuotas, PasswordExpiration: cfg.PasswordExpiration,
		SessionDuration: cfg.SessionDuration, ErrorEmailTo: cfg.String("error_email_to"),
	}
}

// close undoes open, last things first.
func (p *process) close() error {
	var err error
	for _, c := range slices.Backward(p.closers) {
		err = errors.Join(err, c())
	}
	listen.CloseAll(p.sockets)
	return err
}

// stopSignal gives a context that ends when this process is to stop: at SIGTERM,
// or when the supervisor is gone for good. Without a supervisor SIGINT stops, too;
// with one, the terminal's Ctrl-C is the supervisor's to act on.
func (p *process) stopSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	ctx, cancel := context.WithCancel(ctx)
	signal.Ignore(syscall.SIGHUP)
	if p.child == nil {
		ctx, cancel = signal.NotifyContext(ctx, os.Interrupt)
	} else {
		signal.Ignore(os.Interrupt)
	}
	if gone := p.child.Gone(); gone != nil {
		go func() {
			select {
			case <-gone:
				p.log.Warn("the supervisor is gone; this process stops")
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(); stop() }
}

// textParams are a destination's parameters as text, as the job's row keeps
// them.
func textParams(params map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range params {
		out[name] = fmt.Sprint(v)
	}
	return out
}

// toolSource finds tools for the job handler.
type toolSource struct{ box *tool.Toolbox }

func (s toolSource) Get(id, version string) (*tool.Tool, error) {
	t, _, err := s.box.Tool(id, version, false)
	if err == nil && t == nil {
		return nil, galaxy.Errorf(galaxy.NotFound, "The tool %s is not installed on this server any more", id)
	}
	return t, err
}

// jobLock is the administrator's switch that keeps handlers from taking new
// jobs: a file in the run folder, so that every process of the host sees it.
type jobLock struct{ path string }

// Locked tells whether new jobs have to wait.
func (l *jobLock) Locked() bool {
	_, err := os.Stat(l.path)
	return err == nil
}

// SetLocked locks or unlocks.
func (l *jobLock) SetLocked(locked bool) error {
	if locked {
		return os.WriteFile(l.path, nil, 0o644)
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// genomeBuilds reads builds_file_path, which begins in tool_data_path.
func (p *process) genomeBuilds() []datatype.Build {
	path := p.cfg.String("builds_file_path")
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(p.cfg.ToolDataPath, path)
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !p.cfg.IsSet("builds_file_path") {
		return datatype.DefaultBuilds()
	}
	var builds []datatype.Build
	if err == nil {
		defer file.Close()
		builds, err = datatype.ParseBuilds(file)
	}
	if err != nil {
		p.log.Warn("the genome builds cannot be read, and only the unspecified one is offered", "builds_file_path", path, "error", err)
		return datatype.DefaultBuilds()
	}
	return builds
}
