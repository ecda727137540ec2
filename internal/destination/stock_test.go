package destination

import (
	"context"
	"errors"
	"strings"
	"testing"

	"orrery/internal/config"
)

// countsOf answers every question with one number and remembers what was asked.
type countsOf struct {
	n     int
	err   error
	asked []JobFilter
}

func (c *countsOf) Count(_ context.Context, f JobFilter) (int, error) {
	c.asked = append(c.asked, f)
	return c.n, c.err
}

func dynamic(params map[string]any) *config.JobConfig {
	cfg := site()
	cfg.Destinations = append(cfg.Destinations, config.Destination{ID: "dynamic", Runner: "dynamic", Params: params})
	return cfg
}

func TestStockRules(t *testing.T) {
	one := map[string]any{"type": "choose_one", "destination_ids": "local, small,big", "hash_by": "workflow_invocation,user"}
	burst := map[string]any{"type": "burst", "from_destination_ids": []any{"small", "local"}, "to_destination_id": "big", "num_jobs": int64(3)}
	docker := map[string]any{"type": "docker_dispatch", "docker_destination_id": "big", "default_destination_id": "small"}
	for name, c := range map[string]struct {
		params map[string]any
		count  int
		req    Request
		want   string
	}{
		"choose_one by the user":          {params: one, req: Request{User: &User{ID: 5}, Job: Job{ID: 3}}, want: "big"},
		"choose_one by the job":           {params: one, req: Request{Job: Job{ID: 4}}, want: "small"},
		"choose_one by the invocation":    {params: one, req: Request{User: &User{ID: 5}, Job: Job{WorkflowInvocation: "2c4b1f0e-8d0f-4f5e-9b1c-0d1f7a3c0001"}}, want: "big"},
		"burst while there is room":       {params: burst, count: 2, want: "small"},
		"burst when it is full":           {params: burst, count: 3, want: "big"},
		"docker_dispatch with docker":     {params: docker, req: Request{Tool: Tool{Containers: []Container{{"singularity", "x"}, {"docker", "y"}}}}, want: "big"},
		"docker_dispatch without docker":  {params: docker, req: Request{Tool: Tool{Containers: []Container{{"singularity", "x"}}}}, want: "small"},
		"a chain of dynamic destinations": {params: map[string]any{"type": "choose_one", "destination_ids": "big"}, want: "big"},
	} {
		t.Run(name, func(t *testing.T) {
			counts := &countsOf{n: c.count}
			c.req.To = "dynamic"
			got, err := newRouter(t, dynamic(c.params), Options{Counts: counts}).Choose(context.Background(), c.req)
			if err != nil || got.ID != c.want || len(got.Via) != 1 || got.Via[0] != "dynamic" {
				t.Errorf("the job goes to %q by way of %v, %v; not to %q", got.ID, got.Via, err, c.want)
			}
			for _, f := range counts.asked {
				if strings.Join(f.Destinations, " ") != "small local" || strings.Join(f.States, " ") != "queued running" || !f.RegisteredOnly {
					t.Errorf("counted were %+v", f)
				}
			}
		})
	}
}

func TestBadStockRulesAreRefused(t *testing.T) {
	for want, params := range map[string]map[string]any{
		"needs the parameter destination_ids":        {"type": "choose_one"},
		"hashes jobs by “moon”":                      {"type": "choose_one", "destination_ids": "big", "hash_by": "moon"},
		"“nowhere” in destination_ids":               {"type": "choose_one", "destination_ids": "nowhere"},
		"needs num_jobs":                             {"type": "burst", "from_destination_ids": "big", "to_destination_id": "small"},
		"counts jobs, which is not possible here":    {"type": "burst", "from_destination_ids": "big", "to_destination_id": "small", "num_jobs": "1"},
		"needs the parameter default_destination_id": {"type": "docker_dispatch", "docker_destination_id": "big"},
	} {
		if _, err := New(dynamic(params), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want %q", params, err, want)
		}
	}
}

func TestDynamicDestinationsInACircle(t *testing.T) {
	cfg := dynamic(map[string]any{"type": "choose_one", "destination_ids": "other"})
	cfg.Destinations = append(cfg.Destinations, config.Destination{ID: "other", Runner: "dynamic", Params: map[string]any{"type": "choose_one", "destination_ids": "dynamic"}})
	_, err := newRouter(t, cfg, Options{}).Choose(context.Background(), Request{To: "dynamic"})
	var refused *Refused
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "dynamic → other → dynamic") {
		t.Errorf("a circle gives %v", err)
	}
}

func TestAnOutageWhileCountingIsNoRefusal(t *testing.T) {
	outage := errors.New("the database does not answer")
	params := map[string]any{"type": "burst", "from_destination_ids": "small", "to_destination_id": "big", "num_jobs": "3"}
	_, err := newRouter(t, dynamic(params), Options{Counts: &countsOf{err: outage}}).Choose(context.Background(), Request{To: "dynamic"})
	if !errors.Is(err, outage) {
		t.Errorf("it gives %v", err)
	}
}
