package config

import (
	"os"
	"reflect"
	"slices"
	"testing"
	"time"
)

// fullJobs reads one of the complete samples.
func fullJobs(t *testing.T, name string, environ ...string) *JobConfig {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"galaxy.yml": "galaxy:\n  id_secret: my-secret\n  job_config_file: " + name + "\n", name: string(data)})
	c, problems, err := Load("galaxy.yml", environ, WorkDir(dir))
	if err != nil || len(problems) != 0 {
		t.Fatalf("problems: %v, error: %v", problems, err)
	}
	return c.Jobs
}

// TestFullJobConfigurations reads a site with every construct, in both forms.
func TestFullJobConfigurations(t *testing.T) {
	for _, name := range []string{"job_conf_full.xml", "job_conf_full.yml"} {
		t.Run(name, func(t *testing.T) {
			j := fullJobs(t, name)
			h := j.Handling
			if h.MaxGrab != 16 || h.ReadyWindowSize != 200 || h.Default != "everyday" || !h.Declared {
				t.Errorf("handling: %+v", h)
			}
			if got := j.HandlersFor("everyday"); !slices.Equal(got, []string{"day0", "day1"}) {
				t.Errorf("everyday is %v", got)
			}
			gridder := h.Handlers[2]
			if gridder.ID != "gridder" || !slices.Equal(gridder.Plugins, []string{"grid", "slurm"}) || !slices.Equal(gridder.Tags, []string{"gridjobs"}) {
				t.Errorf("gridder: %+v", gridder)
			}
			if grid, ok := j.RunnerByID("grid"); !ok || grid.Workers != 4 || grid.Params["drmaa_library_path"] != "/opt/grid/lib/libdrmaa.so" {
				t.Errorf("the runner grid: %+v", grid)
			}
			if torque, _ := j.RunnerByID("torque"); torque.Workers != 2 {
				t.Errorf("the runner torque: %+v", torque)
			}
			if _, off := j.RunnerByID("off"); off || j.DynamicParams["rules_module"] != "site.rules" {
				t.Errorf("runners %+v, dynamic %v", j.Runners, j.DynamicParams)
			}
			if got := len(j.DestinationsFor("long_cluster")); got != 2 || j.DefaultDestination != "here" {
				t.Errorf("%d destinations have the tag long_cluster; the default is %s", got, j.DefaultDestination)
			}
			nodes := j.DestinationsFor("nodes")[0]
			wantEnv := []EnvEntry{{File: "/etc/profile.d/site.sh"}, {Execute: "module load site/1"}, {Name: "LC_ALL", Value: "C"}, {Name: "_JAVA_OPTIONS", Value: `"$_JAVA_OPTIONS -Xmx4G"`, Raw: true}}
			wantResubmit := []Resubmit{{Condition: "walltime_reached and attempt < 3", Destination: "grid_long", Delay: "30 * attempt"}, {Condition: "memory_limit_reached", Destination: "boxed", Handler: "long"}}
			if !reflect.DeepEqual(nodes.Env, wantEnv) || !reflect.DeepEqual(nodes.Resubmit, wantResubmit) || nodes.Metrics != false || nodes.Params["nativeSpecification"] != "--mem=4G" {
				t.Errorf("nodes: %+v", nodes)
			}
			metrics, _ := j.DestinationsFor("here")[0].Metrics.([]any)
			if len(metrics) != 3 || metrics[2].(map[string]any)["type"] != "env" || metrics[2].(map[string]any)["variables"] != "HOSTNAME,LANG" {
				t.Errorf("metrics: %v", metrics)
			}
			override, _ := j.DestinationsFor("boxed")[0].Params["container_override"].([]any)
			if len(override) != 1 || override[0].(map[string]any)["identifier"] != "site/tool:1" {
				t.Errorf("container_override: %v", override)
			}
			if j.Resources.Default != "basic" || !slices.Equal(j.Resources.Groups["sized"], []string{"memory", "time"}) {
				t.Errorf("resources: %+v", j.Resources)
			}
			if local := j.MappingsFor([]string{"upload1"}, "local"); len(local) != 1 || local[0].Handler != "everyday" || local[0].Destination != "here" {
				t.Errorf("the class local: %+v", local)
			}
			if asking := j.MappingsFor([]string{"asking"}, ""); len(asking) != 1 || asking[0].Params["source"] != "trackster" {
				t.Errorf("asking: %+v", asking)
			}
			want := Limits{RegisteredUserConcurrentJobs: 20, AnonymousUserConcurrentJobs: 2,
				DestinationUserConcurrentJobs:  map[string]int{"here": 1, "cluster": 10, "long_cluster": 3},
				DestinationTotalConcurrentJobs: map[string]int{"here": 4, "long_cluster": 100},
				Walltime:                       48 * time.Hour, TotalWalltime: 240 * time.Hour, TotalWalltimeWindow: 30 * 24 * time.Hour, OutputSize: 20_000_000_000}
			if !reflect.DeepEqual(j.Limits, want) {
				t.Errorf("limits: %+v", j.Limits)
			}
		})
	}
}

func TestXMLTakesTheEnvironment(t *testing.T) {
	j := fullJobs(t, "job_conf_full.xml", "SITE_HANDLERS=long", "SITE_DESTINATION=grid_long", "SITE_KUBECONFIG=/root/.kube")
	if cloud, _ := j.RunnerByID("cloud"); j.Handling.Default != "long" || j.DefaultDestination != "grid_long" || cloud.Params["k8s_config_path"] != "/root/.kube" {
		t.Errorf("default handler %q, default destination %q, cloud %v", j.Handling.Default, j.DefaultDestination, cloud.Params)
	}
	if far := j.DestinationsFor("farther"); len(far) != 1 || far[0].Params["job_ncpus"] != "16" || far[0].Params["shell_hostname"] != "farther.example.org" {
		t.Errorf("a macro's destination: %+v", far)
	}
}

func TestYAMLHandlers(t *testing.T) {
	j := fullJobs(t, "job_conf_full.yml")
	if plain := j.Handling.Handlers[3]; plain.ID != "plain" || !slices.Equal(plain.Tags, []string{DefaultHandlerTag}) || j.Handling.Handlers[0].Environment["SITE"] != "day" {
		t.Errorf("handlers: %+v", j.Handling.Handlers)
	}
	if tpv := j.DestinationsFor("by_tpv")[0]; tpv.Runner != "dynamic" || tpv.Params["rules_module"] != "tpv.rules" {
		t.Errorf("by_tpv: %+v", tpv)
	}
}

func TestMetricsOfDestinations(t *testing.T) {
	for text, want := range map[string]any{
		"metrics: {src: default}": nil, "metrics: off": false, "metrics: on": nil, "metrics: {src: path, path: m.xml}": "m.xml", "metrics: m.xml": "m.xml", "tags: x": nil,
	} {
		dir := write(t, map[string]string{"m.xml": "<job_metrics/>", "galaxy.yml": "galaxy:\n  id_secret: my-secret\n",
			"job_conf.yml": "runners: {local: {load: 'a:b'}}\nexecution:\n  environments:\n    here:\n      runner: local\n      " + text + "\n"})
		c, problems, err := Load("galaxy.yml", nil, WorkDir(dir))
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		if path, isPath := want.(string); isPath {
			want = dir + "/" + path
		}
		if got := c.Jobs.Destinations[0].Metrics; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
