package telemetry

import (
	"io"
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

// The bounds of histograms, in seconds.
var (
	requestBounds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	claimBounds   = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	jobBounds     = []float64{1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600, 168 * 3600}
)

// histogram counts durations in Prometheus's cumulative buckets. It is lock-free, for requests come by the ten thousand.
type histogram struct {
	name, labels string // labels without braces
	bounds       []float64
	counts       []atomic.Uint64 // one more than bounds
	nanoseconds  atomic.Int64
}

func newHistogram(name, labels string, bounds []float64) *histogram {
	return &histogram{name: name, labels: labels, bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

func (h *histogram) observe(d time.Duration) {
	seconds, i := d.Seconds(), 0
	for i < len(h.bounds) && seconds > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanoseconds.Add(int64(d))
}

// write writes it in Prometheus's text format; not at all while it is empty.
func (h *histogram) write(w io.Writer) {
	var sum uint64
	var text []byte
	separator := ""
	if h.labels != "" {
		separator = ","
	}
	for i := range h.counts {
		sum += h.counts[i].Load()
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		text = append(text, h.name+"_bucket{"+h.labels+separator+`le="`...)
		if math.IsInf(bound, 1) {
			text = append(text, "+Inf"...)
		} else {
			text = strconv.AppendFloat(text, bound, 'g', -1, 64)
		}
		text = append(text, `"} `...)
		text = strconv.AppendUint(text, sum, 10)
		text = append(text, '\n')
	}
	if sum == 0 {
		return
	}
	labels := ""
	if h.labels != "" {
		labels = "{" + h.labels + "}"
	}
	text = append(text, h.name+"_sum"+labels+" "...)
	text = strconv.AppendFloat(text, time.Duration(h.nanoseconds.Load()).Seconds(), 'g', -1, 64)
	text = append(text, "\n"+h.name+"_count"+labels+" "...)
	text = append(strconv.AppendUint(text, sum, 10), '\n')
	_, _ = w.Write(text) // to memory
}
