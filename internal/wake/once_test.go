package wake_test

import (
	"context"
	"testing"

	"orrery/internal/testenv"
	"orrery/internal/wake"
)

func TestACommandWakesOtherHosts(t *testing.T) {
	db := testenv.Postgres(t)
	handler, command := open(t, t.TempDir(), "h1", true), open(t, t.TempDir(), "pool", false)
	woken := handler.Subscribe(wake.Jobs("special"))
	handler.JoinPostgreSQL(context.Background(), db.URL()) // until it is closed
	<-woken
	flush := command.ForOnce(db.URL())
	if err := flush(t.Context()); err != nil {
		t.Error(err)
	}
	command.Wake(wake.Jobs("special"))
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-woken
	if err := handler.Close(); err != nil {
		t.Error(err)
	}
}
