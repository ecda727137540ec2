package strategies

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orrery/internal/testenv"
)

// TestHandlersOnSeveralHosts runs the documents' dynamic handlers with each on a host of its own: a network, processes,
// a name and a run folder that nobody else has. Files and database are shared.
func TestHandlersOnSeveralHosts(t *testing.T) {
	s := site(t)
	database := testenv.Postgres(t)
	yml := strings.Replace(fragment(t, "scaling-22.01/common.yml"), "127.0.0.1:8080", "127.0.0.1:@PORT@", 1) + galaxy + "  job_config_file: config/job_conf.xml\n"
	s.Write("config/galaxy.yml", strings.Replace(yml, "sqlite:////srv/galaxy/var/universe.sqlite?isolation_level=IMMEDIATE", database.URL(), 1))
	s.Write("config/job_conf.xml", withRunner(fragment(t, "scaling-22.01/dynamic.xml")))
	run := filepath.Join(s.Dir, "var/database/run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Own()
	if out, err := shell(s, "galaxyctl start").CombinedOutput(); err != nil {
		t.Fatalf("galaxyctl start: %v\n%s\n%s", err, out, s.Logs())
	}
	s.Answers()
	way := testenv.Way{Socket: filepath.Join(database.Socket, fmt.Sprintf(".s.PGSQL.%d", database.Port)), Port: database.Port}
	type remote struct {
		door  *exec.Cmd
		pid   int
		ended chan struct{}
	}
	var handlers []remote
	for name, pools := range map[string]string{
		"handler0": "--attach-to-pool job-handlers",
		"handler1": "--attach-to-pool job-handlers.special",
		"handler2": "--attach-to-pool job-handlers --attach-to-pool job-handlers.special",
	} {
		host := testenv.NewHost(t, "host-of-"+name, []string{run}, way)
		here := shell(s, "")
		door := host.Command("sh", "-c", "cd "+here.Dir+" && exec ./scripts/galaxy-main -c config/galaxy.yml --server-name "+name+" "+pools)
		door.Env = here.Env
		output, err := os.Create(filepath.Join(s.Dir, "log", name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		defer output.Close()
		door.Stdout, door.Stderr = output, output
		if err := door.Start(); err != nil {
			t.Fatal(err)
		}
		h := remote{door: door, ended: make(chan struct{})}
		go func() {
			_ = door.Wait() // how the door closes does not matter
			close(h.ended)
		}()
		if h.pid, err = host.Inner(door); err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, h)
	}
	for tool, who := range map[string][]string{"test0": {"handler0", "handler2"}, "test1": {"handler1", "handler2"}} {
		for range 4 {
			if handler := s.Await(s.SubmitTo(tool), "ok"); !slices.Contains(who, handler) {
				t.Errorf("a job of %s was handled by %s, want one of %v", tool, handler, who)
			}
		}
	}
	var pool struct {
		Handlers []struct {
			Name string `json:"name"`
			Host string `json:"host"`
		}
	}
	s.Must(http.MethodGet, "/api/orrery/pool", testenv.AdminKey, nil, &pool)
	told := 0
	for _, h := range pool.Handlers {
		if h.Host == "host-of-"+h.Name {
			told++
		}
	}
	if told != 3 {
		t.Errorf("the pool tells of the hosts %+v", pool.Handlers)
	}
	for _, h := range handlers {
		if err := syscall.Kill(h.pid, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-h.ended
	}
	if out, err := shell(s, "galaxyctl shutdown").CombinedOutput(); err != nil {
		t.Errorf("galaxyctl shutdown: %v\n%s", err, out)
	}
}
