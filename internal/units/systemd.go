package units

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery/internal/listen"
)

// Systemd writes the services as units: a target for all, a service and its sockets for the web workers, and for the
// handlers template units where they are numbered.
func (s *Site) Systemd() ([]File, error) {
	if s.User == "" && !s.UserMode {
		return nil, errors.New("whom should the units run Galaxy as? Set galaxy_user in the gravity section (or uid in the uwsgi section)")
	}
	var out []File
	var wanted []string
	for _, service := range s.Services {
		var sockets []File
		if len(service.Listeners) > 0 {
			var err error
			if sockets, err = s.sockets(service); err != nil {
				return nil, err
			}
		}
		unit, err := s.service(service, sockets)
		if err != nil {
			return nil, err
		}
		out = append(out, unit)
		out = append(out, sockets...)
		for _, socket := range sockets {
			wanted = append(wanted, socket.Name)
		}
		wanted = append(wanted, s.UnitsOf(service)...)
	}
	target := s.head("#") + section("Unit", [][2]string{{"Description", s.description("Galaxy")}, {"Wants", strings.Join(wanted, " ")}}) +
		section("Install", [][2]string{{"WantedBy", s.wantedBy()}})
	return append([]File{{Name: s.Target(), Content: target}}, out...), nil
}

// Target is the name of the unit that starts and stops all others.
func (s *Site) Target() string { return s.name("") + ".target" }

// UnitsOf are the names of a service's units, as one starts them.
func (s *Site) UnitsOf(service Service) (out []string) {
	base := s.name(service.Name)
	if len(service.Numbers) == 0 && len(service.Names) < 2 {
		return []string{base + ".service"}
	}
	for _, n := range service.Numbers {
		out = append(out, base+"@"+strconv.Itoa(n)+".service")
	}
	for _, name := range service.Names {
		out = append(out, base+"@"+name+".service")
	}
	return out
}

func (s *Site) wantedBy() string {
	if s.UserMode {
		return "default.target"
	}
	return "multi-user.target"
}

func (s *Site) description(what string) string {
	if s.Instance != "" {
		what += " (" + s.Instance + ")"
	}
	return what
}

// startLimit is how long a process manager waits for the first «ready»: a large toolbox takes its time, and a start that
// is given up is only begun again.
const startLimit = 5 * time.Minute

func (s *Site) service(service Service, sockets []File) (File, error) {
	instance := len(service.Numbers) > 0 || len(service.Names) > 1
	name, what := s.name(service.Name)+".service", "Galaxy job handler "+service.Name
	switch {
	case service.Name == "web":
		what = "Galaxy web workers"
		if service.RunsJobs {
			what += ", which run the jobs too"
		}
	case instance:
		name, what = s.name(service.Name)+"@.service", "Galaxy job handler "+service.Prefix+"%i"
	}
	unit := [][2]string{{"Description", s.description(what)}, {"Documentation", "https://docs.galaxyproject.org/en/master/admin/scaling.html"},
		{"PartOf", s.Target()}, {"After", "network-online.target time-sync.target remote-fs.target postgresql.service mariadb.service"},
		{"Wants", "network-online.target"}}
	if s.UserMode {
		unit = unit[:3]
	}
	// A program that crashes again and again is let be in the end, and says so in `systemctl status`.
	unit = append(unit, [][2]string{{"StartLimitIntervalSec", "10min"}, {"StartLimitBurst", "10"}}...)
	var words []string
	for _, word := range service.Args {
		words = append(words, systemdWord(word, true))
	}
	rows := [][2]string{{"Type", "notify"}, {"ExecStart", strings.Join(words, " ")}}
	if service.Name == "web" {
		rows = append(rows, [2]string{"ExecReload", "/bin/kill -HUP $MAINPID"})
	}
	rows = append(rows, [2]string{"WorkingDirectory", systemdPath(s.Root)})
	if !s.UserMode {
		rows = append(rows, [2]string{"User", systemdPath(s.User)})
		if s.Group != "" {
			rows = append(rows, [2]string{"Group", systemdPath(s.Group)})
		}
	}
	if service.Umask >= 0 {
		rows = append(rows, [2]string{"UMask", fmt.Sprintf("%04o", service.Umask)})
	}
	for _, name := range slices.Sorted(maps.Keys(service.Environment)) {
		if !variableName(name) {
			return File{}, fmt.Errorf("the environment of %s: %q is no name of a variable", service.Name, name)
		}
		rows = append(rows, [2]string{"Environment", systemdWord(name+"="+service.Environment[name], false)})
	}
	if len(sockets) > 0 {
		var names []string
		for _, socket := range sockets {
			names = append(names, socket.Name)
		}
		rows = append(rows, [2]string{"Sockets", strings.Join(names, " ")})
	}
	rows = append(rows, [][2]string{
		{"TimeoutStartSec", wholeSeconds(max(service.Start, service.Ready, startLimit) + margin)}, {"TimeoutStopSec", wholeSeconds(service.Stop)},
		{"KillSignal", "SIG" + signalName(service.StopSignal)},
		// What the server starts it stops by itself, except for jobs: they outlive it, and the next start takes them up again.
		{"KillMode", "process"},
		{"Restart", "on-failure"}, {"RestartSec", "2"},
		// A mistake in the files is not mended by starting again.
		{"RestartPreventExitStatus", "78"},
		{"LimitNOFILE", "65536"}}...)
	if service.MemoryLimit > 0 {
		rows = append(rows, [2]string{"MemoryMax", gigabytes(service.MemoryLimit)})
	}
	if service.MemoryHigh > 0 {
		rows = append(rows, [2]string{"MemoryHigh", gigabytes(service.MemoryHigh)})
	}
	if service.RunsJobs {
		// A job that takes too much memory ends alone; and jobs may have as many threads as they like.
		rows = append(rows, [][2]string{{"OOMPolicy", "continue"}, {"TasksMax", "infinity"}}...)
	}
	if !s.UserMode {
		rows = append(rows, [2]string{"Slice", s.slice()})
	}
	if s.LogNamespace != "" {
		rows = append(rows, [2]string{"LogNamespace", s.LogNamespace})
	}
	content := s.head("#") + section("Unit", unit) + section("Service", rows)
	content = strings.TrimSuffix(content, "\n") + s.hardening(service) + "\n" + section("Install", [][2]string{{"WantedBy", s.wantedBy()}})
	return File{Name: name, Content: content}, nil
}

// slice is the group of processes whose use of the machine is counted together; “-” in its name would nest it.
func (s *Site) slice() string {
	if s.Instance == "" {
		return "galaxy.slice"
	}
	return "galaxy-" + strings.ReplaceAll(s.Instance, "-", "_") + ".slice"
}

// hardening takes from a service what it does not need. Where jobs are among its children less is taken: tools may do
// what a user of the machine may, except for becoming somebody else and changing the system.
func (s *Site) hardening(service Service) string {
	if s.UserMode {
		// The manager of one user cannot give the others.
		return "NoNewPrivileges=yes\n"
	}
	// For both.
	rows := [][2]string{{"NoNewPrivileges", "yes"}, {"CapabilityBoundingSet", ""}, {"AmbientCapabilities", ""}, {"LockPersonality", "yes"},
		{"ProtectClock", "yes"}, {"ProtectControlGroups", "yes"}, {"ProtectHostname", "yes"}, {"ProtectKernelLogs", "yes"},
		{"ProtectKernelModules", "yes"}, {"ProtectKernelTunables", "yes"}, {"RestrictRealtime", "yes"}, {"RestrictSUIDSGID", "yes"}, {"RemoveIPC", "no"}}
	if service.RunsJobs {
		rows = append(rows, [][2]string{{"ProtectSystem", "full"},
			// Tools look at graphics cards; they get no other devices than everybody.
			{"DevicePolicy", "closed"}, {"DeviceAllow", "char-nvidia rw"}, {"DeviceAllow", "char-drm rw"}, {"DeviceAllow", "char-fuse rw"},
			{"SystemCallFilter", "~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap"}, {"SystemCallErrorNumber", "EPERM"}}...)
		return "\n# Jobs are among the children and have these limits too; /tmp, user namespaces and the network are theirs.\n" + lines(rows)
	}
	rows = append(rows, [][2]string{{"ProtectSystem", "strict"}, {"ProtectHome", "read-only"}, {"PrivateTmp", "yes"}, {"PrivateDevices", "yes"},
		{"PrivateMounts", "yes"}, {"ProtectProc", "invisible"}, {"MemoryDenyWriteExecute", "yes"}, {"RestrictNamespaces", "yes"},
		{"RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"}, {"SystemCallArchitectures", "native"},
		{"SystemCallFilter", "@system-service"}, {"SystemCallFilter", "~@resources"}, {"SystemCallErrorNumber", "EPERM"}}...)
	for _, dir := range s.Writable {
		rows = append(rows, [2]string{"ReadWritePaths", "-" + dir})
	}
	for i, row := range rows {
		if row[0] == "ReadWritePaths" {
			rows[i][1] = systemdWord(row[1], false)
		}
	}
	return "\n# It serves pages and nothing else, and writes into the folders of the configuration only.\n" + lines(rows)
}

// sockets are the units of the web workers' addresses. Modes and owners of UNIX sockets are those of a unit, so that each
// kind needs one of its own.
func (s *Site) sockets(service Service) ([]File, error) {
	type kind struct {
		mode         fs.FileMode
		owner, group string
	}
	var kinds []kind
	streams := map[kind][]string{}
	for _, spec := range service.Listeners {
		address, err := listen.Parse(spec.Bind)
		if err != nil {
			return nil, err
		}
		k := kind{}
		stream := address.Name
		switch address.Network {
		case "fd":
			s.Notices = append(s.Notices, fmt.Sprintf("%s is not in the units: systemd opens the sockets itself", spec.Bind))
			continue
		case "unix":
			if !filepath.IsAbs(stream) {
				stream = filepath.Join(s.Root, stream)
			}
			stream = systemdPath(stream)
			k = kind{spec.Mode, spec.Owner, spec.Group}
			if k.mode == 0 {
				k.mode = 0o777 &^ spec.Umask
			}
			if k.owner == "" {
				k.owner = s.User
			}
			if k.group == "" {
				k.group = s.Group
			}
		default:
			if stream, err = s.numeric(stream); err != nil {
				return nil, err
			}
			// TCP addresses go with whatever UNIX sockets there are.
			if len(kinds) > 0 {
				k = kinds[0]
			}
		}
		if len(kinds) == 1 && kinds[0] == (kind{}) && k != kinds[0] {
			streams[k] = streams[kinds[0]]
			delete(streams, kinds[0])
			kinds[0] = k
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
		streams[k] = append(streams[k], stream)
	}
	var out []File
	for i, k := range kinds {
		name := s.name(service.Name)
		if i > 0 {
			name += "-" + strconv.Itoa(i+1)
		}
		rows := [][2]string{}
		for _, stream := range streams[k] {
			rows = append(rows, [2]string{"ListenStream", stream})
		}
		if k != (kind{}) {
			rows = append(rows, [2]string{"SocketMode", fmt.Sprintf("%04o", k.mode)})
			if !s.UserMode {
				rows = append(rows, [2]string{"SocketUser", systemdPath(k.owner)})
				if k.group != "" {
					rows = append(rows, [2]string{"SocketGroup", systemdPath(k.group)})
				}
			}
		}
		rows = append(rows, [][2]string{{"Service", s.name(service.Name) + ".service"}, {"Backlog", "4096"}, {"NoDelay", "yes"}, {"BindIPv6Only", "both"}}...)
		out = append(out, File{Name: name + ".socket", Content: s.head("#") +
			section("Unit", [][2]string{{"Description", s.description("Galaxy’s addresses")}, {"PartOf", s.Target()}}) +
			section("Socket", rows) + section("Install", [][2]string{{"WantedBy", "sockets.target"}})})
	}
	return out, nil
}

// numeric writes an address as systemd takes it: with a number for the host, or the port alone for all interfaces.
func (s *Site) numeric(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("the address %s has port 0, any that is free; units need one that is known", address)
	}
	if host == "" {
		return port, nil
	}
	if net.ParseIP(host) != nil || strings.Contains(host, "%") {
		return net.JoinHostPort(host, port), nil
	}
	addresses, err := s.lookup(host)
	if err != nil {
		return "", fmt.Errorf("systemd listens at numbers only, and the address of %s is not found: %w", host, err)
	}
	for _, a := range addresses {
		if ip := net.ParseIP(a); ip != nil && ip.To4() != nil {
			return net.JoinHostPort(a, port), nil
		}
	}
	if len(addresses) == 0 {
		return "", fmt.Errorf("systemd listens at numbers only, and %s has no address", host)
	}
	return net.JoinHostPort(addresses[0], port), nil
}

func gigabytes(n float64) string {
	// Whole megabytes, since systemd takes no fractions here.
	return strconv.FormatInt(int64(n*1024), 10) + "M"
}

func section(name string, rows [][2]string) string { return "[" + name + "]\n" + lines(rows) + "\n" }

func lines(rows [][2]string) string {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(row[0] + "=" + row[1] + "\n")
	}
	return b.String()
}
