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

// SQL gives the script that fills an empty database of the given engine
// ("postgresql" or "sqlite"): Galaxy's tables, its Alembic heads, and Orrery's
// own tables and indexes. It is meant to be run whole, in one transaction and
// without arguments. An unknown engine is a programming error and panics.
func SQL(engine string) string {
	var galaxy string
	switch engine {
	case "postgresql":
		galaxy = postgres
	case "sqlite":
		galaxy = sqlite
	default:
		panic(fmt.Sprintf("schema: unknown engine %q", engine))
	}
	return galaxy + "\n" + strings.Join(Own(engine), ";\n") + "\n"
}

// Heads are the rows of alembic_version in a database of Galaxy 26.1: the head
// of the branch of Galaxy's own tables (gxy), then that of installed tool shed
// repositories (tsi). A database with other heads belongs to another release.
func Heads() []string { return []string{"fac9c76612f9", "d4a650f47a3c"} }
