package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"orrery/internal/upload"
)

// runDataFetch is the command of an upload's job.
func runDataFetch(args []string) error {
	if len(args) != 1 {
		return errors.New("it takes one argument, the file that says what to fetch; the server calls it itself")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return upload.Fetch(ctx, args[0], os.Stderr)
}
