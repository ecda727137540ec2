package wake_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orrery/internal/testenv"
	"orrery/internal/wake"
)

func open(t *testing.T, dir, name string, listen bool) *wake.Bus {
	t.Helper()
	b, err := wake.Open(dir, name, listen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestAWakeUpReachesEveryListener(t *testing.T) {
	dir := t.TempDir()
	web, handler, own := open(t, dir, "web", false), open(t, dir, "handler", true), open(t, dir, "own", true)
	h, o := handler.Subscribe("jobs"), own.Subscribe("jobs")
	other := handler.Subscribe("cancel")
	web.Wake("jobs")
	<-h
	<-o
	own.Wake("jobs")
	<-h
	<-o
	select {
	case <-other:
		t.Error("another topic was woken")
	default:
	}
}

func TestADeadListenerHurtsNobody(t *testing.T) {
	dir := t.TempDir()
	web := open(t, dir, "web", false)
	gone := open(t, dir, "gone", true)
	_ = gone.Close()
	alive := open(t, dir, "alive", true)
	ch := alive.Subscribe("jobs")
	web.Wake("jobs")
	<-ch
}

func TestALongRunFolderWorks(t *testing.T) {
	dir := t.TempDir() + "/" + strings.Repeat("long", 40)
	web, handler := open(t, dir, "web", false), open(t, dir, "handler", true)
	ch := handler.Subscribe("jobs")
	web.Wake("jobs")
	<-ch
}

func TestOneIdleListenerIsWoken(t *testing.T) {
	dir := t.TempDir()
	web, first, second := open(t, dir, "web", false), open(t, dir, "h1", true), open(t, dir, "h2", true)
	topic := wake.Jobs("special")
	one, two := first.Subscribe(topic), second.Subscribe(topic)
	first.SetIdle([]string{topic}, false)
	for range 20 {
		web.WakeOne(topic)
		<-two
	}
	select {
	case <-one:
		t.Error("a listener that is not idle was woken")
	default:
	}
	first.SetIdle([]string{topic}, true)
	second.SetIdle([]string{topic}, false)
	web.WakeOne(topic)
	<-one
	// Nobody is told of a topic who is not idle, whoever wakes everybody.
	web.Wake(topic)
	<-one
	if len(two) != 0 {
		t.Error("a listener that is not idle was woken with the others")
	}
}

func TestTheCreatingProcessComesFirst(t *testing.T) {
	dir := t.TempDir()
	own, other := open(t, dir, "main.web.1", true), open(t, dir, "main.web.2", true)
	topic := wake.Jobs("_default_")
	o, x := own.Subscribe(topic), other.Subscribe(topic)
	for range 20 {
		own.WakeOne(topic)
		<-o
	}
	if len(x) != 0 {
		t.Error("the other was woken although the own process is idle")
	}
	own.SetIdle([]string{topic}, false)
	own.WakeOne(topic)
	<-x
}

// A process that was stopped with the wake-up in hand does not answer.
func TestTheNextIsWokenWhenOneDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	topic := wake.Jobs("_default_")
	web := open(t, dir, "web", false)
	alive := open(t, dir, "alive", true)
	ch := alive.Subscribe(topic)
	sockets, folder := alive.Folders(topic)
	stopped, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(sockets, "stopped.wake"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Close()
	if err := os.Symlink(filepath.Join("..", "..", "stopped.wake"), filepath.Join(folder, "stopped.wake")); err != nil {
		t.Fatal(err)
	}
	for range 8 { // whoever is chosen first
		web.WakeOne(topic)
		<-ch
	}
}

func TestARoleIsHeldByOneAndPassesOn(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir, "h1", true), open(t, dir, "h2", true)
	held := make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	hold := func(ctx context.Context, b *wake.Bus, name string) {
		b.Serve("leader", func(payload []byte, answer func([]byte)) {
			answer([]byte(`"` + name + ` has ` + string(payload) + `"`))
		})
		done.Go(func() {
			b.Hold(ctx, "leader", func(ctx context.Context) {
				held <- name
				<-ctx.Done()
			})
		})
	}
	hold(ctx, first, "h1")
	if got := <-held; got != "h1" {
		t.Fatalf("%s has the role", got)
	}
	rest, end := context.WithCancel(t.Context())
	hold(rest, second, "h2")
	if got, err := second.Ask(t.Context(), "leader", []byte("1")); err != nil || string(got) != `"h1 has 1"` {
		t.Errorf("asked %s, %v", got, err)
	}
	stop()
	if got := <-held; got != "h2" {
		t.Fatalf("then %s has the role", got)
	}
	if got, err := first.Ask(t.Context(), "leader", []byte("2")); err != nil || string(got) != `"h2 has 2"` {
		t.Errorf("then asked %s, %v", got, err)
	}
	end()
	done.Wait()
	if _, err := first.Ask(t.Context(), "nobody", []byte("3")); !errors.Is(err, wake.ErrNobody) {
		t.Errorf("asked nobody: %v", err)
	}
}

func TestPostgreSQLCarriesWakeUpsBetweenHosts(t *testing.T) {
	db := testenv.Postgres(t)
	here, there := open(t, t.TempDir(), "web", false), t.TempDir()
	h1, h2 := open(t, there, "h1", true), open(t, there, "h2", true)
	topic := wake.Jobs("special")
	one, two, all := h1.Subscribe(topic), h2.Subscribe(topic), h2.Subscribe("cancel")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, b := range []*wake.Bus{h1, h2, here} {
		b.JoinPostgreSQL(ctx, db.URL())
	}
	<-one // listening wakes once, since something may have been missed
	<-two
	<-all
	here.Wake("cancel")
	<-all
	h1.SetIdle([]string{topic}, false)
	here.WakeOne(topic)
	<-two
	if n := connections(t, db); n > 4 { // this look, one that notifies and a listening one per host
		t.Errorf("%d connections for three processes on two hosts", n)
	}
	stop()
}

func connections(t *testing.T, db testenv.Database) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A process that is stopped keeps its locks, and must not keep its roles.
func TestARoleIsTakenFromWhoDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir, "h1", true), open(t, dir, "h2", true)
	held, given := make(chan string, 4), make(chan string, 4)
	var done sync.WaitGroup
	hold := func(ctx context.Context, b *wake.Bus, name string) {
		done.Go(func() {
			b.Hold(ctx, "leader", func(ctx context.Context) {
				held <- name
				<-ctx.Done()
				given <- name
			})
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	first.Serve("leader", func([]byte, func([]byte)) {}) // never answers
	second.Serve("leader", func(_ []byte, answer func([]byte)) { answer([]byte("2")) })
	hold(ctx, first, "h1")
	<-held
	hold(ctx, second, "h2")
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := second.Ask(soon, "leader", []byte("1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("asked %s, %v", got, err)
	}
	if got := <-given; got != "h1" {
		t.Errorf("%s gave the role up", got)
	}
	<-held // either may have it now
	stop()
	done.Wait()
}
