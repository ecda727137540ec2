package listen

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestLookups(t *testing.T) {
	root, err := LookupUser("root")
	if err != nil || root.UID != 0 || root.GID != 0 || root.Home == "" {
		t.Errorf("root: %+v, %v", root, err)
	}
	if byNumber, err := LookupUser("0"); err != nil || byNumber != root {
		t.Errorf("0: %+v, %v", byNumber, err)
	}
	if u, err := LookupUser("4000000000"); err != nil || u != (User{UID: 4000000000, GID: -1}) {
		t.Errorf("a number that no user has: %+v, %v", u, err)
	}
	if g, err := LookupGroup("root"); err != nil || g != 0 {
		t.Errorf("root's group: %d, %v", g, err)
	}
	if g, err := LookupGroup("4000000000"); err != nil || g != 4000000000 {
		t.Errorf("a number that no group has: %d, %v", g, err)
	}
	for _, name := range []string{"", "no-such-name", "-s", "root:x", "root\nx", "4294967295", "99999999999"} {
		if u, err := LookupUser(name); err == nil {
			t.Errorf("LookupUser(%q) = %+v", name, u)
		}
		if g, err := LookupGroup(name); err == nil {
			t.Errorf("LookupGroup(%q) = %d", name, g)
		}
	}
	if groups, err := groupsOf(root); err != nil || len(groups) == 0 {
		t.Errorf("root's groups: %v, %v", groups, err)
	}
}

// dropped is the child process that drops its privileges and says what it is then.
func dropped() {
	// Threads that were there before must change too.
	stop := make(chan struct{})
	for range 4 {
		go func() {
			runtime.LockOSThread()
			<-stop
		}()
	}
	if err := DropPrivileges(os.Getenv("DROP_USER"), os.Getenv("DROP_GROUP")); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	groups, err := os.Getgroups()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	_, readErr := os.ReadFile(os.Getenv("DROP_SECRET"))
	fmt.Println(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), groups, syscall.Setuid(0) != nil, syscall.Setgroups([]int{0}) != nil, os.IsPermission(readErr))
	// A second time there is nothing to drop, and another user is out of reach.
	fmt.Println(DropPrivileges(os.Getenv("DROP_USER"), os.Getenv("DROP_GROUP")), DropPrivileges("root", "") != nil)
	close(stop)
	os.Exit(0)
}

// TestDropPrivileges needs root, for nobody else has any to drop.
func TestDropPrivileges(t *testing.T) {
	if testing.Short() && os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test starts processes as root, to see them become others: run it as root")
	}
	daemon, err := LookupUser("daemon")
	if err != nil {
		t.Fatal(err)
	}
	mail, err := LookupGroup("mail")
	if err != nil {
		t.Fatal(err)
	}
	secret := write(t, t.TempDir()+"/secret", []byte("x"))
	for _, test := range []struct {
		user, group string
		want        string
	}{
		{"daemon", "", fmt.Sprintf("%d %[1]d %d %[2]d [%[2]d] true true true\n<nil> true\n", daemon.UID, daemon.GID)},
		{strconv.Itoa(daemon.UID), "mail", fmt.Sprintf("%d %[1]d %d %[2]d [%d %[2]d] true true true\n<nil> true\n", daemon.UID, mail, daemon.GID)},
		{"4000000000", "4000000001", "4000000000 4000000000 4000000001 4000000001 [4000000001] true true true\n<nil> true\n"},
		{"4000000000", "", "error: the user 4000000000 has no entry on this host, thus no group; name the group too\n"},
		{"no-such-user", "", "error: this host has no user \"no-such-user\"\n"},
		{"daemon", "no-such-group", "error: this host has no group \"no-such-group\"\n"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LISTEN_TEST=drop", "DROP_USER="+test.user, "DROP_GROUP="+test.group, "DROP_SECRET="+secret)
		out, err := cmd.Output()
		if string(out) != test.want || (err != nil) != strings.HasPrefix(test.want, "error") {
			t.Errorf("%s:%s: %q, %v; want %q", test.user, test.group, out, err, test.want)
		}
	}
	if err := DropPrivileges("", ""); err != nil || os.Geteuid() != 0 {
		t.Errorf("nothing asked for: %v", err)
	}
}

func TestCheckStatus(t *testing.T) {
	good := "Name:\tx\nUid:\t5\t5\t5\t5\nGid:\t6\t6\t6\t6\nGroups:\t6 7 \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n"
	if err := checkStatus([]byte(good), 5, 6, []int{6, 7}); err != nil {
		t.Error(err)
	}
	for _, change := range [][2]string{
		{"Uid:\t5\t5\t5", "Uid:\t5\t5\t0"}, {"Gid:\t6\t6\t6\t6", "Gid:\t6\t0\t6\t6"}, {"Groups:\t6 7", "Groups:\t0 6 7"},
		{"CapPrm:\t0000000000000000", "CapPrm:\t0000000000000400"}, {"CapAmb:\t0000000000000000", "CapAmb:\t0000000000000400"}, {"CapEff", "CapXxx"},
	} {
		if err := checkStatus(bytes.Replace([]byte(good), []byte(change[0]), []byte(change[1]), 1), 5, 6, []int{6, 7}); err == nil {
			t.Errorf("%q is taken", change[1])
		}
	}
}
