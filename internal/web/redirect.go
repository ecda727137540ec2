package web

import (
	"net/http"
	"net/url"
	"strings"
)

// moved gives the client's page that stands at one of Galaxy's older addresses,
// which people have kept in their bookmarks and the client itself still uses;
// "" when the address is none of them.
func moved(path string, query url.Values) string {
	with := func(page string) string {
		if len(query) == 0 {
			return page
		}
		return page + "?" + query.Encode()
	}
	switch path {
	case "/root/login", "/login", "/user/login":
		query.Del("is_logout_redirect")
		return with("/login/start")
	case "/user/create", "/register":
		return with("/register/start")
	case "/root/index":
		return with("/")
	case "/tool_runner", "/tool_runner/index":
		return with("/")
	case "/tool_runner/rerun":
		if id := query.Get("job_id"); id != "" {
			return "/?" + url.Values{"job_id": {id}}.Encode()
		}
		return "/"
	case "/history", "/history/view":
		return with("/histories/view")
	case "/history/list":
		return "/histories/list"
	case "/workflow":
		return "/workflows/list"
	}
	if id, ok := strings.CutPrefix(path, "/history/view/"); ok && id != "" && !strings.Contains(id, "/") {
		return "/histories/view?" + url.Values{"id": {id}}.Encode()
	}
	return ""
}

// redirect sends a visitor of an older address on.
func (s *Site) redirect(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	page := moved(r.URL.Path, r.URL.Query())
	if page == "" {
		return false
	}
	http.Redirect(w, r, s.Prefix+page, http.StatusFound) //nolint:gosec // a path of this server, see moved
	return true
}
