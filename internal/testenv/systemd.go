package testenv

import "testing"

// SystemdAnalyze is the program that checks units without a systemd that runs.
func SystemdAnalyze(t testing.TB) string {
	t.Helper()
	external(t)
	return need(t, component{name: "systemd-analyze", find: onPath("systemd-analyze"), packages: []string{"systemd"}})
}

// SystemdSocketActivate is the program that hands sockets to a service as systemd does.
func SystemdSocketActivate(t testing.TB) string {
	t.Helper()
	external(t)
	return need(t, component{name: "systemd-socket-activate", find: onPath("systemd-socket-activate"), packages: []string{"systemd"}})
}
