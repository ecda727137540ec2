package main

import (
	"errors"
	"flag"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Options are read by the standard library's flag package, and words by parse in this file, which knows what GNU's
// getopt and Python's argparse allow as well: options after arguments, -w4 for -w 4, -df for -d -f, and long names cut
// short. So the command lines of Gunicorn, galaxy-main and galaxyctl are read as they are, without a package more, and
// every command goes on declaring its options in one way.

// lastFlags are the options of the command that runs; its help shows them.
var lastFlags *flag.FlagSet

// misread tells whether reading them failed, which is an error of whoever typed.
var misread bool

// newFlags makes the set of options of a command. Its help is the command's page in the table of commands.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() { misread = true }
	lastFlags, misread = fs, false
	return fs
}

// parse reads the options of a command line wherever they stand, and gives the words between them.
func parse(fs *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(words, args...), nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case strings.HasPrefix(arg, "--") || fs.Lookup(nameOf(arg)) != nil || nameOf(arg) == "help":
			args, err = parseLong(fs, strings.TrimLeft(arg, "-"), args)
		default:
			args, err = parseShort(fs, arg[1:], args)
		}
		if err != nil {
			return nil, err
		}
	}
	return words, nil
}

// parseWords is parse with at most so many words.
func parseWords(fs *flag.FlagSet, args []string, most int) ([]string, error) {
	words, err := parse(fs, args)
	if err == nil && len(words) > most {
		return nil, usageError("what is %q for?", words[most])
	}
	return words, err
}

func nameOf(arg string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return name
}

// parseLong reads NAME or NAME=VALUE.
func parseLong(fs *flag.FlagSet, arg string, rest []string) ([]string, error) {
	name, value, joined := strings.Cut(arg, "=")
	f := fs.Lookup(name)
	if f == nil && name == "help" {
		return nil, flag.ErrHelp
	}
	if f == nil {
		var err error
		if f, err = abbreviated(fs, name); err != nil {
			return nil, err
		}
	}
	switch {
	case !joined && isBool(f):
		value = "true"
	case !joined && len(rest) == 0:
		return nil, usageError("%s needs a value", dashed(f.Name))
	case !joined:
		value, rest = rest[0], rest[1:]
	}
	return rest, set(fs, f, value)
}

// abbreviated finds the one option that begins like this.
func abbreviated(fs *flag.FlagSet, name string) (*flag.Flag, error) {
	var found []*flag.Flag
	fs.VisitAll(func(f *flag.Flag) {
		if len(name) > 1 && strings.HasPrefix(f.Name, name) && !slices.ContainsFunc(found, func(o *flag.Flag) bool { return same(o, f) }) {
			found = append(found, f)
		}
	})
	switch len(found) {
	case 0:
		return nil, usageError("there is no option %s", dashed(name))
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = dashed(f.Name)
	}
	return nil, usageError("%s may be %s", dashed(name), strings.Join(names, " or "))
}

// parseShort reads letters that stand together: options without a value, then at most one with its value.
func parseShort(fs *flag.FlagSet, letters string, rest []string) ([]string, error) {
	for i, letter := range letters {
		f := fs.Lookup(string(letter))
		if f == nil && letter == 'h' {
			return nil, flag.ErrHelp
		}
		if f == nil {
			return nil, usageError("there is no option -%c", letter)
		}
		if isBool(f) {
			if err := set(fs, f, "true"); err != nil {
				return nil, err
			}
			continue
		}
		value := strings.TrimPrefix(letters[i+len(string(letter)):], "=")
		if value == "" {
			if len(rest) == 0 {
				return nil, usageError("-%c needs a value", letter)
			}
			value, rest = rest[0], rest[1:]
		}
		return rest, set(fs, f, value)
	}
	return rest, nil
}

func set(fs *flag.FlagSet, f *flag.Flag, value string) error {
	if err := fs.Set(f.Name, value); err != nil {
		var status *statusError
		if errors.As(err, &status) {
			return err
		}
		return usageError("%s=%s: %v", dashed(f.Name), value, err)
	}
	return nil
}

// dashed is an option as one types it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// same tells whether two options are one under two names.
func same(a, b *flag.Flag) bool {
	if v := reflect.ValueOf(a.Value); !v.Comparable() || !reflect.ValueOf(b.Value).Comparable() {
		return false
	}
	return a.Value == b.Value
}

// option is an option under all its names, short ones first.
type option struct {
	names []string
	*flag.Flag
}

// optionsOf are the options of a set, sorted by their first long names.
func optionsOf(fs *flag.FlagSet) []option {
	var options []option
	fs.VisitAll(func(f *flag.Flag) {
		for i, o := range options {
			if same(o.Flag, f) {
				options[i].names = append(options[i].names, f.Name)
				if strings.HasPrefix(o.Usage, "the same as") {
					options[i].Flag = f
				}
				return
			}
		}
		options = append(options, option{[]string{f.Name}, f})
	})
	for _, o := range options {
		slices.SortStableFunc(o.names, func(a, b string) int { return min(len(a), 2) - min(len(b), 2) })
	}
	slices.SortStableFunc(options, func(a, b option) int { return strings.Compare(sortName(a), sortName(b)) })
	return options
}

func sortName(o option) string {
	for _, name := range o.names {
		if len(name) > 1 {
			return name
		}
	}
	return o.names[0]
}
