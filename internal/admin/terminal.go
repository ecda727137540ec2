package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal shows views on a terminal until its person quits.
type Terminal struct {
	In, Out *os.File
	// Interval is the time between two views.
	Interval time.Duration
	Order    Order
	Color    bool
}

// Width is how many characters a line of a terminal has; 0 when f is none.
func Width(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// Show takes snapshots and shows them until q or Ctrl-C is typed, the terminal is gone or ctx ends. The terminal is as
// before afterwards.
func (t *Terminal) Show(ctx context.Context, take func(context.Context) (Snapshot, error)) (err error) {
	before, err := unix.IoctlGetTermios(int(t.In.Fd()), unix.TCGETS)
	if err != nil {
		return errors.New("standard input is no terminal; with --once or --json none is needed")
	}
	if Width(t.Out) == 0 {
		return errors.New("standard output is no terminal; with --once or --json none is needed")
	}
	raw := *before
	raw.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Iflag &^= unix.IXON | unix.ICRNL
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(t.In.Fd()), unix.TCSETS, &raw); err != nil {
		return err
	}
	defer func() {
		_, _ = io.WriteString(t.Out, "\x1b[?25h\x1b[?1049l") // the cursor, and what was on the screen
		err = errors.Join(err, unix.IoctlSetTermios(int(t.In.Fd()), unix.TCSETS, before))
	}()
	if _, err := io.WriteString(t.Out, "\x1b[?1049h\x1b[?25l"); err != nil {
		return err
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	keys := make(chan byte)
	stop := make(chan struct{})
	defer close(stop)
	go readKeys(t.In, keys, stop)
	tick := time.NewTicker(t.Interval)
	defer tick.Stop()
	var last, now Snapshot
	look := func() error {
		next, err := take(ctx)
		if err != nil {
			return err
		}
		last, now = now, next
		return nil
	}
	if err := look(); err != nil {
		return err
	}
	for {
		view := NewView(now, last)
		if err := t.draw(view); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case key, ok := <-keys:
			if !ok {
				return nil
			}
			switch key {
			case 'q', 'Q', 3, 4, 27: // Ctrl-C, Ctrl-D, Escape
				return nil
			case 'n':
				t.Order = ByName
			case 'r':
				t.Order = ByRate
			case 'm':
				t.Order = ByMemory
			case 'l':
				t.Order = ByLatency
			}
		case <-tick.C:
			if err := look(); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// readKeys gives the keys that are typed. Of those that send several bytes, such as the arrows, none is given.
func readKeys(in *os.File, keys chan<- byte, stop <-chan struct{}) {
	defer close(keys)
	buffer := make([]byte, 64)
	for {
		n, err := in.Read(buffer)
		if err != nil || n == 0 {
			return
		}
		if n > 1 && buffer[0] == 27 {
			continue
		}
		for _, key := range buffer[:n] {
			select {
			case keys <- key:
			case <-stop:
				return
			}
		}
	}
}

// draw writes a whole screen at once, so that it does not flicker.
func (t *Terminal) draw(v View) error {
	size, err := unix.IoctlGetWinsize(int(t.Out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("asking for the terminal's size: %w", err)
	}
	v.Sort(t.Order)
	var b strings.Builder
	b.WriteString("\x1b[?2026h\x1b[H") // terminals that know it show the whole at once
	for i, text := range v.Screen(int(size.Col), int(size.Row), t.Order, t.Color) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(text + "\x1b[K")
	}
	b.WriteString("\x1b[J\x1b[?2026l")
	_, err = io.WriteString(t.Out, b.String())
	return err
}
