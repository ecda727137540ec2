package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"orrery/internal/store"
	"orrery/internal/store/storetest"
)

// newTagGroup writes tags; one that is called "bad" is refused, one called
// "panic" panics. Each transaction's size goes to sizes.
func newTagGroup(db *store.DB, sizes chan<- int) *store.Group[string] {
	return &store.Group[string]{DB: db, Run: func(ctx context.Context, tx *store.Tx, names []string) error {
		rows := make([][]any, len(names))
		for i, n := range names {
			switch n {
			case "bad":
				return errors.New("refused")
			case "panic":
				panic("a bug")
			}
			rows[i] = []any{n}
		}
		sizes <- len(names)
		return store.InsertRows(ctx, tx, "tag", []string{"name"}, rows)
	}}
}

func TestAGroupSharesTransactionsAndLosesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const callers = 40
		sizes := make(chan int, 2*callers)
		group := newTagGroup(db, sizes)
		failures := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				name := fmt.Sprintf("tag-%02d", i)
				switch i {
				case 7:
					name = "bad"
				case 8:
					name = "panic"
				}
				failures[i] = group.Write(t.Context(), name)
			})
		}
		wg.Wait()
		close(sizes)
		for i, err := range failures {
			var panicked *store.PanicError
			switch {
			case i == 7 && (err == nil || err.Error() != "refused"), i == 8 && !errors.As(err, &panicked), i != 7 && i != 8 && err != nil:
				t.Errorf("caller %d got %v", i, err)
			}
		}
		names, err := store.Column[string](t.Context(), db, "SELECT name FROM tag ORDER BY name")
		if err != nil || len(names) != callers-2 {
			t.Errorf("%d tags, %v", len(names), err)
		}
		for n := range sizes {
			if n > 16 {
				t.Errorf("%d shared one transaction", n)
			}
		}
	})
}

func TestAnEndedCallerOfAGroupGetsItsError(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := newTagGroup(db, make(chan int, 1)).Write(ctx, "late"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
