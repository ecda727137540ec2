package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"orrery/internal/listen"
)

// What a client may ask of this server's patience and memory.
const (
	headerTimeout = 20 * time.Second // for all of a request's header
	keepAlive     = 2 * time.Minute  // between two requests of one connection
	headerBytes   = 64 << 10         // more is answered with 431
)

// ServeOptions say how a process serves.
type ServeOptions struct {
	// Timeout is how long a request's body may bring nothing, and an answer find nobody who reads it; 0 is for ever.
	// It is gunicorn's timeout, applied to silence: what moves may take as long as it takes.
	Timeout time.Duration
	// KeepAlive is how long a connection may be idle between two requests; 0 is two minutes.
	KeepAlive time.Duration
	// Trusted are the proxies that are believed; see Forwarded.
	Trusted Trusted
	// MaxConns bounds the connections held at a time; 0 is what the limit of open files allows. Beyond it, the ones that
	// are idle for the longest give way.
	MaxConns int
	// Ready is called once, when connections are accepted.
	Ready func() error
	// Linger is asked when a drain begins: for how long connections may be idle before they are closed. 0 closes them
	// at once, for a process whose place nobody takes. Nil is [StandardLinger].
	Linger func() time.Duration
	// Busy is told each second of a drain how many requests move bytes, when any do. It may be nil.
	Busy func(requests int)
	// Mercy is how long a drain waits without any byte moving before it closes what is left; 0 is for ever, for a
	// process that its supervisor ends.
	Mercy time.Duration
	Log   *slog.Logger

	park time.Duration // see parkAfter; for tests
}

// StandardLinger is how long an idle connection stays open while its process drains: a client that uses it meanwhile
// gets its answer, and is told to come back over a new one.
const StandardLinger = 5 * time.Second

// Serve accepts connections on the sockets and answers them with the site until ctx ends; then it drains, and returns
// when the last connection is closed. A site is told of the drain by ctx as well.
//
// While it drains, the process accepts nothing: its copies of the listeners are closed, and what waits in their queues
// goes to the processes that hold the same sockets. Every answer says “Connection: close” from then on. Idle connections
// linger (see ServeOptions.Linger); a request that comes in on one is answered. Uploads and downloads go on.
//
// An error is that of a listener that failed; the others are drained first.
func Serve(ctx context.Context, sockets []*listen.Socket, site http.Handler, o ServeOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.KeepAlive <= 0 {
		o.KeepAlive = keepAlive
	}
	if o.park == 0 {
		o.park = parkAfter
	}
	s := &server{options: o, bare: site, site: Forwarded(site, o.Trusted), connections: newConnections(o.MaxConns, o.Timeout)}
	var failures failures
	var accepting sync.WaitGroup
	for _, socket := range sockets {
		l, err := socket.Listener()
		if err == nil {
			var serve func(net.Listener) error
			if serve, err = s.protocol(socket); err == nil {
				tracked := s.connections.listener(l)
				accepting.Go(func() {
					if err := serve(tracked); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
						failures.add(fmt.Errorf("%s: %w", socket.Address, err))
						cancel()
					}
				})
			} else {
				_ = l.Close()
			}
		}
		if err != nil {
			failures.add(err)
			cancel()
			break
		}
	}
	if ctx.Err() == nil && o.Ready != nil {
		if err := o.Ready(); err != nil {
			failures.add(err)
			cancel()
		}
	}
	<-ctx.Done()
	s.draining.Store(true)
	s.connections.closeListeners()
	listen.CloseAll(sockets) // else clients would wait in a queue that only this process holds
	accepting.Wait()
	linger := StandardLinger
	if o.Linger != nil {
		linger = o.Linger()
	}
	s.connections.drain(linger, o.Mercy, o.Busy)
	for _, server := range s.servers {
		failures.add(server.Close())
	}
	return failures.err()
}

// server is one call of Serve.
type server struct {
	options     ServeOptions
	bare, site  http.Handler // without and with what proxies say
	connections *connections
	draining    atomic.Bool
	servers     []*http.Server
}

// protocol gives what speaks the protocol of a socket.
func (s *server) protocol(socket *listen.Socket) (func(net.Listener) error, error) {
	switch spec := socket.Spec; spec.Protocol {
	case listen.HTTP, "":
		return s.plain(s.site), nil
	case listen.Redirect:
		return s.plain(listen.RedirectHandler(spec)), nil
	case listen.HTTPS:
		config, err := listen.TLSConfig(spec, func(err error) {
			if s.options.Log != nil {
				s.options.Log.Error("the changed certificate is not taken", "error", err)
			}
		})
		if err != nil {
			return nil, err
		}
		server := s.http(s.site)
		server.TLSConfig = config
		return func(l net.Listener) error { return server.ServeTLS(l, "", "") }, nil
	case listen.UWSGI:
		// What the proxy says of the visitor is in the protocol itself. X-Forwarded headers are the visitor's own, unless
		// that visitor is a proxy in turn.
		server := s.http(&forwarded{next: s.bare, trusted: s.options.Trusted})
		return func(l net.Listener) error { return server.Serve(listen.SpeakUWSGI(server, l, listen.UWSGIOptions{})) }, nil
	default:
		return nil, fmt.Errorf("%s: a web worker does not speak %s", socket.Address, spec.Protocol)
	}
}

// plain serves HTTP without TLS, where idle connections can be parked.
func (s *server) plain(h http.Handler) func(net.Listener) error {
	server, parking := s.http(h), newParking(s.options.park)
	return func(l net.Listener) error {
		go func() { _ = server.Serve(parking) }() // until the drain has ended
		return server.Serve(leasing{l, parking})
	}
}

// http makes a server for HTTP. HTTP/2 is left to proxies, as with gunicorn.
func (s *server) http(h http.Handler) *http.Server {
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, h) }),
		ReadHeaderTimeout: headerTimeout, IdleTimeout: s.options.KeepAlive, MaxHeaderBytes: headerBytes,
		ConnState: s.connections.state, Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	if s.options.Log != nil {
		server.ErrorLog = slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug)
	}
	s.servers = append(s.servers, server)
	return server
}

// answer has a handler answer one request over HTTP.
func (s *server) answer(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if s.options.Timeout > 0 && r.ContentLength != 0 {
		control := http.NewResponseController(w)
		r.Body = &movingBody{ReadCloser: r.Body, control: control, timeout: s.options.Timeout}
		// What the site leaves unread is read by net/http, no more patiently.
		defer func() { _ = control.SetReadDeadline(time.Now().Add(s.options.Timeout)) }()
	}
	a := answer{ResponseWriter: w, server: s}
	h.ServeHTTP(&a, r)
	a.head()
}

// failures are errors from several goroutines.
type failures struct {
	mu   sync.Mutex
	list []error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, err)
}

func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.list...)
}
