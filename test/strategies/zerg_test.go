package strategies

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"orrery/internal/testenv"
)

// zergling starts a process that attaches to the pool, and waits until it serves.
func zergling(t *testing.T, s *testenv.Site, number int) (cmd *exec.Cmd, ended chan error) {
	t.Helper()
	cmd = shell(s, fmt.Sprintf("exec uwsgi --yaml config/galaxy.yml --pidfile2 z%d.pid", number))
	output, err := os.Create(filepath.Join(s.Dir, fmt.Sprintf("log/zergling%d.log", number)))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.WaitFor("the zergling to serve", func() error {
		_, err := os.Stat(filepath.Join(s.Dir, fmt.Sprintf("server/z%d.pid", number)))
		return err
	})
	return cmd, ended
}

// TestZergMode: one process holds the sockets, and the servers that attach to it come and go without a request that fails.
// Between two of them requests wait.
func TestZergMode(t *testing.T) {
	s := site(t)
	common := strings.TrimPrefix(fragment(t, "scaling-19.01/common.yml"), "uwsgi:\n")
	s.Write("config/galaxy.yml", "uwsgi:\n"+common+"    zerg: /srv/galaxy/var/zergpool.sock\n"+galaxy)
	s.Own()
	pool := shell(s, fmt.Sprintf("exec uwsgi --master --protocol http --zerg-pool %s/var/zergpool.sock:127.0.0.1:%d", s.Dir, s.Port))
	output, err := os.Create(filepath.Join(s.Dir, "log/pool.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	pool.Stdout, pool.Stderr = output, output
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	poolEnded := make(chan error, 1)
	go func() { poolEnded <- pool.Wait() }()

	one, oneEnded := zergling(t, s, 1)
	s.Answers()
	job := s.SubmitTo("test0")
	s.Await(job, "ok")

	// A client that asks all the time, over connections of its own each time.
	var asked, failed atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			select {
			case <-stop:
				return
			default:
			}
			answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/api/version", s.Port))
			if err == nil {
				_, err = bufio.NewReader(answer.Body).Peek(1)
				answer.Body.Close()
			}
			if asked.Add(1); err != nil {
				failed.Add(1)
				t.Logf("request %d: %v", asked.Load(), err)
			}
		}
	}()
	end := func(cmd *exec.Cmd, ended chan error) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("a zergling ended with %v\n%s", err, s.Logs())
		}
	}
	two, twoEnded := zergling(t, s, 2)
	end(one, oneEnded)
	s.Await(s.SubmitTo("test0"), "ok")
	end(two, twoEnded) // nobody is attached now
	before := asked.Load()
	three, threeEnded := zergling(t, s, 3)
	s.Await(s.SubmitTo("test0"), "ok")
	s.WaitFor("requests to be answered again", func() error {
		if asked.Load() < before+10 {
			return fmt.Errorf("%d since the third came", asked.Load()-before)
		}
		return nil
	})
	close(stop)
	<-done
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	end(three, threeEnded)
	if err := pool.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-poolEnded; err != nil {
		t.Errorf("the pool ended with %v\n%s", err, s.Logs())
	}
}
