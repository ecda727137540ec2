package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// UwsgiArgsVariable is the environment variable by which the options of uWSGI's command line reach every process that
// reads the configuration: a list of words NAME=VALUE in JSON (see [ArgsValue]). They are read as if they stood below
// those of the file: one that is given once in a section wins, one that may be repeated is one more.
const UwsgiArgsVariable = "ORRERY_UWSGI_ARGS"

// UwsgiArgs is a command line of uWSGI's.
type UwsgiArgs struct {
	// File is what --yaml, --ini or a word of its own names; "" when nothing does.
	File string
	// Options are the others, as NAME=VALUE, in their order: for [UwsgiArgsVariable].
	Options []string
	// Help and Version tell that --help or --version is asked for.
	Help, Version bool
}

// ReadUwsgiArgs reads a command line of uWSGI's, such as --yaml config/galaxy.yml --plugin python --http :8080, without
// the program's name. As with getopt_long a value follows its option or a “=”, names may be cut short, switches of one
// letter may stand together.
func ReadUwsgiArgs(args []string) (UwsgiArgs, error) {
	var out UwsgiArgs
	take := func(o uwsgiOption, value string) error {
		switch o.name {
		case "yaml", "yml", "ini":
			if out.File != "" {
				return fmt.Errorf("uwsgi: two files are named, %s and %s; a server has one", out.File, value)
			}
			file, section, found := strings.Cut(value, ":")
			if found && section != "uwsgi" && section != "" {
				return fmt.Errorf("uwsgi: --%s %s: the section is named uwsgi", o.name, value)
			}
			out.File = file
		case "xml", "json", "js", "config", "yaml-file", "sqlite3", "ldap", "zeus":
			return fmt.Errorf("uwsgi: --%s: the configuration is galaxy.yml or galaxy.ini: --yaml FILE or --ini FILE", o.name)
		case "help", "usage":
			out.Help = true
		case "version":
			out.Version = true
		default:
			out.Options = append(out.Options, o.name+"="+value)
		}
		return nil
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func(name string) (string, error) {
			if i+1 >= len(args) {
				return "", fmt.Errorf("uwsgi: %s needs a value after it", name)
			}
			i++
			return args[i], nil
		}
		if strings.ContainsRune(arg, 0) {
			return out, fmt.Errorf("uwsgi: %q is no option", clip(arg, 60))
		}
		if name, long := strings.CutPrefix(arg, "--"); long && name != "" {
			name, value, joined := strings.Cut(name, "=")
			o, err := findUwsgiOption(name)
			if err != nil {
				return out, err
			}
			switch {
			case o.isSwitch:
				if !joined {
					value = "true"
				}
			case joined || uwsgiMayLack[o.name]:
			default:
				if value, err = next("--" + name); err != nil {
					return out, err
				}
			}
			if err := take(o, value); err != nil {
				return out, err
			}
			continue
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" || arg == "--" {
			// A word of its own is a file, or an address for the uwsgi protocol.
			switch ext := strings.ToLower(filepath.Ext(arg)); {
			case ext == ".yml" || ext == ".yaml" || ext == ".ini":
				if err := take(uwsgiOption{name: "yaml"}, arg); err != nil {
					return out, err
				}
			case strings.Contains(arg, ":"):
				out.Options = append(out.Options, "socket="+arg)
			default:
				return out, fmt.Errorf("uwsgi: what is %q for? A configuration is named with --yaml FILE or --ini FILE", clip(arg, 60))
			}
			continue
		}
		for rest := arg[1:]; rest != ""; {
			letter := rest[:1]
			rest = rest[1:]
			o, ok := letterOption(letter)
			if !ok {
				return out, fmt.Errorf("uwsgi: there is no option -%s", letter)
			}
			value := "true"
			if !o.isSwitch {
				value = rest
				if rest == "" && !uwsgiMayLack[o.name] {
					var err error
					if value, err = next("-" + letter); err != nil {
						return out, err
					}
				}
				rest = ""
			}
			if err := take(o, value); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// uwsgiMayLack are options whose value may be left out, so that it only ever follows a “=”.
var uwsgiMayLack = wordSet("mule chmod-socket chmod memory-report abstract-socket log-master ugreen declare-option lazy-apps")

// letterOption finds an option by its letter.
func letterOption(letter string) (uwsgiOption, bool) {
	if letter == "y" {
		return uwsgiOption{name: "yaml"}, true
	}
	if name := uwsgiName(letter); len(name) > 1 {
		return uwsgiOptions()[name], true
	}
	for _, name := range slices.Sorted(maps.Keys(uwsgiOptions())) {
		if o := uwsgiOptions()[name]; o.letter == letter {
			return o, true
		}
	}
	return uwsgiOption{}, false
}

// findUwsgiOption finds an option by its name or by the beginning of one name only.
func findUwsgiOption(name string) (uwsgiOption, error) {
	name = strings.ReplaceAll(name, "_", "-")
	all := uwsgiOptions()
	for _, file := range []string{"yaml", "yml", "ini", "xml", "json"} {
		if name == file {
			return uwsgiOption{name: file}, nil
		}
	}
	if o, ok := all[name]; ok {
		return o, nil
	}
	var begins []string
	for _, other := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(other, name) && len(name) > 1 {
			begins = append(begins, other)
		}
	}
	switch {
	case len(begins) == 1:
		return all[begins[0]], nil
	case len(begins) > 1:
		return uwsgiOption{}, fmt.Errorf("uwsgi: --%s may be --%s", clip(name, 60), clip(strings.Join(begins, ", --"), 200))
	}
	return uwsgiOption{}, fmt.Errorf("uwsgi: there is no option --%s%s", clip(name, 60), didYouMean(name, slices.Sorted(maps.Keys(all))))
}

// uwsgiCommandLine adds the options of uWSGI's command line to the section, which they make if there is none.
func (l *loader) uwsgiCommandLine(section *node) *node {
	words := l.wordsOf(UwsgiArgsVariable)
	if len(words) == 0 {
		return section
	}
	all := &node{kind: mapNode, file: "command line"}
	if !section.isNull() {
		if section.kind != mapNode {
			return section
		}
		copied := *section
		copied.pairs = slices.Clone(section.pairs)
		all = &copied
	}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		all.pairs = append(all.pairs, pair{key: name, at: textNode("command line", name), value: textNode("command line", value)})
	}
	return all
}
