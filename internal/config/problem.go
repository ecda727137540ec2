package config

import (
	"fmt"
	"strings"
)

// Severity says what a [Problem] means for the start.
type Severity int

const (
	// Notice is worth knowing and harmless, such as an option that is not acted on yet.
	Notice Severity = iota
	// Warning is probably a mistake, such as an option that nobody knows.
	Warning
	// Error stops the start.
	Error
)

// String returns "notice", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	default:
		return "error"
	}
}

// Problem is one thing that is wrong with, or worth saying about, the configuration.
type Problem struct {
	Severity Severity
	// File is the file's path as it was opened, or empty when the value came from elsewhere.
	File string
	// Line and Column count from 1; 0 means the whole file.
	Line, Column int
	// Message says what is wrong and what would be right.
	Message string
}

// String renders the problem as compilers do: file:line:column: severity: message.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	if p.Severity != Notice {
		b.WriteString(p.Severity.String())
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// InvalidError is what [Load] returns when the configuration has at least one problem of severity [Error].
type InvalidError struct {
	Problems []Problem // the errors only, in the order they were found
}

// Error lists every problem, one per line.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	lines = append(lines, "the configuration cannot be used:")
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// report collects problems while files are read.
type report struct {
	problems []Problem
}

func (r *report) add(s Severity, n *node, format string, args ...any) {
	p := Problem{Severity: s, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.File, p.Line, p.Column = n.file, n.line, n.column
	}
	r.problems = append(r.problems, p)
}

func (r *report) file(s Severity, file string, format string, args ...any) {
	r.problems = append(r.problems, Problem{Severity: s, File: file, Message: fmt.Sprintf(format, args...)})
}

func (r *report) errors() []Problem {
	var out []Problem
	for _, p := range r.problems {
		if p.Severity == Error {
			out = append(out, p)
		}
	}
	return out
}
