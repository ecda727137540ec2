package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"orrery/internal/api"
	"orrery/internal/config"
	"orrery/internal/dataset"
	"orrery/internal/deployment"
	"orrery/internal/galaxy"
	"orrery/internal/history"
	"orrery/internal/job"
	"orrery/internal/listen"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/upload"
	"orrery/internal/web"
	"orrery/internal/web/client"
)

// version is the answer of /api/version: the Galaxy that clients should take
// this server for.
const version = `{"version_major":"26.1","version_minor":"2"}`

// runWorker is `orrery worker`, a web worker.
func runWorker(args []string) error {
	f, err := parseProcess("worker", args)
	if err != nil {
		return err
	}
	p, err := open(context.Background(), f)
	if err != nil {
		return err
	}
	ctx, stop := p.stopSignal()
	defer stop()
	err = p.serve(ctx)
	return errors.Join(err, p.close())
}

// serve answers HTTP, and in all-in-one runs jobs too, until ctx ends; then it
// drains.
func (p *process) serve(ctx context.Context) error {
	if err := p.listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	site, err := p.site(ctx)
	if err != nil {
		return err
	}
	observed, err := p.observed(site)
	if err != nil {
		return err
	}
	limits := p.own.Limits
	trusted, err := web.ParseTrusted(limits.ForwardedAllowIPs)
	if err != nil {
		return err
	}
	withdraw, err := p.child.Offer(runDir(p.cfg), p.sockets)
	if err != nil {
		return err
	}
	var handler sync.WaitGroup
	var handlerErr error
	if p.flags.handleJobs {
		handler.Go(func() {
			if handlerErr = p.handle(ctx, "all"); handlerErr != nil {
				cancel()
			}
		})
	}
	handler.Go(func() { p.sweepUploads(ctx) })
	options := web.ServeOptions{
		Timeout: time.Duration(limits.Timeout) * time.Second, KeepAlive: time.Duration(limits.KeepAlive) * time.Second,
		Trusted: trusted, Ready: p.child.Ready, Log: p.log.Logger,
		Linger: func() time.Duration {
			withdraw() // the listeners are closed
			return p.linger()
		},
		Busy: func(requests int) {
			if err := p.child.Busy(requests); err != nil {
				p.log.Warn("telling the supervisor what is still under way failed", "error", err)
			}
		},
	}
	if p.flags.foreground {
		options.Mercy = foregroundMercy
	}
	began := time.Now()
	err = web.Serve(ctx, p.sockets, observed, options)
	cancel()
	handler.Wait()
	p.log.Info("everything is answered; this process ends", "served for", time.Since(began).Round(time.Second))
	withdraw()
	return errors.Join(err, handlerErr)
}

// foregroundMercy is how long a web worker that nobody supervises waits for
// requests that move no byte when it is stopped.
const foregroundMercy = 30 * time.Second

// listen opens the sockets of a web worker that nobody handed any to.
func (p *process) listen() (err error) {
	if len(p.sockets) > 0 {
		return nil
	}
	specs := p.own.Listeners
	for _, other := range p.plan.Processes {
		if len(specs) == 0 && other.Kind == deployment.Web {
			specs = other.Listeners
		}
	}
	if len(specs) == 0 {
		specs = []listen.Spec{{Bind: "localhost:8080", Protocol: listen.HTTP}}
	}
	p.sockets, err = listen.OpenSpecs(specs)
	return err
}

// linger is how long connections may be idle now that this process ends. When
// another has its place, they stay open for a while, so that no client finds one
// closed that it is about to use. When the server stops there is a moment for what
// a proxy has just sent, and no more.
func (p *process) linger() time.Duration {
	const moment = 300 * time.Millisecond
	if p.child == nil {
		return moment
	}
	text, err := os.ReadFile(filepath.Join(runDir(p.cfg), p.flags.serverName+".pid"))
	if err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid()) {
		return moment
	}
	return web.StandardLinger
}

// site puts the API, the client and its pages together.
func (p *process) site(ctx context.Context) (*web.Site, error) {
	cfg := p.cfg
	prefix := strings.TrimSuffix(cfg.URLPrefix, "/")
	sessionOptions := web.SessionOptions{CookiePath: cfg.CookiePath, CookieDomain: cfg.CookieDomain}
	if sessionOptions.CookiePath == "" {
		sessionOptions.CookiePath = cfg.URLPrefix
	}
	if cfg.InfrastructureURLSet {
		sessionOptions.TrustedOrigins = []string{cfg.InfrastructureURL}
	}
	if cfg.SingleUser != "" {
		if _, err := p.users.EnsureSingleUser(ctx); err != nil {
			return nil, err
		}
	}
	sessions := web.NewSessions(p.users, p.ids, sessionOptions)
	rt := api.NewRouter(sessions, p.ids, p.log.Logger)
	answers, err := client.NewAnswers(p.clientConfiguration())
	if err != nil {
		return nil, err
	}
	files, err := client.Open(clientDir(cfg.Root, cfg.StaticDir))
	if err != nil {
		return nil, err
	}
	if missing := files.Missing(); missing != "" {
		p.log.Warn("the web client is missing: " + missing + "; " + client.HowToGet)
	}
	tus, err := upload.NewTus(upload.TusOptions{
		Dir: cfg.TusUploadStore, Prefix: prefix, MaxBytes: cfg.MaximumUploadFileSize, Authenticate: sessions.Authenticate, Fail: rt.WriteError,
	})
	if err != nil {
		return nil, err
	}
	p.tus = tus
	wakeHandlers := func() { p.bus.Wake(job.CancelTopic) }
	datasets := &dataset.Service{
		DB: p.db, Objects: p.objects, Types: p.types, Log: p.log.Logger, TrustHTML: !cfg.SanitizeAllHTML,
		TrustTool: p.trustedTools(), ServeActive: cfg.Bool("serve_xss_vulnerable_mimetypes"), KeepPurged: !cfg.AllowDatasetPurge,
		JobsCancelled: wakeHandlers,
	}
	histories := &history.Service{DB: p.db, Datasets: datasets}
	offload := api.Offload{
		AccelBase: cfg.String("nginx_x_accel_redirect_base"), Sendfile: cfg.Bool("apache_xsendfile"), Proxied: web.PassedOn,
	}
	printer := &api.Printer{DB: p.db, Types: p.types, Objects: p.objects, ExposePaths: cfg.Bool("expose_dataset_path")}
	users := api.NewUsers(p.users, favorites{p})
	uploads := &api.Uploads{
		Service:   &upload.Service{Jobs: p.jobs, Tus: tus, AllowPaths: cfg.AllowPathPaste, MaxBytes: cfg.MaximumUploadFileSize, Allowlist: cfg.FetchURLAllowlist},
		Datatypes: p.types,
	}
	targets, _ := targetsOf(&p.plan.Handling)
	catalogue := &api.Catalogue{Configuration: answers, Datatypes: p.types, Builds: p.builds, Toolbox: p.toolbox}
	for _, resource := range []interface{ Register(*api.Router) }{
		sessions, users, api.NewRoles(p.users),
		&api.Histories{Service: histories, Printer: printer, Offload: offload},
		&api.Datasets{Service: datasets, Printer: printer, Builds: p.builds, Offload: offload},
		&api.Storage{Datasets: datasets, Histories: histories},
		catalogue, &api.AdminTables{Catalogue: catalogue, DB: p.db},
		&api.Tools{Toolbox: p.toolbox, Jobs: p.jobs, Datatypes: p.types, Uploads: uploads},
		uploads,
		&api.Jobs{Service: p.jobs, Lock: p.locked},
		&api.Pool{Operator: &pool.Operator{DB: p.db, Bus: p.bus, IDs: p.ids, Targets: targets}},
	} {
		resource.Register(rt)
	}
	p.users.StopJobs = func(ctx context.Context, tx *store.Tx, userID int64) error {
		tx.AfterCommit(wakeHandlers)
		return store.CancelJobsOf(ctx, tx, userID)
	}
	return &web.Site{
		Router: rt, Client: files, Sessions: sessions, Configurations: answers, Brand: cfg.Brand, Prefix: prefix,
		WelcomeURL: cfg.WelcomeURL, FrameOptions: cfg.XFrameOptions, Version: json.RawMessage(version), Uploads: tus, Log: p.log.Logger,
		StaticMaps:  staticMaps(cfg.Uwsgi.StaticMaps),
		Health:      &web.Health{Draining: func() bool { return ctx.Err() != nil }, Ping: p.db.Ping},
		CurrentUser: func(r *http.Request, a *galaxy.Actor) (any, error) { return users.Current(rt.For(nil, r, a)) },
	}, nil
}

// clientDir is the folder of the unpacked web client: static_dir if the
// administrator set one that holds a client, else client/ beside the program's
// checkout.
func clientDir(root, static string) string {
	for _, dir := range []string{static, filepath.Join(root, "client")} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "dist")); err == nil {
			return dir
		}
	}
	return filepath.Join(root, "client")
}

// staticMaps are those of the uwsgi section.
func staticMaps(maps []config.StaticMap) []web.StaticMap {
	out := make([]web.StaticMap, len(maps))
	for i, m := range maps {
		out[i] = web.StaticMap(m)
	}
	return web.SortStaticMaps(out)
}

// trustedTools reads the list of tools whose HTML is shown as it is.
func (p *process) trustedTools() func(string) bool {
	text, err := os.ReadFile(p.cfg.SanitizeAllowlistFile)
	if err != nil {
		return nil
	}
	trusted := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			trusted[line] = true
		}
	}
	return func(id string) bool { return trusted[id] }
}

// sweepUploads removes uploads that nobody continued for a week.
func (p *process) sweepUploads(ctx context.Context) {
	const week = 7 * 24 * time.Hour
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := p.tus.Sweep(now, week); err != nil {
				p.log.Warn("removing old uploads failed", "error", err)
			}
		}
	}
}

// favorites finds the tools that people mark.
type favorites struct{ p *process }

// FavoriteID gives a tool's own id.
func (f favorites) FavoriteID(_ context.Context, a *galaxy.Actor, kind, id string) (string, error) {
	if kind != "tools" {
		return id, nil
	}
	entry, ok := f.p.toolbox.Snapshot().Lookup(id, "", false)
	if !ok {
		return "", galaxy.Errorf(galaxy.NotFound, "Could not find tool with id '%s'.", id)
	}
	return entry.ID, nil
}

// clientConfiguration is what the client is told of the settings.
func (p *process) clientConfiguration() client.Configuration {
	cfg := p.cfg
	c := client.DefaultConfiguration()
	c.Brand = client.Optional(cfg.Brand)
	c.LogoURL = cfg.LogoURL
	c.WelcomeURL = cfg.WelcomeURL
	c.ShowWelcomeWithLogin = cfg.ShowWelcomeWithLogin
	c.MessageBoxVisible = cfg.Bool("message_box_visible")
	c.MessageBoxContent = client.Optional(cfg.String("message_box_content"))
	c.VersionMajor, c.VersionMinor = "26.1", "2"
	c.ServerStartTime = time.Now().Unix()
	c.RequireLogin = cfg.RequireLogin
	c.SingleUser = cfg.SingleUser != ""
	c.UseRemoteUser = cfg.UseRemoteUser
	c.AllowLocalAccountCreation = cfg.AllowUserCreation
	c.ExposeUserEmail = cfg.ExposeUserEmail
	c.CookieDomain = client.Optional(cfg.CookieDomain)
	c.ChunkUploadSize = cfg.ChunkUploadSize
	c.AllowUserDatasetPurge = cfg.AllowDatasetPurge
	c.EnableQuotas = cfg.EnableQuotas
	for option, field := range map[string]*string{
		"wiki_url": &c.WikiURL, "screencasts_url": &c.ScreencastsURL, "citation_url": &c.CitationURL, "citation_bibtex": &c.CitationBibTeX,
		"support_url": &c.SupportURL, "quota_url": &c.QuotaURL, "helpsite_url": &c.HelpsiteURL,
		"registration_warning_message": &c.RegistrationWarningMessage, "default_locale": &c.DefaultLocale,
	} {
		if cfg.IsSet(option) {
			*field = cfg.String(option)
		}
	}
	for option, field := range map[string]*client.Optional{
		"terms_url": &c.TermsURL, "mailing_join_addr": &c.MailingJoinAddr, "organization_name": &c.OrganizationName,
		"organization_url": &c.OrganizationURL, "ga_code": &c.GACode, "matomo_server": &c.MatomoServer, "matomo_site_id": &c.MatomoSiteID,
		"plausible_server": &c.PlausibleServer, "plausible_domain": &c.PlausibleDomain,
	} {
		if cfg.IsSet(option) {
			*field = client.Optional(cfg.String(option))
		}
	}
	return c
}
