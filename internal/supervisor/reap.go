package supervisor

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reaper takes care of processes that become this process's children because their parent died: the shims of jobs that
// outlive their handler, when the supervisor is the first process of a container or marked as a subreaper. Otherwise
// each would stay as a zombie.
type reaper struct {
	isChild func(pid int) bool // one of ours, which is collected where it was started
	reaped  func(pid int)
	look    chan os.Signal
	done    chan struct{}
}

// startReaper returns nil when orphans do not come to this process.
func startReaper(log *slog.Logger, isChild func(pid int) bool, reaped func(pid int)) *reaper {
	var subreaper int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&subreaper)), 0, 0, 0); err != nil {
		log.Warn("cannot find out whether orphans come here", "error", err)
	}
	if os.Getpid() != 1 && subreaper == 0 {
		return nil
	}
	r := &reaper{isChild: isChild, reaped: reaped, look: make(chan os.Signal, 1), done: make(chan struct{})}
	signal.Notify(r.look, syscall.SIGCHLD)
	go func() {
		defer close(r.done)
		for range r.look {
			r.collect()
		}
	}()
	return r
}

func (r *reaper) stop() {
	if r == nil {
		return
	}
	signal.Stop(r.look)
	close(r.look)
	<-r.done
}

// again asks for another look, after one of ours was collected.
func (r *reaper) again() {
	if r == nil {
		return
	}
	select {
	case r.look <- syscall.SIGCHLD:
	default: // one is asked for already
	}
}

// collect collects every ended process that is not one of ours. waitid shows one ended process at a time, so one of ours
// that is not collected yet ends the round; again starts the next one.
func (r *reaper) collect() {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		pid := int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPIDOffset)))
		if err != nil || pid == 0 || r.isChild(pid) {
			return
		}
		if _, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err != nil {
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			return
		}
		r.reaped(pid)
	}
}

// siginfoPIDOffset is where siginfo_t keeps si_pid: after three 32-bit numbers and, on 64-bit systems, their padding.
const siginfoPIDOffset = 12 + unsafe.Sizeof(uintptr(0)) - 4
