package deployment

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"orrery/internal/config"
	"orrery/internal/listen"
)

// listenSpecs makes of what the files ask for what the sockets are opened by.
func listenSpecs(listeners []config.Listener) []listen.Spec {
	var out []listen.Spec
	for _, l := range listeners {
		spec := listen.Spec{Bind: l.Bind, Protocol: listen.Protocol(l.Protocol), CertFile: l.CertFile, KeyFile: l.KeyFile, HTTPSPort: l.HTTPSPort, Backlog: l.Backlog, At: l.At}
		if a, err := listen.Parse(l.Bind); err == nil && a.Network == "unix" {
			spec.Mode, spec.Owner, spec.Group = l.Mode, l.Owner, l.Group
			switch {
			case l.Mode != 0:
			case l.Umask < 0:
				spec.Umask = processUmask()
			default:
				spec.Umask = fs.FileMode(l.Umask)
			}
		}
		out = append(out, spec)
	}
	return out
}

// processUmask is the umask that this process was started with. It is read and not set, since other threads make files.
func processUmask() fs.FileMode {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0o022
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 8, 32); err == nil {
				return fs.FileMode(n) & fs.ModePerm
			}
		}
	}
	return 0o022
}

// own are the sockets of the supervisor itself.
func own(c *config.Config) []listen.Spec {
	out := listenSpecs(c.Uwsgi.Stats)
	if c.AdminListen != "" {
		return append(out, listen.Spec{Bind: c.AdminListen, Protocol: listen.Admin, Mode: 0o600})
	}
	spec := listen.Spec{Bind: "unix:" + filepath.Join(c.DataDir, "run", "admin.sock"), Protocol: listen.Admin, Mode: 0o600}
	if _, err := listen.Parse(spec.Bind); err == nil { // a path may be too long for a socket
		out = append(out, spec)
	}
	return out
}

// servesAs says whom a server that is started as root serves as. Gunicorn's own user and group count where gravity says
// none; there is one user for all.
func servesAs(c *config.Config) (user, group string, warnings []string) {
	if c.Edition == config.Edition1901 {
		return c.Uwsgi.User, c.Uwsgi.Group, nil
	}
	user, group = c.Gravity.GalaxyUser, c.Gravity.GalaxyGroup
	for _, g := range c.Gravity.Gunicorn {
		user, group = cmp.Or(user, g.User), cmp.Or(group, g.Group)
	}
	for _, g := range c.Gravity.Gunicorn {
		if g.User != "" && g.User != user || g.Group != "" && g.Group != group {
			warnings = append(warnings, fmt.Sprintf("gunicorn's --user %s --group %s are not those of the whole server (%s:%s), which holds for all its processes",
				cmp.Or(g.User, "-"), cmp.Or(g.Group, "-"), user, group))
			break
		}
	}
	return user, group, warnings
}

// zergPools are the pools of the uwsgi section.
func zergPools(c *config.Config) (out []ZergPool) {
	for _, pool := range c.Uwsgi.ZergPools {
		socket := listen.ZergSpec(pool.Path)
		socket.At = pool.At
		out = append(out, ZergPool{Socket: socket, Listeners: listenSpecs(pool.Addresses)})
	}
	return out
}

// ownSockets gives UNIX sockets for which no owner is named to whom the server serves as, as they are when that user
// opens them. It is for a server that root starts; everybody else's are their own.
func (p *Plan) ownSockets() {
	if os.Geteuid() != 0 || p.User == "" && p.Group == "" {
		return
	}
	group := p.Group
	if group == "" {
		// The user's own; one that does not exist is told of when root is dropped.
		if u, err := listen.LookupUser(p.User); err == nil && u.GID >= 0 {
			group = strconv.Itoa(u.GID)
		}
	}
	give := func(specs []listen.Spec) {
		for i := range specs {
			if a, err := listen.Parse(specs[i].Bind); err == nil && a.Network == "unix" {
				specs[i].Owner, specs[i].Group = cmp.Or(specs[i].Owner, p.User), cmp.Or(specs[i].Group, group)
			}
		}
	}
	for _, process := range p.Processes {
		give(process.Listeners)
	}
	give(p.Own)
	for i := range p.ZergPools {
		give(p.ZergPools[i].Listeners)
		one := []listen.Spec{p.ZergPools[i].Socket}
		give(one)
		p.ZergPools[i].Socket = one[0]
	}
}

// checkListeners refuses addresses that are none, and one address for two things.
func (p *Plan) checkListeners() (found mistakes) {
	said := map[string]bool{}
	first := map[string]listen.Spec{}
	check := func(specs []listen.Spec) {
		for _, spec := range specs {
			a, err := listen.Parse(spec.Bind)
			message := ""
			if err != nil {
				message = err.Error()
			} else if other, again := first[a.String()]; !again {
				first[a.String()] = spec
			} else if other.Protocol != spec.Protocol || other.CertFile != spec.CertFile {
				message = fmt.Sprintf("%s is to speak %s and %s; give one of them another address", spec.Bind, other.Protocol, spec.Protocol)
			}
			if message != "" && !said[message] {
				said[message] = true
				found = append(found, mistake{config.ParsePlace(spec.At), message})
			}
		}
	}
	for _, process := range p.Processes {
		check(process.Listeners)
	}
	check(p.Own)
	for _, pool := range p.ZergPools {
		check([]listen.Spec{pool.Socket})
		check(pool.Listeners)
	}
	return found
}
