package e2e

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/testenv"
)

// smallDisk mounts a file system of some MiB.
func smallDisk(t *testing.T, megabytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+megabytes+"m,mode=755"); err != nil {
		t.Fatalf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

const fillTool = `<tool id="fill" name="Fill" version="1.0">
  <command detect_errors="exit_code"><![CDATA[head -c 100000000 /dev/zero > '$out']]></command>
  <inputs/>
  <outputs><data name="out" format="txt"/></outputs>
</tool>
`

// TestFullDisk fills the disk on which datasets are. What fails says why, what was there stays as it was, and everything
// works again once there is room.
func TestFullDisk(t *testing.T) {
	if !apart(t, syscall.CLONE_NEWNS) {
		return
	}
	disk := smallDisk(t, "16")
	own := testenv.Server(t, testenv.Options{
		Files: map[string]string{
			"fill.xml":      fillTool,
			"tool_conf.xml": `<toolbox><tool file="@DIR@/fill.xml"/><tool file="` + filepath.Join(testenv.Root(t), "tools", "text/cat.xml") + `"/></toolbox>`,
		},
		Settings: map[string]any{
			"tool_config_file": "@DIR@/tool_conf.xml", "file_path": filepath.Join(disk, "objects"), "new_file_path": filepath.Join(disk, "tmp"),
		},
	})
	p := newPerson(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own}, "collector")
	history := p.newHistory("Full")
	kept := randomText(100 << 10)
	before := p.paste(history, "kept", kept)
	p.ok(before, kept)
	begun := p.begin("later.txt", 8<<20)

	full := p.run(history, "fill", map[string]any{}).Outputs[0].ID
	d := p.ended(full)
	if d.State != "error" {
		t.Errorf("the output of the tool that fills the disk is %s", d.State)
	}
	contains(t, "the output of the tool that fills the disk", d.Info, "No space left on device")

	// A file that would not fit is refused before it is sent; one that was begun, when it does not go on.
	response := p.tus(http.MethodPost, own.URL+uploads, 0, nil, 0, map[string]string{"Upload-Length": "8000000"})
	if response.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("beginning an upload is answered %s", response.Status)
	}
	response = p.tus(http.MethodPatch, begun, 0, strings.NewReader(kept), int64(len(kept)), nil)
	if response.StatusCode < 500 {
		t.Errorf("a chunk is answered %s", response.Status)
	}
	// A short text travels with the job, a long one needs the disk at once.
	d = p.ended(p.paste(history, "short", "some words\n"))
	if d.State != "error" {
		t.Errorf("a short text became a dataset in state %s", d.State)
	}
	contains(t, "the dataset of a short text", d.Info, "disk", "full")
	contains(t, "the answer to a long text", p.refused("POST", "/api/tools/fetch", fetchRequest(history, map[string]any{
		"src": "pasted", "paste_content": kept, "name": "long",
	}), http.StatusInsufficientStorage), "disk", "full")
	d = p.ended(p.run(history, "cat1", map[string]any{"input1": hda(before)}).Outputs[0].ID)
	if d.State != "error" {
		t.Errorf("the output of a tool is %s on a full disk", d.State)
	}
	contains(t, "the output of a tool", d.Info, "No space left on device")
	p.ok(before, kept)

	status, answer := p.call("DELETE", "/api/datasets/"+full+"?purge=true", nil)
	if status >= 300 {
		t.Fatalf("the large dataset cannot be purged: %d %s", status, answer)
	}
	testenv.Poll(t, "there to be room", time.Minute, func() bool { return free(t, disk) > 10<<20 })
	p.ok(p.paste(history, "short", "some words\n"), "some words\n")
	p.ok(p.paste(history, "long", kept), kept)
	p.ok(p.run(history, "cat1", map[string]any{"input1": hda(before)}).Outputs[0].ID, kept)
	// The upload that could not go on does.
	text := randomText(8 << 20)
	offset := p.kept(begun, 0)
	if offset > int64(len(kept)) {
		t.Fatalf("%d bytes have arrived of %d", offset, len(kept))
	}
	p.patch(begun, 0+offset, strings.NewReader(text[offset:]), int64(len(text))-offset)
	p.ended(p.fetchUploaded(history, "later.txt", begun))
}

func free(t *testing.T, disk string) int64 {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(disk, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// TestFullDiskOfDatabase fills the disk on which everything is, the SQLite database and the logs, too.
func TestFullDiskOfDatabase(t *testing.T) {
	if !apart(t, syscall.CLONE_NEWNS) {
		return
	}
	disk := smallDisk(t, "64")
	own := testenv.Server(t, testenv.Options{Settings: map[string]any{
		"data_dir": disk, "database_connection": "sqlite:///" + filepath.Join(disk, "universe.sqlite") + "?isolation_level=IMMEDIATE",
	}})
	p := newPerson(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own}, "collector")
	history := p.newHistory("Full")
	before := p.paste(history, "kept", "kept\n")
	p.ok(before, "kept\n")

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	// It can be looked at, though nothing can be changed.
	p.ok(before, "kept\n")
	var messages []string
	testenv.Poll(t, "the database to have no room", time.Minute, func() bool {
		// What the database has room for in its files still goes.
		status, answer := p.call("POST", "/api/histories", map[string]any{"name": strings.Repeat("x", 250)})
		if status == http.StatusOK {
			fill(t, filler)
			return false
		}
		if status != http.StatusInsufficientStorage {
			t.Errorf("making a history is answered %d %s", status, answer)
		}
		messages = append(messages, message(t, answer))
		return true
	})
	contains(t, "the answer", strings.Join(messages, " "), "disk", "full")
	status, answer := p.call("POST", "/api/tools", map[string]any{"history_id": history, "tool_id": "cat1", "inputs": map[string]any{"input1": hda(before)}})
	if status != http.StatusInsufficientStorage && status != http.StatusOK {
		t.Errorf("running a tool is answered %d %s", status, answer)
	}
	p.ok(before, "kept\n")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.ok(p.paste(history, "after", "after\n"), "after\n")
	p.ok(p.run(history, "cat1", map[string]any{"input1": hda(before)}).Outputs[0].ID, "kept\n")
	var contents []shown
	p.must("GET", "/api/histories/"+history+"/contents?v=dev&limit=100", nil, &contents)
	for _, d := range contents {
		if d = p.ended(d.ID); d.State != "ok" && d.State != "error" {
			t.Errorf("dataset %d is %s", d.HID, d.State)
		}
	}
}

// fill writes a file until there is no room for a byte more.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		block := bytes.Repeat([]byte("x"), size)
		for err == nil {
			_, err = file.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
