package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// listenCommand measures the listeners and the proxies before them, beside Gunicorn and uWSGI.
const listenCommand = "listen"

// listenBench is one run of it.
type listenBench struct {
	rounds, seconds, connections, starts, idle int
	orrery                                     string
	keep                                       bool

	dir, root string
	load      *bench // for wrk
	servers   []*listenServer
	nginx     *process
	apache    *process
	sites     []proxySite
	rates     figures
	starting  figures
	memory    []memoryOf
}

func runListen(ctx context.Context, args []string) (err error) {
	runtime.LockOSThread() // children die with the thread that started them (see start)
	b := &listenBench{}
	fs := flag.NewFlagSet(listenCommand, flag.ContinueOnError)
	fs.IntVar(&b.rounds, "rounds", 3, "how often everything is measured")
	fs.IntVar(&b.seconds, "seconds", 2, "how long each measurement lasts")
	fs.IntVar(&b.connections, "connections", 16, "clients at once")
	fs.IntVar(&b.starts, "starts", 5, "starts of each server")
	fs.IntVar(&b.idle, "idle", 10, "seconds without requests before memory is read")
	fs.StringVar(&b.orrery, "binary", "", "the orrery program to measure (default: it is built)")
	fs.BoolVar(&b.keep, "keep", false, "keep the folder with the configurations and the logs")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	for program, packages := range map[string]string{"wrk": "wrk", "nginx": "nginx-light", "apache2": "apache2", "gunicorn": "gunicorn", "uwsgi": "uwsgi-core uwsgi-plugin-python3"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed; on Debian: apt-get install %s", program, packages)
		}
	}
	// Short, for UNIX sockets are in it.
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
	if err := os.Chmod(b.dir, 0o755); err != nil { // the proxies' users have to get in
		return err
	}
	if b.orrery == "" {
		b.orrery = filepath.Join(b.dir, "orrery")
		if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.orrery, "./cmd/orrery").CombinedOutput(); err != nil {
			return fmt.Errorf("building the server: %w\n%s", err, out)
		}
	} else if b.orrery, err = filepath.Abs(b.orrery); err != nil {
		return err
	}
	b.load = &bench{options: options{seconds: b.seconds}, dir: b.dir}
	defer func() {
		for _, s := range b.servers {
			err = errors.Join(err, s.stop())
		}
		for _, p := range []*process{b.nginx, b.apache} {
			if p != nil {
				err = errors.Join(err, p.stop(syscall.SIGTERM))
			}
		}
	}()
	if err := b.startServers(ctx); err != nil {
		return err
	}
	if err := b.measureMemory(ctx); err != nil {
		return err
	}
	if err := b.startProxies(ctx); err != nil {
		return err
	}
	for round := range b.rounds {
		log.Printf("round %d of %d", round+1, b.rounds)
		if err := b.measureRates(ctx); err != nil {
			return err
		}
	}
	return b.print(os.Stdout)
}

// The names of what everything else is a ratio to.
const (
	rateTCP      = "HTTP over TCP"
	rateTCPOurs  = "HTTP over TCP, by our own client"
	rateTCPFresh = "HTTP over TCP, a new connection for each request"
)

// measureRates measures each listener and each proxy once.
func (b *listenBench) measureRates(ctx context.Context) error {
	orrery := b.servers[0]
	byWrk := func(name, url string) error {
		rate, err := b.load.wrk(ctx, url, "")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.note(name, rate)
		return nil
	}
	if err := errors.Join(byWrk(rateTCP, orrery.url), byWrk("HTTPS over TCP", orrery.https)); err != nil {
		return err
	}
	http := "GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"
	httpOnce := "GET /api/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	uwsgi := string(uwsgiRequest("/api/version"))
	for _, one := range []struct {
		name, network, address, request string
		fresh                           bool
	}{
		{rateTCPOurs, "tcp", orrery.tcp, http, false},
		{"HTTP over a UNIX socket, by our own client", "unix", orrery.unix, http, false},
		{rateTCPFresh, "tcp", orrery.tcp, httpOnce, true},
		{"HTTP over a UNIX socket, a new connection for each request", "unix", orrery.unix, httpOnce, true},
		{"uwsgi protocol over TCP", "tcp", orrery.uwsgiTCP, uwsgi, true},
		{"uwsgi protocol over a UNIX socket", "unix", orrery.uwsgi, uwsgi, true},
		{"uWSGI itself, uwsgi protocol over a UNIX socket", "unix", b.server("uWSGI").uwsgi, uwsgi, true},
	} {
		rate, err := askOverAndOver(ctx, one.network, one.address, one.request, one.fresh, b.connections, time.Duration(b.seconds)*time.Second)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		b.note(one.name, rate)
	}
	for _, site := range b.sites {
		if err := byWrk(site.name, fmt.Sprintf("http://127.0.0.1:%d/api/version", site.port)); err != nil {
			return err
		}
	}
	for _, s := range b.servers[1:] {
		if err := byWrk(s.name+" itself, HTTP over TCP", s.url); err != nil {
			return err
		}
	}
	return nil
}

func (b *listenBench) note(name string, value float64) {
	b.rates.add(name, value)
	log.Printf("%-60s %.4g", name, value)
}

func (b *listenBench) server(name string) *listenServer {
	for _, s := range b.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}
