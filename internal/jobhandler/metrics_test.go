package jobhandler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/jobdir"
	"orrery/internal/jobhandler"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

func TestMetricsAreReadAsGalaxyDoes(t *testing.T) {
	for _, c := range []struct {
		name   string
		metric jobhandler.Metric
		file   string
		text   string
		want   string
	}{
		{"core", jobhandler.Metric{Type: "core"}, "", "", "galaxy_slots=2# galaxy_memory_mb=512# start_epoch=100# end_epoch=130# runtime_seconds=30#"},
		{"cpuinfo", jobhandler.Metric{Type: "cpuinfo"}, "cpuinfo_cpuinfo", "processor\t: 0\nmodel name\t: Fast\n\nprocessor\t: 1\nmodel name\t: Fast\n", "processor_count=2#"},
		{"cpuinfo, verbose", jobhandler.Metric{Type: "cpuinfo", Verbose: true}, "cpuinfo_cpuinfo", "processor\t: 0\nModel name\t: A: B\n", "processor_0_model name=a: b processor_count=1#"},
		{"meminfo", jobhandler.Metric{Type: "meminfo"}, "meminfo_meminfo", "MemTotal:  100 kB\nMemFree: 50 kB\nSwapTotal: 7 kB\nodd\n", "memtotal=100# swaptotal=7#"},
		{"meminfo, verbose", jobhandler.Metric{Type: "meminfo", Verbose: true}, "meminfo_meminfo", "MemFree: 50 kB\n", "memfree=50#"},
		{"env", jobhandler.Metric{Type: "env", Names: []string{"A", "C"}}, "env_vars", "A=x=y\x00B=no\x00C=1\n2\x00", "A=x=y C=1\n2"},
		{"hostname", jobhandler.Metric{Type: "hostname"}, "hostname_hostname", "here.example.org\n", "hostname=here.example.org"},
		{"cgroup", jobhandler.Metric{Type: "cgroup"}, "cgroup__metrics", "__memory.peak__\n12\n__cpu.stat__\nusage_usec 5\nnr 1\n__memory.events__\noom_kill 0\n__memory.max__\nmax\n",
			"memory.peak=12# cpu.stat.usage_usec=5# memory.events.oom_kill=0#"},
		{"cgroup, some", jobhandler.Metric{Type: "cgroup", Names: []string{"memory.max"}}, "cgroup__metrics", "__memory.max__\nmax\n", "memory.max=max"},
		{"too large", jobhandler.Metric{Type: "cgroup"}, "cgroup__metrics", "__memory.peak__\n99999999999999999999\n", ""},
		{"nothing there", jobhandler.Metric{Type: "env"}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "__instrument_"+c.file), []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := jobhandler.ReadMetric(c.metric, dir, jobdir.Outcome{Start: 100, End: 130, Slots: 2, MemoryMB: 512})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				if r.Plugin != c.metric.Type {
					t.Errorf("the plugin is %q", r.Plugin)
				}
				mark := ""
				if r.Number {
					mark = "#"
				}
				got = append(got, r.Name+"="+r.Value+mark)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMetricsConfigurations(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, want, err string }{
		{write("a.xml", `<?xml version="1.0"?><job_metrics><core/><!-- x --><env variables="A, B"/><cpuinfo verbose="true"/></job_metrics>`),
			"[{core false [] } {env false [A B] } {cpuinfo true [] }]", ""},
		{write("a.yml", "- type: core\n- type: cgroup\n  params: [memory.peak]\n  cgroup_mount: /cg\n- type: meminfo\n  verbose: yes\n"),
			"[{core false [] } {cgroup false [memory.peak]  /cg} {meminfo true [] }]", ""},
		{filepath.Join(dir, "missing.xml"), "[]", ""},
		{write("b.xml", "<job_metrics>\n<collectl/></job_metrics>"), "", "line 2: there is no job metrics plugin \"collectl\""},
		{write("b.yml", "type: core\n"), "", "a list of mappings"},
		{write("c.xml", "<job_metrics"), "", "c.xml"},
	} {
		got, err := jobhandler.ReadMetrics(c.path)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.path, err, c.err)
			}
			continue
		}
		if text := strings.ReplaceAll(fmt.Sprint(got), "  }", " }"); err != nil || text != c.want {
			t.Errorf("%s: %s, %v; want %s", c.path, text, err, c.want)
		}
	}
}

func TestJobsAreMeasured(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.adjust = func(h *jobhandler.Handler) {
		h.MetricsOf = func(destination.Choice) []jobhandler.Metric {
			return []jobhandler.Metric{{Type: "core"}, {Type: "cpuinfo"}, {Type: "meminfo"}, {Type: "env", Names: []string{"GALAXY_SLOTS"}}, {Type: "uname", Args: "-s"}, {Type: "hostname"}, {Type: "cgroup"}}
		}
	}
	s.command("good", "true")
	c := s.submit("good", nil)
	s.handler("h1")
	s.wait(c, galaxy.JobOK)
	type row struct{ name, value string }
	rows, err := store.Collect(t.Context(), s.db, func(r *store.Rows) (x row, err error) { return x, r.Scan(&x.name, &x.value) },
		"SELECT plugin || ' ' || metric_name, metric_value FROM job_metric_text WHERE job_id = ?", c.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, r := range rows {
		texts[r.name] = strings.TrimSpace(r.value)
	}
	if texts["env GALAXY_SLOTS"] != "1" || texts["uname uname"] != "Linux" || texts["hostname hostname"] == "" {
		t.Errorf("measured %v", texts)
	}
	if n := s.count("SELECT count(*) FROM job_metric_numeric WHERE job_id = ? AND metric_name IN ('processor_count', 'memtotal', 'runtime_seconds', 'galaxy_slots')", c.Job.ID); n != 4 {
		t.Errorf("%d of 4 numbers were measured", n)
	}
}

func TestWalltimesAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"01:02:03": time.Hour + 2*time.Minute + 3*time.Second, "100:00:00": 100 * time.Hour, "5": 0, "a:b:c": 0, "": 0, "-1:00:00": 0} {
		if got, _ := jobhandler.ReadClock(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func FuzzReadMetric(f *testing.F) {
	f.Add("__memory.peak__\n12\n", "cgroup")
	f.Add("processor : 0\n", "cpuinfo")
	f.Add("A=b\x00", "env")
	f.Add("MemTotal: 1 kB\n", "meminfo")
	f.Fuzz(func(t *testing.T, text, plugin string) {
		dir := t.TempDir()
		for _, name := range []string{"cgroup__metrics", "cpuinfo_cpuinfo", "env_vars", "meminfo_meminfo"} {
			if err := os.WriteFile(filepath.Join(dir, "__instrument_"+name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := jobhandler.ReadMetric(jobhandler.Metric{Type: plugin, Verbose: true}, dir, jobdir.Outcome{})
		for _, r := range rows {
			if err != nil || len(r.Name) > 255*4 || len(r.Value) > 1022*4 {
				t.Errorf("%v, a row of %d and %d bytes", err, len(r.Name), len(r.Value))
			}
		}
	})
}
