package datatype

import (
	"fmt"
	"slices"
	"strings"
)

// maxDataLines is how many lines of a table are read to know its columns.
const maxDataLines = 100000

type tabularOptions struct {
	skip     int // leading lines that are comments; -1 when the first line may be headings
	maxLines int // 0 for no limit
	head     func(first string) []string
}

// kind is the type of a column's values, in the order of what overrules what.
type kind uint8

const (
	kindNone kind = iota
	kindInt
	kindFloat
	kindList
	kindStr
)

var kindNames = [...]string{"", "int", "float", "list", "str"}

// kindOf is the type of one cell: none for an empty one.
func kindOf(s string) kind {
	if !strings.Contains(s, "_") {
		if isInt(s) {
			return kindInt
		}
		if isFloat(s) || strings.EqualFold(pyStrip(s), "na") {
			return kindFloat
		}
	}
	switch {
	case strings.Contains(s, ","):
		return kindList
	case s != "":
		return kindStr
	}
	return kindNone
}

// maxColumns bounds the columns whose types are kept.
const maxColumns = 1 << 20

// tabularMeta counts lines and finds out the columns' types. When the first
// line may be headings, its types only count for columns without another value.
func tabularMeta(f *metaFile, o tabularOptions) error {
	firstMayDiffer := o.skip < 0
	skip := max(o.skip, 0)
	var columns, first []kind
	var names []string
	var dataLines, comments int64
	var unknown bool
	l, err := f.lines()
	if err != nil {
		return err
	}
	defer l.Close()
	for i := 0; ; i++ {
		raw, _, ok := l.next()
		if !ok {
			break
		}
		line := string(raw)
		if i == 0 && o.head != nil {
			names = o.head(line)
		}
		if i < skip || line == "" || line[0] == '#' {
			comments++
		} else {
			dataLines++
			c := 0
			for cell := range strings.SplitSeq(line, "\t") {
				if c == maxColumns {
					break
				}
				if c >= len(columns) {
					columns = append(columns, kindNone)
				}
				if columns[c] != kindStr {
					columns[c] = max(columns[c], kindOf(cell))
				}
				c++
			}
			if i == 0 && firstMayDiffer {
				first = columns
				columns = make([]kind, len(first))
			}
		}
		if o.maxLines > 0 && dataLines >= int64(o.maxLines) {
			// More lines may follow: their number stays unknown.
			unknown = l.format != "" || !l.atEnd()
			break
		}
	}
	if l.err != nil {
		return l.err
	}
	if len(first) > len(columns) {
		columns = append(columns, first[len(columns):]...)
	}
	types := make([]string, len(columns))
	for i, k := range columns {
		if k == kindNone && i < len(first) {
			k = first[i]
		}
		if k == kindNone {
			k = kindStr
		}
		types[i] = kindNames[k]
	}
	if unknown {
		f.set("data_lines", nil)
		f.set("comment_lines", nil)
	} else {
		f.set("data_lines", dataLines)
		f.set("comment_lines", comments)
	}
	f.set("column_types", types)
	f.set("columns", int64(len(types)))
	f.set("delimiter", "\t")
	if names != nil {
		f.set("column_names", names)
	}
	return nil
}

func sraMeta(f *metaFile) error {
	err := tabularMeta(f, tabularOptions{skip: -1, maxLines: maxDataLines, head: func(first string) []string {
		return strings.Split(pyStrip(first), "\t")
	}})
	f.set("comment_lines", int64(1))
	return err
}

func vcfMeta(f *metaFile) error {
	if err := tabularMeta(f, tabularOptions{skip: -1, maxLines: maxDataLines}); err != nil {
		return err
	}
	return f.eachLine(func(line []byte) bool {
		if len(line) > 1 && line[0] == '#' && line[1] == '#' {
			return true
		}
		if len(line) > 0 && line[0] == '#' {
			fields := pyFields(string(line))
			f.set("sample_names", slices.Clone(fields[min(9, len(fields)):]))
		}
		return false
	})
}

func matrixMarketMeta(f *metaFile) error {
	if f.size == 0 {
		return nil
	}
	var data, comments int64
	last, known := "", true
	err := f.eachLine(func(line []byte) bool {
		last = ""
		if strings.IndexByte(string(line), ' ') >= 0 {
			last = " "
		}
		switch {
		case len(line) > 0 && line[0] == '%':
			comments++
		case f.large:
			known = false
			return false
		default:
			data++
		}
		return true
	})
	if err != nil {
		return err
	}
	delimiter := "\t"
	if last == " " {
		delimiter = " "
	}
	f.set("delimiter", delimiter)
	f.set("comment_lines", comments)
	if known {
		f.set("data_lines", data)
	} else {
		f.set("data_lines", nil)
	}
	f.set("columns", int64(3))
	f.set("column_types", []string{"int", "int", "float"})
	return nil
}

// csvMeta reads headings and types from the first two rows and counts lines.
func csvMeta(f *metaFile) error {
	delimiter := byte(',')
	if f.typ.Is("tabular.TSV") {
		delimiter = '\t'
	}
	var rows [2][]string
	n, lines := 0, int64(0)
	if f.size > 0 {
		l, err := openLines(f.path, false)
		if err != nil {
			return err
		}
		defer l.Close()
		c := csvParser{csvDialect: csvDialect{delimiter: delimiter, quote: '"', doubled: true}}
		for {
			line, ended, ok := l.next()
			if !ok {
				break
			}
			lines++
			end := ""
			if ended {
				end = "\n"
			}
			if c.line(string(line), end) {
				row := c.take()
				if n < len(rows) {
					rows[n] = row
				}
				n++
			}
			if c.err != nil {
				return fmt.Errorf("line %d: %w", lines, c.err)
			}
		}
		if l.err != nil {
			return l.err
		}
		if row, ok := c.finish(); ok {
			if n < len(rows) {
				rows[n] = row
			}
			n++
		}
	}
	data := int64(0)
	if n >= 2 {
		data = lines - 1
	}
	types := make([]string, len(rows[1]))
	for i, cell := range rows[1] {
		types[i] = "str"
		if !strings.Contains(cell, "_") {
			if isInt(cell) {
				types[i] = "int"
			} else if isFloat(cell) || strings.EqualFold(pyStrip(cell), "na") {
				types[i] = "float"
			}
		}
	}
	header := rows[0]
	if header == nil {
		header = []string{}
	}
	comments := int64(0)
	if len(header) > 0 {
		comments = 1
	}
	f.set("data_lines", data)
	f.set("comment_lines", comments)
	f.set("column_types", types)
	f.set("columns", int64(max(len(header), len(rows[1]))))
	f.set("column_names", header)
	f.set("delimiter", string(delimiter))
	return nil
}
