// Package commands runs the commands that Galaxy's documents on scaling print, with their own lines, and those of gravity
// on a running server. Begin reading at commands_test.go.
package commands
