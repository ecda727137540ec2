package pool

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// place names the kernel and the namespace of process ids that this process lives
// in. Two processes of one place see each other's ids. It is empty where the
// kernel does not tell; then nobody judges by process ids.
func place() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}

// processStart is when a process began, in the kernel's ticks; ok is false when
// there is no such process, or only what is left of one that ended.
func processStart(pid int) (ticks int64, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	return parseStat(stat)
}

// parseStat reads the start from a process's line in the kernel's format.
func parseStat(stat []byte) (ticks int64, ok bool) {
	// The second field is the program's name in parentheses, which may hold
	// anything.
	_, rest, found := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	fields := strings.Fields(string(rest))
	if !found || len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	return ticks, err == nil
}
