package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// requests is what load.py needs.
const requests = "requests==2.34.2"

// findPython gives a Python with requests: the tests' own one, or one that is made in .cache.
func findPython(ctx context.Context, root string) (string, error) {
	dir := filepath.Join(root, ".cache", "python-bench")
	own := filepath.Join(dir, "bin", "python")
	cached, err := filepath.Glob(filepath.Join(root, ".cache", "python-*", "bin", "python"))
	if err != nil {
		return "", err
	}
	for _, python := range append([]string{own}, cached...) {
		if exec.CommandContext(ctx, python, "-c", "import requests").Run() == nil {
			return python, nil
		}
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir}, {own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requests},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("making a Python with requests (on Debian: apt-get install python3-venv python3-pip): %w\n%s", err, out)
		}
	}
	return own, nil
}

// loaded is what load.py prints; times are in seconds.
type loaded struct {
	Latency   []float64 `json:"latency_s"`
	Submitted float64   `json:"submitted_s"`
	Done      float64   `json:"done_s"`
	CPU       float64   `json:"cpu_s"`
}

func (b *bench) runLoad(ctx context.Context, args ...string) (l loaded, err error) {
	cmd := exec.CommandContext(ctx, b.python, append([]string{b.load, b.server.url, adminKey}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("load.py: %w", err)
	}
	return l, json.Unmarshal(out, &l)
}

func (b *bench) measureLatency(ctx context.Context) error {
	l, err := b.runLoad(ctx, "latency", strconv.Itoa(b.latencies))
	if err != nil {
		return err
	}
	if len(l.Latency) == 0 {
		return errors.New("load.py measured nothing")
	}
	b.note(figureLatency, median(l.Latency)*1000)
	return nil
}

// measureJobs also tells who used how much of the processors for one job.
func (b *bench) measureJobs(ctx context.Context) error {
	before, err := b.usages()
	if err != nil {
		return err
	}
	l, err := b.runLoad(ctx, "jobs", strconv.Itoa(b.jobs), strconv.Itoa(b.submitters))
	if err != nil {
		return err
	}
	after, err := b.usages()
	if err != nil {
		return err
	}
	n := float64(b.jobs)
	b.note(figureSubmissions, n/l.Submitted)
	b.note(figureJobs, n/l.Done)
	b.note(figureLoadCPU, l.CPU/n*1000)
	for name, used := range after {
		b.note(name, (used-before[name])/n*1000)
	}
	return nil
}

// usages are the seconds that each kind of process has used.
func (b *bench) usages() (map[string]float64, error) {
	members, err := family(b.server.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	used := map[string]float64{}
	for pid, u := range members {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		switch kindOf(string(line)) {
		case "worker":
			used[figureWebCPU] += u.own
		case "handler":
			used[figureHandlerCPU] += u.own
			used[figureScriptCPU] += u.children
		}
	}
	if members, err = family(b.postgres.process.cmd.Process.Pid); err != nil {
		return nil, err
	}
	for pid, u := range members {
		used[figurePostgresCPU] += u.own
		if pid == b.postgres.process.cmd.Process.Pid {
			used[figurePostgresCPU] += u.children
		}
	}
	return used, nil
}
