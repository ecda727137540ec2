package main

import (
	"errors"
	"os"
	"strconv"
	"time"

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
	_ = weighSession(handlerSessionNice) // not every kernel groups processes so
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

// errNotOurs is the answer for a session that is somebody's terminal.
var errNotOurs = errors.New("this process does not lead its session")

// weighSession sets the weight of this process's session as a nice value. Where
// the kernel groups processes by session (sched_autogroup), an ordinary nice value
// counts within a session only; supervised processes have one each.
func weighSession(nice string) error {
	if sid, err := unix.Getsid(0); err != nil || sid != os.Getpid() {
		return errNotOurs
	}
	return os.WriteFile("/proc/self/autogroup", []byte(nice), 0)
}

// raiseSession gives the session its usual weight. The kernel lets ordinary
// users change ten in a second, all together, so that it may have to wait.
func raiseSession(nice string) {
	for errors.Is(weighSession(nice), unix.EAGAIN) {
		time.Sleep(100 * time.Millisecond)
	}
}
