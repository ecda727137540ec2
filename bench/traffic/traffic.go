package traffic

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Traffic is clients at work.
type Traffic struct {
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
	began time.Time

	mu     sync.Mutex
	report Report
	marks  []time.Time
}

// Report is what the clients saw.
type Report struct {
	Requests  int // by clients that ask without pause
	Failed    int // of those
	Slow      int // of those, longer than SlowAfter
	Transfers int // files sent and fetched
	Broken    int // of those
	Outlasted int // transfers during which at least one mark was set
	// Longest is the longest time that any request took, opening its connection included; At is when it began, since the
	// start, and Marked how long after the last mark that was.
	Longest    time.Duration
	At, Marked time.Duration
	// Silence is the longest time that any client was without an answer.
	Silence time.Duration
	// Problems are the first few things that went wrong.
	Problems []string
}

// SlowAfter is what Report.Slow counts from.
const SlowAfter = 50 * time.Millisecond

const maxProblems = 20

// Start begins without clients.
func Start(ctx context.Context) *Traffic {
	ctx, stop := context.WithCancel(ctx)
	return &Traffic{ctx: ctx, stop: stop, began: time.Now()}
}

// Asks starts a client that asks for a path without pause: over one connection, as long as the server keeps it, or a new
// one for each request.
func (t *Traffic) Asks(l Listener, path string, keep bool) {
	t.wg.Go(func() {
		c := &client{listener: l, path: path}
		defer c.close()
		last := time.Now()
		for t.ctx.Err() == nil {
			began := time.Now()
			err := c.ask(keep)
			t.asked(l, began, last, err)
			if err != nil {
				c.close()
				// Else a server that is gone would be asked a million times.
				select {
				case <-t.ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
				continue
			}
			last = time.Now()
		}
	})
}

func (t *Traffic) asked(l Listener, began, last time.Time, err error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.report
	r.Requests++
	if took := now.Sub(began); took > r.Longest {
		r.Longest, r.At, r.Marked = took, began.Sub(t.began), t.sinceMark(began)
	}
	if now.Sub(began) > SlowAfter {
		r.Slow++
	}
	r.Silence = max(r.Silence, now.Sub(last))
	if err != nil {
		r.Failed++
		t.problem(now, l.Name, err)
	}
}

// Repeats starts a client that does something again and again, such as sending a file; what it is at when the traffic is
// stopped, it finishes. The function's context ends only when everything is given up.
func (t *Traffic) Repeats(name string, transfer func(ctx context.Context) error) {
	t.wg.Go(func() {
		for t.ctx.Err() == nil {
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 2*time.Minute)
			err := transfer(ctx)
			cancel()
			now := time.Now()
			t.mu.Lock()
			t.report.Transfers++
			for _, mark := range t.marks {
				if mark.After(began) && mark.Before(now) {
					t.report.Outlasted++
					break
				}
			}
			if err != nil {
				t.report.Broken++
				t.problem(now, name, err)
			}
			t.mu.Unlock()
		}
	})
}

// sinceMark is the time from the last mark; the caller holds the mutex.
func (t *Traffic) sinceMark(now time.Time) time.Duration {
	if len(t.marks) == 0 {
		return 0
	}
	return now.Sub(t.marks[len(t.marks)-1])
}

// problem notes what went wrong; the caller holds the mutex.
func (t *Traffic) problem(now time.Time, who string, err error) {
	if len(t.report.Problems) < maxProblems {
		t.report.Problems = append(t.report.Problems, fmt.Sprintf("%7.3f s: %s: %v", now.Sub(t.began).Seconds(), who, err))
	}
}

// Mark says that now something happens that transfers are to outlast.
func (t *Traffic) Mark() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.marks = append(t.marks, now)
	return now.Sub(t.began)
}

// Settle leaves what the start of the clients themselves cost out of the report's times: all connect at once then.
func (t *Traffic) Settle() {
	select {
	case <-t.ctx.Done():
	case <-time.After(time.Second):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Longest, t.report.At, t.report.Marked, t.report.Silence, t.report.Slow = 0, 0, 0, 0, 0
}

// Report is what the clients have seen so far.
func (t *Traffic) Report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Problems = append([]string(nil), r.Problems...)
	return r
}

// Stop ends the traffic, once the transfers under way are done.
func (t *Traffic) Stop() Report {
	t.stop()
	t.wg.Wait()
	return t.Report()
}

// String tells it in a few lines.
func (r Report) String() string {
	return fmt.Sprintf("%d requests, %d failed, %d slower than %v; longest %v (at %v, %v after the last restart began), longest silence %v; %d transfers (%d outlasted a restart), %d broken\n%s",
		r.Requests, r.Failed, r.Slow, SlowAfter, r.Longest.Round(time.Microsecond), r.At.Round(time.Millisecond), r.Marked.Round(time.Millisecond), r.Silence.Round(time.Microsecond),
		r.Transfers, r.Outlasted, r.Broken, strings.Join(r.Problems, "\n"))
}
