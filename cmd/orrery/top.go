package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"orrery/internal/admin"
)

// runTop is `orrery top`: what the server does, live in the terminal.
func runTop(args []string) error {
	fs := newFlags("top")
	c := controlFlags(fs)
	once := fs.Bool("once", false, "print one view without control characters, and end")
	interval := fs.Duration("interval", 2*time.Second, "`TIME` between two views, such as 500ms; the rates of --once and --json are of it too")
	sorting := fs.String("sort", string(admin.ByName), "`ORDER` of web workers and handlers: name, rate, memory or latency")
	if _, err := parseWords(fs, args, 0); err != nil {
		return err
	}
	orders := []string{string(admin.ByName), string(admin.ByRate), string(admin.ByMemory), string(admin.ByLatency)}
	if !slices.Contains(orders, *sorting) {
		return usageError("--sort is one of %s, not %q", strings.Join(orders, ", "), *sorting)
	}
	if *interval < 100*time.Millisecond || *interval > time.Hour {
		return usageError("--interval is from 100ms to 1h")
	}
	if err := c.open(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	collector := admin.NewCollector(runDir(c.cfg))
	seen := false // one that is restarted meanwhile is waited for
	take := func(ctx context.Context) (admin.Snapshot, error) {
		if err := c.dial(); err != nil { // one that was restarted is found again
			return admin.Snapshot{}, err
		}
		s := collector.Collect(ctx, c.reports...)
		if len(s.Supervisors)+len(s.Processes) == 0 {
			s.Problem = c.errNotRunning().Error()
			if !seen {
				return s, c.errNotRunning()
			}
		}
		seen = true
		return s, nil
	}
	color := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if !*once && !c.json {
		t := admin.Terminal{In: os.Stdin, Out: os.Stdout, Interval: *interval, Order: admin.Order(*sorting), Color: color}
		return t.Show(ctx, take)
	}
	first, err := take(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return errors.New("interrupted")
	case <-time.After(*interval):
	}
	second, err := take(ctx)
	if err != nil {
		return err
	}
	view := admin.NewView(second, first)
	view.Sort(admin.Order(*sorting))
	if c.json {
		return printJSON(c.out, view)
	}
	for _, line := range view.Screen(admin.Width(os.Stdout), 0, admin.Order(*sorting), color && admin.Width(os.Stdout) > 0) {
		if _, err := c.out.Write([]byte(line + "\n")); err != nil {
			return err
		}
	}
	return nil
}
