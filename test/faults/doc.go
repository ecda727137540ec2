// Package faults runs many short jobs on many handlers while handlers are killed, paused, stopped, cut off from the
// database and started anew, and while the database itself is restarted; then it looks whether every job ran exactly
// once and nothing was lost or left behind.
//
// `make test` has a small run on each engine, `make test-faults` a large one. Both print a seed; FAULTS_SEED=… makes the
// same jobs and the same faults at the same times again. FAULTS_JOBS, FAULTS_SLURM_JOBS (on a cluster, besides),
// FAULTS_HANDLERS, FAULTS_USERS, FAULTS_SLOTS, FAULTS_LEASE (seconds) and FAULTS_ENGINES (postgresql,mariadb,sqlite) choose another size; FAULTS_LOGS names
// a folder for the handlers' whole logs when a run has failed.
//
// It imports testenv alone. Begin reading at faults_test.go; plan_test.go makes the plan from the seed, fleet_test.go runs
// the handlers, jobs_test.go submits, check_test.go looks at what is left.
package faults
