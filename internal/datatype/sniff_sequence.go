package datatype

import (
	"strings"
)

// Rules for sequences.
var sequenceRules = map[string]func(*prefix) bool{
	"sequence.Fasta":      isFasta,
	"sequence.csFasta":    isCsFasta,
	"sequence.Fastg":      isFastg,
	"sequence.MemePsp":    isMemePsp,
	"sequence.DotBracket": isDotBracket,
	"sequence.Genbank":    func(p *prefix) bool { return p.startsWith("LOCUS ") },
	"sequence.Maf":        func(p *prefix) bool { return firstField(p, func(s string) bool { return s == "##maf" }) },
	"sequence.Lav": func(p *prefix) bool {
		return firstField(p, func(s string) bool { return strings.HasPrefix(s, "#:lav") })
	},
	"qualityscore.QualityScore454":   isQual454,
	"qualityscore.QualityScoreSOLiD": isQualSolid,
	"proteomics.PEFF":                isPeff,
}

// fastqRules is by extension: the family shares one class.
var fastqRules = makeFastqRules()

func makeFastqRules() map[string]func(*prefix) bool {
	rules := map[string]func(*prefix) bool{}
	for _, end := range []string{"", ".gz", ".bz2"} {
		zipped := end != ""
		rule := func(bases func(string) bool, qualities bool) func(*prefix) bool {
			return func(p *prefix) bool { return (p.format != "") == zipped && isFastq(p, bases, qualities) }
		}
		rules["fastq"+end] = rule(anyBases, false)
		rules["fastqsanger"+end] = rule(plainBases, true)
		rules["fastqcssanger"+end] = rule(colourBases, false)
		// These look like the others; a person has to say so.
		rules["fastqsolexa"+end] = never
		rules["fastqillumina"+end] = never
	}
	return rules
}

func never(*prefix) bool { return false }

func onlyBytes(s, set string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

func plainBases(s string) bool { return onlyBytes(s, "NGTACngtac") }
func anyBases(s string) bool   { return onlyBytes(s, "NGTACngtac 0123.") }

func colourBases(s string) bool {
	return s != "" && onlyBytes(s[:1], "NGTACngtac") && onlyBytes(s[1:], "0123.")
}

// isFastq checks the first record and, when asked, that the quality of the
// first 250 records is within the Sanger range.
func isFastq(p *prefix, bases func(string) bool, sanger bool) bool {
	var block [4]string
	n := 0
	for line := range p.lines() {
		line = strings.TrimRight(line, "\r\n")
		if n < 4 {
			block[n] = line
		}
		if n == 3 && !(strings.HasPrefix(block[0], "@") && strings.HasPrefix(block[2], "+") && block[1] != "" && bases(block[1])) {
			return false
		}
		if sanger && n%4 == 3 {
			for _, q := range line {
				if q < '!' || q > 'S' {
					return false
				}
			}
		}
		if n++; n == 1000 || n == 4 && !sanger {
			break
		}
	}
	return n >= 4
}

// firstField reports on the first word of the file; it needs a second line.
func firstField(p *prefix, is func(string) bool) bool {
	rows := p.headRows("", 2, "")
	return len(rows) > 1 && len(rows[0]) > 0 && is(rows[0][0])
}

// cursor reads lines one at a time, as a file.
type cursor struct{ rest string }

func (c *cursor) line() (string, bool) {
	if c.rest == "" {
		return "", false
	}
	i := strings.IndexByte(c.rest, '\n') + 1
	if i == 0 {
		i = len(c.rest)
	}
	line := c.rest[:i]
	c.rest = c.rest[i:]
	return line, true
}

func isFasta(p *prefix) bool {
	c := cursor{p.text}
	for line, ok := c.line(); ok; line, ok = c.line() {
		line = pyStrip(line)
		if line == "" {
			continue
		}
		if line[0] != '>' {
			return false
		}
		line, _ = c.line()
		if line = pyStrip(line); line == "" || line[0] == '>' {
			return false
		}
		next, ok := c.line()
		// Brackets and dots are the structure line of another format.
		return !ok || next[0] == '>' || !strings.ContainsAny(next, "()[].")
	}
	return false
}

func isCsFasta(p *prefix) bool {
	c := cursor{p.text}
	for line, ok := c.line(); ok; line, ok = c.line() {
		line = pyStrip(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != '>' {
			return false
		}
		line, _ = c.line()
		if line = pyStrip(line); line == "" || line[0] < 'A' || line[0] > 'Z' {
			return false
		}
		for _, r := range line[1:] {
			if r != '.' && !isDecimal(string(r)) {
				return false
			}
		}
		return true
	}
	return false
}

func isFastg(p *prefix) bool {
	if !strings.HasPrefix(pyStrip(firstLine(p)), "#FASTG:begin") {
		return false
	}
	c := cursor{p.text}
	for line, ok := c.line(); ok; line, ok = c.line() {
		if line = pyStrip(line); line == "" || line[0] == '#' {
			continue
		}
		if line[0] != '>' {
			return false
		}
		line, _ = c.line()
		line = pyStrip(line)
		return line != "" && line[0] != '>'
	}
	return false
}

func isMemePsp(p *prefix) bool {
	// True when a number with a fraction comes before anything that is none.
	floats := func(line string) bool {
		for _, item := range pyFields(line) {
			if !isFloat(item) {
				return false
			}
			if !isInt(item) {
				return true
			}
		}
		return false
	}
	c := cursor{p.text}
	header, priors := false, false
	for n := 0; n < 100; n++ {
		line, ok := c.line()
		if !ok {
			break
		}
		if !strings.HasPrefix(pyStrip(line), ">") {
			continue
		}
		header = true
		line, _ = c.line()
		if line = pyStrip(line); line == "" || line[0] == '>' || !floats(line) {
			return false
		}
		priors = true
		line, _ = c.line()
		if line = pyStrip(line); line != "" && !floats(line) {
			return false
		}
	}
	return header && priors
}

func isDotBracket(p *prefix) bool {
	state, size := 0, 0
	for line := range p.lines() {
		if line = pyStrip(line); line == "" {
			continue
		}
		switch state {
		case 0:
			if line[0] != '>' {
				return false
			}
		case 1:
			if !onlyBytes(strings.ToUpper(line), "ACGTURYKMSWBDHVN") {
				return false
			}
			size = len(line)
		case 2:
			return len(line) == size && onlyBytes(line, "().[]{}") &&
				strings.Count(line, "(") == strings.Count(line, ")") &&
				strings.Count(line, "[") == strings.Count(line, "]") &&
				strings.Count(line, "{") == strings.Count(line, "}")
		}
		state++
	}
	return false
}

func allInts(f []string) bool {
	for _, s := range f {
		if !isInt(s) {
			return false
		}
	}
	return true
}

func isQual454(p *prefix) bool {
	c := cursor{p.text}
	for line, ok := c.line(); ok; line, ok = c.line() {
		if line = pyStrip(line); line == "" || line[0] == '#' {
			continue
		}
		if line[0] != '>' {
			return false
		}
		line, _ = c.line()
		line = pyStrip(line)
		return line != "" && line[0] != '>' && allInts(pyFields(line))
	}
	return false
}

func isQualSolid(p *prefix) bool {
	c := cursor{p.text}
	length, good := 0, 0
	for line, ok := c.line(); ok; line, ok = c.line() {
		line = pyStrip(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.HasPrefix(line, ">") {
			return false
		}
		line, _ = c.line()
		f := pyFields(line)
		if len(f) == 0 || f[0][0] == '>' || !allInts(f) {
			return false
		}
		if length == 0 {
			length = len(f)
		}
		if len(f) != length {
			return false
		}
		if good++; good > 10 {
			return true
		}
	}
	return good > 0
}

func isPeff(p *prefix) bool {
	rest, ok := strings.CutPrefix(firstLine(p), "# PEFF ")
	i := 0
	for i < len(rest) && asciiDigit(rest[i]) {
		i++
	}
	return ok && i > 0 && i+1 < len(rest) && asciiDigit(rest[i+1])
}
