package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/supervisor"
	"orrery/internal/units"
)

// exitChanges is the status of `orrery update --dry-run` when there is
// something to do.
const exitChanges = 4

// updateCommand is its entry in the table of commands.
func updateCommand() command {
	return command{
		name: "update", group: groupRunning, summary: "take the changed configuration; write files for supervisord and systemd",
		synopsis: []string{
			"orrery update [-c FILE] [--dry-run] [--json]",
			"orrery update [-c FILE] [--systemd DIR] [--supervisord DIR|FILE] [--dry-run] [--force] [--clean]",
			"orrery update [-c FILE] --print",
		},
		about: []string{
			"Checks the configuration, shows what would change, and changes it: processes of the running server that are affected are replaced by new ones that nobody notices, others are left alone. A configuration with mistakes changes nothing.",
			"Given a folder, or with gravity's process_manager set to systemd or supervisor, it also brings the files there to what the configuration asks for: units of systemd with a target, sockets and one template for handlers that are numbered, or programs and a group of supervisord. Files that it wrote for this configuration and that nothing asks for any more are removed; files of others are never touched without --force.",
			"Where systemd runs and reads the folder, it is told: units are started, restarted and stopped as they changed. Else the command says what is left to do.",
		},
		examples: []item{
			{"orrery update --dry-run", "what would change in the running server"},
			{"orrery update --systemd /etc/systemd/system", ""},
			{"orrery update --print | less", "the files, without writing them"},
		},
		exits: append([]item{{"4", "of --dry-run: something would change"}}, exits...),
		run:   runUpdate,
	}
}

// updateOptions are what the command line of `orrery update` asks for.
type updateOptions struct {
	supervisord, systemd        string
	print, dryRun, force, clean bool
}

// runUpdate is `orrery update`: what galaxyctl update does. It checks the
// files, shows what would change in unit files and in the running server, and
// then changes it.
func runUpdate(args []string) error {
	fs := newFlags("update")
	c := controlFlags(fs)
	var o updateOptions
	fs.StringVar(&o.supervisord, "supervisord", "", "write a configuration for supervisord: the `FILE`, or galaxy.conf in a folder that exists")
	fs.StringVar(&o.systemd, "systemd", "", "write units for systemd into the folder `DIR` (by custom /etc/systemd/system)")
	fs.BoolVar(&o.print, "print", false, "print the files for supervisord and systemd instead of writing them")
	fs.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and change nothing; the status is 4 when something would")
	fs.BoolVar(&o.force, "force", false, "replace files that others wrote, and write those that are as they should be")
	fs.BoolVar(&o.clean, "clean", false, "remove the files that were written for this configuration")
	words, err := parse(fs, args)
	if err != nil {
		return err
	}
	if o.print && (o.dryRun || o.clean || o.force) {
		return usageError("--print writes nothing, so that --dry-run, --clean and --force have no meaning beside it")
	}
	u := &updating{control: c, o: o}
	if err := u.plan(); err != nil {
		return err
	}
	if words = u.withoutInstance(words); len(words) > 0 {
		return usageError("what is %q for? An update is for all processes", words[0])
	}
	if o.print {
		return u.show()
	}
	files, err := u.files()
	if err != nil {
		return err
	}
	if err := u.dial(); err != nil {
		return err
	}
	changed, err := u.apply(files)
	if err != nil {
		return err
	}
	orders := 0
	if !o.clean {
		if orders, err = u.processes(); err != nil {
			return err
		}
	}
	if c.json {
		if err := printJSON(c.out, u.report); err != nil {
			return err
		}
	}
	if o.dryRun && (changed || orders > 0) {
		return &statusError{errors.New(""), exitChanges}
	}
	if !changed && orders == 0 {
		c.sayf("Nothing to do.")
	}
	return nil
}

// updating is one run of `orrery update`.
type updating struct {
	*control
	o       updateOptions
	planned *deployment.Plan
	site    *units.Site
	report  updateReport
}

// updateReport is what --json prints.
type updateReport struct {
	Files     []fileChange        `json:"files"`
	Processes []supervisor.Change `json:"processes"`
}

// fileChange is one file that is written or removed.
type fileChange struct {
	Path   string `json:"path"`
	Change string `json:"change"` // “write” or “remove”
	Diff   string `json:"diff"`

	before, content string
	unit            bool // of systemd
}

// plan checks the configuration as a start would, and says what is amiss.
func (u *updating) plan() error {
	cfg, problems, err := load(u.config)
	if err != nil {
		return err
	}
	u.cfg = cfg
	if u.planned, err = deployment.NewPlan(cfg, deployment.EngineOf(cfg.Database)); err != nil {
		return err
	}
	if err := checkRules(cfg); err != nil {
		return err
	}
	u.report = updateReport{Files: []fileChange{}, Processes: []supervisor.Change{}}
	if u.quiet {
		return nil
	}
	for _, p := range problems {
		if p.Severity == config.Warning {
			fmt.Fprintln(u.errors, p)
		}
	}
	for _, w := range append(u.planned.Warnings, unserved(cfg.Jobs)...) {
		fmt.Fprintln(u.errors, "warning: "+w)
	}
	return nil
}

// targets settles where files are written: as the command line says, else as
// gravity's process_manager does; without it our own supervisor needs none.
func (u *updating) targets() (supervisord, systemd string, own bool) {
	supervisord, systemd = u.o.supervisord, u.o.systemd
	if supervisord != "" || systemd != "" {
		return supervisord, systemd, false
	}
	switch u.cfg.Gravity.ProcessManager {
	case "systemd":
		return "", unitFolder(), false
	case "supervisor":
		return filepath.Join(u.cfg.DataDir, "gravity", "supervisor", "supervisord.conf.d"), "", true
	}
	return "", "", false
}

// unitFolder is where systemd reads units that administrators write.
func unitFolder() string {
	if dir := os.Getenv("GRAVITY_SYSTEMD_UNIT_PATH"); dir != "" {
		return dir
	}
	if os.Getuid() == 0 {
		return "/etc/systemd/system"
	}
	return userUnitFolder()
}

func userUnitFolder() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "systemd", "user")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".config", "systemd", "user")
}

// derive makes the services of the plan.
func (u *updating) derive(userMode bool) (*units.Site, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	o := units.Options{Program: strings.TrimSuffix(program, " (deleted)"), UserMode: userMode, Several: len(config.Instances(u.cfg.Path)) > 1}
	if os.Getuid() != 0 && !userMode {
		o.User = strconv.Itoa(os.Getuid())
	}
	site, err := units.Derive(u.cfg, u.planned, o)
	if err != nil {
		return nil, err
	}
	return site, nil
}

// show prints all files that could be asked for.
func (u *updating) show() error {
	supervisord, systemd, _ := u.targets()
	if supervisord == "" && systemd == "" {
		supervisord, systemd = ".", "."
	}
	site, err := u.derive(systemd == userUnitFolder())
	if err != nil {
		return err
	}
	var files []units.File
	if systemd != "" {
		if files, err = site.Systemd(); err != nil {
			return err
		}
	}
	if supervisord != "" {
		file, err := site.Supervisord()
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if u.json {
		out := map[string]string{}
		for _, f := range files {
			out[f.Name] = f.Content
		}
		return printJSON(u.out, out)
	}
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(u.out)
		}
		fmt.Fprintf(u.out, "# ---- %s\n%s", f.Name, f.Content)
	}
	return nil
}

// files are the changes that bring the unit files to what the configuration
// asks for.
func (u *updating) files() (changes []fileChange, err error) {
	supervisord, systemd, own := u.targets()
	if supervisord == "" && systemd == "" {
		return nil, nil
	}
	if u.site, err = u.derive(systemd != "" && systemd == userUnitFolder()); err != nil {
		return nil, err
	}
	if systemd != "" {
		var wanted []units.File
		if !u.o.clean {
			if wanted, err = u.site.Systemd(); err != nil {
				return nil, err
			}
		}
		if changes, err = u.folder(systemd, wanted, true); err != nil {
			return nil, err
		}
	}
	if supervisord != "" {
		file, err := u.site.Supervisord()
		if err != nil {
			return nil, err
		}
		dir := supervisord
		if info, err := os.Stat(supervisord); (err != nil || !info.IsDir()) && !own && !strings.HasSuffix(supervisord, "/") {
			dir, file.Name = filepath.Dir(supervisord), filepath.Base(supervisord)
		}
		wanted := []units.File{file}
		if u.o.clean {
			wanted = nil
		}
		more, err := u.folder(dir, wanted, false)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
		if own {
			main := []units.File{u.site.Main("supervisord.conf.d/*.conf")}
			if u.o.clean {
				main = nil
			}
			if more, err = u.folder(filepath.Dir(dir), main, false); err != nil {
				return nil, err
			}
			changes = append(changes, more...)
		}
	}
	for _, notice := range u.site.Notices {
		if !u.quiet {
			fmt.Fprintln(u.errors, "notice: "+notice)
		}
	}
	return changes, nil
}

// mostUnit bounds what is read of a file that may be one of ours.
const mostUnit = 1 << 20

// folder compares the files that a folder should have with those that it has.
// Those that were written for this configuration and are not wanted any more
// go; those of others are never touched without --force.
func (u *updating) folder(dir string, wanted []units.File, unit bool) (changes []fileChange, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range wanted {
		names[f.Name] = true
		path := filepath.Join(dir, f.Name)
		before, exists, err := readUnit(path)
		if err != nil {
			return nil, err
		}
		owner, ours := units.Owner(before)
		switch {
		case !exists || u.o.force:
		case !ours:
			return nil, fmt.Errorf("%s was not written by `orrery update`; move it away, or use --force to replace it", path)
		case owner != u.site.Owner:
			return nil, fmt.Errorf("%s belongs to the server of %s; give one of both another name (gravity: instance_name), or use --force to replace it", path, owner)
		}
		if before != f.Content || !exists || u.o.force {
			changes = append(changes, fileChange{Path: path, Change: "write", Diff: units.Diff(path, before, f.Content), before: before, content: f.Content, unit: unit})
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		isUnit := filepath.Ext(e.Name()) != ".conf"
		if names[e.Name()] || !e.Type().IsRegular() || isUnit != unit || !units.MayBeOurs(e.Name()) && e.Name() != "supervisord.conf" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		before, _, err := readUnit(path)
		if err != nil {
			return nil, err
		}
		if owner, ours := units.Owner(before); ours && owner == u.site.Owner {
			changes = append(changes, fileChange{Path: path, Change: "remove", Diff: units.Diff(path, before, ""), before: before, unit: unit})
		}
	}
	return changes, nil
}

// readUnit reads a file that may be there.
func readUnit(path string) (content string, exists bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostUnit {
		return "", true, nil // nobody of ours wrote it
	}
	data, err := os.ReadFile(path)
	return string(data), true, err
}

// apply shows the changes of files and makes them.
func (u *updating) apply(changes []fileChange) (changed bool, err error) {
	for _, change := range changes {
		u.report.Files = append(u.report.Files, change)
		if change.Diff == "" {
			u.sayf("%s: written again", change.Path)
		} else if !u.quiet && !u.json {
			fmt.Fprint(u.out, change.Diff)
		}
	}
	if u.o.dryRun || len(changes) == 0 {
		return len(changes) > 0, nil
	}
	systemd := systemdFor(changes)
	if err := systemd.before(changes); err != nil {
		return true, err
	}
	for _, change := range changes {
		if change.Change == "remove" {
			if err := os.Remove(change.Path); err != nil {
				return true, err
			}
			continue
		}
		if err := writeFile(change.Path, change.content); err != nil {
			return true, err
		}
	}
	hints, err := systemd.after(changes, u.site)
	if err != nil {
		return true, err
	}
	if slices.ContainsFunc(changes, func(c fileChange) bool { return !c.unit }) {
		hints = append(hints, "`supervisorctl update` makes supervisord take its files; it restarts every program of a group that changed.")
	}
	for _, hint := range hints {
		u.sayf("%s", hint)
	}
	return true, nil
}

// writeFile replaces a file in one step, so that nobody reads half of it.
func writeFile(path, content string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// What the environment of a process has may be secret.
	mode := fs.FileMode(0o644)
	if strings.Contains(content, "\nenvironment ") || strings.Contains(content, "= /usr/bin/env ") {
		mode = 0o600
	}
	file, err := os.CreateTemp(dir, ".orrery-update-")
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// processes has the running supervisors say what an update would do with their
// processes and, unless this is a rehearsal, do it. orders is how many
// processes are started, replaced or stopped.
func (u *updating) processes() (orders int, err error) {
	if len(u.supervisors) == 0 {
		if _, systemd, _ := u.targets(); systemd == "" && u.o.supervisord == "" {
			u.sayf("The configuration is right. No server runs on %s; `orrery start` starts one.", u.cfg.DataDir)
		}
		return 0, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, client := range u.supervisors {
		mine := 0
		err := client.Do(ctx, supervisor.Order{Verb: supervisor.VerbUpdate, DryRun: true}, func(p supervisor.Progress) {
			if p.Change == nil {
				return
			}
			if p.Change.Kind != supervisor.ChangeNone {
				mine++
				u.report.Processes = append(u.report.Processes, *p.Change)
			}
			if !u.json {
				u.progress(p)
			}
		})
		if err != nil {
			return orders, err
		}
		orders += mine
		if u.o.dryRun || mine == 0 {
			continue
		}
		err = client.Do(ctx, supervisor.Order{Verb: supervisor.VerbUpdate}, func(p supervisor.Progress) {
			if !u.json {
				u.progress(p)
			}
		})
		if ctx.Err() != nil {
			return orders, errors.New("not waited for: the update goes on in the server")
		}
		if err != nil {
			return orders, err
		}
	}
	return orders, nil
}

// systemdControl tells the systemd that reads a folder of what changed in it.
// A nil run is for folders that no running systemd reads.
type systemdControl struct {
	run func(args ...string) error
}

// systemdFor is for the systemd that reads the files, if it runs.
func systemdFor(changes []fileChange) systemdControl {
	var dir string
	for _, c := range changes {
		if c.unit {
			dir = filepath.Dir(c.Path)
		}
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil || dir == "" || dir != unitFolder() {
		return systemdControl{}
	}
	return systemdControl{run: func(args ...string) error {
		words := strings.Fields(os.Getenv("GRAVITY_SYSTEMCTL_EXTRA_ARGS"))
		if dir == userUnitFolder() {
			words = append(words, "--user")
		}
		command := exec.Command("systemctl", append(words, args...)...) //nolint:gosec // the words are those of whoever runs this
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("systemctl %s: %w", strings.Join(args, " "), err)
		}
		return nil
	}}
}

// before stops what will have no unit any more, while it still has one.
func (s systemdControl) before(changes []fileChange) error {
	if s.run == nil {
		return nil
	}
	for _, c := range changes {
		name := filepath.Base(c.Path)
		if fewer := unwanted(c.before, c.content); strings.HasSuffix(name, ".target") && len(fewer) > 0 {
			if err := s.run(append([]string{"stop"}, fewer...)...); err != nil {
				return err
			}
		}
		if c.Change != "remove" || !c.unit {
			continue
		}
		if strings.Contains(name, "@.") {
			// All that run of it; a pattern that nothing matches is no error.
			if err := s.run("stop", strings.Replace(name, "@.", "@*.", 1)); err != nil {
				return err
			}
			continue
		}
		if err := s.run("disable", "--now", name); err != nil {
			return err
		}
	}
	return nil
}

// unwanted are the units that a target wanted and does not want any more, such
// as handlers beyond a smaller number.
func unwanted(before, after string) (out []string) {
	wants := func(target string) []string {
		for line := range strings.Lines(target) {
			if names, found := strings.CutPrefix(line, "Wants="); found {
				return strings.Fields(names)
			}
		}
		return nil
	}
	now := wants(after)
	for _, name := range wants(before) {
		if !slices.Contains(now, name) {
			out = append(out, name)
		}
	}
	return out
}

// after has systemd read the units, and start and restart what changed. Where
// no systemd runs, hints say what is left to do.
func (s systemdControl) after(changes []fileChange, site *units.Site) (hints []string, err error) {
	var restart, sockets []string
	any, written := false, false
	for _, c := range changes {
		if !c.unit {
			continue
		}
		any, written = true, written || c.Change == "write"
		name := filepath.Base(c.Path)
		switch {
		case c.Change != "write":
		case strings.HasSuffix(name, ".socket"):
			sockets = append(sockets, name)
		case strings.HasSuffix(name, ".service"):
			restart = append(restart, strings.Replace(name, "@.", "@*.", 1))
		}
	}
	switch {
	case !any:
		return nil, nil
	case s.run == nil && !written:
		return []string{"`systemctl daemon-reload` makes systemd forget the units."}, nil
	case s.run == nil:
		return []string{"`systemctl daemon-reload && systemctl enable --now " + site.Target() + "` makes systemd take the units and starts the server."}, nil
	}
	if err := s.run("daemon-reload"); err != nil || !written {
		return nil, err
	}
	if err := s.run("enable", site.Target()); err != nil {
		return nil, err
	}
	if s.run("is-active", "--quiet", site.Target()) != nil {
		return []string{"`systemctl start " + site.Target() + "` starts the server."}, nil
	}
	if len(restart) > 0 {
		if err := s.run(append([]string{"try-restart"}, restart...)...); err != nil {
			return nil, err
		}
	}
	if len(sockets) > 0 {
		hints = append(hints, "The addresses changed. `systemctl restart "+site.Target()+"` takes the new ones; until then the old ones are served.")
	}
	return hints, s.run("start", site.Target())
}
