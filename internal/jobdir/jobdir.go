package jobdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the folder of one job, laid out as Galaxy's: working/ is where the
// tool runs, configs/ holds its configuration files, outputs/ what it printed.
type Dir struct {
	Path  string
	JobID int64
}

// Of gives the folder of a job under job_working_directory, in Galaxy's layout:
// jobs 0 to 999 are in 000/, 1,000 to 1,999 in 001/, …, 1,000,000 in 001/000/.
func Of(root string, job int64) Dir {
	digits := strconv.FormatInt(job, 10)
	var levels []string
	if len(digits) < 4 {
		levels = []string{"000"}
	} else {
		padded := strings.Repeat("0", (3-len(digits)%3)%3) + digits
		for i := 0; i+3 < len(padded); i += 3 { // the last three digits are left out
			levels = append(levels, padded[i:i+3])
		}
	}
	return Dir{Path: filepath.Join(append(append([]string{root}, levels...), digits)...), JobID: job}
}

// Create makes the folder and its sub-folders, except Configs, which few jobs
// need; it may exist already.
func (d Dir) Create() error {
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return fmt.Errorf("making the job's folder: %w", err)
	}
	for _, sub := range []string{d.Working(), d.outputs(), d.tmp(), filepath.Join(d.Path, "home")} {
		if err := os.Mkdir(sub, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making the job's folder: %w", err)
		}
	}
	return nil
}

// Remove deletes the folder and everything in it.
func (d Dir) Remove() error {
	if err := os.RemoveAll(d.Path); err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// A tool may have taken away its own right to delete.
	_ = filepath.WalkDir(d.Path, func(path string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(d.Path)
}

// Working is where the tool runs.
func (d Dir) Working() string { return filepath.Join(d.Path, "working") }

// Configs is where its configuration files are.
func (d Dir) Configs() string { return filepath.Join(d.Path, "configs") }

func (d Dir) outputs() string { return filepath.Join(d.Path, "outputs") }
func (d Dir) tmp() string     { return filepath.Join(d.Path, "tmp") }

// ToolStdout is the file that holds what the tool printed.
func (d Dir) ToolStdout() string { return filepath.Join(d.outputs(), "tool_stdout") }

// ToolStderr is the file that holds what the tool printed as errors.
func (d Dir) ToolStderr() string { return filepath.Join(d.outputs(), "tool_stderr") }

// JobStdout and JobStderr are what the job's own script printed.
func (d Dir) JobStdout() string { return filepath.Join(d.outputs(), "job_stdout") }

// JobStderr is what the job's own script printed as errors.
func (d Dir) JobStderr() string { return filepath.Join(d.outputs(), "job_stderr") }

// VersionFile is what the tool's version command printed.
func (d Dir) VersionFile() string { return filepath.Join(d.outputs(), "COMMAND_VERSION") }

// Script is the script of one attempt, which runs the tool's. Each attempt has
// its own, so that whoever is late with an earlier one cannot start a later one.
func (d Dir) Script(attempt int) string {
	return filepath.Join(d.Path, "galaxy_"+strconv.FormatInt(d.JobID, 10)+later(attempt)+".sh")
}

func (d Dir) toolScript(attempt int) string {
	return filepath.Join(d.Path, "tool_script"+later(attempt)+".sh")
}

// later tells attempts after the first apart in the names of files.
func later(attempt int) string {
	if attempt <= 1 {
		return ""
	}
	return "_" + strconv.Itoa(attempt)
}

func (d Dir) exitCodeFile(attempt int) string { return filepath.Join(d.attempt(attempt), "exit_code") }

// attempt is the folder of one run of the job.
func (d Dir) attempt(n int) string { return filepath.Join(d.Path, "attempt-"+strconv.Itoa(n)) }

// Lock is the file that a run holds locked for as long as it lasts.
func (d Dir) Lock(attempt int) string { return filepath.Join(d.attempt(attempt), "lock") }

// runFile is the file that says where a run goes on.
func (d Dir) runFile(attempt int) string { return filepath.Join(d.attempt(attempt), "run") }

// startedFile exists from the first act of a run on.
func (d Dir) startedFile(attempt int) string { return filepath.Join(d.attempt(attempt), "started") }

// Started tells whether a run of this number has begun.
func (d Dir) Started(attempt int) bool {
	_, err := os.Stat(d.startedFile(attempt))
	return err == nil
}

// voided is what the file holds that Void makes; a run leaves it empty.
const voided = "void\n"

// Void makes sure that a run of this number which has not begun never will: it
// does the run's first act in its stead. It tells whether it was first, now or
// earlier; only then has the attempt never run. The folder must be one that the
// run would see too.
func (d Dir) Void(attempt int) (bool, error) {
	if err := os.MkdirAll(d.attempt(attempt), 0o755); err != nil {
		return false, fmt.Errorf("making the attempt's folder: %w", err)
	}
	// Linked into place, so that it is never seen without what tells it apart.
	f, err := os.CreateTemp(d.attempt(attempt), ".void-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(voided)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	err = os.Link(f.Name(), d.startedFile(attempt))
	if errors.Is(err, fs.ErrExist) {
		return d.Voided(attempt), nil
	}
	return err == nil, err
}

// Voided tells whether an attempt was made void: it never ran and never will.
func (d Dir) Voided(attempt int) bool {
	text, err := os.ReadFile(d.startedFile(attempt))
	return err == nil && string(text) == voided
}

// Begun is when a run began, by the clock of the folder's file system; zero if it
// has not.
func (d Dir) Begun(attempt int) time.Time {
	info, err := os.Stat(d.startedFile(attempt))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Run says where a run goes on, in the words of the run itself.
type Run struct {
	// PID is its process id there.
	PID int
	// Boot is the boot id of the machine, and Host its name.
	Boot, Host string
	// ID is its id in the engine, if the runner's Part said how to get it.
	ID string
}

// ReadRun gives where a run goes on. It is false while the run has not said so,
// which is before it does anything that can be seen.
func (d Dir) ReadRun(attempt int) (Run, bool) {
	text, err := os.ReadFile(d.runFile(attempt))
	if err != nil || !strings.HasSuffix(string(text), "\n") {
		return Run{}, false
	}
	f := strings.Fields(string(text))
	if len(f) < 3 {
		return Run{}, false
	}
	pid, err := strconv.Atoi(f[0])
	if err != nil || pid <= 1 {
		return Run{}, false
	}
	r := Run{PID: pid, Boot: f[1], Host: f[2]}
	if len(f) > 3 && f[3] != "-" {
		r.ID = f[3]
	}
	return r, true
}

// RunPID gives the process id of a run, 0 if it has none yet.
func (d Dir) RunPID(attempt int) int {
	r, _ := d.ReadRun(attempt)
	return r.PID
}

// Outcome is what a run left behind.
type Outcome struct {
	// ExitCode is the tool's.
	ExitCode int
	// Start and End are in seconds since 1970; 0 if unknown.
	Start, End int64
	// Slots is the number of cores that the job was told to use, MemoryMB the
	// memory; 0 if it was told nothing.
	Slots, MemoryMB int
}

// ErrUnfinished says that a run left no exit code: it is still going, or it was
// killed.
var ErrUnfinished = errors.New("the job left no exit code")

// ReadOutcome gives the outcome of a run.
func (d Dir) ReadOutcome(attempt int) (Outcome, error) {
	text, err := os.ReadFile(d.exitCodeFile(attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return Outcome{}, ErrUnfinished
	}
	if err != nil {
		return Outcome{}, err
	}
	if !strings.HasSuffix(string(text), "\n") { // it was killed, or the disk was full, while it wrote
		return Outcome{}, ErrUnfinished
	}
	var o Outcome
	if n, _ := fmt.Sscan(string(text), &o.ExitCode, &o.Start, &o.End, &o.Slots, &o.MemoryMB); n < 1 {
		return Outcome{}, fmt.Errorf("%s does not hold an exit code: %q", d.exitCodeFile(attempt), text)
	}
	return o, nil
}

// ReadBounded reads at most limit bytes of a file: its beginning and, when it
// is longer, its end. A missing file is empty, and so is what is no file: a tool
// may have put a folder or a pipe there.
func ReadBounded(path string, limit int) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", nil
	}
	if info.Size() <= int64(limit) {
		text, err := io.ReadAll(io.LimitReader(f, int64(limit)))
		return string(text), err
	}
	head := make([]byte, limit/2)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", err
	}
	tail := make([]byte, limit/2)
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return "", err
	}
	return string(head) + "\n… (" + strconv.FormatInt(info.Size()-int64(limit), 10) + " bytes left out) …\n" + string(tail), nil
}
