package datatype

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The rules of Galaxy's types are written in terms of Python's idea of numbers,
// white space and lines. These functions are that idea.

// pySpace reports what Python's str.strip and str.split take for white space.
func pySpace(r rune) bool {
	return r == 0x1c || r == 0x1d || r == 0x1e || r == 0x1f || unicode.IsSpace(r)
}

func pyStrip(s string) string {
	if s == "" || (s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf) {
		return s
	}
	return strings.TrimFunc(s, pySpace)
}

func pyFields(s string) []string { return strings.FieldsFunc(s, pySpace) }

// pySplitLines is str.splitlines.
func pySplitLines(s string) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '\r':
			out = append(out, s[start:i])
			if i+1 < len(s) && s[i+1] == '\n' {
				n++
			}
			start = i + n
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
			out = append(out, s[start:i])
			start = i + n
		}
		i += n
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// isInt reports whether Python's int(s) accepts s.
func isInt(s string) bool {
	s = pyStrip(s)
	if s == "" {
		return false
	}
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	// Python refuses to convert more than 4300 digits.
	if s == "" || len(s) > 4300 {
		return false
	}
	digit := false // an underscore stands between digits only
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digit = true
		case r == '_' && digit:
			digit = false
		case r >= utf8.RuneSelf && unicode.Is(unicode.Nd, r):
			digit = true
		default:
			return false
		}
	}
	return digit
}

// toInt is Python's int(s) for numbers that fit in 64 bits; larger ones are
// clipped, which is enough to compare them.
func toInt(s string) (int64, bool) {
	if !isInt(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(pyStrip(s), "_", ""), 10, 64)
	if err != nil && n == 0 {
		return 0, err == nil // digits of another script
	}
	return n, true
}

// isFloat reports whether Python's float(s) accepts s.
func isFloat(s string) bool { _, ok := toFloat(s); return ok }

func toFloat(s string) (float64, bool) {
	s = pyStrip(s)
	if s == "" {
		return 0, false
	}
	body := s
	if body[0] == '+' || body[0] == '-' {
		body = body[1:]
	}
	if body == "" {
		return 0, false
	}
	if c := body[0]; c != '.' && (c < '0' || c > '9') {
		switch strings.ToLower(body) {
		case "nan":
			return math.NaN(), true
		case "inf", "infinity":
			return math.Inf(1), true
		}
		return 0, false
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
		case c == '_':
			if i == 0 || i+1 == len(body) || !asciiDigit(body[i-1]) || !asciiDigit(body[i+1]) {
				return 0, false
			}
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return f, true
		}
		return 0, false
	}
	return f, true
}

// isComplex reports whether Python's complex(s) accepts s.
func isComplex(s string) bool {
	s = pyStrip(s)
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") && len(s) >= 2 {
		s = pyStrip(s[1 : len(s)-1])
	}
	if s == "" || strings.ContainsFunc(s, pySpace) {
		return false
	}
	if isFloat(s) {
		return true
	}
	last := s[len(s)-1]
	if last != 'j' && last != 'J' {
		return false
	}
	s = s[:len(s)-1]
	if s == "" || s == "+" || s == "-" || isFloat(s) {
		return true
	}
	for i := len(s) - 1; i > 0; i-- {
		if (s[i] == '+' || s[i] == '-') && isFloat(s[:i]) {
			im := s[i:]
			return len(im) == 1 || isFloat(im)
		}
	}
	return false
}

func asciiDigit(c byte) bool { return c >= '0' && c <= '9' }

// isDecimal is str.isdecimal for the characters that occur.
func isDecimal(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if !unicode.Is(unicode.Nd, r) {
			return false
		}
	}
	return true
}
