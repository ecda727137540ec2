package jobhandler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"orrery/internal/dataset"
	"orrery/internal/destination"
	"orrery/internal/galaxy"
	"orrery/internal/job"
	"orrery/internal/jobdir"
	"orrery/internal/runner"
	"orrery/internal/store"
	"orrery/internal/tool"
)

// InternalTool is a tool that the server runs itself, such as an upload.
type InternalTool interface {
	// Prepare gives the command of a job.
	Prepare(ctx context.Context, j InternalJob) (*tool.Evaluated, error)
	// Collect tells what the command made, by output name. It is asked when the
	// command has ended well.
	Collect(j InternalJob) (map[string]Made, error)
}

// InternalJob is a job of an InternalTool.
type InternalJob struct {
	Job    *store.Job
	Params []store.JobParameter
	Dir    jobdir.Dir
	// Outputs are the datasets to make; Path is where each goes.
	Outputs []tool.JobInput
}

// Made is what an InternalTool knows about one output beyond its file.
type Made struct {
	// Ext and Name replace the dataset's unless empty.
	Ext, Name string
	// Info is shown beside the dataset.
	Info string
	// Error, unless empty, is why this output failed though others did not.
	Error string
	// DBKey is the genome build, unless empty.
	DBKey string
}

// prepared is a claimed job with all that its run needs.
type prepared struct {
	claim store.Claim // with the attempt that the job is at
	// route is where the attempt goes.
	route destination.Choice
	// to, next, previous and tries are of a job that was sent again: where it is to
	// go, as a name or chosen already, where it was, and how often it was sent.
	to       string
	next     *destination.Choice
	previous *destination.Previous
	tries    int

	job     *store.Job
	tool    *tool.Tool // nil for an internal tool
	inner   InternalTool
	params  []store.JobParameter
	state   *tool.JobState
	inputs  []tool.JobInput
	outputs []tool.JobInput
	hdas    map[int64]*store.HDA // the outputs
	dir     jobdir.Dir
}

func (p *prepared) internal() InternalJob {
	return InternalJob{Job: p.job, Params: p.params, Dir: p.dir, Outputs: p.outputs}
}

// errSettled says that the job was put back, paused or ended, so that there is
// nothing left to do for this claim.
var errSettled = errors.New("settled")

// run sees a job through. Whatever goes wrong ends this job alone, with a
// message that its owner sees.
func (h *Handler) run(ctx context.Context, a *active, adopted bool) {
	c := a.claim
	err := h.handle(ctx, a, adopted)
	switch {
	case err == nil, errors.Is(err, errSettled):
	case errors.Is(err, store.ErrClaimLost):
		h.Log.Info("a job was moved to another handler", "job", c.JobID)
	case ctx.Err() != nil || errors.Is(err, errStopping): // the job stays its name's
	case store.Outage(err):
		h.interrupted.Store(true)
		h.Log.Warn("the database does not serve; the job is taken up again later", "job", c.JobID, "error", err)
	default:
		h.abandon(ctx, a)
		var message *galaxy.Error
		var eval *tool.EvalError
		switch {
		case errors.As(err, &eval):
			h.fail(ctx, c, eval.Error(), err)
		case errors.As(err, &message) && message.Kind != galaxy.Internal:
			h.fail(ctx, c, message.Message, err)
		default:
			h.Log.Error("a job failed in the server", "job", c.JobID, "error", err)
			h.fail(ctx, c, "The server could not run this job: "+err.Error(), err)
		}
	}
}

func (h *Handler) started(ctx context.Context, c store.Claim, s store.Started) error {
	return h.starts.Write(ctx, &start{claim: c, Started: s})
}

// start and end are changes of a job that share a transaction with those of other
// jobs at the same time.
type (
	start struct {
		claim store.Claim
		store.Started
	}
	end struct {
		claim store.Claim
		store.Finished
		released int
	}
)

func (h *Handler) runStarts(ctx context.Context, tx *store.Tx, starts []*start) error {
	// A start that is lost when the database's machine loses its power is found
	// again in the job's folder.
	if err := tx.Relax(ctx); err != nil {
		return err
	}
	for _, s := range starts {
		if err := store.StartJob(ctx, tx, s.claim, h.Member.ServerName(), s.Started); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) runEnds(ctx context.Context, tx *store.Tx, ends []*end) (err error) {
	for _, e := range ends {
		if e.released, err = store.FinishJob(ctx, tx, e.claim, h.Member.ServerName(), e.Finished); err != nil {
			return err
		}
	}
	return nil
}

// prepare reads the job and everything it refers to.
func (h *Handler) prepare(ctx context.Context, c store.Claim) (*prepared, error) {
	p := &prepared{claim: c, dir: jobdir.Of(h.JobsDir, c.JobID), hdas: map[int64]*store.HDA{}}
	var err error
	if p.job, err = store.JobByID(ctx, h.DB, c.JobID); err != nil {
		return nil, err
	}
	if p.params, err = store.JobParameters(ctx, h.DB, c.JobID); err != nil {
		return nil, err
	}
	in, err := store.JobInputs(ctx, h.DB, c.JobID)
	if err != nil {
		return nil, err
	}
	out, err := store.JobOutputs(ctx, h.DB, c.JobID)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, i := range in {
		if i.HDA != 0 {
			ids = append(ids, i.HDA)
		}
	}
	for _, o := range out {
		ids = append(ids, o.HDA)
	}
	hdas, err := store.HDAs(ctx, h.DB, ids)
	if err != nil {
		return nil, err
	}
	datasets := &job.Datasets{DB: h.DB, Objects: h.Objects, IDs: h.IDs, History: p.job.HistoryID}
	infos := map[int64]*tool.DatasetInfo{}
	for i := range hdas {
		info, err := datasets.Info(&hdas[i])
		if err != nil {
			return nil, err
		}
		infos[hdas[i].ID] = info
		p.hdas[hdas[i].ID] = &hdas[i]
	}
	for _, i := range in {
		p.inputs = append(p.inputs, tool.JobInput{Name: i.Name, Dataset: infos[i.HDA]})
	}
	for _, o := range out {
		if infos[o.HDA] == nil {
			return nil, galaxy.Errorf(galaxy.Invalid, "The output %s of this job is not in the database any more", o.Name)
		}
		p.outputs = append(p.outputs, tool.JobInput{Name: o.Name, Dataset: infos[o.HDA]})
	}
	if inner, ok := h.Internal[p.job.ToolID]; ok {
		p.inner = inner
		return p, nil
	}
	if p.tool, err = h.Toolbox.Get(p.job.ToolID, p.job.ToolVersion); err != nil {
		return nil, err
	}
	params := make([]tool.JobParameter, len(p.params))
	for i, jp := range p.params {
		params[i] = tool.JobParameter{Name: jp.Name, Value: jp.Value}
	}
	p.state, err = tool.DecodeJob(ctx, p.tool, params, datasets)
	return p, err
}

// ready makes sure that the inputs can be read. A job whose inputs are being
// made is put back until they are; one whose input failed or was deleted is
// paused, for its owner to mend the input; one whose input is gone for good
// fails.
func (h *Handler) ready(ctx context.Context, p *prepared) error {
	c := p.claim
	var unfinished []int64
	var faults []string
	for _, in := range p.inputs {
		d := in.Dataset
		if d == nil {
			continue
		}
		name := fmt.Sprintf("The input dataset %d («%s») ", d.HID, d.Name)
		hda := p.hdas[d.ID]
		switch {
		case hda.Purged || hda.Dataset.Purged || d.State == galaxy.DatasetDiscarded:
			return galaxy.Errorf(galaxy.Invalid, "%swas deleted for good before the job started", name)
		case d.Deleted:
			faults = append(faults, name+"was deleted before the job started")
		case d.State == galaxy.DatasetError:
			faults = append(faults, name+"is in an error state")
		case d.State == galaxy.DatasetPaused:
			faults = append(faults, name+"is paused itself")
		case !d.State.Ready():
			unfinished = append(unfinished, d.ID)
		}
	}
	if len(faults) == 0 && len(unfinished) == 0 {
		return nil
	}
	released := 0
	err := h.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if len(faults) > 0 {
			reason := faults[0] + ". Mend it, then resume this job."
			released, err = store.PauseJob(ctx, tx, c, h.Member.ServerName(), reason)
			return err
		}
		return store.WaitForInputs(ctx, tx, c, h.Member.ServerName(), unfinished)
	})
	if err != nil {
		return err
	}
	if released > 0 {
		h.Wake.Wake(job.NewTopic)
	}
	return errSettled
}

// evaluate makes the job's command.
func (h *Handler) evaluate(ctx context.Context, p *prepared) (*tool.Evaluated, error) {
	if p.inner != nil {
		return p.inner.Prepare(ctx, p.internal())
	}
	in := h.Evaluate
	in.Tool, in.Job, in.Inputs, in.Outputs, in.Datatypes, in.Tables = p.tool, p.state, p.inputs, p.outputs, h.ToolDatatypes, h.Tables
	in.HistoryID = h.IDs.Encode(p.job.HistoryID)
	in.Dir.Tool, in.Dir.Job, in.Dir.Configs = p.tool.Dir, p.dir.Path, p.dir.Configs()
	if p.job.UserID != 0 {
		u, err := store.UserByID(ctx, h.DB, p.job.UserID)
		if err != nil {
			return nil, err
		}
		in.User = &tool.EvalUser{ID: u.ID, Email: u.Email, Name: u.Username}
	}
	return tool.Evaluate(ctx, in)
}

// write puts the job's folder in place: its files, its scripts, and an empty
// file for each output.
func (h *Handler) write(ctx context.Context, p *prepared, r runner.Runner, run runner.Job) (*tool.Evaluated, error) {
	n := run.Attempt
	if err := p.dir.Create(); err != nil {
		return nil, err
	}
	script := jobdir.Script{}
	for _, o := range p.outputs {
		if hda := p.hdas[o.Dataset.ID]; hda != nil {
			path, err := h.Objects.Create(dataset.StoreRef(&hda.Dataset))
			if err != nil {
				return nil, err
			}
			if hda.Dataset.ExternalFilename == "" {
				script.Outputs = append(script.Outputs, path)
			}
		}
	}
	ev, err := h.evaluate(ctx, p)
	if err != nil {
		return nil, err
	}
	reached(AfterFolder, p.claim.JobID)
	for _, f := range ev.Files {
		if err := writeFile(p.dir, f); err != nil {
			return nil, err
		}
		if f.Link != "" {
			script.Links = append(script.Links, jobdir.Link{Name: f.Link, Target: f.Path})
		}
	}
	script.Command, script.Version = ev.Command, ev.VersionCommand
	if err := h.script(p, r, run, &script); err != nil {
		return nil, err
	}
	if p.tool != nil {
		script.Strict, script.SharedHome = p.tool.Command.Strict, p.tool.HomeTarget == ""
	}
	for _, v := range ev.Env {
		if !jobdir.ValidEnvName(v.Name) {
			return nil, galaxy.Errorf(galaxy.Invalid, "The tool names an environment variable %q, which no shell knows", v.Name)
		}
		script.Env = append(script.Env, jobdir.EnvVar{Name: v.Name, Value: v.Value})
	}
	if err := p.dir.Write(n, script); err != nil {
		return nil, err
	}
	if err := writeRoute(p); err != nil {
		return nil, err
	}
	reached(AfterScript, p.claim.JobID)
	return ev, nil
}

// writeFile writes a file of the job, and the name under which the tool looks
// for it in its working folder.
func writeFile(dir jobdir.Dir, f tool.File) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if err := jobdir.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
		return err
	}
	if f.Link == "" {
		return nil
	}
	link := filepath.Join(dir.Working(), f.Link)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(f.Path, link); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// finish writes the outcome down and removes the job's folder as cleanup_job
// says.
func (h *Handler) finish(ctx context.Context, p *prepared, f store.Finished) error {
	e := &end{claim: p.claim, Finished: f}
	if err := h.ends.Write(ctx, e); err != nil {
		return err
	}
	if e.released > 0 {
		h.Wake.Wake(job.NewTopic)
	}
	if h.Limits != nil {
		h.Limits.Ended()
	}
	h.observeEnd(p, f.State)
	reached(AfterFinish, p.claim.JobID)
	if h.cleans(f.State) {
		if err := p.dir.Remove(); err != nil {
			h.Log.Warn("a job's folder could not be removed", "job", p.claim.JobID, "error", err)
		}
	}
	return nil
}

// cleans tells whether cleanup_job takes away the folder of a job that ended so.
func (h *Handler) cleans(state galaxy.JobState) bool {
	return h.Cleanup == "always" || h.Cleanup == "onsuccess" && state == galaxy.JobOK
}

// fail ends a job and its outputs with a message for its owner.
func (h *Handler) fail(ctx context.Context, c store.Claim, message string, cause error) {
	// A handler that is being stopped still says why the job failed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	f := store.Finished{State: galaxy.JobError, Info: message, ToolStderr: message, Messages: store.JSON([]any{})}
	if cause != nil {
		f.Traceback = cause.Error()
	}
	outputs, err := store.JobOutputs(ctx, h.DB, c.JobID)
	if err != nil {
		h.Log.Error("a failed job could not be written down", "job", c.JobID, "error", err)
		return
	}
	for _, o := range outputs {
		f.Outputs = append(f.Outputs, store.FinishedHDA{ID: o.HDA, State: galaxy.DatasetError, Info: message, Blurb: "tool error"})
	}
	p := &prepared{claim: c, dir: jobdir.Of(h.JobsDir, c.JobID)}
	if err := h.finish(ctx, p, f); err != nil && !errors.Is(err, store.ErrClaimLost) {
		h.Log.Error("a failed job could not be written down", "job", c.JobID, "error", err)
	}
}
