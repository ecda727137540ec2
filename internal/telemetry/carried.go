package telemetry

import (
	"context"
	"log/slog"
)

// carriedKey is the context's key of what lines carry.
type carriedKey struct{}

// carried is what every line that is logged with a context says: a list, the newest first.
type carried struct {
	attr   slog.Attr
	before *carried
}

// With returns a context whose log lines say key=value as well, unless they say something else under that key. It is
// for what a whole piece of work is about: only lines that are logged with the context (InfoContext and its kin) have it.
func With(ctx context.Context, key string, value any) context.Context {
	before, _ := ctx.Value(carriedKey{}).(*carried)
	return context.WithValue(ctx, carriedKey{}, &carried{slog.Any(key, value), before})
}

// WithRequest returns a context whose log lines say request=ID.
func WithRequest(ctx context.Context, id string) context.Context { return With(ctx, "request", id) }

// carriedBy gives what a record's line says on behalf of its context, oldest first: nothing twice, and nothing that the
// record itself says.
func carriedBy(ctx context.Context, r slog.Record) []slog.Attr {
	if ctx == nil {
		return nil
	}
	c, _ := ctx.Value(carriedKey{}).(*carried)
	if c == nil {
		return nil
	}
	said := map[string]bool{}
	r.Attrs(func(a slog.Attr) bool {
		said[a.Key] = true
		return true
	})
	var attrs []slog.Attr
	for ; c != nil; c = c.before {
		if !said[c.attr.Key] {
			said[c.attr.Key] = true
			attrs = append([]slog.Attr{c.attr}, attrs...)
		}
	}
	return attrs
}
