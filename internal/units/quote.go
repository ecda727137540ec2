package units

import (
	"fmt"
	"strings"
)

// systemdWord quotes one word of ExecStart= or Environment=. dollar tells whether “$” has a meaning there, as in
// commands. A [number] becomes the instance of the unit.
func systemdWord(word string, dollar bool) string {
	var b strings.Builder
	plain := word != ""
	for i := range len(word) {
		switch c := word[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
			plain = false
		case c == '%':
			b.WriteString("%%")
		case c == '$' && dollar:
			b.WriteString("$$")
		case string(c) == number:
			b.WriteString("%i")
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
			plain = false
		default:
			b.WriteByte(c)
			plain = plain && c != ' ' && c != '\'' && c != ';'
		}
	}
	if plain {
		return b.String()
	}
	return `"` + b.String() + `"`
}

// systemdPath writes a setting that is one path, for which systemd knows no quotes.
func systemdPath(path string) string { return strings.ReplaceAll(path, "%", "%%") }

// shellWord quotes one word of a command as supervisord splits it: like a POSIX shell, after its configuration's reader
// has cut off what follows a “;” or “#” that white space is before.
func shellWord(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"+number) == "" {
		return word
	}
	quoted := "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
	for _, mark := range []string{";", "#"} {
		quoted = strings.ReplaceAll(quoted, " "+mark, " ''"+mark)
		quoted = strings.ReplaceAll(quoted, "\t"+mark, "\t''"+mark)
	}
	return quoted
}

// percent makes “%” one that supervisord does not expand, and a [number] what it does expand.
func percent(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "%", "%%"), number, "%(process_num)s")
}

// environmentValue writes a value of supervisord's environment=. ok is false for values that it cannot hold: it knows no
// escapes, and strips quotes of both kinds from the ends.
func environmentValue(value string) (quoted string, ok bool) {
	if strings.ContainsAny(value, "\"\n\r\x00") || strings.HasPrefix(value, "'") || strings.HasSuffix(value, "'") {
		return "", false
	}
	for _, comment := range []string{" ;", " #", "\t;", "\t#"} {
		if strings.Contains(value, comment) {
			return "", false
		}
	}
	return `"` + percent(value) + `"`, true
}
