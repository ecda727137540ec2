package web_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"orrery/internal/api"
	"orrery/internal/galaxy"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
	"orrery/internal/user"
	"orrery/internal/web"
)

// site is a server with the login pages and a page that shows the token.
type site struct {
	*httptest.Server
	db       *store.DB
	users    *user.Service
	sessions *web.Sessions
	ids      *galaxy.IDCodec
}

func serve(t *testing.T, change ...func(*user.Options)) *site {
	t.Helper()
	t.Parallel()
	db := storetest.SQLite(t)
	ids, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		t.Fatal(err)
	}
	opts := user.Options{AllowCreation: true, BootstrapKey: "boot"}
	for _, c := range change {
		c(&opts)
	}
	s := &site{db: db, ids: ids, users: user.New(db, ids, opts)}
	s.sessions = web.NewSessions(s.users, ids, web.SessionOptions{TrustedOrigins: []string{"https://galaxy.example.org"}})
	rt := api.NewRouter(s.sessions, ids, slog.New(slog.DiscardHandler))
	s.sessions.Register(rt)
	rt.Handle("GET /api/whoami", who)
	rt.Handle("POST /api/whoami", who)
	rt.HandlePublic("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		a, err := s.sessions.Visit(w, r)
		if err != nil {
			rt.WriteError(w, r, err)
			return
		}
		_, _ = io.WriteString(w, s.sessions.CSRFToken(a))
	})
	trusted, err := web.ParseTrusted(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(web.Forwarded(rt, trusted))
	t.Cleanup(s.Close)
	return s
}

func who(r *api.Request) (any, error) {
	return map[string]int64{"user": r.Actor.UserID(), "session": r.Actor.SessionID, "history": r.Actor.HistoryID}, nil
}

type identity struct{ User, Session, History int64 }

// browser keeps cookies as a browser does.
type browser struct {
	t *testing.T
	*http.Client
	at string
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}, s.URL}
}

func (b *browser) do(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.at+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (b *browser) token() string {
	b.t.Helper()
	_, token := b.do("GET", "/", "")
	if len(token) != 16 {
		b.t.Fatalf("the page's token is %q", token)
	}
	return token
}

// post sends a form as JSON with the session's token.
func (b *browser) post(path string, fields map[string]any) (int, string) {
	b.t.Helper()
	fields["session_csrf_token"] = b.token()
	body, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do("POST", path, string(body), "Content-Type", "application/json")
}

func (b *browser) who(header ...string) (id identity) {
	b.t.Helper()
	status, text := b.do("GET", "/api/whoami", "", header...)
	if status != 200 || json.Unmarshal([]byte(text), &id) != nil {
		b.t.Fatalf("whoami answers %d %s", status, text)
	}
	return id
}

func (b *browser) register(name string) {
	b.t.Helper()
	status, text := b.post("/user/create", map[string]any{
		"email": name + "@example.org", "username": name, "password": "password1", "confirm": "password1",
	})
	if status != 200 {
		b.t.Fatalf("registering answers %d %s", status, text)
	}
}

func (b *browser) cookie() string {
	u, err := url.Parse(b.at)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == web.CookieName {
			return c.Value
		}
	}
	return ""
}

func TestRegisterLogOutLogIn(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	if id := b.who(); id != (identity{}) {
		t.Errorf("without a cookie the actor is %+v", id)
	}
	b.token()
	visitor, before := b.who(), b.cookie()
	if visitor.User != 0 || visitor.Session == 0 || visitor.History == 0 {
		t.Errorf("the visitor is %+v", visitor)
	}
	b.register("ann")
	ann, after := b.who(), b.cookie()
	if ann.User == 0 || ann.Session == visitor.Session || before == after {
		t.Errorf("after registering the actor is %+v", ann)
	}
	if status, text := b.do("GET", "/user/logout?session_csrf_token="+b.token(), ""); status != 200 || text != `{"message":"Success."}` {
		t.Errorf("logging out answers %d %s", status, text)
	}
	if id := b.who(); id.User != 0 || id.Session == 0 {
		t.Errorf("after logging out the actor is %+v", id)
	}
	status, text := b.post("/user/login", map[string]any{"login": "ann@example.org", "password": "password1"})
	if status != 200 || text != `{"message":"Success.","redirect":null}` {
		t.Errorf("logging in answers %d %s", status, text)
	}
	if id := b.who(); id.User != ann.User || id.History != ann.History {
		t.Errorf("after logging in again the actor is %+v, was %+v", id, ann)
	}
}

func TestLoginIsRefused(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	b.register("ann")
	for _, c := range []struct{ body, want string }{
		{`{"login":"ann","password":"password1"}`, "No session token set"},
		{`{"login":"ann","password":"password1","session_csrf_token":"0000000000000000"}`, "Wrong session token"},
		{`{"login":"ann","session_csrf_token":"` + b.token() + `"}`, "Please specify"},
		{`{"login":"ann","password":"password2","session_csrf_token":"` + b.token() + `"}`, "Invalid password."},
		{`{"login":`, "not the JSON"},
		{`{"login":"` + strings.Repeat("x", 1<<17) + `"}`, "larger than"},
	} {
		if status, text := b.do("POST", "/user/login", c.body); status < 400 || status >= 500 || !strings.Contains(text, c.want) {
			t.Errorf("%.60s answers %d %s, want %q", c.body, status, text, c.want)
		}
	}
}

func TestTokenOfAnotherSessionIsRefused(t *testing.T) {
	s := serve(t)
	b, other := s.browser(t), s.browser(t)
	b.register("ann")
	body := `{"login":"ann","password":"password1","session_csrf_token":"` + other.token() + `"}`
	if status, text := b.do("POST", "/user/login", body); status != 400 {
		t.Errorf("it answers %d %s", status, text)
	}
}

func TestTheCookie(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		header map[string]string
		secure bool
	}{
		"plain":          {nil, false},
		"behind a proxy": {map[string]string{"X-Forwarded-Proto": "https"}, true},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		cookies := res.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%s: the cookies are %v", name, cookies)
		}
		got := cookies[0]
		if got.Name != "galaxysession" || got.Path != "/" || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode ||
			got.MaxAge != 7776000 || got.Secure != c.secure {
			t.Errorf("%s: the cookie is %+v", name, got)
		}
		key, err := s.ids.DecodeGUID(got.Value)
		if err != nil || len(key) != 32 {
			t.Errorf("%s: the cookie holds %q, %v", name, key, err)
		}
		if session, err := s.users.Resume(t.Context(), key); err != nil || session == nil {
			t.Errorf("%s: the key resumes %v, %v", name, session, err)
		}
	}
}

func TestBadCookiesAreReplaced(t *testing.T) {
	s := serve(t)
	for _, value := range []string{"nonsense", s.ids.EncodeGUID(strings.Repeat("0", 32)), strings.Repeat("a", 3000)} {
		b := s.browser(t)
		if id := b.who("Cookie", "galaxysession="+value); id.User != 0 || id.Session == 0 {
			t.Errorf("the cookie %.20s gives %+v", value, id)
		}
		if b.cookie() == "" {
			t.Errorf("the cookie %.20s is not replaced", value)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	b.register("ann")
	ann := b.who().User
	key, err := s.users.CreateAPIKey(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	script := s.browser(t)
	for _, header := range [][]string{{"X-Api-Key", key.Key}, {"Authorization", "Bearer " + key.Key}, {"Authorization", "bearer " + key.Key}} {
		if id := script.who(header...); id.User != ann || id.Session != 0 {
			t.Errorf("%v gives %+v", header, id)
		}
	}
	if status, text := script.do("GET", "/api/whoami?key="+key.Key, ""); status != 200 || !strings.Contains(text, `"session":0`) {
		t.Errorf("the key in the address answers %d %s", status, text)
	}
	for _, bad := range []string{"nonsense", strings.Repeat("x", 1000)} {
		if status, text := script.do("GET", "/api/whoami", "", "X-Api-Key", bad); status != 401 || !strings.Contains(text, `"err_code":401001`) {
			t.Errorf("a wrong key answers %d %s", status, text)
		}
	}
	// A key is nothing that a browser sends by itself.
	if status, _ := script.do("POST", "/api/whoami", "", "X-Api-Key", key.Key, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); status != 200 {
		t.Errorf("a key on another site's page answers %d", status)
	}
}

func TestOtherSitesCannotActForTheUser(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	b.register("ann")
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"no browser", nil, 200},
		{"our page", []string{"Sec-Fetch-Site", "same-origin", "Origin", s.URL}, 200},
		{"our page over plain HTTP", []string{"Origin", s.URL}, 200},
		{"our page behind a proxy", []string{"Origin", "http://g.example", "X-Forwarded-Host", "g.example"}, 200},
		{"our page under its public address", []string{"Origin", "https://galaxy.example.org", "Sec-Fetch-Site", "cross-site"}, 200},
		{"another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"another site over plain HTTP", []string{"Origin", "http://evil.example"}, 403},
		{"a sibling site", []string{"Origin", "http://evil.localhost", "Sec-Fetch-Site", "same-site"}, 403},
		{"a sandboxed frame", []string{"Origin", "null"}, 403},
	} {
		if status, text := b.do("POST", "/api/whoami", "", c.header...); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, status, text, c.status)
		}
	}
	if status, _ := b.do("GET", "/api/whoami", "", "Sec-Fetch-Site", "cross-site"); status != 200 {
		t.Errorf("reading through a link answers %d", status)
	}
}

func TestRequireLogin(t *testing.T) {
	s := serve(t, func(o *user.Options) { o.RequireLogin = true })
	b := s.browser(t)
	b.token()
	if id := b.who(); id.History != 0 {
		t.Errorf("the visitor got the history %d", id.History)
	}
	if status, text := b.do("POST", "/api/whoami/", ""); status == 200 {
		t.Errorf("an unknown route answers %d %s", status, text)
	}
	b.register("ann")
	if id := b.who(); id.User == 0 || id.History == 0 {
		t.Errorf("the user is %+v", id)
	}
}

func TestSingleUser(t *testing.T) {
	s := serve(t, func(o *user.Options) { o.SingleUser = "me@example.org" })
	b := s.browser(t)
	first := b.who()
	if first.User == 0 {
		t.Errorf("without a cookie the actor is %+v", first)
	}
	b.token()
	if id := b.who(); id.User != first.User || id.Session == 0 || id.History == 0 {
		t.Errorf("with a cookie the actor is %+v", id)
	}
	if status, _ := s.browser(t).do("POST", "/api/whoami", "", "Origin", "https://evil.example"); status != 403 {
		t.Errorf("another site's page is answered %d", status)
	}
}

func TestRedirectStaysHere(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	b.register("ann")
	for to, want := range map[string]any{
		"/workflows/list?x=1": "/workflows/list?x=1", "": nil, "None": nil, "https://evil.example/": "/", "//evil.example": "/",
		`/\evil.example`: "/", "javascript:alert(1)": "/", "/user/logout": "/",
	} {
		status, text := b.post("/user/login", map[string]any{"login": "ann", "password": "password1", "redirect": to})
		var got map[string]any
		if status != 200 || json.Unmarshal([]byte(text), &got) != nil || got["redirect"] != want {
			t.Errorf("%q leads to %v (%d %s), want %v", to, got["redirect"], status, text, want)
		}
	}
}

func TestChangePasswordWithoutSession(t *testing.T) {
	s := serve(t)
	b := s.browser(t)
	b.register("ann")
	id := s.ids.Encode(b.who().User)
	fresh := s.browser(t)
	change := func(current string) (int, string) {
		body := `{"id":"` + id + `","current":"` + current + `","password":"password2","confirm":"password2"}`
		return fresh.do("POST", "/user/change_password", body, "Content-Type", "application/json")
	}
	if status, text := change("wrong"); status != 400 || !strings.Contains(text, "Invalid current password.") {
		t.Errorf("a wrong password answers %d %s", status, text)
	}
	if status, text := change("password1"); status != 200 {
		t.Fatalf("it answers %d %s", status, text)
	}
	if got := fresh.who(); got.User == 0 {
		t.Errorf("changing it logged %+v in", got)
	}
	if got := b.who(); got.User != 0 {
		t.Errorf("the other browser is still %+v", got)
	}
}
