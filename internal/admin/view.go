package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// View is what `orrery top` shows: a snapshot with what has changed since another one.
type View struct {
	Time time.Time `json:"time"`
	// Seconds is the time that rates are of; 0 when there is nothing to compare with, and then they are.
	Seconds     float64             `json:"seconds"`
	Supervisors []supervisor.Report `json:"supervisors"`
	// Problems are lines about what is wrong.
	Problems []string     `json:"problems"`
	Web      []WebRow     `json:"web_workers"`
	Handlers []HandlerRow `json:"handlers"`
	Pools    []PoolRow    `json:"pools"`
}

// WebRow is one web worker.
type WebRow struct {
	Name              string  `json:"name"`
	State             string  `json:"state"`
	PID               int     `json:"pid"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	ErrorsPerSecond   float64 `json:"errors_per_second"`
	SentPerSecond     float64 `json:"sent_bytes_per_second"`
	// Active are the requests that are being answered.
	Active int `json:"active"`
	// Latency is the average of the time between the snapshots, or of the last requests when there were none.
	Latency  time.Duration `json:"latency_ns"`
	Requests uint64        `json:"requests"`
	Memory   int64         `json:"memory"`
	Restarts int           `json:"restarts"`
	Since    time.Time     `json:"since"`
	// Now is the request that is being answered for the longest time.
	Now *telemetry.Current `json:"now,omitempty"`
}

// HandlerRow is one process that handles jobs: a job handler, or a web worker that does both.
type HandlerRow struct {
	Name            string         `json:"name"`
	State           string         `json:"state"` // the supervisor's, or “drained”, “lost” or “alive” as the pool has it
	Host            string         `json:"host"`
	PID             int            `json:"pid"`
	Slots           int            `json:"slots"`
	Jobs            int            `json:"jobs"` // in hand
	Stages          map[string]int `json:"stages,omitempty"`
	ClaimsPerSecond float64        `json:"claims_per_second"`
	EndsPerSecond   float64        `json:"ends_per_second"`
	Memory          int64          `json:"memory"` // 0 when it is not of this host
	Restarts        int            `json:"restarts"`
	Since           time.Time      `json:"since"`
	Pools           []string       `json:"pools"`
}

// PoolRow is where jobs are sent: a tag, or a handler's name.
type PoolRow struct {
	Pool    string `json:"pool"`
	New     int    `json:"new"`
	Queued  int    `json:"queued"`
	Running int    `json:"running"`
	Other   int    `json:"other"` // being stopped
	// Change is how many unfinished jobs come and go, per second: more come when it is positive.
	Change   float64 `json:"change_per_second"`
	Handlers int     `json:"handlers"` // that live and serve it
	Why      string  `json:"why,omitempty"`
}

// NewView compares a snapshot with an earlier one; before may be the zero value.
func NewView(s, before Snapshot) View {
	v := View{Time: s.Time, Supervisors: s.Supervisors, Problems: []string{}, Web: []WebRow{}, Handlers: []HandlerRow{}, Pools: []PoolRow{}}
	if !before.Time.IsZero() {
		v.Seconds = s.Time.Sub(before.Time).Seconds()
	}
	for _, r := range s.Supervisors {
		if r.Problem != "" {
			v.Problems = append(v.Problems, r.Problem)
		}
		if r.ConfigChanged {
			v.Problems = append(v.Problems, "the configuration files are others than those that the server runs by; `orrery update` takes them")
		}
		for _, p := range r.Processes {
			if p.State == "crashing" {
				v.Problems = append(v.Problems, p.Name+" crashes again and again: "+p.Detail)
			}
		}
	}
	if s.Problem != "" {
		v.Problems = append(v.Problems, s.Problem)
	}
	earlier := map[int]telemetry.Stats{}
	for _, p := range before.Processes {
		earlier[p.PID] = p
	}
	v.addProcesses(s, earlier)
	v.addPool(s)
	v.addJobs(s, before)
	return v
}

// rate is what a count grew by, per second; a count that fell is another process's.
func (v *View) rate(now, before uint64) float64 {
	if v.Seconds <= 0 || now < before {
		return 0
	}
	return float64(now-before) / v.Seconds
}

// addProcesses adds the processes of this host: those of the supervisors, and those that run by themselves.
func (v *View) addProcesses(s Snapshot, earlier map[int]telemetry.Stats) {
	told := map[int]telemetry.Stats{}
	for _, p := range s.Processes {
		told[p.PID] = p
	}
	for _, r := range s.Supervisors {
		for _, p := range r.Processes {
			stats, was := told[p.PID], earlier[p.PID]
			delete(told, p.PID)
			v.addProcess(p, stats, was)
		}
	}
	for _, p := range s.Processes {
		if stats, alone := told[p.PID]; alone {
			v.addProcess(supervisor.ProcessReport{Name: p.Name, Kind: deployment.Kind(p.Kind), State: "alone", PID: p.PID, Since: p.Began, Memory: p.RSS}, stats, earlier[p.PID])
		}
	}
}

func (v *View) addProcess(p supervisor.ProcessReport, now, before telemetry.Stats) {
	if before.PID == 0 {
		before = now // nothing is known of the time between
	}
	if p.Kind == deployment.Web {
		w := WebRow{
			Name: p.Name, State: p.State, PID: p.PID, Active: now.Active, Requests: now.Requests, Memory: p.Memory, Restarts: p.Restarts, Since: p.Since,
			RequestsPerSecond: v.rate(now.Requests, before.Requests), ErrorsPerSecond: v.rate(now.Exceptions, before.Exceptions),
			SentPerSecond: v.rate(uint64(now.Sent), uint64(before.Sent)), Latency: time.Duration(now.AverageTime) * time.Microsecond,
		}
		if n := now.Requests - before.Requests; now.Requests > before.Requests && now.RunningTime >= before.RunningTime {
			w.Latency = time.Duration(now.RunningTime-before.RunningTime) * time.Microsecond / time.Duration(n)
		}
		if len(now.Current) > 0 {
			w.Now = &now.Current[0]
		}
		v.Web = append(v.Web, w)
	}
	if p.Kind == deployment.Handler || now.Slots > 0 {
		h := HandlerRow{
			Name: p.Name, State: p.State, PID: p.PID, Slots: now.Slots, Stages: now.Jobs, Memory: p.Memory, Restarts: p.Restarts, Since: p.Since,
			ClaimsPerSecond: v.rate(now.Claimed, before.Claimed), EndsPerSecond: v.rate(now.Ended, before.Ended), Pools: []string{},
		}
		for _, n := range now.Jobs {
			h.Jobs += n
		}
		v.Handlers = append(v.Handlers, h)
	}
}

// addPool adds what the database knows of the handlers: their pools, and those of other hosts.
func (v *View) addPool(s Snapshot) {
	if s.Load == nil {
		return
	}
	here := map[string]bool{}
	for _, r := range s.Supervisors {
		here[r.Host] = true
	}
	for _, h := range s.Load.Report.Handlers {
		i := slices.IndexFunc(v.Handlers, func(row HandlerRow) bool {
			return row.Name == h.Name && row.PID == h.PID && (here[h.Host] || len(here) == 0)
		})
		if i < 0 {
			v.Handlers = append(v.Handlers, HandlerRow{
				Name: h.Name, State: h.State, Host: h.Host, PID: h.PID, Slots: h.Slots, Jobs: h.Claimed, ClaimsPerSecond: h.ClaimsPerSecond,
				Since: s.Time.Add(-time.Duration(h.UptimeSeconds) * time.Second), Pools: h.Pools,
			})
			continue
		}
		row := &v.Handlers[i]
		row.Host, row.Pools = h.Host, h.Pools
		if h.State != "alive" {
			row.State = h.State
		}
	}
}

// addJobs counts the jobs by pool.
func (v *View) addJobs(s, before Snapshot) {
	if s.Load == nil {
		return
	}
	rows := map[string]*PoolRow{}
	of := func(name string) *PoolRow {
		if rows[name] == nil {
			rows[name] = &PoolRow{Pool: name}
		}
		return rows[name]
	}
	for _, h := range s.Load.Report.Handlers {
		if h.State != "alive" {
			continue
		}
		for _, pool := range h.Pools {
			of(pool).Handlers++
		}
	}
	for _, j := range s.Load.Jobs {
		row := of(cmp.Or(j.Pool, j.Handler))
		switch j.State {
		case "new":
			row.New += j.Jobs
		case "queued":
			row.Queued += j.Jobs
		case "running":
			row.Running += j.Jobs
		default:
			row.Other += j.Jobs
		}
	}
	for _, w := range s.Load.Report.Waiting {
		of(w.Target).Why = w.Why
	}
	if before.Load != nil && v.Seconds > 0 {
		was := map[string]int{}
		for _, j := range before.Load.Jobs {
			was[cmp.Or(j.Pool, j.Handler)] += j.Jobs
		}
		for name, row := range rows {
			row.Change = float64(row.New+row.Queued+row.Running+row.Other-was[name]) / v.Seconds
		}
	}
	for _, h := range s.Load.Report.Handlers { // a name that jobs were sent to
		if row := rows[h.Name]; row != nil && h.State == "alive" && !slices.Contains(h.Pools, h.Name) {
			row.Handlers++
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(rows), naturally) {
		v.Pools = append(v.Pools, *rows[name])
	}
}

// Order is by what rows are sorted.
type Order string

// The orders; the largest come first but for names.
const (
	ByName    Order = "name"
	ByRate    Order = "rate"    // requests, claims
	ByMemory  Order = "memory"  //
	ByLatency Order = "latency" // and jobs in hand
)

// Sort sorts web workers and handlers.
func (v *View) Sort(by Order) {
	slices.SortStableFunc(v.Web, func(a, b WebRow) int {
		switch by {
		case ByRate:
			return cmp.Or(cmp.Compare(b.RequestsPerSecond, a.RequestsPerSecond), naturally(a.Name, b.Name))
		case ByMemory:
			return cmp.Or(cmp.Compare(b.Memory, a.Memory), naturally(a.Name, b.Name))
		case ByLatency:
			return cmp.Or(cmp.Compare(b.Latency, a.Latency), naturally(a.Name, b.Name))
		}
		return cmp.Or(naturally(a.Name, b.Name), a.Since.Compare(b.Since))
	})
	slices.SortStableFunc(v.Handlers, func(a, b HandlerRow) int {
		switch by {
		case ByRate:
			return cmp.Or(cmp.Compare(b.ClaimsPerSecond, a.ClaimsPerSecond), naturally(a.Name, b.Name))
		case ByMemory:
			return cmp.Or(cmp.Compare(b.Memory, a.Memory), naturally(a.Name, b.Name))
		case ByLatency:
			return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), naturally(a.Name, b.Name))
		}
		return cmp.Or(naturally(a.Name, b.Name), cmp.Compare(a.Host, b.Host), a.Since.Compare(b.Since))
	})
}
