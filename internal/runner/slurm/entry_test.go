package slurm

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// attempt is the folder of an attempt in a state that a test wants.
func attempt(t *testing.T, files map[string]string) runner.Job {
	t.Helper()
	job := runner.Job{Dir: jobdir.Of(t.TempDir(), 7), Attempt: 1}
	if err := job.Dir.Create(); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(job.Dir.Path, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return job
}

// Files that a run leaves.
const (
	started  = "attempt-1/started"
	run      = "attempt-1/run"
	exitCode = "attempt-1/exit_code"
	stderr   = "outputs/job_stderr"
)

func TestWhatBecameOfAnAttempt(t *testing.T) {
	begun := map[string]string{started: "", run: "99 boot host 12\n"}
	with := func(more ...string) map[string]string {
		files := map[string]string{}
		for name, text := range begun {
			files[name] = text
		}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	type answer struct {
		end   runner.End
		cause runner.Cause
	}
	going := answer{end: -1}
	for name, c := range map[string]struct {
		files    map[string]string
		ids      []string
		listing  map[string]row
		accounts map[string]row
		stopped  bool
		want     answer // after a long time
	}{
		"it waits":                           {ids: []string{"12"}, listing: map[string]row{"12": {"PENDING", "Resources"}}, want: going},
		"it runs":                            {files: begun, ids: []string{"12"}, listing: map[string]row{"12": {"RUNNING", "None"}}, want: going},
		"it is in a state that nobody knows": {files: begun, ids: []string{"12"}, listing: map[string]row{"12": {"DREAMING", "None"}}, want: going},
		"it left an exit code, and Slurm is down": {files: with(exitCode, "0 1 2 1\n"), want: answer{end: runner.Finished}},
		"the exit code is being written":          {files: with(exitCode, "0 1"), listing: map[string]row{"12": {"RUNNING", "None"}}, want: going},
		"the tool failed":                         {files: with(exitCode, "1 1 2 1\n"), listing: map[string]row{"12": {"COMPLETED", "None"}}, want: answer{end: runner.Finished}},
		"the tool failed, and Slurm is down":      {files: with(exitCode, "1 1 2 1\n"), want: answer{end: runner.Finished}},
		"a process of the tool used too much memory": {files: with(exitCode, "137 1 2 1\n"), listing: map[string]row{"12": {"OUT_OF_MEMORY", "OutOfMemory"}},
			want: answer{runner.Finished, runner.MemoryLimit}},
		"too much memory in Slurm's words, and Slurm is down": {files: with(exitCode, "137 1 2 1\n", stderr, "slurmstepd: error: Detected 1 oom_kill event in StepId=12.batch. Some of the step tasks have been OOM Killed.\n"),
			want: answer{runner.Finished, runner.MemoryLimit}},
		"killed for memory":   {files: begun, listing: map[string]row{"12": {"OUT_OF_MEMORY", "OutOfMemory"}}, want: answer{runner.Died, runner.MemoryLimit}},
		"killed for its time": {files: begun, listing: map[string]row{"12": {"TIMEOUT", "TimeLimit"}}, want: answer{runner.Died, runner.WalltimeLimit}},
		"past its deadline":   {files: begun, listing: map[string]row{"12": {"DEADLINE", "None"}}, want: answer{runner.Died, runner.WalltimeLimit}},
		"its node failed":     {files: begun, listing: map[string]row{"12": {"NODE_FAIL", "NodeDown"}}, want: answer{runner.Died, runner.NodeFailure}},
		"made way":            {files: begun, listing: map[string]row{"12": {"PREEMPTED", "None"}}, want: answer{runner.Died, runner.NodeFailure}},
		"cancelled":           {files: begun, listing: map[string]row{"12": {"CANCELLED", "None"}}, want: answer{runner.Died, runner.Cancelled}},
		"cancelled for memory": {files: with(stderr, "slurmstepd: error: Exceeded job memory limit\n"), listing: map[string]row{"12": {"CANCELLED", "None"}},
			want: answer{runner.Died, runner.MemoryLimit}},
		"cancelled, memory being short at some point": {files: with(stderr, "slurmstepd: error: StepId=12.batch: Exceeded job memory limit at some point.\n"),
			listing: map[string]row{"12": {"CANCELLED", "None"}}, want: answer{runner.Died, runner.MemoryLimit}},
		"its script broke off":       {files: begun, listing: map[string]row{"12": {"FAILED", "NonZeroExitCode"}}, want: answer{end: runner.Died}},
		"it ended without a trace":   {files: begun, listing: map[string]row{"12": {"COMPLETED", "None"}}, want: answer{end: runner.Died}},
		"its number was not noted":   {files: begun, listing: map[string]row{"12": {"TIMEOUT", "None"}}, want: answer{runner.Died, runner.WalltimeLimit}},
		"the other submission ended": {files: begun, ids: []string{"12", "13"}, listing: map[string]row{"12": {"RUNNING", "None"}, "13": {"COMPLETED", "None"}}, want: going},
		"the other submission waits": {files: begun, ids: []string{"12", "13"}, listing: map[string]row{"12": {"TIMEOUT", "None"}, "13": {"PENDING", "None"}}, want: answer{runner.Died, runner.WalltimeLimit}},
		"one of two ended, and it is not known which ran": {files: map[string]string{started: ""}, ids: []string{"12", "13"},
			listing: map[string]row{"12": {"TIMEOUT", "None"}, "13": {"RUNNING", "None"}}, want: going},
		"one of two is not known, nor which ran": {files: map[string]string{started: ""}, ids: []string{"12", "13"},
			listing: map[string]row{"12": {"TIMEOUT", "None"}}, want: answer{end: runner.Unknown}},
		"Slurm forgot it":                        {files: begun, ids: []string{"12"}, want: answer{end: runner.Unknown}},
		"Slurm forgot it, and it was stopped":    {files: begun, ids: []string{"12"}, stopped: true, want: answer{runner.Died, runner.Cancelled}},
		"Slurm forgot it, but not its account":   {files: begun, ids: []string{"12"}, accounts: map[string]row{"12": {state: "TIMEOUT"}}, want: answer{runner.Died, runner.WalltimeLimit}},
		"Slurm forgot it before it began":        {ids: []string{"12"}, want: answer{runner.Died, runner.NodeFailure}},
		"nobody knows that it was submitted":     {want: answer{runner.Died, runner.NodeFailure}},
		"cancelled before it began":              {ids: []string{"12"}, listing: map[string]row{"12": {"CANCELLED", "None"}}, want: answer{runner.Died, runner.Cancelled}},
		"refused after it was taken":             {ids: []string{"12"}, listing: map[string]row{"12": {"FAILED", "BadConstraints"}}, want: answer{runner.Died, runner.NodeFailure}},
		"it ended where its folder is not there": {ids: []string{"12"}, listing: map[string]row{"12": {"COMPLETED", "None"}}, want: answer{runner.Died, runner.NodeFailure}},
		"its tool was ended with its node": {files: with(exitCode, "143 1 2 1\n"), listing: map[string]row{"12": {"NODE_FAIL", "NodeDown"}},
			want: answer{runner.Died, runner.NodeFailure}},
		"its tool was ended by somebody": {files: with(exitCode, "143 1 2 1\n"), listing: map[string]row{"12": {"CANCELLED", "None"}},
			want: answer{runner.Finished, runner.Cancelled}},
		"stopped": {files: begun, stopped: true, listing: map[string]row{"12": {"CANCELLED", "None"}}, want: answer{runner.Died, runner.Cancelled}},
	} {
		t.Run(name, func(t *testing.T) {
			job := attempt(t, c.files)
			now := time.Now()
			said := 0
			job.Begun = func() { said++ }
			e := &entry{job: job, ids: c.ids, times: usual, accounts: c.accounts, entered: now, stopped: c.stopped}
			got := going
			// Slurm answers every five seconds for a minute.
			for after := time.Second; after <= time.Minute; after += 5 * time.Second {
				var l *listing
				if c.listing != nil || c.ids != nil || c.files == nil {
					l = &listing{asked: now.Add(after), jobs: c.listing}
				}
				ended, ending, err := e.look(now.Add(after), target{}, l)
				if err != nil {
					t.Fatal(err)
				}
				if ended {
					got = answer{ending.End, ending.Cause}
					if (ending.End != runner.Finished || ending.Cause != runner.NoCause) == (ending.Message == "") {
						t.Errorf("the message is %q", ending.Message)
					}
					break
				}
			}
			if got != c.want {
				t.Errorf("it came to %+v, want %+v", got, c.want)
			}
			if _, began := c.files[started]; began && said != 1 {
				t.Errorf("it was said %d times to have begun", said)
			} else if !began && said > 0 {
				t.Error("it was said to have begun")
			}
			if got.end == runner.Died && c.files == nil && !job.Dir.Voided(1) {
				t.Error("it may still begin")
			}
		})
	}
}

func TestAnExitCodeMayBeLateToBeSeen(t *testing.T) {
	job := attempt(t, map[string]string{started: "", run: "99 boot host 12\n"})
	now := time.Now()
	e := &entry{job: job, times: usual, entered: now}
	l := &listing{asked: now.Add(time.Second), jobs: map[string]row{"12": {"COMPLETED", "None"}}}
	for _, after := range []time.Duration{2 * time.Second, usual.late} {
		if ended, ending, err := e.look(now.Add(after), target{}, l); ended || err != nil {
			t.Fatalf("after %v: %+v, %v", after, ending, err)
		}
	}
	if err := os.WriteFile(filepath.Join(job.Dir.Path, exitCode), []byte("0 1 2 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if ended, ending, err := e.look(now.Add(3*usual.late), target{}, l); !ended || err != nil || ending.End != runner.Finished {
		t.Errorf("%v, %+v, %v", ended, ending, err)
	}
}

func TestAnAnswerFromBeforeTheSubmissionSaysNothing(t *testing.T) {
	job := attempt(t, nil)
	now := time.Now()
	e := &entry{job: job, ids: []string{"12"}, times: usual, entered: now}
	l := &listing{asked: now.Add(-time.Second)}
	for i := range 100 {
		if ended, ending, err := e.look(now.Add(time.Duration(i)*time.Second), target{}, l); ended || err != nil {
			t.Fatalf("%+v, %v", ending, err)
		}
	}
}

func TestAFolderThatCannotBeReadIsNotHeldAgainstTheJob(t *testing.T) {
	job := attempt(t, map[string]string{started: ""})
	if err := os.Mkdir(filepath.Join(job.Dir.Path, exitCode), 0o755); err != nil {
		t.Fatal(err)
	}
	e := &entry{job: job, times: usual}
	if e.attend(time.Now(), target{}, nil); !e.ended || e.err != nil || e.ending.End != runner.Unknown || e.ending.Message == "" {
		t.Errorf("%v, %+v, %v", e.ended, e.ending, e.err)
	}
	job = attempt(t, map[string]string{started: "", exitCode: "nonsense\n"})
	e = &entry{job: job, times: usual}
	if e.attend(time.Now(), target{}, nil); !e.ended || e.err == nil {
		t.Errorf("an exit code that is none: %v, %+v, %v", e.ended, e.ending, e.err)
	}
}

func TestASubmissionIsNotedOnce(t *testing.T) {
	job := attempt(t, nil)
	if _, ok, err := readRecord(job); ok || err != nil {
		t.Fatalf("a record that nobody made: %v, %v", ok, err)
	}
	first, fresh, err := openRecord(job)
	if err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	for _, id := range []string{"12", "12", "13.far", stoppedLine} {
		if err := addRecord(job, id); err != nil {
			t.Fatal(err)
		}
	}
	again, fresh, err := openRecord(job)
	if err != nil || fresh || again.nonce != first.nonce || len(again.ids) != 2 || !again.stopped {
		t.Errorf("fresh %v, %+v, %v; was %+v", fresh, again, err, first)
	}
	other, _, err := openRecord(attempt(t, nil))
	if err != nil || other.tag(job) == first.tag(job) {
		t.Errorf("two attempts have one tag, %v", err)
	}
}
