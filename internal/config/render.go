package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// isSecret tells whether an option's value must not be shown.
func isSecret(name string) bool {
	switch name {
	case "id_secret", "bootstrap_admin_api_key", "database_connection", "install_database_connection", "amqp_internal_connection",
		"celery_conf", "file_sources", "object_store_config", "inference_services":
		return true
	}
	if name == "key" || name == "password_expiration_period" {
		return name == "key"
	}
	for _, part := range []string{"password", "secret", "api_key", "token", "private_key", "access_key", "sentry_dsn", "apikey"} {
		if strings.Contains(strings.ToLower(name), part) {
			return true
		}
	}
	return false
}

// Render writes the effective configuration as YAML, each value with a comment that says where it comes from. Secrets
// are masked. With all set it also lists the options that have no effect yet and are at their defaults.
func (c *Config) Render(w io.Writer, all bool) error {
	out := &renderer{w: bufio.NewWriter(w)}
	out.line(0, "# The effective configuration. A comment says where a value is set; a value without one is the default.")
	if c.Path == "" {
		out.line(0, "# There is no galaxy.yml: everything has its default.")
	} else {
		out.line(0, "# Read from %s", c.Path)
	}
	out.line(0, "# Relative paths of options that Galaxy leaves open start from %s", c.Root)
	c.renderGravity(out)
	out.line(0, "galaxy:")
	names := slices.Clone(catalogue().names)
	for name := range c.origins {
		if catalogue().byName[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		_, set := c.origins[name]
		if name == "job_config" || !set && (!all && !acted[name] || c.values[name] == nil) {
			continue
		}
		value := yamlValue(c.values[name])
		switch {
		case name == "database_connection":
			value = yamlValue(c.Database.Redacted())
		case isSecret(name) && c.values[name] != nil && c.values[name] != DefaultIDSecret:
			value = "'***'"
		}
		var notes []string
		if set {
			notes = append(notes, c.origins[name])
		}
		if set && !isActed(name) {
			notes = append(notes, "no effect yet")
		}
		comment := ""
		if len(notes) > 0 {
			comment = "  # " + strings.Join(notes, "; ")
		}
		out.line(1, "%s: %s%s", name, value, comment)
	}
	c.renderJobs(out)
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

type renderer struct {
	w   *bufio.Writer
	err error
}

func (r *renderer) line(indent int, format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.w, strings.Repeat("  ", indent)+format+"\n", args...)
	}
}

func (c *Config) renderGravity(out *renderer) {
	if c.Edition == Edition1901 {
		c.renderUwsgi(out)
		return
	}
	g := c.Gravity
	out.line(0, "gravity:")
	set := func(indent int, name, value string) {
		if value != "" {
			out.line(indent, "%s: %s", name, yamlValue(value))
		}
	}
	limits := func(indent int, umask string, limit, high float64) {
		if umask != "" {
			out.line(indent, "umask: '%s'", umask)
		}
		if limit > 0 {
			out.line(indent, "memory_limit: %g", limit)
		}
		if high > 0 {
			out.line(indent, "memory_high: %g", high)
		}
	}
	out.line(1, "galaxy_root: %s", yamlValue(c.Root))
	out.line(1, "log_dir: %s", yamlValue(c.LogDir))
	set(1, "galaxy_user", g.GalaxyUser)
	set(1, "galaxy_group", g.GalaxyGroup)
	set(1, "virtualenv", g.Virtualenv)
	limits(1, g.Umask, g.MemoryLimit, g.MemoryHigh)
	if len(g.Gunicorn) == 0 {
		out.line(1, "gunicorn: {enable: false}")
	} else {
		out.line(1, "gunicorn:")
	}
	for _, web := range g.Gunicorn {
		out.line(2, "- bind: %s", yamlValue(web.Binds[0]))
		set(3, "extra_args", web.commandLine())
		set(3, "certfile", web.CertFile)
		set(3, "keyfile", web.KeyFile)
		out.line(3, "workers: %d", web.Workers)
		out.line(3, "timeout: %d", web.Timeout)
		out.line(3, "start_timeout: %d", web.StartTimeout)
		out.line(3, "stop_timeout: %d", web.StopTimeout)
		out.line(3, "restart_timeout: %d", web.RestartTimeout)
		limits(3, web.Umask, web.MemoryLimit, web.MemoryHigh)
		renderEnvironment(out, 3, web.Environment)
	}
	if len(g.Handlers) > 0 {
		out.line(1, "handlers:")
	}
	for _, h := range g.Handlers {
		out.line(2, "%s:  # %s", yamlValue(h.Name), strings.Join(h.ProcessNames(g.InstanceName), " "))
		out.line(3, "processes: %d", h.Processes)
		out.line(3, "pools: %s", yamlValue(h.Pools))
		set(3, "name_template", h.NameTemplate)
		set(3, "server_name", h.ServerName)
		out.line(3, "start_timeout: %d", h.StartTimeout)
		out.line(3, "stop_timeout: %d", h.StopTimeout)
		limits(3, h.Umask, h.MemoryLimit, h.MemoryHigh)
		renderEnvironment(out, 3, h.Environment)
	}
}

// commandLine writes what extra_args says beside the first address.
func (g Gunicorn) commandLine() string {
	var words []string
	add := func(option, value string) {
		if value != "" {
			words = append(words, option, quoteWord(value))
		}
	}
	number := func(option string, n int, format string) {
		if n != 0 {
			add(option, fmt.Sprintf(format, n))
		}
	}
	for _, bind := range g.Binds[1:] {
		add("--bind", bind)
	}
	if g.uwsgi {
		add("--protocol", "uwsgi")
	}
	number("--umask", g.SocketUmask, "%03o")
	number("--backlog", g.Backlog, "%d")
	number("--keep-alive", g.Limits.KeepAlive, "%d")
	number("--limit-request-line", g.Limits.Line, "%d")
	number("--limit-request-fields", g.Limits.Fields, "%d")
	number("--limit-request-field_size", g.Limits.FieldSize, "%d")
	add("--forwarded-allow-ips", strings.Join(g.Limits.ForwardedAllowIPs, ","))
	add("--access-logfile", g.Limits.AccessLog)
	add("--error-logfile", g.ErrorLog)
	add("--pid", g.PIDFile)
	add("--user", g.User)
	add("--group", g.Group)
	add("--chdir", g.Chdir)
	return strings.Join(words, " ")
}

// quoteWord writes a word so that a shell, and splitWords, reads it again.
func quoteWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@+=[]") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// renderEnvironment writes variables, without the values of those that hold secrets.
func renderEnvironment(out *renderer, indent int, environment map[string]string) {
	if len(environment) == 0 {
		return
	}
	out.line(indent, "environment:")
	for _, name := range sortedKeys(environment) {
		value := yamlValue(environment[name])
		if isSecret(name) || strings.Contains(environment[name], "://") && strings.Contains(environment[name], "@") {
			value = "'***'"
		}
		out.line(indent+1, "%s: %s", yamlValue(name), value)
	}
}

// renderUwsgi writes what is understood of the uwsgi section, as comments, since it is no YAML.
func (c *Config) renderUwsgi(out *renderer) {
	u := c.Uwsgi
	out.line(0, "# Logs are in %s", c.LogDir)
	if !u.Present {
		return
	}
	out.line(0, "# The uwsgi section as it is understood, in full:")
	line := func(name, value string) {
		if value != "" {
			out.line(0, "#   %s: %s", name, strings.NewReplacer("\n", " ", "\r", " ").Replace(value))
		}
	}
	line("processes", strconv.Itoa(u.Processes))
	for _, l := range u.Listeners {
		option := map[Protocol]string{HTTP: "http", HTTPS: "https", UWSGI: "socket", Redirect: "http-to-https"}[l.Protocol]
		value := l.Bind
		if l.Protocol == HTTPS {
			value += "," + l.CertFile + "," + l.KeyFile
		}
		line(option, value)
	}
	for _, l := range u.Stats {
		line("stats", l.Bind)
	}
	for _, pool := range u.ZergPools {
		var binds []string
		for _, l := range pool.Addresses {
			binds = append(binds, l.Bind)
		}
		line("zerg-pool", pool.Path+":"+strings.Join(binds, ","))
	}
	for _, path := range u.Zerg {
		line("zerg", path)
	}
	line("protocol", string(u.ZergProtocol))
	line("uid", u.User)
	line("gid", u.Group)
	line("umask", u.Umask)
	line("chdir", u.Chdir)
	for _, m := range u.StaticMaps {
		line("static-map", m.Mount+"="+m.Dir)
	}
	for _, mule := range u.Mules {
		line("mule", mule)
	}
	for _, f := range u.Farms {
		var numbers []string
		for _, n := range f.Mules {
			numbers = append(numbers, strconv.Itoa(n))
		}
		line("farm", f.Name+":"+strings.Join(numbers, ","))
	}
	line("worker-reload-mercy", strconv.Itoa(u.WorkerMercy))
	line("mule-reload-mercy", strconv.Itoa(u.MuleMercy))
	if u.DieOnTerm {
		line("die-on-term", "true")
	}
	for _, hook := range u.MasterHooks {
		line("hook-master-start", fmt.Sprintf("unix_signal:%d %s", hook.Signal, hook.Action))
	}
	for _, file := range []struct{ name, path string }{{"logto", u.LogTo}, {"logto2", u.LogTo2}, {"daemonize", u.Daemonize}, {"daemonize2", u.Daemonize2},
		{"pidfile", u.PIDFile}, {"pidfile2", u.PIDFile2}} {
		line(file.name, file.path)
	}
	if u.MemoryLimit > 0 {
		line("reload-on-rss", strconv.Itoa(int(u.MemoryLimit*1024)))
	}
}

func (c *Config) renderJobs(out *renderer) {
	j := c.Jobs
	if j == nil {
		return
	}
	switch j.Source {
	case "":
		out.line(0, "# The job configuration is the default: there is no job_conf.yml.")
	case "inline":
		out.line(0, "# The job configuration is job_config in galaxy.yml.")
	default:
		out.line(0, "# The job configuration is read from %s", j.Source)
	}
	out.line(0, "job_config:")
	out.line(1, "runners:")
	for _, r := range j.Runners {
		out.line(2, "%s: {load: %s, workers: %d%s}", yamlValue(r.ID), yamlValue(r.Load), r.Workers, masked(r.Params))
	}
	out.line(1, "handling:")
	if len(j.Handling.Assign) > 0 {
		out.line(2, "assign: [%s]", strings.Join(j.Handling.Assign, ", "))
	}
	if j.Handling.Default != "" {
		out.line(2, "default: %s", yamlValue(j.Handling.Default))
	}
	if j.Handling.MaxGrab > 0 {
		out.line(2, "max_grab: %d", j.Handling.MaxGrab)
	}
	out.line(2, "ready_window_size: %d", j.Handling.ReadyWindowSize)
	if len(j.Handling.Handlers) > 0 {
		out.line(2, "processes:")
		for _, h := range j.Handling.Handlers {
			out.line(3, "%s: {tags: %s, plugins: %s}", yamlValue(h.ID), yamlValue(h.Tags), yamlValue(h.Plugins))
		}
	}
	out.line(1, "execution:")
	out.line(2, "default: %s", yamlValue(j.DefaultDestination))
	out.line(2, "environments:")
	for _, d := range j.Destinations {
		tags := ""
		if len(d.Tags) > 0 {
			tags = ", tags: " + yamlValue(d.Tags)
		}
		out.line(3, "%s: {runner: %s%s%s}", yamlValue(d.ID), yamlValue(d.Runner), tags, masked(d.Params))
	}
	if len(j.Tools) > 0 {
		out.line(1, "tools:")
	}
	for _, t := range j.Tools {
		fields := []string{"id: " + yamlValue(t.ID)}
		if t.Class != "" {
			fields[0] = "class: " + yamlValue(t.Class)
		}
		for _, f := range [][2]string{{"handler", t.Handler}, {"environment", t.Destination}, {"resources", t.Resources}} {
			if f[1] != "" {
				fields = append(fields, f[0]+": "+yamlValue(f[1]))
			}
		}
		out.line(2, "- {%s%s}", strings.Join(fields, ", "), masked(t.Params))
	}
}

// masked renders parameters behind others in a flow mapping, without secrets. A URL may carry a password, so of one
// with an “@” only the tail is shown.
func masked(params map[string]any) string {
	var b strings.Builder
	for _, name := range sortedKeys(params) {
		value := yamlValue(params[name])
		if s, ok := params[name].(string); isSecret(name) || ok && strings.Contains(s, "://") && strings.Contains(s, "@") {
			value = "'***'"
		}
		b.WriteString(", " + yamlValue(name) + ": " + value)
	}
	return b.String()
}

// yamlValue renders a value on one line; JSON is YAML too.
func yamlValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if bare(v) {
			return v
		}
		return jsonText(v)
	case bool:
		return strconv.FormatBool(v)
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = yamlValue(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return jsonText(v)
	}
}

func jsonText(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return strconv.Quote(fmt.Sprint(v))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// bare tells whether a text means itself in YAML without quotes.
func bare(s string) bool {
	n := node{kind: scalarNode, plain: true, text: s}
	if _, isText := n.scalar().(string); !isText || s == "" || strings.EqualFold(s, "null") || s == "~" {
		return false
	}
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9') && !strings.ContainsRune(".-@+", c)) {
			return false
		}
	}
	return true
}
