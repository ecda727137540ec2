package security

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// stranger is a user that has nothing to do with the server.
const stranger = 54321

// knockVariable makes this test's program, started as somebody else, ask at a UNIX socket and print the answer's status.
const knockVariable = "SECURITY_TEST_KNOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(knockVariable); path != "" {
		fmt.Println(knock(path))
		return
	}
	os.Exit(m.Run())
}

// knock asks a control socket for its report.
func knock(path string) string {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err.Error()
	}
	if _, err := c.Write([]byte("GET /report HTTP/1.1\r\nHost: supervisor\r\nConnection: close\r\n\r\n")); err != nil {
		return err.Error()
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close()
	return response.Status
}

// knockAs does it as another user.
func knockAs(t *testing.T, uid uint32, path string) string {
	t.Helper()
	// Another name for it, since go test has made it where others may not go.
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "knock-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	knocker := filepath.Join(dir, "knock")
	for _, err := range []error{os.Chmod(dir, 0o755), testenv.BringProgram(program, knocker)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(knocker)
	cmd.Dir, cmd.Env = "/", []string{knockVariable + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("asking as user %d: %v\n%s", uid, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestRootBindsAndIsGivenUp: a server that root starts with uid and gid listens on port 80, and after that nothing of it
// has any right that the user has not, before and after a graceful restart, which keeps the port.
func TestRootBindsAndIsGivenUp(t *testing.T) {
	t.Parallel()
	s := testenv.NewSite(t)
	if os.Getuid() != 0 {
		t.Fatal("only root can bind port 80 and become somebody else: run this test as root, or leave it out by -short")
	}
	address := fmt.Sprintf("127.%d.%d.%d", 64+os.Getpid()>>16&63, os.Getpid()>>8&255, 1+os.Getpid()%250)
	user := s.Credential()
	s.Write("config/galaxy.yml", fmt.Sprintf(`uwsgi:
  shared-socket: %s:80
  http: =0
  socket: /srv/galaxy/var/uwsgi.sock
  chmod-socket: 660
  uid: %d
  gid: %d
  umask: 027
  processes: 2
  mule: lib/galaxy/main.py
  farm: job-handlers:1
`, address, user.Uid, user.Gid)+testenv.GalaxySection)
	s.Own()
	config := filepath.Join(s.Dir, "config/galaxy.yml")
	orrery := filepath.Join(s.Dir, "venv/bin/orrery")
	cmd := s.Command(orrery, "run", "-c", config)
	// Root's own rights, of which nothing must be left.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{0, 4, 27}}}
	s.Start(cmd)
	url := "http://" + address
	get := func() error {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get(url + "/api/version")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET /api/version: %s", response.Status)
		}
		return nil
	}
	s.WaitFor("the server to answer on port 80", get)

	checkProcesses := func() map[int]string {
		t.Helper()
		uids := strings.Repeat(fmt.Sprintf("%d ", user.Uid), 4)
		gids := strings.Repeat(fmt.Sprintf("%d ", user.Gid), 4)
		processes := s.Processes()
		if len(processes) < 4 {
			t.Errorf("there are but the processes %v", processes)
		}
		for pid, line := range processes {
			for field, want := range map[string]string{
				"Uid": strings.TrimSpace(uids), "Gid": strings.TrimSpace(gids),
				"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapAmb": "0000000000000000",
			} {
				if got := s.Status(pid, field); got != want {
					t.Errorf("process %d (%s) has %s: %s, want %s", pid, line, field, got, want)
				}
			}
			// Each thread has credentials of its own.
			threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
			if err != nil {
				t.Fatal(err)
			}
			for _, thread := range threads {
				text, err := os.ReadFile(thread)
				if err == nil && (!strings.Contains(string(text), "\nUid:\t"+strings.ReplaceAll(strings.TrimSpace(uids), " ", "\t")+"\n") || !strings.Contains(string(text), "\nCapPrm:\t0000000000000000\n")) {
					t.Errorf("a thread of process %d (%s) has other rights than the process: %s", pid, line, thread)
				}
			}
			for group := range strings.FieldsSeq(s.Status(pid, "Groups")) {
				if group == "0" || group == "4" || group == "27" {
					t.Errorf("process %d (%s) is still in root's group %s", pid, line, group)
				}
			}
		}
		return processes
	}
	before := checkProcesses()
	checkFiles(t, s, user)
	checkControl(t, s, user)

	// While clients come, everything is replaced; root's port stays.
	broken, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(broken)
		for {
			select {
			case <-done:
				return
			default:
				if err := get(); err != nil {
					broken <- err
					return
				}
			}
		}
	}()
	if out, status := s.Orrery("graceful", "-c", config); status != 0 {
		t.Errorf("orrery graceful ends with %d:\n%s", status, out)
	}
	close(done)
	if err := <-broken; err != nil {
		t.Errorf("a client was let down by the restart: %v", err)
	}
	s.WaitFor("the old processes to end", func() error {
		for pid, line := range s.Processes() {
			if before[pid] != "" && pid != cmd.Process.Pid {
				return fmt.Errorf("process %d (%s) is still there", pid, line)
			}
		}
		return nil
	})
	if _, ok := s.Processes()[cmd.Process.Pid]; !ok {
		t.Error("the supervisor has another process id after the restart")
	}
	if err := get(); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	checkProcesses()
	checkFiles(t, s, user)
	checkControl(t, s, user)
}

// checkFiles looks at everything that the server made: nothing that others may write, and nothing of the run folder that
// they may see.
func checkFiles(t *testing.T, s *testenv.Site, user *syscall.Credential) {
	t.Helper()
	data := filepath.Join(s.Dir, "var/database")
	run := filepath.Join(data, "run")
	sockets := 0
	err := filepath.WalkDir(filepath.Join(s.Dir, "var"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		name := strings.TrimPrefix(path, s.Dir+"/")
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != user.Uid {
			t.Errorf("%s belongs to user %d, want %d", name, owner, user.Uid)
		}
		switch {
		case mode.Type() == fs.ModeSymlink: // whose modes mean nothing
		case path == run:
			if mode.Perm() != 0o700 {
				t.Errorf("the run folder has the mode %v, want 0700", mode)
			}
		case path == filepath.Join(s.Dir, "var/uwsgi.sock"):
			if mode.Type() != fs.ModeSocket || mode.Perm() != 0o660 {
				t.Errorf("%s has the mode %v, want a socket of 0660", name, mode)
			}
		case mode.Type() == fs.ModeSocket:
			sockets++
			if mode.Perm()&0o077 != 0 && !strings.HasPrefix(path, run+"/") {
				t.Errorf("the socket %s has the mode %v: others may connect", name, mode)
			}
			if strings.HasSuffix(name, ".control") && mode.Perm() != 0o600 {
				t.Errorf("%s has the mode %v, want 0600", name, mode)
			}
		case strings.HasPrefix(path, data) && mode.Perm()&0o022 != 0:
			t.Errorf("%s has the mode %v: others may write", name, mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sockets == 0 {
		t.Errorf("the run folder has no socket")
	}
}

// checkControl: the control socket answers the server's user and root, and nobody else, even where its folder is open.
func checkControl(t *testing.T, s *testenv.Site, user *syscall.Credential) {
	t.Helper()
	run := filepath.Join(s.Dir, "var/database/run")
	controls, err := filepath.Glob(filepath.Join(run, "*.control"))
	if err != nil || len(controls) != 1 {
		t.Fatalf("the run folder has the control sockets %v, %v", controls, err)
	}
	control := controls[0]
	for uid, want := range map[uint32]string{0: "200 OK", user.Uid: "200 OK", stranger: "connect: permission denied"} {
		if got := knockAs(t, uid, control); !strings.HasSuffix(got, want) {
			t.Errorf("user %d is answered %q, want %q", uid, got, want)
		}
	}
	// An administrator's mistake.
	for path, mode := range map[string]fs.FileMode{run: 0o755, control: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got := knockAs(t, stranger, control); strings.HasPrefix(got, "2") {
		t.Errorf("with open doors, user %s is answered %q", strconv.Itoa(stranger), got)
	}
	for path, mode := range map[string]fs.FileMode{run: 0o700, control: 0o600} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}
