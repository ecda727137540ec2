package main

import "testing"

func TestEngines(t *testing.T) {
	for _, test := range []struct {
		version string
		mysql   bool
		name    string
		lacks   bool
	}{
		{"15.14 (Debian 15.14-0+deb12u1)", false, "PostgreSQL 15.14", false},
		{"9.4.26", false, "PostgreSQL 9.4.26", true},
		{"9.5.0", false, "PostgreSQL 9.5.0", false},
		{"17beta1", false, "PostgreSQL 17beta1", false},
		{"10.11.6-MariaDB-0+deb12u1", true, "MariaDB 10.11.6", false},
		{"10.5.29-MariaDB", true, "MariaDB 10.5.29", true},
		{"5.5.5-10.3.39-MariaDB-1:10.3", true, "MariaDB 10.3.39", true},
		{"8.0.36-0ubuntu0.22.04.1", true, "MySQL 8.0.36", false},
		{"5.7.44-log", true, "MySQL 5.7.44", true},
	} {
		engine := postgreSQL(test.version)
		if test.mysql {
			engine = mySQL(test.version)
		}
		if engine.Name != test.name || engine.NoSkipLocked != test.lacks {
			t.Errorf("%s: %+v, want %s, lacking SKIP LOCKED: %t", test.version, engine, test.name, test.lacks)
		}
	}
}
