package config

import (
	"encoding/json"
	"slices"
	"strings"
)

// GunicornArgsVariable is the environment variable by which `orrery web` hands Gunicorn's options from its command line
// to every process that reads the configuration: a list of words in JSON. They win over the file's.
const GunicornArgsVariable = "ORRERY_GUNICORN_ARGS"

// ArgsValue writes a command line for [GunicornArgsVariable] and [UwsgiArgsVariable].
func ArgsValue(words []string) string {
	data, err := json.Marshal(append([]string{}, words...))
	if err != nil {
		return "[]" // texts can always be written
	}
	return string(data)
}

// GunicornOption is one option of gunicorn's command line.
type GunicornOption struct {
	Name  string // without the dashes
	Also  string // another name, "" for none; one letter is written with one dash
	Value string // what its value is called; "" for a switch, and in brackets where it may be left out
	// Without says why the option has no effect here; "" when it has one.
	Without string
}

// Why options have no effect.
const (
	forPython  = "this is about Python’s processes and threads"
	otherwise  = "this is done in another way here"
	alwaysSafe = "HTTP and TLS are as strict as they can be here"
	useGalaxy  = "galaxy.yml says this"
)

// gunicornOptions are those of Gunicorn 20 to 27, by name.
var gunicornOptions = []GunicornOption{
	{"access-logfile", "", "FILE", ""},
	{"access-logformat", "", "STRING", "a line of the access log has a form of its own"},
	{"asgi-disconnect-grace-period", "", "INT", forPython},
	{"asgi-lifespan", "", "STRING", forPython},
	{"asgi-loop", "", "STRING", forPython},
	{"backlog", "", "INT", ""},
	{"bind", "b", "ADDRESS", ""},
	{"ca-certs", "", "FILE", ""},
	{"capture-output", "", "", "what a process prints is in its log anyway"},
	{"casefold-http-method", "", "", alwaysSafe},
	{"cert-reqs", "", "CERT_REQS", ""},
	{"certfile", "", "FILE", ""},
	{"chdir", "", "DIR", ""},
	{"check-config", "", "", "“orrery config check” does this"},
	{"ciphers", "", "CIPHERS", alwaysSafe},
	{"config", "c", "CONFIG", "a configuration file of Gunicorn’s is a Python program; write what it sets into galaxy.yml"},
	{"control-socket", "", "PATH", otherwise},
	{"control-socket-mode", "", "INT", otherwise},
	{"daemon", "D", "", "“run.sh --daemon” and “orrery start” do this"},
	{"dirty-app", "", "STRING", forPython},
	{"dirty-graceful-timeout", "", "INT", forPython},
	{"dirty-threads", "", "INT", forPython},
	{"dirty-timeout", "", "INT", forPython},
	{"dirty-workers", "", "INT", forPython},
	{"disable-redirect-access-to-syslog", "", "", otherwise},
	{"do-handshake-on-connect", "", "", otherwise},
	{"dogstatsd-tags", "", "TAGS", "the admin listener has the metrics"},
	{"enable-backlog-metric", "", "", "the admin listener has the metrics"},
	{"enable-stdio-inheritance", "R", "", forPython},
	{"env", "e", "ENV", ""},
	{"error-logfile", "log-file", "FILE", ""},
	{"forwarded-allow-ips", "", "STRING", ""},
	{"forwarder-headers", "", "STRING", "nothing is taken from SCRIPT_NAME and PATH_INFO; galaxy_url_prefix is the prefix"},
	{"graceful-timeout", "", "INT", ""},
	{"group", "g", "GROUP", ""},
	{"header-map", "", "STRING", alwaysSafe},
	{"http-parser", "", "STRING", forPython},
	{"http-protocols", "", "STRING", otherwise},
	{"http2-cleartext", "", "STRING", otherwise},
	{"http2-initial-window-size", "", "INT", otherwise},
	{"http2-max-concurrent-streams", "", "INT", otherwise},
	{"http2-max-frame-size", "", "INT", otherwise},
	{"http2-max-header-list-size", "", "INT", otherwise},
	{"initgroups", "", "", "the user’s groups are always set"},
	{"keep-alive", "", "INT", ""},
	{"keyfile", "", "FILE", ""},
	{"limit-request-field_size", "", "INT", ""},
	{"limit-request-fields", "", "INT", ""},
	{"limit-request-line", "", "INT", ""},
	{"log-config", "", "FILE", useGalaxy},
	{"log-config-json", "", "FILE", useGalaxy},
	{"log-level", "", "LEVEL", "log_level in the galaxy section holds"},
	{"log-syslog", "", "", otherwise},
	{"log-syslog-facility", "", "FACILITY", otherwise},
	{"log-syslog-prefix", "", "PREFIX", otherwise},
	{"log-syslog-to", "", "ADDRESS", otherwise},
	{"logger-class", "", "STRING", forPython},
	{"max-requests", "", "INT", "processes do not grow with requests; memory_limit replaces one that does"},
	{"max-requests-jitter", "", "INT", "processes do not grow with requests; memory_limit replaces one that does"},
	{"name", "n", "STRING", otherwise},
	{"no-control-socket", "", "", otherwise},
	{"no-sendfile", "", "", otherwise},
	{"paste", "paster", "STRING", forPython},
	{"paste-global", "", "CONF", forPython},
	{"permit-obsolete-folding", "", "", alwaysSafe},
	{"permit-unconventional-http-method", "", "", alwaysSafe},
	{"permit-unconventional-http-version", "", "", alwaysSafe},
	{"pid", "p", "FILE", ""},
	{"preload", "", "", forPython},
	{"print-config", "", "", "“orrery config check” does this"},
	{"protocol", "", "STRING", ""},
	{"proxy-allow-from", "", "STRING", "the PROXY protocol is not spoken"},
	{"proxy-protocol", "", "[MODE]", ""},
	{"pythonpath", "", "STRING", forPython},
	{"reload", "", "", "“orrery update” takes changed files"},
	{"reload-engine", "", "STRING", "“orrery update” takes changed files"},
	{"reload-extra-file", "", "FILES", "“orrery update” takes changed files"},
	{"reuse-port", "", "", "all workers share one socket"},
	{"root-path", "", "STRING", "galaxy_url_prefix is the prefix"},
	{"spew", "", "", forPython},
	{"ssl-version", "", "VERSION", alwaysSafe},
	{"statsd-host", "", "ADDRESS", "the admin listener has the metrics"},
	{"statsd-prefix", "", "PREFIX", "the admin listener has the metrics"},
	{"strip-header-spaces", "", "", alwaysSafe},
	{"suppress-ragged-eofs", "", "", otherwise},
	{"threads", "", "INT", forPython},
	{"timeout", "t", "INT", ""},
	{"umask", "m", "INT", ""},
	{"user", "u", "USER", ""},
	{"uwsgi-allow-from", "", "STRING", "a socket’s mode and address say who may connect"},
	{"websocket-max-message-size", "", "INT", otherwise},
	{"worker-class", "k", "STRING", forPython},
	{"worker-connections", "", "INT", forPython},
	{"worker-tmp-dir", "", "DIR", forPython},
	{"workers", "w", "INT", ""},
}

// GunicornOptions are the options of gunicorn's command line, by name, for help and completion.
func GunicornOptions() []GunicornOption { return slices.Clone(gunicornOptions) }

// findGunicornOption finds an option by its name, or by the beginning of one name only, as argparse does.
func findGunicornOption(name string) (GunicornOption, bool) {
	var begins []GunicornOption
	for _, o := range gunicornOptions {
		if o.Name == name || o.Also == name && len(name) > 1 {
			return o, true
		}
		if len(name) > 1 && (strings.HasPrefix(o.Name, name) || len(o.Also) > 1 && strings.HasPrefix(o.Also, name)) {
			begins = append(begins, o)
		}
	}
	if len(begins) == 1 {
		return begins[0], true
	}
	return GunicornOption{}, false
}

// gunicornName renders an option's name as it is written.
func gunicornName(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// gunicornArg is one option of a command line, with its value.
type gunicornArg struct {
	option GunicornOption
	value  string
}

// parseGunicornArgs reads a command line as argparse does: --name value, --name=value, -n value, -nvalue and switches that
// stand together. What it does not know, or cannot read, is told with one of the two functions.
func parseGunicornArgs(words []string, unknown func(word string), fail func(format string, args ...any)) (out []gunicornArg) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		next := func() (string, bool) {
			if i+1 >= len(words) {
				return "", false
			}
			i++
			return words[i], true
		}
		if !strings.HasPrefix(word, "-") || word == "-" || word == "--" {
			unknown(word)
			continue
		}
		if name, long := strings.CutPrefix(word, "--"); long {
			name, value, joined := strings.Cut(name, "=")
			o, ok := findGunicornOption(name)
			switch {
			case !ok:
				unknown("--" + name)
				if !joined && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
					i++ // most options have a value
				}
				continue
			case o.Value == "" && joined:
				fail("--%s takes no value", o.Name)
				continue
			case o.Value == "" || joined:
			case o.Value[0] == '[':
				if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
					value, _ = next()
				}
			default:
				if value, ok = next(); !ok {
					fail("--%s needs a value after it", o.Name)
					return out
				}
			}
			out = append(out, gunicornArg{o, value})
			continue
		}
		for rest := word[1:]; rest != ""; {
			letter := rest[:1]
			rest = rest[1:]
			at := slices.IndexFunc(gunicornOptions, func(o GunicornOption) bool { return o.Also == letter })
			if at < 0 {
				unknown("-" + letter)
				break
			}
			o := gunicornOptions[at]
			if o.Value == "" {
				out = append(out, gunicornArg{o, ""})
				continue
			}
			value := strings.TrimPrefix(rest, "=")
			if rest == "" {
				var ok bool
				if value, ok = next(); !ok {
					fail("-%s needs a value after it", letter)
					return out
				}
			}
			out = append(out, gunicornArg{o, value})
			break
		}
	}
	return out
}

// gunicornArgs takes from gunicorn's command line what has a meaning here. replace tells that binds replace those of the
// file instead of adding to them. at is where the line is written.
func (in gravityReader) gunicornArgs(words []string, at *node, what string, replace bool, g *Gunicorn) {
	fail := func(format string, args ...any) {
		in.report.add(Error, at, "%s: "+format, append([]any{what}, args...)...)
	}
	names := make([]string, 0, 2*len(gunicornOptions))
	for _, o := range gunicornOptions {
		names = append(names, "--"+o.Name)
		if len(o.Also) > 1 {
			names = append(names, "--"+o.Also)
		}
	}
	args := parseGunicornArgs(words, func(word string) {
		if !strings.HasPrefix(word, "-") {
			in.report.add(Warning, at, "%s: “%s” belongs to no option", what, clip(word, 80))
			return
		}
		in.report.add(Warning, at, "%s: gunicorn has no option %s%s", what, clip(word, 80), didYouMean(word, names))
	}, fail)
	without := map[string][]string{} // by reason
	var reasons []string
	for _, arg := range args {
		name, value := arg.option.Name, arg.value
		scalar := *at
		scalar.kind, scalar.text, scalar.plain = scalarNode, value, true
		whole := func(def, lowest int) int { return in.count(&scalar, what+": --"+name, def, lowest, 1<<30) }
		if why := arg.option.Without; why != "" {
			if without[why] == nil {
				reasons = append(reasons, why)
			}
			said := gunicornName(name)
			if value != "" {
				said += " " + clip(value, 60)
			}
			without[why] = append(without[why], said)
			g.ExtraArgs = append(g.ExtraArgs, said)
			continue
		}
		switch name {
		case "bind":
			if replace {
				g.Binds, g.BindAt, replace = nil, "", false
			}
			g.Binds = append(g.Binds, value)
		case "workers":
			g.Workers, g.WorkersSet = in.count(&scalar, what+": --workers", g.Workers, 1, maxProcesses), true
		case "timeout":
			g.Timeout = whole(g.Timeout, 0)
		case "graceful-timeout":
			g.gracefulTimeout = whole(0, 0)
			g.gracefulTimeoutSet = true
		case "backlog":
			g.Backlog = whole(0, 1)
		case "keep-alive":
			g.Limits.KeepAlive = whole(0, 0)
		case "limit-request-line":
			g.Limits.Line = whole(0, 0)
		case "limit-request-fields":
			g.Limits.Fields = whole(0, 0)
		case "limit-request-field_size":
			g.Limits.FieldSize = whole(0, 0)
		case "forwarded-allow-ips":
			g.Limits.ForwardedAllowIPs = asList(value)
		case "proxy-protocol":
			switch strings.ToLower(value) {
			case "off", "false", "0":
			default:
				fail("--proxy-protocol: the PROXY protocol is not spoken; let the proxy send X-Forwarded-For and name it in --forwarded-allow-ips")
			}
		case "access-logfile":
			g.Limits.AccessLog = value
		case "error-logfile":
			g.ErrorLog = value
		case "pid":
			g.PIDFile = value
		case "umask":
			if n, ok := octal(value); ok && n <= 0o777 {
				g.SocketUmask = n
			} else {
				fail("--umask takes octal digits such as 007, not %q", clip(value, 40))
			}
		case "user":
			g.User = value
		case "group":
			g.Group = value
		case "chdir":
			g.Chdir = value
		case "keyfile":
			g.KeyFile = value
		case "certfile":
			g.CertFile = value
		case "ca-certs":
			// It says whom client certificates come from, and is for nothing if none are asked for.
		case "cert-reqs":
			if value != "0" && value != "CERT_NONE" {
				fail("--cert-reqs %s: client certificates are not checked by this server, so it does not start as if they were; let the proxy check them", clip(value, 40))
			}
		case "protocol":
			switch strings.ToLower(value) {
			case "http":
				g.uwsgi = false
			case "uwsgi":
				g.uwsgi = true
			default:
				fail("--protocol is http or uwsgi, not %q", clip(value, 40))
			}
		case "env":
			variable, text, ok := strings.Cut(value, "=")
			switch {
			case !ok || variable == "" || strings.ContainsRune(value, 0):
				fail("--env takes NAME=VALUE, not %q", clip(value, 60))
			case variable == "SCRIPT_NAME":
				in.report.add(Warning, at, "%s: --env SCRIPT_NAME=%s has no effect; galaxy_url_prefix in the galaxy section is the prefix", what, clip(text, 60))
			default:
				g.Environment[variable] = text
			}
		}
	}
	var said []string
	for _, why := range reasons {
		said = append(said, strings.Join(without[why], ", ")+" ("+why+")")
	}
	if len(said) > 0 {
		in.report.add(Notice, at, "%s: accepted and without effect here: %s", what, clip(strings.Join(said, "; "), 2000))
	}
}

// octal reads a mode or a umask as gunicorn and uWSGI do.
func octal(s string) (int, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "0o")
	if s == "" || len(s) > 5 || strings.Trim(s, "01234567") != "" {
		return 0, false
	}
	n := 0
	for _, c := range s {
		n = n*8 + int(c-'0')
	}
	return n, n <= 0o7777
}

// wordsOf reads a variable that [ArgsValue] wrote.
func (l *loader) wordsOf(variable string) []string {
	value := l.env[variable]
	if value == "" {
		return nil
	}
	var words []string
	if err := json.Unmarshal([]byte(value), &words); err != nil {
		l.report.add(Error, textNode("environment variable "+variable, value), "this is no list of words in JSON: %v", err)
	}
	return words
}

// commandLine names what options of a command line come from, for messages.
func commandLine() *node { return &node{kind: scalarNode, plain: true, file: "command line"} }

// gunicornCommandLine puts the options of `orrery web` over the file's.
func (l *loader) gunicornCommandLine() {
	words := l.wordsOf(GunicornArgsVariable)
	if len(words) == 0 {
		return
	}
	c := l.config
	in := gravityReader{report: l.report}
	if c.Edition == Edition1901 {
		if !c.Uwsgi.Present {
			// They serve in place of [server:main], as a uwsgi section would.
			c.Uwsgi = Uwsgi{Present: true, Processes: 1, WorkerMercy: 65, MuleMercy: 65, DieOnTerm: true}
			for _, s := range c.Servers {
				if s.Name == "main" {
					c.Uwsgi.Listeners, c.Uwsgi.Limits = s.Listeners, s.Limits
				}
			}
			if len(c.Uwsgi.Listeners) == 0 {
				c.Uwsgi.Listeners = []Listener{{Bind: "127.0.0.1:8080", Protocol: HTTP, Umask: -1}}
			}
		}
		g := Gunicorn{Binds: c.Uwsgi.Binds, BindAt: c.Uwsgi.BindAt, Workers: c.Uwsgi.Processes, StopTimeout: c.Uwsgi.WorkerMercy,
			Limits: c.Uwsgi.Limits, Timeout: c.Uwsgi.Limits.Timeout, Environment: map[string]string{}}
		in.gunicornArgs(words, commandLine(), "gunicorn", true, &g)
		replaced := slices.ContainsFunc(words, func(w string) bool {
			return strings.HasPrefix(w, "-b") || strings.HasPrefix(w, "--b") && !strings.HasPrefix(w, "--ba")
		})
		l.uwsgiFromGunicorn(g, replaced)
		return
	}
	if len(c.Gravity.Gunicorn) == 0 {
		c.Gravity.Gunicorn = []Gunicorn{defaultGunicorn()} // it is asked for by name
	}
	for i := range c.Gravity.Gunicorn {
		if i == 1 {
			in.report = &report{} // said once
		}
		in.gunicornArgs(words, commandLine(), "gunicorn", true, &c.Gravity.Gunicorn[i])
	}
}
