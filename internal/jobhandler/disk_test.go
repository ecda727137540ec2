package jobhandler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
	"orrery/internal/store/storetest"
)

// smallDisk mounts a file system of one megabyte, which only root may.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Logf("not root: the full disk is tried with /dev/full only")
		return ""
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("a small disk cannot be mounted here (%v): tried with /dev/full only", err)
		return ""
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDisk(t *testing.T) {
	s := newServer(t, storetest.SQLite(t))
	s.tool("full", `<command detect_errors="exit_code">head -c 3000000 /dev/zero > /dev/full</command><inputs/><outputs><data name="out" format="txt"/></outputs>`)
	full := s.submit("full", nil)
	disk := smallDisk(t)
	if disk != "" {
		var err error
		if s.objects, err = objectstore.Open(objectstore.Options{Root: filepath.Join(disk, "objects")}); err != nil {
			t.Fatal(err)
		}
		s.jobs.Objects = s.objects
	}
	s.tool("direct", `<command detect_errors="exit_code">head -c 3000000 /dev/zero > '$out'</command><inputs/><outputs><data name="out" format="txt"/></outputs>`)
	s.tool("moved", `<command detect_errors="exit_code">head -c 3000000 /dev/zero > big</command><inputs/><outputs><data name="out" format="txt" from_work_dir="big"/></outputs>`)
	s.handler("h1")
	if j, _ := s.wait(full, galaxy.JobError); !strings.Contains(j.ToolStderr, "No space") {
		t.Errorf("stderr %q", j.ToolStderr)
	}
	if disk == "" {
		return
	}
	if j, h := s.wait(s.submit("direct", nil), galaxy.JobError); !strings.Contains(j.ToolStderr, "No space") || h.State() != galaxy.DatasetError {
		t.Errorf("written directly: %q, output %s", j.ToolStderr, h.State())
	}
	for range 2 { // the first has left no room at all
		if j, h := s.wait(s.submit("moved", nil), galaxy.JobError); !strings.Contains(j.Info, "disk is full") || h.State() != galaxy.DatasetError {
			t.Errorf("moved: %q, output %s", j.Info, h.State())
		}
	}
}
