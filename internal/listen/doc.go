// Package listen opens the sockets that the server listens on, TCP and UNIX, takes over sockets that systemd, the
// supervisor, another process or a Zerg pool opened before, hands descriptors over, and speaks what is spoken on them: TLS
// by certificates that change, redirects, the uwsgi protocol. What needs root to be opened is opened before root's
// privileges are dropped, here as well.
//
// A [Socket] is a bare descriptor that this process does not accept on, so that a supervisor which only keeps it open is
// not woken by every connection; [Socket.Listener] makes it an ordinary listener in the process that serves. Its [Spec] says
// what is spoken there.
//
// The package imports the standard library and golang.org/x/sys only. Begin reading at [OpenSpec] in socket.go; address.go
// reads bind strings, unix.go makes UNIX sockets, inherit.go and pass.go hand sockets over from parent to child and from
// process to process, zerg.go to whoever attaches; uwsgi.go turns uwsgi's requests into HTTP, drop.go changes the user.
package listen
