// Package storetest runs one test on every engine, each with a fresh database
// of its own.
//
// It imports store and testenv, and is imported by tests only.
package storetest
