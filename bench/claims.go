package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"orrery/internal/store"
	"orrery/internal/wake"
)

// claimsCommand measures how quickly handlers take jobs, beside River.
const claimsCommand = "claims"

var quiet = slog.New(slog.DiscardHandler)

// claimOptions say what is measured.
type claimOptions struct {
	rounds, seconds, slots, waiting, finished, latencies, idle int
	handlers, engines, orrery                                  string
	river, bouncer, keep                                       bool
}

// claimBench is one run of it.
type claimBench struct {
	claimOptions
	dir, root, program, riverProgram string
	postgres                         *postgres
	mariadb                          *mariadb // nil until it is measured
	// counts are the numbers of handlers.
	counts                         []int
	rates, latency, bounced, idled figures
}

func runClaims(ctx context.Context, args []string) (err error) {
	runtime.LockOSThread() // children die with the thread that started them (see start)
	b := &claimBench{}
	fs := flag.NewFlagSet(claimsCommand, flag.ContinueOnError)
	fs.IntVar(&b.rounds, "rounds", 3, "how often everything is measured")
	fs.IntVar(&b.seconds, "seconds", 3, "how long each measurement lasts")
	fs.IntVar(&b.slots, "slots", 50, "free slots of each handler, the most that one claim may take")
	fs.IntVar(&b.waiting, "waiting", 100_000, "jobs that wait")
	fs.IntVar(&b.finished, "finished", 1_000_000, "finished jobs in the full table")
	fs.IntVar(&b.latencies, "latencies", 50, "single jobs of one round whose claim is timed")
	fs.IntVar(&b.idle, "idle", 200, "handlers of the idle pool; 0 leaves it out")
	fs.StringVar(&b.orrery, "binary", "", "the orrery program whose handlers are idle (default: it is built)")
	fs.StringVar(&b.handlers, "handlers", "1,2,4,8", "numbers of handlers")
	fs.StringVar(&b.engines, "engines", "postgresql,sqlite,mysql", "the databases")
	fs.BoolVar(&b.river, "river", true, "measure River on the same PostgreSQL")
	fs.BoolVar(&b.bouncer, "pgbouncer", true, "measure behind PgBouncer")
	fs.BoolVar(&b.keep, "keep", false, "keep the folder with the databases and the logs")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for text := range strings.SplitSeq(b.handlers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-handlers: %q is no number of handlers", text)
		}
		b.counts = append(b.counts, n)
	}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.program, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "orrery-bench-"); err != nil {
		return err
	}
	defer func() {
		if b.keep {
			log.Printf("the folder %s is kept", b.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	if err := os.Chmod(b.dir, 0o755); err != nil { // PostgreSQL's user has to get in
		return err
	}
	if b.postgres, err = startPostgres(ctx, b.dir, "shared_preload_libraries=pg_stat_statements"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.postgres.stop()) }()
	if b.river {
		if err := b.buildRiver(ctx); err != nil {
			return err
		}
	}
	if b.idle > 0 {
		if err := b.buildOrrery(ctx); err != nil {
			return err
		}
		if err := b.measureIdle(ctx); err != nil {
			return err
		}
	}
	if b.bouncer {
		if err := b.measureBouncer(ctx); err != nil {
			return err
		}
	}
	for engine := range strings.FieldsFuncSeq(b.engines, func(r rune) bool { return r == ',' }) {
		if err := b.measureEngine(ctx, engine); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return b.print(os.Stdout)
}

func (b *claimBench) buildOrrery(ctx context.Context) (err error) {
	if b.orrery != "" {
		b.orrery, err = filepath.Abs(b.orrery)
		return err
	}
	b.orrery = filepath.Join(b.dir, "orrery")
	if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.orrery, "./cmd/orrery").CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return nil
}

// note adds one round's value.
func (b *claimBench) note(to *figures, name string, value float64) {
	to.add(name, value)
	log.Printf("%-90s %.4g", strings.ReplaceAll(name, "|", ", "), value)
}

// What is measured of handlers.
const (
	whatClaim  = "claim"
	whatFinish = "claim and finish"
)

// claimMethod is an assignment method, as far as it makes a difference for who claims what.
type claimMethod struct {
	name string
	// handler is the SQL text of what a job's handler column holds when there are so many handlers.
	handler func(handlers int) string
	// tags are the pools of a handler.
	tags      string
	isolation bool
}

var claimMethods = []claimMethod{
	{"db-skip-locked", func(int) string { return "'_default_'" }, "_default_", false},
	{"db-transaction-isolation", func(int) string { return "'_default_'" }, "_default_", true},
	{"db-preassign", func(handlers int) string { return fmt.Sprintf("CONCAT('handler_', n %% %d)", handlers) }, "", false},
}

// dsn is the address of an engine's database.
func (b *claimBench) dsn(engine, name string) string {
	if engine == string(store.SQLite) {
		return filepath.Join(b.dir, name+".sqlite")
	}
	if engine == string(store.MySQL) {
		return b.mariadb.dsn(name)
	}
	return fmt.Sprintf("postgresql://orrery@127.0.0.1:%d/%s", b.postgres.port, name)
}

// measureEngine measures one engine with an empty and a full table, turn by turn.
func (b *claimBench) measureEngine(ctx context.Context, engine string) (err error) {
	type table struct {
		name     string
		db       *store.DB
		dsn      string
		finished int
	}
	if engine == string(store.MySQL) {
		if b.mariadb, err = startMariaDB(ctx, b.dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.mariadb.stop()) }()
	}
	tables := []*table{{name: "empty"}, {name: "full", finished: b.finished}}
	for _, t := range tables {
		t.dsn = b.dsn(engine, "claims_"+t.name)
		switch engine {
		case string(store.PostgreSQL):
			err = b.createDatabase(ctx, "claims_"+t.name)
		case string(store.MySQL):
			err = b.mariadb.createDatabase(ctx, "claims_"+t.name)
		}
		if err != nil {
			return err
		}
		if t.db, err = openStore(ctx, engine, t.dsn); err != nil {
			return err
		}
		defer t.db.Close()
		if err := t.db.EnsureSchema(ctx); err != nil {
			return err
		}
		began := time.Now()
		if err := makeSite(ctx, t.db); err != nil {
			return err
		}
		if err := makeJobs(ctx, t.db, claimUsers+1, claimUsers+int64(t.finished), "", true); err != nil {
			return err
		}
		log.Printf("%s: %d finished jobs made in %.0f s", engine, t.finished, time.Since(began).Seconds())
	}
	for round := range b.rounds {
		log.Printf("%s: round %d of %d", engine, round+1, b.rounds)
		for _, t := range tables {
			if err := b.measureLatencies(ctx, engine, t.name, t.db, t.dsn); err != nil {
				return err
			}
		}
		for _, handlers := range b.counts {
			if b.river && engine == string(store.PostgreSQL) {
				if err := b.measureRiver(ctx, handlers); err != nil {
					return err
				}
			}
			for i, method := range claimMethods {
				if i > 0 && handlers != b.counts[len(b.counts)/2] {
					continue // the others with one number of handlers
				}
				for _, finish := range []bool{true, false} {
					for _, t := range tables {
						if err := errors.Join(b.renewWaiting(ctx, t.db, int64(t.finished), method.handler(handlers)), b.settle(ctx, t.db)); err != nil {
							return err
						}
						what := whatClaim
						if finish {
							what = whatFinish
						}
						rate, batch, err := b.claim(ctx, engine, t.dsn, method, handlers, finish)
						if err != nil {
							return err
						}
						b.note(&b.rates, claimFigure(engine, method.name, what, t.name, handlers), rate)
						log.Printf("  %.1f jobs per claim", batch)
					}
				}
			}
		}
	}
	return nil
}

// renewWaiting makes the jobs that wait, or what an earlier measurement left of them new again. Their outputs have the
// same numbers as they, above those of the users' inputs and of the finished jobs.
func (b *claimBench) renewWaiting(ctx context.Context, db *store.DB, finished int64, handler string) error {
	first := claimUsers + finished + 1
	var there int
	if err := db.QueryRow(ctx, "SELECT count(*) FROM job WHERE id >= ?", first).Scan(&there); err != nil {
		return err
	}
	if there < b.waiting {
		var last int64
		if err := db.QueryRow(ctx, `SELECT MAX(last) FROM (SELECT MAX(id) AS last FROM job UNION ALL SELECT MAX(id) FROM dataset
			UNION ALL SELECT MAX(id) FROM history_dataset_association) l`).Scan(&last); err != nil {
			return err
		}
		if err := makeJobs(ctx, db, last+1, last+int64(b.waiting), handler, false); err != nil {
			return err
		}
	}
	handler = strings.ReplaceAll(handler, "n %", "id %")
	return db.Write(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			"DELETE FROM orrery_claim", "UPDATE dataset SET state = 'new' WHERE state <> 'new' AND id >= ?",
			"UPDATE job SET state = 'new', handler = " + handler + " WHERE (state <> 'new' OR handler <> " + handler + ") AND id >= ?",
		} {
			var args []any
			if strings.Contains(statement, "?") {
				args = append(args, first)
			}
			if _, err := tx.Exec(ctx, statement, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// endWaiting makes the jobs that a measurement left waiting, or only claimed, finished ones.
func endWaiting(ctx context.Context, db *store.DB) error {
	return db.Write(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			"UPDATE job SET state = 'ok' WHERE state IN ('new', 'queued')", "UPDATE dataset SET state = 'ok' WHERE state IN ('new', 'queued')",
			"DELETE FROM orrery_claim",
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle has the database do what it would otherwise do some time during the measurement.
func (b *claimBench) settle(ctx context.Context, db *store.DB) error {
	if db.Engine() != store.PostgreSQL {
		return nil
	}
	for _, table := range []string{"job", "orrery_claim", "orrery_wait", "dataset", "job_state_history", "job_to_output_dataset"} {
		if _, err := db.Exec(ctx, "VACUUM (ANALYZE) "+table); err != nil {
			return err
		}
	}
	_, err := db.Exec(ctx, "CHECKPOINT")
	return err
}

func (b *claimBench) createDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, b.postgres.url())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return errors.Join(err, conn.Close(ctx))
}

// crew are processes that wait for the word to begin.
type crew struct {
	members []*crewMember
	cancel  context.CancelFunc
}

type crewMember struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// gather starts processes and waits until each is ready.
func gather(ctx context.Context, program string, each [][]string) (c *crew, err error) {
	ctx, cancel := context.WithCancel(ctx)
	c = &crew{cancel: cancel}
	defer func() {
		if err != nil {
			c.dismiss()
		}
	}()
	for _, args := range each {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stderr = os.Stderr
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2); err != nil {
			return c, err
		}
		if err := cmd.Start(); err != nil {
			return c, err
		}
		c.members = append(c.members, &crewMember{cmd, in, bufio.NewScanner(out)})
	}
	for _, m := range c.members {
		if !m.out.Scan() || m.out.Text() != "ready" {
			return c, fmt.Errorf("a process of the bench did not become ready: %q", m.out.Text())
		}
	}
	return c, nil
}

// begin gives the word to all.
func (c *crew) begin() error {
	for _, m := range c.members {
		if _, err := io.WriteString(m.in, "go\n"); err != nil {
			return err
		}
	}
	return nil
}

// results waits for all.
func (c *crew) results() (all []worked, err error) {
	for _, m := range c.members {
		var w worked
		if !m.out.Scan() {
			return nil, errors.New("a process of the bench ended without a result")
		}
		if err := json.Unmarshal(m.out.Bytes(), &w); err != nil {
			return nil, fmt.Errorf("%w in %q", err, m.out.Text())
		}
		all = append(all, w)
	}
	for _, m := range c.members {
		if err := m.cmd.Wait(); err != nil {
			return nil, err
		}
	}
	c.cancel()
	return all, nil
}

func (c *crew) dismiss() {
	c.cancel()
	for _, m := range c.members {
		_ = m.cmd.Wait()
	}
}

// rate is how many jobs per second they worked together, and how many at a time.
func rate(all []worked) (perSecond, batch float64) {
	var jobs, claims int64
	longest := 0.0
	for _, w := range all {
		jobs += w.Jobs
		claims += w.Claims
		longest = math.Max(longest, w.Seconds)
	}
	return float64(jobs) / longest, float64(jobs) / math.Max(1, float64(claims))
}

func (b *claimBench) claim(ctx context.Context, engine, dsn string, method claimMethod, handlers int, finish bool) (perSecond, batch float64, err error) {
	each := make([][]string, handlers)
	for i := range each {
		each[i] = claimWorker{
			engine: engine, dsn: dsn, name: fmt.Sprintf("handler_%d", i), tags: method.tags, run: filepath.Join(b.dir, "run"),
			slots: b.slots, seconds: b.seconds, finish: finish, isolation: method.isolation,
		}.arguments()
	}
	c, err := gather(ctx, b.program, each)
	if err != nil {
		return 0, 0, err
	}
	if err := c.begin(); err != nil {
		c.dismiss()
		return 0, 0, err
	}
	all, err := c.results()
	if err != nil {
		c.dismiss()
		return 0, 0, err
	}
	perSecond, batch = rate(all)
	return perSecond, batch, nil
}

// measureLatencies times single jobs on an idle pool of four handlers, from the moment their creation is durable until
// their claim is.
func (b *claimBench) measureLatencies(ctx context.Context, engine, table string, db *store.DB, dsn string) error {
	ways := []string{"sockets"}
	if engine == string(store.PostgreSQL) {
		ways = append(ways, "NOTIFY")
	}
	for _, way := range ways {
		times, err := b.latencies1(ctx, engine, db, dsn, way)
		if err != nil {
			return err
		}
		b.note(&b.latency, latencyFigure(engine, way, table), median(times))
		log.Printf("  %.1f ms at worst", slices.Max(times))
	}
	return nil
}

func (b *claimBench) latencies1(ctx context.Context, engine string, db *store.DB, dsn, way string) (times []float64, err error) {
	if err := errors.Join(endWaiting(ctx, db), b.settle(ctx, db)); err != nil {
		return nil, err
	}
	here := filepath.Join(b.dir, "run-"+way)
	there := here
	if way == "NOTIFY" {
		there += "-of-another-host"
	}
	each := make([][]string, 4)
	for i := range each {
		each[i] = claimWorker{
			engine: engine, dsn: dsn, name: fmt.Sprintf("handler_%d", i), tags: "_default_", run: there, slots: b.slots, listen: true,
			postgres: way == "NOTIFY",
		}.arguments()
	}
	c, err := gather(ctx, b.program, each)
	if err != nil {
		return nil, err
	}
	defer c.dismiss()
	lines := make(chan claimed)
	for _, m := range c.members {
		go func() {
			for m.out.Scan() {
				var line claimed
				if json.Unmarshal(m.out.Bytes(), &line) == nil {
					lines <- line
				}
			}
		}()
	}
	busCtx, stop := context.WithCancel(ctx)
	defer stop()
	bus, err := wake.Open(here, "web", false, quiet)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	if way == "NOTIFY" {
		bus.JoinPostgreSQL(busCtx, dsn)
	}
	for range b.latencies + 1 {
		var id, at int64
		if err := db.Write(ctx, func(tx *store.Tx) error {
			made, _, err := store.CreateJob(ctx, tx, store.NewJob{
				ToolID: "cat1", ToolVersion: "1.0.0", HistoryID: 1, UserID: 1, Handler: "_default_",
				Parameters: []store.JobParameter{{Name: "dbkey"}}, Inputs: []store.JobInput{{Name: "input1", HDA: 1}},
				Outputs: []store.NewHDA{{Name: "output", Extension: "tabular"}}, OutputNames: []string{"out_file1"},
			})
			if err != nil {
				return err
			}
			id = made.ID
			tx.AfterCommit(func() {
				at = time.Now().UnixNano()
				bus.WakeOne(wake.Jobs("_default_"))
			})
			return nil
		}); err != nil {
			return nil, err
		}
		select {
		case line := <-lines:
			if line.Job != id {
				return nil, fmt.Errorf("job %d was claimed instead of %d", line.Job, id)
			}
			times = append(times, float64(line.At-at)/1e6)
		case <-time.After(30 * time.Second):
			return nil, errors.New("no handler took a single job")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return times[1:], nil // the first opens connections
}
