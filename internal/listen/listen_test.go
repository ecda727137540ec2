package listen

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary be the child process that takes sockets over.
func TestMain(m *testing.M) {
	switch os.Getenv("LISTEN_TEST") {
	case "":
		os.Exit(m.Run())
	case "systemd":
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	case "drop":
		dropped()
	case "kept":
		keptByRoot()
	case "another process":
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()+1))
	}
	child()
}

// child answers one connection on each inherited socket with the socket's address.
func child() {
	sockets, err := Inherit()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(len(sockets), os.Getenv("ORRERY_LISTEN_FDS")+os.Getenv("ORRERY_LISTEN_SPECS")+os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_PID")+os.Getenv("LISTEN_FDNAMES"))
	for _, s := range sockets {
		fmt.Println(s.Spec.Protocol, s.Spec.HTTPSPort, s.Name)
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(s.FD()), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			fmt.Println("error: programs started from here would inherit the socket")
			os.Exit(1)
		}
		l, err := s.Listener()
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		c, err := l.Accept()
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Fprint(c, s.Address)
		c.Close()
	}
	os.Exit(0)
}

func TestParse(t *testing.T) {
	for in, want := range map[string]struct{ address, url string }{
		"localhost:8080":          {"localhost:8080", "http://localhost:8080"},
		":80":                     {":80", "http://localhost"},
		"*:8080":                  {":8080", "http://localhost:8080"},
		"0.0.0.0:8080":            {"0.0.0.0:8080", "http://localhost:8080"},
		"127.77.0.1:8080":         {"127.77.0.1:8080", "http://127.77.0.1:8080"},
		"192.0.2.7:80":            {"192.0.2.7:80", "http://192.0.2.7"},
		"[::1]:8080":              {"[::1]:8080", "http://localhost:8080"},
		"[2001:db8::1]:80":        {"[2001:db8::1]:80", "http://[2001:db8::1]"},
		"example.org":             {"example.org:8000", "http://example.org:8000"},
		"::1":                     {"[::1]:8000", "http://localhost:8000"},
		"tcp://localhost:1":       {"localhost:1", "http://localhost:1"},
		"unix:/run/galaxy.sock":   {"unix:/run/galaxy.sock", "unix:/run/galaxy.sock"},
		"unix:///run/galaxy.sock": {"unix:/run/galaxy.sock", "unix:/run/galaxy.sock"},
		"unix:galaxy.sock":        {"unix:galaxy.sock", "unix:galaxy.sock"},
		"/run//galaxy.sock":       {"unix:/run/galaxy.sock", "unix:/run/galaxy.sock"},
		"./galaxy.sock":           {"unix:galaxy.sock", "unix:galaxy.sock"},
		"fd://3":                  {"fd://3", "fd://3"},
		"@galaxy":                 {"@galaxy", "@galaxy"},
		"unix:@galaxy":            {"unix:./@galaxy", "unix:./@galaxy"},
	} {
		a, err := Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		} else if a.String() != want.address || a.URL() != want.url {
			t.Errorf("Parse(%q) = %s, %s; want %s, %s", in, a, a.URL(), want.address, want.url)
		}
	}
	for _, in := range []string{"", "8080", "localhost:http", "localhost:70000", "unix:", "fd://x", "fd://1", "a:b:c", "@", "@" + strings.Repeat("x", 107), "unix:/" + strings.Repeat("x", 107), "a\x00b:1", "host/x:1"} {
		if a, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %s, want a refusal", in, a)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"localhost:8080", "unix:/x", "[::1%lo]:1", "fd://9", "//", ":::", "\x01.\xa0)P]P]", "].Zq", "unix"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		a, err := Parse(in)
		if err != nil {
			return
		}
		if again, err := Parse(a.String()); err != nil || again.Network != a.Network {
			t.Fatalf("Parse(%q) = %s, which reads as %v, %v", in, a, again, err)
		}
	})
}

// ask connects and returns what the other side sends.
func ask(t *testing.T, a Address) string {
	t.Helper()
	c, err := net.Dial(a.Network, a.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestSocketsAreHandedOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	sockets, err := OpenSpecs([]Spec{{Bind: "127.0.0.1:0", Protocol: Redirect, HTTPSPort: "8443"}, {Bind: "unix:" + path, Protocol: UWSGI}})
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(sockets)
	for mode, want := range map[string]string{
		"supervisor": "2 \nredirect 8443 \nuwsgi  \n",
		"systemd":    "2 \nhttp  galaxy.socket\nuwsgi  uwsgi\n",
	} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "LISTEN_TEST="+mode)
			if mode == "supervisor" {
				cmd.Env = append(cmd.Env, Environment(sockets)...)
			} else {
				cmd.Env = append(cmd.Env, "LISTEN_FDS=2", "LISTEN_FDNAMES=galaxy.socket:uwsgi:more")
			}
			for _, s := range sockets {
				fd, err := duplicate(s.FD())
				if err != nil {
					t.Fatal(err)
				}
				f := os.NewFile(uintptr(fd), "socket")
				defer f.Close()
				cmd.ExtraFiles = append(cmd.ExtraFiles, f)
			}
			var out strings.Builder
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, s := range sockets {
				if got := ask(t, s.Address); got != s.Address.String() {
					t.Errorf("%s answers %q", s.Address, got)
				}
			}
			if err := cmd.Wait(); err != nil || out.String() != want {
				t.Errorf("child: %v, %q", err, out.String())
			}
		})
	}
}

func TestSocketsForAnotherProcessAreLeftAlone(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LISTEN_TEST=another process", "LISTEN_FDS=2")
	if out, err := cmd.Output(); err != nil || string(out) != "0 \n" {
		t.Errorf("child: %v, %q", err, out)
	}
}

func TestInheritRefusesWhatIsNoSocket(t *testing.T) {
	for name, env := range map[string]string{"a file": "ORRERY_LISTEN_FDS=1", "no number": "ORRERY_LISTEN_FDS=x", "too many": "ORRERY_LISTEN_FDS=1001"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LISTEN_TEST=supervisor", env)
		f, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{f}
		out, err := cmd.Output()
		f.Close()
		if err == nil || !strings.HasPrefix(string(out), "error: ") {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}

func TestAllAddressesOfOneKind(t *testing.T) {
	for bind, want := range map[string]string{"0.0.0.0:0": "0.0.0.0:", ":0": "[::]:", "[::1]:0": "[::1]:"} {
		s, err := Open(bind)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.Address.Name, want) {
			t.Errorf("%s listens on %s", bind, s.Address)
		}
		s.Close()
	}
}

func TestAddressInUse(t *testing.T) {
	first, err := Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Open(first.Address.String()); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("a second time: %v", err)
	}
}

func TestOpenAllLeavesNothingOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := openAll([]string{"unix:" + dir + "/a", "8080"}); err == nil {
		t.Fatal("no error")
	}
	s, err := Open("unix:" + dir + "/a")
	if err != nil {
		t.Fatalf("the first socket is still held: %v", err)
	}
	s.Close()
}

// openAll opens several bind strings for HTTP; when one fails, none stays open.
func openAll(binds []string) ([]*Socket, error) {
	specs := make([]Spec, len(binds))
	for i, bind := range binds {
		specs[i] = Spec{Bind: bind, Protocol: HTTP}
	}
	return OpenSpecs(specs)
}
