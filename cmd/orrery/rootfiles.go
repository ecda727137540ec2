package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"orrery/internal/listen"
)

// A server that root starts and that serves as somebody else makes folders and
// a log before it gives root up, and whoever that is may have had the folders
// before, and put links into them. So files are made as that user, and as root
// only where none but root could have prepared anything.

// asUser makes a file or folder at path with the rights of the user that the
// server becomes; where that user may not, and the folder is one of root's, as
// root.
func (r *server) asUser(path string, f func() error) error {
	if r.plan == nil || r.plan.User == "" || os.Geteuid() != 0 {
		return f()
	}
	err := listen.AsUser(r.plan.User, r.plan.Group, f)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if foreign := notRoots(filepath.Dir(path)); foreign != nil {
		return fmt.Errorf("%w; and root does not, for %w", err, foreign)
	}
	return f()
}

// makeFolder makes a folder, and those above it that are missing, for the user
// that the server becomes.
func (r *server) makeFolder(dir string, mode fs.FileMode) error {
	var missing []string
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, at)
	}
	err := r.asUser(dir, func() error { return os.MkdirAll(dir, mode) })
	if err != nil || r.plan.User == "" || os.Geteuid() != 0 {
		return err
	}
	uid, gid, err := r.becomes()
	for _, made := range missing {
		err = errors.Join(err, giveTo(made, uid, gid))
	}
	return err
}

// becomes are the numbers of the user and group that the server becomes.
func (r *server) becomes() (uid, gid int, err error) {
	user, err := listen.LookupUser(r.plan.User)
	if err != nil {
		return 0, 0, err
	}
	if gid = user.GID; r.plan.Group != "" {
		gid, err = listen.LookupGroup(r.plan.Group)
	}
	return user.UID, gid, err
}

// notRoots says what keeps a path from being root's alone: a link or folder on
// the way that somebody else may change.
func notRoots(path string) error {
	at := "/"
	for _, name := range strings.Split(filepath.Clean(path), "/") {
		at = filepath.Join(at, name)
		var st unix.Stat_t
		err := unix.Lstat(at, &st)
		if errors.Is(err, unix.ENOENT) {
			return nil // what is made next is root's
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if st.Uid != 0 {
			return fmt.Errorf("%s is the user %d's, who could lead root astray", at, st.Uid)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			to, err := filepath.EvalSymlinks(at)
			if err != nil {
				return err
			}
			if err := notRoots(to); err != nil {
				return err
			}
		} else if st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
			return fmt.Errorf("%s can be changed by others than root, who could lead root astray", at)
		}
	}
	return nil
}

// giveTo gives a file or folder of root's to a user, in whose folders it may
// lie. Links on the way that are not root's, and files that have other names as
// well, stay what they are: they may be the user's way to something else.
func giveTo(path string, uid, gid int) error {
	folder, err := walkTo(filepath.Dir(path), 0)
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	fd, err := unix.Openat(folder, filepath.Base(path), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	kind := st.Mode & unix.S_IFMT
	if st.Uid != 0 || kind == unix.S_IFLNK || kind != unix.S_IFDIR && st.Nlink > 1 {
		return nil
	}
	if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// walkTo opens a folder by an absolute path, and follows no link on the way
// that is not root's.
func walkTo(path string, links int) (fd int, err error) {
	if links > 40 {
		return -1, fmt.Errorf("%s: %w", path, unix.ELOOP)
	}
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	names := strings.FieldsFunc(filepath.Clean(path), func(c rune) bool { return c == '/' })
	for i, name := range names {
		next, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		here := at
		if err != nil {
			_ = unix.Close(here)
			return -1, fmt.Errorf("%s: %w", path, err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(next, &st); err != nil {
			_, _ = unix.Close(here), unix.Close(next)
			return -1, fmt.Errorf("%s: %w", path, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			_ = unix.Close(here)
			at = next
			continue
		}
		place := "/" + filepath.Join(names[:i+1]...)
		target := make([]byte, 4096)
		n, err := unix.Readlinkat(next, "", target)
		_, _ = unix.Close(here), unix.Close(next)
		if err != nil {
			return -1, fmt.Errorf("%s: %w", place, err)
		}
		if st.Uid != 0 || st.Nlink > 1 {
			return -1, fmt.Errorf("%s is a link that is not root's, and root does not follow it; write the path without it", place)
		}
		to := string(target[:n])
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(place), to)
		}
		return walkTo(filepath.Join(append([]string{to}, names[i+1:]...)...), links+1)
	}
	return at, nil
}
