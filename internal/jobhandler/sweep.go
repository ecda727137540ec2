package jobhandler

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/jobdir"
	"orrery/internal/store"
)

// sweepBatch bounds how many folders are asked for at once.
const sweepBatch = 200

// sweep removes the folders that a crash between the end of a job and the removal
// of its folder left: those of jobs that have ended and are nobody's, as
// cleanup_job says. One handler of all that share the folder does it at a time.
func (h *Handler) sweep(ctx context.Context) {
	if h.Cleanup != "always" && h.Cleanup != "onsuccess" {
		return
	}
	turn, err := h.sweepTurn()
	if err == nil && turn != nil {
		defer turn.Close()
		var n int
		if n, err = h.sweepFolder(ctx, h.JobsDir, 0); n > 0 {
			h.Log.Info("folders of ended jobs were left, and are removed", "jobs", n)
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrNotExist) {
		h.Log.Warn("looking for folders of ended jobs failed", "error", err)
	}
}

// sweepTurn gives a lock when nobody swept of late.
func (h *Handler) sweepTurn() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(h.JobsDir, ".swept"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 && time.Since(info.ModTime()) < h.Sweep/2 {
		return nil, f.Close()
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		_, err = f.WriteAt([]byte("swept\n"), 0)
	}
	if err == nil {
		err = os.Chtimes(f.Name(), time.Time{}, time.Now())
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	return f, nil
}

// sweepFolder goes through one level of the jobs' folders.
func (h *Handler) sweepFolder(ctx context.Context, path string, depth int) (removed int, err error) {
	dir, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for {
		entries, rerr := dir.ReadDir(sweepBatch)
		var ids []int64
		for _, e := range entries {
			id, err := strconv.ParseInt(e.Name(), 10, 64)
			switch {
			case !e.IsDir() || err != nil || id < 0:
			case jobdir.Of(h.JobsDir, id).Path == filepath.Join(path, e.Name()):
				ids = append(ids, id)
			case depth < 6 && len(e.Name()) == 3 && !strings.Contains(e.Name(), "-"):
				n, err := h.sweepFolder(ctx, filepath.Join(path, e.Name()), depth+1)
				if removed += n; err != nil && !errors.Is(err, os.ErrNotExist) {
					return removed, err
				}
			}
		}
		if len(ids) > 0 {
			ended, err := store.EndedJobs(ctx, h.DB, ids)
			if err != nil {
				return removed, err
			}
			for id, state := range ended {
				if !h.cleans(state) {
					continue
				}
				if err := jobdir.Of(h.JobsDir, id).Remove(); err != nil {
					h.Log.Warn("a job's folder could not be removed", "job", id, "error", err)
					continue
				}
				removed++
			}
		}
		if errors.Is(rerr, io.EOF) || len(entries) == 0 && rerr == nil {
			return removed, nil
		}
		if rerr != nil {
			return removed, rerr
		}
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
	}
}
