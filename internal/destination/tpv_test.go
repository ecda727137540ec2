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
	"time"

	"orrery/internal/cheetah"
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

// tpvRouter writes rule files and reads them.
func tpvRouter(t testing.TB, opts Options, files ...string) (*Router, string, error) {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for i, content := range files {
		name := string(rune('a'+i)) + ".yml"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	opts.Dir = dir
	r, err := New(tpvSite(names...), opts)
	return r, dir, err
}

const oneDestination = "destinations:\n  here:\n    runner: local\n"

func TestBadRuleFilesAreRefusedWithTheirLine(t *testing.T) {
	for content, want := range map[string]string{
		"tools: [\n":                     "not valid YAML",
		"tools: 5\n":                     ":1: tools takes a mapping",
		"tools:\n  a:\n    cores: 1 +\n": ":3: cores: ",
		"tools:\n  a:\n    mem: |\n      import subprocess\n      4\n":                                      ":4: mem: the module subprocess cannot be imported",
		"tools:\n  a:\n    mem: |\n      x = 1\n\n      with open('x') as f:\n        pass\n      4\n":      ":6: mem: “with” is not done",
		"tools:\n  a:\n    params:\n      x: '{cores'\n":                                                    ":4: params: ",
		"tools:\n  a:\n    env:\n      X: '{1 +}'\n":                                                        ":4: env: ",
		"tools:\n  a:\n    rules:\n    - if: a b\n":                                                         ":4: if_condition: ",
		"tools:\n  a:\n    rules:\n    - cores: 1\n":                                                        ":4: a rule needs “if”",
		"tools:\n  a:\n    rules:\n    - if: true\n      execute: |\n        pass\n        class X: pass\n": ":7: execute: classes cannot be defined",
		"tools:\n  a:\n    rank: |\n      helpers.sort_of(candidate_destinations)\n":                        ":4: rank: helpers.sort_of is no function",
		"tools:\n  a:\n    inherits: b\n":                                                                   ":2: a inherits from b, which does not exist",
		"tools:\n  a:\n    inherits: b\n  b:\n    inherits: a\n":                                            "inherits from itself",
		"tools:\n  'a(':\n    cores: 1\n":                                                                   ":2: “a(” is not a regular expression",
		"tools:\n  a:\n    scheduling:\n      require: [x]\n      reject: [x]\n":                            ":5: the tag x is given twice",
		"tools:\n  a:\n    scheduling:\n      require: x\n":                                                 ":4: require takes a list",
		"destinations:\n  a:\n    tags: x,y\n":                                                              ":3: tags takes a list",
		"destinations:\n  a:\n    max_accepted_mem: lots\n":                                                 ":3: max_accepted_mem takes a number",
		"pools:\n  p:\n    max_concurrent_cores: 3\n":                                                       "resource pools",
	} {
		_, dir, err := tpvRouter(t, Options{}, content)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a.yml")) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", content, err, want)
		}
	}
}

func TestEveryProblemOfARuleFileIsTold(t *testing.T) {
	_, _, err := tpvRouter(t, Options{}, "tools:\n  a:\n    cores: 1 +\n    mem: 2 +\n")
	if err == nil || !strings.Contains(err.Error(), ":3: cores") || !strings.Contains(err.Error(), ":4: mem") {
		t.Errorf("the problems are %v", err)
	}
}

func TestRuleFilesThatAreNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		params map[string]any
		opts   Options
		want   string
	}{
		"a lost file":           {map[string]any{"tpv_config_files": []any{"lost.yml"}}, Options{Dir: t.TempDir()}, "lost.yml: the rule file cannot be read"},
		"a folder":              {map[string]any{"tpv_config_files": []any{t.TempDir()}}, Options{}, "it is not a file"},
		"a URL without fetcher": {map[string]any{"tpv_config_files": []any{"https://example.org/tools.yml"}}, Options{}, "not fetched from other servers"},
		"none":                  {map[string]any{}, Options{}, "names no rule files"},
		"rules written out":     {map[string]any{"tpv_configs": []any{map[string]any{"tools": nil}}}, Options{}, "put them into a file"},
		"both":                  {map[string]any{"tpv_configs": "a", "tpv_config_files": "b"}, Options{}, "keep one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			c.params["function"], c.params["rules_module"] = "map_tool_to_destination", "tpv.rules"
			if _, err := New(dynamic(c.params), c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestRuleFilesOfOtherServersAreFetched(t *testing.T) {
	var asked []string
	fetch := func(_ context.Context, url string) ([]byte, error) {
		asked = append(asked, url)
		return []byte("tools:\n  .*:\n    params:\n      fetched: '{1 + 1}'\n"), nil
	}
	cfg := tpvSite("https://example.org/shared.yml", "own.yml")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "own.yml"), []byte(oneDestination), 0o600); err != nil {
		t.Fatal(err)
	}
	got := decide(newRouter(t, cfg, Options{Fetch: fetch, Dir: dir}), Request{Tool: Tool{ID: "x"}})
	if got.ID != "here" || got.Params["fetched"] != "2" || strings.Join(asked, " ") != "https://example.org/shared.yml" {
		t.Errorf("the decision is %+v, asked were %v", got, asked)
	}
}

func TestRulesMayAskOtherServers(t *testing.T) {
	const rank = "tools:\n  .*:\n    rank: |\n      import requests\n      try:\n        load = requests.get('http://load.example.org', params={'q': 'a b'}).json()\n      except requests.exceptions.RequestException as e:\n        log.warning('no load: %s', e)\n        load = {}\n      sorted(candidate_destinations, key=lambda d: load.get(d.id, 0))\n" +
		"destinations:\n  one:\n    runner: local\n  two:\n    runner: local\n"
	asked, warned := "", ""
	opts := Options{Warn: func(m string) { warned += m }, Fetch: func(_ context.Context, url string) ([]byte, error) {
		asked = url
		return []byte(`{"one": 5, "two": 1}`), nil
	}}
	r, _, err := tpvRouter(t, opts, rank)
	if err != nil {
		t.Fatal(err)
	}
	if got := decide(r, Request{Tool: Tool{ID: "x"}}); got.ID != "two" || asked != "http://load.example.org?q=a+b" {
		t.Errorf("%+v, asked was %q", got, asked)
	}
	opts.Fetch = func(context.Context, string) ([]byte, error) { return nil, errors.New("refused by the guard") }
	if r, _, err = tpvRouter(t, opts, rank); err != nil {
		t.Fatal(err)
	}
	if got := decide(r, Request{Tool: Tool{ID: "x"}}); got.ID != "one" || !strings.Contains(warned, "refused by the guard") {
		t.Errorf("%+v; the log says %q", got, warned)
	}
}

func TestRulesCountJobs(t *testing.T) {
	const rules = oneDestination + "tools:\n  .*:\n    rules:\n" +
		"    - if: helpers.concurrent_job_count_for_tool(app, tool, user) >= 3\n      fail: '{user.username} has enough'\n" +
		"    - if: |\n        from galaxy.jobs.rule_helper import RuleHelper\n        from datetime import timedelta\n        RuleHelper(app).job_count(for_user_email='a@b.org', for_destinations=['here', 'there'], for_job_states=['queued'], created_in_last=timedelta(days=1, hours=2)) > 2\n" +
		"      execute: |\n        from galaxy.jobs.mapper import JobNotReadyException\n        raise JobNotReadyException()\n"
	counts := &countsOf{n: 2}
	r, _, err := tpvRouter(t, Options{Counts: counts}, rules)
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Tool: Tool{ID: "shed/repos/o/r/t/1.0"}, User: &User{ID: 7, Email: "a@b.org", Username: "abe"}}
	if got := decide(r, req); got.ID != "here" || len(counts.asked) != 2 {
		t.Fatalf("%+v after %+v", got, counts.asked)
	}
	tool, helper := counts.asked[0], counts.asked[1]
	if tool.ToolPrefix != "shed/repos/o/r/t/" || tool.UserID != 7 || strings.Join(tool.States, " ") != "queued running" {
		t.Errorf("concurrent_job_count_for_tool counts %+v", tool)
	}
	if helper.UserEmail != "a@b.org" || strings.Join(helper.Destinations, " ") != "here there" || strings.Join(helper.States, " ") != "queued" || helper.CreatedIn != 26*time.Hour || !helper.RegisteredOnly {
		t.Errorf("job_count counts %+v", helper)
	}
	counts.n = 3
	if got := decide(r, req); got.Refused != "abe has enough" {
		t.Errorf("%+v", got)
	}
	counts.err = errors.New("the database does not answer")
	req.To = "tpv"
	if _, err := r.Choose(context.Background(), req); !errors.Is(err, counts.err) {
		t.Errorf("an outage gives %v", err)
	}
}

// tables is one data table with one row.
type tables struct{}

func (tables) Has(table string) bool { return table == "indexes" }

func (tables) Entry(table, column, value, want string) (string, bool) {
	return "/data/nt", column == "value" && value == "nt" && want == "path"
}

func TestRulesSizeJobsByReferenceData(t *testing.T) {
	const rules = oneDestination + "tools:\n  .*:\n    mem: |\n      import os\n      path = app.tool_data_tables.get('indexes').get_entry('value', job.get_param_values(app)['db'], 'path')\n      os.path.getsize(path) / 2**30 * 2 if path else 4\n    params:\n      mem: '{mem}'\n"
	file := func(path string) (cheetah.FileInfo, error) {
		return cheetah.FileInfo{Exists: true, Size: 3 << 30}, nil
	}
	r, _, err := tpvRouter(t, Options{DataTables: tables{}, File: file}, rules)
	if err != nil {
		t.Fatal(err)
	}
	for db, want := range map[string]string{"nt": "6.0", "other": "4"} {
		if got := decide(r, Request{Tool: Tool{ID: "x"}, Params: map[string]any{"db": db}}); got.Params["mem"] != want {
			t.Errorf("with %s: %+v; want %s", db, got, want)
		}
	}
}

func TestWeights(t *testing.T) {
	const rules = "tools:\n  .*:\n    rank: helpers.weighted_random_sampling(candidate_destinations)\n" +
		"    params:\n      disk: \"{helpers.weighted_choice([{'value': 'a', 'weight': 1}, {'value': 'b', 'weight': 3}])['value']}\"\n" +
		"destinations:\n  never:\n    runner: local\n    params: {weight: 0}\n  seldom:\n    runner: local\n    params: {weight: 1}\n  often:\n    runner: local\n    params: {weight: 9}\n"
	next := 0
	r, _, err := tpvRouter(t, Options{Intn: func(n int) int { next += n / 20; return next % n }}, rules)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for range 200 {
		d := decide(r, Request{Tool: Tool{ID: "x"}})
		got[d.ID]++
		got[d.Params["disk"]]++
	}
	if got["never"] != 0 || got["seldom"] == 0 || got["often"] < 5*got["seldom"] || got["a"] == 0 || got["b"] < 2*got["a"] {
		t.Errorf("the destinations and disks are %v", got)
	}
}

func TestAFailingRuleTellsTheUserLittleAndTheLogAll(t *testing.T) {
	r, dir, err := tpvRouter(t, Options{}, oneDestination+"tools:\n  .*:\n    cores: |\n      a = {}\n      a['x']\n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Choose(context.Background(), Request{To: "tpv", Tool: Tool{ID: "x"}})
	var refused *Refused
	if !errors.As(err, &refused) || strings.Contains(refused.Message, dir) || refused.Cause == nil || !strings.Contains(refused.Cause.Error(), filepath.Join(dir, "a.yml")+":8: cores: KeyError") {
		t.Errorf("%v, because of %v", err, errors.Unwrap(err))
	}
}

func TestAChoiceEndsWithItsContext(t *testing.T) {
	r, _, err := tpvRouter(t, Options{}, oneDestination+"tools:\n  .*:\n    cores: sum(range(1000))\n")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Choose(ctx, Request{To: "tpv", Tool: Tool{ID: "x"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("it gives %v", err)
	}
}

func TestJobsAreMappedAtTheSameTime(t *testing.T) {
	dir, err := filepath.Abs("testdata/tpv")
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(t, tpvSite("shared.yml", "local.yml"), Options{Dir: dir})
	req := Request{Tool: Tool{ID: "blast", Version: "2"}, Inputs: []Input{{Name: "q", DatasetID: 1, Size: 12 << 30}}}
	want := decide(r, req)
	if want.ID == "" {
		t.Fatalf("the decision is %+v", want)
	}
	results := make(chan decision, 40)
	for range cap(results) {
		go func() { results <- decide(r, req) }()
	}
	for range cap(results) {
		if got := <-results; !same(got, want) {
			t.Errorf("%+v beside %+v", got, want)
		}
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	ordered := []string{"bad version", "1.dev1", "1.0a1", "1.0a2.dev1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0+galaxy0", "1.0+galaxy1", "1.0+galaxy1.2", "1.0+1", "1.0.post1", "1.0.1", "1.2", "1.10", "2!0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			got, want := compareVersions(a, b), 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got != want {
				t.Errorf("%s against %s: %d, not %d", a, b, got, want)
			}
		}
	}
	for _, pair := range [][2]string{{"1.0", "1"}, {"1.0.0", "v1.0"}, {"1.0c1", "1.0-rc.1"}, {"1.0-1", "1.0.post1"}} {
		if compareVersions(pair[0], pair[1]) != 0 {
			t.Errorf("%s is not %s", pair[0], pair[1])
		}
	}
}

func FuzzRuleFile(f *testing.F) {
	paths, err := filepath.Glob("testdata/tpv/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "gpu_tool")
	}
	f.Add("tools: {a: &a {rules: [{if: true, execute: 'entity.params = 5'}]}, b: *a}\n"+oneDestination, "a")
	f.Add("global: {default_inherits: d, context: {x: [1]}}\ntools: {d: {cores: x[0], rank: 'candidate_destinations'}}\n"+oneDestination, "d")
	f.Fuzz(func(t *testing.T, content, tool string) {
		root, err := parseYAML("x.yml", []byte(content))
		if err != nil {
			return
		}
		r := bareRouter(Options{})
		r.cfg.Runners = []config.Runner{{ID: "local"}, {ID: "slurm"}}
		l := &tpvLoader{router: r, code: &tpvCode{router: r, blocks: map[codeKey]*pyBlock{}}}
		l.code.modules = newTPVModules(r)
		cfg := l.config(root)
		if len(l.problems) > 0 {
			return
		}
		m := &tpv{router: r, id: "tpv", cfg: cfg, code: l.code}
		for _, section := range tpvSections {
			list := cfg.lists[section]
			for _, id := range list.order {
				e, err := resolve(list, list.by[id], nil)
				if err != nil {
					return
				}
				list.by[id] = e
			}
		}
		if m.patterns() != nil {
			return
		}
		m.offer()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req := Request{Tool: Tool{ID: tool}, User: &User{Email: "a@b.org", Roles: []string{"staff"}}, Inputs: []Input{{Name: "a", Size: 9 << 30}}}
		if c, err := m.choose(ctx, &req); err == nil && c.Runner == "" {
			t.Errorf("%q gives a choice without a runner: %+v", content, c)
		}
	})
}

func TestARuleCannotChangeTheConfiguration(t *testing.T) {
	const rules = "tools:\n  .*:\n    rank: |\n      for d in candidate_destinations:\n          d.params['seen'] = str(len(mapper.destinations)) + d.params.get('seen', '')\n      candidate_destinations\n" +
		"    rules:\n    - if: |\n        for d in mapper.destinations.values():\n            d.max_accepted_cores = 0\n        True\n      execute: entity.params['ran'] = entity.params.get('ran', '') + 'x'\n" +
		"destinations:\n  one:\n    runner: local\n    params: {a: b}\n"
	r, _, err := tpvRouter(t, Options{}, rules)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := decide(r, Request{Tool: Tool{ID: "x"}}); got.ID != "one" || got.Params["seen"] != "1" || got.Params["ran"] != "x" {
			t.Errorf("the decision is %+v", got)
		}
	}
}
