package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Authenticator finds out who made a request.
type Authenticator interface {
	// Authenticate gives the actor, never nil without an error. It may set a
	// session cookie on w. A wrong API key is an error of kind
	// galaxy.Unauthenticated.
	Authenticate(w http.ResponseWriter, r *http.Request) (*galaxy.Actor, error)
}

// Router registers the API's routes and wraps each handler with what all of
// them need: the actor, Galaxy's encoded ids, errors in Galaxy's form, and a
// panic in one request staying in that request.
type Router struct {
	mux  *http.ServeMux
	auth Authenticator
	ids  *galaxy.IDCodec
	log  *slog.Logger
	// MaxBody bounds a JSON body, in bytes.
	MaxBody int64
}

// NewRouter makes an empty router.
func NewRouter(auth Authenticator, ids *galaxy.IDCodec, log *slog.Logger) *Router {
	return &Router{mux: http.NewServeMux(), auth: auth, ids: ids, log: log, MaxBody: 64 << 20}
}

// ServeHTTP answers a request; an unknown route under /api is answered in
// Galaxy's form too.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := rt.mux.Handler(r)
	if pattern == "" {
		// Ask the mux itself, so that a known path with another method is 405.
		probe := &statusProbe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		status, message := http.StatusNotFound, "No route for "+r.URL.Path
		if probe.status == http.StatusMethodNotAllowed {
			status, message = probe.status, r.Method+" is not allowed on "+r.URL.Path
			w.Header().Set("Allow", probe.header.Get("Allow"))
		}
		writeJSON(w, status, errorBody{Message: message, Code: status * 1000})
		return
	}
	rt.mux.ServeHTTP(w, r)
}

// Matches tells whether a route is registered for a request.
func (rt *Router) Matches(r *http.Request) bool {
	_, pattern := rt.mux.Handler(r)
	return pattern != ""
}

// statusProbe takes an answer and keeps only its status and headers.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

// Handler answers one request with a value that becomes JSON, one of the Raw,
// Status or Written values, or an error.
type Handler func(r *Request) (any, error)

// Handle registers a handler for a pattern of http.ServeMux, such as
// "GET /api/histories/{id}".
func (rt *Router) Handle(pattern string, h Handler) {
	rt.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		rt.serve(w, r, h)
	})
}

// HandlePublic registers a plain handler that needs no actor.
func (rt *Router) HandlePublic(pattern string, h http.HandlerFunc) { rt.mux.HandleFunc(pattern, h) }

func (rt *Router) serve(w http.ResponseWriter, r *http.Request, h Handler) {
	req := &Request{Request: r, W: w, router: rt}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			rt.log.ErrorContext(r.Context(), "a request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			rt.fail(w, r, galaxy.Errorf(galaxy.Internal, "Uncaught exception in exposed API method"))
		}
	}()
	if !readable(r.URL) {
		rt.fail(w, r, badRequest("The address holds bytes that are no text (UTF-8 without NUL)"))
		return
	}
	actor, err := rt.auth.Authenticate(w, r)
	if err != nil {
		rt.fail(w, r, err)
		return
	}
	req.Actor = actor
	v, err := h(req)
	if err != nil {
		rt.fail(w, r, err)
		return
	}
	switch v := v.(type) {
	case Written:
	case Raw:
		w.Header().Set("Content-Type", v.ContentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(v.Body)))
		_, _ = w.Write(v.Body)
	case Status:
		if v.Body == nil {
			w.WriteHeader(v.Code)
			return
		}
		writeJSON(w, v.Code, v.Body)
	default:
		writeJSON(w, http.StatusOK, v)
	}
}

// readable tells whether an address is text that a database can keep: what is
// searched for by a NUL or a broken character is an error of PostgreSQL's.
func readable(u *url.URL) bool {
	isText := func(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }
	if !isText(u.Path) {
		return false
	}
	if strings.IndexByte(u.RawQuery, '%') < 0 {
		return isText(u.RawQuery)
	}
	for name, values := range u.Query() {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return false
		}
	}
	return true
}

// Written is returned by a handler that wrote its own answer.
type Written struct{}

// Raw is an answer that is already encoded.
type Raw struct {
	ContentType string
	Body        []byte
}

// Status is an answer with another status than 200; without a Body it is empty.
type Status struct {
	Code int
	Body any
}

// NoContent is the empty answer.
var NoContent = Status{Code: http.StatusNoContent}

// errorBody is Galaxy's form of an error.
type errorBody struct {
	Message string `json:"err_msg"`
	Code    int    `json:"err_code"`
}

// status maps a kind to its HTTP status and Galaxy's code.
func status(kind galaxy.Kind) (httpStatus, code int) {
	switch kind {
	case galaxy.Invalid:
		return http.StatusBadRequest, 400008
	case galaxy.MalformedID:
		return http.StatusBadRequest, 400009
	case galaxy.Unauthenticated:
		return http.StatusUnauthorized, 401001
	case galaxy.Forbidden:
		return http.StatusForbidden, 403002
	case galaxy.NotFound:
		return http.StatusNotFound, 404001
	case galaxy.Conflict:
		return http.StatusConflict, 409001
	case galaxy.TooLarge:
		return http.StatusRequestEntityTooLarge, 413001
	case galaxy.Unavailable:
		return http.StatusServiceUnavailable, 503001
	case galaxy.NotImplemented:
		return http.StatusNotImplemented, 501001
	case galaxy.InsufficientStorage:
		return http.StatusInsufficientStorage, 507001
	}
	return http.StatusInternalServerError, 500001
}

// fail answers with an error; what the person need not know goes to the log.
func (rt *Router) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read it
	}
	var ge *galaxy.Error
	if !errors.As(err, &ge) {
		ge = unexpected(err)
	}
	httpStatus, code := status(ge.Kind)
	if httpStatus == http.StatusInternalServerError || httpStatus > http.StatusInternalServerError && ge.Cause != nil {
		rt.log.ErrorContext(r.Context(), "a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	body := map[string]any{"err_msg": ge.Message, "err_code": code}
	for k, v := range ge.Details {
		body[k] = v
	}
	writeJSON(w, httpStatus, body)
}

// unexpected is what a person is told of an error that no service explains.
func unexpected(err error) *galaxy.Error {
	e := &galaxy.Error{Kind: galaxy.Internal, Message: "The server failed at this request; its log says more.", Cause: err}
	switch {
	case store.Full(err) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		e.Kind, e.Message = galaxy.InsufficientStorage, "The server's disk is full, so nothing was changed. Tell its administrator, and try again later."
	case store.Outage(err):
		e.Kind, e.Message = galaxy.Unavailable, "The database does not answer just now, so nothing was changed. Try again in a moment."
	}
	return e
}

// WriteError answers with an error in Galaxy's form, for handlers outside the
// router.
func (rt *Router) WriteError(w http.ResponseWriter, r *http.Request, err error) { rt.fail(w, r, err) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		http.Error(w, `{"err_msg":"The answer could not be encoded.","err_code":500001}`, http.StatusInternalServerError)
		return
	}
	body := bytes.TrimRight(buf.Bytes(), "\n")
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Request is one API request with who made it.
type Request struct {
	*http.Request
	W      http.ResponseWriter
	Actor  *galaxy.Actor
	router *Router
}

// For makes a Request of an actor that is known already, for handlers outside
// the router.
func (rt *Router) For(w http.ResponseWriter, r *http.Request, a *galaxy.Actor) *Request {
	return &Request{Request: r, W: w, Actor: a, router: rt}
}

// Ctx is the request's context.
func (r *Request) Ctx() context.Context { return r.Request.Context() }

// ID decodes the encoded id in the path's {name}.
func (r *Request) ID(name string) (int64, error) { return r.DecodeID(r.PathValue(name)) }

// DecodeID decodes an encoded id.
func (r *Request) DecodeID(s string) (int64, error) { return r.router.ids.Decode(s) }

// EncodeID encodes a row's id; 0 gives "".
func (r *Request) EncodeID(id int64) string {
	if id == 0 {
		return ""
	}
	return r.router.ids.Encode(id)
}

// EncodeIDOrNil is EncodeID, with nil (null in JSON) for 0.
func (r *Request) EncodeIDOrNil(id int64) any {
	if id == 0 {
		return nil
	}
	return r.router.ids.Encode(id)
}

// Param is the first value of a query parameter.
func (r *Request) Param(name string) string { return r.URL.Query().Get(name) }

// Bool reads a query parameter as Galaxy does; def when it is absent.
func (r *Request) Bool(name string, def bool) (bool, error) {
	s := r.Param(name)
	if s == "" {
		return def, nil
	}
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on", "t", "y":
		return true, nil
	case "false", "0", "no", "off", "f", "n", "null", "none":
		return false, nil
	}
	return def, galaxy.Errorf(galaxy.Invalid, "Parameter %s must be true or false, not %q", name, s)
}

// Int reads a query parameter as a whole number of at least least; def when it
// is absent.
func (r *Request) Int(name string, def, least int) (int, error) {
	s := r.Param(name)
	if s == "" || strings.EqualFold(s, "null") {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		return def, galaxy.Errorf(galaxy.Invalid, "Parameter %s must be a whole number of at least %d, not %q", name, least, s)
	}
	return n, nil
}

// JSON decodes the body into dst. An empty body leaves dst as it is.
func (r *Request) JSON(dst any) error {
	body, err := io.ReadAll(http.MaxBytesReader(r.W, r.Body, r.router.MaxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return galaxy.Errorf(galaxy.TooLarge, "The request's body is larger than %d bytes", tooLarge.Limit)
		}
		return galaxy.Errorf(galaxy.Invalid, "The request's body could not be read: %w", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, dst); err != nil {
		return galaxy.Errorf(galaxy.Invalid, "The request's body is not the JSON this route takes: %w", err)
	}
	return nil
}

// RequireUser is an error unless somebody is logged in.
func (r *Request) RequireUser() error {
	if r.Actor.User == nil {
		return galaxy.Errorf(galaxy.Unauthenticated, "Log in or send an API key to do this")
	}
	return nil
}

// RequireAdmin is an error unless the actor administers the server.
func (r *Request) RequireAdmin() error {
	if !r.Actor.Admin {
		return galaxy.Errorf(galaxy.Forbidden, "You must be an administrator to access this feature.")
	}
	return nil
}

// badRequest is a request that misses something.
func badRequest(format string, args ...any) error {
	return galaxy.Errorf(galaxy.Invalid, "%s", fmt.Sprintf(format, args...))
}
