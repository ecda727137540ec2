package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openUnix listens on a UNIX socket, which nobody can connect to before it has the mode, owner and group that it shall
// have. One whose listener is gone is replaced: nobody could be served there. One in use never is.
func openUnix(a Address, spec Spec) (*Socket, error) {
	if a.abstract() {
		// An owner says whose the socket is, which it has none of; a mode says who may connect.
		if spec.Mode != 0 && spec.Mode&0o002 == 0 {
			return nil, fmt.Errorf("cannot listen on %s with mode %o: a name in the abstract namespace has no mode, everybody on this host may connect; use a path", a, spec.Mode)
		}
		return bindUnix(a, spec)
	}
	uid, gid, err := owners(spec)
	if err != nil {
		return nil, explain(a, err)
	}
	// One process at a time: between finding a dead socket, removing it and binding anew, another must not do the same.
	unlock, err := lockFolder(filepath.Dir(a.Name))
	if err != nil {
		return nil, explain(a, err)
	}
	defer unlock()
	if err := removeDead(a); err != nil {
		return nil, err
	}
	s, err := bindUnix(a, spec)
	if err != nil {
		return nil, err
	}
	if err := settle(a.Name, spec.mode(), uid, gid); err != nil {
		s.Close()
		os.Remove(a.Name)
		return nil, explain(a, err)
	}
	return s, nil
}

// owners looks up whom a UNIX socket is given to; -1 leaves it.
func owners(spec Spec) (uid, gid int, err error) {
	uid, gid = -1, -1
	if spec.Owner != "" {
		u, err := LookupUser(spec.Owner)
		if err != nil {
			return 0, 0, err
		}
		uid = u.UID
	}
	if spec.Group != "" {
		if gid, err = LookupGroup(spec.Group); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}

// lockWait is how long another process may hold the folder of a UNIX socket.
const lockWait = 5 * time.Second

// lockFolder holds the lock of a folder. A file of its own would be one that another user, after a change of users, cannot
// open any more. Where folders cannot be locked, as on some network file systems, it does without.
func lockFolder(dir string) (unlock func(), err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		return func() {}, nil // a folder that we may write to and not list
	}
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(lockWait); ; {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		if time.Now().After(until) {
			unix.Close(fd)
			return nil, fmt.Errorf("another program holds the lock of the folder %s", dir)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return func() { unix.Close(fd) }, nil
}

// removeDead removes the path of a UNIX socket that nobody listens on.
func removeDead(a Address) error {
	info, err := os.Lstat(a.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain(a, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("cannot listen on %s: there is a file at that path which is no socket; remove it or choose another path", a)
	}
	switch err := dial(a.Name); {
	case err == nil, errors.Is(err, syscall.EAGAIN): // the latter has a full queue
		return explain(a, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES) && info.Mode().Perm() == 0:
		// What a process leaves that was killed in [settle]: nobody but root could have connected.
	case !errors.Is(err, syscall.ECONNREFUSED):
		return explain(a, err)
	}
	if err := os.Remove(a.Name); err != nil {
		return explain(a, err)
	}
	return nil
}

// dial tells whether somebody listens at a path.
func dial(path string) error {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

// bindUnix binds and listens. A socket in the file system has mode 0 then: the mode of the socket's own inode, not only the
// umask, which belongs to the whole process, limits the mode of the path. Where a socket's inode has no mode of its own, the
// umask has to do for a moment.
func bindUnix(a Address, spec Spec) (*Socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, explain(a, err)
	}
	restore := func() {}
	if !a.abstract() && unix.Fchmod(fd, 0) != nil {
		before := unix.Umask(0o777)
		restore = func() { unix.Umask(before) }
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: a.Name})
	restore()
	if err == nil {
		// The kernel takes what it allows, net.core.somaxconn.
		backlog := spec.Backlog
		if backlog == 0 {
			backlog = math.MaxInt32
		}
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return nil, explain(a, err)
	}
	return &Socket{Address: a, fd: fd}, nil
}

// settle gives a socket that was just bound its owner and mode. It holds on to what it looked at, for in a folder that others
// write to, the path may be another file by the next call.
func settle(path string, mode fs.FileMode, uid, gid int) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
		return errors.New("another program put a file of its own there")
	}
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("giving it to its owner: %w", err)
		}
	}
	return os.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
}
