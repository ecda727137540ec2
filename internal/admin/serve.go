package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"orrery/internal/listen"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// Options say what Serve tells of.
type Options struct {
	// RunDir is the run folder, with the processes' sockets.
	RunDir string
	// Report is the supervisor's.
	Report func() supervisor.Report
	// Listening are the sockets on which web workers accept, to tell who waits there; nil when there are none.
	Listening func() []*listen.Socket
	Log       *slog.Logger
}

// Serve answers on the supervisor's own sockets until ctx ends; the sockets stay open. What is spoken there is as their
// specs say:
//
//   - [listen.Admin]: HTTP with /metrics (Prometheus's text format: those of all processes with the label process, and
//     the supervisor's own), /healthz (200 while the supervisor lives), /readyz (200 when every web worker and job
//     handler is ready, else 503 and which are not; with ?kind=web or ?kind=handler of those alone) and /report (JSON);
//   - [listen.Stats]: uWSGI's stats server, which writes one JSON document to whoever connects.
//
// An error is that of a socket that cannot be listened on.
func Serve(ctx context.Context, sockets []*listen.Socket, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{o: o, collector: NewCollector(o.RunDir), before: map[int]uint64{}}
	var failed error
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, socket := range sockets {
		if socket.Spec.Protocol != listen.Stats && socket.Spec.Protocol != listen.Admin {
			continue
		}
		l, err := socket.Listener()
		if err != nil {
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			err := s.accept(ctx, l, socket.Spec.Protocol)
			if err != nil && ctx.Err() == nil {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("%s: %w", socket.Address, err))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// maxConnections bounds those to the admin socket, which others may reach: the supervisor must not run out of files.
const maxConnections = 64

type server struct {
	o         Options
	collector *Collector

	mu     sync.Mutex
	before map[int]uint64 // requests by worker id at the last look, for delta_requests
}

func (s *server) accept(ctx context.Context, l net.Listener, protocol listen.Protocol) error {
	if protocol == listen.Stats {
		return s.acceptStats(ctx, l)
	}
	web := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, WriteTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler answers over HTTP.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
		text, err := s.collector.Collect(r.Context(), s.o.Report()).MarshalIndent()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "/metrics\n/healthz\n/readyz\n/report\n")
	})
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// metrics answers with those of all processes.
func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	report := s.o.Report()
	all, err := s.collector.scrape(ctx, report)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f := families{}
	for _, p := range all {
		f.addText(p.name, p.text)
	}
	f.addReport(report)
	for _, q := range s.queues() {
		f.add("orrery_listen_queue", telemetry.Label("socket", q.name), float64(q.waiting))
	}
	load, _ := s.collector.Load(ctx)
	f.addLoad(load)
	w.Header().Set("Content-Type", telemetry.PrometheusType)
	_, _ = w.Write(f.write())
}

// ready answers whether all processes serve.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	kind, n := r.URL.Query().Get("kind"), 0
	served, missing := map[string]bool{}, map[string]string{}
	for _, p := range s.o.Report().Processes {
		if kind != "" && string(p.Kind) != kind {
			continue
		}
		n++
		switch p.State {
		case "ready":
			served[p.Name] = true
		case "draining":
		default:
			missing[p.Name] = p.State
		}
	}
	var lines []string
	for name, state := range missing {
		if !served[name] { // one that is replaced still serves
			lines = append(lines, name+" is "+state+"\n")
		}
	}
	switch {
	case n == 0:
		plain(w, http.StatusServiceUnavailable, "there are no such processes\n")
	case len(lines) > 0:
		sortNaturally(lines)
		plain(w, http.StatusServiceUnavailable, strings.Join(lines, ""))
	default:
		plain(w, http.StatusOK, "ok\n")
	}
}
