// Package traffic is clients that forgive nothing: they ask a server without pause, over connections that they keep and over
// new ones, and send and fetch files slowly, while the server is restarted. A request is asked once, over one connection;
// another one is opened only when an answer said that the old one closes. Whatever else goes wrong is counted as failed.
//
// It imports the standard library only. Begin reading at traffic.go; client.go asks, transfer.go sends and fetches files.
package traffic
