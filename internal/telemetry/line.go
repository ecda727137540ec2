package telemetry

import (
	"context"
	"encoding"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxValue bounds one value in a line, in bytes: a log is read by people.
const maxValue = 8192

// handler writes records as lines in a form: what a record begins with, its attributes (those of groups with the group's
// name and a dot before theirs), and how it ends.
type handler struct {
	log     *Log
	process string
	form    form
	before  []byte // the attributes of With, rendered
	group   string // the groups of WithGroup, each with a dot
}

// form is how lines are written. Its functions append to a line.
type form struct {
	begin func(line []byte, process string, r slog.Record) []byte
	attr  func(line []byte, key string, value slog.Value) []byte // of a value that is resolved and no group
	end   string
}

// Enabled tells whether records of a level are written.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.log.options.Level.Level()
}

// Handle writes one record.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := h.form.begin(make([]byte, 0, 256), h.process, r)
	line = append(line, h.before...)
	for _, a := range carriedBy(ctx, r) {
		line = h.form.appendAttr(line, "", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		line = h.form.appendAttr(line, h.group, a)
		return true
	})
	return h.log.write(r.Level, append(line, h.form.end...))
}

// WithAttrs returns a handler whose lines carry further attributes.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.before = slices.Clone(h.before)
	for _, a := range attrs {
		with.before = h.form.appendAttr(with.before, h.group, a)
	}
	return &with
}

// WithGroup returns a handler that puts a name before the keys of further attributes.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

func (f *form) appendAttr(line []byte, group string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range value.Group() {
			line = f.appendAttr(line, group, inner)
		}
		return line
	}
	if a.Equal(slog.Attr{}) {
		return line
	}
	return f.attr(line, group+a.Key, value)
}

// textForm is one line for people: date, time, level, process, message, then the attributes as key=value.
var textForm = form{begin: beginText, attr: appendText, end: "\n"}

func beginText(line []byte, process string, r slog.Record) []byte {
	if !r.Time.IsZero() {
		line = r.Time.AppendFormat(line, "2006-01-02 15:04:05.000 ")
	}
	line = append(line, levelName(r.Level)...)
	line = append(line, ' ')
	if process != "" {
		line = append(line, process...)
		line = append(line, ": "...)
	}
	return append(line, oneLine(r.Message)...)
}

func appendText(line []byte, key string, value slog.Value) []byte {
	line = append(line, ' ')
	line = append(line, word(key)...)
	line = append(line, '=')
	return append(line, word(valueText(value))...)
}

// levelName is the level in five columns.
func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "TRACE"
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO "
	case level < slog.LevelError:
		return "WARN "
	case level < LevelCritical:
		return "ERROR"
	default:
		return "CRIT "
	}
}

func valueText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format("2006-01-02T15:04:05.000Z07:00")
	case slog.KindDuration:
		d := v.Duration()
		for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
			if d >= unit || d <= -unit {
				return d.Round(unit / 1000).String()
			}
		}
		return d.String()
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			return x.Error()
		case fmt.Stringer:
			return x.String()
		case encoding.TextMarshaler:
			if text, err := x.MarshalText(); err == nil {
				return string(text)
			}
		case []byte:
			return string(x)
		}
		return fmt.Sprintf("%+v", v.Any())
	default:
		return v.String()
	}
}

// word renders a value so that it is one word of its line: quoted when it holds spaces, quotes or control characters.
func word(s string) string {
	s = cut(s)
	if s == "" {
		return `""`
	}
	for _, c := range s {
		if c == ' ' || c == '"' || c == '=' || !unicode.IsPrint(c) || c == utf8.RuneError {
			return strconv.Quote(s)
		}
	}
	return s
}

// oneLine keeps a message on its line, whatever somebody put into it.
func oneLine(s string) string {
	s = cut(s)
	if strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 }) < 0 && utf8.ValidString(s) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func cut(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "…"
}
