// Package archtest holds the tests of the code's shape: which package may import which, which third-party modules belong
// where, and that each package says what it is for. It is made of tests only; the table to change when a package is added
// is in rules_test.go, and docs/architecture.md gives the reasons.
package archtest
