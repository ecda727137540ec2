// Command bench measures the server on this machine and prints a Markdown table: medians over several rounds, beside what
// the machine itself can do, measured in the same rounds. README.md explains the figures.
//
// Begin reading here; each other file does one thing: server.go and postgres.go start what is measured, load.go and
// wrk.go put load on it, limits.go measures the machine, processes.go reads what was used, table.go prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// options say what is measured.
type options struct {
	rounds     int
	jobs       int
	submitters int
	latencies  int
	starts     int
	seconds    int
	binary     string
	tools      string
	keep       bool
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) == 2 && os.Args[1] == helloCommand {
		log.Fatal(serveHello())
	}
	if len(os.Args) >= 2 && os.Args[1] == claimWorkerCommand {
		if err := runClaimWorker(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	for name, run := range map[string]func(context.Context, []string) error{
		claimsCommand: runClaims, restartCommand: runRestarts, listenCommand: runListen,
	} {
		if len(os.Args) < 2 || os.Args[1] != name {
			continue
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err := run(ctx, os.Args[2:])
		stop()
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	flag.IntVar(&o.jobs, "jobs", 400, "jobs of one round")
	flag.IntVar(&o.submitters, "submitters", 8, "threads that submit them")
	flag.IntVar(&o.latencies, "latencies", 20, "jobs of one round that are run one after the other")
	flag.IntVar(&o.starts, "starts", 7, "starts of the server")
	flag.IntVar(&o.seconds, "seconds", 3, "how long each wrk runs")
	flag.StringVar(&o.binary, "binary", "", "the orrery program to measure (default: it is built)")
	flag.StringVar(&o.tools, "tools", os.Getenv("GALAXY_TOOLS"), "a checkout of Galaxy whose tools are loaded (default: $GALAXY_TOOLS, or generated tools)")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with the database and the logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) (err error) {
	// Children die with the thread that started them (see start).
	runtime.LockOSThread()
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return errors.New("start this in the checkout's top folder, or call bench/run")
	}
	dir, err := os.MkdirTemp("", "orrery-bench-")
	if err != nil {
		return err
	}
	defer func() {
		if o.keep {
			log.Printf("the folder %s is kept", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	// PostgreSQL's user has to get in.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if o.binary == "" {
		o.binary = filepath.Join(dir, "orrery")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.binary, "./cmd/orrery")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the server: %w\n%s", err, out)
		}
	} else if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed; on Debian: apt-get install wrk")
	}
	python, err := findPython(ctx, root)
	if err != nil {
		return err
	}
	pg, err := startPostgres(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.stop()) }()
	b := &bench{
		options: o, dir: dir, python: python, load: filepath.Join(root, "bench", "load.py"), postgres: pg,
		figures: map[string][]float64{},
	}
	if b.toolCount, err = b.writeConfiguration(root); err != nil {
		return err
	}
	return b.measure(ctx)
}

// bench is one run.
type bench struct {
	options
	dir, python, load string
	postgres          *postgres
	server            *server
	toolCount         int
	// figures are the values of each round, by name.
	figures map[string][]float64
}

// note adds one round's value.
func (b *bench) note(name string, value float64) {
	b.figures[name] = append(b.figures[name], value)
	log.Printf("%-34s %.4g", name, value)
}

func (b *bench) measure(ctx context.Context) (err error) {
	if err := b.measureStarts(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	site, err := b.populate(ctx)
	if err != nil {
		return err
	}
	if err := b.preparePgbench(ctx); err != nil {
		return err
	}
	for round := range b.rounds {
		log.Printf("round %d of %d", round+1, b.rounds)
		for _, step := range []func(context.Context) error{
			b.limitOfJobs, b.limitOfLatency, b.limitOfCommits, b.limitOfRequests,
			b.measureLatency, b.measureJobs,
			func(ctx context.Context) error { return b.measureRequests(ctx, site) },
		} {
			if err := step(ctx); err != nil {
				return err
			}
		}
	}
	memory, err := b.server.memory()
	if err != nil {
		return err
	}
	b.note(figureMemory, memory)
	// What the server gives back by itself once it is left alone.
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idle):
	}
	if memory, err = b.server.memory(); err != nil {
		return err
	}
	b.note(figureIdleMemory, memory)
	return b.print(os.Stdout)
}

// idle is how long the server is left alone before its memory is read again.
const idle = 30 * time.Second
