package archtest

// mayImport says which of our packages each package may import directly. Names are relative to internal/. An arrow that
// is not here is a decision to take, not a line to add: if the code can live on the other side, it goes there.
var mayImport = map[string][]string{
	// The nouns and what depends on nothing else of ours.
	"galaxy":    {},
	"cheetah":   {},
	"datatype":  {"galaxy"},
	"jobdir":    {"galaxy"},
	"listen":    {},
	"telemetry": {"galaxy"},
	"wake":      {"galaxy"},

	"config":      {"galaxy"},
	"objectstore": {"galaxy"},
	"tool":        {"galaxy", "cheetah", "datatype"},

	// The database, and who may see what is in it.
	"store":        {"galaxy", "store/schema"},
	"store/schema": {},
	"access":       {"galaxy", "store"},

	// What people do with their data.
	"user":    {"galaxy", "store", "access"},
	"dataset": {"galaxy", "store", "access", "datatype", "objectstore"},
	"history": {"galaxy", "store", "access", "dataset"},
	"job":     {"galaxy", "store", "access", "dataset", "tool", "objectstore", "wake"},
	"upload":  {"galaxy", "store", "access", "job", "jobdir", "jobhandler", "tool", "datatype"},

	// The life of a job.
	"pool":         {"galaxy", "config", "store", "wake"},
	"destination":  {"galaxy", "config", "cheetah"},
	"runner":       {"galaxy", "jobdir"},
	"runner/local": {"galaxy", "jobdir", "runner"},
	"runner/slurm": {"galaxy", "jobdir", "runner"},
	"jobhandler": {"galaxy", "store", "wake", "job", "dataset", "pool", "destination", "runner", "jobdir", "tool", "datatype",
		"objectstore"},

	// HTTP.
	"api": {"galaxy", "store", "access", "user", "dataset", "history", "job", "jobdir", "pool", "upload", "tool", "datatype",
		"objectstore"},
	"web/client": {},
	"web":        {"galaxy", "access", "user", "api", "listen", "telemetry", "web/client"},

	"deployment": {"config", "listen"},
	"supervisor": {"deployment", "listen"},
	"admin":      {"galaxy", "telemetry", "deployment", "supervisor", "listen"},
	"units":      {"config", "deployment", "listen"},

	// For tests.
	"testenv":         {},
	"store/storetest": {"store", "testenv"},
	"archtest":        {},
}

// forTests are packages that every test may import, and nothing else may.
var forTests = []string{"testenv", "store/storetest"}

// testsAlso are further packages that a package's tests need to set their stage.
var testsAlso = map[string][]string{
	"web":        {"store"},
	"api":        {"wake"},
	"jobhandler": {"runner/local", "runner/slurm", "config"},
}

// onlyIn says which packages, tests apart, may import a package of the standard library or of another module: what one
// place wraps, the others do not touch. A name covers everything below it.
var onlyIn = map[string][]string{
	// Every query is in store; wake has one connection for LISTEN and NOTIFY. Tests make databases.
	"database/sql":                   {"store", "testenv"},
	"modernc.org/sqlite":             {"store"},
	"github.com/go-sql-driver/mysql": {"store", "testenv"},
	"github.com/jackc/pgx":           {"store", "wake", "testenv", "bench", "bench/river"},
	// Passwords and encoded ids are made in one place, HTML is cleaned in one, resumable uploads come in by one.
	"golang.org/x/crypto":     {"galaxy"},
	"github.com/microcosm-cc": {"dataset"},
	"github.com/tus/tusd":     {"upload"},
	// What is counted is kept in one place; others hand what happened to small interfaces of their own.
	"github.com/VictoriaMetrics/metrics": {"telemetry"},
	// Whoever wants to run a program goes through a runner; the supervisor starts this same program again, and listen asks
	// getent for users, which the standard library cannot without cgo.
	"os/exec": {"runner/local", "runner/slurm", "listen", "testenv", "bench", "cmd/orrery"},
	// Tests only.
	"testing":             {"testenv", "store/storetest"},
	"github.com/chromedp": {"testenv"},
	"github.com/getkin":   {},
}
