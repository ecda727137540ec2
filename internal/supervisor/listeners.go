package supervisor

import (
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
		spec := listen.Spec{Bind: l.Bind, Protocol: listen.Protocol(l.Protocol), CertFile: l.CertFile, KeyFile: l.KeyFile, Mode: l.Mode,
			Owner: l.Owner, Group: l.Group, HTTPSPort: l.HTTPSPort, Backlog: l.Backlog, At: l.At}
		if l.Umask >= 0 {
			spec.Umask = fs.FileMode(l.Umask)
		} else {
			spec.Umask = processUmask()
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
	return append(out, listen.Spec{Bind: "unix:" + filepath.Join(c.DataDir, "run", "admin.sock"), Protocol: listen.Admin, Mode: 0o600})
}

// servesAs says whom a server that is started as root serves as.
func servesAs(c *config.Config) (user, group string) {
	if c.Edition == config.Edition1901 {
		return c.Uwsgi.User, c.Uwsgi.Group
	}
	return c.Gravity.GalaxyUser, c.Gravity.GalaxyGroup
}
