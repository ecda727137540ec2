package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Lines about requests are collected and written together: at the latest after accessDelay, and before they are more than
// accessBulk bytes.
const (
	accessDelay = 100 * time.Millisecond
	accessBulk  = 64 << 10
)

// Access is one answered request, for the access log.
type Access struct {
	Time    time.Time // when it came
	Method  string
	Target  string // path and query, without secrets; see [Redacted]
	Proto   string
	Remote  string // who asked, as far as trusted proxies say
	Request string // its id
	User    int64  // 0 when nobody was logged in
	Status  int
	Bytes   int64 // of the answer's body
	Took    time.Duration
	Referer string
	Agent   string
}

// AccessLog writes a line for each request: into the process's log, or into a file of its own in the Combined Log Format
// that web servers write and their tools read. With the JSON format it is JSON in both places. A crash of the process
// loses the lines of the last 100 ms.
type AccessLog struct {
	log  *Log
	path string // "" is the process's log

	mu      sync.Mutex
	file    *os.File
	lines   []byte
	pending bool // the timer runs
	closed  bool
	timer   *time.Timer
	second  int64  // whose stamp is kept
	stamp   []byte // the time up to the second, rendered
}

// OpenAccess opens an access log: "" and "-" are the process's log, anything else is a file. It is reopened and closed
// together with the log.
func (l *Log) OpenAccess(path string) (*AccessLog, error) {
	if path == "-" {
		path = ""
	}
	a := &AccessLog{log: l, path: path}
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("making the directory of the access log: %w", err)
		}
		if err := a.reopen(); err != nil {
			return nil, err
		}
	}
	a.timer = time.AfterFunc(time.Hour, a.flushLate)
	a.timer.Stop()
	l.mu.Lock()
	l.access = append(l.access, a)
	l.mu.Unlock()
	return a, nil
}

// Wants tells whether lines are written: a file of its own gets all of them, the process's log those of its level.
func (a *AccessLog) Wants(level slog.Level) bool {
	return a != nil && (a.path != "" || level >= a.log.options.Level.Level())
}

// Write adds a line.
func (a *AccessLog) Write(e *Access) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	switch {
	case a.log.options.Format == JSON:
		a.appendJSON(e)
	case a.path != "":
		a.appendCombined(e)
	default:
		a.appendLine(e)
	}
	if len(a.lines) > accessBulk {
		a.flush()
	} else if !a.pending {
		a.pending = true
		a.timer.Reset(accessDelay)
	}
}

// appendTime appends the second of a line's time, which is rendered once for all requests of it.
func (a *AccessLog) appendTime(t time.Time, layout string) {
	if second := t.Unix(); second != a.second || a.stamp == nil {
		a.second, a.stamp = second, t.AppendFormat(a.stamp[:0], layout)
	}
	a.lines = append(a.lines, a.stamp...)
}

func (a *AccessLog) appendLine(e *Access) {
	a.appendTime(e.Time, "2006-01-02 15:04:05.")
	milli := e.Time.Nanosecond() / int(time.Millisecond)
	a.lines = append(a.lines, byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10))
	a.lines = append(a.lines, " INFO  "...)
	if process := a.log.options.Process; process != "" {
		a.lines = append(append(a.lines, process...), ": "...)
	}
	a.lines = append(append(a.lines, oneLine(e.Method)...), ' ')
	a.lines = append(a.lines, target(e.Target)...)
	a.lines = strconv.AppendInt(append(a.lines, " status="...), int64(e.Status), 10)
	a.lines = strconv.AppendInt(append(a.lines, " bytes="...), e.Bytes, 10)
	a.lines = strconv.AppendFloat(append(a.lines, " ms="...), float64(e.Took.Microseconds())/1000, 'f', -1, 64)
	if e.User != 0 {
		a.lines = strconv.AppendInt(append(a.lines, " user="...), e.User, 10)
	}
	a.lines = append(append(a.lines, " from="...), word(e.Remote)...)
	if e.Request != "" {
		a.lines = append(append(a.lines, " request="...), word(e.Request)...)
	}
	a.lines = append(a.lines, '\n')
}

// target renders a path and its query as one word, which may hold “=”.
func target(s string) string {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' {
			return word(s)
		}
	}
	return cut(s)
}

func (a *AccessLog) appendCombined(e *Access) {
	field := func(s string) {
		if s == "" {
			s = "-"
		}
		a.lines = appendCombinedText(a.lines, s)
	}
	field(strings.ReplaceAll(e.Remote, " ", "_"))
	a.lines = append(a.lines, " - "...)
	if e.User == 0 {
		a.lines = append(a.lines, '-')
	} else {
		a.lines = strconv.AppendInt(a.lines, e.User, 10)
	}
	a.lines = append(a.lines, " ["...)
	a.appendTime(e.Time, "02/Jan/2006:15:04:05 -0700")
	a.lines = append(a.lines, `] "`...)
	field(e.Method)
	a.lines = append(a.lines, ' ')
	field(e.Target)
	a.lines = append(a.lines, ' ')
	field(e.Proto)
	a.lines = strconv.AppendInt(append(a.lines, `" `...), int64(e.Status), 10)
	a.lines = strconv.AppendInt(append(a.lines, ' '), e.Bytes, 10)
	a.lines = append(a.lines, ` "`...)
	field(e.Referer)
	a.lines = append(a.lines, `" "`...)
	field(e.Agent)
	a.lines = append(a.lines, "\"\n"...)
}

// appendCombinedText writes what would end a field or a line as \xHH, as Apache does.
func appendCombinedText(line []byte, s string) []byte {
	const digits = "0123456789abcdef"
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			line = append(line, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			line = append(line, c)
		}
	}
	return line
}

func (a *AccessLog) appendJSON(e *Access) {
	a.lines = append(a.lines, `{"time":"`...)
	a.appendTime(e.Time.UTC(), "2006-01-02T15:04:05.")
	micro := strconv.Itoa(1_000_000 + e.Time.Nanosecond()/int(time.Microsecond))
	a.lines = append(append(a.lines, micro[1:]...), `Z","level":"INFO"`...)
	text := func(key, value string) {
		if value != "" {
			a.lines = append(append(append(a.lines, `,"`...), key...), `":`...)
			a.lines = appendJSONString(a.lines, value)
		}
	}
	text("process", a.log.options.Process)
	text("message", "request")
	text("method", e.Method)
	text("path", e.Target)
	a.lines = strconv.AppendInt(append(a.lines, `,"status":`...), int64(e.Status), 10)
	a.lines = strconv.AppendInt(append(a.lines, `,"bytes":`...), e.Bytes, 10)
	a.lines = strconv.AppendFloat(append(a.lines, `,"ms":`...), float64(e.Took.Microseconds())/1000, 'f', -1, 64)
	if e.User != 0 {
		a.lines = strconv.AppendInt(append(a.lines, `,"user":`...), e.User, 10)
	}
	text("from", e.Remote)
	text("request", e.Request)
	text("referer", e.Referer)
	text("agent", e.Agent)
	a.lines = append(a.lines, "}\n"...)
}

// flushLate writes what the timer waited for.
func (a *AccessLog) flushLate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = false
	a.flush()
}

// flush writes the collected lines; the caller holds the mutex. What cannot be written, on a full disk, is dropped: the
// log that says so would be on the same disk.
func (a *AccessLog) flush() {
	if len(a.lines) == 0 {
		return
	}
	if a.path == "" {
		_ = a.log.write(slog.LevelInfo, a.lines)
	} else if a.file != nil {
		_, _ = a.file.Write(a.lines)
	}
	if a.lines = a.lines[:0]; cap(a.lines) > 2*accessBulk {
		a.lines = nil
	}
}

// reopen writes what there is into the old file and opens the new one.
func (a *AccessLog) reopen() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flush()
	if a.path == "" || a.closed {
		return nil
	}
	file, err := os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("opening the access log: %w", err)
	}
	old := a.file
	if a.file = file; old != nil {
		return old.Close()
	}
	return nil
}

func (a *AccessLog) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flush()
	a.closed = true
	a.timer.Stop()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// secrets are parameters of a query that nobody may read in a log.
var secrets = []string{"key", "api_key", "apikey", "password", "confirm", "token", "access_token", "id_token", "refresh_token", "code",
	"state", "secret", "session", "session_csrf_token", "galaxysession", "run_as_key", "signature", "ticket"}

// Redacted returns path and query for a log: the values of parameters that are secrets, such as key=, are left out.
func Redacted(path, query string) string {
	if query == "" {
		return path
	}
	if !strings.ContainsRune(query, '=') {
		return path + "?" + query
	}
	var b strings.Builder
	b.Grow(len(path) + 1 + len(query))
	b.WriteString(path)
	separator := byte('?')
	for len(query) > 0 {
		part := query
		if i := strings.IndexAny(query, "&;"); i >= 0 {
			part, query = query[:i], query[i+1:]
		} else {
			query = ""
		}
		b.WriteByte(separator)
		separator = '&'
		name, _, valued := strings.Cut(part, "=")
		if valued && isSecret(name) {
			b.WriteString(name)
			b.WriteString("=***")
		} else {
			b.WriteString(part)
		}
	}
	return b.String()
}

// isSecret compares the name of a parameter as the server reads it: unescaped, in any case.
func isSecret(name string) bool {
	if strings.ContainsAny(name, "%+") {
		return true // nobody writes plain names so, except to hide them
	}
	for _, s := range secrets {
		if strings.EqualFold(name, s) {
			return true
		}
	}
	return false
}
