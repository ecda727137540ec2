package slurm

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestWhatDestinationsAskFor(t *testing.T) {
	type params = map[string]string
	for name, c := range map[string]struct {
		load   string
		params params
		want   []string // sbatch's arguments
		err    string
		target target
	}{
		"nothing":                     {load: loadSlurm},
		"native":                      {load: loadSlurm, params: params{"nativeSpecification": "-p long  --time=1-00:00 -J 'a b'"}, want: []string{"-p", "long", "--time=1-00:00", "-J", "a b"}},
		"underscored":                 {load: loadDRMAA, params: params{"native_specification": "--mem=4G"}, want: []string{"--mem=4G"}},
		"the first holds":             {load: loadDRMAA, params: params{"nativeSpecification": "-n 1", "native_specification": "-n 2"}, want: []string{"-n", "1"}},
		"handed on":                   {load: loadSlurm, params: params{"submit_native_specification": "-n 3"}, want: []string{"-n", "3"}},
		"clusters":                    {load: loadSlurm, params: params{"nativeSpecification": "-M far -n 3"}, want: []string{"-n", "3"}, target: target{cluster: "far"}},
		"clusters long":               {load: loadSlurm, params: params{"nativeSpecification": "--clusters=far -n 3"}, want: []string{"-n", "3"}, target: target{cluster: "far"}},
		"array":                       {load: loadSlurm, params: params{"nativeSpecification": "--array=1-3"}, err: "--array"},
		"waiting":                     {load: loadSlurm, params: params{"nativeSpecification": "-W"}, err: "-W"},
		"open quote":                  {load: loadSlurm, params: params{"nativeSpecification": "-J 'a"}, err: "quote"},
		"a cluster that is an option": {load: loadSlurm, params: params{"nativeSpecification": "-M --help"}, err: "cluster"},
		"real users":                  {load: loadDRMAA, params: params{"drmaa_external_runjob_script": "sudo x"}, err: "not supported"},
		"cli": {load: loadCLI, params: params{
			"shell_plugin": "LocalShell", "job_plugin": "Slurm", "job_time": "1:00:00", "job_ncpus": "4", "job_partition": "long", "job_--mem": "4G",
			"job_--exclusive": "", "job_unheard_of": "1",
		}, want: []string{"--exclusive", "--mem", "4G", "-c", "4", "-p", "long", "-t", "1:00:00"}},
		"cli of another cluster": {load: loadCLI, params: params{"job_plugin": "Torque"}, err: "Torque"},
		"cli of none":            {load: loadCLI, err: "job_plugin"},
		"ssh": {load: loadCLI, params: params{
			"shell_plugin": "SecureShell", "shell_hostname": "head", "shell_username": "galaxy", "shell_port": "2222", "shell_private_key": "/k", "job_plugin": "Slurm",
		}, target: target{way: strings.Join([]string{
			"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-i", "/k", "-p", "2222", "-l", "galaxy", "head"}, "\x00")}},
		"ssh to an option":    {load: loadCLI, params: params{"shell_plugin": "SecureShell", "shell_hostname": "-oProxyCommand=x", "job_plugin": "Slurm"}, err: "shell_hostname"},
		"ssh with a password": {load: loadCLI, params: params{"shell_plugin": "ParamikoShell", "shell_password": "x", "job_plugin": "Slurm"}, err: "key"},
		"another shell":       {load: loadCLI, params: params{"shell_plugin": "Carrier", "job_plugin": "Slurm"}, err: "Carrier"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := read(c.load, c.params, quiet)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%+v, %v; want an error with %q", q, err, c.err)
				}
				return
			}
			if err != nil || !slices.Equal(q.args, c.want) || q.target != c.target {
				t.Errorf("%+v, %v; want %q at %+v", q, err, c.want, c.target)
			}
		})
	}
}

func TestTheServersArgumentsHold(t *testing.T) {
	r, err := New(Options{Load: loadDRMAA, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	job := runner.Job{Dir: jobdir.Dir{Path: "/jobs/50%/7", JobID: 7}, Attempt: 2, Name: "g7_a_tool_with_a_long_name"}
	job.Params = map[string]string{"nativeSpecification": "--requeue --comment='of the site' -o /elsewhere"}
	q, err := read(r.load, job.Params, quiet)
	if err != nil {
		t.Fatal(err)
	}
	got := r.arguments(job, q, "orrery:x:7:2")
	want := []string{
		"--requeue", "-o", "/elsewhere", "--parsable", "--job-name=g7_a_tool_with_", "--comment=orrery:x:7:2 of the site",
		"--output=/jobs/50%%/7/outputs/job_stdout", "--error=/jobs/50%%/7/outputs/job_stderr", "--open-mode=append", "--chdir=/jobs/50%/7",
		"--no-requeue", "/jobs/50%/7/galaxy_7_2.sh",
	}
	if !slices.Equal(got, want) {
		t.Errorf("arguments\n%q, want\n%q", got, want)
	}
}

func TestFarCommandsAreOneLine(t *testing.T) {
	far := target{way: "ssh\x00head", cluster: "c"}
	got := far.line("squeue", []string{squeueFormat, "it's"})
	if want := []string{"ssh", "head", `'squeue' '--clusters=c' '--format=%A|%T|%r|%k' 'it'\''s'`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhichPluginsAreServed(t *testing.T) {
	for load, want := range map[string]bool{
		loadSlurm: true, loadDRMAA: true, loadCLI: true, "galaxy.jobs.runners.drmaa": true, "galaxy.jobs.runners.local:LocalJobRunner": false, "": false,
	} {
		if Loads(load) != want {
			t.Errorf("Loads(%q) is %v", load, !want)
		}
		if _, err := New(Options{Load: load}); (err == nil) != want {
			t.Errorf("New for %q says %v", load, err)
		}
	}
	if _, err := New(Options{Load: loadDRMAA, Params: map[string]string{"drmaa_library_path": "/usr/lib/gridengine-drmaa/lib/libdrmaa.so"}}); err == nil {
		t.Error("the library of another cluster is served")
	}
}

func TestTheCommandsListEverythingWhateverTheEnvironmentSays(t *testing.T) {
	got := environ([]string{"PATH=/bin", "SQUEUE_STATES=PD", "SACCT_FORMAT=x", "SCANCEL_STATE=PD", "SLURM_CONF=/c", "SBATCH_PARTITION=p"})
	if want := []string{"PATH=/bin", "SLURM_CONF=/c", "SBATCH_PARTITION=p"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{"-p long", `--comment="a \"b\"" c`, `'`, `\`, "a\tb\nc", `""`, "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := words(text)
		if err != nil {
			return
		}
		// What was taken apart is the same when quoted and taken apart again.
		quoted := make([]string, len(all))
		for i, word := range all {
			quoted[i] = jobdir.Quote(word)
		}
		again, err := words(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, all) {
			t.Errorf("%q became %q, then %q, %v", text, all, again, err)
		}
	})
}
