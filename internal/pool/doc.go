// Package pool is the membership of server processes in pools of job handlers:
// their instances and leases, and who takes which job.
//
// It imports galaxy, store and wake. Begin reading at member.go.
package pool
