package telemetry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Levels beyond slog's own, for Galaxy's names.
const (
	LevelTrace    = slog.Level(-8)
	LevelCritical = slog.Level(12)
)

// ParseLevel reads Galaxy's log_level: TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL in any case. Other texts are Info.
func ParseLevel(name string) slog.Level {
	switch strings.ToUpper(name) {
	case "TRACE", "NOTSET":
		return LevelTrace
	case "DEBUG":
		return slog.LevelDebug
	case "WARN", "WARNING":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	case "CRITICAL", "FATAL":
		return LevelCritical
	default:
		return slog.LevelInfo
	}
}

// Options say where a process's log goes.
type Options struct {
	// Process is the server's name, which stands in every line; "" leaves it out.
	Process string
	// File is the log file; its directory is made when it is missing. "" logs to Mirror alone, or to standard error when
	// that is nil.
	File string
	// Mirror gets every line too: standard error in the foreground.
	Mirror io.Writer
	// MirrorLevel is the lowest level that Mirror gets; nil is all that is logged.
	MirrorLevel slog.Leveler
	// Streams points standard output and standard error at File as well, so that a crash's last words are there.
	Streams bool
	Level   slog.Leveler // nil is Info
	Format  Format       // "" is Text
}

// Log is an open log. Its methods may be called by several goroutines.
type Log struct {
	*slog.Logger

	options Options
	mu      sync.Mutex
	file    *os.File
	access  []*AccessLog // written in bulk; reopened and closed with the log
}

// Open opens a process's log.
func Open(options Options) (*Log, error) {
	if options.Level == nil {
		options.Level = slog.LevelInfo
	}
	l := &Log{options: options}
	if options.File != "" {
		if err := os.MkdirAll(filepath.Dir(options.File), 0o755); err != nil {
			return nil, fmt.Errorf("making the directory of the log: %w", err)
		}
		if err := l.reopen(); err != nil {
			return nil, err
		}
	} else if options.Mirror == nil {
		l.options.Mirror = os.Stderr
	}
	form := textForm
	if options.Format == JSON {
		form = jsonForm
	}
	l.Logger = slog.New(&handler{log: l, process: options.Process, form: form})
	return l, nil
}

// ReopenOn opens the log and its access logs anew at each signal, SIGUSR1 as a rule, until stop is called.
func (l *Log) ReopenOn(sig ...os.Signal) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, sig...)
	go func() {
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			if err := l.Reopen(); err != nil {
				l.Error("the log could not be opened anew; the old file stays in use", "error", err)
			}
		}
	}()
	return sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
	})
}

// Reopen opens the log file and the access logs anew, after they were moved away by logrotate. On an error the old one
// stays in use.
func (l *Log) Reopen() error {
	var err error
	for _, a := range l.accessLogs() {
		err = errors.Join(err, a.reopen())
	}
	return errors.Join(err, l.reopen())
}

func (l *Log) accessLogs() []*AccessLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.access)
}

func (l *Log) reopen() error {
	if l.options.File == "" {
		return nil
	}
	file, err := os.OpenFile(l.options.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	if l.options.Streams {
		for _, stream := range []int{1, 2} {
			if err := syscall.Dup3(int(file.Fd()), stream, 0); err != nil {
				return errors.Join(fmt.Errorf("pointing standard output at the log: %w", err), file.Close())
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	l.file = file
	if old != nil {
		return old.Close()
	}
	return nil
}

// Close writes what is still to be written and closes the log file. Later lines go to Mirror only.
func (l *Log) Close() error {
	var err error
	for _, a := range l.accessLogs() {
		err = errors.Join(err, a.close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return err
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}

// write writes one line. A log that cannot be written, on a full disk for example, must not stop the work; the line
// still reaches the mirror.
func (l *Log) write(level slog.Level, line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.file != nil {
		_, err = l.file.Write(line)
	}
	if l.options.Mirror != nil && (l.options.MirrorLevel == nil || level >= l.options.MirrorLevel.Level()) {
		_, mirrorErr := l.options.Mirror.Write(line)
		err = errors.Join(err, mirrorErr)
	}
	return err
}
