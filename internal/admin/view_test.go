package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// two are snapshots of a server, two seconds apart.
func two() (now, before Snapshot) {
	report := supervisor.Report{Name: "orrery", Host: "node1", PID: 1, Version: "1.0", Since: noon.Add(-time.Hour), Config: "galaxy.yml", Problem: "the new configuration does not load",
		Processes: []supervisor.ProcessReport{
			{Name: "main.1", Kind: deployment.Web, State: "ready", PID: 11, Since: noon.Add(-time.Minute), Memory: 40e6, Restarts: 2},
			{Name: "main.2", Kind: deployment.Web, State: "starting", PID: 12, Since: noon},
			{Name: "handler_0", Kind: deployment.Handler, State: "ready", PID: 13, Since: noon, Memory: 20e6},
		}}
	before = Snapshot{Time: noon.Add(-2 * time.Second), Supervisors: []supervisor.Report{report}, Load: &Load{Jobs: []Jobs{{State: "new", Handler: "_default_", Jobs: 20}}}}
	now = Snapshot{Time: noon, Supervisors: []supervisor.Report{report}, Load: &Load{Jobs: []Jobs{
		{State: "new", Handler: "_default_", Jobs: 6}, {State: "running", Handler: "handler_0", Pool: "_default_", Jobs: 4}, {State: "new", Handler: "special", Jobs: 1},
	}}}
	before.Processes = []telemetry.Stats{
		{Name: "main.1", Kind: "web", PID: 11, Requests: 100, RunningTime: 1_000_000, Sent: 1000},
		{Name: "handler_0", Kind: "handler", PID: 13, Claimed: 10, Ended: 8},
	}
	now.Processes = []telemetry.Stats{
		{Name: "main.1", Kind: "web", PID: 11, Requests: 300, Exceptions: 2, RunningTime: 3_000_000, Sent: 5000, Active: 1,
			Current: []telemetry.Current{{Method: "GET", Path: "/api/\x1b[2J", Since: noon.Add(-3 * time.Second)}}},
		{Name: "handler_0", Kind: "handler", PID: 13, Slots: 4, Jobs: map[string]int{"handed over": 3, "waiting": 1}, Claimed: 18, Ended: 14},
		{Name: "by_hand", Kind: "handler", PID: 14, Slots: 2},
	}
	now.Load.Report.Handlers = []Handler{
		{Name: "handler_0", State: "drained", Host: "node1", PID: 13, Pools: []string{"_default_"}},
		{Name: "far", State: "alive", Host: "node2", PID: 13, Pools: []string{"_default_", "big"}, Slots: 8, Claimed: 2, ClaimsPerSecond: 0.5},
	}
	now.Load.Report.Waiting = []Waiting{{Target: "special", New: 1, Why: "no living process serves it"}}
	return now, before
}

func TestViewHasTheRates(t *testing.T) {
	v := NewView(two())
	if len(v.Web) != 2 || len(v.Handlers) != 3 || len(v.Pools) != 3 {
		t.Fatalf("%d web workers, %d handlers, %d pools", len(v.Web), len(v.Handlers), len(v.Pools))
	}
	if w := v.Web[0]; w.RequestsPerSecond != 100 || w.ErrorsPerSecond != 1 || w.SentPerSecond != 2000 || w.Latency != 10*time.Millisecond || w.Active != 1 || w.Memory != 40e6 {
		t.Errorf("web worker: %+v", w)
	}
	find := func(name string) HandlerRow {
		i := slices.IndexFunc(v.Handlers, func(h HandlerRow) bool { return h.Name == name })
		if i < 0 {
			t.Fatalf("there is no %s", name)
		}
		return v.Handlers[i]
	}
	if h := find("handler_0"); h.State != "drained" || h.Jobs != 4 || h.Slots != 4 || h.ClaimsPerSecond != 4 || h.EndsPerSecond != 3 || h.Host != "node1" {
		t.Errorf("handler: %+v", h)
	}
	if h := find("far"); h.Host != "node2" || h.Jobs != 2 || h.ClaimsPerSecond != 0.5 {
		t.Errorf("another host's: %+v", h)
	}
	if h := find("by_hand"); h.State != "alone" || h.Slots != 2 {
		t.Errorf("one that nobody supervises: %+v", h)
	}
	for i, want := range []PoolRow{
		{Pool: "_default_", New: 6, Running: 4, Change: -5, Handlers: 1},
		{Pool: "big", Handlers: 1},
		{Pool: "special", New: 1, Change: 0.5, Why: "no living process serves it"},
	} {
		if v.Pools[i] != want {
			t.Errorf("pool: %+v, want %+v", v.Pools[i], want)
		}
	}
	if len(v.Problems) != 1 {
		t.Errorf("problems: %q", v.Problems)
	}
	now, _ := two()
	if v := NewView(now, Snapshot{}); v.Seconds != 0 || v.Web[0].RequestsPerSecond != 0 {
		t.Errorf("with nothing to compare with: %+v", v.Web[0])
	}
	v.Sort(ByMemory)
	if v.Web[0].Name != "main.1" || v.Handlers[0].Name != "handler_0" {
		t.Error("not sorted by memory")
	}
}

func TestScreenFits(t *testing.T) {
	v := NewView(two())
	for i := range 200 {
		v.Handlers = append(v.Handlers, HandlerRow{Name: fmt.Sprintf("handler_%d", i), State: "ready", Pools: []string{"_default_"}})
	}
	for _, size := range [][2]int{{80, 24}, {130, 50}, {200, 30}, {40, 10}, {20, 3}, {80, 0}} {
		lines := v.Screen(size[0], size[1], ByName, false)
		if size[1] > 0 && len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > size[0] {
				t.Errorf("%v: a line of %d characters: %s", size, n, l)
			}
			if strings.ContainsRune(l, 27) {
				t.Errorf("%v: a line that does something to the terminal: %q", size, l)
			}
		}
		text := strings.Join(lines, "\n")
		if size[1] > 20 && size[0] >= 80 {
			for _, want := range []string{"WEB WORKER", "main.2", "JOB HANDLER", "and 1", "more", "POOL", "special", "no living", "problem", "q quit"} {
				if !strings.Contains(text, want) {
					t.Errorf("%v lacks %q:\n%s", size, want, text)
				}
			}
		}
	}
	if text := strings.Join(v.Screen(120, 0, ByName, true), "\n"); !strings.Contains(text, "\x1b[31m  problem") || !strings.Contains(text, "/api/?[2J 3s") {
		t.Error(text)
	}
}
