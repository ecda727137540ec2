package datatype

import (
	"errors"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// csvFieldLimit is the longest field that Python's reader takes, in characters.
const csvFieldLimit = 131072

var errLongField = errors.New("a field is longer than 131072 characters")

// csvDialect is how fields are divided and quoted.
type csvDialect struct {
	delimiter byte
	quote     byte
	doubled   bool // two quotes within quotes stand for one
	skipSpace bool // blanks after a delimiter are left out
}

// csvParser splits lines into rows as Python's csv module does with the
// "excel" dialect: leniently, so that text with odd quotes still has rows.
type csvParser struct {
	csvDialect
	state  csvState
	field  []byte
	row    []string
	length int
	err    error
}

type csvState uint8

const (
	startRow csvState = iota
	startField
	inField
	inQuoted
	quoteInQuoted
)

func (c *csvParser) save() {
	c.row = append(c.row, string(c.field))
	c.field = c.field[:0]
	c.length = 0
}

func (c *csvParser) add(b byte) {
	if utf8.RuneStart(b) {
		if c.length++; c.length > csvFieldLimit {
			c.err = errLongField
			return
		}
	}
	c.field = append(c.field, b)
}

// line takes one line without its end, and reports whether a row is complete.
// ended tells whether the line had an end.
func (c *csvParser) line(s, end string) (complete bool) {
	for i := 0; i < len(s) && c.err == nil; i++ {
		c.char(s[i])
	}
	if c.err != nil {
		return false
	}
	switch c.state {
	case inQuoted:
		// The line's end belongs to the field.
		for i := 0; i < len(end); i++ {
			c.add(end[i])
		}
		return false
	case startRow:
		return true
	}
	c.save()
	c.state = startRow
	return true
}

func (c *csvParser) char(b byte) {
	switch c.state {
	case startRow, startField:
		switch {
		case b == c.quote:
			c.state = inQuoted
		case b == ' ' && c.skipSpace:
			c.state = startField
		case b == c.delimiter:
			c.save()
			c.state = startField
		default:
			c.add(b)
			c.state = inField
		}
	case inField:
		if b == c.delimiter {
			c.save()
			c.state = startField
		} else {
			c.add(b)
		}
	case inQuoted:
		if b != c.quote {
			c.add(b)
		} else if c.doubled {
			c.state = quoteInQuoted
		} else {
			c.state = inField
		}
	case quoteInQuoted:
		switch b {
		case c.quote:
			c.add(b)
			c.state = inQuoted
		case c.delimiter:
			c.save()
			c.state = startField
		default:
			c.add(b)
			c.state = inField
		}
	}
}

// take returns the finished row and begins the next.
func (c *csvParser) take() []string {
	row := c.row
	c.row = nil
	c.state = startRow
	return row
}

// finish returns the row that the end of the input completes, if there is one.
func (c *csvParser) finish() ([]string, bool) {
	if c.state == startRow && len(c.row) == 0 && len(c.field) == 0 {
		return nil, false
	}
	if len(c.field) == 0 && c.state != inQuoted {
		return nil, false
	}
	c.save()
	return c.take(), true
}

// textLines yields lines and their ends, ended by \n, \r or \r\n.
func textLines(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for s != "" {
			i := strings.IndexAny(s, "\r\n")
			if i < 0 {
				yield(s, "")
				return
			}
			n := 1
			if s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n' {
				n = 2
			}
			if !yield(s[:i], s[i:i+n]) {
				return
			}
			s = s[i+n:]
		}
	}
}

// csvRows yields the rows of a text; after an error it stops, and err has it.
func csvRows(s string, d csvDialect, err *error) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		c := csvParser{csvDialect: d}
		for line, end := range textLines(s) {
			if c.line(line, end) {
				if !yield(c.take()) {
					return
				}
			}
			if c.err != nil {
				*err = c.err
				return
			}
		}
		if row, ok := c.finish(); ok {
			yield(row)
		}
	}
}

// csvPeek is how many characters of a file Galaxy guesses the dialect from.
const csvPeek = 10240

func init() {
	ruleByExt["csv"] = func(p *prefix) bool { return isCSV(p, ',', false) }
	ruleByExt["tsv"] = func(p *prefix) bool { return isCSV(p, '\t', true) }
}

// isCSV reports whether the file is divided by the delimiter and has a line of
// headings; strict asks for the same number of columns in every row.
func isCSV(p *prefix, delimiter byte, strict bool) bool {
	if p.notText || strings.IndexByte(p.text, delimiter) < 0 {
		return false
	}
	text := p.text
	if p.truncated {
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	var err error
	rows, width := 0, 0
	for row := range csvRows(text, csvDialect{delimiter: delimiter, quote: '"', doubled: true}, &err) {
		if rows++; rows == 1 {
			if width = len(row); width < 2 {
				return false
			}
		} else if strict && len(row) != width || rows == 2 && len(row) < 2 {
			return false
		}
	}
	if err != nil || rows < 2 {
		return false
	}
	sample := universalNewlines(p.text)
	n := 0
	for i := range sample {
		if n++; n > csvPeek {
			sample = sample[:i]
			break
		}
	}
	d, ok := guessDialect(sample)
	return ok && d.delimiter == delimiter && d.quote == '"' && hasHeader(sample, d)
}

func universalNewlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// quotedFields finds text between two equal quotes next to a delimiter; the
// first pattern that matches anywhere decides.
var quotedFields = []*regexp2.Regexp{
	quotedPattern(`(?<delim>[^\w\n"\'])(?<space> ?)(?<quote>["\']).*?\k<quote>\k<delim>`),
	quotedPattern(`(?:^|\n)(?<quote>["\']).*?\k<quote>(?<delim>[^\w\n"\'])(?<space> ?)`),
	quotedPattern(`(?<delim>[^\w\n"\'])(?<space> ?)(?<quote>["\']).*?\k<quote>(?:$|\n)`),
	quotedPattern(`(?:^|\n)(?<quote>["\']).*?\k<quote>(?:$|\n)`),
}

func quotedPattern(s string) *regexp2.Regexp {
	re := regexp2.MustCompile(s, regexp2.Singleline|regexp2.Multiline)
	re.MatchTimeout = quotedTimeout
	return re
}

// guessDialect is Python's csv.Sniffer.sniff. A delimiter beyond ASCII is no
// delimiter here.
func guessDialect(sample string) (csvDialect, bool) {
	quote, doubled, delimiter, skip, found := guessQuoted(sample)
	if !found || delimiter == 0 {
		delimiter, skip = guessDelimiter(sample)
	}
	if delimiter == 0 {
		return csvDialect{}, false
	}
	if quote == 0 {
		quote = '"'
	}
	return csvDialect{delimiter, quote, doubled, skip}, true
}

func guessQuoted(sample string) (quote byte, doubled bool, delimiter byte, skip, found bool) {
	if !strings.ContainsAny(sample, `"'`) {
		return 0, false, 0, false, false
	}
	var quotes, delims []tally
	spaces, matches := 0, 0
	for _, re := range quotedFields {
		for m, err := re.FindStringMatch(sample); m != nil && err == nil; m, err = re.FindNextMatch(m) {
			matches++
			if g := m.GroupByName("quote"); g != nil && g.Length > 0 {
				quotes = count(quotes, g.String())
			}
			if g := m.GroupByName("delim"); g != nil && g.Length > 0 {
				delims = count(delims, g.String())
				if s := m.GroupByName("space"); s != nil && s.Length > 0 {
					spaces++
				}
			}
		}
		if matches > 0 {
			break
		}
	}
	if matches == 0 || len(quotes) == 0 {
		return 0, false, 0, false, false
	}
	best := most(quotes)
	quote = best.key[0]
	delim := ""
	if len(delims) > 0 {
		d := most(delims)
		delim = d.key
		skip = d.n == spaces
		if delim == "\n" {
			delim = ""
		}
	}
	doubled = doubledQuotes(sample, delim, quote)
	if len(delim) == 1 {
		delimiter = delim[0]
	}
	return quote, doubled, delimiter, skip, true
}

func doubledQuotes(sample, delim string, quote byte) bool {
	d, q := regexp2.Escape(delim), string(quote)
	re, err := regexp2.Compile("(("+d+")|^)\\W*"+q+"[^"+classEscape(delim)+"\n]*"+q+"[^"+classEscape(delim)+"\n]*"+q+"\\W*(("+d+")|$)", regexp2.Multiline)
	if err != nil {
		return false
	}
	re.MatchTimeout = quotedTimeout
	ok, err := re.MatchString(sample)
	return ok && err == nil
}

func classEscape(s string) string {
	if s != "" && strings.Contains(`\]^-[`, s) {
		return `\` + s
	}
	return s
}

type tally struct {
	key string
	n   int
}

func count(t []tally, key string) []tally {
	for i := range t {
		if t[i].key == key {
			t[i].n++
			return t
		}
	}
	return append(t, tally{key, 1})
}

// most returns the entry with the highest count, the earliest of equals.
func most(t []tally) tally {
	best := t[0]
	for _, x := range t[1:] {
		if x.n > best.n {
			best = x
		}
	}
	return best
}

// guessDelimiter looks for the character that occurs equally often on each
// line, ten lines at a time.
func guessDelimiter(sample string) (byte, bool) {
	var lines []string
	for line := range strings.SplitSeq(sample, "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return 0, false
	}
	type mode struct{ freq, lines int }
	var freqs [127][]mode // how many lines have how many of a character, in order of appearance
	var modes [127]*mode
	var delims []byte
	var delimModes [127]mode
	chunk := min(10, len(lines))
	skips := func(d byte) bool {
		return strings.Count(lines[0], string(d)) == strings.Count(lines[0], string(d)+" ")
	}
	for start, iteration := 0, 1; start < len(lines); start, iteration = start+chunk, iteration+1 {
		for _, line := range lines[start:min(start+chunk, len(lines))] {
			var n [127]int
			for i := 0; i < len(line); i++ {
				if c := line[i]; c < 127 {
					n[c]++
				}
			}
			for c := range freqs {
				found := false
				for i := range freqs[c] {
					if freqs[c][i].freq == n[c] {
						freqs[c][i].lines++
						found = true
						break
					}
				}
				if !found {
					freqs[c] = append(freqs[c], mode{n[c], 1})
				}
			}
		}
		for c, items := range freqs {
			if len(items) == 1 && items[0].freq == 0 {
				continue
			}
			best := items[0]
			sum := 0
			for _, it := range items {
				sum += it.lines
				if it.lines > best.lines {
					best = it
				}
			}
			best.lines -= sum - best.lines
			modes[c] = &best
		}
		total := float64(min(chunk*iteration, len(lines)))
		for consistency := 1.0; len(delims) == 0 && consistency >= 0.9; consistency -= 0.01 {
			for c, m := range modes {
				if m != nil && m.freq > 0 && m.lines > 0 && float64(m.lines)/total >= consistency {
					delims = append(delims, byte(c))
					delimModes[c] = *m
				}
			}
		}
		if len(delims) == 1 {
			return delims[0], skips(delims[0])
		}
	}
	if len(delims) == 0 {
		return 0, false
	}
	for _, d := range []byte(",\t; :") {
		for _, have := range delims {
			if have == d {
				return d, skips(d)
			}
		}
	}
	best := delims[0]
	for _, d := range delims[1:] {
		a, b := delimModes[d], delimModes[best]
		if a.freq > b.freq || a.freq == b.freq && a.lines >= b.lines {
			best = d
		}
	}
	return best, skips(best)
}

// hasHeader is Python's csv.Sniffer.has_header: columns vote on whether the
// first row differs from the next twenty.
func hasHeader(sample string, d csvDialect) bool {
	const number, gone = -1, -2
	var header []string
	var kinds []int // number, gone, or the length of all values; 0 is also a length
	var set []bool
	checked, first := 0, true
	var err error
	for row := range csvRows(sample, d, &err) {
		if first {
			first = false
			header = row
			kinds = make([]int, len(row))
			set = make([]bool, len(row))
			continue
		}
		if checked > 20 {
			break
		}
		checked++
		if len(row) != len(header) {
			continue
		}
		for c, v := range row {
			if kinds[c] == gone {
				continue
			}
			kind := number
			if !isComplex(v) {
				kind = utf8.RuneCountInString(v)
			}
			if !set[c] {
				set[c], kinds[c] = true, kind
			} else if kinds[c] != kind {
				kinds[c] = gone
			}
		}
	}
	if err != nil || first {
		return false
	}
	votes := 0
	for c, kind := range kinds {
		switch {
		case kind == gone:
		case !set[c]:
			// No row had the header's width: calling nothing fails, which is a vote for.
			votes++
		case kind == number && isComplex(header[c]), kind >= 0 && utf8.RuneCountInString(header[c]) == kind:
			votes--
		default:
			votes++
		}
	}
	return votes > 0
}

// quotedTimeout bounds the backtracking of the patterns above on hostile text.
const quotedTimeout = 200 * time.Millisecond
