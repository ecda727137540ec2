package faults

import (
	"math/rand/v2"
	"time"
)

// kind is a kind of fault.
type kind string

const (
	kill    kind = "kill"    // SIGKILL; started again under its name
	replace kind = "replace" // SIGKILL; another is started under a new name
	pause   kind = "pause"   // SIGSTOP for longer than the lease, then SIGCONT
	blink   kind = "blink"   // the same for less than the lease
	stop    kind = "stop"    // SIGTERM, as an administrator does; started again
	add     kind = "add"     // one handler more
	restart kind = "restart" // the database stops and starts
	crash   kind = "crash"   // the database dies and starts
	cut     kind = "cut"     // the network to the database says nothing for longer than the lease
	reset   kind = "reset"   // all connections to the database break
	outage  kind = "outage"  // the controller of the cluster is away for a while
	move    kind = "move"    // an administrator gives jobs of one handler to its pool, by hand
)

// fault is one of them, at a time after the one before, to the handler that has this number then.
type fault struct {
	kind   kind
	after  time.Duration
	target int
	// length is a share of the lease, for what lasts.
	length float64
}

// wanted is a job to be submitted.
type wanted struct {
	number, user int
	// seconds is how long it sleeps.
	seconds float64
	// at is when it is submitted, from the beginning.
	at time.Duration
	// parent is the number of the job whose output it reads, or -1.
	parent int
	// slurm says that it runs on the cluster.
	slurm bool
}

// plan is all that chance decides.
type plan struct {
	jobs   []wanted
	faults []fault
}

// kindsOn are the kinds of faults that an engine can have: SQLite has no network and no server.
func kindsOn(engine string, sz size) []kind {
	kinds := []kind{kill, replace, pause, blink, stop, add, move}
	switch engine {
	case "postgresql":
		kinds = append(kinds, restart, crash, cut, reset)
	case "mariadb":
		kinds = append(kinds, cut, reset)
	}
	if sz.slurm > 0 {
		kinds = append(kinds, outage)
	}
	return kinds
}

// newPlan makes the plan of a seed. It has each kind of fault once, in some order, and then goes on at random for longer
// than any run lasts.
func newPlan(seed uint64, sz size, engine string) *plan {
	chance := rand.New(rand.NewPCG(seed, 1))
	p := &plan{}
	// While each kind of fault has its turn, there are jobs to suffer from it.
	turns := time.Duration(len(kindsOn(engine, sz))) * (sz.calm + sz.chance/2)
	last := map[int]int{} // the latest job of each user
	for n := range sz.jobs {
		w := wanted{number: n, user: n % sz.users, parent: -1, at: time.Duration(n) * turns / time.Duration(sz.jobs)}
		switch share := chance.Float64(); {
		case n == 0 || share < 0.01: // outlives its handler for sure
			w.seconds = float64(sz.lease) * (1 + chance.Float64())
		case share < 0.2:
			w.seconds = chance.Float64()
		}
		if before, some := last[w.user]; some && chance.Float64() < 0.15 {
			w.parent = before
		}
		last[w.user] = n
		// Those of the cluster are spread evenly among the others.
		w.slurm = (n+1)*sz.slurm/sz.jobs > n*sz.slurm/sz.jobs
		p.jobs = append(p.jobs, w)
	}
	// A second source, so that another number of jobs leaves the faults as they are.
	chance = rand.New(rand.NewPCG(seed, 2))
	kinds := kindsOn(engine, sz)
	chance.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for i := range 10_000 {
		f := fault{target: chance.IntN(1 << 20), after: sz.calm + time.Duration(chance.Int64N(int64(sz.chance)))}
		if i < len(kinds) {
			f.kind = kinds[i]
		} else {
			f.kind = kinds[chance.IntN(len(kinds))]
		}
		f.length = 1.2 + chance.Float64()
		if f.kind == blink {
			f.length = 0.5 * chance.Float64()
		}
		p.faults = append(p.faults, f)
	}
	return p
}
