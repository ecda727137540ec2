package admin

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
	"orrery/internal/telemetry"
)

// uwsgiStats is the document of uWSGI's stats server. Numbers that have no meaning here are 0.
type uwsgiStats struct {
	Version           string         `json:"version"`
	ListenQueue       uint32         `json:"listen_queue"`
	ListenQueueErrors int            `json:"listen_queue_errors"`
	SignalQueue       int            `json:"signal_queue"`
	Load              uint32         `json:"load"`
	PID               int            `json:"pid"`
	UID               int            `json:"uid"`
	GID               int            `json:"gid"`
	CWD               string         `json:"cwd"`
	Locks             []struct{}     `json:"locks"`
	Sockets           []uwsgiSocket  `json:"sockets"`
	Workers           []*uwsgiWorker `json:"workers"`
}

type uwsgiSocket struct {
	Name       string `json:"name"`
	Proto      string `json:"proto"`
	Queue      uint32 `json:"queue"`
	MaxQueue   uint32 `json:"max_queue"`
	Shared     int    `json:"shared"`
	CanOffload int    `json:"can_offload"`
}

type uwsgiWorker struct {
	ID            int         `json:"id"`
	PID           int         `json:"pid"`
	Accepting     int         `json:"accepting"`
	Requests      uint64      `json:"requests"`
	DeltaRequests uint64      `json:"delta_requests"`
	Exceptions    uint64      `json:"exceptions"`
	HarakiriCount int         `json:"harakiri_count"`
	Signals       int         `json:"signals"`
	SignalQueue   int         `json:"signal_queue"`
	Status        string      `json:"status"`
	RSS           int64       `json:"rss"`
	VSZ           int64       `json:"vsz"`
	RunningTime   int64       `json:"running_time"`
	LastSpawn     int64       `json:"last_spawn"`
	RespawnCount  int         `json:"respawn_count"`
	TX            int64       `json:"tx"`
	AvgRT         int64       `json:"avg_rt"`
	Apps          []uwsgiApp  `json:"apps"`
	Cores         []uwsgiCore `json:"cores"`
}

type uwsgiApp struct {
	ID          int    `json:"id"`
	Modifier1   int    `json:"modifier1"`
	Mountpoint  string `json:"mountpoint"`
	StartupTime int64  `json:"startup_time"`
	Requests    uint64 `json:"requests"`
	Exceptions  uint64 `json:"exceptions"`
	Chdir       string `json:"chdir"`
}

type uwsgiCore struct {
	ID                int            `json:"id"`
	Requests          uint64         `json:"requests"`
	StaticRequests    int            `json:"static_requests"`
	RoutedRequests    int            `json:"routed_requests"`
	OffloadedRequests int            `json:"offloaded_requests"`
	WriteErrors       int            `json:"write_errors"`
	ReadErrors        int            `json:"read_errors"`
	InRequest         int            `json:"in_request"`
	Vars              []string       `json:"vars"`
	ReqInfo           map[string]any `json:"req_info"`
}

// stats makes the document. Its workers are the web workers, numbered as in uWSGI from 1; those that drain are left out,
// for their successors have their numbers.
func (s *server) stats(ctx context.Context) uwsgiStats {
	report := s.o.Report()
	cwd, _ := os.Getwd() // "" if it was removed
	d := uwsgiStats{
		Version: "orrery-" + report.Version, PID: report.PID, UID: os.Getuid(), GID: os.Getgid(), CWD: cwd,
		Locks: []struct{}{}, Sockets: []uwsgiSocket{}, Workers: []*uwsgiWorker{},
	}
	for _, q := range s.queues() {
		d.Sockets = append(d.Sockets, uwsgiSocket{Name: q.name, Proto: q.protocol, Queue: q.waiting, MaxQueue: q.most})
		d.ListenQueue = max(d.ListenQueue, q.waiting)
	}
	d.Load = d.ListenQueue
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	told := map[int]telemetry.Stats{}
	if list, err := s.collector.peers.Stats(ctx); err == nil { // without it workers are shown with what the supervisor knows
		for _, p := range list {
			told[p.PID] = p
		}
	}
	web := slices.DeleteFunc(slices.Clone(report.Processes), func(p supervisor.ProcessReport) bool {
		return p.Kind != deployment.Web || p.State == "draining"
	})
	slices.SortStableFunc(web, func(a, b supervisor.ProcessReport) int { return naturally(a.Name, b.Name) })
	last := ""
	for _, p := range web {
		if p.Name == last && len(d.Workers) > 0 { // old and new of the same name: the one that serves
			if p.State != "ready" {
				continue
			}
			d.Workers = d.Workers[:len(d.Workers)-1]
		}
		last = p.Name
		d.Workers = append(d.Workers, worker(len(d.Workers)+1, p, told[p.PID], cwd))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range d.Workers {
		w.DeltaRequests = w.Requests
		if before := s.before[w.PID]; before <= w.Requests {
			w.DeltaRequests = w.Requests - before
		}
	}
	clear(s.before)
	for _, w := range d.Workers {
		s.before[w.PID] = w.Requests
	}
	return d
}

func worker(id int, p supervisor.ProcessReport, told telemetry.Stats, cwd string) *uwsgiWorker {
	w := &uwsgiWorker{
		ID: id, PID: p.PID, Status: "idle", Requests: told.Requests, Exceptions: told.Exceptions, RSS: told.RSS, VSZ: told.VSZ,
		RunningTime: told.RunningTime, LastSpawn: p.Since.Unix(), RespawnCount: p.Restarts + p.Generation + 1, TX: told.Sent, AvgRT: told.AverageTime,
		Apps: []uwsgiApp{{Requests: told.Requests, Exceptions: told.Exceptions, Chdir: cwd}}, Cores: []uwsgiCore{},
	}
	if !told.Began.IsZero() {
		w.LastSpawn = told.Began.Unix()
	}
	switch {
	case p.State != "ready":
		w.Status = "cheap"
	case told.Active > 0:
		w.Status = "busy"
	}
	if p.State == "ready" {
		w.Accepting = 1
	}
	// A core for each request that is being answered, and one at least; the first has the count of them all.
	for i := range max(1, len(told.Current)) {
		core := uwsgiCore{ID: i, Vars: []string{}, ReqInfo: map[string]any{}}
		if i == 0 {
			core.Requests = told.Requests
		}
		if i < len(told.Current) {
			r := told.Current[i]
			core.InRequest = 1
			core.Vars = []string{"REQUEST_METHOD=" + r.Method, "PATH_INFO=" + r.Path, "SERVER_NAME=" + p.Name}
			core.ReqInfo["request_start"] = r.Since.Unix()
			core.ReqInfo["seconds"] = strconv.FormatFloat(time.Since(r.Since).Seconds(), 'f', 3, 64)
		}
		w.Cores = append(w.Cores, core)
	}
	return w
}

// acceptStats writes the document to whoever connects, and closes the connection.
func (s *server) acceptStats(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	places := make(chan struct{}, 16) // of those that read slowly
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if t, ok := err.(interface{ Temporary() bool }); ok && t.Temporary() { // out of descriptors
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
				}
				continue
			}
			return err
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			_ = c.Close()
			return nil
		}
		go func() {
			defer func() { <-places }()
			defer c.Close()
			text, err := json.MarshalIndent(s.stats(ctx), "", "\t")
			if err != nil {
				s.o.Log.Error("the statistics cannot be written", "error", err)
				return
			}
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = c.Write(append(text, '\n')) // who does not read gets nothing
		}()
	}
}
