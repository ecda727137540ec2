package wake_test

import (
	"log/slog"
	"strings"
	"testing"

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

func TestPostgreSQLCarriesWakeUpsBetweenHosts(t *testing.T) {
	db := testenv.Postgres(t)
	here, there := open(t, t.TempDir(), "web", false), open(t, t.TempDir(), "handler", true)
	ch := there.Subscribe("jobs")
	here.JoinPostgreSQL(t.Context(), db.URL())
	there.JoinPostgreSQL(t.Context(), db.URL())
	<-ch // listening wakes once, since something may have been missed
	here.Wake("jobs")
	<-ch
}
