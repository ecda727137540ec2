package slurm

import (
	"errors"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"orrery/internal/runner"
)

func TestReadingSqueue(t *testing.T) {
	l := parseListing(`12|RUNNING|None|orrery:a:7:1
13|PENDING|Resources|(null)
14|COMPLETED|None|orrery:b:8:1 of | the site
 second line of a comment
slurm_load_jobs error: something
15|OUT_OF_MEMORY|OutOfMemory|orrery:a:7:1
15|x|y|z
16|CANCELLED
CLUSTER: far
12|FAILED|NonZeroExitCode|orrery:c:9:1
17|COMPLETED|None|
17|RUNNING|None|
`, time.Now())
	want := map[string]row{
		"12": {"RUNNING", "None"}, "13": {"PENDING", "Resources"}, "14": {"COMPLETED", "None"}, "15": {"OUT_OF_MEMORY", "OutOfMemory"},
		"12.far": {"FAILED", "NonZeroExitCode"}, "17.far": {"RUNNING", "None"},
	}
	if !maps.Equal(l.jobs, want) {
		t.Errorf("jobs %v, want %v", l.jobs, want)
	}
	for tag, want := range map[string]string{"orrery:a:7:1": "12 15", "orrery:b:8:1": "14", "orrery:c:9:1": "12.far", "(null)": ""} {
		if got := strings.Join(l.tagged[tag], " "); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	if id := l.choose("orrery:a:7:1"); id != "12" {
		t.Errorf("of two submissions %s was chosen, and not the one that lives", id)
	}
}

func TestReadingSacct(t *testing.T) {
	got := parseAccounts("12|CANCELLED by 1000\n12.batch|FAILED\n13|OUT_OF_ME+\n14|TIMEOUT\n14|COMPLETED\n|\nx\n")
	want := map[string]row{"12": {state: "CANCELLED"}, "13": {state: "OUT_OF_ME"}, "14": {state: "COMPLETED"}}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestReadingSbatch(t *testing.T) {
	for text, want := range map[string]string{
		"12\n": "12", "12;far\n": "12.far", "Welcome!\n12\n": "12", "": "", "Submitted batch job 12": "", "0": "", "12;": "12", "12;a b": "", "-1": "",
		"12;--help": "", "99999999999": "",
	} {
		if got, _ := parseSubmitted(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestWhichRefusalsPass(t *testing.T) {
	exit := func(code string) error { return exec.Command("sh", "-c", "exit "+code).Run() }
	for text, want := range map[string]bool{
		"sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)":                                                                    true,
		"sbatch: slurm_msg_sendto: address:port=127.0.0.1:38855 msg_type=4003: Unexpected missing socket error; Batch job submission failed: Unexpected missing socket error": true,
		"sbatch: error: Batch job submission failed: Socket timed out on send/recv operation":                                                                                 true,
		"sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying":                                                                                        true,
		"sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy":                                          true,
		"sbatch: error: Munge encode failed: Failed to access \"/run/munge\": No such file or directory":                                                                      true,
		"sbatch: error: invalid partition specified: nope":                                                                                                                    false,
		"sbatch: error: Batch job submission failed: Requested node configuration is not available":                                                                           false,
		"sbatch: unrecognized option '--bogus'":                                                                                                                               false,
		"":                                                                                                                                                                    false,
	} {
		err := &commandError{name: "sbatch", stderr: text, err: exit("1")}
		if got := unavailable(err); got != want {
			t.Errorf("%q: passing is %v", text, got)
		}
	}
	for name, err := range map[string]error{
		"not there":   &commandError{name: "sbatch", err: exec.Command("/no/such/sbatch").Run()},
		"killed":      &commandError{name: "sbatch", err: exec.Command("sh", "-c", "kill -9 $$").Run()},
		"ssh":         &commandError{name: "sbatch", err: exit("255"), remote: true},
		"unavailable": runner.ErrUnavailable,
	} {
		if !unavailable(err) {
			t.Errorf("%s: %v is held against the job", name, err)
		}
	}
	if unavailable(errors.New("other")) {
		t.Error("any error is held for an outage")
	}
}

func FuzzListing(f *testing.F) {
	f.Add("12|RUNNING|None|orrery:a:7:1\n", "12|COMPLETED\n", "12;far")
	f.Add("CLUSTER: a\n1|PENDING|x|", "1.batch|FAILED", "")
	f.Add("1|A||\n1|A||\n|||\n", "|", ";")
	f.Fuzz(func(t *testing.T, queue, accounts, submitted string) {
		l := parseListing(queue, time.Time{})
		for id, r := range l.jobs {
			if number, _, _ := strings.Cut(id, "."); !isJobID(number) || !isState(r.state) {
				t.Errorf("a job %q in state %q", id, r.state)
			}
		}
		for tag, ids := range l.tagged {
			for _, id := range ids {
				if _, ok := l.jobs[id]; !ok || !strings.HasPrefix(tag, tagPrefix) {
					t.Errorf("%q is tagged %q", id, tag)
				}
			}
		}
		for id, r := range parseAccounts(accounts) {
			if !isJobID(id) || !isState(r.state) {
				t.Errorf("an account of %q in state %q", id, r.state)
			}
		}
		if id, ok := parseSubmitted(submitted); ok {
			if _, _, ok := split(id); !ok {
				t.Errorf("sbatch gave %q", id)
			}
		}
	})
}
