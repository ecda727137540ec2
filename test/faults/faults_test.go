package faults

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// size is how large a run is.
type size struct {
	jobs, handlers, users, slots int
	// slurm is how many of the jobs run on a cluster.
	slurm int
	// lease is how long a handler may be silent, in seconds.
	lease int
	// calm is the least time between two faults, and chance what may be added to it.
	calm, chance time.Duration
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

func sizeOf(t *testing.T) size {
	t.Helper()
	slurm := number(t, "FAULTS_SLURM_JOBS", 0)
	return size{
		slurm: slurm,
		jobs:  slurm + number(t, "FAULTS_JOBS", 60), handlers: number(t, "FAULTS_HANDLERS", 3), users: number(t, "FAULTS_USERS", 5),
		slots: number(t, "FAULTS_SLOTS", 3), lease: number(t, "FAULTS_LEASE", 3),
		calm: 200 * time.Millisecond, chance: time.Second,
	}
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("FAULTS_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("FAULTS_SEED=%s is no seed", text)
		}
		return seed
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.NativeEndian.Uint64(b[:]) >> 32
}

// TestFaults is the whole story, on each engine.
func TestFaults(t *testing.T) {
	engines := os.Getenv("FAULTS_ENGINES")
	if engines == "" {
		engines = "postgresql,mariadb,sqlite"
	}
	for engine := range strings.SplitSeq(engines, ",") {
		t.Run(engine, func(t *testing.T) { story(t, engine, sizeOf(t), seedOf(t)) })
	}
}

func story(t *testing.T, engine string, sz size, seed uint64) {
	fmt.Printf("%s: FAULTS_SEED=%d FAULTS_JOBS=%d FAULTS_HANDLERS=%d\n", t.Name(), seed, sz.jobs, sz.handlers)
	p := newPlan(seed, sz, engine)
	s := start(t, engine, sz)
	f := newFleet(t, s, sz)
	for i := range sz.handlers {
		f.launch(placeOf(i, sz.handlers))
	}
	people := s.people(t, sz.users)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	submitted := make(chan []submission, 1)
	go func() { submitted <- s.submit(ctx, t, people, p.jobs) }()
	faulted := make(chan struct{})
	calm, becalm := context.WithCancel(ctx)
	go func() {
		defer close(faulted)
		f.trouble(calm, p)
	}()
	var jobs []submission
	select {
	case jobs = <-submitted:
	case <-time.After(10*time.Minute + time.Duration(sz.jobs)*time.Second):
		t.Error("submitting takes too long")
	}
	// Each kind of fault has its turn, and there is trouble for as long as there are jobs.
	f.await(t, "most jobs to end", func(left int) bool { return left <= sz.jobs/20 || t.Failed() })
	for !t.Failed() && !f.hadEach() {
		time.Sleep(50 * time.Millisecond) // the plan has them all near its beginning
	}
	becalm()
	<-faulted
	f.mend()
	f.await(t, "all jobs to end", func(left int) bool { return left == 0 })
	s.check(t, f, jobs, p.jobs)
	f.stopAll()
	s.checkEmpty(t)
	t.Logf("the faults of FAULTS_SEED=%d:\n%s", seed, strings.Join(f.history(), "\n"))
	if t.Failed() {
		f.tell()
	}
}
