package wake

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is the one NOTIFY channel; the topic is the payload.
const channel = "orrery_wake"

// JoinPostgreSQL lets wake-ups travel between hosts through the database, until
// ctx ends: one connection listens, another notifies. A broken connection is
// opened again, and every topic is woken after that, since something may have
// been missed.
func (b *Bus) JoinPostgreSQL(ctx context.Context, dsn string) {
	pending := make(chan string, 64)
	b.mu.Lock()
	b.remote = func(topic string) {
		select {
		case pending <- topic:
		default: // as many wake-ups are already on their way
		}
	}
	b.mu.Unlock()
	go b.keep(ctx, dsn, func(conn *pgx.Conn) error { return b.notify(ctx, conn, pending) })
	if b.conn != nil {
		go b.keep(ctx, dsn, func(conn *pgx.Conn) error { return b.listen(ctx, conn) })
	}
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
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// notify sends what is pending. PostgreSQL serialises notifying commits, so
// equal topics that gather during one round trip are sent once.
func (b *Bus) notify(ctx context.Context, conn *pgx.Conn, pending <-chan string) error {
	for {
		topics := map[string]bool{}
		select {
		case t := <-pending:
			topics[t] = true
		case <-ctx.Done():
			return nil
		}
	more:
		for {
			select {
			case t := <-pending:
				topics[t] = true
			default:
				break more
			}
		}
		for t := range topics {
			// The sender's host has been told by its sockets: the payload names it.
			if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", channel, t); err != nil {
				return err
			}
		}
	}
}

func (b *Bus) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	b.mu.Lock()
	topics := make([]string, 0, len(b.subscribers))
	for t := range b.subscribers {
		topics = append(topics, t)
	}
	b.mu.Unlock()
	for _, t := range topics {
		b.deliver(t)
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		b.deliver(n.Payload)
	}
}
