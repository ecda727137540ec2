package client

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// Page is what the page that starts the client depends on.
type Page struct {
	// Root is the address under which Galaxy is found, "/" unless a prefix is set. It begins and ends with a slash.
	Root string
	// Brand follows the word Galaxy in the title; "" for none.
	Brand string
	// SessionCSRFToken is the session's token, which the login and registration forms send back. Scripts that log in
	// read it from the page, too, so its form there is kept.
	SessionCSRFToken string
}

type pageData struct {
	Page
	Version     string
	Description string
	Missing     string
	HowToGet    string
}

// The stylesheet's address carries the client's version, so it is fetched anew after an upgrade. The two module scripts
// have none: another module of the client imports one of them by its plain name, and under two addresses a browser
// would load and run it twice.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{{.Description}}">
<title>Galaxy{{with .Brand}} | {{.}}{{end}}</title>
<link rel="index" href="{{.Root}}">
<link rel="icon" href="{{.Root}}static/favicon.svg">
<link rel="stylesheet" href="{{.Root}}static/dist/base.css?v={{.Version}}">
<script>
const session_csrf_token = {{.SessionCSRFToken}};
</script>
</head>
<body class="full-content">
<main><div id="app"></div></main>
<noscript><p style="margin:4em auto;max-width:40em">Galaxy runs in the browser and needs JavaScript: please allow it for this
site and load the page again.</p></noscript>
<script type="module" src="{{.Root}}static/dist/libs.bundled.js"></script>
<script type="module" src="{{.Root}}static/dist/analysis.bundled.js"></script>
</body>
</html>
`))

var missingTemplate = template.Must(template.New("missing").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Galaxy{{with .Brand}} | {{.}}{{end}}: no web client</title>
<link rel="icon" href="{{.Root}}static/favicon.svg">
<style>body{font:16px/1.5 sans-serif;margin:4em auto;max-width:42em;padding:0 1em;color:#222}code{background:#eee;padding:.1em .3em}</style>
</head>
<body>
<h1>The server runs, its web client is missing</h1>
<p>Galaxy's web client is a package of its own that is fetched when Orrery is built, and here {{.Missing}}.</p>
<p>To get it, {{.HowToGet}}.</p>
<p>The API answers meanwhile, for example <a href="{{.Root}}api/version"><code>{{.Root}}api/version</code></a>.</p>
</body>
</html>
`))

const (
	descriptionAll       = "Galaxy: data analysis for life science in the browser, accessible, reproducible and shared."
	descriptionLogin     = "Log in to Galaxy, or register an account, to run tools and keep your histories."
	descriptionWorkflows = "Galaxy workflows: analyses in many steps, run again and shared."
)

// ServePage answers a request whose path IsPage accepts with the page that starts the client or, when there is none,
// with a page that says so. Nothing of it may be kept by a browser: it carries the session's token.
func (c *Client) ServePage(w http.ResponseWriter, r *http.Request, page Page) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Pages can only be read.", http.StatusMethodNotAllowed)
		return
	}
	if !strings.HasPrefix(page.Root, "/") {
		page.Root = "/"
	}
	data := pageData{Page: page, Version: c.version, Description: descriptionAll, Missing: c.missing, HowToGet: HowToGet}
	switch {
	case strings.HasPrefix(r.URL.Path, "/login"), strings.HasPrefix(r.URL.Path, "/register"):
		data.Description = descriptionLogin
	case strings.HasPrefix(r.URL.Path, "/workflows"):
		data.Description = descriptionWorkflows
	}
	source, status := pageTemplate, http.StatusOK
	if c.missing != "" {
		source, status = missingTemplate, http.StatusServiceUnavailable
	}
	var body bytes.Buffer
	if err := source.Execute(&body, data); err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body.Bytes()) // a browser that went away needs no answer
	}
}

// Context is the answer of GET /context, the first thing the client asks for.
type Context struct {
	// Config is the answer of /api/configuration for the same user, already encoded.
	Config json.RawMessage `json:"config"`
	// SessionCSRFToken is null before a session exists.
	SessionCSRFToken *string `json:"session_csrf_token"`
	// User is the answer of /api/users/current; for nobody logged in, Anonymous.
	User any `json:"user"`
}

// Anonymous is the user of a Context when nobody is logged in.
type Anonymous struct {
	ID                 *string `json:"id"` // always null
	TotalDiskUsage     float64 `json:"total_disk_usage"`
	NiceTotalDiskUsage string  `json:"nice_total_disk_usage"`
	QuotaPercent       *int    `json:"quota_percent"`
}

// ServeContext writes the answer of GET /context.
func ServeContext(w http.ResponseWriter, context Context) {
	body, err := json.Marshal(context)
	if err != nil {
		http.Error(w, "The client's context could not be encoded: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
}

// RedirectToWelcome answers GET /welcome: the client opens it in the middle of the page, and it leads to the
// administrator's welcome_url, by default a page of our own. Only http(s) addresses and paths are followed; paths are
// below the prefix ("" at the root), as in Galaxy.
func RedirectToWelcome(w http.ResponseWriter, r *http.Request, prefix, welcomeURL string) {
	const ours = "/static/welcome.html"
	if parsed, err := url.Parse(welcomeURL); welcomeURL == "" || err != nil ||
		(parsed.Scheme != "" && parsed.Scheme != "http" && parsed.Scheme != "https") {
		welcomeURL = ours
	}
	if strings.HasPrefix(welcomeURL, "/") && !strings.HasPrefix(welcomeURL, "//") {
		welcomeURL = prefix + welcomeURL
	}
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	http.Redirect(w, r, welcomeURL, http.StatusFound)
}
