package supervisor

import (
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// starting lets one process start at a time, since the umask that a child gets is this process's own while it starts.
var starting sync.Mutex

// forkExec starts a program with a umask, unless it is 0 or negative, and with no signal blocked: this process may have
// been started with some blocked when it took the place of its predecessor.
func forkExec(path string, argv []string, attr *syscall.ProcAttr, umask int) (int, error) {
	starting.Lock()
	defer starting.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &before); err != nil {
		return 0, err
	}
	defer setMask(&before)
	if umask > 0 {
		defer syscall.Umask(syscall.Umask(umask))
	}
	return syscall.ForkExec(path, argv, attr)
}

// setMask gives the thread its mask of signals back; with a mask that it had it cannot fail.
func setMask(mask *unix.Sigset_t) { _ = unix.PthreadSigmask(unix.SIG_SETMASK, mask, nil) }
