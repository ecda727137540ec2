package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

// The scripts ask the program itself what may follow, so that they never know
// less than it: names of processes come from the control socket.

// runCompletion is `orrery completion`.
func runCompletion(args []string) error {
	words, err := parseWords(newFlags("completion"), args, 1)
	if err != nil {
		return err
	}
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	if len(words) == 0 || scripts[words[0]] == "" {
		return usageError("say for which shell: bash, zsh or fish")
	}
	_, err = fmt.Print(scripts[words[0]])
	return err
}

// Files are the shell's own matter: the program answers with ":files" or
// ":folders" where one is expected.
const bashCompletion = `# bash completion for orrery and its other names
_orrery() {
    local words reply
    words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
    # bash takes --option=value apart at the sign.
    local cur="${COMP_WORDS[COMP_CWORD]}"
    [ "$cur" = "=" ] && cur=""
    mapfile -t reply < <("${COMP_WORDS[0]}" __complete "${words[0]##*/}" "${words[@]:1}" 2>/dev/null)
    COMPREPLY=()
    case "${reply[0]}" in
    :files) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null ;;
    :folders) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); compopt -o filenames 2>/dev/null ;;
    *) COMPREPLY=("${reply[@]%%$'\t'*}") ;;
    esac
    return 0
}
complete -F _orrery orrery galaxyctl galaxy galaxy-main uwsgi
`

const zshCompletion = `#compdef orrery galaxyctl galaxy galaxy-main uwsgi
# zsh completion for orrery and its other names
_orrery() {
    local -a reply words_so_far described
    words_so_far=("${words[1]:t}" "${(@)words[2,CURRENT]}")
    reply=("${(@f)$("${words[1]}" __complete "${words_so_far[@]}" 2>/dev/null)}")
    case "${reply[1]}" in
    :files) _files ;;
    :folders) _files -/ ;;
    "") ;;
    *) described=("${(@)reply//:/\\:}")
       described=("${(@)described//$'\t'/:}")
       _describe 'orrery' described ;;
    esac
}
if [ "$funcstack[1]" = "_orrery" ]; then _orrery "$@"; else compdef _orrery orrery galaxyctl galaxy galaxy-main uwsgi; fi
`

const fishCompletion = `# fish completion for orrery and its other names
function __orrery_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l program $words[1]
    set words[1] (basename $words[1])
    set -l reply ($program __complete $words 2>/dev/null)
    switch "$reply[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :folders
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $reply
    end
end
for name in orrery galaxyctl galaxy galaxy-main uwsgi
    complete -c $name -f -a '(__orrery_complete)'
end
`

// runComplete prints what may stand at the place of the last word, one per
// line, with a tab before what it is. It never fails: a shell that completes
// has nowhere to say why.
func runComplete(args []string) error {
	if len(args) == 0 {
		return nil
	}
	for _, line := range complete(args[0], args[1:]) {
		fmt.Println(line)
	}
	return nil
}

// complete finds the words for a command line, the last of which is being
// typed.
func complete(program string, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	typed := words[len(words)-1]
	words = words[:len(words)-1]
	c, words, at := completed(program, words)
	if at != "" {
		return fileWords(at)
	}
	if c == nil {
		var all []string
		for _, one := range commands() {
			if !one.hidden {
				for _, name := range append([]string{one.name}, one.aliases...) {
					all = append(all, name+"\t"+one.summary)
				}
			}
		}
		if strings.HasPrefix(typed, "-") {
			all = []string{"--config-file\tthe configuration", "--state-dir", "--debug", "--help", "--version"}
		}
		return beginning(all, typed)
	}
	fs, err := flagsOf(*c)
	if err != nil {
		return nil
	}
	var options []option
	if fs != nil {
		options = optionsOf(fs)
	}
	name, value, joined := strings.Cut(typed, "=")
	// bash gives --option, = and value as three words.
	if n := len(words); n > 0 && words[n-1] == "=" {
		words = words[:n-1]
	}
	for _, o := range options {
		for _, n := range o.names {
			switch {
			case joined && name == dashed(n):
				return valuesOf(o, value)
			case len(words) > 0 && words[len(words)-1] == dashed(n) && !isBool(o.Flag):
				return valuesOf(o, strings.TrimPrefix(typed, "="))
			}
		}
	}
	if strings.HasPrefix(typed, "-") {
		all := []string{"--help\tshow the command's page"}
		for _, o := range options {
			for _, n := range o.names {
				all = append(all, dashed(n)+"\t"+strings.ReplaceAll(o.Usage, "`", ""))
			}
		}
		slices.Sort(all)
		return beginning(all, typed)
	}
	return beginning(c.words(words), typed)
}

// completed finds the command among the words before the one that is typed; at
// is the option before a command whose value is typed.
func completed(program string, words []string) (c *command, rest []string, at string) {
	if name := names[program]; name != "" && name != "galaxyctl" {
		found, _ := find(name)
		return &found, words, ""
	}
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "-c", "--config-file", "--config", "--state-dir":
			if i+1 == len(words) {
				return nil, nil, words[i]
			}
			i++
			continue
		}
		if strings.HasPrefix(words[i], "-") {
			continue
		}
		if found, ok := find(words[i]); ok {
			return &found, slices.Concat(words[:i], words[i+1:]), ""
		}
		return &command{run: func([]string) error { return nil }}, nil, ""
	}
	return nil, nil, ""
}

func fileWords(option string) []string {
	if option == "--state-dir" {
		return []string{":folders"}
	}
	return []string{":files"}
}

// valuesOf are the values that an option may have.
func valuesOf(o option, typed string) []string {
	what := strings.ToUpper(placeholder(o))
	switch {
	case strings.Contains(what, "DIR"):
		return []string{":folders"}
	case strings.Contains(what, "FILE") || strings.Contains(what, "PATH") || what == "CONFIG":
		return []string{":files"}
	case what == "POOL":
		return beginning([]string{"job-handlers", "job-handlers."}, typed)
	case what == "STATE":
		return beginning([]string{"new", "queued", "running", "deleting", "stop"}, typed)
	}
	return nil
}

// words are the arguments that a command may have.
func (c command) words(before []string) []string {
	var all []string
	for _, v := range c.verbs {
		all = append(all, v.name+"\t"+v.about)
	}
	switch c.completes {
	case processWords:
		if len(c.verbs) > 0 && len(plain(before)) == 0 {
			return all
		}
		return processNames(before)
	case commandWords:
		for _, one := range commands() {
			if !one.hidden {
				all = append(all, one.name+"\t"+one.summary)
			}
		}
	case shellWords:
		return []string{"bash", "zsh", "fish"}
	case folderWords:
		return []string{":folders"}
	}
	return all
}

func plain(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
}

// completionPatience bounds how long a shell waits for names.
const completionPatience = time.Second

// processNames asks the running server for its processes; when none runs, the
// configuration says which there would be.
func processNames(before []string) []string {
	answer := make(chan []string, 1)
	go func() {
		c := control{out: os.Stderr, errors: os.Stderr, quiet: true}
		for i, w := range before {
			if slices.Contains([]string{"-c", "--config-file", "--config"}, w) && i+1 < len(before) {
				c.config = before[i+1]
			}
		}
		if err := c.open(); err != nil {
			answer <- nil
			return
		}
		if len(c.reports) == 0 {
			plan, err := deployment.NewPlan(c.cfg, deployment.EngineOf(c.cfg.Database))
			if err != nil {
				answer <- nil
				return
			}
			report := supervisor.Report{}
			for _, p := range plan.Processes {
				report.Processes = append(report.Processes, supervisor.ProcessReport{Name: p.ServerName, Group: p.Group, Kind: p.Kind, State: "not running"})
			}
			c.reports = append(c.reports, report)
		}
		var all []string
		kinds := map[deployment.Kind]bool{}
		for _, r := range c.reports {
			for _, p := range r.Processes {
				kinds[p.Kind] = true
				if line := p.Name + "\t" + p.State; !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, p.Name+"\t") }) {
					all = append(all, line)
				}
			}
		}
		if kinds[deployment.Web] {
			all = append(all, "gunicorn\tall web workers")
		}
		if kinds[deployment.Handler] {
			all = append(all, "handlers\tall job handlers")
		}
		answer <- all
	}()
	select {
	case all := <-answer:
		return all
	case <-time.After(completionPatience):
		return nil
	}
}

// beginning are the words that begin with what is typed.
func beginning(all []string, typed string) []string {
	if len(all) == 1 && strings.HasPrefix(all[0], ":") {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(w string) bool { return !strings.HasPrefix(w, typed) })
}
