package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// jobXMLExample and jobYAMLExample say the same.
const jobXMLExample = `<?xml version="1.0"?>
<job_conf>
    <plugins workers="3">
        <plugin id="local" type="runner" load="galaxy.jobs.runners.local:LocalJobRunner"/>
        <plugin id="slurm" type="runner" load="galaxy.jobs.runners.slurm:SlurmJobRunner" workers="9">
            <param id="drmaa_library_path">/usr/lib/libdrmaa.so</param>
        </plugin>
        <plugin id="off" type="runner" load="x:Y"><param id="enabled">False</param></plugin>
        <plugin id="dynamic" type="runner"><param id="rules_module">site.rules</param></plugin>
    </plugins>
    <handlers assign_with="db-skip-locked, db-preassign" max_grab="8" ready_window_size="50" default="everyday">
        <handler id="handler0" tags="everyday"/>
        <handler id="handler1" tags="everyday,special"><plugin id="slurm"/></handler>
        <handler id="handler2"/>
    </handlers>
    <destinations default="cluster">
        <destination id="here" runner="local"/>
        <destination id="big" runner="slurm" tags="cluster, big">
            <param id="native_specification" from_environ="SPEC">--mem=8G</param>
            <param id="contact" from_config="brand">nobody</param>
            <param id="docker_sudo">false</param>
            <env id="JAVA">-Xmx6G</env>
            <env id="RAW" raw="true">'5'</env>
            <env file="/etc/profile.d/x.sh"/>
            <env exec="module load x"/>
            <resubmit condition="memory_limit_reached" destination="here" handler="handler2" delay="attempt * 30"/>
        </destination>
        <expand macro="sized" id="small" n="2"><param id="extra">1</param></expand>
    </destinations>
    <resources default="all"><group id="all">memory,time</group></resources>
    <tools>
        <tool id="Cat1" handler="special" destination="big" resources="all"><param id="why">because</param></tool>
    </tools>
    <limits>
        <limit type="registered_user_concurrent_jobs">2</limit>
        <limit type="anonymous_user_concurrent_jobs"></limit>
        <limit type="destination_user_concurrent_jobs" id="here">1</limit>
        <limit type="concurrent_jobs" tag="cluster">7</limit>
        <limit type="destination_total_concurrent_jobs" tag="big">100</limit>
        <limit type="walltime">24:30:10</limit>
        <limit type="total_walltime" window="7">100:00:00</limit>
        <limit type="output_size">10GB</limit>
    </limits>
    <macros>
        <token name="@LOC@">local</token>
        <xml name="sized" tokens="id,n" token_unit="cores">
            <destination id="@ID@" runner="@LOC@"><param id="@UNIT@">@N@</param><yield/></destination>
        </xml>
    </macros>
</job_conf>
`

const jobYAMLExample = `
runners:
  local: {load: 'galaxy.jobs.runners.local:LocalJobRunner', workers: 3}
  slurm: {load: 'galaxy.jobs.runners.slurm:SlurmJobRunner', workers: 9, drmaa_library_path: /usr/lib/libdrmaa.so}
  off: {load: 'x:Y', enabled: no}
  dynamic: {rules_module: site.rules}
handling:
  assign: [db-skip-locked, db-preassign]
  max_grab: 8
  ready_window_size: 50
  default: everyday
  processes:
    handler0: {tags: [everyday]}
    handler1: {tags: [everyday, special], plugins: [slurm]}
    handler2:
execution:
  default: cluster
  environments:
    here: {runner: local, docker_sudo: 'true'}
    big:
      runner: slurm
      tags: [cluster, big]
      native_specification: --mem=64G
      contact: My Galaxy
      docker_sudo: 'false'
      env:
      - {name: JAVA, value: -Xmx6G}
      - {name: RAW, value: "'5'", raw: true}
      - {file: /etc/profile.d/x.sh}
      - {execute: module load x}
      resubmit:
      - {condition: memory_limit_reached, environment: here, handler: handler2, delay: attempt * 30}
    small: {runner: local, cores: '2', extra: '1', docker_sudo: 'true'}
resources: {default: all, groups: {all: [memory, time]}}
tools:
- {id: Cat1, handler: special, environment: big, resources: all, why: because}
limits:
- {type: registered_user_concurrent_jobs, value: 2}
- {type: anonymous_user_concurrent_jobs}
- {type: environment_user_concurrent_jobs, id: here, value: 1}
- {type: environment_user_concurrent_jobs, tag: cluster, value: 7}
- {type: environment_total_concurrent_jobs, tag: big, value: 100}
- {type: walltime, value: 24:30:10}
- {type: total_walltime, window: 7, value: '100:00:00'}
- {type: output_size, value: 10GB}
`

var jobExample = &JobConfig{
	Runners: []Runner{
		{ID: "local", Load: "galaxy.jobs.runners.local:LocalJobRunner", Workers: 3, Params: map[string]any{}},
		{ID: "slurm", Load: "galaxy.jobs.runners.slurm:SlurmJobRunner", Workers: 9, Params: map[string]any{"drmaa_library_path": "/usr/lib/libdrmaa.so"}},
	},
	DynamicParams: map[string]any{"rules_module": "site.rules"},
	Handling: Handling{Declared: true, Assign: []string{"db-skip-locked", "db-preassign"}, Default: "everyday", MaxGrab: 8, ReadyWindowSize: 50,
		Handlers: []Handler{
			{ID: "handler0", Tags: []string{"everyday"}, Environment: map[string]string{}},
			{ID: "handler1", Tags: []string{"everyday", "special"}, Plugins: []string{"slurm"}, Environment: map[string]string{}},
			{ID: "handler2", Tags: []string{"_default_"}, Environment: map[string]string{}},
		}},
	Destinations: []Destination{
		{ID: "here", Runner: "local", Params: map[string]any{"docker_sudo": "true"}},
		{ID: "big", Runner: "slurm", Tags: []string{"cluster", "big"},
			Params:   map[string]any{"native_specification": "--mem=64G", "contact": "My Galaxy", "docker_sudo": "false"},
			Env:      []EnvEntry{{Name: "JAVA", Value: "-Xmx6G"}, {Name: "RAW", Value: "'5'", Raw: true}, {File: "/etc/profile.d/x.sh"}, {Execute: "module load x"}},
			Resubmit: []Resubmit{{Condition: "memory_limit_reached", Destination: "here", Handler: "handler2", Delay: "attempt * 30"}}},
		{ID: "small", Runner: "local", Params: map[string]any{"cores": "2", "extra": "1", "docker_sudo": "true"}},
	},
	DefaultDestination: "cluster",
	Tools:              []ToolMapping{{ID: "Cat1", Handler: "special", Destination: "big", Resources: "all", Params: map[string]any{"why": "because"}}},
	Resources:          Resources{Default: "all", Groups: map[string][]string{"all": {"memory", "time"}}},
	Limits: Limits{RegisteredUserConcurrentJobs: 2, DestinationUserConcurrentJobs: map[string]int{"here": 1, "cluster": 7},
		DestinationTotalConcurrentJobs: map[string]int{"big": 100}, Walltime: 24*time.Hour + 30*time.Minute + 10*time.Second,
		TotalWalltime: 100 * time.Hour, TotalWalltimeWindow: 7 * 24 * time.Hour, OutputSize: 10_000_000_000},
}

func TestJobConfiguration(t *testing.T) {
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(jobYAMLExample), "\n", "\n    ")
	for name, files := range map[string]map[string]string{
		"job_conf.xml, implied":  {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n  brand: My Galaxy\n", "job_conf.xml": jobXMLExample},
		"job_conf.yml, implied":  {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n", "job_conf.yml": jobYAMLExample, "job_conf.xml": "<x"},
		"a file under any name":  {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n  job_config_file: jobs\n", "jobs": jobYAMLExample},
		"a sample's name":        {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n  brand: My Galaxy\n  job_config_file: j.xml.sample\n", "j.xml.sample": jobXMLExample},
		"inline":                 {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n  job_config:\n  " + indented + "\n", "job_conf.yml": "x"},
		"in an environment list": {"galaxy.yml": "galaxy:\n  id_secret: my-secret\n", "job_conf.yml": environmentsAsList(jobYAMLExample)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, files)
			c, problems, err := Load("galaxy.yml", []string{"SPEC=--mem=64G"}, WorkDir(dir))
			if err != nil || len(problems) != 0 {
				t.Fatalf("problems: %v, error: %v", problems, err)
			}
			want := *jobExample
			want.Source = c.Jobs.Source
			withoutPlaces(t, c.Jobs)
			if !reflect.DeepEqual(c.Jobs, &want) {
				t.Errorf("\n got %+v\nwant %+v", c.Jobs, &want)
			}
		})
	}
}

// withoutPlaces checks that everything that has a place has one, and takes it away.
func withoutPlaces(t *testing.T, j *JobConfig) {
	t.Helper()
	places := []*Place{&j.Handling.At}
	for i := range j.Handling.Handlers {
		places = append(places, &j.Handling.Handlers[i].At)
	}
	for i := range j.Tools {
		places = append(places, &j.Tools[i].At)
	}
	for _, at := range places {
		if at.File == "" || at.Line == 0 {
			t.Errorf("a place is missing: %+v", at)
		}
		*at = Place{}
	}
}

// environmentsAsList writes the environments in the list form that YAML also allows.
func environmentsAsList(s string) string {
	s = strings.Replace(s, "    here: {runner", "    - {id: here, runner", 1)
	s = strings.Replace(s, "    small: {runner", "    - {id: small, runner", 1)
	return strings.Replace(s, "    big:\n", "    -\n      id: big\n", 1)
}

func TestJobLookups(t *testing.T) {
	j := jobExample
	ids := func(list []Destination) string {
		var out []string
		for _, d := range list {
			out = append(out, d.ID)
		}
		return strings.Join(out, " ")
	}
	for _, check := range []struct{ what, got, want string }{
		{"a destination by id", ids(j.DestinationsFor("here")), "here"},
		{"destinations by tag", ids(j.DestinationsFor("cluster")), "big"},
		{"no destination", ids(j.DestinationsFor("nowhere")), ""},
		{"a handler by id", strings.Join(j.HandlersFor("handler2"), " "), "handler2"},
		{"handlers by tag", strings.Join(j.HandlersFor("everyday"), " "), "handler0 handler1"},
		{"untagged handlers", strings.Join(j.HandlersFor(DefaultHandlerTag), " "), "handler2"},
		{"tags of a declared handler", strings.Join(j.TagsOf("handler1", nil), " "), "everyday special"},
		{"tags of pools", strings.Join(j.TagsOf("h", []string{"job-handlers", "job-handlers.special", "workflow-schedulers"}), " "), "_default_ special"},
		{"tags of a stranger", strings.Join(j.TagsOf("h", nil), " "), ""},
		{"a tool by id", fmt.Sprint(len(j.MappingsFor([]string{"toolshed/cat1/1.0", "cat1"}, ""))), "1"},
		{"an unmapped tool", fmt.Sprint(len(j.MappingsFor([]string{"other"}, "local"))), "0"},
	} {
		if check.got != check.want {
			t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
		}
	}
	if j.SelfAssigns() || !(&JobConfig{Handling: Handling{Assign: []string{"db-self"}}}).SelfAssigns() {
		t.Error("SelfAssigns")
	}
}

func TestJobConfigurationProblems(t *testing.T) {
	const local = "runners: {local: {load: 'a:B'}}\n"
	const here = "execution: {environments: {here: {runner: local}}}\n"
	for _, test := range []struct{ name, file, content, want string }{
		{"no runners", "job_conf.yml", here, "job_conf.yml:1:1: error: the job configuration has no runners;"},
		{"no execution", "job_conf.yml", local, "job_conf.yml:1:1: error: the job configuration has no execution section;"},
		{"no default", "job_conf.yml", local + "execution: {environments: {a: {runner: local}, b: {runner: local}}}\n", "job_conf.yml:2:12: error: execution has several environments and no default; add for example “default: a”"},
		{"wrong default", "job_conf.yml", local + "execution: {default: c, environments: {a: {runner: local}}}\n", "job_conf.yml:2:22: error: the default “c” is neither an environment's (destination's) id nor a tag; did you mean “a”?"},
		{"unknown method", "job_conf.yml", local + here + "handling: {assign: [db-skip-lock]}\n", "job_conf.yml:3:20: error: “db-skip-lock” is no way to assign jobs; there are mem-self, db-self, "},
		{"unknown section", "job_conf.yml", local + here + "handlers: {}\n", "job_conf.yml:3:1: warning: the job configuration: nobody knows the setting “handlers”"},
		{"unknown runner", "job_conf.yml", local + "execution: {environments: {a: {runner: locl}}}\n", "job_conf.yml:2:28: warning: the environment a uses the runner “locl”, which is not declared; did you mean “local”?"},
		{"no runner", "job_conf.yml", local + "execution: {environments: {a: {}}}\n", "job_conf.yml:2:28: error: the environment a does not say its runner;"},
		{"workers", "job_conf.yml", "runners: {local: {load: 'a:B', workers: four}}\n" + here, "job_conf.yml:1:41: error: workers takes a whole number such as 4, not \"four\""},
		{"walltime", "job_conf.yml", local + here + "limits: [{type: walltime, value: 3h}]\n", "job_conf.yml:3:34: error: walltime takes hours:minutes:seconds in quotes"},
		{"limit's type", "job_conf.yml", local + here + "limits: [{type: waltime, value: 3h}]\n", "job_conf.yml:3:10: error: “waltime” is no type of limit; there are "},
		{"tool without id", "job_conf.yml", local + here + "tools: [{handler: a}]\n", "job_conf.yml:3:9: error: an entry of tools has either the tool's id or a class"},
		{"mapped nowhere", "job_conf.yml", local + here + "tools: [{id: a, environment: b}]\n", "job_conf.yml:3:9: warning: the tool a is mapped to “b”, which is no environment"},
		{"env", "job_conf.yml", local + "execution: {environments: {a: {runner: local, env: [{name: 'a b', value: c}]}}}\n", "job_conf.yml:2:53: error: “a b” cannot be an environment variable"},
		{"handler's id", "job_conf.yml", local + here + "handling: {processes: {'a/b': {}}}\n", "job_conf.yml:3:24: error: “a/b” cannot be a handler's id"},
		{"not a mapping", "job_conf.yml", "- a\n", "job_conf.yml:1:1: error: a job configuration takes a mapping"},
		{"not XML", "job_conf.xml", "<job_conf>\n <plugins>\n</job_conf>", "job_conf.xml:3:12: error: this is not valid XML: "},
		{"empty XML", "job_conf.xml", "", "job_conf.xml: error: the file is empty"},
		{"another root", "job_conf.xml", "<toolbox/>", "job_conf.xml:1:1: error: the file's outermost element is <job_conf>, not <toolbox>"},
		{"no destinations", "job_conf.xml", "<job_conf><plugins><plugin id='a' type='runner' load='b'/></plugins></job_conf>", "job_conf.xml:1:1: error: job_conf.xml has no <destinations>;"},
		{"missing attribute", "job_conf.xml", "<job_conf><plugins><plugin id='a' type='runner' load='b'/><plugin type='runner'/></plugins><destinations><destination id='a' runner='a'/></destinations></job_conf>",
			"job_conf.xml:1:59: warning: <plugin> is ignored, since it has no attribute “id”"},
		{"a macro that expands itself", "job_conf.xml", "<job_conf><macros><xml name='a'><expand macro='a'/></xml></macros><expand macro='a'/></job_conf>", "job_conf.xml:1:33: error: the macro “a” expands itself"},
		{"no such macro", "job_conf.xml", "<job_conf><macros/><expand macro='a'/></job_conf>", "job_conf.xml:1:20: error: there is no macro named “a”"},
		{"a token in itself", "job_conf.xml", "<job_conf a='@A@'><macros><token name='@A@'>@A@@A@@A@</token></macros></job_conf>", "job_conf.xml:1:1: error: the tokens make too much text"},
		{"a file that imports itself", "job_conf.xml", "<job_conf><import>job_conf.xml</import><macros><import>job_conf.xml</import></macros></job_conf>", "job_conf.xml:1:11: error: more than 100 files are imported"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := write(t, map[string]string{"galaxy.yml": "galaxy:\n  id_secret: my-secret\n", test.file: test.content})
			_, problems, _ := Load("galaxy.yml", nil, WorkDir(dir))
			if len(problems) == 0 {
				t.Fatal("no problem was found")
			}
			got := strings.ReplaceAll(problems[0].String(), dir+"/", "")
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %s\nwant %s…", got, test.want)
			}
		})
	}
}

// As in Galaxy every import starts from the directory of the main file, also those of imported files.
func TestMacrosFromOtherFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"galaxy.yml":   "galaxy:\n  id_secret: my-secret\n",
		"job_conf.xml": `<job_conf><macros><import>m/macros.xml</import></macros><plugins><expand macro="p"/></plugins><destinations><destination id="a" runner="local"/></destinations></job_conf>`,
		"m/macros.xml": `<macros><xml name="p"><plugin id="local" type="runner" load="@L@"/><yield name="none"/></xml><import>m/tokens.xml</import></macros>`,
		"m/tokens.xml": `<macros><token name="@L@">a:B</token></macros>`,
	})
	c, _, err := Load("galaxy.yml", nil, WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Jobs.Runners) != 1 || c.Jobs.Runners[0].Load != "a:B" {
		t.Errorf("runners: %+v", c.Jobs.Runners)
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"1024": 1024, "10GB": 10e9, "10g": 10e9, "10240 Mb": 10240e6, "1.5 MiB": 1572864, ".5k": 500, "3 bytes": 3, "4 kibibytes": 4096, "1e3": 1000} {
		if got, ok := ParseSize(in); !ok || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "GB", "-1", "10 XB", "99999999E"} {
		if got, ok := ParseSize(in); ok {
			t.Errorf("ParseSize(%q) = %d, want a refusal", in, got)
		}
	}
}

// seed reads a file of testdata.
func seed(f *testing.F, name string) string {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		f.Fatal(err)
	}
	return string(data)
}

func FuzzJobXML(f *testing.F) {
	f.Add(jobXMLExample)
	f.Add(seed(f, "job_conf_full.xml"))
	f.Add("<job_conf><destinations><destination id='a' runner='b' metrics='off'><job_metrics><x a='1'/></job_metrics></destination></destinations></job_conf>")
	f.Add("<job_conf><macros><xml name='a' tokens='b'><expand macro='c' d='@B@'/></xml></macros><expand macro='a' b='1'/></job_conf>")
	f.Add("<?xml version='1.0' encoding='latin-1'?><job_conf/>")
	f.Fuzz(func(t *testing.T, data string) {
		fuzzJobs(t, data, func(l *loader) *node { return l.jobXML("job_conf.xml", []byte(data)) })
	})
}

func FuzzJobYAML(f *testing.F) {
	f.Add(jobYAMLExample)
	f.Add(seed(f, "job_conf_full.yml"))
	f.Add("runners: {a: }\nexecution: {environments: [{id: a, env: [{}], resubmit: [a]}]}\ntools: [a, {id: a, class: b}]\nlimits: {}\n")
	f.Fuzz(func(t *testing.T, data string) {
		fuzzJobs(t, data, func(l *loader) *node {
			n, problem := parseYAML("job_conf.yml", []byte(data))
			if problem != nil {
				l.report.problems = append(l.report.problems, *problem)
			}
			return n
		})
	})
}

// fuzzJobs reads a job configuration and checks that what comes without an error can be used.
func fuzzJobs(t *testing.T, data string, parse func(*loader) *node) {
	if len(data) > 1<<16 {
		return
	}
	l := &loader{config: &Config{}, report: &report{}, env: map[string]string{}, values: map[string]any{}, set: map[string]*node{}}
	n := parse(l)
	if n == nil {
		if len(l.report.errors()) == 0 {
			t.Fatal("nothing was read and nothing reported")
		}
		return
	}
	j := l.readJobs(n, "job_conf")
	if len(l.report.errors()) > 0 {
		return
	}
	if len(j.DestinationsFor(j.DefaultDestination)) == 0 {
		t.Fatalf("the default destination %q does not exist, and nothing was said", j.DefaultDestination)
	}
}
