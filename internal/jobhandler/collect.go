package jobhandler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"orrery/internal/dataset"

	"orrery/internal/datatype"
	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/jobdir"
	"orrery/internal/objectstore"
	"orrery/internal/runner"
	"orrery/internal/store"
	"orrery/internal/tool"
)

// maxPrinted bounds what is kept of a tool's output in the database, in bytes
// (Galaxy's DATABASE_MAX_STRING_SIZE).
const maxPrinted = 32768

// verdict is what an attempt comes to.
type verdict struct {
	store.Finished
	made map[string]Made
	// failure is the kind of failure that resubmission knows; final says that the job
	// is not sent again whatever the rules say.
	failure destination.Failure
	final   bool
}

// judge turns what a run left behind into the job's outcome, but for the outputs.
// It changes nothing, so that it can be repeated.
func (h *Handler) judge(p *prepared, ending runner.Ending, stopped string) (verdict, error) {
	v := verdict{Finished: store.Finished{Messages: store.JSON([]any{})}}
	f := &v.Finished
	var err error
	for path, into := range map[string]*string{
		p.dir.ToolStdout(): &f.ToolStdout, p.dir.ToolStderr(): &f.ToolStderr,
		p.dir.JobStdout(): &f.JobStdout, p.dir.JobStderr(): &f.JobStderr,
	} {
		if *into, err = jobdir.ReadBounded(path, maxPrinted); err != nil {
			return v, err
		}
	}
	if f.Version, err = jobdir.ReadBounded(p.dir.VersionFile(), 1000); err != nil {
		return v, err
	}
	f.Version = strings.TrimSpace(f.Version)
	outcome, err := p.dir.ReadOutcome(p.claim.Attempt)
	if err != nil && (ending.End == runner.Finished || !errors.Is(err, jobdir.ErrUnfinished)) {
		return v, err
	}
	left := err == nil // an exit code
	if left {
		f.Metrics = h.measured(p, outcome)
	}
	switch ending.Cause {
	case runner.MemoryLimit:
		v.failure = destination.MemoryLimitReached
	case runner.WalltimeLimit:
		v.failure, v.final = destination.WalltimeReached, stopped == stoppedWalltime
	case runner.OutputLimit:
		v.final = true
	}
	if ending.End == runner.Died || ending.Cause != runner.NoCause {
		f.State, f.Info = galaxy.JobError, ending.Message
		if f.Info == "" {
			f.Info = causeText[ending.Cause]
		}
		if left {
			code := int64(outcome.ExitCode)
			f.ExitCode = &code
		}
		return v, nil
	}
	code := int64(outcome.ExitCode)
	f.ExitCode = &code
	v.failure = destination.ToolDetected
	if p.inner != nil {
		f.State, v.final = galaxy.JobOK, true
		if outcome.ExitCode != 0 {
			f.State, f.Info = galaxy.JobError, firstLine(f.ToolStderr, "The server could not fetch this data.")
		} else if v.made, err = p.inner.Collect(p.internal()); err != nil {
			return v, err
		}
		return v, nil
	}
	judged := p.tool.Stdio.Judge(&outcome.ExitCode, f.ToolStdout, f.ToolStderr)
	f.State, f.Messages = judged.State, json.RawMessage(tool.MessagesJSON(judged.Messages))
	if f.State == galaxy.JobError {
		f.Info = firstLine(f.ToolStderr, fmt.Sprintf("The tool ended with exit code %d.", outcome.ExitCode))
	}
	return v, nil
}

// causeText is what people read when an engine gave no message of its own.
var causeText = map[runner.Cause]string{
	runner.NoCause:       "This job was killed before it ended: it used too much memory or time, or the machine was restarted. You may run it again.",
	runner.MemoryLimit:   "This job was killed because it used more memory than it was given.",
	runner.WalltimeLimit: "This job was killed because it ran for longer than it was allowed to.",
	runner.OutputLimit:   "This job was killed because an output became larger than is allowed.",
	runner.NodeFailure:   "The machine that ran this job failed. You may run it again.",
	runner.Cancelled:     "This job was cancelled by somebody in the cluster. You may run it again.",
}

func firstLine(text, otherwise string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return otherwise
}

// collectOutputs finds each output's file, recognises it and describes it.
func (h *Handler) collectOutputs(ctx context.Context, p *prepared, f *store.Finished, made map[string]Made) error {
	for _, o := range p.outputs {
		hda := p.hdas[o.Dataset.ID]
		if hda == nil {
			continue
		}
		out := store.FinishedHDA{ID: hda.ID, State: galaxy.DatasetOK, ToolVersion: f.Version}
		if f.State == galaxy.JobError {
			out.State, out.Info = galaxy.DatasetError, f.Info
			if f.ExitCode != nil && f.Info == "" {
				out.Info = firstLine(f.ToolStderr, f.Info)
			}
		} else {
			out.Info = strings.TrimSpace(f.ToolStdout)
		}
		if err := h.collectOutput(ctx, p, o, hda, &out, made[o.Name]); err != nil {
			return err
		}
		f.Outputs = append(f.Outputs, out)
	}
	return nil
}

func (h *Handler) collectOutput(ctx context.Context, p *prepared, o tool.JobInput, hda *store.HDA, out *store.FinishedHDA, m Made) error {
	stored := dataset.StoreRef(&hda.Dataset)
	ext := hda.Extension
	if p.tool != nil {
		if def := p.tool.OutputsByName[o.Name]; def != nil && def.FromWorkDir != "" {
			if err := h.takeFromWorkDir(p, def.FromWorkDir, hda, out); err != nil {
				return err
			}
		}
	}
	if m.Ext != "" {
		ext = m.Ext
	}
	out.Name = m.Name
	if m.Info != "" {
		out.Info = m.Info
	}
	if m.Error != "" {
		out.State, out.Info = galaxy.DatasetError, m.Error
	}
	path, err := h.settle(p, stored, o.Name, out)
	if err != nil {
		return err
	}
	if out.FileSize, out.TotalSize, err = h.Objects.Size(stored); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if galaxy.KindOf(err) != galaxy.NotFound {
			return err
		}
	}
	if ext == "auto" || ext == "_sniff_" || ext == "" {
		if ext, err = h.Datatypes.Sniff(path, datatype.SniffOptions{}); err != nil {
			return fmt.Errorf("recognising the output %s: %w", o.Name, err)
		}
	}
	out.Extension = ext
	if out.State == galaxy.DatasetError {
		out.Blurb = "tool error"
		return nil
	}
	return h.describe(path, ext, m.DBKey, hda, out)
}

// settle makes sure that an output is a file that can be read, whatever the tool
// has put there: a folder, a pipe, a link into its own folder, or nothing.
func (h *Handler) settle(p *prepared, stored objectstore.Dataset, name string, out *store.FinishedHDA) (string, error) {
	path, err := h.Objects.Path(stored)
	if err != nil || stored.ExternalFilename != "" {
		return path, err
	}
	link, err := os.Lstat(path)
	if err == nil && link.Mode()&fs.ModeSymlink != 0 {
		// A link to an input stays, as in Galaxy; one into the job's folder would
		// lead nowhere as soon as that is removed.
		target, lerr := filepath.EvalSymlinks(path)
		if lerr == nil && within(p.dir.Path, target) {
			if info, serr := os.Lstat(target); serr == nil && info.Mode().IsRegular() {
				return path, h.Objects.Put(stored, target)
			}
		}
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Mode().IsRegular():
		if info.Mode().Perm()&0o400 == 0 {
			err = os.Chmod(path, info.Mode().Perm()|0o600)
		}
		return path, err
	case err == nil:
		out.State, out.Info = galaxy.DatasetError, "The tool's output "+name+" is not a file."
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP):
		return path, err
	}
	if link != nil {
		if err := os.RemoveAll(path); err != nil {
			return path, err
		}
	}
	return h.Objects.Create(stored)
}

// within tells whether a path without links lies in a folder.
func within(folder, path string) bool {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// describe sets an output's metadata, peek and summary.
func (h *Handler) describe(path, ext, dbkey string, hda *store.HDA, out *store.FinishedHDA) error {
	base := datatype.Metadata{}
	if len(hda.Metadata) > 0 {
		// Only the genome build survives from what was set before the tool ran:
		// everything else is read from the file.
		var before map[string]any
		if err := json.Unmarshal(hda.Metadata, &before); err == nil {
			if k, ok := before["dbkey"]; ok {
				base["dbkey"] = k
			}
		}
	}
	options := datatype.MetadataOptions{DBKey: dbkey, Base: base}
	metadata, err := h.Datatypes.SetMetadata(path, ext, options)
	if err != nil {
		// The bytes are what the tool made of them; only their description is
		// missing.
		out.State = galaxy.DatasetFailedMetadata
		out.Info = "The data do not look like " + ext + ": " + err.Error()
	}
	if out.Metadata, err = json.Marshal(metadata); err != nil {
		return err
	}
	if out.Peek, out.Blurb, err = h.Datatypes.Peek(path, ext, metadata); err != nil {
		out.Peek, out.Blurb = "", datatype.NiceSize(out.FileSize)
	}
	return nil
}

// takeFromWorkDir moves the file that a tool left in its working folder to the
// dataset's place. A pattern takes the first match. A link that leads out of
// the folder is not followed.
func (h *Handler) takeFromWorkDir(p *prepared, pattern string, hda *store.HDA, out *store.FinishedHDA) error {
	working := p.dir.Working()
	matches, err := filepath.Glob(filepath.Join(escapeGlob(working), pattern))
	if err != nil || len(matches) == 0 {
		return nil // the empty file stays, as in Galaxy
	}
	src, err := filepath.EvalSymlinks(matches[0])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !within(p.dir.Path, src) {
		out.State, out.Info = galaxy.DatasetError, "The tool's output "+pattern+" leads out of its working folder."
		return nil
	}
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		out.State, out.Info = galaxy.DatasetError, "The tool's output "+pattern+" is not a file."
		return nil
	}
	return h.Objects.Put(dataset.StoreRef(&hda.Dataset), src)
}

// escapeGlob keeps a folder's own name from being read as a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
