package destination

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"orrery/internal/config"
)

// site is a small job configuration.
func site() *config.JobConfig {
	return &config.JobConfig{
		Source: "job_conf.yml",
		Destinations: []config.Destination{
			{ID: "local", Runner: "local", Params: map[string]any{"cores": int64(2), "docker": true, "nothing": nil}},
			{ID: "small", Runner: "slurm", Tags: []string{"cluster"}, Params: map[string]any{"native_specification": "--mem=4G", "ratio": 1.0}},
			{ID: "big", Runner: "slurm", Tags: []string{"cluster", "large"}, Env: []config.EnvEntry{{Name: "JAVA", Value: "-Xmx6G"}},
				Params:   map[string]any{"docker_volumes": []any{"/data", map[string]any{"a": "<b>"}}},
				Resubmit: []config.Resubmit{{Condition: "memory_limit_reached", Destination: "local"}}},
		},
		DefaultDestination: "local",
		Tools: []config.ToolMapping{
			{ID: "cat1", Destination: "small"},
			{ID: "shed.example.org/repos/iuc/bwa/bwa_mem", Destination: "big"},
			{ID: "shed.example.org/repos/iuc/bwa/bwa_mem/0.7", Destination: "small"},
			{ID: "short", Destination: "small"},
			{ID: "both", Destination: "big", Params: map[string]any{"source": "workflow", "n": int64(3)}},
			{ID: "both", Destination: "small"},
			{ID: "handled", Handler: "special"},
			{ID: "spread", Destination: "cluster"},
			{ID: "lost", Destination: "nowhere"},
			{Class: "local", Destination: "small"},
			{Class: "user_defined", Destination: "big"},
		},
		Limits: config.Limits{
			DestinationUserConcurrentJobs:  map[string]int{"big": 1, "cluster": 3},
			DestinationTotalConcurrentJobs: map[string]int{"cluster": 9},
		},
	}
}

func newRouter(t *testing.T, cfg *config.JobConfig, opts Options) *Router {
	t.Helper()
	r, err := New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStaticMappings(t *testing.T) {
	last := Options{Intn: func(n int) int { return n - 1 }}
	first := Options{Intn: func(n int) int { return 0 }}
	shed := "shed.example.org/repos/iuc/"
	for name, c := range map[string]struct {
		req  Request
		opts Options
		want string
	}{
		"an id":                     {req: Request{Tool: Tool{ID: "cat1"}}, want: "small"},
		"case does not count":       {req: Request{Tool: Tool{ID: "CAT1"}}, want: "small"},
		"no mapping is the default": {req: Request{Tool: Tool{ID: "other"}}, want: "local"},
		"a mapping without destination is the default": {req: Request{Tool: Tool{ID: "handled"}}, want: "local"},
		"a full tool shed id":                          {req: Request{Tool: Tool{ID: shed + "bwa/bwa_mem/0.7"}}, want: "small"},
		"a tool shed id without its version":           {req: Request{Tool: Tool{ID: shed + "bwa/bwa_mem/0.8"}}, want: "big"},
		"the short id of a tool shed's tool":           {req: Request{Tool: Tool{ID: shed + "x/short/1"}}, want: "small"},
		"the short id as the tool says it":             {req: Request{Tool: Tool{ID: shed + "x/y/1", OldID: "cat1"}}, want: "small"},
		"parameters hold":                              {req: Request{Tool: Tool{ID: "both"}, Params: map[string]any{"source": "workflow", "n": "3"}}, want: "big"},
		"parameters do not hold":                       {req: Request{Tool: Tool{ID: "both"}, Params: map[string]any{"source": "workflow"}}, want: "small"},
		"a tag, the first":                             {req: Request{Tool: Tool{ID: "spread"}}, opts: first, want: "small"},
		"a tag, the last":                              {req: Request{Tool: Tool{ID: "spread"}}, opts: last, want: "big"},
		"uploads are local":                            {req: Request{Tool: Tool{ID: "upload1"}}, want: "small"},
		"a tool of the class local":                    {req: Request{Tool: Tool{ID: "x", Local: true}}, want: "small"},
		"a user's own tool":                            {req: Request{Tool: Tool{ID: "x", Type: "user_defined"}}, want: "big"},
		"where a resubmission sends it":                {req: Request{Tool: Tool{ID: "cat1"}, To: "large", Attempt: 2}, want: "big"},
		"again where it was":                           {req: Request{Tool: Tool{ID: "spread"}, Attempt: 2, Previous: &Previous{ID: "small"}}, opts: last, want: "small"},
		"where it was is gone":                         {req: Request{Tool: Tool{ID: "spread"}, Attempt: 2, Previous: &Previous{ID: "gone"}}, opts: last, want: "big"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newRouter(t, site(), c.opts).Choose(context.Background(), c.req)
			if err != nil || got.ID != c.want {
				t.Errorf("%v goes to %q, %v, not to %q", c.req, got.ID, err, c.want)
			}
		})
	}
}

func TestWhatAChoiceHolds(t *testing.T) {
	r := newRouter(t, site(), Options{})
	got, err := r.Choose(context.Background(), Request{To: "big"})
	want := Choice{ID: "big", Runner: "slurm", Tags: []string{"cluster", "large"}, Env: []Env{{Name: "JAVA", Value: "-Xmx6G"}},
		Params:   map[string]string{"docker_volumes": `["/data",{"a":"<b>"}]`},
		Resubmit: []Resubmit{{Condition: "memory_limit_reached", Destination: "local"}},
		Limits:   []Limit{{Key: "big", User: 1}, {Key: "cluster", User: 3, Total: 9}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("big is %+v, %v; not %+v", got, err, want)
	}
	if got, err = r.Choose(context.Background(), Request{}); err != nil || !maps.Equal(got.Params, map[string]string{"cores": "2", "docker": "true"}) {
		t.Errorf("the parameters of local are %v, %v", got.Params, err)
	}
}

func TestAnUnknownDestinationIsRefused(t *testing.T) {
	_, err := newRouter(t, site(), Options{}).Choose(context.Background(), Request{Tool: Tool{ID: "lost"}})
	var refused *Refused
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "nowhere") {
		t.Errorf("a mapping to nowhere gives %v", err)
	}
}

func TestRulesInPythonAreRefusedByName(t *testing.T) {
	cfg := site()
	cfg.Destinations = append(cfg.Destinations,
		config.Destination{ID: "own", Runner: "dynamic", Params: map[string]any{"function": "by_size", "rules_module": "site.rules"}},
		config.Destination{ID: "odd", Runner: "dynamic", Params: map[string]any{"type": "magic"}})
	_, err := New(cfg, Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"job_conf.yml: ", "own", "by_size", "site.rules", "map_tool_to_destination", "odd", "magic"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestResubmission(t *testing.T) {
	r := newRouter(t, site(), Options{})
	memory, walltime := Resubmit{Condition: "memory_limit_reached", Destination: "big"}, Resubmit{Condition: "walltime_reached and attempt < 3", Destination: "long", Delay: "60"}
	for name, c := range map[string]struct {
		rules []Resubmit
		state ResubmitState
		want  string
		delay time.Duration
	}{
		"none":                     {},
		"any failure":              {rules: []Resubmit{{Destination: "x"}}, want: "x"},
		"the first that holds":     {rules: []Resubmit{memory, walltime, {Destination: "x"}}, state: ResubmitState{Failure: WalltimeReached, Attempt: 1}, want: "long", delay: time.Minute},
		"not the third time":       {rules: []Resubmit{walltime}, state: ResubmitState{Failure: WalltimeReached, Attempt: 3}},
		"a growing delay":          {rules: []Resubmit{{Destination: "x", Delay: "1.5 * attempt ** 2 * 300"}}, state: ResubmitState{Attempt: 2}, want: "x", delay: 30 * time.Minute},
		"or, not, comparison":      {rules: []Resubmit{{Condition: "(unknown_error or tool_detected_failure) and not seconds_running > 60", Destination: "x"}}, state: ResubmitState{Failure: ToolDetected, Running: time.Minute}, want: "x"},
		"tool_detected":            {rules: []Resubmit{{Condition: "tool_detected", Destination: "x"}}, state: ResubmitState{Failure: ToolDetected}, want: "x"},
		"since it was queued":      {rules: []Resubmit{{Condition: "seconds_since_queued <= 1e2", Destination: "x"}}, state: ResubmitState{Queued: 101 * time.Second}},
		"any potential failure":    {rules: []Resubmit{{Condition: "any_potential_job_failure and attempt <= 3", Destination: "x"}}, want: "x"},
		"a negative delay":         {rules: []Resubmit{{Destination: "x", Delay: "attempt - 10"}}, want: "x"},
		"a delay beyond all sense": {rules: []Resubmit{{Destination: "x", Delay: "10.0 ** 30"}}, want: "x", delay: maxDelay},
	} {
		t.Run(name, func(t *testing.T) {
			rule, delay, err := r.ResubmitFor(c.rules, c.state)
			got := ""
			if rule != nil {
				got = rule.Destination
			}
			if err != nil || got != c.want || delay != c.delay {
				t.Errorf("%v gives %q after %s, %v; not %q after %s", c.rules, got, delay, err, c.want, c.delay)
			}
		})
	}
}

func TestBadResubmissionExpressions(t *testing.T) {
	for _, source := range []string{"memory_limit", "attempt <", "__import__('os')", "open('/etc/passwd')", "().__class__"} {
		cfg := site()
		cfg.Destinations[0].Resubmit = []config.Resubmit{{Condition: source}}
		if _, err := New(cfg, Options{}); err == nil || !strings.Contains(err.Error(), "local") {
			t.Errorf("%s: %v", source, err)
		}
	}
	r := newRouter(t, site(), Options{})
	for _, delay := range []string{"'soon'", "1 / (attempt - 1)", "9 ** 9 ** 9 ** 9", "None"} {
		if rule, _, err := r.ResubmitFor([]Resubmit{{Delay: delay}}, ResubmitState{Attempt: 1}); err == nil || rule != nil {
			t.Errorf("the delay %s is taken", delay)
		}
	}
}

func FuzzResubmit(f *testing.F) {
	for _, s := range []string{"memory_limit_reached", "1.5 * attempt ** 2 * 300", "not (walltime_reached or attempt > 3)", "'a' in ['a']", "9**9**9", "max(1, 2)"} {
		f.Add(s)
	}
	r, err := New(site(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		rule, delay, err := r.ResubmitFor([]Resubmit{{Condition: source, Delay: source}}, ResubmitState{Attempt: 2})
		if err != nil && rule != nil || delay < 0 || delay > maxDelay {
			t.Errorf("%q gives %v, %s, %v", source, rule, delay, err)
		}
	})
}
