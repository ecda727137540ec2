package wake

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// channel is the one NOTIFY channel.
	channel = "orrery_wake"
	// postgresRole is that of the process of each host that listens to it.
	postgresRole = "postgresql"
	// notifyIdle is how long the connection that notifies is kept unused.
	notifyIdle = 10 * time.Second
)

// notifyAll sends several payloads.
const notifyAll = "SELECT pg_notify($1, p) FROM unnest($2::text[]) p"

// notice is the payload of a NOTIFY.
type notice struct {
	// Origin is the process that sent it: its host knows already.
	Origin string
	Kind   string
	Topic  string
}

// JoinPostgreSQL lets wake-ups travel between hosts through the database, until
// ctx ends or the bus is closed. One process of each host has a connection that listens, and for what
// there is to tell another one, which it closes after a while; it passes on what
// comes to the others. A broken connection is opened again, and every topic is
// woken after that, since something may have been missed.
//
// It needs sessions of its own: behind PgBouncer's pooling by transactions or
// statements it hears nothing, and hosts find each other's jobs by looking.
func (b *Bus) JoinPostgreSQL(ctx context.Context, dsn string) {
	pending := make(chan notice, 256)
	put := func(n notice) {
		select {
		case pending <- n:
		default: // as many wake-ups are already on their way
		}
	}
	b.Serve(postgresRole, func(payload []byte, _ func([]byte)) {
		var n notice
		if json.Unmarshal(payload, &n) == nil {
			put(n)
		}
	})
	b.mu.Lock()
	b.remote = func(m message) { b.toPostgreSQL(notice{Kind: m.Kind, Topic: m.Topic}) }
	b.mu.Unlock()
	b.start(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { // Close ends it too
			select {
			case <-b.closing:
				cancel()
			case <-ctx.Done():
			}
		}()
		b.Hold(ctx, postgresRole, func(ctx context.Context) {
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				b.notify(ctx, dsn, pending)
			}()
			b.keep(ctx, dsn, func(conn *pgx.Conn) error { return b.listen(ctx, conn) })
			<-sent
		})
	})
}

// toPostgreSQL gives a wake-up to the process of this host that notifies. Just
// after that one died there is none for a moment.
func (b *Bus) toPostgreSQL(n notice) {
	payload, err := json.Marshal(n)
	if err != nil || b.tell(postgresRole, payload) {
		return
	}
	b.start(func() {
		for range 4 {
			select {
			case <-b.closing:
				return
			case <-time.After(roleCheck):
			}
			if b.tell(postgresRole, payload) {
				return
			}
		}
	})
}

// keep runs f with a connection, again and again.
func (b *Bus) keep(ctx context.Context, dsn string, f func(*pgx.Conn) error) {
	for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 10*time.Second) {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			wait = 100 * time.Millisecond
			err = f(conn)
			_ = conn.Close(context.WithoutCancel(ctx))
		}
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("the connection for wake-ups broke; opening it again", "error", err)
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// notify sends what is pending. PostgreSQL serialises notifying commits, so
// equal wake-ups that gather during one round trip are sent once.
func (b *Bus) notify(ctx context.Context, dsn string, pending <-chan notice) {
	var conn *pgx.Conn
	idle := time.NewTimer(notifyIdle)
	defer idle.Stop()
	hangUp := func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
			conn = nil
		}
	}
	defer hangUp()
	for {
		notices := map[notice]bool{}
		select {
		case n := <-pending:
			notices[n] = true
		case <-idle.C:
			hangUp()
			continue
		case <-ctx.Done():
			return
		}
	more:
		for {
			select {
			case n := <-pending:
				notices[n] = true
			default:
				break more
			}
		}
		payloads := make([]string, 0, len(notices))
		for n := range notices {
			n.Origin = b.socket
			text, err := json.Marshal(n)
			if err == nil && len(text) < 8000 { // PostgreSQL's limit on a payload
				payloads = append(payloads, string(text))
			}
		}
		for try := range 2 { // a connection that was kept may have died meanwhile
			var err error
			if conn == nil {
				conn, err = pgx.Connect(ctx, dsn)
			}
			if err == nil {
				_, err = conn.Exec(ctx, notifyAll, channel, payloads)
			}
			if err == nil {
				break
			}
			hangUp()
			if try == 1 && ctx.Err() == nil {
				b.log.Warn("telling other hosts of new jobs failed; they find them by looking", "error", err)
			}
		}
		idle.Reset(notifyIdle)
	}
}

func (b *Bus) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	b.WakeHost("")
	for {
		got, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var n notice
		if err := json.Unmarshal([]byte(got.Payload), &n); err != nil {
			b.log.Warn("a notification that is no wake-up came in", "error", err)
			continue
		}
		if n.Origin != b.socket {
			b.fromElsewhere(message{Kind: n.Kind, Topic: n.Topic})
		}
	}
}
