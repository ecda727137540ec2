package tool

import (
	"strings"
)

// charMap replaces characters one by one: valid ones stay, mapped ones become their replacement, the others invalid.
type charMap struct {
	valid   map[rune]bool
	mapped  map[rune]string
	invalid string
}

func (c *charMap) clean(s string) string {
	ok := true
	for _, r := range s {
		if !c.valid[r] {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s {
		if c.valid[r] {
			b.WriteRune(r)
		} else if m, ok := c.mapped[r]; ok {
			b.WriteString(m)
		} else {
			b.WriteString(c.invalid)
		}
	}
	return b.String()
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	// safeChars are the characters that parameters may hold as they are.
	safeChars = letters + digits + " -=_.()/+*^,:?!"
)

// escapedChars are replaced by names that Galaxy's tools know how to turn back.
var escapedChars = map[rune]string{
	'>': "__gt__", '<': "__lt__", '\'': "__sq__", '"': "__dq__", '[': "__ob__", ']': "__cb__", '{': "__oc__", '}': "__cc__",
	'@': "__at__", '\n': "__cn__", '\r': "__cr__", '\t': "__tc__", '#': "__pd__",
}

func runeSet(s string) map[rune]bool {
	m := make(map[rune]bool, len(s))
	for _, r := range s {
		m[r] = true
	}
	return m
}

var (
	// paramChars is what parameters without a <sanitizer> of their own go through.
	paramChars = &charMap{valid: runeSet(safeChars), mapped: escapedChars, invalid: "X"}
	// textChars is what any other text goes through that a template can reach: names of datasets, of users, metadata.
	textChars = &charMap{valid: runeSet(safeChars + "@"), mapped: withoutAt(), invalid: "X"}
)

func withoutAt() map[rune]string {
	m := make(map[rune]string, len(escapedChars))
	for r, s := range escapedChars {
		if r != '@' {
			m[r] = s
		}
	}
	return m
}

// newCharMap makes the character map of a <sanitizer>; nil when it lets everything pass.
func newCharMap(s *Sanitizer) *charMap {
	if !s.Sanitize {
		return nil
	}
	c := &charMap{valid: map[rune]bool{}, mapped: map[rune]string{}, invalid: s.InvalidChar}
	for _, set := range s.Valid {
		c.valid = runeSet(validPreset(orDefault(set.Initial)))
		for _, a := range set.Actions {
			for _, r := range validPreset(a.Preset) + a.Value {
				if a.Remove {
					delete(c.valid, r)
				} else {
					c.valid[r] = true
				}
			}
		}
	}
	for _, set := range s.Mapping {
		c.mapped = mappingPreset(orDefault(set.Initial))
		for _, a := range set.Actions {
			preset := mappingPreset(a.Preset)
			for r, target := range preset {
				if a.Remove {
					delete(c.mapped, r)
				} else {
					c.mapped[r] = target
				}
			}
			if a.Source == nil {
				continue
			}
			source := []rune(*a.Source)
			if len(source) != 1 {
				continue // text is mapped character by character: a longer source never matches
			}
			if a.Remove {
				delete(c.mapped, source[0])
			} else if a.Target != nil {
				c.mapped[source[0]] = *a.Target
			}
		}
	}
	return c
}

func orDefault(s string) string {
	if s == "" {
		return "default"
	}
	return s
}

// validPreset lists the characters of presets, such as "string.ascii_letters,string.digits".
func validPreset(names string) string {
	var b strings.Builder
	for _, n := range strings.Split(names, ",") {
		n, _, _ = strings.Cut(n, ";")
		switch strings.TrimSpace(n) {
		case "default":
			b.WriteString(safeChars)
		case "string.letters", "string.ascii_letters":
			b.WriteString(letters)
		case "string.lowercase", "string.ascii_lowercase":
			b.WriteString(letters[:26])
		case "string.uppercase", "string.ascii_uppercase":
			b.WriteString(letters[26:])
		case "string.digits":
			b.WriteString(digits)
		case "string.hexdigits":
			b.WriteString(digits + "abcdefABCDEF")
		case "string.octdigits":
			b.WriteString(digits[:8])
		case "string.punctuation":
			b.WriteString(punctuation)
		case "string.whitespace":
			b.WriteString(whitespace)
		case "string.printable":
			b.WriteString(digits + letters + punctuation + whitespace)
		}
	}
	return b.String()
}

const (
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	whitespace  = " \t\n\r\x0b\x0c"
)

func mappingPreset(names string) map[rune]string {
	m := map[rune]string{}
	for _, n := range strings.Split(names, ",") {
		if strings.TrimSpace(n) == "default" {
			for r, s := range escapedChars {
				m[r] = s
			}
		}
	}
	return m
}

// sanitizeParam cleans the text of a parameter as its tool asks for.
func (t *Tool) sanitizeParam(par *Param, s string) string {
	if t != nil && !t.Sanitize {
		return s
	}
	if par.Sanitizer == nil {
		return paramChars.clean(s)
	}
	if c := compiledOf(t).charMap(par); c != nil {
		return c.clean(s)
	}
	return s
}

// guard keeps text as it is unless it could end a quoted word of a shell command; then all of it is cleaned. It is for
// text that Galaxy's templates see unchanged.
func guard(s string) string {
	if strings.ContainsAny(s, "'\"$`\\\n\r\x00") {
		return textChars.clean(s)
	}
	return s
}
