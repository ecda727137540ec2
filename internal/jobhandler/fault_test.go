package jobhandler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/config"
	"orrery/internal/datatype"
	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/jobdir"
	"orrery/internal/jobhandler"
	"orrery/internal/objectstore"
	"orrery/internal/pool"
	"orrery/internal/runner"
	"orrery/internal/runner/local"
	"orrery/internal/runner/slurm"
	"orrery/internal/store"
	"orrery/internal/testenv"
	"orrery/internal/tool"
	"orrery/internal/wake"
)

// childVariable tells a process of this test's program that it is a job handler.
const childVariable = "ORRERY_TEST_HANDLER"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a job handler in a process of its own.
type child struct {
	Name  string
	DB    where
	Dir   string
	Tools map[string]string
	Fault string
	Lease time.Duration
	// Slurm is the configuration of a cluster to run jobs on; "" runs them here.
	Slurm string
}

func (c child) runner() (runner.Runner, error) {
	if c.Slurm == "" {
		return local.New(), nil
	}
	return slurmRunner(c.Slurm)
}

func slurmRunner(conf string) (runner.Runner, error) {
	return slurm.New(slurm.Options{Load: "galaxy.jobs.runners.slurm:SlurmJobRunner", Environ: append(os.Environ(), "SLURM_CONF="+conf)})
}

// where is a database.
type where struct {
	Engine    store.Engine
	Path, DSN string
}

func (w where) options() store.Options {
	return store.Options{Engine: w.Engine, Path: w.Path, DSN: w.DSN, MaxConns: 4}
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	if c.Fault != "" {
		if err := jobhandler.InjectFaults(c.Fault); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	db, err := store.Open(ctx, c.DB.options())
	if err != nil {
		return err
	}
	defer db.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("handler", c.Name)
	box := &tools{byID: map[string]*tool.Tool{}}
	for id, xml := range c.Tools {
		if box.byID[id], err = tool.LoadBytes(filepath.Join(c.Dir, id+".xml"), []byte(xml), nil); err != nil {
			return err
		}
	}
	ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		return err
	}
	objects, err := objectstore.Open(objectstore.Options{Root: filepath.Join(c.Dir, "objects")})
	if err != nil {
		return err
	}
	bus, err := wake.Open(filepath.Join(c.Dir, "run"), c.Name, true, log)
	if err != nil {
		return err
	}
	defer bus.Close()
	conf := localOnly()
	router, err := destination.New(conf, destination.Options{})
	if err != nil {
		return err
	}
	member, err := pool.Join(ctx, db, pool.Options{ServerName: c.Name, Kind: "handler", Tags: []string{"_default_"}, Log: log, Lease: c.Lease, Wake: bus})
	if err != nil {
		return err
	}
	run, err := c.runner()
	if err != nil {
		return err
	}
	types := datatype.Default()
	h := &jobhandler.Handler{
		DB: db, Member: member, Wake: bus, Toolbox: box, Objects: objects, IDs: ids, Datatypes: types, ToolDatatypes: tool.RegistryDatatypes(types),
		Runners: map[string]jobhandler.Runner{"local": {Runner: run, Workers: 4}}, Router: router, JobsDir: filepath.Join(c.Dir, "jobs"),
		Cleanup: "always", Log: log, Poll: 50 * time.Millisecond, Blink: time.Millisecond, Retry: 20 * time.Millisecond, Sweep: 200 * time.Millisecond,
	}
	for {
		err := h.Run(ctx)
		if !errors.Is(err, store.ErrLeaseLost) {
			return errors.Join(err, member.Leave(context.WithoutCancel(ctx)))
		}
		if err := member.Rejoin(ctx); err != nil {
			return err
		}
	}
}

// localOnly is Galaxy's default job configuration.
func localOnly() *config.JobConfig {
	return &config.JobConfig{
		Runners:            []config.Runner{{ID: "local", Load: "galaxy.jobs.runners.local:LocalJobRunner", Workers: 3}},
		Destinations:       []config.Destination{{ID: "local", Runner: "local"}},
		DefaultDestination: "local",
	}
}

// process is a child that runs.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}
	log   *lockedText
}

// lockedText is what a process printed.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func startChild(t *testing.T, c child) *process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), log: &lockedText{}}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	p.cmd.Stderr, p.cmd.Stdout = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the process %d of %s said:\n%s", p.cmd.Process.Pid, c.Name, p.log)
		}
	})
	return p
}

func (p *process) isEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// isStopped tells whether a process was stopped by a signal.
func (p *process) isStopped() bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "T")
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// A handler crashes, or is paused for longer than its lease, at each step of a
// job's way, and another takes over: the job ends ok, and its command ran once.
func TestAJobRunsOnceWhereverItsHandlerStops(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	for _, action := range []string{"crash", "pause"} {
		for _, point := range jobhandler.Points {
			t.Run(action+" "+string(point), func(t *testing.T) {
				t.Parallel()
				stopAt(t, point, action, "")
			})
		}
	}
}

// On a cluster the same holds, where a submission is a command that another
// program carries out.
func TestAJobRunsOnceOnAClusterWhereverItsHandlerStops(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Slurm and PostgreSQL")
	}
	cluster := testenv.Slurm(t)
	t.Run("all", func(t *testing.T) {
		for _, c := range []struct {
			action string
			point  jobhandler.Point
		}{{"crash", jobhandler.AfterSubmit}, {"crash", jobhandler.AfterStart}, {"pause", jobhandler.BeforeSubmit}, {"pause", jobhandler.AfterSubmit}} {
			t.Run(c.action+" "+string(c.point), func(t *testing.T) {
				t.Parallel()
				stopAt(t, c.point, c.action, cluster.Conf)
			})
		}
	})
}

// databaseFor gives a database that other processes can open: on PostgreSQL for
// pauses, since a process that is paused while it writes to SQLite holds up
// everybody.
func databaseFor(t *testing.T, action string) (*store.DB, where) {
	t.Helper()
	at := where{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "universe.sqlite")}
	if action == "pause" {
		at = where{Engine: store.PostgreSQL, DSN: testenv.PostgresWith(t, "galaxy", func(url string) error {
			db, err := store.Open(context.Background(), store.Options{Engine: store.PostgreSQL, DSN: url})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.EnsureSchema(context.Background())
		}).URL()}
	}
	db, err := store.Open(t.Context(), at.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, at
}

func stopAt(t *testing.T, point jobhandler.Point, action, cluster string) {
	db, at := databaseFor(t, action)
	s := newServer(t, db)
	ledger := filepath.Join(s.dir, "ledger")
	xml := `<tool id="count" name="count" version="1.0" profile="24.0"><command detect_errors="exit_code"><![CDATA[
		echo \$PPID >> '` + ledger + `' && sleep 0.2 && printf 'done' > result ]]></command>
		<inputs/><outputs><data name="out" format="txt" from_work_dir="result"/></outputs></tool>`
	loaded, err := tool.LoadBytes(filepath.Join(s.dir, "count.xml"), []byte(xml), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.box.byID["count"] = loaded
	c := child{Name: "h1", DB: at, Dir: s.dir, Tools: map[string]string{"count": xml}, Fault: string(point) + "=" + action, Lease: 3 * time.Second, Slurm: cluster}
	created := []*job.Created{s.submit("count", nil)}
	first := startChild(t, c)
	testenv.Poll(t, "the first handler to stop", 2*time.Minute, func() bool {
		if action == "pause" {
			if first.isEnded() {
				t.Fatal("the first handler ended")
			}
			return first.isStopped()
		}
		return first.isEnded()
	})
	c.Name, c.Fault = "h2", ""
	second := startChild(t, c)
	s.wait(created[0], galaxy.JobOK)
	gone := func(c *job.Created) {
		t.Helper()
		testenv.Poll(t, "the job's folder to be removed", time.Minute, func() bool {
			_, err := os.Lstat(jobdir.Of(s.jobs.JobsDir, c.Job.ID).Path)
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	gone(created[0]) // and with it what keeps an attempt from running twice
	if action == "pause" {
		testenv.Poll(t, "the first handler's lease to end", time.Minute, func() bool {
			all, err := store.AllInstances(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			return !slices.ContainsFunc(all, func(in store.Instance) bool { return in.ServerName == "h1" && !in.Lapsed && !in.Left })
		})
		first.signal(unix.SIGCONT)
		testenv.Poll(t, "the first handler to know that its lease has ended", time.Minute, func() bool {
			return strings.Contains(first.log.String(), "has a new lease")
		})
	}
	// What is left works.
	created = append(created, s.submit("count", nil))
	s.wait(created[1], galaxy.JobOK)
	for _, c := range created {
		gone(c)
		if text := s.text(c.Outputs[0].ID); text != "done" {
			t.Errorf("the output of job %d is %q", c.Job.ID, text)
		}
		if n := s.count("SELECT count(*) FROM job_state_history WHERE job_id = ? AND state IN ('ok', 'error')", c.Job.ID); n != 1 {
			t.Errorf("job %d ended %d times", c.Job.ID, n)
		}
	}
	second.signal(unix.SIGTERM)
	<-second.ended
	if action == "pause" {
		first.signal(unix.SIGTERM)
		<-first.ended
	}
	if text, err := os.ReadFile(ledger); err != nil || strings.Count(string(text), "\n") != len(created) {
		t.Errorf("%d jobs ran %d times (%v)", len(created), strings.Count(string(text), "\n"), err)
	}
	if n := s.count("SELECT count(*) FROM orrery_claim"); n != 0 {
		t.Errorf("%d claims are left", n)
	}
}
