package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
)

// baseOf is what a rate is a ratio to: the plain TCP listener, asked by the same client in the same manner.
func baseOf(name string) string {
	switch {
	case strings.HasSuffix(name, "by our own client"):
		return rateTCPOurs
	case strings.HasSuffix(name, "a new connection for each request"), strings.Contains(name, "uwsgi protocol over"):
		return rateTCPFresh
	}
	return rateTCP
}

// print writes the tables.
func (b *listenBench) print(w io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured with %d processors (%s), Linux %s; medians of %d rounds, in brackets the least and the most. `GET /api/version`, %d clients; Orrery with 2 web workers, Gunicorn with 2, uWSGI with 2 processes.\n\n",
		runtime.NumCPU(), cpuModel(), kernel(), b.rounds, b.connections)
	t.WriteString("| requests per second | median | as a share of |\n|---|---|---|\n")
	for _, name := range b.rates.order {
		base := baseOf(name)
		share := "1"
		if name != base {
			share = fmt.Sprintf("%.2f of “%s”", median(b.ratios(name, base)), base)
		}
		fmt.Fprintf(&t, "| %s | %s | %s |\n", name, spread(b.rates.values[name], "/s"), share)
	}
	fmt.Fprintf(&t, "\n| server | start to first answer | memory after %d s without requests (PSS) | of one process |\n|---|---|---|---|\n", b.idle)
	for _, m := range b.memory {
		fmt.Fprintf(&t, "| %s | %s | %s MB | %s |\n", m.server, spread(b.starting.values[m.server], " s"), number(m.total), m.kinds())
	}
	fmt.Fprintf(&t, "\nOf Orrery's processes, a web worker is ready %s after it was started, a job handler after %s.\n",
		spread(b.starting.values["Orrery's worker"], " s"), spread(b.starting.values["Orrery's handler"], " s"))
	_, err := io.WriteString(w, t.String())
	return err
}

// ratios are a figure's ratios to another, round by round.
func (b *listenBench) ratios(name, base string) []float64 {
	var out []float64
	for i, value := range b.rates.values[name] {
		if bases := b.rates.values[base]; i < len(bases) && bases[i] > 0 {
			out = append(out, value/bases[i])
		}
	}
	return out
}
