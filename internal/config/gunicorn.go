package config

import "strings"

// Gunicorn is one group of web workers that share their listeners.
type Gunicorn struct {
	// Binds are the addresses to listen on: HOST, HOST:PORT, unix:PATH, a path or fd://N. The first is `bind`, the
	// others come from --bind in extra_args.
	Binds []string
	// BindAt is where the file says so, as FILE:LINE:COLUMN, for messages about the addresses; "" when it does not.
	BindAt string
	// Listeners are the same with what is spoken there.
	Listeners []Listener
	// CertFile and KeyFile make every address HTTPS. A certificate file without a key file holds both. Absolute after
	// [Load].
	CertFile, KeyFile string

	Workers        int
	WorkersSet     bool
	Timeout        int // seconds a request may be silent; 0 is no limit
	Preload        bool
	StartTimeout   int // seconds
	StopTimeout    int // seconds from SIGTERM to SIGKILL: stop_timeout, or --graceful-timeout where that is shorter or stop_timeout is not set
	RestartTimeout int // seconds
	Umask          string
	Backlog        int     // --backlog; 0 is the system's
	SocketUmask    int     // gunicorn's --umask, for UNIX sockets: 0 lets everybody connect
	MemoryLimit    float64 // GB; 0 is none
	MemoryHigh     float64 // GB; 0 is none
	Limits         RequestLimits
	User, Group    string   // --user and --group
	Chdir          string   // --chdir: what relative paths of this group start from
	ErrorLog       string   // --error-logfile: the workers' log, "" or “-” for one log per worker
	PIDFile        string   // --pid
	ExtraArgs      []string // what is left of extra_args, without effect
	Environment    map[string]string

	gracefulTimeout    int // --graceful-timeout
	gracefulTimeoutSet bool
	stopTimeoutSet     bool
	uwsgi              bool // --protocol uwsgi
	at                 *node
}

func defaultGunicorn() Gunicorn {
	return Gunicorn{Binds: []string{"localhost:8080"}, Workers: 1, Timeout: 300, Preload: true, StartTimeout: 15,
		StopTimeout: 65, RestartTimeout: 300, Environment: map[string]string{}}
}

var gunicornKeys = wordSet(serviceKeys + `bind workers timeout preload restart_timeout gunicorn_extra_args keyfile certfile`)

// gunicorn reads one group; n may be nil.
func (in gravityReader) gunicorn(n *node) (g Gunicorn, enabled bool) {
	g = defaultGunicorn()
	if n.isNull() {
		return g, true
	}
	if n.kind != mapNode {
		in.report.add(Error, n, "gunicorn takes a mapping such as “{bind: localhost:8080, workers: 2}”, not %s", n.describe())
		return g, true
	}
	in.keys(n, "gravity: gunicorn", gunicornKeys)
	g.at = n
	g.Environment = in.environment(n.get("environment"))
	g.Binds[0] = in.text(n.get("bind"), "bind", g.Binds[0])
	if bind := n.get("bind"); !bind.isNull() {
		g.BindAt = position(bind)
		if strings.TrimSpace(g.Binds[0]) == "" {
			in.report.add(Error, bind, "bind is empty; write for example localhost:8080 or unix:/run/galaxy.sock")
		}
	}
	g.WorkersSet = !n.get("workers").isNull()
	g.Workers = in.count(n.get("workers"), "workers", g.Workers, 1, maxProcesses)
	g.Timeout = in.count(n.get("timeout"), "timeout", g.Timeout, 0, 1<<30)
	g.Preload = in.boolean(n.get("preload"), "preload", g.Preload)
	g.StartTimeout = in.count(n.get("start_timeout"), "start_timeout", g.StartTimeout, 0, 1<<30)
	g.stopTimeoutSet = !n.get("stop_timeout").isNull()
	g.StopTimeout = in.count(n.get("stop_timeout"), "stop_timeout", g.StopTimeout, 0, 1<<30)
	g.RestartTimeout = in.count(n.get("restart_timeout"), "restart_timeout", g.RestartTimeout, 0, 1<<30)
	g.Umask = in.umask(n.get("umask"), "")
	g.MemoryLimit = in.number(n.get("memory_limit"), "memory_limit", 0)
	g.MemoryHigh = in.number(n.get("memory_high"), "memory_high", 0)
	g.CertFile, g.KeyFile = in.text(n.get("certfile"), "certfile", ""), in.text(n.get("keyfile"), "keyfile", "")
	extra, what := n.get("extra_args"), "extra_args"
	if older := n.get("gunicorn_extra_args"); !older.isNull() { // its name in the documentation of 22.01
		if extra.isNull() {
			extra, what = older, "gunicorn_extra_args"
		} else {
			in.report.add(Warning, older, "gunicorn_extra_args is the older name of extra_args, which is given too and wins")
		}
	}
	in.environmentArgs(n, &g)
	if words, err := splitWords(in.text(extra, what, "")); err != nil {
		in.report.add(Error, extra, "%s: %v", what, err)
	} else if len(words) > 0 {
		in.gunicornArgs(words, extra, what, false, &g)
	}
	return g, in.boolean(n.get("enable"), "enable", true)
}

// environmentArgs reads GUNICORN_CMD_ARGS of the group's environment, which loses against the options that gravity writes
// on gunicorn's command line.
func (in gravityReader) environmentArgs(n *node, g *Gunicorn) {
	at := n.get("environment").get("GUNICORN_CMD_ARGS")
	if at.isNull() {
		return
	}
	words, err := splitWords(at.text)
	if err != nil {
		in.report.add(Error, at, "GUNICORN_CMD_ARGS: %v", err)
		return
	}
	binds, workers, timeout := g.Binds, g.Workers, g.Timeout
	in.gunicornArgs(words, at, "GUNICORN_CMD_ARGS", false, g)
	g.Binds, g.Workers, g.Timeout = binds[:1], workers, timeout
}

// finishGunicorn settles what follows from several settings of a group, once all are read, and resolves its paths.
func (l *loader) finishGunicorn(g *Gunicorn) {
	c := l.config
	base := l.under(c.Root, g.Chdir)
	if base == "" {
		base = c.Root
	}
	if g.gracefulTimeoutSet && (!g.stopTimeoutSet || g.gracefulTimeout < g.StopTimeout) {
		g.StopTimeout = g.gracefulTimeout
	}
	g.Limits.Timeout = g.Timeout
	if g.Limits.ForwardedAllowIPs == nil {
		for _, value := range []string{g.Environment["FORWARDED_ALLOW_IPS"], l.env["FORWARDED_ALLOW_IPS"]} {
			if value != "" && g.Limits.ForwardedAllowIPs == nil {
				g.Limits.ForwardedAllowIPs = asList(value)
			}
		}
	}
	l.checkProxies(g.at, "--forwarded-allow-ips", g.Limits.ForwardedAllowIPs)
	if g.Limits.AccessLog != "" && g.Limits.AccessLog != "-" {
		g.Limits.AccessLog = l.under(base, g.Limits.AccessLog)
	}
	if g.ErrorLog == "-" {
		g.ErrorLog = ""
	}
	g.ErrorLog, g.PIDFile = l.under(base, g.ErrorLog), l.under(base, g.PIDFile)
	g.CertFile, g.KeyFile = l.under(base, g.CertFile), l.under(base, g.KeyFile)
	protocol := HTTP
	switch {
	case g.uwsgi:
		protocol = UWSGI
	case g.CertFile != "":
		protocol = HTTPS
		if g.KeyFile == "" {
			g.KeyFile = g.CertFile
		}
	case g.KeyFile != "":
		l.report.add(Error, g.at, "gunicorn: keyfile without certfile: name the certificate too, or neither")
	}
	g.Listeners = nil
	for _, bind := range g.Binds {
		listener := Listener{Bind: absoluteBind(base, bind), Protocol: protocol, Umask: g.SocketUmask, Backlog: g.Backlog, At: g.BindAt}
		if protocol == HTTPS {
			listener.CertFile, listener.KeyFile = g.CertFile, g.KeyFile
		}
		if isUnixBind(listener.Bind) {
			listener.Owner, listener.Group = g.User, g.Group
		}
		g.Listeners = append(g.Listeners, listener)
	}
	l.checkCertificates(g.at, g.Listeners)
}
