package main

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// handlerNice is the priority of job handlers and of the jobs that they start: on
// a busy machine pages and submissions, for which people wait, go first.
const handlerNice = 5

// handlerSessionNice is the same for a handler's whole session. It may be lower:
// what shares a processor with it is this server's.
const handlerSessionNice = "10"

// giveWay lowers this process's priority, unless an administrator has chosen one.
func giveWay() error {
	// The system call gives 20 minus the nice value.
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || now != 20 {
		return err
	}
	// Where the kernel groups processes by session (sched_autogroup), a nice value
	// counts within a session only. Supervised handlers lead one of their own; a
	// terminal's session is not ours to weigh, and not every kernel has such groups.
	if sid, err := unix.Getsid(0); err == nil && sid == os.Getpid() {
		_ = os.WriteFile("/proc/self/autogroup", []byte(handlerSessionNice), 0)
	}
	// Linux keeps a priority for each thread; new ones take over their maker's.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, handlerNice); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
