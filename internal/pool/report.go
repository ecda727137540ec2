package pool

import (
	"context"
	"slices"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// Report is what `orrery pool --json` prints and GET /api/orrery/pool answers.
type Report struct {
	Handlers []HandlerReport `json:"handlers"`
	// Waiting are the tags and names that nobody serves, with the jobs that wait
	// for them.
	Waiting []WaitingReport `json:"waiting"`
}

// HandlerReport is one server process.
type HandlerReport struct {
	Name string `json:"name"`
	// Instance is the UUID of this start.
	Instance string `json:"instance"`
	State    State  `json:"state"`
	// Drained says that the name is drained, also when the process is lost.
	Drained       bool      `json:"drained"`
	Kind          string    `json:"kind"`
	Host          string    `json:"host"`
	PID           int       `json:"pid"`
	Version       string    `json:"version"`
	Started       time.Time `json:"started"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	// Pools are the tags whose jobs it claims besides those sent to its name.
	Pools           []string `json:"pools"`
	Methods         []string `json:"methods"`
	Slots           int      `json:"slots"`
	Claimed         int      `json:"claimed"`
	Running         int      `json:"running"`
	Claims          int64    `json:"claims"`
	ClaimsPerSecond float64  `json:"claims_per_second"`
}

// WaitingReport is a target that nobody serves.
type WaitingReport struct {
	Target string `json:"target"`
	// New are the jobs that nobody has begun, UnderWay those that somebody had.
	New      int `json:"new"`
	UnderWay int `json:"under_way"`
	// Oldest is when the first of them was created; nil without jobs.
	Oldest *time.Time `json:"oldest"`
	Why    string     `json:"why"`
}

// Overview gives every server process, and the targets that nobody serves: those
// that have jobs, and those of targets, to which the configuration sends some,
// also without any.
func Overview(ctx context.Context, db *store.DB, targets []string) (Report, error) {
	r := Report{Handlers: []HandlerReport{}, Waiting: []WaitingReport{}}
	list, err := List(ctx, db)
	if err != nil {
		return r, err
	}
	served, drained := map[string]bool{}, map[string]bool{}
	for _, h := range list {
		r.Handlers = append(r.Handlers, HandlerReport{
			Name: h.Name, Instance: h.Instance, State: h.State, Drained: h.Drain, Kind: h.Kind, Host: h.Host, PID: h.PID, Version: h.Version,
			Started: h.Started.UTC(), UptimeSeconds: int64(h.Uptime.Seconds()), Pools: append([]string{}, h.Pools...),
			Methods: append([]string{}, h.Methods...), Slots: h.Slots, Claimed: h.Claimed, Running: h.Running, Claims: h.Claims,
			ClaimsPerSecond: h.ClaimsPerSecond,
		})
		for _, target := range append([]string{h.Name}, h.Pools...) {
			served[target] = served[target] || h.State == Alive
			drained[target] = drained[target] || h.State == Drained
		}
	}
	waiting, err := Waiting(ctx, db)
	if err != nil {
		return r, err
	}
	for _, w := range waiting {
		oldest := w.Oldest.UTC()
		r.Waiting = append(r.Waiting, WaitingReport{Target: w.Target, New: w.New, UnderWay: w.Held, Oldest: &oldest, Why: whyNobody(w.Drained)})
	}
	for _, target := range targets {
		if served[target] || slices.ContainsFunc(r.Waiting, func(w WaitingReport) bool { return w.Target == target }) {
			continue
		}
		r.Waiting = append(r.Waiting, WaitingReport{Target: target, Why: whyNobody(drained[target])})
	}
	return r, nil
}

func whyNobody(drained bool) string {
	if drained {
		return "every process that serves it is drained"
	}
	return "no living process serves it"
}

// JobReport is one unfinished job.
type JobReport struct {
	// ID is the job's encoded id, Number the one in the database.
	ID     string          `json:"id"`
	Number int64           `json:"number"`
	ToolID string          `json:"tool_id"`
	State  galaxy.JobState `json:"state"`
	User   string          `json:"user"`
	// Handler is what job.handler holds; Pool where the job came from, "" if nobody
	// has claimed it.
	Handler string `json:"handler"`
	Pool    string `json:"pool"`
	// Alive tells whether the process that claimed it lives.
	Alive       bool      `json:"alive"`
	Attempt     int       `json:"attempt"`
	Destination string    `json:"destination"`
	ExternalID  string    `json:"external_id"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
}

// ReportJobs is Jobs in the form that is printed.
func ReportJobs(ctx context.Context, db *store.DB, ids *galaxy.IDCodec, handler string, state galaxy.JobState) ([]JobReport, error) {
	jobs, err := Jobs(ctx, db, handler, state)
	if err != nil {
		return nil, err
	}
	list := make([]JobReport, len(jobs))
	for i, j := range jobs {
		list[i] = JobReport{
			ID: ids.Encode(j.ID), Number: j.ID, ToolID: j.ToolID, State: j.State, User: j.User, Handler: j.Handler, Pool: j.Pool, Alive: j.Alive,
			Attempt: j.Attempt, Destination: j.Destination, ExternalID: j.External, Created: j.CreateTime.UTC(), Updated: j.UpdateTime.UTC(),
		}
	}
	return list, nil
}

// UnfinishedStates are the states in which Jobs finds jobs.
var UnfinishedStates = []galaxy.JobState{galaxy.JobNew, galaxy.JobQueued, galaxy.JobRunning, galaxy.JobDeleting, galaxy.JobStopping}

// Operator is what administrators do with handlers, for the API.
type Operator struct {
	DB  *store.DB
	Bus *wake.Bus
	IDs *galaxy.IDCodec
	// Targets are the values of job.handler that the configuration sends jobs to.
	Targets []string
}

// Overview is the package's Overview with the operator's targets.
func (o *Operator) Overview(ctx context.Context) (Report, error) {
	return Overview(ctx, o.DB, o.Targets)
}

// Jobs lists unfinished jobs, of a handler or tag and in a state unless those are
// "". A state in which no unfinished job is, is an error of kind galaxy.Invalid.
func (o *Operator) Jobs(ctx context.Context, handler, state string) ([]JobReport, error) {
	if state != "" && !slices.Contains(UnfinishedStates, galaxy.JobState(state)) {
		return nil, galaxy.Errorf(galaxy.Invalid, "state is one of %v, not %q", UnfinishedStates, state)
	}
	return ReportJobs(ctx, o.DB, o.IDs, handler, galaxy.JobState(state))
}

// Drain is the package's Drain.
func (o *Operator) Drain(ctx context.Context, name string) error {
	return Drain(ctx, o.DB, o.Bus, name)
}

// Undrain is the package's Undrain.
func (o *Operator) Undrain(ctx context.Context, name string) error {
	return Undrain(ctx, o.DB, o.Bus, name)
}

// Remove is the package's Remove.
func (o *Operator) Remove(ctx context.Context, name string) (returned int, err error) {
	return Remove(ctx, o.DB, o.Bus, name)
}

// Reassign is the package's Reassign.
func (o *Operator) Reassign(ctx context.Context, s Selection, to string) (moved int, err error) {
	return Reassign(ctx, o.DB, o.Bus, s, to)
}
