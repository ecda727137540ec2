package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"time"
)

// Supervisor is asked by its control socket, DATA_DIR/run/orrery.control.
type Supervisor struct{ Control string }

// State is what it says.
type State struct {
	PID       int
	Problem   string
	Processes []struct {
		Name, State     string
		PID, Generation int
	}
}

// State asks it.
func (s Supervisor) State(ctx context.Context) (state State, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.Control)
	}}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://supervisor/report", nil)
	if err != nil {
		return state, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return state, err
	}
	defer answer.Body.Close()
	return state, json.NewDecoder(answer.Body).Decode(&state)
}

// Serving waits until every process serves in some generation or a later one, and gives that which all have reached.
func (s Supervisor) Serving(ctx context.Context, generation int) (int, error) {
	for {
		state, err := s.State(ctx)
		reached := 0
		if err == nil {
			reached, err = state.Serving(generation)
		}
		if err == nil {
			return reached, nil
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Serving tells which generation all processes have reached that serve; an error says who has not.
func (s State) Serving(generation int) (int, error) {
	serves := map[string]int{}
	for _, p := range s.Processes {
		if p.State == "ready" {
			serves[p.Name] = max(serves[p.Name], p.Generation)
		}
	}
	reached := math.MaxInt
	for _, p := range s.Processes {
		g, ok := serves[p.Name]
		if !ok || g < generation {
			return 0, fmt.Errorf("%s is %s in generation %d, not %d; %s", p.Name, p.State, p.Generation, generation, s.Problem)
		}
		reached = min(reached, g)
	}
	if len(s.Processes) == 0 {
		return 0, errors.New("no process serves")
	}
	return reached, nil
}
