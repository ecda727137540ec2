package telemetry

import (
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Request is one request while it is answered.
type Request struct {
	Method string
	Path   string // without its query
	Begun  time.Time

	route        int
	before, next *Request
}

// routes are the classes of paths that are counted apart. The first segment after /api/ is one if it is named here.
var routes = append([]string{"other", "page", "static", "version", "upload", "health", "api/other"}, apiRoutes...)

var apiRoutes = []string{"api/authenticate", "api/configuration", "api/dataset_collections", "api/datasets", "api/datatypes", "api/folders",
	"api/genomes", "api/groups", "api/histories", "api/invocations", "api/job_lock", "api/jobs", "api/libraries", "api/object_stores",
	"api/orrery", "api/quotas", "api/roles", "api/tags", "api/tool_panels", "api/tools", "api/users", "api/webhooks", "api/workflows",
	"api/whoami", "api/notifications", "api/storage"}

// The places of routes.
const (
	routeOther = iota
	routePage
	routeStatic
	routeVersion
	routeUpload
	routeHealth
	routeAPI
)

var apiPlaces = func() map[string]int {
	places := map[string]int{}
	for i, name := range routes {
		if segment, ok := strings.CutPrefix(name, "api/"); ok && i > routeAPI {
			places[segment] = i
		}
	}
	return places
}()

// routeOf is the class of a path, after the prefix of the server.
func routeOf(path string) int {
	api, ok := strings.CutPrefix(path, "/api/")
	switch {
	case path == "/api/version":
		return routeVersion
	case ok && strings.HasPrefix(api, "upload/resumable_upload"):
		return routeUpload
	case ok:
		if end := strings.IndexByte(api, '/'); end >= 0 {
			api = api[:end]
		}
		if place, known := apiPlaces[api]; known {
			return place
		}
		return routeAPI
	case strings.HasPrefix(path, "/static/"), path == "/favicon.ico", path == "/robots.txt":
		return routeStatic
	case path == "/healthz", path == "/readyz":
		return routeHealth
	case strings.HasPrefix(path, "/datasets/"), strings.HasPrefix(path, "/history"), strings.HasPrefix(path, "/user"), strings.HasPrefix(path, "/login"),
		strings.HasPrefix(path, "/admin"), strings.HasPrefix(path, "/workflows"), path == "/", path == "/context", path == "/welcome":
		return routePage
	default:
		return routeOther
	}
}

// The methods that are counted apart; the last is for all others.
var methods = [...]string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "other"}

func methodOf(method string) int {
	for i, m := range methods {
		if m == method {
			return i
		}
	}
	return len(methods) - 1
}

// The statuses that are counted apart; another one is counted as the first of its hundred.
var statuses = [...]int{200, 201, 202, 204, 206, 300, 301, 302, 303, 304, 307, 400, 401, 403, 404, 405, 409, 411, 413, 416, 422, 429, 499, 500, 501, 502, 503, 100}

var statusPlaces = func() (places [600]uint8) {
	for i, s := range statuses {
		places[s] = uint8(i)
	}
	for s := range places {
		if s >= 100 && places[s] == 0 && s != 200 {
			places[s] = places[s/100*100]
		}
	}
	return places
}()

// requests counts the requests of a process.
type requests struct {
	counts   [][len(methods)][len(statuses)]atomic.Uint64 // by route
	took     []*histogram                                 // by route
	received atomic.Int64
	sent     atomic.Int64
	answered atomic.Uint64
	failed   atomic.Uint64
	running  atomic.Int64 // nanoseconds of all
	average  atomic.Int64 // nanoseconds, the recent ones weigh more
	hot      atomic.Int64 // being answered and not in the list
}

func newRequests() *requests {
	r := &requests{counts: make([][len(methods)][len(statuses)]atomic.Uint64, len(routes))}
	for _, name := range routes {
		r.took = append(r.took, newHistogram("orrery_http_request_duration_seconds", `route="`+name+`"`, requestBounds))
	}
	return r
}

// Hot tells whether a path is asked for so often that a line in the log says nothing.
func Hot(path string) bool {
	switch routeOf(path) {
	case routeVersion, routeStatic, routeHealth:
		return true
	}
	return false
}

// Begin notes that a request is being answered; End must follow. r is the caller's, and may be used again after End.
func (m *Meter) Begin(r *Request) {
	r.route = routeOf(r.Path)
	if r.route == routeVersion {
		m.requests.hot.Add(1)
		return
	}
	m.mu.Lock()
	r.before, r.next = nil, m.current
	if m.current != nil {
		m.current.before = r
	}
	m.current = r
	m.mu.Unlock()
}

// End notes that a request was answered: with a status (0 is 200), after how long, and the bytes of its bodies.
func (m *Meter) End(r *Request, status int, took time.Duration, received, sent int64) {
	q := m.requests
	if r.route == routeVersion {
		q.hot.Add(-1)
	} else {
		m.mu.Lock()
		if r.before != nil {
			r.before.next = r.next
		} else {
			m.current = r.next
		}
		if r.next != nil {
			r.next.before = r.before
		}
		r.before, r.next = nil, nil
		m.mu.Unlock()
	}
	if status < 100 || status > 599 {
		status = 200
	}
	q.counts[r.route][methodOf(r.Method)][statusPlaces[status]].Add(1)
	q.took[r.route].observe(took)
	q.answered.Add(1)
	q.running.Add(int64(took))
	if received > 0 {
		q.received.Add(received)
	}
	q.sent.Add(sent)
	if status >= 500 {
		q.failed.Add(1)
	}
	// Two at once may overwrite each other: it is an average.
	if average := q.average.Load(); average == 0 {
		q.average.Store(int64(took))
	} else {
		q.average.Store(average + (int64(took)-average)/16)
	}
}

func (q *requests) write(w io.Writer) {
	var text []byte
	for route := range q.counts {
		for method := range q.counts[route] {
			for status := range q.counts[route][method] {
				n := q.counts[route][method][status].Load()
				if n == 0 {
					continue
				}
				text = append(text, `orrery_http_requests_total{route="`+routes[route]+`",method="`+methods[method]+`",status="`...)
				text = strconv.AppendInt(text, int64(statuses[status]), 10)
				text = append(strconv.AppendUint(append(text, `"} `...), n, 10), '\n')
			}
		}
	}
	_, _ = w.Write(text) // to memory
	for _, h := range q.took {
		h.write(w)
	}
}
