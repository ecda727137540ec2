package jobhandler_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/jobhandler"
	"orrery/internal/runner"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

// observer gives what it is told, in order.
type observer chan string

func (o observer) JobEnded(destination, state string, took time.Duration) {
	o <- fmt.Sprintf("%s %s %v", destination, state, took > 0)
}
func (o observer) RunnerFailed(runner string) { o <- runner + " failed" }

func TestWhatBecomesOfJobsIsObserved(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	o, gate := make(observer, 100), newGate(t)
	var handler *jobhandler.Handler
	s.adjust = func(h *jobhandler.Handler) { h.Observe, handler = o, h }
	var once sync.Once
	s.wrap = func(r runner.Runner) runner.Runner {
		return scripted{Runner: r, submit: func(runner.Job) (err error) {
			once.Do(func() { err = fmt.Errorf("no answer: %w", runner.ErrUnavailable) })
			return err
		}}
	}
	s.command("waits", "cat < '"+gate.path+"' > '$out'")
	s.handler("h1")
	c := s.submit("waits", nil)
	if got := <-o; got != "local failed" {
		t.Errorf("observed %q", got)
	}
	reached := gate.reached()
	testenv.Poll(t, "the job to count as handed over", time.Minute, func() bool { return handler.InHand()["handed over"] == 1 })
	reached.Close()
	s.wait(c, galaxy.JobOK)
	if got := <-o; got != "local ok true" {
		t.Errorf("observed %q", got)
	}
	testenv.Poll(t, "the handler to have no job", time.Minute, func() bool { return len(handler.InHand()) == 0 })
}
