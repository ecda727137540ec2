package jobhandler

import (
	"context"
	"fmt"
	"os"
	"time"

	"orrery/internal/dataset"
	"orrery/internal/datatype"
	"orrery/internal/jobdir"
	"orrery/internal/runner"
)

// The words that an attempt's folder holds when this server stopped it.
const (
	stoppedWalltime    = "walltime"     // of the server, after which a job is not sent again
	stoppedOwnWalltime = "own-walltime" // of the destination
	stoppedOutput      = "output-size"
)

// police stops an attempt that goes beyond a limit on time or on the size of an
// output, on the side, until ctx ends. The reason is written into the folder
// first, so that it counts whoever collects the attempt.
func (h *Handler) police(ctx context.Context, p *prepared, r runner.Runner, run runner.Job, external string) {
	walltime, own := h.walltime(run.Params)
	if walltime <= 0 && h.OutputSize <= 0 {
		return
	}
	h.jobs.Go(func() {
		for {
			if s := h.overstepped(p, run, walltime, own, time.Now()); s.Reason != "" {
				err := p.dir.MarkStopped(run.Attempt, s)
				if err == nil {
					err = r.Stop(ctx, run, external)
				}
				if err != nil {
					h.Log.Warn("a job that went beyond a limit could not be stopped; it is tried again", "job", p.claim.JobID, "limit", s.Reason, "error", err)
				}
			}
			wait := h.Police
			if begun := p.dir.Begun(run.Attempt); walltime > 0 && !begun.IsZero() {
				wait = min(wait, max(time.Until(begun.Add(walltime)), h.Retry))
			} else if walltime > 0 {
				wait = min(wait, walltime)
			}
			t := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
			}
		}
	})
}

// overstepped tells which limit a running attempt has gone beyond.
func (h *Handler) overstepped(p *prepared, run runner.Job, walltime time.Duration, own bool, now time.Time) (s jobdir.Stopped) {
	begun := p.dir.Begun(run.Attempt)
	if begun.IsZero() {
		return s
	}
	if _, err := p.dir.ReadOutcome(run.Attempt); err == nil {
		return s // it has ended
	}
	if ran := now.Sub(begun); walltime > 0 && ran >= walltime {
		s.Reason = stoppedWalltime
		if own {
			s.Reason = stoppedOwnWalltime
		}
		s.Message = fmt.Sprintf("This job was stopped because it ran for longer than the %s that it is allowed here. Try smaller inputs or other parameters.", walltime)
		return s
	}
	if h.OutputSize <= 0 {
		return s
	}
	for _, o := range p.outputs {
		hda := p.hdas[o.Dataset.ID]
		if hda == nil || hda.Dataset.ExternalFilename != "" {
			continue
		}
		path, err := h.Objects.Path(dataset.StoreRef(&hda.Dataset))
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > h.OutputSize {
			return jobdir.Stopped{Reason: stoppedOutput, Message: fmt.Sprintf(
				"This job was stopped because its output %s grew larger than the %s that are allowed here. Try other inputs or parameters.", o.Name, datatype.NiceSize(h.OutputSize))}
		}
	}
	return s
}
