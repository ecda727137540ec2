package listen

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// AsUser runs a function with the rights that a user and group have on files; afterwards they are root's again. What root
// makes in folders that the user can write into would else go wherever the user's links point. Only the function itself
// has those rights, not what it starts: they are its thread's. Without a user, or when this process is not root's, the
// function just runs.
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
	runtime.LockOSThread()
	defer func() {
		// In the order in which each step is allowed: the kernel gives root's rights back with the number.
		failed := errors.Join(onFiles(syscall.SYS_SETFSUID, 0), onFiles(syscall.SYS_SETFSGID, os.Getegid()), threadGroups(roots))
		if failed != nil {
			// The thread is no good any more. It stays this goroutine's and ends with it.
			err = errors.Join(err, fmt.Errorf("becoming root again: %w", failed))
			return
		}
		runtime.UnlockOSThread()
	}()
	if err := errors.Join(threadGroups(groups), onFiles(syscall.SYS_SETFSGID, gid), onFiles(syscall.SYS_SETFSUID, uid)); err != nil {
		return fmt.Errorf("looking at files as the user %s: %w", userName, err)
	}
	return f()
}

// onFiles sets the user or group that counts for files, for this thread. The kernel tells no error, but what it was before:
// a second call, with a number that is none, says what it is now.
func onFiles(call uintptr, id int) error {
	const none = 1<<32 - 1
	_, _, _ = syscall.RawSyscall(call, uintptr(id), 0, 0)
	if now, _, _ := syscall.RawSyscall(call, none, 0, 0); int(now) != id {
		return fmt.Errorf("it is %d for files, not %d", now, id)
	}
	return nil
}

// threadGroups sets this thread's further groups; [syscall.Setgroups] would set those of all.
func threadGroups(groups []int) error {
	numbers := make([]uint32, len(groups)+1)
	for i, g := range groups {
		numbers[i] = uint32(g)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&numbers[0])), 0); errno != 0 {
		return fmt.Errorf("setting groups: %w", errno)
	}
	return nil
}
