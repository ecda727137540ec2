package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orrery/internal/deployment"
)

// attacker is the user as whom the server serves, and whom somebody else has
// taken over.
const attacker = 54321

// rootsFolders are a folder of root's and one of the attacker's, both of which
// everybody can look into.
func rootsFolders(t *testing.T) (roots, theirs string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if testing.Short() {
			t.Skip("needs root, left out by -short")
		}
		t.Fatal("only root has something to give away: run this test as root, or leave it out by -short")
	}
	dir, err := os.MkdirTemp("", "rootfiles-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	roots, theirs = filepath.Join(dir, "roots"), filepath.Join(dir, "theirs")
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(roots, 0o755), os.Mkdir(theirs, 0o755), os.Chown(theirs, attacker, attacker),
		os.Mkdir(filepath.Join(roots, "log"), 0o755), os.WriteFile(filepath.Join(roots, "shadow"), []byte("secret"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return roots, theirs
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func TestNothingOfRootsIsGivenAwayByALink(t *testing.T) {
	roots, theirs := rootsFolders(t)
	for _, err := range []error{
		os.Link(filepath.Join(roots, "shadow"), filepath.Join(theirs, "hard")),
		os.Symlink(filepath.Join(roots, "shadow"), filepath.Join(theirs, "soft")),
		os.Symlink(roots, filepath.Join(theirs, "gravity")), os.Lchown(filepath.Join(theirs, "gravity"), attacker, attacker),
		os.Symlink(theirs, filepath.Join(roots, "way")),
		os.Mkdir(filepath.Join(theirs, "made"), 0o755), os.WriteFile(filepath.Join(theirs, "file"), nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, refused := range map[string]bool{
		filepath.Join(theirs, "hard"): false, filepath.Join(theirs, "soft"): false, filepath.Join(theirs, "gravity/log"): true,
		filepath.Join(theirs, "made"): false, filepath.Join(roots, "way/file"): false, filepath.Join(theirs, "missing"): false,
	} {
		if err := giveTo(path, attacker, attacker); (err != nil) != refused {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]uint32{
		filepath.Join(roots, "shadow"): 0, filepath.Join(roots, "log"): 0, filepath.Join(theirs, "made"): attacker, filepath.Join(theirs, "file"): attacker,
	} {
		if got := ownerOf(t, path); got != want {
			t.Errorf("%s is the user %d's, want %d", path, got, want)
		}
	}
}

func TestRootMakesFilesAsTheUserWhereTheUserCouldHaveLaidLinks(t *testing.T) {
	roots, theirs := rootsFolders(t)
	r := &server{plan: &deployment.Plan{User: "54321", Group: "54321"}}
	write := func(path string) error {
		return r.asUser(path, func() error {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err == nil {
				_, err = f.WriteString("a line\n")
				err = errors.Join(err, f.Close())
			}
			return err
		})
	}
	for _, err := range []error{
		os.Symlink(filepath.Join(roots, "shadow"), filepath.Join(theirs, "orrery.log")), os.Symlink(roots, filepath.Join(theirs, "gravity")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(theirs, "orrery.log"), filepath.Join(theirs, "gravity/new")} {
		if err := write(path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "astray") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(roots, "shadow")); err != nil || string(text) != "secret" {
		t.Errorf("root wrote into its own file: %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(roots, "new")); err == nil {
		t.Error("root made a file in its own folder")
	}
	for path, want := range map[string]uint32{filepath.Join(theirs, "right.log"): attacker, filepath.Join(roots, "log/right.log"): 0} {
		if err := write(path); err != nil {
			t.Errorf("%s: %v", path, err)
		} else if got := ownerOf(t, path); got != want {
			t.Errorf("%s is the user %d's, want %d", path, got, want)
		}
	}
	made := filepath.Join(roots, "var/database/log")
	if err := r.makeFolder(made, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{made, filepath.Dir(made), filepath.Dir(filepath.Dir(made))} {
		if got := ownerOf(t, dir); got != attacker {
			t.Errorf("%s, which was made for the user, is the user %d's", dir, got)
		}
	}
}
