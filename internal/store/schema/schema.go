package schema

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed postgres.sql
var postgres string

//go:embed sqlite.sql
var sqlite string

//go:embed mysql.sql
var mysql string

// SQL gives the script that fills an empty database of the given engine
// ("postgresql", "sqlite" or "mysql"): Galaxy's tables, its Alembic heads, and Orrery's
// own tables and indexes. It is meant to be run whole, in one transaction and
// without arguments; MySQL, whose statements of this kind know no transactions,
// takes it piece by piece, see Statements. An unknown engine is a programming
// error and panics.
func SQL(engine string) string {
	var galaxy string
	switch engine {
	case "postgresql":
		galaxy = postgres
	case "sqlite":
		galaxy = sqlite
	case "mysql":
		galaxy = mysql
	default:
		panic(fmt.Sprintf("schema: unknown engine %q", engine))
	}
	return galaxy + "\n" + strings.Join(Own(engine), ";\n") + "\n"
}

// Statements splits Galaxy's part of the script for MySQL into its statements,
// which can all be run again. The last one writes the heads.
func Statements() []string {
	var out []string
	var b strings.Builder
	for line := range strings.Lines(mysql) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		b.WriteString(line)
		if strings.HasSuffix(line, ";\n") {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(b.String()), ";"))
			b.Reset()
		}
	}
	return out
}

// Heads are the rows of alembic_version in a database of Galaxy 26.1: the head
// of the branch of Galaxy's own tables (gxy), then that of installed tool shed
// repositories (tsi). A database with other heads belongs to another release.
func Heads() []string { return []string{"fac9c76612f9", "d4a650f47a3c"} }
