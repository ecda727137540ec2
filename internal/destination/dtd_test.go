package destination

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery/internal/config"
)

// dtdSite is a job configuration whose destination rules is decided by dynamic tool destinations.
func dtdSite() *config.JobConfig {
	cfg := site()
	cfg.Destinations = append(cfg.Destinations, config.Destination{ID: "rules", Runner: "dynamic", Params: map[string]any{"type": "dtd"}})
	return cfg
}

// TestToolDestinationsDecideAsGalaxy compares with what Galaxy itself decided about the same file, recorded and checked
// again by make compat.
func TestToolDestinationsDecideAsGalaxy(t *testing.T) {
	var grid struct {
		File  string
		Tools []struct {
			ID    string
			OldID string `json:"old_id"`
		}
		Users []*struct{ Email string }
		Jobs  []struct {
			Params            map[string]any
			Resources         map[string]any
			WorkflowResources map[string]any `json:"workflow_resources"`
			Inputs            []struct {
				Name, Ext string
				Size      int64
				Sequences *int64
			}
		}
	}
	var want []decision
	readJSON(t, "testdata/dtd/tool_destinations.json", &grid)
	readJSON(t, "testdata/dtd/tool_destinations.decisions.json", &want)
	var warnings []string
	r := newRouter(t, dtdSite(), Options{ToolDestinations: filepath.Join("testdata/dtd", grid.File), Warn: func(m string) { warnings = append(warnings, m) }})
	if said := strings.Join(warnings, "\n"); !strings.Contains(said, "tool_destinations.yml:57: ") || !strings.Contains(said, "nice_value goes from -20 to 20") {
		t.Errorf("the warnings are:\n%s", said)
	}
	i := 0
	for _, tool := range grid.Tools {
		for _, user := range grid.Users {
			for _, job := range grid.Jobs {
				req := Request{To: "rules", Tool: Tool{ID: tool.ID, OldID: tool.OldID}, Params: job.Params, Resources: job.Resources, Job: Job{WorkflowResources: job.WorkflowResources}}
				if user != nil {
					req.User = &User{Email: user.Email}
				}
				for _, in := range job.Inputs {
					input := Input{Name: in.Name, Ext: in.Ext, Size: in.Size}
					if in.Sequences != nil {
						input.Metadata = map[string]any{"sequences": *in.Sequences}
					}
					req.Inputs = append(req.Inputs, input)
				}
				c, err := r.Choose(context.Background(), req)
				got := decision{ID: c.ID}
				var refused *Refused
				if errors.As(err, &refused) {
					got.Refused = refused.Message
				}
				if got.ID != want[i].ID || got.Refused != want[i].Refused {
					t.Errorf("%v %v %+v:\n  got  %+v, %v\n  want %+v", tool, user, job, got, err, want[i])
				}
				i++
			}
		}
	}
	if i != len(want) {
		t.Errorf("%d decisions are recorded about %d jobs", len(want), i)
	}
}

func TestSequencesAreCounted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.fasta")
	if err := os.WriteFile(path, []byte(">one\nAC\n"+strings.Repeat("G", 200_000)+">\n>two\nA\n>three"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   Input
		want float64
	}{
		"in the file":      {Input{Ext: "fasta", Path: path}, 3},
		"by metadata":      {Input{Ext: "fasta", Path: path, Metadata: map[string]any{"sequences": 7}}, 7},
		"of other formats": {Input{Ext: "fastq", Path: path}, 0},
		"of a lost file":   {Input{Ext: "fasta", Path: path + "x"}, 0},
	} {
		if got, err := fastaRecords(context.Background(), c.in); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; not %v", name, got, err, c.want)
		}
	}
}

func TestBadToolDestinationsAreRefusedWithTheirLine(t *testing.T) {
	for content, want := range map[string]string{
		"tools: {}\n":                                  ":1: the file has no default_destination",
		"default_destination: nowhere\n":               ":1: “nowhere” is neither",
		"default_destination: local\ntools:\n  x: [\n": "not valid YAML",
		"default_destination: local\ntools: 5\n":       ":2: tools takes a mapping",
		"default_destination: local\ntools:\n  x:\n    default_destination: far\n":                                                                                                           ":4: “far” is neither",
		"default_destination: local\ntools:\n  x:\n    rules:\n    - rule_type: file_size\n      nice_value: 0\n      destination: big\n      lower_bound: 4 apples\n      upper_bound: 3\n": ":8: \"4 apples\" is not a bound",
		"- a\n":                             "takes a mapping",
		"default_destination:\n  high: 1\n": "default_destination takes a destination",
	} {
		path := filepath.Join(t.TempDir(), "d.yml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(dtdSite(), Options{ToolDestinations: path}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", content, err, want)
		}
	}
	if _, err := New(dtdSite(), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "tool_destinations_config_file") {
		t.Errorf("without a file: %v", err)
	}
}

func FuzzToolDestinations(f *testing.F) {
	data, err := os.ReadFile("testdata/dtd/tool_destinations.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data), int64(20<<20))
	f.Add("default_destination: local\ntools:\n  sized:\n    rules:\n    - {rule_type: file_size, lower_bound: 1 KB, upper_bound: .5 GB, destination: big}\n", int64(5))
	f.Add("default_destination: &a\n  priority: {low: *a}\n", int64(0))
	f.Fuzz(func(t *testing.T, content string, size int64) {
		root, err := parseYAML("x.yml", []byte(content))
		if err != nil {
			return
		}
		r := &Router{cfg: site(), opts: Options{Warn: func(string) {}}}
		in := &dtdReader{dtd: &dtd{router: r, users: map[string]string{}, tools: map[string]*dtdTool{}}}
		in.read(root)
		if len(in.errs) > 0 {
			return
		}
		for tool := range in.tools {
			req := Request{Tool: Tool{ID: tool}, Inputs: []Input{{Name: "a", Size: size}}}
			if c, err := in.choose(context.Background(), &req); err == nil && c.ID == "" {
				t.Errorf("the tool %q goes nowhere", tool)
			}
		}
	})
}
