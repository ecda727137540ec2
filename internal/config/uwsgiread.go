package config

import (
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed uwsgioptions.tsv
var uwsgiTable string

// uwsgiOption is one row of uwsgioptions.tsv.
type uwsgiOption struct {
	name   string
	letter string
	// isSwitch tells that it takes no value, python that uWSGI's Python plugin has it.
	isSwitch, python bool
}

// uwsgiOptions is uwsgioptions.tsv, by name.
var uwsgiOptions = sync.OnceValue(func() map[string]uwsgiOption {
	out := map[string]uwsgiOption{}
	for line := range strings.Lines(uwsgiTable) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := append(strings.Split(line, "\t"), "", "")
		out[fields[0]] = uwsgiOption{name: fields[0], letter: fields[1],
			isSwitch: strings.Contains(fields[2], "switch"), python: strings.Contains(fields[2], "python")}
	}
	return out
})

// uwsgiForPython are options of uWSGI's core that need nothing here, since they start Python and its threads or size what
// one process of uWSGI's holds. Those of the Python plugin are such options too.
var uwsgiForPython = wordSet(`buffer-size enable-threads ini lazy lazy-apps master memory-report need-app no-orphans
	offload-threads plugin plugins plugin-dir plugins-dir procname procname-prefix auto-procname single-interpreter strict
	thread-stack-size thread-stacksize threads-stacksize threads-stack-size threads thunder-lock vacuum yaml yml binary-path
	http-processes http-workers http-websockets http-raw-body http-auto-chunked http-chunked-input http-manage-expect
	post-buffering post-buffering-bufsize max-requests min-worker-lifetime max-worker-lifetime py-call-osafterfork
	no-threads-wait so-keepalive socket-timeout harakiri harakiri-verbose die-on-idle close-on-exec close-on-exec2
	reuse-port catch-exceptions cpu-affinity cheaper cheaper-algo cheaper-initial cheaper-step cheaper-overload
	worker-connections log-date log-format logformat log-master threaded-logger disable-logging log-x-forwarded-for
	log-4xx log-5xx log-zero log-slow log-big log-ioerror ignore-sigpipe ignore-write-errors disable-write-exception
	no-defer-accept safe-pidfile autoload skip-atexit manage-script-name mount`)

// uwsgiAliases are names for the same option.
var uwsgiAliases = map[string]string{
	"workers": "processes", "uwsgi-socket": "socket", "http11-socket": "http-socket", "undeferred-shared-socket": "shared-socket",
	"chmod": "chmod-socket", "zergpool": "zerg-pool", "stats-server": "stats", "zerg-server": "zerg", "log": "logto", "logto": "logto",
	"httprouter": "http", "socket-protocol": "protocol", "evil-reload-on-rss": "reload-on-rss", "set-ph": "set-placeholder",
	"set": "set-placeholder", "http-enable-proxy-protocol": "enable-proxy-protocol",
}

// uwsgiName is the name by which an option is known here: its letters are spelt out and “_” is no different from “-”.
func uwsgiName(key string) string {
	name := strings.ReplaceAll(strings.TrimLeft(key, "-"), "_", "-")
	if len(name) == 1 {
		for _, o := range []string{"socket", "processes", "master", "listen", "mule", "daemonize", "uid", "gid", "chmod-socket", "harakiri", "home", "module", "set-placeholder", "threads"} {
			if o := uwsgiOptions()[o]; o.letter == name {
				return o.name
			}
		}
	}
	if same, ok := uwsgiAliases[name]; ok {
		return same
	}
	return name
}

// uwsgiReader gathers what refers to other lines until all are read.
type uwsgiReader struct {
	gravityReader
	u       Uwsgi
	env     map[string]string
	magic   map[string]string // what %p and its like stand for
	holders map[string]string // placeholders

	addresses []uwsgiAddress
	shared    []uwsgiAddress
	farms     []pair
	chmod     fs.FileMode
	owner     string
	group     string
	backlog   int
	protocol  string
	mercy     int
	workers   int // worker-reload-mercy, -1 when unset
	mules     int
	processes bool // processes is set
	hasApp    bool // a module or the like is named

	python, others []string
}

// uwsgiAddress is one option that names an address.
type uwsgiAddress struct {
	option, value string
	at            *node
}

// readUwsgi reads the section's options, given in the order they are written; n may be nil. file is where it is from.
func readUwsgi(n *node, r *report, env map[string]string, file string) Uwsgi {
	in := &uwsgiReader{gravityReader: gravityReader{report: r}, env: env, magic: uwsgiMagic(file), holders: map[string]string{}, mercy: 60, workers: -1, mules: -1}
	u := &in.u
	*u = Uwsgi{Present: n != nil, Processes: 1, WorkerMercy: 60, MuleMercy: 60, at: n}
	if n.isNull() {
		n = &node{kind: mapNode}
	}
	if n.kind != mapNode {
		r.add(Error, n, "uwsgi takes a mapping (indented lines of “name: value”), not %s", n.describe())
		return *u
	}
	for _, p := range n.pairs {
		if p.value.kind == listNode || p.value.kind == mapNode {
			r.add(Error, p.value, "uwsgi: %s takes one value, not %s; to give it several times, repeat the line", clip(p.key, 60), p.value.describe())
			continue
		}
		if p.value.isNull() {
			continue // a key without a value is unset, of whatever kind it is
		}
		value := *p.value
		if value.text = in.expand(value.text); len(value.text) > maxExpanded {
			r.add(Error, p.value, "uwsgi: %s is too long once its references are replaced", clip(p.key, 60))
			continue
		}
		in.option(p, &value)
		if len(u.Mules) > maxProcesses {
			r.add(Error, p.value, "uwsgi: more than %d mules", maxProcesses)
			u.Mules = u.Mules[:maxProcesses]
		}
	}
	u.WorkerMercy, u.MuleMercy = in.mercy, in.mercy
	if in.workers >= 0 {
		u.WorkerMercy = in.workers
	}
	if in.mules >= 0 {
		u.MuleMercy = in.mules
	}
	for _, p := range in.farms {
		if farm, ok := in.farm(p, *u); ok {
			u.Farms = append(u.Farms, farm)
		}
	}
	in.listen()
	in.say(n)
	return *u
}

// option reads one line.
func (in *uwsgiReader) option(p pair, value *node) {
	u, r := &in.u, in.report
	name := uwsgiName(p.key)
	in.holders[p.key] = value.text
	known, isKnown := uwsgiOptions()[name]
	text := value.text
	if text == "" && name != "mule" && name != "chmod-socket" && !known.isSwitch {
		return
	}
	// Quotes are a part of the value, and only a number shows it by itself.
	quoted := func() bool {
		if len(text) > 1 && (text[0] == '"' || text[0] == '\'') {
			r.add(Error, value, "uwsgi: %s is %s, and uWSGI takes the quotes as a part of the value; write it without them", name, clip(text, 60))
			return true
		}
		return false
	}
	whole := func(lowest, highest int, def int) int {
		if quoted() {
			return def
		}
		return in.count(value, "uwsgi: "+name, def, lowest, highest)
	}
	word := func() string {
		if quoted() {
			return ""
		}
		return text
	}
	on := func() bool {
		if quoted() {
			return false
		}
		switch strings.ToLower(text) {
		case "false", "off", "no", "0":
			return false
		}
		return true
	}
	switch name {
	case "processes":
		u.Processes, in.processes = whole(1, maxProcesses, u.Processes), true
	case "threads":
		u.Threads = whole(0, 1<<20, 0)
		in.python = append(in.python, name)
	case "http", "http-socket", "https", "https-socket", "https2", "socket", "http-to-https", "stats":
		if !quoted() {
			in.addresses = append(in.addresses, uwsgiAddress{name, text, value})
		}
	case "suwsgi-socket", "ssl-socket", "fastcgi-socket", "scgi-socket", "raw-socket", "fastcgi-nph-socket", "scgi-nph-socket", "puwsgi-socket":
		r.add(Error, value, "uwsgi: %s is a protocol that is not served; socket (for uwsgi_pass) and http are", name)
	case "protocol":
		switch p := strings.ToLower(word()); p {
		case "http", "uwsgi":
			in.protocol = p
		default:
			r.add(Error, value, "uwsgi: %s is uwsgi or http, not %s", name, value.describe())
		}
	case "shared-socket":
		in.shared = append(in.shared, uwsgiAddress{name, word(), value})
	case "listen":
		in.backlog = whole(1, 1<<20, 0)
	case "mule":
		u.Mules = append(u.Mules, text)
	case "mules":
		for range whole(0, maxProcesses, 0) {
			u.Mules = append(u.Mules, "")
		}
	case "farm":
		in.farms = append(in.farms, pair{key: text, at: value})
	case "reload-mercy":
		in.mercy = whole(0, 1<<30, in.mercy)
	case "worker-reload-mercy":
		in.workers = whole(0, 1<<30, -1)
	case "mule-reload-mercy":
		in.mules = whole(0, 1<<30, -1)
	case "die-on-term":
		u.DieOnTerm = on()
	case "hook-master-start":
		in.hook(value)
	case "uid":
		u.User = word()
	case "gid":
		u.Group = word()
	case "umask":
		if n, ok := octal(text); ok && n <= 0o777 {
			u.Umask = fmt.Sprintf("%03o", n)
		} else {
			r.add(Error, value, "uwsgi: umask takes octal digits such as 022, not %s", value.describe())
		}
	case "chmod-socket":
		mode, ok := 0o666, true
		if text != "" && text != "true" {
			mode, ok = octal(text)
		}
		if !ok || mode > 0o777 || mode == 0 {
			r.add(Error, value, "uwsgi: chmod-socket takes octal digits such as 660, not %s", value.describe())
			break
		}
		in.chmod = fs.FileMode(mode)
	case "chown-socket":
		in.owner, in.group, _ = strings.Cut(word(), ":")
	case "static-map", "static-map2":
		mount, dir, ok := strings.Cut(text, "=")
		if mount, dir = strings.TrimSpace(mount), strings.TrimSpace(dir); !ok || !strings.HasPrefix(mount, "/") || dir == "" || path.Clean(mount) != strings.TrimSuffix(mount, "/") && mount != "/" {
			r.add(Error, value, "uwsgi: %s takes a path and a directory, such as /static=static, not %s", name, value.describe())
			break
		}
		mount = path.Clean(mount)
		if name == "static-map2" {
			dir = filepath.Join(dir, mount)
		}
		u.StaticMaps = append(u.StaticMaps, StaticMap{mount, dir})
	case "logto":
		u.LogTo = word()
	case "logto2":
		u.LogTo2 = word()
	case "daemonize":
		u.Daemonize = word()
	case "daemonize2":
		u.Daemonize2 = word()
	case "pidfile":
		u.PIDFile = word()
	case "pidfile2":
		u.PIDFile2 = word()
	case "chdir":
		u.Chdir = word()
	case "env":
		variable, content, ok := strings.Cut(text, "=")
		if !ok || variable == "" || strings.ContainsRune(text, 0) {
			r.add(Error, value, "uwsgi: env takes NAME=VALUE, not %s", value.describe())
			break
		}
		if u.Environment == nil {
			u.Environment = map[string]string{}
		}
		u.Environment[variable] = content
	case "reload-on-rss":
		u.MemoryLimit = float64(whole(0, 1<<30, 0)) / 1024
	case "http-keepalive":
		if text != "" {
			u.Limits.KeepAlive = whole(0, 1<<30, 0)
		}
	case "http-timeout":
		u.Limits.Timeout = whole(0, 1<<30, 0)
	case "enable-proxy-protocol":
		if on() {
			r.add(Error, value, "uwsgi: %s: the PROXY protocol is not spoken; let the proxy send X-Forwarded-For", name)
		}
	case "zerg-pool":
		u.SeveralMasters = name
		in.zergPool(value)
	case "zerg":
		u.SeveralMasters = name
		u.Zerg = append(u.Zerg, word())
	case "set-placeholder":
		if holder, content, ok := strings.Cut(text, "="); ok {
			in.holders[strings.TrimSpace(holder)] = strings.TrimSpace(content)
		}
	default:
		switch {
		case name == "module" || name == "wsgi" || name == "wsgi-file" || name == "file" || name == "paste" || name == "ini-paste" || name == "ini-paste-logged" || name == "mount":
			in.hasApp = true
			in.python = append(in.python, name)
		case known.python || uwsgiForPython[name]:
			in.python = append(in.python, name)
		case !isKnown:
			r.add(Warning, p.at, "uwsgi: nobody knows the option “%s”%s", clip(p.key, 80), didYouMean(name, slices.Sorted(maps.Keys(uwsgiOptions()))))
		default:
			in.others = append(in.others, name)
		}
	}
}

// hook reads what hook-master-start does. Only signals are handled so.
func (in *uwsgiReader) hook(value *node) {
	call, action, _ := strings.Cut(value.text, " ")
	number, isSignal := strings.CutPrefix(call, "unix_signal:")
	action = strings.TrimSpace(action)
	if !isSignal {
		in.report.add(Notice, value, "uwsgi: hook-master-start: %s is not acted upon; unix_signal:N ACTION is", clip(value.text, 80))
		return
	}
	signal, err := strconv.Atoi(number)
	switch {
	case err != nil || signal < 1 || signal > 31:
		in.report.add(Error, value, "uwsgi: hook-master-start: %q is no signal's number", clip(number, 40))
	case signal == 9 || signal == 17 || signal == 19:
		in.report.add(Error, value, "uwsgi: hook-master-start: nothing can be done at the signal %d", signal)
	case !slices.Contains([]string{"gracefully_kill_them_all", "kill_them_all", "grace_them_all", "reap_them_all"}, action):
		in.report.add(Warning, value, "uwsgi: hook-master-start: the action %q is none of gracefully_kill_them_all, kill_them_all, grace_them_all and reap_them_all; the signal %d keeps its meaning",
			clip(action, 60), signal)
	default:
		in.u.MasterHooks = append(in.u.MasterHooks, SignalHook{Signal: signal, Action: action, At: position(value)})
	}
}

// zergPool reads PATH:ADDRESS,ADDRESS.
func (in *uwsgiReader) zergPool(value *node) {
	path, list, ok := strings.Cut(value.text, ":")
	if path = strings.TrimSpace(path); !ok || path == "" || len(asList(list)) == 0 {
		in.report.add(Error, value, "uwsgi: zerg-pool takes a socket's path and addresses, such as /srv/galaxy/var/zergpool.sock:127.0.0.1:4001, not %s", value.describe())
		return
	}
	pool := ZergPool{Path: path, At: position(value)}
	for _, address := range asList(list) {
		pool.Addresses = append(pool.Addresses, Listener{Bind: uwsgiBind(address), Protocol: UWSGI, Umask: -1, At: pool.At})
	}
	in.u.ZergPools = append(in.u.ZergPools, pool)
}

// listen makes listeners of the addresses, once all lines are read.
func (in *uwsgiReader) listen() {
	u := &in.u
	used := make([]bool, len(in.shared))
	for _, a := range in.addresses {
		l := Listener{Umask: -1, Mode: in.chmod, Owner: in.owner, Group: in.group, Backlog: in.backlog, At: position(a.at)}
		fields := strings.Split(a.value, ",")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if a.option == "https2" {
			named := map[string]string{}
			for _, field := range fields {
				key, value, _ := strings.Cut(field, "=")
				named[key] = value
			}
			fields = []string{named["addr"], named["cert"], named["key"]}
			if named["key"] == "" {
				fields = fields[:2]
			}
		}
		switch a.option {
		case "socket":
			l.Protocol = UWSGI
			if in.protocol == "http" {
				l.Protocol = HTTP
			}
		case "http", "http-socket":
			l.Protocol = HTTP
		case "http-to-https":
			l.Protocol = Redirect
		case "stats":
			l.Protocol = Stats
		default:
			l.Protocol = HTTPS
		}
		l.Bind = fields[0]
		if number, ok := strings.CutPrefix(l.Bind, "="); ok {
			i, err := strconv.Atoi(number)
			if err != nil || i < 0 || i >= len(in.shared) {
				in.report.add(Error, a.at, "uwsgi: %s is %s, and there is no such shared-socket; the first one is =0", a.option, clip(l.Bind, 60))
				continue
			}
			if used[i] {
				in.report.add(Error, a.at, "uwsgi: two options serve at the shared-socket =%d", i)
				continue
			}
			used[i] = true
			// The documentation of 19.01 writes the certificate beside the shared socket.
			shared := strings.Split(in.shared[i].value, ",")
			l.Bind = strings.TrimSpace(shared[0])
			if len(fields) == 1 {
				fields = append(fields, shared[1:]...)
			}
		}
		if l.Protocol == HTTPS {
			if len(fields) < 2 || strings.TrimSpace(fields[1]) == "" {
				in.report.add(Error, a.at, "uwsgi: %s takes an address, a certificate and a key, such as :8443,server.crt,server.key, not %s", a.option, a.at.describe())
				continue
			}
			l.CertFile = strings.TrimSpace(fields[1])
			l.KeyFile = l.CertFile
			if len(fields) > 2 && strings.TrimSpace(fields[2]) != "" {
				l.KeyFile = strings.TrimSpace(fields[2])
			}
			if len(fields) > 4 && strings.TrimSpace(fields[4]) != "" {
				in.report.add(Error, a.at, "uwsgi: %s asks for client certificates of %s, which are not checked by this server, so it does not start as if they were", a.option, clip(fields[4], 60))
				continue
			}
		}
		if l.Bind == "" || isDigits(l.Bind) {
			in.report.add(Error, a.at, "uwsgi: %s takes an address such as :8080, 127.0.0.1:8080 or /srv/galaxy/var/galaxy.sock, not %s", a.option, a.at.describe())
			continue
		}
		l.Bind = uwsgiBind(l.Bind)
		if l.Protocol == Stats {
			u.Stats = append(u.Stats, l)
			continue
		}
		if u.BindAt == "" {
			u.BindAt = l.At
		}
		u.Listeners = append(u.Listeners, l)
	}
	for i, shared := range in.shared {
		if !used[i] && shared.value != "" {
			in.report.add(Warning, shared.at, "uwsgi: the shared-socket =%d (%s) is used by no http, https, socket or http-to-https, and is not opened", i, clip(shared.value, 60))
		}
	}
	if in.protocol != "" {
		u.ZergProtocol = Protocol(in.protocol)
		for _, pool := range u.ZergPools {
			for i := range pool.Addresses {
				pool.Addresses[i].Protocol = u.ZergProtocol
			}
		}
	}
	for _, pool := range u.ZergPools {
		for i := range pool.Addresses {
			pool.Addresses[i].Mode, pool.Addresses[i].Owner, pool.Addresses[i].Group, pool.Addresses[i].Backlog = in.chmod, in.owner, in.group, in.backlog
		}
	}
	switch {
	case len(u.Listeners) > 0:
	case len(u.ZergPools) > 0 && !in.processes && !in.hasApp:
		u.Processes = 0 // it holds sockets for others
	case len(u.Zerg) > 0:
	default:
		u.Listeners = []Listener{{Bind: "127.0.0.1:8080", Protocol: HTTP, Umask: -1, Backlog: in.backlog}}
	}
	u.redirects()
	u.tellBinds()
}

// redirects tells those listeners that send to HTTPS where that is.
func (u *Uwsgi) redirects() {
	port := ""
	for _, l := range u.Listeners {
		if l.Protocol == HTTPS && port == "" {
			if i := strings.LastIndexByte(l.Bind, ':'); i >= 0 && isDigits(l.Bind[i+1:]) {
				port = l.Bind[i+1:]
			}
		}
	}
	if port == "443" {
		port = ""
	}
	for i := range u.Listeners {
		if u.Listeners[i].Protocol == Redirect {
			u.Listeners[i].HTTPSPort = port
		}
	}
}

// tellBinds says the listeners in words.
func (u *Uwsgi) tellBinds() {
	u.Binds = nil
	for _, l := range u.Listeners {
		u.Binds = append(u.Binds, l.String())
	}
	for _, pool := range u.Zerg {
		u.Binds = append(u.Binds, "zerg pool "+pool)
	}
}

// say tells in one line each which options have no effect.
func (in *uwsgiReader) say(n *node) {
	list := func(names []string) string {
		slices.Sort(names)
		return clip(strings.Join(slices.Compact(names), ", "), 2000)
	}
	if len(in.python) > 0 {
		in.report.add(Notice, n, "uwsgi: accepted and without effect here, since they are about Python and how uWSGI runs it: %s", list(in.python))
	}
	if len(in.others) > 0 {
		in.report.add(Notice, n, "uwsgi: these options are not acted upon: %s", list(in.others))
	}
}

// uwsgiBind turns an address as uWSGI writes it into a bind string: what has no colon is a path.
func uwsgiBind(address string) string {
	switch {
	case strings.HasPrefix(address, "/"), strings.HasPrefix(address, "unix:"), strings.HasPrefix(address, "fd://"), strings.HasPrefix(address, "@"),
		strings.Contains(address, ":"):
		return address
	}
	return "unix:" + address
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// finishUwsgi resolves the section's paths, and puts Gunicorn's options of `orrery web` over it.
func (l *loader) finishUwsgi() {
	c := l.config
	u := &c.Uwsgi
	if !u.Present {
		return
	}
	base := l.under(c.Root, u.Chdir)
	if base == "" {
		base = c.Root
	}
	u.Chdir = l.under(c.Root, u.Chdir)
	resolve := func(listeners []Listener) {
		for i := range listeners {
			one := &listeners[i]
			one.Bind = absoluteBind(base, one.Bind)
			one.CertFile, one.KeyFile = l.under(base, one.CertFile), l.under(base, one.KeyFile)
		}
	}
	if len(l.binds) > 0 {
		u.Listeners = nil
		for _, bind := range l.binds {
			u.Listeners = append(u.Listeners, Listener{Bind: bind, Protocol: HTTP, Umask: -1})
		}
	}
	resolve(u.Listeners)
	resolve(u.Stats)
	for i := range u.ZergPools {
		pool := &u.ZergPools[i]
		if !strings.HasPrefix(pool.Path, "@") {
			pool.Path = l.under(base, pool.Path)
		}
		resolve(pool.Addresses)
	}
	for i, path := range u.Zerg {
		if !strings.HasPrefix(path, "@") {
			u.Zerg[i] = l.under(base, path)
		}
	}
	for i := range u.StaticMaps {
		u.StaticMaps[i].Dir = l.under(base, u.StaticMaps[i].Dir)
	}
	for _, path := range []*string{&u.LogTo, &u.LogTo2, &u.Daemonize, &u.Daemonize2, &u.PIDFile, &u.PIDFile2} {
		*path = l.under(base, *path)
	}
	// The longest prefix comes first.
	slices.SortStableFunc(u.StaticMaps, func(a, b StaticMap) int { return len(b.Mount) - len(a.Mount) })
	l.checkCertificates(u.at, u.Listeners)
	u.tellBinds()
}

// uwsgiFromGunicorn takes what `orrery web` was told on its command line.
func (l *loader) uwsgiFromGunicorn(g Gunicorn, replaced bool) {
	c := l.config
	u := &c.Uwsgi
	l.finishGunicorn(&g)
	if replaced {
		u.Listeners, u.Zerg = g.Listeners, nil
	} else if g.CertFile != "" {
		l.report.add(Error, commandLine(), "--certfile needs a --bind beside it, since the uwsgi section says what is spoken where")
	}
	if g.WorkersSet {
		u.Processes = g.Workers
	}
	if g.gracefulTimeoutSet {
		u.WorkerMercy = g.gracefulTimeout
	}
	u.Limits = g.Limits
	for name, value := range g.Environment {
		if u.Environment == nil {
			u.Environment = map[string]string{}
		}
		u.Environment[name] = value
	}
	if g.User != "" {
		u.User = g.User
	}
	if g.Group != "" {
		u.Group = g.Group
	}
	if g.PIDFile != "" {
		u.PIDFile = g.PIDFile
	}
}

// uwsgiMagic are uWSGI's magic variables of a file: %p, %d and their like.
func uwsgiMagic(file string) map[string]string {
	dir, name := filepath.Split(file)
	ext := strings.TrimPrefix(filepath.Ext(name), ".")
	out := map[string]string{"%": "%", "p": file, "P": file, "s": name, "S": name, "d": dir, "D": dir, "e": ext, "E": ext, "n": strings.TrimSuffix(name, "."+ext),
		"N": strings.TrimSuffix(name, "."+ext), "c": filepath.Base(filepath.Dir(file)), "C": filepath.Base(filepath.Dir(file)), "u": strconv.Itoa(os.Getuid()),
		"g": strconv.Itoa(os.Getgid())}
	if host, err := os.Hostname(); err == nil {
		out["h"] = host
	}
	if wd, err := os.Getwd(); err == nil {
		out["v"] = wd
	}
	return out
}

// expand replaces what uWSGI replaces in a value: $(NAME) by the environment, %(name) by an earlier option or placeholder,
// and %d and its like by what the file is.
func (in *uwsgiReader) expand(text string) string {
	if strings.Contains(text, "$(") {
		text = expandUwsgi(text, in.env)
	}
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		if text[i+1] == '(' {
			if name, _, ok := strings.Cut(text[i+2:], ")"); ok {
				if value, known := in.holders[name]; known {
					b.WriteString(value)
					i += 2 + len(name)
					continue
				}
			}
		} else if value, known := in.magic[text[i+1:i+2]]; known {
			b.WriteString(value)
			i++
			continue
		}
		b.WriteByte('%')
		if b.Len() > maxExpanded {
			break
		}
	}
	return b.String()
}
