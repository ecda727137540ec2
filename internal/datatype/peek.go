package datatype

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	peekLines = 5
	peekWidth = 256 // characters of one piece of a line
)

// PurgedPeek and PurgedBlurb are what a dataset has whose file is gone for good.
const (
	PurgedPeek  = "file does not exist"
	PurgedBlurb = "file purged from disk"
)

// Peek returns the two columns that a dataset keeps of its contents: the
// beginning of the file (plain text; [Registry.PeekHTML] shows it) and the
// summary, as "3 lines". It completes md with the number of lines where
// setting metadata left it open and the file is small, as Galaxy does; md may
// be nil.
func (r *Registry) Peek(path, ext string, md Metadata) (peek, blurb string, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", "", fmt.Errorf("peek: %w", err)
	}
	if !st.Mode().IsRegular() {
		return "", "", fmt.Errorf("peek: %s is not a regular file", path)
	}
	if md == nil {
		md = Metadata{}
	}
	t := r.Type(ext)
	p := &peeker{path: path, size: st.Size(), typ: t, md: md}
	if t.peekText != nil {
		return p.fixed(t.peekText)
	}
	rule := peekRules[t.peekRule]
	for _, a := range t.Ancestors {
		if rule != nil {
			break
		}
		rule = peekRules[a]
	}
	if rule == nil {
		rule = binaryPeek
	}
	return rule(p)
}

type peeker struct {
	path string
	size int64
	typ  *Type
	md   Metadata
}

var peekRules map[string]func(*peeker) (string, string, error)

func init() {
	peekRules = map[string]func(*peeker) (string, string, error){
		"data.Data":           func(*peeker) (string, string, error) { return "", "data", nil },
		"data.Text":           func(p *peeker) (string, string, error) { return textPeek(p, true) },
		"tabular.TabularData": tablePeek,
		"tabular.GeoCSV": func(p *peeker) (string, string, error) {
			peek, _, err := tablePeek(p)
			return peek, "GeoCSV", err
		},
		"sequence.Sequence": sequencePeek,
		"sequence.Maf":      mafPeek,
		"images.Image": func(p *peeker) (string, string, error) {
			return "Image in " + p.typ.Ext + " format", NiceSize(p.size), nil
		},
		"binary.SQlite": sqlitePeek,
		"binary.Binary": binaryPeek,
		"binary.BafTar": func(p *peeker) (string, string, error) { return "", NiceSize(p.size), nil },
		"text.Arff": func(p *peeker) (string, string, error) {
			peek, err := filePeek(p.path, true)
			return peek, fmt.Sprintf("Attribute-Relation File Format (ARFF), %v comments, %v attributes", p.number("comment_lines"), p.number("columns")), err
		},
		"sequence.Fastg": sequencePeek,
		"molecules.GRO":  groPeek,
	}
	named := func(name string) func(*peeker) (string, string, error) {
		return func(p *peeker) (string, string, error) {
			peek, err := filePeek(p.path, true)
			return peek, name, err
		}
	}
	for class, name := range map[string]string{
		"text.GeoJson": "GeoJSON", "text.CytoscapeJson": "CytoscapeJS", "text.ImgtJson": "IMGT JSON", "text.AuspiceJson": "AuspiceJSON",
		"text.Biom1": "Biological Observation Matrix v1",
	} {
		peekRules[class] = named(name)
	}
}

func (p *peeker) number(name string) int64 {
	switch n := p.md[name].(type) {
	case int64:
		return n
	case int:
		return int64(n)
	case float64:
		return int64(n)
	}
	return 0
}

func (p *peeker) fixed(f *fixedPeek) (peek, blurb string, err error) {
	switch f.Peek[0] {
	case "file":
		if peek, err = filePeek(p.path, true); err != nil {
			return "", "", err
		}
	case "=":
		peek = f.Peek[1]
	}
	blurb = NiceSize(p.size)
	if f.Blurb[0] == "=" {
		blurb = f.Blurb[1]
	}
	return peek, blurb, nil
}

func binaryPeek(p *peeker) (string, string, error) { return "binary data", NiceSize(p.size), nil }

// countWhole is up to which size of file the lines are counted for the
// summary, in bytes; above it their number is estimated from the beginning.
const countWhole = 1 << 20

func textPeek(p *peeker, wrap bool) (peek, blurb string, err error) {
	if peek, err = filePeek(p.path, wrap); err != nil {
		return "", "", err
	}
	if n := p.number("data_lines"); n != 0 {
		return peek, commas(n) + " " + plural(n, p.typ.LineClass), nil
	}
	if p.size <= countWhole {
		n, err := countDataLines(p.path)
		if errors.Is(err, ErrNotText) {
			return peek, "Error: Cannot count lines in dataset", nil
		}
		if err != nil && !isCorrupt(err) {
			return "", "", err
		}
		p.md["data_lines"] = n
		return peek, commas(n) + " " + plural(n, p.typ.LineClass), nil
	}
	n, err := estimateLines(p.path, p.size)
	if errors.Is(err, ErrNotText) {
		return peek, "Error: Cannot estimate lines in dataset", nil
	}
	if err != nil && !isCorrupt(err) {
		return "", "", err
	}
	return peek, "~" + metric(n) + " " + plural(n, p.typ.LineClass), nil
}

// estimateLines counts line ends in the first MiB of characters and scales
// them to the file's size.
func estimateLines(path string, size int64) (int64, error) {
	l, err := openLines(path, true)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	var lines, chars int64
	for chars < countWhole {
		line, ended, ok := l.next()
		if !ok {
			break
		}
		chars += int64(utf8.RuneCount(line)) + 1
		if ended && chars <= countWhole {
			lines++
		}
	}
	if l.err != nil {
		return 0, l.err
	}
	return int64(float64(lines) * (float64(size) / countWhole)), nil
}

func tablePeek(p *peeker) (string, string, error) {
	peek, blurb, err := textPeek(p, false)
	if err != nil {
		return "", "", err
	}
	columns := p.number("columns")
	if _, set := p.md["columns"]; !set {
		for _, e := range p.typ.spec {
			if e.Name == "columns" {
				columns, _ = e.Default.(int64)
			}
		}
	}
	blurb += fmt.Sprintf(" %d columns", columns)
	if c := p.number("comment_lines"); c != 0 {
		blurb += ", " + commas(c) + " comments"
	}
	return peek, blurb, nil
}

func sequencePeek(p *peeker) (string, string, error) {
	peek, err := filePeek(p.path, true)
	if err != nil {
		return "", "", err
	}
	if n := p.number("sequences"); n != 0 {
		return peek, commas(n) + " sequences", nil
	}
	return peek, NiceSize(p.size), nil
}

func mafPeek(p *peeker) (string, string, error) {
	peek, err := filePeek(p.path, true)
	if n := p.number("blocks"); n != 0 {
		return peek, commas(n) + " blocks", err
	}
	return peek, "? blocks", err
}

// groPeek takes the number of atoms from the second line.
func groPeek(p *peeker) (string, string, error) {
	peek, err := filePeek(p.path, true)
	if err != nil {
		return "", "", err
	}
	if lines := strings.Split(peek, "\n"); len(lines) > 1 {
		if n, ok := toInt(lines[1]); ok {
			return peek, strconv.FormatInt(n, 10) + " atoms", nil
		}
	}
	return textPeek(p, true)
}

func sqlitePeek(p *peeker) (string, string, error) {
	peek := "SQLite Database"
	tables, _ := asList(p.md["tables"])
	rows, _ := p.md["table_row_count"].(map[string]any)
	for _, name := range tables {
		s, _ := name.(string)
		if n, ok := rows[s]; ok {
			peek += fmt.Sprintf("\n%s [%v]", s, n)
		}
	}
	return peek, NiceSize(p.size), nil
}

// filePeek returns the first five lines. A line longer than 256 characters is
// divided (wrap) or cut off. Compressed files are read through.
func filePeek(path string, wrap bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	_, in, err := decompressor(f, st.Size())
	if err != nil {
		return "", err
	}
	r := newCharReader(in)
	var out strings.Builder
	ended := false
	for n := range peekLines {
		line, end, err := r.line(peekWidth)
		if err != nil {
			if errors.Is(err, ErrNotText) {
				return "binary file", nil
			}
			if isCorrupt(err) {
				break
			}
			return "", err
		}
		if line == "" && !end {
			break
		}
		if n > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(line)
		ended = end
		if !end && !wrap {
			ended, err = r.rest()
			if err != nil && !isCorrupt(err) {
				if errors.Is(err, ErrNotText) {
					return "binary file", nil
				}
				return "", err
			}
		}
	}
	if ended {
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// maxPassedOver is how much of one long line is read to find its end, in bytes.
const maxPassedOver = 64 << 20

// charReader reads characters with universal newlines.
type charReader struct {
	in     io.Reader
	buf    [4096]byte
	start  int
	end    int
	lastCR bool
	eof    bool

	consumed int64 // bytes
}

func newCharReader(r io.Reader) *charReader { return &charReader{in: r} }

// char returns the next character; the size is 0 at the end.
func (c *charReader) char() (rune, int, error) {
	for {
		if !c.eof && c.end-c.start < utf8.UTFMax {
			copy(c.buf[:], c.buf[c.start:c.end])
			c.end -= c.start
			c.start = 0
			n, err := c.in.Read(c.buf[c.end:])
			c.end += n
			if err == io.EOF {
				c.eof = true
			} else if err != nil {
				return 0, 0, err
			}
			if n == 0 && !c.eof {
				continue
			}
		}
		if c.start == c.end {
			return 0, 0, nil
		}
		r, n := rune(c.buf[c.start]), 1
		if r >= utf8.RuneSelf {
			if !c.eof && !utf8.FullRune(c.buf[c.start:c.end]) {
				continue
			}
			if r, n = utf8.DecodeRune(c.buf[c.start:c.end]); r == utf8.RuneError && n == 1 {
				return 0, 0, ErrNotText
			}
		}
		c.start += n
		c.consumed += int64(n)
		if r == '\n' && c.lastCR {
			c.lastCR = false
			continue
		}
		c.lastCR = r == '\r'
		if r == '\r' {
			r = '\n'
		}
		return r, n, nil
	}
}

// line returns up to width characters of the next line and whether it ended.
func (c *charReader) line(width int) (string, bool, error) {
	var b strings.Builder
	for range width {
		r, n, err := c.char()
		if err != nil || n == 0 {
			return b.String(), false, err
		}
		if r == '\n' {
			return b.String(), true, nil
		}
		b.WriteRune(r)
	}
	return b.String(), false, nil
}

// rest passes over the rest of a line.
func (c *charReader) rest() (bool, error) {
	for passed := 0; passed < maxPassedOver; {
		r, n, err := c.char()
		if err != nil || n == 0 {
			return false, err
		}
		if r == '\n' {
			return true, nil
		}
		passed += n
	}
	return true, nil
}

func commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural puts a word after a number. "assemblies" is written in the plural and
// Galaxy's rules do not know it: it stays.
func plural(n int64, word string) string {
	if word == "assemblies" {
		if n == 1 {
			return word
		}
		return "assembly"
	}
	if n == 1 {
		return word
	}
	return word + "s"
}

const metricPrefixes = "KMGTPEZYRQ"

// NiceSize is a size in bytes as Galaxy shows it: "512 bytes", "1.1 MB".
func NiceSize(bytes int64) string {
	if bytes < 1000 && bytes > -1000 {
		return strconv.FormatInt(bytes, 10) + " bytes"
	}
	v, i := scale(float64(bytes))
	return fmt.Sprintf("%.1f %cB", v, metricPrefixes[i-1])
}

func scale(v float64) (float64, int) {
	i := 0
	n := math.Abs(v)
	for n >= 1000 && i < len(metricPrefixes) {
		n /= 1000
		i++
	}
	return v / math.Pow(1000, float64(i)), i
}

// metric shortens a number: 102300 is "102.3K".
func metric(n int64) string {
	plain := strconv.FormatInt(n, 10)
	v, i := scale(float64(n))
	s := strconv.FormatFloat(v, 'f', 1, 64)
	if v == math.Trunc(v) {
		s = strconv.FormatFloat(v, 'f', 0, 64)
	}
	if i > 0 {
		s += string(metricPrefixes[i-1])
	}
	if len(s) <= len(plain) {
		return s
	}
	return plain
}
