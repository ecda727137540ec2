package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Engine is a kind of database.
type Engine string

// The kinds of databases.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
	MySQL      Engine = "mysql" // MariaDB too
)

// Database is a parsed database_connection.
type Database struct {
	Engine Engine
	Driver string // the SQLAlchemy driver that was named, such as "psycopg2"; of no effect

	// Path is SQLite's file, absolute.
	Path string

	// Hosts are the servers to try in turn, empty for the engine's default; Ports has one entry per host, 0 for the
	// engine's default port.
	Hosts []string
	Ports []int
	// Socket is the directory (PostgreSQL) or file (MySQL) of a UNIX socket; "" for TCP.
	Socket   string
	User     string
	Password string
	Name     string // of the database

	// Args are the remaining query arguments, such as sslmode.
	Args map[string]string
}

// sqlalchemyURL is SQLAlchemy's form DIALECT[+DRIVER]://USER:PASSWORD@HOST:PORT/DATABASE?ARGUMENTS.
var sqlalchemyURL = regexp.MustCompile(`^([A-Za-z0-9_]+)(?:\+([A-Za-z0-9_]+))?://` +
	`(?:([^:/]*)(?::([^@]*))?@)?` +
	`(?:(?:\[([^/?]+)\]|([^/:?]+))?(?::([^/?]*))?)?` +
	`(?:/([^?]*))?(?:\?(.*))?$`)

// ParseDatabase reads a connection in SQLAlchemy's form. A relative SQLite path starts from root.
//
// As in SQLAlchemy the user, the password and the arguments are percent-decoded, the database's name is not.
func ParseDatabase(connection, root string) (Database, error) {
	m := sqlalchemyURL.FindStringSubmatch(strings.TrimSpace(connection))
	if m == nil {
		// The value may hold a password, so it is not repeated.
		return Database{}, errors.New("this is not a database URL; use for example " +
			"postgresql://user:password@host/galaxy, postgresql:///galaxy?host=/run/postgresql or " +
			"sqlite:///database/universe.sqlite (write @ : / ? # in a password as %40 %3A %2F %3F %23)")
	}
	db := Database{Driver: m[2], Name: m[8], Args: map[string]string{}}
	var err error
	if db.User, err = url.PathUnescape(m[3]); err != nil {
		return Database{}, errors.New("the user's name holds a “%” that begins no escape; write it as %25")
	}
	if db.Password, err = url.PathUnescape(m[4]); err != nil {
		return Database{}, errors.New("the password holds a “%” that begins no escape; write it as %25")
	}
	args, err := url.ParseQuery(strings.ReplaceAll(m[9], ";", "%3B"))
	if err != nil {
		return Database{}, fmt.Errorf("the part after “?” cannot be read: %w", err)
	}
	switch strings.ToLower(m[1]) {
	case "sqlite":
		db.Engine = SQLite
		return db, db.finishSQLite(m, args, root)
	case "postgresql", "postgres":
		db.Engine = PostgreSQL
	case "mysql", "mariadb":
		db.Engine = MySQL
	default:
		return Database{}, fmt.Errorf("“%s” is no database that can be used; the URL begins with postgresql://, sqlite:/// or mysql://", clip(m[1], 40))
	}
	return db, db.finishServer(m, args)
}

func (db *Database) finishSQLite(m []string, args url.Values, root string) error {
	if m[5] != "" || m[6] != "" || m[7] != "" {
		return errors.New("an SQLite URL has three slashes before a relative path and four before an absolute one: sqlite:///database/universe.sqlite")
	}
	if db.Name == "" || strings.HasPrefix(db.Name, ":memory:") || strings.HasPrefix(db.Name, "file:") {
		return errors.New("an SQLite database has to be a file, since several processes share it: sqlite:///database/universe.sqlite")
	}
	if strings.ContainsRune(db.Name, 0) {
		return errors.New("the path of the SQLite database holds a NUL character")
	}
	db.Path = db.Name
	if !filepath.IsAbs(db.Path) {
		db.Path = filepath.Join(root, db.Path)
	}
	db.Path = filepath.Clean(db.Path)
	for key := range args {
		db.Args[key] = args.Get(key)
	}
	return nil
}

func (db *Database) finishServer(m []string, args url.Values) error {
	addHost := func(host, port string) error {
		number := 0
		if port != "" {
			var err error
			if number, err = strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
				return errors.New("the port is a number from 1 to 65535 (a “:”, “/” or “@” in the password has to be written as %3A, %2F or %40)")
			}
		}
		db.Hosts, db.Ports = append(db.Hosts, host), append(db.Ports, number)
		return nil
	}
	if host := m[5] + m[6]; host != "" {
		for _, h := range strings.Split(host, ",") {
			if err := addHost(h, m[7]); err != nil {
				return err
			}
		}
	} else if m[7] != "" {
		if err := addHost("localhost", m[7]); err != nil {
			return err
		}
	}
	for key, values := range args {
		switch {
		case key == "host" && db.Engine == PostgreSQL:
			db.Hosts, db.Ports = nil, nil
			ports := strings.Split(strings.Join(args["port"], ","), ",")
			for i, entry := range strings.Split(strings.Join(values, ","), ",") {
				host, port := splitHostPort(entry)
				if port == "" {
					port = ports[min(i, len(ports)-1)]
				}
				if err := addHost(host, port); err != nil {
					return err
				}
			}
			if strings.HasPrefix(db.Hosts[0], "/") {
				db.Socket = db.Hosts[0]
			}
		case key == "port" && db.Engine == PostgreSQL:
			if !args.Has("host") && len(db.Hosts) == 0 {
				if err := addHost("localhost", args.Get("port")); err != nil {
					return err
				}
			}
		case key == "user" && db.User == "":
			db.User = args.Get(key)
		case key == "password" && db.Password == "":
			db.Password = args.Get(key)
		case key == "dbname" && db.Name == "":
			db.Name = args.Get(key)
		case key == "unix_socket" && db.Engine == MySQL:
			db.Socket = args.Get(key)
		default:
			db.Args[key] = args.Get(key)
		}
	}
	if db.Engine == MySQL {
		if len(db.Hosts) > 1 {
			return errors.New("a MySQL URL names one host")
		}
		if db.Name == "" {
			return errors.New("the URL names no database; write it after the host: mysql://user:password@host/galaxy")
		}
	}
	if strings.Contains(db.Name, "/") {
		return errors.New("the database's name holds a “/”; write one after the host: postgresql://user@host/galaxy")
	}
	for _, s := range []string{db.User, db.Password, db.Name, db.Socket, strings.Join(db.Hosts, "")} {
		if strings.ContainsRune(s, 0) {
			return errors.New("the URL holds a NUL character")
		}
	}
	return nil
}

// splitHostPort splits HOST, HOST:PORT, [IPV6]:PORT and the directory of a socket.
func splitHostPort(s string) (host, port string) {
	switch {
	case strings.HasPrefix(s, "/"):
		return s, ""
	case strings.HasPrefix(s, "["):
		host, port, _ = strings.Cut(s[1:], "]")
		return host, strings.TrimPrefix(port, ":")
	case strings.Count(s, ":") == 1:
		host, port, _ = strings.Cut(s, ":")
		return host, port
	default:
		return s, ""
	}
}

// libpqOnly are connection arguments of PostgreSQL's C library that mean nothing to the driver here and would be taken
// for server settings.
var libpqOnly = wordSet(`keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout gssencmode
	sslcompression sslcrl sslcrldir fallback_application_name requirepeer gsslib gssdelegation load_balance_hosts
	replication hostaddr async_fallback prepared_statement_cache_size executemany_mode use_native_hstore`)

// DSN returns the connection in the form that the store takes: for PostgreSQL libpq's "key='value' …", for MySQL and
// MariaDB a URL, for SQLite the path. It holds the password; see [Database.Redacted] for logs.
func (db Database) DSN() string {
	switch db.Engine {
	case SQLite:
		return db.Path
	case PostgreSQL:
		return db.keywords(db.Password)
	default:
		return db.mysqlURL()
	}
}

// mysqlURL is the URL with every part escaped and nothing hidden.
func (db Database) mysqlURL() string {
	u := url.URL{Scheme: "mysql", Path: "/" + db.Name}
	switch {
	case db.Password != "":
		u.User = url.UserPassword(db.User, db.Password)
	case db.User != "":
		u.User = url.User(db.User)
	}
	if len(db.Hosts) > 0 {
		u.Host = db.Hosts[0]
		if strings.Contains(u.Host, ":") {
			u.Host = "[" + u.Host + "]"
		}
		if db.Ports[0] != 0 {
			u.Host += ":" + strconv.Itoa(db.Ports[0])
		}
	}
	args := url.Values{}
	for key, value := range db.Args {
		args.Set(key, value)
	}
	if db.Socket != "" {
		args.Set("unix_socket", db.Socket)
	}
	u.RawQuery = args.Encode()
	return u.String()
}

// Redacted returns the connection as a URL without its password.
func (db Database) Redacted() string {
	password := db.Password
	if password != "" {
		password = "***"
	}
	return db.url(password)
}

func (db Database) keywords(password string) string {
	var b strings.Builder
	add := func(key, value string) {
		if value == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		value = strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), `'`, `\'`)
		b.WriteString(key + "='" + value + "'")
	}
	ports := make([]string, len(db.Ports))
	for i, p := range db.Ports {
		if p != 0 {
			ports[i] = strconv.Itoa(p)
		}
	}
	add("host", strings.Join(db.Hosts, ","))
	if strings.Trim(strings.Join(ports, ","), ",") != "" {
		for i := range ports {
			if ports[i] == "" {
				ports[i] = "5432"
			}
		}
		add("port", strings.Join(ports, ","))
	}
	add("user", db.User)
	add("password", password)
	add("dbname", db.Name)
	for _, key := range sortedKeys(db.Args) {
		if !libpqOnly[key] && plainName(key) {
			add(key, db.Args[key])
		}
	}
	return b.String()
}

// plainName tells whether a key may stand bare in a connection string.
func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && c != '.' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (db Database) url(password string) string {
	if db.Engine == SQLite {
		return "sqlite:///" + db.Path + query(db.Args)
	}
	var b strings.Builder
	b.WriteString(string(db.Engine) + "://")
	if db.User != "" {
		b.WriteString(url.PathEscape(db.User))
		if password != "" {
			if password != "***" {
				password = url.PathEscape(password)
			}
			b.WriteString(":" + password)
		}
		b.WriteByte('@')
	}
	for i, host := range db.Hosts {
		if strings.HasPrefix(host, "/") {
			continue
		}
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		b.WriteString(host)
		if db.Ports[i] != 0 {
			b.WriteString(":" + strconv.Itoa(db.Ports[i]))
		}
	}
	b.WriteString("/" + db.Name)
	args := map[string]string{}
	for k, v := range db.Args {
		args[k] = v
	}
	if db.Socket != "" {
		if db.Engine == MySQL {
			args["unix_socket"] = db.Socket
		} else {
			args["host"] = db.Socket
		}
	}
	b.WriteString(query(args))
	return b.String()
}

// query renders arguments in their names' order, hiding what is secret.
func query(args map[string]string) string {
	parts := make([]string, 0, len(args))
	for _, key := range sortedKeys(args) {
		value := args[key]
		if isSecret(key) {
			value = "***"
		}
		parts = append(parts, url.QueryEscape(key)+"="+strings.ReplaceAll(url.QueryEscape(value), "%2F", "/"))
	}
	if len(parts) == 0 {
		return ""
	}
	return "?" + strings.Join(parts, "&")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
