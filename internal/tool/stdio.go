package tool

import (
	"fmt"
	"strings"

	"github.com/dlclark/regexp2"

	"orrery/internal/galaxy"
)

// JobMessage is one entry of job.job_messages: a rule that a finished command matched.
type JobMessage struct {
	Type string // "exit_code" or "regex"
	Desc string
	// CodeDesc is the rule's own description; nil for a regular expression without one.
	CodeDesc *string
	Level    ErrorLevel
	ExitCode int    // of exit_code
	Stream   string // of regex: "stdout" or "stderr"
	Match    string // of regex: what it matched, 256 characters at most
}

// Verdict is what a finished command amounts to.
type Verdict struct {
	State galaxy.JobState // JobOK or JobError
	// OutOfMemory says that a rule for exhausted memory matched; the state is JobError then too.
	OutOfMemory bool
	Messages    []JobMessage
}

// stdioLimit bounds how much of each stream the rules look at.
const stdioLimit = 1 << 20

// Judge decides whether a command succeeded. exitCode is nil when it is not known; stdout and stderr may be cut to their
// beginnings. Without any rule, output on standard error is a failure (tools of profile 16.01).
func (s Stdio) Judge(exitCode *int, stdout, stderr string) Verdict {
	v := Verdict{State: galaxy.JobOK, Messages: []JobMessage{}}
	if s.Legacy() {
		if stderr != "" {
			v.State = galaxy.JobError
		}
		return v
	}
	worst := LevelNone
	if exitCode != nil {
		for _, r := range s.ExitCodes {
			if *exitCode < r.Start || *exitCode > r.End {
				continue
			}
			desc := r.Desc
			v.Messages = append(v.Messages, JobMessage{
				Type: "exit_code", Desc: fmt.Sprintf("%s: Exit code %d (%s)", levelName(r.Level), *exitCode, desc),
				CodeDesc: &desc, Level: r.Level, ExitCode: *exitCode,
			})
			worst = max(worst, r.Level)
			if worst >= LevelFatalOOM {
				break
			}
		}
	}
	if worst < LevelFatalOOM {
		for _, r := range s.Regexes {
			if r.Stderr {
				worst = v.search(r, "stderr", stderr, worst)
				if worst >= LevelFatalOOM {
					break
				}
			}
			if r.Stdout {
				worst = v.search(r, "stdout", stdout, worst)
				if worst >= LevelFatalOOM {
					break
				}
			}
		}
	}
	switch {
	case worst >= LevelFatalOOM:
		v.State, v.OutOfMemory = galaxy.JobError, true
	case worst >= LevelFatal:
		v.State = galaxy.JobError
	}
	return v
}

func (v *Verdict) search(r RegexRule, stream, text string, worst ErrorLevel) ErrorLevel {
	if len(text) > stdioLimit {
		text = text[:stdioLimit]
	}
	re, err := regexp2.Compile(pyPattern(r.Match), regexp2.IgnoreCase)
	if err != nil {
		return worst
	}
	re.MatchTimeout = regexTime
	m, err := re.FindStringMatch(strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil || m == nil {
		return worst
	}
	shown := m.String()
	if runes := []rune(shown); len(runes) > 256 {
		shown = string(runes[:256]) + "..."
	}
	msg := JobMessage{Type: "regex", Level: r.Level, Stream: stream, Match: shown}
	if r.Desc != "" || aggressiveRule(r) {
		desc := r.Desc
		msg.CodeDesc = &desc
		msg.Desc = levelName(r.Level) + ": " + expandGroups(m, desc)
	} else {
		msg.Desc = levelName(r.Level) + ": Matched on " + shown
	}
	v.Messages = append(v.Messages, msg)
	return max(worst, r.Level)
}

// aggressiveRule tells whether a rule is one that detect_errors="aggressive" adds: those have an empty description.
func aggressiveRule(r RegexRule) bool {
	switch r.Match {
	case "MemoryError", "std::bad_alloc", "java.lang.OutOfMemoryError", "Out of memory", "exception:", "error:":
		return r.Desc == "" && r.Stdout && r.Stderr
	}
	return false
}

// expandGroups puts what groups matched in the place of \1 and \g<name>.
func expandGroups(m *regexp2.Match, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c >= '1' && c <= '9':
			n := int(c - '0')
			if i+1 < len(s) && isDigit(s[i+1]) {
				i++
				n = n*10 + int(s[i]-'0')
			}
			if g := m.GroupByNumber(n); g != nil {
				b.WriteString(g.String())
			}
		case c == 'g' && i+1 < len(s) && s[i+1] == '<':
			end := strings.IndexByte(s[i:], '>')
			if end < 0 {
				b.WriteString(`\g`)
				continue
			}
			if g := m.GroupByName(s[i+2 : i+end]); g != nil {
				b.WriteString(g.String())
			}
			i += end
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == '\\':
			b.WriteByte('\\')
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func levelName(l ErrorLevel) string {
	switch l {
	case LevelLog:
		return "Log"
	case LevelQC:
		return "QC"
	case LevelWarning:
		return "Warning"
	case LevelFatal:
		return "Fatal error"
	case LevelFatalOOM:
		return "Out of memory error"
	}
	return "Unknown error"
}

// MessagesJSON is the text that job.job_messages holds.
func MessagesJSON(messages []JobMessage) string {
	list := make([]any, len(messages))
	for i, m := range messages {
		o := map[string]any{"type": m.Type, "desc": m.Desc, "code_desc": orNull(m.CodeDesc), "error_level": levelNumber(m.Level)}
		if m.Type == "exit_code" {
			o["exit_code"] = int64(m.ExitCode)
		} else {
			o["stream"], o["match"] = m.Stream, m.Match
		}
		list[i] = o
	}
	return pyJSON(list)
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func levelNumber(l ErrorLevel) any {
	if l == LevelQC {
		return float64(l)
	}
	return int64(l)
}
