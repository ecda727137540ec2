// Package admin is what the whole server says about itself to its administrator: the metrics of all processes together,
// health, a report, and uWSGI's stats server. It asks the processes on their sockets in the run folder, and the
// supervisor for what it knows of them.
//
// It may import galaxy, telemetry, supervisor and listen. Begin reading at [Serve] in serve.go; collect.go asks the
// processes, merge.go makes one text of their metrics, stats.go writes uWSGI's format, queue.go asks the kernel who
// waits to be accepted.
package admin
