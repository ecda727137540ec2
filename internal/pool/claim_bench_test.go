package pool_test

import (
	"fmt"
	"testing"
	"time"

	"orrery/internal/pool"
	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// BenchmarkClaim claims with 4 free slots from 1,000 waiting jobs of 20 users,
// and again with 100,000 waiting and 200,000 finished ones.
func BenchmarkClaim(b *testing.B) {
	for _, batch := range []int{1, 4, 50} {
		for _, full := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/full=%v", batch, full), func(b *testing.B) {
				db := storetest.PostgreSQL(b)
				fill := func(n int, state string) {
					b.Helper()
					if err := db.Write(b.Context(), func(tx *store.Tx) error {
						_, err := tx.Exec(b.Context(), `INSERT INTO job (create_time, update_time, tool_id, state, handler, session_id, imported)
							SELECT now(), now(), 'cat1', ?, '_default_', i % 20 + 1, false FROM generate_series(1, ?) i`, state, n)
						return err
					}); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := db.Exec(b.Context(), "INSERT INTO galaxy_session (id, is_valid) SELECT i, true FROM generate_series(1, 20) i"); err != nil {
					b.Fatal(err)
				}
				if full {
					fill(200000, "ok")
					fill(100000, "new")
				}
				fill(1000+300*batch, "new")
				if _, err := db.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
					b.Fatal(err)
				}
				m, err := pool.Join(b.Context(), db, pool.Options{ServerName: "h1", Kind: "handler", Tags: []string{"_default_"}, Lease: time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				claimed := 0
				for b.Loop() {
					claims, err := m.Claim(b.Context(), batch)
					if err != nil {
						b.Fatal(err)
					}
					claimed += len(claims)
				}
				b.ReportMetric(float64(claimed)/b.Elapsed().Seconds(), "jobs/s")
				if err := m.Leave(b.Context()); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
