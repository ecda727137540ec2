package testenv

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

var mariadb = component{
	name:     "MariaDB",
	packages: []string{"mariadb-server"},
	find: func() (string, bool) {
		for _, path := range []string{"/usr/sbin/mariadbd", "/usr/libexec/mariadbd"} { // off the path of ordinary users
			if _, err := os.Stat(path); err == nil {
				return path, true
			}
		}
		return onPath("mariadbd")()
	},
}

// MariaDatabase is one database of the test binary's own MariaDB server, for one test.
type MariaDatabase struct {
	Database
}

// URL is the address in SQLAlchemy's form, over TCP.
func (d MariaDatabase) URL() string {
	return (&url.URL{Scheme: "mysql", User: url.User(d.User), Host: net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), Path: "/" + d.Name}).String()
}

// SocketURL is the address in SQLAlchemy's form for the UNIX socket.
func (d MariaDatabase) SocketURL() string {
	return (&url.URL{Scheme: "mysql", User: url.User(d.User), Host: "localhost", Path: "/" + d.Name, RawQuery: "unix_socket=" + d.Socket}).String()
}

// mariaServer is the MariaDB server of this test binary.
type mariaServer struct {
	MariaDatabase // the one called mysql
	names         atomic.Int64

	program string
	args    []string
	mark    string
	process *os.Process
	ended   chan struct{} // closed when the process has ended

	mu        sync.Mutex
	templates map[string]*mariaTemplate
}

// mariaTemplate are the databases that were prepared in one way. MariaDB cannot copy a database, so one that a test is
// done with is emptied and given to the next.
type mariaTemplate struct {
	idle []string
	// tables are all its tables, kept those that have rows from the beginning and are left alone.
	tables, kept map[string]bool
}

var startMariaDB = sync.OnceValues(newMariaServer)

// MariaDB returns a new empty database. The first call of a test binary starts a server for it, with its files in a
// temporary folder; both are gone when the binary ends. The database is dropped at the end of the test.
func MariaDB(t testing.TB) MariaDatabase {
	t.Helper()
	external(t)
	s, err := startMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	database, err := s.create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.use(context.Background(), "", func(c *sql.Conn) error { return drop(c, database.Name) }); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return database
}

// MariaDBWith returns a database that prepare, given the address of an empty one, has made ready. Those that tests with
// the same name of a template are done with are used again, emptied but for the tables that prepare filled.
func MariaDBWith(t testing.TB, template string, prepare func(url string) error) MariaDatabase {
	t.Helper()
	external(t)
	s, err := startMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	database, err := s.take(t.Context(), template, prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.giveBack(context.Background(), template, database.Name); err != nil {
			t.Errorf("emptying the test's database: %v", err)
		}
	})
	return database
}

func (s *mariaServer) create(ctx context.Context) (MariaDatabase, error) {
	database := s.MariaDatabase
	database.Name = fmt.Sprintf("test_%d", s.names.Add(1))
	return database, s.use(ctx, "", func(c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "CREATE DATABASE "+database.Name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
		return err
	})
}

func (s *mariaServer) take(ctx context.Context, template string, prepare func(url string) error) (MariaDatabase, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.templates[template]
	if made != nil && len(made.idle) > 0 {
		database := s.MariaDatabase
		database.Name = made.idle[len(made.idle)-1]
		made.idle = made.idle[:len(made.idle)-1]
		return database, nil
	}
	database, err := s.create(ctx)
	if err != nil {
		return database, err
	}
	if err := prepare(database.URL()); err != nil {
		return database, fmt.Errorf("preparing the database %s: %w", template, err)
	}
	if made != nil {
		return database, nil
	}
	made = &mariaTemplate{}
	s.templates[template] = made
	return database, s.use(ctx, database.Name, func(c *sql.Conn) error {
		if made.tables, err = tablesOf(ctx, c); err != nil {
			return err
		}
		made.kept, err = withRows(ctx, c, made.tables)
		return err
	})
}

// giveBack empties a database for the next test; one whose tables are not those of the template any more is dropped.
func (s *mariaServer) giveBack(ctx context.Context, template, name string) error {
	s.mu.Lock()
	made := s.templates[template]
	s.mu.Unlock()
	same := true
	err := s.use(ctx, name, func(c *sql.Conn) error {
		if err := disconnect(ctx, c, name); err != nil {
			return err
		}
		tables, err := tablesOf(ctx, c)
		if err != nil {
			return err
		}
		if same = maps.Equal(tables, made.tables); !same {
			return drop(c, name)
		}
		dirty, err := withRows(ctx, c, tables)
		if err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "SET SESSION foreign_key_checks = 0, lock_wait_timeout = 30"); err != nil {
			return err
		}
		for _, table := range slices.Sorted(maps.Keys(dirty)) {
			if made.kept[table] {
				continue
			}
			if _, err := c.ExecContext(ctx, "TRUNCATE TABLE `"+table+"`"); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && same {
		s.mu.Lock()
		made.idle = append(made.idle, name)
		s.mu.Unlock()
	}
	return err
}

// use runs f on a connection of its own.
func (s *mariaServer) use(ctx context.Context, name string, f func(c *sql.Conn) error) error {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = s.User, "unix", s.Socket, name
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	defer pool.Close()
	c, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("test database server: %w", err)
	}
	return errors.Join(f(c), c.Close())
}

// disconnect ends what a test left connected to its database.
func disconnect(ctx context.Context, c *sql.Conn, name string) error {
	ids, err := textColumn(ctx, c, "SELECT id FROM information_schema.processlist WHERE db = '"+name+"' AND id <> CONNECTION_ID()")
	if err != nil {
		return err
	}
	for _, id := range ids {
		var gone *mysql.MySQLError
		if _, err := c.ExecContext(ctx, "KILL "+id); err != nil && (!errors.As(err, &gone) || gone.Number != 1094) { // no such thread
			return err
		}
	}
	return nil
}

func drop(c *sql.Conn, name string) error {
	ctx := context.Background()
	if err := disconnect(ctx, c, name); err != nil {
		return err
	}
	_, err := c.ExecContext(ctx, "DROP DATABASE "+name)
	return err
}

func tablesOf(ctx context.Context, c *sql.Conn) (map[string]bool, error) {
	names, err := textColumn(ctx, c, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	return setOf(names), err
}

// withRows gives the tables that have rows, or had some.
func withRows(ctx context.Context, c *sql.Conn, tables map[string]bool) (map[string]bool, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	query := "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1"
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		query += " UNION SELECT '" + table + "' FROM DUAL WHERE EXISTS (SELECT 1 FROM `" + table + "`)"
	}
	names, err := textColumn(ctx, c, query)
	return setOf(names), err
}

func textColumn(ctx context.Context, c *sql.Conn, query string) ([]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// quick are the settings that spare the disk: what is committed outlives the server's process, but not the machine.
var quick = []string{
	"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
	"--innodb-autoinc-lock-mode=2", // MySQL's, which promises less than MariaDB's
	"--debug-no-sync", "--skip-name-resolve", "--character-set-server=utf8mb4",
}

func newMariaServer() (*mariaServer, error) {
	program, err := locate(mariadb)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "orrery-my-")
	if err != nil {
		return nil, err
	}
	mark := rand.Text()
	// From here on the watchdog removes what is made, whatever happens.
	if _, err := watchdog(killMarked(markVariable, mark) + "rm -rf " + quote(dir) + "\n"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	as, err := user.Current()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := mariaData(program, data, as.Username); err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "log")
	// Another process may take the port between our look and MariaDB's: try again with another.
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s := &mariaServer{
			MariaDatabase: MariaDatabase{Database{
				Name: "mysql", User: "root", Host: "127.0.0.1", Port: port, Socket: filepath.Join(dir, "socket"), Log: log,
			}},
			templates: make(map[string]*mariaTemplate), program: program, mark: mark,
		}
		s.args = append([]string{
			"--no-defaults", "--user=" + as.Username, "--datadir=" + data, "--socket=" + s.Socket, "--port=" + strconv.Itoa(port),
			// Another server's start removes what looks like temporary tables from a folder that they share.
			"--tmpdir=" + dir,
			"--bind-address=127.0.0.1", "--pid-file=" + filepath.Join(dir, "pid"), "--max-connections=300", "--performance-schema=OFF",
		}, quick...)
		err = s.start()
		if err == nil {
			return s, nil
		}
		text, _ := os.ReadFile(log)
		if attempt == 5 || !strings.Contains(string(text), "Address already in use") {
			return nil, fmt.Errorf("%w\n%s", err, lastLines(string(text), 20))
		}
	}
}

// start runs the server and returns when it answers.
func (s *mariaServer) start() error {
	// A file, no pipe: the server inherits it and would keep a pipe open.
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, s.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(s.Log), log, log
	cmd.Env = append(os.Environ(), markVariable+"="+s.mark, "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("mariadbd: %w", err)
	}
	s.process, s.ended = cmd.Process, make(chan struct{})
	var failure error
	go func(ended chan struct{}) {
		failure = cmd.Wait()
		close(ended)
	}(s.ended)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		err := s.use(ctx, "", func(c *sql.Conn) error { return c.PingContext(ctx) })
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mariadbd ended: %w", errors.Join(failure, errors.New("its log says why")))
		case <-ctx.Done():
			return fmt.Errorf("mariadbd does not answer: %w", err)
		case <-ticks.C:
		}
	}
}

// RestartMariaDB stops the server that MariaDB started for this test binary with a signal (SIGTERM, as an administrator
// does, or SIGKILL, as a crash does) and starts it again. Connections break; what was committed is kept.
func RestartMariaDB(t testing.TB, with syscall.Signal) {
	t.Helper()
	s, err := startMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Signal(with); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// mariaData fills a data folder. Making the server's own tables takes seconds, so they are made once per checkout, user
// and version, and copied.
func mariaData(program, data, as string) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{program, info.ModTime().String(), as}, quick...), "\n")))
	made := filepath.Join(cache, "mariadb-"+hex.EncodeToString(sum[:6]))
	unlock, err := lockFile(made + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(made); errors.Is(err, fs.ErrNotExist) {
		install, err := exec.LookPath("mariadb-install-db")
		if err != nil {
			return fmt.Errorf("MariaDB is incomplete: %w; run: %s", err, mariadb.command())
		}
		part := made + ".part"
		if err := os.RemoveAll(part); err != nil {
			return err
		}
		cmd := exec.Command(install, append([]string{
			"--no-defaults", "--user=" + as, "--datadir=" + part, "--tmpdir=" + filepath.Dir(data), "--auth-root-authentication-method=normal", "--skip-test-db",
		}, quick...)...)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("mariadb-install-db: %w\n%s", err, lastLines(string(output), 20))
		}
		if err := os.Rename(part, made); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return os.CopyFS(data, os.DirFS(made))
}
