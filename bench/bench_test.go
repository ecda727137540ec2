package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}

func TestNumbersHaveThreeDigitsAndThousandsApart(t *testing.T) {
	for v, want := range map[float64]string{0.2345: "0.23", 12.34: "12.3", 345.6: "346", 1234.4: "1,234", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("%v became %q, want %q", v, got, want)
		}
	}
}

func TestWrkReports(t *testing.T) {
	good := "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 16 connections\n  90 requests in 3.00s, 1.2MB read\nRequests/sec:  30123.45\nTransfer/sec:  1.23MB\n"
	if got, err := parseWrk(good); err != nil || got != 30123.45 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{
		"", good + "  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n" + good,
	} {
		if got, err := parseWrk(bad); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}

func TestPgbenchReports(t *testing.T) {
	report := "pgbench (15.18)\nlatency average = 0.811 ms\ninitial connection time = 3.1 ms\ntps = 1233.05 (without initial connection time)\n"
	if got, err := parsePgbench(report); err != nil || got != 1233.05 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parsePgbench("connection refused"); err == nil {
		t.Error("a report without a rate was accepted")
	}
}

func TestProcessTimes(t *testing.T) {
	parent, used, err := parseStat("42 (a ) (b) S 7 1 1 0 -1 0 0 0 0 0 150 50 300 100 20 0 1 0 0 0\n")
	if err != nil || parent != 7 || used.own != 2 || used.children != 4 {
		t.Errorf("got %v, %+v, %v", parent, used, err)
	}
	for _, bad := range []string{"", "42 (x) S 7", "42 (x) " + strings.Repeat("x ", 20)} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestPSS(t *testing.T) {
	got, err := parsePSS("00400000-7fff [rollup]\nRss:  5000 kB\nPss:                1000 kB\nPss_Anon: 10 kB\n")
	if err != nil || got != 1.024 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parsePSS("Rss: 1 kB\n"); err == nil {
		t.Error("a text without Pss was accepted")
	}
}

func TestToolsOfOursAreLeftOut(t *testing.T) {
	for text, want := range map[string]bool{
		`<tool id="other" name="x">`: true, `<tool id="cat1" name="x">`: false, `<macros/>`: false, "<tool\n": false,
		`<tool id="x"><description>like id="cat1"</description>`: true,
	} {
		if got := isTool(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestKindOfProcess(t *testing.T) {
	for line, want := range map[string]string{"/bin/orrery\x00web\x00-c\x00x": "web", "/bin/orrery": "", "/bin/orrery\x00handler": "handler"} {
		if got := kindOf(line); got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		r     row
		value float64
		want  string
	}{
		{row{target: 60, atMost: true}, 30, "yes, 2.00×"}, {row{target: 60, atMost: true}, 120, "no, 0.50×"},
		{row{target: 500}, 1000, "yes, 2.00×"}, {row{target: 500}, 250, "no, 0.50×"}, {row{}, 1, ""},
	} {
		if got := c.r.verdict(c.value); got != c.want {
			t.Errorf("%+v with %v: %q, want %q", c.r, c.value, got, c.want)
		}
	}
}

func TestTheClaimsTable(t *testing.T) {
	b := &claimBench{claimOptions: claimOptions{slots: 50, idle: 200, rounds: 1}, counts: []int{1}}
	b.rates.add(riverFigure(50, 1), 1000)
	b.rates.add(claimFigure("postgresql", "db-skip-locked", whatClaim, "empty", 1), 900)
	b.rates.add(claimFigure("postgresql", "db-skip-locked", whatClaim, "full", 1), 810)
	b.latency.add(latencyFigure("postgresql", "sockets", "full"), 20)
	b.idled.add(figureIdleQueries, 30)
	var out strings.Builder
	if err := b.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| postgresql | River, 50 workers each | work | empty table | 1 | 1,000/s |",
		"| claims of 1 handlers, full table, as a share of River's rate with 50 workers | 0.81 | ≥ 0.50 | yes, 1.62× |",
		"| claims of 1 handlers, full table, as a share of those with an empty one | 0.90 | ≥ 0.80 | yes, 1.12× |",
		"| latency of a claim on PostgreSQL, sockets, full table, ms | 20.0 | ≤ 10.0 | no, 0.50× |",
		"| queries per second of the idle pool | 30.0 | ≤ 60.0 | yes, 2.00× |",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line\n%s\nin\n%s", line, out.String())
		}
	}
	if strings.Contains(out.String(), "PgBouncer") {
		t.Error("what was not measured has a table")
	}
}
