// Package e2e holds the tests that see Orrery from outside: a person's browser, a scientist's script, an administrator
// who kills processes. It is made of tests only; begin with servers_test.go.
//
// Every test runs against servers that it starts itself; to run one against another server, set ORRERY_E2E_URL and,
// for its administrators, ORRERY_E2E_KEY (the bootstrap key) and ORRERY_E2E_ADMIN_PASSWORD (of admin@example.org).
// ORRERY_SCREENSHOTS names a folder to keep the browser's pictures in.
package e2e
