package schema_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"orrery/internal/store/schema"
)

func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec(schema.SQL("sqlite")); err != nil {
		t.Fatal(err)
	}
	return db
}

func column[T any](t *testing.T, db *sql.DB, query string) []T {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSQLiteHasTheHeads(t *testing.T) {
	got := column[string](t, openSQLite(t), "SELECT version_num FROM alembic_version ORDER BY rowid")
	if !slices.Equal(got, schema.Heads()) {
		t.Errorf("alembic_version holds %v, want %v", got, schema.Heads())
	}
}

func TestSQLiteChangesOfAHistoryAreAudited(t *testing.T) {
	db := openSQLite(t)
	for _, stmt := range []string{
		"INSERT INTO history (id, name) VALUES (7, 'h')",
		"INSERT INTO history_dataset_association (history_id, version, validated_state) VALUES (8, 1, 'unknown')",
	} {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
	}
	if got := column[int](t, db, "SELECT DISTINCT history_id FROM history_audit ORDER BY 1"); !slices.Equal(got, []int{7, 8}) {
		t.Errorf("history_audit names the histories %v, want 7 and 8", got)
	}
}

// The two scripts were made from different sources (a running server's database
// and its models), so that they check each other.
func TestEnginesHaveTheSameTables(t *testing.T) {
	inScript := func(engine string) []string {
		var names []string
		for line := range strings.Lines(schema.SQL(engine)) {
			if name, ok := strings.CutPrefix(line, "CREATE TABLE "); ok {
				name = strings.TrimPrefix(name, "IF NOT EXISTS ")
				names = append(names, strings.Trim(strings.Fields(name)[0], "\"`"))
			}
		}
		slices.Sort(names)
		return names
	}
	pg, lite, my := inScript("postgresql"), inScript("sqlite"), inScript("mysql")
	if !slices.Equal(pg, lite) {
		t.Errorf("PostgreSQL's tables %v\ndiffer from SQLite's %v", pg, lite)
	}
	if !slices.Equal(pg, my) {
		t.Errorf("PostgreSQL's tables %v\ndiffer from MySQL's %v", pg, my)
	}
	if len(pg) < 190 {
		t.Errorf("only %d tables", len(pg))
	}
}

func TestServersHaveTheHeads(t *testing.T) {
	statements := schema.Statements()
	for _, head := range schema.Heads() {
		if !strings.Contains(schema.SQL("postgresql"), "'"+head+"'") {
			t.Errorf("PostgreSQL has no head %s", head)
		}
		// They tell that everything is there, so they come last.
		if !strings.Contains(statements[len(statements)-1], "'"+head+"'") {
			t.Errorf("the last statement for MySQL does not write the head %s", head)
		}
	}
}

func TestStatementsForMySQLCanBeRunAgain(t *testing.T) {
	for _, statement := range schema.Statements() {
		if !slices.ContainsFunc([]string{"CREATE TABLE IF NOT EXISTS ", "DROP TRIGGER IF EXISTS ", "CREATE TRIGGER ", "INSERT IGNORE "},
			func(begin string) bool { return strings.HasPrefix(statement, begin) }) || strings.Contains(statement, ";") {
			t.Errorf("the statement %.80q cannot be run twice", statement)
		}
	}
}
