package slurm

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orrery/internal/runner"
)

// tagPrefix begins the comment of each job that was submitted by this package.
const tagPrefix = "orrery:"

// record is what the attempt's folder knows of its submissions: a word that no
// other attempt has, and the ids that sbatch gave.
type record struct {
	nonce string
	ids   []string
	// stopped says that the attempt was cancelled from here.
	stopped bool
}

// stoppedLine notes in a record that the attempt was cancelled from here.
const stoppedLine = "stopped"

// tag begins the comment of each submission of an attempt.
func (r record) tag(job runner.Job) string {
	return fmt.Sprintf("%s%s:%d:%d", tagPrefix, r.nonce, job.Dir.JobID, job.Attempt)
}

func recordFile(job runner.Job) string {
	return filepath.Join(filepath.Dir(job.Dir.Lock(job.Attempt)), "slurm")
}

// readRecord gives an attempt's record. It is false when the attempt was never
// submitted: the record is written before.
func readRecord(job runner.Job) (record, bool, error) {
	f, err := os.Open(recordFile(job))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	defer f.Close()
	var r record
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		switch line := lines.Text(); {
		case r.nonce == "":
			if len(line) != 32 || strings.Trim(line, "0123456789abcdef") != "" {
				return record{}, false, fmt.Errorf("%s does not begin with the word of a submission", f.Name())
			}
			r.nonce = line
		case line == stoppedLine:
			r.stopped = true
		default:
			if _, _, ok := split(line); ok && !slices.Contains(r.ids, line) {
				r.ids = append(r.ids, line)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return record{}, false, err
	}
	return r, r.nonce != "", nil
}

// openRecord gives an attempt's record, after making it if it is missing; fresh
// tells that it was.
func openRecord(job runner.Job) (r record, fresh bool, err error) {
	r, ok, err := readRecord(job)
	if ok || err != nil {
		return r, false, err
	}
	word := make([]byte, 16)
	if _, err := rand.Read(word); err != nil {
		return r, false, err
	}
	r.nonce = hex.EncodeToString(word)
	path := recordFile(job)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return r, false, err
	}
	// Linked into place, so that it is there whole or not at all.
	f, err := os.CreateTemp(filepath.Dir(path), ".slurm-")
	if err != nil {
		return r, false, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(r.nonce + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return r, false, err
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) { // another process was first
		r, _, err = readRecord(job)
		return r, false, err
	}
	return r, true, err
}

// addRecord notes the id of a submission, or stoppedLine.
func addRecord(job runner.Job, line string) error {
	f, err := os.OpenFile(recordFile(job), os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
