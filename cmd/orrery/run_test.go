package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"orrery/internal/config"
	"orrery/internal/supervisor"
)

// changesOf says what an update does when a galaxy.yml becomes another one.
func changesOf(t *testing.T, before, after string) (kinds map[string]supervisor.ChangeKind) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "galaxy.yml")
	read := func(text string) supervisor.Wanted {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := (&server{}).wanted(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		return wanted
	}
	kinds = map[string]supervisor.ChangeKind{}
	for _, c := range supervisor.Changes(read(before), read(after)) {
		if c.Kind != supervisor.ChangeNone {
			kinds[c.Process] = c.Kind
		}
	}
	return kinds
}

func TestWhatAnUpdateReplaces(t *testing.T) {
	const base = "gravity:\n  gunicorn:\n    workers: 2\n    bind: localhost:8080\n  handlers:\n    handler:\n      processes: 1\n      pools: [job-handlers]\ngalaxy:\n  brand: ours\n"
	replace := func(old, new string) string { return string(bytes.Replace([]byte(base), []byte(old), []byte(new), 1)) }
	all := map[string]supervisor.ChangeKind{"main.1": supervisor.ChangeReplace, "main.2": supervisor.ChangeReplace, "handler_0": supervisor.ChangeReplace}
	web := map[string]supervisor.ChangeKind{"main.1": supervisor.ChangeReplace, "main.2": supervisor.ChangeReplace}
	for name, try := range map[string]struct {
		after string
		want  map[string]supervisor.ChangeKind
	}{
		"nothing":           {base, nil},
		"a comment":         {"# note\n\n" + base, nil},
		"one worker more":   {replace("workers: 2", "workers: 3"), map[string]supervisor.ChangeKind{"main.3": supervisor.ChangeStart}},
		"one worker fewer":  {replace("workers: 2", "workers: 1"), map[string]supervisor.ChangeKind{"main.2": supervisor.ChangeStop}},
		"one handler more":  {replace("processes: 1", "processes: 2"), map[string]supervisor.ChangeKind{"handler_1": supervisor.ChangeStart}},
		"no handlers":       {replace("      processes: 1\n      pools: [job-handlers]\n", "      enable: false\n"), map[string]supervisor.ChangeKind{"main.1": supervisor.ChangeReplace, "main.2": supervisor.ChangeReplace, "handler_0": supervisor.ChangeStop}},
		"another address":   {replace("8080", "8081"), web},
		"a limit":           {replace("workers: 2", "workers: 2\n    timeout: 17"), web},
		"a mercy":           {replace("workers: 2", "workers: 2\n    stop_timeout: 17"), nil},
		"an option":         {replace("ours", "theirs"), all},
		"another pool":      {replace("[job-handlers]", "[job-handlers.special]"), map[string]supervisor.ChangeKind{"handler_0": supervisor.ChangeReplace}},
		"a job's resources": {replace("  brand", "  job_config:\n    runners:\n      local:\n        load: galaxy.jobs.runners.local:LocalJobRunner\n        workers: 7\n    execution:\n      default: local\n      environments:\n        local:\n          runner: local\n  brand"), all},
	} {
		got := changesOf(t, base, try.after)
		same := len(got) == len(try.want)
		for process, kind := range try.want {
			same = same && got[process] == kind
		}
		if !same {
			t.Errorf("%s: %v, want %v", name, got, try.want)
		}
	}
}

func TestWithoutSections(t *testing.T) {
	for in, want := range map[string]string{
		"gravity:\n  gunicorn:\n    bind: x\n\n# about\ngalaxy:\n  brand: x # here\n": "galaxy:\n  brand: x # here\n",
		"uwsgi:\n  http: :80\ngalaxy:\n  a: 1\ngravity: {workers: 1}\n":               "galaxy:\n  a: 1\n",
		"galaxy:\n- a\ngravity:\n- b\nother: c\n":                                     "galaxy:\n- a\nother: c\n",
		"[server:main]\nport = 80\n[app:main]\nbrand = x\n[uwsgi]\nhttp = :80\n":      "[app:main]\nbrand = x\n",
		"": "",
	} {
		if got := string(withoutSections([]byte(in))); got != want {
			t.Errorf("%q\n gives %q\n  want %q", in, got, want)
		}
	}
}

func FuzzWithoutSections(f *testing.F) {
	for _, seed := range []string{"gravity:\n a: b\ngalaxy:\n", "[uwsgi]\nx\n[app:main]\ny", "\x00:\n\t\n#", ":\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once := withoutSections(slices.Clone(in))
		if twice := withoutSections(slices.Clone(once)); !bytes.Equal(once, twice) {
			t.Errorf("%q gives %q, which gives %q", in, once, twice)
		}
	})
}
