package admin

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// family is the samples of one metric.
type family struct {
	kind  string
	help  string
	lines []string
}

// families are metrics by name.
type families map[string]*family

// suffixes are of the samples that belong to a histogram or a summary.
var suffixes = []string{"_bucket", "_sum", "_count"}

// of finds the family of a sample, with what is known of its type.
func (f families) of(sample string) *family {
	name := sample
	for _, s := range suffixes {
		if base, ok := strings.CutSuffix(sample, s); ok && (strings.HasSuffix(base, "_seconds") || strings.HasSuffix(base, "_bytes")) {
			name = base
		}
	}
	if f[name] == nil {
		found := &family{}
		if m, known := telemetry.Described[name]; known {
			found.kind, found.help = m.Kind, m.Help
		} else if strings.HasSuffix(name, "_total") {
			found.kind = "counter"
		}
		f[name] = found
	}
	return f[name]
}

// add adds one sample; labels is without braces.
func (f families) add(name, labels string, value float64) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	into := f.of(name)
	into.lines = append(into.lines, name+labels+" "+telemetry.Number(value))
}

// addText adds a process's metrics, with the label process. Lines that are no samples are left out.
func (f families) addText(process string, text []byte) {
	label := telemetry.Label("process", process)
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name, rest, ok := splitSample(string(line))
		if !ok {
			continue
		}
		into := f.of(name)
		if labels, ok := strings.CutPrefix(rest, "{"); ok {
			into.lines = append(into.lines, name+"{"+label+","+labels)
		} else {
			into.lines = append(into.lines, name+"{"+label+"}"+rest)
		}
	}
}

// splitSample parts the name of a sample from what follows: “{labels} value” or “ value”.
func splitSample(line string) (name, rest string, ok bool) {
	i := strings.IndexAny(line, "{ ")
	if i <= 0 {
		return "", "", false
	}
	for _, c := range []byte(line[:i]) {
		if c != '_' && c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", "", false
		}
	}
	return line[:i], line[i:], true
}

// write renders them as Prometheus wants them: family after family, each with its type.
func (f families) write() []byte {
	var b bytes.Buffer
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if help := f[name].help; help != "" {
			fmt.Fprintf(&b, "# HELP %s %s\n", name, help)
		}
		if kind := f[name].kind; kind != "" {
			fmt.Fprintf(&b, "# TYPE %s %s\n", name, kind)
		}
		for _, line := range f[name].lines {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// addReport adds what the supervisor knows of the processes.
func (f families) addReport(r supervisor.Report) {
	info := telemetry.Label("version", r.Version) + "," + telemetry.Label("supervisor", r.Name)
	f.add("orrery_info", info, 1)
	f.add("orrery_supervisor_start_time_seconds", "", float64(r.Since.UnixMilli())/1000)
	f.add("orrery_supervisor_problem", "", one(r.Problem != ""))
	f.add("orrery_supervisor_config_changed", "", one(r.ConfigChanged))
	served := map[string]bool{}
	for _, p := range r.Processes {
		served[p.Name] = served[p.Name] || p.State == "ready"
	}
	named := map[string]bool{}
	for _, p := range r.Processes {
		name := p.Name
		if p.State != "ready" && served[name] || named[name] { // one that drains, or a successor that is not ready yet
			name = distinct(p.Name, p.PID)
		}
		named[name] = true
		process := telemetry.Label("process", name)
		kind := telemetry.Label("kind", string(p.Kind))
		f.add("orrery_process_up", process+","+kind, one(p.State == "ready"))
		f.add("orrery_process_state", process+","+kind+","+telemetry.Label("state", p.State), 1)
		f.add("orrery_process_restarts_total", process, float64(p.Restarts))
		f.add("orrery_process_replacements_total", process, float64(p.Generation))
		f.add("orrery_process_memory_bytes", process, float64(p.Memory))
	}
}

// addLoad adds what the database says.
func (f families) addLoad(l *Load) {
	f.add("orrery_database_answers", "", one(l != nil))
	if l == nil {
		return
	}
	// Where there are none, that is told too, so that graphs go on.
	for _, state := range []string{"new", "queued", "running"} {
		if !slices.ContainsFunc(l.Jobs, func(j Jobs) bool { return j.State == state }) {
			f.add("orrery_jobs", telemetry.Label("state", state), 0)
		}
	}
	if len(l.Report.Waiting) == 0 {
		f.add("orrery_jobs_unserved", "", 0)
	}
	for _, j := range l.Jobs {
		pool := cmp.Or(j.Pool, j.Handler)
		f.add("orrery_jobs", telemetry.Label("state", j.State)+","+telemetry.Label("handler", j.Handler)+","+telemetry.Label("pool", pool), float64(j.Jobs))
	}
	states := map[string]int{"alive": 0, "drained": 0, "lost": 0}
	for _, h := range l.Report.Handlers {
		states[h.State]++
	}
	for _, state := range []string{"alive", "drained", "lost"} {
		f.add("orrery_pool_handlers", telemetry.Label("state", state), float64(states[state]))
	}
	for _, w := range l.Report.Waiting {
		f.add("orrery_jobs_unserved", telemetry.Label("target", w.Target), float64(w.New+w.UnderWay))
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// distinct names a process that shares its name with the one that replaced it.
func distinct(name string, pid int) string { return name + "/" + strconv.Itoa(pid) }
