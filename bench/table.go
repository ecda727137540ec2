package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The figures' names.
const (
	figureLatency         = "job latency, ms"
	figureJobs            = "jobs/s"
	figureSubmissions     = "submissions/s"
	figureFirstStart      = "first start, s"
	figureStart           = "start, s"
	figureMemory          = "memory, MB"
	figureIdleMemory      = "memory when idle, MB"
	figureVersion         = "version/s"
	figureTools           = "tools/s"
	figureToolsGzip       = "tools gzip/s"
	figureToolsReload     = "tools reloading/s"
	figureToolsReloadGzip = "tools gzip reloading/s"
	figureReloads         = "reloads/s"
	figureContents        = "contents/s"
	limitLatency          = "limit: bash -c cat, ms"
	limitJobs             = "limit: bash -c cat/s"
	limitCommits          = "limit: commits/s"
	limitRequests         = "limit: hello/s"
	figureWebCPU          = "CPU of web workers, ms/job"
	figureHandlerCPU      = "CPU of handlers, ms/job"
	figureScriptCPU       = "CPU of scripts, ms/job"
	figurePostgresCPU     = "CPU of PostgreSQL, ms/job"
	figureLoadCPU         = "CPU of load.py, ms/job"
)

// row is a line of the table.
type row struct {
	what, figure string
	target       float64 // 0: none
	// atMost says that the figure is to stay below the target, not above.
	atMost bool
	unit   string
	limit  string // the machine's own figure
}

func (b *bench) rows() []row {
	return []row{
		{fmt.Sprintf("one `cat1` job, from POST to `ok` (looked at every 20 ms; %d in a row)", b.latencies), figureLatency, 60, true, " ms", limitLatency},
		{fmt.Sprintf("`cat1` jobs finished (%d jobs of one history, %d submitters)", b.jobs, b.submitters), figureJobs, 60, false, "/s", limitJobs},
		{fmt.Sprintf("submissions (the same %d jobs, %d submitters)", b.jobs, b.submitters), figureSubmissions, 300, false, "/s", limitCommits},
		{fmt.Sprintf("start to first answer (existing database, %d tools)", b.toolCount), figureStart, 0.4, true, " s", ""},
		{"memory of all processes, right after the whole bench (PSS)", figureMemory, 150, true, " MB", ""},
		{fmt.Sprintf("the same after %.0f s without requests", idle.Seconds()), figureIdleMemory, 150, true, " MB", ""},
		{"`GET /api/version`", figureVersion, 30_000, false, "/s", limitRequests},
		{"`GET /api/tools`", figureTools, 5_000, false, "/s", limitRequests},
		{"`GET /api/tools`, `Accept-Encoding: gzip`", figureToolsGzip, 5_000, false, "/s", limitRequests},
		{"`GET /api/tools` by visitor, user and administrator in turn, toolbox reloaded once a second", figureToolsReload, 5_000, false, "/s", limitRequests},
		{"the same with `Accept-Encoding: gzip`", figureToolsReloadGzip, 5_000, false, "/s", limitRequests},
		{fmt.Sprintf("`GET /api/histories/{id}/contents?v=dev`, a page of 100 of %d", datasets), figureContents, 500, false, "/s", limitRequests},
	}
}

var limits = []struct{ what, figure, unit string }{
	{"`bash -c cat`, once", limitLatency, " ms"},
	{"`xargs -P2 bash -c cat`", limitJobs, "/s"},
	{"commits of one connection (`pgbench -c1`, an UPDATE, fsync on)", limitCommits, "/s"},
	{"`net/http` with a small JSON answer, `wrk -t1 -c16`", limitRequests, "/s"},
}

func (b *bench) print(w io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured with %d processors (%s), Linux %s; medians of %d rounds, in brackets the least and the most.\n\n",
		runtime.NumCPU(), cpuModel(), kernel(), b.rounds)
	t.WriteString("| what | median | target | reached | machine's limit | ratio |\n|---|---|---|---|---|---|\n")
	for _, r := range b.rows() {
		values := b.figures[r.figure]
		m := median(values)
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %s |\n", r.what, spread(values, r.unit), r.bound(), r.verdict(m), b.limit(r), b.ratio(r, m))
	}
	t.WriteString("\n| the machine's own limits, same rounds | median |\n|---|---|\n")
	for _, l := range limits {
		fmt.Fprintf(&t, "| %s | %s |\n", l.what, spread(b.figures[l.figure], l.unit))
	}
	t.WriteString("\n| processor time of one job (user + system) | median |\n|---|---|\n")
	for _, name := range []string{figureLoadCPU, figureWebCPU, figureHandlerCPU, figureScriptCPU, figurePostgresCPU} {
		what := strings.TrimSuffix(strings.TrimPrefix(name, "CPU of "), ", ms/job")
		fmt.Fprintf(&t, "| %s | %s |\n", what, spread(b.figures[name], " ms"))
	}
	fmt.Fprintf(&t, "\nReloads of the toolbox while `GET /api/tools` was measured: %s. The first start, with the tables and the toolbox's index to make: %s.\n",
		spread(b.figures[figureReloads], "/s"), spread(b.figures[figureFirstStart], " s"))
	_, err := io.WriteString(w, t.String())
	return err
}

func (r row) bound() string {
	if r.target == 0 {
		return ""
	}
	sign := "≥ "
	if r.atMost {
		sign = "≤ "
	}
	return sign + number(r.target) + r.unit
}

// verdict tells whether the target is reached, and by what factor.
func (r row) verdict(value float64) string {
	if r.target == 0 || value == 0 {
		return ""
	}
	factor := value / r.target
	if r.atMost {
		factor = r.target / value
	}
	if factor >= 1 {
		return fmt.Sprintf("yes, %.2f×", factor)
	}
	return fmt.Sprintf("no, %.2f×", factor)
}

func (b *bench) limit(r row) string {
	if r.limit == "" {
		return ""
	}
	return number(median(b.figures[r.limit])) + r.unit
}

// ratio is the figure in units of the machine's limit.
func (b *bench) ratio(r row, value float64) string {
	limit := median(b.figures[r.limit])
	if limit == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", value/limit)
}

func spread(values []float64, unit string) string {
	if len(values) == 0 {
		return "not measured"
	}
	if len(values) == 1 {
		return number(values[0]) + unit
	}
	return fmt.Sprintf("%s%s (%s–%s)", number(median(values)), unit, number(slices.Min(values)), number(slices.Max(values)))
}

// number prints three significant digits, with thousands separated.
func number(v float64) string {
	switch {
	case v >= 1000:
		digits := strconv.FormatFloat(v, 'f', 0, 64)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// median is the middle value, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// kindOf tells what a process of the server is, by its command line as /proc has it.
func kindOf(commandLine string) string {
	arguments := strings.Split(commandLine, "\x00")
	if len(arguments) < 2 {
		return ""
	}
	return arguments[1]
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
