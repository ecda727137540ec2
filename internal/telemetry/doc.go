// Package telemetry is what the server says about itself: one log file per process, in lines that a person reads, and
// the memory that its processes use.
//
// It may import internal/galaxy and nothing else of ours. Begin reading at [Open] in log.go; line.go renders one line,
// memory.go reads /proc, profile.go offers Go's profiles to developers.
package telemetry
