// Package listening holds the tests of where a server listens and what it speaks there, with the lines that Galaxy's
// documents print. They run on a host of their own, whose ports are all free. It is made of tests only; begin with
// listening_test.go.
package listening
