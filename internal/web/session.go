package web

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/user"
)

// CookieName is the cookie that holds the session's encoded key.
const CookieName = "galaxysession"

// cookieAge is how long a browser keeps the cookie.
const cookieAge = 90 * 24 * time.Hour

// maxKey bounds an API key, in bytes; Galaxy's have 32.
const maxKey = 256

// SessionOptions are the administrator's settings about cookies.
type SessionOptions struct {
	// CookiePath is cookie_path, or else galaxy_url_prefix; "" is "/".
	CookiePath string
	// CookieDomain is cookie_domain; "" limits the cookie to this host.
	CookieDomain string
	// TrustedOrigins are addresses like "https://galaxy.example.org" under which
	// people see this server though it does not see so itself, for example
	// galaxy_infrastructure_url behind a proxy that changes the Host.
	TrustedOrigins []string
}

// Sessions finds out who made a request: by an API key, by the session's
// cookie, or nobody. It is the api.Authenticator of the server.
type Sessions struct {
	users   *user.Service
	ids     *galaxy.IDCodec
	opts    SessionOptions
	trusted map[string]bool
}

// NewSessions makes the sessions of a server.
func NewSessions(users *user.Service, ids *galaxy.IDCodec, opts SessionOptions) *Sessions {
	if opts.CookiePath == "" {
		opts.CookiePath = "/"
	}
	// A path that ends with a slash would not match the prefix itself.
	opts.CookiePath = path.Clean("/" + opts.CookiePath)
	s := &Sessions{users: users, ids: ids, opts: opts, trusted: map[string]bool{}}
	for _, origin := range opts.TrustedOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" {
			s.trusted[strings.ToLower(u.Scheme+"://"+u.Host)] = true
		}
	}
	return s
}

// Authenticate says who made an API request. Without a key and a cookie that is
// an anonymous actor without a session; a cookie whose session ended is
// replaced. It costs at most one query, except for the first requests of a
// session, which make its history.
func (s *Sessions) Authenticate(w http.ResponseWriter, r *http.Request) (*galaxy.Actor, error) {
	actor, err := s.authenticate(w, r, false)
	if err != nil {
		return nil, err
	}
	noteUser(r.Context(), actor)
	if s.users.Options().RequireLogin && actor.Anonymous() && !openWithoutLogin(r.URL.Path) {
		return nil, access.LoginRequired("Log in to use this server.")
	}
	return actor, nil
}

// openWithoutLogin are the API's routes that the login page itself needs where
// everybody must log in.
func openWithoutLogin(p string) bool {
	switch p = strings.TrimSuffix(p, "/"); p {
	case "/api/version", "/api/configuration", "/api/users/current", "/api/authenticate/baseauth", "/api/webhooks",
		"/api/whoami", "/context", "/user/login", "/user/logout", "/user/create", "/user/change_password", "/user/reset_password":
		return true
	}
	return false
}

// Visit says who asks for a page: as Authenticate, but everyone gets a session.
func (s *Sessions) Visit(w http.ResponseWriter, r *http.Request) (*galaxy.Actor, error) {
	actor, err := s.authenticate(w, r, true)
	noteUser(r.Context(), actor)
	return actor, err
}

func (s *Sessions) authenticate(w http.ResponseWriter, r *http.Request, page bool) (*galaxy.Actor, error) {
	ctx := r.Context()
	if key := apiKey(r); key != "" {
		if len(key) > maxKey {
			return nil, galaxy.Errorf(galaxy.Unauthenticated, "Provided API key is not valid.")
		}
		return s.users.ByAPIKey(ctx, key)
	}
	session, hadCookie, err := s.resume(ctx, r)
	if err != nil {
		return nil, err
	}
	single := s.users.Options().SingleUser != ""
	if session == nil && !hadCookie && !page && !single {
		return &galaxy.Actor{}, nil
	}
	// From here on the browser itself says who asks, whoever made it ask.
	if err := s.checkSite(r); err != nil {
		return nil, err
	}
	if single && (session == nil || session.User == nil) {
		u, err := s.users.EnsureSingleUser(ctx)
		if err != nil {
			return nil, err
		}
		if session != nil || hadCookie || page {
			var previous int64
			if session != nil {
				previous = session.ID
			}
			if session, err = s.users.LogIn(ctx, previous, u.ID, visitor(r)); err != nil {
				return nil, err
			}
			s.setCookie(w, r, session.Key)
			return s.users.SessionActor(session), nil
		}
		return s.users.Actor(&u.User), nil
	}
	if session == nil {
		if session, err = s.users.Begin(ctx, visitor(r), 0); err != nil {
			return nil, err
		}
		s.setCookie(w, r, session.Key)
		return s.users.SessionActor(session), nil
	}
	if err := s.users.EnsureHistory(ctx, session); err != nil {
		return nil, err
	}
	return s.users.SessionActor(session), nil
}

// resume finds the session of the request's cookie; nil without a valid one.
func (s *Sessions) resume(ctx context.Context, r *http.Request) (session *user.Session, hadCookie bool, err error) {
	for _, cookie := range r.CookiesNamed(CookieName) {
		if cookie.Value == "" {
			continue
		}
		hadCookie = true
		key, err := s.ids.DecodeGUID(cookie.Value)
		if err != nil {
			continue // not one of ours, or of another id_secret
		}
		session, err := s.users.Resume(ctx, key)
		return session, true, err
	}
	return nil, hadCookie, nil
}

// apiKey is the API key that a request carries, "" without one.
func apiKey(r *http.Request) string {
	if r.URL.RawQuery != "" {
		if key := r.URL.Query().Get("key"); key != "" {
			return key
		}
	}
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// visitor says where a request came from.
func visitor(r *http.Request) user.Visitor {
	return user.Visitor{RemoteAddr: peer(r), Referer: strings.ToValidUTF8(strings.ReplaceAll(r.Referer(), "\x00", ""), "?")}
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "" // a UNIX socket
	}
	return host
}

// overHTTPS tells whether the browser speaks HTTPS, to us or to our proxy: what
// others say in this header, Forwarded has removed.
func overHTTPS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// setCookie hands the browser the key of a session. The cookie goes along when
// people follow a link to this server, but not with other sites' requests.
func (s *Sessions) setCookie(w http.ResponseWriter, r *http.Request, key string) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Value: s.ids.EncodeGUID(key), Path: s.opts.CookiePath, Domain: s.opts.CookieDomain,
		MaxAge: int(cookieAge / time.Second), Expires: time.Now().Add(cookieAge), HttpOnly: true, Secure: overHTTPS(r),
		SameSite: http.SameSiteLaxMode,
	})
}

// CSRFToken is what forms send back to prove that they come from a page of
// this session; "" without a session.
func (s *Sessions) CSRFToken(a *galaxy.Actor) string {
	if a == nil || a.SessionID == 0 {
		return ""
	}
	return s.ids.EncodeKind(a.SessionID, galaxy.KindCSRF)
}
