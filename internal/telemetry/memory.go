package telemetry

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Memory is what a process uses, in bytes.
type Memory struct {
	RSS int64 // pages in memory, shared ones counted fully
	PSS int64 // pages in memory, shared ones divided by those who share them; sums over processes are true
	// Private is what ending the process would free.
	Private int64
	Swap    int64
}

// Add adds another process's memory.
func (m *Memory) Add(other Memory) {
	m.RSS, m.PSS, m.Private, m.Swap = m.RSS+other.RSS, m.PSS+other.PSS, m.Private+other.Private, m.Swap+other.Swap
}

// ProcessMemory reads a process's memory from /proc/PID/smaps_rollup. A process that has ended is fs.ErrNotExist.
func ProcessMemory(pid int) (Memory, error) {
	return readMemory("/proc", pid)
}

func readMemory(proc string, pid int) (Memory, error) {
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "smaps_rollup"))
	if errors.Is(err, syscall.ESRCH) || err == nil && len(data) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Memory{}, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	var m Memory
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) != 2 || fields[1] != "kB" {
			continue
		}
		kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("reading the memory of process %d: %w", pid, err)
		}
		switch name {
		case "Rss":
			m.RSS = kilobytes << 10
		case "Pss":
			m.PSS = kilobytes << 10
		case "Private_Clean", "Private_Dirty":
			m.Private += kilobytes << 10
		case "Swap":
			m.Swap = kilobytes << 10
		}
	}
	return m, lines.Err()
}

// Process is one process of a tree.
type Process struct {
	PID, Parent int
	Command     string // its name, at most 15 bytes
	Memory      Memory
}

// Tree reads a process and its descendants, with their memory, parents before children. What ends meanwhile is left out.
func Tree(pid int) ([]Process, error) {
	return readTree("/proc", pid)
}

func readTree(proc string, root int) ([]Process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	children := map[int][]Process{}
	var tree []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(proc, e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		p, ok := parseStat(pid, string(stat))
		if !ok {
			continue
		}
		if pid == root {
			tree = append(tree, p)
		} else {
			children[p.Parent] = append(children[p.Parent], p)
		}
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("there is no process %d: %w", root, fs.ErrNotExist)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].PID]...)
		delete(children, tree[i].PID)
	}
	alive := tree[:0]
	for _, p := range tree {
		if p.Memory, err = readMemory(proc, p.PID); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		alive = append(alive, p)
	}
	return alive, nil
}

// parseStat reads name and parent of /proc/PID/stat: “PID (NAME) STATE PARENT …”, where the name may hold anything.
func parseStat(pid int, stat string) (Process, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 2 {
		return Process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return Process{PID: pid, Parent: parent, Command: stat[open+1 : end]}, err == nil
}

// TreeMemory sums the memory of a process and its descendants.
func TreeMemory(pid int) (Memory, error) {
	tree, err := Tree(pid)
	var sum Memory
	for _, p := range tree {
		sum.Add(p.Memory)
	}
	return sum, err
}
