package jobhandler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orrery/internal/config"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/runner"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
)

func TestJobsOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Slurm")
	}
	cluster := testenv.Slurm(t)
	onCluster := func(t *testing.T) *server {
		s := newServer(t, storetest.SQLite(t))
		s.destinations(config.Destination{ID: "cluster", Runner: "local"})
		s.wrap = func(runner.Runner) runner.Runner {
			r, err := slurmRunner(cluster.Conf)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		return s
	}
	gate := func(s *server) (string, func()) {
		path := filepath.Join(s.dir, "gate")
		return "while [ ! -e '" + path + "' ]; do sleep 0.05; done", func() {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	running := func(s *server, c *job.Created) {
		s.t.Helper()
		testenv.Poll(s.t, "the job to run", time.Minute, func() bool {
			j, err := store.JobByID(s.t.Context(), s.db, c.Job.ID)
			return err == nil && j.State == galaxy.JobRunning
		})
	}
	t.Run("a job", func(t *testing.T) {
		s := onCluster(t)
		wait, open := gate(s)
		s.command("good", `printf '%s %s' "\$GALAXY_SLOTS" "\${SLURM_JOB_ID:+on slurm}" > '$out'; `+wait)
		c := s.submit("good", nil)
		s.handler("h1")
		running(s, c)
		open()
		j, h := s.wait(c, galaxy.JobOK)
		if s.text(h.ID) != "1 on slurm" || j.ExternalID == "" {
			t.Errorf("made %q as %q", s.text(h.ID), j.ExternalID)
		}
		if got := strings.Join(s.states(c.Job.ID), " "); got != "new queued running ok" {
			t.Errorf("it went through %s", got)
		}
	})
	t.Run("taken over", func(t *testing.T) {
		s := onCluster(t)
		wait, open := gate(s)
		s.command("slow", "echo run >> '"+s.dir+"/runs'; "+wait+"; printf done > '$out'")
		c := s.submit("slow", nil)
		stop := s.handler("h1")
		running(s, c)
		stop()
		s.handler("h2")
		open()
		j, h := s.wait(c, galaxy.JobOK)
		if runs, err := os.ReadFile(s.dir + "/runs"); err != nil || string(runs) != "run\n" || s.text(h.ID) != "done" || j.Handler != "h2" {
			t.Errorf("ran %q, made %q on %s, %v", runs, s.text(h.ID), j.Handler, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		s := onCluster(t)
		wait, _ := gate(s)
		s.command("slow", wait)
		c := s.submit("slow", nil)
		s.handler("h1")
		running(s, c)
		if _, err := s.jobs.Cancel(t.Context(), s.actor, c.Job.ID, ""); err != nil {
			t.Fatal(err)
		}
		s.wait(c, galaxy.JobDeleted)
		testenv.Poll(t, "the cluster to be empty", time.Minute, func() bool {
			return strings.TrimSpace(cluster.Run("squeue", "--noheader", "--states=running,pending")) == ""
		})
	})
	t.Run("the controller is away", func(t *testing.T) {
		s := onCluster(t)
		s.command("good", "printf x > '$out'")
		cluster.StopController()
		c := s.submit("good", nil)
		s.handler("h1")
		s.info(c.Job.ID, "cannot be reached")
		cluster.StartController()
		if j, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "x" || j.Info != "" {
			t.Errorf("made %q, says %q", s.text(h.ID), j.Info)
		}
	})
}
