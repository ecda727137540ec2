// Package runner is the contract between a job handler and what runs jobs: the
// local machine, a cluster. Each runner is a package of its own below this one.
//
// It may import internal/galaxy and internal/jobdir.
package runner
