package datatype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// countedStart is how far into a line Galaxy looks for something to count.
const countedStart = 32768

// countDataLines counts the lines that are neither blank nor begin with #.
func countDataLines(path string) (int64, error) {
	l, err := openLines(path, true)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	var n int64
	for {
		line, _, ok := l.next()
		if !ok {
			return n, l.err
		}
		if counts(line) {
			n++
		}
	}
}

func counts(line []byte) bool {
	if len(line) > countedStart {
		line = line[:countedStart]
	}
	if len(line) > 0 && line[0] > ' ' && line[0] < utf8.RuneSelf {
		return line[0] != '#'
	}
	line = bytes.TrimLeftFunc(line, pySpace)
	return len(line) > 0 && line[0] != '#'
}

func textMeta(f *metaFile) error {
	n, err := countDataLines(f.path)
	if errors.Is(err, ErrNotText) {
		f.set("data_lines", nil)
		return nil
	}
	if err != nil {
		return err
	}
	f.set("data_lines", n)
	return nil
}

// allLinesMeta counts every line.
func allLinesMeta(f *metaFile) error {
	n := int64(0)
	err := f.eachLine(func([]byte) bool { n++; return true })
	f.set("data_lines", n)
	return err
}

// eachLine visits the file's lines until visit returns false.
func (f *metaFile) eachLine(visit func([]byte) bool) error {
	l, err := f.lines()
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		line, _, ok := l.next()
		if !ok {
			return l.err
		}
		if !visit(line) {
			return nil
		}
	}
}

// maxExpression bounds the files that are parsed as one JSON value, in bytes.
const maxExpression = 64 << 20

func expressionMeta(f *metaFile) error {
	if f.size == 0 {
		return nil
	}
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxExpression))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(data))
	if !validJSON(text) {
		return fmt.Errorf("the file is not JSON: it begins with %q", text[:min(len(text), 80)])
	}
	kind := "null"
	switch c := text[0]; {
	case c == '{':
		kind = "object"
	case c == '[':
		kind = "list"
	case c == 't' || c == 'f':
		kind = "int" // in Python a truth value is a number
	case c == '-' || asciiDigit(c):
		kind = "float"
		if json.Valid(data) && !strings.ContainsAny(text, ".eE") {
			kind = "int"
		}
	case c == 'N' || c == 'I':
		kind = "float"
	}
	f.set("json_type", kind)
	return nil
}

func arffMeta(f *metaFile) error {
	comments, columns := int64(0), int64(0)
	real, data := false, false
	err := f.eachLine(func(b []byte) bool {
		line := pyStrip(string(b))
		if line == "" {
			return true
		}
		if line[0] == '%' && !real {
			comments++
		} else {
			real = true
		}
		if !data {
			data = strings.EqualFold(line[:min(5, len(line))], "@DATA")
			return true
		}
		if sparse, _, ok := strings.Cut(line, "}"); ok && line[0] == '{' {
			cells := strings.Split(sparse, ",")
			last := pyFields(strings.TrimPrefix(cells[len(cells)-1], "{"))
			if len(last) > 0 {
				columns, _ = toInt(last[0])
			}
			columns-- // Galaxy takes the rest of the line for a weight
		} else {
			cells := strings.Split(line, ",")
			columns = int64(len(cells))
			if strings.HasPrefix(pyStrip(cells[len(cells)-1]), "{") {
				columns--
			}
		}
		return false
	})
	f.set("comment_lines", comments)
	f.set("columns", columns)
	return err
}
