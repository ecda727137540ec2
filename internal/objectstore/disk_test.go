package objectstore_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
	"orrery/internal/objectstore"
)

const uuid = "cc7a9558-2676-4319-9a6c-a8862f8ad79f"

func open(t *testing.T, opts objectstore.Options) *objectstore.Disk {
	t.Helper()
	opts.Root = filepath.Join(t.TempDir(), "objects")
	d, err := objectstore.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestPathIsGalaxys(t *testing.T) {
	byUUID := open(t, objectstore.Options{})
	byID := open(t, objectstore.Options{StoreBy: objectstore.ByID})
	for _, c := range []struct {
		store *objectstore.Disk
		ds    objectstore.Dataset
		want  string
	}{
		{byUUID, objectstore.Dataset{UUID: uuid}, "c/c/7/dataset_" + uuid + ".dat"},
		{byID, objectstore.Dataset{ID: 1}, "000/dataset_1.dat"},
		{byID, objectstore.Dataset{ID: 999}, "000/dataset_999.dat"},
		{byID, objectstore.Dataset{ID: 1000}, "001/dataset_1000.dat"},
		{byID, objectstore.Dataset{ID: 1234567}, "001/234/dataset_1234567.dat"},
		{byID, objectstore.Dataset{ID: 123456}, "123/dataset_123456.dat"},
	} {
		got, err := c.store.Path(c.ds)
		if want := filepath.Join(c.store.Root(), c.want); err != nil || got != want {
			t.Errorf("%+v is at %q (%v), want %q", c.ds, got, err, want)
		}
	}
	if got, err := byUUID.ExtraFilesPath(objectstore.Dataset{UUID: uuid}); err != nil || got != filepath.Join(byUUID.Root(), "c/c/7/dataset_"+uuid+"_files") {
		t.Errorf("extra files at %q, %v", got, err)
	}
	if got, _ := byUUID.Path(objectstore.Dataset{ExternalFilename: "/data/x.bed"}); got != "/data/x.bed" {
		t.Errorf("external file at %q", got)
	}
}

func TestWrongNamesAreRefused(t *testing.T) {
	d := open(t, objectstore.Options{})
	for _, bad := range []string{"", "../../../../etc/passwd", "cc7a9558", "../" + uuid[3:], uuid + "x", "CC7A9558-2676-4319-9A6C-A8862F8AD79F",
		"------------------------------------"} {
		if got, err := d.Path(objectstore.Dataset{UUID: bad}); err == nil {
			t.Errorf("%q gave the path %q", bad, got)
		}
	}
	if _, err := open(t, objectstore.Options{StoreBy: objectstore.ByID}).Path(objectstore.Dataset{}); err == nil {
		t.Error("no id gave a path")
	}
	if _, err := objectstore.Open(objectstore.Options{Root: t.TempDir(), StoreBy: "name"}); err == nil {
		t.Error("an unknown layout was taken")
	}
}

func TestOldStyleFilesAreFound(t *testing.T) {
	d := open(t, objectstore.Options{StoreBy: objectstore.ByID, CheckOldStyle: true})
	write(t, filepath.Join(d.Root(), "dataset_7.dat"), "old")
	for id, want := range map[int64]string{7: "dataset_7.dat", 8: "000/dataset_8.dat"} {
		if got, _ := d.Path(objectstore.Dataset{ID: id}); got != filepath.Join(d.Root(), want) {
			t.Errorf("dataset %d is at %s", id, got)
		}
	}
}

func TestLifeOfADataset(t *testing.T) {
	d := open(t, objectstore.Options{})
	ds := objectstore.Dataset{UUID: uuid}
	if d.Exists(ds) {
		t.Fatal("exists before it was made")
	}
	if _, err := d.Open(ds); galaxy.KindOf(err) != galaxy.NotFound {
		t.Errorf("opening what is missing: %v", err)
	}
	path, err := d.Create(ds)
	if err != nil || !d.Exists(ds) {
		t.Fatalf("Create: %v", err)
	}
	src := filepath.Join(t.TempDir(), "result")
	write(t, src, "hello")
	if err := d.Put(ds, src); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(src); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the source is still there: %v", err)
	}
	extra, _ := d.ExtraFilesPath(ds)
	write(t, filepath.Join(extra, "sub", "a.txt"), "12")
	if file, total, err := d.Size(ds); file != 5 || total != 7 || err != nil {
		t.Errorf("size %d, %d, %v; want 5, 7", file, total, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "hello" {
		t.Errorf("contents %q, %v", got, err)
	}
	for range 2 { // the second time nothing is left to do
		if err := d.Purge(ds); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(extra); d.Exists(ds) || !errors.Is(err, fs.ErrNotExist) {
		t.Error("something is left after purging")
	}
}

func TestPutFollowsALinkByCopying(t *testing.T) {
	d := open(t, objectstore.Options{})
	ds := objectstore.Dataset{UUID: uuid}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real"), "data")
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(ds, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	path, _ := d.Path(ds)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() != 4 {
		t.Errorf("stored %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "real")); err != nil {
		t.Errorf("the link's target: %v", err)
	}
}

func TestExternalFilesStay(t *testing.T) {
	d := open(t, objectstore.Options{})
	path := filepath.Join(t.TempDir(), "theirs")
	write(t, path, "x")
	ds := objectstore.Dataset{UUID: uuid, ExternalFilename: path}
	if err := d.Purge(ds); err != nil {
		t.Fatal(err)
	}
	if !d.Exists(ds) {
		t.Error("purging removed a file outside of the store")
	}
	if err := d.Put(ds, path); err == nil {
		t.Error("a file outside of the store was replaced")
	}
}

func TestExtraFilesStayInside(t *testing.T) {
	d := open(t, objectstore.Options{})
	ds := objectstore.Dataset{UUID: uuid}
	dir, _ := d.ExtraFilesPath(ds)
	write(t, filepath.Join(dir, "sub", "a.txt"), "inside")
	write(t, filepath.Join(d.Root(), "secret"), "secret")
	for link, target := range map[string]string{"abs": "/etc/passwd", "up": "../../../../secret", "subdir": "/etc"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", "/etc/passwd", "../../../../secret", "sub/../../x", "abs", "up", "subdir/passwd", "missing", "a\x00b"} {
		if f, err := d.OpenExtra(ds, name); galaxy.KindOf(err) != galaxy.NotFound {
			t.Errorf("%q was opened (%v, %v)", name, f, err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if f, err := d.OpenExtra(ds, "pipe"); galaxy.KindOf(err) != galaxy.NotFound {
		t.Errorf("a pipe was opened (%v, %v)", f, err)
	}
	f, err := d.OpenExtra(ds, "sub/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if got, _ := io.ReadAll(f); string(got) != "inside" {
		t.Errorf("read %q", got)
	}
	list, err := d.ExtraFiles(ds)
	if err != nil || len(list) != 2 || !list[0].Dir || list[1].Path != "sub/a.txt" || list[1].Size != 6 {
		t.Errorf("listing %+v, %v", list, err)
	}
}

func TestNeedSpace(t *testing.T) {
	d := open(t, objectstore.Options{})
	if err := d.NeedSpace(1); err != nil {
		t.Errorf("one byte: %v", err)
	}
	if err := d.NeedSpace(1 << 62); galaxy.KindOf(err) != galaxy.InsufficientStorage {
		t.Errorf("4 EiB: %v", err)
	}
}
