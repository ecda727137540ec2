package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSlurmRunsAJob(t *testing.T) {
	cluster := Slurm(t)
	output := filepath.Join(t.TempDir(), "output")
	cluster.Run("sbatch", "--output="+output, "--cpus-per-task=3", "--wrap=echo $SLURM_CPUS_ON_NODE")
	Poll(t, "the job's output", Patience, func() bool {
		text, err := os.ReadFile(output)
		return err == nil && string(text) == "3\n"
	})
}

func TestSlurmKeepsAccountsIfAsked(t *testing.T) {
	cluster := SlurmWithAccounts(t)
	id := strings.TrimSpace(cluster.Run("sbatch", "--parsable", "--output=/dev/null", "--wrap=exit 3"))
	Poll(t, "the job's account", Patience, func() bool {
		return cluster.Run("sacct", "--noheader", "--parsable2", "--allocations", "--format=State,ExitCode", "--jobs="+id) == "FAILED|3:0\n"
	})
}

func TestTwoSlurmsKnowNothingOfEachOther(t *testing.T) {
	one, two := Slurm(t), Slurm(t)
	one.Run("sbatch", "--hold", "--output=/dev/null", "--job-name=of_one", "--wrap=true")
	if got := one.Run("squeue", "--noheader", "--format=%j"); strings.TrimSpace(got) != "of_one" {
		t.Errorf("the first lists %q", got)
	}
	if got := two.Run("squeue", "--noheader", "--format=%j"); got != "" {
		t.Errorf("the second lists %q", got)
	}
}

func TestASlurmControllerRemembersItsJobsUnlessTold(t *testing.T) {
	cluster := Slurm(t)
	cluster.Run("sbatch", "--hold", "--output=/dev/null", "--wrap=true")
	cluster.StopController()
	cluster.StartController()
	if got := cluster.Run("squeue", "--noheader", "--format=%T"); strings.TrimSpace(got) != "PENDING" {
		t.Errorf("after the outage: %q", got)
	}
	cluster.Set("MaxJobCount=3")
	if got := cluster.Run("scontrol", "show", "config"); !strings.Contains(got, "MaxJobCount             = 3\n") {
		t.Errorf("the setting is not there:\n%s", got)
	}
	cluster.ForgetJobs()
	if got := cluster.Run("squeue", "--noheader", "--states=all"); got != "" {
		t.Errorf("it still knows %q", got)
	}
}
