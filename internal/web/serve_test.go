package web

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orrery/internal/listen"
)

// opened is a socket for tests; share gives another process's copy of it.
func opened(t *testing.T, bind string) *listen.Socket {
	t.Helper()
	s, err := listen.Open(bind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func share(t *testing.T, s *listen.Socket) *listen.Socket {
	t.Helper()
	fd, err := syscall.Dup(s.FD())
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, "fd://"+strconv.Itoa(fd))
}

// serving is a call of Serve that goes on until drain is called.
type serving struct {
	socket *listen.Socket
	drain  context.CancelFunc
	done   chan struct{}
	err    error
}

func serve(t *testing.T, s *listen.Socket, site http.Handler, o ServeOptions) *serving {
	t.Helper()
	ctx, drain := context.WithCancel(context.Background())
	out := &serving{socket: s, drain: drain, done: make(chan struct{})}
	ready := make(chan struct{})
	o.Ready = func() error { close(ready); return nil }
	go func() {
		defer close(out.done)
		out.err = Serve(ctx, []*listen.Socket{s}, site, o)
	}()
	<-ready
	t.Cleanup(func() { drain(); out.wait(t) })
	return out
}

func (s *serving) wait(t *testing.T) {
	t.Helper()
	<-s.done
	if s.err != nil {
		t.Error(s.err)
	}
}

func lingering(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// caller is a client with one connection, which forgives nothing: it asks again over another one only when the answer
// said so.
type caller struct {
	net.Conn
	read *bufio.Reader
}

func dial(t testing.TB, a listen.Address) *caller {
	t.Helper()
	c, err := net.Dial(a.Network, a.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &caller{c, bufio.NewReader(c)}
}

func (c *caller) get(path string) (answer *http.Response, body string, err error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path); err != nil {
		return nil, "", err
	}
	return c.answer()
}

func (c *caller) answer() (answer *http.Response, body string, err error) {
	if answer, err = http.ReadResponse(c.read, nil); err != nil {
		return nil, "", err
	}
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

func TestServersTakeEachOthersPlace(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			bind := "127.0.0.1:0"
			if network == "unix" {
				bind = "unix:" + filepath.Join(t.TempDir(), "s")
			}
			held := opened(t, bind)
			site := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
			stop := make(chan struct{})
			var clients sync.WaitGroup
			var answers atomic.Int64
			for i := range 8 {
				keep := i%2 == 0
				clients.Go(func() {
					var c *caller
					for {
						select {
						case <-stop:
							return
						default:
						}
						if c == nil {
							c = dial(t, held.Address)
						}
						answer, body, err := c.get("/")
						if err != nil || body != "here" {
							t.Errorf("after %d answers: %q, %v", answers.Load(), body, err)
							return
						}
						answers.Add(1)
						if answer.Close || !keep {
							c.Close()
							c = nil
						}
					}
				})
			}
			now := serve(t, share(t, held), site, ServeOptions{Linger: lingering(time.Second)})
			for range 10 {
				next := serve(t, share(t, held), site, ServeOptions{Linger: lingering(time.Second)})
				before := answers.Load()
				now.drain()
				for answers.Load() < before+100 && !t.Failed() {
					time.Sleep(time.Millisecond)
				}
				now.wait(t)
				now = next
			}
			close(stop)
			clients.Wait()
		})
	}
}

func TestTransfersOutlastTheirServer(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "large")
	content := make([]byte, 16<<20)
	for i := range content {
		content[i] = byte(i * i >> 8)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{}, 2)
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, file)
			return
		}
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	})
	busy := make(chan int, 100)
	server := serve(t, share(t, held), site, ServeOptions{Timeout: time.Minute, Linger: lingering(0), Busy: func(n int) { busy <- n }})
	up, down := dial(t, held.Address), dial(t, held.Address)
	fmt.Fprintf(up, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", len(content))
	if _, err := fmt.Fprint(down, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	<-begun
	server.drain()
	// Until the drain says that bytes move, they move slowly.
	sent := 0
	for moving := false; !moving; {
		select {
		case n := <-busy:
			moving = n > 0
		case <-time.After(20 * time.Millisecond):
			if _, err := up.Write(content[sent : sent+1000]); err != nil {
				t.Fatal(err)
			}
			sent += 1000
		}
	}
	if _, err := up.Write(content[sent:]); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d %x <nil>", len(content), sha256.Sum256(content))
	if answer, body, err := up.answer(); err != nil || body != want || !answer.Close {
		t.Errorf("the upload is answered %q, close %v, %v", body, answer.Close, err)
	}
	if _, body, err := down.answer(); err != nil || body != string(content) {
		t.Errorf("the download has %d bytes, %v", len(body), err)
	}
	server.wait(t)
	if c, err := net.Dial("tcp", held.Address.Name); err != nil {
		t.Errorf("the socket is closed for others too: %v", err)
	} else {
		c.Close()
	}
}

func TestDrainAnswersConnectionsThatLinger(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	server := serve(t, share(t, held), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }),
		ServeOptions{Linger: lingering(time.Hour)})
	used, fresh := dial(t, held.Address), dial(t, held.Address)
	if answer, _, err := used.get("/"); err != nil || answer.Close {
		t.Fatalf("before the drain: %v, %v", answer, err)
	}
	// The fresh one is accepted by now, since the used one may have come later: make sure.
	last := dial(t, held.Address)
	if _, _, err := last.get("/"); err != nil {
		t.Fatal(err)
	}
	server.drain()
	for name, c := range map[string]*caller{"used before": used, "fresh": fresh, "last": last} {
		// The drain may not have begun yet: then the answer does not say close, and the next one does.
		for {
			answer, body, err := c.get("/")
			if err != nil || body != "here" {
				t.Fatalf("%s: %q, %v", name, body, err)
			}
			if answer.Close {
				break
			}
		}
	}
	server.wait(t)
}

func TestDrainClosesWhatIsIdle(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	server := serve(t, share(t, held), http.NotFoundHandler(), ServeOptions{Linger: lingering(0)})
	c := dial(t, held.Address)
	if _, _, err := c.get("/"); err != nil {
		t.Fatal(err)
	}
	server.drain()
	server.wait(t)
	if _, err := c.read.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("reading gives %v", err)
	}
}

func TestDrainLosesItsMercy(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	begun := make(chan struct{})
	server := serve(t, share(t, held), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		_, _ = io.Copy(io.Discard, r.Body)
	}), ServeOptions{Linger: lingering(0), Mercy: time.Millisecond})
	c := dial(t, held.Address)
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	server.drain()
	server.wait(t)
}

func TestSilentBodiesAreGivenUp(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	outcome := make(chan error, 1)
	serve(t, share(t, held), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		outcome <- err
	}), ServeOptions{Timeout: 20 * time.Millisecond, Linger: lingering(0)})
	c := dial(t, held.Address)
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab"); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the body ends with %v", err)
	}
}

// TestSlowSitesAreWaitedFor is about a site that thinks for longer than a body may be silent.
func TestSlowSitesAreWaitedFor(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	serve(t, share(t, held), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request is given up")
		case <-time.After(100 * time.Millisecond):
			io.WriteString(w, "after all")
		}
	}), ServeOptions{Timeout: 10 * time.Millisecond, Linger: lingering(0)})
	c := dial(t, held.Address)
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nab"); err != nil {
		t.Fatal(err)
	}
	if _, body, err := c.answer(); err != nil || body != "after all" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	serve(t, share(t, held), http.NotFoundHandler(), ServeOptions{Linger: lingering(0)})
	c := dial(t, held.Address)
	go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: test\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 80<<10))
	if answer, _, err := c.answer(); err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v", answer, err)
	}
}

func TestIdleConnectionsGiveWay(t *testing.T) {
	held := opened(t, "127.0.0.1:0")
	serve(t, share(t, held), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }),
		ServeOptions{MaxConns: 4, Linger: lingering(0)})
	var all []*caller
	for i := range 20 {
		c := dial(t, held.Address)
		if _, body, err := c.get("/"); err != nil || body != "here" {
			t.Fatalf("connection %d: %q, %v", i, body, err)
		}
		all = append(all, c)
	}
	if _, err := all[0].read.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the one that is idle for the longest: %v", err)
	}
}
