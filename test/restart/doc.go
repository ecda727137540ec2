// Package restart holds the tests of restarts that nobody notices: real processes are replaced, or die, while clients that
// forgive nothing (package bench/traffic) ask them over every kind of listener and send and fetch files. It is made of
// tests only; bench/restart.go measures the same for longer.
package restart
