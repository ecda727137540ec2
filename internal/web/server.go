package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"orrery/internal/api"
	"orrery/internal/galaxy"
	"orrery/internal/web/client"
)

// Site is everything that the server answers over HTTP: the API, the client's
// files and the pages that start it.
type Site struct {
	Router   *api.Router
	Client   *client.Client
	Sessions *Sessions
	// Configurations are the answers of /api/configuration.
	Configurations *client.Answers
	// CurrentUser is the answer of /api/users/current for a context.
	CurrentUser func(r *http.Request, a *galaxy.Actor) (any, error)
	Brand       string
	// Prefix is galaxy_url_prefix without a slash at its end; "" at the root.
	Prefix     string
	WelcomeURL string
	// FrameOptions is x_frame_options; "" sends no header.
	FrameOptions string
	// Version is the answer of /api/version.
	Version json.RawMessage
	// Uploads serves /api/upload/resumable_upload.
	Uploads http.Handler
	// StaticMaps are files of the administrator's, as SortStaticMaps has them.
	StaticMaps []StaticMap
	// Health answers /healthz and /readyz, with and without the prefix; nil leaves them to the site.
	Health *Health
	Log    *slog.Logger
}

// uploadPath is where the client sends files in resumable chunks.
const uploadPath = "/api/upload/resumable_upload"

// ServeHTTP answers any request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if serveFile(s.StaticMaps, w, r) || s.Health.serve(w, r, r.URL.Path) {
		return
	}
	if s.Prefix != "" && !strip(r, s.Prefix) {
		http.Redirect(w, r, s.Prefix+"/", http.StatusFound) //nolint:gosec // the prefix is the configuration's
		return
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	h := w.Header()
	if r.URL.Path == "/api/version" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		h["Content-Type"] = jsonType
		_, _ = w.Write(s.Version) //nolint:gosec // the same for everyone
		return
	}
	if s.FrameOptions != "" {
		h.Set("X-Frame-Options", s.FrameOptions)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	defer s.recover(w, r)
	switch {
	case s.Prefix != "" && s.Health.serve(w, r, r.URL.Path):
	case strings.HasPrefix(r.URL.Path, "/static/") || r.URL.Path == "/favicon.ico" || r.URL.Path == "/robots.txt":
		s.Client.ServeStatic(w, r)
	case strings.HasPrefix(r.URL.Path, uploadPath) && s.Uploads != nil:
		s.Uploads.ServeHTTP(w, r)
	case r.URL.Path == "/context":
		s.context(w, r)
	case r.URL.Path == "/welcome":
		client.RedirectToWelcome(w, r, s.Prefix, s.WelcomeURL)
	case s.Router.Matches(r):
		s.Router.ServeHTTP(w, r)
	case client.IsPage(r.URL.Path):
		s.page(w, r)
	case s.redirect(w, r):
	default:
		s.Router.ServeHTTP(w, r)
	}
}

// strip takes the prefix off a request's path. It is false when the path has
// another one; a proxy that took the prefix off itself may say so.
func strip(r *http.Request, prefix string) bool {
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	if ok && (path == "" || path[0] == '/') {
		r.URL.Path, r.URL.RawPath = path, strings.TrimPrefix(r.URL.RawPath, prefix)
		return true
	}
	return r.Header.Get("X-Forwarded-Prefix") == prefix
}

// jsonType is shared by all answers, so that the hottest route allocates none.
var jsonType = []string{"application/json"}

// recover keeps a panic in one request from ending the server.
func (s *Site) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.Log.ErrorContext(r.Context(), "a request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	s.Router.WriteError(w, r, galaxy.Errorf(galaxy.Internal, "The server failed at this request; its log says more."))
}

// page starts the client. A visitor gets a session here, so that the client's
// first API requests share one.
func (s *Site) page(w http.ResponseWriter, r *http.Request) {
	a, err := s.Sessions.Visit(w, r)
	if err != nil {
		s.Router.WriteError(w, r, err)
		return
	}
	s.Client.ServePage(w, r, client.Page{Root: s.Prefix + "/", Brand: s.Brand, SessionCSRFToken: s.Sessions.CSRFToken(a)})
}

// context answers the first thing that the client asks for.
func (s *Site) context(w http.ResponseWriter, r *http.Request) {
	a, err := s.Sessions.Visit(w, r)
	if err != nil {
		s.Router.WriteError(w, r, err)
		return
	}
	user, err := s.CurrentUser(r, a)
	if err != nil {
		s.Router.WriteError(w, r, err)
		return
	}
	answer := client.Context{Config: s.Configurations.For(a.Admin), User: user}
	if token := s.Sessions.CSRFToken(a); token != "" {
		answer.SessionCSRFToken = &token
	}
	client.ServeContext(w, answer)
}
