package deployment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"orrery/internal/listen"
)

// Running says what of a plan is about processes and sockets rather than about jobs.
type Running struct {
	User    string            `json:"user,omitempty"`
	Group   string            `json:"group,omitempty"`
	Signals map[string]Action `json:"signals"`
	Own     []listen.Spec     `json:"own,omitempty"`
	Groups  []RunningGroup    `json:"groups"`
}

// RunningGroup are processes that have their listeners, times and limits in common.
type RunningGroup struct {
	Service   string        `json:"service"`
	Group     string        `json:"group"`
	Kind      Kind          `json:"kind"`
	Processes []string      `json:"processes"`
	Listeners []listen.Spec `json:"listeners,omitempty"`
	// StopSeconds is the time from SIGTERM to SIGKILL, ReadySeconds the time until a process has to serve.
	StopSeconds  int     `json:"stop_seconds"`
	ReadySeconds int     `json:"ready_seconds"`
	MemoryLimit  float64 `json:"memory_limit_gb,omitempty"`
	Umask        string  `json:"umask,omitempty"` // octal
	binds        []string
}

// Running gathers it.
func (p *Plan) Running() Running {
	r := Running{User: p.User, Group: p.Group, Signals: map[string]Action{}, Own: p.Own, Groups: []RunningGroup{}}
	for signal, action := range p.Signals {
		r.Signals[cmp.Or(signalNames[signal], fmt.Sprint(int(signal)))] = action
	}
	for _, one := range p.Processes {
		at := slices.IndexFunc(r.Groups, func(g RunningGroup) bool {
			return g.Group == one.Group && g.Service == one.Service && g.Kind == one.Kind
		})
		if at < 0 {
			at = len(r.Groups)
			g := RunningGroup{Service: one.Service, Group: one.Group, Kind: one.Kind, Listeners: one.Listeners, StopSeconds: int(one.StopTimeout / time.Second),
				ReadySeconds: int(one.ReadyTimeout / time.Second), MemoryLimit: one.MemoryLimit, binds: tellListeners(one, true)}
			if one.Umask >= 0 {
				g.Umask = fmt.Sprintf("%03o", one.Umask)
			}
			r.Groups = append(r.Groups, g)
		}
		r.Groups[at].Processes = append(r.Groups[at].Processes, one.ServerName)
	}
	return r
}

// RunningTable says the same in lines: who listens where, by which protocol, as whom, and how long things may take.
func (p *Plan) RunningTable() []string {
	var b strings.Builder
	as := ""
	if p.User+p.Group != "" {
		as = ", as " + p.User
		if p.Group != "" {
			as += ":" + p.Group
		}
		as += " when root starts it"
	}
	fmt.Fprintf(&b, "What runs%s:\n", as)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) }
	row("SERVICE", "PROCESSES", "LISTENS AT", "READY WITHIN", "STOPS WITHIN", "MEMORY", "UMASK")
	for _, g := range p.Running().Groups {
		memory := "-"
		if g.MemoryLimit > 0 {
			memory = fmt.Sprintf("%g GB", g.MemoryLimit)
		}
		names := g.Processes[0]
		if n := len(g.Processes); n > 1 {
			names = fmt.Sprintf("%s … %s (%d)", names, g.Processes[n-1], n)
		}
		row(g.Service, names, list(g.binds, "-"), fmt.Sprintf("%d s", g.ReadySeconds), fmt.Sprintf("%d s", g.StopSeconds), memory, cmp.Or(g.Umask, "-"))
	}
	_ = w.Flush() // a strings.Builder takes everything
	for _, spec := range p.Own {
		fmt.Fprintf(&b, "  the supervisor listens at %s\n", tellSpec(spec, true))
	}
	for _, pool := range p.ZergPools {
		fmt.Fprintf(&b, "  the Zerg pool %s holds %s\n", pool.Socket.Bind, strings.Join(tellSpecs(pool.Listeners, true), ", "))
	}
	fmt.Fprintf(&b, "  signals: %s\n", tellSignals(p.Signals))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// tellListeners says where a process listens; in full with who may connect.
func tellListeners(p Planned, full bool) []string {
	if len(p.Listeners) == 0 {
		return p.Binds // a Zerg pool's
	}
	return tellSpecs(p.Listeners, full)
}

func tellSpecs(specs []listen.Spec, full bool) []string {
	var out []string
	for _, spec := range specs {
		out = append(out, tellSpec(spec, full))
	}
	return out
}

// tellSpec says an address with what is spoken there and, in full, who may connect to a UNIX socket.
func tellSpec(spec listen.Spec, full bool) string {
	words := []string{string(spec.Protocol)}
	switch spec.Protocol {
	case listen.HTTP:
		words = nil
	case listen.Redirect:
		words[0] = "redirects to https"
		if spec.HTTPSPort != "" {
			words[0] += " at port " + spec.HTTPSPort
		}
	}
	if a, err := listen.Parse(spec.Bind); err == nil && a.Network == "unix" && full {
		mode := spec.Mode
		if mode == 0 {
			mode = 0o777 &^ spec.Umask
		}
		words = append(words, fmt.Sprintf("mode %03o", mode))
		if spec.Owner+spec.Group != "" {
			words = append(words, "of "+strings.TrimSuffix(spec.Owner+":"+spec.Group, ":"))
		}
	}
	if len(words) == 0 {
		return spec.Bind
	}
	return spec.Bind + " (" + strings.Join(words, ", ") + ")"
}
