// Package listen opens the sockets that the server listens on, TCP and UNIX, takes over sockets that systemd or the
// supervisor opened before, and hands descriptors over to child processes.
//
// A [Socket] is a bare descriptor that this process does not accept on, so that a supervisor which only keeps it open is
// not woken by every connection; [Socket.Listener] makes it an ordinary listener in the process that serves.
//
// The package imports the standard library only. Begin reading at [Open] in socket.go; address.go reads bind strings,
// inherit.go takes sockets over.
package listen
