package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Group lets callers that want the same kind of change at the same time share a
// transaction: while one is under way, those who come meanwhile wait together
// for the next. What is made durable, and the locks that everybody needs, are
// then paid for once, and nobody waits when nobody else is there.
type Group[T any] struct {
	DB *DB
	// Run makes the changes of all items. When it fails for several, none is
	// made, and it is called again for each alone, so that one's error is not the
	// others'. Like the function of DB.Write it changes nothing outside of the
	// transaction, except for what the items point to.
	Run func(ctx context.Context, tx *Tx, items []T) error

	mu      sync.Mutex
	waiting []*grouped[T]
	running bool
}

// grouped is one caller's item.
type grouped[T any] struct {
	ctx  context.Context
	item T
	done chan error
}

const (
	// groupMost bounds a shared transaction, and with it how long the others
	// wait.
	groupMost = 16
	// groupPatience ends a shared transaction, which no single caller may.
	groupPatience = time.Minute
)

// Write makes the change of one item and returns when it is durable, or failed.
func (g *Group[T]) Write(ctx context.Context, item T) error {
	w := &grouped[T]{ctx: ctx, item: item, done: make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	first := !g.running
	g.running = true
	g.mu.Unlock()
	if first {
		go g.work()
	}
	return <-w.done
}

// work runs transactions until nobody waits.
func (g *Group[T]) work() {
	for {
		g.mu.Lock()
		batch := g.waiting[:min(len(g.waiting), groupMost)]
		g.waiting = g.waiting[len(batch):]
		if len(batch) == 0 {
			g.running, g.waiting = false, nil
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.together(batch)
	}
}

func (g *Group[T]) together(batch []*grouped[T]) {
	items := make([]T, 0, len(batch))
	for _, w := range batch {
		items = append(items, w.item)
	}
	if len(batch) > 1 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), groupPatience)
		err := g.write(ctx, items)
		cancel()
		if err == nil {
			for _, w := range batch {
				w.done <- nil
			}
			return
		}
	}
	for i, w := range batch {
		w.done <- g.write(w.ctx, items[i:i+1])
	}
}

// write turns a panic of Run into an error: it would end the process, since it
// is not in the caller's goroutine.
func (g *Group[T]) write(ctx context.Context, items []T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return g.DB.Write(ctx, func(tx *Tx) error { return g.Run(ctx, tx, items) })
}

// PanicError is a panic in a shared transaction.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }
