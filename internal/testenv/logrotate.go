package testenv

import "testing"

var logrotate = component{name: "logrotate", packages: []string{"logrotate"}, find: onPath("logrotate", "/usr/sbin/logrotate")}

// Logrotate returns the path of Debian's logrotate.
func Logrotate(t testing.TB) string {
	t.Helper()
	external(t)
	return need(t, logrotate)
}
