package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"orrery/internal/pool"
	"orrery/internal/telemetry"
	"orrery/internal/web"
)

// seen is what a process tells of itself, on its socket in the run folder.
type seen struct {
	*telemetry.Meter
	// ready holds the process once its database is open.
	ready atomic.Pointer[process]
}

// tell opens a process's socket for metrics. It is called before anything else is opened, so that a slow start can be
// looked at.
func tell(p *process) (stop func() error, err error) {
	kind := "web"
	if p.flags.onlyHandler {
		kind = "handler"
	}
	p.seen = &seen{Meter: telemetry.NewMeter(p.flags.serverName, kind)}
	return telemetry.ServeProcess(runDir(p.cfg), p.seen.Meter, map[string]telemetry.Question{
		// The same for all processes: the supervisor and `orrery top` ask one of them.
		"load": p.seen.load,
	})
}

// opened adds what a process with its database open can tell.
func (s *seen) opened(p *process) {
	s.Gauge("orrery_db_connections_open", func() float64 { return float64(p.db.PoolStats().Open) })
	s.Gauge("orrery_db_connections_in_use", func() float64 { return float64(p.db.PoolStats().InUse) })
	s.Gauge("orrery_db_connections_max", func() float64 { return float64(p.db.PoolStats().Most) })
	s.Counting("orrery_db_waits_total", func() uint64 { return uint64(p.db.PoolStats().Waits) })
	s.Gauge("orrery_db_wait_seconds_total", func() float64 { return p.db.PoolStats().Waited.Seconds() })
	s.Counting("orrery_wakeups_sent_total", func() uint64 { sent, _ := p.bus.Counts(); return sent })
	s.Counting("orrery_wakeups_received_total", func() uint64 { _, received := p.bus.Counts(); return received })
	s.ready.Store(p)
}

// observed has requests counted, and logged where gunicorn's accesslog says.
func (p *process) observed(site http.Handler) (http.Handler, error) {
	access, err := p.log.OpenAccess(p.own.Limits.AccessLog)
	if err != nil {
		return nil, err
	}
	return web.Observe(site, web.ObserveOptions{Meter: p.seen.Meter, Access: access, Prefix: strings.TrimSuffix(p.cfg.URLPrefix, "/")}), nil
}

// load counts what there is to do, in the database.
func (s *seen) load(ctx context.Context) (any, error) {
	p := s.ready.Load()
	if p == nil {
		return nil, errors.New("the process is still starting")
	}
	targets, _ := targetsOf(&p.plan.Handling)
	return (&pool.Operator{DB: p.db, Bus: p.bus, IDs: p.ids, Targets: targets}).Load(ctx)
}
