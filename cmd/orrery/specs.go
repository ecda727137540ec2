package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/listen"
	"orrery/internal/supervisor"
)

// specsOf says how each planned process is started.
func specsOf(cfg *config.Config, plan *deployment.Plan) ([]supervisor.Spec, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	stamp, err := stampOf(cfg)
	if err != nil {
		return nil, err
	}
	// Who handles which job is decided where jobs are created.
	handling, err := json.Marshal(assigning(plan.Handling))
	if err != nil {
		return nil, err
	}
	stamp = append(stamp, handling...)
	var specs []supervisor.Spec
	for _, p := range plan.Processes {
		command := string(p.Kind)
		if p.Kind == deployment.Web {
			command = "worker"
		}
		args := []string{command, "-c", cfg.Path, "--server-name", p.ServerName}
		if cfg.Path == "" {
			args = []string{command, "--no-config", "--server-name", p.ServerName}
		}
		args = append(args, "--base-name", cfg.ServerName)
		if p.HandleJobs && p.Kind == deployment.Web {
			args = append(args, "--handle-jobs")
		}
		for _, tag := range p.Tags {
			args = append(args, "--tag", tag)
		}
		env := p.Variables(os.Getenv("PATH"))
		if !slices.ContainsFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GOGC=") }) {
			// Memory is dearer than time here: the heaps are small.
			env = append(env, "GOGC=60")
		}
		// Limits of requests are read from the configuration by the worker itself.
		limits, err := json.Marshal(p.Limits)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append(limits, stamp...))
		spec := supervisor.Spec{
			Name: p.ServerName, Group: p.Group, Service: p.Service, Kind: p.Kind, Args: args, Env: env, Dir: wd, LogFile: p.LogFile,
			Umask: p.Umask, ReadyTimeout: p.ReadyTimeout, RestartTimeout: p.RestartTimeout, StopTimeout: p.StopTimeout,
			MemoryLimit: int64(p.MemoryLimit * (1 << 30)), Stamp: hex.EncodeToString(sum[:8]),
		}
		if p.Kind == deployment.Web {
			spec.Listen = withPlaces(cfg, p.Listeners)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// assigning is what a process that creates jobs has to know of the others. Where handlers find jobs by their tags, it need
// not know who they are, and more of them change nothing for it.
func assigning(h deployment.Handling) deployment.Handling {
	if h.Locks() {
		h.Members, h.Mappings, h.Unmapped = nil, nil, nil
	}
	h.EditionReason = ""
	return h
}

// withPlaces says of addresses that no file names, where one would: for the
// message when something else listens there.
func withPlaces(cfg *config.Config, listeners []listen.Spec) []listen.Spec {
	file, setting := cfg.Path, "gravity: gunicorn: bind"
	if file == "" {
		file = "config/galaxy.yml"
	}
	if cfg.Edition == config.Edition1901 {
		setting = "uwsgi: http"
	}
	out := slices.Clone(listeners)
	for i := range out {
		if out[i].At == "" {
			out[i].At = fmt.Sprintf("the address is the default one, since %s has no “%s”", file, setting)
		}
	}
	return out
}

// filesOf are the files that the configuration was read from, and those that it names.
func filesOf(cfg *config.Config) []string {
	files := slices.Concat([]string{cfg.Path, cfg.GalaxyPath, cfg.ObjectStoreConfigFile, cfg.String("job_metrics_config_file")}, toolboxFiles(cfg), cfg.DatatypesFiles)
	if cfg.Jobs != nil && filepath.IsAbs(cfg.Jobs.Source) {
		files = append(files, cfg.Jobs.Source)
	}
	slices.Sort(files)
	return slices.DeleteFunc(slices.Compact(files), func(path string) bool { return path == "" })
}

// stampOf stands for what every process reads: the same files, without the sections that say which processes there are.
func stampOf(cfg *config.Config) ([]byte, error) {
	hash := sha256.New()
	for _, path := range filesOf(cfg) {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if path == cfg.Path {
			data = withoutSections(data)
		}
		fmt.Fprintf(hash, "%s %d\n", path, len(data))
		hash.Write(data)
	}
	return hash.Sum(nil), nil
}

// withoutSections leaves the sections gravity: and uwsgi: (of galaxy.ini, [uwsgi] and [server:…]) out of a configuration
// file, with comments and blank lines: what they say of a process is in its arguments, variables and sockets.
func withoutSections(data []byte) []byte {
	var out bytes.Buffer
	left := false
	for line := range bytes.Lines(data) {
		text := bytes.TrimRight(line, " \t\r\n")
		trimmed := bytes.TrimSpace(text)
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		switch {
		case text[0] == '[':
			left = bytes.HasPrefix(text, []byte("[uwsgi]")) || bytes.HasPrefix(text, []byte("[server:"))
		case text[0] != ' ' && text[0] != '\t' && text[0] != '-' && bytes.ContainsRune(text, ':'):
			if key, _, _ := bytes.Cut(text, []byte(":")); !bytes.ContainsAny(key, "= ") {
				left = string(key) == "gravity" || string(key) == "uwsgi"
			}
		}
		if !left {
			out.Write(text)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}
