package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"orrery/internal/deployment"
	"orrery/internal/supervisor"
)

// runFollow is `orrery follow`: the logs of all processes, or of those named,
// as they grow.
func runFollow(args []string) error {
	fs := newFlags("follow")
	c := controlFlags(fs)
	lines := fs.Int("n", 10, "print the last `LINES` of each log first")
	names, err := c.openFor(fs, args)
	if err != nil {
		return err
	}
	logs, err := c.logs(names)
	if err != nil {
		return err
	}
	c.notices()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return follow(ctx, c.out, logs, max(*lines, 0))
}

// logs are the logs of processes; the supervisor's comes first when all are
// meant, and is the only one when only it is (--quiet, as gravity has it).
func (c *control) logs(names []string) ([]string, error) {
	own := filepath.Join(c.cfg.LogDir, "orrery.log")
	if c.quiet {
		return []string{own}, nil
	}
	plan, err := deployment.NewPlan(c.cfg, deployment.EngineOf(c.cfg.Database))
	if err != nil && len(c.reports) == 0 {
		return nil, err
	}
	if len(c.reports) == 0 {
		// Nobody runs: then the plan says whose logs there may be.
		report := supervisor.Report{}
		for _, p := range plan.Processes {
			report.Processes = append(report.Processes, supervisor.ProcessReport{Name: p.ServerName, Group: p.Group, Kind: p.Kind, LogFile: p.LogFile})
		}
		c.reports = []supervisor.Report{report}
		defer func() { c.reports = nil }()
	}
	found, err := c.meant(names)
	if err != nil {
		return nil, err
	}
	var logs []string
	if len(names) == 0 {
		logs = append(logs, own)
	}
	for i := range c.reports {
		for _, p := range found[i] {
			path := p.LogFile
			if path == "" {
				path = filepath.Join(c.cfg.LogDir, p.Name+".log")
			}
			if !slices.Contains(logs, path) {
				logs = append(logs, path)
			}
		}
	}
	return logs, nil
}

// followInterval is how often logs are looked at. Looking is cheap: one stat
// for each.
const followInterval = 200 * time.Millisecond

// tailed is one log that is followed.
type tailed struct {
	path string
	file *os.File // nil while there is none
	at   int64
	rest []byte // a line that has not ended yet
}

// maxLine bounds a line that is held back until it ends, in bytes.
const maxLine = 64 << 10

// follow prints the last lines of logs, then what is added to them, until ctx
// ends. A log that is renamed away, as logrotate does, is read to its end, and
// then its successor from the beginning; one that is cut short is read anew;
// one that does not exist yet is waited for.
func follow(ctx context.Context, out io.Writer, logs []string, last int) error {
	p := &tailPrinter{out: out, several: len(logs) > 1}
	all := make([]*tailed, len(logs))
	defer func() {
		for _, t := range all {
			if t != nil && t.file != nil {
				_ = t.file.Close()
			}
		}
	}()
	for i, path := range logs {
		all[i] = &tailed{path: path}
		if err := all[i].open(); err != nil {
			return err
		}
		if err := all[i].skip(last); err != nil {
			return err
		}
	}
	ticks := time.NewTicker(followInterval)
	defer ticks.Stop()
	for ended := false; ; {
		for _, t := range all {
			if err := t.read(p); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			ended = true // what was written until now is still read
		case <-ticks.C:
		}
	}
}

// open opens the log if it is there.
func (t *tailed) open() error {
	file, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("following a log: %w", err)
	}
	t.file, t.at = file, 0
	return nil
}

// skip goes to where the last lines begin.
func (t *tailed) skip(lines int) error {
	if t.file == nil {
		return nil
	}
	end, err := t.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// What is further back than this is not worth the reading.
	from := max(0, end-min(int64(lines)*4096, 4<<20))
	text := make([]byte, end-from)
	n, err := t.file.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	text = text[:n]
	at := len(text)
	if at > 0 && text[at-1] == '\n' {
		at-- // the last line's own end
	}
	for range lines {
		if at = bytes.LastIndexByte(text[:max(at, 0)], '\n'); at < 0 {
			break
		}
	}
	if lines == 0 {
		at = len(text) - 1
	}
	t.at = from + int64(at) + 1
	return nil
}

// read prints what is new.
func (t *tailed) read(p *tailPrinter) error {
	at, err := os.Stat(t.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	there := err == nil
	if t.file == nil {
		if !there {
			return nil
		}
		if err := t.open(); err != nil || t.file == nil {
			return err
		}
	}
	if err := t.drain(p); err != nil {
		return err
	}
	is, err := t.file.Stat()
	if err != nil {
		return err
	}
	if there && !os.SameFile(at, is) {
		// Whoever wrote to the old one may have done so until now.
		if err := t.drain(p); err != nil {
			return err
		}
		_ = t.file.Close()
		t.file = nil
		if err := t.open(); err != nil || t.file == nil {
			return err
		}
		return t.drain(p)
	}
	if is.Size() < t.at {
		t.at, t.rest = 0, nil
		return t.drain(p)
	}
	return nil
}

// drain prints what the open file has.
func (t *tailed) drain(p *tailPrinter) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := t.file.ReadAt(buffer, t.at)
		t.at += int64(n)
		t.rest = append(t.rest, buffer[:n]...)
		if end := bytes.LastIndexByte(t.rest, '\n') + 1; end > 0 || len(t.rest) > maxLine {
			if end == 0 {
				end = len(t.rest)
			}
			if err := p.print(t.path, t.rest[:end]); err != nil {
				return err
			}
			t.rest = append([]byte(nil), t.rest[end:]...)
		}
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tailPrinter prints pieces of several logs, each under its name as tail does.
type tailPrinter struct {
	out     io.Writer
	several bool
	last    string
}

func (p *tailPrinter) print(path string, text []byte) error {
	if p.several && p.last != path {
		before := "\n"
		if p.last == "" {
			before = ""
		}
		if _, err := fmt.Fprintf(p.out, "%s==> %s <==\n", before, path); err != nil {
			return err
		}
		p.last = path
	}
	_, err := p.out.Write(text)
	return err
}
