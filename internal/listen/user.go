package listen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
)

// User is a user of this host.
type User struct {
	Name string // "" for a number that no user has
	UID  int
	GID  int // of the primary group; -1 for a number that no user has
	Home string
}

// LookupUser finds a user by name or number. It asks the system's databases (LDAP and SSSD included) by getent, which the
// standard library cannot do without cgo. A number that no user has is a user without a name and a group.
func LookupUser(name string) (User, error) {
	fields, found, err := getent("passwd", name, 7)
	if err != nil {
		return User{}, err
	}
	if !found {
		if id, ok := number(name); ok {
			return User{UID: id, GID: -1}, nil
		}
		return User{}, fmt.Errorf("this host has no user %q", name)
	}
	uid, ok1 := number(fields[2])
	gid, ok2 := number(fields[3])
	if !ok1 || !ok2 {
		return User{}, fmt.Errorf("getent says %q about the user %q", strings.Join(fields, ":"), name)
	}
	return User{Name: fields[0], UID: uid, GID: gid, Home: fields[5]}, nil
}

// LookupGroup finds a group's number by name or number.
func LookupGroup(name string) (int, error) {
	fields, found, err := getent("group", name, 4)
	if err != nil {
		return 0, err
	}
	if !found {
		if id, ok := number(name); ok {
			return id, nil
		}
		return 0, fmt.Errorf("this host has no group %q", name)
	}
	gid, ok := number(fields[2])
	if !ok {
		return 0, fmt.Errorf("getent says %q about the group %q", strings.Join(fields, ":"), name)
	}
	return gid, nil
}

// groupsOf are the numbers of all groups that a user is in.
func groupsOf(u User) ([]int, error) {
	if u.Name == "" {
		return nil, nil
	}
	out, err := askSystem("id", "-G", "--", u.Name)
	if errors.Is(err, exec.ErrNotFound) {
		known, err := user.Lookup(u.Name)
		if err != nil {
			return nil, err
		}
		ids, err := known.GroupIds()
		if err != nil {
			return nil, err
		}
		out = strings.Join(ids, " ")
	} else if err != nil {
		return nil, fmt.Errorf("finding the groups of %s: %w", u.Name, err)
	}
	var groups []int
	for _, word := range strings.Fields(out) {
		gid, ok := number(word)
		if !ok {
			return nil, fmt.Errorf("finding the groups of %s: %q is no number", u.Name, word)
		}
		groups = append(groups, gid)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// number reads a user's or group's number. The largest is no user but the sign for “leave it”.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n < 1<<32-1
}

// getent looks a name or number up in one of the system's databases; where there is no getent, in the files of /etc.
func getent(database, name string, fields int) (entry []string, found bool, err error) {
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ":\x00\n") {
		return nil, false, fmt.Errorf("%q is no name of a user or group", name)
	}
	out, err := askSystem("getent", database, name)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		data, err := os.ReadFile("/etc/" + database)
		if err != nil {
			return nil, false, err
		}
		out = ""
		for line := range strings.Lines(string(data)) {
			if f := strings.Split(line, ":"); len(f) > 2 && (f[0] == name || f[2] == name) {
				out = line
				break
			}
		}
	case errors.As(err, &exit) && exit.ExitCode() == 2:
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("looking up %q: %w", name, err)
	}
	if out == "" {
		return nil, false, nil
	}
	entry = strings.Split(strings.TrimRight(out, "\n"), ":")
	if len(entry) < fields {
		return nil, false, fmt.Errorf("looking up %q: the system answers %q", name, out)
	}
	return entry, true, nil
}

// askWait bounds a question to the system's databases, behind which may be a server that does not answer.
const askWait = 30 * time.Second

// askSystem runs one of the system's programs. It may run as root: only the system's own folders are looked in.
func askSystem(program string, args ...string) (string, error) {
	for _, dir := range []string{"/usr/bin", "/bin", "/run/current-system/sw/bin"} {
		path := dir + "/" + program
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), askWait)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // a program of the system's folders; no shell reads its arguments
		cmd.Env, cmd.Dir = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, "/"
		out, err := cmd.Output()
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s does not answer", program)
		}
		return string(out), err
	}
	return "", exec.ErrNotFound
}
