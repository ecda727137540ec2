package units

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery/internal/config"
	"orrery/internal/deployment"
	"orrery/internal/listen"
)

// Options are what the configuration does not say.
type Options struct {
	// Program is this program's absolute path.
	Program string
	// User is whom the services run as when the configuration names nobody; "" leaves that to whoever starts them.
	User string
	// UserMode is for a systemd of one user (systemctl --user), which can give nobody else's rights.
	UserMode bool
	// Several tells that the file holds several instances, of which the configuration is one; the processes are told which.
	Several bool
	// Lookup finds the IP address of a name, since systemd listens at numbers only; nil is [net.LookupHost].
	Lookup func(host string) (addresses []string, err error)
}

// Site is all that unit files are made of.
type Site struct {
	Config   string // absolute path of galaxy.yml or galaxy.ini
	Owner    string // what the files are marked with: the path, and the instance where there are several
	Root     string // the directory that everything is started in
	Instance string // "" when the configuration gives none
	// User and Group are whom the services run as; "" is whoever starts them.
	User, Group string
	UserMode    bool
	// LogDir gets what a process writes besides its log: panics, for example.
	LogDir string
	// LogNamespace is the journal's, for systemd.
	LogNamespace string
	// Writable are the folders that the server writes into.
	Writable []string
	Services []Service
	// Notices are what an administrator should know about the files.
	Notices []string

	lookup func(string) ([]string, error)
}

// Service is one row of processes that differ in nothing but a number or a name.
type Service struct {
	// Name is what the service is called: web, handler, or a handler's own name.
	Name string
	Kind deployment.Kind
	// Prefix and Numbers are of handlers that are numbered: the processes are Prefix0, Prefix1 and so on.
	Prefix  string
	Numbers []int
	// Names are of handlers that have nothing but their settings in common.
	Names []string
	// Args are the command line, the program first. The rune [number] in it stands for the process's number or name.
	Args []string
	// Environment is what the processes have besides what they get from whoever starts them.
	Environment map[string]string
	Umask       int // -1 when unset
	// Start is how long a start takes at least to count, Ready how long it may take, Stop how long a stop may take
	// before everything that is left is killed.
	Start, Ready, Stop time.Duration
	StopSignal         syscall.Signal
	// MemoryLimit and MemoryHigh are in GB for all processes of the service together; 0 is none.
	MemoryLimit, MemoryHigh float64
	// RunsJobs tells whether jobs are among the service's children.
	RunsJobs bool
	// Listeners are the addresses of the web workers.
	Listeners []listen.Spec
	// AsRoot tells that the service binds ports below 1024 by itself, for which it is started as root.
	AsRoot bool
}

// number stands for a process's number in Args, until the files say it in their own way. No file name holds it.
const number = "\x00"

// margin is what a process manager waits longer than our own supervisor does before it kills.
const margin = 5 * time.Second

// Derive makes services of what the configuration asks for.
//
// As the documents have it: “web” for all web workers together, under 19.01 with the mules in their farms; handlers that
// are numbered are one service (handler, for handler_0, handler_1 and so on, or for handler1, handler2 of job_conf).
func Derive(c *config.Config, plan *deployment.Plan, o Options) (*Site, error) {
	if c.Path == "" {
		return nil, errors.New("there is no configuration file; units need one to point to, so write a config/galaxy.yml first")
	}
	for _, path := range []string{c.Path, c.Root, o.Program} {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("%q is no absolute path", path)
		}
		if strings.ContainsAny(path, "\n\r\x00") {
			return nil, fmt.Errorf("the path %q holds a character that no unit file can", path)
		}
	}
	s := &Site{Config: c.Path, Owner: c.Path, Root: c.Root, User: plan.User, Group: plan.Group, UserMode: o.UserMode, LogDir: c.LogDir, lookup: o.Lookup}
	if s.User == "" {
		s.User = o.User
	}
	if s.lookup == nil {
		s.lookup = net.LookupHost
	}
	if name := c.Gravity.InstanceName; name != "_default_" && name != "" {
		if !config.ValidServerName(name) {
			return nil, fmt.Errorf("the instance_name %q cannot be part of a unit's name: use letters, digits, “.”, “_” and “-”", name)
		}
		s.Instance = name
	}
	if o.Several {
		s.Owner += ", instance " + c.Gravity.InstanceName
	}
	s.LogNamespace = c.Gravity.LogNamespace
	s.Writable = writable(c, plan)
	g := c.Gravity
	for _, text := range append([]string{s.User, s.Group, s.LogDir, s.LogNamespace}, s.Writable...) {
		// A line of its own would be another setting.
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return nil, fmt.Errorf("%q holds a character that no unit file can", text)
		}
	}
	instances := g.ServiceCommandStyle == "" || g.ServiceCommandStyle != "direct" && g.UseServiceInstances // galaxy.ini has no gravity
	d := deriver{c: c, plan: plan, program: o.Program, several: o.Several, direct: c.Gravity.ServiceCommandStyle == "direct", instances: instances}
	d.web(s)
	d.handlers(s)
	if len(s.Services) == 0 {
		return nil, errors.New("the configuration asks for no process at all")
	}
	return s, nil
}

type deriver struct {
	c         *config.Config
	plan      *deployment.Plan
	program   string
	several   bool
	direct    bool // gravity's service_command_style
	instances bool // gravity's use_service_instances
}

// web makes the service of all web workers, and of the mules beside them.
func (d deriver) web(s *Site) {
	command, scope := []string{d.program, "web", "-c", d.c.Path}, deployment.ScopeWeb
	if d.c.Edition == config.Edition1901 && d.c.Uwsgi.Present {
		scope = deployment.ScopeUwsgi
		format := "--yaml"
		if filepath.Ext(d.c.Path) == ".ini" {
			format = "--ini"
		}
		command = []string{d.program, "uwsgi", format, d.c.Path}
		if all, own := len(d.plan.Only(deployment.ScopeWeb).Processes), webs(d.plan.Only(deployment.ScopeUwsgi)); all > own {
			s.Notices = append(s.Notices, "the sections [server:NAME] that have a port get no unit, since uwsgi serves; `orrery run` starts both")
		}
	}
	processes := d.plan.Only(scope).Processes
	if webs(&deployment.Plan{Processes: processes}) == 0 {
		return
	}
	w := Service{Name: "web", Kind: deployment.Web, Args: command, Umask: -1, StopSignal: stopSignal(d.plan.Signals), Environment: d.variables(nil)}
	limited, held := true, true
	for _, p := range processes {
		w.Start, w.Ready, w.Stop = max(w.Start, p.StartTimeout), max(w.Ready, p.ReadyTimeout), max(w.Stop, d.mercy(p))
		w.RunsJobs = w.RunsJobs || p.HandleJobs
		w.MemoryLimit, w.MemoryHigh = w.MemoryLimit+p.MemoryLimit, w.MemoryHigh+p.MemoryHigh
		limited, held = limited && p.MemoryLimit > 0, held && p.MemoryHigh > 0
		if w.Umask < 0 {
			w.Umask = p.Umask
		}
		for _, l := range p.Listeners {
			if !slices.ContainsFunc(w.Listeners, func(have listen.Spec) bool { return have.Bind == l.Bind }) {
				w.Listeners = append(w.Listeners, l)
			}
		}
	}
	if !limited {
		w.MemoryLimit = 0
	}
	if !held {
		w.MemoryHigh = 0
	}
	// New workers start beside the old ones: without room for both, a reload would be the end of them. Each worker has
	// its own limit, which the server itself sees to.
	w.MemoryLimit *= 2
	w.Stop += margin
	w.AsRoot = slices.ContainsFunc(w.Listeners, func(l listen.Spec) bool { return privileged(l.Bind) })
	if d.direct && scope == deployment.ScopeWeb {
		if len(d.c.Gravity.Gunicorn) == 1 {
			w.Args = append(w.Args, gunicornFlags(d.c.Gravity.Gunicorn[0])...)
			maps.Copy(w.Environment, d.c.Gravity.Gunicorn[0].Environment)
		} else {
			s.Notices = append(s.Notices, "service_command_style: direct has no effect on a list of gunicorns: its command line could not say what belongs to which")
		}
	}
	s.Services = append(s.Services, w)
}

// gunicornFlags say on the command line what the section says.
func gunicornFlags(g config.Gunicorn) []string {
	var out []string
	for _, bind := range g.Binds {
		out = append(out, "--bind="+bind)
	}
	out = append(out, "--workers="+strconv.Itoa(g.Workers), "--timeout="+strconv.Itoa(g.Timeout))
	if ips := g.Limits.ForwardedAllowIPs; len(ips) > 0 {
		out = append(out, "--forwarded-allow-ips="+strings.Join(ips, ","))
	}
	return out
}

// handlers makes services of the job handlers, those that are mules left out.
func (d deriver) handlers(s *Site) {
	mules := map[string]bool{}
	if d.c.Edition == config.Edition1901 && d.c.Uwsgi.Present {
		for _, p := range d.plan.Only(deployment.ScopeUwsgi).Processes {
			mules[p.ServerName] = true
		}
	}
	var rows []Service
	like := map[string]int{} // what handlers have in common, to their place in rows
	for _, p := range d.plan.Processes {
		if p.Kind != deployment.Handler || mules[p.ServerName] {
			continue
		}
		one := d.handler(p)
		prefix, n, numbered := splitNumber(p.ServerName)
		key := prefix + "\x00" + one.settings()
		if !numbered {
			key = "\x00" + one.settings()
		}
		if i, found := like[key]; found && d.instances {
			if numbered {
				rows[i].Numbers = append(rows[i].Numbers, n)
			} else {
				rows[i].Names = append(rows[i].Names, p.ServerName)
			}
			continue
		}
		one.Names = []string{p.ServerName}
		if numbered && d.instances {
			one.Prefix, one.Numbers, one.Names = prefix, []int{n}, nil
		}
		like[key] = len(rows)
		rows = append(rows, one)
	}
	taken := map[string]bool{"web": true}
	for _, row := range rows {
		slices.Sort(row.Numbers)
		name := strings.TrimRight(row.Prefix, "_-.")
		switch {
		case len(row.Names) == 1:
			name = row.Names[0]
		case len(row.Names) > 1:
			name = "handler"
		}
		// A number standing alone, or a name that another row has already.
		if name == "" {
			name = "handler"
		}
		for try := name; taken[name]; try = "job-" + try {
			name = try
		}
		taken[name] = true
		row.Name = name
		row.Args = d.handlerArgs(row)
		s.Services = append(s.Services, row)
	}
}

// handler is the service that one process would be.
func (d deriver) handler(p deployment.Planned) Service {
	one := Service{Kind: deployment.Handler, Environment: d.variables(p.Environment), Umask: p.Umask, Start: p.StartTimeout, Ready: p.ReadyTimeout,
		Stop: d.mercy(p) + margin, StopSignal: syscall.SIGTERM, MemoryLimit: p.MemoryLimit, MemoryHigh: p.MemoryHigh, RunsJobs: true}
	if d.direct {
		for _, pool := range p.Pools {
			one.Args = append(one.Args, "--attach-to-pool="+pool)
		}
	}
	return one
}

// settings are what handlers have to have in common to be one service.
func (s Service) settings() string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		env = append(env, name+"="+s.Environment[name])
	}
	return fmt.Sprintf("%q %d %v %v %v %g %g %q", env, s.Umask, s.Start, s.Ready, s.Stop, s.MemoryLimit, s.MemoryHigh, s.Args)
}

func (d deriver) handlerArgs(row Service) []string {
	name := row.Prefix + number
	switch {
	case len(row.Names) == 1:
		name = row.Names[0]
	case len(row.Names) > 1:
		name = number
	}
	args := []string{d.program, "handler", "-c", d.c.Path, "--server-name=" + name,
		"--pid-file=" + filepath.Join(d.c.DataDir, "run", name+".pid"), "--log-file=" + filepath.Join(d.c.LogDir, name+".log")}
	return append(args, row.Args...)
}

// mercy is the time from SIGTERM to SIGKILL that the documents ask for: at least the process's own stop timeout and, for
// who runs jobs, monitor_thread_join_timeout for each plugin.
func (d deriver) mercy(p deployment.Planned) time.Duration {
	if !p.HandleJobs {
		return p.StopTimeout
	}
	plugins := len(p.Plugins)
	if plugins == 0 {
		plugins = len(d.c.Jobs.Runners)
	}
	return max(p.StopTimeout, d.c.MonitorThreadJoinTimeout*time.Duration(max(1, plugins)))
}

// variables adds what makes the virtualenv that gravity names the one that jobs find, as the documents do, and says which
// instance is meant.
func (d deriver) variables(environment map[string]string) map[string]string {
	out := map[string]string{}
	if venv := d.c.Gravity.Virtualenv; venv != "" {
		out["VIRTUAL_ENV"] = venv
		out["PATH"] = filepath.Join(venv, "bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if d.several {
		out["GRAVITY_INSTANCE_NAME"] = d.c.Gravity.InstanceName
	}
	maps.Copy(out, environment)
	return out
}

// stopSignal is the signal that stops a supervisor gracefully: SIGTERM, unless that is uWSGI's for a reload.
func stopSignal(signals map[syscall.Signal]deployment.Action) syscall.Signal {
	for _, wanted := range []deployment.Action{deployment.StopGracefully, deployment.StopAtOnce} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			if signals[sig] == wanted {
				return sig
			}
		}
	}
	return syscall.SIGTERM
}

// splitNumber parts handler12 or handler_12 into what is before the number and the number.
func splitNumber(name string) (prefix string, n int, numbered bool) {
	prefix = strings.TrimRight(name, "0123456789")
	digits := name[len(prefix):]
	n, err := strconv.Atoi(digits)
	return prefix, n, err == nil && strconv.Itoa(n) == digits && len(digits) < 6
}

// webs counts the web workers.
func webs(p *deployment.Plan) (n int) {
	for _, one := range p.Processes {
		if one.Kind == deployment.Web {
			n++
		}
	}
	return n
}

// privileged tells whether only root can listen there.
func privileged(bind string) bool {
	address, err := listen.Parse(bind)
	if err != nil || address.Network != "tcp" {
		return false
	}
	_, port, err := net.SplitHostPort(address.Name)
	n, atoi := strconv.Atoi(port)
	return err == nil && atoi == nil && n > 0 && n < 1024
}

// writable are the folders that the configuration has the server write into, without those inside others.
func writable(c *config.Config, plan *deployment.Plan) []string {
	dirs := []string{c.DataDir, c.LogDir, c.FilePath, c.NewFilePath, c.JobWorkingDirectory, c.ManagedConfigDir, c.TusUploadStore}
	if c.Database.Path != "" {
		dirs = append(dirs, filepath.Dir(c.Database.Path))
	}
	for _, file := range []string{c.Uwsgi.LogTo, c.Uwsgi.LogTo2, c.Uwsgi.PIDFile, c.Uwsgi.PIDFile2} {
		if filepath.IsAbs(file) {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	for _, spec := range plan.Own {
		if address, err := listen.Parse(spec.Bind); err == nil && address.Network == "unix" {
			dirs = append(dirs, filepath.Dir(address.Name))
		}
	}
	var out []string
	slices.Sort(dirs)
	for _, dir := range dirs {
		// After a folder come those inside it, and it is the last one that was kept.
		if filepath.IsAbs(dir) && dir != "/" && !slices.ContainsFunc(out, func(outer string) bool { return dir == outer || strings.HasPrefix(dir, outer+"/") }) {
			out = append(out, dir)
		}
	}
	return out
}
