package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"orrery/bench/traffic"
)

// restartCommand measures what clients notice of graceful restarts.
const restartCommand = "restart"

// restartOptions say what is measured.
type restartOptions struct {
	restarts, keep, fresh, transfers, megabytes int
	pause                                       time.Duration
	binary, engine                              string
	keepFolder, verbose                         bool
}

// restartBench is one run of it.
type restartBench struct {
	restartOptions
	dir      string
	database string
	server   *process
	tcp      traffic.Listener
	unix     traffic.Listener
	took     []float64 // milliseconds from SIGHUP until all new processes are ready
}

func runRestarts(ctx context.Context, args []string) (err error) {
	runtime.LockOSThread() // children die with the thread that started them (see start)
	b := &restartBench{}
	fs := flag.NewFlagSet(restartCommand, flag.ContinueOnError)
	fs.IntVar(&b.restarts, "restarts", 20, "graceful restarts")
	fs.IntVar(&b.keep, "keep-alive", 4, "clients that keep their connection, at each listener")
	fs.IntVar(&b.fresh, "fresh", 4, "clients that open a connection for each request, at each listener")
	fs.IntVar(&b.transfers, "transfers", 2, "clients of each kind that send or fetch files slowly")
	fs.IntVar(&b.megabytes, "size", 8, "size of these files, in MiB")
	fs.DurationVar(&b.pause, "pause", 2*time.Second, "time between two restarts")
	fs.StringVar(&b.binary, "binary", "", "the orrery program (default: it is built)")
	fs.StringVar(&b.engine, "engine", "postgresql", "the database: postgresql or sqlite")
	fs.BoolVar(&b.keepFolder, "keep", false, "keep the folder with the database and the logs")
	fs.BoolVar(&b.verbose, "v", false, "tell of each restart")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "orrery-bench-"); err != nil {
		return err
	}
	defer func() {
		if b.keepFolder {
			log.Printf("the folder %s is kept", b.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	if err := os.Chmod(b.dir, 0o755); err != nil { // PostgreSQL's user has to get in
		return err
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "orrery")
		if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.binary, "./cmd/orrery").CombinedOutput(); err != nil {
			return fmt.Errorf("building the server: %w\n%s", err, out)
		}
	} else if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	b.database = "sqlite:///" + filepath.Join(b.dir, "data", "universe.sqlite") + "?isolation_level=IMMEDIATE"
	if b.engine == "postgresql" {
		pg, err := startPostgres(ctx, b.dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pg.stop()) }()
		b.database = pg.url()
	}
	if err := b.startServer(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop(syscall.SIGINT)) }()
	return b.measure(ctx)
}

// startServer starts two web workers and two job handlers, at a port and at a UNIX socket.
func (b *restartBench) startServer(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	b.tcp = traffic.Listener{Name: "TCP", Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", port)}
	b.unix = traffic.Listener{Name: "UNIX", Network: "unix", Address: filepath.Join(b.dir, "galaxy.sock")}
	yaml := fmt.Sprintf(`gravity:
  gunicorn:
    bind: %s
    workers: 2
    extra_args: --bind unix:%s
  handlers:
    handler:
      processes: 2
      pools: [job-handlers, workflow-schedulers]
galaxy:
  data_dir: %s
  tus_upload_store: %s
  database_connection: %s
  tool_config_file: %s
  bootstrap_admin_api_key: %s
  id_secret: the bench's
`, b.tcp.Address, b.unix.Address, filepath.Join(b.dir, "data"), b.uploads(), b.database, filepath.Join(root, "tools", "tool_conf.xml"), adminKey)
	path := filepath.Join(b.dir, "galaxy.yml")
	if err := os.WriteFile(path, []byte(yaml), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.binary, "run", "-c", path)
	cmd.Dir = b.dir
	if b.server, err = start(cmd, filepath.Join(b.dir, "output"), syscall.SIGINT); err != nil {
		return err
	}
	if _, err := b.serving(ctx, 0); err != nil {
		return errors.Join(err, b.server.stop(syscall.SIGINT))
	}
	return nil
}

func (b *restartBench) uploads() string { return filepath.Join(b.dir, "uploads") }

// serving waits until processes of at least a generation serve, and gives the generation.
func (b *restartBench) serving(ctx context.Context, generation int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() {
		select {
		case <-b.server.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	reached, err := traffic.Supervisor{Control: filepath.Join(b.dir, "data", "run", "orrery.control")}.Serving(ctx, generation)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, b.server.tail())
	}
	return reached, nil
}

func (b *restartBench) measure(ctx context.Context) error {
	person, err := traffic.NewPerson(ctx, b.tcp, adminKey, "traveller")
	if err != nil {
		return err
	}
	text := traffic.Text(b.megabytes << 20)
	quick := person
	quick.Step, quick.Pause = 1<<20, 0
	dataset, err := quick.SendForm(ctx, text)
	if err != nil {
		return err
	}
	traffics := func() *traffic.Traffic {
		t := traffic.Start(ctx)
		for _, l := range []traffic.Listener{b.tcp, b.unix} {
			for range b.keep {
				t.Asks(l, "/api/version", true)
			}
			for range b.fresh {
				t.Asks(l, "/api/version", false)
			}
		}
		for range b.transfers {
			t.Repeats("a resumable upload", func(ctx context.Context) error { return person.SendChunk(ctx, text, b.arrived) })
			t.Repeats("an upload as a form", func(ctx context.Context) error { _, err := person.SendForm(ctx, text); return err })
			t.Repeats("a download", func(ctx context.Context) error { return person.Fetch(ctx, dataset, text) })
		}
		t.Settle()
		return t
	}
	log.Printf("the same clients without restarts, for %v", b.quiet())
	t := traffics()
	select {
	case <-ctx.Done():
	case <-time.After(b.quiet()):
	}
	still := t.Stop()
	log.Print(still)
	t = traffics()
	generation := 0
	if generation, err = b.serving(ctx, 0); err != nil {
		return err
	}
	for i := range b.restarts {
		select {
		case <-ctx.Done():
		case <-time.After(b.pause):
		}
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		at := t.Mark()
		if err := b.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
		if generation, err = b.serving(ctx, generation+1); err != nil {
			return err
		}
		b.took = append(b.took, float64(time.Since(began).Milliseconds()))
		log.Printf("restart %d at %v took %v", i+1, at.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if b.verbose {
			log.Print(t.Report())
		}
	}
	report := t.Stop()
	log.Print(report)
	return b.printRestarts(os.Stdout, still, report)
}

// quiet is how long the clients are looked at without restarts.
func (b *restartBench) quiet() time.Duration { return max(5*time.Second, 2*b.pause) }

// arrived compares the file of an upload with what was sent.
func (b *restartBench) arrived(id string, text []byte) error {
	file, err := os.Open(filepath.Join(b.uploads(), filepath.Base(id)))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return err
	}
	if want := sha256.Sum256(text); string(sum.Sum(nil)) != string(want[:]) {
		return fmt.Errorf("the file of %d bytes is not the one of %d that was sent", n, len(text))
	}
	return nil
}

func (b *restartBench) printRestarts(w io.Writer, still, r traffic.Report) error {
	milliseconds := func(d time.Duration) string { return number(float64(d.Microseconds())/1000) + " ms" }
	verdict := func(ok bool) string {
		if ok {
			return "yes"
		}
		return "no"
	}
	var t strings.Builder
	fmt.Fprintf(&t, "%d graceful restarts (SIGHUP), each %s from the signal until all %s; %d processors (%s), Linux %s. %d clients that keep their connection and %d that do not, at a port and a UNIX socket each; %d slow uploads and %d downloads of %d MiB at a time.\n\n",
		len(b.took), spread(b.took, " ms"), "new processes are ready", runtime.NumCPU(), cpuModel(), kernel(), b.keep, b.fresh, 2*b.transfers, b.transfers, b.megabytes)
	t.WriteString("| what | measured | target | reached | without restarts |\n|---|---|---|---|---|\n")
	fmt.Fprintf(&t, "| failed requests, of %s | %d | 0 | %s | %d of %s |\n", number(float64(r.Requests)), r.Failed, verdict(r.Failed == 0), still.Failed, number(float64(still.Requests)))
	fmt.Fprintf(&t, "| broken transfers, of %d, %d of which outlasted a restart | %d | 0 | %s | %d of %d |\n", r.Transfers, r.Outlasted, r.Broken, verdict(r.Broken == 0), still.Broken, still.Transfers)
	fmt.Fprintf(&t, "| longest time that a request took | %s | ≤ 50 ms | %s | %s |\n", milliseconds(r.Longest), verdict(r.Longest <= 50*time.Millisecond), milliseconds(still.Longest))
	fmt.Fprintf(&t, "| longest time that a client was without an answer | %s | ≤ 50 ms | %s | %s |\n", milliseconds(r.Silence), verdict(r.Silence <= 50*time.Millisecond), milliseconds(still.Silence))
	fmt.Fprintf(&t, "| requests of more than 50 ms | %d | 0 | %s | %d |\n", r.Slow, verdict(r.Slow == 0), still.Slow)
	_, err := io.WriteString(w, t.String())
	return err
}
