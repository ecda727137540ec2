package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/wake"
)

// claimWorkerCommand makes this program a job handler without jobs: it claims, as a handler does, and ends what it has
// claimed at once.
const claimWorkerCommand = "claim-worker"

// claimWorker are the orders of one such process.
type claimWorker struct {
	engine, dsn, name, tags, run string
	slots, seconds               int
	finish, listen, postgres     bool
	isolation                    bool
}

func (w claimWorker) arguments() []string {
	args := []string{
		claimWorkerCommand, "-engine", w.engine, "-dsn", w.dsn, "-name", w.name, "-tags", w.tags, "-run", w.run,
		"-slots", fmt.Sprint(w.slots), "-seconds", fmt.Sprint(w.seconds),
	}
	for name, set := range map[string]bool{"-finish": w.finish, "-listen": w.listen, "-notify": w.postgres, "-isolation": w.isolation} {
		if set {
			args = append(args, name)
		}
	}
	return args
}

// worked is what a process prints when it is done.
type worked struct {
	Jobs    int64   `json:"jobs"`
	Claims  int64   `json:"claims"`
	Seconds float64 `json:"seconds"`
}

func runClaimWorker(args []string) error {
	var w claimWorker
	fs := flag.NewFlagSet(claimWorkerCommand, flag.ContinueOnError)
	fs.StringVar(&w.engine, "engine", "", "")
	fs.StringVar(&w.dsn, "dsn", "", "")
	fs.StringVar(&w.name, "name", "", "")
	fs.StringVar(&w.tags, "tags", "", "")
	fs.StringVar(&w.run, "run", "", "")
	fs.IntVar(&w.slots, "slots", 0, "")
	fs.IntVar(&w.seconds, "seconds", 0, "")
	fs.BoolVar(&w.finish, "finish", false, "")
	fs.BoolVar(&w.listen, "listen", false, "")
	fs.BoolVar(&w.postgres, "notify", false, "")
	fs.BoolVar(&w.isolation, "isolation", false, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := openStore(ctx, w.engine, w.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	var tags []string
	if w.tags != "" {
		tags = []string{w.tags}
	}
	options := pool.Options{ServerName: w.name, Kind: "handler", Tags: tags, Version: "bench", Lease: time.Minute, Slots: w.slots}
	if w.isolation {
		options.Methods = []string{pool.TransactionIsolation}
	}
	if w.listen {
		bus, err := wake.Open(w.run, w.name, true, quiet)
		if err != nil {
			return err
		}
		defer bus.Close()
		if w.postgres {
			bus.JoinPostgreSQL(ctx, w.dsn)
		}
		options.Wake = bus
	}
	member, err := pool.Join(ctx, db, options)
	if err != nil {
		return err
	}
	if w.listen {
		err = w.await(ctx, member)
	} else {
		err = w.work(ctx, db, member)
	}
	return errors.Join(err, member.Leave(ctx))
}

// openStore opens a database as one process of the server does.
func openStore(ctx context.Context, engine, dsn string) (*store.DB, error) {
	return store.Open(ctx, store.Options{Engine: store.Engine(engine), DSN: dsn, Path: dsn, MaxConns: 5})
}

// started says «ready» and waits for the word to begin.
func started() error {
	fmt.Println("ready")
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// work claims as many jobs as slots are free, for a while or until none is left.
func (w claimWorker) work(ctx context.Context, db *store.DB, member *pool.Member) error {
	if w.finish {
		return w.workAndFinish(ctx, db, member)
	}
	if err := started(); err != nil {
		return err
	}
	var r worked
	began := time.Now()
	for time.Since(began) < time.Duration(w.seconds)*time.Second {
		claims, err := member.Claim(ctx, w.slots)
		if err != nil {
			return err
		}
		if len(claims) == 0 {
			break
		}
		r.Claims++
		r.Jobs += int64(len(claims))
	}
	r.Seconds = time.Since(began).Seconds()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// workAndFinish also writes down that each job ended well, as the job handler does: jobs that end at the same time share
// a transaction. The slot is free after that.
func (w claimWorker) workAndFinish(ctx context.Context, db *store.DB, member *pool.Member) error {
	ends := &store.Group[store.Claim]{DB: db, Run: func(ctx context.Context, tx *store.Tx, claims []store.Claim) error {
		for _, c := range claims {
			if _, err := store.FinishJob(ctx, tx, c, w.name, store.Finished{State: galaxy.JobOK, Messages: store.JSON([]any{})}); err != nil {
				return err
			}
		}
		return nil
	}}
	var mu sync.Mutex
	var failed error
	free := w.slots
	freed := make(chan struct{}, 1)
	if err := started(); err != nil {
		return err
	}
	var r worked
	var ending sync.WaitGroup
	began := time.Now()
	for time.Since(began) < time.Duration(w.seconds)*time.Second {
		mu.Lock()
		n, err := free, failed
		mu.Unlock()
		if err != nil {
			return err
		}
		if n == 0 {
			<-freed
			continue
		}
		claims, err := member.Claim(ctx, n)
		if err != nil {
			return err
		}
		if len(claims) == 0 && n == w.slots {
			break
		}
		if len(claims) == 0 { // others may have what is left; ends that are under way change nothing
			<-freed
			continue
		}
		mu.Lock()
		free -= len(claims)
		mu.Unlock()
		r.Claims++
		r.Jobs += int64(len(claims))
		for _, c := range claims {
			ending.Go(func() {
				err := ends.Write(ctx, c)
				mu.Lock()
				free++
				failed = errors.Join(failed, err)
				mu.Unlock()
				select {
				case freed <- struct{}{}:
				default:
				}
			})
		}
	}
	ending.Wait()
	r.Seconds = time.Since(began).Seconds()
	return errors.Join(failed, json.NewEncoder(os.Stdout).Encode(r))
}

// claimed is a line that await prints: the job, and when its claim was durable, in nanoseconds of the host's clock.
type claimed struct {
	Job int64 `json:"job"`
	At  int64 `json:"at"`
}

// await claims whenever it is woken and prints what and when, until its standard input ends.
func (w claimWorker) await(ctx context.Context, member *pool.Member) error {
	if _, err := member.Claim(ctx, w.slots); err != nil { // from here on others know that it is idle
		return err
	}
	ended := make(chan struct{})
	fmt.Println("ready")
	go func() {
		defer close(ended)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // whatever it is, it is the end
	}()
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case <-ended:
			return nil
		case <-member.Work():
		}
		claims, err := member.Claim(ctx, w.slots)
		if err != nil {
			return err
		}
		at := time.Now().UnixNano()
		for _, c := range claims {
			if err := out.Encode(claimed{c.JobID, at}); err != nil {
				return err
			}
		}
	}
}
