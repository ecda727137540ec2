package pool

import (
	"context"
	"slices"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// State is what administrators see of a server process.
type State string

// The states of a server process.
const (
	Alive   State = "alive"
	Drained State = "drained" // alive, and takes nothing new
	Lost    State = "lost"    // its lease ran out, or it left jobs behind
)

// HandlerStatus is one server process as `orrery pool` shows it.
type HandlerStatus struct {
	Name     string
	Instance string // the UUID of this start
	State    State
	// Drain says that the name is drained, also when the process is lost.
	Drain   bool
	Kind    string // "web", "handler" or "all"
	Host    string
	PID     int
	Version string
	// Started and Expires are by the database's clock, Uptime too.
	Started, Expires time.Time
	Uptime           time.Duration
	// Pools are the tags whose jobs it claims, without its own name; none means
	// that it claims nothing but what is sent to its name.
	Pools   []string
	Methods []string
	Slots   int
	// Claimed are the jobs that it has, Running those of them that run.
	Claimed, Running int
	// Claims counts the jobs that it claimed since its start, ClaimsPerSecond is
	// the rate between its last two renewals.
	Claims          int64
	ClaimsPerSecond float64
}

// List gives every server process that lives, is drained or was lost, by name.
func List(ctx context.Context, db *store.DB) ([]HandlerStatus, error) {
	instances, err := store.AllInstances(ctx, db)
	if err != nil {
		return nil, err
	}
	counts, err := store.CountClaims(ctx, db)
	if err != nil {
		return nil, err
	}
	var list []HandlerStatus
	for _, in := range instances {
		n := counts[in.ID]
		if n.Claimed == 0 && (in.Left || in.Lapsed && slices.ContainsFunc(instances, func(next store.Instance) bool {
			return !next.Lapsed && next.ServerName == in.ServerName && next.Hostname == in.Hostname
		})) {
			continue // it ended, or its next start is there, and nothing of it is left
		}
		s := HandlerStatus{
			Name: in.ServerName, Instance: in.ID.String(), State: Alive, Drain: in.Drained, Kind: in.Kind, Host: in.Hostname, PID: in.PID, Version: in.Version,
			Started: in.Started, Expires: in.Expires, Uptime: in.Now.Sub(in.Started), Methods: in.Methods, Slots: in.Slots,
			Pools:   slices.DeleteFunc(slices.Clone(in.Pools), func(tag string) bool { return tag == in.ServerName }),
			Claimed: n.Claimed, Running: n.Running, Claims: in.Claims, ClaimsPerSecond: in.Rate,
		}
		switch {
		case in.Left || in.Lapsed:
			s.State, s.ClaimsPerSecond = Lost, 0
			s.Uptime = max(0, in.Expires.Sub(in.Started))
		case in.Drained:
			s.State = Drained
		}
		list = append(list, s)
	}
	return list, nil
}

// Drain has the server of a name finish what it has and take nothing new, also
// after a restart, until Undrain. galaxy.NotFound if no such server is known.
// From the moment it returns, that server claims nothing. bus may be nil.
func Drain(ctx context.Context, db *store.DB, bus *wake.Bus, name string) error {
	return db.Write(ctx, func(tx *store.Tx) error {
		if bus != nil {
			tx.AfterCommit(func() { bus.Wake(drainTopic(name, true)) })
		}
		known, err := knownNames(ctx, tx)
		if err != nil {
			return err
		}
		if !slices.Contains(known, name) {
			return unknownHandler(name, known)
		}
		return store.DrainServer(ctx, tx, name)
	})
}

// Undrain ends a drain; bus may be nil.
func Undrain(ctx context.Context, db *store.DB, bus *wake.Bus, name string) error {
	return db.Write(ctx, func(tx *store.Tx) error {
		drained, err := store.DrainedServers(ctx, tx)
		if err != nil {
			return err
		}
		if !slices.Contains(drained, name) {
			return galaxy.Errorf(galaxy.NotFound, "No handler with the name %q is drained", name)
		}
		instances, err := store.Instances(ctx, tx)
		if err != nil {
			return err
		}
		for _, in := range instances {
			if in.ServerName == name && bus != nil {
				tx.AfterCommit(func() { bus.Wake(drainTopic(name, false)) })
			}
		}
		return store.UndrainServer(ctx, tx, name)
	})
}

func knownNames(ctx context.Context, q store.Querier) ([]string, error) {
	instances, err := store.AllInstances(ctx, q)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, in := range instances {
		if !slices.Contains(names, in.ServerName) {
			names = append(names, in.ServerName)
		}
	}
	return names, nil
}

func unknownHandler(name string, known []string) error {
	return galaxy.Errorf(galaxy.NotFound, "There is no handler with the name %q; known are %q", name, known)
}

// Selection says which unfinished jobs to reassign: those that meet all that is
// set, and at least one of the three must be.
type Selection struct {
	// From is a handler's name or a tag, as it stands in job.handler.
	From string
	Jobs []int64
	Tool string
}

// Reassign sends unfinished jobs, waiting or running, to a handler or a tag, as an
// administrator's UPDATE of job.handler does, and tells how many were moved. What
// runs goes on, and is seen through by who takes it over. bus may be nil.
func Reassign(ctx context.Context, db *store.DB, bus *wake.Bus, s Selection, to string) (moved int, err error) {
	if s.From == "" && len(s.Jobs) == 0 && s.Tool == "" {
		return 0, galaxy.Errorf(galaxy.Invalid, "Say which jobs to reassign: those of a handler, of a tool, or by their ids")
	}
	if to == "" || len(to) > 255 {
		return 0, galaxy.Errorf(galaxy.Invalid, "Say which handler or tag to reassign the jobs to (at most 255 characters)")
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		moved, err = store.MoveJobs(ctx, tx, store.JobSelection{Handler: s.From, IDs: s.Jobs, Tool: s.Tool}, to)
		tx.AfterCommit(func() { wakeTargets(bus, []string{to}) })
		return err
	})
	return moved, err
}

// Remove forgets the lost processes of a name; their jobs go back to the pools
// they came from, and it tells how many. A process that lives is not removed
// (galaxy.Conflict). bus may be nil.
func Remove(ctx context.Context, db *store.DB, bus *wake.Bus, name string) (returned int, err error) {
	err = db.Write(ctx, func(tx *store.Tx) error {
		returned = 0
		instances, err := store.AllInstances(ctx, tx)
		if err != nil {
			return err
		}
		found := false
		for _, in := range instances {
			if in.ServerName != name {
				continue
			}
			if !in.Left && !in.Lapsed {
				return galaxy.Errorf(galaxy.Conflict, "The handler %q on %s (process %d) is alive; stop it first, or drain it", name, in.Hostname, in.PID)
			}
			found = true
			n, err := store.ReturnJobs(ctx, tx, in.ID)
			if err != nil {
				return err
			}
			returned += n
			if err := store.ForgetInstance(ctx, tx, in.ID); err != nil {
				return err
			}
			tx.AfterCommit(func() { wakeTargets(bus, in.Pools) })
		}
		if !found {
			known, err := knownNames(ctx, tx)
			if err != nil {
				return err
			}
			return unknownHandler(name, known)
		}
		return store.UndrainServer(ctx, tx, name)
	})
	return returned, err
}

// wakeTargets tells those who serve tags or names of jobs that may be theirs now.
func wakeTargets(bus *wake.Bus, targets []string) {
	if bus == nil {
		return
	}
	for _, t := range targets {
		bus.Wake(wake.Jobs(t))
		bus.Wake(wake.Orphans(t))
	}
}

// Job is an unfinished job as administrators look at it.
type Job = store.HandlerJob

// MaxJobs bounds what Jobs lists.
const MaxJobs = 10000

// Jobs lists unfinished jobs, oldest first and at most MaxJobs: of a handler or
// tag, "" for all, and in a state, "" for all.
func Jobs(ctx context.Context, db *store.DB, handler string, state galaxy.JobState) ([]Job, error) {
	return store.JobsOfHandlers(ctx, db, store.JobSelection{Handler: handler, State: state}, MaxJobs)
}

// WaitingTarget is a tag or a name that has unfinished jobs, and that no living
// process serves.
type WaitingTarget struct {
	Target string
	// New are the jobs that nobody has begun, Held those that were under way.
	New, Held int
	// Oldest is when the first of them was created.
	Oldest time.Time
	// Drained says that processes serve it, but all of them are drained.
	Drained bool
}

// Waiting lists the targets of jobs that nobody serves.
func Waiting(ctx context.Context, db *store.DB) ([]WaitingTarget, error) {
	instances, err := store.Instances(ctx, db)
	if err != nil {
		return nil, err
	}
	served := map[string]bool{} // true if by somebody who is not drained
	for _, in := range instances {
		for _, tag := range append([]string{in.ServerName}, in.Pools...) {
			served[tag] = served[tag] || !in.Drained
		}
	}
	counts, err := store.CountTargets(ctx, db)
	if err != nil {
		return nil, err
	}
	var waiting []WaitingTarget
	for _, c := range counts {
		taken, some := served[c.Target]
		switch {
		case taken:
		case some && c.New == 0: // a drained process sees through what it has
		default:
			waiting = append(waiting, WaitingTarget{Target: c.Target, New: c.New, Held: c.Held, Oldest: c.Oldest, Drained: some})
		}
	}
	return waiting, nil
}
