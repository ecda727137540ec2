// Package schema holds the database's definition: the tables of Galaxy 26.1, in
// postgres.sql, sqlite.sql and mysql.sql, and the tables and indexes that are
// Orrery's alone, in orrery.go and the files whose names begin with it.
//
// It imports only the standard library. Begin reading at schema.go.
package schema
