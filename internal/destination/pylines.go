package destination

import (
	"fmt"
	"strings"
)

// pyLine is one simple statement, or the head of a compound one with what stands behind its colon.
type pyLine struct {
	indent int
	line   int // in the block, from 1
	text   string
}

// pyError is a mistake in a block of Python, with its line in the block.
type pyError struct {
	line    int
	message string
}

func (e *pyError) Error() string { return e.message }

func pyErrorf(line int, format string, args ...any) *pyError {
	return &pyError{line, fmt.Sprintf(format, args...)}
}

// maxPyLines bounds the statements of a block.
const maxPyLines = 5000

// pyScan walks over Python text and calls f for each byte that stands outside of strings and comments, with the depth
// of brackets around it, until f returns false. Triple quotes are known, escapes too. It returns the byte at which a
// comment begins last, and whether a string or bracket is left open.
func pyScan(text string, f func(i, depth int) bool) (open bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			i-- // the line's end counts
			continue
		case '\'', '"':
			end := pyString(text, i)
			if end < 0 {
				return true
			}
			i = end - 1
			continue
		case '(', '[', '{':
			if !f(i, depth) {
				return false
			}
			depth++
			continue
		case ')', ']', '}':
			if depth > 0 {
				depth--
			}
		}
		if !f(i, depth) {
			return false
		}
	}
	return depth > 0
}

// pyString finds the end of the string that begins at i, or -1.
func pyString(text string, i int) int {
	quote := text[i]
	if strings.HasPrefix(text[i:], strings.Repeat(string(quote), 3)) {
		for j := i + 3; j < len(text); j++ {
			if text[j] == '\\' {
				j++
			} else if strings.HasPrefix(text[j:], strings.Repeat(string(quote), 3)) {
				return j + 3
			}
		}
		return -1
	}
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case quote:
			return j + 1
		case '\n':
			return -1
		}
	}
	return -1
}

// pySplit cuts a block into statements: brackets and backslashes join lines, semicolons divide them.
func pySplit(text string) ([]pyLine, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var out []pyLine
	start, line := 0, 1
	for start < len(text) {
		end := len(text)
		var cuts []int // semicolons
		open := pyScan(text[start:], func(i, depth int) bool {
			switch text[start+i] {
			case '\n':
				if depth > 0 || i > 0 && text[start+i-1] == '\\' {
					return true
				}
				end = start + i
				return false
			case ';':
				if depth == 0 {
					cuts = append(cuts, start+i)
				}
			}
			return true
		})
		if open {
			return nil, pyErrorf(line, "a string or bracket that begins in this statement is not closed")
		}
		indent := 0
		for i := start; i < end && (text[i] == ' ' || text[i] == '\t'); i++ {
			if text[i] == '\t' {
				indent += 8 - indent%8
			} else {
				indent++
			}
		}
		from, at := start, line
		for _, cut := range append(cuts, end) {
			if s := strings.TrimSpace(pyStrip(text[from:cut])); s != "" {
				if len(out) >= maxPyLines {
					return nil, pyErrorf(line, "the block has more than %d statements", maxPyLines)
				}
				out = append(out, pyLine{indent, at + leadingLines(text[from:cut]), s})
			}
			at += strings.Count(text[from:min(cut+1, len(text))], "\n")
			from = min(cut+1, len(text))
		}
		line += strings.Count(text[start:min(end+1, len(text))], "\n")
		start = end + 1
	}
	return out, nil
}

// leadingLines counts the line ends before the first character.
func leadingLines(s string) int {
	return strings.Count(s[:len(s)-len(strings.TrimLeft(s, " \t\n"))], "\n")
}

// pyStrip removes comments and joins lines at backslashes; the number of lines stays.
func pyStrip(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			if i < len(text) {
				b.WriteByte('\n')
			}
		case c == '\'' || c == '"':
			end := pyString(text, i)
			if end < 0 {
				end = len(text)
			}
			b.WriteString(text[i:end])
			i = end - 1
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			b.WriteByte(' ')
			i++
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// pyTop finds the bytes at depth 0 for which is returns true.
func pyTop(text string, is func(i int) bool) []int {
	var out []int
	pyScan(text, func(i, depth int) bool {
		if depth == 0 && is(i) {
			out = append(out, i)
		}
		return true
	})
	return out
}

// pyParts cuts text at the commas of depth 0; a last empty part is dropped and reported.
func pyParts(text string) (parts []string, trailing bool) {
	from := 0
	for _, i := range append(pyTop(text, func(i int) bool { return text[i] == ',' }), len(text)) {
		parts = append(parts, strings.TrimSpace(text[from:i]))
		from = i + 1
	}
	if n := len(parts); n > 1 && parts[n-1] == "" {
		return parts[:n-1], true
	}
	return parts, false
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func isName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

// pyWord is the first word of a statement and what follows it.
func pyWord(text string) (word, rest string) {
	i := 0
	for i < len(text) && isNameByte(text[i]) {
		i++
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// pyColon finds the colon that ends the head of a compound statement, or -1.
func pyColon(text string) int {
	lambdas := 0
	found := -1
	pyScan(text, func(i, depth int) bool {
		switch {
		case depth > 0:
		case strings.HasPrefix(text[i:], "lambda") && (i == 0 || !isNameByte(text[i-1])) && i+6 < len(text) && !isNameByte(text[i+6]):
			lambdas++
		case text[i] == ':' && !strings.HasPrefix(text[i:], ":="):
			if lambdas == 0 {
				found = i
				return false
			}
			lambdas--
		}
		return true
	})
	return found
}

// pyWordAt finds a word of its own at depth 0, or -1.
func pyWordAt(text, word string) int {
	found := -1
	pyScan(text, func(i, depth int) bool {
		if depth == 0 && strings.HasPrefix(text[i:], word) && (i == 0 || !isNameByte(text[i-1])) && (i+len(word) == len(text) || !isNameByte(text[i+len(word)])) {
			found = i
			return false
		}
		return true
	})
	return found
}

// pyAssign finds the assignment operator of a statement: its place, the operator with its sign (“=”, “+=”), or -1.
func pyAssign(text string) (at int, op string) {
	at = -1
	pyScan(text, func(i, depth int) bool {
		if depth > 0 || text[i] != '=' {
			return true
		}
		if i+1 < len(text) && text[i+1] == '=' || i > 0 && strings.IndexByte("=!:", text[i-1]) >= 0 {
			return true
		}
		if i > 0 && strings.IndexByte("<>", text[i-1]) >= 0 && !(i > 1 && text[i-2] == text[i-1]) {
			return true
		}
		from := i
		if i > 0 && strings.IndexByte("+-*/%&|^@<>", text[i-1]) >= 0 {
			from--
			if from > 0 && strings.IndexByte("*/<>", text[from]) >= 0 && text[from-1] == text[from] {
				from--
			}
		}
		at, op = from, text[from:i+1]
		return false
	})
	return at, op
}
