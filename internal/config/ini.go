package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Server is one [server:NAME] section of galaxy.ini: a process with a web server of its own, or none.
type Server struct {
	Name string
	// Bind is HOST:PORT; "" when the section has no port, which means a process without a web server (main always
	// has one).
	Bind string
	// At is where the section is written.
	At string
	// Listeners is the same with what is spoken there.
	Listeners []Listener
	Limits    RequestLimits
}

// readINI reads galaxy.ini into the form of galaxy.yml: [app:main] becomes `galaxy`, [uwsgi] keeps its name, and each
// [server:NAME] is returned. It follows Python's configparser as PasteDeploy uses it: “=” or “:”, continuation lines
// are indented, “#” and “;” begin comments, %(here)s is the file's directory and %(NAME)s another value, [DEFAULT]
// holds for all sections.
func (l *loader) readINI(path string) (root *node, servers []Server) {
	root = &node{kind: mapNode, file: path, line: 1, column: 1}
	data, err := readBounded(path)
	if err != nil {
		l.report.file(Error, path, "%s", fileProblem(err))
		return root, nil
	}
	if len(data) > maxFileSize {
		l.report.file(Error, path, "the file is larger than %d MiB, which no configuration needs", maxFileSize>>20)
		return root, nil
	}
	sections := l.iniSections(path, data)
	defaults := map[string]string{"here": filepath.Dir(path), "__file__": path}
	for _, s := range sections {
		if s.key == "DEFAULT" {
			for _, p := range s.value.pairs {
				defaults[p.key] = p.value.text
			}
		}
	}
	for _, s := range sections {
		switch {
		case s.key == "app:main":
			l.interpolate(s.value, defaults)
			l.prefixFilter(sections, s.value)
			s.value.pairs = withoutKeys(s.value.pairs, "use", "paste.app_factory", "filter-with")
			for i, p := range s.value.pairs {
				if key, ok := strings.CutPrefix(p.key, "set "); ok {
					s.value.pairs[i].key = strings.TrimSpace(key)
				}
			}
			l.structured(s.value)
			root.pairs = append(root.pairs, pair{key: "galaxy", at: s.at, value: s.value})
		case s.key == "uwsgi":
			root.pairs = append(root.pairs, pair{key: "uwsgi", at: s.at, value: s.value})
		case s.key == "galaxy":
			l.report.add(Warning, s.at, "in galaxy.ini Galaxy's options belong below [app:main]; [galaxy] is not read")
		case strings.HasPrefix(s.key, "server:"):
			l.interpolate(s.value, defaults)
			if server, ok := l.server(s); ok {
				servers = append(servers, server)
			}
		}
	}
	return root, servers
}

// iniSections splits the file; sections of one name are put together.
func (l *loader) iniSections(path string, data []byte) []pair {
	var sections []pair
	var current *node
	var last *node
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		at := &node{kind: scalarNode, plain: true, file: path, line: number, column: 1}
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
			continue
		case (line[0] == ' ' || line[0] == '\t') && last != nil:
			if last.text != "" {
				last.text += "\n"
			}
			last.text += text
			continue
		case text[0] == '[':
			name, _, closed := strings.Cut(text[1:], "]")
			if !closed || name == "" {
				l.report.add(Error, at, "“%s” is no section; it is written [app:main]", clip(text, 80))
				current, last = nil, nil
				continue
			}
			at.text = name
			current, last = nil, nil
			for i := range sections {
				if sections[i].key == name {
					current = sections[i].value
				}
			}
			if current == nil {
				current = &node{kind: mapNode, file: path, line: number, column: 1}
				sections = append(sections, pair{key: name, at: at, value: current})
			}
			continue
		}
		if current == nil {
			l.report.add(Error, at, "“%s” stands outside a section; Galaxy's options belong below [app:main]", clip(text, 80))
			return sections
		}
		separator := strings.IndexAny(text, "=:")
		key, value := text, ""
		if separator >= 0 {
			key, value = strings.TrimSpace(text[:separator]), strings.TrimSpace(text[separator+1:])
		}
		if key == "" {
			l.report.add(Error, at, "“%s” has no name before the “%c”", clip(text, 80), text[separator])
			continue
		}
		at.text = key
		last = &node{kind: scalarNode, plain: true, file: path, line: number, column: 1, text: value}
		current.pairs = append(current.pairs, pair{key: key, at: at, value: last})
	}
	return sections
}

// maxExpanded bounds the length of a value after its references are replaced, which may multiply.
const maxExpanded = 64 << 10

// interpolate replaces %(NAME)s and %% in a section's values.
func (l *loader) interpolate(section *node, defaults map[string]string) {
	values := map[string]string{}
	for _, p := range section.pairs {
		values[p.key] = p.value.text
	}
	var expand func(text string, depth int) (string, string)
	expand = func(text string, depth int) (out, problem string) {
		var b strings.Builder
		for {
			i := strings.IndexByte(text, '%')
			if i < 0 || b.Len() > maxExpanded {
				break
			}
			b.WriteString(text[:i])
			text = text[i:]
			switch {
			case strings.HasPrefix(text, "%%"):
				b.WriteByte('%')
				text = text[2:]
				continue
			case !strings.HasPrefix(text, "%("):
				// Python refuses a lone “%”; a value such as a date's format was meant as it stands.
				b.WriteByte('%')
				text = text[1:]
				continue
			}
			name, rest, ok := strings.Cut(text[2:], ")s")
			if !ok {
				return "", "a “%(” is not closed by “)s”"
			}
			value, known := values[name]
			if !known {
				value, known = defaults[name]
			}
			if !known || depth > 10 {
				return "", "“%(" + clip(name, 60) + ")s” stands for nothing here; a percent sign is written %%"
			}
			inner, problem := expand(value, depth+1)
			if problem != "" {
				return "", problem
			}
			b.WriteString(inner)
			text = rest
		}
		b.WriteString(text)
		if b.Len() > maxExpanded {
			return "", "the value is too long once its references are replaced"
		}
		return b.String(), ""
	}
	for _, p := range section.pairs {
		text, problem := expand(p.value.text, 0)
		if problem != "" {
			l.report.add(Error, p.value, "%s: %s", clip(p.key, 60), problem)
			continue
		}
		p.value.text = text
	}
}

// structured parses the values of options that hold lists and mappings, which a line of text can only hold as JSON or
// YAML.
func (l *loader) structured(section *node) {
	for i, p := range section.pairs {
		o, _ := catalogue().lookup(p.key)
		if p.value.text == "" {
			p.value.kind = nullNode
			continue
		}
		if o == nil || o.kind != kindList && o.kind != kindMap {
			continue
		}
		if n, problem := parseYAML(p.value.file, []byte(p.value.text)); problem == nil {
			n.file, n.line, n.column = p.value.file, p.value.line, p.value.column
			section.pairs[i].value = n
		}
	}
}

func withoutKeys(pairs []pair, names ...string) []pair {
	drop := wordSet(strings.Join(names, " "))
	out := pairs[:0]
	for _, p := range pairs {
		if !drop[p.key] {
			out = append(out, p)
		}
	}
	return out
}

// Settings of [server:NAME] beside host and port: those that have a meaning, and those that are about Paste's threads.
var (
	serverKeys      = wordSet(`use host port ssl_pem request_queue_size socket_timeout`)
	serverIdleKeys  = wordSet(`use_threadpool threadpool_workers threadpool_options threadpool_kill_thread_limit threadpool_max_requests threadpool_hung_thread_limit threadpool_hung_check_period threadpool_max_zombie_threads_before_die threadpool_dying_limit threadpool_spawn_if_under threadpool_kill_thread_limit threadpool_error_email daemon_threads ssl_context protocol_version server_version start_loop converters handler job_queue_workers webless workers threads`)
	serverKnownKeys = append(slices.Sorted(maps.Keys(serverKeys)), slices.Sorted(maps.Keys(serverIdleKeys))...)
)

// server reads one [server:NAME].
func (l *loader) server(s pair) (Server, bool) {
	name := strings.TrimPrefix(s.key, "server:")
	if !validServerName(name) {
		l.report.add(Error, s.at, "“%s” cannot be a server's name: use letters, digits, “.”, “_” and “-”", clip(name, 80))
		return Server{}, false
	}
	server := Server{Name: name, At: position(s.at)}
	in := gravityReader{report: l.report}
	var idle []string
	for _, p := range s.value.pairs {
		switch {
		case serverKeys[p.key]:
		case serverIdleKeys[p.key]:
			idle = append(idle, p.key)
		default:
			l.report.add(Warning, p.at, "server:%s: nobody knows the setting “%s”%s", name, clip(p.key, 80), didYouMean(p.key, serverKnownKeys))
		}
	}
	if len(idle) > 0 {
		slices.Sort(idle)
		l.report.add(Notice, s.at, "server:%s: accepted and without effect here, since a process serves as many requests at once as come: %s", name, strings.Join(slices.Compact(idle), ", "))
	}
	host := in.text(s.value.get("host"), "host", "127.0.0.1")
	port := 0
	if p := s.value.get("port"); p != nil && p.text != "" {
		port = in.count(p, "port", 0, 1, 65535)
		server.At = position(p)
	} else if base, number, ok := strings.Cut(host, ":"); ok && isDigits(number) && !strings.HasPrefix(host, "[") { // Paste takes HOST:PORT too
		at := *s.value.get("host")
		at.text = number
		host, port = base, in.count(&at, "host", 0, 1, 65535)
		server.At = position(&at)
	}
	if port == 0 && name == "main" {
		port = 8080
	}
	if port != 0 {
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		server.Bind = host + ":" + strconv.Itoa(port)
		one := Listener{Bind: server.Bind, Protocol: HTTP, Umask: -1, At: server.At}
		if pem := s.value.get("ssl_pem"); pem != nil && pem.text != "" {
			if pem.text == "*" {
				l.report.add(Error, pem, "server:%s: ssl_pem = *, a certificate that is made up at each start, is not served; name a file", name)
			}
			one.Protocol, one.CertFile, one.KeyFile = HTTPS, pem.text, pem.text
		}
		if queue := s.value.get("request_queue_size"); queue != nil && queue.text != "" {
			one.Backlog = in.count(queue, "request_queue_size", 0, 1, 1<<20)
		}
		if timeout := s.value.get("socket_timeout"); timeout != nil && timeout.text != "" {
			server.Limits.Timeout = in.count(timeout, "socket_timeout", 0, 0, 1<<30)
		}
		server.Listeners = []Listener{one}
	}
	return server, true
}

// prefixFilter takes the URL prefix that filter-with brings in, as Galaxy's older documentation sets it.
func (l *loader) prefixFilter(sections []pair, app *node) {
	filter := app.get("filter-with")
	if filter == nil || app.get("galaxy_url_prefix") != nil {
		return
	}
	for _, s := range sections {
		if s.key != "filter:"+filter.text || s.value.get("use") == nil {
			continue
		}
		prefix := s.value.get("prefix")
		if use := s.value.get("use").text; use == "egg:PasteDeploy#prefix" && prefix != nil && prefix.text != "" {
			app.pairs = append(app.pairs, pair{key: "galaxy_url_prefix", at: prefix, value: prefix})
		}
	}
}
