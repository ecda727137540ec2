package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/pool"
)

func TestPoolCommandsThatMeanNothing(t *testing.T) {
	for line, says := range map[string]string{
		"dance":                        "no command",
		"drain":                        "which handler",
		"list h1":                      "what is \"h1\" for",
		"jobs h1":                      "what is \"h1\" for",
		"jobs --state ok":              "--state is one of",
		"list --state new":             "--state means nothing",
		"drain h1 --to h2":             "--to means nothing",
		"reassign --from h1":           "where the jobs go",
		"reassign --to h1":             "which jobs",
		"reassign --to h1 --handler x": "--handler means nothing",
		"--nonsense":                   "nonsense",
	} {
		err := runPool(strings.Fields(line))
		var status *statusError
		if !errors.As(err, &status) || status.ExitStatus() != exitUsage || !strings.Contains(err.Error(), says) {
			t.Errorf("orrery pool %s: %v, want %q and status %d", line, err, says, exitUsage)
		}
	}
}

func TestThePoolInWords(t *testing.T) {
	oldest := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	var out bytes.Buffer
	if err := printPool(&out, pool.Report{
		Handlers: []pool.HandlerReport{
			{Name: "h1", State: pool.Alive, Host: "node1", PID: 7, Version: "1", UptimeSeconds: 3700, Pools: []string{"_default_", "big"}, Slots: 4, Claimed: 3, Running: 2, ClaimsPerSecond: 1.26},
			{Name: "h2", State: pool.Lost, Drained: true},
		},
		Waiting: []pool.WaitingReport{{Target: "special", New: 2, Oldest: &oldest, Why: "no living process serves it"}},
	}, map[string][]string{"special": {"a", "b", "c", "d", "e", "f"}}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"HANDLER STATE HOST PROCESS VERSION UPTIME TAKES SLOTS CLAIMED RUNNING CLAIMS/S",
		"h1 alive node1 7 1 1h1m _default_, big 4 3 2 1.3",
		"h2 lost, drained 0 0s only what is sent to its name 0 0 0 0.0",
		"", "Served by nobody:",
		"TARGET NEW UNDER WAY OLDEST WHY SENT THERE",
		"special 2 0 2026-01-02 03:04:05 no living process serves it a, b, c, d and 2 more",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("the pool is shown as\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestJobIDs(t *testing.T) {
	ids, err := galaxy.NewIDCodec("secret")
	if err != nil {
		t.Fatal(err)
	}
	c := &poolCommand{ids: ids}
	for text, want := range map[string]int64{"17": 17, ids.Encode(17): 17, "0": 0, "-3": 0, "x": 0, "": 0, "99999999999999999999": 0} {
		if got, err := c.jobID(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("job %q is %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestUptimes(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 26*time.Hour + time.Minute: "1d2h"} {
		if got := inWords(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
	}
}
