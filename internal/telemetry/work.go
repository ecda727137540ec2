package telemetry

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// maxSeries bounds the destinations and runners that are told apart: rules may make up names.
const maxSeries = 100

// jobEnd is what the durations of jobs are told apart by.
type jobEnd struct{ destination, state string }

// Handles says that this process handles jobs: as many as slots at once, by these runners, and inHand gives those that it
// has by what it does with them. From then on what a handler counts is among the metrics.
func (m *Meter) Handles(slots int, runners []string, inHand func() map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots, m.inHand = slots, inHand
	if m.claims != nil {
		return
	}
	m.claims = m.set.NewCounter("orrery_claims_total")
	m.jobsClaimed = m.set.NewCounter("orrery_jobs_claimed_total")
	m.tookOver = m.set.NewCounter("orrery_jobs_taken_over_total")
	m.renewals = m.set.NewCounter("orrery_lease_renewals_total")
	m.renewalsFailed = m.set.NewCounter("orrery_lease_renewals_failed_total")
	m.leasesLost = m.set.NewCounter("orrery_leases_lost_total")
	m.claiming = newHistogram("orrery_claim_duration_seconds", "", claimBounds)
	m.ended, m.errors = map[jobEnd]*histogram{}, map[string]*metrics.Counter{}
	for _, r := range runners {
		m.errors[r] = m.set.GetOrCreateCounter("orrery_runner_errors_total{" + Label("runner", r) + "}")
	}
}

// counts tells whether Handles was called.
func (m *Meter) counts() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims != nil
}

// Claimed counts one claim: how many jobs it got and how long the database took.
func (m *Meter) Claimed(jobs int, took time.Duration) {
	if m.counts() {
		m.claims.Inc()
		m.jobsClaimed.Add(jobs)
		m.claiming.observe(took)
	}
}

// TookOver counts jobs that were another's.
func (m *Meter) TookOver(jobs int) {
	if m.counts() {
		m.tookOver.Add(jobs)
	}
}

// Renewed counts a renewal of the lease; err is why it failed.
func (m *Meter) Renewed(err error) {
	switch {
	case !m.counts():
	case err != nil:
		m.renewalsFailed.Inc()
	default:
		m.renewals.Inc()
	}
}

// LeaseLost counts a lease that ended though this process lives.
func (m *Meter) LeaseLost() {
	if m.counts() {
		m.leasesLost.Inc()
	}
}

// JobEnded counts a job: where it ran (“” when it did not), its last state and how long it was in this handler's hands.
func (m *Meter) JobEnded(destination, state string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims == nil {
		return
	}
	key := jobEnd{destination, state}
	h := m.ended[key]
	if h == nil {
		if len(m.ended) >= maxSeries {
			key.destination = "(others)"
		}
		if h = m.ended[key]; h == nil {
			h = newHistogram("orrery_job_duration_seconds", "destination="+label(key.destination)+",state="+label(key.state), jobBounds)
			m.ended[key] = h
		}
	}
	h.observe(took)
}

// RunnerFailed counts a job that a runner could not take or lost.
func (m *Meter) RunnerFailed(runner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims == nil {
		return
	}
	c := m.errors[runner]
	if c == nil {
		if len(m.errors) >= maxSeries {
			return
		}
		c = m.set.GetOrCreateCounter("orrery_runner_errors_total{" + Label("runner", runner) + "}")
		m.errors[runner] = c
	}
	c.Inc()
}

// writeWork writes what is not in the set.
func (m *Meter) writeWork(w io.Writer) {
	m.mu.Lock()
	handles, inHand, slots := m.claims != nil, m.inHand, m.slots
	ended := make([]*histogram, 0, len(m.ended))
	for _, h := range m.ended {
		ended = append(ended, h)
	}
	m.mu.Unlock()
	if !handles {
		return
	}
	metrics.WriteGaugeFloat64(w, "orrery_handler_slots", float64(slots))
	if inHand != nil {
		total := 0
		for stage, n := range inHand() {
			metrics.WriteGaugeFloat64(w, "orrery_handler_jobs{stage="+label(stage)+"}", float64(n))
			total += n
		}
		metrics.WriteGaugeFloat64(w, "orrery_handler_jobs_in_hand", float64(total))
	}
	m.claiming.write(w)
	for _, h := range ended {
		h.write(w)
	}
}

// label renders the value of a label.
func label(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	s = strings.ToValidUTF8(s, "�")
	if !strings.ContainsAny(s, "\\\"\n") {
		return `"` + s + `"`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Label writes name="value" as Prometheus's text format quotes it.
func Label(name, value string) string { return name + "=" + label(value) }

// Number renders a sample's value.
func Number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
