// Package services holds the tests that run Orrery under other process managers: Debian's supervisord, with the programs
// that Galaxy's documents print and with those that `orrery update` writes, and systemd's units, as far as they can be
// checked without a systemd that runs. It is made of tests only; begin with supervisord_test.go.
package services
