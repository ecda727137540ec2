// Package wake carries wake-ups between the server processes: «there are new
// jobs», «a job was cancelled». A wake-up is a hint. It may be lost, repeated or
// merged with others; whoever is woken looks into the database, and a slow look
// stands behind it all.
//
// Processes of one host tell each other by datagrams to UNIX sockets in the run
// folder. What one listener is enough for goes to one that says there that it is
// idle; it answers, so that another is woken if it is stopped or dead. On
// PostgreSQL a NOTIFY reaches other hosts: one process of each host listens, by
// the way that processes of a host share roles (role.go).
//
// It may import internal/galaxy. Begin reading at wake.go.
package wake
