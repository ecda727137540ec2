// Command river works no-op jobs with River (github.com/riverqueue/river) on a PostgreSQL database, so that the bench can
// set its figures beside ours. It is a module of its own, to keep River out of the server's.
//
//	river prepare URL JOBS                    makes River's tables anew, with so many jobs that wait
//	river work URL WORKERS COOLDOWN SECONDS   works them and prints {"jobs": number, "seconds": seconds}
//
// Working begins when a line comes on the standard input, after «ready» was printed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// noop is a job without work.
type noop struct {
	Number int `json:"number"`
}

func (noop) Kind() string { return "noop" }

// worker counts the jobs it was given.
type worker struct {
	river.WorkerDefaults[noop]
	worked atomic.Int64
}

func (w *worker) Work(context.Context, *river.Job[noop]) error {
	w.worked.Add(1)
	return nil
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	var numbers []int
	if len(args) < 3 {
		return errors.New("usage: river prepare URL JOBS | river work URL WORKERS COOLDOWN_MS SECONDS")
	}
	for _, text := range args[2:] {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	pool, err := pgxpool.New(ctx, args[1])
	if err != nil {
		return err
	}
	defer pool.Close()
	switch {
	case args[0] == "prepare" && len(numbers) == 1:
		return prepare(ctx, pool, numbers[0])
	case args[0] == "work" && len(numbers) == 3:
		return work(ctx, pool, numbers[0], time.Duration(numbers[1])*time.Millisecond, time.Duration(numbers[2])*time.Second)
	}
	return fmt.Errorf("what is %q for?", args)
}

// batch is how many jobs are inserted at a time.
const batch = 5000

func prepare(ctx context.Context, pool *pgxpool.Pool, jobs int) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
		return err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		return err
	}
	for from := 0; from < jobs; from += batch {
		params := make([]river.InsertManyParams, min(batch, jobs-from))
		for i := range params {
			params[i] = river.InsertManyParams{Args: noop{Number: from + i}}
		}
		if _, err := client.InsertManyFast(ctx, params); err != nil {
			return err
		}
	}
	_, err = pool.Exec(ctx, "VACUUM (ANALYZE) river_job")
	return err
}

// result is what work prints.
type result struct {
	Jobs    int64   `json:"jobs"`
	Seconds float64 `json:"seconds"`
}

func work(ctx context.Context, pool *pgxpool.Pool, workers int, cooldown, duration time.Duration) error {
	w := &worker{}
	all := river.NewWorkers()
	river.AddWorker(all, w)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:           all,
		FetchCooldown:     cooldown,
		FetchPollInterval: max(cooldown, 20*time.Millisecond),
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	if err := pool.Ping(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	time.Sleep(duration)
	// Stopping waits until what was worked is also written down as completed, so that this belongs to the time.
	if err := client.Stop(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{Jobs: w.worked.Load(), Seconds: time.Since(began).Seconds()})
}
