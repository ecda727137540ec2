package config

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Uwsgi is the `uwsgi:` section of galaxy.yml, or [uwsgi] of galaxy.ini: web workers and mules under one master, as
// Galaxy 18.01 to 21.09 were served.
type Uwsgi struct {
	// Present tells whether there is such a section that counts: beside `gravity:` it does not.
	Present bool

	Processes int // web workers
	Threads   int // as written; every web worker here serves as many requests at once as come
	// Binds are the addresses for plain HTTP, from http, http-socket and, through “=N”, shared-socket; 127.0.0.1:8080
	// when the section has neither these nor socket.
	Binds []string
	// BindAt is where the file says so, for messages; "" when it does not.
	BindAt string
	// Listeners are all addresses with what is spoken there.
	Listeners []Listener
	// StaticMaps are directories that are served as they are; the longest prefix wins.
	StaticMaps []StaticMap
	// User and Group are whom a server that is started as root serves as.
	User, Group string
	// Chdir is the directory that relative paths start from; "" is where the server is started.
	Chdir string
	// LogTo, Daemonize and PIDFile are paths, "" when they are not set. LogTo is written from the start or, if LogTo2 is
	// set, once the server has dropped root. The second of each pair is opened once the workers are ready.
	LogTo, LogTo2, Daemonize, Daemonize2, PIDFile, PIDFile2 string
	// ZergPool are sockets that this server holds for others and serves nothing on; Zerg are pools, by their paths, that
	// it takes its listeners from.
	ZergPools []ZergPool
	Zerg      []string
	// DieOnTerm and MasterHooks decide what signals do.
	DieOnTerm   bool
	MasterHooks []SignalHook
	// Stats are the addresses of the stats server.
	Stats []Listener
	// Umask is for the files that are made, as octal digits; "" leaves it.
	Umask string
	// Limits are for web workers.
	Limits RequestLimits
	// Mules are the programs of the mules, the first one being mule 1. Galaxy's is lib/galaxy/main.py.
	Mules []string
	// Farms are named groups of mules.
	Farms []Farm
	// WorkerMercy and MuleMercy are the seconds that a web worker and a mule have to stop.
	WorkerMercy, MuleMercy int
	// SeveralMasters is the option by which several masters share the requests (zerg mode), or "".
	SeveralMasters string
}

// StaticMap serves the files below Dir at the path Mount.
type StaticMap struct{ Mount, Dir string }

// ZergPool is a UNIX socket at Path over which the listeners at Addresses are handed to whoever connects.
type ZergPool struct {
	Path      string
	Addresses []Listener
}

// SignalHook is a line hook-master-start: unix_signal:N ACTION.
type SignalHook struct {
	Signal int
	Action string // gracefully_kill_them_all, kill_them_all or another of uWSGI's names
	At     string
}

// Farm is a group of mules.
type Farm struct {
	Name  string
	Mules []int // the mules' numbers, from 1, in the farm's order
	// At is where it is written.
	At string
}

// RunsGalaxy tells whether a mule runs Galaxy's own program, as job handlers do.
func (u Uwsgi) RunsGalaxy(mule int) bool {
	if mule < 1 || mule > len(u.Mules) {
		return false
	}
	program := u.Mules[mule-1]
	return path.Base(program) == "main.py" && path.Base(path.Dir(program)) == "galaxy"
}

// splitUwsgi takes the `uwsgi:` section out of a YAML file before it is parsed, since uWSGI reads it by rules of its
// own: one option per line, a value is all that follows the colon with its quotes, keys repeat, and characters with a
// meaning in YAML (“@”, “%”, “=”) have none. rest is the file with blank lines in the section's place, so that all
// else keeps its line. section is nil when there is none in that form.
func splitUwsgi(file string, data []byte) (section *node, rest []byte) {
	if len(data) > maxFileSize {
		return nil, data
	}
	lines := strings.SplitAfter(string(data), "\n")
	start := slices.IndexFunc(lines, func(line string) bool {
		after, found := strings.CutPrefix(strings.TrimPrefix(line, "\ufeff"), "uwsgi:")
		return found && withoutComment(after) == ""
	})
	if start < 0 {
		return nil, data
	}
	section = &node{kind: nullNode, file: file, line: start + 1, column: 1}
	end := start + 1
	for ; end < len(lines); end++ {
		line := strings.TrimRight(lines[end], "\r\n")
		text := withoutComment(line)
		if text == "" {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			break
		}
		if len(section.pairs) >= maxNodes {
			break
		}
		section.kind = mapNode
		at := &node{kind: scalarNode, plain: true, file: file, line: end + 1, column: len(line) - len(strings.TrimLeft(line, " \t")) + 1}
		key, value := cutOption(text)
		at.text = key
		section.pairs = append(section.pairs, pair{key: key, at: at, value: &node{kind: scalarNode, plain: true, file: file,
			line: at.line, column: at.column, text: value}})
	}
	var b strings.Builder
	for i, line := range lines {
		if i < start || i >= end {
			b.WriteString(line)
		} else if strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	return section, []byte(b.String())
}

// cutOption splits “name: value” at the first colon that white space or nothing follows: values hold colons.
func cutOption(s string) (name, value string) {
	for i := range len(s) {
		if s[i] == ':' && (i == len(s)-1 || s[i+1] == ' ' || s[i+1] == '\t') {
			return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:])
		}
	}
	return s, ""
}

// withoutComment cuts what follows a “#” that begins a word, and white space around the rest.
func withoutComment(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			s = s[:i]
			break
		}
	}
	return strings.TrimSpace(s)
}

// uwsgiIdle are uWSGI's options that need nothing here, since they start Python, its threads and processes. Whatever else
// is set and not read below is named once in a notice.
var uwsgiIdle = wordSet(`module wsgi virtualenv home venv pythonpath pp master enable-threads offload-threads
	py-call-osafterfork buffer-size lazy lazy-apps plugin plugins plugins-dir paste paste-logger ini-paste
	ini-paste-logged yaml yml ini need-app single-interpreter no-orphans memory-report
	strict vacuum thunder-lock auto-procname procname procname-prefix thread-stacksize die-on-idle`)

// readUwsgi reads the section's options, given in the order they are written.
func readUwsgi(n *node, r *report, env map[string]string) Uwsgi {
	u := Uwsgi{Present: n != nil, Processes: 1, WorkerMercy: 60, MuleMercy: 60}
	if n.isNull() {
		n = &node{kind: mapNode}
	}
	if n.kind != mapNode {
		r.add(Error, n, "uwsgi takes a mapping (indented lines of “name: value”), not %s", n.describe())
		return u
	}
	in := gravityReader{report: r}
	var shared, sockets []string
	var others []string
	var farms []pair
	type address struct {
		value string
		at    *node
	}
	var http []address
	workerMercy, muleMercy := 0, 0
	mercy := 60
	for _, p := range n.pairs {
		name := strings.ReplaceAll(strings.TrimPrefix(p.key, "--"), "_", "-")
		value := p.value
		if value.kind == listNode || value.kind == mapNode {
			r.add(Error, value, "uwsgi: %s takes one value, not %s; to give it several times, repeat the line", clip(p.key, 60), value.describe())
			continue
		}
		if value.text == "" && name != "mule" {
			continue // a key without a value is unset
		}
		if strings.Contains(value.text, "$(") {
			copied := *value
			copied.text = expandUwsgi(value.text, env)
			value = &copied
		}
		whole := func(lowest, highest int, def int) int {
			if t := value.text; len(t) > 1 && (t[0] == '"' || t[0] == '\'') {
				r.add(Error, value, "uwsgi: %s is %s, and uWSGI takes the quotes as a part of the value; write it without them", name, clip(t, 60))
				return def
			}
			return in.count(value, "uwsgi: "+name, def, lowest, highest)
		}
		switch name {
		case "processes", "workers", "p":
			u.Processes = whole(1, maxProcesses, u.Processes)
		case "threads":
			u.Threads = whole(0, 1<<20, 0)
		case "http", "http-socket":
			http = append(http, address{value.text, value})
		case "socket", "uwsgi-socket", "s":
			sockets = append(sockets, value.text)
		case "shared-socket":
			bind, _, _ := strings.Cut(value.text, ",")
			shared = append(shared, bind)
		case "mule":
			u.Mules = append(u.Mules, value.text)
		case "mules":
			for range whole(0, maxProcesses, 0) {
				u.Mules = append(u.Mules, "")
			}
		case "farm":
			farms = append(farms, pair{key: value.text, at: value})
		case "reload-mercy":
			mercy = whole(0, 1<<30, mercy)
		case "worker-reload-mercy":
			workerMercy = whole(0, 1<<30, 0)
		case "mule-reload-mercy":
			muleMercy = whole(0, 1<<30, 0)
		case "zerg", "zerg-pool", "zerg-server":
			u.SeveralMasters = name
			others = append(others, name)
		default:
			if !uwsgiIdle[name] {
				others = append(others, name)
			}
		}
		if len(u.Mules) > maxProcesses {
			r.add(Error, value, "uwsgi: more than %d mules", maxProcesses)
			u.Mules = u.Mules[:maxProcesses]
		}
	}
	u.WorkerMercy, u.MuleMercy = mercy, mercy
	if workerMercy > 0 {
		u.WorkerMercy = workerMercy
	}
	if muleMercy > 0 {
		u.MuleMercy = muleMercy
	}
	for _, p := range farms {
		if farm, ok := in.farm(p, u); ok {
			u.Farms = append(u.Farms, farm)
		}
	}
	for _, h := range http {
		bind := h.value
		if number, ok := strings.CutPrefix(bind, "="); ok {
			i, err := strconv.Atoi(number)
			if err != nil || i < 0 || i >= len(shared) {
				r.add(Error, h.at, "uwsgi: http is %s, and there is no such shared-socket; the first one is =0", clip(bind, 60))
				continue
			}
			bind = shared[i]
		}
		if u.BindAt == "" {
			u.BindAt = position(h.at)
		}
		u.Binds = append(u.Binds, bind)
	}
	if len(u.Binds) == 0 {
		u.Binds = []string{"127.0.0.1:8080"}
		if len(sockets) > 0 {
			r.add(Warning, n, "uwsgi: socket (%s) speaks the uwsgi protocol, which is not served yet; HTTP is served at %s instead, or at what “http:” says",
				clip(strings.Join(sockets, ", "), 200), u.Binds[0])
		}
	} else if len(sockets) > 0 {
		others = append(others, "socket")
	}
	if len(others) > 0 {
		slices.Sort(others)
		r.add(Notice, n, "uwsgi: these options are not acted upon: %s", clip(strings.Join(slices.Compact(others), ", "), 1000))
	}
	return u
}

// farm reads NAME:1,2,3.
func (in gravityReader) farm(p pair, u Uwsgi) (Farm, bool) {
	name, list, ok := strings.Cut(p.key, ":")
	name = strings.TrimSpace(name)
	if !ok || !validServerName(name) {
		in.report.add(Error, p.at, "uwsgi: farm takes a name and mules' numbers, such as job-handlers:1,2,3, not %s", p.at.describe())
		return Farm{}, false
	}
	farm := Farm{Name: name, At: position(p.at)}
	for _, word := range asList(list) {
		number, err := strconv.Atoi(word)
		switch {
		case err != nil:
			in.report.add(Error, p.at, "uwsgi: farm %s: %q is no mule's number", name, clip(word, 40))
			return farm, false
		case number < 1 || number > len(u.Mules):
			in.report.add(Error, p.at, "uwsgi: farm %s: there is no mule %d; the section has %d “mule:” line(s)", name, number, len(u.Mules))
			return farm, false
		case slices.Contains(farm.Mules, number):
			in.report.add(Error, p.at, "uwsgi: farm %s names mule %d twice", name, number)
			return farm, false
		}
		farm.Mules = append(farm.Mules, number)
	}
	return farm, true
}

// position is where a value is written, as FILE:LINE:COLUMN.
func position(n *node) string { return fmt.Sprintf("%s:%d:%d", n.file, n.line, n.column) }

// expandUwsgi replaces $(NAME) by the environment variable, as uWSGI does.
func expandUwsgi(s string, env map[string]string) string {
	s = strings.ReplaceAll(s, "${", "$$") // only the form with parentheses
	return os.Expand(strings.NewReplacer("$(", "${", ")", "}").Replace(s), func(name string) string { return env[name] })
}
