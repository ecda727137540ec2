package jobhandler

import (
	"bufio"
	"fmt"

	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"orrery/internal/destination"
	"orrery/internal/jobdir"
	"orrery/internal/store"
)

// Metric is one of Galaxy's plugins that measure jobs.
type Metric struct {
	// Type is core, cpuinfo, meminfo, env, cgroup, uname or hostname.
	Type string
	// Verbose keeps everything that cpuinfo, meminfo and cgroup can tell.
	Verbose bool
	// Names are the variables of env, or the values of cgroup; empty means all
	// variables, or Galaxy's choice of values.
	Names []string
	// Args are those of uname, Mount is where cgroup looks.
	Args, Mount string
}

// CoreMetrics is what Galaxy measures unless it is told otherwise.
var CoreMetrics = []Metric{{Type: "core"}}

func (h *Handler) metricsOf(route destination.Choice) []Metric {
	if h.MetricsOf == nil {
		return CoreMetrics
	}
	return h.MetricsOf(route)
}

// instrumentFile is where a plugin keeps what it saw, named as Galaxy does.
func instrumentFile(folder, plugin, name string) string {
	return filepath.Join(folder, "__instrument_"+plugin+"_"+name)
}

// instrument gives the lines of a job's script that measure, before and after the
// tool. What core wants is in the outcome of each attempt.
func instrument(metrics []Metric, folder string) (before, after []string) {
	to := func(plugin, name string) string { return " >" + jobdir.Quote(instrumentFile(folder, plugin, name)) }
	for _, m := range metrics {
		switch m.Type {
		case "cpuinfo":
			before = append(before, "cat /proc/cpuinfo"+to("cpuinfo", "cpuinfo"))
		case "meminfo":
			before = append(before, "cat /proc/meminfo"+to("meminfo", "meminfo"))
		case "env":
			before = append(before, "env -0"+to("env", "vars"))
		case "uname":
			args := m.Args
			if args == "" {
				args = "-a"
			}
			before = append(before, "uname "+strings.Join(quoteAll(strings.Fields(args)), " ")+to("uname", "uname"))
		case "hostname":
			before = append(before, "hostname -f"+to("hostname", "hostname"))
		case "cgroup":
			after = append(after, cgroupLines(m, instrumentFile(folder, "cgroup", "_metrics"))...)
		}
	}
	return before, after
}

func quoteAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = jobdir.Quote(w)
	}
	return out
}

// cgroupLines copy the files of the job's control group, of either version, each
// after a line with its name between underscores.
func cgroupLines(m Metric, into string) []string {
	mount := m.Mount
	if mount == "" {
		mount = "/sys/fs/cgroup"
	}
	return []string{
		"orrery_cgroup=" + jobdir.Quote(mount),
		": >" + jobdir.Quote(into),
		`if [ -f "$orrery_cgroup/cgroup.controllers" ]; then
  while IFS=: read -r n c p; do if [ "$n" = 0 ]; then set -- "$orrery_cgroup$p"/cpu.* "$orrery_cgroup$p"/memory.*; fi; done </proc/$$/cgroup
else
  orrery_files=
  while IFS=: read -r n c p; do
    case ",$c," in
      *,cpuacct,*) for d in "$orrery_cgroup/$c$p" "$orrery_cgroup/$c"; do if [ -e "$d/cpuacct.usage" ]; then orrery_cpu=$d; break; fi; done ;;
      *,memory,*) for d in "$orrery_cgroup/memory$p" "$orrery_cgroup/memory"; do if [ -e "$d/memory.max_usage_in_bytes" ]; then orrery_memory=$d; break; fi; done ;;
    esac
  done </proc/$$/cgroup
  set -- "${orrery_cpu:-/none}"/cpu.* "${orrery_cpu:-/none}"/cpuacct.* "${orrery_memory:-/none}"/memory.*
fi
for f do if [ -f "$f" ] && [ -r "$f" ]; then echo "__${f##*/}__"; cat "$f" 2>/dev/null; fi; done >>` + jobdir.Quote(into),
	}
}

// measured reads what was measured of a run, as rows of Galaxy's tables.
func (h *Handler) measured(p *prepared, o jobdir.Outcome) []store.JobMetric {
	var rows []store.JobMetric
	for _, m := range h.metricsOf(p.route) {
		found, err := readMetric(m, p.dir.Path, o)
		if err != nil {
			// What is measured is no reason for a job to fail.
			h.Log.Warn("a metric of a job could not be read", "job", p.claim.JobID, "metric", m.Type, "error", err)
			continue
		}
		rows = append(rows, found...)
	}
	return rows
}

const (
	// maxNumber is the largest number that fits Galaxy's column (22 digits, 7 of them
	// behind the point).
	maxNumber = 1e15 - 1
	// maxMetricText is the length that Galaxy cuts texts to.
	maxMetricText = 1022
	// maxMetrics bounds the rows of one plugin, and maxMetricFile the bytes read.
	maxMetrics    = 5000
	maxMetricFile = 4 << 20
)

// Titles of Galaxy's that are kept without being asked for everything.
var (
	memoryNames = []string{"memtotal", "swaptotal"}
	cgroupNames = []string{
		"memory.memsw.max_usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
		"memory.soft_limit_in_bytes", "memory.failcnt", "memory.oom_control.oom_kill_disable", "memory.oom_control.under_oom", "cpuacct.usage",
		"memory.events.oom_kill", "memory.peak", "cpu.stat.system_usec", "cpu.stat.usage_usec", "cpu.stat.user_usec",
	}
	memoryLine = regexp.MustCompile(`^(\w+)\s*:\s*(\d+) kB`)
)

func readMetric(m Metric, folder string, o jobdir.Outcome) ([]store.JobMetric, error) {
	var rows []store.JobMetric
	add := func(name, value string) {
		if len(rows) >= maxMetrics {
			return
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil && n == n {
			if n <= maxNumber && n >= -maxNumber {
				rows = append(rows, store.JobMetric{Plugin: m.Type, Name: store.Clip(name, 255), Value: value, Number: true})
			}
			return
		}
		rows = append(rows, text(m.Type, name, value))
	}
	if m.Type == "core" {
		add("galaxy_slots", strconv.Itoa(o.Slots))
		if o.MemoryMB > 0 {
			add("galaxy_memory_mb", strconv.Itoa(o.MemoryMB))
		}
		if o.Start > 0 && o.End >= o.Start {
			add("start_epoch", strconv.FormatInt(o.Start, 10))
			add("end_epoch", strconv.FormatInt(o.End, 10))
			add("runtime_seconds", strconv.FormatInt(o.End-o.Start, 10))
		}
		return rows, nil
	}
	file := map[string]string{"cpuinfo": "cpuinfo", "meminfo": "meminfo", "env": "vars", "uname": "uname", "hostname": "hostname", "cgroup": "_metrics"}[m.Type]
	if file == "" {
		return nil, fmt.Errorf("there is no plugin %q", m.Type)
	}
	content, err := jobdir.ReadBounded(instrumentFile(folder, m.Type, file), maxMetricFile)
	if err != nil {
		return nil, err
	}
	switch m.Type {
	case "uname":
		rows = append(rows, text(m.Type, "uname", content))
	case "hostname":
		rows = append(rows, text(m.Type, "hostname", strings.TrimSpace(content)))
	case "env":
		for v := range strings.SplitSeq(content, "\x00") {
			name, value, ok := strings.Cut(v, "=")
			if ok && len(rows) < maxMetrics && (len(m.Names) == 0 || slices.Contains(m.Names, name)) {
				rows = append(rows, text(m.Type, name, value)) // also if it looks like a number
			}
		}
	case "meminfo":
		for line := range strings.Lines(content) {
			if f := memoryLine.FindStringSubmatch(strings.TrimSpace(line)); f != nil {
				if name := strings.ToLower(f[1]); m.Verbose || slices.Contains(memoryNames, name) {
					add(name, f[2])
				}
			}
		}
	case "cpuinfo":
		count, current := 0, ""
		for line := range strings.Lines(strings.ToLower(content)) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			switch {
			case !ok:
			case name == "processor":
				count++
				current = value
			case current != "" && m.Verbose:
				rows = append(rows, text(m.Type, "processor_"+current+"_"+name, value))
			}
		}
		add("processor_count", strconv.Itoa(count))
	case "cgroup":
		readCgroup(m, content, add)
	}
	return rows, nil
}

func text(plugin, name, value string) store.JobMetric {
	return store.JobMetric{Plugin: plugin, Name: store.Clip(name, 255), Value: store.Clip(value, maxMetricText)}
}

// readCgroup reads the copied files: a line holds a value, or a name and a value.
func readCgroup(m Metric, content string, add func(name, value string)) {
	wanted := m.Names
	if len(wanted) == 0 {
		wanted = cgroupNames
	}
	values := map[string]string{}
	var order []string
	file := ""
	s := bufio.NewScanner(strings.NewReader(content))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if len(line) > 4 && strings.HasPrefix(line, "__") && strings.HasSuffix(line, "__") {
			file = line[2 : len(line)-2]
			continue
		}
		name, value := file, line
		if strings.Count(line, " ") == 1 {
			key, v, _ := strings.Cut(line, " ")
			name, value = file+"."+key, v
		}
		if name == "" || !m.Verbose && !slices.Contains(wanted, name) {
			continue
		}
		if _, again := values[name]; !again {
			order = append(order, name)
		}
		values[name] = value
	}
	for _, name := range order {
		add(name, values[name])
	}
}
