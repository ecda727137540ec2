// Package schema holds the database's definition: the tables of Galaxy 26.1, in
// postgres.sql and sqlite.sql, and the tables and indexes that are Orrery's
// alone, in orrery.go.
//
// It imports only the standard library. Begin reading at schema.go.
package schema
