package supervisor

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// Wanted is what a configuration asks of a supervisor.
type Wanted struct {
	Specs []Spec
	// Config is the configuration file, Files are all files that were read; a report tells when they change.
	Config string
	Files  []string
	// Own are sockets that the supervisor opens and does not hand to processes; see [Options.ServeOwn].
	Own []listen.Spec
	// Signals says what to do at a signal; nil is [deployment.DefaultSignals].
	Signals map[os.Signal]deployment.Action
	// DrainLimit bounds how long a process may still move bytes after a successor has taken over; 0 is one hour.
	DrainLimit time.Duration
}

func (w *Wanted) listens() []listen.Spec {
	specs := slices.Clone(w.Own)
	for _, s := range w.Specs {
		specs = append(specs, s.Listen...)
	}
	return specs
}

// Changes says what becoming the new one means for each process, in the order of the new one; what is to stop comes last.
func Changes(old, new Wanted) []Change {
	var out []Change
	before := map[string]Spec{}
	for _, s := range old.Specs {
		before[s.Name] = s
	}
	for _, s := range new.Specs {
		was, there := before[s.Name]
		delete(before, s.Name)
		switch why := differences(was, s); {
		case !there:
			out = append(out, Change{Process: s.Name, Kind: ChangeStart, Why: "the configuration asks for it now"})
		case len(why) > 0:
			out = append(out, Change{Process: s.Name, Kind: ChangeReplace, Why: "changed: " + strings.Join(why, ", ")})
		default:
			out = append(out, Change{Process: s.Name, Kind: ChangeNone})
		}
	}
	for _, s := range old.Specs {
		if _, left := before[s.Name]; left {
			out = append(out, Change{Process: s.Name, Kind: ChangeStop, Why: "nothing asks for it any more"})
		}
	}
	return out
}

// differences names what of two specs of a process differs so that it has to be another process. Timeouts and the limit of
// memory are the supervisor's alone and hold at once.
func differences(a, b Spec) (out []string) {
	for _, d := range []struct {
		what string
		same bool
	}{
		{"the program", a.Path == b.Path && a.Program == b.Program},
		{"its arguments", slices.Equal(a.Args, b.Args)},
		{"its environment", sameSet(a.Env, b.Env)},
		{"its listeners", len(a.Listen) == len(b.Listen) && (len(a.Listen) == 0 || reflect.DeepEqual(withoutPlaces(a.Listen), withoutPlaces(b.Listen)))},
		{"files that it reads", a.Stamp == b.Stamp},
		{"its folder", a.Dir == b.Dir},
		{"its log", a.LogFile == b.LogFile},
		{"its umask", a.Umask == b.Umask},
	} {
		if !d.same {
			out = append(out, d.what)
		}
	}
	return out
}

func withoutPlaces(specs []listen.Spec) []listen.Spec {
	out := slices.Clone(specs)
	for i := range out {
		out[i].At = ""
	}
	return out
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// services are the names by which orders call all processes of a kind.
var services = map[string]deployment.Kind{"gunicorn": deployment.Web, "web": deployment.Web, "uwsgi": deployment.Web, "workers": deployment.Web, "handler": deployment.Handler, "handlers": deployment.Handler, "mules": deployment.Handler}

// called tells whether a process is meant by one of the names; none means all.
func (s *Spec) called(names []string) bool {
	if len(names) == 0 {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		kind, service := services[name]
		return name == s.Name || name != "" && (name == s.Group || name == s.Service) || service && s.Kind == kind
	})
}

// checkNames refuses names that mean no process.
func checkNames(names []string, specs []Spec) error {
	for _, name := range names {
		if !slices.ContainsFunc(specs, func(s Spec) bool { return s.called([]string{name}) }) {
			var known []string
			for _, s := range specs {
				known = append(known, s.Name)
			}
			return fmt.Errorf("there is no process, group or service named %s; the processes are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}
