package datatype

import (
	"bytes"
	"io"
	"os"
	"unicode/utf8"
)

// maxLine is how much of one line is kept, in bytes; what a longer line goes on
// with is passed over.
const maxLine = 16 << 20

// lineReader reads a file (decompressed) line by line with universal newlines,
// in bounded memory, checking that it is UTF-8.
type lineReader struct {
	file   *os.File
	in     io.Reader
	format string
	buf    []byte
	start  int // of unread bytes in buf
	end    int
	long   []byte // a line that did not fit into buf
	eof    bool
	err    error
	lastCR bool // the last block ended in a carriage return
	carry  []byte
}

// openLines opens a file for reading lines. With decompress, compressed files
// are read through.
func openLines(path string, decompress bool) (*lineReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &lineReader{file: f, in: f}
	size := int64(64 << 10)
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if decompress {
		l.format, l.in, err = decompressor(f, st.Size())
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	if l.format == "" {
		size = min(size, st.Size()+64)
	}
	l.buf = make([]byte, size)
	return l, nil
}

func (l *lineReader) Close() error { return l.file.Close() }

// fill reads the next block. The unread rest is moved to the front first.
func (l *lineReader) fill() {
	if l.eof || l.err != nil {
		return
	}
	if l.start > 0 {
		copy(l.buf, l.buf[l.start:l.end])
		l.end -= l.start
		l.start = 0
	}
	if l.end == len(l.buf) {
		return
	}
	at := l.end
	n := copy(l.buf[at:], l.carry)
	l.carry = l.carry[:0]
	for {
		m, err := l.in.Read(l.buf[at+n:])
		n += m
		if err == io.EOF {
			l.eof = true
		} else if err != nil {
			l.err = err
			return
		}
		if m > 0 || l.eof {
			break
		}
	}
	block := l.buf[at : at+n]
	// A sequence that the block's end cut waits for the next one.
	if !l.eof {
		whole := trimCutRune(block)
		l.carry = append(l.carry, block[len(whole):]...)
		block = whole
	}
	if !utf8.Valid(block) {
		l.err = ErrNotText
		return
	}
	l.end = at + l.newlines(block)
}

// newlines turns \r\n and \r into \n in place and returns the new length.
func (l *lineReader) newlines(b []byte) int {
	drop := l.lastCR && len(b) > 0 && b[0] == '\n'
	if len(b) > 0 {
		l.lastCR = b[len(b)-1] == '\r'
	}
	if !drop && bytes.IndexByte(b, '\r') < 0 {
		return len(b)
	}
	n, i := 0, 0
	if drop {
		i = 1
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '\r' {
			c = '\n'
			if i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
		}
		b[n] = c
		n++
	}
	return n
}

// next returns the next line without its end, whether it had one, and false at
// the end of the file or after an error. The line is valid until the next call.
func (l *lineReader) next() (line []byte, ended, ok bool) {
	l.long = l.long[:0]
	for {
		if i := bytes.IndexByte(l.buf[l.start:l.end], '\n'); i >= 0 {
			line = l.buf[l.start : l.start+i]
			l.start += i + 1
			if len(l.long) > 0 {
				line = l.keep(line)
			}
			return line, true, true
		}
		if l.eof || l.err != nil {
			line = l.buf[l.start:l.end]
			l.start = l.end
			if len(l.long) > 0 {
				line = l.keep(line)
			}
			return line, false, len(line) > 0 && l.err == nil
		}
		if l.start == 0 && l.end+utf8.UTFMax >= len(l.buf) {
			l.keep(l.buf[:l.end])
			l.end = 0
		}
		l.fill()
	}
}

func (l *lineReader) keep(part []byte) []byte {
	room := maxLine - len(l.long)
	l.long = append(l.long, part[:min(len(part), max(room, 0))]...)
	return l.long
}

// atEnd reports whether nothing is left to read.
func (l *lineReader) atEnd() bool {
	for l.start == l.end && !l.eof && l.err == nil {
		l.fill()
	}
	return l.start == l.end && l.err == nil
}
