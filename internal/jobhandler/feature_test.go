package jobhandler_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/config"
	"orrery/internal/galaxy"
	"orrery/internal/jobdir"
	"orrery/internal/jobhandler"
	"orrery/internal/runner"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

// states are the states that a job went through.
func (s *server) states(job int64) []string {
	s.t.Helper()
	states, err := store.Column[string](s.t.Context(), s.db, "SELECT state FROM job_state_history WHERE job_id = ? ORDER BY id", job)
	if err != nil {
		s.t.Fatal(err)
	}
	return states
}

// destinations gives the server some.
func (s *server) destinations(all ...config.Destination) {
	s.conf = localOnly()
	s.conf.Destinations, s.conf.DefaultDestination = all, all[0].ID
}

// info waits until a job says something.
func (s *server) info(job int64, want string) {
	s.t.Helper()
	testenv.Poll(s.t, "the job to say "+want, time.Minute, func() bool {
		j, err := store.JobByID(s.t.Context(), s.db, job)
		if err != nil {
			s.t.Fatal(err)
		}
		return strings.Contains(j.Info, want)
	})
}

func TestTheEnvironmentOfADestination(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	sourced := filepath.Join(s.dir, "sourced.sh")
	if err := os.WriteFile(sourced, []byte("FROM_FILE=file; export FROM_FILE\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.destinations(config.Destination{ID: "here", Runner: "local", Params: map[string]any{"local_slots": int64(3)}, Env: []config.EnvEntry{
		{Name: "PLAIN", Value: `it's $HOME "x"`}, {Name: "RAW", Value: `$PLAIN!`, Raw: true}, {File: sourced}, {Execute: "EXECUTED=yes; export EXECUTED"},
		{Name: "GALAXY_MEMORY_MB", Value: "2048"},
	}})
	s.command("env", `printf '%s|%s|%s|%s|%s|%s' "\$PLAIN" "\$RAW" "\$FROM_FILE" "\$EXECUTED" "\$GALAXY_SLOTS" "\$GALAXY_MEMORY_MB" > '$out'`)
	c := s.submit("env", nil)
	s.handler("h1")
	j, h := s.wait(c, galaxy.JobOK)
	if got, want := s.text(h.ID), `it's $HOME "x"|it's $HOME "x"!|file|yes|3|2048`; got != want {
		t.Errorf("the job saw %q, want %q", got, want)
	}
	if j.DestinationID != "here" || !strings.Contains(string(j.DestinationParam), `"local_slots"`) {
		t.Errorf("sent to %s with %s", j.DestinationID, j.DestinationParam)
	}
	for name, want := range map[string]int{"galaxy_slots": 3, "galaxy_memory_mb": 2048} {
		if n := s.count("SELECT CAST(metric_value AS INTEGER) FROM job_metric_numeric WHERE job_id = ? AND metric_name = ?", c.Job.ID, name); n != want {
			t.Errorf("the metric %s is %d, want %d", name, n, want)
		}
	}
}

func TestAFailedJobIsSentAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name   string
			rule   config.Resubmit
			state  galaxy.JobState
			states string
			by     string
		}{
			{"to a larger one", config.Resubmit{Condition: "tool_detected_failure and attempt < 2", Destination: "big"}, galaxy.JobOK, "new queued running resubmitted running ok", "h1"},
			{"a delay", config.Resubmit{Destination: "big", Delay: "attempt * 0.05"}, galaxy.JobOK, "new queued running resubmitted running ok", "h1"},
			{"by another handler", config.Resubmit{Destination: "big", Handler: "special"}, galaxy.JobOK, "new queued running resubmitted new queued running ok", "h2"},
			{"to the same one", config.Resubmit{Condition: "attempt < 3"}, galaxy.JobError, "new queued running resubmitted running resubmitted running error", "h1"},
			{"not for this", config.Resubmit{Condition: "memory_limit_reached", Destination: "big"}, galaxy.JobError, "new queued running error", "h1"},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := newServer(t, db)
				s.destinations(config.Destination{ID: "small", Runner: "local", Env: []config.EnvEntry{{Name: "SIZE", Value: "small"}}, Resubmit: []config.Resubmit{c.rule}},
					config.Destination{ID: "big", Runner: "local", Env: []config.EnvEntry{{Name: "SIZE", Value: "big"}}})
				s.command("sized", `touch left; echo "\$SIZE" >> '$out'; test ! -e ../before && test "\$SIZE" = big`)
				s.adjust = func(h *jobhandler.Handler) { h.Blink = time.Nanosecond }
				created := s.submit("sized", nil)
				stop := s.handler("h1")
				defer stop()
				if c.by == "h2" {
					s.tags = []string{"special"}
					defer s.handler("h2")()
				}
				j, h := s.wait(created, c.state)
				if got := strings.Join(s.states(created.Job.ID), " "); got != c.states && got != strings.ReplaceAll(c.states, "running resubmitted", "resubmitted") {
					t.Errorf("it went through %s, want %s", got, c.states)
				}
				if j.Handler != c.by {
					t.Errorf("handled by %s, want %s", j.Handler, c.by)
				}
				if c.state == galaxy.JobOK && (s.text(h.ID) != "big\n" || j.DestinationID != "big") {
					t.Errorf("it made %q at %s", s.text(h.ID), j.DestinationID)
				}
			})
		}
	})
}

// A job that waits to be sent again is taken over with what was decided.
func TestAResubmissionIsTakenOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		s.destinations(config.Destination{ID: "small", Runner: "local", Resubmit: []config.Resubmit{{Destination: "big", Delay: "0.5"}}},
			config.Destination{ID: "big", Runner: "local", Env: []config.EnvEntry{{Name: "SIZE", Value: "big"}}})
		s.command("sized", `test "\$SIZE" = big && printf done > '$out'`)
		c := s.submit("sized", nil)
		stop := s.handler("h1")
		testenv.Poll(t, "the job to be resubmitted", time.Minute, func() bool {
			j, err := store.JobByID(t.Context(), db, c.Job.ID)
			return err == nil && j.State == galaxy.JobResubmitted && j.DestinationID == "big" && j.ExternalID == ""
		})
		s.info(c.Job.ID, "sent again, to big, because its tool reported an error")
		stop()
		s.handler("h2")
		if j, h := s.wait(c, galaxy.JobOK); j.DestinationID != "big" || j.Handler != "h2" || s.text(h.ID) != "done" {
			t.Errorf("made %q at %s on %s", s.text(h.ID), j.DestinationID, j.Handler)
		}
	})
}

func TestLimitsOnTimeAndOutput(t *testing.T) {
	for _, c := range []struct {
		name, command, want string
		params              map[string]any
		walltime            time.Duration
		size                int64
		resubmit            []config.Resubmit
		state               galaxy.JobState
	}{
		{name: "the server's walltime", command: "cat < '@GATE@'", walltime: 300 * time.Millisecond, want: "ran for longer than the 300ms", state: galaxy.JobError,
			resubmit: []config.Resubmit{{Destination: "long"}}}, // which is for what other limits did
		{name: "the destination's walltime", command: "cat < '@GATE@'", params: map[string]any{"walltime": "00:00:01"}, want: "ran for longer than the 1s", state: galaxy.JobError},
		{name: "sent again", command: `test "\$LONG" || cat < '@GATE@'`, params: map[string]any{"walltime": "00:00:01"}, state: galaxy.JobOK,
			resubmit: []config.Resubmit{{Condition: "walltime_reached", Destination: "long"}}},
		{name: "output", command: "head -c 3000000 /dev/zero > '$out'; cat < '@GATE@'", walltime: time.Hour, size: 2_000_000, want: "output out grew larger than the 2.0 MB", state: galaxy.JobError},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, storetest.SQLite(t))
			g := newGate(t)
			s.destinations(config.Destination{ID: "short", Runner: "local", Params: c.params, Resubmit: c.resubmit},
				config.Destination{ID: "long", Runner: "local", Env: []config.EnvEntry{{Name: "LONG", Value: "1"}}})
			s.adjust = func(h *jobhandler.Handler) {
				h.Walltime, h.OutputSize, h.Police = c.walltime, c.size, 50*time.Millisecond
			}
			s.command("stays", strings.ReplaceAll(c.command, "@GATE@", g.path))
			created := s.submit("stays", nil)
			s.handler("h1")
			if j, h := s.wait(created, c.state); !strings.Contains(j.Info, c.want) || c.state == galaxy.JobError && h.Info != j.Info {
				t.Errorf("the job says %q, its output %q", j.Info, h.Info)
			}
		})
	}
}

// scripted is a runner whose ways are set by a test.
type scripted struct {
	runner.Runner
	submit func(job runner.Job) error
	watch  func(ctx context.Context, job runner.Job, end runner.Ending) (runner.Ending, error)
	queue  bool
}

func (r scripted) Queues() bool { return r.queue }

func (r scripted) Submit(ctx context.Context, job runner.Job) (string, error) {
	if r.submit != nil {
		if err := r.submit(job); err != nil {
			return "", err
		}
	}
	return r.Runner.Submit(ctx, job)
}

func (r scripted) Watch(ctx context.Context, job runner.Job, external string) (runner.Ending, error) {
	end, err := r.Runner.Watch(ctx, job, external)
	if r.watch != nil && err == nil {
		return r.watch(ctx, job, end)
	}
	return end, err
}

func TestAJobWaitsForItsEngine(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	var mu sync.Mutex
	down := true
	s.wrap = func(r runner.Runner) runner.Runner {
		return scripted{Runner: r, queue: true, submit: func(runner.Job) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return fmt.Errorf("no answer: %w", runner.ErrUnavailable)
			}
			return nil
		}}
	}
	s.command("good", "printf x > '$out'")
	c, given := s.submit("good", nil), s.submit("good", nil)
	stop := s.handler("h1")
	s.info(c.Job.ID, "cannot be reached")
	s.info(given.Job.ID, "cannot be reached")
	h, err := store.HDAByID(t.Context(), s.db, c.Outputs[0].ID)
	if err != nil || !strings.Contains(h.Info, "cannot be reached") {
		t.Errorf("the output says %q, %v", h.Info, err)
	}
	if _, err := s.jobs.Cancel(t.Context(), s.actor, given.Job.ID, ""); err != nil {
		t.Fatal(err)
	}
	s.wait(given, galaxy.JobDeleted)
	stop() // another handler goes on waiting
	mu.Lock()
	down = false
	mu.Unlock()
	s.handler("h2")
	if j, h := s.wait(c, galaxy.JobOK); j.Info != "" || h.Info != "" || s.text(h.ID) != "x" {
		t.Errorf("the job says %q, its output %q", j.Info, h.Info)
	}
}

func TestALostMachineIsNoFaultOfTheJob(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails int
		state galaxy.JobState
	}{{"once", 1, galaxy.JobOK}, {"always", 1 << 30, galaxy.JobError}} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t))
			s.wrap = func(r runner.Runner) runner.Runner {
				return scripted{Runner: r, watch: func(_ context.Context, job runner.Job, end runner.Ending) (runner.Ending, error) {
					if job.Attempt <= c.fails {
						return runner.Ending{End: runner.Died, Cause: runner.NodeFailure, Message: "The node went down."}, nil
					}
					return end, nil
				}}
			}
			s.command("good", "echo x >> '$out'; echo x >> made; cat made >> '$out'")
			created := s.submit("good", nil)
			s.handler("h1")
			j, h := s.wait(created, c.state)
			if c.state == galaxy.JobOK && s.text(h.ID) != "x\nx\n" {
				t.Errorf("what the first attempt left is in the output: %q", s.text(h.ID))
			}
			if c.state == galaxy.JobError && !strings.Contains(j.Info, "The node went down. That happened 4 times") {
				t.Errorf("info %q", j.Info)
			}
		})
	}
}

func TestMemoryIsToldApart(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.wrap = func(r runner.Runner) runner.Runner {
		return scripted{Runner: r, watch: func(_ context.Context, job runner.Job, end runner.Ending) (runner.Ending, error) {
			return runner.Ending{End: end.End, Cause: runner.MemoryLimit}, nil
		}}
	}
	s.command("good", "exit 137")
	created := s.submit("good", nil)
	s.handler("h1")
	if j, h := s.wait(created, galaxy.JobError); !strings.Contains(j.Info, "more memory than it was given") || h.Info != j.Info || *j.ExitCode != 137 {
		t.Errorf("info %q", j.Info)
	}
}

// A job of an engine with a queue of its own is queued until it runs, takes a
// place only while it is handed over, and is stopped in the queue.
func TestAnEngineWithAQueue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		run := make(chan struct{})
		s.wrap = func(r runner.Runner) runner.Runner { return queued{scripted{Runner: r, queue: true}, run} }
		s.adjust = func(h *jobhandler.Handler) {
			h.Runners["local"] = jobhandler.Runner{Runner: h.Runners["local"].Runner, Workers: 1}
		}
		gate := filepath.Join(s.dir, "gate")
		s.command("slow", "while [ ! -e '"+gate+"' ]; do sleep 0.02; done; printf done > '$out'")
		first, second := s.submit("slow", nil), s.submit("slow", nil)
		stop := s.handler("h1")
		for _, c := range []int64{first.Job.ID, second.Job.ID} {
			testenv.Poll(t, "the job to be in the queue", time.Minute, func() bool {
				j, err := store.JobByID(t.Context(), db, c)
				if err != nil {
					t.Fatal(err)
				}
				return j.State == galaxy.JobQueued && j.ExternalID != "" && j.RunnerName == "local"
			})
		}
		stop()
		s.handler("h2")
		close(run)
		s.wait(first, galaxy.JobRunning)
		s.wait(second, galaxy.JobRunning)
		if err := os.WriteFile(gate, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*int64{&first.Job.ID, &second.Job.ID} {
			if got := strings.Join(s.states(*c), " "); !strings.HasPrefix(got, "new queued running") {
				t.Errorf("it went through %s", got)
			}
		}
		s.wait(first, galaxy.JobOK)
		s.wait(second, galaxy.JobOK)
	})
}

// queued hands jobs over only once a channel is closed.
type queued struct {
	scripted
	run <-chan struct{}
}

func (r queued) Submit(context.Context, runner.Job) (string, error) { return "in-queue", nil }

func (r queued) Watch(ctx context.Context, job runner.Job, _ string) (runner.Ending, error) {
	select {
	case <-ctx.Done():
		return runner.Ending{End: runner.Unknown}, ctx.Err()
	case <-r.run:
	}
	external, err := r.scripted.Submit(ctx, job)
	if err != nil {
		return runner.Ending{End: runner.Unknown}, err
	}
	job.Begun()
	return r.scripted.Watch(ctx, job, external)
}

// moveRun pretends that a run goes on somewhere else.
func moveRun(t *testing.T, d jobdir.Dir, to func(jobdir.Place) jobdir.Place) {
	t.Helper()
	here, err := jobdir.Here()
	if err != nil {
		t.Fatal(err)
	}
	there := to(here)
	if err := os.WriteFile(d.Lock(1), []byte(there.Line()), 0o644); err != nil {
		t.Fatal(err)
	}
	run, ok := d.ReadRun(1)
	if !ok {
		t.Fatal("the run did not say where it is")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.Lock(1)), "run"), fmt.Appendf(nil, "%d %s %s -\n", run.PID, there.Boot, there.Host), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestALocalJobOfAnotherHostIsWaitedFor(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	g := newGate(t)
	s.command("slow", "cat < '"+g.path+"' && printf done > '$out'")
	c := s.submit("slow", nil)
	stop := s.handler("h1")
	open := g.reached()
	s.wait(c, galaxy.JobRunning)
	stop()
	moveRun(t, jobdir.Of(s.jobs.JobsDir, c.Job.ID), func(p jobdir.Place) jobdir.Place { return jobdir.Place{Boot: "other", Host: "far-away"} })
	s.handler("h2")
	s.info(c.Job.ID, "far-away")
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	if j, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "done" || j.Info != "" {
		t.Errorf("made %q, says %q", s.text(h.ID), j.Info)
	}
}

func TestAHostThatWasRestartedHasLostItsJobs(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	g := newGate(t)
	s.command("slow", "echo run >> '"+s.dir+"/runs'; cat < '"+g.path+"' && printf done > '$out'")
	c := s.submit("slow", nil)
	stop := s.handler("h1")
	open := g.reached()
	s.wait(c, galaxy.JobRunning)
	stop()
	d := jobdir.Of(s.jobs.JobsDir, c.Job.ID)
	pid := d.RunPID(1)
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Poll(t, "the job to be gone", time.Minute, func() bool { return errors.Is(unix.Kill(-pid, 0), unix.ESRCH) })
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	moveRun(t, d, func(p jobdir.Place) jobdir.Place { return jobdir.Place{Boot: "earlier", Host: p.Host} })
	s.handler("h2")
	if err := g.reached().Close(); err != nil {
		t.Fatal(err)
	}
	if _, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "done" {
		t.Errorf("made %q", s.text(h.ID))
	}
}

// One of two runners is full: its jobs wait for it, those of the other run, and a
// handler that has place takes what is left.
func TestAFullRunnerHoldsUpNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		g := newGate(t)
		s.destinations(config.Destination{ID: "narrow", Runner: "narrow"}, config.Destination{ID: "wide", Runner: "wide"})
		s.conf.Tools = []config.ToolMapping{{ID: "quick", Destination: "wide"}}
		s.command("slow", "cat < '"+g.path+"' && printf done > '$out'")
		s.command("quick", "printf done > '$out'")
		s.adjust = func(h *jobhandler.Handler) {
			local := h.Runners["local"].Runner
			h.Runners = map[string]jobhandler.Runner{"narrow": {Runner: local, Workers: 1}, "wide": {Runner: local, Workers: 2}}
		}
		slow := s.submit("slow", nil)
		s.handler("h1")
		open := g.reached()
		s.wait(slow, galaxy.JobRunning)
		waits := s.submit("slow", nil)
		quick := s.submit("quick", nil)
		s.wait(quick, galaxy.JobOK)
		testenv.Poll(t, "the other to be given back", time.Minute, func() bool {
			j, err := store.JobByID(t.Context(), db, waits.Job.ID)
			return err == nil && j.State == galaxy.JobNew && j.RunnerName == "narrow"
		})
		if n := strings.Count(strings.Join(s.states(waits.Job.ID), " "), "queued"); n > 2 {
			t.Errorf("it was claimed %d times although there was no place", n)
		}
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		s.wait(slow, galaxy.JobOK)
		if err := g.reached().Close(); err != nil {
			t.Fatal(err)
		}
		s.wait(waits, galaxy.JobOK)
	})
}

// A handler whose declaration leaves out a job's runner gives the job to one that
// has it.
func TestAHandlerWithoutTheRunnerHandsOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		s.destinations(config.Destination{ID: "there", Runner: "cluster"})
		s.command("good", "printf x > '$out'")
		has := func(name, r string) bool { return (r == "cluster") == (name == "h2") }
		s.adjust = func(h *jobhandler.Handler) { h.HasRunner = has }
		c := s.submit("good", nil)
		s.handler("h1")
		s.info(c.Job.ID, "has the runner cluster")
		s.adjust = func(h *jobhandler.Handler) {
			h.HasRunner = has
			h.Runners = map[string]jobhandler.Runner{"cluster": h.Runners["local"]}
		}
		s.handler("h2")
		if j, h := s.wait(c, galaxy.JobOK); j.Handler != "h2" || s.text(h.ID) != "x" || j.Info != "" {
			t.Errorf("handled by %s, made %q, says %q", j.Handler, s.text(h.ID), j.Info)
		}
	})
}

func TestARefusedJobSaysWhy(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.destinations(config.Destination{ID: "local", Runner: "local"})
	s.conf.Tools = []config.ToolMapping{{ID: "good", Destination: "nowhere"}}
	s.command("good", "true")
	c := s.submit("good", nil)
	s.handler("h1")
	if j, h := s.wait(c, galaxy.JobError); !strings.Contains(j.Info, "nowhere") || h.Info != j.Info {
		t.Errorf("info %q", j.Info)
	}
}

func TestFoldersOfEndedJobsAreSwept(t *testing.T) {
	for _, c := range []struct {
		cleanup string
		want    []string // the states of jobs whose folders stay
	}{{"always", []string{"running"}}, {"onsuccess", []string{"error", "running"}}, {"never", []string{"error", "ok", "running"}}} {
		t.Run(c.cleanup, func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t))
			s.command("good", "true")
			folders := map[string]string{}
			for _, state := range []string{"ok", "error", "running"} {
				created := s.submit("good", nil)
				if err := s.db.Write(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Exec(t.Context(), "UPDATE job SET state = ?, handler = 'nobody' WHERE id = ?", state, created.Job.ID)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				d := jobdir.Of(s.jobs.JobsDir, created.Job.ID)
				if err := d.Create(); err != nil {
					t.Fatal(err)
				}
				folders[state] = d.Path
			}
			s.cleanup = c.cleanup
			s.adjust = func(h *jobhandler.Handler) { h.Sweep = 10 * time.Millisecond }
			s.handler("h1")
			stays := func() (states []string) {
				for state, path := range folders {
					if _, err := os.Lstat(path); err == nil {
						states = append(states, state)
					}
				}
				slices.Sort(states)
				return states
			}
			testenv.Poll(t, "the sweep", time.Minute, func() bool {
				_, err := os.Lstat(filepath.Join(s.jobs.JobsDir, ".swept"))
				return slices.Equal(stays(), c.want) && (err == nil || c.cleanup == "never")
			})
		})
	}
}

func TestAHandlerThatIsStuckEnds(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	hold := make(chan struct{})
	defer close(hold)
	s.adjust = func(h *jobhandler.Handler) {
		h.Locked = func() bool { <-hold; return true }
		h.Stuck = 100 * time.Millisecond
	}
	if err := s.runHandler("h1"); !errors.Is(err, jobhandler.ErrStuck) {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheWatchdogBites(t *testing.T) {
	for name, beats := range map[string][]int{"alive": {1, 1, 1}, "dead": {1, 0}, "late": {1, 1, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := jobhandler.NewPulse()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ticks, bitten := make(chan time.Time), make(chan bool, 1)
				go func() { bitten <- jobhandler.Watch(p, ctx, ticks) }()
				synctest.Wait()
				for _, n := range beats {
					for range n {
						jobhandler.Beat(p)
					}
					ticks <- time.Time{}
					synctest.Wait() // it has looked
				}
				if name == "alive" {
					cancel()
				}
				if got := <-bitten; got != (name != "alive") {
					t.Errorf("it bit: %v", got)
				}
			})
		})
	}
}
