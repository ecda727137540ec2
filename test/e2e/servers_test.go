package e2e

import (
	"os"
	"strings"
	"testing"

	"orrery/internal/testenv"
)

// server is what a test of the suite talks to.
type server struct {
	URL string
	Key string // the bootstrap administrator's API key
	// Own is nil when the server was started by somebody else.
	Own *testenv.Instance
}

type layout struct {
	name    string
	options testenv.Options
}

func layouts() []layout {
	return []layout{
		{"SQLite", testenv.Options{}},
		{"PostgreSQL", testenv.Options{Postgres: true, WebWorkers: 2, Handlers: 2}},
	}
}

// onEachServer runs a test on SQLite, all in one process, and on PostgreSQL with 2 web workers and 2 job handlers. With
// ORRERY_E2E_URL (and ORRERY_E2E_KEY) it runs on that server instead, which may also be a Galaxy.
func onEachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	if url := os.Getenv("ORRERY_E2E_URL"); url != "" {
		test(t, server{URL: strings.TrimRight(url, "/"), Key: os.Getenv("ORRERY_E2E_KEY")})
		return
	}
	for _, layout := range layouts() {
		t.Run(layout.name, func(t *testing.T) {
			layout.options.Settings = map[string]any{
				// The tests' own web servers, from which datasets are fetched by their address.
				"fetch_url_allowlist": "127.0.0.0/8,::1/128",
			}
			own := testenv.Server(t, layout.options)
			test(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own})
		})
	}
}
