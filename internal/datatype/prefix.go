package datatype

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// HeaderSize is how much of a file (after decompression) is looked at to
// recognise it, in bytes. It is Galaxy's number.
const HeaderSize = 1 << 20

// Compression formats, named as Galaxy names them.
const (
	gzipFormat  = "gzip"
	bzip2Format = "bz2"
	xzFormat    = "xz"
	zipFormat   = "zip"
)

// prefix is the beginning of a file and what it says about the file.
type prefix struct {
	path      string
	size      int64  // of the file itself
	format    string // compression, or empty
	header    []byte // decompressed
	text      string // header as text; valid only when !notText
	notText   bool   // header is not UTF-8
	truncated bool   // the file goes on after header
	binary    bool

	// Answers that several rules ask for.
	isJSON, isYAML *bool
	table          [4][][]string // see firstRows
	tableRead      [4]bool
}

// readPrefix opens the file, finds its compression and reads its beginning.
func readPrefix(path string) (*prefix, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	p := &prefix{path: path, size: st.Size()}
	var in io.Reader
	p.format, in, err = decompressor(f, st.Size())
	if err != nil {
		return nil, err
	}
	// Most files are small: do not ask for 1 MiB to look at 40 bytes.
	var buf bytes.Buffer
	if p.format == "" {
		buf.Grow(int(min(st.Size(), HeaderSize)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(in, HeaderSize)); err != nil && !isCorrupt(err) {
		return nil, err
	}
	p.header = buf.Bytes()
	p.truncated = len(p.header) == HeaderSize
	p.classify()
	return p, nil
}

// isCorrupt tells a damaged compressed stream, of which the readable part is
// used, from a disk that cannot be read.
func isCorrupt(err error) bool {
	var structural bzip2.StructuralError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) ||
		errors.As(err, &structural) || strings.HasPrefix(err.Error(), "flate:") || errors.Is(err, zip.ErrFormat) ||
		errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrAlgorithm)
}

// decompressor recognises the compression of an open file and returns a reader
// of the content from its start: of the first member for a zip archive. An xz
// file is recognised but read as it is.
func decompressor(f *os.File, size int64) (format string, r io.Reader, err error) {
	var magic [6]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		return "", nil, err
	}
	m := magic[:n]
	switch {
	case bytes.HasPrefix(m, []byte{0x1f, 0x8b}):
		if zr, err := gzip.NewReader(io.NewSectionReader(f, 0, size)); err == nil {
			return gzipFormat, zr, nil
		}
	case bytes.HasPrefix(m, []byte("BZh")):
		return bzip2Format, bzip2.NewReader(io.NewSectionReader(f, 0, size)), nil
	case bytes.HasPrefix(m, []byte("\xfd7zXZ\x00")):
		return xzFormat, io.NewSectionReader(f, 0, size), nil
	case bytes.HasPrefix(m, []byte("PK")):
		zr, err := zip.NewReader(f, size)
		if err == nil && len(zr.File) > 0 {
			rc, err := zr.File[0].Open()
			if err != nil {
				// An encrypted or exotic member: a zip all the same.
				return zipFormat, bytes.NewReader(nil), nil
			}
			return zipFormat, rc, nil
		}
	}
	return "", io.NewSectionReader(f, 0, size), nil
}

// contentOf is decompressor for an upload: of a zip archive it takes the first
// file that is no folder.
func contentOf(f *os.File, size int64) (string, io.Reader, error) {
	format, r, err := decompressor(f, size)
	if format != zipFormat || err != nil {
		return format, r, err
	}
	zr, err := zip.NewReader(f, size)
	if err != nil {
		return format, nil, err
	}
	for _, m := range zr.File {
		if !strings.HasSuffix(m.Name, "/") {
			rc, err := m.Open()
			return format, rc, err
		}
	}
	return format, nil, &UnsuitableError{"The ZIP archive holds no file."}
}

// classify decides whether the header is text.
func (p *prefix) classify() {
	h := p.header
	if p.truncated {
		h = trimCutRune(h)
		p.header = h
	}
	if utf8.Valid(h) {
		p.text = string(h)
	} else {
		p.notText = true
	}
	switch {
	case bytes.IndexByte(h, 0) >= 0:
		p.binary = true
	case bytes.HasPrefix(h, []byte("%PDF-")):
		p.binary = true
	case p.notText && hasControl(h):
		p.binary = true
	}
	if p.format == zipFormat && !p.binary {
		// The parts of an Office document are text; the document is not.
		p.binary = officeRule("xl/")(p) || officeRule("word/")(p) || officeRule("ppt/")(p)
	}
}

// trimCutRune removes a UTF-8 sequence that the end of the header cut short.
func trimCutRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i < len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// hasControl reports control characters that no text encoding uses; text in an
// 8-bit encoding has none. Only the first 64 KiB count, as in libmagic.
func hasControl(b []byte) bool {
	if len(b) > 65536 {
		b = b[:65536]
	}
	for _, c := range b {
		if c < 7 || (c > 13 && c < 32 && c != 27) || c == 127 {
			return true
		}
	}
	return false
}

func (p *prefix) startsWith(s string) bool { return !p.notText && strings.HasPrefix(p.text, s) }

func (p *prefix) magic(s string) bool { return bytes.HasPrefix(p.header, []byte(s)) }

// lines yields the lines of the header with their line ends. A last line that
// the header cuts short is left out.
func (p *prefix) lines() iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.notText {
			return
		}
		rest := p.text
		for len(rest) > 0 {
			i := strings.IndexByte(rest, '\n')
			if i < 0 {
				if p.truncated && !strings.HasSuffix(rest, "\r") {
					return
				}
				yield(rest)
				return
			}
			if !yield(rest[:i+1]) {
				return
			}
			rest = rest[i+1:]
		}
	}
}

// rawLines yields every line of the header, the last one even when cut short.
func (p *prefix) rawLines() iter.Seq[string] {
	if p.notText {
		return func(func(string) bool) {}
	}
	return strings.Lines(p.text)
}

// rows yields up to count lines (all when count is negative) without their
// ends, split at sep; an empty sep splits at white space. Lines that begin
// with comment are left out when comment is not empty. The rows are not to be
// changed.
func (p *prefix) rows(sep string, count int, comment string) iter.Seq[[]string] {
	if rows, ok := p.firstRows(sep, count, comment); ok {
		return slices.Values(rows)
	}
	return p.splitRows(sep, count, comment)
}

// headRows is the first count rows.
func (p *prefix) headRows(sep string, count int, comment string) [][]string {
	if rows, ok := p.firstRows(sep, count, comment); ok {
		return rows
	}
	return slices.Collect(p.splitRows(sep, count, comment))
}

// firstRows splits the rows that dozens of rules look at only once.
func (p *prefix) firstRows(sep string, count int, comment string) ([][]string, bool) {
	kind := 0
	switch {
	case count < 0 || count > sniffRows:
		return nil, false
	case sep == "\t" && comment == "":
	case sep == "\t" && comment == "#":
		kind = 1
	case sep == "" && comment == "":
		kind = 2
	case sep == "" && comment == "#":
		kind = 3
	default:
		return nil, false
	}
	if !p.tableRead[kind] {
		p.tableRead[kind] = true
		p.table[kind] = slices.Collect(p.splitRows(sep, sniffRows, comment))
	}
	return p.table[kind][:min(count, len(p.table[kind]))], true
}

func (p *prefix) splitRows(sep string, count int, comment string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		n := 0
		for line := range p.lines() {
			line = strings.TrimRight(line, "\r\n")
			if comment != "" && strings.HasPrefix(line, comment) {
				continue
			}
			var fields []string
			if sep == "" {
				fields = pyFields(line)
			} else {
				fields = strings.Split(line, sep)
			}
			if !yield(fields) {
				return
			}
			if n++; n == count {
				return
			}
		}
	}
}

// sniffRows is how many lines the sniffers of tables look at.
const sniffRows = 60

// columnBased reports whether the first lines (without comments, the first
// skip of them left out) all have the same number of columns, at least two.
func (p *prefix) columnBased(sep string, skip int) bool {
	if p.binary || p.notText {
		return false
	}
	count := 0
	i := 0
	for row := range p.rows(sep, sniffRows, "#") {
		if i++; i <= skip {
			continue
		}
		if len(row) == 1 && row[0] == "" {
			continue
		}
		if count == 0 {
			if count = len(row); count < 2 {
				return false
			}
		} else if len(row) != count {
			return false
		}
	}
	return count >= 2
}
