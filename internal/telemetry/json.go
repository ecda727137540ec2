package telemetry

import (
	"encoding/json"
	"log/slog"
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

// jsonForm is one JSON object in a line: time, level, process, message, then the attributes.
var jsonForm = form{begin: beginJSON, attr: appendJSON, end: "}\n"}

func beginJSON(line []byte, process string, r slog.Record) []byte {
	line = append(line, '{')
	if !r.Time.IsZero() {
		line = r.Time.UTC().AppendFormat(append(line, `"time":"`...), "2006-01-02T15:04:05.000000Z")
		line = append(line, `",`...)
	}
	line = append(line, `"level":"`+jsonLevel(r.Level)+`"`...)
	if process != "" {
		line = appendJSONString(append(line, `,"process":`...), process)
	}
	return appendJSONString(append(line, `,"message":`...), r.Message)
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

func appendJSON(line []byte, key string, value slog.Value) []byte {
	line = appendJSONString(append(line, ','), key)
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
