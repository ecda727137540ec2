package schema

// Own gives the statements, without semicolons, that create the tables and
// indexes that are Orrery's alone. Their names begin with `orrery_`, so that
// Galaxy and its migrations leave them alone. Each is written with IF NOT
// EXISTS: they are run on every start, also on a database that Galaxy made.
func Own(engine string) []string {
	if engine == "postgresql" {
		return ownPostgreSQL
	}
	return ownSQLite
}

var ownPostgreSQL = []string{}

var ownSQLite = []string{}
