// Package slurm runs jobs on a Slurm cluster by its commands: sbatch hands them
// over, one squeue at a time (and sacct, where the cluster keeps accounts) asks
// for all of them, scancel ends them. It serves destinations that were written
// for Galaxy's slurm, drmaa and cli runners.
//
// Each attempt is submitted with a comment that no other has, written into the
// attempt's folder first; so what sbatch did is found again although the handler
// died before sbatch answered. That an attempt has died is said only when Slurm
// says so, or when the attempt's own files prove that it never ran.
//
// Begin reading at slurm.go; params.go makes sbatch's arguments, command.go runs
// the commands, listing.go reads what they print, state.go says what Slurm's
// states mean, engine.go asks for all jobs at once, and entry.go concludes.
//
// It may import internal/galaxy, internal/jobdir and internal/runner.
package slurm
