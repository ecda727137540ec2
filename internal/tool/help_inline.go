package tool

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	bareURL  = regexp.MustCompile(`^(https?://|ftp://|mailto:)[^\s<>"` + "`" + `]*[^\s<>"` + "`" + `.,;:!?)\]}'*|\\]`)
	linkRef  = regexp.MustCompile(`^[A-Za-z0-9]+(?:[-_.:+][A-Za-z0-9]+)*__?(?:[^A-Za-z0-9_]|$)`)
	footRef  = regexp.MustCompile(`^\[([0-9]+|#[\w-]*|\*|[A-Za-z][\w.-]*)\]_(?:[^A-Za-z0-9_]|$)`)
	roleHead = regexp.MustCompile("^:([a-zA-Z][a-zA-Z0-9_.:-]*):`")
	embedded = regexp.MustCompile(`(?s)^(.*?)\s*<([^<>]+)>$`)
)

// roleTags are the elements of the roles that have one.
var roleTags = map[string]string{"sup": "sup", "superscript": "sup", "sub": "sub", "subscript": "sub", "emphasis": "em", "strong": "strong",
	"title": "cite", "title-reference": "cite", "t": "cite", "math": "span"}

// inline renders the markup inside a paragraph.
func (r *rst) inline(s string) string {
	var b strings.Builder
	before := rune(' ')
	for len(s) > 0 {
		c := s[0]
		if n := r.markup(&b, s, before, c); n > 0 {
			before, _ = utf8.DecodeLastRuneInString(s[:n])
			s = s[n:]
			continue
		}
		if c == '\\' && len(s) > 1 {
			// An escaped character is text; an escaped space is nothing.
			_, n := utf8.DecodeRuneInString(s[1:])
			if s[1] != ' ' && s[1] != '\n' {
				b.WriteString(html.EscapeString(s[1 : 1+n]))
			}
			before = ' '
			s = s[1+n:]
			continue
		}
		ch, n := utf8.DecodeRuneInString(s)
		b.WriteString(html.EscapeString(s[:n]))
		before = ch
		s = s[n:]
	}
	return b.String()
}

// markup renders what begins at s, if markup does, and returns its length.
func (r *rst) markup(b *strings.Builder, s string, before rune, c byte) int {
	start := unicode.IsSpace(before) || unicode.IsPunct(before) || unicode.IsSymbol(before)
	switch {
	case c == '`' && strings.HasPrefix(s, "``"):
		if end := closing(s, "``", true); start && end > 0 {
			b.WriteString(`<tt class="docutils literal">` + html.EscapeString(strings.Join(strings.Fields(s[2:end]), " ")) + "</tt>")
			return end + 2
		}
	case c == '`':
		return r.backquoted(b, s, start)
	case c == ':' && start:
		if m := roleHead.FindStringSubmatch(s); m != nil {
			at := len(m[0]) - 1
			if end := closing(s[at:], "`", false); end > 0 {
				text := html.EscapeString(unescape(s[at+1 : at+end]))
				if tag := roleTags[strings.ToLower(m[1])]; tag != "" {
					text = "<" + tag + ">" + text + "</" + tag + ">"
				} else {
					text = `<tt class="docutils literal">` + text + "</tt>"
				}
				b.WriteString(text)
				return at + end + 1
			}
		}
	case c == '*' && start:
		mark, tag := "*", "em"
		if strings.HasPrefix(s, "**") {
			mark, tag = "**", "strong"
		}
		if end := closing(s, mark, false); end > 0 {
			b.WriteString("<" + tag + ">" + html.EscapeString(unescape(s[len(mark):end])) + "</" + tag + ">")
			return end + len(mark)
		}
	case c == '|' && start:
		if end := strings.IndexByte(s[1:], '|'); end > 0 {
			if v, ok := r.substitutions[s[1:1+end]]; ok {
				b.WriteString(v)
				return end + 2
			}
		}
	case c == '[' && start:
		if m := footRef.FindStringSubmatch(s); m != nil {
			b.WriteString(`<a class="footnote-reference" href="#` + slug("fn-"+m[1]) + `">[` + html.EscapeString(strings.TrimPrefix(m[1], "#")) + "]</a>")
			return len(m[1]) + 3
		}
	case (c == 'h' || c == 'f' || c == 'm') && start:
		if u := bareURL.FindString(s); u != "" {
			r.link(b, u, u)
			return len(u)
		}
		fallthrough
	default:
		if !start || !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return 0
		}
		if m := linkRef.FindString(s); m != "" {
			name := strings.TrimRight(m[:len(m)-trailing(m)], "_")
			length := len(name) + 1
			if strings.HasPrefix(s[len(name):], "__") {
				length++
			}
			if u, ok := r.target(name, length == len(name)+2); ok {
				r.link(b, u, name)
				return length
			}
		}
	}
	return 0
}

// trailing is the length of the character that linkRef matched after the underscores.
func trailing(m string) int {
	if strings.HasSuffix(m, "_") {
		return 0
	}
	_, n := utf8.DecodeLastRuneInString(m)
	return n
}

func (r *rst) target(name string, anonymous bool) (string, bool) {
	if anonymous {
		if len(r.anonymous) == 0 {
			return "", false
		}
		u := r.anonymous[0]
		r.anonymous = r.anonymous[1:]
		return u, true
	}
	u, ok := r.targets[linkName(name)]
	return u, ok
}

// backquoted renders `text`, `text`_, `text <url>`_ and `text`:role:.
func (r *rst) backquoted(b *strings.Builder, s string, start bool) int {
	end := closing(s, "`", false)
	if !start || end <= 0 {
		return 0
	}
	text, rest := s[1:end], s[end+1:]
	underscores := 0
	for underscores < 2 && underscores < len(rest) && rest[underscores] == '_' {
		underscores++
	}
	if underscores > 0 {
		if m := embedded.FindStringSubmatch(text); m != nil {
			u, label := strings.Join(strings.Fields(m[2]), ""), m[1]
			if label == "" {
				label = u
			}
			if strings.HasSuffix(u, "_") {
				if to, ok := r.targets[linkName(strings.TrimSuffix(u, "_"))]; ok {
					u = to
				}
			}
			if underscores == 1 {
				r.targets[linkName(label)] = u
			}
			r.link(b, u, unescape(label))
			return end + 1 + underscores
		}
		u, ok := r.target(text, underscores == 2)
		if !ok {
			u = "#" + slug(text)
		}
		r.link(b, u, unescape(text))
		return end + 1 + underscores
	}
	if strings.HasPrefix(rest, ":") {
		if i := strings.IndexByte(rest[1:], ':'); i > 0 {
			if tag := roleTags[strings.ToLower(rest[1:1+i])]; tag != "" {
				b.WriteString("<" + tag + ">" + html.EscapeString(unescape(text)) + "</" + tag + ">")
				return end + 1 + i + 2
			}
		}
	}
	b.WriteString("<cite>" + html.EscapeString(unescape(text)) + "</cite>")
	return end + 1
}

func (r *rst) link(b *strings.Builder, u, text string) {
	class := "reference external"
	if strings.HasPrefix(u, "#") {
		class = "reference internal"
	}
	if strings.Contains(u, "@") && !strings.Contains(u, ":") && !strings.Contains(u, "/") {
		u = "mailto:" + u
	}
	u = safeURL(strings.ReplaceAll(u, `\_`, "_"), false)
	if u == "" {
		b.WriteString(html.EscapeString(text))
		return
	}
	b.WriteString(`<a class="` + class + `" href="` + html.EscapeString(u) + `">` + html.EscapeString(text) + "</a>")
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == ' ' || s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// closing finds where markup that begins s ends: text without a space at either end, and no word going on behind it.
func closing(s, mark string, literal bool) int {
	n := len(mark)
	if len(s) <= 2*n || s[n] == ' ' || s[n] == '\n' {
		return 0
	}
	const farthest = 5000 // a mark without an end must not cost a scan of the rest each time
	limit := min(len(s)-n, farthest)
	for i := n; i <= limit; i++ {
		if s[i] == '\\' && !literal {
			i++
			continue
		}
		if i == n || s[i:i+n] != mark || s[i-1] == ' ' || s[i-1] == '\n' {
			continue
		}
		after, _ := utf8.DecodeRuneInString(s[i+n:])
		if i+n == len(s) || unicode.IsSpace(after) || unicode.IsPunct(after) || unicode.IsSymbol(after) {
			if literal && strings.HasPrefix(s[i+n:], "`") {
				continue
			}
			return i
		}
	}
	return 0
}
