package supervisor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery/internal/listen"
)

// offerSuffix ends the names of the sockets in the run folder at which processes offer their listeners to the next
// supervisor.
const offerSuffix = ".offer"

// offer is a process's side: NAME-PID@HOST.offer.
type offer struct {
	path string
	sock *net.UnixListener
}

// offered is the first line that a process says there.
type offered struct {
	Name       string `json:"name"`
	Supervisor string `json:"supervisor"`
	Host       string `json:"host"`
	PID        int    `json:"pid"`
}

// The words of the supervisor at an offer.
const (
	wordTake = "take" // send the listeners, if your supervisor is dead
	wordStop = "stop" // others serve now
)

// orphanNotice is how long a process, asked for its listeners, waits for the news of its supervisor's death.
const orphanNotice = 5 * time.Second

// Offer lets the next supervisor take this process's listeners (none for a job handler) and tell it to stop, should its
// own supervisor die. The sockets stay the caller's. The returned function ends the offer: a process that has closed its
// listeners calls it.
func (c *Child) Offer(runDir string, sockets []*listen.Socket) (end func(), err error) {
	if c == nil {
		return func() {}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name: %w", err)
	}
	o := &offer{path: filepath.Join(runDir, fmt.Sprintf("%s-%d@%s%s", c.name, os.Getpid(), strings.Map(fileChar, host), offerSuffix))}
	if err := os.Remove(o.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	err = shortPath(o.path, func(short string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: short})
		if err != nil {
			return fmt.Errorf("opening %s: %w", o.path, err)
		}
		l.SetUnlinkOnClose(false)
		o.sock = l
		return os.Chmod(o.path, 0o600)
	})
	if err != nil {
		if o.sock != nil {
			o.sock.Close()
		}
		return nil, err
	}
	hello := offered{Name: c.name, Supervisor: c.owner, Host: host, PID: os.Getpid()}
	go func() {
		for {
			conn, err := o.sock.AcceptUnix()
			if err != nil {
				return
			}
			go c.hand(conn, hello, sockets)
		}
	}()
	return func() {
		o.sock.Close()
		_ = os.Remove(o.path)
	}, nil
}

// hand talks to one who came to an offer.
func (c *Child) hand(conn *net.UnixConn, hello offered, sockets []*listen.Socket) {
	defer conn.Close()
	if listen.CheckPeer(conn) != nil {
		return
	}
	line, err := json.Marshal(hello)
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(2 * orphanNotice))
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return
	}
	words := bufio.NewReaderSize(conn, 64)
	if word, err := words.ReadSlice('\n'); err != nil || strings.TrimSpace(string(word)) != wordTake {
		return
	}
	select {
	case <-c.orphaned:
	case <-time.After(orphanNotice):
		return
	}
	var open []*listen.Socket
	for _, s := range sockets {
		if s.FD() >= 0 {
			open = append(open, s)
		}
	}
	if err := listen.SendSockets(conn, open); err != nil {
		return
	}
	// Until it says that others serve, or dies itself.
	_ = conn.SetDeadline(time.Time{})
	c.stay()
	word, err := words.ReadSlice('\n')
	if err == nil && strings.TrimSpace(string(word)) == wordStop {
		c.end()
		return
	}
	c.stay()
}

// Adopted is what a supervisor that died left behind: listeners, and processes that still serve.
type Adopted struct {
	// Sockets are the listeners, each address once.
	Sockets []*listen.Socket
	// Processes are the names of those that still serve.
	Processes []string

	conns []net.Conn
}

// Adopt collects the listeners of the processes of a supervisor of that name which died on this host. None is no error.
func Adopt(runDir, name string) (*Adopted, error) {
	a := &Adopted{}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name: %w", err)
	}
	entries, err := os.ReadDir(runDir)
	if errors.Is(err, os.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for processes that a supervisor left behind: %w", err)
	}
	have := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "@"+strings.Map(fileChar, host)+offerSuffix) {
			continue
		}
		path := filepath.Join(runDir, e.Name())
		var conn *net.UnixConn
		err := shortPath(path, func(short string) error {
			var err error
			conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: short})
			return err
		})
		if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path) // of this host, and nobody is there any more
			continue
		}
		if err != nil {
			continue
		}
		hello, sockets, err := collect(conn, name, host)
		if err != nil || hello == nil {
			conn.Close()
			continue
		}
		for _, s := range sockets {
			if have[s.Address.String()] {
				s.Close()
				continue
			}
			have[s.Address.String()] = true
			a.Sockets = append(a.Sockets, s)
		}
		a.Processes = append(a.Processes, hello.Name)
		a.conns = append(a.conns, conn)
	}
	return a, nil
}

// collect asks one process; hello is nil when it is another supervisor's.
func collect(conn *net.UnixConn, name, host string) (hello *offered, sockets []*listen.Socket, err error) {
	// Root takes them from the user whom its predecessor had become.
	if err := listen.CheckPeer(conn); err != nil && os.Geteuid() != 0 {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * orphanNotice))
	first := make([]byte, 4096)
	n, err := readLine(conn, first)
	if err != nil {
		return nil, nil, err
	}
	hello = &offered{}
	if err := json.Unmarshal(first[:n], hello); err != nil {
		return nil, nil, err
	}
	if hello.Supervisor != name || hello.Host != host {
		return nil, nil, nil
	}
	if _, err := io.WriteString(conn, wordTake+"\n"); err != nil {
		return nil, nil, err
	}
	if sockets, err = listen.ReceiveSockets(conn); err != nil {
		return nil, nil, err
	}
	return hello, sockets, conn.SetDeadline(time.Time{})
}

// readLine reads up to a line's end, byte by byte, for what follows carries descriptors.
func readLine(r io.Reader, into []byte) (int, error) {
	for n := range into {
		if _, err := io.ReadFull(r, into[n:n+1]); err != nil {
			return n, err
		}
		if into[n] == '\n' {
			return n, nil
		}
	}
	return len(into), errors.New("the line is too long")
}

// takeSocket makes a Socket of a descriptor that this process got.
func takeSocket(fd int, spec listen.Spec) (*listen.Socket, error) {
	s, err := listen.Open("fd://" + strconv.Itoa(fd))
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	s.Spec = spec
	if a, err := listen.Parse(spec.Bind); err == nil && a.Network == "unix" {
		s.Address = a // the kernel tells what was bound, which may be relative to another directory
	}
	return s, nil
}

// Release tells the processes that were left behind to stop: others serve now.
func (a *Adopted) Release() {
	if a == nil {
		return
	}
	for _, conn := range a.conns {
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, wordStop+"\n")
		conn.Close()
	}
	a.conns = nil
}
