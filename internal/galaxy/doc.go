// Package galaxy holds the domain's nouns: states and what follows which,
// encoded ids, passwords, and errors with a kind that becomes an HTTP status.
//
// It imports only the standard library and golang.org/x/crypto, and nothing in
// it needs a database. Begin reading at state.go.
package galaxy
