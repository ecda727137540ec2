package slurm

import (
	"fmt"
	"strings"

	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// over tells whether a job in this state does not run and will not. States that
// this program does not know are taken for those of a job that goes on.
func (r row) over() bool {
	switch r.state {
	case "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
		"RECONFIG_FAIL", "REVOKED", "TIMEOUT":
		return true
	}
	return false
}

// runs tells whether a job in this state has begun.
func (r row) runs() bool {
	switch r.state {
	case "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING":
		return true
	}
	return false
}

// killed tells whether the job's script did not come to its end, which it does
// after it wrote the exit code; so none is only late to be seen.
func (r row) killed() bool { return r.over() && r.state != "COMPLETED" }

// cause is why a job that is over came to its end, in words for a scientist.
// printed is the end of what Slurm and the job's script printed as errors.
func (r row) cause(printed string) (runner.Cause, string) {
	because := r.because()
	switch r.state {
	case "OUT_OF_MEMORY":
		return runner.MemoryLimit, "The job used more memory than the cluster had granted it, and was ended."
	case "TIMEOUT":
		return runner.WalltimeLimit, "The job ran longer than the cluster lets it, and was ended."
	case "DEADLINE":
		return runner.WalltimeLimit, "The job could not be done before the deadline that it was given, and was ended."
	case "NODE_FAIL", "BOOT_FAIL", "RECONFIG_FAIL":
		return runner.NodeFailure, "The machine of the cluster that the job was given failed. This is no fault of the job's." + because
	case "LAUNCH_FAILED":
		return runner.NodeFailure, "The machine of the cluster that the job was given could not start it." + because
	case "PREEMPTED":
		return runner.NodeFailure, "The cluster ended the job to make room for one that goes first. This is no fault of the job's."
	case "REVOKED":
		return runner.NodeFailure, "The cluster took the job back." + because
	}
	// Slurm's older ways to enforce memory kill the job and say why only here.
	switch memory(printed) {
	case certainly:
		return runner.MemoryLimit, "The job used more memory than the cluster had granted it, and was ended."
	case probably:
		return runner.MemoryLimit, "The job was ended, most likely because it used more memory than the cluster had granted it."
	}
	switch r.state {
	case "CANCELLED":
		return runner.Cancelled, "The job was cancelled on the cluster, by its administrator or a rule of theirs." + because
	case "FAILED":
		return runner.NoCause, "The job's script broke off on the cluster before it could tell how the tool ended." + because
	case "COMPLETED":
		return runner.NoCause, "The job ended on the cluster without a trace: its folder may not be the same there, or the disk may be full."
	}
	return runner.NoCause, ""
}

// because is a sentence with Slurm's reason, if it gives one.
func (r row) because() string {
	if r.reason == "" || r.reason == "None" || r.reason == "NonZeroExitCode" {
		return ""
	}
	return " Slurm gives as the reason: " + r.reason + "."
}

const (
	no = iota
	probably
	certainly
)

// memory tells whether Slurm's words say that memory was exceeded.
func memory(printed string) int {
	found := no
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.Contains(line, "slurm"):
		case strings.HasSuffix(line, "Exceeded job memory limit") || strings.Contains(line, "oom_kill event") ||
			strings.Contains(line, "oom-kill event") || strings.Contains(line, "exceeded memory limit") || strings.Contains(line, "out-of-memory"):
			return certainly
		case strings.Contains(line, "Exceeded job memory limit at some point") || strings.Contains(line, "Exceeded step memory limit"):
			found = probably
		}
	}
	return found
}

// printed is the end of what went wrong around a job's tool.
func printed(job runner.Job) string {
	text, err := jobdir.ReadBounded(job.Dir.JobStderr(), 8<<10)
	if err != nil {
		return ""
	}
	return text
}

// lost is what a scientist is told of a job that the cluster forgot.
func lost(id string) string {
	return fmt.Sprintf("The cluster does not know this job any more (its number there is %s), and keeps no accounts that would tell"+
		" how it ended. The job had begun, so it is not run again. An administrator can look on the cluster and end it here.", id)
}
