package web

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Health answers /healthz and /readyz, for proxies and load balancers.
type Health struct {
	// Draining tells whether this process is about to end.
	Draining func() bool
	// Ping asks the database for a sign of life.
	Ping func(ctx context.Context) error

	mu      sync.Mutex
	asking  chan struct{} // closed when the question under way is answered
	asked   time.Time
	answers bool
}

const (
	pingTimeout = time.Second // how long the database has to answer
	pingAge     = time.Second // how long its answer counts: these pages are asked for by anyone, as often as they like
)

// serve answers if the path is one of health's.
func (h *Health) serve(w http.ResponseWriter, r *http.Request, path string) bool {
	if h == nil || path != "/healthz" && path != "/readyz" {
		return false
	}
	status, text := http.StatusOK, "ok\n"
	switch {
	case path == "/healthz":
	case h.Draining != nil && h.Draining():
		status, text = http.StatusServiceUnavailable, "this process is being stopped\n"
	case h.Ping != nil && !h.database():
		status, text = http.StatusServiceUnavailable, "the database does not answer\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
	return true
}

// database tells whether the database answers. However many ask, it is asked once at a time.
func (h *Health) database() bool {
	h.mu.Lock()
	if h.asking == nil {
		if time.Since(h.asked) < pingAge {
			defer h.mu.Unlock()
			return h.answers
		}
		h.asking = make(chan struct{})
		go h.ask()
	}
	asking := h.asking
	h.mu.Unlock()
	<-asking // after pingTimeout at the latest
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers
}

func (h *Health) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	err := h.Ping(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers, h.asked = err == nil, time.Now()
	close(h.asking)
	h.asking = nil
}
