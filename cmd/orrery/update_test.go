package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orrery/internal/units"
)

// updated is a folder with a galaxy.yml and one for units.
type updated struct {
	t          *testing.T
	dir, units string
}

const updateYml = `gravity:
  galaxy_user: galaxy
  handlers:
    handler:
      processes: 2
      pools: [job-handlers]
galaxy:
  id_secret: a secret of tests
`

func newUpdated(t *testing.T) *updated {
	t.Helper()
	u := &updated{t: t, dir: t.TempDir()}
	u.units = filepath.Join(u.dir, "units")
	if err := os.MkdirAll(u.units, 0o755); err != nil {
		t.Fatal(err)
	}
	u.write("galaxy.yml", updateYml)
	t.Chdir(u.dir)
	return u
}

func (u *updated) write(name, content string) {
	u.t.Helper()
	if err := os.WriteFile(filepath.Join(u.dir, name), []byte(content), 0o644); err != nil {
		u.t.Fatal(err)
	}
}

// run runs the command, and gives what it prints and its status.
func (u *updated) run(args ...string) (out string, status int) {
	u.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		u.t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	heard := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(read) // what a pipe gives until it is closed
		heard <- text
	}()
	err = runUpdate(append([]string{"-c", filepath.Join(u.dir, "galaxy.yml")}, args...))
	os.Stdout = stdout
	_ = write.Close()
	out = string(<-heard)
	var exits interface{ ExitStatus() int }
	switch {
	case errors.As(err, &exits):
		return out + err.Error(), exits.ExitStatus()
	case err != nil:
		return out + err.Error(), exitFailed
	}
	return out, exitOK
}

func (u *updated) files() (names []string) {
	u.t.Helper()
	entries, err := os.ReadDir(u.units)
	if err != nil {
		u.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestUpdateBringsUnitsToWhatTheConfigurationAsksFor(t *testing.T) {
	u := newUpdated(t)
	all := []string{"galaxy-handler@.service", "galaxy-web.service", "galaxy-web.socket", "galaxy.target"}
	if out, status := u.run("--systemd", u.units, "--dry-run"); status != exitChanges || !strings.Contains(out, "+ExecStart=") || len(u.files()) > 0 {
		t.Errorf("the rehearsal ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
	if out, status := u.run("--systemd", u.units); status != exitOK || !slices.Equal(u.files(), all) {
		t.Errorf("ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
	if out, status := u.run("--systemd", u.units); status != exitOK || !strings.Contains(out, "Nothing to do") {
		t.Errorf("once more ends with %d:\n%s", status, out)
	}
	u.write("units/galaxy-other.service", "[Service]\nExecStart=/bin/true\n")
	u.write("galaxy.yml", strings.Replace(updateYml, "    handler:\n", "    special:\n", 1))
	out, status := u.run("--systemd", u.units, "--json")
	want := []string{"galaxy-other.service", "galaxy-special@.service", "galaxy-web.service", "galaxy-web.socket", "galaxy.target"}
	var report struct {
		Files []struct{ Path, Change string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != exitOK || !slices.Equal(u.files(), want) {
		t.Errorf("another handler ends with %d, %v, leaves %v:\n%s", status, err, u.files(), out)
	}
	changes := map[string]string{}
	for _, f := range report.Files {
		changes[filepath.Base(f.Path)] = f.Change
	}
	if len(changes) != 3 || changes["galaxy-handler@.service"] != "remove" || changes["galaxy-special@.service"] != "write" || changes["galaxy.target"] != "write" {
		t.Errorf("the changes are %v", changes)
	}
	if out, status := u.run("--systemd", u.units, "--clean"); status != exitOK || !slices.Equal(u.files(), []string{"galaxy-other.service"}) {
		t.Errorf("--clean ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
}

func TestUpdateLeavesFilesOfOthersAlone(t *testing.T) {
	u := newUpdated(t)
	for what, content := range map[string]string{
		"not written by": "[Unit]\nDescription=mine\n",
		"belongs to":     "# Written by “orrery update”, which overwrites what is changed here.\n# Configuration: /srv/other/galaxy.yml\n\n[Unit]\n",
	} {
		u.write("units/galaxy.target", content)
		if out, status := u.run("--systemd", u.units); status != exitFailed || !strings.Contains(out, what) || !slices.Equal(u.files(), []string{"galaxy.target"}) {
			t.Errorf("ends with %d, leaves %v:\n%s", status, u.files(), out)
		}
	}
	if out, status := u.run("--systemd", u.units, "--force"); status != exitOK || len(u.files()) != 4 {
		t.Errorf("--force ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
}

func TestUpdateOfAWrongConfigurationChangesNothing(t *testing.T) {
	u := newUpdated(t)
	u.write("galaxy.yml", strings.Replace(updateYml, "processes: 2", "processes: some", 1))
	if out, status := u.run("--systemd", u.units); status == exitOK || !strings.Contains(out, "galaxy.yml:5:18") || len(u.files()) > 0 {
		t.Errorf("ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
}

func TestProcessManagerDecidesWhereFilesGo(t *testing.T) {
	u := newUpdated(t)
	t.Setenv("GRAVITY_SYSTEMD_UNIT_PATH", u.units)
	u.write("galaxy.yml", strings.Replace(updateYml, "gravity:\n", "gravity:\n  process_manager: systemd\n", 1))
	if out, status := u.run(); status != exitOK || len(u.files()) != 4 {
		t.Errorf("systemd: ends with %d, leaves %v:\n%s", status, u.files(), out)
	}
	u.write("galaxy.yml", strings.Replace(updateYml, "gravity:\n", "gravity:\n  process_manager: supervisor\n", 1))
	if out, status := u.run(); status != exitOK {
		t.Errorf("supervisor: ends with %d:\n%s", status, out)
	}
	folder := filepath.Join(u.dir, "database/gravity/supervisor")
	for _, name := range []string{"supervisord.conf", "supervisord.conf.d/galaxy.conf"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	if out, status := u.run("--dry-run"); status != exitOK {
		t.Errorf("supervisor, once more: ends with %d:\n%s", status, out)
	}
	u.write("galaxy.yml", updateYml)
	if out, status := u.run(); status != exitOK || !strings.Contains(out, "No server runs") {
		t.Errorf("neither: ends with %d:\n%s", status, out)
	}
}

func TestInstancesOfOneFileHaveUnitsOfTheirOwn(t *testing.T) {
	u := newUpdated(t)
	u.write("galaxy.yml", `gravity:
  - instance_name: main
    galaxy_user: galaxy
    gunicorn: {bind: "127.0.0.1:8080"}
  - instance_name: test
    galaxy_user: galaxy
    gunicorn: {bind: "127.0.0.1:8081"}
galaxy:
  id_secret: a secret of tests
`)
	for _, instance := range []string{"main", "test", "main"} {
		t.Setenv("GRAVITY_INSTANCE_NAME", instance)
		if out, status := u.run(instance, "--systemd", u.units); status != exitOK {
			t.Fatalf("of %s ends with %d:\n%s", instance, status, out)
		}
	}
	want := []string{"galaxy-main-web.service", "galaxy-main-web.socket", "galaxy-main.target", "galaxy-test-web.service", "galaxy-test-web.socket", "galaxy-test.target"}
	if !slices.Equal(u.files(), want) {
		t.Errorf("the units are %v", u.files())
	}
	text, err := os.ReadFile(filepath.Join(u.units, "galaxy-test-web.service"))
	if err != nil || !strings.Contains(string(text), "\nEnvironment=GRAVITY_INSTANCE_NAME=test\n") {
		t.Errorf("the unit does not say which instance it is: %v\n%s", err, text)
	}
}

func TestUpdatePrints(t *testing.T) {
	u := newUpdated(t)
	if out, status := u.run("--print"); status != exitOK || !strings.Contains(out, "galaxy-handler@.service\n") || !strings.Contains(out, "[program:handler]") || len(u.files()) > 0 {
		t.Errorf("ends with %d:\n%s", status, out)
	}
	if out, status := u.run("--print", "gunicorn"); status != 2 {
		t.Errorf("update of a service alone ends with %d:\n%s", status, out)
	}
	if out, status := u.run("--print", "--clean"); status != 2 {
		t.Errorf("--print --clean ends with %d:\n%s", status, out)
	}
}

func TestSystemdIsToldOfWhatChanged(t *testing.T) {
	var told []string
	s := systemdControl{run: func(args ...string) error {
		told = append(told, strings.Join(args, " "))
		return nil
	}}
	changes := []fileChange{
		{Path: "/u/galaxy.target", Change: "write", unit: true, before: "[Unit]\nWants=a.service galaxy-handler@0.service galaxy-handler@1.service\n", content: "[Unit]\nWants=a.service galaxy-handler@0.service\n"},
		{Path: "/u/galaxy-handler@.service", Change: "write", unit: true},
		{Path: "/u/galaxy-old@.service", Change: "remove", unit: true},
		{Path: "/u/galaxy-gone.service", Change: "remove", unit: true},
		{Path: "/c/galaxy.conf", Change: "write"},
	}
	if err := s.before(changes); err != nil {
		t.Fatal(err)
	}
	if want := []string{"stop galaxy-handler@1.service", "stop galaxy-old@*.service", "disable --now galaxy-gone.service"}; !slices.Equal(told, want) {
		t.Errorf("before, systemd is told %q, want %q", told, want)
	}
	told = nil
	hints, err := s.after(changes, &units.Site{})
	if err != nil || len(hints) > 0 {
		t.Errorf("after: %v, %v", hints, err)
	}
	if want := []string{"daemon-reload", "enable galaxy.target", "is-active --quiet galaxy.target", "try-restart galaxy-handler@*.service", "start galaxy.target"}; !slices.Equal(told, want) {
		t.Errorf("after, systemd is told %q, want %q", told, want)
	}
	hints, err = systemdControl{}.after(changes, &units.Site{})
	if err != nil || len(hints) != 1 || !strings.Contains(hints[0], "systemctl daemon-reload && systemctl enable --now galaxy.target") {
		t.Errorf("where no systemd runs, the hints are %q, %v", hints, err)
	}
}
