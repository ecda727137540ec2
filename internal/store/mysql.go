package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlSession is what every connection to MariaDB or MySQL begins with. The
// modes make the server read standard SQL ("name" is a column, || joins texts)
// and refuse what would be cut off; READ COMMITTED is what the other engines give
// and takes no locks on gaps. A backslash stays an escape within texts: the driver
// writes arguments so unless the server tells it otherwise, which would be lost on
// a proxy in between.
var mysqlSession = []string{
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'" +
		" /*M!100300 , idle_transaction_timeout = " + pausedSeconds + " */", // MySQL has nothing like it
}

// The error numbers of MariaDB and MySQL that mean something here.
const (
	mysqlDuplicateKey        = 1062
	mysqlDuplicateColumn     = 1060
	mysqlDuplicateIndex      = 1061
	mysqlDuplicateEntryOfKey = 1586
	mysqlChangedSinceRead    = 1020 // MariaDB, with innodb_snapshot_isolation
	mysqlLockTimeout         = 1205
	mysqlDeadlock            = 1213
	mysqlNeedsSuper          = 1419 // a trigger, while the binary log is on

	mysqlDiskFull               = 1021
	mysqlTooManyConnections     = 1040
	mysqlShutdown               = 1053 // in progress
	mysqlNormalShutdown         = 1077
	mysqlTableFull              = 1114
	mysqlTooManyUserConnections = 1203
	mysqlReadOnly               = 1290 // an option of the server, such as --read-only, forbids it
	mysqlInterrupted            = 1317
	mysqlKilled                 = 1927 // MariaDB: the connection was
)

func mysqlNumber(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// mysqlConnector prepares each new connection.
type mysqlConnector struct {
	driver.Connector
	session []string
}

func (c mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of MySQL is a %T", conn), conn.Close())
	}
	for _, statement := range c.session {
		if _, err := execer.ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", statement, err), conn.Close())
		}
	}
	return conn, nil
}

func (db *DB) openMySQL(ctx context.Context) error {
	cfg, err := mysqlConfig(db.opts.DSN)
	if err != nil {
		return fmt.Errorf("database_connection: %w", err)
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return fmt.Errorf("database_connection: %w", err)
	}
	version, increment, err := mysqlServer(ctx, mysqlConnector{connector, mysqlSession})
	if err != nil {
		return fmt.Errorf("connecting to MariaDB or MySQL: %w", err)
	}
	if err := mysqlTooOld(version); err != nil {
		return err
	}
	// It is fixed for our connections, since ids are reckoned with it.
	session := append(slices.Clone(mysqlSession), "SET SESSION auto_increment_increment = "+strconv.FormatInt(increment, 10))
	pool := sql.OpenDB(mysqlConnector{connector, session})
	pool.SetMaxOpenConns(db.opts.MaxConns)
	pool.SetMaxIdleConns(db.opts.MaxConns)
	pool.SetConnMaxIdleTime(db.opts.IdleTime) // the server ends them after its wait_timeout, 8 hours as it comes
	db.querier = querier{run: pool, pool: pool, dialect: &dialect{engine: MySQL, increment: increment}}
	db.write = pool
	return nil
}

// mysqlServer asks the server for its version and for the step between serial ids
// that it is set to: 1 unless several servers of a cluster are written to.
func mysqlServer(ctx context.Context, c mysqlConnector) (version string, increment int64, err error) {
	pool := sql.OpenDB(c)
	err = pool.QueryRowContext(ctx, "SELECT VERSION(), @@auto_increment_increment").Scan(&version, &increment)
	return version, increment, errors.Join(err, pool.Close())
}

// mysqlTooOld refuses servers that do not understand the statements here.
func mysqlTooOld(version string) error {
	name, least, first := "MySQL", "8.0", [2]int{8, 0}
	if strings.Contains(strings.ToLower(version), "mariadb") {
		name, least, first = "MariaDB", "10.3", [2]int{10, 3}
	}
	version = strings.TrimPrefix(version, "5.5.5-") // which some put before it for old clients
	var got [2]int
	if _, err := fmt.Sscanf(version, "%d.%d", &got[0], &got[1]); err != nil {
		return fmt.Errorf("the database server calls its version %q, which is not one of MariaDB or MySQL", version)
	}
	if slices.Compare(got[:], first[:]) < 0 {
		return fmt.Errorf("the database server is %s %s, and this server needs %s %s or newer; upgrade it, or point database_connection at another server",
			name, version, name, least)
	}
	return nil
}

// mysqlIdle are arguments of SQLAlchemy's drivers for MySQL that change nothing
// here: the character set is always utf8mb4.
var mysqlIdle = map[string]bool{
	"charset": true, "use_unicode": true, "binary_prefix": true, "autocommit": true, "local_infile": true, "collation": true,
	"compress": true, "use_pure": true, "auth_plugin": true,
}

// mysqlConfig turns a URL in SQLAlchemy's form into the driver's settings.
func mysqlConfig(dsn string) (*mysql.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "mysql" && u.Scheme != "mariadb" && !strings.HasPrefix(u.Scheme, "mysql+") && !strings.HasPrefix(u.Scheme, "mariadb+")) {
		return nil, errors.New("not a URL like mysql://user:password@host/galaxy") // the URL may hold a password
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(orText(u.Hostname(), "localhost"), orText(u.Port(), "3306"))
	cfg.Collation = "utf8mb4_bin"
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.ClientFoundRows = true   // an UPDATE that changes nothing has touched the row nevertheless
	cfg.InterpolateParams = true // one round trip for a statement instead of three
	cfg.MaxAllowedPacket = 0     // as the server has it
	cfg.Timeout = 30 * time.Second
	cfg.Logger = &mysql.NopLogger{} // of broken connections, which the errors tell too
	args := u.Query()
	if socket := args.Get("unix_socket"); socket != "" {
		cfg.Net, cfg.Addr = "unix", socket
	}
	if cfg.DBName == "" {
		return nil, errors.New("the URL names no database; write it after the host: mysql://user:password@host/galaxy")
	}
	for name := range args {
		value := args.Get(name)
		switch {
		case name == "unix_socket" || mysqlIdle[name] || strings.HasPrefix(name, "ssl_"):
		case name == "connect_timeout" || name == "read_timeout" || name == "write_timeout":
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil || seconds < 0 || seconds > 1e6 {
				return nil, fmt.Errorf("%s is a number of seconds, not %q", name, value)
			}
			duration := time.Duration(seconds * float64(time.Second))
			switch name {
			case "connect_timeout":
				cfg.Timeout = duration
			case "read_timeout":
				cfg.ReadTimeout = duration
			default:
				cfg.WriteTimeout = duration
			}
		default:
			return nil, fmt.Errorf("the argument %q of the MySQL URL is not known here; known are charset, unix_socket, connect_timeout, "+
				"read_timeout, write_timeout, ssl_ca, ssl_cert, ssl_key, ssl_disabled, ssl_check_hostname and ssl_mode", name)
		}
	}
	cfg.TLS, err = mysqlTLS(args, u.Hostname())
	return cfg, err
}

// mysqlTLS gives the settings of an encrypted connection; nil without one.
func mysqlTLS(args url.Values, host string) (*tls.Config, error) {
	yes := func(name string) bool {
		switch strings.ToLower(args.Get(name)) {
		case "1", "true", "yes", "on":
			return true
		}
		return false
	}
	mode := strings.ToUpper(args.Get("ssl_mode"))
	wanted := mode != "" && mode != "DISABLED" && mode != "PREFERRED"
	for name := range args {
		switch name {
		case "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname":
			wanted = true
		case "ssl_mode", "ssl_disabled":
		default:
			if strings.HasPrefix(name, "ssl_") {
				return nil, fmt.Errorf("the argument %q of the MySQL URL is not known here", name)
			}
		}
	}
	if !wanted || yes("ssl_disabled") || mode == "DISABLED" {
		return nil, nil
	}
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if file := args.Get("ssl_ca"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("ssl_ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ssl_ca: there is no certificate in PEM form in %s", file)
		}
	}
	if cert := args.Get("ssl_cert"); cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, orText(args.Get("ssl_key"), cert))
		if err != nil {
			return nil, fmt.Errorf("ssl_cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	// As in the C library, a certificate is checked when there is something to
	// check it against, and the host's name when that is asked for.
	byName := yes("ssl_check_hostname") || yes("ssl_verify_identity") || mode == "VERIFY_IDENTITY"
	byChain := cfg.RootCAs != nil || yes("ssl_verify_cert") || mode == "VERIFY_CA"
	if !byName {
		cfg.InsecureSkipVerify = true // the chain is checked below, without the name
		if byChain {
			roots := cfg.RootCAs
			cfg.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, roots) }
		}
	}
	return cfg, nil
}

// verifyChain checks a server's certificate but for its name.
func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(opts)
	return err
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// idList and textList are the arguments that AnyOf gives on MySQL: its
// statements have no arguments that are lists, so they are written out.
type (
	idList   []int64
	textList []string
)

// spread writes out the lists among the arguments in the place of their `?`, and
// a backslash as the server reads it.
func spread(query string, args []any) (string, []any) {
	query = strings.ReplaceAll(query, `ESCAPE '\'`, `ESCAPE '\\'`)
	lists := false
	for _, a := range args {
		switch a.(type) {
		case idList, textList:
			lists = true
		}
	}
	if !lists {
		return query, args
	}
	var b strings.Builder
	out := make([]any, 0, len(args))
	n, quoted := 0, false
	for i := range len(query) {
		c := query[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c != '?' || quoted || n >= len(args) {
			b.WriteByte(c)
			continue
		}
		switch list := args[n].(type) {
		case idList:
			writeList(&b, len(list), func(i int) { b.WriteString(strconv.FormatInt(list[i], 10)) })
		case textList:
			writeList(&b, len(list), func(i int) {
				b.WriteByte('?')
				out = append(out, list[i])
			})
		default:
			b.WriteByte('?')
			out = append(out, list)
		}
		n++
	}
	return b.String(), append(out, args[n:]...)
}

// writeList writes the list of an IN; an empty one is a query without rows,
// since `NOT IN (NULL)` would not be true.
func writeList(b *strings.Builder, n int, item func(i int)) {
	if n == 0 {
		b.WriteString("SELECT 1 FROM DUAL WHERE 1 = 0")
	}
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		item(i)
	}
}
