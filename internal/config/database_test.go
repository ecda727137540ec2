package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseDatabase(t *testing.T) {
	none := map[string]string{}
	tests := []struct {
		in   string
		want Database
		dsn  string
	}{
		{"sqlite:///rel/x.sqlite", Database{Engine: SQLite, Path: "/root/rel/x.sqlite", Name: "rel/x.sqlite", Args: none}, "/root/rel/x.sqlite"},
		{"sqlite:////abs/x.sqlite?isolation_level=IMMEDIATE", Database{Engine: SQLite, Path: "/abs/x.sqlite", Name: "/abs/x.sqlite", Args: map[string]string{"isolation_level": "IMMEDIATE"}}, "/abs/x.sqlite"},
		{"sqlite:///./database/x.sqlite", Database{Engine: SQLite, Path: "/root/database/x.sqlite", Name: "./database/x.sqlite", Args: none}, "/root/database/x.sqlite"},
		{"postgresql://u:p@h:5433/galaxy", Database{Engine: PostgreSQL, Hosts: []string{"h"}, Ports: []int{5433}, User: "u", Password: "p", Name: "galaxy", Args: none},
			"host='h' port='5433' user='u' password='p' dbname='galaxy'"},
		{"postgres://u@h/galaxy", Database{Engine: PostgreSQL, Hosts: []string{"h"}, Ports: []int{0}, User: "u", Name: "galaxy", Args: none}, "host='h' user='u' dbname='galaxy'"},
		{"postgresql+psycopg2://us%40er:p%2F%3A%40w+d'%5C@h/galaxy?sslmode=require&application_name=a%20b", Database{Engine: PostgreSQL, Driver: "psycopg2", Hosts: []string{"h"}, Ports: []int{0},
			User: "us@er", Password: `p/:@w+d'\`, Name: "galaxy", Args: map[string]string{"sslmode": "require", "application_name": "a b"}},
			`host='h' user='us@er' password='p/:@w+d\'\\' dbname='galaxy' application_name='a b' sslmode='require'`},
		{"postgresql:///galaxy?host=/run/postgresql", Database{Engine: PostgreSQL, Hosts: []string{"/run/postgresql"}, Ports: []int{0}, Socket: "/run/postgresql", Name: "galaxy", Args: none},
			"host='/run/postgresql' dbname='galaxy'"},
		{"postgresql:///galaxy?host=/run/postgresql&port=5433&user=me", Database{Engine: PostgreSQL, Hosts: []string{"/run/postgresql"}, Ports: []int{5433}, Socket: "/run/postgresql", User: "me", Name: "galaxy", Args: none},
			"host='/run/postgresql' port='5433' user='me' dbname='galaxy'"},
		{"postgresql://u@/galaxy?host=a:5433&host=[::1]:5434&host=c", Database{Engine: PostgreSQL, Hosts: []string{"a", "::1", "c"}, Ports: []int{5433, 5434, 0}, User: "u", Name: "galaxy", Args: none},
			"host='a,::1,c' port='5433,5434,5432' user='u' dbname='galaxy'"},
		{"postgresql://[::1]:5432/galaxy", Database{Engine: PostgreSQL, Hosts: []string{"::1"}, Ports: []int{5432}, Name: "galaxy", Args: none}, "host='::1' port='5432' dbname='galaxy'"},
		{"postgresql:///galaxy", Database{Engine: PostgreSQL, Name: "galaxy", Args: none}, "dbname='galaxy'"},
		{"postgresql:///galaxy?keepalives=1", Database{Engine: PostgreSQL, Name: "galaxy", Args: map[string]string{"keepalives": "1"}}, "dbname='galaxy'"},
		{"mysql+pymysql://u:p@h/galaxy?unix_socket=/run/m.sock&charset=utf8mb4", Database{Engine: MySQL, Driver: "pymysql", Hosts: []string{"h"}, Ports: []int{0}, User: "u", Password: "p",
			Socket: "/run/m.sock", Name: "galaxy", Args: map[string]string{"charset": "utf8mb4"}}, "mysql://u:p@h/galaxy?charset=utf8mb4&unix_socket=%2Frun%2Fm.sock"},
		{"mariadb://u:p%40%3A%2F%25@[::1]:3307/galaxy?ssl_key=/k", Database{Engine: MySQL, Hosts: []string{"::1"}, Ports: []int{3307}, User: "u", Password: "p@:/%",
			Name: "galaxy", Args: map[string]string{"ssl_key": "/k"}}, "mysql://u:p%40%3A%2F%25@[::1]:3307/galaxy?ssl_key=%2Fk"},
	}
	for _, test := range tests {
		got, err := ParseDatabase(test.in, "/root")
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.in, got, test.want)
		}
		if dsn := got.DSN(); dsn != test.dsn {
			t.Errorf("%s: DSN\n got %s\nwant %s", test.in, dsn, test.dsn)
		}
		if got.Password != "" && strings.Contains(got.Redacted(), ":"+got.Password+"@") {
			t.Errorf("%s: Redacted shows the password: %s", test.in, got.Redacted())
		}
	}
}

func TestParseDatabaseRefuses(t *testing.T) {
	for _, in := range []string{"", "galaxy", "sqlite://", "sqlite:///:memory:", "sqlite://host/x", "oracle://h/x", "postgresql://u:secret@h:port/x",
		"postgresql://u:sec%zzret@h/x", "postgresql://h:99999/x"} {
		db, err := ParseDatabase(in, "/root")
		if err == nil {
			t.Errorf("%q is taken as %+v", in, db)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the message repeats the password: %v", in, err)
		}
	}
}

func FuzzParseDatabase(f *testing.F) {
	for _, seed := range []string{"sqlite:///x", "postgresql://u:p@[::1]:5/x?host=a:1&port=2,3&host=/s", "mysql://u@h/x?unix_socket=/a", "postgresql:///x?host=", "x://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		db, err := ParseDatabase(in, "/root")
		if err != nil {
			return
		}
		if len(db.Hosts) != len(db.Ports) {
			t.Fatalf("%d hosts and %d ports", len(db.Hosts), len(db.Ports))
		}
		if db.Engine == SQLite && !strings.HasPrefix(db.Path, "/") {
			t.Fatalf("the path %q is not absolute", db.Path)
		}
		_, _ = db.DSN(), db.Redacted()
	})
}
