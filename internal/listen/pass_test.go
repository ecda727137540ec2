package listen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair is two ends of a UNIX connection.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], ends[1]
}

func openFDs(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSocketsGoToAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	specs := []Spec{
		{Bind: "127.0.0.1:0", Protocol: UWSGI, Backlog: 7},
		{Bind: "unix:" + dir + "/s", Protocol: Redirect, HTTPSPort: "8443", Mode: 0o660},
	}
	for range 300 { // more than one message takes
		specs = append(specs, Spec{Bind: "127.0.0.1:0", Protocol: HTTP})
	}
	sockets, err := OpenSpecs(specs)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(sockets)
	a, b := pair(t)
	sent := make(chan error, 1)
	go func() { sent <- SendSockets(a, sockets) }()
	got, err := ReceiveSockets(b)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(got)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if len(got) != len(sockets) {
		t.Fatalf("%d sockets arrived", len(got))
	}
	for i := range got {
		if got[i].Address != sockets[i].Address || !reflect.DeepEqual(got[i].Spec, specs[i]) {
			t.Fatalf("socket %d: %v %+v, want %v %+v", i, got[i].Address, got[i].Spec, sockets[i].Address, specs[i])
		}
		flags, err := unix.FcntlInt(uintptr(got[i].FD()), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("socket %d would go to every program that is started: %v", i, err)
		}
	}
	// It is the same queue: who gave it away need not be there any more.
	CloseAll(sockets)
	l, err := got[0].Listener()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", got[0].Address.Name)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestReceiveSocketsRefuses(t *testing.T) {
	header := func(magic string, n, length byte) []byte {
		return append([]byte(magic), 0, 0, 0, n, 0, 0, 0, length)
	}
	one := header(passMagic, 1, 4)
	one = append(one, "[{}]"...)
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, test := range map[string]struct {
		text []byte
		fds  []int
		n    byte
		want string
	}{
		"another program":          {text: []byte("HTTP/1.1 200 OK\r\n"), want: "another program"},
		"nothing":                  {want: "EOF"},
		"too many":                 {text: append([]byte(passMagic), 0, 1, 0, 0, 0, 0, 0, 0), want: "too many"},
		"too long":                 {text: append([]byte(passMagic), 0, 0, 0, 1, 1, 0, 0, 0), want: "too many"},
		"no JSON":                  {text: append(header(passMagic, 1, 1), '!'), want: "cannot be read"},
		"more sockets than specs":  {text: append(header(passMagic, 2, 4), "[{}]"...), want: "2 sockets were handed over and 1 described"},
		"no descriptors":           {text: append(bytes.Clone(one), 1), want: "0 descriptors"},
		"cut off":                  {text: one, want: "EOF"},
		"a file":                   {text: one, fds: []int{int(file.Fd())}, n: 1, want: "was to be a socket"},
		"more than were announced": {text: one, fds: []int{int(file.Fd()), int(file.Fd())}, n: 1, want: "was to be a socket"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			before := openFDs(t)
			if _, err := a.Write(test.text); err != nil {
				t.Fatal(err)
			}
			if test.fds != nil {
				if _, _, err := a.WriteMsgUnix([]byte{test.n}, unix.UnixRights(test.fds...), nil); err != nil {
					t.Fatal(err)
				}
			}
			a.CloseWrite()
			got, err := ReceiveSockets(b)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v; want an error with %q", got, err, test.want)
			}
			if after := openFDs(t); after != before {
				t.Errorf("%d descriptors were left open", after-before)
			}
		})
	}
}

func FuzzReceiveSockets(f *testing.F) {
	f.Add([]byte(passMagic+"\x00\x00\x00\x01\x00\x00\x00\x04[{}]\x01"), 1)
	f.Add([]byte(passMagic+"\x00\x00\x00\x00\x00\x00\x00\x02[]"), 0)
	f.Fuzz(func(t *testing.T, data []byte, fds int) {
		if len(data) == 0 || len(data) > 10_000 {
			return
		}
		a, b := pair(t)
		defer a.Close()
		defer b.Close()
		s, err := Open("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		rights := make([]int, max(0, min(fds, 10)))
		for i := range rights {
			rights[i] = s.FD()
		}
		before := openFDs(t)
		if _, err := a.Write(data[:len(data)-1]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.WriteMsgUnix(data[len(data)-1:], unix.UnixRights(rights...), nil); err != nil {
			t.Fatal(err)
		}
		a.Close()
		got, err := ReceiveSockets(b)
		CloseAll(got)
		b.Close()
		if after := openFDs(t); after > before {
			t.Fatalf("%d descriptors were left open, %v", after-before, err)
		}
	})
}

func TestZergPool(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zergpool.sock")
	sockets, err := OpenSpecs([]Spec{{Bind: "127.0.0.1:0", Protocol: UWSGI}, {Bind: "127.0.0.1:0", Protocol: UWSGI}})
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(sockets)
	// A zergling that is started first waits for the pool.
	type result struct {
		sockets []*Socket
		err     error
	}
	attached := make(chan result, 1)
	go func() {
		got, err := AttachZerg(t.Context(), path)
		attached <- result{got, err}
	}()
	pool, err := OpenSpec(ZergSpec(path))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Remove()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeZerg(ctx, pool, sockets, func(err error) { t.Error(err) }) }()
	first := <-attached
	if first.err != nil {
		t.Fatal(first.err)
	}
	defer CloseAll(first.sockets)
	second, err := AttachZerg(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(second)
	// It declares an address for HTTP; the other stays what the pool says.
	missing := Match(second, []Spec{{Bind: second[1].Address.Name, Protocol: HTTP}, {Bind: "127.0.0.1:1", Protocol: HTTP}})
	if len(missing) != 1 || missing[0].Bind != "127.0.0.1:1" || second[0].Spec.Protocol != UWSGI || second[1].Spec.Protocol != HTTP {
		t.Errorf("missing %v; %+v, %+v", missing, second[0].Spec, second[1].Spec)
	}
	// Both serve: one takes what comes in until it closes, then the other does.
	for i, zergling := range [][]*Socket{first.sockets, second} {
		l, err := zergling[0].Listener()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			l.Close()
			if err == nil {
				fmt.Fprint(c, i)
				c.Close()
			}
		}()
		if got := ask(t, sockets[0].Address); got != fmt.Sprint(i) {
			t.Errorf("zergling %d: %q", i, got)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// shortOfDescriptors is a listener of a process that has no descriptor left for a while.
type shortOfDescriptors struct {
	net.Listener
	failures []error
}

func (l *shortOfDescriptors) Accept() (net.Conn, error) {
	if len(l.failures) > 0 {
		err := l.failures[0]
		l.failures = l.failures[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestZergPoolOutlivesWantOfDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "z")
	for _, last := range []error{nil, syscall.EBADF} {
		pool, err := OpenSpec(ZergSpec(path))
		if err != nil {
			t.Fatal(err)
		}
		l, err := pool.Listener()
		if err != nil {
			t.Fatal(err)
		}
		short := &shortOfDescriptors{l, []error{os.NewSyscallError("accept4", syscall.EMFILE), syscall.ENFILE}}
		if last != nil {
			short.failures = append(short.failures, last)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serveZerg(ctx, short, nil, func(err error) { t.Error(err) }) }()
		if last == nil {
			if _, err := AttachZerg(t.Context(), path); err != nil {
				t.Error(err)
			}
			cancel()
		}
		if err := <-ended; !errors.Is(err, last) {
			t.Errorf("%v, want %v", err, last)
		}
		cancel()
		if err := pool.Remove(); err != nil {
			t.Error(err)
		}
	}
}

func TestNoZergPool(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := AttachZerg(ctx, filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "zerg-pool") {
		t.Errorf("%v", err)
	}
	if _, err := AttachZerg(t.Context(), ""); err == nil {
		t.Error("no path is taken")
	}
}

func TestZergPoolWithAbstractName(t *testing.T) {
	name := fmt.Sprintf("@orrery-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	pool, err := OpenSpec(ZergSpec(name))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Remove()
	if _, err := OpenSpec(ZergSpec(name)); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("a second time: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go ServeZerg(ctx, pool, nil, func(err error) { t.Error(err) })
	if got, err := AttachZerg(t.Context(), name); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCheckPeer(t *testing.T) {
	a, _ := pair(t)
	if err := CheckPeer(a); err != nil {
		t.Errorf("this very user: %v", err)
	}
	a.Close()
	if err := CheckPeer(a); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a closed connection: %v", err)
	}
}
