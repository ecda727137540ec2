package testenv

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Host is a second machine, as far as a process on it can tell: it has a network, processes, a host name and mounts of
// its own. The files are shared, as by NFS, except for the folders that are private.
type Host struct {
	Name string
	// Forwards are the addresses on this host, HOST:PORT, of the ways that it was given, in their order.
	Forwards []string

	pid int
}

// Way leads out of a host: a UNIX socket, since files are shared, that is reached there by TCP.
type Way struct {
	Socket string `json:"socket"`
	// Port of the host's loopback address; 0 for any.
	Port int `json:"port"`
}

// hostOrders are what the first process of a host is told.
type hostOrders struct {
	Name string `json:"name"`
	// Private are folders that look empty there at first.
	Private []string `json:"private"`
	Ways    []Way    `json:"ways"`
}

// hostVariable makes a test's program the first process of a host.
const hostVariable = "TESTENV_HOST"

func init() {
	if text := os.Getenv(hostVariable); text != "" {
		if err := hostMain(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// NewHost starts a host; it ends, with every process on it, at the end of the test. The folders given as private are
// empty there, and the ways are all that leads out of its network.
func NewHost(t testing.TB, name string, private []string, ways ...Way) *Host {
	t.Helper()
	external(t)
	orders, err := json.Marshal(hostOrders{name, private, ways})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), hostVariable+"="+string(orders))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWNS, Setsid: true,
	}
	if os.Getuid() != 0 { // a user namespace allows it to others
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}
	}
	in, err1 := cmd.StdinPipe() // it ends when this pipe does, however this process ends
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("a second host, for which namespaces are needed (root, or user namespaces that anybody may make): %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // its end is all that matters
	})
	h := &Host{Name: name, pid: cmd.Process.Pid}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h.Forwards) != nil {
		rest, _ := io.ReadAll(out)
		t.Fatalf("the host %s did not start: %s %s", name, lines.Text(), rest)
	}
	return h
}

// Command runs a program on this host. The process that is started is only the door to it: see Inner.
func (h *Host) Command(program string, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(h.pid), "--net", "--pid", "--uts", "--mount"}
	if os.Getuid() != 0 {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	return exec.Command("nsenter", append(append(enter, "--", program), args...)...)
}

// Inner is the process id, as seen from outside, of the program that a started Command runs.
func (h *Host) Inner(cmd *exec.Cmd) (int, error) {
	door := cmd.Process.Pid
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", door, door))
		if err != nil {
			return 0, fmt.Errorf("entering the host %s: %w", h.Name, err)
		}
		fields := strings.Fields(string(text))
		if len(fields) != 1 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			return 0, err
		}
		// Until it has become the program it is a copy of the door.
		name, err := os.Readlink(filepath.Join("/proc", fields[0], "exe"))
		if err == nil && filepath.Base(name) != "nsenter" {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("the host %s started nothing within 10 s", h.Name)
}

// hostMain is the first process of a host: it sets the host up, passes connections on, and takes in orphans.
func hostMain(text string) error {
	var orders hostOrders
	if err := json.Unmarshal([]byte(text), &orders); err != nil {
		return err
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range orders.Private {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("an empty %s: %w", dir, err)
		}
	}
	if err := errors.Join(unix.Sethostname([]byte(orders.Name)), loopbackUp(), ownHosts(orders.Name)); err != nil {
		return err
	}
	addresses := []string{}
	for _, way := range orders.Ways {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(way.Port))
		if err != nil {
			return err
		}
		addresses = append(addresses, l.Addr().String())
		go forward(l, way.Socket)
	}
	orphans := make(chan os.Signal, 1)
	signal.Notify(orphans, unix.SIGCHLD)
	go func() {
		for range orphans {
			for {
				if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
					break
				}
			}
		}
	}()
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// ownHosts lets the host know its own name, as every one does.
func ownHosts(name string) error {
	file, err := os.CreateTemp("", "hosts-")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "127.0.0.1 localhost\n%s %s\n", net.IP(hostAddress), name)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = unix.Mount(file.Name(), "/etc/hosts", "", unix.MS_BIND, "")
	}
	return errors.Join(err, os.Remove(file.Name())) // the mount keeps it
}

// loopbackUp switches the loopback interface on, which a new network has but does not use, and gives it an address.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return err
	}
	// Without an address besides 127.0.0.1 no name is found: getaddrinfo takes the machine to have no network.
	if request, err = unix.NewIfreq("lo:1"); err != nil {
		return err
	}
	if err := request.SetInet4Addr(hostAddress); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFADDR, request)
}

// hostAddress is the address of a host in its own network, in which nobody else is.
var hostAddress = []byte{10, 0, 0, 1}

// forward connects whoever comes with a UNIX socket.
func forward(l net.Listener, socket string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			defer server.Close()
			var both sync.WaitGroup
			for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
				both.Go(func() {
					if _, err := io.Copy(way[0], way[1]); err != nil {
						_, _ = way[0].Close(), way[1].Close()
					} else if half, ok := way[0].(interface{ CloseWrite() error }); ok {
						_ = half.CloseWrite()
					}
				})
			}
			both.Wait()
		}()
	}
}
