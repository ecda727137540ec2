package listen

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	first, err := Open("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("in use: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l, err := first.Listener()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	first.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("closing removed the path: %v", err)
	}
	if _, err := first.Listener(); err == nil {
		t.Error("a closed socket gives a listener")
	}
	second, err := Open(path)
	if err != nil {
		t.Fatalf("a dead socket is not replaced: %v", err)
	}
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("Remove leaves %v, %v", left, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file at the path: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "nowhere", "s")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a directory that does not exist: %v", err)
	}
}

func TestUnixSocketModes(t *testing.T) {
	dir := t.TempDir()
	old := syscall.Umask(0o077) // the process's umask is not the socket's
	defer syscall.Umask(old)
	for i, test := range []struct {
		spec Spec
		want os.FileMode
	}{
		{Spec{}, 0o777},
		{Spec{Umask: 0o007}, 0o770},
		{Spec{Umask: 0o777}, 0},
		{Spec{Mode: 0o660, Umask: 0o077}, 0o660},
		{Spec{Mode: 0o666}, 0o666},
	} {
		test.spec.Bind, test.spec.Protocol = fmt.Sprintf("unix:%s/%d", dir, i), UWSGI
		s, err := OpenSpec(test.spec)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(s.Address.Name); err != nil || info.Mode().Perm() != test.want {
			t.Errorf("%+v: %v, %v", test.spec, info.Mode(), err)
		}
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	}
	for _, spec := range []Spec{
		{Bind: "unix:" + dir + "/x", Mode: 0o1777}, {Bind: "@x", Mode: 0o660}, {Bind: "unix:" + dir + "/x", Owner: "no-such-user"},
		{Bind: "unix:" + dir + "/x", Protocol: "gopher"}, {Bind: "unix:" + dir + "/x", Backlog: -1},
	} {
		if s, err := OpenSpec(spec); err == nil {
			t.Errorf("%+v gives %v", spec, s.Address)
			s.Remove()
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("what was refused leaves %v, %v", left, err)
	}
}

// TestUnixSocketBeforeItHasItsMode: what another process could see between the calls.
func TestUnixSocketBeforeItHasItsMode(t *testing.T) {
	a := Address{Network: "unix", Name: filepath.Join(t.TempDir(), "s")}
	old := syscall.Umask(0)
	s, err := bindUnix(a, Spec{})
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(a.Name); err != nil || info.Mode().Perm() != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What is left by a process that is killed now does not keep the next one from the path.
	s.Close()
	if s, err = Open("unix:" + a.Name); err != nil {
		t.Fatal(err)
	}
	s.Remove()
}

// TestUnixSocketOwner needs root, for nobody else gives files away.
func TestUnixSocketOwner(t *testing.T) {
	if testing.Short() && os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s, err := OpenSpec(Spec{Bind: "unix:" + t.TempDir() + "/s", Protocol: HTTP, Mode: 0o660, Owner: "nobody", Group: "daemon"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	nobody, err := LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := LookupGroup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(s.Address.Name, &st); err != nil || int(st.Uid) != nobody.UID || int(st.Gid) != daemon || st.Mode&0o777 != 0o660 {
		t.Errorf("%d:%d %o, %v", st.Uid, st.Gid, st.Mode, err)
	}
}

// TestSettleKeepsToItsSocket: in a folder that others write to, what is at the path may not be what was bound.
func TestSettleKeepsToItsSocket(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	twice, err := Open("unix:" + dir + "/twice")
	if err != nil {
		t.Fatal(err)
	}
	defer twice.Close()
	if err := os.Link(twice.Address.Name, dir+"/again"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, secret, dir + "/again", filepath.Join(dir, "none")} {
		if err := settle(path, 0o666, -1, -1); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAbstractNames(t *testing.T) {
	name := fmt.Sprintf("@orrery-test-%d", os.Getpid())
	s, err := OpenSpec(Spec{Bind: name, Protocol: UWSGI, Mode: 0o666, Group: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("a second time: %v", err)
	}
	c, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := s.Remove(); err != nil {
		t.Error(err)
	}
	again, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestBacklogAndKeepAlive(t *testing.T) {
	for _, bind := range []string{"127.0.0.1:0", "unix:" + t.TempDir() + "/s"} {
		s, err := OpenSpec(Spec{Bind: bind, Protocol: HTTP, Backlog: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Remove()
		if s.Address.Network == "unix" {
			// One more than the backlog waits, and the next is turned away at once: for TCP it would be tried again.
			for i := range 4 {
				c, err := net.Dial("unix", s.Address.Name)
				if err == nil {
					defer c.Close()
				}
				if (err != nil) != (i == 3) {
					t.Errorf("connection %d: %v", i, err)
				}
			}
			if _, err := Open(bind); err == nil || !strings.Contains(err.Error(), "another program listens there") {
				t.Errorf("a socket with a full queue is taken for dead: %v", err)
			}
			continue
		}
		l, err := s.Listener()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", s.Address.Name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		raw, err := in.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on != 1 {
				t.Errorf("keep-alive %d, %v", on, err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenDescriptor(t *testing.T) {
	first, err := Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fd := first.FD()
	s, err := OpenSpec(Spec{Bind: fmt.Sprintf("fd://%d", fd), Protocol: UWSGI})
	if err != nil {
		t.Fatal(err)
	}
	if s.FD() != fd || s.Address != first.Address || s.Spec.Protocol != UWSGI {
		t.Errorf("%+v", s)
	}
	s.Close()
	if _, err := Open("fd://900"); err == nil {
		t.Error("a descriptor that is not open is taken")
	}
}

func TestMatch(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	open := func(bind string) *Socket {
		s, err := Open(bind)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Remove() })
		return s
	}
	all, local, six, path := open(":0"), open("127.0.0.1:0"), open("[::1]:0"), open("unix:"+dir+"/s")
	port := func(s *Socket) string { return s.Address.Name[strings.LastIndex(s.Address.Name, ":"):] }
	for bind, want := range map[string]*Socket{
		port(all): all, "*" + port(all): all, "0.0.0.0" + port(all): all, "localhost" + port(local): local, "127.0.0.1" + port(local): local,
		"[::1]" + port(six): six, "unix:s": path, "./s": path, fmt.Sprintf("fd://%d", path.FD()): path,
		"127.0.0.2" + port(local): nil, "192.0.2.1" + port(all): nil, "localhost:1": nil, "@s": nil, "unix:" + dir + "/t": nil, "8080": nil,
	} {
		sockets := []*Socket{all, local, six, path}
		for _, s := range sockets {
			s.Spec = Spec{Protocol: HTTP}
		}
		missing := Match(sockets, []Spec{{Bind: bind, Protocol: Redirect}})
		if (want == nil) != (len(missing) == 1) || want != nil && want.Spec.Protocol != Redirect {
			t.Errorf("%s: missing %v, %+v", bind, missing, want)
		}
	}
	// A socket answers to one spec only.
	if missing := Match([]*Socket{path}, []Spec{{Bind: "unix:s"}, {Bind: "unix:s"}}); len(missing) != 1 {
		t.Errorf("missing %v", missing)
	}
}
