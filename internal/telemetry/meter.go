package telemetry

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Meter is what one process counts. Its methods may be called by several goroutines.
type Meter struct {
	name, kind string
	began      time.Time
	set        *metrics.Set
	requests   *requests

	mu      sync.Mutex
	current *Request // those that are being answered, the newest first
	slots   int
	inHand  func() map[string]int
	ended   map[jobEnd]*histogram // by destination and state
	errors  map[string]*metrics.Counter

	claims, jobsClaimed, tookOver, renewals, renewalsFailed, leasesLost *metrics.Counter
	claiming                                                            *histogram
}

// NewMeter returns the meter of a process with a name and a kind (“web” or “handler”).
func NewMeter(name, kind string) *Meter {
	m := &Meter{name: name, kind: kind, began: time.Now(), set: metrics.NewSet(), requests: newRequests()}
	m.set.NewGauge("orrery_process_start_time_seconds", func() float64 { return float64(m.began.UnixMilli()) / 1000 })
	m.set.NewGauge("orrery_goroutines", func() float64 { return float64(runtime.NumGoroutine()) })
	return m
}

// Gauge adds a value that is asked for whenever metrics are read. The name may carry labels: name{label="value"}.
func (m *Meter) Gauge(name string, value func() float64) { m.set.GetOrCreateGauge(name, value) }

// Counting adds a value that only grows, asked for whenever metrics are read.
func (m *Meter) Counting(name string, value func() uint64) {
	m.set.RegisterMetricsWriter(func(w io.Writer) { metrics.WriteCounterUint64(w, name, value()) })
}

// WritePrometheus writes all in Prometheus's text format.
func (m *Meter) WritePrometheus(w io.Writer) {
	var b bytes.Buffer
	m.set.WritePrometheus(&b)
	if m.kind != "handler" {
		m.requests.write(&b)
		metrics.WriteGaugeFloat64(&b, "orrery_http_requests_in_flight", float64(m.active()))
		metrics.WriteCounterUint64(&b, "orrery_http_request_bytes_total", uint64(m.requests.received.Load()))
		metrics.WriteCounterUint64(&b, "orrery_http_response_bytes_total", uint64(m.requests.sent.Load()))
	}
	m.writeWork(&b)
	metrics.WriteProcessMetrics(&b)
	metrics.WriteFDMetrics(&b)
	_, _ = w.Write(b.Bytes()) // whoever asked may be gone
}

// Current is one request that is being answered.
type Current struct {
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Since  time.Time `json:"since"`
}

// Stats are what one process says of itself on its socket as JSON.
type Stats struct {
	Name  string    `json:"name"`
	Kind  string    `json:"kind"`
	PID   int       `json:"pid"`
	Began time.Time `json:"began"`
	// Status is “idle” or “busy”.
	Status string `json:"status"`
	// Requests are those that were answered, Exceptions those of them that failed in the server (5xx).
	Requests   uint64 `json:"requests"`
	Exceptions uint64 `json:"exceptions"`
	// Active are being answered now; Current are the oldest of them.
	Active  int       `json:"active"`
	Current []Current `json:"current,omitempty"`
	// AverageTime is a request's, the last ones weighing more, RunningTime that of all together; in microseconds.
	AverageTime int64 `json:"average_time"`
	RunningTime int64 `json:"running_time"`
	Sent        int64 `json:"sent"` // bytes of answers
	Received    int64 `json:"received"`
	RSS         int64 `json:"rss"` // bytes
	VSZ         int64 `json:"vsz"`
	// Slots are how many jobs it takes at once, Jobs those that it has, by what it does with them; Claimed, Ended and
	// TakenOver count since its start.
	Slots     int            `json:"slots"`
	Jobs      map[string]int `json:"jobs,omitempty"`
	Claimed   uint64         `json:"claimed"`
	TakenOver uint64         `json:"taken_over"`
	Ended     uint64         `json:"ended"`
}

// maxCurrent bounds Stats.Current.
const maxCurrent = 16

// Stats reads them.
func (m *Meter) Stats() Stats {
	q := m.requests
	s := Stats{
		Name: m.name, Kind: m.kind, PID: os.Getpid(), Began: m.began, Status: "idle", Requests: q.answered.Load(), Exceptions: q.failed.Load(),
		Active: m.active(), AverageTime: q.average.Load() / 1000, RunningTime: q.running.Load() / 1000, Sent: q.sent.Load(), Received: q.received.Load(),
	}
	s.RSS, s.VSZ = sizes()
	m.mu.Lock()
	for r := m.current; r != nil; r = r.next {
		s.Current = append(s.Current, Current{Method: r.Method, Path: r.Path, Since: r.Begun})
	}
	s.Slots = m.slots
	inHand := m.inHand
	for _, h := range m.ended {
		for i := range h.counts {
			s.Ended += h.counts[i].Load()
		}
	}
	if m.claims != nil {
		s.Claimed, s.TakenOver = m.jobsClaimed.Get(), m.tookOver.Get()
	}
	m.mu.Unlock()
	slices.SortFunc(s.Current, func(a, b Current) int { return cmp.Compare(a.Since.UnixNano(), b.Since.UnixNano()) })
	s.Current = s.Current[:min(len(s.Current), maxCurrent)]
	if inHand != nil {
		s.Jobs = maps.Clone(inHand())
	}
	if s.Active > 0 || len(s.Jobs) > 0 {
		s.Status = "busy"
	}
	return s
}

func (m *Meter) active() int {
	n := int(m.requests.hot.Load())
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := m.current; r != nil; r = r.next {
		n++
	}
	return n
}

// sizes reads this process's memory, resident and virtual, in bytes.
func sizes() (rss, vsz int64) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	pages := func(i int) int64 {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0
		}
		return n * page
	}
	return pages(1), pages(0)
}
