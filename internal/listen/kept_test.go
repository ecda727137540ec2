package listen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keptByRoot is a supervisor: it opens a socket as root, becomes another user, takes its own place by exec and starts a
// worker, which says what certificate it serves. What a worker starts in turn gets nothing.
func keptByRoot() {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	spec := Spec{Bind: "127.0.0.1:0", Protocol: HTTPS, CertFile: os.Getenv("KEPT_CERT"), KeyFile: os.Getenv("KEPT_KEY")}
	next := func(step string) {
		fail(os.Setenv("KEPT_STEP", step))
		fail(syscall.Exec(os.Args[0], os.Args, os.Environ()))
	}
	switch os.Getenv("KEPT_STEP") {
	case "":
		_, err := OpenSpec(spec)
		fail(err)
		fail(DropPrivileges("daemon", ""))
		next("supervisor")
	case "supervisor":
		_, err := Inherit()
		fail(err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), "KEPT_STEP=worker"), Environment(nil)...)
		out, err := cmd.CombinedOutput()
		fmt.Print(string(out))
		fail(err)
	case "worker":
		_, err := Inherit()
		fail(err)
		now := time.Now()
		config, err := tlsConfig(spec, func(err error) { fmt.Println("problem:", err) }, func() time.Time { return now })
		fail(err)
		say := func() {
			c, err := config.GetCertificate(nil)
			fail(err)
			fmt.Println(c.Leaf.Subject.CommonName, os.Getenv(envKept) == "")
		}
		say()
		// A renewal that this user cannot read.
		fail(os.Chtimes(spec.CertFile, now.Add(time.Hour), now.Add(time.Hour)))
		now = now.Add(checkEvery)
		say()
		next("job")
	case "job":
		left, err := filepath.Glob("/proc/self/fd/*")
		fail(err)
		for _, path := range left {
			if target, err := os.Readlink(path); err == nil && strings.Contains(target, "memfd") {
				fail(fmt.Errorf("%s is %s", path, target))
			}
		}
		fmt.Println("a job gets nothing")
	}
	os.Exit(0)
}

// TestKeyThatRootAloneReads needs root.
func TestKeyThatRootAloneReads(t *testing.T) {
	if testing.Short() && os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test starts a process as root, to see it become another: run it as root")
	}
	daemon, err := LookupUser("daemon")
	if err != nil {
		t.Fatal(err)
	}
	// A folder that the other user gets into, as it has to for the program of this test.
	dir, err := os.MkdirTemp("", "orrery-listen-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/program", program, 0o755); err != nil {
		t.Fatal(err)
	}
	cert, key := newCertificate(t, "kept")
	write(t, dir+"/crt", cert)
	write(t, dir+"/key", key)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/crt", daemon.UID, -1); err != nil { // who touches it later
		t.Fatal(err)
	}
	cmd := exec.Command(dir + "/program")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LISTEN_TEST=kept", "KEPT_CERT="+dir+"/crt", "KEPT_KEY="+dir+"/key")
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 4 || lines[0] != "kept true" || !strings.HasPrefix(lines[1], "problem: ") || !strings.Contains(lines[1], "/key cannot be read by this user") ||
		lines[2] != "kept true" || lines[3] != "a job gets nothing" {
		t.Errorf("%v\n%s", err, out)
	}
}
