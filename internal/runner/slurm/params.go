package slurm

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"orrery/internal/jobdir"
)

// The `load` lines of Galaxy's job configuration that this runner serves.
const (
	loadSlurm = "galaxy.jobs.runners.slurm:SlurmJobRunner"
	loadDRMAA = "galaxy.jobs.runners.drmaa:DRMAAJobRunner"
	loadCLI   = "galaxy.jobs.runners.cli:ShellJobRunner"
)

// Loads tells whether this runner serves a plugin with that `load` line. The class
// may be left out, as Galaxy allows it.
func Loads(load string) bool { return whole(load) != "" }

// whole gives a `load` line with its class; empty for one that is not served.
func whole(load string) string {
	for _, one := range []string{loadSlurm, loadDRMAA, loadCLI} {
		if module, _, _ := strings.Cut(one, ":"); load == one || load == module {
			return one
		}
	}
	return ""
}

// target is a Slurm, and the way to its commands.
type target struct {
	// way is a command that runs a line of shell elsewhere, such as ssh with its
	// arguments, separated by NUL; empty for this host.
	way string
	// cluster is for --clusters; empty for the one that the host belongs to.
	cluster string
}

// request is what a destination asks sbatch for.
type request struct {
	target
	args    []string
	comment string // of the administrator
}

// read makes a request of a destination's parameters.
func read(load string, params map[string]string, log *slog.Logger) (request, error) {
	for _, name := range []string{"drmaa_external_runjob_script", "drmaa_external_killjob_script"} {
		if params[name] != "" {
			return request{}, fmt.Errorf("the destination's %s is not supported: jobs are submitted with the server's own account", name)
		}
	}
	var q request
	var err error
	if load == loadCLI {
		q, err = readCLI(params, log)
	} else {
		// In Galaxy's order; submit_… is how the same is written for a job that is
		// handed on.
		for _, name := range []string{"nativeSpecification", "native_specification", "submit_native_specification"} {
			if spec, ok := params[name]; ok {
				if q.args, err = words(spec); err != nil {
					err = fmt.Errorf("the destination's %s %q: %w", name, spec, err)
				}
				break
			}
		}
	}
	if err != nil {
		return request{}, err
	}
	return q, q.tidy()
}

// shortened are the parameters that Galaxy's cli runner has names for.
var shortened = map[string]string{"time": "-t", "ncpus": "-c", "partition": "-p"}

func readCLI(params map[string]string, log *slog.Logger) (request, error) {
	var q request
	if plugin := params["job_plugin"]; plugin != "Slurm" {
		if plugin == "" {
			return q, fmt.Errorf("the destination has no parameter job_plugin; Slurm is the one that is served")
		}
		return q, fmt.Errorf("the destination's job_plugin %q is not served; Slurm is", plugin)
	}
	var names []string
	for name := range params {
		if strings.HasPrefix(name, "job_") && name != "job_plugin" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		option := strings.TrimPrefix(name, "job_")
		if !strings.HasPrefix(option, "-") {
			short, ok := shortened[option]
			if !ok {
				log.Warn("a parameter of a destination is not known and left out, as Galaxy does", "parameter", name,
					"known", "job_time, job_ncpus, job_partition, and any option of sbatch, as job_--mem")
				continue
			}
			option = short
		}
		value, err := words(params[name])
		if err != nil {
			return q, fmt.Errorf("the destination's %s %q: %w", name, params[name], err)
		}
		q.args = append(append(q.args, option), value...)
	}
	way, err := readShell(params)
	q.way = strings.Join(way, "\x00")
	return q, err
}

// readShell gives the command that runs a line of shell where Slurm's commands are.
func readShell(params map[string]string) ([]string, error) {
	get := func(name, otherwise string) string {
		if value := params["shell_"+name]; value != "" {
			return value
		}
		return otherwise
	}
	yes := func(value string) bool {
		return slices.Contains([]string{"true", "yes", "on", "1", "t", "y"}, strings.ToLower(value))
	}
	var way []string
	secure := true
	switch plugin := get("plugin", "LocalShell"); plugin {
	case "LocalShell":
		return nil, nil
	case "RemoteShell":
		way, secure = []string{get("rsh", "rsh")}, false
	case "SecureShell", "ParamikoShell":
		way = []string{get("rsh", "ssh")}
	case "GlobusSecureShell":
		way = []string{get("rsh", "gsissh")}
	default:
		return nil, fmt.Errorf("the destination's shell_plugin %q is not served; LocalShell, SecureShell, RemoteShell are", plugin)
	}
	if get("password", "") != "" {
		return nil, fmt.Errorf("the destination's shell_password is not supported: give it a key, by shell_private_key")
	}
	if secure {
		way = append(way, "-o", "BatchMode=yes", "-o", "ConnectTimeout=60")
		if !yes(get("strict_host_key_checking", "true")) {
			way = append(way, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
		}
		if key := get("private_key", ""); key != "" {
			way = append(way, "-i", key)
		}
		if port := get("port", ""); port != "" {
			way = append(way, "-p", port)
		}
	}
	if name := get("username", ""); name != "" {
		way = append(way, "-l", name)
	}
	host := get("hostname", "localhost")
	if strings.HasPrefix(host, "-") {
		return nil, fmt.Errorf("the destination's shell_hostname %q is none", host)
	}
	way = append(way, host)
	if slices.ContainsFunc(way, func(word string) bool { return strings.ContainsAny(word, "\x00\n") }) {
		return nil, fmt.Errorf("the destination's shell_… parameters hold a line break")
	}
	return way, nil
}

// tidy takes out of the arguments what this runner has to know, and refuses what
// would break it.
func (q *request) tidy() error {
	var kept []string
	for i := 0; i < len(q.args); i++ {
		word := q.args[i]
		name, value, attached := strings.Cut(word, "=")
		take := func() {
			if !attached && i+1 < len(q.args) {
				i++
				value = q.args[i]
			}
		}
		switch name {
		case "--comment":
			take()
			q.comment = value
			continue
		case "--clusters", "--cluster", "-M":
			take()
			q.cluster = value
			continue
		case "--array", "-a", "--wrap", "--wait", "-W", "--test-only", "--uid", "--gid", "--help", "-h", "--usage", "--version", "-V", ":":
			return fmt.Errorf("the destination's parameters hold %s, with which a job cannot be followed: leave it out", name)
		}
		if cluster, ok := strings.CutPrefix(word, "-M"); ok {
			q.cluster = cluster
			continue
		}
		kept = append(kept, word)
	}
	if strings.HasPrefix(q.cluster, "-") || strings.ContainsAny(q.cluster, " \x00\n") {
		return fmt.Errorf("the destination's parameters name a cluster %q", q.cluster)
	}
	q.args = kept
	return nil
}

// words splits a text as a shell would that knows only quotes and backslashes.
func words(text string) ([]string, error) {
	var all []string
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, c := range text {
		switch {
		case c == 0:
			return nil, fmt.Errorf("it holds a NUL byte")
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if begun {
		all = append(all, word.String())
	}
	return all, nil
}

// line is the command line of a command of Slurm's at a target.
func (t target) line(name string, args []string) []string {
	line := append([]string{name}, args...)
	if t.cluster != "" {
		line = append([]string{name, "--clusters=" + t.cluster}, args...)
	}
	if t.way == "" {
		return line
	}
	quoted := make([]string, len(line))
	for i, word := range line {
		quoted[i] = jobdir.Quote(word)
	}
	return append(strings.Split(t.way, "\x00"), strings.Join(quoted, " "))
}
