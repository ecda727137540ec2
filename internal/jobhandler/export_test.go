package jobhandler

import "time"

// GraceOver puts a clock of the test's in the place of the real one.
func (h *Handler) GraceOver(clock func(time.Duration) <-chan time.Time) { h.graceOver = clock }

// InjectFaults is injectFaults, for the processes of tests.
var InjectFaults = injectFaults

// Watch is the watchdog's judgement, for tests.
var (
	NewPulse = func() *pulse { return &pulse{} }
	Beat     = (*pulse).beat
	Watch    = (*pulse).watch
)

// ReadMetric is readMetric, for tests.
var (
	ReadMetric = readMetric
	Instrument = instrument
	Overstep   = (*Handler).overstepped
	ReadClock  = clock
)
