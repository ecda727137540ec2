package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// Snapshot is the whole server at one moment.
type Snapshot struct {
	Time time.Time `json:"time"`
	// Supervisors are those that run: one, or several where web workers run by themselves.
	Supervisors []supervisor.Report `json:"supervisors"`
	// Processes are those that answered, by name.
	Processes []telemetry.Stats `json:"processes"`
	// Load is what the pools have to do; nil when no process could tell.
	Load *Load `json:"load,omitempty"`
	// Problem says why Load is missing.
	Problem string `json:"problem,omitempty"`
}

// Load is what the pools have to do, as the database says: see pool.Load, whose JSON this is.
type Load struct {
	Jobs   []Jobs `json:"jobs"`
	Report struct {
		Handlers []Handler `json:"handlers"`
		Waiting  []Waiting `json:"waiting"`
	} `json:"report"`
}

// Jobs is how many unfinished jobs have the same state, handler and pool.
type Jobs struct {
	State   string `json:"state"`
	Handler string `json:"handler"`
	Pool    string `json:"pool"`
	Jobs    int    `json:"jobs"`
}

// Handler is one job handler, of any host.
type Handler struct {
	Name            string   `json:"name"`
	State           string   `json:"state"`
	Drained         bool     `json:"drained"`
	Kind            string   `json:"kind"`
	Host            string   `json:"host"`
	PID             int      `json:"pid"`
	UptimeSeconds   int64    `json:"uptime_seconds"`
	Pools           []string `json:"pools"`
	Slots           int      `json:"slots"`
	Claimed         int      `json:"claimed"`
	Running         int      `json:"running"`
	Claims          int64    `json:"claims"`
	ClaimsPerSecond float64  `json:"claims_per_second"`
}

// Waiting is a target that nobody serves.
type Waiting struct {
	Target   string `json:"target"`
	New      int    `json:"new"`
	UnderWay int    `json:"under_way"`
	Why      string `json:"why"`
}

// How often the database is asked at most, and how long an answer is waited for.
const (
	loadAge       = 2 * time.Second
	answerTimeout = 5 * time.Second
)

// Collector asks the processes of one run folder. It may be used by several goroutines.
type Collector struct {
	peers *telemetry.Peers

	mu      sync.Mutex
	load    *Load
	problem string
	asked   time.Time
}

// NewCollector returns one for a run folder.
func NewCollector(runDir string) *Collector { return &Collector{peers: telemetry.FindPeers(runDir)} }

// Collect asks all of them.
func (c *Collector) Collect(ctx context.Context, reports ...supervisor.Report) Snapshot {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s := Snapshot{Time: time.Now(), Supervisors: reports}
	var err error
	if s.Processes, err = c.peers.Stats(ctx); err != nil {
		s.Problem = err.Error()
	}
	sortProcesses(s.Processes)
	var problem string
	if s.Load, problem = c.Load(ctx); problem != "" {
		s.Problem = problem
	}
	return s
}

// Load asks one process what the pools have to do. However many ask, the database is asked every two seconds at most.
func (c *Collector) Load(ctx context.Context) (load *Load, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) < loadAge {
		return c.load, c.problem
	}
	c.load, c.problem = &Load{}, ""
	if err := c.peers.Ask(ctx, "load", c.load); err != nil {
		c.load, c.problem = nil, "what jobs there are is not known: "+err.Error()
	}
	c.asked = time.Now()
	return c.load, c.problem
}

// scraped are the metrics of one process.
type scraped struct {
	name string
	pid  int
	text []byte
}

// scrape reads the metrics of all processes. Of those that share a name, as old and new do while one replaces the other,
// the ones that do not serve are named NAME/PID.
func (c *Collector) scrape(ctx context.Context, report supervisor.Report) ([]scraped, error) {
	list, err := c.peers.List()
	if err != nil {
		return nil, err
	}
	texts := c.peers.GetAll(ctx, list, "metrics")
	latest := map[string]int{}
	for _, p := range report.Processes {
		if _, known := latest[p.Name]; p.PID != 0 && (p.State == "ready" || !known && p.State != "draining") {
			latest[p.Name] = p.PID
		}
	}
	var all []scraped
	named := map[string]bool{}
	for i, peer := range list {
		if texts[i] == nil {
			continue
		}
		name := peer.Name
		if pid, known := latest[name]; known && pid != peer.PID || !known && named[name] {
			name = distinct(peer.Name, peer.PID)
		}
		named[peer.Name] = true
		all = append(all, scraped{name: name, pid: peer.PID, text: texts[i]})
	}
	return all, nil
}

// sortProcesses puts them in the order in which people count: main.2 before main.10.
func sortProcesses(list []telemetry.Stats) {
	slices.SortFunc(list, func(a, b telemetry.Stats) int {
		if c := naturally(a.Name, b.Name); c != 0 {
			return c
		}
		return a.PID - b.PID
	})
}

// naturally compares names with the numbers in them as numbers.
func naturally(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// MarshalIndent renders a snapshot for people.
func (s Snapshot) MarshalIndent() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}
