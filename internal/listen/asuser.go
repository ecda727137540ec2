package listen

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// AsUser runs a function with the rights that a user and group have on files, in all threads; afterwards they are root's
// again. What root makes in folders that the user can write into would else go wherever the user's links point. Ports
// below 1024 can be bound meanwhile. Without a user, or when this process is not root's, the function just runs.
func AsUser(userName, group string, f func() error) (err error) {
	if userName == "" || os.Geteuid() != 0 {
		return f()
	}
	uid, gid, groups, err := target(userName, group)
	if err != nil {
		return err
	}
	if uid == 0 {
		return f()
	}
	roots, err := syscall.Getgroups()
	if err != nil {
		return err
	}
	// In the order in which each step is still allowed; the kernel takes the rights on files away, and gives them back,
	// with the number.
	back := func() error {
		return errors.Join(onFiles(syscall.SYS_SETFSUID, 0), onFiles(syscall.SYS_SETFSGID, os.Getegid()), syscall.Setgroups(roots))
	}
	if err := errors.Join(syscall.Setgroups(groups), onFiles(syscall.SYS_SETFSGID, gid), onFiles(syscall.SYS_SETFSUID, uid)); err != nil {
		return errors.Join(fmt.Errorf("looking at files as the user %s: %w", userName, err), back())
	}
	defer func() {
		if failed := back(); failed != nil {
			err = errors.Join(err, fmt.Errorf("becoming root again: %w", failed))
		}
	}()
	return f()
}

// onFiles sets the user or group that counts for files. The kernel tells no error, but what it is: a second call, with a
// number that is none, says that.
func onFiles(call uintptr, id int) error {
	if _, _, errno := syscall.AllThreadsSyscall(call, uintptr(id), 0, 0); errno == syscall.ENOTSUP {
		return errors.New("this program was built with cgo, and cannot change the rights of all its threads")
	}
	const none = 1<<32 - 1
	if now, _, _ := syscall.AllThreadsSyscall(call, none, 0, 0); int(now) != id {
		return fmt.Errorf("it is %d for files, not %d", now, id)
	}
	return nil
}
