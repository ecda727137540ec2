// Package wake carries wake-ups between the server processes: «there are new
// jobs», «a job was cancelled». A wake-up is a hint. It may be lost, repeated or
// merged with others; whoever is woken looks into the database, and a slow poll
// stands behind it all.
//
// Processes of one host tell each other by datagrams to UNIX sockets in the run
// folder; on PostgreSQL a NOTIFY reaches other hosts too.
//
// It may import internal/galaxy. Begin reading at wake.go.
package wake
