// Package strategies starts the server in each way that Galaxy's documents on scaling describe, by the commands and the
// lines of configuration that they print, runs jobs, looks at which process handled each, and stops it.
//
// The documents' fragments are those of internal/deployment/testdata. What is added to them is what they leave out: the
// tools, a runner and a destination, a free port. Begin reading at strategies_test.go; hosts_test.go has several hosts,
// zerg_test.go Zerg Mode.
package strategies
