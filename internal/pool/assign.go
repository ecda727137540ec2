package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"

	"orrery/internal/store"
)

// The assignment methods, as Galaxy names them.
const (
	MemSelf              = "mem-self"
	DBSelf               = "db-self"
	DBPreassign          = "db-preassign"
	TransactionIsolation = "db-transaction-isolation"
	SkipLocked           = "db-skip-locked"
	MuleMessage          = "uwsgi-mule-message"
)

// DefaultTag is the tag of handlers without one of their own.
const DefaultTag = "_default_"

// AssignOptions say where new jobs are sent. They are plain data of the job
// configuration.
type AssignOptions struct {
	// Methods are tried in their order.
	Methods []string
	// Default is the default handler or tag; "" means DefaultTag.
	Default string
	// Mapping gives the handler that a tool is mapped to, "" for none, and whether
	// that is the id of a declared handler and not a tag.
	Mapping func(toolID string) (target string, isID bool)
	// Handlers are the configured handlers of each tag, and of each id itself.
	Handlers map[string][]string
	// Farms are the tags that have a farm of mules.
	Farms []string
	// ServerName is this process's.
	ServerName string
	// DB tells which handlers have a lease that lasts.
	DB  *store.DB
	Log *slog.Logger
}

// Assigner chooses what is written into job.handler of a new job.
type Assigner struct {
	opts  AssignOptions
	alive aliveNames
}

// NewAssigner makes an Assigner.
func NewAssigner(opts AssignOptions) *Assigner {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Default == "" {
		opts.Default = DefaultTag
	}
	if opts.Mapping == nil {
		opts.Mapping = func(string) (string, bool) { return "", false }
	}
	return &Assigner{opts: opts, alive: aliveNames{db: opts.DB}}
}

// errSkip says that a method leaves a job to the next one.
var errSkip = errors.New("this method does not assign the job")

// Assign gives the handler of a new job of a tool: a server's name, or a tag whose
// members claim it. A tool that is mapped to the id of a handler goes there
// before any method is tried, unless mem-self is the only one. An error when no
// method can assign it.
func (a *Assigner) Assign(ctx context.Context, toolID string) (string, error) {
	target, isID := a.opts.Mapping(toolID)
	onlySelf := len(a.opts.Methods) == 1 && a.opts.Methods[0] == MemSelf
	if isID && !onlySelf {
		return target, nil
	}
	var errs []error
	for _, method := range a.opts.Methods {
		handler, err := a.by(ctx, method, target)
		if err == nil {
			return handler, nil
		}
		if !errors.Is(err, errSkip) {
			a.opts.Log.Warn("an assignment method failed; the next one is tried", "method", method, "tool", toolID, "error", err)
			errs = append(errs, fmt.Errorf("%s: %w", method, err))
		}
	}
	return "", fmt.Errorf("no handler could be assigned to a job of %s: %w", toolID, errors.Join(append(errs, errNoMethod)...))
}

var errNoMethod = errors.New("none of the assignment methods of the job configuration (assign_with) applies")

func (a *Assigner) by(ctx context.Context, method, target string) (string, error) {
	switch method {
	case MemSelf:
		return a.opts.ServerName, nil
	case DBSelf:
		if target != "" {
			return a.preassign(ctx, target)
		}
		return a.opts.ServerName, nil
	case DBPreassign:
		return a.preassign(ctx, orDefault(target, a.opts.Default))
	case TransactionIsolation, SkipLocked:
		return orDefault(target, a.opts.Default), nil
	case MuleMessage:
		// The tag is written, and the one mule that gets the message claims; when it
		// dies with it, another does.
		tag := orDefault(target, DefaultTag)
		if !slices.Contains(a.opts.Farms, tag) {
			return "", errSkip
		}
		return tag, nil
	}
	return "", fmt.Errorf("there is no such method; there are %s, %s, %s, %s, %s and %s",
		SkipLocked, TransactionIsolation, DBPreassign, DBSelf, MemSelf, MuleMessage)
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// preassign chooses at random among the configured handlers of a tag that live,
// or among all of them when none does.
func (a *Assigner) preassign(ctx context.Context, target string) (string, error) {
	handlers := a.opts.Handlers[target]
	if len(handlers) == 0 {
		return "", fmt.Errorf("the job configuration declares no handler with the id or tag %q", target)
	}
	if len(handlers) == 1 {
		return handlers[0], nil
	}
	alive, err := a.alive.among(ctx, handlers)
	if err != nil {
		return "", err
	}
	if len(alive) == 0 {
		alive = handlers
	}
	return alive[rand.IntN(len(alive))], nil
}
