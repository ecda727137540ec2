package supervisor

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Report says how everything is.
func (s *Supervisor) Report() Report {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	s.mu.Lock()
	r := Report{Name: s.options.Name, Host: host, PID: os.Getpid(), Version: s.options.Version, Since: s.since, Config: s.config, Problem: s.problem}
	files := s.files
	for _, sl := range s.slots {
		one := ProcessReport{Name: sl.spec.Name, Group: sl.spec.Group, Kind: sl.spec.Kind, State: sl.state, Since: sl.since,
			Restarts: sl.restarts, Generation: sl.generation, LogFile: sl.spec.LogFile, Detail: sl.detail}
		if sl.current != nil {
			one.PID = sl.current.r.pid
		}
		if r.Problem == "" && sl.state == "crashing" {
			r.Problem = fmt.Sprintf("%s crashes again and again: it %s; its log is %s", sl.spec.Name, sl.detail, sl.spec.LogFile)
		}
		if !sl.removed || sl.current != nil {
			r.Processes = append(r.Processes, one)
		}
		if succ := sl.successor; succ != nil {
			other := one
			other.State, other.PID, other.Since, other.Detail, other.Generation = "starting", succ.r.pid, succ.since, "takes over when it serves", sl.generation+1
			r.Processes = append(r.Processes, other)
		}
		for _, inst := range sl.draining {
			other := one
			other.State, other.PID, other.Since, other.Detail, other.Generation = "draining", inst.r.pid, inst.since, "finishes what it has", inst.generation
			r.Processes = append(r.Processes, other)
		}
	}
	s.mu.Unlock()
	if r.Processes == nil {
		r.Processes = []ProcessReport{}
	}
	for i, p := range r.Processes {
		if p.PID != 0 {
			r.Processes[i].Memory = s.options.Memory(p.PID)
		}
	}
	r.ConfigChanged = files.changed()
	return r
}

// memoryOf is what a process uses of its own: its share of what it has in memory together with others, and all that it has
// alone. Programs that it started, jobs above all, are not counted.
func memoryOf(pid int) int64 {
	base := "/proc/" + strconv.Itoa(pid)
	if data, err := os.ReadFile(base + "/smaps_rollup"); err == nil {
		for line := range bytes.Lines(data) {
			if value, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
				if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(value)), " kB"), 10, 64); err == nil {
					return kb << 10
				}
			}
		}
	}
	// Pages in memory, also those of other processes.
	data, err := os.ReadFile(base + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// memoryAgain is how long a process is left alone that was replaced for its memory.
const memoryAgain = time.Minute

// watchMemory looks for processes that use more than they may.
func (s *Supervisor) watchMemory(quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-s.stop:
			return
		case <-s.options.After(memoryEvery):
		}
		s.checkMemory()
	}
}

func (s *Supervisor) checkMemory() {
	now := s.options.Now()
	s.mu.Lock()
	var over []*slot
	for _, sl := range s.slots {
		if sl.spec.MemoryLimit <= 0 || sl.current == nil || !sl.current.ready || sl.current.stopping || sl.removed || sl.stopped ||
			!sl.overLimit.IsZero() && now.Sub(sl.overLimit) < memoryAgain {
			continue
		}
		if sl.memory = s.options.Memory(sl.current.r.pid); sl.memory > sl.spec.MemoryLimit {
			sl.overLimit = now
			over = append(over, sl)
		}
	}
	s.mu.Unlock()
	for _, sl := range over {
		s.enqueue(&task{order: Order{Verb: "memory"}, memory: sl})
	}
}

// replaceForMemory replaces a process gracefully as it is.
func (s *Supervisor) replaceForMemory(sl *slot) error {
	s.mu.Lock()
	spec, memory, gone := sl.spec, sl.memory, sl.current == nil || sl.removed || sl.stopped
	s.mu.Unlock()
	if gone {
		return nil
	}
	s.options.Log.Warn("the process uses more memory than it may and is replaced", "process", spec.Name,
		"memory", megabytes(memory), "memory_limit", megabytes(spec.MemoryLimit))
	return s.replaceGroup(&task{}, []*step{{slot: sl, spec: spec}})
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }

// fileStamps tell whether files are what they were.
type fileStamps struct{ content map[string][32]byte }

// biggestFile bounds what is read of a configuration file.
const biggestFile = 64 << 20

func stampFiles(paths []string) *fileStamps {
	f := &fileStamps{content: map[string][32]byte{}}
	for _, path := range paths {
		f.content[path] = contentOf(path)
	}
	return f
}

// contentOf is a hash of a file; one that cannot be read has none.
func contentOf(path string) (sum [32]byte) {
	file, err := os.Open(path)
	if err != nil {
		return sum
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(file, biggestFile)); err != nil {
		return sum
	}
	return [32]byte(hash.Sum(nil))
}

func (f *fileStamps) changed() bool {
	for path, was := range f.content {
		if contentOf(path) != was {
			return true
		}
	}
	return false
}
