package store_test

import (
	"testing"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// TestAPausedTransactionIsEnded: else a paused process would keep its jobs locked.
func TestAPausedTransactionIsEnded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		query, want := "", "10s"
		switch db.Engine() {
		case store.PostgreSQL:
			query = "SHOW idle_in_transaction_session_timeout"
		case store.MySQL:
			query, want = "SELECT CAST(@@idle_transaction_timeout AS CHAR(8))", "10"
		default:
			return // a paused process keeps SQLite's lock
		}
		var got string
		if err := db.QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("a transaction may pause for %q, %v", got, err)
		}
	})
}
