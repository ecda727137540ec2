package units

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Supervisord writes the services as programs and a group of supervisord, in the form that Galaxy's documents print.
func (s *Site) Supervisord() (File, error) {
	var b strings.Builder
	b.WriteString(s.head(";"))
	var programs []string
	for _, service := range s.Services {
		for _, p := range s.programs(service) {
			text, err := s.program(service, p)
			if err != nil {
				return File{}, err
			}
			b.WriteString(text + "\n")
			programs = append(programs, p.name)
		}
	}
	group := "galaxy"
	if s.Instance != "" {
		group = s.Instance
	}
	fmt.Fprintf(&b, "[group:%s]\nprograms = %s\n", group, strings.Join(programs, ", "))
	return File{Name: s.name("") + ".conf", Content: b.String()}, nil
}

// Main is a configuration for a supervisord of its own, which takes in the programs of a folder. The folder dir, relative
// to the file, gets its log, process id and socket.
func (s *Site) Main(include string) File {
	return File{Name: "supervisord.conf", Content: s.head(";") + `[unix_http_server]
file = %(here)s/supervisor.sock
chmod = 0700

[supervisord]
logfile = %(here)s/supervisord.log
pidfile = %(here)s/supervisord.pid
loglevel = info

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://%(here)s/supervisor.sock

[include]
files = ` + include + "\n"}
}

// program is one section [program:…] of supervisord.
type program struct {
	name string // in the section's head, so unique in all of supervisord
	// process is process_name, with a [number] in it when there are several.
	process      string
	first, count int
	own          string // what a [number] in the command stands for when there is one only
}

// programs are the sections that a service needs: one for each unbroken row of numbers, and one for each name.
func (s *Site) programs(service Service) (out []program) {
	prefix := ""
	if s.Instance != "" {
		prefix = s.Instance + "_"
	}
	for start := 0; start < len(service.Numbers); {
		end := start + 1
		for end < len(service.Numbers) && service.Numbers[end] == service.Numbers[end-1]+1 {
			end++
		}
		name := service.Name
		if start > 0 {
			name = fmt.Sprintf("%s_from_%d", service.Name, service.Numbers[start])
		}
		out = append(out, program{name: prefix + name, process: service.Prefix + number, first: service.Numbers[start], count: end - start})
		start = end
	}
	for _, name := range service.Names {
		out = append(out, program{name: prefix + name, process: name, count: 1, own: name})
	}
	if len(out) == 0 {
		out = []program{{name: prefix + service.Name, process: service.Name, count: 1}}
	}
	return out
}

func (s *Site) program(service Service, p program) (string, error) {
	words := slices.Clone(service.Args)
	environment, assignments, err := supervisordEnvironment(service.Environment)
	if err != nil {
		return "", fmt.Errorf("the environment of %s: %w", service.Name, err)
	}
	if len(assignments) > 0 {
		words = slices.Concat([]string{"/usr/bin/env"}, assignments, words)
	}
	for i, word := range words {
		if p.own != "" {
			word = strings.ReplaceAll(word, number, p.own)
		}
		words[i] = percent(shellWord(word))
	}
	out := filepath.Join(s.LogDir, p.process+".out")
	rows := [][2]string{{"command", strings.Join(words, " ")}, {"directory", percent(s.Root)}}
	if p.process != p.name {
		rows = append(rows, [2]string{"process_name", percent(p.process)})
	}
	rows = append(rows, [2]string{"numprocs", fmt.Sprint(p.count)})
	if p.first > 0 {
		rows = append(rows, [2]string{"numprocs_start", fmt.Sprint(p.first)})
	}
	if service.Umask >= 0 {
		rows = append(rows, [2]string{"umask", fmt.Sprintf("%03o", service.Umask)})
	}
	rows = append(rows, [][2]string{{"autostart", "true"}, {"autorestart", "true"}, {"startsecs", wholeSeconds(service.Start)},
		{"stopwaitsecs", wholeSeconds(service.Stop)}, {"stopsignal", signalName(service.StopSignal)}}...)
	switch {
	case service.AsRoot && s.User != "":
		// It binds ports below 1024 and then becomes that user by itself.
		rows = append(rows, [2]string{"user", "root"})
	case s.User != "":
		rows = append(rows, [2]string{"user", percent(s.User)})
	}
	if environment != "" {
		rows = append(rows, [2]string{"environment", environment})
	}
	rows = append(rows, [][2]string{{"redirect_stderr", "true"},
		// This one option is expanded twice.
		{"stdout_logfile", strings.ReplaceAll(strings.ReplaceAll(out, "%", "%%%%"), number, "%(process_num)s")}}...)
	var b strings.Builder
	fmt.Fprintf(&b, "[program:%s]\n", p.name)
	for _, row := range rows {
		if strings.ContainsAny(row[1], "\n\r\x00") || row[1] != strings.TrimSpace(row[1]) || strings.Contains(row[1], " ;") || strings.Contains(row[1], " #") {
			return "", fmt.Errorf("supervisord has no way to write %s = %q", row[0], row[1])
		}
		fmt.Fprintf(&b, "%-15s = %s\n", row[0], row[1])
	}
	return b.String(), nil
}

// supervisordEnvironment writes the variables as supervisord's environment=; those that it cannot hold are given as
// arguments to env instead.
func supervisordEnvironment(variables map[string]string) (environment string, assignments []string, err error) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		if !variableName(name) {
			return "", nil, fmt.Errorf("%q is no name of a variable", name)
		}
		if strings.ContainsAny(value, "\n\r\x00") {
			return "", nil, fmt.Errorf("the value of %s has several lines, which supervisord cannot read", name)
		}
		if quoted, ok := environmentValue(value); ok {
			parts = append(parts, name+"="+quoted)
		} else {
			assignments = append(assignments, name+"="+value)
		}
	}
	return strings.Join(parts, ","), assignments, nil
}

// variableName tells whether a name is one that every reader of unit files takes.
func variableName(name string) bool {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func wholeSeconds(d time.Duration) string { return fmt.Sprintf("%.0f", math.Ceil(d.Seconds())) }

func signalName(sig syscall.Signal) string {
	switch sig {
	case syscall.SIGINT:
		return "INT"
	case syscall.SIGQUIT:
		return "QUIT"
	default:
		return "TERM"
	}
}

// name is a file's or unit's name: galaxy, galaxy-web, galaxy-INSTANCE-web.
func (s *Site) name(service string) string {
	name := "galaxy"
	for _, part := range []string{s.Instance, service} {
		if part != "" {
			name += "-" + part
		}
	}
	return name
}
