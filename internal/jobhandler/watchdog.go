package jobhandler

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrStuck says that a handler's loop made no progress.
var ErrStuck = errors.New("this job handler made no progress; it gives its jobs to others and ends, to be started again")

// pulse is the sign of life of a loop.
type pulse struct {
	beats atomic.Uint64
}

func (p *pulse) beat() { p.beats.Add(1) }

// watch returns once the pulse has not beaten between any two ticks in a row, and
// then tells so, or when ctx ends.
func (p *pulse) watch(ctx context.Context, ticks <-chan time.Time) (stuck bool) {
	last := p.beats.Load() - 1
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ticks:
		}
		now := p.beats.Load()
		if now == last {
			return true
		}
		last = now
	}
}

// stacks are what all goroutines do, bounded.
func stacks() string {
	buf := make([]byte, 256<<10)
	return string(buf[:runtime.Stack(buf, true)])
}
