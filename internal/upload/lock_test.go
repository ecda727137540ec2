package upload

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"
)

// stores are two processes' views of one folder, perhaps on two hosts.
func stores(t *testing.T) (dir string, one, other *locker) {
	dir = t.TempDir()
	one, other = newLocker(dir), newLocker(dir)
	for _, l := range []*locker{one, other} {
		l.look, l.retry = 5*time.Millisecond, time.Millisecond
	}
	if err := os.WriteFile(filepath.Join(dir, "abc"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, one, other
}

func lock(t *testing.T, l *locker, release func()) tus.Lock {
	t.Helper()
	u, err := l.NewLock("abc")
	if err == nil {
		err = u.Lock(t.Context(), release)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTheHolderIsAskedToStop(t *testing.T) {
	dir, one, other := stores(t)
	for name, second := range map[string]*locker{"in the same process": one, "in another": other} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{})
			first := lock(t, one, func() { close(asked) })
			got := make(chan tus.Lock)
			go func() {
				u, err := second.NewLock("abc")
				if err == nil {
					err = u.Lock(context.Background(), func() {})
				}
				if err != nil {
					t.Error(err)
				}
				got <- u
			}()
			<-asked
			select {
			case <-got:
				t.Fatal("two hold the lock")
			default:
			}
			if err := first.Unlock(); err != nil {
				t.Fatal(err)
			}
			if err := (<-got).Unlock(); err != nil {
				t.Fatal(err)
			}
			if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

func TestWaitingForALockEnds(t *testing.T) {
	_, one, other := stores(t)
	held := lock(t, one, func() {}) // which does not stop
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	u, err := other.NewLock("abc")
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Lock(ctx, func() {}); !errors.Is(err, tus.ErrLockTimeout) {
		t.Errorf("waiting ends with %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	// A wish that came too late disturbs nobody.
	if err := lock(t, one, func() { t.Error("asked to stop by nobody") }).Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestNoLockOfWhatIsNotThere(t *testing.T) {
	_, one, _ := stores(t)
	u, err := one.NewLock("nothing")
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Lock(t.Context(), func() {}); !errors.Is(err, tus.ErrNotFound) {
		t.Errorf("the lock of a missing upload: %v", err)
	}
	for _, id := range []string{"../abc", "", "a/b", "abc.info"} {
		if _, err := one.NewLock(id); err == nil {
			t.Errorf("%q can be locked", id)
		}
	}
}
