package wake

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ForOnce is JoinPostgreSQL for a process that ends at once, such as a command of
// an administrator's: what it wakes is sent to all hosts when it calls flush.
func (b *Bus) ForOnce(dsn string) (flush func(ctx context.Context) error) {
	var notices []notice
	b.mu.Lock()
	b.remote = func(m message) {
		if n := (notice{Kind: m.Kind, Topic: m.Topic}); !slices.Contains(notices, n) {
			notices = append(notices, n)
		}
	}
	b.mu.Unlock()
	return func(ctx context.Context) error {
		if len(notices) == 0 {
			return nil
		}
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		for _, n := range notices { // few: what one command moved
			payload, err := json.Marshal(n)
			if err == nil {
				_, err = conn.Exec(ctx, "SELECT pg_notify($1, $2)", channel, string(payload))
			}
			if err != nil {
				_ = conn.Close(context.WithoutCancel(ctx))
				return err
			}
		}
		return conn.Close(context.WithoutCancel(ctx))
	}
}
