package tool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// The index is one file that holds the summaries of all tool files, so that a start has only to look at the files' times.
// Layout: magic, fingerprint of the program, length and CRC-32 of the rest, then the records. A file that is not
// exactly so is ignored. It is written beside and renamed, so that readers see the old one or the new one.
const (
	indexName  = "toolbox.index"
	indexMagic = "orrery-toolbox-2\n"
	// maxIndexBytes bounds what is read; 464 tools need about half a megabyte.
	maxIndexBytes = 64 << 20
)

// record is what is known of one tool file: a summary, or why there is none.
type record struct {
	path    string
	stamps  []stamp // the tool file and its macro files, when they were read
	summary *Summary
	err     FileError
}

func (r *record) stamped(path string) bool {
	for i := range r.stamps {
		if r.stamps[i].path == path {
			return true
		}
	}
	return false
}

// stamp tells one state of a file from another. The inode and the change time find files that were replaced or written
// within one tick of the clock, or that got their time set back.
type stamp struct {
	path                      string
	mtime, ctime, size, inode int64
}

// stampOf returns a stamp with size -1 for a file that is not there.
func stampOf(path string) stamp {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{path: path, size: -1}
	}
	s := stamp{path: path, mtime: st.ModTime().UnixNano(), size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.ctime, s.inode = sys.Ctim.Nano(), int64(sys.Ino)
	}
	return s
}

func sameStamps(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// stamper looks at each file once, as many tools import the same macros.
type stamper map[string]stamp

func (m stamper) fresh(stamps []stamp) bool {
	for i := range stamps {
		now, ok := m[stamps[i].path]
		if !ok {
			now = stampOf(stamps[i].path)
			m[now.path] = now
		}
		if now != stamps[i] {
			return false
		}
	}
	return len(stamps) > 0
}

// fingerprint changes with the program, which may read tools differently after an update.
func fingerprint() []byte {
	b := make([]byte, 0, 32)
	if exe, err := os.Executable(); err == nil {
		if st, err := os.Stat(exe); err == nil {
			b = binary.AppendVarint(b, st.ModTime().UnixNano())
			b = binary.AppendVarint(b, st.Size())
		}
	}
	for len(b) < 32 {
		b = append(b, 0)
	}
	return b[:32]
}

// readIndex returns the records of the index; none when there is no index or it cannot be used.
func readIndex(dir string) map[string]*record {
	if dir == "" {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, indexName))
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxIndexBytes {
		return nil
	}
	data := make([]byte, st.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil
	}
	records, err := decodeIndex(data, fingerprint())
	if err != nil {
		return nil
	}
	return records
}

var errIndex = errors.New("the toolbox index is damaged or of another version")

func decodeIndex(data, program []byte) (map[string]*record, error) {
	head := len(indexMagic) + len(program) + 8
	if len(data) < head || string(data[:len(indexMagic)]) != indexMagic || string(data[len(indexMagic):len(indexMagic)+len(program)]) != string(program) {
		return nil, errIndex
	}
	sums := data[len(indexMagic)+len(program):]
	body := data[head:]
	if int64(binary.LittleEndian.Uint32(sums)) != int64(len(body)) || binary.LittleEndian.Uint32(sums[4:]) != crc32.ChecksumIEEE(body) {
		return nil, errIndex
	}
	// All texts of the index are parts of this one string.
	d := &indexDecoder{s: string(body)}
	n := d.length()
	records := make(map[string]*record, min(n, 1<<16))
	for i := 0; i < n && !d.bad; i++ {
		r := d.record()
		records[r.path] = r
	}
	if d.bad || d.s != "" {
		return nil, errIndex
	}
	return records, nil
}

func writeIndex(dir string, records map[string]*record) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data := encodeIndex(records, fingerprint())
	tmp, err := os.CreateTemp(dir, "."+indexName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, indexName))
}

func encodeIndex(records map[string]*record, program []byte) []byte {
	paths := make([]string, 0, len(records))
	for p := range records {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	e := &indexEncoder{}
	e.length(len(paths))
	for _, p := range paths {
		e.record(records[p])
	}
	data := append([]byte(indexMagic), program...)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(e.b)))
	data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(e.b))
	return append(data, e.b...)
}

type indexEncoder struct{ b []byte }

func (e *indexEncoder) length(n int)   { e.b = binary.AppendUvarint(e.b, uint64(n)) }
func (e *indexEncoder) number(n int64) { e.b = binary.AppendVarint(e.b, n) }
func (e *indexEncoder) text(s string)  { e.length(len(s)); e.b = append(e.b, s...) }

func (e *indexEncoder) texts(ss []string) {
	e.length(len(ss))
	for _, s := range ss {
		e.text(s)
	}
}

func (e *indexEncoder) record(r *record) {
	e.text(r.path)
	e.length(len(r.stamps))
	for _, s := range r.stamps {
		e.text(s.path)
		e.number(s.mtime)
		e.number(s.ctime)
		e.number(s.size)
		e.number(s.inode)
	}
	if r.summary == nil {
		e.length(0)
		e.text(r.err.File)
		e.number(int64(r.err.Line))
		e.text(r.err.Msg)
		return
	}
	e.length(1)
	s := r.summary
	for _, v := range s.texts() {
		e.text(*v)
	}
	e.texts(s.EdamOperations)
	e.texts(s.EdamTopics)
	e.length(len(s.Xrefs))
	for _, x := range s.Xrefs {
		e.text(x.Value)
		e.text(x.Type)
	}
	e.number(int64(s.Tests))
	for _, v := range s.bools() {
		if *v {
			e.b = append(e.b, 1)
		} else {
			e.b = append(e.b, 0)
		}
	}
}

func (s *Summary) texts() []*string {
	return []*string{&s.ID, &s.Name, &s.Version, &s.Description, &s.ModelClass, &s.Icon, &s.Profile, &s.MinWidth, &s.Target, &s.Help, &s.HelpFormat}
}

func (s *Summary) bools() []*bool {
	return []*bool{&s.Hidden, &s.HiddenWritten, &s.WorkflowCompatible, &s.HasParameters, &s.RequireLogin}
}

type indexDecoder struct {
	s   string
	bad bool
}

func (d *indexDecoder) length() int {
	var n uint64
	for i := 0; i < len(d.s) && i < 10; i++ {
		c := d.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			// Nothing can be longer than what is left.
			if n > uint64(len(d.s)) {
				d.bad, d.s = true, ""
				return 0
			}
			return int(n)
		}
	}
	d.bad, d.s = true, ""
	return 0
}

func (d *indexDecoder) number() int64 {
	var n uint64
	for i := 0; i < len(d.s) && i < 10; i++ {
		c := d.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			v := int64(n >> 1)
			if n&1 != 0 {
				v = ^v
			}
			return v
		}
	}
	d.bad, d.s = true, ""
	return 0
}

func (d *indexDecoder) text() string {
	n := d.length()
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

func (d *indexDecoder) texts() []string {
	n := d.length()
	if n == 0 {
		return nil
	}
	r := make([]string, 0, min(n, 64))
	for i := 0; i < n && !d.bad; i++ {
		r = append(r, d.text())
	}
	return r
}

func (d *indexDecoder) record() *record {
	r := &record{path: d.text()}
	n := d.length()
	for i := 0; i < n && !d.bad; i++ {
		r.stamps = append(r.stamps, stamp{path: d.text(), mtime: d.number(), ctime: d.number(), size: d.number(), inode: d.number()})
	}
	if d.length() == 0 {
		r.err = FileError{File: d.text(), Line: int(d.number()), Msg: d.text()}
		return r
	}
	s := &Summary{}
	for _, v := range s.texts() {
		*v = d.text()
	}
	s.EdamOperations, s.EdamTopics = d.texts(), d.texts()
	n = d.length()
	for i := 0; i < n && !d.bad; i++ {
		s.Xrefs = append(s.Xrefs, Xref{Value: d.text(), Type: d.text()})
	}
	s.Tests = int(d.number())
	for _, v := range s.bools() {
		if d.s == "" {
			d.bad = true
			break
		}
		*v = d.s[0] != 0
		d.s = d.s[1:]
	}
	r.summary = s
	return r
}
