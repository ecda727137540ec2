package wake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// roleCheck is how often a process tries to get a role that another has.
const roleCheck = 500 * time.Millisecond

// Hold runs f while this process is the one of its host that has a role, again
// and again until ctx ends; f must return when its context ends. Whichever process
// asks first has the role, and when it dies another one gets it within a second.
func (b *Bus) Hold(ctx context.Context, role string, f func(ctx context.Context)) {
	for ctx.Err() == nil {
		release, err := b.seize(role)
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			b.log.Warn("a role among the processes of this host cannot be had", "role", role, "error", err)
		}
		if err == nil {
			having, end := context.WithCancel(ctx)
			go b.yield(having, end, role)
			f(having)
			end()
			release()
		}
		timer := time.NewTimer(roleCheck/2 + rand.N(roleCheck))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// yield ends the role of a process that was taken for dead, once it sees so.
func (b *Bus) yield(ctx context.Context, end func(), role string) {
	tick := time.NewTicker(roleCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if holder, err := os.Readlink(b.roleLink(role)); err != nil || holder != b.socket {
			end()
			return
		}
	}
}

// depose frees the roles of a process that does not answer: it may have been
// stopped, and holds its locks nevertheless. That two have a role for a moment
// harms nobody, since what they do may be done twice.
func (b *Bus) depose(socket string) {
	links, err := filepath.Glob(filepath.Join(b.dir, "*.role"))
	if err != nil {
		return
	}
	for _, link := range links {
		if holder, err := os.Readlink(link); err != nil || holder != socket {
			continue
		}
		b.log.Warn("a process of this host does not answer; another one does its part", "socket", socket)
		for _, path := range []string{link, link[:len(link)-len(".role")] + ".lock"} {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				b.log.Warn("freeing a role failed", "error", err)
			}
		}
	}
}

// seize takes a role if nobody has it.
func (b *Bus) seize(role string) (release func(), err error) {
	lock, err := os.OpenFile(filepath.Join(b.dir, fileName(role, 40)+".lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	link := b.roleLink(role)
	next := link + ".next"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, lock.Close())
	}
	if err := errors.Join(os.Symlink(b.socket, next), os.Rename(next, link)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() { _ = lock.Close() }, nil
}

func (b *Bus) roleLink(role string) string {
	return filepath.Join(b.dir, fileName(role, 40)+".role")
}

// Serve answers what others ask of a role that this process may hold; nil ends
// that. answer may be called later, from anywhere, or never.
func (b *Bus) Serve(role string, f func(payload []byte, answer func([]byte))) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.roles[role] = f
}

// tell is Ask without an answer; it tells whether there was somebody to tell.
func (b *Bus) tell(role string, payload []byte) bool {
	socket, err := os.Readlink(b.roleLink(role))
	return err == nil && b.sendTo(filepath.Base(socket), message{Kind: "ask", Topic: role, Payload: payload})
}

// ErrNobody says that no process of this host has the role that was asked.
var ErrNobody = errors.New("no process of this host has that role")

// Ask sends a question, JSON of at most a few thousand bytes, to the process of
// this host that has a role, and waits for its answer. ErrNobody when there is
// none. One that does not answer until the context's deadline loses its roles; the
// error is the context's then.
func (b *Bus) Ask(ctx context.Context, role string, payload []byte) (json.RawMessage, error) {
	socket, err := os.Readlink(b.roleLink(role))
	if err != nil {
		return nil, ErrNobody
	}
	id, answers := b.expect()
	defer b.forget(id)
	if !b.sendTo(filepath.Base(socket), message{Kind: "ask", Topic: role, From: b.socket, ID: id, Payload: payload}) {
		return nil, ErrNobody
	}
	select {
	case m := <-answers:
		return m.Payload, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			b.depose(filepath.Base(socket))
		}
		return nil, fmt.Errorf("asking the process of this host that has the role %s: %w", role, ctx.Err())
	}
}
