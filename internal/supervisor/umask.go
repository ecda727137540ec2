package supervisor

import (
	"sync"
	"syscall"
)

// starting lets one process start at a time, since the umask that a child gets is this process's own while it starts.
var starting sync.Mutex

// forkExec starts a program with a umask, unless it is 0 or negative.
func forkExec(path string, argv []string, attr *syscall.ProcAttr, umask int) (int, error) {
	starting.Lock()
	defer starting.Unlock()
	if umask > 0 {
		defer syscall.Umask(syscall.Umask(umask))
	}
	return syscall.ForkExec(path, argv, attr)
}
