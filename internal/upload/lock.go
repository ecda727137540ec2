package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/sys/unix"
)

// locker lets one request at a time work on an upload, whichever web worker on whichever host got it. The lock is the
// kernel's on the upload's own file (flock), which shared file systems pass on to other hosts: it cannot outlive its
// holder, and leaves nothing behind.
//
// A browser that lost its connection sends the next request while the server still waits for the rest of the last one.
// So whoever comes later asks the holder to stop, which in another process is done by a file beside the upload.
type locker struct {
	dir string
	// look is how often a holder looks whether it is asked to stop, and retry how often one who waits tries again.
	look, retry time.Duration

	mu   sync.Mutex
	held map[string]func() // by upload: asks the holder in this process to stop
}

func newLocker(dir string) *locker {
	return &locker{dir: dir, look: time.Second, retry: 100 * time.Millisecond, held: map[string]func(){}}
}

// NewLock implements tus.Locker.
func (l *locker) NewLock(id string) (tus.Lock, error) {
	if !validUploadID(id) {
		return nil, tus.ErrNotFound
	}
	return &uploadLock{locker: l, id: id, path: filepath.Join(l.dir, id)}, nil
}

type uploadLock struct {
	locker   *locker
	id, path string
	file     *os.File
	released chan struct{}
}

// wish is the file by which another process asks for the lock.
func (u *uploadLock) wish() string { return u.path + ".stop" }

// Lock implements tus.Lock: it waits until the lock is free or ctx ends. release is called when somebody else wants it.
func (u *uploadLock) Lock(ctx context.Context, release func()) error {
	file, err := os.OpenFile(u.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return tus.ErrNotFound
	}
	if err != nil {
		return err
	}
	for asked := false; ; {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = file.Close()
			return fmt.Errorf("tus_upload_store has to be on a file system with locks (flock): %w", err)
		}
		if !asked {
			asked = true
			if err := u.ask(); err != nil {
				_ = file.Close()
				return err
			}
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return tus.ErrLockTimeout
		case <-time.After(u.locker.retry):
		}
	}
	_ = os.Remove(u.wish()) // it was meant for the holder before
	u.file, u.released = file, make(chan struct{})
	release = sync.OnceFunc(release)
	u.locker.mu.Lock()
	u.locker.held[u.id] = release
	u.locker.mu.Unlock()
	go u.watch(release)
	return nil
}

// ask tells the holder that somebody waits.
func (u *uploadLock) ask() error {
	u.locker.mu.Lock()
	release := u.locker.held[u.id]
	u.locker.mu.Unlock()
	if release != nil {
		release()
		return nil
	}
	file, err := os.OpenFile(u.wish(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// watch looks for wishes of other processes while the lock is held.
func (u *uploadLock) watch(release func()) {
	tick := time.NewTicker(u.locker.look)
	defer tick.Stop()
	for {
		select {
		case <-u.released:
			return
		case <-tick.C:
			if _, err := os.Lstat(u.wish()); err == nil {
				release()
				return
			}
		}
	}
}

// Unlock implements tus.Lock.
func (u *uploadLock) Unlock() error {
	close(u.released)
	u.locker.mu.Lock()
	delete(u.locker.held, u.id)
	u.locker.mu.Unlock()
	_ = os.Remove(u.wish()) // mostly there is none
	return u.file.Close()
}
