package web

import (
	"net/http"
	"net/url"
	"strings"

	"orrery/internal/access"
)

// checkSite refuses a request that changes something and that another site's
// page made the browser send along with its cookie. Galaxy has a token for this
// in a few forms only; here every request that a cookie authenticates is
// checked. What is no browser sends neither header, and brings no cookie that
// it was not given.
func (s *Sessions) checkSite(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "same-origin" || site == "none":
		return nil
	case site == "" && origin == "":
		return nil
	case site == "" && s.sameHost(r, origin):
		return nil
	case s.trusted[strings.ToLower(origin)]:
		return nil
	}
	return access.Denied("This request comes from another site (%.100s). Use the pages of this server, or an API key.", origin)
}

// sameHost compares an Origin with the host that the browser asked, also when a
// proxy passed it on (see Forwarded). Browsers leave Sec-Fetch-Site out over
// plain HTTP.
func (s *Sessions) sameHost(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host)
}
