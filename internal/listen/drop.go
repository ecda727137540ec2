package listen

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// DropPrivileges makes this process, which root started, one of the user and group, in all its threads, and verifies that
// there is no way back: real, effective and saved ids, supplementary groups and capabilities. Both are names or numbers.
// Without a group it is the user's primary one; without a user only the group changes, and root stays root. The process
// keeps the user's supplementary groups. The certificates of sockets that were opened before stay at hand, also for its
// children, when root alone can read their keys. If it fails half-way, the process must end.
//
// A process that is that user already has nothing to drop.
func DropPrivileges(userName, group string) error {
	if userName == "" && group == "" {
		return nil
	}
	uid, gid, groups, err := target(userName, group)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		if uid >= 0 && uid != os.Geteuid() || gid != os.Getegid() {
			return fmt.Errorf("only root can become another user (%s) or group; start as root, or as that user", strings.TrimRight(userName+":"+group, ":"))
		}
		return nil
	}
	if uid > 0 {
		if err := handKeptOn(); err != nil {
			return err
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("leaving root's groups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("becoming the group %d: %w", gid, err)
	}
	if uid <= 0 {
		return nil
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("becoming the user %d: %w", uid, err)
	}
	return noWayBack(uid, gid, groups)
}

// target looks up whom to become; uid is -1 when only the group changes.
func target(userName, group string) (uid, gid int, groups []int, err error) {
	uid, gid = -1, -1
	if userName != "" {
		u, err := LookupUser(userName)
		if err != nil {
			return 0, 0, nil, err
		}
		uid, gid = u.UID, u.GID
		if groups, err = groupsOf(u); err != nil {
			return 0, 0, nil, err
		}
	}
	if group != "" {
		if gid, err = LookupGroup(group); err != nil {
			return 0, 0, nil, err
		}
	}
	if gid < 0 {
		return 0, 0, nil, fmt.Errorf("the user %s has no entry on this host, thus no group; name the group too", userName)
	}
	if !slices.Contains(groups, gid) {
		groups = append(groups, gid)
	}
	if uid > 0 {
		// Root's own group gives away what is root's; only who asks for it gets it.
		groups = slices.DeleteFunc(groups, func(g int) bool { return g == 0 && gid != 0 })
	}
	return uid, gid, groups, nil
}

// noWayBack tells whether every thread is the user's for good.
func noWayBack(uid, gid int, groups []int) error {
	if syscall.Setuid(0) == nil || syscall.Setresuid(-1, 0, -1) == nil {
		return errors.New("root's privileges were dropped and can be taken back: the process must not go on")
	}
	if gid != 0 && syscall.Setgid(0) == nil {
		return errors.New("root's group was left and can be taken back: the process must not go on")
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("the privileges cannot be verified, for /proc is not there: %w", err)
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a thread that ended
		}
		if err != nil {
			return fmt.Errorf("verifying that the privileges are dropped: %w", err)
		}
		if err := checkStatus(status, uid, gid, groups); err != nil {
			return fmt.Errorf("the privileges are not dropped: %w", err)
		}
	}
	return nil
}

// checkStatus reads what the kernel says about one thread.
func checkStatus(status []byte, uid, gid int, groups []int) error {
	seen := 0
	for line := range bytes.Lines(status) {
		key, value, _ := strings.Cut(string(line), ":")
		words := strings.Fields(value)
		switch key {
		case "Uid", "Gid": // real, effective, saved, of the file system
			want := strconv.Itoa(uid)
			if key == "Gid" {
				want = strconv.Itoa(gid)
			}
			if len(words) != 4 || slices.ContainsFunc(words, func(w string) bool { return w != want }) {
				return fmt.Errorf("%s is %s", key, strings.Join(words, " "))
			}
		case "Groups":
			for _, w := range words {
				if g, ok := number(w); !ok || !slices.Contains(groups, g) {
					return fmt.Errorf("the group %s stays", w)
				}
			}
		case "CapPrm", "CapEff", "CapAmb": // what a thread has, uses and gives to programs that it starts
			if len(words) != 1 || strings.Trim(words[0], "0") != "" {
				return fmt.Errorf("%s is %s", key, strings.Join(words, " "))
			}
		default:
			continue
		}
		seen++
	}
	if seen < 6 {
		return errors.New("the kernel does not say which privileges there are")
	}
	return nil
}
