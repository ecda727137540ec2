package jobhandler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"orrery/internal/dataset"
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
	case ctx.Err() != nil: // this handler stops; the job stays its name's
	case store.Outage(err):
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

func (h *Handler) handle(ctx context.Context, a *active, adopted bool) error {
	c := a.claim
	p, err := h.prepare(ctx, c)
	if err != nil {
		return err
	}
	run := runner.Job{Dir: p.dir, Attempt: c.Attempt, Params: h.DestinationParams}
	begun := adopted && p.dir.Started(c.Attempt)
	switch {
	case p.job.Handler != h.Member.ServerName():
		return store.ErrClaimLost
	case p.job.State == galaxy.JobDeleting && begun:
		return h.stopAndFinish(ctx, a, p, run, p.job.ExternalID)
	case p.job.State == galaxy.JobDeleting:
		return h.finish(ctx, c, p, store.Finished{State: galaxy.JobDeleted})
	case p.job.State.Terminal():
		return errSettled
	}
	var external string
	var unwritten *store.Started
	if begun {
		external = p.job.ExternalID
		h.stoppable(a, run, external)
		if p.job.State != galaxy.JobRunning {
			// The earlier process died between handing the job over and saying so.
			ev, err := h.evaluate(ctx, p)
			if err != nil {
				return err
			}
			external = fmt.Sprint(p.dir.RunPID(c.Attempt))
			unwritten = h.howStarted(ev.Command, external)
		}
	} else {
		if err := h.ready(ctx, c, p); err != nil {
			return err
		}
		if !adopted {
			// What another server left under this number, whose database is gone,
			// would be taken for this job's outcome.
			if err := p.dir.Remove(); err != nil {
				return err
			}
		}
		ev, err := h.write(ctx, c, p)
		if err != nil {
			return err
		}
		h.mu.Lock()
		deleting := a.deleting
		h.mu.Unlock()
		if deleting {
			return h.finish(ctx, c, p, store.Finished{State: galaxy.JobDeleted})
		}
		if external, err = h.Runner.Submit(ctx, run); err != nil {
			return err
		}
		h.stoppable(a, run, external)
		unwritten = h.howStarted(ev.Command, external)
	}
	h.mu.Lock()
	deleting := a.deleting
	h.mu.Unlock()
	if deleting {
		if err := a.stop(ctx); err != nil {
			return err
		}
	}
	ended := h.watch(ctx, run, external)
	if unwritten != nil {
		blink := time.NewTimer(h.Blink)
		defer blink.Stop()
		select {
		case w := <-ended:
			// What ends in the blink of an eye is written down with its end.
			return h.conclude(ctx, c, p, w, unwritten)
		case <-blink.C:
		}
		if err := h.started(ctx, c, *unwritten); err != nil {
			return h.notStarted(ctx, a, p, run, external, err)
		}
	}
	return h.conclude(ctx, c, p, <-ended, nil)
}

// watched is how a run ended, or why that cannot be told.
type watched struct {
	ending runner.Ending
	err    error
	// panicked is what the runner panicked with, to be raised again where a panic
	// fails this job alone.
	panicked any
}

// watch waits for the end of a run on the side.
func (h *Handler) watch(ctx context.Context, run runner.Job, external string) <-chan watched {
	ended := make(chan watched, 1)
	h.jobs.Go(func() {
		var w watched
		defer func() {
			w.panicked = recover()
			ended <- w
		}()
		w.ending, w.err = h.Runner.Watch(ctx, run, external)
	})
	return ended
}

// conclude writes down the outcome of a run that has ended, and its start if that
// has not been written down.
func (h *Handler) conclude(ctx context.Context, c store.Claim, p *prepared, w watched, unwritten *store.Started) error {
	if w.panicked != nil {
		panic(w.panicked)
	}
	if w.err != nil {
		return w.err
	}
	outcome, err := h.collect(ctx, c, p, w.ending)
	if err != nil {
		return err
	}
	outcome.Started = unwritten
	return h.finish(ctx, c, p, outcome)
}

// stoppable tells how to end a job that was handed over.
func (h *Handler) stoppable(a *active, run runner.Job, external string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.stop = func(ctx context.Context) error { return h.Runner.Stop(ctx, run, external) }
}

// notStarted deals with a job whose start could not be written down although it
// was handed over. One that a person has ended meanwhile is stopped.
func (h *Handler) notStarted(ctx context.Context, a *active, p *prepared, run runner.Job, external string, err error) error {
	if galaxy.KindOf(err) != galaxy.Conflict {
		return err
	}
	return h.stopAndFinish(ctx, a, p, run, external)
}

// stopAndFinish ends a job that a person gave up, and waits until it has ended,
// so that nothing writes into its folder any more.
func (h *Handler) stopAndFinish(ctx context.Context, a *active, p *prepared, run runner.Job, external string) error {
	if err := h.Runner.Stop(ctx, run, external); err != nil {
		return err
	}
	if _, err := h.Runner.Watch(ctx, run, external); err != nil {
		return err
	}
	return h.finish(ctx, a.claim, p, store.Finished{State: galaxy.JobDeleted})
}

func (h *Handler) started(ctx context.Context, c store.Claim, s store.Started) error {
	return h.starts.Write(ctx, &start{claim: c, Started: s})
}

// howStarted is what is written down about a run that was handed over.
func (h *Handler) howStarted(command, external string) *store.Started {
	return &store.Started{
		CommandLine: command, Runner: h.RunnerName, ExternalID: external, DestinationID: h.DestinationID,
		Destination: store.JSON(h.DestinationParams),
	}
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
	p := &prepared{dir: jobdir.Of(h.JobsDir, c.JobID), hdas: map[int64]*store.HDA{}}
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
func (h *Handler) ready(ctx context.Context, c store.Claim, p *prepared) error {
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
func (h *Handler) write(ctx context.Context, c store.Claim, p *prepared) (*tool.Evaluated, error) {
	if err := p.dir.Create(); err != nil {
		return nil, err
	}
	for _, o := range p.outputs {
		if hda := p.hdas[o.Dataset.ID]; hda != nil {
			if _, err := h.Objects.Create(dataset.StoreRef(&hda.Dataset)); err != nil {
				return nil, err
			}
		}
	}
	ev, err := h.evaluate(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, f := range ev.Files {
		if err := writeFile(p.dir, f); err != nil {
			return nil, err
		}
	}
	script := jobdir.Script{
		Command: ev.Command, Version: ev.VersionCommand, Setup: h.Setup, Slots: jobdir.Slots(h.DestinationParams),
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
	return ev, p.dir.Write(c.Attempt, script)
}

// writeFile writes a file of the job, and the name under which the tool looks
// for it in its working folder.
func writeFile(dir jobdir.Dir, f tool.File) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
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
func (h *Handler) finish(ctx context.Context, c store.Claim, p *prepared, f store.Finished) error {
	e := &end{claim: c, Finished: f}
	if err := h.ends.Write(ctx, e); err != nil {
		return err
	}
	if e.released > 0 {
		h.Wake.Wake(job.NewTopic)
	}
	if h.Cleanup == "always" || h.Cleanup == "onsuccess" && f.State == galaxy.JobOK {
		if err := p.dir.Remove(); err != nil {
			h.Log.Warn("a job's folder could not be removed", "job", c.JobID, "error", err)
		}
	}
	return nil
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
	p := &prepared{dir: jobdir.Of(h.JobsDir, c.JobID)}
	if err := h.finish(ctx, c, p, f); err != nil && !errors.Is(err, store.ErrClaimLost) {
		h.Log.Error("a failed job could not be written down", "job", c.JobID, "error", err)
	}
}
