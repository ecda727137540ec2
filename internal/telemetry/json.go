package telemetry

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Format is how log lines are written.
type Format string

// The formats: of lines that a person reads, and of one JSON object per line.
const (
	Text Format = "text"
	JSON Format = "json"
)

// jsonHandler writes a record as one JSON object in a line: time, level, process, message, then its attributes; those of
// groups with the group's name and a dot before theirs.
type jsonHandler struct {
	log     *Log
	process string
	before  []byte // the attributes of With, rendered
	group   string
}

// Enabled tells whether records of a level are written.
func (h *jsonHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.log.options.Level.Level()
}

// Handle writes one record.
func (h *jsonHandler) Handle(ctx context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	line = append(line, '{')
	if !r.Time.IsZero() {
		line = r.Time.UTC().AppendFormat(append(line, `"time":"`...), "2006-01-02T15:04:05.000000Z")
		line = append(line, `",`...)
	}
	line = append(line, `"level":"`+jsonLevel(r.Level)+`"`...)
	if h.process != "" {
		line = appendJSONString(append(line, `,"process":`...), h.process)
	}
	line = appendJSONString(append(line, `,"message":`...), r.Message)
	line = append(line, h.before...)
	for _, a := range carriedBy(ctx, r) {
		line = appendJSONAttr(line, "", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		line = appendJSONAttr(line, h.group, a)
		return true
	})
	return h.log.write(r.Level, append(line, "}\n"...))
}

// WithAttrs returns a handler whose lines carry further attributes.
func (h *jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.before = slices.Clone(h.before)
	for _, a := range attrs {
		with.before = appendJSONAttr(with.before, h.group, a)
	}
	return &with
}

// WithGroup returns a handler that puts a name before the keys of further attributes.
func (h *jsonHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

// jsonLevel is Galaxy's name of a level.
func jsonLevel(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "TRACE"
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARNING"
	case level < LevelCritical:
		return "ERROR"
	default:
		return "CRITICAL"
	}
}

func appendJSONAttr(line []byte, group string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range value.Group() {
			line = appendJSONAttr(line, group, inner)
		}
		return line
	}
	if a.Equal(slog.Attr{}) {
		return line
	}
	line = appendJSONString(append(line, ','), group+a.Key)
	line = append(line, ':')
	switch value.Kind() {
	case slog.KindBool:
		return strconv.AppendBool(line, value.Bool())
	case slog.KindInt64:
		return strconv.AppendInt(line, value.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(line, value.Uint64(), 10)
	case slog.KindFloat64:
		if number, err := json.Marshal(value.Float64()); err == nil { // not a number, infinite
			return append(line, number...)
		}
	case slog.KindDuration: // in seconds, as programs compare them
		return strconv.AppendFloat(line, value.Duration().Seconds(), 'f', -1, 64)
	case slog.KindTime:
		return appendJSONString(line, value.Time().UTC().Format(time.RFC3339Nano))
	}
	return appendJSONString(line, valueText(value))
}

// appendJSONString appends a text that is at most maxValue long, quoted.
func appendJSONString(line []byte, s string) []byte {
	s = cut(s)
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' && s[i] != 0x7f
	}
	if plain {
		line = append(line, '"')
		line = append(line, s...)
		return append(line, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil { // texts always marshal
		return append(line, `""`...)
	}
	return append(line, quoted...)
}
