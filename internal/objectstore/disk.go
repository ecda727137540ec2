package objectstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"orrery/internal/galaxy"
)

// StoreBy says what names the files.
type StoreBy string

// The two layouts.
const (
	// ByUUID is Galaxy's default: a/b/c/dataset_<uuid>.dat, after the first
	// three digits of the UUID.
	ByUUID StoreBy = "uuid"
	// ByID is the layout of older servers: 001/dataset_1234.dat.
	ByID StoreBy = "id"
)

// Options describe the store.
type Options struct {
	// Root is the folder, Galaxy's file_path.
	Root string
	// StoreBy is the layout; empty means ByUUID.
	StoreBy StoreBy
	// CheckOldStyle also finds files that very old servers put straight into
	// the folder.
	CheckOldStyle bool
}

// Disk is an object store in one folder.
type Disk struct {
	root     string
	by       StoreBy
	oldStyle bool
}

// Dataset is what names a dataset's files.
type Dataset struct {
	ID int64
	// UUID has dashes, as in 0f3c0a4e-….
	UUID string
	// ExternalFilename is the path of a file that stays outside of the store;
	// empty for almost all.
	ExternalFilename string
	// ExtraFilesPath is the absolute path of extra files outside of the store;
	// empty for almost all.
	ExtraFilesPath string
}

// Open makes the folder if it is missing.
func Open(opts Options) (*Disk, error) {
	switch opts.StoreBy {
	case "":
		opts.StoreBy = ByUUID
	case ByUUID, ByID:
	default:
		return nil, fmt.Errorf("object_store_store_by is %q; it must be uuid or id", opts.StoreBy)
	}
	root, err := filepath.Abs(opts.Root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return nil, fmt.Errorf("making the datasets' folder: %w", err)
	}
	return &Disk{root: root, by: opts.StoreBy, oldStyle: opts.CheckOldStyle}, nil
}

// Root is the store's folder.
func (d *Disk) Root() string { return d.root }

// Path is the file of a dataset, whether it exists or not.
func (d *Disk) Path(ds Dataset) (string, error) {
	if ds.ExternalFilename != "" {
		return ds.ExternalFilename, nil
	}
	return d.inside(ds, ".dat")
}

// ExtraFilesPath is the folder of a dataset's extra files, whether it exists or
// not.
func (d *Disk) ExtraFilesPath(ds Dataset) (string, error) {
	if filepath.IsAbs(ds.ExtraFilesPath) {
		return ds.ExtraFilesPath, nil
	}
	return d.inside(ds, "_files")
}

// inside gives the path of a dataset's file or folder in the store.
func (d *Disk) inside(ds Dataset, suffix string) (string, error) {
	name, folder, err := d.name(ds)
	if err != nil {
		return "", err
	}
	if d.oldStyle {
		old := filepath.Join(d.root, name+suffix)
		if _, err := os.Lstat(old); err == nil {
			return old, nil
		}
	}
	return filepath.Join(d.root, folder, name+suffix), nil
}

// name gives "dataset_…" and the folder that it is in.
func (d *Disk) name(ds Dataset) (name, folder string, err error) {
	if d.by == ByID {
		if ds.ID <= 0 {
			return "", "", fmt.Errorf("a dataset without an id has no file")
		}
		return "dataset_" + strconv.FormatInt(ds.ID, 10), hashID(ds.ID), nil
	}
	if !isUUID(ds.UUID) {
		return "", "", fmt.Errorf("%q is not a dataset's UUID", ds.UUID)
	}
	return "dataset_" + ds.UUID, filepath.Join(ds.UUID[0:1], ds.UUID[1:2], ds.UUID[2:3]), nil
}

// isUUID guards the file system: only hex digits and dashes reach it.
func isUUID(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdef-") == "" && !strings.Contains(s, "--")
}

// hashID is the folder of an id: a thousand files to a folder, three digits to
// a level.
func hashID(id int64) string {
	if id < 1000 {
		return "000"
	}
	s := strconv.FormatInt(id, 10)
	if n := len(s) % 3; n != 0 {
		s = strings.Repeat("0", 3-n) + s
	}
	s = s[:len(s)-3]
	var levels []string
	for ; s != ""; s = s[3:] {
		levels = append(levels, s[:3])
	}
	return filepath.Join(levels...)
}

// Create makes a dataset's empty file, unless it exists, and gives its path.
func (d *Disk) Create(ds Dataset) (string, error) {
	path, err := d.Path(ds)
	if err != nil {
		return "", err
	}
	if ds.ExternalFilename != "" {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", explain(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return "", explain(err)
	}
	return path, explain(f.Close())
}

// Put moves a finished file into the store, so that readers see the old or the
// new contents and never a part; src is gone afterwards. A symbolic link is
// followed and its target copied.
func (d *Disk) Put(ds Dataset, src string) error {
	path, err := d.Path(ds)
	if err != nil {
		return err
	}
	if ds.ExternalFilename != "" {
		return fmt.Errorf("%s is not in the object store", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return explain(err)
	}
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		if err := os.Rename(src, path); err == nil || !errors.Is(err, unix.EXDEV) {
			return explain(err)
		}
	}
	if err := copyInto(path, src); err != nil {
		return explain(err)
	}
	return os.Remove(src)
}

func copyInto(path, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if info, err := in.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", src)
	}
	out, err := os.CreateTemp(filepath.Dir(path), ".incoming-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = out.Close()
			_ = os.Remove(out.Name())
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Chmod(0o666 &^ umask); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// umask is this process's, which only setting it can tell.
var umask = func() fs.FileMode {
	m := unix.Umask(0o022)
	unix.Umask(m)
	return fs.FileMode(m)
}()

// Open opens a dataset's file for reading; an error of kind galaxy.NotFound when
// it is missing.
func (d *Disk) Open(ds Dataset) (*os.File, error) {
	path, err := d.Path(ds)
	if err != nil {
		return nil, err
	}
	// Without blocking, so that a named pipe left by a tool holds nobody up.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, galaxy.Errorf(galaxy.NotFound, "The dataset's file is missing on disk: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return readable(f)
}

// readable lets only files and folders through.
func readable(f *os.File) (*os.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = galaxy.Errorf(galaxy.NotFound, "%s is not a file", filepath.Base(f.Name()))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// OpenExtra opens one of a dataset's extra files by its relative name, for
// reading. Names and symbolic links that lead out of the folder are refused
// with an error of kind galaxy.NotFound, as is a missing file.
func (d *Disk) OpenExtra(ds Dataset, name string) (*os.File, error) {
	dir, err := d.ExtraFilesPath(ds)
	if err != nil {
		return nil, err
	}
	missing := func(err error) error {
		return &galaxy.Error{Kind: galaxy.NotFound, Message: fmt.Sprintf("Could not find '%s' on the extra files path.", name), Cause: err}
	}
	if !filepath.IsLocal(name) {
		return nil, missing(nil)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, missing(err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(err)
	}
	return readable(f)
}

// ExtraFile is one entry of a dataset's extra files.
type ExtraFile struct {
	// Path is relative to the folder.
	Path string
	Dir  bool
	// Size is in bytes.
	Size int64
}

// maxExtraFiles bounds a listing.
const maxExtraFiles = 100_000

// ExtraFiles lists a dataset's extra files, folders first, without following
// symbolic links. Without a folder it is empty.
func (d *Disk) ExtraFiles(ds Dataset) ([]ExtraFile, error) {
	dir, err := d.ExtraFilesPath(ds)
	if err != nil {
		return nil, err
	}
	var out []ExtraFile
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return fs.SkipAll
		}
		if err != nil || path == dir {
			return err
		}
		if len(out) == maxExtraFiles {
			return fs.SkipAll
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			out = append(out, ExtraFile{Path: rel, Dir: true})
		case entry.Type().IsRegular():
			info, err := entry.Info()
			if err != nil {
				return err
			}
			out = append(out, ExtraFile{Path: rel, Size: info.Size()})
		}
		return nil
	})
	return out, err
}

// Exists tells whether a dataset's file is there.
func (d *Disk) Exists(ds Dataset) bool {
	path, err := d.Path(ds)
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

// Size gives the bytes of a dataset's file, and those with its extra files; 0
// when nothing is there.
func (d *Disk) Size(ds Dataset) (file, total int64, err error) {
	path, err := d.Path(ds)
	if err != nil {
		return 0, 0, err
	}
	if info, err := os.Stat(path); err == nil {
		file = info.Size()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	extra, err := d.ExtraFiles(ds)
	for _, e := range extra {
		total += e.Size
	}
	return file, file + total, err
}

// Purge removes a dataset's file and its extra files for good. What is missing
// already is no error, and a file outside of the store stays.
func (d *Disk) Purge(ds Dataset) error {
	var errs []error
	if ds.ExternalFilename == "" {
		path, err := d.Path(ds)
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if !filepath.IsAbs(ds.ExtraFilesPath) {
		dir, err := d.ExtraFilesPath(ds)
		if err != nil {
			return err
		}
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// Free gives the bytes that this process may still write, and all bytes of the
// file system.
func (d *Disk) Free() (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(d.root, &s); err != nil {
		return 0, 0, fmt.Errorf("asking for the free space of %s: %w", d.root, err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// NeedSpace is an error of kind galaxy.InsufficientStorage unless so many bytes
// are free.
func (d *Disk) NeedSpace(bytes int64) error {
	free, _, err := d.Free()
	if err != nil {
		return err
	}
	if free < bytes {
		return galaxy.Errorf(galaxy.InsufficientStorage,
			"The server's disk is full: %d bytes are needed and %d are free. Tell an administrator, or try again later.", bytes, free)
	}
	return nil
}

// explain turns a full disk into an answer that a person understands.
func explain(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return galaxy.Errorf(galaxy.InsufficientStorage, "The server's disk is full. Tell an administrator, or try again later. (%w)", err)
	}
	return err
}
