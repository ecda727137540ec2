package datatype

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Chunk is a piece of a tabular dataset, as the client asks for while a person
// scrolls.
type Chunk struct {
	Data       string `json:"ck_data"`
	Offset     int64  `json:"offset"` // where the next chunk begins, in bytes of the decompressed file
	LineOffset int    `json:"data_line_offset"`
}

// DefaultChunkSize is Galaxy's display_chunk_size, in characters.
const DefaultChunkSize = 65536

// MaxChunkSize bounds what one chunk may be asked to hold, in characters.
const MaxChunkSize = 4 << 20

// ErrOffset is returned for an offset that lies before the file's start.
var ErrOffset = errors.New("the offset is negative")

// ReadChunk returns size characters of the file from the offset (in bytes), up
// to the end of the line that they end in. A size of 0 means
// [DefaultChunkSize]. The error wraps [ErrNotText] for a binary file.
func (r *Registry) ReadChunk(path, ext string, offset int64, size int) (Chunk, error) {
	if offset < 0 {
		return Chunk{}, ErrOffset
	}
	if size <= 0 {
		size = DefaultChunkSize
	}
	size = min(size, MaxChunkSize)
	f, err := os.Open(path)
	if err != nil {
		return Chunk{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Chunk{}, err
	}
	format, in, err := decompressor(f, st.Size())
	if err != nil {
		return Chunk{}, err
	}
	var skipped int64
	if format == "" {
		offset = min(offset, st.Size())
		if _, err = f.Seek(offset, io.SeekStart); err != nil {
			return Chunk{}, err
		}
		in = f
	} else if skipped, err = io.CopyN(io.Discard, in, offset); errors.Is(err, io.EOF) {
		offset = skipped
	} else if err != nil {
		return Chunk{}, fmt.Errorf("the compressed file is damaged: %w", err)
	}
	c := newCharReader(in)
	var b strings.Builder
	b.Grow(min(size, int(min(st.Size(), 1<<20))) + 256)
	read := int64(0)
	// The longest line that is completed is bounded too.
	for n := 0; n < size+maxLine; n++ {
		before := c.consumed
		ch, width, err := c.char()
		read += c.consumed - before
		if err != nil {
			return Chunk{}, fmt.Errorf("show the dataset: %w", err)
		}
		if width == 0 {
			break
		}
		b.WriteRune(ch)
		if n >= size-1 && ch == '\n' {
			break
		}
	}
	if !utf8.ValidString(b.String()) {
		return Chunk{}, ErrNotText
	}
	return Chunk{b.String(), offset + read, r.Type(ext).LineOffset}, nil
}
