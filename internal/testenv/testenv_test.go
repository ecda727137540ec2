package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
)

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	var made int
	prepare := func(url string) error {
		made++
		connection, err := pgx.Connect(context.Background(), url)
		if err != nil {
			return err
		}
		defer connection.Close(context.Background())
		_, err = connection.Exec(context.Background(), "CREATE TABLE things (name text)")
		return err
	}
	var names []string
	for range 2 {
		d := PostgresWith(t, "things", prepare)
		names = append(names, d.Name)
		for _, address := range []string{d.URL(), d.SocketURL()} {
			connection, err := pgx.Connect(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			var rows int
			err = connection.QueryRow(t.Context(), "SELECT count(*) FROM things").Scan(&rows)
			if err != nil || (address == d.URL() && rows != 0) {
				t.Errorf("%d rows, %v", rows, err)
			}
			if _, err := connection.Exec(t.Context(), "INSERT INTO things VALUES ('x')"); err != nil {
				t.Error(err)
			}
			if err := connection.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if made != 1 || names[0] == names[1] {
		t.Errorf("the template was made %d times, the databases are %v", made, names)
	}
}

// TestPostgresIsGoneAfterAKill runs this test binary again as a process that starts PostgreSQL and is then killed.
func TestPostgresIsGoneAfterAKill(t *testing.T) {
	external(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperHoldsPostgres$", "-test.v")
	cmd.Env = append(os.Environ(), "TESTENV_HOLD=yes")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	lines := bufio.NewScanner(output)
	for dir == "" && lines.Scan() {
		_, dir, _ = strings.Cut(lines.Text(), "socket folder: ")
	}
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = poll(ctx, nil, func() error {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			return fmt.Errorf("%s is still there", dir)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %d still runs: %v", pid, err) //nolint:errorlint // no error means that it runs
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestHelperHoldsPostgres(t *testing.T) {
	if os.Getenv("TESTENV_HOLD") == "" {
		return // this is not a test but the other process of TestPostgresIsGoneAfterAKill
	}
	d := Postgres(t)
	fmt.Println("socket folder: " + d.Socket)
	select {}
}

func TestWatchdogStopsOnDemand(t *testing.T) {
	name := filepath.Join(t.TempDir(), "it's made")
	stop, err := watchdog("echo yes >" + quote(name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the script ran before its time")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "yes\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestKillMarked(t *testing.T) {
	external(t)
	start := func(value string) *exec.Cmd {
		cmd := exec.Command("sleep", "600")
		cmd.Env = append(os.Environ(), "TESTENV_MARK="+value)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	marked, other := start("one"), start("one more")
	if err := runScript(killMarked("TESTENV_MARK", "one")); err != nil {
		t.Log(err) // the exit code is that of the last process looked at
	}
	if err := marked.Wait(); err == nil {
		t.Error("the marked process was not killed")
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process: %v", err)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
}

func TestMissingComponentNamesTheCommand(t *testing.T) {
	if os.Getuid() == 0 {
		t.Setenv("PATH", t.TempDir()) // root without apt
	}
	_, err := locate(component{name: "Nothing", packages: []string{"a", "b"}, find: onPath("no-such-program")})
	if err == nil || !strings.Contains(err.Error(), "apt-get install -y --no-install-recommends a b") {
		t.Errorf("%v", err)
	}
}

func TestLockFileIsExclusive(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	var inside, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			unlock, err := lockFile(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}
}

func TestBrowserSeesWhatGoesWrong(t *testing.T) {
	external(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<link rel="icon" href="data:,"><h1 id="there">Hello</h1><a id="get" href="/file">get</a><script>
console.error("to the console", 7); fetch("/missing"); fetch("/allowed");
setTimeout(() => { throw new Error("thrown") });
</script>`)
		case "/file":
			w.Header().Set("Content-Disposition", `attachment; filename="a.txt"`)
			_, _ = io.WriteString(w, "content")
		default:
			http.Error(w, "no", http.StatusNotFound)
		}
	}))
	defer web.Close()
	// The browser reports failures when the test it was given ends: that has to be another than this one.
	inner := &recorder{TB: t}
	b := OpenBrowser(inner, `/allowed answers 404$`)
	b.Do("the page", 20*time.Second, chromedp.Navigate(web.URL), chromedp.WaitVisible(chromedp.CSS("#there")))
	b.Do("a download", 20*time.Second, chromedp.Click(chromedp.CSS("#get")))
	name, file := b.Download(20 * time.Second)
	if text, err := os.ReadFile(file); name != "a.txt" || err != nil || string(text) != "content" {
		t.Errorf("download %s: %q, %v", name, text, err)
	}
	if shot := b.Screenshot("the Page!"); !strings.HasSuffix(shot, "01-the-page-.png") {
		t.Errorf("screenshot %s", shot)
	}
	want := []string{"console error: to the console 7", "page error: Uncaught Error: thrown", "GET " + web.URL + "/missing answers 404"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := poll(ctx, nil, func() error {
		if got := len(b.Failures()); got != len(want) {
			return fmt.Errorf("%d failures: %q", got, b.Failures())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(b.Failures(), "\n")
	for _, one := range want {
		if !strings.Contains(all, one) {
			t.Errorf("no «%s» in\n%s", one, all)
		}
	}
	inner.end()
	if len(inner.errors) != len(want) {
		t.Errorf("the test was told %q", inner.errors)
	}
}

// recorder is a test inside of a test, whose failures are looked at.
type recorder struct {
	testing.TB
	errors, logs []string
	cleanups     []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recorder) Failed() bool     { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) end() {
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

func TestPythonHasBioBlend(t *testing.T) {
	python := Python(t, BioBlend)
	output, err := exec.Command(python, "-c", "import bioblend, requests; print(bioblend.get_version())").CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != "1.9.0" {
		t.Errorf("%v: %s", err, output)
	}
}
