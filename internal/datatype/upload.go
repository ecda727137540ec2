package datatype

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// AutoDetect is the extension that asks for the type to be recognised.
const AutoDetect = "auto"

// UploadOptions say what is done with an uploaded file.
type UploadOptions struct {
	Ext            string // requested extension; empty or "auto" to recognise it
	Name           string // the file's name as the person gave it; its ending helps with binary files
	ToPosixLines   bool   // end lines with \n
	SpaceToTab     bool   // runs of white space become one tab
	KeepCompressed bool   // do not decompress
	SkipCheck      bool   // do not refuse HTML with active content
	LinkOnly       bool   // the file is not ours: leave it as it is
	TempDir        string // for the new file; the file's own folder when empty
	// MaxBytes bounds what decompression may write; 0 for no bound.
	MaxBytes int64
}

// UploadResult says what became of an uploaded file.
type UploadResult struct {
	Ext               string
	Path              string // the given path, or a new file in TempDir that replaces it; the caller removes what it does not use
	Warning           string // for the person, or empty
	Binary            bool
	ConvertedNewlines bool // something changed, so that the file differs from its source
	ConvertedSpaces   bool
	Decompressed      bool
}

// Info is the text that the dataset shows about its upload.
func (u UploadResult) Info() string {
	info := "uploaded " + u.Ext + " file"
	if u.Warning != "" {
		info += "\n" + u.Warning
	}
	return info
}

// UnsuitableError refuses an upload because of what it contains. Its text is
// meant for the person.
type UnsuitableError struct{ Reason string }

func (e *UnsuitableError) Error() string { return e.Reason }

// PrepareUpload recognises an uploaded file and brings it into the form that
// datasets have: decompressed unless its type is kept compressed, with POSIX
// line ends and tabs where asked. The given file is never changed. The error is
// an [UnsuitableError] when the content is refused.
func (r *Registry) PrepareUpload(path string, o UploadOptions) (res UploadResult, err error) {
	auto := o.Ext == "" || o.Ext == AutoDetect
	if o.TempDir == "" {
		o.TempDir = filepath.Dir(path)
	}
	p, err := readPrefix(path)
	if err != nil {
		return UploadResult{}, fmt.Errorf("upload: %w", err)
	}
	sniffOptions := SniffOptions{KeepCompressed: o.KeepCompressed}
	if o.KeepCompressed && p.format != "" {
		p.binary = true
	}
	res = UploadResult{Ext: o.Ext, Path: path, Binary: p.binary}
	defer func() {
		if err != nil && res.Path != path {
			os.Remove(res.Path)
		}
	}()
	severalFiles := false
	if o.LinkOnly {
		if auto {
			res.Ext = r.sniffPrefix(p, sniffOptions)
		}
	} else {
		severalFiles = !o.KeepCompressed && p.format == zipFormat && zipFileCount(p) > 2
		if res, err = r.convertUpload(p, res, auto, o, sniffOptions); err != nil {
			return res, err
		}
	}
	if !auto && !o.SkipCheck {
		if matches, known, err := r.IsType(path, res.Ext); known && (err != nil || !matches) {
			res.Warning = fmt.Sprintf("The type was set to %q, but the file does not look like that type.", res.Ext)
		}
	}
	if p.binary && res.Ext == "binary" {
		ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(o.Name)), ".")
		if t, ok := r.Lookup(ending); ok && t.Is("binary.Binary") && !r.recognisable(ending) {
			res.Ext = ending
			res.Warning = fmt.Sprintf("The type could not be recognised from the file's contents; %q was taken from its name. Set the type when you upload such a file.", ending)
		} else if auto {
			res.Warning = "The type of this binary file could not be recognised: please set it."
		}
	}
	if severalFiles && !r.Type(res.Ext).Compressed {
		res.Warning = "The ZIP archive holds several files; only the first one was taken."
	}
	return res, nil
}

// recognisable reports whether there is a rule for the extension at all,
// written here or not.
func (r *Registry) recognisable(ext string) bool {
	for i := range r.sniffers {
		if r.sniffers[i].ext == ext {
			return true
		}
	}
	return false
}

func zipFileCount(p *prefix) int {
	n := 0
	for _, f := range zipMembers(p) {
		if !strings.HasSuffix(f.Name, "/") {
			n++
		}
	}
	return n
}

func (r *Registry) convertUpload(p *prefix, res UploadResult, auto bool, o UploadOptions, so SniffOptions) (UploadResult, error) {
	original := p
	compressed := p.format != ""
	keep := false
	if compressed {
		if !o.SkipCheck && activeHTML(string(p.header[:min(len(p.header), 1<<15)])) {
			return res, &UnsuitableError{"The compressed file holds HTML with active content, which is not accepted."}
		}
		if auto {
			if ext := r.runSniffers(p, true); ext != "" {
				res.Ext, keep, auto = ext, true, false
			}
		} else if t, ok := r.Lookup(res.Ext); ok {
			keep = t.Compressed
		}
		if !keep && !o.KeepCompressed && p.format != xzFormat {
			made, err := decompressTo(p.path, o.TempDir, o.MaxBytes)
			if err != nil {
				return res, err
			}
			res.Path, res.Decompressed, compressed = made, true, false
			if p, err = readPrefix(made); err != nil {
				return res, err
			}
		}
	}
	sniffed := ""
	if auto {
		sniffed = r.sniffPrefix(p, so)
	}
	if (o.ToPosixLines || o.SpaceToTab) && !original.binary && !compressed {
		made, changed, err := convertText(res.Path, o)
		if err != nil {
			return res, err
		}
		if made != "" {
			if res.Path != original.path {
				os.Remove(res.Path)
			}
			res.Path = made
		}
		res.ConvertedNewlines, res.ConvertedSpaces = changed.newlines, changed.spaces
		if auto && made != "" {
			if p, err = readPrefix(made); err != nil {
				return res, err
			}
			sniffed = r.sniffPrefix(p, so)
		}
	}
	if auto {
		res.Ext = sniffed
	}
	if !original.binary && !o.SkipCheck && !p.notText && p.format == "" && activeHTML(p.text) {
		return res, &UnsuitableError{"The file holds HTML with active content (scripts, frames or links), which is not accepted."}
	}
	return res, nil
}

// activeMarks are the tags for which Galaxy refuses an upload.
var activeMarks = regexp.MustCompile(`(?i)<A\s+[^>]*HREF[^>]+>|<IFRAME[^>]*>|<FRAMESET[^>]*>|<META\W[^>]*>|<SCRIPT[^>]*>`)

// activeHTML looks at the first hundred lines.
func activeHTML(s string) bool {
	if strings.IndexByte(s, '<') < 0 {
		return false
	}
	n := 0
	for line := range strings.Lines(s) {
		if activeMarks.MatchString(line[:min(len(line), 1<<15)]) {
			return true
		}
		if n++; n == 100 {
			break
		}
	}
	return false
}

// ErrTooLarge is returned when a decompressed upload exceeds its bound.
var ErrTooLarge = errors.New("the decompressed file is larger than allowed")

// decompressTo writes the content of a gzip or bzip2 file, or of the first file
// in a zip archive, to a new file in dir and returns its path.
func decompressTo(path, dir string, most int64) (made string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return "", err
	}
	format, content, err := contentOf(in, st.Size())
	if err != nil {
		return "", fmt.Errorf("decompress %s: %w", format, err)
	}
	out, err := os.CreateTemp(dir, "decompressed_")
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(out.Name())
			made = ""
		}
	}()
	if most > 0 {
		content = io.LimitReader(content, most+1)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{content}, make([]byte, 1<<20))
	if err != nil {
		if isCorrupt(err) {
			return "", &UnsuitableError{"The " + format + " data is damaged (" + err.Error() + "); try to upload the file uncompressed."}
		}
		return "", fmt.Errorf("decompress %s: %w", format, err)
	}
	if most > 0 && n > most {
		return "", ErrTooLarge
	}
	return out.Name(), nil
}

type conversion struct{ newlines, spaces bool }

const convertBlock = 128 << 10

// convertText writes a copy of a text file with the asked conversions. When
// nothing would change no copy is left, and made is empty.
func convertText(path string, o UploadOptions) (made string, did conversion, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", did, err
	}
	defer in.Close()
	out, err := os.CreateTemp(o.TempDir, "converted_")
	if err != nil {
		return "", did, err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err != nil || !did.newlines && !did.spaces {
			os.Remove(out.Name())
			made = ""
		}
	}()
	w := bufio.NewWriterSize(out, convertBlock)
	did, err = convert(in, w, o.ToPosixLines, o.SpaceToTab)
	if err == nil {
		err = w.Flush()
	}
	return out.Name(), did, err
}

// convert copies text, with lines ended by \n (a last line without an end gets
// one) and with runs of white space turned to single tabs, as asked. It reports
// what it changed.
func convert(in io.Reader, out io.Writer, posix, tabs bool) (did conversion, err error) {
	buf := make([]byte, convertBlock)
	res := make([]byte, 0, convertBlock+1)
	lastCR, inSpace := false, false
	var last byte
	for {
		n, rerr := in.Read(buf)
		block := buf[:n]
		if !tabs && !lastCR && (!posix || bytes.IndexByte(block, '\r') < 0) {
			// The usual file: nothing to change.
			if n > 0 {
				last = block[n-1]
				if _, err := out.Write(block); err != nil {
					return did, err
				}
			}
		} else {
			res = res[:0]
			for _, c := range block {
				if posix {
					if c == '\n' && lastCR {
						lastCR = false
						continue
					}
					lastCR = c == '\r'
					if lastCR {
						c = '\n'
						did.newlines = true
					}
				}
				if tabs && isBlank(c) {
					if !inSpace {
						res = append(res, '\t')
						did.spaces = true
					}
					inSpace = true
					continue
				}
				inSpace = false
				res = append(res, c)
			}
			if len(res) > 0 {
				last = res[len(res)-1]
				if _, err := out.Write(res); err != nil {
					return did, err
				}
			}
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return did, rerr
		}
	}
	if posix && last != 0 && last != '\n' {
		did.newlines = true
		if _, err := out.Write([]byte("\n")); err != nil {
			return did, err
		}
	}
	return did, nil
}

// isBlank is white space that does not end a line.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\v' || c == '\f' }
