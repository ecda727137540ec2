package listen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAsUserMakesFilesAsTheUser: what the user may not write stays closed, what is made is the user's, and root is itself
// again afterwards, whatever the function says.
func TestAsUserMakesFilesAsTheUser(t *testing.T) {
	if os.Geteuid() != 0 {
		if testing.Short() {
			t.Skip("needs root, left out by -short")
		}
		t.Fatal("only root can look at files as somebody else: run this test as root, or leave it out by -short")
	}
	roots, theirs := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.Chmod(filepath.Dir(roots), 0o755), os.Chmod(roots, 0o755), os.Chown(theirs, 54321, 54321),
		os.WriteFile(filepath.Join(roots, "secret"), []byte("x"), 0o600), os.Symlink(filepath.Join(roots, "secret"), filepath.Join(theirs, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	say := errors.New("the function's own")
	err := AsUser("54321", "54321", func() error {
		if err := os.WriteFile(filepath.Join(theirs, "made"), nil, 0o644); err != nil {
			t.Errorf("in the user's folder: %v", err)
		}
		if err := os.WriteFile(filepath.Join(roots, "made"), nil, 0o644); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("in root's folder: %v", err)
		}
		if f, err := os.OpenFile(filepath.Join(theirs, "link"), os.O_WRONLY|os.O_APPEND, 0); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("over the user's link to a file of root's: %v, %v", f, err)
		}
		return say
	})
	if !errors.Is(err, say) {
		t.Errorf("AsUser: %v", err)
	}
	info, err := os.Stat(filepath.Join(theirs, "made"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 54321 || st.Gid != 54321 {
		t.Errorf("the file is %d:%d's", st.Uid, st.Gid)
	}
	for range 4 { // whatever thread
		done := make(chan error)
		go func() { done <- os.WriteFile(filepath.Join(roots, "secret"), []byte("y"), 0o600) }()
		if err := <-done; err != nil {
			t.Errorf("afterwards root is not root: %v", err)
		}
	}
}
