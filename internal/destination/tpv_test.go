package destination

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orrery/internal/config"
)

// grid is a set of jobs to send through the same rule files.
type grid struct {
	Files []string
	Tools []json.RawMessage
	Users []json.RawMessage
	Jobs  []map[string]json.RawMessage
}

// cases are every job of every user with every tool.
func (g grid) cases(t testing.TB) []gridCase {
	t.Helper()
	var out []gridCase
	for _, tool := range g.Tools {
		for _, user := range g.Users {
			for _, job := range g.Jobs {
				job = maps.Clone(job)
				job["tool"], job["user"] = tool, user
				b, err := json.Marshal(job)
				if err != nil {
					t.Fatal(err)
				}
				var c gridCase
				if err := json.Unmarshal(b, &c); err != nil {
					t.Fatal(err)
				}
				c.Name = string(b)
				out = append(out, c)
			}
		}
	}
	return out
}

type gridCase struct {
	Name string
	Tool struct {
		ID, Version, Type, UUID string
		Resources               map[string]float64
	}
	User *struct {
		ID              int64
		Email, Username string
		Roles           []string
	}
	Job         int64
	HistoryTags []string `json:"history_tags"`
	Inputs      []struct {
		Name, Ext string
		ID, Size  int64
	}
	Params    map[string]any
	Resources map[string]any
	Previous  *struct {
		ID     string
		Params map[string]string
	}
}

func (c gridCase) request() Request {
	req := Request{Tool: Tool{ID: c.Tool.ID, Version: c.Tool.Version, Type: c.Tool.Type, UUID: c.Tool.UUID, Resources: c.Tool.Resources},
		Job: Job{ID: max(c.Job, 1), HistoryTags: c.HistoryTags}, Params: c.Params, Resources: c.Resources}
	if c.User != nil {
		req.User = &User{ID: max(c.User.ID, 1), Email: c.User.Email, Username: c.User.Username, Roles: c.User.Roles}
	}
	if c.Previous != nil {
		req.Previous = &Previous{ID: c.Previous.ID, Params: c.Previous.Params}
	}
	for _, in := range c.Inputs {
		if in.Ext == "" {
			in.Ext = "txt"
		}
		req.Inputs = append(req.Inputs, Input{Name: in.Name, DatasetID: in.ID, Size: in.Size, Ext: in.Ext})
	}
	return req
}

// decision is what comes out, in the form in which Total Perspective Vortex's are recorded.
type decision struct {
	ID       string              `json:"id,omitempty"`
	Runner   string              `json:"runner,omitempty"`
	Params   map[string]string   `json:"params,omitempty"`
	Env      []map[string]string `json:"env,omitempty"`
	Tags     []string            `json:"tags,omitempty"`
	Resubmit []map[string]string `json:"resubmit,omitempty"`
	Refused  string              `json:"refused,omitempty"`
	Wait     bool                `json:"wait,omitempty"`
	Error    string              `json:"error,omitempty"`
	Start    string              `json:"start,omitempty"`
}

func filled(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

func decide(r *Router, req Request) decision {
	req.To = "tpv"
	c, err := r.Choose(context.Background(), req)
	var refused *Refused
	var wait *NotReady
	switch {
	case errors.As(err, &wait):
		return decision{Wait: true}
	case errors.As(err, &refused) && refused.Cause != nil:
		return decision{Error: refused.Cause.Error()}
	case errors.As(err, &refused):
		return decision{Refused: refused.Message}
	case err != nil:
		return decision{Error: err.Error()}
	}
	d := decision{ID: c.ID, Runner: c.Runner, Params: c.Params, Tags: c.Tags}
	for _, e := range c.Env {
		m := filled("name", e.Name, "file", e.File, "execute", e.Execute)
		if e.Name != "" {
			m["value"] = e.Value
		}
		d.Env = append(d.Env, m)
	}
	for _, r := range c.Resubmit {
		d.Resubmit = append(d.Resubmit, filled("condition", r.Condition, "environment", r.Destination, "handler", r.Handler, "delay", r.Delay))
	}
	return d
}

// same compares our decision with a recorded one. Of a refusal that TPV itself words, and of an error, only that it
// happened counts.
func same(ours, theirs decision) bool {
	switch {
	case theirs.Error != "":
		return ours.Error != "" || ours.Refused != ""
	case strings.HasPrefix(theirs.Refused, "No destinations are available"), strings.HasPrefix(theirs.Refused, "This entity is abstract"):
		return ours.Refused != ""
	case theirs.Refused != "" || theirs.Wait:
		return ours.Refused == theirs.Refused && ours.Wait == theirs.Wait
	}
	equal := func(a, b []map[string]string) bool { return slices.EqualFunc(a, b, maps.Equal[map[string]string]) }
	return ours.ID == theirs.ID && ours.Runner == theirs.Runner && maps.Equal(ours.Params, theirs.Params) && slices.Equal(ours.Tags, theirs.Tags) &&
		equal(ours.Env, theirs.Env) && equal(ours.Resubmit, theirs.Resubmit)
}

// tpvSite is a job configuration whose destination tpv these files decide.
func tpvSite(files ...string) *config.JobConfig {
	paths := make([]any, len(files))
	for i, f := range files {
		paths[i] = f
	}
	cfg := site()
	for _, id := range []string{"local", "slurm", "k8s", "drmaa", "pulsar", "condor"} {
		cfg.Runners = append(cfg.Runners, config.Runner{ID: id})
	}
	cfg.Destinations = append(cfg.Destinations, config.Destination{ID: "tpv", Runner: "dynamic",
		Params: map[string]any{"type": "python", "function": "map_tool_to_destination", "rules_module": "tpv.rules", "tpv_config_files": paths}})
	return cfg
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestTheRulesDecideAsTotalPerspectiveVortex compares with what Total Perspective Vortex itself decided about the same
// rule files, recorded and checked again by make compat.
func TestTheRulesDecideAsTotalPerspectiveVortex(t *testing.T) {
	recorded, err := filepath.Glob("testdata/tpv/*.decisions.json")
	if err != nil || len(recorded) < 3 {
		t.Fatalf("recorded decisions: %v, %v", recorded, err)
	}
	for _, path := range recorded {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var g grid
			var want []decision
			readJSON(t, strings.Replace(path, ".decisions.json", ".json", 1), &g)
			readJSON(t, path, &want)
			dir, err := filepath.Abs("testdata/tpv")
			if err != nil {
				t.Fatal(err)
			}
			r := newRouter(t, tpvSite(g.Files...), Options{Dir: dir, Warn: func(m string) { t.Error(m) }})
			cases := g.cases(t)
			if len(cases) != len(want) {
				t.Fatalf("%d decisions are recorded about %d jobs", len(want), len(cases))
			}
			for i, c := range cases {
				if got := decide(r, c.request()); !same(got, want[i]) {
					t.Errorf("%s:\n  got  %+v\n  want %+v", c.Name, got, want[i])
				}
			}
		})
	}
}
