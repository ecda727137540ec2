package config

import (
	"fmt"
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

	Processes int // web workers; none in a section that only holds a Zerg pool
	Threads   int // as written; every web worker here serves as many requests at once as come
	// Binds are the addresses as a person is told them; 127.0.0.1:8080 when the section has none.
	Binds []string
	// BindAt is where the file says so, for messages; "" when it does not.
	BindAt string
	// Listeners are the same with what is spoken there: http, https, socket and http-to-https, through shared-socket or
	// without it. There are none where Zerg gives them.
	Listeners []Listener
	// Stats are the addresses of the stats server.
	Stats []Listener
	// ZergPools are sockets that this server holds for others and serves nothing on. Zerg are pools, by their paths, that
	// it takes its listeners from; ZergProtocol is what is spoken on those, "" as the pool says.
	ZergPools    []ZergPool
	Zerg         []string
	ZergProtocol Protocol
	// StaticMaps are directories that are served as they are; the longest prefix wins.
	StaticMaps []StaticMap
	// User and Group are whom a server that is started as root serves as.
	User, Group string
	// Umask is for the files that are made, as octal digits; "" leaves it.
	Umask string
	// Chdir is the directory that relative paths start from; "" is Galaxy's root.
	Chdir string
	// LogTo, Daemonize and PIDFile are paths, "" when they are not set; the second of each pair is opened once root is
	// dropped (LogTo2) or the server is ready.
	LogTo, LogTo2, Daemonize, Daemonize2, PIDFile, PIDFile2 string
	// Mules are the programs of the mules, the first one being mule 1. Galaxy's is lib/galaxy/main.py.
	Mules []string
	// Farms are named groups of mules.
	Farms []Farm
	// WorkerMercy and MuleMercy are the seconds that a web worker and a mule have to stop.
	WorkerMercy, MuleMercy int
	// DieOnTerm and MasterHooks decide what signals do.
	DieOnTerm   bool
	MasterHooks []SignalHook
	// MemoryLimit is reload-on-rss, in GB; 0 is none.
	MemoryLimit float64
	Environment map[string]string // env
	Limits      RequestLimits
	// SeveralMasters is the option by which several masters share the requests (zerg mode), or "".
	SeveralMasters string

	at *node
}

// StaticMap serves the files below Dir at the path Mount.
type StaticMap struct{ Mount, Dir string }

// ZergPool is a UNIX socket at Path over which the listeners at Addresses are handed to whoever connects.
type ZergPool struct {
	Path      string
	Addresses []Listener
	At        string
}

// SignalHook is a line hook-master-start: unix_signal:N ACTION.
type SignalHook struct {
	Signal int
	Action string // gracefully_kill_them_all, kill_them_all, grace_them_all or reap_them_all
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
		content := &node{kind: scalarNode, plain: true, file: file, line: at.line, column: at.column, text: value}
		if value == "" {
			content.kind = nullNode
		}
		section.pairs = append(section.pairs, pair{key: key, at: at, value: content})
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
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$(")
		name, after, closed := strings.Cut(rest, ")")
		if !found || !closed {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		b.WriteString(env[name])
		s = after
	}
}
