// Package pool is the membership of server processes in pools of job handlers:
// their instances and leases, who takes which job, and who takes over.
//
// A Member is one process (member.go). It renews its lease, mostly by the one
// process of its host that does so for all and looks into the database for all
// (host.go); it claims new jobs, and takes over those of processes that are gone.
// An Assigner (assign.go) decides what is written into job.handler of a new job.
// operate.go is what administrators do with all of it, limit.go the limits on
// jobs at once.
//
// It imports galaxy, store and wake. Begin reading at member.go.
package pool
