package telemetry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"
)

// ProfileVariable names the environment variable with the folder for ServeProfiles. It is meant for developers.
const ProfileVariable = "ORRERY_PROFILES"

// ServeProfiles offers Go's profiles of this process on the UNIX socket <process>.sock in a folder, and nowhere else: they
// tell what the process works on. The folder is made for its owner alone. An empty name does nothing. For example:
//
//	curl --unix-socket web_0.sock 'http://x/debug/pprof/profile?seconds=5' >cpu
func ServeProfiles(dir, process string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for profiles: %w", err)
	}
	path := filepath.Join(dir, filepath.Base(process)+".sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of an earlier process
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("offering profiles: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return server.Close, nil
}
