package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

var postgresql = component{
	name:     "PostgreSQL",
	packages: []string{"postgresql"},
	find: func() (string, bool) {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl") // Debian keeps them off the path
		if err == nil && len(found) > 0 {
			sort.Slice(found, func(i, j int) bool { return len(found[i]) < len(found[j]) || found[i] < found[j] })
			return found[len(found)-1], true
		}
		return onPath("pg_ctl")()
	},
}

// Database is one database of the test binary's own PostgreSQL server, for one test.
type Database struct {
	Name   string
	User   string // a superuser; no password is asked for
	Host   string // an address
	Port   int
	Socket string // the folder of the UNIX socket
	Log    string // the server's log file
}

// URL is the address in the form that pgx, psql and SQLAlchemy understand, over TCP.
func (d Database) URL() string {
	return (&url.URL{Scheme: "postgresql", User: url.User(d.User), Host: net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), Path: "/" + d.Name}).String()
}

// SocketURL is the address in SQLAlchemy's form for a UNIX socket.
func (d Database) SocketURL() string {
	return (&url.URL{Scheme: "postgresql", User: url.User(d.User), Path: "/" + d.Name, RawQuery: "host=" + d.Socket + "&port=" + strconv.Itoa(d.Port)}).String()
}

// cluster is the PostgreSQL server of this test binary. Each binary has its own, so packages may be tested at once.
type cluster struct {
	Database // the one called postgres
	names    atomic.Int64
	// restart stops the server in a mode of pg_ctl and starts it again.
	restart func(mode string) error

	mu        sync.Mutex
	templates map[string]error
}

var startCluster = sync.OnceValues(newCluster)

// Postgres returns a new empty database. The first call of a test binary starts a server for it, with its files in a
// temporary folder; both are gone when the binary ends. The database is dropped at the end of the test.
func Postgres(t testing.TB) Database {
	t.Helper()
	return PostgresWith(t, "", nil)
}

// PostgresWith returns a new database that is a copy of the template with the given name. The template is made once per
// test binary by prepare, which is given the address of an empty database and leaves no connection open.
func PostgresWith(t testing.TB, template string, prepare func(url string) error) Database {
	t.Helper()
	external(t)
	c, err := startCluster()
	if err != nil {
		t.Fatal(err)
	}
	database, err := c.create(t.Context(), template, prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.execute(context.Background(), "DROP DATABASE "+pgx.Identifier{database.Name}.Sanitize()+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return database
}

func (c *cluster) create(ctx context.Context, template string, prepare func(url string) error) (Database, error) {
	database := c.Database
	database.Name = fmt.Sprintf("test_%d", c.names.Add(1))
	source := "template0"
	if prepare != nil {
		source = "template_" + template
		if err := c.prepare(ctx, source, prepare); err != nil {
			return database, err
		}
	}
	// Copying one template by two connections at once is refused.
	c.mu.Lock()
	defer c.mu.Unlock()
	return database, c.execute(ctx, "CREATE DATABASE "+pgx.Identifier{database.Name}.Sanitize()+" TEMPLATE "+pgx.Identifier{source}.Sanitize())
}

func (c *cluster) prepare(ctx context.Context, name string, prepare func(url string) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err, done := c.templates[name]
	if !done {
		err = c.execute(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0")
		if err == nil {
			database := c.Database
			database.Name = name
			if err = prepare(database.URL()); err != nil {
				err = fmt.Errorf("preparing the template %s: %w", name, err)
			}
		}
		c.templates[name] = err
	}
	return err
}

func (c *cluster) execute(ctx context.Context, sql string) error {
	connection, err := pgx.Connect(ctx, c.URL())
	if err != nil {
		return fmt.Errorf("test database server: %w", err)
	}
	_, err = connection.Exec(ctx, sql)
	return errors.Join(err, connection.Close(ctx))
}

func newCluster() (*cluster, error) {
	control, err := locate(postgresql)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "orrery-pg-")
	if err != nil {
		return nil, err
	}
	// From here on the watchdog removes what is made, whatever happens; PostgreSQL refuses to run as root.
	as, attributes, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	data := filepath.Join(dir, "data")
	stop := quote(control) + " -D " + quote(data) + " -m immediate -w stop >/dev/null 2>&1\n"
	if attributes != nil {
		stop = "setpriv --reuid=" + as + " --regid=" + strconv.Itoa(int(attributes.Credential.Gid)) + " --clear-groups " + stop
	}
	if _, err := watchdog(stop + "rm -rf " + quote(dir) + "\n"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	run := func(program string, args ...string) error {
		cmd := exec.Command(filepath.Join(filepath.Dir(control), program), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		// A file, no pipe: the server inherits it and would keep a pipe open.
		output, err := os.CreateTemp(dir, "output-")
		if err != nil {
			return err
		}
		defer output.Close()
		cmd.Stdout, cmd.Stderr = output, output
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(output.Name())
			return fmt.Errorf("%s: %w\n%s", program, err, lastLines(string(text), 20))
		}
		return nil
	}
	if err := run("initdb", "-D", data, "-U", "orrery", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"); err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "log")
	// Another process may take the port between our look and PostgreSQL's: try again with another.
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=%s -c fsync=off -c synchronous_commit=off"+
			" -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB -c timezone=UTC -c log_timezone=UTC", port, dir)
		err = run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", log, "-o", options, "start")
		if err == nil {
			return &cluster{
				Database:  Database{Name: "postgres", User: "orrery", Host: "127.0.0.1", Port: port, Socket: dir, Log: log},
				templates: make(map[string]error),
				restart: func(mode string) error {
					return run("pg_ctl", "-D", data, "-w", "-t", "60", "-m", mode, "-l", log, "-o", options, "restart")
				},
			}, nil
		}
		text, _ := os.ReadFile(log)
		if attempt == 5 || !strings.Contains(string(text), "Address already in use") {
			return nil, fmt.Errorf("%w\n%s", err, lastLines(string(text), 20))
		}
	}
}

// unprivileged gives the folder to a user that is not root and returns how to start a process as that user; nil when
// this process is not root.
func unprivileged(dir string) (uid string, attributes *syscall.SysProcAttr, err error) {
	if os.Getuid() != 0 {
		return "", nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		var found *user.User
		if found, err = user.Lookup(name); err != nil {
			continue
		}
		uidNumber, err1 := strconv.Atoi(found.Uid)
		gid, err2 := strconv.Atoi(found.Gid)
		if err = errors.Join(err1, err2, os.Chown(dir, uidNumber, gid)); err != nil {
			return "", nil, err
		}
		return found.Uid, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uidNumber), Gid: uint32(gid)}}, nil
	}
	return "", nil, fmt.Errorf("PostgreSQL does not run as root, and there is no other user to run it as: %w", err)
}

// freePort returns a TCP port of the loopback address that nobody listens on right now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// RestartPostgres stops the server that Postgres started for this test binary and starts it again: "fast", as an
// administrator does, or "immediate", as a crash does. Connections break; what was committed with synchronous_commit on
// is kept.
func RestartPostgres(t testing.TB, mode string) {
	t.Helper()
	c, err := startCluster()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.restart(mode); err != nil {
		t.Fatal(err)
	}
}
