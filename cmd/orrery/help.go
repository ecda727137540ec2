package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// pageWidth is how wide a page of help is.
const pageWidth = 80

// exits are the statuses with which every command ends; scripts may rely on them.
var exits = []item{
	{"0", "done"},
	{"1", "it failed; the reason is on standard error"},
	{"2", "the command line cannot be understood"},
	{"3", "no server runs (status, and what needs one); of orrery pool: there is no such handler or job"},
	{"78", "the configuration cannot be used; each mistake is named with its file and line"},
}

// item is one entry of a list in a page: a thing, and what it is.
type item struct{ name, about string }

// commonFiles are the files that most commands have to do with.
var commonFiles = []item{
	{"config/galaxy.yml, galaxy.yml, config/galaxy.ini, galaxy.ini", "the configuration, the first of them that exists in the working directory, unless -c or $GALAXY_CONFIG_FILE names another"},
	{"DATA_DIR/run", "process ids and sockets of the running server; its owner alone may enter"},
	{"LOG_DIR", "one log for each process (gravity: log_dir)"},
}

// page writes a command's page as man would show it.
func (c command) page(w io.Writer, program string, fs *flag.FlagSet) error {
	p := &pager{}
	p.section("NAME")
	names := program + " " + c.name
	if program == c.name {
		names = c.name
	}
	for _, alias := range c.aliases {
		names += ", " + alias
	}
	p.text(names + " - " + c.summary)
	p.section("SYNOPSIS")
	for _, line := range c.synopsis {
		if program != "orrery" {
			line = strings.TrimPrefix(strings.Replace(line, "orrery ", program+" ", 1), program+" "+program+" ")
			if program == c.name {
				line = strings.Replace(line, program+" "+c.name, program, 1)
			}
		}
		p.line(7, line)
	}
	p.section("DESCRIPTION")
	for i, paragraph := range c.about {
		if i > 0 {
			p.line(0, "")
		}
		p.text(paragraph)
	}
	if len(c.verbs) > 0 {
		p.section("COMMANDS")
		p.items(c.verbs)
	}
	if fs != nil {
		if options := optionsOf(fs); len(options) > 0 {
			p.section("OPTIONS")
			for _, o := range options {
				p.option(o)
			}
		}
	}
	if len(c.examples) > 0 {
		p.section("EXAMPLES")
		for _, e := range c.examples {
			p.line(7, "$ "+e.name)
			p.wrap(11, e.about)
		}
	}
	p.section("EXIT STATUS")
	if len(c.exits) > 0 {
		p.items(c.exits)
	} else {
		p.items(exits)
	}
	p.section("FILES")
	p.items(append(append([]item{}, c.files...), commonFiles...))
	_, err := io.WriteString(w, p.String())
	return err
}

// pager lays out a page.
type pager struct{ strings.Builder }

func (p *pager) line(indent int, text string) {
	if text != "" {
		p.WriteString(strings.Repeat(" ", indent))
	}
	p.WriteString(text + "\n")
}

func (p *pager) section(title string) {
	if p.Len() > 0 {
		p.line(0, "")
	}
	p.line(0, title)
}

func (p *pager) text(text string) { p.wrap(7, text) }

// wrap breaks a text into lines.
func (p *pager) wrap(indent int, text string) {
	line, width := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if width > 0 && indent+width+1+n > pageWidth {
			p.line(indent, line)
			line, width = "", 0
		}
		if width > 0 {
			line, width = line+" ", width+1
		}
		line, width = line+word, width+n
	}
	if width > 0 {
		p.line(indent, line)
	}
}

func (p *pager) items(items []item) {
	for _, i := range items {
		if n := utf8.RuneCountInString(i.name); n < 12 {
			before := p.Len()
			p.wrap(20, i.about)
			// The name stands in the indentation of the first line.
			text := p.String()
			p.Reset()
			p.WriteString(text[:before] + "       " + i.name + strings.Repeat(" ", 13-n) + text[before+20:])
			continue
		}
		p.wrap(7, i.name)
		p.wrap(11, i.about)
	}
}

// placeholder is what stands for an option's value.
func placeholder(o option) string {
	if p, ok := o.Value.(interface{ Placeholder() string }); ok {
		return p.Placeholder()
	}
	value, _ := flag.UnquoteUsage(o.Flag)
	if strings.Contains(o.Usage, "`") {
		return value
	}
	if value != "value" && value != "string" {
		return strings.ToUpper(value)
	}
	name := strings.ToUpper(o.names[len(o.names)-1])
	return name[strings.LastIndexAny(name, "-_")+1:]
}

func (p *pager) option(o option) {
	_, usage := flag.UnquoteUsage(o.Flag)
	value := placeholder(o)
	names := make([]string, len(o.names))
	for i, name := range o.names {
		names[i] = dashed(name)
	}
	line := strings.Join(names, ", ")
	if value != "" && !(isBool(o.Flag) && !strings.HasPrefix(value, "[")) {
		line += " " + value
	}
	p.line(7, line)
	if o.DefValue != "" && o.DefValue != "false" && o.DefValue != "0" && o.DefValue != "-1" && o.DefValue != "0s" && !strings.Contains(usage, "default") {
		usage += " (default " + o.DefValue + ")"
	}
	p.wrap(11, usage)
}

// overview lists the commands.
func overview(w io.Writer, program string) error {
	p := &pager{}
	p.line(0, "Orrery is a Galaxy server in one program.")
	p.line(0, "")
	p.line(0, "Usage: "+program+" [-c FILE] COMMAND [OPTIONS] [ARGUMENTS]")
	for _, group := range groups {
		p.line(0, "")
		p.line(0, group+":")
		for _, c := range commands() {
			if c.group != group || c.hidden {
				continue
			}
			name := c.name
			for _, alias := range c.aliases {
				name += "|" + alias
			}
			p.line(2, fmt.Sprintf("%-20s %s", name, c.summary))
		}
	}
	p.line(0, "")
	p.line(0, "`"+program+" COMMAND --help` tells all about a command.")
	p.line(0, "")
	p.line(0, "Exit status:")
	p.items(exits)
	_, err := io.WriteString(w, p.String())
	return err
}

// runHelp is `orrery help [COMMAND]`.
func runHelp(args []string) error {
	words, err := parseWords(newFlags("help"), args, 1)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return overview(os.Stdout, "orrery")
	}
	c, ok := find(words[0])
	if !ok {
		return noCommand(words[0])
	}
	fs, err := flagsOf(c)
	if err != nil {
		return err
	}
	return c.page(os.Stdout, "orrery", fs)
}

// flagsOf are a command's options: what it declares before it answers to --help.
func flagsOf(c command) (*flag.FlagSet, error) {
	lastFlags = nil
	if err := c.run([]string{"--help"}); err != nil && !errors.Is(err, flag.ErrHelp) {
		return nil, err
	}
	return lastFlags, nil
}
