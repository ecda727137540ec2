package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
)

// claimFigure is what one rate of claims is called; the parts are in the order of the table's columns.
func claimFigure(engine, method, what, table string, handlers int) string {
	return fmt.Sprintf("%s|%s|%s|%s table|%d", engine, method, what, table, handlers)
}

func riverFigure(workers, clients int) string {
	return fmt.Sprintf("postgresql|River, %d workers each|work|empty table|%d", workers, clients)
}

func latencyFigure(engine, way, table string) string {
	return fmt.Sprintf("%s|%s|%s table", engine, way, table)
}

func bouncerFigure(mode, statements string, connections, handlers int) string {
	return fmt.Sprintf("pool_mode=%s|%s|%d|%d", mode, statements, connections, handlers)
}

// print writes the tables.
func (b *claimBench) print(w io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured with %d processors (%s), Linux %s; medians of %d rounds, in brackets the least and the most. %d jobs wait; the full table has %d finished ones besides; claims are of at most %d jobs.\n",
		runtime.NumCPU(), cpuModel(), kernel(), b.rounds, b.waiting, b.finished, b.slots)
	section := func(title, head string, in map[string][]float64, order []string, unit string) {
		if len(order) == 0 {
			return
		}
		fmt.Fprintf(&t, "\n%s\n\n| %s |\n|%s\n", title, head, strings.Repeat("---|", strings.Count(head, "|")+1))
		for _, name := range order {
			fmt.Fprintf(&t, "| %s | %s |\n", strings.ReplaceAll(name, "|", " | "), spread(in[name], unit))
		}
	}
	section("Jobs per second:", "database | who | what | jobs in the table | processes | median", b.rates.values, b.rates.order, "/s")
	section("A single job on an idle pool of four handlers, from the moment its creation is durable until its claim is:",
		"database | woken by | jobs in the table | median", b.latency.values, b.latency.order, " ms")
	section("Behind PgBouncer, claim and finish (0: it does not work):", "PgBouncer | how statements are sent | its connections | handlers | median",
		b.bounced.values, b.bounced.order, "/s")
	section(fmt.Sprintf("%d idle handlers on two hosts, one PostgreSQL:", b.idle), "what | figure", b.idled.values, b.idled.order, "")
	t.WriteString(b.verdicts())
	_, err := io.WriteString(w, t.String())
	return err
}

// verdicts sets the figures beside what is to be reached.
func (b *claimBench) verdicts() string {
	var t strings.Builder
	say := func(what string, value, target float64, atMost bool) {
		r := row{target: target, atMost: atMost}
		if verdict := r.verdict(value); verdict != "" {
			fmt.Fprintf(&t, "| %s | %s | %s | %s |\n", what, number(value), r.bound(), verdict)
		}
	}
	ofRates := func(name string) float64 { return median(b.rates.values[name]) }
	for _, n := range b.counts {
		for _, workers := range []int{b.slots, riverBenchWorkers} {
			if river := ofRates(riverFigure(workers, n)); river > 0 {
				say(fmt.Sprintf("claims of %d handlers, full table, as a share of River's rate with %d workers", n, workers),
					ofRates(claimFigure("postgresql", "db-skip-locked", whatClaim, "full", n))/river, 0.5, false)
			}
		}
	}
	for _, n := range b.counts {
		if empty := ofRates(claimFigure("postgresql", "db-skip-locked", whatClaim, "empty", n)); empty > 0 {
			say(fmt.Sprintf("claims of %d handlers, full table, as a share of those with an empty one", n),
				ofRates(claimFigure("postgresql", "db-skip-locked", whatClaim, "full", n))/empty, 0.8, false)
		}
	}
	for _, way := range []string{"sockets", "NOTIFY"} {
		for _, table := range []string{"empty", "full"} {
			say("latency of a claim on PostgreSQL, "+way+", "+table+" table, ms", median(b.latency.values[latencyFigure("postgresql", way, table)]), 10, true)
		}
	}
	say(figureIdleQueries, median(b.idled.values[figureIdleQueries]), 60, true)
	say(figureIdleConnections, median(b.idled.values[figureIdleConnections]), 100, true)
	if t.Len() == 0 {
		return ""
	}
	return "\n| what is to be reached | figure | target | reached |\n|---|---|---|---|\n" + t.String()
}

// figures are values by name, in the order in which they were first measured.
type figures struct {
	values map[string][]float64
	order  []string
}

func (f *figures) add(name string, value float64) {
	if f.values == nil {
		f.values = map[string][]float64{}
	}
	if !slices.Contains(f.order, name) {
		f.order = append(f.order, name)
	}
	f.values[name] = append(f.values[name], value)
}
