package tool

import (
	"math"
	"strings"
	"testing"

	"orrery/internal/galaxy"
)

// The messages are what a real Galaxy 26.1.2 stored for jobs of such rules.
func TestJudge(t *testing.T) {
	exitCodes := []ExitCodeRule{{math.MinInt, -1, LevelFatal, ""}, {1, math.MaxInt, LevelFatal, ""}}
	aggressive := Stdio{ExitCodes: exitCodes, Regexes: []RegexRule{
		{"MemoryError", true, true, LevelFatalOOM, ""}, {"exception:", true, true, LevelFatal, ""}, {"error:", true, true, LevelFatal, ""},
	}}
	tests := []struct {
		name           string
		rules          Stdio
		code           int
		stdout, stderr string
		state          galaxy.JobState
		messages       string
	}{
		{"fine", Stdio{ExitCodes: exitCodes}, 0, "", "warnings are fine", "ok", `[]`},
		{"exit code", Stdio{ExitCodes: []ExitCodeRule{{127, 127, LevelFatal, "Bad input dataset"}}}, 127, "my stdout", "my stderr", "error",
			`[{"code_desc": "Bad input dataset", "desc": "Fatal error: Exit code 127 (Bad input dataset)", "error_level": 3, "exit_code": 127, "type": "exit_code"}]`},
		{"signal", Stdio{ExitCodes: exitCodes}, -9, "", "", "error",
			`[{"code_desc": "", "desc": "Fatal error: Exit code -9 ()", "error_level": 3, "exit_code": -9, "type": "exit_code"}]`},
		{"aggressive", aggressive, 0, "ERROR: Problem....\n", "", "error",
			`[{"code_desc": "", "desc": "Fatal error: ", "error_level": 3, "match": "ERROR:", "stream": "stdout", "type": "regex"}]`},
		{"out of memory ends the search", aggressive, 0, "error: x", "MemoryError", "error",
			`[{"code_desc": "", "desc": "Out of memory error: ", "error_level": 4, "match": "MemoryError", "stream": "stderr", "type": "regex"}]`},
		{"quality", Stdio{Regexes: []RegexRule{{"Quality of sample is .*%.", true, false, LevelQC, ""}, {`Quality of sample is (?P<QUALITY>\d+)%.`, true, false, LevelQC, `Sample quality \g<QUALITY>`}}}, 0,
			"Some\nQuality of sample is 90%.\nmore", "my standard error", "ok",
			`[{"code_desc": null, "desc": "QC: Matched on Quality of sample is 90%.", "error_level": 1.1, "match": "Quality of sample is 90%.", "stream": "stdout", "type": "regex"}, ` +
				`{"code_desc": "Sample quality \\g<QUALITY>", "desc": "QC: Sample quality 90", "error_level": 1.1, "match": "Quality of sample is 90%.", "stream": "stdout", "type": "regex"}]`},
		{"warning", Stdio{Regexes: []RegexRule{{"warn", false, true, LevelWarning, "Careful"}}}, 3, "", "WARN", "ok",
			`[{"code_desc": "Careful", "desc": "Warning: Careful", "error_level": 2, "match": "WARN", "stream": "stderr", "type": "regex"}]`},
		{"old tools fail on standard error", Stdio{}, 0, "", "x", "error", `[]`},
		{"old tools ignore the exit code", Stdio{}, 1, "x", "", "ok", `[]`},
		{"a rule that is no expression", Stdio{Regexes: []RegexRule{{"(", true, true, LevelFatal, ""}}}, 0, "(", "", "ok", `[]`},
		{"a long match is cut", Stdio{Regexes: []RegexRule{{"a+", true, false, LevelLog, ""}}}, 0, strings.Repeat("a", 300), "", "ok",
			`[{"code_desc": null, "desc": "Log: Matched on ` + strings.Repeat("a", 256) + `...", "error_level": 1, "match": "` + strings.Repeat("a", 256) + `...", "stream": "stdout", "type": "regex"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.rules.Judge(&tt.code, tt.stdout, tt.stderr)
			if v.State != tt.state || MessagesJSON(v.Messages) != tt.messages {
				t.Errorf("got  %s %s\nwant %s %s", v.State, MessagesJSON(v.Messages), tt.state, tt.messages)
			}
		})
	}
}

func TestUnknownExitCodeIsJudgedByOutputAlone(t *testing.T) {
	rules := Stdio{ExitCodes: []ExitCodeRule{{1, math.MaxInt, LevelFatal, ""}}}
	if v := rules.Judge(nil, "", ""); v.State != galaxy.JobOK {
		t.Errorf("got %s", v.State)
	}
}
