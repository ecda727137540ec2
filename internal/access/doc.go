// Package access says who may see and change what: ownership, roles, sharing.
// It is the one place for these rules, so that no route can forget them; a
// service asks here before it reads or writes on somebody's behalf.
//
// It imports galaxy and store. Begin reading at actor.go.
package access
