package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limitOfJobs is how many times per second the machine can do what the jobs' tool does, with two at a time.
func (b *bench) limitOfJobs(ctx context.Context) error {
	input := filepath.Join(b.dir, "input")
	if err := os.WriteFile(input, []byte("one\tline\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "xargs", "-P2", "-I{}", "bash", "-c", "cat "+input+" >"+b.dir+"/output-{}")
	var numbers strings.Builder
	for i := range b.jobs {
		fmt.Fprintln(&numbers, i)
	}
	cmd.Stdin = strings.NewReader(numbers.String())
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("xargs: %w\n%s", err, out)
	}
	b.note(limitJobs, float64(b.jobs)/time.Since(began).Seconds())
	return nil
}

// limitOfLatency is how long the machine needs to do it once, in milliseconds.
func (b *bench) limitOfLatency(ctx context.Context) error {
	var took []float64
	for range 20 {
		began := time.Now()
		if out, err := exec.CommandContext(ctx, "bash", "-c", "cat "+b.dir+"/input >"+b.dir+"/output-0").CombinedOutput(); err != nil {
			return fmt.Errorf("cat: %w\n%s", err, out)
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	b.note(limitLatency, median(took))
	return nil
}

const pgbenchScript = "UPDATE bench_row SET n = n + 1 WHERE id = 1;\n"

func (b *bench) preparePgbench(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(b.dir, "update.sql"), []byte(pgbenchScript), 0o644); err != nil {
		return err
	}
	return b.psql(ctx, "CREATE TABLE bench_row (id integer PRIMARY KEY, n integer); INSERT INTO bench_row VALUES (1, 0)")
}

func (b *bench) psql(ctx context.Context, statement string) error {
	if out, err := b.postgres.command(ctx, "psql", "-q", "-c", statement, b.postgres.url()).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w\n%s", err, out)
	}
	return nil
}

// limitOfCommits is how many transactions per second one connection can make durable.
func (b *bench) limitOfCommits(ctx context.Context) error {
	out, err := b.postgres.command(ctx, "pgbench", "-n", "-c1", "-T", strconv.Itoa(b.seconds), "-f", filepath.Join(b.dir, "update.sql"),
		b.postgres.url()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	rate, err := parsePgbench(string(out))
	if err != nil {
		return err
	}
	b.note(limitCommits, rate)
	return nil
}

var pgbenchRate = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(`)

// parsePgbench reads the transactions per second of pgbench's report.
func parsePgbench(report string) (float64, error) {
	m := pgbenchRate.FindStringSubmatch(report)
	if m == nil {
		return 0, fmt.Errorf("pgbench printed no rate:\n%s", report)
	}
	return strconv.ParseFloat(m[1], 64)
}

// helloCommand makes this program the server that limitOfRequests asks.
const helloCommand = "serve-hello"

// serveHello answers every request with a small JSON document; the listener is descriptor 3.
func serveHello() error {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // no timeouts: only the bench asks it
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"hello":"world","version":"1.0"}`))
	}))
}

// limitOfRequests is how many requests per second Go's HTTP server answers with next to nothing to do.
func (b *bench) limitOfRequests(ctx context.Context) (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, helloCommand)
	cmd.ExtraFiles = []*os.File{file}
	p, err := start(cmd, filepath.Join(b.dir, "hello.log"), syscall.SIGTERM)
	err = errors.Join(err, file.Close())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop(syscall.SIGTERM)) }()
	rate, err := b.wrk(ctx, "http://"+address+"/", "")
	if err != nil {
		return err
	}
	b.note(limitRequests, rate)
	return nil
}
