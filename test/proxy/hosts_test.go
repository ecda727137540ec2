package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// webWorkers is how many each host has.
const webWorkers = 2

// webHost is a host with web workers, and a network, processes and a run folder of its own.
type webHost struct {
	t      testing.TB
	name   string
	server *testenv.Instance
	host   *testenv.Host
	socket string // in the shared file system, which leads into the host's network
	door   *exec.Cmd
	pid    int // of the supervisor
	ended  chan struct{}
}

func newWebHost(t testing.TB, server *testenv.Instance, name string) *webHost {
	t.Helper()
	run := filepath.Join(server.DataDir, "run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	database := testenv.Way{Socket: filepath.Join(server.Database.Socket, fmt.Sprintf(".s.PGSQL.%d", server.Database.Port)), Port: server.Database.Port}
	w := &webHost{t: t, name: name, server: server, socket: filepath.Join(server.Dir, name+".sock")}
	w.host = testenv.NewHost(t, name, []string{run}, database)
	w.start()
	t.Cleanup(w.kill)
	return w
}

// start starts the host's web workers and waits until they answer.
func (w *webHost) start() {
	w.t.Helper()
	here := w.server.Command("web", "-c", w.server.Config, "--bind", "unix:"+w.socket, "--umask", "007", "--workers", strconv.Itoa(webWorkers))
	// Who enters a host stands at the root of its files.
	w.door = w.host.Command("sh", append([]string{"-c", `cd "$0" && exec "$@"`, here.Dir, here.Path}, here.Args[1:]...)...)
	w.door.Env = here.Env
	output, err := os.OpenFile(filepath.Join(w.server.DataDir, w.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	defer output.Close()
	w.door.Stdout, w.door.Stderr = output, output
	if err := w.door.Start(); err != nil {
		w.t.Fatal(err)
	}
	door, ended := w.door, make(chan struct{})
	w.ended = ended
	go func() {
		_ = door.Wait() // how it ends does not matter
		close(ended)
	}()
	if w.pid, err = w.host.Inner(w.door); err != nil {
		w.t.Fatal(err)
	}
	client := w.client()
	defer client.CloseIdleConnections()
	testenv.Poll(w.t, w.name+" to answer", 30*time.Second, func() bool {
		response, err := client.Get(address + "/api/version")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (w *webHost) signal(s syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(w.pid, s); err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
}

func (w *webHost) kill() {
	_ = w.door.Process.Kill() // the host's end takes everything on it along
	<-w.ended
}

// client reaches this host's web workers alone, as the proxy does.
func (w *webHost) client() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: proxyHeaders{&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.socket)
		}}},
	}
}

// proxyHeaders stands for the proxy: it speaks HTTP, and tells of HTTPS.
type proxyHeaders struct{ *http.Transport }

func (p proxyHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	r.Header.Set("X-Forwarded-Proto", "https")
	return p.Transport.RoundTrip(r)
}

// TestTwoHosts has web workers on two hosts behind one nginx: one session, one upload, no request lost while the web
// workers of one host are replaced or stopped.
func TestTwoHosts(t *testing.T) {
	site, apache := readSite(t, "nginx-unix.conf"), readSite(t, "apache-http.conf")
	server := testenv.Server(t, testenv.Options{Postgres: true, Handlers: 1, Gravity: map[string]any{"umask": "007"}})
	if err := os.Chmod(server.Dir, 0o750); err != nil {
		t.Fatal(err)
	}
	one, two := newWebHost(t, server, "host-one"), newWebHost(t, server, "host-two")
	// The page's own lines for several hosts, with the ways into these two for their addresses.
	site.put(regexp.MustCompile(`(?s)upstream galaxy \{.*?\n\}\n`), block(t, "nginx"))
	apache.put(regexp.MustCompile(`    ProxyPass "/" .*\n`), block(t, "apache"))
	for i, w := range []*webHost{one, two} {
		at := fmt.Sprintf("192.0.2.%d:8080", 11+i)
		site.replace(at, "unix:"+w.socket)
		apache.replace("http://"+at, "unix:"+w.socket+"|http://"+w.name)
	}
	site.replace("/srv/galaxy/server/client", clientFiles(t))
	apache.replace("/srv/galaxy/server/client", clientFiles(t))
	apache.replace("/srv/galaxy/var/objects", filepath.Join(server.DataDir, "objects"))
	apache.replace("# a2enmod ", "# a2enmod proxy_balancer lbmethod_byrequests ")
	proxy := site.run()
	p := through(t, proxy.Client(), address)
	p.register("traveller")
	history := p.history()

	t.Run("one session", func(t *testing.T) {
		for range 6 {
			var me struct{ Username string }
			p.call("GET", "/api/users/current", nil, &me)
			if me.Username != "traveller" {
				t.Errorf("logged in as %q", me.Username)
			}
		}
		bothServed(t, proxy, one, two, "GET /api/users/current")
	})
	t.Run("one upload", func(t *testing.T) {
		text := lines(1 << 20)
		at := p.begin(len(text))
		const chunks = 8
		size := len(text) / chunks
		for i := range chunks {
			p.patch(at, i*size, strings.NewReader(text[i*size:(i+1)*size]))
		}
		bothServed(t, proxy, one, two, "PATCH "+uploads)
		dataset := p.use(history, at)
		p.ok(dataset)
		if got := p.get("/api/datasets/"+dataset+"/display?to_ext=data", 200).body; got != text {
			t.Errorf("%d bytes came back, want %d", len(got), len(text))
		}
	})
	t.Run("an upload that hangs on the other host", func(t *testing.T) { hanging(t, p, one, two, history) })
	t.Run("replaced web workers", func(t *testing.T) {
		const rounds = 3
		load(t, proxy, true, func(watched func() bool) {
			for range rounds {
				before := one.workers()
				one.signal(syscall.SIGHUP)
				testenv.Poll(t, "other web workers, and only those", 30*time.Second, func() bool {
					now := one.workers()
					return len(now) == webWorkers && !slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(before, pid) })
				})
				if !watched() {
					return
				}
			}
		})
	})
	t.Run("stopped web workers", func(t *testing.T) {
		// What only reads, nginx asks the other host again. What has been written to a connection that is being closed
		// may have been done, so nobody may do it again.
		load(t, proxy, false, func(watched func() bool) {
			one.signal(syscall.SIGTERM)
			select {
			case <-one.ended:
			case <-time.After(30 * time.Second):
				t.Error("the web workers do not stop")
			}
			if watched() {
				one.start()
				watched()
			}
		})
	})
	t.Run("a host that is taken out first", func(t *testing.T) {
		load(t, proxy, true, func(watched func() bool) {
			all := site.text
			site.replace("unix:"+one.socket, "unix:"+one.socket+" down")
			proxy.Reload(site.text)
			one.signal(syscall.SIGTERM)
			<-one.ended
			if watched() {
				one.start()
				proxy.Reload(all)
			}
		})
	})
	t.Run("Apache", func(t *testing.T) {
		apache.t = t
		proxy := apache.run()
		p := through(t, proxy.Client(), address)
		p.logIn("traveller")
		for range 8 {
			p.get("/api/users/current", 200)
		}
		testenv.Poll(t, "both hosts to serve Apache", 5*time.Second, func() bool {
			log := proxy.Log("access")
			return strings.Contains(log, "upstream=http://"+one.name) && strings.Contains(log, "upstream=http://"+two.name)
		})
	})
	proxy.Stop()
	if log := proxy.Log("access"); strings.Contains(log, "\n50") {
		t.Errorf("nginx answered with errors of its own")
	}
}

// bothServed makes sure that requests of a kind were passed on to either host.
func bothServed(t testing.TB, proxy *testenv.WebProxy, one, two *webHost, request string) {
	t.Helper()
	testenv.Poll(t, "both hosts to serve "+request, 5*time.Second, func() bool {
		served := map[string]bool{}
		for line := range strings.Lines(proxy.Log("access")) {
			if strings.Contains(line, request) {
				for _, w := range []*webHost{one, two} {
					served[w.name] = served[w.name] || strings.Contains(line, "upstream=unix:"+w.socket)
				}
			}
		}
		return served[one.name] && served[two.name]
	})
}

// workers are the ids of a host's web workers: the children of its supervisor, whichever of its threads started them.
func (w *webHost) workers() (pids []string) {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.pid))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) { // a thread that has ended
			w.t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// hanging sends half a chunk to one host and then goes on by the other, as a browser does that has lost its connection
// without the server's knowledge: the one gives the upload up when the other asks for it, and keeps what has come.
func hanging(t testing.TB, p *person, one, two *webHost, history string) {
	text := lines(1 << 20)
	at := p.begin(len(text))
	first, second := *p, *p
	first.client, second.client = one.client(), two.client()
	first.client.Jar, second.client.Jar = p.client.Jar, p.client.Jar
	defer first.client.CloseIdleConnections()
	defer second.client.CloseIdleConnections()
	read, write := io.Pipe()
	defer read.Close()
	gaveUp := make(chan error, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), "PATCH", at, read)
		if err == nil {
			request.ContentLength = int64(len(text))
			for name, value := range patchHeader(0) {
				request.Header.Set(name, value)
			}
			var response *http.Response
			if response, err = first.client.Do(request); err == nil {
				_ = response.Body.Close()
				if response.StatusCode < 400 {
					err = fmt.Errorf("a chunk that never came is answered %s", response.Status)
				}
			}
		}
		gaveUp <- err
	}()
	if _, err := io.WriteString(write, text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	var offset int
	testenv.Poll(t, "the other host to get hold of the upload", 20*time.Second, func() bool {
		a, err := second.try("HEAD", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil)
		if err != nil || a.StatusCode != http.StatusOK {
			return false
		}
		offset, err = strconv.Atoi(a.Header.Get("Upload-Offset"))
		return err == nil && offset > 0
	})
	if offset > len(text)/2 {
		t.Fatalf("%d bytes have come of %d sent", offset, len(text)/2)
	}
	_ = write.Close() // it never fails
	<-gaveUp
	second.patch(at, offset, strings.NewReader(text[offset:]))
	dataset := p.use(history, at)
	p.ok(dataset)
	if got := p.get("/api/datasets/"+dataset+"/display?to_ext=data", 200).body; got != text {
		t.Errorf("%d bytes came back, want %d", len(got), len(text))
	}
}

// load makes requests by eight visitors, of whom some keep their connections and some do not, and every other one makes
// histories if asked to, while something happens; no request may fail. What happens is given a function that waits until the visitors have seen a hundred more answers,
// and is false when the test has failed.
func load(t testing.TB, proxy *testenv.WebProxy, writes bool, happens func(watched func() bool)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var answers atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for i := range 8 {
		client := proxy.Client()
		wg.Go(func() {
			for ctx.Err() == nil {
				body, method, path := io.Reader(nil), "GET", "/api/version"
				if writes && i%2 == 1 {
					body, method, path = strings.NewReader(`{"name": "one of many"}`), "POST", "/api/histories"
				}
				request, err := http.NewRequestWithContext(t.Context(), method, address+path, body)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("X-Api-Key", testenv.AdminKey)
				request.Header.Set("Content-Type", "application/json")
				response, err := client.Do(request)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if err == nil && response.StatusCode >= 500 {
						err = fmt.Errorf("%s", response.Status)
					}
				}
				if err != nil {
					failed.Store(true)
					t.Errorf("%s %s: %v", method, path, err)
					return
				}
				answers.Add(1)
				if i%4 > 1 {
					client.CloseIdleConnections()
				}
			}
		})
	}
	watched := func() bool {
		enough := answers.Load() + 100
		testenv.Poll(t, "a hundred more answers", 30*time.Second, func() bool { return failed.Load() || answers.Load() >= enough })
		return !failed.Load()
	}
	defer wg.Wait()
	defer stop()
	if watched() {
		happens(watched)
		watched()
	}
	t.Logf("%d requests", answers.Load())
}
