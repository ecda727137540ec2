package jobdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// markFile says whose folder this is.
func (d Dir) markFile() string { return filepath.Join(d.Path, "job") }

// Claim makes the folder the given job's, and tells whether it was that before: a
// folder of the same number may be left from another database. Such a one is put
// aside and removed. mark tells jobs of the same number apart; it has no
// line breaks.
//
// Nothing is removed from a folder that bears the mark: whoever is late with
// an earlier claim may come here while the job runs.
func (d Dir) Claim(mark string) (known bool, err error) {
	switch is, err := d.bears(mark); {
	case err != nil:
		return false, err
	case is:
		return true, nil
	}
	aside := d.Path + ".left-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	err = os.Rename(d.Path, aside)
	if err == nil {
		old := Dir{Path: aside, JobID: d.JobID}
		if is, merr := old.bears(mark); merr == nil && is {
			// Another handler was quicker and this is its folder: back with it.
			return true, os.Rename(aside, d.Path)
		}
		err = old.Remove()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("putting an old folder aside: %w", err)
	}
	if err := d.Create(); err != nil {
		return false, err
	}
	if err := WriteFile(d.markFile(), []byte(mark+"\n"), 0o644); err != nil {
		return false, fmt.Errorf("marking the job's folder: %w", err)
	}
	return false, nil
}

// bears tells whether the folder has a mark.
func (d Dir) bears(mark string) (bool, error) {
	text, err := os.ReadFile(d.markFile())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return false, nil
	}
	return string(text) == mark+"\n", err
}

// stoppedFile says why the server stopped an attempt.
func (d Dir) stoppedFile(attempt int) string { return filepath.Join(d.attempt(attempt), "stopped") }

// Stopped is why the server stopped an attempt: a short word and a message for
// the job's owner.
type Stopped struct{ Reason, Message string }

// MarkStopped writes down why an attempt is about to be stopped, so that whoever
// collects it knows. The first reason stays.
func (d Dir) MarkStopped(attempt int, s Stopped) error {
	f, err := os.OpenFile(d.stoppedFile(attempt), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Reason + "\n" + s.Message + "\n")
	return errors.Join(err, f.Close())
}

// ReadStopped gives why the server stopped an attempt; false if it did not.
func (d Dir) ReadStopped(attempt int) (Stopped, bool) {
	text, err := os.ReadFile(d.stoppedFile(attempt))
	if err != nil {
		return Stopped{}, false
	}
	reason, message, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	return Stopped{Reason: reason, Message: message}, true
}

// RouteFile says where an attempt was sent.
func (d Dir) RouteFile(attempt int) string {
	return filepath.Join(d.attempt(attempt), "destination.json")
}

// closedFile says that an attempt is over and another takes its place.
func (d Dir) closedFile(attempt int) string { return filepath.Join(d.attempt(attempt), "closed") }

// Close notes that an attempt which ended, or never began, is not the job's
// outcome, and why in a word; the next one is.
func (d Dir) Close(attempt int, reason string) error {
	if err := os.MkdirAll(d.attempt(attempt), 0o755); err != nil {
		return err
	}
	return WriteFile(d.closedFile(attempt), []byte(reason+"\n"), 0o644)
}

// Closed gives why an attempt is not the job's outcome; "" if it is, or may be.
func (d Dir) Closed(attempt int) string {
	text, err := os.ReadFile(d.closedFile(attempt))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
