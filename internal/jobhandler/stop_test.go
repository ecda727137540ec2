package jobhandler_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/jobhandler"
	"orrery/internal/runner"
	"orrery/internal/store/storetest"
)

// slowSubmit is a runner that takes its time to take a job.
type slowSubmit struct {
	runner.Runner
	entered, release chan struct{}
}

func (r slowSubmit) Submit(ctx context.Context, j runner.Job) (string, error) {
	r.entered <- struct{}{}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-r.release:
		return r.Runner.Submit(ctx, j)
	}
}

// stopping is a server whose handler is told to stop while it hands a job over; the handler asks clock how long it may take.
func stopping(t *testing.T, grace time.Duration) (s *server, slow slowSubmit, asked chan time.Duration, over chan time.Time) {
	t.Helper()
	s = newServer(t, storetest.SQLite(t))
	slow = slowSubmit{entered: make(chan struct{}, 9), release: make(chan struct{}, 9)}
	s.wrap = func(r runner.Runner) runner.Runner { slow.Runner = r; return slow }
	asked, over = make(chan time.Duration, 1), make(chan time.Time)
	s.adjust = func(h *jobhandler.Handler) {
		h.Grace = grace
		h.GraceOver(func(d time.Duration) <-chan time.Time { asked <- d; return over })
	}
	return s, slow, asked, over
}

func TestAHandlerThatStopsFinishesItsStep(t *testing.T) {
	s, slow, asked, _ := stopping(t, time.Minute)
	g := newGate(t)
	runs := filepath.Join(s.dir, "runs")
	s.command("slow", "echo run >> '"+runs+"' && cat < '"+g.path+"' && printf done > '$out'")
	s.command("quick", "printf x > '$out'")
	first := s.submit("slow", nil)
	stop := s.handler("h1")
	<-slow.entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	if d := <-asked; d != time.Minute {
		t.Errorf("its grace is %s", d)
	}
	// It claims nothing more, and goes on with what it is at.
	second := s.submit("quick", nil)
	slow.release <- struct{}{}
	open := g.reached()
	<-stopped
	if n := s.count("SELECT count(*) FROM job WHERE id = ? AND state = 'new'", second.Job.ID); n != 1 {
		t.Error("a job was claimed by a handler that stops")
	}
	if n := s.count("SELECT count(*) FROM job WHERE id = ? AND state = 'running'", first.Job.ID); n != 1 {
		t.Error("the job that was handed over is not said to run")
	}
	// The next one goes on with it.
	slow.release <- struct{}{}
	s.handler("h1")
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	s.wait(first, galaxy.JobOK)
	s.wait(second, galaxy.JobOK)
	if text, err := os.ReadFile(runs); err != nil || string(text) != "run\n" {
		t.Errorf("it ran %q times, %v", text, err)
	}
}

func TestAHandlerThatStopsWaitsForNoJob(t *testing.T) {
	s, slow, asked, _ := stopping(t, time.Minute)
	g := newGate(t)
	s.command("slow", "cat < '"+g.path+"' && printf done > '$out'")
	c := s.submit("slow", nil)
	stop := s.handler("h1")
	<-slow.entered
	slow.release <- struct{}{}
	g.reached()
	s.wait(c, galaxy.JobRunning)
	stop()
	<-asked // its time is not used
}

func TestAHandlerThatStopsBreaksOffWhatTakesTooLong(t *testing.T) {
	s, slow, asked, over := stopping(t, time.Minute)
	s.command("quick", "printf x > '$out'")
	c := s.submit("quick", nil)
	stop := s.handler("h1")
	<-slow.entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	<-asked
	over <- time.Time{}
	<-stopped
	slow.release <- struct{}{}
	s.handler("h2")
	s.wait(c, galaxy.JobOK)
}

func TestAHandlerWithoutGraceStopsAtOnce(t *testing.T) {
	s, slow, _, _ := stopping(t, 0)
	s.command("quick", "printf x > '$out'")
	s.submit("quick", nil)
	h, member := s.open("h1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-slow.entered
	cancel()
	if err := errors.Join(<-done, member.Leave(context.Background())); err != nil {
		t.Error(err)
	}
}
