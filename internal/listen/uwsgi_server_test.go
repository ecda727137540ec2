package listen

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// uwsgiOnly is a server of the uwsgi protocol alone. It serves the uwsgi protocol. Its fields are set before the first call of Serve.
type uwsgiOnly struct {
	Handler http.Handler
	Options UWSGIOptions
	// ReadHeaderTimeout bounds how long the variables of a request may take to come in; 0 is 30 s.
	ReadHeaderTimeout time.Duration
	// ReadTimeout and WriteTimeout bound a whole request; 0 does not, for uploads and downloads take as long as they take.
	ReadTimeout, WriteTimeout time.Duration
	// BaseContext, ConnState and ErrorLog are as in [http.Server].
	BaseContext func(net.Listener) context.Context
	ConnState   func(net.Conn, http.ConnState)
	ErrorLog    *log.Logger

	mu      sync.Mutex
	servers []*http.Server
	closed  bool
	active  atomic.Int64
}

// Serve accepts on l until Shutdown or Close, and returns [http.ErrServerClosed] then. It may be called for several
// listeners.
func (s *uwsgiOnly) Serve(l net.Listener) error {
	h := s.Handler
	if h == nil {
		h = http.NotFoundHandler()
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.active.Add(1)
			defer s.active.Add(-1)
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: s.ReadHeaderTimeout, ReadTimeout: s.ReadTimeout, WriteTimeout: s.WriteTimeout,
		BaseContext: s.BaseContext, ConnState: s.ConnState, ErrorLog: s.ErrorLog,
	}
	if server.ReadHeaderTimeout == 0 {
		server.ReadHeaderTimeout = 30 * time.Second
	}
	l = SpeakUWSGI(server, l, s.Options)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return http.ErrServerClosed
	}
	s.servers = append(s.servers, server)
	s.mu.Unlock()
	return server.Serve(l)
}

// Active is how many requests are being answered.
func (s *uwsgiOnly) Active() int { return int(s.active.Load()) }

// Shutdown stops accepting and waits until the requests that came in are answered, or the context ends.
func (s *uwsgiOnly) Shutdown(ctx context.Context) error {
	var errs []error
	for _, server := range s.close() {
		errs = append(errs, server.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Close stops accepting and cuts the connections.
func (s *uwsgiOnly) Close() error {
	var errs []error
	for _, server := range s.close() {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

func (s *uwsgiOnly) close() []*http.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.servers
}
