package datatype

import (
	"bufio"
	"io"
)

// byteWalker steps through a binary file of blocks; after an error it yields nothing.
type byteWalker struct {
	in  *bufio.Reader
	err error
	buf [16]byte
}

func newByteWalker(r io.Reader) *byteWalker { return &byteWalker{in: bufio.NewReader(r)} }

func (w *byteWalker) take(n int) []byte {
	if w.err != nil {
		return nil
	}
	b := w.buf[:n]
	if _, w.err = io.ReadFull(w.in, b); w.err != nil {
		return nil
	}
	return b
}

func (w *byteWalker) skip(n int) {
	if w.err == nil {
		_, w.err = w.in.Discard(n)
	}
}

// skipBlocks passes over blocks that begin with their length, up to an empty one.
func (w *byteWalker) skipBlocks() {
	for {
		b := w.take(1)
		if len(b) == 0 || b[0] == 0 {
			return
		}
		w.skip(int(b[0]))
	}
}
