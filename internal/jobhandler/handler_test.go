package jobhandler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/config"
	"orrery/internal/dataset"
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
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/testenv"
	"orrery/internal/tool"
	"orrery/internal/wake"
)

// tools is a toolbox of a few tools.
type tools struct {
	mu   sync.Mutex
	byID map[string]*tool.Tool
}

func (b *tools) Get(id, _ string) (*tool.Tool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.byID[id]; t != nil {
		return t, nil
	}
	return nil, galaxy.Errorf(galaxy.NotFound, "The tool %s is not installed here any more", id)
}

// server is a server without its web part: a database, a store, a toolbox, a
// person with a history, and handlers as tests start them.
type server struct {
	t       *testing.T
	dir     string
	db      *store.DB
	ids     *galaxy.IDCodec
	objects *objectstore.Disk
	bus     *wake.Bus
	box     *tools
	jobs    *job.Service
	actor   *galaxy.Actor
	history *store.History
	cleanup string
	wrap    func(runner.Runner) runner.Runner
	inner   map[string]jobhandler.InternalTool
	conf    *config.JobConfig
	adjust  func(*jobhandler.Handler)
	tags    []string // of handlers; `_default_` unless set
}

var people atomic.Int64

func newServer(t *testing.T, db *store.DB) *server {
	t.Helper()
	s := &server{t: t, db: db, dir: t.TempDir(), cleanup: "onsuccess", box: &tools{byID: map[string]*tool.Tool{}}}
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.ids, err = galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	check()
	s.objects, err = objectstore.Open(objectstore.Options{Root: filepath.Join(s.dir, "objects")})
	check()
	s.bus, err = wake.Open(filepath.Join(s.dir, "run"), "test", true, slog.New(slog.DiscardHandler))
	check()
	t.Cleanup(func() { _ = s.bus.Close() })
	s.jobs = &job.Service{
		DB: db, Objects: s.objects, IDs: s.ids, Datatypes: tool.RegistryDatatypes(datatype.Default()), Wake: s.bus,
		Assign: func(context.Context, string) (string, error) { return "_default_", nil }, ChromInfo: func(string) string { return "" }, JobsDir: filepath.Join(s.dir, "jobs"),
	}
	var user, history int64
	name := fmt.Sprintf("ann-%d", people.Add(1)) // several servers may share a database
	err = db.Write(t.Context(), func(tx *store.Tx) (err error) {
		if user, err = store.Insert(t.Context(), tx, "galaxy_user", store.Values{
			"email": name + "@example.org", "username": name, "password": "x", "active": true, "deleted": false, "purged": false,
		}); err != nil {
			return err
		}
		history, err = store.Insert(t.Context(), tx, "history", store.Values{
			"user_id": user, "name": "h", "hid_counter": 1, "deleted": false, "purged": false, "importing": false,
			"importable": false, "published": false, "archived": false, "create_time": tx.Now(), "update_time": tx.Now(),
		})
		return err
	})
	check()
	s.actor = &galaxy.Actor{User: &galaxy.User{ID: user, Email: "ann@example.org", Username: "ann"}}
	s.history, err = store.HistoryByID(t.Context(), db, history)
	check()
	return s
}

// tool adds a tool by its XML, without the enclosing element's usual parts.
func (s *server) tool(id, xml string) {
	s.t.Helper()
	t, err := tool.LoadBytes(filepath.Join(s.dir, id+".xml"), fmt.Appendf(nil, `<tool id=%q name=%q version="1.0" profile="24.0">%s</tool>`, id, id, xml), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.box.mu.Lock()
	s.box.byID[id] = t
	s.box.mu.Unlock()
}

// command adds a tool with a command and one output.
func (s *server) command(id, command string) {
	s.tool(id, `<command detect_errors="exit_code"><![CDATA[`+command+`]]></command><inputs/><outputs><data name="out" format="txt"/></outputs>`)
}

// router chooses destinations by the server's job configuration; by Galaxy's
// default, if it has none.
func (s *server) router() *destination.Router {
	s.t.Helper()
	if s.conf == nil {
		s.conf = localOnly()
	}
	r, err := destination.New(s.conf, destination.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *server) known(name string) bool { return len(s.conf.DestinationsFor(name)) > 0 }

// open joins a handler, which is to be run.
func (s *server) open(name string) (*jobhandler.Handler, *pool.Member) {
	s.t.Helper()
	types := datatype.Default()
	log := slog.New(slog.NewTextHandler(s.t.Output(), nil))
	tags := s.tags
	if tags == nil {
		tags = []string{"_default_"}
	}
	member, err := pool.Join(s.t.Context(), s.db, pool.Options{ServerName: name, Kind: "handler", Tags: tags, Log: log, Wake: s.bus})
	if err != nil {
		s.t.Fatal(err)
	}
	var run runner.Runner = local.New()
	if s.wrap != nil {
		run = s.wrap(run)
	}
	h := &jobhandler.Handler{
		DB: s.db, Member: member, Wake: s.bus, Toolbox: s.box, Objects: s.objects, IDs: s.ids, Datatypes: types,
		ToolDatatypes: tool.RegistryDatatypes(types), Runners: map[string]jobhandler.Runner{"local": {Runner: run, Workers: 3}},
		Router: s.router(), Known: s.known, JobsDir: s.jobs.JobsDir, Cleanup: s.cleanup, Poll: 20 * time.Millisecond, Log: log, Internal: s.inner,
		Retry: 10 * time.Millisecond,
	}
	if s.adjust != nil {
		s.adjust(h)
	}
	return h, member
}

// runHandler runs a handler until it ends.
func (s *server) runHandler(name string) error {
	s.t.Helper()
	h, member := s.open(name)
	err := h.Run(s.t.Context())
	return errors.Join(err, member.Leave(context.Background()))
}

// handler starts a handler; calling what it gives stops it and waits.
func (s *server) handler(name string) (stop func()) {
	s.t.Helper()
	h, member := s.open(name)
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	once := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the handler ended with %v", err)
		}
		if err := member.Leave(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(once)
	return once
}

// dataset adds a finished dataset.
func (s *server) dataset(text string) int64 {
	s.t.Helper()
	var hdas []store.HDA
	err := s.db.Write(s.t.Context(), func(tx *store.Tx) (err error) {
		hdas, err = store.CreateHDAs(s.t.Context(), tx, s.history.ID, []store.NewHDA{{Name: "data", Extension: "txt", State: galaxy.DatasetOK}})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	path, err := s.objects.Create(dataset.StoreRef(&hdas[0].Dataset))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return hdas[0].ID
}

// submit makes a job of a tool.
func (s *server) submit(id string, inputs map[string]any) *job.Created {
	s.t.Helper()
	t, err := s.box.Get(id, "")
	if err != nil {
		s.t.Fatal(err)
	}
	in := map[string]any{}
	maps.Copy(in, inputs)
	state, wrong, err := tool.Populate(s.t.Context(), s.jobs.Env(s.actor, s.history.ID), t, in, "")
	if err == nil {
		err = wrong.Err()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	created, err := s.jobs.Create(s.t.Context(), s.actor, s.history, state)
	if err != nil {
		s.t.Fatal(err)
	}
	return created
}

// hdaInput is a dataset as a request names it.
func (s *server) hdaInput(hda int64) map[string]any {
	return map[string]any{"src": "hda", "id": s.ids.Encode(hda)}
}

// wait waits until a job is in a state and gives it with its first output.
func (s *server) wait(c *job.Created, want galaxy.JobState) (*store.Job, *store.HDA) {
	s.t.Helper()
	var j *store.Job
	testenv.Poll(s.t, "job "+fmt.Sprint(c.Job.ID)+" to be "+string(want), time.Minute, func() bool {
		var err error
		if j, err = store.JobByID(s.t.Context(), s.db, c.Job.ID); err != nil {
			s.t.Fatal(err)
		}
		if j.State != want && j.State.Terminal() && j.State != galaxy.JobDeleting {
			s.t.Fatalf("the job ended %s: %s\n%s\n%s", j.State, j.Info, j.ToolStderr, j.Traceback)
		}
		return j.State == want
	})
	h, err := store.HDAByID(s.t.Context(), s.db, c.Outputs[0].ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return j, h
}

// text is what an output holds.
func (s *server) text(hda int64) string {
	s.t.Helper()
	h, err := store.HDAByID(s.t.Context(), s.db, hda)
	if err != nil {
		s.t.Fatal(err)
	}
	path, err := s.objects.Path(dataset.StoreRef(&h.Dataset))
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *server) count(query string, args ...any) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestOurToolsRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		for _, name := range []string{"cat", "fail"} {
			loaded, err := tool.LoadFile(filepath.Join(testenv.Root(t), "tools", "text", name+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			s.box.byID[loaded.ID] = loaded
		}
		first, second := s.dataset("a\tb\n"), s.dataset("c\td\n")
		cat := s.submit("cat1", map[string]any{"input1": s.hdaInput(first), "queries_0|input2": s.hdaInput(second)})
		again := s.submit("cat1", map[string]any{"input1": s.hdaInput(cat.Outputs[0].ID)}) // waits for the first
		failing := s.submit("fail_on_purpose", map[string]any{"message": "no more ink", "exit_code": "3"})
		after := s.submit("cat1", map[string]any{"input1": s.hdaInput(failing.Outputs[0].ID)})
		last := s.submit("cat1", map[string]any{"input1": s.hdaInput(after.Outputs[0].ID)})
		s.handler("h1")
		j, out := s.wait(cat, galaxy.JobOK)
		if s.text(out.ID) != "a\tb\nc\td\n" || out.State() != galaxy.DatasetOK || out.Dataset.FileSize != 8 || out.Peek == "" {
			t.Errorf("cat1 made %q, %+v", s.text(out.ID), out)
		}
		if *j.ExitCode != 0 || j.RunnerName != "local" || j.Handler != "h1" || j.CommandLine == "" || j.DestinationID != "local" {
			t.Errorf("the job is %+v", j)
		}
		if _, out := s.wait(again, galaxy.JobOK); s.text(out.ID) != "a\tb\nc\td\n" {
			t.Errorf("the second cat1 made %q", s.text(out.ID))
		}
		j, out = s.wait(failing, galaxy.JobError)
		if *j.ExitCode != 3 || out.State() != galaxy.DatasetError || out.Info != "no more ink" || !strings.Contains(string(j.JobMessages), "exit_code") {
			t.Errorf("the failure is %+v, its output %+v", j, out)
		}
		j, out = s.wait(after, galaxy.JobPaused)
		if out.State() != galaxy.DatasetPaused || !strings.Contains(j.Info, "error state") || out.Info != j.Info {
			t.Errorf("what depends on it is %s (%q), its output %s (%q)", j.State, j.Info, out.State(), out.Info)
		}
		s.wait(last, galaxy.JobPaused)
		// The input is mended, and resuming lets both go on.
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			return store.SetHDAStates(t.Context(), tx, []int64{failing.Outputs[0].ID}, galaxy.DatasetOK, "")
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.jobs.Resume(t.Context(), s.actor, after.Job.ID); err != nil {
			t.Fatal(err)
		}
		_, out = s.wait(last, galaxy.JobOK)
		if out.State() != galaxy.DatasetOK || s.text(out.ID) != s.text(failing.Outputs[0].ID) {
			t.Errorf("after resuming, the last output is %s with %q", out.State(), s.text(out.ID))
		}
		if n := s.count("SELECT count(*) FROM orrery_claim"); n != 0 {
			t.Errorf("%d claims are left", n)
		}
		if n := s.count("SELECT count(*) FROM orrery_wait"); n != 0 {
			t.Errorf("%d waits are left", n)
		}
	})
}

func TestWhatToolsDo(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	secret := filepath.Join(s.dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(output string) string { return `<inputs/><outputs>` + output + `</outputs>` }
	plain := one(`<data name="out" format="txt"/>`)
	cases := []struct {
		name, xml string
		state     galaxy.JobState
		out       galaxy.DatasetState
		text      string // of the output
		check     func(t *testing.T, j *store.Job, h *store.HDA)
	}{
		{"ok", `<command>printf hello > '$out'</command>` + plain, "ok", "ok", "hello", nil},
		{"exit_code", `<command detect_errors="exit_code">printf part > '$out'; echo broke >&amp;2; exit 7</command>` + plain, "error", "error", "part",
			func(t *testing.T, j *store.Job, h *store.HDA) {
				if *j.ExitCode != 7 || h.Info != "broke" {
					t.Errorf("exit code %d, info %q", *j.ExitCode, h.Info)
				}
			}},
		{"stderr_rule", `<command>echo "Bad luck" >&amp;2; printf x > '$out'</command><stdio><regex match="luck" source="stderr" level="fatal" description="unlucky"/></stdio>` + plain,
			"error", "error", "x", func(t *testing.T, j *store.Job, _ *store.HDA) {
				if !strings.Contains(string(j.JobMessages), "unlucky") {
					t.Errorf("messages %s", j.JobMessages)
				}
			}},
		{"stderr_allowed", `<command detect_errors="exit_code">echo note >&amp;2; printf x > '$out'</command>` + plain, "ok", "ok", "x", nil},
		{"from_work_dir", `<command>printf made > 'a b.txt'</command>` + one(`<data name="out" format="txt" from_work_dir="a b.txt"/>`), "ok", "ok", "made", nil},
		{"from_work_dir_missing", `<command>true</command>` + one(`<data name="out" format="txt" from_work_dir="nothing"/>`), "ok", "ok", "", nil},
		{"from_work_dir_out", `<command>ln -s '` + secret + `' leak</command>` + one(`<data name="out" format="txt" from_work_dir="leak"/>`), "ok", "error", "",
			func(t *testing.T, _ *store.Job, h *store.HDA) {
				if !strings.Contains(h.Info, "leads out") {
					t.Errorf("info %q", h.Info)
				}
			}},
		{"from_work_dir_link", `<command>printf real > real; ln -s real link</command>` + one(`<data name="out" format="txt" from_work_dir="link"/>`), "ok", "ok", "real", nil},
		{"from_work_dir_folder", `<command>mkdir d</command>` + one(`<data name="out" format="txt" from_work_dir="d"/>`), "ok", "error", "", nil},
		{"from_work_dir_pipe", `<command>mkfifo d</command>` + one(`<data name="out" format="txt" from_work_dir="d"/>`), "ok", "error", "", nil},
		{"configfile", `<command>cat '$conf' > '$out'</command><configfiles><configfile name="conf">value of $out.ext</configfile></configfiles>` + plain, "ok", "ok", "value of txt", nil},
		{"environment", `<command>printf %s "\$MY_VALUE" > '$out'</command><environment_variables><environment_variable name="MY_VALUE">it's $out.ext "x"</environment_variable></environment_variables>` + plain,
			"ok", "ok", `it's txt "x"`, nil},
		{"version", `<version_command>echo tool 9.1</version_command><command>printf x > '$out'</command>` + plain, "ok", "ok", "x",
			func(t *testing.T, _ *store.Job, h *store.HDA) {
				if h.ToolVersion != "tool 9.1" {
					t.Errorf("version %q", h.ToolVersion)
				}
			}},
		{"auto", `<command>printf 'a\t1\nb\t2\n' > '$out'</command>` + one(`<data name="out" format="auto"/>`), "ok", "ok", "a\t1\nb\t2\n",
			func(t *testing.T, _ *store.Job, h *store.HDA) {
				if h.Extension != "tabular" || !strings.Contains(string(h.Metadata), `"columns":2`) {
					t.Errorf("recognised as %s, %s", h.Extension, h.Metadata)
				}
			}},
		{"output_folder", `<command>rm '$out'; mkdir '$out'; touch '$out/x'</command>` + plain, "ok", "error", "",
			func(t *testing.T, _ *store.Job, h *store.HDA) {
				if !strings.Contains(h.Info, "not a file") {
					t.Errorf("info %q", h.Info)
				}
			}},
		{"output_pipe", `<command>rm '$out'; mkfifo '$out'</command>` + plain, "ok", "error", "", nil},
		{"output_removed", `<command>rm '$out'</command>` + plain, "ok", "ok", "", nil},
		{"output_dangling", `<command>ln -sf nowhere '$out'</command>` + plain, "ok", "ok", "", nil},
		{"output_loop", `<command>rm '$out'; ln -s '$out' '$out'</command>` + plain, "ok", "ok", "", nil},
		{"output_link_into_job", `<command>printf mine > here; ln -sf "\$PWD/here" '$out'</command>` + plain, "ok", "ok", "mine", nil},
		{"output_unreadable", `<command>printf x > '$out'; chmod 0 '$out'</command>` + plain, "ok", "ok", "x", nil},
		{"working_removed", `<command>printf x > '$out'; rm -rf "\$PWD"</command>` + plain, "ok", "ok", "x", nil},
		{"working_locked", `<command>printf x > '$out'; mkdir d; touch d/f; chmod 0 d .</command>` + plain, "ok", "ok", "x", nil},
		{"stdout_replaced", `<command>printf x > '$out'; rm ../outputs/tool_stdout; mkfifo ../outputs/tool_stdout</command>` + plain, "ok", "ok", "x", nil},
		{"much_stdout", `<command>head -c 30000000 /dev/zero | tr '\0' y; printf x > '$out'</command>` + plain, "ok", "ok", "x",
			func(t *testing.T, j *store.Job, h *store.HDA) {
				if len(j.ToolStdout) > 40000 || !strings.Contains(j.ToolStdout, "left out") || len(h.Info) > 255 {
					t.Errorf("%d bytes of output were kept, %d of info", len(j.ToolStdout), len(h.Info))
				}
			}},
		{"binary_stdout", `<command>printf 'a\000b\377c'; printf x > '$out'</command>` + plain, "ok", "ok", "x", nil},
		{"killed", `<command>printf x > '$out'; kill -9 \$PPID; exec cat &lt; /dev/null</command>` + plain, "error", "error", "x",
			func(t *testing.T, j *store.Job, _ *store.HDA) {
				if j.ExitCode != nil || !strings.Contains(j.Info, "killed") {
					t.Errorf("info %q", j.Info)
				}
			}},
		{"template_fails", `<command>echo ${out.no_such.thing}</command>` + plain, "error", "error", "", func(t *testing.T, j *store.Job, h *store.HDA) {
			if h.Info == "" || strings.Contains(h.Info, "panic") {
				t.Errorf("info %q", h.Info)
			}
		}},
	}
	created := map[string]*job.Created{}
	for _, c := range cases {
		s.tool(c.name, c.xml)
		created[c.name] = s.submit(c.name, nil)
	}
	s.handler("h1")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := *s
			s.t = t
			j, h := s.wait(created[c.name], c.state)
			if h.State() != c.out {
				t.Errorf("the output is %s (%s), want %s", h.State(), h.Info, c.out)
			}
			if got := s.text(h.ID); got != c.text {
				t.Errorf("the output holds %q, want %q", got, c.text)
			}
			if c.check != nil {
				c.check(t, j, h)
			}
		})
	}
}

func TestLabelsNameTheInput(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.tool("label", `<command>cat '$in' > '$out'</command><inputs><param name="in" type="data" format="txt"/></inputs>
		<outputs><data name="out" format_source="in" metadata_source="in" label="${tool.name} on ${on_string}"/></outputs>`)
	c := s.submit("label", map[string]any{"in": s.hdaInput(s.dataset("x\n"))})
	s.handler("h1")
	if _, h := s.wait(c, galaxy.JobOK); h.Name != "label on dataset 1" && h.Name != "label on data 1" || h.Extension != "txt" {
		t.Errorf("named %q, %s", h.Name, h.Extension)
	}
}

func TestInputsThatAreGone(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.tool("copy", `<command>cat '$in' > '$out'</command><inputs><param name="in" type="data" format="txt"/></inputs><outputs><data name="out" format="txt"/></outputs>`)
	deleted, purged := s.dataset("x"), s.dataset("y")
	onDeleted, onPurged := s.submit("copy", map[string]any{"in": s.hdaInput(deleted)}), s.submit("copy", map[string]any{"in": s.hdaInput(purged)})
	set := func(hda int64, deleted, purged bool) {
		if err := s.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE history_dataset_association SET deleted = ?, purged = ? WHERE id = ?", deleted, purged, hda)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	set(deleted, true, false)
	set(purged, true, true)
	s.handler("h1")
	if j, _ := s.wait(onPurged, galaxy.JobError); !strings.Contains(j.Info, "deleted for good") {
		t.Errorf("info %q", j.Info)
	}
	if j, _ := s.wait(onDeleted, galaxy.JobPaused); !strings.Contains(j.Info, "was deleted") {
		t.Errorf("info %q", j.Info)
	}
	set(deleted, false, false)
	if _, err := s.jobs.Resume(t.Context(), s.actor, onDeleted.Job.ID); err != nil {
		t.Fatal(err)
	}
	if _, h := s.wait(onDeleted, galaxy.JobOK); s.text(h.ID) != "x" {
		t.Errorf("made %q", s.text(h.ID))
	}
}

func TestAVanishedToolIsNamed(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.command("gone", "true")
	c := s.submit("gone", nil)
	delete(s.box.byID, "gone")
	s.handler("h1")
	j, h := s.wait(c, galaxy.JobError)
	if !strings.Contains(j.Info, "gone") || h.Info != j.Info || h.State() != galaxy.DatasetError {
		t.Errorf("job %q, output %s %q", j.Info, h.State(), h.Info)
	}
}

// gate is a pipe that a tool waits at.
type gate struct {
	t    *testing.T
	path string
}

func newGate(t *testing.T) gate {
	g := gate{t, filepath.Join(t.TempDir(), "gate")}
	if err := unix.Mkfifo(g.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// reached waits until the tool is at the gate; closing the file lets it through.
func (g gate) reached() *os.File {
	g.t.Helper()
	f, err := os.OpenFile(g.path, os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestAHandlerThatStartsAgainAdopts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newServer(t, db)
		g := newGate(t)
		runs := filepath.Join(s.dir, "runs")
		s.command("slow", "echo run >> '"+runs+"' && cat < '"+g.path+"' && printf done > '$out'")
		c := s.submit("slow", nil)
		stop := s.handler("h1")
		open := g.reached()
		s.wait(c, galaxy.JobRunning)
		stop()
		s.handler("h1")
		testenv.Poll(t, "the job to be adopted", time.Minute, func() bool {
			return s.count("SELECT count(*) FROM orrery_claim WHERE epoch = 2") == 1
		})
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		if _, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "done" {
			t.Errorf("made %q", s.text(h.ID))
		}
		if text, err := os.ReadFile(runs); err != nil || string(text) != "run\n" {
			t.Errorf("it ran %q times, %v", text, err)
		}
		if n := s.count("SELECT count(*) FROM job_state_history WHERE job_id = ? AND state = 'ok'", c.Job.ID); n != 1 {
			t.Errorf("it finished %d times", n)
		}
	})
}

// A job that ended while no handler ran is collected by the next.
func TestAJobThatEndedMeanwhileIsCollected(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	g := newGate(t)
	s.command("slow", "cat < '"+g.path+"' && printf done > '$out'")
	c := s.submit("slow", nil)
	stop := s.handler("h1")
	open := g.reached()
	s.wait(c, galaxy.JobRunning)
	stop()
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	dir := jobdir.Of(s.jobs.JobsDir, c.Job.ID)
	testenv.Poll(t, "the tool to end", time.Minute, func() bool { _, err := dir.ReadOutcome(1); return err == nil })
	s.handler("h1")
	if _, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "done" {
		t.Errorf("made %q", s.text(h.ID))
	}
}

func TestAnAdministratorMovesARunningJob(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	g := newGate(t)
	s.command("slow", "cat < '"+g.path+"' && printf done > '$out'")
	c := s.submit("slow", nil)
	s.handler("h1")
	open := g.reached()
	s.wait(c, galaxy.JobRunning)
	if err := s.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE job SET handler = 'h2' WHERE id = ?", c.Job.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.handler("h2")
	testenv.Poll(t, "the job to be adopted", time.Minute, func() bool {
		return s.count("SELECT count(*) FROM orrery_claim WHERE epoch = 2") == 1
	})
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	if j, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "done" || j.Handler != "h2" {
		t.Errorf("made %q on %s", s.text(h.ID), j.Handler)
	}
}

func TestCancelKillsTheProcess(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t))
			g := newGate(t)
			s.command("slow", "printf part > '$out'; cat < '"+g.path+"' && printf done > '$out'")
			c := s.submit("slow", nil)
			stop := s.handler("h1")
			open := g.reached()
			s.wait(c, galaxy.JobRunning)
			if restart {
				stop()
			}
			if state, err := s.jobs.Cancel(t.Context(), s.actor, c.Job.ID, ""); err != nil || state != galaxy.JobDeleting {
				t.Fatalf("cancelled as %s, %v", state, err)
			}
			if restart {
				s.handler("h1")
			}
			j, h := s.wait(c, galaxy.JobDeleted)
			if h.State() != galaxy.DatasetDiscarded || !h.Deleted || j.Info == "" {
				t.Errorf("the output is %s, deleted %v; info %q", h.State(), h.Deleted, j.Info)
			}
			testenv.Poll(t, "the tool to be gone", time.Minute, func() bool {
				_, err := open.WriteString("x")
				return errors.Is(err, unix.EPIPE)
			})
		})
	}
}

// panicky makes the handler panic for one job.
type panicky struct{ runner.Runner }

func (p panicky) Watch(ctx context.Context, j runner.Job, external string) (runner.Ending, error) {
	if script, err := os.ReadFile(filepath.Join(j.Dir.Path, "tool_script.sh")); err == nil && strings.Contains(string(script), "panic here") {
		panic("as asked")
	}
	return p.Runner.Watch(ctx, j, external)
}

func TestAPanicFailsOneJob(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.wrap = func(r runner.Runner) runner.Runner { return panicky{r} }
	s.command("bad", "echo panic here")
	s.command("good", "printf x > '$out'")
	bad, good := s.submit("bad", nil), s.submit("good", nil)
	s.handler("h1")
	if j, _ := s.wait(bad, galaxy.JobError); !strings.Contains(j.Info, "server failed") {
		t.Errorf("info %q", j.Info)
	}
	s.wait(good, galaxy.JobOK)
	s.wait(s.submit("good", nil), galaxy.JobOK)
}

func TestCleanupJob(t *testing.T) {
	for _, c := range []struct {
		cleanup          string
		okStays, badStay bool
	}{{"always", false, false}, {"onsuccess", false, true}, {"never", true, true}} {
		t.Run(c.cleanup, func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t))
			s.cleanup = c.cleanup
			s.command("good", "touch x; chmod 0 .")
			s.command("bad", "exit 1")
			good, bad := s.submit("good", nil), s.submit("bad", nil)
			stop := s.handler("h1")
			s.wait(good, galaxy.JobOK)
			s.wait(bad, galaxy.JobError)
			stop()
			for id, stays := range map[int64]bool{good.Job.ID: c.okStays, bad.Job.ID: c.badStay} {
				if _, err := os.Lstat(jobdir.Of(s.jobs.JobsDir, id).Path); (err == nil) != stays {
					t.Errorf("the folder of job %d: %v", id, err)
				}
			}
		})
	}
}

// The database was made anew, but the folders of its jobs are still there.
func TestAFolderOfAnEarlierServerIsNotTaken(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.command("good", "printf new > '$out'")
	c := s.submit("good", nil)
	dir := jobdir.Of(s.jobs.JobsDir, c.Job.ID)
	attempt := filepath.Join(dir.Path, "attempt-1")
	if err := os.MkdirAll(attempt, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"started": "", "exit_code": "0 1 2 1"} {
		if err := os.WriteFile(filepath.Join(attempt, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.handler("h1")
	if _, h := s.wait(c, galaxy.JobOK); s.text(h.ID) != "new" {
		t.Errorf("made %q", s.text(h.ID))
	}
}

// outage breaks the database's answers for one job, at its end.
type outage struct {
	runner.Runner
	s    *server
	once *sync.Once
}

func (o outage) Watch(ctx context.Context, j runner.Job, external string) (runner.Ending, error) {
	end, err := o.Runner.Watch(ctx, j, external)
	o.once.Do(func() {
		for _, q := range []string{
			`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'down' USING ERRCODE = '57P01'; END $$`,
			`CREATE TRIGGER refuse BEFORE UPDATE ON job FOR EACH ROW WHEN (NEW.state IN ('ok', 'error')) EXECUTE FUNCTION refuse()`,
		} {
			if _, err := o.s.db.Exec(ctx, q); err != nil {
				o.s.t.Error(err)
			}
		}
	})
	return end, err
}

func TestAnOutageOfTheDatabaseLosesNoJob(t *testing.T) {
	s := newServer(t, storetest.PostgreSQL(t))
	s.wrap = func(r runner.Runner) runner.Runner { return outage{r, s, &sync.Once{}} }
	runs := filepath.Join(s.dir, "runs")
	s.command("good", "echo run >> '"+runs+"'; printf x > '$out'")
	c := s.submit("good", nil)
	s.handler("h1")
	testenv.Poll(t, "the outage to be met", time.Minute, func() bool {
		return s.count("SELECT count(*) FROM pg_trigger WHERE tgname = 'refuse'") == 1
	})
	if _, err := s.db.Exec(t.Context(), "DROP TRIGGER refuse ON job"); err != nil {
		t.Fatal(err)
	}
	s.wait(c, galaxy.JobOK)
	if text, err := os.ReadFile(runs); err != nil || string(text) != "run\n" {
		t.Errorf("it ran %q, %v", text, err)
	}
}
