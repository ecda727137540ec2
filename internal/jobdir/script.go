package jobdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Script is what a job runs.
type Script struct {
	// Command is the tool's command line, a text for bash.
	Command string
	// Strict stops the command at the first failing statement (`set -e`).
	Strict bool
	// Version is a command that prints the tool's version; may be empty.
	Version string
	// Env are the tool's environment variables.
	Env []EnvVar
	// Setup are lines of the destination, run before the tool.
	Setup []string
	// Slots is the number of cores to use.
	Slots int
	// MemoryMB is the memory to use; 0 if not said.
	MemoryMB int
	// SharedHome keeps HOME as it is; otherwise it is a folder of the job's.
	SharedHome bool
	// Part is what the runner adds.
	Part Part
	// Links are what the working folder holds from the beginning. The first attempt
	// finds them there; a later one makes them itself.
	Links []Link
	// Outputs are files that an attempt after the first empties before it begins,
	// since an earlier one may have left something in them.
	Outputs []string
	// Before and After are lines that run just before and after the tool, to
	// measure; what they print and how they end does not matter.
	Before, After []string
}

// Part is what a runner adds to a job's script. The lines are bash.
type Part struct {
	// Head are the lines right after the first, such as a cluster's directives.
	// They come before the run's first act, and so must have no effect.
	Head []string
	// Grant are lines that set and export GALAXY_SLOTS, GALAXY_MEMORY_MB and their
	// like from what the engine granted; they come after Slots and MemoryMB were set.
	Grant []string
	// ID is a word of bash that gives the id of the run in the engine, such as
	// "$SLURM_JOB_ID"; may be empty. It ends up in Run.ID.
	ID string
}

// Link is a symbolic link in the working folder.
type Link struct{ Name, Target string }

// EnvVar is a variable with its value, not quoted.
type EnvVar struct{ Name, Value string }

// Quote makes one word of s for the shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Write puts the scripts of one attempt into the folder.
//
// Its first act decides which run counts: a run creates attempt-N/started
// exclusively and ends silently if the file is there. So handing over a job
// twice is harmless, and running it twice impossible, wherever the folder is
// shared. Descriptor 9 is the attempt's lock, inherited from whoever started
// the script; the tool does not get it, so that what a tool leaves in the
// background does not make the job look alive.
func (d Dir) Write(attempt int, s Script) error {
	if err := os.MkdirAll(d.attempt(attempt), 0o755); err != nil {
		return fmt.Errorf("making the attempt's folder: %w", err)
	}
	var t strings.Builder
	t.WriteString("#!/bin/bash\n")
	if s.Strict {
		t.WriteString("set -e\n")
	}
	t.WriteString(s.Command)
	t.WriteString("\n")
	if err := writeScript(d.toolScript(attempt), t.String()); err != nil {
		return err
	}
	return writeScript(d.Script(attempt), d.jobScript(attempt, s))
}

func (d Dir) jobScript(attempt int, s Script) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/bash")
	for _, l := range s.Part.Head {
		line("%s", l)
	}
	line("# Only the first run of an attempt goes beyond this line.")
	line("set -C; { : >%s; } 2>/dev/null || exit 0; set +C", Quote(d.startedFile(attempt)))
	id := s.Part.ID
	if id == "" {
		id = "-"
	}
	// Where it runs is written in one go, and complete only with the end of the line.
	line("read -r boot </proc/sys/kernel/random/boot_id; read -r host </proc/sys/kernel/hostname")
	line("echo \"$$ ${boot:--} ${host:--} \"%s >%s", id, Quote(d.runFile(attempt)))
	if attempt > 1 {
		// Whatever an earlier attempt left would be taken for this one's.
		line("chmod -R u+rwx %s 2>/dev/null", Quote(d.Working()))
		line("rm -rf %s %s %s %s", Quote(d.Working()), Quote(d.tmp()), Quote(d.ToolStdout()), Quote(d.ToolStderr()))
		line("mkdir -p %s %s", Quote(d.Working()), Quote(d.tmp()))
		for _, l := range s.Links {
			line("ln -s %s %s", Quote(l.Target), Quote(filepath.Join(d.Working(), l.Name)))
		}
		for _, o := range s.Outputs {
			line(": >%s", Quote(o))
		}
	}
	line("printf -v start '%%(%%s)T' -1")
	line("export GALAXY_SLOTS=%d GALAXY_SLOTS_CONFIGURED=1 OMP_NUM_THREADS=%d", max(1, s.Slots), max(1, s.Slots))
	if s.MemoryMB > 0 {
		line("export GALAXY_MEMORY_MB=%d", s.MemoryMB)
	}
	for _, l := range s.Part.Grant {
		line("%s", l)
	}
	line("export _GALAXY_JOB_DIR=%s _GALAXY_JOB_HOME_DIR=%s _GALAXY_JOB_TMP_DIR=%s", Quote(d.Path), Quote(filepath.Join(d.Path, "home")), Quote(d.tmp()))
	line("export TMPDIR=%s TEMP=%[1]s TMP=%[1]s LC_ALL=C.UTF-8", Quote(d.tmp()))
	if !s.SharedHome {
		line("export HOME=%s", Quote(filepath.Join(d.Path, "home")))
	}
	for _, l := range s.Setup {
		line("%s", l)
	}
	for _, v := range s.Env {
		line("export %s=%s", v.Name, Quote(v.Value))
	}
	measure(line, s.Before)
	line("cd %s || exit 1", Quote(d.Working()))
	if s.Version != "" {
		line("(%s) >%s 2>&1 9>&-", strings.TrimSpace(s.Version), Quote(d.VersionFile()))
	}
	line("bash %s >%s 2>%s </dev/null 9>&-", Quote(d.toolScript(attempt)), Quote(d.ToolStdout()), Quote(d.ToolStderr()))
	line("code=$?")
	measure(line, s.After)
	line("printf -v end '%%(%%s)T' -1")
	// One write, and complete only with the end of the line: see ReadOutcome.
	line("echo $code $start $end ${GALAXY_SLOTS:-1} ${GALAXY_MEMORY_MB:-0} >%s", Quote(d.exitCodeFile(attempt)))
	line("exit 0")
	return b.String()
}

// measure runs lines whose outcome does not matter.
func measure(line func(string, ...any), lines []string) {
	if len(lines) == 0 {
		return
	}
	line("{")
	for _, l := range lines {
		line("%s", l)
	}
	line("} </dev/null >/dev/null 2>&1 9>&-")
}

// ValidEnvName tells whether a name can be a variable of the shell.
func ValidEnvName(name string) bool {
	ok := func(i int, c byte) bool {
		return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9'
	}
	for i := range len(name) {
		if !ok(i, name[i]) {
			return false
		}
	}
	return name != ""
}

func writeScript(path, text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return fmt.Errorf("the command holds a NUL byte at position %d, which no shell can run", i)
	}
	if err := WriteFile(path, []byte(text), 0o755); err != nil {
		return fmt.Errorf("writing the job's script: %w", err)
	}
	return nil
}

// WriteFile writes a file so that whoever has it open keeps what was there, and
// whoever opens it sees all of it or what was there before: a handler that is late
// may write what another has written and a job is reading.
func WriteFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Environ is the environment a local job starts with: the server's own, without
// what is the server's business alone.
func Environ(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "ORRERY_") || strings.HasPrefix(name, "LISTEN_") || strings.HasPrefix(name, "GALAXY_CONFIG") ||
			name == "NOTIFY_SOCKET" || name == "GOGC" || name == "GOMEMLIMIT"
	})
}

// Slots reads a number of cores from a destination's parameters; 1 if absent.
func Slots(params map[string]string) int {
	if n, err := strconv.Atoi(params["local_slots"]); err == nil && n > 0 {
		return n
	}
	return 1
}
