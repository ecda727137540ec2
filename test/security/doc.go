// Package security holds the tests that look at a server as an attacker does: what its processes may, which files and
// sockets others can reach, what is spoken over TLS, and what clients with bad intentions achieve. It is made of tests
// only; begin with root_test.go.
package security
