package pool

import (
	"context"
	"slices"
	"sync"
	"time"

	"orrery/internal/store"
)

// aliveFor is how long it is remembered who lives: much shorter than a lease.
const aliveFor = time.Second

// aliveNames remembers for a moment which servers have a lease that lasts and are
// not drained, so that a burst of new jobs asks once.
type aliveNames struct {
	db    *store.DB
	mu    sync.Mutex
	asked time.Time
	names []string
}

// among gives those of some names that live.
func (a *aliveNames) among(ctx context.Context, names []string) ([]string, error) {
	if a.db == nil {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked.IsZero() || time.Since(a.asked) > aliveFor {
		instances, err := store.Instances(ctx, a.db)
		if err != nil {
			return nil, err
		}
		a.names, a.asked = nil, time.Now()
		for _, in := range instances {
			if !in.Drained {
				a.names = append(a.names, in.ServerName)
			}
		}
	}
	var alive []string
	for _, name := range names {
		if slices.Contains(a.names, name) {
			alive = append(alive, name)
		}
	}
	return alive, nil
}
