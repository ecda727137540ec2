package web

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/telemetry"
)

// RequestIDHeader is the header with a request's id, of requests and of answers.
const RequestIDHeader = "X-Request-Id"

// ObserveOptions say how requests are counted and logged.
type ObserveOptions struct {
	// Meter counts them.
	Meter *telemetry.Meter
	// Access gets a line about each; nil for none.
	Access *telemetry.AccessLog
	// Prefix is galaxy_url_prefix without a slash at its end.
	Prefix string
}

// Observe gives each request an id, counts it, and logs that it was answered. The id is that which a proxy gave it in
// X-Request-Id, if it is one to be trusted, which Forwarded takes care of: it removes the header of others. The answer
// has the id too, and so has every line that is logged with the request's context.
//
// What is asked for all the time and says nothing, the version, the server's health and static files, is logged at DEBUG only, or in an
// access log of its own; the version also goes without an id.
func Observe(next http.Handler, o ObserveOptions) http.Handler {
	return &observer{next: next, o: o, loud: o.Access.Wants(slog.LevelInfo), quiet: o.Access.Wants(slog.LevelDebug)}
}

type observer struct {
	next        http.Handler
	o           ObserveOptions
	loud, quiet bool // whether lines of these levels are written
}

// observed is a request while it is answered.
type observed struct {
	telemetry.Request
	id   string
	user int64
	counted
}

// counted counts what is written. It passes on all that handlers look for in a writer.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counted) WriteHeader(status int) {
	if c.status == 0 && status >= 200 { // others are followed by one more
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

func (c *counted) WriteString(s string) (int, error) {
	n, err := io.WriteString(c.ResponseWriter, s)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom lets files go from the disk to the network without coming by here.
func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}

func (c *counted) Flush() { _ = http.NewResponseController(c.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// spare are for requests that nobody holds on to after they are answered.
var spare = sync.Pool{New: func() any { return new(observed) }}

// ServeHTTP observes one request.
func (s *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, s.o.Prefix)
	if path == "/api/version" && r.Method == http.MethodGet && len(r.Header[RequestIDHeader]) == 0 {
		o := spare.Get().(*observed)
		s.serve(o, w, r, path, s.quiet)
		*o = observed{}
		spare.Put(o)
		return
	}
	o := new(observed)
	if ids := r.Header[RequestIDHeader]; len(ids) == 1 && saneID(ids[0]) {
		o.id = ids[0]
	} else {
		o.id = newID()
	}
	w.Header()[RequestIDHeader] = []string{o.id}
	ctx := telemetry.WithRequest(context.WithValue(r.Context(), observedKey{}, o), o.id)
	s.serve(o, w, r.WithContext(ctx), path, s.quiet || s.loud && !telemetry.Hot(path))
}

func (s *observer) serve(o *observed, w http.ResponseWriter, r *http.Request, path string, logged bool) {
	o.ResponseWriter = w
	o.Method, o.Path, o.Begun = r.Method, path, time.Now()
	// Site changes both when it takes the prefix away.
	whole, query := r.URL.Path, r.URL.RawQuery
	s.o.Meter.Begin(&o.Request)
	answered := false
	defer func() {
		took := time.Since(o.Begun)
		if !answered && o.status == 0 { // it panicked, as handlers do whose client is gone
			o.status = 499
		}
		if o.status == 0 {
			o.status = http.StatusOK
		}
		s.o.Meter.End(&o.Request, o.status, took, r.ContentLength, o.bytes)
		if logged {
			s.o.Access.Write(&telemetry.Access{
				Time: o.Begun, Method: r.Method, Target: telemetry.Redacted(whole, query), Proto: r.Proto, Remote: hostOf(r.RemoteAddr), Request: o.id,
				User: o.user, Status: o.status, Bytes: o.bytes, Took: took, Referer: withoutQuery(r.Referer()), Agent: r.UserAgent(),
			})
		}
	}()
	s.next.ServeHTTP(&o.counted, r)
	answered = true
}

// observedKey is the context's key of the observed request.
type observedKey struct{}

// noteUser tells the access log who made a request.
func noteUser(ctx context.Context, a *galaxy.Actor) {
	if o, ok := ctx.Value(observedKey{}).(*observed); ok && a != nil {
		o.user = a.UserID()
	}
}

// maxID bounds a request's id that came in.
const maxID = 128

// saneID tells whether an id that came in may go into logs and answers as it is.
func saneID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("-_.:/+=@", rune(c)) {
			return false
		}
	}
	return true
}

// newID makes an id as Galaxy's look: 32 hexadecimal digits.
func newID() string {
	const digits = "0123456789abcdef"
	var id [32]byte
	for half := range 2 {
		bits := rand.Uint64()
		for i := range 16 {
			id[half*16+i] = digits[bits&15]
			bits >>= 4
		}
	}
	return string(id[:])
}

// hostOf is an address without its port; “unix” for those who came by a UNIX socket.
func hostOf(address string) string {
	if address == "" || address == "@" {
		return "unix"
	}
	if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasSuffix(address, "]") && (strings.IndexByte(address, ':') == i || address[0] == '[') {
		address = address[:i]
	}
	return strings.Trim(address, "[]")
}

// withoutQuery keeps what may be a secret in another page's address out of the log.
func withoutQuery(referer string) string {
	if i := strings.IndexAny(referer, "?#"); i >= 0 {
		return referer[:i]
	}
	return referer
}
