// Package testenv starts real things for tests and stops them: PostgreSQL, MariaDB, a Slurm cluster, nginx, Apache, Chromium, a Python with
// BioBlend, and Orrery itself with its web workers and job handlers.
//
// A test asks for what it needs, for example Postgres(t), and gets it ready to use; t.Cleanup gives it back. What a test
// process leaves behind when it is killed is cleaned up by a small shell process that waits for it to end (watchdog.go).
//
// A component that is not installed is installed when that is possible (as root, with apt); otherwise the test fails
// with the command to type. With go test -short, tests that need one are skipped.
//
// Begin with install.go, then the file named after the component. The package imports nothing of Orrery: the server under
// test is its binary. It is imported by tests only.
package testenv
