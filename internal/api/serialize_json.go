package api

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonWriter appends JSON to a buffer. Long lists are written with it, since a
// page of a history is what people and their browsers ask for most.
type jsonWriter struct {
	buf []byte
	// first tells that nothing was written yet in the present object or list.
	first bool
}

func (w *jsonWriter) open(c byte) {
	w.buf = append(w.buf, c)
	w.first = true
}

func (w *jsonWriter) close(c byte) {
	w.buf = append(w.buf, c)
	w.first = false
}

// next separates the coming item from the one before.
func (w *jsonWriter) next() {
	if !w.first {
		w.buf = append(w.buf, ',')
	}
	w.first = false
}

// key begins a field; keys are plain ASCII.
func (w *jsonWriter) key(k string) {
	w.next()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, k...)
	w.buf = append(w.buf, '"', ':')
}

func (w *jsonWriter) raw(s string) { w.buf = append(w.buf, s...) }

func (w *jsonWriter) bool(v bool) { w.buf = strconv.AppendBool(w.buf, v) }

func (w *jsonWriter) int(v int64) { w.buf = strconv.AppendInt(w.buf, v, 10) }

// id writes a text that needs no escaping.
func (w *jsonWriter) id(s string) {
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '"')
}

// time writes a time as Galaxy prints it: UTC without a zone.
func (w *jsonWriter) time(t time.Time) {
	w.buf = append(w.buf, '"')
	w.buf = t.AppendFormat(w.buf, timeForm)
	w.buf = append(w.buf, '"')
}

const hexDigits = "0123456789abcdef"

func (w *jsonWriter) string(s string) {
	w.buf = append(w.buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				w.buf = append(append(w.buf, s[start:i]...), `\ufffd`...)
				i++
				start = i
				continue
			}
			i += size
			continue
		}
		w.buf = append(w.buf, s[start:i]...)
		switch c {
		case '"', '\\':
			w.buf = append(w.buf, '\\', c)
		case '\n':
			w.buf = append(w.buf, '\\', 'n')
		case '\t':
			w.buf = append(w.buf, '\\', 't')
		case '\r':
			w.buf = append(w.buf, '\\', 'r')
		default:
			w.buf = append(w.buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	w.buf = append(append(w.buf, s[start:]...), '"')
}

// stringOrNull writes null for an empty text.
func (w *jsonWriter) stringOrNull(s string) {
	if s == "" {
		w.raw("null")
		return
	}
	w.string(s)
}

func (w *jsonWriter) strings(list []string) {
	w.open('[')
	for _, s := range list {
		w.next()
		w.string(s)
	}
	w.close(']')
}

// any writes a value of another kind.
func (w *jsonWriter) any(v any) error {
	b, err := json.Marshal(v)
	w.buf = append(w.buf, b...)
	return err
}
