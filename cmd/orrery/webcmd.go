package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orrery/internal/config"
	"orrery/internal/deployment"
)

// gunicornFlag is an option of Gunicorn's. What is given goes into words as
// Gunicorn would read it; the configuration reads it from there.
type gunicornFlag struct {
	option config.GunicornOption
	words  *[]string
}

func (g *gunicornFlag) String() string { return "" }

// Set takes a value. An option without one is told "true" by parse.
func (g *gunicornFlag) Set(value string) error {
	word := "--" + g.option.Name
	switch {
	case !g.IsBoolFlag():
		word += "=" + value
	case value == "true":
	case g.option.Value == "":
		return errors.New("it takes no value")
	default: // in brackets: it may be left out
		word += "=" + value
	}
	*g.words = append(*g.words, word)
	return nil
}

// IsBoolFlag tells whether it may stand without a value.
func (g *gunicornFlag) IsBoolFlag() bool { return g.option.Value == "" || g.option.Value[0] == '[' }

// Placeholder is what stands for its value in help.
func (g *gunicornFlag) Placeholder() string { return g.option.Value }

// runWebCommand is `orrery web`: web workers alone, in the foreground, with
// Gunicorn's command line.
func runWebCommand(args []string) error {
	fs := newFlags("web")
	var path, galaxy string
	var words []string
	fs.StringVar(&path, "c", "", "`FILE` is the configuration (default: $GALAXY_CONFIG_FILE, else the first of those under FILES); a configuration of Gunicorn's own, which is Python (python:MODULE, FILE.py), is accepted and has no effect")
	fs.StringVar(&path, "config", "", "the same as -c")
	fs.StringVar(&galaxy, "config-file", "", "`FILE` is the configuration")
	for _, o := range config.GunicornOptions() {
		if o.Name == "config" {
			continue
		}
		f := &gunicornFlag{o, &words}
		usage := gunicornAbout[o.Name]
		switch {
		case o.Without != "":
			usage = "without effect: " + o.Without
		case usage == "":
			usage = "as in Gunicorn"
		}
		fs.Var(f, o.Name, usage)
		if o.Also != "" {
			fs.Var(f, o.Also, "the same as --"+o.Name)
		}
	}
	extra, err := splitCommand(os.Getenv("GUNICORN_CMD_ARGS"))
	if err != nil {
		return usageError("$GUNICORN_CMD_ARGS: %v", err)
	}
	rest, err := parseWords(fs, slices.Concat(extra, args), 1) // the one is the application, such as galaxy.webapps.galaxy.fast_factory:factory()
	if err != nil {
		return err
	}
	if len(rest) == 1 && !isApplication(rest[0]) {
		return usageError("what is %q for? Gunicorn takes the name of an application there, such as galaxy.webapps.galaxy.fast_factory:factory()", rest[0])
	}
	if isPython(path) {
		words, path = append(words, "--config="+path), ""
	}
	if galaxy != "" {
		path = galaxy
	}
	if path, err = absolute(path); err != nil {
		return err
	}
	// They are among the words now, and would be read again by whatever starts
	// with these arguments.
	if err := os.Unsetenv("GUNICORN_CMD_ARGS"); err != nil {
		return err
	}
	o := runOptions{Name: "web", Scope: deployment.ScopeWeb, Args: append([]string{"web"}, configArgs(path)...)}
	words, check, err := o.takeGunicorn(words)
	if err != nil {
		return err
	}
	o.Args = append(o.Args, words...)
	if err := os.Setenv(config.GunicornArgsVariable, config.ArgsValue(words)); err != nil {
		return err
	}
	o.Load = loader(path)
	if check {
		return checkConfig(configArgs(path))
	}
	return superviseServer(o)
}

// gunicornAbout says in short what the options do that have an effect here.
var gunicornAbout = map[string]string{
	"bind": "HOST, HOST:PORT, unix:PATH or fd://N to listen on (repeatable)", "workers": "how many web workers", "timeout": "seconds that a request may be silent; 0 is no limit",
	"graceful-timeout": "seconds from the signal to stop to the end", "keep-alive": "seconds to wait for the next request on a connection",
	"certfile": "the certificates of HTTPS, PEM; a changed file is read without a restart", "keyfile": "the key of HTTPS, PEM", "umask": "octal, for sockets and files",
	"user": "whom a server that is started as root serves as", "group": "the same for the group", "pid": "gets the supervisor's process id",
	"daemon": "go into the background", "chdir": "the folder that relative paths start from", "env": "NAME=VALUE for the processes (repeatable)",
	"forwarded-allow-ips": "proxies whose X-Forwarded headers are believed, with commas between; * is all", "access-logfile": "the access log; - is standard output",
	"error-logfile": "what the supervisor logs; - is standard error", "check-config": "check the configuration and end", "print-config": "check the configuration, print it and end",
	"limit-request-line": "bytes", "limit-request-fields": "how many headers", "limit-request-field_size": "bytes",
}

// takeGunicorn takes out of Gunicorn's options those that are this command's
// own matter and not the configuration's. The supervisor starts the program by
// o.Args again, from the folder that it is in then.
func (o *runOptions) takeGunicorn(words []string) (rest []string, check bool, err error) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "--pid":
			o.PIDFile, err = absolute(value)
			o.Args = append(o.Args, "--pid="+o.PIDFile)
		case "--error-logfile":
			if value != "-" {
				o.LogFile, err = absolute(value)
				o.Args = append(o.Args, "--error-logfile="+o.LogFile)
			}
		case "--daemon":
			o.Daemon = true
		case "--check-config", "--print-config":
			check = true
		case "--chdir":
			err = os.Chdir(value)
		default:
			rest = append(rest, word)
		}
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", word, err)
		}
	}
	return rest, check, nil
}

// isApplication tells a WSGI or ASGI application's name: MODULE, MODULE:NAME or
// MODULE:CALL().
func isApplication(word string) bool {
	module, _, _ := strings.Cut(word, ":")
	return module != "" && strings.Trim(module, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" && filepath.Ext(word) != ".yml"
}

// splitCommand takes a command line apart at its spaces, as a shell does with
// quotes; it expands nothing.
func splitCommand(line string) (words []string, err error) {
	var word strings.Builder
	started, quote := false, byte(0)
	escaped := false
	for _, b := range []byte(line) { // what matters is ASCII; the rest is kept as it is
		switch {
		case escaped:
			word.WriteByte(b)
			escaped = false
		case b == '\\' && quote != '\'':
			started, escaped = true, true
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(b)
		case b == '\'' || b == '"':
			started, quote = true, b
		case b == ' ' || b == '\t' || b == '\n':
			if started {
				words = append(words, word.String())
				word.Reset()
				started = false
			}
		default:
			started = true
			word.WriteByte(b)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}

// isPython tells whether a configuration is Gunicorn's.
func isPython(path string) bool {
	return strings.HasPrefix(path, "python:") || strings.HasSuffix(path, ".py")
}

var _ flag.Value = (*gunicornFlag)(nil)
